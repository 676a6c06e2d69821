//! Attempts: objects whose members change their place, done in one reading unless something unusual turns up.

use super::super::output::{Mark, Piece};
use super::super::program::{Added, Attempt, Captured, Object, Program, Step, StepId};
use super::super::scanner::Token;
use super::super::tally::Tally;
use super::{At, Buf, Failing, Frame, Machine};

/// The attempts under way, the outermost first, and what they have captured.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    under_way: Vec<UnderWay>,
    /// Of all of them; where each captured value stands in the buffer, empty if it has not come.
    captured: Vec<std::ops::Range<usize>>,
    /// The capture at hand.
    current: usize,
}

/// What was so when an attempt began.
#[derive(Debug)]
struct UnderWay {
    held: StepId,
    start: usize,
    mark: Mark,
    frames: usize,
    depth: usize,
    captures: usize,
    tally: Tally,
}

impl Attempts {
    /// From where on the buffer is needed.
    pub(super) fn start(&self) -> Option<usize> {
        self.under_way.first().map(|attempt| attempt.start)
    }

    /// Positions move with the buffer.
    pub(super) fn rebase(&mut self, keep: usize) {
        for attempt in &mut self.under_way {
            attempt.start -= keep;
        }
        for range in &mut self.captured {
            *range = range.start.saturating_sub(keep)..range.end.saturating_sub(keep);
        }
    }

    fn slot(&self, number: usize) -> usize {
        self.under_way.last().map_or(0, |attempt| attempt.captures) + number
    }
}

impl Machine {
    /// Begins an attempt at the object at hand, before which everything has left.
    pub(super) fn begin_attempt(&mut self, attempt: Attempt) {
        let captures = self.attempts.captured.len();
        self.attempts.captured.resize(captures + attempt.captures, 0..0);
        self.attempts.under_way.push(UnderWay {
            held: attempt.held,
            start: self.pos,
            mark: self.out.begin_attempt(),
            frames: self.frames.len(),
            depth: self.depth,
            captures,
            tally: self.tally.begin(),
        });
    }

    /// The attempt has succeeded: the object ends at `pos`.
    pub(super) fn end_attempt(&mut self, buf: Buf<'_>) -> Failing<()> {
        let Some(attempt) = self.attempts.under_way.pop() else { return Ok(()) };
        self.attempts.captured.truncate(attempt.captures);
        // What holding it would have cost is the limit either way, so that chunks make no difference.
        self.check_held(self.pos - attempt.start)?;
        self.flush(buf, self.pos);
        self.out.end_attempt();
        self.tally.keep(attempt.tally);
        Ok(())
    }

    /// Whether something unusual can be left to the held edit.
    pub(super) fn can_give_up(&self) -> bool {
        !self.attempts.under_way.is_empty()
    }

    /// Takes back the innermost attempt and holds its object instead.
    #[cold]
    pub(super) fn give_up(&mut self, _program: &Program) {
        let Some(attempt) = self.attempts.under_way.pop() else { return };
        self.forget_trace();
        self.attempts.captured.truncate(attempt.captures);
        self.out.take_back(attempt.mark);
        self.out.end_attempt();
        self.frames.truncate(attempt.frames);
        self.depth = attempt.depth;
        self.tally.take_back(attempt.tally);
        self.pos = attempt.start;
        self.copied = attempt.start;
        self.pin = Some(attempt.start);
        self.dropping = false;
        self.token = Token::None;
        self.skipper.reset();
        self.next = attempt.held;
        self.at = At::Held;
    }

    pub(super) fn begin_capture(&mut self, number: usize) {
        self.attempts.current = self.attempts.slot(number);
        let pos = self.pos;
        if let Some(range) = self.attempts.captured.get_mut(self.attempts.current) {
            *range = pos..pos;
        }
    }

    pub(super) fn end_capture(&mut self) {
        let pos = self.pos;
        if let Some(range) = self.attempts.captured.get_mut(self.attempts.current) {
            range.end = pos;
        }
    }

    /// Takes a member back of which captures have left nothing. `inner` is the frame of its value, which has just
    /// been closed.
    pub(super) fn take_emptied(&mut self, inner: &Frame) {
        let Some(outer) = self.frames.last_mut() else { return };
        let Some((mark, emitted)) = outer.unless_emptied.take() else { return };
        if !inner.emitted && inner.seen != 0 {
            outer.emitted = emitted;
            self.out.take_back(mark);
            self.copied = self.pos;
            self.dropping = true;
        }
    }

    /// Adds members at an object's end, which is one before `pos`; says whether the attempt holds.
    pub(super) fn add_members(&mut self, program: &Program, frame: &Frame, object: &Object, buf: Buf<'_>) -> bool {
        let mut emitted = frame.emitted;
        if object.added.is_empty() {
            return true;
        }
        self.flush(buf, self.pos - 1);
        for added in &object.added {
            let there = match added {
                Added::Literal { unless, .. } => unless & frame.seen == 0,
                Added::Captured(captured) => self.is_captured(captured),
                Added::Object { members, .. } => members.iter().any(|captured| self.is_captured(captured)),
            };
            if !there {
                continue;
            }
            if std::mem::replace(&mut emitted, true) {
                self.out.write(b",");
            }
            let added = match added {
                Added::Literal { member, .. } => {
                    self.out.render(member, &self.values);
                    true
                }
                Added::Captured(captured) => self.add_captured(program, captured, buf),
                Added::Object { name, members } => self.add_object(program, name, members, buf),
            };
            if !added {
                return false;
            }
        }
        true
    }

    fn is_captured(&self, captured: &Captured) -> bool {
        self.attempts.captured.get(self.attempts.slot(captured.capture)).is_some_and(|range| !range.is_empty())
    }

    fn add_object(&mut self, program: &Program, name: &[u8], members: &[Captured], buf: Buf<'_>) -> bool {
        self.out.write(name);
        self.out.write(b":{");
        let mut first = true;
        for captured in members {
            if !self.is_captured(captured) {
                continue;
            }
            if !std::mem::replace(&mut first, false) {
                self.out.write(b",");
            }
            if !self.add_captured(program, captured, buf) {
                return false;
            }
        }
        self.out.write(b"}");
        true
    }

    /// Writes a captured value under its new name; `false` if its edit fails, which the held edit will say better.
    fn add_captured(&mut self, program: &Program, captured: &Captured, buf: Buf<'_>) -> bool {
        let range = self.attempts.captured.get(self.attempts.slot(captured.capture)).cloned().unwrap_or_default();
        self.out.write(&captured.name);
        self.out.write(b":");
        let Step::Hold(entries) = program.step(captured.inner) else {
            self.out.copy(buf.bytes, range.start, range.end, None);
            return true;
        };
        self.out.note(|| Piece::Edited { step: captured.inner, from: range.start, to: range.end });
        self.edit(entries, &buf.bytes[range]) == Ok(true)
    }
}
