//! What is typed at the foot of the screen: filters, searches, times.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tui_input::{Input, InputRequest};

use super::lines::{find_from_here, peek};
use super::{Effect, set_filter};
use crate::aggregate::Snapshot;
use crate::engine::LineList;
use crate::view::command::complete;
use crate::view::query;
use crate::view::state::{Crumb, Prompt, PromptKind, State};

pub(super) fn edit(state: &mut State, request: InputRequest) {
    if let Some(prompt) = &mut state.prompt {
        prompt.input.handle(request);
    }
}

/// Opens a prompt, with what is set already.
pub(super) fn ask(state: &mut State, kind: PromptKind, snapshot: &Snapshot) {
    let before = match kind {
        PromptKind::Filter => state.table().query.clone(),
        PromptKind::Search => state.lines.search.clone(),
        PromptKind::Find => state.find.clone(),
        PromptKind::Note => {
            state.onset(snapshot).and_then(|o| state.note(o)).map(str::to_owned).unwrap_or_default()
        }
        PromptKind::Time | PromptKind::Command => String::new(),
    };
    let input = Input::new(before.clone());
    state.prompt = Some(Prompt { kind, input, error: None, before, earlier: 0 });
}

pub(super) fn prompt_key(
    state: &mut State,
    key: KeyEvent,
    snapshot: &Snapshot,
    lines: &LineList,
    effects: &mut Vec<Effect>,
) {
    let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
    let request = match (key.code, ctrl) {
        (KeyCode::Enter, _) => return commit(state, snapshot, lines, effects),
        (KeyCode::Esc, _) => return cancel(state),
        (KeyCode::Backspace, _) if state.prompt.as_ref().is_some_and(|p| p.input.value().is_empty()) => {
            return cancel(state);
        }
        (KeyCode::Tab, _) => return completed(state),
        (KeyCode::Up, _) => return earlier(state, 1, snapshot, lines),
        (KeyCode::Down, _) => return earlier(state, -1, snapshot, lines),
        (KeyCode::Char('u'), true) => InputRequest::DeleteLine,
        (KeyCode::Char('w'), true) => InputRequest::DeletePrevWord,
        (KeyCode::Char('a'), true) | (KeyCode::Home, _) => InputRequest::GoToStart,
        (KeyCode::Char('e'), true) | (KeyCode::End, _) => InputRequest::GoToEnd,
        (KeyCode::Char('k'), true) => InputRequest::DeleteTillEnd,
        (KeyCode::Left, true) => InputRequest::GoToPrevWord,
        (KeyCode::Right, true) => InputRequest::GoToNextWord,
        (KeyCode::Left, _) => InputRequest::GoToPrevChar,
        (KeyCode::Right, _) => InputRequest::GoToNextChar,
        (KeyCode::Backspace, _) => InputRequest::DeletePrevChar,
        (KeyCode::Delete, _) => InputRequest::DeleteNextChar,
        (KeyCode::Char(c), false) => InputRequest::InsertChar(c),
        _ => return,
    };
    edit(state, request);
    typed(state, snapshot, lines);
}

/// Tab on the command line.
fn completed(state: &mut State) {
    let Some(prompt) = state.prompt.as_ref().filter(|p| p.kind == PromptKind::Command) else { return };
    let input = Input::new(complete(prompt.input.value(), state));
    if let Some(prompt) = &mut state.prompt {
        prompt.input = input;
        prompt.error = None;
    }
}

/// Shows while typing what the text would do.
pub(super) fn typed(state: &mut State, snapshot: &Snapshot, lines: &LineList) {
    let Some(prompt) = &mut state.prompt else { return };
    let value = prompt.input.value().to_owned();
    prompt.error = match prompt.kind {
        PromptKind::Filter => query::filter(&value).err(),
        PromptKind::Time => {
            query::span(&value, State::now(snapshot), &state.clock).err().filter(|_| value.len() > 4)
        }
        PromptKind::Search | PromptKind::Find | PromptKind::Command | PromptKind::Note => None,
    };
    match prompt.kind {
        PromptKind::Filter => {
            if let Ok(query) = query::filter(&value) {
                state.table_mut().query = query.words;
            }
        }
        PromptKind::Search => {
            state.lines.search = value;
            peek(state, lines);
        }
        PromptKind::Find => {
            state.find = value;
            if let Some(screen) = state.screens.last_mut() {
                screen.scroll = 0;
            }
        }
        PromptKind::Time | PromptKind::Command | PromptKind::Note => {}
    }
}

