//! Sendmail: a line for each try, `qid: to=<…>,<…>, delay=…, mailer=esmtp, …, stat=…`.
//!
//! | field | here |
//! | --- | --- |
//! | `to=` | one attempt for each address |
//! | `mailer=` | SMTP ones are attempts, others local |
//! | `relay=host. [address]` | relay; long names are shortened in the middle by three dots |
//! | `stat=` | `Sent`, `Deferred`, `queued`, all else bounced |
//! | `reply=` (8.16, log level 9) | the reply with its code; `stat=Deferred: ` has one as well, `stat=Sent (…)` one without code |
//! | `dsn=` | enhanced code where the reply is left out |
//! | tag (`sm-out1`) | source name: daemons of several addresses differ in it (`sendmail -L`) |
//!
//! `qid: from=<…>` lines have the sender.

use std::net::IpAddr;

use memchr::{memchr, memmem};

use super::registry::{Order, Seen};
use super::syslog::Envelope;
use super::text::{Addresses, host_name, is_here, octal, quoted_end, starts_with_code};
use super::wrapped::{Dialect, Out, RECIPIENT, TextReader};
use super::{Answer, Attempt, Enhanced, Mta, Outcome, Record, domain_of};
use crate::text::{near, near_literal};

const MTA: Mta = Mta("sendmail");

/// Sendmail's only log.
pub(crate) static SENDMAIL: Dialect = Dialect {
    mta: MTA,
    sample: "May 12 08:42:30 relay1 sm-mta[7131]: 64C6gTQ2007129: to=<e@live.com>, delay=00:01:15, xdelay=00:00:01, \
        mailer=esmtp, pri=138344, relay=live-com.olc.protection.outlook.com. [198.51.100.13], dsn=4.0.0, \
        stat=Deferred: Connection timed out with live-com.olc.protection.outlook.com.",
    order: Order::Any,
    needles: &[RECIPIENT],
    sender_needles: &[SENDER],
    is_tag: |tag| tag.starts_with(b"sendmail") || tag.starts_with(b"sm-"),
    is_text: |text| memmem::find(text, b" mailer=").is_some() && memmem::find(text, b" stat=").is_some(),
    marks: &[b" to=<", b" relay=", b" stat="],
    reader: |_| Box::new(Lines::default()),
    blind_spot,
};

/// Behind the queue id, in the line of a reception.
const SENDER: &[u8] = b": from=<";
/// Those of the default configuration that speak SMTP to a host.
const SMTP_MAILERS: [&[u8]; 5] = [b"esmtp", b"smtp", b"smtp8", b"dsmtp", b"relay"];
/// Where `stat=` begins.
const STAT: &[u8] = b", stat=";

/// Old versions, and new ones at a low log level, leave the text of a refusal out.
fn blind_spot(seen: &Seen) -> Option<&'static str> {
    (seen.textless > 0).then_some(
        "the log leaves out what the servers replied to some refusals, so their kind is not told: Sendmail 8.16 and \
         later write it with `O LogLevel=9` in sendmail.cf (`define(`confLOG_LEVEL', `9')` in sendmail.mc); the bounce \
         messages have it too",
    )
}

#[derive(Default)]
struct Lines {
    addresses: Addresses,
    /// A reply whose escapes had to be undone.
    scratch: Vec<u8>,
}

impl TextReader for Lines {
    fn read(&mut self, envelope: &Envelope<'_>, offset: u64, out: &mut Out<'_>) -> bool {
        let Envelope { tag, text, .. } = *envelope;
        // Postfix, whose names hold a slash, begins alike.
        if tag.iter().rev().any(|byte| *byte == b'/') {
            return false;
        }
        let Some(colon) = near_literal(b": ", &text[..text.len().min(64)]) else { return false };
        let (queue_id, rest) = text.split_at(colon);
        let plain = queue_id.iter().all(u8::is_ascii_alphanumeric);
        if !plain || !((SENDMAIL.is_tag)(tag) || (SENDMAIL.is_text)(text)) {
            return false;
        }
        let mut out = |record: Record<'_>| out(offset, record);
        if let Some(list) = rest.strip_prefix(b": to=") {
            self.delivery(envelope, queue_id, list, &mut out);
        } else if let Some(address) = rest.strip_prefix(SENDER)
            && let Some(end) = address_end(address, b", ")
        {
            out(Record::Queued { host: envelope.host, queue_id, sender: &address[..end] });
        }
        true
    }
}

