#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::super::registry::tests::record_of;
use super::*;
use crate::record::{Answer, by_name, by_name_for, guess};

/// All formats, these and the others.
fn formats() -> &'static [&'static dyn Format] {
    crate::record::formats()
}

fn wrapped(name: &str, wrapper: Wrapper, order: Order) -> &'static Wrapped {
    super::formats().find(|f| f.name() == name && f.wrapper == wrapper && f.order == order).unwrap()
}

/// The syslog of an MTA that writes into it alone.
pub(crate) fn alone(name: &str) -> &'static dyn Format {
    super::formats().find(|f| f.name() == name && f.wrapper == Wrapper::Syslog).unwrap()
}

fn read(format: &dyn Format, log: &[u8]) -> Vec<(u64, String)> {
    let mut reader = format.reader(&any_clock());
    let mut found = Vec::new();
    let mut out = |offset: u64, record: Record<'_>| {
        let shown = match record {
            Record::Attempt(attempt) | Record::Retold(attempt) => match attempt.answer {
                Answer::Text(reply) => String::from_utf8_lossy(reply).into_owned(),
                other => format!("{other:?}"),
            },
            Record::Malformed { why } => why.into(),
            Record::Note(_) => return,
            other => format!("{other:?}"),
        };
        found.push((offset, shown));
    };
    let mut offset = 0;
    for bytes in log.split(|byte| *byte == b'\n') {
        reader.line(Line { bytes, offset }, &mut out);
        offset += bytes.len() as u64 + 1;
    }
    reader.finish(&mut out);
    found
}

#[test]
fn each_sample_is_read_by_its_format() {
    for format in formats() {
        let sample = format.sample();
        assert_eq!(read(*format, sample.as_bytes()), [(0, "Nobody".to_owned())], "{sample}");
        assert!(format.score(sample.as_bytes()) > 0.0 || format.name() == "postfix", "{sample}");
        assert_eq!(guess(sample.as_bytes()).unwrap().name(), format.name());
        assert_eq!(by_name_for(format.name(), sample.as_bytes()).unwrap().sample(), sample);
        // A message's dates are not those of its lines.
        assert!(format.naive_stamp(sample.as_bytes()).is_some() || format.name() == "dsn");
        let needles = format.needles();
        assert!(needles.is_empty() || needles.iter().any(|n| memmem::find(sample.as_bytes(), n).is_some()));
    }
    assert!(by_name("nonesuch").is_none());
}

#[test]
fn other_files_are_no_format() {
    for text in [
        "",
        "lorem ipsum dolor\nsit amet\nMay  2 03:04:05 is a date: here\nbut only one\n",
        "a,b,c\n2026-05-12 08:20:01,2,3\n2026-05-12 08:20:02,2,3\n",
        "{\"a\":1}\n{\"a\":2}\n",
        "192.0.2.1 - - [12/May/2026:08:20:01 +0200] \"GET / HTTP/1.1\" 200 1\n",
        "2026-05-12 08:20:01 INFO started\n2026-05-12 08:20:02 INFO stopped\n",
    ] {
        assert!(guess(text.as_bytes()).is_none(), "{text}");
    }
}

#[test]
fn rare_deliveries_are_found_among_other_programs() {
    let other = "May 12 08:14:02 mta1 dovecot: imap-login: Login: user=<a>, method=PLAIN\n";
    let log = format!("ut off\n{}{}\n{}", other.repeat(50), postfix::POSTFIX.sample, other.repeat(50));
    assert_eq!(guess(log.as_bytes()).unwrap().name(), "postfix");
    let mixed = format!("{log}{0}\n{0}\n{other}", exim::EXIM.sample);
    let format = guess(mixed.as_bytes()).unwrap();
    assert_eq!((format.needles(), format.order()), (&[][..], Order::Sequential));
    assert_eq!(read(format, mixed.as_bytes()).len(), 3);
}

