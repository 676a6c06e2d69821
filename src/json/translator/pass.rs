//! Passing what nobody touches without a step of the machine for each token.
//!
//! These are short cuts and nothing else: they take what lies whole and plain in the buffer, and leave everything
//! that is not to the machine, from where it begins. They report no errors.

use super::super::blocks::plain_end;
use super::super::program::{Object, Program, Step, StepId};
use super::super::scanner::{Token, skip_space};
use super::{At, FrameKind, Machine};

impl Machine {
    /// Before a name in an object: passes members without a slot that are scalars and have another after them.
    #[inline]
    pub(super) fn pass_members(&mut self, program: &Program, bytes: &[u8]) {
        let Some(frame) = self.frames.last_mut() else { return };
        let Step::Object(object) = program.step(frame.step) else { return };
        let mut pos = self.pos;
        while let Some(comma) = untouched_member(object, bytes, pos) {
            if comma - self.unit > self.limits.buffer {
                break;
            }
            if !std::mem::replace(&mut frame.emitted, true) && bytes.get(self.unit) == Some(&b',') {
                self.copied = self.unit + 1;
            }
            self.unit = comma;
            pos = comma + 1;
        }
        self.pos = pos;
        self.pin = Some(self.unit);
    }

    /// After the name of a member of an object: passes its value if that is a scalar and is only copied or dropped.
    #[inline]
    pub(super) fn pass_value(&mut self, bytes: &[u8]) {
        let in_object = self.frames.last().is_some_and(|frame| frame.kind == FrameKind::Object);
        if self.next != StepId::COPY || !in_object || !matches!(self.at, At::Colon) {
            return;
        }
        if let Some(end) = scalar_value(bytes, self.pos) {
            // A number that ends with the buffer may go on in the next.
            if end < bytes.len() {
                self.pos = end;
                self.at = At::AfterValue;
            }
        }
    }
}

/// The comma after the member that begins at `pos`.
#[inline]
fn untouched_member(object: &Object, bytes: &[u8], pos: usize) -> Option<usize> {
    let start = skip_space(bytes, pos);
    if bytes.get(start) != Some(&b'"') {
        return None;
    }
    let quote = plain_end(bytes, start + 1);
    if bytes.get(quote) != Some(&b'"') || object.has_plain(&bytes[start + 1..quote]) {
        return None;
    }
    let after = skip_space(bytes, scalar_value(bytes, quote + 1)?);
    (bytes.get(after) == Some(&b',')).then_some(after)
}

/// The end of the scalar after the colon at or after `pos`.
#[inline]
fn scalar_value(bytes: &[u8], pos: usize) -> Option<usize> {
    let colon = skip_space(bytes, pos);
    if bytes.get(colon) != Some(&b':') {
        return None;
    }
    let value = skip_space(bytes, colon + 1);
    match bytes.get(value)? {
        b'{' | b'[' => None,
        b'"' => plain_string(bytes, value),
        _ => Token::None.scalar(bytes, value).ok().flatten(),
    }
}

#[inline]
fn plain_string(bytes: &[u8], start: usize) -> Option<usize> {
    let end = plain_end(bytes, start + 1);
    match bytes.get(end)? {
        b'"' => Some(end + 1),
        _ => Token::None.scalar(bytes, start).ok().flatten(),
    }
}

impl Object {
    /// Whether there is a slot for a name without escapes.
    #[inline]
    fn has_plain(&self, name: &[u8]) -> bool {
        self.slots.iter().any(|slot| slot.name.as_bytes() == name)
    }
}
