#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::record::json::tests::{shown, survives};

const DOCUMENTED: &str = include_str!("documented.jsonl");

fn read(log: &str) -> Vec<String> {
    shown(&GREENARROW, log)
}

const START: &str =
    "2026-05-12T07:30:01.120Z 1778571000.7212.mta1 203.0.113.81 out12.example.com n@example.com";

#[test]
fn documented_lines() {
    let expected = [
        "a@outlook.com outlook-com.olc.protection.outlook.com 198.51.100.11 delivered 250 2.6.0 <g1@example.com> [Int",
        "c@hotmail.com hotmail-com.olc.protection.outlook.com 198.51.100.12 deferred 451 4.7.650 The mail server [203",
        "e@live.com live-com.olc.protection.outlook.com 198.51.100.13 bounced 550 5.7.1 Unfortunately, messages from",
    ];
    let found = read(DOCUMENTED);
    assert_eq!(found.len(), expected.len() + 1);
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(&format!("{START} {expected}")), "{found}\n{expected}");
    }
    assert!(found[2].ends_with(
        "#errors. [CH2PEPF0000009E.namprd02.prod.outlook.com 2026-05-12T07:30:04.001Z 08DEA1B20C3D501D]"
    ));
    assert_eq!(found[3], "held back");
}

#[test]
fn records_of_all_kinds() {
    let with = |from: &str, to: &str| {
        assert!(SAMPLE.contains(from), "{from}");
        let start = format!("{START} d@hotmail.com hotmail-com.olc.protection.outlook.com 198.51.100.12 ");
        read(&SAMPLE.replace(from, to)).join("|").replace(&start, "")
    };
    let said = |words: &str| with("Connected to 198.51.100.12 but connection died. (#4.4.2)/", words);
    assert_eq!(
        said("x/Remote host said: 550 5.7.1 see http://a/b#c/Giving up on 198.51.100.12./"),
        "deferred 550 5.7.1 see http://a/b#c"
    );
    assert_eq!(
        said(
            "x/Remote host said: 450 a\\nb/I'm not going to try again; this message has been in the queue too long./"
        ),
        "deferred 450 a b"
    );
    assert_eq!(said("x/Remote host said: what/"), "deferred Nobody");
    assert_eq!(with("\"deferral\"", "\"success\""), "delivered Codes { smtp: None, enhanced: None }");
    assert_eq!(with("\"deferral\"", "\"throttled\""), "held back");
    assert_eq!(with("\"remote\"", "\"local\""), "");
    assert_eq!(with("\"mx_ip\": \"198.51.100.12\"", "\"mx_ip\": \"127.0.0.1\""), "");
    assert_eq!(with("\"timestamp\"", "\"x\""), "a try without timestamp");
    assert_eq!(with("\"status\"", "\"x\""), "a try without status");
    assert_eq!(with("\"recipient\"", "\"x\""), "a try without recipient");
    assert_eq!(with("\"sender\"", "sender"), json::BROKEN);
}

proptest! {
    #[test]
    fn no_bytes_panic(at in 0usize..500, bytes in proptest::collection::vec(any::<u8>(), 0..12)) {
        survives(&GREENARROW, SAMPLE, at, bytes);
    }

    #[test]
    fn what_is_rendered_is_read(
        kind in 0..3usize,
        local in "[a-z\"\\\\ @é]{1,8}",
        text in "[ -~\té]{0,40}[!-.0-~]",
        ip in any::<[u8; 4]>(),
        millis in 0u16..1000,
    ) {
        let ip = std::net::Ipv4Addr::from([203, ip[1], ip[2], ip[3]]);
        let code = [250, 451, 550][kind];
        let event = serde_json::json!({
            "timestamp": format!("1778571001.{millis:03}"),
            "channel": "remote",
            "status": (["success", "deferral", "failure"][kind]),
            "msguid": "1.2.mta1",
            "message": format!("{ip} does not like recipient./Remote host said: {code} {text}/Giving up on {ip}./"),
            "sender": "n@example.com",
            "recipient": format!("{local}@b.org"),
            "outmtaid_ip": ip.to_string(),
            "outmtaid_hostname": "out1",
            "mx_hostname": "mx.example.org",
            "mx_ip": ip.to_string(),
        });
        let outcome = ["delivered", "deferred", "bounced"][kind];
        prop_assert_eq!(
            read(&event.to_string()),
            [format!("2026-05-12T07:30:01.{millis:03}Z 1.2.mta1 {ip} out1 n@example.com {local}@b.org mx.example.org {ip} {outcome} {code} {text}")]
        );
    }
}
