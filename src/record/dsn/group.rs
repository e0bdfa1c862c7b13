//! What a bounce tells of one recipient, as fields -> a record.

use std::net::IpAddr;

use memchr::{memchr, memmem, memrchr};

use super::super::mime;
use super::super::postfix::named_in;
use super::super::text::{host_name, is_here, parse_ip, starts_with_code};
use super::super::{Answer, Attempt, Enhanced, Outcome, Record, Time};
use super::{MTA, Message};

/// The fields of a recipient.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) actual: Vec<u8>,
    pub(super) final_: Vec<u8>,
    pub(super) original: Vec<u8>,
    pub(super) action: Vec<u8>,
    pub(super) status: Vec<u8>,
    pub(super) remote: Vec<u8>,
    pub(super) diagnosis: Vec<u8>,
    pub(super) last_attempt: Option<Time>,
    pub(super) source_name: Vec<u8>,
    /// Of `Diagnostic-Code`, else `Status`, else the recipient: how good, and where.
    pub(super) offset: (u8, u64),
}

impl Group {
    /// It is about a recipient; else it is the message's.
    pub(super) fn is_used(&self) -> bool {
        let fields = [&self.actual, &self.final_, &self.action, &self.diagnosis];
        fields.iter().any(|field| !field.is_empty())
    }

    /// The attempt that it tells of. `whole` is space for what borrowed text cannot hold.
    pub(super) fn record<'a>(&'a self, message: &'a Message, whole: &'a mut Vec<u8>) -> Record<'a> {
        let actual = Some(&*self.actual).filter(|value| is_address(value));
        let recipient = [actual.unwrap_or_default(), &self.final_, &self.original]
            .into_iter()
            .map(|value| bare(behind_type(value).1))
            .find(|value| !value.is_empty());
        let Some(recipient) = recipient else {
            return Record::Malformed { why: "a bounce without its recipient" };
        };
        let action = &self.action
            [..self.action.iter().position(|b| b" \t(;".contains(b)).unwrap_or(self.action.len())];
        let outcome = match action.to_ascii_lowercase().as_slice() {
            b"failed" => Outcome::Bounced,
            b"delayed" => Outcome::Deferred,
            b"delivered" | b"relayed" => Outcome::Delivered,
            b"expanded" => return Record::Irrelevant,
            b"" => return Record::Malformed { why: "a bounce without Action" },
            _ => return Record::Malformed { why: "an Action that RFC 3464 does not know" },
        };
        let time = self.last_attempt.or(message.date).or(message.arrival);
        let mut remote = Remote::read(behind_type(&self.remote).1);
        let status = Enhanced::at_start(&self.status).map(|(status, _)| status);
        // RFC 6533 writes what is not ASCII as `\x{e9}`. The address and the reply share the space: address first.
        unescape(recipient, whole);
        let address_end = whole.len();
        let told = message.texts.of(recipient);
        let diagnosis = self.diagnosis(message, whole);
        let (address, words) = whole.split_at(address_end);
        let answer = match diagnosis {
            Diagnosis::Local => return Record::Irrelevant,
            Diagnosis::Reply => {
                let (named, reply) = reply_in(words);
                remote.or(named);
                match reply {
                    Some(reply) if is_own(reply) => Answer::Nobody,
                    // Sendmail's: what was answered last, to QUIT.
                    Some([b'2' | b'3', ..]) if outcome != Outcome::Delivered => {
                        told_answer(told).unwrap_or_else(|| refused(status))
                    }
                    Some(reply) => Answer::Text(reply),
                    None => told_answer(told).unwrap_or_else(|| codes(outcome, status)),
                }
            }
            Diagnosis::OwnWords => {
                // It repeats an old reply.
                if words.starts_with(b"delivery temporarily suspended: ") {
                    return match outcome {
                        Outcome::Deferred => Record::HeldBack { time },
                        _ => Record::Irrelevant,
                    };
                }
                let named = named_in(words);
                remote.or(Remote { host: named.host, ip: named.ip, source: None });
                if remote.is_unknown() && !is_of_network(status) {
                    return Record::Irrelevant;
                }
                Answer::Nobody
            }
            Diagnosis::Nothing => match (told, outcome) {
                (Some(words), _) if words.starts_with(b"retry timeout exceeded") => {
                    return Record::Irrelevant;
                }
                (Some(_), _) => told_answer(told).unwrap_or(Answer::Nobody),
                (None, Outcome::Delivered) if remote.is_unknown() => return Record::Irrelevant,
                // Its time ran out (RFC 3463, x.4.7) while it waited.
                (None, Outcome::Bounced) if matches!(status, Some(Enhanced(_, 4, 7))) => {
                    return Record::Irrelevant;
                }
                (None, Outcome::Bounced) if remote.is_unknown() && !is_of_network(status) => {
                    return Record::Irrelevant;
                }
                (None, _) => codes(outcome, status),
            },
        };
        if remote.ip.is_some_and(is_here)
            || remote.host.is_some_and(|host| host.eq_ignore_ascii_case(b"localhost"))
        {
            return Record::Irrelevant;
        }
        let given = |value: &'a [u8]| Some(value).filter(|value| !value.is_empty());
        let sender = if message.sender.is_empty() {
            given(&message.to)
        } else {
            given(bare(behind_type(&message.sender).1))
        };
        Record::Retold(Attempt {
            time,
            mta: MTA,
            host: given(behind_type(&message.host).1).and_then(host_name),
            queue_id: given(&message.queue_id),
            source_ip: remote.source,
            source_name: given(&self.source_name),
            sender,
            recipient: Some(address),
            relay_host: remote.host,
            relay_ip: remote.ip,
            relay_port: None,
            greeting: None,
            outcome,
            answer,
        })
    }

    /// Adds the words of the diagnosis to `whole`.
    fn diagnosis(&self, message: &Message, whole: &mut Vec<u8>) -> Diagnosis {
        let (kind, words) = behind_type(&self.diagnosis);
        if words.is_empty() {
            return Diagnosis::Nothing;
        }
        if kind.eq_ignore_ascii_case(b"x-unix") {
            return Diagnosis::Local;
        }
        mime::encoded_words(message.texts.completed(words), whole);
        let is_reply = kind.eq_ignore_ascii_case(b"smtp") || kind.is_empty();
        if is_reply { Diagnosis::Reply } else { Diagnosis::OwnWords }
    }
}

