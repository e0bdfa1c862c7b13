//! A worker's part of the scan: chunks in, tables and trials out.

use std::net::IpAddr;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::aggregate::{
    Belongs, Cache, CellKey, Filter, NameTables, Names, Place, SourceKey, Tables, VerdictKey,
};
use crate::attribute::{self, SourceMap};
use crate::memo::Memo;
use crate::microsoft::{self, Bound, Class, Owner, Platform, Signal, Verdict};
use crate::record::{
    Answer, Attempt, Clock, Format, Glance, Line, Origin, Outcome, Plain, Reader, Record, Relay, Stamper,
    Time, domain_of,
};
use crate::scan::Scanner;
use crate::source::{Chunk, ChunkSink};
use crate::text::{escape_controls, lower};

use super::clock::answered_at;
use super::judge::{Judged, Said, answering_host, bound_by_relay, codes, judge_by};
use super::look_back::{LookBack, scanner};
use super::options::Prefilter;
use super::others::{Other, Others};
use super::senders::{Left, Waiting, host_number, message, message_at};
use super::skew::Skews;
use super::stats::InputStats;
use super::told::{Told, fingerprint, fingerprints};
use super::trials::{Pass, Refusal, Trials, queue_hash};
use super::twice::{Firsts, Sighting, leaves_out, sift};

/// Bytes of a reply's codes and the blank behind them.
const HEAD: usize = 10;
/// More suspected copies than this are sifted.
const MOST_SIGHTINGS: usize = 1 << 12;
/// An attempt in ids, ready to be counted.
#[derive(Clone, Copy, Debug)]
pub struct Counted {
    key: CellKey,
    time: Option<Time>,
    input: u32,
    offset: u64,
    outcome: Outcome,
    queue: u32,
    /// For the detection.
    sender: u32,
    is_accepted: bool,
    /// Microsoft's for certain.
    is_certain: bool,
}

impl Counted {
    /// Of an attempt that is Microsoft's by the key's verdict. `at`: input and offset.
    fn of(
        attempt: &Attempt<'_>,
        judged: &Judged<'_>,
        (input, offset): (u32, u64),
        key: CellKey,
        sender: u32,
    ) -> Self {
        Self {
            key,
            time: attempt.time,
            input,
            offset,
            outcome: attempt.outcome,
            queue: attempt.queue_id.map_or(0, queue_hash),
            sender,
            is_accepted: judged.verdict.class == Class::Accepted,
            is_certain: judged.platform.is_some(),
        }
    }

    /// Counts it.
    pub fn add(&self, tables: &mut Tables, trials: &mut Trials, stats: &mut InputStats) {
        let Self { key, time, input, offset, outcome, queue, is_certain, .. } = *self;
        stats.extend_range(time);
        match is_certain {
            true => stats.attempts += 1,
            false => *stats.by_domain.entry(key.domain).or_default() += 1,
        }
        tables.count(key, is_certain, time);
        let Some(second) = time.and_then(|t| u32::try_from(t.seconds).ok()) else { return };
        let CellKey { source, domain, relay, verdict, place, quoted, .. } = key;
        let pass = Pass { second, source, domain, relay, verdict, queue, sender: self.sender };
        match self.is_accepted {
            true => trials.passes.push(pass),
            false => trials.refusals.push(Refusal { pass, place, quoted, input, offset, outcome }),
        }
    }
}

/// A record that repeats what a log may tell: counted at the end, if none does.
#[derive(Clone, Copy, Debug)]
pub struct Aside {
    input: u32,
    fingerprints: [Option<u64>; 2],
    attempt: Whose,
}

impl Aside {
    /// Counts it, unless a log has told it.
    pub fn settle(
        &self,
        told: &Told,
        tables: &mut Tables,
        trials: &mut Trials,
        others: &mut Others,
        inputs: &mut [InputStats],
    ) {
        let stats = &mut inputs[self.input as usize];
        if told.has_any(&self.fingerprints) {
            stats.held_back += 1;
        } else {
            self.attempt.add(tables, trials, others, stats);
        }
    }
}

/// Whose attempt it is, ready to be counted.
#[derive(Clone, Copy, Debug)]
enum Whose {
    Microsoft(Counted),
    /// Another provider's; with what is known of it where it has a time.
    Other(Option<Other>),
}

