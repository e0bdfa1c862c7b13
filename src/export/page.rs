//! A small document: titles, named lines, lists, tables. Built once, written as text for a terminal, as Markdown or as
//! HTML.

mod html;
mod markdown;

use std::fmt::Write;

use unicode_width::UnicodeWidthChar;

pub use html::html;
pub use markdown::markdown;

/// Columns that the names of the lines take in text.
const NAMES: usize = 12;

/// A piece of a line: what the program says, or what stood in the input. The latter is hostile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Span {
    /// The program's own words and those of its data.
    Ours(String),
    /// From the input: in Markdown it is never anything but code.
    Input(String),
}

/// One line, or one item of a list.
pub type Line = Vec<Span>;

/// The program's own words as a line.
pub fn ours(text: impl Into<String>) -> Line {
    vec![Span::Ours(text.into())]
}

/// One part of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// Distance; Markdown keeps its own.
    Blank,
    /// What a document or section is about.
    Title(u8, Line),
    /// Running text.
    Paragraph(Line),
    /// `Name  what there is to say`.
    Named(&'static str, Line),
    /// Steps, in their order.
    Numbered(&'static str, Vec<Line>),
    /// A list.
    Bullets(&'static str, Vec<Bullet>),
    /// Rows of cells.
    Table(&'static [Column], Vec<Vec<Line>>),
    /// From the input, a line as it stood there, with a line feed nowhere in it.
    Verbatim(String),
}

/// A column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    Words(&'static str),
    Number(&'static str),
}

impl Column {
    fn head(self) -> &'static str {
        match self {
            Self::Words(head) | Self::Number(head) => head,
        }
    }
}

/// An item of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bullet {
    /// What it says.
    pub text: Line,
    /// What stands below it on a line of its own.
    pub below: Option<Below>,
}

impl Bullet {
    /// One line and nothing below.
    pub fn plain(text: impl Into<String>) -> Self {
        Self { text: ours(text), below: None }
    }
}

/// What stands on a line of its own, so that it can be copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Below {
    /// An address, and what is to be said of it.
    Address(String, String),
    /// A command, never wrapped.
    Command(String),
}

/// As text, wrapped to `width` columns.
pub fn text(blocks: &[Block], width: usize) -> String {
    let mut page = Text { out: String::new(), width: width.clamp(40, 120) };
    for block in blocks {
        page.block(block);
    }
    page.out
}

struct Text {
    out: String,
    width: usize,
}

impl Text {
    fn block(&mut self, block: &Block) {
        match block {
            Block::Blank => self.out.push('\n'),
            Block::Title(_, line) => {
                self.out.push_str(&plain(line));
                self.out.push('\n');
            }
            Block::Paragraph(line) => self.paragraph("", &plain(line)),
            Block::Named(name, line) => self.paragraph(&format!("  {name:<NAMES$} "), &plain(line)),
            Block::Numbered(name, items) => {
                for (index, item) in items.iter().enumerate() {
                    let name = if index == 0 { name } else { "" };
                    self.paragraph(&format!("  {name:<NAMES$} {}. ", index + 1), &plain(item));
                }
            }
            Block::Bullets(name, items) => {
                for (index, item) in items.iter().enumerate() {
                    let name = if index == 0 { name } else { "" };
                    self.paragraph(&format!("  {name:<NAMES$} - "), &plain(&item.text));
                    let lead = format!("  {:<NAMES$}   ", "");
                    match &item.below {
                        Some(Below::Address(address, more)) => {
                            self.paragraph(&lead, &format!("{address}{more}"));
                        }
                        Some(Below::Command(command)) => {
                            let _ = writeln!(self.out, "{lead}{command}");
                        }
                        None => {}
                    }
                }
            }
            Block::Table(heads, rows) => self.table(heads, rows),
            Block::Verbatim(line) => {
                let _ = writeln!(self.out, "  {line}");
            }
        }
    }

    fn table(&mut self, heads: &[Column], rows: &[Vec<Line>]) {
        let titles = heads.iter().map(|column| column.head().to_owned()).collect();
        let cells = rows.iter().map(|row| row.iter().map(|cell| plain(cell)).collect());
        let rows: Vec<Vec<String>> = std::iter::once(titles).chain(cells).collect();
        let widest = |at: usize| rows.iter().filter_map(|row| row.get(at)).map(|cell| columns(cell)).max();
        let widths: Vec<usize> = (0..heads.len()).map(|at| widest(at).unwrap_or(0)).collect();
        for row in &rows {
            let mut line = String::new();
            for ((cell, head), width) in row.iter().zip(heads).zip(&widths) {
                let blanks = " ".repeat(width - columns(cell));
                let _ = match head {
                    Column::Words(_) => write!(line, "  {cell}{blanks}"),
                    Column::Number(_) => write!(line, "  {blanks}{cell}"),
                };
            }
            let _ = writeln!(self.out, "{}", line.trim_end());
        }
    }

    /// `text` wrapped, the first line behind `lead`, the others indented as far.
    fn paragraph(&mut self, lead: &str, text: &str) {
        let indent = columns(lead);
        self.out.push_str(lead);
        let mut at = indent;
        let mut first = true;
        for word in text.split_whitespace() {
            let length = columns(word);
            if !first && at + 1 + length > self.width {
                self.out.push('\n');
                self.out.extend(std::iter::repeat_n(' ', indent));
                at = indent;
            } else if !first {
                self.out.push(' ');
                at += 1;
            }
            self.out.push_str(word);
            at += length;
            first = false;
        }
        self.out.push('\n');
    }
}

fn plain(line: &[Span]) -> String {
    line.iter()
        .map(|span| match span {
            Span::Ours(text) | Span::Input(text) => text.as_str(),
        })
        .collect()
}

pub(super) fn columns(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// Whether an address can be a link: nothing but a page or a mailbox, and nothing in it that ends a link early.
fn is_sound(address: &str) -> bool {
    let known = ["https://", "http://", "mailto:"].iter().any(|scheme| address.starts_with(scheme));
    known && address.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'<' | b'>' | b'\\' | b'`' | b'"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_stands_in_columns() {
        let row = |a: &str, b: &str| vec![vec![Span::Input(a.into())], ours(b)];
        let heads = &[Column::Words("domain"), Column::Number("attempts")];
        let table = [Block::Table(heads, vec![row("a.example", "1"), row("b", "12 345")])];
        assert_eq!(text(&table, 80), "  domain     attempts\n  a.example         1\n  b            12 345\n");
    }
}
