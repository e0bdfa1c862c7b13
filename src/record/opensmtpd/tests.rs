#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use crate::record::json::tests::shown;
use crate::record::wrapped;

fn read(log: &str) -> Vec<String> {
    shown(wrapped::tests::alone("opensmtpd"), log)
}

fn text(text: &str) -> String {
    read(&format!("May 12 08:50:01 puffy smtpd[45037]: {text}")).join("|")
}

#[test]
fn documented_lines() {
    let found = read(include_str!("documented.log"));
    let reply = "Please contact your Internet service provider since part of their network is on our block list (S3140). You can also refer your provider to http://mail.live.com/mail/troubleshooting.aspx#errors. [MW2NAM10FT088.eop-nam10.prod.protection.outlook.com]";
    let expected = [
        "08:50:01Z 7077717e797a776f 203.0.113.41 - n@example.com a@outlook.com mail-bn8nam120045.inbound.protection.outlook.com 198.51.100.11 delivered 250 2.6.0 <o1@example.com> [InternalId=858993418344, Hostname=BY5PR07MB7901.namprd07.prod.outlook.com] 18344 bytes in 0.187, 95.542 KB/sec Queued mail for delivery -> 250 2.1.5".to_owned(),
        "08:51:00Z 7077717e797a776f 203.0.113.41 - n@example.com c@hotmail.com - 198.51.100.12 deferred 451 4.7.500 Server busy. Please try again later from [203.0.113.41]. (S77719) [DM6NAM12FT047.eop-nam12.prod.protection.outlook.com 2026-05-12T06:51:00.300Z 08DEA1B20C3D500E]".to_owned(),
        format!("08:52:00Z 7077717e797a776f 203.0.113.41 - n@example.com e@live.com mail-mw2nam100088.inbound.protection.outlook.com 198.51.100.13 bounced 550 5.7.1 Unfortunately, messages from [203.0.113.41] weren't sent. {reply}"),
    ];
    assert_eq!(found, expected.map(|line| format!("2026-05-12T{line}")));
}

#[test]
fn other_versions() {
    let expected = "2026-05-12T08:50:01Z 7077717e797a776f 203.0.113.41 - n@e.f a@b.c mx.outlook.com 198.51.100.11 deferred 451 4.7.500 busy, stat=5 \"q\"";
    assert_eq!(
        text(
            r#"8f4864084ecc48f5 mta event=delivery evpid=7077717e797a776f from=<n@e.f> to=<a@b.c> rcpt=<-> source="203.0.113.41" relay="198.51.100.11 (mx.outlook.com)" delay=1s result="TempFail" stat="451 4.7.500 busy, stat=5 "q"""#
        ),
        expected
    );
    assert_eq!(
        text(
            r#"relay: TempFail for 7077717e797a776f: session=8f4864084ecc48f5, from=<n@e.f>, to=<a@b.c>, rcpt=<->, source=203.0.113.41, relay=198.51.100.11 (mx.outlook.com), delay=1s, stat=451 4.7.500 busy, stat=5 "q""#
        ),
        expected
    );
}

#[test]
fn control_characters_come_back() {
    let found = text(
        r#"0 mta delivery evpid=e1 from=<> to=<a@b.c> rcpt=<-> source="1.2.3.4" relay="1.2.3.5 (x)" delay=1s result="PermFail" stat="550 5.7.1#011Tabs #09 #411""#,
    );
    assert!(found.ends_with(" bounced 550 5.7.1\tTabs #09 #411"), "{found}");
}

#[test]
fn silence_and_what_is_no_attempt() {
    let line = |source: &str, relay: &str, result: &str, stat: &str| {
        text(&format!(
            r#"0 mta delivery evpid=e1 from=<> to=<"a> source="@b.c> rcpt=<-> source="{source}" relay="{relay}" delay=1s result="{result}" stat="{stat}""#
        ))
    };
    let start = r#"2026-05-12T08:50:01Z e1 "#;
    assert_eq!(
        line("-", "b.c", "TempFail", "Network error on destination MXs"),
        format!("{start}- -  \"a> source=\"@b.c - - deferred Nobody")
    );
    for own in [
        "IO Error: Connection reset by peer",
        "Connection closed unexpectedly",
        "Bad response: line too long",
    ] {
        assert_eq!(
            line("[2001:db8::1]", "[2001:db8::2] (mx.x)", "PermFail", own),
            format!("{start}2001:db8::1 -  \"a> source=\"@b.c mx.x 2001:db8::2 bounced Nobody")
        );
    }
    assert_eq!(line("10.0.0.1", "127.0.0.1 (localhost)", "Ok", "250 ok"), "");
    assert_eq!(line("10.0.0.1", "198.51.100.1 (x)", "LoopDetected", "Loop detected"), "");
    assert_eq!(line("10.0.0.1", "198.51.100.1 (x)", "Perhaps", "250 ok"), "an unknown word after result=");
    assert_eq!(
        text("0 mta delivery evpid=e1 from=<> to=<a@b.c> rcpt=<-> source=\"1"),
        "a delivery that lacks a field"
    );
    assert_eq!(text("0 mta connected"), "");
    assert_eq!(text("0 smtp envelope evpid=e1 from=<> to=<a@b.c> relay=x"), "");
}

proptest! {
    #[test]
    fn no_cut_or_broken_line_panics(index in 0usize..3, cut in 0usize..500, at in 0usize..500, bytes in proptest::collection::vec(any::<u8>(), 0..9)) {
        let mut line = include_str!("documented.log").lines().nth(index).unwrap().as_bytes().to_vec();
        let at = at.min(line.len());
        let end = (at + bytes.len()).min(line.len());
        line.splice(at..end, bytes);
        line.truncate(cut);
        read(&String::from_utf8_lossy(&line));
    }

    #[test]
    fn what_opensmtpd_logs_is_read_back(
        local in "[a-z0-9.+=,@>< ]{1,12}",
        name in "mail-[a-z0-9]{3,12}\\.inbound\\.protection\\.outlook\\.com",
        ip in any::<[u8; 4]>(),
        v6 in any::<bool>(),
        words in "[ -\"$-~é]{0,60}",
        code in 200u16..600,
        kind in 0..3usize,
        old in any::<bool>(),
    ) {
        let to = if local.contains([',', '@', '>', '<', ' ']) { format!("\"{local}\"@b.c") } else { format!("{local}@b.c") };
        let ip: std::net::IpAddr = if v6 {
            std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, ip[0].into()).into()
        } else {
            std::net::Ipv4Addr::from([203, ip[1], ip[2], ip[3]]).into()
        };
        let shown_ip = if v6 { format!("[{ip}]") } else { ip.to_string() };
        let result = ["Ok", "TempFail", "PermFail"][kind];
        let line = if old {
            format!("relay: {result} for e1: session=5, from=<n@e.f>, to=<{to}>, rcpt=<->, source={shown_ip}, relay={shown_ip} ({name}), delay=1s, stat={code} {words}")
        } else {
            format!("5 mta delivery evpid=e1 from=<n@e.f> to=<{to}> rcpt=<-> source=\"{shown_ip}\" relay=\"{shown_ip} ({name})\" delay=1s result=\"{result}\" stat=\"{code} {words}\"")
        };
        let outcome = ["delivered", "deferred", "bounced"][kind];
        prop_assert_eq!(text(&line), format!("2026-05-12T08:50:01Z e1 {ip} - n@e.f {to} {name} {ip} {outcome} {code} {words}"));
    }
}
