#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::header::NAMES;
use super::*;
use crate::record::stamp::Zone;
use crate::record::{guess, json::tests::shown, registry::tests::plain_lines};

const DOCUMENTED: &str = include_str!("documented.csv");

fn read(log: &str) -> Vec<String> {
    shown(&POWERMTA, log)
}

#[test]
fn documented_lines() {
    let found = read(DOCUMENTED);
    let expected = [
        "2026-05-12T06:20:01Z - 203.0.113.11 vmta-1 news+1@example.com a@outlook.com outlook-com.olc.protection.outlook.com 198.51.100.11 delivered 250 2.6.0 <j1@example.com> [Inter",
        "2026-05-12T06:20:02Z - 203.0.113.12 vmta-2 news+1@example.com b@example.org example-org.mail.protection.outlook.com 198.51.100.14 delivered 250 2.6.0 <j2@example.com> [Inter",
        "2026-05-12T06:20:05Z - 203.0.113.11 vmta-1 news+1@example.com c@hotmail.com hotmail-com.olc.protection.outlook.com 198.51.100.12 deferred 451 4.7.650 The mail server [203.0.",
        "2026-05-12T06:20:40Z - 203.0.113.11 vmta-1 news+1@example.com d@hotmail.com - - deferred Nobody",
        "2026-05-12T06:21:00Z - 203.0.113.12 vmta-2 news+1@example.com e@live.com live-com.olc.protection.outlook.com 198.51.100.13 bounced 550 5.7.1 Unfortunately, messages from",
        "2026-05-12T06:21:09Z - 203.0.113.12 vmta-2 news+1@example.com nobody@example.org example-org.mail.protection.outlook.com 198.51.100.14 bounced 550 5.4.1 Recipient address rejecte",
    ];
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}\n{expected}");
    }
    // The reply is whole, with its tag at the end.
    assert!(found[4].ends_with(" 08DEA1B20C3D5005]"), "{}", found[4]);
    // The same without its header, with a BOM, with CRLF.
    let (header, rows) = DOCUMENTED.split_once('\n').unwrap();
    let (note, without) = (read(rows)[0].clone(), read(rows)[1..].to_vec());
    assert_eq!((note.as_str(), without), (ASSUMED, found.clone()));
    assert_eq!(read(&format!("\u{feff}{}", DOCUMENTED.replace('\n', "\r\n"))), found);
    assert_eq!(header.as_bytes(), DEFAULT_HEADER);
}