#[test]
fn pieces_are_joined_by_process() {
    let line = |pid: u32, text: &str| format!("May 12 08:31:44 mta1 exim[{pid}]: {text}\n");
    let start = "2026-05-12 08:31:44 1uEAbE-0000000BxZ1-3Cde ** d@example.org R=dnslookup T=remote_smtp H=mx.example \
        [198.51.100.14]: SMTP error from remote mail server after RCPT TO:<d@example.org>: 550 5.7.1 ";
    let log = [
        line(1, &format!("[1/3] {start}one ")),
        line(2, &format!("[1/2] {start}other")),
        line(1, "[2/3] two "),
        line(2, "[2/2]  end"),
        line(3, "[2/2] lost its beginning"),
        line(1, "[3/3] three"),
        line(4, &format!("[1/2] {start}cut")),
    ]
    .concat();
    let second = line(1, &format!("[1/3] {start}one ")).len() as u64;
    let last = (log.len() - line(4, &format!("[1/2] {start}cut")).len()) as u64;
    let found = read(wrapped("exim", Wrapper::Syslog, Order::Sequential), log.as_bytes());
    assert_eq!(
        found,
        [
            (second, "550 5.7.1 other end".to_owned()),
            (0, "550 5.7.1 one two three".to_owned()),
            (last, "550 5.7.1 cut".to_owned()),
        ]
    );
}

#[test]
fn broken_wrappers_are_told() {
    let (_, cut) = postfix::POSTFIX.sample.split_at(20);
    assert_eq!(
        read(wrapped("postfix", Wrapper::Syslog, Order::Any), cut.as_bytes())[0].1,
        "a delivery without stamp or tag before it"
    );
    let long =
        r#"{"__REALTIME_TIMESTAMP":"1778566442000000","SYSLOG_IDENTIFIER":"postfix/smtp","MESSAGE":null}"#;
    assert!(read(wrapped("postfix", Wrapper::Journal, Order::Any), long.as_bytes())[0].1.contains("--all"));
    let repeated = postfix::POSTFIX.sample.replace("61F0", "message repeated 2 times: [ 61F0") + "]";
    assert_eq!(read(wrapped("postfix", Wrapper::Syslog, Order::Any), repeated.as_bytes()).len(), 1);
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for format in formats() {
            format.score(&bytes);
            format.naive_stamp(&bytes);
            read(*format, &bytes);
        }
    }

    #[test]
    fn no_damaged_sample_panics(at in 0usize..500, cut in 0usize..600, bytes in proptest::collection::vec(any::<u8>(), 0..8)) {
        for format in formats() {
            let mut line = format.sample().as_bytes().to_vec();
            let at = at.min(line.len());
            let end = (at + bytes.len()).min(line.len());
            line.splice(at..end, bytes.iter().copied());
            line.truncate(cut);
            format.score(&line);
            format.naive_stamp(&line);
            read(*format, &line);
        }
    }
}

/// Whose each attempt of a log is.
fn writers(format: &dyn Format, log: &str) -> Vec<&'static str> {
    let mut reader = format.reader(&any_clock());
    let mut found = Vec::new();
    for bytes in log.lines().map(str::as_bytes) {
        reader.line(Line { bytes, offset: 0 }, &mut |_, record| {
            if let Record::Attempt(attempt) = record {
                found.push(attempt.mta.0);
            }
        });
    }
    found
}

