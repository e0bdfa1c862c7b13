//! What keys, the mouse and new data do to the [`State`]; what the outside has to do comes back as [`Effect`]s.

use std::collections::HashSet;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};
use tui_input::{Input, InputRequest};

use super::columns::{self, Row, Sort, Tab};
use super::keys::{Action, Key, View};
use super::layout::{self, Areas, Plot};
use super::query;
use super::render::crumb_spans;
use super::state::{
    Choice, Crumb, ExportKind, Field, Focus, Menu, MenuItem, Notice, Prompt, PromptKind, Screen, State,
    filter, line_key, news_text, onset_filter, onset_source,
};
use super::text;
use crate::aggregate::{Filter, Snapshot};
use crate::detect::OnsetStatus;
use crate::engine::LineList;

/// What reaches the screen.
#[derive(Clone, Debug)]
pub enum Message {
    Key(KeyEvent),
    Mouse(MouseEvent),
    Paste(String),
    Resize(u16, u16),
    /// A new snapshot, or new lines.
    Data,
    /// While frozen: attempts counted since.
    Missed(u64),
    /// How an effect went.
    Notice(Notice),
}

/// What the outside has to do.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Show these attempts only.
    SetFilter(Filter),
    /// Look for these lines.
    FindLines(Filter),
    /// Into the terminal's clipboard.
    Copy(String),
    Export(Export),
    /// The listed lines into a file.
    WriteLines(Filter),
    Bell,
    Mouse(bool),
    Redraw,
    Suspend,
    Quit,
}

/// What to export.
#[derive(Clone, Debug)]
pub struct Export {
    pub kind: ExportKind,
    /// As shown.
    pub filter: Filter,
    /// The block that evidence is wanted for.
    pub onset: Option<String>,
}

/// One step.
pub fn update(state: &mut State, message: Message, snapshot: &Snapshot, lines: &LineList) -> Vec<Effect> {
    let mut effects = Vec::new();
    match message {
        Message::Resize(w, h) => state.size = (w, h),
        Message::Data => watch(state, snapshot, &mut effects),
        Message::Missed(count) => state.missed = count,
        Message::Notice(notice) => state.notice = Some(notice),
        Message::Paste(pasted) => {
            if state.prompt.is_some() {
                for c in pasted.chars().filter(|c| !c.is_control()).take(1000) {
                    edit(state, InputRequest::InsertChar(c));
                }
                typed(state, snapshot, lines);
            }
        }
        Message::Key(key) => {
            state.notice = None;
            if Key::of(&key) == (Key { code: KeyCode::Char('c'), ctrl: true }) {
                effects.push(Effect::Quit);
            } else if state.prompt.is_some() {
                prompt_key(state, key, snapshot, lines, &mut effects);
            } else if state.menu.is_some() {
                menu_key(state, key, &mut effects);
            } else if let Some(action) = state.keymap.action(state.view(), Key::of(&key)) {
                act(state, action, snapshot, lines, &mut effects);
            }
        }
        Message::Mouse(event) => mouse(state, event, snapshot, lines, &mut effects),
    }
    state.refresh(snapshot, lines);
    effects
}

/// Announces blocks that begin or clear while following.
fn watch(state: &mut State, snapshot: &Snapshot, effects: &mut Vec<Effect>) {
    if !snapshot.progress.complete {
        return;
    }
    let now: HashSet<_> =
        snapshot.onsets.iter().map(|o| (o.id.clone(), o.status == OnsetStatus::Active)).collect();
    if let (Some(known), true) = (&state.known, snapshot.progress.live) {
        for onset in &snapshot.onsets {
            let is_new = !known.contains(&(onset.id.clone(), onset.status == OnsetStatus::Active));
            if is_new {
                state.news.push(news_text(onset, &state.clock));
                effects.push(Effect::Bell);
            }
        }
    }
    state.known = Some(now);
}

fn set_filter(state: &mut State, effects: &mut Vec<Effect>) {
    // Other attempts, other events: what appears now is not news.
    state.known = None;
    state.frozen = false;
    state.cursor = None;
    effects.push(Effect::SetFilter(state.filter()));
}

fn push(state: &mut State, view: View) {
    let about = state.view();
    state.screens.push(Screen { view, scroll: 0, about });
}

