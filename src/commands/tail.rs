//! `eopwatch tail`

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::aggregate::Snapshot;
use crate::cli::{TailArgs, TailFormat};
use crate::detect::{ChangeKind, Onset};
use crate::engine::Session;
use crate::export;
use crate::record::Time;

use super::options::{config, options};
use super::output::{self, Failure};

/// Between two looks at what the engine has found.
const LOOK: Duration = Duration::from_millis(200);

/// Follows the inputs and prints each event as it is decided, until it is stopped or stdin ends.
pub fn run(args: &TailArgs) -> Result<u8, Failure> {
    let session = Session::start(options(&args.read, &config(&args.read)?, true)?, true);
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    let mut printed = Said::new();
    let mut version = 0;
    let mut said = 0;
    loop {
        let ended = stop.load(Ordering::Relaxed) || session.is_finished();
        let snapshot = session.snapshot();
        if snapshot.version != version && snapshot.progress.complete {
            version = snapshot.version;
            let mut out = io::stdout().lock();
            for line in news(&mut printed, &snapshot, args) {
                out.write_all(line.as_bytes())?;
            }
            out.flush()?;
            let new = snapshot.warnings.get(said..).unwrap_or_default();
            output::warn(new, &args.read);
            said = snapshot.warnings.len();
        }
        if ended {
            return Ok(output::exit_status(&session.snapshot(), &args.read));
        }
        thread::sleep(LOOK);
    }
}

/// What was printed: when, of which event, what.
type Said = BTreeMap<(Time, String, ChangeKind), Onset>;

/// What is new since the last look, by time and id. Late lines change what was said: `revised`, where the event is there
/// in another form (`was`: its former id), else `withdrawn`.
fn news(said: &mut Said, snapshot: &Snapshot, args: &TailArgs) -> Vec<String> {
    let now: Said =
        snapshot.changes.iter().map(|c| ((c.at, c.onset.id.clone(), c.kind), c.onset.clone())).collect();
    let mut lines = Vec::new();
    let mut gone: BTreeMap<&str, (Time, &Onset)> = BTreeMap::new();
    for ((at, id, _), onset) in said.iter().filter(|(key, _)| !now.contains_key(key)) {
        gone.insert(id, (*at, onset));
    }
    let mut instead: BTreeSet<&str> = BTreeSet::new();
    for (id, (at, before)) in gone {
        if let Some(onset) = snapshot.onsets.iter().find(|o| o.id == id) {
            lines.push(line("revised", onset.last_attempt.unwrap_or(at), onset, args));
            continue;
        }
        let is_it = |o: &&Onset| is_same(o, before) && !said.keys().any(|(_, said, _)| *said == o.id);
        match snapshot.onsets.iter().filter(is_it).find(|o| instead.insert(&o.id)) {
            Some(onset) => {
                let was = Onset { was: Some(id.to_owned()), ..onset.clone() };
                lines.push(line("revised", onset.last_attempt.unwrap_or(at), &was, args));
            }
            None => lines.push(line("withdrawn", at, before, args)),
        }
    }
    for ((at, id, kind), onset) in now.iter().filter(|(key, _)| !said.contains_key(key)) {
        if *kind != ChangeKind::Onset || !instead.contains(id.as_str()) {
            lines.push(line(export::json::kind_name(*kind), *at, onset, args));
        }
    }
    *said = now;
    lines
}

/// Whether two events are of one source and series, and began within so many seconds of each other.
fn is_same(a: &Onset, b: &Onset) -> bool {
    const NEAR: i64 = 3600;
    let of = |o: &Onset| (o.family, o.source_ip.clone(), o.source_name.clone(), o.host.clone());
    of(a) == of(b) && (a.start.seconds - b.start.seconds).abs() <= NEAR
}

fn line(kind: &'static str, at: Time, onset: &Onset, args: &TailArgs) -> String {
    let line = match args.format {
        TailFormat::Json => export::json::onset_line(kind, at, onset),
        TailFormat::Text => {
            let words: Vec<String> =
                export::text::onset_line(onset).split_whitespace().map(str::to_owned).collect();
            format!("{at} {kind}: {}\n", words.join(" "))
        }
    };
    crate::text::masked(line, args.read.mask)
}
