//! The menus: what to sort by, what to export.

use crossterm::event::{KeyCode, KeyEvent};

use super::drill::behind;
use super::{Effect, Export, note};
use crate::aggregate::Snapshot;
use crate::view::columns::{self, Column, Sort};
use crate::view::keys::View;
use crate::view::state::{Choice, ExportKind, Focus, Menu, MenuItem, Notice, State};

pub(super) fn sort_menu(state: &mut State) {
    state.focus = Focus::Table;
    let tab = state.tab;
    let sort = state.table().sort;
    let mut items = vec![MenuItem {
        key: '0',
        label: "as in the summary: most blocked first".into(),
        choice: Choice::Sort(None),
    }];
    for (i, &(column, _)) in columns::columns(tab).iter().enumerate() {
        items.push(MenuItem {
            key: char::from_digit(i as u32 + 1, 36).unwrap_or('z'),
            label: column.title(tab).to_lowercase(),
            choice: Choice::Sort(Some(column)),
        });
    }
    let at = items.iter().position(|i| i.choice == Choice::Sort(sort.column)).unwrap_or(0);
    state.menu = Some(Menu { title: "Sort by", items, at });
}

pub(super) fn export_menu(state: &mut State, snapshot: &Snapshot) {
    let has_block = state.onset(snapshot).is_some();
    let is_listed = state.view() == View::Lines;
    let items: Vec<_> = state
        .exports
        .iter()
        .filter(|k| **k != ExportKind::Evidence || has_block)
        .map(|&kind| {
            let (key, label) = match kind {
                ExportKind::Markdown => ('m', "summary as Markdown, for a ticket"),
                ExportKind::Json => ('j', "summary as JSON, for scripts"),
                ExportKind::Html => ('h', "summary as HTML, for people"),
                ExportKind::Csv => ('c', "tables as CSV"),
                ExportKind::Text => ('t', "summary as text, to read"),
                ExportKind::Lines if is_listed => ('l', "the listed lines, all of them"),
                ExportKind::Lines => ('l', "the log lines behind the selection"),
                ExportKind::Evidence => ('e', "evidence pack for a delist request"),
            };
            MenuItem { key, label: label.into(), choice: Choice::Export(kind) }
        })
        .collect();
    if items.is_empty() {
        state.notice = note("nothing can be exported from here");
        return;
    }
    let nearest = match state.view() {
        View::Block => Some(ExportKind::Evidence),
        View::Lines => Some(ExportKind::Lines),
        _ => None,
    };
    let at = items.iter().position(|i| nearest.map(Choice::Export) == Some(i.choice)).unwrap_or(0);
    state.menu = Some(Menu { title: "Export what is shown", items, at });
}

pub(super) fn menu_key(state: &mut State, key: KeyEvent, snapshot: &Snapshot, effects: &mut Vec<Effect>) {
    let Some(menu) = &mut state.menu else { return };
    let count = menu.items.len();
    match key.code {
        KeyCode::Up => menu.at = (menu.at + count - 1) % count,
        KeyCode::Down | KeyCode::Tab => menu.at = (menu.at + 1) % count,
        KeyCode::Enter => choose(state, snapshot, effects),
        KeyCode::Char(c) => {
            if let Some(at) = menu.items.iter().position(|i| i.key == c) {
                menu.at = at;
                choose(state, snapshot, effects);
            } else if c == 'j' {
                menu.at = (menu.at + 1) % count;
            } else if c == 'k' {
                menu.at = (menu.at + count - 1) % count;
            } else {
                state.menu = None;
            }
        }
        _ => state.menu = None,
    }
}

pub(super) fn choose(state: &mut State, snapshot: &Snapshot, effects: &mut Vec<Effect>) {
    let Some(menu) = state.menu.take() else { return };
    match menu.items.get(menu.at).map(|i| i.choice) {
        Some(Choice::Sort(column)) => sort_by(state, column),
        Some(Choice::Export(kind)) => {
            if let Err(why) = export(state, kind, snapshot, effects) {
                state.notice = Some(Notice { text: why, is_error: true });
            }
        }
        None => {}
    }
}

/// What is shown, the lines behind it, or the evidence for the selected block, to a file.
pub(super) fn export(
    state: &State,
    kind: ExportKind,
    snapshot: &Snapshot,
    effects: &mut Vec<Effect>,
) -> Result<(), String> {
    if kind == ExportKind::Lines {
        let filter = if state.view() == View::Lines {
            state.lines_filter.clone()
        } else {
            behind(state, snapshot).ok_or("export lines: no block is selected")?.1
        };
        effects.push(Effect::WriteLines(filter));
        return Ok(());
    }
    let onset = state.onset(snapshot).map(|o| o.id.clone());
    if kind == ExportKind::Evidence && onset.is_none() {
        return Err("export evidence: no block is selected".to_owned());
    }
    effects.push(Effect::Export(Export { kind, filter: state.filter(), onset }));
    Ok(())
}

/// By this column; again: the other way round. Names begin with A, numbers with the most.
pub(super) fn sort_by(state: &mut State, column: Option<Column>) {
    let sort = &mut state.table_mut().sort;
    *sort = if sort.column == column && column.is_some() {
        Sort { column, ascending: !sort.ascending }
    } else {
        let from_a = [
            Column::Name,
            Column::Code,
            Column::Class,
            Column::Region,
            Column::Platform,
            Column::Sites,
            Column::Meaning,
        ];
        Sort { column, ascending: column.is_some_and(|c| from_a.contains(&c)) }
    };
}
