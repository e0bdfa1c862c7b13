//! The same stretch of lines in two files: `mail.log` beside its copy or its `.gz`, `mail.info` beside `mail.log`, what
//! a failed rotation left. Told at the level of files: the first records of each are looked for in all while they are
//! scanned, and where one turns up, both files are read on from there and compared, record by record.

use std::collections::VecDeque;
use std::fs::File;
use std::hash::BuildHasher;
use std::io::{self, Read};
use std::ops::Range;

use foldhash::fast::FixedState;

use crate::aggregate::Warning;
use crate::record::{Format, Stamper, Time};
use crate::scan::Scanner;
use crate::source::{Chunk, ChunkSink, Chunks, Location, open_stream};

use super::look_back::scanner;
use super::options::Prefilter;
use super::prepare::Prepared;

/// Of each input: the first line of a copy may be torn.
const FIRST_RECORDS: usize = 2;
/// A pair of files is compared from so many places at most.
const MOST_SIGHTINGS: usize = 16;

/// Lines that two files share, where both go on differently behind them.
const FEWEST: u64 = 50;

/// A line by a few of its bytes: cheap, and enough to suspect that it is another one's copy.
fn quick(line: &[u8]) -> u64 {
    let word = |at: usize| {
        let mut bytes = [0; 8];
        let part = &line[at.min(line.len())..line.len().min(at + 8)];
        bytes[..part.len()].copy_from_slice(part);
        u64::from_le_bytes(bytes)
    };
    let ends =
        word(8) ^ word(line.len() / 2).rotate_left(21) ^ word(line.len().saturating_sub(8)).rotate_left(42);
    (ends ^ line.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// A record that begins an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct First {
    input: u32,
    offset: u64,
    quick: u64,
}

/// The first records of all inputs.
#[derive(Debug, Default)]
pub struct Firsts {
    list: Vec<First>,
    /// A bit for each, by the top of its number.
    bits: [u64; 16],
    /// They are of several inputs.
    several: bool,
}

/// Offset and [`quick`] of the first records in the beginning of an input.
pub fn firsts_in(format: &'static dyn Format, head: &[u8]) -> Vec<(u64, u64)> {
    let mut found = Vec::new();
    Scanner::new(format.needles()).scan(Chunk::new(head, 0), |offset, line| {
        if found.len() < FIRST_RECORDS && line.first() != Some(&0) && format.naive_stamp(line).is_some() {
            found.push((offset, quick(line)));
        }
    });
    found
}

impl Firsts {
    /// Adds those of an input that can be read again.
    pub fn add(&mut self, input: usize, firsts: &[(u64, u64)]) {
        for (offset, quick) in firsts {
            self.several |= self.list.iter().any(|first| first.input != input as u32);
            self.bits[(quick >> 60) as usize] |= 1 << (quick >> 54 & 63);
            self.list.push(First { input: input as u32, offset: *offset, quick: *quick });
        }
    }

    /// Whether the line may be a copy of another input's first record.
    pub fn look(&self, input: u32, offset: u64, line: &[u8], each: impl FnMut(Sighting)) {
        if !self.several {
            return;
        }
        let quick = quick(line);
        if self.bits[(quick >> 60) as usize] & 1 << (quick >> 54 & 63) != 0 {
            let same = self.list.iter().filter(|first| first.quick == quick && first.input != input);
            same.map(|first| Sighting { of: first.input, from: first.offset, input, offset }).for_each(each);
        }
    }
}

/// A record of input `of`, at `from`, seen at `offset` of another input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sighting {
    of: u32,
    input: u32,
    offset: u64,
    from: u64,
}

/// Keeps some of each pair of files; which, does not depend on the order in which they came.
pub fn sift(sightings: &mut Vec<Sighting>) {
    sightings.sort_unstable();
    sightings.dedup();
    let mut pair = (0, 0);
    let mut count = 0;
    sightings.retain(|s| {
        count = if pair == (s.of, s.input) { count + 1 } else { 1 };
        pair = (s.of, s.input);
        count <= MOST_SIGHTINGS
    });
}

/// By input, the records that stand in another one too and are read there.
pub type Left = Vec<Vec<Range<u64>>>;

/// Whether a record is left out.
pub fn leaves_out(ranges: &[Range<u64>], offset: u64) -> bool {
    ranges.iter().any(|range| range.contains(&offset))
}

