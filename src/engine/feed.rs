//! Trials, in whatever order they are read -> the detector, in the order of time.
//!
//! Every input is known to be read up to some second, its frontier; trials up to the least of them are taken, later ones
//! wait. So memory holds what was read ahead, not the whole input. What comes behind the frontier after all:
//! - while whole files are read, it is said ([`Feed::is_disordered`]): they are read again, and all waits until the end;
//! - in a live run the state of ten minutes ago is taken up again and what came since is taken once more, with the late
//!   line in its place; what is later than that is counted and changes no event.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use foldhash::{HashMap, HashMapExt};

use crate::aggregate::{Learned, NameTables};
use crate::detect::{self, Detection, Detector, Observation, Onset, OtherProviders, Settings, SourceState};
use crate::microsoft::{Platform, Signal};

use super::ids::{Called, Ids};
use super::others::{Other, Others};
use super::trials::{Pass, Refusal, Trials};

/// Trials of a slice that is taken at once: their observations are five times as large.
const SLICE: usize = 1 << 19;
/// Between two looks at what will not change any more.
const SETTLE: i64 = 43_200;
/// Late lines of a live run are put in their place for so long, and for twice as long at most.
pub const WINDOW: i64 = 600;
/// No more trials of a source are kept for that.
const MOST_RECENT: usize = 1 << 20;
/// Time has gone on where so many trials say so: a single stamp may be a mistake.
const WITNESSES: usize = 5;
/// With so many trials in a [`WINDOW`], a gap as long as that is none of chance.
const DENSE: usize = 50;

/// The detection of a run.
pub struct Feed {
    ids: Ids,
    waiting: Trials,
    /// How many came since what waits was gone through.
    fresh: usize,
    detector: Detector,
    /// Failed authentication concerns the sender's domain: its series knows nothing of the others, so it can wait for the
    /// senders, which files that are read later may tell.
    blaming: Detector,
    blames: Trials,
    blamed: Blamed,
    others: OtherProviders,
    /// All up to this second was taken; in a live run the newest of what was.
    fed: i64,
    /// Where it was last: nothing before it waits any more.
    frontier: i64,
    settled: i64,
    is_disordered: bool,
    /// By source, once the run is live.
    windows: Option<HashMap<u32, Window>>,
    /// Too late for the window.
    late: u64,
    /// What was taken, where it is asked for again.
    kept: Option<Trials>,
}

/// What a live run may have to take once more of one source: each has a clock of its own.
struct Window {
    /// Two stretches of time, the older one first.
    stretches: [Stretch; 2],
    /// Trials since the older one began.
    recent: Trials,
}

/// Where the source stood before its first trial of a stretch.
struct Stretch {
    /// It began behind this second.
    base: i64,
    states: Option<[SourceState; 2]>,
}

/// By sender domain, the second in which its authentication was first refused: what was accepted before that is not in
/// its series.
pub type Blamed = HashMap<u32, i64>;

impl Feed {
    /// For inputs of these names. `blamed`: what is known of another reading of them. `keep`: for [`Self::explain`].
    pub fn new(paths: Vec<String>, settings: Settings, blamed: Blamed, keep: bool) -> Self {
        Self {
            ids: Ids::new(paths),
            waiting: Trials::default(),
            fresh: 0,
            detector: Detector::new(settings),
            blaming: Detector::new(settings),
            blames: Trials::default(),
            blamed,
            others: OtherProviders::default(),
            fed: i64::MIN,
            frontier: i64::MIN,
            settled: i64::MIN,
            is_disordered: false,
            windows: None,
            late: 0,
            kept: keep.then(Trials::default),
        }
    }

    /// Takes over what the tables have learned, before trials that use it are added.
    pub fn know(&mut self, names: &NameTables) {
        self.ids.extend(names);
    }

    /// Adds what was read.
    pub fn add(&mut self, trials: &mut Trials, others: &mut Others) {
        if self.windows.is_none() && trials.seconds().any(|second| second <= self.fed) {
            self.is_disordered = true;
        }
        if let Some(kept) = &mut self.kept {
            kept.passes.extend_from_slice(&trials.passes);
            kept.refusals.extend_from_slice(&trials.refusals);
        }
        self.fresh += trials.len();
        // Where all was held until the end, it comes at once: a copy would take as much memory again.
        match self.waiting.is_empty() {
            true => std::mem::swap(&mut self.waiting, trials),
            false => self.waiting.append(trials),
        }
        count(&mut self.others, &self.ids, others);
    }

    /// Trials of whole files came so late that the result is not that of their order.
    pub fn is_disordered(&self) -> bool {
        self.is_disordered
    }

