//! The evidence pack says what the summary and the events say, of one address, and nothing that was to be hidden.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use common::{data, eopwatch, events, output, summary, text};
use serde_json::Value;

fn story() -> PathBuf {
    data("../sample-logs/story-mail.log.gz")
}

fn pack(arguments: &[&str], ip: &str, paths: &[PathBuf]) -> String {
    let mut command = eopwatch();
    command.args(["evidence", "-q", "--ip", ip]).args(arguments).args(paths);
    String::from_utf8(output(&mut command, 0).stdout).expect("UTF-8")
}

/// `12 345` -> 12345
fn number(text: &str) -> u64 {
    text.replace(' ', "").parse().unwrap_or_else(|_| panic!("{text} is no number"))
}

/// The rows of the table under a title, without the marks of code; none where there is no such title.
fn table(pack: &str, title: &str) -> Vec<Vec<String>> {
    let Some((_, rest)) = pack.split_once(&format!("### {title}\n")) else { return Vec::new() };
    let rows =
        rest.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let cells = |line: &str| {
        let line = line.trim_matches('|');
        line.split(" | ").map(|cell| cell.trim().trim_matches('`').trim().to_owned()).collect()
    };
    rows.skip(2).map(cells).collect()
}

const COUNTS: [&str; 6] = ["attempts", "delivered", "deferred", "bounced", "blocked", "throttled"];

fn counts(object: &Value) -> Vec<u64> {
    COUNTS.iter().map(|name| object[name].as_u64().expect("a count")).collect()
}

fn name(value: &Value, none: &str) -> String {
    value.as_str().unwrap_or(none).to_owned()
}

/// What one table has for each of its first cells.
fn by_first_cell(rows: &[Vec<String>]) -> BTreeMap<String, Vec<u64>> {
    rows.iter().map(|row| (row[0].clone(), row[2..].iter().map(|cell| number(cell)).collect())).collect()
}

/// Compares the pack of each address with the summary and the events of the same address.
fn compare(log: &Path, options: &[&str]) -> usize {
    let paths = [log.to_owned()];
    let whole = summary(options, &paths);
    let sources = whole["sources"].as_array().expect("sources");
    let ips: BTreeSet<&str> = sources.iter().filter_map(|row| row["source_ip"].as_str()).collect();
    for ip in &ips {
        let pack = pack(options, ip, &paths);
        let only: Vec<&str> = [options, &["--source", ip]].concat();
        let told = summary(&only, &paths);
        let [attempts, delivered, deferred, bounced, blocked, throttled] = &counts(&told["totals"])[..]
        else {
            panic!("six counts")
        };
        let line = pack.lines().find(|line| line.starts_with("**Attempts:**")).expect("attempts");
        let digits: Vec<u64> = line
            .split(|c: char| !(c.is_ascii_digit() || c == ' '))
            .filter(|part| part.chars().any(|c| c.is_ascii_digit()))
            .map(number)
            .collect();
        assert_eq!(
            digits,
            [*attempts, *delivered, *deferred, *bounced, *blocked, *throttled],
            "{ip}: {line}"
        );

        let list = |key: &str| told[key].as_array().expect("a list").clone();
        let domains = list("domains");
        let domains = domains.iter().take(25).map(|row| (name(&row["domain"], "not logged"), counts(row)));
        assert_eq!(by_first_cell(&table(&pack, "By recipient domain")), domains.collect(), "{ip}");
        let forests = list("datacenters");
        let forests = forests.iter().take(25).map(|row| (name(&row["forest"], "not told"), counts(row)));
        assert_eq!(by_first_cell(&table(&pack, "By datacenter")), forests.collect(), "{ip}");
        let replies = list("replies");
        let replies: Vec<(String, u64)> = replies
            .iter()
            .take(25)
            .map(|row| (name(&row["reply_id"], ""), row["count"].as_u64().expect("a count")))
            .collect();
        let rows = table(&pack, "By reply");
        let rows: Vec<(String, u64)> = rows.iter().map(|row| (row[0].clone(), number(&row[3]))).collect();
        assert_eq!(rows, replies, "{ip}");

        let onsets = list("onsets");
        assert_eq!(pack.matches("\n## Event ").count(), onsets.len(), "{ip}");
        for onset in &onsets {
            let stamp = |time: &Value| time.as_str().expect("a time").replace('T', " ").replace('Z', " UTC");
            let since = format!("**Since:** {}\n", stamp(&onset["start"]));
            assert!(pack.contains(&since), "{ip}: {since} in {pack}");
            let [refused, tried] =
                ["refused", "attempts"].map(|key| onset["during"][key].as_u64().expect("a count"));
            let line = pack.lines().filter(|line| line.starts_with("**Refused:**"));
            let said: Vec<Vec<u64>> = line
                .map(|line| {
                    let words = line.trim_start_matches("**Refused:** ");
                    let (words, _) = words.split_once(" attempts").expect("so many");
                    words.split(" of ").map(number).collect()
                })
                .collect();
            assert!(said.contains(&vec![refused, tried]), "{ip}: {refused} of {tried} in {said:?}");
        }
        let compares_others = !options.contains(&"--platform");
        let events = events(&[&only[..], &["--all", "-q"]].concat(), &paths);
        hours(&pack, &events, compares_others, ip);
    }
    ips.len()
}

