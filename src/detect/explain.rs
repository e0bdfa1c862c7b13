//! The arithmetic of one event as text, for who wants to follow it: the detector runs again over its source, and this
//! time writes down what it computes.

use std::collections::VecDeque;
use std::fmt::Write;

use foldhash::fast::FixedState;

use crate::microsoft::Platform;
use crate::record::Time;

use super::event::{Event, Place};
use super::key::{Alarm, Counts, Excursion, Key, NEARLY_ALL, PATIENT, SHARES, Step, Wait, gain};
use super::onset::{Basis, Family};
use super::resolve::resolve;
use super::trial::{Names, Observation, content_order};
use super::{Detector, Settings};

/// Rows that are kept at the beginning of an excursion, and as many at its end.
const ROWS: usize = 24;

/// A place against what lies around it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gain {
    pub(super) place: Place,
    pub(super) inside: Counts,
    pub(super) outside: Counts,
    pub(super) p0: f64,
}

impl Gain {
    pub(super) fn value(&self) -> f64 {
        gain(self.inside, self.outside, self.p0)
    }
}

/// One refusal, or passes in a row, and where the sums stood after it.
#[derive(Clone, Copy, Debug)]
struct Row {
    refused: bool,
    trials: u64,
    until: i64,
    sums: [f64; 4],
    evidence: f64,
}

/// An excursion, row by row.
#[derive(Clone, Debug, Default)]
struct Track {
    first: Vec<Row>,
    last: VecDeque<Row>,
    left_out: u64,
}

impl Track {
    fn add(&mut self, step: &Step, excursion: &Excursion) {
        let sums = excursion.sums();
        let mut row = Row {
            refused: step.refused,
            trials: 1,
            until: step.second,
            sums,
            evidence: excursion.evidence(),
        };
        let last = self.last.back_mut().or(self.first.last_mut());
        if let Some(last) = last.filter(|last| !last.refused && !step.refused) {
            row.trials += last.trials;
            *last = row;
        } else if self.first.len() < ROWS {
            self.first.push(row);
        } else {
            self.last.push_back(row);
            if self.last.len() > ROWS {
                self.last.pop_front();
                self.left_out += 1;
            }
        }
    }
}

/// What came of an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Came {
    Began,
    /// The statistic agreed with Microsoft's words.
    Agreed,
    /// An active event grew.
    Joined,
}

/// An alarm with all that led to it.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    pub(super) family: Family,
    pub(super) place: Place,
    pub(super) scope: Place,
    pub(super) at: i64,
    pub(super) alarm: Alarm,
    pub(super) baseline: Counts,
    pub(super) floor: f64,
    pub(super) excursion: Excursion,
    pub(super) trials_a_day: f64,
    pub(super) gains: Vec<Gain>,
}

/// What a source writes down.
#[derive(Clone, Debug, Default)]
pub(super) struct Trace {
    running: std::collections::HashMap<(Family, Place), Track, FixedState>,
    findings: Vec<(usize, Came, Finding, Track)>,
    /// Events by Microsoft's own words, and how many attempts the day before had.
    stated: Vec<(usize, u64)>,
}

impl Trace {
    /// A key has taken a trial.
    pub(super) fn took(&mut self, family: Family, place: Place, key: &Key, step: &Step) {
        match key.excursion.as_deref() {
            None => {
                self.running.remove(&(family, place));
            }
            Some(excursion) => {
                let track = self.running.entry((family, place)).or_default();
                if excursion.counts.n <= 1.0 {
                    *track = Track::default();
                }
                track.add(step, excursion);
            }
        }
    }

    pub(super) fn found(&mut self, event: usize, came: Came, finding: Finding) {
        let track = self.running.get(&(finding.family, finding.place)).cloned().unwrap_or_default();
        self.findings.push((event, came, finding, track));
    }

    pub(super) fn stated(&mut self, event: usize, day_before: u64) {
        self.stated.push((event, day_before));
    }
}

/// The arithmetic of the event with this id, from all attempts of its source; `None` where there is no such event.
pub fn explain(
    observations: &mut [Observation],
    names: &impl Names,
    settings: Settings,
    range_end: i64,
    id: &str,
) -> Option<String> {
    observations.sort_unstable_by(|a, b| content_order(a, b, names));
    let mut detector = Detector::tracing(settings);
    observations.iter().for_each(|observation| detector.push(observation));
    detector.finish(range_end);
    detector.sources.iter().find_map(|source| {
        let index = source.events.iter().position(|event| resolve(event, names).id == id)?;
        let trace = source.trace.as_deref()?;
        Some(Teller { names, settings, text: String::new() }.tell(&source.events[index], index, trace))
    })
}

