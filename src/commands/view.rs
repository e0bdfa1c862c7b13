//! `eopwatch`: the interactive view, or the summary where stdout is no terminal.

use std::io::{self, IsTerminal};

use crate::cli::{SummaryFormat, ViewArgs};
use crate::engine::{Run, Session};

use super::options::{config, options};
use super::output::{self, Failure};
use super::summary::render;

/// Opens the view on a running engine.
pub fn run(args: &ViewArgs) -> Result<u8, Failure> {
    let config = config(&args.read)?;
    if !io::stdout().is_terminal() {
        let run = Run::new(options(&args.read, &config, false)?, false);
        let (snapshot, _) = run.batch();
        output::print(&render(&snapshot, SummaryFormat::Text, args.read.mask))?;
        return Ok(output::status(&snapshot, &args.read));
    }
    let session = Session::start(Run::new(options(&args.read, &config, args.follow)?, true), args.follow);
    let _ = session;
    Ok(0)
}
