//! Trials -> onsets and clears. Knows neither files nor screens nor names: ids in, ids out.
//!
//! [`Detector`] takes [`Observation`]s, one source in order at a time, and gives [`Event`]s and [`Change`]s;
//! [`detect`] does all of it for a whole range. The order in which things are looked at is one of content
//! ([`content_order`]), so the same attempts give the same events however they were read. The method stands
//! in `docs/detection.md`.

mod event;
mod explain;
mod key;
mod link;
mod onset;
mod resolve;
mod source;
mod trial;

#[cfg(test)]
mod tests;

pub use event::{Attempts, Event, Place, PlaceTally, Scope};
pub use explain::explain;
pub use link::{OtherProviders, link};
pub use onset::{
    Backoff, Basis, ChangeKind, Family, FirstLine, Onset, OnsetChange, OnsetStatus, Reading, Spread,
    Takeover, Tally,
};
pub use resolve::resolve;
pub use trial::{LineRef, Names, Observation, ReplyNames, SourceNames, content_order};

use source::Source;

/// The knobs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// About how many false alarms a source may give a day.
    pub alpha: f64,
    /// Seconds without an attempt after which an active event is "untried".
    pub untried_after: i64,
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
        Self { alpha: 0.01, untried_after: 3600, clear_after: 600, stated_below: 20, tenant_messages: 5.0 }
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

/// The sources, each with its own state, which can be cloned (a snapshot to compute anew from).
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
        for observation in observations.iter() {
            detector.push(observation);
        }
        detector.finish(range_end);
        detector
    }

    /// Takes an attempt. Those of one source must come in [`content_order`]; sources may alternate freely.
    pub fn push(&mut self, observation: &Observation) {
        let (sources, traces) = (&mut self.sources, self.traces);
        let at = *self.index.entry(observation.source).or_insert_with(|| {
            sources.push(Source::new(observation.source, traces));
            sources.len() - 1
        });
        sources[at].push(observation, &self.settings);
    }

    /// Decides what is pending of seconds before this one. Only for a frontier that nothing older will cross: what
    /// comes later of a second that is decided counts as another second of its own.
    pub fn advance(&mut self, second: i64) {
        for source in &mut self.sources {
            source.flush_before(second, &self.settings);
        }
    }

    /// The end of the range. More may be pushed afterwards, from later seconds.
    pub fn finish(&mut self, end: i64) {
        self.end = end;
        for source in &mut self.sources {
            source.finish(end, &self.settings);
        }
    }

    /// The events so far: by source in the order of their first attempt, then as decided.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.sources.iter().flat_map(|source| &source.events)
    }

    /// Takes the changes since the last call, by time; ties as pushed.
    pub fn changes(&mut self) -> Vec<Change> {
        let mut changes: Vec<Change> =
            self.sources.iter_mut().flat_map(|source| source.changes.drain(..)).collect();
        changes.sort_by_key(|change| change.at);
        changes
    }

    /// Joins the states of detectors that saw other sources.
    pub fn merge(&mut self, other: Self) {
        self.end = self.end.max(other.end);
        for source in other.sources {
            self.index.insert(source.id, self.sources.len());
            self.sources.push(source);
        }
    }
}

/// All onsets of a range.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Detection {
    /// By start, then id.
    pub onsets: Vec<Onset>,
    /// What a live run would have said, by time, then id.
    pub changes: Vec<(ChangeKind, i64, Onset)>,
}

/// Runs the detector over a whole range. `range_end` is the newest stamp of the input, whatever it was about.
pub fn detect(
    observations: &mut [Observation],
    names: &impl Names,
    settings: Settings,
    range_end: i64,
    other: Option<&OtherProviders>,
) -> Detection {
    conclude(Detector::of_range(observations, names, settings, range_end), names, other)
}

/// What came out, by name, of a detector that has seen the end of the range.
pub fn conclude(mut detector: Detector, names: &impl Names, other: Option<&OtherProviders>) -> Detection {
    link(&mut detector, names, other);
    let mut onsets: Vec<Onset> = detector.events().map(|event| resolve(event, names)).collect();
    onsets.sort_by(|a, b| (a.start, &a.id).cmp(&(b.start, &b.id)));
    let mut changes: Vec<(ChangeKind, i64, Onset)> =
        detector.changes().iter().map(|c| (c.kind, c.at, resolve(&c.event, names))).collect();
    changes.sort_by(|a, b| (a.1, &a.2.id, a.0).cmp(&(b.1, &b.2.id, b.0)));
    Detection { onsets, changes }
}
