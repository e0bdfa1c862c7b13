//! Momentum (ecelerity): fields between `@`, one line an event; a `@` that is part of a field has a backslash before it.
//!
//! | field | here |
//! | --- | --- |
//! | 0 | time, Unix seconds |
//! | 1 | queue id |
//! | 4 | `D` delivered, `T` deferred, `P` bounced; others are no attempts |
//! | `D`, `T`, `P`: 5 | the recipient's domain alone |
//! | 8 | binding: source name |
//! | `D`: 11; `T`, `P`: 12 | address of the remote server |
//! | the rest of the line | reply; a `D` has none |
//!
//! The bounce log retells a `P` as `B`, and where it is told to, a `T`; these have addresses:
//!
//! | field | here |
//! | --- | --- |
//! | 5, 6 and 7, 8 | local part and domain of recipient and sender |
//! | 10, 14, the rest | binding, address of the remote server, reply |

use memchr::{memchr, memchr_iter, memmem};

use super::registry::{Format, Line, Order, Reader, whole_lines};
use super::stamp::{self, Clock, LastTime, Naive, Stamper};
use super::text::{Addresses, is_here, starts_with_code};
use super::{Answer, Attempt, Mta, Outcome, Record, Time, syslog};
use crate::text::{Places, near};

const MTA: Mta = Mta("momentum");

/// Momentum's main log and bounce log. Most lines are attempts: to look for what stands in those alone would cost more than
/// to look at the others.
pub(crate) static MOMENTUM: Momentum = Momentum;

const SAMPLE: &str = "1778570410@20/00-25593-CBD987F3@00/00-03736-F4101B54@00/00-04532-A3456B54@T@hotmail.com@0@group-a\
    @vip-61@5@0@0.91@198.51.100.12@451 4.4.1 [internal] connection timed out";

/// The most fields that a line has before its text.
const MOST: usize = 15;
/// Momentum's mark on what it says itself.
const OWN_WORDS: &[u8] = b"[internal]";
/// Own words of messages that were not tried: their time ran out (the last refusal has a line of its own), they wait, or
/// the operator's rules or a bounce that came back ended them.
const NOT_TRIED: [&[u8]; 11] = [
    b"exceeded max",
    b"expired",
    b"message timeout",
    b"suspended",
    b"throttle",
    b"lackhole",
    b"manually purged",
    b"by policy",
    b"Loopback Address",
    b"body missing",
    b"[oob]",
];

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

    fn order(&self) -> Order {
        Order::Any
    }

    fn retells(&self) -> bool {
        true
    }

    fn reader(&self, clock: &Clock) -> Box<dyn Reader + Send> {
        Box::new(MomentumReader {
            stamper: Stamper::new(clock),
            last_time: LastTime::default(),
            addresses: Addresses::default(),
            scratch: Vec::new(),
        })
    }

    fn naive_stamp(&self, line: &[u8]) -> Option<Naive> {
        let line = syslog::trim(line);
        whole_stamp(&line[..near(b'@', line)?])
    }
}

/// A field that is a stamp.
fn whole_stamp(field: &[u8]) -> Option<Naive> {
    field.first().filter(|byte| byte.is_ascii_digit()).and_then(|_| stamp::whole(field))
}

/// Ten digits, then identifiers up to a field of one or two letters.
fn looks_like_line(line: &[u8]) -> bool {
    if MOMENTUM.naive_stamp(line).is_none() {
        return false;
    }
    let kind = memchr_iter(b'@', line).nth(3).map(|at| &line[at + 1..]);
    kind.map(|kind| &kind[..memchr(b'@', kind).unwrap_or(kind.len())])
        .is_some_and(|kind| matches!(kind.len(), 1 | 2) && kind.iter().all(u8::is_ascii_alphanumeric))
}

struct MomentumReader {
    stamper: Stamper,
    last_time: LastTime,
    addresses: Addresses,
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

/// Where fields begin, as far as the line was split; the one behind the last goes to the end of the line.
struct Fields<'a> {
    line: &'a [u8],
    marks: Places<'a, b'@'>,
    starts: [usize; MOST + 1],
    count: usize,
}

impl<'a> Fields<'a> {
    fn of(line: &'a [u8]) -> Self {
        Self { line, marks: Places::of(line), starts: [0; MOST + 1], count: 0 }
    }

    /// Splits the first `count` fields from the rest; `None` where there are fewer.
    #[inline]
    fn split(&mut self, count: usize) -> Option<()> {
        while self.count < count {
            let line = self.line;
            let mark = self.marks.find(|at| *at == 0 || line[at - 1] != b'\\')?;
            self.count += 1;
            self.starts[self.count] = mark + 1;
        }
        Some(())
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
    fn time(&mut self, stamp: &[u8]) -> Option<Time> {
        let Self { stamper, last_time, .. } = self;
        last_time.get(stamp, || whole_stamp(stamp).map(|naive| stamper.time(&naive)))
    }

    fn read<'a>(&'a mut self, line: &'a [u8]) -> Record<'a> {
        let mut fields = Fields::of(line);
        if fields.split(5).is_none() {
            return Record::Irrelevant;
        }
        let kind = fields.get(4);
        let (outcome, in_main_log) = match kind {
            b"D" => (Outcome::Delivered, 11),
            b"T" => (Outcome::Deferred, 13),
            b"P" | b"B" => (Outcome::Bounced, 13),
            _ => return Record::Irrelevant,
        };
        let Some(time) = self.time(fields.get(0)) else { return Record::Irrelevant };
        // Behind the domain of a `T` a number follows, behind the local part a domain.
        let mut has_address = || {
            let after = fields.split(7).map_or(&[][..], |()| fields.get(6));
            outcome == Outcome::Deferred && !after.iter().all(u8::is_ascii_digit)
        };
        let retold = kind == b"B" || has_address();
        let count = if retold { 15 } else { in_main_log };
        if fields.split(count).is_none() {
            return Record::Malformed { why: "a delivery with too few fields" };
        }
        let rest = &line[fields.starts[count]..];
        let (relay, binding) = match (outcome, retold) {
            (Outcome::Delivered, _) => (&rest[..near(b'@', rest).unwrap_or(rest.len())], fields.get(8)),
            (_, true) => (fields.get(14), fields.get(10)),
            (_, false) => (fields.get(12), fields.get(8)),
        };
        let relay_ip = self.addresses.parse(relay).filter(|ip| !ip.is_unspecified());
        if relay_ip.is_some_and(is_here) {
            return Record::Irrelevant;
        }
        let answer = if outcome == Outcome::Delivered {
            Answer::Codes { smtp: None, enhanced: None }
        } else if memmem::find(rest, OWN_WORDS).is_some() || !starts_with_code(rest) {
            if NOT_TRIED.iter().any(|words| memmem::find(rest, words).is_some()) {
                return match outcome {
                    Outcome::Deferred if !retold => Record::HeldBack { time: Some(time) },
                    _ => Record::Irrelevant,
                };
            }
            Answer::Nobody
        } else {
            Answer::Text(rest)
        };
        // The domain alone stands for an address without its local part.
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
    if near(b'\\', text).is_none() {
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
