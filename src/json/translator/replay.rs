//! Doing with an object what was done with one of the same outline.
//!
//! What the machine does with an object depends on its names, and on its values only where a step enters or holds
//! them. So the machine is watched while it works on an object: what left, and from where. If the next object has the
//! same [outline](Stencil), the same is done without a step for each token, most of it while the outline is laid. An edit
//! of a held value runs as ever; if it fails, what was done is taken back and the machine has to say what is wrong.

use bytes::Bytes;

use super::super::elements::next_element;
use super::super::output::{PIECE, Piece, SLICE_FROM};
use super::super::page::Room;
use super::super::program::{Program, Step, StepId};
use super::super::stencil::{Ends, Known, Laid, MOST_CUT, Read, Stencil};
use super::acts::{Act, Actor, Begun, Leaves, Pen, Recipe, Scene, Seen};
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

/// Why no further objects were passed.
#[derive(Debug)]
enum Stop {
    /// There is no more room.
    Full,
    /// There are none.
    Last,
    /// The next ends here, and not all is done with it.
    Object(usize, Begun),
    /// The next fits no outline, or is cut.
    Unknown,
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

    /// Lays the outline that fitted last in a place on the object at `pos`, where everything has left up to `copied`, and
    /// does what is plain to do with it: where the object ends, where its values do, and the recipe that has been begun.
    pub(super) fn lay(
        &mut self,
        step: StepId,
        bytes: &[u8],
        (pos, copied): (usize, usize),
        room: usize,
        space: Room<'_>,
    ) -> Option<(usize, &Ends, &Recipe, Begun)> {
        let (_, known) = self.places.iter().find(|(at, _)| *at == step)?;
        let laid = self.laid.get_or_insert_default();
        let (stencil, recipe) = known.last()?;
        laid.ends.set(Ends::OTHER, copied);
        let mut pen = Pen::new(bytes, space);
        pen.begin(&recipe.acts);
        let Some(end) = stencil.lay(bytes, pos, room, laid, |entry, ends| pen.go_on(entry, ends)) else {
            laid.forget();
            return None;
        };
        Some((end, &laid.ends, recipe, pen.begun(recipe)))
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
        let is_element = !self.frames.is_empty();
        let mut passed = 0;
        let is_last = loop {
            let (plain, stop) = self.replay_plain(known, buf.bytes, laid);
            passed += plain;
            let (end, begun) = match stop {
                Stop::Full => continue,
                Stop::Last => break true,
                Stop::Object(end, begun) => (end, begun),
                Stop::Unknown => break false,
            };
            let fits = end - self.pos <= self.limits.buffer;
            if !fits || !known.last().is_some_and(|(_, recipe)| self.follow(program, recipe, buf, &laid.ends, begun)) {
                break false;
            }
            passed += 1;
            let next = next_element(buf.bytes, end).filter(|_| is_element);
            self.pos = next.unwrap_or(end);
            if next.is_none() {
                break true;
            }
        };
        if let Some(frame) = self.frames.last_mut() {
            frame.index += passed - u64::from(is_last);
        }
        if is_last {
            // Here the machine stops, since between elements nothing is needed any more.
            self.at = if is_element { At::AfterValue } else { At::End };
            return Some(Flow::On);
        }
        if laid.cut.is_some() && self.waits(buf.bytes.len() - self.pos) {
            self.replay.cut = place;
            self.pin = Some(self.pos);
            self.at = At::Cut;
            return Some(Flow::More);
        }
        laid.forget();
        if passed == 0 {
            self.begin_trace(known, place);
            return None;
        }
        Some(Flow::On)
    }

