//! `eopwatch explain`

use std::io::{self, Read};

use crate::cli::{ExplainArgs, ExplainFormat};
use crate::text::masked;
use crate::{export, microsoft};

use super::options::load;
use super::output::{self, Failure};
use super::rules;

/// Columns of the text: fits a terminal, and a mail.
const WIDTH: usize = 96;

/// Says what a code, tag or reply means; status 1 where nothing is known.
pub fn run(args: &ExplainArgs) -> Result<u8, Failure> {
    if let Some(file) = &args.check {
        return rules::check(file, args.format);
    }
    load(args.config.as_deref(), args.rules.as_deref())?;
    if args.list {
        let text = match args.format {
            ExplainFormat::Text => export::explain::list_text(),
            ExplainFormat::Json => export::explain::list_json().map_err(io::Error::from)?,
        };
        output::print(text.as_bytes())?;
        return Ok(0);
    }
    let input = match args.input.as_slice() {
        [dash] if dash == "-" => {
            let mut bytes = Vec::new();
            io::stdin().lock().read_to_end(&mut bytes)?;
            String::from_utf8_lossy(&bytes).into_owned()
        }
        words => words.join(" "),
    };
    let explanation = microsoft::explain(&input);
    let text = match args.format {
        ExplainFormat::Text => export::explain::text(&explanation, WIDTH),
        ExplainFormat::Json => export::explain::json(&explanation).map_err(io::Error::from)?,
    };
    output::print(masked(text, args.mask).as_bytes())?;
    Ok(u8::from(explanation.matches.is_empty()))
}
