//! Sending a request to an endpoint and waiting for the head of its response, never for ever.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Request, Response};
use hyper::body::Incoming;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::backend::{Again, Body, Lease, Picked, Unanswered};
use crate::config::Timeouts;
use crate::failure::{Failure, Kind, Side};
use crate::telemetry::metrics;

use super::body::{self, Observer};
use super::exchange::Exchange;
use super::wire::Hints;

/// A request as the backend will see it, but for its endpoint and body.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    /// Its method.
    pub(crate) method: Method,
    /// Its path and query.
    pub(crate) target: PathAndQuery,
    /// Its headers. Without a `host`, it is the endpoint's.
    pub(crate) headers: HeaderMap,
    /// Where hints that come before the response go.
    pub(crate) hints: Option<Arc<Hints>>,
}

impl Outgoing {
    fn request(self, body: Body) -> Request<Body> {
        let mut request = Request::new(body);
        *request.method_mut() = self.method;
        *request.uri_mut() = self.target.into();
        *request.headers_mut() = self.headers;
        if let Some(hints) = self.hints {
            hints.listen(&mut request);
        }
        request
    }
}

/// A target that is not one of HTTP's.
pub(crate) fn bad_target(error: &http::Error) -> Failure {
    Failure::new(Side::Client, Kind::BadRequest, "the translated request target is not a valid path and query")
        .because(error.to_string())
}

/// Sends a request until an endpoint answers it, or nothing more may be tried.
pub(crate) async fn send(
    exchange: &Exchange,
    outgoing: Outgoing,
    body: Option<Body>,
) -> Result<(Response<Incoming>, Lease), Failure> {
    let upload = body.as_ref().map(|_| Arc::new(Upload::new()));
    let mut tries = Tries::new(exchange, &outgoing.method, upload.is_some());
    let body = match (body, &upload) {
        (Some(body), Some(upload)) => body::observe(body, Watcher(Arc::clone(upload))),
        _ => body::empty(),
    };
    let mut request = outgoing.request(body);
    loop {
        let mut lease = match tries.lease().await {
            Ok(lease) => lease,
            Err(failure) => {
                tries.after_refusal(failure)?;
                continue;
            }
        };
        let copy = tries.copy(&request, &lease);
        let sent = {
            // Pinned here: a future that is handed on has room in both.
            let sending = pin!(lease.send(request));
            match &upload {
                None => wait_for_head(exchange, sending).await,
                Some(upload) => wait(exchange, upload, sending).await,
            }
        };
        match sent {
            Err(late) => {
                lease.picked().failed(&late);
                return Err(late);
            }
            Ok(Ok(response)) => {
                lease.picked().answered();
                return Ok((response, lease));
            }
            Ok(Err(unanswered)) => {
                // What went wrong with the client's body is not the endpoint's fault.
                let cause = upload.as_ref().and_then(|upload| upload.failure());
                request = cause.map_or_else(|| tries.after(unanswered, &lease, copy), Err)?;
            }
        }
    }
}

/// What was tried for a request, and what may be.
struct Tries<'a> {
    exchange: &'a Exchange,
    next: Next,
    /// The endpoint that was asked last.
    asked: usize,
    /// How often the request may still be sent again.
    attempts: u32,
    /// Whether a reused connection was found to have ended, so that only a new one will do.
    was_stale: bool,
    has_body: bool,
    is_idempotent: bool,
}

/// Which endpoint is asked next.
enum Next {
    /// Any.
    Any,
    /// This one.
    Picked(Picked),
}

impl<'a> Tries<'a> {
    fn new(exchange: &'a Exchange, method: &Method, has_body: bool) -> Self {
        Self {
            exchange,
            next: Next::Any,
            asked: 0,
            attempts: exchange.backend.retries().attempts,
            was_stale: false,
            has_body,
            is_idempotent: method.is_idempotent(),
        }
    }

