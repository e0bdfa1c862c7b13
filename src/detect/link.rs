//! What stands beside an onset, from several sources: ranges, takeovers, and the reading *yours or theirs*.

use std::net::IpAddr;

use crate::microsoft::Platform;

use super::Detector;
use super::event::{Event, Place};
use super::onset::{Family, Reading, Takeover};
use super::source::{SLOT, Source};
use super::trial::{Names, SourceNames};

const DAY: i64 = 86_400;
/// Events within this many seconds of each other count as one wave.
const WAVE: i64 = 900;
/// Fewer own sources than this allow no verdict.
const VERDICT_SOURCES: usize = 3;

/// Attempts at other providers, by second or coarser: (second, attempts, accepted), ascending.
#[derive(Clone, Debug, Default)]
pub struct OtherProviders(pub Vec<(i64, u64, u64)>);

impl OtherProviders {
    /// Share accepted from one moment to another; `None` where too little was tried.
    fn share(&self, from: i64, until: i64) -> Option<f64> {
        let mut sum = (0, 0);
        for (_, attempts, accepted) in self.0.iter().filter(|(at, _, _)| (from..until).contains(at)) {
            sum.0 += attempts;
            sum.1 += accepted;
        }
        (sum.0 >= 20).then(|| sum.1 as f64 / sum.0 as f64)
    }
}

/// What is compared: one event of one source.
struct Fact {
    source: usize,
    event: usize,
    start: i64,
    family: Family,
    cause: String,
}

