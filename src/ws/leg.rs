//! One side of a socket as messages: what comes from it, and what is sent to it.

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
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

use super::split::PIECE;
use super::wire::{self, Compression, Wire};

/// Buffers of each leg, in bytes.
const READ_BUFFER: usize = 2 * 1024;
const WRITE_BUFFER: usize = 8 * 1024;
/// Bytes of answers to pings that wait for a peer that reads nothing; one that sends more pings gets no more answers.
const PONGS: usize = 32 * 1024;
/// How long a side that was closed for what it sent may go on sending into the void, so that the close is not
/// lost in a reset.
const LINGER: Duration = Duration::from_secs(1);

/// Where messages come from.
pub(super) struct Incoming(SplitStream<WebSocketStream<Wire>>);

/// Where messages go.
pub(super) struct Outgoing {
    sink: SplitSink<WebSocketStream<Wire>, Message>,
    packer: Option<Box<Packer>>,
    /// Whether something may wait to be written.
    is_dirty: bool,
}

/// How messages of up to `limit` bytes are read and written.
fn config(limit: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        // Buffers stay as large as they once were, so that they are never larger than this.
        .max_write_buffer_size(WRITE_BUFFER + PIECE + PONGS)
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
    let (stream, packer) = stream(upgraded, with, compression, limit).await;
    let (sink, stream) = stream.split();
    (Incoming(stream), Outgoing { sink, packer, is_dirty: false })
}

/// The messages of such a connection, and what compresses those that are sent.
pub(crate) async fn stream(
    upgraded: Upgraded,
    with: Role,
    compression: Option<Compression>,
    limit: usize,
) -> (WebSocketStream<Wire>, Option<Box<Packer>>) {
    let role = match with {
        Role::Client => protocol::Role::Server,
        Role::Server => protocol::Role::Client,
    };
    let packer = compression.as_ref().map(|compression| Box::new(compression.packer(with)));
    let wire = Wire::new(upgraded, with, compression, limit);
    (WebSocketStream::from_raw_socket(wire, role, Some(config(limit))).await, packer)
}

impl Incoming {
    /// The next message. What waits to be sent on is written when no further message is there: messages that come
    /// together leave together. [`Error::WriteBufferFull`] is the fault of who they are sent to.
    pub(super) async fn next(&mut self, to: &mut Outgoing) -> Option<Result<Message, Error>> {
        poll_fn(|cx| {
            let next = self.0.poll_next_unpin(cx);
            match next.is_pending().then(|| to.poll_written(cx)) {
                Some(Err(full)) => Poll::Ready(Some(Err(full))),
                Some(Ok(())) | None => next,
            }
        })
        .await
    }
}

impl Outgoing {
    /// Sends a message; it may wait for the next flush.
    pub(super) async fn send(&mut self, message: Message) -> Result<(), Error> {
        self.is_dirty = true;
        let message = packed(&mut self.packer, message);
        if message.len() <= PIECE {
            return self.sink.feed(message).await;
        }
        for piece in pieces(message) {
            self.sink.feed(piece).await?;
        }
        Ok(())
    }

    /// Sends the last message, a close, and what waits before it.
    pub(super) async fn close(&mut self, close: Message) -> Result<(), Error> {
        self.is_dirty = false;
        self.sink.send(close).await
    }

    /// Writes as much of what waits as can be. Who cannot be written to is noticed by who reads from there, but for a
    /// peer that takes no answers to its pings.
    fn poll_written(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        if !self.is_dirty {
            return Ok(());
        }
        let written = self.sink.poll_flush_unpin(cx);
        self.is_dirty = written.is_pending();
        match written {
            Poll::Ready(Err(full @ Error::WriteBufferFull(_))) => Err(full),
            Poll::Ready(_) | Poll::Pending => Ok(()),
        }
    }
}

/// A message of text that is known to be UTF-8.
pub(super) fn text(text: Bytes) -> Message {
    Message::Frame(Frame::from_payload(data(Data::Text), text))
}

/// How many bytes a message has, without those that frame it.
pub(super) fn payload_len(message: &Message) -> usize {
    match message {
        Message::Frame(frame) => frame.payload().len(),
        other => other.len(),
    }
}

/// A message as it is sent: a large one as several frames.
pub(crate) fn pieces(message: Message) -> impl Iterator<Item = Message> {
    let mut rest = Some(message);
    let mut header = None;
    std::iter::from_fn(move || {
        let message = rest.take()?;
        if message.len() <= PIECE && header.is_none() {
            return Some(message);
        }
        let (first, mut payload) = match message {
            Message::Text(text) => (data(Data::Text), Bytes::from(text)),
            Message::Frame(frame) => (frame.header().clone(), frame.into_payload()),
            other => (data(Data::Binary), other.into_data()),
        };
        let mut header = header.replace(data(Data::Continue)).unwrap_or(first);
        let piece = payload.split_to(PIECE.min(payload.len()));
        header.is_final = payload.is_empty();
        if !header.is_final {
            rest = Some(Message::Binary(payload));
        }
        Some(Message::Frame(Frame::from_payload(header, piece)))
    })
}

fn data(data: Data) -> FrameHeader {
    FrameHeader { opcode: OpCode::Data(data), ..FrameHeader::default() }
}

/// A message as a frame with RSV1, where there is a packer and compressing it is worth it.
pub(crate) fn packed(packer: &mut Option<Box<Packer>>, message: Message) -> Message {
    let Some(packer) = packer else { return message };
    let (kind, payload): (Data, &[u8]) = match &message {
        Message::Text(text) => (Data::Text, text.as_bytes()),
        Message::Binary(bytes) => (Data::Binary, bytes),
        Message::Frame(frame) if frame.header().opcode == OpCode::Data(Data::Text) => (Data::Text, frame.payload()),
        Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => return message,
    };
    let Some(shorter) = wire::pack(packer, payload) else { return message };
    let header = FrameHeader { rsv1: true, ..data(kind) };
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
