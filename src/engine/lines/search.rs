//! Looks for the lines behind a filter: threads read the inputs, the newest stretches first; one puts together what they
//! find. While following, it goes on with what is written.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::engine::run::Run;
use crate::engine::visit::{Eyes, Found, Wanted};
use crate::record::Outcome;
use crate::source::{Chunk, ChunkSink, Chunks, FileSpan, Location, Tail, open_stream};

use super::files::{ListedFile, Listing, OpenFiles, stretches};
use super::index::LineIndex;
use super::mark::{Mark, Sighting};
use super::spool::{Kept, Stocker};

/// More lines are counted and not listed: half a gigabyte of marks.
pub const MOST_LISTED: usize = 1 << 25;
/// Between two versions of a list that grows, at least.
const PUBLISH: Duration = Duration::from_millis(100);
/// Between two looks at followed files.
const POLL: Duration = Duration::from_millis(250);
/// A reader hands on so many at once.
const BATCH: usize = 16 << 10;

/// How far a search is.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// Lines that match.
    pub total: u64,
    /// Those that are listed.
    pub index: LineIndex,
    pub complete: bool,
    /// What went wrong on the way.
    pub trouble: Option<Arc<str>>,
}

/// What a reader found.
#[derive(Default)]
struct Batch {
    matching: u64,
    marks: Vec<Mark>,
    trouble: Option<String>,
}

/// Whether the search is still wanted.
pub type IsWanted<'s> = dyn Fn() -> bool + Sync + 's;

/// Searches until all is read, and if it goes on while following until it is not wanted any more.
pub fn search(
    run: &Run,
    listing: &Listing,
    files: &OpenFiles,
    is_wanted: &IsWanted<'_>,
    publish: &dyn Fn(&Progress),
    goes_on: bool,
) {
    let search = Search { run, listing, is_wanted };
    let (send, batches) = mpsc::channel();
    let pieces = search.pieces(&send);
    for input in run.inputs.iter().filter(|input| input.is_pipe()) {
        let text =
            format!("{}: lines that come through a live pipe are not kept, and not listed", input.name);
        let _ = send.send(Batch { trouble: Some(text), ..Batch::default() });
    }
    let next = AtomicUsize::new(0);
    let live: Mutex<Vec<Live<'_>>> = Mutex::default();
    let mut sum = Sum { progress: Progress::default(), pending: Vec::new(), publish };
    let work = |send: Sender<Batch>| {
        while let Some(piece) = pieces.get(next.fetch_add(1, Ordering::Relaxed)).filter(|_| is_wanted()) {
            match search.read(piece, &send) {
                Ok(Some(goes_on)) => live.lock().unwrap_or_else(PoisonError::into_inner).push(goes_on),
                Ok(None) => {}
                Err(error) => search.trouble(piece.number, &error, &send),
            }
        }
    };
    let work = &work;
    thread::scope(|scope| {
        for _ in 1..run.options.threads.min(pieces.len()) {
            let send = send.clone();
            // Where there is no thread for it, the first one does it all.
            let _ = thread::Builder::new().spawn_scoped(scope, move || work(send));
        }
        let first = send.clone();
        let alone = thread::Builder::new().spawn_scoped(scope, move || work(first)).is_err();
        if alone {
            work(send);
        } else {
            drop(send);
        }
        sum.collect(&batches);
    });
    if !is_wanted() {
        return;
    }
    sum.settle();
    sum.progress.complete = true;
    publish(&sum.progress);
    if goes_on && run.options.follow {
        let mut live = live.into_inner().unwrap_or_else(PoisonError::into_inner);
        search.follow(files, &mut live, &mut sum);
    }
}

/// Puts the parts together.
struct Sum<'p> {
    progress: Progress,
    pending: Vec<Mark>,
    publish: &'p dyn Fn(&Progress),
}

