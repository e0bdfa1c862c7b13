#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use crate::record::json::tests::shown;
use crate::record::wrapped;

fn read(log: &str) -> Vec<String> {
    shown(wrapped::tests::alone("sendmail"), log)
}

/// The attempt of a line with these fields behind the recipients.
fn with(fields: &str) -> String {
    read(&format!("May 12 08:40:02 relay1 sm-out1[1]: 64C6e1Qf007100: to=<a@b.c>, delay=00:00:01, {fields}"))
        .join("|")
}

const MX: &str = "xdelay=00:00:01, mailer=esmtp, pri=1, relay=mx.outlook.com. [198.51.100.11]";
const START: &str = "2026-05-12T08:40:02Z 64C6e1Qf007100 - sm-out1 - a@b.c mx.outlook.com 198.51.100.11";

#[test]
fn documented_lines() {
    let found = read(include_str!("documented.log"));
    let expected = [
        "08:40:02Z 64C6e1Qf007100 - sm-mta - a@outlook.com outlook-com.olc.protection.outlook.com 198.51.100.11 delivered Codes { smtp: None, enhanced: None }",
        "08:40:09Z 64C6e8Xx007108 - sm-mta - b@example.org example-org.mail.protection.outlook.com 198.51.100.14 delivered Codes { smtp: None, enhanced: None }",
        "08:40:09Z 64C6e8Xx007108 - sm-mta - c@example.org example-org.mail.protection.outlook.com 198.51.100.14 delivered Codes { smtp: None, enhanced: None }",
        "08:41:15Z 64C6fEQ1007118 - sm-mta - d@hotmail.com hotmail-com.olc.protection.outlook.com 198.51.100.12 deferred 451 4.7.650 The mail server [192.0.2.31] has been temporarily rate limited due to IP reputation. For e-mail delivery information, see https://aka.ms/postmaster (S775) [AM3PEPF0000A795.eurprd04.prod.outlook.com 2026-05-12T06:41:14.880Z 08DEA1B20C3D500D]",
        "08:42:30Z 64C6gTQ2007129 - sm-mta - e@live.com live-com.olc.protection.outlook.com 198.51.100.13 deferred Nobody",
        "08:43:00Z 64C6gxQ3007138 - sm-mta - f@live.com live-com.olc.protection.outlook.com 198.51.100.13 bounced Codes { smtp: None, enhanced: Some(Enhanced(5, 7, 1)) }",
        "08:43:21Z 64C6hKQ4007142 - sm-mta - gone@example.org example-org.mail.protection.outlook.com 198.51.100.14 bounced Codes { smtp: None, enhanced: Some(Enhanced(5, 4, 1)) }",
    ];
    assert_eq!(found, expected.map(|line| format!("2026-05-12T{line}")));
}

#[test]
fn the_reply_beats_the_status() {
    for (rest, expected) in [
        ("dsn=5.7.1, reply=550 5.7.1 no, never, stat=User unknown", "bounced 550 5.7.1 no, never"),
        (
            "dsn=5.7.1, reply=550 5.7.1 a = e, stat=Sent, dsn=2.0.0 [x], stat=User unknown",
            "bounced 550 5.7.1 a = e, stat=Sent, dsn=2.0.0 [x]",
        ),
        (
            "dsn=4.7.0, reply=421 4.7.0 a, stat=Sent, stat=Deferred: 421 4.7.0 a, stat=Sent",
            "deferred 421 4.7.0 a, stat=Sent",
        ),
        ("dsn=4.4.2, reply=421 4.4.1 Connection reset by mx.outlook.com., stat=Deferred", "deferred Nobody"),
        ("dsn=4.3.0, reply=451 4.3.0 later, stat=Deferred", "deferred 451 4.3.0 later"),
        ("dsn=4.0.0, stat=Deferred", "deferred Nobody"),
        ("dsn=4.0.0, stat=Deferred: 451 4.4.1 reply: read error from mx.outlook.com.", "deferred Nobody"),
        ("dsn=2.6.0, stat=Sent (OK)", "delivered Codes { smtp: None, enhanced: Some(Enhanced(2, 6, 0)) }"),
        ("dsn=2.0.0, reply=250 2.6.0 <a@b> ok, stat=Sent (<a@b> ok)", "delivered 250 2.6.0 <a@b> ok"),
        (
            "dsn=5.0.0, reply=gibberish, stat=Service unavailable",
            "bounced Codes { smtp: None, enhanced: None }",
        ),
        (
            "ntries=3, dsn=5.1.1, stat=User unknown",
            "bounced Codes { smtp: None, enhanced: Some(Enhanced(5, 1, 1)) }",
        ),
    ] {
        assert_eq!(with(&format!("{MX}, {rest}")), format!("{START} {expected}"), "{rest}");
    }
}

