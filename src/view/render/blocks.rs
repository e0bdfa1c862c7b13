//! The block list: what is blocked, where, since when, how sure, how much was lost. Or that nothing is.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::{Scene, fitting, framed, has_focus, panel, span};
use crate::detect::{Basis, Family, Onset, OnsetStatus};
use crate::view::clock::{Clock, duration};
use crate::view::columns;
use crate::view::keys::Action;
use crate::view::layout::{Areas, WIDE};
use crate::view::state::{Focus, State, onset_source, onset_word};
use crate::view::text;
use crate::view::theme::Theme;

/// ```text
/// ╭ Blocks and throttles: 2 active, 1 cleared ──────────────────────────────────────────────────────────────────╮
/// │ ■ BLOCKED    192.0.2.25   consumer  all datacenters  since 09:41:07 (4 h 51 m)  S3140  1 243 of 1 243 refused │
/// ╰ → what to do (narrow screens) ──────────────────────────────────────────────────────────────────────────────╯
/// ```
pub(super) fn draw(frame: &mut Frame, areas: &Areas, scene: &Scene) {
    let area = areas.blocks;
    if area.is_empty() {
        return;
    }
    let (state, snapshot, theme) = (scene.state, scene.snapshot, &scene.theme);
    let focus = has_focus(scene, Focus::Blocks);
    let inner = if areas.framed {
        let mut block = framed(title(scene));
        if area.width < WIDE
            && let Some(fix) = fix(scene)
        {
            let key = state.key(Action::Advice);
            let fix = text::fit(&fix, usize::from(area.width).saturating_sub(11 + text::width(&key)));
            block = block.title_bottom(Line::from(vec![
                span(format!(" → {fix} "), theme.accent),
                span(format!("{key} "), theme.key),
            ]));
        } else if let Some(note) = state.onset(snapshot).and_then(|o| state.note(o)) {
            let note = text::fit(&text::clean_most(note, 512), usize::from(area.width.saturating_sub(30)));
            block = block.title_bottom(span(format!(" note: {note} "), theme.accent));
        }
        let count = state.blocks.order.len();
        let shown = areas.blocks_shown();
        if count > shown {
            let last = (state.blocks.top + shown).min(count);
            let first = state.blocks.top + 1;
            let more = if first == last {
                format!(" {first} of {count} ")
            } else {
                format!(" {first} to {last} of {count} ")
            };
            block = if area.width < WIDE {
                block.title_top(Line::styled(more, theme.dim).right_aligned())
            } else {
                block.title_bottom(Line::styled(more, theme.dim).right_aligned())
            };
        }
        panel(frame, area, block, focus, theme)
    } else {
        area
    };
    if state.blocks.order.is_empty() {
        let width = usize::from(inner.width.saturating_sub(2));
        let lines: Vec<Line> = nothing(scene)
            .into_iter()
            .flat_map(|(sentence, style)| text::wrap(&sentence, width).into_iter().map(move |l| (l, style)))
            .map(|(line, style)| Line::from(vec![Span::raw(" "), span(line, style)]))
            .collect();
        for (line, y) in lines.into_iter().zip(inner.y..inner.bottom()) {
            frame.render_widget(line, Rect { y, height: 1, ..inner });
        }
        return;
    }
    let now = State::now(snapshot);
    let is_one_line = areas.block_lines == 1;
    let mut columns = Columns::of(scene, now, !is_one_line);
    if is_one_line {
        let width = usize::from(inner.width.saturating_sub(2));
        if columns.width() > width {
            columns = Columns::of(scene, now, true);
        }
        columns = columns.within(width);
    }
    let rows = state.blocks.order.iter().enumerate().skip(state.blocks.top).take(areas.blocks_shown());
    for (shown, (at, &i)) in rows.enumerate() {
        let Some(onset) = snapshot.onsets.get(i as usize) else { continue };
        let y = inner.y + shown as u16 * areas.block_lines;
        let row = Rect { y, height: areas.block_lines.min(inner.bottom() - y), ..inner };
        let width = usize::from(inner.width.saturating_sub(2));
        let lines = if areas.tiny && areas.block_lines == 1 {
            vec![smallest(onset, now, scene, usize::from(inner.width))]
        } else if areas.block_lines == 1 {
            vec![one_line(onset, now, scene, &columns, width)]
        } else {
            two_lines(onset, now, scene, &columns, width)
        };
        for (line, y) in lines.into_iter().zip(row.y..row.bottom()) {
            frame.render_widget(line, Rect { y, height: 1, ..row });
        }
        let is_selected = at == state.blocks.at && (state.blocks.order.len() > 1 || focus || areas.tiny);
        if is_selected {
            let style = if focus || areas.tiny { theme.selected } else { theme.marked };
            frame.buffer_mut().set_style(row, style);
        }
    }
}

