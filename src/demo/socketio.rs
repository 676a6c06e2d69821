//! The legacy chat service's Socket.IO: Engine.IO 3, as packages 1.x and 2.x speak it, on a WebSocket alone.
//!
//! Events are those of the WebSocket with their `type` as their name: `say`, `typing`, `quit` come in, `msg`, `join`,
//! `leave`, `typing` go out. What is wrong with an event is said where it asks for an acknowledgement.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use http::{Request, StatusCode};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::sync::broadcast;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::server::Room;
use super::socket::{MAX_MESSAGE, PATIENCE};
use super::state::{Reaction, Reply, join_event, leave_event};
use crate::framing::Generation;
use crate::framing::engineio::{Binary, Frame, Open, Packet as Carried};
use crate::framing::socketio::{Decoder, Kind, Limits, Packet, ROOT, event, join_event as list, split_event};

const PATH: &str = "/socket.io/";
const PING_INTERVAL: Duration = Duration::from_secs(25);
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// Nothing here has attachments, and nothing is deep.
const LIMITS: Limits = Limits { bytes: MAX_MESSAGE, attachments: 4, depth: 32 };

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Whether a request is for Socket.IO.
pub(super) fn concerns<B>(request: &Request<B>) -> bool {
    request.uri().path() == PATH
}

/// The answer to what is no handshake of a WebSocket.
pub(super) fn refuse() -> Reply {
    let body = json!({"code": 0, "message": "Transport unknown"}).to_string();
    Reply { body, ..Reply::error(StatusCode::BAD_REQUEST, "") }
}

/// A user's time in the room.
pub(super) async fn session(room: &Room, user: &str, upgraded: Upgraded) {
    let limits = WebSocketConfig::default()
        .read_buffer_size(8 * 1024)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE));
    let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(limits)).await;
    let mut session = Session { room, user, socket, decoder: Decoder::new(Generation::Eio3, LIMITS) };
    let events = room.subscribe();
    if session.open().await.is_some() {
        room.broadcast(join_event(user));
        // It ends in one way only.
        let _over = session.converse(events).await;
        room.broadcast(leave_event(user, None));
    }
    let closing = async {
        let _gone = session.socket.close(None).await;
        while let Some(Ok(_)) = session.socket.next().await {}
    };
    let _late = timeout(PATIENCE, closing).await;
}

struct Session<'a> {
    room: &'a Room,
    user: &'a str,
    socket: Socket,
    decoder: Decoder,
}

impl Session<'_> {
    /// The identifier is the client's in the main namespace as well, which it joins without asking.
    async fn open(&mut self) -> Option<()> {
        let sid = crate::http::exchange::random().to_be_bytes();
        let open = Open {
            sid: data_encoding::BASE64URL_NOPAD.encode(&sid),
            upgrades: false,
            ping_interval: PING_INTERVAL,
            ping_timeout: PING_TIMEOUT,
            max_payload: None,
        };
        self.send(&Carried::Open(open.write())).await?;
        self.send_packet(&Packet::new(Kind::Connect, ROOT, "")).await
    }

    /// Relays until one side ends it.
    async fn converse(&mut self, mut events: broadcast::Receiver<Utf8Bytes>) -> Option<()> {
        let mut until = Instant::now() + PING_INTERVAL + PING_TIMEOUT;
        loop {
            let message = tokio::select! {
                () = self.room.closed.cancelled() => return None,
                event = events.recv() => {
                    // One that is too far behind connects again.
                    self.send_packet(&packet(&event.ok()?)?).await?;
                    continue;
                }
                message = timeout_at(until, self.socket.next()) => message.ok()??.ok()?,
            };
            until = Instant::now() + PING_INTERVAL + PING_TIMEOUT;
            let frame = match message {
                Message::Text(text) => Frame::Text(text.into()),
                Message::Binary(bytes) => Frame::Binary(bytes),
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
                Message::Close(_) => return None,
            };
            self.receive(Carried::from_frame(Generation::Eio3, frame).ok()?).await?;
        }
    }

    async fn receive(&mut self, packet: Carried) -> Option<()> {
        let packet = match packet {
            Carried::Ping(data) => return self.send(&Carried::Pong(data)).await,
            Carried::Message(text) => self.decoder.text(&text).ok()?,
            Carried::Binary(bytes) => self.decoder.binary(bytes).ok()?,
            Carried::Close => return None,
            Carried::Open(_) | Carried::Pong(_) | Carried::Upgrade | Carried::Noop => return Some(()),
        };
        match packet {
            Some(packet) if packet.namespace() != ROOT => self.refuse_namespace(&packet).await,
            Some(packet) if packet.kind == Kind::Event => self.event(&packet).await,
            Some(packet) if packet.kind == Kind::Disconnect => None,
            Some(_) | None => Some(()),
        }
    }

    async fn refuse_namespace(&mut self, packet: &Packet) -> Option<()> {
        if packet.kind != Kind::Connect {
            return Some(());
        }
        self.send_packet(&Packet::new(Kind::Error, packet.namespace(), "\"Invalid namespace\"")).await
    }

    async fn event(&mut self, packet: &Packet) -> Option<()> {
        let name = event(&packet.data)?;
        let arguments: Vec<Value> = serde_json::from_slice(&split_event(&packet.data)).ok()?;
        let mut said = arguments.into_iter().next().filter(Value::is_object).unwrap_or_else(|| json!({}));
        said["type"] = Value::from(&*name);
        let answer = match self.room.event(self.user, &said.to_string()) {
            Reaction::Broadcast(event) => {
                self.room.broadcast(event);
                json!([{"ok": true}])
            }
            Reaction::Answer(error) => {
                let mut error: Value = serde_json::from_str(&error).ok()?;
                error.as_object_mut()?.shift_remove("type");
                json!([error])
            }
            Reaction::Quit => {
                self.send_packet(&Packet::new(Kind::Disconnect, ROOT, "")).await?;
                return None;
            }
        };
        let Some(id) = packet.id else { return Some(()) };
        let mut ack = Packet::new(Kind::Ack, ROOT, answer.to_string());
        ack.id = Some(id);
        self.send_packet(&ack).await
    }

    async fn send_packet(&mut self, packet: &Packet) -> Option<()> {
        self.send(&Carried::Message(packet.to_text())).await
    }

    async fn send(&mut self, packet: &Carried) -> Option<()> {
        let message = match packet.to_frame(Generation::Eio3, Binary::Raw) {
            Frame::Text(text) => Message::Text(Utf8Bytes::try_from(text).ok()?),
            Frame::Binary(bytes) => Message::Binary(bytes),
        };
        timeout(PATIENCE, self.socket.send(message)).await.ok()?.ok()
    }
}

/// An event of the WebSocket as one of Socket.IO.
fn packet(event: &str) -> Option<Packet> {
    let mut said: Value = serde_json::from_str(event).ok()?;
    let name = said.as_object_mut()?.shift_remove("type")?;
    Some(Packet::new(Kind::Event, ROOT, list(name.as_str()?, json!([said]).to_string().as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_events_type_is_its_name() {
        let event = r#"{"type":"msg","id":9007199254740996,"text":"hi","user":"ada","ts":1,"tags":[]}"#;
        let want = r#"2["msg",{"id":9007199254740996,"text":"hi","user":"ada","ts":1,"tags":[]}]"#;
        assert_eq!(packet(event).unwrap().to_text(), want);
    }
}
