//! WebSocket clients and backends.

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};
use tokio_tungstenite::tungstenite::{Error, Message, client::IntoClientRequest};

use super::backend::Backend;
use super::proxy::TestProxy;
use super::wire::Wire;
use super::within;

pub(crate) type Socket = WebSocketStream<TcpStream>;

/// Opens a socket through a proxy, with further headers.
pub(crate) async fn open(proxy: &TestProxy, headers: &[(&'static str, &str)]) -> Socket {
    try_open(proxy, headers).await.unwrap().0
}

/// Opens a socket, or learns why not.
pub(crate) async fn try_open(
    proxy: &TestProxy,
    headers: &[(&'static str, &str)],
) -> Result<(Socket, http::Response<Option<Vec<u8>>>), Error> {
    let mut request = format!("ws://{}/ws", proxy.address).into_client_request().unwrap();
    for &(name, value) in headers {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    let stream = TcpStream::connect(proxy.address).await.unwrap();
    within("the handshake", tokio_tungstenite::client_async(request, stream)).await
}

/// The next message that is no ping or pong.
pub(crate) async fn next(socket: &mut Socket) -> Option<Result<Message, Error>> {
    loop {
        match within("a message", socket.next()).await {
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            message => return message,
        }
    }
}

/// The next message's text.
pub(crate) async fn text(socket: &mut Socket) -> String {
    match next(socket).await {
        Some(Ok(Message::Text(text))) => text.to_string(),
        other => panic!("expected a text message, found {other:?}"),
    }
}

/// How the socket is closed: code and reason.
pub(crate) async fn closed(socket: &mut Socket) -> Option<(u16, String)> {
    match next(socket).await {
        Some(Ok(Message::Close(frame))) => frame.map(|CloseFrame { code, reason }| (code.into(), reason.to_string())),
        other => panic!("expected a close, found {other:?}"),
    }
}

/// Sends a message.
pub(crate) async fn send(socket: &mut Socket, message: impl Into<Message>) {
    within("sending", socket.send(message.into())).await.unwrap();
}

/// Answers a handshake with further header lines; the request.
pub(crate) async fn accept(wire: &mut Wire, lines: &str) -> Option<super::wire::Message> {
    let request = wire.head().await?;
    let accept = derive_accept_key(request.header("sec-websocket-key").unwrap_or_default().as_bytes());
    wire.send(format!(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-accept: {accept}\r\n{lines}\r\n"
    ))
    .await;
    Some(request)
}

/// A backend that takes one handshake for each connection, answering with further header lines, and runs `script`
/// on the socket.
pub(crate) async fn backend<F>(
    lines: &'static str,
    script: impl Fn(Socket) -> F + Send + Sync + Clone + 'static,
) -> Backend
where
    F: Future<Output = ()> + Send + 'static,
{
    Backend::scripted(move |mut wire| {
        let script = script.clone();
        async move {
            if accept(&mut wire, lines).await.is_none() {
                return;
            }
            script(WebSocketStream::from_raw_socket(wire.stream, Role::Server, None).await).await;
        }
    })
    .await
}

/// A backend that sends every message back.
pub(crate) async fn echo() -> Backend {
    backend("", |mut socket| async move {
        while let Some(Ok(message)) = socket.next().await {
            if (message.is_text() || message.is_binary()) && socket.send(message).await.is_err() {
                return;
            }
        }
    })
    .await
}
