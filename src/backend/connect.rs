//! Opening connections to endpoints.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

use super::endpoint::{Endpoint, Permit};
use super::fault;
use super::pool::{Exclusive, Shared};
use super::stream::{Io, Stream};
use super::tls::Purpose;
use crate::failure::Failure;

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
/// How long one address of a name has before the next one is tried as well (RFC 8305 section 5).
const NEXT_ADDRESS: Duration = Duration::from_millis(250);

/// An open connection, by how many exchanges it carries at one time.
#[derive(Debug)]
pub(super) enum Opened {
    One(Exclusive),
    Many(Shared),
}

/// Opens a connection for requests. A check of an endpoint needs no permit.
pub(super) async fn open(endpoint: &Endpoint, permit: Option<Permit>, limit: Duration) -> Result<Opened, Failure> {
    let connecting = connect(endpoint, Purpose::Requests, permit);
    let (stream, address) = within(endpoint, limit, connecting).await?;
    if stream.is_http2(endpoint.protocol) {
        endpoint.found_http2();
        http2(stream, address).await.map(Opened::Many).map_err(|e| fault::no_handshake(endpoint, &e))
    } else {
        http1(stream, address).await.map(Opened::One).map_err(|e| fault::no_handshake(endpoint, &e))
    }
}

/// Opens a connection for one request that may make a socket of it. It needs no permit: there are as many sockets as
/// clients have opened, and who asks for something else does not wait for one of them to end.
pub(super) async fn open_socket(endpoint: &Endpoint, limit: Duration) -> Result<Exclusive, Failure> {
    let (stream, address) = within(endpoint, limit, connect(endpoint, Purpose::Socket, None)).await?;
    let handshake = http1_builder().handshake(TokioIo::new(stream)).await;
    let (sender, connection) = handshake.map_err(|e| fault::no_handshake(endpoint, &e))?;
    Ok(Exclusive::new(sender, drive(connection.with_upgrades()), address))
}

async fn within<T>(
    endpoint: &Endpoint,
    limit: Duration,
    connecting: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    timeout(limit, connecting).await.unwrap_or_else(|_| Err(fault::connect_timeout(endpoint)))
}

async fn connect(
    endpoint: &Endpoint,
    purpose: Purpose,
    permit: Option<Permit>,
) -> Result<(Stream, SocketAddr), Failure> {
    let addresses = endpoint.place.addresses().await.map_err(|e| fault::unresolved(endpoint, &e))?;
    let (tcp, address) = race(addresses).await.map_err(|e| fault::refused(endpoint, &e))?;
    supervise(&tcp);
    let io = match &endpoint.tls {
        None => Io::Plain(tcp),
        Some(tls) => {
            let secured = tls.connect(tcp, endpoint.place.host(), purpose).await;
            Io::Tls(Box::new(secured.map_err(|failure| fault::at(endpoint, failure))?))
        }
    };
    Ok((Stream::new(io, permit), address))
}

/// Connects to the first address that accepts, trying the next one when one refuses or takes its time.
async fn race(addresses: Vec<SocketAddr>) -> io::Result<(TcpStream, SocketAddr)> {
    let one = |address| async move { TcpStream::connect(address).await.map(|stream| (stream, address)) };
    if let [address] = addresses[..] {
        return one(address).await;
    }
    let mut waiting = addresses.into_iter();
    let mut trying = FuturesUnordered::new();
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "no address");
    loop {
        match waiting.next() {
            Some(address) => trying.push(one(address)),
            None if trying.is_empty() => return Err(failed),
            None => {}
        }
        let next = async {
            if waiting.len() == 0 { std::future::pending().await } else { tokio::time::sleep(NEXT_ADDRESS).await }
        };
        tokio::select! {
            Some(tried) = trying.next() => match tried {
                Ok(connected) => return Ok(connected),
                Err(e) => failed = e,
            },
            () = next => {}
        }
    }
}

/// Has small writes leave at once, and has the system find out when a silent peer is gone. A system that refuses
/// either is no reason not to serve.
pub fn supervise(stream: &TcpStream) {
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE_INTERVAL);
    let _ = stream.set_nodelay(true);
    let _ = SockRef::from(stream).set_tcp_keepalive(&keepalive);
}

fn http1_builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.max_buf_size(BUFFER);
    builder
}

async fn http1(stream: Stream, address: SocketAddr) -> hyper::Result<Exclusive> {
    let (sender, connection) = http1_builder().handshake(TokioIo::new(stream)).await?;
    Ok(Exclusive::new(sender, drive(connection), address))
}

async fn http2(stream: Stream, address: SocketAddr) -> hyper::Result<Shared> {
    let handshake = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .adaptive_window(true)
        .initial_max_send_streams(H2_STREAMS)
        .keep_alive_interval(H2_PING)
        .keep_alive_timeout(H2_PING)
        .handshake(TokioIo::new(stream));
    let (sender, mut connection) = Box::pin(handshake).await?;
    let most = Arc::new(AtomicUsize::new(H2_STREAMS));
    let told = Arc::clone(&most);
    drive(std::future::poll_fn(move |cx| {
        let ended = Pin::new(&mut connection).poll(cx);
        told.store(connection.current_max_send_streams(), Ordering::Relaxed);
        ended
    }));
    Ok(Shared::new(sender, most, address, Instant::now()))
}

/// Runs a connection, on the worker that opened it, for as long as somebody has use for it. How it fails is told to
/// its exchanges.
fn drive<T: Send + 'static>(connection: impl Future<Output = T> + Send + 'static) -> AbortHandle {
    tokio::spawn(connection).abort_handle()
}
