//! The list of `EOPWATCH_BENCH_LINES` (10 million) blocked lines over one file, which is made first:
//! `cargo bench --bench lines`. Needs 2 GB of disk.

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::thread;
use std::time::{Duration, Instant};

use eopwatch::aggregate::Filter;
use eopwatch::engine::{Hunt, LineList, Mark, Options, Session};
use eopwatch::record::Zone;
use eopwatch::view::{Clock, Effect, Key, Message, Scene, State, draw, update};
use jiff::tz::TimeZone;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

const STEPS: usize = 2000;
const JUMPS: usize = 21;
const ROWS: u16 = 45;

fn main() -> Result<(), Box<dyn Error>> {
    let count: u64 = std::env::var("EOPWATCH_BENCH_LINES").unwrap_or("10000000".to_owned()).parse()?;
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("mail.log");
    let bytes = write(&mut BufWriter::new(File::create(&log)?), count)?;
    let threads = thread::available_parallelism()?.get();
    println!("{count} blocked lines, {} MB, {threads} threads", bytes / 1_000_000);
    let options = Options { zone: Some(Zone::Fixed(0)), threads, ..Options::of(vec![log]) };
    let session = Session::start(options, false);
    let begin = Instant::now();
    wait(|| session.is_finished());
    println!("scan: {:.1} s", begin.elapsed().as_secs_f64());

    let (before, begin) = (memory(), Instant::now());
    session.find_lines(Filter::default());
    wait(|| !session.lines().index.is_empty());
    println!("first lines listed: {:.0} ms", begin.elapsed().as_secs_f64() * 1e3);
    wait(|| session.lines().complete);
    let (list, took) = (session.lines(), begin.elapsed().as_secs_f64());
    println!("index: {} of {} lines in {took:.1} s", list.index.len(), list.total);
    println!(
        "index: {} MiB; the process grew by {:.0} MiB",
        (list.index.len() * size_of::<Mark>()) >> 20,
        memory() - before
    );

    let mut screen = Screen::new(&session)?;
    for (name, keys) in [("start", "g"), ("middle", ":"), ("end", "G")] {
        let (mut frames, mut texts) = (Vec::new(), Vec::new());
        for jump in 0..JUMPS {
            // From elsewhere, so that nothing is at hand.
            let elsewhere = if name == "end" { 1000 } else { count - 5000 };
            screen.go(elsewhere - jump as u64 * 3000 % (count / 2));
            screen.settle();
            let begin = Instant::now();
            match keys {
                ":" => screen.go(count / 2 + jump as u64),
                keys => screen.key(keys),
            }
            frames.push(begin.elapsed());
            screen.settle();
            texts.push(begin.elapsed());
        }
        println!("{name}: key and frame {}, text there after {}", told(&mut frames), told(&mut texts));
    }
    let (mut frames, mut gaps) = (Vec::new(), 0);
    screen.go(count / 3);
    screen.settle();
    for _ in 0..STEPS {
        let begin = Instant::now();
        screen.key("j");
        frames.push(begin.elapsed());
        gaps += usize::from(screen.lacks());
        screen.take();
        // Faster than a key that is held down.
        thread::sleep(Duration::from_millis(2));
    }
    println!(
        "line by line: key and frame {}, {gaps} of {STEPS} frames with a line that was not there",
        told(&mut frames)
    );

    let begin = Instant::now();
    let from = list.index.get(0).ok_or("no line")?;
    session.hunt(Some(Hunt { text: "nowhere to be found".to_owned(), from, down: true, id: u64::MAX }));
    wait(|| session.lines().hunted.is_some_and(|hunted| hunted.id == u64::MAX && hunted.is_over));
    println!("a text that is nowhere: {:.1} s", begin.elapsed().as_secs_f64());
    Ok(())
}

/// Lines as short as they can be, eight a second.
fn write(out: &mut impl Write, count: u64) -> std::io::Result<u64> {
    let mut bytes = 0;
    for i in 0..count {
        let (second, day) = (i / 8 % 86_400, 1 + i / 8 / 86_400);
        let line = format!(
            "2026-05-{day:02}T{:02}:{:02}:{:02}+00:00 a postfix/smtp[1]: {i:X}: to=<u@outlook.com>, \
             relay=o.olc.protection.outlook.com[104.47.55.161]:25, dsn=5.7.1, status=bounced (host o said: 550 5.7.1 \
             messages from [192.0.2.25] weren't sent. part of their network is on our block list (S3140))\n",
            second / 3600,
            second / 60 % 60,
            second % 60,
        );
        out.write_all(line.as_bytes())?;
        bytes += line.len() as u64;
    }
    out.flush()?;
    Ok(bytes)
}

fn wait(mut is_there: impl FnMut() -> bool) {
    while !is_there() {
        thread::sleep(Duration::from_micros(200));
    }
}

/// Memory of this process, in MiB; 0 where it cannot be told.
fn memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or_default() / 1024.0
}

/// Median and the 99th of a hundred.
fn told(times: &mut [Duration]) -> String {
    times.sort();
    let at = |part: usize| times[(times.len() - 1) * part / 100].as_secs_f64() * 1e3;
    format!("{:.2} ms (p99 {:.2})", at(50), at(99))
}

/// The lines view of a session, without its terminal.
struct Screen<'s> {
    session: &'s Session,
    state: State,
    lines: std::sync::Arc<LineList>,
    terminal: Terminal<TestBackend>,
}

impl<'s> Screen<'s> {
    fn new(session: &'s Session) -> Result<Self, Box<dyn Error>> {
        let state = State::new(Clock { zone: TimeZone::UTC });
        let terminal = Terminal::new(TestBackend::new(160, ROWS))?;
        let mut screen = Self { session, state, lines: session.lines(), terminal };
        screen.send(Message::Resize(160, ROWS));
        screen.key("L");
        // The list is complete, so nothing new comes by itself.
        screen.send(Message::Data);
        screen.settle();
        Ok(screen)
    }

    /// A step, and a frame.
    fn send(&mut self, message: Message) {
        let snapshot = self.session.snapshot();
        for effect in update(&mut self.state, message, &snapshot, &self.lines) {
            if let Effect::ReadLines(wanted) = effect {
                self.session.read_lines(wanted);
            }
        }
        let scene = Scene::new(&self.state, &snapshot, &self.lines, &|_| None);
        // A test terminal does not fail.
        let _ = self.terminal.draw(|frame| _ = draw(frame, &scene));
    }

    fn key(&mut self, name: &str) {
        let key = Key::parse(name).unwrap_or(Key { code: KeyCode::Null, ctrl: false });
        self.send(Message::Key(KeyEvent::new(key.code, KeyModifiers::NONE)));
    }

    /// To a line, the way its number is typed.
    fn go(&mut self, line: u64) {
        self.state.lines.select(line as usize, &self.lines);
        self.send(Message::Data);
    }

    fn lacks(&self) -> bool {
        self.state.lacks_lines(&self.lines)
    }

    fn take(&mut self) {
        let lines = self.session.lines();
        if !std::sync::Arc::ptr_eq(&lines, &self.lines) {
            self.lines = lines;
            self.send(Message::Data);
        }
    }

    /// Until all that is seen is there.
    fn settle(&mut self) {
        while self.lacks() {
            thread::sleep(Duration::from_micros(100));
            self.take();
        }
    }
}
