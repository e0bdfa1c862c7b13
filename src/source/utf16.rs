//! UTF-16 with a byte order mark -> UTF-8, as it is read: everything behind sees UTF-8.

use std::io::{self, Read};

/// Bytes that are read at once.
const INPUT: usize = 64 << 10;

/// Which half of a unit comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteOrder {
    Little,
    Big,
}

impl ByteOrder {
    /// By the mark that a text begins with.
    pub fn of(head: &[u8]) -> Option<Self> {
        match head {
            // UTF-32's mark begins alike.
            [0xff, 0xfe, 0, 0, ..] => None,
            [0xff, 0xfe, ..] => Some(Self::Little),
            [0xfe, 0xff, ..] => Some(Self::Big),
            _ => None,
        }
    }
}

/// The UTF-8 of a UTF-16 stream, without its mark. What is no character becomes U+FFFD.
pub struct Utf16<R> {
    reader: R,
    order: ByteOrder,
    input: Vec<u8>,
    /// Bytes of `input` that are valid: after a read, at most the first half of a pair is left over.
    filled: usize,
    output: Vec<u8>,
    /// What of `output` was handed out.
    taken: usize,
    begun: bool,
}

impl<R: Read> Utf16<R> {
    /// `reader` stands at the mark.
    pub fn new(reader: R, order: ByteOrder) -> Self {
        Self { reader, order, input: vec![0; INPUT], filled: 0, output: Vec::new(), taken: 0, begun: false }
    }

    /// Reads and transcodes the next stretch; false at the end.
    fn refill(&mut self) -> io::Result<bool> {
        self.output.clear();
        self.taken = 0;
        let read = self.reader.read(&mut self.input[self.filled..])?;
        self.filled += read;
        let at_end = read == 0;
        let mut keep = self.filled % 2;
        let order = self.order;
        let unit = |pair: &[u8]| {
            let pair = [pair[0], pair[1]];
            if order == ByteOrder::Little { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) }
        };
        let whole = self.filled - keep;
        // The first half of a surrogate pair waits for the second.
        if !at_end && whole >= 2 && matches!(unit(&self.input[whole - 2..whole]), 0xd800..=0xdbff) {
            keep += 2;
        }
        let end = self.filled - keep;
        let mut units = self.input[..end].chunks_exact(2).map(unit).peekable();
        if !self.begun && units.next_if_eq(&0xfeff).is_some() {
            self.begun = true;
        }
        for character in char::decode_utf16(units) {
            let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
            self.output.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        self.begun |= end > 0;
        self.input.copy_within(end..self.filled, 0);
        self.filled = keep;
        if at_end && keep > 0 {
            // Half a unit.
            self.filled = 0;
            self.output.extend_from_slice("\u{fffd}".as_bytes());
        }
        Ok(!at_end || !self.output.is_empty())
    }
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.output.len() && !buffer.is_empty() {
            if !self.refill()? {
                return Ok(0);
            }
        }
        let part = &self.output[self.taken..];
        let len = part.len().min(buffer.len());
        buffer[..len].copy_from_slice(&part[..len]);
        self.taken += len;
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Gives a few bytes at a time, as a pipe does.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let len = self.0.len().min(self.1).min(buffer.len());
            buffer[..len].copy_from_slice(&self.0[..len]);
            self.0 = &self.0[len..];
            Ok(len)
        }
    }

    fn read(bytes: &[u8], step: usize) -> String {
        let order = ByteOrder::of(bytes).expect("a mark");
        let mut text = String::new();
        Utf16::new(Slow(bytes, step), order).read_to_string(&mut text).expect("memory does not fail");
        text
    }

    proptest! {
        #[test]
        fn any_text_in_any_pieces(text in "\\PC{0,40}", step in 1usize..9, big in any::<bool>()) {
            let units = format!("\u{feff}{text}");
            let bytes: Vec<u8> = units
                .encode_utf16()
                .flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() })
                .collect();
            prop_assert_eq!(read(&bytes, step), text);
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40), step in 1usize..9) {
            read(&[&[0xff, 0xfe, b'a', 0], &bytes[..]].concat(), step);
        }
    }

    #[test]
    fn what_is_no_character() {
        assert_eq!(read(b"\xfe\xff\0a\xd8\0\0b\0", 3), "a\u{fffd}b\u{fffd}");
        assert_eq!(read(b"\xff\xfea\0\0\xd8", 64), "a\u{fffd}");
        assert_eq!(ByteOrder::of(b"\xff\xfe\0\0"), None);
        assert_eq!(ByteOrder::of(b"\xef\xbb\xbf"), None);
    }
}
