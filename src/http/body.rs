//! Message bodies on their way through: watched, held, translated.
//!
//! A body that fails ends in an error and never in an ordinary end, so that hyper resets the stream or
//! leaves out the final chunk and nobody takes half a message for a whole one.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep};

use crate::backend::{Body, Lease};
use crate::failure::{Failure, Kind, Side, causes};

use super::pace::Pace;
use super::{headers, wire};

/// What is read at most of a body that can be streamed before its head is sent, in bytes.
pub(crate) const HELD_BEFORE_HEAD: usize = 64 * 1024;

/// Bounds on reading one body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Longest time without a byte.
    pub(crate) idle: Duration,
    /// When the whole exchange has to be over.
    pub(crate) deadline: Option<Instant>,
    /// Most bytes in all.
    pub(crate) size: u64,
    /// How slow it may be.
    pub(crate) pace: Option<Pace>,
}

/// A body as its sender sends it, under [`Bounds`].
pub(crate) struct Watched {
    inner: Incoming,
    side: Side,
    bounds: Bounds,
    seen: u64,
    /// Runs only while the sender is waited for, so that a slow receiver is never taken for a slow sender.
    waiting: Option<Waiting>,
    /// A backend's connection, given back when the body has ended.
    lease: Option<Lease>,
}

/// The wait for a body's next bytes.
struct Waiting {
    since: Instant,
    timer: Pin<Box<Sleep>>,
    /// What it means that the time is over.
    kind: Kind,
}

/// A client's body.
///
/// # Errors
/// [`Kind::BodyTooLarge`] where it announces more than the limit.
pub(crate) fn from_client(inner: Incoming, bounds: Bounds) -> Result<Body, Failure> {
    watched(inner, Side::Client, bounds, None)
}

/// A backend's body.
///
/// # Errors
/// [`Kind::BodyTooLarge`] where it announces more than the limit.
pub(crate) fn from_backend(inner: Incoming, bounds: Bounds, lease: Lease) -> Result<Body, Failure> {
    watched(inner, Side::Backend, bounds, Some(lease))
}

fn watched(inner: Incoming, side: Side, bounds: Bounds, lease: Option<Lease>) -> Result<Body, Failure> {
    if inner.size_hint().lower() > bounds.size {
        return Err(too_large(side, bounds.size));
    }
    let mut watched = Watched { inner, side, bounds, seen: 0, waiting: None, lease };
    if watched.inner.is_end_stream() {
        watched.finish();
    }
    Ok(watched.boxed_unsync())
}

impl Watched {
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<Failure> {
        let (bounds, seen) = (self.bounds, self.seen);
        let waiting = self.waiting.get_or_insert_with(|| {
            let since = Instant::now();
            let (until, kind) = bounds.patience(since, seen);
            Waiting { since, timer: Box::pin(tokio::time::sleep_until(until)), kind }
        });
        ready!(waiting.timer.as_mut().poll(cx));
        Poll::Ready(late(self.side, waiting.kind))
    }

    /// Something came.
    fn go_on(&mut self) {
        if let (Some(waiting), Some(pace)) = (self.waiting.take(), &mut self.bounds.pace) {
            pace.wait(waiting.since.elapsed());
        }
    }

