//! Large frames as several small ones, so that whoever reads frames needs no room for a large one, and keeps none. Pure.
//!
//! Small frames pass untouched where they have been read to. Of a large one the header is changed in place, and a header
//! for each further piece of it comes between.

use super::frames::{Header, pass};

/// Bytes of payload that a frame has at most. It is a multiple of four, so that each piece is masked as the whole is, and
/// more than a length of 16 bits can say, so that headers keep their size.
pub(super) const PIECE: usize = 64 * 1024;

const FINAL: u8 = 0x80;
const OPCODE: u8 = 0x0f;
const LAST_DATA: u8 = 2;

/// Follows a stream of frames and changes it.
#[derive(Debug)]
pub(super) struct Splitter {
    /// Bytes that a frame may have; the reader of the frames refuses more by their header.
    limit: u64,
    header: Header,
    /// Bytes of the piece's payload that are to come.
    payload: u64,
    /// Bytes of the frame behind the piece.
    rest: u64,
    /// What the frame's last piece begins with.
    last: u8,
    /// Bytes of the header that are still to be told, counted from its end.
    due: usize,
}

impl Splitter {
    pub(super) fn new(limit: u64) -> Self {
        Self { limit, header: Header::default(), payload: 0, rest: 0, last: 0, due: 0 }
    }

    /// What is to be told before anything else.
    pub(super) fn due(&self) -> &[u8] {
        let header = self.header.bytes();
        &header[header.len() - self.due..]
    }

    /// So much of it has been told.
    pub(super) fn told(&mut self, bytes: usize) {
        self.due -= bytes;
        if self.due == 0 && self.rest == 0 {
            self.header = Header::default();
        }
    }

    /// Bytes of a header that has begun that are to come at least, with nothing behind them; 0: none has begun.
    pub(super) fn missing(&self) -> usize {
        let have = self.header.bytes().len();
        if have == 0 || self.rest > 0 { 0 } else { self.header.length() - have }
    }

