//! A second look at the inputs, line by line and in order: for what is written attempt by attempt (events) and for
//! the raw lines behind a number. What the first look taught is applied here.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::net::IpAddr;

use crate::aggregate::{Filter, Learned, SourceKey, reply_names};
use crate::attribute::{SourceEvidence, known_as};
use crate::microsoft::{self, Datacenter, Platform, is_public};
use crate::record::{Answer, Attempt, Clock, Format, Line, Reader, Record, domain_of};
use crate::scan::Scanner;
use crate::source::{Chunk, ChunkSink, Chunks, Location, open_stream};
use crate::text::lower;

use super::intern::{origin_of, source_key};
use super::judge::{Judged, Said, answering_host, judge, judge_reply};
use super::look_back::scanner;
use super::prepare::Prepared;
use super::run::Run;
use super::senders::{Recent, message};

/// What the whole input teaches, by name.
pub struct Lessons {
    learned: Learned,
    domains: HashSet<Box<str>>,
    /// The inputs, oldest first.
    by_age: Vec<usize>,
}

impl Lessons {
    /// From a finished scan.
    pub fn of(run: &Run) -> Self {
        let by_age = run.by_age();
        let totals = run.lock();
        let names = run.names.lock();
        let learned = crate::aggregate::learn(&totals.tables, &names);
        let domains =
            learned.domains.iter().filter_map(|id| names.domains.values()[*id as usize].clone()).collect();
        Self { learned, domains, by_age }
    }
}

/// One attempt with all that is known of it.
pub struct Found<'a> {
    pub input: &'a Prepared,
    pub offset: u64,
    /// Which record of its line, from 0 on.
    pub nth: usize,
    /// The line, without its end; of a record over many lines the reply.
    pub line: &'a [u8],
    pub attempt: &'a Attempt<'a>,
    pub judged: Judged<'a>,
    pub is_microsoft: bool,
    pub platform: Platform,
    pub source_ip: Option<IpAddr>,
    pub source_evidence: SourceEvidence,
    pub sender_domain: Option<String>,
    pub recipient_domain: Option<String>,
    pub datacenter: Datacenter,
}

/// Which attempts are shown.
#[derive(Clone, Copy)]
pub struct Wanted<'f> {
    pub filter: &'f Filter,
    /// Other providers' too.
    pub all: bool,
    /// The sender is to be told, which may stand on an earlier line.
    pub senders: bool,
}

impl<'f> Wanted<'f> {
    /// Microsoft's that the filter holds, the sender only where it asks for that.
    pub fn lines(filter: &'f Filter) -> Self {
        Self { filter, all: false, senders: !filter.sender_domain.is_empty() }
    }
}

/// Before the first record.
const NOWHERE: (u64, usize) = (u64::MAX, 0);

/// Called with an attempt; whether to go on.
pub type Each<'e> = dyn FnMut(&Found<'_>) -> bool + 'e;

/// Shows every attempt that is wanted to `each`, until it returns false.
pub fn visit(
    run: &Run,
    lessons: &Lessons,
    wanted: Wanted<'_>,
    each: &mut Each<'_>,
) -> Vec<(String, io::Error)> {
    let mut errors = Vec::new();
    let mut go_on = true;
    for (index, input) in run.inputs.iter().enumerate() {
        let (Location::File(path), Some(format), true) = (&input.location, input.format, go_on) else {
            continue;
        };
        let mut eyes = Eyes::new(run, lessons, wanted, index, format, &input.clock_at(0));
        let result = (|| {
            let (_, stream) = open_stream(File::open(path)?)?;
            let mut visitor = Visitor { eyes: &mut eyes, each, go_on: true };
            Chunks::new(stream).run(&mut visitor)?;
            go_on = visitor.go_on;
            eyes.finish(each);
            Ok(())
        })();
        if let Err(error) = result {
            errors.push((input.name.to_string(), error));
        }
    }
    errors
}

/// Reads an input, or a stretch of it, in order.
pub struct Eyes<'v> {
    look: Look<'v>,
    scanner: Scanner,
    reader: Box<dyn Reader + Send>,
}