#[test]
fn rows_of_all_kinds() {
    let header = "dsnMta,\"type\",dlvType,rcpt,timeLogged,dsnDiag,dsnStatus,extra\n";
    let row = |row: &str| read(&format!("{header}{row}\n")).join("|");
    for (line, expected) in [
        // Unix seconds; the reply dropped: the status says more than x.0.0, or not.
        (
            "mx.example (198.51.100.1),b,smtp,a@b,1778567401,,5.7.1 (x),",
            "2026-05-12T06:30:01Z - - - - a@b mx.example 198.51.100.1 bounced Codes { smtp: None, enhanced: Some(Enhanced(5, 7, 1)) }",
        ),
        (
            "mx.example (198.51.100.1),t,smtp,a@b,1778567401,,4.0.0 (x),",
            "2026-05-12T06:30:01Z - - - - a@b mx.example 198.51.100.1 deferred Codes { smtp: None, enhanced: None }",
        ),
        (
            ",d,smtp,a@b,1778567401,,2.0.0 (success),",
            "2026-05-12T06:30:01Z - - - - a@b - - delivered Codes { smtp: None, enhanced: None }",
        ),
        // Doubled quotes, also in an address.
        (
            "mx. (2001:db8::1),b,,\"\"\"a,b\"\"@c\",1778567401,\"smtp; 550 5.7.1 \"\"no\"\", never\",,",
            "2026-05-12T06:30:01Z - - - - \"a,b\"@c mx 2001:db8::1 bounced 550 5.7.1 \"no\", never",
        ),
        // Only an address.
        (
            "198.51.100.1,b,,a@b,1778567401,smtp;550 no,,",
            "2026-05-12T06:30:01Z - - - - a@b - 198.51.100.1 bounced 550 no",
        ),
        // Nothing tried: the operator's bounce, the queue's end; own words after a try.
        (",b,smtp,a@b,1778567401,x-pmta;bounce-queue,5.0.0 (x),", ""),
        (",t,smtp,a@b,1778567401,x-pmta;paused,4.0.0 (x),", "held back"),
        (",b,smtp,a@b,1778567401,,4.4.7 (delivery time expired),", ""),
        (
            "mx (198.51.100.1),t,smtp,a@b,1778567401,x-pmta;lost,4.4.2 (x),",
            "2026-05-12T06:30:01Z - - - - a@b mx 198.51.100.1 deferred Nobody",
        ),
        // Local hops, other types.
        ("mx (10.0.0.1),b,smtp,a@b,1778567401,smtp;550 no,,", ""),
        (",d,file,a@b,1778567401,,,", ""),
        // A bounce that came back, with a refusal and without.
        (
            "mx.example,rb,,a@b,1778567401,smtp;550 no,,",
            "2026-05-12T06:30:01Z - - - - a@b mx.example - bounced 550 no",
        ),
        (",rb,,a@b,1778567401,x-unix;full,5.2.2 (x),", ""),
        (",rb,,a@b,1778567401,,5.0.0 (x),", ""),
        (",tq,,,1778567401,smtp;451 no,,", ""),
        // Broken.
        ("mx (198.51.100.1),b,smtp,a@b,1778567401,\"smtp;550 5.7.1 a", "quotes that do not close"),
        ("mx (198.51.100.1),b,smtp,a@b", "fewer columns than the header names"),
        ("mx (198.51.100.1),b,smtp,a@b,yesterday,smtp;550 no,,", "a timeLogged that is no time"),
    ] {
        assert_eq!(row(line), expected, "{line}");
    }
    // A second header, of another order, and lines of another order without one.
    let two = format!("{header}timeLogged,rcpt,type\n1778567401,a@b,d\n");
    assert_eq!(read(&two).len(), 1);
    assert!(read("b,mx,1778567401,a@b,,,,,,,,,\n")[0].starts_with("no header"));
    let (_, rows) = DOCUMENTED.split_once('\n').unwrap();
    for row in rows.lines() {
        let (kind, rest) = row.split_once(',').unwrap();
        let (time, rest) = rest.split_once(',').unwrap();
        assert_eq!(read(&format!("{time},{kind},{rest}")), [NO_HEADER]);
    }
    assert!(read("r,2026-05-12 08:20:01+0200,a@b,c@d,e,f\n").is_empty());
}

#[test]
fn stamps_and_guesses() {
    let naive = POWERMTA.naive_stamp(b"d,a,b,2026-05-12 08:20:01+0200,2026-05-12 08:00:00+0200").unwrap();
    assert_eq!((naive.second_of_day, naive.offset), (30_001, Some(7200)));
    assert!(guess(b"a,b,c,d,e,f\n1,2,3,4,5,6\n").is_none());
    // Columns in another order, without the header.
    let odd = "mx (198.51.100.1),b,smtp,a@b,1778567401,smtp;550 5.7.1 no,5.7.1 (x),\n".repeat(4);
    assert_eq!(guess(odd.as_bytes()).unwrap().name(), "powermta");
}

#[test]
fn a_bounce_that_came_back_retells() {
    let mut reader = POWERMTA.reader(&Clock { zone: Zone::Fixed(0), year: 2026 });
    let mut retold = Vec::new();
    for line in
        ["type,timeLogged,rcpt,dsnDiag", "rb,1778567401,a@b,smtp;550 no", "b,1778567401,a@b,smtp;550 no"]
    {
        reader.line(Line { bytes: line.as_bytes(), offset: 0 }, &mut |_, record| {
            retold.push(matches!(record, Record::Retold(_)));
        });
    }
    assert_eq!(retold, [true, false]);
}