    /// Passes objects, from the one at hand on, as long as they are short, have the outline that fitted last and what is to
    /// be done with them is plain; how many.
    ///
    /// All the time goes into this loop, which is why it is a function of its own and keeps what it can in registers.
    #[inline(never)]
    fn replay_plain(&mut self, known: &mut Known<Recipe>, bytes: &[u8], laid: &mut Laid) -> (u64, Stop) {
        let (room, is_element) = (self.room(), !self.frames.is_empty());
        let (mut pos, mut passed) = (self.pos, 0);
        laid.ends.set(Ends::OTHER, self.copied);
        let Some(page) = self.out.short_page(0) else {
            let end = known.lay(bytes, pos, room, laid);
            return (0, end.map_or(Stop::Unknown, |end| Stop::Object(end, Begun::default())));
        };
        let mut stop = Stop::Unknown;
        if let Some((stencil, recipe)) = known.last() {
            let mut pen = Pen::new(bytes, page.room(bytes.len() - pos));
            stop = loop {
                if !pen.has_room() {
                    break Stop::Full;
                }
                pen.begin(&recipe.acts);
                let Some(end) = stencil.lay(bytes, pos, room, laid, |entry, ends| pen.go_on(entry, ends)) else {
                    break Stop::Unknown;
                };
                if !pen.is_done() || end - pos > self.limits.buffer || recipe.span(&laid.ends) >= SLICE_FROM {
                    break Stop::Object(end, pen.begun(recipe));
                }
                pen.keep();
                laid.ends.set(Ends::OTHER, recipe.copied(&laid.ends));
                passed += 1;
                let Some(next) = next_element(bytes, end).filter(|_| is_element) else {
                    pos = end;
                    break Stop::Last;
                };
                pos = next;
            };
            let kept = pen.kept();
            page.advance(kept);
            // Of a page that leaves, nothing stays that has not been ended with.
            if let Stop::Object(_, begun) = &mut stop
                && page.len() >= PIECE
            {
                *begun = Begun::default();
            }
            self.copied = laid.ends.at(Ends::OTHER);
            self.pos = pos;
        }
        if matches!(stop, Stop::Unknown) && laid.cut.is_none() {
            let end = known.lay_others(bytes, pos, room, laid);
            stop = end.map_or(Stop::Unknown, |end| Stop::Object(end, Begun::default()));
        }
        (passed, stop)
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
            let recipe = known.last().map(|(_, recipe)| recipe).filter(|_| kept.len() <= machine.limits.buffer);
            machine.uncut();
            laid.ends.set(Ends::OTHER, machine.copied);
            if recipe.is_some_and(|recipe| machine.follow(program, recipe, buf, &laid.ends, Begun::default())) {
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

    /// Does what the outline that fitted says and is not done yet; `false` if an edit failed, and nothing has been done.
    #[inline(never)]
    fn follow(&mut self, program: &Program, recipe: &Recipe, buf: Buf<'_>, ends: &Ends, begun: Begun) -> bool {
        let scene = Scene { program, bytes: buf.bytes, ends };
        let span = recipe.span(ends);
        let done = match self.out.short_page(span) {
            Some(page) => {
                let actor = Actor { values: &self.values, arena: &mut self.arena, tally: &mut self.tally };
                recipe.finish(scene, begun, actor, page).is_some()
            }
            None => self.follow_long(recipe, scene, buf.chunk),
        };
        if done {
            self.copied = recipe.copied(ends);
        }
        done
    }

    fn follow_long(&mut self, recipe: &Recipe, scene: Scene<'_>, chunk: Option<&Bytes>) -> bool {
        let (tally, uuids) = (self.tally.begin(), self.values.uuids.taken());
        let mark = self.out.begin_attempt();
        let done = self.act(recipe, scene, chunk);
        if done {
            self.tally.keep(tally);
        } else {
            self.out.take_back(mark);
            self.tally.take_back(tally);
            self.values.uuids.put_back(uuids);
        }
        self.out.end_attempt();
        done
    }

    fn act(&mut self, recipe: &Recipe, Scene { program, bytes, ends }: Scene<'_>, chunk: Option<&Bytes>) -> bool {
        for Act { leaves, then, .. } in &recipe.acts {
            match leaves {
                Leaves::Lost(number) => self.lose(*number),
                Leaves::Span(from, to) => self.out.copy(bytes, from.at(ends), to.at(ends), chunk),
                Leaves::Literal(literal) => self.out.render(literal, &self.values),
                Leaves::Edited(step, from, to) | Leaves::Time(_, step, from, to) => {
                    let Step::Hold(entries) = program.step(*step) else { return false };
                    if self.edit(entries, &bytes[from.at(ends)..to.at(ends)]) != Ok(true) {
                        return false;
                    }
                }
            }
            if !then.get().is_empty() {
                self.out.write(then.get());
            }
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
    pub(super) fn end_trace(&mut self, program: &Program, buf: Buf<'_>) {
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
        let seen = Seen { start: trace.start, end: self.pos, copied: (trace.copied, self.copied) };
        if let Some(recipe) = Recipe::of(program, &pieces, buf.bytes, &gaps, seen)
            && let Some((_, known)) = self.replay.places.get_mut(trace.place)
        {
            known.learn(stencil, recipe);
        }
    }
}
