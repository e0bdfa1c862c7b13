//! The live run: what is there first, then what is written.

use std::fs::File;
use std::io;
use std::sync::atomic::Ordering;
use std::thread;

use crate::aggregate::Warning;
use crate::record::{self, Format};
use crate::source::{Chunks, Followed, Tail, Watch};

use super::prepare::Prepared;
use super::run::Run;
use super::stats::InputStats;
use super::task::{Suspended, Task};
use super::worker::Worker;

/// Reads all inputs, then follows the plain files among them until the run is stopped. A pipe is followed by reading it
/// to its end.
pub fn follow(run: &Run) {
    thread::scope(|scope| {
        for (index, input) in run.inputs.iter().enumerate() {
            if input.is_pipe() {
                scope.spawn(move || follow_pipe(run, index, input));
            }
        }
        // Files end at their last whole line: the tails begin there, and nothing is read twice or torn.
        let mut tails = open_tails(run);
        run.scan(true);
        let paths: Vec<_> = tails.iter().filter_map(|live| live.input.plain_file()).collect();
        let watch = Watch::of(&paths);
        while !run.stopped() && !tails.is_empty() {
            let behind = |tails: &[LiveFile]| tails.iter().map(|live| live.tail.behind()).sum();
            run.behind.store(behind(&tails), Ordering::Relaxed);
            for live in &mut tails {
                live.poll(run);
            }
            run.behind.store(behind(&tails), Ordering::Relaxed);
            watch.wait();
        }
    });
}

fn follow_pipe(run: &Run, index: usize, input: &Prepared) {
    let (Some(format), Some(stream)) = (input.format, run.take_stream(index)) else { return };
    let mut worker = run.worker();
    let clock = input.clock_at(0);
    let mut go_on = |_| !run.stopped();
    let mut parts: Vec<Option<InputStats>> = vec![None; run.inputs.len()];
    let reading = run.reading(index, None);
    let mut task = Task::new(&mut worker, index as u32, format, &clock, reading, &mut go_on);
    let mut chunks = Chunks::new(stream);
    loop {
        match chunks.step(&mut task) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                warn(run, input, &error);
                break;
            }
        }
        parts[index] = Some(std::mem::take(&mut task.stats));
        run.link(index, None, task.worker);
        run.add(task.worker, &mut parts);
    }
    parts[index] = Some(task.finish());
    run.link(index, None, &mut worker);
    run.add(&mut worker, &mut parts);
}

struct LiveFile<'r> {
    index: usize,
    input: &'r Prepared,
    /// `None`: empty so far.
    format: Option<&'static dyn Format>,
    tail: Tail,
    /// Made once all was read: what the files have in common is known then.
    worker: Option<Worker<'r>>,
    state: Option<Suspended>,
    missing: bool,
}

fn open_tails(run: &Run) -> Vec<LiveFile<'_>> {
    let mut tails = Vec::new();
    for (index, input) in run.inputs.iter().enumerate() {
        let Some(path) = input.plain_file() else { continue };
        let opened = File::open(path).and_then(|file| {
            let end = input.spans.last().map_or(0, |s| s.end);
            Tail::new(path, file, end)
        });
        match opened {
            Ok(tail) => {
                let format = input.format;
                tails.push(LiveFile {
                    index,
                    input,
                    format,
                    tail,
                    worker: None,
                    state: None,
                    missing: false,
                });
            }
            Err(error) => warn(run, input, &error),
        }
    }
    tails
}

impl<'r> LiveFile<'r> {
    fn poll(&mut self, run: &'r Run) {
        if self.format.is_none() {
            self.format = self.tail.head().ok().and_then(|head| record::guess(&head));
        }
        let Some(format) = self.format else { return };
        let clock = self.input.clock_at(self.input.span_years.len().saturating_sub(1));
        let mut go_on = |_| !run.stopped();
        let worker = self.worker.get_or_insert_with(|| run.worker());
        let reading = run.reading(self.index, None);
        let mut task = Task::new(worker, self.index as u32, format, &clock, reading, &mut go_on);
        if let Some(state) = self.state.take().or_else(|| run.take_suspended(self.index)) {
            task.resume(state);
        }
        let followed = self.tail.poll(&mut task);
        let (stats, state) = task.suspend();
        self.state = Some(state);
        run.link(self.index, None, worker);
        if stats.lines > 0 {
            let mut parts: Vec<Option<InputStats>> = vec![None; run.inputs.len()];
            parts[self.index] = Some(stats);
            run.add(worker, &mut parts);
        }
        match followed {
            Ok(Followed::Same) => self.missing = false,
            Ok(Followed::Rotated) => note(run, self.input, "was rotated: followed on in the new file"),
            Ok(Followed::Truncated) => note(run, self.input, "was truncated: read again from its start"),
            Ok(Followed::Missing) => {
                if !self.missing {
                    note(run, self.input, "is gone: waiting for a new one");
                }
                self.missing = true;
            }
            Err(error) => warn(run, self.input, &error),
        }
    }
}

fn note(run: &Run, input: &Prepared, text: &str) {
    run.warn(Warning { path: Some(input.name.to_string()), text: text.to_owned(), is_error: false });
}

fn warn(run: &Run, input: &Prepared, error: &io::Error) {
    let text = format!("cannot be followed: {error}");
    run.warn(Warning { path: Some(input.name.to_string()), text, is_error: true });
}
