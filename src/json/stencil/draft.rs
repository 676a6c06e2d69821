//! An outline in the making.

use std::ops::Range;

use super::super::valid::{Items, Kind};
use super::{Fixed, Gap, Gaps, MOST_GAPS, Read, Stencil};

/// Most bytes of one outline.
const MOST_TEXT: usize = 4096;

/// How deep objects in objects are part of the outline, unless they must be.
const UNFOLD: usize = 4;

/// An outline in the making.
pub(super) struct Draft<'a> {
    text: &'a [u8],
    read: &'a dyn Fn(usize) -> Read,
    outline: Vec<Gap>,
    gaps: Gaps,
    /// Where the text begins that is not in the outline yet.
    fixed: usize,
    levels: usize,
}

impl<'a> Draft<'a> {
    pub(super) fn new(text: &'a [u8], start: usize, read: &'a dyn Fn(usize) -> Read) -> Self {
        Self { text, read, outline: Vec::new(), gaps: Vec::new(), fixed: start, levels: 0 }
    }

    /// The outline of the object at `start`, which ends at `end`, and the gaps in it.
    pub(super) fn finish(mut self, start: usize, end: usize) -> Option<(Stencil, Gaps)> {
        self.object(start, 1)?;
        let values: usize = self.gaps.iter().map(Range::len).sum();
        if end - start - values > MOST_TEXT {
            return None;
        }
        let end = Fixed::new(self.text.get(self.fixed..end)?);
        Some((Stencil { gaps: self.outline, end, levels: self.levels }, self.gaps))
    }

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
                (Read::Either | Read::Whole, _) => self.gap(value, levels)?,
            }
        }
        Some(())
    }

    /// A gap with this value, around which there are `levels` levels.
    fn gap(&mut self, value: Range<usize>, levels: usize) -> Option<()> {
        let text = Fixed::new(self.text.get(self.fixed..value.start)?);
        self.outline.push(Gap { text, levels: u8::try_from(levels).ok()? });
        self.fixed = value.end;
        self.gaps.push(value);
        (self.gaps.len() <= usize::from(MOST_GAPS)).then_some(())
    }
}
