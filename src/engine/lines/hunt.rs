//! Looks for a text in the lines of a list, from one line on, by all threads.

use std::thread;
use std::time::{Duration, Instant};

use aho_corasick::AhoCorasick;

use crate::engine::run::Run;

use super::files::Listing;
use super::index::LineIndex;
use super::mark::Mark;
use super::read::Pages;
use super::search::IsWanted;

/// What to look for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hunt {
    /// Upper and lower case (ASCII) are alike.
    pub text: String,
    /// Behind this line.
    pub from: Mark,
    /// To the older ones.
    pub down: bool,
    /// By which the answer is known.
    pub id: u64,
}

/// How far that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hunted {
    pub id: u64,
    /// Lines that were looked at.
    pub looked: u64,
    /// Lines that there are to look at.
    pub of: u64,
    pub hit: Option<Mark>,
    /// It was found, or there is none.
    pub is_over: bool,
}

/// Lines of the first part, so that a hit nearby is there at once; then ever more.
const FIRST: usize = 256;
const MOST: usize = 16 << 10;
/// Lines that are worth a thread.
const FEW: usize = 1024;
/// Between two words about the progress.
const TELL: Duration = Duration::from_millis(100);

/// Looks until the text is found, or the search is not wanted any more.
pub fn hunt(
    run: &Run,
    listing: &Listing,
    index: &LineIndex,
    hunt: &Hunt,
    is_wanted: &IsWanted<'_>,
    tell: &dyn Fn(Hunted),
) {
    let Ok(text) = AhoCorasick::builder().ascii_case_insensitive(true).build([&hunt.text]) else { return };
    let (mut rows, down) = match (index.row_of(hunt.from), hunt.down) {
        (Ok(row), true) => (row + 1..index.len(), true),
        (Err(row), true) => (row..index.len(), true),
        (Ok(row) | Err(row), false) => (0..row, false),
    };
    let mut hunted = Hunted { id: hunt.id, looked: 0, of: rows.len() as u64, hit: None, is_over: false };
    let (mut size, mut told) = (FIRST, Instant::now());
    while !rows.is_empty() && is_wanted() {
        let part = if down {
            let end = rows.end.min(rows.start + size);
            let part = rows.start..end;
            rows.start = end;
            part
        } else {
            let start = rows.start.max(rows.end.saturating_sub(size));
            let part = start..rows.end;
            rows.end = start;
            part
        };
        size = (size * 4).min(MOST);
        let mut marks: Vec<Mark> = index.rows(part).collect();
        hunted.looked += marks.len() as u64;
        hunted.hit = nearest(run, listing, &mut marks, down, &text);
        if hunted.hit.is_some() {
            break;
        }
        if told.elapsed() > TELL {
            told = Instant::now();
            tell(hunted);
        }
    }
    hunted.is_over = true;
    tell(hunted);
}

/// The nearest of these lines with the text.
fn nearest(run: &Run, listing: &Listing, marks: &mut [Mark], down: bool, text: &AhoCorasick) -> Option<Mark> {
    marks.sort_unstable_by_key(|mark| (mark.file(), mark.place()));
    let search = |marks: &[Mark]| {
        let mut pages = Pages::new(run, listing);
        let hits =
            marks.iter().copied().filter(|mark| pages.text(*mark).is_some_and(|line| text.is_match(line)));
        if down { hits.max() } else { hits.min() }
    };
    let threads = run.options.threads.max(1);
    if marks.len() < FEW || threads == 1 {
        return search(marks);
    }
    let hits: Vec<Mark> = thread::scope(|scope| {
        let search = &search;
        let parts: Vec<_> = marks
            .chunks(marks.len().div_ceil(threads))
            .map(|part| (part, thread::Builder::new().spawn_scoped(scope, move || search(part))))
            .collect();
        // Where there is no thread for a part, it is looked at here.
        let hit = |(part, thread): (&[Mark], std::io::Result<thread::ScopedJoinHandle<'_, Option<Mark>>>)| {
            thread.map_or_else(|_| search(part), |thread| thread.join().unwrap_or_default())
        };
        parts.into_iter().filter_map(hit).collect()
    });
    if down { hits.into_iter().max() } else { hits.into_iter().min() }
}
