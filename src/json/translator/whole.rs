//! A document that is there as a whole and looks like those before it: done at once, without the machine.
//!
//! That is an object of a known outline, a list of some, or one that nobody looks into, enveloped or not. Everything
//! else is left to the machine, which also says what is wrong.

use super::super::page::Page;
use super::super::program::{Program, Step, StepId};
use super::super::scanner::{Skip, Skipper, skip_space};
use super::super::stencil::WINDOW;
use super::super::tally::Tally;
use super::super::tree::Arena;
use super::super::{Limits, Values};
use super::acts::{Actor, Scene};
use super::replay::Replay;
use super::{At, Machine};

/// Up to this many bytes a list is tried: that much is done in vain if its last element is unlike the others.
pub(super) const LIST: usize = 4096;

/// Up to this many bytes a document is copied to where an outline has a whole window for its end, too.
const SHORT: usize = 384;

/// Room for a short document and a window of zeros after it, which are in no JSON.
pub(super) type Padded = [u8; SHORT + WINDOW];

/// A document, with what is after it in the room if it is short.
#[inline]
pub(super) fn pad<'a>(document: &'a [u8], room: &'a mut Padded) -> &'a [u8] {
    match room.get_mut(..document.len()) {
        Some(start) if document.len() <= SHORT => {
            start.copy_from_slice(document);
            &room[..document.len() + WINDOW]
        }
        _ => document,
    }
}

/// A document, as far as it has been done.
pub(super) struct Whole<'a> {
    pub(super) program: &'a Program,
    pub(super) values: &'a Values,
    /// The document, perhaps [padded](pad).
    pub(super) bytes: &'a [u8],
    /// How long it is, in bytes.
    pub(super) len: usize,
    pub(super) replay: &'a mut Replay,
    pub(super) skipper: &'a mut Skipper,
    pub(super) arena: &'a mut Arena,
    pub(super) tally: Tally,
    pub(super) page: &'a mut Page,
    pub(super) pos: usize,
    pub(super) copied: usize,
}

impl Whole<'_> {
    /// Appends the translation to the page. `None` if the document has to be left to the machine: nothing is done then.
    pub(super) fn run(&mut self, limits: Limits) -> Option<()> {
        let (len, uuids) = (self.page.len(), self.values.uuids.taken());
        let done = self.document(limits);
        if done.is_none() {
            self.page.truncate(len);
            self.values.uuids.put_back(uuids);
        }
        done
    }

    fn document(&mut self, limits: Limits) -> Option<()> {
        if self.len > limits.buffer {
            return None;
        }
        self.value(self.program.root, limits.depth as usize)?;
        self.pos = skip_space(self.bytes, self.pos);
        (self.pos == self.len).then(|| self.flush())
    }

    fn flush(&mut self) {
        self.page.extend(self.bytes.get(self.copied..self.pos).unwrap_or_default());
        self.copied = self.pos;
    }

    /// The value at hand, which may nest so many levels.
    fn value(&mut self, step: StepId, room: usize) -> Option<()> {
        self.pos = skip_space(self.bytes, self.pos);
        match (self.program.step(step), self.bytes.get(self.pos)?) {
            (Step::Copy, _) => self.skip(room),
            (Step::Hold(_) | Step::Capture(_), _) => None,
            (_, b'{') => self.object(step, room),
            (Step::Surround { before, inner, after }, _) => {
                self.flush();
                self.page.extend(before);
                self.value(*inner, room)?;
                self.flush();
                self.page.with(|text| after.render(self.values, text));
                Some(())
            }
            (Step::Each { inner }, b'[') if self.len <= LIST => self.list(*inner, room),
            (Step::Each { .. } | Step::Object(_) | Step::Pick(_), _) => None,
        }
    }

    fn skip(&mut self, room: usize) -> Option<()> {
        let Ok(Skip::End(end)) = self.skipper.run(self.bytes, self.pos, room) else { return None };
        self.pos = end;
        Some(())
    }

    fn object(&mut self, step: StepId, room: usize) -> Option<()> {
        let (end, ends, recipe, begun) =
            self.replay.lay(step, self.bytes, (self.pos, self.copied), room, self.page.room(self.len - self.copied))?;
        let scene = Scene { program: self.program, bytes: self.bytes, ends };
        let actor = Actor { values: self.values, arena: self.arena, tally: &mut self.tally };
        recipe.finish(scene, begun, actor, self.page)?;
        self.copied = recipe.copied(ends);
        self.pos = end;
        Some(())
    }

    fn list(&mut self, step: StepId, room: usize) -> Option<()> {
        let room = room.checked_sub(1)?;
        self.pos = skip_space(self.bytes, self.pos + 1);
        while self.bytes.get(self.pos) != Some(&b']') {
            self.value(step, room)?;
            self.pos = skip_space(self.bytes, self.pos);
            match self.bytes.get(self.pos)? {
                b',' => self.pos += 1,
                b']' => {}
                _ => return None,
            }
        }
        self.pos += 1;
        Some(())
    }
}

impl Machine {
    /// Does with a chunk that seems to be the whole document all that is to be done; `false` if it has to be read step
    /// by step.
    pub(super) fn done_at_once(&mut self, program: &Program, chunk: &[u8]) -> bool {
        let seems_whole = chunk.len() <= LIST && matches!(chunk.trim_ascii_end().last(), Some(b'}' | b']'));
        if !seems_whole || self.base > 0 || self.pos > 0 || !matches!(self.at, At::Value) || !self.frames.is_empty() {
            return false;
        }
        let mut room: Padded = [0; size_of::<Padded>()];
        let mut whole = Whole {
            program,
            values: &self.values,
            bytes: pad(chunk, &mut room),
            len: chunk.len(),
            replay: &mut self.replay,
            skipper: &mut self.skipper,
            arena: &mut self.arena,
            tally: Tally::default(),
            page: self.out.tail(),
            pos: 0,
            copied: 0,
        };
        if whole.run(self.limits).is_none() {
            self.skipper.reset();
            return false;
        }
        self.tally = whole.tally;
        self.base = chunk.len() as u64;
        self.at = At::End;
        true
    }
}
