//! The outline of an object: its punctuation, white space and names, with gaps for its values.
//!
//! The elements of a list mostly have one outline. Laid on the next element, an outline checks and passes a comma, a
//! name, a colon and the quotes around them with one comparison, where the grammar takes a step for each. What does
//! not fit is left to the grammar, so that an outline changes how fast a document is read and nothing else.

use super::scanner::{Skip, Skipper, Token, special_bytes};
use super::valid::{Items, Kind};

/// Most gaps of one outline.
pub(super) const MOST_GAPS: usize = 64;

/// Most words of one outline.
const MOST_WORDS: usize = 256;

/// How deep objects in objects are part of the outline, unless they must be.
const UNFOLD: usize = 4;

/// An outline.
#[derive(Debug, Clone)]
pub(super) struct Stencil {
    words: Vec<Word>,
    /// How many levels the outline itself nests.
    levels: usize,
}

/// Up to 16 bytes of an outline.
#[derive(Debug, Clone, Copy)]
struct Word {
    bits: u128,
    mask: u128,
    len: u8,
    /// How many levels there are around the gap that follows; 0: none does.
    gap: u8,
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
        let mut draft = Draft { text, read, words: Vec::new(), gaps: Vec::new(), fixed: start, levels: 0 };
        draft.object(start, 1)?;
        draft.words(draft.fixed..end, 0)?;
        Some((Self { words: draft.words, levels: draft.levels }, draft.gaps))
    }

    /// Lays the outline on the object at `start`. `room` is how many levels deeper the document may nest. `ends` is
    /// filled as far as it fits; says whether it fits to the end, which is after the last gap's entry.
    #[inline]
    pub(super) fn lay(
        &self,
        bytes: &[u8],
        start: usize,
        room: usize,
        skipper: &mut Skipper,
        ends: &mut Ends,
    ) -> Option<usize> {
        if self.levels > room {
            return None;
        }
        let mut pos = start;
        let mut at = 0;
        for word in &self.words {
            if (load(bytes, pos) ^ word.bits) & word.mask != 0 {
                return None;
            }
            pos += usize::from(word.len);
            if word.gap != 0 {
                at += 1;
                pos = value_end(bytes, pos, room - usize::from(word.gap), skipper)?;
                *ends.0.get_mut(at)? = pos;
            }
        }
        ends.0[0] = start;
        *ends.0.get_mut(at + 1)? = pos;
        Some(pos)
    }
}

/// The next 16 bytes; zeros, which no outline has, after the last.
#[inline]
fn load(bytes: &[u8], pos: usize) -> u128 {
    let rest = bytes.get(pos..).unwrap_or_default();
    match rest.first_chunk::<16>() {
        Some(chunk) => u128::from_le_bytes(*chunk),
        None => load_last(rest),
    }
}

#[inline(never)]
fn load_last(rest: &[u8]) -> u128 {
    let mut chunk = [0; 16];
    chunk[..rest.len()].copy_from_slice(rest);
    u128::from_le_bytes(chunk)
}

/// The end of the value at `pos`, if it is valid and ends in the buffer.
#[inline]
fn value_end(bytes: &[u8], pos: usize, room: usize, skipper: &mut Skipper) -> Option<usize> {
    match *bytes.get(pos)? {
        b'"' => match short_string_end(bytes, pos + 1) {
            Some(end) => Some(end),
            None => scalar(bytes, pos),
        },
        b'1'..=b'9' => match short_integer_end(bytes, pos + 1) {
            Some(end) => Some(end),
            None => scalar(bytes, pos),
        },
        b'{' | b'[' => container_end(bytes, pos, room, skipper),
        _ => scalar(bytes, pos),
    }
}

/// The end of a string with up to 15 bytes and no escape.
#[inline]
fn short_string_end(bytes: &[u8], pos: usize) -> Option<usize> {
    let [low, high] = two_words(bytes, pos)?;
    let (low, high) = (special_bytes(low), special_bytes(high));
    let at = first_of(low, high)?;
    (bytes.get(pos + at) == Some(&b'"')).then_some(pos + at + 1)
}

/// The end of an integer with up to 15 more digits.
#[inline]
fn short_integer_end(bytes: &[u8], pos: usize) -> Option<usize> {
    let [low, high] = two_words(bytes, pos)?;
    let end = pos + first_of(other_than_digits(low), other_than_digits(high))?;
    match bytes.get(end)? {
        b'.' | b'e' | b'E' => None,
        _ => Some(end),
    }
}

#[inline]
fn two_words(bytes: &[u8], pos: usize) -> Option<[u64; 2]> {
    let block = bytes.get(pos..)?.first_chunk::<16>()?;
    let both = u128::from_le_bytes(*block);
    #[expect(clippy::cast_possible_truncation, reason = "the low half is wanted")]
    Some([both as u64, (both >> 64) as u64])
}

/// The place of the first marked byte of two words.
#[inline]
fn first_of(low: u64, high: u64) -> Option<usize> {
    let (word, from) = if low != 0 { (low, 0) } else { (high, 8) };
    (word != 0).then(|| from + word.trailing_zeros() as usize / 8)
}

