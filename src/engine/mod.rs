//! Joins source, scan, record, microsoft, attribute, aggregate and detect for a batch or a follow run; owns the
//! threads; hands out [`crate::aggregate::Snapshot`]s.

mod session;

pub use session::{LineList, LogLine, Session};
