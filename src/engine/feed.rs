//! Trials, in whatever order they are read -> the detector, in the order of time.
//!
//! Every input is known to be read up to some second, its frontier; trials up to the least of them are taken, later ones
//! wait. So memory holds what was read ahead, not the whole input. What comes behind the frontier after all:
//! - while whole files are read, it is said ([`Feed::is_disordered`]): they are read again, and all waits until the end;
//! - in a live run the state of ten minutes ago is taken up again and what came since is taken once more, with the late
//!   line in its place; what is later than that is counted and changes no event.

use foldhash::{HashMap, HashMapExt};

use crate::aggregate::{Learned, NameTables};
use crate::detect::{self, Detection, Detector, Observation, Onset, OtherProviders, Settings, SourceState};
use crate::microsoft::{Platform, Signal};

use super::ids::{Called, Ids};
use super::others::Others;
use super::trials::{Pass, Refusal, Trials};

/// Trials of a slice that is taken at once: their observations are five times as large.
const SLICE: usize = 1 << 19;
/// Between two looks at what will not change any more.
const SETTLE: i64 = 43_200;
/// Late lines of a live run are put in their place for so long, and for twice as long at most.
const WINDOW: i64 = 600;
/// No more trials are kept for that.
const MOST_RECENT: usize = 1 << 20;

/// The detection of a run.
pub struct Feed {
    ids: Ids,
    waiting: Trials,
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
    window: Option<Window>,
    /// Too late for the window.
    late: u64,
    /// What was taken, where it is asked for again.
    kept: Option<Trials>,
}

/// What a live run may have to take once more.
struct Window {
    /// Two stretches of time, the older one first.
    stretches: [Stretch; 2],
    /// Trials since the older one began.
    recent: Trials,
}

/// Where sources stood before their first trial of a stretch.
struct Stretch {
    /// It began behind this second.
    base: i64,
    sources: HashMap<u32, [SourceState; 2]>,
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
            detector: Detector::new(settings),
            blaming: Detector::new(settings),
            blames: Trials::default(),
            blamed,
            others: OtherProviders::default(),
            fed: i64::MIN,
            frontier: i64::MIN,
            settled: i64::MIN,
            is_disordered: false,
            window: None,
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
        if self.window.is_none() && trials.seconds().any(|second| second <= self.fed) {
            self.is_disordered = true;
        }
        if let Some(kept) = &mut self.kept {
            kept.passes.extend_from_slice(&trials.passes);
            kept.refusals.extend_from_slice(&trials.refusals);
        }
        self.waiting.append(trials);
        for (source, slot, attempts, accepted) in others.take() {
            self.others.add(self.ids.source_of(source), slot, attempts, accepted);
        }
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

    /// Nothing up to this second will come any more: takes what waits for it.
    pub fn advance(&mut self, frontier: i64) {
        self.frontier = frontier;
        let mut due = self.waiting.take_until(frontier);
        if self.window.is_some() {
            self.take_live(due);
        } else {
            due.sort();
            self.take_in_slices(&due);
            self.fed = self.fed.max(frontier);
        }
    }

    /// The files are read; their end is followed from now on.
    pub fn go_live(&mut self) {
        let newest = self.waiting.seconds().max();
        self.advance(newest.map_or(self.fed, |newest| newest - 2 * WINDOW));
        let stretch = || Stretch { base: self.fed, sources: HashMap::new() };
        self.window = Some(Window { stretches: [stretch(), stretch()], recent: Trials::default() });
        let Trials { passes, refusals } = std::mem::take(&mut self.blames);
        self.take_blames(&passes, &refusals);
        self.advance(newest.unwrap_or(self.fed));
    }

    /// Everything was read.
    pub fn finish(&mut self) {
        self.advance(i64::MAX);
        let Trials { passes, refusals } = std::mem::take(&mut self.blames);
        self.take_blames(&passes, &refusals);
    }

