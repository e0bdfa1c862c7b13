//! Wakes who follows files as soon as one is written to, renamed or made anew.

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};

/// Between two looks where the system tells nothing: it has no more watches, or another host writes the files (NFS).
const POLL: Duration = Duration::from_millis(200);
/// What is written at once is read at once.
const GATHER: Duration = Duration::from_millis(1);

/// Waits for some files.
pub struct Watch {
    woken: Receiver<()>,
    /// Keeps the channel open where there is no watcher.
    _wake: SyncSender<()>,
    _watcher: Option<RecommendedWatcher>,
}

impl Watch {
    /// Of the folders that hold these files, where a rotation shows too; through symbolic links as well.
    pub fn of(paths: &[&Path]) -> Self {
        let (wake, woken) = sync_channel(1);
        let real = paths.iter().filter_map(|path| path.canonicalize().ok());
        let all: Vec<PathBuf> = paths.iter().map(|path| path.to_path_buf()).chain(real).collect();
        let names: HashSet<OsString> = all.iter().filter_map(|path| Some(path.file_name()?.into())).collect();
        let sender = wake.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // To read is to open: that must not wake who reads.
            let is_news = event.is_ok_and(|event| {
                let is_change = !matches!(event.kind, EventKind::Access(_));
                is_change
                    && event.paths.iter().filter_map(|path| path.file_name()).any(|name| names.contains(name))
            });
            if is_news {
                // Full: it is being woken.
                let _ = sender.try_send(());
            }
        });
        let mut watcher = watcher.ok();
        if let Some(watcher) = &mut watcher {
            let folders: HashSet<&Path> = all.iter().filter_map(|path| path.parent()).collect();
            for folder in folders {
                let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
                // Without it, there is the look after a while.
                let _ = watcher.watch(folder, RecursiveMode::NonRecursive);
            }
        }
        Self { woken, _wake: wake, _watcher: watcher }
    }

    /// Until something happened to one of the files, or for a while.
    pub fn wait(&self) {
        match self.woken.recv_timeout(POLL) {
            Ok(()) => thread::sleep(GATHER),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
    }
}
