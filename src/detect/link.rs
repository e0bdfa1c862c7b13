//! What stands beside an onset, from several sources: ranges, takeovers, and the reading *yours or theirs*.
//!
//! For an event all that was seen within a day of its start counts; for a line of a live run only what was known at that
//! moment: other events decided in earlier seconds, and volumes of slots that were over. So a line says the same whether
//! the whole file was read or the log was followed.

use std::collections::BTreeMap;
use std::net::IpAddr;

use foldhash::HashMap;

use crate::microsoft::Platform;

use super::event::{Event, Place};
use super::onset::{Family, Reading};
use super::source::{SLOT, Slot, Source};
use super::trial::{Names, SourceNames};
use super::{Detector, HISTORY};

const DAY: i64 = 86_400;
const SLOTS_A_DAY: i64 = DAY / SLOT;
/// Slots after the start that are compared with the time before: the one it began in, and an hour.
const AFTER: i64 = 7;
/// Events within this many seconds of each other count as one wave.
const WAVE: i64 = 900;
/// Fewer own sources than this allow no verdict.
const VERDICT_SOURCES: usize = 3;
/// Fewer attempts than this make no share.
const LEAST: u64 = 10;
/// A share that fell by more has moved.
const MOVED: f64 = 0.1;

/// Attempts, and those that went well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Went {
    attempts: u64,
    well: u64,
}

impl Went {
    /// `None` where too little was tried.
    fn share(self) -> Option<f64> {
        (self.attempts >= LEAST).then(|| self.well as f64 / self.attempts as f64)
    }

    fn words(self) -> String {
        format!("{} of {} ({:.0} %)", self.well, self.attempts, 100.0 * self.share().unwrap_or_default())
    }
}

/// Attempts at other providers, by source and slot of time.
#[derive(Clone, Debug, Default)]
pub struct OtherProviders {
    by_source: HashMap<u32, BTreeMap<i64, Went>>,
    all: BTreeMap<i64, Went>,
}

impl OtherProviders {
    /// Seconds of a slot; they are numbered from 1970 on.
    pub const SLOT: i64 = SLOT;

    /// Counts attempts, and how many of them were accepted. `None`: the source is not told.
    pub fn add(&mut self, source: Option<u32>, slot: i64, attempts: u64, accepted: u64) {
        let own = source.map(|source| self.by_source.entry(source).or_default().entry(slot).or_default());
        for sum in own.into_iter().chain([self.all.entry(slot).or_default()]) {
            sum.attempts += attempts;
            sum.well += accepted;
        }
    }

    /// Forgets what nothing can ask for where everything before `second` is settled.
    pub fn settle(&mut self, second: i64) {
        let first = (second - HISTORY).div_euclid(SLOT);
        for slots in self.by_source.values_mut().chain([&mut self.all]) {
            *slots = slots.split_off(&first);
        }
        self.by_source.retain(|_, slots| !slots.is_empty());
    }

    /// The day before a moment, and the time after it as far as it was over by `known`; of one source, or of all.
    fn around(&self, source: Option<u32>, moment: i64, known: i64) -> (Went, Went) {
        let slots = match source {
            Some(id) => self.by_source.get(&id),
            None => Some(&self.all),
        };
        let sum = |from: i64, until: i64| {
            let range = slots.filter(|_| from < until).map(|slots| slots.range(from..until));
            range.into_iter().flatten().fold(Went::default(), |sum, (_, went)| Went {
                attempts: sum.attempts + went.attempts,
                well: sum.well + went.well,
            })
        };
        let at = moment.div_euclid(SLOT);
        (sum(at - SLOTS_A_DAY, at), sum(at, (at + AFTER).min(known.div_euclid(SLOT))))
    }
}

/// The first slot that may be looked at for an event: how much more is still there depends on how the input is read.
fn oldest(event: &Event) -> i64 {
    (event.decided_at - HISTORY + DAY).div_euclid(SLOT)
}

/// What is compared: one event of one source.
struct Fact {
    source: usize,
    event: usize,
    start: i64,
    decided_at: i64,
    family: Family,
}