fn title<'a>(scene: &Scene) -> Line<'a> {
    let order = &scene.state.blocks.order;
    let shown = || order.iter().filter_map(|&i| scene.snapshot.onsets.get(i as usize));
    let active = shown().filter(|o| o.status == OnsetStatus::Active).count();
    let untried = shown().filter(|o| o.status == OnsetStatus::Active && o.untried_since.is_some()).count();
    let outside = scene.state.outside(scene.snapshot);
    let theme = &scene.theme;
    let mut spans = vec![span(" Blocks and throttles", theme.title)];
    if !order.is_empty() {
        spans.push(span(": ", theme.dim));
        let style = if active > 0 { theme.blocked } else { theme.dim };
        spans.push(span(format!("{active} active"), style));
        if untried > 0 && scene.state.size.0 >= 70 {
            spans.push(span(format!(" ({untried} untried)"), theme.dim));
        }
        spans.push(span(format!(", {} cleared", order.len() - active), theme.dim));
    }
    if outside > 0 {
        let separator = if order.is_empty() { ": " } else { ", " };
        spans.push(span(format!("{separator}{outside} outside the range"), theme.dim));
    }
    spans.push(Span::raw(" "));
    Line::from(spans)
}

/// The fix of the selected block's reply, in one line.
fn fix(scene: &Scene) -> Option<String> {
    let onset = scene.state.onset(scene.snapshot)?;
    if let Some(first) = (scene.advice)(&onset.reply_id).and_then(|a| a.steps.into_iter().next()) {
        return Some(text::clean_most(&first, 512));
    }
    let reply = scene.snapshot.replies.iter().find(|r| r.reply_id == onset.reply_id)?;
    reply.fix.as_deref().map(|f| text::clean_most(f, 512))
}

pub(super) fn status_style(onset: &Onset, theme: &Theme) -> Style {
    match (onset.status, onset.family) {
        (OnsetStatus::Cleared, _) => theme.dim,
        (_, Family::Block) => theme.blocked,
        (_, Family::Throttle) => theme.throttled,
        (_, Family::Auth) => theme.auth,
    }
}

/// Where: platforms, and forests or all of them, or the one domain.
pub(super) fn place(onset: &Onset) -> (String, String) {
    let platform = match &onset.platform {
        Some(list) => text::clean_most(&list.join(" "), 40),
        None => "everywhere".to_owned(),
    };
    let forests = match (&onset.domain, &onset.datacenters) {
        (Some(domain), _) => text::clean_most(domain, 64),
        (None, Some(list)) if list.len() > 3 => format!("{} datacenters", list.len()),
        (None, Some(list)) => text::clean_most(&list.join(" "), 64),
        (None, None) => "all datacenters".to_owned(),
    };
    (platform, forests)
}

/// `since 09:41:07 (4 h 51 m)`, `02:10 to 06:55 (4 h 45 m)`.
pub(super) fn when(onset: &Onset, now: i64, clock: &Clock, short: bool) -> String {
    let time = |t| if short { clock.relative_minute(t, now) } else { clock.relative(t, now) };
    match (onset.status, onset.end) {
        (OnsetStatus::Cleared, Some(end)) => {
            let lasted = duration(end.seconds - onset.start.seconds);
            let same = clock.at(end.seconds).date() == clock.at(onset.start.seconds).date();
            let until = if same { clock.minute(end.seconds) } else { clock.relative_minute(end, now) };
            format!("{} to {until} ({lasted})", clock.relative_minute(onset.start, now))
        }
        _ if clock.at(onset.start.seconds).date() != clock.at(now).date() => {
            format!(
                "since {} ({})",
                clock.relative_minute(onset.start, now),
                duration(now - onset.start.seconds)
            )
        }
        _ => format!("since {} ({})", time(onset.start), duration(now - onset.start.seconds)),
    }
}

