//! One source: its baselines, keys and active events. Everything that a snapshot of it needs is in here.

use std::collections::VecDeque;

use foldhash::fast::FixedState;

use crate::microsoft::{Platform, Signal};

use super::event::{Attempts, Effect, Event, Place};
use super::explain::Trace;
use super::key::{Alarm, Counts, Key, Level, Step};
use super::onset::Family;
use super::spots::Spots;
use super::trial::{Observation, Trial, group};
use super::volume::{Minutes, Passes, Recent, SLOT, Slot, minute_of};
use super::{Change, ChangeKind, Settings};

type Map<K, V> = std::collections::HashMap<K, V, FixedState>;

const DAY: i64 = 86_400;
const WEEK: i64 = 7 * DAY;
/// Deferred messages that are remembered.
const RETRIES: usize = 8192;
/// Kinds of reply of which the cause is remembered.
const CAUSES: usize = 1024;

/// The state of one source.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) id: u32,
    pub(super) first: Option<i64>,
    pub(super) newest: Option<i64>,
    pub(super) trials: f64,
    pub(super) pending: Vec<Observation>,
    pub(super) spots: Spots,
    /// Baselines of keys unused for a week.
    pub(super) folded: Map<(Family, Place), (f32, f32)>,
    /// How many there are.
    keys: usize,
    fold_at: usize,
    /// Trials and refusals per series and platform, ever.
    pub(super) running: [[Counts; Platform::ALL.len()]; Family::ALL.len()],
    pub(super) deferrals: Map<u64, (u8, bool)>,
    pub(super) deferred_order: VecDeque<u64>,
    /// By reply, the list behind it.
    pub(super) causes: Map<u32, u32>,
    pub(super) history: Vec<Slot>,
    pub(super) events: Vec<Event>,
    pub(super) active: Vec<usize>,
    pub(super) changes: Vec<Change>,
    /// Only where an event is to be explained.
    pub(super) trace: Option<Box<Trace>>,
}

impl Source {
    pub(super) fn new(id: u32, traces: bool) -> Self {
        Self {
            id,
            first: None,
            newest: None,
            trials: 0.0,
            pending: Vec::new(),
            spots: Spots::default(),
            folded: Map::default(),
            keys: 0,
            fold_at: 1024,
            running: Default::default(),
            deferrals: Map::default(),
            deferred_order: VecDeque::new(),
            causes: Map::default(),
            history: Vec::new(),
            events: Vec::new(),
            active: Vec::new(),
            changes: Vec::new(),
            trace: traces.then(Box::default),
        }
    }

    /// Takes an attempt; the attempts of one second are put together when the next second begins.
    pub(super) fn push(&mut self, observation: &Observation, settings: &Settings) {
        if self.pending.last().is_some_and(|last| last.second != observation.second) {
            self.flush(settings);
        }
        self.newest = Some(observation.second);
        self.pending.push(*observation);
    }

    /// Takes attempts of whole seconds.
    pub(super) fn push_all(&mut self, observations: &[Observation], settings: &Settings) {
        for second in observations.chunk_by(|a, b| a.second == b.second) {
            self.newest = Some(second[0].second);
            self.decide(second, settings);
        }
    }

    /// Decides what the pending second means.
    pub(super) fn flush(&mut self, settings: &Settings) {
        let pending = std::mem::take(&mut self.pending);
        self.decide(&pending, settings);
    }

    fn decide(&mut self, second: &[Observation], settings: &Settings) {
        if let [only] = second {
            return self.take(&Trial::of(only), settings);
        }
        for trial in &group(second) {
            self.take(trial, settings);
        }
    }

    /// The second of its first attempt that says something.
    pub(super) fn first_seen(&self) -> Option<i64> {
        self.first
    }

    /// The newest second of its attempts.
    pub(super) fn newest(&self) -> Option<i64> {
        self.newest
    }

