//! ZoneMTA: a line for each recipient of a try,
//! `info Sender/ZONE/PID[n] id=… QID.SEQ VERB[category] from=… to=… src=… mx=host[address] id=<…> (reply)`.
//!
//! | field | here |
//! | --- | --- |
//! | verb | `ACCEPTED`, `DEFERRED`, `REJECTED`: outcome |
//! | the word before it | queue id |
//! | `from=`, `to=` | sender, recipient |
//! | `src=` | sending IP |
//! | `mx=` | relay |
//! | in the last parentheses | the reply, or ZoneMTA's own words |

use memchr::{memchr, memmem, memrchr};

use super::registry::Order;
use super::syslog::Envelope;
use super::text::{answer_text, host_name, is_here, parse_ip, quoted_end};
use super::wrapped::{Dialect, RECIPIENT};
use super::{Answer, Attempt, Mta, Outcome, Record};

const MTA: Mta = Mta("zonemta");

/// ZoneMTA under syslog or in the journal.
pub(crate) static ZONEMTA: Dialect = Dialect {
    mta: MTA,
    sample: "May 12 09:11:30 zmta1 zonemta[4120]: info Sender/default/4120[3] id=r4ndomid0001 1984e8a65b30004db2.001 \
        DEFERRED[network] from=n@example.com to=d@hotmail.com src=203.0.113.51 \
        mx=hotmail-com.olc.protection.outlook.com[198.51.100.12] id=<z1@example.com> (Connection timed out)",
    order: Order::Any,
    needles: &[RECIPIENT],
    sender_needles: &[],
    is_tag: |tag| tag.starts_with(b"zonemta") || tag.starts_with(b"zone-mta"),
    is_text: |text| verdict(text).is_some(),
    marks: &[b" Sender/", b" from=", b" to=", b" src=", b" mx="],
    reader: |_| Box::new(line),
    blind_spot: |_| None,
};

/// Reads a line; whether it is ZoneMTA's.
fn line(envelope: &Envelope<'_>, out: &mut dyn FnMut(Record<'_>)) -> bool {
    let Some((queue_id, outcome, fields)) = verdict(envelope.text) else {
        return (ZONEMTA.is_tag)(envelope.tag);
    };
    match delivery(envelope, queue_id, outcome, fields) {
        Some(Record::Irrelevant) => {}
        Some(record) => out(record),
        None => out(Record::Malformed { why: "a delivery that lacks a field" }),
    }
    true
}

/// Queue id and outcome, and the fields from behind `from=` on.
fn verdict(text: &[u8]) -> Option<(&[u8], Outcome, &[u8])> {
    const VERBS: [(&[u8], Outcome); 3] = [
        (b"ACCEPTED", Outcome::Delivered),
        (b"DEFERRED", Outcome::Deferred),
        (b"REJECTED", Outcome::Bounced),
    ];
    let fields = memmem::find(text, b" from=")?;
    let before = &text[..fields];
    memmem::find(before, b"Sender/")?;
    let (before, verb) = before.split_at(memrchr(b' ', before)?);
    let verb = &verb[1..];
    let name = &verb[..memchr(b'[', verb).unwrap_or(verb.len())];
    let outcome = VERBS.iter().find(|(verb, _)| *verb == name)?.1;
    let queue_id = &before[memrchr(b' ', before)? + 1..];
    Some((queue_id, outcome, &text[fields + 6..]))
}

/// `None` where a field is not there.
fn delivery<'a>(
    envelope: &Envelope<'a>,
    queue_id: &'a [u8],
    outcome: Outcome,
    fields: &'a [u8],
) -> Option<Record<'a>> {
    let (sender, fields) = until(fields, b" to=")?;
    let (recipient, fields) = until(fields, b" src=")?;
    let (source, fields) = until(fields, b" mx=")?;
    let (relay, fields) = until(fields, b" id=")?;
    // Fields that are not known may stand between.
    let (recipient, source, relay) = (value(recipient), value(source), value(relay));
    let reply =
        memmem::find(fields, b"> (").map(|at| at + 3).or_else(|| Some(memmem::find(fields, b" (")? + 2));
    let reply = &fields[reply?..];
    let reply = reply.strip_suffix(b")").unwrap_or(reply);
    let host = &relay[..memchr(b'[', relay).unwrap_or(relay.len())];
    let ip = relay.get(host.len() + 1..).and_then(|ip| parse_ip(ip.strip_suffix(b"]").unwrap_or(ip)));
    if ip.is_some_and(is_here) {
        return Some(Record::Irrelevant);
    }
    Some(Record::Attempt(Attempt {
        time: Some(envelope.time),
        mta: MTA,
        host: envelope.host,
        queue_id: Some(queue_id),
        source_ip: parse_ip(source),
        source_name: None,
        sender: Some(if sender == b"<>" { b"" } else { sender }),
        recipient: Some(recipient),
        relay_host: host_name(host).filter(|host| host.contains(&b'.')),
        relay_ip: ip,
        relay_port: None,
        greeting: None,
        outcome,
        answer: answer_text(reply).unwrap_or(Answer::Nobody),
    }))
}

/// Where a quoted local part ends, which may hold anything; 0 without one.
fn behind_quotes(text: &[u8]) -> usize {
    if text.first() == Some(&b'"') { quoted_end(text, 1).unwrap_or(0) } else { 0 }
}

/// Up to the first blank.
fn value(text: &[u8]) -> &[u8] {
    let from = behind_quotes(text);
    &text[..memchr(b' ', &text[from..]).map_or(text.len(), |at| from + at)]
}

/// What stands before `end`, and behind it.
fn until<'a>(text: &'a [u8], end: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let from = behind_quotes(text);
    let at = from + memmem::find(&text[from..], end)?;
    Some((&text[..at], &text[at + end.len()..]))
}

#[cfg(test)]
mod tests;
