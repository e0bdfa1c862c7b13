//! `eopwatch events`

use std::io::{self, BufWriter, Write};

use crate::cli::{EventsArgs, EventsFormat};
use crate::engine::{self, Event, Prefilter, Run};
use crate::export;

use super::options::{config, options};
use super::output::{self, Failure};

/// Looks twice: first for what the whole input teaches, then attempt by attempt.
pub fn run(args: &EventsArgs) -> Result<u8, Failure> {
    let mut options = options(&args.read, &config(&args.read)?, false)?;
    options.look_twice = true;
    options.prefilter = options.prefilter.max(Prefilter::Messages);
    let run = Run::new(options, false);
    let snapshot = run.batch();
    match &args.output {
        Some(path) => output::atomically(path, |out| write(&run, args, out))?,
        None => {
            let mut out = BufWriter::with_capacity(256 << 10, io::stdout().lock());
            write(&run, args, &mut out)?;
            out.flush()?;
        }
    }
    Ok(output::status(&snapshot, &args.read))
}

fn write(run: &Run, args: &EventsArgs, out: &mut dyn Write) -> io::Result<()> {
    if args.format == EventsFormat::Csv {
        out.write_all(export::events::csv_header().as_bytes())?;
    }
    // What could not be read the second time was named the first time.
    engine::events(run, args.all, |event: Event| {
        let line = match args.format {
            EventsFormat::Ndjson => export::events::ndjson(&event),
            EventsFormat::Csv => export::events::csv(&event),
        };
        out.write_all(crate::text::masked(line, args.read.mask).as_bytes())
    })?;
    Ok(())
}