/// What a key's action does.
pub(super) fn act(
    state: &mut State,
    action: Action,
    snapshot: &Snapshot,
    lines: &LineList,
    effects: &mut Vec<Effect>,
) {
    let page = page(state, snapshot);
    let step = isize::try_from(page).unwrap_or(isize::MAX);
    match action {
        Action::Up => go(state, -1, snapshot, lines),
        Action::Down => go(state, 1, snapshot, lines),
        Action::PageUp => go(state, -step, snapshot, lines),
        Action::PageDown => go(state, step, snapshot, lines),
        Action::HalfUp => go(state, -(step / 2).max(1), snapshot, lines),
        Action::HalfDown => go(state, (step / 2).max(1), snapshot, lines),
        Action::Top => go(state, isize::MIN, snapshot, lines),
        Action::Bottom => go(state, isize::MAX, snapshot, lines),
        Action::Left => sideways(state, -1, snapshot),
        Action::Right => sideways(state, 1, snapshot),
        Action::Open => open(state, snapshot, lines, effects),
        Action::Back => back(state, effects),
        Action::Lines => open_lines(state, snapshot, effects),
        Action::Block => {
            if state.onset(snapshot).is_some() {
                state.news.clear();
                state.focus = Focus::Blocks;
                push(state, View::Block);
            } else {
                state.notice = note("no block to look at");
            }
        }
        Action::PreviousBlock => step_block(state, -1, snapshot),
        Action::NextBlock => step_block(state, 1, snapshot),
        Action::Advice => {
            if state.advised(snapshot).is_some() {
                push(state, View::Advice);
            } else {
                state.notice = note("nothing was refused: no advice needed");
            }
        }
        Action::Prompt => {
            let (kind, before) = if state.view() == View::Lines {
                (PromptKind::Search, state.search.clone())
            } else {
                state.focus = Focus::Table;
                (PromptKind::Filter, state.table().query.clone())
            };
            let input = Input::new(before.clone());
            state.prompt = Some(Prompt { kind, input, error: None, before, earlier: 0 });
        }
        Action::Time => {
            state.prompt = Some(Prompt {
                kind: PromptKind::Time,
                input: Input::default(),
                error: None,
                before: String::new(),
                earlier: 0,
            });
        }
        Action::NextHit => {
            find_line(state, lines, true, |s, line| has(line, s));
            reveal(state, lines);
        }
        Action::PreviousHit => {
            find_line(state, lines, false, |s, line| has(line, s));
            reveal(state, lines);
        }
        Action::NextRefusal => find_line(state, lines, true, |_, line| line.is_refusal),
        Action::PreviousRefusal => find_line(state, lines, false, |_, line| line.is_refusal),
        Action::ZoomIn => zoom(state, snapshot, 0.5, effects),
        Action::ZoomOut => zoom(state, snapshot, 2.0, effects),
        Action::Whole => {
            let count = state.crumbs.len();
            state.crumbs.retain(|c| !matches!(c, Crumb::Span { .. }));
            if state.crumbs.len() < count {
                set_filter(state, effects);
            }
        }
        Action::NextPanel => panel(state, 1, snapshot),
        Action::PreviousPanel => panel(state, 2, snapshot),
        Action::Tab(n) => {
            state.tab = Tab::ALL[usize::from(n.min(3))];
            state.focus = Focus::Table;
        }
        Action::SortMenu => sort_menu(state),
        Action::SortReverse => {
            let sort = &mut state.table_mut().sort;
            sort.ascending = !sort.ascending;
        }
        Action::Enlarge => {
            state.enlarged = if state.enlarged.is_some() { None } else { Some(state.focus) };
        }
        Action::Freeze => {
            state.frozen = !state.frozen;
            state.missed = 0;
        }
        Action::Export => export_menu(state, snapshot),
        Action::Write => effects.push(Effect::WriteLines(state.lines_filter.clone())),
        Action::Copy => match copied(state, snapshot, lines) {
            Some(text) => {
                state.notice = note(&format!("copied {}", text::fit(&text::clean_most(&text, 60), 50)));
                effects.push(Effect::Copy(text));
            }
            None => state.notice = note("nothing selected to copy"),
        },
        Action::Messages => push(state, View::Messages),
        Action::Theme => {
            state.theme = state.theme.next();
            state.notice = note(&format!("theme: {}", state.theme.word()));
        }
        Action::Mouse => {
            state.mouse = !state.mouse;
            state.notice = note(if state.mouse {
                "the mouse is eopwatch's"
            } else {
                "the mouse is the terminal's; F2 takes it back"
            });
            effects.push(Effect::Mouse(state.mouse));
        }
        Action::Redraw => effects.push(Effect::Redraw),
        Action::Suspend => effects.push(Effect::Suspend),
        Action::Help => push(state, View::Help),
        Action::Leave => {
            if state.screens.pop().is_none() {
                effects.push(Effect::Quit);
            }
        }
        Action::Quit => effects.push(Effect::Quit),
    }
}

