//! The sources side by side: what the others saw when one of them had an event.

use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;

use foldhash::{HashMap, HashMapExt, HashSet};

use crate::microsoft::Platform;

use super::source::Source;
use super::trial::{Names, SourceNames};
use super::volume::{SLOT, Slot};

/// No more sources are compared: those that were seen first. It bounds the work on any input.
const COMPARED: usize = 2048;
/// Moments that are remembered, about 200 kB each: events come in waves.
const MOST_COHORTS: usize = 64;
/// Fewer attempts than this make no share.
pub(super) const LEAST: u64 = 10;
/// Slots after the start that are compared with the time before: the one it began in, and an hour.
pub(super) const AFTER: i64 = 7;
pub(super) const SLOTS_A_DAY: i64 = 86_400 / SLOT;

/// Attempts, and those that went well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Went {
    pub(super) attempts: u64,
    pub(super) well: u64,
}

impl Went {
    /// `None` where too little was tried.
    pub(super) fn share(self) -> Option<f64> {
        (self.attempts >= LEAST).then(|| self.well as f64 / self.attempts as f64)
    }

    pub(super) fn words(self) -> String {
        format!("{} of {} ({:.0} %)", self.well, self.attempts, 100.0 * self.share().unwrap_or_default())
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self { attempts: self.attempts + other.attempts, well: self.well + other.well }
    }

    fn minus(self, other: Self) -> Self {
        Self { attempts: self.attempts - other.attempts, well: self.well - other.well }
    }
}

/// How much is known.
#[derive(Clone, Copy)]
pub(super) struct Known {
    /// Of the other events those decided before.
    pub(super) second: i64,
    /// Slots before this one are over.
    pub(super) slot: i64,
}

/// Platforms of an event and the slots around its start.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Around {
    /// One bit each.
    platforms: u8,
    pub(super) slot: i64,
    /// The first that may be looked at.
    pub(super) oldest: i64,
    /// The first that is not over.
    over: i64,
}

impl Around {
    pub(super) fn new(of: impl Fn(Platform) -> bool, slot: i64, oldest: i64, known: Known) -> Self {
        let platforms = Platform::ALL.iter().filter(|p| of(**p)).fold(0, |bits, p| bits | 1 << *p as u8);
        let oldest = oldest.max(slot - SLOTS_A_DAY);
        Self { platforms, slot, oldest, over: known.slot.min(slot + AFTER) }
    }

    pub(super) fn covers(&self, platform: Platform) -> bool {
        self.platforms & (1 << platform as u8) != 0
    }

    /// What a source saw in the day before, and in the time after as far as it is known.
    pub(super) fn before_and_after(&self, source: &Source, of: impl Fn(Platform) -> bool) -> (Went, Went) {
        (
            volume(source, &of, self.oldest, self.slot),
            volume(source, &of, self.slot.max(self.oldest), self.over),
        )
    }

    /// Slots of the hour after that are known, without the one it began in.
    fn hour_after(&self) -> i64 {
        (self.over - self.slot - 1).min(6)
    }
}

/// What one source saw around an event of some source.
struct Peer {
    source: usize,
    before: Went,
    after: Went,
    /// How its volume changed from the hour before to the hour after, where there is enough of it.
    growth: Option<f64>,
}

/// All sources with mail around an event.
struct Cohort {
    peers: Vec<Peer>,
    places: HashMap<usize, usize>,
    before: Went,
    after: Went,
    ranges: usize,
    parts: usize,
    untold: usize,
    /// From this second on the addresses of all of them are known that ever are.
    known_since: i64,
}

/// How many sources were hit, of how many.
#[derive(Default)]
pub(super) struct Hit {
    pub(super) hit: usize,
    pub(super) all: usize,
    /// Different /24 (IPv6: /64) of those that were hit, and of all.
    pub(super) ranges: (usize, usize),
    /// Different /26.
    pub(super) parts: (usize, usize),
    /// Sources whose address is not known.
    pub(super) untold: usize,
    /// Several were hit: all of one range, and none of another.
    pub(super) is_whole_range: bool,
    /// What those that were not hit saw before and after.
    pub(super) spared: (Went, Went),
}

