//! The table of keys: what each does, in which view. The dispatch, the footer and the help screen all come from it.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Where one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum View {
    Overview,
    Lines,
    Line,
    Block,
    Advice,
    Messages,
    Help,
}

impl View {
    /// As the help calls it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Lines => "lines",
            Self::Line => "one line",
            Self::Block => "one block",
            Self::Advice => "advice",
            Self::Messages => "messages",
            Self::Help => "help",
        }
    }
}

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    HalfUp,
    HalfDown,
    Top,
    Bottom,
    Open,
    Back,
    Lines,
    Block,
    PreviousBlock,
    NextBlock,
    Advice,
    Prompt,
    Command,
    Note,
    NextHit,
    PreviousHit,
    NextRefusal,
    PreviousRefusal,
    Time,
    ZoomIn,
    ZoomOut,
    Whole,
    NextPanel,
    PreviousPanel,
    Tab(u8),
    SortMenu,
    SortReverse,
    Enlarge,
    Face,
    Freeze,
    Export,
    Write,
    Copy,
    Messages,
    Theme,
    Mouse,
    Redraw,
    Suspend,
    Help,
    Leave,
    Quit,
}

/// One key with its Ctrl.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    pub code: KeyCode,
    pub ctrl: bool,
}

impl Key {
    /// Reads `j`, `C-d`, `PgUp`, `F1`, …
    pub fn parse(text: &str) -> Option<Self> {
        let (ctrl, name) = match text.strip_prefix("C-") {
            Some(rest) if !rest.is_empty() => (true, rest),
            _ => (false, text),
        };
        let code = match name {
            "Up" => KeyCode::Up,
            "Down" => KeyCode::Down,
            "Left" => KeyCode::Left,
            "Right" => KeyCode::Right,
            "PgUp" => KeyCode::PageUp,
            "PgDn" => KeyCode::PageDown,
            "Home" => KeyCode::Home,
            "End" => KeyCode::End,
            "Enter" => KeyCode::Enter,
            "Esc" => KeyCode::Esc,
            "Backspace" => KeyCode::Backspace,
            "Tab" => KeyCode::Tab,
            "BackTab" => KeyCode::BackTab,
            "Space" => KeyCode::Char(' '),
            _ => {
                let mut chars = name.chars();
                match (chars.next(), chars.as_str()) {
                    (Some(c), "") => KeyCode::Char(c),
                    (Some('F'), n) => KeyCode::F(n.parse().ok()?),
                    _ => return None,
                }
            }
        };
        Some(Self { code, ctrl })
    }

    /// What was pressed.
    pub fn of(event: &KeyEvent) -> Self {
        let code = match event.code {
            KeyCode::Tab if event.modifiers.contains(KeyModifiers::SHIFT) => KeyCode::BackTab,
            code => code,
        };
        Self { code, ctrl: event.modifiers.contains(KeyModifiers::CONTROL) }
    }

    /// As it is shown.
    pub fn label(self) -> String {
        let name = match self.code {
            KeyCode::Up => "↑".into(),
            KeyCode::Down => "↓".into(),
            KeyCode::Left => "←".into(),
            KeyCode::Right => "→".into(),
            KeyCode::PageUp => "PgUp".into(),
            KeyCode::PageDown => "PgDn".into(),
            KeyCode::Home => "Home".into(),
            KeyCode::End => "End".into(),
            KeyCode::Enter => "⏎".into(),
            KeyCode::Esc => "Esc".into(),
            KeyCode::Backspace => "⌫".into(),
            KeyCode::Tab => "Tab".into(),
            KeyCode::BackTab => "S-Tab".into(),
            KeyCode::Char(' ') => "Space".into(),
            KeyCode::Char(c) if self.ctrl => c.to_ascii_uppercase().to_string(),
            KeyCode::Char(c) => c.to_string(),
            KeyCode::F(n) => format!("F{n}"),
            _ => String::new(),
        };
        if self.ctrl { format!("^{name}") } else { name }
    }
}

