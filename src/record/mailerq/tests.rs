#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::record::Format;
use crate::record::json::tests::{shown, survives};

const DOCUMENTED: &str = include_str!("documented.jsonl");

fn read(log: &str) -> Vec<String> {
    shown(&MAILERQ, log)
}

#[test]
fn documented_lines() {
    let start = "2026-05-12T07:30:01Z - 203.0.113.71 - n@example.com";
    let expected = [
        "a@outlook.com mail-mw2nam120031.inbound.protection.outlook.com 198.51.100.11 delivered 250 2.6.0 <m1@example.com> [Int",
        "c@hotmail.com mail-dm6nam110014.inbound.protection.outlook.com 198.51.100.12 deferred 451 4.7.650 The mail server [203",
        "e@live.com mail-co1nam110061.inbound.protection.outlook.com 198.51.100.13 bounced 550 5.7.1 Unfortunately, messages from",
    ];
    let found = read(DOCUMENTED);
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(&format!("{start} {expected}")), "{found}\n{expected}");
    }
    assert!(found[2].ends_with("[CO1NAM11FT061.eop-nam11.prod.protection.outlook.com]"));
    // In an array, written one a line or as a whole.
    let lines: Vec<&str> = DOCUMENTED.lines().collect();
    assert_eq!(read(&format!("[{}]", lines.join(", "))), found);
    assert_eq!(read(&format!("[\n{}\n]\n", lines.join(",\n"))), found);
}

#[test]
fn records_of_all_kinds() {
    let with = |from: &str, to: &str| {
        assert!(SAMPLE.contains(from), "{from}");
        read(&SAMPLE.replace(from, to))
            .join("|")
            .replace("2026-05-12T07:30:01Z - 203.0.113.71 - n@example.com ", "")
    };
    let relay = "mail-dm6nam110014.inbound.protection.outlook.com 198.51.100.12";
    // Only the last try is new.
    let earlier = r#""results": [{"result": "error", "time": "2026-05-11 01:00:00", "code": 550, "description": "old"}, "#;
    assert_eq!(with("\"results\": [", earlier), format!("d@hotmail.com {relay} deferred Nobody"));
    let last = SAMPLE.replace("\"results\": [", earlier);
    assert_eq!(MAILERQ.naive_stamp(last.as_bytes()), MAILERQ.naive_stamp(SAMPLE.as_bytes()));
    assert_eq!(
        with(
            "\"timeout\"",
            "\"error\", \"code\": \"450\", \"status\": null, \"description\": \"a\\nb \\\"c\\\"\""
        ),
        format!("d@hotmail.com {relay} deferred 450 a b \"c\"")
    );
    assert_eq!(
        with("\"timeout\"", "\"accepted\""),
        format!("d@hotmail.com {relay} delivered Codes {{ smtp: None, enhanced: None }}")
    );
    assert_eq!(with("\"connect\"", "\"amqp\""), "");
    assert_eq!(with("\"connect\"", "\"bind\""), "held back");
    assert_eq!(with("\"connect\"", "\"dns\""), format!("d@hotmail.com {relay} deferred Nobody"));
    assert_eq!(with("198.51.100.12", "10.0.0.1"), "");
    assert_eq!(with("\"results\": [{", "\"results\": [], \"x\": [{"), "");
    assert_eq!(with("\"result\"", "\"x\""), "a result that does not tell what became of the message");
    assert_eq!(with("\"time\"", "\"x\""), "a result without time");
    assert_eq!(with("\"recipient\"", "\"x\""), "a result without recipient");
    assert_eq!(with("\"envelope\"", "envelope"), json::BROKEN);
    assert_eq!(read("free words\n\n"), ["not a JSON object"]);
}

proptest! {
    #[test]
    fn no_bytes_panic(at in 0usize..300, bytes in proptest::collection::vec(any::<u8>(), 0..12)) {
        survives(&MAILERQ, SAMPLE, at, bytes);
    }

    #[test]
    fn what_is_rendered_is_read(
        kind in 0..3usize,
        local in "[a-z\"\\\\ @é]{1,8}",
        enhanced in proptest::option::of((0u16..1000, 0u16..1000)),
        text in "[a-zA-Z\"\\\\\t][ -~\té]{0,40}",
        ip in any::<[u8; 4]>(),
    ) {
        let ip = std::net::Ipv4Addr::from([203, ip[1], ip[2], ip[3]]);
        let code = [250, 451, 550][kind];
        let enhanced = enhanced.map(|(subject, detail)| format!("{}.{subject}.{detail}", code / 100));
        let message = serde_json::json!({
            "envelope": "n@example.com",
            "recipient": format!("{local}@b.org"),
            "results": [{"result": "x"}, {
                "result": (["accepted", "error", "error"][kind]),
                "time": "2026-05-12 07:30:01",
                "mta": "mx.example.org",
                "from": ip.to_string(),
                "to": ip.to_string(),
                "code": code,
                "status": enhanced,
                "description": text,
            }],
        });
        let enhanced = enhanced.map_or(String::new(), |enhanced| format!(" {enhanced}"));
        let outcome = ["delivered", "deferred", "bounced"][kind];
        prop_assert_eq!(
            read(&message.to_string()),
            [format!("2026-05-12T07:30:01Z - {ip} - n@example.com {local}@b.org mx.example.org {ip} {outcome} {code}{enhanced} {text}")]
        );
    }
}
