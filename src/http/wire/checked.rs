//! A client's connection whose bytes are checked before anyone else reads them.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::failure::{Failure, Kind};

use super::hints::{Hints, poll_rest};
use super::{Limits, Requests, Stop, bad, refuse};

/// What is read in place of a head that is none: the answer to it is the refusal, behind all answers before it.
const REFUSED: Bytes = Bytes::from_static(b"- / HTTP/1.1\r\nhost: refused\r\nconnection: close\r\n\r\n");

/// How long a connection is kept ready between requests. One that rests for longer needs nothing but itself, so that
/// who keeps many is not charged for the buffers of each.
const READY: Duration = Duration::from_millis(250);

/// How long a client may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// For a head, from its first byte; for the first one, from the connection's beginning.
    pub(crate) head: Duration,
    /// Between a response and the next request.
    pub(crate) keep_alive: Duration,
}

/// How a connection was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    /// Nothing has come behind the last request.
    Clean,
    /// Bytes may be on their way that nobody has read or will read.
    Unread,
    /// It has no request for now, and may go on at any time until this one.
    Resting(Instant),
}

/// What a connection and those who answer its requests tell each other.
#[derive(Debug)]
pub(crate) struct Connection {
    /// The number of the request that is refused, and why.
    refusal: OnceLock<(usize, Failure)>,
    begun: AtomicUsize,
    /// The number of the request behind which nothing can be read.
    last: AtomicUsize,
    is_opaque: AtomicBool,
    hints: Arc<Hints>,
}

impl Connection {
    fn new() -> Self {
        Self {
            refusal: OnceLock::new(),
            begun: AtomicUsize::new(0),
            last: AtomicUsize::new(usize::MAX),
            is_opaque: AtomicBool::new(false),
            hints: Arc::default(),
        }
    }

    /// Counts a request in; its number.
    pub(crate) fn begin(&self) -> usize {
        self.begun.fetch_add(1, Ordering::Relaxed)
    }

    /// Why a request is none.
    pub(crate) fn refusal(&self, number: usize) -> Option<&Failure> {
        self.refusal.get().filter(|(refused, _)| *refused == number).map(|(_, failure)| failure)
    }

    /// Whether nothing can be read behind a request.
    pub(crate) fn is_last(&self, number: usize) -> bool {
        self.last.load(Ordering::Relaxed) == number
    }

    /// What the client reads before responses.
    pub(crate) fn hints(&self) -> &Arc<Hints> {
        &self.hints
    }

    /// What follows is another protocol.
    pub(crate) fn switch(&self) {
        self.is_opaque.store(true, Ordering::Relaxed);
    }
}

/// Why a request's body cannot be read on.
#[derive(Debug)]
struct Broken(Failure);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.detail)
    }
}

impl Error for Broken {}

/// Why a body ended in this error, where that is known here.
pub(crate) fn broken(error: &hyper::Error) -> Option<Failure> {
    let mut source = error.source();
    while let Some(e) = source {
        let of_io = e.downcast_ref::<io::Error>().and_then(|e| e.get_ref()?.downcast_ref::<Broken>());
        if let Some(Broken(failure)) = of_io {
            return Some(failure.clone());
        }
        source = e.source();
    }
    None
}

/// A client's connection.
#[derive(Debug)]
pub(crate) struct Checked<T> {
    inner: T,
    requests: Requests,
    connection: Arc<Connection>,
    patience: Patience,
    /// What may pass only together with what has not come yet.
    held: Vec<u8>,
    /// What has been held and may pass.
    passed: Bytes,
    broken: Option<Failure>,
    has_ended: bool,
    /// Until when it may rest, where it does.
    resting: Option<Instant>,
    /// When what is waited for began to be.
    since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
    /// What is left to write of hints of which some has been written.
    hint: Bytes,
}

impl<T> Checked<T> {
    /// A connection of which `first` has been read already.
    pub(crate) fn new(
        inner: T,
        first: Vec<u8>,
        limits: Limits,
        patience: Patience,
        since: Instant,
    ) -> (Self, Arc<Connection>) {
        let connection = Arc::new(Connection::new());
        let mut checked = Self {
            inner,
            requests: Requests::new(limits),
            connection: Arc::clone(&connection),
            patience,
            held: first,
            passed: Bytes::new(),
            broken: None,
            has_ended: false,
            resting: None,
            since: Some(since),
            timer: None,
            hint: Bytes::new(),
        };
        checked.check_held();
        (checked, connection)
    }

    /// The connection, and how it was left.
    pub(crate) fn into_inner(self) -> (T, Left) {
        let is_between = self.requests.is_in_head() && self.held.is_empty() && !self.has_ended;
        let left = if is_between { Left::Clean } else { Left::Unread };
        (self.inner, self.resting.map_or(left, Left::Resting))
    }

    fn check_held(&mut self) {
        let (good, read) = self.requests.read(&self.held);
        if good > 0 {
            let rest = self.held.split_off(good);
            self.passed = std::mem::replace(&mut self.held, rest).into();
            self.since = None;
        }
        if let Err(stop) = read {
            self.stop(stop);
        }
    }

