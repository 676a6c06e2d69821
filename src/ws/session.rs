//! A socket, and how it ends. The only place that picks a close code.
//!
//! | what happens | the side that did it gets | the other side gets |
//! |---|---|---|
//! | a side closes | its own code back | that code and reason |
//! | a side closes without a code | nothing | a close without a code |
//! | a message above `limits.message`, also one that grows above it when it is decompressed | 1009 | 1011 |
//! | text that is not UTF-8, or compressed data that is none | 1007 | 1011 |
//! | a violation of RFC 6455, a close whose code may not be sent too | 1002 | 1011 |
//! | the client goes away without a close, or answers no ping | | 1001 |
//! | the backend goes away without a close, or answers no ping | | 1011 |
//! | no translation, and `on_error.frame: close` | 1011 | 1011 |
//! | no message for `websocket_idle`, or the proxy drains | 1001 | 1001 |
//!
//! A socket whose version its first message names is closed before it is open towards the backend: with 1008 where the
//! message names no version that exists, comes too late or the backend refuses the client, 1013 where no endpoint has
//! room, 1011 where the backend cannot be reached.
//!
//! Sockets without rules are closed with 1001 as well, between two frames; how else they end is between the client
//! and the backend.

use std::sync::Arc;
use std::time::Duration;

use hyper::upgrade::{OnUpgrade, Upgraded};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{self, Message, Utf8Bytes};

use crate::backend::Picked;
use crate::failure::{self, Failure, Kind};
use crate::framing::deflate::{Corrupt, Role};
use crate::http::Plane;
use crate::http::body::Observer as _;
use crate::http::exchange::Exchange;
use crate::http::record::Recorder;
use crate::http::server::Slot;
use crate::rules::{Api, Side, Socket};
use crate::snapshot::Route;
use crate::telemetry::metrics;
use crate::version::VersionId;

use super::leg::Leg;
use super::talk::{Talk, Watch};
use super::tunnel::{self, Goodbye};
use super::wire::Compression;

/// How long both sides have to end after one was closed.
pub(super) const CLOSE_GRACE: Duration = Duration::from_secs(5);

/// Bytes of a reason at most (RFC 6455 section 5.5).
const REASON: usize = 123;

/// The two connections of a socket.
pub(crate) struct Legs {
    /// The client's, once it has read the answer.
    pub(crate) client: OnUpgrade,
    /// What was agreed on with the client.
    pub(crate) client_compression: Option<Compression>,
    /// The client's connection counts as open until the socket ends.
    pub(crate) slot: Option<Slot>,
    /// The backend's.
    pub(crate) backend: BackendLeg,
}

/// The backend's connection of a socket.
pub(crate) struct BackendLeg {
    /// The connection.
    pub(crate) upgraded: Upgraded,
    /// What was agreed on with it.
    pub(crate) compression: Option<Compression>,
    /// The endpoint, which counts as busy until the socket ends.
    pub(crate) picked: Picked,
}

/// An open socket. It keeps the rules of its handshake.
pub(crate) struct Session {
    plane: Arc<Plane>,
    legs: Legs,
    rules: Rules,
}

/// What decides about a socket's messages.
pub(super) struct Rules {
    pub(super) route: Arc<Route>,
    pub(super) api: Arc<Api>,
    pub(super) client: VersionId,
    backend: VersionId,
    pub(super) path: String,
}

impl Session {
    /// A socket whose handshake has ended well.
    pub(crate) fn new(plane: &Arc<Plane>, exchange: &Exchange, legs: Legs, path: String) -> Self {
        Self { plane: Arc::clone(plane), legs, rules: Rules::new(exchange, path) }
    }

    /// The backend's endpoint: `host:port`.
    pub(crate) fn endpoint(&self) -> &str {
        self.legs.backend.picked.authority().as_str()
    }

    /// Carries messages until both sides have ended.
    pub(crate) async fn run(self, mut recorder: Recorder) {
        let _open = metrics::socket();
        let Legs { client, client_compression, backend, slot: _slot } = self.legs;
        let BackendLeg { upgraded: backend, compression: backend_compression, picked: _picked } = backend;
        let Ok(client) = client.await else { return };
        let bytes = match self.rules.socket() {
            Some(socket) => {
                let limit = self.rules.route.config.limits.message;
                let client = Leg::new(client, Role::Client, client_compression, limit);
                let backend = Leg::new(backend, Role::Server, backend_compression, limit);
                let watch = Watch::new();
                Talk::new(&self.rules, socket, &watch, client, backend).run(&self.plane).await
            }
            None => self.rules.tunnel(client, backend, &self.plane).await,
        };
        recorder.bytes(usize::try_from(bytes).unwrap_or(usize::MAX));
        recorder.end(Ok(()));
    }
}

/// Carries the messages of a socket that is read whatever its rules are, from its first one on; how many bytes went to the
/// client.
pub(super) async fn carry(rules: &Rules, client: Leg, backend: BackendLeg, first: Message, plane: &Plane) -> u64 {
    let BackendLeg { upgraded, compression, picked: _picked } = backend;
    let limit = rules.route.config.limits.message;
    let backend = Leg::new(upgraded, Role::Server, compression, limit);
    let (none, watch) = (Socket::default(), Watch::new());
    let mut talk = Talk::new(rules, rules.socket().unwrap_or(&none), &watch, client, backend);
    talk.first = Some(first);
    talk.run(plane).await
}

