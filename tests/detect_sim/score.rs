//! How well a rule did.

use std::collections::HashSet;

use eopwatch::detect::{Observation, Place};
use eopwatch::microsoft::{Platform, Signal};

use crate::mail::{Episode, HOUR, Kind, Simulated};
use crate::rules::Raised;

#[derive(Default)]
pub struct Score {
    pub episodes: usize,
    pub ip_days: f64,
    found: usize,
    right_scope: usize,
    clearable: usize,
    cleared: usize,
    pub premature: usize,
    /// Onsets beyond the first of an episode that does not pause.
    pub split: usize,
    /// Blocks that were told twice because the queue was on hold.
    pub held_twice: usize,
    false_alarms: usize,
    raised: usize,
    pub delays: Vec<usize>,
    full_delays: Vec<usize>,
    pub start_errors: Vec<usize>,
    /// What went wrong, for who wants to know why.
    pub notes: Vec<String>,
}

/// Whether an alarm is about this episode.
fn is_about(a: &Raised, e: &Episode) -> bool {
    a.family.is_none_or(|f| f == e.family())
        && (e.start..e.end + HOUR).contains(&a.decided)
        && a.scope.iter().any(|p| match p {
            Place::Platform(p) => *p == e.platform,
            Place::Domain(_) => e.platform == Platform::M365,
            _ => e.platform == Platform::Consumer,
        })
}

fn is_right_scope(scope: &[Place], e: &Episode) -> bool {
    let whole = Place::Platform(e.platform);
    match e.kind {
        Kind::Forest => scope == [Place::Forest(e.what)],
        Kind::Tenant => scope == [Place::Domain(e.what)],
        Kind::Auth => scope == [Place::Sender(e.what)],
        Kind::Spread => scope == [whole] || matches!(scope, [Place::Forest(_)]),
        _ => scope == [whole],
    }
}

impl Score {
    pub fn judge(&mut self, mail: &Simulated, raised: &[Raised]) {
        self.ip_days += mail.days as f64;
        self.raised += raised.len();
        let mut explained = HashSet::new();
        for e in &mail.episodes {
            let of = |i: &usize| is_about(&raised[*i], e);
            let matching: Vec<usize> = (0..raised.len()).filter(of).collect();
            explained.extend(matching.iter().copied());
            let matching: Vec<&Raised> = matching.into_iter().map(|i| &raised[i]).collect();
            self.judge_episode(mail, e, &matching);
        }
        for (i, a) in raised.iter().enumerate().filter(|(i, _)| !explained.contains(i)) {
            self.false_alarms += 1;
            let own = |p: &Episode| (p.kind, a.decided - p.end);
            let episodes: Vec<_> = mail.episodes.iter().map(own).collect();
            self.notes.push(format!("false at {}: {a:?} of {i} {episodes:?}", mail.volume));
        }
    }

    fn judge_episode(&mut self, mail: &Simulated, e: &Episode, matching: &[&Raised]) {
        let during = |o: &&Observation| (e.start..e.end).contains(&o.second);
        let refusals: Vec<&Observation> = mail
            .observations
            .iter()
            .filter(during)
            .filter(|o| o.signal == e.signal() && e.concerns(o))
            .collect();
        let messages: HashSet<u64> = refusals.iter().map(|o| o.queue).collect();
        if messages.len() < 4 {
            return;
        }
        self.episodes += 1;
        let what = format!("{:?} at {}, {} messages", e.kind, mail.volume, messages.len());
        let (Some(first), Some(last)) = (matching.first(), matching.last()) else {
            self.notes.push(format!("missed: {what}, {} h", (e.end - e.start) / HOUR));
            return;
        };
        self.found += 1;
        let delay = refusals.iter().filter(|o| o.second <= first.decided).count();
        self.delays.push(delay);
        if e.kind == Kind::Full {
            self.full_delays.push(delay);
        }
        self.start_errors.push(first.start.abs_diff(refusals[0].second) as usize);
        if is_right_scope(&first.scope, e) {
            self.right_scope += 1;
        } else {
            self.notes.push(format!("scope: {what}: {:?}", first.scope));
        }
        let passed = |o: &&Observation| o.second >= e.end && o.signal == Signal::Pass && e.concerns(o);
        let after = mail.observations.iter().filter(passed).count();
        if after > 0 {
            self.clearable += 1;
            if last.cleared.is_some() {
                self.cleared += 1;
            } else {
                self.notes.push(format!("not cleared: {what}, {after} passes"));
            }
        }
        // A flap truly ends in between; a ramp and a weak block have long pauses, which are no end.
        if e.kind != Kind::Flap {
            let last_refusal = refusals.last().map_or(e.end, |o| o.second);
            let early = |a: &&&Raised| a.cleared.is_some_and(|at| at < last_refusal);
            let early = matching.iter().filter(early).count();
            if early > 0 {
                self.notes.push(format!("cleared too early: {what}, share {:.2}", e.share));
            }
            self.premature += early;
            self.split += matching.len() - 1;
            if matching.len() > 1 {
                self.notes.push(format!("split: {what}"));
                self.held_twice += usize::from(e.kind == Kind::Hold);
            }
        }
    }

    /// The value below which this part of the list lies.
    pub fn at(list: &[usize], part: f64) -> usize {
        let mut list = list.to_vec();
        list.sort_unstable();
        list.get(((list.len() as f64 * part) as usize).min(list.len().saturating_sub(1)))
            .copied()
            .unwrap_or(0)
    }

    fn ratio(a: usize, b: usize) -> f64 {
        a as f64 / b.max(1) as f64
    }

    pub fn recall(&self) -> f64 {
        Self::ratio(self.found, self.episodes)
    }
    pub fn false_a_day(&self) -> f64 {
        self.false_alarms as f64 / self.ip_days
    }
    pub fn scope(&self) -> f64 {
        Self::ratio(self.right_scope, self.found)
    }
    pub fn cleared(&self) -> f64 {
        Self::ratio(self.cleared, self.clearable)
    }

    pub fn row(&self, name: &str) -> String {
        format!(
            "| {name} | {:.3} | {:.4} | {:.2} | {} / {} | {} / {} | {:.2} | {:.2} | {} | {} |",
            self.recall(),
            self.false_a_day(),
            1.0 - Self::ratio(self.false_alarms, self.raised),
            Self::at(&self.delays, 0.5),
            Self::at(&self.delays, 0.9),
            Self::at(&self.full_delays, 0.5),
            Self::at(&self.full_delays, 0.9),
            self.scope(),
            self.cleared(),
            self.premature,
            self.split,
        )
    }
}
