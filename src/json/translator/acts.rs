//! What is done with an object of some outline: spans of it that leave, text of the program between them, values that
//! are edited.

use super::super::Values;
use super::super::apply::{apply, counted, edited};
use super::super::convert::Unit;
use super::super::edit::Literal;
use super::super::output::Piece;
use super::super::page::{BLOCK, Page, Room, Text};
use super::super::program::{Program, Step, StepId};
use super::super::stencil::{Ends, Gaps};
use super::super::tally::Tally;
use super::super::tree::Arena;

/// What to do with an object of some outline.
#[derive(Debug, Clone)]
pub(super) struct Recipe {
    pub(super) acts: Vec<Act>,
    /// How far everything has left afterwards, if further than to the object's start.
    copied: Option<Spot>,
    /// The object's end.
    end: Spot,
    /// Bytes that the acts write beside the object's own, about.
    written: usize,
}

/// A position in an object of some outline: from the end of the value in a gap, or from the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spot {
    end: u8,
    offset: u32,
}

/// Something that leaves, and text of the program after it.
#[derive(Debug, Clone)]
pub(super) struct Act {
    pub(super) leaves: Leaves,
    pub(super) then: Text,
    /// From which entry among the ends on it can be done.
    after: u8,
}

#[derive(Debug, Clone)]
pub(super) enum Leaves {
    /// What is between these.
    Span(Spot, Spot),
    Literal(Literal),
    /// What a step that holds makes of a value.
    Edited(StepId, Spot, Spot),
    /// The time that a number of these is; what the step makes of the value, if it is none.
    Time(Unit, StepId, Spot, Spot),
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

/// What is plain to do of a recipe, done while its outline is laid: the processor has time for it while it waits for where
/// a value ends.
#[derive(Debug)]
pub(super) struct Pen<'a> {
    bytes: &'a [u8],
    room: Room<'a>,
    /// What is still to be done with the object at hand.
    acts: &'a [Act],
    /// How much room there was before it, in bytes, and before the first object.
    before: usize,
    whole: usize,
}

/// How much of a recipe is done, in the room after a page's text.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Begun {
    /// How many acts are done.
    acts: usize,
    written: usize,
}

/// Has a text follow the last act, in as many acts as that takes.
fn add_text(acts: &mut Vec<Act>, mut text: &[u8]) {
    while let Some(act) = acts.last_mut() {
        (act.then, text) = Text::split(text);
        if text.is_empty() {
            break;
        }
        acts.push(Act::new(Leaves::Span(Spot::COPIED, Spot::COPIED)));
    }
}

/// The unit of the numbers that a step makes times of, if that is all that it does.
fn unit_of(step: &Step) -> Option<Unit> {
    match step {
        Step::Hold(entries) => counted(entries),
        _ => None,
    }
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
        // What stands before the object leaves first, or it would be lost.
        let first = || (before == start).then(|| Some(Act::new(Leaves::Span(Spot::COPIED, spot(start)?))))?;
        let mut acts: Vec<Act> = Vec::new();
        let mut written = 2 * BLOCK;
        for piece in &joined(pieces, bytes, is_outline) {
            let leaves = match piece {
                Piece::Copied { from, to } if *from == before => Leaves::Span(Spot::COPIED, spot(*to)?),
                Piece::Copied { from, to } => Leaves::Span(spot(*from)?, spot(*to)?),
                Piece::Written(text) => {
                    written += text.len();
                    if acts.is_empty() {
                        acts.push(first()?);
                    }
                    add_text(&mut acts, text);
                    continue;
                }
                Piece::Rendered(literal) => Leaves::Literal(literal.clone()),
                Piece::Edited { step, from, to } => {
                    let (from, to) = (spot(*from)?, spot(*to)?);
                    match unit_of(program.step(*step)) {
                        Some(unit) => Leaves::Time(unit, *step, from, to),
                        None => Leaves::Edited(*step, from, to),
                    }
                }
                Piece::Whole(_) | Piece::Inside(_) | Piece::Lost(_) => continue,
            };
            acts.push(Act::new(leaves));
        }
        if acts.first().is_some_and(|act| !matches!(act.leaves, Leaves::Span(Spot::COPIED, _))) {
            acts.insert(0, first()?);
        }
        acts.extend(pieces.iter().filter_map(|piece| match piece {
            Piece::Lost(number) => Some(Act::new(Leaves::Lost(*number))),
            _ => None,
        }));
        let mut after_all = 0;
        for act in &mut acts {
            after_all = after_all.max(act.leaves.last_entry());
            act.after = after_all;
        }
        let copied = if acts.is_empty() && before == after { None } else { Some(spot(after)?) };
        Some(Self { acts, copied, end: spot(end)?, written })
    }

    /// From where everything has left to the object's end, in bytes.
    #[inline]
    pub(super) fn span(&self, ends: &Ends) -> usize {
        self.end.at(ends).saturating_sub(Spot::COPIED.at(ends))
    }

    /// How far everything has left when all is done.
    #[inline]
    pub(super) fn copied(&self, ends: &Ends) -> usize {
        self.copied.unwrap_or(Spot::COPIED).at(ends)
    }

    /// Does what is not done yet with an object that is short. `None` if an edit failed, and nothing was done.
    #[inline]
    pub(super) fn finish(&self, scene: Scene<'_>, begun: Begun, actor: Actor<'_>, page: &mut Page) -> Option<()> {
        page.advance(begun.written);
        if begun.acts == self.acts.len() { Some(()) } else { self.carry_out(scene, begun, actor, page) }
    }

    #[inline(never)]
    fn carry_out(&self, scene: Scene<'_>, mut begun: Begun, mut actor: Actor<'_>, page: &mut Page) -> Option<()> {
        let (start, tally, uuids) = (page.len() - begun.written, actor.tally.begin(), actor.values.uuids.taken());
        while let Some(act) = self.acts.get(begun.acts) {
            if act.carry_out(scene, &mut actor, page).is_none() {
                page.truncate(start);
                actor.values.uuids.put_back(uuids);
                actor.tally.take_back(tally);
                return None;
            }
            let mut pen = Pen::new(scene.bytes, page.room(self.span(scene.ends) + self.written));
            pen.begin(self.acts.get(begun.acts + 1..).unwrap_or_default());
            pen.go_on(u8::MAX, scene.ends);
            begun = pen.begun(self);
            page.advance(begun.written);
        }
        actor.tally.keep(tally);
        Some(())
    }
}

