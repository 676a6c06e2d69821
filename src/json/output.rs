//! Collects what leaves: short spans are copied together, long ones are slices of the chunk they came in.

use bytes::Bytes;

use super::Values;
use super::edit::Literal;
use super::page::{Page, grown};
use super::program::StepId;

/// From this many bytes on, a slice that shares the chunk is cheaper than a copy.
pub(super) const SLICE_FROM: usize = 4096;

/// Copied bytes leave in pieces of about this size.
pub(super) const PIECE: usize = 32 * 1024;

#[derive(Debug, Default)]
pub(super) struct Output {
    ready: Vec<Bytes>,
    tail: Page,
    /// How many attempts are under way, each of which may take back what it wrote.
    attempts: usize,
    /// How much room to make for what is copied.
    room: usize,
    /// What was done since a recording began, if one did.
    record: Option<Vec<Piece>>,
}

/// What leaves, and where in the buffer it is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// A span of the buffer.
    Copied { from: usize, to: usize },
    /// Text of the program.
    Written(Vec<u8>),
    /// A literal of the program.
    Rendered(Literal),
    /// What a step that holds makes of a value.
    Edited { step: StepId, from: usize, to: usize },
    /// Nothing: here begins a value that is held or captured as a whole.
    Whole(usize),
    /// Nothing: here begins a value that a step looks into.
    Inside(usize),
    /// Nothing: something of this number was lost.
    Lost(u32),
}

/// A place in the output to go back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    len: usize,
    pieces: usize,
}

impl Output {
    /// With room for pieces.
    pub(super) fn new(ready: Vec<Bytes>) -> Self {
        Self { ready, ..Self::default() }
    }

    /// The room for pieces, unless there are some.
    pub(super) fn take_room(&mut self) -> Vec<Bytes> {
        if self.ready.is_empty() { std::mem::take(&mut self.ready) } else { Vec::new() }
    }

    /// Appends `buf[from..to]`; `chunk` is the chunk that `buf` is all of, where it is one.
    #[inline]
    pub(super) fn copy(&mut self, buf: &[u8], from: usize, to: usize, chunk: Option<&Bytes>) {
        self.note(|| Piece::Copied { from, to });
        match chunk {
            Some(chunk) if to - from >= SLICE_FROM && self.attempts == 0 => {
                self.seal();
                self.ready.push(chunk.slice(from..to));
            }
            _ => self.tail().extend(&buf[from..to]),
        }
    }

    /// Appends a copy of text of the program.
    #[inline]
    pub(super) fn write(&mut self, text: &[u8]) {
        self.note(|| Piece::Written(text.to_vec()));
        self.tail().extend(text);
    }

    /// Appends a literal of the program.
    pub(super) fn render(&mut self, literal: &Literal, values: &Values) {
        if let Some(text) = literal.constant() {
            return self.write(text);
        }
        self.note(|| Piece::Rendered(literal.clone()));
        self.tail().with(|tail| literal.render(values, tail));
    }

    /// Where text is appended if it is short, and nobody wants to know.
    #[inline]
    pub(super) fn short_page(&mut self, span: usize) -> Option<&mut Page> {
        (self.record.is_none() && span < SLICE_FROM).then(|| self.tail())
    }

    /// Begins to record what is done.
    pub(super) fn begin_record(&mut self) {
        self.record = Some(Vec::new());
    }

    /// Ends the recording; what was done.
    pub(super) fn end_record(&mut self) -> Option<Vec<Piece>> {
        self.record.take()
    }

    /// Records something, if there is a recording.
    #[inline]
    pub(super) fn note(&mut self, piece: impl FnOnce() -> Piece) {
        if let Some(record) = &mut self.record {
            record.push(piece());
        }
    }

    /// Where text is appended.
    #[inline]
    pub(super) fn tail(&mut self) -> &mut Page {
        if self.tail.len() >= PIECE && self.attempts == 0 {
            self.seal();
        }
        if self.tail.capacity() == 0 {
            self.tail.reserve(self.room);
        }
        &mut self.tail
    }

    /// Says that about this many bytes are about to leave.
    pub(super) fn expect(&mut self, bytes: usize) {
        self.room = grown(bytes).min(PIECE + 2 * SLICE_FROM);
    }

    /// Says that about this many bytes are about to leave, all of them as one text.
    pub(super) fn expect_whole(&mut self, bytes: usize) {
        self.tail.reserve(grown(bytes));
        // What may be taken back stays together.
        self.attempts += 1;
    }

    /// Takes everything as one text.
    pub(super) fn take_all(&mut self) -> Vec<u8> {
        if self.ready.is_empty() {
            return self.tail.take();
        }
        self.seal();
        self.ready.drain(..).collect::<Vec<_>>().concat()
    }

    fn seal(&mut self) {
        if self.tail.len() > 0 {
            self.ready.push(Bytes::from(self.tail.take()));
        }
    }

    /// Begins what may be taken back: a mark for [`Output::end_attempt`] or [`Output::take_back`].
    pub(super) fn begin_attempt(&mut self) -> Mark {
        self.tail();
        self.attempts += 1;
        self.mark()
    }

    /// Lets what was written since stay.
    pub(super) fn end_attempt(&mut self) {
        self.attempts = self.attempts.saturating_sub(1);
    }

    /// How much has been written that may still be taken back.
    pub(super) fn mark(&self) -> Mark {
        Mark { len: self.tail.len(), pieces: self.record.as_ref().map_or(0, Vec::len) }
    }

    /// Takes back what was written since the mark, within an attempt.
    pub(super) fn take_back(&mut self, mark: Mark) {
        self.tail.truncate(mark.len);
        if let Some(record) = &mut self.record {
            // What was looked into still counts.
            let mut at = 0;
            record.retain(|piece| {
                at += 1;
                at <= mark.pieces || matches!(piece, Piece::Whole(_) | Piece::Inside(_) | Piece::Lost(_))
            });
        }
    }

    /// Everything so far that stays.
    pub(super) fn take(&mut self) -> std::vec::Drain<'_, Bytes> {
        if self.attempts == 0 {
            self.seal();
        }
        self.ready.drain(..)
    }
}
