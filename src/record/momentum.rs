//! Momentum (ecelerity): fields between `@`, one line an event; a `@` that is part of a field has a backslash before it.
//!
//! | field | here |
//! | --- | --- |
//! | 0 | time, Unix seconds |
//! | 1 | queue id |
//! | 4 | `D` delivered, `T` deferred, `P` bounced; `B`, the bounce log's line for a `P`, retells it; others are no attempts |
//! | `D`, `T`, `P`: 5; `B`: 5, 6 | recipient: the domain alone; local part and domain |
//! | `B`: 7, 8 | sender |
//! | `D`, `T`, `P`: 8; `B`: 10 | binding: source name |
//! | `D`: 11; `T`, `P`: 12; `B`: 14 | address of the remote server |
//! | the rest of the line | reply; a `D` has none |

use memchr::{memchr, memchr_iter, memmem};

use super::registry::{Format, Line, Order, Reader, whole_lines};
use super::stamp::{self, Clock, Naive, Stamper};
use super::text::{is_here, parse_ip, starts_with_code};
use super::{Answer, Attempt, Mta, Outcome, Record, syslog};

const MTA: Mta = Mta("momentum");

/// Momentum's main log and bounce log.
pub(crate) static MOMENTUM: Momentum = Momentum;

const SAMPLE: &str = "1778570410@20/00-25593-CBD987F3@00/00-03736-F4101B54@00/00-04532-A3456B54@T@hotmail.com@0@group-a\
    @vip-61@5@0@0.91@198.51.100.12@451 4.4.1 [internal] connection timed out";

/// The most fields that a line has before its text.
const MOST: usize = 15;
/// Momentum's mark on what it says itself.
const OWN_WORDS: &[u8] = b"[internal]";
/// Own words: its time ran out. The last refusal has a line of its own.
const EXPIRED: [&[u8]; 2] = [b"exceeded max time", b"message timeout"];
/// Own words: it was not tried.
const WAITS: [&[u8]; 2] = [b"suspended", b"throttle"];

pub(crate) struct Momentum;

impl Format for Momentum {
    fn name(&self) -> &'static str {
        MTA.0
    }

    fn sample(&self) -> &'static str {
        SAMPLE
    }

    fn score(&self, head: &[u8]) -> f32 {
        let (mut lines, mut own) = (0usize, 0usize);
        for line in whole_lines(head) {
            lines += 1;
            own += usize::from(looks_like_line(syslog::trim(line)));
        }
        if own * 2 <= lines { 0.0 } else { own as f32 / lines as f32 }
    }

    fn needles(&self) -> &'static [&'static [u8]] {
        &[b"@D@", b"@T@", b"@P@", b"@B@"]
    }

    fn order(&self) -> Order {
        Order::Any
    }

    fn retells(&self) -> bool {
        true
    }

    fn reader(&self, clock: &Clock) -> Box<dyn Reader + Send> {
        Box::new(MomentumReader { stamper: Stamper::new(clock), scratch: Vec::new() })
    }

    fn naive_stamp(&self, line: &[u8]) -> Option<Naive> {
        let line = syslog::trim(line);
        let (naive, end) =
            line.first().filter(|byte| byte.is_ascii_digit()).and_then(|_| stamp::parse(line))?;
        (line.get(end) == Some(&b'@')).then_some(naive)
    }
}

/// Ten digits, then identifiers up to a field of one or two letters.
fn looks_like_line(line: &[u8]) -> bool {
    if MOMENTUM.naive_stamp(line).is_none() {
        return false;
    }
    let kind = memchr_iter(b'@', line).nth(3).map(|at| &line[at + 1..]);
    kind.and_then(|kind| Some(&kind[..memchr(b'@', kind)?]))
        .is_some_and(|kind| matches!(kind.len(), 1 | 2) && kind.iter().all(u8::is_ascii_alphanumeric))
}

struct MomentumReader {
    stamper: Stamper,
    scratch: Vec<u8>,
}

impl Reader for MomentumReader {
    fn line(&mut self, line: Line<'_>, out: &mut dyn FnMut(u64, Record<'_>)) {
        match self.read(syslog::trim(line.bytes)) {
            Record::Irrelevant => {}
            record => out(line.offset, record),
        }
    }
}

/// Where fields begin; the one behind the last goes to the end of the line.
struct Fields<'a> {
    line: &'a [u8],
    starts: [usize; MOST + 1],
}

