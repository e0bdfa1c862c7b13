//! Which MTA wrote a log is told by any stretch of it, for all formats that there are.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use eopwatch::record::{Format, formats, guess};
use eopwatch::source::open_stream;

const PART: usize = 64 * 1024;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// All files below a folder, by name; none where there is no folder (a package has no real logs).
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn unpacked(path: &Path) -> Vec<u8> {
    let (_, mut stream) = open_stream(File::open(path).unwrap()).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

fn name_of(bytes: &[u8]) -> Option<&'static str> {
    guess(bytes).map(Format::name)
}

/// The logs in `haraka-json` are Haraka's, those in `exim-plain` Exim's.
fn mta(folder: &str) -> &str {
    folder.split('-').next().unwrap_or(folder)
}

/// What lies beside the logs: the server's counts, settings, descriptions.
fn is_log(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    !["attempts.", "connections.", "counts.", "allow.", "sources.", "README"]
        .iter()
        .any(|beside| name.starts_with(beside))
}

#[test]
fn sample_logs_are_told_by_any_end() {
    let real = root().join("tests/real-logs");
    let mut logs: Vec<(String, PathBuf)> = files(&real)
        .into_iter()
        .filter(|path| is_log(path))
        .map(|path| {
            let folder =
                path.strip_prefix(&real).unwrap().iter().next().unwrap().to_string_lossy().into_owned();
            let is_mbox = path.file_name().unwrap().to_string_lossy().contains(".mbox");
            (if is_mbox { "dsn" } else { mta(&folder) }.to_owned(), path)
        })
        .collect();
    for path in files(&root().join("sample-logs")).into_iter().filter(|path| is_log(path)) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let name = name.split(['-', '.']).next().unwrap().to_owned();
        // The story of the README is Postfix's.
        logs.push((if name == "story" { "postfix".to_owned() } else { mta(&name).to_owned() }, path));
    }
    for (mta, path) in logs {
        // A format that is not read yet is no test.
        if !formats().iter().any(|format| format.name() == mta) {
            continue;
        }
        let log = unpacked(&path);
        if log.is_empty() {
            continue;
        }
        let ends = [
            &log[..log.len().min(PART)],
            &log[..log.len().min(1024)],
            &log[log.len().saturating_sub(PART)..],
        ];
        for part in ends {
            assert_eq!(name_of(part), Some(mta.as_str()), "{}: {} bytes", path.display(), part.len());
        }
    }
}

/// The documents' lines, each alone and all of a file, by the name of the format whose folder they lie in.
fn documented() -> BTreeMap<String, Vec<String>> {
    let records = root().join("src/record");
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in files(&records) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let folder =
            path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
        let is_format = formats().iter().any(|format| format.name() == folder);
        // A message is no list of lines.
        let by_line = ["csv", "jsonl", "log"].iter().any(|end| name.ends_with(&format!(".{end}")));
        if name.starts_with("documented") && is_format && by_line {
            let text = std::fs::read_to_string(&path).unwrap();
            let lines = text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned);
            found.entry(folder).or_default().extend(lines.chain([text.clone()]));
        }
    }
    for format in formats() {
        found.entry(format.name().to_owned()).or_default().push(format.sample().to_owned());
    }
    found
}

#[test]
fn no_other_format_takes_a_documented_line() {
    let documented = documented();
    for name in ["powermta", "kumomta", "exchange", "momentum", "mailerq", "greenarrow", "halon"] {
        assert!(documented[name].len() > 4, "{name}");
    }
    for (name, lines) in &documented {
        for text in lines {
            assert_eq!(name_of(text.as_bytes()), Some(name.as_str()), "{text}");
            for format in formats() {
                let score = format.score(text.as_bytes());
                let is_fit =
                    score == 0.0 || format.name() == name || shares_wrapper(format.name(), name, text);
                assert!(is_fit, "{} takes {score} of {name}'s {text}", format.name());
            }
        }
    }
}

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn attempts(summary: &serde_json::Value) -> [u64; 3] {
    ["attempts", "bounced", "held_back"].map(|name| summary["totals"][name].as_u64().unwrap())
}

