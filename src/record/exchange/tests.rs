#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::record::{guess, json::tests::shown, stamp::Zone};

const PROTOCOL_LOG: &str = include_str!("documented.log");
const TRACKING_LOG: &str = include_str!("documented-tracking.log");

fn read(log: &str) -> Vec<String> {
    shown(&EXCHANGE, log)
}

/// By which name the server greeted, of each attempt.
fn greetings(log: &str) -> Vec<Option<String>> {
    let mut reader = EXCHANGE.reader(&Clock { zone: Zone::Fixed(0), year: 2026 });
    let mut found = Vec::new();
    for bytes in log.lines().map(str::as_bytes) {
        reader.line(Line { bytes, offset: 0 }, &mut |_, record| {
            if let Record::Attempt(attempt) = record {
                found.push(attempt.greeting.map(|name| String::from_utf8_lossy(name).into_owned()));
                assert_eq!(attempt.relay_port, Some(25));
            }
        });
    }
    found
}

fn assert_starts(found: &[String], expected: &[&str]) {
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}\n{expected}");
    }
}

#[test]
fn documented_sessions() {
    let expected = [
        "2026-05-12T07:50:05.000Z - 192.0.2.61 To Internet n@example.com a@outlook.com - 198.51.100.11 delivered 250 2.6.0 <x1@example.com> [Int",
        "2026-05-12T07:50:03.000Z - 192.0.2.61 To Internet n@example.com c@hotmail.com - 198.51.100.12 deferred 451 4.7.650 The mail server [192",
        "2026-05-12T07:50:04.000Z - 192.0.2.61 To Internet n@example.com e@live.com - 198.51.100.13 bounced 550 5.7.1 Unfortunately, messages from",
    ];
    let found = read(PROTOCOL_LOG);
    assert_starts(&found, &expected);
    assert!(found[1].ends_with("08DEA1B20C3D5022]"));
    assert_eq!(
        greetings(PROTOCOL_LOG),
        ["CH1PEPF0000A34A", "BL6PEPF00022570", "DM3NAM06FT012"]
            .map(|name| Some(format!("{name}.mail.protection.outlook.com")))
    );
    // Without its header, with a BOM and CRLF, and with the sessions' lines mixed.
    let (_, rows) = PROTOCOL_LOG.split_once('\n').unwrap();
    assert_eq!(read(rows), found);
    assert_eq!(read(&format!("\u{feff}{}", PROTOCOL_LOG.replace('\n', "\r\n"))), found);
    let mut mixed: Vec<&str> = rows.lines().collect();
    mixed.sort_by_key(|line| line.split(',').nth(3));
    let mut mixed = read(&mixed.join("\n"));
    let mut sorted = found;
    mixed.sort();
    sorted.sort();
    assert_eq!(mixed, sorted);
}

#[test]
fn documented_tracking() {
    let expected = [
        "2026-05-12T07:55:00.123Z 5001 192.0.2.61 To Internet n@example.com a@outlook.com outlook-com.olc.protection.outlook.com 198.51.100.11 delivered 250 2.6.0 <x1@example.com> [Int",
        "held back",
        WAITS,
        "2026-05-12T07:55:00.123Z 5001 - To Internet n@example.com e@live.com live-com.olc.protection.outlook.com 198.51.100.13 bounced 550 5.7.1 Unfortunately, messages from",
    ];
    let found = read(TRACKING_LOG);
    assert_starts(&found, &expected);
    assert!(found[3].ends_with("08DEA1B20C3D5023]"), "{}", found[3]);
    // The columns are the header's: another order reads the same.
    let turned: String = TRACKING_LOG
        .lines()
        .map(|line| {
            let line = line.strip_prefix("#Fields: ").unwrap_or(line);
            let fields: Vec<String> = Fields::of(line.as_bytes())
                .map(|field| format!("\"{}\"", String::from_utf8_lossy(field.text)))
                .collect();
            let (first, rest) = fields.split_first().unwrap();
            let rest: Vec<&str> = rest.iter().rev().map(String::as_str).collect();
            format!("{},{}\n", first.trim_matches('"'), rest.join(","))
        })
        .collect();
    let header = turned.lines().next().unwrap().replace('"', "");
    let rows = turned.split_once('\n').unwrap().1;
    assert_eq!(read(&format!("#Fields: {header}\n{rows}")), found);
    // Without a header it is said.
    let rows = TRACKING_LOG.split_once('\n').unwrap().1;
    assert_eq!(read(rows)[0], ASSUMED);
    assert_eq!(read(rows)[1..], found);
}

