//! One side of a socket as messages: what comes from it, and what is sent to it.

use std::future::poll_fn;
use std::task::Context;
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{Frame, FrameHeader};
use tokio_tungstenite::tungstenite::protocol::{self, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::framing::deflate::{Packer, Role};

use super::wire::{self, Compression, Wire};

/// Buffers of each leg, in bytes.
const READ_BUFFER: usize = 4 * 1024;
const WRITE_BUFFER: usize = 8 * 1024;
/// How long a side that was closed for what it sent may go on sending into the void, so that the close is not
/// lost in a reset.
const LINGER: Duration = Duration::from_secs(1);

/// Where messages come from.
pub(super) struct Incoming(SplitStream<WebSocketStream<Wire>>);

/// Where messages go.
pub(super) struct Outgoing {
    sink: SplitSink<WebSocketStream<Wire>, Message>,
    packer: Option<Packer>,
    /// Whether something may wait to be written.
    is_dirty: bool,
}

/// How messages of up to `limit` bytes are read and written.
pub(crate) fn config(limit: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        // One message, whole, and the control frames between.
        .max_write_buffer_size(WRITE_BUFFER + 2 * limit + 1024)
        .max_message_size(Some(limit))
        .max_frame_size(Some(limit))
}

/// The two directions of a connection to someone, with messages of up to `limit` bytes.
pub(super) async fn open(
    upgraded: Upgraded,
    with: Role,
    compression: Option<Compression>,
    limit: usize,
) -> (Incoming, Outgoing) {
    let role = match with {
        Role::Client => protocol::Role::Server,
        Role::Server => protocol::Role::Client,
    };
    let packer = compression.as_ref().map(|compression| compression.packer(with));
    let wire = Wire::new(upgraded, with, compression);
    let (sink, stream) = WebSocketStream::from_raw_socket(wire, role, Some(config(limit))).await.split();
    (Incoming(stream), Outgoing { sink, packer, is_dirty: false })
}

impl Incoming {
    /// The next message. What waits to be sent on is written when no further message is there: messages that come
    /// together leave together.
    pub(super) async fn next(&mut self, to: &mut Outgoing) -> Option<Result<Message, Error>> {
        poll_fn(|cx| {
            let next = self.0.poll_next_unpin(cx);
            if next.is_pending() {
                to.poll_written(cx);
            }
            next
        })
        .await
    }
}

impl Outgoing {
    /// Sends a message; it may wait for the next flush.
    pub(super) async fn send(&mut self, message: Message) -> Result<(), Error> {
        self.is_dirty = true;
        let message = match &mut self.packer {
            Some(packer) => packed(packer, message),
            None => message,
        };
        self.sink.feed(message).await
    }

    /// Sends the last message, a close, and what waits before it.
    pub(super) async fn close(&mut self, close: Message) -> Result<(), Error> {
        self.is_dirty = false;
        self.sink.send(close).await
    }

    /// Writes as much of what waits as can be. Who cannot be written to is noticed by who reads from there.
    fn poll_written(&mut self, cx: &mut Context<'_>) {
        if self.is_dirty && self.sink.poll_flush_unpin(cx).is_ready() {
            self.is_dirty = false;
        }
    }
}

/// A message as a frame with RSV1, where compressing it is worth it.
fn packed(packer: &mut Packer, message: Message) -> Message {
    let (data, payload): (Data, &[u8]) = match &message {
        Message::Text(text) => (Data::Text, text.as_bytes()),
        Message::Binary(bytes) => (Data::Binary, bytes),
        Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => return message,
    };
    let Some(shorter) = wire::pack(packer, payload) else { return message };
    let header = FrameHeader { rsv1: true, opcode: OpCode::Data(data), ..FrameHeader::default() };
    Message::Frame(Frame::from_payload(header, shorter))
}

/// Ends a leg so that its last frame arrives: a socket closed with unread bytes resets the connection.
pub(super) async fn linger(from: Incoming, to: Outgoing) {
    let Ok(leg) = from.0.reunite(to.sink) else { return };
    let mut io = leg.into_inner();
    let _ = io.shutdown().await;
    let mut void = [0; 4096];
    let _ = timeout(LINGER, async { while matches!(io.read(&mut void).await, Ok(1..)) {} }).await;
}
