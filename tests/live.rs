//! A live run: the same events as of the whole file, on a log that grows and is rotated while it is read.

mod common;

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use common::{data, eopwatch, output, text};
use eopwatch::detect::Onset;
use eopwatch::engine::{Options, Run, Session};
use eopwatch::record::Zone;
use jiff::Timestamp;
use serde_json::Value;

/// Long enough for a machine under load; nothing here waits for it if all goes well.
const PATIENCE: Duration = Duration::from_secs(120);

/// What does not depend on how the input was cut into files.
fn essence(line: &str) -> String {
    let mut value: Value = serde_json::from_str(line).expect("JSON");
    value.as_object_mut().expect("an object").remove("first_line");
    value.to_string()
}

fn start(arguments: &[&str], stdin: Stdio) -> (Child, mpsc::Receiver<String>) {
    let mut command = eopwatch();
    command.args(["tail", "--format", "json", "--timezone", "UTC", "--year", "2026"]).args(arguments);
    let mut child = command
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    let (send, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in stdout.lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                break;
            }
        }
    });
    (child, lines)
}

fn expected(content: &str) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mail.log");
    fs::write(&path, content).expect("written");
    let mut command = eopwatch();
    command.args(["onsets", "--format", "ndjson", "--timezone", "UTC", "--year", "2026"]).arg(&path);
    String::from_utf8(output(&mut command, 0).stdout).expect("UTF-8").lines().map(essence).collect()
}

#[test]
fn a_growing_and_rotated_log_gives_the_events_of_the_whole_file() {
    let content = text(&data("../sample-logs/story-mail.log.gz"));
    let expected = expected(&content);
    assert!(expected.len() >= 5, "the story has an onset, its spread, clears: {expected:#?}");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mail.log");
    let line_at = |share: usize| content[..content.len() * share / 100].rfind('\n').expect("a line") + 1;
    let cuts = [0, line_at(40), line_at(60), line_at(75), content.len()];
    fs::write(&path, &content[..cuts[1]]).expect("written");
    let (mut child, lines) = start(&[path.to_str().expect("a path")], Stdio::null());
    let mut seen = Vec::new();
    let wait = |count: usize, seen: &mut Vec<String>| {
        while seen.len() < count {
            seen.push(essence(&lines.recv_timeout(PATIENCE).expect("an event in time")));
        }
    };
    let so_far = |cut: usize| expected_until(&content[..cut]);
    wait(so_far(cuts[1]), &mut seen);
    // It grows; the last line comes in two pieces.
    let mut log = OpenOptions::new().append(true).open(&path).expect("opened");
    log.write_all(&content.as_bytes()[cuts[1]..cuts[2] - 30]).expect("written");
    log.write_all(&content.as_bytes()[cuts[2] - 30..cuts[2]]).expect("written");
    wait(so_far(cuts[2]), &mut seen);
    // logrotate: renamed, written to a little longer, and made anew.
    fs::rename(&path, folder.path().join("mail.log.1")).expect("renamed");
    log.write_all(&content.as_bytes()[cuts[2]..cuts[3]]).expect("written");
    fs::write(&path, &content[cuts[3]..]).expect("written");
    wait(expected.len(), &mut seen);
    assert_eq!(seen, expected);
    let status = Command::new("kill").arg(child.id().to_string()).status().expect("kill");
    assert!(status.success());
    assert_eq!(child.wait().expect("ended").code(), Some(0), "SIGTERM ends it quietly");
}

fn expected_until(content: &str) -> usize {
    expected(content).len()
}

fn options(path: &Path, threads: usize) -> Options {
    Options {
        zone: Some(Zone::Fixed(0)),
        year: Some(2026),
        threads,
        span: Some(1 << 20),
        now: Timestamp::now().as_second(),
        follow: true,
        ..Options::of(vec![path.to_owned()])
    }
}

/// The onsets of a file that is read as a whole.
fn whole(path: &Path, threads: usize) -> Vec<Onset> {
    let options = Options { follow: false, ..options(path, threads) };
    Run::new(options, false).batch().onsets
}

