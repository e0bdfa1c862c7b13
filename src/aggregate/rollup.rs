//! Tables -> rows: what the whole input teaches is applied here, and the filter.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::hash::Hash;
use std::net::IpAddr;

use foldhash::HashMap;

use super::filter::Filter;
use super::names::{Belongs, Identity, NameTables, SourceKey, VerdictKey};
use super::snapshot::{Bucket, Counts, DatacenterRow, DomainRow, ReplyRow, Series, SourceRow, Status, Trend};
use super::tables::{Cell, CellKey, NO_TIME, PackedTime, Rows, Tables};
use crate::attribute::known_as;
use crate::microsoft::{Catalogue, Class, Platform};
use crate::record::{Outcome, Time};

/// What other lines teach.
#[derive(Debug, Default)]
pub struct Learned {
    /// The address behind a source that the log only names: all its refusals that quote one quote this one.
    pub addresses: HashMap<Identity, IpAddr>,
    /// Names whose refusals quote several addresses: left alone, and said.
    pub ambiguous: BTreeMap<Identity, BTreeSet<IpAddr>>,
    /// Mapped or logged addresses that Microsoft contradicts, with what it quotes.
    pub contradictions: BTreeMap<Identity, BTreeSet<IpAddr>>,
    /// By relay address, the id of a place in the one forest that all its tags name.
    pub forests: HashMap<IpAddr, u32>,
    /// Recipient domains for which Microsoft refused mail.
    pub domains: BTreeSet<u32>,
    /// When Microsoft first quoted a source's address.
    pub quoted_since: HashMap<Identity, i64>,
    /// What each source is called.
    pub labels: HashMap<Identity, Label>,
}

/// How a source is written: address, the name that most of its attempts go by, and its host where no address is
/// known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Label {
    pub ip: Option<String>,
    pub name: Option<String>,
    pub host: Option<String>,
}

impl Learned {
    /// The address to show for a source: Microsoft's word beats a private address of the log.
    pub fn address(&self, identity: &Identity) -> Option<IpAddr> {
        let logged = match identity {
            Identity::Ip(ip) => Some(*ip),
            Identity::Name { .. } => None,
        };
        self.addresses.get(identity).copied().or(logged)
    }

    fn label(&mut self, by_name: BTreeMap<Identity, BTreeMap<Option<Box<str>>, u64>>) {
        for (identity, names) in by_name {
            let ip = self.address(&identity);
            let host = match (&identity, ip) {
                (Identity::Name { host, .. }, None) => host.as_deref().map(str::to_owned),
                _ => None,
            };
            let name = most_frequent(names.into_iter()).flatten().map(Into::into);
            self.labels.insert(identity, Label { ip: ip.map(|ip| ip.to_string()), name, host });
        }
    }
}

/// Reads from the tables what single lines do not tell.
pub fn learn(tables: &Tables, names: &NameTables) -> Learned {
    let mut learned = Learned::default();
    let mut quoted: BTreeMap<Identity, BTreeSet<IpAddr>> = BTreeMap::new();
    let mut forests: HashMap<IpAddr, Option<u32>> = HashMap::default();
    let mut attempts = vec![0; names.sources.values().len()];
    for (key, cell) in tables.cells(Rows::Sources) {
        attempts[key.source as usize] += cell.count;
        if let Some(ip) = names.quoted.values()[key.quoted as usize] {
            let source = &names.sources.values()[key.source as usize];
            quoted.entry(source.identity()).or_default().insert(ip);
            if let Some((first, _)) = cell.range() {
                let since = learned.quoted_since.entry(source.identity()).or_insert(i64::MAX);
                *since = first.seconds.min(*since);
            }
        }
    }
    for (key, _) in tables.cells(Rows::Datacenters) {
        let place = &names.places.values()[key.place as usize];
        if let (Some(forest), Some(_), Some(ip)) =
            (&place.forest, &place.host, names.relays.values()[key.relay as usize])
        {
            let known = forests.entry(ip).or_insert(Some(key.place));
            if known.is_some_and(|id| names.places.values()[id as usize].forest.as_ref() != Some(forest)) {
                *known = None;
            }
        }
    }
    for (key, _) in tables.cells(Rows::Domains) {
        let verdict = &names.verdicts.values()[key.verdict as usize];
        let refused = !matches!(verdict.class, Class::Accepted | Class::Connection);
        if refused && verdict.belongs == Belongs::Microsoft && key.domain != 0 {
            learned.domains.insert(key.domain);
        }
    }
    learned.forests = forests.into_iter().filter_map(|(ip, place)| Some((ip, place?))).collect();
    for (identity, ips) in quoted {
        match (&identity, ips.len()) {
            (Identity::Ip(ip), _) if crate::microsoft::is_public(*ip) => {
                if !ips.contains(ip) {
                    learned.contradictions.insert(identity, ips);
                }
            }
            (_, 1) => {
                learned.addresses.extend(ips.first().map(|ip| (identity, *ip)));
            }
            _ => {
                learned.ambiguous.insert(identity, ips);
            }
        }
    }
    let mut by_name: BTreeMap<Identity, BTreeMap<Option<Box<str>>, u64>> = BTreeMap::new();
    for (source, count) in names.sources.values().iter().zip(attempts).filter(|(_, count)| *count > 0) {
        *by_name.entry(source.identity()).or_default().entry(source.name.clone()).or_default() += count;
    }
    learned.label(by_name);
    learned
}

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

