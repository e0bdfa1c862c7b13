//! A running engine, as the screen and `tail` see it: snapshots out, filter in, lines on demand. Nothing here blocks
//! who asks.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

use crate::aggregate::{Filter, Snapshot};
use crate::record::{Outcome, Time};
use crate::text::escape_controls;

use super::evidence::{Evidence, evidence};
use super::follow::follow;
use super::options::Options;
use super::run::Run;
use super::summary::Detected;
use super::visit::{Found, Lessons, visit};

/// The newest lines that a search keeps.
const MOST_LINES: usize = 10_000;
/// Between two snapshots while something changes.
const PUBLISH: Duration = Duration::from_millis(100);

/// One raw line behind a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    pub time: Option<Time>,
    pub path: Arc<str>,
    /// Where the line begins, in the decompressed stream.
    pub offset: u64,
    /// The line's bytes without its end, as logged (hostile: clean before drawing).
    pub text: Box<[u8]>,
    pub source: Option<String>,
    pub domain: Option<String>,
    pub datacenter: Option<String>,
    pub reply_id: String,
    pub is_refusal: bool,
}

/// The newest lines behind a filter, newest first.
#[derive(Clone, Debug, Default)]
pub struct LineList {
    /// How many lines match in all.
    pub total: u64,
    pub lines: Vec<LogLine>,
    /// The search has seen everything.
    pub complete: bool,
}

/// Takes lines, without their ends.
pub type EachLine = Box<dyn FnMut(Option<&[u8]>) -> bool + Send>;

/// Takes what is known of an address; nothing while not all is read.
pub type TakeEvidence = Box<dyn FnOnce(Option<Evidence>) + Send>;

struct Shared {
    /// Set once the inputs are opened, which may take a while (stdin).
    run: OnceLock<Run>,
    stopped: AtomicBool,
    snapshot: ArcSwap<Snapshot>,
    filter: Mutex<(Filter, u64)>,
    filter_changes: AtomicU64,
    lines: ArcSwap<LineList>,
    /// Number of the newest search; an older one ends.
    search: AtomicU64,
    /// Nothing more will be read.
    ended: AtomicBool,
    /// And the last snapshot tells it all.
    finished: AtomicBool,
}

/// A running engine. Dropping it ends its threads.
pub struct Session {
    shared: Arc<Shared>,
}

impl Session {
    /// Opens the inputs and reads them; with `following`, goes on with what is written later. Returns at once.
    pub fn start(options: Options, following: bool) -> Self {
        let filter = options.filter.clone();
        let shared = Arc::new(Shared {
            run: OnceLock::new(),
            stopped: AtomicBool::new(false),
            snapshot: ArcSwap::default(),
            filter: Mutex::new((filter, 0)),
            filter_changes: AtomicU64::new(0),
            lines: ArcSwap::default(),
            search: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            finished: AtomicBool::new(false),
        });
        let reader = Arc::clone(&shared);
        thread::spawn(move || {
            let run = reader.run.get_or_init(|| Run::new(options, true));
            run.live.store(following, Ordering::Release);
            if reader.stopped.load(Ordering::Acquire) {
                run.stop();
            }
            if following {
                follow(run);
            } else {
                run.scan(true);
            }
            reader.ended.store(true, Ordering::Release);
        });
        let publisher = Arc::clone(&shared);
        thread::spawn(move || publisher.publish());
        Self { shared }
    }

