//! Being told about changed files.
//!
//! Directories are watched, never files: editors and Kubernetes replace files, and a watch on a replaced file
//! hears nothing ever again. Reading is an event as well (`Access`) and ignored, or a reload would cause the next.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

use super::Setup;
use crate::store::RuleStore;
use crate::telemetry::log::{self, Level};

/// The link that Kubernetes swaps when a mounted volume changes.
const KUBERNETES_DATA: &str = "..data";

/// Open watches. Dropping it ends them.
pub(super) struct Watch {
    _watchers: Vec<RecommendedWatcher>,
    changes: mpsc::Receiver<()>,
}

impl Watch {
    /// Watches what a setup is read from. What cannot be watched is polled.
    pub(super) fn open(setup: &Setup) -> Self {
        // One place: a change that has not been looked at yet stands for all later ones.
        let (sender, changes) = mpsc::channel(1);
        let mut watchers = Vec::new();
        if let RuleStore::Directory(directory) = &setup.rules {
            watchers.extend(watch(directory, RecursiveMode::Recursive, sender.clone(), |_| true));
        }
        if let Some((directory, name)) = setup.config_file.as_deref().and_then(place) {
            let is_ours = move |path: &Path| path.file_name().is_some_and(|n| n == name || n == KUBERNETES_DATA);
            watchers.extend(watch(&directory, RecursiveMode::NonRecursive, sender, is_ours));
        }
        Self { _watchers: watchers, changes }
    }

    /// Waits for a change; for ever where nothing can be watched.
    pub(super) async fn changed(&mut self) {
        if self.changes.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

fn place(file: &Path) -> Option<(PathBuf, OsString)> {
    let directory = match file.parent()? {
        here if here.as_os_str().is_empty() => Path::new("."),
        directory => directory,
    };
    Some((directory.to_owned(), file.file_name()?.to_owned()))
}

fn watch(
    directory: &Path,
    mode: RecursiveMode,
    changes: mpsc::Sender<()>,
    is_ours: impl Fn(&Path) -> bool + Send + 'static,
) -> Option<RecommendedWatcher> {
    let tell = move |event: notify::Result<Event>| {
        let matters = match event {
            Ok(event) if matches!(event.kind, EventKind::Access(_)) => false,
            Ok(event) => event.need_rescan() || event.paths.iter().any(|p| is_ours(p)),
            // Events may have been lost.
            Err(_) => true,
        };
        if matters {
            // A full queue says the same.
            let _ = changes.try_send(());
        }
    };
    let watcher = notify::recommended_watcher(tell).and_then(|mut watcher| {
        watcher.watch(directory, mode)?;
        Ok(watcher)
    });
    match watcher {
        Ok(watcher) => Some(watcher),
        Err(e) => {
            let directory = directory.display();
            log::line(Level::Warn, &format!("cannot watch {directory}, its files are read every 30 s instead: {e}"));
            None
        }
    }
}
