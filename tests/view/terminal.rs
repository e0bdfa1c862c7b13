//! The real loop in a pseudo-terminal, on made-up data.

use std::io::{Read, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use eopwatch::aggregate::{Filter, Snapshot};
use eopwatch::engine::{EachLine, Hunt, LineList, TakeEvidence, WantedLines};
use eopwatch::view::{ExportKind, Feed, ThemeName, ViewOptions, run};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use super::fake;

struct Story {
    snapshot: Arc<Snapshot>,
    lines: Mutex<Arc<LineList>>,
    begin: Instant,
    panics: bool,
    /// No line is ever read.
    is_slow: bool,
}

impl Feed for Story {
    fn snapshot(&self) -> Arc<Snapshot> {
        let is_late = self.begin.elapsed() > Duration::from_millis(500);
        assert!(!(self.panics && is_late), "the story ends in a panic");
        Arc::clone(&self.snapshot)
    }
    fn set_filter(&self, _: Filter) {}
    fn find_lines(&self, _: Filter) {
        let lines = if self.is_slow { fake::many_lines(5_000) } else { fake::lines() };
        *self.lines.lock().expect("unpoisoned") = Arc::new(lines);
    }
    fn lines(&self) -> Arc<LineList> {
        Arc::clone(&self.lines.lock().expect("unpoisoned"))
    }
    fn forget_lines(&self) {}
    fn read_lines(&self, _: WantedLines) {}
    fn hunt(&self, _: Option<Hunt>) {}
    fn each_line(&self, _: Filter, mut each: EachLine) {
        each(None);
    }
    fn evidence(&self, _: Filter, _: std::net::IpAddr, take: TakeEvidence) {
        take(None);
    }
}

/// Not a test: the view itself, for eyes and for the tests below.
/// `cargo test --test view -- --ignored --exact --nocapture terminal::show`; `SHOW` chooses the data.
#[test]
#[ignore = "takes the terminal"]
fn show() {
    let snapshot = match std::env::var("SHOW").as_deref() {
        Ok("healthy") => fake::healthy(),
        Ok("none") => fake::none(),
        Ok("scanning") => fake::scanning(),
        _ => fake::full(),
    };
    let story = Story {
        snapshot: Arc::new(snapshot),
        lines: Mutex::default(),
        begin: Instant::now(),
        panics: std::env::var_os("SHOW_PANIC").is_some(),
        is_slow: std::env::var_os("SHOW_SLOW").is_some(),
    };
    let theme = match std::env::var("SHOW_THEME").as_deref() {
        Ok("light") => ThemeName::Light,
        Ok("16") => ThemeName::Sixteen,
        Ok("plain") => ThemeName::Plain,
        _ => ThemeName::Dark,
    };
    let options = ViewOptions {
        zone: jiff::tz::TimeZone::fixed(jiff::tz::offset(2)),
        theme,
        advice: Box::new(fake::advice),
        exports: vec![ExportKind::Markdown, ExportKind::Json, ExportKind::Evidence],
        export: Box::new(|_, _| Ok("eopwatch-summary.md".into())),
        ..ViewOptions::default()
    };
    run(&story, options).expect("a terminal");
}

/// The view in a pseudo-terminal of its own.
struct Pty {
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    output: Arc<Mutex<Vec<u8>>>,
    size: (u16, u16),
}

impl Pty {
    /// The view on made-up data.
    fn start(env: &[(&str, &str)]) -> Self {
        let mut command = CommandBuilder::new(std::env::current_exe().expect("this test"));
        command.args(["--ignored", "--exact", "--nocapture", "terminal::show"]);
        for (key, value) in env {
            command.env(key, value);
        }
        Self::run(command)
    }

    fn run(mut command: CommandBuilder) -> Self {
        let size = PtySize { rows: 30, cols: 100, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a pseudo-terminal");
        command.env("TERM", "xterm-256color");
        let child = pair.slave.spawn_command(command).expect("started");
        let output = Arc::new(Mutex::new(Vec::new()));
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        let sink = Arc::clone(&output);
        std::thread::spawn(move || {
            let mut part = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut part) {
                sink.lock().expect("unpoisoned").extend_from_slice(&part[..count]);
            }
        });
        let keys = pair.master.take_writer().expect("a writer");
        Self { child, master: pair.master, keys, output, size: (30, 100) }
    }

    fn output(&self) -> String {
        String::from_utf8_lossy(&self.output.lock().expect("unpoisoned")).into_owned()
    }

    /// What the terminal shows.
    fn screen(&self) -> String {
        let some = |n| std::num::NonZero::new(n).expect("a size");
        let mut parser = vt100::Parser::new(some(self.size.0), some(self.size.1), 0);
        parser.process(&self.output.lock().expect("unpoisoned"));
        parser.screen().contents()
    }

    fn wait(&self, what: &str, is_there: impl Fn(&Self) -> bool) {
        let begin = Instant::now();
        while !is_there(self) {
            assert!(begin.elapsed() < Duration::from_secs(20), "no {what}:\n{}", self.screen());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn see(&self, text: &str) {
        self.wait(text, |pty| pty.screen().contains(text));
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("pressed");
    }

    fn signal(&self, name: &str) {
        let id = self.child.process_id().expect("running").to_string();
        let done = std::process::Command::new("kill").args(["-s", name, &id]).status().expect("kill");
        assert!(done.success());
    }

    /// Waits for the end; the terminal must be as before.
    fn end(mut self) {
        let begin = Instant::now();
        while self.child.try_wait().expect("known").is_none() {
            assert!(begin.elapsed() < Duration::from_secs(20), "still there:\n{}", self.screen());
            std::thread::sleep(Duration::from_millis(20));
        }
        self.wait("restored terminal", |pty| {
            let output = pty.output();
            let last = |on: &str, off: &str| output.rfind(off) > output.rfind(on);
            last("\x1b[?1049h", "\x1b[?1049l")
                && last("\x1b[?25l", "\x1b[?25h")
                && last("\x1b[?1002h", "\x1b[?1002l")
                && last("\x1b[?2004h", "\x1b[?2004l")
        });
        if let Some(termios) = self.master.get_termios() {
            let is_cooked = format!("{:?}", termios.local_flags).contains("ICANON");
            assert!(is_cooked, "{:?}", termios.local_flags);
        }
    }
}

#[test]
fn start_drill_in_back_resize_quit() {
    let mut pty = Pty::start(&[]);
    pty.see("192.0.2.25 postfix-out1");
    pty.see("q quit");
    pty.press("jj\r");
    pty.see("all attempts › source 192.0.2.31");
    pty.press("\x7f");
    pty.wait("way back", |p| !p.screen().contains("› source"));
    pty.press("/198\r");
    pty.see("1 of 1");
    pty.press("\x1b");
    pty.see("of 5");
    pty.press("L");
    pty.see("newest first");
    pty.press("q");
    pty.see("q quit");
    pty.size = (24, 80);
    pty.master.resize(PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 }).expect("resized");
    // The parser is made anew for the smaller size: only what was drawn since is right.
    pty.output.lock().expect("unpoisoned").clear();
    pty.press("\x0c");
    pty.see("q quit");
    assert!(pty.screen().lines().all(|l| l.chars().count() <= 80));
    // The beginning of the output, which `end` wants, was thrown away.
    pty.press("q");
    pty.end();
}

#[test]
fn keys_do_not_wait_for_lines_that_never_come() {
    let mut pty = Pty::start(&[("SHOW_SLOW", "1")]);
    pty.see("q quit");
    pty.press("L");
    pty.see("5 000, newest first");
    pty.see("14:31:58 …");
    pty.press("G");
    pty.see("5 000 of 5 000");
    pty.press("gj/word\r");
    pty.see("searching word");
    pty.press("\x1b");
    pty.see("2 of 5 000");
    pty.press("qq");
    pty.end();
}

#[test]
fn the_program_follows_a_growing_file_and_writes_its_lines() {
    let text = sample();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let (first, later) = lines.split_at(lines.len() / 2);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mail.log");
    std::fs::write(&path, first.concat()).expect("written");
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_eopwatch"));
    command.args(["--follow", "--timezone", "UTC", "--year", "2026", "mail.log"]);
    command.cwd(folder.path());
    let mut pty = Pty::run(command);
    pty.see("● live");
    assert!(!pty.screen().contains("24 Nov 05:59"), "{}", pty.screen());
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).expect("opened");
    file.write_all(later.concat().as_bytes()).expect("written");
    pty.see("24 Nov 05:59");
    pty.press("c");
    pty.see("Datacenters, per hour");
    pty.press("1L");
    pty.see("newest first");
    pty.press("w");
    pty.see("written: eopwatch-");
    let written = std::fs::read_dir(folder.path()).expect("listed").flatten();
    let written = written.map(|e| e.path()).find(|p| p.extension().is_some_and(|e| e == "log") && *p != path);
    let written = std::fs::read_to_string(written.expect("a file")).expect("UTF-8");
    let lines: std::collections::HashSet<&str> = text.lines().collect();
    assert!(written.lines().count() > 1000 && written.lines().all(|line| lines.contains(line)));
    pty.press(":quit\r");
    pty.end();
}

#[test]
fn the_program_goes_to_the_oldest_line_and_finds_it_again() {
    let log = concat!(env!("CARGO_MANIFEST_DIR"), "/sample-logs/story-mail.log.gz");
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_eopwatch"));
    command.args(["--timezone", "UTC", "--year", "2026", log]);
    let mut pty = Pty::run(command);
    pty.see("read in");
    pty.press("1L");
    pty.wait("all are listed", |pty| {
        pty.screen().contains("newest first") && !pty.screen().contains("searching")
    });
    pty.see("/smtp[");
    // The terminal's own clipboard takes the line, over ssh too: OSC 52, in base64.
    pty.press("y");
    pty.wait("copy", |pty| pty.output().contains("\x1b]52;c;"));
    let output = pty.output();
    let copied =
        output.split("\x1b]52;c;").nth(1).and_then(|rest| rest.split('\x07').next()).expect("its end");
    let copied = from_base64(copied);
    assert!(sample().lines().any(|line| line == copied && line.contains(" relay=")), "{copied}");
    pty.press("G");
    // The place of the oldest line, and its text.
    let last = |pty: &Pty| -> Option<(String, String)> {
        let screen = pty.screen();
        let rows: Vec<&str> = screen.lines().filter(|row| row.starts_with(['│', '╰'])).collect();
        let place = rows.last()?.rsplit("──").next()?.trim_matches([' ', '╯', '─']).to_owned();
        let (at, of) = place.split_once(" of ")?;
        let text = rows.get(rows.len().checked_sub(2)?)?.split(": ").nth(1)?;
        (at == of && !text.is_empty()).then(|| (place.clone(), text.to_owned()))
    };
    pty.wait("oldest line", |pty| last(pty).is_some());
    let (place, queue_id) = last(&pty).expect("there");
    pty.press("g");
    pty.see(&place.replacen(place.split(" of ").next().unwrap_or_default(), "1", 1));
    pty.press(&format!("/{}\r", queue_id.to_lowercase()));
    pty.see(&place);
    pty.press("\x03");
    pty.end();
}

/// RFC 4648, section 4.
fn from_base64(text: &str) -> String {
    const DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.trim_end_matches('=').chars().map(|c| DIGITS.find(c).expect("a digit"));
    let bits: String = digits.map(|digit| format!("{digit:06b}")).collect();
    let bytes = bits.as_bytes().chunks_exact(8).map(|byte| std::str::from_utf8(byte).expect("bits"));
    let bytes = bytes.map(|byte| u8::from_str_radix(byte, 2).expect("eight of them")).collect();
    String::from_utf8(bytes).expect("text")
}

/// The sample story's text.
fn sample() -> String {
    let log = concat!(env!("CARGO_MANIFEST_DIR"), "/sample-logs/story-mail.log.gz");
    let mut text = String::new();
    let file = std::fs::File::open(log).expect("there");
    flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text).expect("UTF-8");
    text
}

