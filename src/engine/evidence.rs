//! All that is known of one sending address: its own summary, and what a second look at the lines finds beside it.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use crate::aggregate::{Counts, Filter, Patterns, Snapshot, SourceRow, Warning};
use crate::attribute::SourceEvidence;
use crate::detect::Onset;
use crate::microsoft::Class;
use crate::record::Time;
use crate::text::escape_controls;

use super::clock::answered_at;
use super::events::Event;
use super::run::Run;
use super::summary::Detected;
use super::visit::{Found, Lessons, Wanted, visit};

/// Of more events only the newest are told.
const EVENTS: usize = 50;
/// Kinds of refusal (datacenter and reply) of which a line is kept.
const KINDS: usize = 256;
/// Names that are told apart.
const NAMES: usize = 64;
/// Longer lines are cut. Bytes.
const LINE: usize = 4000;
/// Sources that are named where the one asked for is not there.
const NEAREST: usize = 5;

/// One sending address.
#[derive(Debug)]
pub struct Evidence {
    pub ip: IpAddr,
    /// The summary of this address alone, with the events of all that sent from it.
    pub summary: Snapshot,
    /// For each of the summary's onsets, by place, its refusals.
    pub events: Vec<EventRefusals>,
    /// Events that are older than those told.
    pub earlier_events: usize,
    /// Name and host that the log gives it, and how often.
    pub names: BTreeMap<(Option<String>, Option<String>), u64>,
    /// How the address is known, and of how many attempts.
    pub known_by: BTreeMap<SourceEvidence, u64>,
    /// By hour (Unix seconds of its begin), `None` for attempts without a stamp.
    pub hours: BTreeMap<Option<i64>, Hour>,
    /// The first and the last refusal, and the first of each kind, by time.
    pub refusals: Vec<Refusal>,
    /// Kinds of which no line was kept.
    pub has_more_kinds: bool,
    /// Attempts of the summary that the second look found.
    pub found: u64,
    /// Attempts at other providers are left out by a filter.
    pub filters_others: bool,
    /// The sources with the most alike addresses, where this one is not there.
    pub nearest: Vec<String>,
    /// Sources without any address.
    pub unnamed: usize,
}

/// What was tried in an hour, at Microsoft and elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hour {
    pub counts: Counts,
    /// Attempts at other providers.
    pub others: u64,
    pub others_delivered: u64,
}

/// A line by which Microsoft can look it up.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub attempt: Event,
    /// As logged, without control characters.
    pub line: String,
    /// By Microsoft's own stamp in the reply.
    pub answered_at: Option<Time>,
    key: (Option<Time>, u64),
}

/// Refusals of one event.
#[derive(Clone, Debug, Default)]
pub struct EventRefusals {
    /// The first of all.
    pub first: Option<Refusal>,
    /// The first with the event's reply.
    pub typical: Option<Refusal>,
}

/// Looks at a finished scan again. `filter` is the run's, or of a run for a screen a narrower one; its sources are
/// replaced by the address.
pub fn evidence(run: &Run, filter: &Filter, ip: IpAddr) -> Evidence {
    let detected = Detected::of(run);
    let all = run.snapshot(&Filter { source: Patterns::default(), ..filter.clone() }, Some(&detected));
    let filter = Filter { source: Patterns::address(ip), ..filter.clone() };
    let mut summary = run.snapshot(&filter, Some(&detected));
    let is_of = |onset: &Onset, row: &SourceRow| {
        (&onset.source_ip, &onset.source_name, &onset.host) == (&row.source_ip, &row.source_name, &row.host)
    };
    // Also of what the log calls otherwise, where Microsoft saw this address.
    let own = Some(ip.to_string());
    let is_told = |onset: &Onset| match onset.source_ip == own {
        true => summary.onsets.iter().any(|told| told.id == onset.id),
        false => summary.sources.iter().any(|row| is_of(onset, row)),
    };
    let mut onsets: Vec<Onset> = all.onsets.into_iter().filter(is_told).collect();
    let earlier_events = onsets.len().saturating_sub(EVENTS);
    summary.onsets = onsets.split_off(earlier_events);

    let filters_others =
        [&filter.domain, &filter.datacenter, &filter.platform, &filter.reply, &filter.class, &filter.outcome]
            .into_iter()
            .any(|patterns| !patterns.is_empty());
    let mut look = SecondLook::of(&summary.onsets);
    let wanted = Wanted { all: !filters_others, ..Wanted::lines(&filter) };
    let errors = visit(run, &Lessons::of(run), wanted, &mut |found| {
        look.take(found);
        true
    });
    for (path, error) in errors {
        let path = Some(path);
        if summary.warnings.iter().all(|known| !known.is_error || known.path != path) {
            let text = format!("it cannot be read again: {error}");
            summary.warnings.push(Warning { path, text, is_error: true });
        }
    }
    let is_there = summary.totals.counts.attempts > 0 || look.hours.values().any(|hour| hour.others > 0);
    let nearest = if is_there { Vec::new() } else { nearest(&all.sources, ip) };
    Evidence {
        ip,
        events: look.events,
        earlier_events,
        names: look.names,
        known_by: look.known_by,
        found: look.hours.values().map(|hour| hour.counts.attempts).sum(),
        hours: look.hours,
        refusals: listed(look.first, look.last, look.kinds),
        has_more_kinds: look.has_more_kinds,
        filters_others,
        nearest,
        unnamed: all.sources.iter().filter(|row| row.source_ip.is_none()).count(),
        summary,
    }
}

