//! What becomes of an object's members: which leave, under which name, and which are added.

use super::super::OnError;
use super::super::error::{Code, Error};
use super::super::output::Piece;
use super::super::program::{Action, Object, Pick, Program, Slot, Step, StepId};
use super::super::scanner::Expected;
use super::super::text::name_is;
use super::ahead::Ahead;
use super::{At, BEGUN, Buf, Failing, Flow, Frame, FrameKind, Machine, PICKED, Ran};

/// In a pick's frame: that the first of the members that are lost beside it was there; the others follow.
const BESIDE: u64 = 4;

impl Machine {
    #[cold]
    pub(super) fn not_enveloped(&self, pick: &Pick, found: &str) -> Error {
        let mut error = Error::new(
            Code::NotEnveloped,
            self.base + self.pos as u64,
            format!("expected an object with the member `{}`, {found}", pick.key),
        );
        error.change.clone_from(&pick.change);
        error.at(String::new())
    }

    pub(super) fn first_name(&mut self, program: &Program, buf: Buf<'_>) -> Ran {
        match self.peek(buf) {
            None => return Ok(Flow::More),
            Some(b'}') => {
                self.pin = None;
                if let (Some(FrameKind::Pick), Some(Step::Pick(pick))) =
                    (self.frames.last().map(|f| f.kind), self.frames.last().map(|f| program.step(f.step)))
                {
                    return Err(self.not_enveloped(pick, "found an empty one").into());
                }
                self.close(program, buf)?;
            }
            Some(_) => {
                self.at = At::Name;
                self.pass_members(program, buf.bytes);
            }
        }
        Ok(Flow::On)
    }

    #[inline]
    pub(super) fn before_name(&mut self, buf: Buf<'_>) -> Flow {
        if self.peek(buf).is_none() {
            return Flow::More;
        }
        self.name.start = self.pos;
        self.at = At::InName;
        Flow::On
    }

    #[inline]
    pub(super) fn in_name(&mut self, program: &Program, buf: Buf<'_>) -> Ran {
        let Some(end) = self.token.name(buf.bytes, self.pos).map_err(|e| self.syntax(e))? else {
            self.pos = buf.bytes.len();
            return Ok(Flow::More);
        };
        self.pos = end;
        self.name.end = end;
        self.decide(program, buf)
    }

    /// What to do with the member whose name has been read.
    #[inline]
    pub(super) fn decide(&mut self, program: &Program, buf: Buf<'_>) -> Ran {
        if let Some(pin) = self.pin {
            self.check_held(self.name.end - pin)?;
        }
        let Some(frame) = self.frames.last() else {
            return Ok(Flow::On);
        };
        self.at = At::Colon;
        match program.step(frame.step) {
            Step::Object(object) => self.decide_in_object(program, object, buf),
            Step::Pick(pick) => self.decide_in_pick(program, pick, buf),
            Step::Each { inner } => {
                self.next = *inner;
                Ok(Flow::On)
            }
            Step::Copy | Step::Hold(_) | Step::Surround { .. } | Step::Capture(_) => Ok(Flow::On),
        }
    }

    pub(super) fn decide_in_pick(&mut self, program: &Program, pick: &Pick, buf: Buf<'_>) -> Ran {
        self.pin = None;
        let name = &buf.bytes[self.name.clone()];
        let picked = name_is(name, &pick.key);
        let Some(frame) = self.frames.last_mut() else {
            return Ok(Flow::On);
        };
        if !picked {
            if let Some(at) = pick.lost.iter().position(|(lost, _)| name_is(name, lost)) {
                frame.seen |= BESIDE << at;
            }
            self.next = StepId::COPY;
            return Ok(Flow::On);
        }
        if frame.seen & PICKED != 0 {
            return Err(self.duplicate(program, &pick.key).into());
        }
        frame.seen |= PICKED;
        self.next = pick.inner;
        self.at = At::Colon;
        Ok(Flow::On)
    }

