//! What the formats that write JSON lines share: values of whatever kind, read in place where they hold no escapes.

use std::borrow::Cow;
use std::fmt;

use memchr::memmem;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::stamp::{self, Clock, Naive, Stamper};
use super::text::starts_with_code;
use super::{Answer, Enhanced, Record, Time};

mod service;
mod shape;
mod tries;
mod values;

pub(crate) use service::Service;
pub(crate) use shape::{Kind, Shapes, Values as Places, Want, whole};
pub(crate) use tries::Tries;

/// Text or number, as programs and their versions differ in it. What is neither counts as not there.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Scalar<'a> {
    #[default]
    Missing,
    Text(Cow<'a, str>),
    Number(f64),
}

impl Scalar<'_> {
    /// The text; `None` where it is empty or none.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// The bytes of the text; `None` where it is empty or none.
    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        self.text().map(str::as_bytes)
    }

    /// The bytes of the text, also of an empty one (a null sender).
    pub(crate) fn bytes_or_empty(&self) -> Option<&[u8]> {
        match self {
            Self::Text(text) => Some(text.as_bytes()),
            _ => None,
        }
    }

    /// A whole number, also one in quotes.
    pub(crate) fn whole(&self) -> Option<u16> {
        match self {
            Self::Number(number) if number.fract() == 0.0 && (0.0..=65535.0).contains(number) => {
                Some(*number as u16)
            }
            Self::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// Three digits of a reply.
    pub(crate) fn code(&self) -> Option<u16> {
        self.whole().filter(|code| (200..600).contains(code))
    }

    /// Unix seconds, or a stamp of any other kind.
    pub(crate) fn stamp(&self) -> Option<Naive> {
        match self {
            Self::Missing => None,
            Self::Text(text) => stamp::parse(text.as_bytes()).map(|(naive, _)| naive),
            Self::Number(seconds) => unix(*seconds),
        }
    }
}

/// A fraction stands there to six digits at most: what the float lost is less than a hundredth of the last.
fn unix(seconds: f64) -> Option<Naive> {
    if !(0.0..253_402_300_799.0).contains(&seconds) {
        return None;
    }
    let whole = seconds.fract() == 0.0;
    let millis = (seconds * 1000.0 + 0.0005).floor() as i64;
    let fraction = (!whole).then_some((millis % 1000) as u16);
    Some(Naive::utc(millis / 1000, fraction))
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Scalar<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Scalar::Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Scalar::Text(Cow::Owned(text.to_owned())))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
                Ok(Scalar::Number(number as f64))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
                Ok(Scalar::Number(number as f64))
            }
            fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
                Ok(Scalar::Number(number))
            }
            fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
                Ok(Scalar::Missing)
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Scalar::Missing)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Scalar::Missing)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
                while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Scalar::Missing)
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// The reply as it went over the wire, of the pieces that were logged: `550 5.7.1 text`. A line break in the text is a
/// blank, as other MTAs write it. Without a code it is no reply.
pub(crate) fn reply<'a>(
    code: Option<u16>,
    enhanced: Option<Enhanced>,
    text: &str,
    scratch: &'a mut Vec<u8>,
) -> Answer<'a> {
    scratch.clear();
    let Some(code) = code else { return Answer::Nobody };
    if text.is_empty() {
        return Answer::Codes { smtp: Some(code), enhanced };
    }
    push_number(code, scratch);
    if let Some(Enhanced(class, subject, detail)) = enhanced {
        for (before, number) in [(b' ', u16::from(class)), (b'.', subject), (b'.', detail)] {
            scratch.push(before);
            push_number(number, scratch);
        }
    }
    scratch.push(b' ');
    // Some versions leave the code in the text.
    if starts_with_code(text.as_bytes()) && text.as_bytes().starts_with(&scratch[..3]) {
        scratch.clear();
    }
    push_line(text, scratch);
    Answer::Text(scratch)
}

/// In decimal.
fn push_number(number: u16, text: &mut Vec<u8>) {
    if number >= 10 {
        push_number(number / 10, text);
    }
    text.push(b'0' + (number % 10) as u8);
}

/// Line breaks are blanks.
pub(crate) fn one_line<'a>(text: &'a str, scratch: &'a mut Vec<u8>) -> &'a [u8] {
    if memchr::memchr2(b'\r', b'\n', text.as_bytes()).is_none() {
        return text.as_bytes();
    }
    scratch.clear();
    push_line(text, scratch);
    scratch
}

fn push_line(text: &str, scratch: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    while let Some(at) = memchr::memchr2(b'\r', b'\n', rest) {
        scratch.extend_from_slice(&rest[..at]);
        scratch.push(b' ');
        rest = if rest[at..].starts_with(b"\r\n") { &rest[at + 2..] } else { &rest[at + 1..] };
    }
    scratch.extend_from_slice(rest);
}

