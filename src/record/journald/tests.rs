#![allow(clippy::unwrap_used)]

use super::*;

fn parts(line: &str) -> Option<String> {
    let mut scratch = Vec::new();
    let envelope = match strip(line.as_bytes(), &mut scratch)? {
        Ok(envelope) => envelope,
        Err(TooLong(_)) => return Some("too long".into()),
    };
    Some(format!(
        "{}|{}|{}|{}",
        envelope.time,
        String::from_utf8_lossy(envelope.host.unwrap_or(b"-")),
        String::from_utf8_lossy(envelope.tag),
        String::from_utf8_lossy(envelope.text)
    ))
}

#[test]
fn entries_of_all_kinds() {
    let stamp = r#""__REALTIME_TIMESTAMP":"1795487782699803""#;
    for (rest, expected) in [
        (
            r#""MESSAGE":"a \"b\" \\ \u00e9\ud83d\ude00","SYSLOG_IDENTIFIER":"postfix/smtp","_HOSTNAME":"m""#,
            "2026-11-24T02:36:22.699Z|m|postfix/smtp|a \"b\" \\ é😀",
        ),
        (
            r#""_COMM" : "smtp" , "X":["a]","b"], "N": 12, "MESSAGE":[104, 105]"#,
            "2026-11-24T02:36:22.699Z|-|smtp|hi",
        ),
        (r#""_COMM":"smtp","MESSAGE":null"#, "too long"),
        (r#""_COMM":"smtp","MESSAGE":"cut"#, "none"),
        (r#""_COMM":"smtp""#, "none"),
        (r#""MESSAGE":"x""#, "none"),
    ] {
        let line = format!("{{{stamp},{rest}}}");
        assert_eq!(parts(&line).unwrap_or("none".into()), expected, "{line}");
    }
    assert!(looks_like_entry(format!("{{{stamp}}}").as_bytes()));
    assert!(naive_stamp(format!("{{{stamp}}}").as_bytes()).is_some());
}
