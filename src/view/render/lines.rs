//! The raw lines behind a number, and one of them whole.

use std::ops::Range;
use std::sync::LazyLock;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use regex::Regex;

use super::{Scene, framed, page, panel, span, wrapped};
use crate::engine::LogLine;
use crate::microsoft;
use crate::view::columns;
use crate::view::keys::Action;
use crate::view::text;
use crate::view::theme::Theme;

/// Cells of a line that are looked for things to highlight, beyond what is seen.
const AHEAD: usize = 512;
/// How much of one line the whole view shows.
const MOST_WHOLE: usize = 32_768;

/// What the eye looks for: codes, tags, addresses, host tags, the MTA's verdict.
#[allow(clippy::unwrap_used)] // a fixed expression; the tests run it
static LANDMARKS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?P<code>\b[245]\d\d[ -][245]\.\d{1,3}\.\d{1,3}\b|\b[245]\.\d{1,3}\.\d{1,3}\b|\(S\d{4}\)|\bAS\(?\d{3,10}\)?)",
        r"|(?P<host>\b[A-Za-z0-9]+\.(?:[A-Za-z0-9-]+\.)*prod\.(?:protection\.)?outlook\.com)",
        r"|(?P<bad>status=(?:bounced|deferred)|\b(?:\*\*|==) )",
        r"|(?P<good>status=sent)",
        r"|(?P<ip>\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b)",
    ))
    .unwrap()
});

/// The cleaned `content` with landmarks and hits of the search in their styles, from cell `from` on.
fn highlighted<'a>(content: &str, from: usize, cells: usize, search: &str, theme: &Theme) -> Vec<Span<'a>> {
    let mut marks: Vec<(Range<usize>, Style)> = Vec::new();
    for found in LANDMARKS.captures_iter(content) {
        for (name, style) in [
            ("code", theme.blocked),
            ("host", theme.accent),
            ("bad", theme.throttled),
            ("good", theme.good),
            ("ip", theme.strong),
        ] {
            if let Some(m) = found.name(name) {
                marks.push((m.range(), style));
            }
        }
    }
    if !search.is_empty() {
        let (hay, needle) = (content.to_ascii_lowercase(), search.to_ascii_lowercase());
        let hits: Vec<_> = hay.match_indices(&needle).map(|(i, hit)| i..i + hit.len()).collect();
        // A hit covers what it touches.
        marks.retain(|(m, _)| !hits.iter().any(|h| h.start < m.end && m.start < h.end));
        marks.extend(hits.into_iter().map(|hit| (hit, theme.hit)));
        marks.sort_by_key(|(m, _)| m.start);
    }
    let mut pieces: Vec<(&str, Style)> = Vec::new();
    let mut at = 0;
    for (range, style) in marks {
        if range.start < at {
            continue;
        }
        pieces.push((&content[at..range.start], theme.text));
        pieces.push((&content[range.clone()], style));
        at = range.end;
    }
    pieces.push((&content[at..], theme.text));

    let (mut spans, mut skip, mut room) = (Vec::new(), from, cells);
    for (piece, style) in pieces {
        let w = text::width(piece);
        if skip >= w {
            skip -= w;
            continue;
        }
        let shown = text::window(piece, skip, room);
        skip = 0;
        room = room.saturating_sub(text::width(shown));
        spans.push(span(shown.to_owned(), style));
        if room == 0 {
            break;
        }
    }
    spans
}

