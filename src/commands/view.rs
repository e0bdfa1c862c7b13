//! `eopwatch`: the interactive view, or the summary where stdout is no terminal.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};

use jiff::tz::TimeZone;

use crate::aggregate::Snapshot;
use crate::cli::{Color, SummaryFormat, ViewArgs};
use crate::config::Config;
use crate::engine::{LineList, Run, Session};
use crate::export;
use crate::microsoft::{Catalogue, link};
use crate::record::Zone;
use crate::view::{self, Advice, ExportKind, ExportRequest, ThemeName, ViewOptions};

use super::options::{config, options};
use super::output::{self, Failure};
use super::summary::render;

/// Opens the view on a running engine.
pub fn run(args: &ViewArgs) -> Result<u8, Failure> {
    let config = config(&args.read)?;
    if !io::stdout().is_terminal() {
        let run = Run::new(options(&args.read, &config, false)?, false);
        let snapshot = run.batch();
        output::print(&render(&snapshot, SummaryFormat::Text, args.read.mask))?;
        return Ok(output::status(&snapshot, &args.read));
    }
    let mut options = options(&args.read, &config, args.follow)?;
    // The lines behind a number are read again; a live pipe has to do without.
    options.look_twice = !args.follow;
    let mask = args.read.mask;
    let view = ViewOptions {
        zone: match &options.zone {
            Some(Zone::Named(zone)) => zone.clone(),
            _ => TimeZone::system(),
        },
        theme: theme(args, &config)?,
        base: options.filter.clone(),
        mask,
        advice: Box::new(advice),
        exports: vec![ExportKind::Json],
        export: Box::new(move |request| write(request, mask).map_err(|e| format!("cannot be written: {e}"))),
        ..ViewOptions::default()
    };
    let session = Session::start(options, args.follow);
    view::run(&session, view)?;
    Ok(output::status(&session.snapshot(), &args.read))
}

fn theme(args: &ViewArgs, config: &Config) -> Result<ThemeName, Failure> {
    let told = ThemeName::from_env(|key| std::env::var(key).ok());
    Ok(match (args.read.color, config.view.theme.as_deref()) {
        (Color::Never, _) | (_, Some("mono")) => ThemeName::Plain,
        (_, None) => told,
        (_, Some("dark")) => ThemeName::Dark,
        (_, Some("light")) => ThemeName::Light,
        (_, Some("ansi")) => ThemeName::Sixteen,
        (_, Some(other)) => {
            return Err(Failure::Usage(format!("theme `{other}`: no such theme (dark, light, ansi, mono)")));
        }
    })
}

/// What the catalogue says about a reply.
fn advice(reply_id: &str) -> Option<Advice> {
    let entry = Catalogue::active().entry(reply_id)?;
    let code = entry.enhanced.as_ref().map_or_else(String::new, |e| format!(" {e}"));
    let tag = entry.tag.as_ref().map_or_else(String::new, |t| format!(" {t}"));
    Some(Advice {
        title: format!("{}{code}{tag}", entry.smtp_code),
        means: entry.root_cause.clone(),
        steps: entry.steps.clone(),
        links: entry
            .links
            .iter()
            .filter_map(|id| link(id))
            .map(|l| {
                // An address that nobody has opened is only as good as the documents that name it.
                let how = if l.check == "opened" { "checked" } else { "by documents of" };
                format!("{}: {} ({how} {})", l.name, l.url, l.checked)
            })
            .collect(),
    })
}

/// Writes into the present folder, never over a file that is there; the name is shown.
fn write(request: &ExportRequest<'_>, mask: bool) -> io::Result<String> {
    let now = jiff::Timestamp::now().to_zoned_datetime(TimeZone::system());
    let stamp = now.strftime("%Y%m%d-%H%M%S");
    match request {
        ExportRequest::Snapshot { snapshot, .. } => {
            let name = format!("eopwatch-{stamp}.json");
            write_snapshot(&name, snapshot, mask)?;
            Ok(name)
        }
        ExportRequest::Lines { lines, .. } => {
            let name = format!("eopwatch-{stamp}.log");
            write_lines(&name, lines, mask)?;
            Ok(name)
        }
    }
}

fn write_snapshot(name: &str, snapshot: &Snapshot, mask: bool) -> io::Result<()> {
    let text = export::json::summary(snapshot);
    File::create_new(name)?.write_all(crate::text::masked(text, mask).as_bytes())
}

/// Oldest first, as a log is, byte for byte as logged.
fn write_lines(name: &str, lines: &LineList, mask: bool) -> io::Result<()> {
    let mut out = BufWriter::new(File::create_new(name)?);
    for line in lines.lines.iter().rev() {
        if mask {
            out.write_all(crate::text::mask(&String::from_utf8_lossy(&line.text)).as_bytes())?;
        } else {
            out.write_all(&line.text)?;
        }
        out.write_all(b"\n")?;
    }
    out.flush()
}
