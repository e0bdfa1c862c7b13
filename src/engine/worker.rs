//! What a worker makes of records: ids, counts and trials.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::aggregate::{CellKey, Filter, NameTables, Names, Tables};
use crate::attribute::SourceMap;
use crate::memo::Memo;
use crate::microsoft::{self, Bound, Class, Owner, Platform, Signal, Verdict};
use crate::record::{Answer, Attempt, Format, Outcome, Plain, Record, Relay, domain_of};

use super::clock::answered_at;
use super::counted::{Aside, Counted, Whose, count_other};
use super::intern::{Interner, origin_of};
use super::judge::{Judged, Said, answering_host, bound_by_relay, codes, judge_by};
use super::look_back::LookBack;
use super::others::{Other, Others};
use super::senders::{Left, Waiting, host_number, message, message_at};
use super::skew::Skews;
use super::stats::InputStats;
use super::told::{Told, fingerprint, fingerprints};
use super::trials::{Trials, queue_hash};
use super::twice::{Firsts, Sighting, leaves_out, sift};

/// Bytes of a reply's codes and the blank behind them.
const HEAD: usize = 10;
/// More suspected copies than this are sifted.
const MOST_SIGHTINGS: usize = 1 << 12;

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
    pub look_back: Option<LookBack>,
    owners: Memo<Owner>,
    /// By reply up to its host tag.
    replies: Memo<Said, 40>,
    /// By what stands in a line of them: of relays, whose they are; of sources, their ids, and whether they have an address.
    sides: Memo<Side, 12, 1024>,
    origins: Memo<Option<(u32, bool)>>,
    /// Likewise, the number of the host.
    hosts: Memo<Option<u64>>,
    /// By platform, how the last reply to a plain delivery began, and its verdict.
    heads: [Option<([u8; HEAD], u32)>; Platform::ALL.len()],
    ids: Interner<'e>,
    /// Who sent what was accepted is to be found out too.
    asks_senders: bool,
    /// Of which the memos know.
    format: &'static str,
}

