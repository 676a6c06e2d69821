//! The values in an outline's gaps.

use super::super::blocks::{plain_end, short_integer_end, short_text_end};
use super::super::scanner::{Skip, Skipper, Text, Token};
use super::WINDOW;

/// Where in the text before a gap or in the value in it a buffer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Within {
    /// In the text, of which so many bytes have been passed.
    Text(usize),
    /// In a scalar in the gap.
    Scalar(Token),
    /// In an array or object in the gap, which the skipper is in.
    Container,
}

impl Within {
    /// Before the value in the gap.
    pub(super) const START: Self = Self::Scalar(Token::None);
}

/// The end of the value at `pos`, which may nest `room` levels; or where in it the buffer ends.
#[inline]
pub(super) fn pass(bytes: &[u8], pos: usize, room: usize, skipper: &mut Skipper) -> Result<usize, Option<Within>> {
    // Long texts are most of what comes here.
    if bytes.get(pos) == Some(&b'"') {
        let (end, text) = (plain_end(bytes, pos + 1), Within::Scalar(Token::Text(Text::Plain)));
        return match bytes.get(end) {
            Some(b'"') => Ok(end + 1),
            Some(_) => resume(bytes, end, text, room, skipper),
            None => Err(Some(text)),
        };
    }
    resume(bytes, pos, Within::START, room, skipper)
}

/// The end of a value that is gone on with at `pos`, and may nest `room` levels; or where in it the buffer ends.
pub(super) fn resume(
    bytes: &[u8],
    pos: usize,
    within: Within,
    room: usize,
    skipper: &mut Skipper,
) -> Result<usize, Option<Within>> {
    match within {
        Within::Container => {}
        Within::START if matches!(bytes.get(pos), Some(b'{' | b'[')) => skipper.reset(),
        Within::Text(_) => return Err(None),
        Within::Scalar(mut token) => {
            let end = token.scalar(bytes, pos).map_err(|_| None)?;
            return end.ok_or(Some(Within::Scalar(token)));
        }
    }
    match skipper.run(bytes, pos, room) {
        Ok(Skip::End(end)) => Ok(end),
        Ok(Skip::More) => Err(Some(Within::Container)),
        Err(_) => {
            skipper.reset();
            Err(None)
        }
    }
}

/// The end of the value at `pos` in a window, if that is a short text without escapes, a short integer, a list of a few of
/// those, a boolean or null, or empty, and ends in the window. `nests` is whether there may be a list or an object.
#[inline]
pub(super) fn short_value_end(window: &[u8; WINDOW], pos: usize, nests: bool) -> Option<usize> {
    match window.get(pos..)? {
        [b'"', ..] => short_text_end(window, pos + 1),
        [b'1'..=b'9', ..] => short_integer_end(window, pos + 1),
        [b'[', b']', ..] | [b'{', b'}', ..] if nests => Some(pos + 2),
        [b'[', ..] if nests => short_list_end(window, pos + 1),
        [b'f', b'a', b'l', b's', b'e', ..] => Some(pos + 5),
        [b't', b'r', b'u', b'e', ..] | [b'n', b'u', b'l', b'l', ..] => Some(pos + 4),
        [b'0', b',' | b'}', ..] => Some(pos + 1),
        [b'-', b'1'..=b'9', ..] => short_integer_end(window, pos + 2),
        _ => None,
    }
}

/// The end of the array whose first element is at `pos`, if that has no white space and nothing but a few texts without
/// escapes and positive integers.
#[inline]
fn short_list_end(bytes: &[u8], mut pos: usize) -> Option<usize> {
    const MOST: usize = 8;
    for _ in 0..MOST {
        let end = match bytes.get(pos)? {
            b'"' => short_text_end(bytes, pos + 1)?,
            b'1'..=b'9' => short_integer_end(bytes, pos + 1)?,
            _ => return None,
        };
        match bytes.get(end)? {
            b',' => pos = end + 1,
            b']' => return Some(end + 1),
            _ => return None,
        }
    }
    None
}
