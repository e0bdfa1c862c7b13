//! Several inputs at once: copies, links, rotated sets.

mod common;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use common::{data, eopwatch, events, output, summary, text};
use serde_json::Value;

/// A real log with 1,748 attempts.
fn log() -> String {
    text(&data("real-logs/postfix/mail.log.gz"))
}

fn file(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, bytes).expect("written");
    path
}

fn zipped(folder: &Path, name: &str, bytes: &str) -> PathBuf {
    let path = folder.join(name);
    let file = fs::File::create(&path).expect("created");
    let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    encoder.write_all(bytes.as_bytes()).and_then(|()| encoder.finish().map(|_| ())).expect("written");
    path
}

/// What is counted, without what concerns the files.
fn counts(value: &Value) -> Value {
    let mut value = value.clone();
    let fields = value.as_object_mut().expect("an object");
    fields.remove("inputs");
    fields["totals"].as_object_mut().expect("an object").remove("lines");
    // The first in the order of the inputs.
    for reply in fields["replies"].as_array_mut().expect("a list") {
        reply.as_object_mut().expect("an object").remove("example");
    }
    for onset in value["onsets"].as_array_mut().expect("a list") {
        let onset = onset.as_object_mut().expect("an object");
        onset.remove("first_line");
        onset.remove("evidence");
    }
    value
}

/// Up to a line's end near so many bytes.
fn cut(log: &str, at: usize) -> usize {
    log[..at].rfind('\n').map_or(0, |n| n + 1)
}

#[test]
fn a_stretch_that_stands_in_two_files_is_read_once_and_said() {
    let log = log();
    let folder = tempfile::tempdir().expect("a folder");
    let whole = file(folder.path(), "mail.log", &log);
    let expected = counts(&summary(&[], std::slice::from_ref(&whole)));
    let (early, late) = (cut(&log, 400_000), cut(&log, log.len() - 500_000));
    let begin = file(folder.path(), "begin", &log[..early]);
    let torn = file(folder.path(), "torn", &log[..400_000]);
    let end = file(folder.path(), "end", &log[late..]);
    let without_begin = file(folder.path(), "without-begin", &log[cut(&log, 300_000)..]);
    // What other services write between: the deliveries are the same.
    let with_others =
        log.replace(" postfix/cleanup[", " dovecot: lmtp(1): Connect\nNov 24 03:36:28 mta7 postfix/cleanup[");
    let with_others = file(folder.path(), "mail.info", with_others);
    let copy = file(folder.path(), "copy", &log);
    let gz = zipped(folder.path(), "mail.log.gz", &log);
    for paths in [
        vec![&whole, &copy],
        vec![&copy, &gz, &whole],
        vec![&whole, &begin],
        vec![&begin, &whole],
        vec![&torn, &whole],
        vec![&whole, &end],
        vec![&end, &gz],
        vec![&begin, &without_begin],
        vec![&without_begin, &begin],
        vec![&whole, &with_others],
        vec![&with_others, &begin, &end],
    ] {
        let inputs: Vec<PathBuf> = paths.iter().map(|p| (*p).clone()).collect();
        for threads in ["1", "3"] {
            let mut command = eopwatch();
            command.args(["summary", "--format", "json", "--threads", threads]).args(&inputs);
            let out = output(&mut command, 0);
            let value: Value = serde_json::from_slice(&out.stdout).expect("JSON");
            assert!(counts(&value) == expected, "{paths:?}: {} {}", value["totals"], expected["totals"]);
            let said = String::from_utf8_lossy(&out.stderr);
            assert!(said.contains("too: they are read there alone"), "{paths:?}: {said}");
        }
        assert_eq!(events(&[], &inputs).len(), 1748, "{paths:?}");
    }
}

#[test]
fn a_file_given_twice_is_read_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let whole = file(folder.path(), "mail.log", log());
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&whole, &link).expect("a link");
    let expected = summary(&[], std::slice::from_ref(&whole));
    assert_eq!(summary(&[], &[whole.clone(), link.clone(), whole.clone()]), expected);
    let out = output(eopwatch().arg("summary").args([&whole, &link]), 0);
    assert!(String::from_utf8_lossy(&out.stderr).contains("link: is the same file as"));
}

#[test]
fn stretches_that_follow_each_other_or_look_alike_are_all_read() {
    let log = log();
    let folder = tempfile::tempdir().expect("a folder");
    let at = cut(&log, 400_000);
    let parts = [file(folder.path(), "mail.log.1", &log[..at]), file(folder.path(), "mail.log", &log[at..])];
    let whole = file(folder.path(), "whole", &log);
    let other = file(folder.path(), "other-host", log.replace(" mta7 ", " mta8 "));
    let value = summary(&[], &parts);
    assert_eq!(value["totals"], summary(&[], std::slice::from_ref(&whole))["totals"]);
    let two = summary(&[], &[whole, other]);
    assert_eq!(two["totals"]["attempts"], 2 * value["totals"]["attempts"].as_u64().expect("a number"));
}

#[test]
fn sources_are_named_by_map_config_and_without_their_service() {
    let folder = tempfile::tempdir().expect("a folder");
    let line = |host: &str, name: &str| {
        format!(
            "2026-05-12T08:11:41Z {host} {name}/smtp[1]: 4bWx2k3Tq1z9sPq: to=<a@outlook.com>, \
             relay=outlook-com.olc.protection.outlook.com[52.101.8.1]:25, delay=1, delays=0/0/0/1, dsn=2.6.0, \
             status=sent (250 2.6.0 Queued mail for delivery)\n"
        )
    };
    let log: String =
        [("mta1", "out1"), ("mta2", "out1"), ("mta1", "out2")].map(|(h, n)| line(h, n)).concat();
    let path = file(folder.path(), "mail.log", log);
    let config = file(
        folder.path(),
        "config.toml",
        "[sources]\nout1 = \"192.0.2.1\"\n\"mta2 out1\" = \"192.0.2.2\"\nout2 = \"192.0.2.3\"\n",
    );
    let map = file(folder.path(), "map", "out2 192.0.2.33\n");
    let arguments =
        ["--config", config.to_str().expect("a path"), "--source-map", map.to_str().expect("a path")];
    let found = events(&arguments, std::slice::from_ref(&path));
    let ips: Vec<&str> = found.iter().filter_map(|e| e["source_ip"].as_str()).collect();
    assert_eq!(ips, ["192.0.2.1", "192.0.2.2", "192.0.2.33"]);
    for (filter, count) in [("out1", 2), ("out1/smtp", 2), ("out2", 1), ("!out1", 1), ("ou", 0)] {
        let found = events(&["--source", filter], std::slice::from_ref(&path));
        assert_eq!(found.len(), count, "{filter}");
        let value = summary(&["--source", filter], std::slice::from_ref(&path));
        assert_eq!(value["totals"]["attempts"], count, "{filter}");
    }
    let bad = file(folder.path(), "bad.toml", "[sources]\n\"a b c\" = \"192.0.2.1\"\n");
    output(eopwatch().args(["summary", "--config"]).args([&bad, &path]), 2);
}
