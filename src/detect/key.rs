//! The statistic of one key: a baseline, and a mixture of CUSUMs while something is going on.

use std::collections::VecDeque;

use super::trial::{LineRef, Trial};
use crate::microsoft::Signal;

/// The shares of refusals that are looked for.
pub(super) const SHARES: [f64; 4] = [0.08, 0.2, 0.45, 0.9];
/// Above this many trials the baseline is halved, so that it can follow.
const BASELINE_LIMIT: f64 = 20_000.0;
/// Refusals of which the time is kept: an alarm rarely needs more.
const LATE_LIMIT: usize = 16;
/// Points of the hull that are kept.
const HULL_LIMIT: usize = 48;

/// New evidence that makes an onset of an alarm that must last.
pub(super) const PATIENT: f64 = 4.6;
/// New evidence that drops it.
const OUT_OF_PATIENCE: f64 = -2.3;
/// Evidence that nearly all is refused, not half of it, as a front end with a stale list does: eight refusals in a row.
pub(super) const NEARLY_ALL: f64 = 4.6;

/// Trials and refusals.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Counts {
    pub(super) n: f64,
    pub(super) k: f64,
}

impl Counts {
    pub(super) fn share(self) -> f64 {
        if self.n > 0.0 { self.k / self.n } else { 0.0 }
    }

    pub(super) fn minus(self, other: Self) -> Self {
        let n = (self.n - other.n).max(0.0);
        Self { n, k: (self.k - other.k).clamp(0.0, n) }
    }

    /// Log likelihood under a share.
    fn log_likelihood(self, q: f64) -> f64 {
        let term = |count: f64, p: f64| if count > 0.0 { count * p.ln() } else { 0.0 };
        term(self.k, q) + term(self.n - self.k, 1.0 - q)
    }
}

fn looks_for(p0: f64, smallest: f64, q: f64) -> bool {
    q >= smallest && (q >= 2.0 * p0 || (q == 0.9 && q > p0))
}

/// How much better "only inside is refused" explains the counts than "all alike".
pub(super) fn gain(inside: Counts, outside: Counts, p0: f64) -> f64 {
    let all = Counts { n: inside.n + outside.n, k: inside.k + outside.k };
    inside.log_likelihood(inside.share()) + outside.log_likelihood(p0.clamp(0.01, 0.3))
        - all.log_likelihood(all.share())
}

/// The usual share of refusals, seen from the baseline.
pub(super) fn usual_share(baseline: Counts, floor: f64) -> f64 {
    let u = baseline.k + 0.5;
    ((u + u.sqrt()) / (baseline.n + 30.0)).clamp(floor, 0.5)
}

/// "Just before this refusal", counted from the excursion's first trial.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) second: i64,
    pub(super) line: LineRef,
    pub(super) n: f64,
    pub(super) k: f64,
    /// The same in attempts, for the event's tally.
    pub(super) attempts: u64,
    pub(super) refused: u64,
    pub(super) bounced: u64,
}

/// From the first refusal while all sums are 0 until all are 0 again.
#[derive(Clone, Debug)]
pub(super) struct Excursion {
    pub(super) p0: f64,
    pub(super) counts: Counts,
    pub(super) busy: f64,
    pub(super) attempts: u64,
    pub(super) refused: u64,
    pub(super) bounced: u64,
    /// Smaller shares are not looked for.
    pub(super) smallest: f64,
    /// The platform's running counts just before the first refusal.
    pub(super) platform_before: Counts,
    /// Reply ids and how often, at most 16.
    pub(super) replies: Vec<(u32, u64)>,
    sums: [f64; 4],
    /// The same for nearly all against half of it.
    nearly_all: f64,
    /// What a pass and a refusal add.
    ratios: [Ratios; 2],
    hull: Vec<Candidate>,
    /// The last refusals: their second, and the counts after them.
    late: VecDeque<(i64, Counts)>,
    /// What new evidence has come since an alarm that must last.
    patience: Option<Patience>,
}

