//! A socket whose messages are read, from its opening to the end of both sides.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_util::sync::CancellationToken;

use crate::config::Timeouts;
use crate::failure::{self, Failure};
use crate::http::exchange;
use crate::http::{Plane, respond};
use crate::json;
use crate::rules::{OnError, OnFrame, Outcome, Side, Socket};
use crate::telemetry::metrics::{self, MessageOutcome};

use super::activity::{Activity, Pulse};
use super::leg::{self, Leg};
use super::session::{self, CLOSE_GRACE, Rules};

/// Messages that may wait for a client before it is told no more of those that have no translation.
const REPLIES: usize = 8;
/// Bytes that one direction carries before the other one has its turn. A message counts for more than it has.
const BURST: usize = 64 * 1024;
const MESSAGE: usize = 1024;
const SIDES: [Side; 2] = [Side::Client, Side::Server];

/// When a socket has to end. It is polled before the socket's messages, since a side may always have some.
pub(super) struct Watch {
    activity: Activity,
    client: Pulse,
    server: Pulse,
    /// Cancelled when a first side was closed.
    closing: CancellationToken,
}

impl Watch {
    pub(super) fn new() -> Self {
        Self {
            activity: Activity::new(),
            client: Pulse::default(),
            server: Pulse::default(),
            closing: CancellationToken::new(),
        }
    }

    fn pulse(&self, side: Side) -> &Pulse {
        match side {
            Side::Client => &self.client,
            Side::Server => &self.server,
        }
    }

    /// Waits until the socket has to end; how it does.
    async fn stops(&self, plane: &Plane, timeouts: &Timeouts) -> Stop {
        tokio::select! {
            () = self.closing.cancelled() => Stop::Closing,
            () = plane.draining.cancelled() => Stop::Both(session::draining),
            () = self.activity.idle(timeouts.websocket_idle) => Stop::Both(session::silent),
            () = self.client.stops(timeouts.websocket_ping) => Stop::Gone(Side::Client),
            () = self.server.stops(timeouts.websocket_ping) => Stop::Gone(Side::Server),
        }
    }
}

/// How a socket ends.
enum Stop {
    /// A side was closed.
    Closing,
    /// Both sides are closed with this.
    Both(fn() -> Message),
    /// A side is as good as gone.
    Gone(Side),
}

/// A socket whose messages are read.
pub(super) struct Talk<'a> {
    rules: &'a Rules,
    socket: &'a Socket,
    watch: &'a Watch,
    limits: json::Limits,
    client: End,
    server: End,
    /// A message of the client that has been read already.
    pub(super) first: Option<Message>,
    /// Bytes sent to the client.
    bytes: u64,
    /// Whether a message has come since the clock was set back.
    is_moving: bool,
}

/// One side of it.
struct End {
    leg: Leg,
    /// Whether it has been closed or is gone; what is for it is thrown away.
    is_shut: bool,
    /// Of what it sends.
    counts: metrics::Messages,
    /// What literals in what it sends refer to.
    values: json::Values,
}

impl End {
    /// Of what is sent by `side`.
    fn new(rules: &Rules, side: Side, leg: Leg) -> Self {
        let version = rules.api.versions.get(rules.receiver(side));
        Self {
            leg,
            is_shut: false,
            counts: metrics::Messages::new(Arc::clone(&rules.route.name), side.name()),
            values: exchange::values(jiff::Timestamp::now(), version, OnError::Reject),
        }
    }
}

impl<'a> Talk<'a> {
    pub(super) fn new(rules: &'a Rules, socket: &'a Socket, watch: &'a Watch, client: Leg, backend: Leg) -> Box<Self> {
        let limits = &rules.route.config.limits;
        Box::new(Self {
            rules,
            socket,
            watch,
            limits: json::Limits { depth: limits.depth, buffer: limits.message },
            client: End::new(rules, Side::Client, client),
            server: End::new(rules, Side::Server, backend),
            first: None,
            bytes: 0,
            is_moving: false,
        })
    }

    /// Carries messages until both sides have ended, or have had time to; how many bytes went to the client.
    pub(super) async fn run(mut self: Box<Self>, plane: &Plane) -> u64 {
        let (watch, rules) = (self.watch, self.rules);
        let has_ended = tokio::select! {
            biased;
            stop = watch.stops(plane, &rules.route.config.timeouts) => {
                poll_fn(|cx| {
                    self.stop(&stop, cx);
                    Poll::Ready(())
                })
                .await;
                timeout(CLOSE_GRACE, poll_fn(|cx| self.poll(cx))).await.is_ok()
            }
            () = poll_fn(|cx| self.poll(cx)) => true,
        };
        let Self { client, server, bytes, .. } = *self;
        if has_ended {
            client.leg.linger().await;
            server.leg.linger().await;
        }
        bytes
    }