fn note(text: &str) -> Option<Notice> {
    Some(Notice { text: text.to_owned(), is_error: false })
}

/// Rows of a page in what is seen.
fn page(state: &State, snapshot: &Snapshot) -> usize {
    let areas = layout::overview(state, snapshot);
    let rows = match (state.view(), state.focus) {
        (View::Overview, Focus::Blocks) => areas.blocks_shown(),
        (View::Overview, _) => areas.table_rows(),
        _ => usize::from(layout::sub(state).body.height.saturating_sub(2)),
    };
    rows.saturating_sub(1).max(1)
}

fn moved(at: usize, by: isize, count: usize) -> usize {
    at.saturating_add_signed(by).min(count.saturating_sub(1))
}

/// Up or down in what has the focus.
fn go(state: &mut State, by: isize, snapshot: &Snapshot, lines: &LineList) {
    match (state.view(), state.focus) {
        (View::Overview, focus) => {
            let tiny = layout::overview(state, snapshot).tiny;
            match focus {
                Focus::Table if !tiny => {
                    let tab = state.tab;
                    let list = state.table_mut();
                    list.at = moved(list.at, by, list.order.len());
                    list.selected = list.row().and_then(|i| Row::of(tab, snapshot, i)).map(Row::key);
                }
                _ => select_block(state, moved(state.blocks.at, by, state.blocks.order.len()), snapshot),
            }
        }
        (View::Lines, _) => {
            let at = moved(state.lines.at, by, lines.lines.len());
            select_line(state, at, lines);
        }
        _ => {
            if let Some(screen) = state.screens.last_mut() {
                // Drawing stops at the last line; the state is put right there by `settle`.
                screen.scroll = moved(screen.scroll, by, 100_000);
            }
        }
    }
}

fn select_block(state: &mut State, at: usize, snapshot: &Snapshot) {
    state.news.clear();
    state.blocks.at = at;
    state.blocks.selected = state.onset(snapshot).map(|o| o.id.clone());
}

fn select_line(state: &mut State, at: usize, lines: &LineList) {
    state.lines.at = at;
    // At the very top the list keeps showing the newest.
    state.lines.selected = if at == 0 { None } else { lines.lines.get(at).map(line_key) };
}

fn sideways(state: &mut State, by: isize, snapshot: &Snapshot) {
    match (state.view(), state.focus) {
        (View::Lines, _) => state.across = state.across.saturating_add_signed(by * 16).min(1_000_000),
        (_, Focus::Chart) => {
            let plot = layout::plot(&layout::overview(state, snapshot), snapshot);
            if plot.bars == 0 {
                return;
            }
            let bar = match state.cursor {
                Some(at) => {
                    let bar = (at - plot.start).div_euclid(plot.width_s).max(0) as usize;
                    moved(bar, by, plot.bars)
                }
                None => plot.bars - 1,
            };
            state.cursor = Some(plot.time(bar));
        }
        (_, Focus::Table) => {
            state.tab = Tab::ALL[(state.tab as usize).wrapping_add_signed(by) % 4];
        }
        (_, Focus::Blocks) => {}
    }
}

fn panel(state: &mut State, by: usize, snapshot: &Snapshot) {
    let order = [Focus::Blocks, Focus::Chart, Focus::Table];
    let at = order.iter().position(|f| *f == state.focus).unwrap_or(0);
    state.focus = order[(at + by) % 3];
    if state.enlarged.is_some() {
        state.enlarged = Some(state.focus);
    }
    if state.focus == Focus::Chart && state.cursor.is_none() {
        sideways(state, 0, snapshot);
    }
}

fn step_block(state: &mut State, by: isize, snapshot: &Snapshot) {
    if state.blocks.order.is_empty() {
        state.notice = note("no block to go to");
        return;
    }
    let at = if state.focus == Focus::Blocks || state.view() == View::Block {
        moved(state.blocks.at, by, state.blocks.order.len())
    } else {
        state.blocks.at
    };
    select_block(state, at, snapshot);
    state.focus = Focus::Blocks;
    state.cursor = state.onset(snapshot).map(|o| o.start.seconds);
    if let Some(screen) = state.screens.last_mut() {
        screen.scroll = 0;
    }
}