use View::{Advice, Block, Help, Line, Lines, Messages, Overview};

const ALL: &[View] = &[Overview, Lines, Line, Block, Advice, Messages, Help];
const TOP: &[View] = &[Overview];
const LIST: &[View] = &[Lines];
const RAW: &[View] = &[Lines, Line];

/// Action, its name in a config, views, keys, help, word in the footer (empty: not there).
type Entry = (Action, &'static str, &'static [View], &'static str, &'static str, &'static str);

#[rustfmt::skip]
const TABLE: &[Entry] = &[
    (Action::Up, "up", ALL, "k Up", "up", ""),
    (Action::Down, "down", ALL, "j Down", "down", "move"),
    (Action::Open, "open", TOP, "Enter", "show only the selected row; on a block: its whole story", "drill in"),
    (Action::Open, "open", LIST, "Enter", "this line whole, wrapped and decoded", "whole line"),
    (Action::Back, "back", TOP, "Backspace Esc", "take the last filter away", "back"),
    (Action::Back, "back", &[Lines, Line, Block, Advice, Messages, Help], "Esc Backspace", "back", "back"),
    (Action::Lines, "lines", &[Overview, Block], "L", "the log lines behind the selection", "lines"),
    (Action::Prompt, "filter", TOP, "/", "filter: words, globs, field:value, ! negates", "filter"),
    (Action::Prompt, "search", LIST, "/", "search in the lines", "search"),
    (Action::Prompt, "find", &[Help], "/", "find a key by a word", "find"),
    (Action::NextHit, "next-hit", LIST, "n", "next hit of the search", ""),
    (Action::PreviousHit, "previous-hit", LIST, "N", "previous hit", ""),
    (Action::NextRefusal, "next-refusal", RAW, "e", "next refusal", "next refusal"),
    (Action::PreviousRefusal, "previous-refusal", RAW, "E", "previous refusal", ""),
    (Action::Time, "time", TOP, "t", "time range: 14:30, -2h, yesterday, 09:00 to 10:00", "time"),
    (Action::SortMenu, "sort", TOP, "s", "sort by a column", "sort"),
    (Action::SortReverse, "reverse", TOP, "S", "reverse the order", ""),
    (Action::Export, "export", &[Overview, Block], "x", "export what is shown to a file", "export"),
    (Action::Export, "export", LIST, "x", "export the listed lines, or the summary, to a file", ""),
    (Action::Write, "write", LIST, "w", "write all lines behind the selection to a file", "write"),
    (Action::Note, "note", &[Overview, Block], "N", "a note at the selected block, kept while the program runs", ""),
    (Action::Command, "command", ALL, ":", "command line: every action by its name, and more; Tab completes", ""),
    (Action::Copy, "copy", ALL, "y", "copy the selection to the clipboard, over ssh too (OSC 52)", ""),
    (Action::PreviousBlock, "previous-block", &[Overview, Block], "[", "previous block", ""),
    (Action::NextBlock, "next-block", &[Overview, Block], "]", "next block", "blocks"),
    (Action::Block, "block", TOP, "b", "the selected block: its story, its evidence, what to do", ""),
    (Action::Advice, "advice", &[Overview, Block], "i", "what the reply means and what to do", "advice"),
    (Action::NextPanel, "next-panel", TOP, "Tab", "next panel", ""),
    (Action::PreviousPanel, "previous-panel", TOP, "BackTab", "previous panel", ""),
    (Action::Tab(0), "sources", TOP, "1", "table of sources", ""),
    (Action::Tab(1), "domains", TOP, "2", "table of recipient domains", ""),
    (Action::Tab(2), "datacenters", TOP, "3", "table of datacenters", ""),
    (Action::Tab(3), "replies", TOP, "4", "table of replies", ""),
    (Action::Left, "left", TOP, "h Left", "chart: cursor to the left; tables: previous tab", ""),
    (Action::Right, "right", TOP, "l Right", "chart: cursor to the right; tables: next tab", ""),
    (Action::Left, "left", LIST, "h Left", "scroll to the left", ""),
    (Action::Right, "right", LIST, "l Right", "scroll to the right", ""),
    (Action::PageUp, "page-up", ALL, "PgUp C-b", "page up", ""),
    (Action::PageDown, "page-down", ALL, "PgDn C-f", "page down", ""),
    (Action::HalfUp, "half-up", ALL, "C-u", "half a page up", ""),
    (Action::HalfDown, "half-down", ALL, "C-d", "half a page down", ""),
    (Action::Top, "top", ALL, "g Home", "to the top", ""),
    (Action::Bottom, "bottom", ALL, "G End", "to the bottom", ""),
    (Action::ZoomIn, "zoom-in", TOP, "z", "zoom into the time around the cursor", ""),
    (Action::ZoomOut, "zoom-out", TOP, "Z", "twice the time range", ""),
    (Action::Whole, "whole", TOP, "0", "the whole time range", ""),
    (Action::Face, "chart", TOP, "c", "chart: attempts by time, or datacenters by time (which refused when)", "chart"),
    (Action::Enlarge, "enlarge", TOP, "+", "the panel as large as the screen, and back", ""),
    (Action::Freeze, "freeze", ALL, "Space", "freeze the numbers; reading goes on", ""),
    (Action::Messages, "messages", &[Overview, Lines, Line, Block, Advice, Help], "m", "messages: files, lines not understood", ""),
    (Action::Theme, "theme", ALL, "T", "next theme: dark, light, 16 colours, none", ""),
    (Action::Mouse, "mouse", ALL, "F2", "hand the mouse back to the terminal, and take it again", ""),
    (Action::Redraw, "redraw", ALL, "C-l", "draw the screen anew", ""),
    (Action::Suspend, "suspend", ALL, "C-z", "to the shell; fg comes back", ""),
    (Action::Help, "help", &[Overview, Lines, Line, Block, Advice, Messages], "? F1", "this help", "help"),
    (Action::Leave, "leave", TOP, "q", "quit", "quit"),
    (Action::Leave, "leave", &[Lines, Line, Block, Advice, Messages, Help], "q", "leave this view", "leave"),
    (Action::Quit, "quit", ALL, "C-c", "quit at once", ""),
];

/// One line of the table, its keys read.
#[derive(Clone, Debug)]
pub struct Binding {
    pub action: Action,
    pub name: &'static str,
    pub views: &'static [View],
    pub keys: Vec<Key>,
    pub help: &'static str,
    pub footer: &'static str,
}

/// All bindings.
#[derive(Clone, Debug)]
pub struct Keymap {
    bindings: Vec<Binding>,
}

/// A line of the config's key table that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadKey {
    #[error("there is no action `{0}` (known: {1})")]
    Action(String, String),
    #[error("`{0}`, for `{1}`, is no key (write j, C-d, PgUp, F1, Space, Enter, …)")]
    Key(String, String),
    #[error(
        "key {0} is both `{1}` and `{2}` in the view \"{3}\" (give one of them another key, or none: \"\")"
    )]
    Twice(String, String, String, &'static str),
}

