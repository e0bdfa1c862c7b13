//! Text on its way to the screen. Everything that comes from a log passes [`clean_most`] or [`clean_bytes`]: control
//! characters, escape sequences and bidi marks become visible, invisible characters go, stacks of combining
//! marks are cut. Widths are those of terminal cells.

use std::fmt::Write as _;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// At most so many marks on one character: more would grow into the lines above.
const MOST_MARKS: usize = 2;

/// `text` as it may be drawn, at most `most` characters of it.
pub(super) fn clean_most(text: &str, most: usize) -> String {
    let mut out = String::with_capacity(text.len().min(most));
    let mut marks = MOST_MARKS;
    for c in text.chars().take(most) {
        push_clean(&mut out, c, &mut marks);
    }
    out
}

/// The same for a log's bytes; what is no UTF-8 becomes `\xNN`.
pub(super) fn clean_bytes(bytes: &[u8], most: usize) -> String {
    let bytes = &bytes[..bytes.len().min(most.saturating_mul(4))];
    let mut out = String::with_capacity(bytes.len().min(most));
    let (mut marks, mut taken) = (MOST_MARKS, 0);
    'all: for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if taken == most {
                break 'all;
            }
            push_clean(&mut out, c, &mut marks);
            taken += 1;
        }
        for byte in chunk.invalid() {
            if taken == most {
                break 'all;
            }
            let _ = write!(out, "\\x{byte:02x}");
            (marks, taken) = (MOST_MARKS, taken + 1);
        }
    }
    out
}

fn push_clean(out: &mut String, c: char, marks: &mut usize) {
    match c {
        '\t' => out.push(' '),
        '\0'..='\x1f' => out.extend(char::from_u32(0x2400 + c as u32)),
        '\x7f' => out.push('\u{2421}'),
        '\u{80}'..='\u{9f}' => {
            let _ = write!(out, "\\x{:02x}", c as u32);
        }
        // Bidi marks, embeddings, overrides and isolates; line and paragraph separators; tags.
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{206f}' => {
            let _ = write!(out, "<U+{:04X}>", c as u32);
        }
        // Variation selectors, joiners and other characters that show nothing but change widths.
        '\u{ad}'
        | '\u{34f}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200d}'
        | '\u{2060}'..='\u{2065}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{1f3fb}'..='\u{1f3ff}'
        | '\u{e0000}'..='\u{e0fff}' => return,
        _ if c.width() == Some(0) => {
            if *marks > 0 && !out.is_empty() {
                *marks -= 1;
                out.push(c);
            }
            return;
        }
        _ => out.push(c),
    }
    *marks = MOST_MARKS;
}

/// `text` with the local parts of mail addresses hidden: `<***@example.net>`.
pub(super) fn mask(text: &str) -> String {
    let is_local = |c: char| !c.is_whitespace() && !"<>=()[],;:\"'@".contains(c);
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('@') {
        let kept = rest[..at].trim_end_matches(is_local);
        out.push_str(kept);
        out.push_str(if kept.len() < at { "***@" } else { "@" });
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out
}

/// Cells that `text` takes.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// The beginning of `text` in at most `cells`, with `…` where something was cut.
pub(super) fn fit(text: &str, cells: usize) -> String {
    if text.width() <= cells {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 1;
    for c in text.chars() {
        let w = c.width().unwrap_or(0);
        if used + w > cells {
            break;
        }
        used += w;
        out.push(c);
    }
    if cells > 0 {
        out.push('…');
    }
    out
}

/// [`fit`], then blanks on the right up to exactly `cells`.
pub(super) fn left(text: &str, cells: usize) -> String {
    let mut out = fit(text, cells);
    out.extend(std::iter::repeat_n(' ', cells.saturating_sub(out.width())));
    out
}

/// [`fit`], then blanks on the left up to exactly `cells`.
pub(super) fn right(text: &str, cells: usize) -> String {
    let fitted = fit(text, cells);
    let mut out = " ".repeat(cells.saturating_sub(fitted.width()));
    out.push_str(&fitted);
    out
}

/// The part of `text` from cell `from` on, at most `cells` wide.
pub(super) fn window(text: &str, from: usize, cells: usize) -> &str {
    let (mut at, mut begin, mut end) = (0, None, text.len());
    for (i, c) in text.char_indices() {
        let w = c.width().unwrap_or(0);
        if begin.is_none() && at >= from && w > 0 {
            begin = Some(i);
        }
        if at + w > from + cells {
            end = i;
            break;
        }
        at += w;
    }
    begin.map_or("", |begin| text.get(begin..end.max(begin)).unwrap_or(""))
}

/// `text` in lines of at most `cells`, broken at blanks where there are some.
pub(super) fn wrap(text: &str, cells: usize) -> Vec<String> {
    let cells = cells.max(1);
    let mut lines = Vec::new();
    let (mut line, mut used) = (String::new(), 0);
    for word in words(text) {
        let w = word.trim_end().width();
        if used > 0 && used + w > cells {
            lines.push(std::mem::take(&mut line).trim_end().to_owned());
            used = 0;
        }
        for c in word.chars() {
            let w = c.width().unwrap_or(0);
            if used + w > cells {
                if c == ' ' {
                    continue;
                }
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push(c);
            used += w;
        }
    }
    lines.push(line.trim_end().to_owned());
    lines
}

/// Words with the blanks behind them; a grouped number (`1 234 567`) is one.
fn words(text: &str) -> Vec<&str> {
    let is_inside_number = |at: usize| {
        let digits = text[at + 1..].bytes().take_while(u8::is_ascii_digit).count();
        digits == 3 && text[..at].ends_with(|c: char| c.is_ascii_digit())
    };
    let mut words = Vec::new();
    let mut from = 0;
    for (at, _) in text.match_indices(' ').filter(|(at, _)| !is_inside_number(*at)) {
        words.push(&text[from..=at]);
        from = at + 1;
    }
    words.push(&text[from..]);
    words
}

/// `1 234 567`.
pub(super) fn group(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(c);
    }
    out
}

/// `3.2 GB`; decimal units.
pub(super) fn bytes(count: u64) -> String {
    let mut value = count as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if value < 999.5 {
            return if unit == "B" || value >= 99.95 {
                format!("{value:.0} {unit}")
            } else {
                format!("{value:.1} {unit}")
            };
        }
        value /= 1000.0;
    }
    format!("{value:.1} TB")
}

/// `4.0 %`, never 0.0 or 100.0 where it is not exactly so; empty without attempts.
pub(super) fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return String::new();
    }
    let share = part as f64 * 100.0 / whole as f64;
    if part == whole {
        "100 %".to_owned()
    } else if part == 0 {
        "0 %".to_owned()
    } else {
        format!("{:.1} %", share.clamp(0.1, 99.9))
    }
}

