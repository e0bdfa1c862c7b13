//! Does what was typed behind `:`.

use super::lines::find_next;
use super::menu::{export, sort_by};
use super::prompt::{set_note, set_query, set_span};
use super::{Effect, act, note};
use crate::aggregate::Snapshot;
use crate::engine::LineList;
use crate::view::command::{Command, parse};
use crate::view::state::State;
use crate::view::text;

/// An error is for the prompt, which stays.
pub(super) fn run(
    state: &mut State,
    typed: &str,
    snapshot: &Snapshot,
    lines: &LineList,
    effects: &mut Vec<Effect>,
) -> Result<(), String> {
    match parse(typed, state)? {
        Command::Act(action) => {
            state.prompt = None;
            act(state, action, snapshot, lines, effects);
        }
        Command::Theme(theme) => state.theme = theme,
        Command::Filter(text) => set_query(state, &text, effects)?,
        Command::Search(text) => {
            state.lines.search = text;
            state.prompt = None;
            find_next(state, lines, true, effects);
        }
        Command::Time(text) => set_span(state, &text, snapshot, effects)?,
        Command::Sort(column) => sort_by(state, column),
        Command::Export(kind) => export(state, kind, snapshot, effects)?,
        Command::Line(number) => {
            let at = number.saturating_sub(1);
            if at >= lines.index.len() {
                return Err(format!("line: {} are listed here", text::group(lines.index.len() as u64)));
            }
            state.lines.select(at, lines);
        }
        Command::Note(text) => {
            set_note(state, &text, snapshot)?;
            state.notice = note("noted");
        }
    }
    Ok(())
}
