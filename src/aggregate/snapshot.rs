//! What the view draws and the exports write: plain owned data, made from the tables for one [`Filter`].
//!
//! Field names and order are those of `eopwatch.summary/1`.

use serde::Serialize;

use crate::detect::{Onset, OnsetChange};
use crate::microsoft::{Class, Platform};
use crate::record::Time;

/// Attempts by what became of them. `delivered + deferred + bounced == attempts`; `blocked` and `throttled` are
/// subsets by class, whatever the outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub attempts: u64,
    pub delivered: u64,
    pub deferred: u64,
    pub bounced: u64,
    pub blocked: u64,
    pub throttled: u64,
}

/// State of a source at the end of the range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    #[default]
    Clear,
    Throttled,
    Blocked,
}

impl Status {
    /// The name in the contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::Throttled => "throttled",
            Self::Blocked => "blocked",
        }
    }
}

/// One input, as given or as found in a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct InputRow {
    pub path: String,
    /// `null` where the format is not known.
    pub mta: Option<String>,
    /// `null` for a plain file.
    pub compression: Option<String>,
    /// Of the decompressed stream.
    pub bytes: u64,
    pub lines: u64,
    /// Microsoft-bound attempts.
    pub attempts: u64,
    pub malformed: u64,
    pub first: Option<Time>,
    pub last: Option<Time>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Range {
    pub first: Option<Time>,
    pub last: Option<Time>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    #[serde(flatten)]
    pub counts: Counts,
    pub lines: u64,
    pub malformed: u64,
    /// Records that repeat an old reply or only report waiting.
    pub held_back: u64,
    /// Attempts to other providers.
    pub other_attempts: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceRow {
    pub source_ip: Option<String>,
    pub source_name: Option<String>,
    /// `null` where the IP is known.
    pub host: Option<String>,
    pub status: Status,
    pub last_attempt: Option<Time>,
    pub last_accepted: Option<Time>,
    #[serde(flatten)]
    pub counts: Counts,
    #[serde(skip)]
    pub trend: Trend,
}

impl SourceRow {
    /// How the source is called on screens: its IP, else its name, else its host.
    pub fn label(&self) -> &str {
        self.source_ip
            .as_deref()
            .or(self.source_name.as_deref())
            .or(self.host.as_deref())
            .unwrap_or("(not logged)")
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DomainRow {
    /// `null` where the log does not tell the recipient.
    pub domain: Option<String>,
    pub platform: Platform,
    #[serde(flatten)]
    pub counts: Counts,
    #[serde(skip)]
    pub trend: Trend,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DatacenterRow {
    /// `null`: attempts whose datacenter nothing tells.
    pub forest: Option<String>,
    pub region: Option<String>,
    pub sites: Vec<String>,
    #[serde(flatten)]
    pub counts: Counts,
    /// Of these attempts, those whose forest was learned from the relay's address.
    pub learned: u64,
    #[serde(skip)]
    pub trend: Trend,
    /// Begins of the buckets that hold attempts, in Unix seconds, by time; as wide as those of [`Series`].
    #[serde(skip)]
    pub buckets: Vec<(i64, Bucket)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReplyRow {
    pub reply_id: String,
    pub smtp_code: Option<u16>,
    pub enhanced_code: Option<String>,
    pub class: Class,
    pub is_block: bool,
    pub count: u64,
    pub first: Option<Time>,
    pub last: Option<Time>,
    /// The first such reply in the order of the inputs, control characters escaped.
    pub example: Option<String>,
    pub root_cause: Option<String>,
    pub fix: Option<String>,
    #[serde(skip)]
    pub trend: Trend,
}

/// How a row's attempts lie in the time that was asked for, in equal parts. A shape: where there are fewer buckets than
/// parts, a bucket stands in several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trend {
    pub attempts: [u32; Self::PARTS],
    /// Of these, the blocked ones.
    pub blocked: [u32; Self::PARTS],
}

impl Trend {
    pub const PARTS: usize = 10;

    /// The parts in which bucket `at` of `all` stands.
    pub fn parts(at: usize, all: usize) -> std::ops::Range<usize> {
        let from = at * Self::PARTS / all.max(1);
        from..((at + 1) * Self::PARTS / all.max(1)).max(from + 1).min(Self::PARTS)
    }

    /// Adds attempts to these parts.
    pub fn add(&mut self, parts: std::ops::Range<usize>, attempts: u64, blocked: u64) {
        let add = |sum: &mut u32, count: u64| {
            *sum = sum.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        };
        for part in parts {
            add(&mut self.attempts[part], attempts);
            add(&mut self.blocked[part], blocked);
        }
    }
}

/// Attempts per bucket of time, for the chart. The four parts add up to the attempts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    pub delivered: u64,
    pub deferred: u64,
    /// By class, whatever the outcome.
    pub blocked: u64,
    /// Bounced, but not blocked.
    pub bounced: u64,
}

impl Bucket {
    pub fn total(&self) -> u64 {
        self.delivered + self.deferred + self.blocked + self.bounced
    }

    /// Adds another bucket's counts.
    pub fn add(&mut self, other: &Self) {
        self.delivered += other.delivered;
        self.deferred += other.deferred;
        self.blocked += other.blocked;
        self.bounced += other.bounced;
    }
}

/// Equal buckets from `start` on, without holes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Series {
    /// Unix seconds of the first bucket's begin, a multiple of `width_s`.
    pub start: i64,
    /// Seconds a bucket.
    pub width_s: i64,
    pub buckets: Vec<Bucket>,
}

/// Something that the user should know; counted, never lost.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Warning {
    /// The input it concerns.
    pub path: Option<String>,
    pub text: String,
    /// An input could not be read (exit status 3).
    pub is_error: bool,
}

/// How far the scan is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Progress {
    /// Bytes on disk to read, as far as known.
    pub total_bytes: u64,
    pub done_bytes: u64,
    /// Seconds since the scan began.
    pub elapsed_s: f64,
    /// All inputs were read to their end (a followed file: to its present end).
    pub complete: bool,
    /// Following: new lines are awaited.
    pub live: bool,
    /// What the followed files hold behind the place that was read.
    pub behind_bytes: u64,
}

/// Everything that was counted, for one filter, at one moment.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Snapshot {
    pub schema: &'static str,
    pub inputs: Vec<InputRow>,
    pub range: Range,
    pub totals: Totals,
    pub sources: Vec<SourceRow>,
    pub domains: Vec<DomainRow>,
    pub datacenters: Vec<DatacenterRow>,
    pub replies: Vec<ReplyRow>,
    pub onsets: Vec<Onset>,
    /// The lives of the onsets, by time.
    #[serde(skip)]
    pub changes: Vec<OnsetChange>,
    #[serde(skip)]
    pub series: Series,
    #[serde(skip)]
    pub warnings: Vec<Warning>,
    #[serde(skip)]
    pub progress: Progress,
    /// Counts up with every new snapshot of a session.
    #[serde(skip)]
    pub version: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_fill_the_parts_of_a_trend_evenly() {
        let parts = |all: usize| (0..all).map(|at| Trend::parts(at, all)).collect::<Vec<_>>();
        assert_eq!(parts(1).as_slice(), std::slice::from_ref(&(0..10)));
        assert_eq!(parts(3), [0..3, 3..6, 6..10]);
        assert!(parts(25).iter().all(|p| p.len() == 1));
        let in_part = |part| parts(25).iter().filter(|p| p.start == part).count();
        assert!((0..10).all(|part| matches!(in_part(part), 2 | 3)));
        assert_eq!(Trend::parts(9_999, 10_000), 9..10);
    }
}