/// What stands beside an event.
struct Beside {
    range: Option<String>,
    takeover: Option<(u32, f64)>,
    reading: Reading,
}

/// How much is known.
#[derive(Clone, Copy)]
struct Known {
    /// Of the other events those decided before.
    second: i64,
    /// Slots before this one are over.
    slot: i64,
}

/// Fills in `range`, `takeover` and `reading` of all events and changes that are not settled, from what all sources saw.
pub fn link(detector: &mut Detector, names: &impl Names, other: Option<&OtherProviders>) {
    let end = detector.end;
    let is_open = |event: &Event| !event.is_settled;
    if !detector
        .sources
        .iter()
        .any(|s| s.events.iter().any(is_open) || s.changes.iter().any(|change| is_open(&change.event)))
    {
        return;
    }
    let view = View::of(detector, names, other);
    let whole = Known { second: i64::MAX, slot: end.div_euclid(SLOT) + 1 };
    let by = |second: i64| Known { second, slot: second.div_euclid(SLOT) };
    let mut found: Vec<Vec<(bool, Beside)>> = Vec::new();
    for (at, source) in detector.sources.iter().enumerate() {
        let events =
            source.events.iter().enumerate().filter(|(_, event)| is_open(event)).map(|(index, event)| {
                let last = event.start + DAY;
                let is_settled = end > last;
                (is_settled, view.beside(at, index, event, if is_settled { by(last) } else { whole }))
            });
        let changes = source.changes.iter().filter(|change| is_open(&change.event)).map(|change| {
            let known = change.at.min(change.event.start + DAY);
            (end > change.at, view.beside(at, change.index, &change.event, by(known)))
        });
        found.push(events.chain(changes).collect());
    }
    for (source, found) in detector.sources.iter_mut().zip(found) {
        let of_changes = source.changes.iter_mut().map(|change| &mut change.event);
        let open = source.events.iter_mut().chain(of_changes).filter(|event| is_open(event));
        for (event, (is_settled, beside)) in open.zip(found) {
            event.is_settled = is_settled;
            event.range = beside.range;
            event.takeover = beside.takeover;
            event.reading = beside.reading;
        }
    }
}

/// All sources, side by side.
struct View<'v> {
    sources: &'v [Source],
    called: Vec<SourceNames>,
    /// When each one's address became known.
    since: Vec<i64>,
    ranges: Vec<Option<String>>,
    /// By start.
    facts: Vec<Fact>,
    /// By source and event, the most frequent cause when it was decided.
    causes: Vec<Vec<String>>,
    other: Option<&'v OtherProviders>,
}

impl<'v> View<'v> {
    fn of(detector: &'v Detector, names: &impl Names, other: Option<&'v OtherProviders>) -> Self {
        let sources = &detector.sources;
        let called: Vec<SourceNames> = sources.iter().map(|s| names.source(s.id)).collect();
        let since = sources.iter().map(|s| names.ip_known_since(s.id)).collect();
        let ranges = called.iter().map(|n| n.ip.as_deref().and_then(range_of)).collect();
        let mut facts = Vec::new();
        let mut causes = vec![Vec::new(); sources.len()];
        for (source, state) in sources.iter().enumerate() {
            for (event, e) in state.events.iter().enumerate() {
                let rank = |id: u32| {
                    let reply = names.reply(id);
                    (reply.reply_id, reply.smtp_code, reply.enhanced_code)
                };
                let cause = e
                    .reply_at_onset(rank)
                    .map(|id| names.reply(id))
                    .map(|reply| reply.cause.unwrap_or(reply.reply_id))
                    .unwrap_or_default();
                causes[source].push(cause);
                let (start, decided_at, family) = (e.start, e.decided_at, e.family);
                facts.push(Fact { source, event, start, decided_at, family });
            }
        }
        facts.sort_by_key(|f| f.start);
        Self { sources, called, since, ranges, facts, causes, other }
    }