/// Fills in `range`, `takeover` and `reading` of all events, from what all sources saw.
pub fn link(detector: &mut Detector, names: &impl Names, other: Option<&OtherProviders>) {
    let sources = &detector.sources;
    let called: Vec<SourceNames> = sources.iter().map(|s| names.source(s.id)).collect();
    let ranges: Vec<Option<String>> = called.iter().map(|n| n.ip.as_deref().and_then(range_of)).collect();
    let mut facts = Vec::new();
    for (source, state) in sources.iter().enumerate() {
        for (event, e) in state.events.iter().enumerate() {
            let cause = e
                .top_reply(|id| {
                    let reply = names.reply(id);
                    (reply.reply_id, reply.smtp_code, reply.enhanced_code)
                })
                .map(|id| names.reply(id).reply_id)
                .unwrap_or_default();
            facts.push(Fact { source, event, start: e.start, family: e.family, cause });
        }
    }
    facts.sort_by_key(|f| f.start);
    let starts: Vec<i64> = facts.iter().map(|f| f.start).collect();
    let near = |start: i64, by: i64| {
        let from = starts.partition_point(|s| *s < start - by);
        let until = starts.partition_point(|s| *s <= start + by);
        &facts[from..until]
    };
    let found: Vec<_> = facts
        .iter()
        .map(|fact| {
            let event = &sources[fact.source].events[fact.event];
            let range = ranges[fact.source].clone().filter(|range| {
                near(fact.start, 3600).iter().any(|o| {
                    o.source != fact.source
                        && o.family == fact.family
                        && o.cause == fact.cause
                        && ranges[o.source].as_ref() == Some(range)
                })
            });
            let takeover = takeover(fact.source, event, sources, &called);
            let wave: Vec<&Fact> =
                near(fact.start, WAVE).iter().filter(|o| o.family == fact.family).collect();
            let reading = reading(fact.source, event, &wave, sources, &ranges, other);
            (fact.source, fact.event, range, takeover, reading)
        })
        .collect();
    for (source, event, range, takeover, reading) in found {
        let event = &mut detector.sources[source].events[event];
        event.range = range;
        event.takeover = takeover;
        event.reading = reading;
    }
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

/// Attempts and passes of a source, on platforms that `of` picks, in slots `from..until`.
fn volume(source: &Source, of: impl Fn(Platform) -> bool, from: i64, until: i64) -> (u64, u64) {
    let begin = source.history.partition_point(|s| s.slot < from);
    source.history[begin..]
        .iter()
        .take_while(|s| s.slot < until)
        .filter(|s| s.platform.is_some_and(&of))
        .fold((0, 0), |(attempts, passed), s| {
            (attempts + u64::from(s.attempts), passed + u64::from(s.passed))
        })
}

/// The source whose volume to the same platform grew most within an hour, if it at least doubled.
fn takeover(own: usize, event: &Event, sources: &[Source], called: &[SourceNames]) -> Option<Takeover> {
    if event.family == Family::Auth {
        return None;
    }
    let slot = event.start.div_euclid(SLOT);
    let of = |platform| event.scope.has_platform(platform);
    let (at, factor) = sources
        .iter()
        .enumerate()
        .filter(|(at, _)| *at != own)
        .filter_map(|(at, source)| {
            let before = volume(source, of, slot - 6, slot).0;
            let after = volume(source, of, slot + 1, slot + 7).0;
            let factor = after as f64 / before.max(1) as f64;
            (before >= 10 && factor >= 2.0).then_some((at, factor))
        })
        .max_by(|a, b| a.1.total_cmp(&b.1).then_with(|| called[b.0].cmp(&called[a.0])))?;
    Some(Takeover {
        source_ip: called[at].ip.clone(),
        source_name: called[at].name.clone(),
        factor: (factor * 100.0).round() / 100.0,
    })
}

/// *Yours*, *theirs* or *cannot tell*, with the facts that were counted.
fn reading(
    own: usize,
    event: &Event,
    wave: &[&Fact],
    sources: &[Source],
    ranges: &[Option<String>],
    other: Option<&OtherProviders>,
) -> Reading {
    let mut reasons = Vec::new();
    if event.family == Family::Auth {
        reasons.push("it is about the sender domain's authentication, not about an IP".to_owned());
        return Reading { verdict: "yours", reasons };
    }
    let slot = event.start.div_euclid(SLOT);
    let per_day = DAY / SLOT;
    let any = |_: Platform| true;
    let busy: Vec<usize> = (0..sources.len())
        .filter(|at| volume(&sources[*at], any, slot - per_day, slot + WAVE / SLOT + 2).0 > 0)
        .collect();
    let mut hit: Vec<usize> = wave.iter().map(|f| f.source).collect();
    hit.sort_unstable();
    hit.dedup();
    let distinct = |of: &[usize]| {
        let mut list: Vec<&String> = of.iter().filter_map(|at| ranges[*at].as_ref()).collect();
        list.sort_unstable();
        list.dedup();
        list.len()
    };
    let (hit_ranges, all_ranges) = (distinct(&hit), distinct(&busy));
    let first = wave.iter().map(|f| f.start).min().unwrap_or(event.start);
    let last = wave.iter().map(|f| f.start).max().unwrap_or(event.start);
    reasons.push(format!(
        "{} of {} sources were hit within {} min",
        hit.len(),
        busy.len(),
        (last - first).div_euclid(60) + 1
    ));
    if all_ranges > 0 {
        reasons.push(format!("{hit_ranges} of {all_ranges} address ranges were hit"));
    }
    let forests = event.places.iter().filter(|t| matches!(t.place, Place::Forest(_)));
    let (seen, refusing) =
        forests.fold((0, 0), |(seen, refusing), t| (seen + 1, refusing + u64::from(t.refusals > 0)));
    if seen > 0 {
        reasons.push(format!("{refusing} of {seen} datacenters that were tried refuse"));
    }
    // The platforms that the event does not cover.
    let elsewhere = |platform: Platform| !event.scope.has_platform(platform);
    let after = volume(&sources[own], elsewhere, slot, slot + 7);
    let before = volume(&sources[own], elsewhere, slot - per_day, slot);
    if after.0 >= 10 && before.0 >= 10 {
        let share = |(attempts, passed): (u64, u64)| 100.0 * passed as f64 / attempts as f64;
        reasons.push(format!(
            "the other platform lets {:.0} % pass, {:.0} % in the day before",
            share(after),
            share(before)
        ));
    }
    let mut others_moved = false;
    if let Some(other) = other
        && let (Some(before), Some(after)) =
            (other.share(event.start - DAY, event.start), other.share(event.start, event.start + 3600))
    {
        others_moved = after < before - 0.1;
        reasons.push(format!(
            "other providers accept {:.0} %, {:.0} % in the day before",
            after * 100.0,
            before * 100.0
        ));
    }
    let day = volume(&sources[own], any, slot - per_day, slot).0;
    let week = volume(&sources[own], any, slot - 8 * per_day, slot - per_day).0;
    let mut grew = false;
    let history = sources[own].history.first().map_or(slot, |s| s.slot);
    let days = ((slot - per_day - history) as f64 / per_day as f64).min(7.0);
    if days >= 1.0 && week >= 20 {
        let factor = day as f64 * days / week as f64;
        grew = factor >= 2.0;
        reasons.push(format!("volume in the day before was {factor:.1} times that of the week before"));
    }
    let verdict = if busy.len() < VERDICT_SOURCES {
        reasons.push(format!("fewer than {VERDICT_SOURCES} own sources: no comparison"));
        "cannot tell"
    } else if hit.len() >= VERDICT_SOURCES
        && hit.len() * 4 >= busy.len() * 3
        && (all_ranges < 2 || hit_ranges >= 2)
        && !others_moved
    {
        "theirs"
    } else if hit.len() * 3 <= busy.len() || others_moved || (grew && hit.len() * 2 <= busy.len()) {
        "yours"
    } else {
        "cannot tell"
    };
    Reading { verdict, reasons }
}