/// What `Diagnostic-Code` says.
enum Diagnosis {
    /// Of SMTP: what the remote server answered, perhaps with words around it.
    Reply,
    /// Of the MTA's own type.
    OwnWords,
    /// A program on this host.
    Local,
    Nothing,
}

/// The refusal that stands in the text for people.
fn told_answer(words: Option<&[u8]>) -> Option<Answer<'_>> {
    words.filter(|words| matches!(words, [b'4' | b'5', ..]) && starts_with_code(words)).map(Answer::Text)
}

/// It refused, but the words are lost.
fn refused(status: Option<Enhanced>) -> Answer<'static> {
    match status {
        Some(_) if is_of_network(status) => Answer::Nobody,
        _ => Answer::Codes { smtp: None, enhanced: status.filter(says_more) },
    }
}

/// Without any words: a failure for good was an answer, if the status says more than x.0.0 and is not the network's.
fn codes(outcome: Outcome, status: Option<Enhanced>) -> Answer<'static> {
    match status {
        _ if outcome == Outcome::Delivered => {
            Answer::Codes { smtp: None, enhanced: status.filter(says_more) }
        }
        Some(code @ Enhanced(5, ..)) if !is_of_network(status) && says_more(&code) => {
            Answer::Codes { smtp: None, enhanced: status }
        }
        _ => Answer::Nobody,
    }
}

fn says_more(status: &Enhanced) -> bool {
    (status.1, status.2) != (0, 0)
}

/// Routing and network, or a domain that is not found.
fn is_of_network(status: Option<Enhanced>) -> bool {
    matches!(status, Some(Enhanced(_, 4, _) | Enhanced(_, 1, 2)))
}

/// `type; value`: both, trimmed.
fn behind_type(value: &[u8]) -> (&[u8], &[u8]) {
    match memchr(b';', &value[..value.len().min(40)]) {
        Some(at) if !value[..at].trim_ascii().contains(&b' ') => {
            (value[..at].trim_ascii(), value[at + 1..].trim_ascii())
        }
        _ => (&[], value.trim_ascii()),
    }
}

/// Not a program or a file of this host.
fn is_address(value: &[u8]) -> bool {
    let (kind, value) = behind_type(value);
    let known =
        kind.is_empty() || kind.eq_ignore_ascii_case(b"rfc822") || kind.eq_ignore_ascii_case(b"utf-8");
    known && value.contains(&b'@')
}

