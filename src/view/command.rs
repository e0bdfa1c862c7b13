//! What is typed behind `:`. Every action of the view by its name; some take a word, and do then at once what their key
//! asks for.

use super::columns::{self, Column};
use super::keys::{Action, View};
use super::state::{ExportKind, Field, State};
use super::theme::ThemeName;

/// A command that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Act(Action),
    Theme(ThemeName),
    Filter(String),
    Search(String),
    Time(String),
    Sort(Option<Column>),
    Export(ExportKind),
    /// Of the listed lines, from 1 on.
    Line(usize),
    Note(String),
}

/// Commands that take something: as they are called, what they take, what they do.
pub(super) const WITH: [(&str, &str, &str); 8] = [
    ("filter", "FILTER", "words, globs, field:value, ! negates"),
    ("search", "TEXT", "the next line with this text"),
    ("time", "RANGE", "14:30, -2h, yesterday, 09:00 to 10:00"),
    ("sort", "COLUMN", "by a column; again: the other way round"),
    ("theme", "NAME", "dark, light, ansi, mono"),
    ("export", "KIND", "to a file in the present folder"),
    ("line", "NUMBER", "go to this one of the listed lines"),
    ("note", "TEXT", "at the selected block"),
];

/// Moving about is for keys.
const UNNAMED: [&str; 11] = [
    "up",
    "down",
    "left",
    "right",
    "page-up",
    "page-down",
    "half-up",
    "half-down",
    "top",
    "bottom",
    "command",
];

/// Names of the commands that do something in the view, sorted.
fn names(state: &State) -> Vec<&'static str> {
    let mut names: Vec<&str> = state.keymap.of(state.view()).map(|b| b.name).collect();
    names.retain(|name| !UNNAMED.contains(name));
    names.extend(is_lines(state).then_some("line"));
    names.sort_unstable();
    names.dedup();
    names
}

fn is_lines(state: &State) -> bool {
    matches!(state.view(), View::Lines | View::Line)
}

/// The commands with arguments of the view that the help is about.
pub(super) fn with(
    state: &State,
    view: View,
) -> impl Iterator<Item = &'static (&'static str, &'static str, &'static str)> {
    WITH.iter().filter(move |(name, ..)| match *name {
        "line" => matches!(view, View::Lines | View::Line),
        name => state.keymap.of(view).any(|b| b.name == name),
    })
}

/// Reads a command line.
pub(super) fn parse(text: &str, state: &State) -> Result<Command, String> {
    let text = text.trim().trim_start_matches(':');
    if let Ok(number) = text.parse()
        && is_lines(state)
    {
        return Ok(Command::Line(number));
    }
    let (name, rest) = text.split_once(' ').unwrap_or((text, ""));
    let rest = rest.trim();
    let name = if name == "q" { "quit" } else { name };
    let binding = state.keymap.of(state.view()).find(|b| b.name == name);
    if binding.is_none() && !(name == "line" && is_lines(state)) {
        let is_elsewhere = name == "line" || state.keymap.action_of(name).is_some();
        return Err(if is_elsewhere {
            format!("`{name}` does nothing in the view \"{}\"", state.view().word())
        } else {
            format!("no command `{name}` (Tab completes)")
        });
    }
    let one_of = |names: Vec<String>| format!("{name}: one of {}", names.join(", "));
    Ok(match (name, rest) {
        ("line", _) => {
            let digits: String = rest.chars().filter(|c| !c.is_whitespace()).collect();
            Command::Line(digits.parse().map_err(|_| "line: which one? A number".to_owned())?)
        }
        (_, "") => Command::Act(binding.map_or(Action::Redraw, |b| b.action)),
        ("filter", _) => Command::Filter(rest.to_owned()),
        ("search", _) => Command::Search(rest.to_owned()),
        ("time", _) => Command::Time(rest.to_owned()),
        ("note", _) => Command::Note(rest.to_owned()),
        ("theme", _) => {
            Command::Theme(ThemeName::parse(rest).ok_or_else(|| one_of(arguments("theme", state)))?)
        }
        ("export", _) => {
            let kind = state.exports.iter().find(|kind| kind.name() == rest);
            Command::Export(*kind.ok_or_else(|| one_of(arguments("export", state)))?)
        }
        ("sort", _) => {
            let all = columns::columns(state.tab);
            let found = all.iter().find(|(column, _)| column.title(state.tab).eq_ignore_ascii_case(rest));
            Command::Sort(Some(found.ok_or_else(|| one_of(arguments("sort", state)))?.0))
        }
        _ => return Err(format!("`{name}` takes nothing")),
    })
}

/// What may stand behind a command's name.
fn arguments(name: &str, state: &State) -> Vec<String> {
    match name {
        "theme" => ThemeName::ALL.iter().map(|theme| theme.name().to_owned()).collect(),
        "export" => state.exports.iter().map(|kind| kind.name().to_owned()).collect(),
        "sort" => {
            columns::columns(state.tab).iter().map(|(c, _)| c.title(state.tab).to_lowercase()).collect()
        }
        "filter" => Field::ALL.iter().map(|field| format!("{}:", field.word())).collect(),
        "time" => ["all", "today", "yesterday"].map(str::to_owned).to_vec(),
        _ => Vec::new(),
    }
}

/// What the last word that was begun may become.
pub(super) fn candidates(text: &str, state: &State) -> Vec<String> {
    let begun = |all: Vec<String>, part: &str| all.into_iter().filter(|c| c.starts_with(part)).collect();
    match text.trim_start().split_once(' ') {
        None => begun(names(state).into_iter().map(str::to_owned).collect(), text.trim_start()),
        // Of a filter each word is one of its own.
        Some(("filter", rest)) => begun(arguments("filter", state), rest.rsplit(' ').next().unwrap_or("")),
        Some((name, rest)) => begun(arguments(name, state), rest),
    }
}

/// The text with as much behind it as is certain.
pub(super) fn complete(text: &str, state: &State) -> String {
    let candidates = candidates(text, state);
    let Some(first) = candidates.first() else { return text.to_owned() };
    let common = candidates.iter().fold(first.as_str(), |common, candidate| {
        let same = common.bytes().zip(candidate.bytes()).take_while(|(a, b)| a == b).count();
        &common[..same]
    });
    let begun = match text.trim_start().split_once(' ') {
        None => text.trim_start(),
        Some(("filter", rest)) => rest.rsplit(' ').next().unwrap_or(""),
        Some((_, rest)) => rest,
    };
    let is_name = text.len() == begun.len();
    let takes = is_name && WITH.iter().any(|(name, ..)| *name == first) && candidates.len() == 1;
    format!("{}{common}{}", &text[..text.len() - begun.len()], if takes { " " } else { "" })
}
