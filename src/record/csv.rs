//! Comma-separated records (RFC 4180) and the lines they lie on.

use std::ops::Range;

use memchr::{memchr, memchr_iter};

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
    rest: Option<&'a [u8]>,
}

impl<'a> Fields<'a> {
    pub(crate) fn of(line: &'a [u8]) -> Self {
        Self { rest: Some(line) }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    #[inline]
    fn next(&mut self) -> Option<Field<'a>> {
        let rest = self.rest?;
        if rest.first() != Some(&b'"') {
            let end = memchr(b',', rest);
            self.rest = end.map(|end| &rest[end + 1..]);
            return Some(Field { text: &rest[..end.unwrap_or(rest.len())], doubled: false, open: false });
        }
        let (mut at, mut doubled) = (1, false);
        loop {
            let Some(quote) = memchr(b'"', &rest[at..]) else {
                self.rest = None;
                return Some(Field { text: &rest[1..], doubled, open: true });
            };
            at += quote;
            if rest.get(at + 1) == Some(&b'"') {
                doubled = true;
                at += 2;
                continue;
            }
            let text = &rest[1..at];
            // What some writers leave behind the closing quote is no part of it.
            let comma = memchr(b',', &rest[at..]);
            self.rest = comma.map(|comma| &rest[at + comma + 1..]);
            return Some(Field { text, doubled, open: false });
        }
    }
}

/// Whether a quote of the line closes on a later one.
fn is_open(line: &[u8]) -> bool {
    memchr_iter(b'"', line).count() % 2 == 1 && Fields::of(line).any(|field| field.open)
}

/// Writes the fields that differ from what stands in the record into `scratch` as they were meant: with single quotes,
/// and with blanks for line breaks. Gives where.
pub(crate) fn unquote<const N: usize>(
    fields: &[Option<Field<'_>>; N],
    scratch: &mut Vec<u8>,
) -> [Option<Range<usize>>; N] {
    scratch.clear();
    let mut spans = [const { None }; N];
    for (field, span) in fields.iter().zip(&mut spans) {
        let Some(Field { text, doubled, .. }) = *field else { continue };
        if !doubled && memchr(b'\n', text).is_none() {
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
            if self.held.len() > LONGEST || memchr_iter(b'"', line).count() % 2 == 1 {
                self.finish(out);
            }
        } else if line.len() < LONGEST && is_open(line) {
            self.held.extend_from_slice(line);
            self.offset = offset;
        } else {
            out(Row { bytes: line, offset });
        }
    }

    /// Hands on what still waits for its end.
    pub(crate) fn finish(&mut self, mut out: impl FnMut(Row<'_>)) {
        if self.wait() {
            out(Row { bytes: &self.held, offset: self.offset });
            self.held.clear();
        }
    }
}