impl<'v> Eyes<'v> {
    pub fn new(
        run: &'v Run,
        lessons: &'v Lessons,
        wanted: Wanted<'v>,
        index: usize,
        format: &dyn Format,
        clock: &Clock,
    ) -> Self {
        let place = lessons.by_age.iter().position(|i| *i == index).unwrap_or(0);
        Self {
            look: Look {
                run,
                lessons,
                wanted,
                input: &run.inputs[index],
                index,
                is_prepared: true,
                before: &lessons.by_age[..place],
                recent: Recent::new(run.inputs.len()),
                last: NOWHERE,
            },
            scanner: scanner(format, run.options.prefilter.or_messages(wanted.senders)),
            reader: format.reader(clock),
        }
    }

    /// The bytes are those of another file than the one that was counted: nothing is known of them.
    pub fn of_other_file(mut self) -> Self {
        self.look.is_prepared = false;
        self
    }

    /// Tells the line that stands right before `offset`.
    pub fn line_before(&mut self, offset: u64, line: &[u8]) {
        self.scanner.line_before(offset, line);
    }

    /// Whether to go on.
    pub fn chunk(&mut self, chunk: Chunk<'_>, each: &mut Each<'_>) -> bool {
        let Self { look, scanner, reader } = self;
        let mut go_on = true;
        scanner.scan(chunk, |offset, bytes| {
            if go_on {
                reader.line(Line { bytes, offset }, &mut |at, record| {
                    // A record over many lines may have begun before this one.
                    let line = if at < offset { b"" } else { bytes };
                    go_on &= look.at(at, line, &record, each);
                });
            }
        });
        go_on && !look.run.stopped()
    }

    /// One line, without its end.
    pub fn line(&mut self, line: Line<'_>, each: &mut Each<'_>) {
        let Self { look, reader, .. } = self;
        look.last = NOWHERE;
        reader.line(line, &mut |at, record| {
            look.at(at, line.bytes, &record, each);
        });
    }

    /// At the end of the input: what still waited.
    pub fn finish(&mut self, each: &mut Each<'_>) {
        let Self { look, reader, .. } = self;
        reader.finish(&mut |offset, record| {
            look.at(offset, b"", &record, each);
        });
    }
}

struct Visitor<'v, 'r, 'e> {
    eyes: &'v mut Eyes<'r>,
    each: &'v mut Each<'e>,
    go_on: bool,
}

impl ChunkSink for Visitor<'_, '_, '_> {
    fn chunk(&mut self, chunk: Chunk<'_>) -> bool {
        self.go_on = self.eyes.chunk(chunk, self.each);
        self.go_on
    }

    fn oversized(&mut self, _: u64, _: &[u8]) {}
}

struct Look<'v> {
    run: &'v Run,
    lessons: &'v Lessons,
    wanted: Wanted<'v>,
    input: &'v Prepared,
    index: usize,
    /// The file is the one that was counted.
    is_prepared: bool,
    /// The inputs that were written before this one.
    before: &'v [usize],
    /// Messages whose sender stands on a line of its own.
    recent: Recent,
    /// Where the record before stands, and which one of its line it was.
    last: (u64, usize),
}

