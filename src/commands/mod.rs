//! One file a command, glue only: arguments -> ready parts -> engine -> export or view.

mod bounce_rules;
mod demo;
mod events;
mod evidence;
mod explain;
mod onsets;
mod options;
mod output;
mod rules;
mod summary;
mod tail;
mod view;

use clap::CommandFactory;

use crate::cli::{Cli, Command};

pub use output::{Failure, report};

/// Runs what was typed; the value is the exit status.
pub fn run(cli: Cli) -> Result<u8, Failure> {
    match cli.command {
        None => view::run(&cli.view),
        Some(Command::Demo(args)) => demo::run(&args),
        Some(Command::Summary(args)) => summary::run(&args),
        Some(Command::Events(args)) => events::run(&args),
        Some(Command::Onsets(args)) => onsets::run(&args),
        Some(Command::Evidence(args)) => evidence::run(&args),
        Some(Command::Tail(args)) => tail::run(&args),
        Some(Command::Explain(args)) => explain::run(&args),
        Some(Command::Rules(args)) => bounce_rules::run(&args),
        Some(Command::Completions { shell }) => {
            let mut bytes = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "eopwatch", &mut bytes);
            output::print(&bytes)?;
            Ok(0)
        }
        Some(Command::Man) => {
            let mut bytes = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut bytes)?;
            output::print(&bytes)?;
            Ok(0)
        }
    }
}
