//! JSON values out of a stream of lines: one a line, many on one line, one over many lines; in arrays, and in the arrays
//! that a wrapper holds (`{"items": […]}`).
//!
//! Kept is one value of 16 MiB at most, and which arrays and wrappers are open (32 at most).

use super::super::registry::Line;

/// Of one value; longer ones are passed over and told.
const MAX_VALUE: usize = 16 << 20;
/// Arrays and wrappers in each other; deeper ones are not kept account of.
const MAX_OUTER: usize = 32;

/// What came out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    /// An object, from its brace to its brace.
    Object(&'a [u8]),
    /// It was cut, or is too long.
    Broken,
    /// A line that is no JSON.
    Other,
}

/// What is open around the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outer {
    Array,
    /// Of its fields only the array counts that was found.
    Wrapper,
}

/// Puts values together.
#[derive(Debug)]
pub(crate) struct Values {
    /// Keys whose arrays hold the values.
    wrappers: &'static [&'static str],
    outer: Vec<Outer>,
    /// Braces and brackets that are open in the value; 0: none is being read.
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// The value's lines that came before.
    buffer: Vec<u8>,
    /// Where it began.
    offset: u64,
    /// It began a line, as a line that holds it whole does.
    began_line: bool,
    too_long: bool,
}

impl Values {
    pub(crate) fn new(wrappers: &'static [&'static str]) -> Self {
        Self {
            wrappers,
            outer: Vec::new(),
            depth: 0,
            in_string: false,
            escaped: false,
            buffer: Vec::new(),
            offset: 0,
            began_line: false,
            too_long: false,
        }
    }

    /// Hands over what the line completes, and where that began.
    pub(crate) fn line(&mut self, line: Line<'_>, each: &mut dyn FnMut(u64, Found<'_>)) {
        let bytes = line.bytes;
        // A value in one line begins so, and one over many lines has its first brace alone. So what is open was cut, or
        // was never a value.
        if self.depth > 0 && bytes.starts_with(b"{\"") && (self.began_line || !self.takes_a_value()) {
            self.broken(each);
        }
        let mut start = 0;
        let mut at = 0;
        let mut seen = self.depth > 0;
        while at < bytes.len() {
            if self.in_string {
                at += self.string(&bytes[at..]);
                continue;
            }
            let byte = bytes[at];
            if self.depth > 0 {
                match byte {
                    b'"' => self.in_string = true,
                    b'[' if self.depth == 1 && self.holds_values(&bytes[start..at]) => {
                        self.outer.extend([Outer::Wrapper, Outer::Array]);
                        self.drop_value();
                    }
                    b'{' | b'[' => self.depth += 1,
                    b'}' | b']' => {
                        self.depth -= 1;
                        if self.depth == 0 {
                            self.end(&bytes[start..=at], each);
                        }
                    }
                    _ => {}
                }
            } else {
                match byte {
                    b'"' => self.in_string = true,
                    b'[' if self.outer.last() != Some(&Outer::Wrapper) => self.open_array(),
                    b'{' | b'[' => {
                        self.depth = 1;
                        self.offset = line.offset + at as u64;
                        self.began_line = at == 0 && bytes.get(1) == Some(&b'"');
                        start = at;
                        seen = true;
                    }
                    b']' if self.outer.last() == Some(&Outer::Array) => {
                        self.outer.pop();
                    }
                    b'}' if self.outer.last() == Some(&Outer::Wrapper) => {
                        self.outer.pop();
                    }
                    _ => {}
                }
            }
            at += 1;
        }
        if self.in_string {
            // No text of JSON's goes on in the next line.
            let in_value = self.depth > 0;
            self.in_string = false;
            self.escaped = false;
            if in_value {
                return self.broken(each);
            }
        }
        if self.depth > 0 {
            self.keep(&bytes[start..]);
        } else if !seen && self.outer.is_empty() && is_other(bytes) {
            each(line.offset, Found::Other);
        }
    }

    /// At the end of the stream.
    pub(crate) fn finish(&mut self, each: &mut dyn FnMut(u64, Found<'_>)) {
        if self.depth > 0 {
            self.broken(each);
        }
    }

    /// How far a string goes on.
    fn string(&mut self, bytes: &[u8]) -> usize {
        if self.escaped {
            self.escaped = false;
            return 1;
        }
        match memchr::memchr2(b'"', b'\\', bytes) {
            Some(at) => {
                self.in_string = bytes[at] == b'\\';
                self.escaped = self.in_string;
                at + 1
            }
            None => bytes.len(),
        }
    }

    fn open_array(&mut self) {
        if self.outer.len() < MAX_OUTER {
            self.outer.push(Outer::Array);
        }
    }

    /// Whether JSON's grammar allows a value next, behind the lines of the open one.
    fn takes_a_value(&self) -> bool {
        matches!(self.buffer.trim_ascii_end().last(), Some(b':' | b',' | b'['))
    }

    /// Whether the array that begins behind this is one of a wrapper's.
    fn holds_values(&self, line: &[u8]) -> bool {
        let line = line.trim_ascii();
        let before = if line.is_empty() { self.buffer.trim_ascii_end() } else { line };
        let Some(key) = before.strip_suffix(b":") else { return false };
        let Some(key) = key.trim_ascii_end().strip_suffix(b"\"") else { return false };
        self.outer.len() + 2 <= MAX_OUTER
            && self.outer.last() != Some(&Outer::Wrapper)
            && self
                .wrappers
                .iter()
                .any(|name| key.strip_suffix(name.as_bytes()).is_some_and(|rest| rest.ends_with(b"\"")))
    }

    /// The value ends with this part of the line.
    fn end(&mut self, last: &[u8], each: &mut dyn FnMut(u64, Found<'_>)) {
        if self.outer.last() == Some(&Outer::Wrapper) {
            return self.drop_value();
        }
        if self.too_long || self.buffer.len() + last.len() > MAX_VALUE {
            return self.broken(each);
        }
        if self.buffer.is_empty() {
            each(self.offset, Found::Object(last));
        } else {
            self.buffer.extend_from_slice(last);
            each(self.offset, Found::Object(&self.buffer));
        }
        self.drop_value();
    }

    fn keep(&mut self, part: &[u8]) {
        if self.too_long || self.buffer.len() + part.len() >= MAX_VALUE {
            self.too_long = true;
            self.buffer = Vec::new();
            return;
        }
        self.buffer.extend_from_slice(part);
        self.buffer.push(b'\n');
    }

    fn drop_value(&mut self) {
        self.depth = 0;
        self.too_long = false;
        // What one long value needed is not kept for the others.
        if self.buffer.capacity() > 1 << 20 {
            self.buffer = Vec::new();
        }
        self.buffer.clear();
    }

    fn broken(&mut self, each: &mut dyn FnMut(u64, Found<'_>)) {
        each(self.offset, Found::Broken);
        if !self.too_long {
            self.outer.clear();
        }
        self.drop_value();
    }
}

/// Neither blank nor what stands between values.
fn is_other(line: &[u8]) -> bool {
    let line = super::object_start(line);
    !line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b',' | b'[' | b']' | b'}' | 0))
        && !line.starts_with(b"\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Offsets and values; `!` broken, `?` other.
    fn read(text: &str) -> Vec<(u64, String)> {
        let mut values = Values::new(&["items", "Records"]);
        let mut found = Vec::new();
        let mut each = |offset: u64, value: Found<'_>| {
            found.push((
                offset,
                match value {
                    Found::Object(bytes) => String::from_utf8_lossy(bytes).replace(['\n', ' '], ""),
                    Found::Broken => "!".into(),
                    Found::Other => "?".into(),
                },
            ));
        };
        let mut offset = 0;
        for bytes in text.split('\n').map(str::as_bytes) {
            values.line(Line { bytes, offset }, &mut each);
            offset += bytes.len() as u64 + 1;
        }
        values.finish(&mut each);
        found
    }

    fn values(text: &str) -> Vec<String> {
        read(text).into_iter().map(|(_, value)| value).collect()
    }

    #[test]
    fn lines_arrays_wrappers() {
        let two = ["{\"a\":[1,{\"b\":2}]}", "{\"c\":\"]}\\\"{\"}"];
        let [a, c] = two;
        for text in [
            format!("{a}\n{c}\n"),
            format!("{a}{c}"),
            format!("[{a},{c}]"),
            format!("[\n  {a},\n  {c}\n]\n"),
            format!("[[{a}],[{c}]]"),
            format!("{{\"paging\": {{\"x\":[{{}}]}}, \"items\": [{a},{c}], \"more\": {{\"y\":[]}}}}"),
            format!("{{\n  \"items\":\n  [\n{a},\n{c}\n  ]\n}}\n"),
            format!("{{\"Records\":[{a}]}}\r\n[{c}]\r\n"),
            format!("2026-05-12 [INFO] \"got\" {a}\n[warn] {c}\n"),
            a.replace(',', ",\n ").replace(':', ":\n  ") + "\n" + c,
        ] {
            assert_eq!(values(&text), two, "{text}");
        }
        assert_eq!(values("{\"items\":[]}\n[]\n\n"), [""; 0]);
        assert_eq!(values("{\"results\":[{\"items\":1}]}"), ["{\"results\":[{\"items\":1}]}"]);
        assert_eq!(
            read("[\n {\"a\":1},\n\n  {\"b\":2}]"),
            [(3, "{\"a\":1}".into()), (15, "{\"b\":2}".into())]
        );
    }

    #[test]
    fn what_is_cut_costs_itself_only() {
        let whole = "{\"a\":1}";
        for torn in ["{\"x\":\"cut", "{\"x\":{\"y\":1,", "{\"x\"", "[{\"x\":\"cut"] {
            assert_eq!(values(&format!("{whole}\n{torn}\n{whole}\n")), [whole, "!", whole], "{torn}");
        }
        assert_eq!(values("{\"a\":"), ["!"]);
        assert_eq!(values("free words\n\n{\"a\":1}\n]\n},\n"), ["?", "{\"a\":1}"]);
    }

    #[test]
    fn a_stray_bracket_costs_itself_only() {
        let whole = "{\"a\":1}";
        for stray in ["{", "[", "[{", "words { words", "{\"x\":[{", &"[".repeat(100), "\u{1b}[31m"] {
            let text = format!("{whole}\n{stray}\n").repeat(50);
            let good = values(&text).into_iter().filter(|value| value == whole).count();
            assert_eq!(good, 50, "{stray}");
        }
        // Here an object at the start of a line goes on with the value.
        let laid_out = "{\n\"x\":\n{\"y\":[\n{\"a\":1},\n{\"a\":2}\n]}}";
        assert_eq!(values(laid_out), [laid_out.replace('\n', "")]);
    }

    #[test]
    fn a_value_without_end_is_bounded() {
        let mut values = Values::new(&[]);
        let line = vec![b'1'; 1 << 20];
        let mut broken = 0;
        values.line(Line { bytes: b"[{", offset: 0 }, &mut |_, _| {});
        for _ in 0..40 {
            values.line(Line { bytes: &line, offset: 0 }, &mut |_, _| broken += 1);
            assert!(values.buffer.capacity() <= 2 * MAX_VALUE);
        }
        let mut objects = 0;
        values.line(Line { bytes: b"},{}]", offset: 0 }, &mut |_, found| match found {
            Found::Object(_) => objects += 1,
            _ => broken += 1,
        });
        assert_eq!((broken, objects), (1, 1));
        for _ in 0..1000 {
            values.line(Line { bytes: b"[[[[", offset: 0 }, &mut |_, _| {});
        }
        assert!(values.outer.len() <= MAX_OUTER);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(lines in proptest::collection::vec("[\\[\\]{}\":,\\\\ a-c]{0,12}", 0..12)) {
            read(&lines.join("\n"));
        }

        #[test]
        fn however_they_are_laid_out(
            texts in proptest::collection::vec("[ -~é]{0,12}", 1..5),
            pretty in any::<bool>(),
            array in any::<bool>(),
            width in 1usize..40,
        ) {
            let objects: Vec<_> = texts
                .iter()
                .map(|text| serde_json::json!({"t": text, "in": {"items": [text, {"x": [1]}]}}))
                .collect();
            let render = |value: &serde_json::Value| if pretty { format!("{value:#}") } else { value.to_string() };
            let text = if array {
                render(&objects.clone().into())
            } else {
                objects.iter().map(render).collect::<Vec<_>>().join("\n")
            };
            // The offsets are those of the file, also behind a long first line.
            let text = format!("{}\n{text}", " ".repeat(width));
            let mut values = Values::new(&["Records"]);
            let mut found = Vec::new();
            let mut at = Vec::new();
            let mut offset = 0;
            for bytes in text.split('\n').map(str::as_bytes) {
                values.line(Line { bytes, offset }, &mut |offset, value| {
                    at.push(offset as usize);
                    if let Found::Object(bytes) = value {
                        found.push(serde_json::from_slice::<serde_json::Value>(bytes).expect("whole"));
                    }
                });
                offset += bytes.len() as u64 + 1;
            }
            prop_assert_eq!(found, objects);
            let begin = at.iter().all(|at| text.as_bytes()[*at] == b'{');
            prop_assert!(begin, "{at:?}");
        }
    }
}
