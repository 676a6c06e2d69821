//! A leg's connection, from which frames are read that are not large and know nothing of `permessage-deflate`.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::framing::deflate::{Agreed, Packer, Role, Spare, Unpacker};

use super::frames::HEADER;
use super::split::Splitter;

/// Bytes that are read at once.
const CHUNK: usize = 4096;

thread_local! {
    /// A worker's own.
    static SPARE: RefCell<Spare> = RefCell::default();
}

/// What the contexts of compressed sockets take, all together.
#[derive(Debug, Clone, Default)]
pub struct Contexts(Arc<AtomicU64>);

/// A part of it, which is given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    contexts: Contexts,
    bytes: u64,
}

impl Contexts {
    /// Takes so many bytes, if all together stay within the limit.
    pub(crate) fn take(&self, bytes: u64, limit: u64) -> Option<Held> {
        let taken = self.0.fetch_add(bytes, Ordering::Relaxed);
        let held = Held { contexts: self.clone(), bytes };
        (taken.saturating_add(bytes) <= limit).then_some(held)
    }
}

impl Held {
    /// Gives back what is above this.
    pub(crate) fn shrink(&mut self, bytes: u64) {
        let over = self.bytes.saturating_sub(bytes);
        self.contexts.0.fetch_sub(over, Ordering::Relaxed);
        self.bytes -= over;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.contexts.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// What was agreed on for a leg, and the memory that it may take.
#[derive(Debug)]
pub(crate) struct Compression {
    pub(crate) agreed: Agreed,
    pub(crate) held: Option<Held>,
}

impl Compression {
    /// What compresses the messages for who is on this leg.
    pub(super) fn packer(&self, to: Role) -> Packer {
        Packer::new(match to {
            Role::Client => self.agreed.server,
            Role::Server => self.agreed.client,
        })
    }

    fn unpacker(&self, from: Role) -> Unpacker {
        let flow = match from {
            Role::Client => self.agreed.client,
            Role::Server => self.agreed.server,
        };
        Unpacker::new(from, flow)
    }
}

/// A message compressed, where it is to be.
pub(super) fn pack(packer: &mut Packer, message: &[u8]) -> Option<Bytes> {
    SPARE.with_borrow_mut(|spare| packer.pack(message, spare)).map(Bytes::from)
}

/// A connection.
pub(crate) struct Wire {
    source: Source,
    splitter: Splitter,
}

/// Where its frames come from.
struct Source {
    io: TokioIo<Upgraded>,
    unpacking: Option<Box<Unpacking>>,
}

/// Frames on their way from the connection. Nothing is held between messages but what the unpacker keeps.
struct Unpacking {
    unpacker: Unpacker,
    input: Vec<u8>,
    /// Bytes of the input that have been read.
    read: usize,
    output: Vec<u8>,
    /// Bytes of the output that have been taken.
    taken: usize,
    _held: Option<Held>,
}

impl Wire {
    /// The connection to someone, with what was agreed on, and with frames of up to `limit` bytes.
    pub(super) fn new(upgraded: Upgraded, from: Role, compression: Option<Compression>, limit: usize) -> Self {
        let unpacking = compression.map(|compression| {
            let unpacker = compression.unpacker(from);
            let (input, output) = (Vec::new(), Vec::new());
            Box::new(Unpacking { unpacker, input, read: 0, output, taken: 0, _held: compression.held })
        });
        Self { source: Source { io: TokioIo::new(upgraded), unpacking }, splitter: Splitter::new(limit as u64) }
    }
}

impl Unpacking {
    /// Hands on what has been unpacked; whether that was something.
    fn take(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        let rest = &self.output[self.taken..];
        let step = rest.len().min(buffer.remaining());
        buffer.put_slice(&rest[..step]);
        self.taken += step;
        if self.taken == self.output.len() {
            (self.output, self.taken) = (Vec::new(), 0);
        }
        step > 0
    }

    /// Unpacks a piece of what has been read; whether anything came of it.
    fn unpack(&mut self) -> io::Result<bool> {
        let input = &self.input[self.read..];
        let unpacked = SPARE.with_borrow_mut(|spare| self.unpacker.read(input, &mut self.output, spare));
        let step = unpacked.map_err(|corrupt| io::Error::new(io::ErrorKind::InvalidData, corrupt))?;
        self.read += step;
        if self.read == self.input.len() {
            (self.input, self.read) = (Vec::new(), 0);
        }
        Ok(step > 0 || !self.output.is_empty())
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { source, splitter } = &mut *self;
        loop {
            let due = splitter.due();
            if !due.is_empty() {
                let step = due.len().min(buffer.remaining());
                buffer.put_slice(&due[..step]);
                splitter.told(step);
                return Poll::Ready(Ok(()));
            }
            let missing = splitter.missing();
            if missing > 0 {
                let mut more = [0; HEADER];
                let read = ready!(source.poll_read(cx, &mut more[..missing]))?;
                if read == 0 {
                    return Poll::Ready(Ok(()));
                }
                splitter.complete(&more[..read]);
                continue;
            }
            let room = buffer.remaining().min(splitter.room());
            let bytes = buffer.initialize_unfilled_to(room);
            let read = ready!(source.poll_read(cx, bytes))?;
            let told = splitter.follow(&mut bytes[..read]);
            buffer.advance(told);
            if told > 0 || read == 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl Source {
    /// Reads frames as if they had never been compressed; how many bytes.
    fn poll_read(&mut self, cx: &mut Context<'_>, bytes: &mut [u8]) -> Poll<io::Result<usize>> {
        let Self { io, unpacking } = self;
        let mut buffer = ReadBuf::new(bytes);
        let Some(unpacking) = unpacking else {
            ready!(Pin::new(io).poll_read(cx, &mut buffer))?;
            return Poll::Ready(Ok(buffer.filled().len()));
        };
        loop {
            if unpacking.take(&mut buffer) {
                return Poll::Ready(Ok(buffer.filled().len()));
            }
            if unpacking.unpack()? {
                continue;
            }
            let mut chunk = [0; CHUNK];
            let mut chunk = ReadBuf::new(&mut chunk);
            ready!(Pin::new(&mut *io).poll_read(cx, &mut chunk))?;
            if chunk.filled().is_empty() {
                return Poll::Ready(Ok(0));
            }
            unpacking.input.extend_from_slice(chunk.filled());
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.source.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.source.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.source.io).poll_shutdown(cx)
    }
}
