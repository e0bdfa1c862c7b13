//! Halon: one JSON object a try, as a script writes it; these are the names of a public adapter.
//!
//! | field | here |
//! | --- | --- |
//! | `ts_attempt` | time |
//! | `status` | `delivered`, `delayed`, `failed`: outcome |
//! | `result_code`, `result_enhanced`, `result_reason` | reply, put together again |
//! | `hostname`, `messageid` | host, queue id |
//! | `connection_localip` | sending IP |
//! | `connection_remotemx`, `connection_remoteip` | relay |
//! | `sender`, `recipient_localpart`, `recipient_domain` | sender, recipient |

use serde::Deserialize;

use super::json::{self, Context, Scalar, Tries};
use super::text::{host_name, is_here, parse_ip};
use super::{Answer, Attempt, Enhanced, Mta, Outcome, Record};

const MTA: Mta = Mta("halon");

/// Halon's log of tries.
pub(crate) static HALON: Tries = Tries {
    mta: MTA,
    sample: SAMPLE,
    is_own: |line| {
        json::has(line, b"\"result_code\"") && json::has(line, b"\"connection_localip\"")
            || json::has(line, b"\"ts_attempt\"") && json::has(line, b"\"status\"")
    },
    stamp: |line| json::stamp_behind(line, b"\"ts_attempt\""),
    read: |text, context, out| json::each::<Event<'_>>(text, |event| understand(&event, context, out)),
};

const SAMPLE: &str = r#"{"type": "SMTP", "hostname": "halon1", "eventid": "7b0f6c1e-0000-4000-8000-000000000001", "messageid": "18a7e0c1-4d20-11f1-9a00-00163e000001:1", "ts_attempt": 1778571600.5, "ts_received": 1778571599.1, "status": "delayed", "result_code": 0, "result_reason": "Connection timed out", "result_state": "CONNECT", "connection_localip": "203.0.113.91", "connection_remoteip": "198.51.100.12", "connection_remotemx": "hotmail-com.olc.protection.outlook.com", "sender": "n@example.com", "recipient_localpart": "d", "recipient_domain": "hotmail.com", "size": 20112}"#;

#[derive(Deserialize, Default)]
#[serde(default)]
struct Event<'a> {
    #[serde(borrow)]
    hostname: Scalar<'a>,
    #[serde(borrow)]
    messageid: Scalar<'a>,
    #[serde(borrow)]
    ts_attempt: Scalar<'a>,
    #[serde(borrow)]
    status: Scalar<'a>,
    #[serde(borrow)]
    result_code: Scalar<'a>,
    #[serde(borrow)]
    result_enhanced: Scalar<'a>,
    #[serde(borrow)]
    result_reason: Scalar<'a>,
    #[serde(borrow)]
    connection_localip: Scalar<'a>,
    #[serde(borrow)]
    connection_remoteip: Scalar<'a>,
    #[serde(borrow)]
    connection_remotemx: Scalar<'a>,
    #[serde(borrow)]
    sender: Scalar<'a>,
    #[serde(borrow)]
    recipient_localpart: Scalar<'a>,
    #[serde(borrow)]
    recipient_domain: Scalar<'a>,
}

fn understand(event: &Event<'_>, context: &mut Context, out: &mut dyn FnMut(Record<'_>)) {
    let outcome = match event.status.text() {
        Some("delivered") => Outcome::Delivered,
        Some("delayed") => Outcome::Deferred,
        Some("failed") => Outcome::Bounced,
        // What else a script may log: receptions, policy.
        _ => return,
    };
    let Some(time) = json::time(&event.ts_attempt, &mut context.stamper) else {
        return out(Record::Malformed { why: "a try without ts_attempt" });
    };
    let Some(domain) = event.recipient_domain.bytes() else {
        return out(Record::Malformed { why: "a try without recipient_domain" });
    };
    let relay_ip = event.connection_remoteip.bytes().and_then(parse_ip);
    if relay_ip.is_some_and(is_here) {
        return;
    }
    context.address.clear();
    context.address.extend_from_slice(event.recipient_localpart.bytes().unwrap_or_default());
    context.address.push(b'@');
    context.address.extend_from_slice(domain);
    let enhanced = event.result_enhanced.bytes().and_then(Enhanced::at_start).map(|(enhanced, _)| enhanced);
    let reason = event.result_reason.text().unwrap_or_default();
    let answer = match json::reply(event.result_code.code(), enhanced, reason, &mut context.scratch) {
        Answer::Nobody if outcome == Outcome::Delivered => Answer::Codes { smtp: None, enhanced },
        answer => answer,
    };
    out(Record::Attempt(Attempt {
        time: Some(time),
        mta: MTA,
        host: event.hostname.bytes(),
        queue_id: event.messageid.bytes(),
        source_ip: event.connection_localip.bytes().and_then(parse_ip),
        source_name: None,
        sender: event.sender.bytes_or_empty(),
        recipient: Some(&context.address),
        relay_host: event.connection_remotemx.bytes().and_then(host_name),
        relay_ip,
        relay_port: None,
        outcome,
        answer,
        greeting: None,
    }));
}

#[cfg(test)]
mod tests;
