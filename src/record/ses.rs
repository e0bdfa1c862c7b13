//! Amazon SES: events as they are published (`eventType`), and notifications (`notificationType`).
//!
//! | field | here |
//! | --- | --- |
//! | `eventType`, else `notificationType` | `Delivery`; `DeliveryDelay` deferred; `Bounce` bounced, whatever its type: SES gave up |
//! | `recipients[]`, `delayedRecipients[]`, `bouncedRecipients[]` | one attempt for each |
//! | `smtpResponse`, `diagnosticCode` of type `smtp` | reply |
//! | `timestamp` of the event, else of `mail` | time |
//! | `mail.messageId`, `mail.source` | queue id, sender |
//! | `mail.tags."ses:outgoing-ip"[0]` | sending IP (`ses:source-ip` is who called the API) |
//! | `reportingMTA` | host |
//!
//! Also as SNS passes it on (`Message`), EventBridge (`detail`), SQS and Lambda (`Records[]`).

use serde::Deserialize;

use super::json::{self, Context, Scalar, Service};
use super::text::parse_ip;
use super::{Answer, Attempt, Mta, Outcome, Record};

const MTA: Mta = Mta("ses");

/// Amazon SES.
pub(crate) static SES: Service = Service {
    mta: MTA,
    sample: SAMPLE,
    is_marked: |head| {
        let key = |name: &[u8]| {
            memchr::memmem::find_iter(head, name).any(|at| {
                let behind = &head[at + name.len()..];
                behind.starts_with(b"\"") || behind.starts_with(b"\\")
            })
        };
        // In SNS' text the quotes have backslashes.
        (key(b"eventType") || key(b"notificationType"))
            && (key(b"mail") || key(b"smtpResponse") || key(b"diagnosticCode"))
    },
    wrappers: &["Records", "Messages", "items", "events"],
    understand: |text, context, out| {
        understand(text, context, 0, out);
    },
    retells: false,
    without_deferrals: "no delays in these events, so throttling is not seen: add DELIVERY_DELAY to the event destination's types",
};

const SAMPLE: &str = r#"{"eventType": "DeliveryDelay", "mail": {"timestamp": "2026-05-12T08:10:00.000Z", "source": "n@example.com", "messageId": "0100019c-0001", "destination": ["c@hotmail.com"]}, "deliveryDelay": {"timestamp": "2026-05-12T08:12:00.000Z", "delayType": "TransientCommunicationFailure", "delayedRecipients": [{"emailAddress": "c@hotmail.com", "status": "4.4.1"}]}}"#;

/// SNS in SQS in Lambda, and some more.
const MAX_WRAPPED: usize = 6;

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Event<'a> {
    #[serde(borrow)]
    event_type: Scalar<'a>,
    #[serde(borrow)]
    notification_type: Scalar<'a>,
    #[serde(borrow)]
    mail: Option<Mail<'a>>,
    #[serde(borrow)]
    delivery: Option<Details<'a>>,
    #[serde(borrow)]
    delivery_delay: Option<Details<'a>>,
    #[serde(borrow)]
    bounce: Option<Details<'a>>,
    #[serde(borrow, rename = "Message", alias = "body", alias = "Body")]
    text: Scalar<'a>,
    #[serde(borrow, alias = "Sns")]
    detail: Option<Box<Event<'a>>>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Mail<'a> {
    #[serde(borrow)]
    timestamp: Scalar<'a>,
    #[serde(borrow)]
    source: Scalar<'a>,
    #[serde(borrow)]
    message_id: Scalar<'a>,
    #[serde(borrow)]
    tags: Option<Tags<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Tags<'a> {
    #[serde(borrow, rename = "ses:outgoing-ip")]
    outgoing: Vec<Scalar<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Details<'a> {
    #[serde(borrow)]
    timestamp: Scalar<'a>,
    #[serde(borrow)]
    bounce_sub_type: Scalar<'a>,
    #[serde(borrow, rename = "reportingMTA")]
    reporting_mta: Scalar<'a>,
    #[serde(borrow)]
    smtp_response: Scalar<'a>,
    #[serde(borrow)]
    recipients: Vec<Scalar<'a>>,
    #[serde(borrow, alias = "bouncedRecipients")]
    delayed_recipients: Vec<Recipient<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Recipient<'a> {
    #[serde(borrow)]
    email_address: Scalar<'a>,
    #[serde(borrow)]
    status: Scalar<'a>,
    #[serde(borrow)]
    diagnostic_code: Scalar<'a>,
}