impl Lines {
    fn delivery(
        &mut self,
        envelope: &Envelope<'_>,
        queue_id: &[u8],
        list: &[u8],
        out: &mut dyn FnMut(Record<'_>),
    ) {
        let Some(length) = (Recipients { rest: list }).length() else {
            return out(Record::Malformed { why: "the recipients' addresses do not end" });
        };
        let (list, rest) = list.split_at(length);
        let Some(fields) = Fields::read(rest) else {
            // What has gone through a local mailer may be cut as it likes.
            let is_remote = memmem::find(rest, b" mailer=").is_none_or(|at| is_smtp(&rest[at + 8..]));
            if is_remote {
                out(Record::Malformed { why: "a delivery without stat=" });
            }
            return;
        };
        if !fields.mailer.is_some_and(is_smtp) {
            return;
        }
        let outcome = match kind(fields.stat) {
            Kind::Sent => Outcome::Delivered,
            Kind::Deferred => Outcome::Deferred,
            Kind::Failed => Outcome::Bounced,
            Kind::Queued => return out(Record::HeldBack { time: Some(envelope.time) }),
        };
        let (relay_host, relay_ip) =
            fields.relay.map_or((None, None), |text| relay(text, &mut self.addresses));
        if relay_ip.is_some_and(is_here) {
            return;
        }
        let answer = match fields.answer(outcome, relay_ip.is_some()) {
            Answer::Text(reply) => Answer::Text(undo(reply, &mut self.scratch)),
            other => other,
        };
        let attempt = Attempt {
            time: Some(envelope.time),
            mta: MTA,
            host: envelope.host,
            queue_id: Some(queue_id),
            source_ip: None,
            source_name: Some(envelope.tag),
            sender: None,
            recipient: None,
            relay_host,
            relay_ip,
            relay_port: None,
            greeting: None,
            outcome,
            answer,
        };
        for recipient in (Recipients { rest: list }) {
            // Where no MX was found, the domain itself stands there: nobody was talked to.
            let domain = domain_of(recipient).unwrap_or_default();
            let is_domain = |host: &&[u8]| relay_ip.is_none() && host.eq_ignore_ascii_case(domain);
            let relay_host = relay_host.filter(|host| !is_domain(host));
            out(Record::Attempt(Attempt { recipient: Some(recipient), relay_host, ..attempt.clone() }));
        }
    }
}

fn is_smtp(mailer: &[u8]) -> bool {
    let name = &mailer[..near(b',', mailer).unwrap_or(mailer.len())];
    SMTP_MAILERS.contains(&name)
}

/// Where the `>` stands that ends an address, with `end` behind it. A quoted local part may hold both.
fn address_end(text: &[u8], end: &[u8]) -> Option<usize> {
    let from = if text.first() == Some(&b'"') { quoted_end(text, 1).unwrap_or(0) } else { 0 };
    let mut at = from;
    loop {
        at += near(b'>', &text[at..])?;
        if text[at + 1..].starts_with(end) {
            return Some(at);
        }
        at += 1;
    }
}

/// The addresses of `to=`: `<a>,<b>`, or a bare one; a comma and a blank end the list.
struct Recipients<'a> {
    rest: &'a [u8],
}

impl Recipients<'_> {
    /// How long the list is.
    fn length(mut self) -> Option<usize> {
        let all = self.rest.len();
        while self.next().is_some() {
            if self.rest.starts_with(b", ") {
                return Some(all - self.rest.len());
            }
        }
        None
    }
}

impl<'a> Iterator for Recipients<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let text = self.rest.strip_prefix(b",").unwrap_or(self.rest);
        if text.is_empty() || text.first() == Some(&b' ') {
            return None;
        }
        let Some(inner) = text.strip_prefix(b"<") else {
            let quoted = if text[0] == b'"' { quoted_end(text, 1).unwrap_or(0) } else { 0 };
            let end = memchr(b',', &text[quoted..]).map_or(text.len(), |comma| quoted + comma);
            self.rest = &text[end..];
            return Some(&text[..end]);
        };
        // The next address may be a bare one.
        let end = address_end(inner, b",").or_else(|| inner.strip_suffix(b">").map(<[u8]>::len))?;
        self.rest = &inner[end + 1..];
        Some(&inner[..end])
    }
}

/// What `stat=` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Sent,
    Deferred,
    Queued,
    Failed,
}

fn kind(stat: &[u8]) -> Kind {
    if stat.starts_with(b"Sent") {
        Kind::Sent
    } else if stat.starts_with(b"Deferred") {
        Kind::Deferred
    } else if stat == b"queued" {
        Kind::Queued
    } else {
        Kind::Failed
    }
}

#[derive(Default)]
struct Fields<'a> {
    mailer: Option<&'a [u8]>,
    relay: Option<&'a [u8]>,
    dsn: Option<&'a [u8]>,
    reply: Option<&'a [u8]>,
    stat: &'a [u8],
}

