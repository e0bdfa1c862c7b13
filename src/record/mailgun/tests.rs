#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::record::Format;
use crate::record::json::tests::shown;

fn read(log: &str) -> Vec<String> {
    shown(&MAILGUN, log)
}

const BLOCKED: &str = r#"{"event": "failed", "severity": "permanent", "reason": "generic", "timestamp": 1778573700.25, "id": "m1", "log-level": "error", "recipient": "e@live.com", "recipient-domain": "live.com", "envelope": {"transport": "smtp", "sender": "n@example.com", "sending-ip": "203.0.113.121", "targets": "e@live.com"}, "delivery-status": {"attempt-no": 1, "code": 550, "enhanced-code": "5.7.1", "message": "5.7.1 Unfortunately, messages from [203.0.113.121] weren't sent. (S3140)", "description": "", "mx-host": "live-com.olc.protection.outlook.com", "session-seconds": 0.5}}"#;
const EXPECTED: &str = "2026-05-12T08:15:00.250Z m1 203.0.113.121 - n@example.com e@live.com live-com.olc.protection.outlook.com - bounced 550 5.7.1 Unfortunately, messages from [203.0.113.121] weren't sent. (S3140)";

#[test]
fn webhook_and_api() {
    let pretty = |text: &str| format!("{:#}", serde_json::from_str::<serde_json::Value>(text).unwrap());
    let webhook = format!("{{\"signature\": {{\"token\": \"x\"}}, \"event-data\": {BLOCKED}}}");
    let api = format!("{{\"items\": [{BLOCKED}], \"paging\": {{\"next\": \"https://example.com/[x]\"}}}}");
    for text in [BLOCKED, &webhook, &api, &format!("[{webhook}]")] {
        for text in [text.to_owned(), pretty(text)] {
            assert_eq!(read(&text), [EXPECTED], "{text}");
            assert!(MAILGUN.score(text.as_bytes()) > 0.0, "{text}");
        }
    }
}

#[test]
fn events_of_all_kinds() {
    let with = |from: &str, to: &str| {
        assert!(BLOCKED.contains(from));
        read(&BLOCKED.replace(from, to)).join("|")
    };
    let tail = |text: String| text.rsplit_once(" - ").unwrap().1.to_owned();
    for kind in ["accepted", "opened", "complained", "rejected"] {
        assert_eq!(with("\"failed\"", &format!("\"{kind}\"")), "");
    }
    assert!(tail(with("permanent", "temporary")).starts_with("deferred 550 5.7.1 Unf"));
    assert!(tail(with("\"failed\"", "\"delivered\"")).starts_with("delivered 550 5.7.1 Unf"));
    assert!(tail(with("\"5.7.1 Unf", "\"Unf")).starts_with("bounced 550 5.7.1 Unf"));
    assert!(tail(with("\"5.7.1 Unf", "\"550 5.7.1 Unf")).starts_with("bounced 550 5.7.1 Unf"));
    assert!(
        tail(with("\"description\": \"\"", "\"description\": \"no\"").replace("x", "")).contains("5.7.1 Unf")
    );
    for own in ["498", "605", "0", "null"] {
        assert_eq!(tail(with("550, ", &format!("{own}, "))), "bounced Nobody");
    }
    for reason in ["old", "suppress-bounce", "suppress-complaint"] {
        assert_eq!(with("\"generic\"", &format!("\"{reason}\"")), "");
    }
    assert_eq!(tail(with("\"delivery-status\"", "\"x\"")), "bounced Nobody");
    assert_eq!(with("\"severity\"", "\"x\""), "a Mailgun failure without severity");
    assert_eq!(with("\"recipient\"", "\"x\""), "a Mailgun event without recipient");
    assert_eq!(with("\"timestamp\"", "\"x\""), "a Mailgun event without timestamp");
    assert_eq!(with("\"id\"", "id"), "a broken Mailgun event");
}

proptest! {
    #[test]
    fn no_bytes_panic(at in 0usize..700, bytes in proptest::collection::vec(any::<u8>(), 0..12)) {
        let mut line = BLOCKED.as_bytes().to_vec();
        let at = at.min(line.len());
        line.splice(at..(at + bytes.len()).min(line.len()), bytes);
        read(&String::from_utf8_lossy(&line));
        MAILGUN.score(&line);
    }

    #[test]
    fn what_is_rendered_is_read(
        kind in 0..3usize,
        to in "[a-z\"\\\\ é]{1,8}@[a-z]{1,5}\\.org",
        code in 200u16..498,
        enhanced in proptest::option::of((4u8..6, 0u16..1000, 0u16..1000)),
        content in "[a-zA-Z\"\\\\][ -~\té]{0,40}",
        ip in any::<[u8; 4]>(),
        v6 in any::<bool>(),
        pretty in any::<bool>(),
    ) {
        let ip: std::net::IpAddr = if v6 { std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, ip[0].into()).into() } else { std::net::Ipv4Addr::from([203, ip[1], ip[2], ip[3]]).into() };
        let enhanced = enhanced.map(|(a, b, c)| format!("{a}.{b}.{c}"));
        let event = serde_json::json!({"event-data": {
            "event": (["delivered", "failed", "failed"][kind]),
            "severity": ([serde_json::Value::Null, "temporary".into(), "permanent".into()][kind]),
            "timestamp": 1778573700, "id": "i", "recipient": to,
            "envelope": {"sender": "", "sending-ip": ip.to_string()},
            "delivery-status": {"code": code, "message": content, "enhanced-code": enhanced, "mx-host": "mx.outlook.com"},
        }});
        let enhanced = enhanced.map_or(String::new(), |code| format!(" {code}"));
        let outcome = ["delivered", "deferred", "bounced"][kind];
        prop_assert_eq!(
            read(&if pretty { format!("{event:#}") } else { event.to_string() }),
            [format!("2026-05-12T08:15:00Z i {ip} -  {to} mx.outlook.com - {outcome} {code}{enhanced} {content}")]
        );
    }
}
