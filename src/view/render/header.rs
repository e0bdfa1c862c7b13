//! The lines at the top and at the bottom: inputs and progress, breadcrumbs, news, keys or prompt.

use crossterm::event::KeyCode;
use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph};

use super::{Scene, span};
use crate::detect::{Family, OnsetStatus};
use crate::view::clock::duration;
use crate::view::command::candidates;
use crate::view::keys::{Action, Key, View};
use crate::view::state::{PromptKind, State};
use crate::view::text;

/// Less than this is not told as a lag: a line that is being written is not read before its end.
const LAG: u64 = 4096;

/// ```text
///  eopwatch  4 logs, 3.2 GB  13 May 00:00 to 14:32 +02:00          ▕██████▌   ▏ 62 %  1.9 GB/s  3 s left   ● live
/// ```
pub(super) fn draw(frame: &mut Frame, area: Rect, scene: &Scene) {
    if area.is_empty() {
        return;
    }
    let (snapshot, theme) = (scene.snapshot, &scene.theme);
    let width = usize::from(area.width);
    let right = progress(scene, width);
    let right_width: usize = right.iter().map(Span::width).sum();
    let room = width.saturating_sub(right_width + 2);

    let mut parts = Vec::new();
    if width < 60 {
        parts.push((verdict(scene), theme.strong, 0));
    }
    parts.push(("eopwatch".to_owned(), theme.accent.add_modifier(Modifier::BOLD), 1));
    let logs = snapshot.inputs.len() as u64;
    if logs > 0 {
        let total = snapshot.inputs.iter().map(|i| i.bytes).sum();
        parts.push((format!("{}, {}", text::plural(logs, "log", "logs"), text::bytes(total)), theme.text, 3));
    }
    let clock = &scene.state.clock;
    let whole = State::whole(snapshot).filter(|_| width >= 40);
    let range = whole.map(|(first, last)| clock.range(first, last));
    parts.extend(range.clone().map(|range| (range, theme.text, 2)));
    let mut spans = vec![Span::raw(if width < 30 { "" } else { " " })];
    spans.extend(super::fitting(parts, room.saturating_sub(1)));
    // The offset says something only behind the times that it belongs to.
    if let (Some((_, last)), Some(range)) = (whole, range)
        && spans.last().is_some_and(|s| s.content == range)
    {
        let offset = format!("  {}", clock.offset(last));
        let used: usize = spans.iter().map(Span::width).sum();
        if used + text::width(&offset) <= room {
            spans.push(span(offset, theme.dim));
        }
    }
    let left_width: usize = spans.iter().map(Span::width).sum();
    spans.push(Span::raw(" ".repeat(width.saturating_sub(left_width + right_width))));
    spans.extend(right);
    frame.render_widget(Line::from(spans), area);
}

/// The shortest answer, for the smallest screens.
fn verdict(scene: &Scene) -> String {
    let active = |family| {
        let of = |o: &&crate::detect::Onset| o.status == OnsetStatus::Active && o.family == family;
        scene.snapshot.onsets.iter().filter(of).count()
    };
    match (active(Family::Block), active(Family::Throttle)) {
        (0, 0) if !scene.snapshot.progress.complete => "no block yet".to_owned(),
        (0, 0) => "no block".to_owned(),
        (blocks, 0) => format!("■ {blocks} blocked"),
        (0, throttles) => format!("▲ {throttles} throttled"),
        (blocks, throttles) => format!("■ {blocks}  ▲ {throttles}"),
    }
}

fn progress<'a>(scene: &Scene, width: usize) -> Vec<Span<'a>> {
    let (snapshot, theme, state) = (scene.snapshot, &scene.theme, scene.state);
    let p = snapshot.progress;
    let mut spans = Vec::new();
    let gap = |spans: &mut Vec<Span<'a>>| {
        if !spans.is_empty() {
            spans.push(Span::raw("  "));
        }
    };
    let errors = snapshot.warnings.iter().filter(|w| w.is_error).count();
    if !snapshot.warnings.is_empty() && width >= 60 {
        let (count, word) = if errors > 0 {
            (errors, if errors == 1 { "error" } else { "errors" })
        } else {
            let count = snapshot.warnings.len();
            (count, if count == 1 { "message" } else { "messages" })
        };
        let style = if errors > 0 { theme.blocked } else { theme.warning };
        let key = if state.view() == View::Messages {
            String::new()
        } else {
            format!(" ({})", state.key(Action::Messages))
        };
        spans.push(span(format!("! {count} {word}{key}"), style));
    }
    if state.frozen {
        gap(&mut spans);
        let more = if state.missed > 0 { format!(" +{}", text::group(state.missed)) } else { String::new() };
        spans.push(span(format!("‖ frozen{more}"), theme.warning));
    }
    if !p.complete {
        gap(&mut spans);
        if p.total_bytes == 0 {
            spans.push(span("reading …", theme.dim));
        } else {
            let share = (p.done_bytes as f64 / p.total_bytes as f64).clamp(0.0, 1.0);
            if width >= 90 {
                spans.extend(bar(share, if width >= 140 { 20 } else { 10 }, scene));
                spans.push(Span::raw(" "));
            }
            spans.push(span(format!("{:>3.0} %", (share * 100.0).floor()), theme.text));
            if p.elapsed_s > 0.2 && p.done_bytes > 0 && width >= 60 {
                let rate = p.done_bytes as f64 / p.elapsed_s;
                let left = (p.total_bytes.saturating_sub(p.done_bytes) as f64 / rate).ceil() as i64;
                let text = format!("  {:>8}/s  {:>8} left", text::bytes(rate as u64), duration(left));
                spans.push(span(text, theme.dim));
            }
        }
    } else if p.live {
        gap(&mut spans);
        spans.push(span("●", theme.good));
        spans.push(span(" live", theme.text));
        if p.behind_bytes >= LAG {
            spans.push(span(format!(", {} behind", text::bytes(p.behind_bytes)), theme.warning));
        }
    } else if width >= 100 {
        gap(&mut spans);
        spans.push(span(format!("read in {}", seconds(p.elapsed_s)), theme.dim));
    }
    spans.push(Span::raw(if width < 30 { "" } else { " " }));
    spans
}

