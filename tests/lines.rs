//! The list of raw lines against a plain look at every line of every file.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use eopwatch::aggregate::Filter;
use eopwatch::engine::{Hunt, LineList, LogLine, Mark, Options, Session, WantedLines};
use eopwatch::record::Zone;
use flate2::Compression;
use flate2::write::GzEncoder;

/// Long enough for a machine under load; nothing here waits for it if all goes well.
const PATIENCE: Duration = Duration::from_secs(120);

/// 2026-05-12T00:00:00Z.
const MIDNIGHT: i64 = 1_778_544_000;

/// What a delivery is logged as: a refusal, or a success.
fn line(second: i64, number: usize, is_refused: bool, extra: &[u8]) -> Vec<u8> {
    let (h, m, s) = (second / 3600, second / 60 % 60, second % 60);
    let head = format!(
        "2026-05-12T{h:02}:{m:02}:{s:02}+00:00 mx1 postfix/smtp[77]: 4F{number:06X}: to=<user{number}@outlook.com>, \
         relay=outlook-com.olc.protection.outlook.com[104.47.55.161]:25, delay=1.2, delays=0.1/0/0.5/0.6, "
    );
    let mut line = head.into_bytes();
    if is_refused {
        line.extend_from_slice(
            b"dsn=5.7.1, status=bounced (host outlook-com.olc.protection.outlook.com[104.47.55.161] said: 550 5.7.1 \
              Unfortunately, messages from [192.0.2.25] weren't sent. Please contact your Internet service provider \
              since part of their network is on our block list (S3140). ",
        );
        line.extend_from_slice(extra);
        line.extend_from_slice(
            b" [COL0NAM10FT065.eop-nam10.prod.protection.outlook.com] (in reply to MAIL FROM command))",
        );
    } else {
        line.extend_from_slice(b"dsn=2.6.0, status=sent (250 2.6.0 Queued mail for delivery)");
    }
    line
}

/// A line that is no delivery to Microsoft.
fn noise(second: i64, number: usize) -> Vec<u8> {
    let (h, m, s) = (second / 3600, second / 60 % 60, second % 60);
    format!("2026-05-12T{h:02}:{m:02}:{s:02}+00:00 mx1 postfix/qmgr[9]: 4F{number:06X}: removed").into_bytes()
}

