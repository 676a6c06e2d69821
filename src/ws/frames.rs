//! Where WebSocket frames begin and end (RFC 6455 section 5.2), in bytes that come in any pieces. Pure.

/// The longest header: two bytes, eight of length, four of mask.
const HEADER: usize = 14;
/// A frame with more payload than this is large.
pub(super) const LARGE: u64 = 64 * 1024;

const FINAL: u8 = 0x80;
const OPCODE: u8 = 0x0f;
const LAST_DATA: u8 = 2;

/// The header of a frame, as far as it has come.
#[derive(Debug, Default, Clone, Copy)]
struct Header {
    bytes: [u8; HEADER],
    have: usize,
}

impl Header {
    /// Takes what is missing from the beginning of `bytes`; how many those were.
    fn take(&mut self, bytes: &[u8]) -> usize {
        if self.have == 0
            && let Some(bytes) = bytes.first_chunk()
        {
            // It is whole, as most are.
            (self.bytes, self.have) = (*bytes, 2);
            self.have = self.length();
            return self.have;
        }
        let mut taken = 0;
        // The first two bytes say how many there are.
        while !self.is_whole() && taken < bytes.len() {
            let step = (self.length() - self.have).min(bytes.len() - taken);
            self.bytes[self.have..self.have + step].copy_from_slice(&bytes[taken..taken + step]);
            self.have += step;
            taken += step;
        }
        taken
    }

    fn is_whole(&self) -> bool {
        self.have == self.length()
    }

    /// How long the header is, as far as it is known.
    fn length(&self) -> usize {
        if self.have < 2 {
            return 2;
        }
        let extended = match self.bytes[1] & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mask = if self.bytes[1] & 0x80 == 0 { 0 } else { 4 };
        2 + extended + mask
    }

    /// Bytes of the payload, as a whole header says.
    fn payload(&self) -> u64 {
        let extended = &self.bytes[2..];
        match self.bytes[1] & 0x7f {
            126 => extended.first_chunk().map_or(0, |&bytes| u64::from(u16::from_be_bytes(bytes))),
            127 => extended.first_chunk().map_or(0, |&bytes| u64::from_be_bytes(bytes)),
            short => u64::from(short),
        }
    }

    /// Whether further frames of its message follow the frame; `None` for a control frame.
    fn is_continued(&self) -> Option<bool> {
        (self.bytes[0] & OPCODE <= LAST_DATA).then_some(self.bytes[0] & FINAL == 0)
    }
}

/// Passes those of so many bytes that belong to the payload, of which fewer are to come then; how many those are.
fn pass(payload: &mut u64, bytes: usize) -> usize {
    let passed = usize::try_from(*payload).map_or(bytes, |payload| payload.min(bytes));
    *payload -= passed as u64;
    passed
}

/// Follows a stream of frames.
#[derive(Debug, Default)]
pub(super) struct Frames {
    header: Header,
    /// Bytes of the payload that are to come.
    payload: u64,
    /// Whether the last frame is large.
    is_large: bool,
    /// Whether the last message has not had its last frame.
    is_continued: bool,
}

impl Frames {
    /// Whether the stream is between two frames.
    pub(super) fn is_between(&self) -> bool {
        self.header.have == 0 && self.payload == 0
    }

    /// Whether a message has ended with a large frame, and nothing has come behind it.
    pub(super) fn is_behind_large(&self) -> bool {
        self.is_between() && self.is_large && !self.is_continued
    }

    /// As many of so many bytes may be read at once so that nothing comes behind the end of a large frame.
    pub(super) fn room(&self, bytes: usize) -> usize {
        if self.is_large && self.payload > 0 { pass(&mut { self.payload }, bytes) } else { bytes }
    }

    /// Follows the next bytes; how many of them belong to frames that have ended by then, counted from the first.
    pub(super) fn follow(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        let mut ended = 0;
        while at < bytes.len() {
            if self.payload > 0 {
                at += pass(&mut self.payload, bytes.len() - at);
            } else {
                at += self.header.take(&bytes[at..]);
                if !self.header.is_whole() {
                    break;
                }
                self.begin();
            }
            if self.payload == 0 {
                ended = at;
            }
        }
        ended
    }

    /// A header is whole.
    fn begin(&mut self) {
        self.payload = self.header.payload();
        self.is_large = self.payload > LARGE;
        self.is_continued = self.header.is_continued().unwrap_or(self.is_continued);
        self.header.have = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames of many lengths and the places where they end.
    fn stream() -> (Vec<u8>, Vec<usize>) {
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        for length in [0_u16, 1, 125, 126, 300] {
            for mask in [0, 0x80] {
                match u8::try_from(length) {
                    Ok(short) if short < 126 => bytes.extend([0x82, mask | short]),
                    _ => {
                        bytes.extend([0x82, mask | 0x7e]);
                        bytes.extend(length.to_be_bytes());
                    }
                }
                bytes.extend(vec![0xff; usize::from(length) + usize::from(mask) / 32]);
                ends.push(bytes.len());
            }
        }
        bytes.extend([0x82, 127, 0, 0, 0, 0, 0, 0, 0, 2, 1, 2]);
        ends.push(bytes.len());
        (bytes, ends)
    }

    #[test]
    fn ends_are_found_in_pieces_of_any_size() {
        let (bytes, ends) = stream();
        for size in 1..bytes.len() {
            let (mut frames, mut at) = (Frames::default(), 0);
            for piece in bytes.chunks(size) {
                let ended = frames.follow(piece);
                let last = ends.iter().rev().find(|&&e| e > at && e <= at + piece.len());
                assert_eq!(ended, last.map_or(0, |e| e - at), "pieces of {size}");
                at += piece.len();
                assert_eq!(frames.is_between(), ends.contains(&at), "pieces of {size} at {at}");
            }
        }
    }

    #[test]
    fn nothing_is_read_behind_a_large_frame() {
        // One byte fewer is not large.
        for (payload, want) in [(LARGE, 5000), (LARGE + 1, 1)] {
            let mut frames = Frames::default();
            let mut header = vec![0x82, 127];
            header.extend(payload.to_be_bytes());
            frames.follow(&header);
            let rest = usize::try_from(payload).unwrap() - 1;
            frames.follow(&vec![0; rest]);
            assert_eq!(frames.room(5000), want, "{payload}");
            frames.follow(&[0]);
            assert_eq!(frames.room(5000), 5000, "{payload}");
        }
    }

    #[test]
    fn a_message_ends_with_its_last_frame() {
        let mut frames = Frames::default();
        let large = usize::try_from(LARGE).unwrap() + 1;
        // A message in two frames, with a ping between them, and one in one frame.
        let stream =
            [(0x01, large, false), (0x89, 0, false), (0x80, large, true), (0x89, 0, false), (0x82, large, true)];
        for (first, payload, is_behind_large) in stream {
            let mut frame = vec![first, 127];
            frame.extend((payload as u64).to_be_bytes());
            frame.resize(frame.len() + payload, 0);
            frames.follow(&frame[..1]);
            assert!(!frames.is_behind_large());
            frames.follow(&frame[1..]);
            assert_eq!(frames.is_behind_large(), is_behind_large, "{first:x}");
        }
    }
}