/// Which ids a filter lets through.
struct Allowed {
    sources: Vec<bool>,
    domains: Vec<bool>,
    senders: Vec<bool>,
    places: Vec<bool>,
    quoted_sources: bool,
    verdicts: Vec<bool>,
}

impl Allowed {
    fn new(filter: &Filter, names: &NameTables, learned: &Learned) -> Self {
        let source = |key: &SourceKey| {
            if filter.source.is_empty() {
                return true;
            }
            let label = learned.address(&key.identity()).map(|ip| ip.to_string());
            let [name, front] = key.name.as_deref().map_or([None; 2], known_as);
            filter.source.matches([label.as_deref(), name, front, key.host.as_deref()].into_iter().flatten())
        };
        let verdict = |key: &VerdictKey| {
            let belongs = key.platform.name();
            filter.platform.matches([belongs].into_iter())
                && filter.reply.matches(
                    reply_names(&key.reply_id, key.smtp_code, key.enhanced).iter().map(String::as_str),
                )
                && filter.class.matches([key.class.name()].into_iter())
                && filter.outcome.matches([key.outcome.name()].into_iter())
        };
        Self {
            sources: names.sources.values().iter().map(source).collect(),
            domains: names
                .domains
                .values()
                .iter()
                .map(|d| filter.domain.matches(d.iter().map(|d| &**d)))
                .collect(),
            senders: names
                .senders
                .values()
                .iter()
                .map(|s| filter.sender_domain.matches(s.iter().map(|s| &**s)))
                .collect(),
            places: names
                .places
                .values()
                .iter()
                .map(|p| {
                    let parts = [p.host.as_deref(), p.site.as_deref(), p.forest.as_deref()];
                    filter.datacenter.matches(parts.into_iter().flatten())
                })
                .collect(),
            quoted_sources: !filter.source.is_empty(),
            verdicts: names.verdicts.values().iter().map(verdict).collect(),
        }
    }
}

/// What `--reply` looks at: the catalogue's id and the codes, one by one and together.
pub fn reply_names(id: &str, smtp_code: Option<u16>, enhanced: Option<impl Display>) -> Vec<String> {
    let code = smtp_code.map(|code| code.to_string());
    let enhanced = enhanced.map(|enhanced| enhanced.to_string());
    let both = code.as_ref().zip(enhanced.as_ref()).map(|(code, enhanced)| format!("{code} {enhanced}"));
    [Some(id.to_owned()), code, enhanced, both].into_iter().flatten().collect()
}

/// Counts of a row, with its times.
#[derive(Clone, Copy, Default)]
struct Sum {
    counts: Counts,
    trend: Trend,
    last_attempt: Option<PackedTime>,
    last_accepted: Option<PackedTime>,
}

