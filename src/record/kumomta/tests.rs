#![allow(clippy::unwrap_used)]

use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::record::{json::Want, json::tests::shown, registry::tests::plain_lines};

const DOCUMENTED: &str = include_str!("documented.jsonl");

fn read(log: &str) -> Vec<String> {
    shown(&KUMOMTA, log)
}

#[test]
fn documented_lines() {
    let found = read(DOCUMENTED);
    let start = "2026-05-12T06:30:01.218Z 1d98076abbbc11ed940250ebf67f93bd";
    let expected = [
        "203.0.113.31 ip-31 n@example.com a@outlook.com outlook-com.olc.protection.outlook.com 198.51.100.11 delivered 250 2.6.0 <k1@example.com> [Int",
        "203.0.113.32 ip-32 n@example.com b@example.org example-org.mail.protection.outlook.com 198.51.100.14 delivered 250 2.6.0 <k2@example.com> [Int",
        "203.0.113.31 ip-31 n@example.com c@hotmail.com hotmail-com.olc.protection.outlook.com 198.51.100.12 deferred 451 4.7.650 The mail server [203.",
        "203.0.113.31 ip-31 n@example.com d@hotmail.com hotmail-com.olc.protection.outlook.com 198.51.100.12 deferred Nobody",
        "203.0.113.32 ip-32 n@example.com e@live.com live-com.olc.protection.outlook.com 198.51.100.13 bounced 550 5.7.1 Unfortunately, messages from",
        "203.0.113.32 ip-32 n@example.com f@example.org example-org.p-v1.mx.microsoft 198.51.100.17 bounced 550 5.7.515 Access denied, sending do",
    ];
    assert_eq!(found.len(), expected.len() + 1);
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(&format!("{start} {expected}")), "{found}\n{expected}");
    }
    assert!(found[2].ends_with("08DEA1B20C3D500A]"), "{}", found[2]);
    assert_eq!(found[6], "held back");
}

