//! Tables -> rows: what the whole input teaches is applied here, and the filter.

use std::hash::Hash;
use std::ops::Range;

use foldhash::HashMap;

use super::allowed::Allowed;
use super::filter::Filter;
use super::learned::Learned;
use super::names::{Identity, NameTables, SourceKey, VerdictKey};
use super::rows::{
    DomainSum, ForestSum, ReplyKey, ReplySum, SourceSum, datacenter_rows, domain_rows, reply_rows,
    source_rows,
};
use super::snapshot::{Bucket, Counts, DatacenterRow, DomainRow, ReplyRow, Series, SourceRow, Trend};
use super::tables::{Cell, CellKey, Rows, Tables};
use super::timed::Timed;
use crate::microsoft::Class;

/// The rows for one filter.
#[derive(Debug, Default)]
pub struct Rollup {
    pub counts: Counts,
    pub sources: Vec<SourceRow>,
    pub domains: Vec<DomainRow>,
    pub datacenters: Vec<DatacenterRow>,
    pub replies: Vec<ReplyRow>,
    pub series: Series,
}

/// Makes the rows. The status of the sources is set later, by who knows the onsets.
pub fn roll_up(tables: &Tables, names: &NameTables, learned: &Learned, filter: &Filter) -> Rollup {
    let mut sums = Sums::new(names, Allowed::new(filter, names, learned));
    let series = match tables.timed() {
        Some(timed) => sums.add_by_time(timed, filter),
        None => {
            sums.add_by_rows(tables);
            Series::default()
        }
    };
    let Sums { total, sources, domains, datacenters, replies, .. } = sums;
    Rollup {
        counts: total,
        sources: source_rows(sources.into_iter(), learned),
        domains: domain_rows(domains.sums.into_iter(), names),
        datacenters: datacenter_rows(datacenters.into_iter(), tables.timed().map_or(1, Timed::width_s)),
        replies: reply_rows(replies.into_iter(), tables),
        series,
    }
}

/// A chart of more is cut at its begin: stamps of other centuries make absurd ones.
const MOST_BUCKETS: usize = 200_000;

/// By id, in which row it is counted: several ids may share one.
struct Grouped<K, S> {
    rows: Vec<u32>,
    keys: Vec<K>,
    sums: Vec<S>,
}

impl<K: Clone + Eq + Hash, S: Default> Grouped<K, S> {
    fn new(keys_of_ids: impl Iterator<Item = K>) -> Self {
        let mut numbers: HashMap<K, u32> = HashMap::default();
        let mut keys = Vec::new();
        let rows = keys_of_ids.map(|key| {
            *numbers.entry(key).or_insert_with_key(|key| {
                keys.push(key.clone());
                (keys.len() - 1) as u32
            })
        });
        let rows = rows.collect();
        let sums = keys.iter().map(|_| S::default()).collect();
        Self { rows, keys, sums }
    }

    fn row(&self, id: u32) -> u32 {
        self.rows[id as usize]
    }

    fn sum(&mut self, row: u32) -> &mut S {
        &mut self.sums[row as usize]
    }

    fn into_iter(self) -> impl Iterator<Item = (K, S)> {
        self.keys.into_iter().zip(self.sums)
    }
}

/// Rows of domains. There may be many, and a filter may leave few of them.
struct ByDomain {
    /// By domain, its row, or the greatest number.
    rows: Vec<u32>,
    sums: Vec<(u32, DomainSum)>,
}

impl ByDomain {
    fn row(&mut self, id: u32) -> u32 {
        let row = &mut self.rows[id as usize];
        if *row == u32::MAX {
            *row = self.sums.len() as u32;
            self.sums.push((id, DomainSum::default()));
        }
        *row
    }

    fn sum(&mut self, row: u32) -> &mut DomainSum {
        &mut self.sums[row as usize].1
    }
}

