//! Attempts at other providers, by source and time: what the reading of an onset compares with.
//!
//! At most 65,536 entries of 16 bytes are kept. Where there are more, slots of time are joined two by two, in the end
//! the sources too. The result is the same whatever was added first: the coarsest that any part needs, the whole needs.

use foldhash::{HashMap, HashMapExt};

/// Entries that are kept.
const MOST: usize = 1 << 16;
/// Seconds of the finest slot.
const SLOT: u32 = 600;
/// So often joined, one slot holds all of time (2^32 seconds are less than 2^23 slots).
const ONE_SLOT: u32 = 23;
/// Stands for all sources.
const ALL: u32 = u32::MAX;

/// One attempt at another provider.
#[derive(Clone, Copy, Debug)]
pub struct Other {
    pub source: u32,
    /// Unix seconds.
    pub second: u32,
    pub is_delivered: bool,
}

/// Attempts and accepted ones by source and slot.
#[derive(Clone, Debug, Default)]
pub struct Others {
    /// How often slots were joined.
    level: u32,
    counts: HashMap<(u32, u32), (u32, u32)>,
}

impl Others {
    pub fn add(&mut self, other: Other) {
        self.count(other.source, other.second / SLOT, 0, (1, u32::from(other.is_delivered)));
    }

    /// Takes over all of `other`, which is empty then.
    pub fn append(&mut self, other: &mut Self) {
        let other = std::mem::take(other);
        while self.level < other.level {
            self.join();
        }
        for ((source, slot), counts) in other.counts {
            self.count(source, slot, other.level, counts);
        }
    }

    /// Seconds of a slot.
    pub fn width(&self) -> i64 {
        i64::from(SLOT) << self.level.min(ONE_SLOT)
    }

    /// (source where it is told, slot, attempts, accepted)
    pub fn entries(&self) -> impl Iterator<Item = (Option<u32>, i64, u64, u64)> {
        self.counts.iter().map(|((source, slot), (attempts, accepted))| {
            (
                (*source != ALL).then_some(*source),
                i64::from(*slot),
                u64::from(*attempts),
                u64::from(*accepted),
            )
        })
    }

    /// `level`: that of the slot.
    fn count(&mut self, source: u32, slot: u32, level: u32, (attempts, accepted): (u32, u32)) {
        let sum = self.counts.entry(joined(source, slot, level, self.level)).or_default();
        sum.0 = sum.0.saturating_add(attempts);
        sum.1 = sum.1.saturating_add(accepted);
        while self.counts.len() > MOST {
            self.join();
        }
    }

    fn join(&mut self) {
        let (from, to) = (self.level, self.level + 1);
        self.level = to;
        let mut counts: HashMap<(u32, u32), (u32, u32)> = HashMap::new();
        for ((source, slot), (attempts, accepted)) in self.counts.drain() {
            let sum = counts.entry(joined(source, slot, from, to)).or_default();
            sum.0 = sum.0.saturating_add(attempts);
            sum.1 = sum.1.saturating_add(accepted);
        }
        self.counts = counts;
    }
}

/// The key of a slot of level `from`, at level `to`.
fn joined(source: u32, slot: u32, from: u32, to: u32) -> (u32, u32) {
    let slot = slot.checked_shr(to - from).unwrap_or(0);
    if to > ONE_SLOT { (ALL, slot) } else { (source, slot) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(list: impl Iterator<Item = u32>) -> Others {
        let mut others = Others::default();
        list.for_each(|n| {
            others.add(Other { source: n % 1000, second: n.wrapping_mul(1500), is_delivered: n % 2 == 0 });
        });
        others
    }

    #[test]
    fn it_stays_small_and_is_the_same_however_it_was_put_together() {
        let sorted = |others: &Others| {
            let mut entries: Vec<_> = others.entries().collect();
            entries.sort_unstable();
            (others.width(), entries)
        };
        let whole = of(0..300_000);
        assert!(whole.counts.len() <= MOST && whole.width() > 600);
        let mut parts = of((0..300_000).filter(|n| n % 3 == 0));
        parts.append(&mut of((0..300_000).rev().filter(|n| n % 3 == 1)));
        let mut last = of((0..300_000).filter(|n| n % 3 == 2));
        last.append(&mut parts);
        assert_eq!(sorted(&whole), sorted(&last));
        assert_eq!(whole.entries().map(|e| e.2).sum::<u64>(), 300_000);
        assert_eq!(whole.entries().map(|e| e.3).sum::<u64>(), 150_000);
    }

    #[test]
    fn more_sources_than_entries_are_one() {
        let mut others = Others::default();
        for source in 0..70_000 {
            others.add(Other { source, second: 1_770_000_000, is_delivered: true });
        }
        assert_eq!(others.entries().collect::<Vec<_>>(), [(None, 0, 70_000, 70_000)]);
    }
}
