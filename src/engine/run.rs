//! The scan: tasks from a counter, workers that take them, one merge.

use std::fs::File;
use std::io::{self, Read};
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use jiff::Timestamp;
use rayon::{ThreadPool, ThreadPoolBuilder};
use tempfile::TempPath;

use crate::aggregate::{Filter, Names, Progress, Snapshot, Tables, Warning};
use crate::record::{Attempt, Format, Order};
use crate::source::{Chunks, Compression, Location, open_stream_with};

use super::bell::Bell;
use super::counted::Aside;
use super::feed::{Blamed, Feed, WINDOW};
use super::frontier::Frontier;
use super::look_back::{all, leaves_senders_out, look};
use super::options::{Options, Prefilter};
use super::others::Others;
use super::prepare::{Inputs, Prepared, Stream, prepare};
use super::senders::{Recent, Sender, Senders, Waiting};
use super::skew::Skews;
use super::stats::InputStats;
use super::summary::{self, Detected};
use super::task::{Reading, Suspended, Task};
use super::told::{Told, fingerprints};
use super::trials::Trials;
use super::twice::{Firsts, Left, Sighting, compare, leaves_out, sift};
use super::worker::{Context, Worker};

/// What all workers add to.
pub struct Totals {
    pub tables: Tables,
    pub inputs: Vec<InputStats>,
    /// Counted once all logs are read.
    asides: Vec<Aside>,
    sightings: Vec<Sighting>,
    pub skews: Skews,
    pub warnings: Vec<Warning>,
    /// Counts up with every addition.
    pub changes: u64,
}

/// What was read and the detection has not been given yet. A lock of its own: who makes a snapshot holds the sums, and
/// must not keep the readers waiting.
#[derive(Default)]
struct Unfed {
    trials: Trials,
    /// Other providers' attempts.
    others: Others,
}

/// A run over its inputs: prepared once, read by many threads.
pub struct Run {
    pub options: Options,
    pub inputs: Vec<Prepared>,
    pub names: Names,
    /// `None`: no input repeats what another tells.
    told: Option<Told>,
    /// The detection, in the order of time.
    feed: Mutex<Feed>,
    /// All waits for the end: the order of the inputs is not that of time.
    holds: AtomicBool,
    frontier: Frontier,
    /// Who sent what was accepted is to be found out too: an event blames senders, or may do so before it is read again.
    asks_senders: AtomicBool,
    /// No input is a pipe.
    can_begin_anew: bool,
    /// By input, whether all messages that came in by it before it was followed are known, not the last ones alone.
    knows_all: Vec<AtomicBool>,
    /// Refusals that blame their senders.
    blaming: AtomicUsize,
    /// What was cut up is read in order.
    in_order: AtomicBool,
    senders: Mutex<Senders>,
    firsts: Firsts,
    /// By input, which of its lines are looked at where nobody asks for senders.
    least: Vec<Prefilter>,
    /// Set where files hold the same lines: by input, what is read in another one.
    left_out: OnceLock<Left>,
    totals: Mutex<Totals>,
    unfed: Mutex<Unfed>,
    by_time: bool,
    /// `None` where the system gives no threads.
    pool: Option<ThreadPool>,
    stop: AtomicBool,
    pub complete: AtomicBool,
    pub live: AtomicBool,
    /// By input that is followed and must be read in order, where its reading stopped.
    suspended: Mutex<Vec<Option<Suspended>>>,
    /// Rung when there is more to show than before, and nobody should wait for it.
    pub bell: Bell,
    /// Bytes of the followed files that are not read yet.
    pub behind: AtomicU64,
    total_bytes: u64,
    done_bytes: Arc<AtomicU64>,
    streams: Mutex<Vec<Option<Stream>>>,
    /// Kept until the run ends.
    _spools: Vec<TempPath>,
    started: Instant,
    /// Seconds that the scan took.
    took: OnceLock<f64>,
}