/// `99.99 % sure`; where Microsoft said it itself, `stated`.
pub(super) fn sure(onset: &Onset) -> String {
    match onset.basis {
        Basis::Rate => format!("{} sure", text::sureness(onset.confidence)),
        Basis::Stated => format!("stated, {}", text::sureness(onset.confidence)),
    }
}

pub(super) fn refused(onset: &Onset) -> String {
    let verb = if onset.family == Family::Throttle { "deferred" } else { "refused" };
    format!("{} of {} {verb}", text::group(onset.during.refused), text::group(onset.during.attempts))
}

/// What is lost for good, and what waits.
pub(super) fn loss(onset: &Onset) -> String {
    match (onset.lost, onset.deferred) {
        (0, 0) => "none lost".to_owned(),
        (lost, 0) => format!("{} lost", text::group(lost)),
        (0, waiting) => format!("{} waiting", text::group(waiting)),
        (lost, waiting) => format!("{} lost, {} waiting", text::group(lost), text::group(waiting)),
    }
}

/// How sure, or for how long nothing was tried: where there is less room in the largest unit.
fn sure_or_untried(onset: &Onset, now: i64, is_short: bool) -> String {
    let Some(since) = onset.untried_since.filter(|_| onset.status == OnsetStatus::Active) else {
        return sure(onset);
    };
    let lasts = duration(now - since.seconds);
    let words = if is_short { 2 } else { usize::MAX };
    format!("untried {}", lasts.split(' ').take(words).collect::<Vec<_>>().join(" "))
}

pub(super) fn code(onset: &Onset) -> String {
    columns::code(&onset.reply_id, onset.smtp_code, onset.enhanced_code.as_deref())
}

/// How wide the columns of this list are: each at least so wide, that nothing jumps while there is little to tell.
#[derive(Clone, Copy, Debug, Default)]
struct Columns {
    source: usize,
    platform: usize,
    forests: usize,
    when: usize,
    code: usize,
    refused: usize,
    loss: usize,
    sure: usize,
    /// How sure in fewer words.
    is_short: bool,
}

impl Columns {
    const LEAST: Self = Self {
        source: 12,
        platform: 8,
        forests: 15,
        when: 26,
        code: 7,
        refused: 20,
        loss: 10,
        sure: 12,
        is_short: false,
    };
    const MOST_SOURCE: usize = 39;
    const GAP: usize = 2;

    /// As wide as the blocks of the list need them.
    fn of(scene: &Scene, now: i64, is_short: bool) -> Self {
        let clock = &scene.state.clock;
        let mut all = Self { is_short, ..Self::LEAST };
        let grow = |cells: &mut usize, text: &str| *cells = text::width(text).max(*cells);
        let (state, snapshot) = (scene.state, scene.snapshot);
        for onset in state.blocks.order.iter().take(64).filter_map(|&i| snapshot.onsets.get(i as usize)) {
            let (platform, forests) = place(onset);
            all.source = source_cells(onset, scene).min(Self::MOST_SOURCE).max(all.source);
            grow(&mut all.platform, &platform);
            grow(&mut all.forests, &forests);
            grow(&mut all.when, &when(onset, now, clock, false));
            grow(&mut all.code, &code(onset));
            grow(&mut all.refused, &refused(onset));
            grow(&mut all.loss, &loss(onset));
            grow(&mut all.sure, &sure_or_untried(onset, now, is_short));
        }
        all
    }

    /// For one line a block in so many cells.
    fn within(mut self, width: usize) -> Self {
        let mut over = self.width().saturating_sub(width);
        for (cells, least) in [
            (&mut self.forests, 15),
            (&mut self.source, 15),
            (&mut self.platform, 10),
            (&mut self.when, 26),
            (&mut self.sure, 0),
            (&mut self.loss, 16),
        ] {
            let less = over.min(cells.saturating_sub(least));
            *cells -= less;
            over -= less;
        }
        self
    }

