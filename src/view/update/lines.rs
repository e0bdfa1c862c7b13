//! In the raw lines: searching and stepping from refusal to refusal.

use super::moves::select_line;
use super::note;
use crate::engine::{LineList, LogLine};
use crate::view::keys::View;
use crate::view::state::{State, line_key};
use crate::view::text;

/// A line that is looked at stays selected, whatever comes above it.
pub(super) fn select_line_for_good(state: &mut State, lines: &LineList) {
    state.lines.selected = lines.lines.get(state.lines.at).map(line_key);
}

pub(super) fn has(line: &LogLine, search: &str) -> bool {
    let (hay, needle) = (&line.text, search.as_bytes());
    !needle.is_empty() && hay.windows(needle.len()).any(|w| w.eq_ignore_ascii_case(needle))
}

/// Scrolls sideways until the hit in the selected line is seen.
pub(super) fn reveal(state: &mut State, lines: &LineList) {
    let Some(line) = lines.lines.get(state.lines.at) else { return };
    let needle = state.search.as_bytes();
    if needle.is_empty() {
        return;
    }
    let Some(at) = line.text.windows(needle.len()).position(|w| w.eq_ignore_ascii_case(needle)) else {
        return;
    };
    let at = text::width(&text::clean_bytes(&line.text[..at], at));
    // What stands before the raw line takes 36 cells at the most.
    let seen = usize::from(state.size.0).saturating_sub(40).max(10);
    if at < state.across || at + text::width(&state.search) > state.across + seen {
        state.across = at.saturating_sub(seen / 3);
    }
}

pub(super) fn find_line(
    state: &mut State,
    lines: &LineList,
    forward: bool,
    is_it: impl Fn(&str, &LogLine) -> bool,
) {
    let at = state.lines.at;
    let hit = |i: &usize| is_it(&state.search, &lines.lines[*i]);
    let found = if forward {
        (at + 1..lines.lines.len()).find(hit)
    } else {
        (0..at.min(lines.lines.len())).rev().find(hit)
    };
    match found {
        Some(i) => {
            select_line(state, i, lines);
            if let Some(screen) = state.screens.last_mut().filter(|s| s.view == View::Line) {
                screen.scroll = 0;
                select_line_for_good(state, lines);
            }
        }
        None if state.search.is_empty() && state.view() == View::Lines => {
            state.notice = note("no search yet: /");
        }
        None => state.notice = note(if forward { "none further down" } else { "none further up" }),
    }
}
