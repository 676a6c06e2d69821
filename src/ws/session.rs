//! A socket's messages, from one side to the other, and how it ends. The only place that picks a close code.
//!
//! | what happens | the side that did it gets | the other side gets |
//! |---|---|---|
//! | a side closes | its own code back | that code and reason |
//! | a side closes without a code | nothing | a close without a code |
//! | a message above `limits.message`, also one that grows above it when it is decompressed | 1009 | 1011 |
//! | text that is not UTF-8, or compressed data that is none | 1007 | 1011 |
//! | a violation of RFC 6455 | 1002 | 1011 |
//! | the client goes away without a close | | 1001 |
//! | the backend goes away without a close | | 1011 |
//! | no translation, and `on_error.frame: close` | 1011 | 1011 |
//! | no message for `websocket_idle`, or the proxy drains | 1001 | 1001 |
//!
//! Sockets without rules are closed with 1001 as well, between two frames; how else they end is between the client
//! and the backend.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::upgrade::{OnUpgrade, Upgraded};
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{self, Message, Utf8Bytes};
use tokio_util::sync::CancellationToken;

use crate::backend::Picked;
use crate::framing::deflate::{Corrupt, Role};
use crate::http::Plane;
use crate::http::body::Observer as _;
use crate::http::exchange::{self, Exchange};
use crate::http::record::Recorder;
use crate::http::server::Slot;
use crate::json;
use crate::rules::{Api, OnError, OnFrame, Outcome, Side, Socket};
use crate::snapshot::Route;
use crate::telemetry::metrics;
use crate::version::VersionId;

use super::activity::Activity;
use super::leg::{self, Incoming, Outgoing};
use super::tunnel::{self, Goodbye};
use super::wire::Compression;

/// How long both sides have to end after one was closed.
const CLOSE_GRACE: Duration = Duration::from_secs(5);

/// The two connections of a socket.
pub(crate) struct Legs {
    /// The client's, once it has read the answer.
    pub(crate) client: OnUpgrade,
    /// What was agreed on with the client.
    pub(crate) client_compression: Option<Compression>,
    /// The client's connection counts as open until the socket ends.
    pub(crate) slot: Option<Slot>,
    /// The backend's.
    pub(crate) backend: Upgraded,
    /// What was agreed on with it.
    pub(crate) backend_compression: Option<Compression>,
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
struct Rules {
    route: Arc<Route>,
    api: Arc<Api>,
    client: VersionId,
    backend: VersionId,
    path: String,
}

impl Session {
    /// A socket whose handshake has ended well.
    pub(crate) fn new(plane: &Arc<Plane>, exchange: &Exchange, legs: Legs, path: String) -> Self {
        let rules = Rules {
            route: Arc::clone(&exchange.route),
            api: Arc::clone(&exchange.api),
            client: exchange.resolved.version,
            backend: exchange.speaks,
            path,
        };
        Self { plane: Arc::clone(plane), legs, rules }
    }

    /// The backend's endpoint: `host:port`.
    pub(crate) fn endpoint(&self) -> &str {
        self.legs.picked.authority().as_str()
    }

    /// Carries messages until both sides have ended.
    pub(crate) async fn run(self, mut recorder: Recorder) {
        let _open = metrics::socket();
        let Legs { client, client_compression, backend, backend_compression, slot: _slot, picked: _picked } = self.legs;
        let Ok(client) = client.await else { return };
        let bytes = match self.rules.socket() {
            Some(socket) => {
                let limit = self.rules.route.config.limits.message;
                let client = leg::open(client, Role::Client, client_compression, limit).await;
                let backend = leg::open(backend, Role::Server, backend_compression, limit).await;
                let talk = Talk::new(&self.rules, socket);
                talk.run(client, backend, &self.plane).await;
                talk.bytes.load(Ordering::Relaxed)
            }
            None => self.rules.tunnel(client, backend, &self.plane).await,
        };
        recorder.bytes(usize::try_from(bytes).unwrap_or(usize::MAX));
        recorder.end(Ok(()));
    }
}

impl Rules {
    fn socket(&self) -> Option<&Socket> {
        self.api.pair(self.client, self.backend).socket(&self.path)
    }

