//! The life of a request.
//!
//! 1. `server` accepts a connection, `opening` finds out what is spoken on it, `wire` checks and bounds what comes on it, and each request is handed to `proxy`.
//! 2. One [`Snapshot`](crate::snapshot::Snapshot) is loaded; it decides everything about this request.
//! 3. `exchange` finds the API by host and longest prefix (404), resolves the client's version (400) and
//!    picks the backend.
//! 4. `request`: the rules translate the target and the headers; the version that the client named becomes the
//!    one that the backend speaks; `headers` takes off what concerns one connection.
//! 5. The request's body is translated (`translate`) where a rule matches it and its `form` allows it: whole where
//!    it is short, as a stream where it is long, message by message where it is a stream of documents (`messages`).
//!    Its codings are taken off before and put on behind (`coding`). Where a rule needs head and body at once
//!    (`united`), the head waits.
//! 6. `send` picks an endpoint and waits for the response's head, within the time limits. A request for a socket
//!    goes to [`crate::ws`] instead.
//! 7. `response`: the rules translate status and headers; `reply` has the body translated as that of the request, or
//!    pass as it came where a write must not look failed; `validators` makes its validators its own, and `urls`
//!    has what it says of itself lead to where its client asks.
//! 8. The version headers are added, and `record` writes down how it went.
//!
//! Any step may end in a [`Failure`](crate::failure::Failure), which `respond` turns into a problem
//! document. A failure after the head has left aborts the message instead.

pub(crate) mod body;
pub(crate) mod coding;
pub(crate) mod exchange;
pub(crate) mod form;
pub(crate) mod forwarded;
pub(crate) mod headers;
mod http2;
pub(crate) mod messages;
pub(crate) mod opening;
pub(crate) mod pace;
pub(crate) mod proxy;
pub(crate) mod record;
pub(crate) mod reply;
pub(crate) mod request;
pub(crate) mod respond;
pub(crate) mod response;
pub(crate) mod send;
pub mod server;
pub(crate) mod translate;
pub(crate) mod united;
pub(crate) mod urls;
pub(crate) mod validators;
pub(crate) mod wire;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::snapshot::Published;
use crate::telemetry::access_log::AccessLog;
use crate::telemetry::usage::Usage;
use crate::worker::{Timers, Worker};

/// What all requests of a worker share; but for the worker, it is the same for all of a proxy.
#[derive(Debug, Clone)]
pub struct Plane {
    /// Who serves them.
    pub worker: Worker,
    /// What its exchanges wait with.
    pub timers: Timers,
    /// Where each request loads its snapshot.
    pub published: Published,
    /// Where each request is recorded.
    pub access_log: AccessLog,
    /// Where each request is counted.
    pub usage: Usage,
    /// Owns the connections and sockets, so that draining can wait for them.
    pub tasks: TaskTracker,
    /// Cancelled when the proxy drains.
    pub draining: CancellationToken,
    /// The sessions of Socket.IO, which all workers share.
    pub sessions: crate::socketio::Table,
    /// What compressed sockets hold, on all workers.
    pub contexts: crate::ws::Contexts,
    /// Cancelled when draining has taken too long.
    pub abandoned: CancellationToken,
}
