//! Where the user is in the list of raw lines: plain rows of a list of any length, of which only those around the seen
//! ones are ever asked for.

use crate::aggregate::Filter;
use crate::engine::{LineList, Mark, WantedLines};

/// Rows that are asked for above and below those that are seen.
const AROUND: usize = 500;
/// More are asked for once fewer than these are at hand.
const AT_HAND: usize = 150;

/// The lines view.
#[derive(Clone, Debug, Default)]
pub struct LineView {
    /// What is listed.
    pub of: String,
    pub filter: Filter,
    /// Row of the selected line; the newest one's is 0.
    pub at: usize,
    /// First row shown.
    pub top: usize,
    /// The selected line, which stays selected whatever comes above it; `None`: whichever is the newest.
    pub selected: Option<Mark>,
    /// Cells that it is scrolled to the right.
    pub across: usize,
    pub search: String,
    /// What is being searched for in lines that are not at hand.
    pub hunt: Option<Chase>,
    /// Once the selected line is read, its hit is scrolled to.
    pub reveals: bool,
    /// The list is held for this view.
    pub is_open: bool,
    /// The mouse holds the scroll bar.
    pub drags: bool,
    /// The number of the last [`Chase`].
    hunts: u64,
    asked: WantedLines,
}

/// A search that goes on in the background.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chase {
    pub id: u64,
    pub down: bool,
    /// What was selected when it began: who moves on has given it up.
    pub from: Mark,
}

impl LineView {
    /// Another list; the search word stays.
    pub fn open(&mut self, of: String, filter: Filter) {
        let (search, hunts) = (std::mem::take(&mut self.search), self.hunts);
        *self = Self { of, filter, search, hunts, is_open: true, ..Self::default() };
    }

    /// At the very top the list keeps showing the newest.
    pub fn select(&mut self, row: usize, list: &LineList) {
        self.at = row;
        self.selected = if row == 0 { None } else { list.index.get(row) };
    }

    /// What is looked at stays selected, also at the top.
    pub fn hold(&mut self, list: &LineList) {
        self.selected = list.index.get(self.at);
    }

    /// Begins to search from a line on.
    pub fn chase(&mut self, from: Mark, down: bool) -> Chase {
        self.hunts += 1;
        let chase = Chase { id: self.hunts, down, from };
        self.hunt = Some(chase);
        chase
    }

    /// Finds the selected line again, and moves the window so that it is seen and no rows are wasted.
    pub fn refresh(&mut self, list: &LineList, rows: usize) {
        let (count, rows) = (list.index.len(), rows.max(1));
        self.at = match self.selected {
            None => 0,
            Some(mark) => match list.index.row_of(mark) {
                Ok(row) | Err(row) => row.min(count.saturating_sub(1)),
            },
        };
        self.top = self.top.min(self.at).max((self.at + 1).saturating_sub(rows));
        self.top = self.top.min(count.saturating_sub(rows));
    }

    /// Whether something that is seen was asked for and is not there yet.
    pub fn waits(&self, list: &LineList, rows: usize) -> bool {
        let is_cut = || matches!(list.line(self.at), Some(Ok(line)) if line.is_cut());
        let is_missing = || list.index.rows(self.top..self.top + rows).any(|mark| !list.is_read(mark));
        self.hunt.is_some() || is_cut() || is_missing()
    }

    /// The lines to ask for, if some are missing that were not asked for already.
    pub fn missing(&mut self, list: &LineList, rows: usize) -> Option<WantedLines> {
        let count = list.index.len();
        let seen = self.top..(self.top + rows.max(1)).min(count);
        let is_there = |row: usize| list.index.get(row).is_none_or(|mark| list.is_read(mark));
        let ends = [seen.start.saturating_sub(AT_HAND), (seen.end + AT_HAND).min(count.saturating_sub(1))];
        let whole = match list.line(self.at) {
            Some(Ok(line)) if line.is_cut() => list.index.get(self.at),
            _ => None,
        };
        if whole.is_none() && seen.clone().chain(ends).all(is_there) {
            return None;
        }
        let below = seen.end..(seen.end + AROUND).min(count);
        let above = seen.start.saturating_sub(AROUND)..seen.start;
        let rows = [seen, below, above];
        let marks = rows.into_iter().flat_map(|rows| list.index.rows(rows)).collect();
        let wanted = WantedLines { marks, whole };
        if wanted == self.asked {
            return None;
        }
        self.asked = wanted.clone();
        Some(wanted)
    }
}
