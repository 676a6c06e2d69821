//! The outline of an object: its punctuation, white space and names, with gaps for its values.
//!
//! The elements of a list mostly have one outline. Laid on the next element, an outline checks and passes a comma, a
//! name, a colon and the quotes around them with one comparison, where the grammar takes a step for each. What does
//! not fit is left to the grammar, so that an outline changes how fast a document is read and nothing else.
//!
//! Where the buffer ends in the middle of an object that fits so far, laying can go on in the next.

mod draft;
mod fixed;
mod known;
mod value;

use std::num::NonZeroUsize;

use super::scanner::Skipper;
use draft::Draft;
use fixed::Fixed;
pub(super) use known::Known;
use value::{Within, short_value_end};

/// Most gaps of one outline: three less than a power of two, so that a mask is all that keeps a place among [`Ends`] in
/// bounds.
pub(super) const MOST_GAPS: u8 = 61;

/// As many bytes as an outline looks at together: the text before a value, and the value.
pub(super) const WINDOW: usize = 128;

/// Most bytes of an object that are kept so that an outline can be laid on the rest of it.
pub(super) const MOST_CUT: usize = 8 << 10;

/// An outline.
#[derive(Debug, Clone)]
pub(super) struct Stencil {
    gaps: Vec<Gap>,
    /// The text after the last gap.
    end: Fixed,
    /// How many levels the outline itself nests.
    levels: usize,
}

/// A gap and the text before it.
#[derive(Debug, Clone)]
struct Gap {
    text: Fixed,
    /// How many levels there are around the gap.
    levels: u8,
}

/// Where the values in an outline's gaps end; the first entry is where the object begins, the one after the last gap
/// is where it ends. Another place in the same buffer can be kept in the last entry.
#[derive(Debug, Clone)]
pub(super) struct Ends([usize; MOST_GAPS as usize + 3]);

impl Default for Ends {
    fn default() -> Self {
        Self([0; MOST_GAPS as usize + 3])
    }
}

impl Ends {
    /// The entry of the other place.
    pub(super) const OTHER: u8 = MOST_GAPS + 2;

    #[inline]
    pub(super) fn at(&self, entry: u8) -> usize {
        self.0[usize::from(entry) % self.0.len()]
    }

    #[inline]
    pub(super) fn set(&mut self, entry: u8, pos: usize) {
        self.0[usize::from(entry) % self.0.len()] = pos;
    }
}

/// What laying outlines needs, and what it leaves.
#[derive(Debug, Clone, Default)]
pub(super) struct Laid {
    pub(super) ends: Ends,
    /// Where the buffer ended, if the last object fitted as far as that.
    pub(super) cut: Option<Cut>,
    skipper: Skipper,
}

/// The buffer that an outline is laid on.
#[derive(Debug, Clone, Copy)]
struct Ground<'a> {
    bytes: &'a [u8],
    /// How many bytes of the object are in earlier buffers.
    before: usize,
    /// How many levels there may be around the object and in it.
    room: usize,
}

/// Where in an outline a buffer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cut {
    /// The number of the gap at hand; the text after the last one counts as one.
    gap: u8,
    within: Within,
}

/// How a value of the object that an outline is taken from was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    /// Without a look into it, or as a whole: another may stand in its place.
    Whole,
    /// Member by member or element by element: its own names count.
    Inside,
    /// It does not matter.
    Either,
}

/// A gap of the object that an outline is taken from: where its value lies.
pub(super) type Gaps = Vec<std::ops::Range<usize>>;

impl Stencil {
    /// The outline of the object at `text[start..end]`, which is valid, and the gaps in it. `read` says of the value
    /// that begins at a position how it was read. `None` where an outline would be too large or cannot tell the
    /// object from others that are read differently.
    pub(super) fn of(text: &[u8], start: usize, end: usize, read: &dyn Fn(usize) -> Read) -> Option<(Self, Gaps)> {
        Draft::new(text, start, read).finish(start, end)
    }

    /// Lays the outline on the object at `start`; where that ends. `room` is how many levels deeper the document may
    /// nest. `each` is told of each value that has been passed: its entry among the ends, and those.
    #[inline]
    pub(super) fn lay(
        &self,
        bytes: &[u8],
        start: usize,
        room: usize,
        laid: &mut Laid,
        each: impl FnMut(u8, &Ends),
    ) -> Option<usize> {
        if self.levels > room {
            laid.cut = None;
            return None;
        }
        laid.ends.set(0, start);
        self.lay_from(0, Ground { bytes, before: 0, room }, start, laid, each)
    }