    /// Whether a live run that is looked at again has more to say, though nothing was added: something waits, or the end of
    /// what was read does, and the frontier has not gone past the present. `end`, `now`: seconds.
    pub fn is_waiting(&self, end: i64, now: i64) -> bool {
        self.frontier < now && (!self.waiting.is_empty() || self.frontier < end)
    }

    /// Lines of a live run that came too late to change an event.
    pub fn late(&self) -> u64 {
        self.late
    }

    /// Nothing up to this second will come any more: takes what waits for it, if not at once.
    pub fn advance(&mut self, frontier: i64) {
        // What was read far ahead of the others waits for long: it is not gone through for the few that are due.
        let are_few = self.fresh < self.waiting.len() / 8;
        if are_few && self.windows.is_none() && frontier < i64::MAX {
            return;
        }
        self.fresh = 0;
        self.frontier = frontier;
        let mut due = self.waiting.take_until(frontier);
        if self.windows.is_some() {
            self.take_live(due);
        } else {
            due.sort();
            self.take_in_slices(&due);
            self.fed = self.fed.max(frontier);
        }
    }

    /// The files are read; their end is followed from now on. The last trials of each source wait for late ones.
    pub fn go_live(&mut self) {
        let newest = self.waiting.seconds().max().unwrap_or(self.fed);
        let mut windows = HashMap::new();
        let (mut before, mut after) = (Trials::default(), Trials::default());
        let waiting = std::mem::take(&mut self.waiting);
        for (source, mut own) in self.by_source(waiting) {
            let base = time_of(&own).map_or(i64::MIN, |time| time - 2 * WINDOW).max(self.fed);
            before.append(&mut own.take_until(base));
            after.append(&mut own);
            windows.insert(source, Window::new(base));
        }
        before.sort();
        self.take_in_slices(&before);
        self.windows = Some(windows);
        self.settle_blames();
        self.waiting = after;
        self.advance(newest);
    }

    /// Everything was read.
    pub fn finish(&mut self) {
        self.advance(i64::MAX);
        self.settle_blames();
    }

    /// Whom refusals blame, if there is an event of it; in a live run there may still be one.
    pub fn blamed(&self) -> Option<Blamed> {
        let may_be = self.windows.is_some() && !self.blamed.is_empty();
        (may_be || self.blaming.events().next().is_some()).then(|| self.blamed.clone())
    }

    /// Slice by slice of whole seconds.
    fn take_in_slices(&mut self, due: &Trials) {
        let (mut passes, mut refusals) = (&due.passes[..], &due.refusals[..]);
        while !passes.is_empty() || !refusals.is_empty() {
            let ends = [passes.get(SLICE).map(|p| p.second), refusals.get(SLICE).map(|r| r.pass.second)];
            let end = ends.into_iter().flatten().min().unwrap_or(u32::MAX);
            let (now_passes, now_refusals);
            (now_passes, passes) = passes.split_at(passes.partition_point(|p| p.second <= end));
            (now_refusals, refusals) = refusals.split_at(refusals.partition_point(|r| r.pass.second <= end));
            self.learn(now_refusals);
            self.count_others(now_passes, now_refusals);
            self.take(now_passes, now_refusals);
            let Self { ids, blames, blamed, .. } = self;
            blames.passes.extend(now_passes.iter().filter(|pass| may_blame(ids, blamed, pass)));
            blames.refusals.extend(now_refusals.iter().filter(|r| may_blame(ids, blamed, &r.pass)));
            let newest = [now_passes.last().map(|p| p.second), now_refusals.last().map(|r| r.pass.second)];
            let newest = newest.into_iter().flatten().max().map_or(self.settled, i64::from);
            if newest.saturating_sub(self.settled) > SETTLE {
                self.settle(newest);
            }
        }
    }

    fn by_source(&self, trials: Trials) -> HashMap<u32, Trials> {
        let mut sources: HashMap<u32, Trials> = HashMap::new();
        for pass in trials.passes {
            sources.entry(self.ids.source_of(pass.source)).or_default().passes.push(pass);
        }
        for refusal in trials.refusals {
            sources.entry(self.ids.source_of(refusal.pass.source)).or_default().refusals.push(refusal);
        }
        sources
    }

