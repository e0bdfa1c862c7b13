//! Where everything stands: pure functions of the state, asked by drawing and by the mouse.

use ratatui::layout::{Position, Rect};

use super::state::{Face, Focus, Menu, State};
use super::text;
use crate::aggregate::Snapshot;
use crate::detect::Family;

/// Panels of the overview; an absent one has no area.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Areas {
    pub header: Rect,
    pub crumbs: Rect,
    pub news: Rect,
    pub blocks: Rect,
    pub chart: Rect,
    pub table: Rect,
    pub advice: Rect,
    /// Captions, where a story is told.
    pub guide: Rect,
    pub footer: Rect,
    /// The block list alone, too small for anything else.
    pub tiny: bool,
    /// Frames around panels.
    pub framed: bool,
    /// The chart is one line.
    pub spark: bool,
    /// The chart shows datacenters by time.
    pub heat: bool,
    /// Lines that one block takes.
    pub block_lines: u16,
}

impl Areas {
    /// How many blocks are seen at once.
    pub(super) fn blocks_shown(&self) -> usize {
        let frame = if self.framed { 2 } else { 0 };
        usize::from(self.blocks.height.saturating_sub(frame) / self.block_lines.max(1)).max(1)
    }

    /// How many rows of a table are seen at once.
    pub(super) fn table_rows(&self) -> usize {
        usize::from(self.table.height.saturating_sub(3))
    }
}

/// Lines of the captions: none on a small screen, which is for the data.
fn guide_lines(state: &State) -> u16 {
    let (w, h) = state.size;
    if state.guide.is_some() && w >= 80 && h >= 24 { 2 } else { 0 }
}

/// Width from which the advice has a panel of its own.
pub(super) const WIDE: u16 = 110;

/// ```text
/// wide (110 and more)             narrow                tiny (under 60x15)
/// ┌────────── header ─────────┐   ┌───── header ────┐   ┌─ header ─┐
/// ├────────── crumbs ─────────┤   ├───── crumbs ────┤   ├─ blocks ─┤
/// ├────────── news ───────────┤   ├───── blocks ────┤   │          │
/// ├────────── blocks ─────────┤   ├───── chart ─────┤   ├─ footer ─┤
/// ├────────── chart ──────────┤   ├───── table ─────┤   └──────────┘
/// ├───── table ───┬─ advice ──┤   ├───── guide ─────┤
/// ├────────── guide ──────────┤   ├───── footer ────┤
/// ├────────── footer ─────────┤   └─────────────────┘
/// └───────────────────────────┘   chart: one line under 80x20, up to three with datacenters
/// ```
pub(super) fn overview(state: &State, snapshot: &Snapshot) -> Areas {
    let (w, full) = state.size;
    let h = full - guide_lines(state);
    let block_lines = if w >= 160 && !has_long_address(snapshot) { 1 } else { 2 };
    let mut areas = Areas { block_lines, framed: true, ..Areas::default() };
    let mut y = 0;
    let mut bottom = h;
    let mut take = |height: u16, bottom: u16| {
        let height = height.min(bottom.saturating_sub(y));
        let area = Rect::new(0, y, w, height);
        y += height;
        area
    };
    areas.tiny = w < 60 || h < 15;
    areas.heat = state.face == Face::Datacenters;
    if h >= 2 {
        areas.header = take(1, bottom);
    }
    if areas.tiny {
        areas.framed = w >= 50 && h >= 9;
        areas.block_lines = if w >= 36 && h >= 7 { 2 } else { 1 };
        if h >= 6 {
            bottom -= 1;
            areas.footer = Rect::new(0, bottom, w, 1);
        }
        areas.blocks = take(h, bottom);
        return areas;
    }
    bottom -= 1;
    areas.guide = Rect::new(0, bottom, w, full - h);
    areas.footer = Rect::new(0, full - 1, w, 1);
    areas.crumbs = take(1, bottom);
    if !state.news.is_empty() {
        areas.news = take(1, bottom);
    }
    match state.enlarged {
        Some(Focus::Blocks) => {
            areas.blocks = take(h, bottom);
            return areas;
        }
        Some(Focus::Chart) => {
            areas.chart = take(h, bottom);
            return areas;
        }
        Some(Focus::Table) => {
            areas.table = take(h, bottom);
            return areas;
        }
        None => {}
    }
    areas.spark = w < 80 || h < 20;
    let most = match h {
        40.. => 8,
        28.. => 6,
        20.. => 4,
        _ => 2,
    };
    let rows = match state.blocks.order.len() {
        // One sentence, and a second for what to try, which takes two lines where they are short.
        0 if w < WIDE => 3,
        0 => 2,
        blocks => (blocks.min(64) as u16).saturating_mul(areas.block_lines),
    };
    areas.blocks = take(rows.min(most) + 2, bottom);
    let forests = snapshot.datacenters.len().clamp(1, 64) as u16;
    areas.chart = take(
        match h {
            _ if areas.spark && areas.heat => forests.min(3),
            _ if areas.spark => 1,
            40.. if areas.heat => (forests + 4).min(16),
            28.. if areas.heat => (forests + 4).min(11),
            _ if areas.heat => (forests + 4).min(9),
            40.. => 12,
            28.. => 8,
            _ => 6,
        },
        bottom,
    );
    areas.table = take(h, bottom);
    if w >= WIDE {
        let advice = (u32::from(w) * 38 / 100).clamp(44, 64) as u16;
        areas.table.width = w - advice;
        areas.advice = Rect::new(w - advice, areas.table.y, advice, areas.table.height);
    }
    areas
}

