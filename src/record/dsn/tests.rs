#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use std::net::IpAddr;

use super::*;
use crate::record::{Answer, Zone};

/// The documented parts, one after `# `-line each.
const DOCUMENTED: &str = include_str!("documented.txt");

/// Offset and record, as text: time, host, queue id, source, its name, sender, recipient, relay, its address, outcome,
/// answer.
fn read(bytes: &[u8]) -> Vec<(u64, String)> {
    let mut reader = DSN.reader(&Clock { zone: Zone::Fixed(0), year: 2026 });
    let mut found = Vec::new();
    let mut out = |offset: u64, record: Record<'_>| {
        let text =
            |bytes: Option<&[u8]>| bytes.map_or("-".into(), |b| String::from_utf8_lossy(b).into_owned());
        let ip = |ip: Option<IpAddr>| ip.map_or("-".into(), |ip| ip.to_string());
        let shown = match record {
            Record::Retold(a) => format!(
                "{} {} {} {} {} {} {} {} {} {} {}",
                a.time.map_or("-".into(), |time| time.to_string()),
                text(a.host),
                text(a.queue_id),
                ip(a.source_ip),
                text(a.source_name),
                text(a.sender),
                text(a.recipient),
                text(a.relay_host),
                ip(a.relay_ip),
                a.outcome.name(),
                match a.answer {
                    Answer::Text(reply) => text(Some(reply)),
                    other => format!("{other:?}"),
                }
            ),
            Record::Malformed { why } => why.into(),
            Record::HeldBack { .. } => "held back".into(),
            Record::Irrelevant => return,
            Record::Attempt(_) | Record::Queued { .. } | Record::Note(_) => panic!("a bounce retells"),
        };
        found.push((offset, shown));
    };
    let mut offset = 0;
    for line in bytes.split(|byte| *byte == b'\n') {
        reader.line(Line { bytes: line, offset }, &mut out);
        offset += line.len() as u64 + 1;
    }
    reader.finish(&mut out);
    found
}

fn shown(text: &str) -> Vec<String> {
    read(text.as_bytes()).into_iter().map(|(_, shown)| shown).collect()
}

/// A bounce as Postfix writes it, with this report.
fn message(report: &str) -> String {
    format!(
        "Return-Path: <>\nDate: Tue, 12 May 2026 10:00:09 +0200 (CEST)\nFrom: MAILER-DAEMON@mta1.example.com\nTo: <n@example.com>\nContent-Type: multipart/report; report-type=delivery-status;\n\tboundary=\"b/1\"\n\nThis is a MIME-encapsulated message.\n\n--b/1\nContent-Type: text/plain\n\nI'm sorry.\n\n--b/1\nContent-Type: message/delivery-status\n\n{report}\n\n--b/1\nContent-Type: message/rfc822\n\nDate: Mon, 11 May 2026 10:00:00 +0200\nFinal-Recipient: rfc822; no@example.org\nAction: failed\n\ntext\n\n--b/1--\n"
    )
}

