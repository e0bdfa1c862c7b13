//! The four tables: sources, domains, datacenters, replies.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

use super::chart::LOWER;
use super::{Scene, framed, has_focus, panel, share_style, span};
use crate::aggregate::{SourceRow, Status, Trend};
use crate::view::columns::{self, Column, Row, Tab};
use crate::view::layout;
use crate::view::state::Focus;
use crate::view::text;
use crate::view::theme::Theme;

/// With less room, a source's name is left away beside its address, which must not look as if it went on.
const LEAST_NAME: usize = 10;

/// ```text
/// ╭ 1 Sources ─ 2 Domains ─ 3 Datacenters ─ 4 Replies ──────────────────────────────╮
/// │ SOURCE        STATUS     ATTEMPTS▾ DELIVERED  DEFERRED  BLOCKED  BLOCKED %       │
/// │ 192.0.2.25    ■ BLOCKED    31 224     29 981         0    1 243       4.0 %      │
/// ╰──────────────────────────────────────────────────────────────────────── 1 of 12 ╯
/// ```
pub(super) fn draw(frame: &mut Frame, area: Rect, scene: &Scene) {
    if area.is_empty() {
        return;
    }
    let (state, snapshot, theme) = (scene.state, scene.snapshot, &scene.theme);
    let focus = has_focus(scene, Focus::Table);
    let list = state.table();
    let count = list.order.len();
    let mut block = framed("");
    if count > 0 {
        let place = format!(" {} of {} ", text::group(list.at as u64 + 1), text::group(count as u64));
        block = block.title_bottom(Line::styled(place, theme.dim).right_aligned());
    }
    let inner = panel(frame, area, block, focus, theme);
    let (frame_inside, inner) = (inner, layout::cells(area));
    tab_titles(frame, area, scene);
    if inner.is_empty() {
        return;
    }
    let placed = columns::place(state.tab, inner.width, snapshot);
    for p in &placed {
        let sorted = list.sort.column == Some(p.column);
        let mark = match (sorted, list.sort.ascending) {
            (false, _) => "",
            (true, true) => "▴",
            (true, false) => "▾",
        };
        let title = format!("{}{mark}", p.column.title(state.tab));
        let w = usize::from(p.width);
        let title = if p.column.is_number() { text::right(&title, w) } else { text::left(&title, w) };
        let style = if sorted { theme.accent } else { theme.dim };
        let x = inner.x + p.x;
        frame.render_widget(span(title, style), clip(inner, x, inner.y, p.width));
    }
    if count == 0 {
        let words = if !list.query.is_empty() {
            format!("no {} with {}", singular(state.tab), text::clean_most(&list.query, 64))
        } else if state.tab == Tab::Replies && snapshot.totals.counts.attempts > 0 {
            "nothing was refused".to_owned()
        } else if snapshot.progress.complete {
            "nothing".to_owned()
        } else {
            "reading …".to_owned()
        };
        let words = text::fit(&words, usize::from(inner.width));
        frame.render_widget(span(words, theme.dim), clip(inner, inner.x, inner.y + 1, inner.width));
        return;
    }
    let rows = list.order.iter().enumerate().skip(list.top).take(usize::from(inner.height.saturating_sub(1)));
    for (shown, (at, &i)) in rows.enumerate() {
        let Some(row) = Row::of(state.tab, snapshot, i as usize) else { continue };
        let y = inner.y + 1 + shown as u16;
        for p in &placed {
            let w = usize::from(p.width);
            if p.column == Column::Trend {
                frame.render_widget(trend(row, theme), clip(inner, inner.x + p.x, y, p.width));
                continue;
            }
            let mut cell = row.cell(p.column, &state.clock);
            if let (Column::Name, Row::Source(SourceRow { source_ip: Some(ip), .. })) = (p.column, row)
                && text::width(&cell) > w
                && ip.len() + LEAST_NAME > w
            {
                cell.clone_from(ip);
            }
            let cell = if p.column.is_number() { text::right(&cell, w) } else { text::left(&cell, w) };
            let x = inner.x + p.x;
            frame.render_widget(span(cell, style(row, p.column, scene)), clip(inner, x, y, p.width));
        }
        if at == list.at {
            let style = if focus { theme.selected } else { theme.marked };
            frame.buffer_mut().set_style(Rect { y, height: 1, ..frame_inside }, style);
        }
    }
}

