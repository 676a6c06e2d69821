//! A leg's connection, from which frames are read that know nothing of `permessage-deflate`.

use std::cell::RefCell;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};

use crate::framing::deflate::{Agreed, Packer, Role, Spare, Unpacker};

use super::frames::Frames;

/// Bytes that are read at once: more than come together on most sockets, so that nothing is asked for twice.
const CHUNK: usize = 16 * 1024;

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

/// A message compressed, where it is to be, of which there are pieces.
pub(super) fn pack(packer: &mut Packer, message: &[impl AsRef<[u8]>]) -> Option<Bytes> {
    SPARE.with_borrow_mut(|spare| packer.pack(message, spare)).map(Bytes::from)
}

/// A connection.
pub(super) struct Wire {
    io: TokioIo<Upgraded>,
    unpacking: Option<Box<Unpacking>>,
    /// Frames that have been read before they were asked for.
    ahead: Ahead,
    frames: Frames,
    /// Bytes that have left.
    taken: u64,
}

/// Frames on their way from the connection. Nothing is held between messages but what the unpacker keeps.
struct Unpacking {
    unpacker: Unpacker,
    input: Ahead,
    _held: Option<Held>,
}

/// Bytes that are there, from which some have been taken.
#[derive(Default)]
struct Ahead {
    bytes: Vec<u8>,
    taken: usize,
}

impl Ahead {
    fn rest(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }

    /// So many of the rest are done with.
    fn pass(&mut self, count: usize) {
        self.taken += count;
        if self.taken == self.bytes.len() {
            *self = Self::default();
        }
    }

    /// Moves as many as fit; how many those were.
    fn fill(&mut self, room: &mut [u8]) -> usize {
        let count = self.rest().len().min(room.len());
        room[..count].copy_from_slice(&self.rest()[..count]);
        self.pass(count);
        count
    }
}

impl Unpacking {
    /// Unpacks a piece of what has been read; whether anything came of it.
    fn unpack(&mut self, out: &mut Vec<u8>) -> io::Result<bool> {
        let unpacked = SPARE.with_borrow_mut(|spare| self.unpacker.read(self.input.rest(), out, spare));
        let step = unpacked.map_err(|corrupt| io::Error::new(io::ErrorKind::InvalidData, corrupt))?;
        self.input.pass(step);
        Ok(step > 0 || !out.is_empty())
    }
}

impl Wire {
    /// The connection to someone, with what was agreed on.
    pub(super) fn new(upgraded: Upgraded, from: Role, compression: Option<Compression>) -> Self {
        let unpacking = compression.map(|compression| {
            let unpacker = compression.unpacker(from);
            Box::new(Unpacking { unpacker, input: Ahead::default(), _held: compression.held })
        });
        Self { io: TokioIo::new(upgraded), unpacking, ahead: Ahead::default(), frames: Frames::default(), taken: 0 }
    }

    /// Whether what has been read ends with a message whose last frame is large.
    pub(super) fn is_behind_large(&self) -> bool {
        self.frames.is_behind_large()
    }

    /// Reads frames as if they had never been compressed; how many bytes. Nothing comes together with the end of a large
    /// frame.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, bytes: &mut [u8]) -> Poll<io::Result<usize>> {
        let room = self.frames.room(bytes.len());
        let bytes = &mut bytes[..room];
        let mut count = self.ahead.fill(bytes);
        while count == 0 {
            if !ready!(self.poll_ahead(cx))? {
                return Poll::Ready(Ok(0));
            }
            count = self.ahead.fill(bytes);
        }
        self.frames.follow(&bytes[..count]);
        Poll::Ready(Ok(count))
    }

    /// Reads what there is, if that is something.
    fn poll_ahead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        if let Some(unpacking) = &mut self.unpacking
            && unpacking.unpack(&mut self.ahead.bytes)?
        {
            return Poll::Ready(Ok(true));
        }
        let mut chunk = [MaybeUninit::uninit(); CHUNK];
        let mut chunk = ReadBuf::uninit(&mut chunk);
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut chunk))?;
        let read = chunk.filled();
        let input = self.unpacking.as_mut().map_or(&mut self.ahead, |unpacking| &mut unpacking.input);
        input.bytes.extend_from_slice(read);
        Poll::Ready(Ok(!read.is_empty()))
    }

    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let count = ready!(Pin::new(&mut self.io).poll_write(cx, bytes))?;
        self.taken += count as u64;
        Poll::Ready(Ok(count))
    }

    /// How many bytes have left, all in all.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    /// Sends an end, and reads into the void until one comes.
    pub(super) async fn end(mut self) {
        let _ = self.io.shutdown().await;
        let mut void = [0; 4096];
        while matches!(self.io.read(&mut void).await, Ok(1..)) {}
    }
}
