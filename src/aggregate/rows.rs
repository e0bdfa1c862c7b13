//! Sums -> rows, in the order in which they are shown.

use std::collections::BTreeSet;

use foldhash::HashMap;

use super::learned::{Learned, most_frequent};
use super::names::{Identity, NameTables, Place, VerdictKey};
use super::snapshot::{Bucket, Counts, DatacenterRow, DomainRow, ReplyRow, SourceRow, Status, Trend};
use super::tables::{Cell, PackedTime, Tables};
use crate::microsoft::{Catalogue, Class, Platform};
use crate::record::{Enhanced, Outcome, Time};

/// Counts of a source, with its times.
#[derive(Clone, Copy, Default)]
pub(super) struct SourceSum {
    counts: Counts,
    pub(super) trend: Trend,
    last_attempt: Option<PackedTime>,
    last_accepted: Option<PackedTime>,
}

/// Counts of a domain, and by platform.
#[derive(Default)]
pub(super) struct DomainSum {
    counts: Counts,
    pub(super) trend: Trend,
    platforms: [u64; Platform::ALL.len()],
}

/// Counts of a forest, with what is known of it.
#[derive(Default)]
pub(super) struct ForestSum {
    counts: Counts,
    pub(super) trend: Trend,
    /// As they came.
    buckets: Vec<(i32, Bucket)>,
    learned: u64,
    sites: BTreeSet<Box<str>>,
    region: Option<Box<str>>,
}

/// Counts of a reply.
#[derive(Default)]
pub(super) struct ReplySum {
    count: u64,
    pub(super) trend: Trend,
    first: Option<PackedTime>,
    last: Option<PackedTime>,
    verdicts: BTreeSet<u32>,
}

impl Counts {
    /// Adds `count` attempts of one kind.
    pub fn add(&mut self, count: u64, outcome: Outcome, class: Class) {
        self.attempts += count;
        match outcome {
            Outcome::Delivered => self.delivered += count,
            Outcome::Deferred => self.deferred += count,
            Outcome::Bounced => self.bounced += count,
        }
        if class.is_block() {
            self.blocked += count;
        }
        if class.is_throttle() {
            self.throttled += count;
        }
    }
}

impl Bucket {
    /// Adds `count` attempts of one kind.
    pub(super) fn count(&mut self, count: u64, verdict: &VerdictKey) {
        if verdict.class.is_block() {
            self.blocked += count;
            return;
        }
        match verdict.outcome {
            Outcome::Delivered => self.delivered += count,
            Outcome::Deferred => self.deferred += count,
            Outcome::Bounced => self.bounced += count,
        }
    }
}

impl SourceSum {
    pub(super) fn add(&mut self, cell: &Cell, verdict: &VerdictKey) {
        self.counts.add(cell.count, verdict.outcome, verdict.class);
        let last = cell.times().map(|(_, last)| last);
        self.last_attempt = self.last_attempt.max(last);
        if verdict.class == Class::Accepted {
            self.last_accepted = self.last_accepted.max(last);
        }
    }
}

impl DomainSum {
    pub(super) fn add(&mut self, cell: &Cell, verdict: &VerdictKey) {
        self.counts.add(cell.count, verdict.outcome, verdict.class);
        self.platforms[verdict.platform as usize] += cell.count;
    }
}

impl ForestSum {
    /// `is_learned`: by the relay's address.
    pub(super) fn add(&mut self, cell: &Cell, verdict: &VerdictKey, place: &Place, is_learned: bool) {
        self.counts.add(cell.count, verdict.outcome, verdict.class);
        if is_learned {
            self.learned += cell.count;
        } else if place.forest.is_some()
            && let Some(site) = place.site.as_ref().filter(|site| !self.sites.contains(*site))
        {
            self.sites.insert(site.clone());
        }
        if self.region.is_none() && place.forest.is_some() {
            self.region.clone_from(&place.region);
        }
    }

    /// Adds attempts of one bucket.
    pub(super) fn add_at(&mut self, bucket: i32, count: u64, verdict: &VerdictKey) {
        if self.buckets.last().is_none_or(|(last, _)| *last != bucket) {
            self.buckets.push((bucket, Bucket::default()));
        }
        if let Some((_, last)) = self.buckets.last_mut() {
            last.count(count, verdict);
        }
    }

    /// By time, each once.
    fn buckets(mut self) -> Vec<(i32, Bucket)> {
        self.buckets.sort_by_key(|(at, _)| *at);
        self.buckets.dedup_by(|(at, bucket), (before, sum)| {
            let is_same = at == before;
            if is_same {
                sum.add(bucket);
            }
            is_same
        });
        self.buckets.shrink_to_fit();
        self.buckets
    }
}

impl ReplySum {
    pub(super) fn add(&mut self, cell: &Cell, verdict: u32) {
        self.count += cell.count;
        self.verdicts.insert(verdict);
        if let Some((first, last)) = cell.times() {
            self.first = Some(self.first.map_or(first, |f| f.min(first)));
            self.last = self.last.max(Some(last));
        }
    }
}

