//! Accepting connections, and serving the requests that come on them.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::header::{self, HeaderValue};
use http::{Method, StatusCode, Version};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::server::conn::http1::UpgradeableConnection;
use hyper::server::conn::http2::Connection;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::opening::{self, Opened};
use super::wire::{self, Checked, Left, Patience};
use super::{Plane, http2, proxy};
use crate::backend::Body;
use crate::config::{ListenLimits, Listener, ProxyProtocol};
use crate::listen::Stream;
use crate::telemetry::log::{self, Level};
use crate::telemetry::metrics::{self, Open};

/// How long to wait after an accept that failed for want of file descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long a client may take none of the bytes that wait for it.
#[cfg(target_os = "linux")]
const SEND_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a connection without a request is kept when the proxy drains.
const LAST_CALL: Duration = Duration::from_secs(1);
/// How long, and how much of, what a client sends after its last answer is read.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 4 << 20;
/// As much of it is read at once, in bytes.
const LINGER_READ: usize = 64 * 1024;
/// What hyper's buffers may grow to, in bytes; heads may be larger where the limits say so. What is there of an answer leaves
/// at once up to this: a client that waits for more is woken once for a hundred kilobytes and not twice.
const BUFFER: usize = 128 * 1024;

/// What an address asks of its connections, on all workers together.
#[derive(Debug)]
pub struct Gate {
    pub(super) limits: ListenLimits,
    pub(super) proxy_protocol: ProxyProtocol,
    pub(super) tls: Option<Arc<ServerConfig>>,
    slots: Arc<Semaphore>,
}

impl Gate {
    /// A listener's gate; with TLS where it has certificates.
    #[must_use]
    pub fn new(listener: &Listener, tls: Option<Arc<ServerConfig>>) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(listener.limits.connections)),
            limits: listener.limits.clone(),
            proxy_protocol: listener.proxy_protocol.clone(),
            tls,
        }
    }
}

/// Whom a connection serves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Client {
    /// The other end of the connection, or who a load balancer there says that it is.
    pub(crate) peer: SocketAddr,
    /// Whether what it sends is encrypted.
    pub(crate) is_tls: bool,
    /// How many bytes of a body it has to send a second; 0: as it likes.
    pub(crate) body_rate: u64,
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

/// What counts as open until the last clone is dropped; a socket keeps what it came on.
#[derive(Debug, Clone)]
#[expect(dead_code, reason = "held, never read")]
pub(crate) enum Slot {
    /// A connection's place among those that may be open.
    Connection(Arc<(OwnedSemaphorePermit, Open)>),
    /// A request of HTTP/2, without which its connection would be idle.
    Request(Arc<http2::Request>),
}

/// Serves one connection.
async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    gate: Arc<Gate>,
    plane: Arc<Plane>,
    permit: OwnedSemaphorePermit,
) {
    let slot = Slot::Connection(Arc::new((permit, metrics::connection())));
    let limits = &gate.limits;
    prepare(&stream);
    let opened = tokio::select! {
        opened = opening::open(stream, peer, &gate) => opened,
        () = last_call(&plane) => return,
    };
    match opened {
        Some(Opened { stream, client, is_http2: false }) => serve_http1(stream, client, limits, &plane, slot).await,
        Some(Opened { stream, client, is_http2: true }) => Box::pin(serve_http2(stream, client, limits, &plane)).await,
        None => {}
    }
}

fn prepare(stream: &TcpStream) {
    crate::backend::supervise(stream);
    #[cfg(target_os = "linux")]
    let _ = socket2::SockRef::from(stream).set_tcp_user_timeout(Some(SEND_TIMEOUT));
}

async fn serve_http1(mut stream: Stream, client: Client, limits: &ListenLimits, plane: &Arc<Plane>, slot: Slot) {
    loop {
        // Boxed, so that a connection that rests is no larger than it has to be.
        let Some((resting, until)) = Box::pin(answer_requests(stream, client, limits, plane, &slot)).await else {
            return;
        };
        stream = resting;
        let goes_on = tokio::select! {
            readable = stream.tcp().readable() => readable.is_ok(),
            () = tokio::time::sleep_until(until) => false,
            () = last_call(plane) => false,
        };
        if !goes_on {
            return;
        }
    }
}

