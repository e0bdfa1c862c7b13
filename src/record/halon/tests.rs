#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::record::json::tests::{shown, survives};

const DOCUMENTED: &str = include_str!("documented.jsonl");

fn read(log: &str) -> Vec<String> {
    shown(&HALON, log)
}

const START: &str =
    "2026-05-12T07:40:00.500Z 18a7e0c1-4d20-11f1-9a00-00163e000001:1 203.0.113.91 - n@example.com";

#[test]
fn documented_lines() {
    let expected = [
        "a@outlook.com outlook-com.olc.protection.outlook.com 198.51.100.11 delivered 250 2.6.0 <l1@example.com> [Int",
        "c@hotmail.com hotmail-com.olc.protection.outlook.com 198.51.100.12 deferred 451 4.7.650 The mail server [203",
        "e@live.com live-com.olc.protection.outlook.com 198.51.100.13 bounced 550 5.7.1 Unfortunately, messages from",
    ];
    let found = read(DOCUMENTED);
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(&format!("{START} {expected}")), "{found}\n{expected}");
    }
    assert!(found[2].ends_with("08DEA1B20C3D5020]"));
}

#[test]
fn records_of_all_kinds() {
    let with = |from: &str, to: &str| {
        assert!(SAMPLE.contains(from), "{from}");
        let start = format!("{START} d@hotmail.com hotmail-com.olc.protection.outlook.com 198.51.100.12 ");
        read(&SAMPLE.replace(from, to)).join("|").replace(&start, "")
    };
    assert_eq!(with("\"delayed\"", "\"failed\""), "bounced Nobody");
    assert_eq!(with("\"result_code\": 0", "\"result_code\": 550"), "deferred 550 Connection timed out");
    assert_eq!(with("\"delayed\"", "\"delivered\""), "delivered Codes { smtp: None, enhanced: None }");
    assert_eq!(with("\"delayed\"", "\"received\""), "");
    assert_eq!(with("198.51.100.12", "10.0.0.1"), "");
    assert_eq!(with("\"ts_attempt\"", "\"x\""), "a try without ts_attempt");
    assert_eq!(with("\"recipient_domain\"", "\"x\""), "a try without recipient_domain");
    assert_eq!(with("\"sender\"", "sender"), json::BROKEN);
}

proptest! {
    #[test]
    fn no_bytes_panic(at in 0usize..500, bytes in proptest::collection::vec(any::<u8>(), 0..12)) {
        survives(&HALON, SAMPLE, at, bytes);
    }

    #[test]
    fn what_is_rendered_is_read(
        kind in 0..3usize,
        local in "[a-z\"\\\\ @é]{1,8}",
        enhanced in proptest::option::of((0u16..1000, 0u16..1000)),
        text in "[a-zA-Z\"\\\\\t][ -~\té]{0,40}",
        ip in any::<[u8; 4]>(),
        seconds in 1_000_000_000..2_000_000_000i64,
    ) {
        let ip = std::net::Ipv4Addr::from([203, ip[1], ip[2], ip[3]]);
        let code = [250, 451, 550][kind];
        let enhanced = enhanced.map(|(subject, detail)| format!("{}.{subject}.{detail}", code / 100));
        let event = serde_json::json!({
            "type": "SMTP",
            "messageid": "m:1",
            "ts_attempt": seconds,
            "status": (["delivered", "delayed", "failed"][kind]),
            "result_code": code,
            "result_enhanced": enhanced,
            "result_reason": text,
            "connection_localip": ip.to_string(),
            "connection_remoteip": ip.to_string(),
            "connection_remotemx": "mx.example.org",
            "sender": "",
            "recipient_localpart": local,
            "recipient_domain": "b.org",
        });
        let enhanced = enhanced.map_or(String::new(), |enhanced| format!(" {enhanced}"));
        let (time, outcome) = (crate::record::Time::from_seconds(seconds), ["delivered", "deferred", "bounced"][kind]);
        prop_assert_eq!(
            read(&event.to_string()),
            [format!("{time} m:1 {ip} -  {local}@b.org mx.example.org {ip} {outcome} {code}{enhanced} {text}")]
        );
    }
}
