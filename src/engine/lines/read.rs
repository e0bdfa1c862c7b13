//! Lines of a list, read where they stand.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use foldhash::HashMap;

use crate::engine::run::Run;
use crate::engine::visit::{Eyes, Found, Wanted};
use crate::record::Line;
use crate::source::MAX_LINE;
use crate::text::escape_controls;

use super::LogLine;
use super::files::{ListedFile, Listing};
use super::mark::Mark;
use super::spool::{Kept, Unpacked};

/// What is kept of a line that nobody looks at as a whole.
const CUT: usize = 16 << 10;
/// Read at once: a few hundred lines.
const PAGE: usize = 64 << 10;

impl Kept {
    /// What is shown of an attempt.
    pub fn of(found: &Found<'_>) -> Self {
        let tag = found.judged.host_tag.map(escape_controls);
        Self {
            offset: found.offset,
            source: found
                .source_ip
                .map(|ip| ip.to_string())
                .or(found.attempt.source_name.map(escape_controls)),
            domain: found.recipient_domain.clone(),
            datacenter: tag.or_else(|| found.datacenter.forest.clone()),
            reply_id: found.judged.verdict.id.to_string(),
            text: found.line.to_vec(),
        }
    }

    fn shown(self, mark: Mark, path: &Arc<str>, whole: bool) -> LogLine {
        let size = self.text.len();
        let mut text = self.text;
        if !whole {
            text.truncate(CUT);
        }
        LogLine {
            time: mark.time(),
            path: Arc::clone(path),
            offset: self.offset,
            text: text.into(),
            size: size as u64,
            source: self.source,
            domain: self.domain,
            datacenter: self.datacenter,
            reply_id: self.reply_id,
            is_refusal: mark.is_refusal(),
        }
    }
}

/// A line that cannot be shown: why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gone(pub Arc<str>);

impl Gone {
    fn changed() -> Self {
        Self("this line is gone: its file was changed since".into())
    }

    fn error(error: &io::Error) -> Self {
        Self(format!("this line cannot be read: {error}").into())
    }
}

/// Reads lines of a list; what lies near the last one costs nothing.
pub struct Pages<'r> {
    run: &'r Run,
    listing: &'r Listing,
    /// The file whose bytes or lines are at hand.
    at_hand: Option<(usize, Arc<ListedFile>)>,
    page: Page,
    block: Option<Unpacked>,
    eyes: HashMap<usize, Eyes<'r>>,
}

impl<'r> Pages<'r> {
    pub fn new(run: &'r Run, listing: &'r Listing) -> Self {
        let (page, eyes) = (Page::default(), HashMap::default());
        Self { run, listing, at_hand: None, page, block: None, eyes }
    }

    /// A line with what is known of it; `whole`: all of its text.
    pub fn line(&mut self, mark: Mark, whole: bool) -> Result<LogLine, Gone> {
        let listed = self.turn_to(mark)?;
        let path = &self.run.inputs[listed.input].name;
        if let Some(block) = &self.block {
            let kept =
                block.line(mark.place()).filter(|kept| mark.is_of(&kept.text)).ok_or_else(Gone::changed)?;
            return Ok(kept.clone().shown(mark, path, whole));
        }
        let text = self.page.line(mark.place()).filter(|text| mark.is_of(text)).ok_or_else(Gone::changed)?;
        let offset = mark.place();
        let mut kept = None;
        let (run, listing) = (self.run, self.listing);
        let eyes = self.eyes.entry(mark.file()).or_insert_with(|| {
            let clock = run.inputs[listed.input].clock_at(0);
            Eyes::new(
                run,
                &listing.lessons,
                Wanted::lines(&listing.no_filter),
                listed.input,
                listed.format,
                &clock,
            )
            .of_other_file()
        });
        eyes.line(Line { bytes: text, offset }, &mut |found| {
            if found.nth == mark.nth() {
                kept = Some(Kept::of(found));
            }
            true
        });
        // What was understood once and is no more: the text at least.
        let kept = kept.unwrap_or_else(|| Kept { offset, text: text.to_vec(), ..Kept::default() });
        Ok(kept.shown(mark, path, whole))
    }

    /// A line's text alone.
    pub fn text(&mut self, mark: Mark) -> Option<&[u8]> {
        self.turn_to(mark).ok()?;
        match &self.block {
            Some(block) => block.line(mark.place()).map(|kept| &kept.text[..]),
            None => self.page.line(mark.place()),
        }
        .filter(|text| mark.is_of(text))
    }

