//! KumoMTA: one JSON object a line for each event of a message.
//!
//! | field | here |
//! | --- | --- |
//! | `type` | `Delivery`, `TransientFailure`, `Bounce`: outcome; `OOB`, a bounce that came back, retells one; others are no attempts |
//! | `event_time`, else `timestamp` | time |
//! | `id`, `sender`, `recipient` (text or list) | queue id, sender, one attempt for each recipient |
//! | `response` | reply, put together again as `code enhanced content` |
//! | `peer_address` | relay |
//! | `source_address.address`, less its port | sending IP |
//! | `egress_source` | source name |
//!
//! `queue` may be rolled up and `site` names a set of hosts: neither tells domain or relay.

use memchr::{memchr, memrchr};

use super::json::{self, Kind, Scalar, Shapes};
use super::registry::{Format, Glance, Line, Order, Origin, Plain, Reader, Relay};
use super::stamp::{Clock, Naive, Stamper};
use super::text::{host_name, is_here};
use super::{Answer, Attempt, Enhanced, Mta, Outcome, Record, Time};

mod event;
mod plain;

use event::{Event, Peer, Response, bare_ip};
use plain::{Found, PLACES, Place, wanted};

const MTA: Mta = Mta("kumomta");

/// KumoMTA's log segments.
pub(crate) static KUMOMTA: KumoMta = KumoMta;

const SAMPLE: &str = r#"{"type":"TransientFailure","id":"1d98076abbbc11ed940250ebf67f93bd","sender":"n@example.com","recipient":"d@hotmail.com","queue":"news:acme@hotmail.com","site":"ip-31->hotmail-com.olc.protection.outlook.com@smtp_client","size":20112,"response":{"code":451,"enhanced_code":{"class":4,"subject":4,"detail":2},"content":"KumoMTA internal: failed to send message to ip-31->hotmail-com.olc.protection.outlook.com@smtp_client: Timed Out waiting 300s for response to the end of the data","command":"."},"peer_address":{"name":"hotmail-com.olc.protection.outlook.com.","addr":"198.51.100.12"},"timestamp":1778567401,"event_time":"2026-05-12T06:30:01.218004Z","created":1778567399,"num_attempts":0,"egress_pool":"pool-a","egress_source":"ip-31","source_address":{"address":"203.0.113.31:41044"},"delivery_protocol":"ESMTP","nodeid":"557f3ad4-2c8c-11ee-976e-782d7e12e173"}"#;

/// What begins the texts that KumoMTA makes up itself.
const OWN_WORDS: &str = "KumoMTA internal: ";
/// Own words that tell of a try.
const TRIED: [&str; 3] = ["failed to connect", "failed to send message", "Timed Out"];
/// All types of records, to tell the format by.
const TYPES: [&[u8]; 12] = [
    b"Reception",
    b"Delivery",
    b"TransientFailure",
    b"Bounce",
    b"Expiration",
    b"AdminBounce",
    b"AdminRebind",
    b"OOB",
    b"Feedback",
    b"Delayed",
    b"DeferredInjectionRebind",
    b"Rejection",
];

pub(crate) struct KumoMta;