/// So many refusals that blame their senders make it likely that there is an event of it: what else those sent is asked
/// for at once, not in a second reading of everything.
const MANY_BLAMES: usize = 50;
/// The senders of messages that came in within the last spans of a file, some 30 MB, are known when it is followed. If one
/// is asked for in vain, all are.
const LATE: usize = 4;
/// Bytes of a stream in which senders are looked for before it is read once more.
const HISTORY: usize = 4 << 20;
/// Decompressed bytes of a stream after which the detection may take what was read.
const STREAMED: u64 = 4 << 20;

/// A piece of work: one span of a plain file, or a whole stream.
#[derive(Clone, Copy)]
struct Piece {
    input: usize,
    span: Option<usize>,
}

impl Run {
    /// Finds and opens the inputs. `by_time`: attempts are counted by time too, for the chart.
    pub fn new(options: Options, by_time: bool) -> Self {
        let Inputs { list: inputs, streams, spools, troubles, firsts } = prepare(&options);
        let totals = Totals {
            tables: Tables::new(by_time, &options.filter),
            inputs: vec![InputStats::default(); inputs.len()],
            asides: Vec::new(),
            sightings: Vec::new(),
            skews: Skews::default(),
            warnings: troubles,
            changes: 0,
        };
        let told = inputs.iter().filter_map(|i| i.format).any(Format::retells).then(Told::default);
        // What is told at the end, and what cannot be read again, has no order on the way.
        let has_pipe = inputs.iter().any(Prepared::is_pipe);
        let holds = told.is_some() || has_pipe;
        // The view looks at lines again, by the sender too, which of several files an older one may tell.
        let by_sender = !options.filter.sender_domain.is_empty() || by_time && inputs.len() > 1;
        let on_demand = |input: &Prepared| !by_sender && leaves_senders_out(input);
        let least = |input| if on_demand(input) { Prefilter::Deliveries } else { Prefilter::Messages };
        let least = inputs.iter().map(|input| options.prefilter.max(least(input))).collect();
        let pool = ThreadPoolBuilder::new().num_threads(options.threads.max(1)).build().ok();
        Self {
            total_bytes: inputs.iter().map(|i| i.size).sum(),
            names: Names::default(),
            feed: Mutex::new(new_feed(&options, &inputs, Blamed::default())),
            holds: AtomicBool::new(holds),
            frontier: Frontier::new(inputs.len()),
            suspended: Mutex::new(inputs.iter().map(|_| None).collect()),
            asks_senders: AtomicBool::new(has_pipe),
            can_begin_anew: !has_pipe,
            knows_all: inputs.iter().map(|_| AtomicBool::new(false)).collect(),
            blaming: AtomicUsize::new(0),
            in_order: AtomicBool::new(false),
            options,
            told,
            senders: Mutex::new(Senders::new(inputs.len())),
            inputs,
            firsts,
            least,
            left_out: OnceLock::new(),
            totals: Mutex::new(totals),
            unfed: Mutex::default(),
            by_time,
            pool,
            stop: AtomicBool::new(false),
            complete: AtomicBool::new(false),
            live: AtomicBool::new(false),
            bell: Bell::default(),
            behind: AtomicU64::new(0),
            done_bytes: Arc::default(),
            streams: Mutex::new(streams),
            _spools: spools,
            started: Instant::now(),
            took: OnceLock::new(),
        }
    }

    /// Reads all inputs to their end with the run's threads. `publish`: partial results are added as they come.
    pub fn scan(&self, publish: bool) {
        loop {
            self.read_all(publish);
            let is_whole =
                !self.begins_anew() && !self.is_lost() && !self.leaves_out_copies() && self.is_enough();
            if is_whole || self.stopped() {
                break;
            }
        }
        self.took.get_or_init(|| self.started.elapsed().as_secs_f64());
        self.complete.store(true, Ordering::Release);
        let mut totals = self.lock();
        totals.tables.settle();
        totals.changes += 1;
        drop(totals);
        self.bell.ring();
    }

    /// Whether reading on is of no use: there will be an event that blames a sender, and nobody has asked for senders.
    fn breaks_off(&self) -> bool {
        let is_blaming = self.blaming.load(Ordering::Relaxed) >= MANY_BLAMES;
        self.can_begin_anew && is_blaming && !self.asks_senders.load(Ordering::Acquire)
    }

