#![allow(clippy::unwrap_used)]

use super::*;

fn utc(text: &str) -> Option<String> {
    let clock = Clock { zone: Zone::Fixed(7200), year: 2026 };
    let mut stamper = Stamper::new(&clock);
    stamper.read(text.as_bytes()).map(|(time, _, end)| format!("{time} {}", &text[end..]))
}

#[test]
fn every_kind_of_stamp() {
    for (stamp, expected) in [
        ("May  2 03:04:05 mta", "2026-05-02T01:04:05Z  mta"),
        ("May 02 03:04:05 mta", "2026-05-02T01:04:05Z  mta"),
        ("2026-05-12T08:12:03+02:00 m", "2026-05-12T06:12:03Z  m"),
        ("2026-05-12T08:12:03.004511+0200 m", "2026-05-12T06:12:03.004Z  m"),
        ("2026-05-12T06:12:03.5Z m", "2026-05-12T06:12:03.500Z  m"),
        ("2026-05-12T06:12:03.123456789Z", "2026-05-12T06:12:03.123Z "),
        ("2026-05-12 08:30:01 1uEAbC", "2026-05-12T06:30:01Z  1uEAbC"),
        ("2026-05-12 08:30:01.482 -0430 1uE", "2026-05-12T13:00:01.482Z  1uE"),
        ("2026-05-12 08:20:01+0200", "2026-05-12T06:20:01Z "),
        ("1778571001.12 x", "2026-05-12T07:30:01.120Z  x"),
        ("@400000006a02d4bf0a2b3c44 x", "2026-05-12T07:20:21.170Z  x"),
    ] {
        assert_eq!(utc(stamp).as_deref(), Some(expected), "{stamp}");
    }
    for broken in
        ["", "May", "Mai  2 03:04:05", "2026-13-01T00:00:00Z", "2026-05-12T25:00:00Z", "12345", "@40"]
    {
        assert_eq!(utc(broken), None, "{broken}");
    }
}

#[test]
fn the_kept_minute_changes_nothing() {
    let clock = Clock { zone: Zone::Named(TimeZone::get("Europe/Berlin").unwrap()), year: 2026 };
    let mut stamper = Stamper::new(&clock);
    for line in [
        "2026-05-12T08:12:03.5+02:00",
        "2026-05-12T08:12:04+01:00",
        "2026-05-12T08:12:05",
        "2026-05-12T08:13:05",
        "2026-05-12T08:13:60",
        "2026-05-12T08:13:07Z",
        "May 12 08:13:07",
        "May 12 08:13:08",
    ] {
        let fresh = Stamper::new(&clock).read(line.as_bytes());
        assert_eq!(stamper.read(line.as_bytes()), fresh, "{line}");
    }
}

#[test]
fn the_year_follows_the_lines() {
    let mut stamper = Stamper::new(&Clock { zone: Zone::Fixed(0), year: 2025 });
    for (line, expected) in [
        ("Feb 29 00:00:00", "2025-03-01T00:00:00Z"),
        ("Dec 31 23:59:58", "2025-12-31T23:59:58Z"),
        ("Jan  1 00:00:00", "2026-01-01T00:00:00Z"),
        ("Dec 31 23:59:59", "2025-12-31T23:59:59Z"),
        ("Jan  1 00:00:01", "2026-01-01T00:00:01Z"),
        ("Jan 20 00:00:01", "2026-01-20T00:00:01Z"),
        ("Oct 20 00:00:01", "2026-10-20T00:00:01Z"),
        ("Oct 19 23:59:59", "2026-10-19T23:59:59Z"),
    ] {
        assert_eq!(stamper.read(line.as_bytes()).unwrap().0.to_string(), expected);
    }
}

#[test]
fn daylight_saving_is_resolved_as_usual() {
    let mut stamper =
        Stamper::new(&Clock { zone: Zone::Named(TimeZone::get("Europe/Berlin").unwrap()), year: 2026 });
    for (line, expected) in [
        ("Mar 29 02:30:00", "2026-03-29T01:30:00Z"),
        ("Oct 25 01:59:59", "2026-10-24T23:59:59Z"),
        ("Oct 25 02:30:00", "2026-10-25T00:30:00Z"),
        ("Oct 25 03:00:00", "2026-10-25T02:00:00Z"),
    ] {
        assert_eq!(stamper.read(line.as_bytes()).unwrap().0.to_string(), expected);
    }
}

proptest::proptest! {
    #[test]
    fn no_bytes_panic(a in "[ -~]{0,40}", b in "(1778571001|@400000006a02d4bf0a2b3c44|Feb 29 23:59:|2026-05-12T08:12:)[0-9.:Z+ -]{0,12}") {
        let mut stamper = Stamper::new(&Clock { zone: Zone::Named(TimeZone::get("Europe/Berlin").unwrap()), year: 2026 });
        for line in [&a, &b, &a, &b, &b] {
            let end = stamper.read(line.as_bytes()).map(|(_, _, end)| end);
            proptest::prop_assert!(end.unwrap_or(0) <= line.len());
        }
    }

    #[test]
    fn kept_minutes_never_differ(seconds in proptest::collection::vec(0u32..180, 1..20), form in 0usize..4) {
        let clock = Clock { zone: Zone::Named(TimeZone::get("Europe/Berlin").unwrap()), year: 2026 };
        let mut stamper = Stamper::new(&clock);
        for second in seconds {
            let (minute, second) = (second / 60, second % 60);
            let line = match form {
                0 => format!("Mar 29 02:0{minute}:{second:02} x"),
                1 => format!("2026-10-25 02:0{minute}:{second:02}.5 x"),
                2 => format!("2026-10-25T02:0{minute}:{second:02}+01:00"),
                _ => format!("Oct 25 02:0{minute}:{second:02}"),
            };
            proptest::prop_assert_eq!(stamper.read(line.as_bytes()), Stamper::new(&clock).read(line.as_bytes()));
        }
    }
}

#[test]
fn dates_of_messages() {
    let read = |text: &str| {
        rfc5322(text.as_bytes()).map(|naive| {
            Time { seconds: naive.seconds(0) - i64::from(naive.offset.unwrap()), millis: naive.millis }
                .to_string()
        })
    };
    for text in [
        "Tue, 12 May 2026 10:00:00 +0200 (CEST)",
        " 12 May 2026 10:00 +0200",
        "Tue 12 May 26 08:00:00 GMT",
        "Tue, 12 may 2026 06:00:00 -0200",
        "Tue, 12 May 2026 04:00:00 EDT",
        "Tue, 12 May 2026 08:00:00",
        "Tue, 12-May-2026 08:00:00 -0000",
    ] {
        assert_eq!(read(text).as_deref(), Some("2026-05-12T08:00:00Z"), "{text}");
    }
    for text in [
        "",
        "Tue",
        "Tue, 12 Mai 2026 10:00:00",
        "Tue, 12 May 2026",
        "32 May 2026 10:00:00",
        "12 May 2026 25:00:00",
        "é, 1",
    ] {
        assert_eq!(read(text), None, "{text}");
    }
}
