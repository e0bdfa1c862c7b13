#![allow(clippy::unwrap_used)]

use std::io::Read;

use super::*;
use crate::record::Mta;

/// Stretches of a log from which its format must be told: all, the first 64 kB and 1 kB, the last 64 kB.
fn assert_told(name: &str, log: &[u8], what: &str) {
    const PART: usize = 64 * 1024;
    for part in [
        log,
        &log[..log.len().min(PART)],
        &log[..log.len().min(1024)],
        &log[log.len().saturating_sub(PART)..],
    ] {
        let found = guess(part).map(Format::name);
        assert_eq!(found, Some(name), "{what}: {} bytes", part.len());
    }
}

#[test]
fn each_format_is_told_from_any_stretch_of_its_log() {
    for (name, lines) in [
        ("powermta", include_str!("../powermta/documented.csv")),
        ("kumomta", include_str!("../kumomta/documented.jsonl")),
        ("ses", include_str!("../ses/documented.jsonl")),
        ("sendgrid", include_str!("../sendgrid/documented.jsonl")),
    ] {
        let (first, rest) = lines.split_once('\n').unwrap();
        let log = format!("{first}\n{}", rest.repeat(1 + 100_000 / rest.len()));
        assert!(log.len() > 3 * 64 * 1024 / 2);
        assert_told(name, log.as_bytes(), name);
        assert_told(name, log.replace('\n', "\r\n").as_bytes(), name);
        // Each line on its own, and without its end.
        for line in lines.lines() {
            assert_eq!(guess(line.as_bytes()).unwrap().name(), name, "{line}");
            assert_eq!(guess(&line.as_bytes()[..line.len().min(700)]).unwrap().name(), name, "{line}");
        }
    }
    for format in formats() {
        let log = format!("{}\n", format.sample()).repeat(300);
        assert_told(format.name(), log.as_bytes(), format.sample());
    }
}

#[test]
fn real_logs_are_told() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real-logs");
    let mut seen = 0;
    for (name, file) in [
        ("postfix", "postfix/mail.log.gz"),
        ("postfix", "postfix/mail-iso.log.gz"),
        ("postfix", "postfix/journal-short-iso.log.gz"),
        ("postfix", "postfix/journal.json.gz"),
        ("postfix", "postfix-postlog/postfix.log.gz"),
        ("exim", "exim/exim-mainlog.gz"),
        ("exim", "exim/mail.log.gz"),
        ("exim", "exim/mail-iso.log.gz"),
        ("exim", "exim-plain/exim-mainlog.gz"),
        ("dsn", "postfix/bounces.mbox.gz"),
        ("dsn", "exim/bounces.mbox.gz"),
        ("dsn", "sendmail/bounces.mbox.gz"),
        ("dsn", "opensmtpd/bounces.mbox.gz"),
        ("dsn", "haraka/bounces.mbox.gz"),
        ("sendmail", "sendmail/mail.log.gz"),
        ("sendmail", "sendmail/mail-iso.log.gz"),
        ("opensmtpd", "opensmtpd/mail.log.gz"),
        ("opensmtpd", "opensmtpd/mail-iso.log.gz"),
        ("haraka", "haraka/haraka.log.gz"),
        ("haraka", "haraka-json/haraka.log.gz"),
    ] {
        // A package has no real logs.
        let Ok(packed) = std::fs::read(root.join(file)) else { continue };
        let mut log = Vec::new();
        flate2::read::MultiGzDecoder::new(&packed[..]).read_to_end(&mut log).unwrap();
        let (first, last) = (&log[..log.len().min(64 * 1024)], &log[log.len().saturating_sub(64 * 1024)..]);
        for part in [first, &log[..log.len().min(1024)], last] {
            assert_eq!(guess(part).map(Format::name), Some(name), "{file}: {} bytes", part.len());
        }
        seen += 1;
    }
    assert!(seen == 20 || !root.exists());
}

/// What a glance tells, as [`Reader::line`] would have it.
pub(crate) fn record_of<'a>(format: &dyn Format, glance: &Glance<'a>) -> Option<Record<'a>> {
    let plain = match *glance {
        Glance::Delivered(plain) => plain,
        Glance::Queued { source, queue_id, sender } => {
            let host = format.origin(source)?.host;
            return Some(Record::Queued { host, queue_id, sender });
        }
    };
    let (origin, relay) = (format.origin(plain.source)?, format.relay(plain.relay)?);
    Some(Record::Attempt(Attempt {
        time: Some(plain.time),
        mta: Mta(format.name()),
        host: origin.host,
        queue_id: plain.queue_id,
        source_ip: origin.ip,
        source_name: origin.name,
        sender: plain.sender,
        recipient: plain.recipient,
        relay_host: relay.host,
        relay_ip: relay.ip,
        relay_port: relay.port,
        outcome: Outcome::Delivered,
        answer: Answer::Text(plain.reply),
        greeting: None,
    }))
}

/// Asserts that a reader that looks for plain lines first tells the same as one that reads them all; how many were plain.
pub(crate) fn plain_lines(format: &dyn Format, lines: &[Vec<u8>]) -> usize {
    let clock = Clock { zone: super::super::stamp::Zone::Fixed(0), year: 2026 };
    let (mut quick, mut whole) = (format.reader(&clock), format.reader(&clock));
    let mut found = 0;
    for (offset, bytes) in lines.iter().enumerate() {
        let line = Line { bytes, offset: offset as u64 };
        let mut read = Vec::new();
        whole.line(line, &mut |at, record| read.push(format!("{at} {record:?}")));
        if let Some(record) = quick.glance(bytes).and_then(|glance| record_of(format, &glance)) {
            assert_eq!(read, [format!("{offset} {record:?}")]);
            found += usize::from(matches!(record, Record::Attempt(_)));
            continue;
        }
        let mut again = Vec::new();
        quick.line(line, &mut |at, record| again.push(format!("{at} {record:?}")));
        assert_eq!(again, read, "{}", String::from_utf8_lossy(bytes));
    }
    let mut rest = [Vec::new(), Vec::new()];
    for (reader, rest) in [&mut quick, &mut whole].into_iter().zip(&mut rest) {
        reader.finish(&mut |at, record| rest.push(format!("{at} {record:?}")));
    }
    assert_eq!(rest[0], rest[1]);
    found
}

#[test]
fn address_and_name_of_a_key_are_told_apart_whatever_they_hold() {
    let parse = |text: &[u8]| std::str::from_utf8(text).ok()?.parse().ok();
    let mut key = Vec::new();
    for (address, name) in [("192.0.2.1", "a"), ("", "192.0.2.1"), ("192.0.2.1", ""), ("", "\0a"), ("", "")] {
        Origin::write_key(&mut key, address.as_bytes(), name.as_bytes()).unwrap();
        let ip = (!address.is_empty()).then(|| address.parse().unwrap());
        let name = (!name.is_empty()).then_some(name.as_bytes());
        assert_eq!(Origin::of_key(&key, parse), Some(Origin { host: None, name, ip }));
    }
    Origin::write_key(&mut key, b"\0none", b"a").unwrap();
    assert_eq!(Origin::of_key(&key, parse), None);
    assert!(Origin::write_key(&mut key, &[b'1'; 300], b"a").is_none());
}