/// A confidence of 0 to 0.9999, never shown as certain.
pub(super) fn sureness(confidence: f64) -> String {
    let percent = (confidence * 100.0).clamp(0.0, 99.99);
    if percent >= 99.9 { format!("{percent:.2} %") } else { format!("{percent:.1} %") }
}

/// One word for a count of one, another for all others.
pub(super) fn plural(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", group(count), if count == 1 { one } else { many })
}

/// Base64 with padding (RFC 4648, section 4), for OSC 52.
pub(super) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0u32, |w, b| w << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
        for i in 0..4 {
            let digit = DIGITS[(word >> (18 - 6 * i) & 63) as usize];
            out.push(if i <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_becomes_harmless() {
        assert_eq!(clean_most("a\x1b[31mb\u{202e}c\u{200d}\r\n", 99), "a␛[31mb<U+202E>c␍␊");
        assert_eq!(clean_most("e\u{301}\u{301}\u{301}\u{301}x", 99), "e\u{301}\u{301}x");
        assert_eq!(clean_bytes(b"ok \xff\x9b31m", 99), "ok \\xff\\x9b31m");
        assert_eq!(clean_bytes(&vec![b'x'; 1_000_000], 10), "xxxxxxxxxx");
        assert_eq!(clean_most("\u{9b}31m", 99), "\\x9b31m");
    }

    #[test]
    fn masks_local_parts() {
        let masked = mask("from=<a.b+c@x.example>, to=d@y.example @ é@z \"q\"@w");
        assert_eq!(masked, "from=<***@x.example>, to=***@y.example @ ***@z \"q\"@w");
    }

    #[test]
    fn cuts_by_cells() {
        assert_eq!(fit("漢字漢字", 5), "漢字…");
        assert_eq!(left("漢字漢字", 4), "漢… ");
        assert_eq!(right("7", 3), "  7");
        assert_eq!(fit("abc", 0), "");
        assert_eq!(window("abcdef", 2, 3), "cde");
        assert_eq!(window("漢字x", 2, 3), "字x");
        assert_eq!(wrap("one two  three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(wrap("at byte 18 343 711 of 9", 16), ["at byte", "18 343 711 of 9"]);
        assert_eq!(wrap("", 3), [""]);
    }

    #[test]
    fn numbers() {
        assert_eq!(group(1_234_567), "1 234 567");
        assert_eq!(group(999), "999");
        assert_eq!(bytes(3_200_000_000), "3.2 GB");
        assert_eq!(percent(9_999, 10_000), "99.9 %");
        assert_eq!(percent(1, 100_000), "0.1 %");
        assert_eq!(percent(0, 3), "0 %");
        assert_eq!(sureness(0.9999), "99.99 %");
        assert_eq!(base64(b"any carnal pleas"), "YW55IGNhcm5hbCBwbGVhcw==");
        assert_eq!(base64(b"abc"), "YWJj");
    }
}