pub(super) fn source_rows(
    sources: impl Iterator<Item = (Identity, SourceSum)>,
    learned: &Learned,
) -> Vec<SourceRow> {
    let mut sources: Vec<_> = sources.filter(|(_, sum)| sum.counts.attempts > 0).collect();
    // Where two are called the same, nothing else tells which comes first.
    sources.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    let mut rows: Vec<SourceRow> = sources
        .into_iter()
        .map(|(identity, sum)| {
            let label = learned.labels.get(&identity).cloned().unwrap_or_default();
            SourceRow {
                source_ip: label.ip,
                source_name: label.name,
                host: label.host,
                status: Status::Clear,
                last_attempt: sum.last_attempt.map(Time::from),
                last_accepted: sum.last_accepted.map(Time::from),
                counts: sum.counts,
                trend: sum.trend,
            }
        })
        .collect();
    rows.sort_by_cached_key(|r| {
        let name = (none_last(&r.source_ip), none_last(&r.source_name), none_last(&r.host));
        (most_first(&r.counts), name)
    });
    rows
}

pub(super) fn domain_rows(
    domains: impl Iterator<Item = (u32, DomainSum)>,
    names: &NameTables,
) -> Vec<DomainRow> {
    let mut rows: Vec<DomainRow> = domains
        .filter(|(_, sum)| sum.counts.attempts > 0)
        .map(|(id, DomainSum { counts, trend, platforms })| {
            let counted = Platform::ALL.into_iter().map(|platform| (platform, platforms[platform as usize]));
            let known = counted.filter(|(platform, count)| *platform != Platform::Unknown && *count > 0);
            let platform = most_frequent(known).unwrap_or(Platform::Unknown);
            let domain = names.domains.values()[id as usize].as_deref().map(str::to_owned);
            DomainRow { domain, platform, counts, trend }
        })
        .collect();
    rows.sort_by_cached_key(|r| (most_first(&r.counts), none_last(&r.domain)));
    rows
}

/// `width_s`: seconds a bucket.
pub(super) fn datacenter_rows(
    datacenters: impl Iterator<Item = (Option<Box<str>>, ForestSum)>,
    width_s: i64,
) -> Vec<DatacenterRow> {
    let mut rows: Vec<DatacenterRow> = datacenters
        .filter(|(_, sum)| sum.counts.attempts > 0)
        .map(|(forest, mut sum)| DatacenterRow {
            forest: forest.map(Into::into),
            region: sum.region.take().map(Into::into),
            sites: std::mem::take(&mut sum.sites).into_iter().map(Into::into).collect(),
            counts: sum.counts,
            learned: sum.learned,
            trend: sum.trend,
            buckets: sum.buckets().into_iter().map(|(at, b)| (i64::from(at) * width_s, b)).collect(),
        })
        .collect();
    rows.sort_by_cached_key(|r| (most_first(&r.counts), none_last(&r.forest)));
    rows
}

/// One row of `replies`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct ReplyKey {
    id: Box<str>,
    smtp_code: Option<u16>,
    enhanced: Option<Enhanced>,
    class: Class,
}

impl ReplyKey {
    pub(super) fn of(verdict: &VerdictKey) -> Self {
        Self {
            id: verdict.reply_id.clone(),
            smtp_code: verdict.smtp_code,
            enhanced: verdict.enhanced,
            class: verdict.class,
        }
    }
}

pub(super) fn reply_rows(
    replies: impl Iterator<Item = (ReplyKey, ReplySum)>,
    tables: &Tables,
) -> Vec<ReplyRow> {
    let examples: HashMap<u32, _> = tables.examples().collect();
    let mut rows: Vec<ReplyRow> = replies
        .filter(|(_, sum)| sum.count > 0)
        .map(|(key, sum)| {
            let example = sum
                .verdicts
                .iter()
                .filter_map(|id| examples.get(id))
                .min_by_key(|e| (e.input, e.offset))
                .map(|e| crate::text::escape_controls(&e.text));
            let entry = Catalogue::active().entry(&key.id);
            ReplyRow {
                smtp_code: key.smtp_code,
                enhanced_code: key.enhanced.map(|e| e.to_string()),
                class: key.class,
                is_block: key.class.is_block(),
                count: sum.count,
                first: sum.first.map(Time::from),
                last: sum.last.map(Time::from),
                example,
                root_cause: entry.map(|e| e.root_cause.clone()),
                fix: entry.map(|e| e.fix.clone()),
                trend: sum.trend,
                reply_id: key.id.into(),
            }
        })
        .collect();
    rows.sort_by(|a, b| {
        (b.count.cmp(&a.count))
            .then_with(|| a.reply_id.cmp(&b.reply_id))
            .then_with(|| none_last(&a.smtp_code).cmp(&none_last(&b.smtp_code)))
            .then_with(|| none_last(&a.enhanced_code).cmp(&none_last(&b.enhanced_code)))
    });
    rows
}

/// Sorts by `blocked`, then `attempts`, descending.
fn most_first(counts: &Counts) -> (std::cmp::Reverse<u64>, std::cmp::Reverse<u64>) {
    (std::cmp::Reverse(counts.blocked), std::cmp::Reverse(counts.attempts))
}

/// Sorts `None` behind every value.
fn none_last<T: Clone>(value: &Option<T>) -> (bool, Option<T>) {
    (value.is_none(), value.clone())
}
