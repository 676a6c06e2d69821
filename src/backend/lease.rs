//! A connection on loan to one exchange.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::Either;
use http::uri::{Authority, Parts, Scheme, Uri};
use http::{HeaderValue, Request, Response, header};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use tokio::time::{Instant, timeout};

use super::connect::{self, Opened};
use super::endpoint::{Endpoint, Freed};
use super::pool::Connection;
use super::{Body, Picked, fault, length};
use crate::failure::Failure;
use crate::worker::Worker;

/// A connection that one exchange has the use of, until its response has been read to the end. Dropped before that, a
/// connection of HTTP/1.1 is closed and a stream of HTTP/2 is reset.
#[derive(Debug)]
pub struct Lease {
    // Free before those that wait for it are told.
    connection: Connection,
    picked: Picked,
    worker: Worker,
    is_reused: bool,
}

/// A request that no response came to.
#[derive(Debug)]
pub struct Unanswered {
    /// What it means.
    pub failure: Failure,
    /// Whether the request may be sent again.
    pub again: Again,
}

/// Whether an unanswered request may be sent again.
#[derive(Debug)]
pub enum Again {
    /// Nothing of it was sent; here it is.
    Unsent(Box<Request<Body>>),
    /// The endpoint says that it has not looked at it.
    Unprocessed,
    /// The connection ended before the response; the endpoint may have carried the request out.
    Reset,
    /// There was an answer, and it was bad.
    Never,
}

impl Lease {
    /// The endpoint's `host:port`.
    #[must_use]
    pub fn authority(&self) -> &http::uri::Authority {
        self.picked.authority()
    }

    /// Takes a connection to an endpoint: the worker's most recently used, or a new one.
    ///
    /// # Errors
    /// As a new one cannot be opened.
    pub(super) async fn take(picked: Picked, worker: Worker, connect: Duration) -> Result<Self, Failure> {
        let pooled = picked.endpoint.pool(worker).take();
        if let Some(connection) = pooled {
            return Ok(Self { connection, picked, worker, is_reused: true });
        }
        // Boxed, so that the futures of requests that find a connection are not as large as those that open one.
        let opened = Box::pin(open(&picked.endpoint, worker, connect)).await;
        let (connection, is_reused) = opened.inspect_err(|failure| picked.failed(failure))?;
        Ok(Self { connection, picked, worker, is_reused })
    }

    /// Opens a connection that no exchange has used.
    ///
    /// # Errors
    /// As it cannot be opened.
    pub(super) async fn fresh(picked: Picked, worker: Worker, connect: Duration) -> Result<Self, Failure> {
        let opened = Box::pin(open_new(&picked.endpoint, worker, connect)).await;
        let (connection, is_reused) = opened.inspect_err(|failure| picked.failed(failure))?;
        Ok(Self { connection, picked, worker, is_reused })
    }

    /// Opens a connection for a request that may make a socket of it.
    ///
    /// # Errors
    /// As it cannot be opened.
    pub(super) async fn socket(picked: Picked, worker: Worker, connect: Duration) -> Result<Self, Failure> {
        let opened = connect::open_socket(&picked.endpoint, connect).await;
        let exclusive = opened.inspect_err(|failure| picked.failed(failure))?;
        Ok(Self { connection: Connection::Exclusive(exclusive), picked, worker, is_reused: false })
    }

    /// The endpoint.
    #[must_use]
    pub fn picked(&self) -> &Picked {
        &self.picked
    }

    /// The endpoint, which the socket that has become of the connection keeps busy.
    #[must_use]
    pub fn into_picked(self) -> Picked {
        self.picked
    }

    /// Whether other exchanges have used the connection before, so that the endpoint may be about to close it.
    #[must_use]
    pub fn is_reused(&self) -> bool {
        self.is_reused
    }

    /// Sends a request whose target is a path, and waits for the response's head.
    ///
    /// # Errors
    /// What became of the request.
    pub fn send(&mut self, request: Request<Body>) -> impl Future<Output = Result<Response<Incoming>, Unanswered>> {
        let has_host = request.headers().contains_key(header::HOST);
        let sending = send(&self.picked.endpoint, &mut self.connection, request);
        #[expect(
            clippy::result_large_err,
            reason = "a request that may be sent again is handed back, as hyper hands it"
        )]
        let told = move |sent: Result<Response<Incoming>, _>| match sent {
            Ok(response) => match length::check(response.headers()) {
                Ok(()) => Ok(response),
                Err(why) => {
                    let failure = fault::bad_response(&self.picked.endpoint, why);
                    Err(Unanswered { failure, again: Again::Never })
                }
            },
            Err(error) => Err(self.unanswered(error, has_host)),
        };
        sending.map(told)
    }

    fn unanswered(&self, mut error: TrySendError<Request<Body>>, has_host: bool) -> Unanswered {
        let again = match error.take_message() {
            Some(request) => Again::Unsent(Box::new(unaddressed(request, has_host))),
            None if fault::is_unprocessed(error.error()) => Again::Unprocessed,
            None if fault::is_reset(error.error()) => Again::Reset,
            None => Again::Never,
        };
        Unanswered { failure: fault::no_answer(&self.picked.endpoint, error.error()), again }
    }

    /// Whether the connection carries other exchanges at the same time.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(self.connection, Connection::Stream(_))
    }

    /// The response broke off, or stalled.
    pub fn break_off(self, failure: &Failure) {
        self.picked.endpoint.condition.failed(failure, true);
    }

    /// Gives the connection back: the response has been read to its end.
    pub fn finish(self) {
        self.picked.endpoint.condition.ended();
        if let Connection::Exclusive(exclusive) = self.connection
            && !exclusive.sender.is_closed()
        {
            self.picked.endpoint.keep(self.worker, exclusive);
        }
    }
}

