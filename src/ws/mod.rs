//! The life of a session.
//!
//! 1. `handshake` checks the client's request (RFC 6455 section 4.2.1) and opens a connection of its own to
//!    the backend. A backend that refuses is heard by the client as it is.
//! 2. `session` is the open socket, and `talk` carries its messages: both directions in one task, where a message is read
//!    only when there is room for it on the other side, so that a slow receiver slows its sender. Where the rules know the path, text messages are
//!    translated; a message without a translation is dropped and counted, and the socket lives on.
//! 3. Sockets without rules are a `tunnel`: bytes, never messages; `frames` knows where one could be put between.
//!    One whose version its first message names is answered first; `first` opens the backend's side when it has come.
//! 4. `leg` is one side as messages, and `wire` its connection, from which compressed messages are read as if they
//!    were not. What is agreed on with each side is its own, see [`crate::framing::deflate`].
//! 5. Close codes and reasons travel end to end. Only `session` picks one.

mod activity;
mod extensions;
mod first;
mod frames;
mod handshake;
mod leg;
mod session;
mod talk;
mod tunnel;
mod wire;

pub(crate) use extensions::Extensions;
pub(crate) use handshake::{Accepted, Dialed, Handshake, Opened, dial, reserve};
pub(crate) use leg::Leg;
pub(crate) use session::{BackendLeg, Session};
pub(crate) use wire::Compression;
pub use wire::Contexts;
