//! Backends: groups of endpoints that speak one version.
//!
//! A request picks an endpoint ([`Backend::pick`]), takes one of the worker's connections to it or opens one
//! ([`Backend::lease`]), and gives it back when the response has been read to its end. Connections belong to the worker
//! that opened them; what all workers know of an endpoint are counters.

mod balance;
mod budget;
mod condition;
mod connect;
mod endpoint;
mod fault;
mod health;
mod lease;
mod length;
mod pool;
mod probe;
mod resolve;
mod stream;
pub mod tend;
#[cfg(test)]
mod tests;
mod tls;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::uri::Authority;
use tokio::time::Instant;

use crate::config::{self, BackendConfig, Balance, Scheme};
use crate::failure::{Failure, Kind, Side};
use crate::worker::Worker;

use budget::Budget;
use condition::{Condition, Names, Report};
use endpoint::Endpoint;
use tls::Tls;

pub use condition::LastFailure;
pub use connect::supervise;
pub use health::State;
pub use lease::{Again, Lease, Unanswered};

/// A message body on its way through; it fails with the reason why it cannot be completed.
pub type Body = http_body_util::combinators::UnsyncBoxBody<bytes::Bytes, Failure>;

/// How long a connection is kept without a request; below the 60 s after which common servers close theirs.
const KEPT: Duration = Duration::from_secs(50);

/// One group of endpoints and its connections.
#[derive(Debug)]
pub struct Backend {
    names: Arc<Names>,
    name: Arc<str>,
    config: BackendConfig,
    connect_timeout: Duration,
    endpoints: Vec<Arc<Endpoint>>,
    tls: Option<Arc<Tls>>,
    turn: AtomicU64,
    tallies: Vec<Tally>,
    budget: Mutex<Budget>,
    start: Instant,
}

/// Requests of one worker; apart from the next one's, so that they do not share a line of the processor's cache.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Tally(AtomicU64);

/// An endpoint that was picked for one exchange; counts as in flight until dropped.
#[derive(Debug)]
pub struct Picked {
    endpoint: Arc<Endpoint>,
    index: usize,
}

impl Picked {
    fn new(endpoint: &Arc<Endpoint>, index: usize) -> Self {
        endpoint.in_flight.fetch_add(1, Ordering::Relaxed);
        Self { endpoint: Arc::clone(endpoint), index }
    }

    /// Its place among the endpoints of its backend.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// `host:port`.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.endpoint.authority
    }

    /// The exchange failed before its response.
    pub fn failed(&self, failure: &Failure) {
        // That it has too many connections is our own choice, and says nothing about it.
        if failure.kind != Kind::Overloaded {
            self.endpoint.condition.failed(failure, false);
        }
    }

    /// The response's head came.
    pub fn answered(&self) {
        self.endpoint.condition.answered();
    }
}

impl Drop for Picked {
    fn drop(&mut self) {
        self.endpoint.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.endpoint.free();
    }
}

/// How an endpoint is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointStatus<'a> {
    /// `host:port`.
    pub address: &'a str,
    /// Whether it is asked.
    pub state: State,
    /// Exchanges and sockets that run on it.
    pub in_flight: usize,
    /// Open connections.
    pub connections: usize,
    /// Those of them that wait for a request, or take several.
    pub idle: usize,
    /// How often it was ejected.
    pub ejections: u64,
    /// How often it was asked while it was, since all were.
    pub last_resorts: u64,
    /// What went wrong last.
    pub last_failure: Option<LastFailure>,
}

impl Backend {
    /// A backend of an API, without connections; each of this many workers opens its own on demand.
    ///
    /// # Errors
    /// Files of `tls` that cannot be read or used, for a person.
    pub fn try_new(
        api: &str,
        config: BackendConfig,
        connect_timeout: Duration,
        workers: usize,
    ) -> Result<Self, String> {
        let names = Arc::new(Names { api: api.to_owned(), backend: config.name.clone() });
        let has_tls = config.endpoints.iter().any(|endpoint| endpoint.scheme == Scheme::Https);
        let tls = has_tls.then(|| Tls::try_new(config.tls.clone(), config.protocol).map(Arc::new)).transpose()?;
        let endpoint = |endpoint: &config::Endpoint| {
            let condition = Condition::new(Arc::clone(&names), endpoint.authority.to_string());
            let tls = tls.clone().filter(|_| endpoint.scheme == Scheme::Https);
            Arc::new(Endpoint::new(endpoint.authority.clone(), config.protocol, tls, condition, workers))
        };
        Ok(Self {
            name: config.name.as_str().into(),
            endpoints: config.endpoints.iter().map(endpoint).collect(),
            names,
            tls,
            turn: AtomicU64::new(0),
            tallies: Worker::all(workers).map(|_| Tally::default()).collect(),
            budget: Mutex::default(),
            start: Instant::now(),
            config,
            connect_timeout,
        })
    }

