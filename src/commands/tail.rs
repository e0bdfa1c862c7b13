//! `eopwatch tail`

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::cli::{TailArgs, TailFormat};
use crate::detect::{Onset, OnsetStatus};
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
    let mut known: BTreeMap<String, Onset> = BTreeMap::new();
    let mut version = 0;
    let mut said = 0;
    loop {
        let ended = stop.load(Ordering::Relaxed) || session.is_finished();
        let snapshot = session.snapshot();
        if snapshot.version != version && snapshot.progress.complete {
            version = snapshot.version;
            let mut out = io::stdout().lock();
            for line in changes(&mut known, &snapshot.onsets, args) {
                out.write_all(line.as_bytes())?;
            }
            out.flush()?;
            let new = snapshot.warnings.get(said..).unwrap_or_default();
            output::warn(new, &args.read);
            said = snapshot.warnings.len();
        }
        if ended {
            let failed = session.snapshot().warnings.iter().any(|w| w.is_error);
            let active = args.read.fail_on.is_some_and(|what| output::is_active(&session.snapshot(), what));
            return Ok(if failed { 3 } else { u8::from(active) });
        }
        thread::sleep(LOOK);
    }
}

/// What is new since the last look, by time and id. The events are those of the whole history each time: what late
/// lines change is told as `revised` or `withdrawn`.
fn changes(known: &mut BTreeMap<String, Onset>, onsets: &[Onset], args: &TailArgs) -> Vec<String> {
    let mut lines: Vec<(Time, String, String)> = Vec::new();
    let mut say = |kind: &'static str, at: Time, onset: &Onset| {
        let line = match args.format {
            TailFormat::Json => export::json::onset_line(kind, at, onset),
            TailFormat::Text => {
                format!("{at} {kind}: {}\n", export::text::onset_line(onset).replace('\n', " "))
            }
        };
        let line = if args.read.mask { crate::text::mask(&line) } else { line };
        lines.push((at, onset.id.clone(), line));
    };
    let mut gone: BTreeMap<String, Onset> = std::mem::take(known);
    for onset in onsets {
        match gone.remove(&onset.id) {
            None => {
                say("onset", onset.decided_at, onset);
                if onset.status == OnsetStatus::Cleared {
                    say("clear", onset.cleared_at.unwrap_or(onset.decided_at), onset);
                }
            }
            Some(before) => {
                let at = onset.last_attempt.unwrap_or(onset.decided_at);
                let scope = |o: &Onset| (o.platform.clone(), o.datacenters.clone(), o.domain.clone());
                match (before.status, onset.status) {
                    (OnsetStatus::Active, OnsetStatus::Cleared) => {
                        say("clear", onset.cleared_at.unwrap_or(at), onset);
                    }
                    (OnsetStatus::Cleared, OnsetStatus::Active) => say("revised", at, onset),
                    _ if before.decided_at != onset.decided_at || before.basis != onset.basis => {
                        say("revised", at, onset);
                    }
                    _ if scope(&before) != scope(onset) => say("scope", at, onset),
                    _ => {}
                }
            }
        }
        known.insert(onset.id.clone(), onset.clone());
    }
    for onset in gone.values() {
        say("withdrawn", onset.last_attempt.unwrap_or(onset.decided_at), onset);
    }
    lines.sort();
    lines.into_iter().map(|(_, _, line)| line).collect()
}
