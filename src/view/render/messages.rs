//! What the user should know: unreadable files, lines that were not understood, and the inputs themselves.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::{Scene, page, span, wrapped};
use crate::view::text;

/// ```text
/// ╭ Messages ─────────────────────────────────────────╮
/// │ ! mail.log.2.gz                                    │
/// │   cannot be read: …                                │
/// │                                                    │
/// │ Inputs                                             │
/// │   mail.log    postfix   1 243 lines   12 attempts  │
/// ╰────────────────────────────────────────────────────╯
/// ```
pub(super) fn draw(frame: &mut Frame, area: Rect, scene: &Scene, scroll: usize) -> usize {
    let (snapshot, theme) = (scene.snapshot, &scene.theme);
    let width = usize::from(area.width.saturating_sub(3));
    let mut lines = Vec::new();
    for warning in &snapshot.warnings {
        let (mark, style) = if warning.is_error { ("!", theme.blocked) } else { ("·", theme.warning) };
        let path = warning.path.as_deref().map_or_else(|| "eopwatch".into(), |p| text::clean_most(p, 400));
        lines.push(Line::from(vec![
            span(format!(" {mark} "), style),
            span(text::fit(&path, width.saturating_sub(3)), theme.strong),
        ]));
        lines.extend(wrapped(&text::clean_most(&warning.text, 2000), width, 3, theme.text));
    }
    if snapshot.warnings.is_empty() {
        lines.push(Line::styled(" No messages: all was read and understood.", theme.good));
    }
    lines.push(Line::default());
    lines.push(Line::styled(" Inputs", theme.accent));
    for input in &snapshot.inputs {
        let path = text::clean_most(&input.path, 400);
        lines.push(Line::styled(format!("   {}", text::fit(&path, width.saturating_sub(3))), theme.text));
        let mut facts = vec![
            input.mta.as_deref().map_or_else(|| "unknown format".into(), |m| text::clean_most(m, 32)),
            text::bytes(input.bytes),
            text::plural(input.lines, "line", "lines"),
            text::plural(input.attempts, "attempt to Microsoft", "attempts to Microsoft"),
        ];
        facts.extend(input.compression.as_deref().map(|c| text::clean_most(c, 16)));
        if input.malformed > 0 {
            facts.push(format!("{} not understood", text::group(input.malformed)));
        }
        if let (Some(a), Some(b)) = (input.first, input.last) {
            facts.push(scene.state.clock.range(a.seconds, b.seconds));
        }
        let style = if input.mta.is_none() || input.malformed > 0 { theme.warning } else { theme.dim };
        lines.extend(wrapped(&facts.join(" · "), width, 5, style));
    }
    let totals = &snapshot.totals;
    lines.push(Line::default());
    lines.push(Line::styled(" Counted", theme.accent));
    for (count, words) in [
        (totals.lines, "lines read"),
        (totals.counts.attempts, "attempts to Microsoft"),
        (totals.other_attempts, "attempts to other providers"),
        (totals.held_back, "records that only repeat an old reply or report waiting"),
        (totals.malformed, "lines shaped like deliveries that were not understood"),
    ] {
        for (i, part) in text::wrap(words, width.saturating_sub(18)).into_iter().enumerate() {
            let number = if i == 0 { text::group(count) } else { String::new() };
            lines.push(Line::from(vec![span(format!(" {number:>13}  "), theme.text), span(part, theme.dim)]));
        }
    }
    page(frame, area, Line::styled(" Messages ", theme.title), &lines, scroll, scene)
}
