//! A socket's messages, from one side to the other, and how it ends. The only place that picks a close code.
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
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hyper::upgrade::{OnUpgrade, Upgraded};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{self, Message, Utf8Bytes};
use tokio_util::sync::CancellationToken;

use crate::backend::Picked;
use crate::failure::{self, Failure, Kind};
use crate::framing::deflate::{Corrupt, Role};
use crate::http::body::Observer as _;
use crate::http::exchange::{self, Exchange};
use crate::http::record::Recorder;
use crate::http::server::Slot;
use crate::http::{Plane, respond};
use crate::json;
use crate::rules::{Api, OnError, OnFrame, Outcome, Side, Socket};
use crate::snapshot::Route;
use crate::telemetry::metrics::{self, MessageOutcome};
use crate::version::VersionId;

use super::activity::{Activity, Pulse};
use super::leg::{self, Incoming, Outgoing};
use super::tunnel::{self, Goodbye};
use super::wire::Compression;

/// How long both sides have to end after one was closed.
const CLOSE_GRACE: Duration = Duration::from_secs(5);

/// What waits to be told to a side beside what comes; more is lost.
const REPLIES: usize = 8;
const SHUTTING_DOWN: &str = "the server is shutting down";
const SILENT: &str = "no message for too long";
const BROKEN: &str = "the peer broke the protocol";
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
    route: Arc<Route>,
    api: Arc<Api>,
    client: VersionId,
    backend: VersionId,
    path: String,
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
                let client = leg::open(client, Role::Client, client_compression, limit).await;
                let backend = leg::open(backend, Role::Server, backend_compression, limit).await;
                let talk = Talk::new(&self.rules, socket);
                talk.run(client, backend, None, &self.plane).await;
                talk.bytes.load(Ordering::Relaxed)
            }
            None => self.rules.tunnel(client, backend, &self.plane).await,
        };
        recorder.bytes(usize::try_from(bytes).unwrap_or(usize::MAX));
        recorder.end(Ok(()));
    }
}

