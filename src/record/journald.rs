//! journald's JSON export (`journalctl -o json`): one object a line, keys in any order.
//!
//! The keys that matter are found in place; a general parser would build values for the thirty others.

use memchr::{memchr2, memmem};

use super::Time;
use super::stamp::Naive;
use super::syslog::{Envelope, trim};

/// What stands behind a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value<'a> {
    /// Between the quotes, escapes and all.
    Text(&'a [u8]),
    /// Of an array: between the brackets. journald writes bytes so that are no UTF-8.
    Array(&'a [u8]),
    Null,
    Other,
}

/// An entry whose message has been left out; whose it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong<'a>(pub(crate) &'a [u8]);

/// Reads one entry; escaped pieces are undone into `scratch`. `None` where it is no journal entry, or has no message.
pub(crate) fn strip<'a>(
    line: &'a [u8],
    scratch: &'a mut Vec<u8>,
) -> Option<Result<Envelope<'a>, TooLong<'a>>> {
    let mut stamp = None;
    let (mut identifier, mut command, mut host, mut message) = (None, None, None, None);
    let (mut pid, mut own_pid) = (None, None);
    entries(trim(line), |key, value| match (key, value) {
        (b"__REALTIME_TIMESTAMP", Value::Text(text)) => stamp = microseconds(text),
        (b"SYSLOG_IDENTIFIER", Value::Text(text)) => identifier = Some(text),
        (b"_COMM", Value::Text(text)) => command = Some(text),
        (b"_HOSTNAME", Value::Text(text)) => host = Some(text),
        (b"SYSLOG_PID", Value::Text(text)) => pid = Some(text),
        (b"_PID", Value::Text(text)) => own_pid = Some(text),
        (b"MESSAGE", value) => message = Some(value),
        _ => {}
    })?;
    let time = stamp?;
    let tag = identifier.or(command)?;
    scratch.clear();
    let text = match message? {
        Value::Text(text) if !text.contains(&b'\\') => text,
        Value::Text(text) => {
            unescape(text, scratch);
            &scratch[..]
        }
        Value::Array(numbers) => {
            bytes(numbers, scratch)?;
            &scratch[..]
        }
        Value::Null => return Some(Err(TooLong(tag))),
        Value::Other => return None,
    };
    Some(Ok(Envelope { time, zoned: true, host, tag, pid: pid.or(own_pid), text: trim(text) }))
}

/// The entry's stamp.
pub(crate) fn naive_stamp(line: &[u8]) -> Option<Naive> {
    let mut stamp = None;
    entries(trim(line), |key, value| {
        if let (b"__REALTIME_TIMESTAMP", Value::Text(text)) = (key, value) {
            stamp = microseconds(text);
        }
    })?;
    stamp.map(|time| Naive::utc(time.seconds, time.millis))
}

/// Whether a line looks like an entry, without reading it.
pub(crate) fn looks_like_entry(line: &[u8]) -> bool {
    trim(line).first() == Some(&b'{') && memmem::find(line, b"\"__REALTIME_TIMESTAMP\"").is_some()
}

fn microseconds(text: &[u8]) -> Option<Time> {
    let micros: i64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    let millis = u16::try_from(micros.rem_euclid(1_000_000) / 1000).ok()?;
    // Beyond the year 9999 a date cannot be written.
    let seconds =
        Some(micros.div_euclid(1_000_000)).filter(|seconds| (0..=253_402_300_799).contains(seconds))?;
    Some(Time { seconds, millis: Some(millis) })
}

/// Calls `each` for the keys of the object; `None` where it is none.
fn entries<'a>(line: &'a [u8], mut each: impl FnMut(&[u8], Value<'a>)) -> Option<()> {
    let mut at = blank(line, 0);
    if line.get(at) != Some(&b'{') {
        return None;
    }
    at = blank(line, at + 1);
    loop {
        match line.get(at)? {
            b'}' => return Some(()),
            b',' => at = blank(line, at + 1),
            b'"' => {
                let end = string_end(line, at + 1)?;
                let key = &line[at + 1..end];
                at = blank(line, end + 1);
                if line.get(at) != Some(&b':') {
                    return None;
                }
                let (value, end) = value(line, blank(line, at + 1))?;
                each(key, value);
                at = blank(line, end);
            }
            _ => return None,
        }
    }
}

fn blank(line: &[u8], mut at: usize) -> usize {
    while line.get(at).is_some_and(u8::is_ascii_whitespace) {
        at += 1;
    }
    at
}

/// The closing quote of the string that begins at `at`.
fn string_end(line: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += memchr2(b'"', b'\\', line.get(at..)?)?;
        if line[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

fn value(line: &[u8], at: usize) -> Option<(Value<'_>, usize)> {
    match line.get(at)? {
        b'"' => {
            let end = string_end(line, at + 1)?;
            Some((Value::Text(&line[at + 1..end]), end + 1))
        }
        b'[' => {
            // An array of strings (a key that was given twice) is skipped with care for its brackets.
            let mut end = at + 1;
            loop {
                match line.get(end)? {
                    b'"' => end = string_end(line, end + 1)? + 1,
                    b'[' => end = value(line, end)?.1,
                    b']' => return Some((Value::Array(&line[at + 1..end]), end + 1)),
                    _ => end += 1,
                }
            }
        }
        b'{' => None,
        _ => {
            let rest = &line[at..];
            let length = rest.iter().position(|byte| matches!(byte, b',' | b'}')).unwrap_or(rest.len());
            let word = rest[..length].trim_ascii();
            Some((if word == b"null" { Value::Null } else { Value::Other }, at + length))
        }
    }
}

/// Undoes JSON's escapes.
fn unescape(text: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    while at < text.len() {
        let Some(backslash) = memchr::memchr(b'\\', &text[at..]) else { break };
        out.extend_from_slice(&text[at..at + backslash]);
        at += backslash + 2;
        match text.get(at - 1) {
            Some(b'n') => out.push(b'\n'),
            Some(b't') => out.push(b'\t'),
            Some(b'r') => out.push(b'\r'),
            Some(b'b') => out.push(8),
            Some(b'f') => out.push(12),
            Some(b'u') => {
                let mut unit = hex4(text, at);
                at += 4;
                if (0xd800..0xdc00).contains(&unit)
                    && text.get(at..at + 2) == Some(b"\\u")
                    && (0xdc00..0xe000).contains(&hex4(text, at + 2))
                {
                    unit = 0x10000 + ((unit - 0xd800) << 10) + (hex4(text, at + 2) - 0xdc00);
                    at += 6;
                }
                let symbol = char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER);
                out.extend_from_slice(symbol.encode_utf8(&mut [0; 4]).as_bytes());
            }
            Some(other) => out.push(*other),
            None => {}
        }
    }
    out.extend_from_slice(text.get(at..).unwrap_or(&[]));
}

/// Four hexadecimal digits; what is none gives the replacement character.
fn hex4(text: &[u8], at: usize) -> u32 {
    text.get(at..at + 4)
        .and_then(|digits| std::str::from_utf8(digits).ok())
        .and_then(|digits| u32::from_str_radix(digits, 16).ok())
        .unwrap_or(0xfffd)
}

/// `80,111,115`.
fn bytes(numbers: &[u8], out: &mut Vec<u8>) -> Option<()> {
    for number in numbers.split(|byte| *byte == b',') {
        out.push(std::str::from_utf8(number.trim_ascii()).ok()?.parse().ok()?);
    }
    Some(())
}

#[cfg(test)]
mod tests;
