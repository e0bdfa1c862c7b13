//! Counts by time too, for a screen: its filter may ask for any of the parts of a key together, and for any range.
//!
//! Each combination of ids is kept once, with its sum; what it counts in one bucket of time is a small number beside a
//! few others, in one dense list by time. In most logs nearly every attempt is a bucket of its own: a hash table of them
//! costs several times as much, to fill and to hold.

use super::numbers::push_lean;
use super::tables::{Cell, CellKey, Cells, PackedTime};
use crate::record::Time;

/// Bucket of attempts without a time.
const NO_TIME: i32 = i32::MIN;
/// Widths of the time buckets in seconds, each a multiple of the one before.
const WIDTHS: [i64; 8] = [60, 300, 900, 3600, 3 * 3600, 12 * 3600, 86_400, 7 * 86_400];
/// More shares than this, and time is kept coarser: memory is bounded by the distinct keys.
const MOST_SHARES: usize = 1 << 20;
/// So many are put in order at once, at least.
const FEW: usize = 1 << 14;

/// What one combination counts in one bucket: 20 bytes.
#[derive(Clone, Copy, Debug)]
struct Share {
    bucket: i32,
    combination: u32,
    count: u32,
    /// From the bucket's begin on, in the units of [`PackedTime`].
    first: u32,
    last: u32,
}

impl Share {
    fn key(&self) -> (i32, u32) {
        (self.bucket, self.combination)
    }
}

/// Counts by combination of ids and time.
#[derive(Clone, Debug, Default)]
pub struct Timed {
    /// With all attempts of each.
    combinations: Cells,
    shares: Vec<Share>,
    /// So many of them are in order, and added up where they are of one combination and bucket.
    in_order: usize,
    /// Index into the widths.
    width: usize,
}

impl Timed {
    /// Seconds a bucket.
    pub fn width_s(&self) -> i64 {
        WIDTHS[self.width]
    }

    /// The combinations, with all attempts of each.
    pub(super) fn combinations(&self) -> &Cells {
        &self.combinations
    }

    /// Numbers of combinations, the bucket in units of the width (`None`: attempts without a time) and what they count
    /// there. Mostly in the order of time.
    pub fn shares(&self) -> impl Iterator<Item = (u32, Option<i32>, Cell)> {
        self.shares.iter().map(|share| {
            let (number, count) = (share.combination, share.count.into());
            if share.bucket == NO_TIME {
                return (number, None, Cell { count, ..Cell::EMPTY });
            }
            let begin = self.begin_of(share.bucket);
            let [first, last] = [share.first, share.last].map(|since| PackedTime(begin + i64::from(since)));
            (number, Some(share.bucket), Cell { count, first, last })
        })
    }

    /// Counts one attempt.
    pub fn count(&mut self, key: CellKey, time: Option<Time>) {
        let combination = self.combinations.add(&key, &Cell::of(time));
        let bucket = time.map_or(NO_TIME, |time| bucket_of(time.seconds, self.width_s()));
        let since = time.map_or(0, |time| PackedTime::from(time).0 - self.begin_of(bucket));
        // Only a year beyond the last bucket is further away.
        let since = u32::try_from(since).unwrap_or(u32::MAX);
        push_lean(&mut self.shares, Share { bucket, combination, count: 1, first: since, last: since });
        self.tidy();
    }

    /// Adds another part's counts.
    pub fn merge(&mut self, mut other: Self) {
        while self.width < other.width && self.coarsen() {}
        while other.width < self.width && other.coarsen() {}
        let numbers = self.combinations.merge(&other.combinations);
        for share in other.shares {
            push_lean(&mut self.shares, Share { combination: numbers[share.combination as usize], ..share });
        }
        self.tidy();
    }

    /// Puts all in order, and keeps time as coarse as that many need: how the parts came plays no part in it.
    pub fn settle(&mut self) {
        self.put_in_order();
        while self.shares.len() > MOST_SHARES && self.coarsen() {}
    }

    /// The begin of a bucket in the units of [`PackedTime`].
    fn begin_of(&self, bucket: i32) -> i64 {
        PackedTime::from(Time::from_seconds(i64::from(bucket) * self.width_s())).0
    }

    /// Puts what is new in order where there is enough of it.
    fn tidy(&mut self) {
        if self.shares.len() - self.in_order > FEW.max(self.in_order / 8) {
            self.settle();
        }
    }

