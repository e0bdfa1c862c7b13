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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::{Snapshot, Status};
    use crate::detect::OnsetStatus;

    /// What a batch run finds in the lines up to a moment, told by a caption's words.
    fn until(story: &Story, moment: i64) -> Snapshot {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("mail.log");
        let mut lines = story.lines.clone().into_iter().peekable();
        write_until(&mut File::create(&path).expect("created"), &mut lines, moment).expect("written");
        let read = ReadArgs { paths: vec![path], ..ReadArgs::default() };
        Run::new(options(&read, &Config::default(), false).expect("options"), false).batch()
    }

    #[test]
    fn the_log_tells_what_the_captions_say() {
        let story = Story::before(&"2026-11-24T12:00:00+01:00[Europe/Berlin]".parse().expect("a time"));
        let at =
            |words: &str| story.guide.time_of(words).unwrap_or_else(|| panic!("no caption with {words}"));
        let (one, all) = (at("one datacenter refuses"), at("every datacenter refuses"));
        let (held, test, free) = (at("is held"), at("A small test"), at("ended the block"));

        assert_eq!(until(&story, one).onsets, [], "all is well before");
        let seen = |moment| {
            let snapshot = until(&story, moment);
            let [onset] = &snapshot.onsets[..] else { panic!("one block: {:?}", snapshot.onsets) };
            (onset.clone(), snapshot.sources.iter().filter(|s| s.status == Status::Blocked).count())
        };
        let (block, blocked) = seen(one + 3600);
        assert_eq!((block.source_ip.as_deref(), blocked), (Some("203.0.113.25"), 1));
        assert!((one..one + 600).contains(&block.start.seconds));
        assert_eq!(block.datacenters, Some(vec!["namprd10".to_owned()]), "one datacenter only");
        let (block, _) = seen(held);
        assert_eq!((block.status, block.datacenters, block.spread.len()), (OnsetStatus::Active, None, 5));
        assert!(block.spread[1..].iter().all(|s| (all..all + 1800).contains(&s.start.seconds)));
        assert_eq!(seen(test).0.status, OnsetStatus::Active, "silence does not end it");
        let (cleared, blocked) = seen(i64::MAX);
        assert_eq!((cleared.status, blocked), (OnsetStatus::Cleared, 0));
        let when = cleared.cleared_at.map_or(0, |t| t.seconds);
        assert!(test < when && when <= free, "cleared {} s after the test began", when - test);
    }

    #[test]
    fn the_clock_writes_what_is_due_and_stops_when_told() {
        let line = |at| (at, format!("{at}\n"));
        let mut lines = vec![line(1), line(2), line(10)].into_iter().peekable();
        let mut log = Vec::new();
        write_until(&mut log, &mut lines, 10).expect("written");
        assert_eq!(log, b"1\n2\n");
        let (stop, stopped) = mpsc::channel::<()>();
        drop(stop);
        grow(&mut log, &mut lines, 0, 1e9, &stopped).expect("written");
        assert_eq!(log, b"1\n2\n", "nobody watches");
    }
}
