//! Attempts at other providers, by source and slot of time: what the reading of an onset compares with.

use foldhash::{HashMap, HashMapExt};

use crate::detect::OtherProviders;
use crate::record::{Outcome, Time};

/// One attempt at another provider.
#[derive(Clone, Copy, Debug)]
pub struct Other {
    pub source: u32,
    /// Unix seconds.
    pub second: u32,
    pub is_delivered: bool,
}

impl Other {
    /// `None` where the attempt has no time.
    pub fn of(time: Option<Time>, outcome: Outcome, source: impl FnOnce() -> u32) -> Option<Self> {
        let second = u32::try_from(time?.seconds).ok()?;
        Some(Self { source: source(), second, is_delivered: outcome == Outcome::Delivered })
    }
}

/// By source and slot, how many attempts, and how many of them were accepted.
type Counts = HashMap<(u32, u32), (u64, u64)>;

/// What a worker counted.
#[derive(Debug, Default)]
pub struct Others {
    counts: Counts,
    /// By source, what it tried in its latest slot: most attempts are of the same one as that before.
    latest: Vec<Latest>,
}

#[derive(Clone, Debug, Default)]
struct Latest {
    slot: u32,
    /// 0: nothing that is not put away.
    attempts: u64,
    accepted: u64,
}

impl Others {
    pub fn add(&mut self, other: Other) {
        let Self { counts, latest } = self;
        let (source, slot) = (other.source as usize, other.second / OtherProviders::SLOT as u32);
        if latest.len() <= source {
            latest.resize(source + 1, Latest::default());
        }
        let latest = &mut latest[source];
        if latest.slot != slot {
            put_away(counts, other.source, latest);
            latest.slot = slot;
        }
        latest.attempts += 1;
        latest.accepted += u64::from(other.is_delivered);
    }

    /// Takes over all of `other`, which is empty then.
    pub fn append(&mut self, other: &mut Self) {
        other.put_all_away();
        for (key, went) in std::mem::take(&mut other.counts) {
            add_up(&mut self.counts, key, went);
        }
    }

    /// Takes all out: (source, slot, attempts, accepted).
    pub fn take(&mut self) -> impl Iterator<Item = (u32, i64, u64, u64)> + use<> {
        self.put_all_away();
        let counts = std::mem::replace(&mut self.counts, HashMap::new());
        counts
            .into_iter()
            .map(|((source, slot), (attempts, accepted))| (source, i64::from(slot), attempts, accepted))
    }

    fn put_all_away(&mut self) {
        for (source, latest) in (0..).zip(&mut self.latest) {
            put_away(&mut self.counts, source, latest);
        }
    }
}

fn put_away(counts: &mut Counts, source: u32, latest: &mut Latest) {
    let Latest { slot, attempts, accepted } = std::mem::take(latest);
    if attempts > 0 {
        add_up(counts, (source, slot), (attempts, accepted));
    }
}

fn add_up(counts: &mut Counts, key: (u32, u32), (attempts, accepted): (u64, u64)) {
    let sum = counts.entry(key).or_default();
    sum.0 += attempts;
    sum.1 += accepted;
}