/// Enter.
fn open(state: &mut State, snapshot: &Snapshot, lines: &LineList, effects: &mut Vec<Effect>) {
    if state.view() == View::Lines {
        if !lines.lines.is_empty() {
            select_line_for_good(state, lines);
            push(state, View::Line);
        }
        return;
    }
    let focus = if layout::overview(state, snapshot).tiny { Focus::Blocks } else { state.focus };
    match focus {
        Focus::Blocks => act(state, Action::Block, snapshot, lines, effects),
        Focus::Chart => {
            let plot = layout::plot(&layout::overview(state, snapshot), snapshot);
            if let Some(at) = state.cursor {
                let since = plot.start + (at - plot.start).div_euclid(plot.width_s) * plot.width_s;
                let last = since + plot.width_s - 1;
                state.crumbs.push(Crumb::Span { since: Some(since), until: Some(last) });
                set_filter(state, effects);
            }
        }
        Focus::Table => {
            let Some(row) = state.row(snapshot) else { return };
            let crumb = row.crumb();
            if state.crumbs.contains(&crumb) {
                open_lines(state, snapshot, effects);
                return;
            }
            state.crumbs.push(crumb);
            state.table_mut().query.clear();
            // On to the next question that is still open.
            let open = |tab: Tab| {
                !state
                    .crumbs
                    .iter()
                    .any(|c| matches!(c, Crumb::Pick { field, .. } if *field == field_of(tab)))
            };
            let next = (1..4).map(|i| Tab::ALL[(state.tab as usize + i) % 4]).find(|t| open(*t));
            state.tab = next.unwrap_or(state.tab);
            set_filter(state, effects);
        }
    }
}

/// A line that is looked at stays selected, whatever comes above it.
fn select_line_for_good(state: &mut State, lines: &LineList) {
    state.lines.selected = lines.lines.get(state.lines.at).map(line_key);
}

fn field_of(tab: Tab) -> Field {
    match tab {
        Tab::Sources => Field::Source,
        Tab::Domains => Field::Domain,
        Tab::Datacenters => Field::Datacenter,
        Tab::Replies => Field::Reply,
    }
}

/// Esc and Backspace: one step back.
fn back(state: &mut State, effects: &mut Vec<Effect>) {
    if state.screens.pop().is_some() {
        return;
    }
    if state.enlarged.take().is_some() {
        return;
    }
    if !state.table().query.is_empty() {
        state.table_mut().query.clear();
        return;
    }
    if let Some(crumb) = state.crumbs.pop() {
        if let Crumb::Pick { field, .. } = crumb
            && let Some(tab) = Tab::ALL.into_iter().find(|t| field_of(*t) == field)
        {
            state.tab = tab;
        }
        set_filter(state, effects);
        return;
    }
    state.cursor = None;
    state.news.clear();
    state.focus = Focus::Table;
}

/// The lines behind what is selected.
fn open_lines(state: &mut State, snapshot: &Snapshot, effects: &mut Vec<Effect>) {
    let tiny = layout::overview(state, snapshot).tiny;
    let base = state.filter();
    let plot = layout::plot(&layout::overview(state, snapshot), snapshot);
    let (of, filter) = if state.view() == View::Block || state.focus == Focus::Blocks || tiny {
        let Some(onset) = state.onset(snapshot) else {
            state.notice = note("no block selected");
            return;
        };
        (format!("the block of {}", onset_source(onset)), onset_filter(&base, onset))
    } else if let (Focus::Chart, Some(at)) = (state.focus, state.cursor) {
        let crumb = Crumb::Span { since: Some(at), until: Some(at + plot.width_s - 1) };
        (crumb.text(&state.clock), filter(&base, std::slice::from_ref(&crumb)))
    } else {
        let mut crumbs = state.crumbs.clone();
        crumbs.extend(state.row(snapshot).map(Row::crumb).filter(|c| !state.crumbs.contains(c)));
        let names: Vec<_> = crumbs.iter().map(|c| c.text(&state.clock)).collect();
        (names.join(", "), filter(&state.base, &crumbs))
    };
    state.lines_of = of;
    state.lines_filter = filter.clone();
    state.lines = super::state::List::default();
    state.across = 0;
    push(state, View::Lines);
    effects.push(Effect::FindLines(filter));
}

fn has(line: &crate::engine::LogLine, search: &str) -> bool {
    let (hay, needle) = (&line.text, search.as_bytes());
    !needle.is_empty() && hay.windows(needle.len()).any(|w| w.eq_ignore_ascii_case(needle))
}