#[test]
fn one_log_may_mix_all() {
    let alone: Vec<_> = DIALECTS.iter().filter(|dialect| dialect.order == Order::Any).collect();
    for wrapper in [Wrapper::Syslog, Wrapper::Journal] {
        let sample = |dialect: &Dialect| match wrapper {
            Wrapper::Syslog => dialect.sample,
            Wrapper::Journal => in_journal(dialect.sample),
        };
        for most in DIALECTS {
            let log = |dialects: &[&'static Dialect]| -> String {
                dialects.iter().chain([&most]).map(|dialect| format!("{}\n", sample(dialect))).collect()
            };
            let all = log(&DIALECTS);
            let format = guess(all.as_bytes()).unwrap();
            assert_eq!((format.name(), format.order()), (most.mta.0, Order::Sequential));
            let expected: Vec<_> = DIALECTS.iter().map(|d| d.mta.0).chain([most.mta.0]).collect();
            assert_eq!(writers(format, &all), expected);
        }
        // Without those that need the order of lines, none is needed.
        let log: String = alone.iter().map(|dialect| format!("{}\n", sample(dialect))).collect();
        let format = guess(log.as_bytes()).unwrap();
        assert_eq!(format.order(), Order::Any);
        assert_eq!(writers(format, &log).len(), alone.len());
        let needles = format.needles();
        for line in log.lines().filter(|_| wrapper == Wrapper::Syslog) {
            assert!(needles.iter().any(|needle| memmem::find(line.as_bytes(), needle).is_some()), "{line}");
        }
    }
}

#[test]
fn a_delivery_that_has_lost_its_wrapper_is_looked_at() {
    for dialect in super::alone() {
        let found =
            dialect.marks.iter().any(|mark| dialect.needles.iter().any(|n| memmem::find(mark, n).is_some()));
        assert!(found, "{:?}", dialect.mta);
    }
}

#[test]
fn the_address_that_sent_is_asked_for() {
    let seen = |sourceless| Seen { bounced: 2, sourceless, ..Seen::default() };
    assert!((exim::EXIM.blind_spot)(&seen(2)).unwrap().contains("+outgoing_interface"));
    assert_eq!((exim::EXIM.blind_spot)(&seen(1)), None);
}

#[test]
fn what_stands_between_an_mtas_lines_does_not_hide_it() {
    let sample = postfix::POSTFIX.sample;
    let other = "web-1  | GET /index.html 200";
    for between in [other, "\u{1b}[31m\u{fffd}", "2026-05-12T06:13:21.1Z stdout F the rest of a line"] {
        let log = format!("{between}\n{between}\nmail-1  | {sample}\n").repeat(5);
        assert_eq!(guess(log.as_bytes()).map(Format::name), Some("postfix"), "{between}");
    }
    assert!(guess(format!("{}{sample}\n", "some text\n".repeat(20)).as_bytes()).is_none());
}

