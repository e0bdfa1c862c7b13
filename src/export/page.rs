//! A small document: titles, named lines, lists. Built once, written as text for a terminal or as Markdown.

use std::fmt::Write;

use unicode_width::UnicodeWidthChar;

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

/// As Markdown (CommonMark). Nothing of the input or the data becomes markup, a link or HTML.
pub fn markdown(blocks: &[Block]) -> String {
    let mut out = String::new();
    for block in blocks {
        if matches!(block, Block::Blank) {
            continue;
        }
        if !out.is_empty() {
            out.push('\n');
        }
        match block {
            Block::Blank => {}
            Block::Title(level, line) => {
                let _ = writeln!(out, "{} {}", "#".repeat(usize::from(*level)), marked(line));
            }
            Block::Paragraph(line) => {
                let _ = writeln!(out, "{}", marked(line));
            }
            Block::Named(name, line) => {
                let _ = writeln!(out, "**{name}:** {}", marked(line));
            }
            Block::Numbered(name, items) => {
                let _ = writeln!(out, "### {name}\n");
                for (index, item) in items.iter().enumerate() {
                    let _ = writeln!(out, "{}. {}", index + 1, marked(item));
                }
            }
            Block::Bullets(name, items) => {
                let _ = writeln!(out, "### {name}\n");
                for item in items {
                    let _ = writeln!(out, "- {}", marked(&item.text));
                    match &item.below {
                        Some(Below::Address(address, more)) => {
                            let _ = writeln!(out, "  {}{}", linked(address), escaped(more));
                        }
                        Some(Below::Command(command)) => {
                            let fence = fence(command, 3);
                            let _ = writeln!(out, "\n  {fence}sh\n  {command}\n  {fence}");
                        }
                        None => {}
                    }
                }
            }
        }
    }
    out
}

fn marked(line: &[Span]) -> String {
    let mut out = String::new();
    for span in line {
        match span {
            Span::Ours(text) => out.push_str(&escaped(text)),
            Span::Input(text) => out.push_str(&code(text)),
        }
    }
    at_line_start(out)
}

/// As a code span: nothing in it is markup, a link or HTML, and its fence is longer than any in it.
fn code(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() {
        return String::new();
    }
    let fence = fence(&text, 1);
    format!("{fence} {text} {fence}")
}

/// Backticks, at least so many, and more than stand anywhere in `text`.
fn fence(text: &str, least: usize) -> String {
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    "`".repeat(least.max(longest + 1))
}

/// With a backslash before each character that Markdown could take for its own.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.split_whitespace().collect::<Vec<_>>().join(" ").chars() {
        if matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '~' | '&' | '!' | '$') {
            out.push('\\');
        }
        out.push(c);
    }
    // Blanks at the ends part this span from its neighbours.
    let front = if text.starts_with(char::is_whitespace) { " " } else { "" };
    let back = if text.trim().is_empty() || !text.ends_with(char::is_whitespace) { "" } else { " " };
    format!("{front}{out}{back}")
}

/// What would begin a list (`- `, `+ `, `1. `) or underline a title (`===`) at the start of a line.
fn at_line_start(line: String) -> String {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let ends = line.as_bytes().get(digits + 1).is_none_or(u8::is_ascii_whitespace);
    match line.as_bytes().get(digits) {
        Some(b'-' | b'+' | b'=') if digits == 0 => format!("\\{line}"),
        Some(b'.' | b')') if digits > 0 && ends => format!("{}\\{}", &line[..digits], &line[digits..]),
        _ => line,
    }
}

/// A link where the address is sound, else text.
fn linked(address: &str) -> String {
    let known = ["https://", "http://", "mailto:"].iter().any(|scheme| address.starts_with(scheme));
    let sound = address.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'<' | b'>' | b'\\' | b'`'));
    if known && sound { format!("<{address}>") } else { escaped(address) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn input(text: &str) -> Vec<Block> {
        vec![Block::Paragraph(vec![Span::Ours("Nothing fits: ".into()), Span::Input(text.into())])]
    }

    #[test]
    fn what_the_input_says_is_code_whatever_it_holds() {
        assert_eq!(
            markdown(&input("<b>*x*</b> ``[a](http://b)`` https://c")),
            "Nothing fits: ``` <b>*x*</b> ``[a](http://b)`` https://c ```\n"
        );
        assert_eq!(markdown(&input(" \n ")), "Nothing fits: \n");
    }

    #[test]
    fn what_the_data_say_is_text() {
        let line = |text: &str| markdown(&[Block::Paragraph(ours(text))]);
        assert_eq!(line("# a *b* _c_ <d> [e] & `f`"), "\\# a \\*b\\* \\_c\\_ \\<d\\> \\[e\\] \\& \\`f\\`\n");
        assert_eq!(line("1. not a list"), "1\\. not a list\n");
        assert_eq!(line("- neither"), "\\- neither\n");
        assert_eq!(line("192.0.2.1 sends"), "192.0.2.1 sends\n");
        assert_eq!(line("550 5.7.1 is a code"), "550 5.7.1 is a code\n");
    }

    #[test]
    fn addresses_are_links_only_where_they_are_sound() {
        assert_eq!(linked("https://example.com/a?b=c"), "<https://example.com/a?b=c>");
        assert_eq!(linked("https://example.com/><b>"), "https://example.com/\\>\\<b\\>");
        assert_eq!(linked("javascript:alert(1)"), "javascript:alert(1)");
    }

    proptest! {
        #[test]
        fn an_input_ends_no_code_span(text in "[`a<\\n\\\\ \\[#*>-]{0,40}") {
            let page = markdown(&input(&text));
            prop_assert_eq!(page.lines().count(), 1);
            let code = page.trim_start_matches("Nothing fits: ").trim_end();
            if !code.is_empty() {
                let fence: String = code.chars().take_while(|c| *c == '`').collect();
                prop_assert!(code.ends_with(&fence) && code.len() > 2 * fence.len());
                let inner = &code[fence.len()..code.len() - fence.len()];
                prop_assert!(!inner.contains(&fence));
            }
        }
    }
}
