//! Postfix: the result lines of its delivery agents, `qid: to=<…>, relay=…, …, status=word (reason)`.
//!
//! Fields are read by name, from the left, up to `status=`: new versions add some, and a cut line loses its end first.

use std::net::IpAddr;

use memchr::{memchr, memmem};

use super::registry::{Order, Relay};
use super::syslog::Envelope;
use super::text::{answer_text, host_name, is_here, parse_ip, quoted_end, starts_with_code};
use super::wrapped::{Dialect, Out, RECIPIENT, TextReader};
use super::{Answer, Attempt, Enhanced, Mta, Outcome, Record};
use crate::memo::Memo;
use crate::text::{is_alphanumeric, near, near_literal};

pub(crate) const MTA: Mta = Mta("postfix");

/// Postfix under syslog, or in its own file, which looks the same.
pub(crate) static POSTFIX: Dialect = Dialect {
    mta: MTA,
    sample: "May 12 08:14:02 mta1 postfix-out1/smtp[3027]: 61F0D2E0113: to=<k@live.com>, \
        relay=live-com.olc.protection.outlook.com[198.51.100.13]:25, delay=301, delays=0.1/0/301/0, dsn=4.4.2, \
        status=deferred (conversation with live-com.olc.protection.outlook.com[198.51.100.13] timed out while \
        sending MAIL FROM)",
    order: Order::Any,
    needles: &[RECIPIENT],
    sender_needles: &[SENDER],
    is_tag: |tag| memmem::find(tag, b"postfix").is_some(),
    is_text: is_delivery,
    marks: &[b" to=<", b" relay=", b" status="],
    reader: |_| Box::new(Lines::default()),
    // Where several addresses share a name and Microsoft quotes them, that is told of any MTA.
    blind_spot: |_| None,
};

/// Behind the queue id of a delivery.
const DELIVERY: &[u8] = b": to=<";
/// Behind the address, nearly always.
const RELAY: &[u8] = b", relay=";
/// A queue id is shorter.
const MOST_QUEUE_ID: usize = 64;
/// Behind the queue id, in the queue manager's line for each message.
const SENDER: &[u8] = b": from=<";

#[derive(Default)]
struct Lines {
    /// What relays are: a few take most of the mail.
    relays: Memo<Option<Parts>>,
}

impl TextReader for Lines {
    fn read(&mut self, envelope: &Envelope<'_>, offset: u64, out: &mut Out<'_>) -> bool {
        let record = read(envelope, &mut self.relays);
        let own = !matches!(record, Record::Irrelevant);
        if own {
            out(offset, record);
        }
        own
    }
}

/// What `status=` says.
enum Status {
    Result(Outcome),
    NoAttempt,
}

/// Reads the text behind the tag.
fn read<'a>(envelope: &Envelope<'a>, relays: &mut Memo<Option<Parts>>) -> Record<'a> {
    let Some((queue_id, rest)) = queue_id(envelope.text) else { return odd(envelope.text) };
    let Some(fields) = rest.strip_prefix(DELIVERY) else {
        return match sender(rest) {
            Some(sender) => Record::Queued { host: envelope.host, queue_id, sender },
            None => odd(envelope.text),
        };
    };
    let Some(address) = address_end(fields) else {
        return Record::Malformed { why: "the recipient's address does not end" };
    };
    let recipient = &fields[..address];
    let fields = match Fields::read(&fields[address + 1..]) {
        Ok(fields) => fields,
        Err(why) => return Record::Malformed { why },
    };
    let outcome = match status(fields.status) {
        Some(Status::Result(outcome)) => outcome,
        Some(Status::NoAttempt) => return Record::Irrelevant,
        None => return Record::Malformed { why: "an unknown word after status=" },
    };
    let Some(relay) = fields.relay else {
        return Record::Malformed { why: "a delivery without relay=" };
    };
    let reason = fields.reason;
    if reason.starts_with(b"delivery temporarily suspended") {
        return Record::HeldBack { time: Some(envelope.time) };
    }
    let service = service(envelope.tag);
    if service == b"lmtp" {
        return Record::Irrelevant;
    }
    let (remote, answer) = if relay == b"none" {
        if matches!(service, b"error" | b"retry" | b"discard") {
            // Nothing was tried: the mail queue or a table decided.
            return match outcome {
                Outcome::Deferred => Record::HeldBack { time: Some(envelope.time) },
                _ => Record::Irrelevant,
            };
        }
        (named_in(reason), answer(reason, fields.dsn))
    } else {
        match relays.get(relay, || Parts::read(relay)) {
            Some(parts) if !parts.is_here => (parts.of(relay), answer(reason, fields.dsn)),
            _ => return Record::Irrelevant,
        }
    };
    Record::Attempt(attempt(envelope, queue_id, recipient, remote, outcome, answer))
}