/// A session of these events and data.
fn session(lines: &[(&str, &str)]) -> String {
    lines
        .iter()
        .enumerate()
        .map(|(index, (event, data))| {
            format!(
                "2026-05-12T07:50:{index:02}Z,Out,S1,{index},192.0.2.61:51112,198.51.100.11:25,{event},\"{}\",\n",
                data.replace('"', "\"\"")
            )
        })
        .collect()
}

/// Recipient, outcome and answer.
fn settled(lines: &[(&str, &str)]) -> Vec<String> {
    let cut = |text: String| match text.split_once(" Out ") {
        Some((_, rest)) => rest.replace(" - 198.51.100.11", ""),
        None => text,
    };
    read(&session(lines)).into_iter().map(cut).collect()
}

const START: [(&str, &str); 5] = [
    ("*", "attempting to connect"),
    ("+", ""),
    ("<", "220 mx.example Microsoft ESMTP"),
    (">", "EHLO ex01.example.com"),
    ("<", "250-mx.example Hello"),
];

fn after_start(lines: &[(&str, &str)]) -> Vec<String> {
    settled(&[&START[..], &[("<", "250 PIPELINING")], lines].concat())
}

#[test]
fn sessions_of_all_kinds() {
    // Two recipients, one refused; the data in two parts.
    assert_eq!(
        after_start(&[
            (">", "MAIL FROM:<>"),
            (">", "RCPT TO:<a@b>"),
            (">", "RCPT TO:<\"c>,d\"@b> NOTIFY=NEVER"),
            ("<", "250 2.1.0 ok"),
            ("<", "250 2.1.5 ok"),
            ("<", "550-5.4.1 no"),
            ("<", "550-5.4.1 such"),
            ("<", "550 user"),
            (">", "BDAT 100"),
            (">", "BDAT 100 LAST"),
            ("<", "250 2.0.0 100 octets"),
            ("<", "250 2.6.0 queued"),
            (">", "QUIT"),
            ("<", "221 bye"),
            ("-", "Local"),
        ]),
        [" \"c>,d\"@b bounced 550 5.4.1 no such user", " a@b delivered 250 2.6.0 queued"]
    );
    // DATA and its two replies, then another message, refused at the end.
    assert_eq!(
        after_start(&[
            (">", "MAIL FROM:<n@x>"),
            ("<", "250 ok"),
            (">", "RCPT TO:<a@b>"),
            ("<", "250 ok"),
            (">", "DATA"),
            ("<", "354 go on"),
            ("<", "250 2.6.0 queued"),
            (">", "MAIL FROM:<m@x>"),
            (">", "RCPT TO:<c@d>"),
            ("<", "250 ok"),
            ("<", "250 ok"),
            (">", "DATA"),
            ("<", "354 go on"),
            ("<", "550 5.7.1 no"),
        ]),
        ["n@x a@b delivered 250 2.6.0 queued", "m@x c@d bounced 550 5.7.1 no"]
    );
    // MAIL FROM refused: all recipients; what answers their RCPT TO counts no more.
    assert_eq!(
        after_start(&[
            (">", "MAIL FROM:<n@x>"),
            (">", "RCPT TO:<a@b>"),
            (">", "RCPT TO:<c@d>"),
            ("<", "451 4.7.650 later"),
            ("<", "503 5.5.2 need mail"),
            ("<", "503 5.5.2 need mail"),
            ("-", "Remote"),
        ]),
        ["n@x a@b deferred 451 4.7.650 later", "n@x c@d deferred 451 4.7.650 later"]
    );
    // The connection breaks: one was refused, the others have no answer.
    assert_eq!(
        after_start(&[
            (">", "MAIL FROM:<n@x>"),
            (">", "RCPT TO:<a@b>"),
            (">", "RCPT TO:<c@d>"),
            (">", "RCPT TO:<e@f>"),
            ("<", "250 ok"),
            ("<", "250 ok"),
            ("<", "421 4.3.2 shutting down"),
            ("-", "Remote(ConnectionReset)"),
        ]),
        ["n@x c@d deferred 421 4.3.2 shutting down", "n@x a@b deferred Nobody", "n@x e@f deferred Nobody"]
    );
    // Refused before there was a recipient: the greeting, HELO, MAIL FROM without pipelining.
    assert_eq!(
        settled(&[("+", ""), ("<", "554 5.7.1 go away"), ("-", "Local")]),
        ["- - bounced 554 5.7.1 go away"]
    );
    assert_eq!(after_start(&[(">", "HELO ex01"), ("<", "550 5.7.1 no")]), ["- - bounced 550 5.7.1 no"]);
    assert_eq!(after_start(&[(">", "EHLO ex01"), ("<", "502 what?")]), [""; 0]);
    assert_eq!(
        after_start(&[(">", "MAIL FROM:<n@x>"), ("<", "550 5.7.1 no"), (">", "QUIT")]),
        ["n@x - bounced 550 5.7.1 no"]
    );
    // STARTTLS, AUTH and an idle server's farewell are no attempts.
    assert_eq!(
        after_start(&[
            (">", "STARTTLS"),
            ("<", "220 2.0.0 SMTP server ready"),
            (">", "AUTH LOGIN"),
            ("<", "334 <authentication response>"),
            (">", "<Binary Data>"),
            ("<", "535 5.7.3 no"),
            ("<", "421 4.4.1 Connection timed out"),
            ("-", "Remote"),
        ]),
        [""; 0]
    );
    // The log begins in the middle of a session: its replies count, the recipient is not known.
    let middle = session(&[("<", "250 2.1.0 ok"), ("<", "550 5.7.1 no [X]")]).replace(",S1,", ",S2,9");
    assert_eq!(read(&middle).len(), 1);
    assert!(
        read(&middle)[0].contains(" Out - - - 198.51.100.11 bounced 550 5.7.1 no [X]"),
        "{:?}",
        read(&middle)
    );
    // A local hop, and addresses of the newer kind.
    let all =
        [&START[..], &[("<", "250 ok"), (">", "MAIL FROM:<n@x>"), (">", "RCPT TO:<a@b>"), ("<", "550 no")]]
            .concat();
    assert_eq!(read(&session(&all).replace("198.51.100.11:25", "10.0.0.2:2525")), [""; 0]);
    let v6 = session(&all)
        .replace("198.51.100.11:25", "[2001:db8::1]:25")
        .replace("192.0.2.61:51112", "[2001:db8::2]:5");
    assert!(
        read(&v6)[0].contains(" 2001:db8::2 Out n@x a@b - 2001:db8::1 bounced 550 no"),
        "{:?}",
        read(&v6)
    );
}

