//! Mergeable tables: the same sum in whatever order and however cut the parts come.

use std::hash::{Hash, Hasher};

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::filter::Filter;
use super::numbers::Numbers;
use super::timed::Timed;
use crate::record::Time;

/// What is counted together. Ids are those of [`super::NameTables`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CellKey {
    pub source: u32,
    pub domain: u32,
    /// 0 unless a filter asks for it.
    pub sender: u32,
    pub relay: u32,
    pub place: u32,
    pub quoted: u32,
    pub verdict: u32,
}

/// Four numbers, not seven: each attempt is looked up three times.
impl Hash for CellKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let pairs = [
            (self.source, self.domain),
            (self.verdict, self.place),
            (self.relay, self.quoted),
            (self.sender, 0),
        ];
        for (high, low) in pairs {
            state.write_u64(u64::from(high) << 32 | u64::from(low));
        }
    }
}

/// A time and whether it has milliseconds, in one number that orders like the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PackedTime(pub(super) i64);

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
    pub(super) const EMPTY: Self = Self { count: 0, first: NEVER, last: PackedTime(i64::MIN) };

    /// One attempt.
    pub(super) fn of(time: Option<Time>) -> Self {
        match time.map(PackedTime::from) {
            Some(time) => Self { count: 1, first: time, last: time },
            None => Self { count: 1, ..Self::EMPTY },
        }
    }

    /// First and last time, where there is one.
    pub fn range(&self) -> Option<(Time, Time)> {
        self.times().map(|(first, last)| (first.into(), last.into()))
    }

    /// The same as numbers.
    pub fn times(&self) -> Option<(PackedTime, PackedTime)> {
        (self.first <= self.last).then_some((self.first, self.last))
    }

    pub(super) fn add(&mut self, other: &Self) {
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

/// Keys, numbered as they come, and what each counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Cells {
    list: Vec<(CellKey, Cell)>,
    numbers: Numbers,
    /// By the id that a row is about, the number of the key that was counted last: it mostly comes again.
    latest: Vec<u32>,
}

impl Cells {
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn key(&self, number: u32) -> &CellKey {
        &self.list[number as usize].0
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = (&CellKey, &Cell)> {
        self.list.iter().map(|(key, cell)| (key, cell))
    }

    /// Adds to a key's count; gives its number.
    pub(super) fn add(&mut self, key: &CellKey, cell: &Cell) -> u32 {
        let number = self.numbers.number(&mut self.list, (*key, Cell::EMPTY), |(key, _)| key);
        self.list[number as usize].1.add(cell);
        number
    }

    /// The same, of a row that is about the thing with this id.
    fn add_to_row(&mut self, id: u32, key: &CellKey, cell: &Cell) {
        let latest = self.latest.get(id as usize).and_then(|at| self.list.get_mut(*at as usize));
        if let Some((_, sum)) = latest.filter(|(known, _)| known == key) {
            return sum.add(cell);
        }
        let number = self.add(key, cell);
        if self.latest.len() <= id as usize {
            self.latest.resize(id as usize + 1, u32::MAX);
        }
        self.latest[id as usize] = number;
    }

    /// Adds another part's counts; by number of the other's keys, the own ones.
    pub(super) fn merge(&mut self, other: &Self) -> Vec<u32> {
        other.iter().map(|(key, cell)| self.add(key, cell)).collect()
    }
}

/// The counts of a stretch of the input.
#[derive(Clone, Debug)]
pub struct Tables {
    counts: Counts,
    examples: HashMap<u32, Example, RandomState>,
}

#[derive(Clone, Debug)]
enum Counts {
    /// One for each kind of row: what no row needs together is counted apart, for sources times domains times relays are
    /// many, their sum is not.
    ByRows([(Kept, Cells); 3]),
    /// Where the filter may change: all together, and by time.
    ByTime(Timed),
}

impl Tables {
    /// `by_time`: for a screen, on which the filter may change. Otherwise the rows must be asked for with this filter.
    pub fn new(by_time: bool, filter: &Filter) -> Self {
        let counts = match by_time {
            true => Counts::ByTime(Timed::default()),
            false => Counts::ByRows(Kept::for_rows(filter).map(|kept| (kept, Cells::default()))),
        };
        Self { counts, examples: HashMap::default() }
    }

