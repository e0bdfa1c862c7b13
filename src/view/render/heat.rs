//! Datacenters by time: one row a forest, the first to refuse on top.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::chart::{axis, per};
use super::{Scene, framed, has_focus, panel, share_style, span};
use crate::aggregate::{Bucket, DatacenterRow};
use crate::view::heat::{Level, bars, level};
use crate::view::layout::{self, Areas, NAMES, Plot};
use crate::view::state::Focus;
use crate::view::text;
use crate::view::theme::Theme;

/// From the least to the most: the symbol alone tells the share.
const SHADES: [&str; 4] = ["░", "▒", "▓", "█"];

/// ```text
/// ╭ Datacenters, per 10 min ───── blocked: ░ to 10 %  ▒ to 50 %  ▓ to 90 %  █ more  · accepted  ~ deferred ╮
/// │ nam10 ····▒▓████████████████████                                                                        │
/// │ eur01 ···········▒███████████▓░····                                                                     │
/// │ apc01 ····················▓██████                                                                       │
/// │      └────▼──────────────────────────                                                                   │
/// │       09:00      10:00      11:00                                                                       │
/// ╰─────────────────────────────────── eur01  10:10 to 10:20  12 of 120 blocked (10.0 %)  3 deferred ───────╯
/// ```
pub(super) fn draw(frame: &mut Frame, areas: &Areas, scene: &Scene) {
    if areas.chart.is_empty() {
        return;
    }
    let (state, theme) = (scene.state, &scene.theme);
    let plot = layout::plot(areas, scene.snapshot);
    let focus = has_focus(scene, Focus::Chart);
    let rows = usize::from(plot.area.height);
    let count = state.heat.order.len();
    if !areas.spark {
        let mut block = framed(Line::from(vec![
            span(if areas.chart.width < 120 { " Datacenters" } else { " Datacenters by time" }, theme.title),
            span(if plot.bars > 0 { format!(", per {} ", per(plot.width_s)) } else { " ".into() }, theme.dim),
        ]))
        .title_top(legend(theme, areas.chart.width).right_aligned());
        if count > rows && rows > 0 {
            let last = (state.heat.top + rows).min(count);
            let shown = format!(" {} to {last} of {count} ", state.heat.top + 1);
            block = block.title_bottom(Line::styled(shown, theme.dim));
        }
        if let Some(readout) = readout(&plot, scene, usize::from(areas.chart.width.saturating_sub(4))) {
            block = block.title_bottom(readout.right_aligned());
        }
        let inner = panel(frame, areas.chart, block, focus, theme);
        if plot.bars == 0 || rows == 0 {
            let words = if scene.snapshot.progress.complete { "nothing to draw" } else { "reading …" };
            let line = Rect { height: inner.height.min(1), ..inner };
            frame.render_widget(span(format!("  {words}"), theme.dim), line);
            return;
        }
        axis(frame, &plot, inner, scene);
    }
    let cursor = state.cursor.map(|at| (at - plot.start).div_euclid(plot.width_s.max(1)));
    let shown = state.heat.order.iter().enumerate().skip(state.heat.top).take(rows);
    for ((at, &row), y) in shown.zip(plot.area.y..) {
        let Some(row) = scene.snapshot.datacenters.get(row as usize) else { continue };
        let name = text::right(&name(row), usize::from(NAMES) - 1);
        let is_chosen = at == state.heat.at && focus;
        let style = if is_chosen { theme.text.patch(theme.selected) } else { theme.text };
        frame.buffer_mut().set_string(plot.area.x.saturating_sub(NAMES), y, &name, style);
        let bars = bars(&plot, row);
        for x in 0..plot.area.width {
            let Some(bar) = plot.bar(x) else { continue };
            let (symbol, style) = symbol(&bars[bar], theme);
            let cell = &mut frame.buffer_mut()[(plot.area.x + x, y)];
            cell.set_symbol(symbol).set_style(style);
            if let Some(style) = theme.cursor.filter(|_| cursor == Some(bar as i64)) {
                cell.set_style(style);
            }
        }
    }
}

fn name(row: &DatacenterRow) -> String {
    text::clean_most(row.forest.as_deref().unwrap_or("none"), 16)
}

fn symbol(bucket: &Bucket, theme: &Theme) -> (&'static str, Style) {
    match level(bucket) {
        Level::Untried => (" ", theme.dim),
        Level::Accepted => ("·", theme.good),
        Level::Deferred => ("~", theme.throttled),
        Level::Blocked(n) => (SHADES[n], theme.heat[n]),
    }
}

fn legend<'a>(theme: &Theme, width: u16) -> Line<'a> {
    if width < 76 {
        return Line::default();
    }
    let mut spans = vec![span(" blocked:", theme.dim)];
    for ((shade, style), words) in SHADES.into_iter().zip(theme.heat).zip(["to 10 %", "50 %", "90 %", "more"])
    {
        spans.push(span(format!(" {shade}"), style));
        spans.push(span(format!(" {words}"), theme.dim));
    }
    if width >= 100 {
        spans.push(span("  ·", theme.good));
        spans.push(span(" accepted  ", theme.dim));
        spans.push(span("~", theme.throttled));
        spans.push(span(" deferred", theme.dim));
    }
    spans.push(Span::raw(" "));
    Line::from(spans)
}

/// What the cell under the cursor counts.
fn readout<'a>(plot: &Plot, scene: &Scene, width: usize) -> Option<Line<'a>> {
    let theme = &scene.theme;
    let row = scene.snapshot.datacenters.get(scene.state.heat.row()?)?;
    let bar = (scene.state.cursor? - plot.start).div_euclid(plot.width_s.max(1));
    let bar = usize::try_from(bar).ok()?;
    let bucket = *bars(plot, row).get(bar)?;
    let (total, at) = (bucket.total(), plot.time(bar));
    let blocked = if bucket.blocked > 0 { theme.blocked } else { theme.text };
    let mut parts =
        vec![(name(row), theme.strong, 0), (scene.state.clock.range(at, at + plot.width_s), theme.text, 3)];
    if total == 0 {
        parts.push(("not tried".to_owned(), theme.dim, 1));
    } else {
        parts.push((
            format!("{} of {} blocked", text::group(bucket.blocked), text::group(total)),
            blocked,
            1,
        ));
        parts.push((text::percent(bucket.blocked, total), share_style(total, blocked, theme), 2));
    }
    if bucket.deferred > 0 {
        parts.push((format!("{} deferred", text::group(bucket.deferred)), theme.throttled, 4));
    }
    let mut spans = vec![Span::raw(" ")];
    spans.extend(super::fitting(parts, width.saturating_sub(2)));
    spans.push(Span::raw(" "));
    Some(Line::from(spans))
}