fn seconds(s: f64) -> String {
    if s < 10.0 { format!("{s:.1} s") } else { duration(s as i64) }
}

fn bar<'a>(share: f64, cells: usize, scene: &Scene) -> Vec<Span<'a>> {
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (share * cells as f64 * 8.0) as usize;
    let full = "█".repeat(eighths / 8);
    let part = PARTS[eighths % 8];
    let rest = " ".repeat(cells - eighths / 8 - usize::from(!part.is_empty()));
    vec![
        span("▕", scene.theme.border),
        span(format!("{full}{part}"), scene.theme.accent),
        span(format!("{rest}▏"), scene.theme.border),
    ]
}

/// Where the crumbs stand: column, width, how many crumbs a click leaves. Where they do not fit, the first ones are left
/// out: the last one is what Backspace takes away.
pub(crate) fn crumb_spans(state: &State) -> Vec<(u16, u16, usize)> {
    let names = crumb_texts(state);
    let room =
        usize::from(state.size.0).saturating_sub(1 + query_words(state).map_or(0, |w| text::width(&w) + 3));
    let width = |from: usize| -> usize {
        let more = if from > 0 { text::width(LEFT_OUT) } else { 0 };
        more + names[from..].iter().map(|name| text::width(name) + text::width(SEPARATOR)).sum::<usize>()
            - text::width(SEPARATOR)
    };
    let last = names.len() - 1;
    let from = (0..last).find(|&from| width(from) <= room).unwrap_or(last);
    let mut x = 1 + if from > 0 { text::width(LEFT_OUT) as u16 } else { 0 };
    let mut spans = Vec::new();
    for (i, name) in names.iter().enumerate().skip(from) {
        let w = text::width(name) as u16;
        spans.push((x, w, i));
        x = x.saturating_add(w + text::width(SEPARATOR) as u16);
    }
    spans
}

const SEPARATOR: &str = " › ";

/// Before the first crumb that is shown, where it is not the first of all.
const LEFT_OUT: &str = "… › ";

fn crumb_texts(state: &State) -> Vec<String> {
    let mut all = vec!["all attempts".to_owned()];
    all.extend(state.crumbs.iter().map(|c| c.text(&state.clock)));
    all
}

/// ` all › source 192.0.2.25 › domain outlook.com                                      filter: hot*`
pub(super) fn crumbs(frame: &mut Frame, area: Rect, scene: &Scene) {
    if area.is_empty() {
        return;
    }
    let (state, theme) = (scene.state, &scene.theme);
    let names = crumb_texts(state);
    let last = names.len() - 1;
    let shown = crumb_spans(state);
    let mut spans = vec![Span::raw(" ")];
    if shown.len() < names.len() {
        spans.push(span(LEFT_OUT, theme.dim));
    }
    for &(_, _, i) in &shown {
        spans.push(span(names[i].clone(), if i == last { theme.strong } else { theme.dim }));
        if i < last {
            spans.push(span(SEPARATOR, theme.dim));
        }
    }
    frame.render_widget(Line::from(spans), area);
    if let Some(words) = query_words(state) {
        let right = span(format!("  {words} "), theme.accent);
        let w = (right.width() as u16).min(area.width);
        frame.render_widget(right, Rect { x: area.right() - w, width: w, ..area });
    }
}

/// What the table in view is filtered by.
fn query_words(state: &State) -> Option<String> {
    let query = &state.table().query;
    let words = || text::fit(&text::clean_most(query, 64), 40);
    (!query.is_empty()).then(|| format!("{} with {}", state.tab.title(), words()))
}

/// What began or cleared, until it is looked at.
pub(super) fn news(frame: &mut Frame, area: Rect, scene: &Scene) {
    let Some(last) = scene.state.news.last().filter(|_| !area.is_empty()) else { return };
    let more = match scene.state.news.len() {
        1 => String::new(),
        n => format!("  and {} more", n - 1),
    };
    let style = scene.theme.blocked.add_modifier(Modifier::REVERSED);
    let key = scene.state.key(Action::Block);
    let line = text::left(&format!(" NEW  {}{more}   {key} to look", last.text), usize::from(area.width));
    frame.render_widget(span(line, style), area);
}