/// The share that was blocked, part by part of the time; of a reply how often it came. Blank where nothing was tried.
fn trend<'a>(row: Row, theme: &Theme) -> Line<'a> {
    let trend = row.trend();
    let most = trend.attempts.iter().copied().max().unwrap_or(0);
    let part = |i: usize| {
        let (attempts, blocked) = (u64::from(trend.attempts[i]), u64::from(trend.blocked[i]));
        let (value, whole, style) = match row {
            Row::Reply(_) => (attempts, u64::from(most), if blocked > 0 { theme.blocked } else { theme.bar }),
            _ => (blocked, attempts, theme.blocked),
        };
        // The lowest step says that nothing was blocked: what was is seen. The highest would touch the row above.
        match (attempts, value) {
            (0, _) => span(" ", theme.dim),
            (_, 0) => span(LOWER[1], theme.dim),
            _ => span(LOWER[(value * 7).div_ceil(whole).clamp(2, 7) as usize], style),
        }
    };
    Line::from((0..Trend::PARTS).map(part).collect::<Vec<_>>())
}

fn clip(inner: Rect, x: u16, y: u16, width: u16) -> Rect {
    Rect { x, y, width, height: 1 }.intersection(inner)
}

fn singular(tab: Tab) -> &'static str {
    match tab {
        Tab::Sources => "source",
        Tab::Domains => "domain",
        Tab::Datacenters => "datacenter",
        Tab::Replies => "reply",
    }
}

fn tab_titles(frame: &mut Frame, area: Rect, scene: &Scene) {
    let theme = &scene.theme;
    for (i, (tab, (x, w))) in Tab::ALL.into_iter().zip(layout::tabs(area)).enumerate() {
        let is_open = tab == scene.state.tab;
        let name = text::left(&format!("{} {}", i + 1, tab.title()), usize::from(w));
        let line = Line::from(vec![
            span(name[..1].to_owned(), if is_open { theme.key } else { theme.dim }),
            span(name[1..].to_owned(), if is_open { theme.title } else { theme.dim }),
        ]);
        let around = Rect { x: x - 1, y: area.y, width: w + 2, height: 1 }.intersection(area);
        frame.render_widget(span(" ".repeat(usize::from(around.width)), theme.text), around);
        frame.render_widget(line, clip(area, x, area.y, w));
    }
}

/// Colour where something is wrong, grey where a number says little, plain otherwise.
fn style(row: Row, column: Column, scene: &Scene) -> Style {
    let theme = &scene.theme;
    let of_status = |status: Status| match status {
        Status::Blocked => theme.blocked,
        Status::Throttled => theme.throttled,
        Status::Clear => theme.dim,
    };
    match column {
        Column::Status => of_status(row.status()),
        Column::Code | Column::Class => match row.status() {
            Status::Clear => theme.text,
            status => of_status(status),
        },
        Column::Share | Column::Blocked if row.number(Column::Blocked) == 0 => theme.dim,
        Column::Share => share_style(row.number(Column::Attempts), theme.blocked, theme),
        Column::Blocked => theme.blocked,
        Column::Throttled if row.number(column) > 0 => theme.throttled,
        c if c.is_number() && row.number(c) == 0 => theme.dim,
        Column::Name => theme.text,
        Column::Platform
        | Column::Region
        | Column::Sites
        | Column::LastAccepted
        | Column::First
        | Column::Last => theme.dim,
        _ => theme.text,
    }
}
