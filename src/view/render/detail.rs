//! One block: its story, its evidence, its spread, and what to do.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::lines::STACKED;
use super::{Scene, advice, blocks, page, share_style, span, wrapped};
use crate::detect::{Basis, Family, Onset, OnsetStatus, Slowing, Tally};
use crate::record::Time;
use crate::view::clock::duration;
use crate::view::layout::WIDE;
use crate::view::state::{State, onset_source, onset_word};
use crate::view::text;

/// ```text
/// ╭ ■ BLOCKED  192.0.2.25 ───────────────────────────╮╭ 550 5.7.1 S3140 ──────╮   narrow: one under the other
/// │ Where         consumer, all datacenters           ││ What it means         │
/// │ First refused 09:41:02                            ││ What to do now        │
/// │ Before        2 of 31 224 refused (0.1 %)         ││                       │
/// │ nam10  ··▕████████████████████▏ 09:41 to …        ││                       │
/// ╰───────────────────────────────────────────────────╯╰───────────────────────╯
/// ```
pub(super) fn draw(frame: &mut Frame, area: Rect, scene: &Scene, scroll: usize) -> usize {
    let theme = &scene.theme;
    let Some(onset) = scene.state.onset(scene.snapshot) else {
        return page(frame, area, Line::styled(" No block ", theme.title), &[], scroll, scene);
    };
    let room = usize::from(area.width).saturating_sub(22).max(6);
    let title = Line::from(vec![
        span(format!(" {}  ", onset_word(onset)), blocks::status_style(onset, theme)),
        span(format!("{} ", text::fit(&onset_source(onset), room)), theme.title),
    ]);
    if area.width >= WIDE {
        let right = (area.width * 2 / 5).min(72);
        let left = Rect { width: area.width - right, ..area };
        let lines = story(scene, onset, usize::from(left.width - 3));
        let end = page(frame, left, title, &lines, scroll, scene);
        let right = Rect { x: left.right(), width: right, ..area };
        advice::draw(frame, right, scene, 0, false);
        return end;
    }
    let width = usize::from(area.width.saturating_sub(3));
    let mut lines = story(scene, onset, width);
    lines.push(Line::default());
    lines.extend(advice::lines(scene, &onset.reply_id, width));
    page(frame, area, title, &lines, scroll, scene)
}

