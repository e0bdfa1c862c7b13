//! Where output goes, and what is said on stderr.

use std::fs::Permissions;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::NamedTempFile;

use crate::aggregate::{Snapshot, Status, Warning};
use crate::cli::{Active, OutArgs, ReadArgs};
use crate::text::{escape_controls, masked};

/// Why a command ended early.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Status 2.
    #[error("{0}")]
    Usage(String),
    /// Not a failure: what was asked for instead of a run.
    #[error("{0}")]
    Listing(String),
    /// Status 3, but for a closed pipe, which is no failure.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Status 3; names the file.
    #[error("{path}: {source}")]
    File { path: String, source: io::Error },
}

impl Failure {
    fn status(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Listing(_) => 0,
            Self::Io(error) | Self::File { source: error, .. }
                if error.kind() == io::ErrorKind::BrokenPipe =>
            {
                0
            }
            Self::Io(_) | Self::File { .. } => 3,
        }
    }
}

/// Says what went wrong and gives the exit status.
pub fn report(failure: &Failure) -> u8 {
    if let Failure::Listing(text) = failure {
        // A reader that has gone away is no failure either.
        let _ = print(text.as_bytes());
    }
    let status = failure.status();
    if status != 0 {
        eprintln!("eopwatch: {failure}");
    }
    status
}

/// Writes to stdout.
pub fn print(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// Writes to the file, whole or not at all, else to stdout.
pub fn write(bytes: &[u8], file: Option<&Path>) -> Result<(), Failure> {
    let Some(path) = file else { return Ok(print(bytes)?) };
    atomically(path, |out| out.write_all(bytes))
}

/// A file that has no name of its own yet. As any program writes one: others may read it where the user's mask lets them.
pub(super) fn unnamed(folder: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new().permissions(Permissions::from_mode(0o666)).tempfile_in(folder)
}

/// The file appears when it is complete.
pub fn atomically(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let failed = |error: io::Error| {
        let source = match error.kind() {
            io::ErrorKind::NotFound => io::Error::other("there is no such folder (make it first)"),
            // Without the name of the file that is written in its place.
            kind => error.raw_os_error().map_or_else(|| kind.into(), io::Error::from_raw_os_error),
        };
        Failure::File { path: path.display().to_string(), source }
    };
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = unnamed(folder).map_err(failed)?;
    let mut out = io::BufWriter::new(&mut file);
    fill(&mut out).and_then(|()| out.flush()).map_err(failed)?;
    drop(out);
    file.persist(path).map_err(|e| failed(e.error))?;
    Ok(())
}

/// Prints warnings and errors.
pub fn warn(warnings: &[Warning], args: &ReadArgs) {
    for warning in warnings {
        if args.quiet && !warning.is_error {
            continue;
        }
        let text = escape_controls(warning.text.as_bytes());
        let text = masked(text, args.mask);
        match &warning.path {
            Some(path) => eprintln!("eopwatch: {}: {text}", escape_controls(path.as_bytes())),
            None => eprintln!("eopwatch: {text}"),
        }
    }
}

/// Whether something of this kind is active at the end.
fn is_active(snapshot: &Snapshot, what: Active) -> bool {
    snapshot.sources.iter().any(|s| match what {
        Active::Blocked => s.status == Status::Blocked,
        Active::Throttled => s.status == Status::Throttled,
        Active::Any => s.status != Status::Clear,
    })
}

/// Whether a report is to be written.
pub fn is_wanted(snapshot: &Snapshot, out: &OutArgs) -> bool {
    out.only_if.is_none_or(|what| is_active(snapshot, what))
}

/// Says what the user should know and gives the exit status.
pub fn status(snapshot: &Snapshot, args: &ReadArgs) -> u8 {
    warn(&snapshot.warnings, args);
    exit_status(snapshot, args)
}

/// The exit status of a command that has read logs.
pub fn exit_status(snapshot: &Snapshot, args: &ReadArgs) -> u8 {
    if snapshot.warnings.iter().any(|warning| warning.is_error) {
        return 3;
    }
    u8::from(args.fail_on.is_some_and(|what| is_active(snapshot, what)))
}
