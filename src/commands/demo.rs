//! `eopwatch demo`: the interactive view on a built-in story, which the engine reads as it would any followed log.

mod story;

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use jiff::ZonedDateTime;

use crate::cli::{DemoArgs, ReadArgs, SummaryFormat};
use crate::config::Config;
use crate::engine::{Run, Session};
use crate::view;

use super::options::{load, options};
use super::output::{self, Failure};
use super::summary::render;
use super::view::{Look, view_options};
use story::Story;

/// Seconds of the story in a second: a day takes two minutes.
const PACE: f64 = 720.0;
/// Between two looks at the clock.
const STEP: Duration = Duration::from_millis(100);

/// Tells the story; where nobody watches, what a summary makes of it.
pub fn run(args: &DemoArgs) -> Result<u8, Failure> {
    let look = Look::of(args.color, &load(args.config.as_deref(), None)?)?;
    let story = Story::before(&ZonedDateTime::now());
    let folder =
        tempfile::Builder::new().prefix("eopwatch-demo-").tempdir().map_err(failed(&std::env::temp_dir()))?;
    let path = folder.path().join("mail.log");
    let read = ReadArgs { paths: vec![path.clone()], ..ReadArgs::default() };
    let mut log = BufWriter::new(File::create(&path).map_err(failed(&path))?);
    let is_watched = io::stdout().is_terminal();
    // What was before the story's first watched moment is there when the view opens.
    let there = if is_watched { story.watched } else { i64::MAX };
    let mut lines = story.lines.into_iter().peekable();
    write_until(&mut log, &mut lines, there).map_err(failed(&path))?;
    let mut options = options(&read, &Config::default(), is_watched)?;
    if !is_watched {
        output::print(&render(&Run::new(options, false).batch(), SummaryFormat::Text, false))?;
        return Ok(0);
    }
    options.look_twice = false;
    let view = view::ViewOptions { guide: Some(story.guide), ..view_options(&options, look, false) };
    let session = Session::start(options, true);
    let (stop, stopped) = mpsc::channel();
    let pace = PACE * args.speed;
    thread::scope(|scope| {
        let writer = scope.spawn(move || grow(&mut log, &mut lines, there, pace, &stopped));
        let shown = view::run(&session, view);
        drop::<mpsc::Sender<()>>(stop);
        shown?;
        match writer.join() {
            Ok(written) => written.map_err(failed(&path)),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })?;
    Ok(0)
}

fn failed(path: &Path) -> impl Fn(io::Error) -> Failure {
    move |source| Failure::File { path: path.display().to_string(), source }
}

type Lines = std::iter::Peekable<std::vec::IntoIter<(i64, String)>>;

/// Writes the lines that are due as the story's clock goes on, until there are no more or nobody watches.
fn grow(
    log: &mut impl Write,
    lines: &mut Lines,
    from: i64,
    pace: f64,
    stopped: &Receiver<()>,
) -> io::Result<()> {
    let begin = Instant::now();
    while lines.peek().is_some() && stopped.recv_timeout(STEP) == Err(RecvTimeoutError::Timeout) {
        write_until(log, lines, from + (begin.elapsed().as_secs_f64() * pace) as i64)?;
    }
    Ok(())
}

fn write_until(log: &mut impl Write, lines: &mut Lines, end: i64) -> io::Result<()> {
    while let Some((_, line)) = lines.next_if(|(at, _)| *at < end) {
        log.write_all(line.as_bytes())?;
    }
    log.flush()
}