fn story<'a>(scene: &Scene, onset: &Onset, width: usize) -> Vec<Line<'a>> {
    let theme = &scene.theme;
    let clock = &scene.state.clock;
    let now = State::now(scene.snapshot);
    let mut lines: Vec<Line> = Vec::new();
    let name_width = if width < STACKED { 0 } else { 16 };
    let fact = |lines: &mut Vec<Line<'a>>, name: &str, value: &str, style: Style| {
        if name_width == 0 {
            lines.push(Line::styled(format!(" {name}"), theme.dim));
            lines.extend(wrapped(value, width, 2, style));
            return;
        }
        for (i, part) in text::wrap(value, width.saturating_sub(name_width + 2)).into_iter().enumerate() {
            let name = if i == 0 { name } else { "" };
            lines.push(Line::from(vec![
                span(format!(" {} ", text::left(name, name_width)), theme.dim),
                span(part, style),
            ]));
        }
    };
    let head = |lines: &mut Vec<Line<'a>>, words: &str| {
        lines.push(Line::default());
        lines.push(Line::styled(format!(" {words}"), theme.accent));
    };
    let time = |t: Time| clock.full(t);
    let share = |t: Tally| {
        let percent = text::percent(t.refused, t.attempts);
        let verb = if onset.family == Family::Throttle { "deferred" } else { "refused" };
        let of = format!("{} of {} {verb}", text::group(t.refused), text::group(t.attempts));
        if percent.is_empty() { "no attempts".to_owned() } else { format!("{of} ({percent})") }
    };

    let of = |t: Tally| share_style(t.attempts, theme.text, theme);

    let (platform, forests) = blocks::place(onset);
    let mut place = format!("{platform}, {forests}");
    if let Some(list) = onset.datacenters.as_ref().filter(|l| l.len() > 3) {
        place += &format!(" ({})", text::clean_most(&list.join(" "), 200));
    }
    if let Some(range) = &onset.range {
        place += &format!("; other sources of {} too", text::clean_most(range, 64));
    }
    fact(&mut lines, "Where", &place, theme.text);
    fact(&mut lines, "When", &blocks::when(onset, now, clock, false), theme.strong);
    let codes: Vec<String> = [
        onset.smtp_code.map(|c| c.to_string()),
        onset.enhanced_code.as_deref().map(|e| text::clean_most(e, 12)),
        Some(text::clean_most(&onset.reply_id, 64)),
    ]
    .into_iter()
    .flatten()
    .collect();
    fact(&mut lines, "Reply", &codes.join(" "), theme.text);
    let lost = text::plural(onset.lost, "message", "messages");
    let loss = [format!("{lost} for good"), format!("{} waiting", text::group(onset.deferred))];
    if let Some(note) = scene.state.note(onset) {
        fact(&mut lines, "Your note", &text::clean_most(note, 1000), theme.accent);
    }
    fact(&mut lines, "Lost", &loss.join(", "), if onset.lost > 0 { theme.blocked } else { theme.text });

    head(&mut lines, "How sure, and why");
    let basis = match onset.basis {
        Basis::Rate => "the share of refusals jumped",
        Basis::Stated => "Microsoft's own words say so; too few attempts for statistics",
    };
    fact(&mut lines, "Confidence", &format!("{}: {basis}", text::sureness(onset.confidence)), theme.text);
    fact(&mut lines, "The day before", &share(onset.before), of(onset.before));
    fact(&mut lines, "Inside", &share(onset.during), of(onset.during));
    if let Some(first) = &onset.first_line {
        let at = format!("{} at byte {}", text::clean_most(&first.file, 400), text::group(first.offset));
        fact(&mut lines, "First line", &at, theme.text);
    }

    head(&mut lines, "In order of time");
    let mut steps: Vec<(Option<Time>, &str)> = vec![
        (Some(onset.start), "began"),
        (Some(onset.first_refused), "first refusal that counts"),
        (Some(onset.decided_at), "enough evidence: onset"),
        (onset.last_accepted, "last accepted"),
        (onset.last_attempt, "last attempt"),
        (onset.untried_since, "nothing tried since: still counted as active"),
        (onset.end, "last refusal that counts"),
        (onset.cleared_at, "cleared: accepted long enough"),
    ];
    steps.sort_by_key(|s| s.0);
    for (at, words) in steps.into_iter().filter_map(|(at, words)| Some((at?, words))) {
        fact(&mut lines, &time(at), words, theme.text);
    }

    if !onset.spread.is_empty() {
        head(&mut lines, "Spread over datacenters");
        if let Some(words) = onset.recovery_words() {
            lines.extend(wrapped(&words, width, 1, theme.text));
        }
        lines.extend(spread(scene, onset, width, now));
    }
    if !onset.reading.verdict.is_empty() {
        head(&mut lines, "Whose side");
        let verdict = match onset.reading.verdict {
            "yours" => "it looks like yours",
            "theirs" => "it looks like Microsoft's",
            other => other,
        };
        lines.extend(wrapped(verdict, width, 1, theme.strong));
        for reason in &onset.reading.reasons {
            let parts = text::wrap(&text::clean_most(reason, 500), width.saturating_sub(3));
            for (i, part) in parts.into_iter().enumerate() {
                lines.push(Line::from(vec![
                    span(if i == 0 { " · " } else { "   " }, theme.dim),
                    span(part, theme.text),
                ]));
            }
        }
    }
    if let Some(backoff) = &onset.backoff {
        head(&mut lines, "Back-off");
        if onset.slowing() == Some(Slowing::No) {
            lines.extend(wrapped(Slowing::No.words(), width, 1, theme.warning));
        }
        let rate = |r: Option<f64>| r.map(|r| format!("{r:.1} a minute"));
        for (name, value) in [
            ("Before", rate(backoff.per_minute_before)),
            ("After", rate(backoff.per_minute_after)),
            ("Retries", backoff.retries.map(text::group)),
            ("Accepted", rate(backoff.accepted_per_minute)),
        ] {
            if let Some(value) = value {
                fact(&mut lines, name, &value, theme.text);
            }
        }
    }
    if let Some(takeover) = &onset.takeover {
        let name =
            takeover.source_ip.as_deref().or(takeover.source_name.as_deref()).unwrap_or("another source");
        head(&mut lines, "Taken over");
        let words = format!(
            "{} sends {:.1} times what it sent before: watch that it is not blocked next",
            text::clean_most(name, 64),
            takeover.factor
        );
        lines.extend(wrapped(&words, width, 1, theme.warning));
    }
    lines
}

/// One bar a forest, from its first refusal to its last, then to its first pass.
fn spread<'a>(scene: &Scene, onset: &Onset, width: usize, now: i64) -> Vec<Line<'a>> {
    let theme = &scene.theme;
    let clock = &scene.state.clock;
    let begin = onset.spread.iter().map(|s| s.start.seconds).min().unwrap_or(onset.start.seconds);
    let end = onset.end.map_or(now, |e| e.seconds).max(begin + 1);
    let mut forests: Vec<_> = onset.spread.iter().collect();
    forests.sort_by_key(|s| (s.start, &s.forest));
    let cells = width.saturating_sub(46).clamp(8, 60);
    let cell = |at: i64| ((at - begin).max(0) as usize * cells / (end - begin) as usize).min(cells);
    forests
        .into_iter()
        .map(|s| {
            let from = cell(s.start.seconds).min(cells - 1);
            let to = cell(s.last_refused.seconds).max(from + 1);
            let (mark, words) = match s.first_accepted {
                Some(at) => (theme.good, format!("accepts since {}", clock.relative_minute(at, now))),
                None if onset.status == OnsetStatus::Active => {
                    (theme.blocked, format!("for {}", duration(now - s.start.seconds)))
                }
                None => (theme.dim, format!("until {}", clock.relative_minute(s.last_refused, now))),
            };
            Line::from(vec![
                span(format!(" {} ", text::left(&text::clean_most(&s.forest, 16), 8)), theme.text),
                span(format!("{} ", text::left(&clock.time(s.start), 8)), theme.dim),
                span("·".repeat(from), theme.border),
                span("█".repeat(to - from), theme.blocked),
                span("·".repeat(cells - to), theme.border),
                Span::raw("  "),
                span(words, mark),
            ])
        })
        .collect()
}