impl Whose {
    fn add(&self, tables: &mut Tables, trials: &mut Trials, others: &mut Others, stats: &mut InputStats) {
        match self {
            Self::Microsoft(counted) => counted.add(tables, trials, stats),
            Self::Other(other) => count_other(*other, others, stats),
        }
    }
}

/// Counts another provider's attempt; `None`: one without a time.
fn count_other(other: Option<Other>, others: &mut Others, stats: &mut InputStats) {
    stats.other_attempts += 1;
    if let Some(other) = other {
        others.add(other);
    }
}

/// Whose a plain delivery is.
#[derive(Clone, Copy, Debug)]
enum Side {
    /// With the ids that follow from the relay.
    Microsoft {
        platform: Platform,
        relay: u32,
        place: u32,
    },
    Elsewhere,
    /// The relay alone does not tell.
    Unsaid,
}

/// What a worker needs to know of the run.
#[derive(Clone, Copy)]
pub struct Context<'e> {
    pub names: &'e Names,
    pub map: &'e SourceMap,
    pub filter: &'e Filter,
    /// `None`: no input repeats what another tells.
    pub told: Option<&'e Told>,
    /// To tell files that hold the same lines.
    pub firsts: &'e Firsts,
    /// By input, what is read in another one.
    pub left_out: &'e [Vec<Range<u64>>],
    /// Who sent what was accepted is to be found out too.
    pub asks_senders: bool,
    /// Counts the refusals that blame their senders.
    pub blaming: &'e AtomicUsize,
    /// How many there are.
    pub inputs: usize,
    /// Attempts are counted by time too.
    pub by_time: bool,
}

/// What a worker holds over all its tasks.
pub struct Worker<'e> {
    context: Context<'e>,
    pub tables: Tables,
    pub trials: Trials,
    pub others: Others,
    pub asides: Vec<Aside>,
    pub sightings: Vec<Sighting>,
    pub skews: Skews,
    /// Of the task at hand.
    pub left: Left,
    /// Likewise, where not all lines that tell senders are read.
    look_back: Option<LookBack>,
    owners: Memo<Owner>,
    /// By reply up to its host tag.
    replies: Memo<Said, 40>,
    /// By what stands in a line of them: of relays, whose they are; of sources, their ids, and whether they have an address.
    sides: Memo<Side, 12, 1024>,
    origins: Memo<(u32, bool)>,
    /// Likewise, the number of the host.
    hosts: Memo<u64>,
    /// By platform, how the last reply to a plain delivery began, and its verdict.
    heads: [Option<([u8; HEAD], u32)>; Platform::ALL.len()],
    sources: Cache,
    domains: Cache,
    senders: Cache,
    waiting: Cache,
    relays: Cache,
    places: Cache,
    quoted: Cache,
    verdicts: Cache,
    scratch: Vec<u8>,
}

impl<'e> Worker<'e> {
    pub fn new(context: Context<'e>) -> Self {
        Self {
            context,
            tables: Tables::new(context.by_time, context.filter),
            trials: Trials::default(),
            others: Others::default(),
            asides: Vec::new(),
            sightings: Vec::new(),
            skews: Skews::default(),
            left: Left::new(context.inputs),
            look_back: None,
            owners: Memo::default(),
            replies: Memo::default(),
            sides: Memo::default(),
            origins: Memo::default(),
            hosts: Memo::default(),
            heads: Default::default(),
            sources: Cache::default(),
            domains: Cache::default(),
            senders: Cache::default(),
            waiting: Cache::default(),
            relays: Cache::default(),
            places: Cache::default(),
            quoted: Cache::default(),
            verdicts: Cache::default(),
            scratch: Vec::new(),
        }
    }

    /// A refusal has Microsoft's time beside the host's.
    fn compare_clocks(&mut self, attempt: &Attempt<'_>) {
        if attempt.outcome != Outcome::Delivered
            && let Answer::Text(reply) = attempt.answer
            && let (Some(ours), Some(theirs)) = (attempt.time, answered_at(reply))
        {
            self.skews.add(attempt.host.unwrap_or_default(), ours.seconds - theirs);
        }
    }