/// ```text
/// ╭ Lines of source 192.0.2.25: 1 243, newest first ──────────────── search: S3140 ╮
/// │ 13 May 14:31:58  May 13 14:31:58 mx1 postfix/smtp[123]: … 550 5.7.1 … (S3140)   │
/// ╰──────────────────────────────────────────────────────────────── 1 of 1 243 ────╯
/// ```
pub(super) fn draw(frame: &mut Frame, area: Rect, scene: &Scene) {
    if area.is_empty() {
        return;
    }
    let (state, theme, list) = (scene.state, &scene.theme, scene.lines);
    let of = if state.lines_of.is_empty() { "everything" } else { &state.lines_of };
    let listed = list.lines.len() as u64;
    // With the newer lines that are not listed here.
    let total = if state.lines_until.is_empty() { list.total } else { state.lines_total.max(list.total) };
    let before = if list.complete { total - list.total } else { 0 };
    let count = if !list.complete {
        format!("{} so far, searching …", text::group(list.total))
    } else if !state.lines_until.is_empty() {
        let [first, last] = [before + 1, before + listed].map(text::group);
        format!("{first} to {last} of {}", text::group(total))
    } else if list.total > listed {
        format!("the newest {} of {}", text::group(listed), text::group(total))
    } else {
        text::group(total)
    };
    let room = usize::from(area.width.saturating_sub(4));
    let mut block = framed(Line::from(vec![
        span(" Lines of ", theme.dim),
        span(text::fit(of, room.saturating_sub(20 + text::width(&count))), theme.title),
        span(format!(": {count}, newest first "), theme.dim),
    ]));
    if !list.lines.is_empty() {
        let at = before + state.lines.at as u64 + 1;
        let is_last = state.lines.at as u64 + 1 == listed;
        let more = if is_last && list.complete && list.total > listed { " ↓ older lines, " } else { " " };
        let place = format!("{more}{} of {} ", text::group(at), text::group(total));
        block = block.title_bottom(Line::styled(place, theme.dim).right_aligned());
    }
    if !state.search.is_empty() {
        let search = text::fit(&text::clean_most(&state.search, 64), 24);
        block = block.title_bottom(Line::styled(format!(" search: {search} "), theme.accent));
    }
    let inner = panel(frame, area, block, true, theme);
    if list.lines.is_empty() {
        let words = if list.complete { "no line matches" } else { "searching …" };
        frame.render_widget(
            span(format!(" {words}"), theme.dim),
            Rect { height: inner.height.min(1), ..inner },
        );
        return;
    }
    let rows = list.lines.iter().enumerate().skip(state.lines.top).take(usize::from(inner.height));
    for (shown, (at, line)) in rows.enumerate() {
        let row = Rect { y: inner.y + shown as u16, height: 1, ..inner };
        let (mark, style) = mark(line, theme);
        let mut spans = vec![span(format!("{mark} "), style)];
        let mut used = 2;
        if inner.width >= 70 {
            let time = line.time.map_or_else(String::new, |t| state.clock.full(t));
            spans.push(span(text::left(&time, 17), theme.dim));
            used += 17;
        }
        if inner.width >= 110 {
            let reply = scene.snapshot.replies.iter().find(|r| r.reply_id == line.reply_id);
            let code = match reply {
                Some(r) => columns::code(&r.reply_id, r.smtp_code, r.enhanced_code.as_deref()),
                None => text::clean_most(&line.reply_id, 24),
            };
            let place = line.datacenter.as_deref().unwrap_or("·");
            // Of a machine the forest: the whole name stands in the line.
            let forest = microsoft::datacenter(place.as_bytes()).forest;
            let place = text::clean_most(forest.as_deref().unwrap_or(place), 24);
            let style = if line.is_refusal { theme.blocked } else { theme.dim };
            spans.push(span(text::left(&text::fit(&code, 9), 10), style));
            spans.push(span(text::left(&text::fit(&place, 9), 10), theme.accent));
            used += 20;
        }
        let cells = usize::from(inner.width) - used.min(usize::from(inner.width));
        let content = cleaned(line, state.across + cells + AHEAD, scene);
        spans.extend(highlighted(&content, state.across, cells, &state.search, theme));
        frame.render_widget(Line::from(spans), row);
        if at == state.lines.at {
            frame.buffer_mut().set_style(row, theme.selected);
        }
    }
}

/// A line as it may be shown here.
fn cleaned(line: &LogLine, most: usize, scene: &Scene) -> String {
    let content = text::clean_bytes(&line.text, most);
    if scene.state.mask { text::mask(&content) } else { content }
}

fn mark(line: &LogLine, theme: &Theme) -> (&'static str, Style) {
    if line.is_refusal { ("■", theme.blocked) } else { ("·", theme.dim) }
}

