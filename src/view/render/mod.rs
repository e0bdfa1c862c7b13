//! State and data -> cells. One file a panel; all pure.

mod advice;
mod blocks;
mod chart;
mod detail;
mod guide;
mod header;
mod heat;
mod help;
mod lines;
mod messages;
mod popup;
mod tables;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Paragraph};

pub(super) use header::crumb_spans;

use super::Advice;
use super::keys::View;
use super::layout;
use super::state::{Focus, State};
use super::text;
use super::theme::Theme;
use crate::aggregate::Snapshot;
use crate::engine::LineList;

/// Reply id -> what to do.
pub type AdviceFn = dyn Fn(&str) -> Option<Advice>;

/// All that a frame is made from.
pub struct Scene<'a> {
    pub state: &'a State,
    pub snapshot: &'a Snapshot,
    pub lines: &'a LineList,
    pub advice: &'a AdviceFn,
    theme: Theme,
}

impl<'a> Scene<'a> {
    pub fn new(state: &'a State, snapshot: &'a Snapshot, lines: &'a LineList, advice: &'a AdviceFn) -> Self {
        Self { state, snapshot, lines, advice, theme: state.theme.theme() }
    }
}

/// A screen that is lower has a foot only while there is something to type or to say.
const FOOTED: u16 = 6;

/// Draws the whole screen. Gives how far the text in view can be scrolled, for the state to stay within.
pub fn draw(frame: &mut Frame, scene: &Scene) -> usize {
    let state = scene.state;
    let area = frame.area();
    frame.buffer_mut().set_style(area, scene.theme.text);
    if area.width != state.size.0 || area.height != state.size.1 || area.is_empty() {
        // A resize is on its way: the next frame fits.
        return 0;
    }
    let mut end = 0;
    if state.view() == View::Overview {
        overview(frame, scene);
    } else {
        let sub = layout::sub(state);
        header::draw(frame, sub.header, scene);
        let scroll = state.screens.last().map_or(0, |s| s.scroll);
        match state.view() {
            View::Lines => lines::draw(frame, sub.body, scene),
            View::Line => end = lines::draw_one(frame, sub.body, scene, scroll),
            View::Block => end = detail::draw(frame, sub.body, scene, scroll),
            View::Advice => end = advice::draw(frame, sub.body, scene, scroll, true),
            View::Messages => end = messages::draw(frame, sub.body, scene, scroll),
            View::Help | View::Overview => end = help::draw(frame, sub.body, scene, scroll),
        }
        guide::draw(frame, sub.guide, scene);
        header::footer(frame, sub.footer, scene);
    }
    popup::menu(frame, scene);
    if area.height < FOOTED && (state.prompt.is_some() || state.notice.is_some()) {
        header::footer(frame, Rect { y: area.height - 1, height: 1, ..area }, scene);
    }
    end
}

/// Layout: see [`layout::overview`].
fn overview(frame: &mut Frame, scene: &Scene) {
    let areas = layout::overview(scene.state, scene.snapshot);
    header::draw(frame, areas.header, scene);
    header::crumbs(frame, areas.crumbs, scene);
    header::news(frame, areas.news, scene);
    blocks::draw(frame, &areas, scene);
    if areas.heat {
        heat::draw(frame, &areas, scene);
    } else {
        chart::draw(frame, &areas, scene);
    }
    tables::draw(frame, areas.table, scene);
    advice::draw(frame, areas.advice, scene, 0, false);
    guide::draw(frame, areas.guide, scene);
    header::footer(frame, areas.footer, scene);
}

/// A frame with rounded corners around a panel; gives its inside.
fn panel<'a>(frame: &mut Frame, area: Rect, block: Block<'a>, focus: bool, theme: &Theme) -> Rect {
    let border = if focus { theme.border_focus } else { theme.border };
    let block = block.border_style(border);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    inner
}

fn framed<'a>(title: impl Into<Line<'a>>) -> Block<'a> {
    Block::bordered().border_type(BorderType::Rounded).title_top(title)
}

/// A scrollable text in a panel; gives how far it can be scrolled.
fn page(frame: &mut Frame, area: Rect, title: Line, lines: &[Line], scroll: usize, scene: &Scene) -> usize {
    if area.is_empty() {
        return 0;
    }
    let theme = &scene.theme;
    let height = usize::from(area.height.saturating_sub(2));
    let end = lines.len().saturating_sub(height);
    let scroll = scroll.min(end);
    let mut block = framed(title);
    if end > 0 && area.width > 24 {
        let shown = format!(" {} to {} of {} ", scroll + 1, (scroll + height).min(lines.len()), lines.len());
        block = block.title_bottom(Line::styled(shown, theme.dim).right_aligned());
    }
    let inner = panel(frame, area, block, true, theme);
    let shown: Vec<Line> = lines.iter().skip(scroll).take(height).cloned().collect();
    frame.render_widget(Paragraph::new(shown), inner);
    end
}

/// A span of a text that is known to be harmless or was cleaned.
fn span<'a>(text: impl Into<String>, style: Style) -> Span<'a> {
    Span::styled(text.into(), style)
}

/// Wrapped text, every line behind `indent` blanks.
fn wrapped<'a>(content: &str, width: usize, indent: usize, style: Style) -> Vec<Line<'a>> {
    text::wrap(content, width.saturating_sub(indent))
        .into_iter()
        .map(|line| Line::from(vec![span(" ".repeat(indent), style), span(line, style)]))
        .collect()
}

/// Parts of a line from left to right with how much each is needed (0 most): those that fit, two blanks between.
fn fitting<'a>(parts: Vec<(String, Style, u8)>, width: usize) -> Vec<Span<'a>> {
    let mut by_need: Vec<usize> = (0..parts.len()).filter(|i| !parts[*i].0.is_empty()).collect();
    by_need.sort_by_key(|i| parts[*i].2);
    let (mut used, mut keep) = (0, vec![false; parts.len()]);
    for i in by_need {
        let w = text::width(&parts[i].0) + if used == 0 { 0 } else { 2 };
        if used + w <= width || used == 0 {
            used += w;
            keep[i] = true;
        }
    }
    let mut spans: Vec<Span> = Vec::new();
    for (i, (content, style, _)) in parts.into_iter().enumerate().filter(|(i, _)| keep[*i]) {
        let _ = i;
        if !spans.is_empty() {
            spans.push(Span::raw("  "));
        }
        spans.push(span(text::fit(&content, width), style));
    }
    spans
}

/// Fewer attempts than this, and a percentage says little.
const FEW: u64 = 20;

/// The style of a share of so many attempts: grey where they are few.
fn share_style(attempts: u64, style: Style, theme: &Theme) -> Style {
    if attempts < FEW { theme.dim } else { style }
}

fn has_focus(scene: &Scene, focus: Focus) -> bool {
    scene.state.focus == focus && scene.state.prompt.is_none()
}