    /// Whether the line may be a copy of some input's first record.
    fn look_for_copies(&mut self, input: u32, offset: u64, line: &[u8]) {
        let Self { context, sightings, .. } = self;
        context.firsts.look(input, offset, line, |sighting| sightings.push(sighting));
        if sightings.len() > MOST_SIGHTINGS {
            sift(sightings);
        }
    }

    fn is_left_out(&self, input: u32, offset: u64) -> bool {
        self.context.left_out.get(input as usize).is_some_and(|ranges| leaves_out(ranges, offset))
    }

    /// `before`: what was read right before the line.
    fn record(
        &mut self,
        stats: &mut InputStats,
        input: u32,
        offset: u64,
        before: &[u8],
        record: &Record<'_>,
    ) {
        match record {
            Record::Attempt(attempt) => {
                if self.context.filter.holds_time(attempt.time) {
                    stats.seen.count(attempt);
                    if let Some(told) = self.context.told {
                        told.add(fingerprint(attempt));
                    }
                    let whose = self.whose(input, offset, before, attempt);
                    if matches!(whose, Whose::Microsoft(_)) {
                        self.compare_clocks(attempt);
                    }
                    whose.add(&mut self.tables, &mut self.trials, &mut self.others, stats);
                }
            }
            Record::Retold(attempt) => {
                if self.context.filter.holds_time(attempt.time) {
                    let whose = self.whose(input, offset, before, attempt);
                    self.asides.push(Aside { input, fingerprints: fingerprints(attempt), attempt: whose });
                }
            }
            Record::HeldBack { time } => {
                stats.held_back += u64::from(self.context.filter.holds_time(*time));
            }
            Record::Queued { host, queue_id, sender } if self.look_back.is_none() => {
                self.left.recent.add(message(*host, queue_id), sender);
            }
            Record::Note(text) => {
                stats.notes.insert(*text);
            }
            Record::Queued { .. } | Record::Irrelevant | Record::Malformed { .. } => {}
        }
    }

    /// The same as [`Self::record`] of a plain delivery: what was found out of its source and its relay is known. False if
    /// it has to be read.
    fn plain(
        &mut self,
        stats: &mut InputStats,
        format: &dyn Format,
        (input, offset): (u32, u64),
        before: &[u8],
        plain: &Plain<'_>,
    ) -> bool {
        let side = match self.sides.known(plain.relay) {
            Some(side) => side,
            None => {
                let side = format.relay(plain.relay).map_or(Side::Unsaid, |relay| self.side(&relay));
                self.sides.set(plain.relay, side);
                side
            }
        };
        let by_sender = !self.context.filter.sender_domain.is_empty();
        if matches!(side, Side::Unsaid) || (by_sender && !matches!(side, Side::Elsewhere)) {
            return false;
        }
        let source = match self.origins.known(plain.source) {
            Some(source) => source,
            None => {
                let Some(origin) = format.origin(plain.source) else { return false };
                let source = (self.source_id(&origin), origin.ip.is_some());
                self.origins.set(plain.source, source);
                source
            }
        };
        let (source, has_address) = source;
        let time = Some(plain.time);
        if !self.context.filter.holds_time(time) {
            return true;
        }
        stats.seen.count_plain(has_address);
        if let Some(told) = self.context.told {
            told.add(None);
        }
        let Side::Microsoft { platform, relay, place } = side else {
            count_other(Other::of(time, Outcome::Delivered, || source), &mut self.others, stats);
            return true;
        };
        let sender = match plain.sender {
            _ if !self.context.asks_senders || platform != Platform::Consumer => 0,
            Some(sender) => self.sender_id(domain_of(sender)),
            None => {
                let host = format.origin(plain.source).and_then(|origin| origin.host);
                self.sender_elsewhere((input, offset), before, host, plain.queue_id)
            }
        };
        let domain = self.domain_id(plain.recipient.and_then(domain_of));
        let verdict = self.accepted(platform, plain.reply);
        let key = CellKey { source, domain, sender: 0, relay, place, quoted: 0, verdict };
        let counted = Counted {
            key,
            time,
            input,
            offset,
            outcome: Outcome::Delivered,
            queue: plain.queue_id.map_or(0, queue_hash),
            sender,
            is_accepted: true,
            is_certain: true,
        };
        counted.add(&mut self.tables, &mut self.trials, stats);
        true
    }

