//! Opening a socket on both sides (RFC 6455 section 4).

use std::sync::Arc;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::ext::Protocol;
use hyper::upgrade::OnUpgrade;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::backend::{Body, Lease};
use crate::failure::{Failure, Kind, Side, causes};
use crate::http::exchange::Exchange;
use crate::http::send::Outgoing;
use crate::http::server::Slot;
use crate::http::{Plane, body, headers, respond};

use super::extensions::Extensions;
use super::first::Waiting;
use super::session::{BackendLeg, Legs, Session};
use super::wire::Compression;

/// The handshake's own headers: each leg has its own.
const LEG: [HeaderName; 4] =
    [header::SEC_WEBSOCKET_KEY, header::SEC_WEBSOCKET_VERSION, header::SEC_WEBSOCKET_ACCEPT, header::CONTENT_LENGTH];

/// A client's request that may become a socket.
pub(crate) struct Handshake {
    /// What the client's key has to be answered with; on HTTP/2 there is none.
    accept: Option<String>,
    version: Version,
    upgrade: OnUpgrade,
    slot: Option<Slot>,
}

/// A client's connection that becomes a socket once it has read the answer.
pub(crate) struct Accepted {
    pub(crate) upgrade: OnUpgrade,
    /// What was agreed on with the client.
    pub(crate) compression: Option<Compression>,
    /// It counts as open until the socket ends.
    pub(crate) slot: Option<Slot>,
}

/// What the backend made of it.
pub(crate) enum Opened {
    /// A socket: the answer for the client, and what runs after it.
    Socket(Response<Body>, Box<Session>),
    /// Its refusal, for the client to hear.
    Refused(Response<Body>),
}

impl Handshake {
    /// Checks a request to become a socket.
    ///
    /// # Errors
    /// [`Kind::BadHandshake`]; [`Kind::UpgradeRequired`] for another version than 13.
    pub(crate) fn check(head: &Parts, upgrade: OnUpgrade) -> Result<Self, Failure> {
        let slot = head.extensions.get().cloned();
        if head.version == Version::HTTP_2 && head.extensions.get::<Protocol>().is_some() {
            check_version(head)?;
            return Ok(Self { accept: None, version: head.version, upgrade, slot });
        }
        if head.method != Method::GET || head.version != Version::HTTP_11 {
            return Err(bad("expected GET of HTTP/1.1, or an extended CONNECT of HTTP/2"));
        }
        if !headers::tokens(&head.headers, &header::CONNECTION).any(|t| t.eq_ignore_ascii_case("upgrade")) {
            return Err(bad("expected `upgrade` in the connection header"));
        }
        check_version(head)?;
        let key = only(&head.headers, &header::SEC_WEBSOCKET_KEY).filter(|k| is_key(k));
        let key = key.ok_or_else(|| bad("expected 16 bytes in base64 in one sec-websocket-key header"))?;
        Ok(Self { accept: Some(derive_accept_key(key.as_bytes())), version: head.version, upgrade, slot })
    }

    /// Opens the backend's side.
    ///
    /// # Errors
    /// As the backend cannot be reached, or answers with what is no handshake.
    pub(crate) async fn open(
        self,
        plane: &Arc<Plane>,
        exchange: &Exchange,
        path_and_query: &str,
        outgoing: Outgoing,
    ) -> Result<Opened, Failure> {
        let path = path_and_query.split('?').next().unwrap_or(path_and_query);
        let is_translated = exchange.pair().socket(path).is_some();
        let mut extensions = Extensions::new(plane, exchange, &outgoing.headers, is_translated);
        let lease = connect(exchange).await?;
        let (backend, answer) = match shake(exchange, lease, outgoing, &mut extensions).await? {
            Shaken::Socket(backend, answer) => (backend, answer),
            Shaken::Refused(response, _) if self.version == Version::HTTP_2 && response.status().is_success() => {
                // On HTTP/2 this would open a socket.
                return Err(bad_answer("it is an answer to another request"));
            }
            Shaken::Refused(response, lease) => return refusal(exchange, *response, *lease).map(Opened::Refused),
        };
        let (answer, compression) = self.answer(exchange, &answer, extensions);
        let legs = Legs { client: self.upgrade, client_compression: compression, slot: self.slot, backend };
        let session = Session::new(plane, exchange, legs, path.to_owned());
        Ok(Opened::Socket(answer, Box::new(session)))
    }

