//! Accepting connections and bounding what a client may do with one before its first request is served.
//!
//! HTTP/1.1 and HTTP/2 with prior knowledge share a port: the HTTP/2 preface begins with `PRI`, which is no
//! method.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::Version;
use hyper::body::Incoming;
use hyper::server::conn::http1::UpgradeableConnection;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::tap::Tap;
use super::{Plane, proxy, respond};
use crate::backend::Body;
use crate::config::ListenLimits;
use crate::telemetry::log::{self, Level};
use crate::telemetry::metrics::{self, Open};

/// How long to wait after an accept that failed for want of file descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long to wait for the rest of a protocol preface that came in pieces.
const PREFACE_PAUSE: Duration = Duration::from_millis(5);
/// How often a silent HTTP/2 connection is asked whether it is alive, and how long it has to answer.
const H2_PING: Duration = Duration::from_secs(20);
/// How long a client may take none of the bytes that wait for it.
#[cfg(target_os = "linux")]
const SEND_TIMEOUT: Duration = Duration::from_secs(60);
/// What hyper's buffers may grow to, in bytes; heads may be larger where the limits say so.
const BUFFER: usize = 64 * 1024;

/// What an address asks of its connections, on all workers together.
#[derive(Debug)]
pub struct Gate {
    limits: ListenLimits,
    slots: Arc<Semaphore>,
}

impl Gate {
    /// A gate with these limits.
    #[must_use]
    pub fn new(limits: ListenLimits) -> Self {
        Self { slots: Arc::new(Semaphore::new(limits.connections)), limits }
    }
}

