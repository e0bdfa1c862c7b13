//! Before the scan: what is each input, and which clock do its stamps follow?

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use jiff::tz::TimeZone;
use memchr::memmem;
use tempfile::{NamedTempFile, TempPath};

use crate::aggregate::Warning;
use crate::record::{self, Clock, Format, Naive, Stamper, Zone, stamp};
use crate::source::{
    Chunk, ChunkSink, Chunks, Compression, Discovered, FileSpan, Location, Tail, discover, open_stream,
    sniff, spans,
};

use super::options::Options;
use super::twice::{Firsts, firsts_in};

/// Enough to tell a format also where deliveries are rare.
const HEAD: usize = 256 << 10;
/// How much of each end of a file is searched for Microsoft's own stamps.
const CLOCK_SEARCH: usize = 16 << 20;
/// Enough of them.
const CLOCK_SAMPLES: usize = 32;
const DAY: i64 = 86_400;

/// What comes through a pipe, decompressed.
pub type Stream = Box<dyn Read + Send>;

/// An input that is ready to be read.
pub struct Prepared {
    pub name: Arc<str>,
    pub location: Location,
    pub found: bool,
    pub compression: Compression,
    /// `None`: empty, or no log that is known.
    pub format: Option<&'static dyn Format>,
    pub clock: Clock,
    /// By span, the year in which it begins (for stamps without one).
    pub span_years: Vec<i64>,
    pub spans: Vec<FileSpan>,
    pub size: u64,
}

/// All inputs, opened.
#[derive(Default)]
pub struct Inputs {
    pub list: Vec<Prepared>,
    /// By input: what can be read once.
    pub streams: Vec<Option<Stream>>,
    /// Copies of pipes, deleted at the end.
    pub spools: Vec<TempPath>,
    pub troubles: Vec<Warning>,
    /// To tell files that hold the same lines.
    pub firsts: Firsts,
}

/// Finds, opens and sniffs all inputs.
pub fn prepare(options: &Options) -> Inputs {
    let (discovered, failed) = discover(&options.paths);
    let troubles = failed.into_iter().map(|(path, error)| trouble(&path.display().to_string(), &error));
    let mut inputs = Inputs { troubles: troubles.collect(), ..Inputs::default() };
    let mut samples = Vec::new();
    let mut files: HashMap<(u64, u64), String> = HashMap::new();
    for input in discovered {
        let name = input.name();
        if let Location::File(path) = &input.location
            && let Ok(meta) = path.metadata()
            && let Some(other) = files.insert((meta.dev(), meta.ino()), name.clone())
        {
            let text = format!("is the same file as {other}: read once");
            files.insert((meta.dev(), meta.ino()), other);
            inputs.troubles.push(Warning { path: Some(name), text, is_error: false });
            continue;
        }
        match open(&input, options, &mut inputs.spools) {
            Ok(Opened::Log(log)) => {
                let (prepared, evidence, stream) = *log;
                inputs.firsts.add(inputs.list.len(), &evidence.firsts);
                inputs.list.push(prepared);
                inputs.streams.push(stream);
                samples.push(evidence);
            }
            Ok(Opened::NoLog(text)) => {
                inputs.troubles.push(Warning { path: Some(name), text, is_error: !input.found });
            }
            Err(error) => inputs.troubles.push(trouble(&name, &error)),
        }
    }
    set_clocks(&mut inputs.list, &samples, options, &mut inputs.troubles);
    inputs
}

fn trouble(path: &str, error: &io::Error) -> Warning {
    let hint = match error.kind() {
        io::ErrorKind::NotFound => "no such file (check the path)",
        io::ErrorKind::PermissionDenied => {
            "permission denied (run as a member of the group that may read it)"
        }
        _ => {
            return Warning {
                path: Some(path.to_owned()),
                text: format!("cannot be read: {error}"),
                is_error: true,
            };
        }
    };
    Warning { path: Some(path.to_owned()), text: hint.to_owned(), is_error: true }
}