    /// The answer for a client whose backend is asked later, and what waits for its first message. Of the subprotocols
    /// that the client offers, the first is answered, and the backend is offered no other.
    pub(crate) fn wait(self, plane: &Arc<Plane>, exchange: Exchange, mut head: Parts) -> (Response<Body>, Waiting) {
        let mut extensions = Extensions::new(plane, &exchange, &head.headers, true);
        let mut response = respond::switching(self.version);
        let to = response.headers_mut();
        let compression = extensions.answer(to);
        let protocol = headers::tokens(&head.headers, &header::SEC_WEBSOCKET_PROTOCOL).next().map(str::to_owned);
        if let Some(protocol) = protocol {
            headers::insert(to, header::SEC_WEBSOCKET_PROTOCOL, &protocol);
            headers::insert(&mut head.headers, header::SEC_WEBSOCKET_PROTOCOL, &protocol);
        }
        exchange.stamp(to);
        self.switch(to);
        let client = Accepted { upgrade: self.upgrade, compression, slot: self.slot };
        (response, Waiting { plane: Arc::clone(plane), exchange, head, client, extensions })
    }

    /// The answer for a client whose socket is not the backend's, and the connection that becomes that socket.
    pub(crate) fn accept(self, extensions: &mut Extensions) -> (Response<Body>, Accepted) {
        let mut response = respond::switching(self.version);
        let compression = extensions.answer(response.headers_mut());
        self.switch(response.headers_mut());
        (response, Accepted { upgrade: self.upgrade, compression, slot: self.slot })
    }

    /// Adds what makes an answer one to this handshake.
    fn switch(&self, to: &mut HeaderMap) {
        if let Some(accept) = &self.accept {
            upgrade_headers(to);
            headers::insert(to, header::SEC_WEBSOCKET_ACCEPT, accept);
        }
    }

    /// The answer for the client, with what else the backend says in its own.
    fn answer(
        &self,
        exchange: &Exchange,
        backend: &HeaderMap,
        mut extensions: Extensions,
    ) -> (Response<Body>, Option<Compression>) {
        let mut response = respond::switching(self.version);
        let to = response.headers_mut();
        to.clone_from(backend);
        headers::remove_hop_by_hop(to);
        for name in &LEG {
            to.remove(name);
        }
        let chosen = only(backend, &header::SEC_WEBSOCKET_PROTOCOL);
        to.remove(header::SEC_WEBSOCKET_PROTOCOL);
        if let Some(name) = exchange.api.resolver.answer_subprotocol(&exchange.resolved, chosen) {
            headers::insert(to, header::SEC_WEBSOCKET_PROTOCOL, &name);
        }
        headers::add_via(to, Version::HTTP_11);
        let compression = extensions.answer(to);
        self.switch(to);
        (response, compression)
    }
}

/// What the backend made of a request that is this proxy's own.
pub(crate) enum Dialed {
    /// A socket, and what else the backend said.
    Socket(BackendLeg, HeaderMap),
    /// Its refusal.
    Refused(Response<Body>),
}

/// Opens a connection to the backend that is to become a socket.
///
/// # Errors
/// As no endpoint can be reached.
pub(crate) async fn reserve(exchange: &Exchange) -> Result<Lease, Failure> {
    connect(exchange).await
}

/// Opens a socket of this proxy's own to the backend.
///
/// # Errors
/// As the backend answers with what is no handshake.
pub(crate) async fn dial(
    exchange: &Exchange,
    lease: Lease,
    mut outgoing: Outgoing,
    mut extensions: Extensions,
) -> Result<Dialed, Failure> {
    outgoing.headers.remove(header::SEC_WEBSOCKET_PROTOCOL);
    match shake(exchange, lease, outgoing, &mut extensions).await? {
        Shaken::Socket(backend, headers) => Ok(Dialed::Socket(backend, headers)),
        Shaken::Refused(response, lease) => refusal(exchange, *response, *lease).map(Dialed::Refused),
    }
}

/// What a backend made of a handshake.
pub(super) enum Shaken {
    /// A socket, and what else it said.
    Socket(BackendLeg, HeaderMap),
    /// Its refusal.
    Refused(Box<Response<Incoming>>, Box<Lease>),
}

/// Opens a socket to the backend.
///
/// # Errors
/// As the backend answers with what is no handshake.
pub(super) async fn shake(
    exchange: &Exchange,
    mut lease: Lease,
    outgoing: Outgoing,
    extensions: &mut Extensions,
) -> Result<Shaken, Failure> {
    let key = generate_key();
    let mut response = ask(exchange, &mut lease, request(outgoing, &key, extensions)).await?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(Shaken::Refused(Box::new(response), Box::new(lease)));
    }
    check_answer(response.headers(), &key)?;
    let compression = extensions.agreed(response.headers()).map_err(bad_answer)?;
    let upgraded = hyper::upgrade::on(&mut response).await.map_err(|e| bad_answer("no socket").because(causes(&e)))?;
    let backend = BackendLeg { upgraded, compression, picked: lease.into_picked() };
    Ok(Shaken::Socket(backend, std::mem::take(response.headers_mut())))
}

