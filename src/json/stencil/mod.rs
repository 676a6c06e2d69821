//! The outline of an object: its punctuation, white space and names, with gaps for its values.
//!
//! The elements of a list mostly have one outline. Laid on the next element, an outline checks and passes a comma, a
//! name, a colon and the quotes around them with one comparison, where the grammar takes a step for each. What does
//! not fit is left to the grammar, so that an outline changes how fast a document is read and nothing else.
//!
//! Where the buffer ends in the middle of an object that fits so far, laying can go on in the next.

mod draft;
mod known;

use std::num::NonZeroUsize;

use super::blocks::{plain_end, short_integer_end};
use super::scanner::{Skip, Skipper, Text, Token};
use draft::Draft;
pub(super) use known::Known;

/// Most gaps of one outline: two less than a power of two, so that a mask is all that keeps a place among the ends of their
/// values in bounds.
pub(super) const MOST_GAPS: usize = 62;

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

/// Text of an outline.
#[derive(Debug, Clone, Default)]
struct Fixed {
    /// All but its last word.
    long: Vec<Word>,
    last: Word,
}

/// Up to 16 bytes of an outline.
#[derive(Debug, Clone, Copy, Default)]
struct Word {
    bits: u128,
    mask: u128,
    len: u8,
}

/// Where the values in an outline's gaps end; the first entry is where the object begins, the one after the last gap
/// is where it ends.
#[derive(Debug, Clone)]
pub(super) struct Ends(pub(super) [usize; MOST_GAPS + 2]);

impl Default for Ends {
    fn default() -> Self {
        Self([0; MOST_GAPS + 2])
    }
}

/// What laying outlines needs, and what it leaves.
#[derive(Debug, Clone, Default)]
pub(super) struct Laid {
    pub(super) ends: Ends,
    /// Where the buffer ended, if the last object fitted as far as that.
    pub(super) cut: Option<Cut>,
    passing: Passing,
}

/// What passing the values in gaps needs, and what it leaves.
#[derive(Debug, Clone, Default)]
struct Passing {
    skipper: Skipper,
    /// Whether the buffer ended in the text of a string, and not in an escape.
    is_in_text: bool,
}

/// Where in an outline a buffer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cut {
    /// The number of the gap at hand; the text after the last one counts as one.
    gap: usize,
    within: Within,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Within {
    /// In the text before the gap, of which so many bytes have been passed.
    Text(usize),
    /// In a scalar in the gap.
    Scalar(Token),
    /// In an array or object in the gap, which the skipper is in.
    Container,
}

/// Before the value in the gap.
const START: Within = Within::Scalar(Token::None);

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
    /// nest.
    #[inline]
    fn lay(&self, bytes: &[u8], start: usize, room: usize, laid: &mut Laid) -> Option<usize> {
        if self.levels > room {
            laid.cut = None;
            return None;
        }
        laid.ends.0[0] = start;
        self.lay_from(0, bytes, start, 0, room, laid)
    }

    /// Lays what begins with the text before the gap of this number. `before` is how many bytes of the object are in
    /// earlier buffers.
    #[inline]
    fn lay_from(
        &self,
        first: usize,
        bytes: &[u8],
        mut pos: usize,
        before: usize,
        room: usize,
        laid: &mut Laid,
    ) -> Option<usize> {
        let ends = laid.ends.0.get_mut(first + 1..)?;
        for (number, (gap, end)) in self.gaps.get(first..)?.iter().zip(ends).enumerate() {
            let Some(value) = gap.text.pass(bytes, pos) else {
                let within = gap.text.pass_rest(bytes, pos, 0).err().flatten();
                return laid.stop(first + number, within);
            };
            let Some(after) = value_end(bytes, value, room, gap.levels, &mut laid.passing) else {
                let within = laid.within(bytes, value, room - usize::from(gap.levels));
                return laid.stop(first + number, within);
            };
            pos = after.get();
            *end = before + pos;
        }
        match self.end.pass(bytes, pos) {
            Some(end) => laid.end(self.gaps.len(), before, end),
            None => laid.stop(self.gaps.len(), self.end.pass_rest(bytes, pos, 0).err().flatten()),
        }
    }

    /// Goes on where the buffer ended; `bytes` are those that follow, `before` is how many of the object's came
    /// before them.
    fn resume(&self, bytes: &[u8], before: usize, room: usize, laid: &mut Laid) -> Option<usize> {
        let Cut { gap: number, within } = laid.cut.take()?;
        let gap = self.gaps.get(number);
        let (pos, within) = match within {
            Within::Text(done) => match gap.map_or(&self.end, |gap| &gap.text).pass_rest(bytes, 0, done) {
                Ok(pos) => (pos, START),
                Err(within) => return laid.stop(number, within),
            },
            within => (0, within),
        };
        let Some(gap) = gap else { return laid.end(number, before, pos) };
        match pass_value(bytes, pos, within, room - usize::from(gap.levels), &mut laid.passing.skipper) {
            Ok(end) => {
                *laid.ends.0.get_mut(number + 1)? = before + end;
                self.lay_from(number + 1, bytes, end, before, room, laid)
            }
            Err(within) => laid.stop(number, within),
        }
    }
}

