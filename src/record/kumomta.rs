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

use std::borrow::Cow;
use std::net::IpAddr;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::json::{self, Scalar};
use super::registry::{Format, Line, Order, Reader};
use super::stamp::{Clock, Naive, Stamper};
use super::text::{host_name, is_here, parse_ip};
use super::{Answer, Attempt, Enhanced, Mta, Outcome, Record};

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

    fn order(&self) -> Order {
        Order::Any
    }

    fn retells(&self) -> bool {
        true
    }

    fn reader(&self, clock: &Clock) -> Box<dyn Reader + Send> {
        Box::new(KumoReader { stamper: Stamper::new(clock), scratch: Vec::new() })
    }

    fn naive_stamp(&self, line: &[u8]) -> Option<Naive> {
        let line = json::object(line)?;
        json::stamp_behind(line, b"\"event_time\"").or_else(|| json::stamp_behind(line, b"\"timestamp\""))
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Event<'a> {
    #[serde(borrow, rename = "type")]
    kind: Scalar<'a>,
    #[serde(borrow)]
    id: Scalar<'a>,
    #[serde(borrow)]
    sender: Scalar<'a>,
    #[serde(borrow)]
    recipient: Recipients<'a>,
    #[serde(borrow)]
    response: Option<Response<'a>>,
    #[serde(borrow)]
    peer_address: Option<Peer<'a>>,
    #[serde(borrow)]
    event_time: Scalar<'a>,
    #[serde(borrow)]
    timestamp: Scalar<'a>,
    #[serde(borrow)]
    egress_source: Scalar<'a>,
    #[serde(borrow)]
    source_address: Option<Source<'a>>,
    #[serde(borrow)]
    delivery_protocol: Scalar<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Response<'a> {
    #[serde(borrow)]
    code: Scalar<'a>,
    enhanced_code: Option<Code>,
    #[serde(borrow)]
    content: Scalar<'a>,
}

#[derive(Deserialize)]
struct Code {
    class: u8,
    subject: u16,
    detail: u16,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Peer<'a> {
    #[serde(borrow)]
    name: Scalar<'a>,
    #[serde(borrow)]
    addr: Scalar<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Source<'a> {
    #[serde(borrow)]
    address: Scalar<'a>,
}

/// One address, or the list of a transaction.
#[derive(Default)]
enum Recipients<'a> {
    #[default]
    None,
    One(Cow<'a, str>),
    Many(Vec<Cow<'a, str>>),
}

impl<'a> Recipients<'a> {
    fn all(&self) -> &[Cow<'a, str>] {
        match self {
            Self::None => &[],
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Recipients<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;
        impl<'de> Visitor<'de> for OneOrMany {
            type Value = Recipients<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an address or a list of them")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Recipients::One(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Recipients::One(Cow::Owned(text.to_owned())))
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Recipients::None)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let mut many = Vec::new();
                while let Some(item) = items.next_element::<Scalar<'de>>()? {
                    if let Scalar::Text(text) = item {
                        many.push(text);
                    }
                }
                Ok(Recipients::Many(many))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
                while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Recipients::None)
            }
        }
        deserializer.deserialize_any(OneOrMany)
    }
}

struct KumoReader {
    stamper: Stamper,
    scratch: Vec<u8>,
}

impl Reader for KumoReader {
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
        // Into a mailbox, over LMTP, or whatever a script does.
        if event.delivery_protocol.text().is_some_and(|name| !name.to_ascii_uppercase().contains("SMTP")) {
            return;
        }
        let time = json::time(&event.event_time, &mut self.stamper)
            .or_else(|| json::time(&event.timestamp, &mut self.stamper));
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
        let relay_ip = peer.and_then(|peer| peer.addr.bytes()).and_then(bare_ip);
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
            relay_host: peer.and_then(|peer| peer.name.bytes()).and_then(host_name),
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

/// `192.0.2.1:41022`, `[2001:db8::1]:41022`, or an address without port.
fn bare_ip(text: &[u8]) -> Option<IpAddr> {
    if let Some(inner) = text.strip_prefix(b"[") {
        return parse_ip(&inner[..memchr::memchr(b']', inner)?]);
    }
    parse_ip(text).or_else(|| parse_ip(&text[..memchr::memrchr(b':', text)?]))
}

#[cfg(test)]
mod tests;
