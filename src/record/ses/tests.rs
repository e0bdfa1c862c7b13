#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::record::Format;
use crate::record::json::tests::shown;

const DOCUMENTED: &str = include_str!("documented.jsonl");

fn read(log: &str) -> Vec<String> {
    shown(&SES, log)
}

const EXPECTED: [&str; 3] = [
    "2026-05-12T08:10:01.100Z 0100019c-0001 203.0.113.101 - n@example.com a@outlook.com - - delivered 250 2.6.0 <0100019c-0001@example.com> [InternalId=858993418344, Hostname=IA0PR12MB7500.namprd12.prod.outlook.com] 18344 bytes in 0.187, 95.542 KB/sec Queued mail for delivery -> 250 2.1.5",
    "2026-05-12T08:12:00.000Z 0100019c-0001 203.0.113.101 - n@example.com c@hotmail.com - - deferred 451 4.7.650 The mail server [203.0.113.101] has been temporarily rate limited due to IP reputation. For e-mail delivery information, see https://aka.ms/postmaster (S775) [BL02EPF0002992B.namprd02.prod.outlook.com 2026-05-12T08:11:59.700Z 08DEA1B20C3D5028]",
    "2026-05-12T08:13:00.000Z 0100019c-0001 203.0.113.101 - n@example.com e@live.com - - bounced 550 5.7.1 Unfortunately, messages from [203.0.113.101] weren't sent. Please contact your Internet service provider since part of their network is on our block list (S3140). You can also refer your provider to http://mail.live.com/mail/troubleshooting.aspx#errors. [SA2PEPF00003F61.namprd04.prod.outlook.com 2026-05-12T08:12:59.700Z 08DEA1B20C3D502A]",
];

/// SNS' envelope around an event.
fn in_sns(event: &str) -> serde_json::Value {
    serde_json::json!({"Type": "Notification", "MessageId": "x", "Message": event, "Timestamp": "2026-05-12T09:00:00Z"})
}

#[test]
fn documented_lines() {
    assert_eq!(read(DOCUMENTED), EXPECTED);
    // The same event once more, next to itself.
    let twice: String = DOCUMENTED.lines().map(|line| format!("{line}\n{line}\n")).collect();
    assert_eq!(read(&twice), EXPECTED);
}

#[test]
fn wrapped_in_all_ways() {
    let lines: Vec<&str> = DOCUMENTED.lines().collect();
    let each =
        |wrap: &dyn Fn(&str) -> String| lines.iter().map(|line| wrap(line)).collect::<Vec<_>>().join("\n");
    let value = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
    let all = |wrap: &dyn Fn(&str) -> serde_json::Value| {
        serde_json::Value::from(lines.iter().map(|l| wrap(l)).collect::<Vec<_>>())
    };
    for text in [
        each(&|line| line.replace("eventType", "notificationType")),
        each(&|line| in_sns(line).to_string()),
        each(&|line| serde_json::json!({"detail-type": "Email Bounced", "source": "aws.ses", "detail": value(line)}).to_string()),
        each(&|line| format!("{:#}", value(line))),
        each(&|line| format!("{:#}", in_sns(line))),
        all(&value).to_string(),
        format!("{:#}", all(&value)),
        serde_json::json!({"Records": all(&|line| serde_json::json!({"EventSource": "aws:sns", "Sns": in_sns(line)}))}).to_string(),
        format!("{:#}", serde_json::json!({"Records": all(&|line| serde_json::json!({"messageId": "x", "body": in_sns(line).to_string()}))})),
        serde_json::json!({"Messages": all(&|line| serde_json::json!({"Body": line, "MD5OfBody": "x"}))}).to_string(),
    ] {
        assert_eq!(read(&text), EXPECTED, "{text}");
        assert!(SES.score(text.as_bytes()) > 0.0, "{text}");
    }
}