    async fn tunnel(&self, client: Upgraded, backend: Upgraded, plane: &Plane) -> u64 {
        let idle = self.route.config.timeouts.websocket_idle;
        let goodbye = Goodbye { client: away(Role::Client), backend: away(Role::Server), grace: CLOSE_GRACE };
        tunnel::run(client, backend, plane.draining.clone(), idle, &goodbye).await
    }

    /// The version that reads what `side` sends.
    fn receiver(&self, side: Side) -> VersionId {
        match side {
            Side::Client => self.backend,
            Side::Server => self.client,
        }
    }
}

/// What both directions of a socket share.
struct Talk<'a> {
    rules: &'a Rules,
    socket: &'a Socket,
    limits: json::Limits,
    /// Bytes sent to the client.
    bytes: AtomicU64,
    activity: Activity,
    /// Cancelled when a first side was closed.
    closing: CancellationToken,
}

/// One direction.
struct Pump {
    side: Side,
    from: Incoming,
    to: Outgoing,
    /// How the side that this direction sends to is to be closed.
    orders: mpsc::Receiver<CloseFrame>,
    /// How the side that this direction reads from is to be closed: by the other direction.
    close_sender: mpsc::Sender<CloseFrame>,
    /// Whether `to` has been closed or is gone; what is still read is thrown away.
    is_shut: bool,
}

impl<'a> Talk<'a> {
    fn new(rules: &'a Rules, socket: &'a Socket) -> Self {
        let limits = &rules.route.config.limits;
        Self {
            rules,
            socket,
            limits: json::Limits { depth: limits.depth, buffer: limits.message },
            bytes: AtomicU64::new(0),
            activity: Activity::new(),
            closing: CancellationToken::new(),
        }
    }

    async fn run(&self, client: (Incoming, Outgoing), backend: (Incoming, Outgoing), plane: &Plane) {
        let (client_stream, client_sink) = client;
        let (backend_stream, backend_sink) = backend;
        let (close_client, client_orders) = mpsc::channel(1);
        let (close_backend, backend_orders) = mpsc::channel(1);
        let up = Pump {
            side: Side::Client,
            from: client_stream,
            to: backend_sink,
            orders: backend_orders,
            close_sender: close_client.clone(),
            is_shut: false,
        };
        let down = Pump {
            side: Side::Server,
            from: backend_stream,
            to: client_sink,
            orders: client_orders,
            close_sender: close_backend.clone(),
            is_shut: false,
        };
        let both = async { tokio::join!(self.pump(up), self.pump(down)) };
        tokio::select! {
            (up, down) = both => {
                leg::linger(up.from, down.to).await;
                leg::linger(down.from, up.to).await;
            }
            () = self.supervise(plane, &close_client, &close_backend) => {}
        }
    }

    /// Ends the socket when it has to: gracefully at first. Returns when grace has passed.
    async fn supervise(&self, plane: &Plane, client: &mpsc::Sender<CloseFrame>, backend: &mpsc::Sender<CloseFrame>) {
        let idle = self.rules.route.config.timeouts.websocket_idle;
        let reason = tokio::select! {
            () = self.closing.cancelled() => None,
            () = plane.draining.cancelled() => Some("the server is shutting down"),
            () = self.activity.idle(idle) => Some("no message for too long"),
        };
        if let Some(reason) = reason {
            for side in [client, backend] {
                // A full queue means that the side is being closed already.
                let _ = side.try_send(close(CloseCode::Away, reason));
            }
        }
        sleep(CLOSE_GRACE).await;
    }

