//! Events as JSON lines and as CSV.

use serde_json::Value;

use crate::engine::Event;

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
    let value = serde_json::to_value(event).unwrap_or_default();
    let mut line = String::new();
    for (i, field) in FIELDS.iter().enumerate() {
        if i > 0 {
            line.push(',');
        }
        match &value[field] {
            Value::Null => {}
            Value::String(text) => line.push_str(&csv_field(text)),
            other => line.push_str(&other.to_string()),
        }
    }
    line.push('\n');
    line
}

/// Quoted where needed (RFC 4180). What a spreadsheet would take for a formula gets an apostrophe before it.
fn csv_field(text: &str) -> String {
    let guarded =
        if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() };
    if guarded.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", guarded.replace('"', "\"\""))
    } else {
        guarded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_formula_from_a_log_stays_text() {
        assert_eq!(csv_field("=HYPERLINK(\"http://x\",1)"), "\"'=HYPERLINK(\"\"http://x\"\",1)\"");
        assert_eq!(csv_field("550 5.7.1 a"), "550 5.7.1 a");
    }
}
