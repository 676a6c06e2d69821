//! Elements of arrays that nobody looks into: those with the outline of one before are passed by it.

use super::scanner::{Skipper, skip_space};
use super::stencil::{Ends, Known, Read, Stencil};

/// What is known of objects that are elements of arrays.
#[derive(Debug, Clone, Default)]
pub(super) struct Elements {
    /// By how many levels there are around them; at most [`Elements::MOST`].
    known: Vec<(usize, Known<()>)>,
    /// The levels around elements that are to be learned from and have not ended, and where those begin in the
    /// buffer; the innermost last.
    open: Vec<(usize, usize)>,
    /// For values in the gaps of outlines.
    inner: Skipper,
    ends: Ends,
}

impl Elements {
    /// How many levels are told apart.
    const MOST: usize = 8;

    /// Passes the object at `pos`, which is an element with `depth` levels around it, and those after it that are
    /// known. The end of the last; `None` if the first is not known.
    pub(super) fn pass(&mut self, buf: &[u8], pos: usize, depth: usize, room: usize) -> Option<usize> {
        let place = self.known.iter().position(|(at, _)| *at == depth).unwrap_or(self.known.len());
        if place == self.known.len() && place < Self::MOST {
            self.known.push((depth, Known::default()));
        }
        let (_, known) = self.known.get_mut(place)?;
        let mut end = known.lay(buf, pos, room, &mut self.inner, &mut self.ends);
        if end.is_none() && known.is_curious() {
            known.calm();
            self.open.push((depth, pos));
        }
        while let Some(after) = end {
            let Some(next) = next_element(buf, after) else { break };
            match known.lay(buf, next, room, &mut self.inner, &mut self.ends) {
                None => break,
                further => end = further,
            }
        }
        end
    }

    /// The buffer is about to go, and with it the places of elements in it.
    pub(super) fn forget_places(&mut self) {
        self.open.clear();
    }

    /// Learns from an element that has just ended.
    pub(super) fn learn(&mut self, buf: &[u8], depth: usize, end: usize) {
        let Some((_, start)) = self.open.pop_if(|(at, _)| *at == depth) else { return };
        let known = self.known.iter_mut().find(|(at, _)| *at == depth);
        if let (Some((_, known)), Some((stencil, _))) = (known, Stencil::of(buf, start, end, &|_| Read::Either)) {
            known.learn(stencil, ());
        }
    }
}

/// Where the object begins that is the next element, after one that ends at `pos`.
#[inline]
pub(super) fn next_element(buf: &[u8], pos: usize) -> Option<usize> {
    let comma = skip_space(buf, pos);
    let next = skip_space(buf, comma + 1);
    (buf.get(comma) == Some(&b',') && buf.get(next) == Some(&b'{')).then_some(next)
}