/// Answers requests of HTTP/1.1 until the connection ends, or rests: the connection then, and until when it may.
async fn answer_requests(
    stream: Stream,
    client: Client,
    limits: &ListenLimits,
    plane: &Arc<Plane>,
    slot: &Slot,
) -> Option<(Stream, Instant)> {
    let bounds = wire::Limits { head: limits.head, headers: limits.headers };
    let patience = Patience { head: limits.head_timeout, keep_alive: limits.keep_alive };
    let (checked, exchanged) = Checked::new(stream, Vec::new(), bounds, patience, Instant::now());
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // What hyper reads has been checked, in bounds and in time.
        .header_read_timeout(None)
        .max_headers(limits.headers)
        .max_header_size(2 * limits.head)
        .max_buf_size(limits.head.max(BUFFER))
        // A client that has closed only its sending side still gets its answer.
        .half_close(true);
    let ends_with_connection = AtomicBool::new(false);
    let service = service_fn(|mut request| {
        ends_with_connection.store(request.version() < Version::HTTP_11, Ordering::Relaxed);
        request.extensions_mut().insert(slot.clone());
        // Some kilobytes, which hyper would move three times.
        Box::pin(answer_http1(plane, client, &exchanged, request))
    });
    let mut connection = builder.serve_connection(TokioIo::new(checked), service).with_upgrades();
    let until = last_call(plane);
    let ended = drive(&mut connection, plane, until, UpgradeableConnection::graceful_shutdown).await;
    let (mut stream, left) = connection.into_parts()?.io.into_inner().into_inner();
    match (ended, left) {
        (Some(Ok(())), Left::Resting(until)) => return Some((stream, until)),
        (Some(Ok(())), Left::Unread) => linger(&mut stream).await,
        (Some(Ok(())), Left::Clean) => {}
        _ if ends_with_connection.into_inner() => reset(stream.tcp()),
        _ => {}
    }
    None
}

/// Reads what a client still sends for a moment: a connection that is closed with bytes unread is reset, and takes
/// an answer with it that the client has not read yet.
async fn linger(stream: &mut Stream) {
    let mut dropped = vec![0; LINGER_READ];
    let reading = async {
        let mut left = LINGER_BYTES;
        while left > 0 {
            match stream.read(&mut dropped).await {
                Ok(0) | Err(_) => return,
                Ok(read) => left = left.saturating_sub(read),
            }
        }
    };
    let _ = tokio::time::timeout(LINGER, reading).await;
}

/// Has a connection end with a reset. The end of the connection is all that tells an HTTP/1.0 client where a body
/// of unknown length ends (RFC 9112 section 6.3), so that a clean one would make half a body look whole.
fn reset(stream: &TcpStream) {
    // A system that refuses leaves nothing else to try.
    let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

async fn serve_http2(stream: Stream, client: Client, limits: &ListenLimits, plane: &Arc<Plane>) {
    let requests = http2::Requests::new();
    let (owned, begun) = (Arc::clone(plane), requests.clone());
    let most = limits.headers;
    let service = service_fn(move |request| {
        let (plane, begun) = (Arc::clone(&owned), begun.begin());
        async move { answer_http2(&plane, client, most, begun, request).await }
    });
    let stream = TokioIo::new(http2::Guarded::new(stream));
    let mut connection = http2::builder(limits).serve_connection(stream, service);
    // Its clients can be told which of their requests have been taken.
    let until = async {
        tokio::select! {
            () = plane.draining.cancelled() => {}
            () = requests.idle(limits.keep_alive) => {}
        }
    };
    drive(&mut connection, plane, until, Connection::graceful_shutdown).await;
}

async fn answer_http1(
    plane: &Arc<Plane>,
    client: Client,
    connection: &wire::Connection,
    mut request: http::Request<Incoming>,
) -> Result<http::Response<Body>, Infallible> {
    let number = connection.begin();
    if let Some(failure) = connection.refusal(number) {
        return Ok(proxy::refuse(plane, client, request.into_parts().0, failure));
    }
    // Nothing of the kind goes to HTTP/1.0.
    if request.version() == Version::HTTP_11 {
        request.extensions_mut().insert(Arc::clone(connection.hints()));
    }
    let answering = pin!(proxy::serve(plane, client, request));
    let mut response = connection.hints().beside(answering).await;
    if connection.is_last(number) || plane.draining.is_cancelled() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        connection.switch();
    }
    Ok(response)
}

async fn answer_http2(
    plane: &Arc<Plane>,
    client: Client,
    most_headers: usize,
    begun: http2::Request,
    mut request: http::Request<Incoming>,
) -> Result<http::Response<Body>, Infallible> {
    let begun = Arc::new(begun);
    if request.method() == Method::CONNECT {
        request.extensions_mut().insert(Slot::Request(Arc::clone(&begun)));
    }
    let has_body = !request.body().is_end_stream();
    let response = match wire::check_http2(request.method(), request.headers(), has_body, most_headers) {
        Ok(()) => proxy::serve(plane, client, request).await,
        Err(failure) => proxy::refuse(plane, client, request.into_parts().0, &failure),
    };
    Ok(response.map(|body| http2::until_end_of(begun, body)))
}

/// Returns when a connection of a proxy that drains is waited for no longer. A request that is on its way when draining
/// begins would be lost if its connection were closed at once: it is answered, and told that the connection ends.
async fn last_call(plane: &Plane) {
    plane.draining.cancelled().await;
    tokio::time::sleep(LAST_CALL).await;
}

/// Runs a connection to its end. From `until` on, the connection takes no further request; `None` where draining took
/// too long.
async fn drive<C: Future + Unpin>(
    connection: &mut C,
    plane: &Plane,
    until: impl Future<Output = ()>,
    finish: impl FnOnce(Pin<&mut C>),
) -> Option<C::Output> {
    tokio::select! {
        output = &mut *connection => return Some(output),
        () = until => finish(Pin::new(connection)),
    }
    tokio::select! {
        output = connection => Some(output),
        () = plane.abandoned.cancelled() => None,
    }
}
