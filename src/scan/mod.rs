//! Chunk -> the lines that are worth a look, found by a literal over the whole chunk, not line by line.
//!
//! Lines without the literal are counted and nothing else: that is where the speed comes from.

use aho_corasick::packed::Searcher;
use memchr::memmem::Finder;

use crate::source::Chunk;

/// Finds candidate lines.
pub struct Scanner {
    needle: Needle,
    ahead: Vec<usize>,
    previous: Previous,
    /// Equal lines in a row are handed over each for itself.
    each_counts: bool,
}

/// How candidates are found.
enum Needle {
    /// Every line is one.
    None,
    /// One by one: of two, the one that is not there is looked for once a chunk.
    Each(Box<[Finder<'static>]>),
    /// Teddy: as fast as two, for a few.
    Packed(Box<Searcher>),
}

/// More literals than this are looked for at once.
const ONE_BY_ONE: usize = 2;

impl Needle {
    fn of(literals: &[&'static [u8]]) -> Self {
        let each = || Self::Each(literals.iter().map(|literal| Finder::new(*literal)).collect());
        match literals.len() {
            0 => Self::None,
            1..=ONE_BY_ONE => each(),
            // Where the processor has no vectors for it, there is no searcher.
            _ => Searcher::new(literals).map_or_else(each, |searcher| Self::Packed(Box::new(searcher))),
        }
    }

    /// The first hit at or behind `at`. `ahead`: by literal, the next hit, or 0 where none was looked for.
    fn find(&self, bytes: &[u8], at: usize, ahead: &mut [usize]) -> Option<usize> {
        match self {
            Self::None => Some(at),
            Self::Packed(searcher) => searcher.find(&bytes[at..]).map(|found| at + found.start()),
            Self::Each(finders) => {
                let mut first = usize::MAX;
                for (finder, ahead) in finders.iter().zip(ahead) {
                    if *ahead <= at {
                        *ahead = finder.find(&bytes[at..]).map_or(usize::MAX, |found| at + found);
                    }
                    first = first.min(*ahead);
                }
                (first < usize::MAX).then_some(first)
            }
        }
    }

    /// How many literals keep their next hit.
    fn ahead(&self) -> usize {
        if let Self::Each(finders) = self { finders.len() } else { 0 }
    }
}

/// The candidate before, to tell a line that syslog wrote twice.
#[derive(Default)]
struct Previous {
    /// Offset behind its line end.
    end: u64,
    line: Vec<u8>,
}

/// Lines of a chunk by what the scan made of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scanned {
    /// Line ends, and an unfinished last line.
    pub lines: u64,
    /// Byte for byte the line before: one record, written twice.
    pub repeated: u64,
}

impl Scanner {
    /// `needles`: each line worth a look holds one of these literals; empty: every line is worth it.
    pub fn new(needles: &[&'static [u8]]) -> Self {
        let needle = Needle::of(needles);
        let ahead = vec![0; needle.ahead()];
        Self { needle, ahead, previous: Previous::default(), each_counts: false }
    }

    /// Whether equal lines in a row are each for itself, not one record that was written twice.
    pub fn each_counts(mut self, each_counts: bool) -> Self {
        self.each_counts = each_counts;
        self
    }

    /// Tells the scanner the line that stands right before `offset`.
    pub fn line_before(&mut self, offset: u64, line: &[u8]) {
        self.previous.end = offset;
        self.previous.line.clear();
        self.previous.line.extend_from_slice(trim_return(line));
    }

    /// Calls `each` with every candidate line (without its end) and its offset.
    pub fn scan(&mut self, chunk: Chunk<'_>, mut each: impl FnMut(u64, &[u8])) -> Scanned {
        let bytes = chunk.bytes;
        let unfinished = u64::from(bytes.last().is_some_and(|b| *b != b'\n'));
        let mut scanned =
            Scanned { lines: memchr::memchr_iter(b'\n', bytes).count() as u64 + unfinished, repeated: 0 };
        let mut last: Option<(usize, usize, usize)> = None;
        let mut at = 0;
        self.ahead.fill(0);
        while at < bytes.len() {
            let Some(hit) = self.needle.find(bytes, at, &mut self.ahead) else { break };
            let start = memchr::memrchr(b'\n', &bytes[at..hit]).map_or(at, |n| at + n + 1);
            let end = memchr::memchr(b'\n', &bytes[hit..]).map_or(bytes.len(), |n| hit + n);
            let mut line = trim_return(&bytes[start..end]);
            if chunk.offset + start as u64 == 0 {
                line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
            }
            let before = match last {
                Some((from, to, next)) if next == start => Some(&bytes[from..to]),
                None if self.previous.end == chunk.offset + start as u64 => Some(&self.previous.line[..]),
                _ => None,
            };
            if !line.is_empty() && before == Some(line) && !self.each_counts {
                scanned.repeated += 1;
            } else {
                each(chunk.offset + start as u64, line);
            }
            last = Some((start, start + trim_return(&bytes[start..end]).len(), end + 1));
            at = end + 1;
        }
        if let Some((from, to, next)) = last {
            self.previous.end = chunk.offset + next as u64;
            self.previous.line.clear();
            self.previous.line.extend_from_slice(&bytes[from..to]);
        }
        scanned
    }
}

fn trim_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn candidates(
        needles: &'static [&'static [u8]],
        text: &[u8],
        cut: usize,
    ) -> (Vec<(u64, Vec<u8>)>, Scanned) {
        let mut scanner = Scanner::new(needles);
        let mut found = Vec::new();
        let mut sum = Scanned::default();
        let cut = text[..cut.min(text.len())].iter().rposition(|b| *b == b'\n').map_or(0, |n| n + 1);
        for (offset, part) in [(0, &text[..cut]), (cut as u64, &text[cut..])] {
            let scanned = scanner.scan(Chunk::new(part, offset), |at, line| found.push((at, line.to_vec())));
            sum.lines += scanned.lines;
            sum.repeated += scanned.repeated;
        }
        (found, sum)
    }

    proptest! {
        #[test]
        fn the_prefilter_finds_what_a_look_at_each_line_finds(
            words in proptest::collection::vec("(relay=|x|y|\r|\n|\n|\n\n| )", 0..80), cut in 0usize..200,
        ) {
            let text = words.concat().into_bytes();
            let (all, counted_all) = candidates(&[], &text, 0);
            const NEEDLES: [&[&[u8]]; 3] = [&[b"relay="], &[b"relay=", b"y"], &[b"relay=", b"y", b"x"]];
            for needles in NEEDLES {
                let (fast, counted) = candidates(needles, &text, cut);
                let has = |line: &[u8]| needles.iter().any(|n| memchr::memmem::find(line, n).is_some());
                let slow: Vec<_> = all.iter().filter(|(_, line)| has(line)).cloned().collect();
                prop_assert_eq!(fast, slow);
                prop_assert_eq!(counted.lines, counted_all.lines);
            }
            let counted = counted_all;
            prop_assert_eq!(counted.lines, text.split_inclusive(|b| *b == b'\n').count() as u64);
        }
    }

    #[test]
    fn a_line_written_twice_is_one_record_also_across_chunks() {
        let text = b"a relay=1\na relay=1\nb relay=1\na relay=1\n";
        for cut in [0, 10, 20, 30] {
            let (found, scanned) = candidates(&[b"relay="], text, cut);
            assert_eq!((found.len(), scanned.repeated, scanned.lines), (3, 1, 4), "cut at {cut}");
        }
        let mut all = 0;
        Scanner::new(&[b"relay="]).each_counts(true).scan(Chunk::new(text, 0), |_, _| all += 1);
        assert_eq!(all, 4);
    }
}
