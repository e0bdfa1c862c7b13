//! Lines that cannot be read again where they stand, because the input is compressed or only makes sense in order: kept
//! in a temporary file without a name, in compressed blocks. A list of tens of millions of lines of a `.gz` then takes
//! some fifty bytes a line on disk and none in memory; to restart in the middle of a `.gz` would take 32 kB of memory for
//! each place one can restart at, and the unpacking of all that lies between for each jump.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

/// Bytes of lines in a block: what has to be unpacked for one of them.
const BLOCK: usize = 64 << 10;
/// The fastest of zstd's levels that is worth it: log lines shrink to a ninth.
const LEVEL: i32 = 1;

/// The temporary file of a list, shared by its inputs. It is gone with the list.
#[derive(Default)]
pub struct Spool {
    file: OnceLock<File>,
    size: AtomicU64,
}

impl Spool {
    /// Bytes on disk.
    pub fn size(&self) -> u64 {
        self.size.load(Ordering::Relaxed)
    }

    fn file(&self) -> io::Result<&File> {
        if let Some(file) = self.file.get() {
            return Ok(file);
        }
        let new = tempfile::tempfile()?;
        Ok(self.file.get_or_init(|| new))
    }

    fn append(&self, bytes: &[u8]) -> io::Result<u64> {
        let file = self.file()?;
        let at = self.size.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        file.write_all_at(bytes, at)?;
        Ok(at)
    }
}

/// A kept line with what was known of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Where it stands in the decompressed input.
    pub offset: u64,
    pub source: Option<String>,
    pub domain: Option<String>,
    pub datacenter: Option<String>,
    pub reply_id: String,
    pub text: Vec<u8>,
}

impl Kept {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.offset.to_le_bytes());
        let fields = [&self.source, &self.domain, &self.datacenter].map(|f| f.as_deref().map(str::as_bytes));
        for field in fields.into_iter().chain([Some(self.reply_id.as_bytes()), Some(&self.text)]) {
            out.extend_from_slice(&field.map_or(NONE, |field| field.len() as u32).to_le_bytes());
            out.extend_from_slice(field.unwrap_or_default());
        }
    }

    /// Reads one, and moves on behind it.
    fn read(bytes: &mut &[u8]) -> Option<Self> {
        let offset = u64::from_le_bytes(*bytes.split_off(..8)?.first_chunk()?);
        let mut field = || {
            let len = u32::from_le_bytes(*bytes.split_off(..4)?.first_chunk()?);
            if len == NONE { Some(None) } else { Some(Some(bytes.split_off(..len as usize)?)) }
        };
        let mut fields = [const { None }; 5];
        for slot in &mut fields {
            *slot = field()?;
        }
        let text = |field: Option<&[u8]>| field.map(|field| crate::text::utf8(field).into_owned());
        let [source, domain, datacenter, reply_id, line] = fields;
        Some(Self {
            offset,
            source: text(source),
            domain: text(domain),
            datacenter: text(datacenter),
            reply_id: text(reply_id)?,
            text: line?.to_vec(),
        })
    }
}

/// Length of a field that is not there; lines are shorter.
const NONE: u32 = u32::MAX;

#[derive(Clone, Copy)]
struct Block {
    /// Number of its first line.
    first: u64,
    at: u64,
    len: u32,
    /// Unpacked.
    size: u32,
}

/// Where the lines of one input stand in the spool.
pub struct Shelf {
    spool: Arc<Spool>,
    blocks: RwLock<Vec<Block>>,
}

/// The lines of one block.
pub struct Unpacked {
    first: u64,
    pub lines: Vec<Kept>,
}

impl Unpacked {
    /// A line by its number.
    pub fn line(&self, number: u64) -> Option<&Kept> {
        self.lines.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }
}

impl Shelf {
    pub fn new(spool: Arc<Spool>) -> Self {
        Self { spool, blocks: RwLock::default() }
    }

    /// The block that holds a line.
    pub fn block(&self, number: u64) -> io::Result<Unpacked> {
        let block = {
            let blocks = self.blocks.read().unwrap_or_else(PoisonError::into_inner);
            let at = blocks.partition_point(|block| block.first <= number);
            at.checked_sub(1).map(|at| blocks[at])
        };
        let Some(block) = block else { return Err(io::ErrorKind::NotFound.into()) };
        let mut packed = vec![0; block.len as usize];
        self.spool.file()?.read_exact_at(&mut packed, block.at)?;
        let unpacked = zstd::bulk::decompress(&packed, block.size as usize)?;
        let mut rest = &unpacked[..];
        let lines = std::iter::from_fn(|| Kept::read(&mut rest)).collect();
        Ok(Unpacked { first: block.first, lines })
    }
}

/// Puts lines on a shelf.
pub struct Stocker {
    shelf: Arc<Shelf>,
    open: Vec<u8>,
    /// Number of the first line in `open`, and of the next one.
    first: u64,
    next: u64,
}

impl Stocker {
    pub fn new(shelf: Arc<Shelf>) -> Self {
        Self { shelf, open: Vec::new(), first: 0, next: 0 }
    }

    /// Gives the line's number. It can be read after the next [`Self::flush`].
    pub fn add(&mut self, line: &Kept) -> io::Result<u64> {
        if self.open.len() >= BLOCK {
            self.flush()?;
        }
        line.write(&mut self.open);
        self.next += 1;
        Ok(self.next - 1)
    }

    pub fn flush(&mut self) -> io::Result<()> {
        if self.open.is_empty() {
            return Ok(());
        }
        let packed = zstd::bulk::compress(&self.open, LEVEL)?;
        let at = self.shelf.spool.append(&packed)?;
        let block = Block { first: self.first, at, len: packed.len() as u32, size: self.open.len() as u32 };
        self.shelf.blocks.write().unwrap_or_else(PoisonError::into_inner).push(block);
        self.first = self.next;
        self.open.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back_as_they_were() {
        let spool = Arc::<Spool>::default();
        let mut stockers: Vec<Stocker> =
            (0..2).map(|_| Stocker::new(Arc::new(Shelf::new(Arc::clone(&spool))))).collect();
        let line = |shelf: usize, i: u64| Kept {
            offset: i * 400,
            source: i.is_multiple_of(2).then(|| format!("192.0.2.{}", i % 256)),
            domain: i.is_multiple_of(3).then(String::new),
            datacenter: None,
            reply_id: format!("reply-{shelf}"),
            text: match i {
                77 => vec![b'x'; 1_000_000],
                78 => b"\xff\x1b\0".to_vec(),
                _ => format!("line {i}").into_bytes(),
            },
        };
        const LINES: u64 = 5000;
        for i in 0..LINES {
            for (shelf, stocker) in stockers.iter_mut().enumerate() {
                assert_eq!(stocker.add(&line(shelf, i)).expect("kept"), i);
                if i % 1000 == 0 {
                    stocker.flush().expect("written");
                }
            }
        }
        for (shelf, stocker) in stockers.iter_mut().enumerate() {
            stocker.flush().expect("written");
            for i in [0, 1, 76, 77, 78, 999, 1000, 1001, 2500, LINES - 1] {
                let block = stocker.shelf.block(i).expect("read");
                assert_eq!(block.line(i), Some(&line(shelf, i)), "{shelf} {i}");
            }
            assert!(stocker.shelf.block(LINES).expect("the last block").line(LINES).is_none());
        }
        assert!((1..400_000).contains(&spool.size()), "{} bytes on disk", spool.size());
    }
}
