//! Frames with compressed messages, made frames of the messages themselves.

use std::fmt;
use std::ops::Range;

use flate2::{Decompress, FlushDecompress, Status};

use super::TAIL;
use super::agree::Flow;
use super::spare::Spare;
use super::window::Window;

/// The longest header: two bytes, eight of length, four of mask.
const HEADER: usize = 14;
/// Bytes that are unmasked and decompressed at once.
pub(super) const CHUNK: usize = 4096;
/// Bytes that a step writes at most.
const STEP: usize = CHUNK + HEADER;

const FINAL: u8 = 0x80;
const RSV1: u8 = 0x40;
const RESERVED: u8 = 0x30;
const OPCODE: u8 = 0x0f;
const CONTROL: u8 = 0x08;
const MASKED: u8 = 0x80;
const LENGTH_16: u8 = 0x7e;

/// Whose frames are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A client's, which are masked.
    Client,
    /// A server's, which are not.
    Server,
}

/// Compressed data that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Corrupt;

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the compressed data is not valid")
    }
}

impl std::error::Error for Corrupt {}

/// The message whose frames are coming.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Message {
    /// There is none.
    None,
    /// Its frames pass.
    Plain,
    /// It is compressed; what its next frame begins with.
    Packed { opcode: u8 },
}

/// Where in a frame the bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Header,
    /// In a payload that passes; bytes that are to come.
    Plain(u64),
    /// In a compressed payload; bytes that are to come, and whether it is its message's last.
    Packed {
        left: u64,
        is_last: bool,
    },
    /// Behind a message: what its sender left away, from this byte on.
    Tail(usize),
}

/// Reads the frames of one direction of a socket and writes them as if nothing had been agreed on: payloads of compressed
/// messages come out in as many frames as they take, headers that break the protocol as they are, for the reader of the
/// frames to refuse.
#[derive(Debug)]
pub struct Unpacker {
    from: Role,
    flow: Flow,
    header: [u8; HEADER],
    have: usize,
    mask: [u8; 4],
    /// Bytes of the payload that have been unmasked.
    unmasked: usize,
    at: At,
    message: Message,
    /// The state, while a message is compressed, and between messages where a context is kept.
    state: Option<Decompress>,
    window: Window,
}

impl Unpacker {
    /// For frames of one who has agreed on this.
    #[must_use]
    pub fn new(from: Role, flow: Flow) -> Self {
        Self {
            from,
            flow,
            header: [0; HEADER],
            have: 0,
            mask: [0; 4],
            unmasked: 0,
            at: At::Header,
            message: Message::None,
            state: None,
            window: Window::new(flow),
        }
    }

    /// Reads from the beginning of `input` and appends frames to `out`, which grows by 8 KiB at most; how many bytes were
    /// read. To be called again as long as it reads or writes something.
    ///
    /// # Errors
    /// Where the data cannot be decompressed. Nothing more is to be read then.
    pub fn read(&mut self, input: &[u8], out: &mut Vec<u8>, spare: &mut Spare) -> Result<usize, Corrupt> {
        let mut read = 0;
        let full = out.len() + STEP;
        while out.len() < full {
            let rest = &input[read..];
            let wrote = out.len();
            let step = match self.at {
                At::Header if rest.is_empty() => 0,
                At::Header => self.head(rest, out),
                At::Plain(left) => self.pass(rest, left, out),
                At::Packed { left, is_last } => self.unpack(rest, left, is_last, out, spare)?,
                At::Tail(from) => {
                    self.finish(from, out, spare)?;
                    0
                }
            };
            read += step;
            if step == 0 && out.len() == wrote && read == input.len() {
                break;
            }
        }
        Ok(read)
    }

    /// Takes bytes of a header.
    fn head(&mut self, input: &[u8], out: &mut Vec<u8>) -> usize {
        let mut read = 0;
        while self.have < self.header_length() {
            let Some(byte) = input.get(read) else { return read };
            self.header[self.have] = *byte;
            self.have += 1;
            read += 1;
        }
        self.begin(out);
        self.have = 0;
        read
    }

    fn header_length(&self) -> usize {
        match self.have {
            0 | 1 => 2,
            _ => self.length_bytes().end + if self.is_masked() { 4 } else { 0 },
        }
    }

    fn is_masked(&self) -> bool {
        self.header[1] & MASKED != 0
    }

    /// Where the header says the length of the payload beside its second byte.
    fn length_bytes(&self) -> Range<usize> {
        2..match self.header[1] & !MASKED {
            126 => 4,
            127 => 10,
            _ => 2,
        }
    }

    fn payload(&self) -> u64 {
        match &self.header[self.length_bytes()] {
            [] => u64::from(self.header[1] & !MASKED),
            bytes => bytes.iter().fold(0, |length, byte| length << 8 | u64::from(*byte)),
        }
    }

    /// A header has come whole.
    fn begin(&mut self, out: &mut Vec<u8>) {
        let (first, length) = (self.header[0], self.payload());
        let (opcode, is_last) = (first & OPCODE, first & FINAL != 0);
        let is_ours = first & RESERVED == 0 && self.is_masked() == (self.from == Role::Client);
        let packed = match (opcode, self.message) {
            (1 | 2, Message::None) if first & RSV1 != 0 => Some(Message::Packed { opcode }),
            (0, packed @ Message::Packed { .. }) if first & RSV1 == 0 => Some(packed),
            _ => None,
        };
        if let Some(packed) = packed.filter(|_| is_ours) {
            self.message = packed;
            self.mask = [0; 4];
            if self.is_masked() {
                let end = self.length_bytes().end;
                self.mask.copy_from_slice(&self.header[end..end + 4]);
            }
            self.unmasked = 0;
            self.at = At::Packed { left: length, is_last };
            return;
        }
        if opcode & CONTROL == 0 {
            self.message = if is_last { Message::None } else { Message::Plain };
        }
        out.extend_from_slice(&self.header[..self.have]);
        self.at = if length == 0 { At::Header } else { At::Plain(length) };
    }

