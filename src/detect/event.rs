//! One event in ids: what an alarm becomes, and what it learns until it clears.

use std::collections::HashSet;
use std::hash::{Hash, Hasher};

use crate::microsoft::Platform;
use crate::record::Outcome;

use super::Settings;
use super::explain::Gain;
use super::key::{Alarm, Counts, Excursion, add_reply, usual_share};
use super::onset::{Backoff, Basis, Family};
use super::trial::{LineRef, Trial};

/// Forests and domains counted inside an event.
const PLACE_LIMIT: usize = 64;
/// Waiting messages that are remembered.
const WAITING_LIMIT: usize = 65_536;
/// Where the clear's sum stops to grow.
const CLEAR_CAP: f64 = 17.25;

/// What a key is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Platform(Platform),
    /// On the consumer platform.
    Forest(u32),
    /// On M365.
    Domain(u32),
    /// Of auth events, on the consumer platform.
    Sender(u32),
}

/// One number: an attempt looks a place up a dozen times.
impl Hash for Place {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let (kind, id) = match *self {
            Self::Platform(platform) => (0, platform as u32),
            Self::Forest(id) => (1, id),
            Self::Domain(id) => (2, id),
            Self::Sender(id) => (3, id),
        };
        state.write_u64(kind << 32 | u64::from(id));
    }
}

impl Place {
    pub(super) fn platform(self) -> Platform {
        match self {
            Self::Platform(platform) => platform,
            Self::Forest(_) | Self::Sender(_) => Platform::Consumer,
            Self::Domain(_) => Platform::M365,
        }
    }
}

/// Where an event holds: a union of places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope(pub Vec<Place>);

impl Scope {
    /// Whether a trial at this place lies in it.
    pub(super) fn covers(&self, place: Place) -> bool {
        self.0.contains(&place)
    }

    pub(super) fn has_platform(&self, platform: Platform) -> bool {
        self.0.iter().any(|p| p.platform() == platform)
    }

    /// Takes in another place of the same source and series; true if the scope is another one now.
    pub(super) fn absorb(&mut self, place: Place) -> bool {
        let whole = Place::Platform(place.platform());
        if self.0.contains(&whole) || self.0.contains(&place) {
            return false;
        }
        let domains = self.0.iter().filter(|p| matches!(p, Place::Domain(_))).count();
        let unites = match place {
            Place::Forest(_) => true,
            Place::Domain(_) => domains < 5,
            Place::Platform(_) | Place::Sender(_) => false,
        };
        if unites {
            self.0.push(place);
        } else {
            self.0.retain(|p| p.platform() != place.platform());
            self.0.push(whole);
        }
        true
    }
}

/// What one forest or domain saw inside an event.
#[derive(Clone, Debug)]
pub struct PlaceTally {
    pub place: Place,
    pub trials: u64,
    pub refusals: u64,
    pub first_refused: i64,
    pub last_refused: i64,
    /// The first accepted attempt after the last refusal.
    pub first_accepted: Option<i64>,
}

/// Attempts and refused ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attempts {
    pub attempts: u64,
    pub refused: u64,
}

/// An onset with all that followed, in ids.
#[derive(Clone, Debug)]
pub struct Event {
    pub source: u32,
    pub family: Family,
    pub scope: Scope,
    /// The scope it began with.
    pub origin: Place,
    pub basis: Basis,
    pub confidence: f64,
    pub start: i64,
    pub decided_at: i64,
    pub first_line: LineRef,
    pub cleared_at: Option<i64>,
    /// The last refusal that counted.
    pub last_refused: i64,
    pub last_attempt: i64,
    pub last_accepted: Option<i64>,
    pub untried_since: Option<i64>,
    pub before: Attempts,
    pub during: Attempts,
    pub lost: u64,
    pub deferred: u64,
    /// Reply ids and how often.
    pub replies: Vec<(u32, u64)>,
    /// The same when it was decided.
    replies_at_onset: Vec<(u32, u64)>,
    pub places: Vec<PlaceTally>,
    pub backoff: Option<Backoff>,
    /// Another source whose volume grew, and how many times. Filled in by [`super::link`].
    pub takeover: Option<(u32, f64)>,
    /// Filled in by [`super::link`].
    pub range: Option<String>,
    /// Filled in by [`super::link`].
    pub reading: super::onset::Reading,
    /// What stands beside it does not change any more.
    pub(super) is_settled: bool,
    pub(super) p0: f64,
    pub(super) counts: Counts,
    /// The same up to the last refusal that counted: passes after the end do not water down its share.
    counts_until: Counts,
    pub(super) passes: u64,
    /// Passes and attempts up to the last refusal that counted.
    pub(super) until_refused: (u64, u64),
    pub(super) retries: u64,
    pub(super) per_minute_before: Option<f64>,
    waiting: HashSet<u64, foldhash::fast::FixedState>,
    look_again_at: f64,
    narrowed: Option<Gain>,
    clear_sum: f64,
    since: Option<i64>,
}

