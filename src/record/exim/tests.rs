#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::record::stamp::{Clock, Zone};

/// The record of a main log line, in a short form.
fn shown(line: &str) -> String {
    let mut stamper = Stamper::new(&Clock { zone: Zone::Fixed(0), year: 2026 });
    let mut scratch = Vec::new();
    let Some((time, rest)) = stamped(line.as_bytes(), &mut stamper) else { return "-".into() };
    let text =
        |bytes: Option<&[u8]>| bytes.map_or("-".into(), |bytes| String::from_utf8_lossy(bytes).into_owned());
    match event(rest, Some(time), None, false, &mut scratch) {
        Record::Attempt(attempt) => format!(
            "{} {} {} {} {} {} {} {}",
            text(attempt.recipient),
            attempt.outcome.name(),
            text(attempt.relay_host),
            attempt.relay_ip.map_or("-".into(), |ip| ip.to_string()),
            attempt.source_ip.map_or("-".into(), |ip| ip.to_string()),
            text(attempt.sender),
            attempt.relay_port.map_or("-".into(), |port| port.to_string()),
            match attempt.answer {
                Answer::Text(reply) => text(Some(reply)),
                other => format!("{other:?}"),
            }
        ),
        Record::HeldBack { .. } => "held back".into(),
        Record::Note(text) => text.into(),
        Record::Retold(_) => "retold".into(),
        Record::Queued { queue_id, sender, .. } => {
            format!("queued {} {}", text(Some(queue_id)), text(Some(sender)))
        }
        Record::Irrelevant => "irrelevant".into(),
        Record::Malformed { why } => why.into(),
    }
}

const MAIN: &str = "2026-05-12 08:30:01.482 +0200 [12] 1uEAbC-0000000BxYz-1Abc ";
const MX: &str = "H=mx.outlook.com [198.51.100.11]";
const ERROR: &str = "SMTP error from remote mail server after";

#[test]
fn lines_of_all_kinds() {
    for (rest, expected) in [
        (
            format!(
                "=> a@b.c <x@y> F=<n@e> R=dnslookup T=remote_smtp {MX}:26* I=[192.0.2.21]:40112 X=TLS1.3:A:256 CV=yes DN=\"/C=US: \\\"x\" K C=\"250 2.6.0 <e1@e> \\\"q\\\" \\\\nnext\" QT=3s DT=2s"
            ),
            "a@b.c delivered mx.outlook.com 198.51.100.11 192.0.2.21 n@e 26 250 2.6.0 <e1@e> \"q\"  next"
                .to_owned(),
        ),
        (
            format!("-> \"a b\"@b.c R=dnslookup T=remote_smtp {MX} C=\"250 2.6.0 cut QT=3s"),
            "\"a b\"@b.c delivered mx.outlook.com 198.51.100.11 - - - 250 2.6.0 cut".into(),
        ),
        (
            format!(
                "=> ok.a, b>c.278.0@outlook.com <\"ok.a, b>c.278.0\"@outlook.com> R=dnslookup T=remote_smtp {MX} C=\"250 2.6.0 q\""
            ),
            "ok.a, b>c.278.0@outlook.com delivered mx.outlook.com 198.51.100.11 - - - 250 2.6.0 q".into(),
        ),
        (
            format!("=> a@b.c R=dnslookup T=remote_smtp {MX}"),
            "a@b.c delivered mx.outlook.com 198.51.100.11 - - - Codes { smtp: None, enhanced: None }".into(),
        ),
        (
            format!(
                "== a@b.c R=dnslookup T=remote_smtp defer (-45) {MX} I=[192.0.2.21]:40118: {ERROR} pipelined MAIL FROM:<n@e> SIZE=2: 451-4.7.650 one\\n451 4.7.650 t\\303\\274 DT=1s"
            ),
            "a@b.c deferred mx.outlook.com 198.51.100.11 192.0.2.21 - - 451-4.7.650 one 451 4.7.650 tü"
                .into(),
        ),
        (
            format!(
                "== a@b.c R=dnslookup T=remote_smtp defer (0) {MX}: {ERROR} initial connection: 421 4.3.2 no"
            ),
            "a@b.c deferred mx.outlook.com 198.51.100.11 - - - 421 4.3.2 no".into(),
        ),
        (
            format!(
                "== a@b.c R=dnslookup T=remote_smtp defer (110): Connection timed out {MX} I=[192.0.2.21] DT=2m7s"
            ),
            "a@b.c deferred mx.outlook.com 198.51.100.11 192.0.2.21 - - Nobody".into(),
        ),
        (
            "== a@b.c R=dnslookup T=remote_smtp defer (-1): host lookup did not complete".into(),
            "a@b.c deferred - - - - - Nobody".into(),
        ),
        (
            "== a@b.c R=dnslookup defer (-1): host lookup did not complete".into(),
            "a@b.c deferred - - - - - Nobody".into(),
        ),
        (
            format!(
                "** a@b.c F=<n@e> R=dnslookup T=remote_smtp {MX} X=TLS1.3:A:256 CV=yes : {ERROR} MAIL FROM:<n@e> SIZE=1: 550 5.7.1 no: retry timeout exceeded"
            ),
            "a@b.c bounced mx.outlook.com 198.51.100.11 - n@e - 550 5.7.1 no".into(),
        ),
        (
            format!(
                "** a@b.c R=dnslookup T=remote_smtp: {ERROR} RCPT TO:<\"x: 550\"@b.c>: host mx.outlook.com [198.51.100.11]: 550 5.4.1 no"
            ),
            "a@b.c bounced mx.outlook.com 198.51.100.11 - - - 550\"@b.c>: host mx.outlook.com [198.51.100.11]: 550 5.4.1 no".into(),
        ),
        (
            format!(
                "== a@b.c R=dnslookup T=remote_smtp defer (-19) {MX}: Malformed SMTP reply in response to pipelined end of data: 550 5.7.1 x"
            ),
            "a@b.c deferred mx.outlook.com 198.51.100.11 - - - 550 5.7.1 x".into(),
        ),
        (
            format!(
                "== a@b.c R=dnslookup T=remote_smtp defer (-18) {MX}: Remote host closed connection in response to pipelined end of data"
            ),
            "a@b.c deferred mx.outlook.com 198.51.100.11 - - - Nobody".into(),
        ),
        (
            format!(
                "== a@b.c R=dnslookup T=remote_smtp defer (-18) {MX}: Remote host closed connection in response to HELO x (EHLO response was: 421 4.3.2 no)"
            ),
            "a@b.c deferred mx.outlook.com 198.51.100.11 - - - 421 4.3.2 no".into(),
        ),
        (
            "== a@b.c R=dnslookup T=remote_smtp defer (-54): retry time not reached for any host for 'b.c'"
                .into(),
            "held back".into(),
        ),
        ("== a@b.c routing defer (-52): retry time not reached".into(), "held back".into()),
        ("** a@b.c: retry timeout exceeded".into(), "irrelevant".into()),
        (
            "** a@b.c R=dnslookup T=remote_smtp: all hosts for 'b.c' have been failing for a long time"
                .into(),
            "irrelevant".into(),
        ),
        ("** a@b.c: Unrouteable address".into(), "irrelevant".into()),
        ("=> joe <joe@e> R=local_user T=local_delivery".into(), "irrelevant".into()),
        ("=> joe@e R=lmtp T=lmtp H=localhost [127.0.0.1] C=\"250 ok\"".into(), "irrelevant".into()),
        ("<= a@b H=x [198.51.100.11]".into(), "queued 1uEAbC-0000000BxYz-1Abc a@b".into()),
        ("<= \"a b\"@c H=x".into(), "queued 1uEAbC-0000000BxYz-1Abc \"a b\"@c".into()),
        ("<= <> R=1uEAbB-0000000BxYz-1Abc".into(), "queued 1uEAbC-0000000BxYz-1Abc ".into()),
        ("H=mx [198.51.100.11]: SMTP error from remote mail server after x: 451 y".into(), "irrelevant".into()),
        ("Completed".into(), "irrelevant".into()),
    ] {
        assert_eq!(shown(&format!("{MAIN}{rest}")), expected, "{rest}");
    }
    assert_eq!(
        shown("2026-05-12 08:30:01 1xVgOP-00002g-1H == a@b.c routing defer (-52): retry time not reached"),
        "held back"
    );
}