    /// If reading was broken off, forgets what was counted: it is to be read again, with what was missing.
    fn begins_anew(&self) -> bool {
        if !self.breaks_off() || self.stopped() {
            return false;
        }
        self.asks_senders.store(true, Ordering::Release);
        self.forget(Blamed::default());
        true
    }

    /// Whether an input was cut up that has to be read in order; if so, forgets what was counted.
    fn is_lost(&self) -> bool {
        let is_lost = self.lock().inputs.iter().any(|input| input.is_lost);
        if !is_lost || self.stopped() || self.in_order.swap(true, Ordering::AcqRel) {
            return false;
        }
        self.forget(Blamed::default());
        true
    }

    /// All is read: what is still open is settled. False if the detection needs more than it was given, at most once for
    /// each of two reasons: what was counted is forgotten, to be read again.
    fn is_enough(&self) -> bool {
        self.settle();
        let mut guard = self.feed_lock();
        let feed = &mut *guard;
        self.hand_over(feed);
        match self.options.follow {
            true => feed.go_live(),
            false => self.on_threads(|| feed.finish()),
        }
        let blamed = feed.blamed();
        // The inputs were not in the order of time: all is held until the end.
        let is_disordered = feed.is_disordered() && !self.holds.swap(true, Ordering::AcqRel);
        // An event blames a sender: what else it sent tells how much of its mail is refused, and when that is over. Of what
        // comes later the senders are asked for at once: there may be one.
        let asked = self.asks_senders.fetch_or(blamed.is_some() || self.options.follow, Ordering::AcqRel);
        let is_blaming = blamed.is_some() && !asked;
        if !is_disordered && !is_blaming || self.stopped() || !self.can_begin_anew {
            return true;
        }
        drop(guard);
        self.forget(blamed.unwrap_or_default());
        false
    }

    /// Looks whether files hold the same lines; if so, forgets what was counted: it is to be read again without them.
    fn leaves_out_copies(&self) -> bool {
        let sightings = mem::take(&mut self.lock().sightings);
        if sightings.is_empty() || self.left_out.get().is_some() || self.stopped() {
            return false;
        }
        let (left_out, warnings) = compare(&self.inputs, &sightings);
        warnings.into_iter().for_each(|warning| self.warn(warning));
        if left_out.iter().all(Vec::is_empty) || self.left_out.set(left_out).is_err() {
            return false;
        }
        if !self.can_begin_anew {
            self.warn(Warning {
                path: None,
                text: "they are counted twice, for a pipe among the inputs cannot be read again".to_owned(),
                is_error: false,
            });
            return false;
        }
        self.forget(Blamed::default());
        true
    }

    /// Forgets all that was counted, but not whom refusals blame.
    fn forget(&self, blamed: Blamed) {
        let mut totals = self.lock();
        totals.tables = Tables::new(self.by_time, &self.options.filter);
        totals.inputs.fill(InputStats::default());
        totals.asides.clear();
        totals.sightings.clear();
        totals.skews = Skews::default();
        drop(totals);
        *self.unfed() = Unfed::default();
        self.blaming.store(0, Ordering::Relaxed);
        *self.feed_lock() = new_feed(&self.options, &self.inputs, blamed);
        *self.senders() = Senders::new(self.inputs.len());
        self.done_bytes.store(0, Ordering::Relaxed);
    }

