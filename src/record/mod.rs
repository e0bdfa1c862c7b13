//! Line -> [`Attempt`]: one file a format, the wrappers around them (syslog, journald), stamps, and the
//! registry that tells the formats apart by content. Knows nothing of Microsoft, files or tables.

mod attempt;
pub mod stamp;

pub use attempt::{Answer, Attempt, Enhanced, Mta, Outcome, Record, Time, domain_of};