#[test]
fn documented_reports() {
    let expected = [
        "- - - - - - a@outlook.com outlook-com.olc.protection.outlook.com - delivered 250 2.6.0 <d1@example.com> [InternalId=85899345120, Hostname=BYAPR03MB4200.namprd03.prod.outlook.com] 5120 bytes in 0.187, 26.667 KB/sec Queued mail for delivery -> 250 2.1.5",
        "- - - - vmta-5 - b@example.org example-org.mail.protection.outlook.com 198.51.100.14 delivered 250 2.6.0 <d2@example.com> [InternalId=85899345120, Hostname=AM8PR04MB7800.eurprd04.prod.outlook.com] 5120 bytes in 0.187, 26.667 KB/sec Queued mail for delivery",
        "2026-05-12T08:03:00Z pmta3.example.com - - vmta-5 - c@hotmail.com hotmail-com.olc.protection.outlook.com 198.51.100.12 deferred 451 4.7.650 The mail server [203.0.113.95] has been temporarily rate limited due to IP reputation. For e-mail delivery information, see https://aka.ms/postmaster (S775) [DS2PEPF00003442.namprd04.prod.outlook.com 2026-05-12T08:03:00.002Z 08DEA1B20C3D5025]",
        "- - - - - - c2@example.org example-org.mail.protection.outlook.com 198.51.100.14 deferred Nobody",
        "2026-05-12T08:00:00Z mta1.example.com 4bWx6n0Kz4z9sQL - - n@example.com e@live.com live-com.olc.protection.outlook.com - bounced 550 5.7.1 Unfortunately, messages from [192.0.2.71] weren't sent. Please contact your Internet service provider since part of their network is on our block list (S3140). You can also refer your provider to http://mail.live.com/mail/troubleshooting.aspx#errors. [BN8NAM11FT017.eop-nam11.prod.protection.outlook.com 2026-05-12T08:00:01.002Z 08DEA1B20C3D5F23]",
        "- web7.example.net - - - - gone@example.org example-org.mail.protection.outlook.com - bounced 550 5.4.1 Recipient address rejected: Access denied. For more information see https://aka.ms/EXOSmtpErrors AS(201806281) [PN3PEPF00000178.INDPRD01.PROD.OUTLOOK.COM 2026-05-12T08:01:00.002Z 08DEA1B20C3D5026]",
    ];
    let reports: Vec<&str> =
        DOCUMENTED.split("# ").skip(1).map(|part| part.split_once('\n').unwrap().1).collect();
    assert_eq!(reports.len(), expected.len());
    for (report, expected) in reports.iter().zip(expected) {
        assert_eq!(shown(report), [expected]);
        for ends in ["\r\n", "\r"] {
            assert_eq!(shown(&report.replace('\n', ends)), [expected], "{ends:?}");
        }
        // In a message, the message's date and addressee come to it.
        let found = shown(&message(report));
        assert_eq!(found.len(), 1, "{found:?}");
        let tail = expected.split(' ').skip(6).collect::<Vec<_>>().join(" ");
        assert!(
            found[0].starts_with("2026-05-12T08:00:09Z") && found[0].contains(" n@example.com "),
            "{}",
            found[0]
        );
        assert!(found[0].ends_with(&tail), "{}", found[0]);
    }
    assert_eq!(
        shown(
            "Final-Recipient: rfc822; u@outlook.com Action: failed Status: 5.7.520 Diagnostic-Code: smtp; 550 5.7.520 Access denied, banned sender[COL0NAM10FT065.eop-nam10.prod.protection.outlook.com]"
        ),
        [
            "- - - - - - u@outlook.com - - bounced 550 5.7.520 Access denied, banned sender[COL0NAM10FT065.eop-nam10.prod.protection.outlook.com]"
        ]
    );
}

const RECIPIENT: &str = "Final-Recipient: rfc822; a@b.example\nAction: failed\nStatus: 5.7.1\nRemote-MTA: dns; mx.b.example\nDiagnostic-Code: smtp; 550 5.7.1 no\n";

#[test]
fn what_the_offset_points_at() {
    let text = message(RECIPIENT);
    assert_eq!(read(text.as_bytes())[0].0, text.find("Diagnostic-Code").unwrap() as u64);
    let text = message(&RECIPIENT.replace("Diagnostic-Code: smtp; 550 5.7.1 no\n", ""));
    let found = read(text.as_bytes());
    assert_eq!(found[0].0, text.find("Status").unwrap() as u64);
    assert!(found[0].1.ends_with("bounced Codes { smtp: None, enhanced: Some(Enhanced(5, 7, 1)) }"));
}