    /// A connection to the next endpoint.
    async fn lease(&mut self) -> Result<Lease, Failure> {
        let Exchange { backend, worker, deadline, .. } = self.exchange;
        let picked = match std::mem::replace(&mut self.next, Next::Any) {
            Next::Any => backend.pick(*worker)?,
            Next::Picked(picked) => picked,
        };
        self.asked = picked.index();
        let is_new = self.was_stale;
        let leasing = async {
            if is_new { backend.lease_new(picked, *worker).await } else { backend.lease(picked, *worker).await }
        };
        match deadline {
            None => leasing.await,
            Some(deadline) => timeout_at(*deadline, leasing).await.unwrap_or_else(|_| Err(late(Kind::RequestTimeout))),
        }
    }

    /// Has another endpoint asked, where one could not be reached: nothing of the request has been sent.
    fn after_refusal(&mut self, failure: Failure) -> Result<(), Failure> {
        let is_refusal =
            matches!(failure.kind, Kind::Unreachable | Kind::ConnectTimeout | Kind::BackendTls | Kind::Overloaded);
        if !is_refusal || !self.exchange.backend.retries().on_connect {
            return Err(failure);
        }
        let Some(other) = self.exchange.backend.pick_other(self.asked).filter(|_| self.attempts > 0) else {
            return Err(failure);
        };
        if !self.spend("connect") {
            return Err(failure);
        }
        self.attempts -= 1;
        self.next = Next::Picked(other);
        Ok(())
    }

    /// Takes a retry out of the budget, if there is one.
    fn spend(&self, why: &'static str) -> bool {
        let backend = &self.exchange.backend;
        let is_granted = backend.may_retry();
        let why = if is_granted { why } else { "over_budget" };
        metrics::backend_retry(&self.exchange.route.config.name, backend.name(), why);
        is_granted
    }

    /// What can be sent again if there is no answer: a request without a body, if it makes no difference when it is
    /// carried out twice, or if the connection tells whether it was carried out.
    fn copy(&self, request: &Request<Body>, lease: &Lease) -> Option<Request<Body>> {
        let is_worth_it = (self.attempts > 0 || lease.is_reused()) && self.exchange.backend.retries().on_reset;
        (is_worth_it && !self.has_body && (self.is_idempotent || lease.is_shared())).then(|| {
            let mut copy = Request::new(body::empty());
            copy.method_mut().clone_from(request.method());
            copy.uri_mut().clone_from(request.uri());
            copy.headers_mut().clone_from(request.headers());
            copy
        })
    }

    /// The request to send once more, where it may be.
    fn after(
        &mut self,
        unanswered: Unanswered,
        lease: &Lease,
        copy: Option<Request<Body>>,
    ) -> Result<Request<Body>, Failure> {
        let Unanswered { failure, again } = unanswered;
        // An endpoint may close an idle connection at any time; that says nothing about it.
        let is_stale = lease.is_reused() && !self.was_stale && !matches!(again, Again::Never);
        if !is_stale {
            lease.picked().failed(&failure);
        }
        let (request, is_free) = match again {
            Again::Unsent(request) => (Some(*request), is_stale),
            Again::Unprocessed => (copy, false),
            Again::Reset => (copy.filter(|_| self.is_idempotent), false),
            Again::Never => (None, false),
        };
        let Some(request) = request.filter(|_| is_stale || self.attempts > 0) else {
            return Err(failure);
        };
        let backend = &self.exchange.backend;
        if !(is_free || backend.retries().on_reset && self.spend("reset")) {
            return Err(failure);
        }
        if is_stale {
            self.was_stale = true;
            self.next = Next::Picked(backend.pick_again(self.asked));
        } else {
            self.attempts -= 1;
            let other = backend.pick_other(self.asked);
            self.next = Next::Picked(other.unwrap_or_else(|| backend.pick_again(self.asked)));
        }
        Ok(request)
    }
}