    fn beside(&self, own: usize, index: usize, event: &Event, known: Known) -> Beside {
        let cause = &self.causes[own][index];
        let range = self.range(own, known).cloned().filter(|range| {
            self.near(event.start, 3600, known).any(|o| {
                o.source != own
                    && o.family == event.family
                    && self.causes[o.source][o.event] == *cause
                    && self.range(o.source, known) == Some(range)
            })
        });
        Beside { range, takeover: self.takeover(own, event, known), reading: self.reading(own, event, known) }
    }

    /// Whether a source's address was known by then.
    fn is_known(&self, source: usize, known: Known) -> bool {
        self.since[source] < known.second
    }

    fn range(&self, source: usize, known: Known) -> Option<&String> {
        self.ranges[source].as_ref().filter(|_| self.is_known(source, known))
    }

    /// Events that began within so many seconds, and are known.
    fn near(&self, start: i64, by: i64, known: Known) -> impl Iterator<Item = &Fact> {
        let from = self.facts.partition_point(|f| f.start < start - by);
        let until = self.facts.partition_point(|f| f.start <= start + by);
        self.facts[from..until].iter().filter(move |f| f.decided_at < known.second)
    }

    /// The source whose volume to the same platform grew most within an hour, if it at least doubled.
    fn takeover(&self, own: usize, event: &Event, known: Known) -> Option<(u32, f64)> {
        if event.family == Family::Auth {
            return None;
        }
        let slot = event.start.div_euclid(SLOT);
        let of = |platform| event.scope.has_platform(platform);
        let over = (known.slot - slot - 1).min(6);
        if over < 1 || slot - 6 < oldest(event) {
            return None;
        }
        let (at, factor) = self
            .sources
            .iter()
            .enumerate()
            .filter(|(at, _)| *at != own)
            .filter_map(|(at, source)| {
                let before = volume(source, of, slot - 6, slot).attempts;
                let after = volume(source, of, slot + 1, slot + 1 + over).attempts;
                let factor = (after as f64 / over as f64) / (before.max(1) as f64 / 6.0);
                (before >= LEAST && after >= LEAST && factor >= 2.0).then_some((at, factor))
            })
            .max_by(|a, b| a.1.total_cmp(&b.1).then_with(|| self.called[b.0].cmp(&self.called[a.0])))?;
        Some((self.sources[at].id, (factor * 100.0).round() / 100.0))
    }

    /// Different ranges among these sources.
    fn distinct(&self, of: &[usize], known: Known, range: impl Fn(&str) -> Option<String>) -> usize {
        let ip = |at: &usize| self.called[*at].ip.as_deref().filter(|_| self.is_known(*at, known));
        let mut list: Vec<String> = of.iter().filter_map(ip).filter_map(range).collect();
        list.sort_unstable();
        list.dedup();
        list.len()
    }