    /// Forgets the volume of slots that ended before `second`.
    pub(super) fn forget_before(&mut self, second: i64) {
        let keep = self.history.partition_point(|s| (s.slot + 1) * SLOT <= second);
        self.history.drain(..keep);
    }

    /// The end of the range: what has not been tried for long is told so.
    pub(super) fn finish(&mut self, end: i64, settings: &Settings) {
        self.flush(settings);
        for at in self.active.clone() {
            let after = self.per_minute_after(at);
            let event = &mut self.events[at];
            event.untried_since =
                (end - event.last_attempt >= settings.untried_after).then_some(event.last_attempt);
            event.audit(after, end);
        }
    }

    fn take(&mut self, trial: &Trial, settings: &Settings) {
        let o = &trial.of;
        self.remember_volume(trial);
        if o.signal == Signal::Skip {
            return;
        }
        self.first.get_or_insert(o.second);
        self.trials += 1.0;
        if o.cause != 0 && self.causes.len() < CAUSES {
            self.causes.insert(o.reply, o.cause);
        }
        let (places, count) = places_of(o);
        let spots = places.map(|place| self.spots.at(place));
        let spots = &spots[..count];
        for at in spots {
            self.count_minute(*at, trial);
        }
        match o.signal {
            Signal::Block => self.series(Family::Block, spots, trial, true, true, settings),
            Signal::Throttle | Signal::Busy => {
                let counts = self.counts_once(o.queue, o.signal == Signal::Busy);
                self.series(Family::Throttle, spots, trial, true, counts, settings);
            }
            Signal::Auth | Signal::Pass => {
                self.series(Family::Block, spots, trial, false, true, settings);
                self.series(Family::Throttle, spots, trial, false, true, settings);
                for at in spots {
                    self.spots[*at].passes.add(o.second, trial.attempts);
                }
            }
            Signal::Skip => {}
        }
        if o.platform == Platform::Consumer && o.sender_domain != 0 {
            let sender = self.spots.at(Place::Sender(o.sender_domain));
            self.count_minute(sender, trial);
            if o.signal == Signal::Auth {
                self.series(Family::Auth, &[sender], trial, true, true, settings);
            } else if o.signal == Signal::Pass {
                self.series(Family::Auth, &[sender], trial, false, true, settings);
                self.spots[sender].passes.add(o.second, trial.attempts);
            }
        }
        if self.spots.len() + self.keys > self.fold_at {
            self.fold(o.second);
        }
    }

    /// The retry rule: a message counts at its first deferral, where nobody is blamed at its second.
    fn counts_once(&mut self, queue: u64, busy: bool) -> bool {
        if queue == 0 {
            return true;
        }
        if !self.deferrals.contains_key(&queue) {
            if self.deferred_order.len() >= RETRIES
                && let Some(oldest) = self.deferred_order.pop_front()
            {
                self.deferrals.remove(&oldest);
            }
            self.deferred_order.push_back(queue);
        }
        let (seen, counted) = self.deferrals.entry(queue).or_insert((0, false));
        *seen = seen.saturating_add(1);
        let counts = !*counted && (!busy || *seen >= 2);
        *counted |= counts;
        counts
    }

    /// Keeps the memory bounded: old keys become baseline counts, places with few passes are forgotten.
    fn fold(&mut self, now: i64) {
        let Self { spots, folded, keys, .. } = self;
        let today = now.div_euclid(DAY);
        *keys = 0;
        spots.retain(|spot| {
            let (place, is_many) = (spot.place, spot.is_many());
            if let Some(series) = spot.series_mut() {
                for (family, key) in Family::ALL.into_iter().zip(&mut series.keys) {
                    if let Some(mut old) = key.take_if(|key| now - key.last >= WEEK) {
                        old.close();
                        folded.insert((family, place), (old.baseline.n as f32, old.baseline.k as f32));
                    }
                }
                for (key, recent) in series.keys.iter().zip(&mut series.recent) {
                    if key.is_none() && is_many {
                        *recent = None;
                    }
                }
                let left = series.keys.iter().flatten().count();
                *keys += left;
                if left == 0 && is_many {
                    spot.end();
                }
            }
            if is_many && today - i64::from(spot.passes.day) >= 28 {
                spot.passes = Passes::default();
            }
            !is_many || spot.series().is_some() || spot.passes.n > 0
        });
        self.fold_at = ((self.spots.len() + self.keys) * 2).max(1024);
    }

