//! What stands beside an onset, from several sources: ranges, takeovers, and the reading *yours or theirs*.
//!
//! For an event all that was seen within a day of its start counts; for a line of a live run only what was known at that
//! moment: other events decided in earlier seconds, and volumes of slots that were over. So a line says the same whether
//! the whole file was read or the log was followed.

use std::collections::BTreeMap;

use foldhash::HashMap;

use crate::microsoft::Platform;

use super::event::{Event, Place};
use super::onset::{Family, Reading};
use super::peers::{AFTER, Around, Known, Peers, SLOTS_A_DAY, Went, slots, volume};
use super::source::Source;
use super::trial::Names;
use super::volume::SLOT;
use super::{Detector, HISTORY};

const DAY: i64 = 86_400;
/// So late may lines of other sources still come, in a live run.
const LATE: i64 = 1200;
/// Events within this many seconds of each other count as one wave.
const WAVE: i64 = 900;
/// No more events of a wave are looked at. It bounds the work on any input.
const MOST_OF_WAVE: usize = 1024;
/// Fewer own sources than this allow no verdict.
const VERDICT_SOURCES: usize = 3;
/// A share that fell by more has moved.
const MOVED: f64 = 0.1;

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
            *sum = sum.plus(Went { attempts, well: accepted });
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
            range.into_iter().flatten().fold(Went::default(), |sum, (_, went)| sum.plus(*went))
        };
        let at = moment.div_euclid(SLOT);
        (sum(at - SLOTS_A_DAY, at), sum(at, (at + AFTER).min(known.div_euclid(SLOT))))
    }
}

/// The first slot that may be looked at for an event: how much more is still there depends on how the input is read.
fn oldest(event: &Event) -> i64 {
    (event.decided_at - HISTORY + DAY).div_euclid(SLOT)
}