#[test]
fn exports_are_named_and_write_over_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("mail.log"), sample()).expect("written");
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_eopwatch"));
    command.args(["--timezone", "UTC", "--year", "2026", "mail.log"]);
    command.cwd(folder.path());
    let mut pty = Pty::run(command);
    pty.see("read in");
    let written = |ending: &str| -> Vec<std::path::PathBuf> {
        let all = std::fs::read_dir(folder.path()).expect("listed").flatten().map(|entry| entry.path());
        let is_ours =
            |p: &std::path::PathBuf| p.extension().is_some_and(|e| e == ending) && !p.ends_with("mail.log");
        all.filter(is_ours).collect()
    };
    // Three of a kind in no time: each has a name of its own.
    for (key, ending, count) in [("t", "txt", 1), ("s", "json", 1), ("s", "json", 2), ("s", "json", 3)] {
        pty.press("x");
        pty.see("summary as text");
        pty.press(key);
        pty.wait("another file, and its name", |pty| {
            let files = written(ending);
            files.len() == count
                && files
                    .iter()
                    .any(|f| pty.screen().contains(&*f.file_name().expect("a name").to_string_lossy()))
        });
    }
    let summary = std::process::Command::new(env!("CARGO_BIN_EXE_eopwatch"))
        .args(["summary", "--timezone", "UTC", "--year", "2026", "mail.log"])
        .current_dir(folder.path())
        .output()
        .expect("run");
    assert_eq!(std::fs::read(&written("txt")[0]).expect("read"), summary.stdout);
    for file in written("json") {
        let text = std::fs::read_to_string(file).expect("read");
        assert!(text.starts_with('{') && text.contains("eopwatch.summary/1") && text.ends_with("}\n"));
    }
    // The evidence on the first source, with a note at its block that only the screen has.
    pty.press("]Nticket 12\rb");
    pty.see("ticket 12");
    pty.press("x");
    pty.see("evidence on ");
    pty.press("e");
    pty.wait("the evidence and its name", |pty| {
        let files = written("md");
        files.len() == 1 && pty.screen().contains(&*files[0].file_name().expect("a name").to_string_lossy())
    });
    let evidence = std::fs::read_to_string(&written("md")[0]).expect("read");
    let ip = evidence.split_whitespace().nth(3).expect("an address");
    let told = std::process::Command::new(env!("CARGO_BIN_EXE_eopwatch"))
        .args(["evidence", "--ip", ip, "--timezone", "UTC", "--year", "2026", "mail.log"])
        .current_dir(folder.path())
        .output()
        .expect("run");
    assert_eq!(evidence.matches("**Note:** ` ticket 12 `\n\n").count(), 1);
    assert_eq!(evidence.replace("**Note:** ` ticket 12 `\n\n", "").as_bytes(), told.stdout);
    pty.press("q");
    pty.press("L");
    pty.see("newest first");
    pty.press("x");
    pty.see("the listed lines");
    pty.press("l");
    pty.wait("the lines' file", |_| written("log").len() == 1);
    pty.see("lines)");
    pty.press("\x03");
    pty.end();
}

