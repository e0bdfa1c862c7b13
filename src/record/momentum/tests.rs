#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::record::{guess, json::tests::shown};

const DOCUMENTED: &str = include_str!("documented.log");
const BOUNCED: &str = "1778570470@10/00-25593-393A87F3@00/00-03736-F4101B54@00/00-04532-A3456B54@B@e@live.com@n@example.com\
    @group-a@vip-62@5@0@1.02@198.51.100.13@550 5.7.1 no, a@b is not there";

fn read(log: &str) -> Vec<String> {
    shown(&MOMENTUM, log)
}

#[test]
fn documented_lines() {
    let expected = [
        "2026-05-12T07:20:01Z 20/00-25593-945A87F3 - vip-61 - @outlook.com - 198.51.100.11 delivered Codes { smtp: None, enhanced: None }",
        "2026-05-12T07:20:10Z 20/00-25593-CBD987F3 - vip-61 - @hotmail.com - 198.51.100.12 deferred 451 4.7.650 The mail server [203.0.113.61]",
        "2026-05-12T07:21:10Z 10/00-25593-393A87F3 - vip-62 - @live.com - 198.51.100.13 bounced 550 5.7.1 Unfortunately, messages from [203.0.113.62]",
    ];
    let found = read(DOCUMENTED);
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}\n{expected}");
    }
    assert!(found[2].ends_with("08DEA1B20C3D501A]"));
    assert_eq!(read(&DOCUMENTED.replace('\n', "\r\n")), found);
}

#[test]
fn lines_of_all_kinds() {
    let base = "2026-05-12T07:21:10Z 10/00-25593-393A87F3 - vip-62";
    assert_eq!(
        read(BOUNCED),
        [format!("{base} n@example.com e@live.com - 198.51.100.13 bounced 550 5.7.1 no, a@b is not there")]
    );
    // The bounce log repeats the main log's `P`.
    let is_retold = |line: &str| {
        let mut retold = None;
        let mut reader = MOMENTUM.reader(&Clock { zone: stamp::Zone::Fixed(0), year: 2026 });
        reader.line(Line { bytes: line.as_bytes(), offset: 0 }, &mut |_, record| {
            retold = Some(matches!(record, Record::Retold(_)));
        });
        retold.unwrap()
    };
    assert!(is_retold(BOUNCED) && !DOCUMENTED.lines().any(is_retold));
    // As it may repeat a `T`.
    let deferred = BOUNCED.replace("@B@", "@T@").replace("550 5.7.1", "451 4.7.1");
    assert!(is_retold(&deferred));
    assert_eq!(
        read(&deferred),
        [format!("{base} n@example.com e@live.com - 198.51.100.13 deferred 451 4.7.1 no, a@b is not there")]
    );
    // The null sender; an `@` that is part of the address.
    assert!(read(&BOUNCED.replace("@n@example.com@", "@@@"))[0].starts_with(&format!("{base}  e@live.com ")));
    assert!(
        read(&BOUNCED.replace("@B@e@", "@B@\"a\\@b\\c\"@"))[0]
            .starts_with(&format!("{base} n@example.com \"a@b\\c\"@live.com "))
    );
    // Momentum's own words.
    let own = |words: &str| {
        let line = SAMPLE.split_once("451 ").unwrap().0.replace("198.51.100.12", "");
        read(&format!("{line}{words}"))
            .join("|")
            .replace("2026-05-12T07:20:10Z 20/00-25593-CBD987F3 - vip-61 - @hotmail.com - ", "")
    };
    assert_eq!(own("451 4.4.1 [internal] no answer from host"), "- deferred Nobody");
    assert_eq!(own("451 4.4.4 [internal] domain suspended"), "held back");
    let bounced = |words: &str| read(&format!("{}{words}", BOUNCED.split_once("550 ").unwrap().0)).join("|");
    for words in [
        "554 5.4.7 [internal] exceeded max time without delivery",
        "550 5.7.1 550 [internal] [oob] x",
        "554 5.7.0 [internal] Blackholed",
    ] {
        assert_eq!(bounced(words), "");
    }
    assert!(bounced("550 5.7.1 your message expired").ends_with("bounced 550 5.7.1 your message expired"));
    assert_eq!(own("[internal] x"), "- deferred Nobody");
    // Receptions and others, local hops, cut lines.
    for kind in ["R", "X", "MB"] {
        assert_eq!(read(&BOUNCED.replace("@B@", &format!("@{kind}@"))), [""; 0]);
    }
    assert_eq!(read(&BOUNCED.replace("198.51.100.13", "127.0.0.1")), [""; 0]);
    assert_eq!(read(BOUNCED.split_once("@vip").unwrap().0), ["a delivery with too few fields"]);
    assert_eq!(read("free words\n1251222268@@@@M1\n"), [""; 0]);
    assert!(MOMENTUM.score(b"1251222268@@@@M1\n") > 0.0);
    assert!(guess(b"1778570470 a@b.org@c@d@e\n").is_none());
    assert_eq!(MOMENTUM.naive_stamp(BOUNCED.as_bytes()), Some(Naive::utc(1_778_570_470, None)));
}

proptest! {
    #[test]
    fn no_bytes_panic(at in 0usize..300, bytes in proptest::collection::vec(proptest::sample::select(&b"@\\DTPB1 .\xff"[..]), 0..12)) {
        let mut line = BOUNCED.as_bytes().to_vec();
        let at = at.min(line.len());
        let end = (at + bytes.len()).min(line.len());
        line.splice(at..end, bytes);
        let mut reader = MOMENTUM.reader(&Clock { zone: stamp::Zone::Fixed(0), year: 2026 });
        reader.line(Line { bytes: &line, offset: 0 }, &mut |_, _| {});
        MOMENTUM.naive_stamp(&line);
        MOMENTUM.score(&line);
    }

    #[test]
    fn what_is_rendered_is_read(
        kind in 0..4usize,
        local in "[a-z]{1,8}|\"[a-z@,> ]{1,8}\"",
        binding in "[a-z0-9-]{1,9}",
        ip in any::<[u8; 4]>(),
        v6 in any::<bool>(),
        reply in "[45][0-9]{2} [ -~é]{0,40}[!-~]",
        seconds in 1_000_000_000..2_000_000_000i64,
    ) {
        let ip: std::net::IpAddr = if v6 { std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, ip[0].into()).into() } else { std::net::Ipv4Addr::from([203, ip[1], ip[2], ip[3]]).into() };
        let escaped = local.replace('@', "\\@");
        let start = format!("{seconds}@20/00-1-A@00/00-2-B@00/00-3-C@");
        let time = crate::record::Time::from_seconds(seconds);
        let (line, expected) = match kind {
            0 => (format!("D@b.org@20112@g@{binding}@0@1.393@{ip}"), format!("- @b.org - {ip} delivered Codes {{ smtp: None, enhanced: None }}")),
            1 => (format!("T@b.org@0@g@{binding}@5@0@0.91@{ip}@{reply}"), format!("- @b.org - {ip} deferred {reply}")),
            2 => (format!("P@b.org@0@g@{binding}@5@0@0.91@{ip}@{reply}"), format!("- @b.org - {ip} bounced {reply}")),
            _ => (format!("B@{escaped}@b.org@{escaped}@x.org@g@{binding}@5@0@1.02@{ip}@{reply}"), format!("{local}@x.org {local}@b.org - {ip} bounced {reply}")),
        };
        prop_assume!(!reply.contains("[internal]"));
        prop_assert_eq!(read(&format!("{start}{line}")), [format!("{time} 20/00-1-A - {binding} {expected}")]);
    }
}