/// Waits for the head of the response to a request without a body.
async fn wait_for_head<T>(exchange: &Exchange, sending: Pin<&mut impl Future<Output = T>>) -> Result<T, Failure> {
    let until = Instant::now() + exchange.route.config.timeouts.response_head;
    let (kind, until) = earlier(Kind::ResponseHeadTimeout, until, exchange.deadline);
    exchange.timers.within(until, sending).await.ok_or_else(|| late(kind))
}

/// Waits for a response's head: as long as the request's body moves, and then for `response_head`.
async fn wait<T>(
    exchange: &Exchange,
    upload: &Upload,
    mut sending: Pin<&mut impl Future<Output = T>>,
) -> Result<T, Failure> {
    let timeouts = &exchange.route.config.timeouts;
    upload.begin();
    loop {
        let (kind, until) = upload.patience(timeouts, exchange.deadline);
        tokio::select! {
            sent = &mut sending => return Ok(sent),
            () = upload.ended.notified() => {}
            () = exchange.timers.until(until) => {
                // The body may have moved on since.
                if upload.patience(timeouts, exchange.deadline).1 <= Instant::now() {
                    return Err(late(kind));
                }
            }
        }
    }
}

/// The earlier of a time and the end of the exchange, and what it means that it has come.
fn earlier(kind: Kind, until: Instant, deadline: Option<Instant>) -> (Kind, Instant) {
    match deadline {
        Some(deadline) if deadline < until => (Kind::RequestTimeout, deadline),
        _ => (kind, until),
    }
}

fn late(kind: Kind) -> Failure {
    let (side, detail) = match kind {
        Kind::RequestTimeout => (Side::Legato, "the exchange did not end in time"),
        Kind::IdleTimeout => (Side::Backend, "the backend stopped reading the request's body"),
        _ => (Side::Backend, "the backend did not answer in time"),
    };
    Failure::new(side, kind, detail)
}

/// How far the request's body has come.
struct Upload {
    state: Mutex<State>,
    ended: Notify,
}

struct State {
    /// When a byte of the body was last taken, or when it had all been.
    moved: Instant,
    is_sending: bool,
    /// Whether the client is waited for; its own time limit is the body's.
    is_waiting: bool,
    failure: Option<Failure>,
}

impl Upload {
    fn new() -> Self {
        let state = State { moved: Instant::now(), is_sending: true, is_waiting: false, failure: None };
        Self { state: Mutex::new(state), ended: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection is there; the time that it took is not the body's.
    fn begin(&self) {
        self.state().moved = Instant::now();
    }

    /// Until when to wait, and what it means that nothing came until then.
    fn patience(&self, timeouts: &Timeouts, deadline: Option<Instant>) -> (Kind, Instant) {
        let state = self.state();
        let (kind, until) = if state.is_sending {
            let since = if state.is_waiting { Instant::now() } else { state.moved };
            (Kind::IdleTimeout, since + timeouts.idle)
        } else {
            (Kind::ResponseHeadTimeout, state.moved + timeouts.response_head)
        };
        earlier(kind, until, deadline)
    }

    /// Why the body could not be completed: the cause of whatever the connection says about it.
    fn failure(&self) -> Option<Failure> {
        self.state().failure.take()
    }

    fn end(&self, failure: Option<Failure>) {
        let mut state = self.state();
        if state.is_sending {
            *state = State { moved: Instant::now(), is_sending: false, is_waiting: false, failure };
            drop(state);
            self.ended.notify_one();
        }
    }
}

/// Tells an [`Upload`] about its body.
struct Watcher(Arc<Upload>);

impl Observer for Watcher {
    fn waiting(&mut self) {
        self.0.state().is_waiting = true;
    }

    fn bytes(&mut self, _: usize) {
        let mut state = self.0.state();
        state.is_waiting = false;
        state.moved = Instant::now();
    }

    fn end(&mut self, outcome: Result<(), &Failure>) {
        self.0.end(outcome.err().cloned());
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        // A backend that answers early reads no more of the body.
        self.0.end(None);
    }
}