/// The sources of a detector.
pub(super) struct Peers<'v> {
    pub(super) sources: &'v [Source],
    called: Vec<SourceNames>,
    /// By source, when its address became known.
    since: Vec<i64>,
    /// By source, the number of its range and of its part of it; 0 without an address.
    places: Vec<(u32, u32)>,
    /// By number.
    ranges: Vec<String>,
    is_compared: Vec<bool>,
    cohorts: RefCell<HashMap<Around, Rc<Cohort>>>,
}

impl<'v> Peers<'v> {
    pub(super) fn of(sources: &'v [Source], names: &impl Names) -> Self {
        let called: Vec<SourceNames> = sources.iter().map(|s| names.source(s.id)).collect();
        let since = sources.iter().map(|s| names.ip_known_since(s.id)).collect();
        let mut ranges = vec![String::new()];
        let mut by_range: HashMap<String, u32> = HashMap::new();
        let mut by_part: HashMap<String, u32> = HashMap::new();
        let places = called
            .iter()
            .map(|names| {
                let Some(ip) = names.ip.as_ref().and_then(|ip| ip.parse().ok()) else { return (0, 0) };
                let next = by_part.len() as u32 + 1;
                let part = *by_part.entry(part_of(ip)).or_insert(next);
                let range = *by_range.entry(range_of(ip)).or_insert_with_key(|range| {
                    ranges.push(range.clone());
                    (ranges.len() - 1) as u32
                });
                (range, part)
            })
            .collect();
        let mut first_seen: Vec<usize> = (0..sources.len()).collect();
        if sources.len() > COMPARED {
            first_seen.sort_by(|a, b| {
                (sources[*a].first_seen(), &called[*a]).cmp(&(sources[*b].first_seen(), &called[*b]))
            });
        }
        let mut is_compared = vec![false; sources.len()];
        first_seen.into_iter().take(COMPARED).for_each(|at| is_compared[at] = true);
        Self { sources, called, since, places, ranges, is_compared, cohorts: RefCell::default() }
    }

    /// The range of a source, where its address was known by then.
    pub(super) fn range(&self, source: usize, known: Known) -> Option<&str> {
        let number = self.places[source].0;
        (number != 0 && self.since[source] < known.second).then(|| self.ranges[number as usize].as_str())
    }

    /// The number of a source's range, whenever its address became known.
    pub(super) fn range_number(&self, source: usize) -> Option<u32> {
        Some(self.places[source].0).filter(|number| *number != 0)
    }

    /// The source whose volume grew most within an hour, if it at least doubled.
    pub(super) fn takeover(&self, own: usize, around: Around) -> Option<(u32, f64)> {
        let cohort = self.cohort(around);
        let grew = cohort.peers.iter().filter(|peer| peer.source != own);
        let (at, factor) = grew
            .filter_map(|peer| Some((peer.source, peer.growth.filter(|growth| *growth >= 2.0)?)))
            .max_by(|a, b| a.1.total_cmp(&b.1).then_with(|| self.called[b.0].cmp(&self.called[a.0])))?;
        Some((self.sources[at].id, (factor * 100.0).round() / 100.0))
    }

    /// Compares those that were hit, the own one among them, with all.
    pub(super) fn compare(
        &self,
        own: usize,
        hit: impl Iterator<Item = usize>,
        around: Around,
        known: Known,
    ) -> Hit {
        let cohort = self.cohort(around);
        let hit: HashSet<usize> = hit.filter(|at| self.is_compared[*at]).chain([own]).collect();
        let without_mail = || hit.iter().filter(|at| !cohort.places.contains_key(*at));
        let known_ones = |at: &&usize| self.since[**at] < known.second;
        let mut found = Hit {
            hit: hit.len(),
            all: cohort.peers.len() + without_mail().count(),
            spared: (cohort.before, cohort.after),
            ..Hit::default()
        };
        for at in &hit {
            if let Some(peer) = cohort.places.get(at).map(|place| &cohort.peers[*place]) {
                found.spared = (found.spared.0.minus(peer.before), found.spared.1.minus(peer.after));
            }
        }
        let (ranges, parts, _) = self.distinct(hit.iter().filter(known_ones));
        let (all_ranges, all_parts, told);
        if cohort.known_since < known.second && without_mail().next().is_none() {
            (all_ranges, all_parts, told) = (cohort.ranges, cohort.parts, found.all - cohort.untold);
        } else {
            let all = cohort.peers.iter().map(|peer| &peer.source).chain(without_mail());
            (all_ranges, all_parts, told) = self.distinct(all.filter(known_ones));
        }
        let range = self.range(own, known);
        let in_range = |at: &usize| range.is_some() && self.range(*at, known) == range;
        found.is_whole_range =
            hit.len() >= 2 && ranges == 1 && all_ranges >= 2 && hit.iter().all(in_range) && {
                let all = cohort.peers.iter().map(|peer| &peer.source).chain(without_mail());
                all.filter(|at| in_range(at)).count() == hit.len()
            };
        found.ranges = (ranges, all_ranges);
        found.parts = (parts, all_parts);
        found.untold = found.all - told;
        found
    }