/// The rows in which a key's attempts are counted. Small, for there is one for each combination of ids.
#[derive(Clone, Copy)]
struct Target {
    source: u32,
    domain: u32,
    datacenter: u32,
    /// Id of the verdict.
    verdict: u32,
}

struct Sums<'n> {
    names: &'n NameTables,
    allowed: Allowed<'n>,
    total: Counts,
    sources: Grouped<Identity, SourceSum>,
    domains: ByDomain,
    datacenters: Grouped<Option<Box<str>>, ForestSum>,
    replies: Grouped<ReplyKey, ReplySum>,
}

impl<'n> Sums<'n> {
    fn new(names: &'n NameTables, allowed: Allowed<'n>) -> Self {
        Self {
            names,
            allowed,
            total: Counts::default(),
            sources: Grouped::new(names.sources.values().iter().map(SourceKey::identity)),
            domains: ByDomain { rows: vec![u32::MAX; names.domains.values().len()], sums: Vec::new() },
            datacenters: Grouped::new(names.places.values().iter().map(|place| place.forest.clone())),
            replies: Grouped::new(names.verdicts.values().iter().map(ReplyKey::of)),
        }
    }

    /// `None`: the filter does not let it through.
    fn target(&mut self, key: &CellKey) -> Option<Target> {
        let (place, _) = self.allowed.look(key)?;
        Some(Target {
            source: self.sources.row(key.source),
            domain: self.domains.row(key.domain),
            datacenter: self.datacenters.row(place),
            verdict: key.verdict,
        })
    }