    /// Carries one direction's messages until its sender has ended.
    async fn pump(&self, mut pump: Pump) -> Pump {
        loop {
            tokio::select! {
                Some(order) = pump.orders.recv() => self.shut(&mut pump, Some(order)).await,
                message = pump.from.next(&mut pump.to) => match message {
                    Some(Ok(Message::Close(frame))) => self.shut(&mut pump, frame).await,
                    Some(Ok(message)) => self.forward(&mut pump, message).await,
                    Some(Err(error)) => self.broken(&mut pump, &error).await,
                    None => {
                        let code = match pump.side {
                            Side::Client => close(CloseCode::Away, "the client is gone"),
                            Side::Server => close(CloseCode::Error, "the backend is gone"),
                        };
                        self.shut(&mut pump, Some(code)).await;
                        return pump;
                    }
                },
            }
        }
    }

    async fn forward(&self, pump: &mut Pump, message: Message) {
        self.activity.touch();
        let message = match message {
            Message::Text(text) => match self.translate(pump, text) {
                Some(text) => Message::Text(text),
                None => return,
            },
            Message::Binary(bytes) => Message::Binary(bytes),
            // Each leg answers its own pings.
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => return,
        };
        if pump.is_shut {
            return;
        }
        if pump.side == Side::Server {
            self.bytes.fetch_add(message.len() as u64, Ordering::Relaxed);
        }
        // A receiver that is gone is noticed by the direction that reads from it.
        pump.is_shut |= pump.to.send(message).await.is_err();
    }

    /// What the receiver gets to see of a text message; `None`: nothing.
    fn translate(&self, pump: &mut Pump, text: Utf8Bytes) -> Option<Utf8Bytes> {
        let version = self.rules.api.versions.get(self.rules.receiver(pump.side));
        let values = exchange::values(jiff::Timestamp::now(), version, OnError::Reject);
        let (event, outcome) = self.socket.translate(pump.side, text.as_bytes(), &values, self.limits);
        let api = &self.rules.route.config.name;
        metrics::message(api, pump.side.name(), event);
        match outcome {
            Ok(Outcome::Pass) => Some(text),
            // JSON in, JSON out: what is translated is UTF-8 as the original was.
            Ok(Outcome::Translated(bytes)) => Utf8Bytes::try_from(bytes::Bytes::from(bytes)).ok(),
            Ok(Outcome::Dropped) => None,
            Err(error) => {
                metrics::translate_failure(api, error.change.as_deref(), error.code.name());
                match self.rules.api.on_error.frame {
                    OnFrame::Drop => {}
                    OnFrame::Close => self.close_both(pump, "a message has no translation"),
                }
                None
            }
        }
    }

    fn close_both(&self, pump: &Pump, reason: &'static str) {
        let _ = pump.close_sender.try_send(close(CloseCode::Error, reason));
        self.closing.cancel();
    }

    /// The sender broke the protocol or its connection broke.
    async fn broken(&self, pump: &mut Pump, error: &tungstenite::Error) {
        if let Some(code) = offence(error) {
            // Whatever the sender did, its own side is closed by the other direction.
            let _ = pump.close_sender.try_send(code);
            self.shut(pump, Some(close(CloseCode::Error, "the peer broke the protocol"))).await;
        }
        // A broken connection ends the stream; what that means is decided there.
    }

    /// Closes the side that this direction sends to, once.
    async fn shut(&self, pump: &mut Pump, frame: Option<CloseFrame>) {
        self.closing.cancel();
        if !pump.is_shut {
            pump.is_shut = true;
            // A side that is gone needs no close.
            let _ = pump.to.close(Message::Close(frame)).await;
        }
    }
}

fn close(code: CloseCode, reason: &'static str) -> CloseFrame {
    CloseFrame { code, reason: Utf8Bytes::from_static(reason) }
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
fn offence(error: &tungstenite::Error) -> Option<CloseFrame> {
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
