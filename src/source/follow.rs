//! Follows a growing plain file across rename rotation, truncation and replacement.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::chunks::{ChunkSink, Chunks};

/// What happened to a followed file, for the message list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Followed {
    /// Nothing but new lines, or none.
    Same,
    /// Renamed away and made anew: the old one was read to its end, the new one from its start.
    Rotated,
    /// Became shorter, or its beginning changed: read again from the start.
    Truncated,
    /// There is no such file at the moment.
    Missing,
}

/// Bytes at the beginning that tell a file from another one in the same place.
const FINGERPRINT: usize = 256;

/// After a rotation the MTA may go on writing to the old file for so long, until it is told to open the new one.
const GRACE: Duration = Duration::from_secs(30);

/// A file that was rotated away.
struct Before {
    file: File,
    offset: u64,
    since: Instant,
}

/// A followed file.
pub struct Tail {
    path: PathBuf,
    file: Option<File>,
    inode: (u64, u64),
    fingerprint: Vec<u8>,
    offset: u64,
    before: Option<Before>,
}

/// Reads from a position on.
struct At<'f>(&'f File, u64);

impl Read for At<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.0.read_at(buffer, self.1)?;
        self.1 += n as u64;
        Ok(n)
    }
}

impl Tail {
    /// Follows `file`, opened from `path`, from `offset` on, which is a line's start.
    pub fn new(path: &Path, file: File, offset: u64) -> io::Result<Self> {
        let meta = file.metadata()?;
        let mut tail = Self {
            path: path.to_owned(),
            file: Some(file),
            inode: (meta.dev(), meta.ino()),
            fingerprint: Vec::new(),
            offset,
            before: None,
        };
        tail.take_fingerprint()?;
        Ok(tail)
    }

    /// Where the next line to read begins.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes that were written and not yet read; those of an unfinished last line are among them.
    pub fn behind(&self) -> u64 {
        let size = self.file.as_ref().and_then(|file| file.metadata().ok()).map_or(0, |meta| meta.len());
        size.saturating_sub(self.offset)
    }

    /// The length of `file` up to the end of its last whole line.
    pub fn whole_lines(file: &File) -> io::Result<u64> {
        let mut end = file.metadata()?.len();
        let mut buffer = vec![0; 64 << 10];
        while end > 0 {
            let from = end.saturating_sub(buffer.len() as u64);
            let part = &mut buffer[..(end - from) as usize];
            file.read_exact_at(part, from)?;
            if let Some(newline) = memchr::memrchr(b'\n', part) {
                return Ok(from + newline as u64 + 1);
            }
            end = from;
        }
        Ok(0)
    }

    /// The beginning of the file that is there now: one that was empty at first shows its format later.
    pub fn head(&self) -> io::Result<Vec<u8>> {
        let mut head = vec![0; 64 << 10];
        let got = File::open(&self.path)?.read_at(&mut head, 0)?;
        head.truncate(got);
        Ok(head)
    }

    /// Hands all whole new lines to `sink`. After [`Followed::Rotated`] or [`Followed::Truncated`] the offsets begin
    /// at 0 again.
    pub fn poll(&mut self, sink: &mut dyn ChunkSink) -> io::Result<Followed> {
        if let Some(before) = &mut self.before {
            read_on(&before.file, &mut before.offset, sink)?;
        }
        self.before.take_if(|before| before.since.elapsed() > GRACE);
        let present = match std::fs::metadata(&self.path) {
            Ok(meta) => Some(meta),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => return Err(e),
        };
        let mut followed = Followed::Same;
        if let Some(file) = &self.file {
            let size = file.metadata()?.len();
            if size < self.offset || !self.same_beginning(file)? {
                self.offset = 0;
                self.fingerprint.clear();
                followed = Followed::Truncated;
            }
        }
        self.read_new(sink)?;
        match present {
            Some(meta) if self.file.is_none() || (meta.dev(), meta.ino()) != self.inode => {
                let file = File::open(&self.path)?;
                let meta = file.metadata()?;
                self.inode = (meta.dev(), meta.ino());
                let (old, offset) = (self.file.replace(file), self.offset);
                self.before = old.map(|file| Before { file, offset, since: Instant::now() });
                self.offset = 0;
                self.fingerprint.clear();
                self.read_new(sink)?;
                followed = Followed::Rotated;
            }
            Some(_) => {}
            None => followed = Followed::Missing,
        }
        Ok(followed)
    }

