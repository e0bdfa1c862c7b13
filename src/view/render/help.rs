//! All keys of the view one came from, out of the table of keys.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::{Scene, page, span};
use crate::view::keys::View;
use crate::view::text;

fn name(view: View) -> &'static str {
    match view {
        View::Overview => "overview",
        View::Lines => "lines",
        View::Line => "one line",
        View::Block => "one block",
        View::Advice => "advice",
        View::Messages => "messages",
        View::Help => "help",
    }
}

/// ```text
/// ╭ Keys of the overview ───────────────╮
/// │  ⏎         show only the selected row │
/// │  ⌫ Esc     take the last filter away  │
/// ╰─────────────────────────────────────╯
/// ```
pub(super) fn draw(frame: &mut Frame, area: Rect, scene: &Scene, scroll: usize) -> usize {
    let theme = &scene.theme;
    let about = scene.state.screens.last().map_or(View::Overview, |s| s.about);
    let width = usize::from(area.width.saturating_sub(3));
    let wide = if width >= 44 { 14 } else { 8 };
    let mut lines = Vec::new();
    let mut entries: Vec<(String, &str)> = scene
        .state
        .keymap
        .of(about)
        .filter(|b| !b.keys.is_empty())
        .map(|b| (b.keys.iter().map(|k| k.label()).collect::<Vec<_>>().join(" "), b.help))
        .collect();
    if about == View::Overview {
        entries.push((
            "mouse".into(),
            "click selects, again opens; wheel scrolls; crumbs, tabs, headers; drag on the chart",
        ));
        entries.push(("S-mouse".into(), "the terminal's own selection"));
    }
    for (keys, help) in entries {
        for (i, part) in text::wrap(help, width.saturating_sub(wide + 2)).into_iter().enumerate() {
            let keys = if i == 0 { text::left(&keys, wide) } else { " ".repeat(wide) };
            lines.push(Line::from(vec![span(format!(" {keys} "), theme.key), span(part, theme.text)]));
        }
    }
    if about == View::Overview {
        lines.push(Line::default());
        for (symbol, style, meaning) in [
            ("■ BLOCKED", theme.blocked, "Microsoft refuses the source or the sender as such"),
            ("▲ THROTTLED", theme.throttled, "it slows the source down; mail waits in the queue"),
            ("◆ AUTH FAIL", theme.auth, "SPF, DKIM or DMARC of a sender domain fails"),
            ("· cleared", theme.dim, "accepted again; silence alone never clears"),
            ("99 % sure", theme.dim, "how sure by the share of refusals; stated: Microsoft says so itself"),
        ] {
            let parts = text::wrap(meaning, width.saturating_sub(wide + 2));
            for (i, part) in parts.into_iter().enumerate() {
                let symbol = if i == 0 { text::left(symbol, wide) } else { " ".repeat(wide) };
                lines.push(Line::from(vec![span(format!(" {symbol} "), style), span(part, theme.text)]));
            }
        }
    }
    let title = Line::styled(format!(" Keys: {} ", name(about)), theme.title);
    page(frame, area, title, &lines, scroll, scene)
}