/// What the second look gathers.
#[derive(Default)]
struct SecondLook {
    attempts: u64,
    names: BTreeMap<(Option<String>, Option<String>), u64>,
    known_by: BTreeMap<SourceEvidence, u64>,
    hours: BTreeMap<Option<i64>, Hour>,
    first: Option<Refusal>,
    last: Option<Refusal>,
    kinds: BTreeMap<(Option<String>, String), Refusal>,
    has_more_kinds: bool,
    /// By offset and file of the first line, the events.
    first_lines: HashMap<u64, Vec<(String, usize)>>,
    /// By reply id, the events and their begins.
    replies: HashMap<String, Vec<(Time, usize)>>,
    events: Vec<EventRefusals>,
}

impl SecondLook {
    fn of(onsets: &[Onset]) -> Self {
        let mut look = Self { events: vec![EventRefusals::default(); onsets.len()], ..Self::default() };
        for (at, onset) in onsets.iter().enumerate() {
            if let Some(line) = &onset.first_line {
                look.first_lines.entry(line.offset).or_default().push((line.file.clone(), at));
            }
            look.replies.entry(onset.reply_id.clone()).or_default().push((onset.first_refused, at));
        }
        look
    }

    fn take(&mut self, found: &Found<'_>) {
        let attempt = found.attempt;
        let hour = attempt.time.map(|time| time.seconds.div_euclid(3600) * 3600);
        let hour = self.hours.entry(hour).or_default();
        let class = found.judged.verdict.class;
        if !found.is_microsoft {
            hour.others += 1;
            hour.others_delivered += u64::from(class == Class::Accepted);
            return;
        }
        hour.counts.add(1, attempt.outcome, class);
        *self.known_by.entry(found.source_evidence).or_default() += 1;
        let name = (attempt.source_name.map(escape_controls), attempt.host.map(escape_controls));
        if self.names.len() < NAMES || self.names.contains_key(&name) {
            *self.names.entry(name).or_default() += 1;
        }
        if concerns_sender(class) {
            self.attempts += 1;
            self.refused(found, (attempt.time, self.attempts));
        }
    }

    fn refused(&mut self, found: &Found<'_>, key: (Option<Time>, u64)) {
        let is_earlier = |kept: &Option<Refusal>| kept.as_ref().is_none_or(|kept| key < kept.key);
        if is_earlier(&self.first) {
            self.first = Some(Refusal::of(found, key));
        }
        if self.last.as_ref().is_none_or(|kept| key > kept.key) {
            self.last = Some(Refusal::of(found, key));
        }
        let id = &*found.judged.verdict.id;
        let kind = (found.datacenter.forest.clone(), id.to_owned());
        let is_full = self.kinds.len() >= KINDS;
        match self.kinds.entry(kind) {
            Entry::Occupied(mut kept) if key < kept.get().key => {
                kept.insert(Refusal::of(found, key));
            }
            Entry::Occupied(_) => {}
            Entry::Vacant(_) if is_full => self.has_more_kinds = true,
            Entry::Vacant(free) => {
                free.insert(Refusal::of(found, key));
            }
        }
        for (file, at) in self.first_lines.get(&found.offset).into_iter().flatten() {
            if **file == *found.input.name && is_earlier(&self.events[*at].first) {
                self.events[*at].first = Some(Refusal::of(found, key));
            }
        }
        for (begin, at) in self.replies.get(id).into_iter().flatten() {
            let is_in = found.attempt.time.is_some_and(|time| time.seconds >= begin.seconds);
            if is_in && is_earlier(&self.events[*at].typical) {
                self.events[*at].typical = Some(Refusal::of(found, key));
            }
        }
    }
}

/// Whether a reply speaks of the sender, and not of a recipient or one message.
fn concerns_sender(class: Class) -> bool {
    class.is_block() || class.is_throttle() || class.is_authentication()
}

impl Refusal {
    fn of(found: &Found<'_>, key: (Option<Time>, u64)) -> Self {
        let mut line = escape_controls(&found.line[..found.line.len().min(LINE)]);
        if found.line.len() > LINE {
            line.push_str(" …");
        }
        let attempt = Event::of(found);
        let answered_at = attempt.reply.as_ref().and_then(|reply| answered_at(reply.as_bytes()));
        Self { answered_at: answered_at.map(Time::from_seconds), line, attempt, key }
    }
}

/// Each line once, by time.
fn listed(
    first: Option<Refusal>,
    last: Option<Refusal>,
    kinds: BTreeMap<(Option<String>, String), Refusal>,
) -> Vec<Refusal> {
    let mut all: Vec<Refusal> = kinds.into_values().chain(first).chain(last).collect();
    all.sort_by_key(|refusal| refusal.key);
    all.dedup_by_key(|refusal| refusal.key);
    all
}

/// The sources whose addresses are next to this one.
fn nearest(sources: &[SourceRow], ip: IpAddr) -> Vec<String> {
    let mut rows: Vec<(u128, IpAddr)> = sources
        .iter()
        .filter_map(|row| row.source_ip.as_ref()?.parse().ok())
        .map(|other| (distance(ip, other), other))
        .collect();
    rows.sort_unstable();
    rows.dedup();
    rows.into_iter().take(NEAREST).map(|(_, other)| other.to_string()).collect()
}

fn distance(a: IpAddr, b: IpAddr) -> u128 {
    match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => a.to_bits().abs_diff(b.to_bits()).into(),
        (IpAddr::V6(a), IpAddr::V6(b)) => a.to_bits().abs_diff(b.to_bits()),
        _ => u128::MAX,
    }
}