/// Sends a request whose target is a path over a connection to an endpoint; without a `host`, to the endpoint's own.
///
/// The connection has the request when this returns, so that what waits for the response has no room for it.
pub(super) fn send(
    endpoint: &Endpoint,
    connection: &mut Connection,
    mut request: Request<Body>,
) -> impl Future<Output = Result<Response<Incoming>, TrySendError<Request<Body>>>> + use<> {
    match connection {
        Connection::Exclusive(exclusive) => {
            if !request.headers().contains_key(header::HOST) {
                request.headers_mut().insert(header::HOST, endpoint.host.clone());
            }
            Either::Left(exclusive.sender.try_send_request(request))
        }
        Connection::Stream(stream) => {
            let host = request.headers_mut().remove(header::HOST);
            *request.uri_mut() = absolute(endpoint, host.as_ref(), std::mem::take(request.uri_mut()));
            Either::Right(stream.sender.try_send_request(request))
        }
    }
}

/// The target with the authority that is asked for, or the endpoint's, as HTTP/2 has it.
fn absolute(endpoint: &Endpoint, host: Option<&HeaderValue>, target: Uri) -> Uri {
    let asked = host.and_then(|host| Authority::try_from(host.as_bytes()).ok());
    let mut parts = Parts::from(target);
    parts.scheme = Some(if endpoint.tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP });
    parts.authority = Some(asked.unwrap_or_else(|| endpoint.authority.clone()));
    // All three parts are there, which is all that is asked of them.
    Uri::from_parts(parts).unwrap_or_default()
}

/// A request that was addressed to an endpoint, as it was before, so that it can be sent to another.
fn unaddressed(mut request: Request<Body>, has_host: bool) -> Request<Body> {
    let Parts { authority, path_and_query, .. } = Parts::from(std::mem::take(request.uri_mut()));
    *request.uri_mut() = path_and_query.map(Uri::from).unwrap_or_default();
    match authority.and_then(|authority| HeaderValue::from_str(authority.as_str()).ok()) {
        // Over HTTP/2 the target took it.
        Some(authority) if has_host => drop(request.headers_mut().insert(header::HOST, authority)),
        None if has_host => {}
        Some(_) | None => drop(request.headers_mut().remove(header::HOST)),
    }
    request
}

/// Opens a connection, or waits for one: another request's of this worker that opens one for many, or any where there
/// are as many as there may be. Whether it was used before.
async fn open(endpoint: &Arc<Endpoint>, worker: Worker, timeout: Duration) -> Result<(Connection, bool), Failure> {
    let limit = Instant::now() + timeout;
    while endpoint.speaks_http2() && Instant::now() < limit {
        if let Some(_opening) = endpoint.begin(worker, limit).await {
            return open_new(endpoint, worker, timeout).await;
        }
        let shared = endpoint.pool(worker).take();
        if let Some(connection) = shared {
            return Ok((connection, false));
        }
    }
    open_new(endpoint, worker, timeout).await
}

async fn open_new(endpoint: &Arc<Endpoint>, worker: Worker, limit: Duration) -> Result<(Connection, bool), Failure> {
    let permit = match room(endpoint, limit).await? {
        Freed::Permit(permit) => permit,
        Freed::Connection(connection) => return Ok((connection, true)),
    };
    let connection = match connect::open(endpoint, Some(permit), limit).await? {
        Opened::One(exclusive) => Connection::Exclusive(exclusive),
        Opened::Many(mut shared) => {
            let stream = shared.open(Instant::now());
            endpoint.pool(worker).share(shared);
            Connection::Stream(stream)
        }
    };
    Ok((connection, false))
}

/// Leave to open a connection, or one that is open where there may be no more.
async fn room(endpoint: &Arc<Endpoint>, limit: Duration) -> Result<Freed, Failure> {
    match endpoint.permit() {
        Some(permit) => Ok(Freed::Permit(permit)),
        None => timeout(limit, endpoint.freed()).await.map_err(|_| fault::overloaded(endpoint)),
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt as _, Empty};

    use super::*;

    #[test]
    fn a_request_that_was_not_sent_is_as_it_was() {
        let cases = [
            // Over HTTP/1.1 and HTTP/2, for the client's host and for the endpoint's own.
            ("/a?b", Some("client.example"), true, Some("client.example")),
            ("/a?b", Some("endpoint:80"), false, None),
            ("http://client.example/a?b", None, true, Some("client.example")),
            ("http://endpoint:80/a?b", None, false, None),
        ];
        for (target, host, has_host, want) in cases {
            let mut sent: Request<Body> = Request::new(Empty::new().map_err(|never| match never {}).boxed_unsync());
            *sent.uri_mut() = target.parse().unwrap();
            if let Some(host) = host {
                sent.headers_mut().insert(header::HOST, host.parse().unwrap());
            }
            let before = unaddressed(sent, has_host);
            let host = before.headers().get(header::HOST).map(|host| host.to_str().unwrap());
            assert_eq!((before.uri().to_string().as_str(), host), ("/a?b", want), "{target}");
        }
    }
}
