//! One address of a backend: what all workers know of it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::HeaderValue;
use http::uri::Authority;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::condition::Condition;
use super::pool::{Connection, Exclusive, Pool};
use super::resolve::Place;
use super::tls::Tls;
use crate::config::Protocol;
use crate::worker::Worker;

/// Connections for requests to an endpoint at one time, idle ones included.
const MOST_CONNECTIONS: usize = 1024;
/// Connections to an endpoint that are kept without a request, over all workers.
const MOST_IDLE: usize = 256;

/// One address.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) authority: Authority,
    /// The authority as a header.
    pub(super) host: HeaderValue,
    pub(super) place: Place,
    pub(super) protocol: Protocol,
    /// Of `https://`.
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) condition: Condition,
    /// Whether HTTP/2 was spoken on its last connection.
    speaks_http2: AtomicBool,
    /// Whether no new exchange will come, so that connections are not kept.
    is_retired: AtomicBool,
    /// Exchanges and sockets that run on it.
    pub(super) in_flight: AtomicUsize,
    /// Open connections.
    connections: AtomicUsize,
    /// Requests that wait for a connection because there may be no more.
    waiting: AtomicUsize,
    /// Notified of each connection that falls idle or ends while requests wait.
    freed: Notify,
    berths: Vec<Berth>,
    most_idle: usize,
}

/// A worker's place at an endpoint; apart from the next one's, so that they do not share a line of the processor's
/// cache.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Berth {
    pool: Mutex<Pool>,
    /// Whether a connection for many requests is being opened.
    is_opening: AtomicBool,
    /// Notified when it is not any more.
    opened: Notify,
}

impl Endpoint {
    pub(super) fn new(
        authority: Authority,
        protocol: Protocol,
        tls: Option<Arc<Tls>>,
        condition: Condition,
        workers: usize,
    ) -> Self {
        // An authority has only characters that a header may have.
        let host = HeaderValue::from_str(authority.as_str()).unwrap_or_else(|_| HeaderValue::from_static(""));
        Self {
            place: Place::new(&authority),
            authority,
            host,
            protocol,
            tls,
            condition,
            speaks_http2: AtomicBool::new(protocol == Protocol::H2),
            is_retired: AtomicBool::new(false),
            in_flight: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            freed: Notify::new(),
            berths: Worker::all(workers).map(|_| Berth::default()).collect(),
            most_idle: (MOST_IDLE / workers.max(1)).max(1),
        }
    }

    /// The worker's pool. Nobody else wants it but now and then.
    pub(super) fn pool(&self, worker: Worker) -> MutexGuard<'_, Pool> {
        self.berths[worker.index()].pool()
    }

    /// Keeps a connection for the worker's next request, or for one that waits.
    pub(super) fn keep(&self, worker: Worker, connection: Exclusive) {
        if self.place.has(connection.address) && !self.is_retired.load(Ordering::Relaxed) {
            self.pool(worker).keep(connection, self.most_idle, Instant::now());
        }
    }

    /// A connection of HTTP/2 was opened.
    pub(super) fn found_http2(&self) {
        self.speaks_http2.store(true, Ordering::Relaxed);
    }

    /// Whether one connection is most likely enough for many requests.
    pub(super) fn speaks_http2(&self) -> bool {
        self.speaks_http2.load(Ordering::Relaxed)
    }

    /// Begins to open a connection for many requests. Where another request of this worker does already, waits for it
    /// instead, until `limit`.
    pub(super) async fn begin(&self, worker: Worker, limit: Instant) -> Option<Opening<'_>> {
        let berth = &self.berths[worker.index()];
        let opened = berth.opened.notified();
        if berth.is_opening.swap(true, Ordering::AcqRel) {
            // Who has waited in vain opens one too, or finds that there is no time left.
            let _ = timeout_at(limit, opened).await;
            return None;
        }
        Some(Opening(berth))
    }

    /// Leave to open a connection; `None` where there are as many as there may be.
    pub(super) fn permit(self: &Arc<Self>) -> Option<Permit> {
        let more = |open| (open < MOST_CONNECTIONS).then_some(open + 1);
        self.connections.fetch_update(Ordering::SeqCst, Ordering::SeqCst, more).ok()?;
        Some(Permit(Arc::clone(self)))
    }

    /// Waits until another request has no more use for its connection, or leave to open one.
    pub(super) async fn freed(self: &Arc<Self>) -> Freed {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let _waits = Waits(self);
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if let Some(connection) = self.berths.iter().find_map(|berth| berth.pool().take()) {
                return Freed::Connection(connection);
            }
            if let Some(permit) = self.permit() {
                return Freed::Permit(permit);
            }
            freed.await;
        }
    }

    /// Lets a request that waits for a connection look again.
    pub(super) fn free(&self) {
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.freed.notify_one();
        }
    }

    /// Lets go of connections that nobody has used for long, and of those to addresses that are not its any more.
    pub(super) fn tidy(&self, unused: Duration, now: Instant) {
        self.berths.iter().for_each(|berth| berth.pool().tidy(unused, now, |address| self.place.has(address)));
    }

    /// Lets go of all connections that have no exchange, now and from now on.
    pub(super) fn retire(&self) {
        self.is_retired.store(true, Ordering::Relaxed);
        self.tidy(Duration::ZERO, Instant::now());
    }

    /// How many connections are open, and how many of them wait for a request.
    pub(super) fn connections(&self) -> (usize, usize) {
        (self.connections.load(Ordering::Relaxed), self.berths.iter().map(|berth| berth.pool().len()).sum())
    }
}

impl Berth {
    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection for many requests is being opened, until this is dropped.
#[derive(Debug)]
pub(super) struct Opening<'a>(&'a Berth);

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        self.0.is_opening.store(false, Ordering::Release);
        self.0.opened.notify_waiters();
    }
}

/// What a request has waited for.
#[derive(Debug)]
pub(super) enum Freed {
    Connection(Connection),
    Permit(Permit),
}

/// One of the connections that an endpoint may have; kept by the task that runs it.
#[derive(Debug)]
pub(super) struct Permit(Arc<Endpoint>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::SeqCst);
        self.0.free();
    }
}

struct Waits<'a>(&'a Endpoint);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}
