//! Collects what leaves: short spans are copied together, long ones are slices of the chunk they came in.

use bytes::Bytes;

/// From this many bytes on, a slice that shares the chunk is cheaper than a copy.
const SLICE_FROM: usize = 4096;

/// Copied bytes leave in pieces of about this size.
const PIECE: usize = 32 * 1024;

#[derive(Debug, Default)]
pub(super) struct Output {
    ready: Vec<Bytes>,
    tail: Vec<u8>,
    /// How many attempts are under way, each of which may take back what it wrote.
    attempts: usize,
}

impl Output {
    /// Appends `buf[from..to]`; `chunk` is the chunk that `buf` is all of, where it is one.
    #[inline]
    pub(super) fn copy(&mut self, buf: &[u8], from: usize, to: usize, chunk: Option<&Bytes>) {
        match chunk {
            Some(chunk) if to - from >= SLICE_FROM && self.attempts == 0 => {
                self.seal();
                self.ready.push(chunk.slice(from..to));
            }
            _ => self.write(&buf[from..to]),
        }
    }

    /// Appends a copy of `text`.
    #[inline]
    pub(super) fn write(&mut self, text: &[u8]) {
        self.tail().extend_from_slice(text);
    }

    /// Where text is appended.
    #[inline]
    pub(super) fn tail(&mut self) -> &mut Vec<u8> {
        if self.tail.len() >= PIECE && self.attempts == 0 {
            self.seal();
        }
        &mut self.tail
    }

    fn seal(&mut self) {
        if !self.tail.is_empty() {
            let next = Vec::with_capacity(self.tail.capacity().min(PIECE + SLICE_FROM));
            self.ready.push(Bytes::from(std::mem::replace(&mut self.tail, next)));
        }
    }

    /// Begins what may be taken back: a mark for [`Output::end_attempt`] or [`Output::take_back`].
    pub(super) fn begin_attempt(&mut self) -> usize {
        let mark = self.tail().len();
        self.attempts += 1;
        mark
    }

    /// Lets what was written since stay.
    pub(super) fn end_attempt(&mut self) {
        self.attempts = self.attempts.saturating_sub(1);
    }

    /// How much has been written that may still be taken back.
    pub(super) fn mark(&self) -> usize {
        self.tail.len()
    }

    /// Takes back what was written since the mark, within an attempt.
    pub(super) fn take_back(&mut self, mark: usize) {
        self.tail.truncate(mark);
    }

    /// Everything so far that stays.
    pub(super) fn take(&mut self) -> std::vec::Drain<'_, Bytes> {
        if self.attempts == 0 {
            self.seal();
        }
        self.ready.drain(..)
    }
}
