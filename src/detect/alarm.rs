//! What becomes of an alarm: its scope, a new event or one that grows.

use crate::microsoft::Platform;

use super::Settings;
use super::event::{Attempts, Event, Place};
use super::explain::{Came, Finding, Gain};
use super::key::{Alarm, Counts, Excursion, Wait};
use super::onset::{ChangeKind, Family};
use super::source::{Source, floor};
use super::trial::Trial;

impl Source {
    pub(super) fn begin(&mut self, mut event: Event, trial: &Trial) {
        let place = event.scope.0[0];
        if event.basis == super::onset::Basis::Stated {
            event.account(trial, true);
        } else {
            let waiting = event.during.refused.saturating_sub(event.lost);
            event.deferred = waiting.min(event.counts.k as u64);
        }
        event.before =
            self.spots.recent(event.family, place).map(|r| r.day_before(event.start)).unwrap_or_default();
        let inside =
            if event.basis == super::onset::Basis::Stated { Attempts::default() } else { event.during };
        event.before.attempts = event.before.attempts.saturating_sub(inside.attempts);
        event.before.refused = event.before.refused.saturating_sub(inside.refused);
        event.per_minute_before = self.per_minute(place, event.start - 3600, event.start);
        if self.events.is_empty() {
            // Most sources never have a second one.
            self.events.reserve_exact(1);
        }
        self.events.push(event);
        let at = self.events.len() - 1;
        self.active.push(at);
        self.tell(ChangeKind::Onset, trial.of.second, at);
    }

    /// Finds the narrowest scope that explains an alarm; then it is a new event, or an active one grows.
    pub(super) fn alarm(
        &mut self,
        family: Family,
        place: Place,
        alarm: &Alarm,
        trial: &Trial,
        settings: &Settings,
    ) {
        let platform = place.platform();
        if family == Family::Throttle && self.is_one_tenant(place, alarm, settings) {
            return;
        }
        let (scope, gains) = self.scope_of(family, place);
        if scope != place && self.is_part_of_a_forest(family, scope, settings) {
            return;
        }
        let trials_a_day = self.trials_a_day(trial.of.second);
        let running = trials_a_day * 3.0;
        let ratio = (alarm.evidence.exp() / running).max(1.0);
        let confidence = (1.0 - 1.0 / ratio).clamp(0.0, 0.9999);
        let Some(key) = self.spots.key(family, place) else { return };
        let Some(excursion) = key.excursion.as_deref() else { return };
        // Another scope counts from its own start.
        let own = (scope != place).then(|| self.excursion(family, scope)).flatten();
        let (start, of_scope) = own.map_or((alarm.start, excursion), |own| (own.change_point(), own));
        let began = Alarm { start, ..*alarm };
        let mut event = Event::new(self.id, family, scope, &began, of_scope, trial.of.second, confidence);
        let finding = self.trace.is_some().then(|| Finding {
            family,
            place,
            scope,
            at: trial.of.second,
            alarm: *alarm,
            baseline: key.baseline,
            floor: floor(family),
            excursion: excursion.clone(),
            trials_a_day,
            gains,
        });
        self.seed_places(&mut event, platform);
        let stated = self.active.iter().copied().find(|at| {
            let e = &self.events[*at];
            e.family == family && e.basis == super::onset::Basis::Stated && e.scope.has_platform(platform)
        });
        if let Some(at) = stated {
            self.forget(family, platform);
            self.events[at].agree(confidence);
            self.write_down(at, Came::Agreed, finding);
            self.tell(ChangeKind::Scope, trial.of.second, at);
            return;
        }
        let same = self.active.iter().copied().find(|at| {
            let e = &self.events[*at];
            e.family == family && family != Family::Auth && e.scope.has_platform(platform)
        });
        let cause = self.cause(&event);
        let related = same.or_else(|| {
            self.active.iter().copied().find(|at| {
                let e = &self.events[*at];
                e.family == family && family != Family::Auth && cause.is_some() && self.cause(e) == cause
            })
        });
        if family == Family::Auth {
            if let Some(key) = self.spots.key_mut(family, place) {
                key.forget();
            }
        } else {
            self.forget(family, platform);
        }
        let Some(at) = related else {
            self.begin(event, trial);
            self.write_down(self.events.len() - 1, Came::Began, finding);
            return;
        };
        let active = &mut self.events[at];
        if active.scope.absorb(scope) {
            active.during.attempts += event.during.attempts;
            active.during.refused += event.during.refused;
            active.lost += event.lost;
            active.deferred += event.during.refused.saturating_sub(event.lost);
            active.last_refused = trial.of.second;
            active.last_attempt = trial.of.second;
            for tally in event.places {
                if !active.places.iter().any(|t| t.place == tally.place) {
                    active.seed(
                        tally.place,
                        Counts { n: tally.trials as f64, k: tally.refusals as f64 },
                        tally.first_refused,
                        tally.last_refused,
                    );
                }
            }
            self.tell(ChangeKind::Scope, trial.of.second, at);
            self.write_down(at, Came::Joined, finding);
        }
    }

