//! Which clock do an input's stamps follow? Microsoft's own stamps in the replies are UTC: they tell zone and year of a
//! log that says none, and how far a host's clock is off.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use jiff::tz::TimeZone;
use memchr::memmem;

use crate::aggregate::Warning;
use crate::record::stamp::{SILENCE, civil_from_days, parse};
use crate::record::{Clock, Format, Naive, Order, Stamper, Zone};
use crate::source::{Chunk, ChunkSink, Chunks, FileSpan, Location, open_stream, spans};
use crate::text::lines;

use super::options::Options;
use super::prepare::{HEAD, Prepared};

/// How much of each end of a file is searched for Microsoft's own stamps.
pub const CLOCK_SEARCH: usize = 16 << 20;
/// Enough of them.
const CLOCK_SAMPLES: usize = 32;
/// Where a file is to be cut up, a record begins within so many bytes.
const CUT_SEARCH: usize = 64 << 10;
const DAY: i64 = 86_400;
/// Zones differ by multiples of this.
const QUARTER: i64 = 900;
/// A host's clock may be off by so much, and still tell its zone.
const OFF: i64 = 150;

/// What a file's own lines tell of its clock.
#[derive(Default)]
pub struct Evidence {
    /// Log stamps beside Microsoft's stamp (unix seconds) in the same line.
    samples: Vec<(Naive, i64)>,
    first: Option<Naive>,
    last: Option<Naive>,
    modified: Option<i64>,
}

impl Evidence {
    /// `modified`: when the file was written to last, in Unix seconds.
    pub fn new(modified: Option<i64>) -> Self {
        Self { modified, ..Self::default() }
    }

    /// Reads what is needed of both ends.
    pub fn gather(&mut self, format: &'static dyn Format, head: &[u8], input: &Prepared) -> io::Result<()> {
        let mut stamps = lines(head).filter_map(|line| format.naive_stamp(line));
        let first = stamps.next();
        // Where stamps are mixed, those that leave something out are what needs a clock.
        self.first = stamps
            .find(|n| n.year.is_none() || n.offset.is_none())
            .filter(|_| first.is_some_and(|n| n.year.is_some() && n.offset.is_some()));
        self.first = self.first.or(first);
        self.last = head.rsplit(|b| *b == b'\n').find_map(|line| format.naive_stamp(line));
        if self.first.as_ref().is_none_or(|n| n.offset.is_some() && n.year.is_some()) {
            return Ok(());
        }
        self.samples_in(format, head, true);
        let Location::File(path) = &input.location else { return Ok(()) };
        let file = File::open(path)?;
        if input.coding.is_plain() {
            let size = file.metadata()?.len();
            let tail_from = size.saturating_sub(HEAD as u64).max(head.len() as u64);
            let tail = read_at(&file, tail_from, size.saturating_sub(tail_from) as usize)?;
            self.samples_in(format, &tail, false);
            if let Some(last) = tail.rsplit(|b| *b == b'\n').find_map(|line| format.naive_stamp(line)) {
                self.last = Some(last);
            }
            if self.samples.len() < CLOCK_SAMPLES {
                // Chunk by chunk: mostly a few will do.
                let from = head.len() as u64;
                let span = FileSpan { start: from, end: (from + CLOCK_SEARCH as u64).min(size) };
                let mut search =
                    Search { evidence: self, format, left: CLOCK_SEARCH, enough: 2 * CLOCK_SAMPLES };
                if span.start < span.end {
                    span.read(&file, false, &mut search)?;
                }
            }
        } else {
            let mut search = Search { evidence: self, format, left: CLOCK_SEARCH, enough: CLOCK_SAMPLES };
            let (_, stream) = open_stream(file)?;
            // A broken archive is told by the scan itself.
            let _ = Chunks::new(stream).run(&mut search);
        }
        Ok(())
    }

    /// Lines with a stamp of Microsoft's own: `2026-05-12T06:13:19.771Z 08DEA1B20C3D5001]`. The digits count time, and
    /// begin with 08 until 2059. Without `from_line_start` the first line may have been cut.
    fn samples_in(&mut self, format: &dyn Format, bytes: &[u8], from_line_start: bool) {
        for hit in memmem::find_iter(bytes, b"Z 08") {
            if self.samples.len() >= 2 * CLOCK_SAMPLES {
                return;
            }
            let Some(theirs) = utc_before(bytes, hit) else { continue };
            let start = memchr::memrchr(b'\n', &bytes[..hit]).map_or(0, |n| n + 1);
            if start == 0 && !from_line_start {
                continue;
            }
            if let Some(naive) = format.naive_stamp(&bytes[start..hit]) {
                self.samples.push((naive, theirs));
            }
        }
    }
}

