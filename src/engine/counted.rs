//! Attempts in ids, as they are counted.

use crate::aggregate::{CellKey, Tables};
use crate::microsoft::Class;
use crate::record::{Attempt, Outcome, Time};

use super::judge::Judged;
use super::others::{Other, Others};
use super::stats::InputStats;
use super::told::Told;
use super::trials::{Pass, Refusal, Trials, queue_hash};

/// An attempt in ids, ready to be counted.
#[derive(Clone, Copy, Debug)]
pub struct Counted {
    pub key: CellKey,
    pub time: Option<Time>,
    pub input: u32,
    pub offset: u64,
    pub outcome: Outcome,
    /// Hash of the queue id; 0 for none.
    pub queue: u32,
    /// For the detection.
    pub sender: u32,
    pub is_accepted: bool,
    /// Microsoft's for certain.
    pub is_certain: bool,
}

impl Counted {
    /// Of an attempt that is Microsoft's by the key's verdict, and where it stands.
    pub fn of(
        attempt: &Attempt<'_>,
        judged: &Judged<'_>,
        (input, offset): (u32, u64),
        key: CellKey,
        sender: u32,
    ) -> Self {
        Self {
            key,
            time: attempt.time,
            input,
            offset,
            outcome: attempt.outcome,
            queue: attempt.queue_id.map_or(0, queue_hash),
            sender,
            is_accepted: judged.verdict.class == Class::Accepted,
            is_certain: judged.platform.is_some(),
        }
    }

    /// Counts it.
    pub fn add(&self, tables: &mut Tables, trials: &mut Trials, stats: &mut InputStats) {
        let Self { key, time, input, offset, outcome, queue, is_certain, .. } = *self;
        stats.extend_range(time);
        match is_certain {
            true => stats.attempts += 1,
            false => *stats.by_domain.entry(key.domain).or_default() += 1,
        }
        tables.count(key, is_certain, time);
        let Some(second) = time.and_then(|t| u32::try_from(t.seconds).ok()) else { return };
        let CellKey { source, domain, relay, verdict, place, quoted, .. } = key;
        let pass = Pass { second, source, domain, relay, verdict, queue, sender: self.sender };
        match self.is_accepted {
            true => trials.passes.push(pass),
            false => trials.refusals.push(Refusal { pass, place, quoted, input, offset, outcome }),
        }
    }
}

/// A record that repeats what a log may tell: counted at the end, if none does.
#[derive(Clone, Copy, Debug)]
pub struct Aside {
    pub input: u32,
    pub fingerprints: [Option<u64>; 2],
    pub attempt: Whose,
}

impl Aside {
    /// Counts it, unless a log has told it.
    pub fn settle(
        &self,
        told: &Told,
        tables: &mut Tables,
        trials: &mut Trials,
        others: &mut Others,
        inputs: &mut [InputStats],
    ) {
        let stats = &mut inputs[self.input as usize];
        if told.has_any(&self.fingerprints) {
            stats.held_back += 1;
        } else {
            self.attempt.add(tables, trials, others, stats);
        }
    }
}

/// Whose attempt it is, ready to be counted.
#[derive(Clone, Copy, Debug)]
pub enum Whose {
    Microsoft(Counted),
    /// Another provider's; with what is known of it where it has a time.
    Other(Option<Other>),
}

impl Whose {
    pub fn add(&self, tables: &mut Tables, trials: &mut Trials, others: &mut Others, stats: &mut InputStats) {
        match self {
            Self::Microsoft(counted) => counted.add(tables, trials, stats),
            Self::Other(other) => count_other(*other, others, stats),
        }
    }
}

/// Counts another provider's attempt; `None`: one without a time.
pub fn count_other(other: Option<Other>, others: &mut Others, stats: &mut InputStats) {
    stats.other_attempts += 1;
    if let Some(other) = other {
        others.add(other);
    }
}
