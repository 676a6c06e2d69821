//! Connections of HTTP/2: bounds on what one may ask for, and on how long it may ask for nothing.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::wire::Frames;
use crate::backend::Body;
use crate::config::ListenLimits;
use crate::failure::Failure;
use crate::telemetry::metrics;

/// How often a silent connection is asked whether it is alive, and how long it has to answer.
const PING: Duration = Duration::from_secs(20);
/// Requests that a client may have taken back before anybody has looked at them.
const UNSEEN_RESETS: usize = 20;
/// Streams that may be reset for what the client does wrong on them.
const FAULTY_STREAMS: usize = 100;
/// What a stream holds for a client that does not take it, in bytes.
const SEND_BUFFER: usize = 64 * 1024;

/// How connections are spoken on.
pub(super) fn builder(limits: &ListenLimits) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        // Also the bound on the CONTINUATION frames of one head.
        .max_header_list_size(u32::try_from(limits.head).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(UNSEEN_RESETS)
        .max_local_error_reset_streams(FAULTY_STREAMS)
        .max_send_buf_size(SEND_BUFFER)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        // A stream may become a socket (RFC 8441).
        .enable_connect_protocol();
    builder
}

/// The requests of a connection.
#[derive(Debug, Clone)]
pub(crate) struct Requests(Arc<Mutex<Open>>);

#[derive(Debug)]
struct Open {
    count: usize,
    /// When the last one ended.
    since: Instant,
}

impl Requests {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Open { count: 0, since: Instant::now() })))
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One begins; it ends when this is dropped.
    pub(super) fn begin(&self) -> Request {
        self.open().count += 1;
        Request(self.clone())
    }

    /// Returns when there has been none for as long as `patience`.
    pub(super) async fn idle(&self, patience: Duration) {
        let mut until = Instant::now() + patience;
        loop {
            tokio::time::sleep_until(until).await;
            let now = Instant::now();
            let since = {
                let open = self.open();
                if open.count > 0 { now } else { open.since }
            };
            until = since + patience;
            if until <= now {
                return;
            }
        }
    }
}

/// A request that has not ended.
#[derive(Debug)]
pub(crate) struct Request(Requests);

impl Drop for Request {
    fn drop(&mut self) {
        let mut open = self.0.open();
        open.count -= 1;
        open.since = Instant::now();
    }
}

/// Has a request end with its response's body.
pub(super) fn until_end_of(request: Arc<Request>, body: Body) -> Body {
    Answer { body, _request: request }.boxed_unsync()
}

/// The body of the response to a request that ends with it.
struct Answer {
    body: Body,
    _request: Arc<Request>,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A connection that ends when its client floods it.
#[derive(Debug)]
pub(super) struct Guarded<T> {
    inner: T,
    frames: Frames,
    start: Instant,
}

impl<T> Guarded<T> {
    pub(super) fn new(inner: T) -> Self {
        Self { inner, frames: Frames::new(), start: Instant::now() }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Guarded<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.inner).poll_read(cx, buffer);
        let new = &buffer.filled()[before..];
        if !new.is_empty()
            && let Err(flood) = this.frames.read(new, this.start.elapsed())
        {
            metrics::http2_flood(flood.name());
            return Poll::Ready(Err(io::Error::other("the client floods its connection")));
        }
        read
    }
}

impl<T: AsyncWrite + Unpin> Guarded<T> {
    fn count(&mut self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(count)) = &written {
            self.frames.written(*count);
        }
        written
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Guarded<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.count(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, slices);
        self.count(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
