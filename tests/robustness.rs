//! Any bytes: no panic, each line counted once, and the slow way agrees with the fast one.

mod common;

use std::fs;
use std::path::Path;

use common::{eopwatch, output};
use eopwatch::aggregate::Snapshot;
use eopwatch::engine::{Options, Run};
use proptest::prelude::*;

/// Reads a file as the program does, in spans of this many bytes.
fn read(path: &Path, span: Option<u64>, threads: usize, mta: Option<&str>) -> (Snapshot, [u64; 3]) {
    let options = Options {
        mta: mta.map(str::to_owned),
        year: Some(2026),
        threads,
        span,
        now: 1_780_000_000,
        ..Options::of(vec![path.to_owned()])
    };
    let run = Run::new(options, false);
    let snapshot = run.batch();
    let kinds = run.lines_by_kind();
    (snapshot, kinds)
}

/// Pieces of real lines, and bytes that break them.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"May 12 08:11:41 mta1 postfix/smtp[3011]: 4bWx2k3Tq1z9sPq: to=<a@outlook.com>, ".to_vec()),
        Just(b"relay=outlook-com.olc.protection.outlook.com[52.101.21.1]:25, delay=1, delays=0/0/0/1, ".to_vec()),
        Just(b"dsn=2.6.0, status=sent (250 2.6.0 <x@y> [InternalId=1] Queued)\n".to_vec()),
        Just(b"dsn=5.7.1, status=bounced (host x[1.2.3.4] said: 550 5.7.1 blocked (S3140) (in reply to MAIL FROM command))\n".to_vec()),
        Just(b"relay=none, delay=1, dsn=4.4.1, status=deferred (connect to x.olc.protection.outlook.com[52.101.21.1]:25: Connection timed out)\n".to_vec()),
        Just(b"2026-05-12 08:30:01 1uEAbC-0000000BxYz-1Abc => a@outlook.com R=dnslookup T=remote_smtp ".to_vec()),
        Just(b"H=outlook-com.olc.protection.outlook.com [198.51.100.11] I=[192.0.2.21]:40112 C=\"250 2.6.0 ok\"\n".to_vec()),
        Just(b"2026-05-12 08:30:01 1uEAbC-0000000BxYz-1Abc ** a@live.com R=d T=remote_smtp H=x [1.2.3.4]: SMTP error from remote mail server after MAIL FROM:<>: 550 5.7.1 no\n".to_vec()),
        Just(b"May 12 02:36:41 mx2 exim[477]: [1/2] 2026-05-12 02:36:41 1xVgOe-00007g-2h ** a@b".to_vec()),
        Just(b"{\"__REALTIME_TIMESTAMP\":\"1795487782699803\",\"SYSLOG_IDENTIFIER\":\"postfix/smtp\",\"MESSAGE\":\"".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(vec![0; 40]),
        Just(b"\x1b[2J\xff\xfe\xc3".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..40),
    ];
    proptest::collection::vec(piece, 0..30).prop_map(|list| list.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn each_line_is_counted_once_however_it_is_cut(bytes in pieces(), span in 1u64..400, name in 0usize..3) {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("log");
        fs::write(&path, &bytes)?;
        let mta = [None, Some("postfix"), Some("exim")][name];
        let (whole, kinds) = read(&path, None, 1, mta);
        let lines = whole.totals.lines;
        if mta.is_some() {
            prop_assert_eq!(lines, bytes.split_inclusive(|b| *b == b'\n').count() as u64);
        }
        prop_assert_eq!(kinds.iter().sum::<u64>(), lines, "parsed, irrelevant, malformed: {:?}", kinds);
        prop_assert_eq!(kinds[2], whole.totals.malformed);
        let (cut, cut_kinds) = read(&path, Some(span), 3, mta);
        prop_assert_eq!(kinds, cut_kinds);
        // Random lines are in no order of time, and a log's range is told by the lines at its ends.
        let json = |mut s: Snapshot| {
            s.inputs.clear();
            s.range = Default::default();
            serde_json::to_string(&s).unwrap_or_default()
        };
        prop_assert_eq!(json(whole), json(cut));
    }
}

#[test]
fn a_line_of_a_megabyte_and_one_beyond_the_cap_are_survived() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mail.log");
    let line = |padding: usize| {
        let mut line = b"May 12 08:15:09 mta1 postfix-out2/smtp[3040]: 4bWx6n0Kz4z9sQL: to=<m@msn.com>, \
            relay=msn-com.olc.protection.outlook.com[52.101.21.1]:25, delay=0.77, delays=0.05/0.01/0.5/0.21, dsn=5.7.1, \
            status=bounced (host msn-com.olc.protection.outlook.com[52.101.21.1] said: 550 5.7.1 Unfortunately, messages \
            from [192.0.2.12] weren't sent. part of their network is on our block list (S3140) "
            .to_vec();
        line.extend(std::iter::repeat_n(b'x', padding));
        line.extend(b" (in reply to MAIL FROM command))\n");
        line
    };
    let bytes = [line(0), line(1 << 20), line(17 << 20), line(0)].concat();
    fs::write(&path, bytes).expect("written");
    let (snapshot, kinds) = read(&path, None, 2, None);
    assert_eq!(snapshot.totals.counts.attempts, 3);
    assert_eq!(snapshot.totals.counts.blocked, 3);
    assert_eq!((snapshot.totals.lines, snapshot.totals.malformed), (4, 1));
    assert_eq!(kinds.iter().sum::<u64>(), 4);
}

#[test]
fn line_ends_holes_and_missing_newlines_change_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let content = common::text(&common::data("real-logs/postfix/mail.log.gz"));
    let summary = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).expect("written");
        let value = common::summary(&[], &[path]);
        (value["totals"].clone(), value["sources"].clone())
    };
    let plain = summary("plain", content.as_bytes());
    assert_eq!(plain, summary("crlf", content.replace('\n', "\r\n").as_bytes()));
    assert_eq!(plain, summary("unterminated", content.trim_end().as_bytes()));
    // What a crash leaves: a run of NUL bytes, and the next line behind it.
    let holes: String = content
        .split_inclusive('\n')
        .enumerate()
        .map(|(i, l)| if i % 500 == 499 { "\0".repeat(300) + l } else { l.to_owned() })
        .collect();
    assert_eq!(plain, summary("holes", holes.as_bytes()));
}

#[test]
fn a_truncated_archive_is_counted_as_far_as_it_goes_and_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = fs::read(common::data("real-logs/postfix/mail.log.gz")).expect("a sample");
    let path = folder.path().join("mail.log.gz");
    fs::write(&path, &bytes[..bytes.len() / 2]).expect("written");
    let out = output(eopwatch().args(["summary", "--format", "json"]).arg(&path), 3);
    let value: serde_json::Value = serde_json::from_slice(&out.stdout).expect("JSON");
    assert!(value["totals"]["attempts"].as_u64() > Some(300));
    let err = String::from_utf8_lossy(&out.stderr);
    assert!(err.contains("the gzip file is cut short: what it holds was counted"), "{err}");
    // Members one after the other are one stream.
    fs::write(&path, [&bytes[..], &bytes[..]].concat()).expect("written");
    let twice = common::summary(&[], &[path]);
    assert_eq!(twice["totals"]["attempts"], 2 * 1748);
}