#[test]
fn relays_in_all_forms() {
    for (remote, expected) in [
        ("dns; mx.b.example.", "- mx.b.example -"),
        ("DNS;[203.0.113.9]", "- - 203.0.113.9"),
        ("203.0.113.9", "- - 203.0.113.9"),
        ("dns; mx.b.example [203.0.113.9]", "- mx.b.example 203.0.113.9"),
        ("dns; mx.b.example (2001:db8::1)", "- mx.b.example 2001:db8::1"),
        ("dns; mx.b.example (TCP|192.0.2.1|4711|203.0.113.9|25)", "192.0.2.1 mx.b.example 203.0.113.9"),
        (
            "dns; mx.b.example. (203.0.113.9, the server for the domain b.example.)",
            "- mx.b.example 203.0.113.9",
        ),
        ("smtp; mx.b.example ([203.0.113.9])", "- mx.b.example 203.0.113.9"),
    ] {
        let found = shown(&RECIPIENT.replace("dns; mx.b.example", remote)).remove(0);
        let words: Vec<&str> = found.split(' ').collect();
        assert_eq!([words[3], words[7], words[8]].join(" "), expected, "{remote}");
    }
    assert!(shown(&RECIPIENT.replace("dns; mx.b.example", "dns; localhost (127.0.0.1)")).is_empty());
}

#[test]
fn recipients_and_actions() {
    let with = |from: &str, to: &str| {
        assert!(RECIPIENT.contains(from));
        shown(&RECIPIENT.replace(from, to)).join("|")
    };
    assert!(
        with("Action", "X-Actual-Recipient: rfc822; <real@b.example>\nAction").contains(" real@b.example ")
    );
    assert!(with("Action", "X-Actual-Recipient: X-Unix; |/bin/vacation\nAction").contains(" a@b.example "));
    assert!(with("rfc822; a@b", "utf-8; gr\\x{FC}n@b").contains(" grün@b.example "));
    assert!(with("rfc822; a@b", "utf-8; grün@b").contains(" grün@b.example "));
    assert!(with("a@b.example", "\"a b; c\"@b.example").contains(" \"a b; c\"@b.example "));
    assert!(with("failed", "FAILED (no more tries)").contains(" bounced "));
    assert!(with("failed", "relayed").contains(" delivered "));
    assert_eq!(with("failed", "expanded"), "");
    assert_eq!(with("failed", "lost"), "an Action that RFC 3464 does not know");
    assert_eq!(with("Action: failed\n", ""), "a bounce without Action");
    let nobody = message(&RECIPIENT.replace("Final-Recipient: rfc822; a@b.example", "Original-Recipient:"));
    assert_eq!(shown(&nobody), ["a bounce without its recipient"]);
    // Reports after each other, with nothing around them.
    let report = format!(
        "Reporting-MTA: dns; h1\nX-Postfix-Queue-ID: q1\nX-Postfix-Sender: rfc822; s@x\n\n{RECIPIENT}"
    );
    let found = shown(&format!("{report}\nReporting-MTA: dns; h2\n\n{RECIPIENT}"));
    assert!(found[0].starts_with("- h1 q1 - - s@x ") && found[1].starts_with("- h2 - - - - "), "{found:?}");
    // Two recipients, with and without the blank line between them.
    for gap in ["\n", ""] {
        let found = shown(&format!("{RECIPIENT}{gap}{}", RECIPIENT.replace("a@b", "c@b")));
        assert!(found.len() == 2 && found[1].contains(" c@b.example "), "{found:?}");
    }
}

