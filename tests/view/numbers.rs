//! What the screen shows against what `summary` says, on a real log.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use eopwatch::aggregate::{Bucket, Counts, Filter, Snapshot, Trend};
use eopwatch::engine::{Options, Session};
use eopwatch::record::Zone;
use eopwatch::view::{Message, Tab};
use serde_json::Value;

use super::Screen;

const LOG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/sample-logs/story-mail.log.gz");

fn session() -> Session {
    let options = Options {
        zone: Some(Zone::Fixed(0)),
        year: Some(2026),
        threads: 2,
        look_twice: true,
        ..Options::of(vec![LOG.into()])
    };
    let session = Session::start(options, false);
    wait(|| session.is_finished());
    session
}

fn wait(mut is_there: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_there() {
        assert!(begin.elapsed() < Duration::from_secs(120));
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn filtered(session: &Session, filter: Filter) -> std::sync::Arc<Snapshot> {
    let before = session.snapshot().version;
    session.set_filter(filter);
    wait(|| session.snapshot().version > before);
    session.snapshot()
}

fn summary(arguments: &[&str]) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eopwatch"));
    command.args(["summary", "--format", "json", "--timezone", "UTC", "--year", "2026"]);
    let output = command.args(arguments).arg(LOG).output().expect("run");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// What a table shows, by the name of the row and the title of the column.
fn table(snapshot: &Snapshot, tab: Tab) -> Vec<BTreeMap<String, String>> {
    let mut screen = Screen::new(snapshot.clone(), 400, 120);
    let key = ["1", "2", "3", "4"][tab as usize];
    screen.press(key).press("+");
    let text = screen.text();
    let mut lines = text.lines().skip_while(|l| !l.contains(" TREND "));
    let title: Vec<char> = lines.next().expect("titles").chars().collect();
    let mut columns: Vec<(String, usize, usize)> = Vec::new();
    let words: String = title.iter().collect();
    for name in ["ATTEMPTS", "DELIVERED", "DEFERRED", "BOUNCED", "BLOCKED", "THROTTLED", "COUNT"] {
        let found = words.match_indices(name).find(|(i, _)| !words[i + name.len()..].starts_with(" %"));
        if let Some((byte, _)) = found {
            let end = words[..byte].chars().count() + name.len();
            columns.push((name.to_owned(), end.saturating_sub(9), end));
        }
    }
    lines
        .take_while(|l| l.starts_with('│') && !l.trim_matches(['│', ' ']).is_empty())
        .map(|line| {
            let cells: Vec<char> = line.chars().collect();
            let number = |from: usize, to: usize| -> String {
                cells[from..to].iter().filter(|c| c.is_ascii_digit()).collect()
            };
            let mut row: BTreeMap<String, String> =
                columns.iter().map(|(name, from, to)| (name.to_lowercase(), number(*from, *to))).collect();
            let name: String = cells[2..].iter().collect();
            row.insert("name".into(), name.split("  ").next().unwrap_or("").to_owned());
            row
        })
        .collect()
}

#[test]
fn every_number_of_the_tables_is_that_of_the_summary() {
    let session = session();
    let mut only = Filter::default();
    only.datacenter.add("nam*").expect("a pattern");
    for (filter, arguments) in [(Filter::default(), &[][..]), (only, &["--datacenter", "nam*"][..])] {
        let snapshot = filtered(&session, filter);
        let summary = summary(arguments);
        for (tab, list) in
            [(Tab::Sources, "sources"), (Tab::Domains, "domains"), (Tab::Datacenters, "datacenters")]
        {
            let rows = table(&snapshot, tab);
            let expected = summary[list].as_array().expect("a list");
            let shown = rows.len();
            assert!(shown == expected.len().min(114) && shown > 0, "{list}: {shown} of {}", expected.len());
            for (row, value) in rows.iter().zip(expected) {
                for name in ["attempts", "delivered", "deferred", "bounced", "blocked", "throttled"] {
                    assert_eq!(row[name], value[name].to_string(), "{list} {name} of {row:?} {value}");
                }
            }
        }
        for (row, value) in
            table(&snapshot, Tab::Replies).iter().zip(summary["replies"].as_array().expect("a list"))
        {
            assert_eq!(row["count"], value["count"].to_string(), "{row:?}");
        }
        let bars = snapshot.series.buckets.iter().fold(Bucket::default(), |mut sum, bucket| {
            sum.add(bucket);
            sum
        });
        assert_eq!(bars.total().to_string(), summary["totals"]["attempts"].to_string());
        assert_eq!(bars.blocked.to_string(), summary["totals"]["blocked"].to_string());
    }
}

/// `1 243`, as the screen groups a number of the summary.
fn grouped(value: &Value) -> String {
    let digits = value.as_u64().expect("a number").to_string();
    let parts: Vec<&[u8]> = digits.as_bytes().rchunks(3).rev().collect();
    parts.iter().map(|part| String::from_utf8_lossy(part)).collect::<Vec<_>>().join(" ")
}

#[test]
fn every_number_of_the_blocks_and_of_the_messages_is_that_of_the_summary() {
    let session = session();
    let mut only = Filter::default();
    only.source.add("203.0.113.25").expect("a pattern");
    for (filter, arguments) in [(Filter::default(), &[][..]), (only, &["--source", "203.0.113.25"][..])] {
        let snapshot = filtered(&session, filter);
        let summary = summary(arguments);
        let onsets = summary["onsets"].as_array().expect("a list");
        assert!(!onsets.is_empty());
        let mut screen = Screen::new((*snapshot).clone(), 160, 45);
        let active = onsets.iter().filter(|o| o["status"] == "active").count();
        let title = format!(": {active} active, {} cleared ", onsets.len() - active);
        assert!(screen.text().contains(&title), "{title}: {}", screen.text());
        for onset in onsets {
            let verb = if onset["family"] == "throttle" { "deferred" } else { "refused" };
            let share =
                |of: &Value| format!("{} of {} {verb}", grouped(&of["refused"]), grouped(&of["attempts"]));
            let lost = match (&onset["lost"], &onset["deferred"]) {
                (lost, waiting) if waiting == 0 => format!("{} lost", grouped(lost)),
                (lost, waiting) if lost == 0 => format!("{} waiting", grouped(waiting)),
                (lost, waiting) => format!("{} lost, {} waiting", grouped(lost), grouped(waiting)),
            };
            let ip = onset["source_ip"].as_str().expect("an address");
            let text = screen.text();
            let row =
                text.lines().find(|l| l.contains(&format!("  {ip} ")) && l.contains(verb)).expect("a row");
            assert!(row.contains(&share(&onset["during"])) && row.contains(&format!(" {lost} ")), "{row}");
            screen.state.blocks.selected = onset["id"].as_str().map(str::to_owned);
            screen.send(Message::Data);
            screen.press("b");
            let story = screen.text();
            for (name, value) in [
                ("The day before", share(&onset["before"])),
                ("Inside", share(&onset["during"])),
                (
                    "Lost",
                    format!(
                        "{} messages for good, {} waiting",
                        grouped(&onset["lost"]),
                        grouped(&onset["deferred"])
                    ),
                ),
            ] {
                let line = story.lines().find(|l| l.starts_with(&format!("│ {name} "))).expect(name);
                assert!(line.contains(&format!(" {value} ")), "{value}: {line}");
            }
            screen.press("q");
        }
        let text = screen.press("m").text();
        for (name, words) in [
            ("lines", "lines read"),
            ("attempts", "attempts to Microsoft"),
            ("other_attempts", "attempts to other providers"),
            ("malformed", "lines shaped like deliveries"),
        ] {
            let counted = format!(" {}  {words}", grouped(&summary["totals"][name]));
            assert!(text.contains(&counted), "{counted}: {text}");
        }
    }
}

#[test]
fn the_datacenters_by_time_and_the_trends_add_up_to_the_counts() {
    let session = session();
    let snapshot = session.snapshot();
    let sums = |counts: Counts| (counts.attempts, counts.blocked);
    let of_trend = |trend: &Trend| {
        let sum = |parts: [u32; Trend::PARTS]| parts.iter().map(|n| u64::from(*n)).sum::<u64>();
        (sum(trend.attempts), sum(trend.blocked))
    };
    assert!(snapshot.datacenters.len() > 3);
    for row in &snapshot.datacenters {
        let total = row.buckets.iter().map(|(_, b)| b.total()).sum();
        let blocked = row.buckets.iter().map(|(_, b)| b.blocked).sum();
        assert_eq!((total, blocked), sums(row.counts), "{:?}", row.forest);
        assert!(row.buckets.is_sorted_by_key(|(at, _)| *at));
        assert_eq!(of_trend(&row.trend), sums(row.counts), "{:?}", row.forest);
    }
    for row in &snapshot.sources {
        assert_eq!(of_trend(&row.trend), sums(row.counts), "{:?}", row.source_ip);
    }
    for row in &snapshot.domains {
        assert_eq!(of_trend(&row.trend), sums(row.counts), "{:?}", row.domain);
    }
    for row in &snapshot.replies {
        assert_eq!(of_trend(&row.trend).0, row.count, "{}", row.reply_id);
    }
}

#[test]
fn all_lines_behind_a_filter_are_handed_out() {
    let session = session();
    let blocked = session.snapshot().totals.counts.blocked;
    let mut filter = Filter::default();
    filter.class.add("ip-block").expect("a pattern");
    filter.class.add("sender-block").expect("a pattern");
    let (send, lines) = mpsc::channel();
    session.each_line(filter.clone(), Box::new(move |line| send.send(line.map(<[u8]>::to_vec)).is_ok()));
    let lines: Vec<_> = lines.iter().collect();
    assert_eq!(lines.len() as u64, blocked + 1);
    assert!(lines.last().is_some_and(Option::is_none), "and an end");
    session.find_lines(filter);
    wait(|| session.lines().complete);
    let mut screen = Screen::new((*session.snapshot()).clone(), 160, 45);
    screen.lines = (*session.lines()).clone();
    screen.press("L");
    screen.send(Message::Data);
    let shown = format!(": {}", screen.lines.total);
    assert!(screen.text().replace(' ', "").contains(&shown.replace(' ', "")), "{}", screen.text());
    assert_eq!(screen.lines.total, blocked);
}

#[test]
fn a_key_for_two_things_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = |config: &str| {
        let path = folder.path().join("config.toml");
        std::fs::write(&path, config).expect("written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_eopwatch"));
        let output = command.arg("--config").arg(&path).arg(LOG).output().expect("run");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (status, error) = run("[view.keys]\nmessages = \"t\"\n");
    assert_eq!(status, Some(2), "{error}");
    assert!(error.contains("[view.keys] key t is both `time` and `messages`"), "{error}");
    let (status, error) = run("[view.keys]\nmessages = \"t\"\ntime = \"F4\"\n");
    assert_eq!(status, Some(0), "{error}");
    let (status, error) = run("[view.keys]\nfly = \"t\"\n");
    assert!(status == Some(2) && error.contains("there is no action `fly`"), "{error}");
    let (status, error) = run("[view]\ntheme = \"pink\"\n");
    assert!(status == Some(2) && error.contains("dark, light, ansi, mono"), "{error}");
}