/// Deliveries of Postfix, most of them plain, some with what makes them something else.
fn deliveries() -> impl Strategy<Value = String> {
    let plain_or = |plain: &'static str, others: &'static [&'static str]| prop_oneof![3 => Just(plain), 1 => proptest::sample::select(others)];
    let stamp = plain_or(
        "May 12 08:11:41",
        &[
            "May 12 08:11:42",
            "May 12 08:12:00",
            "2026-05-12T08:11:41.5+02:00",
            "May 12 08:11:61",
            "<22>May 12 08:11:41",
            "",
        ],
    );
    let host =
        plain_or(" mta1", &[" Mta1", " s1", " stdout F", " 2026", " a:b", " mta1:", "", " <mail.info> mta1"]);
    let tag = plain_or(
        " postfix-out1/smtp[31]: ",
        &[
            " postfix/smtp[2]: ",
            " postfix/lmtp[31]: ",
            " a/b/lmtp[31]: ",
            " sm-mta[31]: ",
            " smtpd[31]: ",
            " a/b[c]d[1]: ",
            " a/smtp: ",
            " a/smtp[3]:",
            " a/error[3]: ",
        ],
    );
    let id = plain_or(
        "4bWx2k3Tq1z9sPq: ",
        &["4bW 2: ", "NOQUEUE: ", ": ", "message repeated 2 times: [ 4b: ", "4bWx2k3Tq1z9sPq:"],
    );
    let to = plain_or(
        "to=<a@b.example>, ",
        &[
            "to=<\"x>, relay=y[198.51.100.1]:25, status=sent (250\"@b.example>, ",
            "to=<a>, b=c@d>, ",
            "to=<a@b>, orig_to=<c>, ",
            "to=<a@b",
            "from=<a@b>, ",
            "to=<>, ",
        ],
    );
    let relay = plain_or(
        "relay=mx.example[198.51.100.7]:25, ",
        &[
            "relay=mx.example[198.51.100.7]:587, ",
            "relay=ours.example[198.51.100.8]:25, ",
            "relay=ours.example[198.51.100.8]:587, ",
            "relay=none, ",
            "relay=local, ",
            "relay=[198.51.100.7]:25, ",
            "relay=198.51.100.7[198.51.100.7]:25, ",
            "relay=mx.example[127.0.0.1]:25, ",
            "relay=mx.example[private/lmtp], ",
            "",
            "relay=mx.example[198.51.100.7]:25, relay=none, ",
        ],
    );
    let fields = plain_or(
        "delay=1, delays=0/0/0/1, dsn=2.0.0, ",
        &["delay, ", "", "dsn=4.4.1, orig_to=<x>, ", "delay=1 "],
    );
    let status = plain_or(
        "status=sent (",
        &["status=deferred (", "status=bounced (", "status=sent, (", "status=sent", "status="],
    );
    let reason = plain_or(
        "250 2.0.0 OK)",
        &["delivery temporarily suspended: x)", "Mail accepted)", "250x)", ")", "550 5.7.1 no)"],
    );
    let delivery = (to, relay, fields, status, reason)
        .prop_map(|(to, relay, fields, status, reason)| format!("{to}{relay}{fields}{status}{reason}"));
    let queued = plain_or(
        "from=<n@example.com>, size=18344, nrcpt=1 (queue active)",
        &[
            "from=<>, size=1, nrcpt=1 (queue active)",
            "from=<\"a>, size=b\"@example.com>, size=1, nrcpt=1 (queue active)",
            "from=<a>b@example.com>, size=1, nrcpt=1 (queue active)",
            "from=<a>, b=c@example.com>, size=1, nrcpt=1 (queue active)",
            "from=<n@example.com>, status=expired, returned to sender",
            "from=<n@example.com>",
            "from=<n@exa",
        ],
    );
    let text = prop_oneof![2 => delivery, 1 => queued.prop_map(str::to_owned)];
    (stamp, host, tag, id, text)
        .prop_map(|(stamp, host, tag, id, text)| format!("{stamp}{host}{tag}{id}{text}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_plain_line_is_the_attempt_that_the_whole_line_is(lines in proptest::collection::vec(deliveries(), 1..20)) {
        let format = alone("postfix");
        let (mut glancing, mut reading) = (format.reader(&any_clock()), format.reader(&any_clock()));
        for line in &lines {
            let bytes = line.as_bytes();
            let plain = glancing.glance(bytes).and_then(|glance| record_of(format, &glance));
            let mut read = Vec::new();
            reading.line(Line { bytes, offset: 0 }, &mut |_, record| read.push(format!("{record:?}")));
            match plain {
                Some(record) => prop_assert_eq!(read, [format!("{record:?}")], "{}", line),
                // What is not plain is read, which also moves the clock on.
                None => glancing.line(Line { bytes, offset: 0 }, &mut |_, _| {}),
            }
        }
    }

    #[test]
    fn most_deliveries_are_plain(second in 0..60, fields in "(, conn_use=[0-9]{1,3})?, delay=[0-9.]{1,5}, delays=0/0/0/1") {
        let line = format!(
            "May 12 08:11:{second:02} mta1 postfix-out1/smtp[31]: 4bWx2k3Tq1z9sPq: to=<a@b.example>, \
             relay=mx.example[198.51.100.7]:25{fields}, dsn=2.0.0, status=sent (250 2.0.0 OK)"
        );
        let mut reader = alone("postfix").reader(&any_clock());
        reader.line(Line { bytes: line.as_bytes(), offset: 0 }, &mut |_, _| {});
        let Some(Glance::Delivered(plain)) = reader.glance(line.as_bytes()) else { panic!("not plain") };
        prop_assert_eq!(plain.source, b" mta1 postfix-out1/smtp[31]");
        prop_assert_eq!(plain.relay, b"mx.example[198.51.100.7]:25");
    }
}