#[test]
fn relays_and_names() {
    let found = with(
        "mailer=relay, pri=1, relay=cpandl-example.mai...ction.outlook.com. [52.101.32.1], stat=Sent (OK)",
    );
    assert!(found.contains(" cpandl-example.mai...ction.outlook.com 52.101.32.1 delivered "), "{found}");
    // Nobody was reached.
    let found = with(
        "mailer=esmtp, pri=1, relay=b.c, dsn=5.1.2, stat=Host unknown (Name server: b.c: host not found)",
    );
    assert!(found.ends_with(" a@b.c - - bounced Nobody"), "{found}");
}

#[test]
fn recipients_of_all_kinds() {
    for (list, expected) in [
        ("<a@b.c>,<d@e.f>", &["a@b.c", "d@e.f"][..]),
        ("<\"x>,<y>, z\"@b.c>,<d@e.f>, ctladdr=<a@b, delay> (8/0)", &["\"x>,<y>, z\"@b.c", "d@e.f"]),
        ("a@b.c,d@e.f, ctladdr=root (0/0)", &["a@b.c", "d@e.f"]),
    ] {
        let line = format!(
            "May 12 08:40:02 relay1 sendmail[1]: q1: to={list}, delay=00:00:01, {MX}, dsn=2.0.0, stat=Sent"
        );
        let found: Vec<String> = read(&line);
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.contains(&format!(" - {expected} mx.outlook.com ")), "{found}");
        }
    }
}

#[test]
fn what_is_no_attempt() {
    for (line, expected) in [
        ("sm-mta[1]: q1: from=<n@e.f>, size=1, class=0, nrcpts=1, relay=app [10.0.0.1]", "queued"),
        ("sm-mta[1]: q1: from=<>, size=1, class=0, nrcpts=1, relay=app [10.0.0.1]", "queued"),
        ("sm-mta[1]: q1: to=<a@b.c>, delay=00:00:00, mailer=esmtp, pri=1, stat=queued", "held back"),
        (
            "sm-mta[1]: q1: to=joe, delay=00:00:00, xdelay=00:00:00, mailer=local, pri=1, dsn=2.0.0, stat=Sent",
            "",
        ),
        ("sm-mta[1]: q1: to=joe, delay=00:00:00, mailer=loc", ""),
        (
            "sendmail[1]: q1: to=a@b.c, delay=00:00:00, xdelay=00:00:00, mailer=relay, pri=1, relay=[127.0.0.1] [127.0.0.1], dsn=2.0.0, stat=Sent (ok)",
            "",
        ),
        ("sm-mta[1]: q1: q2: return to sender: Cannot send message for 5 days", ""),
        (
            "sm-mta[1]: q1: to=<a@b.c>, delay=00:00:00, xdelay=00:00:00, mailer=esmtp, pri=1, relay=m",
            "a delivery without stat=",
        ),
        ("sm-mta[1]: q1: to=<a@b.c", "the recipients' addresses do not end"),
    ] {
        assert_eq!(read(&format!("May 12 08:40:02 relay1 {line}")).join("|"), expected, "{line}");
    }
}