/// ```text
/// ╭ mail.log at byte 12 345 ─────────────╮
/// │ Time         13 May 14:31:58          │
/// │ Reply        block-list-s3140         │
/// │                                       │
/// │ May 13 14:31:58 mx1 postfix/smtp[123] │
/// ╰───────────────────────────────────────╯
/// ```
pub(super) fn draw_one(frame: &mut Frame, area: Rect, scene: &Scene, scroll: usize) -> usize {
    let (state, theme) = (scene.state, &scene.theme);
    let width = usize::from(area.width.saturating_sub(3));
    let Some(line) = scene.lines.lines.get(state.lines.at) else {
        return page(frame, area, Line::styled(" No line ", theme.title), &[], scroll, scene);
    };
    let reply = scene.snapshot.replies.iter().find(|r| r.reply_id == line.reply_id);
    let clean = |t: &Option<String>| t.as_deref().map(|t| text::clean_most(t, 200));
    let facts = [
        ("Time", line.time.map(|t| format!("{} {}", state.clock.full(t), state.clock.offset(t.seconds)))),
        ("Source", clean(&line.source)),
        ("Domain", clean(&line.domain)),
        ("Datacenter", clean(&line.datacenter)),
        ("Reply", Some(text::clean_most(&line.reply_id, 64))),
        ("Class", reply.map(|r| r.class.name().to_owned())),
        ("Means", reply.and_then(|r| r.root_cause.as_deref()).map(|t| text::clean_most(t, 1000))),
        ("What to do", reply.and_then(|r| r.fix.as_deref()).map(|t| text::clean_most(t, 1000))),
        ("Line", Some(format!("{} bytes", text::group(line.text.len() as u64)))),
    ];
    let mut lines = Vec::new();
    for (name, value) in facts {
        let Some(value) = value else { continue };
        for (i, part) in text::wrap(&value, width.saturating_sub(14)).into_iter().enumerate() {
            let name = if i == 0 { name } else { "" };
            lines.push(Line::from(vec![
                span(format!(" {} ", text::left(name, 11)), theme.dim),
                span(part, theme.text),
            ]));
        }
    }
    lines.push(Line::default());
    let content = cleaned(line, MOST_WHOLE, scene);
    for part in text::wrap(&content, width.saturating_sub(1)) {
        let mut spans = vec![Span::raw(" ")];
        spans.extend(highlighted(&part, 0, width, &state.search, theme));
        lines.push(Line::from(spans));
    }
    if line.text.len() > MOST_WHOLE {
        let more = format!(
            "… {} bytes in all; {} copies the whole line",
            text::group(line.text.len() as u64),
            state.key(Action::Copy)
        );
        lines.extend(wrapped(&more, width, 1, theme.warning));
    }
    let path = text::clean_most(&line.path, 400);
    let room = usize::from(area.width).saturating_sub(8);
    let title = text::fit(&format!("{path} at byte {}", text::group(line.offset)), room);
    page(frame, area, Line::styled(format!(" {title} "), theme.title), &lines, scroll, scene)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::theme::ThemeName;

    #[test]
    fn landmarks_are_found() {
        let line = "status=bounced (host said: 550 5.7.1 Unfortunately, [192.0.2.25] (S3140). \
                    [VE1EUR03FT055.eop-EUR03.prod.protection.outlook.com])";
        let theme = ThemeName::Dark.theme();
        let marked: Vec<_> = highlighted(line, 0, 400, "", &theme)
            .into_iter()
            .filter(|s| s.style != theme.text)
            .map(|s| s.content.into_owned())
            .collect();
        assert_eq!(
            marked,
            [
                "status=bounced",
                "550 5.7.1",
                "192.0.2.25",
                "(S3140)",
                "VE1EUR03FT055.eop-EUR03.prod.protection.outlook.com"
            ]
        );
        let part: String = highlighted(line, 7, 7, "", &theme).iter().map(|s| s.content.clone()).collect();
        assert_eq!(part, "bounced");
    }
}
