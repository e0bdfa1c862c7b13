#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::record::Time;

fn with_tag<'a>(tag: &'a str, text: &'a [u8]) -> Record<'a> {
    let envelope = Envelope {
        time: Time::from_seconds(0),
        zoned: true,
        host: Some(b"mta1"),
        tag: tag.as_bytes(),
        pid: Some(b"1"),
        text,
    };
    read(&envelope, &mut Memo::default())
}

fn attempt(text: &str) -> Attempt<'_> {
    match with_tag("postfix-out1/smtp", text.as_bytes()) {
        Record::Attempt(attempt) => attempt,
        other => panic!("{other:?}: {text}"),
    }
}

fn kind(tag: &str, text: &str) -> &'static str {
    match with_tag(tag, text.as_bytes()) {
        Record::Attempt(_) => "attempt",
        Record::HeldBack { .. } => "held back",
        Record::Note(text) => text,
        Record::Retold(_) => "retold",
        Record::Queued { .. } => "queued",
        Record::Irrelevant => "irrelevant",
        Record::Malformed { why } => why,
    }
}

const FIELDS: &str = "delay=1, delays=0/0/0/1, tls=dane/requiretls?, dsn=5.7.1, status=";
const MX: &str = "x-com.mail.protection.outlook.com[198.51.100.14]";

fn reply(line: &str) -> String {
    match attempt(line).answer {
        Answer::Text(reply) => String::from_utf8_lossy(reply).into_owned(),
        other => format!("{other:?}"),
    }
}

#[test]
fn all_fields_of_a_refusal() {
    let line = format!(
        "7A90E2E0130: to=<gone@Example.org>, orig_to=<a@b>, relay={MX}:25, conn_use=2, {FIELDS}bounced \
         (host {MX} said: 550-5.7.1 one) (in reply to DATA command)) 550 5.7.1 two (in reply to RCPT TO command))"
    );
    let attempt = attempt(&line);
    assert_eq!(attempt.queue_id, Some(&b"7A90E2E0130"[..]));
    assert_eq!(attempt.recipient, Some(&b"gone@Example.org"[..]));
    assert_eq!(attempt.source_name, Some(&b"postfix-out1/smtp"[..]));
    assert_eq!(attempt.relay_host, Some(&b"x-com.mail.protection.outlook.com"[..]));
    assert_eq!(attempt.relay_ip, Some("198.51.100.14".parse().unwrap()));
    assert_eq!(attempt.relay_port, Some(25));
    assert_eq!(attempt.outcome, Outcome::Bounced);
    assert_eq!(reply(&line), "550-5.7.1 one) (in reply to DATA command)) 550 5.7.1 two");
}

#[test]
fn replies_and_silence() {
    for (reason, expected) in [
        (format!("host {MX} said: 550 (in reply to RCPT TO command)"), "550"),
        (format!("host {MX} refused to talk to me: 421 4.3.2 no"), "421 4.3.2 no"),
        (
            format!("host {MX} said: gibberish (in reply to RCPT TO command)"),
            "Codes { smtp: None, enhanced: Some(Enhanced(5, 7, 1)) }",
        ),
        (
            format!(
                "lost connection with {MX} while sending end of data -- message may be sent more than once"
            ),
            "Nobody",
        ),
        (format!("conversation with {MX} timed out while sending MAIL FROM"), "Nobody"),
        (format!("host {MX} said: 451 4.7.500 cut (in reply to RCPT"), "451 4.7.500 cut"),
        (
            "250 2.6.0 <a@b> [InternalId=1, Hostname=h] (ok)".to_owned(),
            "250 2.6.0 <a@b> [InternalId=1, Hostname=h] (ok)",
        ),
    ] {
        let line = format!("4bWx2k3Tq1z9sPq: to=<a@b.c>, relay={MX}:25, {FIELDS}deferred ({reason})");
        assert_eq!(reply(&line), expected, "{reason}");
    }
}

#[test]
fn without_a_relay_the_reason_names_it() {
    let line =
        format!("A1: to=<a@b.c>, relay=none, {FIELDS}deferred (connect to {MX}:25: Connection timed out)");
    assert_eq!(attempt(&line).relay_host, Some(&b"x-com.mail.protection.outlook.com"[..]));
    assert_eq!(attempt(&line).answer, Answer::Nobody);
    let found = |kind: &str| {
        let line = format!(
            "A1: to=<a@b.c>, relay=none, {FIELDS}deferred (Host or domain name not found. Name service error for \
             name=mx.b.c type={kind}: Host not found, try again)"
        );
        attempt(&line).relay_host.map(<[u8]>::to_vec)
    };
    assert_eq!(found("A"), Some(b"mx.b.c".to_vec()));
    assert_eq!(found("MX"), None);
}

#[test]
fn recipients_of_all_kinds() {
    for address in [r#""a>, relay=x, b"@c.d"#, "a>, b@c.d", "\"a\\\"b@x\"@c.d", "a b@c.d", "plain@c.d"] {
        let line = format!("A1: to=<{address}>, relay={MX}:25, {FIELDS}sent (250 ok)");
        assert_eq!(attempt(&line).recipient, Some(address.as_bytes()));
        assert_eq!(attempt(&line).recipient_domain(), Some(&b"c.d"[..]));
    }
}