fn cancel(state: &mut State) {
    let Some(prompt) = state.prompt.take() else { return };
    match prompt.kind {
        PromptKind::Filter => state.table_mut().query = prompt.before,
        PromptKind::Search => state.lines.search = prompt.before,
        PromptKind::Find => state.find = prompt.before,
        PromptKind::Time | PromptKind::Command | PromptKind::Note => {}
    }
}

fn earlier(state: &mut State, by: isize, snapshot: &Snapshot, lines: &LineList) {
    let Some(prompt) = &mut state.prompt else { return };
    let same: Vec<&String> =
        state.history.iter().filter(|(kind, _)| *kind == prompt.kind).map(|(_, text)| text).collect();
    let at = prompt.earlier.saturating_add_signed(by).min(same.len());
    prompt.earlier = at;
    let value = if at == 0 { String::new() } else { same[same.len() - at].clone() };
    prompt.input = Input::new(value);
    typed(state, snapshot, lines);
}

fn commit(state: &mut State, snapshot: &Snapshot, lines: &LineList, effects: &mut Vec<Effect>) {
    let Some(prompt) = &state.prompt else { return };
    let (kind, value) = (prompt.kind, prompt.input.value().trim().to_owned());
    let done = match kind {
        PromptKind::Filter => set_query(state, &value, effects),
        PromptKind::Time => set_span(state, &value, snapshot, effects),
        PromptKind::Search => {
            state.lines.search.clone_from(&value);
            find_from_here(state, lines, effects);
            Ok(())
        }
        PromptKind::Find => Ok(()),
        PromptKind::Note => set_note(state, &value, snapshot),
        PromptKind::Command if value.is_empty() => Ok(()),
        PromptKind::Command => super::command::run(state, &value, snapshot, lines, effects),
    };
    match (done, &mut state.prompt) {
        (Err(error), Some(prompt)) => {
            prompt.error = Some(error);
            return;
        }
        // A command may have opened a prompt of its own.
        (Ok(()), Some(prompt)) if prompt.kind == kind => state.prompt = None,
        _ => {}
    }
    let entry = (kind, value);
    if !entry.1.is_empty() && state.history.last() != Some(&entry) {
        state.history.push(entry);
    }
}

/// Words stay with the table, fields become crumbs.
pub(super) fn set_query(state: &mut State, text: &str, effects: &mut Vec<Effect>) -> Result<(), String> {
    let query = query::filter(text)?;
    state.table_mut().query = query.words;
    if !query.crumbs.is_empty() {
        state.crumbs.extend(query.crumbs);
        set_filter(state, effects);
    }
    Ok(())
}

/// Shows this time only; nothing: all of it.
pub(super) fn set_span(
    state: &mut State,
    text: &str,
    snapshot: &Snapshot,
    effects: &mut Vec<Effect>,
) -> Result<(), String> {
    let (since, until) = query::span(text, State::now(snapshot), &state.clock)?;
    let had = state.crumbs.len();
    state.crumbs.retain(|c| !matches!(c, Crumb::Span { .. }));
    if since.is_some() || until.is_some() {
        state.crumbs.push(Crumb::Span { since, until });
    }
    if !(state.crumbs.len() == had && since.is_none() && until.is_none()) {
        set_filter(state, effects);
    }
    Ok(())
}

/// An empty note takes the old one away.
pub(super) fn set_note(state: &mut State, text: &str, snapshot: &Snapshot) -> Result<(), String> {
    let onset = state.onset(snapshot).ok_or("note: no block is selected")?;
    let (id, was) = (onset.id.clone(), onset.was.clone());
    if let Some(was) = was {
        state.notes.remove(&was);
    }
    if text.is_empty() {
        state.notes.remove(&id);
    } else {
        state.notes.insert(id, text.to_owned());
    }
    Ok(())
}
