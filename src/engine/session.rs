//! A running engine, as the screen and `tail` see it: snapshots out, filter in, lines on demand. Nothing here blocks
//! who asks.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

use crate::aggregate::{Filter, Snapshot};

use super::evidence::{Evidence, evidence};
use super::follow::follow;
use super::lines::{Hunt, LineList, Lister, WantedLines};
use super::options::Options;
use super::run::Run;
use super::summary::Detected;
use super::visit::{Lessons, Wanted, visit};

/// Between two snapshots while something changes.
const PUBLISH: Duration = Duration::from_millis(100);

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
    lister: Lister,
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
            lister: Lister::default(),
            ended: AtomicBool::new(false),
            finished: AtomicBool::new(false),
        });
        let reader = Arc::clone(&shared);
        thread::spawn(move || {
            let run = reader.run.get_or_init(|| Run::new(options, true));
            run.live.store(following, Ordering::Release);
            reader.lister.look_at_files(run);
            let lines = Arc::clone(&reader);
            thread::spawn(move || lines.lister.serve(lines.run.wait()));
            if reader.stopped.load(Ordering::Acquire) {
                run.stop();
            }
            if following {
                follow(run);
            } else {
                run.scan(true);
            }
            reader.ended.store(true, Ordering::Release);
            run.bell.ring();
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
        if let Some(run) = self.shared.run.get() {
            run.bell.ring();
        }
    }

    /// Begins to look for the lines behind a filter, in the background; an earlier search ends.
    pub fn find_lines(&self, filter: Filter) {
        let number = self.shared.lister.begin();
        self.in_background(move |lister, run| lister.search(run, &filter, number));
    }

    /// Ends the search, and forgets what it found.
    pub fn forget_lines(&self) {
        self.shared.lister.begin();
    }

    /// What the last search has found so far, and what was read of it.
    pub fn lines(&self) -> Arc<LineList> {
        self.shared.lister.list()
    }

    /// Asks for lines of the list to be read, in the background.
    pub fn read_lines(&self, wanted: WantedLines) {
        self.shared.lister.ask(wanted);
    }

    /// Begins to look for a text in the lines of the list, in the background; an earlier search for one ends. `None`:
    /// nothing else.
    pub fn hunt(&self, hunt: Option<Hunt>) {
        let number = self.shared.lister.begin_hunt();
        if let Some(hunt) = hunt {
            self.in_background(move |lister, run| lister.hunt(run, &hunt, number));
        }
    }

    fn in_background(&self, work: impl FnOnce(&Lister, &Run) + Send + 'static) {
        let shared = Arc::clone(&self.shared);
        // The inputs may not be open yet.
        thread::spawn(move || work(&shared.lister, shared.run.wait()));
    }

    /// Hands every line behind a filter to `each`, in the background and in the order of the inputs, until it returns
    /// false; at the end `None`.
    pub fn each_line(&self, filter: Filter, mut each: EachLine) {
        let shared = Arc::clone(&self.shared);
        thread::spawn(move || {
            if let Some(run) = shared.run.get() {
                visit(run, &Lessons::of(run), Wanted::lines(&filter), &mut |found| each(Some(found.line)));
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
        self.shared.lister.end();
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
                due = Instant::now() + begun.elapsed() * 9;
            }
            self.lister.look_at_files(run);
            self.finished.store(ended, Ordering::Release);
            run.bell.wait(PUBLISH);
        }
    }
}
