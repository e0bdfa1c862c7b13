//! Stamps that leave zone or year out, clocks that are off, and hosts that disagree: all end up in one UTC line.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{data, eopwatch, events, output, summary, text};

/// A refusal that `host` logged at `stamp`, and Microsoft at `theirs`.
fn refusal(stamp: &str, host: &str, theirs: &str) -> String {
    format!(
        "{stamp} {host} postfix/smtp[3040]: 4bWx6n0Kz4z9sQL: to=<m@msn.com>, \
         relay=msn-com.olc.protection.outlook.com[52.101.21.1]:25, delay=0.77, delays=0.05/0.01/0.5/0.21, dsn=5.7.1, \
         status=bounced (host msn-com.olc.protection.outlook.com[52.101.21.1] said: 550 5.7.1 Unfortunately, messages \
         from [192.0.2.12] weren't sent. Please contact your Internet service provider since part of their network is \
         on our block list (S3140). [DU2PEPF00028D0D.eurprd03.prod.outlook.com {theirs} 08DEA1B20C3D5002] \
         (in reply to MAIL FROM command))\n"
    )
}

/// A delivery, which has no stamp of Microsoft's.
fn delivery(stamp: &str) -> String {
    format!(
        "{stamp} mta1 postfix/smtp[3040]: 4bWx6n0Kz4z9sQM: to=<m@msn.com>, \
         relay=msn-com.olc.protection.outlook.com[52.101.21.1]:25, delay=0.77, delays=0.05/0.01/0.5/0.21, dsn=2.6.0, \
         status=sent (250 2.6.0 Queued mail for delivery)\n"
    )
}

fn file(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).expect("written");
    path
}

fn times(arguments: &[&str], paths: &[PathBuf]) -> Vec<String> {
    events(arguments, paths).iter().map(|e| e["time"].as_str().expect("a time").to_owned()).collect()
}

fn said(arguments: &[&str], paths: &[PathBuf]) -> String {
    let out = output(eopwatch().args(["summary", "--format", "json"]).args(arguments).args(paths), 0);
    String::from_utf8_lossy(&out.stderr).into_owned()
}

#[test]
fn a_log_that_crosses_the_end_of_summer_time_follows_its_zone() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut log = String::new();
    // Berlin: +02:00 until 2026-10-25T01:00:00Z, then +01:00.
    for minute in 10..16 {
        log +=
            &refusal(&format!("Oct 24 12:{minute}:00"), "mta1", &format!("2026-10-24T10:{minute}:00.000Z"));
    }
    for minute in 10..16 {
        log +=
            &refusal(&format!("Oct 26 12:{minute}:00"), "mta1", &format!("2026-10-26T11:{minute}:00.000Z"));
    }
    let path = file(folder.path(), "mail.log", &log);
    let times = times(&[], std::slice::from_ref(&path));
    assert_eq!((&*times[0], &*times[11]), ("2026-10-24T10:10:00Z", "2026-10-26T11:15:00Z"));
    assert_eq!(said(&[], &[path]), "");
}

#[test]
fn a_rotated_set_over_new_year_has_one_newest_line_in_whatever_order_it_comes() {
    let folder = tempfile::tempdir().expect("a folder");
    let parts = [
        file(
            folder.path(),
            "mail.log.2",
            &[delivery("Dec 10 10:00:00"), delivery("Dec 20 10:00:00")].concat(),
        ),
        file(
            folder.path(),
            "mail.log.1",
            &[delivery("Dec 27 10:00:00"), delivery("Jan  3 10:00:00")].concat(),
        ),
        file(folder.path(), "mail.log", &[delivery("Jan  4 10:00:00"), delivery("Jan 11 10:00:00")].concat()),
    ];
    let expected = ["2025-12-10", "2025-12-20", "2025-12-27", "2026-01-03", "2026-01-04", "2026-01-11"];
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let paths = order.map(|i| parts[i].clone());
        let mut found = times(&["--year", "2026", "--timezone", "UTC"], &paths);
        found.sort();
        assert_eq!(found, expected.map(|day| format!("{day}T10:00:00Z")), "{order:?}");
    }
}

