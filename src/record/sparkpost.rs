//! SparkPost: its webhook (`msys`), and what its Events API gives (`results`).
//!
//! | field | here |
//! | --- | --- |
//! | `type` | `delivery`; `delay` deferred; `bounce` bounced; `out_of_band` is a bounce that came back later; others are no attempts |
//! | `raw_rcpt_to`, else `rcpt_to` | recipient |
//! | `raw_reason` | reply; `[internal]` marks SparkPost's own words |
//! | `error_code` | its code, where the text has none |
//! | `timestamp` | time |
//! | `message_id`, `msg_from` | queue id, sender |
//! | `sending_ip` | sending IP (`ip_address` is the remote's, `reason` has addresses taken out) |

use std::collections::BTreeMap;

use serde::Deserialize;

use super::json::{self, Context, Scalar, Service};
use super::text::{parse_ip, starts_with_code};
use super::{Answer, Attempt, Mta, Outcome, Record};

const MTA: Mta = Mta("sparkpost");

/// SparkPost.
pub(crate) static SPARKPOST: Service = Service {
    mta: MTA,
    sample: SAMPLE,
    is_marked: |head| {
        [&b"\"msys\""[..], b"\"raw_rcpt_to\"", b"\"raw_reason\"", b"\"rcpt_meta\"", b"\"friendly_from\""]
            .iter()
            .any(|key| json::has(head, key))
    },
    wrappers: &["results", "events", "items"],
    understand,
    retells: true,
    without_deferrals: "no delays in these events, so throttling is not seen: add the event \"delay\" to the webhook",
};

const SAMPLE: &str = r#"{"msys": {"message_event": {"type": "delay", "timestamp": "1778573700", "message_id": "m1", "msg_from": "n@example.com", "raw_rcpt_to": "c@hotmail.com", "rcpt_to": "c@hotmail.com", "error_code": "451", "raw_reason": "451 4.4.1 [internal] Connection timed out", "sending_ip": "203.0.113.131", "ip_address": "198.51.100.12"}}}"#;

/// What begins the texts that the MTA makes up itself.
const OWN_WORDS: &str = "[internal]";

#[derive(Deserialize, Default)]
#[serde(default)]
struct Wrapper<'a> {
    /// One entry, named by the kind of event.
    #[serde(borrow)]
    msys: Option<BTreeMap<String, Event<'a>>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Event<'a> {
    #[serde(borrow, rename = "type")]
    kind: Scalar<'a>,
    #[serde(borrow)]
    raw_rcpt_to: Scalar<'a>,
    #[serde(borrow)]
    rcpt_to: Scalar<'a>,
    #[serde(borrow)]
    raw_reason: Scalar<'a>,
    #[serde(borrow)]
    error_code: Scalar<'a>,
    #[serde(borrow)]
    timestamp: Scalar<'a>,
    #[serde(borrow)]
    message_id: Scalar<'a>,
    #[serde(borrow)]
    msg_from: Scalar<'a>,
    #[serde(borrow)]
    sending_ip: Scalar<'a>,
}

fn understand(text: &str, context: &mut Context, out: &mut dyn FnMut(Record<'_>)) {
    let read = serde_json::from_str::<Wrapper<'_>>(text).and_then(|wrapper| match wrapper.msys {
        Some(kinds) => Ok(kinds.into_values().next()),
        None => serde_json::from_str::<Event<'_>>(text).map(Some),
    });
    match read {
        Ok(Some(event)) => understood(&event, context, out),
        Ok(None) => {}
        Err(_) => out(Record::Malformed { why: "a broken SparkPost event" }),
    }
}

fn understood(event: &Event<'_>, context: &mut Context, out: &mut dyn FnMut(Record<'_>)) {
    let (outcome, retold) = match event.kind.text() {
        Some("delivery") => (Outcome::Delivered, false),
        Some("delay") => (Outcome::Deferred, false),
        Some("bounce") => (Outcome::Bounced, false),
        Some("out_of_band") => (Outcome::Bounced, true),
        _ => return,
    };
    let Some(time) = json::time(&event.timestamp, &mut context.stamper) else {
        return out(Record::Malformed { why: "a SparkPost event without timestamp" });
    };
    let Some(recipient) = event.raw_rcpt_to.bytes().or(event.rcpt_to.bytes()) else {
        return out(Record::Malformed { why: "a SparkPost event without recipient" });
    };
    let answer = match event.raw_reason.text() {
        Some(reason) if reason.contains(OWN_WORDS) => Answer::Nobody,
        Some(reason) if starts_with_code(reason.trim_start().as_bytes()) => {
            json::passed_on(reason, &mut context.scratch)
        }
        // It answered, or it would not be delivered.
        _ if outcome == Outcome::Delivered => Answer::Codes { smtp: None, enhanced: None },
        reason => {
            json::reply(event.error_code.code(), None, reason.unwrap_or_default(), &mut context.scratch)
        }
    };
    let attempt = Attempt {
        time: Some(time),
        mta: MTA,
        host: None,
        queue_id: event.message_id.bytes(),
        source_ip: event.sending_ip.bytes().and_then(parse_ip),
        source_name: None,
        sender: event.msg_from.bytes_or_empty(),
        recipient: Some(recipient),
        relay_host: None,
        relay_ip: None,
        relay_port: None,
        greeting: None,
        outcome,
        answer,
    };
    out(if retold { Record::Retold(attempt) } else { Record::Attempt(attempt) });
}

#[cfg(test)]
mod tests;
