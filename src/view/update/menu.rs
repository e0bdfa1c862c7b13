//! The menus: what to sort by, what to export.

use std::net::IpAddr;

use crossterm::event::{KeyCode, KeyEvent};

use super::drill::behind;
use super::{Effect, Export, note};
use crate::aggregate::Snapshot;
use crate::view::columns::{self, Column, Row, Sort};
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
    let is_listed = state.view() == View::Lines;
    let items: Vec<_> = state
        .exports
        .iter()
        .map(|&kind| {
            let (key, label) = match kind {
                ExportKind::Markdown => ('m', "summary as Markdown, for a ticket".to_owned()),
                ExportKind::Json => ('s', "summary as JSON, for scripts".to_owned()),
                ExportKind::Html => ('h', "summary as HTML, for people".to_owned()),
                ExportKind::Csv => ('c', "tables as CSV".to_owned()),
                ExportKind::Text => ('t', "summary as text, to read".to_owned()),
                ExportKind::Lines if is_listed => ('l', "the listed lines, all of them".to_owned()),
                ExportKind::Lines => ('l', "the log lines behind the selection".to_owned()),
                ExportKind::Evidence => (
                    'e',
                    match about(state, snapshot) {
                        Ok(ip) => format!("evidence on {ip}, for a delist request"),
                        Err(why) => format!("no evidence: {why}"),
                    },
                ),
            };
            MenuItem { key, label, choice: Choice::Export(kind) }
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
            state.lines.filter.clone()
        } else {
            behind(state, snapshot).ok_or("export lines: no block is selected")?.1
        };
        effects.push(Effect::WriteLines(filter));
        return Ok(());
    }
    if kind == ExportKind::Evidence {
        let ip = about(state, snapshot).map_err(|why| format!("export evidence: {why}"))?;
        // All of the address, whatever the screen was narrowed to.
        let filter = state.base.clone();
        let notes = state.notes.clone().into_iter().collect();
        effects.push(Effect::Evidence { filter, ip, notes });
        return Ok(());
    }
    effects.push(Effect::Export(Export { kind, filter: state.filter() }));
    Ok(())
}

/// The address that evidence is about: of the source or block that is selected; else why there is none.
fn about(state: &State, snapshot: &Snapshot) -> Result<IpAddr, String> {
    let at_block = state.view() == View::Block || state.focus == Focus::Blocks;
    let ip = match (state.row(snapshot), state.onset(snapshot)) {
        (Some(Row::Source(row)), _) if !at_block => &row.source_ip,
        (_, Some(onset)) => &onset.source_ip,
        _ => return Err("neither a block nor a source is selected".to_owned()),
    };
    let ip = ip.as_ref().and_then(|ip| ip.parse().ok());
    ip.ok_or_else(|| "the log tells no IP of this source (--source-map can)".to_owned())
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