    /// *Yours*, *theirs* or *cannot tell*, with the facts that were counted.
    fn reading(&self, own: usize, event: &Event, known: Known) -> Reading {
        if event.family == Family::Auth {
            let reason = format!(
                "{} of {} attempts were refused for the sender domain's own authentication, not for an IP",
                event.during.refused, event.during.attempts
            );
            return Reading { verdict: "yours", reasons: vec![reason] };
        }
        let mut reasons = Vec::new();
        let slot = event.start.div_euclid(SLOT);
        let covered = |platform: Platform| event.scope.has_platform(platform);
        let oldest = oldest(event);
        let after = slot.max(oldest)..(slot + AFTER).min(known.slot);
        let before = (slot - SLOTS_A_DAY).max(oldest)..slot;
        let wave: Vec<&Fact> =
            self.near(event.start, WAVE, known).filter(|f| f.family == event.family).collect();
        let mut hit: Vec<usize> = wave.iter().map(|f| f.source).chain([own]).collect();
        hit.sort_unstable();
        hit.dedup();
        let is_hit = |at: &usize| hit.binary_search(at).is_ok();
        let has_mail = |at: &usize| {
            let until = (slot + 3).min(known.slot);
            volume(&self.sources[*at], covered, before.start, until).attempts > 0
        };
        let all: Vec<usize> = (0..self.sources.len()).filter(|at| is_hit(at) || has_mail(at)).collect();
        let starts = || wave.iter().map(|f| f.start).chain([event.start]);
        let (first, last) = (starts().min().unwrap_or(event.start), starts().max().unwrap_or(event.start));
        let minutes = (last - first).div_euclid(60) + 1;
        reasons.push(format!("{} of {} sources were hit within {minutes} min", hit.len(), all.len()));
        let (hit_ranges, all_ranges) =
            (self.distinct(&hit, known, range_of), self.distinct(&all, known, range_of));
        let untold = all.iter().filter(|at| self.range(**at, known).is_none()).count();
        if all_ranges == 1 && untold == 0 && all.len() > 1 {
            let parts = (self.distinct(&hit, known, part_of), self.distinct(&all, known, part_of));
            let mut text = "all sources are in one range (/24, IPv6 /64)".to_owned();
            if parts.1 > 1 {
                text += &format!(", {} of {} parts of it (/26) were hit", parts.0, parts.1);
            }
            if hit.len() == all.len() {
                text += ": a listing of the range would look the same";
            }
            reasons.push(text);
        } else if all_ranges > 0 {
            let mut text = format!("{hit_ranges} of {all_ranges} address ranges (/24, IPv6 /64) were hit");
            if untold > 0 {
                text += &format!("; of {untold} sources the address is not known");
            }
            reasons.push(text);
        }
        let (seen, refusing) = event
            .places
            .iter()
            .filter(|t| matches!(t.place, Place::Forest(_)))
            .fold((0, 0), |(seen, refusing), t| (seen + 1, refusing + u64::from(t.refusals > 0)));
        if seen > 0 {
            reasons.push(format!("{refusing} of {seen} datacenters that were tried refuse"));
        }
        let spared: Vec<usize> = all.iter().copied().filter(|at| !is_hit(at)).collect();
        let sum = |from: i64, until: i64| {
            spared.iter().fold(Went::default(), |sum, at| {
                let went = volume(&self.sources[*at], covered, from, until);
                Went { attempts: sum.attempts + went.attempts, well: sum.well + went.well }
            })
        };
        let (earlier, now) = (sum(before.start, before.end), sum(after.start, after.end));
        let unmoved = now.share().is_some_and(|share| earlier.share().is_none_or(|e| share >= e - MOVED));
        if now.share().is_some() {
            reasons.push(format!(
                "{} {} let through, {} attempts, {} in the day before",
                spared.len(),
                if spared.len() == 1 {
                    "source that was not hit is"
                } else {
                    "sources that were not hit are"
                },
                now.words(),
                earlier.words()
            ));
        }
        let source = &self.sources[own];
        let elsewhere = |platform: Platform| !covered(platform);
        let (earlier, now) = (
            volume(source, elsewhere, before.start, before.end),
            volume(source, elsewhere, after.start, after.end),
        );
        if let (Some(_), Some(_)) = (earlier.share(), now.share()) {
            reasons.push(format!(
                "Microsoft's other platform lets this source through, {} attempts, {} in the day before",
                now.words(),
                earlier.words()
            ));
        }
        let others_moved =
            slot - SLOTS_A_DAY >= oldest && self.other_providers(source.id, event.start, known, &mut reasons);
        let suspicious = habits(source, slot, oldest, &mut reasons);
        let early = known.second.min(known.slot * SLOT) - event.start < WAVE;
        let few = hit.len() * 3 <= all.len() || (suspicious && hit.len() * 2 <= all.len());
        let verdict = if all.len() < VERDICT_SOURCES {
            reasons.push(format!("fewer than {VERDICT_SOURCES} own sources: no comparison"));
            "cannot tell"
        } else if hit.len() >= VERDICT_SOURCES
            && hit.len() * 4 >= all.len() * 3
            && hit_ranges >= 2
            && !others_moved
        {
            "theirs"
        } else if early {
            reasons.push(format!("it began less than {} min ago: too early to compare", WAVE / 60));
            "cannot tell"
        } else if others_moved || (few && unmoved) {
            "yours"
        } else {
            "cannot tell"
        };
        Reading { verdict, reasons }
    }