    /// Takes bytes of a payload that passes.
    fn pass(&mut self, input: &[u8], left: u64, out: &mut Vec<u8>) -> usize {
        let step = input.len().min(CHUNK).min(usize::try_from(left).unwrap_or(CHUNK));
        out.extend_from_slice(&input[..step]);
        let left = left - step as u64;
        self.at = if left == 0 { At::Header } else { At::Plain(left) };
        step
    }

    /// Takes bytes of a compressed payload; what comes of them may come later.
    fn unpack(
        &mut self,
        input: &[u8],
        left: u64,
        is_last: bool,
        out: &mut Vec<u8>,
        spare: &mut Spare,
    ) -> Result<usize, Corrupt> {
        let mut chunk = [0; CHUNK];
        let size = input.len().min(CHUNK - TAIL.len()).min(usize::try_from(left).unwrap_or(CHUNK));
        for (at, byte) in input[..size].iter().enumerate() {
            chunk[at] = byte ^ self.mask[(self.unmasked + at) % 4];
        }
        // A message that ends here ends in the same step, so that most are one frame.
        let ends = size as u64 == left && is_last;
        let end = if ends { size + TAIL.len() } else { size };
        chunk[size..end].copy_from_slice(&TAIL[..end - size]);
        let step = self.inflate(&chunk[..end], spare)?;
        let read = step.read.min(size);
        self.unmasked = (self.unmasked + read) % 4;
        let left = left - read as u64;
        self.at = match left {
            0 if is_last => At::Tail(step.read - read),
            0 if !step.has_more => At::Header,
            _ => At::Packed { left, is_last },
        };
        if self.at == At::Tail(TAIL.len()) && !step.has_more {
            self.emit(step.written(), true, out);
            self.end(spare);
        } else if !step.written().is_empty() {
            self.emit(step.written(), false, out);
        }
        Ok(read)
    }

    /// Reads what the sender of a message left away, and writes what the message still has.
    fn finish(&mut self, from: usize, out: &mut Vec<u8>, spare: &mut Spare) -> Result<(), Corrupt> {
        let step = self.inflate(&TAIL[from..], spare)?;
        let from = from + step.read;
        self.at = At::Tail(from);
        let has_ended = from == TAIL.len() && !step.has_more;
        self.emit(step.written(), has_ended, out);
        if has_ended {
            self.end(spare);
        }
        Ok(())
    }

    /// A message has ended.
    fn end(&mut self, spare: &mut Spare) {
        self.at = At::Header;
        self.message = Message::None;
        self.window.settle();
        if let Some(state) = self.state.take_if(|_| !self.flow.keeps_context) {
            spare.keep_unpacker(state);
        }
    }

    fn inflate(&mut self, input: &[u8], spare: &mut Spare) -> Result<Step, Corrupt> {
        let keeps_context = self.flow.keeps_context;
        let state = self.state.get_or_insert_with(|| match self.flow.bits {
            // zlib reads what was compressed for 8 bits with 9.
            bits if keeps_context => Decompress::new_with_window_bits(false, bits.max(9)),
            _ => spare.unpacker(),
        });
        let mut step = Step { read: 0, wrote: 0, has_more: false, bytes: [0; CHUNK] };
        let window = &mut self.window;
        while step.wrote < CHUNK {
            let (before_in, before_out) = (state.total_in(), state.total_out());
            let status = state
                .decompress(&input[step.read..], &mut step.bytes[step.wrote..], FlushDecompress::None)
                .map_err(|_| Corrupt)?;
            let (read, wrote) = (since(state.total_in(), before_in), since(state.total_out(), before_out));
            step.read += read;
            window.record(read, &step.bytes[step.wrote..step.wrote + wrote]);
            step.wrote += wrote;
            if status == Status::StreamEnd {
                window.reopen(state)?;
            } else if read == 0 && wrote == 0 {
                break;
            }
        }
        step.has_more = step.wrote == CHUNK;
        // Neither more input nor more room would get this any further.
        if step.read < input.len() && !step.has_more { Err(Corrupt) } else { Ok(step) }
    }

    /// Writes a frame of a message.
    fn emit(&mut self, payload: &[u8], is_final: bool, out: &mut Vec<u8>) {
        let Message::Packed { opcode } = &mut self.message else { return };
        out.push(*opcode | if is_final { FINAL } else { 0 });
        *opcode = 0;
        let masked = if self.from == Role::Client { MASKED } else { 0 };
        match (u8::try_from(payload.len()), u16::try_from(payload.len()).unwrap_or_default()) {
            (Ok(short), _) if short < 126 => out.push(masked | short),
            (_, length) => {
                out.push(masked | LENGTH_16);
                out.extend_from_slice(&length.to_be_bytes());
            }
        }
        if masked != 0 {
            // A mask of zeros changes nothing.
            out.extend_from_slice(&[0; 4]);
        }
        out.extend_from_slice(payload);
    }
}

/// What decompressing some bytes came to.
struct Step {
    read: usize,
    wrote: usize,
    /// Whether there may be more to write, without further bytes.
    has_more: bool,
    bytes: [u8; CHUNK],
}

impl Step {
    fn written(&self) -> &[u8] {
        &self.bytes[..self.wrote]
    }
}

fn since(now: u64, then: u64) -> usize {
    usize::try_from(now - then).unwrap_or(usize::MAX)
}
