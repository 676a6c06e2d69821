//! The proxy's own log: one line for each thing it does that no client asked for.

use std::io::Write as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use tokio::time::Instant;

/// Lines that wait to be written, at most.
const WAITING: usize = 1024;
/// How long one who flushes a full queue waits for room at a time.
const PAUSE: Duration = Duration::from_millis(5);

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
/// for which there is no room are lost, and counted in a line once nothing waits.
pub fn detach() {
    if QUEUE.get().is_some() {
        return;
    }
    let (queue, entries) = sync_channel(WAITING);
    if thread::Builder::new().name("log".to_owned()).spawn(move || write_all(&entries, &LOST, write)).is_ok() {
        // The thread of whoever comes second ends at once.
        let _ = QUEUE.set(queue);
    }
}

/// Waits until all lines so far have been written, but not longer than this.
pub fn flush(limit: Duration) {
    if let Some(queue) = QUEUE.get() {
        flush_into(queue, limit, || thread::sleep(PAUSE));
    }
}

/// The same; `pause` is called as long as there is no room to ask.
fn flush_into(queue: &SyncSender<Entry>, limit: Duration, mut pause: impl FnMut()) {
    let until = Instant::now() + limit;
    let (done, written) = sync_channel(1);
    let mut entry = Entry::Flush(done);
    while let Err(TrySendError::Full(again)) = queue.try_send(entry) {
        if Instant::now() >= until {
            return;
        }
        entry = again;
        pause();
    }
    let _ = written.recv_timeout(until.saturating_duration_since(Instant::now()));
}

/// Writes what comes. What was lost meanwhile is said once nothing waits.
fn write_all(entries: &Receiver<Entry>, lost: &AtomicU64, mut write: impl FnMut(&str)) {
    while let Some(entry) = next(entries, || report(lost, &mut write)) {
        match entry {
            Entry::Line(line) => write(&line),
            Entry::Flush(done) => {
                report(lost, &mut write);
                let _ = done.send(());
            }
        }
    }
}

/// What is to be done next; `idle` is called before it is waited for.
fn next(entries: &Receiver<Entry>, idle: impl FnOnce()) -> Option<Entry> {
    entries.try_recv().ok().or_else(|| {
        idle();
        entries.recv().ok()
    })
}

fn report(lost: &AtomicU64, write: &mut impl FnMut(&str)) {
    let lost = lost.swap(0, Ordering::Relaxed);
    if lost > 0 {
        write(&format!("{:.3} warn {lost} lines of this log were lost\n", jiff::Timestamp::now()));
    }
}

fn write(line: &str) {
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is written of a queue that is full and of lines lost, and flushed as its writer begins.
    #[test]
    fn a_full_queue_is_flushed_with_what_was_lost() {
        static LOST: AtomicU64 = AtomicU64::new(7);
        let (queue, entries) = sync_channel(2);
        for line in ["one", "two"] {
            queue.try_send(Entry::Line(line.to_owned())).unwrap();
        }
        let (say, said) = sync_channel(10);
        let mut writer = None;
        let mut entries = Some(entries);
        flush_into(&queue, Duration::from_secs(60), || {
            if let Some(entries) = entries.take() {
                let say = say.clone();
                writer =
                    Some(thread::spawn(move || write_all(&entries, &LOST, |line| say.send(line.to_owned()).unwrap())));
            }
            thread::yield_now();
        });
        let written: Vec<String> = said.try_iter().collect();
        assert_eq!(written[..2], ["one", "two"]);
        assert!(written.len() == 3 && written[2].ends_with(" warn 7 lines of this log were lost\n"), "{written:?}");
        drop(queue);
        writer.unwrap().join().unwrap();
    }
}
