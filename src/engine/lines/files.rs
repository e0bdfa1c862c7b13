//! Where the lines of a list stand: files that are kept open, so that they can be read after a rotation, and shelves.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::aggregate::Filter;
use crate::engine::prepare::{HEAD, Prepared};
use crate::engine::run::Run;
use crate::engine::visit::Lessons;
use crate::record::{self, Format, Order};
use crate::source::{FileSpan, spans};

use super::spool::{Shelf, Spool};

/// Files that are kept open: far less than a process may have.
const MOST_OPEN: usize = 256;
/// Of one input: the file that is there now and those that were rotated away. More would keep the disk from being freed.
const GENERATIONS: usize = 3;

/// The plain files of a run, open.
pub struct OpenFiles {
    /// By input, the newest last.
    by_input: Mutex<Vec<Vec<Arc<File>>>>,
}

fn identity(meta: &fs::Metadata) -> (u64, u64) {
    (meta.dev(), meta.ino())
}

impl OpenFiles {
    /// Opens what is there now.
    pub fn of(run: &Run) -> Self {
        let mut left = MOST_OPEN;
        let by_input = run.inputs.iter().map(|input| {
            let file = input.plain_file().filter(|_| left > 0).and_then(|path| File::open(path).ok());
            left -= usize::from(file.is_some());
            file.into_iter().map(Arc::new).collect()
        });
        Self { by_input: Mutex::new(by_input.collect()) }
    }

    /// Opens what has come in the place of a file that was rotated away.
    pub fn look(&self, run: &Run) {
        let mut by_input = self.by_input.lock().unwrap_or_else(PoisonError::into_inner);
        for (input, files) in run.inputs.iter().zip(&mut *by_input) {
            let (Some(path), Some(last)) = (input.plain_file(), files.last()) else { continue };
            let (Ok(new), Ok(old)) = (fs::metadata(path), last.metadata()) else { continue };
            if identity(&new) != identity(&old)
                && let Ok(file) = File::open(path)
            {
                files.push(Arc::new(file));
                files.drain(..files.len().saturating_sub(GENERATIONS));
            }
        }
    }

    /// The files of an input, the newest last.
    pub fn of_input(&self, input: usize) -> Vec<Arc<File>> {
        let by_input = self.by_input.lock().unwrap_or_else(PoisonError::into_inner);
        by_input[input].clone()
    }
}

/// One file of a list.
pub struct ListedFile {
    pub input: usize,
    /// It is the one that was there at the start.
    pub is_prepared: bool,
    pub format: &'static dyn Format,
    /// Kept open; `None`: opened where it is read.
    pub file: Option<Arc<File>>,
    /// Where its lines are kept, if they cannot be read again where they stand.
    pub shelf: Option<Arc<Shelf>>,
}

impl ListedFile {
    /// The plain file.
    pub fn open(&self, run: &Run) -> io::Result<Arc<File>> {
        match (&self.file, run.inputs[self.input].plain_file()) {
            (Some(file), _) => Ok(Arc::clone(file)),
            (None, Some(path)) => File::open(path).map(Arc::new),
            (None, None) => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

/// What one list is about: which lines, and where they stand.
pub struct Listing {
    pub number: u64,
    pub filter: Filter,
    /// For a line that is known to be in the list.
    pub no_filter: Filter,
    pub lessons: Lessons,
    pub spool: Arc<Spool>,
    files: RwLock<Vec<Arc<ListedFile>>>,
}

impl Listing {
    /// Over all files that are open, and those inputs that are none.
    pub fn new(run: &Run, files: &OpenFiles, filter: Filter, number: u64) -> Self {
        let listing = Self {
            number,
            filter,
            no_filter: Filter::default(),
            lessons: Lessons::of(run),
            spool: Arc::default(),
            files: RwLock::default(),
        };
        for input in (0..run.inputs.len()).filter(|input| !run.inputs[*input].is_pipe()) {
            let open = files.of_input(input);
            if open.is_empty() {
                listing.add(run, input, None, true);
            }
            for (generation, file) in open.into_iter().enumerate() {
                let is_prepared = generation == 0 && is_prepared(&run.inputs[input], &file);
                listing.add(run, input, Some(file), is_prepared);
            }
        }
        listing
    }

    /// Adds a file, unless no format fits it; gives its number.
    pub fn add(&self, run: &Run, input: usize, file: Option<Arc<File>>, is_prepared: bool) -> Option<usize> {
        let prepared = &run.inputs[input];
        let format = prepared.format.or_else(|| format_of(file.as_deref()?))?;
        // Nothing but the line itself is needed to understand it.
        let stands_alone = format.order() == Order::Any && !format.spans_lines();
        let shelf = (!stands_alone || prepared.plain_file().is_none())
            .then(|| Arc::new(Shelf::new(Arc::clone(&self.spool))));
        let mut files = self.files.write().unwrap_or_else(PoisonError::into_inner);
        files.push(Arc::new(ListedFile { input, is_prepared, format, file, shelf }));
        Some(files.len() - 1)
    }

    /// All files, by their numbers.
    pub fn files(&self) -> Vec<Arc<ListedFile>> {
        self.files.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// One of them.
    pub fn file(&self, number: usize) -> Option<Arc<ListedFile>> {
        self.files.read().unwrap_or_else(PoisonError::into_inner).get(number).cloned()
    }
}

/// A file that is followed may have been empty at the start, or shorter than what was counted then.
fn is_prepared(input: &Prepared, file: &File) -> bool {
    input.format.is_some() && file.metadata().is_ok_and(|meta| meta.len() >= input.size)
}

fn format_of(file: &File) -> Option<&'static dyn Format> {
    let mut head = vec![0; HEAD];
    let got = file.read_at(&mut head, 0).ok()?;
    record::guess(&head[..got])
}

/// The stretches of a file up to `end` that may be read by several at once.
pub fn stretches(run: &Run, end: u64) -> Vec<FileSpan> {
    spans(end, run.options.span)
}
