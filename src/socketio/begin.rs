//! How a session begins: the request for the backend, and the answer for the client once it is known.

use std::sync::Arc;
use std::time::Duration;

use http::header::{HeaderValue, SET_COOKIE};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Response, StatusCode};
use tokio::sync::{mpsc, oneshot};

use crate::backend::Body;
use crate::bridge::{FrontSettings, Rules, Session, Settings, chosen_from_query};
use crate::config::{PollingText, SocketIo, SocketIoBackend};
use crate::failure::{Failure, Kind, Side};
use crate::framing::Generation;
use crate::framing::engineio::payload::Dialect;
use crate::framing::socketio::Limits;
use crate::http::exchange::{self, Exchange};
use crate::http::record::Recorder;
use crate::http::respond::{self, EngineIoError};
use crate::http::send::{self, Outgoing};
use crate::http::{Plane, headers, request};
use crate::ws;

use super::Answer;
use super::asked::{self, Asked};
use super::driver::{Driver, NotOpened, Opened};
use super::polls::{self, Polled};
use super::table::{COMMANDS, Handle, Named};

/// Attachments of one packet; servers allow ten by default.
const ATTACHMENTS: usize = 256;
/// How long a closing session waits for a poll.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(30);

/// A session that has begun.
struct Begun {
    handle: Handle,
    opened: oneshot::Receiver<Opened>,
}

/// Begins a session with a poll.
pub(super) async fn on_polls(
    plane: &Arc<Plane>,
    exchange: &Arc<Exchange>,
    asked: &Asked,
    head: &mut Parts,
) -> Result<Response<Body>, Failure> {
    let (reply, polled) = oneshot::channel();
    let begun = begin(plane, exchange, asked, head, ws::Extensions::None, Some(reply)).await?;
    let cookies = match outcome(begun.opened.await)? {
        Ok(cookies) => cookies,
        Err(refusal) if refusal.status() == StatusCode::FORBIDDEN => {
            return Ok(respond::engineio(EngineIoError::Forbidden));
        }
        Err(refusal) => return Ok(refusal),
    };
    let packets = polled.await.ok().flatten().ok_or_else(gone)?;
    let mut response = polls::batch(&begun.handle, &packets, asked.callback.as_deref());
    add_cookies(&mut response, cookies);
    Ok(response)
}

/// Begins a session with a WebSocket.
pub(super) async fn on_socket(
    plane: &Arc<Plane>,
    exchange: &Arc<Exchange>,
    asked: &Asked,
    head: &mut Parts,
    handshake: ws::Handshake,
    recorder: &mut Option<Recorder>,
) -> Result<Answer, Failure> {
    let limit = exchange.route.config.limits.contexts;
    let mut extensions = ws::Extensions::own(plane, limit, &head.headers);
    let (mut response, connection) = handshake.accept(&mut extensions);
    let begun = begin(plane, exchange, asked, head, extensions, None).await?;
    let cookies = match outcome(begun.opened.await)? {
        Ok(cookies) => cookies,
        Err(refusal) => return Ok(Answer::Message(refusal)),
    };
    add_cookies(&mut response, cookies);
    let is_there = begun.handle.attach(response.status(), connection, recorder).await;
    if is_there { Ok(Answer::Socket(response)) } else { Err(gone()) }
}

/// Tells a backend's refusal, which is the answer, from what went wrong.
fn outcome(
    opened: Result<Opened, oneshot::error::RecvError>,
) -> Result<Result<Vec<HeaderValue>, Response<Body>>, Failure> {
    match opened {
        Ok(Ok(cookies)) => Ok(Ok(cookies)),
        Ok(Err(NotOpened::Refused(response))) => Ok(Err(*response)),
        Ok(Err(NotOpened::Failed(failure))) => Err(*failure),
        Err(_) => Err(gone()),
    }
}

fn gone() -> Failure {
    Failure::new(Side::Backend, Kind::BadResponse, "the session ended before it was open")
}

/// Adds the backend's cookies, but for that which names its own session.
fn add_cookies(response: &mut Response<Body>, cookies: Vec<HeaderValue>) {
    for cookie in cookies.into_iter().filter(|cookie| !cookie.as_bytes().starts_with(b"io=")) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
}

