//! Socket.IO: packets in the messages of Engine.IO.
//!
//! ```text
//! <type>[<attachments>-][<namespace>,][<acknowledgement>][<JSON>]
//!
//! 2["say","hello"]                                        an event
//! 51-/chat,7["say",{"_placeholder":true,"num":0}]         an event with an attachment, to be acknowledged as 7
//! 3/chat,7["ok"]                                          its acknowledgement
//! ```
//!
//! The types are 0 connect, 1 disconnect, 2 event, 3 acknowledgement, 4 error, and 5 and 6 for events and
//! acknowledgements with attachments, which follow as binary messages. A [`Packet`] is all of it together, so that
//! nothing can come between its parts.

mod data;
mod decoder;
mod parse;
mod placeholders;

use bytes::{BufMut, Bytes, BytesMut};

use super::{Code, Error, Generation};

pub use data::{event, join_event, quoted, split_event};
pub use decoder::{Decoder, Limits};
pub use placeholders::renumber;

/// The namespace that every client is in at first.
pub const ROOT: &str = "/";

/// Names of events that the libraries keep for themselves: protocol 5 takes a packet with one of them for a broken
/// connection.
pub const RESERVED: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// What a packet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Asks for a namespace, or says that it is joined.
    Connect,
    /// Leaves a namespace.
    Disconnect,
    /// An event, with or without attachments.
    Event,
    /// An acknowledgement, with or without attachments.
    Ack,
    /// Says that a namespace is not joined; in protocol 4 also that something else is wrong.
    Error,
}

/// A packet with its attachments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// What it is.
    pub kind: Kind,
    /// The namespace: UTF-8, [`ROOT`] for the main one.
    namespace: Bytes,
    /// What a client of protocol 4 asks a namespace with: percent-encoded, without the question mark.
    pub query: Option<Bytes>,
    /// Which acknowledgement is asked for, or given.
    pub id: Option<u64>,
    /// JSON text, or nothing.
    pub data: Bytes,
    /// What the placeholders in the data stand for, by their numbers.
    pub attachments: Vec<Bytes>,
}

impl Packet {
    /// A packet without attachments.
    #[must_use]
    pub fn new(kind: Kind, namespace: &str, data: impl Into<Bytes>) -> Self {
        let namespace = Bytes::copy_from_slice(namespace.as_bytes());
        Self { kind, namespace, query: None, id: None, data: data.into(), attachments: Vec::new() }
    }

    /// The namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        // The packet's text is UTF-8, and its parts end at ASCII.
        std::str::from_utf8(&self.namespace).unwrap_or(ROOT)
    }

    /// Bytes of data and attachments.
    #[must_use]
    pub fn len(&self) -> usize {
        self.data.len() + self.attachments.iter().map(Bytes::len).sum::<usize>()
    }

    /// Whether the packet has neither data nor attachments.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes the text; the attachments follow it.
    #[must_use]
    pub fn to_text(&self) -> Bytes {
        let mut text = BytesMut::with_capacity(self.namespace.len() + self.data.len() + 32);
        text.put_u8(self.type_digit());
        if !self.attachments.is_empty() {
            text.put_slice(format!("{}-", self.attachments.len()).as_bytes());
        }
        if *self.namespace != *ROOT.as_bytes() || self.query.is_some() {
            text.put_slice(&self.namespace);
            if let Some(query) = &self.query {
                text.put_u8(b'?');
                text.put_slice(query);
            }
            text.put_u8(b',');
        }
        if let Some(id) = self.id {
            text.put_slice(id.to_string().as_bytes());
        }
        text.put_slice(&self.data);
        text.freeze()
    }

    fn type_digit(&self) -> u8 {
        match (self.kind, self.attachments.is_empty()) {
            (Kind::Connect, _) => b'0',
            (Kind::Disconnect, _) => b'1',
            (Kind::Event, true) => b'2',
            (Kind::Ack, true) => b'3',
            (Kind::Error, _) => b'4',
            (Kind::Event, false) => b'5',
            (Kind::Ack, false) => b'6',
        }
    }
}