#[test]
fn broken_and_other_logs() {
    let start = &START[..];
    let fields = PROTOCOL_LOG.lines().next().unwrap();
    assert_eq!(
        read(&format!("{fields}\n{}", session(&[("?", "x")]))),
        ["a line of a session with an unknown event"]
    );
    assert_eq!(settled(&[start, &[("<", "hello")]].concat()), ["a reply that does not begin with its code"]);
    assert_eq!(after_start(&[(">", "RCPT TO:a@b")]), ["a RCPT TO without an address"]);
    assert_eq!(read("free words\n"), ["a record that does not begin with its time"]);
    assert_eq!(read("2026-05-12T07:50:00Z,a,b\n"), ["a record of neither log, and no #Fields line"]);
    let cut = PROTOCOL_LOG.split_inclusive('\n').next().unwrap().to_owned() + "2026-05-12T07:50:00Z,a,b\n";
    assert_eq!(read(&cut), ["fewer columns than the header names"]);
    // What it received: told by the header, and without one by who speaks first.
    let received = "#Software: Microsoft Exchange Server\n#Log-type: SMTP Receive Protocol Log\n".to_owned()
        + PROTOCOL_LOG;
    assert_eq!(read(&received), [RECEIVES]);
    let received = session(&[
        ("+", ""),
        (">", "220 ex01 ready"),
        ("<", "EHLO x"),
        (">", "250 ok"),
        ("<", "MAIL FROM:<a@b>"),
    ]);
    assert_eq!(read(&received), [RECEIVES]);
    let sent =
        "#Software: Microsoft Exchange Server\n#Log-type: SMTP Send Protocol Log\n".to_owned() + PROTOCOL_LOG;
    assert_eq!(read(&sent).len(), 3);
    assert_eq!(guess(sent.as_bytes()).unwrap().name(), "exchange");
    // Comments as IIS writes them, and Exchange's other logs.
    assert!(guess(b"#Software: Microsoft Internet Information Services 10.0\n#Fields: date time s-ip\n2026-05-12 07:50:00 x\n").is_none());
    assert!(guess(b"#Software: Microsoft Exchange\n#Fields: date-time,session,source,Destination\n2026-05-12T07:50:00Z,1,2,3\n").is_none());
}