/// How far an event is from its clear.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clearing {
    /// Up to the last refusal that counted.
    pub(super) counts: Counts,
    /// Trials since then.
    pub(super) since_refusal: f64,
    /// The least share that it is taken to have.
    pub(super) least: f64,
    /// The share of refusals while it goes on, at least.
    pub(super) qa: f64,
    /// The share that is usual.
    pub(super) pc: f64,
    pub(super) sum: f64,
    pub(super) since: Option<i64>,
}

/// What a trial did to an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    None,
    /// It was narrower than it seemed.
    Narrowed,
    Cleared,
}

impl Event {
    pub(super) fn new(
        source: u32,
        family: Family,
        place: Place,
        alarm: &Alarm,
        excursion: &Excursion,
        decided_at: i64,
        confidence: f64,
    ) -> Self {
        let counts = Counts { n: excursion.counts.n - alarm.start.n, k: excursion.counts.k - alarm.start.k };
        Self {
            source,
            family,
            scope: Scope(vec![place]),
            origin: place,
            basis: Basis::Rate,
            confidence,
            start: alarm.start.second,
            decided_at,
            first_line: alarm.start.line,
            cleared_at: None,
            last_refused: decided_at,
            last_attempt: decided_at,
            last_accepted: None,
            untried_since: None,
            before: Attempts::default(),
            during: Attempts {
                attempts: excursion.attempts - alarm.start.attempts,
                refused: excursion.refused - alarm.start.refused,
            },
            lost: excursion.bounced - alarm.start.bounced,
            deferred: 0,
            replies: excursion.replies.clone(),
            replies_at_onset: excursion.replies.clone(),
            places: Vec::new(),
            backoff: None,
            takeover: None,
            range: None,
            reading: super::onset::Reading { verdict: "cannot tell", reasons: Vec::new() },
            is_settled: false,
            p0: excursion.p0,
            counts,
            counts_until: counts,
            passes: (counts.n - counts.k) as u64,
            until_refused: ((counts.n - counts.k) as u64, excursion.attempts - alarm.start.attempts),
            retries: 0,
            per_minute_before: None,
            waiting: HashSet::default(),
            look_again_at: counts.n * 2.0,
            narrowed: None,
            clear_sum: 0.0,
            since: None,
        }
    }

    pub fn is_active(&self) -> bool {
        self.cleared_at.is_none()
    }

    /// The most frequent reply; ties go to the lower rank.
    pub(super) fn top_reply<R: Ord>(&self, rank: impl Fn(u32) -> R) -> Option<u32> {
        most_frequent(&self.replies, rank)
    }

    /// The one that was most frequent when it was decided.
    pub(super) fn reply_at_onset<R: Ord>(&self, rank: impl Fn(u32) -> R) -> Option<u32> {
        most_frequent(&self.replies_at_onset, rank)
    }

    /// Takes a place's earlier counts, known from its key.
    pub(super) fn seed(&mut self, place: Place, counts: Counts, first: i64, last: i64) {
        if self.places.len() < PLACE_LIMIT {
            self.places.push(PlaceTally {
                place,
                trials: counts.n as u64,
                refusals: counts.k as u64,
                first_refused: first,
                last_refused: last,
                first_accepted: None,
            });
        }
    }

    /// Counts what became of the message.
    pub(super) fn account(&mut self, trial: &Trial, refused: bool) {
        let queue = trial.of.queue;
        self.last_attempt = trial.of.second;
        self.during.attempts += u64::from(trial.attempts);
        if !refused {
            if trial.of.outcome == Outcome::Delivered {
                self.last_accepted = Some(trial.of.second);
            }
            if trial.of.outcome != Outcome::Deferred && self.waiting.remove(&queue) {
                self.deferred = self.deferred.saturating_sub(1);
            }
            return;
        }
        self.during.refused += u64::from(trial.refused);
        if trial.bounced {
            self.lost += 1;
            if self.waiting.remove(&queue) {
                self.deferred = self.deferred.saturating_sub(1);
                self.retries += 1;
            }
        } else if queue != 0 && self.waiting.contains(&queue) {
            self.retries += 1;
        } else {
            self.deferred += 1;
            if queue != 0 && self.waiting.len() < WAITING_LIMIT {
                self.waiting.insert(queue);
            }
        }
    }

