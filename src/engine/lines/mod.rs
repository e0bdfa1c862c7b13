//! The raw lines behind a filter: an index of all of them, newest first, sixteen bytes each; the lines themselves are
//! read where they stand, a few around those that are looked at. Nothing here blocks who asks.

mod files;
mod hunt;
mod index;
mod mark;
mod read;
mod search;
mod spool;

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use foldhash::HashMap;

use crate::aggregate::Filter;
use crate::record::Time;

pub use hunt::{Hunt, Hunted};
pub use index::LineIndex;
pub use mark::Mark;
pub use read::Gone;

use files::{Listing, OpenFiles};
use mark::Sighting;
use read::Pages;

use super::run::Run;

/// Read in one go, before a look at whether others are wanted by now.
const ONE_GO: usize = 64;
/// Between two versions of what was read, while much is.
const SHOW: Duration = Duration::from_millis(20);

/// One raw line behind a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    pub time: Option<Time>,
    pub path: Arc<str>,
    /// Where the line begins, in the decompressed stream.
    pub offset: u64,
    /// The line's bytes without its end, as logged (hostile: clean before drawing); of a long one the beginning, unless
    /// all of it was wanted.
    pub text: Box<[u8]>,
    /// Bytes of the whole line.
    pub size: u64,
    pub source: Option<String>,
    pub domain: Option<String>,
    pub datacenter: Option<String>,
    pub reply_id: String,
    pub is_refusal: bool,
}

impl LogLine {
    /// There is more of it than `text`.
    pub fn is_cut(&self) -> bool {
        (self.text.len() as u64) < self.size
    }
}

/// Lines to be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WantedLines {
    /// Those that are needed first come first. All others are forgotten.
    pub marks: Vec<Mark>,
    /// The one whose text is wanted to its end.
    pub whole: Option<Mark>,
}

/// The lines behind a filter, newest first. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct LineList {
    /// Number of the search.
    number: u64,
    /// How many lines match in all.
    pub total: u64,
    /// Those that are listed: the newest.
    pub index: LineIndex,
    /// The search has seen everything.
    pub complete: bool,
    /// Bytes in a temporary file.
    pub spooled: u64,
    /// What went wrong on the way.
    pub trouble: Option<Arc<str>>,
    read: Arc<HashMap<Mark, Result<Arc<LogLine>, Gone>>>,
    /// How far the search for a text is.
    pub hunted: Option<Hunted>,
}

impl LineList {
    /// The line in a row, if it was read.
    pub fn line(&self, row: usize) -> Option<Result<&LogLine, &Gone>> {
        self.read.get(&self.index.get(row)?).map(|read| read.as_deref())
    }

    /// Whether a line was read, or found to be gone.
    pub fn is_read(&self, mark: Mark) -> bool {
        self.read.contains_key(&mark)
    }

    /// The same lines as listed before, with what was read since.
    pub fn as_of(&self, before: &Self) -> Self {
        if self.number != before.number {
            return self.clone();
        }
        Self { read: Arc::clone(&self.read), hunted: self.hunted, ..before.clone() }
    }

    /// A whole list of lines that are at hand.
    pub fn of(lines: Vec<LogLine>) -> Self {
        let marks = lines.iter().enumerate().filter_map(|(at, line)| {
            let (time, is_refusal, text) = (line.time, line.is_refusal, &*line.text);
            Mark::of(&Sighting { time, file: 0, place: line.offset, nth: at, is_refusal, text })
        });
        let marks: Vec<Mark> = marks.collect();
        let mut list = Self { total: lines.len() as u64, complete: true, ..Self::default() };
        list.index.add(marks.clone(), usize::MAX);
        list.show(marks.into_iter().zip(lines.into_iter().map(Ok)));
        list
    }

    /// Takes over what was read, and forgets what was before.
    pub fn show(&mut self, read: impl IntoIterator<Item = (Mark, Result<LogLine, Gone>)>) {
        self.read = Arc::new(read.into_iter().map(|(mark, line)| (mark, line.map(Arc::new))).collect());
    }
}

/// The list of a running engine, and what it is made of.
#[derive(Default)]
pub struct Lister {
    list: ArcSwap<LineList>,
    /// Number of the newest search; an older one ends.
    search: AtomicU64,
    /// The same for texts.
    hunt: AtomicU64,
    listing: Mutex<Option<Arc<Listing>>>,
    files: OnceLock<OpenFiles>,
    asked: Mutex<Asked>,
    changed: Condvar,
}

