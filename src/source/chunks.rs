//! Cuts any byte stream into chunks of whole lines, in one reused buffer.

use std::io::{self, Read};

/// A line longer than this is skipped and reported: memory stays bounded on any input.
pub const MAX_LINE: usize = 16 << 20;

/// Read at once: well within a second-level cache, since lines are counted and searched for in turn.
const BUFFER: usize = 256 << 10;

/// Whole lines: begins at a line's start and ends behind a line's end (at the end of the input the last line may
/// lack its newline).
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    pub bytes: &'a [u8],
    /// Of the first byte, in the decompressed stream.
    pub offset: u64,
    /// What is still at hand of the stream, which ends with these bytes.
    at_hand: &'a [u8],
}

impl<'a> Chunk<'a> {
    /// Of which nothing that came before is at hand.
    pub fn new(bytes: &'a [u8], offset: u64) -> Self {
        Self { bytes, offset, at_hand: bytes }
    }

    /// What is at hand of the stream before this offset, which is one of the chunk's.
    pub fn before(&self, offset: u64) -> &'a [u8] {
        let from = self.at_hand.len() - self.bytes.len();
        &self.at_hand[..from + (offset - self.offset) as usize]
    }
}

/// Takes what a reader hands out.
pub trait ChunkSink {
    /// Whole lines. Returns whether to go on.
    fn chunk(&mut self, chunk: Chunk<'_>) -> bool;
    /// A line of more than [`MAX_LINE`] bytes was passed over; `head` is its beginning.
    fn oversized(&mut self, offset: u64, head: &[u8]);
}

/// Reads a stream chunk by chunk.
///
/// With `begin_inside` the stream starts in the middle of a file and the first, partial line belongs to somebody
/// else: a line belongs to the span that it *starts* in. Therefore lines that start at or behind `end` are not
/// handed out either.
pub struct Chunks<R> {
    reader: R,
    buffer: Vec<u8>,
    /// So much of the buffer was handed out, and is kept for who looks back.
    handed: usize,
    /// Valid bytes in `buffer`.
    filled: usize,
    /// Of the first byte that was not handed out.
    offset: u64,
    end: Option<u64>,
    skip_partial: bool,
    /// An oversized line is being passed over.
    skipping: bool,
    finished: bool,
    buffer_size: usize,
    /// Bytes that are kept at least.
    history: usize,
    hold_partial: bool,
}

impl<R: Read> Chunks<R> {
    /// From the stream's first byte to its end.
    pub fn new(reader: R) -> Self {
        Self {
            reader,
            buffer: Vec::new(),
            handed: 0,
            filled: 0,
            offset: 0,
            end: None,
            skip_partial: false,
            skipping: false,
            finished: false,
            buffer_size: BUFFER,
            history: 0,
            hold_partial: false,
        }
    }

    /// The lines that start in `start..end`. `reader` must stand at `start - 1` (at 0 where `start` is 0), so that
    /// the byte before tells whether a line starts right at `start`.
    pub fn span(reader: R, start: u64, end: u64) -> Self {
        let mut chunks = Self::new(reader);
        chunks.offset = start.saturating_sub(1);
        chunks.skip_partial = start > 0;
        chunks.end = Some(end);
        chunks
    }

    /// From `offset` on, which is known to be a line's start.
    pub fn resume(reader: R, offset: u64) -> Self {
        let mut chunks = Self::new(reader);
        chunks.offset = offset;
        chunks
    }

    /// Keeps an unfinished last line back: somebody may still be writing it. Where it begins is then [`Self::rest`].
    pub fn hold_partial(mut self) -> Self {
        self.hold_partial = true;
        self
    }

    /// Keeps so many bytes at hand that were handed out, and up to three times as many.
    pub fn with_history(mut self, bytes: usize) -> Self {
        self.history = bytes;
        self
    }

    /// Offset of the first byte that was not handed out.
    pub fn rest(&self) -> u64 {
        self.offset
    }

    /// For tests: chunks of about this size.
    pub fn with_buffer_size(mut self, bytes: usize) -> Self {
        self.buffer_size = bytes.max(1);
        self
    }

    /// Hands everything to `sink`. The unfinished last line is handed out too.
    pub fn run(&mut self, sink: &mut dyn ChunkSink) -> io::Result<()> {
        while self.step(sink)? {}
        Ok(())
    }

    /// Reads once and hands out what is whole; whether there may be more.
    pub fn step(&mut self, sink: &mut dyn ChunkSink) -> io::Result<bool> {
        self.fill()?;
        Ok(self.hand_out(sink) && !self.finished)
    }

