//! Sixteen bytes at once: where a string and an integer end.
//!
//! `wide` compares a block in one instruction where every processor of the target has one (SSE2, NEON), and byte by
//! byte where not.

use wide::u8x16;

/// A block.
const BLOCK: usize = 16;

/// As many bytes as are looked at together once a string is taken to be long.
const LONG: usize = 64;

/// The first position from `pos` that holds a quote, a backslash or a control character, or the end.
///
/// Short strings are the rule: after 64 bytes the string is taken to be long, and as many go at once.
#[inline]
pub(super) fn plain_end(buf: &[u8], mut pos: usize) -> usize {
    let long = pos + LONG;
    while let Some(block) = block(buf, pos) {
        let special = special(block);
        if special != 0 {
            return pos + special.trailing_zeros() as usize;
        }
        pos += BLOCK;
        if pos == long {
            pos = plain_blocks(buf, pos);
        }
    }
    last_plain_end(buf, pos)
}

/// The same, where less than a block is left.
#[inline]
fn last_plain_end(buf: &[u8], pos: usize) -> usize {
    match buf.last_chunk() {
        Some(last) => {
            // Marks of bytes before `pos` go.
            let left = buf.len().saturating_sub(pos);
            let special = special(last) >> (BLOCK - left);
            pos + left.min(special.trailing_zeros() as usize)
        }
        None => buf.iter().skip(pos).position(|&b| is_special(b)).map_or(buf.len(), |n| pos + n),
    }
}

fn plain_blocks(buf: &[u8], mut pos: usize) -> usize {
    while let Some(block) = buf.get(pos..).and_then(<[u8]>::first_chunk::<LONG>) {
        // This shape becomes vector instructions.
        if block.iter().fold(0, |found, &b| found | u8::from(is_special(b))) != 0 {
            break;
        }
        pos += LONG;
    }
    pos
}

/// The end of a string from after its first quote, if it has less than 64 bytes and no escapes, and blocks of the buffer
/// reach as far.
#[inline]
pub(super) fn short_text_end(buf: &[u8], mut pos: usize) -> Option<usize> {
    for _ in 0..LONG / BLOCK {
        let special = special(block(buf, pos)?);
        if special != 0 {
            let end = pos + special.trailing_zeros() as usize;
            return if buf.get(end) == Some(&b'"') { Some(end + 1) } else { none() };
        }
        pos += BLOCK;
    }
    None
}

/// `None`, by a branch: were it chosen without one, all that comes next would have to wait for the choice.
#[cold]
#[inline(never)]
fn none() -> Option<usize> {
    std::hint::black_box(None)
}

/// The end of an integer from after its first digit, if it has up to 15 more, and a block of the buffer reaches
/// beyond it.
#[inline]
pub(super) fn short_integer_end(buf: &[u8], pos: usize) -> Option<usize> {
    let end = pos + first(other_than_digits(block(buf, pos)?))?;
    match buf.get(end)? {
        b'.' | b'e' | b'E' => None,
        _ => Some(end),
    }
}

#[inline]
fn block(buf: &[u8], pos: usize) -> Option<&[u8; BLOCK]> {
    buf.get(pos..)?.first_chunk()
}

#[inline]
fn first(marks: u32) -> Option<usize> {
    (marks != 0).then(|| marks.trailing_zeros() as usize)
}

#[inline]
#[expect(clippy::needless_bitwise_bool, reason = "blocks become vector instructions only without branches")]
fn is_special(byte: u8) -> bool {
    (byte == b'"') | (byte == b'\\') | (byte < 0x20)
}

/// Marks, with a bit for each byte, a quote, a backslash or a control character.
#[inline]
fn special(block: &[u8; BLOCK]) -> u32 {
    let bytes = u8x16::new(*block);
    let control = bytes.min(u8x16::splat(0x1f)).simd_eq(bytes);
    (bytes.simd_eq(u8x16::splat(b'"')) | bytes.simd_eq(u8x16::splat(b'\\')) | control).to_bitmask()
}

/// Marks what is no digit.
#[inline]
fn other_than_digits(block: &[u8; BLOCK]) -> u32 {
    let values = u8x16::new(*block) - u8x16::splat(b'0');
    !values.min(u8x16::splat(9)).simd_eq(values).to_bitmask() & 0xffff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_special_byte_is_found_wherever_it_stands() {
        for special in [b'"', b'\\', 0, 0x1f, b'\n'] {
            for len in 0..250 {
                let mut text = vec![b'\xc3'; 250];
                text[len] = special;
                assert_eq!(plain_end(&text, 0), len, "{special:#x}");
            }
        }
        assert_eq!(plain_end(&[0x7f; 90], 0), 90);
    }

    #[test]
    fn blocks_say_of_every_byte_what_it_is() {
        for byte in 0..=255_u8 {
            for at in 0..BLOCK {
                let mut text = [b'5'; BLOCK];
                text[at] = byte;
                let mark = |marked: bool| if marked { 1 << at } else { 0 };
                assert_eq!(special(&text), mark(is_special(byte)), "{byte:#x}");
                assert_eq!(other_than_digits(&text), mark(!byte.is_ascii_digit()), "{byte:#x}");
            }
        }
    }

    #[test]
    fn integers_end_where_they_end() {
        for len in 0..200 {
            let integer = format!("{}, and a good deal of text after it", "7".repeat(len));
            assert_eq!(short_integer_end(integer.as_bytes(), 0), (len < 16).then_some(len), "{len}");
        }
        for text in ["1.5, and more text after it", "1e5, and more text after it", "1"] {
            assert_eq!(short_integer_end(text.as_bytes(), 0), None, "{text}");
        }
    }
}
