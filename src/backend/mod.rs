//! Backends: groups of endpoints that speak one version.
//!
//! A request picks an endpoint ([`Backend::pick`]), takes one of the worker's connections to it or opens one
//! ([`Backend::lease`]), and gives it back when the response has been read to its end. Connections belong to the worker
//! that opened them; what all workers know of an endpoint are counters.

mod balance;
mod connect;
mod endpoint;
mod fault;
mod lease;
mod pool;
mod stream;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use http::uri::Authority;
use tokio::time::Instant;

use crate::config::{BackendConfig, Balance};
use crate::failure::Failure;
use crate::worker::Worker;

pub use connect::supervise;
use endpoint::Endpoint;
pub use lease::{Again, Lease, Unanswered};

/// A message body on its way through; it fails with the reason why it cannot be completed.
pub type Body = http_body_util::combinators::UnsyncBoxBody<bytes::Bytes, Failure>;

/// How long a connection is kept without a request; below the 60 s after which common servers close theirs.
const KEPT: Duration = Duration::from_secs(50);

/// One group of endpoints and its connections.
#[derive(Debug)]
pub struct Backend {
    config: BackendConfig,
    connect_timeout: Duration,
    endpoints: Vec<Arc<Endpoint>>,
    turn: AtomicUsize,
}

/// An endpoint that was picked for one exchange; counts as in flight until dropped.
#[derive(Debug)]
pub struct Picked {
    endpoint: Arc<Endpoint>,
    index: usize,
}

impl Picked {
    /// `host:port`.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.endpoint.authority
    }

    /// Its place among the endpoints of its backend.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    fn new(endpoint: &Arc<Endpoint>, index: usize) -> Self {
        endpoint.in_flight.fetch_add(1, Ordering::Relaxed);
        Self { endpoint: Arc::clone(endpoint), index }
    }
}

impl Drop for Picked {
    fn drop(&mut self) {
        self.endpoint.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.endpoint.free();
    }
}

/// How an endpoint is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndpointStatus<'a> {
    /// `host:port`.
    pub address: &'a str,
    /// Exchanges and sockets that run on it.
    pub in_flight: usize,
    /// Open connections.
    pub connections: usize,
    /// Those of them that wait for a request.
    pub idle: usize,
}

impl Backend {
    /// A backend without connections; each of this many workers opens its own on demand.
    #[must_use]
    pub fn new(config: BackendConfig, connect_timeout: Duration, workers: usize) -> Self {
        let endpoint =
            |e: &crate::config::Endpoint| Arc::new(Endpoint::new(e.authority.clone(), config.protocol, workers));
        Self {
            endpoints: config.endpoints.iter().map(endpoint).collect(),
            turn: AtomicUsize::new(0),
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

    /// How each endpoint is doing.
    pub fn endpoints(&self) -> impl Iterator<Item = EndpointStatus<'_>> {
        self.endpoints.iter().map(|endpoint| {
            let (connections, idle) = endpoint.connections();
            EndpointStatus {
                address: endpoint.authority.as_str(),
                in_flight: endpoint.in_flight.load(Ordering::Relaxed),
                connections,
                idle,
            }
        })
    }

    /// Picks the endpoint for an exchange.
    #[must_use]
    pub fn pick(&self) -> Picked {
        if self.endpoints.len() == 1 {
            return self.pick_again(0);
        }
        let loads: Vec<usize> = self.endpoints.iter().map(|e| e.in_flight.load(Ordering::Relaxed)).collect();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let index = match self.config.balance {
            Balance::RoundRobin => balance::round_robin(loads.len(), turn),
            Balance::LeastLoaded => balance::least_loaded(&loads, random(turn)),
        };
        self.pick_again(index)
    }

    /// Picks another endpoint than this one, which did not accept a connection.
    #[must_use]
    pub fn pick_other(&self, index: usize) -> Picked {
        self.pick_again((index + 1) % self.endpoints.len())
    }

    /// Picks this endpoint.
    #[must_use]
    pub fn pick_again(&self, index: usize) -> Picked {
        Picked::new(&self.endpoints[index], index)
    }

    /// Takes one of the worker's connections to an endpoint, or opens one.
    ///
    /// # Errors
    /// [`Kind::Unreachable`](crate::failure::Kind::Unreachable) and
    /// [`Kind::ConnectTimeout`](crate::failure::Kind::ConnectTimeout), or
    /// [`Kind::Overloaded`](crate::failure::Kind::Overloaded) where the endpoint has as many connections as it may have.
    pub async fn lease(&self, picked: Picked, worker: Worker) -> Result<Lease, Failure> {
        Lease::take(picked, worker, self.connect_timeout).await
    }

    /// Opens a connection that no exchange has used.
    ///
    /// # Errors
    /// As those of [`lease`](Self::lease).
    pub async fn lease_new(&self, picked: Picked, worker: Worker) -> Result<Lease, Failure> {
        Lease::fresh(picked, worker, self.connect_timeout).await
    }

    /// Opens a connection for a request that may make a socket of it.
    ///
    /// # Errors
    /// As those of [`lease`](Self::lease).
    pub async fn lease_socket(&self, picked: Picked, worker: Worker) -> Result<Lease, Failure> {
        Lease::socket(picked, worker, self.connect_timeout).await
    }

    /// Lets go of connections that nobody has used for long; to be called every few seconds.
    pub fn tidy(&self, now: Instant) {
        self.endpoints.iter().for_each(|endpoint| endpoint.tidy(KEPT, now));
    }
}

/// A number that two proxies do not share: the process's hash seed mixed with a counter.
fn random(turn: usize) -> u64 {
    use std::hash::{BuildHasher, RandomState};
    static SEED: std::sync::LazyLock<RandomState> = std::sync::LazyLock::new(RandomState::new);
    static COUNT: AtomicU64 = AtomicU64::new(0);
    SEED.hash_one((turn, COUNT.fetch_add(1, Ordering::Relaxed)))
}