    fn read_all(&self, publish: bool) {
        let mut pieces = Vec::new();
        for (index, input) in self.inputs.iter().enumerate() {
            // A followed pipe has a thread of its own, for it does not end.
            let live = self.options.follow && input.is_pipe();
            if input.format.is_none() || live {
                continue;
            }
            // It may turn out that it must not be: then all is read again.
            let may_cut = self.can_begin_anew && !self.in_order.load(Ordering::Acquire);
            let is_cut = input.opening.is_some() && may_cut;
            let parallel = is_cut || input.format.is_some_and(|f| f.order() == Order::Any);
            if parallel && input.plain_file().is_some() {
                pieces.extend((0..input.spans.len()).map(|span| Piece { input: index, span: Some(span) }));
            } else {
                pieces.push(Piece { input: index, span: None });
            }
        }
        let start = |piece: &Piece| self.inputs[piece.input].starts_at(piece.span.unwrap_or(0));
        // In the order of time, so that little is read ahead of what the detection can take.
        pieces.sort_by_key(start);
        self.frontier.begin(pieces.iter().map(start).collect(), self.window_begins());
        // Where there are threads without a piece, they help a piece that is compressed: who searches waits for them.
        let helpers = match self.options.threads.checked_sub(pieces.len()) {
            None | Some(0) => 0,
            Some(idle) => idle + 1,
        };
        let next = AtomicUsize::new(0);
        let work = || {
            let mut worker = self.worker();
            let mut stats: Vec<Option<InputStats>> = vec![None; self.inputs.len()];
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(piece) = pieces.get(at).filter(|_| !self.stopped() && !self.breaks_off()) else {
                    break;
                };
                let (seen, result) = self.read(&mut worker, *piece, at, helpers);
                stats[piece.input].get_or_insert_default().merge(seen);
                if let Err(error) = result {
                    self.warn(Warning {
                        path: Some(self.inputs[piece.input].name.to_string()),
                        text: read_error(&error, self.inputs[piece.input].coding.compression),
                        is_error: true,
                    });
                }
                if publish {
                    self.try_add(&mut worker, &mut stats);
                }
                self.pass_on(&mut worker, at, i64::MAX);
            }
            self.add(&mut worker, &mut stats);
        };
        let threads = self.options.threads.min(pieces.len()).max(1);
        match &self.pool {
            Some(pool) => pool.scope(|scope| {
                for _ in 0..threads {
                    scope.spawn(|_| work());
                }
            }),
            // No threads to be had: slower, but the same answer.
            None => work(),
        }
    }

    /// The end of each followed file may be taken once more, by the clock of its sources, which others are ahead of: from
    /// this second on, trials wait until all is read. The greatest where nothing is followed.
    fn window_begins(&self) -> i64 {
        let followed = self.inputs.iter().filter(|input| self.options.follow && input.plain_file().is_some());
        let last = followed.filter_map(|input| Some(input.starts_at(input.spans.len().checked_sub(1)?)));
        last.min().map_or(i64::MAX, |start| start.saturating_sub(2 * WINDOW))
    }

    /// Hands over the trials of a piece that was read up to this second, and lets the detection take what it can, unless
    /// another thread sees to that.
    fn pass_on(&self, worker: &mut Worker<'_>, piece: usize, reached: i64) {
        self.put_by(worker);
        self.frontier.reached(piece, reached);
        if !self.holds.load(Ordering::Acquire)
            && let Ok(mut feed) = self.feed.try_lock()
        {
            // Before anything is handed over: who reaches a frontier has handed over all before it.
            let frontier = self.frontier.of_scan();
            self.hand_over(&mut feed);
            if let Some(frontier) = frontier {
                feed.advance(frontier);
            }
        }
    }

    fn hand_over(&self, feed: &mut Feed) {
        // Of a live run, what was read and how far it was read go together.
        let totals = self.complete.load(Ordering::Acquire).then(|| self.lock());
        let Unfed { mut trials, mut others } = mem::take(&mut *self.unfed());
        drop(totals);
        feed.know(&self.names.lock());
        feed.add(&mut trials, &mut others);
    }

    /// The detection, with all in it that can be put in the order of time by now.
    pub fn feed(&self) -> MutexGuard<'_, Feed> {
        let mut feed = self.feed_lock();
        if self.complete.load(Ordering::Acquire) && self.options.follow {
            let now = Timestamp::now().as_second();
            let frontier = self.frontier.of_live(now);
            self.hand_over(&mut feed);
            feed.advance(frontier);
        }
        feed
    }

    fn feed_lock(&self) -> MutexGuard<'_, Feed> {
        // Who panics in the detection ends the run.
        self.feed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the scan stopped reading an input that goes on.
    pub fn take_suspended(&self, input: usize) -> Option<Suspended> {
        self.suspended()[input].take()
    }

    fn suspended(&self) -> MutexGuard<'_, Vec<Option<Suspended>>> {
        self.suspended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A pipe can be read once.
    pub fn take_stream(&self, input: usize) -> Option<Stream> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).get_mut(input)?.take()
    }

    /// Runs something on the run's threads.
    pub fn on_threads<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        match &self.pool {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }

    /// A worker for the run's names, map and filter.
    pub fn worker(&self) -> Worker<'_> {
        Worker::new(Context {
            names: &self.names,
            map: &self.options.source_map,
            filter: &self.options.filter,
            told: self.told.as_ref(),
            firsts: &self.firsts,
            left_out: self.left_out.get().map_or(&[], Vec::as_slice),
            inputs: self.inputs.len(),
            blaming: &self.blaming,
            by_time: self.by_time,
        })
    }

    /// How a span of an input is read; `None`: what comes behind all, or the whole.
    pub fn reading(&self, input: usize, span: Option<usize>) -> Reading {
        // What comes later may ask for what came before: in a live run all of a stretch of time is taken once more.
        let is_late = |span: usize| {
            let Prepared { spans, .. } = &self.inputs[input];
            span + LATE >= spans.len() || self.inputs[input].starts_at(span + 1) >= self.window_begins()
        };
        let may_ask = self.options.follow && span.is_none_or(is_late);
        let asks_senders = may_ask || self.asks_senders.load(Ordering::Acquire);
        Reading { prefilter: self.least[input].or_messages(asks_senders), asks_senders }
    }

    /// Takes over what a worker's last task tells of the senders of messages. `stretch`: of a live file, the next one.
    pub fn link(&self, input: usize, stretch: Option<usize>, worker: &mut Worker<'_>) {
        let left = worker.left.take(self.inputs.len());
        self.answer(self.senders().add(input, stretch, left));
        let is_live = self.complete.load(Ordering::Acquire);
        if is_live && self.senders().lacks(input) && !self.knows_all[input].swap(true, Ordering::AcqRel) {
            // The tail warns of a file that cannot be read any more.
            let recent = Recent::new(self.inputs.len());
            if let Ok(older) = self.on_threads(|| all(&self.inputs[input], recent)) {
                self.answer(self.senders().learn(input, older));
            }
        }
    }

    /// What no stretch and no log could tell for itself: all are read now.
    fn settle(&self) {
        let order = self.by_age();
        let look = |input: usize, waiting: &[Waiting]| {
            let asks_senders = self.asks_senders.load(Ordering::Acquire);
            let leaves_out = self.least[input].or_messages(asks_senders) == Prefilter::Deliveries;
            // A file that cannot be read any more has been named by the scan.
            leaves_out.then(|| self.on_threads(|| look(&self.inputs[input], waiting)).unwrap_or_default())
        };
        let answers = self.senders().settle(&order, look);
        self.answer(answers);
        self.settle_asides(&mut self.lock());
    }

    fn settle_asides(&self, totals: &mut Totals) {
        let Some(told) = &self.told else { return };
        let Totals { tables, inputs, asides, .. } = totals;
        let Unfed { trials, others } = &mut *self.unfed();
        for aside in asides.drain(..) {
            aside.settle(told, tables, trials, others, inputs);
        }
    }

    fn answer(&self, answers: Vec<(u32, Sender)>) {
        if !answers.is_empty() {
            let mut names = self.names.lock();
            for (number, domain) in answers {
                names.answer(number, domain.as_deref());
            }
        }
    }

    fn senders(&self) -> MutexGuard<'_, Senders> {
        // Each addition is complete or not begun.
        self.senders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The inputs by the time at which they begin: the files of a rotated set come in any order.
    pub fn by_age(&self) -> Vec<usize> {
        let totals = self.lock();
        let mut order: Vec<usize> = (0..self.inputs.len()).collect();
        order.sort_by_key(|input| totals.inputs[*input].range().map(|(first, _)| first));
        order
    }

    /// Whether a log tells what this record repeats.
    pub fn is_told(&self, attempt: &Attempt<'_>) -> bool {
        self.told.as_ref().is_some_and(|told| told.has_any(&fingerprints(attempt)))
    }

    /// Whether a record is left out here, because it stands in another input too.
    pub fn leaves_out(&self, input: usize, offset: u64) -> bool {
        self.left_out.get().is_some_and(|left| leaves_out(&left[input], offset))
    }

    /// The sender of a message that came in by one of these inputs.
    pub fn sender_before(&self, inputs: &[usize], message: u64) -> Option<Sender> {
        self.senders().before(inputs, message)
    }

    /// `number`: of the piece, in this scan. `helpers`: other threads that may decode.
    fn read(
        &self,
        worker: &mut Worker<'_>,
        piece: Piece,
        number: usize,
        helpers: usize,
    ) -> (InputStats, io::Result<()>) {
        let input = &self.inputs[piece.input];
        let Some(format) = input.format else { return (InputStats::default(), Ok(())) };
        let clock = input.clock_at(piece.span.unwrap_or(0));
        let mut between = |bytes: u64| {
            if piece.span.is_some() {
                self.done_bytes.fetch_add(bytes, Ordering::Relaxed);
            }
            !self.stopped() && !self.breaks_off()
        };
        let reading = self.reading(piece.input, piece.span);
        let mut task = Task::new(worker, piece.input as u32, format, &clock, reading, &mut between);
        let result = (|| match (&input.location, piece.span) {
            (Location::File(path), Some(span)) => {
                let file = File::open(path)?;
                let span = input.spans[span];
                if let Some(opening) = input.opening.as_deref().filter(|_| span.start > 0) {
                    task.open(opening);
                }
                if let Some((end, line)) = span.line_before(&file)? {
                    task.line_before(end, &line);
                }
                span.read(&file, self.options.mmap.applies(&file), &mut task)
            }
            (Location::File(path), None) => {
                let done = Arc::clone(&self.done_bytes);
                let (coding, stream) = open_stream_with(Counted { file: File::open(path)?, done }, helpers)?;
                // What a plain file holds behind its size at the start is the tail's.
                let whole = if coding.is_plain() { input.size } else { u64::MAX };
                self.read_stream(stream.take(whole), &mut task, number)
            }
            (Location::Stream(_), _) => match self.take_stream(piece.input) {
                Some(stream) => self.read_stream(stream, &mut task, number),
                None => Ok(()),
            },
        })();
        // A file that is followed goes on where it ends now, whatever its last lines have left open.
        let goes_on = self.options.follow && piece.span.is_none() && input.plain_file().is_some();
        let mut stats = if goes_on {
            let (stats, state) = task.suspend();
            self.suspended()[piece.input] = Some(state);
            stats
        } else {
            task.finish()
        };
        // One reader that saw all has lost nothing.
        stats.is_lost &= piece.span.is_some();
        self.link(piece.input, Some(piece.span.unwrap_or(0)), worker);
        (stats, result)
    }

    /// Reads a stream to its end; the detection follows.
    fn read_stream(&self, stream: impl Read, task: &mut Task<'_, '_>, number: usize) -> io::Result<()> {
        let mut chunks = Chunks::new(stream).with_history(if task.looks_back() { HISTORY } else { 0 });
        let mut passed_on = 0;
        while chunks.step(task)? {
            if chunks.rest() - passed_on > STREAMED
                && let Some(last) = task.stats.newest_line()
            {
                passed_on = chunks.rest();
                self.pass_on(task.worker, number, last.seconds);
            }
        }
        Ok(())
    }

    /// Reads everything and gives the whole result.
    pub fn batch(&self) -> Snapshot {
        self.scan(false);
        self.snapshot(&self.options.filter, Some(&Detected::of(self)))
    }

    /// Adds a worker's part to the whole and leaves it empty.
    pub fn add(&self, worker: &mut Worker<'_>, stats: &mut [Option<InputStats>]) {
        let mut totals = self.lock();
        self.put_by(worker);
        self.add_to(&mut totals, worker, stats);
    }

    /// The same, unless somebody looks at the sums just now: then it will be added with what comes next.
    fn try_add(&self, worker: &mut Worker<'_>, stats: &mut [Option<InputStats>]) {
        if let Ok(mut totals) = self.totals.try_lock() {
            self.add_to(&mut totals, worker, stats);
        }
    }

    fn add_to(&self, totals: &mut Totals, worker: &mut Worker<'_>, stats: &mut [Option<InputStats>]) {
        totals.tables.merge(worker.tables.take());
        totals.asides.append(&mut worker.asides);
        totals.skews.merge(mem::take(&mut worker.skews));
        totals.sightings.append(&mut worker.sightings);
        sift(&mut totals.sightings);
        let is_live = self.complete.load(Ordering::Acquire);
        for (input, (whole, part)) in totals.inputs.iter_mut().zip(stats).enumerate() {
            if let Some(part) = part.take() {
                if is_live && let Some((first, last)) = part.range() {
                    self.frontier.grew(input, first.seconds, last.seconds);
                }
                whole.merge(part);
            }
        }
        if is_live {
            self.settle_asides(totals);
        }
        totals.changes += 1;
    }

    /// Puts the trials of a worker by for the detection.
    fn put_by(&self, worker: &mut Worker<'_>) {
        let mut unfed = self.unfed();
        unfed.trials.append(&mut worker.trials);
        unfed.others.append(&mut worker.others);
    }

    fn unfed(&self) -> MutexGuard<'_, Unfed> {
        // To append does not panic.
        self.unfed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a warning, once.
    pub fn warn(&self, warning: Warning) {
        let mut totals = self.lock();
        if !totals.warnings.contains(&warning) {
            totals.warnings.push(warning);
            totals.changes += 1;
        }
    }

    /// Exclusive access to the sums; held for moments only.
    pub fn lock(&self) -> MutexGuard<'_, Totals> {
        // A worker that panicked has added nothing by halves: a merge does not panic.
        self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lines that held a record, that held none, and that were not understood: each line is one of these.
    pub fn lines_by_kind(&self) -> [u64; 3] {
        let totals = self.lock();
        let sum = |of: fn(&InputStats) -> u64| totals.inputs.iter().map(of).sum();
        [sum(|i| i.parsed), sum(|i| i.irrelevant), sum(|i| i.malformed)]
    }

    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.bell.ring();
    }

    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    pub fn progress(&self) -> Progress {
        let complete = self.complete.load(Ordering::Acquire);
        Progress {
            total_bytes: self.total_bytes,
            done_bytes: if complete { self.total_bytes } else { self.done_bytes.load(Ordering::Relaxed) },
            elapsed_s: self.took.get().copied().unwrap_or_else(|| self.started.elapsed().as_secs_f64()),
            complete,
            live: self.live.load(Ordering::Acquire),
            behind_bytes: self.behind.load(Ordering::Relaxed),
        }
    }

    /// What was counted so far, for a filter. `detected` is reused where given.
    pub fn snapshot(&self, filter: &Filter, detected: Option<&Detected>) -> Snapshot {
        summary::snapshot(self, filter, detected)
    }
}

fn new_feed(options: &Options, inputs: &[Prepared], blamed: Blamed) -> Feed {
    let names = inputs.iter().map(|input| input.name.to_string()).collect();
    Feed::new(names, options.detect, blamed, options.explains)
}

/// Tells the progress through a compressed file by its bytes on disk.
struct Counted {
    file: File,
    done: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(buffer)?;
        self.done.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

fn read_error(error: &io::Error, compression: Compression) -> String {
    match (error.kind(), compression.name()) {
        (io::ErrorKind::UnexpectedEof, Some(name)) => {
            format!(
                "the {name} file is cut short: what it holds was counted (copy it again if it should be whole)"
            )
        }
        (_, Some(name)) => format!("the {name} file is damaged: what came before was counted ({error})"),
        (_, None) => format!("cannot be read further: what came before was counted ({error})"),
    }
}
