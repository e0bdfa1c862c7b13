//! `eopwatch`: the interactive view, or the summary where stdout is no terminal.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;

use jiff::tz::TimeZone;
use tempfile::NamedTempFile;

use crate::cli::{Color, SummaryFormat, ViewArgs};
use crate::config::Config;
use crate::engine::{Options, Run, Session};
use crate::export;
use crate::microsoft::{Catalogue, link};
use crate::record::Zone;
use crate::view::{self, Advice, ExportKind, Keymap, LineFile, ThemeName, ViewOptions};

use super::options::{config, options};
use super::output::{self, Failure};
use super::summary::render;

/// Opens the view on a running engine.
pub fn run(args: &ViewArgs) -> Result<u8, Failure> {
    let config = config(&args.read)?;
    let look = Look::of(args.read.color, &config)?;
    if !io::stdout().is_terminal() {
        let run = Run::new(options(&args.read, &config, false)?, false);
        let snapshot = run.batch();
        output::print(&render(&snapshot, SummaryFormat::Text, args.read.mask))?;
        return Ok(output::status(&snapshot, &args.read));
    }
    let mut options = options(&args.read, &config, args.follow)?;
    // The lines behind a number are read again; a live pipe has to do without.
    options.look_twice = !args.follow;
    let view = view_options(&options, look, args.read.mask);
    let session = Session::start(options, args.follow);
    view::run(&session, view)?;
    Ok(output::status(&session.snapshot(), &args.read))
}

/// What the config says about the screen.
pub(super) struct Look {
    theme: ThemeName,
    keymap: Keymap,
    bell: bool,
}

impl Look {
    pub(super) fn of(color: Color, config: &Config) -> Result<Self, Failure> {
        Ok(Self { theme: theme(color, config)?, keymap: keymap(config)?, bell: config.view.bell })
    }
}

/// A view on a run with these options.
pub(super) fn view_options(options: &Options, look: Look, mask: bool) -> ViewOptions {
    ViewOptions {
        zone: match &options.zone {
            Some(Zone::Named(zone)) => zone.clone(),
            _ => TimeZone::system(),
        },
        theme: look.theme,
        base: options.filter.clone(),
        mask,
        advice: Box::new(advice),
        exports: vec![ExportKind::Text, ExportKind::Json, ExportKind::Lines, ExportKind::Evidence],
        export: Box::new(move |export, snapshot| {
            let (format, ending) = match export.kind {
                ExportKind::Text => (SummaryFormat::Text, "txt"),
                _ => (SummaryFormat::Json, "json"),
            };
            write_new(ending, &render(snapshot, format, mask))
                .map_err(|error| format!("cannot be written: {error}"))
        }),
        line_file: Box::new(move || Ok(Box::new(Lines::new(mask)?))),
        evidence: Arc::new(move |evidence, notes| {
            write_new("md", export::evidence::markdown(evidence, notes, mask).as_bytes())
                .map_err(|error| format!("the evidence cannot be written: {error}"))
        }),
        keymap: look.keymap,
        bell: look.bell,
        ..ViewOptions::default()
    }
}

fn theme(color: Color, config: &Config) -> Result<ThemeName, Failure> {
    let told = ThemeName::from_env(|key| std::env::var(key).ok());
    Ok(match (color, config.view.theme.as_deref()) {
        (Color::Never, _) => ThemeName::Plain,
        (_, None) => told,
        (_, Some(name)) => ThemeName::parse(name).ok_or_else(|| {
            let known = ThemeName::ALL.map(ThemeName::name).join(", ");
            Failure::Usage(format!("[view] theme `{name}`: no such theme ({known})"))
        })?,
    })
}

/// The keys, with those of the config.
fn keymap(config: &Config) -> Result<Keymap, Failure> {
    let mut keymap = Keymap::default();
    let changes = config.view.keys.iter().map(|(name, keys)| (name.as_str(), keys.as_str()));
    keymap.rebind(changes).map_err(|error| Failure::Usage(format!("[view.keys] {error}")))?;
    Ok(keymap)
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

/// Names in the present folder, the second one for a second file of one second, and so on: what is there stays.
fn names(ending: &str) -> impl Iterator<Item = String> {
    let now = jiff::Timestamp::now().to_zoned_datetime(TimeZone::system());
    let (name, ending) = (format!("eopwatch-{}", now.strftime("%Y%m%d-%H%M%S")), ending.to_owned());
    (1..100).map(move |number| match number {
        1 => format!("{name}.{ending}"),
        _ => format!("{name}-{number}.{ending}"),
    })
}

/// Writes into the present folder; gives the name.
fn write_new(ending: &str, bytes: &[u8]) -> io::Result<String> {
    let mut file = output::unnamed(Path::new("."))?;
    file.write_all(bytes)?;
    keep(file, ending)
}

/// The file appears whole, never over one that is there; gives its name.
fn keep(mut file: NamedTempFile, ending: &str) -> io::Result<String> {
    for name in names(ending) {
        match file.persist_noclobber(&name) {
            Ok(_) => return Ok(name),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => file = error.file,
            Err(error) => return Err(error.error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Lines byte for byte as logged; the file gets its name when all are written.
struct Lines {
    out: BufWriter<NamedTempFile>,
    mask: bool,
}

impl Lines {
    fn new(mask: bool) -> io::Result<Self> {
        Ok(Self { out: BufWriter::new(output::unnamed(Path::new("."))?), mask })
    }
}

impl LineFile for Lines {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        if self.mask {
            self.out.write_all(crate::text::mask(&String::from_utf8_lossy(line)).as_bytes())?;
        } else {
            self.out.write_all(line)?;
        }
        self.out.write_all(b"\n")
    }

    fn finish(self: Box<Self>) -> io::Result<String> {
        keep(self.out.into_inner().map_err(io::IntoInnerError::into_error)?, "log")
    }
}
