//! The text of an outline, between its gaps.

use super::WINDOW;
use super::value::Within;

/// Text of an outline.
#[derive(Debug, Clone)]
pub(super) struct Fixed {
    text: Box<[u8]>,
    /// The text, if that is all; else what is nowhere.
    words: [Word; 2],
    /// How long that is, in bytes.
    len: u8,
}

/// Up to 16 bytes of an outline.
#[derive(Debug, Clone, Copy)]
struct Word {
    bits: u128,
    mask: u128,
}

impl Fixed {
    pub(super) fn new(text: &[u8]) -> Self {
        let (words, len) = match (text.split_at(text.len().min(16)), u8::try_from(text.len())) {
            ((first, second), Ok(len @ ..=32)) => ([Word::new(first), Word::new(second)], len),
            _ => ([Word::NOWHERE; 2], 0),
        };
        Self { text: text.into(), words, len }
    }

    /// How long this text is, if it is short and at the window's start.
    #[inline]
    pub(super) fn pass_short(&self, window: &[u8; WINDOW]) -> Option<usize> {
        let ([first, second], (words, _)) = (&self.words, window.as_chunks());
        let fits = first.is(&words[0]) && (self.len <= 16 || second.is(&words[1]));
        fits.then_some(usize::from(self.len))
    }

    /// The end of this text at `pos`; or where in it the buffer ends.
    #[inline]
    pub(super) fn pass(&self, bytes: &[u8], pos: usize) -> Result<usize, Option<Within>> {
        match bytes.get(pos..) {
            Some(rest) if rest.starts_with(&self.text) => Ok(pos + self.text.len()),
            _ => self.pass_rest(bytes, pos, 0),
        }
    }

    /// The end of this text at `pos`, of which `done` bytes came before; or where in it the buffer ends.
    #[cold]
    pub(super) fn pass_rest(&self, bytes: &[u8], mut pos: usize, done: usize) -> Result<usize, Option<Within>> {
        for (number, want) in self.text.iter().enumerate().skip(done) {
            match bytes.get(pos) {
                Some(byte) if byte == want => pos += 1,
                Some(_) => return Err(None),
                None => return Err(Some(Within::Text(number))),
            }
        }
        Ok(pos)
    }
}

impl Word {
    /// Bytes that are in no UTF-8.
    const NOWHERE: Self = Self { bits: u128::MAX, mask: u128::MAX };

    fn new(text: &[u8]) -> Self {
        let (mut bits, mut mask) = ([0; 16], [0; 16]);
        bits[..text.len()].copy_from_slice(text);
        mask[..text.len()].fill(0xff);
        Self { bits: u128::from_le_bytes(bits), mask: u128::from_le_bytes(mask) }
    }

    #[inline]
    fn is(&self, bytes: &[u8; 16]) -> bool {
        (u128::from_le_bytes(*bytes) ^ self.bits) & self.mask == 0
    }
}