/// Counts of a forest, with what is known of it.
#[derive(Default)]
struct ForestSum {
    counts: Counts,
    trend: Trend,
    buckets: BTreeMap<i32, Bucket>,
    learned: u64,
    sites: BTreeSet<Box<str>>,
    region: Option<Box<str>>,
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
    fn count(&mut self, count: u64, verdict: &VerdictKey) {
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

/// Counts of a domain, and by platform.
#[derive(Default)]
struct DomainSum {
    counts: Counts,
    trend: Trend,
    platforms: [u64; Platform::ALL.len()],
}

/// The time that the trends are told for: first bucket and number of buckets of what the tables hold in a range.
#[derive(Clone, Copy)]
struct TrendRange {
    first: i64,
    all: usize,
}

impl TrendRange {
    /// `None` where time is not kept.
    fn new(tables: &Tables, filter: &Filter) -> Option<Self> {
        let width = tables.width_s()?;
        let buckets = tables
            .cells(Rows::Sources)
            .filter(|(key, _)| key.bucket != NO_TIME && in_range(key, Some(width), filter))
            .map(|(key, _)| i64::from(key.bucket));
        let (first, last) =
            buckets.fold((i64::MAX, i64::MIN), |(first, last), at| (first.min(at), last.max(at)));
        (first <= last).then(|| Self { first, all: (last - first + 1) as usize })
    }
}

impl Trend {
    /// Adds a cell's attempts.
    fn count(&mut self, range: Option<TrendRange>, key: &CellKey, count: u64, verdict: &VerdictKey) {
        if let Some(TrendRange { first, all }) = range.filter(|_| key.bucket != NO_TIME) {
            let at = (i64::from(key.bucket) - first) as usize;
            let blocked = if verdict.class.is_block() { count } else { 0 };
            self.add(Self::parts(at, all), count, blocked);
        }
    }
}

/// By id, in which row it is counted: several ids may share one.
struct Grouped<K> {
    rows: Vec<u32>,
    keys: Vec<K>,
}

impl<K: Clone + Eq + Hash> Grouped<K> {
    fn new(keys_of_ids: impl Iterator<Item = K>) -> Self {
        let mut numbers: HashMap<K, u32> = HashMap::default();
        let mut keys = Vec::new();
        let rows = keys_of_ids.map(|key| {
            *numbers.entry(key).or_insert_with_key(|key| {
                keys.push(key.clone());
                (keys.len() - 1) as u32
            })
        });
        Self { rows: rows.collect(), keys }
    }

    fn sums<S: Default>(&self) -> Vec<S> {
        self.keys.iter().map(|_| S::default()).collect()
    }

    fn of<'s, S>(&self, id: u32, sums: &'s mut [S]) -> &'s mut S {
        &mut sums[self.rows[id as usize] as usize]
    }

    fn with<S>(self, sums: Vec<S>) -> impl Iterator<Item = (K, S)> {
        self.keys.into_iter().zip(sums)
    }
}

