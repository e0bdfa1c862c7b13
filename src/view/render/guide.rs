//! The captions of a story that is told, above the keys.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};

use super::{Scene, span};
use crate::view::text;

/// ```text
///  ▌ Spam traps were among them: one datacenter refuses 203.0.113.25.
///  ▌ Try: b opens the block
/// ```
pub(super) fn draw(frame: &mut Frame, area: Rect, scene: &Scene) {
    let Some(guide) = scene.state.guide.as_ref().filter(|_| !area.is_empty()) else { return };
    let theme = &scene.theme;
    let bar = || span(" ▌ ", theme.accent);
    let width = usize::from(area.width).saturating_sub(3);
    let caption = span(text::fit(guide.caption(), width), theme.accent.add_modifier(Modifier::BOLD));
    let mut tip = vec![bar()];
    let parts = guide.tip(&scene.state.keymap);
    if parts.is_empty() {
        tip.push(span("✓ done; the story goes on", theme.good));
    } else {
        tip.push(span("Try: ", theme.strong));
        let styled = |(part, is_key)| span(part, if is_key { theme.key } else { theme.text });
        tip.extend(parts.into_iter().map(styled));
    }
    let lines: [Vec<Span>; 2] = [vec![bar(), caption], tip];
    for (row, line) in area.rows().zip(lines) {
        frame.render_widget(Line::from(line), row);
    }
}
