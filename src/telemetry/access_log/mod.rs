//! Access records: one JSON object a line for each exchange.
//!
//! Requests never wait for the log: records go through a bounded queue to one thread, and those that do not fit, or for
//! which there is no room where they go, are counted and dropped.

mod record;
mod writer;

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

pub use record::Record;
use writer::{Next, Out};

use super::metrics;
use crate::config::{self, LogTarget, Share};

/// Records that wait for the writer.
const QUEUE: usize = 8192;

/// Where records are handed in. Each clone samples on its own.
#[derive(Debug)]
pub struct AccessLog {
    queue: SyncSender<Box<Record>>,
    settings: Arc<Settings>,
    /// Exchanges that went well and were sampled, modulo [`Share::WHOLE`].
    turn: AtomicU32,
}

struct Settings {
    /// Whether records go anywhere.
    is_on: AtomicBool,
    /// How many of those that went well, in millionths.
    sample: AtomicU32,
    next: Next,
    /// As it was opened last.
    target: Mutex<LogTarget>,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings").field("target", &self.target).finish_non_exhaustive()
    }
}

impl Clone for AccessLog {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone(), settings: Arc::clone(&self.settings), turn: AtomicU32::new(0) }
    }
}

/// The thread that writes, until the last clone of the log is dropped.
#[derive(Debug)]
pub struct Writer(oneshot::Receiver<()>);

impl Writer {
    /// Waits until all is written, which may be never where nobody reads.
    pub async fn ended(self, limit: Duration) {
        let _ = timeout(limit, self.0).await;
    }
}

/// A log that can be opened.
pub struct Opened {
    out: Out,
    config: config::AccessLog,
}

/// Opens where records are to go, and changes nothing yet.
///
/// # Errors
/// As opening the file fails, naming it.
pub fn open(config: &config::AccessLog) -> io::Result<Opened> {
    let out: Out = match &config.to {
        LogTarget::Off => Box::new(io::sink()),
        LogTarget::Stderr => Box::new(io::stderr()),
        LogTarget::File(path) => Box::new(open_file(path)?),
    };
    Ok(Opened { out, config: config.clone() })
}

fn open_file(path: &Path) -> io::Result<File> {
    let opened = OpenOptions::new().create(true).append(true).open(path);
    opened.map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))
}

impl AccessLog {
    /// Starts the writer of a log.
    ///
    /// # Errors
    /// As the system refuses a thread.
    pub fn start(opened: Opened) -> io::Result<(Self, Writer)> {
        let Opened { out, config } = opened;
        let next = Next::default();
        let (queue, records) = sync_channel(QUEUE);
        let (alive, ended) = oneshot::channel::<()>();
        let writer = std::thread::Builder::new().name("access-log".to_owned());
        let takes_next = Arc::clone(&next);
        writer.spawn(move || {
            writer::run(out, &takes_next, &records);
            drop(alive);
        })?;
        let settings = Settings {
            is_on: AtomicBool::new(config.to != LogTarget::Off),
            sample: AtomicU32::new(config.sample.millionths()),
            next,
            target: Mutex::new(config.to),
        };
        Ok((Self { queue, settings: Arc::new(settings), turn: AtomicU32::new(0) }, Writer(ended)))
    }

    /// Has later records go elsewhere, or to the same place opened again.
    pub fn change(&self, opened: Opened) {
        let Opened { out, config } = opened;
        let settings = &self.settings;
        *settings.next.lock().unwrap_or_else(PoisonError::into_inner) = Some(out);
        settings.sample.store(config.sample.millionths(), Ordering::Relaxed);
        settings.is_on.store(config.to != LogTarget::Off, Ordering::Relaxed);
        *settings.target.lock().unwrap_or_else(PoisonError::into_inner) = config.to;
    }

    /// Opens the file again, for whoever has moved it away.
    ///
    /// # Errors
    /// As opening the file fails, naming it; records go on to where they went.
    pub fn reopen(&self) -> io::Result<()> {
        let target = self.settings.target.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let LogTarget::File(path) = target {
            let out = Box::new(open_file(&path)?);
            *self.settings.next.lock().unwrap_or_else(PoisonError::into_inner) = Some(out);
        }
        Ok(())
    }

    /// Hands in a finished exchange.
    pub fn write(&self, record: &Record) {
        let is_kept = self.settings.is_on.load(Ordering::Relaxed) && (record.is_error() || self.is_sampled());
        if is_kept && self.queue.try_send(Box::new(record.clone())).is_err() {
            metrics::access_records_dropped(1);
        }
    }

    fn is_sampled(&self) -> bool {
        let share = self.settings.sample.load(Ordering::Relaxed);
        if share == Share::WHOLE {
            return true;
        }
        is_turn(self.turn.fetch_add(1, Ordering::Relaxed), share)
    }
}

/// Whether the exchange with this number is one of the share, in millionths: as evenly as can be, and the first one if
/// there is any.
fn is_turn(number: u32, share: u32) -> bool {
    let whole = u64::from(Share::WHOLE);
    let number = u64::from(number) % whole;
    (number * u64::from(share)) % whole < u64::from(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_exact_and_spread() {
        let all = |share| (0..1000).filter(|number| is_turn(*number, share)).collect::<Vec<u32>>();
        assert_eq!(all(10_000), (0..1000).step_by(100).collect::<Vec<u32>>());
        assert_eq!((all(0).len(), all(Share::WHOLE).len(), all(500_000).len(), all(1).len()), (0, 1000, 500, 1));
        assert_eq!((0..Share::WHOLE).filter(|number| is_turn(*number, 333_333)).count(), 333_333);
    }
}
