//! Text that grows at its end, with room there for what is written in blocks.

use super::convert::{Clock, Unit};

/// As many bytes as are copied at once, however few are wanted.
pub(super) const BLOCK: usize = 64;

/// Room that is made beside what is asked for.
const AHEAD: usize = 1024;

/// How much room to make for what becomes of so many bytes: most changes make a document somewhat longer, and to copy what
/// has been written into more room costs more than room that is not needed.
pub(super) fn grown(bytes: usize) -> usize {
    bytes + bytes / 4 + 4 * BLOCK
}

/// A text, and room after it.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// The text up to `end`, and bytes that mean nothing.
    text: Vec<u8>,
    end: usize,
    /// Where short texts are made that are appended then.
    aside: Vec<u8>,
    clock: Clock,
}

/// The room after a page's text, to write on ahead: what is written counts once [`Page::advance`] says so. Unlike a page
/// it stays in registers.
#[derive(Debug)]
pub(super) struct Room<'a> {
    rest: &'a mut [u8],
    clock: &'a mut Clock,
}

/// A text of at most [`Text::MOST`] bytes that is appended often.
#[derive(Debug, Clone)]
pub(super) struct Text {
    /// The text, and bytes that mean nothing.
    block: [u8; BLOCK],
    len: u8,
}

impl Default for Text {
    fn default() -> Self {
        Self { block: [0; BLOCK], len: 0 }
    }
}

impl Text {
    /// One less than a power of two, so that a mask is all that keeps it in bounds.
    pub(super) const MOST: usize = BLOCK - 1;

    /// The start of a text, and the rest.
    pub(super) fn split(text: &[u8]) -> (Self, &[u8]) {
        let (start, rest) = text.split_at(text.len().min(Self::MOST));
        let mut block = [0; BLOCK];
        block[..start.len()].copy_from_slice(start);
        (Self { block, len: u8::try_from(start.len()).unwrap_or_default() }, rest)
    }

    pub(super) fn get(&self) -> &[u8] {
        &self.block[..self.len()]
    }

    #[inline]
    fn len(&self) -> usize {
        usize::from(self.len) % BLOCK
    }
}

impl Room<'_> {
    /// The least that there is of it, in bytes.
    pub(super) const LEAST: usize = 4 * BLOCK;

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.rest.len()
    }

    /// Writes `bytes[from..to]` and a text, if there is room.
    #[inline]
    pub(super) fn append(&mut self, bytes: &[u8], from: usize, to: usize, then: &Text) -> Option<()> {
        let len = to.wrapping_sub(from);
        if len > BLOCK {
            // All or nothing: the text has to fit after it.
            let long = bytes.get(from..to)?;
            self.rest.get_mut(..len + 2 * BLOCK)?[..len].copy_from_slice(long);
            (_, self.rest) = std::mem::take(&mut self.rest).split_at_mut(len);
            return self.then(0, then);
        }
        let source: &[u8; BLOCK] = bytes.get(from..)?.first_chunk()?;
        put_block(self.rest.first_chunk_mut()?, 0, source, len);
        self.then(len, then)
    }

    /// Writes the time that a number is, where it is one, and a text, if there is room.
    #[inline]
    pub(super) fn append_time(&mut self, unit: Unit, value: &[u8], then: &Text) -> Option<()> {
        let len = self.clock.write(unit, value, self.rest.first_chunk_mut()?)?;
        self.then(len, then)
    }

    /// Writes a text after `len` bytes that have been written.
    #[inline]
    fn then(&mut self, len: usize, then: &Text) -> Option<()> {
        let room: &mut [u8; 2 * BLOCK] = self.rest.first_chunk_mut()?;
        let len = len.min(BLOCK);
        put_block(room, len, &then.block, then.len());
        (_, self.rest) = std::mem::take(&mut self.rest).split_at_mut(len + then.len());
        Some(())
    }
}

/// Puts the first `len` bytes of a block at `at`: half a block, which is the rule, or all of it.
#[inline]
fn put_block(room: &mut [u8; 2 * BLOCK], at: usize, block: &[u8; BLOCK], len: usize) {
    const HALF: usize = BLOCK / 2;
    if let Some(room) = room.get_mut(at..).and_then(<[u8]>::first_chunk_mut::<BLOCK>) {
        room[..HALF].copy_from_slice(&block[..HALF]);
        if len > HALF {
            room[HALF..].copy_from_slice(&block[HALF..]);
        }
    }
}