/// Accepts a worker's connections until the proxy drains. Above the limit, each worker holds one new connection, unread,
/// until another ends; the rest wait in the system's queue.
pub async fn accept(listener: TcpListener, gate: Arc<Gate>, plane: Arc<Plane>) {
    loop {
        let next = tokio::select! {
            () = plane.draining.cancelled() => return,
            next = next_connection(&listener, &gate.slots) => next,
        };
        match next {
            Ok((slot, stream, peer)) => {
                let connection = connection(stream, peer, Arc::clone(&gate), Arc::clone(&plane), slot);
                plane.tasks.spawn(connection);
            }
            Err(e) => {
                log::line(Level::Warn, &format!("cannot accept a connection: {e}"));
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn next_connection(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> io::Result<(OwnedSemaphorePermit, TcpStream, SocketAddr)> {
    // A worker that took its slot first would keep it from the one whose client is there.
    let (stream, peer) = listener.accept().await?;
    let slot = Arc::clone(slots).acquire_owned().await.map_err(io::Error::other)?;
    Ok((slot, stream, peer))
}

/// A connection's place among those that may be open; given back when the last clone is dropped. A socket keeps
/// the one of the connection that it was.
#[derive(Debug, Clone)]
pub(crate) struct Slot(#[expect(dead_code, reason = "held, never read")] Arc<(OwnedSemaphorePermit, Open)>);

/// Serves one connection.
async fn connection(
    mut stream: TcpStream,
    peer: SocketAddr,
    gate: Arc<Gate>,
    plane: Arc<Plane>,
    permit: OwnedSemaphorePermit,
) {
    let slot = Slot(Arc::new((permit, metrics::connection())));
    let limits = &gate.limits;
    prepare(&stream);
    let preface = tokio::select! {
        preface = tokio::time::timeout(limits.head_timeout, preface(&stream)) => preface,
        () = plane.draining.cancelled() => return,
    };
    match preface {
        Ok(Ok(Preface::Http1)) => serve_http1(stream, peer, limits, &plane, slot).await,
        Ok(Ok(Preface::Http2)) => serve_http2(stream, peer, limits, &plane).await,
        Ok(Ok(Preface::Closed) | Err(_)) => {}
        Err(_) => refuse_slow(&mut stream).await,
    }
}

fn prepare(stream: &TcpStream) {
    crate::backend::supervise(stream);
    #[cfg(target_os = "linux")]
    let _ = socket2::SockRef::from(stream).set_tcp_user_timeout(Some(SEND_TIMEOUT));
}

/// What a connection begins with.
enum Preface {
    Http1,
    Http2,
    Closed,
}

/// Looks at the first bytes without taking them.
async fn preface(stream: &TcpStream) -> io::Result<Preface> {
    const HTTP2: &[u8] = b"PRI";
    let mut first = [0; HTTP2.len()];
    loop {
        let seen = stream.peek(&mut first).await?;
        match &first[..seen] {
            [] => return Ok(Preface::Closed),
            HTTP2 => return Ok(Preface::Http2),
            some if !HTTP2.starts_with(some) => return Ok(Preface::Http1),
            // Bytes that were looked at stay readable, so that readiness says nothing about new ones.
            _ => tokio::time::sleep(PREFACE_PAUSE).await,
        }
    }
}

async fn refuse_slow(stream: &mut TcpStream) {
    // Best effort: the connection ends either way.
    let _ = stream.write_all(respond::HEAD_TOO_SLOW).await;
    let _ = stream.shutdown().await;
}

async fn serve_http1(stream: TcpStream, peer: SocketAddr, limits: &ListenLimits, plane: &Arc<Plane>, slot: Slot) {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_headers(limits.headers)
        .max_header_size(limits.head)
        .max_buf_size(limits.head.max(BUFFER))
        // A client that has closed only its sending side still gets its answer.
        .half_close(true);
    let (tap, seen) = Tap::new(stream, limits.head.max(BUFFER));
    let ends_with_connection = AtomicBool::new(false);
    let service = service_fn(|mut request| {
        seen.mark(&mut request);
        ends_with_connection.store(request.version() < Version::HTTP_11, Ordering::Relaxed);
        request.extensions_mut().insert(slot.clone());
        answer(plane, peer, request)
    });
    let mut connection = builder.serve_connection(TokioIo::new(tap), service).with_upgrades();
    let ended = drive(&mut connection, plane, UpgradeableConnection::graceful_shutdown).await;
    if matches!(ended, Some(Ok(()))) {
        return;
    }
    let Some(parts) = connection.into_parts() else { return };
    let mut stream = parts.io.into_inner().into_inner();
    match ended {
        // A connection on which nothing of a next request had come just ends.
        Some(Err(e)) if e.is_timeout() && !parts.read_buf.is_empty() => refuse_slow(&mut stream).await,
        _ if ends_with_connection.into_inner() => reset(&stream),
        _ => {}
    }
}

/// Has a connection end with a reset. The end of the connection is all that tells an HTTP/1.0 client where a body
/// of unknown length ends (RFC 9112 section 6.3), so that a clean one would make half a body look whole.
fn reset(stream: &TcpStream) {
    // A system that refuses leaves nothing else to try.
    let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

async fn serve_http2(stream: TcpStream, peer: SocketAddr, limits: &ListenLimits, plane: &Arc<Plane>) {
    let head = u32::try_from(limits.head).unwrap_or(u32::MAX);
    let owned = Arc::clone(plane);
    let service = service_fn(move |request| {
        let plane = Arc::clone(&owned);
        async move { answer(&plane, peer, request).await }
    });
    let mut connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(head)
        .keep_alive_interval(H2_PING)
        .keep_alive_timeout(H2_PING)
        .serve_connection(TokioIo::new(stream), service);
    drive(&mut connection, plane, http2::Connection::graceful_shutdown).await;
}

async fn answer(
    plane: &Arc<Plane>,
    peer: SocketAddr,
    request: http::Request<Incoming>,
) -> Result<http::Response<Body>, Infallible> {
    Ok(proxy::serve(plane, peer, request).await)
}

/// Runs a connection to its end. When the proxy drains, the connection takes no further request; `None` where
/// draining took too long.
async fn drive<C: Future + Unpin>(
    connection: &mut C,
    plane: &Plane,
    finish: impl FnOnce(Pin<&mut C>),
) -> Option<C::Output> {
    tokio::select! {
        output = &mut *connection => return Some(output),
        () = plane.draining.cancelled() => finish(Pin::new(connection)),
    }
    tokio::select! {
        output = connection => Some(output),
        () = plane.abandoned.cancelled() => None,
    }
}
