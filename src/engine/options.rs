//! What a run needs to know, as ready parts: no flags come in here.

use std::path::PathBuf;

use crate::aggregate::Filter;
use crate::attribute::SourceMap;
use crate::detect::Settings;
use crate::record::Zone;
use crate::source::MmapChoice;

/// Which lines are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Prefilter {
    /// Deliveries; a line that tells a message's sender where one of them asks for it.
    #[default]
    Deliveries,
    /// Both.
    Messages,
    /// All: the slow way, which tests hold the others against.
    Off,
}

impl Prefilter {
    /// The same, and the lines that tell senders where these are asked for.
    pub fn or_messages(self, asks_senders: bool) -> Self {
        if asks_senders { self.max(Self::Messages) } else { self }
    }
}

/// A run over inputs.
pub struct Options {
    pub paths: Vec<PathBuf>,
    /// Name of the format, instead of what the content tells.
    pub mta: Option<String>,
    pub source_map: SourceMap,
    /// For stamps without a zone; `None`: what Microsoft's own stamps tell, else the machine's.
    pub zone: Option<Zone>,
    /// Of the newest line, for stamps without a year.
    pub year: Option<i64>,
    /// At least one.
    pub threads: usize,
    pub mmap: MmapChoice,
    pub filter: Filter,
    pub detect: Settings,
    /// Bytes a span, for tests.
    pub span: Option<u64>,
    /// Unix seconds.
    pub now: i64,
    /// Plain files may grow: their unfinished last line waits.
    pub follow: bool,
    /// The inputs are read a second time: what comes through a pipe is kept on disk until the end.
    pub look_twice: bool,
    /// An event may be asked for its arithmetic: all attempts are kept for that.
    pub explains: bool,
    pub prefilter: Prefilter,
}

impl Options {
    /// Reads these inputs once, with one thread and all defaults, as of 1970.
    pub fn of(paths: Vec<PathBuf>) -> Self {
        Self {
            paths,
            mta: None,
            source_map: SourceMap::default(),
            zone: None,
            year: None,
            threads: 1,
            mmap: MmapChoice::default(),
            filter: Filter::default(),
            detect: Settings::default(),
            span: None,
            now: 0,
            follow: false,
            look_twice: false,
            explains: false,
            prefilter: Prefilter::default(),
        }
    }
}
