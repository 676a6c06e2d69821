//! Sockets on streams of HTTP/2 (RFC 8441).

use std::time::Duration;

use futures_util::{FutureExt, SinkExt, StreamExt};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2::SendRequest;
use hyper::ext::Protocol;
use hyper::upgrade::Upgraded;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};

use crate::support::backend::Backend;
use crate::support::proxy::TestProxy;
use crate::support::socket;
use crate::support::{eventually, within};
use crate::ws::BOTH;

type Sender = SendRequest<Empty<Bytes>>;
type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// A connection whose server has said that streams may become sockets.
async fn connect(proxy: &TestProxy) -> Sender {
    let stream = TcpStream::connect(proxy.address).await.unwrap();
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (sender, mut connection) = handshake.await.unwrap();
    // The task that reads them wakes nobody who waits for them.
    eventually("the settings", || {
        assert!((&mut connection).now_or_never().is_none(), "the connection has ended");
        std::future::ready(connection.is_extended_connect_protocol_enabled())
    })
    .await;
    tokio::spawn(connection);
    sender
}

fn connecting(proxy: &TestProxy, protocol: Option<&'static str>, headers: &[(&str, &str)]) -> Request<Empty<Bytes>> {
    let mut request = Request::connect(format!("http://{}/ws", proxy.address));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut request = request.body(Empty::new()).unwrap();
    if let Some(protocol) = protocol {
        request.extensions_mut().insert(Protocol::from_static(protocol));
    }
    request
}

async fn ask(sender: &mut Sender, request: Request<Empty<Bytes>>) -> Response<Incoming> {
    within("an answer", sender.send_request(request)).await.unwrap()
}

async fn open(sender: &mut Sender, proxy: &TestProxy, version: &str) -> Socket {
    let headers = [("sec-websocket-version", "13"), ("api-version", version)];
    let response = ask(sender, connecting(proxy, Some("websocket"), &headers)).await;
    assert_eq!(response.status(), 200);
    for name in ["sec-websocket-accept", "upgrade", "connection"] {
        assert_eq!(response.headers().get(name), None);
    }
    let upgraded = within("a socket", hyper::upgrade::on(response)).await.unwrap();
    WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Client, None).await
}

async fn text(socket: &mut Socket) -> String {
    within("a message", socket.next()).await.unwrap().unwrap().into_text().unwrap().to_string()
}

#[tokio::test]
async fn sockets_share_a_connection() {
    let backend = socket::echo().await;
    let proxy = TestProxy::before(backend.address).await;
    let mut sender = connect(&proxy).await;
    let mut old = open(&mut sender, &proxy, "1").await;
    let mut new = open(&mut sender, &proxy, "2").await;
    let long = "x".repeat(1_000_000);
    for text_sent in ["hello", &long] {
        for socket in [&mut old, &mut new] {
            within("sending", socket.send(text_sent.into())).await.unwrap();
            assert_eq!(text(socket).await, text_sent);
        }
    }
    within("sending", new.send(r#"{"type":"msg","text":"hi"}"#.into())).await.unwrap();
    assert_eq!(text(&mut new).await, r#"{"type":"message","body":"hi"}"#);
}

#[tokio::test]
async fn a_connection_with_a_socket_is_not_idle() {
    const KEEP_ALIVE: Duration = Duration::from_secs(1);
    let backend = socket::echo().await;
    let proxy = TestProxy::start(&[backend.address], |c| c.listen[0].limits.keep_alive = KEEP_ALIVE).await;
    let mut sender = connect(&proxy).await;
    let mut first = open(&mut sender, &proxy, "1").await;
    tokio::time::sleep(2 * KEEP_ALIVE).await;
    let mut second = open(&mut sender, &proxy, "1").await;
    for socket in [&mut first, &mut second] {
        within("sending", socket.send("hello".into())).await.unwrap();
        assert_eq!(text(socket).await, "hello");
        within("closing", socket.close(None)).await.unwrap();
    }
    drop((first, second));
    eventually("the end of the connection", || std::future::ready(sender.is_closed())).await;
}

#[tokio::test]
async fn codes_travel() {
    let backend = socket::echo().await;
    let mut proxy = TestProxy::before(backend.address).await;
    let mut sender = connect(&proxy).await;
    for version in BOTH {
        let mut socket = open(&mut sender, &proxy, version).await;
        let close = CloseFrame { code: 4001.into(), reason: "bye".into() };
        within("closing", socket.close(Some(close.clone()))).await.unwrap();
        let got = within("a close", socket.next()).await.unwrap().unwrap();
        assert_eq!(got, Message::Close(Some(close)));
        assert!(within("the end", socket.next()).await.is_none());
    }
    let mut socket = open(&mut sender, &proxy, "2").await;
    proxy.drain();
    match within("a close", socket.next()).await {
        Some(Ok(Message::Close(Some(frame)))) => assert_eq!(u16::from(frame.code), 1001),
        other => panic!("expected a close, found {other:?}"),
    }
    assert!(within("the end", socket.next()).await.is_none_or(|end| end.is_err()));
    proxy.ended().await;
}

#[tokio::test]
async fn what_is_no_handshake() {
    let (backend, recorded) = Backend::recording().await;
    let proxy = TestProxy::before(backend.address).await;
    let mut sender = connect(&proxy).await;
    let version = ("sec-websocket-version", "13");
    let cases = [
        (Some("websocket"), vec![], 400),
        (Some("websocket"), vec![("sec-websocket-version", "8")], 426),
        (Some("websocket"), vec![version, ("api-version", "9")], 400),
        (Some("connect-udp"), vec![version], 501),
    ];
    for (protocol, headers, status) in cases {
        let response = ask(&mut sender, connecting(&proxy, protocol, &headers)).await;
        assert_eq!(response.status(), status, "{protocol:?} {headers:?}");
    }
    assert_eq!(recorded.count(), 0);
    // The backend answers 200, which would open a socket here.
    let response = ask(&mut sender, connecting(&proxy, Some("websocket"), &[version])).await;
    assert_eq!(response.status(), 502);
}

#[tokio::test]
async fn a_backends_refusal() {
    let backend = Backend::answering("HTTP/1.1 403 Forbidden\r\nx-why: closed\r\ncontent-length: 0\r\n\r\n").await;
    let proxy = TestProxy::before(backend.address).await;
    let mut sender = connect(&proxy).await;
    let request = connecting(&proxy, Some("websocket"), &[("sec-websocket-version", "13")]);
    let response = ask(&mut sender, request).await;
    assert_eq!((response.status().as_u16(), &response.headers()["x-why"]), (403, &"closed".parse().unwrap()));
}
