//! The legacy chat service's WebSocket, `GET /ws?user=NAME`, and the handshake of its Socket.IO.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::header::{self, HeaderMap, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::server::Room;
use super::socketio;
use super::state::{Reaction, Reply, join_event, leave_event};

/// The one subprotocol there is; used where a client offers it.
const SUBPROTOCOL: &str = "chat";
/// Bytes of a message.
pub(super) const MAX_MESSAGE: usize = 64 * 1024;
/// Time a client has to take a message, and to answer a close.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Whether the request wants a socket (RFC 6455, section 4.2.1).
pub(super) fn is_upgrade<B>(request: &Request<B>) -> bool {
    let wanted = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"websocket");
    (request.uri().path() == "/ws" || socketio::concerns(request))
        && request.headers().get(header::UPGRADE).is_some_and(wanted)
}

/// Accepts the handshake and starts the session, or says why not.
pub(super) fn open<B>(room: Arc<Room>, mut request: Request<B>) -> Result<Response<Full<Bytes>>, Reply> {
    let accept = accept_key(request.headers())?;
    let too_many = |_| Reply::error(StatusCode::SERVICE_UNAVAILABLE, "too many sockets");
    let permit = Arc::clone(&room.sockets).try_acquire_owned().map_err(too_many)?;
    let response = switching(accept, request.headers());
    let user = user(request.uri().query().unwrap_or_default());
    let is_socketio = socketio::concerns(&request);
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let closed = room.closed.clone();
        if let Some(Ok(upgraded)) = closed.run_until_cancelled(upgrade).await {
            if is_socketio {
                socketio::session(&room, &user, upgraded).await;
            } else {
                session(&room, &user, upgraded).await;
            }
        }
        drop(permit);
    });
    Ok(response)
}

fn accept_key(headers: &HeaderMap) -> Result<HeaderValue, Reply> {
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(Reply::error(StatusCode::UPGRADE_REQUIRED, "expected WebSocket version 13"));
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY).map(|key| derive_accept_key(key.as_bytes()));
    key.and_then(|key| key.try_into().ok())
        .ok_or_else(|| Reply::error(StatusCode::BAD_REQUEST, "expected a sec-websocket-key"))
}

fn switching(accept: HeaderValue, offered: &HeaderMap) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    if offers_subprotocol(offered) {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    }
    response
}

fn offers_subprotocol(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|name| name.trim() == SUBPROTOCOL)
}

/// The name after `user=`, or `guest`.
fn user(query: &str) -> String {
    let named = query.split('&').find_map(|pair| pair.strip_prefix("user=")).filter(|name| !name.is_empty());
    let decoded = percent_encoding::percent_decode_str(named.unwrap_or("guest")).decode_utf8_lossy();
    Cow::into_owned(decoded).chars().take(64).collect()
}

/// A user's time in the room.
async fn session(room: &Room, user: &str, upgraded: Upgraded) {
    let limits = WebSocketConfig::default()
        .read_buffer_size(8 * 1024)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE));
    let mut socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(limits)).await;
    let events = room.subscribe();
    room.broadcast(join_event(user));
    let left = converse(room, user, &mut socket, events).await;
    let reason = left.as_ref().filter(|frame| !frame.reason.is_empty());
    room.broadcast(leave_event(user, reason.map(|frame| (frame.code.into(), frame.reason.as_str()))));
}

/// Relays until one side ends it; the client's close frame, if that did.
async fn converse(
    room: &Room,
    user: &str,
    socket: &mut Socket,
    mut events: broadcast::Receiver<Utf8Bytes>,
) -> Option<CloseFrame> {
    loop {
        let outgoing = tokio::select! {
            () = room.closed.cancelled() => return close(socket, CloseCode::Away, "the service ends").await,
            event = events.recv() => match event {
                Ok(event) => event,
                Err(RecvError::Lagged(_)) => return close(socket, CloseCode::Again, "too slow").await,
                Err(RecvError::Closed) => return None,
            },
            message = socket.next() => match message? {
                Ok(Message::Text(text)) => match room.event(user, &text) {
                    Reaction::Broadcast(event) => {
                        room.broadcast(event);
                        continue;
                    }
                    Reaction::Answer(event) => event.into(),
                    Reaction::Quit => return close(socket, CloseCode::Library(4000), "bye").await,
                },
                Ok(Message::Close(frame)) => {
                    finish(socket).await;
                    return frame;
                }
                Ok(_) => continue,
                Err(_) => return None,
            },
        };
        timeout(PATIENCE, socket.send(Message::Text(outgoing))).await.ok()?.ok()?;
    }
}

/// Closes from this side; always `None`, since the client gave no reason.
async fn close(socket: &mut Socket, code: CloseCode, reason: &'static str) -> Option<CloseFrame> {
    let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
    timeout(PATIENCE, socket.send(Message::Close(Some(frame)))).await.ok()?.ok()?;
    finish(socket).await;
    None
}

/// Reads to the end, which also writes the answer to a close.
async fn finish(socket: &mut Socket) {
    let rest = async { while let Some(Ok(_)) = socket.next().await {} };
    // A client that never answers is cut off when the socket is dropped.
    let _late = timeout(PATIENCE, rest).await;
}