/// Lines that do not come in the order of their stamps, but within two minutes of it.
fn shuffled(content: &str) -> String {
    let mut lines: Vec<(u64, &str)> = Vec::new();
    let mut random = 7_u64;
    for line in content.lines() {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let number = |range: std::ops::Range<usize>| line[range].trim().parse::<u64>().expect("a number");
        let second = number(4..6) * 86_400 + number(7..9) * 3600 + number(10..12) * 60 + number(13..15);
        lines.push((second + (random >> 33) % 120, line));
    }
    lines.sort_by_key(|(at, _)| *at);
    lines.iter().flat_map(|(_, line)| [line, "\n"]).collect()
}

#[test]
fn lines_out_of_order_change_nothing_in_a_file_and_in_a_live_log() {
    let in_order = text(&data("../sample-logs/story-mail.log.gz"));
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        fs::write(&path, content).expect("written");
        path
    };
    let without_place = |list: Vec<Onset>| -> Vec<Onset> {
        list.into_iter().map(|onset| Onset { first_line: None, ..onset }).collect()
    };
    let expected = without_place(whole(&file("in-order.log", &in_order), 2));
    assert!(expected.len() >= 3, "{expected:?}");
    let mixed = shuffled(&in_order);
    // The second half before the first: no order of time at all.
    let middle = in_order[..in_order.len() / 2].rfind('\n').expect("a line") + 1;
    let turned = in_order[middle..].to_owned() + &in_order[..middle];
    for (name, content) in [("mixed.log", &mixed), ("turned.log", &turned)] {
        let path = file(name, content);
        for threads in [1, 2, 3] {
            assert_eq!(without_place(whole(&path, threads)), expected, "{name}, {threads} threads");
        }
    }
    let path = folder.path().join("growing.log");
    grows_to(&path, 0, mixed.as_bytes(), |found| without_place(found.to_vec()) == expected);
}

