//! Where deliveries leave the sender out, it stands on an earlier line that nobody looks at while the deliveries are
//! counted: the few refusals that ask for it look back, first in the chunk at hand, in the end in the whole file.

use std::fs::File;
use std::io;
use std::ops::Range;

use foldhash::HashSet;
use memchr::memmem;
use rayon::prelude::*;

use crate::record::{Clock, Format, Line, Order, Reader, Record, domain_of};
use crate::scan::Scanner;
use crate::source::{Chunk, ChunkSink, Chunks, Location, open_stream};
use crate::text::lower;

use super::options::Prefilter;
use super::prepare::Prepared;
use super::senders::{Recent, Sender, SenderLines, Waiting, message};

/// Spans before the refusal's own that are looked at before all others: the line seldom stands farther away.
const NEAR: usize = 1;
/// Bytes that are looked at first; then ever more.
const FIRST_LOOK: usize = 4 << 10;
/// Where all is to be looked at anyway, no more are looked at before.
const NEAR_BYTES: usize = 256 << 10;

/// What finds the lines that are worth a look.
pub fn scanner(format: &dyn Format, prefilter: Prefilter) -> Scanner {
    let mut needles = Vec::new();
    if prefilter != Prefilter::Off {
        needles.extend(format.needles());
    }
    if prefilter == Prefilter::Messages && !needles.is_empty() {
        needles.extend(format.sender_needles());
    }
    Scanner::new(&needles).each_counts(format.spans_lines())
}

/// Whether the lines that tell senders are left out of an input: it must be possible to read them later.
pub fn leaves_senders_out(input: &Prepared) -> bool {
    let reads_any = |format: &dyn Format| format.order() == Order::Any && !format.sender_needles().is_empty();
    matches!(input.location, Location::File(_)) && input.format.is_some_and(reads_any)
}

fn sender_of(domain: Option<&[u8]>) -> Sender {
    domain.map(|domain| lower(domain).into())
}

/// Looks for senders in what was read just before.
pub struct LookBack {
    needles: &'static [&'static [u8]],
    reader: Box<dyn Reader + Send>,
    literal: Vec<u8>,
    /// One was not there: it will be looked for in the whole file, and so may others.
    has_missed: bool,
}

impl LookBack {
    pub fn new(format: &dyn Format, clock: &Clock) -> Self {
        Self {
            needles: format.sender_needles(),
            reader: format.reader(clock),
            literal: Vec::new(),
            has_missed: false,
        }
    }

    /// The sender that the last of these lines tells that is about the wanted message.
    pub fn sender(&mut self, lines: &[u8], wanted: u64, queue_id: &[u8]) -> Option<Sender> {
        let Self { needles, reader, literal, has_missed } = self;
        let lines = if *has_missed { &lines[lines.len().saturating_sub(NEAR_BYTES)..] } else { lines };
        let mut best: Option<(usize, Sender)> = None;
        for needle in *needles {
            literal.clear();
            literal.extend_from_slice(queue_id);
            literal.extend_from_slice(needle);
            let finder = memmem::Finder::new(&*literal);
            let mut from = lines.len();
            let mut width = FIRST_LOOK;
            while best.as_ref().map_or(from > 0, |(at, _)| *at < from) {
                let window = from.saturating_sub(width)..(from + literal.len()).min(lines.len());
                from = window.start;
                width *= 4;
                let hits: Vec<usize> = finder.find_iter(&lines[window]).map(|hit| from + hit).collect();
                let sender = |hit: &usize| Some((*hit, sender_at(reader, lines, *hit, wanted)?));
                if let Some(found) = hits.iter().rev().find_map(sender) {
                    best = best.filter(|(at, _)| *at > found.0).or(Some(found));
                }
            }
        }
        *has_missed |= best.is_none();
        best.map(|(_, sender)| sender)
    }
}

/// What the line at `hit` tells of the message.
fn sender_at(reader: &mut Box<dyn Reader + Send>, lines: &[u8], hit: usize, wanted: u64) -> Option<Sender> {
    let start = memchr::memrchr(b'\n', &lines[..hit]).map_or(0, |n| n + 1);
    let end = memchr::memchr(b'\n', &lines[hit..]).map_or(lines.len(), |n| hit + n);
    let mut sender = None;
    reader.line(Line { bytes: &lines[start..end], offset: 0 }, &mut |_, record| {
        if let Record::Queued { host, queue_id, sender: address } = record
            && message(host, queue_id) == wanted
        {
            sender = Some(sender_of(domain_of(address)));
        }
    });
    sender
}

