#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::record::Format;
use crate::record::json::tests::shown;

const DOCUMENTED: &str = include_str!("documented.jsonl");

fn read(log: &str) -> Vec<String> {
    shown(&SENDGRID, log)
}

const EXPECTED: [&str; 3] = [
    "2026-05-12T08:15:00Z m1 203.0.113.111 - - a@outlook.com - - delivered 250 2.6.0 <sg1@example.com> [InternalId=858993418344, Hostname=SJ2PR16MB4900.namprd16.prod.outlook.com] 18344 bytes in 0.187, 95.542 KB/sec Queued mail for delivery -> 250 2.1.5",
    "2026-05-12T08:15:00Z m1 203.0.113.111 - - c@hotmail.com - - deferred 451 4.7.650 The mail server [203.0.113.111] has been temporarily rate limited due to IP reputation. For e-mail delivery information, see https://aka.ms/postmaster (S775) [CY4PEPF0000FCC3.namprd03.prod.outlook.com 2026-05-12T08:15:00.020Z 08DEA1B20C3D502C]",
    "2026-05-12T08:15:00Z m1 203.0.113.111 - - e@live.com - - bounced 550 5.7.1 Unfortunately, messages from [203.0.113.111] weren't sent. Please contact your Internet service provider since part of their network is on our block list (S3140). You can also refer your provider to http://mail.live.com/mail/troubleshooting.aspx#errors. [MWH0EPF000989E7.namprd02.prod.outlook.com 2026-05-12T08:15:30.020Z 08DEA1B20C3D502D]",
];

#[test]
fn documented_lines() {
    assert_eq!(read(DOCUMENTED), EXPECTED);
    // One array, the objects alone, over many lines.
    let objects: Vec<&str> = DOCUMENTED.lines().map(|line| &line[1..line.len() - 1]).collect();
    assert_eq!(read(&format!("[{}]", objects.join(","))), EXPECTED);
    assert_eq!(read(&objects.join("\n")), EXPECTED);
    let all: serde_json::Value = serde_json::from_str(&format!("[{}]", objects.join(","))).unwrap();
    assert_eq!(read(&format!("{all:#}")), EXPECTED);
    assert!(SENDGRID.score(format!("{all:#}").as_bytes()) > 0.0);
}

#[test]
fn events_of_all_kinds() {
    let bounce = DOCUMENTED.lines().nth(2).unwrap();
    let with = |from: &str, to: &str| {
        assert!(bounce.contains(from));
        read(&bounce.replace(from, to)).join("|")
    };
    for kind in ["processed", "dropped", "open", "spamreport"] {
        assert_eq!(with("\"bounce\"", &format!("\"{kind}\"")), "");
    }
    assert!(with("\"bounce\"", "\"blocked\"").contains(" bounced 550 "));
    assert!(with("550 5.7.1 Unfortunately", "unable to get mx info").ends_with(" bounced Nobody"));
    assert!(
        with("\"reason\"", "\"other\"")
            .ends_with("bounced Codes { smtp: None, enhanced: Some(Enhanced(5, 7, 1)) }")
    );
    assert_eq!(with("\"email\"", "\"other\""), "a SendGrid event without email");
    assert_eq!(with("\"timestamp\"", "\"other\""), "a SendGrid event without timestamp");
    assert_eq!(with("\"sg_event_id\"", "sg_event_id"), "a broken SendGrid event");
}

proptest! {
    #[test]
    fn no_bytes_panic(at in 0usize..700, bytes in proptest::collection::vec(any::<u8>(), 0..12)) {
        let mut line = DOCUMENTED.lines().nth(2).unwrap().as_bytes().to_vec();
        let at = at.min(line.len());
        line.splice(at..(at + bytes.len()).min(line.len()), bytes);
        read(&String::from_utf8_lossy(&line));
        SENDGRID.score(&line);
    }

    #[test]
    fn what_is_rendered_is_read(
        kinds in proptest::collection::vec((0..3usize, "[a-z\"\\\\ é]{1,8}@[a-z]{1,5}\\.org", 200u16..600, "[a-zA-Z\"\\\\][ -~\té]{0,40}"), 1..5),
        ip in any::<[u8; 4]>(),
        v6 in any::<bool>(),
        pretty in any::<bool>(),
    ) {
        let ip: std::net::IpAddr = if v6 { std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, ip[0].into()).into() } else { std::net::Ipv4Addr::from([203, ip[1], ip[2], ip[3]]).into() };
        let mut expected = Vec::new();
        let events: Vec<_> = kinds.iter().map(|(kind, to, code, content)| {
            let outcome = ["delivered", "deferred", "bounced"][*kind];
            expected.push(format!("2026-05-12T08:15:00Z m {ip} - - {to} - - {outcome} {code} {content}"));
            let mut event = serde_json::json!({"event": (["delivered", "deferred", "bounce"][*kind]), "email": to, "timestamp": 1778573700, "ip": ip.to_string(), "sg_message_id": "m", "category": ["a"]});
            event[if *kind == 2 { "reason" } else { "response" }] = format!("{code} {content}").into();
            event
        }).collect();
        let events = serde_json::Value::from(events);
        prop_assert_eq!(read(&if pretty { format!("{events:#}") } else { events.to_string() }), expected);
    }
}