enum Opened {
    Log(Box<(Prepared, Evidence, Option<Stream>)>),
    NoLog(String),
}

/// What a file's own lines tell of its clock.
#[derive(Default)]
struct Evidence {
    /// Log stamps beside Microsoft's stamp (unix seconds) in the same line.
    samples: Vec<(Naive, i64)>,
    first: Option<Naive>,
    last: Option<Naive>,
    modified: Option<i64>,
    /// Of a file: its first records, for [`Firsts`].
    firsts: Vec<(u64, u64)>,
}

fn open(input: &Discovered, options: &Options, spools: &mut Vec<TempPath>) -> io::Result<Opened> {
    let location = match &input.location {
        Location::Stream(path) if options.look_twice => {
            let spool = spool(path.as_deref())?;
            let kept = spool.to_path_buf();
            spools.push(spool);
            Location::File(kept)
        }
        location => location.clone(),
    };
    let mut stream = None;
    let (head, compression, size, modified) = match &location {
        Location::Stream(path) => {
            let (head, compression, opened) = open_pipe(path.as_deref(), options.follow)?;
            stream = Some(opened);
            (head, compression, 0, None)
        }
        Location::File(path) => {
            let file = File::open(path)?;
            let meta = file.metadata()?;
            if meta.is_dir() {
                return Err(io::Error::other("is a folder"));
            }
            let modified = meta.modified().ok().and_then(|m| m.duration_since(UNIX_EPOCH).ok());
            let growing = if options.follow { Some(Tail::whole_lines(&file)?) } else { None };
            let sniffed = sniff(file, HEAD)?;
            let size = growing.filter(|_| sniffed.compression == Compression::None).unwrap_or(meta.len());
            (sniffed.head, sniffed.compression, size, modified.map(|m| m.as_secs() as i64))
        }
    };
    // A file that was cut while it was written to may begin with a hole of any length.
    let mut head = head;
    let mut in_hole = false;
    if is_blank(&head)
        && head.len() == HEAD
        && let Location::File(path) = &location
    {
        head = first_text(path)?;
        in_hole = true;
    }
    let empty = is_blank(&head);
    let whole_head = head;
    let head = whole_head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&whole_head);
    let format = match &options.mta {
        Some(name) => record::by_name_for(name, head),
        None if empty => None,
        None => record::guess(head),
    };
    if format.is_none() && !empty {
        return Ok(Opened::NoLog(format!(
            "no MTA log that eopwatch knows; looks like {} (try --mta NAME; --mta list shows the formats)",
            looks_like(head)
        )));
    }
    let mut evidence = Evidence { modified, ..Evidence::default() };
    let prepared = Prepared {
        name: input.name().into(),
        location,
        found: input.found,
        compression,
        format,
        clock: Clock { zone: Zone::Fixed(0), year: 1970 },
        span_years: Vec::new(),
        spans: Vec::new(),
        size,
    };
    if let Some(format) = format {
        evidence.gather(format, head, &prepared)?;
        if !in_hole && matches!(prepared.location, Location::File(_)) {
            evidence.firsts = firsts_in(format, &whole_head);
        }
    }
    Ok(Opened::Log(Box::new((prepared, evidence, stream))))
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|b| matches!(b, 0 | b'\n' | b'\r' | b' '))
}

/// The first stretch of a file that is not blank, from a line's start or from the hole before it.
fn first_text(path: &Path) -> io::Result<Vec<u8>> {
    let (_, mut stream) = open_stream(File::open(path)?)?;
    let mut buffer = vec![0; HEAD];
    let mut head = Vec::new();
    while head.len() < HEAD {
        match stream.read(&mut buffer)? {
            0 => break,
            n if head.is_empty() && is_blank(&buffer[..n]) => {}
            n => head.extend_from_slice(&buffer[..n]),
        }
    }
    Ok(head)
}

