//! Mailgun: its webhook (`event-data`), and what its Events API gives (`items`).
//!
//! | field | here |
//! | --- | --- |
//! | `event` | `delivered`; `failed` with `severity` `temporary` deferred, `permanent` bounced; others are no attempts |
//! | `reason` | `suppress-…` (nothing was tried) and `old` (its time ran out) are no attempts |
//! | `recipient` | recipient |
//! | `delivery-status`: `code`, `enhanced-code`, `message`, else `description` | reply, put together; codes that are none of SMTP's are Mailgun's own |
//! | `delivery-status.mx-host` | relay |
//! | `timestamp` | time |
//! | `id`, `envelope.sender` | queue id, sender |
//! | `envelope.sending-ip` | sending IP |

use serde::Deserialize;

use super::json::{self, Context, Scalar, Service};
use super::text::{host_name, parse_ip};
use super::{Answer, Attempt, Enhanced, Mta, Outcome, Record};

const MTA: Mta = Mta("mailgun");

/// Mailgun.
pub(crate) static MAILGUN: Service = Service {
    mta: MTA,
    sample: SAMPLE,
    is_marked: |head| {
        json::has(head, b"\"event-data\"")
            || json::has(head, b"\"event\"")
                && [&b"\"delivery-status\""[..], b"\"log-level\"", b"\"recipient-domain\""]
                    .iter()
                    .any(|key| json::has(head, key))
    },
    wrappers: &["items", "events"],
    understand,
    retells: false,
    without_deferrals: "no temporary failures in these events, so throttling is not seen: add a webhook for \"Temporary Failure\"",
};

const SAMPLE: &str = r#"{"event-data": {"event": "failed", "severity": "temporary", "reason": "generic", "timestamp": 1778573700.25, "id": "m1", "recipient": "c@hotmail.com", "envelope": {"transport": "smtp", "sender": "n@example.com", "sending-ip": "203.0.113.121"}, "delivery-status": {"code": 498, "message": "", "description": "No MX for hotmail.com", "mx-host": "hotmail-com.olc.protection.outlook.com"}}}"#;

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
struct Event<'a> {
    #[serde(borrow)]
    event_data: Option<Box<Event<'a>>>,
    #[serde(borrow)]
    event: Scalar<'a>,
    #[serde(borrow)]
    severity: Scalar<'a>,
    #[serde(borrow)]
    reason: Scalar<'a>,
    #[serde(borrow)]
    recipient: Scalar<'a>,
    #[serde(borrow)]
    timestamp: Scalar<'a>,
    #[serde(borrow)]
    id: Scalar<'a>,
    #[serde(borrow)]
    envelope: Option<Envelope<'a>>,
    #[serde(borrow)]
    delivery_status: Option<Status<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
struct Envelope<'a> {
    #[serde(borrow)]
    sender: Scalar<'a>,
    #[serde(borrow)]
    sending_ip: Scalar<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
struct Status<'a> {
    #[serde(borrow)]
    code: Scalar<'a>,
    #[serde(borrow)]
    enhanced_code: Scalar<'a>,
    #[serde(borrow)]
    message: Scalar<'a>,
    #[serde(borrow)]
    description: Scalar<'a>,
    #[serde(borrow)]
    mx_host: Scalar<'a>,
}

fn understand(text: &str, context: &mut Context, out: &mut dyn FnMut(Record<'_>)) {
    let Ok(event) = serde_json::from_str::<Event<'_>>(text) else {
        return out(Record::Malformed { why: "a broken Mailgun event" });
    };
    let event = event.event_data.as_deref().unwrap_or(&event);
    let outcome = match (event.event.text(), event.severity.text()) {
        (Some("delivered"), _) => Outcome::Delivered,
        (Some("failed"), Some("temporary")) => Outcome::Deferred,
        (Some("failed"), Some("permanent")) => Outcome::Bounced,
        (Some("failed"), _) => return out(Record::Malformed { why: "a Mailgun failure without severity" }),
        _ => return,
    };
    if event.reason.text().is_some_and(|reason| reason == "old" || reason.starts_with("suppress")) {
        return;
    }
    let Some(time) = json::time(&event.timestamp, &mut context.stamper) else {
        return out(Record::Malformed { why: "a Mailgun event without timestamp" });
    };
    let Some(recipient) = event.recipient.bytes() else {
        return out(Record::Malformed { why: "a Mailgun event without recipient" });
    };
    let status = event.delivery_status.as_ref();
    let answer = match status {
        Some(status) => answer(status, outcome, &mut context.scratch),
        None if outcome == Outcome::Delivered => Answer::Codes { smtp: None, enhanced: None },
        None => Answer::Nobody,
    };
    let envelope = event.envelope.as_ref();
    out(Record::Attempt(Attempt {
        time: Some(time),
        mta: MTA,
        host: None,
        queue_id: event.id.bytes(),
        source_ip: envelope.and_then(|envelope| envelope.sending_ip.bytes()).and_then(parse_ip),
        source_name: None,
        sender: envelope.and_then(|envelope| envelope.sender.bytes_or_empty()),
        recipient: Some(recipient),
        relay_host: status.and_then(|status| status.mx_host.bytes()).and_then(host_name),
        relay_ip: None,
        relay_port: None,
        greeting: None,
        outcome,
        answer,
    }));
}

/// The message has the code nowhere, and the enhanced code mostly.
fn answer<'a>(status: &Status<'_>, outcome: Outcome, scratch: &'a mut Vec<u8>) -> Answer<'a> {
    // 498 and 499 are Mailgun's own: no MX, no connection.
    let code = status.code.code().filter(|code| !matches!(code, 498 | 499));
    let text = status.message.text();
    // What Mailgun says of a failure is no reply, but is all there is of some.
    let text =
        text.or(status.description.text().filter(|_| outcome != Outcome::Delivered)).unwrap_or_default();
    let enhanced = status.enhanced_code.bytes().and_then(Enhanced::at_start).map(|(enhanced, _)| enhanced);
    let has_its_own = Enhanced::at_start(text.as_bytes()).is_some();
    json::reply(code, enhanced.filter(|_| !has_its_own), text, scratch)
}

#[cfg(test)]
mod tests;
