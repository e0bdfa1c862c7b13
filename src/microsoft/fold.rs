//! A reply in one line, and the replies that it holds: quoted ones, and what another server said behind an arrow.

use std::cell::RefCell;
use std::ops::Range;

use super::verdict::{ReplyCodes, blanks, codes, codes_and_length, smtp_code};

/// A reply inside a reply, as offsets into the folded text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layer {
    pub(super) range: Range<usize>,
    pub(super) codes: ReplyCodes,
}

/// Behind it another server speaks.
pub(super) const ARROW: &[u8] = b" -> ";

/// What stands before the first arrow: behind it another server speaks.
pub(super) fn before_arrow(text: &[u8]) -> &[u8] {
    let arrow = |tip: usize| tip > 2 && text[tip - 2..].starts_with(ARROW);
    match memchr::memchr_iter(b'>', text).find(|tip| arrow(*tip)) {
        Some(tip) => &text[..tip - 2],
        None => text,
    }
}

/// Calls `visit` for each reply in `text`, the innermost first, the whole last; stops where it returns true.
pub(super) fn layers(text: &[u8], mut visit: impl FnMut(Layer) -> bool) {
    let quote = |end: usize| memchr::memrchr3(b'\'', b'"', b'<', &text[..end]);
    // Exchange's `LED=`, and the last byte of a typographic opening quote.
    let other = |end: usize| memchr::memrchr3(b'=', b'\x9c', b'\x98', &text[..end]);
    let (mut next_quote, mut next_other) = (quote(text.len()), other(text.len()));
    let mut left = 16;
    while left > 0
        && let Some(open) = next_quote.max(next_other)
    {
        if next_quote == Some(open) {
            next_quote = quote(open);
        } else {
            next_other = other(open);
        }
        let Some(start) = reply_behind(text, open) else { continue };
        left -= 1;
        let range = start..closer(text, open, start);
        let codes = codes(&text[range.clone()]);
        if visit(Layer { range, codes }) {
            return;
        }
    }
    visit(Layer { range: 0..text.len(), codes: codes(text) });
}

/// Where a reply begins that `open` quotes: right behind it, or behind `#5.7.1 smtp;`.
fn reply_behind(text: &[u8], open: usize) -> Option<usize> {
    let word = |at: usize| text.get(at).is_some_and(u8::is_ascii_alphanumeric);
    let quotes = match text[open] {
        b'\x9c' | b'\x98' => open >= 2 && text[open - 2..open] == *b"\xe2\x80",
        b'=' => text[..open].ends_with(b"LED"),
        // An apostrophe inside a word opens nothing.
        b'\'' => !(open > 0 && word(open - 1) && word(open + 1)),
        _ => true,
    };
    if !quotes {
        return None;
    }
    let start = blanks(text, open + 1);
    if is_reply(&text[start..]) {
        return Some(start);
    }
    // <host #5.7.1 smtp;550 5.7.1 …>, '#5.7.1 SMTP; 550 …'
    let words = &text[start..text.len().min(start + 160)];
    let semicolon = memchr::memchr(b';', words)?;
    let kind = &words[..semicolon];
    let within = memchr::memchr3(b'\'', b'"', b'<', kind).is_none() && !kind.contains(&b'>');
    let behind = blanks(text, start + semicolon + 1);
    let smtp = kind.last_chunk::<4>().is_some_and(|kind| kind.eq_ignore_ascii_case(b"smtp"));
    (within && smtp && is_reply(&text[behind..])).then_some(behind)
}

/// Three digits and a text: `550 5.7.1 …`, `550-5.7.1 …`, `554 Transaction failed`.
fn is_reply(text: &[u8]) -> bool {
    matches!(text.first(), Some(b'4' | b'5'))
        && smtp_code(text).is_some()
        && matches!(text.get(3), Some(b' ' | b'-'))
        && text.get(4).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'#')
}

/// Where the quote that `open` opens is closed, or the end.
fn closer(text: &[u8], open: usize, start: usize) -> usize {
    let rest = &text[start..];
    let word = |at: usize| rest.get(at).is_some_and(u8::is_ascii_alphanumeric);
    let mut depth = 0usize;
    for (at, &byte) in rest.iter().enumerate() {
        match (text[open], byte) {
            (b'<', b'<') => depth += 1,
            (b'<', b'>') if at > 0 && matches!(rest[at - 1], b'-' | b'=') => {}
            (b'<', b'>') if depth > 0 => depth -= 1,
            (b'<', b'>') | (b'"', b'"') | (b'=', b'}') => return start + at,
            // An apostrophe inside a word closes nothing.
            (b'\'', b'\'') if !(at > 0 && word(at - 1) && word(at + 1)) => return start + at,
            (b'\x9c', b'\x9d') | (b'\x98', b'\x99')
                if at >= 2 && rest[at - 2..at] == *b"\xe2\x80" && !word(at + 1) =>
            {
                return start + at - 2;
            }
            _ => {}
        }
    }
    text.len()
}

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Calls `then` with the reply in one line: each run of white space is one blank, and the codes that begin the further
/// lines of a multi-line reply (`550-5.7.1 `) are taken out.
pub(super) fn with_folded<T>(reply: &[u8], then: impl FnOnce(&[u8]) -> T) -> T {
    let reply = reply.trim_ascii();
    // Only the first line of a reply of several ends its code by a hyphen.
    let multi = smtp_code(reply).is_some() && reply.get(3) == Some(&b'-');
    let pairs = reply.iter().zip(reply.iter().skip(1));
    let uneven = pairs.fold(false, |any, (a, b)| any | (*a < b' ') | ((*a == b' ') & (*b == b' ')));
    if !multi && !uneven {
        return then(reply);
    }
    SCRATCH.with(|scratch| match scratch.try_borrow_mut() {
        Ok(mut scratch) => {
            fold(reply, multi, &mut scratch);
            then(&scratch)
        }
        Err(_) => {
            let mut folded = Vec::new();
            fold(reply, multi, &mut folded);
            then(&folded)
        }
    })
}

fn fold(reply: &[u8], multi: bool, folded: &mut Vec<u8>) {
    folded.clear();
    folded.reserve(reply.len());
    let mut at = 0;
    if multi {
        folded.extend_from_slice(&reply[..3]);
        folded.push(b' ');
        at = blanks(reply, 4);
    }
    while at < reply.len() {
        let byte = reply[at];
        // Exim writes the end of a line as \n.
        let escaped = multi && byte == b'\\' && matches!(reply.get(at + 1), Some(b'n' | b'r'));
        if !escaped && !byte.is_ascii_whitespace() {
            folded.push(byte);
            at += 1;
            continue;
        }
        at += if escaped { 2 } else { 1 };
        if folded.last() != Some(&b' ') {
            folded.push(b' ');
        }
        at = blanks(reply, at);
        if multi && reply[at..].starts_with(&reply[..3]) && matches!(reply.get(at + 3), Some(b'-' | b' ')) {
            let (_, length) = codes_and_length(&reply[at..]);
            at = blanks(reply, at + length);
        }
    }
}