struct Teller<'n, N> {
    names: &'n N,
    settings: Settings,
    text: String,
}

impl<N: Names> Teller<'_, N> {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn place(&self, place: Place) -> String {
        match place {
            Place::Platform(Platform::Consumer) => "the consumer platform".to_owned(),
            Place::Platform(platform) => format!("the platform {}", platform.name()),
            Place::Forest(id) => format!("the datacenters {}", self.names.forest(id)),
            Place::Domain(id) => format!("the recipient domain {}", self.names.domain(id)),
            Place::Sender(id) => format!("the sender domain {}", self.names.sender_domain(id)),
        }
    }

    fn tell(mut self, event: &Event, index: usize, trace: &Trace) -> String {
        let onset = resolve(event, self.names);
        let source = self.names.source(event.source);
        let who = [source.ip, source.name, source.host].into_iter().flatten().next().unwrap_or_default();
        self.line(&format!("Event {} of source {who}", onset.id));
        if let Some((_, day_before)) = trace.stated.iter().find(|(of, _)| *of == index) {
            self.line(&format!(
                "\nStated, decided {}: the reply itself says that the IP is listed or banned. That is enough where \
                 fewer than {} attempts were made there in the day before; there were {day_before}. confidence 0.9 \
                 by convention.",
                Time::from_seconds(event.decided_at),
                self.settings.stated_below
            ));
        }
        for (_, came, finding, track) in trace.findings.iter().filter(|(of, ..)| *of == index) {
            self.alarm(event, *came, finding, track);
        }
        if let Some(narrowed) = event.narrowed() {
            self.line("\nIt was narrower than it seemed:");
            self.gain(&narrowed, 3.0);
        }
        self.clear(event);
        self.text
    }

    fn alarm(&mut self, event: &Event, came: Came, finding: &Finding, track: &Track) {
        let Finding { family, place, scope, at, alarm, baseline, floor, excursion, trials_a_day, gains } =
            finding;
        let series = match family {
            Family::Block => "block",
            Family::Throttle => "throttle",
            Family::Auth => "auth",
        };
        let word = match came {
            Came::Began => "Alarm by rate",
            Came::Agreed => "Rate: the statistic agrees with Microsoft's words",
            Came::Joined => "Alarm that widened the event",
        };
        let at = Time::from_seconds(*at);
        self.line(&format!("\n{word}, {at}: series {series}, key {}", self.place(*place)));
        let Counts { n, k } = *baseline;
        let u = k + 0.5;
        self.line(&format!(
            "  usual     N = {n:.0} trials, K = {k:.0} refused; u = K + 0.5 = {u:.1}; (u + sqrt u) / (N + 30) = \
             {:.6}, within {floor} and 0.5: p0 = {:.6}",
            (u + u.sqrt()) / (n + 30.0),
            excursion.p0
        ));
        let alpha = self.settings.alpha;
        let a = 3.0 * trials_a_day / alpha;
        self.line(&format!(
            "  threshold A = 3 x {trials_a_day:.0} trials a day (at least 20) / alpha {alpha} = {a:.0}; ln A = {:.2}",
            a.ln()
        ));
        self.steps(excursion);
        self.line("  until                  trials        S 0.08   S 0.20   S 0.45   S 0.90   ln mean exp");
        self.rows(track.first.iter());
        if track.left_out > 0 {
            self.line(&format!("  … {} rows left out", track.left_out));
        }
        self.rows(track.last.iter());
        let least = if n < 10.0 { 4 } else { 3 };
        if let Some((q, sum)) = excursion.patience_so_far().filter(|(_, sum)| *sum >= PATIENT) {
            let (why, seconds) = if excursion.is_busy() {
                ("\"Server busy\" blames nobody", Wait::Busy.seconds())
            } else {
                ("a part of one forest may be one front end", Wait::Part.seconds())
            };
            self.line(&format!(
                "  alarm     {why}: after {seconds} s new evidence at q = {q:.2} sums to {sum:.2}, at least {PATIENT}, \
                 at a refusal"
            ));
        } else {
            let nearly_all = if *family == Family::Block && matches!(place, Place::Forest(_)) {
                format!("; nearly all refused, not half: {:.2} >= {NEARLY_ALL}", excursion.nearly_all())
            } else {
                String::new()
            };
            self.line(&format!(
                "  alarm     at a refusal, {:.0} refusals (at least {least}), {:.2} >= {:.2}{nearly_all}",
                excursion.counts.k,
                alarm.evidence,
                a.ln()
            ));
        }
        let candidates = excursion.candidates();
        let start = alarm.start;
        let since = excursion.counts.minus(Counts { n: start.n, k: start.k });
        let score = candidates.iter().find(|(c, _)| c.n == start.n).map_or(0.0, |(_, score)| *score);
        self.line(&format!(
            "  start     {}: of {} candidates (just before a refusal) the best, {:.0} of {:.0} refused since, score \
             {score:.2}",
            Time::from_seconds(start.second),
            candidates.len(),
            since.k,
            since.n
        ));
        for gain in gains {
            self.gain(gain, 2.0);
        }
        self.line(&format!("  scope     {}", self.place(*scope)));
        if came == Came::Began && event.basis == Basis::Rate {
            self.line(&format!(
                "  confidence 1 - 3 x {trials_a_day:.0} / exp({:.2}), at most 0.9999: {:.4}",
                alarm.evidence, event.confidence
            ));
        }
    }

    /// What one trial adds.
    fn steps(&mut self, excursion: &Excursion) {
        let p0 = excursion.p0;
        let list = |of: &dyn Fn(f64) -> f64| {
            SHARES
                .iter()
                .map(
                    |q| if excursion.looks_for(*q) { format!("{:+.3}", of(*q)) } else { "unused".to_owned() },
                )
                .collect::<Vec<_>>()
                .join(", ")
        };
        let refusal = list(&|q| (q / p0).ln());
        let pass = list(&|q| ((1.0 - q) / (1.0 - p0)).ln());
        self.line(&format!("  a refusal adds ln(q / p0) = {refusal}"));
        self.line(&format!("  a pass adds ln((1 - q) / (1 - p0)) = {pass}; no sum falls below 0"));
    }

    fn rows<'r>(&mut self, rows: impl Iterator<Item = &'r Row>) {
        for row in rows {
            let what = if row.refused { "refused" } else { "passed" };
            let [a, b, c, d] = row.sums;
            let _ = writeln!(
                self.text,
                "  {:<20} {:>6} {what:<7} {a:>8.3} {b:>8.3} {c:>8.3} {d:>8.3} {:>13.2}",
                Time::from_seconds(row.until).to_string(),
                row.trials,
                row.evidence
            );
        }
    }

    fn gain(&mut self, gain: &Gain, needed: f64) {
        let line = format!(
            "  gain      only {}: inside {:.0} of {:.0} refused, outside {:.0} of {:.0}; {:.2} {} {needed}",
            self.place(gain.place),
            gain.inside.k,
            gain.inside.n,
            gain.outside.k,
            gain.outside.n,
            gain.value(),
            if gain.value() > needed { ">" } else { "<=" }
        );
        self.line(&line);
    }

    fn clear(&mut self, event: &Event) {
        let clearing = event.clearing();
        let Counts { n, k } = clearing.counts;
        let time = |second: i64| Time::from_seconds(second).to_string();
        let since = clearing.since.map_or_else(|| "not set".to_owned(), time);
        self.line(&format!(
            "\nClear: {k:.0} of {n:.0} trials refused up to the last refusal that counted, {:.0} trials since",
            clearing.since_refusal
        ));
        self.line(&format!(
            "  qa = min(0.6 x ({k:.0} - 1) / ({n:.0} + 1), ({k:.0} - 1) / ({n:.0} + {:.0} + 1)), within {:.3} and 0.9, \
             = {:.3}; pc = {:.4}",
            clearing.since_refusal, clearing.least, clearing.qa, clearing.pc
        ));
        self.line(&format!(
            "  a refusal takes ln(qa / pc) = {:.3} from C, a pass adds ln((1 - pc) / (1 - qa)) = {:.3} (C at most 17.25)",
            (clearing.qa / clearing.pc).ln(),
            ((1.0 - clearing.pc) / (1.0 - clearing.qa)).ln()
        ));
        let after = self.settings.clear_after;
        self.line(&match event.cleared_at {
            Some(at) => format!(
                "  C = {:.2} >= 6.9 since {since}, for at least {after} s: cleared {}; the last refusal that counted: {}",
                clearing.sum,
                time(at),
                time(event.last_refused)
            ),
            None => format!(
                "  C = {:.2}, since: {since}; it clears when C was at least 6.9 for {after} s, by accepted attempts: \
                 active",
                clearing.sum
            ),
        });
    }
}
