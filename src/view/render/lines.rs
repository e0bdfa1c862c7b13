//! The raw lines behind a number, and one of them whole.

use std::ops::Range;
use std::sync::LazyLock;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use regex::Regex;

use super::{Scene, framed, page, panel, span, wrapped};
use crate::engine::{Gone, LogLine};
use crate::microsoft;
use crate::view::columns;
use crate::view::keys::Action;
use crate::view::layout;
use crate::view::text;
use crate::view::theme::Theme;

/// Cells of a line that are looked for things to highlight, beyond what is seen.
const AHEAD: usize = 512;
/// How much of one line the whole view shows.
const MOST_WHOLE: usize = 32_768;
/// In less cells, a fact stands below its name.
pub(super) const STACKED: usize = 40;
/// A temporary file of this size is worth a word.
const LARGE: u64 = 100_000_000;

/// What the eye looks for: codes, tags, addresses, host tags, the MTA's verdict.
#[allow(clippy::unwrap_used)] // a fixed expression; the tests run it
static LANDMARKS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?P<ip>\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b)",
        r"|(?P<passed>\b2\d\d[ -]2\.\d{1,3}\.\d{1,3}\b|\b2\.\d{1,3}\.\d{1,3}\b)",
        r"|(?P<code>\b[45]\d\d[ -][45]\.\d{1,3}\.\d{1,3}\b|\b[45]\.\d{1,3}\.\d{1,3}\b|\(S\d{4}\)|\bAS\(?\d{3,10}\)?)",
        r"|(?P<host>\b[A-Za-z0-9]+\.(?:[A-Za-z0-9-]+\.)*prod\.(?:protection\.)?outlook\.com)",
        r"|(?P<bad>status=(?:bounced|deferred)|\b(?:\*\*|==) )",
        r"|(?P<good>status=sent)",
    ))
    .unwrap()
});