fn attempt<'a>(
    envelope: &Envelope<'a>,
    queue_id: &'a [u8],
    recipient: &'a [u8],
    remote: Relay<'a>,
    outcome: Outcome,
    answer: Answer<'a>,
) -> Attempt<'a> {
    Attempt {
        time: Some(envelope.time),
        mta: MTA,
        host: envelope.host,
        queue_id: Some(queue_id),
        source_ip: None,
        source_name: Some(envelope.tag),
        sender: None,
        recipient: Some(recipient),
        relay_host: remote.host,
        relay_ip: remote.ip,
        relay_port: remote.port,
        outcome,
        answer,
        greeting: None,
    }
}

/// A text in one of its plainest forms, by its parts.
pub(crate) enum PlainText<'a> {
    Delivered { queue_id: &'a [u8], recipient: &'a [u8], relay: &'a [u8], reply: &'a [u8] },
    Queued { queue_id: &'a [u8], sender: &'a [u8] },
}

/// Looks at a text. What is not in its plainest form is for the whole parser. `length`: of the queue id in the text before;
/// mostly it is the same again.
#[inline]
pub(crate) fn plain<'a>(text: &'a [u8], length: &mut usize) -> Option<PlainText<'a>> {
    let (queue_id, rest) = match text.split_at_checked(*length) {
        Some((id, rest)) if rest.first() == Some(&b':') && is_alphanumeric(id) => (id, rest),
        _ => queue_id(text)?,
    };
    *length = queue_id.len();
    let Some(fields) = rest.strip_prefix(DELIVERY) else {
        let (sender, rest) = plain_address(rest.strip_prefix(SENDER)?)?;
        return rest.starts_with(b">, size=").then_some(PlainText::Queued { queue_id, sender });
    };
    let (recipient, rest) = plain_address(fields)?;
    let rest = rest[1..].strip_prefix(RELAY)?;
    let (relay, rest) = rest.split_at(near(b',', rest)?);
    let rest = behind(rest, b", conn_use=").unwrap_or(rest);
    let rest = behind(rest, b", delay=")?;
    let rest = behind(rest, b", delays=")?;
    let rest = behind(rest, b", dsn=")?;
    let reason = rest.strip_prefix(b", status=sent (")?;
    let reply = reason.strip_suffix(b")").unwrap_or(reason);
    // A reply, so not what Postfix says of a message that it holds back.
    starts_with_code(reply).then_some(PlainText::Delivered { queue_id, recipient, relay, reply })
}

/// An address without a quoted part, up to its `>`, and what follows from there on.
#[inline]
fn plain_address(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = near(b'>', text)?;
    (text[0] != b'"').then(|| text.split_at(end))
}

/// What stands behind `relay=` of one that can be plain: another host.
pub(crate) fn relay(text: &[u8]) -> Option<Relay<'_>> {
    Parts::read(text).filter(|parts| !parts.is_here).map(|parts| parts.of(text))
}

/// What follows a field of that name, up to the first comma: where that does not end the field, no name follows. Of a
/// length that is known the name is compared in place.
#[inline(always)]
fn behind<'a, const N: usize>(text: &'a [u8], name: &[u8; N]) -> Option<&'a [u8]> {
    let value = text.strip_prefix(name)?;
    Some(&value[near(b',', value)?..])
}

/// Whether a program of this name, which has a slash, may hand mail on to other hosts, or is none that delivers.
pub(crate) fn reaches_out(tag: &[u8]) -> bool {
    service(tag) != b"lmtp"
}

/// What stands behind the last slash.
fn service(tag: &[u8]) -> &[u8] {
    let slash = tag.iter().rposition(|byte| *byte == b'/');
    slash.map_or(tag, |slash| &tag[slash + 1..])
}