    /// The same as [`Self::record`] of a message that came in. False if the line has to be read.
    fn queued(&mut self, format: &dyn Format, source: &[u8], queue_id: &[u8], sender: &[u8]) -> bool {
        let host = match self.hosts.known(source) {
            Some(host) => host,
            None => {
                let Some(origin) = format.origin(source) else { return false };
                let host = host_number(origin.host);
                self.hosts.set(source, host);
                host
            }
        };
        if self.look_back.is_none() {
            self.left.recent.add(message_at(host, queue_id), sender);
        }
        true
    }

    /// The verdict of a plain delivery.
    fn accepted(&mut self, platform: Platform, reply: &[u8]) -> u32 {
        // What makes its codes, of nearly all replies: `250 2.6.0 `.
        let head = reply
            .first_chunk::<HEAD>()
            .filter(|head| head[3] == b' ' && !head[4].is_ascii_whitespace() && head[HEAD - 1] == b' ');
        let known = head.and_then(|head| self.heads[platform as usize].filter(|(known, _)| known == head));
        if let Some((_, id)) = known {
            return id;
        }
        let (smtp_code, enhanced) = codes(&Answer::Text(reply));
        let (verdict, platform) = (Verdict::accepted(), Some(platform));
        let judged = Judged { platform, smtp_code, enhanced, verdict, host_tag: None, quoted: None };
        let id = self.verdict_id(Outcome::Delivered, &judged);
        if let (Some(head), Some(platform)) = (head, platform) {
            self.heads[platform as usize] = Some((*head, id));
        }
        id
    }

    /// What the relay of a delivery says by itself.
    fn side(&mut self, relay: &Relay<'_>) -> Side {
        match bound_by_relay(relay) {
            Some(Bound::Yes(platform)) => Side::Microsoft {
                platform,
                relay: self.relay_id(relay.ip),
                place: self.place_id(answering_host(relay.host, None)),
            },
            Some(Bound::No) => Side::Elsewhere,
            Some(Bound::ByDomain) | None => Side::Unsaid,
        }
    }