    /// The most frequent cause of an event's refusals: (a list, or a reply; which). Where two are equally frequent, none
    /// is the cause.
    pub(super) fn cause(&self, event: &Event) -> Option<(bool, u32)> {
        let mut sums: Vec<((bool, u32), u64)> = Vec::new();
        for (reply, count) in &event.replies {
            let cause = self.causes.get(reply).map_or((false, *reply), |list| (true, *list));
            match sums.iter_mut().find(|(of, _)| *of == cause) {
                Some((_, sum)) => *sum += count,
                None => sums.push((cause, *count)),
            }
        }
        let most = sums.iter().map(|(_, n)| *n).max()?;
        let mut of = sums.iter().filter(|(_, n)| *n == most);
        let first = of.next()?.0;
        of.next().is_none().then_some(first)
    }

    fn write_down(&mut self, event: usize, came: Came, finding: Option<Finding>) {
        if let (Some(trace), Some(finding)) = (&mut self.trace, finding) {
            trace.found(event, came, finding);
        }
    }

    fn excursion(&self, family: Family, place: Place) -> Option<&Excursion> {
        self.spots.key(family, place)?.excursion.as_deref()
    }

    /// Too few messages, nearly all to one tenant; the alarm comes again with the next one.
    fn is_one_tenant(&self, place: Place, alarm: &Alarm, settings: &Settings) -> bool {
        let Some(all) = self.excursion(Family::Throttle, place) else { return false };
        // What was refused before the likeliest start is another story.
        let since = all.counts.k - alarm.start.k;
        let few = |k: f64| k >= 0.9 * since && since < settings.tenant_messages;
        match place {
            Place::Domain(_) => few(since),
            Place::Platform(Platform::M365) => self.spots.keys(Family::Throttle).any(|(p, key)| {
                matches!(p, Place::Domain(_)) && key.excursion.as_deref().is_some_and(|e| few(e.counts.k))
            }),
            _ => false,
        }
    }

    /// An alarm of the platform that one forest explains, while that forest's own alarm has still to last.
    fn is_part_of_a_forest(&self, family: Family, scope: Place, settings: &Settings) -> bool {
        let level = Self::level(family, scope, settings);
        self.excursion(family, scope).is_some_and(|e| e.wait(level) == Wait::Part && !e.is_patient())
    }

    fn seed_places(&self, event: &mut Event, platform: Platform) {
        let family = event.family;
        let mut found: Vec<(Place, Counts, i64, i64)> = self
            .spots
            .keys(family)
            .filter(|(p, _)| p.platform() == platform && !matches!(p, Place::Platform(_)))
            .filter_map(|(p, key)| {
                let excursion = key.excursion.as_deref()?;
                let start = excursion.start().second.max(event.start);
                Some((p, excursion.counts, start, key.last.max(start)))
            })
            .collect();
        // The most refused are kept. Ties are cut by time, which is content.
        found.sort_by(|a, b| b.1.k.total_cmp(&a.1.k).then(a.2.cmp(&b.2)).then(a.3.cmp(&b.3)));
        for (place, counts, first, last) in found {
            event.seed(place, counts, first, last);
        }
    }

    /// The narrowest place that explains an alarm, and the places that were weighed.
    fn scope_of(&self, family: Family, place: Place) -> (Place, Vec<Gain>) {
        let platform = place.platform();
        let whole = Place::Platform(platform);
        let excursion = |place| self.excursion(family, place);
        let gain = match place {
            Place::Sender(_) => return (place, Vec::new()),
            Place::Forest(_) | Place::Domain(_) => excursion(place).map(|inside| {
                let now = self.running[family as usize][platform as usize];
                let outside = now.minus(inside.platform_before).minus(inside.counts);
                Gain { place, inside: inside.counts, outside, p0: inside.p0 }
            }),
            // With 70 % of the refusals there is hardly more than one.
            Place::Platform(_) => excursion(whole).and_then(|all| {
                self.spots
                    .keys(family)
                    .filter(|(p, _)| p.platform() == platform && *p != whole)
                    .filter_map(|(p, key)| Some((p, key.excursion.as_deref()?.counts)))
                    .filter(|(_, inside)| inside.k >= 0.7 * all.counts.k)
                    .map(|(place, inside)| Gain {
                        place,
                        inside,
                        outside: all.counts.minus(inside),
                        p0: all.p0,
                    })
                    .max_by(|a, b| a.value().total_cmp(&b.value()))
            }),
        };
        let scope = gain.filter(|gain| gain.value() > 2.0).map_or(whole, |gain| gain.place);
        (scope, gain.into_iter().collect())
    }
}