/// What is no delivery, or a broken one.
fn odd(text: &[u8]) -> Record<'_> {
    let begin = &text[..text.len().min(MOST_QUEUE_ID + DELIVERY.len() - 1)];
    match near_literal(DELIVERY, begin).is_some() && POSTFIX.has_marks(text) {
        true => Record::Malformed { why: "a delivery with an odd queue id" },
        false => Record::Irrelevant,
    }
}

/// `qid: to=<`
fn is_delivery(text: &[u8]) -> bool {
    queue_id(text).is_some_and(|(_, rest)| rest.starts_with(DELIVERY))
}

/// `: from=<address>, size=…` of the queue manager.
fn sender(rest: &[u8]) -> Option<&[u8]> {
    let address = rest.strip_prefix(SENDER)?;
    Some(&address[..address_end(address)?])
}

/// The queue id, and what follows from its colon on.
fn queue_id(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = near(b':', &text[..text.len().min(MOST_QUEUE_ID)])?;
    let (id, rest) = text.split_at(end);
    (end > 0 && is_alphanumeric(id)).then_some((id, rest))
}

/// Where the `>` stands that ends the address. A quoted local part may hold anything, and versions that log without
/// the quotes show it bare: so what follows must be a field.
fn address_end(text: &[u8]) -> Option<usize> {
    let mut from = text.strip_prefix(b"\"").and_then(|_| quoted_end(text, 1)).unwrap_or(0);
    loop {
        let close = from + near(b'>', &text[from..])?;
        let behind = &text[close + 1..];
        // Nearly always.
        if behind.starts_with(RELAY) {
            return Some(close);
        }
        let behind = behind.strip_prefix(b", ").unwrap_or(&[]);
        let name = behind.iter().take_while(|byte| byte.is_ascii_lowercase() || **byte == b'_').count();
        if name > 0 && behind.get(name) == Some(&b'=') {
            return Some(close);
        }
        from = close + 1;
    }
}

struct Fields<'a> {
    relay: Option<&'a [u8]>,
    dsn: Option<&'a [u8]>,
    status: &'a [u8],
    reason: &'a [u8],
}

impl<'a> Fields<'a> {
    /// Reads `, name=value` until `status=`.
    fn read(mut rest: &'a [u8]) -> Result<Self, &'static str> {
        let (mut relay, mut dsn) = (None, None);
        loop {
            rest = rest.strip_prefix(b", ").ok_or("a delivery without status=")?;
            if let Some(value) = rest.strip_prefix(b"status=") {
                let end = near(b' ', value).unwrap_or(value.len());
                let status = value[..end].strip_suffix(b",").unwrap_or(&value[..end]);
                let reason = value[end..].strip_prefix(b" (").unwrap_or(&[]);
                let reason = reason.strip_suffix(b")").unwrap_or(reason);
                return Ok(Self { relay, dsn, status, reason });
            }
            let end = if let Some(address) = rest.strip_prefix(b"orig_to=<") {
                9 + address_end(address).ok_or("an address that does not end")? + 1
            } else {
                field_end(rest).ok_or("a delivery without status=")?
            };
            let (field, behind) = rest.split_at(end);
            if let Some(value) = field.strip_prefix(b"relay=") {
                relay = Some(value);
            } else if let Some(value) = field.strip_prefix(b"dsn=") {
                dsn = Some(value);
            } else if !field.starts_with(b"delay=") && near(b'=', field).is_none() {
                return Err("a field without a value");
            }
            rest = behind;
        }
    }
}

/// Where `, ` ends a field.
fn field_end(text: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let comma = from + near(b',', &text[from..])?;
        if text.get(comma + 1) == Some(&b' ') {
            return Some(comma);
        }
        from = comma + 1;
    }
}

fn status(word: &[u8]) -> Option<Status> {
    Some(match word {
        b"sent" => Status::Result(Outcome::Delivered),
        b"deferred" | b"SOFTBOUNCE" => Status::Result(Outcome::Deferred),
        b"bounced" => Status::Result(Outcome::Bounced),
        b"expired" | b"undeliverable" | b"deliverable" => Status::NoAttempt,
        _ => return None,
    })
}

