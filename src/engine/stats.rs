//! What was seen of one input, counted piece by piece.

use std::collections::{BTreeMap, BTreeSet};

use crate::record::{Seen, Time};

/// Samples of lines that were not understood, kept for the user.
const SAMPLES: usize = 3;
/// Bytes of a sample.
const SAMPLE_BYTES: usize = 400;

/// A line that looked like a delivery and was not understood.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sample {
    pub offset: u64,
    pub why: &'static str,
    pub line: Box<[u8]>,
}

/// What was seen of one input.
#[derive(Clone, Debug, Default)]
pub struct InputStats {
    pub bytes: u64,
    pub lines: u64,
    /// Certainly Microsoft's.
    pub attempts: u64,
    /// Microsoft's if it refused mail for this domain elsewhere.
    pub by_domain: BTreeMap<u32, u64>,
    pub malformed: u64,
    pub held_back: u64,
    pub other_attempts: u64,
    /// Lines that are no delivery records.
    pub irrelevant: u64,
    /// Lines that held at least one record.
    pub parsed: u64,
    /// What the parser has to say of this log.
    pub notes: BTreeSet<&'static str>,
    /// It was cut up, and has to be read in order.
    pub is_lost: bool,
    /// Its attempts, whoever they went to.
    pub seen: Seen,
    /// Of the attempts, and of the lines at both ends.
    pub first: Option<Time>,
    pub last: Option<Time>,
    /// Offset and time of the first and the last line with a stamp.
    first_line: Option<(u64, Time)>,
    last_line: Option<(u64, Time)>,
    /// The first few, by offset.
    pub samples: Vec<Sample>,
}

impl InputStats {
    pub fn merge(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.lines += other.lines;
        self.attempts += other.attempts;
        self.malformed += other.malformed;
        self.held_back += other.held_back;
        self.other_attempts += other.other_attempts;
        self.irrelevant += other.irrelevant;
        self.parsed += other.parsed;
        self.notes.extend(other.notes);
        self.is_lost |= other.is_lost;
        self.seen.merge(other.seen);
        for (domain, count) in other.by_domain {
            *self.by_domain.entry(domain).or_default() += count;
        }
        self.extend_range(other.first);
        self.extend_range(other.last);
        for line in [other.first_line, other.last_line].into_iter().flatten() {
            self.edge(line);
        }
        self.samples.extend(other.samples);
        self.samples.sort();
        self.samples.truncate(SAMPLES);
    }

    /// The range in time, also where nothing was tried at its ends.
    pub fn range(&self) -> Option<(Time, Time)> {
        let times = [self.first, self.last, self.first_line.map(|l| l.1), self.last_line.map(|l| l.1)];
        let times = times.into_iter().flatten();
        Some((times.clone().min()?, times.max()?))
    }

    /// The stamp of the last line that has one.
    pub fn newest_line(&self) -> Option<Time> {
        self.last_line.map(|(_, time)| time)
    }

    /// Offset and time of a line with a stamp.
    pub fn edge(&mut self, line: (u64, Time)) {
        if self.first_line.is_none_or(|first| line.0 < first.0) {
            self.first_line = Some(line);
        }
        if self.last_line.is_none_or(|last| line.0 > last.0) {
            self.last_line = Some(line);
        }
    }

    pub fn extend_range(&mut self, time: Option<Time>) {
        let Some(time) = time else { return };
        if self.first.is_none_or(|first| time < first) {
            self.first = Some(time);
        }
        if self.last.is_none_or(|last| time > last) {
            self.last = Some(time);
        }
    }

    /// Counts a line that was not understood.
    pub fn sample(&mut self, offset: u64, why: &'static str, line: &[u8]) {
        self.malformed += 1;
        if self.samples.len() < SAMPLES || self.samples.last().is_some_and(|s| offset < s.offset) {
            let line = line[..line.len().min(SAMPLE_BYTES)].into();
            self.samples.push(Sample { offset, why, line });
            self.samples.sort();
            self.samples.truncate(SAMPLES);
        }
    }
}
