//! A running engine, as the screen sees it: snapshots out, filter in, lines on demand. Nothing here blocks.

use std::sync::Arc;

use crate::aggregate::{Filter, Snapshot};
use crate::record::Time;

/// One raw line behind a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    pub time: Option<Time>,
    pub path: Arc<str>,
    /// Where the line begins, in the decompressed stream.
    pub offset: u64,
    /// The line's bytes without its end, as logged (hostile: clean before drawing).
    pub text: Box<[u8]>,
    pub source: Option<String>,
    pub domain: Option<String>,
    pub datacenter: Option<String>,
    pub reply_id: String,
    pub is_refusal: bool,
}

/// The newest lines behind a filter, newest first.
#[derive(Clone, Debug, Default)]
pub struct LineList {
    /// How many lines match in all.
    pub total: u64,
    pub lines: Vec<LogLine>,
    /// The search has seen everything.
    pub complete: bool,
}

/// A running engine.
pub struct Session {
    _private: (),
}

impl Session {
    /// The newest snapshot for the filter last asked for; cheap. `version` tells whether it is another one.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::default()
    }

    /// Asks for snapshots of these attempts only, from now on.
    pub fn set_filter(&self, filter: Filter) {
        drop(filter);
    }

    /// Begins to look for the lines behind a filter, in the background; an earlier search ends.
    pub fn find_lines(&self, filter: Filter) {
        drop(filter);
    }

    /// What the last search has found so far.
    pub fn lines(&self) -> Arc<LineList> {
        Arc::default()
    }
}
