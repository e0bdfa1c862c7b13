//! GreenArrow: one JSON object a try, with the words of its ancestor qmail.
//!
//! | field | here |
//! | --- | --- |
//! | `timestamp` | time |
//! | `channel` | other than `remote`: a local hop |
//! | `status` | `success`, `deferral`, `failure`: outcome; else nothing was tried (`connmaxout`) |
//! | `message` | the reply stands behind `Remote host said: ` |
//! | `msguid`, `sender`, `recipient` | queue id, sender, recipient |
//! | `outmtaid_ip`, `outmtaid_hostname` | sending IP, source name |
//! | `mx_hostname`, `mx_ip` | relay |

use serde::Deserialize;

use super::json::{self, Context, Scalar, Tries};
use super::text::{host_name, is_here, parse_ip, starts_with_code};
use super::{Answer, Attempt, Mta, Outcome, Record};

const MTA: Mta = Mta("greenarrow");

/// GreenArrow's log of tries.
pub(crate) static GREENARROW: Tries = Tries {
    mta: MTA,
    sample: SAMPLE,
    is_own: |line| {
        json::has(line, b"\"outmtaid\"") || json::has(line, b"\"msguid\"") && json::has(line, b"\"channel\"")
    },
    stamp: |line| json::stamp_behind(line, b"\"timestamp\""),
    read: |text, context, out| json::each::<Event<'_>>(text, |event| understand(&event, context, out)),
};

const SAMPLE: &str = r#"{"timestamp": 1778571001.12, "channel": "remote", "status": "deferral", "is_retry": 0, "msguid": "1778571000.7212.mta1", "message": "Connected to 198.51.100.12 but connection died. (#4.4.2)/", "sender": "n@example.com", "recipient": "d@hotmail.com", "mtaid": "1", "sendid": "s1", "listid": "l1", "outmtaid": "12", "outmtaid_ip": "203.0.113.81", "outmtaid_hostname": "out12.example.com", "mx_hostname": "hotmail-com.olc.protection.outlook.com", "mx_ip": "198.51.100.12"}"#;

const SAID: &str = "Remote host said: ";
/// Own words behind the reply.
const BEHIND: [&str; 2] = ["/Giving up on ", "/I'm not going to try again"];

#[derive(Deserialize, Default)]
#[serde(default)]
struct Event<'a> {
    #[serde(borrow)]
    timestamp: Scalar<'a>,
    #[serde(borrow)]
    channel: Scalar<'a>,
    #[serde(borrow)]
    status: Scalar<'a>,
    #[serde(borrow)]
    msguid: Scalar<'a>,
    #[serde(borrow)]
    message: Scalar<'a>,
    #[serde(borrow)]
    sender: Scalar<'a>,
    #[serde(borrow)]
    recipient: Scalar<'a>,
    #[serde(borrow)]
    outmtaid: Scalar<'a>,
    #[serde(borrow)]
    outmtaid_ip: Scalar<'a>,
    #[serde(borrow)]
    outmtaid_hostname: Scalar<'a>,
    #[serde(borrow)]
    mx_hostname: Scalar<'a>,
    #[serde(borrow)]
    mx_ip: Scalar<'a>,
}

fn understand(event: &Event<'_>, context: &mut Context, out: &mut dyn FnMut(Record<'_>)) {
    let relay_ip = event.mx_ip.bytes().and_then(parse_ip);
    if event.channel.text().is_some_and(|channel| channel != "remote") || relay_ip.is_some_and(is_here) {
        return;
    }
    let Some(time) = json::time(&event.timestamp, &mut context.stamper) else {
        return out(Record::Malformed { why: "a try without timestamp" });
    };
    let outcome = match event.status.text() {
        Some("success") => Outcome::Delivered,
        Some("deferral") => Outcome::Deferred,
        Some("failure") => Outcome::Bounced,
        Some(_) => return out(Record::HeldBack { time: Some(time) }),
        None => return out(Record::Malformed { why: "a try without status" }),
    };
    let Some(recipient) = event.recipient.bytes() else {
        return out(Record::Malformed { why: "a try without recipient" });
    };
    let answer = match reply(event.message.text().unwrap_or_default()) {
        Some(reply) => Answer::Text(json::one_line(reply, &mut context.scratch)),
        None if outcome == Outcome::Delivered => Answer::Codes { smtp: None, enhanced: None },
        None => Answer::Nobody,
    };
    out(Record::Attempt(Attempt {
        time: Some(time),
        mta: MTA,
        host: None,
        queue_id: event.msguid.bytes(),
        source_ip: event.outmtaid_ip.bytes().and_then(parse_ip),
        source_name: event.outmtaid_hostname.bytes().or_else(|| event.outmtaid.bytes()),
        sender: event.sender.bytes_or_empty(),
        recipient: Some(recipient),
        relay_host: event.mx_hostname.bytes().and_then(host_name),
        relay_ip,
        relay_port: None,
        outcome,
        answer,
        greeting: None,
    }));
}

/// What the remote server said. A slash ends a sentence, but stands in links too.
fn reply(message: &str) -> Option<&str> {
    let (_, said) = message.split_once(SAID)?;
    let end = BEHIND.iter().filter_map(|words| said.find(words)).min().unwrap_or(said.len());
    let said = said[..end].trim_end();
    let said = said.strip_suffix('/').unwrap_or(said);
    starts_with_code(said.as_bytes()).then_some(said)
}

#[cfg(test)]
mod tests;
