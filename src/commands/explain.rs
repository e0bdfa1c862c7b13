//! `eopwatch explain`

use std::io::{self, Read};

use crate::cli::{ExplainArgs, ExplainFormat};
use crate::{export, microsoft};

use super::output::{self, Failure};

/// Says what a code, tag or reply means; status 1 where nothing is known.
pub fn run(args: &ExplainArgs) -> Result<u8, Failure> {
    if args.list {
        output::print(export::explain::list().as_bytes())?;
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
        ExplainFormat::Text => export::explain::text(&explanation),
        ExplainFormat::Json => export::explain::json(&explanation),
    };
    output::print(text.as_bytes())?;
    Ok(u8::from(explanation.matches.is_empty()))
}