#[test]
fn what_the_diagnosis_says() {
    let with = |diagnosis: &str| {
        let found = shown(&RECIPIENT.replace("smtp; 550 5.7.1 no", diagnosis)).join("|");
        found.split(' ').skip(7).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(with("SMTP;550 5.7.1 no"), "mx.b.example - bounced 550 5.7.1 no");
    assert_eq!(
        with("smtp; host mx.b.example[203.0.113.9] said: 550 5.7.1 no"),
        "mx.b.example 203.0.113.9 bounced 550 5.7.1 no"
    );
    assert_eq!(with("smtp; =?utf-8?Q?550_5.7.1_caf=C3=A9?="), "mx.b.example - bounced 550 5.7.1 café");
    assert_eq!(
        with("smtp; 550-5.7.1 one\n 550 5.7.1\ttwo"),
        "mx.b.example - bounced 550-5.7.1 one 550 5.7.1\ttwo"
    );
    assert_eq!(with("smtp; 554 5.4.7 [internal] message timeout"), "mx.b.example - bounced Nobody");
    assert_eq!(
        with("X-Postfix; lost connection with mx.b.example[203.0.113.9] while x"),
        "mx.b.example 203.0.113.9 bounced Nobody"
    );
    assert_eq!(with("X-Unix; 1"), "");
    assert_eq!(
        with("smtp; 221 2.0.0 closing"),
        "mx.b.example - bounced Codes { smtp: None, enhanced: Some(Enhanced(5, 7, 1)) }"
    );
    let delayed = RECIPIENT.replace("failed", "delayed");
    let suspended = "X-Postfix; delivery temporarily suspended: lost connection with mx";
    assert_eq!(shown(&delayed.replace("smtp; 550 5.7.1 no", suspended)), ["held back"]);
    // Unknown here, never tried.
    let local = RECIPIENT
        .replace("smtp; 550", "X-Postfix; unknown user:")
        .replace("Remote-MTA: dns; mx.b.example\n", "");
    assert_eq!(shown(&local), [""; 0]);
    let no_such_domain = local.replace("5.7.1", "5.4.4");
    assert!(shown(&no_such_domain)[0].ends_with("bounced Nobody"));
}

#[test]
fn times() {
    let report = format!(
        "Arrival-Date: Mon, 11 May 2026 10:00:00 GMT\n\n{RECIPIENT}Last-Attempt-Date: Tue, 12 May 2026 08:00:05 GMT\n"
    );
    assert!(shown(&message(&report))[0].starts_with("2026-05-12T08:00:05Z "));
    let report = report.replace("Last-", "No-");
    assert!(shown(&message(&report))[0].starts_with("2026-05-12T08:00:09Z "));
    assert!(shown(&message(&report).replace("Date: Tue", "X: Tue"))[0].starts_with("2026-05-11T10:00:00Z "));
    assert!(shown(RECIPIENT)[0].starts_with("- "));
}

#[test]
fn mailboxes() {
    let one = message(RECIPIENT);
    let other = one.replace("a@b.example", "c@d.example");
    let with_from = other.replace("I'm sorry.", "I'm sorry.\n\n>From the start\n>>From Tue\nFrom here on");
    let mbox = format!(
        "From MAILER-DAEMON Tue May 12 08:00:09 2026\n{one}\nFrom MAILER-DAEMON  Tue May 12 08:00:10 2026\n{with_from}"
    );
    for mbox in [mbox.clone(), mbox.replace('\n', "\r\n")] {
        let found = shown(&mbox);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains(" a@b.example ") && found[1].contains(" c@d.example "));
    }
    // The returned message may hold such a line.
    assert_eq!(shown(&one.replace("text\n", "text\n\nFrom me Tue May 12 08:00:09 2026\n")).len(), 1);
}

#[test]
fn parts_of_all_kinds() {
    let expected = shown(&message(RECIPIENT));
    let kind = "Content-Type: message/delivery-status\n";
    let quoted = RECIPIENT.replace("550 5.7.1 no", "550 5=2E7.1=\n no");
    let encoded =
        message(&quoted).replace(kind, &format!("{kind}Content-Transfer-Encoding: quoted-printable\n"));
    assert_eq!(shown(&encoded), expected);
    // `RECIPIENT`, in lines that are cut anywhere.
    let base64 = "RmluYWwtUmVjaXBpZW50OiByZmM4MjI7IGFAYi5leGFtcGxlCkFjdGlvbjogZmFpbGVkClN0\nYXR1czogNS43LjEKUmVtb3RlLU1UQTogZG5zOyBteC5iLmV4YW1wbGUKRGlhZ25vc3RpYy1Db2Rl\nOiBzbXRwOyA1NTAgNS43LjEgbm8K";
    let encoded = message(base64).replace(kind, &format!("{kind}Content-Transfer-Encoding: BASE64\n"));
    assert_eq!(shown(&encoded), expected);
    assert_eq!(
        shown(
            &message(RECIPIENT)
                .replace(kind, "content-type: message/global-delivery-status; charset=utf-8\n")
        ),
        expected
    );
    // Passed on as it came, in a message of somebody's own.
    let forwarded = format!(
        "From: me@example.com\nDate: Wed, 13 May 2026 10:00:00 GMT\nContent-Type: multipart/mixed; boundary=o\n\n--o\n\nLook.\n--o\nContent-Type: message/rfc822\n\n{}\n--o--\n",
        message(RECIPIENT)
    );
    assert_eq!(shown(&forwarded), expected);
    // The boundary is named nowhere, or the parts' lines are gone.
    assert_eq!(shown(&message(RECIPIENT).replace("boundary=", "other=")), expected);
    let bare = format!(
        "Date: Tue, 12 May 2026 08:00:09 GMT\nFrom: mailer-daemon@a.example\nTo: n@example.com\n\nSorry.\n\n{RECIPIENT}\nReceived: x\n"
    );
    assert_eq!(shown(&bare), expected);
}

