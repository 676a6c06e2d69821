//! Being told about changed files.
//!
//! Directories are watched, never files: editors and Kubernetes replace files, and a watch on a replaced file
//! hears nothing ever again. Reading is an event as well (`Access`) and ignored, or a reload would cause the next.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::Setup;
use crate::listen::Certificates;
use crate::store::RuleStore;
use crate::telemetry::log::{self, Level};

/// The link that Kubernetes swaps when a mounted volume changes.
const KUBERNETES_DATA: &str = "..data";

/// How long nothing has to change before files are read: editors and `git pull` write them one by one.
const QUIET: Duration = Duration::from_millis(100);
/// After how much of it a change that does not end is read all the same.
const LONGEST_CHANGE: Duration = Duration::from_secs(2);

/// Open watches. Dropping it ends them.
pub(super) struct Watch {
    _watchers: Vec<RecommendedWatcher>,
    changes: mpsc::Receiver<()>,
    /// Whether nothing has been read since the watch was opened: files may have changed before it heard of them.
    is_new: bool,
}

impl Watch {
    /// Watches what a setup is read from. What cannot be watched is polled.
    pub(super) fn open(setup: &Setup, certificates: &[Arc<Certificates>]) -> Self {
        // One place: a change that has not been looked at yet stands for all later ones.
        let (sender, changes) = mpsc::channel(1);
        let mut watchers = Vec::new();
        if let RuleStore::Directory(directory) = &setup.rules {
            watchers.extend(watch(directory, RecursiveMode::Recursive, sender.clone(), |_| true));
            // Where the directory itself is replaced, only the one that it is in hears of it.
            if let Some((parent, name)) = place(directory) {
                let is_ours = move |path: &Path| path.file_name() == Some(&name);
                watchers.extend(watch(&parent, RecursiveMode::NonRecursive, sender.clone(), is_ours));
            }
        }
        let files = setup.config_file.as_deref().into_iter().chain(certificates.iter().flat_map(|c| c.files()));
        for (directory, name) in files.filter_map(place) {
            let is_ours = move |path: &Path| path.file_name().is_some_and(|n| n == name || n == KUBERNETES_DATA);
            watchers.extend(watch(&directory, RecursiveMode::NonRecursive, sender.clone(), is_ours));
        }
        Self { _watchers: watchers, changes, is_new: true }
    }

    /// Waits for a change and then until nothing has changed for a moment, so that files written one after the other
    /// are one change. Waits for ever where nothing can be watched.
    pub(super) async fn settled(&mut self) {
        if !self.is_new && self.changes.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
        let deadline = Instant::now() + LONGEST_CHANGE;
        loop {
            let quiet = deadline.min(Instant::now() + QUIET);
            match timeout_at(quiet, self.changes.recv()).await {
                Ok(Some(())) => {}
                Ok(None) => break sleep_until(quiet).await,
                Err(_) => break,
            }
        }
        self.is_new = false;
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
