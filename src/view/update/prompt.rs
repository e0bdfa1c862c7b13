//! What is typed at the foot of the screen: filters, searches, times.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tui_input::{Input, InputRequest};

use super::lines::{has, reveal};
use super::moves::select_line;
use super::{Effect, note, set_filter};
use crate::aggregate::Snapshot;
use crate::engine::LineList;
use crate::view::query;
use crate::view::state::{Crumb, PromptKind, State};

pub(super) fn edit(state: &mut State, request: InputRequest) {
    if let Some(prompt) = &mut state.prompt {
        prompt.input.handle(request);
    }
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

/// Shows while typing what the text would do.
pub(super) fn typed(state: &mut State, snapshot: &Snapshot, lines: &LineList) {
    let Some(prompt) = &mut state.prompt else { return };
    let value = prompt.input.value().to_owned();
    prompt.error = match prompt.kind {
        PromptKind::Filter => query::filter(&value).err(),
        PromptKind::Time => {
            query::span(&value, State::now(snapshot), &state.clock).err().filter(|_| value.len() > 4)
        }
        PromptKind::Search => None,
    };
    match prompt.kind {
        PromptKind::Filter => {
            if let Ok(query) = query::filter(&value) {
                state.table_mut().query = query.words;
            }
        }
        PromptKind::Search => {
            state.search = value;
            let at = state.lines.at;
            let here = lines.lines.get(at).is_some_and(|l| has(l, &state.search));
            if !here && let Some(i) = (at..lines.lines.len()).find(|i| has(&lines.lines[*i], &state.search)) {
                select_line(state, i, lines);
            }
        }
        PromptKind::Time => {}
    }
}

pub(super) fn cancel(state: &mut State) {
    let Some(prompt) = state.prompt.take() else { return };
    match prompt.kind {
        PromptKind::Filter => state.table_mut().query = prompt.before,
        PromptKind::Search => state.search = prompt.before,
        PromptKind::Time => {}
    }
}

pub(super) fn earlier(state: &mut State, by: isize, snapshot: &Snapshot, lines: &LineList) {
    let Some(prompt) = &mut state.prompt else { return };
    let at = prompt.earlier.saturating_add_signed(by).min(state.history.len());
    prompt.earlier = at;
    let value = if at == 0 { String::new() } else { state.history[state.history.len() - at].clone() };
    prompt.input = Input::new(value);
    typed(state, snapshot, lines);
}

pub(super) fn commit(state: &mut State, snapshot: &Snapshot, lines: &LineList, effects: &mut Vec<Effect>) {
    let Some(prompt) = &mut state.prompt else { return };
    let value = prompt.input.value().trim().to_owned();
    match prompt.kind {
        PromptKind::Filter => match query::filter(&value) {
            Ok(query) => {
                state.prompt = None;
                state.table_mut().query = query.words;
                if !query.crumbs.is_empty() {
                    state.crumbs.extend(query.crumbs);
                    set_filter(state, effects);
                }
            }
            Err(error) => {
                prompt.error = Some(error);
                return;
            }
        },
        PromptKind::Time => match query::span(&value, State::now(snapshot), &state.clock) {
            Ok((since, until)) => {
                state.prompt = None;
                let had = state.crumbs.len();
                state.crumbs.retain(|c| !matches!(c, Crumb::Span { .. }));
                if since.is_some() || until.is_some() {
                    state.crumbs.push(Crumb::Span { since, until });
                } else if state.crumbs.len() == had {
                    return;
                }
                set_filter(state, effects);
            }
            Err(error) => {
                prompt.error = Some(error);
                return;
            }
        },
        PromptKind::Search => {
            state.prompt = None;
            if !value.is_empty() && !lines.lines.iter().any(|l| has(l, &value)) {
                state.notice = note("no line has that");
            }
            state.search.clone_from(&value);
            reveal(state, lines);
        }
    }
    if !value.is_empty() && state.history.last() != Some(&value) {
        state.history.push(value);
    }
}