#[test]
fn a_year_begins_where_the_month_falls_also_after_a_long_silence() {
    let folder = tempfile::tempdir().expect("a folder");
    let log =
        [delivery("Feb 27 10:00:00"), delivery("Feb 28 10:00:00"), delivery("Jan  1 10:00:00")].concat();
    let found = times(&["--year", "2026", "--timezone", "UTC"], &[file(folder.path(), "a.log", &log)]);
    assert_eq!(found, ["2025-02-27T10:00:00Z", "2025-02-28T10:00:00Z", "2026-01-01T10:00:00Z"]);
    let late =
        [delivery("Feb  1 00:00:01"), delivery("Jan 31 23:59:59"), delivery("Feb  1 00:00:02")].concat();
    let found = times(&["--year", "2026", "--timezone", "UTC"], &[file(folder.path(), "b.log", &late)]);
    assert_eq!(found[1], "2026-01-31T23:59:59Z", "a late line is no new year");
}

#[test]
fn a_leap_day_is_of_a_leap_year_and_a_day_that_never_was_is_no_stamp() {
    let folder = tempfile::tempdir().expect("a folder");
    let leap = file(folder.path(), "leap.log", &delivery("Feb 29 10:00:00"));
    assert_eq!(times(&["--timezone", "UTC"], &[leap]), ["2024-02-29T10:00:00Z"]);
    let never = file(
        folder.path(),
        "a.log",
        &(delivery("Jan 30 10:00:00")
            + &delivery("Jan 30 10:00:01")
            + &delivery("Jan 30 10:00:02")
            + &delivery("Feb 30 10:00:00")),
    );
    assert_eq!(times(&["--timezone", "UTC"], std::slice::from_ref(&never)).len(), 3);
    assert!(said(&[], &[never]).contains("1 line looks like deliveries and could not be read"));
    output(eopwatch().args(["summary", "--year", "99999", "-"]), 2);
}

#[test]
fn hosts_and_zones_that_contradict_microsofts_stamps_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let stamps = |host: &str, hour: u32, late: u32| -> String {
        (10..20)
            .map(|m| {
                let theirs = format!("2026-05-12T08:{m}:00.000Z");
                refusal(&format!("May 12 {hour:02}:{m}:{late:02}"), host, &theirs)
            })
            .collect()
    };
    let berlin = file(folder.path(), "berlin.log", &stamps("mta1", 10, 1));
    assert_eq!(said(&[], std::slice::from_ref(&berlin)), "");
    let wrong = said(&["--timezone", "UTC"], std::slice::from_ref(&berlin));
    assert!(wrong.contains("say that this log's clock is UTC+2 (check --timezone)"), "{wrong}");
    assert!(wrong.contains("the clock of mta1 is 2.0 h ahead of Microsoft's"), "{wrong}");
    // Two files in two zones are one line of time.
    let utc = file(folder.path(), "utc.log", &stamps("mta2", 8, 1));
    let both = [berlin, utc];
    assert_eq!(said(&[], &both), "");
    assert!(times(&[], &both).iter().all(|t| t.starts_with("2026-05-12T08:1")));
    // One file in two zones: said, not guessed away.
    let mixed = file(folder.path(), "mixed.log", &(stamps("mta1", 10, 1) + &stamps("mta2", 3, 1)));
    let mixed = said(&[], &[mixed]);
    assert!(mixed.contains("unsure of the time zone: Microsoft's own stamps say UTC"), "{mixed}");
    let late = file(folder.path(), "late.log", &stamps("mta4", 8, 59));
    assert_eq!(said(&[], &[late]), "", "a reply and a log take a while");
}

#[test]
fn the_year_that_is_named_is_that_of_the_newest_line_of_a_compressed_file_too() {
    // Its last line is far behind what is read of it to tell the clock.
    let log = data("../sample-logs/story-mail.log.gz");
    let folder = tempfile::tempdir().expect("a folder");
    let plain = folder.path().join("mail.log");
    std::fs::write(&plain, text(&log)).expect("written");
    for path in [log, plain] {
        let told = summary(&["--year", "2026", "--timezone", "UTC"], std::slice::from_ref(&path));
        assert_eq!(told["range"]["first"], "2026-11-21T00:00:53Z", "{path:?}");
        assert_eq!(told["range"]["last"], "2026-11-24T05:59:45Z", "{path:?}");
    }
}