impl Laid {
    /// Gives up an object that was cut.
    pub(super) fn forget(&mut self) {
        if self.cut.take().is_some() {
            self.passing.skipper.reset();
        }
    }

    /// Positions move with the buffer.
    pub(super) fn rebase(&mut self, keep: usize) {
        if let Some(cut) = self.cut {
            self.ends.0.iter_mut().take(cut.gap + 1).for_each(|end| *end -= keep);
        }
    }

    /// The object ends, after so many gaps.
    #[inline]
    fn end(&mut self, gaps: usize, before: usize, end: usize) -> Option<usize> {
        *self.ends.0.get_mut(gaps + 1)? = before + end;
        Some(end)
    }

    /// Where in the value at `pos`, at which there was no passing, the buffer ends, if that is why.
    #[cold]
    fn within(&mut self, bytes: &[u8], pos: usize, room: usize) -> Option<Within> {
        if std::mem::take(&mut self.passing.is_in_text) {
            return Some(Within::Scalar(Token::Text(Text::Plain)));
        }
        self.passing.skipper.reset();
        pass_value(bytes, pos, START, room, &mut self.passing.skipper).err().flatten()
    }

    /// The object does not fit, or the buffer ends in it.
    #[cold]
    fn stop(&mut self, gap: usize, within: Option<Within>) -> Option<usize> {
        self.cut = within.map(|within| Cut { gap, within });
        None
    }
}

impl Fixed {
    fn new(text: &[u8]) -> Option<Self> {
        let mut words: Vec<Word> = text.chunks(16).map(Word::new).collect::<Option<_>>()?;
        let last = words.pop()?;
        Some(Self { long: words, last })
    }

    /// The end of this text at `pos`.
    #[inline]
    fn pass(&self, bytes: &[u8], mut pos: usize) -> Option<usize> {
        for word in &self.long {
            pos = word.pass(bytes, pos)?;
        }
        self.last.pass(bytes, pos)
    }

    /// The end of this text at `pos`, of which `done` bytes came before; or where in it the buffer ends.
    #[cold]
    fn pass_rest(&self, bytes: &[u8], mut pos: usize, done: usize) -> Result<usize, Option<Within>> {
        let words = self.long.iter().chain([&self.last]);
        let text = words.flat_map(|word| word.bits.to_le_bytes().into_iter().take(usize::from(word.len)));
        for (number, want) in text.enumerate().skip(done) {
            match bytes.get(pos) {
                Some(byte) if *byte == want => pos += 1,
                Some(_) => return Err(None),
                None => return Err(Some(Within::Text(number))),
            }
        }
        Ok(pos)
    }
}

impl Word {
    fn new(text: &[u8]) -> Option<Self> {
        let mask = if text.len() == 16 { u128::MAX } else { (1 << (8 * text.len())) - 1 };
        Some(Self { bits: load_few(text), mask, len: u8::try_from(text.len()).ok()? })
    }

    /// The end of the word at `pos`.
    #[inline]
    fn pass(&self, bytes: &[u8], pos: usize) -> Option<usize> {
        let bits = match bytes.get(pos..)?.first_chunk() {
            Some(chunk) => u128::from_le_bytes(*chunk),
            None => load_last(bytes, pos),
        };
        ((bits ^ self.bits) & self.mask == 0).then_some(pos + usize::from(self.len))
    }
}

/// The last bytes, from `pos` on, and zeros, which no outline has.
#[inline(never)]
fn load_last(bytes: &[u8], pos: usize) -> u128 {
    match bytes.last_chunk() {
        Some(last) => {
            u128::from_le_bytes(*last).unbounded_shr(u32::try_from(8 * (pos + 16 - bytes.len())).unwrap_or(128))
        }
        None => load_few(&bytes[pos..]),
    }
}