/// Marks, in the high bit of each byte, what is no digit.
#[inline]
fn other_than_digits(word: u64) -> u64 {
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let digits = word ^ 0x3030_3030_3030_3030;
    (((digits & !HIGHS) + 0x7676_7676_7676_7676) | digits) & HIGHS
}

#[inline]
fn scalar(bytes: &[u8], pos: usize) -> Option<usize> {
    Token::None.scalar(bytes, pos).ok().flatten()
}

#[inline(never)]
fn container_end(bytes: &[u8], pos: usize, room: usize, skipper: &mut Skipper) -> Option<usize> {
    if matches!(bytes.get(pos..pos + 2), Some(b"[]" | b"{}")) && room > 0 {
        return Some(pos + 2);
    }
    match skipper.run(bytes, pos, room) {
        Ok(Skip::End(end)) => Some(end),
        Ok(Skip::More) | Err(_) => {
            skipper.reset();
            None
        }
    }
}

/// An outline in the making.
struct Draft<'a> {
    text: &'a [u8],
    read: &'a dyn Fn(usize) -> Read,
    words: Vec<Word>,
    gaps: Gaps,
    /// Where the text begins that is not in the words yet.
    fixed: usize,
    levels: usize,
}

impl Draft<'_> {
    /// The object at `start`, around which and with which there are `levels` levels.
    fn object(&mut self, start: usize, levels: usize) -> Option<()> {
        self.levels = self.levels.max(levels);
        for item in Items::new(self.text, start) {
            let value = item.value;
            let empty = matches!(self.text.get(value.clone()), Some(b"[]" | b"{}"));
            let kind = Kind::of(&self.text[value.clone()]);
            match ((self.read)(value.start), kind) {
                (Read::Inside, Kind::Object) => self.object(value.start, levels + 1)?,
                // Another value in its place might be entered.
                (Read::Inside, Kind::Null | Kind::Boolean) => {}
                (Read::Inside, Kind::Array) if empty => self.levels = self.levels.max(levels + 1),
                (Read::Inside, _) => return None,
                (Read::Either, Kind::Object) if !empty && levels < UNFOLD => self.object(value.start, levels + 1)?,
                (Read::Either | Read::Whole, _) => {
                    self.words(self.fixed..value.start, levels)?;
                    self.fixed = value.end;
                    self.gaps.push(value);
                }
            }
        }
        (self.gaps.len() <= MOST_GAPS).then_some(())
    }

    /// Fixed text, with a gap after it that has `levels` levels around it, if any.
    fn words(&mut self, text: std::ops::Range<usize>, levels: usize) -> Option<()> {
        let gap = u8::try_from(levels).ok()?;
        let mut chunks = self.text.get(text)?.chunks(16).peekable();
        while let Some(chunk) = chunks.next() {
            let bits = load_last(chunk);
            let mask = if chunk.len() == 16 { u128::MAX } else { (1 << (8 * chunk.len())) - 1 };
            let gap = if chunks.peek().is_none() { gap } else { 0 };
            self.words.push(Word { bits, mask, len: u8::try_from(chunk.len()).ok()?, gap });
        }
        (self.words.len() <= MOST_WORDS).then_some(())
    }
}

/// The outlines of what has stood in one place, the last that fitted first.
#[derive(Debug, Clone)]
pub(super) struct Known<T> {
    outlines: Vec<(Stencil, T)>,
    /// The one that fitted last.
    last: usize,
    misses: u32,
    /// How many misses it takes to learn another one: ever more, so that a list without any order costs little.
    patience: u32,
}

/// Most outlines that one place remembers.
const MOST_OUTLINES: usize = 8;

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self { outlines: Vec::new(), last: 0, misses: 0, patience: 1 }
    }
}

impl<T> Known<T> {
    /// The outline that fits the object at `start`, and where that ends.
    #[inline]
    pub(super) fn lay(
        &mut self,
        bytes: &[u8],
        start: usize,
        room: usize,
        skipper: &mut Skipper,
        ends: &mut Ends,
    ) -> Option<usize> {
        if let Some((stencil, _)) = self.outlines.get(self.last)
            && let Some(end) = stencil.lay(bytes, start, room, skipper, ends)
        {
            return Some(end);
        }
        self.lay_others(bytes, start, room, skipper, ends)
    }

    #[inline(never)]
    fn lay_others(
        &mut self,
        bytes: &[u8],
        start: usize,
        room: usize,
        skipper: &mut Skipper,
        ends: &mut Ends,
    ) -> Option<usize> {
        for (at, (stencil, _)) in self.outlines.iter().enumerate().filter(|(at, _)| *at != self.last) {
            if let Some(end) = stencil.lay(bytes, start, room, skipper, ends) {
                self.last = at;
                return Some(end);
            }
        }
        self.misses = self.misses.saturating_add(1);
        None
    }

    /// What belongs to the outline that fitted last.
    #[inline]
    pub(super) fn fitting(&self) -> Option<&T> {
        self.outlines.get(self.last).map(|(_, with)| with)
    }

