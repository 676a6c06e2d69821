//! One side of a socket as messages: what comes from it, and what is sent to it.
//!
//! The protocol is tungstenite's; the connection is lent to it while a task polls. It keeps the room that its largest frame
//! took, so that it is made anew behind a large one.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, ErrorKind, Read, Write};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::upgrade::Upgraded;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{Frame, FrameHeader};
use tokio_tungstenite::tungstenite::protocol::{self, WebSocketConfig, WebSocketContext};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::framing::deflate::{Packer, Role};

use super::wire::{self, Compression, Wire};

/// Buffers of each leg, in bytes.
const READ_BUFFER: usize = 2 * 1024;
const WRITE_BUFFER: usize = 8 * 1024;
/// Bytes of payload that a frame has at most that is sent.
const PIECE: usize = 64 * 1024;
/// Bytes of answers to pings that wait for a peer that reads nothing; one that sends more pings gets no more answers.
const PONGS: usize = 32 * 1024;
/// How long a side that was closed for what it sent may go on sending into the void, so that the close is not
/// lost in a reset.
const LINGER: Duration = Duration::from_secs(1);

/// A connection to someone.
pub(crate) struct Leg {
    wire: Wire,
    role: protocol::Role,
    context: WebSocketContext,
    packer: Option<Box<Packer>>,
    /// What waits to be written, behind what is in the context's buffer.
    queue: VecDeque<Message>,
    buffer: Buffer,
    /// Whether a large frame may have left its room behind.
    is_swollen: bool,
    /// Whether nothing more comes.
    is_over: bool,
}

/// What may be in the context's buffer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Buffer {
    Nothing,
    Something,
    /// More than should be.
    TooMuch,
}

/// A connection that a task polls.
struct Polled<'l, 'c, 't> {
    wire: &'l mut Wire,
    cx: &'c mut Context<'t>,
}

/// How messages of up to `limit` bytes are read and written.
fn config(limit: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_write_buffer_size(WRITE_BUFFER + PIECE + PONGS)
        .max_message_size(Some(limit))
        .max_frame_size(Some(limit))
}

impl Leg {
    /// The connection to someone, with messages of up to `limit` bytes.
    pub(crate) fn new(upgraded: Upgraded, with: Role, compression: Option<Compression>, limit: usize) -> Self {
        let role = match with {
            Role::Client => protocol::Role::Server,
            Role::Server => protocol::Role::Client,
        };
        Self {
            role,
            context: WebSocketContext::new(role, Some(config(limit))),
            packer: compression.as_ref().map(|compression| Box::new(compression.packer(with))),
            wire: Wire::new(upgraded, with, compression),
            queue: VecDeque::new(),
            buffer: Buffer::Nothing,
            is_swollen: false,
            is_over: false,
        }
    }

    /// Whether nothing more comes from it.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Nothing more comes from it, and nothing more is sent.
    pub(super) fn give_up(&mut self) {
        self.queue.clear();
        self.buffer = Buffer::Nothing;
        self.is_over = true;
    }

    /// How many bytes have left, all in all.
    pub(super) fn taken(&self) -> u64 {
        self.wire.taken()
    }

