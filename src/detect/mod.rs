//! Trials -> onsets and clears. Knows neither files nor screens nor names: ids in, ids out.
//!
//! [`Detector`] takes [`Observation`]s, those of one source in order, and gives [`Event`]s and [`Change`]s;
//! [`detect`] does all of it for a whole range. The order in which things are looked at is one of content
//! ([`content_order`]), so the same attempts give the same events however they were read. The method stands
//! in `docs/detection.md`.

mod alarm;
mod event;
mod explain;
mod key;
mod link;
mod onset;
mod peers;
mod resolve;
mod source;
mod spots;
mod trial;
mod volume;

#[cfg(test)]
mod tests;

pub use event::{Attempts, Event, Place, PlaceTally, Scope};
pub use explain::explain;
pub use link::{OtherProviders, link};
pub use onset::{
    Backoff, Basis, ChangeKind, Family, FirstLine, Onset, OnsetChange, OnsetStatus, Reading, Slowing, Spread,
    Takeover, Tally,
};
pub use resolve::resolve;
pub use trial::{LineRef, Names, Observation, ReplyNames, SourceNames, content_order};

use rayon::prelude::*;

use source::Source;

/// The knobs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// About how many false alarms a source may give a day.
    pub alpha: f64,
    /// Seconds without an attempt after which an active event is "untried".
    pub untried_after: i64,
    /// The smallest share of refusals that is looked for.
    pub smallest_share: f64,
    /// Seconds of accepted mail that a clear needs.
    pub clear_after: i64,
    /// A stated refusal is an onset where fewer attempts than this were made in the last day.
    pub stated_below: u64,
    /// Throttled messages of one and the same M365 tenant that a throttle onset needs: a few stuck messages of one
    /// tenant are the tenant's affair, and not independent of each other.
    pub tenant_messages: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            alpha: 0.01,
            smallest_share: 0.08,
            untried_after: 3600,
            clear_after: 600,
            stated_below: 20,
            tenant_messages: 5.0,
        }
    }
}

#[derive(Clone, Debug)]
pub struct Change {
    pub kind: ChangeKind,
    /// Log time of the decision.
    pub at: i64,
    pub source: u32,
    /// Which event of the source, in the order of decisions.
    pub index: usize,
    pub event: Event,
}

/// What a detector knows of one source at some moment.
#[derive(Clone, Debug)]
pub struct SourceState(Option<Box<Source>>);

/// The sources, each with its own state, which can be taken out and put back (to compute anew from there).
#[derive(Clone, Debug)]
pub struct Detector {
    settings: Settings,
    sources: Vec<Source>,
    index: foldhash::HashMap<u32, usize>,
    /// Of the range, where it is known.
    end: i64,
    /// The sources write down what they compute.
    traces: bool,
}

