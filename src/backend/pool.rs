//! Connections to one endpoint that are open and take requests.
//!
//! Each worker has a pool of its own for every endpoint, so that a request takes a connection and gives it back without
//! meeting another worker. Only where an endpoint has as many connections as it may have do workers look into each
//! other's pools.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper::client::conn::{http1, http2};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::Body;

/// What can take a request.
#[derive(Debug)]
pub(super) enum Connection {
    /// A connection for one exchange at a time.
    Exclusive(Exclusive),
    /// One of the streams of a connection.
    Stream(Stream),
}

/// A connection of HTTP/1.1 that an exchange has for itself; dropped, it ends at once.
#[derive(Debug)]
pub(super) struct Exclusive {
    pub(super) sender: http1::SendRequest<Body>,
    task: Task,
    /// Its other end.
    pub(super) address: SocketAddr,
}

impl Exclusive {
    pub(super) fn new(sender: http1::SendRequest<Body>, task: AbortHandle, address: SocketAddr) -> Self {
        Self { sender, task: Task(Some(task)), address }
    }
}

/// The task of a connection. Left alone, it ends in good order when the connection's sender is gone.
#[derive(Debug)]
struct Task(Option<AbortHandle>);

impl Task {
    fn leave_alone(mut self) -> Option<AbortHandle> {
        self.0.take()
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

/// A connection of HTTP/2.
#[derive(Debug)]
pub(super) struct Shared {
    sender: http2::SendRequest<Body>,
    open: Arc<AtomicUsize>,
    /// How many streams the peer allows at one time.
    most: Arc<AtomicUsize>,
    /// Its other end.
    address: SocketAddr,
    /// When it was last seen in use.
    used: Instant,
}

impl Shared {
    pub(super) fn new(
        sender: http2::SendRequest<Body>,
        most: Arc<AtomicUsize>,
        address: SocketAddr,
        now: Instant,
    ) -> Self {
        Self { sender, open: Arc::default(), most, address, used: now }
    }

    fn has_room(&self) -> bool {
        self.open.load(Ordering::Relaxed) < self.most.load(Ordering::Relaxed)
    }

    /// Takes up one of its streams.
    pub(super) fn open(&mut self, now: Instant) -> Stream {
        self.used = now;
        self.open.fetch_add(1, Ordering::Relaxed);
        Stream { sender: self.sender.clone(), open: Arc::clone(&self.open) }
    }

    fn is_unused(&mut self, unused: Duration, now: Instant) -> bool {
        if self.open.load(Ordering::Relaxed) > 0 {
            self.used = now;
        }
        now.duration_since(self.used) >= unused
    }
}

/// One stream of a connection; counts as open until dropped.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) sender: http2::SendRequest<Body>,
    open: Arc<AtomicUsize>,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A worker's connections to an endpoint.
#[derive(Debug, Default)]
pub(super) struct Pool {
    /// The most recently used last.
    idle: VecDeque<Idle>,
    shared: Vec<Shared>,
}

/// A connection of HTTP/1.1 without a request; dropped, it ends in good order.
#[derive(Debug)]
struct Idle {
    sender: http1::SendRequest<Body>,
    task: Option<AbortHandle>,
    address: SocketAddr,
    since: Instant,
}

impl Pool {
    /// What can take a request now.
    pub(super) fn take(&mut self) -> Option<Connection> {
        match self.stream() {
            Some(stream) => Some(Connection::Stream(stream)),
            None => self.most_recent().map(Connection::Exclusive),
        }
    }

    /// A stream of the first connection that has room, so that those opened for a rush fall idle after it.
    fn stream(&mut self) -> Option<Stream> {
        if self.shared.is_empty() {
            return None;
        }
        self.shared.retain(|shared| !shared.sender.is_closed());
        let shared = self.shared.iter_mut().find(|shared| shared.has_room())?;
        Some(shared.open(Instant::now()))
    }

    /// The connection that was used last. One whose last exchange has not quite ended stays where it is.
    fn most_recent(&mut self) -> Option<Exclusive> {
        let mut at = self.idle.len();
        while at > 0 {
            at -= 1;
            let sender = &self.idle[at].sender;
            let (is_closed, is_ready) = (sender.is_closed(), sender.is_ready());
            if is_closed || is_ready {
                let Idle { sender, task, address, .. } = self.idle.remove(at)?;
                if !is_closed {
                    return Some(Exclusive { sender, task: Task(task), address });
                }
            }
        }
        None
    }

    /// Keeps a connection for the next request; of more than `most`, the one that was not used for longest goes.
    pub(super) fn keep(&mut self, connection: Exclusive, most: usize, now: Instant) {
        let Exclusive { sender, task, address } = connection;
        self.idle.push_back(Idle { sender, task: task.leave_alone(), address, since: now });
        if self.idle.len() > most {
            self.idle.pop_front();
        }
    }

    /// Adds a connection for many requests.
    pub(super) fn share(&mut self, shared: Shared) {
        self.shared.push(shared);
    }

    /// Lets go of what has ended, was not used for as long as `unused`, or leads where it should not any more.
    pub(super) fn tidy(&mut self, unused: Duration, now: Instant, leads_right: impl Fn(SocketAddr) -> bool) {
        self.idle.retain(|idle| {
            !idle.sender.is_closed() && now.duration_since(idle.since) < unused && leads_right(idle.address)
        });
        self.shared.retain_mut(|shared| {
            !shared.sender.is_closed() && !shared.is_unused(unused, now) && leads_right(shared.address)
        });
    }

    /// How many connections wait for a request.
    pub(super) fn len(&self) -> usize {
        self.idle.len() + self.shared.len()
    }
}