#[test]
fn what_the_settings_leave_out_is_told() {
    let seen = |textless| crate::record::Seen { bounced: 3, textless, ..Default::default() };
    assert!((super::SENDMAIL.blind_spot)(&seen(1)).unwrap().contains("LogLevel=9"));
    assert_eq!((super::SENDMAIL.blind_spot)(&seen(0)), None);
}

proptest! {
    #[test]
    fn no_cut_or_broken_line_panics(index in 0usize..6, cut in 0usize..500, at in 0usize..500, bytes in proptest::collection::vec(any::<u8>(), 0..9)) {
        let mut line = include_str!("documented.log").lines().nth(index).unwrap().as_bytes().to_vec();
        let at = at.min(line.len());
        let end = (at + bytes.len()).min(line.len());
        line.splice(at..end, bytes);
        line.truncate(cut);
        read(&String::from_utf8_lossy(&line));
    }

    #[test]
    fn what_sendmail_logs_is_read_back(
        locals in proptest::collection::vec("[a-z0-9.+=,@>< ]{1,12}", 1..4),
        host in "[a-z][a-z0-9-]{0,12}\\.mail\\.protection\\.outlook\\.com",
        ip in any::<[u8; 4]>(),
        v6 in any::<bool>(),
        words in "[a-zA-Zé][ -~é]{0,60}[a-z)]",
        kind in 0..3usize,
        code in 1u16..100,
    ) {
        let quote = |local: &str| if local.contains([',', '@', '>', '<', ' ']) { format!("\"{local}\"") } else { local.to_owned() };
        let all: Vec<String> = locals.iter().map(|local| format!("{}@b.c", quote(local))).collect();
        let ip: std::net::IpAddr = if v6 {
            std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, ip[0].into()).into()
        } else {
            std::net::Ipv4Addr::from([203, ip[1], ip[2], ip[3]]).into()
        };
        let address = if v6 { format!("IPv6:{ip}") } else { ip.to_string() };
        let words = words.replace('\\', "/");
        let reply = format!("{}{code:02} {}.7.1 {words}", [2, 4, 5][kind], [2, 4, 5][kind]);
        let stat = [format!("Sent ({words})"), format!("Deferred: {reply}"), "Service unavailable".to_owned()];
        let line = format!(
            "May 12 08:40:02 relay1 sm-out1[1]: q1: to={}, delay=00:00:01, xdelay=00:00:01, mailer=esmtp, pri=1, relay={host}. [{address}], dsn={}.7.1, reply={reply}, stat={}",
            all.iter().map(|a| format!("<{a}>")).collect::<Vec<_>>().join(","),
            [2, 4, 5][kind],
            stat[kind],
        );
        let outcome = ["delivered", "deferred", "bounced"][kind];
        let expected: Vec<String> = all
            .iter()
            .map(|to| format!("2026-05-12T08:40:02Z q1 - sm-out1 - {to} {host} {ip} {outcome} {reply}"))
            .collect();
        prop_assert_eq!(read(&line), expected);
    }
}

#[test]
fn addresses_with_and_without_brackets_in_one_list() {
    let log = "May 12 08:40:02 relay1 sm-out1[1]: 64C6e1Qf007100: to=<\"x,y>\"@b.c>,<d@e.f>,g@h.i,<j@k.l>, ctladdr=<n@e> (0/0), \
        delay=00:00:01, xdelay=00:00:01, mailer=esmtp, pri=1, relay=mx.outlook.com. [198.51.100.11], dsn=2.0.0, \
        stat=Sent (ok)";
    let found = read(log);
    assert_eq!(found.len(), 4, "{found:#?}");
    for (found, address) in found.iter().zip(["\"x,y>\"@b.c", "d@e.f", "g@h.i", "j@k.l"]) {
        assert!(found.contains(&format!(" {address} mx.outlook.com ")), "{found}");
    }
}
