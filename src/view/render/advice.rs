//! What a reply means and what to do about it.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::{Scene, framed, page, panel, span, wrapped};
use crate::aggregate::ReplyRow;
use crate::view::columns;
use crate::view::keys::Action;
use crate::view::text;

/// ```text
/// ╭ 550 5.7.1 S3140: IP on Microsoft's block list ╮
/// │ What it means                                 │
/// │   …                                           │
/// │ What to do now                                │
/// │   1 …                                         │
/// │ Where                                         │
/// │   https://…                                   │
/// │ In Microsoft's words                          │
/// ╰───────────────────────────────────────────────╯
/// ```
pub(super) fn draw(frame: &mut Frame, area: Rect, scene: &Scene, scroll: usize, whole: bool) -> usize {
    if area.is_empty() {
        return 0;
    }
    let theme = &scene.theme;
    let width = usize::from(area.width.saturating_sub(4));
    let Some(id) = scene.state.advised(scene.snapshot) else {
        let title = Line::styled(" Advice ", theme.title);
        let inner = panel(frame, area, framed(title), whole, theme);
        let words = if scene.snapshot.progress.complete {
            "Nothing was refused: nothing to do."
        } else {
            "reading …"
        };
        let words = span(format!(" {}", text::fit(words, width)), theme.dim);
        frame.render_widget(words, Rect { height: inner.height.min(1), ..inner });
        return 0;
    };
    let title = Line::styled(format!(" {} ", text::fit(&title(scene, id), width)), theme.title);
    let lines = lines(scene, id, width);
    if whole {
        return page(frame, area, title, &lines, scroll, scene);
    }
    let mut block = framed(title);
    let height = usize::from(area.height.saturating_sub(2));
    if lines.len() > height {
        block = block.title_bottom(
            Line::from(vec![
                span(format!(" {}", scene.state.key(Action::Advice)), theme.key),
                span(" all of it ", theme.dim),
            ])
            .right_aligned(),
        );
    }
    let inner = panel(frame, area, block, false, theme);
    for (line, y) in lines.into_iter().zip(inner.y..inner.bottom()) {
        frame.render_widget(line, Rect { y, height: 1, ..inner });
    }
    0
}

fn reply<'a>(scene: &Scene<'a>, id: &str) -> Option<&'a ReplyRow> {
    scene.snapshot.replies.iter().filter(|r| r.reply_id == id).max_by_key(|r| r.count)
}

/// Codes, tag and name.
fn title(scene: &Scene, id: &str) -> String {
    if let Some(advice) = (scene.advice)(id).filter(|a| !a.title.is_empty()) {
        return text::clean_most(&advice.title, 200);
    }
    let mut parts = Vec::new();
    if let Some(reply) = reply(scene, id) {
        parts.extend(reply.smtp_code.map(|c| c.to_string()));
        parts.extend(reply.enhanced_code.as_deref().map(|e| text::clean_most(e, 12)));
        let code = columns::code(id, reply.smtp_code, reply.enhanced_code.as_deref());
        if !parts.contains(&code) {
            parts.push(code);
        }
    }
    let name = text::clean_most(id, 64);
    if parts.is_empty() { name } else { format!("{}: {name}", parts.join(" ")) }
}

/// The advice as lines of `width` cells.
pub(super) fn lines<'a>(scene: &Scene, id: &str, width: usize) -> Vec<Line<'a>> {
    let theme = &scene.theme;
    let advice = (scene.advice)(id);
    let reply = reply(scene, id);
    let mut lines: Vec<Line> = Vec::new();
    let head = |lines: &mut Vec<Line<'a>>, words: &str| {
        if !lines.is_empty() {
            lines.push(Line::default());
        }
        lines.push(Line::styled(format!(" {words}"), theme.accent));
    };
    let means = advice.as_ref().map(|a| a.means.clone()).filter(|m| !m.is_empty());
    if let Some(means) = means.or_else(|| reply.and_then(|r| r.root_cause.clone())) {
        head(&mut lines, "What it means");
        lines.extend(wrapped(&text::clean_most(&means, 2000), width, 1, theme.text));
    }
    let steps = advice.as_ref().map(|a| a.steps.clone()).unwrap_or_default();
    let fix = reply.and_then(|r| r.fix.clone());
    if !steps.is_empty() {
        head(&mut lines, "What to do now");
        for (i, step) in steps.iter().enumerate() {
            for (j, part) in
                text::wrap(&text::clean_most(step, 1000), width.saturating_sub(4)).iter().enumerate()
            {
                let number = if j == 0 { format!(" {} ", i + 1) } else { "   ".to_owned() };
                lines.push(Line::from(vec![span(number, theme.key), span(part.clone(), theme.text)]));
            }
        }
    } else if let Some(fix) = fix {
        head(&mut lines, "What to do now");
        lines.extend(wrapped(&text::clean_most(&fix, 2000), width, 1, theme.text));
    }
    if let Some(links) = advice.as_ref().map(|a| &a.links).filter(|l| !l.is_empty()) {
        head(&mut lines, "Where");
        for link in links {
            lines.extend(wrapped(&text::clean_most(link, 500), width, 1, theme.text));
        }
    }
    if let Some(reply) = reply {
        head(&mut lines, "In this log");
        let clock = &scene.state.clock;
        let mut seen =
            format!("{} {}", text::group(reply.count), if reply.count == 1 { "time" } else { "times" });
        if let (Some(first), Some(last)) = (reply.first, reply.last) {
            seen += &format!(", {} to {}", clock.full(first), clock.full(last));
        }
        seen += &format!("; class {}", reply.class.name());
        lines.extend(wrapped(&seen, width, 1, theme.dim));
        if let Some(example) = &reply.example {
            lines.extend(wrapped(&text::clean_most(example, 1500), width, 1, theme.dim));
        }
    }
    if lines.is_empty() {
        lines.push(Line::styled(
            format!(
                " Nothing is known of {}.",
                text::fit(&text::clean_most(id, 64), width.saturating_sub(22))
            ),
            theme.dim,
        ));
    }
    lines
}
