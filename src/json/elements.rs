//! Elements of arrays that nobody looks into: those with the outline of one before are passed by it.

use super::scanner::skip_space;
use super::stencil::{Known, Laid, MOST_CUT, Read, Stencil};

/// What is known of objects that are elements of arrays.
#[derive(Debug, Clone, Default)]
pub(super) struct Elements {
    /// By how many levels there are around them; at most [`Elements::MOST`].
    known: Vec<(usize, Known<()>)>,
    /// The levels around elements that are to be learned from and have not ended, and where those begin in the
    /// buffer; the innermost last.
    open: Vec<(usize, usize)>,
    laid: Laid,
    /// The text of an element that was cut, as far as it has come. It is needed if the rest does not fit.
    cut: Vec<u8>,
}

/// How far elements were passed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Passed {
    /// To the end of one.
    End(usize),
    /// To the end of the buffer, within one.
    Cut,
    /// Not at all.
    Nothing,
}

impl Elements {
    /// How many levels are told apart.
    const MOST: usize = 8;

    /// Passes the object at `pos`, which is an element with `depth` levels around it, and those after it that are
    /// known.
    pub(super) fn pass(&mut self, buf: &[u8], pos: usize, depth: usize, room: usize) -> Passed {
        let place = self.known.iter().position(|(at, _)| *at == depth).unwrap_or(self.known.len());
        if place == self.known.len() && place < Self::MOST {
            self.known.push((depth, Known::default()));
        }
        let Some((_, known)) = self.known.get_mut(place) else { return Passed::Nothing };
        let (mut passed, mut next) = (Passed::Nothing, pos);
        while let Some(end) = known.lay(buf, next, room, &mut self.laid) {
            passed = Passed::End(end);
            match next_element(buf, end) {
                Some(at) => next = at,
                None => return passed,
            }
        }
        if self.laid.cut.is_some() {
            if buf.len() - next <= MOST_CUT {
                self.cut.extend_from_slice(&buf[next..]);
                return Passed::Cut;
            }
            self.laid.forget();
        }
        if passed == Passed::Nothing && known.is_curious() {
            known.calm();
            self.open.push((depth, pos));
        }
        passed
    }

    /// Whether the buffer ended in an element that fits so far.
    pub(super) fn is_cut(&self) -> bool {
        !self.cut.is_empty()
    }

    /// Passes the rest of the element that was cut, which begins at `pos`, and those after it that are known. If the
    /// rest does not fit, the element's text so far is what [`Elements::take_cut`] gives.
    pub(super) fn resume(&mut self, buf: &[u8], pos: usize, depth: usize, room: usize) -> Passed {
        let Some((_, known)) = self.known.iter_mut().find(|(at, _)| *at == depth) else { return Passed::Nothing };
        let rest = buf.get(pos..).unwrap_or_default();
        if let Some(len) = known.resume(rest, self.cut.len(), room, &mut self.laid) {
            self.cut.clear();
            let end = pos + len;
            return match next_element(buf, end).map(|next| self.pass(buf, next, depth, room)) {
                None | Some(Passed::Nothing) => Passed::End(end),
                Some(passed) => passed,
            };
        }
        if self.laid.cut.is_some() && self.cut.len() + rest.len() <= MOST_CUT {
            self.cut.extend_from_slice(rest);
            return Passed::Cut;
        }
        self.laid.forget();
        Passed::Nothing
    }

    /// The text of the element that was cut.
    pub(super) fn take_cut(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.cut)
    }

    /// The buffer is about to go, and with it the places of elements in it.
    pub(super) fn forget_places(&mut self) {
        self.open.clear();
    }

    /// Forgets the value at hand.
    pub(super) fn reset(&mut self) {
        self.open.clear();
        self.cut.clear();
        self.laid.forget();
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
    if let Some([b',', b'{', ..]) = buf.get(pos..) {
        return Some(pos + 1);
    }
    let comma = skip_space(buf, pos);
    let next = skip_space(buf, comma + 1);
    (buf.get(comma) == Some(&b',') && buf.get(next) == Some(&b'{')).then_some(next)
}
