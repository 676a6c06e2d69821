//! The legacy chat service on HTTP/1.1: the shell around [`State`].

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, broadcast};
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_util::sync::CancellationToken;

use super::state::{Reaction, Reply, State};
use super::{socket, socketio};

const MAX_CONNECTIONS: usize = 1024;
const MAX_SOCKETS: usize = 200;
/// Bytes of a request body.
const MAX_BODY: usize = 64 * 1024;
/// Events that a socket may be behind before it is closed.
const MAX_BACKLOG: usize = 256;
/// Pause after `accept` failed, since it fails again at once where file descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What all connections share.
#[derive(Debug)]
pub(super) struct Room {
    state: Mutex<State>,
    events: broadcast::Sender<Utf8Bytes>,
    pub(super) sockets: Arc<Semaphore>,
    /// Cancelled when the service ends.
    pub(super) closed: CancellationToken,
}

impl Room {
    fn new(closed: CancellationToken) -> Room {
        let (events, _) = broadcast::channel(MAX_BACKLOG);
        Room { state: Mutex::default(), events, sockets: Arc::new(Semaphore::new(MAX_SOCKETS)), closed }
    }

    /// Sends an event to every socket.
    pub(super) fn broadcast(&self, event: String) {
        // It fails where no socket is open, and then nobody has to hear of it.
        let _nobody = self.events.send(event.into());
    }

    pub(super) fn subscribe(&self) -> broadcast::Receiver<Utf8Bytes> {
        self.events.subscribe()
    }

    pub(super) fn event(&self, user: &str, text: &str) -> Reaction {
        self.state().event(user, text, now())
    }

    fn call(&self, method: &Method, path: &str, body: &[u8]) -> Reply {
        self.state().call(method, path, body, now())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves until the future is dropped; its connections and sockets end with it.
pub async fn serve(listener: TcpListener) {
    let closed = CancellationToken::new();
    let _close_with_this_future = closed.clone().drop_guard();
    let room = Arc::new(Room::new(closed));
    let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    while let Ok(permit) = Arc::clone(&connections).acquire_owned().await {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let room = Arc::clone(&room);
        tokio::spawn(async move {
            room.closed.run_until_cancelled(connection(&room, stream)).await;
            drop(permit);
        });
    }
}

async fn connection(room: &Arc<Room>, stream: TcpStream) {
    let service = service_fn(|request| answer(Arc::clone(room), request));
    let io = TokioIo::new(stream);
    // A connection that breaks concerns its client alone, who notices by itself.
    let _broken = http1::Builder::new().timer(TokioTimer::new()).serve_connection(io, service).with_upgrades().await;
}

async fn answer(room: Arc<Room>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    if socket::is_upgrade(&request) {
        return Ok(socket::open(room, request).unwrap_or_else(respond));
    }
    if socketio::concerns(&request) {
        return Ok(respond(socketio::refuse()));
    }
    let (head, body) = request.into_parts();
    let reply = match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => room.call(&head.method, head.uri.path(), &body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Reply::error(StatusCode::PAYLOAD_TOO_LARGE, "body too large"),
        Err(_) => Reply::error(StatusCode::BAD_REQUEST, "body incomplete"),
    };
    if let Some(event) = &reply.event {
        room.broadcast(event.clone());
    }
    Ok(respond(reply))
}

fn respond(reply: Reply) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(reply.body));
    *response.status_mut() = reply.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some((name, Ok(value))) = reply.header.map(|(name, value)| (name, value.try_into())) {
        headers.insert(name, value);
    }
    response
}

/// Epoch milliseconds.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
