//! Hostile bytes -> text that is safe to write anywhere.

use std::borrow::Cow;
use std::fmt::Write;

/// Lossy UTF-8. Nearly every line is whole: that is checked many bytes at a time, where the lossy conversion goes byte by
/// byte.
pub fn utf8(bytes: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

/// Lossy UTF-8 with control characters written out (`\n`, `\x1b`), so that no terminal acts on them.
pub fn escape_controls(bytes: &[u8]) -> String {
    let lossy = utf8(bytes);
    // All bytes are looked at: that is quicker than to stop at the first that is none of these.
    if lossy.bytes().fold(true, |plain, byte| plain & matches!(byte, b' '..=b'~')) {
        return lossy.into_owned();
    }
    let mut text = String::with_capacity(lossy.len());
    for c in lossy.chars() {
        match c {
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            c if c.is_control() && (c as u32) < 0x100 => {
                // Writing to a string does not fail.
                let _ = write!(text, "\\x{:02x}", c as u32);
            }
            c if is_invisible(c) => {
                let _ = write!(text, "\\u{{{:x}}}", c as u32);
            }
            c => text.push(c),
        }
    }
    text
}

/// The same in lower case (ASCII): domains and hosts are told apart by it.
pub fn lower(bytes: &[u8]) -> String {
    escape_controls(bytes).to_ascii_lowercase()
}

/// Characters that turn the direction of what follows, or break the line: they make a screen lie.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The lines of a text, each without its `\n`. What follows the last one is a line too, if an empty one.
pub fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = memchr::memchr(b'\n', text);
        rest = end.map(|end| &text[end + 1..]);
        Some(&text[..end.unwrap_or(text.len())])
    })
}

/// Where a byte stands first, a few bytes on: to start one of the vector searches costs more than that takes.
#[inline]
pub fn near(byte: u8, text: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let pattern = ONES * u64::from(byte);
    let (words, rest) = text.as_chunks();
    for (index, word) in words.iter().enumerate() {
        // The lowest of the bits that are set belongs to a byte that is the same, those above may not.
        let differs = u64::from_le_bytes(*word) ^ pattern;
        let same = differs.wrapping_sub(ONES) & !differs & (ONES << 7);
        if same != 0 {
            return Some(index * 8 + same.trailing_zeros() as usize / 8);
        }
    }
    rest.iter().position(|other| *other == byte).map(|at| words.len() * 8 + at)
}

/// All places of a byte that is not 0, one after the other; looked for like [`near`], but a word that holds several is
/// looked at once.
#[derive(Clone, Debug)]
pub struct Places<'a, const BYTE: u8> {
    /// The text, and what is left of it.
    words: &'a [[u8; 8]],
    tail: [u8; 8],
    word: usize,
    /// The places in that word that are not behind yet: of each the highest bit is set.
    marks: u64,
}

impl<'a, const BYTE: u8> Places<'a, BYTE> {
    /// From the text's begin on.
    #[inline]
    pub fn of(text: &'a [u8]) -> Self {
        let (words, rest) = text.as_chunks();
        let mut tail = [0; 8];
        tail[..rest.len()].copy_from_slice(rest);
        let mut places = Self { words, tail, word: 0, marks: 0 };
        places.go_to(0);
        places
    }

    /// The next one is the first at or behind `at`.
    #[inline]
    pub fn go_to(&mut self, at: usize) {
        self.word = at / 8;
        self.marks = self.marks_of(self.word).unwrap_or(0) & (u64::MAX << (at % 8 * 8));
    }

    #[inline]
    fn marks_of(&self, word: usize) -> Option<u64> {
        const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
        let marks = |bytes: [u8; 8]| {
            let differs = u64::from_le_bytes(bytes) ^ (0x0101_0101_0101_0101 * u64::from(BYTE));
            !(((differs & LOW) + LOW) | differs | LOW)
        };
        match self.words.get(word) {
            Some(word) => Some(marks(*word)),
            None => (word == self.words.len()).then(|| marks(self.tail)),
        }
    }
}

impl<const BYTE: u8> Iterator for Places<'_, BYTE> {
    type Item = usize;

    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        while self.marks == 0 {
            self.word += 1;
            self.marks = self.marks_of(self.word)?;
        }
        let place = self.word * 8 + self.marks.trailing_zeros() as usize / 8;
        self.marks &= self.marks - 1;
        Some(place)
    }
}

/// Where a literal stands first; likewise.
#[inline]
pub fn near_literal(literal: &[u8], text: &[u8]) -> Option<usize> {
    let first = *literal.first()?;
    let mut from = 0;
    loop {
        let at = from + near(first, &text[from..])?;
        if text[at..].starts_with(literal) {
            return Some(at);
        }
        from = at + 1;
    }
}

