#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::record::Format;
use crate::record::json::tests::shown;

fn read(log: &str) -> Vec<String> {
    shown(&SPARKPOST, log)
}

const BLOCKED: &str = r#"{"type": "bounce", "bounce_class": "51", "timestamp": "1778573700", "message_id": "m1", "msg_from": "n@example.com", "rcpt_meta": {"k": "v"}, "raw_rcpt_to": "E@live.com", "rcpt_to": "e@live.com", "error_code": "550", "raw_reason": "550 5.7.1 Unfortunately, messages from [203.0.113.131] weren't sent. (S3140)", "reason": "550 5.7.1 Unfortunately, messages from [x.x.x.x] weren't sent.", "sending_ip": "203.0.113.131", "ip_address": "198.51.100.13"}"#;
const EXPECTED: &str = "2026-05-12T08:15:00Z m1 203.0.113.131 - n@example.com E@live.com - - bounced 550 5.7.1 Unfortunately, messages from [203.0.113.131] weren't sent. (S3140)";

#[test]
fn webhook_and_api() {
    let pretty = |text: &str| format!("{:#}", serde_json::from_str::<serde_json::Value>(text).unwrap());
    let webhook = format!("{{\"msys\": {{\"message_event\": {BLOCKED}}}}}");
    let api = format!("{{\"results\": [{BLOCKED}], \"total_count\": 1, \"links\": {{}}}}");
    for text in [BLOCKED, &webhook, &api, &format!("[{webhook}]")] {
        for text in [text.to_owned(), pretty(text)] {
            assert_eq!(read(&text), [EXPECTED], "{text}");
            assert!(SPARKPOST.score(text.as_bytes()) > 0.0, "{text}");
        }
    }
    assert_eq!(
        read(
            "[{\"msys\":{}},{\"msys\":{\"track_event\":{\"type\":\"click\"}}},{\"msys\":{\"gen_event\":{\"type\":\"generation_failure\"}}}]"
        ),
        [""; 0]
    );
}

#[test]
fn events_of_all_kinds() {
    let with = |from: &str, to: &str| {
        assert!(BLOCKED.contains(from));
        read(&BLOCKED.replace(from, to)).join("|")
    };
    let tail = |text: String| text.rsplit_once(" - - ").unwrap().1.to_owned();
    for kind in ["injection", "policy_rejection", "spam_complaint", "sms_status"] {
        assert_eq!(with("\"bounce\"", &format!("\"{kind}\"")), "");
    }
    assert!(tail(with("\"bounce\"", "\"delay\"")).starts_with("deferred 550 5.7.1 "));
    assert!(tail(with("\"bounce\"", "\"out_of_band\"")).starts_with("bounced 550 5.7.1 "));
    assert!(tail(with("\"bounce\"", "\"delivery\"")).starts_with("delivered 550 5.7.1 "));
    assert_eq!(
        tail(read(&BLOCKED.replace("\"bounce\"", "\"delivery\"").replace("raw_reason", "x")).join("")),
        "delivered Codes { smtp: None, enhanced: None }"
    );
    assert_eq!(
        tail(with(
            "550 5.7.1 Unfortunately, messages from [203.0.113.131] weren't sent. (S3140)",
            "MAIL REFUSED"
        )),
        "bounced 550 MAIL REFUSED"
    );
    assert_eq!(
        tail(with("550 5.7.1 Unfortunately, messages from [203", "451 4.4.1 [internal] x [203")),
        "bounced Nobody"
    );
    assert!(with("\"raw_rcpt_to\"", "\"x\"").contains(" e@live.com "));
    assert!(
        with("\"1778573700\"", "\"2026-05-12T08:15:00.000Z\"").starts_with("2026-05-12T08:15:00.000Z m1 ")
    );
    assert_eq!(with("rcpt_to", "x"), "a SparkPost event without recipient");
    assert_eq!(with("\"timestamp\"", "\"x\""), "a SparkPost event without timestamp");
    assert_eq!(with("\"msg_from\"", "msg_from"), "a broken SparkPost event");
}

proptest! {
    #[test]
    fn no_bytes_panic(at in 0usize..700, bytes in proptest::collection::vec(any::<u8>(), 0..12)) {
        let mut line = BLOCKED.as_bytes().to_vec();
        let at = at.min(line.len());
        line.splice(at..(at + bytes.len()).min(line.len()), bytes);
        read(&String::from_utf8_lossy(&line));
        SPARKPOST.score(&line);
    }

    #[test]
    fn what_is_rendered_is_read(
        kind in 0..3usize,
        to in "[a-z\"\\\\ é]{1,8}@[a-z]{1,5}\\.org",
        code in 200u16..600,
        content in "[a-zA-Z\"\\\\][ -Z^-~\té]{0,40}",
        in_text in any::<bool>(),
        ip in any::<[u8; 4]>(),
        v6 in any::<bool>(),
        pretty in any::<bool>(),
    ) {
        let ip: std::net::IpAddr = if v6 { std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, ip[0].into()).into() } else { std::net::Ipv4Addr::from([203, ip[1], ip[2], ip[3]]).into() };
        let in_text = in_text || kind == 0;
        let event = serde_json::json!([{"msys": {"message_event": {
            "type": (["delivery", "delay", "bounce"][kind]),
            "timestamp": 1778573700, "message_id": "i", "msg_from": "", "raw_rcpt_to": to,
            "raw_reason": if in_text { format!("{code} {content}") } else { content.clone() },
            "error_code": code.to_string(), "sending_ip": ip.to_string(),
        }}}]);
        let outcome = ["delivered", "deferred", "bounced"][kind];
        prop_assert_eq!(
            read(&if pretty { format!("{event:#}") } else { event.to_string() }),
            [format!("2026-05-12T08:15:00Z i {ip} -  {to} - - {outcome} {code} {content}")]
        );
    }
}