/// The table by hour, against the events.
fn hours(pack: &str, events: &[Value], compares_others: bool, ip: &str) {
    let mut expected: BTreeMap<String, (Vec<u64>, u64, u64)> = BTreeMap::new();
    for event in events {
        let time = event["time"].as_str().expect("a time");
        let hour = format!("{} {}:00", &time[..10], &time[11..13]);
        let (counts, others, well) = expected.entry(hour).or_insert((vec![0; 6], 0, 0));
        let outcome = event["outcome"].as_str().expect("an outcome");
        // Other providers' refusals are not in the catalogue; their successes are told by the relay.
        let relay = event["relay_host"].as_str().unwrap_or_default();
        if event["platform"] == "unknown" && !relay.contains("outlook") {
            *others += 1;
            *well += u64::from(outcome == "delivered");
            continue;
        }
        counts[0] += 1;
        counts
            [1 + ["delivered", "deferred", "bounced"].iter().position(|o| *o == outcome).expect("known")] +=
            1;
        let class = event["class"].as_str().unwrap_or_default();
        counts[4] += u64::from(event["is_block"] == true);
        counts[5] += u64::from(["ip-rate", "rate-limit", "new-sender"].contains(&class));
    }
    let rows = table(pack, "By hour, where the sender was refused");
    let refused = expected.values().map(|(counts, ..)| counts[4] + counts[5]).sum::<u64>();
    assert_eq!(rows.is_empty(), refused == 0, "{ip}");
    let said = by_first_cell(&rows);
    assert_eq!(said.values().map(|row| row[4] + row[5]).sum::<u64>(), refused, "{ip}: all that was refused");
    for row in &rows {
        let (counts, others, well) = &expected[&row[0]];
        assert_eq!(&said[&row[0]], counts, "{ip}: {}", row[0]);
        let words = match others {
            _ if !compares_others => "not compared".to_owned(),
            0 => "none tried".to_owned(),
            _ => format!("{well} of {others}"),
        };
        assert_eq!(row[1], words, "{ip}: {}", row[0]);
    }
}

#[test]
fn it_says_what_the_summary_and_the_events_say() {
    assert_eq!(compare(&story(), &["--timezone", "UTC"]), 3);
    assert_eq!(compare(&data("real-logs/postfix/mail.log.gz"), &[]), 6);
    assert_eq!(compare(&data("real-logs/exim/exim-mainlog.gz"), &["--platform", "consumer"]), 7);
}