    /// Sorts, and adds up what is of one combination and bucket. Logs are read in the order of time, nearly: only what
    /// is later than the first that is new has to be looked at.
    fn put_in_order(&mut self) {
        let new = &mut self.shares[self.in_order..];
        let Some(first) = new.iter().map(Share::key).min() else { return };
        let from = self.shares[..self.in_order].partition_point(|share| share.key() < first);
        self.shares[from..].sort_unstable_by_key(Share::key);
        let mut kept = from;
        for at in from..self.shares.len() {
            let share = self.shares[at];
            match self.shares[..kept].last_mut().filter(|last| last.key() == share.key() && kept > from) {
                Some(last) if last.count.checked_add(share.count).is_some() => {
                    last.count += share.count;
                    last.first = last.first.min(share.first);
                    last.last = last.last.max(share.last);
                }
                _ => {
                    self.shares[kept] = share;
                    kept += 1;
                }
            }
        }
        self.shares.truncate(kept);
        self.in_order = kept;
    }

    /// Goes to the next wider bucket; false where there is none.
    fn coarsen(&mut self) -> bool {
        let Some(wider) = WIDTHS.get(self.width + 1) else { return false };
        let factor = (wider / self.width_s()) as i32;
        let unit = self.begin_of(1);
        self.width += 1;
        for share in self.shares.iter_mut().filter(|share| share.bucket != NO_TIME) {
            let later = (i64::from(share.bucket.rem_euclid(factor)) * unit) as u32;
            share.bucket = share.bucket.div_euclid(factor);
            share.first = share.first.saturating_add(later);
            share.last = share.last.saturating_add(later);
        }
        self.in_order = 0;
        self.put_in_order();
        true
    }
}

fn bucket_of(seconds: i64, width: i64) -> i32 {
    seconds.div_euclid(width).clamp(i64::from(NO_TIME) + 1, i64::from(i32::MAX)) as i32
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn key(source: u32) -> CellKey {
        CellKey { source, domain: 0, sender: 0, relay: 0, place: 0, quoted: 0, verdict: 1 }
    }

    /// By source and bucket: count, first and last.
    type Content = BTreeMap<(u32, Option<i32>), (u64, Option<(Time, Time)>)>;

    fn content(timed: &Timed) -> Content {
        let mut all: BTreeMap<_, Cell> = BTreeMap::new();
        for (number, bucket, cell) in timed.shares() {
            let source = timed.combinations.key(number).source;
            all.entry((source, bucket)).or_insert(Cell::EMPTY).add(&cell);
        }
        all.into_iter().map(|(at, cell)| (at, (cell.count, cell.range()))).collect()
    }

    /// The same by looking at each attempt.
    fn naive(attempts: &[(u32, Option<i64>)], width: i64) -> Content {
        let mut all = Content::new();
        for (source, second) in attempts {
            let time = second.map(Time::from_seconds);
            let bucket = second.map(|second| second.div_euclid(width) as i32);
            let (count, range) = all.entry((*source, bucket)).or_default();
            *count += 1;
            *range = time.map(|t| range.map_or((t, t), |(first, last)| (first.min(t), last.max(t))));
        }
        all
    }

    proptest! {
        #[test]
        fn each_bucket_holds_what_a_look_at_each_attempt_finds(
            attempts in proptest::collection::vec((0u32..5, proptest::option::of(-90_000i64..90_000)), 0..200),
            cut in 0usize..200, again in 0usize..200,
        ) {
            let mut parts = [Timed::default(), Timed::default()];
            for (i, (source, second)) in attempts.iter().enumerate() {
                let part = &mut parts[usize::from(i >= cut)];
                part.count(key(*source), second.map(Time::from_seconds));
                if i == again {
                    part.put_in_order();
                }
            }
            let [mut whole, second] = parts;
            whole.merge(second);
            whole.put_in_order();
            prop_assert_eq!(content(&whole), naive(&attempts, 60));
            let mut sums = naive(&attempts, i64::MAX).into_iter().fold(BTreeMap::new(), |mut sums, ((source, _), (count, _))| {
                *sums.entry(source).or_insert(0) += count;
                sums
            });
            for (key, sum) in whole.combinations().iter() {
                prop_assert_eq!(sums.remove(&key.source), Some(sum.count));
            }
            prop_assert!(sums.is_empty());
            let mut other = Timed::default();
            other.coarsen();
            whole.merge(other);
            prop_assert_eq!(content(&whole), naive(&attempts, 300));
            while whole.coarsen() {}
            prop_assert_eq!(content(&whole), naive(&attempts, 7 * 86_400));
        }
    }
}
