//! qmail: a line where a delivery starts and one with its verdict, joined by the delivery's number; in a file of
//! multilog's (TAI64N stamps), or through splogger into a syslog.
//!
//! | line | here |
//! | --- | --- |
//! | `starting delivery N: msg M to remote ADDRESS` | queue id (`M`) and recipient |
//! | `delivery N: success: …`, `failure: …`, `deferral: …` | outcome; a verdict whose start was not seen has no recipient |
//! | `info msg M: bytes B from <SENDER> …` | sender |
//!
//! In a verdict a blank is an underscore and a line break a slash. The reply stands behind `Remote_host_said:_`.

use std::net::IpAddr;

use memchr::{memchr, memmem, memrchr};

use super::recent::{Recent, Weight};
use super::registry::{Format, Line, Order, Reader, whole_lines};
use super::stamp::{self, Clock, Naive, Stamper};
use super::syslog::{self, Envelope};
use super::text::{answer_text, is_here, parse_ip, starts_with_code};
use super::wrapped::{Dialect, Out, TextReader};
use super::{Answer, Attempt, Mta, Outcome, Record, Time};

const MTA: Mta = Mta("qmail");

/// qmail-send's log under multilog.
pub(crate) static MULTILOG: Multilog = Multilog;

/// qmail-send's log through splogger.
pub(crate) static QMAIL: Dialect = Dialect {
    mta: MTA,
    sample: "May 12 09:20:29 mx1 qmail: 1778570429.439040 delivery 27: deferral: \
        Sorry,_I_wasn't_able_to_establish_an_SMTP_connection._(#4.4.1)/",
    order: Order::Sequential,
    needles: &[],
    sender_needles: &[],
    is_tag: |tag| tag.starts_with(b"qmail"),
    is_text: |text| is_own(after_stamp(text)),
    marks: &[],
    reader: |clock| Box::new(Spooled { stamper: Stamper::new(clock), joins: Joins::new() }),
    blind_spot: |_| None,
};

const SAMPLE: &str = "@400000006a02d4c91a2b3c44 delivery 27: deferral: \
    Sorry,_I_wasn't_able_to_establish_an_SMTP_connection._(#4.4.1)/";

/// Deliveries that have started are remembered in as many bytes; qmail runs 500 at once at most.
const LIMIT: usize = 4 << 20;

pub(crate) struct Multilog;

impl Format for Multilog {
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
            let text = syslog::trim(line);
            own += usize::from(stamp::parse(text).is_some() && is_own(after_stamp(text)));
        }
        if own * 2 <= lines { 0.0 } else { own as f32 / lines as f32 }
    }

    fn needles(&self) -> &'static [&'static [u8]] {
        &[b"delivery ", b"info msg "]
    }

    fn order(&self) -> Order {
        Order::Sequential
    }

    fn reader(&self, clock: &Clock) -> Box<dyn Reader + Send> {
        Box::new(MultilogReader { stamper: Stamper::new(clock), joins: Joins::new() })
    }

    fn naive_stamp(&self, line: &[u8]) -> Option<Naive> {
        stamp::parse(syslog::trim(line)).map(|(naive, _)| naive)
    }
}

struct MultilogReader {
    stamper: Stamper,
    joins: Joins,
}

impl Reader for MultilogReader {
    fn line(&mut self, line: Line<'_>, out: &mut dyn FnMut(u64, Record<'_>)) {
        let text = syslog::trim(line.bytes);
        let Some((time, _, end)) = self.stamper.read(text) else { return };
        self.joins.read(text[end..].trim_ascii_start(), time, None, &mut |record| out(line.offset, record));
    }
}

/// What comes through splogger.
struct Spooled {
    /// For splogger's own stamps.
    stamper: Stamper,
    joins: Joins,
}

impl TextReader for Spooled {
    fn read(&mut self, envelope: &Envelope<'_>, offset: u64, out: &mut Out<'_>) -> bool {
        let text = after_stamp(envelope.text);
        if !is_own(text) {
            return (QMAIL.is_tag)(envelope.tag);
        }
        // Seconds since 1970 are surer than a stamp without zone and year.
        let own = if text.len() < envelope.text.len() { self.stamper.read(envelope.text) } else { None };
        let time = match own {
            Some((own, _, _)) if !envelope.zoned => own,
            _ => envelope.time,
        };
        self.joins.read(text, time, envelope.host, &mut |record| out(offset, record));
        true
    }
}

/// What follows a stamp, if there is one.
fn after_stamp(text: &[u8]) -> &[u8] {
    stamp::parse(text).map_or(text, |(_, end)| text[end..].trim_ascii_start())
}

/// Whether qmail-send writes such lines.
fn is_own(text: &[u8]) -> bool {
    const NUMBERED: [&[u8]; 6] =
        [b"starting delivery ", b"delivery ", b"info msg ", b"new msg ", b"end msg ", b"bounce msg "];
    let is_numbered =
        |words: &&[u8]| text.strip_prefix(*words).and_then(<[u8]>::first).is_some_and(u8::is_ascii_digit);
    NUMBERED.iter().any(is_numbered) || text.starts_with(b"status: local ")
}

/// A delivery that has started.
#[derive(Debug, Default)]
struct Start {
    message: Box<[u8]>,
    recipient: Box<[u8]>,
    local: bool,
}

impl Weight for Start {
    fn bytes(&self) -> usize {
        self.message.len() + self.recipient.len()
    }
}

/// Joins starts and verdicts.
struct Joins {
    starts: Recent<Start>,
    key: Vec<u8>,
    scratch: Vec<u8>,
}

