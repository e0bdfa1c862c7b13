//! All keys of the view one came from, out of the table of keys.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

use super::{Scene, page, span};
use crate::view::command;
use crate::view::keys::View;
use crate::view::text;
use crate::view::theme::Theme;

type Symbol = (&'static str, fn(&Theme) -> Style, &'static str);

const SYMBOLS: [Symbol; 6] = [
    ("■ BLOCKED", |t| t.blocked, "Microsoft refuses the source or the sender as such"),
    ("▲ THROTTLED", |t| t.throttled, "it slows the source down; mail waits in the queue"),
    ("◆ AUTH FAIL", |t| t.auth, "SPF, DKIM or DMARC of a sender domain fails"),
    ("· cleared", |t| t.dim, "accepted again; silence alone never clears"),
    ("99 % sure", |t| t.dim, "how sure by the share of refusals; stated: Microsoft says so itself"),
    ("TREND", |t| t.dim, "the blocked share over the time shown; of a reply how often it came"),
];

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
    let mut entries: Vec<(String, Style, String)> = scene
        .state
        .keymap
        .of(about)
        .filter(|b| !b.keys.is_empty())
        .map(|b| {
            let keys: Vec<_> = b.keys.iter().map(|k| k.label()).collect();
            (keys.join(" "), theme.key, b.help.to_owned())
        })
        .collect();
    if about == View::Overview {
        let mouse = "click selects, again opens; wheel scrolls; crumbs, tabs, headers; drag on the chart";
        entries.push(("mouse".into(), theme.key, mouse.into()));
        entries.push(("S-mouse".into(), theme.key, "the terminal's own selection".into()));
    }
    let commands = command::with(scene.state, about)
        .map(|(name, takes, help)| (format!(":{name}"), theme.key, format!("{takes}: {help}")));
    entries.extend(commands);
    if about == View::Overview {
        entries.extend(SYMBOLS.map(|(symbol, style, meaning)| (symbol.into(), style(theme), meaning.into())));
    }
    let wanted = scene.state.find.to_lowercase();
    let is_wanted = |text: &str| text.to_lowercase().contains(&wanted);
    entries.retain(|(keys, _, help)| is_wanted(keys) || is_wanted(help));
    let mut lines = Vec::new();
    for (keys, style, help) in entries {
        for (i, part) in text::wrap(&help, width.saturating_sub(wide + 2)).into_iter().enumerate() {
            let keys = if i == 0 { text::left(&keys, wide) } else { " ".repeat(wide) };
            lines.push(Line::from(vec![span(format!(" {keys} "), style), span(part, theme.text)]));
        }
    }
    if lines.is_empty() {
        let words = format!(" no key with \"{}\"", text::clean_most(&scene.state.find, 64));
        lines.push(Line::styled(text::fit(&words, width), theme.dim));
    }
    let mut title = vec![span(format!(" Keys: {} ", about.word()), theme.title)];
    if !wanted.is_empty() {
        let find = text::fit(&text::clean_most(&scene.state.find, 64), 24);
        title.push(span(format!("with \"{find}\" "), theme.accent));
    }
    page(frame, area, Line::from(title), &lines, scroll, scene)
}