    /// Whom refusals blame, if there is an event of it.
    pub fn blamed(&self) -> Option<Blamed> {
        self.blaming.events().next().is_some().then(|| self.blamed.clone())
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
            self.take(now_passes, now_refusals, &mut |_, _| {});
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

    /// Puts what is new behind what was taken; where it belongs before that, all of the window is taken once more.
    fn take_live(&mut self, mut due: Trials) {
        let Some(mut window) = self.window.take() else { return };
        let all = due.len();
        due.forget_until(window.stretches[0].base);
        self.late += (all - due.len()) as u64;
        if self.is_late(&due) {
            window.go_back(&mut self.detector, &mut self.blaming);
            due.append(&mut window.recent);
        }
        due.sort();
        let early = due.take_until(window.stretches[1].base);
        for (part, stretch) in [early, due].into_iter().zip(&mut window.stretches) {
            self.take(&part.passes, &part.refusals, &mut |source, detectors| stretch.save(source, detectors));
            self.take_blames(&part.passes, &part.refusals);
            self.fed = part.seconds().chain([self.fed]).max().unwrap_or(self.fed);
            window.recent.passes.extend(part.passes);
            window.recent.refusals.extend(part.refusals);
        }
        window.move_on(self.fed);
        self.window = Some(window);
        if self.fed.saturating_sub(self.settled) > SETTLE {
            self.settle(self.fed);
        }
    }

    /// Whether a source has gone past any of these, or they tell something about what was taken.
    fn is_late(&mut self, due: &Trials) -> bool {
        let Self { ids, detector, fed, .. } = self;
        let passes = due.passes.iter().chain(due.refusals.iter().map(|refusal| &refusal.pass));
        let is_passed = passes.into_iter().any(|pass| {
            let newest = ids.source_of(pass.source).and_then(|source| detector.newest(source));
            newest.is_some_and(|newest| i64::from(pass.second) <= newest)
        });
        let is_news = due.refusals.iter().fold(false, |news, refusal| ids.learn(refusal, *fed) | news);
        is_passed || is_news
    }

    /// Takes trials in the order of time. `before` is called with each source before it changes.
    fn take(&mut self, passes: &[Pass], refusals: &[Refusal], before: &mut dyn FnMut(u32, [&Detector; 2])) {
        for refusal in refusals {
            self.ids.learn(refusal, self.fed);
        }
        self.blame(refusals);
        let mut observations = Vec::with_capacity(passes.len() + refusals.len());
        let mut take = |pass: &Pass, observation: Option<Observation>, accepted: u64| match observation {
            Some(observation) => observations.push(Observation { sender_domain: 0, ..observation }),
            None => {
                let slot = i64::from(pass.second) / OtherProviders::SLOT;
                self.others.add(self.ids.source_of(pass.source), slot, 1, accepted);
            }
        };
        passes.iter().for_each(|pass| take(pass, self.ids.passed(pass), 1));
        refusals.iter().for_each(|refusal| take(&refusal.pass, self.ids.refused(refusal), 0));
        self.ids.sort(&mut observations);
        for of_one in observations.chunk_by(|a, b| a.source == b.source) {
            before(of_one[0].source, [&self.detector, &self.blaming]);
        }
        self.detector.push_all(&observations);
    }

    /// Notes whom refusals blame.
    fn blame(&mut self, refusals: &[Refusal]) {
        for refusal in refusals.iter().filter(|refusal| self.ids.blames_sender(refusal)) {
            if let Some(sender) = self.ids.sender_of(&refusal.pass).filter(|sender| *sender != 0) {
                let since = self.blamed.entry(sender).or_insert(i64::MAX);
                *since = i64::from(refusal.pass.second).min(*since);
            }
        }
    }

    /// Takes attempts for the series of their senders' domains.
    fn take_blames(&mut self, passes: &[Pass], refusals: &[Refusal]) {
        self.blame(refusals);
        let Self { ids, blamed, .. } = self;
        let passes = passes.iter().filter(|pass| may_blame(ids, blamed, pass));
        let refusals = refusals.iter().filter(|refusal| may_blame(ids, blamed, &refusal.pass));
        let passes = passes.filter_map(|pass| ids.passed(pass));
        let refusals = refusals.filter_map(|refusal| ids.refused(refusal));
        let mut observations: Vec<Observation> =
            passes.chain(refusals).filter(|o| o.sender_domain != 0).collect();
        self.ids.sort(&mut observations);
        self.blaming.push_all(&observations);
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
        let own = |pass: &Pass| self.ids.source_of(pass.source).is_some_and(|id| names.is_called(id, onset));
        let kept = self.kept.as_ref()?;
        let passes = kept.passes.iter().filter(|pass| own(pass)).filter_map(|pass| self.ids.passed(pass));
        let refusals = kept.refusals.iter().filter(|r| own(&r.pass)).filter_map(|r| self.ids.refused(r));
        let own: Vec<Observation> = passes.chain(refusals).collect();
        let is_blamed = |o: &&Observation| {
            let is_its = matches!(o.signal, Signal::Auth | Signal::Pass) && o.platform == Platform::Consumer;
            is_its && self.blamed.get(&o.sender_domain).is_some_and(|since| o.second >= *since)
        };
        let mut blames: Vec<Observation> = own.iter().filter(is_blamed).copied().collect();
        let mut all: Vec<Observation> =
            own.into_iter().map(|o| Observation { sender_domain: 0, ..o }).collect();
        [&mut all, &mut blames].into_iter().find_map(|observations| {
            self.ids.sort(observations);
            let mut of_sources = observations.chunk_by_mut(|a, b| a.source == b.source);
            of_sources.find_map(|own| detect::explain(own, &names, settings, end, &onset.id))
        })
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
    /// Puts the sources back to where they stood when the older stretch began.
    fn go_back(&mut self, detector: &mut Detector, blaming: &mut Detector) {
        let [older, newer] = &mut self.stretches;
        for (source, states) in newer.sources.drain() {
            older.sources.entry(source).or_insert(states);
        }
        for (source, [state, blamed]) in &older.sources {
            detector.restore(*source, state.clone());
            blaming.restore(*source, blamed.clone());
        }
    }

    /// Begins a new stretch where the newer one is long enough.
    fn move_on(&mut self, fed: i64) {
        if fed.saturating_sub(self.stretches[1].base) <= WINDOW && self.recent.len() <= MOST_RECENT {
            return;
        }
        self.stretches.swap(0, 1);
        self.stretches[1] = Stretch { base: fed, sources: HashMap::new() };
        self.recent.forget_until(self.stretches[0].base);
    }
}

impl Stretch {
    fn save(&mut self, source: u32, detectors: [&Detector; 2]) {
        self.sources.entry(source).or_insert_with(|| detectors.map(|detector| detector.state(source)));
    }
}

#[cfg(test)]
mod tests;
