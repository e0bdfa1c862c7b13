//! `eopwatch onsets`

use crate::cli::{OnsetsArgs, OnsetsFormat};
use crate::engine::Run;
use crate::export;

use super::options::{config, options};
use super::output::{self, Failure};

/// Reads everything once and prints the block and throttle events alone.
pub fn run(args: &OnsetsArgs) -> Result<u8, Failure> {
    let run = Run::new(options(&args.read, &config(&args.read)?, false)?, false);
    let snapshot = run.batch();
    if args.only_if.is_none_or(|what| output::is_active(&snapshot, what)) {
        let text = match args.format {
            OnsetsFormat::Text => export::text::onsets(&snapshot),
            OnsetsFormat::Json => export::json::onsets(&snapshot),
            OnsetsFormat::Ndjson => snapshot.changes.iter().map(export::json::onset_change).collect(),
        };
        output::write(crate::text::masked(text, args.read.mask).as_bytes(), args.output.as_deref())?;
    }
    Ok(output::status(&snapshot, &args.read))
}