/// Logarithms of how much likelier a trial is with a share of refusals than with the usual one.
#[derive(Clone, Copy, Debug)]
struct Ratios {
    /// By share, as in [`SHARES`]; 0 where it is not looked for.
    of: [f64; 4],
    nearly_all: f64,
}

/// How long an alarm must last before it is an onset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    None,
    /// "Server busy" blames nobody, and is over in minutes.
    Busy,
    /// A part of one forest: a front end of it whose list is stale, as a rule for half an hour.
    Part,
}

impl Wait {
    /// Seconds before new evidence is summed.
    pub(super) fn seconds(self) -> i64 {
        match self {
            Self::None => 0,
            Self::Busy => 600,
            Self::Part => 1800,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Patience {
    /// When new evidence begins to be summed.
    from: i64,
    q: f64,
    sum: f64,
}

/// Baseline and excursion of a key.
#[derive(Clone, Debug, Default)]
pub(super) struct Key {
    pub(super) baseline: Counts,
    pub(super) excursion: Option<Box<Excursion>>,
    pub(super) last: i64,
}

/// One trial, as a key sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) second: i64,
    pub(super) refused: bool,
    pub(super) busy: bool,
    pub(super) reply: u32,
    pub(super) line: LineRef,
    pub(super) attempts: u32,
    pub(super) refused_attempts: u32,
    pub(super) bounced: bool,
    pub(super) platform_before: Counts,
}

impl Step {
    pub(super) fn of(trial: &Trial, refused: bool, platform_before: Counts) -> Self {
        Self {
            second: trial.of.second,
            refused,
            busy: trial.of.signal == Signal::Busy,
            reply: trial.of.reply,
            line: trial.of.line,
            attempts: trial.attempts,
            refused_attempts: if refused { trial.refused } else { 0 },
            bounced: trial.bounced,
            platform_before,
        }
    }
}

/// What a key needs to be told by its source.
#[derive(Clone, Copy, Debug)]
pub(super) struct Level {
    /// The least share that counts as usual.
    pub(super) floor: f64,
    /// ln A.
    pub(super) threshold: f64,
    /// Smaller shares are not looked for.
    pub(super) smallest: f64,
    /// A key of a forest, where a part that is refused must last.
    pub(super) waits_for_part: bool,
}

/// An alarm, with the likeliest change point.
#[derive(Clone, Copy, Debug)]
pub(super) struct Alarm {
    pub(super) start: Candidate,
    /// ln of the mean evidence ratio.
    pub(super) evidence: f64,
}

impl Key {
    pub(super) fn new(passes: u64) -> Self {
        let mut key = Self::default();
        key.baseline.n = passes as f64;
        while key.baseline.n > BASELINE_LIMIT {
            key.baseline.n /= 2.0;
        }
        key
    }

    fn learn(&mut self, counts: Counts) {
        self.baseline.n += counts.n;
        self.baseline.k += counts.k;
        while self.baseline.n > BASELINE_LIMIT {
            self.baseline.n /= 2.0;
            self.baseline.k /= 2.0;
        }
    }

    /// Ends an excursion without learning from it: it has become an event.
    pub(super) fn forget(&mut self) {
        self.excursion = None;
    }

    /// Ends an excursion, which turned out to be nothing.
    pub(super) fn close(&mut self) {
        if let Some(excursion) = self.excursion.take() {
            self.learn(excursion.counts);
        }
    }

    #[cfg(test)]
    fn p0(&self, floor: f64) -> f64 {
        self.excursion.as_ref().map_or_else(|| usual_share(self.baseline, floor), |e| e.p0)
    }

    /// Takes one trial that passed, while nothing is going on.
    pub(super) fn pass(&mut self, second: i64) {
        self.last = second;
        self.learn(Counts { n: 1.0, k: 0.0 });
    }

    /// Takes one trial; an alarm comes only at a refusal.
    pub(super) fn step(&mut self, step: &Step, level: Level) -> Option<Alarm> {
        if self.excursion.is_none() && !step.refused {
            self.pass(step.second);
            return None;
        }
        self.last = step.second;
        if self.excursion.is_none() {
            let p0 = usual_share(self.baseline, level.floor);
            self.excursion = Some(Box::new(Excursion::new(p0, level.smallest, step.platform_before)));
        }
        let known = self.baseline.n;
        let excursion = self.excursion.as_mut()?;
        excursion.take(step);
        if excursion.sums.iter().all(|s| *s <= 0.0) || excursion.lost_patience(step) {
            self.close();
            return None;
        }
        let least = if known < 10.0 { 4.0 } else { 3.0 };
        if !step.refused || excursion.counts.k < least {
            return None;
        }
        let mut evidence = excursion.evidence();
        if evidence < level.threshold && excursion.patience.is_none() {
            return None;
        }
        let start = excursion.change_point();
        let wait = excursion.wait(level);
        if wait == Wait::None {
            if evidence < level.threshold {
                return None;
            }
        } else {
            if excursion.patience(&start, wait).sum < PATIENT {
                return None;
            }
            evidence = evidence.max(level.threshold);
        }
        Some(Alarm { start, evidence })
    }
}

impl Excursion {
    fn new(p0: f64, smallest: f64, platform_before: Counts) -> Self {
        let ratio = |q: f64, of: f64| if looks_for(p0, smallest, q) { of.ln() } else { 0.0 };
        let passed =
            Ratios { of: SHARES.map(|q| ratio(q, (1.0 - q) / (1.0 - p0))), nearly_all: (0.1_f64 / 0.5).ln() };
        let refused = Ratios { of: SHARES.map(|q| ratio(q, q / p0)), nearly_all: (0.9_f64 / 0.5).ln() };
        Self {
            ratios: [passed, refused],
            p0,
            smallest,
            counts: Counts::default(),
            busy: 0.0,
            attempts: 0,
            refused: 0,
            bounced: 0,
            platform_before,
            replies: Vec::new(),
            sums: [0.0; 4],
            nearly_all: 0.0,
            hull: Vec::new(),
            late: VecDeque::new(),
            patience: None,
        }
    }

    /// Just before its first refusal (the first corner of the hull always stays).
    pub(super) fn start(&self) -> Candidate {
        self.hull[0]
    }

    /// The shares that are far enough from the usual one.
    pub(super) fn looks_for(&self, q: f64) -> bool {
        looks_for(self.p0, self.smallest, q)
    }

    /// Half of the refusals or more say only that the server is busy.
    pub(super) fn is_busy(&self) -> bool {
        self.busy * 2.0 >= self.counts.k
    }

    /// Whether an alarm must last.
    pub(super) fn wait(&self, level: Level) -> Wait {
        if self.is_busy() {
            Wait::Busy
        } else if level.waits_for_part && self.nearly_all < NEARLY_ALL {
            Wait::Part
        } else {
            Wait::None
        }
    }

    /// A retry of a message that has counted: it is in the tallies only.
    pub(super) fn take_retry(&mut self, attempts: u32, refused: u32) {
        self.attempts += u64::from(attempts);
        self.refused += u64::from(refused);
    }

    fn take(&mut self, step: &Step) {
        if step.refused {
            self.add_candidate(Candidate {
                second: step.second,
                line: step.line,
                n: self.counts.n,
                k: self.counts.k,
                attempts: self.attempts,
                refused: self.refused,
                bounced: self.bounced,
            });
            self.counts.k += 1.0;
            self.busy += f64::from(u8::from(step.busy));
            self.refused += u64::from(step.refused_attempts);
            self.bounced += u64::from(step.bounced);
            add_reply(&mut self.replies, step.reply);
        }
        self.counts.n += 1.0;
        self.attempts += u64::from(step.attempts);
        if step.refused {
            if self.late.len() >= LATE_LIMIT {
                self.late.pop_front();
            }
            self.late.push_back((step.second, self.counts));
        }
        let ratios = self.ratios[usize::from(step.refused)];
        self.nearly_all = (self.nearly_all + ratios.nearly_all).max(0.0);
        for (sum, ratio) in self.sums.iter_mut().zip(ratios.of) {
            *sum = (*sum + ratio).max(0.0);
        }
    }

    /// The wait that an alarm begins, or has begun. What has come after its time counts, also where the alarm came late.
    fn patience(&mut self, start: &Candidate, wait: Wait) -> Patience {
        let since = self.counts.minus(Counts { n: start.n, k: start.k });
        let from = start.second + wait.seconds();
        let fresh = || {
            let q = since.share().clamp(0.1, 0.9);
            let early = self.late.iter().rfind(|(second, _)| *second < from).map(|(_, counts)| *counts);
            let new = early.map_or(since, |early| self.counts.minus(early));
            let passes = new.n - new.k;
            let sum = new.k * (q / self.p0).ln() + passes * ((1.0 - q) / (1.0 - self.p0)).ln();
            Patience { from, q, sum }
        };
        *self.patience.get_or_insert_with(fresh)
    }

    /// Sums what came after the time of patience; true when the candidate is to be dropped.
    fn lost_patience(&mut self, step: &Step) -> bool {
        let p0 = self.p0;
        let Some(patience) = &mut self.patience else { return false };
        if step.second >= patience.from {
            let q = patience.q.max(p0 * 1.5).min(0.95);
            patience.sum += if step.refused { (q / p0).ln() } else { ((1.0 - q) / (1.0 - p0)).ln() };
        }
        patience.sum <= OUT_OF_PATIENCE
    }

    /// ln of the mean over the shares of exp(sum).
    pub(super) fn evidence(&self) -> f64 {
        let sums = || SHARES.iter().zip(self.sums).filter(|(q, _)| self.looks_for(**q)).map(|(_, s)| s);
        let greatest = sums().fold(0.0, f64::max);
        let total: f64 = sums().map(|s| (s - greatest).exp()).sum();
        greatest + (total / sums().count().max(1) as f64).ln()
    }

    /// Keeps the lower convex hull of (n, k): only its corners can be the best change point.
    fn add_candidate(&mut self, new: Candidate) {
        while let [.., a, b] = self.hull.as_slice() {
            if (b.k - a.k) * (new.n - b.n) >= (new.k - b.k) * (b.n - a.n) {
                self.hull.pop();
            } else {
                break;
            }
        }
        if self.hull.len() >= HULL_LIMIT {
            let mut at = 0;
            self.hull.retain(|_| {
                at += 1;
                at > HULL_LIMIT / 2 || at % 2 == 1
            });
        }
        self.hull.push(new);
    }

    /// Where the refusals likeliest began.
    pub(super) fn change_point(&self) -> Candidate {
        let mut best = (f64::NEG_INFINITY, self.hull[0]);
        for candidate in &self.hull {
            if let Some(score) = self.score(candidate)
                && score > best.0
            {
                best = (score, *candidate);
            }
        }
        best.1
    }

    /// How well "since then" explains the trials.
    fn score(&self, candidate: &Candidate) -> Option<f64> {
        let since = Counts { n: self.counts.n - candidate.n, k: self.counts.k - candidate.k };
        let q = since.share().min(0.97);
        (q > 0.0)
            .then(|| since.k * (q / self.p0).ln() + (since.n - since.k) * ((1.0 - q) / (1.0 - self.p0)).ln())
    }

    /// The candidates for the change point, with their scores.
    pub(super) fn candidates(&self) -> Vec<(Candidate, f64)> {
        self.hull.iter().filter_map(|c| Some((*c, self.score(c)?))).collect()
    }

    /// By share, as in [`SHARES`].
    pub(super) fn sums(&self) -> [f64; 4] {
        self.sums
    }

    /// Evidence that nearly all is refused, not half of it.
    pub(super) fn nearly_all(&self) -> f64 {
        self.nearly_all
    }

    /// Has lasted long enough.
    pub(super) fn is_patient(&self) -> bool {
        self.patience.is_some_and(|p| p.sum >= PATIENT)
    }

    /// Of an alarm that must last the share that is looked for, and the new evidence.
    pub(super) fn patience_so_far(&self) -> Option<(f64, f64)> {
        self.patience.map(|p| (p.q, p.sum))
    }
}

/// Counts a reply, at most 16 kinds.
pub(super) fn add_reply(replies: &mut Vec<(u32, u64)>, reply: u32) {
    if let Some((_, count)) = replies.iter_mut().find(|(id, _)| *id == reply) {
        *count += 1;
    } else if replies.len() < 16 {
        replies.push((reply, 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(refused: bool, second: i64) -> Step {
        Step {
            second,
            refused,
            busy: false,
            reply: 1,
            line: LineRef::default(),
            attempts: 1,
            refused_attempts: u32::from(refused),
            bounced: false,
            platform_before: Counts::default(),
        }
    }

    fn close(a: f64, b: f64, by: f64) -> bool {
        (a - b).abs() < by
    }

    const LEVEL: Level =
        Level { floor: 0.002, threshold: 12.611_537_753_638_338, smallest: 0.08, waits_for_part: false };

    #[test]
    fn the_worked_example_refusals_in_a_row() {
        let mut key = Key::new(1000);
        assert_eq!(key.p0(0.002), 0.002);
        assert!(close(300_000_f64.ln(), LEVEL.threshold, 1e-9));
        assert!(key.step(&step(true, 1), LEVEL).is_none());
        assert!(key.step(&step(true, 2), LEVEL).is_none());
        let excursion = key.excursion.as_ref().expect("runs");
        for (sum, expected) in excursion.sums.iter().zip([7.378, 9.210, 10.832, 12.218]) {
            assert!(close(*sum, expected, 0.001), "{sum} {expected}");
        }
        assert!(close(excursion.evidence(), 11.10, 0.005));
        let alarm = key.step(&step(true, 3), LEVEL).expect("alarm at the third");
        let excursion = key.excursion.as_ref().expect("runs");
        for (sum, expected) in excursion.sums.iter().zip([11.067, 13.816, 16.248, 18.328]) {
            assert!(close(*sum, expected, 0.001), "{sum} {expected}");
        }
        assert!(close(alarm.evidence, 17.07, 0.005));
        assert_eq!((alarm.start.second, alarm.start.n), (1, 0.0));
    }

    #[test]
    fn the_worked_example_with_a_pass_between() {
        let mut key = Key::new(1000);
        for (at, refused) in [true, false, true, false].into_iter().enumerate() {
            assert!(key.step(&step(refused, at as i64), LEVEL).is_none());
        }
        let alarm = key.step(&step(true, 9), LEVEL).expect("alarm at the third");
        let excursion = key.excursion.as_ref().expect("runs");
        for (sum, expected) in excursion.sums.iter().zip([10.904, 13.373, 15.057, 13.727]) {
            assert!(close(*sum, expected, 0.002), "{sum} {expected}");
        }
        assert!(close(alarm.evidence, 14.05, 0.005));
    }

    #[test]
    fn passes_end_an_excursion_and_go_to_the_baseline() {
        let mut key = Key::new(1000);
        key.step(&step(true, 0), LEVEL);
        for second in 1..200 {
            key.step(&step(false, second), LEVEL);
        }
        assert!(key.excursion.is_none());
        assert_eq!(key.baseline, Counts { n: 1200.0, k: 1.0 });
    }

    #[test]
    fn the_hull_stays_small() {
        let mut key = Key::new(100_000);
        let level = Level { threshold: f64::INFINITY, ..LEVEL };
        let mut state = 7_u64;
        for second in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            key.step(&step((state >> 33) % 20_000 < second as u64, second), level);
            if let Some(excursion) = &key.excursion {
                assert!(excursion.hull.len() <= HULL_LIMIT);
            }
        }
    }
}