/// Finds the lines of a file that tell the senders of these messages, as far as they are needed.
pub fn look(input: &Prepared, waiting: &[Waiting]) -> io::Result<SenderLines> {
    let mut found = SenderLines::default();
    if input.plain_file().is_none() {
        note(read_stream(input, &wanted(waiting))?, &mut found);
        return Ok(found);
    }
    let near = |waiting: &Waiting| -> Range<usize> {
        let own = input.spans.partition_point(|span| span.end <= waiting.offset);
        own.saturating_sub(NEAR)..(own + 1).min(input.spans.len())
    };
    let mut is_near = vec![false; input.spans.len()];
    waiting.iter().flat_map(near).for_each(|span| is_near[span] = true);
    let all = 0..input.spans.len();
    let spans: Vec<usize> = all.clone().filter(|span| is_near[*span]).collect();
    note(read(input, &spans, Some(&wanted(waiting)))?, &mut found);
    let is_told = |waiting: &Waiting| {
        let from = input.spans[near(waiting)].first().map_or(0, |span| span.start);
        let lines = found.get(&waiting.message);
        lines.is_some_and(|lines| lines.iter().any(|(at, _)| (from..waiting.offset).contains(at)))
    };
    let far: Vec<Waiting> = waiting.iter().filter(|waiting| !is_told(waiting)).copied().collect();
    let last = far.iter().map(|waiting| waiting.offset).max().unwrap_or(0);
    let spans: Vec<usize> = all.filter(|span| !is_near[*span] && input.spans[*span].start < last).collect();
    note(read(input, &spans, Some(&wanted(&far)))?, &mut found);
    found.values_mut().for_each(|lines| lines.sort_by_key(|(offset, _)| *offset));
    Ok(found)
}

/// The newest messages that came in by a plain file, as far as it was there when it was opened.
pub fn all(input: &Prepared, mut recent: Recent) -> io::Result<Recent> {
    let spans: Vec<usize> = (0..input.spans.len()).collect();
    // A few at a time: there may be more of them than are remembered.
    for spans in spans.chunks(rayon::current_num_threads()) {
        for (message, _, sender) in read(input, spans, None)? {
            recent.add_domain(message, sender.as_deref().unwrap_or_default().as_bytes());
        }
    }
    Ok(recent)
}

/// A message, where its line stands, and the sender.
type Told = (u64, u64, Sender);

fn wanted(waiting: &[Waiting]) -> HashSet<u64> {
    waiting.iter().map(|waiting| waiting.message).collect()
}

fn note(told: Vec<Told>, found: &mut SenderLines) {
    for (message, offset, sender) in told {
        found.entry(message).or_default().push((offset, sender));
    }
}

/// Of a file that can be read from its start only.
fn read_stream(input: &Prepared, wanted: &HashSet<u64>) -> io::Result<Vec<Told>> {
    let (Some(format), Location::File(path)) = (input.format, &input.location) else {
        return Ok(Vec::new());
    };
    let mut lines = Lines::new(format, &input.clock_at(0), Some(wanted));
    // A damaged file has been named by the scan: what comes before the damage was counted, and is enough here.
    let _ = Chunks::new(open_stream(File::open(path)?)?.1).run(&mut lines);
    Ok(lines.found)
}

/// Of some spans of a plain file, in their order. `wanted`: `None` for all messages.
fn read(input: &Prepared, spans: &[usize], wanted: Option<&HashSet<u64>>) -> io::Result<Vec<Told>> {
    let (Some(format), Some(path)) = (input.format, input.plain_file()) else { return Ok(Vec::new()) };
    if wanted.is_some_and(HashSet::is_empty) {
        return Ok(Vec::new());
    }
    let one = |span: &usize| {
        let mut lines = Lines::new(format, &input.clock_at(*span), wanted);
        input.spans[*span].read(&File::open(path)?, false, &mut lines)?;
        Ok(lines.found)
    };
    let parts: Vec<Vec<Told>> = spans.par_iter().map(one).collect::<io::Result<_>>()?;
    Ok(parts.into_iter().flatten().collect())
}

/// Takes the lines that tell senders, and keeps what is wanted.
struct Lines<'w> {
    scanner: Scanner,
    reader: Box<dyn Reader + Send>,
    wanted: Option<&'w HashSet<u64>>,
    found: Vec<Told>,
}

impl<'w> Lines<'w> {
    fn new(format: &dyn Format, clock: &Clock, wanted: Option<&'w HashSet<u64>>) -> Self {
        let (scanner, reader) = (Scanner::new(format.sender_needles()), format.reader(clock));
        Self { scanner, reader, wanted, found: Vec::new() }
    }
}

impl ChunkSink for Lines<'_> {
    fn chunk(&mut self, chunk: Chunk<'_>) -> bool {
        let Self { scanner, reader, wanted, found } = self;
        scanner.scan(chunk, |offset, bytes| {
            reader.line(Line { bytes, offset }, &mut |at, record| {
                if let Record::Queued { host, queue_id, sender } = record {
                    let message = message(host, queue_id);
                    if wanted.is_none_or(|wanted| wanted.contains(&message)) {
                        found.push((message, at, sender_of(domain_of(sender))));
                    }
                }
            });
        });
        true
    }

    fn oversized(&mut self, _: u64, _: &[u8]) {}
}
