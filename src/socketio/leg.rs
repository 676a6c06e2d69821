//! A WebSocket of a session, read and written at the same time by one task.

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::upgrade::Upgraded;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use crate::framing::deflate::Role;
use crate::framing::engineio::Frame;
use crate::ws::{self, Compression};

/// Messages that wait here; more wait in the session, where they are counted.
const WAITING: usize = 4;
/// How long a side that was closed has to end.
const CLOSE_GRACE: Duration = Duration::from_secs(5);

/// A WebSocket and what waits to be sent on it.
pub(super) struct Leg {
    socket: ws::Leg,
    /// Bytes that were sent.
    pub(super) sent: u64,
}

/// What happens on a leg.
pub(super) enum Event {
    /// A message came.
    Frame(Frame),
    /// All that waited was sent.
    Room,
    /// The other side closed it.
    Closed,
    /// It is gone without a close, or broke the protocol.
    Gone,
}

impl Leg {
    /// The connection to someone; `limit`: bytes of one message.
    pub(super) fn new(upgraded: Upgraded, with: Role, compression: Option<Compression>, limit: usize) -> Self {
        Self { socket: ws::Leg::new(upgraded, with, compression, limit), sent: 0 }
    }

    /// Whether it takes another frame.
    pub(super) fn has_room(&self) -> bool {
        self.socket.waiting() < WAITING
    }

    pub(super) fn send(&mut self, frame: Frame) {
        let message = match frame {
            // Packets are UTF-8.
            Frame::Text(text) => Utf8Bytes::try_from(text).map(Message::Text).ok(),
            Frame::Binary(bytes) => Some(Message::Binary(bytes)),
        };
        let Some(message) = message else { return };
        self.sent += self.socket.push(message) as u64;
    }

    /// What happens next. Nothing is lost where the future is dropped.
    pub(super) async fn event(&mut self, reads: bool) -> Event {
        poll_fn(|cx| self.poll(cx, reads)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>, reads: bool) -> Poll<Event> {
        let had_some = self.socket.waiting() > 0;
        if self.socket.poll_written(cx).is_err() {
            return Poll::Ready(Event::Gone);
        }
        if had_some && self.socket.waiting() == 0 {
            return Poll::Ready(Event::Room);
        }
        if !reads {
            return Poll::Pending;
        }
        loop {
            match self.socket.poll_next(cx) {
                Poll::Ready(Some(Ok(Message::Text(text)))) => {
                    return Poll::Ready(Event::Frame(Frame::Text(Bytes::from(text))));
                }
                Poll::Ready(Some(Ok(Message::Binary(bytes)))) => {
                    return Poll::Ready(Event::Frame(Frame::Binary(bytes)));
                }
                // Pings are answered by the layer below.
                Poll::Ready(Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)))) => {}
                Poll::Ready(Some(Ok(Message::Close(_)))) => return Poll::Ready(Event::Closed),
                Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(Event::Gone),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Sends what waits and a close, and waits for the other side's for a while.
    pub(super) async fn close(mut self) {
        self.socket.push(Message::Close(None));
        let ended = async { while !matches!(self.event(true).await, Event::Gone) {} };
        // One that does not end is dropped.
        let _ = timeout(CLOSE_GRACE, ended).await;
    }
}
