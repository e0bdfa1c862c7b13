//! The screen from outside: pictures at all sizes, and what keys do.

mod fake;
mod keys;
mod numbers;
mod pictures;
mod terminal;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use eopwatch::aggregate::Snapshot;
use eopwatch::engine::LineList;
use eopwatch::view::{Clock, Effect, Key, Message, Scene, State, draw, update};
use jiff::tz::{self, TimeZone};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

/// A screen without a terminal.
struct Screen {
    state: State,
    snapshot: Snapshot,
    lines: LineList,
    effects: Vec<Effect>,
}

impl Screen {
    fn new(snapshot: Snapshot, width: u16, height: u16) -> Self {
        let clock = Clock { zone: TimeZone::fixed(tz::offset(2)) };
        let mut screen = Self { state: State::new(clock), snapshot, lines: fake::lines(), effects: vec![] };
        screen.send(Message::Resize(width, height));
        screen.send(Message::Data);
        screen
    }

    fn send(&mut self, message: Message) {
        let effects = update(&mut self.state, message, &self.snapshot, &self.lines);
        self.effects.extend(effects);
    }

    /// Presses keys by name: `"j j Enter"`.
    fn press(&mut self, keys: &str) -> &mut Self {
        for name in keys.split_whitespace() {
            let key = Key::parse(name).unwrap_or_else(|| panic!("no key {name}"));
            let modifiers = if key.ctrl { KeyModifiers::CONTROL } else { KeyModifiers::NONE };
            self.send(Message::Key(KeyEvent::new(key.code, modifiers)));
        }
        self
    }

    /// Types characters.
    fn write(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            self.send(Message::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)));
        }
        self
    }

    fn buffer(&mut self) -> ratatui::buffer::Buffer {
        let (w, h) = self.state.size;
        let mut terminal = Terminal::new(TestBackend::new(w, h)).expect("a test terminal");
        let mut end = 0;
        terminal
            .draw(|frame| {
                let scene = Scene::new(&self.state, &self.snapshot, &self.lines, &fake::advice);
                end = draw(frame, &scene);
            })
            .expect("drawn");
        self.state.settle(end);
        terminal.backend().buffer().clone()
    }

    /// What is seen, one line a row.
    fn text(&mut self) -> String {
        let buffer = self.buffer();
        let mut text = String::new();
        for y in 0..buffer.area.height {
            let mut x = 0;
            let mut line = String::new();
            while x < buffer.area.width {
                let symbol = buffer[(x, y)].symbol();
                line.push_str(symbol);
                x += (unicode_width::UnicodeWidthStr::width(symbol) as u16).max(1);
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}