/// Carries the messages of a socket that is read whatever its rules are, from its first one on; how many bytes went to the
/// client.
pub(super) async fn carry(
    rules: &Rules,
    client: (Incoming, Outgoing),
    backend: BackendLeg,
    first: Message,
    plane: &Plane,
) -> u64 {
    let BackendLeg { upgraded, compression, picked: _picked } = backend;
    let limit = rules.route.config.limits.message;
    let backend = leg::open(upgraded, Role::Server, compression, limit).await;
    let none = Socket::default();
    let talk = Talk::new(rules, rules.socket().unwrap_or(&none));
    talk.run(client, backend, Some(first), plane).await;
    talk.bytes.load(Ordering::Relaxed)
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
pub(super) async fn stop(stop: &Stop, (mut from, mut to): (Incoming, Outgoing)) {
    let frame = match stop {
        Stop::Failed(failure) => Some(refusal(failure)),
        Stop::Broken(error) => offence(error),
        Stop::Draining => Some(close(CloseCode::Away, SHUTTING_DOWN)),
        Stop::Gone => None,
    };
    if frame.is_some() {
        // Who is gone needs no close.
        let _ = to.close(Message::Close(frame)).await;
    }
    let _ = timeout(CLOSE_GRACE, async { while let Some(Ok(_)) = from.next(&mut to).await {} }).await;
    leg::linger(from, to).await;
}

/// How a client is closed whose socket cannot be opened.
fn refusal(failure: &Failure) -> CloseFrame {
    let code = match (failure.kind, failure.side) {
        (Kind::AllEjected(_) | Kind::Overloaded, _) => CloseCode::Again,
        (_, failure::Side::Client) => CloseCode::Policy,
        (_, failure::Side::Backend | failure::Side::Legato) => CloseCode::Error,
    };
    let fits = (0..=REASON.min(failure.detail.len())).rev().find(|at| failure.detail.is_char_boundary(*at));
    let reason = failure.detail[..fits.unwrap_or_default()].to_owned();
    CloseFrame { code, reason: reason.into() }
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
    client: Pulse,
    server: Pulse,
    /// Cancelled when a first side was closed.
    closing: CancellationToken,
}

/// One direction.
struct Pump {
    side: Side,
    from: Incoming,
    to: Outgoing,
    /// What the side that this direction sends to is to be told.
    orders: Orders,
    /// How the side that this direction reads from is reached: by the other direction.
    sender: Reach,
    /// Whether `to` has been closed or is gone; what is still read is thrown away.
    is_shut: bool,
    /// What has been read already.
    first: Option<Message>,
    counts: metrics::Messages,
    /// What literals refer to.
    values: json::Values,
}

/// How a side is told something beside what comes from the other one. What it is told is boxed, since a channel takes room
/// for 32 of them.
#[derive(Clone)]
struct Reach {
    close: mpsc::Sender<Box<CloseFrame>>,
    tell: mpsc::Sender<Box<Message>>,
}

/// What a side is to be told.
struct Orders {
    close: mpsc::Receiver<Box<CloseFrame>>,
    tell: mpsc::Receiver<Box<Message>>,
}

impl Reach {
    fn new() -> (Self, Orders) {
        let (close, closes) = mpsc::channel(1);
        let (tell, tells) = mpsc::channel(REPLIES);
        (Self { close, tell }, Orders { close: closes, tell: tells })
    }

    /// Has the side closed, if it is not being closed already.
    fn close(&self, frame: CloseFrame) {
        let _ = self.close.try_send(Box::new(frame));
    }

    /// Has the side told something; whether it will be. One that reads nothing of what it is sent is told no more.
    fn tell(&self, message: Message) -> bool {
        self.tell.try_send(Box::new(message)).is_ok()
    }
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
            client: Pulse::default(),
            server: Pulse::default(),
            closing: CancellationToken::new(),
        }
    }

    async fn run(
        &self,
        client: (Incoming, Outgoing),
        backend: (Incoming, Outgoing),
        first: Option<Message>,
        plane: &Plane,
    ) {
        let ((from_client, to_client), (from_backend, to_backend)) = (client, backend);
        let (client, client_orders) = Reach::new();
        let (backend, backend_orders) = Reach::new();
        let up = Box::new(Pump {
            side: Side::Client,
            from: from_client,
            to: to_backend,
            orders: backend_orders,
            sender: client.clone(),
            is_shut: false,
            first,
            counts: self.counts(Side::Client),
            values: self.values(Side::Client),
        });
        let down = Box::new(Pump {
            side: Side::Server,
            from: from_backend,
            to: to_client,
            orders: client_orders,
            sender: backend.clone(),
            is_shut: false,
            first: None,
            counts: self.counts(Side::Server),
            values: self.values(Side::Server),
        });
        let both = async { tokio::join!(self.pump(up), self.pump(down)) };
        tokio::select! {
            (up, down) = both => {
                leg::linger(up.from, down.to).await;
                leg::linger(down.from, up.to).await;
            }
            () = self.supervise(plane, &client, &backend) => {}
        }
    }

    fn counts(&self, side: Side) -> metrics::Messages {
        metrics::Messages::new(Arc::clone(&self.rules.route.name), side.name())
    }

    fn values(&self, sender: Side) -> json::Values {
        let version = self.rules.api.versions.get(self.rules.receiver(sender));
        exchange::values(jiff::Timestamp::now(), version, OnError::Reject)
    }

    fn pulse(&self, side: Side) -> &Pulse {
        match side {
            Side::Client => &self.client,
            Side::Server => &self.server,
        }
    }

    /// Ends the socket when it has to: gracefully at first. Returns when grace has passed.
    async fn supervise(&self, plane: &Plane, client: &Reach, backend: &Reach) {
        let timeouts = &self.rules.route.config.timeouts;
        let away = |reason| Some(close(CloseCode::Away, reason));
        let ping = || Message::Ping(Bytes::new());
        let (to_client, to_backend) = tokio::select! {
            () = self.closing.cancelled() => (None, None),
            () = plane.draining.cancelled() => (away(SHUTTING_DOWN), away(SHUTTING_DOWN)),
            () = self.activity.idle(timeouts.websocket_idle) => (away(SILENT), away(SILENT)),
            () = self.client.stops(timeouts.websocket_ping, || client.tell(ping())) => (None, Some(gone(Side::Client))),
            () = self.server.stops(timeouts.websocket_ping, || backend.tell(ping())) => (Some(gone(Side::Server)), None),
        };
        for (side, frame) in [(client, to_client), (backend, to_backend)] {
            if let Some(frame) = frame {
                side.close(frame);
            }
        }
        sleep(CLOSE_GRACE).await;
    }

    /// Carries one direction's messages until its sender has ended.
    async fn pump(&self, mut pump: Box<Pump>) -> Box<Pump> {
        if let Some(first) = pump.first.take() {
            self.forward(&mut pump, first).await;
        }
        loop {
            // Orders come first, since a side may always have messages.
            tokio::select! {
                biased;
                Some(order) = pump.orders.close.recv() => self.shut(&mut pump, Some(*order)).await,
                Some(told) = pump.orders.tell.recv() => self.tell(&mut pump, *told).await,
                message = pump.from.next(&mut pump.to) => match message {
                    Some(Ok(Message::Close(frame))) => self.shut(&mut pump, relayed(frame)).await,
                    Some(Ok(message)) => {
                        self.pulse(pump.side).beat();
                        self.forward(&mut pump, message).await;
                    }
                    Some(Err(error)) => self.broken(&mut pump, &error).await,
                    None => {
                        let side = pump.side;
                        self.shut(&mut pump, Some(gone(side))).await;
                        return pump;
                    }
                },
            }
        }
    }

    /// Sends what is this proxy's own.
    async fn tell(&self, pump: &mut Pump, message: Message) {
        let is_ping = message.is_ping();
        self.send(pump, message).await;
        if is_ping {
            self.pulse(pump.side.other()).pinged();
        }
    }

    async fn forward(&self, pump: &mut Pump, message: Message) {
        // Pings and pongs say that a side lives, not that the socket is in use.
        if matches!(message, Message::Text(_) | Message::Binary(_)) {
            self.activity.touch();
        }
        let message = match message {
            Message::Text(text) => match self.translate(pump, text) {
                Some(message) => message,
                None => return,
            },
            Message::Binary(bytes) => Message::Binary(bytes),
            // Each leg answers its own pings.
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => return,
        };
        self.send(pump, message).await;
    }

    async fn send(&self, pump: &mut Pump, message: Message) {
        if pump.is_shut {
            return;
        }
        if pump.side == Side::Server {
            self.bytes.fetch_add(leg::payload_len(&message) as u64, Ordering::Relaxed);
        }
        if let Err(error) = pump.to.send(message).await {
            self.unsent(pump, &error);
        }
    }

    /// A message cannot be sent. A receiver that is gone is noticed by the direction that reads from it; one that takes no
    /// answers to its pings is as good as gone.
    fn unsent(&self, pump: &mut Pump, error: &tungstenite::Error) {
        pump.is_shut = true;
        if let tungstenite::Error::WriteBufferFull(_) = error {
            pump.sender.close(gone(pump.side.other()));
            self.closing.cancel();
        }
    }

    /// What the receiver gets to see of a text message; `None`: nothing.
    fn translate(&self, pump: &mut Pump, text: Utf8Bytes) -> Option<Message> {
        pump.values.now = json::Now::Millis(jiff::Timestamp::now().as_millisecond());
        let message = Bytes::from(text.clone());
        let (event, outcome) = self.socket.translate(pump.side, &message, &pump.values, self.limits);
        pump.counts.count(
            event,
            match &outcome {
                Ok(Outcome::Pass) => MessageOutcome::Passed,
                Ok(Outcome::Translated(_)) => MessageOutcome::Translated,
                Ok(Outcome::Dropped) => MessageOutcome::Dropped,
                Err(_) => MessageOutcome::Failed,
            },
        );
        match outcome {
            Ok(Outcome::Pass) => Some(Message::Text(text)),
            // JSON in, JSON out: what is translated is UTF-8 as the original was.
            Ok(Outcome::Translated(text)) => Some(leg::text(text.into())),
            Ok(Outcome::Dropped) => None,
            Err(error) => {
                if pump.side == Side::Client {
                    self.reply(pump, &error);
                }
                metrics::translate_failure(&self.rules.route.name, error.change.as_deref(), error.code.name());
                match self.rules.api.on_error.frame {
                    OnFrame::Drop => {}
                    OnFrame::Close => self.close_both(pump, "a message has no translation"),
                }
                None
            }
        }
    }

    /// Tells the client of its message that cannot be translated, where a change says how.
    fn reply(&self, pump: &Pump, error: &json::Error) {
        let Some(reply) = self.socket.reply(error.change.as_deref()) else { return };
        let failure = Failure::translation(failure::Side::Client, error);
        let version = self.rules.api.versions.get(self.rules.client);
        let text = Bytes::from(respond::shaped(&failure, &reply.shape, Some(&version.label)));
        // It is a message like those of a backend that speaks the change's version.
        let pair = self.rules.api.pair(self.rules.client, reply.version);
        let values = exchange::values(jiff::Timestamp::now(), version, OnError::BestEffort);
        let translated = match pair.socket(&self.rules.path) {
            Some(socket) => socket.translate(Side::Server, &text, &values, self.limits).1,
            None => Ok(Outcome::Pass),
        };
        let text = match translated {
            Ok(Outcome::Pass) => text,
            Ok(Outcome::Translated(text)) => text.into(),
            Ok(Outcome::Dropped) | Err(_) => return,
        };
        pump.sender.tell(leg::text(text));
    }

    fn close_both(&self, pump: &Pump, reason: &'static str) {
        pump.sender.close(close(CloseCode::Error, reason));
        self.closing.cancel();
    }

    /// The sender broke the protocol or its connection broke.
    async fn broken(&self, pump: &mut Pump, error: &tungstenite::Error) {
        if let tungstenite::Error::WriteBufferFull(_) = error {
            return self.unsent(pump, error);
        }
        if let Some(code) = offence(error) {
            // Whatever the sender did, its own side is closed by the other direction.
            pump.sender.close(code);
            self.shut(pump, Some(close(CloseCode::Error, BROKEN))).await;
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

/// What the other side is told of a side that went away.
fn gone(side: Side) -> CloseFrame {
    match side {
        Side::Client => close(CloseCode::Away, "the client is gone"),
        Side::Server => close(CloseCode::Error, "the backend is gone"),
    }
}

/// What the other side is told of a close. One whose code may not be sent was answered with what stands for it here.
fn relayed(frame: Option<CloseFrame>) -> Option<CloseFrame> {
    let stands = |frame: &CloseFrame| frame.code == CloseCode::Protocol && frame.reason == "Protocol violation";
    if frame.as_ref().is_some_and(stands) { Some(close(CloseCode::Error, BROKEN)) } else { frame }
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