/// Whether the list of blocks has an address that leaves no room for the rest beside it.
fn has_long_address(snapshot: &Snapshot) -> bool {
    let is_long = |ip: &String| ip.len() > 20;
    snapshot.onsets.iter().any(|o| o.family != Family::Auth && o.source_ip.as_ref().is_some_and(is_long))
}

/// Parts of every other view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sub {
    pub header: Rect,
    pub body: Rect,
    pub guide: Rect,
    pub footer: Rect,
    pub framed: bool,
}

/// ```text
/// ┌─ header ─┐   from 8 lines on with header, from 6 on with footer, from 30x6 on with a frame around the body
/// ├── body ──┤
/// ├─ guide ──┤   only where a story is told
/// ├─ footer ─┤
/// └──────────┘
/// ```
pub(super) fn sub(state: &State) -> Sub {
    let (w, h) = state.size;
    let (top, foot, guide) = (u16::from(h >= 8), u16::from(h >= 6), guide_lines(state));
    Sub {
        header: Rect::new(0, 0, w, top),
        body: Rect::new(0, top, w, h - top - foot - guide),
        guide: Rect::new(0, h - foot - guide, w, guide),
        footer: Rect::new(0, h - foot, w, foot),
        framed: true,
    }
}

/// A menu in the middle of the screen.
pub(super) fn menu((w, h): (u16, u16), menu: &Menu) -> Rect {
    let widest = menu.items.iter().map(|i| text::width(&i.label)).max().unwrap_or(0);
    let width = (widest + 8).max(menu.title.len() + 6).min(usize::from(w)) as u16;
    let height = (menu.items.len() as u16 + 2).min(h);
    Rect { x: (w - width) / 2, y: (h - height) / 2, width, height }
}

/// The first item that a menu of so many rows shows.
pub(super) fn menu_top(menu: &Menu, rows: u16) -> usize {
    (menu.at + 1).saturating_sub(usize::from(rows.max(1)))
}

/// A frame's inside.
pub(super) fn inside(area: Rect) -> Rect {
    Rect::new(
        area.x + 1.min(area.width),
        area.y + 1.min(area.height),
        area.width.saturating_sub(2),
        area.height.saturating_sub(2),
    )
}

/// How many raw lines are seen at once.
pub(super) fn line_rows(state: &State) -> usize {
    usize::from(sub(state).body.height.saturating_sub(2))
}

/// Whether a place is on the scroll bar of the raw lines, which is their right border.
pub(super) fn is_on_bar(body: Rect, at: Position) -> bool {
    let inner = inside(body);
    at.x == inner.right() && (inner.top()..inner.bottom()).contains(&at.y)
}

/// Where the scroll bar's mark stands for a row of so many.
pub(super) fn bar_at(body: Rect, row: usize, count: usize) -> Position {
    let inner = inside(body);
    let last = usize::from(inner.height.saturating_sub(1));
    let down = (row as u128 * last as u128).checked_div(count.saturating_sub(1) as u128).unwrap_or(0);
    Position::new(inner.right(), inner.y + down.min(last as u128) as u16)
}

/// The row of so many that a line of the scroll bar stands for; its ends are those of the list.
pub(super) fn row_of_bar(body: Rect, y: u16, count: usize) -> usize {
    let inner = inside(body);
    let (at, last) = (y.saturating_sub(inner.y), inner.height.saturating_sub(1));
    let row = u128::from(at.min(last)) * count.saturating_sub(1) as u128;
    row.div_ceil(u128::from(last.max(1))) as usize
}