#[test]
fn records_over_several_lines() {
    let header = "type,timeLogged,rcpt,dsnDiag,dsnMta\n";
    let first = "b,1778567401,a@b,\"smtp;550 5.7.1 one\r\n\"\"two\"\", three\nfour\",mx\n";
    let second = "d,1778567402,c@d,smtp;250 ok,mx\n";
    let expected = [
        "2026-05-12T06:30:01Z - - - - a@b mx - bounced 550 5.7.1 one \"two\", three four",
        "2026-05-12T06:30:02Z - - - - c@d mx - delivered 250 ok",
    ];
    assert_eq!(read(&format!("{header}{first}{second}")), expected);
    // The record begins where its first line does.
    let mut reader = POWERMTA.reader(&Clock { zone: Zone::Fixed(0), year: 2026 });
    let mut offsets = Vec::new();
    for (offset, line) in format!("{header}{first}{second}").lines().enumerate() {
        reader.line(Line { bytes: line.as_bytes(), offset: offset as u64 }, &mut |at, _| offsets.push(at));
    }
    assert_eq!(offsets, [1, 4]);
    // A record that was cut takes nothing of those behind it.
    let cut = "b,1778567401,a@b,\"smtp;550 5.7.1 one\n";
    assert_eq!(
        read(&format!("{header}{cut}{second}{second}")),
        ["quotes that do not close", expected[1], expected[1]]
    );
    // One that never ends is given up.
    let endless = format!("{header}{cut}{}", "words\n".repeat(20_000));
    assert_eq!(read(&endless), ["quotes that do not close"]);
    assert_eq!(read(&format!("{endless}{second}"))[1], expected[1]);
}

#[test]
fn what_a_file_does_not_show_is_told() {
    let seen = Seen { delivered: 3, bounced: 1, ..Seen::default() };
    assert_eq!(POWERMTA.blind_spot(&seen), Some(NO_DEFERRALS));
    assert_eq!(POWERMTA.blind_spot(&Seen { deferred: 1, ..seen }), None);
    assert_eq!(POWERMTA.blind_spot(&Seen { deferred: 1, sourceless: 5, ..seen }), Some(NO_SOURCE));
    assert_eq!(POWERMTA.blind_spot(&Seen::default()), None);
    // The daemon's own log.
    let log = "2026-05-12 08:00:00 Starting PowerMTA v5.0r8, Copyright\n2026-05-12 08:00:01 Listening for SMTP on 0.0.0.0:25\n\
        2026-05-12 08:20:01 entering backoff mode for hotmail.com/vmta-1\n";
    assert!(guess(log.as_bytes()).is_none());
    assert!(crate::record::instead(log.as_bytes()).unwrap().contains("accounting file"));
    assert!(
        crate::record::instead(b"2026-05-12 08:20:01 INFO started\n2026-05-12 08:20:02 INFO stopped\n")
            .is_none()
    );
}