impl Default for Keymap {
    fn default() -> Self {
        let bindings = TABLE
            .iter()
            .map(|&(action, name, views, keys, help, footer)| Binding {
                action,
                name,
                views,
                keys: keys.split(' ').filter_map(Key::parse).collect(),
                help,
                footer,
            })
            .collect();
        Self { bindings }
    }
}

impl Keymap {
    /// The bindings of a view, in the table's order.
    pub fn of(&self, view: View) -> impl Iterator<Item = &Binding> {
        self.bindings.iter().filter(move |b| b.views.contains(&view))
    }

    /// What a key does in a view.
    pub fn action(&self, view: View, key: Key) -> Option<Action> {
        self.of(view).find(|b| b.keys.contains(&key)).map(|b| b.action)
    }

    /// Gives actions other keys, in every view that has them (a config's `name = "key key"`). A key must not do two
    /// things in one view.
    pub fn rebind<'a>(
        &mut self,
        changes: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<(), BadKey> {
        for (name, keys) in changes {
            let keys = keys
                .split_whitespace()
                .map(|text| Key::parse(text).ok_or_else(|| BadKey::Key(text.to_owned(), name.to_owned())))
                .collect::<Result<Vec<_>, _>>()?;
            let mut found = false;
            for binding in self.bindings.iter_mut().filter(|b| b.name == name) {
                binding.keys.clone_from(&keys);
                found = true;
            }
            if !found {
                let mut known: Vec<_> = self.bindings.iter().map(|b| b.name).collect();
                known.dedup();
                return Err(BadKey::Action(name.to_owned(), known.join(", ")));
            }
        }
        for &view in ALL {
            let mut taken: Vec<(Key, &str)> = Vec::new();
            for binding in self.of(view) {
                for &key in &binding.keys {
                    if let Some((_, other)) = taken.iter().find(|(k, _)| *k == key) {
                        let name = binding.name;
                        return Err(BadKey::Twice(
                            key.label(),
                            (*other).to_owned(),
                            name.to_owned(),
                            view.word(),
                        ));
                    }
                    taken.push((key, binding.name));
                }
            }
        }
        Ok(())
    }