/// Scrolls sideways until the hit in the selected line is seen.
fn reveal(state: &mut State, lines: &LineList) {
    let Some(line) = lines.lines.get(state.lines.at) else { return };
    let needle = state.search.as_bytes();
    if needle.is_empty() {
        return;
    }
    let Some(at) = line.text.windows(needle.len()).position(|w| w.eq_ignore_ascii_case(needle)) else {
        return;
    };
    let at = text::width(&text::clean_bytes(&line.text[..at], at));
    // What stands before the raw line takes 36 cells at the most.
    let seen = usize::from(state.size.0).saturating_sub(40).max(10);
    if at < state.across || at + text::width(&state.search) > state.across + seen {
        state.across = at.saturating_sub(seen / 3);
    }
}

fn find_line(
    state: &mut State,
    lines: &LineList,
    forward: bool,
    is_it: impl Fn(&str, &crate::engine::LogLine) -> bool,
) {
    let at = state.lines.at;
    let hit = |i: &usize| is_it(&state.search, &lines.lines[*i]);
    let found = if forward {
        (at + 1..lines.lines.len()).find(hit)
    } else {
        (0..at.min(lines.lines.len())).rev().find(hit)
    };
    match found {
        Some(i) => {
            select_line(state, i, lines);
            if let Some(screen) = state.screens.last_mut().filter(|s| s.view == View::Line) {
                screen.scroll = 0;
                select_line_for_good(state, lines);
            }
        }
        None if state.search.is_empty() && state.view() == View::Lines => {
            state.notice = note("no search yet: /");
        }
        None => state.notice = note(if forward { "none further down" } else { "none further up" }),
    }
}

fn zoom(state: &mut State, snapshot: &Snapshot, factor: f64, effects: &mut Vec<Effect>) {
    let Some((first, last)) = State::whole(snapshot) else { return };
    let span = state.crumbs.iter().rev().find_map(|c| match c {
        Crumb::Span { since, until } => Some((since.unwrap_or(first), until.unwrap_or(last))),
        Crumb::Pick { .. } => None,
    });
    let (a, b) = span.unwrap_or((first, last));
    let centre = state.cursor.unwrap_or(if factor < 1.0 && state.focus != Focus::Chart {
        b - (b - a) / 4
    } else {
        a + (b - a) / 2
    });
    let half = (((b - a) as f64 * factor / 2.0) as i64).max(30);
    let since = (centre - half).min(last - 2 * half).max(first);
    let until = (since + 2 * half).min(last);
    state.crumbs.retain(|c| !matches!(c, Crumb::Span { .. }));
    // A minute less than all is all.
    if until - since + 60 < last - first {
        state.crumbs.push(Crumb::Span { since: Some(since), until: Some(until) });
    } else if span.is_none() {
        return;
    }
    let cursor = state.cursor;
    set_filter(state, effects);
    state.cursor = cursor;
}

fn sort_menu(state: &mut State) {
    state.focus = Focus::Table;
    let tab = state.tab;
    let sort = state.table().sort;
    let mut items = vec![MenuItem {
        key: '0',
        label: "as in the summary: most blocked first".into(),
        choice: Choice::Sort(None),
    }];
    for (i, &(column, _)) in columns::columns(tab).iter().enumerate() {
        items.push(MenuItem {
            key: char::from_digit(i as u32 + 1, 36).unwrap_or('z'),
            label: column.title(tab).to_lowercase(),
            choice: Choice::Sort(Some(column)),
        });
    }
    let at = items.iter().position(|i| i.choice == Choice::Sort(sort.column)).unwrap_or(0);
    state.menu = Some(Menu { title: "Sort by", items, at });
}

fn export_menu(state: &mut State, snapshot: &Snapshot) {
    let has_block = state.onset(snapshot).is_some();
    let items: Vec<_> = state
        .exports
        .iter()
        .filter(|k| **k != ExportKind::Evidence || has_block)
        .map(|&kind| {
            let (key, label) = match kind {
                ExportKind::Markdown => ('m', "summary as Markdown, for a ticket"),
                ExportKind::Json => ('j', "summary as JSON, for scripts"),
                ExportKind::Html => ('h', "summary as HTML, for people"),
                ExportKind::Csv => ('c', "tables as CSV"),
                ExportKind::Evidence => ('e', "evidence pack for a delist request"),
            };
            MenuItem { key, label: label.into(), choice: Choice::Export(kind) }
        })
        .collect();
    if items.is_empty() {
        state.notice = note("nothing can be exported from here");
        return;
    }
    let evidence = |i: &MenuItem| i.choice == Choice::Export(ExportKind::Evidence);
    let at = if state.view() == View::Block { items.iter().position(evidence).unwrap_or(0) } else { 0 };
    state.menu = Some(Menu { title: "Export what is shown", items, at });
}