/// A header's value, where it stands once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?.trim();
    values.next().is_none().then_some(value)
}

/// Whether this is the base64 of 16 bytes: 22 digits, of which the last holds only two bits, and padding.
fn is_key(key: &str) -> bool {
    let Some(digits) = key.strip_suffix("==") else {
        return false;
    };
    digits.len() == 22
        && digits.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/')
        && digits.ends_with(['A', 'Q', 'g', 'w'])
}

fn check_version(head: &Parts) -> Result<(), Failure> {
    match only(&head.headers, &header::SEC_WEBSOCKET_VERSION) {
        Some("13") => Ok(()),
        Some(_) => Err(wrong_version()),
        None => Err(bad("expected one sec-websocket-version header")),
    }
}

fn bad(detail: &str) -> Failure {
    Failure::new(Side::Client, Kind::BadHandshake, detail)
}

fn wrong_version() -> Failure {
    Failure::new(Side::Client, Kind::UpgradeRequired, "expected version 13 of the WebSocket protocol")
}

fn bad_answer(detail: &str) -> Failure {
    Failure::new(Side::Backend, Kind::BadResponse, format!("the backend's WebSocket handshake is not valid: {detail}"))
}

fn upgrade_headers(headers: &mut HeaderMap) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
}

/// The request for the backend.
fn request(outgoing: Outgoing, key: &str, extensions: &Extensions) -> Request<Body> {
    let mut request = Request::new(body::empty());
    *request.uri_mut() = outgoing.target.into();
    let to = request.headers_mut();
    *to = outgoing.headers;
    for name in &LEG {
        to.remove(name);
    }
    extensions.offer(to);
    upgrade_headers(to);
    headers::insert(to, header::SEC_WEBSOCKET_KEY, key);
    to.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    request
}

/// Opens a connection to an endpoint; to the next one where it is refused.
async fn connect(exchange: &Exchange) -> Result<Lease, Failure> {
    let backend = &exchange.backend;
    let picked = backend.pick(exchange.worker)?;
    let index = picked.index();
    let failure = match backend.lease_socket(picked, exchange.worker).await {
        Ok(lease) => return Ok(lease),
        Err(failure) => failure,
    };
    let retries = backend.retries();
    match backend.pick_other(index).filter(|_| retries.on_connect && retries.attempts > 0 && backend.may_retry()) {
        Some(other) => backend.lease_socket(other, exchange.worker).await,
        None => Err(failure),
    }
}

/// Sends the request and waits for the answer's head.
async fn ask(exchange: &Exchange, lease: &mut Lease, request: Request<Body>) -> Result<Response<Incoming>, Failure> {
    let limit = exchange.route.config.timeouts.response_head;
    match tokio::time::timeout(limit, lease.send(request)).await {
        Ok(Ok(response)) => {
            lease.picked().answered();
            Ok(response)
        }
        Ok(Err(unanswered)) => {
            lease.picked().failed(&unanswered.failure);
            Err(unanswered.failure)
        }
        Err(_) => {
            let detail = "the backend did not answer the WebSocket handshake in time";
            Err(Failure::new(Side::Backend, Kind::ResponseHeadTimeout, detail))
        }
    }
}

fn check_answer(headers: &HeaderMap, key: &str) -> Result<(), Failure> {
    if only(headers, &header::SEC_WEBSOCKET_ACCEPT) != Some(derive_accept_key(key.as_bytes()).as_str()) {
        return Err(bad_answer("its accept key is not that of the request"));
    }
    Ok(())
}

fn refusal(exchange: &Exchange, response: Response<Incoming>, lease: Lease) -> Result<Response<Body>, Failure> {
    let (mut head, incoming) = response.into_parts();
    headers::remove_hop_by_hop(&mut head.headers);
    headers::add_via(&mut head.headers, head.version);
    Ok(Response::from_parts(head, body::from_backend(incoming, exchange.bounds(), lease)?))
}

#[cfg(test)]
mod tests {
    use super::is_key;

    #[test]
    fn a_key_is_16_bytes_in_base64() {
        assert!(is_key("dGhlIHNhbXBsZSBub25jZQ=="));
        for bad in [
            "",
            "dGhlIHNhbXBsZSBub25jZQ",
            "dGhlIHNhbXBsZSBub25jZR==",
            "dGhlIHNhbXBsZSBub25j",
            "dGhl IHNhbXBsZSBub25jZQ==",
            "AAAAAAAAAAAAAAAAAAAAAAAAAA==",
        ] {
            assert!(!is_key(bad), "{bad:?}");
        }
    }
}
