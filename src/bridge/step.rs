//! What a translator wants done, in order.

use bytes::Bytes;

use crate::framing::socketio::Packet;

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Send this to the client.
    Client(Packet),
    /// Send this to the backend.
    Backend(Packet),
    /// Open the session with the client under this identifier; `None`: under one of the session's own.
    Open(Option<String>),
    /// Connect to the backend, with what the client says for itself: a query, percent-encoded.
    Dial(Option<Bytes>),
    /// End the session with the backend alone.
    HangUp,
    /// The backend is of the other generation.
    Mismatch,
}
