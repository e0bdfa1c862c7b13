//! Clicks, drags and the wheel.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

use super::drill::open;
use super::menu::{choose, sort_by};
use super::moves::{go, select_block, select_forest};
use super::{Effect, act, did, set_filter};
use crate::aggregate::Snapshot;
use crate::engine::LineList;
use crate::view::columns::{self, Row, Tab};
use crate::view::keys::{Action, View};
use crate::view::layout::{self, Areas, Plot};
use crate::view::render::crumb_spans;
use crate::view::state::{Crumb, Focus, State};

pub(super) fn mouse(
    state: &mut State,
    event: MouseEvent,
    snapshot: &Snapshot,
    lines: &LineList,
    effects: &mut Vec<Effect>,
) {
    let at = Position::new(event.column, event.row);
    match event.kind {
        MouseEventKind::ScrollUp | MouseEventKind::ScrollDown => {
            let (by, action): (isize, _) = match event.kind {
                MouseEventKind::ScrollUp => (-3, Action::Up),
                _ => (3, Action::Down),
            };
            did(state, action);
            if state.view() == View::Overview {
                let areas = layout::overview(state, snapshot);
                if areas.blocks.contains(at) {
                    state.focus = Focus::Blocks;
                    return go(state, by.signum(), snapshot, lines);
                }
                if areas.table.contains(at) {
                    state.focus = Focus::Table;
                }
            }
            go(state, by, snapshot, lines);
        }
        MouseEventKind::Down(MouseButton::Left) => {
            state.notice = None;
            if state.prompt.is_some() {
                return;
            }
            if let Some(menu) = &mut state.menu {
                let inner = layout::inside(layout::menu(state.size, menu));
                let row = row_at(inner, at, 1).map(|row| layout::menu_top(menu, inner.height) + row);
                match row.filter(|row| *row < menu.items.len()) {
                    Some(row) => {
                        menu.at = row;
                        choose(state, snapshot, effects);
                    }
                    None => state.menu = None,
                }
                return;
            }
            match state.view() {
                View::Overview => press(state, at, snapshot, lines, effects),
                View::Lines => {
                    let body = layout::sub(state).body;
                    state.lines.drags = layout::is_on_bar(body, at);
                    if state.lines.drags {
                        state.lines.select(layout::row_of_bar(body, at.y, lines.index.len()), lines);
                    } else if let Some(row) = row_at(layout::inside(body), at, 1) {
                        let i = state.lines.top + row;
                        if i == state.lines.at && !lines.index.is_empty() {
                            did(state, Action::Open);
                            open(state, snapshot, lines, effects);
                        } else if i < lines.index.len() {
                            did(state, Action::Down);
                            state.lines.select(i, lines);
                        }
                    }
                }
                _ => {}
            }
        }
        MouseEventKind::Drag(MouseButton::Left) if state.drag.is_some() => {
            let plot = layout::plot(&layout::overview(state, snapshot), snapshot);
            state.cursor = bar_at(&plot, at).map(|b| plot.time(b)).or(state.cursor);
        }
        MouseEventKind::Drag(MouseButton::Left) if state.lines.drags => {
            let body = layout::sub(state).body;
            state.lines.select(layout::row_of_bar(body, at.y, lines.index.len()), lines);
        }
        MouseEventKind::Up(MouseButton::Left) => {
            state.lines.drags = false;
            if let (Some(a), Some(b)) = (state.drag.take(), state.cursor)
                && a != b
            {
                did(state, Action::Time);
                let plot = layout::plot(&layout::overview(state, snapshot), snapshot);
                let (since, until) = (a.min(b), a.max(b) + plot.width_s - 1);
                state.crumbs.retain(|c| !matches!(c, Crumb::Span { .. }));
                state.crumbs.push(Crumb::Span { since: Some(since), until: Some(until) });
                set_filter(state, effects);
            }
        }
        _ => {}
    }
}

/// Which bar is under the mouse; left and right of the plot the first and last.
fn bar_at(plot: &Plot, at: Position) -> Option<usize> {
    if plot.bars == 0 {
        return None;
    }
    let column = at.x.saturating_sub(plot.area.x).min(plot.area.width.saturating_sub(1));
    plot.bar(column)
}

fn row_at(inner: Rect, at: Position, lines: u16) -> Option<usize> {
    inner.contains(at).then(|| usize::from((at.y - inner.y) / lines.max(1)))
}

/// A click on the overview.
fn press(state: &mut State, at: Position, snapshot: &Snapshot, lines: &LineList, effects: &mut Vec<Effect>) {
    let areas: Areas = layout::overview(state, snapshot);
    if areas.news.contains(at) {
        act(state, Action::Block, snapshot, lines, effects);
    } else if areas.crumbs.contains(at) {
        let hit = crumb_spans(state).into_iter().find(|(x, w, _)| (*x..x + w).contains(&at.x));
        if let Some((_, _, keep)) = hit
            && keep < state.crumbs.len()
        {
            did(state, Action::Back);
            state.crumbs.truncate(keep);
            set_filter(state, effects);
        }
    } else if areas.blocks.contains(at) {
        state.focus = Focus::Blocks;
        let inner = if areas.framed { layout::inside(areas.blocks) } else { areas.blocks };
        if let Some(row) = row_at(inner, at, areas.block_lines) {
            let i = state.blocks.top + row;
            if i >= state.blocks.order.len() {
            } else if i == state.blocks.at && state.blocks.selected.is_some() {
                did(state, Action::Open);
                open(state, snapshot, lines, effects);
            } else {
                did(state, Action::Down);
                select_block(state, i, snapshot);
            }
        }
    } else if areas.chart.contains(at) {
        state.focus = Focus::Chart;
        let plot = layout::plot(&areas, snapshot);
        state.cursor = bar_at(&plot, at).map(|b| plot.time(b));
        state.drag = state.cursor;
        if areas.heat && (plot.area.top()..plot.area.bottom()).contains(&at.y) {
            let row = state.heat.top + usize::from(at.y - plot.area.y);
            if row < state.heat.order.len() {
                select_forest(state, row, snapshot);
            }
        }
    } else if areas.table.contains(at) {
        state.focus = Focus::Table;
        if at.y == areas.table.y {
            let hit = layout::tabs(areas.table).iter().position(|(x, w)| (*x..x + w).contains(&at.x));
            if let Some(i) = hit {
                did(state, Action::Tab(i as u8));
                state.tab = Tab::ALL[i];
            }
            return;
        }
        let inner = layout::cells(areas.table);
        let Some(row) = row_at(inner, at, 1) else { return };
        if row == 0 {
            let x = at.x.saturating_sub(inner.x);
            let placed = columns::place(state.tab, inner.width, snapshot);
            if let Some(p) = placed.iter().find(|p| (p.x..p.x + p.width).contains(&x)) {
                did(state, Action::SortMenu);
                sort_by(state, Some(p.column));
            }
            return;
        }
        let tab = state.tab;
        let list = state.table_mut();
        let i = list.top + row - 1;
        if i >= list.order.len() {
            return;
        }
        if i == list.at && list.selected.is_some() {
            did(state, Action::Open);
            open(state, snapshot, lines, effects);
            return;
        }
        list.at = i;
        list.selected = list.row().and_then(|i| Row::of(tab, snapshot, i)).map(Row::key);
        did(state, Action::Down);
    }
}
