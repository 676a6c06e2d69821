//! Sending a request to an endpoint and waiting for the head of its response, never for ever.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::uri::{self, PathAndQuery, Scheme, Uri};
use http::{HeaderMap, Method, Request, Response, header};
use hyper::body::Incoming;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::backend::{self, Body, Picked};
use crate::config::Timeouts;
use crate::failure::{Failure, Kind, Side};

use super::body::{self, Observer};
use super::exchange::Exchange;

/// A request as the backend will see it, but for its endpoint and body.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    /// Its method.
    pub(crate) method: Method,
    /// Its path and query.
    pub(crate) target: PathAndQuery,
    /// Its headers, but for `host`.
    pub(crate) headers: HeaderMap,
}

impl Outgoing {
    /// A request for one endpoint. `host` is the endpoint's: backends are addressed by the names that the
    /// configuration gives them; the client's is in `x-forwarded-host`.
    fn request(self, picked: &Picked, body: Body) -> Result<Request<Body>, Failure> {
        let mut uri = uri::Parts::default();
        uri.scheme = Some(Scheme::HTTP);
        uri.authority = Some(picked.authority().clone());
        uri.path_and_query = Some(self.target);
        let mut request = Request::new(body);
        *request.method_mut() = self.method;
        *request.uri_mut() = Uri::from_parts(uri).map_err(|e| bad_target(&e.into()))?;
        *request.headers_mut() = self.headers;
        super::headers::insert(request.headers_mut(), header::HOST, picked.authority().as_str());
        Ok(request)
    }
}

/// A target that is not one of HTTP's.
pub(crate) fn bad_target(error: &http::Error) -> Failure {
    Failure::new(Side::Client, Kind::BadRequest, "the translated request target is not a valid path and query")
        .because(error.to_string())
}

/// Sends a request. One without a body tries the next endpoint where a connection is refused; one with a body
/// is sent once.
pub(crate) async fn send(
    exchange: &Exchange,
    outgoing: Outgoing,
    body: Option<Body>,
) -> Result<(Response<Incoming>, Picked), Failure> {
    let backend = &exchange.backend;
    let mut picked = backend.pick();
    if body.is_none() {
        for _ in 1..backend.len() {
            match send_once(exchange, outgoing.clone(), &picked, None).await {
                Err(Failure { kind: Kind::Unreachable | Kind::ConnectTimeout, .. }) => {}
                result => return result.map(|response| (response, picked)),
            }
            picked = backend.pick_after(&picked);
        }
    }
    send_once(exchange, outgoing, &picked, body).await.map(|response| (response, picked))
}

async fn send_once(
    exchange: &Exchange,
    outgoing: Outgoing,
    picked: &Picked,
    body: Option<Body>,
) -> Result<Response<Incoming>, Failure> {
    let upload = Arc::new(Upload::new(body.is_some()));
    let body = match body {
        Some(body) => body::observe(body, Watcher(Arc::clone(&upload))),
        None => body::empty(),
    };
    let sending = exchange.backend.send(exchange.worker, outgoing.request(picked, body)?);
    let sent = wait(sending, &upload, &exchange.route.config.timeouts, exchange.deadline).await?;
    sent.map_err(|e| upload.failure().unwrap_or_else(|| backend::send_failure(&e, picked.authority())))
}

/// Waits for a response's head: as long as the request's body moves, and then for `response_head`.
async fn wait<T>(
    sending: impl Future<Output = T>,
    upload: &Upload,
    timeouts: &Timeouts,
    deadline: Option<Instant>,
) -> Result<T, Failure> {
    tokio::pin!(sending);
    loop {
        let (kind, until) = upload.patience(timeouts, deadline);
        tokio::select! {
            sent = &mut sending => return Ok(sent),
            () = upload.ended.notified() => {}
            () = sleep_until(until) => {
                // The body may have moved on since.
                if upload.patience(timeouts, deadline).1 <= Instant::now() {
                    return Err(late(kind));
                }
            }
        }
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
    fn new(has_body: bool) -> Self {
        let state = State { moved: Instant::now(), is_sending: has_body, is_waiting: false, failure: None };
        Self { state: Mutex::new(state), ended: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
        match deadline {
            Some(deadline) if deadline < until => (Kind::RequestTimeout, deadline),
            _ => (kind, until),
        }
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