    fn whose(&mut self, input: u32, offset: u64, before: &[u8], attempt: &Attempt<'_>) -> Whose {
        let relay = match attempt.relay_host {
            Some(host) => self.owners.get(host, || microsoft::owner(Some(host))),
            None => microsoft::owner(None),
        };
        let replies = &mut self.replies;
        let said = |answer: &Answer<'_>| match *answer {
            // The host tag at its end is no part of what it says, and differs from reply to reply.
            Answer::Text(reply) => replies.get(microsoft::without_tag(reply), || Said::of(answer)),
            _ => Said::of(answer),
        };
        let Some(judged) = judge_by(attempt, relay, said) else {
            return Whose::Other(Other::of(attempt.time, attempt.outcome, || {
                self.source_id(&origin_of(attempt))
            }));
        };
        // A domain's own fault needs the domain; for the rest it is worth no memory unless it is asked for.
        let by_sender = !self.context.filter.sender_domain.is_empty();
        let concerns_sender = match judged.verdict.signal {
            Signal::Auth => {
                let is_consumer = judged.platform == Some(Platform::Consumer);
                self.context.blaming.fetch_add(usize::from(is_consumer), Ordering::Relaxed);
                true
            }
            Signal::Pass => self.context.asks_senders && judged.platform == Some(Platform::Consumer),
            _ => false,
        };
        let sender = match attempt.sender {
            Some(sender) if by_sender || concerns_sender => self.sender_id(domain_of(sender)),
            None if by_sender || concerns_sender => {
                self.sender_elsewhere((input, offset), before, attempt.host, attempt.queue_id)
            }
            _ => 0,
        };
        let verdict = self.verdict_id(attempt.outcome, &judged);
        if judged.verdict.class != Class::Accepted
            && let Answer::Text(text) = attempt.answer
        {
            self.tables.example(verdict, input, offset, text);
        }
        let key = CellKey {
            source: self.source_id(&origin_of(attempt)),
            domain: self.domain_id(attempt.recipient_domain()),
            sender: if by_sender { sender } else { 0 },
            relay: self.relay_id(attempt.relay_ip),
            place: self.place_id(answering_host(attempt.relay_host, judged.host_tag)),
            quoted: self.quoted_id(judged.quoted),
            verdict,
        };
        Whose::Microsoft(Counted::of(attempt, &judged, (input, offset), key, sender))
    }

    /// The sender that another line tells; a number to ask with later where this task has not seen it.
    fn sender_elsewhere(
        &mut self,
        (input, offset): (u32, u64),
        before: &[u8],
        host: Option<&[u8]>,
        queue_id: Option<&[u8]>,
    ) -> u32 {
        let Some(queue_id) = queue_id else { return 0 };
        let message = message(host, queue_id);
        let found = match &mut self.look_back {
            Some(look_back) => look_back.sender(before, host, queue_id),
            None => self.left.recent.get(message).cloned(),
        };
        if let Some(known) = found {
            let Some(domain) = known else { return 0 };
            return self
                .senders
                .id(domain.as_bytes(), || self.context.names.lock().senders.id(Some((&*domain).into())));
        }
        self.scratch.clear();
        self.scratch.extend_from_slice(&input.to_le_bytes());
        self.scratch.extend_from_slice(&message.to_le_bytes());
        let number = self
            .waiting
            .id(&self.scratch, || self.context.names.lock().wait_for(input, message).unwrap_or(u32::MAX));
        if number == u32::MAX {
            return 0;
        }
        if self.left.waiting.last().is_none_or(|last| last.number != number) {
            self.left.waiting.push(Waiting { message, number, offset });
        }
        NameTables::waiting_sender(number)
    }

    fn domain_id(&mut self, domain: Option<&[u8]>) -> u32 {
        let Some(domain) = domain else { return 0 };
        self.domains.id(domain, || self.context.names.lock().domains.id(Some(lower_text(domain))))
    }

    fn sender_id(&mut self, domain: Option<&[u8]>) -> u32 {
        let Some(domain) = domain else { return 0 };
        self.senders.id(domain, || self.context.names.lock().senders.id(Some(lower_text(domain))))
    }

    fn relay_id(&mut self, ip: Option<IpAddr>) -> u32 {
        self.scratch.clear();
        push_ip(&mut self.scratch, ip);
        self.relays.id(&self.scratch, || self.context.names.lock().relays.id(ip))
    }

    fn place_id(&mut self, answered: Option<(&[u8], bool)>) -> u32 {
        let Some((host, is_tag)) = answered else { return 0 };
        // A tag may read like a reverse name, and is another place than the relay of that name.
        self.scratch.clear();
        self.scratch.push(u8::from(is_tag));
        self.scratch.extend_from_slice(host);
        let context = self.context;
        self.places.id(&self.scratch, || {
            let place = place_of(host, is_tag, context.by_time || !context.filter.datacenter.is_empty());
            context.names.lock().places.id(place)
        })
    }

    fn quoted_id(&mut self, ip: Option<IpAddr>) -> u32 {
        let Some(ip) = ip else { return 0 };
        self.scratch.clear();
        push_ip(&mut self.scratch, Some(ip));
        self.quoted.id(&self.scratch, || self.context.names.lock().quoted.id(Some(ip)))
    }

    fn source_id(&mut self, origin: &Origin<'_>) -> u32 {
        let Self { sources, scratch, context, .. } = self;
        scratch.clear();
        for part in [origin.host, origin.name] {
            scratch.push(u8::from(part.is_some()));
            scratch.extend_from_slice(part.unwrap_or_default());
            scratch.push(0);
        }
        push_ip(scratch, origin.ip);
        sources.id(scratch, || context.names.lock().sources.id(source_key(origin, context.map)))
    }

    fn verdict_id(&mut self, outcome: Outcome, judged: &Judged<'_>) -> u32 {
        let verdict = &judged.verdict;
        self.scratch.clear();
        // A delivery needs no name to be told from a refusal.
        if verdict.class != Class::Accepted {
            self.scratch.extend_from_slice(verdict.id.as_bytes());
        }
        self.scratch.extend_from_slice(&judged.smtp_code.unwrap_or(0).to_le_bytes());
        if let Some(enhanced) = judged.enhanced {
            self.scratch.push(enhanced.0);
            self.scratch.extend_from_slice(&enhanced.1.to_le_bytes());
            self.scratch.extend_from_slice(&enhanced.2.to_le_bytes());
        }
        self.scratch.push(outcome as u8);
        self.scratch.push(judged.platform.map_or(u8::MAX, |p| p as u8));
        self.verdicts.id(&self.scratch, || {
            let key = VerdictKey {
                reply_id: verdict.id.as_ref().into(),
                smtp_code: judged.smtp_code,
                enhanced: judged.enhanced,
                class: verdict.class,
                signal: verdict.signal,
                stated: verdict.entry.is_some_and(|entry| entry.stated),
                outcome,
                platform: judged.platform.unwrap_or(Platform::Unknown),
                belongs: if judged.platform.is_some() { Belongs::Microsoft } else { Belongs::IfDomainDoes },
            };
            self.context.names.lock().verdicts.id(key)
        })
    }
}

