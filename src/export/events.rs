//! Events as JSON lines and as CSV.

use crate::engine::Event;

use super::csv;

/// One line, with its end.
pub fn ndjson(event: &Event) -> String {
    // Plain strings and numbers: there is nothing that JSON cannot hold.
    let mut line = serde_json::to_string(event).unwrap_or_default();
    line.push('\n');
    line
}

/// The names of the fields, in their order.
const FIELDS: [&str; 25] = [
    "time",
    "mta",
    "file",
    "offset",
    "host",
    "queue_id",
    "source_ip",
    "source_name",
    "source_evidence",
    "sender_domain",
    "recipient_domain",
    "relay_host",
    "relay_ip",
    "platform",
    "outcome",
    "smtp_code",
    "enhanced_code",
    "reply",
    "reply_id",
    "class",
    "is_block",
    "datacenter_host",
    "site",
    "forest",
    "region",
];

/// The header line.
pub fn csv_header() -> String {
    FIELDS.join(",") + "\n"
}

/// The same fields in the same order; null is empty.
pub fn csv(event: &Event) -> String {
    csv::line(&FIELDS, event)
}