impl Sum<'_> {
    /// Until all readers have ended.
    fn collect(&mut self, batches: &Receiver<Batch>) {
        let (mut due, mut is_new) = (Instant::now(), false);
        loop {
            match batches.recv_timeout(PUBLISH) {
                Ok(batch) => {
                    self.take(batch);
                    is_new = true;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if is_new && Instant::now() >= due {
                let begun = Instant::now();
                self.settle();
                (self.publish)(&self.progress);
                // Not more than a quarter of the time goes to it, however many lines there are.
                due = Instant::now() + (begun.elapsed() * 3).max(PUBLISH);
                is_new = false;
            }
        }
    }

    fn take(&mut self, mut batch: Batch) {
        self.progress.total += batch.matching;
        self.pending.append(&mut batch.marks);
        if let Some(trouble) = batch.trouble {
            self.progress.trouble = Some(trouble.into());
        }
    }

    fn settle(&mut self) {
        self.progress.index.add(std::mem::take(&mut self.pending), MOST_LISTED);
    }
}

/// A piece of work: a stretch of a file that stands for itself, or all of it.
struct Piece {
    number: usize,
    listed: Arc<ListedFile>,
    /// The plain file up to where it is read.
    plain: Option<(Arc<File>, FileSpan)>,
    /// The file is read in order.
    is_whole: bool,
    /// Nothing of the file comes behind it.
    is_last: bool,
    /// The first second in it.
    starts_at: i64,
}

/// A file that goes on growing.
struct Live<'r> {
    number: usize,
    listed: Arc<ListedFile>,
    file: Arc<File>,
    /// Of a file that is read in order, what its last lines left open.
    reading: Option<(Eyes<'r>, Option<Stocker>)>,
    read_to: u64,
}

#[derive(Clone, Copy)]
struct Search<'r> {
    run: &'r Run,
    listing: &'r Listing,
    is_wanted: &'r IsWanted<'r>,
}