    /// Different ranges and parts of ranges of these sources, and how many of them have an address.
    fn distinct<'s>(&self, of: impl Iterator<Item = &'s usize>) -> (usize, usize, usize) {
        let (mut ranges, mut parts, mut told) = (HashSet::default(), HashSet::default(), 0);
        for (range, part) in of.map(|at| self.places[*at]).filter(|(range, _)| *range != 0) {
            ranges.insert(range);
            parts.insert(part);
            told += 1;
        }
        (ranges.len(), parts.len(), told)
    }

    fn cohort(&self, around: Around) -> Rc<Cohort> {
        if let Some(cohort) = self.cohorts.borrow().get(&around) {
            return Rc::clone(cohort);
        }
        let peers: Vec<Peer> =
            self.sources.iter().enumerate().filter_map(|(at, s)| self.peer(at, s, around)).collect();
        let of = |peer: &Peer| peer.source;
        let (ranges, parts, told) = self.distinct(peers.iter().map(|peer| &peer.source));
        let cohort = Rc::new(Cohort {
            places: peers.iter().map(of).zip(0..).collect(),
            before: peers.iter().fold(Went::default(), |sum, peer| sum.plus(peer.before)),
            after: peers.iter().fold(Went::default(), |sum, peer| sum.plus(peer.after)),
            ranges,
            parts,
            untold: peers.len() - told,
            known_since: peers.iter().map(|peer| self.since[peer.source]).max().unwrap_or(i64::MIN),
            peers,
        });
        let mut cohorts = self.cohorts.borrow_mut();
        if cohorts.len() >= MOST_COHORTS {
            cohorts.clear();
        }
        cohorts.insert(around, Rc::clone(&cohort));
        cohort
    }

    /// `None` without mail around the event.
    fn peer(&self, at: usize, source: &Source, around: Around) -> Option<Peer> {
        let of = |platform: Platform| around.covers(platform);
        let until = (around.slot + 3).min(around.over);
        if !self.is_compared[at] || volume(source, of, around.oldest, until).attempts == 0 {
            return None;
        }
        let (before, after) = around.before_and_after(source, of);
        let slots = around.hour_after();
        let hour = |from: i64, slots: i64| volume(source, of, from, from + slots).attempts;
        let (earlier, now) = (hour(around.slot - 6, 6), hour(around.slot + 1, slots.max(0)));
        let is_enough = around.slot - 6 >= around.oldest && slots > 0 && earlier >= LEAST && now >= LEAST;
        let growth = is_enough.then(|| (now as f64 / slots as f64) / (earlier as f64 / 6.0));
        Some(Peer { source: at, before, after, growth })
    }
}

/// The /24, for IPv6 the /64.
fn range_of(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(ip) => {
            let s = ip.segments();
            format!("{}/64", std::net::Ipv6Addr::new(s[0], s[1], s[2], s[3], 0, 0, 0, 0))
        }
    }
}

/// The /26, for IPv6 the /64.
fn part_of(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            format!("{a}.{b}.{c}.{}/26", d & 0xc0)
        }
        IpAddr::V6(_) => range_of(ip),
    }
}

/// What a source saw on platforms that `of` picks, in slots `from..until`.
pub(super) fn slots(
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
pub(super) fn volume(source: &Source, of: impl Fn(Platform) -> bool, from: i64, until: i64) -> Went {
    slots(source, of, from, until).fold(Went::default(), |sum, s| Went {
        attempts: sum.attempts + u64::from(s.attempts),
        well: sum.well + u64::from(s.passed),
    })
}
