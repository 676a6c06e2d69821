//! One document in flight: a program run over chunks in a single pass.
//!
//! The machine stands somewhere in the document's grammar ([`At`]). Bytes leave by default: `copied` is how far
//! they have, and what is dropped or replaced moves it on without writing. A position that will be needed again,
//! because a name, a held scope or an undecided member begins there, is pinned; what lies behind the pin when a
//! chunk ends is kept and put before the next one. Nothing else is ever kept.

mod acts;
mod ahead;
mod attempt;
mod document;
mod kit;
mod members;
mod pass;
mod replay;
mod whole;

use bytes::Bytes;

use super::apply::{apply, edited};
use super::edit::Entry;
use super::error::{Code, Error};
use super::output::{Mark, Output, Piece};
use super::program::{Program, Step, StepId};
use super::scanner::{Expected, Skip, Skipper, Syntax, Token, skip_space};
use super::tally::Tally;
use super::text::push_pointer;
use super::tree::Arena;
use super::{Limits, Values};
use ahead::Ahead;
use attempt::Attempts;
pub use document::Translator;
use kit::Kit;
pub(super) use kit::Kits;
use replay::Replay;

/// Where in the grammar the machine stands.
#[derive(Debug)]
enum At {
    /// Before a value; `Machine::next` is its step.
    Value,
    /// Before an array's first element or its end.
    FirstValue,
    /// In a value that nobody looks into.
    Skipped,
    /// In a value that is held; it begins at the pin.
    Held,
    /// In a value that leaves later.
    Captured,
    /// In an object that is like one before as far as the buffer goes; it begins at the pin.
    Cut,
    /// Before an object's first name or its end.
    FirstName,
    /// Before a name.
    Name,
    /// In a name.
    InName,
    /// After a name about which everything is known.
    Decide,
    /// Reading ahead, from after a name, to learn which members follow in its object.
    Ahead(Ahead),
    /// After a name.
    Colon,
    /// After a value in a container.
    AfterValue,
    /// After the document.
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FrameKind {
    Surround,
    Pick,
    EachElement,
    EachMember,
    Object,
}

/// Of a pick: that the member was there.
const PICKED: u64 = 1;

/// Of a pick: that the member's value began.
const BEGUN: u64 = 2;

/// A value that the program has entered.
#[derive(Debug)]
struct Frame {
    kind: FrameKind,
    step: StepId,
    /// The slots that were there, as bits; for a pick, [`PICKED`] and the like.
    seen: u64,
    /// The slots that reading ahead has found, if it was done.
    ahead: Option<u64>,
    /// Whether a member has left.
    emitted: bool,
    /// The element at hand, for messages.
    index: u64,
    /// The slot at hand, for messages.
    slot: Option<usize>,
    /// Where the member at hand began in the output, and whether one was there already, if it goes should captures
    /// empty it.
    unless_emptied: Option<(Mark, bool)>,
}

#[derive(Debug)]
struct Machine {
    values: Values,
    limits: Limits,
    arena: Arena,
    out: Output,
    tally: Tally,
    /// The offset in the document of the buffer's first byte. All positions are in the buffer.
    base: u64,
    pos: usize,
    copied: usize,
    pin: Option<usize>,
    /// Whether what is passed does not leave.
    dropping: bool,
    at: At,
    next: StepId,
    token: Token,
    skipper: Skipper,
    frames: Vec<Frame>,
    attempts: Attempts,
    replay: Replay,
    /// Where that came from, and goes to.
    kit: Option<Box<Kit>>,
    /// How many of the frames are containers.
    depth: usize,
    /// Where the member at hand begins: at the comma before it, or after the brace.
    unit: usize,
    name: std::ops::Range<usize>,
}

/// A buffer and the chunk it is all of, where it is one.
#[derive(Clone, Copy)]
struct Buf<'a> {
    bytes: &'a [u8],
    chunk: Option<&'a Bytes>,
}

