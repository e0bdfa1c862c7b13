//! `eopwatch onsets`

use crate::aggregate::Snapshot;
use crate::cli::{OnsetsArgs, OnsetsFormat};
use crate::engine::{Run, arithmetic};
use crate::export;

use super::options::{config, options};
use super::output::{self, Failure};

/// Reads everything once and prints the block and throttle events alone.
pub fn run(args: &OnsetsArgs) -> Result<u8, Failure> {
    let mut options = options(&args.read, &config(&args.read)?, false)?;
    options.explains = args.explain_onset.is_some();
    let run = Run::new(options, false);
    let snapshot = run.batch();
    if let Some(which) = &args.explain_onset {
        let text = explain(&run, &snapshot, which)?;
        output::write(crate::text::masked(text, args.read.mask).as_bytes(), args.out.output.as_deref())?;
        return Ok(output::status(&snapshot, &args.read));
    }
    if output::is_wanted(&snapshot, &args.out) {
        let text = match args.format {
            OnsetsFormat::Text => export::text::onsets(&snapshot),
            OnsetsFormat::Json => export::json::onsets(&snapshot),
            OnsetsFormat::Csv => export::csv::onsets(&snapshot),
            OnsetsFormat::Ndjson => snapshot.changes.iter().map(export::json::onset_change).collect(),
        };
        output::write(crate::text::masked(text, args.read.mask).as_bytes(), args.out.output.as_deref())?;
    }
    Ok(output::status(&snapshot, &args.read))
}

/// The arithmetic of the event with this id, or with this number in the list.
fn explain(run: &Run, snapshot: &Snapshot, which: &str) -> Result<String, Failure> {
    let by_number = || which.parse::<usize>().ok()?.checked_sub(1).and_then(|at| snapshot.onsets.get(at));
    let onset = snapshot.onsets.iter().find(|onset| onset.id == which).or_else(by_number);
    onset.and_then(|onset| arithmetic(run, onset)).ok_or_else(|| {
        let there = match snapshot.onsets.len() {
            0 => "there is none".to_owned(),
            1 => "there is one: 1".to_owned(),
            n => format!("there are 1 to {n}"),
        };
        Failure::Usage(format!("no event {which} in the list of onsets ({there}, or the id of one)"))
    })
}
