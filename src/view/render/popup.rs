//! A small menu over the rest.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Clear;

use super::{Scene, framed, panel, span};
use crate::view::layout;
use crate::view::text;

/// ```text
///       ╭ Sort by ───────────╮
///       │ 0 as in the summary │
///       │ 1 source            │
///       ╰─────────────────────╯
/// ```
pub(super) fn menu(frame: &mut Frame, scene: &Scene) {
    let Some(menu) = &scene.state.menu else { return };
    let theme = &scene.theme;
    let area = layout::menu(scene.state.size, menu);
    frame.render_widget(Clear, area);
    frame.buffer_mut().set_style(area, theme.text);
    let title = Line::styled(format!(" {} ", menu.title), theme.title);
    let inner = panel(frame, area, framed(title), true, theme);
    let rows = usize::from(inner.height).max(1);
    let top = layout::menu_top(menu, inner.height);
    for (i, item) in menu.items.iter().enumerate().skip(top).take(rows) {
        let row = Rect { y: inner.y + (i - top) as u16, height: 1, ..inner }.intersection(inner);
        let label = text::left(&item.label, usize::from(inner.width).saturating_sub(4));
        frame.render_widget(
            Line::from(vec![span(format!(" {}  ", item.key), theme.key), span(label, theme.text)]),
            row,
        );
        if i == menu.at {
            frame.buffer_mut().set_style(row, theme.selected);
        }
    }
}
