//! The document as one HTML page that asks nobody for anything: no script, no picture, no font.

use std::fmt::Write;

use super::{Below, Block, Column, Line, Span, is_sound, plain};

const HEAD: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
"#;

const STYLE: &str = "<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222; background: #fff; }
h1, h2, h3 { line-height: 1.25; margin: 1.6em 0 .4em; }
h2 { border-bottom: 1px solid #ccc; }
code, pre { font-family: ui-monospace, monospace; font-size: .9em; background: #f3f3f3; overflow-wrap: anywhere; }
pre { padding: .5em; white-space: pre-wrap; }
table { border-collapse: collapse; }
th, td { border: 1px solid #ccc; padding: .15em .6em; text-align: left; vertical-align: top; }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
@media (prefers-color-scheme: dark) {
  body { color: #ddd; background: #1b1b1b; } code, pre { background: #2a2a2a; } a { color: #8ab4f8; }
  h2, th, td { border-color: #555; }
}
</style>
";

/// A whole page. Nothing of the input or the data becomes markup.
pub fn html(blocks: &[Block]) -> String {
    let mut out = HEAD.to_owned();
    let title = blocks.iter().find_map(|block| match block {
        Block::Title(_, line) => Some(plain(line)),
        _ => None,
    });
    let _ = writeln!(out, "<title>{}</title>", escaped(&title.unwrap_or_default()));
    out.push_str(STYLE);
    out.push_str("</head>\n<body>\n");
    for block in blocks {
        self::block(&mut out, block);
    }
    out.push_str("</body>\n</html>\n");
    out
}

fn block(out: &mut String, block: &Block) {
    // Writing to a string does not fail.
    let _ = match block {
        Block::Blank => Ok(()),
        Block::Title(level, line) => writeln!(out, "<h{level}>{}</h{level}>", marked(line)),
        Block::Paragraph(line) => writeln!(out, "<p>{}</p>", marked(line)),
        Block::Named(name, line) => writeln!(out, "<p><b>{}:</b> {}</p>", escaped(name), marked(line)),
        Block::Numbered(name, items) => {
            let items: String = items.iter().map(|item| format!("<li>{}</li>\n", marked(item))).collect();
            writeln!(out, "<h3>{}</h3>\n<ol>\n{items}</ol>", escaped(name))
        }
        Block::Bullets(name, items) => {
            let item = |text: &Line, below: &Option<Below>| {
                format!("<li>{}{}</li>\n", marked(text), below.as_ref().map(self::below).unwrap_or_default())
            };
            let items: String = items.iter().map(|bullet| item(&bullet.text, &bullet.below)).collect();
            writeln!(out, "<h3>{}</h3>\n<ul>\n{items}</ul>", escaped(name))
        }
        Block::Table(heads, rows) => {
            let cell = |tag: &str, head: &Column, text: String| match head {
                Column::Words(_) => format!("<{tag}>{text}</{tag}>"),
                Column::Number(_) => format!("<{tag} class=\"n\">{text}</{tag}>"),
            };
            let titles: String = heads.iter().map(|head| cell("th", head, escaped(head.head()))).collect();
            let row = |row: &Vec<Line>| -> String {
                row.iter().zip(*heads).map(|(line, head)| cell("td", head, marked(line))).collect()
            };
            let rows: String = rows.iter().map(|cells| format!("<tr>{}</tr>\n", row(cells))).collect();
            writeln!(out, "<table>\n<tr>{titles}</tr>\n{rows}</table>")
        }
        Block::Verbatim(line) => writeln!(out, "<pre>{}</pre>", escaped(line)),
    };
}

fn below(below: &Below) -> String {
    match below {
        Below::Address(address, more) if is_sound(address) => {
            let address = escaped(address);
            format!("<br><a href=\"{address}\" rel=\"noreferrer\">{address}</a>{}", escaped(more))
        }
        Below::Address(address, more) => format!("<br>{}{}", escaped(address), escaped(more)),
        Below::Command(command) => format!("<pre>{}</pre>", escaped(command)),
    }
}

fn marked(line: &[Span]) -> String {
    line.iter()
        .map(|span| match span {
            Span::Ours(text) => escaped(text),
            Span::Input(text) => format!("<code>{}</code>", escaped(text)),
        })
        .collect()
}

/// As text between tags, and between the quotes of an attribute.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Bullet, ours};
    use super::*;

    /// The page with hostile text wherever text can stand.
    fn page(text: &str) -> String {
        let input = || vec![Span::Input(text.to_owned()), Span::Ours(text.to_owned())];
        let address = Below::Address(text.to_owned(), text.to_owned());
        html(&[
            Block::Title(1, input()),
            Block::Paragraph(input()),
            Block::Named("Name", input()),
            Block::Numbered("Steps", vec![input()]),
            Block::Bullets("Where", vec![Bullet { text: input(), below: Some(address) }]),
            Block::Table(&[Column::Words("a"), Column::Number("b")], vec![vec![input(), ours("1")]]),
            Block::Verbatim(text.to_owned()),
        ])
    }

    fn tags(page: &str) -> usize {
        page.matches('<').count()
    }

    #[test]
    fn only_sound_addresses_are_links() {
        assert!(page("https://example.com/a?b&c").contains("<a href=\"https://example.com/a?b&amp;c\""));
        for address in ["javascript:alert(1)", "https://a\" onclick=\"b", "https://a b"] {
            assert!(!page(address).contains("<a"), "{address}");
        }
    }

    proptest! {
        #[test]
        fn no_text_becomes_markup(text in "[a<>&\"'/=!-]{0,40}") {
            prop_assert_eq!(tags(&page(&text)), tags(&page("x")));
            prop_assert!(!page(&text).contains(" onclick"));
        }
    }
}