    fn width(&self) -> usize {
        let cells = [self.source, self.platform, self.forests, self.when, self.code, self.refused, self.loss];
        1 + WORD + cells.into_iter().chain([self.sure]).map(|cells| Self::GAP + cells).sum::<usize>()
    }
}

/// Cells of the longest word for a state.
const WORD: usize = 11;

/// Cells of the source with its star.
fn source_cells(onset: &Onset, scene: &Scene) -> usize {
    text::width(&onset_source(onset)) + usize::from(scene.state.note(onset).is_some())
}

/// The source in so many cells; with a star where there is a note.
fn source(onset: &Onset, scene: &Scene, cells: usize) -> String {
    let star = if scene.state.note(onset).is_some() { "*" } else { "" };
    let name = text::fit(&onset_source(onset), cells.saturating_sub(star.len()));
    text::left(&format!("{name}{star}"), cells)
}

fn one_line<'a>(onset: &Onset, now: i64, scene: &Scene, columns: &Columns, width: usize) -> Line<'a> {
    let (clock, theme) = (&scene.state.clock, &scene.theme);
    let style = status_style(onset, theme);
    let active = onset.status == OnsetStatus::Active;
    let text_style = if active { theme.text } else { theme.dim };
    let source_style = if active { theme.strong } else { theme.dim };
    let loss_style = if onset.lost > 0 { style } else { theme.dim };
    let (platform, forests) = place(onset);
    let cells = [
        (text::left(onset_word(onset), WORD), style),
        (source(onset, scene, columns.source), source_style),
        (text::left(&platform, columns.platform), text_style),
        (text::left(&forests, columns.forests), text_style),
        (text::left(&when(onset, now, clock, false), columns.when), text_style),
        (text::left(&code(onset), columns.code), text_style),
        (text::right(&refused(onset), columns.refused), text_style),
        (text::right(&loss(onset), columns.loss), loss_style),
    ];
    let mut spans = Vec::new();
    for (content, style) in cells {
        spans.push(Span::raw(" ".repeat(if spans.is_empty() { 1 } else { Columns::GAP })));
        spans.push(span(content, style));
    }
    let used: usize = spans.iter().map(Span::width).sum();
    let room = (width + 1).saturating_sub(used);
    // Half a number would say something else.
    let sure = sure_or_untried(onset, now, columns.is_short);
    let sure = if text::width(&sure) + Columns::GAP <= room { sure } else { String::new() };
    spans.push(span(text::right(&sure, room), theme.dim));
    Line::from(spans)
}

/// The source, and where it is blocked: a long source takes the place of what is beside it, rather than being cut.
fn who_and_where(onset: &Onset, scene: &Scene, columns: &Columns, width: usize) -> Vec<(String, Style, u8)> {
    let theme = &scene.theme;
    let active = onset.status == OnsetStatus::Active;
    let (text_style, source_style) = if active { (theme.text, theme.strong) } else { (theme.dim, theme.dim) };
    let (platform, forests) = place(onset);
    let (platform_cells, forest_cells) = (columns.platform.min(15), columns.forests.min(15));
    let room = width.saturating_sub(platform_cells + forest_cells + 4);
    let source_room = columns.source.min(room);
    let needed = source_cells(onset, scene);
    let wider = [0, platform_cells + 2, platform_cells + forest_cells + 4];
    let taken = wider.iter().position(|more| needed <= source_room + more).unwrap_or(0);
    let mut parts = vec![(source(onset, scene, source_room + wider[taken]), source_style, 1)];
    if taken < 1 {
        parts.push((text::left(&platform, platform_cells), text_style, 4));
    }
    if taken < 2 {
        parts.push((text::left(&forests, forest_cells), text_style, 3));
    }
    parts
}