#[test]
fn what_is_told_twice_counts_once() {
    let momentum = include_str!("../src/record/momentum/documented.log");
    let bounced = "1778570470@10/00-25593-393A87F3@00/00-03736-F4101B54@00/00-04532-A3456B54@B@e@live.com@n@example.com\
        @group-a@vip-62@5@0@1.02@198.51.100.13@";
    let reply = momentum.lines().last().unwrap().rsplit_once("198.51.100.13@").unwrap().1;
    let bounced = format!("{bounced}{reply}\n");
    let other = bounced.replace("@e@live.com@", "@e@msn.com@");
    // The bounce log beside the main log, whichever comes first; alone; with a bounce that the main log lacks.
    for (files, expected) in [
        (&[("mainlog", momentum), ("paniclog", &bounced)][..], [3, 1, 1]),
        (&[("bouncelog", &bounced), ("mainlog", momentum)], [3, 1, 1]),
        (&[("bouncelog", &bounced)], [1, 1, 0]),
        (&[("bouncelog", &other), ("mainlog", momentum)], [4, 2, 0]),
    ] {
        let folder = folder(files);
        assert_eq!(attempts(&common::summary(&[], &[folder.path().to_owned()])), expected, "{files:?}");
    }
    let powermta = "type,timeLogged,rcpt,dsnDiag,dsnMta\n\
        b,1778567401,e@live.com,smtp;550 5.7.1 no (S3140),live-com.olc.protection.outlook.com (198.51.100.13)\n\
        rb,1778567500,e@live.com,smtp;550 5.7.1 no (S3140),live-com.olc.protection.outlook.com\n\
        rb,1778567500,g@live.com,smtp;550 5.7.1 no (S3140),live-com.olc.protection.outlook.com\n";
    let folder = folder(&[("acct.csv", powermta)]);
    assert_eq!(attempts(&common::summary(&[], &[folder.path().to_owned()])), [2, 2, 1]);
}

#[test]
fn a_segment_without_extension_is_unpacked_also_while_it_grows() {
    let log = include_str!("../src/record/kumomta/documented.jsonl").repeat(50);
    let packed = zstd::encode_all(log.as_bytes(), 3).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut writer = zstd::Encoder::new(Vec::new(), 3).unwrap();
    writer.write_all(log.replace("T06:30:01", "T07:30:01").as_bytes()).unwrap();
    writer.flush().unwrap();
    std::fs::write(folder.path().join("20260512-083000"), packed).unwrap();
    // The segment that is still written to: its frame has no end.
    std::fs::write(folder.path().join("20260512-093000"), writer.get_ref()).unwrap();
    let mut command = common::eopwatch();
    command.args(["summary", "--format", "json"]).arg(folder.path());
    let output = common::output(&mut command, 3);
    assert!(String::from_utf8_lossy(&output.stderr).contains("20260512-093000: the zstd file is cut short"));
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let counts: Vec<u64> = summary["inputs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|input| input["attempts"].as_u64().unwrap())
        .collect();
    assert_eq!(counts, [300, 300]);
}

#[test]
fn the_wrong_file_of_the_right_server_is_named() {
    let daemon = "2026-05-12 08:00:00 Starting PowerMTA v5.0r8\n2026-05-12 08:00:01 Listening for SMTP\n\
        2026-05-12 08:20:01 hotmail.com/vmta-1 entered backoff mode\n";
    let received = "#Software: Microsoft Exchange Server\n#Log-type: SMTP Receive Protocol Log\n".to_owned()
        + include_str!("../src/record/exchange/documented.log");
    let folder = folder(&[("pmta.log", daemon), ("RECV2026051207-1.LOG", &received)]);
    for (name, words, status) in
        [("pmta.log", "accounting file", 3), ("RECV2026051207-1.LOG", "send connectors", 0)]
    {
        let mut command = common::eopwatch();
        let output = common::output(command.arg("summary").arg(folder.path().join(name)), status);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(name) && said.contains(words), "{said}");
    }
}

/// Under syslog and journald, one log may hold several programs: what reads the one finds little in the other's, and
/// less than its own format.
fn shares_wrapper(one: &str, other: &str, text: &str) -> bool {
    let score = |name: &str| {
        let all = formats().iter().filter(|format| format.name() == name);
        all.map(|format| format.score(text.as_bytes())).fold(0.0, f32::max)
    };
    let wrapped =
        text.starts_with("May ") || text.contains("__REALTIME_TIMESTAMP") || text.starts_with("2026-05-12T");
    wrapped && score(one) <= 0.1 && score(other) > 0.5
}