#[test]
fn data_on_stdin_and_keys_from_the_terminal() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("mail.log"), sample()).expect("written");
    let mut command = CommandBuilder::new("/bin/sh");
    let program = env!("CARGO_BIN_EXE_eopwatch");
    command.args(["-c", &format!("cat mail.log | {program} --timezone UTC --year 2026 -f -")]);
    command.cwd(folder.path());
    let mut pty = Pty::run(command);
    pty.see("24 Nov 05:59");
    pty.press("2");
    pty.see("hotmail.com");
    pty.press("/out\r");
    pty.see("1 of 1");
    pty.press("q");
    pty.end();
}

#[test]
fn the_first_frame_and_the_end_wait_for_no_input() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mail.log");
    let made = std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo");
    assert!(made.success());
    for signal in [None, Some("TERM")] {
        // A pipe that nobody writes to: it cannot even be opened.
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_eopwatch"));
        command.arg(&path);
        let mut pty = Pty::run(command);
        pty.see("reading …");
        match signal {
            None => pty.press("q"),
            Some(signal) => pty.signal(signal),
        }
        pty.end();
    }
}

/// The demo, its log somewhere in this folder.
fn demo(folder: &std::path::Path, speed: &str) -> Pty {
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_eopwatch"));
    command.args(["demo", "--speed", speed]);
    command.env("TMPDIR", folder);
    command.env("XDG_CONFIG_HOME", "/nonexistent");
    Pty::run(command)
}