fn two_lines<'a>(onset: &Onset, now: i64, scene: &Scene, columns: &Columns, width: usize) -> Vec<Line<'a>> {
    let (clock, theme) = (&scene.state.clock, &scene.theme);
    let style = status_style(onset, theme);
    let active = onset.status == OnsetStatus::Active;
    let text_style = if active { theme.text } else { theme.dim };
    let source_style = if active { theme.strong } else { theme.dim };
    let loss_style = if onset.lost > 0 { style } else { theme.dim };
    let (mut first, mut second) = (vec![Span::raw(" ")], vec![Span::raw("   ")]);
    if width < 70 {
        let (platform, forests) = place(onset);
        let is_narrow = onset.domain.is_some() || onset.datacenters.is_some();
        let room = width.saturating_sub(text::width(onset_word(onset)) + 2);
        first.extend(fitting(
            vec![
                (onset_word(onset).to_owned(), style, 0),
                (source(onset, scene, source_cells(onset, scene).min(room)), source_style, 1),
                (if is_narrow { forests } else { platform }, text_style, 3),
                (code(onset), text_style, 2),
                (sure_or_untried(onset, now, true), theme.dim, 4),
            ],
            width,
        ));
        let of = format!("{} of {}", text::group(onset.during.refused), text::group(onset.during.attempts));
        second.extend(fitting(
            vec![
                (when(onset, now, clock, true), text_style, 0),
                (of, text_style, 2),
                (loss(onset), loss_style, 1),
            ],
            width.saturating_sub(2),
        ));
        return vec![Line::from(first), Line::from(second)];
    }
    let sure = columns.sure.clamp(14, 18);
    let mut parts = vec![(text::left(onset_word(onset), WORD), style, 0)];
    parts.extend(who_and_where(onset, scene, columns, width.saturating_sub(WORD + sure + 4)));
    let used: usize = parts.iter().map(|(content, ..)| text::width(content) + 2).sum();
    let room = width.saturating_sub(used);
    parts.push((text::right(&sure_or_untried(onset, now, true), room.min(sure)), theme.dim, 2));
    first.extend(fitting(parts, width));
    // Where the columns would push one of them out, they stand close together.
    let room = width.saturating_sub(2);
    // Room for the day, where the width has it.
    let when_width = if width < 95 { 25 } else { 38 };
    let (code, refused, since) = (code(onset), refused(onset), when(onset, now, clock, false));
    let when_width = when_width.max(text::width(&since));
    let is_tight = 9 + when_width + 22 + text::width(&loss(onset)) + 6 > room;
    let since = if is_tight { when(onset, now, clock, true) } else { since };
    let column = |text: String, cells| if is_tight { text } else { text::left(&text, cells) };
    second.extend(fitting(
        vec![
            (column(code, 9), text_style, 1),
            (column(since, when_width), text_style, 0),
            (column(refused, 22), text_style, 3),
            (loss(onset), loss_style, 2),
        ],
        room,
    ));
    vec![Line::from(first), Line::from(second)]
}

fn smallest<'a>(onset: &Onset, now: i64, scene: &Scene, width: usize) -> Line<'a> {
    let (clock, theme) = (&scene.state.clock, &scene.theme);
    let style = status_style(onset, theme);
    let word = onset_word(onset);
    let (symbol, _) = word.split_once(' ').unwrap_or((word, ""));
    if width < 40 {
        let room = width.saturating_sub(text::width(symbol) + 1);
        let (source, code) = (onset_source(onset), code(onset));
        let tail =
            if text::width(&source) + text::width(&code) < room { format!(" {code}") } else { String::new() };
        return Line::from(vec![
            span(format!("{symbol} "), style),
            span(text::fit(&source, room), theme.text),
            span(tail, theme.dim),
        ]);
    }
    Line::from(fitting(
        vec![
            (word.to_owned(), style, 0),
            (text::fit(&onset_source(onset), width / 2), theme.text, 1),
            (code(onset), theme.text, 2),
            (when(onset, now, clock, true), theme.dim, 3),
            (loss(onset), theme.dim, 4),
        ],
        width,
    ))
}