/// Makes the rows. The status of the sources is set later, by who knows the onsets.
pub fn roll_up(tables: &Tables, names: &NameTables, learned: &Learned, filter: &Filter) -> Rollup {
    let allowed = Allowed::new(filter, names, learned);
    let by_source = Grouped::new(names.sources.values().iter().map(SourceKey::identity));
    let by_forest = Grouped::new(names.places.values().iter().map(|place| place.forest.clone()));
    let by_reply = Grouped::new(names.verdicts.values().iter().map(ReplyKey::of));
    let relays = names.relays.values().iter();
    let forests: Vec<Option<u32>> = relays.map(|ip| learned.forests.get(ip.as_ref()?).copied()).collect();
    let mut total = Counts::default();
    let mut sources: Vec<Sum> = by_source.sums();
    let mut domains: HashMap<u32, DomainSum> = HashMap::default();
    let mut datacenters: Vec<ForestSum> = by_forest.sums();
    let mut replies: Vec<ReplySum> = by_reply.sums();
    let mut series: BTreeMap<i32, Bucket> = BTreeMap::new();
    let range = TrendRange::new(tables, filter);
    let wanted = |key: &CellKey| {
        let verdict = &names.verdicts.values()[key.verdict as usize];
        let belongs = verdict.belongs == Belongs::Microsoft || learned.domains.contains(&key.domain);
        if !belongs || !in_range(key, tables.width_s(), filter) {
            return None;
        }
        let learned_place = forests[key.relay as usize].filter(|_| may_learn_place(key, names));
        holds(&allowed, filter, key, learned_place, names).then_some((verdict, learned_place))
    };
    for (key, cell) in tables.cells(Rows::Sources) {
        let Some((verdict, _)) = wanted(key) else { continue };
        let count = cell.count;
        total.add(count, verdict.outcome, verdict.class);

        let sum = by_source.of(key.source, &mut sources);
        sum.counts.add(count, verdict.outcome, verdict.class);
        sum.trend.count(range, key, count, verdict);
        let last = cell.times().map(|(_, last)| last);
        sum.last_attempt = sum.last_attempt.max(last);
        if verdict.class == Class::Accepted {
            sum.last_accepted = sum.last_accepted.max(last);
        } else {
            let reply = by_reply.of(key.verdict, &mut replies);
            reply.add(cell, key.verdict);
            reply.trend.count(range, key, count, verdict);
        }
        if tables.width_s().is_some() && key.bucket != NO_TIME {
            series.entry(key.bucket).or_default().count(count, verdict);
        }
    }
    for (key, cell) in tables.cells(Rows::Domains) {
        let Some((verdict, _)) = wanted(key) else { continue };
        let domain = domains.entry(key.domain).or_default();
        domain.counts.add(cell.count, verdict.outcome, verdict.class);
        domain.trend.count(range, key, cell.count, verdict);
        domain.platforms[verdict.platform as usize] += cell.count;
    }
    for (key, cell) in tables.cells(Rows::Datacenters) {
        let Some((verdict, learned_place)) = wanted(key) else { continue };
        let count = cell.count;
        let id = learned_place.unwrap_or(key.place);
        let place = &names.places.values()[id as usize];
        let forest = by_forest.of(id, &mut datacenters);
        forest.counts.add(count, verdict.outcome, verdict.class);
        forest.trend.count(range, key, count, verdict);
        if tables.width_s().is_some() && key.bucket != NO_TIME {
            forest.buckets.entry(key.bucket).or_default().count(count, verdict);
        }
        match learned_place {
            Some(_) => forest.learned += count,
            None if place.forest.is_some() => {
                if let Some(site) = place.site.as_ref().filter(|site| !forest.sites.contains(*site)) {
                    forest.sites.insert(site.clone());
                }
            }
            None => {}
        }
        if forest.region.is_none() && place.forest.is_some() {
            forest.region.clone_from(&place.region);
        }
    }
    Rollup {
        counts: total,
        sources: source_rows(by_source.with(sources).filter(|(_, sum)| sum.counts.attempts > 0), learned),
        domains: domain_rows(domains, names),
        datacenters: datacenter_rows(
            by_forest.with(datacenters).filter(|(_, sum)| sum.counts.attempts > 0),
            tables.width_s().unwrap_or(1),
        ),
        replies: reply_rows(by_reply.with(replies).filter(|(_, sum)| sum.count > 0), tables),
        series: dense(&series, tables.width_s()),
    }
}

/// Where time is kept, a range inside the one that was read counts by whole buckets.
fn in_range(key: &CellKey, width_s: Option<i64>, filter: &Filter) -> bool {
    let Some(width) = width_s else { return true };
    if key.bucket == NO_TIME {
        return filter.holds_time(None);
    }
    let begin = i64::from(key.bucket) * width;
    filter.since.is_none_or(|since| begin + width > since) && filter.until.is_none_or(|until| begin <= until)
}

/// Whether the record itself names no forest: then the place that the relay's address stands for counts.
fn may_learn_place(key: &CellKey, names: &NameTables) -> bool {
    let place = &names.places.values()[key.place as usize];
    // Who greeted may have a name that tells no forest.
    let greeted = || names.verdicts.values()[key.verdict as usize].class == Class::Accepted;
    place.forest.is_none() && (place.host.is_none() || greeted())
}

fn holds(
    allowed: &Allowed,
    filter: &Filter,
    key: &CellKey,
    learned_place: Option<u32>,
    names: &NameTables,
) -> bool {
    let source = allowed.sources[key.source as usize]
        || allowed.quoted_sources
            && names.quoted.values()[key.quoted as usize]
                .is_some_and(|ip| filter.source.matches([ip.to_string().as_str()].into_iter()));
    let place = match learned_place {
        None => allowed.places[key.place as usize],
        // Of a learned place only the forest is known, not the machine.
        Some(id) => {
            let forest = names.places.values()[id as usize].forest.as_deref();
            filter.datacenter.matches(forest.into_iter())
        }
    };
    let sender = filter.sender_domain.is_empty() || allowed.senders[names.sender(key.sender) as usize];
    source
        && place
        && sender
        && allowed.domains[key.domain as usize]
        && allowed.verdicts[key.verdict as usize]
}