/// Why a socket whose first message was waited for ends before there is a backend.
pub(super) enum Stop {
    /// It cannot be opened.
    Failed(Failure),
    /// What the client sent is no message.
    Broken(tungstenite::Error),
    /// The proxy drains.
    Draining,
    /// The client has closed it, or is gone.
    Gone,
}

/// Ends such a socket.
pub(super) async fn stop(stop: &Stop, mut client: Leg) {
    let close = match stop {
        Stop::Failed(failure) => Some(refusal(failure)),
        Stop::Broken(error) => offence(error),
        Stop::Draining => Some(draining()),
        Stop::Gone => None,
    };
    if let Some(close) = close {
        client.push(close);
    }
    let end = async {
        client.written().await;
        while let Some(Ok(_)) = client.next().await {}
    };
    let _ = timeout(CLOSE_GRACE, end).await;
    client.linger().await;
}

/// How a client is closed whose socket cannot be opened.
fn refusal(failure: &Failure) -> Message {
    let code = match (failure.kind, failure.side) {
        (Kind::AllEjected(_) | Kind::Overloaded, _) => CloseCode::Again,
        (_, failure::Side::Client) => CloseCode::Policy,
        (_, failure::Side::Backend | failure::Side::Legato) => CloseCode::Error,
    };
    let fits = (0..=REASON.min(failure.detail.len())).rev().find(|at| failure.detail.is_char_boundary(*at));
    let reason = failure.detail[..fits.unwrap_or_default()].to_owned();
    Message::Close(Some(CloseFrame { code, reason: reason.into() }))
}

impl Rules {
    pub(super) fn new(exchange: &Exchange, path: String) -> Self {
        Self {
            route: Arc::clone(&exchange.route),
            api: Arc::clone(&exchange.api),
            client: exchange.resolved.version,
            backend: exchange.speaks,
            path,
        }
    }

    fn socket(&self) -> Option<&Socket> {
        self.api.pair(self.client, self.backend).socket(&self.path)
    }

    async fn tunnel(&self, client: Upgraded, backend: Upgraded, plane: &Plane) -> u64 {
        let idle = self.route.config.timeouts.websocket_idle;
        let goodbye = Goodbye { client: away(Role::Client), backend: away(Role::Server), grace: CLOSE_GRACE };
        tunnel::run(client, backend, plane.draining.clone(), idle, &goodbye).await
    }

    /// The version that reads what `side` sends.
    pub(super) fn receiver(&self, side: Side) -> VersionId {
        match side {
            Side::Client => self.backend,
            Side::Server => self.client,
        }
    }
}

fn close(code: CloseCode, reason: &'static str) -> Message {
    Message::Close(Some(CloseFrame { code, reason: Utf8Bytes::from_static(reason) }))
}

/// How both sides are closed when the proxy drains.
pub(super) fn draining() -> Message {
    close(CloseCode::Away, "the server is shutting down")
}

/// How both sides are closed where no message has come for too long.
pub(super) fn silent() -> Message {
    close(CloseCode::Away, "no message for too long")
}

/// How the sender of a message is closed that has no translation, where it is to be.
pub(super) fn untranslated() -> Message {
    close(CloseCode::Error, "a message has no translation")
}

/// What the other side is told of a side that broke the protocol.
pub(super) fn broken() -> Message {
    close(CloseCode::Error, "the peer broke the protocol")
}

/// What the other side is told of a side that went away.
pub(super) fn gone(side: Side) -> Message {
    match side {
        Side::Client => close(CloseCode::Away, "the client is gone"),
        Side::Server => close(CloseCode::Error, "the backend is gone"),
    }
}

/// What the other side is told of a close. One whose code may not be sent was answered with what stands for it here.
pub(super) fn relayed(message: Message) -> Message {
    match message {
        Message::Close(Some(frame)) if frame.code == CloseCode::Protocol && frame.reason == "Protocol violation" => {
            broken()
        }
        message => message,
    }
}

/// A frame, as bytes, that tells one in this role that the other side goes away.
fn away(to: Role) -> Vec<u8> {
    let mut payload = u16::from(CloseCode::Away).to_be_bytes().to_vec();
    payload.extend_from_slice(b"going away");
    // A final close frame of up to 125 bytes.
    let mut frame = vec![0x88, u8::try_from(payload.len()).unwrap_or_default()];
    if to == Role::Server {
        frame[1] |= 0x80;
        // A mask of zeros changes nothing; masking only keeps scripts from writing bytes of their choice.
        frame.extend_from_slice(&[0; 4]);
    }
    frame.extend(payload);
    frame
}

/// How a side is closed for what it sent; `None` where it only went away.
pub(super) fn offence(error: &tungstenite::Error) -> Option<Message> {
    use tungstenite::error::ProtocolError;
    match error {
        tungstenite::Error::Capacity(_) => Some(close(CloseCode::Size, "the message is too large")),
        tungstenite::Error::Io(error)
            if error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<Corrupt>) =>
        {
            Some(close(CloseCode::Invalid, "the compressed data is not valid"))
        }
        tungstenite::Error::Utf8(_) => Some(close(CloseCode::Invalid, "the message is not UTF-8")),
        tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => None,
        tungstenite::Error::Protocol(_) => Some(close(CloseCode::Protocol, "the frame is not valid")),
        _ => None,
    }
}