    fn verdict(&self, target: Target) -> &'n VerdictKey {
        &self.names.verdicts.values()[target.verdict as usize]
    }

    /// Where it is shown which replies there were; what was accepted is none.
    fn reply(&mut self, target: Target) -> Option<&mut ReplySum> {
        let is_shown = self.verdict(target).class != Class::Accepted;
        is_shown.then(|| {
            let row = self.replies.row(target.verdict);
            self.replies.sum(row)
        })
    }

    /// What a verdict alone tells goes with the sources.
    fn add_source(&mut self, target: Target, cell: &Cell) {
        let verdict = self.verdict(target);
        self.total.add(cell.count, verdict.outcome, verdict.class);
        self.sources.sum(target.source).add(cell, verdict);
        if let Some(reply) = self.reply(target) {
            reply.add(cell, target.verdict);
        }
    }

    fn add_domain(&mut self, target: Target, cell: &Cell) {
        let verdict = self.verdict(target);
        self.domains.sum(target.domain).add(cell, verdict);
    }

    fn add_datacenter(&mut self, key: &CellKey, target: Target, cell: &Cell) {
        let Some((place, is_learned)) = self.allowed.look(key) else { return };
        let (verdict, place) = (self.verdict(target), &self.names.places.values()[place as usize]);
        self.datacenters.sum(target.datacenter).add(cell, verdict, place, is_learned);
    }

    fn add_by_rows(&mut self, tables: &Tables) {
        for (key, cell) in tables.cells(Rows::Sources) {
            if let Some(target) = self.target(key) {
                self.add_source(target, cell);
            }
        }
        for (key, cell) in tables.cells(Rows::Domains) {
            if let Some(target) = self.target(key) {
                self.add_domain(target, cell);
            }
        }
        for (key, cell) in tables.cells(Rows::Datacenters) {
            if let Some(target) = self.target(key) {
                self.add_datacenter(key, target, cell);
            }
        }
    }

    /// Gives the attempts by time.
    fn add_by_time(&mut self, timed: &Timed, filter: &Filter) -> Series {
        let combinations = timed.combinations();
        let targets: Vec<_> = combinations.iter().map(|(key, _)| self.target(key)).collect();
        let has_range = filter.since.is_some() || filter.until.is_some();
        for ((key, sum), target) in combinations.iter().zip(&targets) {
            if let Some(target) = target.filter(|_| !has_range) {
                self.add_everywhere(key, target, sum);
            }
        }
        let width = timed.width_s();
        // A range inside the one that was read counts by whole buckets.
        let shares = || timed.shares().filter(|(_, bucket, _)| in_range(*bucket, width, filter));
        // The trends of all rows are of the same time, whatever else the filter says.
        let (mut all, mut shown) = (Stretch::EMPTY, Stretch::EMPTY);
        for (number, bucket, _) in shares() {
            let Some(bucket) = bucket else { continue };
            all.extend(bucket);
            if targets[number as usize].is_some() {
                shown.extend(bucket);
            }
        }
        let shown = shown.last(MOST_BUCKETS);
        let mut series = vec![Bucket::default(); shown.len()];
        let mut parts = (None, 0..0);
        for (number, bucket, cell) in shares() {
            let Some(target) = targets[number as usize] else { continue };
            if has_range {
                self.add_everywhere(combinations.key(number), target, &cell);
            }
            let Some(bucket) = bucket else { continue };
            if parts.0 != Some(bucket) {
                parts = (Some(bucket), Trend::parts(all.index(bucket).unwrap_or(0), all.len()));
            }
            self.add_shape(target, &parts.1, bucket, cell.count);
            if let Some(at) = shown.index(bucket) {
                series[at].count(cell.count, self.verdict(target));
            }
        }
        if series.is_empty() {
            return Series::default();
        }
        Series { start: i64::from(shown.first) * width, width_s: width, buckets: series }
    }

    fn add_everywhere(&mut self, key: &CellKey, target: Target, cell: &Cell) {
        self.add_source(target, cell);
        self.add_domain(target, cell);
        self.add_datacenter(key, target, cell);
    }

    /// Adds the attempts of one bucket, which stands in these parts of the trends.
    fn add_shape(&mut self, target: Target, parts: &Range<usize>, bucket: i32, count: u64) {
        let verdict = self.verdict(target);
        let blocked = if verdict.class.is_block() { count } else { 0 };
        self.sources.sum(target.source).trend.add(parts.clone(), count, blocked);
        self.domains.sum(target.domain).trend.add(parts.clone(), count, blocked);
        let datacenter = self.datacenters.sum(target.datacenter);
        datacenter.trend.add(parts.clone(), count, blocked);
        datacenter.add_at(bucket, count, verdict);
        if let Some(reply) = self.reply(target) {
            reply.trend.add(parts.clone(), count, blocked);
        }
    }
}

/// Buckets from one to another, none where the first is behind the last.
#[derive(Clone, Copy)]
struct Stretch {
    first: i32,
    last: i32,
}

impl Stretch {
    const EMPTY: Self = Self { first: i32::MAX, last: i32::MIN };

    fn extend(&mut self, bucket: i32) {
        self.first = self.first.min(bucket);
        self.last = self.last.max(bucket);
    }

    fn len(self) -> usize {
        usize::try_from(i64::from(self.last) - i64::from(self.first) + 1).unwrap_or(0)
    }

    /// The last ones, so many at most.
    fn last(self, most: usize) -> Self {
        let cut = self.len().saturating_sub(most);
        Self { first: (i64::from(self.first) + cut as i64) as i32, ..self }
    }

    /// Where a bucket stands among them.
    fn index(self, bucket: i32) -> Option<usize> {
        let at = usize::try_from(i64::from(bucket) - i64::from(self.first)).ok()?;
        (at < self.len()).then_some(at)
    }
}

/// Whether a bucket's attempts are of the time that is asked for, at least in part. `None`: they have no time.
fn in_range(bucket: Option<i32>, width_s: i64, filter: &Filter) -> bool {
    let Some(bucket) = bucket else { return filter.holds_time(None) };
    let begin = i64::from(bucket) * width_s;
    filter.since.is_none_or(|since| begin + width_s > since)
        && filter.until.is_none_or(|until| begin <= until)
}
