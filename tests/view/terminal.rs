//! The real loop in a pseudo-terminal, on made-up data.

use std::sync::{Arc, Mutex};

use eopwatch::aggregate::{Filter, Snapshot};
use eopwatch::engine::LineList;
use eopwatch::view::{ExportKind, Feed, ThemeName, ViewOptions, run};

use super::fake;

struct Story {
    snapshot: Arc<Snapshot>,
    lines: Mutex<Arc<LineList>>,
}

impl Feed for Story {
    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot)
    }
    fn set_filter(&self, _: Filter) {}
    fn find_lines(&self, _: Filter) {
        *self.lines.lock().expect("unpoisoned") = Arc::new(fake::lines());
    }
    fn lines(&self) -> Arc<LineList> {
        Arc::clone(&self.lines.lock().expect("unpoisoned"))
    }
}

/// Not a test: the view itself, for eyes and for the tests below.
/// `cargo test --test view -- --ignored --exact --nocapture terminal::show`; `SHOW` chooses the data.
#[test]
#[ignore = "takes the terminal"]
fn show() {
    let snapshot = match std::env::var("SHOW").as_deref() {
        Ok("healthy") => fake::healthy(),
        Ok("none") => fake::none(),
        Ok("scanning") => fake::scanning(),
        _ => fake::full(),
    };
    let story = Story { snapshot: Arc::new(snapshot), lines: Mutex::default() };
    let theme = match std::env::var("SHOW_THEME").as_deref() {
        Ok("light") => ThemeName::Light,
        Ok("16") => ThemeName::Sixteen,
        Ok("plain") => ThemeName::Plain,
        _ => ThemeName::Dark,
    };
    let options = ViewOptions {
        zone: jiff::tz::TimeZone::fixed(jiff::tz::offset(2)),
        theme,
        advice: Box::new(fake::advice),
        exports: vec![ExportKind::Markdown, ExportKind::Json, ExportKind::Evidence],
        export: Box::new(|_| Ok("eopwatch-summary.md".into())),
        ..ViewOptions::default()
    };
    run(&story, options).expect("a terminal");
}
