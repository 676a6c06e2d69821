//! The life of a Socket.IO session: the shell around [`bridge`](crate::bridge).
//!
//! 1. A request whose path is the API's `socketio.path` comes here from `http::proxy`. `asked` reads its parameters.
//! 2. Without a `sid` it begins a session: `begin` makes the request for the backend and starts a `driver`, a task that
//!    owns the session until both sides have ended. What the backend refuses before the client has been answered is
//!    the answer.
//! 3. With a `sid` it is for a session in the [`Table`], which all workers share; the session itself lives on the worker
//!    that began it and is reached by a bounded channel. It keeps the snapshot, the version and the endpoint of its
//!    first request.
//!    A backend that takes no WebSocket is polled (`polling`).
//! 4. The driver tells the session what came on its `leg`s (the client's WebSocket, one that the client may go on on, the
//!    backend's), what was posted, and what time it is, and sends what it takes out. A side whose other side is slow is
//!    not read from.
//! 5. When the proxy drains, clients are told to connect again.

mod asked;
mod begin;
mod behind;
mod cors;
mod driver;
mod leg;
mod polling;
mod polls;
mod table;
mod world;

use std::sync::Arc;

use http::request::Parts;
use http::{Method, Response};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;

use crate::backend::Body;
use crate::failure::Failure;
use crate::http::Plane;
use crate::http::exchange::Exchange;
use crate::http::record::Recorder;
use crate::http::respond::{self, EngineIoError};
use crate::ws;

use asked::{Asked, Transport};

pub(crate) use table::Handle;
pub use table::Table;

/// How a request is answered.
pub(crate) enum Answer {
    /// By this response.
    Message(Response<Body>),
    /// By this response, after which the connection is a socket that owns the record.
    Socket(Response<Body>),
}

/// Whether a request is for the Socket.IO of its API.
pub(crate) fn concerns(exchange: &Exchange, head: &Parts) -> bool {
    let config = exchange.route.config.socketio.as_ref();
    let path = exchange.resolved.path.as_deref().unwrap_or(head.uri.path());
    config.is_some_and(|config| config.path == path)
}

/// The session that a request is for, if it is one that is there.
pub(crate) fn find(plane: &Plane, head: &Parts) -> Option<Handle> {
    if plane.sessions.is_empty() {
        return None;
    }
    let sid = asked::parameter(head.uri.query()?, "sid")?;
    plane.sessions.find(&sid).filter(|handle| *handle.path == *head.uri.path())
}

/// Answers a request for a session that is there.
pub(crate) async fn resume(
    plane: &Plane,
    handle: &Handle,
    recorder: &mut Option<Recorder>,
    head: &Parts,
    body: Incoming,
    upgrade: Option<OnUpgrade>,
) -> Result<Answer, Failure> {
    let record = recorder.as_mut().map(Recorder::record);
    if let Some(record) = record {
        handle.note(record);
    }
    let answered = match Asked::of(head) {
        Err(error) => Ok(Answer::Message(respond::engineio(error))),
        Ok(_) if head.method == Method::OPTIONS => Ok(Answer::Message(respond::options())),
        Ok(asked) if asked.generation != handle.generation => {
            Ok(Answer::Message(respond::engineio(EngineIoError::BadRequest)))
        }
        Ok(asked) => match (asked.transport, upgrade) {
            (Transport::Polling, _) => polls::answer(handle, &asked, head, body).await.map(Answer::Message),
            (Transport::WebSocket, Some(upgrade)) => {
                let mut extensions = ws::Extensions::own(plane, handle.contexts, &head.headers);
                let (response, connection) = ws::Handshake::check(head, upgrade)?.accept(&mut extensions);
                let is_there = handle.attach(response.status(), connection, recorder).await;
                let unknown = || Answer::Message(respond::engineio(EngineIoError::UnknownSession));
                Ok(if is_there { Answer::Socket(response) } else { unknown() })
            }
            (Transport::WebSocket, None) => Ok(Answer::Message(respond::engineio(EngineIoError::BadRequest))),
        },
    };
    answered.map(|answer| cors::allow(answer, head, handle.origins.as_deref()))
}

/// Answers a request for no session that is there.
pub(crate) async fn open(
    plane: &Arc<Plane>,
    exchange: &Arc<Exchange>,
    recorder: &mut Option<Recorder>,
    mut head: Parts,
    upgrade: Option<OnUpgrade>,
) -> Result<Answer, Failure> {
    let origins = exchange.route.config.socketio.as_ref().and_then(|config| config.origins.clone());
    let asked = Asked::of(&head);
    if head.method == Method::OPTIONS {
        return Ok(cors::allow(Answer::Message(respond::options()), &head, origins.as_deref()));
    }
    let origin = head.clone();
    let answered = match asked {
        Err(error) => Ok(Answer::Message(respond::engineio(error))),
        Ok(asked) if asked.sid.is_some() => Ok(Answer::Message(respond::engineio(EngineIoError::UnknownSession))),
        Ok(_) if head.method != Method::GET => Ok(Answer::Message(respond::engineio(EngineIoError::BadMethod))),
        Ok(asked) => match (asked.transport, upgrade) {
            (Transport::Polling, _) => begin::on_polls(plane, exchange, &asked, &mut head).await.map(Answer::Message),
            (Transport::WebSocket, Some(upgrade)) => {
                let handshake = ws::Handshake::check(&head, upgrade)?;
                begin::on_socket(plane, exchange, &asked, &mut head, handshake, recorder).await
            }
            (Transport::WebSocket, None) => Ok(Answer::Message(respond::engineio(EngineIoError::BadRequest))),
        },
    };
    answered.map(|answer| cors::allow(answer, &origin, origins.as_deref()))
}
