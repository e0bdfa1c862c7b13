//! JSON lines of one program are alike but for their values: what is the same in them is compared as a whole, and the
//! values are found in between, in place.
//!
//! This is for the plainest form: an object in ASCII, without blanks between its parts or escapes in its texts, whose
//! numbers are whole. A line that is otherwise, or no JSON at all, has no shape: then a parser of all of JSON is to be
//! asked. What a shape does give, that parser would give too.

use std::ops::Range;

use crate::text::near;

/// Values in each other that are passed over; what is deeper is not plain.
const MOST_DEPTH: u32 = 16;
/// Whole numbers of so many digits are exact in a float.
const MOST_DIGITS: usize = 15;
/// Longer texts are searched by vectors.
const NEAR: usize = 32;
/// Shapes that are kept.
const MOST_SHAPES: usize = 4;
/// A shape is made once in so many lines, when many were made. Else it costs more than it saves.
const WORTH: u32 = 16;
const FREE: u32 = 64;

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    /// A number, whole and not below 0.
    Whole,
    Null,
    Truth,
    Object,
    Array,
}

/// What is wanted of the value of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    /// Nothing.
    Nothing,
    /// It, at this place.
    At(usize),
    /// The line is for the whole parser.
    Whole,
}

/// Which values are wanted, by their keys joined by dots. None in arrays.
pub(crate) type Wanted = fn(&str, Kind) -> Want;

/// The wanted values of a line, by place: what they are and where they stand.
pub(crate) type Values<const N: usize> = [Option<(Kind, Range<usize>)>; N];

/// What stands before a value, and what it is.
#[derive(Debug)]
struct Part {
    /// Ends in [`Shape::fixed`].
    end: usize,
    kind: Kind,
    place: Option<usize>,
}

/// What lines have in common.
#[derive(Debug)]
struct Shape {
    /// Text between the values.
    fixed: Vec<u8>,
    parts: Vec<Part>,
    /// What has no text or number of its own.
    bare: Vec<(Kind, usize)>,
}

/// The shapes of a log.
#[derive(Debug)]
pub(crate) struct Shapes<const N: usize> {
    wanted: Wanted,
    /// The last one that fitted comes first.
    shapes: Vec<Shape>,
    made: u32,
    fitted: u32,
}

impl<const N: usize> Shapes<N> {
    /// Each place in `wanted` is less than `N`.
    pub(crate) fn new(wanted: Wanted) -> Self {
        Self { wanted, shapes: Vec::new(), made: 0, fitted: 0 }
    }

    /// Finds the wanted values.
    pub(crate) fn read(&mut self, line: &[u8]) -> Option<Values<N>> {
        if !is_plain(line) {
            return None;
        }
        for index in 0..self.shapes.len() {
            if let Some(values) = self.shapes[index].read(line) {
                self.shapes[..=index].rotate_right(1);
                self.fitted = self.fitted.saturating_add(1);
                return Some(values);
            }
        }
        if self.made > FREE && self.fitted / WORTH < self.made {
            return None;
        }
        self.made += 1;
        let shape = Shape::of(line, self.wanted)?;
        self.shapes.truncate(MOST_SHAPES - 1);
        self.shapes.insert(0, shape);
        self.shapes[0].read(line)
    }
}

/// Whether all bytes are ASCII's, none of them a control or a backslash.
fn is_plain(line: &[u8]) -> bool {
    // Without a way out in the middle many bytes are looked at at once.
    line.iter().fold(0, |odd, byte| odd | byte & 0x80 | u8::from(*byte < b' ') | u8::from(*byte == b'\\'))
        == 0
}

impl Shape {
    /// Of a plain line.
    fn of(line: &[u8], wanted: Wanted) -> Option<Self> {
        let shape = Self { fixed: Vec::new(), parts: Vec::new(), bare: Vec::new() };
        let mut walk = Walk { line, at: 0, copied: 0, path: String::new(), wanted, shape, taken: 0 };
        walk.object(MOST_DEPTH)?;
        let Walk { at, copied, mut shape, .. } = walk;
        shape.fixed.extend_from_slice(&line[copied..]);
        (at == line.len()).then_some(shape)
    }

    /// The values of a line of this shape.
    #[inline]
    fn read<const N: usize>(&self, line: &[u8]) -> Option<Values<N>> {
        let mut values: Values<N> = [const { None }; N];
        for (kind, place) in &self.bare {
            values[*place] = Some((*kind, 0..0));
        }
        let (mut at, mut from) = (0, 0);
        for Part { end, kind, place } in &self.parts {
            let rest = line[at..].strip_prefix(&self.fixed[from..*end])?;
            at = line.len() - rest.len();
            from = *end;
            let length = match kind {
                Kind::Text => text_length(rest),
                _ => whole_length(rest),
            }?;
            if let Some(place) = *place {
                values[place] = Some((*kind, at..at + length));
            }
            at += length;
        }
        (line[at..] == self.fixed[from..]).then_some(values)
    }
}