/// A row of message tracking.
fn row(event: &str, source: &str, recipient: &str, status: &str) -> String {
    let quote = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let header = "#Fields: date-time,source,event-id,recipient-address,recipient-status,return-path\n";
    format!("{header}2026-05-12T07:55:00Z,{source},{event},{},{},<>\n", quote(recipient), quote(status))
}

#[test]
fn tracking_of_all_kinds() {
    let one = |event: &str, status: &str| {
        let found = read(&row(event, "SMTP", "a@b", status)).join("|");
        found.replace("2026-05-12T07:55:00Z - - -  a@b ", "")
    };
    // In any order; with what ends a pair inside it; a reply of another server passed on.
    assert_eq!(
        one("FAIL", "[{IP=198.51.100.1};{MSG=};{FQDN=mx.};{LED=550 5.7.1 a};{b} c}]"),
        "mx 198.51.100.1 bounced 550 5.7.1 a};{b} c"
    );
    assert_eq!(
        one(
            "DEFER",
            "[{LED=451 4.4.0 Primary target IP address responded with: \"421 4.7.0 \"wait\" [x]\" Attempted failover to alternate host};{FQDN=mx};{IP=198.51.100.1}]"
        ),
        "mx 198.51.100.1 deferred 421 4.7.0 \"wait\" [x]"
    );
    assert_eq!(one("FAIL", "550 5.7.1 no; never"), "- - bounced 550 5.7.1 no; never");
    // Exchange's own words; a message whose time ran out; nothing at all.
    assert_eq!(
        one("DEFER", "[{LED=441 4.4.1 Error encountered while communicating};{FQDN=mx};{IP=198.51.100.1}]"),
        "mx 198.51.100.1 deferred Nobody"
    );
    assert_eq!(
        one("FAIL", "[{LED=550 4.4.7 QUEUE.Expired; message expired};{FQDN=mx};{IP=198.51.100.1}]"),
        ""
    );
    assert_eq!(one("DEFER", ""), format!("held back|{WAITS}"));
    assert_eq!(one("FAIL", ""), "a FAIL without a reply in recipient-status");
    assert_eq!(one("FAIL", "[{LED=550 no};{FQDN=mx};{IP=10.0.0.1}]"), "");
    assert_eq!(one("SENDEXTERNAL", ""), "- - delivered Codes { smtp: None, enhanced: None }");
    assert_eq!(one("RECEIVE", "x"), "");
    assert_eq!(read(&row("FAIL", "ROUTING", "a@b", "550 5.1.10 RESOLVER.ADR.RecipientNotFound")), [""; 0]);
    // Several recipients: a status each, or one for all.
    let many = |status: &str| {
        read(&row("FAIL", "SMTP", "a@b;\"c;d\"@e", status))
            .join("|")
            .replace("2026-05-12T07:55:00Z - - -  ", "")
    };
    assert_eq!(
        many("[{LED=550 1};{FQDN=m}];[{LED=550 2};{FQDN=n}]"),
        "a@b m - bounced 550 1|\"c;d\"@e n - bounced 550 2"
    );
    assert_eq!(many("550 5.1.1 no;551 x; y"), "a@b - - bounced 550 5.1.1 no|\"c;d\"@e - - bounced 551 x; y");
    assert_eq!(
        many("550 5.1.1 no; y"),
        "a@b - - bounced 550 5.1.1 no; y|\"c;d\"@e - - bounced 550 5.1.1 no; y"
    );
}

#[test]
fn memory_is_bounded() {
    let mut reader = EXCHANGE.reader(&Clock { zone: Zone::Fixed(0), year: 2026 });
    let (mut lost, mut endless) = (0, 0);
    let long = "x".repeat(4000);
    for id in 0..6000 {
        for (number, data) in ["MAIL FROM:<n@x>", &format!("RCPT TO:<{long}@b>")].iter().enumerate() {
            let line =
                format!("2026-05-12T07:50:00Z,Out,S{id},{number},192.0.2.61:5,198.51.100.11:25,>,{data},");
            reader.line(Line { bytes: line.as_bytes(), offset: 0 }, &mut |_, record| match record {
                Record::Malformed { .. } => lost += 1,
                other => panic!("{other:?}"),
            });
        }
    }
    // Four thousand bytes each in 16 MB.
    assert!((1500..3000).contains(&lost), "{lost}");
    for _ in 0..20_000 {
        let line = b"2026-05-12T07:50:00Z,Out,T,1,192.0.2.61:5,198.51.100.11:25,>,RCPT TO:<a@b>,";
        reader.line(Line { bytes: line, offset: 0 }, &mut |_, record| {
            endless +=
                u32::from(matches!(record, Record::Malformed { why } if why.contains("very many commands")));
        });
    }
    assert_eq!(endless, 2);
}