    /// Takes bytes of such a header.
    pub(super) fn complete(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.header.push(*byte) {
                self.begin();
                self.due = self.header.bytes().len();
            }
        }
    }

    /// As many bytes may be read and followed at once.
    pub(super) fn room(&self) -> usize {
        if self.rest == 0 { PIECE } else { usize::try_from(self.payload).unwrap_or(PIECE) }
    }

    /// Follows bytes behind what was due, and changes them where they have to be; how many of them to tell. The others are
    /// told when their header is whole.
    pub(super) fn follow(&mut self, bytes: &mut [u8]) -> usize {
        let mut at = 0;
        while at < bytes.len() {
            if self.payload > 0 {
                at += pass(&mut self.payload, bytes.len() - at);
                if self.payload == 0 && self.rest > 0 {
                    self.next_piece();
                }
                continue;
            }
            let start = at;
            while !self.header.push(bytes[at]) {
                at += 1;
                if at == bytes.len() {
                    return start;
                }
            }
            at += 1;
            if self.begin() {
                bytes[start..at].copy_from_slice(self.header.bytes());
            } else {
                self.header = Header::default();
            }
        }
        at
    }

    /// A header is whole; whether it was changed, since its frame comes in pieces.
    fn begin(&mut self) -> bool {
        let length = self.header.payload();
        let first = self.header.bytes()[0];
        let is_split = first & OPCODE <= LAST_DATA && length > PIECE as u64 && length <= self.limit;
        self.payload = length;
        if is_split {
            self.last = first & FINAL;
            self.cut(first & !FINAL, length);
        }
        is_split
    }

    /// The header becomes that of the next piece.
    fn next_piece(&mut self) {
        let left = self.rest;
        if left > PIECE as u64 {
            self.cut(0, left);
        } else {
            (self.payload, self.rest) = (left, 0);
            self.write(self.last);
        }
        self.due = self.header.bytes().len();
    }

    fn cut(&mut self, first: u8, left: u64) {
        self.payload = PIECE as u64;
        self.rest = left - self.payload;
        self.write(first);
    }

    /// Writes what the header begins with, and the length in its eight bytes.
    fn write(&mut self, first: u8) {
        let payload = self.payload.to_be_bytes();
        let header = self.header.bytes_mut();
        header[0] = first;
        header[2..10].copy_from_slice(&payload);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(first: u8, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
        let masked = if mask.is_some() { 0x80 } else { 0 };
        let mut frame = vec![first];
        match u16::try_from(payload.len()) {
            Ok(short) if short < 126 => frame.push(masked | u8::try_from(short).unwrap()),
            Ok(long) => {
                frame.push(masked | 0x7e);
                frame.extend(long.to_be_bytes());
            }
            Err(_) => {
                frame.push(masked | 0x7f);
                frame.extend((payload.len() as u64).to_be_bytes());
            }
        }
        frame.extend(mask.iter().flatten());
        let mask = mask.unwrap_or_default();
        frame.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]));
        frame
    }

    /// What a reader is told that has room for so many bytes, of what comes in pieces of such a size.
    fn told(stream: &[u8], size: usize, room: usize, limit: u64) -> Vec<u8> {
        let mut splitter = Splitter::new(limit);
        let (mut at, mut out) = (0, Vec::new());
        loop {
            let due = splitter.due();
            if !due.is_empty() {
                let step = due.len().min(room);
                out.extend_from_slice(&due[..step]);
                splitter.told(step);
                continue;
            }
            let missing = splitter.missing();
            let most = if missing > 0 { missing } else { room.min(splitter.room()) };
            let step = most.min(size).min(stream.len() - at);
            if step == 0 {
                return out;
            }
            let mut bytes = stream[at..at + step].to_vec();
            at += step;
            if missing > 0 {
                splitter.complete(&bytes);
            } else {
                let count = splitter.follow(&mut bytes);
                out.extend_from_slice(&bytes[..count]);
            }
        }
    }

    /// First bytes and payloads of the frames.
    fn read(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
        let mut frames = Vec::new();
        while !bytes.is_empty() {
            let mut header = Header::default();
            let at = bytes.iter().position(|byte| header.push(*byte)).unwrap() + 1;
            let payload = usize::try_from(header.payload()).unwrap();
            let mask = if bytes[1] & 0x80 == 0 { [0; 4] } else { bytes[at - 4..at].try_into().unwrap() };
            let (own, rest) = bytes[at..].split_at(payload);
            frames.push((bytes[0], own.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]).collect()));
            bytes = rest;
        }
        frames
    }

    #[test]
    fn frames_are_split_in_pieces_of_any_size() {
        let payload = |length: usize| (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect::<Vec<_>>();
        for mask in [None, Some([1, 2, 3, 4])] {
            let large = payload(2 * PIECE + 5);
            let mut stream = Vec::new();
            let frames = [
                (0x82, payload(3)),
                (0x01, large.clone()),
                (0x89, payload(5)),
                (0x80, payload(PIECE)),
                (0xc1, payload(PIECE + 1)),
                (0x82, payload(60_000)),
                (0x81, Vec::new()),
            ];
            for (first, payload) in &frames {
                stream.extend(frame(*first, payload, mask));
            }
            let want = [
                frames[0].clone(),
                (0x01, large[..PIECE].to_vec()),
                (0x00, large[PIECE..2 * PIECE].to_vec()),
                (0x00, large[2 * PIECE..].to_vec()),
                frames[2].clone(),
                frames[3].clone(),
                (0x41, frames[4].1[..PIECE].to_vec()),
                (0x80, frames[4].1[PIECE..].to_vec()),
                frames[5].clone(),
                frames[6].clone(),
            ];
            let rooms = [(1, 4096), (3, 5), (13, 1), (14, 14), (15, 1000), (4096, 4096), (70_000, 4096)];
            for (size, room) in rooms.into_iter().chain([(stream.len(), 200_000)]) {
                let found = read(&told(&stream, size, room, 1 << 20));
                assert!(found == want, "pieces of {size}, room for {room}");
            }
        }
    }

    #[test]
    fn what_nobody_reads_passes_as_it_is() {
        let large = vec![7; 2 * PIECE];
        // A frame above the limit, one of no known kind, and a control frame that is too long.
        for (first, limit) in [(0x82, PIECE as u64), (0x83, 1 << 20), (0x89, 1 << 20)] {
            let stream = frame(first, &large, None);
            assert!(told(&stream, 4096, 4096, limit) == stream, "{first:x}");
        }
    }
}
