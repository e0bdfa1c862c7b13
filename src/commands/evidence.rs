//! `eopwatch evidence`

use crate::aggregate::Patterns;
use crate::cli::{EvidenceArgs, EvidenceFormat};
use crate::engine::{self, Prefilter, Run};
use crate::export;

use super::options::{config, options};
use super::output::{self, Failure};

/// Looks twice: first for what there is of the address, then for its lines.
pub fn run(args: &EvidenceArgs) -> Result<u8, Failure> {
    let mut options = options(&args.read, &config(&args.read)?, false)?;
    options.filter.source = Patterns::address(args.ip);
    options.look_twice = true;
    options.prefilter = options.prefilter.max(Prefilter::Messages);
    let run = Run::new(options, false);
    run.scan(false);
    let evidence = engine::evidence(&run, &run.options.filter, args.ip);
    if output::is_wanted(&evidence.summary, &args.out) {
        let text = match args.format {
            EvidenceFormat::Markdown => export::evidence::markdown(&evidence, &[], args.read.mask),
            EvidenceFormat::Html => export::evidence::html(&evidence, &[], args.read.mask),
        };
        output::write(text.as_bytes(), args.out.output.as_deref())?;
    }
    Ok(output::status(&evidence.summary, &args.read))
}
