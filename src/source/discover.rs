//! Which inputs there are: files as given, a folder's files by name, stdin, or the usual places.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where an input's bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    File(PathBuf),
    /// A pipe, which can be read once; stdin without a path.
    Stream(Option<PathBuf>),
}

/// An input, and whether the user named it or a folder held it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovered {
    pub location: Location,
    /// Found in a folder or a usual place: it may well be no log at all.
    pub found: bool,
}

impl Discovered {
    /// The path as given or found; `-` for stdin.
    pub fn name(&self) -> String {
        match &self.location {
            Location::File(path) | Location::Stream(Some(path)) => path.display().to_string(),
            Location::Stream(None) => "-".to_owned(),
        }
    }

    /// Whether it was found in this folder.
    pub fn is_in(&self, folder: &Path) -> bool {
        matches!(&self.location, Location::File(path) if self.found && path.starts_with(folder))
    }
}

/// Where logs are when nobody says where.
const USUAL_PLACES: [&str; 6] = [
    "/var/log/mail.log*",
    "/var/log/maillog*",
    "/var/log/exim4/mainlog*",
    "/var/log/exim/main.log*",
    "/var/log/pmta/*.csv",
    "/var/log/kumomta/*",
];

/// Resolves the paths in their order; each failure comes with the path it concerns.
pub fn discover(paths: &[PathBuf]) -> (Vec<Discovered>, Vec<(PathBuf, io::Error)>) {
    let mut inputs = Vec::new();
    let mut errors = Vec::new();
    if paths.is_empty() {
        for place in USUAL_PLACES {
            inputs.extend(usual_place(Path::new(place)));
        }
    }
    for path in paths {
        if path.as_os_str() == "-" {
            inputs.push(Discovered { location: Location::Stream(None), found: false });
        } else if path.is_dir() {
            match folder(path) {
                Ok(files) => inputs.extend(
                    files.into_iter().map(|f| Discovered { location: Location::File(f), found: true }),
                ),
                Err(e) => errors.push((path.clone(), e)),
            }
        } else if path.metadata().is_ok_and(|m| !m.is_file()) {
            inputs.push(Discovered { location: Location::Stream(Some(path.clone())), found: false });
        } else {
            // Whether it can be opened is told when it is read, so that the error stands at its place.
            inputs.push(Discovered { location: Location::File(path.clone()), found: false });
        }
    }
    (inputs, errors)
}

/// A folder's files by name, hidden ones left out; a Maildir's messages, read and unread.
fn folder(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let is_maildir = ["cur", "new", "tmp"].iter().all(|name| path.join(name).is_dir());
    if is_maildir {
        // What lies in `tmp` is still being written.
        for name in ["cur", "new"] {
            list(&path.join(name), &mut files)?;
        }
    } else {
        list(path, &mut files)?;
    }
    Ok(files)
}

fn list(path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let start = files.len();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        // A link is what it points at.
        let kind = entry.file_type()?;
        if !hidden && (kind.is_file() || kind.is_symlink() && entry.path().is_file()) {
            files.push(entry.path());
        }
    }
    files[start..].sort();
    Ok(())
}

/// Files that match `folder/prefix*suffix`.
fn usual_place(pattern: &Path) -> Vec<Discovered> {
    let (Some(parent), Some(name)) = (pattern.parent(), pattern.file_name().and_then(|n| n.to_str())) else {
        return Vec::new();
    };
    let (prefix, suffix) = name.split_once('*').unwrap_or((name, ""));
    folder(parent)
        .unwrap_or_default()
        .into_iter()
        .filter(|f| {
            f.file_name()
                .and_then(|n| n.to_str())
                .is_some_and(|n| n.starts_with(prefix) && n.ends_with(suffix))
        })
        .map(|f| Discovered { location: Location::File(f), found: true })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_maildirs() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let touch = |name: &str| fs::write(root.path().join(name), "x").expect("written");
        for name in ["cur", "new", "tmp", "cur/.Junk"] {
            fs::create_dir(root.path().join(name)).expect("made");
        }
        for name in ["cur/2:2,S", "cur/1:2,", "new/0", "tmp/3", "dovecot-uidlist", "cur/.hidden"] {
            touch(name);
        }
        let names = || {
            let files = folder(root.path()).expect("read");
            files
                .iter()
                .map(|f| f.strip_prefix(root.path()).expect("inside").display().to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(names(), ["cur/1:2,", "cur/2:2,S", "new/0"]);
        fs::remove_file(root.path().join("tmp/3")).expect("removed");
        fs::remove_dir(root.path().join("tmp")).expect("removed");
        assert_eq!(names(), ["dovecot-uidlist"]);
    }
}