/// Whether the buffer has more for the machine.
#[derive(PartialEq, Eq)]
enum Flow {
    On,
    More,
}

/// Errors are boxed on the inside: what every step returns should fit a register.
type Failing<T> = Result<T, Box<Error>>;

type Ran = Failing<Flow>;

impl Machine {
    fn new(next: StepId, values: Values, limits: Limits, mut kit: Box<Kit>) -> Self {
        let limits = limits.capped();
        Self {
            values,
            limits,
            arena: Arena::default(),
            out: Output::new(std::mem::take(&mut kit.pieces)),
            tally: Tally::default(),
            base: 0,
            pos: 0,
            copied: 0,
            pin: None,
            dropping: false,
            at: At::Value,
            next,
            token: Token::None,
            skipper: std::mem::take(&mut kit.skipper),
            frames: std::mem::take(&mut kit.frames),
            attempts: Attempts::default(),
            replay: std::mem::take(&mut kit.replay),
            kit: Some(kit),
            depth: 0,
            unit: 0,
            name: 0..0,
        }
    }

    /// Runs to the end of the buffer.
    fn run(&mut self, program: &Program, bytes: &[u8], chunk: Option<&Bytes>) -> Failing<()> {
        let buf = Buf { bytes, chunk };
        while self.step(program, buf)? == Flow::On {}
        Ok(())
    }