    /// One series sees one trial; `counts` is false for retries, which only the tallies see.
    fn series(
        &mut self,
        family: Family,
        spots: &[usize],
        trial: &Trial,
        refused: bool,
        counts: bool,
        settings: &Settings,
    ) {
        let platform = trial.of.platform;
        let whole = self.spots[spots[0]].place;
        let running = &mut self.running[family as usize][platform as usize];
        let platform_before = *running;
        if counts {
            running.n += 1.0;
            running.k += f64::from(u8::from(refused));
        }
        let mut in_rate_event = false;
        if let Some(at) = self.covering(family, spots) {
            in_rate_event = self.events[at].basis == super::onset::Basis::Rate;
            self.in_event(at, spots, trial, refused, counts, settings);
        } else if refused && trial.of.stated && family == Family::Block {
            let last_day = self.spots.recent(family, whole).map(|r| r.day_before(trial.of.second));
            let last_day = last_day.unwrap_or_default().attempts;
            if last_day < settings.stated_below {
                self.stated(family, whole, trial, platform_before);
                if let Some(trace) = &mut self.trace {
                    trace.stated(self.events.len() - 1, last_day);
                }
            }
        }
        for at in spots {
            let spot = &mut self.spots[*at];
            let is_known = spot.series().is_some_and(|series| series.recent[family as usize].is_some());
            // A domain's history begins with its key: most domains never need one.
            if spot.is_many() && !refused && !is_known {
                continue;
            }
            let before = spot.is_many().then(|| spot.passes.day_before(trial.of.second));
            let recent = spot.begin().recent[family as usize].get_or_insert_with(|| {
                let mut recent = Recent::default();
                if let Some(before) = before.filter(|before| *before > 0) {
                    recent.add(trial.of.second - 3600, before, 0);
                }
                recent
            });
            let refused = if refused { u64::from(trial.refused) } else { 0 };
            recent.add(trial.of.second, u64::from(trial.attempts), refused);
        }
        if in_rate_event {
            return;
        }
        if !counts {
            for at in spots {
                let series = self.spots[*at].series_mut();
                let key = series.and_then(|series| series.keys[family as usize].as_deref_mut());
                if let Some(excursion) = key.and_then(|key| key.excursion.as_deref_mut()) {
                    excursion.take_retry(trial.attempts, trial.refused);
                }
            }
            return;
        }
        let mut level = Self::level(family, whole, settings);
        if refused {
            // An alarm comes at a refusal only.
            level.threshold = self.threshold(trial.of.second, settings);
        }
        let mut alarm = None;
        for at in spots {
            let spot = &mut self.spots[*at];
            let (place, passes) = (spot.place, spot.passes.n);
            let key = if refused {
                let key = &mut spot.begin().keys[family as usize];
                if key.is_none() {
                    self.keys += 1;
                }
                key.get_or_insert_with(|| match self.folded.get(&(family, place)) {
                    Some((n, k)) => {
                        let mut key = Key::new(0);
                        key.baseline = Counts { n: f64::from(*n), k: f64::from(*k) };
                        Box::new(key)
                    }
                    None => Box::new(Key::new(u64::from(passes))),
                })
            } else {
                let key = spot.series_mut().and_then(|series| series.keys[family as usize].as_mut());
                let Some(key) = key else { continue };
                key
            };
            // Most trials: they went through, and nothing is going on.
            if !refused && key.excursion.is_none() && self.trace.is_none() {
                key.pass(trial.of.second);
                continue;
            }
            let level = Level { waits_for_part: waits_for_part(family, place), ..level };
            let step = Step::of(trial, refused, platform_before);
            let raised = key.step(&step, level);
            if let Some(trace) = &mut self.trace {
                trace.took(family, place, key, &step);
            }
            if alarm.is_none() {
                alarm = raised.map(|a| (place, a));
            }
        }
        if let Some((place, alarm)) = alarm {
            self.alarm(family, place, &alarm, trial, settings);
        }
    }

