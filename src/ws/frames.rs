//! Where WebSocket frames begin and end (RFC 6455 section 5.2), in bytes that come in any pieces. Pure.

/// The longest header: two bytes, eight of length, four of mask.
pub(super) const HEADER: usize = 14;

/// The header of a frame, as far as it has come.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Header {
    bytes: [u8; HEADER],
    have: usize,
}

impl Header {
    /// Takes the next byte of a header that is not whole; whether it is whole now.
    pub(super) fn push(&mut self, byte: u8) -> bool {
        self.bytes[self.have] = byte;
        self.have += 1;
        self.have == self.length()
    }

    /// What has come.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.have]
    }

    /// The same, to be changed.
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.have]
    }

    /// How long the header is, as far as it is known.
    pub(super) fn length(&self) -> usize {
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
    pub(super) fn payload(&self) -> u64 {
        let big_endian = |bytes: &[u8]| bytes.iter().fold(0, |n, &b| n << 8 | u64::from(b));
        match self.bytes[1] & 0x7f {
            126 => big_endian(&self.bytes[2..4]),
            127 => big_endian(&self.bytes[2..10]),
            short => u64::from(short),
        }
    }
}

/// Passes those of so many bytes that belong to the payload, of which fewer are to come then; how many those are.
pub(super) fn pass(payload: &mut u64, bytes: usize) -> usize {
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
}

impl Frames {
    /// Whether the stream is between two frames.
    pub(super) fn is_between(&self) -> bool {
        self.header.bytes().is_empty() && self.payload == 0
    }

    /// Follows the next bytes; how many of them belong to frames that have ended by then, counted from the first.
    pub(super) fn follow(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        let mut ended = 0;
        while at < bytes.len() {
            if self.payload > 0 {
                at += pass(&mut self.payload, bytes.len() - at);
            } else {
                let is_whole = self.header.push(bytes[at]);
                at += 1;
                if !is_whole {
                    continue;
                }
                self.payload = self.header.payload();
                self.header = Header::default();
            }
            if self.payload == 0 {
                ended = at;
            }
        }
        ended
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
}
