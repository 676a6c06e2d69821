//! Doing with an object what was done with one of the same outline.
//!
//! What the machine does with an object depends on its names, and on its values only where a step enters or holds
//! them. So the machine is watched while it works on an object: what left, and from where. If the next object has the
//! same [outline](Stencil), the same is done without a step for each token. An edit of a held value runs as ever; if
//! it fails, what was done is taken back and the machine has to say what is wrong.

use super::super::apply::{apply, edit_alone};
use super::super::edit::Literal;
use super::super::elements::next_element;
use super::super::output::{Piece, append_short};
use super::super::program::{Program, Step, StepId};
use super::super::stencil::{Ends, Gaps, Known, Laid, MOST_CUT, Read, Stencil};
use super::{At, Buf, Failing, Flow, FrameKind, Machine};

/// What has been seen of objects in each place, and the object that is watched.
#[derive(Debug, Default)]
pub(super) struct Replay {
    places: Vec<(StepId, Known<Recipe>)>,
    trace: Option<Trace>,
    laid: Option<Box<Laid>>,
    /// The place of the object that the buffer cut ([`At::Cut`]).
    cut: usize,
    /// Whether no outline is laid any more.
    is_off: bool,
}

/// An object that is being watched.
#[derive(Debug)]
struct Trace {
    place: usize,
    start: usize,
    /// How many frames there are around it.
    frames: usize,
    /// How far everything had left when it began.
    copied: usize,
}

/// What to do with an object of some outline.
#[derive(Debug, Clone)]
struct Recipe {
    acts: Vec<Act>,
    /// Whether an act may fail.
    fails: bool,
    /// How far everything has left afterwards, if further than to the object's start.
    copied: Option<Spot>,
    /// The object's end.
    end: Spot,
}

/// A position in an object of some outline: from the end of the value in a gap, or from the start.
#[derive(Debug, Clone, Copy)]
struct Spot {
    end: usize,
    offset: usize,
}

#[derive(Debug, Clone)]
enum Act {
    /// Everything up to here leaves.
    Flush(Spot),
    /// A span leaves.
    Copy(Spot, Spot),
    /// Text of the program: so many bytes, which are followed by others up to a whole block.
    Write(usize, Vec<u8>),
    Render(Literal),
    /// What a step that holds makes of a value leaves.
    Edit(StepId, Spot, Spot),
}

impl Replay {
    pub(super) fn is_watching(&self) -> bool {
        self.trace.is_some()
    }

    /// Positions move with the buffer.
    pub(super) fn rebase(&mut self, keep: usize) {
        if let Some(laid) = &mut self.laid {
            laid.rebase(keep);
        }
    }

    fn place(&mut self, step: StepId) -> usize {
        self.places.iter().position(|(at, _)| *at == step).unwrap_or_else(|| {
            self.places.push((step, Known::default()));
            self.places.len() - 1
        })
    }
}

impl Machine {
    /// Before an object: passes it, and those that follow it in its array, if they are known. If it is not and there
    /// is something to learn, it is watched from here.
    #[inline]
    pub(super) fn replayed(&mut self, program: &Program, buf: Buf<'_>) -> Option<Flow> {
        let listed = self.frames.last().is_none_or(|frame| frame.kind == FrameKind::EachElement);
        if !listed
            || self.dropping
            || self.replay.is_off
            || matches!(program.step(self.next), Step::Copy | Step::Hold(_) | Step::Capture(_))
        {
            return None;
        }
        let place = self.replay.place(self.next);
        self.with_known(place, |machine, known, laid| machine.replay_elements(program, known, buf, place, laid))
    }

    /// Runs something with what is known of a place.
    #[inline]
    fn with_known<T>(
        &mut self,
        place: usize,
        run: impl FnOnce(&mut Self, &mut Known<Recipe>, &mut Laid) -> Option<T>,
    ) -> Option<T> {
        let mut places = std::mem::take(&mut self.replay.places);
        let mut laid = self.replay.laid.take().unwrap_or_default();
        let done = places.get_mut(place).and_then(|(_, known)| run(self, known, &mut laid));
        self.replay.places = places;
        self.replay.laid = Some(laid);
        done
    }

    fn replay_elements(
        &mut self,
        program: &Program,
        known: &mut Known<Recipe>,
        buf: Buf<'_>,
        place: usize,
        laid: &mut Laid,
    ) -> Option<Flow> {
        let room = self.room();
        let mut passed = None;
        while let Some(end) = known.lay(buf.bytes, self.pos, room, laid)
            && end - self.pos <= self.limits.buffer
            && known.fitting().is_some_and(|recipe| self.follow(program, recipe, buf, &laid.ends))
        {
            // After a known element the machine stops, since between elements nothing is needed any more.
            passed = Some(Flow::On);
            self.pos = end;
            self.at = At::AfterValue;
            let Some(frame) = self.frames.last_mut() else {
                self.at = At::End;
                return passed;
            };
            let Some(next) = next_element(buf.bytes, end) else { return passed };
            frame.index += 1;
            self.pos = next;
            self.at = At::Value;
        }
        if laid.cut.is_some() && self.waits(buf.bytes.len() - self.pos) {
            self.replay.cut = place;
            self.pin = Some(self.pos);
            self.at = At::Cut;
            return Some(Flow::More);
        }
        laid.forget();
        if passed.is_none() {
            self.begin_trace(known, place);
        }
        passed
    }