impl Act {
    fn new(leaves: Leaves) -> Self {
        Self { leaves, then: Text::default(), after: 0 }
    }

    /// Does it, whatever it is. `None` if that is an edit, and fails.
    fn carry_out(
        &self,
        Scene { program, bytes, ends }: Scene<'_>,
        actor: &mut Actor<'_>,
        page: &mut Page,
    ) -> Option<()> {
        match &self.leaves {
            Leaves::Lost(number) => actor.tally.count(*number),
            Leaves::Span(from, to) => page.extend(bytes.get(from.at(ends)..to.at(ends))?),
            Leaves::Literal(literal) => page.with_short(|out| literal.render(actor.values, out)),
            Leaves::Edited(step, from, to) | Leaves::Time(_, step, from, to) => {
                edit(program.step(*step), bytes.get(from.at(ends)..to.at(ends))?, actor, page)?;
            }
        }
        page.extend(self.then.get());
        Some(())
    }
}

impl Leaves {
    /// The last entry among the ends that it takes.
    fn last_entry(&self) -> u8 {
        match self {
            Self::Span(Spot::COPIED, to) => to.end,
            Self::Span(from, to) | Self::Edited(_, from, to) | Self::Time(_, _, from, to) => from.end.max(to.end),
            Self::Literal(_) | Self::Lost(_) => 0,
        }
    }
}

impl<'a> Pen<'a> {
    pub(super) fn new(bytes: &'a [u8], room: Room<'a>) -> Self {
        Self { bytes, acts: &[], before: room.len(), whole: room.len(), room }
    }

    /// Begins with an object, with which all this is to be done.
    #[inline]
    pub(super) fn begin(&mut self, acts: &'a [Act]) {
        self.acts = acts;
    }

    /// Whether there is room for another object.
    #[inline]
    pub(super) fn has_room(&self) -> bool {
        self.room.len() >= Room::LEAST
    }

    /// How much is done with the object at hand.
    pub(super) fn begun(&self, recipe: &Recipe) -> Begun {
        Begun { acts: recipe.acts.len() - self.acts.len(), written: self.before - self.room.len() }
    }

    /// Ends with an object.
    #[inline]
    pub(super) fn keep(&mut self) {
        self.before = self.room.len();
    }

    /// How much was written of objects that it has ended with.
    pub(super) fn kept(&self) -> usize {
        self.whole - self.before
    }

    /// Does what can be done when the ends up to this entry are known.
    #[inline]
    pub(super) fn go_on(&mut self, entry: u8, ends: &Ends) {
        while let Some((act, rest)) = self.acts.split_first()
            && act.after <= entry
            && self.act(act, ends).is_some()
        {
            self.acts = rest;
        }
    }

    /// Whether all is done.
    #[inline]
    pub(super) fn is_done(&self) -> bool {
        self.acts.is_empty()
    }

    #[inline]
    fn act(&mut self, Act { leaves, then, .. }: &Act, ends: &Ends) -> Option<()> {
        match leaves {
            Leaves::Span(from, to) => self.room.append(self.bytes, from.at(ends), to.at(ends), then),
            Leaves::Time(unit, _, from, to) => {
                self.room.append_time(*unit, self.bytes.get(from.at(ends)..to.at(ends))?, then)
            }
            Leaves::Literal(_) | Leaves::Edited(..) | Leaves::Lost(_) => None,
        }
    }
}

/// Appends what a step that holds makes of a value; `None` if there is nothing that it makes.
fn edit(step: &Step, text: &[u8], actor: &mut Actor<'_>, page: &mut Page) -> Option<()> {
    let Step::Hold(entries) = step else { return None };
    if let Some(made) = edited(entries, text, actor.tally) {
        page.extend(&made);
        return Some(());
    }
    let done = page.with_short(|out| apply(entries, text, actor.values, actor.arena, actor.tally, out));
    (done == Ok(true)).then_some(())
}

impl Spot {
    /// How far everything has left before the object.
    const COPIED: Self = Self { end: Ends::OTHER, offset: 0 };

    fn of(pos: usize, start: usize, end: usize, gaps: &Gaps) -> Option<Self> {
        let before = gaps.partition_point(|gap| gap.end <= pos);
        let base = before.checked_sub(1).and_then(|at| gaps.get(at)).map_or(start, |gap| gap.end);
        let next = gaps.get(before).map_or(end, |gap| gap.start);
        let (end, offset) = (u8::try_from(before).ok()?, u32::try_from(pos.checked_sub(base)?).ok()?);
        (pos <= next).then_some(Self { end, offset })
    }

    #[inline]
    pub(super) fn at(self, ends: &Ends) -> usize {
        ends.at(self.end) + self.offset as usize
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
