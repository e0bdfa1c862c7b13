//! What a live run costs, on a log of `EOPWATCH_BENCH_BYTES` (2 GB): `cargo bench --bench live`. Needs python3 and that
//! much disk; follows with the library and watches the real program in a pseudo-terminal.

use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use eopwatch::engine::{Options, Run, follow};
use portable_pty::{CommandBuilder, PtySize, native_pty_system};

const APPENDED: usize = 1000;
const IDLE: Duration = Duration::from_secs(20);
const ROWS: NonZeroU16 = NonZeroU16::new(45).unwrap();
const COLUMNS: NonZeroU16 = NonZeroU16::new(160).unwrap();

fn main() -> Result<(), Box<dyn Error>> {
    let bytes = std::env::var("EOPWATCH_BENCH_BYTES").unwrap_or("2000000000".to_owned());
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("mail.log");
    let made = Command::new("python3")
        .args([concat!(env!("CARGO_MANIFEST_DIR"), "/benches/generate.py"), "bulk", "--bytes", &bytes])
        .stdout(File::create(&log)?)
        .stderr(Stdio::piped())
        .output()?;
    let truth: serde_json::Value = serde_json::from_slice(&made.stderr)?;
    let attempts = truth["microsoft"].as_u64().ok_or("the generator tells no attempts")?;
    println!("a log of {bytes} bytes, {attempts} attempts at Microsoft");
    on_screen(&log, attempts)?;
    appended(&log)
}

/// From the write of a line to its being counted.
fn appended(log: &Path) -> Result<(), Box<dyn Error>> {
    let options = Options { follow: true, ..Options::of(vec![log.to_owned()]) };
    let run = Run::new(options, true);
    let mut times = thread::scope(|scope| -> Result<Vec<Duration>, Box<dyn Error>> {
        scope.spawn(|| follow(&run));
        while !run.progress().complete {
            thread::sleep(Duration::from_millis(10));
        }
        // The first look at the end.
        thread::sleep(Duration::from_secs(1));
        let line = last_delivery(log)?;
        let mut writer = OpenOptions::new().append(true).open(log)?;
        let mut times = Vec::new();
        for _ in 0..APPENDED {
            let before = run.lines_by_kind();
            let begin = Instant::now();
            writer.write_all(&line)?;
            while run.lines_by_kind() == before && begin.elapsed() < Duration::from_secs(5) {
                std::hint::spin_loop();
            }
            times.push(begin.elapsed());
            thread::sleep(Duration::from_millis(5));
        }
        run.stop();
        Ok(times)
    })?;
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!("append to counted: median {:?}, p99 {:?}", at(0.5), at(0.99));
    Ok(())
}

fn last_delivery(log: &Path) -> Result<Vec<u8>, Box<dyn Error>> {
    let text = fs::read(log)?;
    let end = &text[text.len().saturating_sub(100_000)..];
    let mut lines = end.rsplit(|byte| *byte == b'\n');
    let line = lines.find(|line| memchr::memmem::find(line, b"status=sent").is_some());
    Ok([line.ok_or("no delivery at the end")?, b"\n"].concat())
}

/// The first frame, the whole result, and what the view costs when nothing happens.
fn on_screen(log: &Path, attempts: u64) -> Result<(), Box<dyn Error>> {
    let size = PtySize { rows: ROWS.get(), cols: COLUMNS.get(), ..PtySize::default() };
    let pty = native_pty_system().openpty(size)?;
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_eopwatch"));
    command.args(["-f".as_ref(), log.as_os_str()]);
    let begin = Instant::now();
    let mut child = pty.slave.spawn_command(command)?;
    let mut reader = pty.master.try_clone_reader()?;
    let screen = Arc::new(Mutex::new(vt100::Parser::new(ROWS, COLUMNS, 0)));
    let drawn = Arc::clone(&screen);
    thread::spawn(move || {
        let mut buffer = [0; 65_536];
        while let Ok(got @ 1..) = reader.read(&mut buffer) {
            if let Ok(mut screen) = drawn.lock() {
                screen.process(&buffer[..got]);
            }
        }
    });
    let until = |wanted: &str| {
        loop {
            let text = screen.lock().map(|screen| screen.screen().contents()).unwrap_or_default();
            let text: String = text.split_whitespace().collect();
            if text.contains(wanted) || begin.elapsed() > Duration::from_secs(60) {
                return begin.elapsed();
            }
            thread::sleep(Duration::from_millis(1));
        }
    };
    println!("first frame: {:?}", until("eopwatch"));
    println!("whole result on the screen: {:?}", until(&attempts.to_string()));
    thread::sleep(Duration::from_secs(3));
    let pid = child.process_id().ok_or("no process")?;
    let before = cpu(pid)?;
    thread::sleep(IDLE);
    let share = (cpu(pid)? - before) / IDLE.as_secs_f64() * 100.0;
    println!("idle: {share:.2} % of a core, {:.1} MiB resident", resident(pid)?);
    child.kill()?;
    Ok(())
}

/// Seconds of CPU that a process has used, by its ticks of a hundredth.
fn cpu(pid: u32) -> Result<f64, Box<dyn Error>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or_default();
    Ok((ticks(11) + ticks(12)) / 100.0)
}

fn resident(pid: u32) -> Result<f64, Box<dyn Error>> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).ok_or("no such line")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
}
