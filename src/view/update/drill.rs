//! Into what is selected, and back out.

use super::lines::end_hunt;
use super::moves::select_block;
use super::{Effect, did, note, push, set_filter};
use crate::aggregate::{Filter, Snapshot};
use crate::engine::LineList;
use crate::view::columns::{Row, Tab};
use crate::view::keys::{Action, View};
use crate::view::layout;
use crate::view::state::{Crumb, Face, Field, Focus, State, filter, onset_filter, onset_source};

/// Enter.
pub(super) fn open(state: &mut State, snapshot: &Snapshot, lines: &LineList, effects: &mut Vec<Effect>) {
    if state.view() == View::Lines {
        if !lines.index.is_empty() {
            state.lines.hold(lines);
            push(state, View::Line);
        }
        return;
    }
    let focus = if layout::overview(state, snapshot).tiny { Focus::Blocks } else { state.focus };
    match focus {
        Focus::Blocks => {
            did(state, Action::Block);
            open_block(state, snapshot);
        }
        Focus::Chart => {
            let plot = layout::plot(&layout::overview(state, snapshot), snapshot);
            if let Some(at) = state.cursor {
                if let Some(crumb) = forest_crumb(state, snapshot).filter(|c| !state.crumbs.contains(c)) {
                    state.crumbs.push(crumb);
                }
                let since = plot.start + (at - plot.start).div_euclid(plot.width_s) * plot.width_s;
                let last = since + plot.width_s - 1;
                state.crumbs.push(Crumb::Span { since: Some(since), until: Some(last) });
                set_filter(state, effects);
            }
        }
        Focus::Table => {
            let Some(row) = state.row(snapshot) else { return };
            let crumb = row.crumb();
            if state.crumbs.contains(&crumb) {
                open_lines(state, snapshot, effects);
                return;
            }
            state.crumbs.push(crumb);
            state.table_mut().query.clear();
            // On to the next question that is still open.
            let open = |tab: Tab| {
                !state
                    .crumbs
                    .iter()
                    .any(|c| matches!(c, Crumb::Pick { field, .. } if *field == field_of(tab)))
            };
            let next = (1..4).map(|i| Tab::ALL[(state.tab as usize + i) % 4]).find(|t| open(*t));
            state.tab = next.unwrap_or(state.tab);
            set_filter(state, effects);
        }
    }
}

/// Selects the block that the last news are about. Not where it is filtered away.
pub(super) fn select_news(state: &mut State, snapshot: &Snapshot) -> bool {
    let Some(news) = state.news.last() else { return true };
    let is_it = |&i: &u32| {
        let onset = snapshot.onsets.get(i as usize);
        onset.is_some_and(|o| o.id == news.id || o.was.as_ref() == Some(&news.id))
    };
    match state.blocks.order.iter().position(is_it) {
        Some(at) => {
            state.news.pop();
            select_block(state, at, snapshot);
        }
        None if !state.crumbs.is_empty() => return false,
        // Another look at the same lines showed that it was none.
        None => state.news.clear(),
    }
    true
}

/// The selected block: its whole story.
pub(super) fn open_block(state: &mut State, snapshot: &Snapshot) {
    if let Some(onset) = state.onset(snapshot) {
        state.news.retain(|news| news.id != onset.id);
        state.focus = Focus::Blocks;
        push(state, View::Block);
    } else {
        state.notice = note("no block to look at");
    }
}

fn field_of(tab: Tab) -> Field {
    match tab {
        Tab::Sources => Field::Source,
        Tab::Domains => Field::Domain,
        Tab::Datacenters => Field::Datacenter,
        Tab::Replies => Field::Reply,
    }
}

/// Esc and Backspace: one step back.
pub(super) fn back(state: &mut State, effects: &mut Vec<Effect>) {
    if state.view() == View::Help && !state.find.is_empty() {
        state.find.clear();
        return;
    }
    if end_hunt(state, effects) {
        state.notice = note("search ended");
        return;
    }
    if state.screens.pop().is_some() {
        return;
    }
    if state.enlarged.take().is_some() {
        return;
    }
    if !state.table().query.is_empty() {
        state.table_mut().query.clear();
        return;
    }
    if let Some(crumb) = state.crumbs.pop() {
        if let Crumb::Pick { field, .. } = crumb
            && let Some(tab) = Tab::ALL.into_iter().find(|t| field_of(*t) == field)
        {
            state.tab = tab;
        }
        set_filter(state, effects);
        return;
    }
    state.cursor = None;
    state.news.clear();
    state.focus = Focus::Table;
}

/// Of the chart's second face: the filter for the forest under the cursor.
fn forest_crumb(state: &State, snapshot: &Snapshot) -> Option<Crumb> {
    let row = state.heat.row().filter(|_| state.face == Face::Datacenters)?;
    Row::of(Tab::Datacenters, snapshot, row).map(Row::crumb)
}

/// The lines behind what is selected.
pub(super) fn open_lines(state: &mut State, snapshot: &Snapshot, effects: &mut Vec<Effect>) {
    let Some((of, filter)) = behind(state, snapshot) else {
        state.notice = note("no block selected");
        return;
    };
    end_hunt(state, effects);
    effects.push(Effect::FindLines(filter.clone()));
    state.lines.open(of, filter);
    push(state, View::Lines);
}

/// What is selected as it is called, and its filter; nothing where a block is meant and none is selected.
pub(super) fn behind(state: &State, snapshot: &Snapshot) -> Option<(String, Filter)> {
    let tiny = layout::overview(state, snapshot).tiny;
    let base = state.filter();
    let plot = layout::plot(&layout::overview(state, snapshot), snapshot);
    let behind = if state.view() == View::Block || state.focus == Focus::Blocks || tiny {
        let onset = state.onset(snapshot)?;
        (format!("the block of {}", onset_source(onset)), onset_filter(&base, onset))
    } else if let (Focus::Chart, Some(at)) = (state.focus, state.cursor) {
        let mut crumbs = vec![Crumb::Span { since: Some(at), until: Some(at + plot.width_s - 1) }];
        crumbs.extend(forest_crumb(state, snapshot));
        let names: Vec<_> = crumbs.iter().map(|c| c.text(&state.clock)).collect();
        (names.join(", "), filter(&base, &crumbs))
    } else {
        let mut crumbs = state.crumbs.clone();
        crumbs.extend(state.row(snapshot).map(Row::crumb).filter(|c| !state.crumbs.contains(c)));
        let names: Vec<_> = crumbs.iter().map(|c| c.text(&state.clock)).collect();
        (names.join(", "), filter(&state.base, &crumbs))
    };
    Some(behind)
}