    /// Says how the source fares elsewhere (all sources, where it sends too little); true if that got worse too.
    fn other_providers(&self, id: u32, start: i64, known: Known, reasons: &mut Vec<String>) -> bool {
        let Some(other) = self.other else { return false };
        let until = known.second.min(known.slot * SLOT);
        for (source, whose) in [(Some(id), "this source's mail"), (None, "the mail of all sources")] {
            let (before, after) = other.around(source, start, until);
            if let (Some(earlier), Some(now)) = (before.share(), after.share()) {
                reasons.push(format!(
                    "other providers accept {whose}, {} attempts, {} in the day before",
                    after.words(),
                    before.words()
                ));
                return now < earlier - MOVED;
            }
        }
        false
    }
}

/// Says what the source did before: more volume, more unknown recipients; true if either is out of the ordinary.
fn habits(source: &Source, slot: i64, oldest: i64, reasons: &mut Vec<String>) -> bool {
    let any = |_: Platform| true;
    let (day_from, week_from) = ((slot - SLOTS_A_DAY).max(oldest), (slot - 8 * SLOTS_A_DAY).max(oldest));
    let (day, week) = (volume(source, any, day_from, slot), volume(source, any, week_from, day_from));
    let begin = source.history.first().map_or(slot, |s| s.slot).max(week_from);
    let days = ((day_from - begin) as f64 / SLOTS_A_DAY as f64).min(7.0);
    let mut grew = false;
    if days >= 1.0 && week.attempts >= 20 {
        let a_day = week.attempts as f64 / days;
        let factor = day.attempts as f64 / a_day;
        grew = factor >= 2.0;
        reasons.push(format!(
            "{} attempts in the day before, {factor:.1} times the {a_day:.0} a day of the week before",
            day.attempts
        ));
    }
    let unknown = |from: i64, until: i64| Went {
        well: slots(source, any, from, until).map(|s| u64::from(s.unknown)).sum(),
        ..volume(source, any, from, until)
    };
    let (day, week) = (unknown(day_from, slot), unknown(week_from, day_from));
    let Some(share) = day.share() else { return grew };
    let mut text = format!("unknown recipients before: {} attempts in the day", day.words());
    if week.share().is_some() {
        text += &format!(", {} in the week before that", week.words());
    }
    reasons.push(text);
    grew || (share >= 0.05 && share >= 2.0 * week.share().unwrap_or_default())
}

/// The /24, for IPv6 the /64.
fn range_of(ip: &str) -> Option<String> {
    match ip.parse().ok()? {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            Some(format!("{a}.{b}.{c}.0/24"))
        }
        IpAddr::V6(ip) => {
            let s = ip.segments();
            Some(format!("{}/64", std::net::Ipv6Addr::new(s[0], s[1], s[2], s[3], 0, 0, 0, 0)))
        }
    }
}

/// The /26, for IPv6 the /64.
fn part_of(ip: &str) -> Option<String> {
    match ip.parse().ok()? {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            Some(format!("{a}.{b}.{c}.{}/26", d & 0xc0))
        }
        IpAddr::V6(_) => range_of(ip),
    }
}

/// What a source saw on platforms that `of` picks, in slots `from..until`.
fn slots(
    source: &Source,
    of: impl Fn(Platform) -> bool,
    from: i64,
    until: i64,
) -> impl Iterator<Item = &Slot> {
    let begin = source.history.partition_point(|s| s.slot < from);
    source.history[begin..]
        .iter()
        .take_while(move |s| s.slot < until)
        .filter(move |s| s.platform.is_some_and(&of))
}

/// Attempts, and those that Microsoft let through to the checks of the recipient and the content.
fn volume(source: &Source, of: impl Fn(Platform) -> bool, from: i64, until: i64) -> Went {
    slots(source, of, from, until).fold(Went::default(), |sum, s| Went {
        attempts: sum.attempts + u64::from(s.attempts),
        well: sum.well + u64::from(s.passed),
    })
}