fn wait(what: &str, mut is_there: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_there() {
        assert!(begin.elapsed() < PATIENCE, "no {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn options(paths: Vec<PathBuf>) -> Options {
    let paths = Options::of(paths);
    Options { zone: Some(Zone::Fixed(0)), threads: 3, look_twice: true, span: Some(4096), ..paths }
}

fn complete(session: &Session, filter: Filter) -> Arc<LineList> {
    session.find_lines(filter);
    wait("complete list", || session.lines().complete);
    session.lines()
}

/// The lines of these rows, once they are read.
fn read(session: &Session, marks: &[Mark]) -> Vec<Result<LogLine, String>> {
    // What was read before is at hand, whatever became of the file.
    session.read_lines(WantedLines::default());
    wait("empty hands", || marks.iter().all(|mark| !session.lines().is_read(*mark)));
    let mut lines = Vec::new();
    for part in marks.chunks(700) {
        session.read_lines(WantedLines { marks: part.to_vec(), whole: None });
        wait("lines", || part.iter().all(|mark| session.lines().is_read(*mark)));
        let list = session.lines();
        for mark in part {
            let row = list.index.row_of(*mark).expect("listed");
            let line = list.line(row).expect("read");
            lines.push(line.cloned().map_err(|gone| gone.0.to_string()));
        }
    }
    lines
}

fn whole(session: &Session, mark: Mark) -> LogLine {
    session.read_lines(WantedLines { marks: vec![mark], whole: Some(mark) });
    let row = session.lines().index.row_of(mark).expect("listed");
    let found = || session.lines().line(row).and_then(|line| line.ok().cloned());
    wait("whole line", || found().is_some_and(|line| !line.is_cut()));
    found().expect("there")
}

fn marks(list: &LineList) -> Vec<Mark> {
    list.index.rows(0..list.index.len()).collect()
}

/// Files in a folder whose deliveries are known.
struct Files {
    folder: tempfile::TempDir,
    paths: Vec<PathBuf>,
    /// Second, number of the file, number of the line in it, text.
    expected: Vec<(i64, usize, usize, Vec<u8>)>,
    writers: Vec<std::thread::JoinHandle<()>>,
}

/// Four files that overlap in time: plain, `.gz`, plain with CRLF and hostile lines, and a pipe.
fn files(seed: u64) -> Files {
    let mut rng = fastrand::Rng::with_seed(seed);
    let folder = tempfile::tempdir().expect("a folder");
    let (mut paths, mut expected, mut writers) = (Vec::new(), Vec::new(), Vec::new());
    for file in 0..4 {
        let (mut content, mut second) = (Vec::new(), rng.i64(0..600));
        let count = [900, 700, 400, 500][file];
        for number in 0..count {
            second += rng.i64(0..3);
            let text = match rng.u8(0..10) {
                0..=2 => noise(second, number),
                3..=5 => line(second, file * 10_000 + number, false, b""),
                _ => {
                    let extra = match (file, number % 50) {
                        (2, 7) => b"\x1b[31m\x1b]0;owned\x07 \xff\xfe\x80 \xe2\x80\xae".to_vec(),
                        (2, 8) => vec![b'A'; 1_000_000 / (1 + number / 50)],
                        _ => format!("word{number}").into_bytes(),
                    };
                    line(second, file * 10_000 + number, true, &extra)
                }
            };
            content.extend_from_slice(&text);
            content.extend_from_slice(if file == 2 { b"\r\n" } else { b"\n" });
            if memchr::memmem::find(&text, b"status=").is_some() {
                expected.push((second, file, number, text));
            }
        }
        let path = folder.path().join(format!("mail{file}.log"));
        match file {
            1 => {
                let mut gz = GzEncoder::new(File::create(&path).expect("created"), Compression::fast());
                gz.write_all(&content).and_then(|()| gz.finish().map(drop)).expect("written");
            }
            3 => {
                assert!(Command::new("mkfifo").arg(&path).status().expect("run").success());
                let path = path.clone();
                writers.push(std::thread::spawn(move || fs::write(path, content).expect("written")));
            }
            _ => fs::write(&path, content).expect("written"),
        }
        paths.push(path);
    }
    expected.sort_by_key(|line| std::cmp::Reverse((line.0, line.1, line.2)));
    Files { folder, paths, expected, writers }
}

fn check(list: &[Result<LogLine, String>], expected: &[&(i64, usize, usize, Vec<u8>)], paths: &[PathBuf]) {
    assert_eq!(list.len(), expected.len());
    for (row, (line, (second, file, _, text))) in list.iter().zip(expected).enumerate() {
        let line = line.as_ref().unwrap_or_else(|gone| panic!("row {row}: {gone}"));
        assert_eq!(line.time.map(|time| time.seconds), Some(MIDNIGHT + second), "row {row}");
        assert_eq!(Path::new(&*line.path), paths[*file], "row {row}");
        assert_eq!(line.size, text.len() as u64, "row {row}");
        assert!(text.starts_with(&line.text) && line.text.len() >= text.len().min(16 << 10), "row {row}");
        let refused = memchr::memmem::find(text, b"status=bounced").is_some();
        assert_eq!(line.is_refusal, refused, "row {row}");
        assert_eq!(line.reply_id, if refused { "block-list-s3140" } else { "accepted" }, "row {row}");
        assert_eq!(line.domain.as_deref(), Some("outlook.com"), "row {row}");
        let source = if refused { "192.0.2.25" } else { line.source.as_deref().unwrap_or("none") };
        assert_eq!(line.source.as_deref().unwrap_or("none"), source, "row {row}");
    }
}

#[test]
fn every_line_is_listed_in_its_place_and_read_as_it_was_logged() {
    for seed in 0..3 {
        let Files { folder, paths, expected, writers } = files(seed);
        let session = Session::start(options(paths.clone()), false);
        wait("end", || session.is_finished());
        writers.into_iter().for_each(|writer| writer.join().expect("written"));
        let all: Vec<_> = expected.iter().collect();
        let list = complete(&session, Filter::default());
        assert_eq!((list.total, list.index.len()), (all.len() as u64, all.len()), "seed {seed}");
        assert!(list.spooled > 0 && list.trouble.is_none(), "the .gz is kept");
        check(&read(&session, &marks(&list)), &all, &paths);

        // The same with filters, one of them by what an earlier line may tell, so that files are read in order.
        let mut refused = Filter::default();
        refused.outcome.add("bounced").expect("a pattern");
        let mut ordered = refused.clone();
        ordered.sender_domain.add("!nobody.example").expect("a pattern");
        let all: Vec<_> =
            all.into_iter().filter(|line| memchr::memmem::find(&line.3, b"bounced").is_some()).collect();
        for filter in [refused, ordered] {
            let list = complete(&session, filter);
            check(&read(&session, &marks(&list)), &all, &paths);
        }
        let list = session.lines();
        let (row, long) = all.iter().enumerate().max_by_key(|(_, line)| line.3.len()).expect("a line");
        assert_eq!(*whole(&session, marks(&list)[row]).text, *long.3, "all of a long line");
        drop(folder);
    }
}

#[test]
fn a_list_that_begins_before_the_scan_ends_has_all_lines_in_the_end() {
    let Files { folder, paths, expected, writers } = files(5);
    let session = Session::start(options(paths.clone()), false);
    let list = complete(&session, Filter::default());
    writers.into_iter().for_each(|writer| writer.join().expect("written"));
    check(&read(&session, &marks(&list)), &expected.iter().collect::<Vec<_>>(), &paths);
    drop(folder);
}

#[test]
fn a_format_that_is_read_in_order_is_listed_like_any_other() {
    let packed = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real-logs/haraka/haraka.log.gz");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("haraka.log");
    let mut log = flate2::read::MultiGzDecoder::new(File::open(packed).expect("opened"));
    std::io::copy(&mut log, &mut File::create(&path).expect("created")).expect("unpacked");
    let session = Session::start(options(vec![path]), false);
    wait("end", || session.is_finished());
    let list = complete(&session, Filter::default());
    let (send, written) = std::sync::mpsc::channel();
    let each = move |line: Option<&[u8]>| line.is_some_and(|line| send.send(line.to_vec()).is_ok());
    session.each_line(Filter::default(), Box::new(each));
    let mut written: Vec<Vec<u8>> = written.iter().collect();
    let lines = read(&session, &marks(&list));
    let mut listed: Vec<Vec<u8>> = lines.into_iter().map(|line| line.expect("there").text.into()).collect();
    written.sort();
    listed.sort();
    assert!(!listed.is_empty() && listed == written);
}

#[test]
fn a_text_is_found_wherever_it_stands() {
    let Files { folder, paths, expected, writers } = files(9);
    let session = Session::start(options(paths), false);
    wait("end", || session.is_finished());
    writers.into_iter().for_each(|writer| writer.join().expect("written"));
    let all = marks(&complete(&session, Filter::default()));
    let mut id = 0;
    let mut hunt = |text: &str, from: usize, down: bool| {
        id += 1;
        session.hunt(Some(Hunt { text: text.to_owned(), from: all[from], down, id }));
        let answer = || session.lines().hunted.filter(|hunted| hunted.id == id && hunted.is_over);
        wait("answer", || answer().is_some());
        let hunted = answer().expect("there");
        hunted.hit.map(|mark| session.lines().index.row_of(mark).expect("listed"))
    };
    let has = |row: &usize, text: &str| memchr::memmem::find(&expected[*row].3, text.as_bytes()).is_some();
    for text in ["word333", "4F002775", "status=sent", "S3140", "no such text"] {
        for from in [0, 1, all.len() / 2, all.len() - 1] {
            let below = (from + 1..all.len()).find(|row| has(row, text));
            assert_eq!(hunt(&text.to_lowercase(), from, true), below, "{text} below {from}");
            let above = (0..from).rev().find(|row| has(row, text));
            assert_eq!(hunt(&text.to_uppercase(), from, false), above, "{text} above {from}");
        }
    }
    drop(folder);
}

#[test]
fn a_line_whose_file_was_changed_is_gone_and_never_something_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mail.log");
    let texts: Vec<Vec<u8>> = (0..300).map(|i| line(i, i as usize, true, b"here")).collect();
    fs::write(&path, texts.join(&b'\n')).expect("written");
    let session = Session::start(options(vec![path.clone()]), false);
    wait("end", || session.is_finished());
    let all = marks(&complete(&session, Filter::default()));
    // Written over in place: half of the lines are others, of the same length.
    let other: Vec<Vec<u8>> =
        (0..300)
            .map(|i| {
                if i % 2 == 0 {
                    line(i, i as usize, true, b"here")
                } else {
                    line(i, i as usize, true, b"gone")
                }
            })
            .collect();
    let mut file = OpenOptions::new().write(true).open(&path).expect("opened");
    file.write_all(&other.join(&b'\n')).expect("written");
    for (row, line) in read(&session, &all).into_iter().enumerate() {
        match (299 - row) % 2 {
            0 => assert_eq!(*line.expect("as it was").text, *texts[299 - row], "row {row}"),
            _ => assert!(line.expect_err("another line").contains("gone"), "row {row}"),
        }
    }
    // Cut in the middle of a line.
    let all = marks(&complete(&session, Filter::default()));
    let half: usize = texts[..100].iter().map(|text| text.len() + 1).sum();
    file.set_len(half as u64 + 50).expect("cut");
    let lines = read(&session, &all);
    assert!(lines[..200].iter().all(Result::is_err) && lines[200..].iter().all(Result::is_ok));
}

#[test]
fn a_list_goes_on_with_a_file_that_grows_is_rotated_and_is_truncated() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mail.log");
    let text = |i: i64| line(i, i as usize, true, format!("live{i}").as_bytes());
    let write = |path: &Path, numbers: std::ops::Range<i64>| {
        let mut file = OpenOptions::new().create(true).append(true).open(path).expect("opened");
        for number in numbers {
            file.write_all(&[&text(number)[..], b"\n"].concat()).expect("written");
        }
    };
    write(&path, 0..50);
    let session =
        Session::start(Options { follow: true, look_twice: false, ..options(vec![path.clone()]) }, true);
    wait("live run", || session.snapshot().progress.complete);
    complete(&session, Filter::default());
    let texts = |count: u64| -> Vec<Result<Vec<u8>, String>> {
        wait("new lines", || session.lines().total == count);
        let lines = read(&session, &marks(&session.lines()));
        lines.into_iter().map(|line| line.map(|line| line.text.into())).collect()
    };
    let expected = |numbers: std::ops::Range<i64>| -> Vec<Result<Vec<u8>, String>> {
        numbers.rev().map(|i| Ok(text(i))).collect()
    };
    assert_eq!(texts(50), expected(0..50));
    write(&path, 50..60);
    assert_eq!(texts(60), expected(0..60));
    // What the old file still gets, and the new one.
    let old = folder.path().join("mail.log.1");
    fs::rename(&path, &old).expect("renamed");
    write(&path, 60..70);
    assert_eq!(texts(70), expected(0..70));
    write(&old, 70..72);
    assert_eq!(texts(72), expected(0..72));
    // As copytruncate does.
    OpenOptions::new().write(true).open(&path).expect("opened").set_len(0).expect("cut");
    write(&path, 72..75);
    let after = texts(75);
    assert_eq!(after[..3], expected(72..75));
    assert_eq!(after[3..5], expected(70..72), "of the old file");
    assert!(
        after[5..15].iter().all(|line| line.as_ref().is_err_and(|gone| gone.contains("gone"))),
        "of the cut one"
    );
    assert_eq!(after[15..], expected(0..60));
    // A list that begins now has the lines that are there, in all generations of the file.
    complete(&session, Filter::default());
    let now: Vec<_> = expected(72..75).into_iter().chain(expected(70..72)).chain(expected(0..60)).collect();
    assert_eq!(texts(65), now);
}