    /// The newest snapshot for the filter last asked for; cheap. `version` tells whether it is another one.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.shared.snapshot.load_full()
    }

    /// Asks for snapshots of these attempts only, from now on.
    pub fn set_filter(&self, filter: Filter) {
        let mut slot = self.shared.filter.lock().unwrap_or_else(PoisonError::into_inner);
        slot.1 += 1;
        slot.0 = filter;
        self.shared.filter_changes.store(slot.1, Ordering::Release);
    }

    /// Begins to look for the lines behind a filter, in the background; an earlier search ends.
    pub fn find_lines(&self, filter: Filter) {
        let number = self.shared.search.fetch_add(1, Ordering::AcqRel) + 1;
        self.shared.lines.store(Arc::default());
        let shared = Arc::clone(&self.shared);
        thread::spawn(move || shared.search(&filter, number));
    }

    /// What the last search has found so far.
    pub fn lines(&self) -> Arc<LineList> {
        self.shared.lines.load_full()
    }

    /// Hands every line behind a filter to `each`, in the background and in the order of the inputs, until it returns
    /// false; at the end `None`.
    pub fn each_line(&self, filter: Filter, mut each: EachLine) {
        let shared = Arc::clone(&self.shared);
        thread::spawn(move || {
            if let Some(run) = shared.run.get() {
                visit(run, &Lessons::of(run), &filter, false, &mut |found| each(Some(found.line)));
            }
            each(None);
        });
    }

    /// Gathers what is known of a sending address in the background.
    pub fn evidence(&self, filter: Filter, ip: IpAddr, take: TakeEvidence) {
        let shared = Arc::clone(&self.shared);
        thread::spawn(move || {
            let run = shared.run.get().filter(|run| run.complete.load(Ordering::Acquire));
            take(run.map(|run| evidence(run, &filter, ip)));
        });
    }

    /// Whether all inputs have ended (followed files never do) and the snapshot holds it all.
    pub fn is_finished(&self) -> bool {
        self.shared.finished.load(Ordering::Acquire)
    }

    /// Ends reading.
    pub fn stop(&self) {
        self.shared.stopped.store(true, Ordering::Release);
        if let Some(run) = self.shared.run.get() {
            run.stop();
        }
        self.shared.search.fetch_add(1, Ordering::AcqRel);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn publish(&self) {
        while !self.stopped.load(Ordering::Acquire) {
            match self.run.get() {
                Some(run) => return self.publish_run(run),
                None => thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    fn publish_run(&self, run: &Run) {
        let mut version = 0;
        let mut seen = None;
        let mut detected: Option<(u64, Detected)> = None;
        let mut detection_due = Instant::now();
        let (mut due, mut of_filter) = (Instant::now(), 0);
        while !run.stopped() {
            let ended = self.ended.load(Ordering::Acquire);
            let progress = run.progress();
            let changes = run.lock().changes;
            let filter = self.filter_changes.load(Ordering::Acquire);
            // The bar moves also where no span has ended yet.
            let now = (changes, filter, progress.done_bytes, progress.behind_bytes, progress.complete);
            let outdated = detected.as_ref().is_none_or(|(of, found)| *of != changes || found.is_waiting);
            let is_news = seen != Some(now) || outdated && (ended || Instant::now() >= detection_due);
            // Making snapshots must not keep the scan from its end; who has asked for another filter waits for it.
            let is_due = progress.complete || filter != of_filter || Instant::now() >= due;
            if is_news && is_due {
                let begun = Instant::now();
                of_filter = filter;
                seen = Some(now);
                if outdated && (Instant::now() >= detection_due || ended) {
                    let begun = Instant::now();
                    detected = Some((changes, Detected::of(run)));
                    // Not more than a tenth of the time goes to it, however many events there are.
                    detection_due = Instant::now() + (begun.elapsed() * 10).max(PUBLISH);
                }
                let filter = self.filter.lock().unwrap_or_else(PoisonError::into_inner).0.clone();
                let mut snapshot = run.snapshot(&filter, detected.as_ref().map(|(_, d)| d));
                version += 1;
                snapshot.version = version;
                self.snapshot.store(Arc::new(snapshot));
                due = Instant::now() + begun.elapsed() * 4;
            }
            self.finished.store(ended, Ordering::Release);
            thread::sleep(PUBLISH);
        }
    }

    fn search(&self, filter: &Filter, number: u64) {
        let Some(run) = self.run.get() else { return };
        let lessons = Lessons::of(run);
        let current = || self.search.load(Ordering::Acquire) == number;
        let mut newest: BinaryHeap<Reverse<Ordered>> = BinaryHeap::new();
        let mut total = 0;
        let mut published = Instant::now();
        visit(run, &lessons, filter, false, &mut |found| {
            total += 1;
            newest.push(Reverse(Ordered::of(found, total)));
            if newest.len() > MOST_LINES {
                newest.pop();
            }
            if published.elapsed() > 2 * PUBLISH {
                published = Instant::now();
                self.show(&newest, total, false);
            }
            current()
        });
        if current() {
            self.show(&newest, total, true);
        }
    }

    fn show(&self, newest: &BinaryHeap<Reverse<Ordered>>, total: u64, complete: bool) {
        let mut lines: Vec<&Ordered> = newest.iter().map(|Reverse(line)| line).collect();
        lines.sort_by(|a, b| b.cmp(a));
        let lines = lines.into_iter().map(|o| o.line.clone()).collect();
        self.lines.store(Arc::new(LineList { total, lines, complete }));
    }
}

/// Lines by time; of one second the later read is the newer.
struct Ordered {
    key: (Option<Time>, u64),
    line: LogLine,
}

impl Ordered {
    fn of(found: &Found<'_>, number: u64) -> Self {
        let tag = found.judged.host_tag.map(escape_controls);
        let line = LogLine {
            time: found.attempt.time,
            path: Arc::clone(&found.input.name),
            offset: found.offset,
            text: found.line.into(),
            source: found
                .source_ip
                .map(|ip| ip.to_string())
                .or(found.attempt.source_name.map(escape_controls)),
            domain: found.recipient_domain.clone(),
            datacenter: tag.or_else(|| found.datacenter.forest.clone()),
            reply_id: found.judged.verdict.id.to_string(),
            is_refusal: found.attempt.outcome != Outcome::Delivered,
        };
        Self { key: (line.time, number), line }
    }
}

impl PartialEq for Ordered {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}
impl Eq for Ordered {}
impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
    }
}
