//! Tables as CSV (RFC 4180).

use std::fmt::Write;

use serde::Serialize;
use serde_json::Value;

use crate::aggregate::Snapshot;

/// The names of an onset's fields, in their order.
const ONSET: [&str; 35] = [
    "id",
    "was",
    "status",
    "untried_since",
    "decided_at",
    "cleared_at",
    "family",
    "class",
    "reply_id",
    "smtp_code",
    "enhanced_code",
    "source_ip",
    "source_name",
    "host",
    "range",
    "platform",
    "datacenters",
    "spread",
    "domain",
    "sender_domain",
    "start",
    "first_refused",
    "end",
    "last_attempt",
    "last_accepted",
    "basis",
    "confidence",
    "before",
    "during",
    "lost",
    "deferred",
    "first_line",
    "reading",
    "backoff",
    "takeover",
];

/// A header line, and a line for each event; what has parts of its own is JSON in its cell.
pub fn onsets(snapshot: &Snapshot) -> String {
    let header = ONSET.join(",") + "\n";
    snapshot.onsets.iter().fold(header, |text, onset| text + &line(&ONSET, onset))
}

/// These fields of a record in this order; null is empty.
pub(super) fn line(fields: &[&str], record: &impl Serialize) -> String {
    // Plain strings and numbers: there is nothing that JSON cannot hold.
    let value = serde_json::to_value(record).unwrap_or_default();
    let mut line = String::new();
    for (i, name) in fields.iter().enumerate() {
        if i > 0 {
            line.push(',');
        }
        match &value[name] {
            Value::Null => {}
            Value::String(text) => line.push_str(&field(text)),
            nested @ (Value::Array(_) | Value::Object(_)) => line.push_str(&field(&nested.to_string())),
            // A number or a boolean.
            plain => {
                let _ = write!(line, "{plain}");
            }
        }
    }
    line.push('\n');
    line
}

/// Quoted where needed. What a spreadsheet would take for a formula gets an apostrophe before it.
fn field(text: &str) -> String {
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
        assert_eq!(field("=HYPERLINK(\"http://x\",1)"), "\"'=HYPERLINK(\"\"http://x\"\",1)\"");
        assert_eq!(field("550 5.7.1 a"), "550 5.7.1 a");
    }
}
