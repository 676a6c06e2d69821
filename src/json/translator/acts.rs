//! What is done with an object of some outline: spans of it that leave, text of the program between them, values that
//! are edited.

use std::borrow::Cow;

use super::super::Values;
use super::super::apply::{Tally, apply, counted, edited};
use super::super::convert::Unit;
use super::super::edit::Literal;
use super::super::output::Piece;
use super::super::page::{BLOCK, Page};
use super::super::program::{Program, Step, StepId};
use super::super::stencil::{Ends, Gaps};
use super::super::tree::Arena;

/// What to do with an object of some outline.
#[derive(Debug, Clone)]
pub(super) struct Recipe {
    pub(super) acts: Vec<Act>,
    /// How far everything has left afterwards, if further than to the object's start.
    pub(super) copied: Option<Spot>,
    /// The object's end.
    end: Spot,
    /// Bytes that the acts write beside the object's own, about.
    written: usize,
}

/// A position in an object of some outline: from the end of the value in a gap, or from the start.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot {
    end: usize,
    offset: usize,
}

#[derive(Debug, Clone)]
pub(super) enum Act {
    /// Everything up to here leaves.
    Flush(Spot),
    /// A span leaves.
    Copy(Spot, Spot),
    /// Text of the program: so many bytes, which are followed by others up to a whole block.
    Write(usize, Vec<u8>),
    Render(Literal),
    /// What a step that holds makes of a value leaves; a time, if that is all it makes, of a number of these.
    Edit(StepId, Spot, Spot, Option<Unit>),
}

/// An object that was watched.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) start: usize,
    pub(super) end: usize,
    /// How far everything had left before it and after it.
    pub(super) copied: (usize, usize),
}

/// An object that a recipe is for, in its buffer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) program: &'a Program,
    pub(super) bytes: &'a [u8],
    pub(super) ends: &'a Ends,
}

/// What acts need beside that.
pub(super) struct Actor<'a> {
    pub(super) values: &'a Values,
    pub(super) arena: &'a mut Arena,
    pub(super) tally: &'a mut Tally,
}

impl Recipe {
    /// From what was done with an object.
    pub(super) fn of(program: &Program, pieces: &[Piece], bytes: &[u8], gaps: &Gaps, seen: Seen) -> Option<Self> {
        let Seen { start, end, copied: (before, after) } = seen;
        let spot = |pos| Spot::of(pos, start, end, gaps);
        // What is copied from between two values is in every object of this outline.
        let is_outline = |from, to| {
            let is_inside = from >= start && from != before;
            is_inside && spot(from).zip(spot(to)).is_some_and(|(from, to)| from.end == to.end)
        };
        let mut acts = Vec::new();
        let mut flushed = before;
        let mut written = BLOCK;
        for piece in &joined(pieces, bytes, is_outline) {
            acts.push(match piece {
                Piece::Copied { from, to } if *from == flushed && *from <= start => {
                    flushed = *to;
                    Act::Flush(spot(*to)?)
                }
                Piece::Copied { from, to } => Act::Copy(spot(*from)?, spot(*to)?),
                Piece::Written(text) => {
                    let mut blocks = text.clone();
                    blocks.resize(text.len().next_multiple_of(BLOCK), 0);
                    written += text.len();
                    Act::Write(text.len(), blocks)
                }
                Piece::Rendered(literal) => Act::Render(literal.clone()),
                Piece::Edited { step, from, to } => {
                    let unit = match program.step(*step) {
                        Step::Hold(entries) => counted(entries),
                        _ => None,
                    };
                    Act::Edit(*step, spot(*from)?, spot(*to)?, unit)
                }
                Piece::Whole(_) | Piece::Inside(_) => continue,
            });
        }
        // What stands before the object leaves first, or it would be lost.
        if !acts.is_empty() && !matches!(acts[0], Act::Flush(_)) {
            return None;
        }
        let copied = if before == after { None } else { Some(spot(after)?) };
        Some(Self { acts, copied, end: spot(end)?, written })
    }