/// An address without what stands around it: a name, angle brackets.
pub(super) fn bare(value: &[u8]) -> &[u8] {
    let value = value.trim_ascii();
    match (value.strip_suffix(b">"), memrchr(b'<', value)) {
        (Some(inner), Some(open)) if !value.starts_with(b"\"") || open > 0 => &inner[open + 1..],
        _ => value,
    }
}

/// RFC 6533: `\x{e9}`.
fn unescape(text: &[u8], into: &mut Vec<u8>) {
    into.clear();
    let mut rest = text;
    while let Some(at) = memmem::find(rest, b"\\x{") {
        let behind = &rest[at + 3..];
        let decoded = memchr(b'}', &behind[..behind.len().min(7)]).and_then(|end| {
            let digits = std::str::from_utf8(&behind[..end]).ok()?;
            Some((char::from_u32(u32::from_str_radix(digits, 16).ok()?)?, end + 1))
        });
        match decoded {
            Some((character, end)) => {
                into.extend_from_slice(&rest[..at]);
                into.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                rest = &behind[end..];
            }
            None => {
                into.extend_from_slice(&rest[..at + 3]);
                rest = behind;
            }
        }
    }
    into.extend_from_slice(rest);
}

/// The reply in the words of a diagnosis, and the host that an MTA put before it (`host h[ip] said: 550 …`).
fn reply_in(words: &[u8]) -> (Remote<'_>, Option<&[u8]>) {
    if starts_with_code(words) {
        return (Remote::default(), Some(words));
    }
    let named = named_in(words);
    let named = Remote { host: named.host, ip: named.ip, source: None };
    let reply =
        memmem::find_iter(words, b": ").map(|at| &words[at + 2..]).find(|rest| starts_with_code(rest));
    (named, reply)
}

/// Text that the MTA made up in the form of a reply: Momentum and PowerMTA, Sendmail.
fn is_own(reply: &[u8]) -> bool {
    let text = reply.get(3..).unwrap_or_default().trim_ascii_start();
    let text = Enhanced::at_start(text).map_or(text, |(_, end)| &text[end..]);
    let text = text.trim_ascii_start();
    text.starts_with(b"[internal]") || text.starts_with(b"reply: read error from ")
}

/// The relay.
#[derive(Clone, Copy, Debug, Default)]
struct Remote<'a> {
    host: Option<&'a [u8]>,
    ip: Option<IpAddr>,
    source: Option<IpAddr>,
}

impl<'a> Remote<'a> {
    /// `host`, `host (ip)`, `host [ip]`, `[ip]`, `ip`, `host (TCP|local|port|remote|port)`.
    fn read(value: &'a [u8]) -> Self {
        let value = value.trim_ascii();
        let end = value.iter().position(|byte| matches!(byte, b' ' | b'(' | b'[')).unwrap_or(value.len());
        let (name, rest) = value.split_at(end);
        let inner = rest.trim_ascii().trim_ascii_start();
        let inner = inner.strip_prefix(b"(").or_else(|| inner.strip_prefix(b"[")).unwrap_or_default();
        let inner =
            &inner[..inner.iter().position(|byte| matches!(byte, b')' | b']' | b',')).unwrap_or(inner.len())];
        let host = Some(name).filter(|name| !name.is_empty()).and_then(host_name);
        if let Some(tcp) = inner.strip_prefix(b"TCP|") {
            let mut words = tcp.split(|byte| *byte == b'|');
            let source = words.next().and_then(parse_ip);
            return Self { host, ip: words.nth(1).and_then(parse_ip), source };
        }
        let inner = inner.strip_prefix(b"[").unwrap_or(inner);
        Self { host, ip: parse_ip(inner).or_else(|| parse_ip(name)), source: None }
    }

    /// Takes what is still unknown.
    fn or(&mut self, other: Self) {
        if self.is_unknown() {
            *self = other;
        } else if self
            .host
            .is_none_or(|host| other.host.is_some_and(|named| named.eq_ignore_ascii_case(host)))
        {
            self.host = self.host.or(other.host);
            self.ip = self.ip.or(other.ip);
        }
    }

    fn is_unknown(&self) -> bool {
        self.host.is_none() && self.ip.is_none()
    }
}
