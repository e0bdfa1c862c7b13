//! Comma-separated records (RFC 4180) and the lines they lie on.

use std::ops::Range;

use memchr::{memchr, memchr_iter};

use crate::text::Places;

/// A record that is longer than this is none.
const LONGEST: usize = 64 * 1024;

/// A field without its outer quotes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Field<'a> {
    pub(crate) text: &'a [u8],
    /// Quotes in it are still doubled.
    pub(crate) doubled: bool,
    /// It has quotes that do not close.
    pub(crate) open: bool,
}

/// Splits a record at the commas outside of quotes.
pub(crate) struct Fields<'a> {
    line: &'a [u8],
    /// Where the next field begins; behind the end: there is none.
    at: usize,
    commas: Places<'a, b','>,
}

impl<'a> Fields<'a> {
    #[inline]
    pub(crate) fn of(line: &'a [u8]) -> Self {
        Self { line, at: 0, commas: Places::of(line) }
    }

    /// Whether the quotes of all fields that are left close.
    pub(crate) fn close(mut self) -> bool {
        let quoted = self.line.get(self.at..).is_some_and(|rest| memchr(b'"', rest).is_some());
        !quoted || self.all(|field| !field.open)
    }

    /// A field that begins with a quote.
    fn quoted(&mut self) -> Field<'a> {
        let rest = &self.line[self.at..];
        let (mut at, mut doubled) = (1, false);
        loop {
            let Some(quote) = memchr(b'"', &rest[at..]) else {
                self.at = usize::MAX;
                return Field { text: &rest[1..], doubled, open: true };
            };
            at += quote;
            if rest.get(at + 1) == Some(&b'"') {
                doubled = true;
                at += 2;
                continue;
            }
            // What some writers leave behind the closing quote is no part of it.
            self.commas.go_to(self.at + at);
            self.at = self.commas.next().map_or(usize::MAX, |comma| comma + 1);
            return Field { text: &rest[1..at], doubled, open: false };
        }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    #[inline(always)]
    fn next(&mut self) -> Option<Field<'a>> {
        match self.line.get(self.at) {
            Some(b'"') => return Some(self.quoted()),
            None if self.at != self.line.len() => return None,
            _ => {}
        }
        let from = self.at;
        let comma = self.commas.next();
        self.at = comma.map_or(usize::MAX, |comma| comma + 1);
        Some(Field { text: &self.line[from..comma.unwrap_or(self.line.len())], doubled: false, open: false })
    }
}

/// Whether the quotes of a line are odd in number: then one of them closes on another line, or none.
pub(crate) fn has_odd_quotes(line: &[u8]) -> bool {
    memchr_iter(b'"', line).count() % 2 == 1
}

/// Whether a quote of the line closes on a later one.
fn is_open(line: &[u8]) -> bool {
    has_odd_quotes(line) && Fields::of(line).any(|field| field.open)
}

/// Writes the fields that differ from what stands in the record into `scratch` as they were meant: with single quotes,
/// and with blanks for line breaks, if it is `broken` over lines. Gives where.
pub(crate) fn unquote<const N: usize>(
    fields: &[Option<Field<'_>>; N],
    broken: bool,
    scratch: &mut Vec<u8>,
) -> [Option<Range<usize>>; N] {
    scratch.clear();
    let mut spans = [const { None }; N];
    for (field, span) in fields.iter().zip(&mut spans) {
        let Some(Field { text, doubled, .. }) = *field else { continue };
        let differs = doubled || (broken && memchr(b'\n', text).is_some());
        if !differs {
            continue;
        }
        let start = scratch.len();
        let mut bytes = text.iter();
        while let Some(byte) = bytes.next() {
            match byte {
                b'"' => {
                    bytes.next();
                    scratch.push(b'"');
                }
                b'\n' => {
                    if scratch.len() > start && scratch.last() == Some(&b'\r') {
                        scratch.pop();
                    }
                    scratch.push(b' ');
                }
                _ => scratch.push(*byte),
            }
        }
        *span = Some(start..scratch.len());
    }
    spans
}

/// A record, and where its first line begins.
pub(crate) struct Row<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) offset: u64,
    /// It lies on several lines.
    pub(crate) broken: bool,
}

/// Puts records together whose quoted fields hold line breaks. Keeps one record, of 64 kB at most.
#[derive(Default)]
pub(crate) struct Rows {
    held: Vec<u8>,
    offset: u64,
}

impl Rows {
    /// Whether a record waits for its other lines.
    pub(crate) fn wait(&self) -> bool {
        !self.held.is_empty()
    }

    /// Adds a line; hands on each record that is whole now, and what can become none. Where one waits, `begins` tells
    /// whether the line is a record's first: then the one before it was cut.
    pub(crate) fn line(&mut self, line: &[u8], offset: u64, begins: bool, mut out: impl FnMut(Row<'_>)) {
        if self.wait() && begins {
            self.finish(&mut out);
        }
        if self.wait() {
            self.held.push(b'\n');
            self.held.extend_from_slice(&line[..line.len().min(LONGEST)]);
            // The quotes of what is held are odd in number.
            if self.held.len() > LONGEST || has_odd_quotes(line) {
                self.finish(out);
            }
        } else if line.len() < LONGEST && is_open(line) {
            self.held.extend_from_slice(line);
            self.offset = offset;
        } else {
            out(Row { bytes: line, offset, broken: false });
        }
    }

    /// Hands on what still waits for its end.
    pub(crate) fn finish(&mut self, mut out: impl FnMut(Row<'_>)) {
        if self.wait() {
            out(Row { bytes: &self.held, offset: self.offset, broken: true });
            self.held.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Byte by byte.
    fn slow(line: &[u8]) -> Vec<(Vec<u8>, bool, bool)> {
        let mut found = Vec::new();
        let mut rest = Some(line);
        while let Some(line) = rest {
            let is_quoted = line.first() == Some(&b'"');
            let (mut at, mut doubled, mut open) = (usize::from(is_quoted), false, is_quoted);
            while open && at < line.len() {
                match (line[at], line.get(at + 1)) {
                    (b'"', Some(b'"')) => (doubled, at) = (true, at + 2),
                    (b'"', _) => open = false,
                    _ => at += 1,
                }
            }
            let comma =
                line[at.min(line.len())..].iter().position(|byte| *byte == b',').map(|comma| at + comma);
            let comma = comma.filter(|_| !open);
            let end = if is_quoted { at.min(line.len()) } else { comma.unwrap_or(line.len()) };
            found.push((line[usize::from(is_quoted)..end].to_vec(), doubled, open));
            rest = comma.map(|comma| &line[comma + 1..]);
        }
        found
    }

    proptest! {
        #[test]
        fn fields_are_what_stands_between_the_commas(
            line in proptest::collection::vec(proptest::sample::select(&b"\"\",,,,-ab\xac\0"[..]), 0..60),
            skip in 0usize..5,
        ) {
            let found: Vec<_> = Fields::of(&line).map(|f| (f.text.to_vec(), f.doubled, f.open)).collect();
            let all = slow(&line);
            prop_assert_eq!(&found, &all);
            let mut fields = Fields::of(&line);
            let skipped = fields.by_ref().take(skip).count();
            prop_assert_eq!(fields.close(), all[skipped..].iter().all(|(_, _, open)| !open));
        }
    }
}