impl<'r> Search<'r> {
    fn wanted(self) -> Wanted<'r> {
        Wanted::lines(&self.listing.filter)
    }

    fn trouble(self, number: usize, error: &io::Error, send: &Sender<Batch>) {
        let name = self.listing.file(number).map(|file| Arc::clone(&self.run.inputs[file.input].name));
        let text = format!("{}: {error}", name.as_deref().unwrap_or_default());
        // Nobody listens where nothing is wanted any more.
        let _ = send.send(Batch { trouble: Some(text), ..Batch::default() });
    }

    /// What there is to read, the newest first.
    fn pieces(self, send: &Sender<Batch>) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for (number, listed) in self.listing.files().into_iter().enumerate() {
            let input = &self.run.inputs[listed.input];
            let starts_at = |span: usize| if listed.is_prepared { input.starts_at(span) } else { i64::MAX };
            let mut piece = |plain, is_whole, is_last, starts_at| {
                let listed = Arc::clone(&listed);
                pieces.push(Piece { number, listed, plain, is_whole, is_last, starts_at });
            };
            if input.plain_file().is_none() {
                piece(None, true, true, starts_at(0));
                continue;
            }
            let opened = listed.open(self.run).and_then(|file| Ok((self.end(&listed, &file)?, file)));
            match opened {
                Ok((end, file)) if listed.shelf.is_some() || self.wanted().senders => {
                    piece(Some((file, FileSpan { start: 0, end })), true, true, starts_at(0));
                }
                Ok((end, file)) => {
                    for (at, span) in stretches(self.run, end).into_iter().enumerate() {
                        piece(Some((Arc::clone(&file), span)), false, span.end == end, starts_at(at));
                    }
                }
                Err(error) => self.trouble(number, &error, send),
            }
        }
        pieces.sort_by_key(|piece| {
            std::cmp::Reverse((piece.starts_at, piece.plain.as_ref().map(|p| p.1.start)))
        });
        pieces
    }

    /// Up to where a plain file is read: what was counted; while following, to its last whole line.
    fn end(self, listed: &ListedFile, file: &File) -> io::Result<u64> {
        let size = file.metadata()?.len();
        match (self.run.options.follow, listed.is_prepared) {
            (true, _) => Tail::whole_lines(file),
            (false, true) => Ok(size.min(self.run.inputs[listed.input].size)),
            (false, false) => Ok(size),
        }
    }

    fn eyes(self, listed: &ListedFile, span: usize) -> Eyes<'r> {
        let (input, run) = (&self.run.inputs[listed.input], self.run);
        // What was written since goes on with the last span's year.
        let last = input.span_years.len().saturating_sub(1);
        let clock = input.clock_at(if listed.is_prepared { span.min(last) } else { last });
        let lessons = &self.listing.lessons;
        let eyes = Eyes::new(run, lessons, self.wanted(), listed.input, listed.format, &clock);
        if listed.is_prepared { eyes } else { eyes.of_other_file() }
    }

    /// Gives what goes on where the file grows.
    fn read(self, piece: &Piece, send: &Sender<Batch>) -> io::Result<Option<Live<'r>>> {
        let Piece { number, listed, .. } = piece;
        let span = piece.plain.as_ref().map_or(0, |(_, span)| span.start);
        let width = self.run.inputs[listed.input].spans.first().map_or(1, |span| span.end.max(1));
        let eyes = self.eyes(listed, (span / width) as usize);
        let stocker = listed.shelf.clone().map(Stocker::new);
        let mut sink = Sink::new(self, *number, eyes, stocker, send);
        let Some((file, span)) = &piece.plain else {
            if let Location::File(path) = &self.run.inputs[listed.input].location {
                let (_, stream) = open_stream(File::open(path)?)?;
                let result = Chunks::new(stream).run(&mut sink);
                sink.finish();
                result?;
            }
            return Ok(None);
        };
        if let Some((end, line)) = span.line_before(file)? {
            sink.eyes.line_before(end, &line);
        }
        let mapped = !piece.is_whole && self.run.options.mmap.applies(file);
        let result = span.read(file, mapped, &mut sink);
        if !self.run.options.follow {
            sink.finish();
            return result.map(|()| None);
        }
        let reading = sink.pause();
        result?;
        let live = || Live {
            number: *number,
            listed: Arc::clone(listed),
            file: Arc::clone(file),
            reading: piece.is_whole.then_some(reading),
            read_to: span.end,
        };
        Ok(piece.is_last.then(live))
    }

    /// Goes on with what is written, and with what takes a file's place.
    fn follow(self, files: &OpenFiles, live: &mut Vec<Live<'r>>, sum: &mut Sum<'_>) {
        while (self.is_wanted)() {
            thread::sleep(POLL);
            files.look(self.run);
            for input in 0..self.run.inputs.len() {
                for file in files.of_input(input) {
                    let is_known = |live: &Live<'_>| Arc::ptr_eq(&live.file, &file);
                    if !live.iter().any(is_known) {
                        live.extend(self.begin(input, file));
                    }
                }
            }
            let (send, batches) = mpsc::channel();
            let mut restarted = Vec::new();
            for file in &mut *live {
                match self.grow(file, &send) {
                    Ok(true) => {}
                    Ok(false) => restarted.extend(self.begin(file.listed.input, Arc::clone(&file.file))),
                    Err(error) => self.trouble(file.number, &error, &send),
                }
            }
            // What was read of a file that became shorter is another file's.
            live.retain(|old| !restarted.iter().any(|new| Arc::ptr_eq(&new.file, &old.file)));
            live.append(&mut restarted);
            drop(send);
            let (before, mut is_new) = (sum.progress.total, false);
            for batch in batches {
                is_new |= batch.trouble.is_some();
                sum.take(batch);
            }
            if is_new || sum.progress.total > before {
                sum.settle();
                (sum.publish)(&sum.progress);
            }
        }
    }

    /// A file that came later, read from its start on.
    fn begin(self, input: usize, file: Arc<File>) -> Option<Live<'r>> {
        let number = self.listing.add(self.run, input, Some(Arc::clone(&file)), false)?;
        let listed = self.listing.file(number)?;
        let reading = self.reads_in_order(&listed).then(|| {
            let stocker = listed.shelf.clone().map(Stocker::new);
            (self.eyes(&listed, 0), stocker)
        });
        Some(Live { number, listed, file, reading, read_to: 0 })
    }

    fn reads_in_order(self, listed: &ListedFile) -> bool {
        listed.shelf.is_some() || self.wanted().senders
    }

    /// Reads on; false where the file has become shorter.
    fn grow(self, live: &mut Live<'r>, send: &Sender<Batch>) -> io::Result<bool> {
        let size = live.file.metadata()?.len();
        if size <= live.read_to {
            return Ok(size == live.read_to);
        }
        let end = Tail::whole_lines(&live.file)?;
        if end <= live.read_to {
            return Ok(true);
        }
        let span = FileSpan { start: live.read_to, end };
        let in_order = live.reading.is_some();
        let (mut eyes, stocker) =
            live.reading.take().unwrap_or_else(|| (self.eyes(&live.listed, usize::MAX), None));
        if !in_order && let Some((end, line)) = span.line_before(&live.file)? {
            eyes.line_before(end, &line);
        }
        let mut sink = Sink::new(self, live.number, eyes, stocker, send);
        let result = span.read(&live.file, false, &mut sink);
        let reading = sink.pause();
        live.reading = in_order.then_some(reading);
        live.read_to = end;
        result.map(|()| true)
    }
}