    /// The body has been read to its end.
    fn finish(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.finish();
        }
    }

    /// The body has failed; the backend's fault is its endpoint's.
    fn break_off(&mut self, failure: &Failure) {
        if let Some(lease) = self.lease.take().filter(|_| matches!(failure.kind, Kind::Incomplete | Kind::IdleTimeout))
        {
            lease.break_off(failure);
        }
    }

    fn count(&mut self, frame: &Frame<Bytes>) -> Result<(), Failure> {
        self.seen += frame.data_ref().map_or(0, |d| d.len() as u64);
        if self.seen > self.bounds.size { Err(too_large(self.side, self.bounds.size)) } else { Ok(()) }
    }
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let this = &mut *self;
        match Pin::new(&mut this.inner).poll_frame(cx) {
            Poll::Pending => this.poll_late(cx).map(|late| {
                this.break_off(&late);
                Some(Err(late))
            }),
            Poll::Ready(next) => {
                this.go_on();
                let next = next.map(|frame| {
                    let mut frame = frame.map_err(|e| incomplete(this.side, &e))?;
                    frame.trailers_mut().map(headers::clean_trailers);
                    this.count(&frame).map(|()| frame)
                });
                match &next {
                    None => this.finish(),
                    Some(Err(failure)) => this.break_off(failure),
                    // hyper does not poll a body again that says so.
                    Some(Ok(_)) if this.inner.is_end_stream() => this.finish(),
                    Some(_) => {}
                }
                Poll::Ready(next)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Bounds {
    /// Until when a sender of `seen` bytes is waited for from now on, and what it means that the time is over.
    fn patience(&self, now: Instant, seen: u64) -> (Instant, Kind) {
        let idle = (now + self.idle, Kind::IdleTimeout);
        let slow = self.pace.map(|pace| (now + pace.left(seen), Kind::SlowBody));
        let late = self.deadline.map(|deadline| (deadline, Kind::RequestTimeout));
        // The first of those that are the same.
        [Some(idle), slow, late].into_iter().flatten().min_by_key(|(until, _)| *until).unwrap_or(idle)
    }
}

fn late(side: Side, kind: Kind) -> Failure {
    let who = if side == Side::Client { "client" } else { "backend" };
    match kind {
        Kind::RequestTimeout => Failure::new(Side::Legato, kind, "the exchange did not end in time"),
        Kind::SlowBody => Failure::new(side, kind, format!("the {who}'s body comes too slowly")),
        _ => Failure::new(side, kind, format!("the {who} stopped in the middle of a body")),
    }
}

fn incomplete(side: Side, error: &hyper::Error) -> Failure {
    if let Some(failure) = wire::broken(error) {
        return failure;
    }
    let who = if side == Side::Client { "client" } else { "backend" };
    Failure::new(side, Kind::Incomplete, format!("the {who}'s body ended before its announced end"))
        .because(causes(error))
}

/// A body above the limit.
pub(crate) fn too_large(side: Side, limit: u64) -> Failure {
    Failure::new(side, Kind::BodyTooLarge, format!("expected a body of at most {limit} bytes, found a longer one"))
}

/// The beginning of a body, or all of it.
pub(crate) enum Held {
    /// It ended within the limit.
    Whole(Vec<Bytes>, Option<HeaderMap>),
    /// It goes on.
    Beginning(Vec<Bytes>),
}

/// Chunks below this many bytes are put together while they are held: what a chunk costs beside its bytes would
/// otherwise be the sender's choice.
const WHOLE_CHUNK: usize = 1024;

/// Chunks that are held: long ones as they came, short ones joined.
#[derive(Default)]
pub(crate) struct Chunks {
    whole: Vec<Bytes>,
    joined: Vec<u8>,
    held: usize,
}

impl Chunks {
    /// How many bytes are held.
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    pub(crate) fn push(&mut self, chunk: Bytes) {
        self.held += chunk.len();
        // The first chunk is most often the only one.
        if chunk.len() < WHOLE_CHUNK && !(self.whole.is_empty() && self.joined.is_empty()) {
            self.joined.extend_from_slice(&chunk);
            return;
        }
        self.seal();
        self.whole.push(chunk);
    }

    fn seal(&mut self) {
        if !self.joined.is_empty() {
            self.whole.push(std::mem::take(&mut self.joined).into());
        }
    }

    pub(crate) fn into_vec(mut self) -> Vec<Bytes> {
        self.seal();
        self.whole
    }
}

/// A body that is all there; its length is exact, unless trailers come behind it.
pub(crate) struct Pieces {
    chunks: VecDeque<Bytes>,
    trailers: Option<HeaderMap>,
}

/// A body of these bytes and trailers.
pub(crate) fn pieces(chunks: Vec<Bytes>, trailers: Option<HeaderMap>) -> Body {
    Pieces { chunks: chunks.into(), trailers }.boxed_unsync()
}

/// A body of these bytes.
pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    pieces(vec![bytes.into()], None)
}

/// A body of no bytes.
pub(crate) fn empty() -> Body {
    pieces(Vec::new(), None)
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let next = self.chunks.pop_front().map(Frame::data);
        Poll::Ready(next.or_else(|| self.trailers.take().map(Frame::trailers)).map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.chunks.is_empty() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let length = self.chunks.iter().map(|c| c.len() as u64).sum();
        if self.trailers.is_none() {
            return SizeHint::with_exact(length);
        }
        // With an announced length, HTTP/1.1 has no place for trailers.
        let mut hint = SizeHint::new();
        hint.set_lower(length);
        hint
    }
}

/// A body of which the beginning has been read.
struct Resumed {
    beginning: VecDeque<Bytes>,
    rest: Body,
    /// Those that were read; there is no rest then.
    trailers: Option<HeaderMap>,
}

/// A body as it was before some of it was read.
pub(crate) fn resumed(beginning: Vec<Bytes>, rest: Body, trailers: Option<HeaderMap>) -> Body {
    Resumed { beginning: beginning.into(), rest, trailers }.boxed_unsync()
}

impl HttpBody for Resumed {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        if let Some(chunk) = self.beginning.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(chunk))));
        }
        if let Some(trailers) = self.trailers.take() {
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        if self.rest.is_end_stream() { Poll::Ready(None) } else { Pin::new(&mut self.rest).poll_frame(cx) }
    }

    fn is_end_stream(&self) -> bool {
        self.beginning.is_empty() && self.trailers.is_none() && self.rest.is_end_stream()
    }
}