impl<'a> Fields<'a> {
    /// Reads `, name=value` until `stat=`; `None` without one.
    fn read(mut rest: &'a [u8]) -> Option<Self> {
        let mut fields = Self::default();
        loop {
            if let Some(stat) = rest.strip_prefix(STAT) {
                fields.stat = stat.trim_ascii_end();
                return Some(fields);
            }
            let field = rest.strip_prefix(b", ")?;
            if let Some(reply) = field.strip_prefix(b"reply=") {
                let (reply, stat) = fields.split(reply)?;
                fields.reply = Some(reply);
                fields.stat = stat.trim_ascii_end();
                return Some(fields);
            }
            // Who owns the address list may be any text.
            let end = if field.starts_with(b"ctladdr=") {
                near_literal(b", delay=", field)
            } else {
                near_literal(b", ", field)
            }?;
            match field[..end] {
                [b'm', b'a', b'i', b'l', b'e', b'r', b'=', ref value @ ..] => fields.mailer = Some(value),
                [b'r', b'e', b'l', b'a', b'y', b'=', ref value @ ..] => fields.relay = Some(value),
                [b'd', b's', b'n', b'=', ref value @ ..] => fields.dsn = Some(value),
                _ => {}
            }
            rest = &field[end..];
        }
    }

    /// Where the reply ends and `stat=` begins: the remote may have written a `, stat=` as well. Sendmail's repeats a
    /// temporary reply, and fits the class of `dsn=`.
    fn split(&self, text: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
        let places = || memmem::find_iter(text, STAT).map(|at| (&text[..at], &text[at + STAT.len()..]));
        let repeats = |(reply, stat): &(&[u8], &[u8])| stat.strip_prefix(b"Deferred: ") == Some(reply);
        let fits = |stat: &[u8]| match self.dsn.and_then(<[u8]>::first) {
            Some(b'2') => kind(stat) == Kind::Sent,
            Some(b'4') => kind(stat) == Kind::Deferred,
            Some(b'5') => kind(stat) == Kind::Failed,
            _ => true,
        };
        places()
            .find(repeats)
            .or_else(|| places().filter(|(_, stat)| fits(stat)).last())
            .or_else(|| places().last())
    }

    /// What the remote server said. `stat=` of a success lacks the code, that of a refusal is Sendmail's own word for it.
    fn answer(&self, outcome: Outcome, reached: bool) -> Answer<'a> {
        if let Some(reply) = self.reply.filter(|reply| starts_with_code(reply)) {
            return if is_made_up(reply) { Answer::Nobody } else { Answer::Text(reply) };
        }
        let codes = || {
            let enhanced = self.dsn.and_then(Enhanced::at_start).map(|(code, _)| code);
            // It says more than the class only where it is not x.0.0 (formats, section 1).
            Answer::Codes { smtp: None, enhanced: enhanced.filter(|code| (code.1, code.2) != (0, 0)) }
        };
        match outcome {
            Outcome::Delivered => codes(),
            Outcome::Deferred => match self.stat.strip_prefix(b"Deferred: ") {
                Some(reply) if starts_with_code(reply) && !is_made_up(reply) => Answer::Text(reply),
                // `Connection reset by …`, `Name server: …`, or nothing.
                _ if self.reply.is_some() => codes(),
                _ => Answer::Nobody,
            },
            Outcome::Bounced if self.reply.is_some() => codes(),
            // The names of these were not found, or no connection came about.
            Outcome::Bounced if !reached || self.stat.starts_with(b"Host unknown") => Answer::Nobody,
            Outcome::Bounced => codes(),
        }
    }
}

/// For a connection that broke Sendmail makes up a reply: `421 4.4.1 Connection reset by HOST`.
fn is_made_up(reply: &[u8]) -> bool {
    let words = reply[3..].strip_prefix(b" 4.4.1 ").unwrap_or(&[]);
    [&b"Connection reset by "[..], b"Connection timed out with ", b"reply: read error from "]
        .iter()
        .any(|own| words.starts_with(own))
}

/// Undoes what Sendmail did to print a reply: a backslash before a backslash, letters for a tab and for line breaks (a
/// blank, as other MTAs write them), three octal digits for other bytes.
fn undo<'a>(reply: &'a [u8], scratch: &'a mut Vec<u8>) -> &'a [u8] {
    if memchr(b'\\', reply).is_none() {
        return reply;
    }
    scratch.clear();
    let mut rest = reply;
    while let [first, ..] = rest {
        let (byte, length) = match rest {
            [b'\\', b'\\', ..] => (b'\\', 2),
            [b'\\', b't', ..] => (b'\t', 2),
            [b'\\', b'n' | b'r', ..] => (b' ', 2),
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] => (octal(*a, *b, *c), 4),
            _ => (*first, 1),
        };
        scratch.push(byte);
        rest = &rest[length..];
    }
    scratch
}

/// `host. [address]`.
fn relay<'a>(text: &'a [u8], addresses: &mut Addresses) -> (Option<&'a [u8]>, Option<IpAddr>) {
    let name = &text[..near(b' ', text).unwrap_or(text.len())];
    let ip = near(b'[', text).and_then(|open| {
        let close = near(b']', &text[open..])?;
        addresses.parse(&text[open + 1..open + close])
    });
    (host_name(name), ip)
}

#[cfg(test)]
mod tests;