    /// Takes a trial of its series inside its scope.
    pub(super) fn step(
        &mut self,
        trial: &Trial,
        places: impl Iterator<Item = Place>,
        refused: bool,
        settings: &Settings,
    ) -> Effect {
        let now = trial.of.second;
        self.counts.n += 1.0;
        if refused {
            self.counts.k += 1.0;
            add_reply(&mut self.replies, trial.of.reply);
        } else {
            self.passes += 1;
        }
        for place in places.filter(|p| !matches!(p, Place::Platform(_))) {
            self.count_place(place, now, refused, trial.of.outcome == Outcome::Delivered);
        }
        if self.counts.n >= self.look_again_at {
            self.look_again_at = self.counts.n * 2.0;
            if let Some(gain) = self.narrower() {
                self.scope = Scope(vec![gain.place]);
                self.narrowed = Some(gain);
                return Effect::Narrowed;
            }
        }
        let Clearing { qa, pc, .. } = self.clearing();
        if refused {
            self.clear_sum = (self.clear_sum - (qa / pc).ln()).max(0.0);
            if self.clear_sum <= 0.0 {
                self.last_refused = now;
                self.until_refused = (self.passes, self.during.attempts);
                self.counts_until = self.counts;
            }
            if self.clear_sum < 3.45 {
                self.since = None;
            }
            return Effect::None;
        }
        self.clear_sum = (self.clear_sum + ((1.0 - pc) / (1.0 - qa)).ln()).min(CLEAR_CAP);
        if self.clear_sum >= 6.9 {
            let since = *self.since.get_or_insert(now);
            if now - since >= settings.clear_after {
                self.cleared_at = Some(now);
                self.untried_since = None;
                return Effect::Cleared;
            }
        }
        Effect::None
    }

    pub(super) fn clearing(&self) -> Clearing {
        // What the refusals so far let expect of the next trial: less sure of itself the fewer they were, and the more
        // trials have come since.
        let Counts { n, k } = self.counts_until;
        let expected = |n: f64| (k - 1.0) / (n + 1.0);
        let least = (2.0 * self.p0).clamp(0.04, 0.9);
        let qa = (0.6 * expected(n)).min(expected(self.counts.n)).clamp(least, 0.9);
        let pc = self.p0.max(0.01).min(qa / 2.0);
        let since_refusal = self.counts.n - n;
        Clearing {
            counts: self.counts_until,
            since_refusal,
            least,
            qa,
            pc,
            sum: self.clear_sum,
            since: self.since,
        }
    }

    /// The place that it turned out to be about.
    pub(super) fn narrowed(&self) -> Option<Gain> {
        self.narrowed
    }

    fn count_place(&mut self, place: Place, now: i64, refused: bool, delivered: bool) {
        let tally = match self.places.iter_mut().position(|t| t.place == place) {
            Some(at) => &mut self.places[at],
            None if self.places.len() < PLACE_LIMIT => {
                self.places.push(PlaceTally {
                    place,
                    trials: 0,
                    refusals: 0,
                    first_refused: now,
                    last_refused: now,
                    first_accepted: None,
                });
                let last = self.places.len() - 1;
                &mut self.places[last]
            }
            None => return,
        };
        tally.trials += 1;
        if refused {
            if tally.refusals == 0 {
                tally.first_refused = now;
            }
            tally.refusals += 1;
            tally.last_refused = now;
            tally.first_accepted = None;
        } else if delivered && tally.refusals > 0 && tally.first_accepted.is_none() {
            tally.first_accepted = Some(now);
        }
    }

    /// One forest or domain that explains it all, if the event covers more than that.
    fn narrower(&self) -> Option<Gain> {
        if !matches!(self.scope.0.as_slice(), [Place::Platform(_)]) {
            return None;
        }
        // More than half of the refusals: there is one such place at most, so no order is needed.
        self.places.iter().find_map(|tally| {
            let inside = Counts { n: tally.trials as f64, k: tally.refusals as f64 };
            let outside = self.counts.minus(inside);
            let gain = Gain { place: tally.place, inside, outside, p0: self.p0 };
            (inside.k > 0.7 * self.counts.k && gain.value() > 3.0).then_some(gain)
        })
    }

    /// The statistic agrees with Microsoft's words.
    pub(super) fn agree(&mut self, confidence: f64) {
        self.basis = Basis::Rate;
        self.confidence = self.confidence.max(confidence);
    }

    pub(super) fn make_stated(&mut self) {
        self.basis = Basis::Stated;
    }

    /// What the back-off audit says by now.
    pub(super) fn audit(&mut self, after: Option<f64>, now: i64) {
        let minutes =
            ((self.cleared_at.map_or(now, |_| self.last_refused) - self.start) as f64 / 60.0).max(1.0);
        // What came through after its end is not what Microsoft takes during a throttle.
        let passes = if self.is_active() { self.passes } else { self.until_refused.0 };
        self.backoff = Some(Backoff {
            per_minute_before: self.per_minute_before,
            per_minute_after: after,
            retries: Some(self.retries),
            accepted_per_minute: (self.family == Family::Throttle).then_some(passes as f64 / minutes),
        });
    }

    /// The usual share that a stated event is measured against.
    pub(super) fn usual(baseline: Counts, floor: f64) -> f64 {
        usual_share(baseline, floor)
    }
}

fn most_frequent<R: Ord>(replies: &[(u32, u64)], rank: impl Fn(u32) -> R) -> Option<u32> {
    replies
        .iter()
        .max_by(|a, b| a.1.cmp(&b.1).then_with(|| rank(b.0).cmp(&rank(a.0))))
        .map(|(reply, _)| *reply)
}