/// Looks for samples in what is read, up to a bound.
struct Search<'s> {
    evidence: &'s mut Evidence,
    format: &'static dyn Format,
    left: usize,
    enough: usize,
}

impl ChunkSink for Search<'_> {
    fn chunk(&mut self, chunk: Chunk<'_>) -> bool {
        self.evidence.samples_in(self.format, chunk.bytes, true);
        self.left = self.left.saturating_sub(chunk.bytes.len());
        self.left > 0 && self.evidence.samples.len() < self.enough
    }
    fn oversized(&mut self, _: u64, _: &[u8]) {}
}

fn read_at(file: &File, from: u64, len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; len];
    let mut filled = 0;
    while filled < len {
        match file.read_at(&mut bytes[filled..], from + filled as u64)? {
            0 => break,
            n => filled += n,
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

/// Microsoft's stamp that ends at `hit`, where its `Z` stands -> unix seconds.
fn utc_before(bytes: &[u8], hit: usize) -> Option<i64> {
    let text = &bytes[hit.checked_sub(23)?..=hit];
    let (naive, end) = parse(text)?;
    let year = naive.year.filter(|_| end == text.len() && naive.offset == Some(0))?;
    Some(naive.seconds(year))
}

/// When Microsoft wrote a reply, by the stamp in its host tag -> unix seconds.
pub fn answered_at(reply: &[u8]) -> Option<i64> {
    // Cheaper than to set a search up for each refusal.
    let last = memchr::memrchr_iter(b'Z', reply).find(|at| reply[*at..].starts_with(b"Z 08"))?;
    utc_before(reply, last)
}

fn year_of(seconds: i64) -> i64 {
    civil_from_days(seconds.div_euclid(DAY)).0
}

/// The year that puts a stamp nearest to `near`, not more than `slack` seconds behind it.
fn latest_year(naive: &Naive, near: i64, slack: i64) -> i64 {
    let year = year_of(near) + 1;
    let fits = |y: &i64| naive.seconds(*y) <= near + slack && naive.exists_in(*y);
    // A leap day has a year within eight.
    (year - 9..=year).rev().find(fits).unwrap_or(year - 2)
}

/// What samples say of a zone.
enum Told {
    Nothing,
    /// Seconds east of Greenwich, and the zone that fits them all.
    Sure(i32, Zone),
    /// What most of them say, and what all say, with counts.
    Unsure(i32, Vec<(i32, usize)>),
}

/// The zone that the samples tell: each to a quarter of an hour.
fn told(samples: &[(Naive, i64)]) -> Told {
    let mut votes: BTreeMap<i32, usize> = BTreeMap::new();
    let mut cast = Vec::new();
    for (naive, theirs) in samples {
        // Whatever the year, it is the one that puts both stamps within a day of each other.
        let year = year_of(*theirs);
        let differences = (year - 1..=year + 1).map(|y| naive.seconds(y) - theirs);
        let Some(difference) = differences.min_by_key(|d| d.abs()) else { continue };
        let rounded = (difference + QUARTER / 2).div_euclid(QUARTER) * QUARTER;
        if rounded.abs() <= 15 * 3600 && (difference - rounded).abs() <= OFF {
            *votes.entry(rounded as i32).or_default() += 1;
            cast.push((rounded as i32, *theirs));
        }
    }
    let mut votes: Vec<(i32, usize)> = votes.into_iter().collect();
    votes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let Some((offset, count)) = votes.first().copied() else { return Told::Nothing };
    if count * 10 >= cast.len() * 9 {
        cast.retain(|(o, _)| *o == offset);
        let zone = Zone::Named(TimeZone::system());
        let fits = fits(&zone, &cast);
        return Told::Sure(offset, if fits { zone } else { Zone::Fixed(offset) });
    }
    // Winter and summer in one log: only a zone with its rules fits both.
    if let [(one, first), (other, second), ..] = votes[..]
        && (one - other).abs() <= 3600
        && (first + second) * 10 >= cast.len() * 9
    {
        cast.retain(|(o, _)| *o == one || *o == other);
        if let Some(zone) = zone_that_fits(&cast) {
            return Told::Sure(offset, zone);
        }
    }
    Told::Unsure(offset, votes)
}

fn fits(zone: &Zone, cast: &[(i32, i64)]) -> bool {
    cast.iter().all(|(offset, at)| offset_at(zone, *at) == *offset)
}

/// The machine's zone, one where much mail is sent from, or any other that has these offsets at these times.
fn zone_that_fits(cast: &[(i32, i64)]) -> Option<Zone> {
    const USUAL: [&str; 8] = [
        "Europe/Berlin",
        "Europe/London",
        "America/New_York",
        "America/Chicago",
        "America/Denver",
        "America/Los_Angeles",
        "Europe/Athens",
        "Australia/Sydney",
    ];
    let usual = USUAL.iter().filter_map(|name| TimeZone::get(name).ok());
    let all = jiff::tz::db().available().filter_map(|name| TimeZone::get(name.as_str()).ok());
    [TimeZone::system()].into_iter().chain(usual).chain(all).map(Zone::Named).find(|zone| fits(zone, cast))
}

fn offset_at(zone: &Zone, seconds: i64) -> i32 {
    match zone {
        Zone::Fixed(offset) => *offset,
        Zone::Named(zone) => jiff::Timestamp::from_second(seconds).map_or(0, |t| zone.to_offset(t).seconds()),
    }
}

/// `UTC+2`, `UTC+5:30`.
fn utc_offset(seconds: i32) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.abs() / 60;
    match minutes % 60 {
        0 => format!("UTC{sign}{}", minutes / 60),
        rest => format!("UTC{sign}{}:{rest:02}", minutes / 60),
    }
}

/// Gives each input its zone and its year.
pub fn set_clocks(
    inputs: &mut [Prepared],
    evidence: &[Evidence],
    options: &Options,
    troubles: &mut Vec<Warning>,
) {
    let zoneless = |e: &Evidence| -> Vec<(Naive, i64)> {
        e.samples.iter().filter(|(n, _)| n.offset.is_none()).copied().collect()
    };
    let all: Vec<(Naive, i64)> = evidence.iter().flat_map(zoneless).collect();
    let years: Vec<_> = inputs.iter().map(|input| years_in(input, options.year.is_some())).collect();
    let newest = newest_of_set(evidence, &years);
    for ((input, evidence), years) in inputs.iter_mut().zip(evidence).zip(years) {
        let mut own = zoneless(evidence);
        let mut says = told(&own);
        if matches!(says, Told::Nothing) {
            says = told(&all);
            own.clone_from(&all);
        }
        if let Some(text) = doubt(&says, &own, options.zone.as_ref())
            && evidence.first.is_some_and(|n| n.offset.is_none())
        {
            troubles.push(Warning { path: Some(input.name.to_string()), text, is_error: false });
        }
        input.clock.zone = match (&options.zone, says) {
            (Some(zone), _) => zone.clone(),
            (None, Told::Sure(_, zone)) => zone,
            (None, Told::Unsure(offset, _)) => Zone::Fixed(offset),
            (None, Told::Nothing) => Zone::Named(TimeZone::system()),
        };
        set_years(input, evidence, years, options, newest);
        set_starts(input, evidence);
    }
}

/// When the input and each of its spans begin.
fn set_starts(input: &mut Prepared, evidence: &Evidence) {
    let stamps = match (input.plain_file(), input.format) {
        (Some(path), Some(format)) if input.spans.len() > 1 => span_stamps(path, format, input),
        _ => Ok(vec![evidence.first]),
    };
    let second = |(span, naive): (usize, Option<Naive>)| {
        naive.map_or(i64::MIN, |naive| Stamper::new(&input.clock_at(span)).time(&naive).seconds)
    };
    input.starts = stamps.unwrap_or_default().into_iter().enumerate().map(second).collect();
}

/// Where Microsoft's stamps contradict each other, or the zone that the user names.
fn doubt(says: &Told, samples: &[(Naive, i64)], given: Option<&Zone>) -> Option<String> {
    match (says, given) {
        (Told::Sure(told, _), Some(zone)) if offset_at(zone, samples.first()?.1) != *told => Some(format!(
            "Microsoft's own stamps say that this log's clock is {} (check --timezone)",
            utc_offset(*told)
        )),
        (Told::Unsure(_, votes), None) => {
            let votes: Vec<String> = votes
                .iter()
                .take(3)
                .map(|(offset, count)| format!("{} in {count}", utc_offset(*offset)))
                .collect();
            Some(format!(
                "unsure of the time zone: Microsoft's own stamps say {} (hosts in several zones? give --timezone, or \
                 one file a host)",
                votes.join(", ")
            ))
        }
        _ => None,
    }
}

/// A stamp's place in the year, whichever it is.
fn place_in_year(naive: &Naive) -> i64 {
    const ANY_LEAP_YEAR: i64 = 2000;
    naive.seconds(ANY_LEAP_YEAR)
}

/// The newest of the stamps without a year, over all inputs: the files of a rotated set come in any order, and may meet
/// at New Year. They leave a part of the year out; the newest is the one before the longest such part.
fn newest_of_set(evidence: &[Evidence], years: &[Option<(i64, Naive)>]) -> Option<i64> {
    let arcs: Vec<(i64, i64)> = evidence
        .iter()
        .zip(years)
        .filter_map(|(e, years)| {
            let first = e.first.filter(|n| n.year.is_none())?;
            // Of a compressed file the evidence has the beginning only.
            let last = years.map(|(_, last)| last).or(e.last).unwrap_or(first);
            Some((place_in_year(&first), place_in_year(&last)))
        })
        .collect();
    let mut ends: Vec<i64> = arcs.iter().flat_map(|(first, last)| [*first, *last]).collect();
    ends.sort_unstable();
    ends.dedup();
    let year = 366 * DAY;
    let covered = |from: i64, to: i64| {
        arcs.iter().any(|(first, last)| {
            let from_first = (from - first).rem_euclid(year);
            from_first + (to - from).rem_euclid(year) <= (last - first).rem_euclid(year)
        })
    };
    let gap = |i: usize| {
        let (from, to) = (ends[i], ends[(i + 1) % ends.len()]);
        if ends.len() > 1 && covered(from, to) { 0 } else { (to - from - 1).rem_euclid(year) + 1 }
    };
    (0..ends.len()).max_by_key(|i| (gap(*i), *i)).map(|i| ends[i])
}

/// The year at the beginning of the input and of each of its spans.
fn set_years(
    input: &mut Prepared,
    evidence: &Evidence,
    years: Option<(i64, Naive)>,
    options: &Options,
    newest_of_set: Option<i64>,
) {
    if let Some(path) = input.plain_file() {
        let spans = spans(input.size, options.span);
        let cut = match input.format {
            // A file that is followed goes on with the reader of its beginning.
            Some(format) if format.order() == Order::Sequential && !options.follow => {
                cut(path, format, &spans).unwrap_or_default()
            }
            _ => None,
        };
        (input.spans, input.opening) = match cut {
            Some(Cut { spans, opening }) => (spans, Some(opening)),
            None => (spans, None),
        };
    }
    let newest = evidence.modified.unwrap_or(options.now);
    let year = options.year.unwrap_or(year_of(newest));
    input.span_years = vec![year; input.spans.len().max(1)];
    input.clock.year = year;
    let Some(first) = evidence.first.filter(|n| n.year.is_none()) else { return };
    let last = evidence.last.or(Some(first)).filter(|n| n.year.is_none()).unwrap_or(first);
    // The year that the user names is that of the newest line of all.
    let named = |of: &Naive| {
        let year = options.year?;
        Some(year - i64::from(newest_of_set.is_some_and(|newest| place_in_year(of) > newest)))
    };
    let marks = match (input.plain_file(), input.format) {
        (Some(path), Some(format)) => span_stamps(path, format, input).unwrap_or_default(),
        _ => Vec::new(),
    };
    if marks.is_empty() {
        let sample = evidence.samples.iter().map(|(_, theirs)| *theirs).min();
        let anchor = sample.unwrap_or(newest);
        let year = match (options.year, years) {
            (Some(_), Some((steps, last))) => named(&last).unwrap_or(year) - steps,
            _ => named(&first).unwrap_or_else(|| latest_year(&first, anchor, DAY)),
        };
        input.span_years = vec![year];
        input.clock.year = year;
        return;
    }
    let latest_sample = evidence.samples.iter().map(|(_, theirs)| *theirs).max();
    let last_year = named(&last).unwrap_or_else(|| match latest_sample {
        // The last line is not older than the last of Microsoft's stamps, and not a year younger.
        Some(sample) => {
            let year = year_of(sample);
            (year - 1..=year + 1).find(|y| last.seconds(*y) >= sample - DAY).unwrap_or(year)
        }
        None => latest_year(&last, newest, DAY),
    });
    // Backwards from the newest line: the year falls by one where the earlier stamp would lie far in the future.
    let mut year = last_year;
    let mut later = last;
    let mut years = vec![last_year; marks.len()];
    for (i, mark) in marks.iter().enumerate().rev() {
        if let Some(mark) = mark {
            if mark.seconds(year) > later.seconds(year) + SILENCE {
                year -= 1;
            }
            later = *mark;
        }
        years[i] = year;
    }
    input.clock.year = years.first().copied().unwrap_or(last_year);
    input.span_years = years;
}

/// How a file is cut up whose lines do not stand alone.
struct Cut {
    spans: Vec<FileSpan>,
    /// To be shown to the reader of each span.
    opening: Box<[u8]>,
}

/// Moves the spans of a file to where records begin that need its opening alone. `None` where there are none.
fn cut(path: &Path, format: &dyn Format, spans: &[FileSpan]) -> io::Result<Option<Cut>> {
    let file = File::open(path)?;
    let head = read_at(&file, 0, CUT_SEARCH)?;
    let Some(opening) = opening(&head) else { return Ok(None) };
    let Some(begins) = format.begins(opening) else { return Ok(None) };
    let mut found: Vec<FileSpan> = Vec::new();
    for span in spans {
        let Some(last) = found.last_mut() else {
            found.push(*span);
            continue;
        };
        let from = span.start - 1;
        let start = begins_behind(&read_at(&file, from, CUT_SEARCH)?, &begins);
        match start.map(|start| from + start as u64).filter(|start| (last.end..span.end).contains(start)) {
            Some(start) => {
                last.end = start;
                found.push(FileSpan { start, end: span.end });
            }
            None => last.end = span.end,
        }
        // Where it cannot be cut once, it is not to be cut at all.
        if found.len() == 1 && span.end - span.start >= CUT_SEARCH as u64 {
            return Ok(None);
        }
    }
    Ok((found.len() > 1).then(|| Cut { spans: found, opening: opening.into() }))
}

/// The comments that a file begins with, else its first line. `None`: what was read of it holds no more.
fn opening(head: &[u8]) -> Option<&[u8]> {
    let is_comment = |line: &[u8]| line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line).starts_with(b"#");
    let mut end = memchr::memchr(b'\n', head)?;
    if is_comment(head) {
        while is_comment(&head[end + 1..]) {
            end += 1 + memchr::memchr(b'\n', &head[end + 1..])?;
        }
    }
    Some(&head[..end])
}