async fn begin(
    plane: &Arc<Plane>,
    exchange: &Arc<Exchange>,
    asked: &Asked,
    head: &mut Parts,
    extensions: ws::Extensions,
    poll: Option<oneshot::Sender<Polled>>,
) -> Result<Begun, Failure> {
    let Some(config) = &exchange.route.config.socketio else { return Err(gone()) };
    let api = &exchange.route.config.name;
    let seat = plane.sessions.enter(api, config.sessions).ok_or_else(|| {
        Failure::new(Side::Legato, Kind::Overloaded, "there are as many Socket.IO sessions as may be")
    })?;
    let (path, settings) = (Arc::from(head.uri.path()), settings(exchange, config, asked, head, poll.is_none()));
    let outgoing = outgoing(exchange, settings.backend, head)?;

    // A backend that nobody can connect to is told at once, whenever the rest of its handshake is.
    let lease = ws::reserve(exchange).await?;
    let rules = Rules {
        api: Arc::clone(&exchange.api),
        client: exchange.resolved.version,
        backend: exchange.speaks,
        limits: exchange.message_limits(),
    };
    let (commands, waiting) = mpsc::channel(COMMANDS);
    let handle = Handle {
        path,
        generation: asked.generation,
        binary: asked.binary,
        dialect: dialect(config),
        limit: exchange.route.config.limits.message,
        contexts: exchange.route.config.limits.contexts,
        origins: config.origins.as_deref().map(Arc::from),
        named: Arc::new(named(exchange)),
        commands,
    };
    let (opened, outcome) = oneshot::channel();
    let session = Session::new(settings, rules, sid());
    let driver = Driver::new(Arc::clone(plane), Arc::clone(exchange), session, seat, handle.clone(), waiting)
        .opening(opened, poll)
        .dialing(lease, outgoing, extensions);
    plane.tasks.spawn(driver.run());
    Ok(Begun { handle, opened: outcome })
}

fn dialect(config: &SocketIo) -> Dialect {
    match config.polling_text {
        PollingText::Once => Dialect::Once,
        PollingText::Twice => Dialect::Twice,
    }
}

fn named(exchange: &Exchange) -> Named {
    Named {
        api: Arc::clone(&exchange.route.name),
        client_version: Arc::clone(&exchange.client_version().label),
        backend: Arc::clone(exchange.backend.name()),
        backend_version: Arc::clone(&exchange.backend_version().label),
    }
}

fn settings(exchange: &Exchange, config: &SocketIo, asked: &Asked, head: &Parts, begins_on_socket: bool) -> Settings {
    let limits = &exchange.route.config.limits;
    Settings {
        client: asked.generation,
        backend: match config.backend {
            SocketIoBackend::Eio3 => Generation::Eio3,
            SocketIoBackend::Eio4 => Generation::Eio4,
        },
        binary: asked.binary,
        begins_on_socket,
        upgrades: true,
        front: FrontSettings {
            upgrade_timeout: config.upgrade_timeout,
            close_timeout: CLOSE_TIMEOUT,
            batch: config.batch,
            // One packet of the greatest size may come when the queue is nearly full.
            queue: limits.message.saturating_mul(2),
        },
        ping_interval: config.ping_interval,
        ping_timeout: config.ping_timeout,
        max_payload: config.max_payload,
        open_timeout: config.open_timeout,
        join_timeout: config.join_timeout,
        limits: Limits { bytes: limits.message, attachments: ATTACHMENTS, depth: limits.depth },
        credentials: chosen_from_query(head.uri.query().unwrap_or_default().as_bytes(), &config.auth_from_query),
    }
}

/// The request for the backend: the client's own, as one that opens a WebSocket of the backend's generation.
fn outgoing(exchange: &Exchange, backend: Generation, head: &mut Parts) -> Result<Outgoing, Failure> {
    let path = exchange.resolved.path.as_deref().unwrap_or(head.uri.path()).to_owned();
    let query = asked::of_application(head.uri.query().unwrap_or_default());
    let separator = if query.is_empty() { "" } else { "&" };
    let target = format!("{path}?{query}{separator}EIO={}&transport=websocket", backend.parameter());
    let call = exchange.pair().find(&head.method, &path);
    headers::remove_hop_by_hop(&mut head.headers);
    request::head(exchange, &call, head, &target)
}

/// A request with what the client says for itself in its query.
pub(super) fn with_credentials(mut outgoing: Outgoing, said: &[u8]) -> Result<Outgoing, Failure> {
    let query = crate::bridge::join_query(outgoing.target.query().unwrap_or_default(), said);
    let target = format!("{}?{query}", outgoing.target.path());
    outgoing.target = PathAndQuery::try_from(target).map_err(|e| send::bad_target(&e.into()))?;
    Ok(outgoing)
}

/// An identifier that nobody can guess, as long as those of Engine.IO's own servers or longer.
fn sid() -> String {
    data_encoding::BASE64URL_NOPAD.encode(&exchange::random().to_be_bytes())
}