/// The cleaned `content` with landmarks and hits of the search in their styles, from cell `from` on.
fn highlighted<'a>(content: &str, from: usize, cells: usize, search: &str, theme: &Theme) -> Vec<Span<'a>> {
    let mut marks: Vec<(Range<usize>, Style)> = Vec::new();
    for found in LANDMARKS.captures_iter(content) {
        for (name, style) in [
            ("code", theme.blocked),
            ("passed", theme.good),
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
    let of = if state.lines.of.is_empty() { "everything" } else { &state.lines.of };
    let listed = list.index.len();
    let count = if !list.complete {
        format!("{} so far, searching …", text::group(list.total))
    } else if list.total > listed as u64 {
        format!("the newest {} of {}", text::group(listed as u64), text::group(list.total))
    } else {
        text::group(list.total)
    };
    let room = usize::from(area.width.saturating_sub(4));
    let order = if area.width < 80 { "" } else { ", newest first" };
    let (before, behind) = (" Lines of ", format!(": {count}{order} "));
    let of = text::fit(of, room.saturating_sub(text::width(before) + text::width(&behind)));
    let mut block = framed(Line::from(vec![
        span(if of.is_empty() { " Lines" } else { before }, theme.dim),
        span(of, theme.title),
        span(behind, theme.dim),
    ]));
    let mut foot = 0;
    if listed > 0 {
        let place = format!(
            " {} of {} ",
            text::group(state.lines.at as u64 + 1),
            text::group(if list.complete { list.total } else { listed as u64 })
        );
        foot = text::width(&place) + 1;
        block = block.title_bottom(Line::styled(place, theme.dim).right_aligned());
    }
    if let Some((said, style)) = said(scene) {
        block = block.title_bottom(Line::styled(text::fit(&said, room.saturating_sub(foot)), style));
    }
    let inner = panel(frame, area, block, true, theme);
    if listed == 0 {
        let words = if list.complete { "no line matches" } else { "searching …" };
        frame.render_widget(
            span(format!(" {words}"), theme.dim),
            Rect { height: inner.height.min(1), ..inner },
        );
        return;
    }
    let height = usize::from(inner.height);
    if listed > height && height > 1 {
        let at = layout::bar_at(area, state.lines.at, listed);
        frame.buffer_mut().set_string(at.x, at.y, "█", theme.accent);
    }
    let top = state.lines.top;
    for (shown, mark) in list.index.rows(top..top + height).enumerate() {
        let at = top + shown;
        let row = Rect { y: inner.y + shown as u16, height: 1, ..inner };
        let (symbol, style) = symbol(mark.is_refusal(), theme);
        let mut spans = vec![span(format!("{symbol} "), style)];
        let mut used = 2;
        if inner.width >= 70 {
            // The day stands in most lines themselves, for which there is more room then.
            let is_wide = inner.width >= 110;
            let time = |t| if is_wide { state.clock.full(t) } else { state.clock.time(t) };
            let cells = if is_wide { 17 } else { 9 };
            let time = mark.time().map_or_else(String::new, time);
            spans.push(span(text::left(&time, cells), theme.dim));
            used += cells;
        }
        let read = list.line(at);
        if inner.width >= 50 {
            let (code, place) = match read {
                Some(Ok(line)) => answer(line, scene),
                Some(Err(_)) => (String::new(), String::new()),
                None => ("…".to_owned(), "…".to_owned()),
            };
            let style = if mark.is_refusal() { theme.blocked } else { theme.dim };
            spans.push(span(text::left(&text::fit(&code, 9), 10), style));
            used += 10;
            if inner.width >= 110 {
                spans.push(span(text::left(&text::fit(&place, 9), 10), theme.accent));
                used += 10;
            }
        }
        let cells = usize::from(inner.width).saturating_sub(used);
        match read {
            Some(Ok(line)) => {
                let across = state.lines.across;
                let content = cleaned(line, across + cells + AHEAD, scene);
                spans.extend(highlighted(&content, across, cells, &state.lines.search, theme));
            }
            Some(Err(Gone(why))) => {
                spans.push(span(text::fit(&text::clean_most(why, 400), cells), theme.warning));
            }
            None => spans.push(span("…", theme.dim)),
        }
        frame.render_widget(Line::from(spans), row);
        if at == state.lines.at {
            frame.buffer_mut().set_style(row, theme.selected);
        }
    }
}

/// What is said at the foot: of a search that goes on, of what went wrong, of the disk; else what is searched for.
fn said(scene: &Scene) -> Option<(String, Style)> {
    let (state, theme, list) = (scene.state, &scene.theme, scene.lines);
    let word = text::fit(&text::clean_most(&state.lines.search, 64), 24);
    if let Some(chase) = state.lines.hunt {
        let hunted = list.hunted.filter(|hunted| hunted.id == chase.id);
        let far = hunted.map_or_else(String::new, |hunted| {
            format!(": {} of {} lines", text::group(hunted.looked), text::group(hunted.of))
        });
        let key = state.key(Action::Back);
        return Some((format!(" searching {word}{far}, {key} ends it "), theme.accent));
    }
    if let Some(trouble) = &list.trouble {
        return Some((format!(" {} ", text::clean_most(trouble, 400)), theme.warning));
    }
    if !word.is_empty() {
        return Some((format!(" search: {word} "), theme.accent));
    }
    (list.spooled >= LARGE)
        .then(|| (format!(" {} in a temporary file ", text::bytes(list.spooled)), theme.dim))
}

/// The code of the reply, and who gave it.
fn answer(line: &LogLine, scene: &Scene) -> (String, String) {
    let reply = scene.snapshot.replies.iter().find(|r| r.reply_id == line.reply_id);
    let code = match reply {
        Some(r) => columns::code(&r.reply_id, r.smtp_code, r.enhanced_code.as_deref()),
        None => text::clean_most(&line.reply_id, 24),
    };
    let place = line.datacenter.as_deref().unwrap_or("·");
    // Of a machine the forest: the whole name stands in the line.
    let forest = microsoft::datacenter(place.as_bytes()).forest;
    (code, text::clean_most(forest.as_deref().unwrap_or(place), 24))
}

/// A line as it may be shown here.
fn cleaned(line: &LogLine, most: usize, scene: &Scene) -> String {
    let content = text::clean_bytes(&line.text, most);
    if scene.state.mask { text::mask(&content) } else { content }
}

fn symbol(is_refusal: bool, theme: &Theme) -> (&'static str, Style) {
    if is_refusal { ("■", theme.blocked) } else { ("·", theme.dim) }
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
    let line = match scene.lines.line(state.lines.at) {
        Some(Ok(line)) => line,
        Some(Err(Gone(why))) => {
            let lines = wrapped(&text::clean_most(why, 1000), width, 1, theme.warning);
            return page(frame, area, Line::styled(" No line ", theme.title), &lines, scroll, scene);
        }
        None if scene.lines.index.is_empty() => {
            return page(frame, area, Line::styled(" No line ", theme.title), &[], scroll, scene);
        }
        None => return page(frame, area, Line::styled(" … ", theme.title), &[], scroll, scene),
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
        ("Line", Some(format!("{} bytes", text::group(line.size)))),
    ];
    let mut lines = Vec::new();
    for (name, value) in facts {
        let Some(value) = value else { continue };
        if width < STACKED {
            lines.push(Line::styled(format!(" {name}"), theme.dim));
            lines.extend(wrapped(&value, width, 2, theme.text));
            continue;
        }
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
        spans.extend(highlighted(&part, 0, width, &state.lines.search, theme));
        lines.push(Line::from(spans));
    }
    if line.size > MOST_WHOLE as u64 {
        let more = format!(
            "… {} bytes in all; {} copies the whole line",
            text::group(line.size),
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
        let passed =
            highlighted("dsn=2.6.0, (250 2.6.0 <4904@news.example> from 192.0.2.25)", 0, 400, "", &theme);
        let alarming: Vec<_> = passed.iter().filter(|s| s.style == theme.blocked).collect();
        assert!(alarming.is_empty(), "nothing is wrong with what was accepted: {alarming:?}");
        let part: String = highlighted(line, 7, 7, "", &theme).iter().map(|s| s.content.clone()).collect();
        assert_eq!(part, "bounced");
    }
}
