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

/// What a worker counted.
#[derive(Debug, Default)]
pub struct Others {
    counts: HashMap<(u32, u32), (u64, u64)>,
    /// Most lines are of the same source and slot as the one before.
    last: Option<((u32, u32), (u64, u64))>,
}

impl Others {
    pub fn add(&mut self, other: Other) {
        let key = (other.source, other.second / OtherProviders::SLOT as u32);
        let well = u64::from(other.is_delivered);
        match &mut self.last {
            Some((last, (attempts, accepted))) if *last == key => {
                *attempts += 1;
                *accepted += well;
            }
            _ => {
                self.put_away();
                self.last = Some((key, (1, well)));
            }
        }
    }

    /// Takes over all of `other`, which is empty then.
    pub fn append(&mut self, other: &mut Self) {
        other.put_away();
        for (key, (attempts, accepted)) in std::mem::take(&mut other.counts) {
            let sum = self.counts.entry(key).or_default();
            sum.0 += attempts;
            sum.1 += accepted;
        }
    }

    /// Takes all out: (source, slot, attempts, accepted).
    pub fn take(&mut self) -> impl Iterator<Item = (u32, i64, u64, u64)> + use<> {
        self.put_away();
        let counts = std::mem::replace(&mut self.counts, HashMap::new());
        counts
            .into_iter()
            .map(|((source, slot), (attempts, accepted))| (source, i64::from(slot), attempts, accepted))
    }

    fn put_away(&mut self) {
        if let Some((key, (attempts, accepted))) = self.last.take() {
            let sum = self.counts.entry(key).or_default();
            sum.0 += attempts;
            sum.1 += accepted;
        }
    }
}
