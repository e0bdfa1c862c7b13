#![allow(clippy::unwrap_used)]

use super::*;
use crate::record::stamp::{Clock, Zone};

fn parts(line: &str) -> Option<String> {
    let mut stamper = Stamper::new(&Clock { zone: Zone::Fixed(0), year: 2026 });
    let envelope = strip(line.as_bytes(), &mut stamper)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Some(format!(
        "{}|{}|{}|{}|{}",
        envelope.time,
        envelope.host.map_or("-".into(), text),
        text(envelope.tag),
        envelope.pid.map_or("-".into(), text),
        text(envelope.text)
    ))
}

#[test]
fn wrappers_of_all_kinds() {
    for (line, expected) in [
        (
            "May  2 03:04:05 mta1 postfix/smtp[3011]: hello: there",
            "2026-05-02T03:04:05Z|mta1|postfix/smtp|3011|hello: there",
        ),
        ("<22>May  2 03:04:05 mta1 postfix/smtp[3011]: x\r", "2026-05-02T03:04:05Z|mta1|postfix/smtp|3011|x"),
        ("\0\0\0May  2 03:04:05 mta1 postfix/smtp[3011]: x", "2026-05-02T03:04:05Z|mta1|postfix/smtp|3011|x"),
        ("May  2 03:04:05 postfix/smtp[3011]: x", "2026-05-02T03:04:05Z|-|postfix/smtp|3011|x"),
        (
            "2026-11-24T03:36:22+0100 mta7 postfix/master[243]: x",
            "2026-11-24T02:36:22Z|mta7|postfix/master|243|x",
        ),
        (
            "<22>1 2026-05-12T08:12:03.5+02:00 mta1 postfix/smtp 12 - [a b=\"]\\\"\"][c] x y",
            "2026-05-12T06:12:03.500Z|mta1|postfix/smtp|12|x y",
        ),
        ("<22>1 2026-05-12T08:12:03Z - postfix/smtp - - - x", "2026-05-12T08:12:03Z|-|postfix/smtp|-|x"),
        ("mail-1  | May  2 03:04:05 mta1 postfix/smtp[1]: x", "2026-05-02T03:04:05Z|mta1|postfix/smtp|1|x"),
        (
            "2026-05-12T08:12:03.123456789Z stdout F May 12 10:12:02 mta1 postfix/smtp[1]: x",
            "2026-05-12T08:12:03.123Z|mta1|postfix/smtp|1|x",
        ),
        (
            "May  2 03:04:05 m p/smtp[1]: message repeated 2 times: [ a b]",
            "2026-05-02T03:04:05Z|m|p/smtp|1|a b",
        ),
        ("May  2 03:04:05 m <mail.info> p", "-"),
        ("no stamp here", "-"),
        ("", "-"),
    ] {
        assert_eq!(parts(line).unwrap_or("-".into()), expected, "{line}");
    }
}
