//! MailerQ: one JSON object a message, with the results of all its tries.
//!
//! | field | here |
//! | --- | --- |
//! | `envelope`, `recipient` | sender, recipient |
//! | `results[]` | only the last is read: the others were logged before |
//! | `.result` | `accepted`: delivered; else by the code: deferred, or bounced from 500 on |
//! | `.state` | before `dns` no server was reached for: `amqp` (its time ran out), `storage`, `responsive`, `bind` |
//! | `.time` | time, without a zone |
//! | `.from`, `.to`, `.mta` | sending IP; relay's address and (reverse) name |
//! | `.code`, `.status`, `.description` | reply, put together again |

use serde::Deserialize;

use super::json::{self, Context, Scalar, Tries};
use super::text::{host_name, is_here, parse_ip};
use super::{Answer, Attempt, Enhanced, Mta, Outcome, Record};

const MTA: Mta = Mta("mailerq");

/// MailerQ's log of results.
pub(crate) static MAILERQ: Tries = Tries {
    mta: MTA,
    sample: SAMPLE,
    is_own: |line| {
        json::behind_key(line, b"\"results\"").is_some_and(|value| value.starts_with(b"["))
            && (json::has(line, b"\"envelope\"") || json::has(line, b"\"messages\""))
    },
    stamp: |line| {
        let last = memchr::memmem::rfind(line, b"\"time\"")?;
        json::stamp_behind(&line[last..], b"\"time\"")
    },
    read: |text, context, out| json::each::<Message<'_>>(text, |message| understand(&message, context, out)),
};

const SAMPLE: &str = r#"{"envelope": "n@example.com", "recipient": "d@hotmail.com", "results": [{"state": "connect", "result": "timeout", "time": "2026-05-12 07:30:01", "mta": "mail-dm6nam110014.inbound.protection.outlook.com", "from": "203.0.113.71", "to": "198.51.100.12", "messages": 0}]}"#;

#[derive(Deserialize, Default)]
#[serde(default)]
struct Message<'a> {
    #[serde(borrow)]
    envelope: Scalar<'a>,
    #[serde(borrow)]
    recipient: Scalar<'a>,
    #[serde(borrow)]
    results: Option<Vec<Try<'a>>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Try<'a> {
    #[serde(borrow)]
    state: Scalar<'a>,
    #[serde(borrow)]
    result: Scalar<'a>,
    #[serde(borrow)]
    time: Scalar<'a>,
    #[serde(borrow)]
    mta: Scalar<'a>,
    #[serde(borrow)]
    from: Scalar<'a>,
    #[serde(borrow)]
    to: Scalar<'a>,
    #[serde(borrow)]
    code: Scalar<'a>,
    #[serde(borrow)]
    status: Scalar<'a>,
    #[serde(borrow)]
    description: Scalar<'a>,
}

fn understand(message: &Message<'_>, context: &mut Context, out: &mut dyn FnMut(Record<'_>)) {
    // Without a result it was only queued.
    let Some(last) = message.results.as_ref().and_then(|results| results.last()) else { return };
    let Some(time) = json::time(&last.time, &mut context.stamper) else {
        return out(Record::Malformed { why: "a result without time" });
    };
    let Some(recipient) = message.recipient.bytes() else {
        return out(Record::Malformed { why: "a result without recipient" });
    };
    let Some(result) = last.result.text() else {
        return out(Record::Malformed { why: "a result that does not tell what became of the message" });
    };
    match last.state.text() {
        Some("amqp" | "responsive") => return,
        Some("storage" | "bind") => return out(Record::HeldBack { time: Some(time) }),
        _ => {}
    }
    let relay_ip = last.to.bytes().and_then(parse_ip);
    if relay_ip.is_some_and(is_here) {
        return;
    }
    let code = last.code.code();
    let outcome = match code {
        _ if result.eq_ignore_ascii_case("accepted") => Outcome::Delivered,
        Some(500..) => Outcome::Bounced,
        _ => Outcome::Deferred,
    };
    let enhanced = last.status.bytes().and_then(Enhanced::at_start).map(|(enhanced, _)| enhanced);
    let answer = match json::reply(
        code,
        enhanced,
        last.description.text().unwrap_or_default(),
        &mut context.scratch,
    ) {
        Answer::Nobody if outcome == Outcome::Delivered => Answer::Codes { smtp: None, enhanced },
        answer => answer,
    };
    out(Record::Attempt(Attempt {
        time: Some(time),
        mta: MTA,
        host: None,
        queue_id: None,
        source_ip: last.from.bytes().and_then(parse_ip),
        source_name: None,
        sender: message.envelope.bytes_or_empty(),
        recipient: Some(recipient),
        relay_host: last.mta.bytes().and_then(host_name),
        relay_ip,
        relay_port: None,
        outcome,
        answer,
        greeting: None,
    }));
}

#[cfg(test)]
mod tests;
