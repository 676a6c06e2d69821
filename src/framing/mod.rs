//! Formats of messages within a transport: pure, and knowing nothing of who carries them.
//!
//! [`engineio`] and [`socketio`] are the two layers of Socket.IO. A client or backend is of one [`Generation`], which
//! decides both. [`deflate`] is the extension of WebSocket that compresses messages. [`stream`] is about bodies that are streams of documents.

pub mod deflate;
pub mod engineio;
mod error;
pub mod socketio;
pub mod stream;

pub use error::{Code, Error};

/// A generation of Socket.IO: what its two layers look like on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Generation {
    /// Engine.IO protocol 3 with Socket.IO protocols 3 and 4: packages 1.x and 2.x.
    Eio3,
    /// Engine.IO protocol 4 with Socket.IO protocol 5: packages 3.x and 4.x.
    Eio4,
}

impl Generation {
    /// As a handshake's `EIO` parameter says it.
    #[must_use]
    pub fn parameter(self) -> &'static str {
        match self {
            Self::Eio3 => "3",
            Self::Eio4 => "4",
        }
    }
}