/// What to say where no block is known: it depends on why.
fn nothing(scene: &Scene) -> Vec<(String, Style)> {
    let (snapshot, theme, state) = (scene.snapshot, &scene.theme, scene.state);
    let totals = &snapshot.totals;
    let attempts = totals.counts.attempts;
    let errors: Vec<_> = snapshot.warnings.iter().filter(|w| w.is_error).collect();
    let (empty, foreign): (Vec<_>, Vec<_>) =
        snapshot.inputs.iter().filter(|i| i.mta.is_none()).partition(|i| i.bytes == 0);
    if attempts > 0 {
        let when = State::whole(snapshot).map_or_else(String::new, |(_, _)| match snapshot.range {
            crate::aggregate::Range { first: Some(a), last: Some(b) } => {
                format!(", {}", state.clock.range(a.seconds, b.seconds))
            }
            _ => String::new(),
        });
        let (blocked, throttled) = (totals.counts.blocked, totals.counts.throttled);
        let counted = [(blocked, "blocked"), (throttled, "throttled")].map(|(count, words)| match count {
            0 => None,
            1 => Some(format!("1 attempt was {words}")),
            n => Some(format!("{} attempts were {words}", text::group(n))),
        });
        let counted = counted.into_iter().flatten().collect::<Vec<_>>().join(", ");
        let attempts = text::plural(attempts, "attempt", "attempts");
        let is_read = snapshot.progress.complete;
        if !is_read && !counted.is_empty() {
            return vec![
                (format!("Reading … {attempts} so far{when}"), theme.text),
                (format!("{counted}: a block is told as soon as it is sure."), theme.warning),
            ];
        }
        let so_far = if is_read { "" } else { " so far" };
        let mut all = vec![(format!("✓ No Microsoft block in {attempts}{so_far}{when}"), theme.good)];
        if !counted.is_empty() {
            all.push((
                format!("{counted}: too few, or too spread out, for a block of a source (see the tables)."),
                theme.dim,
            ));
        }
        return all;
    }
    if !snapshot.progress.complete {
        return vec![("Reading … nothing refused so far.".to_owned(), theme.dim)];
    }
    if !state.crumbs.is_empty() {
        return vec![
            ("No attempt to Microsoft is left by these filters.".to_owned(), theme.text),
            (
                format!(
                    "{} takes the last one away, {} shows the whole time.",
                    state.key(Action::Back),
                    state.key(Action::Whole)
                ),
                theme.dim,
            ),
        ];
    }
    let messages = state.key(Action::Messages);
    if let Some(error) = errors.first() {
        let file =
            error.path.as_deref().map_or_else(String::new, |p| format!("{}: ", text::clean_most(p, 200)));
        let more = if errors.len() > 1 {
            format!(" (and {} more: {messages})", errors.len() - 1)
        } else {
            String::new()
        };
        return vec![(format!("! {file}{}{more}", text::clean_most(&error.text, 400)), theme.blocked)];
    }
    if let Some(input) = foreign.first() {
        let more = if foreign.len() > 1 { format!(" and {} more", foreign.len() - 1) } else { String::new() };
        let path = text::clean_most(&input.path, 200);
        return vec![
            (
                format!("Unknown format: {path}{more}. No mail server's log was recognised in it."),
                theme.warning,
            ),
            (
                format!("Try --mta NAME if you know which server wrote it; {messages} tells what was seen."),
                theme.dim,
            ),
        ];
    }
    if let Some(input) = empty.first().filter(|_| empty.len() == snapshot.inputs.len()) {
        let more = if empty.len() > 1 { format!(" and {} more", empty.len() - 1) } else { String::new() };
        return vec![
            (
                format!("Empty: {}{more}. Nothing is in it yet.", text::clean_most(&input.path, 200)),
                theme.warning,
            ),
            ("Was it rotated just now? Name the older file too.".to_owned(), theme.dim),
        ];
    }
    if snapshot.inputs.is_empty() {
        return vec![
            ("Nothing to read.".to_owned(), theme.warning),
            ("Name a log file or a folder: eopwatch /var/log/mail.log".to_owned(), theme.dim),
        ];
    }
    let others = if totals.other_attempts > 0 {
        format!(" ({} to other providers)", text::plural(totals.other_attempts, "attempt", "attempts"))
    } else {
        String::new()
    };
    vec![
        (
            format!("No mail to Microsoft in {}{others}.", text::plural(totals.lines, "line", "lines")),
            theme.text,
        ),
        (
            "Is this the log of the host that sends out? Try older files, or the relay's.".to_owned(),
            theme.dim,
        ),
    ]
}
