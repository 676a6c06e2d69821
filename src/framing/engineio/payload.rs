//! Bodies of long polling: any number of packets in one body.
//!
//! | form | a packet | binary messages |
//! |---|---|---|
//! | text of protocol 4 | up to the next `1e`, which no packet holds since JSON escapes it | `b` and base64 |
//! | text of protocol 3 | `5:` and a packet of 5 UTF-16 code units | `b4` and base64 |
//! | the same, [`Dialect::Twice`] | encoded as UTF-8 twice, and 5 of what the first time made | `b4` and base64 |
//! | bytes of protocol 3 | `00` (text) or `01` (bytes), decimal digits one byte each, `ff`, as many bytes | `04` and the data |
//!
//! A client of protocol 3 that can read bytes is sent them where a batch has binary messages, and text elsewhere.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::{BINARY_MESSAGE, Binary, Packet};
use crate::framing::{Code, Error, Generation};

/// Between packets of protocol 4.
const SEPARATOR: u8 = 0x1e;
/// Digits of a length; no body has a billion bytes.
const DIGITS: usize = 9;
/// Ends the digits of a length in bytes.
const LENGTH_END: u8 = 0xff;

/// What the text of protocol 3 is encoded as. Nothing in a body says which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Dialect {
    /// UTF-8, as packages 2.x do.
    #[default]
    Once,
    /// UTF-8 of UTF-8, as packages 1.x do.
    Twice,
}

/// What a body looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// `text/plain`.
    Text(Generation, Dialect),
    /// `application/octet-stream`, which protocol 3 alone has.
    Bytes,
}

impl Form {
    /// The content type of a body.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text(..) => "text/plain; charset=UTF-8",
            Self::Bytes => "application/octet-stream",
        }
    }

    /// The form in which a batch leaves.
    #[must_use]
    pub fn of(packets: &[Packet], generation: Generation, binary: Binary, dialect: Dialect) -> Self {
        let has_bytes = packets.iter().any(|packet| matches!(packet, Packet::Binary(_)));
        match (generation, binary) {
            (Generation::Eio3, Binary::Raw) if has_bytes => Self::Bytes,
            _ => Self::Text(generation, dialect),
        }
    }

    /// Writes a body.
    #[must_use]
    pub fn write(self, packets: &[Packet]) -> Bytes {
        let mut body = BytesMut::new();
        for packet in packets {
            match self {
                Self::Text(generation @ Generation::Eio4, _) => {
                    if !body.is_empty() {
                        body.put_u8(SEPARATOR);
                    }
                    packet.write_text(generation, &mut body);
                }
                Self::Text(Generation::Eio3, dialect) => write_text(packet, dialect, &mut body),
                Self::Bytes => write_bytes(packet, &mut body),
            }
        }
        if body.is_empty() && matches!(self, Self::Text(Generation::Eio3, _)) {
            return Bytes::from_static(b"0:");
        }
        body.freeze()
    }
}

fn write_text(packet: &Packet, dialect: Dialect, body: &mut BytesMut) {
    let text = packet.to_text(Generation::Eio3);
    match dialect {
        Dialect::Once => {
            let units: usize = text.iter().map(|byte| units_of(*byte)).sum();
            body.put_slice(format!("{units}:").as_bytes());
            body.put_slice(&text);
        }
        Dialect::Twice => {
            body.put_slice(format!("{}:", text.len()).as_bytes());
            let mut utf8 = [0; 2];
            text.iter().for_each(|byte| body.put_slice(char::from(*byte).encode_utf8(&mut utf8).as_bytes()));
        }
    }
}

fn write_bytes(packet: &Packet, body: &mut BytesMut) {
    let (mark, data) = match packet {
        Packet::Binary(data) => (1, super::prefixed(BINARY_MESSAGE, data)),
        _ => (0, packet.to_text(Generation::Eio3)),
    };
    body.put_u8(mark);
    body.extend(data.len().to_string().bytes().map(|digit| digit - b'0'));
    body.put_u8(LENGTH_END);
    body.put_slice(&data);
}

/// How many UTF-16 code units the character has that begins with this byte of UTF-8; none in the middle of one.
fn units_of(byte: u8) -> usize {
    match byte {
        0x80..0xc0 => 0,
        0xf0.. => 2,
        _ => 1,
    }
}

