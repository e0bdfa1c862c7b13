//! Spans of plain files, read by position or through a memory map.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::time::{Duration, SystemTime};

use super::chunks::{Chunk, ChunkSink, Chunks, MAX_LINE};

/// Whether plain files are mapped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum MmapChoice {
    /// Files that nobody has written to for a while.
    #[default]
    Auto,
    Always,
    Never,
}

/// Bytes a span: large enough that handing out costs nothing, small enough that the last one is not waited for.
const SPAN: u64 = 8 << 20;
/// A file that was touched more recently than this may still be written to or truncated.
const SETTLED: Duration = Duration::from_secs(600);
/// Mapped behind a span's end, for the line that begins inside; longer lines are read by position.
const OVERHANG: u64 = 64 << 10;

/// Bytes that are handed out at once, well within a second-level cache.
const CACHED: usize = 256 << 10;

/// The part `start..end` of a plain file; its lines are those that start in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileSpan {
    pub start: u64,
    pub end: u64,
}

/// Cuts a file of `size` bytes into spans, at least one.
pub fn spans(size: u64, span: Option<u64>) -> Vec<FileSpan> {
    let width = span.unwrap_or(SPAN).max(1);
    let count = size.div_ceil(width).max(1);
    (0..count).map(|i| FileSpan { start: i * width, end: ((i + 1) * width).min(size) }).collect()
}

impl MmapChoice {
    /// Whether to map this file: a map of a file that is truncated under our feet kills the process (SIGBUS), so by
    /// default only files that look closed are mapped.
    pub fn applies(self, file: &File) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => file
                .metadata()
                .and_then(|m| m.modified())
                .ok()
                .and_then(|modified| SystemTime::now().duration_since(modified).ok())
                .is_some_and(|age| age > SETTLED),
        }
    }
}

/// Reads a file from a position on, without moving a shared cursor.
struct Positioned<'f> {
    file: &'f File,
    at: u64,
}

impl Read for Positioned<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read_at(buffer, self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}

impl FileSpan {
    /// Hands the span's lines to `sink`.
    pub fn read(self, file: &File, mapped: bool, sink: &mut dyn ChunkSink) -> io::Result<()> {
        if mapped && self.read_mapped(file, sink)? {
            return Ok(());
        }
        let from = self.start.saturating_sub(1);
        Chunks::span(Positioned { file, at: from }, self.start, self.end).run(sink)
    }

    /// The line before the span's first one, and where it ends: a repeated line is told across the edge. `None` at
    /// the file's start, and where that line is longer than 64 KiB.
    pub fn line_before(self, file: &File) -> io::Result<Option<(u64, Vec<u8>)>> {
        let from = self.start.saturating_sub(OVERHANG);
        let mut bytes = vec![0; (self.start - from + OVERHANG) as usize];
        let mut filled = 0;
        while filled < bytes.len() {
            match file.read_at(&mut bytes[filled..], from + filled as u64)? {
                0 => break,
                n => filled += n,
            }
        }
        bytes.truncate(filled);
        let Some(inside) = ((self.start - from) as usize).checked_sub(1).filter(|at| *at < filled) else {
            return Ok(None);
        };
        let Some(end) = memchr::memchr(b'\n', &bytes[inside..]).map(|n| inside + n) else { return Ok(None) };
        let begin = memchr::memrchr(b'\n', &bytes[..end]).map_or(0, |n| n + 1);
        Ok(Some((from + end as u64 + 1, bytes[begin..end].to_vec())))
    }

    /// False where the map does not do: the span's last line goes on far behind it.
    fn read_mapped(self, file: &File, sink: &mut dyn ChunkSink) -> io::Result<bool> {
        let size = file.metadata()?.len();
        let from = self.start.saturating_sub(1);
        let to = (self.end + OVERHANG).min(size);
        if to <= self.start {
            return Ok(true);
        }
        let map = map_range(file, from, (to - from) as usize)?;
        let bytes: &[u8] = &map;
        let begin = if self.start == 0 {
            0
        } else {
            match memchr::memchr(b'\n', bytes) {
                Some(newline) => newline + 1,
                None => return Ok(false),
            }
        };
        if from + begin as u64 >= self.end {
            return Ok(true);
        }
        let last = (self.end - from) as usize - 1;
        let stop = match memchr::memchr(b'\n', &bytes[last..]) {
            Some(newline) => last + newline + 1,
            None if to == size => bytes.len(),
            None => return Ok(false),
        };
        if stop - begin > MAX_LINE {
            return Ok(false);
        }
        let mut at = begin;
        while at < stop {
            // Lines are counted and searched for in turn: the second look at a chunk should find it in the cache.
            let end = match memchr::memchr(b'\n', &bytes[(at + CACHED).min(stop)..stop]) {
                Some(newline) => (at + CACHED).min(stop) + newline + 1,
                None => stop,
            };
            if !sink.chunk(Chunk::new(&bytes[at..end], from + at as u64)) {
                break;
            }
            at = end;
        }
        Ok(true)
    }
}

/// The one place with `unsafe`: a read-only map of a part of a file.
///
/// # Why it is sound enough
/// The compiler must not see the bytes change. Nobody in this process writes to the file; another process might, and
/// then a reader sees old or new bytes, as with `read`: they are parsed as untrusted bytes either way, and no
/// invariant rests on reading the same byte twice. A *truncated* file is another matter: touching a page behind the
/// new end raises SIGBUS. Hence maps are used only for files that look closed ([`MmapChoice::applies`]), window by
/// window and never for a followed file, and `--mmap never` turns them off.
#[allow(unsafe_code)]
fn map_range(file: &File, offset: u64, len: usize) -> io::Result<memmap2::Mmap> {
    // SAFETY: see above.
    unsafe { memmap2::MmapOptions::new().offset(offset).len(len).map(file) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[derive(Default)]
    struct Collect(Vec<(u64, Vec<u8>)>);

    impl ChunkSink for Collect {
        fn chunk(&mut self, chunk: Chunk<'_>) -> bool {
            let mut offset = chunk.offset;
            for line in chunk.bytes.split_inclusive(|b| *b == b'\n') {
                self.0.push((offset, line.to_vec()));
                offset += line.len() as u64;
            }
            true
        }
        fn oversized(&mut self, _: u64, _: &[u8]) {}
    }

    #[test]
    fn maps_and_positioned_reads_hand_out_the_same_lines() {
        let mut file = tempfile::tempfile().expect("a temporary file");
        let text: String =
            (0..2000).map(|i| format!("{}\n", "y".repeat(i * 37 % 150))).collect::<String>() + "end";
        file.write_all(text.as_bytes()).expect("written");
        for width in [1, 2, 7, 100, 4096, 1 << 20] {
            let mut mapped = Collect::default();
            let mut read = Collect::default();
            for span in spans(text.len() as u64, Some(width)) {
                span.read(&file, true, &mut mapped).expect("mapped");
                span.read(&file, false, &mut read).expect("read");
            }
            assert_eq!(mapped.0, read.0, "width {width}");
            assert_eq!(read.0.len(), 2001, "width {width}");
        }
    }
}
