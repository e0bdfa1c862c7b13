//! OpenSMTPD: a line for each recipient of a try.
//!
//! | field | here |
//! | --- | --- |
//! | `evpid=` | queue id |
//! | `from=<…>`, `to=<…>` | sender, recipient (`rcpt=<…>` is the one before aliases) |
//! | `source="…"` | sending IP; `-` where no connection came about |
//! | `relay="address (name)"` | relay, by its reverse name; without an address the domain, which is no host |
//! | `result="…"` | `Ok`, `TempFail`, `PermFail` |
//! | `stat="…"` | the reply to the last quote of the line, or words of OpenSMTPD's own |
//!
//! Versions differ in what stands before the fields: `id mta delivery evpid=…`, `id mta event=delivery evpid=…`, and the
//! oldest `relay: TempFail for evpid: session=…, from=<…>, …` without quotes.

use std::net::IpAddr;

use memchr::memrchr;

use super::registry::Order;
use super::syslog::Envelope;
use super::text::{Addresses, answer_text, host_name, is_here, quoted_end, undo_rsyslog};
use super::wrapped::{Dialect, Out, RECIPIENT, TextReader};
use super::{Answer, Attempt, Mta, Outcome, Record};
use crate::text::{near, near_literal};

const MTA: Mta = Mta("opensmtpd");

/// OpenSMTPD's only log.
pub(crate) static OPENSMTPD: Dialect = Dialect {
    mta: MTA,
    sample: "May 12 08:51:30 puffy smtpd[45037]: 8f4864084ecc48f6 mta delivery evpid=7077717e797a7770 \
        from=<n@example.com> to=<d@hotmail.com> rcpt=<-> source=\"203.0.113.41\" \
        relay=\"198.51.100.12 (198.51.100.12)\" delay=1s result=\"TempFail\" stat=\"IO Error: Connection reset by peer\"",
    order: Order::Any,
    needles: &[RECIPIENT],
    sender_needles: &[],
    is_tag: |tag| tag == b"smtpd",
    is_text: |text| fields(text).is_some(),
    marks: &[b" mta ", b"delivery", RECIPIENT, b" relay=\"", b" stat=\""],
    reader: |_| Box::new(Lines::default()),
    blind_spot: |_| None,
};

#[derive(Default)]
struct Lines {
    addresses: Addresses,
    /// A reply whose escapes had to be undone.
    scratch: Vec<u8>,
}

impl TextReader for Lines {
    fn read(&mut self, envelope: &Envelope<'_>, offset: u64, out: &mut Out<'_>) -> bool {
        let Some(found) = fields(envelope.text) else { return (OPENSMTPD.is_tag)(envelope.tag) };
        match delivery(envelope, found, self) {
            Some(Record::Irrelevant) => {}
            Some(record) => out(offset, record),
            None => out(offset, Record::Malformed { why: "a delivery that lacks a field" }),
        }
        true
    }
}

/// The fields of a delivery, and how they are written.
struct Fields<'a> {
    /// Where it stands before the fields.
    queue_id: Option<&'a [u8]>,
    /// Likewise.
    result: Option<&'a [u8]>,
    rest: &'a [u8],
    /// What stands between two.
    between: &'static [u8],
    quoted: bool,
}

fn fields(text: &[u8]) -> Option<Fields<'_>> {
    if let Some(rest) = text.strip_prefix(b"relay: ") {
        let (result, rest) = split(rest, b" for ")?;
        let (queue_id, rest) = split(rest, b": ")?;
        let known = matches!(result, b"Ok" | b"TempFail" | b"PermFail" | b"Loop");
        let (queue_id, result) = (Some(queue_id), Some(result));
        return known.then_some(Fields { queue_id, result, rest, between: b", ", quoted: false });
    }
    let (session, rest) = split(text, b" ")?;
    let rest = rest.strip_prefix(b"mta ")?;
    let rest = rest.strip_prefix(b"delivery ").or_else(|| rest.strip_prefix(b"event=delivery "))?;
    let plain = session.iter().all(u8::is_ascii_hexdigit);
    plain.then_some(Fields { queue_id: None, result: None, rest, between: b" ", quoted: true })
}