    /// Counts one attempt. `is_certain`: whoever the recipient is.
    pub fn count(&mut self, key: CellKey, is_certain: bool, time: Option<Time>) {
        match &mut self.counts {
            Counts::ByTime(timed) => timed.count(key, time),
            Counts::ByRows(tables) => {
                let one = Cell::of(time);
                let ids = [key.source, key.domain, key.relay];
                for ((kept, cells), id) in tables.iter_mut().zip(ids) {
                    cells.add_to_row(id, &kept.of(key, is_certain), &one);
                }
            }
        }
    }

    /// Keeps a reply as the example of its kind, if it comes before the one at hand.
    pub fn example(&mut self, verdict: u32, input: u32, offset: u64, text: &[u8]) {
        let is_first = self.examples.get(&verdict).is_none_or(|e| (input, offset) < (e.input, e.offset));
        if is_first {
            let text = text[..text.len().min(EXAMPLE_BYTES)].into();
            self.examples.insert(verdict, Example { input, offset, text });
        }
    }

    /// Adds another part's counts, which were made for the same filter.
    pub fn merge(&mut self, other: Self) {
        match (&mut self.counts, other.counts) {
            (Counts::ByTime(timed), Counts::ByTime(other)) => timed.merge(other),
            (Counts::ByRows(tables), Counts::ByRows(others)) => {
                for ((_, cells), (_, mut other)) in tables.iter_mut().zip(others) {
                    // Into the larger one, which then grows least.
                    if other.len() > cells.len() {
                        std::mem::swap(cells, &mut other);
                    }
                    cells.merge(&other);
                }
            }
            _ => debug_assert!(false, "parts of different runs"),
        }
        for (verdict, example) in other.examples {
            self.example(verdict, example.input, example.offset, &example.text);
        }
    }

    /// All parts are there.
    pub fn settle(&mut self) {
        if let Counts::ByTime(timed) = &mut self.counts {
            timed.settle();
        }
    }

    /// What was counted so far, and nothing left.
    pub fn take(&mut self) -> Self {
        let counts = match &mut self.counts {
            Counts::ByTime(timed) => Counts::ByTime(std::mem::take(timed)),
            Counts::ByRows(tables) => {
                Counts::ByRows(tables.each_mut().map(|(kept, cells)| (*kept, std::mem::take(cells))))
            }
        };
        Self { counts, examples: std::mem::take(&mut self.examples) }
    }

    /// What these rows are made of, whenever it was. What is not kept for them is 0 in the keys.
    pub fn cells(&self, rows: Rows) -> impl ExactSizeIterator<Item = (&CellKey, &Cell)> {
        match &self.counts {
            Counts::ByRows(tables) => tables[rows as usize].1.iter(),
            Counts::ByTime(timed) => timed.combinations().iter(),
        }
    }

    /// The counts by time, where they are kept.
    pub fn timed(&self) -> Option<&Timed> {
        match &self.counts {
            Counts::ByTime(timed) => Some(timed),
            Counts::ByRows(_) => None,
        }
    }

    pub fn examples(&self) -> impl Iterator<Item = (u32, &Example)> {
        self.examples.iter().map(|(id, example)| (*id, example))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn content(tables: &Tables, rows: Rows) -> impl PartialEq + std::fmt::Debug {
        let cells = tables.cells(rows);
        let mut all: Vec<_> = cells.map(|(k, c)| (k.source, k.domain, c.count, c.range())).collect();
        all.sort();
        all
    }

    proptest! {
        #[test]
        fn the_sum_does_not_depend_on_the_cut(
            attempts in proptest::collection::vec((0u32..5, -90_000i64..90_000), 0..200), cut in 0usize..200,
        ) {
            for by_time in [false, true] {
                let new = || Tables::new(by_time, &Filter::default());
                let mut whole = new();
                let mut parts = [new(), new()];
                for (i, (id, second)) in attempts.iter().enumerate() {
                    let (source, domain) = (*id, id / 2);
                    let key = CellKey { source, domain, sender: 0, relay: 0, place: 0, quoted: 0, verdict: 1 };
                    let time = Some(Time::from_seconds(*second));
                    whole.count(key, true, time);
                    let part = &mut parts[usize::from(i >= cut)];
                    part.count(key, true, time);
                    part.example(1, 0, i as u64, b"text");
                }
                let [first, mut second] = parts;
                second.merge(first);
                for rows in [Rows::Sources, Rows::Domains, Rows::Datacenters] {
                    prop_assert_eq!(content(&second, rows), content(&whole, rows));
                }
                prop_assert!(second.examples().all(|(_, e)| e.offset == 0));
            }
        }
    }
}
