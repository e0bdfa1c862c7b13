//! The fast way against the slow one, which looks at every line: they must not differ.

mod common;

use std::fmt::Write;
use std::fs;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};

use common::{data, eopwatch, output};
use eopwatch::engine::{Options, Prefilter, Run};
use eopwatch::export;

/// Logs and their rotated sets, one list a set; not the journals of the servers.
fn sets(folder: &Path, found: &mut Vec<Vec<PathBuf>>) {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    let is_log = |path: &PathBuf| {
        let name = path.file_name().expect("a name").to_string_lossy();
        path.is_file() && ["log", "mbox", "json.gz"].iter().any(|part| name.contains(part))
    };
    let logs: Vec<PathBuf> = files.iter().filter(|path| is_log(path)).cloned().collect();
    match folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with("rot-")) {
        true => found.push(logs),
        false => found.extend(logs.into_iter().map(|log| vec![log])),
    }
    files.iter().filter(|path| path.is_dir()).for_each(|path| sets(path, found));
}

/// The bytes of a file that may be gzipped.
fn bytes(path: &Path) -> Vec<u8> {
    let file = fs::read(path).expect("a sample");
    let mut bytes = Vec::new();
    match file.starts_with(b"\x1f\x8b") {
        true => flate2::read::MultiGzDecoder::new(&file[..]).read_to_end(&mut bytes).map(|_| bytes),
        false => Ok(file),
    }
    .expect("gzip")
}

#[test]
fn each_log_gives_the_same_summary_with_and_without() {
    let mut all = Vec::new();
    sets(&data("real-logs"), &mut all);
    sets(&data("../sample-logs"), &mut all);
    assert!(all.len() > 20, "the test looks at nothing");
    let folder = tempfile::tempdir().expect("a folder");
    for set in all {
        // Plain files: they are the ones that are cut up.
        let plain: Vec<PathBuf> = set
            .iter()
            .map(|path| {
                let name = path.file_name().expect("a name").to_string_lossy().replace(".gz", "");
                let copy = folder.path().join(name);
                fs::write(&copy, bytes(path)).expect("written");
                copy
            })
            .collect();
        let summary = |slow: bool| {
            let mut command = eopwatch();
            command.args(["summary", "--format", "json"]).args(&plain);
            if slow {
                command.arg("--no-prefilter");
            }
            let output = output(&mut command, 0);
            (String::from_utf8_lossy(&output.stdout).into_owned(), output.stderr)
        };
        assert!(summary(false) == summary(true), "{set:?}");
    }
}

/// Messages of two senders, one of which Microsoft refuses for its authentication. Their lines stand up to `far`
/// messages before the deliveries, and the queue ids come again.
fn log(hour: u64, far: u64) -> String {
    let mut log = String::new();
    let id = |n: u64| format!("4bWx{:06X}z9", n % 5000);
    for n in 0..1200 + far {
        let at = |n: u64| format!("2026-05-12T{:02}:{:02}:{:02}Z", hour + n / 1200, n / 20 % 60, n % 20 * 3);
        if n < 1200 {
            let sender = if n % 3 == 0 { "news@Bad.example" } else { "info@good.example" };
            let _ = writeln!(
                log,
                "{} mta1 postfix/qmgr[1]: {}: from=<{sender}>, size=1, nrcpt=1 (queue active)",
                at(n),
                id(n)
            );
        }
        let Some(sent) = n.checked_sub(far) else { continue };
        let (dsn, status) = match sent % 3 == 0 && sent > 300 {
            true => (
                "5.7.515",
                "bounced (host outlook-com.olc.protection.outlook.com[52.101.8.1] said: 550 5.7.515 Access denied, sending \
                 domain BAD.EXAMPLE doesn't meet the required authentication level. (in reply to end of DATA command))",
            ),
            false => ("2.6.0", "sent (250 2.6.0 Queued mail for delivery)"),
        };
        let _ = writeln!(
            log,
            "{} mta1 postfix/smtp[2]: {}: to=<a{sent}@outlook.com>, \
             relay=outlook-com.olc.protection.outlook.com[52.101.8.1]:25, delay=1, delays=0/0/0/1, dsn={dsn}, \
             status={status}",
            at(n),
            id(sent)
        );
    }
    log
}

fn summary(paths: &[PathBuf], prefilter: Prefilter, span: u64, threads: usize) -> String {
    let options = Options {
        year: Some(2026),
        threads,
        span: Some(span),
        now: 1_780_000_000,
        prefilter,
        ..Options::of(paths.to_vec())
    };
    export::json::summary(&Run::new(options, false).batch())
}