    /// Puts what is new behind what was taken; where it belongs before that, all of the source's window is taken once more.
    fn take_live(&mut self, due: Trials) {
        let Some(mut windows) = self.windows.take() else { return };
        // What is told about seconds that were taken concerns all sources.
        let is_news = self.learn(&due.refusals);
        self.count_others(&due.passes, &due.refusals);
        let mut sources = self.by_source(due);
        if is_news {
            for source in windows.keys() {
                sources.entry(*source).or_default();
            }
        }
        for (source, due) in sources {
            let newest = self.detector.newest(source).unwrap_or(i64::MIN);
            let window = windows.entry(source).or_insert_with(|| Window::new(newest));
            self.take_of(source, due, window, is_news);
        }
        self.windows = Some(windows);
        if self.fed.saturating_sub(self.settled) > SETTLE {
            self.settle(self.fed);
        }
    }

    fn take_of(&mut self, source: u32, mut due: Trials, window: &mut Window, again: bool) {
        let all = due.len();
        due.forget_until(window.stretches[0].base);
        self.late += (all - due.len()) as u64;
        let newest = self.detector.newest(source);
        if again || newest.is_some_and(|newest| due.seconds().any(|second| second <= newest)) {
            let [older, newer] = &mut window.stretches;
            let newer = newer.states.take();
            older.states = older.states.take().or(newer);
            if let Some([state, blamed]) = &older.states {
                self.detector.restore(source, state.clone());
                self.blaming.restore(source, blamed.clone());
            }
            due.append(&mut window.recent);
        }
        due.sort();
        let early = due.take_until(window.stretches[1].base);
        for (part, stretch) in [early, due].into_iter().zip(&mut window.stretches) {
            if part.is_empty() {
                continue;
            }
            stretch.states.get_or_insert_with(|| [self.detector.state(source), self.blaming.state(source)]);
            self.take(&part.passes, &part.refusals);
            self.take_blames(&part.passes, &part.refusals);
            self.fed = part.seconds().chain([self.fed]).max().unwrap_or(self.fed);
            window.recent.passes.extend(part.passes);
            window.recent.refusals.extend(part.refusals);
        }
        window.move_on();
    }

    /// Notes what refusals tell beside themselves, before they and others are taken; true if that is news about seconds that
    /// were taken.
    fn learn(&mut self, refusals: &[Refusal]) -> bool {
        let Self { ids, fed, .. } = self;
        let is_news = refusals.iter().fold(false, |news, refusal| ids.learn(refusal, *fed) | news);
        self.blame(refusals) | is_news
    }

    /// Takes trials in the order of time.
    fn take(&mut self, passes: &[Pass], refusals: &[Refusal]) {
        let passes = passes.iter().filter_map(|pass| self.ids.passed(pass));
        let refusals = refusals.iter().filter_map(|refusal| self.ids.refused(refusal));
        let of_any = |o: Observation| Observation { sender_domain: 0, ..o };
        let observations = self.ids.by_source(passes.chain(refusals).map(of_any));
        self.detector.push_all(observations.iter().map(Vec::as_slice));
    }

    /// Counts what is another provider's, as far as is known.
    fn count_others(&mut self, passes: &[Pass], refusals: &[Refusal]) {
        let Self { ids, others, .. } = self;
        let passes = passes.iter().map(|pass| (pass, true));
        let all = passes.chain(refusals.iter().map(|refusal| (&refusal.pass, false)));
        let mut found = Others::default();
        for (pass, is_delivered) in all.filter(|(pass, _)| !ids.is_ours(pass)) {
            found.add(Other { source: pass.source, second: pass.second, is_delivered });
        }
        count(others, ids, &mut found);
    }

    /// Notes whom refusals blame; true if that is news.
    fn blame(&mut self, refusals: &[Refusal]) -> bool {
        let mut is_news = false;
        for refusal in refusals.iter().filter(|refusal| self.ids.blames_sender(refusal)) {
            if let Some(sender) = self.ids.sender_of(&refusal.pass).filter(|sender| *sender != 0) {
                let since = self.blamed.entry(sender).or_insert(i64::MAX);
                is_news |= i64::from(refusal.pass.second) < *since;
                *since = i64::from(refusal.pass.second).min(*since);
            }
        }
        is_news
    }

    /// Takes what waited for its senders, which are all told now.
    fn settle_blames(&mut self) {
        let Trials { passes, refusals } = std::mem::take(&mut self.blames);
        self.blame(&refusals);
        self.take_blames(&passes, &refusals);
    }

    /// Takes attempts for the series of their senders' domains.
    fn take_blames(&mut self, passes: &[Pass], refusals: &[Refusal]) {
        let Self { ids, blamed, .. } = self;
        let passes = passes.iter().filter(|pass| may_blame(ids, blamed, pass));
        let refusals = refusals.iter().filter(|refusal| may_blame(ids, blamed, &refusal.pass));
        let passes = passes.filter_map(|pass| ids.passed(pass));
        let refusals = refusals.filter_map(|refusal| ids.refused(refusal));
        let observations = ids.by_source(passes.chain(refusals).filter(|o| o.sender_domain != 0));
        self.blaming.push_all(observations.iter().map(Vec::as_slice));
    }