fn understand(text: &str, context: &mut Context, wrapped: usize, out: &mut dyn FnMut(Record<'_>)) {
    match serde_json::from_str::<Event<'_>>(text) {
        Ok(event) => understood(&event, context, wrapped, out),
        Err(_) => out(Record::Malformed { why: "a broken SES event" }),
    }
}

fn understood(event: &Event<'_>, context: &mut Context, wrapped: usize, out: &mut dyn FnMut(Record<'_>)) {
    let kind = event.event_type.text().or(event.notification_type.text());
    let (outcome, details) = match kind {
        Some("Delivery") => (Outcome::Delivered, &event.delivery),
        Some("DeliveryDelay") => (Outcome::Deferred, &event.delivery_delay),
        Some("Bounce") => (Outcome::Bounced, &event.bounce),
        Some(_) => return,
        None if wrapped == MAX_WRAPPED => return,
        None => {
            if let Some(inner) = &event.detail {
                understood(inner, context, wrapped + 1, out);
            } else if let Some(text) = event.text.text().filter(|text| text.trim_start().starts_with('{')) {
                // SNS also tells of its own affairs, in words.
                understand(text, context, wrapped + 1, out);
            }
            return;
        }
    };
    let Some(details) = details else {
        return out(Record::Malformed { why: "an SES event without its details" });
    };
    // On a suppression list: nothing was tried.
    if details.bounce_sub_type.text().is_some_and(|kind| kind.contains("Suppress")) {
        return;
    }
    let mail = event.mail.as_ref();
    let time = json::time(&details.timestamp, &mut context.stamper)
        .or_else(|| json::time(&mail?.timestamp, &mut context.stamper));
    let Some(time) = time else {
        return out(Record::Malformed { why: "an SES event without timestamp" });
    };
    let host = details.reporting_mta.text().map(|host| host.rsplit(';').next().unwrap_or(host).trim());
    let base = Attempt {
        time: Some(time),
        mta: MTA,
        host: host.map(str::as_bytes).filter(|host| !host.is_empty()),
        queue_id: mail.and_then(|mail| mail.message_id.bytes()),
        source_ip: mail.and_then(|mail| mail.tags.as_ref()?.outgoing.first()?.bytes()).and_then(parse_ip),
        source_name: None,
        sender: mail.and_then(|mail| mail.source.bytes_or_empty()),
        recipient: None,
        relay_host: None,
        relay_ip: None,
        relay_port: None,
        greeting: None,
        outcome,
        answer: Answer::Nobody,
    };
    let mut count = 0;
    for recipient in details.recipients.iter().filter_map(Scalar::bytes) {
        count += 1;
        let answer = match details.smtp_response.text() {
            Some(reply) => json::passed_on(reply, &mut context.scratch),
            None => Answer::Codes { smtp: None, enhanced: None },
        };
        out(Record::Attempt(Attempt { recipient: Some(recipient), answer, ..base.clone() }));
    }
    for recipient in &details.delayed_recipients {
        let Some(address) = recipient.email_address.bytes() else { continue };
        count += 1;
        let answer = match recipient.diagnostic_code.text() {
            Some(diagnosis) => diagnosed(diagnosis, &mut context.scratch),
            None => json::status_alone(&recipient.status),
        };
        out(Record::Attempt(Attempt { recipient: Some(address), answer, ..base.clone() }));
    }
    if count == 0 {
        out(Record::Malformed { why: "an SES event without recipients" });
    }
}

/// `smtp; 550 …`; of another type, or without one, SES' own words.
fn diagnosed<'a>(diagnosis: &str, scratch: &'a mut Vec<u8>) -> Answer<'a> {
    match diagnosis.split_once(';') {
        Some((kind, reply)) if kind.trim().eq_ignore_ascii_case("smtp") => json::passed_on(reply, scratch),
        Some((kind, _)) if !kind.trim().contains(' ') => Answer::Nobody,
        _ => json::passed_on(diagnosis, scratch),
    }
}

#[cfg(test)]
mod tests;