#[test]
fn lines_and_replies_stand_in_it_as_logged() {
    let pack = pack(&[], "203.0.113.25", &[story()]);
    let log = text(&story());
    let shown: Vec<&str> = pack.lines().filter(|line| line.contains("status=bounced")).collect();
    assert!(shown.len() >= 7, "one of each of six datacenters, and the last");
    for line in &shown {
        assert!(log.lines().any(|logged| logged == *line), "{line}");
    }
    // File and byte lead to the line.
    let (_, at) = pack.split_once(", byte ").expect("a place");
    let at: usize = at.split(',').next().and_then(|digits| digits.parse().ok()).expect("a number");
    assert_eq!(log[at..].lines().next(), Some(shown[0]));
    let blocked = |line: &&str| line.contains("(S3140)") && line.contains("[203.0.113.25]");
    assert_eq!(log.lines().find(blocked), Some(shown[0]), "the first refusal");
    assert_eq!(log.lines().rfind(blocked), shown.last().copied(), "the last refusal");
    let (_, reply) = shown[0].split_once(" said: ").expect("a reply");
    let (reply, _) = reply.rsplit_once(" (in reply to").expect("its end");
    assert!(pack.contains(&format!("**Words:** ` {reply} `")), "{reply}");
}

#[test]
fn no_local_part_is_left_where_they_are_masked() {
    for (log, ip) in [
        (story(), "203.0.113.25"),
        (data("real-logs/postfix/mail.log.gz"), "192.0.2.18"),
        (data("real-logs/exim/exim-mainlog.gz"), "198.51.100.38"),
    ] {
        let logged = text(&log);
        let is_local = |c: char| c.is_ascii_alphanumeric() || ".+-_=".contains(c);
        let addresses = logged.match_indices('@').map(|(at, _)| {
            let from = logged[..at].rfind(|c| !is_local(c)).map_or(0, |i| i + 1);
            &logged[from..=at]
        });
        let locals: BTreeSet<&str> = addresses.filter(|address| address.len() > 1).collect();
        assert!(locals.len() > 50);
        for format in ["markdown", "html"] {
            let open = pack(&["--format", format], ip, std::slice::from_ref(&log));
            assert!(locals.iter().any(|local| open.contains(local)), "it has some to hide");
            let masked = pack(&["--format", format, "--mask"], ip, std::slice::from_ref(&log));
            let left = locals.iter().find(|local| masked.contains(**local));
            assert_eq!(left, None, "{log:?} as {format}");
            assert!(masked.contains("https://"), "addresses of forms are whole");
        }
    }
}

#[test]
fn what_is_not_there_is_said() {
    let absent = pack(&[], "203.0.113.33", &[story()]);
    assert!(absent.contains("203.0.113.33 sent nothing here"), "{absent}");
    assert!(
        absent.contains("The nearest sources that it names: 203.0.113.31, 203.0.113.40, 203.0.113.25."),
        "{absent}"
    );
    let clear = pack(&[], "192.0.2.76", &[data("real-logs/postfix/mail.log.gz")]);
    assert!(clear.contains("No refusal of this IP in 273 attempts, 20"), "{clear}");
    assert!(!clear.contains("## Event") && !clear.contains("## Log lines"), "{clear}");
    let stderr = |arguments: &[&str]| {
        let mut command = eopwatch();
        let output = output(command.arg("evidence").args(arguments).arg(story()), 2);
        String::from_utf8(output.stderr).expect("UTF-8")
    };
    assert!(stderr(&["--ip", "203.0.113.300"]).contains("192.0.2.25"), "an example is named");
    assert!(stderr(&[]).contains("--ip"));
    assert!(stderr(&["--ip", "203.0.113.25", "--source", "x"]).contains("--source"));
}