/// What is behind `"key":`, wherever in the line. A key inside a text has a backslash before its last quote.
pub(crate) fn behind_key<'a>(line: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    debug_assert!(key.starts_with(b"\"") && key.ends_with(b"\""));
    memmem::find_iter(line, key)
        .find_map(|at| line[at + key.len()..].trim_ascii_start().strip_prefix(b":"))
        .map(<[u8]>::trim_ascii_start)
}

/// The stamp behind `"key":`, in quotes or without.
pub(crate) fn stamp_behind(line: &[u8], key: &[u8]) -> Option<Naive> {
    let value = behind_key(line, key)?;
    stamp::parse(value.strip_prefix(b"\"").unwrap_or(value)).map(|(naive, _)| naive)
}

/// The share of the lines that are objects and hold what `is_own` looks for; 0 unless it is most of them.
pub(crate) fn share(head: &[u8], is_own: impl Fn(&[u8]) -> bool) -> f32 {
    let (mut lines, mut own) = (0usize, 0usize);
    for line in super::registry::whole_lines(head) {
        lines += 1;
        // The only line of a stretch may lack its beginning.
        own += usize::from((elements(line).is_some() || lines == 1) && is_own(line));
    }
    if own * 2 <= lines { 0.0 } else { own as f32 / lines as f32 }
}

/// A line from its object on: it may lie in an array that is written one object a line, or as a whole.
pub(crate) fn elements(line: &[u8]) -> Option<&[u8]> {
    let line = clean(line);
    let line = line.strip_prefix(b"[").unwrap_or(line).trim_ascii_start();
    let line = line.strip_prefix(b",").unwrap_or(line).trim_ascii_start();
    (line.first() == Some(&b'{')).then_some(line)
}

/// The objects of a line as text; told where it has none, unless it is blank or an array's bracket.
fn text_of<'a>(line: &'a [u8], out: &mut dyn FnMut(Record<'_>)) -> Option<Cow<'a, str>> {
    let elements = elements(line);
    if elements.is_none() && !matches!(clean(line), b"" | b"[" | b"]") {
        out(Record::Malformed { why: "not a JSON object" });
    }
    elements.map(crate::text::utf8)
}

/// Reads each object of such a text; false where one is broken.
pub(crate) fn each<'a, T: Deserialize<'a>>(text: &'a str, mut out: impl FnMut(T)) -> bool {
    let mut rest = text;
    while rest.starts_with('{') {
        let mut objects = serde_json::Deserializer::from_str(rest).into_iter::<T>();
        match objects.next() {
            Some(Ok(object)) => {
                let end = objects.byte_offset();
                out(object);
                rest = rest[end..].trim_start_matches([',', ']', ' ', '\t']);
            }
            _ => return false,
        }
    }
    rest.is_empty()
}

/// A line that begins an object, without what a crash left before it.
pub(crate) fn object(line: &[u8]) -> Option<&[u8]> {
    let line = clean(line);
    (line.first() == Some(&b'{')).then_some(line)
}

fn clean(line: &[u8]) -> &[u8] {
    object_start(line).trim_ascii_end()
}

/// Space and clock of a reader.
pub(crate) struct Context {
    pub(crate) stamper: Stamper,
    /// For the reply.
    pub(crate) scratch: Vec<u8>,
    /// For an address that is put together.
    pub(crate) address: Vec<u8>,
}

impl Context {
    fn new(clock: &Clock) -> Self {
        Self { stamper: Stamper::new(clock), scratch: Vec::new(), address: Vec::new() }
    }
}

/// For the user.
pub(crate) const BROKEN: &str = "a broken JSON record";

/// Behind what a crash or an editor left before the first character.
fn object_start(line: &[u8]) -> &[u8] {
    let line = super::syslog::trim(line);
    line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line).trim_ascii_start()
}

/// The remote's reply as a service passes it on; without a code it is the service's own text.
pub(crate) fn passed_on<'a>(text: &str, scratch: &'a mut Vec<u8>) -> Answer<'a> {
    let text = text.trim_start();
    let code = text.get(..3).filter(|_| starts_with_code(text.as_bytes())).and_then(|code| code.parse().ok());
    reply(code, None, text, scratch)
}

/// Without any text: a failure for good was an answer, if the status says more than x.0.0 and is not the network's.
pub(crate) fn status_alone(status: &Scalar<'_>) -> Answer<'static> {
    match status.bytes().and_then(Enhanced::at_start) {
        Some((code @ Enhanced(5, subject, detail), _)) if subject != 4 && (subject, detail) != (0, 0) => {
            Answer::Codes { smtp: None, enhanced: Some(code) }
        }
        _ => Answer::Nobody,
    }
}

/// Whether the line holds that key (quotes included).
pub(crate) fn has(line: &[u8], key: &[u8]) -> bool {
    behind_key(line, key).is_some()
}

/// The time of a field.
pub(crate) fn time(field: &Scalar<'_>, stamper: &mut Stamper) -> Option<Time> {
    match field {
        Scalar::Text(text) => stamper.read(text.as_bytes()).map(|(time, ..)| time),
        _ => field.stamp().map(|naive| stamper.time(&naive)),
    }
}

#[cfg(test)]
pub(crate) mod tests;