    fn stop(&mut self, stop: &Stop, cx: &mut Context<'_>) {
        match stop {
            Stop::Closing => {}
            Stop::Both(close) => {
                for side in SIDES {
                    self.shut(side, close(), cx);
                }
            }
            Stop::Gone(side) => self.lost(*side, cx),
        }
    }

    fn end(&mut self, side: Side) -> &mut End {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    /// Carries what there is; ready when both sides have ended and have been sent what was for them.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(first) = self.first.take() {
            self.forward(Side::Client, first, cx);
        }
        for side in SIDES {
            self.ping(side, cx);
            self.carry(side, cx);
        }
        if std::mem::take(&mut self.is_moving) {
            self.watch.activity.touch();
            self.client.counts.flush();
            self.server.counts.flush();
        }
        let written = SIDES.map(|side| self.written(side, cx));
        if written == [true; 2] && self.client.leg.is_over() && self.server.leg.is_over() {
            return Poll::Ready(());
        }
        Poll::Pending
    }

    /// Pings a side that is silent, as soon as there is room for that.
    fn ping(&mut self, side: Side, cx: &mut Context<'_>) {
        let pulse = self.watch.pulse(side);
        if !pulse.is_due() {
            return;
        }
        if self.has_room(side, cx) {
            self.send(side, Message::Ping(Bytes::new()), cx);
            pulse.pinged();
        } else {
            pulse.full(self.end(side).leg.taken());
        }
    }

    /// Carries what a side has sent, as long as there is room for it on the other side.
    fn carry(&mut self, side: Side, cx: &mut Context<'_>) {
        let mut left = BURST;
        while let Poll::Ready(next) = self.poll_next(side, cx) {
            match next {
                Some(Ok(close @ Message::Close(_))) => self.shut(side.other(), session::relayed(close), cx),
                Some(Ok(message)) => {
                    self.watch.pulse(side).beat();
                    if left == BURST {
                        // What comes together has come at the same time.
                        self.end(side).values.now = json::Now::Millis(jiff::Timestamp::now().as_millisecond());
                    }
                    left = left.saturating_sub(message.len() + MESSAGE);
                    self.forward(side, message, cx);
                }
                Some(Err(error)) => self.broken(side, &error, cx),
                None => return self.shut(side.other(), session::gone(side), cx),
            }
            if left == 0 {
                return cx.waker().wake_by_ref();
            }
        }
    }

    /// What comes next from a side, if there is room for it on the other one.
    fn poll_next(&mut self, side: Side, cx: &mut Context<'_>) -> Poll<Option<Result<Message, tungstenite::Error>>> {
        // Nobody holds the last message any more.
        self.end(side).leg.slim(cx);
        if self.has_room(side.other(), cx) {
            return self.end(side).leg.poll_next(cx);
        }
        self.watch.pulse(side).ignored();
        Poll::Pending
    }

    fn has_room(&mut self, side: Side, cx: &mut Context<'_>) -> bool {
        let end = self.end(side);
        if end.is_shut {
            return true;
        }
        end.leg.has_room(cx).unwrap_or_else(|error| {
            self.unsent(side, &error, cx);
            true
        })
    }

    /// Writes what waits for a side; whether that was all that can be.
    fn written(&mut self, side: Side, cx: &mut Context<'_>) -> bool {
        let end = self.end(side);
        end.leg.poll_written(cx).unwrap_or_else(|error| {
            self.unsent(side, &error, cx);
            true
        })
    }

    fn forward(&mut self, from: Side, message: Message, cx: &mut Context<'_>) {
        match message {
            Message::Text(text) => self.translate(from, text.into(), cx),
            Message::Binary(_) => self.send(from.other(), message, cx),
            // Each leg answers its own pings. They say that a side lives, not that the socket is in use.
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => return,
        }
        self.is_moving = true;
    }

    fn send(&mut self, to: Side, message: Message, cx: &mut Context<'_>) {
        let bytes = leg::payload_len(&message);
        self.sent(to, bytes, cx, |leg, cx| leg.send(message, cx));
    }

    /// Sends a side so many bytes, if it is open.
    fn sent(
        &mut self,
        to: Side,
        bytes: usize,
        cx: &mut Context<'_>,
        send: impl FnOnce(&mut Leg, &mut Context<'_>) -> Result<(), tungstenite::Error>,
    ) {
        if self.end(to).is_shut {
            return;
        }
        if to == Side::Client {
            self.bytes += bytes as u64;
        }
        if let Err(error) = send(&mut self.end(to).leg, cx) {
            self.unsent(to, &error, cx);
        }
    }

    /// A side cannot be sent anything. One that is gone is noticed by reading from it; one that takes no answers to its pings
    /// is as good as gone.
    fn unsent(&mut self, to: Side, error: &tungstenite::Error, cx: &mut Context<'_>) {
        self.end(to).is_shut = true;
        if let tungstenite::Error::WriteBufferFull(_) = error {
            self.lost(to, cx);
        }
    }

    /// A side is as good as gone: nothing from it and nothing for it is waited for.
    fn lost(&mut self, side: Side, cx: &mut Context<'_>) {
        let end = self.end(side);
        end.is_shut = true;
        end.leg.give_up();
        self.shut(side.other(), session::gone(side), cx);
    }

    /// Sends what the receiver gets to see of a text message.
    fn translate(&mut self, from: Side, text: Bytes, cx: &mut Context<'_>) {
        let (socket, limits) = (self.socket, self.limits);
        let End { counts, values, .. } = self.end(from);
        let (event, outcome) = socket.translate(from, &text, values, limits);
        counts.count(
            event,
            match &outcome {
                Ok(Outcome::Pass) => MessageOutcome::Passed,
                Ok(Outcome::Translated(..) | Outcome::Pieces(..)) => MessageOutcome::Translated,
                Ok(Outcome::Dropped(_)) => MessageOutcome::Dropped,
                Err(_) => MessageOutcome::Failed,
            },
        );
        if let Ok(Outcome::Translated(_, losses) | Outcome::Pieces(_, losses) | Outcome::Dropped(losses)) = &outcome {
            counts.lose(losses);
        }
        let to = from.other();
        match outcome {
            Ok(Outcome::Pass) => self.send(to, leg::text(text), cx),
            // JSON in, JSON out: what is translated is UTF-8 as the original was.
            Ok(Outcome::Translated(text, _)) => self.send(to, leg::text(text.into()), cx),
            Ok(Outcome::Pieces(pieces, _)) => {
                let bytes = pieces.iter().map(Bytes::len).sum();
                self.sent(to, bytes, cx, |leg, cx| leg.send_pieces(pieces, cx));
            }
            Ok(Outcome::Dropped(_)) => {}
            Err(error) => self.untranslated(from, &error, cx),
        }
    }

    /// A message cannot be translated.
    fn untranslated(&mut self, from: Side, error: &json::Error, cx: &mut Context<'_>) {
        metrics::translate_failure(&self.rules.route.name, error.change.as_deref(), error.code.name());
        if from == Side::Client
            && self.client.leg.waiting() < REPLIES
            && let Some(reply) = self.reply(error)
        {
            self.send(Side::Client, reply, cx);
        }
        match self.rules.api.on_error.frame {
            OnFrame::Drop => {}
            OnFrame::Close => self.shut(from, session::untranslated(), cx),
        }
    }

    /// What the client is told of its message that cannot be translated, where a change says how.
    fn reply(&self, error: &json::Error) -> Option<Message> {
        let reply = self.socket.reply(error.change.as_deref())?;
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
        match translated {
            Ok(Outcome::Pass) => Some(leg::text(text)),
            Ok(translated) => translated.into_text().map(|text| leg::text(text.into())),
            Err(_) => None,
        }
    }

    /// The sender broke the protocol or its connection broke.
    fn broken(&mut self, from: Side, error: &tungstenite::Error, cx: &mut Context<'_>) {
        if let Some(close) = session::offence(error) {
            self.shut(from, close, cx);
            self.shut(from.other(), session::broken(), cx);
        }
        // A broken connection ends what comes; what that means is decided there.
    }

    /// Closes a side, once.
    fn shut(&mut self, side: Side, close: Message, cx: &mut Context<'_>) {
        self.watch.closing.cancel();
        let end = self.end(side);
        if !end.is_shut {
            end.is_shut = true;
            // A side that is gone needs no close.
            let _ = end.leg.send(close, cx);
        }
    }
}
