//! Socket.IO between a client and a backend that may be of different generations. Pure: time and identifiers are
//! passed in, what is to be sent is taken out.
//!
//! Neither the bytes nor the heartbeats of one generation mean anything to the other, so that there are two
//! Engine.IO sessions, and Socket.IO packets go from one to the other:
//!
//! ```text
//! client <--polls, WebSocket--> front --packets--> translator --packets--> back <--WebSocket--> backend
//! ```
//!
//! 1. [`Session::start`] opens the front at once, or asks for a connection to the backend first ([`Dial`]): a client
//!    of Engine.IO 3 takes its identifier from its first packet, and a backend of Engine.IO 3 takes what a client has
//!    to say for itself from the address alone.
//! 2. The front is the server of a session with the client: polls, the move to a WebSocket, heartbeats. The back is
//!    the client of a session with the backend. Each has the heartbeat of its own generation.
//! 3. Packets go through a translator for the pair of generations: `same`, `older` (a client older than its
//!    backend) or `newer`. Namespaces are joined and left, errors and credentials carried over in the words of the
//!    other side.
//! 4. Events and acknowledgements go through the rules of their namespace (`events`); attachments stay with them.
//! 5. When one side ends, what waits for the other is delivered, and it is closed too. [`Ending`] says why.
//!
//! A packet and its attachments are one value from the first to the last of these steps, so that nothing can come
//! between them.

mod acks;
mod back;
mod credentials;
mod ending;
mod errors;
mod events;
mod front;
mod newer;
mod older;
mod same;
mod session;
mod step;
mod translator;

pub use credentials::chosen_from_query;
pub use ending::Ending;
pub use events::{Rules, World};
pub use front::{FrontSettings, Message, Refusal};
pub use newer::join_query;
pub use session::{Dial, Session, Settings};
