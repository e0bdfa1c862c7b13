//! Colours. They only add: every state also has its symbol and word.

use ratatui::style::{Color, Modifier, Style};

/// Which colours the terminal can show, and on what ground.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ThemeName {
    #[default]
    Dark,
    Light,
    /// The terminal's own sixteen colours.
    Sixteen,
    /// `NO_COLOR`: weight and reversal only.
    Plain,
}

impl ThemeName {
    pub const ALL: [Self; 4] = [Self::Dark, Self::Light, Self::Sixteen, Self::Plain];

    /// The theme that an environment asks for; `get` looks a variable up.
    pub fn from_env(get: impl Fn(&str) -> Option<String>) -> Self {
        if get("NO_COLOR").is_some_and(|v| !v.is_empty()) {
            return Self::Plain;
        }
        let term = get("TERM").unwrap_or_default();
        if term == "dumb" {
            return Self::Plain;
        }
        let many = term.contains("256color")
            || term.contains("direct")
            || get("COLORTERM").is_some_and(|v| !v.is_empty());
        if !many {
            return Self::Sixteen;
        }
        match get("COLORFGBG").as_deref().and_then(|v| v.rsplit(';').next()) {
            Some("7" | "15") => Self::Light,
            _ => Self::Dark,
        }
    }

    /// Of a config or a command.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| theme.name() == name)
    }

    /// As [`Self::parse`] reads it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dark => "dark",
            Self::Light => "light",
            Self::Sixteen => "ansi",
            Self::Plain => "mono",
        }
    }

    /// The next one, for a key that goes through them.
    pub fn next(self) -> Self {
        match self {
            Self::Dark => Self::Light,
            Self::Light => Self::Sixteen,
            Self::Sixteen => Self::Plain,
            Self::Plain => Self::Dark,
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Dark => "dark",
            Self::Light => "light",
            Self::Sixteen => "16 colours",
            Self::Plain => "no colour",
        }
    }

    pub fn theme(self) -> Theme {
        Theme::new(self)
    }
}

/// One style for each role on the screen.
#[derive(Clone, Debug)]
pub struct Theme {
    pub plain: bool,
    pub text: Style,
    pub dim: Style,
    pub strong: Style,
    pub title: Style,
    pub border: Style,
    pub border_focus: Style,
    pub accent: Style,
    pub key: Style,
    pub selected: Style,
    /// The chart's cursor: a ground behind the bars, where there are colours for it.
    pub cursor: Option<Style>,
    /// The selection of a panel without the focus.
    pub marked: Style,
    pub blocked: Style,
    pub throttled: Style,
    pub good: Style,
    pub auth: Style,
    pub bounced: Style,
    pub warning: Style,
    pub hit: Style,
    pub bar: Style,
    /// A share that is refused, from the least to the most.
    pub heat: [Style; 4],
}

impl Theme {
    fn new(name: ThemeName) -> Self {
        let base = Style::new();
        let fg = |color: Color| Style::new().fg(color);
        let bold = Modifier::BOLD;
        let indexed = |n: u8| Some(Color::Indexed(n));
        if name == ThemeName::Plain {
            let dim = base.add_modifier(Modifier::DIM);
            return Self {
                plain: true,
                text: base,
                dim,
                strong: base.add_modifier(bold),
                title: base.add_modifier(bold),
                border: dim,
                border_focus: base,
                accent: base.add_modifier(bold),
                key: base.add_modifier(bold),
                selected: base.add_modifier(Modifier::REVERSED),
                cursor: None,
                marked: base.add_modifier(Modifier::UNDERLINED),
                blocked: base.add_modifier(bold),
                throttled: base.add_modifier(bold),
                good: base,
                auth: base,
                bounced: base,
                warning: base.add_modifier(bold),
                hit: base.add_modifier(Modifier::REVERSED),
                bar: base,
                heat: [base; 4],
            };
        }
        // text, dim, border, accent, red, amber, green, violet, blue-grey, selection, mark, bar ground
        let [text, dim, border, accent, red, amber, green, violet, grey, select, mark, hit] = match name {
            ThemeName::Dark => [252, 245, 239, 110, 203, 215, 108, 140, 67, 237, 235, 58].map(indexed),
            ThemeName::Light => [236, 243, 250, 25, 160, 130, 29, 91, 67, 189, 255, 229].map(indexed),
            _ => [
                None,
                Some(Color::DarkGray),
                Some(Color::DarkGray),
                Some(Color::Cyan),
                Some(Color::Red),
                Some(Color::Yellow),
                Some(Color::Green),
                Some(Color::Magenta),
                Some(Color::Blue),
                None,
                None,
                None,
            ],
        };
        let heat = match name {
            ThemeName::Dark => [215, 209, 203, 196].map(indexed),
            ThemeName::Light => [172, 166, 160, 124].map(indexed),
            _ => [Color::Yellow, Color::Yellow, Color::Red, Color::Red].map(Some),
        };
        let style = |color: Option<Color>| color.map_or(base, fg);
        let ground = |color: Option<Color>, other: Modifier| match color {
            Some(color) => Style::new().bg(color),
            // One ground for the whole row, whatever the colours in it.
            None if other == Modifier::REVERSED => base.fg(Color::Reset).add_modifier(other),
            None => base.add_modifier(other),
        };
        Self {
            plain: false,
            text: style(text),
            dim: style(dim),
            strong: style(text).add_modifier(bold),
            title: style(text).add_modifier(bold),
            border: style(border),
            border_focus: style(accent),
            accent: style(accent),
            key: style(accent).add_modifier(bold),
            selected: ground(select, Modifier::REVERSED),
            cursor: select.map(|color| Style::new().bg(color)),
            marked: ground(mark, Modifier::BOLD),
            blocked: style(red).add_modifier(bold),
            throttled: style(amber),
            good: style(green),
            auth: style(violet),
            bounced: style(violet),
            warning: style(amber),
            hit: ground(hit, Modifier::REVERSED),
            bar: style(grey),
            heat: heat.map(style),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environment() {
        let name = |pairs: &[(&str, &str)]| {
            ThemeName::from_env(|key| pairs.iter().find(|(k, _)| *k == key).map(|(_, v)| (*v).to_owned()))
        };
        assert_eq!(name(&[("TERM", "xterm-256color")]), ThemeName::Dark);
        assert_eq!(name(&[("TERM", "xterm-256color"), ("NO_COLOR", "1")]), ThemeName::Plain);
        assert_eq!(name(&[("TERM", "xterm-256color"), ("NO_COLOR", "")]), ThemeName::Dark);
        assert_eq!(name(&[("TERM", "linux")]), ThemeName::Sixteen);
        assert_eq!(name(&[("TERM", "linux"), ("COLORTERM", "")]), ThemeName::Sixteen);
        assert_eq!(name(&[("TERM", "xterm-256color"), ("COLORFGBG", "0;15")]), ThemeName::Light);
    }
}
