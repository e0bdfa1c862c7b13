//! Results -> bytes: one file a report. Knows no files or screens.

pub mod explain;