impl Joins {
    fn new() -> Self {
        Self { starts: Recent::new(LIMIT), key: Vec::new(), scratch: Vec::new() }
    }

    fn read(&mut self, text: &[u8], time: Time, host: Option<&[u8]>, out: &mut dyn FnMut(Record<'_>)) {
        if let Some(rest) = text.strip_prefix(b"starting delivery ") {
            self.start(rest, host);
        } else if let Some(rest) = text.strip_prefix(b"info msg ") {
            if let Some((message, rest)) = split(rest, b": ")
                && let Some((_, rest)) = split(rest, b" from <")
                && let Some(end) = memmem::rfind(rest, b"> qp ").or_else(|| memrchr(b'>', rest))
            {
                out(Record::Queued { host, queue_id: message, sender: &rest[..end] });
            }
        } else if let Some(rest) = text.strip_prefix(b"delivery ") {
            self.verdict(rest, time, host, out);
        }
    }

    /// Each host counts its own deliveries.
    fn key(&mut self, number: &[u8], host: Option<&[u8]>) {
        self.key.clear();
        self.key.extend_from_slice(host.unwrap_or_default());
        self.key.push(b' ');
        self.key.extend_from_slice(number);
    }

    /// `N: msg M to remote ADDRESS`.
    fn start(&mut self, text: &[u8], host: Option<&[u8]>) {
        let Some((number, rest)) = split(text, b": msg ") else { return };
        let Some((message, rest)) = split(rest, b" to ") else { return };
        let Some((channel, recipient)) = split(rest, b" ") else { return };
        self.key(number, host);
        self.starts.remove(&self.key);
        let start = self.starts.entry(&self.key, message.len() + recipient.len());
        *start = Start {
            message: message.into(),
            recipient: recipient.trim_ascii_end().into(),
            local: channel != b"remote",
        };
    }

    /// `N: success: …`.
    fn verdict(&mut self, text: &[u8], time: Time, host: Option<&[u8]>, out: &mut dyn FnMut(Record<'_>)) {
        let words = split(text, b": ").and_then(|(number, rest)| Some((number, split(rest, b": ")?)));
        let Some((number, (word, report))) = words else {
            return out(Record::Malformed { why: "a delivery without a verdict" });
        };
        let outcome = match word {
            b"success" => Outcome::Delivered,
            b"deferral" => Outcome::Deferred,
            b"failure" => Outcome::Bounced,
            _ => return out(Record::Malformed { why: "an unknown verdict" }),
        };
        self.key(number, host);
        let start = self.starts.remove(&self.key);
        let report = Report::read(report);
        let is_remote = match &start {
            Some(start) => !start.local,
            None => report.is_remote(),
        };
        if !is_remote || report.ip.is_some_and(is_here) {
            return;
        }
        let answer = match report.reply {
            Some(reply) => {
                blanks(reply, &mut self.scratch);
                answer_text(&self.scratch).unwrap_or(Answer::Codes { smtp: None, enhanced: None })
            }
            None if outcome == Outcome::Delivered => Answer::Codes { smtp: None, enhanced: None },
            None => Answer::Nobody,
        };
        out(Record::Attempt(Attempt {
            time: Some(time),
            mta: MTA,
            host,
            queue_id: start.as_ref().map(|start| &*start.message),
            source_ip: None,
            source_name: None,
            sender: None,
            recipient: start.as_ref().map(|start| &*start.recipient),
            relay_host: None,
            relay_ip: report.ip,
            relay_port: None,
            greeting: None,
            outcome,
            answer,
        }));
    }
}

fn split<'a>(text: &'a [u8], at: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let found = memmem::find(text, at)?;
    Some((&text[..found], &text[found + at.len()..]))
}

/// What qmail-remote reports.
struct Report<'a> {
    text: &'a [u8],
    ip: Option<IpAddr>,
    reply: Option<&'a [u8]>,
}

impl<'a> Report<'a> {
    fn read(text: &'a [u8]) -> Self {
        let (own, reply) = match split(text, b"Remote_host_said:_") {
            Some((own, reply)) => (own, Some(reply)),
            None => (text, None),
        };
        // A slash ends each sentence of qmail's, but the reply may hold some.
        let reply = reply.map(|reply| {
            let end = memmem::rfind(reply, b"/Giving_up_on").or_else(|| memrchr(b'/', reply));
            &reply[..end.unwrap_or(reply.len())]
        });
        let ip = own.split(|byte| *byte == b'/').find_map(|sentence| {
            let rest = sentence.strip_prefix(b"Connected_to_").unwrap_or(sentence);
            parse_ip(&rest[..memchr(b'_', rest)?])
        });
        Self { text, ip, reply }
    }

    /// Without its start a delivery shows by its words alone whether it was a remote one.
    fn is_remote(&self) -> bool {
        const WORDS: [&[u8]; 3] = [b"SMTP_connection", b"CNAME_lookup", b"find_any_host"];
        self.ip.is_some()
            || self.reply.is_some()
            || WORDS.iter().any(|words| memmem::find(self.text, words).is_some())
    }
}

/// Underscores become blanks, and so does a line break inside the reply: a slash before its code.
fn blanks(reply: &[u8], out: &mut Vec<u8>) {
    out.clear();
    let code = starts_with_code(&reply[..reply.len().min(3)]).then(|| &reply[..3]);
    for (at, &byte) in reply.iter().enumerate() {
        let rest = &reply[at + 1..];
        let breaks = byte == b'/'
            && code.is_some_and(|code| rest.starts_with(code) && matches!(rest.get(3), Some(b'-' | b'_')));
        out.push(if byte == b'_' || breaks { b' ' } else { byte });
    }
}

#[cfg(test)]
mod tests;