impl Detector {
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            sources: Vec::new(),
            index: foldhash::HashMap::default(),
            end: i64::MIN,
            traces: false,
        }
    }

    /// One whose events can be explained.
    fn tracing(settings: Settings) -> Self {
        Self { traces: true, ..Self::new(settings) }
    }

    /// Has seen a whole range, whose observations it puts in order.
    pub fn of_range(
        observations: &mut [Observation],
        names: &impl Names,
        settings: Settings,
        range_end: i64,
    ) -> Self {
        observations
            .sort_unstable_by(|a, b| a.source.cmp(&b.source).then_with(|| content_order(a, b, names)));
        let mut detector = Self::new(settings);
        detector.push_all(observations.chunk_by(|a, b| a.source == b.source));
        detector.finish(range_end);
        detector
    }

    /// Takes an attempt. Those of one source must come in [`content_order`]; sources may alternate freely.
    pub fn push(&mut self, observation: &Observation) {
        let settings = self.settings;
        self.source(observation.source).push(observation, &settings);
    }

    /// Takes attempts on all threads: of each source a list in [`content_order`], of whole seconds.
    pub fn push_all<'o>(&mut self, by_source: impl Iterator<Item = &'o [Observation]>) {
        let mut own: Vec<&[Observation]> = Vec::new();
        for of_one in by_source {
            let Some(first) = of_one.first() else { continue };
            self.source(first.source);
            let at = self.index[&first.source];
            own.resize(own.len().max(at + 1), &[]);
            own[at] = of_one;
        }
        let settings = self.settings;
        self.sources.par_iter_mut().zip(own).filter(|(_, own)| !own.is_empty()).for_each(|(source, own)| {
            source.push_all(own, &settings);
        });
    }

    fn source(&mut self, id: u32) -> &mut Source {
        let (sources, traces) = (&mut self.sources, self.traces);
        let at = *self.index.entry(id).or_insert_with(|| {
            sources.push(Source::new(id, traces));
            sources.len() - 1
        });
        &mut sources[at]
    }

    /// The newest second of a source's attempts.
    pub fn newest(&self, source: u32) -> Option<i64> {
        self.index.get(&source).and_then(|at| self.sources[*at].newest())
    }

    /// A copy of what is known of a source.
    pub fn state(&self, source: u32) -> SourceState {
        SourceState(self.index.get(&source).map(|at| Box::new(self.sources[*at].clone())))
    }

    /// Goes back to what was known of a source.
    pub fn restore(&mut self, source: u32, state: SourceState) {
        let traces = self.traces;
        *self.source(source) = state.0.map_or_else(|| Source::new(source, traces), |state| *state);
    }

    /// The end of the range, or what is known now. More may be pushed afterwards, from later seconds.
    pub fn finish(&mut self, end: i64) {
        self.end = end;
        for source in &mut self.sources {
            source.finish(end, &self.settings);
        }
    }

    /// All attempts before `second` were pushed: fills in what stands beside the events, settles what will not change any
    /// more, and forgets what nothing can ask for.
    pub fn settle(&mut self, second: i64, names: &impl Names, other: Option<&OtherProviders>) {
        self.end = second;
        link(self, names, other);
        for source in &mut self.sources {
            source.forget_before(second - HISTORY);
        }
    }

    /// The events so far: by source in the order of their first attempt, then as decided.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.sources.iter().flat_map(|source| &source.events)
    }

    /// All changes so far, by time; ties as pushed.
    pub fn changes(&self) -> Vec<&Change> {
        let mut changes: Vec<&Change> = self.sources.iter().flat_map(|source| &source.changes).collect();
        changes.sort_by_key(|change| change.at);
        changes
    }
}

/// Seconds of history that are kept: what stands beside an event is settled a day after its start, and looks at eight
/// days before.
const HISTORY: i64 = 10 * 86_400;

/// All onsets of a range.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Detection {
    /// By start, then id.
    pub onsets: Vec<Onset>,
    /// What a live run would have said, by time, then id.
    pub changes: Vec<(ChangeKind, i64, Onset)>,
}

impl Detection {
    /// With what another detector found.
    pub fn join(mut self, other: Self) -> Self {
        self.onsets.extend(other.onsets);
        self.changes.extend(other.changes);
        self.sort();
        self
    }

    fn sort(&mut self) {
        self.onsets.sort_by(|a, b| (a.start, &a.id).cmp(&(b.start, &b.id)));
        self.changes.sort_by(|a, b| (a.1, &a.2.id, a.0).cmp(&(b.1, &b.2.id, b.0)));
    }
}

/// Runs the detector over a whole range. `range_end` is the newest stamp of the input, whatever it was about.
pub fn detect(
    observations: &mut [Observation],
    names: &impl Names,
    settings: Settings,
    range_end: i64,
    other: Option<&OtherProviders>,
) -> Detection {
    conclude(&mut Detector::of_range(observations, names, settings, range_end), names, range_end, other)
}

/// What came out so far, by name. `end`: the newest stamp of the input, whatever it was about.
pub fn conclude(
    detector: &mut Detector,
    names: &impl Names,
    end: i64,
    other: Option<&OtherProviders>,
) -> Detection {
    detector.finish(end);
    link(detector, names, other);
    let mut detection = Detection {
        onsets: detector.events().map(|event| resolve(event, names)).collect(),
        changes: detector.changes().iter().map(|c| (c.kind, c.at, resolve(&c.event, names))).collect(),
    };
    detection.sort();
    detection
}
