//! What the messages of RFC 5322 and RFC 2045 ff. need: parameters of a field, transfer encodings, encoded words.

/// A part's transfer encoding (RFC 2045, section 6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// `7bit`, `8bit`, `binary`, and whatever nobody knows.
    #[default]
    Plain,
    QuotedPrintable,
    Base64,
}

impl Encoding {
    pub(crate) fn of(value: &[u8]) -> Self {
        let value = value.trim_ascii();
        if value.eq_ignore_ascii_case(b"quoted-printable") {
            Self::QuotedPrintable
        } else if value.eq_ignore_ascii_case(b"base64") {
            Self::Base64
        } else {
            Self::Plain
        }
    }
}

/// The value before the first `;`.
pub(crate) fn main_value(value: &[u8]) -> &[u8] {
    value[..memchr::memchr(b';', value).unwrap_or(value.len())].trim_ascii()
}

/// A parameter of a structured field: `; name=value`, `; name="value"`. Its value as it stands, without escapes.
pub(crate) fn parameter<'a>(value: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut rest = value;
    loop {
        rest = rest[memchr::memchr(b';', rest)? + 1..].trim_ascii_start();
        let equals = memchr::memchr(b'=', rest)?;
        let found = rest[..equals].trim_ascii().eq_ignore_ascii_case(name);
        rest = rest[equals + 1..].trim_ascii_start();
        let end = if let Some(inner) = rest.strip_prefix(b"\"") {
            let close = memchr::memchr(b'"', inner).unwrap_or(inner.len());
            if found {
                return Some(&inner[..close]);
            }
            1 + close
        } else {
            let end = rest.iter().position(|b| *b == b';' || b.is_ascii_whitespace()).unwrap_or(rest.len());
            if found {
                return Some(&rest[..end]);
            }
            end
        };
        rest = &rest[end..];
    }
}

/// Undoes quoted-printable for one line; true where the line goes on in the next one.
pub(crate) fn quoted_printable(line: &[u8], into: &mut Vec<u8>) -> bool {
    let line = line.trim_ascii_end();
    let (line, goes_on) = match line.strip_suffix(b"=") {
        Some(line) => (line, true),
        None => (line, false),
    };
    escapes(line, b'=', into);
    goes_on
}

/// `=E9` and its like; what is none stays as it is.
fn escapes(text: &[u8], mark: u8, into: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = memchr::memchr(mark, rest) {
        into.extend_from_slice(&rest[..at]);
        let byte = rest.get(at + 1..at + 3).and_then(|digits| {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            u8::try_from(digit(digits[0])? << 4 | digit(digits[1])?).ok()
        });
        match byte {
            Some(byte) => {
                into.push(byte);
                rest = &rest[at + 3..];
            }
            None => {
                into.push(mark);
                rest = &rest[at + 1..];
            }
        }
    }
    into.extend_from_slice(rest);
}

/// Undoes base64 over any cuts.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Base64 {
    bits: u32,
    count: u32,
}

impl Base64 {
    /// Bytes outside the alphabet are passed over, as RFC 2045 asks; padding ends a group.
    pub(crate) fn push(&mut self, text: &[u8], into: &mut Vec<u8>) {
        for byte in text {
            let value = match byte {
                b'A'..=b'Z' => byte - b'A',
                b'a'..=b'z' => byte - b'a' + 26,
                b'0'..=b'9' => byte - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                b'=' => {
                    *self = Self::default();
                    continue;
                }
                _ => continue,
            };
            self.bits = self.bits << 6 | u32::from(value);
            self.count += 6;
            if self.count >= 8 {
                self.count -= 8;
                into.push((self.bits >> self.count) as u8);
                self.bits &= (1 << self.count) - 1;
            }
        }
    }
}

/// Undoes encoded words (RFC 2047) in UTF-8, ASCII and Latin-1; others stay as they are.
pub(crate) fn encoded_words(text: &[u8], into: &mut Vec<u8>) {
    let mut rest = text;
    let mut after_word = false;
    while let Some(at) = memchr::memmem::find(rest, b"=?") {
        let Some((word, end)) = encoded_word(&rest[at..]) else {
            into.extend_from_slice(&rest[..at + 2]);
            rest = &rest[at + 2..];
            after_word = false;
            continue;
        };
        // Blanks between two encoded words are none of the text.
        if !(after_word && rest[..at].iter().all(u8::is_ascii_whitespace)) {
            into.extend_from_slice(&rest[..at]);
        }
        into.extend_from_slice(&word);
        rest = &rest[at + end..];
        after_word = true;
    }
    into.extend_from_slice(rest);
}

/// `=?charset?Q?text?=` at the start of `text`: what it says, and its length.
fn encoded_word(text: &[u8]) -> Option<(Vec<u8>, usize)> {
    let mut parts = text.get(2..)?.splitn(3, |byte| *byte == b'?');
    let (charset, kind, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let inner = &rest[..memchr::memmem::find(rest, b"?=")?];
    if inner.contains(&b' ') {
        return None;
    }
    let mut bytes = Vec::new();
    match kind {
        b"Q" | b"q" => {
            let blanks: Vec<u8> = inner.iter().map(|byte| if *byte == b'_' { b' ' } else { *byte }).collect();
            escapes(&blanks, b'=', &mut bytes);
        }
        b"B" | b"b" => Base64::default().push(inner, &mut bytes),
        _ => return None,
    }
    let is = |name: &str| charset.eq_ignore_ascii_case(name.as_bytes());
    let bytes = if is("utf-8") || is("us-ascii") {
        bytes
    } else if is("iso-8859-1") || is("windows-1252") {
        bytes.iter().map(|byte| char::from(*byte)).collect::<String>().into_bytes()
    } else {
        return None;
    };
    Some((bytes, 2 + charset.len() + 1 + kind.len() + 1 + inner.len() + 2))
}

#[cfg(test)]
mod tests;
