//! The proxy's own log: one line for each thing it does that no client asked for.

use std::io::Write as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

/// Lines that wait to be written, at most.
const WAITING: usize = 1024;

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Something changed as it should.
    Info,
    /// Something is wrong; traffic goes on.
    Warn,
}

/// What the thread that writes is told.
enum Entry {
    Line(String),
    /// Says when all before it has been written.
    Flush(SyncSender<()>),
}

/// Where lines wait for the thread that writes; without one they are written at once.
static QUEUE: OnceLock<SyncSender<Entry>> = OnceLock::new();
/// Lines for which there was no room.
static LOST: AtomicU64 = AtomicU64::new(0);

/// Writes a line to standard error. A closed standard error is no reason to stop serving.
pub fn line(level: Level, text: &str) {
    let level = match level {
        Level::Info => "info",
        Level::Warn => "warn",
    };
    let line = format!("{:.3} {level} {text}\n", jiff::Timestamp::now());
    match QUEUE.get() {
        None => write(&line),
        Some(queue) => {
            if queue.try_send(Entry::Line(line)).is_err() {
                LOST.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// From now on, a thread of its own writes the lines, so that nobody waits for a standard error that is not read. Those
/// for which there is no room are lost, and counted in a line when there is room again.
pub fn detach() {
    if QUEUE.get().is_some() {
        return;
    }
    let (queue, entries) = sync_channel(WAITING);
    if thread::Builder::new().name("log".to_owned()).spawn(move || write_all(&entries)).is_ok() {
        // The thread of whoever comes second ends at once.
        let _ = QUEUE.set(queue);
    }
}

/// Waits until all lines so far have been written, but not longer than this.
pub fn flush(limit: Duration) {
    let (done, written) = sync_channel(1);
    if let Some(queue) = QUEUE.get()
        && queue.try_send(Entry::Flush(done)).is_ok()
    {
        let _ = written.recv_timeout(limit);
    }
}

fn write_all(entries: &Receiver<Entry>) {
    for entry in entries {
        match entry {
            Entry::Line(line) => {
                write(&line);
                let lost = LOST.swap(0, Ordering::Relaxed);
                if lost > 0 {
                    write(&format!("{:.3} warn {lost} lines of this log were lost\n", jiff::Timestamp::now()));
                }
            }
            Entry::Flush(done) => {
                let _ = done.send(());
            }
        }
    }
}

fn write(line: &str) {
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
}
