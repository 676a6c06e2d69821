//! Opening connections to endpoints.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::endpoint::{Endpoint, Permit};
use super::pool::{Exclusive, Shared};
use super::stream::Stream;
use super::{Body, fault};
use crate::config::Protocol;
use crate::failure::{Failure, causes};

/// What a connection's buffers may grow to, in bytes; hyper's own limit is six times as much. Also the most that a
/// response's head may have.
const BUFFER: usize = 64 * 1024;

/// After how much silence TCP asks whether a peer is alive, and how often it asks again.
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// How often a silent HTTP/2 connection with open streams is asked whether it is alive, and how long it has to answer.
const H2_PING: Duration = Duration::from_secs(20);
/// Streams of an HTTP/2 connection before its peer says how many it allows.
const H2_STREAMS: usize = 100;

/// An open connection, by how many exchanges it carries at one time.
#[derive(Debug)]
pub(super) enum Opened {
    One(Exclusive),
    Many(Shared),
}

/// Opens a connection for requests.
pub(super) async fn open(endpoint: &Endpoint, permit: Permit, timeout: Duration) -> Result<Opened, Failure> {
    let stream = connect(endpoint, permit, timeout).await?;
    match endpoint.protocol {
        Protocol::H1 => http1(endpoint, stream).await.map(Opened::One),
        Protocol::H2 => http2(endpoint, stream).await.map(Opened::Many),
    }
}

/// Opens a connection for one request that may make a socket of it.
pub(super) async fn open_socket(endpoint: &Endpoint, permit: Permit, timeout: Duration) -> Result<Exclusive, Failure> {
    let stream = connect(endpoint, permit, timeout).await?;
    let (sender, connection) = http1_handshake(endpoint, stream).await?;
    Ok(Exclusive::new(sender, drive(connection.with_upgrades())))
}

async fn connect(endpoint: &Endpoint, permit: Permit, timeout: Duration) -> Result<Stream, Failure> {
    let connecting = TcpStream::connect(endpoint.authority.as_str());
    match tokio::time::timeout(timeout, connecting).await {
        Ok(Ok(stream)) => {
            supervise(&stream);
            Ok(Stream::new(stream, permit))
        }
        Ok(Err(e)) => Err(fault::unreachable(format!("{}: {e}", endpoint.authority))),
        Err(_) => Err(fault::connect_timeout(format!("{}: no connection in time", endpoint.authority))),
    }
}

/// Has small writes leave at once, and has the system find out when a silent peer is gone. A system that refuses
/// either is no reason not to serve.
pub fn supervise(stream: &TcpStream) {
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE_INTERVAL);
    let _ = stream.set_nodelay(true);
    let _ = SockRef::from(stream).set_tcp_keepalive(&keepalive);
}

async fn http1(endpoint: &Endpoint, stream: Stream) -> Result<Exclusive, Failure> {
    let (sender, connection) = http1_handshake(endpoint, stream).await?;
    Ok(Exclusive::new(sender, drive(connection)))
}

async fn http1_handshake(
    endpoint: &Endpoint,
    stream: Stream,
) -> Result<(http1::SendRequest<Body>, http1::Connection<TokioIo<Stream>, Body>), Failure> {
    let handshake = http1::Builder::new().max_buf_size(BUFFER).handshake(TokioIo::new(stream));
    handshake.await.map_err(|e| no_handshake(endpoint, &e))
}

async fn http2(endpoint: &Endpoint, stream: Stream) -> Result<Shared, Failure> {
    let handshake = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .adaptive_window(true)
        .initial_max_send_streams(H2_STREAMS)
        .keep_alive_interval(H2_PING)
        .keep_alive_timeout(H2_PING)
        .handshake(TokioIo::new(stream));
    let (sender, mut connection) = Box::pin(handshake).await.map_err(|e| no_handshake(endpoint, &e))?;
    let most = Arc::new(AtomicUsize::new(H2_STREAMS));
    let told = Arc::clone(&most);
    let connection = std::future::poll_fn(move |cx| {
        let ended = Pin::new(&mut connection).poll(cx);
        told.store(connection.current_max_send_streams(), Ordering::Relaxed);
        ended
    });
    drive(connection);
    Ok(Shared::new(sender, most, Instant::now()))
}

/// Runs a connection, on the worker that opened it, for as long as somebody has use for it. How it fails is told to
/// its exchanges.
fn drive<T: Send + 'static>(connection: impl Future<Output = T> + Send + 'static) -> AbortHandle {
    tokio::spawn(connection).abort_handle()
}

fn no_handshake(endpoint: &Endpoint, error: &hyper::Error) -> Failure {
    fault::unreachable(format!("{}: {}", endpoint.authority, causes(error)))
}
