//! Mergeable tables: the same sum in whatever order and however cut the parts come.

use std::hash::{Hash, Hasher};

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::filter::Filter;
use crate::record::Time;

/// What is counted together. Ids are those of [`super::NameTables`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CellKey {
    /// Begin of the time bucket in units of the width; 0 where time is not kept, [`NO_TIME`] without a stamp.
    pub bucket: i32,
    pub source: u32,
    pub domain: u32,
    /// 0 unless a filter asks for it.
    pub sender: u32,
    pub relay: u32,
    pub place: u32,
    pub quoted: u32,
    pub verdict: u32,
}

/// Four numbers, not eight: each attempt is looked up three times.
impl Hash for CellKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let pairs = [
            (self.source, self.domain),
            (self.verdict, self.place),
            (self.relay, self.quoted),
            (self.sender, self.bucket as u32),
        ];
        for (high, low) in pairs {
            state.write_u64(u64::from(high) << 32 | u64::from(low));
        }
    }
}

/// Bucket of attempts without a time.
pub const NO_TIME: i32 = i32::MIN;

/// A time and whether it has milliseconds, in one number that orders like the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PackedTime(i64);

impl From<Time> for PackedTime {
    fn from(time: Time) -> Self {
        let millis = time.seconds * 1000 + i64::from(time.millis.unwrap_or(0));
        Self(millis << 1 | i64::from(time.millis.is_some()))
    }
}

impl From<PackedTime> for Time {
    fn from(packed: PackedTime) -> Self {
        let millis = packed.0 >> 1;
        Self {
            seconds: millis.div_euclid(1000),
            millis: (packed.0 & 1 == 1).then(|| millis.rem_euclid(1000) as u16),
        }
    }
}

/// After all times.
const NEVER: PackedTime = PackedTime(i64::MAX);

/// How often, and between when.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    pub count: u64,
    /// `first > last` where no attempt had a time.
    pub first: PackedTime,
    pub last: PackedTime,
}

impl Cell {
    const EMPTY: Self = Self { count: 0, first: NEVER, last: PackedTime(i64::MIN) };

    /// First and last time, where there is one.
    pub fn range(&self) -> Option<(Time, Time)> {
        self.times().map(|(first, last)| (first.into(), last.into()))
    }

    /// The same as numbers.
    pub fn times(&self) -> Option<(PackedTime, PackedTime)> {
        (self.first <= self.last).then_some((self.first, self.last))
    }

    fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }
}

/// The first reply of a kind in the order of the inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    pub input: u32,
    pub offset: u64,
    pub text: Box<[u8]>,
}

/// Longer examples are cut.
const EXAMPLE_BYTES: usize = 2000;

/// Widths of the time buckets in seconds, each a multiple of the one before.
const WIDTHS: [i64; 8] = [60, 300, 900, 3600, 3 * 3600, 12 * 3600, 86_400, 7 * 86_400];
/// More cells than this, and time is kept coarser: memory is bounded by the distinct keys.
const MAX_CELLS: usize = 1 << 20;

/// Whether attempts are counted by time too (the screen needs it, a summary does not).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeBuckets {
    None,
    /// Index into the widths.
    Width(usize),
}

/// Whose rows are made of some cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// Sources, and whatever a verdict alone tells.
    Sources,
    Domains,
    Datacenters,
}

/// Which parts of a key are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kept {
    /// Source, and what Microsoft calls it.
    source: bool,
    domain: bool,
    /// Place and relay.
    place: bool,
}

impl Kept {
    /// Where the filter may change, or time is kept too: one table for all rows.
    const ALL: [Self; 1] = [Self { source: true, domain: true, place: true }];

    /// For each kind of row what it is about, and what the filter looks at.
    fn for_rows(filter: &Filter) -> [Self; 3] {
        let asked = Self {
            source: !filter.source.is_empty(),
            domain: !filter.domain.is_empty(),
            place: !filter.datacenter.is_empty(),
        };
        [Self { source: true, ..asked }, Self { domain: true, ..asked }, Self { place: true, ..asked }]
    }

    /// The domain decides whether an attempt counts where nothing else tells: then it is kept in any case.
    fn of(self, key: CellKey, is_certain: bool) -> CellKey {
        let kept = |is_kept: bool, id: u32| if is_kept { id } else { 0 };
        CellKey {
            source: kept(self.source, key.source),
            quoted: kept(self.source, key.quoted),
            domain: kept(self.domain || !is_certain, key.domain),
            relay: kept(self.place, key.relay),
            place: kept(self.place, key.place),
            ..key
        }
    }
}

type Cells = HashMap<CellKey, Cell, RandomState>;

/// The counts of a stretch of the input. What no row needs together is counted apart: sources times domains times
/// relays are many, their sum is not.
#[derive(Clone, Debug)]
pub struct Tables {
    /// One for all rows, or one for each kind.
    cells: Vec<(Kept, Cells)>,
    examples: HashMap<u32, Example, RandomState>,
    buckets: TimeBuckets,
}

impl Tables {
    /// `by_time`: for a screen, on which the filter may change. Otherwise the rows must be asked for with this filter.
    pub fn new(by_time: bool, filter: &Filter) -> Self {
        let (buckets, kept) = match by_time {
            true => (TimeBuckets::Width(0), &Kept::ALL[..]),
            false => (TimeBuckets::None, &Kept::for_rows(filter)[..]),
        };
        let cells = kept.iter().map(|kept| (*kept, Cells::default())).collect();
        Self { cells, examples: HashMap::default(), buckets }
    }