/// Reads a body that comes in any pieces.
#[derive(Debug)]
pub struct Decoder {
    form: Form,
    /// What has come and was not read yet.
    buffer: BytesMut,
    /// How many bytes were read.
    offset: usize,
    /// How many bytes may still come.
    room: usize,
    /// The packet that has begun.
    begun: Option<Begun>,
    /// How far the buffer was looked at: bytes, and what counts in them.
    seen: usize,
    counted: usize,
}

/// What is known of a packet from its head.
#[derive(Debug, Clone, Copy)]
struct Begun {
    is_binary: bool,
    /// In bytes, code units or characters, as the form counts.
    length: usize,
}

impl Decoder {
    /// Before a body of at most `limit` bytes.
    #[must_use]
    pub fn new(form: Form, limit: usize) -> Self {
        Self { form, buffer: BytesMut::new(), offset: 0, room: limit, begun: None, seen: 0, counted: 0 }
    }

    /// Takes the next piece.
    ///
    /// # Errors
    /// [`Code::TooLarge`].
    pub fn push(&mut self, piece: Bytes) -> Result<(), Error> {
        if piece.len() > self.room {
            return Err(Error::new(Code::TooLarge, self.offset + self.buffer.len() + self.room));
        }
        self.room -= piece.len();
        match piece.try_into_mut() {
            // A body in one piece is not copied.
            Ok(piece) if self.buffer.is_empty() => self.buffer = piece,
            Ok(piece) => self.buffer.extend_from_slice(&piece),
            Err(piece) => self.buffer.extend_from_slice(&piece),
        }
        Ok(())
    }

    /// The next packet that is there as a whole.
    ///
    /// # Errors
    /// What is wrong with the body, at its offset.
    pub fn packet(&mut self) -> Result<Option<Packet>, Error> {
        match self.form {
            Form::Text(Generation::Eio4, _) => self.next_separated(),
            Form::Text(Generation::Eio3, _) | Form::Bytes => self.next_counted(),
        }
    }

    /// The last packet, where only the body's end ends it.
    ///
    /// # Errors
    /// [`Code::Truncated`], [`Code::EmptyPacket`], and as [`Decoder::packet`].
    pub fn finish(mut self) -> Result<Option<Packet>, Error> {
        match self.form {
            Form::Text(generation @ Generation::Eio4, _) => {
                let start = self.offset;
                let text = self.take(self.buffer.len());
                Packet::from_text(generation, &text).map(Some).map_err(|e| e.after(start))
            }
            _ if self.begun.is_none() && self.buffer.is_empty() => Ok(None),
            _ => Err(Error::new(Code::Truncated, self.offset + self.buffer.len())),
        }
    }

    fn next_separated(&mut self) -> Result<Option<Packet>, Error> {
        let Some(at) = memchr::memchr(SEPARATOR, &self.buffer[self.seen..]) else {
            self.seen = self.buffer.len();
            return Ok(None);
        };
        let (start, end) = (self.offset, self.seen + at);
        let text = self.take(end);
        self.skip(1);
        Packet::from_text(Generation::Eio4, &text).map(Some).map_err(|e| e.after(start))
    }

    fn next_counted(&mut self) -> Result<Option<Packet>, Error> {
        loop {
            let Some(begun) = self.begun()? else { return Ok(None) };
            let Some(end) = self.end_of(begun)? else { return Ok(None) };
            self.begun = None;
            let start = self.offset;
            let data = self.take(end);
            // An empty batch is a packet without bytes, and means nothing.
            if !data.is_empty() {
                return self.read(begun, data).map(Some).map_err(|e| e.after(start));
            }
        }
    }

    fn read(&self, begun: Begun, data: Bytes) -> Result<Packet, Error> {
        if begun.is_binary {
            return Packet::from_binary(Generation::Eio3, data);
        }
        match self.form {
            Form::Text(_, Dialect::Twice) => Packet::from_text(Generation::Eio3, &decode_twice(&data)?),
            _ => Packet::from_text(Generation::Eio3, &data),
        }
    }

    /// The head of the packet that has begun.
    fn begun(&mut self) -> Result<Option<Begun>, Error> {
        if self.begun.is_none() {
            let head = match self.form {
                Form::Bytes => self.bytes_head()?,
                Form::Text(..) => self.text_head()?,
            };
            let Some((bytes, begun)) = head else { return Ok(None) };
            self.skip(bytes);
            self.begun = Some(begun);
        }
        Ok(self.begun)
    }