    /// Runs to the first place from `boundary` on before which nothing is needed any more, or to the end of the
    /// buffer; says whether there was such a place. It is where the machine stands.
    fn run_past(&mut self, program: &Program, bytes: &[u8], boundary: usize) -> Failing<bool> {
        let buf = Buf { bytes, chunk: None };
        while self.step(program, buf)? == Flow::On {
            let between = matches!(self.at, At::Value | At::AfterValue);
            if between && self.pos >= boundary && self.pin.is_none() && self.attempts.start().is_none() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    #[inline]
    fn step(&mut self, program: &Program, buf: Buf<'_>) -> Ran {
        match self.at {
            At::Value => self.value(program, buf),
            At::FirstValue => self.first_value(program, buf),
            At::Skipped | At::Captured => self.skipped(program, buf),
            At::Held => self.held(program, buf),
            At::Cut => {
                self.uncut();
                Ok(Flow::On)
            }
            At::FirstName => self.first_name(program, buf),
            At::Name => Ok(self.before_name(buf)),
            At::InName => self.in_name(program, buf),
            At::Decide => self.decide(program, buf),
            At::Ahead(_) => self.read_ahead(program, buf),
            At::Colon => self.colon(buf),
            At::AfterValue => self.after_value(program, buf),
            At::End => self.end(buf),
        }
    }

    #[cold]
    fn syntax(&self, syntax: Syntax) -> Error {
        syntax.into_error(self.base)
    }

    #[cold]
    fn unexpected<T>(&self, at: usize, expected: Expected) -> Failing<T> {
        Err(self.syntax(Syntax { at, expected }).into())
    }

    /// The next byte that is not white space, which is passed.
    #[inline]
    fn peek(&mut self, buf: Buf<'_>) -> Option<u8> {
        self.pos = skip_space(buf.bytes, self.pos);
        buf.bytes.get(self.pos).copied()
    }

    /// Lets everything before `to` leave, or drops it.
    #[inline]
    fn flush(&mut self, buf: Buf<'_>, to: usize) {
        if !self.dropping && to > self.copied {
            self.out.copy(buf.bytes, self.copied, to, buf.chunk);
        }
        self.copied = to;
    }

    #[inline]
    fn value(&mut self, program: &Program, buf: Buf<'_>) -> Ran {
        let Some(byte) = self.peek(buf) else {
            return Ok(Flow::More);
        };
        if byte == b'{'
            && let Some(flow) = self.replayed(program, buf)
        {
            return Ok(flow);
        }
        match program.step(self.next) {
            Step::Copy => {
                self.at = At::Skipped;
                return self.skipped(program, buf);
            }
            Step::Hold(_) => {
                self.out.note(|| Piece::Whole(self.pos));
                self.pin = Some(self.pos);
                self.at = At::Held;
            }
            Step::Surround { before, inner, .. } => {
                self.flush(buf, self.pos);
                self.out.write(before);
                self.enter(FrameKind::Surround);
                self.next = *inner;
            }
            Step::Pick(_) if byte == b'{' => {
                self.flush(buf, self.pos);
                self.dropping = true;
                self.open(FrameKind::Pick)?;
            }
            Step::Pick(pick) => {
                let found = super::valid::Kind::of(&buf.bytes[self.pos..]).name();
                return Err(self.not_enveloped(pick, &format!("found {found}")).into());
            }
            Step::Each { .. } if byte == b'[' => self.open(FrameKind::EachElement)?,
            Step::Each { .. } if byte == b'{' => self.open(FrameKind::EachMember)?,
            Step::Object(object) if byte == b'{' => {
                if let Some(attempt) = object.attempt {
                    self.flush(buf, self.pos);
                    self.begin_attempt(attempt);
                }
                self.open(FrameKind::Object)?;
            }
            Step::Capture(number) => {
                self.out.note(|| Piece::Whole(self.pos));
                self.begin_capture(*number);
                self.at = At::Captured;
            }
            Step::Each { .. } | Step::Object(_) => {
                self.out.note(|| Piece::Inside(self.pos));
                self.at = At::Skipped;
            }
        }
        Ok(Flow::On)
    }

    fn enter(&mut self, kind: FrameKind) {
        self.frames.push(Frame {
            kind,
            step: self.next,
            seen: 0,
            ahead: None,
            emitted: false,
            index: 0,
            slot: None,
            unless_emptied: None,
        });
    }

    /// Enters the container whose bracket is at hand.
    fn open(&mut self, kind: FrameKind) -> Failing<()> {
        if self.room() == 0 {
            return self.unexpected(self.pos, Expected::Shallower);
        }
        self.out.note(|| Piece::Inside(self.pos));
        self.enter(kind);
        self.depth += 1;
        self.pos += 1;
        self.at = if kind == FrameKind::EachElement { At::FirstValue } else { At::FirstName };
        self.begin_member(kind);
        Ok(())
    }

    /// How many levels deeper the document may nest.
    fn room(&self) -> usize {
        (self.limits.depth as usize).saturating_sub(self.depth)
    }

    /// Notes that a member begins here, of which nothing may leave before its name is known.
    #[inline]
    fn begin_member(&mut self, kind: FrameKind) {
        self.unit = self.pos;
        if matches!(kind, FrameKind::Object | FrameKind::Pick) {
            self.pin = Some(self.unit);
        }
    }

    /// Goes on over a value that nobody looks into; its end, if the buffer has it.
    #[inline]
    fn skip(&mut self, buf: Buf<'_>) -> Failing<Option<usize>> {
        let room = self.room();
        match self.skipper.run(buf.bytes, self.pos, room) {
            Ok(Skip::End(end)) => Ok(Some(end)),
            Ok(Skip::More) => {
                self.pos = buf.bytes.len();
                Ok(None)
            }
            Err(syntax) => Err(self.syntax(syntax).into()),
        }
    }

    #[inline]
    fn skipped(&mut self, program: &Program, buf: Buf<'_>) -> Ran {
        let Some(end) = self.skip(buf)? else { return Ok(Flow::More) };
        self.pos = end;
        if matches!(self.at, At::Captured) {
            self.end_capture();
        }
        self.value_done(program, buf);
        Ok(Flow::On)
    }

    fn held(&mut self, program: &Program, buf: Buf<'_>) -> Ran {
        let Some(end) = self.skip(buf)? else { return Ok(Flow::More) };
        self.edit_held(program, buf, end)?;
        self.value_done(program, buf);
        Ok(Flow::On)
    }

    fn edit_held(&mut self, program: &Program, buf: Buf<'_>, end: usize) -> Failing<()> {
        let start = self.pin.take().unwrap_or(end);
        self.check_held(end - start)?;
        self.flush(buf, start);
        let Step::Hold(entries) = program.step(self.next) else {
            return Ok(());
        };
        self.out.note(|| Piece::Edited { step: self.next, from: start, to: end });
        match self.edit(entries, &buf.bytes[start..end]) {
            Ok(true) => {}
            Ok(false) => {
                return Err(self
                    .blame(
                        program,
                        start,
                        Error::new(Code::CannotRemoveIndex, 0, "the value cannot be taken away from where it stands"),
                    )
                    .into());
            }
            Err(error) => return Err(self.blame(program, start, error).into()),
        }
        self.copied = end;
        self.pos = end;
        Ok(())
    }

    /// Appends what edits make of a held value; `false`: it goes.
    fn edit(&mut self, entries: &[Entry], text: &[u8]) -> Result<bool, Error> {
        if let Some(made) = edited(entries, text, &mut self.tally) {
            self.out.tail().extend(&made);
            return Ok(true);
        }
        let Self { out, values, arena, tally, .. } = self;
        out.tail().with(|out| apply(entries, text, values, arena, tally, out))
    }

    /// What bounds memory: no more than the limit is ever held.
    fn check_held(&self, len: usize) -> Failing<()> {
        if len > self.limits.buffer {
            let detail = format!("more than {} bytes would have to be held at once", self.limits.buffer);
            return Err(Box::new(Error::new(Code::TooLarge, self.base + self.pin.unwrap_or(0) as u64, detail)));
        }
        Ok(())
    }

    /// Completes an op's error: where in the document its scope lies.
    #[cold]
    fn blame(&self, program: &Program, at: usize, mut error: Error) -> Error {
        let mut pointer = String::new();
        for frame in &self.frames {
            match (frame.kind, program.step(frame.step)) {
                (FrameKind::EachElement, _) => push_pointer(&frame.index.to_string(), &mut pointer),
                (FrameKind::EachMember, _) => push_pointer("*", &mut pointer),
                (FrameKind::Pick, Step::Pick(pick)) => push_pointer(&pick.key, &mut pointer),
                (FrameKind::Object, Step::Object(object)) => {
                    if let Some(slot) = frame.slot.and_then(|at| object.slots.get(at)) {
                        push_pointer(&slot.name, &mut pointer);
                    }
                }
                _ => {}
            }
        }
        pointer.push_str(error.pointer.as_deref().unwrap_or_default());
        error.offset = self.base + at as u64;
        error.at(pointer)
    }

    /// After a value that ends at `pos`.
    #[inline]
    fn value_done(&mut self, program: &Program, buf: Buf<'_>) {
        loop {
            let Some(frame) = self.frames.last() else {
                self.at = At::End;
                break;
            };
            self.at = At::AfterValue;
            match (frame.kind, program.step(frame.step)) {
                (FrameKind::Surround, Step::Surround { after, .. }) => {
                    self.flush(buf, self.pos);
                    self.out.render(after, &self.values);
                    self.frames.pop();
                }
                (FrameKind::Pick, _) => {
                    self.flush(buf, self.pos);
                    self.dropping = true;
                    break;
                }
                _ => break,
            }
        }
        if self.replay.is_watching() {
            self.end_trace(program, buf);
        }
    }

    fn first_value(&mut self, program: &Program, buf: Buf<'_>) -> Ran {
        match self.peek(buf) {
            None => return Ok(Flow::More),
            Some(b']') => self.close(program, buf)?,
            Some(_) => self.next_value(program),
        }
        Ok(Flow::On)
    }

    /// Before an element or a member's value of a container all of whose values have one step.
    fn next_value(&mut self, program: &Program) {
        if let Some(Step::Each { inner }) = self.frames.last().map(|frame| program.step(frame.step)) {
            self.next = *inner;
        }
        self.at = At::Value;
    }

    #[inline]
    fn after_value(&mut self, program: &Program, buf: Buf<'_>) -> Ran {
        let Some(byte) = self.peek(buf) else {
            return Ok(Flow::More);
        };
        let Some(frame) = self.frames.last_mut() else {
            return Ok(Flow::On);
        };
        let kind = frame.kind;
        match (byte, kind) {
            (b',', FrameKind::EachElement) => {
                frame.index += 1;
                self.pos += 1;
                self.next_value(program);
            }
            (b',', _) => {
                self.end_dropped(kind, buf);
                self.begin_member(kind);
                self.pos += 1;
                self.at = At::Name;
                self.pass_members(program, buf.bytes);
            }
            (b']', FrameKind::EachElement) => self.close(program, buf)?,
            (b'}', FrameKind::Pick) if frame.seen & PICKED == 0 => {
                if let Step::Pick(pick) = program.step(frame.step) {
                    return Err(self.not_enveloped(pick, "found one without").into());
                }
            }
            (b'}', FrameKind::Object | FrameKind::Pick | FrameKind::EachMember) => {
                self.end_dropped(kind, buf);
                self.close(program, buf)?;
            }
            _ => return self.unexpected(self.pos, Expected::CommaOrEnd),
        }
        Ok(Flow::On)
    }

    /// Leaves the container whose closing bracket is at hand.
    fn close(&mut self, program: &Program, buf: Buf<'_>) -> Failing<()> {
        let Some(frame) = self.frames.pop() else { return Ok(()) };
        self.depth -= 1;
        self.pos += 1;
        match (frame.kind, program.step(frame.step)) {
            (FrameKind::Object, Step::Object(object)) => {
                if !self.add_members(program, &frame, object, buf) {
                    self.give_up(program);
                    return Ok(());
                }
                self.take_emptied(&frame);
                self.lose_members(object, frame.seen);
                if object.attempt.is_some() {
                    self.end_attempt(buf)?;
                }
            }
            (FrameKind::Pick, step) => {
                self.flush(buf, self.pos);
                self.dropping = false;
                if let Step::Pick(pick) = step {
                    self.lose_unpicked(pick, frame.seen);
                }
            }
            _ => {}
        }
        self.value_done(program, buf);
        Ok(())
    }

    fn end(&mut self, buf: Buf<'_>) -> Ran {
        match self.peek(buf) {
            None => Ok(Flow::More),
            Some(_) => self.unexpected(self.pos, Expected::Nothing),
        }
    }

    /// Ends work on a buffer: what is settled leaves, positions become those of what is kept. Returns how many
    /// bytes are not kept.
    fn rebase(&mut self, bytes: &[u8], chunk: Option<&Bytes>) -> usize {
        let keep = self.attempts.start().or(self.pin).unwrap_or(bytes.len());
        self.rebase_to(keep, bytes, chunk);
        keep
    }

    /// The same, where everything from `keep` on is kept.
    fn rebase_to(&mut self, keep: usize, bytes: &[u8], chunk: Option<&Bytes>) {
        self.forget_trace();
        // Within an attempt what is settled has left already, further than the attempt's start.
        if keep > self.copied {
            self.flush(Buf { bytes, chunk }, keep);
        }
        self.base += keep as u64;
        self.copied -= keep;
        self.pos -= keep;
        self.pin = self.pin.map(|pin| pin - keep);
        self.replay.rebase(keep);
        self.attempts.rebase(keep);
        self.unit = self.unit.saturating_sub(keep);
        self.name = self.name.start.saturating_sub(keep)..self.name.end.saturating_sub(keep);
        if let At::Ahead(ahead) = &mut self.at {
            ahead.pos -= keep;
            ahead.name = ahead.name.saturating_sub(keep);
        }
    }
}