    /// The first key of an action in a view, as it is shown.
    pub fn label(&self, view: View, action: Action) -> String {
        let key = self.of(view).find(|b| b.action == action).and_then(|b| b.keys.first());
        key.map_or_else(|| format!(":{}", self.name(action)), |key| key.label())
    }

    /// The first key of an action of this name as it is shown; of two, the arrow, which explains itself.
    pub(super) fn arrow_or_label(&self, name: &str) -> String {
        let arrows = [KeyCode::Up, KeyCode::Down, KeyCode::Left, KeyCode::Right];
        let Some(binding) = self.bindings.iter().find(|b| b.name == name) else { return String::new() };
        let arrow = binding.keys.iter().find(|key| arrows.contains(&key.code));
        arrow.or(binding.keys.first()).map_or_else(|| format!(":{name}"), |key| key.label())
    }

    /// What an action of this name does, in whatever view.
    pub fn action_of(&self, name: &str) -> Option<Action> {
        self.bindings.iter().find(|b| b.name == name).map(|b| b.action)
    }

    fn name(&self, action: Action) -> &'static str {
        self.bindings.iter().find(|b| b.action == action).map_or("", |b| b.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_the_table_reads_and_is_alone_in_its_view() {
        let map = Keymap::default();
        for &(action, name, _, keys, ..) in TABLE {
            assert!(keys.split(' ').all(|k| Key::parse(k).is_some()), "{name} {action:?}");
        }
        for &view in ALL {
            let mut keys: Vec<Key> = map.of(view).flat_map(|b| b.keys.clone()).collect();
            let count = keys.len();
            keys.sort_by_key(|k| format!("{k:?}"));
            keys.dedup();
            assert_eq!(keys.len(), count, "{view:?}");
        }
    }

    #[test]
    fn rebinding_moves_a_key() {
        let mut map = Keymap::default();
        map.rebind([("messages", "t"), ("time", "")]).expect("free");
        let key = Key::parse("t").expect("a key");
        assert_eq!(map.action(View::Overview, key), Some(Action::Messages));
        let fails = |name, keys| match Keymap::default().rebind([(name, keys)]) {
            Ok(()) => String::new(),
            Err(error) => error.to_string(),
        };
        assert!(fails("nonsense", "t").contains("known: up, down"));
        assert!(fails("messages", "Nonsense").contains("`Nonsense`, for `messages`, is no key"));
        assert!(
            fails("messages", "t").contains("key t is both `time` and `messages` in the view \"overview\"")
        );
        assert!(fails("messages", "C-c").contains("`quit`"), "it always ends the program");
    }
}
