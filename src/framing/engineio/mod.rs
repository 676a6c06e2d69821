//! Engine.IO: packets, and how they are carried in WebSocket frames and in bodies of long polling.
//!
//! | | protocol 3 | protocol 4 |
//! |---|---|---|
//! | text packet | `4hello` in a text frame | the same |
//! | binary message | `04` and the data in a binary frame | the data in a binary frame |
//! | the same as text | `b4` and base64 | `b` and base64 |
//! | packets in a body | [`payload`]: with their lengths, as text or as bytes | [`payload`]: with `1e` between them |
//!
//! Nothing in a frame says which protocol it is of: the first byte of a binary message of protocol 4 may be `04` too.

pub mod jsonp;
mod open;
pub mod payload;

use bytes::{BufMut, Bytes, BytesMut};
use data_encoding::{BASE64, BASE64_NOPAD};

use super::{Code, Error, Generation};

pub use open::Open;

/// The first byte of a binary message of protocol 3.
const BINARY_MESSAGE: u8 = 4;

/// A packet. Its text is UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    /// The server opens the session; the data is an [`Open`].
    Open(Bytes),
    /// The session ends.
    Close,
    /// Asks whether the other side is there. `probe` asks about the connection that it came on.
    Ping(Bytes),
    /// Answers a ping with its data.
    Pong(Bytes),
    /// Text for the layer above.
    Message(Bytes),
    /// Bytes for the layer above.
    Binary(Bytes),
    /// The client goes on on this connection.
    Upgrade,
    /// Answers a poll without saying anything.
    Noop,
}

/// A message of a WebSocket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// UTF-8.
    Text(Bytes),
    /// Bytes.
    Binary(Bytes),
}

/// How binary messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Binary {
    /// As bytes.
    Raw,
    /// As base64 in text, for clients that cannot read bytes.
    Base64,
}

impl Packet {
    /// What a ping and its answer say about a connection that a client wants to go on on.
    pub const PROBE: Bytes = Bytes::from_static(b"probe");

    /// Reads a WebSocket message.
    ///
    /// # Errors
    /// [`Code::EmptyPacket`], [`Code::UnknownType`], [`Code::NotUtf8`], [`Code::NotBase64`].
    pub fn from_frame(generation: Generation, frame: Frame) -> Result<Self, Error> {
        match frame {
            Frame::Text(text) => Self::from_text(generation, &text),
            Frame::Binary(bytes) => Self::from_binary(generation, bytes),
        }
    }

    fn from_binary(generation: Generation, bytes: Bytes) -> Result<Self, Error> {
        match (generation, bytes.first()) {
            (Generation::Eio4, _) => Ok(Self::Binary(bytes)),
            (Generation::Eio3, Some(&BINARY_MESSAGE)) => Ok(Self::Binary(bytes.slice(1..))),
            (Generation::Eio3, Some(_)) => Err(Error::new(Code::UnknownType, 0)),
            (Generation::Eio3, None) => Err(Error::new(Code::EmptyPacket, 0)),
        }
    }

    /// Reads a packet that is text.
    fn from_text(generation: Generation, text: &Bytes) -> Result<Self, Error> {
        let Some(&first) = text.first() else { return Err(Error::new(Code::EmptyPacket, 0)) };
        if first == b'b' {
            return Self::from_base64(generation, text);
        }
        if let Err(error) = std::str::from_utf8(text) {
            return Err(Error::new(Code::NotUtf8, error.valid_up_to()));
        }
        let data = text.slice(1..);
        Ok(match first {
            b'0' => Self::Open(data),
            b'1' => Self::Close,
            b'2' => Self::Ping(data),
            b'3' => Self::Pong(data),
            b'4' => Self::Message(data),
            b'5' => Self::Upgrade,
            b'6' => Self::Noop,
            _ => return Err(Error::new(Code::UnknownType, 0)),
        })
    }

    /// Reads a binary message that is text. Padding may be missing.
    fn from_base64(generation: Generation, text: &[u8]) -> Result<Self, Error> {
        let start = match (generation, text.get(1)) {
            (Generation::Eio4, _) => 1,
            (Generation::Eio3, Some(b'4')) => 2,
            (Generation::Eio3, _) => return Err(Error::new(Code::UnknownType, 1)),
        };
        let digits = &text[start..];
        let decoded = BASE64.decode(digits).or_else(|error| {
            let unpadded = !digits.len().is_multiple_of(4) && !digits.ends_with(b"=");
            if unpadded { BASE64_NOPAD.decode(digits) } else { Err(error) }
        });
        match decoded {
            Ok(bytes) => Ok(Self::Binary(bytes.into())),
            Err(error) => Err(Error::new(Code::NotBase64, start + error.position)),
        }
    }

    /// Writes a WebSocket message.
    #[must_use]
    pub fn to_frame(&self, generation: Generation, binary: Binary) -> Frame {
        match (self, generation, binary) {
            (Self::Binary(data), Generation::Eio4, Binary::Raw) => Frame::Binary(data.clone()),
            (Self::Binary(data), Generation::Eio3, Binary::Raw) => Frame::Binary(prefixed(BINARY_MESSAGE, data)),
            _ => Frame::Text(self.to_text(generation)),
        }
    }

    /// Writes a packet as text.
    fn to_text(&self, generation: Generation) -> Bytes {
        let mut text = BytesMut::with_capacity(self.text_len(generation));
        self.write_text(generation, &mut text);
        text.freeze()
    }

    fn write_text(&self, generation: Generation, text: &mut BytesMut) {
        if let Self::Binary(data) = self {
            text.put_slice(base64_mark(generation));
            text.extend_from_slice(BASE64.encode(data).as_bytes());
            return;
        }
        let (kind, data) = self.kind_and_text();
        text.put_u8(kind);
        text.put_slice(data);
    }

    /// How many bytes the packet has as text.
    fn text_len(&self, generation: Generation) -> usize {
        match self {
            Self::Binary(data) => base64_mark(generation).len() + BASE64.encode_len(data.len()),
            _ => 1 + self.kind_and_text().1.len(),
        }
    }

    /// A text packet's type and data. A binary one has no text.
    fn kind_and_text(&self) -> (u8, &[u8]) {
        match self {
            Self::Open(data) => (b'0', data),
            Self::Close => (b'1', b""),
            Self::Ping(data) => (b'2', data),
            Self::Pong(data) => (b'3', data),
            Self::Message(data) => (b'4', data),
            Self::Binary(_) => (b'4', b""),
            Self::Upgrade => (b'5', b""),
            Self::Noop => (b'6', b""),
        }
    }

    /// How many bytes of data the packet has.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Binary(data) => data.len(),
            _ => self.kind_and_text().1.len(),
        }
    }

    /// Whether the packet has no data.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What tells base64 from other text.
fn base64_mark(generation: Generation) -> &'static [u8] {
    match generation {
        Generation::Eio3 => b"b4",
        Generation::Eio4 => b"b",
    }
}

fn prefixed(first: u8, data: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(1 + data.len());
    bytes.put_u8(first);
    bytes.put_slice(data);
    bytes.freeze()
}
