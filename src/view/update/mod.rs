//! What keys, the mouse and new data do to the [`State`]; what the outside has to do comes back as [`Effect`]s.

mod command;
mod drill;
mod lines;
mod menu;
mod mouse;
mod moves;
mod prompt;

use std::collections::HashMap;
use std::net::IpAddr;

use crossterm::event::{KeyCode, KeyEvent, MouseEvent};
use tui_input::InputRequest;

use super::columns::{Row, Tab};
use super::keys::{Action, Key, View};
use super::state::{
    Crumb, ExportKind, Face, Focus, News, Notice, PromptKind, Screen, State, news_text, onset_source,
};
use super::text;
use crate::aggregate::{Filter, Snapshot};
use crate::detect::OnsetStatus;
use crate::engine::{Hunt, LineList, WantedLines};

use drill::{back, open, open_block, open_lines, select_news};
use lines::{find_next, find_refusal, take_hit, tend};
use menu::{export_menu, menu_key, sort_menu};
use mouse::mouse;
use moves::{focus_chart, go, page, panel, sideways, step_block, zoom};
use prompt::{ask, edit, prompt_key, typed};

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
    /// The list is not looked at any more.
    ForgetLines,
    /// Read these lines of the list.
    ReadLines(WantedLines),
    /// Look for a text in the lines of the list; `None`: look no further.
    Hunt(Option<Hunt>),
    /// Into the terminal's clipboard.
    Copy(String),
    Export(Export),
    /// What is known of this address to a file, with the notes at blocks: their ids and words.
    Evidence {
        filter: Filter,
        ip: IpAddr,
        notes: Vec<(String, String)>,
    },
    /// All these lines into a file.
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
}

/// One step.
pub fn update(state: &mut State, message: Message, snapshot: &Snapshot, lines: &LineList) -> Vec<Effect> {
    let mut effects = Vec::new();
    match message {
        Message::Resize(w, h) => state.size = (w, h),
        Message::Data => {
            take_hit(state, lines);
            watch(state, snapshot, &mut effects);
            if state.focus == Focus::Chart && state.cursor.is_none() {
                focus_chart(state, snapshot);
            }
            if let Some(guide) = &mut state.guide {
                guide.tick(State::now(snapshot));
            }
        }
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
                menu_key(state, key, snapshot, &mut effects);
            } else if let Some(action) = state.keymap.action(state.view(), Key::of(&key)) {
                act(state, action, snapshot, lines, &mut effects);
            }
        }
        Message::Mouse(event) => mouse(state, event, snapshot, lines, &mut effects),
    }
    state.refresh(snapshot, lines);
    tend(state, lines, &mut effects);
    effects
}

/// Announces blocks that begin or clear while following. What was known once is no news when a filter goes.
fn watch(state: &mut State, snapshot: &Snapshot, effects: &mut Vec<Effect>) {
    if !snapshot.progress.complete {
        return;
    }
    let now: HashMap<_, _> =
        snapshot.onsets.iter().map(|o| (o.id.clone(), o.status == OnsetStatus::Active)).collect();
    let Some(known) = &mut state.known else {
        // Behind a filter not all are seen that there are.
        state.known = state.crumbs.is_empty().then_some(now);
        return;
    };
    if snapshot.progress.live {
        for onset in &snapshot.onsets {
            if known.get(&onset.id) != Some(&(onset.status == OnsetStatus::Active)) {
                let text = news_text(onset, &state.clock);
                state.news.push(News { id: onset.id.clone(), text });
                effects.push(Effect::Bell);
            }
        }
    }
    known.extend(now);
}

fn set_filter(state: &mut State, effects: &mut Vec<Effect>) {
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
    did(state, action);
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
            if select_news(state, snapshot) {
                open_block(state, snapshot);
            } else {
                state.notice = note("that block is outside of what is shown: take the filters away");
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
        Action::Prompt => match state.view() {
            View::Lines => ask(state, PromptKind::Search, snapshot),
            View::Help => ask(state, PromptKind::Find, snapshot),
            _ => {
                state.focus = Focus::Table;
                ask(state, PromptKind::Filter, snapshot);
            }
        },
        Action::Time => ask(state, PromptKind::Time, snapshot),
        Action::Command => ask(state, PromptKind::Command, snapshot),
        Action::Note if state.onset(snapshot).is_none() => state.notice = note("no block to note it at"),
        Action::Note => ask(state, PromptKind::Note, snapshot),
        Action::NextHit => find_next(state, lines, true, effects),
        Action::PreviousHit => find_next(state, lines, false, effects),
        Action::NextRefusal => find_refusal(state, lines, true),
        Action::PreviousRefusal => find_refusal(state, lines, false),
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
        Action::Face => {
            state.face = match state.face {
                Face::Attempts => Face::Datacenters,
                Face::Datacenters => Face::Attempts,
            };
            focus_chart(state, snapshot);
        }
        Action::Enlarge => {
            state.enlarged = if state.enlarged.is_some() { None } else { Some(state.focus) };
        }
        Action::Freeze => {
            state.frozen = !state.frozen;
            state.missed = 0;
        }
        Action::Export => export_menu(state, snapshot),
        Action::Write => effects.push(Effect::WriteLines(state.lines.filter.clone())),
        Action::Copy => match copied(state, snapshot, lines) {
            Some(text) => {
                state.notice = note(&format!("copied {}", text::fit(&text::clean_most(&text, 60), 50)));
                effects.push(Effect::Copy(text));
            }
            None if matches!(state.view(), View::Lines | View::Line) => {
                state.notice = note("there is no text to copy yet");
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
                "the mouse is the terminal's; the same key takes it back"
            });
            effects.push(Effect::Mouse(state.mouse));
        }
        Action::Redraw => effects.push(Effect::Redraw),
        Action::Suspend => effects.push(Effect::Suspend),
        Action::Help => {
            state.find.clear();
            push(state, View::Help);
        }
        Action::Leave => {
            if state.screens.pop().is_none() {
                effects.push(Effect::Quit);
            }
        }
        Action::Quit => effects.push(Effect::Quit),
    }
}

/// Tells the captions what was done, by a key or with the mouse.
fn did(state: &mut State, action: Action) {
    if let Some(guide) = &mut state.guide {
        guide.did(action, &state.keymap);
    }
}

fn note(text: &str) -> Option<Notice> {
    Some(Notice { text: text.to_owned(), is_error: false })
}

fn copied(state: &State, snapshot: &Snapshot, lines: &LineList) -> Option<String> {
    match state.view() {
        View::Lines | View::Line => {
            let line = lines.line(state.lines.at)?.ok().filter(|line| !line.is_cut())?;
            let line = String::from_utf8_lossy(&line.text).into_owned();
            Some(if state.mask { text::mask(&line) } else { line })
        }
        View::Block => state.onset(snapshot).map(|o| {
            let news = news_text(o, &state.clock);
            let note = state.note(o).map_or_else(String::new, |note| format!("  ({note})"));
            format!("{news}  {} of {} refused{note}", o.during.refused, o.during.attempts)
        }),
        _ if state.focus == Focus::Blocks => state.onset(snapshot).map(onset_source),
        _ => match state.row(snapshot)? {
            Row::Source(source) => Some(source.label().to_owned()),
            Row::Reply(reply) => Some(reply.example.clone().unwrap_or_else(|| reply.reply_id.clone())),
            row => Some(row.label()),
        },
    }
}
