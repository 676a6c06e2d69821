//! Backends: groups of endpoints that speak one version, with a connection pool each.

mod balance;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use http::uri::Authority;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

use crate::config::{BackendConfig, Balance, Endpoint, Protocol};
use crate::failure::{Failure, Kind, Side, causes};
use crate::worker::Worker;

/// A message body on its way through; it fails with the reason why it cannot be completed.
pub type Body = http_body_util::combinators::UnsyncBoxBody<bytes::Bytes, Failure>;

/// Idle pooled connections that are kept for each endpoint.
const POOL_IDLE_PER_ENDPOINT: usize = 256;
/// How long an idle pooled connection is kept; below the 60 s after which common servers close theirs.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// What a connection's buffers may grow to, in bytes; hyper's own limit is six times as much. Also the most that a
/// response's head may have.
const BUFFER: usize = 64 * 1024;

/// After how much silence TCP asks whether a peer is alive, and how often it asks again.
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// One group of endpoints and its connections.
#[derive(Debug)]
pub struct Backend {
    config: BackendConfig,
    connect_timeout: Duration,
    endpoints: Vec<Arc<Load>>,
    turn: AtomicUsize,
    /// One for each worker: a connection lives on the thread that opened it.
    clients: Vec<Client<HttpConnector, Body>>,
}

/// One endpoint and what runs on it.
#[derive(Debug)]
struct Load {
    endpoint: Endpoint,
    in_flight: AtomicUsize,
}

/// An endpoint that was picked for one exchange; counts as in flight until dropped.
#[derive(Debug)]
pub struct Picked {
    load: Arc<Load>,
    index: usize,
}

impl Picked {
    /// `host:port`.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.load.endpoint.authority
    }
}

impl Drop for Picked {
    fn drop(&mut self) {
        self.load.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Backend {
    /// A backend without connections; each of this many workers opens its own on demand.
    #[must_use]
    pub fn new(config: BackendConfig, connect_timeout: Duration, workers: usize) -> Self {
        let endpoints =
            config.endpoints.iter().map(|e| Arc::new(Load { endpoint: e.clone(), in_flight: AtomicUsize::new(0) }));
        Self {
            endpoints: endpoints.collect(),
            turn: AtomicUsize::new(0),
            clients: Worker::all(workers).map(|_| client(config.protocol, connect_timeout)).collect(),
            config,
            connect_timeout,
        }
    }

    /// Whether this backend is what the configuration asks for, so that a reload can keep its connections.
    #[must_use]
    pub fn is(&self, config: &BackendConfig, connect_timeout: Duration) -> bool {
        self.config == *config && self.connect_timeout == connect_timeout
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// The label of the version it speaks.
    #[must_use]
    pub fn speaks(&self) -> &str {
        &self.config.speaks
    }

    /// How many endpoints it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.endpoints.len()
    }

    /// Whether it has no endpoint; the configuration does not allow it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.endpoints.is_empty()
    }

    /// Each endpoint's authority and how many exchanges run on it.
    pub fn endpoints(&self) -> impl Iterator<Item = (&str, usize)> {
        self.endpoints.iter().map(|e| (e.endpoint.authority.as_str(), e.in_flight.load(Ordering::Relaxed)))
    }

    /// Picks the endpoint for an exchange.
    #[must_use]
    pub fn pick(&self) -> Picked {
        if self.endpoints.len() == 1 {
            return self.take(0);
        }
        let loads: Vec<usize> = self.endpoints().map(|(_, load)| load).collect();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let index = match self.config.balance {
            Balance::RoundRobin => balance::round_robin(loads.len(), turn),
            Balance::LeastLoaded => balance::least_loaded(&loads, random(turn)),
        };
        self.take(index)
    }

    /// Picks the endpoint after one that did not accept a connection.
    #[must_use]
    pub fn pick_after(&self, refused: &Picked) -> Picked {
        self.take((refused.index + 1) % self.endpoints.len())
    }

    fn take(&self, index: usize) -> Picked {
        let load = Arc::clone(&self.endpoints[index]);
        load.in_flight.fetch_add(1, Ordering::Relaxed);
        Picked { load, index }
    }

    /// Sends a request whose target is absolute over one of the worker's connections and waits for the response's head.
    ///
    /// # Errors
    /// The client of the connection pool's, to be told apart by [`send_failure`].
    pub async fn send(
        &self,
        worker: Worker,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, hyper_util::client::legacy::Error> {
        self.clients[worker.index()].request(request).await
    }

    /// Opens a connection of its own to an endpoint, outside the pool, for a socket.
    ///
    /// # Errors
    /// [`Kind::Unreachable`] and [`Kind::ConnectTimeout`].
    pub async fn connect(&self, picked: &Picked) -> Result<TcpStream, Failure> {
        let connecting = TcpStream::connect(picked.authority().as_str());
        match tokio::time::timeout(self.connect_timeout, connecting).await {
            Ok(Ok(stream)) => {
                supervise(&stream);
                Ok(stream)
            }
            Ok(Err(e)) => Err(unreachable(format!("{}: {e}", picked.authority()))),
            Err(_) => Err(connect_timeout(format!("{}: no connection in time", picked.authority()))),
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

/// What it means that a request could not be sent or its response's head not be read.
#[must_use]
pub fn send_failure(error: &hyper_util::client::legacy::Error, authority: &Authority) -> Failure {
    let internal = format!("{authority}: {}", causes(error));
    if !error.is_connect() {
        return bad_response(error, internal);
    }
    let timed_out = sources(error)
        .any(|e| e.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == std::io::ErrorKind::TimedOut));
    if timed_out { connect_timeout(internal) } else { unreachable(internal) }
}

fn bad_response(error: &hyper_util::client::legacy::Error, internal: String) -> Failure {
    let parse = sources(error).any(|e| e.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse));
    let detail = if parse {
        "the backend's response is not valid HTTP"
    } else {
        "the backend closed the connection before its response"
    };
    Failure::new(Side::Backend, Kind::BadResponse, detail).because(internal)
}

fn unreachable(internal: String) -> Failure {
    Failure::new(Side::Backend, Kind::Unreachable, "the backend cannot be reached").because(internal)
}

fn connect_timeout(internal: String) -> Failure {
    Failure::new(Side::Backend, Kind::ConnectTimeout, "the backend did not accept a connection in time")
        .because(internal)
}

fn sources<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |e| e.source())
}

fn client(protocol: Protocol, connect_timeout: Duration) -> Client<HttpConnector, Body> {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(connect_timeout));
    connector.set_nodelay(true);
    connector.set_keepalive(Some(KEEPALIVE));
    connector.set_keepalive_interval(Some(KEEPALIVE_INTERVAL));
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .timer(TokioTimer::new())
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .pool_max_idle_per_host(POOL_IDLE_PER_ENDPOINT)
        .http1_max_buf_size(BUFFER)
        .http2_only(protocol == Protocol::H2)
        .http2_adaptive_window(true)
        .set_host(false)
        .build(connector)
}

/// A number that two proxies do not share: the process's hash seed mixed with a counter.
fn random(turn: usize) -> u64 {
    use std::hash::{BuildHasher, RandomState};
    static SEED: std::sync::LazyLock<RandomState> = std::sync::LazyLock::new(RandomState::new);
    static COUNT: AtomicU64 = AtomicU64::new(0);
    SEED.hash_one((turn, COUNT.fetch_add(1, Ordering::Relaxed)))
}