/// Who sent, as the log tells it.
pub fn origin_of<'a>(attempt: &Attempt<'a>) -> Origin<'a> {
    Origin { host: attempt.host, name: attempt.source_name, ip: attempt.source_ip }
}

/// Who sent, as the map tells it too.
pub fn source_key(origin: &Origin<'_>, map: &SourceMap) -> SourceKey {
    let (host, name) = (origin.host.map(text), origin.name.map(text));
    let found = attribute::identify(origin.ip, host.as_deref(), name.as_deref(), map);
    SourceKey { ip: found.ip, evidence: found.evidence, host, name }
}

/// Datacenter of a host tag, or of a relay's reverse name (which is no datacenter host). `by_host`: a filter may ask for
/// one of the many hosts of a datacenter; else they are one place.
fn place_of(host: &[u8], is_tag: bool, by_host: bool) -> Place {
    let found = microsoft::datacenter(host);
    Place {
        host: is_tag.then(|| if by_host { text(host) } else { Box::default() }),
        site: found.site.map(Into::into),
        forest: found.forest.map(Into::into),
        region: found.region.map(Into::into),
    }
}

fn push_ip(bytes: &mut Vec<u8>, ip: Option<IpAddr>) {
    match ip {
        None => bytes.push(0),
        Some(IpAddr::V4(v4)) => bytes.extend_from_slice(&v4.octets()),
        Some(IpAddr::V6(v6)) => bytes.extend_from_slice(&v6.octets()),
    }
}

/// Names are made harmless once, here: whoever writes them need not ask where they come from.
fn text(bytes: &[u8]) -> Box<str> {
    escape_controls(bytes).into()
}

fn lower_text(bytes: &[u8]) -> Box<str> {
    lower(bytes).into()
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
    /// What was plainly delivered is not read in full: nothing of the input is left out, and it is not the slow way.
    glances: bool,
    /// Called between chunks; returns whether to go on.
    between: &'w mut dyn FnMut(u64) -> bool,
}

impl<'w, 'e> Task<'w, 'e> {
    /// `prefilter`: which lines are looked at, at least.
    pub fn new(
        worker: &'w mut Worker<'e>,
        input: u32,
        format: &'static dyn Format,
        clock: &Clock,
        prefilter: Prefilter,
        between: &'w mut dyn FnMut(u64) -> bool,
    ) -> Self {
        let left_out = worker.context.left_out.get(input as usize);
        let glances = prefilter != Prefilter::Off && left_out.is_none_or(Vec::is_empty);
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

    /// Shows the reader of a part the first line of the file.
    pub fn first_line(&mut self, bytes: &[u8]) {
        self.reader.line(Line { bytes, offset: 0 }, &mut |_, _| {});
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
            let before = &chunk.bytes[..(offset - chunk.offset) as usize];
            match glances.then(|| reader.glance(bytes)).flatten() {
                Some(Glance::Delivered(plain)) => {
                    if worker.plain(stats, *format, (*input, offset), before, &plain) {
                        stats.parsed += 1;
                        return;
                    }
                }
                Some(Glance::Queued { source, queue_id, sender }) => {
                    if worker.queued(*format, source, queue_id, sender) {
                        stats.irrelevant += 1;
                        return;
                    }
                }
                None => {}
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