#[test]
fn records_of_all_kinds() {
    let base = r#"{"type":"Bounce","id":"i","sender":"","recipient":["a@b","c@d"],"response":{"code":550,"enhanced_code":null,"content":"SC-001 (X)\nno \"q\""},"peer_address":{"name":"[2001:db8::1]","addr":"2001:db8::1"},"timestamp":1778567401,"egress_source":null,"source_address":{"address":"[2001:db8::9]:41022","protocol":null}}"#;
    assert_eq!(
        read(base),
        ["a@b", "c@d"].map(|to| format!(
            "2026-05-12T06:30:01Z i 2001:db8::9 -  {to} - 2001:db8::1 bounced 550 SC-001 (X) no \"q\""
        ))
    );
    let with = |from: &str, to: &str| {
        assert!(base.contains(from));
        read(&base.replace(from, to)).join("|")
    };
    for kind in ["Reception", "Expiration", "AdminBounce", "Feedback", "SomethingNew"] {
        assert_eq!(with("Bounce", kind), "");
    }
    // A bounce that came back: whoever handed it in is not the relay.
    let came_back = with("Bounce", "OOB");
    assert_eq!(came_back.matches(" - - bounced 550 SC-001 (X) no \"q\"").count(), 2, "{came_back}");
    assert_eq!(read(&base.replace("Bounce", "OOB").replace("550", "null")), [""; 0]);
    let coded = base
        .replace("Bounce", "OOB")
        .replace("\"enhanced_code\":null", r#""enhanced_code":{"class":5,"subject":0,"detail":0}"#)
        .replace("SC-001 (X)", "5.7.1 (X)");
    assert!(read(&coded)[0].ends_with("bounced 550 5.7.1 (X) no \"q\""), "{:?}", read(&coded));
    let mut reader = KUMOMTA.reader(&Clock { zone: crate::record::Zone::Fixed(0), year: 2026 });
    reader.line(Line { bytes: base.replace("Bounce", "OOB").as_bytes(), offset: 0 }, &mut |_, record| {
        assert!(matches!(record, Record::Retold(_)));
    });
    let own = |words: &str| with(r#"SC-001 (X)\nno \"q\""#, &format!("KumoMTA internal: {words}"));
    assert_eq!(own("returning message"), "");
    assert!(own("failed to connect to any candidate hosts: x").ends_with("bounced Nobody"));
    assert!(own("Timed Out waiting").ends_with("bounced Nobody"));
    assert_eq!(with("2001:db8::1\"}", "127.0.0.1\"}"), "");
    assert_eq!(with("\"egress_source\":null", "\"delivery_protocol\":\"LMTP\""), "");
    assert_eq!(with("\"timestamp\":1778567401,", ""), "a delivery without event_time or timestamp");
    assert_eq!(with(r#"["a@b","c@d"]"#, "[]"), "a delivery without recipient");
    assert_eq!(with("\"response\"", "\"other\""), "a delivery without response");
    assert_eq!(with("\"type\"", "type"), "a broken JSON record");
    assert_eq!(read("\r\nfree words\n{}\n"), ["not a JSON object"]);
}

#[test]
fn bytes_that_are_no_text() {
    let mut line = SAMPLE.as_bytes().to_vec();
    let at = SAMPLE.find("Timed").unwrap();
    line[at] = 0xff;
    let mut found = 0;
    let mut reader = KUMOMTA.reader(&Clock { zone: crate::record::Zone::Fixed(0), year: 2026 });
    reader.line(Line { bytes: &line, offset: 7 }, &mut |offset, record| {
        assert!(offset == 7 && matches!(record, Record::Attempt(_)));
        found += 1;
    });
    assert_eq!(found, 1);
    assert_eq!(KUMOMTA.naive_stamp(&line).unwrap(), Naive::utc(1_778_567_401, Some(218)));
}

proptest! {
    #[test]
    fn no_bytes_panic(at in 0usize..700, bytes in proptest::collection::vec(any::<u8>(), 0..12)) {
        let mut line = SAMPLE.as_bytes().to_vec();
        line.splice(at..(at + bytes.len()).min(line.len()), bytes);
        let mut reader = KUMOMTA.reader(&Clock { zone: crate::record::Zone::Fixed(0), year: 2026 });
        reader.line(Line { bytes: &line, offset: 0 }, &mut |_, _| {});
        KUMOMTA.naive_stamp(&line);
        KUMOMTA.score(&line);
    }

    #[test]
    fn what_is_rendered_is_read(
        kind in 0..3usize,
        recipients in proptest::collection::vec("[a-z\"\\\\ é]{1,8}@[a-z]{1,5}\\.org", 1..4),
        single in any::<bool>(),
        code in 200u16..600,
        enhanced in proptest::option::of((4u8..6, 0u16..1000, 0u16..1000)),
        content in "[a-zA-Z\"\\\\\t][ -~\té]{0,40}",
        ip in any::<[u8; 4]>(),
        v6 in any::<bool>(),
        millis in 0u16..1000,
    ) {
        let recipients = if single { vec![recipients[0].clone()] } else { recipients };
        let ip: IpAddr = if v6 { std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, ip[0].into()).into() } else { std::net::Ipv4Addr::from([203, ip[1], ip[2], ip[3]]).into() };
        let event = serde_json::json!({
            "type": (["Delivery", "TransientFailure", "Bounce"][kind]),
            "id": "i",
            "sender": "n@example.com",
            "recipient": if single { recipients[0].clone().into() } else { serde_json::Value::from(recipients.clone()) },
            "response": {
                "code": code,
                "enhanced_code": enhanced.map(|(class, subject, detail)| serde_json::json!({"class": class, "subject": subject, "detail": detail})),
                "content": content,
            },
            "peer_address": {"name": "mx.outlook.com.", "addr": ip.to_string()},
            "event_time": format!("2026-05-12T06:30:01.{millis:03}999Z"),
            "egress_source": "ip-1",
            "source_address": {"address": std::net::SocketAddr::new(ip, 41022).to_string()},
            "meta": {"type": "x"},
        });
        let enhanced = enhanced.map_or(String::new(), |(class, subject, detail)| format!(" {class}.{subject}.{detail}"));
        let outcome = ["delivered", "deferred", "bounced"][kind];
        let expected: Vec<String> = recipients
            .iter()
            .map(|to| format!("2026-05-12T06:30:01.{millis:03}Z i {ip} ip-1 n@example.com {to} mx.outlook.com {ip} {outcome} {code}{enhanced} {content}"))
            .collect();
        prop_assert_eq!(read(&event.to_string()), expected);
    }
}

/// Records as they come, most of them plain and alike.
fn lines() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let one = |of: &'static [&'static str]| proptest::sample::select(of);
    // Each stands there as JSON.
    let values = (
        one(&[
            "\"Delivery\"",
            "\"Delivery\"",
            "\"Delivery\"",
            "\"Bounce\"",
            "\"TransientFailure\"",
            "\"OOB\"",
            "\"Reception\"",
            "null",
            "1",
        ]),
        one(&["\"a@b\"", "\"a@b\"", "[\"a@b\",\"c@d\"]", "\"\"", "null"]),
        one(&[
            r#"{"code":250,"enhanced_code":{"class":2,"subject":0,"detail":0},"content":"ok","command":null}"#,
            r#"{"code":250,"enhanced_code":{"class":2,"subject":0,"detail":0},"content":"ok","command":null}"#,
            r#"{"code":550,"enhanced_code":{"class":5,"subject":7},"content":"no","command":null}"#,
            r#"{"code":550,"enhanced_code":"5.7.1","content":"no"}"#,
            r#"{"code":550,"enhanced_code":{"class":555,"subject":7,"detail":1},"content":"no"}"#,
            r#"{"code":"550","enhanced_code":null,"content":"5.7.1 no\nnever"}"#,
            r#"{"code":451,"enhanced_code":null,"content":"KumoMTA internal: Timed Out"}"#,
            r#"{"code":451,"content":"KumoMTA internal: waiting","code":452}"#,
            "null",
            "{}",
            "[]",
        ]),
        one(&[
            r#"{"name":"mx.example.","addr":"198.51.100.7"}"#,
            r#"{"name":"mx.example.","addr":"198.51.100.7"}"#,
            r#"{"addr":"198.51.100.7","name":"mx.example"}"#,
            r#"{"name":"ours.example.","addr":"198.51.100.8"}"#,
            r#"{"name":"mx.example.","addr":"10.0.0.1"}"#,
            r#"{"name":"198.51.100.7","addr":"198.51.100.7"}"#,
            r#"{"name":"mx.example","addr":null}"#,
            "null",
            "{}",
            "\"mx.example\"",
        ]),
        one(&["\"2026-05-12T06:30:01.218004Z\"", "\"2026-05-12T06:30:02Z\"", "null", "\"no\"", "1778567401"]),
        one(&["1778567401", "1778567401", "1778567401.5", "null", "-1", "99999999999999999999"]),
        one(&["\"ip-31\"", "\"ip-32\"", "\"\"", "null", "\"\u{e9}\""]),
        one(&[
            r#"{"address":"203.0.113.31:41044"}"#,
            r#"{"address":"203.0.113.31:41045"}"#,
            r#"{"address":"203.0.113.31","protocol":null}"#,
            r#"{"address":"[2001:db8::9]:41022"}"#,
            r#"{"address":"2001:db8::9"}"#,
            r#"{"address":"2001:db8::7"}"#,
            r#"{"address":"somewhere"}"#,
            "null",
        ]),
        one(&["\"ESMTP\"", "\"ESMTP\"", "\"lmtp\"", "null", "\"smtps\""]),
        one(&[
            "{}",
            r#"{"tenant":"a","n":[1,{"b":null}],"type":"x"}"#,
            "null",
            "1.5",
            r#"{"a.b":"response.code"}"#,
            r#""\"""#,
        ]),
    );
    let values = (values, any::<bool>());
    let spoil = proptest::option::weighted(
        0.3,
        (any::<prop::sample::Index>(), proptest::sample::select(&b"\",{}[]: 0\\\xff\t"[..]), any::<bool>()),
    );
    let line = (values, spoil).prop_map(|((values, blanks), spoil)| {
        let (kind, to, response, peer, time, timestamp, name, source, protocol, meta) = values;
        let mut line = format!(
            r#"{{"type":{kind},"id":"i1","sender":"n@example.com","recipient":{to},"size":1,"response":{response},"peer_address":{peer},"timestamp":{timestamp},"event_time":{time},"meta":{meta},"egress_source":{name},"source_address":{source},"delivery_protocol":{protocol}}}"#
        );
        if blanks && meta.len() > 10 {
            line = line.replace(':', ": ");
        }
        let mut line = line.into_bytes();
        if let Some((at, byte, insert)) = spoil {
            let at = at.index(line.len());
            line.splice(at..at + usize::from(!insert), [byte]);
        }
        line
    });
    proptest::collection::vec(line, 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn a_plain_line_is_the_attempt_that_the_whole_line_is(lines in lines()) {
        plain_lines(&KUMOMTA, &lines);
    }

    #[test]
    fn values_in_place_tell_what_a_whole_parser_tells(lines in lines()) {
        let reader = |shapes| KumoReader {
            stamper: Stamper::new(&Clock { zone: crate::record::stamp::Zone::Fixed(0), year: 2026 }),
            scratch: Vec::new(),
            shapes,
            source: Vec::new(),
        };
        let (mut fast, mut slow) = (reader(Shapes::new(wanted)), reader(Shapes::new(|_, _| Want::Whole)));
        for bytes in &lines {
            let mut found = [Vec::new(), Vec::new()];
            for (reader, found) in [&mut fast, &mut slow].into_iter().zip(&mut found) {
                reader.line(Line { bytes, offset: 0 }, &mut |_, record| found.push(format!("{record:?}")));
            }
            prop_assert_eq!(&found[0], &found[1], "{}", String::from_utf8_lossy(bytes));
        }
    }
}

#[test]
fn most_deliveries_are_plain() {
    let line = |name: &str| {
        let line = DOCUMENTED.lines().find(|line| line.contains("\"Delivery\"")).unwrap();
        line.replace("outlook-com.olc.protection.outlook.com", name).into_bytes()
    };
    let lines = ["mx.example", "ours.example", "mx.example", "mx2.example"].map(line);
    assert_eq!(plain_lines(&KUMOMTA, &lines), 4);
}