    /// Counts one attempt; the key's bucket is set here. `is_certain`: whoever the recipient is.
    pub fn count(&mut self, mut key: CellKey, is_certain: bool, time: Option<Time>) {
        key.bucket = match (self.buckets, time) {
            (TimeBuckets::None, _) => 0,
            (_, None) => NO_TIME,
            (TimeBuckets::Width(i), Some(t)) => bucket_of(t.seconds, WIDTHS[i]),
        };
        let time = time.map(PackedTime::from);
        let one = Cell { count: 1, first: time.unwrap_or(NEVER), last: time.unwrap_or(PackedTime(i64::MIN)) };
        for (kept, cells) in &mut self.cells {
            cells.entry(kept.of(key, is_certain)).or_insert(Cell::EMPTY).add(&one);
        }
        if self.is_full() {
            self.coarsen();
        }
    }

    fn is_full(&self) -> bool {
        self.cells.iter().any(|(_, cells)| cells.len() > MAX_CELLS)
    }

    /// Keeps a reply as the example of its kind, if it comes before the one at hand.
    pub fn example(&mut self, verdict: u32, input: u32, offset: u64, text: &[u8]) {
        let is_first = self.examples.get(&verdict).is_none_or(|e| (input, offset) < (e.input, e.offset));
        if is_first {
            let text = text[..text.len().min(EXAMPLE_BYTES)].into();
            self.examples.insert(verdict, Example { input, offset, text });
        }
    }

    /// Adds another part's counts.
    pub fn merge(&mut self, mut other: Self) {
        while self.width_index() < other.width_index() && self.coarsen() {}
        while other.width_index() < self.width_index() && other.coarsen() {}
        for ((_, cells), (_, other)) in self.cells.iter_mut().zip(&mut other.cells) {
            // Into the larger one, which then grows least.
            if other.len() > cells.len() {
                std::mem::swap(cells, other);
            }
            for (key, cell) in &*other {
                cells.entry(*key).or_insert(Cell::EMPTY).add(cell);
            }
        }
        for (verdict, example) in other.examples {
            self.example(verdict, example.input, example.offset, &example.text);
        }
        while self.is_full() && self.coarsen() {}
    }

    /// What was counted so far, and nothing left.
    pub fn take(&mut self) -> Self {
        let cells = self.cells.iter().map(|(kept, _)| (*kept, Cells::default())).collect();
        let empty = Self { cells, examples: HashMap::default(), buckets: self.buckets };
        std::mem::replace(self, empty)
    }

    /// What these rows are made of. What is not kept for them is 0 in the keys.
    pub fn cells(&self, rows: Rows) -> impl Iterator<Item = (&CellKey, &Cell)> {
        self.cells.get(rows as usize).or(self.cells.first()).into_iter().flat_map(|(_, cells)| cells)
    }

    pub fn examples(&self) -> impl Iterator<Item = (u32, &Example)> {
        self.examples.iter().map(|(id, example)| (*id, example))
    }

    /// Seconds a bucket; `None` where time is not kept.
    pub fn width_s(&self) -> Option<i64> {
        match self.buckets {
            TimeBuckets::None => None,
            TimeBuckets::Width(i) => Some(WIDTHS[i]),
        }
    }

    fn width_index(&self) -> usize {
        match self.buckets {
            TimeBuckets::None => usize::MAX,
            TimeBuckets::Width(i) => i,
        }
    }

    /// Goes to the next wider bucket; false where there is none.
    fn coarsen(&mut self) -> bool {
        let TimeBuckets::Width(i) = self.buckets else { return false };
        let Some(wider) = WIDTHS.get(i + 1) else { return false };
        let factor = (wider / WIDTHS[i]) as i32;
        self.buckets = TimeBuckets::Width(i + 1);
        for (_, cells) in &mut self.cells {
            let mut coarse = Cells::default();
            for (key, cell) in cells.drain() {
                let bucket = if key.bucket == NO_TIME { NO_TIME } else { key.bucket.div_euclid(factor) };
                coarse.entry(CellKey { bucket, ..key }).or_insert(Cell::EMPTY).add(&cell);
            }
            *cells = coarse;
        }
        true
    }
}

fn bucket_of(seconds: i64, width: i64) -> i32 {
    seconds.div_euclid(width).clamp(i64::from(NO_TIME) + 1, i64::from(i32::MAX)) as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(source: u32) -> CellKey {
        CellKey { bucket: 0, source, domain: 0, sender: 0, relay: 0, place: 0, quoted: 0, verdict: 1 }
    }

    fn content(tables: &Tables) -> impl PartialEq + std::fmt::Debug {
        let cells = tables.cells(Rows::Sources);
        let mut all: Vec<_> = cells.map(|(k, c)| (k.bucket, k.source, c.count, c.range())).collect();
        all.sort();
        all
    }

    proptest! {
        #[test]
        fn the_sum_does_not_depend_on_the_cut(
            attempts in proptest::collection::vec((0u32..5, -90_000i64..90_000), 0..200), cut in 0usize..200,
        ) {
            let new = || Tables::new(true, &Filter::default());
            let mut whole = new();
            let mut parts = [new(), new()];
            for (i, (source, second)) in attempts.iter().enumerate() {
                let time = Some(Time::from_seconds(*second));
                whole.count(key(*source), true, time);
                let part = &mut parts[usize::from(i >= cut)];
                part.count(key(*source), true, time);
                part.example(1, 0, i as u64, b"text");
            }
            let [first, mut second] = parts;
            second.coarsen();
            second.merge(first);
            whole.coarsen();
            prop_assert_eq!(content(&second), content(&whole));
            prop_assert!(second.examples().all(|(_, e)| e.offset == 0));
        }
    }
}