    fn settle(&mut self, second: i64) {
        self.detector.settle(second, &self.ids, Some(&self.others));
        self.others.settle(second);
        self.settled = second;
    }

    /// What came out so far. `end`: the newest stamp of all that was read.
    pub fn conclude(&mut self, learned: &Learned, end: i64) -> Detection {
        if self.fed == i64::MIN {
            return Detection::default();
        }
        let end = end.min(self.frontier);
        let names = Called { ids: &self.ids, learned };
        let found = detect::conclude(&mut self.detector, &names, end, Some(&self.others));
        found.join(detect::conclude(&mut self.blaming, &names, end, None))
    }

    /// How an event came about, number by number: a detector runs once more over its source.
    pub fn explain(&self, learned: &Learned, onset: &Onset, settings: Settings, end: i64) -> Option<String> {
        let names = Called { ids: &self.ids, learned };
        let own = |pass: &Pass| names.is_called(self.ids.source_of(pass.source), onset);
        let kept = self.kept.as_ref()?;
        let passes = kept.passes.iter().filter(|pass| own(pass)).filter_map(|pass| self.ids.passed(pass));
        let refusals = kept.refusals.iter().filter(|r| own(&r.pass)).filter_map(|r| self.ids.refused(r));
        let own: Vec<Observation> = passes.chain(refusals).collect();
        let is_blamed = |o: &&Observation| {
            let is_its = matches!(o.signal, Signal::Auth | Signal::Pass) && o.platform == Platform::Consumer;
            is_its && self.blamed.get(&o.sender_domain).is_some_and(|since| o.second >= *since)
        };
        let blames = self.ids.by_source(own.iter().filter(is_blamed).copied());
        let all = self.ids.by_source(own.iter().map(|o| Observation { sender_domain: 0, ..*o }));
        let mut of_sources = all.into_iter().chain(blames);
        of_sources.find_map(|mut own| detect::explain(&mut own, &names, settings, end, &onset.id))
    }
}

/// Counts attempts at other providers, all of them.
fn count(others: &mut OtherProviders, ids: &Ids, found: &mut Others) {
    for (source, slot, attempts, accepted) in found.take() {
        others.add(Some(ids.source_of(source)), slot, attempts, accepted);
    }
}

/// Whether an attempt belongs to the series of its sender's domain, as far as is known.
fn may_blame(ids: &Ids, blamed: &Blamed, pass: &Pass) -> bool {
    ids.concerns_sender(pass)
        && ids
            .sender_of(pass)
            .is_none_or(|sender| blamed.get(&sender).is_some_and(|since| i64::from(pass.second) >= *since))
}

impl Window {
    /// Of a source of which all up to this second was taken.
    fn new(base: i64) -> Self {
        let stretch = || Stretch { base, states: None };
        Self { stretches: [stretch(), stretch()], recent: Trials::default() }
    }

    /// Begins a new stretch where the newer one is long enough.
    fn move_on(&mut self) {
        let Some(time) = time_of(&self.recent) else { return };
        let last = self.recent.seconds().filter(|second| (time - WINDOW..=time).contains(second));
        let is_dense = last.count() >= DENSE;
        let is_ahead = is_dense && self.stretches[1].base > time + WINDOW;
        let is_long = time.saturating_sub(self.stretches[1].base) > WINDOW || self.recent.len() > MOST_RECENT;
        if !is_long && !is_ahead {
            return;
        }
        if is_dense {
            // A stamp far ahead of so many is a mistake: what it did to the state stays there.
            self.recent = self.recent.take_until(time + WINDOW);
        }
        let base = self.recent.seconds().max().unwrap_or(time);
        if !is_ahead {
            self.stretches.swap(0, 1);
        }
        self.stretches[1] = Stretch { base, states: None };
        self.recent.forget_until(self.stretches[0].base);
    }
}

/// The time by a source's clock, if there are enough trials to tell it.
fn time_of(trials: &Trials) -> Option<i64> {
    let mut newest = BinaryHeap::new();
    for second in trials.seconds() {
        newest.push(Reverse(second));
        if newest.len() > WITNESSES {
            newest.pop();
        }
    }
    newest.pop().filter(|_| newest.len() + 1 == WITNESSES).map(|Reverse(second)| second)
}

#[cfg(test)]
mod tests;