    /// Checks what was read behind the first `before` bytes of the buffer; what may not pass is taken out.
    fn check(&mut self, buffer: &mut ReadBuf<'_>, before: usize) {
        let new = &buffer.filled()[before..];
        if !self.held.is_empty() {
            self.held.extend_from_slice(new);
            buffer.set_filled(before);
            return self.check_held();
        }
        let (good, read) = self.requests.read(new);
        self.held.extend_from_slice(&new[good..]);
        buffer.set_filled(before + good);
        if self.requests.heads() > 0 {
            self.since = None;
        }
        if let Err(stop) = read {
            self.stop(stop);
        }
    }

    fn stop(&mut self, stop: Stop) {
        match stop {
            Stop::Head(failure) => self.refuse(failure),
            Stop::Body(failure) => {
                self.broken = Some(failure);
                self.nothing_follows();
            }
        }
        self.held = Vec::new();
    }

    fn refuse(&mut self, failure: Failure) {
        // The first refusal is the last thing that is read.
        let _ = self.connection.refusal.set((self.requests.heads(), failure));
        self.passed = if self.passed.is_empty() { REFUSED } else { [self.passed.as_ref(), &REFUSED].concat().into() };
        self.has_ended = true;
    }

    /// The client sends no more.
    fn end(&mut self) {
        if self.requests.is_in_head() && !self.held.is_empty() {
            self.held = Vec::new();
            self.refuse(bad("expected the rest of a request's head, found the connection's end"));
        }
        self.has_ended = true;
        self.nothing_follows();
    }

    fn nothing_follows(&self) {
        let last = self.requests.heads().wrapping_sub(1);
        self.connection.last.store(last, Ordering::Relaxed);
    }

    /// Until when the next byte is waited for.
    fn deadline(&mut self) -> Option<Instant> {
        if !self.requests.is_in_head() {
            return None;
        }
        let patience = if self.is_between() { READY.min(self.patience.keep_alive) } else { self.patience.head };
        Some(*self.since.get_or_insert_with(Instant::now) + patience)
    }

    /// Whether a request has been, and nothing of the next one has come.
    fn is_between(&self) -> bool {
        self.requests.heads() > 0 && self.held.is_empty()
    }

    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(until) = self.deadline() else { return Poll::Pending };
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        // One that is set too early is set again when it ends, so that it costs nothing while requests come.
        if timer.deadline() > until {
            timer.as_mut().reset(until);
        }
        ready!(timer.as_mut().poll(cx));
        while timer.deadline() < until {
            timer.as_mut().reset(until);
            ready!(timer.as_mut().poll(cx));
        }
        Poll::Ready(())
    }

    fn late(&mut self) {
        if self.held.is_empty() {
            let until = self.since.filter(|_| self.is_between()).map(|since| since + self.patience.keep_alive);
            self.resting = until.filter(|until| *until > Instant::now());
            self.has_ended = true;
            return;
        }
        self.held = Vec::new();
        self.refuse(refuse(Kind::HeadTimeout, "the request's head did not come in time"));
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Checked<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if !this.passed.is_empty() {
                let here = this.passed.len().min(buffer.remaining());
                buffer.put_slice(&this.passed[..here]);
                this.passed.advance(here);
                return Poll::Ready(Ok(()));
            }
            if let Some(failure) = &this.broken {
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, Broken(failure.clone()))));
            }
            if this.has_ended {
                return Poll::Ready(Ok(()));
            }
            if this.connection.is_opaque.load(Ordering::Relaxed) {
                if this.held.is_empty() {
                    return Pin::new(&mut this.inner).poll_read(cx, buffer);
                }
                this.passed = std::mem::take(&mut this.held).into();
                continue;
            }
            if this.requests.is_asked() {
                // More is asked for only when the answer has been given.
                this.requests.go_on();
                this.check_held();
                continue;
            }
            let before = buffer.filled().len();
            match Pin::new(&mut this.inner).poll_read(cx, buffer) {
                Poll::Ready(Ok(())) if buffer.filled().len() == before => this.end(),
                Poll::Ready(Ok(())) => {
                    let was_held = !this.held.is_empty();
                    this.check(buffer, before);
                    if !was_held && !this.held.is_empty() && this.requests.heads() > 0 {
                        this.since = Some(Instant::now());
                    }
                    if buffer.filled().len() > before {
                        return Poll::Ready(Ok(()));
                    }
                }
                Poll::Ready(Err(e)) => return Poll::Ready(Err(e)),
                Poll::Pending => {
                    ready!(this.poll_late(cx));
                    this.late();
                }
            }
        }
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Checked<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        ready!(poll_rest(&mut this.hint, &mut this.inner, cx))?;
        Pin::new(&mut this.inner).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        ready!(poll_rest(&mut this.hint, &mut this.inner, cx))?;
        Pin::new(&mut this.inner).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        ready!(this.connection.hints.poll_write(&mut this.hint, &mut this.inner, cx))?;
        Pin::new(&mut this.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.resting.is_some() { Poll::Ready(Ok(())) } else { Pin::new(&mut self.inner).poll_shutdown(cx) }
    }
}
