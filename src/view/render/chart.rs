//! Attempts over time: stacked columns with trouble at the bottom, where it has a common ground and shows its begin.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::text::{Line, Span};

use super::{Scene, fitting, framed, has_focus, panel, share_style, span};
use crate::aggregate::Bucket;
use crate::detect::OnsetStatus;
use crate::view::clock::{Clock, duration};
use crate::view::layout::{self, Areas, Plot};
use crate::view::state::Focus;
use crate::view::text;
use crate::view::theme::Theme;

pub(super) const LOWER: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

const BLOCKED: &str = "█";

/// The parts of a column from the ground up: value, style, and what stands for it without colours.
fn parts(bucket: &Bucket, theme: &Theme) -> [(u64, Style, &'static str); 4] {
    [
        (bucket.blocked, theme.blocked, BLOCKED),
        (bucket.deferred, theme.throttled, "▓"),
        (bucket.bounced, theme.bounced, "▒"),
        (bucket.delivered, theme.bar, "░"),
    ]
}

/// ```text
/// ╭ Attempts to Microsoft, per 10 min ──────── ■ blocked ■ deferred ■ bounced ■ delivered ╮
/// │  1 200 ┤      ▂▅█▇▅                                                                   │
/// │    600 ┤  ▂▄▆█████████▅▂▁                                                             │
/// │        └──────────▼──────────────────────────────△────────────────────────────────── │
/// │         09:00      10:00      11:00                                                   │
/// ╰───────────────────────────────────── 09:40 to 09:50  1 204 attempts, 310 blocked ─────╯
/// ```
pub(super) fn draw(frame: &mut Frame, areas: &Areas, scene: &Scene) {
    if areas.chart.is_empty() {
        return;
    }
    let plot = layout::plot(areas, scene.snapshot);
    let bars = bars(&plot, scene);
    if areas.spark {
        return spark(frame, areas.chart, &plot, &bars, scene);
    }
    let theme = &scene.theme;
    let mut block = framed(Line::from(vec![
        span(if areas.chart.width < 100 { " Attempts" } else { " Attempts to Microsoft" }, theme.title),
        span(if plot.bars > 0 { format!(", per {} ", per(plot.width_s)) } else { " ".into() }, theme.dim),
    ]))
    .title_top(legend(scene, areas.chart.width).right_aligned());
    if let Some(readout) = readout(&plot, &bars, scene, usize::from(areas.chart.width)) {
        block = block.title_bottom(readout.right_aligned());
    }
    let inner = panel(frame, areas.chart, block, has_focus(scene, Focus::Chart), theme);
    if plot.bars == 0 || plot.area.height == 0 {
        let words = if scene.snapshot.progress.complete { "nothing to draw" } else { "reading …" };
        frame.render_widget(
            span(format!("  {words}"), theme.dim),
            Rect { height: inner.height.min(1), ..inner },
        );
        return;
    }
    let most = bars.iter().map(Bucket::total).max().unwrap_or(0).max(1);
    columns(frame, &plot, &bars, most, scene);
    scale(frame, &plot, inner, most, theme);
    axis(frame, &plot, inner, scene);
}

/// Sums of the buckets that each bar holds.
fn bars(plot: &Plot, scene: &Scene) -> Vec<Bucket> {
    let series = &scene.snapshot.series;
    let mut bars = vec![Bucket::default(); plot.bars];
    for (i, bucket) in series.buckets.iter().enumerate() {
        let at = series.start + i as i64 * series.width_s;
        let bar = (at - plot.start).div_euclid(plot.width_s);
        if let Some(bar) = usize::try_from(bar).ok().and_then(|b| bars.get_mut(b)) {
            bar.add(bucket);
        }
    }
    bars
}

pub(super) fn per(width_s: i64) -> String {
    match width_s {
        s if s % 86_400 == 0 && s > 86_400 => format!("{} d", s / 86_400),
        86_400 => "day".to_owned(),
        3600 => "hour".to_owned(),
        60 => "minute".to_owned(),
        1 => "second".to_owned(),
        s if s % 3600 == 0 => format!("{} h", s / 3600),
        s if s % 60 == 0 => format!("{} min", s / 60),
        s => duration(s),
    }
}

fn legend<'a>(scene: &Scene, width: u16) -> Line<'a> {
    if width < 76 {
        return Line::default();
    }
    let theme = &scene.theme;
    let all = parts(&Bucket::default(), theme);
    let mut spans = vec![Span::raw(" ")];
    for ((_, style, glyph), word) in all.into_iter().zip(["blocked", "deferred", "bounced", "delivered"]) {
        spans.push(span(if theme.plain { glyph } else { "■" }, style));
        spans.push(span(format!(" {word}  "), theme.dim));
    }
    if let Some(last) = spans.last_mut() {
        *last = span(last.content.trim_end().to_owned() + " ", theme.dim);
    }
    Line::from(spans)
}

/// What the bar under the cursor holds.
fn readout<'a>(plot: &Plot, bars: &[Bucket], scene: &Scene, width: usize) -> Option<Line<'a>> {
    let theme = &scene.theme;
    let bar = (scene.state.cursor? - plot.start).div_euclid(plot.width_s.max(1));
    let bar = usize::try_from(bar).ok()?;
    let bucket = bars.get(bar)?;
    let clock = &scene.state.clock;
    let at = plot.time(bar);
    let total = bucket.total();
    let mut shown = vec![
        (clock.range(at, at + plot.width_s), theme.strong, 0),
        (text::plural(total, "attempt", "attempts"), theme.text, 1),
    ];
    for (i, ((value, style, _), word)) in
        parts(bucket, theme).into_iter().zip(["blocked", "deferred", "bounced", "delivered"]).enumerate()
    {
        if value > 0 {
            shown.push((format!("{} {word}", text::group(value)), style, 2 + 2 * i as u8));
            if word == "blocked" {
                shown.push((text::percent(value, total), share_style(total, style, theme), 3));
            }
        }
    }
    let mut spans = vec![Span::raw(" ")];
    spans.extend(fitting(shown, width.saturating_sub(4)));
    spans.push(Span::raw(" "));
    Some(Line::from(spans))
}

/// Heights of the parts in eighths of a cell, from the ground up: what is there is seen.
fn heights(bucket: &Bucket, most: u64, eighths: u64, theme: &Theme) -> [(u64, Style, &'static str); 4] {
    let total = bucket.total();
    let mut all = parts(bucket, theme);
    let height = |value: u64| {
        let exact = value as f64 * eighths as f64 / most as f64;
        if value == 0 { 0 } else { (exact.round() as u64).max(1) }
    };
    let mut left = height(total);
    for part in &mut all {
        part.0 = height(part.0).min(left);
        left -= part.0;
    }
    // Rounding must not lower the column.
    if left > 0
        && let Some(part) = all.iter_mut().rev().find(|p| p.0 > 0)
    {
        part.0 += left;
    }
    all
}

fn columns(frame: &mut Frame, plot: &Plot, bars: &[Bucket], most: u64, scene: &Scene) {
    let theme = &scene.theme;
    let area = plot.area;
    let cursor = scene.state.cursor.map(|at| (at - plot.start).div_euclid(plot.width_s));
    let buffer = frame.buffer_mut();
    for x in 0..area.width {
        let Some(bar) = plot.bar(x) else { continue };
        let heights = heights(&bars[bar], most, u64::from(area.height) * 8, theme);
        for row in 0..area.height {
            let (low, high) = (u64::from(row) * 8, u64::from(row) * 8 + 8);
            let cell = &mut buffer[(area.x + x, area.bottom() - 1 - row)];
            if cursor == Some(bar as i64) {
                match theme.cursor {
                    Some(style) => cell.set_style(style),
                    None => cell.set_symbol("┊"),
                };
            }
            let mut top = 0;
            // The parts that reach into this cell, from the ground up: where each begins and ends in it.
            let mut inside = heights.iter().filter_map(|&(height, style, glyph)| {
                let bottom = top;
                top += height;
                let is_in = height > 0 && bottom < high && top > low;
                is_in.then(|| (bottom.max(low) - low, top.min(high) - low, style, glyph))
            });
            let Some((_, end, style, glyph)) = inside.next() else { continue };
            let rest: Vec<_> = inside.collect();
            let top = rest.last().map_or(end, |last| last.1);
            let color = |style: Style| style.fg.unwrap_or(Color::Reset);
            // One colour or one symbol: of what is most; but a block is always seen at the ground, and a quarter of the
            // cell is enough for it above.
            let mut chief = (end, style, glyph);
            for &(from, to, style, glyph) in &rest {
                let is_block = chief.2 == BLOCKED && (row == 0 || end * 4 >= top);
                if to - from > chief.0 && !is_block {
                    chief = (to - from, style, glyph);
                }
            }
            if theme.plain {
                cell.set_symbol(if top >= 4 { chief.2 } else { LOWER[top as usize] });
            } else if top < 8 {
                cell.set_symbol(LOWER[top as usize]).fg = color(chief.1);
            } else {
                // Two colours a cell: the lowest part, and behind it the largest of the others.
                cell.set_symbol(LOWER[end as usize]).fg = color(style);
                if let Some(next) = rest.iter().max_by_key(|(from, to, ..)| to - from) {
                    cell.bg = color(next.2);
                }
            }
        }
    }
}

/// The numbers on the left.
fn scale(frame: &mut Frame, plot: &Plot, inner: Rect, most: u64, theme: &Theme) {
    let width = usize::from(plot.area.x - inner.x).saturating_sub(1);
    let mut label = |row: u16, value: u64| {
        let number = if value < 100_000 {
            text::group(value)
        } else if value < 10_000_000 {
            format!("{:.0} k", value as f64 / 1e3)
        } else {
            format!("{:.0} M", value as f64 / 1e6)
        };
        let area = Rect { y: plot.area.y + row, height: 1, width: width as u16, ..inner };
        frame.render_widget(span(text::right(&number, width), theme.dim), area);
    };
    label(0, most);
    if plot.area.height >= 5 && most > 1 {
        label(plot.area.height / 2, most / 2);
    }
    let buffer = frame.buffer_mut();
    for y in plot.area.top()..plot.area.bottom() {
        let tick = y == plot.area.y || plot.area.height >= 5 && y == plot.area.y + plot.area.height / 2;
        buffer[(plot.area.x - 1, y)].set_symbol(if tick { "┤" } else { "│" }).set_style(theme.border);
    }
}

/// The ground line with the marks, and the times below.
pub(super) fn axis(frame: &mut Frame, plot: &Plot, inner: Rect, scene: &Scene) {
    let theme = &scene.theme;
    let y = plot.area.bottom();
    if y >= inner.bottom() {
        return;
    }
    let buffer = frame.buffer_mut();
    buffer[(plot.area.x - 1, y)].set_symbol("└").set_style(theme.border);
    let cursor = scene.state.cursor.map(|at| (at - plot.start).div_euclid(plot.width_s));
    for x in 0..plot.area.width {
        let cell = &mut buffer[(plot.area.x + x, y)];
        if theme.cursor.is_none() && cursor.is_some() && plot.bar(x).map(|bar| bar as i64) == cursor {
            cell.set_symbol("━").set_style(theme.strong);
        } else {
            cell.set_symbol("─").set_style(theme.border);
        }
    }
    for onset in &scene.snapshot.onsets {
        if let (OnsetStatus::Cleared, Some(end)) = (onset.status, onset.end)
            && let Some(x) = plot.column(end.seconds)
        {
            buffer[(plot.area.x + x, y)].set_symbol("△").set_style(theme.good);
        }
    }
    for onset in &scene.snapshot.onsets {
        if let Some(x) = plot.column(onset.start.seconds) {
            let style = super::blocks::status_style(onset, theme);
            buffer[(plot.area.x + x, y)].set_symbol("▼").set_style(style);
        }
    }
    if y + 1 >= inner.bottom() {
        return;
    }
    let mut free = inner.x;
    for (column, label) in labels(plot, &scene.state.clock) {
        let w = text::width(&label) as u16;
        let x = plot.area.x + column;
        if x >= free && x + w <= inner.right() {
            frame.buffer_mut().set_string(x, y + 1, &label, theme.dim);
            free = x + w + 2;
        }
    }
}

/// Times under the axis: round ones in local time, far enough apart.
fn labels(plot: &Plot, clock: &Clock) -> Vec<(u16, String)> {
    const STEPS: [i64; 18] = [
        10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800,
        2_592_000, 31_536_000,
    ];
    let span_s = plot.width_s * plot.bars as i64;
    let room = i64::from(plot.area.width / 12).max(1);
    let step = STEPS.into_iter().find(|s| span_s / s <= room).unwrap_or(31_536_000);
    let mut labels = Vec::new();
    let offset = i64::from(clock.at(plot.start).offset().seconds());
    let mut at = (plot.start + offset).div_euclid(step) * step - offset;
    while at < plot.start + span_s && labels.len() < 64 {
        if let Some(column) = plot.column(at) {
            let zoned = clock.at(at);
            let midnight = zoned.hour() == 0 && zoned.minute() == 0;
            let label = if step >= 86_400 || midnight {
                clock.day(at)
            } else if step < 60 {
                zoned.strftime("%H:%M:%S").to_string()
            } else {
                clock.minute(at)
            };
            labels.push((column, label));
        }
        at += step;
    }
    labels
}

/// `▁▂▅█▇▅▂  per 10 min, most 1 200, 310 blocked`
fn spark(frame: &mut Frame, area: Rect, plot: &Plot, bars: &[Bucket], scene: &Scene) {
    let theme = &scene.theme;
    let most = bars.iter().map(Bucket::total).max().unwrap_or(0).max(1);
    let buffer = frame.buffer_mut();
    for x in 0..plot.area.width {
        let Some(bucket) = plot.bar(x).and_then(|b| bars.get(b)) else { continue };
        let total = bucket.total();
        let height =
            if total == 0 { 0 } else { (total as f64 * 8.0 / most as f64).round().max(1.0) as usize };
        let style = if bucket.blocked > 0 {
            theme.blocked
        } else if bucket.deferred > 0 {
            theme.throttled
        } else {
            theme.bar
        };
        buffer[(plot.area.x + x, plot.area.y)].set_symbol(LOWER[height.min(8)]).set_style(style);
    }
    let blocked: u64 = bars.iter().map(|b| b.blocked).sum();
    let mut words = if plot.bars == 0 {
        "no attempts yet".to_owned()
    } else {
        format!("per {}, {} blocked", per(plot.width_s), text::group(blocked))
    };
    words = text::fit(&words, 28);
    let x = area.right().saturating_sub(text::width(&words) as u16 + 1);
    frame.buffer_mut().set_string(x.max(area.x), area.y, &words, theme.dim);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::theme::ThemeName;

    #[test]
    fn a_single_refusal_is_seen_and_columns_keep_their_height() {
        let theme = ThemeName::Dark.theme();
        let bucket = Bucket { delivered: 9_999, blocked: 1, ..Bucket::default() };
        let all = heights(&bucket, 10_000, 64, &theme);
        assert_eq!(all.map(|p| p.0), [1, 0, 0, 63]);
        let bucket = Bucket { delivered: 1, deferred: 1, blocked: 1, bounced: 1 };
        assert_eq!(heights(&bucket, 4, 64, &theme).map(|p| p.0), [16; 4]);
    }
}