impl Page {
    /// The room after the text, for what becomes of so many bytes or the start of it.
    #[inline]
    pub(super) fn room(&mut self, bytes: usize) -> Room<'_> {
        let (wanted, spare) = (grown(bytes).clamp(Room::LEAST, AHEAD), self.text.capacity() - self.end);
        self.make_room(if spare < Room::LEAST { wanted } else { wanted.min(spare) });
        Room { rest: &mut self.text[self.end..], clock: &mut self.clock }
    }

    /// Says that so many bytes were written in the room.
    #[inline]
    pub(super) fn advance(&mut self, bytes: usize) {
        self.end = (self.end + bytes).min(self.text.len());
    }

    /// How long the text is.
    pub(super) fn len(&self) -> usize {
        self.end
    }

    pub(super) fn capacity(&self) -> usize {
        self.text.capacity()
    }

    /// Says that about so many bytes will be appended.
    pub(super) fn reserve(&mut self, bytes: usize) {
        self.text.reserve((self.end + bytes).saturating_sub(self.text.len()));
    }

    /// Makes room, so that so many bytes can be written in blocks.
    #[inline]
    pub(super) fn make_room(&mut self, bytes: usize) {
        if self.text.len() - self.end < bytes {
            self.make_more_room(bytes);
        }
    }

    #[inline(never)]
    fn make_more_room(&mut self, bytes: usize) {
        let wanted = self.end + bytes;
        self.reserve(bytes);
        self.text.resize(wanted.max(self.text.capacity().min(wanted + AHEAD)), 0);
    }

    /// Appends a text.
    #[inline]
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        self.make_room(bytes.len());
        let end = self.end + bytes.len();
        self.text[self.end..end].copy_from_slice(bytes);
        self.end = end;
    }

    /// Lets something append to the text.
    pub(super) fn with<T>(&mut self, append: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        self.text.truncate(self.end);
        let done = append(&mut self.text);
        self.end = self.text.len();
        done
    }

    /// Lets something append to the text what is short: the room after the text stays.
    pub(super) fn with_short<T>(&mut self, append: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        let mut aside = std::mem::take(&mut self.aside);
        let done = append(&mut aside);
        self.extend(&aside);
        aside.clear();
        self.aside = aside;
        done
    }

    /// Takes back all but so many bytes.
    pub(super) fn truncate(&mut self, len: usize) {
        self.end = self.end.min(len);
    }

    /// Takes the text.
    pub(super) fn take(&mut self) -> Vec<u8> {
        let mut text = std::mem::take(&mut self.text);
        text.truncate(std::mem::take(&mut self.end));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_appended_stands_in_its_order_whatever_its_length() {
        let source: Vec<u8> = (0..=255).chain(0..=255).collect();
        let (mut page, mut want) = (Page::default(), Vec::new());
        for len in (0..=200).chain([64, 63, 65]) {
            let text = &source[len / 3..][..len];
            let (then, rest) = Text::split(text);
            assert_eq!([then.get(), rest].concat(), text, "{len}");
            let mut room = page.room(if len % 5 == 0 { 0 } else { 1000 });
            let before = room.len();
            let done = room.append(&source, len / 2, len / 2 + len, &then);
            let written = before - room.len();
            assert_eq!(written, done.map_or(0, |()| len + then.get().len()), "{len}");
            page.advance(written);
            if done.is_some() {
                want.extend_from_slice(&source[len / 2..][..len]);
                want.extend_from_slice(then.get());
            }
            if len % 7 == 0 {
                page.with(|text| text.push(b'|'));
                want.push(b'|');
            }
            if len % 11 == 0 {
                let kept = page.len() - page.len() / 3;
                page.truncate(kept);
                want.truncate(kept);
            }
            assert_eq!(page.len(), want.len(), "{len}");
        }
        assert_eq!(page.take(), want);
        assert_eq!(page.take(), b"");
    }
}