impl Look<'_> {
    /// Whether to go on.
    fn at(&mut self, offset: u64, line: &[u8], record: &Record<'_>, each: &mut Each<'_>) -> bool {
        let nth = if self.last.0 == offset { self.last.1 + 1 } else { 0 };
        self.last = (offset, nth);
        let attempt = match record {
            Record::Attempt(attempt) => attempt,
            Record::Retold(attempt) if !self.run.is_told(attempt) => attempt,
            Record::Queued { host, queue_id, sender } => {
                if self.wanted.senders {
                    self.recent.add(message(*host, queue_id), sender);
                }
                return true;
            }
            _ => return true,
        };
        let is_copy = || self.is_prepared && self.run.leaves_out(self.index, offset);
        if !self.wanted.filter.holds_time(attempt.time) || is_copy() {
            return true;
        }
        let recipient_domain = attempt.recipient_domain().map(lower);
        let judged = judge(attempt);
        let is_microsoft = match &judged {
            None => false,
            Some(Judged { platform: None, .. }) => {
                recipient_domain.as_deref().is_some_and(|d| self.lessons.domains.contains(d))
            }
            Some(_) => true,
        };
        if !is_microsoft && !self.wanted.all {
            return true;
        }
        let judged = match judged {
            Some(judged) if is_microsoft => judged,
            _ => Judged { host_tag: None, quoted: None, ..judge_reply(attempt, None, Said::of) },
        };
        let key = source_key(&origin_of(attempt), &self.run.options.source_map);
        let (source_ip, source_evidence) = self.source(&key, judged.quoted);
        let sender_domain = if self.wanted.senders { self.sender_domain(attempt) } else { None };
        let found = Found {
            input: self.input,
            offset,
            nth,
            line: match attempt.answer {
                Answer::Text(reply) if line.is_empty() => reply,
                _ => line,
            },
            attempt,
            is_microsoft,
            platform: judged.platform.unwrap_or(Platform::Unknown),
            source_ip,
            source_evidence,
            sender_domain,
            recipient_domain,
            datacenter: datacenter(attempt, &judged, is_microsoft),
            judged,
        };
        if self.holds(&found, &key) { each(&found) } else { true }
    }

    /// From the record itself, else from the line that tells it for the message.
    fn sender_domain(&mut self, attempt: &Attempt<'_>) -> Option<String> {
        if let Some(sender) = attempt.sender {
            return domain_of(sender).map(lower);
        }
        let message = message(attempt.host, attempt.queue_id?);
        let known = self.recent.get(message).cloned();
        let sender = known.or_else(|| self.run.sender_before(self.before, message))?;
        sender.map(|domain| domain.to_string())
    }

    /// The precedence of the contract, from where the identity ends.
    fn source(&self, key: &SourceKey, quoted: Option<IpAddr>) -> (Option<IpAddr>, SourceEvidence) {
        if let Some(ip) = key.ip.filter(|ip| is_public(*ip)) {
            return (Some(ip), key.evidence);
        }
        if let Some(ip) = quoted {
            return (Some(ip), SourceEvidence::Reply);
        }
        match self.lessons.learned.addresses.get(&key.identity()) {
            Some(ip) => (Some(*ip), SourceEvidence::Learned),
            None => (key.ip, key.evidence),
        }
    }

    fn holds(&self, found: &Found<'_>, key: &SourceKey) -> bool {
        let filter = self.wanted.filter;
        let is_from = || {
            let known = self.lessons.learned.address(&key.identity()).map(|ip| ip.to_string());
            let quoted = found.judged.quoted.map(|ip| ip.to_string());
            let [name, front] = key.name.as_deref().map_or([None; 2], known_as);
            let sources = [known.as_deref(), name, front, key.host.as_deref()];
            // As in the tables: what it is known as, or what Microsoft calls it.
            filter.source.matches(sources.into_iter().flatten())
                || quoted.is_some_and(|ip| filter.source.matches([ip.as_str()].into_iter()))
        };
        let tag = found.judged.host_tag.map(|tag| String::from_utf8_lossy(tag));
        let datacenter = &found.datacenter;
        let places = [tag.as_deref(), datacenter.site.as_deref(), datacenter.forest.as_deref()];
        let verdict = &found.judged.verdict;
        (filter.source.is_empty() || is_from())
            && filter.domain.matches(found.recipient_domain.as_deref().into_iter())
            && filter.sender_domain.matches(found.sender_domain.as_deref().into_iter())
            && filter.datacenter.matches(places.into_iter().flatten())
            && filter.platform.matches([found.platform.name()].into_iter())
            && (filter.reply.is_empty()
                || filter.reply.matches(
                    reply_names(&verdict.id, found.judged.smtp_code, found.judged.enhanced)
                        .iter()
                        .map(String::as_str),
                ))
            && filter.class.matches([verdict.class.name()].into_iter())
            && filter.outcome.matches([found.attempt.outcome.name()].into_iter())
    }
}

/// By the host tag, else by the relay's reverse name.
fn datacenter(attempt: &Attempt<'_>, judged: &Judged<'_>, is_microsoft: bool) -> Datacenter {
    let answered = is_microsoft.then(|| answering_host(attempt.relay_host, judged.host_tag)).flatten();
    answered.map_or_else(Datacenter::default, |(host, _)| microsoft::datacenter(host))
}