    /// Whether this backend is what the configuration asks for, so that a reload can keep its connections.
    #[must_use]
    pub fn is(&self, config: &BackendConfig, connect_timeout: Duration) -> bool {
        self.config == *config && self.connect_timeout == connect_timeout
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The version it speaks.
    #[must_use]
    pub fn speaks(&self) -> &config::Speaks {
        &self.config.speaks
    }

    /// Which `host` it reads.
    #[must_use]
    pub fn host(&self) -> config::Host {
        self.config.host
    }

    /// What is sent again.
    #[must_use]
    pub fn retries(&self) -> &config::Retries {
        &self.config.retries
    }

    /// How each endpoint is doing.
    pub fn endpoints(&self) -> impl Iterator<Item = EndpointStatus<'_>> {
        self.endpoints.iter().map(|endpoint| {
            let (connections, idle) = endpoint.connections();
            let Report { state, ejections, last_resorts, last } = endpoint.condition.report();
            EndpointStatus {
                address: endpoint.authority.as_str(),
                state,
                in_flight: endpoint.in_flight.load(Ordering::Relaxed),
                connections,
                idle,
                ejections,
                last_resorts,
                last_failure: last,
            }
        })
    }

    /// Picks the endpoint for a request of a worker.
    ///
    /// # Errors
    /// [`Kind::AllEjected`].
    pub fn pick(&self, worker: Worker) -> Result<Picked, Failure> {
        let tally = self.tallies[worker.index()].0.fetch_add(1, Ordering::Relaxed);
        let picked = self.pick_but(None, worker.index() as u64 ^ (tally << 16));
        picked.or_else(|| self.last_resort(None)).ok_or_else(|| self.all_ejected())
    }

    /// Picks another endpoint than this one, where there is one to pick.
    #[must_use]
    pub fn pick_other(&self, index: usize) -> Option<Picked> {
        self.pick_but(Some(index), self.turn.fetch_add(1, Ordering::Relaxed)).or_else(|| self.last_resort(Some(index)))
    }

    /// Picks this endpoint.
    #[must_use]
    pub fn pick_again(&self, index: usize) -> Picked {
        Picked::new(&self.endpoints[index], index)
    }

    fn pick_but(&self, but: Option<usize>, number: u64) -> Option<Picked> {
        let is_open = |i: usize| but != Some(i) && self.endpoints[i].condition.is_open();
        let load = |i: usize| is_open(i).then(|| self.endpoints[i].in_flight.load(Ordering::Relaxed));
        let count = self.endpoints.len();
        let index = match self.config.balance {
            _ if count == 1 => is_open(0).then_some(0),
            Balance::RoundRobin => balance::round_robin(count, self.turn.fetch_add(1, Ordering::Relaxed), is_open),
            Balance::LeastLoaded => balance::least_loaded(count, balance::mix(number), load),
        };
        index.map(|index| self.pick_again(index))
    }

    /// An endpoint that is ejected, where all others than this one are out: each is asked now and then, so that none has
    /// to be waited for that has come back.
    fn last_resort(&self, but: Option<usize>) -> Option<Picked> {
        let others = || self.endpoints.iter().enumerate().filter(|&(i, _)| but != Some(i));
        if others().any(|(_, endpoint)| endpoint.condition.is_open()) {
            return None;
        }
        others().find(|(_, endpoint)| endpoint.condition.resort()).map(|(i, endpoint)| Picked::new(endpoint, i))
    }

    fn all_ejected(&self) -> Failure {
        let soonest = self.endpoints.iter().filter_map(|endpoint| endpoint.condition.closed_for()).min();
        let wait = soonest.or(self.config.checks.as_ref().map(|checks| checks.every)).unwrap_or_default();
        let seconds = u16::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u16::MAX).max(1);
        Failure::new(Side::Backend, Kind::AllEjected(seconds), "the backend has failed and is given time to recover")
    }

    /// Takes one retry out of the budget of 20 % of requests; whether there was one.
    pub fn may_retry(&self) -> bool {
        let requests = self.tallies.iter().map(|tally| tally.0.load(Ordering::Relaxed)).sum();
        let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        budget.take(requests, self.start.elapsed())
    }

    /// Takes one of the worker's connections to an endpoint, or opens one.
    ///
    /// # Errors
    /// [`Kind::Unreachable`], [`Kind::ConnectTimeout`], [`Kind::BackendTls`]; [`Kind::Overloaded`] where the endpoint
    /// has as many connections as it may have.
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
}
