//! What is done with an object of some outline: spans of it that leave, text of the program between them, values that
//! are edited.

use super::super::Values;
use super::super::apply::{apply, counted, edited};
use super::super::convert::Unit;
use super::super::edit::Literal;
use super::super::output::Piece;
use super::super::page::{BLOCK, Page, Text};
use super::super::program::{Program, Step, StepId};
use super::super::stencil::{Ends, Gaps};
use super::super::tally::Tally;
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
    pub(super) written: usize,
}

/// A position in an object of some outline: from the end of the value in a gap, or from the start.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot {
    end: u8,
    offset: u32,
}

/// Something that leaves, and text of the program after it.
#[derive(Debug, Clone)]
pub(super) struct Act {
    pub(super) leaves: Leaves,
    pub(super) then: Text,
}

#[derive(Debug, Clone)]
pub(super) enum Leaves {
    Nothing,
    /// Everything up to here.
    Upto(Spot),
    Span(Spot, Spot),
    Literal(Literal),
    /// What a step that holds makes of a value; a time, if that is all it makes, of a number of these.
    Edited(StepId, Spot, Spot, Option<Unit>),
    /// Nothing: something of this number is lost, beside what edits of values lose.
    Lost(u32),
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
        let mut acts: Vec<Act> = Vec::new();
        let mut flushed = before;
        let mut written = 2 * BLOCK;
        for piece in &joined(pieces, bytes, is_outline) {
            let leaves = match piece {
                Piece::Copied { from, to } if *from == flushed && *from <= start => {
                    flushed = *to;
                    Leaves::Upto(spot(*to)?)
                }
                Piece::Copied { from, to } => Leaves::Span(spot(*from)?, spot(*to)?),
                Piece::Written(text) => {
                    written += text.len();
                    let then = Text::new(text);
                    // Texts that follow each other are one.
                    match acts.last_mut() {
                        Some(act) => act.then = then,
                        None => acts.push(Act { leaves: Leaves::Nothing, then }),
                    }
                    continue;
                }
                Piece::Rendered(literal) => Leaves::Literal(literal.clone()),
                Piece::Edited { step, from, to } => {
                    let unit = match program.step(*step) {
                        Step::Hold(entries) => counted(entries),
                        _ => None,
                    };
                    Leaves::Edited(*step, spot(*from)?, spot(*to)?, unit)
                }
                Piece::Whole(_) | Piece::Inside(_) | Piece::Lost(_) => continue,
            };
            acts.push(Act { leaves, then: Text::default() });
        }
        // What stands before the object leaves first, or it would be lost.
        match acts.first_mut() {
            None | Some(Act { leaves: Leaves::Upto(_), .. }) => {}
            Some(_) if before != start => return None,
            Some(Act { leaves: leaves @ Leaves::Nothing, .. }) => *leaves = Leaves::Upto(spot(start)?),
            Some(_) => acts.insert(0, Act { leaves: Leaves::Upto(spot(start)?), then: Text::default() }),
        }
        acts.extend(pieces.iter().filter_map(|piece| match piece {
            Piece::Lost(number) => Some(Act { leaves: Leaves::Lost(*number), then: Text::default() }),
            _ => None,
        }));
        let copied = if before == after { None } else { Some(spot(after)?) };
        Some(Self { acts, copied, end: spot(end)?, written })
    }

    /// From where everything has left to the object's end, in bytes.
    #[inline]
    pub(super) fn span(&self, scene: Scene<'_>, copied: usize) -> usize {
        self.end.at(scene.ends).saturating_sub(copied)
    }

    /// Does it with an object that is short, as far as which everything has left from `copied` on, with room in the page;
    /// how far everything has left then. `None` if an edit failed, and nothing was done.
    #[inline]
    pub(super) fn carry_out(
        &self,
        scene: Scene<'_>,
        copied: usize,
        mut actor: Actor<'_>,
        page: &mut Page,
    ) -> Option<usize> {
        let (before, tally, uuids) = (page.len(), actor.tally.begin(), actor.values.uuids.taken());
        let done = self.act(scene, copied, &mut actor, page);
        if done.is_none() {
            page.truncate(before);
            actor.values.uuids.put_back(uuids);
            actor.tally.take_back(tally);
            return None;
        }
        actor.tally.keep(tally);
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
        let mut end = page.len();
        for Act { leaves, then } in &self.acts {
            match leaves {
                Leaves::Nothing => {}
                Leaves::Lost(number) => actor.tally.count(*number),
                Leaves::Upto(to) => {
                    let to = to.at(ends);
                    end = page.append(end, bytes, copied, to);
                    copied = to;
                }
                Leaves::Span(from, to) => end = page.append(end, bytes, from.at(ends), to.at(ends)),
                Leaves::Literal(literal) => {
                    page.end_at(end);
                    page.with_short(|out| literal.render(actor.values, out));
                    end = page.len();
                }
                Leaves::Edited(step, from, to, unit) => {
                    let text = bytes.get(from.at(ends)..to.at(ends))?;
                    end = match unit.and_then(|unit| page.append_time(end, unit, text)) {
                        Some(end) => end,
                        None => edit(program.step(*step), text, actor, page, end)?,
                    };
                }
            }
            end = page.append_text(end, then);
        }
        page.end_at(end);
        Some(self.copied.map_or(copied, |copied| copied.at(ends)))
    }
}

/// Appends what a step that holds makes of a value to a page whose text ends at `end`; where it ends then. `None` if there
/// is nothing that it makes.
#[inline(never)]
fn edit(step: &Step, text: &[u8], actor: &mut Actor<'_>, page: &mut Page, end: usize) -> Option<usize> {
    let Step::Hold(entries) = step else { return None };
    page.end_at(end);
    if let Some(made) = edited(entries, text, actor.tally) {
        page.extend(&made);
    } else if page.with_short(|out| apply(entries, text, actor.values, actor.arena, actor.tally, out)) != Ok(true) {
        return None;
    }
    Some(page.len())
}

impl Spot {
    fn of(pos: usize, start: usize, end: usize, gaps: &Gaps) -> Option<Self> {
        let before = gaps.partition_point(|gap| gap.end <= pos);
        let base = before.checked_sub(1).and_then(|at| gaps.get(at)).map_or(start, |gap| gap.end);
        let next = gaps.get(before).map_or(end, |gap| gap.start);
        let (end, offset) = (u8::try_from(before).ok()?, u32::try_from(pos.checked_sub(base)?).ok()?);
        (pos <= next).then_some(Self { end, offset })
    }

    #[inline]
    pub(super) fn at(self, ends: &Ends) -> usize {
        ends.0[usize::from(self.end) % ends.0.len()] + self.offset as usize
    }
}

/// The pieces of output, as few as they can be: spans that follow each other are one, a span of the outline is a text,
/// and so are texts that follow each other.
fn joined(pieces: &[Piece], bytes: &[u8], is_outline: impl Fn(usize, usize) -> bool) -> Vec<Piece> {
    let mut spans: Vec<Piece> = Vec::with_capacity(pieces.len());
    for piece in pieces {
        match (spans.last_mut(), piece) {
            (_, Piece::Whole(_) | Piece::Inside(_) | Piece::Lost(_)) => {}
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