fn quoted(field: &str, always: bool) -> String {
    if always || field.contains([',', '"', '\n']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(text in proptest::collection::vec(proptest::sample::select(&b"dtbsmtp;550,\"\" ()@.1-\n\xff"[..]), 0..200), header in any::<bool>()) {
        let mut log = if header { b"type,timeLogged,dsnDiag,rcpt\n".to_vec() } else { Vec::new() };
        log.extend_from_slice(&text);
        let clock = Clock { zone: Zone::Fixed(0), year: 2026 };
        let mut reader = POWERMTA.reader(&clock);
        for bytes in log.split(|byte| *byte == b'\n') {
            reader.line(Line { bytes, offset: 0 }, &mut |_, _| {});
        }
        reader.finish(&mut |_, _| {});
        POWERMTA.score(&log);
    }

    #[test]
    fn what_is_rendered_is_read(
        order in Just(NAMES.to_vec()).prop_shuffle(),
        kind in 0..3usize,
        local in "[a-z\",@ ]{1,8}",
        diag in "55[0-9] [ -~\né]{0,40}[!-~]",
        vmta in "[a-z0-9-]{1,9}",
        ip in any::<[u8; 4]>(),
        seconds in 1_000_000_000..2_000_000_000i64,
        always in any::<bool>(),
    ) {
        let ip = std::net::Ipv4Addr::from([203, ip[1], ip[2], ip[3]]);
        let rcpt = format!("{local}@example.org");
        let value = |column: Column| match column {
            Column::Type => ["d", "t", "b"][kind].to_owned(),
            Column::TimeLogged => seconds.to_string(),
            Column::Rcpt => rcpt.clone(),
            Column::Orig => "n@example.com".into(),
            Column::DlvSourceIp | Column::DlvDestinationIp => ip.to_string(),
            Column::Vmta => vmta.clone(),
            Column::DsnMta => format!("mx.outlook.com ({ip})"),
            Column::DsnDiag => format!("smtp;{diag}"),
            Column::DsnStatus => "5.7.1 (words, more)".into(),
            Column::DlvType => "smtp".into(),
        };
        let names: Vec<String> = order.iter().map(|(name, _)| String::from_utf8_lossy(name).into_owned()).collect();
        let row: Vec<String> = order.iter().map(|(_, column)| quoted(&value(*column), always)).collect();
        let log = format!("{}\n{}\n", names.join(","), row.join(","));
        let time = crate::record::Time::from_seconds(seconds);
        let outcome = ["delivered", "deferred", "bounced"][kind];
        prop_assert_eq!(read(&log), [format!("{time} - {ip} {vmta} n@example.com {rcpt} mx.outlook.com {ip} {outcome} {}", diag.replace('\n', " "))]);
    }
}

/// Rows, most of them plain, under a header in any order.
fn log() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let one = |of: &'static [&'static str]| proptest::sample::select(of);
    let row = (
        one(&["d", "d", "d", "d", "t", "b", "rb", "r", "D"]),
        one(&[
            "2026-05-12 08:20:01+0200",
            "2026-05-12 08:20:01+0200",
            "2026-05-12 08:20:02+0200",
            "1778567401",
            "May 12 08:20:01",
            "no",
        ]),
        one(&[
            "mx.example (198.51.100.7)",
            "mx.example (198.51.100.7)",
            "ours.example (198.51.100.8)",
            "mx (10.0.0.1)",
            "mx.example.",
            "198.51.100.7",
            " mx.example  (2001:db8::7) ",
            "a \"b\" (198.51.100.7)",
            "",
        ]),
        one(&["198.51.100.7", "198.51.100.7", "", "198.51.100.9", "2001:db8::7", "10.0.0.1"]),
        one(&["203.0.113.11", "203.0.113.12", "", "2001:db8::1", "none"]),
        one(&["vmta-1", "vmta-2", "", "a,b", "a\"b"]),
        one(&["smtp", "smtp", "SMTP", "", "file"]),
        one(&["smtp;250 2.0.0 ok", "smtp;250 one, \"two\"", "", "smtp;250 over\nlines"]),
        one(&["job", "", "\"", "a,b"]),
        any::<bool>(),
    );
    let rows = proptest::collection::vec(row, 1..12);
    let spoil = proptest::option::weighted(
        0.5,
        (any::<prop::sample::Index>(), proptest::sample::select(&b"\",\n\r\0a("[..]), any::<bool>()),
    );
    let names = NAMES.iter().map(|(name, _)| *name).chain([&b"jobId"[..]]).collect::<Vec<_>>();
    (Just(names).prop_shuffle(), rows, spoil, any::<bool>()).prop_map(|(names, rows, spoil, has_header)| {
        let mut log = names.join(&b","[..]);
        log.push(b'\n');
        if !has_header {
            log.clear();
        }
        for (kind, time, mta, ip, source, vmta, dlv_type, diag, job, always) in rows {
            let row: Vec<String> = names
                .iter()
                .map(|name| match *name {
                    b"type" => kind,
                    b"timeLogged" => time,
                    b"rcpt" => "a@b",
                    b"orig" => "n@example.com",
                    b"dlvSourceIp" => source,
                    b"vmta" => vmta,
                    b"dsnMta" => mta,
                    b"dlvDestinationIp" => ip,
                    b"dsnDiag" => diag,
                    b"dsnStatus" => "2.0.0 (success)",
                    b"dlvType" => dlv_type,
                    _ => job,
                })
                .map(|value| quoted(value, always))
                .collect();
            log.extend_from_slice(row.join(",").as_bytes());
            log.push(b'\n');
        }
        if let Some((at, byte, insert)) = spoil {
            let at = at.index(log.len());
            log.splice(at..at + usize::from(!insert), [byte]);
        }
        log.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn a_plain_row_is_the_attempt_that_the_whole_row_is(lines in log()) {
        plain_lines(&POWERMTA, &lines);
    }
}

#[test]
fn most_deliveries_are_plain() {
    let mut lines = vec![DEFAULT_HEADER.to_vec()];
    let plain = SAMPLE.replacen("t,", "d,", 1).replace("(no answer from host),,", "(success),smtp;250 ok,");
    for (mta, ip) in [
        ("mx.example (198.51.100.7)", "198.51.100.7"),
        ("mx.example (198.51.100.7)", ""),
        ("ours.example (198.51.100.7)", ""),
    ] {
        let mut fields: Vec<&str> = plain.split(',').collect();
        (fields[9], fields[15]) = (mta, ip);
        lines.push(fields.join(",").into_bytes());
    }
    assert_eq!(plain_lines(&POWERMTA, &lines), 3);
    // Without the header nothing is certain.
    assert_eq!(plain_lines(&POWERMTA, &lines[1..]), 0);
}