    #[inline]
    pub(super) fn decide_in_object(&mut self, program: &Program, object: &Object, buf: Buf<'_>) -> Ran {
        let raw = &buf.bytes[self.name.clone()];
        let Some((at, slot)) = object.find(raw) else {
            self.keep(buf);
            self.next = StepId::COPY;
            return Ok(Flow::On);
        };
        let Some(frame) = self.frames.last_mut() else {
            return Ok(Flow::On);
        };
        let there = frame.seen | frame.ahead.unwrap_or(0);
        let twice = slot.unique.filter(|unless| frame.seen >> at & 1 == 1 && unless & there == 0);
        let is_open = slot.yields_to != 0 && slot.yields_to & there == 0 || twice.is_some_and(|unless| unless != 0);
        if is_open && frame.ahead.is_none() {
            if object.attempt.is_some() {
                self.give_up(program);
                return Ok(Flow::On);
            }
            // Whether this member leaves, or may stand twice, depends on members to come.
            frame.ahead = Some(0);
            self.at = At::Ahead(Ahead::after_name(self.name.end));
            return Ok(Flow::On);
        }
        frame.slot = Some(at);
        if twice.is_some() {
            if self.can_give_up() {
                self.give_up(program);
                return Ok(Flow::On);
            }
            return Err(self.duplicate(program, &slot.name).into());
        }
        frame.seen |= 1 << at;
        frame.unless_emptied = None;
        let wins = slot.yields_to & there == 0;
        self.carry_out(program, slot, wins, buf)?;
        self.pass_value(buf.bytes);
        Ok(Flow::On)
    }

    fn carry_out(&mut self, program: &Program, slot: &Slot, wins: bool, buf: Buf<'_>) -> Failing<()> {
        match &slot.action {
            Action::Keep { rename, inner } if wins => {
                self.keep_as(rename.as_deref(), buf);
                self.next = *inner;
            }
            Action::KeepUnlessEmptied { rename, inner } => self.keep_unless_emptied(rename.as_deref(), *inner, buf),
            Action::GiveUp => self.give_up(program),
            Action::Capture { capture } => {
                self.drop_member(buf);
                self.next = *capture;
            }
            Action::Refuse { rename, .. } if self.values.on_error == OnError::BestEffort => {
                // An outline that is kept for other documents must not have it.
                self.forget_trace();
                self.tally.skip();
                if wins {
                    self.keep_as(rename.as_deref(), buf);
                } else {
                    self.drop_member(buf);
                }
                self.next = StepId::COPY;
            }
            Action::Refuse { change, .. } => {
                let mut error =
                    Error::new(Code::InformationLost, 0, format!("`{}` has no place in the other version", slot.name));
                error.change.clone_from(change);
                return Err(self.blame(program, self.name.start, error).into());
            }
            Action::Keep { .. } | Action::Drop => self.drop_member(buf),
        }
        Ok(())
    }

    /// Lets the member at hand not leave.
    #[inline]
    fn drop_member(&mut self, buf: Buf<'_>) {
        self.pin = None;
        self.flush(buf, self.unit);
        self.dropping = true;
        self.next = StepId::COPY;
    }

    /// Lets the member at hand leave for now: it is taken back if captures empty it.
    fn keep_unless_emptied(&mut self, rename: Option<&[u8]>, inner: StepId, buf: Buf<'_>) {
        self.flush(buf, self.unit);
        let mark = self.out.mark();
        if let Some(frame) = self.frames.last_mut() {
            frame.unless_emptied = Some((mark, frame.emitted));
        }
        self.keep_as(rename, buf);
        self.next = inner;
    }

    /// Lets the member at hand leave, perhaps under another name.
    #[inline]
    fn keep_as(&mut self, rename: Option<&[u8]>, buf: Buf<'_>) {
        self.keep(buf);
        if let Some(name) = rename {
            self.flush(buf, self.name.start);
            self.out.write(name);
            self.copied = self.name.end;
        }
    }