    /// From where everything has left to the object's end, in bytes.
    #[inline]
    pub(super) fn span(&self, scene: Scene<'_>, copied: usize) -> usize {
        self.end.at(scene.ends).saturating_sub(copied)
    }

    /// Does it with an object that is short, as far as which everything has left from `copied` on; how far everything
    /// has left then. `None` if an edit failed, and nothing was done.
    #[inline]
    pub(super) fn carry_out(
        &self,
        scene: Scene<'_>,
        copied: usize,
        mut actor: Actor<'_>,
        page: &mut Page,
    ) -> Option<usize> {
        let (before, tally, uuids) = (page.len(), *actor.tally, actor.values.uuids.taken());
        page.make_room(self.span(scene, copied) + self.written);
        let done = self.act(scene, copied, &mut actor, page);
        if done.is_none() {
            page.truncate(before);
            *actor.tally = tally;
            actor.values.uuids.put_back(uuids);
        }
        done
    }

    #[inline]
    fn act(
        &self,
        Scene { program, bytes, ends }: Scene<'_>,
        mut copied: usize,
        actor: &mut Actor<'_>,
        page: &mut Page,
    ) -> Option<usize> {
        for act in &self.acts {
            match act {
                Act::Flush(to) => {
                    let to = to.at(ends);
                    page.append(bytes, copied, to);
                    copied = to;
                }
                Act::Copy(from, to) => page.append(bytes, from.at(ends), to.at(ends)),
                Act::Write(len, text) => page.append(text, 0, *len),
                Act::Render(literal) => page.with(|out| literal.render(actor.values, out)),
                Act::Edit(step, from, to, unit) => {
                    let text = bytes.get(from.at(ends)..to.at(ends))?;
                    if unit.is_some_and(|unit| page.append_time(unit, text)) {
                        continue;
                    }
                    let Step::Hold(entries) = program.step(*step) else { return None };
                    let made: Option<Cow<'_, [u8]>> = edited(entries, text);
                    if let Some(made) = made {
                        page.extend(&made);
                    } else if page.with(|out| apply(entries, text, actor.values, actor.arena, actor.tally, out))
                        != Ok(true)
                    {
                        return None;
                    }
                }
            }
        }
        Some(self.copied.map_or(copied, |copied| copied.at(ends)))
    }
}

impl Spot {
    fn of(pos: usize, start: usize, end: usize, gaps: &Gaps) -> Option<Self> {
        let before = gaps.partition_point(|gap| gap.end <= pos);
        let base = before.checked_sub(1).and_then(|at| gaps.get(at)).map_or(start, |gap| gap.end);
        let next = gaps.get(before).map_or(end, |gap| gap.start);
        (base <= pos && pos <= next).then(|| Self { end: before, offset: pos - base })
    }

    #[inline]
    pub(super) fn at(self, ends: &Ends) -> usize {
        ends.0.get(self.end).map_or(0, |end| end + self.offset)
    }
}

/// The pieces of output, as few as they can be: spans that follow each other are one, a span of the outline is a text,
/// and so are texts that follow each other.
fn joined(pieces: &[Piece], bytes: &[u8], is_outline: impl Fn(usize, usize) -> bool) -> Vec<Piece> {
    let mut spans: Vec<Piece> = Vec::with_capacity(pieces.len());
    for piece in pieces {
        match (spans.last_mut(), piece) {
            (_, Piece::Whole(_) | Piece::Inside(_)) => {}
            (Some(Piece::Copied { to, .. }), Piece::Copied { from, to: end }) if to == from => *to = *end,
            _ => spans.push(piece.clone()),
        }
    }
    let mut joined: Vec<Piece> = Vec::with_capacity(spans.len());
    for piece in spans {
        let piece = match piece {
            Piece::Copied { from, to } if is_outline(from, to) => Piece::Written(bytes[from..to].to_vec()),
            other => other,
        };
        match (joined.last_mut(), piece) {
            (Some(Piece::Written(text)), Piece::Written(more)) => text.extend_from_slice(&more),
            (_, piece) => joined.push(piece),
        }
    }
    joined
}