fn source_rows(sources: impl Iterator<Item = (Identity, Sum)>, learned: &Learned) -> Vec<SourceRow> {
    let mut sources: Vec<_> = sources.collect();
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

fn domain_rows(domains: HashMap<u32, DomainSum>, names: &NameTables) -> Vec<DomainRow> {
    let mut rows: Vec<DomainRow> = domains
        .into_iter()
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

/// The key with the largest count; of equals the first.
fn most_frequent<K>(counts: impl Iterator<Item = (K, u64)>) -> Option<K> {
    let mut best: Option<(K, u64)> = None;
    for (key, count) in counts {
        if best.as_ref().is_none_or(|(_, most)| count > *most) {
            best = Some((key, count));
        }
    }
    best.map(|(key, _)| key)
}

fn datacenter_rows(
    datacenters: impl Iterator<Item = (Option<Box<str>>, ForestSum)>,
    width_s: i64,
) -> Vec<DatacenterRow> {
    let mut rows: Vec<DatacenterRow> = datacenters
        .map(|(forest, sum)| DatacenterRow {
            forest: forest.map(Into::into),
            region: sum.region.map(Into::into),
            sites: sum.sites.into_iter().map(Into::into).collect(),
            counts: sum.counts,
            learned: sum.learned,
            trend: sum.trend,
            buckets: sum.buckets.into_iter().map(|(at, b)| (i64::from(at) * width_s, b)).collect(),
        })
        .collect();
    rows.sort_by_cached_key(|r| (most_first(&r.counts), none_last(&r.forest)));
    rows
}

/// One row of `replies`.
#[derive(Clone, PartialEq, Eq, Hash)]
struct ReplyKey {
    id: Box<str>,
    smtp_code: Option<u16>,
    enhanced: Option<crate::record::Enhanced>,
    class: Class,
}

impl ReplyKey {
    fn of(verdict: &VerdictKey) -> Self {
        Self {
            id: verdict.reply_id.clone(),
            smtp_code: verdict.smtp_code,
            enhanced: verdict.enhanced,
            class: verdict.class,
        }
    }
}

#[derive(Default)]
struct ReplySum {
    count: u64,
    trend: Trend,
    first: Option<PackedTime>,
    last: Option<PackedTime>,
    verdicts: BTreeSet<u32>,
}

impl ReplySum {
    fn add(&mut self, cell: &Cell, verdict: u32) {
        self.count += cell.count;
        self.verdicts.insert(verdict);
        if let Some((first, last)) = cell.times() {
            self.first = Some(self.first.map_or(first, |f| f.min(first)));
            self.last = self.last.max(Some(last));
        }
    }
}

fn reply_rows(replies: impl Iterator<Item = (ReplyKey, ReplySum)>, tables: &Tables) -> Vec<ReplyRow> {
    let examples: HashMap<u32, _> = tables.examples().collect();
    let mut rows: Vec<ReplyRow> = replies
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

/// Fills the holes between the buckets; a range of absurd length (stamps of other centuries) is cut at its end.
fn dense(series: &BTreeMap<i32, Bucket>, width_s: Option<i64>) -> Series {
    const MOST: i64 = 200_000;
    let (Some(width_s), Some((first, _)), Some((last, _))) =
        (width_s, series.first_key_value(), series.last_key_value())
    else {
        return Series::default();
    };
    let from = i64::from(*first).max(i64::from(*last) - MOST);
    let mut buckets = vec![Bucket::default(); (i64::from(*last) - from + 1) as usize];
    for (at, bucket) in series {
        if let Ok(i) = usize::try_from(i64::from(*at) - from) {
            buckets[i] = *bucket;
        }
    }
    Series { start: from * width_s, width_s, buckets }
}

/// Sorts by `blocked`, then `attempts`, descending.
fn most_first(counts: &Counts) -> (std::cmp::Reverse<u64>, std::cmp::Reverse<u64>) {
    (std::cmp::Reverse(counts.blocked), std::cmp::Reverse(counts.attempts))
}

/// Sorts `None` behind every value.
fn none_last<T: Clone>(value: &Option<T>) -> (bool, Option<T>) {
    (value.is_none(), value.clone())
}