fn menu_key(state: &mut State, key: KeyEvent, effects: &mut Vec<Effect>) {
    let Some(menu) = &mut state.menu else { return };
    let count = menu.items.len();
    match key.code {
        KeyCode::Up => menu.at = (menu.at + count - 1) % count,
        KeyCode::Down | KeyCode::Tab => menu.at = (menu.at + 1) % count,
        KeyCode::Enter => choose(state, effects),
        KeyCode::Char(c) => {
            if let Some(at) = menu.items.iter().position(|i| i.key == c) {
                menu.at = at;
                choose(state, effects);
            } else if c == 'j' {
                menu.at = (menu.at + 1) % count;
            } else if c == 'k' {
                menu.at = (menu.at + count - 1) % count;
            } else {
                state.menu = None;
            }
        }
        _ => state.menu = None,
    }
}

fn choose(state: &mut State, effects: &mut Vec<Effect>) {
    let Some(menu) = state.menu.take() else { return };
    match menu.items.get(menu.at).map(|i| i.choice) {
        Some(Choice::Sort(column)) => sort_by(state, column),
        Some(Choice::Export(kind)) => effects.push(Effect::Export(Export {
            kind,
            filter: state.filter(),
            onset: state.blocks.selected.clone(),
        })),
        None => {}
    }
}

/// By this column; again: the other way round. Names begin with A, numbers with the most.
fn sort_by(state: &mut State, column: Option<columns::Column>) {
    let sort = &mut state.table_mut().sort;
    *sort = if sort.column == column && column.is_some() {
        Sort { column, ascending: !sort.ascending }
    } else {
        let from_a = [
            columns::Column::Name,
            columns::Column::Code,
            columns::Column::Class,
            columns::Column::Region,
            columns::Column::Platform,
            columns::Column::Sites,
            columns::Column::Meaning,
        ];
        Sort { column, ascending: column.is_some_and(|c| from_a.contains(&c)) }
    };
}

fn copied(state: &State, snapshot: &Snapshot, lines: &LineList) -> Option<String> {
    match state.view() {
        View::Lines | View::Line => {
            let line = lines.lines.get(state.lines.at)?;
            let line = String::from_utf8_lossy(&line.text).into_owned();
            Some(if state.mask { text::mask(&line) } else { line })
        }
        View::Block => state.onset(snapshot).map(|o| {
            let news = news_text(o, &state.clock);
            format!("{news}  {} of {} refused", o.during.refused, o.during.attempts)
        }),
        _ if state.focus == Focus::Blocks => state.onset(snapshot).map(onset_source),
        _ => match state.row(snapshot)? {
            Row::Source(source) => Some(source.label().to_owned()),
            Row::Reply(reply) => Some(reply.example.clone().unwrap_or_else(|| reply.reply_id.clone())),
            row => Some(row.label()),
        },
    }
}

fn edit(state: &mut State, request: InputRequest) {
    if let Some(prompt) = &mut state.prompt {
        prompt.input.handle(request);
    }
}

fn prompt_key(
    state: &mut State,
    key: KeyEvent,
    snapshot: &Snapshot,
    lines: &LineList,
    effects: &mut Vec<Effect>,
) {
    let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
    let request = match (key.code, ctrl) {
        (KeyCode::Enter, _) => return commit(state, snapshot, lines, effects),
        (KeyCode::Esc, _) => return cancel(state),
        (KeyCode::Backspace, _) if state.prompt.as_ref().is_some_and(|p| p.input.value().is_empty()) => {
            return cancel(state);
        }
        (KeyCode::Up, _) => return earlier(state, 1, snapshot, lines),
        (KeyCode::Down, _) => return earlier(state, -1, snapshot, lines),
        (KeyCode::Char('u'), true) => InputRequest::DeleteLine,
        (KeyCode::Char('w'), true) => InputRequest::DeletePrevWord,
        (KeyCode::Char('a'), true) | (KeyCode::Home, _) => InputRequest::GoToStart,
        (KeyCode::Char('e'), true) | (KeyCode::End, _) => InputRequest::GoToEnd,
        (KeyCode::Char('k'), true) => InputRequest::DeleteTillEnd,
        (KeyCode::Left, true) => InputRequest::GoToPrevWord,
        (KeyCode::Right, true) => InputRequest::GoToNextWord,
        (KeyCode::Left, _) => InputRequest::GoToPrevChar,
        (KeyCode::Right, _) => InputRequest::GoToNextChar,
        (KeyCode::Backspace, _) => InputRequest::DeletePrevChar,
        (KeyCode::Delete, _) => InputRequest::DeleteNextChar,
        (KeyCode::Char(c), false) => InputRequest::InsertChar(c),
        _ => return,
    };
    edit(state, request);
    typed(state, snapshot, lines);
}