proptest! {
    #[test]
    fn no_bytes_panic(
        at in 0usize..4000,
        bytes in proptest::collection::vec(proptest::sample::select(&b"<>+-*,\"\n;{}[]= 250x@\xff"[..]), 0..40),
        tracking in any::<bool>(),
    ) {
        let mut log = if tracking { TRACKING_LOG } else { PROTOCOL_LOG }.as_bytes().to_vec();
        let at = at.min(log.len());
        let end = (at + bytes.len()).min(log.len());
        log.splice(at..end, bytes);
        let mut reader = EXCHANGE.reader(&Clock { zone: Zone::Fixed(0), year: 2026 });
        for bytes in log.split(|byte| *byte == b'\n') {
            reader.line(Line { bytes, offset: 0 }, &mut |_, _| {});
            EXCHANGE.naive_stamp(bytes);
        }
        reader.finish(&mut |_, _| {});
        EXCHANGE.score(&log);
    }

    /// Transactions as Exchange logs them, pipelined or not, with replies at random.
    #[test]
    fn what_is_rendered_is_read(
        messages in proptest::collection::vec(
            (any::<bool>(), any::<bool>(), proptest::collection::vec(("[a-z]{1,5}|\"[a-z,;> @]{1,6}\"", 0..3usize), 1..4), 0..3usize),
            1..4,
        ),
        text in "[ -~é]{0,30}[!-~]",
    ) {
        let replies = |class: usize, ok: &str| match class { 0 => ok.to_owned(), 1 => format!("451 4.7.0 {text}"), _ => format!("550 5.7.1 {text}") };
        let names = ["delivered", "deferred", "bounced"];
        let mut lines: Vec<(&str, String)> = vec![("+", String::new()), ("<", "220 mx.example ready".into())];
        let mut expected = Vec::new();
        for (pipelined, data, recipients, end) in &messages {
            let mut answers = vec![("<", "250 2.1.0 ok".to_owned())];
            lines.push((">", "MAIL FROM:<n@x>".into()));
            let mut taken = Vec::new();
            for (local, class) in recipients {
                if !pipelined {
                    lines.append(&mut answers);
                }
                lines.push((">", format!("RCPT TO:<{local}@b.example>")));
                let reply = replies(*class, "250 2.1.5 ok");
                if *class == 0 {
                    taken.push(local);
                } else {
                    expected.push(format!("n@x {local}@b.example {} {reply}", names[*class]));
                }
                answers.push(("<", reply));
            }
            lines.append(&mut answers);
            if taken.is_empty() {
                lines.extend([(">", "RSET".to_owned()), ("<", "250 ok".to_owned())]);
                continue;
            }
            if *data {
                lines.extend([(">", "DATA".to_owned()), ("<", "354 go".to_owned())]);
            } else {
                lines.push((">", "BDAT 99 LAST".to_owned()));
            }
            let reply = replies(*end, "250 2.6.0 queued");
            expected.extend(taken.iter().map(|local| format!("n@x {local}@b.example {} {reply}", names[*end])));
            lines.push(("<", reply));
        }
        let lines: Vec<(&str, &str)> = lines.iter().map(|(event, data)| (*event, data.as_str())).collect();
        prop_assert_eq!(settled(&lines), expected);
    }
}

#[test]
fn whichever_columns_a_header_names() {
    let rows = "2026-05-12T07:55:00.123Z,SMTP,FAIL,e@live.com,550 5.1.1 no\n2026-05-12T07:55:01.000Z,SMTP,SEND,f@live.com,\n";
    let header = "#Fields: date-time,source,event-id,recipient-address,recipient-status\n";
    for before in ["", "#Software: Microsoft Exchange Server\n", "\u{feff}"] {
        let log = format!("{before}{header}{}", rows.repeat(3));
        assert_eq!(guess(log.as_bytes()).map(Format::name), Some("exchange"), "{log}");
        assert_eq!(read(&log).len(), 3);
    }
    assert!(guess(rows.repeat(3).as_bytes()).is_none());
}