fn load_few(bytes: &[u8]) -> u128 {
    let mut chunk = [0; 16];
    chunk[..bytes.len()].copy_from_slice(bytes);
    u128::from_le_bytes(chunk)
}

/// The end of the value at `pos`, if it is valid and ends in the buffer. There may be `room` levels around the object and
/// in it, of which `levels` are around the value.
///
/// A number that is never 0 is one that stays in a register, and each value waits for the end of the one before.
#[inline]
fn value_end(bytes: &[u8], pos: usize, room: usize, levels: u8, passing: &mut Passing) -> Option<NonZeroUsize> {
    match bytes.get(pos)? {
        b'"' => {
            let end = plain_end(bytes, pos + 1);
            match bytes.get(end) {
                Some(b'"') => NonZeroUsize::new(end + 1),
                Some(_) => scalar_end(Token::Text(Text::Plain), bytes, end),
                None => {
                    passing.is_in_text = true;
                    None
                }
            }
        }
        b'1'..=b'9' => match short_integer_end(bytes, pos + 1) {
            Some(end) => NonZeroUsize::new(end),
            None => scalar_end(Token::None, bytes, pos),
        },
        _ => other_end(bytes, pos, room - usize::from(levels), &mut passing.skipper),
    }
}

/// The same of a value that is no string and no positive number, and may nest `room` levels.
#[inline]
fn other_end(bytes: &[u8], pos: usize, room: usize, skipper: &mut Skipper) -> Option<NonZeroUsize> {
    let rest = bytes.get(pos..).unwrap_or_default();
    let end = match rest {
        [b'[', b']', ..] | [b'{', b'}', ..] if room > 0 => pos + 2,
        [bracket @ (b'[' | b'{'), ..] => match short_list_end(bytes, pos + 1) {
            Some(end) if *bracket == b'[' && room > 0 => end,
            _ => match skipper.run(bytes, pos, room) {
                Ok(Skip::End(end)) => end,
                Ok(Skip::More) | Err(_) => return None,
            },
        },
        [b'f', ..] if rest.starts_with(b"false") => pos + 5,
        [b't' | b'n', ..] if rest.starts_with(b"true") || rest.starts_with(b"null") => pos + 4,
        _ => return scalar_end(Token::None, bytes, pos),
    };
    NonZeroUsize::new(end)
}

/// The end of the array whose first element is at `pos`, if that has no white space and nothing but a few texts without
/// escapes and positive integers.
#[inline]
fn short_list_end(bytes: &[u8], mut pos: usize) -> Option<usize> {
    const MOST: usize = 8;
    for _ in 0..MOST {
        let last = match bytes.get(pos)? {
            b'"' => plain_end(bytes, pos + 1),
            b'1'..=b'9' => short_integer_end(bytes, pos + 1)? - 1,
            _ => return None,
        };
        match bytes.get(last..)? {
            [b'"' | b'0'..=b'9', b',', ..] => pos = last + 2,
            [b'"' | b'0'..=b'9', b']', ..] => return Some(last + 2),
            _ => return None,
        }
    }
    None
}

#[inline(never)]
fn scalar_end(mut token: Token, bytes: &[u8], pos: usize) -> Option<NonZeroUsize> {
    token.scalar(bytes, pos).ok().flatten().and_then(NonZeroUsize::new)
}

/// The end of the value in a gap, from `pos` on; or where in it the buffer ends.
#[cold]
fn pass_value(
    bytes: &[u8],
    pos: usize,
    within: Within,
    room: usize,
    skipper: &mut Skipper,
) -> Result<usize, Option<Within>> {
    match within {
        Within::Container => {}
        START if matches!(bytes.get(pos), Some(b'{' | b'[')) => {}
        Within::Text(_) => return Err(None),
        Within::Scalar(mut token) => {
            let end = token.scalar(bytes, pos).map_err(|_| None)?;
            return end.ok_or(Some(Within::Scalar(token)));
        }
    }
    match skipper.run(bytes, pos, room) {
        Ok(Skip::End(end)) => Ok(end),
        Ok(Skip::More) => Err(Some(Within::Container)),
        Err(_) => {
            skipper.reset();
            Err(None)
        }
    }
}

#[cfg(test)]
mod tests;