#[test]
fn what_is_no_attempt() {
    let smtp = "postfix/smtp";
    let line = |relay: &str, rest: &str| format!("A1: to=<a@b.c>, relay={relay}, {FIELDS}{rest}");
    let mx = format!("{MX}:25");
    for (tag, text, expected) in [
        (smtp, line(&mx, "sent (250 ok)"), "attempt"),
        ("whatever", line(&mx, "SOFTBOUNCE (host x[1.1.1.1] said: 550 no)"), "attempt"),
        (smtp, line(&mx, "deferred (delivery temporarily suspended: lost connection)"), "held back"),
        ("postfix/error", line("none", "deferred (delivery temporarily suspended: x)"), "held back"),
        ("postfix/error", line("none", "bounced (no such domain)"), "irrelevant"),
        (smtp, line("127.0.0.1[127.0.0.1]:10024", "sent (250 2.0.0 from MTA)"), "irrelevant"),
        (smtp, line("gw[10.1.2.3]:25", "sent (250 ok)"), "irrelevant"),
        (smtp, line("local", "sent (delivered to maildir)"), "irrelevant"),
        ("postfix/lmtp", line("mx[private/dovecot-lmtp]", "sent (250 2.0.0 ok)"), "irrelevant"),
        ("postfix/pipe", line("dovecot", "sent (delivered via dovecot service)"), "irrelevant"),
        (smtp, line(&mx, "deliverable (250 ok)"), "irrelevant"),
        (smtp, line(&mx, "wondering (250 ok)"), "an unknown word after status="),
        (smtp, "A1: to=<a@b.c>, relay=x[1.1.1.1]:25, delay=1".to_owned(), "a delivery without status="),
        (smtp, "A1: to=<a@b.c".to_owned(), "the recipient's address does not end"),
        (smtp, format!("A1: to=<a@b.c>, {FIELDS}sent (250 ok)"), "a delivery without relay="),
        (smtp, format!("A1: host {MX} said: 451 later (in reply to MAIL FROM command)"), "irrelevant"),
        (smtp, "A1: from=<a@b.c>, size=12, nrcpt=1 (queue active)".to_owned(), "queued"),
        (smtp, "NOQUEUE: reject: RCPT from x: to=<a@b>".to_owned(), "irrelevant"),
    ] {
        assert_eq!(kind(tag, &text), expected, "{text}");
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut line = b"A1: to=<".to_vec();
        line.extend_from_slice(&text);
        with_tag("postfix/smtp", &line);
        with_tag("postfix/smtp", &text);
    }

    #[test]
    fn no_cut_or_broken_line_panics(cut in 0usize..400, at in 0usize..400, byte: u8) {
        let mut line = format!(
            "A1: to=<a@b.c>, orig_to=<x@y>, relay={MX}:25, {FIELDS}bounced (host {MX} said: 550 5.7.1 no \
             (in reply to RCPT TO command))"
        ).into_bytes();
        if let Some(place) = line.get_mut(at) { *place = byte; }
        line.truncate(cut);
        with_tag("postfix/smtp", &line);
    }

    #[test]
    fn what_postfix_logs_is_read_back(
        local in "[a-z0-9.+=,@>\"\\\\ -]{1,20}",
        quoted: bool,
        domain in "[a-z]{1,8}\\.(com|example)",
        host in "[a-z][a-z0-9-]{0,20}\\.mail\\.protection\\.outlook\\.com",
        ip: [u8; 4],
        outcome in prop::sample::select(vec![("sent", Outcome::Delivered), ("deferred", Outcome::Deferred), ("bounced", Outcome::Bounced)]),
        words in "[ -~]{0,80}",
        code in 200u16..600,
        command in prop::sample::select(vec!["RCPT TO", "MAIL FROM", "end of DATA"]),
    ) {
        let ip = std::net::Ipv4Addr::from(ip);
        prop_assume!(!is_here(ip.into()));
        let local = if quoted {
            format!("\"{}\"", local.replace('\\', "\\\\").replace('"', "\\\""))
        } else {
            local.replace(['"', '>', '\\', ' ', ','], "x")
        };
        let remote = format!("{host}[{ip}]");
        let reply_text = format!("{code} {words}");
        let reason = match outcome.0 {
            "sent" => reply_text.clone(),
            _ => format!("host {remote} said: {reply_text} (in reply to {command} command)"),
        };
        let line = format!(
            "4bWx2k3Tq1z9sPq: to=<{local}@{domain}>, relay={remote}:25, {FIELDS}{} ({reason})", outcome.0
        );
        let attempt = attempt(&line);
        let address = format!("{local}@{domain}");
        prop_assert_eq!(attempt.recipient.unwrap(), address.as_bytes());
        prop_assert_eq!(attempt.recipient_domain().unwrap(), domain.as_bytes());
        prop_assert_eq!(attempt.relay_host.unwrap(), host.as_bytes());
        prop_assert_eq!(attempt.relay_ip.unwrap(), std::net::IpAddr::from(ip));
        prop_assert_eq!(attempt.outcome, outcome.1);
        prop_assert_eq!(attempt.answer, Answer::Text(reply_text.as_bytes()));
    }
}