    /// What a key needs to know where it raises no alarm.
    pub(super) fn level(family: Family, place: Place, settings: &Settings) -> Level {
        Level {
            floor: floor(family),
            threshold: f64::INFINITY,
            smallest: settings.smallest_share,
            waits_for_part: waits_for_part(family, place),
        }
    }

    /// ln A.
    fn threshold(&self, now: i64, settings: &Settings) -> f64 {
        (3.0 * self.trials_a_day(now) / settings.alpha).ln()
    }

    pub(super) fn trials_a_day(&self, now: i64) -> f64 {
        let days = (now - self.first.unwrap_or(now)) as f64 / DAY as f64;
        (self.trials / days.max(1.0)).max(20.0)
    }

    fn covering(&self, family: Family, spots: &[usize]) -> Option<usize> {
        self.active.iter().copied().find(|at| {
            let event = &self.events[*at];
            event.family == family && spots.iter().any(|spot| event.scope.covers(self.spots[*spot].place))
        })
    }

    fn in_event(
        &mut self,
        at: usize,
        spots: &[usize],
        trial: &Trial,
        refused: bool,
        counts: bool,
        settings: &Settings,
    ) {
        let event = &mut self.events[at];
        event.account(trial, refused);
        if !counts {
            return;
        }
        let places = spots.iter().map(|spot| self.spots[*spot].place);
        match event.step(trial, places, refused, settings) {
            Effect::None => {}
            Effect::Narrowed => self.tell(ChangeKind::Scope, trial.of.second, at),
            Effect::Cleared => {
                let family = event.family;
                let scope = event.scope.clone();
                for platform in
                    [Platform::Consumer, Platform::M365, Platform::Gov, Platform::China, Platform::Unknown]
                {
                    if scope.has_platform(platform) {
                        self.forget(family, platform);
                    }
                }
                self.active.retain(|active| *active != at);
                self.tell(ChangeKind::Clear, trial.of.second, at);
            }
        }
    }

    /// What has become an event is no baseline.
    pub(super) fn forget(&mut self, family: Family, platform: Platform) {
        for (place, key) in self.spots.keys_mut(family) {
            if place.platform() == platform {
                key.forget();
            }
        }
    }

    /// A line of a live run, with what is known at this moment.
    pub(super) fn tell(&mut self, kind: ChangeKind, at: i64, event: usize) {
        let after = self.per_minute_after(event);
        self.events[event].audit(after, at);
        if self.changes.is_empty() {
            self.changes.reserve_exact(1);
        }
        let of = self.events[event].clone();
        self.changes.push(Change { kind, at, source: self.id, index: event, event: of });
    }

    /// Microsoft's own words, where there is too little mail for statistics.
    fn stated(&mut self, family: Family, place: Place, trial: &Trial, platform_before: Counts) {
        let mut key = Key::new(0);
        let at = self.spots.at(place);
        key.baseline = self
            .spots
            .key(family, place)
            .map_or_else(|| Counts { n: f64::from(self.spots[at].passes.n), k: 0.0 }, |k| k.baseline);
        let usual = Event::usual(key.baseline, floor(family));
        let step = Step { busy: false, bounced: false, ..Step::of(trial, true, platform_before) };
        let level = Level { floor: usual, threshold: f64::INFINITY, smallest: 0.0, waits_for_part: false };
        key.step(&step, level);
        let Some(excursion) = &key.excursion else { return };
        let alarm = Alarm { start: excursion.start(), evidence: 0.0 };
        let mut event = Event::new(self.id, family, place, &alarm, excursion, trial.of.second, 0.9);
        event.make_stated();
        event.during = Attempts::default();
        self.begin(event, trial);
    }