fn split<'a>(text: &'a [u8], at: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let found = near_literal(at, text)?;
    Some((&text[..found], &text[found + at.len()..]))
}

impl<'a> Fields<'a> {
    /// Reads on to the field of that name; `None` where it is not there.
    fn next(&mut self, name: &[u8]) -> Option<&'a [u8]> {
        let mut from = 0;
        let start = loop {
            let at = from + near_literal(name, &self.rest[from..])?;
            if at == 0 || self.rest[..at].ends_with(self.between) {
                break at + name.len();
            }
            from = at + 1;
        };
        let value = &self.rest[start..];
        let (value, rest) = match value.first()? {
            b'<' => address(&value[1..], self.between)?,
            b'"' if self.quoted => split(&value[1..], b"\"")?,
            _ => split(value, self.between).unwrap_or((value, &[])),
        };
        self.rest = rest.strip_prefix(self.between).unwrap_or(rest);
        Some(value)
    }

    /// The rest of the line, which may be cut.
    fn stat(&self) -> Option<&'a [u8]> {
        let at = near_literal(b"stat=", self.rest)?;
        let value = &self.rest[at + 5..];
        if !self.quoted {
            return Some(value);
        }
        let value = value.strip_prefix(b"\"")?;
        Some(&value[..memrchr(b'"', value).unwrap_or(value.len())])
    }
}

/// An address in angle brackets. A quoted local part may hold a bracket.
fn address<'a>(text: &'a [u8], between: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let mut at = if text.first() == Some(&b'"') { quoted_end(text, 1).unwrap_or(0) } else { 0 };
    loop {
        at += near(b'>', &text[at..])?;
        if text[at + 1..].starts_with(between) {
            return Some((&text[..at], &text[at + 1..]));
        }
        at += 1;
    }
}

/// `None` where a field is not there.
fn delivery<'a>(
    envelope: &Envelope<'a>,
    mut fields: Fields<'a>,
    Lines { addresses, scratch }: &'a mut Lines,
) -> Option<Record<'a>> {
    let queue_id = match fields.queue_id {
        Some(queue_id) => queue_id,
        None => fields.next(b"evpid=")?,
    };
    let sender = fields.next(b"from=")?;
    let recipient = fields.next(b"to=")?;
    let source = fields.next(b"source=")?;
    let relay = fields.next(b"relay=")?;
    let outcome = match fields.result.or_else(|| fields.next(b"result="))? {
        b"Ok" => Outcome::Delivered,
        b"TempFail" => Outcome::Deferred,
        b"PermFail" => Outcome::Bounced,
        // A loop is told by the message alone.
        result if result.starts_with(b"Loop") => return Some(Record::Irrelevant),
        _ => return Some(Record::Malformed { why: "an unknown word after result=" }),
    };
    let stat = fields.stat()?;
    let (relay_host, relay_ip) = remote(relay, addresses);
    if relay_ip.is_some_and(is_here) {
        return Some(Record::Irrelevant);
    }
    Some(Record::Attempt(Attempt {
        time: Some(envelope.time),
        mta: MTA,
        host: envelope.host,
        queue_id: Some(queue_id),
        source_ip: addresses
            .parse(source.strip_prefix(b"[").and_then(|ip| ip.strip_suffix(b"]")).unwrap_or(source)),
        source_name: None,
        sender: Some(sender),
        recipient: Some(recipient),
        relay_host,
        relay_ip,
        relay_port: None,
        greeting: None,
        outcome,
        answer: answer_text(undo_rsyslog(stat, scratch)).unwrap_or(Answer::Nobody),
    }))
}

/// `address (reverse name)`; where no host was reached, the domain alone.
fn remote<'a>(text: &'a [u8], addresses: &mut Addresses) -> (Option<&'a [u8]>, Option<IpAddr>) {
    let Some((ip, name)) = split(text, b" (") else { return (None, addresses.parse(text)) };
    let ip = ip.strip_prefix(b"[").and_then(|ip| ip.strip_suffix(b"]")).unwrap_or(ip);
    let name = name.strip_suffix(b")").unwrap_or(name);
    (host_name(name).filter(|name| *name != b"<unknown>"), addresses.parse(ip))
}

#[cfg(test)]
mod tests;
