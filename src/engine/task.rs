//! A piece of work: chunks in, each line to the reader, what it finds to the worker.

use crate::record::{Clock, Format, Glance, Line, Reader, Record, Stamper};
use crate::scan::Scanner;
use crate::source::{Chunk, ChunkSink};
use crate::text::lines;

use super::look_back::{LookBack, scanner};
use super::options::Prefilter;
use super::stats::InputStats;
use super::worker::Worker;

/// How a part of an input is read.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// Which lines are looked at, at least.
    pub prefilter: Prefilter,
    /// Who sent what was accepted is to be found out too.
    pub asks_senders: bool,
}

/// The state of scanner and parser between two tasks of one input.
pub type Suspended = (Scanner, Box<dyn Reader + Send>);

/// Reads the lines of one task: a span or a whole stream of one input.
pub struct Task<'w, 'e> {
    pub worker: &'w mut Worker<'e>,
    pub stats: InputStats,
    input: u32,
    format: &'static dyn Format,
    scanner: Scanner,
    reader: Box<dyn Reader + Send>,
    edges: Stamper,
    /// Lines in their plainest form are not read in full: nothing of the input is left out, senders are not filtered, and it
    /// is not the slow way.
    glances: bool,
    /// Called between chunks; returns whether to go on.
    between: &'w mut dyn FnMut(u64) -> bool,
}

impl<'w, 'e> Task<'w, 'e> {
    pub fn new(
        worker: &'w mut Worker<'e>,
        input: u32,
        format: &'static dyn Format,
        clock: &Clock,
        Reading { prefilter, asks_senders }: Reading,
        between: &'w mut dyn FnMut(u64) -> bool,
    ) -> Self {
        worker.begin(format, asks_senders);
        let glances = prefilter != Prefilter::Off && !worker.leaves_out(input) && !worker.filters_senders();
        worker.look_back = (prefilter == Prefilter::Deliveries).then(|| LookBack::new(format, clock));
        Self {
            worker,
            stats: InputStats::default(),
            input,
            format,
            scanner: scanner(format, prefilter),
            reader: format.reader(clock),
            edges: Stamper::new(clock),
            glances,
            between,
        }
    }

    /// Whether lines that tell senders are looked for in what came before, where one is asked for.
    pub fn looks_back(&self) -> bool {
        self.worker.look_back.is_some()
    }

    /// Shows the reader of a part how the file opens.
    pub fn open(&mut self, opening: &[u8]) {
        for bytes in lines(opening) {
            self.reader.line(Line { bytes, offset: 0 }, &mut |_, _| {});
        }
    }

    /// Tells the line right before `offset`.
    pub fn line_before(&mut self, offset: u64, line: &[u8]) {
        self.scanner.line_before(offset, line);
    }

    /// Goes on where another task of the same input was suspended.
    pub fn resume(&mut self, (scanner, reader): Suspended) {
        self.scanner = scanner;
        self.reader = reader;
    }

    /// Leaves the state of scanner and parser for later lines.
    pub fn suspend(self) -> (InputStats, Suspended) {
        (self.stats, (self.scanner, self.reader))
    }

    /// What the parser held until the end.
    pub fn finish(mut self) -> InputStats {
        let Self { worker, stats, input, reader, .. } = &mut self;
        reader.finish(&mut |offset, record| {
            if !worker.is_left_out(*input, offset) {
                if let Record::Malformed { why } = record {
                    stats.sample(offset, why, b"");
                }
                worker.record(stats, *input, offset, b"", &record);
            }
        });
        stats.is_lost = reader.is_lost();
        self.stats
    }

    /// The chunk's first and last stamp, for the range of the input.
    fn range(&mut self, chunk: Chunk<'_>) {
        let stamp = |line: &&[u8]| self.format.naive_stamp(line);
        let first = chunk.bytes.split(|b| *b == b'\n').take(8).find_map(|line| stamp(&line));
        let last = chunk.bytes.rsplit(|b| *b == b'\n').take(8).find_map(|line| stamp(&line));
        let end = chunk.offset + chunk.bytes.len() as u64;
        for (offset, naive) in [(chunk.offset, first), (end, last)] {
            if let Some(naive) = naive {
                self.stats.edge((offset, self.edges.time(&naive)));
            }
        }
    }
}

impl ChunkSink for Task<'_, '_> {
    fn chunk(&mut self, chunk: Chunk<'_>) -> bool {
        self.range(chunk);
        let Self { worker, stats, input, format, scanner, reader, glances, .. } = self;
        let mut candidates = 0;
        let scanned = scanner.scan(chunk, |offset, bytes| {
            candidates += 1;
            let mut kind = None;
            worker.look_for_copies(*input, offset, bytes);
            let before = chunk.before(offset);
            let glance = if *glances { reader.glance(bytes) } else { None };
            match glance {
                Some(Glance::Delivered(plain))
                    if worker.plain(stats, *format, (*input, offset), before, &plain) =>
                {
                    stats.parsed += 1;
                    return;
                }
                Some(Glance::Queued { source, queue_id, sender })
                    if worker.queued(*format, source, queue_id, sender) =>
                {
                    stats.irrelevant += 1;
                    return;
                }
                _ => {}
            }
            reader.line(Line { bytes, offset }, &mut |at, record| {
                if worker.is_left_out(*input, at) {
                    return;
                }
                match &record {
                    Record::Irrelevant | Record::Queued { .. } | Record::Note(_) => {}
                    Record::Malformed { why } => {
                        if !matches!(kind, Some(Kind::Malformed)) {
                            // A record over many lines may have begun before this one.
                            stats.sample(at, why, if at < offset { b"" } else { bytes });
                        }
                        kind = Some(Kind::Malformed);
                    }
                    _ => kind = kind.or(Some(Kind::Parsed)),
                }
                worker.record(stats, *input, at, before, &record);
            });
            match kind {
                Some(Kind::Parsed) => stats.parsed += 1,
                Some(Kind::Malformed) => {}
                None => stats.irrelevant += 1,
            }
        });
        stats.irrelevant += scanned.lines - candidates;
        stats.lines += scanned.lines;
        stats.bytes += chunk.bytes.len() as u64;
        (self.between)(chunk.bytes.len() as u64)
    }

    fn oversized(&mut self, offset: u64, head: &[u8]) {
        self.stats.lines += 1;
        self.stats.sample(offset, "a line of more than 16 MiB", head);
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Parsed,
    Malformed,
}