    /// Lays what begins with the text before the gap of this number.
    #[inline]
    fn lay_from(
        &self,
        mut number: u8,
        ground: Ground<'_>,
        start: usize,
        laid: &mut Laid,
        mut each: impl FnMut(u8, &Ends),
    ) -> Option<usize> {
        let bytes = ground.bytes;
        let mut rest = bytes.get(start..)?;
        for gap in self.gaps.get(usize::from(number)..)? {
            let window = rest.first_chunk();
            rest = match window.and_then(|it| gap.pass_short(it, ground.room)).and_then(|len| rest.get(len.get()..)) {
                Some(after) => after,
                None => bytes.get(gap.pass(number, ground, bytes.len() - rest.len(), laid)?.get()..)?,
            };
            number += 1;
            laid.ends.set(number, ground.before + bytes.len() - rest.len());
            each(number, &laid.ends);
        }
        self.lay_end(number, ground, bytes.len() - rest.len(), laid)
    }

    #[inline]
    fn lay_end(&self, number: u8, ground: Ground<'_>, pos: usize, laid: &mut Laid) -> Option<usize> {
        let window = ground.bytes.get(pos..)?.first_chunk();
        let end = match window.and_then(|window| self.end.pass_short(window)) {
            Some(len) => pos + len,
            None => self.end.pass(ground.bytes, pos).or_else(|within| laid.stop(number, within)).ok()?,
        };
        laid.end(number, ground.before + end);
        Some(end)
    }

    /// Goes on where the buffer ended; `bytes` are those that follow, `before` is how many of the object's came
    /// before them.
    fn resume(&self, bytes: &[u8], before: usize, room: usize, laid: &mut Laid) -> Option<usize> {
        let Cut { gap: number, within } = laid.cut.take()?;
        let gap = self.gaps.get(usize::from(number));
        let (pos, within) = match within {
            Within::Text(done) => match gap.map_or(&self.end, |gap| &gap.text).pass_rest(bytes, 0, done) {
                Ok(pos) => (pos, Within::START),
                Err(within) => return laid.stop(number, within).ok(),
            },
            within => (0, within),
        };
        let Some(gap) = gap else {
            laid.end(number, before + pos);
            return Some(pos);
        };
        match value::resume(bytes, pos, within, room - usize::from(gap.levels), &mut laid.skipper) {
            Ok(end) => {
                laid.ends.set(number + 1, before + end);
                self.lay_from(number + 1, Ground { bytes, before, room }, end, laid, |_, _| {})
            }
            Err(within) => laid.stop(number, within).ok(),
        }
    }
}

impl Laid {
    /// Gives up an object that was cut.
    pub(super) fn forget(&mut self) {
        if self.cut.take().is_some() {
            self.skipper.reset();
        }
    }

    /// Positions move with the buffer.
    pub(super) fn rebase(&mut self, keep: usize) {
        if let Some(cut) = self.cut {
            self.ends.0.iter_mut().take(usize::from(cut.gap) + 1).for_each(|end| *end -= keep);
        }
    }

    /// The object ends at `end`, after so many gaps.
    #[inline]
    fn end(&mut self, gaps: u8, end: usize) {
        self.ends.set(gaps + 1, end);
    }

    /// The object does not fit, or the buffer ends in it.
    #[cold]
    fn stop<T>(&mut self, gap: u8, within: Option<Within>) -> Result<T, ()> {
        self.cut = within.map(|within| Cut { gap, within });
        Err(())
    }
}

impl Gap {
    /// How long the text and the value at the window's start are, if both are short and usual, and end in it.
    ///
    /// A number that is never 0 is one that stays in a register, and each value waits for the end of the one before.
    #[inline]
    fn pass_short(&self, window: &[u8; WINDOW], room: usize) -> Option<NonZeroUsize> {
        let start = self.text.pass_short(window)?;
        NonZeroUsize::new(short_value_end(window, start, room > usize::from(self.levels))?)
    }

    /// The end of the value after the text at `pos`, if they fit and end in the buffer.
    #[inline(never)]
    fn pass(&self, number: u8, ground: Ground<'_>, pos: usize, laid: &mut Laid) -> Option<NonZeroUsize> {
        let room = ground.room - usize::from(self.levels);
        let value = self.text.pass(ground.bytes, pos).or_else(|within| laid.stop(number, within)).ok()?;
        let end = value::pass(ground.bytes, value, room, &mut laid.skipper)
            .or_else(|within| laid.stop(number, within))
            .ok()?;
        NonZeroUsize::new(end)
    }
}

#[cfg(test)]
mod tests;