/// Takes what is read of one piece.
struct Sink<'s, 'r> {
    search: Search<'r>,
    eyes: Eyes<'r>,
    out: Out<'s>,
}

/// Hands on what was found.
struct Out<'s> {
    number: usize,
    stocker: Option<Stocker>,
    batch: Batch,
    sent: Instant,
    send: &'s Sender<Batch>,
}

impl<'s, 'r> Sink<'s, 'r> {
    fn new(
        search: Search<'r>,
        number: usize,
        eyes: Eyes<'r>,
        stocker: Option<Stocker>,
        send: &'s Sender<Batch>,
    ) -> Self {
        let out = Out { number, stocker, batch: Batch::default(), sent: Instant::now(), send };
        Self { search, eyes, out }
    }

    /// At the end of the input.
    fn finish(mut self) {
        let Self { eyes, out, .. } = &mut self;
        eyes.finish(&mut |found| out.add(found));
        self.pause();
    }

    /// The input may go on.
    fn pause(mut self) -> (Eyes<'r>, Option<Stocker>) {
        self.out.hand_on();
        (self.eyes, self.out.stocker)
    }
}

impl ChunkSink for Sink<'_, '_> {
    fn chunk(&mut self, chunk: Chunk<'_>) -> bool {
        let Self { search, eyes, out } = self;
        let go_on = eyes.chunk(chunk, &mut |found| out.add(found));
        if out.batch.marks.len() >= BATCH || out.sent.elapsed() >= PUBLISH {
            out.hand_on();
        }
        go_on && (search.is_wanted)()
    }

    fn oversized(&mut self, _: u64, _: &[u8]) {}
}

impl Out<'_> {
    fn add(&mut self, found: &Found<'_>) -> bool {
        self.batch.matching += 1;
        let mut place = found.offset;
        if let Some(stocker) = &mut self.stocker {
            match stocker.add(&Kept::of(found)) {
                Ok(number) => place = number,
                Err(error) => return self.give_up(&error),
            }
        }
        self.batch.marks.extend(Mark::of(&Sighting {
            time: found.attempt.time,
            file: self.number,
            place,
            nth: found.nth,
            is_refusal: found.attempt.outcome != Outcome::Delivered,
            text: found.line,
        }));
        true
    }

    /// Lines can be listed once they can be read.
    fn hand_on(&mut self) {
        if let Some(Err(error)) = self.stocker.as_mut().map(Stocker::flush) {
            self.batch.marks.clear();
            self.give_up(&error);
        }
        self.sent = Instant::now();
        let _ = self.send.send(std::mem::take(&mut self.batch));
    }

    fn give_up(&mut self, error: &io::Error) -> bool {
        let folder = std::env::temp_dir();
        let text = format!(
            "not all lines are listed: {} cannot be written to (free some space, or set TMPDIR): {error}",
            folder.display()
        );
        self.batch.trouble = Some(text);
        false
    }
}