/// A body whose first frame was waited for a little.
struct Primed {
    first: Option<Frame<Bytes>>,
    rest: Body,
}

/// Gives a body's sender one turn to have its first frame ready, so that a short message leaves in one write together
/// with its head. A body that is slower than that is not waited for.
pub(crate) async fn prime(mut body: Body) -> Result<Body, Failure> {
    if body.is_end_stream() {
        return Ok(body);
    }
    let mut first = poll_now(&mut body).await;
    if first.is_pending() {
        tokio::task::yield_now().await;
        first = poll_now(&mut body).await;
    }
    match first {
        Poll::Pending => Ok(body),
        Poll::Ready(None) => Ok(empty()),
        Poll::Ready(Some(frame)) => {
            let first = Some(frame?);
            Ok(Primed { first, rest: body }.boxed_unsync())
        }
    }
}

/// What a body has ready.
async fn poll_now(body: &mut Body) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
    std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut *body).poll_frame(cx))).await
}

impl HttpBody for Primed {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        match self.first.take() {
            Some(first) => Poll::Ready(Some(Ok(first))),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let first = self.first.as_ref().and_then(Frame::data_ref);
        let first = first.map_or(0, |data| data.len() as u64);
        let rest = self.rest.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower() + first);
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper + first);
        }
        hint
    }
}

/// Calls back with each frame's length and once with how the body ended.
pub(crate) struct Observed<O: Observer> {
    inner: Body,
    observer: O,
}

/// Who is told about a body's progress. Dropped early means that the receiver went away.
pub(crate) trait Observer: Send + Unpin + 'static {
    /// More was asked for, and there is nothing yet.
    fn waiting(&mut self) {}
    /// This many bytes were taken.
    fn bytes(&mut self, count: usize);
    /// The body ended, or failed.
    fn end(&mut self, outcome: Result<(), &Failure>);
}

/// Lets `observer` see what becomes of a body.
pub(crate) fn observe<O: Observer>(inner: Body, mut observer: O) -> Body {
    if inner.is_end_stream() {
        // hyper does not poll a body that says so.
        observer.end(Ok(()));
    }
    Observed { inner, observer }.boxed_unsync()
}

impl<O: Observer> HttpBody for Observed<O> {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let this = &mut *self;
        let Poll::Ready(next) = Pin::new(&mut this.inner).poll_frame(cx) else {
            this.observer.waiting();
            return Poll::Pending;
        };
        match &next {
            None => this.observer.end(Ok(())),
            Some(Err(failure)) => this.observer.end(Err(failure)),
            Some(Ok(frame)) => {
                this.observer.bytes(frame.data_ref().map_or(0, Bytes::len));
                if this.inner.is_end_stream() {
                    this.observer.end(Ok(()));
                }
            }
        }
        Poll::Ready(next)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_chunks_are_held_together() {
        let long = Bytes::from(vec![b'x'; WHOLE_CHUNK]);
        let short = Bytes::from_static(b"y");
        let sent = [vec![short.clone(); 5000], vec![long.clone()], vec![short.clone(); 3]].concat();
        let total: Vec<u8> = sent.iter().flatten().copied().collect();
        let mut chunks = Chunks::default();
        for chunk in sent {
            chunks.push(chunk);
        }
        assert_eq!(chunks.held(), total.len());
        let held = chunks.into_vec();
        assert_eq!(held.iter().flatten().copied().collect::<Vec<u8>>(), total);
        assert!(held.len() <= 4, "{} chunks", held.len());
    }

    #[tokio::test]
    async fn what_was_read_comes_first_again() {
        let rest = pieces(vec![Bytes::from_static(b"c")], None);
        let body = resumed(vec![Bytes::from_static(b"a"), Bytes::from_static(b"b")], rest, None);
        assert_eq!(body.collect().await.unwrap().to_bytes(), "abc");
    }
}
