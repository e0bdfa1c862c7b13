//! Arguments -> command -> exit status; nothing else.

use std::process::ExitCode;

use clap::Parser;
use eopwatch::{cli::Cli, commands};

fn main() -> ExitCode {
    let status = commands::run(Cli::parse()).unwrap_or_else(|failure| commands::report(&failure));
    ExitCode::from(status)
}