impl Format for KumoMta {
    fn name(&self) -> &'static str {
        MTA.0
    }

    fn sample(&self) -> &'static str {
        SAMPLE
    }

    fn score(&self, head: &[u8]) -> f32 {
        json::share(head, |line| {
            let kind = json::behind_key(line, b"\"type\"").and_then(|value| value.strip_prefix(b"\""));
            let known = kind.is_some_and(|kind| {
                TYPES
                    .iter()
                    .any(|name| kind.strip_prefix(*name).is_some_and(|rest| rest.first() == Some(&b'"')))
            });
            // A line may be cut anywhere behind its first few keys, or before them.
            let ours = json::has(line, b"\"egress_source\"") || json::has(line, b"\"peer_address\"");
            ours || known && json::has(line, b"\"queue\"") && json::has(line, b"\"site\"")
        })
    }

    /// Without a literal to look for: a line that is broken is to be told, whatever it lacks. Receptions are told by how they
    /// begin.
    fn order(&self) -> Order {
        Order::Any
    }

    fn retells(&self) -> bool {
        true
    }

    fn reader(&self, clock: &Clock) -> Box<dyn Reader + Send> {
        Box::new(KumoReader {
            stamper: Stamper::new(clock),
            scratch: Vec::new(),
            shapes: Shapes::new(wanted),
            source: Vec::new(),
        })
    }

    fn origin<'a>(&self, source: &'a [u8]) -> Option<Origin<'a>> {
        Origin::of_key(source, bare_ip)
    }

    /// From the first letter of the peer's name to the last one of its address, not inside the own network.
    fn relay<'a>(&self, peer: &'a [u8]) -> Option<Relay<'a>> {
        let (name, addr) = (&peer[..memchr(b'"', peer)?], &peer[memrchr(b'"', peer)? + 1..]);
        let ip = bare_ip(addr).filter(|ip| !is_here(*ip))?;
        Some(Relay { host: Some(host_name(name)?), ip: Some(ip), port: None })
    }

    fn naive_stamp(&self, line: &[u8]) -> Option<Naive> {
        let line = json::object(line)?;
        json::stamp_behind(line, b"\"event_time\"").or_else(|| json::stamp_behind(line, b"\"timestamp\""))
    }
}

/// Not into a mailbox, over LMTP, or whatever a script does.
fn is_smtp(protocol: &Scalar<'_>) -> bool {
    const SMTP: &[u8] = b"SMTP";
    protocol.bytes().is_none_or(|name| name.windows(SMTP.len()).any(|part| part.eq_ignore_ascii_case(SMTP)))
}

/// What tells the same address whatever the port. More than one colon is left to [`bare_ip`].
fn without_port(address: &[u8]) -> &[u8] {
    let end = match memchr(b':', address) {
        _ if address.first() == Some(&b'[') => memchr(b']', address).map(|close| close + 1),
        Some(colon) => Some(colon).filter(|colon| memchr(b':', &address[colon + 1..]).is_none()),
        None => None,
    };
    &address[..end.unwrap_or(address.len())]
}

fn time(event_time: &Scalar<'_>, timestamp: &Scalar<'_>, stamper: &mut Stamper) -> Option<Time> {
    json::time(event_time, stamper).or_else(|| json::time(timestamp, stamper))
}

struct KumoReader {
    stamper: Stamper,
    scratch: Vec<u8>,
    shapes: Shapes<PLACES>,
    /// What tells the source of the line at hand.
    source: Vec<u8>,
}

impl Reader for KumoReader {
    /// A plain object that begins with its type, with one recipient.
    fn glance<'a>(&'a mut self, line: &'a [u8]) -> Option<Glance<'a>> {
        if !line.starts_with(b"{\"type\":\"Delivery\"") {
            return None;
        }
        let Self { stamper, scratch, shapes, source } = self;
        let values = shapes.read(line)?;
        let found = Found { line: std::str::from_utf8(line).ok()?, values: &values };
        let relay = found.peer_text()?;
        let Response { code, enhanced_code, content } = found.response()??;
        let content = content.text()?;
        let recipient = match found.values[Place::Recipient as usize] {
            Some((Kind::Text, _)) => Some(found.text(Place::Recipient)),
            _ => return None,
        };
        if content.starts_with(OWN_WORDS) || !is_smtp(&found.scalar(Place::Protocol)) {
            return None;
        }
        let [event_time, timestamp] = [Place::EventTime, Place::Timestamp].map(|place| found.scalar(place));
        let time = time(&event_time, &timestamp, stamper)?;
        let given = |place: Place| Some(found.text(place)).filter(|text| !text.is_empty());
        // The port is another one each time.
        let address = without_port(found.text(Place::SourceAddress));
        Origin::write_key(source, address, found.text(Place::EgressSource))?;
        let enhanced = enhanced_code.map(|code| Enhanced(code.class, code.subject, code.detail));
        let Answer::Text(reply) = json::reply(code.code(), enhanced, content, scratch) else { return None };
        let sender = values[Place::Sender as usize].as_ref();
        let sender = sender.and_then(|(kind, _)| (*kind == Kind::Text).then(|| found.text(Place::Sender)));
        Some(Glance::Delivered(Plain {
            time,
            queue_id: given(Place::Id),
            sender,
            recipient,
            reply,
            source,
            relay,
        }))
    }