    fn read_new(&mut self, sink: &mut dyn ChunkSink) -> io::Result<()> {
        if let Some(file) = &self.file {
            read_on(file, &mut self.offset, sink)?;
        }
        self.take_fingerprint()
    }

    fn take_fingerprint(&mut self) -> io::Result<()> {
        if self.fingerprint.len() < FINGERPRINT
            && let Some(file) = &self.file
        {
            let mut bytes = [0; FINGERPRINT];
            let wanted = FINGERPRINT.min(self.offset as usize);
            let got = file.read_at(&mut bytes[..wanted], 0)?;
            self.fingerprint = bytes[..got].to_vec();
        }
        Ok(())
    }

    fn same_beginning(&self, file: &File) -> io::Result<bool> {
        let mut bytes = [0; FINGERPRINT];
        let got = file.read_at(&mut bytes[..self.fingerprint.len()], 0)?;
        Ok(bytes[..got] == self.fingerprint[..])
    }
}

/// Hands on the whole lines behind an offset.
fn read_on(file: &File, offset: &mut u64, sink: &mut dyn ChunkSink) -> io::Result<()> {
    if file.metadata()?.len() > *offset {
        let mut chunks = Chunks::resume(At(file, *offset), *offset).hold_partial();
        chunks.run(sink)?;
        *offset = chunks.rest();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::chunks::Chunk;
    use super::*;
    use std::fs;
    use std::io::Write;

    #[derive(Default)]
    struct Text(String);

    impl ChunkSink for Text {
        fn chunk(&mut self, chunk: Chunk<'_>) -> bool {
            self.0.push_str(&String::from_utf8_lossy(chunk.bytes));
            true
        }
        fn oversized(&mut self, _: u64, _: &[u8]) {}
    }

    #[test]
    fn growth_rename_and_truncation_are_followed_without_loss_or_repeat() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("mail.log");
        fs::write(&path, "one\ntw").expect("written");
        let file = File::open(&path).expect("opened");
        let begin = Tail::whole_lines(&file).expect("read");
        assert_eq!(begin, 4);
        let mut tail = Tail::new(&path, file, begin).expect("followed");
        let mut text = Text::default();
        assert_eq!(tail.poll(&mut text).expect("polled"), Followed::Same);
        assert_eq!(text.0, "", "an unfinished line waits");
        assert_eq!(tail.behind(), 2);

        let mut writer = fs::OpenOptions::new().append(true).open(&path).expect("opened");
        writer.write_all(b"o\nthree\n").expect("written");
        assert_eq!(tail.behind(), 10);
        tail.poll(&mut text).expect("polled");
        assert_eq!(tail.behind(), 0);
        assert_eq!(text.0, "two\nthree\n");

        fs::rename(&path, folder.path().join("mail.log.1")).expect("renamed");
        writer.write_all(b"last of the old\n").expect("written");
        fs::write(&path, "first of the new\n").expect("written");
        text.0.clear();
        assert_eq!(tail.poll(&mut text).expect("polled"), Followed::Rotated);
        assert_eq!(text.0, "last of the old\nfirst of the new\n");
        // Who writes has not been told yet.
        writer.write_all(b"very last of the old\n").expect("written");
        text.0.clear();
        assert_eq!(tail.poll(&mut text).expect("polled"), Followed::Same);
        assert_eq!(text.0, "very last of the old\n");

        fs::write(&path, "after\n").expect("truncated");
        text.0.clear();
        assert_eq!(tail.poll(&mut text).expect("polled"), Followed::Truncated);
        assert_eq!(text.0, "after\n");

        fs::remove_file(&path).expect("removed");
        assert_eq!(tail.poll(&mut text).expect("polled"), Followed::Missing);
        fs::write(&path, "back\n").expect("written");
        text.0.clear();
        assert_eq!(tail.poll(&mut text).expect("polled"), Followed::Rotated);
        assert_eq!(text.0, "back\n");
    }
}