fn around(event: &Event, known: Known) -> Around {
    let slot = event.start.div_euclid(SLOT);
    Around::new(|platform| event.scope.has_platform(platform), slot, oldest(event), known)
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

/// Fills in `range`, `takeover` and `reading` of all events and changes that are not settled, from what all sources saw.
pub fn link(detector: &mut Detector, names: &impl Names, other: Option<&OtherProviders>) {
    let end = detector.end;
    let is_open = |event: &Event| !event.is_settled;
    let mut events = detector.sources.iter().flat_map(|source| {
        let of_changes = source.changes.iter().map(|change| &change.event);
        source.events.iter().chain(of_changes)
    });
    if !events.any(is_open) {
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
                let known = if end > last { by(last) } else { whole };
                (end > last + LATE, view.beside(at, index, event, known))
            });
        let changes = source.changes.iter().filter(|change| is_open(&change.event)).map(|change| {
            let known = change.at.min(change.event.start + DAY);
            (end > change.at + LATE, view.beside(at, change.index, &change.event, by(known)))
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

/// All events, beside what the sources saw.
struct View<'v> {
    peers: Peers<'v>,
    /// By start.
    facts: Vec<Fact>,
    /// By source and event, the number of the most frequent cause when it was decided.
    causes: Vec<Vec<u32>>,
    /// By family, cause and range, the events: their starts and numbers in `facts`, in that order.
    neighbours: HashMap<(Family, u32, u32), Vec<(i64, usize)>>,
    other: Option<&'v OtherProviders>,
}

impl<'v> View<'v> {
    fn of(detector: &'v Detector, names: &impl Names, other: Option<&'v OtherProviders>) -> Self {
        let sources = &detector.sources;
        let mut facts = Vec::new();
        let mut causes = vec![Vec::new(); sources.len()];
        let mut by_cause: HashMap<String, u32> = HashMap::default();
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
                let next = by_cause.len() as u32;
                causes[source].push(*by_cause.entry(cause).or_insert(next));
                let (start, decided_at, family) = (e.start, e.decided_at, e.family);
                facts.push(Fact { source, event, start, decided_at, family });
            }
        }
        facts.sort_by_key(|f| f.start);
        let peers = Peers::of(sources, names);
        let mut neighbours: HashMap<_, Vec<(i64, usize)>> = HashMap::default();
        for (at, fact) in facts.iter().enumerate() {
            if let Some(range) = peers.range_number(fact.source) {
                let key = (fact.family, causes[fact.source][fact.event], range);
                neighbours.entry(key).or_default().push((fact.start, at));
            }
        }
        Self { peers, facts, causes, neighbours, other }
    }

    fn beside(&self, own: usize, index: usize, event: &Event, known: Known) -> Beside {
        let range = self.peers.range(own, known).filter(|_| self.has_neighbour(own, index, event, known));
        let range = range.map(str::to_owned);
        Beside { range, takeover: self.takeover(own, event, known), reading: self.reading(own, event, known) }
    }

    /// Whether another source of the same range has an event of the same cause within an hour.
    fn has_neighbour(&self, own: usize, index: usize, event: &Event, known: Known) -> bool {
        let Some(range) = self.peers.range_number(own) else { return false };
        let Some(list) = self.neighbours.get(&(event.family, self.causes[own][index], range)) else {
            return false;
        };
        let from = list.partition_point(|(start, _)| *start < event.start - 3600);
        let near = list[from..].iter().take_while(|(start, _)| *start <= event.start + 3600);
        near.map(|(_, at)| &self.facts[*at]).any(|fact| {
            fact.source != own
                && fact.decided_at < known.second
                && self.peers.range(fact.source, known).is_some()
        })
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
        self.peers.takeover(own, around(event, known))
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
        let around = around(event, known);
        let slot = around.slot;
        let wave =
            || self.near(event.start, WAVE, known).filter(|f| f.family == event.family).take(MOST_OF_WAVE);
        let found = self.peers.compare(own, wave().map(|f| f.source), around, known);
        let starts = || wave().map(|f| f.start).chain([event.start]);
        let (first, last) = (starts().min().unwrap_or(event.start), starts().max().unwrap_or(event.start));
        let minutes = (last - first).div_euclid(60) + 1;
        reasons.push(format!("{} of {} sources were hit within {minutes} min", found.hit, found.all));
        if found.ranges.1 == 1 && found.untold == 0 && found.all > 1 {
            let mut text = "all sources are in one range (/24, IPv6 /64)".to_owned();
            if found.parts.1 > 1 {
                text += &format!(", {} of {} parts of it (/26) were hit", found.parts.0, found.parts.1);
            }
            if found.hit == found.all {
                text += ": a listing of the range would look the same";
            }
            reasons.push(text);
        } else if found.ranges.1 > 0 {
            let (hit, all) = found.ranges;
            let mut text = format!("{hit} of {all} address ranges (/24, IPv6 /64) were hit");
            if found.untold > 0 {
                text += &format!("; of {} sources the address is not known", found.untold);
            }
            reasons.push(text);
        }
        // A list of ranges hits the whole of one and no other.
        if found.is_whole_range {
            reasons.push(format!("all {} sources of one range were hit, and no other", found.hit));
        }
        let (seen, refusing) = event
            .places
            .iter()
            .filter(|t| matches!(t.place, Place::Forest(_)))
            .fold((0, 0), |(seen, refusing), t| (seen + 1, refusing + u64::from(t.refusals > 0)));
        if seen > 0 {
            reasons.push(format!("{refusing} of {seen} datacenters that were tried refuse"));
        }
        let (earlier, now) = found.spared;
        let unmoved = now.share().is_some_and(|share| earlier.share().is_none_or(|e| share >= e - MOVED));
        if now.share().is_some() {
            let spared = found.all - found.hit;
            reasons.push(format!(
                "{spared} {} let through, {} attempts, {} in the day before",
                if spared == 1 { "source that was not hit is" } else { "sources that were not hit are" },
                now.words(),
                earlier.words()
            ));
        }
        let source = &self.peers.sources[own];
        let (earlier, now) = around.before_and_after(source, |platform| !around.covers(platform));
        if let (Some(_), Some(_)) = (earlier.share(), now.share()) {
            reasons.push(format!(
                "Microsoft's other platform lets this source through, {} attempts, {} in the day before",
                now.words(),
                earlier.words()
            ));
        }
        let others_moved = slot - SLOTS_A_DAY >= oldest(event)
            && self.other_providers(source.id, event.start, known, &mut reasons);
        let suspicious = habits(source, slot, oldest(event), &mut reasons);
        let early = known.second.min(known.slot * SLOT) - event.start < WAVE;
        let (hit, all) = (found.hit, found.all);
        let few = hit * 3 <= all || (suspicious && hit * 2 <= all);
        let verdict = if all < VERDICT_SOURCES {
            reasons.push(format!("fewer than {VERDICT_SOURCES} own sources: no comparison"));
            "cannot tell"
        } else if hit >= VERDICT_SOURCES && hit * 4 >= all * 3 && found.ranges.0 >= 2 && !others_moved {
            "theirs"
        } else if early {
            reasons.push(format!("it began less than {} min ago: too early to compare", WAVE / 60));
            "cannot tell"
        } else if others_moved || ((few || found.is_whole_range) && unmoved) {
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