    /// Lets the member at hand leave, with the comma before it if it needs one.
    #[inline]
    pub(super) fn keep(&mut self, buf: Buf<'_>) {
        self.pin = None;
        let Some(frame) = self.frames.last_mut() else {
            return;
        };
        if !std::mem::replace(&mut frame.emitted, true) && buf.bytes.get(self.unit) == Some(&b',') {
            self.copied = self.unit + 1;
        }
    }

    #[cold]
    pub(super) fn duplicate(&self, program: &Program, name: &str) -> Error {
        let detail = format!("the member `{}` stands twice in its object", name.escape_debug());
        self.blame(program, self.name.start, Error::new(Code::DuplicateKey, 0, detail))
    }

    /// Reads over the rest of the object, noting which slots it has, and comes back.
    pub(super) fn read_ahead(&mut self, program: &Program, buf: Buf<'_>) -> Ran {
        let At::Ahead(mut ahead) = std::mem::replace(&mut self.at, At::Decide) else {
            return Ok(Flow::On);
        };
        let object = self.frames.last().map(|frame| program.step(frame.step));
        let Some(Step::Object(object)) = object else {
            return Ok(Flow::On);
        };
        let room = self.room();
        let found = ahead.run(buf.bytes, room, object).map_err(|e| self.syntax(e))?;
        if let Some(frame) = self.frames.last_mut() {
            frame.ahead = Some(frame.ahead.unwrap_or(0) | found.slots);
        }
        self.check_held(ahead.pos - self.unit)?;
        if found.ended {
            return Ok(Flow::On);
        }
        self.at = At::Ahead(ahead);
        Ok(Flow::More)
    }

    #[inline]
    pub(super) fn colon(&mut self, buf: Buf<'_>) -> Ran {
        match self.peek(buf) {
            None => return Ok(Flow::More),
            Some(b':') => self.pos += 1,
            Some(_) => return self.unexpected(self.pos, Expected::Colon),
        }
        self.at = At::Value;
        if let Some(Frame { kind: FrameKind::Pick, seen, .. }) = self.frames.last()
            && seen & (PICKED | BEGUN) == PICKED
        {
            self.begin_picked(buf);
        }
        Ok(Flow::On)
    }

    /// The picked member's value begins to leave; members after it do not.
    pub(super) fn begin_picked(&mut self, buf: Buf<'_>) {
        let Some(frame) = self.frames.last_mut() else {
            return;
        };
        frame.seen |= BEGUN;
        self.flush(buf, self.pos);
        self.dropping = false;
    }

    /// Counts what an object has lost with members that went: `seen` are the slots that were there.
    #[inline]
    pub(super) fn lose_members(&mut self, object: &Object, seen: u64) {
        for (slots, number) in &object.lost {
            if slots & seen != 0 {
                self.lose(*number);
            }
        }
    }

    /// Counts what was lost with the members beside the one that took an object's place.
    pub(super) fn lose_unpicked(&mut self, pick: &Pick, seen: u64) {
        for (at, (_, number)) in pick.lost.iter().enumerate() {
            if seen & BESIDE << at != 0 {
                self.lose(*number);
            }
        }
    }

    #[cold]
    pub(super) fn lose(&mut self, number: u32) {
        self.out.note(|| Piece::Lost(number));
        self.tally.count(number);
    }

    /// After a dropped member of an object, what follows leaves again.
    #[inline]
    pub(super) fn end_dropped(&mut self, kind: FrameKind, buf: Buf<'_>) {
        if self.dropping && kind == FrameKind::Object {
            self.flush(buf, self.pos);
            self.dropping = false;
        }
    }
}

impl Object {
    /// The slot of the member with this name, which is JSON text.
    #[inline]
    pub(super) fn find(&self, raw: &[u8]) -> Option<(usize, &Slot)> {
        self.slots.iter().enumerate().find(|(_, slot)| name_is(raw, &slot.name))
    }
}
