//! The outlines of what has stood in one place.

use super::{Laid, Stencil};

/// The outlines of what has stood in one place, the last that fitted first.
#[derive(Debug, Clone)]
pub(in super::super) struct Known<T> {
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
    /// The end of the object at `start`, if there is an outline that fits it. `Laid::cut` says whether one fits as far
    /// as the buffer goes.
    #[inline]
    pub(in super::super) fn lay(&mut self, bytes: &[u8], start: usize, room: usize, laid: &mut Laid) -> Option<usize> {
        let end = self.last().and_then(|(stencil, _)| stencil.lay(bytes, start, room, laid, |_, _| {}));
        if end.is_some() || laid.cut.is_some() { end } else { self.lay_others(bytes, start, room, laid) }
    }

    /// The outline that fitted last, and what belongs to it.
    #[inline]
    pub(in super::super) fn last(&self) -> Option<&(Stencil, T)> {
        self.outlines.get(self.last)
    }

    /// The same of all but the outline that fitted last.
    #[inline(never)]
    pub(in super::super) fn lay_others(
        &mut self,
        bytes: &[u8],
        start: usize,
        room: usize,
        laid: &mut Laid,
    ) -> Option<usize> {
        laid.cut = None;
        for (at, (stencil, _)) in self.outlines.iter().enumerate().filter(|(at, _)| *at != self.last) {
            let end = stencil.lay(bytes, start, room, laid, |_, _| {});
            if end.is_some() || laid.cut.is_some() {
                self.last = at;
                return end;
            }
        }
        self.misses = self.misses.saturating_add(1);
        None
    }

    /// Goes on with an object that was cut: `bytes` are those that follow, `before` is how many came before them.
    pub(in super::super) fn resume(
        &mut self,
        bytes: &[u8],
        before: usize,
        room: usize,
        laid: &mut Laid,
    ) -> Option<usize> {
        let (stencil, _) = self.outlines.get(self.last)?;
        stencil.resume(bytes, before, room, laid)
    }

    /// Whether the object that has just been missed is one to learn from.
    pub(in super::super) fn is_curious(&self) -> bool {
        self.misses >= self.patience
    }

    /// Says that an attempt to learn is made.
    pub(in super::super) fn calm(&mut self) {
        self.patience = self.misses.saturating_mul(2).max(1);
    }

    pub(in super::super) fn learn(&mut self, stencil: Stencil, with: T) {
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