#[test]
fn events_of_all_kinds() {
    let bounce = DOCUMENTED.lines().nth(2).unwrap();
    let with = |from: &str, to: &str| {
        assert!(bounce.contains(from));
        read(&bounce.replace(from, to)).join("|")
    };
    let tail = |text: String| text.split(" - - ").last().unwrap().to_owned();
    for kind in ["Send", "Complaint", "Open", "Reject", "Rendering Failure", "Subscription"] {
        assert_eq!(with("\"Bounce\"", &format!("\"{kind}\"")), "");
    }
    assert_eq!(tail(with("Permanent", "Transient")), tail(EXPECTED[2].into()));
    assert_eq!(with("\"General\"", "\"OnAccountSuppressionList\""), "");
    assert_eq!(with("\"General\"", "\"Suppressed\""), "");
    assert_eq!(tail(with("smtp; 550", "X-Postfix; 550")), "bounced Nobody");
    assert_eq!(tail(with("smtp; 550 5.7.1 ", "Message expired; ")), "bounced Nobody");
    assert_eq!(
        tail(with("\"diagnosticCode\"", "\"other\"")),
        "bounced Codes { smtp: None, enhanced: Some(Enhanced(5, 7, 1)) }"
    );
    assert_eq!(read(&bounce.replace("\"diagnosticCode\"", "\"x\"").replace("5.7.1", "5.4.4")).len(), 1);
    assert_eq!(
        with(
            "[{\"emailAddress\": \"e@live.com\"",
            "[{\"emailAddress\": \"x@y\"}, {\"emailAddress\": \"e@live.com\""
        )
        .split('|')
        .count(),
        2
    );
    assert_eq!(with("\"bounce\"", "\"other\""), "an SES event without its details");
    assert_eq!(with("\"emailAddress\"", "\"other\""), "an SES event without recipients");
    assert_eq!(
        bounce.replace("\"timestamp\"", "\"t\"").lines().flat_map(read).collect::<String>(),
        "an SES event without timestamp"
    );
    assert_eq!(read(&in_sns("You have chosen to subscribe to the topic").to_string()), [""; 0]);
    assert_eq!(read(&in_sns("{\"eventType\":").to_string()), ["a broken SES event"]);
    assert_eq!(read("{\"eventType\": \"Bounce\"\n{\"a\":1}"), ["a broken JSON record"]);
}

proptest! {
    #[test]
    fn no_bytes_panic(at in 0usize..700, bytes in proptest::collection::vec(any::<u8>(), 0..12), cut in 0usize..1500) {
        let mut line = DOCUMENTED.lines().nth(2).unwrap().as_bytes().to_vec();
        let at = at.min(line.len());
        line.splice(at..(at + bytes.len()).min(line.len()), bytes);
        line.truncate(cut);
        read(&String::from_utf8_lossy(&line));
        SES.score(&line);
    }

    #[test]
    fn what_is_rendered_is_read(
        kind in 0..3usize,
        recipients in proptest::collection::vec("[a-z\"\\\\ é]{1,8}@[a-z]{1,5}\\.org", 1..4),
        code in 200u16..600,
        content in "[a-zA-Z\"\\\\][ -~\té,]{0,40}",
        ip in any::<[u8; 4]>(),
        v6 in any::<bool>(),
        pretty in any::<bool>(),
        sns in any::<bool>(),
    ) {
        let ip: std::net::IpAddr = if v6 { std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, ip[0].into()).into() } else { std::net::Ipv4Addr::from([203, ip[1], ip[2], ip[3]]).into() };
        let reply = format!("{code} {content}");
        let many: Vec<_> = recipients.iter().map(|to| serde_json::json!({"emailAddress": to, "status": "5.0.0", "diagnosticCode": format!("smtp; {reply}")})).collect();
        let time = "2026-05-12T08:13:00.000Z";
        let details = match kind {
            0 => serde_json::json!({"timestamp": time, "recipients": recipients, "smtpResponse": reply}),
            1 => serde_json::json!({"timestamp": time, "delayedRecipients": many}),
            _ => serde_json::json!({"timestamp": time, "bounceType": "Permanent", "bouncedRecipients": many}),
        };
        let mut event = serde_json::json!({
            "eventType": (["Delivery", "DeliveryDelay", "Bounce"][kind]),
            "mail": {"timestamp": "2026-05-12T08:10:00Z", "source": "n@example.com", "messageId": "i", "tags": {"ses:outgoing-ip": [ip.to_string()], "x": ["y"]}},
        });
        event[["delivery", "deliveryDelay", "bounce"][kind]] = details;
        let event = if sns { in_sns(&event.to_string()) } else { event };
        let outcome = ["delivered", "deferred", "bounced"][kind];
        let expected: Vec<String> = recipients
            .iter()
            .map(|to| format!("{time} i {ip} - n@example.com {to} - - {outcome} {reply}"))
            .collect();
        prop_assert_eq!(read(&if pretty { format!("{event:#}") } else { event.to_string() }), expected);
    }
}

#[test]
fn addresses_as_a_header_has_them() {
    let log = DOCUMENTED
        .replace("\"n@example.com\"", "\"News <n@example.com>\"")
        .replace("\"e@live.com\"", "\"E <e@live.com>\"");
    let mut domains = Vec::new();
    let mut reader =
        SES.reader(&crate::record::stamp::Clock { zone: crate::record::stamp::Zone::Fixed(0), year: 2026 });
    for bytes in log.lines().map(str::as_bytes) {
        reader.line(crate::record::registry::Line { bytes, offset: 0 }, &mut |_, record| {
            if let Record::Attempt(attempt) = record {
                let sender = crate::record::domain_of(attempt.sender.unwrap()).unwrap();
                domains.push(
                    [sender, attempt.recipient_domain().unwrap()]
                        .map(|d| String::from_utf8_lossy(d).into_owned()),
                );
            }
        });
    }
    assert_eq!(domains.last().unwrap(), &["example.com", "live.com"]);
}