impl<'a> Fields<'a> {
    /// The first `count` fields and the rest; `None` where there are fewer.
    fn split(line: &'a [u8], count: usize) -> Option<Self> {
        let mut starts = [0; MOST + 1];
        let mut ends = memchr_iter(b'@', line).filter(|at| *at == 0 || line[at - 1] != b'\\');
        for start in starts.iter_mut().take(count + 1).skip(1) {
            *start = ends.next()? + 1;
        }
        Some(Self { line, starts })
    }

    fn get(&self, index: usize) -> &'a [u8] {
        &self.line[self.starts[index]..self.starts[index + 1] - 1]
    }

    /// From a field to the end of the next: an address is two fields with an `@` between them.
    fn pair(&self, index: usize) -> &'a [u8] {
        &self.line[self.starts[index]..self.starts[index + 2] - 1]
    }
}

impl MomentumReader {
    fn read<'a>(&'a mut self, line: &'a [u8]) -> Record<'a> {
        if !looks_like_line(line) {
            return Record::Irrelevant;
        }
        // The identifiers before it hold no backslash.
        let Some(head) = Fields::split(line, 5) else { return Record::Irrelevant };
        let (outcome, count) = match head.get(4) {
            // Of a `D` the remote address is the last that is read; it may be the last of the line.
            b"D" => (Outcome::Delivered, 11),
            b"T" => (Outcome::Deferred, 13),
            b"P" => (Outcome::Bounced, 13),
            b"B" => (Outcome::Bounced, 15),
            _ => return Record::Irrelevant,
        };
        let retold = head.get(4) == b"B";
        let Some(fields) = Fields::split(line, count) else {
            return Record::Malformed { why: "a delivery with too few fields" };
        };
        let Some((naive, _)) = stamp::parse(line) else {
            return Record::Malformed { why: "a delivery without a time" };
        };
        let time = self.stamper.time(&naive);
        let rest = &line[fields.starts[count]..];
        let (relay, binding) = match (outcome, retold) {
            (Outcome::Delivered, _) => (&rest[..memchr(b'@', rest).unwrap_or(rest.len())], fields.get(8)),
            (_, true) => (fields.get(14), fields.get(10)),
            (_, false) => (fields.get(12), fields.get(8)),
        };
        let relay_ip = parse_ip(relay).filter(|ip| !ip.is_unspecified());
        if relay_ip.is_some_and(is_here) {
            return Record::Irrelevant;
        }
        let answer = if outcome == Outcome::Delivered {
            Answer::Codes { smtp: None, enhanced: None }
        } else if memmem::find(rest, OWN_WORDS).is_some() || !starts_with_code(rest) {
            let says = |words: &[&[u8]]| words.iter().any(|words| memmem::find(rest, words).is_some());
            if says(&EXPIRED) {
                return Record::Irrelevant;
            }
            if outcome == Outcome::Deferred && relay_ip.is_none() && says(&WAITS) {
                return Record::HeldBack { time: Some(time) };
            }
            Answer::Nobody
        } else {
            Answer::Text(rest)
        };
        // The domain alone is an address without its local part.
        let recipient =
            if retold { fields.pair(5) } else { &line[fields.starts[5] - 1..fields.starts[6] - 1] };
        let sender =
            retold.then(|| fields.pair(7)).map(|sender| if sender == b"@" { &[][..] } else { sender });
        self.scratch.clear();
        let recipient = unescape(recipient, &mut self.scratch);
        let split = self.scratch.len();
        let sender = sender.map(|sender| unescape(sender, &mut self.scratch));
        let scratch = &self.scratch;
        let attempt = Attempt {
            time: Some(time),
            mta: MTA,
            host: None,
            queue_id: Some(fields.get(1)),
            source_ip: None,
            source_name: Some(binding).filter(|name| !name.is_empty()),
            sender: sender.map(|sender| sender.unwrap_or(&scratch[split..])),
            recipient: Some(recipient.unwrap_or(&scratch[..split])),
            relay_host: None,
            relay_ip,
            relay_port: None,
            outcome,
            answer,
            greeting: None,
        };
        if retold { Record::Retold(attempt) } else { Record::Attempt(attempt) }
    }
}

/// An address as it is meant: in place, or (`None`) at the end of `scratch`.
fn unescape<'a>(text: &'a [u8], scratch: &mut Vec<u8>) -> Option<&'a [u8]> {
    if memchr(b'\\', text).is_none() {
        return Some(text);
    }
    let mut bytes = text.iter().peekable();
    while let Some(byte) = bytes.next() {
        if *byte != b'\\' || bytes.peek() != Some(&&b'@') {
            scratch.push(*byte);
        }
    }
    None
}

#[cfg(test)]
mod tests;