    /// Whether so many bytes of an object that was cut are kept, instead of being read by the grammar.
    fn waits(&self, bytes: usize) -> bool {
        bytes <= MOST_CUT.min(self.limits.buffer) && self.attempts.start().is_none()
    }

    /// Lays the outline of the object that the last buffer cut on the rest of it, and does what is to be done with it.
    /// How many bytes were taken from `rest`, to after what is kept; with those, the machine stands after the object,
    /// or still in it, or before it if the outline does not fit after all.
    pub(super) fn resume(&mut self, program: &Program, kept: &mut Vec<u8>, rest: &[u8]) -> usize {
        let place = self.replay.cut;
        let taken = self.with_known(place, |machine, known, laid| {
            let before = kept.len();
            let room = machine.room();
            let Some(end) = known.resume(rest, before, room, laid) else {
                if laid.cut.is_some() && machine.waits(before + rest.len()) {
                    kept.extend_from_slice(rest);
                    return Some(rest.len());
                }
                laid.forget();
                return None;
            };
            kept.extend_from_slice(&rest[..end]);
            let buf = Buf { bytes: kept, chunk: None };
            let recipe = known.fitting().filter(|_| kept.len() <= machine.limits.buffer);
            machine.uncut();
            if recipe.is_some_and(|recipe| machine.follow(program, recipe, buf, &laid.ends)) {
                machine.pos = kept.len();
                machine.at = if machine.frames.is_empty() { At::End } else { At::AfterValue };
            }
            Some(end)
        });
        if taken.is_none() {
            self.uncut();
        }
        taken.unwrap_or(0)
    }

    /// The object that was cut is to be read from its start.
    pub(super) fn uncut(&mut self) {
        self.pin = None;
        self.at = At::Value;
    }

    /// Reads what there is of an object that was cut without an outline: nothing follows, and what is wrong with it
    /// has to be said.
    pub(super) fn settle(&mut self, program: &Program, kept: &[u8]) -> Failing<()> {
        if matches!(self.at, At::Cut) {
            self.replay.is_off = true;
            self.run(program, kept, None)?;
        }
        Ok(())
    }

    /// Does what the outline that fitted says; `false` if an edit failed, and nothing has been done.
    #[inline]
    fn follow(&mut self, program: &Program, recipe: &Recipe, buf: Buf<'_>, ends: &Ends) -> bool {
        if recipe.fails {
            self.try_acts(program, recipe, buf, ends)
        } else {
            self.carry_out_acts(program, recipe, buf, ends)
        }
    }

    fn try_acts(&mut self, program: &Program, recipe: &Recipe, buf: Buf<'_>, ends: &Ends) -> bool {
        let (copied, partial, uuids) = (self.copied, self.partial, self.values.uuids.taken());
        let mark = self.out.begin_attempt();
        let done = self.carry_out_acts(program, recipe, buf, ends);
        if !done {
            self.out.take_back(mark);
            self.copied = copied;
            self.partial = partial;
            self.values.uuids.put_back(uuids);
        }
        self.out.end_attempt();
        done
    }

    #[inline]
    fn carry_out_acts(&mut self, program: &Program, recipe: &Recipe, buf: Buf<'_>, ends: &Ends) -> bool {
        let end = recipe.end.at(ends);
        let Some(tail) = self.out.short_tail(end - self.copied) else {
            return self.carry_out_long_acts(program, recipe, buf, ends);
        };
        for act in &recipe.acts {
            match act {
                Act::Flush(to) => {
                    let to = to.at(ends);
                    append_short(tail, buf.bytes, self.copied, to);
                    self.copied = to;
                }
                Act::Copy(from, to) => append_short(tail, buf.bytes, from.at(ends), to.at(ends)),
                Act::Write(len, text) => append_short(tail, text, 0, *len),
                Act::Render(literal) => literal.render(&self.values, tail),
                Act::Edit(step, from, to) => {
                    let Step::Hold(entries) = program.step(*step) else { return false };
                    let text = &buf.bytes[from.at(ends)..to.at(ends)];
                    if !edit_alone(entries, text, tail)
                        && apply(entries, text, &self.values, &mut self.arena, &mut self.partial, tail) != Ok(true)
                    {
                        return false;
                    }
                }
            }
        }
        if let Some(copied) = recipe.copied {
            self.copied = copied.at(ends);
        }
        true
    }