#[test]
fn senders_are_found_where_they_are_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    for far in [0, 1, 40, 800] {
        let whole = log(8, far);
        let path = folder.path().join("mail.log");
        fs::write(&path, &whole).expect("written");
        // The same in two files: of most refusals in the second, the sender stands in the first.
        let at = whole[..whole.len() / 2].rfind('\n').expect("a line") + 1;
        let parts = [folder.path().join("mail.log.1"), folder.path().join("mail.log.0")];
        fs::write(&parts[0], &whole[..at]).expect("written");
        fs::write(&parts[1], &whole[at..]).expect("written");
        for inputs in [&[path][..], &parts] {
            let slow = summary(inputs, Prefilter::Off, 8 << 20, 1);
            assert!(slow.contains("\"sender_domain\": \"bad.example\""), "{far}");
            for (span, threads) in [(8 << 20, 2), (300, 1), (5000, 3), (40_000, 2)] {
                let fast = summary(inputs, Prefilter::Deliveries, span, threads);
                assert!(fast == slow, "{far} {span} {inputs:?}");
            }
        }
    }
}

#[test]
fn senders_are_found_in_a_compressed_file_however_far_back_they_stand() {
    let folder = tempfile::tempdir().expect("a folder");
    let whole = log(8, 800);
    // More than is kept at hand of a stream, within the messages that are under way.
    let at = whole[..whole.len() / 3].rfind('\n').expect("a line") + 1;
    let noise =
        "2026-05-12T08:20:00Z mta1 postfix/smtpd[3]: connect from app1.example[10.1.1.1]\n".repeat(180_000);
    for far in [String::new(), noise] {
        let path = folder.path().join("mail.log.gz");
        let file = fs::File::create(&path).expect("created");
        let mut packed = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        for part in [&whole[..at], &far, &whole[at..]] {
            packed.write_all(part.as_bytes()).expect("written");
        }
        packed.finish().expect("written");
        let slow = summary(std::slice::from_ref(&path), Prefilter::Off, 8 << 20, 1);
        assert!(slow.contains("\"sender_domain\": \"bad.example\""));
        for threads in [1, 2] {
            let fast = summary(std::slice::from_ref(&path), Prefilter::Deliveries, 8 << 20, threads);
            assert!(fast == slow, "{threads} {}", far.len());
        }
    }
}

#[test]
fn a_try_that_names_no_relay_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mail.log");
    let relay = "relay=outlook-com.olc.protection.outlook.com. [52.101.8.1]";
    let fields = "delay=00:00:01, xdelay=00:00:01, mailer=esmtp, pri=31204";
    let log = format!(
        "May 10 00:10:00 mta1 sm-out1[7101]: 64C00000000001: to=<a@outlook.com>, {fields}, {relay}, dsn=2.6.0, stat=Sent (ok)\n\
         May 10 00:10:01 mta1 sm-out1[7101]: 64C00000000002: to=<b@outlook.com>, {fields}, dsn=4.0.0, stat=Deferred: Name \
         server: outlook-com.olc.protection.outlook.com.: host name lookup failure\n"
    );
    fs::write(&path, log).expect("written");
    let inputs = [path];
    let fast = summary(&inputs, Prefilter::Deliveries, 8 << 20, 1);
    assert!(fast.contains("\"deferred\": 1"), "{fast}");
    assert_eq!(fast, summary(&inputs, Prefilter::Off, 8 << 20, 1));
}