#[test]
fn the_reply_stands_in_the_text_alone() {
    let report =
        "Reporting-MTA: dns; h\n\nFinal-Recipient: rfc822; a@b.example\nAction: failed\nStatus: 5.0.0\n";
    let with = |text: &str, report: &str| shown(&message(report).replace("I'm sorry.", text)).join("|");
    assert!(with("A@b.example: 550 5.7.1 no", report).ends_with(" a@b.example - - bounced 550 5.7.1 no"));
    assert!(with("a@b.example: Connection closed unexpectedly", report).ends_with("bounced Nobody"));
    assert_eq!(with("a@b.example\n   host mx [203.0.113.9]\n  retry timeout exceeded", report), "");
    assert_eq!(with("nothing", report), "");
    let sendmail = report.replace("failed", "delayed") + "Diagnostic-Code: SMTP; \n";
    assert!(
        with("<a@b.example>... Deferred: 421 4.3.2 later", &sendmail).ends_with("deferred 421 4.3.2 later")
    );
    let first = report.to_owned() + "Diagnostic-Code: SMTP; 550-5.7.1 one\n";
    assert!(
        with(">>> DATA\n<<< 550-5.7.1 one\n<<< 550-5.7.1 two\n<<< 550 5.7.1 [tag]\n554 5.0.0 x", &first)
            .ends_with("bounced 550-5.7.1 one 550-5.7.1 two 550 5.7.1 [tag]")
    );
}

#[test]
fn mail_that_is_no_report() {
    let bounce = "From: MAILER-DAEMON@a.example\nSubject: failure notice\n\nHi. This is the qmail-send program.\n<a@b.example>:\nRemote host said: 550 no\n";
    assert_eq!(read(bounce.as_bytes()), [(0, "a bounce without the part for programs (RFC 3464)".into())]);
    let mbox =
        format!("From x Tue May 12 08:00:09 2026\n{bounce}\nFrom x Tue May 12 08:00:09 2026\n{bounce}");
    assert_eq!(
        read(mbox.as_bytes())[1].0,
        (mbox.len() - bounce.len() - "From x Tue May 12 08:00:09 2026\n".len()) as u64
    );
    for other in [
        "From: a@b.example\nSubject: lunch\n\nAt noon?\n",
        "From: a@b.example\nAuto-Submitted: auto-replied\nSubject: away\n\nI am away.\n",
        "From: MAILER-DAEMON@b.example\nContent-Type: multipart/report; report-type=feedback-report; boundary=b\n\n--b\nContent-Type: message/feedback-report\n\nReporting-MTA: dns; h\nOriginal-Rcpt-To: a@b\n--b--\n",
        "From: a@b.example\nDate: Tue, 12 May 2026 08:00:09 GMT",
        "",
        "\n\n",
    ] {
        assert_eq!(shown(other), [""; 0], "{other}");
    }
}