/// Shows while typing what the text would do.
fn typed(state: &mut State, snapshot: &Snapshot, lines: &LineList) {
    let Some(prompt) = &mut state.prompt else { return };
    let value = prompt.input.value().to_owned();
    prompt.error = match prompt.kind {
        PromptKind::Filter => query::filter(&value).err(),
        PromptKind::Time => {
            query::span(&value, State::now(snapshot), &state.clock).err().filter(|_| value.len() > 4)
        }
        PromptKind::Search => None,
    };
    match prompt.kind {
        PromptKind::Filter => {
            if let Ok(query) = query::filter(&value) {
                state.table_mut().query = query.words;
            }
        }
        PromptKind::Search => {
            state.search = value;
            let at = state.lines.at;
            let here = lines.lines.get(at).is_some_and(|l| has(l, &state.search));
            if !here && let Some(i) = (at..lines.lines.len()).find(|i| has(&lines.lines[*i], &state.search)) {
                select_line(state, i, lines);
            }
        }
        PromptKind::Time => {}
    }
}

fn cancel(state: &mut State) {
    let Some(prompt) = state.prompt.take() else { return };
    match prompt.kind {
        PromptKind::Filter => state.table_mut().query = prompt.before,
        PromptKind::Search => state.search = prompt.before,
        PromptKind::Time => {}
    }
}

fn earlier(state: &mut State, by: isize, snapshot: &Snapshot, lines: &LineList) {
    let Some(prompt) = &mut state.prompt else { return };
    let at = prompt.earlier.saturating_add_signed(by).min(state.history.len());
    prompt.earlier = at;
    let value = if at == 0 { String::new() } else { state.history[state.history.len() - at].clone() };
    prompt.input = Input::new(value);
    typed(state, snapshot, lines);
}

fn commit(state: &mut State, snapshot: &Snapshot, lines: &LineList, effects: &mut Vec<Effect>) {
    let Some(prompt) = &mut state.prompt else { return };
    let value = prompt.input.value().trim().to_owned();
    match prompt.kind {
        PromptKind::Filter => match query::filter(&value) {
            Ok(query) => {
                state.prompt = None;
                state.table_mut().query = query.words;
                if !query.crumbs.is_empty() {
                    state.crumbs.extend(query.crumbs);
                    set_filter(state, effects);
                }
            }
            Err(error) => {
                prompt.error = Some(error);
                return;
            }
        },
        PromptKind::Time => match query::span(&value, State::now(snapshot), &state.clock) {
            Ok((since, until)) => {
                state.prompt = None;
                let had = state.crumbs.len();
                state.crumbs.retain(|c| !matches!(c, Crumb::Span { .. }));
                if since.is_some() || until.is_some() {
                    state.crumbs.push(Crumb::Span { since, until });
                } else if state.crumbs.len() == had {
                    return;
                }
                set_filter(state, effects);
            }
            Err(error) => {
                prompt.error = Some(error);
                return;
            }
        },
        PromptKind::Search => {
            state.prompt = None;
            if !value.is_empty() && !lines.lines.iter().any(|l| has(l, &value)) {
                state.notice = note("no line has that");
            }
            state.search.clone_from(&value);
            reveal(state, lines);
        }
    }
    if !value.is_empty() && state.history.last() != Some(&value) {
        state.history.push(value);
    }
}

