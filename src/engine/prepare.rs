//! Before the scan: what is each input?

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::UNIX_EPOCH;

use tempfile::{NamedTempFile, TempPath};

use crate::aggregate::Warning;
use crate::microsoft::Catalogue;
use crate::record::{self, Clock, Format, Zone};
use crate::source::{Coding, Discovered, FileSpan, Location, Tail, discover, open_stream, sniff};

use super::clock::{CLOCK_SEARCH, Evidence, set_clocks};
use super::options::Options;
use super::twice::{Firsts, firsts_in};

/// Enough to tell a format also where deliveries are rare.
pub const HEAD: usize = 256 << 10;

/// What comes through a pipe, decompressed.
pub type Stream = Box<dyn Read + Send>;

/// An input that is ready to be read.
pub struct Prepared {
    pub name: Arc<str>,
    pub location: Location,
    pub found: bool,
    pub coding: Coding,
    /// `None`: empty, or no log that is known.
    pub format: Option<&'static dyn Format>,
    pub clock: Clock,
    /// By span, the year in which it begins (for stamps without one).
    pub span_years: Vec<i64>,
    /// By span, the first second in it; the least where it is not known.
    pub starts: Vec<i64>,
    pub spans: Vec<FileSpan>,
    /// Where lines do not stand alone, but the spans do once a reader was shown how the file opens.
    pub opening: Option<Box<[u8]>>,
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
    // Takes some milliseconds, and is first asked for by a refusal. Where there is no thread for it, that one waits.
    let _ = thread::Builder::new().spawn(|| {
        Catalogue::active();
    });
    let (discovered, failed) = discover(&options.paths);
    let troubles = failed.into_iter().map(|(path, error)| trouble(&path.display().to_string(), &error));
    let mut inputs = Inputs { troubles: troubles.collect(), ..Inputs::default() };
    if options.paths.is_empty() && discovered.is_empty() {
        let text =
            "no log in the usual places (name a log or a folder, or pipe one in: eopwatch -)".to_owned();
        inputs.troubles.push(Warning { path: None, text, is_error: true });
    }
    for path in options.paths.iter().filter(|path| path.is_dir()) {
        if !discovered.iter().any(|input| input.is_in(path)) {
            let (name, text) =
                (path.display().to_string(), "there is no file in it (check the path)".to_owned());
            inputs.troubles.push(Warning { path: Some(name), text, is_error: false });
        }
    }
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
                let Log { prepared, evidence, stream, firsts } = *log;
                inputs.firsts.add(inputs.list.len(), &firsts);
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
    Log(Box<Log>),
    NoLog(String),
}

struct Log {
    prepared: Prepared,
    evidence: Evidence,
    stream: Option<Stream>,
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
    let (head, coding, size, modified) = match &location {
        Location::Stream(path) => {
            let (head, coding, opened) = open_pipe(path.as_deref(), options.follow)?;
            stream = Some(opened);
            (head, coding, 0, None)
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
            let size = growing.filter(|_| sniffed.coding.is_plain()).unwrap_or(meta.len());
            (sniffed.head, sniffed.coding, size, modified.map(|m| m.as_secs() as i64))
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
        if let Some(text) = record::instead(head) {
            return Ok(Opened::NoLog(text.to_owned()));
        }
        return Ok(Opened::NoLog(format!(
            "no MTA log that eopwatch knows; looks like {} (try --mta NAME; --mta list shows the formats)",
            looks_like(head)
        )));
    }
    let mut firsts = Vec::new();
    let mut evidence = Evidence::new(modified);
    let prepared = Prepared {
        name: input.name().into(),
        location,
        found: input.found,
        coding,
        format,
        clock: Clock { zone: Zone::Fixed(0), year: 1970 },
        span_years: Vec::new(),
        starts: Vec::new(),
        spans: Vec::new(),
        opening: None,
        size,
    };
    if let Some(format) = format {
        evidence.gather(format, head, &prepared)?;
        if !in_hole && matches!(prepared.location, Location::File(_)) {
            firsts = firsts_in(format, &whole_head);
        }
    }
    Ok(Opened::Log(Box::new(Log { prepared, evidence, stream, firsts })))
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
fn open_pipe(path: Option<&Path>, live: bool) -> io::Result<(Vec<u8>, Coding, Stream)> {
    let (coding, mut stream) = open_stream(pipe(path)?)?;
    let mut head = Vec::new();
    let mut buffer = vec![0; HEAD];
    while head.len() < CLOCK_SEARCH && !(live && head.contains(&b'\n')) {
        match stream.read(&mut buffer)? {
            0 => break,
            n => head.extend_from_slice(&buffer[..n]),
        }
    }
    Ok((head.clone(), coding, Box::new(io::Cursor::new(head).chain(stream))))
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

impl Prepared {
    /// What it is read from can be read once.
    pub fn is_pipe(&self) -> bool {
        matches!(self.location, Location::Stream(_))
    }

    /// The file, where it is neither compressed nor UTF-16 nor a pipe.
    pub fn plain_file(&self) -> Option<&Path> {
        match &self.location {
            Location::File(path) if self.coding.is_plain() => Some(path),
            Location::File(_) | Location::Stream(_) => None,
        }
    }

    /// The first second in a span; the least where it is not known.
    pub fn starts_at(&self, span: usize) -> i64 {
        self.starts.get(span).copied().unwrap_or(i64::MIN)
    }

    /// The clock at the beginning of a span.
    pub fn clock_at(&self, span: usize) -> Clock {
        Clock {
            zone: self.clock.zone.clone(),
            year: self.span_years.get(span).copied().unwrap_or(self.clock.year),
        }
    }
}