    /// How many bytes the head has, and what it says.
    fn text_head(&self) -> Result<Option<(usize, Begun)>, Error> {
        let digits = self.buffer.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let length = self.length(0..digits, |byte| byte - b'0')?;
        match self.buffer.get(digits) {
            None => Ok(None),
            Some(b':') if digits > 0 => Ok(Some((digits + 1, Begun { is_binary: false, length }))),
            Some(_) => Err(Error::new(Code::BadLength, self.offset + digits)),
        }
    }

    fn bytes_head(&self) -> Result<Option<(usize, Begun)>, Error> {
        let Some(&mark) = self.buffer.first() else { return Ok(None) };
        if mark > 1 {
            return Err(Error::new(Code::UnknownType, self.offset));
        }
        let digits = self.buffer[1..].iter().take_while(|byte| **byte < 10).count();
        let length = self.length(1..1 + digits, |byte| byte)?;
        match self.buffer.get(1 + digits) {
            None => Ok(None),
            Some(&LENGTH_END) if digits > 0 => Ok(Some((digits + 2, Begun { is_binary: mark == 1, length }))),
            Some(_) => Err(Error::new(Code::BadLength, self.offset + 1 + digits)),
        }
    }

    fn length(&self, digits: std::ops::Range<usize>, value: impl Fn(u8) -> u8) -> Result<usize, Error> {
        if digits.len() > DIGITS {
            return Err(Error::new(Code::BadLength, self.offset + digits.start + DIGITS));
        }
        Ok(self.buffer[digits].iter().fold(0, |sum, byte| sum * 10 + usize::from(value(*byte))))
    }

    /// Where in the buffer the packet ends, once it has come as a whole.
    fn end_of(&mut self, begun: Begun) -> Result<Option<usize>, Error> {
        if self.form == Form::Bytes {
            return Ok((self.buffer.len() >= begun.length).then_some(begun.length));
        }
        // Bytes in the middle of a character count nothing, and belong to it.
        let is_complete = |this: &Self| this.counted >= begun.length && is_whole(&this.buffer[..this.seen]);
        while let Some(&byte) = self.buffer.get(self.seen) {
            let units = match self.form {
                Form::Text(_, Dialect::Twice) => units_of(byte).min(1),
                _ => units_of(byte),
            };
            if self.counted >= begun.length && (units > 0 || is_complete(self)) {
                break;
            }
            self.counted += units;
            self.seen += 1;
            if self.counted > begun.length {
                return Err(Error::new(Code::BadLength, self.offset + self.seen));
            }
        }
        let has_ended = self.counted == begun.length && self.seen < self.buffer.len();
        Ok((has_ended || is_complete(self)).then_some(self.seen))
    }

    /// Takes as many bytes out of the buffer.
    fn take(&mut self, count: usize) -> Bytes {
        (self.seen, self.counted) = (0, 0);
        self.offset += count;
        self.buffer.split_to(count).freeze()
    }

    fn skip(&mut self, count: usize) {
        (self.seen, self.counted) = (0, 0);
        self.offset += count;
        self.buffer.advance(count);
    }
}

/// Whether text does not end within a character.
fn is_whole(text: &[u8]) -> bool {
    let tail = text.iter().rev().take(4).take_while(|byte| (0x80..0xc0).contains(*byte)).count();
    let lead = text.len().checked_sub(tail + 1).and_then(|at| text.get(at));
    match lead {
        Some(0xc0..0xe0) => tail >= 1,
        Some(0xe0..0xf0) => tail >= 2,
        Some(0xf0..) => tail >= 3,
        Some(_) | None => true,
    }
}

/// What was encoded as UTF-8 twice, encoded once.
fn decode_twice(data: &[u8]) -> Result<Bytes, Error> {
    let text = std::str::from_utf8(data).map_err(|error| Error::new(Code::NotUtf8, error.valid_up_to()))?;
    let bytes: Result<Vec<u8>, Error> = text
        .char_indices()
        .map(|(at, c)| u8::try_from(u32::from(c)).map_err(|_| Error::new(Code::NotUtf8, at)))
        .collect();
    bytes.map(Bytes::from)
}