    /// Whether the object that has just been missed is one to learn from.
    pub(super) fn is_curious(&self) -> bool {
        self.misses >= self.patience
    }

    /// Says that an attempt to learn is made.
    pub(super) fn calm(&mut self) {
        self.patience = self.misses.saturating_mul(2).max(1);
    }

    pub(super) fn learn(&mut self, stencil: Stencil, with: T) {
        if self.outlines.len() < MOST_OUTLINES {
            self.last = self.outlines.len();
            self.outlines.push((stencil, with));
        } else {
            // The one after the last that fitted is as good to forget as any.
            self.last = (self.last + 1) % MOST_OUTLINES;
            self.outlines[self.last] = (stencil, with);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The outline of an object all of whose values were copied.
    fn outline(text: &str) -> Stencil {
        Stencil::of(text.as_bytes(), 0, text.len(), &|_| Read::Either).expect("an outline").0
    }

    fn lay(stencil: &Stencil, text: &str, room: usize) -> Option<usize> {
        stencil.lay(text.as_bytes(), 0, room, &mut Skipper::default(), &mut Ends::default())
    }

    #[test]
    fn an_outline_fits_what_has_its_names_in_its_order() {
        let stencil = outline(r#"{"id":1,"text":"a","tags":[],"room":{"name":"b"}}"#);
        for text in [
            r#"{"id":1,"text":"a","tags":[],"room":{"name":"b"}}"#,
            r#"{"id":-1.5e9,"text":null,"tags":[{"a":[1]},2],"room":{"name":false}}"#,
            r#"{"id":{"a":1},"text":"long enough for more than one word, with an \u00e9scape","tags":"","room":{"name":0}}"#,
            r#"{"id":12345678901234567890123,"text":"","tags":{},"room":{"name":[]}} and more"#,
        ] {
            let end = text.find(" and").unwrap_or(text.len());
            assert_eq!(lay(&stencil, text, 9), Some(end), "{text}");
        }
    }

    #[test]
    fn an_outline_fits_nothing_else() {
        let stencil = outline(r#"{"id":1,"text":"a","room":{"name":"b"}}"#);
        for text in [
            r#"{"id":1,"text":"a","room":{"name":"b"}"#,
            r#"{"id":1,"text":"a"}"#,
            r#"{"text":"a","id":1,"room":{"name":"b"}}"#,
            r#"{"id": 1,"text":"a","room":{"name":"b"}}"#,
            r#"{"id":01,"text":"a","room":{"name":"b"}}"#,
            r#"{"id":1.,"text":"a","room":{"name":"b"}}"#,
            r#"{"id":1,"text":"a,"room":{"name":"b"}}"#,
            r#"{"id":1,"text":"\x","room":{"name":"b"}}"#,
            "{\"id\":1,\"text\":\"a\nb\",\"room\":{\"name\":\"b\"}}",
            r#"{"id":tru,"text":"a","room":{"name":"b"}}"#,
            r#"{"id":[1,],"text":"a","room":{"name":"b"}}"#,
            r#"{"id":1,"text":"a","room":{"name":"b"}]"#,
            "",
        ] {
            assert_eq!(lay(&stencil, text, 9), None, "{text}");
        }
    }

    #[test]
    fn an_outline_nests_no_deeper_than_there_is_room() {
        let stencil = outline(r#"{"a":{"b":1},"c":2}"#);
        let text = r#"{"a":{"b":1},"c":[[3]]}"#;
        assert_eq!((lay(&stencil, text, 3), lay(&stencil, text, 2)), (Some(text.len()), None));
        assert_eq!(lay(&stencil, r#"{"a":{"b":1},"c":2}"#, 1), None);
    }

    #[test]
    fn what_was_looked_into_is_part_of_the_outline() {
        let text = r#"{"a":{"b":1},"c":null,"d":[]}"#;
        let inside = |_| Read::Inside;
        let (stencil, gaps) =
            Stencil::of(text.as_bytes(), 0, text.len(), &|at| if at == 10 { Read::Either } else { inside(at) })
                .expect("an outline");
        assert_eq!((gaps.len(), &gaps[0]), (1, &(10..11)));
        assert_eq!(lay(&stencil, r#"{"a":{"b":22},"c":null,"d":[]}"#, 3), Some(30));
        for text in
            [r#"{"a":{"b":1},"c":{},"d":[]}"#, r#"{"a":{"b":1},"c":null,"d":[1]}"#, r#"{"a":1,"c":null,"d":[]}"#]
        {
            assert_eq!(lay(&stencil, text, 3), None, "{text}");
        }
        let number = r#"{"a":1}"#;
        assert!(Stencil::of(number.as_bytes(), 0, number.len(), &inside).is_none(), "an object might stand there");
    }

    #[test]
    fn digits_are_told_from_everything_else() {
        for byte in 0..=255_u8 {
            let marked = other_than_digits(u64::from_le_bytes([b'5', byte, b'0', b'9', byte, b'1', b'2', b'3']));
            let want = if byte.is_ascii_digit() { 0 } else { 0x80 << 8 | 0x80 << 32 };
            assert_eq!(marked, want, "{byte:#x}");
        }
    }
}