/// Keys; or the prompt; or what there is to say.
pub(super) fn footer(frame: &mut Frame, area: Rect, scene: &Scene) {
    if area.is_empty() {
        return;
    }
    let (state, theme) = (scene.state, &scene.theme);
    let width = usize::from(area.width);
    frame.render_widget(Clear, area);
    frame.buffer_mut().set_style(area, theme.text);
    if let Some(prompt) = &state.prompt {
        let label = match prompt.kind {
            PromptKind::Filter => " filter: ",
            PromptKind::Search => " search: ",
            PromptKind::Time => " time: ",
            PromptKind::Find => " find a key: ",
            PromptKind::Command => " :",
            PromptKind::Note => " note: ",
        };
        let hint = match (&prompt.error, prompt.kind) {
            (Some(error), _) => {
                // Beside what was typed, of which the end is seen.
                let room = width.saturating_sub(label.len() + 16);
                span(text::fit(&text::clean_most(error, 200), room), theme.warning)
            }
            (None, PromptKind::Filter) => {
                span("words, globs, source: domain: dc: reply: …, ! negates", theme.dim)
            }
            (None, PromptKind::Time) => span("14:30  -2h  yesterday  09:00 to 10:30", theme.dim),
            (None, PromptKind::Search) => {
                let [next, previous] = [Action::NextHit, Action::PreviousHit].map(|a| state.key(a));
                span(format!("⏎ then {next} and {previous}"), theme.dim)
            }
            (None, PromptKind::Find) => span("⏎ keeps it, Esc shows all keys", theme.dim),
            (None, PromptKind::Command) => {
                let words = candidates(prompt.input.value(), state).join("  ");
                let room = width.saturating_sub(text::width(prompt.input.value()) + 8);
                span(text::fit(&words, room), theme.dim)
            }
            (None, PromptKind::Note) => span("⏎ keeps it; an empty one takes it away", theme.dim),
        };
        let kept = if prompt.error.is_some() { hint.width() + 4 } else { 1 };
        let room = width.saturating_sub(label.len() + kept).max(1);
        let from = prompt.input.visual_scroll(room.saturating_sub(1));
        let value = text::clean_most(prompt.input.value(), 4096);
        let shown = text::window(&value, from, room).to_owned();
        let used = label.len() + text::width(&shown) + 3;
        let mut spans = vec![span(label, theme.key), span(shown, theme.text)];
        if used + hint.width() < width {
            spans.push(Span::raw(" ".repeat(width - used - hint.width() + 2)));
            spans.push(hint);
        }
        frame.render_widget(Line::from(spans), area);
        let x = label.len() + prompt.input.visual_cursor().saturating_sub(from);
        frame.set_cursor_position(Position::new(area.x + x.min(width - 1) as u16, area.y));
        return;
    }
    if let Some(notice) = &state.notice {
        let style = if notice.is_error { theme.blocked } else { theme.accent };
        let line = text::fit(&format!(" {}", text::clean_most(&notice.text, 400)), width);
        frame.render_widget(span(line, style), area);
        return;
    }
    frame.render_widget(Paragraph::new(keys(scene, width)), area);
}

/// The keys of the view, help and quit last and always.
fn keys<'a>(scene: &Scene, width: usize) -> Line<'a> {
    let (state, theme) = (scene.state, &scene.theme);
    let view = state.view();
    let mut items: Vec<(String, &str)> = Vec::new();
    let mut always = Vec::new();
    for binding in state.keymap.of(view).filter(|b| !b.footer.is_empty()) {
        let Some(first) = binding.keys.first() else { continue };
        let key = match binding.action {
            Action::Down if binding.keys.contains(&Key { code: KeyCode::Down, ctrl: false }) => {
                "↑↓".to_owned()
            }
            Action::Down => format!("{} {}", state.key(Action::Up), first.label()),
            Action::NextBlock => format!("{} {}", state.key(Action::PreviousBlock), first.label()),
            _ => first.label(),
        };
        let is_last =
            matches!(binding.name, "help" | "leave") || view != View::Overview && binding.name == "back";
        if is_last { always.push((key, binding.footer)) } else { items.push((key, binding.footer)) }
    }
    let cells = |(key, word): &(String, &str)| text::width(key) + text::width(word) + 3;
    let mut room = width.saturating_sub(1 + always.iter().map(cells).sum::<usize>());
    let mut shown = Vec::new();
    for item in items {
        if cells(&item) <= room {
            room -= cells(&item);
            shown.push(item);
        }
    }
    shown.extend(always);
    let mut spans = vec![Span::raw(" ")];
    for (key, word) in shown {
        spans.push(span(key, theme.key));
        spans.push(span(format!(" {word}  "), theme.dim));
    }
    Line::from(spans)
}