    /// Has the bytes, or the kept lines, around a line at hand.
    fn turn_to(&mut self, mark: Mark) -> Result<Arc<ListedFile>, Gone> {
        let listed = match &self.at_hand {
            Some((number, listed)) if *number == mark.file() => Arc::clone(listed),
            _ => {
                let listed = self.listing.file(mark.file()).ok_or_else(Gone::changed)?;
                self.at_hand = Some((mark.file(), Arc::clone(&listed)));
                self.block = None;
                if listed.shelf.is_none() {
                    let file = listed.open(self.run).map_err(|error| Gone::error(&error))?;
                    self.page.turn_to(file);
                }
                listed
            }
        };
        let result = match &listed.shelf {
            Some(shelf) => match &self.block {
                Some(block) if block.line(mark.place()).is_some() => Ok(()),
                _ => shelf.block(mark.place()).map(|block| self.block = Some(block)),
            },
            None => self.page.load(mark.place()),
        };
        result.map_err(|error| Gone::error(&error))?;
        Ok(listed)
    }
}

/// A stretch of a file.
#[derive(Default)]
struct Page {
    file: Option<Arc<File>>,
    bytes: Vec<u8>,
    /// Of the first byte.
    start: u64,
    /// The file ends here.
    is_last: bool,
}

impl Page {
    fn turn_to(&mut self, file: Arc<File>) {
        *self = Self { file: Some(file), bytes: std::mem::take(&mut self.bytes), ..Self::default() };
        self.bytes.clear();
    }

    /// Where the line at `place` stands in the page, with the byte before it and the line end, if all of that is there.
    fn find(&self, place: u64) -> Option<Range<usize>> {
        let from = usize::try_from(place.checked_sub(self.start)?).ok()?;
        if from > self.bytes.len() || from == 0 && place > 0 {
            return None;
        }
        match memchr::memchr(b'\n', &self.bytes[from..]) {
            Some(len) => Some(from..from + len),
            None => self.is_last.then_some(from..self.bytes.len()),
        }
    }

    /// Reads what holds the line at `place`.
    fn load(&mut self, place: u64) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let (mut size, start) = (PAGE, place.saturating_sub(1));
        while self.find(place).is_none() {
            self.start = start;
            self.bytes.resize(size, 0);
            let mut filled = 0;
            while filled < size {
                match file.read_at(&mut self.bytes[filled..], start + filled as u64) {
                    Ok(0) => break,
                    Ok(n) => filled += n,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => {
                        self.bytes.clear();
                        return Err(error);
                    }
                }
            }
            self.bytes.truncate(filled);
            self.is_last = filled < size;
            if self.is_last || size > MAX_LINE + 1 {
                break;
            }
            size *= 8;
        }
        Ok(())
    }

    /// The line at `place`, without its end; `None` where no line begins there.
    fn line(&self, place: u64) -> Option<&[u8]> {
        let range = self.find(place)?;
        if place > 0 && self.bytes[range.start - 1] != b'\n' || range.is_empty() {
            return None;
        }
        let line = &self.bytes[range];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        // As the scan does with a byte order mark.
        Some(if place == 0 { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line) } else { line })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_page_gives_every_line_and_nothing_where_none_begins() {
        let mut file = tempfile::tempfile().expect("a temporary file");
        let lines: Vec<String> = (0..3000)
            .map(|i| match i {
                1234 => "y".repeat(1_000_000),
                1235 => "cr\r".to_owned(),
                _ => format!("line {i} {}", "x".repeat(i * 31 % 170)),
            })
            .collect();
        file.write_all(lines.join("\n").as_bytes()).expect("written");
        let mut starts = vec![0];
        starts.extend(lines.iter().scan(0, |at, line| {
            *at += line.len() as u64 + 1;
            Some(*at)
        }));
        let mut page = Page::default();
        page.turn_to(Arc::new(file));
        let mut order: Vec<usize> = (0..lines.len()).collect();
        fastrand::Rng::with_seed(7).shuffle(&mut order[..1000]);
        for at in order {
            page.load(starts[at]).expect("read");
            let expected = lines[at].strip_suffix('\r').unwrap_or(&lines[at]);
            assert_eq!(page.line(starts[at]), Some(expected.as_bytes()), "line {at}");
        }
        for place in [starts[10] + 1, starts[1234] + 5, starts[3000], u64::MAX >> 22] {
            page.load(place).expect("read");
            assert_eq!(page.line(place), None, "{place}");
        }
    }
}