/// Where the cells of a table stand: inside the frame, a blank left and right.
pub(super) fn cells(table: Rect) -> Rect {
    let inner = inside(table);
    Rect { x: inner.x + 1.min(inner.width), width: inner.width.saturating_sub(2), ..inner }
}

/// Titles of the tabs on the table's upper border: where each begins and how wide it is.
pub(super) fn tabs(table: Rect) -> [(u16, u16); 4] {
    let titles: [u16; 4] = if table.width >= 52 { [9, 9, 13, 9] } else { [4, 4, 4, 4] };
    let mut x = table.x + 2;
    titles.map(|w| {
        let at = (x, w);
        x += w + 2;
        at
    })
}

/// Cells of the y axis' numbers.
pub(super) const AXIS: u16 = 7;

/// Cells of the forests' names.
pub(super) const NAMES: u16 = 10;

/// How the series is spread over the chart's columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Plot {
    /// Where the columns stand.
    pub area: Rect,
    /// Unix seconds of the first bar's begin.
    pub start: i64,
    /// Seconds a bar: a whole number of buckets.
    pub width_s: i64,
    /// Number of bars.
    pub bars: usize,
}

/// Widths that people can read.
const NICE: [i64; 28] = [
    1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 10_800, 14_400, 21_600, 43_200,
    86_400, 172_800, 345_600, 604_800, 1_209_600, 2_592_000, 5_184_000, 31_536_000,
];

impl Plot {
    pub(super) fn new(area: Rect, snapshot: &Snapshot) -> Self {
        let series = &snapshot.series;
        let columns = i64::from(area.width).max(1);
        if series.buckets.is_empty() || series.width_s <= 0 || area.width == 0 {
            return Self { area, width_s: series.width_s.max(1), ..Self::default() };
        }
        let end = series.start + series.buckets.len() as i64 * series.width_s;
        let mut width_s = series.width_s;
        let bars = |width: i64| {
            let start = series.start.div_euclid(width) * width;
            ((end - start + width - 1) / width, start)
        };
        while bars(width_s).0 > columns {
            let wider = NICE.iter().copied().find(|n| *n > width_s && n % series.width_s == 0);
            width_s = wider.unwrap_or(width_s * 2);
        }
        let (count, start) = bars(width_s);
        // A handful of bars is not blown up over the whole width.
        let width = columns.min(count * 6) as u16;
        Self { area: Rect { width, ..area }, start, width_s, bars: count as usize }
    }

    /// The bar at a column of the area.
    pub(super) fn bar(&self, column: u16) -> Option<usize> {
        (column < self.area.width && self.bars > 0)
            .then(|| usize::from(column) * self.bars / usize::from(self.area.width))
    }

    /// The first column of the bar that holds this time.
    pub(super) fn column(&self, seconds: i64) -> Option<u16> {
        if self.bars == 0 || seconds < self.start {
            return None;
        }
        let bar = ((seconds - self.start) / self.width_s) as usize;
        (bar < self.bars)
            .then(|| (bar * usize::from(self.area.width)).div_ceil(self.bars) as u16)
            .filter(|c| *c < self.area.width)
    }

    /// When a bar begins.
    pub(super) fn time(&self, bar: usize) -> i64 {
        self.start + bar as i64 * self.width_s
    }
}

/// The chart's columns inside its panel.
///
/// ```text
/// ╭ title ───────────── legend ╮
/// │  1 200 ┤▂▅█                │
/// │        └──▼───             │
/// │        09:00  10:00        │
/// ╰────────────────────────────╯
/// ```
pub(super) fn plot(areas: &Areas, snapshot: &Snapshot) -> Plot {
    let chart = areas.chart;
    if areas.spark && areas.heat {
        let area = Rect { x: chart.x + 1 + NAMES, width: chart.width.saturating_sub(NAMES + 2), ..chart };
        return Plot::new(area, snapshot);
    }
    if areas.spark {
        let area = Rect { x: chart.x + 1, width: chart.width.saturating_sub(30), ..chart };
        return Plot::new(area, snapshot);
    }
    let inner = inside(chart);
    let before = if areas.heat { NAMES } else { AXIS };
    let forests = u16::try_from(snapshot.datacenters.len()).unwrap_or(u16::MAX).max(1);
    let most = if areas.heat { forests } else { u16::MAX };
    let area = Rect {
        x: inner.x + before.min(inner.width),
        y: inner.y,
        width: inner.width.saturating_sub(before + 1),
        height: inner.height.saturating_sub(2).min(most),
    };
    Plot::new(area, snapshot)
}
