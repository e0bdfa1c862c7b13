//! Twilio SendGrid's event webhook: objects, mostly in arrays.
//!
//! | field | here |
//! | --- | --- |
//! | `event` | `delivered`; `deferred`; `bounce` (of `type` `blocked` too) bounced; others are no attempts (`dropped`: nothing was tried) |
//! | `email` | recipient |
//! | `response`, `reason` | reply; without its three digits SendGrid's own words |
//! | `status` | what is left of the reply where there is no text |
//! | `timestamp` | time |
//! | `ip` | sending IP |
//! | `sg_message_id` | queue id |

use serde::Deserialize;

use super::json::{self, Context, Scalar, Service};
use super::text::parse_ip;
use super::{Attempt, Mta, Outcome, Record};

const MTA: Mta = Mta("sendgrid");

/// SendGrid.
pub(crate) static SENDGRID: Service = Service {
    mta: MTA,
    sample: SAMPLE,
    is_marked: |head| json::has(head, b"\"sg_event_id\"") || json::has(head, b"\"sg_message_id\""),
    wrappers: &["events", "items", "results"],
    understand,
    retells: false,
    without_deferrals: "no deferrals in these events, so throttling is not seen: turn \"Deferred\" on in the event webhook's settings",
};

const SAMPLE: &str = r#"{"timestamp": 1778573700, "smtp-id": "<sg1@example.com>", "ip": "203.0.113.111", "sg_event_id": "e1", "sg_message_id": "m1", "email": "c@hotmail.com", "event": "deferred", "attempt": "3", "response": "unable to connect to any of the mail servers"}"#;

#[derive(Deserialize, Default)]
#[serde(default)]
struct Event<'a> {
    #[serde(borrow)]
    event: Scalar<'a>,
    #[serde(borrow)]
    email: Scalar<'a>,
    #[serde(borrow)]
    response: Scalar<'a>,
    #[serde(borrow)]
    reason: Scalar<'a>,
    #[serde(borrow)]
    status: Scalar<'a>,
    #[serde(borrow)]
    timestamp: Scalar<'a>,
    #[serde(borrow)]
    ip: Scalar<'a>,
    #[serde(borrow)]
    sg_message_id: Scalar<'a>,
}

fn understand(text: &str, context: &mut Context, out: &mut dyn FnMut(Record<'_>)) {
    let Ok(event) = serde_json::from_str::<Event<'_>>(text) else {
        return out(Record::Malformed { why: "a broken SendGrid event" });
    };
    let outcome = match event.event.text() {
        Some("delivered") => Outcome::Delivered,
        Some("deferred") => Outcome::Deferred,
        Some("bounce" | "blocked") => Outcome::Bounced,
        _ => return,
    };
    let Some(time) = json::time(&event.timestamp, &mut context.stamper) else {
        return out(Record::Malformed { why: "a SendGrid event without timestamp" });
    };
    let Some(recipient) = event.email.bytes() else {
        return out(Record::Malformed { why: "a SendGrid event without email" });
    };
    let answer = match event.response.text().or(event.reason.text()) {
        Some(reply) => json::passed_on(reply, &mut context.scratch),
        None => json::status_alone(&event.status),
    };
    out(Record::Attempt(Attempt {
        time: Some(time),
        mta: MTA,
        host: None,
        queue_id: event.sg_message_id.bytes(),
        source_ip: event.ip.bytes().and_then(parse_ip),
        source_name: None,
        sender: None,
        recipient: Some(recipient),
        relay_host: None,
        relay_ip: None,
        relay_port: None,
        greeting: None,
        outcome,
        answer,
    }));
}

#[cfg(test)]
mod tests;
