//! Moving: up, down and sideways, from panel to panel, through time.

use super::Effect;
use super::{note, set_filter};
use crate::aggregate::Snapshot;
use crate::engine::LineList;
use crate::view::columns::{Row, Tab};
use crate::view::keys::View;
use crate::view::layout;
use crate::view::state::{Crumb, Face, Focus, State};

/// Rows of a page in what is seen.
pub(super) fn page(state: &State, snapshot: &Snapshot) -> usize {
    let areas = layout::overview(state, snapshot);
    let rows = match (state.view(), state.focus) {
        (View::Overview, Focus::Blocks) => areas.blocks_shown(),
        (View::Overview, _) => areas.table_rows(),
        _ => layout::line_rows(state),
    };
    rows.saturating_sub(1).max(1)
}

fn moved(at: usize, by: isize, count: usize) -> usize {
    at.saturating_add_signed(by).min(count.saturating_sub(1))
}

/// Up or down in what has the focus.
pub(super) fn go(state: &mut State, by: isize, snapshot: &Snapshot, lines: &LineList) {
    match (state.view(), state.focus) {
        (View::Overview, focus) => {
            let tiny = layout::overview(state, snapshot).tiny;
            match focus {
                Focus::Chart if !tiny && state.face == Face::Datacenters => {
                    select_forest(state, moved(state.heat.at, by, state.heat.order.len()), snapshot);
                }
                Focus::Table if !tiny => {
                    let tab = state.tab;
                    let list = state.table_mut();
                    list.at = moved(list.at, by, list.order.len());
                    list.selected = list.row().and_then(|i| Row::of(tab, snapshot, i)).map(Row::key);
                }
                _ => select_block(state, moved(state.blocks.at, by, state.blocks.order.len()), snapshot),
            }
        }
        (View::Lines, _) => {
            let at = moved(state.lines.at, by, lines.index.len());
            state.lines.select(at, lines);
        }
        _ => {
            if let Some(screen) = state.screens.last_mut() {
                // Drawing stops at the last line; the state is put right there by `settle`.
                screen.scroll = moved(screen.scroll, by, 100_000);
            }
        }
    }
}

pub(super) fn select_block(state: &mut State, at: usize, snapshot: &Snapshot) {
    state.blocks.at = at;
    state.blocks.selected = state.onset(snapshot).map(|o| o.id.clone());
    state.news.retain(|news| Some(&news.id) != state.blocks.selected.as_ref());
}

pub(super) fn sideways(state: &mut State, by: isize, snapshot: &Snapshot) {
    match (state.view(), state.focus) {
        (View::Lines, _) => {
            let across = state.lines.across.saturating_add_signed(by * 16);
            state.lines.across = across.min(1_000_000);
        }
        (_, Focus::Chart) => {
            let plot = layout::plot(&layout::overview(state, snapshot), snapshot);
            if plot.bars == 0 {
                return;
            }
            let bar = match state.cursor {
                Some(at) => {
                    let bar = (at - plot.start).div_euclid(plot.width_s).max(0) as usize;
                    moved(bar, by, plot.bars)
                }
                None => plot.bars - 1,
            };
            state.cursor = Some(plot.time(bar));
        }
        (_, Focus::Table) => {
            state.tab = Tab::ALL[(state.tab as usize).wrapping_add_signed(by) % 4];
        }
        (_, Focus::Blocks) => {}
    }
}

pub(super) fn panel(state: &mut State, by: usize, snapshot: &Snapshot) {
    let order = [Focus::Blocks, Focus::Chart, Focus::Table];
    let at = order.iter().position(|f| *f == state.focus).unwrap_or(0);
    state.focus = order[(at + by) % 3];
    if state.enlarged.is_some() {
        state.enlarged = Some(state.focus);
    }
    if state.focus == Focus::Chart {
        focus_chart(state, snapshot);
    }
}

/// The chart gets the keys, and a cursor.
pub(super) fn focus_chart(state: &mut State, snapshot: &Snapshot) {
    state.focus = Focus::Chart;
    if state.enlarged.is_some() {
        state.enlarged = Some(Focus::Chart);
    }
    if state.cursor.is_none() {
        sideways(state, 0, snapshot);
    }
}

/// Puts the cursor of the chart's second face on a forest.
pub(super) fn select_forest(state: &mut State, at: usize, snapshot: &Snapshot) {
    state.heat.at = at;
    let row = state.heat.row().and_then(|i| Row::of(Tab::Datacenters, snapshot, i));
    state.heat.selected = row.map(Row::key);
}

pub(super) fn step_block(state: &mut State, by: isize, snapshot: &Snapshot) {
    if state.blocks.order.is_empty() {
        state.notice = note("no block to go to");
        return;
    }
    let at = if state.focus == Focus::Blocks || state.view() == View::Block {
        moved(state.blocks.at, by, state.blocks.order.len())
    } else {
        state.blocks.at
    };
    select_block(state, at, snapshot);
    state.focus = Focus::Blocks;
    state.cursor = state.onset(snapshot).map(|o| o.start.seconds);
    if let Some(screen) = state.screens.last_mut() {
        screen.scroll = 0;
    }
}

pub(super) fn zoom(state: &mut State, snapshot: &Snapshot, factor: f64, effects: &mut Vec<Effect>) {
    let Some((first, last)) = State::whole(snapshot) else { return };
    let span = state.crumbs.iter().rev().find_map(|c| match c {
        Crumb::Span { since, until } => Some((since.unwrap_or(first), until.unwrap_or(last))),
        Crumb::Pick { .. } => None,
    });
    let (a, b) = span.unwrap_or((first, last));
    let centre = state.cursor.unwrap_or(if factor < 1.0 && state.focus != Focus::Chart {
        b - (b - a) / 4
    } else {
        a + (b - a) / 2
    });
    let half = (((b - a) as f64 * factor / 2.0) as i64).max(30);
    let since = (centre - half).min(last - 2 * half).max(first);
    let until = (since + 2 * half).min(last);
    state.crumbs.retain(|c| !matches!(c, Crumb::Span { .. }));
    // A minute less than all is all.
    if until - since + 60 < last - first {
        state.crumbs.push(Crumb::Span { since: Some(since), until: Some(until) });
    } else if span.is_none() {
        return;
    }
    let cursor = state.cursor;
    set_filter(state, effects);
    state.cursor = cursor;
}