/// Compares the files from where a copy was suspected. Of two, the later one is left out, from the first of its records
/// that the other has to the last.
pub fn compare(inputs: &[Prepared], sightings: &[Sighting]) -> (Left, Vec<Warning>) {
    let mut left: Left = vec![Vec::new(); inputs.len()];
    let mut warnings = Vec::new();
    // The last input first: of equal files the one that was given first is read.
    for s in sightings.iter().rev() {
        let (of, at) = (s.of as usize, s.input as usize);
        if leaves_out(&left[of], s.from) || leaves_out(&left[at], s.offset) {
            continue;
        }
        // A file that cannot be read any more has been, or will be, named by the scan.
        let Ok(Some(copy)) = copy(&inputs[of], s.from, &inputs[at], s.offset) else { continue };
        warnings.push(Warning {
            path: Some(inputs[of].name.to_string()),
            text: copy.text(&inputs[at]),
            is_error: false,
        });
        left[of].push(copy.here);
    }
    warnings.reverse();
    (left, warnings)
}

/// A stretch that stands in two files.
struct Copy {
    /// In the first of them.
    here: Range<u64>,
    times: Option<(Time, Time)>,
}

impl Copy {
    fn text(&self, other: &Prepared) -> String {
        let times = self.times.map_or_else(String::new, |(from, to)| format!(" from {from} to {to}"));
        format!("its lines{times} stand in {} too: they are read there alone", other.name)
    }
}

/// Two files from a record that both have: the records that are the same in both. `None` where it is no copy after all.
fn copy(of: &Prepared, from: u64, at: &Prepared, offset: u64) -> io::Result<Option<Copy>> {
    let Some(format) = of.format else { return Ok(None) };
    let mut ours = Records::open(of, format, from)?;
    let mut theirs = Records::open(at, format, offset)?;
    let mut stamper = Stamper::new(&of.clock_at(0));
    let mut last: Option<Record> = None;
    let mut count = 0u64;
    let mut first_time = None;
    let ended = loop {
        match (ours.next()?, theirs.next()?) {
            (Some(a), Some(b)) if a.hash == b.hash => {
                count += 1;
                let time = a.naive.map(|naive| stamper.time(&naive));
                first_time = first_time.or(time);
                last = Some(a);
            }
            (None, _) | (_, None) => break true,
            // A copy may end in a torn line.
            _ => break ours.next()?.is_none() || theirs.next()?.is_none(),
        }
    };
    let Some(last) = last else { return Ok(None) };
    // A few lines that agree in the midst of files that do not are no copy.
    if !ended && count < FEWEST {
        return Ok(None);
    }
    let last_time = last.naive.map(|naive| stamper.time(&naive));
    Ok(Some(Copy { here: from..last.offset + 1, times: first_time.zip(last_time.or(first_time)) }))
}

struct Record {
    offset: u64,
    hash: u64,
    naive: Option<crate::record::Naive>,
}

/// The candidate lines of a file, one by one.
struct Records {
    chunks: Chunks<Box<dyn Read + Send>>,
    more: bool,
    queue: Queue,
}

struct Queue {
    format: &'static dyn Format,
    scanner: Scanner,
    records: VecDeque<Record>,
}

impl Records {
    fn open(input: &Prepared, format: &'static dyn Format, from: u64) -> io::Result<Self> {
        let Location::File(path) = &input.location else {
            return Err(io::Error::other("a pipe cannot be read again"));
        };
        let mut file = File::open(path)?;
        let stream: Box<dyn Read + Send> = if input.coding.is_plain() {
            io::Seek::seek(&mut file, io::SeekFrom::Start(from))?;
            Box::new(file.take(input.size.saturating_sub(from)))
        } else {
            let (_, mut stream) = open_stream(file)?;
            io::copy(&mut (&mut stream).take(from), &mut io::sink())?;
            stream
        };
        let scanner = scanner(format, Prefilter::Messages).each_counts(false);
        let queue = Queue { format, scanner, records: VecDeque::new() };
        Ok(Self { chunks: Chunks::resume(stream, from), more: true, queue })
    }

    fn next(&mut self) -> io::Result<Option<Record>> {
        while self.queue.records.is_empty() && self.more {
            self.more = self.chunks.step(&mut self.queue)?;
        }
        Ok(self.queue.records.pop_front())
    }
}

impl ChunkSink for Queue {
    fn chunk(&mut self, chunk: Chunk<'_>) -> bool {
        let Self { format, scanner, records } = self;
        scanner.scan(chunk, |offset, line| {
            let hash = FixedState::default().hash_one(line);
            records.push_back(Record { offset, hash, naive: format.naive_stamp(line) });
        });
        true
    }

    fn oversized(&mut self, _: u64, _: &[u8]) {}
}