    fn carry_out_long_acts(&mut self, program: &Program, recipe: &Recipe, buf: Buf<'_>, ends: &Ends) -> bool {
        for act in &recipe.acts {
            match act {
                Act::Flush(to) => self.flush(buf, to.at(ends)),
                Act::Copy(from, to) => self.out.copy(buf.bytes, from.at(ends), to.at(ends), buf.chunk),
                Act::Write(len, text) => self.out.write(&text[..*len]),
                Act::Render(literal) => self.out.render(literal, &self.values),
                Act::Edit(step, from, to) => {
                    let Step::Hold(entries) = program.step(*step) else { return false };
                    if self.edit(entries, &buf.bytes[from.at(ends)..to.at(ends)]) != Ok(true) {
                        return false;
                    }
                }
            }
        }
        if let Some(copied) = recipe.copied {
            self.copied = copied.at(ends);
        }
        true
    }

    /// Watches what happens to the object at hand, if that is of use.
    fn begin_trace(&mut self, known: &mut Known<Recipe>, place: usize) {
        if !known.is_curious() {
            return;
        }
        known.calm();
        let (start, frames, copied) = (self.pos, self.frames.len(), self.copied);
        self.replay.trace = Some(Trace { place, start, frames, copied });
        self.out.begin_record();
    }

    pub(super) fn forget_trace(&mut self) {
        if self.replay.trace.take().is_some() {
            self.out.end_record();
        }
    }

    /// After a value: learns from the object that is watched, if it was that.
    pub(super) fn end_trace(&mut self, buf: Buf<'_>) {
        let Some(trace) = self.replay.trace.take_if(|trace| trace.frames == self.frames.len()) else { return };
        let Some(pieces) = self.out.end_record() else { return };
        let read = |pos: usize| match pieces
            .iter()
            .rfind(|piece| matches!(piece, Piece::Whole(at) | Piece::Inside(at) if *at == pos))
        {
            Some(Piece::Whole(_)) => Read::Whole,
            Some(_) => Read::Inside,
            None => Read::Either,
        };
        let Some((stencil, gaps)) = Stencil::of(buf.bytes, trace.start, self.pos, &read) else { return };
        if let Some(recipe) = Recipe::of(&pieces, buf.bytes, &trace, &gaps, self.pos, self.copied)
            && let Some((_, known)) = self.replay.places.get_mut(trace.place)
        {
            known.learn(stencil, recipe);
        }
    }
}

impl Recipe {
    /// From what was done with the object that begins where `trace` says and ends at `end`.
    fn of(pieces: &[Piece], bytes: &[u8], trace: &Trace, gaps: &Gaps, end: usize, copied: usize) -> Option<Self> {
        let spot = |pos| Spot::of(pos, trace.start, end, gaps);
        // What is copied from between two values is in every object of this outline.
        let is_outline = |from, to| {
            let is_inside = from >= trace.start && from != trace.copied;
            is_inside && spot(from).zip(spot(to)).is_some_and(|(from, to)| from.end == to.end)
        };
        let mut acts = Vec::new();
        let mut flushed = trace.copied;
        for piece in &joined(pieces, bytes, is_outline) {
            acts.push(match piece {
                Piece::Copied { from, to } if *from == flushed && *from <= trace.start => {
                    flushed = *to;
                    Act::Flush(spot(*to)?)
                }
                Piece::Copied { from, to } => Act::Copy(spot(*from)?, spot(*to)?),
                Piece::Written(text) => {
                    let mut blocks = text.clone();
                    blocks.resize(text.len().next_multiple_of(16), 0);
                    Act::Write(text.len(), blocks)
                }
                Piece::Rendered(literal) => Act::Render(literal.clone()),
                Piece::Edited { step, from, to } => Act::Edit(*step, spot(*from)?, spot(*to)?),
                Piece::Whole(_) | Piece::Inside(_) => continue,
            });
        }
        // What stands before the object leaves first, or it would be lost.
        if !acts.is_empty() && !matches!(acts[0], Act::Flush(_)) {
            return None;
        }
        let fails = acts.iter().any(|act| matches!(act, Act::Edit(..)));
        let copied = if copied == trace.copied { None } else { Some(spot(copied)?) };
        Some(Self { acts, fails, copied, end: spot(end)? })
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

impl Spot {
    fn of(pos: usize, start: usize, end: usize, gaps: &Gaps) -> Option<Self> {
        let before = gaps.partition_point(|gap| gap.end <= pos);
        let base = before.checked_sub(1).and_then(|at| gaps.get(at)).map_or(start, |gap| gap.end);
        let next = gaps.get(before).map_or(end, |gap| gap.start);
        (base <= pos && pos <= next).then(|| Self { end: before, offset: pos - base })
    }

    #[inline]
    fn at(self, ends: &Ends) -> usize {
        ends.0.get(self.end).map_or(0, |end| end + self.offset)
    }
}