fn pipe(path: Option<&Path>) -> io::Result<Box<dyn Read + Send>> {
    Ok(match path {
        Some(path) => Box::new(File::open(path)?),
        None => Box::new(io::stdin()),
    })
}

/// A copy of a pipe on disk, as it comes.
fn spool(path: Option<&Path>) -> io::Result<TempPath> {
    let mut file = NamedTempFile::new()?;
    io::copy(&mut pipe(path)?, &mut file)?;
    Ok(file.into_temp_path())
}

/// Reads the head of a pipe and puts it back before the rest. A live pipe must not be waited for until a buffer is full;
/// from one that ends, as much is read as a file would be searched for Microsoft's stamps.
fn open_pipe(path: Option<&Path>, live: bool) -> io::Result<(Vec<u8>, Compression, Stream)> {
    let (compression, mut stream) = open_stream(pipe(path)?)?;
    let mut head = Vec::new();
    let mut buffer = vec![0; HEAD];
    while head.len() < CLOCK_SEARCH && !(live && head.contains(&b'\n')) {
        match stream.read(&mut buffer)? {
            0 => break,
            n => head.extend_from_slice(&buffer[..n]),
        }
    }
    Ok((head.clone(), compression, Box::new(io::Cursor::new(head).chain(stream))))
}

/// A guess for the user at what a file is.
fn looks_like(head: &[u8]) -> &'static str {
    let text = head.iter().filter(|b| b.is_ascii_graphic() || b.is_ascii_whitespace() || **b >= 0x80).count();
    match head {
        _ if text * 20 < head.len() * 19 => "binary data",
        [b'{' | b'[', ..] => "JSON",
        [b'<', ..] => "markup",
        [b'#', ..] => "a text with comments",
        _ if head.split(|b| *b == b'\n').take(3).all(|l| l.iter().filter(|b| **b == b',').count() > 2) => {
            "CSV"
        }
        _ => "text",
    }
}