proptest! {
    #[test]
    fn no_text_panics(text in "[ -~]{0,80}", bytes in proptest::collection::vec(any::<u8>(), 0..80), flag in "(=>|->|==|\\*\\*)") {
        shown(&format!("{MAIN}{flag} {text}"));
        shown(&format!("{MAIN}{flag} a@b.c R=x T=remote_smtp {text} {MX} {text}"));
        let mut scratch = Vec::new();
        for item in [&b""[..], b"a@b H=", b"a@b C=\"", b"a@b defer (", b"a@b I=[", b"a@b T=smtp: SMTP error from remote mail: "] {
            let mut rest = item.to_vec();
            rest.extend_from_slice(&bytes);
            let delivery = Delivery { id: b"x", outcome: Outcome::Deferred, rest: &rest };
            read(delivery, None, None, true, &mut scratch);
            let delivery = Delivery { id: b"x", outcome: Outcome::Delivered, rest: &rest };
            read(delivery, None, None, true, &mut scratch);
        }
    }

    #[test]
    fn what_exim_logs_is_read_back(
        local in "[a-z0-9.+-]{1,20}",
        host in "[a-z][a-z0-9-]{0,20}\\.mail\\.protection\\.outlook\\.com",
        ip: [u8; 4],
        ours in prop::option::of(any::<[u8; 4]>()),
        words in "[a-zA-Z(][ -!#-\\[\\]-~]{0,60}[a-z.)]",
        code in 200u16..600,
        fail: bool,
    ) {
        let ip = std::net::Ipv4Addr::from(ip);
        prop_assume!(!is_here(ip.into()));
        // What looks like an item at the end is one.
        prop_assume!(!words.contains("T=") && !words.ends_with("exceeded"));
        let source = ours.map(|ours| format!(" I=[{}]:4011", std::net::Ipv4Addr::from(ours))).unwrap_or_default();
        let line = if fail {
            format!("{MAIN}** {local}@b.c R=dnslookup T=remote_smtp H={host} [{ip}]{source}: {ERROR} RCPT TO:<{local}@b.c>: {code} {words}")
        } else {
            format!("{MAIN}=> {local}@b.c R=dnslookup T=remote_smtp H={host} [{ip}]{source} C=\"{code} {words}\" QT=1s")
        };
        let outcome = if fail { "bounced" } else { "delivered" };
        let source = ours.map_or("-".into(), |ours| std::net::Ipv4Addr::from(ours).to_string());
        prop_assert_eq!(shown(&line), format!("{local}@b.c {outcome} {host} {ip} {source} - - {code} {words}"));
    }
}