fn mouse(
    state: &mut State,
    event: MouseEvent,
    snapshot: &Snapshot,
    lines: &LineList,
    effects: &mut Vec<Effect>,
) {
    let at = Position::new(event.column, event.row);
    match event.kind {
        MouseEventKind::ScrollUp | MouseEventKind::ScrollDown => {
            let by: isize = if event.kind == MouseEventKind::ScrollUp { -3 } else { 3 };
            if state.view() == View::Overview {
                let areas = layout::overview(state, snapshot);
                if areas.blocks.contains(at) {
                    state.focus = Focus::Blocks;
                    return go(state, by.signum(), snapshot, lines);
                }
                if areas.table.contains(at) {
                    state.focus = Focus::Table;
                }
            }
            go(state, by, snapshot, lines);
        }
        MouseEventKind::Down(MouseButton::Left) => {
            state.notice = None;
            if state.prompt.is_some() || state.menu.take().is_some() {
                return;
            }
            match state.view() {
                View::Overview => press(state, at, snapshot, lines, effects),
                View::Lines => {
                    let inner = layout::inside(layout::sub(state).body);
                    if let Some(row) = row_at(inner, at, 1) {
                        let i = state.lines.top + row;
                        if i == state.lines.at && !lines.lines.is_empty() {
                            open(state, snapshot, lines, effects);
                        } else if i < lines.lines.len() {
                            select_line(state, i, lines);
                        }
                    }
                }
                _ => {}
            }
        }
        MouseEventKind::Drag(MouseButton::Left) if state.drag.is_some() => {
            let plot = layout::plot(&layout::overview(state, snapshot), snapshot);
            state.cursor = bar_at(&plot, at).map(|b| plot.time(b)).or(state.cursor);
        }
        MouseEventKind::Up(MouseButton::Left) => {
            if let (Some(a), Some(b)) = (state.drag.take(), state.cursor)
                && a != b
            {
                let plot = layout::plot(&layout::overview(state, snapshot), snapshot);
                let (since, until) = (a.min(b), a.max(b) + plot.width_s - 1);
                state.crumbs.retain(|c| !matches!(c, Crumb::Span { .. }));
                state.crumbs.push(Crumb::Span { since: Some(since), until: Some(until) });
                set_filter(state, effects);
            }
        }
        _ => {}
    }
}

/// Which bar is under the mouse; left and right of the plot the first and last.
fn bar_at(plot: &Plot, at: Position) -> Option<usize> {
    if plot.bars == 0 {
        return None;
    }
    let column = at.x.saturating_sub(plot.area.x).min(plot.area.width.saturating_sub(1));
    plot.bar(column)
}

fn row_at(inner: Rect, at: Position, lines: u16) -> Option<usize> {
    inner.contains(at).then(|| usize::from((at.y - inner.y) / lines.max(1)))
}

/// A click on the overview.
fn press(state: &mut State, at: Position, snapshot: &Snapshot, lines: &LineList, effects: &mut Vec<Effect>) {
    let areas: Areas = layout::overview(state, snapshot);
    if areas.news.contains(at) {
        state.news.clear();
    } else if areas.crumbs.contains(at) {
        let hit = crumb_spans(state).into_iter().find(|(x, w, _)| (*x..x + w).contains(&at.x));
        if let Some((_, _, keep)) = hit
            && keep < state.crumbs.len()
        {
            state.crumbs.truncate(keep);
            set_filter(state, effects);
        }
    } else if areas.blocks.contains(at) {
        state.focus = Focus::Blocks;
        let inner = if areas.framed { layout::inside(areas.blocks) } else { areas.blocks };
        if let Some(row) = row_at(inner, at, areas.block_lines) {
            let i = state.blocks.top + row;
            if i >= state.blocks.order.len() {
            } else if i == state.blocks.at && state.blocks.selected.is_some() {
                open(state, snapshot, lines, effects);
            } else {
                select_block(state, i, snapshot);
            }
        }
    } else if areas.chart.contains(at) {
        state.focus = Focus::Chart;
        let plot = layout::plot(&areas, snapshot);
        state.cursor = bar_at(&plot, at).map(|b| plot.time(b));
        state.drag = state.cursor;
    } else if areas.table.contains(at) {
        state.focus = Focus::Table;
        if at.y == areas.table.y {
            let hit = layout::tabs(areas.table).iter().position(|(x, w)| (*x..x + w).contains(&at.x));
            if let Some(i) = hit {
                state.tab = Tab::ALL[i];
            }
            return;
        }
        let inner = layout::cells(areas.table);
        let Some(row) = row_at(inner, at, 1) else { return };
        if row == 0 {
            let x = at.x.saturating_sub(inner.x);
            let placed = columns::place(state.tab, inner.width, snapshot);
            if let Some(p) = placed.iter().find(|p| (p.x..p.x + p.width).contains(&x)) {
                sort_by(state, Some(p.column));
            }
            return;
        }
        let tab = state.tab;
        let list = state.table_mut();
        let i = list.top + row - 1;
        if i >= list.order.len() {
            return;
        }
        if i == list.at && list.selected.is_some() {
            open(state, snapshot, lines, effects);
            return;
        }
        list.at = i;
        list.selected = list.row().and_then(|i| Row::of(tab, snapshot, i)).map(Row::key);
    }
}
