//! Joins source, scan, record, microsoft, attribute, aggregate and detect for a batch or a follow run; owns the
//! threads; hands out [`crate::aggregate::Snapshot`]s.

mod bell;
mod clock;
mod counted;
mod events;
mod evidence;
mod feed;
mod follow;
mod frontier;
mod ids;
mod intern;
mod judge;
mod lines;
mod look_back;
mod options;
mod others;
mod prepare;
mod run;
mod senders;
mod session;
mod skew;
mod stats;
mod summary;
mod task;
mod told;
mod trials;
mod twice;
mod visit;
mod worker;

pub use events::{Event, events};
pub use evidence::{EventRefusals, Evidence, Hour, Refusal, evidence};
pub use follow::follow;
pub use lines::{Gone, Hunt, Hunted, LineIndex, LineList, LogLine, Mark, WantedLines};
pub use options::{Options, Prefilter};
pub use run::Run;
pub use session::{EachLine, Session, TakeEvidence};
pub use summary::{Detected, arithmetic};