/// What the text of a relay is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts {
    /// Bytes of its name, from the start.
    host: Option<usize>,
    ip: IpAddr,
    is_here: bool,
    port: Option<u16>,
}

impl Parts {
    /// `host[ip]:port`; `None` for `local`, `dovecot`, `host[private/lmtp]` and whatever else is no address.
    fn read(text: &[u8]) -> Option<Self> {
        let open = near(b'[', text)?;
        let close = open + near(b']', &text[open..])?;
        let ip = parse_ip(&text[open + 1..close])?;
        let port = text[close + 1..].strip_prefix(b":").and_then(number);
        Some(Self { host: host_name(&text[..open]).map(<[u8]>::len), ip, is_here: is_here(ip), port })
    }

    fn of(self, text: &[u8]) -> Relay<'_> {
        Relay { host: self.host.map(|length| &text[..length]), ip: Some(self.ip), port: self.port }
    }
}

fn number(text: &[u8]) -> Option<u16> {
    let digits = text.iter().take(5).take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&text[..digits]).ok()?.parse().ok()
}

/// The host that a reason names where `relay=none`: it could not be reached, or not be found.
pub(crate) fn named_in(reason: &[u8]) -> Relay<'_> {
    let prefixes = [&b"connect to "[..], b"host ", b"lost connection with ", b"conversation with "];
    if let Some(rest) = prefixes.iter().find_map(|prefix| reason.strip_prefix(*prefix)) {
        let word = &rest[..memchr(b' ', rest).unwrap_or(rest.len())];
        return Parts::read(word).map_or_else(Relay::default, |parts| parts.of(word));
    }
    // `Name service error for name=mx.example type=A: Host not found`; of `type=MX` the name is the domain.
    if let Some(at) = memmem::find(reason, b" for name=") {
        let rest = &reason[at + 10..];
        let blank = memchr(b' ', rest).unwrap_or(rest.len());
        if rest[blank..].starts_with(b" type=A") {
            return Relay { host: host_name(&rest[..blank]), ..Relay::default() };
        }
    }
    Relay::default()
}

/// What the remote server said, by the reason.
fn answer<'a>(reason: &'a [u8], dsn: Option<&[u8]>) -> Answer<'a> {
    // Of a success Postfix has the reply alone.
    if starts_with_code(reason) {
        return Answer::Text(reason);
    }
    let Some(reply) = said(reason) else { return Answer::Nobody };
    let reply = without_command(reply);
    answer_text(reply).unwrap_or_else(|| {
        // It says more than the class only where it is not x.0.0 (formats, section 1).
        let enhanced = dsn.and_then(Enhanced::at_start).map(|(code, _)| code);
        Answer::Codes { smtp: None, enhanced: enhanced.filter(|code| (code.1, code.2) != (0, 0)) }
    })
}

/// The reply behind the name of the host that gave it.
fn said(reason: &[u8]) -> Option<&[u8]> {
    if let Some(rest) = reason.strip_prefix(b"host ") {
        let rest = &rest[memchr(b' ', rest)?..];
        return rest.strip_prefix(b" said: ").or_else(|| rest.strip_prefix(b" refused to talk to me: "));
    }
    if let Some(rest) = reason.strip_prefix(b"SASL authentication failed; server ") {
        return rest[memchr(b' ', rest)?..].strip_prefix(b" said: ");
    }
    if let Some(rest) = reason.strip_prefix(b"TLS is required, but host ") {
        return rest[memchr(b' ', rest)?..].strip_prefix(b" refused to start TLS: ");
    }
    None
}

/// Takes Postfix's `(in reply to RCPT TO command)` off the end, whole or cut; the remote may have written one as well,
/// so the last one, and only where nothing else follows.
fn without_command(reply: &[u8]) -> &[u8] {
    const NOTE: &[u8] = b" (in reply to ";
    let Some(at) = memmem::rfind(reply, NOTE) else { return reply };
    let command = &reply[at + NOTE.len()..];
    let command = command.strip_suffix(b")").unwrap_or(command);
    let plain = command.iter().all(|byte| byte.is_ascii_alphabetic() || *byte == b' ');
    if plain { &reply[..at] } else { reply }
}

#[cfg(test)]
mod tests;