#[derive(Default)]
struct Asked {
    lines: Option<WantedLines>,
    /// Nobody asks any more.
    ended: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it is held.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Lister {
    /// What was found and read so far; the same `Arc` as long as there is nothing new.
    pub fn list(&self) -> Arc<LineList> {
        self.list.load_full()
    }

    fn files(&self, run: &Run) -> &OpenFiles {
        self.files.get_or_init(|| OpenFiles::of(run))
    }

    /// Opens the files that lines will be read from, while following also those that took their place since.
    pub fn look_at_files(&self, run: &Run) {
        let files = self.files(run);
        if run.options.follow {
            files.look(run);
        }
    }

    /// Begins a new list, and forgets the one before; gives its number.
    pub fn begin(&self) -> u64 {
        let number = self.search.fetch_add(1, Ordering::AcqRel) + 1;
        self.hunt.fetch_add(1, Ordering::AcqRel);
        *lock(&self.listing) = None;
        self.list.store(Arc::new(LineList { number, ..LineList::default() }));
        number
    }

    fn is_current(&self, number: u64) -> bool {
        self.search.load(Ordering::Acquire) == number
    }

    fn publish(&self, number: u64, change: impl Fn(&mut LineList)) {
        self.list.rcu(|old| {
            let mut new = Arc::clone(old);
            if new.number == number {
                change(Arc::make_mut(&mut new));
            }
            new
        });
    }

    /// Fills a list; returns when it is complete, while following when it is not wanted any more.
    pub fn search(&self, run: &Run, filter: &Filter, number: u64) {
        self.look_at_files(run);
        let files = self.files(run);
        let is_wanted = || self.is_current(number) && !run.stopped();
        let mut is_again = false;
        while is_wanted() {
            // Only what all of the input teaches finds every line: what is listed before is listed anew then.
            let knows_all = run.complete.load(Ordering::Acquire);
            let listing = Arc::new(Listing::new(run, files, filter.clone(), number));
            let show = |progress: &search::Progress| {
                if is_again && !progress.complete || !self.take_over(&listing) {
                    return;
                }
                self.publish(number, |list| {
                    list.total = progress.total;
                    list.index = progress.index.clone();
                    list.complete = progress.complete && knows_all;
                    list.spooled = listing.spool.size();
                    list.trouble.clone_from(&progress.trouble);
                });
            };
            search::search(run, &listing, files, &is_wanted, &show, knows_all);
            if knows_all {
                return;
            }
            is_again = true;
            while is_wanted() && !run.complete.load(Ordering::Acquire) {
                thread::sleep(SHOW);
            }
        }
    }

    /// Lines are read from this listing now; false if another list is wanted.
    fn take_over(&self, listing: &Arc<Listing>) -> bool {
        let mut slot = lock(&self.listing);
        let is_current = self.is_current(listing.number);
        if is_current {
            *slot = Some(Arc::clone(listing));
        }
        is_current
    }

    /// Asks for lines; those asked for before and not read yet are forgotten.
    pub fn ask(&self, lines: WantedLines) {
        lock(&self.asked).lines = Some(lines);
        self.changed.notify_one();
    }

    /// Ends it all.
    pub fn end(&self) {
        self.search.fetch_add(1, Ordering::AcqRel);
        self.hunt.fetch_add(1, Ordering::AcqRel);
        lock(&self.asked).ended = true;
        self.changed.notify_all();
    }

    fn next_asked(&self) -> Option<WantedLines> {
        let mut asked = lock(&self.asked);
        loop {
            if asked.ended {
                return None;
            }
            if let Some(lines) = asked.lines.take() {
                return Some(lines);
            }
            asked = self.changed.wait(asked).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Reads what is asked for, until the end.
    pub fn serve(&self, run: &Run) {
        while let Some(wanted) = self.next_asked() {
            let listing = lock(&self.listing).clone();
            if let Some(listing) = listing {
                self.read(run, &listing, &wanted);
            }
        }
    }

    fn read(&self, run: &Run, listing: &Listing, wanted: &WantedLines) {
        let before = self.list();
        let is_cut = |line: &Result<Arc<LogLine>, Gone>| line.as_ref().is_ok_and(|line| line.is_cut());
        let mut read: HashMap<Mark, Result<Arc<LogLine>, Gone>> = HashMap::default();
        let mut missing = Vec::new();
        let mut seen = HashSet::new();
        for &mark in wanted.whole.iter().chain(&wanted.marks).filter(|mark| seen.insert(**mark)) {
            let at_hand = before.read.get(&mark);
            // Of a long line the beginning does until all of it is there.
            read.extend(at_hand.map(|line| (mark, line.clone())));
            if at_hand.is_none_or(|line| wanted.whole == Some(mark) && is_cut(line)) {
                missing.push(mark);
            }
        }
        let mut pages = Pages::new(run, listing);
        let mut shown = Instant::now();
        for (at, part) in missing.chunks_mut(ONE_GO).enumerate() {
            part.sort_unstable_by_key(|mark| (mark.file(), mark.place()));
            for mark in part {
                let line = pages.line(*mark, wanted.whole == Some(*mark)).map(Arc::new);
                read.insert(*mark, line);
            }
            let is_outdated = lock(&self.asked).lines.is_some();
            if at == 0 || is_outdated || shown.elapsed() > SHOW {
                shown = Instant::now();
                let read = Arc::new(read.clone());
                self.publish(listing.number, |list| list.read = Arc::clone(&read));
            }
            if is_outdated {
                return;
            }
        }
        let read = Arc::new(read);
        self.publish(listing.number, |list| list.read = Arc::clone(&read));
    }

    /// Begins to look for a text, from a line on; an earlier search ends. Gives its number.
    pub fn begin_hunt(&self) -> u64 {
        self.hunt.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// Looks for a text in all lines below a line or above it, until it is found or not wanted any more.
    pub fn hunt(&self, run: &Run, hunt: &Hunt, number: u64) {
        let list = self.list();
        let listing = lock(&self.listing).clone();
        let Some(listing) = listing.filter(|listing| listing.number == list.number) else { return };
        let is_wanted = || self.hunt.load(Ordering::Acquire) == number && !run.stopped();
        hunt::hunt(run, &listing, &list.index, hunt, &is_wanted, &|hunted| {
            if is_wanted() {
                self.publish(list.number, |list| list.hunted = Some(hunted));
            }
        });
    }
}