/// Where the first line begins, behind a line's end, that is one of those, as the line before it is: that one ended what
/// was open, and left nothing open.
fn begins_behind(bytes: &[u8], is_one: impl Fn(&[u8]) -> bool) -> Option<usize> {
    let mut at = memchr::memchr(b'\n', bytes)? + 1;
    let mut was_one = false;
    loop {
        let end = at + memchr::memchr(b'\n', &bytes[at..])?;
        let is_one = is_one(&bytes[at..end]);
        if is_one && was_one {
            return Some(at);
        }
        was_one = is_one;
        at = end + 1;
    }
}

/// The first stamp in each span.
fn span_stamps(path: &Path, format: &dyn Format, input: &Prepared) -> io::Result<Vec<Option<Naive>>> {
    let file = File::open(path)?;
    // One that was cut at a record begins with it.
    let is_cut = input.opening.is_some();
    input
        .spans
        .iter()
        .map(|span| {
            let bytes = read_at(&file, span.start, 16 << 10)?;
            let skip = usize::from(span.start > 0 && !is_cut);
            Ok(lines(&bytes).skip(skip).find_map(|line| format.naive_stamp(line)))
        })
        .collect()
}

/// How often the year changes in a compressed file, and its last stamp: only asked where the user names the newest
/// line's year.
fn years_in(input: &Prepared, asked: bool) -> Option<(i64, Naive)> {
    struct Steps {
        format: &'static dyn Format,
        stamper: Stamper,
        last: Option<Naive>,
        year: i64,
    }
    impl ChunkSink for Steps {
        fn chunk(&mut self, chunk: Chunk<'_>) -> bool {
            for naive in lines(chunk.bytes).filter_map(|line| self.format.naive_stamp(line)) {
                self.year = year_of(self.stamper.time(&naive).seconds);
                self.last = Some(naive);
            }
            true
        }
        fn oversized(&mut self, _: u64, _: &[u8]) {}
    }
    const ANY: i64 = 2000;
    let asked = asked && input.plain_file().is_none();
    let (Location::File(path), Some(format), true) = (&input.location, input.format, asked) else {
        return None;
    };
    let stamper = Stamper::new(&Clock { zone: Zone::Fixed(0), year: ANY });
    let mut steps = Steps { format, stamper, last: None, year: ANY };
    if let Ok((_, stream)) = File::open(path).and_then(open_stream) {
        // A broken archive is told by the scan itself.
        let _ = Chunks::new(stream).run(&mut steps);
    }
    Some((steps.year - ANY, steps.last?))
}