impl<'e> Worker<'e> {
    pub fn new(context: Context<'e>) -> Self {
        let by_host = context.by_time || !context.filter.datacenter.is_empty();
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
            asks_senders: false,
            format: "",
            ids: Interner::new(context.names, context.map, by_host),
        }
    }

    /// Begins a task.
    pub fn begin(&mut self, format: &dyn Format, asks_senders: bool) {
        self.asks_senders = asks_senders;
        // The same bytes tell something else in another one.
        if self.format != format.name() {
            self.format = format.name();
            (self.sides, self.origins, self.hosts) = (Memo::default(), Memo::default(), Memo::default());
        }
    }

    /// Whether attempts are filtered by their sender, which plain lines do not tell.
    pub fn filters_senders(&self) -> bool {
        !self.context.filter.sender_domain.is_empty()
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
    pub fn look_for_copies(&mut self, input: u32, offset: u64, line: &[u8]) {
        let Self { context, sightings, .. } = self;
        context.firsts.look(input, offset, line, |sighting| sightings.push(sighting));
        if sightings.len() > MOST_SIGHTINGS {
            sift(sightings);
        }
    }

    /// Whether a part of an input is read in another one.
    pub fn leaves_out(&self, input: u32) -> bool {
        self.context.left_out.get(input as usize).is_some_and(|ranges| !ranges.is_empty())
    }

    pub fn is_left_out(&self, input: u32, offset: u64) -> bool {
        self.context.left_out.get(input as usize).is_some_and(|ranges| leaves_out(ranges, offset))
    }

    /// `before`: what was read right before the line.
    pub fn record(
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
    pub fn plain(
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
        if matches!(side, Side::Unsaid) {
            return false;
        }
        let time = Some(plain.time);
        if !self.context.filter.holds_time(time) {
            return true;
        }
        let ids = &mut self.ids;
        let origin =
            || format.origin(plain.source).map(|origin| (ids.source_id(&origin), origin.ip.is_some()));
        let Some((source, has_address)) = self.origins.get(plain.source, origin) else { return false };
        stats.seen.count_plain(has_address);
        if let Some(told) = self.context.told {
            told.add(None);
        }
        let Side::Microsoft { platform, relay, place } = side else {
            count_other(Other::of(time, Outcome::Delivered, || source), &mut self.others, stats);
            return true;
        };
        let sender = match plain.sender {
            _ if !self.asks_senders || platform != Platform::Consumer => 0,
            Some(sender) => self.ids.sender_id(domain_of(sender)),
            None => match (self.host(format, plain.source), plain.queue_id) {
                (Some(host), Some(queue_id)) => {
                    self.sender_elsewhere((input, offset), before, message_at(host, queue_id), queue_id)
                }
                _ => 0,
            },
        };
        let domain = self.ids.domain_id(plain.recipient.and_then(domain_of));
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
    pub fn queued(&mut self, format: &dyn Format, source: &[u8], queue_id: &[u8], sender: &[u8]) -> bool {
        let Some(host) = self.host(format, source) else { return false };
        if self.look_back.is_none() {
            self.left.recent.add(message_at(host, queue_id), sender);
        }
        true
    }

    /// The number of the host that a plain line names.
    fn host(&mut self, format: &dyn Format, source: &[u8]) -> Option<u64> {
        self.hosts.get(source, || format.origin(source).map(|origin| host_number(origin.host)))
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
        let id = self.ids.verdict_id(Outcome::Delivered, &judged);
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
                relay: self.ids.relay_id(relay.ip),
                place: self.ids.place_id(answering_host(relay.host, None)),
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
                self.ids.source_id(&origin_of(attempt))
            }));
        };
        // A domain's own fault needs the domain; for the rest it is worth no memory unless it is asked for.
        let by_sender = self.filters_senders();
        let concerns_sender = match judged.verdict.signal {
            Signal::Auth => {
                let is_consumer = judged.platform == Some(Platform::Consumer);
                self.context.blaming.fetch_add(usize::from(is_consumer), Ordering::Relaxed);
                true
            }
            Signal::Pass => self.asks_senders && judged.platform == Some(Platform::Consumer),
            _ => false,
        };
        let sender = match attempt.sender {
            Some(sender) if by_sender || concerns_sender => self.ids.sender_id(domain_of(sender)),
            None if by_sender || concerns_sender => attempt.queue_id.map_or(0, |queue_id| {
                self.sender_elsewhere((input, offset), before, message(attempt.host, queue_id), queue_id)
            }),
            _ => 0,
        };
        let verdict = self.ids.verdict_id(attempt.outcome, &judged);
        if judged.verdict.class != Class::Accepted
            && let Answer::Text(text) = attempt.answer
        {
            self.tables.example(verdict, input, offset, text);
        }
        let key = CellKey {
            source: self.ids.source_id(&origin_of(attempt)),
            domain: self.ids.domain_id(attempt.recipient_domain()),
            sender: if by_sender { sender } else { 0 },
            relay: self.ids.relay_id(attempt.relay_ip),
            place: self.ids.place_id(answering_host(attempt.relay_host, judged.host_tag)),
            quoted: self.ids.quoted_id(judged.quoted),
            verdict,
        };
        Whose::Microsoft(Counted::of(attempt, &judged, (input, offset), key, sender))
    }

    /// The sender that another line tells; a number to ask with later where this task has not seen it.
    fn sender_elsewhere(
        &mut self,
        (input, offset): (u32, u64),
        before: &[u8],
        message: u64,
        queue_id: &[u8],
    ) -> u32 {
        let found = match &mut self.look_back {
            Some(look_back) => look_back.sender(before, message, queue_id),
            None => self.left.recent.get(message).cloned(),
        };
        if let Some(known) = found {
            let Some(domain) = known else { return 0 };
            return self.ids.sender_id(Some(domain.as_bytes()));
        }
        let Some(number) = self.ids.waiting_id(input, message) else { return 0 };
        if self.left.waiting.last().is_none_or(|last| last.number != number) {
            self.left.waiting.push(Waiting { message, number, offset });
        }
        NameTables::waiting_sender(number)
    }
}
