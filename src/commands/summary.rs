//! `eopwatch summary`

use crate::aggregate::Snapshot;
use crate::cli::{SummaryArgs, SummaryFormat};
use crate::engine::Run;
use crate::export;

use super::options::{config, options};
use super::output::{self, Failure};

/// Reads everything once and prints it.
pub fn run(args: &SummaryArgs) -> Result<u8, Failure> {
    let run = Run::new(options(&args.read, &config(&args.read)?, false)?, false);
    let snapshot = run.batch();
    if output::is_wanted(&snapshot, &args.out) {
        let bytes = render(&snapshot, args.format, args.read.mask);
        output::write(&bytes, args.out.output.as_deref())?;
    }
    Ok(output::status(&snapshot, &args.read))
}

/// The summary in a format.
pub fn render(snapshot: &Snapshot, format: SummaryFormat, mask: bool) -> Vec<u8> {
    let text = match format {
        SummaryFormat::Text => export::text::summary(snapshot),
        SummaryFormat::Json => export::json::summary(snapshot),
    };
    crate::text::masked(text, mask).into_bytes()
}
