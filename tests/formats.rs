//! Which MTA wrote a log is told by any stretch of it, for all formats that there are.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
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

/// Of the whole folder `haraka-json` are Haraka's, of `exim-plain` Exim's; `mbox` holds bounces.
fn mta(folder: &str) -> &str {
    match folder.split('-').next().unwrap_or(folder) {
        "mbox" | "maildir" | "bounces" => "dsn",
        name => name,
    }
}

/// What lies beside the logs: the server's counts, settings, descriptions.
fn is_log(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    !["connections.", "counts.", "allow.", "sources.", "README"].iter().any(|beside| name.starts_with(beside))
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
            (mta(&folder).to_owned(), path)
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
