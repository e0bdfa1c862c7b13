//! What syslog, journald's short forms, containers and collectors put around a program's line.

use memchr::{memchr, memmem};

use super::Time;
use super::stamp::{self, Naive, Stamper};
use crate::text::near;

/// A line without its wrapper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Envelope<'a> {
    pub(crate) time: Time,
    /// Whether the stamp told its zone.
    pub(crate) zoned: bool,
    pub(crate) host: Option<&'a [u8]>,
    /// The program's name, without its pid.
    pub(crate) tag: &'a [u8],
    pub(crate) pid: Option<&'a [u8]>,
    pub(crate) text: &'a [u8],
}

/// Takes the wrapper off `line`; `None` where it has no stamp or no tag.
pub(crate) fn strip<'a>(line: &'a [u8], stamper: &mut Stamper) -> Option<Envelope<'a>> {
    let (mut line, mut framed) = after_priority(trim(line));
    let (time, zoned, end) = match stamper.read(line) {
        Some(read) => read,
        None => {
            (line, framed) = after_priority(after_container(line));
            stamper.read(line)?
        }
    };
    let mut rest = line.get(end..)?;
    if zoned {
        rest = after_collector(rest);
    }
    let (host, tag, pid, text) = if framed { rfc5424(rest)? } else { rfc3164(rest)? };
    Some(Envelope { time, zoned, host, tag, pid, text: once(text) })
}

/// The stamp of a line as it stands there.
pub(crate) fn naive_stamp(line: &[u8]) -> Option<Naive> {
    let line = after_priority(trim(line)).0;
    let parsed = stamp::parse(line).or_else(|| stamp::parse(after_priority(after_container(line)).0));
    parsed.map(|(naive, _)| naive)
}

/// A line without its end, and without what a crash or a truncated copy left before it.
pub(crate) fn trim(line: &[u8]) -> &[u8] {
    let line = match line.iter().position(|byte| *byte != 0) {
        Some(0) => line,
        Some(first) => &line[first..],
        None => &[],
    };
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// `<22>` or, with the version behind it, RFC 5424's `<22>1 `.
fn after_priority(line: &[u8]) -> (&[u8], bool) {
    if line.first() != Some(&b'<') {
        return (line, false);
    }
    let digits = line[1..].iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 || line.get(digits + 1) != Some(&b'>') {
        return (line, false);
    }
    let rest = &line[digits + 2..];
    match rest.strip_prefix(b"1 ") {
        Some(rest) => (rest, true),
        None => (rest, false),
    }
}

/// docker compose: `mail-1  | `.
fn after_container(line: &[u8]) -> &[u8] {
    let Some(bar) = memchr(b'|', &line[..line.len().min(128)]) else { return line };
    let name = line[..bar].trim_ascii_end();
    if bar == name.len() || name.is_empty() || name.contains(&b' ') {
        return line;
    }
    line[bar + 1..].trim_ascii_start()
}

/// Behind a collector's own stamp: Kubernetes' `stdout F `, and the stamp of the line that was collected. Theirs has a
/// zone, so it is the one to keep.
fn after_collector(rest: &[u8]) -> &[u8] {
    let Some(inner) = rest.strip_prefix(b" ") else { return rest };
    let inner = match inner.first() {
        Some(b's') => [&b"stdout F "[..], b"stdout P ", b"stderr F ", b"stderr P "]
            .iter()
            .find_map(|prefix| inner.strip_prefix(*prefix))
            .unwrap_or(inner),
        _ => inner,
    };
    let inner = after_priority(inner).0;
    match inner.first() {
        Some(b'A'..=b'Z' | b'0'..=b'9') => match stamp::parse(inner) {
            Some((_, end)) => &inner[end..],
            None => rest,
        },
        _ => rest,
    }
}

type Parts<'a> = (Option<&'a [u8]>, &'a [u8], Option<&'a [u8]>, &'a [u8]);

/// ` host tag[pid]: text`; the host may be left out.
pub(crate) fn rfc3164(rest: &[u8]) -> Option<Parts<'_>> {
    let mut rest = rest.strip_prefix(b" ")?;
    // FreeBSD's `syslogd -v`: `<mail.info>`.
    if rest.first() == Some(&b'<') {
        rest = &rest[memchr(b' ', rest)? + 1..];
    }
    let blank = near(b' ', rest)?;
    let first = &rest[..blank];
    if let Some(tag) = first.strip_suffix(b":") {
        let (tag, pid) = split_pid(tag);
        return Some((None, tag, pid, &rest[blank + 1..]));
    }
    let behind = &rest[blank + 1..];
    let end = near(b' ', behind).unwrap_or(behind.len());
    let (tag, pid) = split_pid(behind[..end].strip_suffix(b":")?);
    Some((Some(first), tag, pid, behind.get(end + 1..).unwrap_or(&[])))
}

/// ` host app pid msgid sdata text`.
fn rfc5424(rest: &[u8]) -> Option<Parts<'_>> {
    let mut rest = rest.strip_prefix(b" ")?;
    let mut word = || {
        let blank = memchr(b' ', rest)?;
        let word = &rest[..blank];
        rest = &rest[blank + 1..];
        Some(word)
    };
    let (host, app, pid, _message_id) = (word()?, word()?, word()?, word()?);
    let text =
        if rest.first() == Some(&b'[') { after_structured_data(rest)? } else { rest.strip_prefix(b"-")? };
    let text = text.strip_prefix(b" ").unwrap_or(text);
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let given = |word: &'_ [u8]| word != b"-";
    Some((Some(host).filter(|host| given(host)), app, Some(pid).filter(|pid| given(pid)), text))
}

/// Behind `[id name="value" …][…]`; a value escapes `"`, `\` and `]`.
fn after_structured_data(text: &[u8]) -> Option<&[u8]> {
    let (mut at, mut quoted) = (0, false);
    loop {
        match text.get(at)? {
            b'\\' if quoted => at += 1,
            b'"' => quoted = !quoted,
            b']' if !quoted && text.get(at + 1) != Some(&b'[') => return Some(&text[at + 1..]),
            _ => {}
        }
        at += 1;
    }
}

/// `tag[pid]`.
fn split_pid(tag: &[u8]) -> (&[u8], Option<&[u8]>) {
    if let Some(inner) = tag.strip_suffix(b"]")
        && let Some(open) = inner.iter().rposition(|byte| *byte == b'[')
    {
        return (&inner[..open], Some(&inner[open + 1..]));
    }
    (tag, None)
}

/// `message repeated 3 times: [ text ]` holds the text once.
fn once(text: &[u8]) -> &[u8] {
    let Some(rest) = text.strip_prefix(b"message repeated ") else { return text };
    match memmem::find(rest, b" times: [ ") {
        Some(at) if rest[..at].iter().all(u8::is_ascii_digit) => {
            let inner = &rest[at + 10..];
            inner.strip_suffix(b"]").unwrap_or(inner).trim_ascii_end()
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests;
