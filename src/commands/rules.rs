//! The user's own replies: from the config and from `--rules`.

use std::fs;
use std::io;
use std::path::Path;

use crate::cli::ExplainFormat;
use crate::config::Config;
use crate::export::page::{self, Block, Bullet};
use crate::microsoft::Catalogue;
use crate::microsoft::rules::{self, Finding, Rule};
use crate::text::escape_controls;

use super::output::{self, Failure};

/// Puts the user's rules to use, those of the file before those of the config.
pub fn activate(file: Option<&Path>, config: &Config) -> Result<(), Failure> {
    let mut own = file.map(read).transpose()?.unwrap_or_default();
    let in_file = own.len();
    for rule in &config.reply {
        if own[..in_file].iter().all(|other| other.id() != rule.id()) {
            own.push(rule.clone());
        }
    }
    if !own.is_empty() {
        let catalogue = Catalogue::with(own).map_err(|error| Failure::Usage(error.to_string()))?;
        catalogue.activate();
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<Rule>, Failure> {
    let text = fs::read_to_string(path)
        .map_err(|source| Failure::File { path: path.display().to_string(), source })?;
    rules::parse(&text).map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))
}

/// `explain --check`: status 1 where a rule's own example is taken for another reply.
pub fn check(path: &Path, format: ExplainFormat) -> Result<u8, Failure> {
    let found =
        rules::check(read(path)?).map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))?;
    let text = match format {
        ExplainFormat::Json => {
            let mut text = serde_json::to_string_pretty(&found).map_err(io::Error::from)?;
            text.push('\n');
            text
        }
        ExplainFormat::Text => found.iter().map(line).collect(),
        ExplainFormat::Markdown => {
            let items = found.iter().map(|finding| Bullet::plain(line(finding))).collect();
            page::markdown(&[Block::Bullets("Rules", items)])
        }
    };
    output::print(text.as_bytes())?;
    Ok(u8::from(found.iter().any(Finding::is_fault)))
}

fn line(finding: &Finding) -> String {
    let text = match finding {
        Finding::Sound { id } => format!("ok       {id}: its example is this reply"),
        Finding::Untried { id } => format!("untried  {id}: it has no example"),
        Finding::Taken { id, by } => {
            format!(
                "WRONG    {id}: its example is taken for {by} (a text or code does not stand in it, or a rule before)"
            )
        }
        Finding::Hides { id, hidden } => format!("hides    {id}: takes the built-in example of {hidden}"),
        Finding::Replaces { id } => {
            format!("replaces {id}: stands in the place of the built-in reply of this id")
        }
    };
    escape_controls(text.as_bytes()) + "\n"
}