#[test]
fn told_by_content() {
    for text in [
        message(RECIPIENT).as_str(),
        RECIPIENT,
        SAMPLE,
        "From x Tue May 12 08:00:09 2026\nX: y\n",
        "end of one\n\nFrom x Tue May 12 08:00:09 2026\nX: y\n",
        "Received: by x\n\tfor y\nSubject: z\n\n",
    ] {
        assert!(DSN.score(text.as_bytes()) > 0.0, "{text}");
    }
    for text in [
        "",
        "From now on: Tue\n",
        "Subject: alone\n\ntext\n",
        "May 12 08:15:09 mta1 postfix/smtp[1]: x: Final-Recipient: y\n",
        "{\"From\": 1}\n",
    ] {
        assert_eq!(DSN.score(text.as_bytes()), 0.0, "{text}");
    }
}

/// Folds a value at blanks, as mailers do.
fn fold(value: &str, width: usize) -> String {
    let mut lines = vec![String::new()];
    for word in value.split(' ') {
        let line = lines.last_mut().unwrap();
        if !line.is_empty() && line.len() + word.len() > width {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join("\n    ")
}

proptest! {
    #[test]
    fn no_bytes_panic(at in 0usize..1200, bytes in proptest::collection::vec(any::<u8>(), 0..40), cut in 0usize..1300) {
        let mut text = message(RECIPIENT).into_bytes();
        let at = at.min(text.len());
        text.splice(at..(at + bytes.len()).min(text.len()), bytes);
        text.truncate(cut);
        read(&text);
        DSN.score(&text);
    }

    #[test]
    fn what_is_rendered_is_read(
        local in prop_oneof!["[a-z]{1,8}", "\"[a-z @,>()]{1,8}\""],
        domain in "[a-z]{1,5}\\.(org|example)",
        action in 0..3usize,
        code in prop_oneof![400u16..600],
        enhanced in proptest::option::of((4u8..6, 0u16..1000, 0u16..1000)),
        words in proptest::collection::vec("[!-9;-~é]{1,12}", 1..20),
        ip in any::<[u8; 4]>(),
        v6 in any::<bool>(),
        second in 0u32..60,
        shape in 0..3usize,
        ends in prop_oneof![Just("\n"), Just("\r\n")],
    ) {
        let ip: IpAddr = if v6 { std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, ip[0].into()).into() } else { std::net::Ipv4Addr::from([203, ip[1], ip[2], ip[3]]).into() };
        let enhanced = enhanced.map_or(String::new(), |(a, b, c)| format!("{a}.{b}.{c} "));
        // Words that are read as something else: an encoded word, a field's name.
        prop_assume!(!words.iter().any(|word| word.contains("=?") || word.contains("[internal]")));
        let reply = format!("{code} {enhanced}{}", words.join(" "));
        let action = ["failed", "delayed", "relayed"][action];
        let outcome = match action { "failed" => "bounced", "delayed" => "deferred", _ => "delivered" };
        let to = format!("{local}@{domain}");
        let report = match shape {
            0 => format!("Reporting-MTA: dns; h.example\nX-Postfix-Queue-ID: q\n\nFinal-Recipient: rfc822; {to}\nOriginal-Recipient: rfc822;{to}\nAction: {action}\nStatus: 5.0.0\nRemote-MTA: dns; mx.example\nDiagnostic-Code: smtp; {}\n", fold(&reply, 60)),
            1 => format!("Reporting-MTA: dns; h.example\n\nAction: {action}\nFinal-Recipient: rfc822;{to}\nStatus: 5.0.0\nRemote-MTA: dns; mx.example\nDiagnostic-Code: smtp; {reply}\n"),
            _ => format!("Reporting-MTA: dns;h.example\n\nFinal-Recipient: rfc822;{to}\nAction: {action}\nRemote-MTA: dns;mx.example ({ip})\nDiagnostic-Code: smtp;{reply}\nX-PowerMTA-VirtualMTA: v\n"),
        };
        let text = message(&report).replace("10:00:09", &format!("10:00:{second:02}")).replace('\n', ends);
        let (queue, name, ip) = match shape { 0 => ("q", "-", "-".into()), 1 => ("-", "-", "-".into()), _ => ("-", "v", ip.to_string()) };
        prop_assert_eq!(
            shown(&text),
            [format!("2026-05-12T08:00:{second:02}Z h.example {queue} - {name} n@example.com {to} mx.example {ip} {outcome} {reply}")]
        );
    }
}