    /// Reads once into the free part of the buffer, which grows only while one line fills it.
    fn fill(&mut self) -> io::Result<()> {
        let size = self.buffer_size + 3 * self.history;
        if self.buffer.len() < size {
            self.buffer.resize(size, 0);
        } else if self.filled == self.buffer.len() {
            let larger = (self.buffer.len() * 2).min(MAX_LINE + 1 + 3 * self.history);
            self.buffer.resize(larger, 0);
        }
        while self.filled < self.buffer.len() {
            // No more than is searched at once.
            let room = self.buffer.len().min(self.filled + self.buffer_size.max(self.filled - self.handed));
            match self.reader.read(&mut self.buffer[self.filled..room]) {
                Ok(0) => {
                    self.finished = true;
                    break;
                }
                Ok(n) => self.filled += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
            // Pipes give little at a time; what is whole can be handed out at once.
            if memchr::memrchr(b'\n', &self.buffer[self.handed..self.filled]).is_some() {
                break;
            }
        }
        Ok(())
    }

    fn hand_out(&mut self, sink: &mut dyn ChunkSink) -> bool {
        let new = &self.buffer[self.handed..self.filled];
        let mut start = 0;
        if self.skip_partial || self.skipping {
            match memchr::memchr(b'\n', new) {
                Some(newline) => {
                    start = newline + 1;
                    self.skip_partial = false;
                    self.skipping = false;
                }
                None => {
                    self.offset += new.len() as u64;
                    (self.handed, self.filled) = (0, 0);
                    return self.end.is_none_or(|end| self.offset < end) || self.skipping;
                }
            }
        }
        let mut stop = match memchr::memrchr(b'\n', &new[start..]) {
            Some(newline) => start + newline + 1,
            None => start,
        };
        if self.finished && !self.hold_partial {
            stop = new.len();
        }
        let mut go_on = true;
        if let Some(end) = self.end {
            let limit = end.saturating_sub(self.offset).min(usize::MAX as u64) as usize;
            if limit <= start {
                return false;
            }
            if stop >= limit {
                // The line that holds the byte before `end` is the last one that starts in this span.
                if let Some(newline) = memchr::memchr(b'\n', &new[limit - 1..stop]) {
                    stop = limit + newline;
                    go_on = false;
                } else {
                    go_on = !self.finished;
                }
            }
        }
        if stop > start {
            let (bytes, at_hand) = (&new[start..stop], &self.buffer[..self.handed + stop]);
            go_on &= sink.chunk(Chunk { bytes, offset: self.offset + start as u64, at_hand });
        } else if new.len() - start > MAX_LINE {
            sink.oversized(self.offset + start as u64, &new[start..start + 1024]);
            self.skipping = true;
            stop = new.len();
        }
        self.offset += stop as u64;
        self.handed += stop;
        self.make_room();
        go_on
    }

    /// Moves what is kept to the front where there is no room behind it for as much as is read at once.
    fn make_room(&mut self) {
        if self.history == 0 || self.buffer.len() - self.filled < self.buffer_size {
            let from = self.handed.saturating_sub(self.history);
            self.buffer.copy_within(from..self.filled, 0);
            self.filled -= from;
            self.handed -= from;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Default)]
    struct Collect {
        lines: Vec<(u64, Vec<u8>)>,
        oversized: usize,
        /// Of each chunk, what was at hand before it, and where it ends.
        before: Vec<(Vec<u8>, usize)>,
    }

    impl ChunkSink for Collect {
        fn chunk(&mut self, chunk: Chunk<'_>) -> bool {
            let mut offset = chunk.offset;
            self.before.push((chunk.before(offset).to_vec(), offset as usize + chunk.bytes.len()));
            for line in chunk.bytes.split_inclusive(|b| *b == b'\n') {
                self.lines.push((offset, line.to_vec()));
                offset += line.len() as u64;
            }
            true
        }

        fn oversized(&mut self, _: u64, _: &[u8]) {
            self.oversized += 1;
        }
    }

    fn naive(bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
        let mut offset = 0;
        bytes
            .split_inclusive(|b| *b == b'\n')
            .map(|line| {
                let at = offset;
                offset += line.len() as u64;
                (at, line.to_vec())
            })
            .collect()
    }

    proptest! {
        #[test]
        fn each_line_is_handed_out_once_whatever_the_buffer(
            text in proptest::collection::vec(prop_oneof![3 => Just(b'x'), 1 => Just(b'\n')], 0..400),
            buffer in 1usize..64,
            history in 0usize..64,
        ) {
            let mut sink = Collect::default();
            Chunks::new(&text[..]).with_buffer_size(buffer).with_history(history).run(&mut sink)?;
            prop_assert_eq!(sink.lines, naive(&text));
            // What came before is the text's end, and as much of it as was asked for.
            let mut from = 0;
            for (before, after) in sink.before {
                prop_assert!(before.len() >= history.min(from));
                prop_assert!(text[..from].ends_with(&before));
                from = after;
            }
        }

        #[test]
        fn spans_share_the_lines_without_loss(
            text in proptest::collection::vec(prop_oneof![4 => Just(b'x'), 1 => Just(b'\n')], 1..400),
            buffer in 1usize..64,
            width in 1u64..80,
        ) {
            let mut sink = Collect::default();
            let mut start = 0;
            while start < text.len() as u64 {
                let end = (start + width).min(text.len() as u64);
                let from = start.saturating_sub(1) as usize;
                Chunks::span(&text[from..], start, end).with_buffer_size(buffer).run(&mut sink)?;
                start = end;
            }
            prop_assert_eq!(sink.lines, naive(&text));
        }
    }

    #[test]
    fn a_line_beyond_the_cap_is_passed_over_and_reported() {
        let mut text = vec![b'a'; MAX_LINE + 5];
        text.extend_from_slice(b"\nnext\n");
        let mut sink = Collect::default();
        Chunks::new(&text[..]).run(&mut sink).expect("memory does not fail");
        assert_eq!(sink.oversized, 1);
        assert_eq!(sink.lines, [(MAX_LINE as u64 + 6, b"next\n".to_vec())]);
    }
}