    /// How many messages wait.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// The next message.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Message, Error>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        match self.context.read(&mut Polled { wire: &mut self.wire, cx }) {
            Ok(message) => {
                self.is_swollen |= message.len() > PIECE;
                if message.is_ping() {
                    // Its answer is written with what waits.
                    self.buffer = self.buffer.max(Buffer::Something);
                }
                Poll::Ready(Some(Ok(message)))
            }
            Err(error) if is_pending(&error) => Poll::Pending,
            Err(error) => {
                self.is_over = true;
                let is_end = matches!(error, Error::ConnectionClosed | Error::AlreadyClosed);
                Poll::Ready((!is_end).then_some(Err(error)))
            }
        }
    }

    /// Gives back the room of a large frame that has been read. Nobody should hold its message any more.
    pub(super) fn slim(&mut self, cx: &mut Context<'_>) {
        if !self.is_swollen || !self.wire.is_behind_large() {
            return;
        }
        // What the context knows then is that the socket is open.
        if self.context.can_write() && matches!(self.poll_flush(cx), Ok(true)) {
            self.context = WebSocketContext::new(self.role, Some(*self.context.get_config()));
            self.is_swollen = false;
        }
    }

    /// Sends a message; it may wait for the next flush.
    ///
    /// # Errors
    /// [`Error::WriteBufferFull`] is the fault of a peer that takes no answers to its pings. Other errors are noticed by who
    /// reads from there as well.
    pub(super) fn send(&mut self, message: Message, cx: &mut Context<'_>) -> Result<(), Error> {
        let message = packed(&mut self.packer, message);
        self.send_framed(message, cx)
    }

    fn send_framed(&mut self, message: Message, cx: &mut Context<'_>) -> Result<(), Error> {
        if self.has_no_queue() && message.len() <= PIECE {
            return self.write(message, cx);
        }
        self.queue.push_back(message);
        self.has_room(cx).map(drop)
    }

    /// Sends a text that is known to be UTF-8, of which there are pieces.
    ///
    /// # Errors
    /// As when sending.
    pub(super) fn send_pieces(&mut self, pieces: Vec<Bytes>, cx: &mut Context<'_>) -> Result<(), Error> {
        if let Some(packer) = &mut self.packer
            && let Some(shorter) = wire::pack(packer, &pieces)
        {
            return self.send_framed(compressed(Data::Text, shorter), cx);
        }
        let count = pieces.len();
        for (at, piece) in pieces.into_iter().enumerate() {
            let kind = if at == 0 { Data::Text } else { Data::Continue };
            let header = FrameHeader { is_final: at + 1 == count, ..data(kind) };
            self.queue.push_back(Message::Frame(Frame::from_payload(header, piece)));
        }
        self.has_room(cx).map(drop)
    }

    /// Has a message sent with the next flush; as how many bytes.
    pub(crate) fn push(&mut self, message: Message) -> usize {
        let message = packed(&mut self.packer, message);
        let bytes = payload_len(&message);
        self.queue.push_back(message);
        bytes
    }

    /// Whether a further message would not have to wait. What waits is sent as far as it can be.
    ///
    /// # Errors
    /// As when sending.
    #[inline]
    pub(super) fn has_room(&mut self, cx: &mut Context<'_>) -> Result<bool, Error> {
        if self.has_no_queue() { Ok(true) } else { self.make_room(cx) }
    }

    fn has_no_queue(&self) -> bool {
        self.queue.is_empty() && self.buffer < Buffer::TooMuch
    }

    fn make_room(&mut self, cx: &mut Context<'_>) -> Result<bool, Error> {
        loop {
            if self.buffer == Buffer::TooMuch && !self.poll_flush(cx)? {
                return Ok(false);
            }
            let Some(message) = self.queue.pop_front() else { return Ok(true) };
            let (piece, rest) = cut(message);
            if let Some(rest) = rest {
                self.queue.push_front(rest);
            }
            self.write(piece, cx)?;
        }
    }

    /// Writes what waits as far as it can be; whether that was all.
    ///
    /// # Errors
    /// As when sending.
    pub(crate) fn poll_written(&mut self, cx: &mut Context<'_>) -> Result<bool, Error> {
        Ok(self.has_room(cx)? && (self.buffer == Buffer::Nothing || self.poll_flush(cx)?))
    }

    fn write(&mut self, message: Message, cx: &mut Context<'_>) -> Result<(), Error> {
        self.buffer = Buffer::Something;
        match self.context.write(&mut Polled { wire: &mut self.wire, cx }, message) {
            Err(error) if is_pending(&error) => {
                self.buffer = Buffer::TooMuch;
                Ok(())
            }
            written => written,
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Result<bool, Error> {
        match self.context.flush(&mut Polled { wire: &mut self.wire, cx }) {
            Err(error) if is_pending(&error) => return Ok(false),
            // It was the answer to a close.
            Ok(()) | Err(Error::ConnectionClosed) => {}
            Err(error) => return Err(error),
        }
        self.buffer = Buffer::Nothing;
        Ok(true)
    }

    /// Returns when what waits has been written, or cannot be.
    pub(super) async fn written(&mut self) {
        poll_fn(|cx| match self.poll_written(cx) {
            Ok(false) => Poll::Pending,
            Ok(true) | Err(_) => Poll::Ready(()),
        })
        .await;
    }

    /// The next message, while what waits is written.
    pub(super) async fn next(&mut self) -> Option<Result<Message, Error>> {
        poll_fn(|cx| {
            let next = self.poll_next(cx);
            if next.is_pending() {
                // Who cannot be written to is noticed by reading.
                let _ = self.poll_written(cx);
            }
            next
        })
        .await
    }

    /// Ends it so that its last frame arrives: a socket closed with unread bytes resets the connection.
    pub(super) async fn linger(self) {
        // Who goes on sending has had time to read.
        let _ = timeout(LINGER, self.wire.end()).await;
    }
}

impl Read for Polled<'_, '_, '_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        at_once(self.wire.poll_read(self.cx, bytes))
    }
}

impl Write for Polled<'_, '_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        at_once(self.wire.poll_write(self.cx, bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        at_once(self.wire.poll_flush(self.cx))
    }
}

fn at_once<T>(poll: Poll<io::Result<T>>) -> io::Result<T> {
    match poll {
        Poll::Ready(result) => result,
        Poll::Pending => Err(ErrorKind::WouldBlock.into()),
    }
}

fn is_pending(error: &Error) -> bool {
    matches!(error, Error::Io(error) if error.kind() == ErrorKind::WouldBlock)
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

/// What a large message begins with, as a frame, and what is left of it.
fn cut(message: Message) -> (Message, Option<Message>) {
    if payload_len(&message) <= PIECE {
        return (message, None);
    }
    let (mut header, mut payload) = match message {
        Message::Text(text) => (data(Data::Text), Bytes::from(text)),
        Message::Frame(frame) => (frame.header().clone(), frame.into_payload()),
        other => (data(Data::Binary), other.into_data()),
    };
    let piece = payload.split_to(PIECE);
    let rest = FrameHeader { is_final: header.is_final, ..data(Data::Continue) };
    header.is_final = false;
    let frame = |header, payload| Message::Frame(Frame::from_payload(header, payload));
    (frame(header, piece), Some(frame(rest, payload)))
}

fn data(data: Data) -> FrameHeader {
    FrameHeader { opcode: OpCode::Data(data), ..FrameHeader::default() }
}

/// A message that has been compressed.
fn compressed(kind: Data, payload: Bytes) -> Message {
    Message::Frame(Frame::from_payload(FrameHeader { rsv1: true, ..data(kind) }, payload))
}

/// A message as a frame with RSV1, where there is a packer and compressing it is worth it.
fn packed(packer: &mut Option<Box<Packer>>, message: Message) -> Message {
    let Some(packer) = packer else { return message };
    let (kind, payload): (Data, &[u8]) = match &message {
        Message::Text(text) => (Data::Text, text.as_bytes()),
        Message::Binary(bytes) => (Data::Binary, bytes),
        Message::Frame(frame) if frame.header().opcode == OpCode::Data(Data::Text) => (Data::Text, frame.payload()),
        Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => return message,
    };
    wire::pack(packer, &[payload]).map_or(message, |shorter| compressed(kind, shorter))
}