fn is_empty(folder: &std::path::Path) -> bool {
    std::fs::read_dir(folder).expect("listed").next().is_none()
}

#[test]
fn the_demo_teaches_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut pty = demo(folder.path(), "0.1");
    pty.see("All is well");
    pty.see("● live");
    pty.see("Try: ↓ selects a source");
    assert!(!is_empty(folder.path()), "the log is a file");
    pty.press("\x1b[B");
    pty.see("Try: ⏎ drills in");
    pty.press("\r");
    pty.see("› source 203.0.113.");
    pty.see("Try: ⌫ goes back");
    pty.press("\x7f");
    pty.see("done; the story goes on");
    pty.press("q");
    pty.end();
    assert!(is_empty(folder.path()));
    let pty = demo(folder.path(), "1");
    pty.see("● live");
    pty.signal("TERM");
    pty.end();
    assert!(is_empty(folder.path()), "nor after a signal");
}

#[test]
fn the_demo_ends_as_its_summary_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let batch = std::process::Command::new(env!("CARGO_BIN_EXE_eopwatch"))
        .args(["demo"])
        .env("TMPDIR", folder.path())
        .env("XDG_CONFIG_HOME", "/nonexistent")
        .output()
        .expect("run");
    assert!(batch.status.success() && is_empty(folder.path()));
    let batch = String::from_utf8(batch.stdout).expect("UTF-8");
    assert!(batch.contains("· cleared  203.0.113.25"), "{batch}");
    let words: Vec<&str> = batch.split_whitespace().collect();
    let refused = words.windows(4).find(|w| w[1] == "of" && w[3] == "refused").expect("a share");
    let mut pty = demo(folder.path(), "1000");
    pty.see("NEW");
    pty.see("The end. Look around");
    pty.see("cleared");
    pty.press("b");
    pty.see(&format!("{} of {}", refused[0], refused[2]));
    pty.press("\x03");
    pty.end();
    assert!(is_empty(folder.path()));
}