/// Whether all bytes are ASCII letters or digits; looked at eight at a time, like [`near`].
#[inline]
pub fn is_alphanumeric(text: &[u8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // Of bytes below 0x80, whether they lie between two others: a sum that goes beyond sets the highest bit.
    let between = |word: u64, low: u8, high: u8| {
        word.wrapping_add(ONES * u64::from(0x80 - low)) & !word.wrapping_add(ONES * u64::from(0x7f - high))
    };
    let is_plain = |word: u64| {
        let (ascii, lower) = (word & (ONES * 0x7f), word & (ONES * 0x7f) | (ONES * 0x20));
        let found = between(ascii, b'0', b'9') | between(lower, b'a', b'z');
        found & !word & (ONES << 7) == ONES << 7
    };
    let (words, rest) = text.as_chunks();
    let whole = words.iter().all(|word| is_plain(u64::from_le_bytes(*word)));
    whole
        && match text.last_chunk() {
            Some(last) => is_plain(u64::from_le_bytes(*last)),
            None => rest.iter().all(u8::is_ascii_alphanumeric),
        }
}

/// The text as it is, or with [`mask`] where that was asked for.
pub fn masked(text: String, wanted: bool) -> String {
    if wanted { mask(&text) } else { text }
}

/// Takes the local parts of addresses away: `jo.doe@example.org` -> `*@example.org`, also quoted ones.
pub fn mask(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('@') {
        let quoted = quoted_local(&rest[..at]);
        let local = rest[..at].rfind(|c: char| !(c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c)));
        let unquoted = local.map_or(0, |i| i + rest[i..].chars().next().map_or(1, char::len_utf8));
        let from = quoted.unwrap_or(unquoted);
        masked.push_str(&rest[..from]);
        masked.push_str(if from < at { "*@" } else { "@" });
        rest = &rest[at + 1..];
    }
    masked.push_str(rest);
    masked
}

/// Where a quoted local part begins that ends the text. What stands between two strings of a JSON text is none.
fn quoted_local(text: &str) -> Option<usize> {
    let text = text.strip_suffix('"')?;
    let from = text.rfind('"')?;
    let is_between = text[from + 1..].trim_start().starts_with([',', ':', ']', '}']);
    // In a JSON text its quotes are escaped: no backslash may be left alone.
    let from = from - usize::from(text[..from].ends_with('\\'));
    (!is_between).then_some(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_parts_are_masked() {
        assert_eq!(mask("to=<jo.doe+x@a.org>, bi@b.org"), "to=<*@a.org>, *@b.org");
        assert_eq!(mask("no address, @x"), "no address, @x");
        assert_eq!(mask("to=<\"jo doe\"@a.org> \"@b"), "to=<*@a.org> \"@b");
        assert_eq!(mask(r#"{"a ": "@b", "c": "\"d e\"@f"}"#), r#"{"a ": "@b", "c": "*@f"}"#);
    }

    #[test]
    fn lines_are_what_stands_between_their_ends() {
        for text in ["", "\n", "a", "a\n", "\n\na\r\n\nb"] {
            assert!(lines(text.as_bytes()).eq(text.split('\n').map(str::as_bytes)), "{text:?}");
        }
    }

    #[test]
    fn a_literal_is_found_where_it_stands_first() {
        for text in ["", "a", "ab", "aab", "xxxxxxxxxxxxaxab", "abab", "aaaaaaaaaaaaaaaaaab"] {
            assert_eq!(near_literal(b"ab", text.as_bytes()), text.find("ab"), "{text}");
        }
    }

    #[test]
    fn letters_and_digits_are_told_from_all_other_bytes() {
        for byte in 0..=u8::MAX {
            for (length, at) in [(1, 0), (7, 3), (8, 0), (8, 7), (15, 9), (16, 12), (21, 20)] {
                let mut text = vec![b'z'; length];
                text[at] = byte;
                assert_eq!(
                    is_alphanumeric(&text),
                    byte.is_ascii_alphanumeric(),
                    "{byte:#x} at {at} of {length}"
                );
            }
        }
        assert!(is_alphanumeric(b""));
    }

    #[test]
    fn nothing_that_a_terminal_acts_on_is_left() {
        assert_eq!(escape_controls(b"a\x1b[31m\r\nb\xff\x9b"), "a\\x1b[31m\\r\\nb\u{fffd}\u{fffd}");
        assert_eq!(escape_controls("\u{202e}x\u{9b}".as_bytes()), "\\u{202e}x\\x9b");
    }
}