    fn remember_volume(&mut self, trial: &Trial) {
        let o = &trial.of;
        let slot = o.second.div_euclid(SLOT);
        let passed = if o.signal == Signal::Pass { trial.attempts } else { 0 };
        match self
            .history
            .iter_mut()
            .rev()
            .take_while(|s| s.slot == slot)
            .find(|s| s.platform == Some(o.platform))
        {
            Some(found) => {
                found.attempts += trial.attempts;
                found.passed += passed;
                found.unknown += trial.unknown;
            }
            None => {
                self.history.push(Slot {
                    slot,
                    platform: Some(o.platform),
                    attempts: trial.attempts,
                    passed,
                    unknown: trial.unknown,
                });
            }
        }
    }

    /// Counts the attempts at a place by the minute.
    fn count_minute(&mut self, at: usize, trial: &Trial) {
        let (second, attempts) = (trial.of.second, trial.attempts);
        let first = self.first.unwrap_or(second);
        let spot = &mut self.spots[at];
        let is_many = spot.is_many();
        if let Some(minutes) = spot.series_mut().and_then(|series| series.minutes.as_mut()) {
            return minutes.add(second, attempts);
        }
        if is_many && trial.of.signal == Signal::Pass {
            return;
        }
        let mut minutes = Minutes::new(first);
        // What came before is known by the hour.
        let before = if is_many { spot.passes.hour_before(second) } else { 0.0 };
        let minute = minute_of(second);
        for at in 0..60 {
            let until = |at: i32| (before * f64::from(at) / 60.0).round() as u32;
            let attempts = until(at + 1) - until(at);
            if attempts > 0 {
                minutes.counts.push_back((minute - 60 + at, attempts));
            }
        }
        minutes.add(second, attempts);
        spot.begin().minutes = Some(minutes);
    }

    /// Attempts a minute at a place between two moments, as far as remembered.
    pub(super) fn per_minute(&self, place: Place, from: i64, until: i64) -> Option<f64> {
        let (attempts, minutes) = self.spots.minutes(place)?.between(minute_of(from), minute_of(until));
        (minutes > 0).then(|| attempts as f64 / f64::from(minutes))
    }

    /// Attempts a minute inside an event.
    pub(super) fn per_minute_after(&self, at: usize) -> Option<f64> {
        let event = &self.events[at];
        let (until, attempts) = match event.is_active() {
            true => (event.last_attempt, event.during.attempts),
            false => (event.last_refused, event.until_refused.1),
        };
        let minutes = (until - event.start) as f64 / 60.0;
        (minutes >= 1.0).then(|| attempts as f64 / minutes)
    }
}

/// Whether a part of this place must be refused for long: a forest has many front ends, each with a list of its own.
fn waits_for_part(family: Family, place: Place) -> bool {
    family == Family::Block && matches!(place, Place::Forest(_))
}

/// The least share of refusals that counts as usual.
pub(super) fn floor(family: Family) -> f64 {
    if family == Family::Block { 0.002 } else { 0.005 }
}

/// The keys of a trial; the platform is the first.
fn places_of(o: &Observation) -> ([Place; 2], usize) {
    let platform = Place::Platform(o.platform);
    match o.platform {
        Platform::Consumer if o.forest != 0 => ([platform, Place::Forest(o.forest)], 2),
        Platform::M365 => ([platform, Place::Domain(o.domain)], 2),
        _ => ([platform, platform], 1),
    }
}
