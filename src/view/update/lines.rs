//! In the raw lines: searching and stepping from refusal to refusal.

use super::moves::select_line;
use super::{Effect, note};
use crate::engine::{LineList, LogLine};
use crate::view::keys::{Action, View};
use crate::view::state::{List, State, line_key};
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
    // What stands before the raw line takes 39 cells at the most.
    let seen = usize::from(state.size.0).saturating_sub(40).max(10);
    if at < state.across || at + text::width(&state.search) > state.across + seen {
        state.across = at.saturating_sub(seen / 3);
    }
}

/// To the next hit of the search.
pub(super) fn find_next(state: &mut State, lines: &LineList, forward: bool) {
    find_line(state, lines, forward, |s, line| has(line, s));
    reveal(state, lines);
}

/// Lists the lines of the present page anew.
pub(super) fn list_lines(state: &mut State, effects: &mut Vec<Effect>) {
    let mut filter = state.lines_filter.clone();
    filter.until = state.lines_until.last().copied().or(filter.until);
    state.lines = List::default();
    effects.push(Effect::FindLines(filter));
}

/// Whether lines match that are older than the listed ones.
fn has_older(lines: &LineList) -> bool {
    lines.complete && lines.total > lines.lines.len() as u64
}

/// Beyond the last line: on to older ones.
pub(super) fn older(state: &mut State, lines: &LineList, effects: &mut Vec<Effect>) {
    let seconds = |line: Option<&LogLine>| Some(line?.time?.seconds);
    let (Some(newest), Some(oldest)) = (seconds(lines.lines.first()), seconds(lines.lines.last())) else {
        return;
    };
    if !has_older(lines) {
        return;
    }
    if state.lines_until.is_empty() {
        state.lines_total = lines.total;
    }
    // The lines of the oldest second are listed again, for not all of them may be here; unless nothing else is.
    state.lines_until.push(if oldest < newest { oldest } else { oldest - 1 });
    list_lines(state, effects);
}

/// Before the first line: back to newer ones.
pub(super) fn newer(state: &mut State, effects: &mut Vec<Effect>) {
    if state.lines_until.pop().is_some() {
        list_lines(state, effects);
        state.lines_from_below = true;
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
            state.notice = note(&format!("no search yet: {}", state.key(Action::Prompt)));
        }
        None if forward && has_older(lines) => {
            state.notice = note("none further down here; ↓ at the last line goes on to older ones");
        }
        None => state.notice = note(if forward { "none further down" } else { "none further up" }),
    }
}