/// Follows a file that holds the first bytes and grows in pieces that end anywhere, until its onsets are as they should be.
fn grows_to(path: &Path, there: usize, content: &[u8], is_right: impl Fn(&[Onset]) -> bool) {
    fs::write(path, &content[..there]).expect("written");
    let session = Session::start(options(path, 2), true);
    let mut log = OpenOptions::new().append(true).open(path).expect("opened");
    for piece in content[there..].chunks((content.len() - there) / 23) {
        log.write_all(piece).expect("written");
        std::thread::sleep(Duration::from_millis(30));
    }
    let begun = Instant::now();
    loop {
        let snapshot = session.snapshot();
        if snapshot.totals.lines == content.split_inclusive(|b| *b == b'\n').count() as u64
            && is_right(&snapshot.onsets)
        {
            return;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "{}: {} lines, {:#?}",
            path.display(),
            snapshot.totals.lines,
            snapshot.onsets
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn each_real_log_gives_the_same_events_while_it_grows() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut events = 0;
    for log in [
        "postfix/mail.log",
        "exim/exim-mainlog",
        "exim-plain/exim-mainlog",
        "sendmail/mail-iso.log",
        "opensmtpd/mail.log",
        "haraka/haraka.log",
        "haraka-json/haraka.log",
    ] {
        let mut content = Vec::new();
        let packed = fs::File::open(data(&format!("real-logs/{log}.gz"))).expect("opened");
        flate2::read::MultiGzDecoder::new(packed).read_to_end(&mut content).expect("gzip");
        let path = folder.path().join(log.replace('/', "-"));
        fs::write(&path, &content).expect("written");
        // What a transaction of Haraka's came to is known when it ends; one that never does is counted when its file ends.
        let known = |list: &[Onset]| -> Vec<Onset> {
            let mut list = list.to_vec();
            if log.starts_with("haraka/") {
                list.iter_mut().for_each(|onset| onset.reading.reasons.clear());
            }
            list
        };
        let expected = known(&whole(&path, 2));
        events += expected.len();
        for there in [0, content.len() / 3] {
            grows_to(&path, there, &content, |found| known(found) == expected);
        }
    }
    assert!(events > 20, "{events} events are hardly a test");
}

#[test]
fn the_senders_of_messages_that_came_in_long_ago_are_known_in_a_live_log() {
    let stamp = |second: usize| {
        format!("2026-05-12T{:02}:{:02}:{:02}+00:00 mta1", second / 3600, second / 60 % 60, second % 60)
    };
    let sender = |n: usize| if n.is_multiple_of(2) { "shop.example" } else { "news.example" };
    let queued = |n: usize| {
        format!(
            "{} postfix/qmgr[8]: 4c{n:06}: from=<a@{}>, size=1, nrcpt=1 (queue active)\n",
            stamp(28_800 + n),
            sender(n)
        )
    };
    let noise = |n: usize| {
        format!("{} postfix/smtpd[3]: connect from app1.example[10.1.1.1]\n", stamp(29_400 + n / 6))
    };
    let tried = |n: usize| {
        let result = if n.is_multiple_of(2) && (100..220).contains(&n) {
            "dsn=5.7.515, status=bounced (host hotmail-com.olc.protection.outlook.com[52.101.21.2] said: 550 5.7.515 \
             Access denied, sending domain SHOP.EXAMPLE doesn't meet the required authentication level. (in reply to end \
             of DATA command))"
        } else {
            "dsn=2.6.0, status=sent (250 2.6.0 Queued mail for delivery)"
        };
        format!(
            "{} postfix/smtp[9]: 4c{n:06}: to=<a@hotmail.com>, \
             relay=hotmail-com.olc.protection.outlook.com[52.101.21.2]:25, delay=1, delays=0/0/1/0, {result}\n",
            stamp(45_000 + n * 30)
        )
    };
    let before: String = (0..300).map(queued).chain((0..90_000).map(noise)).collect();
    let there = before.len();
    let content = before + &(0..300).map(tried).collect::<String>();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mail.log");
    fs::write(&path, &content).expect("written");
    let expected = whole(&path, 2);
    assert!(
        expected.iter().any(|onset| onset.sender_domain.as_deref() == Some("shop.example")),
        "{expected:?}"
    );
    grows_to(&path, there, content.as_bytes(), |found| found == expected);
}

/// A line of Postfix, so many seconds after midnight.
fn delivery(second: usize, is_refused: bool) -> String {
    let (h, m, s) = (second / 3600, second / 60 % 60, second % 60);
    let result = if is_refused {
        "dsn=5.7.1, status=bounced (host hotmail-com.olc.protection.outlook.com[52.101.21.2] said: 550 5.7.1 Unfortunately, \
         messages from [203.0.113.25] weren't sent. Please contact your Internet service provider since part of their \
         network is on our block list (S3140). [CO1PEPF000044FB.namprd10.prod.outlook.com 2026-05-12T06:13:19.771Z \
         08DEA1B20C3D5001] (in reply to MAIL FROM command))"
    } else {
        "dsn=2.6.0, status=sent (250 2.6.0 Queued mail for delivery)"
    };
    format!(
        "2026-05-12T{h:02}:{m:02}:{s:02}+00:00 mta1 postfix/smtp[9]: 4c{second:08}: to=<a@hotmail.com>, \
         relay=hotmail-com.olc.protection.outlook.com[52.101.21.2]:25, delay=1, delays=0/0/1/0, {result}\n"
    )
}

#[test]
fn what_late_lines_change_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mail.log");
    let before: String = (0..600).map(|i| delivery(i * 60, false)).collect();
    fs::write(&path, before).expect("written");
    let (mut child, lines) = start(&[path.to_str().expect("a path")], Stdio::null());
    let next = || -> Value {
        serde_json::from_str(&lines.recv_timeout(PATIENCE).expect("an event in time")).expect("JSON")
    };
    let mut log = OpenOptions::new().append(true).open(&path).expect("opened");
    let mut write = |text: String| log.write_all(text.as_bytes()).expect("written");
    write([36_100, 36_130, 36_160].into_iter().map(|second| delivery(second, true)).collect());
    let onset = next();
    assert_eq!((&onset["kind"], &onset["start"]), (&"onset".into(), &"2026-05-12T10:01:40Z".into()));
    // One that was refused before: the same event began earlier.
    write(delivery(36_090, true));
    let revised = next();
    assert_eq!((&revised["kind"], &revised["start"]), (&"revised".into(), &"2026-05-12T10:01:30Z".into()));
    assert_eq!(revised["was"], onset["id"]);
    assert_ne!(revised["id"], onset["id"]);
    // Many that went through all the time: no event.
    write((36_080..36_170).flat_map(|second| vec![delivery(second, false); 12]).collect());
    let withdrawn = next();
    assert_eq!((&withdrawn["kind"], &withdrawn["id"]), (&"withdrawn".into(), &revised["id"]));
    let status = Command::new("kill").arg(child.id().to_string()).status().expect("kill");
    assert!(status.success() && child.wait().expect("ended").success());
}

#[test]
fn a_clock_that_is_ahead_hides_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let (own, other) = (folder.path().join("a.log"), folder.path().join("b.log"));
    let mut before: String = (0..600).map(|i| delivery(i * 60, false)).collect();
    // Its own clock went wrong for one line, and another host's is wrong by a day.
    before += &delivery(40_000, false);
    before += &(36_001..36_050).map(|second| delivery(second, false)).collect::<String>();
    fs::write(&own, before).expect("written");
    fs::write(&other, delivery(36_050, false).replace("2026-05-12", "2026-05-13").replace("mta1", "mta2"))
        .expect("written");
    let paths = [own.to_str().expect("a path"), other.to_str().expect("a path")];
    let (mut child, lines) = start(&paths, Stdio::null());
    let mut log = OpenOptions::new().append(true).open(&own).expect("opened");
    let block: String = (0..30).map(|i| delivery(36_100 + i * 20, true)).collect();
    log.write_all(block.as_bytes()).expect("written");
    let onset: Value =
        serde_json::from_str(&lines.recv_timeout(PATIENCE).expect("an event in time")).expect("JSON");
    assert_eq!((&onset["kind"], &onset["start"]), (&"onset".into(), &"2026-05-12T10:01:40Z".into()));
    let status = Command::new("kill").arg(child.id().to_string()).status().expect("kill");
    assert!(status.success() && child.wait().expect("ended").success());
}