/// An accounting file with replies over several lines, a record that was cut, the same header again and, if so, another
/// one behind it.
fn accounting(has_another: bool) -> String {
    const HEADER: &str =
        "type,timeLogged,orig,rcpt,dsnStatus,dsnDiag,dsnMta,dlvType,dlvSourceIp,dlvDestinationIp,vmta";
    let mut log = format!("{HEADER}\n");
    for n in 0..3000 {
        if n == 1500 {
            let _ = writeln!(log, "{HEADER}");
        }
        if n == 2000 && has_another {
            log.push_str("type,timeLogged,orig,rcpt,vmta,dlvSourceIp,dsnMta,dsnDiag\n");
        }
        let time = format!("2026-05-12 {:02}:{:02}:{:02}+0000", 8 + n / 1200, n / 20 % 60, n % 20 * 3);
        let (host, ip) = match n % 4 {
            0 => ("outlook-com.olc.protection.outlook.com", "52.101.8.1"),
            1 => ("gmail-smtp-in.l.google.com", "142.250.27.27"),
            2 => ("mx.example", "198.51.100.7"),
            _ => ("contoso.mail.protection.outlook.com", "52.101.40.2"),
        };
        let (kind, diag) = match n % 9 {
            0 => ("b", "\"smtp;550 5.7.1 Unfortunately, messages from [192.0.2.1]\nweren't sent, (S3140)\""),
            1 => (
                "t",
                "\"smtp;451 4.7.650 The mail server \"\"x\"\" has been\nd,2026-05-12 08:00:00+0000,a,b,\nlimited\"",
            ),
            2 if n % 5 == 0 => ("t", "\"smtp;451 cut"),
            _ => ("d", "\"smtp;250 2.6.0 queued, really\""),
        };
        let (vmta, source) = (format!("vmta-{}", n % 3), format!("192.0.2.{}", n % 3));
        let _ = match has_another && n >= 2000 {
            true => writeln!(
                log,
                "{kind},{time},n@example.com,a{n}@outlook.com,{vmta},{source},{host} ({ip}),{diag}"
            ),
            false => writeln!(
                log,
                "{kind},{time},n@example.com,a{n}@outlook.com,2.0.0 (x),{diag},{host} ({ip}),smtp,{source},{ip},{vmta}"
            ),
        };
    }
    log
}

/// Message tracking of Exchange, likewise.
fn tracking(has_another: bool) -> String {
    const COMMENTS: &str =
        "#Software: Microsoft Exchange Server\n#Version: 15.02.1748.010\n#Log-type: Message Tracking Log\n";
    const HEADER: &str = "#Fields: date-time,client-ip,client-hostname,server-ip,server-hostname,connector-id,source,\
        event-id,internal-message-id,recipient-address,recipient-status,return-path";
    let mut log = format!("{COMMENTS}{HEADER}\n");
    for n in 0..3000 {
        if n == 1500 {
            let _ = writeln!(log, "{COMMENTS}{HEADER}");
        }
        if n == 2000 && has_another {
            log.push_str("#Fields: date-time,client-ip,server-ip,server-hostname,source,event-id,");
            log.push_str("recipient-address,recipient-status\n");
        }
        let time = format!("2026-05-12T{:02}:{:02}:{:02}.123Z", 8 + n / 1200, n / 20 % 60, n % 20 * 3);
        let (host, ip) = match n % 3 {
            0 => ("outlook-com.olc.protection.outlook.com", "52.101.8.1"),
            1 => ("gmail-smtp-in.l.google.com", "142.250.27.27"),
            _ => ("contoso.mail.protection.outlook.com", "52.101.40.2"),
        };
        let refused = |reply: &str| format!("\"[{{LED={reply}}};{{MSG=}};{{FQDN={host}}};{{IP={ip}}}]\"");
        let (event, status) = match n % 9 {
            0 | 4 => ("RECEIVE", String::new()),
            1 => {
                ("FAIL", refused("550 5.7.1 Unfortunately, messages from [192.0.2.1]\nweren't sent, (S3140)"))
            }
            2 => (
                "FAIL",
                refused(
                    "550 5.7.511 Access denied\n2026-05-12T08:00:00.123Z,,,,,a,SMTP,FAIL,\n(\"\"banned\"\")",
                ),
            ),
            3 if n % 5 == 0 => ("FAIL", "\"550 cut".to_owned()),
            5 => ("DEFER", String::new()),
            _ => ("SENDEXTERNAL", "\"250 2.6.0 queued, really\"".to_owned()),
        };
        let source = format!("192.0.2.{}", n % 3);
        let _ = match has_another && n >= 2000 {
            true => writeln!(log, "{time},{source},{ip},{host},SMTP,{event},a{n}@outlook.com,{status}"),
            false => writeln!(
                log,
                "{time},{source},EX01,{ip},{host},Internet,SMTP,{event},{n},a{n}@outlook.com,{status},n@example.com"
            ),
        };
    }
    log
}

#[test]
fn a_file_that_begins_with_its_header_is_cut_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let logs = [accounting(false), accounting(true), tracking(false), tracking(true)];
    for (number, log) in logs.iter().enumerate() {
        let path = folder.path().join("log.csv");
        fs::write(&path, log).expect("written");
        let inputs = [path];
        let slow = summary(&inputs, Prefilter::Off, 8 << 20, 1);
        assert!(slow.contains("\"other_attempts\""));
        for (span, threads) in [(8 << 20, 2), (300, 3), (5000, 3), (70_000, 1), (70_000, 2)] {
            let fast = summary(&inputs, Prefilter::Deliveries, span, threads);
            assert!(fast == slow, "{number} {span}");
        }
    }
}
