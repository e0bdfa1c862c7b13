//! `eopwatch rules`

use clap::ValueEnum;

use crate::cli::RulesArgs;
use crate::export::bounce_rules::{self, Part};
use crate::microsoft::Catalogue;

use super::options::load;
use super::output::{self, Failure};

/// Prints the catalogue in the words of an MTA.
pub fn run(args: &RulesArgs) -> Result<u8, Failure> {
    load(args.config.as_deref(), args.rules.as_deref())?;
    let parts = bounce_rules::export(Catalogue::active(), args.target);
    let wanted = |part: &Part| args.part.is_none_or(|one| one == *part);
    let text: Vec<&str> =
        parts.iter().filter(|(part, _)| wanted(part)).map(|(_, text)| text.as_str()).collect();
    if text.is_empty() {
        let name =
            args.target.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
        return Err(Failure::Usage(format!(
            "--part: {name} has one part only (leave the option out, the output says what it does)"
        )));
    }
    output::write(text.join("\n").as_bytes(), args.output.as_deref())?;
    Ok(0)
}