#[test]
fn events_on_a_pipe_come_before_it_ends() {
    let content = text(&data("../sample-logs/story-mail.log.gz"));
    let expected = expected(&content);
    let (mut child, lines) = start(&["-"], Stdio::piped());
    let mut stdin = child.stdin.take().expect("a pipe");
    let writer = std::thread::spawn(move || {
        stdin.write_all(content.as_bytes()).expect("all is read");
        stdin
    });
    let stdin = writer.join().expect("joined");
    let seen: Vec<String> = (0..expected.len())
        .map(|_| essence(&lines.recv_timeout(PATIENCE).expect("an event in time")))
        .collect();
    assert_eq!(seen, expected);
    drop(stdin);
    assert_eq!(child.wait().expect("ended").code(), Some(0), "and the end of the pipe ends it");
}

#[test]
fn a_followed_csv_is_read_by_the_header_that_was_there_before() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("acct.csv");
    let row = |ip: &str, second: usize| {
        // Begins as the default order does; a field with an @ stands where the recipient would.
        format!(
            "b,2026-05-12 08:20:{second:02}+0200,x,y,a@not-the-recipient.example,c@hotmail.com,\"smtp;550 5.7.1 \
             Unfortunately, messages from [{ip}] weren't sent. Please contact your Internet service provider since part \
             of their network is on our block list (S3140).\",hotmail-com.olc.protection.outlook.com (52.101.21.1),\
             {ip},vmta\n"
        )
    };
    let header = "type,timeLogged,jobId,envId,orig,rcpt,dsnDiag,dsnMta,dlvSourceIp,vmta\n";
    fs::write(&path, header.to_owned() + &row("203.0.113.10", 1)).expect("written");
    let (mut child, lines) = start(&[path.to_str().expect("a path")], Stdio::null());
    let next = || -> Value {
        serde_json::from_str(&lines.recv_timeout(PATIENCE).expect("an event in time")).expect("JSON")
    };
    assert_eq!(next()["source_ip"], "203.0.113.10");
    // The header has been read; what comes now is told by it.
    let mut log = OpenOptions::new().append(true).open(&path).expect("opened");
    log.write_all(row("203.0.113.11", 10).as_bytes()).expect("written");
    let event = next();
    assert_eq!((&event["source_ip"], &event["family"]), (&"203.0.113.11".into(), &"block".into()));
    assert_eq!(event["platform"], serde_json::json!(["consumer"]));
    let status = Command::new("kill").arg(child.id().to_string()).status().expect("kill");
    assert!(status.success() && child.wait().expect("ended").success());
}
