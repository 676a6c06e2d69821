//! The thread that writes records. Whatever becomes of where they go, it costs records and nothing else.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};

use super::Record;
use crate::telemetry::log::{self, Level};
use crate::telemetry::metrics;

/// How many bytes are gathered before they are written.
const BATCH: usize = 64 * 1024;

/// Where lines go.
pub(super) type Out = Box<dyn Write + Send>;

/// A place for where the next lines are to go.
pub(super) type Next = Arc<Mutex<Option<Out>>>;

/// Writes records until there are no more senders.
pub(super) fn run(out: Out, next: &Next, records: &Receiver<Box<Record>>) {
    let mut lines = Lines::new(out);
    let mut batch = Vec::with_capacity(BATCH);
    while let Ok(first) = records.recv() {
        add(&first, &mut batch);
        let has_ended = gather(records, &mut batch);
        // Who asked for another place did so before the records that come now.
        if let Some(out) = next.lock().unwrap_or_else(PoisonError::into_inner).take() {
            lines = lines.moved_to(out);
        }
        lines.write(&batch);
        batch.clear();
        if has_ended {
            return;
        }
    }
}

/// Takes what waits, up to a batch; says whether there is no more to come.
fn gather(records: &Receiver<Box<Record>>, batch: &mut Vec<u8>) -> bool {
    while batch.len() < BATCH {
        match records.try_recv() {
            Ok(record) => add(&record, batch),
            Err(TryRecvError::Empty) => return false,
            Err(TryRecvError::Disconnected) => return true,
        }
    }
    false
}

fn add(record: &Record, batch: &mut Vec<u8>) {
    // The clock that may be set is read now; the one that may not says how long ago the exchange ended.
    let ago = record.started.elapsed().saturating_sub(record.took);
    let now = jiff::Timestamp::now();
    record.write(now.checked_sub(ago).unwrap_or(now), batch);
}

/// Whole lines, written to where there may be no room.
struct Lines {
    out: Out,
    /// The end of a line whose beginning was written.
    unfinished: Vec<u8>,
    /// Records lost since something was written last.
    lost: u64,
}

impl Lines {
    fn new(out: Out) -> Self {
        Self { out, unfinished: Vec::new(), lost: 0 }
    }

    /// Another place begins with a whole line.
    fn moved_to(mut self, out: Out) -> Self {
        let unfinished = std::mem::take(&mut self.unfinished);
        let _ = write_most(&mut self.out, &unfinished);
        Self { lost: self.lost, ..Self::new(out) }
    }

    /// Writes whole lines; those for which there is no room are lost, and counted.
    fn write(&mut self, lines: &[u8]) {
        let pending = [std::mem::take(&mut self.unfinished).as_slice(), lines].concat();
        let (written, error) = write_most(&mut self.out, &pending);
        if let Some(error) = error {
            self.lose(&pending, written, pending.len() - lines.len(), &error);
        } else if self.lost > 0 {
            log::line(Level::Info, &format!("the access log is written again; {} records were lost", self.lost));
            self.lost = 0;
        }
    }

    /// Keeps what is left of a line that was begun, and gives up the others.
    fn lose(&mut self, pending: &[u8], written: usize, begun_before: usize, error: &io::Error) {
        let rest = &pending[written..];
        let is_within = written < begun_before || written > 0 && pending[written - 1] != b'\n';
        let kept =
            if is_within { rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |end| end + 1) } else { 0 };
        self.unfinished = rest[..kept].to_vec();
        let lost = memchr::memchr_iter(b'\n', &rest[kept..]).count() as u64;
        if self.lost == 0 {
            log::line(Level::Warn, &format!("the access log cannot be written, its records are lost: {error}"));
        }
        self.lost += lost;
        metrics::access_records_dropped(lost);
    }
}

/// Writes as much as there is room for: how many bytes, and why not all.
fn write_most(out: &mut Out, bytes: &[u8]) -> (usize, Option<io::Error>) {
    let mut written = 0;
    while written < bytes.len() {
        match out.write(&bytes[written..]) {
            Ok(0) => return (written, Some(io::ErrorKind::WriteZero.into())),
            Ok(count) => written += count,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return (written, Some(e)),
        }
    }
    (written, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk with room for so many bytes.
    #[derive(Clone)]
    struct Disk(Arc<Mutex<(Vec<u8>, usize)>>);

    impl Disk {
        fn new(room: usize) -> Self {
            Self(Arc::new(Mutex::new((Vec::new(), room))))
        }

        fn make_room(&self, room: usize) {
            self.0.lock().unwrap().1 += room;
        }

        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().0.clone()).unwrap()
        }
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let (text, room) = &mut *self.0.lock().unwrap();
            let count = bytes.len().min(*room);
            if count == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            *room -= count;
            text.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_loses_whole_lines() {
        for room in 0..=12 {
            let disk = Disk::new(room);
            let mut lines = Lines::new(Box::new(disk.clone()));
            lines.write(b"one\ntwo\n");
            lines.write(b"three\n");
            disk.make_room(100);
            lines.write(b"four\n");
            let want = match room {
                0 => "four\n",
                1..=4 => "one\nfour\n",
                5..=8 => "one\ntwo\nfour\n",
                _ => "one\ntwo\nthree\nfour\n",
            };
            // A line that was begun is ended before another one.
            assert_eq!(disk.text(), want, "room for {room}");
            assert_eq!(lines.lost, 0);
        }
    }

    #[test]
    fn what_is_lost_is_counted_once() {
        let disk = Disk::new(5);
        let mut lines = Lines::new(Box::new(disk.clone()));
        lines.write(b"one\ntwo\nthree\n");
        assert_eq!((lines.lost, lines.unfinished.as_slice()), (1, &b"wo\n"[..]));
        lines.write(b"four\n");
        assert_eq!((lines.lost, lines.unfinished.as_slice()), (2, &b"wo\n"[..]));
        disk.make_room(1);
        lines.write(b"five\n");
        assert_eq!((lines.lost, lines.unfinished.as_slice()), (3, &b"o\n"[..]));
    }

    #[test]
    fn another_place_begins_with_a_whole_line() {
        let (full, new) = (Disk::new(5), Disk::new(100));
        let mut lines = Lines::new(Box::new(full.clone()));
        lines.write(b"one\ntwo\n");
        full.make_room(1);
        let mut lines = lines.moved_to(Box::new(new.clone()));
        lines.write(b"three\n");
        assert_eq!((full.text().as_str(), new.text().as_str()), ("one\ntw", "three\n"));
    }
}
