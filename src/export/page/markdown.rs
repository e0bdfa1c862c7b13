//! The document as Markdown.

use std::fmt::Write;

use super::{Below, Block, Column, Line, Span, is_sound};

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
            Block::Table(heads, rows) => table(&mut out, heads, rows),
            Block::Verbatim(line) => {
                let fence = fence(line, 3);
                let _ = writeln!(out, "{fence}text\n{line}\n{fence}");
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

/// A table of GitHub's Markdown, where a bar ends a cell even in code.
fn table(out: &mut String, heads: &[Column], rows: &[Vec<Line>]) {
    let mut line = |cells: Vec<String>| {
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    };
    line(heads.iter().map(|head| escaped(head.head())).collect());
    let rule = |head: &Column| match head {
        Column::Words(_) => "---".to_owned(),
        Column::Number(_) => "---:".to_owned(),
    };
    line(heads.iter().map(rule).collect());
    for row in rows {
        line(row.iter().map(|cell| cell.iter().map(in_cell).collect()).collect());
    }
}

fn in_cell(span: &Span) -> String {
    match span {
        Span::Ours(text) => escaped(text),
        Span::Input(text) => code(text).replace('|', "\\|"),
    }
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
    if is_sound(address) { format!("<{address}>") } else { escaped(address) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::ours;
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

    #[test]
    fn a_cell_ends_where_it_should() {
        let row = vec![vec![Span::Input("a|`b` <c>".into())], ours("x|y")];
        let heads = &[Column::Words("domain"), Column::Number("attempts")];
        assert_eq!(
            markdown(&[Block::Table(heads, vec![row])]),
            "| domain | attempts |\n| --- | ---: |\n| `` a\\|`b` <c> `` | x\\|y |\n"
        );
        assert_eq!(markdown(&[Block::Verbatim("``` <b>".into())]), "````text\n``` <b>\n````\n");
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
