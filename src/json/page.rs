//! Text that grows at its end, with room there for what is written in blocks.

use super::convert::{Clock, TIME, Unit};

/// As many bytes as are copied at once, however few are wanted.
pub(super) const BLOCK: usize = 64;

/// Room that is made beside what is asked for.
const AHEAD: usize = 1024;

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

/// A text that is appended often.
#[derive(Debug, Clone)]
pub(super) struct Text {
    /// Its start, and bytes that mean nothing up to a whole block.
    block: [u8; BLOCK],
    len: usize,
    /// The text, if it is longer than a block.
    long: Vec<u8>,
}

impl Default for Text {
    fn default() -> Self {
        Self { block: [0; BLOCK], len: 0, long: Vec::new() }
    }
}

impl Text {
    pub(super) fn new(text: &[u8]) -> Self {
        let mut made = Self { len: text.len(), ..Self::default() };
        match made.block.get_mut(..text.len()) {
            Some(block) => block.copy_from_slice(text),
            None => made.long = text.to_vec(),
        }
        made
    }

    pub(super) fn get(&self) -> &[u8] {
        self.block.get(..self.len).unwrap_or(&self.long)
    }
}

impl Page {
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

    /// Appends `bytes[from..to]` where the text ends, at `end`; where it ends then, which [`Page::end_at`] has to be told
    /// before anything else is done: a number that is handed on from one to the next stays in a register. It is copied in
    /// blocks if it is short, which is faster than to ask how long it is.
    #[inline]
    pub(super) fn append(&mut self, end: usize, bytes: &[u8], from: usize, to: usize) -> usize {
        let len = to.saturating_sub(from);
        if let Some(source) = bytes.get(from..).and_then(<[u8]>::first_chunk)
            && self.append_block(end, source, len)
        {
            return end + len;
        }
        self.append_long(end, bytes.get(from..from + len).unwrap_or_default())
    }

    /// Appends, in the same way, a text.
    #[inline]
    pub(super) fn append_text(&mut self, end: usize, text: &Text) -> usize {
        if self.append_block(end, &text.block, text.len) { end + text.len } else { self.append_long(end, text.get()) }
    }

    /// Whether the first `len` bytes of a block were put at `end`.
    #[inline]
    fn append_block(&mut self, end: usize, block: &[u8; BLOCK], len: usize) -> bool {
        match self.text.get_mut(end..).and_then(<[u8]>::first_chunk_mut::<BLOCK>) {
            Some(room) if len <= BLOCK => {
                let half = BLOCK / 2;
                room[..half].copy_from_slice(&block[..half]);
                if len > half {
                    room[half..].copy_from_slice(&block[half..]);
                }
                true
            }
            _ => false,
        }
    }

    #[inline(never)]
    fn append_long(&mut self, end: usize, bytes: &[u8]) -> usize {
        self.end = end;
        self.extend(bytes);
        self.end
    }

    /// Appends, in the same way, the time that a number is, where it is one: times are written where they stay, since
    /// lists are full of them.
    #[inline]
    pub(super) fn append_time(&mut self, end: usize, unit: Unit, value: &[u8]) -> Option<usize> {
        let room = self.text.get_mut(end..).and_then(<[u8]>::first_chunk_mut::<TIME>)?;
        Some(end + self.clock.write(unit, value, room)?)
    }

    /// Says where the text ends.
    pub(super) fn end_at(&mut self, end: usize) {
        self.end = end.min(self.text.len());
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
            page.make_room(if len % 3 == 0 { BLOCK } else { 0 });
            let end = page.append(page.len(), &source, len / 2, len / 2 + len);
            page.end_at(end);
            want.extend_from_slice(&source[len / 2..len / 2 + len]);
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