/// Of a text, up to its closing quote.
#[inline]
fn text_length(rest: &[u8]) -> Option<usize> {
    let (first, behind) = rest.split_at(rest.len().min(NEAR));
    near(b'"', first).or_else(|| memchr::memchr(b'"', behind).map(|length| NEAR + length))
}

/// Of a whole number. What would make another one of it belongs to no shape.
#[inline]
fn whole_length(rest: &[u8]) -> Option<usize> {
    let digits = rest.iter().take(MOST_DIGITS + 1).take_while(|byte| byte.is_ascii_digit()).count();
    ((1..=MOST_DIGITS).contains(&digits) && (digits == 1 || rest[0] != b'0')).then_some(digits)
}

/// A whole number.
pub(crate) fn whole(text: &[u8]) -> u64 {
    text.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
}

/// Makes a shape of a line.
struct Walk<'l> {
    line: &'l [u8],
    at: usize,
    /// Up to here the line is in the shape.
    copied: usize,
    path: String,
    wanted: Wanted,
    shape: Shape,
    /// The places that are taken, one bit each.
    taken: u64,
}

impl Walk<'_> {
    fn object(&mut self, depth: u32) -> Option<()> {
        self.take(b'{')?;
        if self.peek() == Some(b'}') {
            return self.take(b'}');
        }
        loop {
            self.take(b'"')?;
            let length = text_length(&self.line[self.at..])?;
            let key = std::str::from_utf8(&self.line[self.at..self.at + length]).ok()?;
            let outer = self.path.len();
            if outer > 0 {
                self.path.push('.');
            }
            // One with a dot may look like two.
            self.path.push_str(if key.contains('.') { "?" } else { key });
            self.at += length + 1;
            self.take(b':')?;
            self.value(depth)?;
            self.path.truncate(outer);
            match self.peek()? {
                b',' => self.at += 1,
                _ => return self.take(b'}'),
            }
        }
    }

    fn array(&mut self, depth: u32) -> Option<()> {
        self.take(b'[')?;
        if self.peek() == Some(b']') {
            return self.take(b']');
        }
        // Nothing that is in it has a name.
        let outer = self.path.len();
        self.path.push_str("[]");
        loop {
            self.value(depth)?;
            match self.peek()? {
                b',' => self.at += 1,
                _ => break,
            }
        }
        self.path.truncate(outer);
        self.take(b']')
    }

    fn value(&mut self, depth: u32) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        let (kind, word) = match self.peek()? {
            b'"' => (Kind::Text, ""),
            b'0'..=b'9' => (Kind::Whole, ""),
            b'{' => (Kind::Object, ""),
            b'[' => (Kind::Array, ""),
            b'n' => (Kind::Null, "null"),
            b't' => (Kind::Truth, "true"),
            _ => (Kind::Truth, "false"),
        };
        let place = match (self.wanted)(&self.path, kind) {
            Want::Nothing => None,
            Want::At(place) => Some(place),
            Want::Whole => return None,
        };
        if let Some(place) = place {
            let bit = 1 << place;
            // A key that stands there twice.
            if self.taken & bit != 0 {
                return None;
            }
            self.taken |= bit;
        }
        let bytes = &self.line[self.at..];
        match kind {
            Kind::Text => {
                self.at += 1;
                let length = text_length(&bytes[1..])?;
                self.part(kind, place, length);
                self.take(b'"')
            }
            Kind::Whole => {
                let length = whole_length(bytes)?;
                self.part(kind, place, length);
                Some(())
            }
            Kind::Null | Kind::Truth => {
                self.shape.bare.extend(place.map(|place| (kind, place)));
                bytes.starts_with(word.as_bytes()).then(|| self.at += word.len())
            }
            Kind::Object => {
                self.shape.bare.extend(place.map(|place| (kind, place)));
                self.object(depth)
            }
            Kind::Array => {
                self.shape.bare.extend(place.map(|place| (kind, place)));
                self.array(depth)
            }
        }
    }

    /// A value of so many bytes begins here.
    fn part(&mut self, kind: Kind, place: Option<usize>, length: usize) {
        self.shape.fixed.extend_from_slice(&self.line[self.copied..self.at]);
        self.at += length;
        self.copied = self.at;
        self.shape.parts.push(Part { end: self.shape.fixed.len(), kind, place });
    }

    fn peek(&self) -> Option<u8> {
        self.line.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wanted(path: &str, kind: Kind) -> Want {
        match path {
            "a" => Want::At(0),
            "o.b" => Want::At(1),
            "o" if kind != Kind::Object => Want::Whole,
            "o" => Want::At(2),
            _ => Want::Nothing,
        }
    }

    /// The values of `a`, `o.b` and `o`.
    fn read(shapes: &mut Shapes<3>, line: &str) -> Option<[Option<(Kind, String)>; 3]> {
        let values = shapes.read(line.as_bytes())?;
        Some(values.map(|value| value.map(|(kind, range)| (kind, line[range].to_owned()))))
    }

    #[test]
    fn values_are_found_by_their_keys() {
        let mut shapes = Shapes::new(wanted);
        let some = |kind, text: &str| Some((kind, text.to_owned()));
        for (a, b) in
            [("x", "1"), ("", "20"), ("a long one, longer than what is looked at byte by byte", "0")]
        {
            let line = format!(r#"{{"z":"]","a":"{a}","o":{{"b":{b},"c":[1,{{"a":"no"}}],"d":null}}}}"#);
            let found = read(&mut shapes, &line).expect("plain");
            assert_eq!(found, [some(Kind::Text, a), some(Kind::Whole, b), some(Kind::Object, "")]);
        }
        assert_eq!((shapes.made, shapes.fitted), (1, 2));
        assert_eq!(read(&mut shapes, r#"{"a":null}"#), Some([some(Kind::Null, ""), None, None]));
        assert_eq!(read(&mut shapes, "{}"), Some([None, None, None]));
    }

    #[test]
    fn what_is_not_plain_has_no_shape() {
        let deep = format!(r#"{{"x":{}{}}}"#, "[".repeat(40), "]".repeat(40));
        let plain = r#"{"a":"x","o":{"b":12}}"#;
        for other in [
            &deep,
            r#"{"a":"x", "o":{"b":12}}"#,
            r#"{"a":"x","o":{"b":1.5}}"#,
            r#"{"a":"x","o":{"b":-1}}"#,
            r#"{"a":"x","o":{"b":1e3}}"#,
            r#"{"a":"x","o":{"b":01}}"#,
            r#"{"a":"x","o":{"b":1234567890123456}}"#,
            r#"{"a":"\n","o":{"b":12}}"#,
            "{\"a\":\"é\",\"o\":{\"b\":12}}",
            "{\"a\":\"\t\",\"o\":{\"b\":12}}",
            r#"{"a":"x","o":{"b":12}"#,
            r#"{"a":"x","o":{"b":12}}}"#,
            r#"{"a":"x","o":{"b":12},}"#,
            r#"{"a":"x","a":"x","o":{"b":12}}"#,
            r#"{"a":nul}"#,
            r#"{"a":"}"#,
            r#"{"x":[1,]}"#,
            r#"{"x":[1}"#,
            r#"{"x":}"#,
            r#"{"o":1}"#,
            "",
            "{",
            "[]",
        ] {
            let mut shapes = Shapes::new(wanted);
            assert_eq!(read(&mut shapes, other), None, "{other}");
            assert!(read(&mut shapes, plain).is_some());
            assert_eq!(read(&mut shapes, other), None, "{other}");
        }
    }

    #[test]
    fn a_log_of_ever_new_shapes_is_left_alone() {
        let mut shapes = Shapes::new(wanted);
        let found = (0..1000).filter(|n| read(&mut shapes, &format!(r#"{{"k{n}":1}}"#)).is_some()).count();
        assert!(found <= FREE as usize + 1, "{found}");
    }

    proptest! {
        /// Whatever is read at all is what a parser of all of JSON reads, whichever lines came before.
        #[test]
        fn a_whole_parser_reads_the_same(
            lines in proptest::collection::vec(
                proptest::collection::vec(
                    proptest::sample::select(&[
                        "{", "}", "[", "]", ",", ":", "\"", "\"a\":", "\"o\":{\"b\":", "\"a\":\"v\",", "\"b\"", "1", "0", "23", "null", "true",
                        " ", "-", ".5", "\"k\":", "\"l\":{\"m\":1},", "\"o.b\":2,", "é", "\\",
                    ][..]),
                    0..9,
                ),
                1..20,
            ),
        ) {
            let mut shapes = Shapes::new(wanted);
            for parts in lines {
                let line = format!("{{{}}}", parts.concat());
                let Some(found) = read(&mut shapes, &line) else { continue };
                let whole: serde_json::Value = serde_json::from_str(&line).expect("plain is whole");
                for (value, found) in [&whole["a"], &whole["o"]["b"], &whole["o"]].into_iter().zip(found) {
                    let same = match found {
                        None => value.is_null(),
                        Some((Kind::Text, text)) => value == &text,
                        Some((Kind::Whole, text)) => value.as_u64() == Some(super::whole(text.as_bytes())),
                        Some((Kind::Null, _)) => value.is_null(),
                        Some((Kind::Truth, _)) => value.is_boolean(),
                        Some((Kind::Object, _)) => value.is_object(),
                        Some((Kind::Array, _)) => value.is_array(),
                    };
                    prop_assert!(same, "{}", line);
                }
            }
        }
    }
}