#[test]
fn a_name_counts_for_the_address_that_it_stands_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let map = folder.path().join("map");
    fs::write(&map, "postfix-out1 198.51.100.9\n").expect("written");
    let map = map.to_str().expect("UTF-8");
    let mapped = pack(&["--source-map", map], "198.51.100.9", &[story()]);
    assert!(mapped.contains("the table of names says so"), "{mapped}");
    let learned = pack(&[], "203.0.113.25", &[story()]);
    assert!(learned.contains("Microsoft quotes it in other replies to the same name"), "{learned}");
    // Microsoft saw another address than the map says: what it quotes finds the events too.
    let quoted = pack(&["--source-map", map], "203.0.113.25", &[story()]);
    assert!(quoted.contains("**Logged as:** ` 198.51.100.9 `, which Microsoft saw as this IP"), "{quoted}");
    let count = |command: &str| {
        let mut command_ = eopwatch();
        command_.args([command, "-q", "--format", if command == "events" { "ndjson" } else { "json" }]);
        command_.args(["--source", "203.0.113.25", "--source-map", map]).arg(story());
        String::from_utf8(output(&mut command_, 0).stdout).expect("UTF-8")
    };
    let all: Value = serde_json::from_str(&count("summary")).expect("JSON");
    assert_eq!(
        all["totals"]["attempts"],
        count("events").lines().count(),
        "lines and numbers are of the same"
    );
}

#[test]
fn the_same_bytes_whatever_the_number_of_threads_and_statuses_as_its_siblings() {
    let folder = tempfile::tempdir().expect("a folder");
    let plain = folder.path().join("mail.log");
    fs::write(&plain, text(&story())).expect("written");
    let of = |threads| pack(&["--threads", threads], "203.0.113.40", std::slice::from_ref(&plain));
    let one = of("1");
    assert!(one == of("2") && one == of("7"));
    assert!(one.starts_with("# Mail from 203.0.113.40 to Microsoft\n\nSince 20"), "{one}");

    let run = |arguments: &[&str], status| {
        let mut command = eopwatch();
        output(command.args(["evidence", "-q"]).args(arguments).arg(&plain), status).stdout
    };
    assert!(!run(&["--ip", "203.0.113.40", "--fail-on", "blocked"], 1).is_empty());
    assert!(!run(&["--ip", "203.0.113.25", "--fail-on", "blocked"], 0).is_empty());
    assert!(run(&["--ip", "203.0.113.25", "--only-if", "any"], 0).is_empty());
    let file = folder.path().join("pack.md");
    let name = file.to_str().expect("UTF-8");
    assert!(run(&["--ip", "203.0.113.40", "-o", name], 0).is_empty());
    assert_eq!(fs::read_to_string(&file).expect("written"), one);
    assert!(!run(&["--ip", "203.0.113.40", "/nonexistent"], 3).is_empty(), "the others are processed");
}

#[test]
fn nothing_of_a_log_becomes_markup() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("mail <b>`x`|.log");
    let hostile = "</code><script>alert(1)</script> ```` | ![x](http://x.example/y) [203.0.113.25]";
    let line = |second: usize| {
        format!(
            "Nov 24 05:00:{second:02} mta1 postfix/smtp[1]: 4cX{second}: to=<a{second}@outlook.com>, \
             relay=outlook-com.olc.protection.outlook.com[52.101.26.3]:25, delay=1, delays=0/0/0/1, dsn=5.7.1, \
             status=bounced (host outlook-com.olc.protection.outlook.com[52.101.26.3] said: 550 5.7.1 Unfortunately, \
             messages from [203.0.113.25] weren't sent. on our block list (S3140) {hostile} (in reply to MAIL FROM \
             command))\n"
        )
    };
    fs::write(&log, (0..30).map(line).collect::<String>()).expect("written");
    let html = pack(&["--format", "html"], "203.0.113.25", std::slice::from_ref(&log));
    assert!(html.contains("&lt;script&gt;") && !html.contains("<script") && !html.contains("<img"), "{html}");
    let markdown = pack(&[], "203.0.113.25", &[log]);
    assert!(markdown.contains("`````text\n"), "a fence longer than any in the line: {markdown}");
    for line in markdown.lines().filter(|line| line.starts_with('|')) {
        assert!(line.ends_with('|'), "{line}");
    }
}