    fn line(&mut self, line: Line<'_>, out: &mut dyn FnMut(u64, Record<'_>)) {
        if super::syslog::trim(line.bytes).trim_ascii().is_empty() {
            return;
        }
        let mut out = |record: Record<'_>| out(line.offset, record);
        let Some(object) = json::object(line.bytes) else {
            return out(Record::Malformed { why: "not a JSON object" });
        };
        // One for each message that came in: most lines are these.
        if object.starts_with(b"{\"type\":\"Reception\"") {
            return;
        }
        let text = crate::text::utf8(object);
        if let Some(values) = self.shapes.read(object)
            && let Some(event) = (Found { line: &text, values: &values }).event()
        {
            return self.event(&event, &mut out);
        }
        match serde_json::from_str::<Event<'_>>(&text) {
            Ok(event) => self.event(&event, &mut out),
            Err(_) => out(Record::Malformed { why: "a broken JSON record" }),
        }
    }
}

impl KumoReader {
    fn event(&mut self, event: &Event<'_>, out: &mut dyn FnMut(Record<'_>)) {
        let outcome = match event.kind.text() {
            Some("Delivery") => Outcome::Delivered,
            Some("TransientFailure") => Outcome::Deferred,
            Some("Bounce") => Outcome::Bounced,
            Some("OOB") => Outcome::Bounced,
            _ => return,
        };
        let came_back = event.kind.text() == Some("OOB");
        if !is_smtp(&event.delivery_protocol) {
            return;
        }
        let time = time(&event.event_time, &event.timestamp, &mut self.stamper);
        if time.is_none() {
            return out(Record::Malformed { why: "a delivery without event_time or timestamp" });
        }
        let Some(response) = &event.response else {
            if came_back {
                return;
            }
            return out(Record::Malformed { why: "a delivery without response" });
        };
        let content = response.content.text().unwrap_or_default();
        let own_words = content.starts_with(OWN_WORDS);
        if own_words && !TRIED.iter().any(|words| content.contains(words)) {
            if outcome == Outcome::Deferred {
                out(Record::HeldBack { time });
            }
            return;
        }
        // Who handed the bounce in is not who refused the message.
        let peer = event.peer_address.as_ref().filter(|_| !came_back);
        let relay_ip = peer.and_then(Peer::ip);
        if relay_ip.is_some_and(is_here) {
            return;
        }
        let answer = if own_words {
            Answer::Nobody
        } else {
            // What came back has the remote server's code in the text, and the reporter's beside it.
            let in_text = came_back && Enhanced::at_start(content.as_bytes()).is_some();
            let enhanced = response.enhanced_code.as_ref().filter(|_| !in_text);
            let enhanced = enhanced.map(|code| Enhanced(code.class, code.subject, code.detail));
            json::reply(response.code.code(), enhanced, content, &mut self.scratch)
        };
        if came_back && !matches!(answer, Answer::Text(_)) {
            return;
        }
        let attempt = Attempt {
            time,
            mta: MTA,
            host: None,
            // Those of the bounce itself are not the message's.
            queue_id: event.id.bytes().filter(|_| !came_back),
            source_ip: event
                .source_address
                .as_ref()
                .and_then(|source| source.address.bytes())
                .and_then(bare_ip),
            source_name: event.egress_source.bytes(),
            sender: event.sender.bytes_or_empty().filter(|_| !came_back),
            recipient: None,
            relay_host: peer.and_then(Peer::host),
            relay_ip,
            relay_port: None,
            outcome,
            answer,
            greeting: None,
        };
        let recipients = event.recipient.all();
        if recipients.is_empty() && came_back {
            return;
        }
        if recipients.is_empty() {
            return out(Record::Malformed { why: "a delivery without recipient" });
        }
        for recipient in recipients {
            let attempt = Attempt { recipient: Some(recipient.as_bytes()), ..attempt.clone() };
            out(if came_back { Record::Retold(attempt) } else { Record::Attempt(attempt) });
        }
    }
}

#[cfg(test)]
mod tests;
