#![allow(clippy::unwrap_used)]

use super::*;
use crate::record::{Format, Line, Record};

#[test]
fn values_of_all_kinds() {
    let read = |text: &'static str| serde_json::from_str::<Scalar<'static>>(text).unwrap();
    assert!(matches!(read(r#""a""#), Scalar::Text(Cow::Borrowed("a"))));
    assert_eq!(read(r#""a\n""#).text(), Some("a\n"));
    assert_eq!(
        (read("550").code(), read("\"550\"").code(), read("0").code(), read("5.5").code()),
        (Some(550), Some(550), None, None)
    );
    for other in ["null", "true", "[1,[2]]", "{\"a\":{}}"] {
        assert_eq!(read(other), Scalar::Missing);
    }
    assert_eq!(read("1778571001.12").stamp(), Some(Naive::utc(1_778_571_001, Some(120))));
    assert_eq!(read("1778571001").stamp(), Some(Naive::utc(1_778_571_001, None)));
    assert_eq!(read("-1").stamp(), None);
}

#[test]
fn a_reply_is_put_together() {
    let mut scratch = Vec::new();
    let mut text = |code, enhanced, text| match reply(code, enhanced, text, &mut scratch) {
        Answer::Text(reply) => String::from_utf8_lossy(reply).into_owned(),
        other => format!("{other:?}"),
    };
    assert_eq!(text(Some(550), Some(Enhanced(5, 7, 1)), "no\r\nnever\nno"), "550 5.7.1 no never no");
    assert_eq!(text(Some(550), None, "SC-001 (X) no"), "550 SC-001 (X) no");
    assert_eq!(text(Some(550), Some(Enhanced(5, 7, 1)), "550 5.7.1 no"), "550 5.7.1 no");
    assert_eq!(text(None, Some(Enhanced(5, 7, 1)), "no"), "Nobody");
    assert_eq!(text(Some(250), None, ""), "Codes { smtp: Some(250), enhanced: None }");
}

#[test]
fn keys_inside_texts_are_none() {
    let line = br#"{"text":"\"time\": 1", "time" : "2026-05-12T06:30:01Z"}"#;
    assert_eq!(behind_key(line, b"\"time\"").unwrap(), br#""2026-05-12T06:30:01Z"}"#);
    assert!(has(line, b"\"text\"") && !has(line, b"\"tex\""));
}

/// Shows a format a line with some bytes of it replaced: nothing may panic.
pub(crate) fn survives(format: &dyn Format, line: &str, at: usize, bytes: Vec<u8>) {
    let mut line = line.as_bytes().to_vec();
    let end = (at + bytes.len()).min(line.len());
    line.splice(at.min(end)..end, bytes);
    let mut reader = format.reader(&stamp::Clock { zone: stamp::Zone::Fixed(0), year: 2026 });
    reader.line(Line { bytes: &line, offset: 0 }, &mut |_, _| {});
    reader.finish(&mut |_, _| {});
    format.naive_stamp(&line);
    format.score(&line);
}

/// What a log's lines are, one text a record: time, queue id, source, its name, sender, recipient, relay, its address,
/// outcome, answer.
pub(crate) fn shown(format: &dyn Format, log: &str) -> Vec<String> {
    let mut reader = format.reader(&stamp::Clock { zone: stamp::Zone::Fixed(0), year: 2026 });
    let text =
        |bytes: Option<&[u8]>| bytes.map_or("-".into(), |bytes| String::from_utf8_lossy(bytes).into_owned());
    let ip = |ip: Option<std::net::IpAddr>| ip.map_or("-".into(), |ip| ip.to_string());
    let mut found = Vec::new();
    {
        let mut show = |_: u64, record: Record<'_>| {
            found.push(match record {
                Record::Attempt(attempt) | Record::Retold(attempt) => format!(
                    "{} {} {} {} {} {} {} {} {} {}",
                    attempt.time.map_or("-".into(), |time| time.to_string()),
                    text(attempt.queue_id),
                    ip(attempt.source_ip),
                    text(attempt.source_name),
                    text(attempt.sender),
                    text(attempt.recipient),
                    text(attempt.relay_host),
                    ip(attempt.relay_ip),
                    attempt.outcome.name(),
                    match attempt.answer {
                        Answer::Text(reply) => text(Some(reply)),
                        other => format!("{other:?}"),
                    }
                ),
                Record::HeldBack { .. } => "held back".into(),
                Record::Note(text) => text.into(),
                Record::Queued { .. } => "queued".into(),
                Record::Irrelevant => "irrelevant".into(),
                Record::Malformed { why } => why.into(),
            });
        };
        for bytes in log.split('\n').map(str::as_bytes) {
            reader.line(Line { bytes, offset: 0 }, &mut show);
        }
        reader.finish(&mut show);
    }
    found
}
