//! In the raw lines: searching and stepping from refusal to refusal.

use super::{Effect, note};
use crate::engine::{Hunt, LineList, LogLine};
use crate::view::keys::{Action, View};
use crate::view::layout;
use crate::view::state::State;
use crate::view::text;

/// Lines at hand that are searched at once; the rest is looked through in the background.
const AT_ONCE: usize = 200;

pub(super) fn has(line: &LogLine, search: &str) -> bool {
    let (hay, needle) = (&line.text, search.as_bytes());
    !needle.is_empty() && hay.windows(needle.len()).any(|w| w.eq_ignore_ascii_case(needle))
}

/// A line whose text is there to its end.
fn at_hand(lines: &LineList, row: usize) -> Option<&LogLine> {
    lines.line(row)?.ok().filter(|line| !line.is_cut())
}

/// Scrolls sideways until the hit in the selected line is seen.
pub(super) fn reveal(state: &mut State, lines: &LineList) {
    let Some(Ok(line)) = lines.line(state.lines.at) else { return };
    let needle = state.lines.search.as_bytes();
    if needle.is_empty() {
        return;
    }
    let Some(at) = line.text.windows(needle.len()).position(|w| w.eq_ignore_ascii_case(needle)) else {
        return;
    };
    let at = text::width(&text::clean_bytes(&line.text[..at], at));
    // What stands before the raw line takes 39 cells at the most.
    let seen = usize::from(state.size.0).saturating_sub(40).max(10);
    if at < state.lines.across || at + text::width(&state.lines.search) > state.lines.across + seen {
        state.lines.across = at.saturating_sub(seen / 3);
    }
}

/// While a word is typed: to the first hit among the lines at hand.
pub(super) fn peek(state: &mut State, lines: &LineList) {
    let at = state.lines.at;
    let is_hit = |row: &usize| at_hand(lines, *row).is_some_and(|line| has(line, &state.lines.search));
    if let Some(row) = (at..at + AT_ONCE).find(is_hit) {
        state.lines.select(row, lines);
    }
}

/// The selected line, if it has the word, else the next one below.
pub(super) fn find_from_here(state: &mut State, lines: &LineList, effects: &mut Vec<Effect>) {
    let is_here = at_hand(lines, state.lines.at).is_some_and(|line| has(line, &state.lines.search));
    if is_here {
        reveal(state, lines);
    } else if !state.lines.search.is_empty() {
        find_next(state, lines, true, effects);
    }
}

/// To the next hit of the search: among the lines at hand, else in the background.
pub(super) fn find_next(state: &mut State, lines: &LineList, down: bool, effects: &mut Vec<Effect>) {
    if state.lines.search.is_empty() {
        state.notice = note(&format!("no search yet: {}", state.key(Action::Prompt)));
        return;
    }
    let mut row = state.lines.at;
    for _ in 0..AT_ONCE {
        let next = if down { row.checked_add(1) } else { row.checked_sub(1) };
        let Some((next, line)) = next.and_then(|next| Some((next, at_hand(lines, next)?))) else { break };
        if has(line, &state.lines.search) {
            state.lines.select(next, lines);
            reveal(state, lines);
            return;
        }
        row = next;
    }
    let Some(from) = lines.index.get(row) else { return };
    state.lines.hold(lines);
    let selected = state.lines.selected.unwrap_or(from);
    let chase = state.lines.chase(selected, down);
    effects.push(Effect::Hunt(Some(Hunt { text: state.lines.search.clone(), from, down, id: chase.id })));
}

/// Takes the answer of a search in the background.
pub(super) fn take_hit(state: &mut State, lines: &LineList) {
    let Some(chase) = state.lines.hunt else { return };
    let Some(hunted) = lines.hunted.filter(|hunted| hunted.id == chase.id && hunted.is_over) else { return };
    state.lines.hunt = None;
    match hunted.hit {
        Some(mark) => {
            state.lines.selected = Some(mark);
            state.lines.reveals = true;
        }
        None => none_further(state, lines, chase.down),
    }
}

fn none_further(state: &mut State, lines: &LineList, down: bool) {
    let way = if down { "down" } else { "up" };
    let so_far = if lines.complete { "" } else { " so far: the lines are still being searched for" };
    state.notice = note(&format!("none further {way}{so_far}"));
}

/// Ends the search in the background; whether there was one.
pub(super) fn end_hunt(state: &mut State, effects: &mut Vec<Effect>) -> bool {
    let was = state.lines.hunt.take().is_some();
    if was {
        effects.push(Effect::Hunt(None));
    }
    was
}

/// To the next refusal: the list tells which ones they are.
pub(super) fn find_refusal(state: &mut State, lines: &LineList, down: bool) {
    let Some(row) = lines.index.refusal_from(state.lines.at, down) else {
        return none_further(state, lines, down);
    };
    state.lines.select(row, lines);
    if let Some(screen) = state.screens.last_mut().filter(|s| s.view == View::Line) {
        screen.scroll = 0;
        state.lines.hold(lines);
    }
}

/// After each step: asks for the lines that are seen and not there, and forgets a search that nobody waits for.
pub(super) fn tend(state: &mut State, lines: &LineList, effects: &mut Vec<Effect>) {
    if !state.screens.iter().any(|screen| screen.view == View::Lines) {
        end_hunt(state, effects);
        if std::mem::take(&mut state.lines.is_open) {
            effects.push(Effect::ForgetLines);
        }
        return;
    }
    if state.lines.hunt.is_some_and(|chase| lines.index.get(state.lines.at) != Some(chase.from)) {
        end_hunt(state, effects);
    }
    if state.lines.reveals && lines.line(state.lines.at).is_some() {
        state.lines.reveals = false;
        reveal(state, lines);
    }
    if effects.iter().any(|effect| matches!(effect, Effect::FindLines(_))) {
        // These lines are those of the list before.
        return;
    }
    let rows = layout::line_rows(state);
    effects.extend(state.lines.missing(lines, rows).map(Effect::ReadLines));
}