impl Evidence {
    fn gather(&mut self, format: &'static dyn Format, head: &[u8], input: &Prepared) -> io::Result<()> {
        let mut stamps = head.split(|b| *b == b'\n').filter_map(|line| format.naive_stamp(line));
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
        if input.compression == Compression::None {
            let size = file.metadata()?.len();
            let tail_from = size.saturating_sub(HEAD as u64).max(head.len() as u64);
            let tail = read_at(&file, tail_from, size.saturating_sub(tail_from) as usize)?;
            self.samples_in(format, &tail, false);
            if let Some(last) = tail.rsplit(|b| *b == b'\n').find_map(|line| format.naive_stamp(line)) {
                self.last = Some(last);
            }
            if self.samples.len() < CLOCK_SAMPLES {
                let more = read_at(&file, head.len() as u64, CLOCK_SEARCH)?;
                self.samples_in(format, &more, false);
            }
        } else {
            let mut search = Search { evidence: self, format, left: CLOCK_SEARCH };
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
            let Some(theirs) = hit.checked_sub(23).and_then(|from| utc_seconds(&bytes[from..=hit])) else {
                continue;
            };
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

/// Looks for samples in a compressed stream, up to a bound.
struct Search<'s> {
    evidence: &'s mut Evidence,
    format: &'static dyn Format,
    left: usize,
}

impl ChunkSink for Search<'_> {
    fn chunk(&mut self, chunk: Chunk<'_>) -> bool {
        self.evidence.samples_in(self.format, chunk.bytes, true);
        self.left = self.left.saturating_sub(chunk.bytes.len());
        self.left > 0 && self.evidence.samples.len() < CLOCK_SAMPLES
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

/// A stamp in UTC and nothing else -> unix seconds.
fn utc_seconds(text: &[u8]) -> Option<i64> {
    let (naive, end) = stamp::parse(text)?;
    let year = naive.year.filter(|_| end == text.len() && naive.offset == Some(0))?;
    Some(naive.seconds(year))
}

fn year_of(seconds: i64) -> i64 {
    stamp::civil_from_days(seconds.div_euclid(DAY)).0
}

/// The year that puts a stamp nearest to `near`, not more than `slack` seconds behind it.
fn latest_year(naive: &Naive, near: i64, slack: i64) -> i64 {
    let year = year_of(near) + 1;
    (year - 2..=year).rev().find(|y| naive.seconds(*y) <= near + slack).unwrap_or(year - 2)
}

/// The zone's offset in seconds, as most of the samples have it to a quarter of an hour.
fn agreed_offset(samples: &[(Naive, i64)]) -> Option<i32> {
    const QUARTER: i64 = 900;
    let mut votes: std::collections::BTreeMap<i64, usize> = std::collections::BTreeMap::new();
    let mut cast = 0usize;
    for (naive, theirs) in samples {
        // Whatever the year, it is the one that puts both stamps within a day of each other.
        let year = year_of(*theirs);
        let difference = (year - 1..=year + 1).map(|y| naive.seconds(y) - theirs).min_by_key(|d| d.abs())?;
        let rounded = (difference + QUARTER / 2).div_euclid(QUARTER) * QUARTER;
        if rounded.abs() <= 15 * 3600 && (difference - rounded).abs() <= 150 {
            *votes.entry(rounded).or_default() += 1;
            cast += 1;
        }
    }
    let (offset, count) = votes.into_iter().max_by_key(|(_, count)| *count)?;
    (count * 10 >= cast * 6).then_some(offset as i32)
}

fn set_clocks(
    inputs: &mut [Prepared],
    evidence: &[Evidence],
    options: &Options,
    troubles: &mut Vec<Warning>,
) {
    let all: Vec<(Naive, i64)> =
        evidence.iter().flat_map(|e| e.samples.iter().filter(|(n, _)| n.offset.is_none()).copied()).collect();
    let consensus = agreed_offset(&all);
    for (input, evidence) in inputs.iter_mut().zip(evidence) {
        let own: Vec<_> = evidence.samples.iter().filter(|(n, _)| n.offset.is_none()).copied().collect();
        let told = agreed_offset(&own).or(consensus);
        input.clock.zone = match (&options.zone, told) {
            (Some(zone), told) => {
                contradiction(zone, told, &own, input, troubles);
                zone.clone()
            }
            (None, Some(offset)) => machine_zone_if(offset, &own).unwrap_or(Zone::Fixed(offset)),
            (None, None) => Zone::Named(TimeZone::system()),
        };
        set_years(input, evidence, options);
    }
}

/// The user's zone against what Microsoft's stamps tell.
fn contradiction(
    zone: &Zone,
    told: Option<i32>,
    own: &[(Naive, i64)],
    input: &Prepared,
    troubles: &mut Vec<Warning>,
) {
    let (Some(told), Some((_, at))) = (told, own.first()) else { return };
    let given = offset_at(zone, *at);
    if given != told {
        let hours = f64::from(told) / 3600.0;
        troubles.push(Warning {
            path: Some(input.name.to_string()),
            text: format!(
                "Microsoft's own stamps say that this log's clock is UTC{hours:+} (check --timezone)"
            ),
            is_error: false,
        });
    }
}

fn offset_at(zone: &Zone, seconds: i64) -> i32 {
    match zone {
        Zone::Fixed(offset) => *offset,
        Zone::Named(zone) => jiff::Timestamp::from_second(seconds).map_or(0, |t| zone.to_offset(t).seconds()),
    }
}

/// The machine's zone knows its daylight-saving rules; a bare offset does not.
fn machine_zone_if(offset: i32, samples: &[(Naive, i64)]) -> Option<Zone> {
    let zone = Zone::Named(TimeZone::system());
    let fits = !samples.is_empty() && samples.iter().all(|(_, at)| offset_at(&zone, *at) == offset);
    fits.then_some(zone)
}

/// The year at the beginning of the input and of each of its spans.
fn set_years(input: &mut Prepared, evidence: &Evidence, options: &Options) {
    if input.plain_file().is_some() {
        input.spans = spans(input.size, options.span);
    }
    let newest = evidence.modified.unwrap_or(options.now);
    let year = options.year.unwrap_or(year_of(newest));
    input.span_years = vec![year; input.spans.len().max(1)];
    input.clock.year = year;
    let Some(first) = evidence.first.filter(|n| n.year.is_none()) else { return };
    let latest_sample = evidence.samples.iter().map(|(_, theirs)| *theirs).max();
    let marks = match (input.plain_file(), input.format) {
        (Some(path), Some(format)) => span_stamps(path, format, &input.spans).unwrap_or_default(),
        _ => Vec::new(),
    };
    if marks.is_empty() {
        let sample = evidence.samples.iter().map(|(_, theirs)| *theirs).min();
        let anchor = sample.unwrap_or(newest);
        let mut year = latest_year(&first, anchor, DAY);
        if let Some(last_year) = options.year {
            year = last_year - year_steps_in(input);
        }
        input.span_years = vec![year];
        input.clock.year = year;
        return;
    }
    let last = evidence.last.or(Some(first)).filter(|n| n.year.is_none()).unwrap_or(first);
    let last_year = options.year.unwrap_or_else(|| match latest_sample {
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
            if mark.seconds(year) > later.seconds(year) + 2 * DAY {
                year -= 1;
            }
            later = *mark;
        }
        years[i] = year;
    }
    input.clock.year = years.first().copied().unwrap_or(last_year);
    input.span_years = years;
}

/// The first stamp in each span.
fn span_stamps(path: &Path, format: &dyn Format, spans: &[FileSpan]) -> io::Result<Vec<Option<Naive>>> {
    let file = File::open(path)?;
    spans
        .iter()
        .map(|span| {
            let bytes = read_at(&file, span.start, 16 << 10)?;
            let skip = usize::from(span.start > 0);
            Ok(bytes.split(|b| *b == b'\n').skip(skip).find_map(|line| format.naive_stamp(line)))
        })
        .collect()
}

/// How often the year changes in a compressed file: only asked where the user names the newest line's year.
fn year_steps_in(input: &Prepared) -> i64 {
    struct Steps {
        format: &'static dyn Format,
        stamper: Stamper,
        year: i64,
    }
    impl ChunkSink for Steps {
        fn chunk(&mut self, chunk: Chunk<'_>) -> bool {
            for naive in chunk.bytes.split(|b| *b == b'\n').filter_map(|line| self.format.naive_stamp(line)) {
                self.year = year_of(self.stamper.time(&naive).seconds);
            }
            true
        }
        fn oversized(&mut self, _: u64, _: &[u8]) {}
    }
    const ANY: i64 = 2000;
    let (Location::File(path), Some(format)) = (&input.location, input.format) else { return 0 };
    let stamper = Stamper::new(&Clock { zone: Zone::Fixed(0), year: ANY });
    let mut steps = Steps { format, stamper, year: ANY };
    if let Ok((_, stream)) = File::open(path).and_then(open_stream) {
        // A broken archive is told by the scan itself.
        let _ = Chunks::new(stream).run(&mut steps);
    }
    steps.year - ANY
}

impl Prepared {
    /// The file, where it is neither compressed nor a pipe.
    pub fn plain_file(&self) -> Option<&Path> {
        match &self.location {
            Location::File(path) if self.compression == Compression::None => Some(path),
            Location::File(_) | Location::Stream(_) => None,
        }
    }

    /// The clock at the beginning of a span.
    pub fn clock_at(&self, span: usize) -> Clock {
        Clock {
            zone: self.clock.zone.clone(),
            year: self.span_years.get(span).copied().unwrap_or(self.clock.year),
        }
    }
}