#[test]
fn signals_give_the_terminal_back() {
    for signal in ["TERM", "INT", "HUP"] {
        let pty = Pty::start(&[]);
        pty.see("q quit");
        pty.signal(signal);
        pty.end();
    }
    let mut pty = Pty::start(&[]);
    pty.see("q quit");
    pty.press("\x03");
    pty.end();
}

#[test]
fn a_panic_gives_the_terminal_back() {
    let pty = Pty::start(&[("SHOW_PANIC", "1")]);
    pty.see("the story ends in a panic");
    pty.end();
}

#[test]
fn keys_that_come_at_once_take_no_frame_each() {
    let mut pty = Pty::start(&[]);
    pty.see("q quit");
    // Each frame hides the cursor.
    let frames = |pty: &Pty| pty.output().matches("\x1b[?25l").count();
    let before = frames(&pty);
    pty.press(&"jk".repeat(500));
    pty.press("2");
    pty.see("outlook.com");
    let frames = frames(&pty) - before;
    assert!((1..200).contains(&frames), "{frames} frames for a thousand keys");
    pty.press("q");
    pty.end();
}

#[test]
fn suspended_and_back() {
    for by_key in [true, false] {
        let mut pty = Pty::start(&[]);
        pty.see("q quit");
        if by_key {
            pty.press("\x1a");
        } else {
            pty.signal("TSTP");
        }
        pty.wait("shell's screen", |p| {
            let output = p.output();
            output.rfind("\x1b[?1049l") > output.rfind("\x1b[?1049h")
        });
        // It stops only after it has given the terminal back.
        let stat = format!("/proc/{}/stat", pty.child.process_id().expect("running"));
        let is_stopped =
            |stat: &str| stat.rsplit(')').next().is_some_and(|s| s.trim_start().starts_with('T'));
        pty.wait("stop", |_| std::fs::read_to_string(&stat).map_or(true, |stat| is_stopped(&stat)));
        pty.signal("CONT");
        pty.see("q quit");
        pty.press("2");
        pty.see("contoso.example");
        pty.press("q");
        pty.end();
    }
}
