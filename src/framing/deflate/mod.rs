//! `permessage-deflate` (RFC 7692): what two peers agree on, and messages before and after.
//!
//! [`Agreed`] is what one leg's handshake came to. [`Packer`] compresses whole messages. [`Unpacker`] turns the frames
//! of a connection, in pieces of any size, into frames without the extension, holding no more than a piece.
//!
//! # Memory
//! A stream that keeps its context from one message to the next has a [`Packer`]'s or [`Unpacker`]'s state for as long
//! as its socket is open, from its first message on: [`Agreed::server_memory`], [`Agreed::client_memory`]. One that does
//! not borrows a state for each message from [`Spare`], of which each thread has one.
//!
//! # Windows of 8 bits
//! No copy of zlib compresses for them, and none has to: a message of up to 256 bytes cannot refer back further than
//! such a window reaches, and longer ones are sent as they are, which the extension allows for any message.

mod agree;
mod header;
mod pack;
mod spare;
mod unpack;
mod window;

pub use agree::{Agreed, Flow, accept, answer, offer};
pub use pack::Packer;
pub use spare::Spare;
pub use unpack::{Corrupt, Role, Unpacker};

/// The greatest window, as a power of two, and the one that is meant where none is named.
const WINDOW: u8 = 15;

/// What a sender leaves away at the end of each message (RFC 7692 section 7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

#[cfg(test)]
mod tests;
