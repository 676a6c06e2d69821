//! Socket.IO through the proxy, byte by byte: what clients of one generation see of a backend of the other.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use legato_proxy::config::{PollingText, SocketIo, SocketIoBackend};
use tokio::sync::{Mutex, mpsc};
use tokio_tungstenite::tungstenite::Message;

use crate::support::backend::Backend;
use crate::support::proxy::TestProxy;
use crate::support::socket::{self, Socket};
use crate::support::wire;

async fn proxy(backend: SocketAddr, generation: SocketIoBackend, adjust: impl FnOnce(&mut SocketIo)) -> TestProxy {
    TestProxy::start(&[backend], |config| {
        let mut socketio = SocketIo::before(generation);
        adjust(&mut socketio);
        config.apis[0].socketio = Some(socketio);
    })
    .await
}

/// A backend of Engine.IO 4 that lets everybody in and sends every event back.
pub(crate) async fn eio4() -> Backend {
    socket::backend("set-cookie: io=x\r\nset-cookie: app=1\r\n", |mut socket: Socket| async move {
        let open = r#"0{"sid":"E","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}"#;
        socket.send(open.into()).await.unwrap();
        while let Some(Ok(message)) = socket.next().await {
            let answer = match message {
                Message::Text(text) if text == "40" => r#"40{"sid":"ROOT"}"#.into(),
                Message::Text(text) if text.starts_with("42") => Message::Text(text),
                _ => continue,
            };
            if socket.send(answer).await.is_err() {
                return;
            }
        }
    })
    .await
}

async fn ask(proxy: &TestProxy, method: &str, query: &str, more: &str) -> wire::Message {
    let request = format!("{method} /socket.io/?{query} HTTP/1.1\r\nhost: x\r\n{more}");
    proxy.client().await.ask(&request).await
}

async fn get(proxy: &TestProxy, query: &str) -> wire::Message {
    ask(proxy, "GET", query, "\r\n").await
}

async fn post(proxy: &TestProxy, query: &str, body: &str) -> wire::Message {
    let more = format!("content-type: text/plain;charset=UTF-8\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    ask(proxy, "POST", query, &more).await
}

const THREE: &str = "EIO=3&transport=polling&b64=1";

#[tokio::test]
async fn an_older_client_polls_a_newer_backend_over_any_connection() {
    let backend = eio4().await;
    let proxy = proxy(backend.address, SocketIoBackend::Eio4, |_| {}).await;
    let opened = get(&proxy, THREE).await;
    let open = r#"0{"sid":"ROOT","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000}"#;
    assert_eq!(opened.text(), format!("{}:{open}2:40", open.len()));
    assert_eq!(opened.header("content-type"), Some("text/plain; charset=UTF-8"));
    // The cookie of the backend's own session would mean nothing.
    assert_eq!(opened.header("set-cookie"), Some("app=1"));

    let session = format!("{THREE}&sid=ROOT");
    let sent = post(&proxy, &session, "18:421[\"echo\",\"é日🙂\"]").await;
    assert_eq!((sent.status(), sent.text()), (200, "ok"));
    assert_eq!(get(&proxy, &session).await.text(), "18:421[\"echo\",\"é日🙂\"]");

    // The client leaves.
    assert_eq!(post(&proxy, &session, "1:1").await.text(), "ok");
    let unknown = get(&proxy, &session).await;
    assert_eq!((unknown.status(), unknown.text()), (400, r#"{"code":1,"message":"Session ID unknown"}"#));
}

#[tokio::test]
async fn a_session_moves_to_a_websocket() {
    let backend = eio4().await;
    let proxy = proxy(backend.address, SocketIoBackend::Eio4, |_| {}).await;
    get(&proxy, THREE).await;
    let url = format!("ws://{}/socket.io/?EIO=3&transport=websocket&sid=ROOT", proxy.address);
    let stream = tokio::net::TcpStream::connect(proxy.address).await.unwrap();
    let (mut client, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
    socket::send(&mut client, "2probe").await;
    assert_eq!(socket::text(&mut client).await, "3probe");
    assert_eq!(get(&proxy, &format!("{THREE}&sid=ROOT")).await.text(), "1:6");
    socket::send(&mut client, "5").await;
    socket::send(&mut client, "42[\"x\"]").await;
    assert_eq!(socket::text(&mut client).await, "42[\"x\"]");
    let late = get(&proxy, &format!("{THREE}&sid=ROOT")).await;
    assert_eq!((late.status(), late.text()), (400, r#"{"code":3,"message":"Bad request"}"#));
}

#[tokio::test]
async fn bad_requests_are_answered_in_the_words_of_engine_io() {
    let backend = eio4().await;
    let proxy = proxy(backend.address, SocketIoBackend::Eio4, |_| {}).await;
    let cases = [
        ("GET", "EIO=3&transport=flash", r#"{"code":0,"message":"Transport unknown"}"#),
        ("GET", "EIO=3&transport=polling&sid=nobody", r#"{"code":1,"message":"Session ID unknown"}"#),
        ("POST", "EIO=3&transport=polling", r#"{"code":2,"message":"Bad handshake method"}"#),
        ("GET", "EIO=3&transport=websocket", r#"{"code":3,"message":"Bad request"}"#),
        ("GET", "EIO=5&transport=polling", r#"{"code":5,"message":"Unsupported protocol version"}"#),
    ];
    for (method, query, want) in cases {
        let more = "origin: https://app.example\r\ncontent-length: 0\r\n\r\n";
        let refused = ask(&proxy, method, query, more).await;
        assert_eq!((refused.status(), refused.text()), (400, want), "{query}");
        assert_eq!(refused.header("access-control-allow-origin"), Some("https://app.example"), "{query}");
        assert_eq!(refused.header("access-control-allow-credentials"), Some("true"), "{query}");
    }
}

#[tokio::test]
async fn preflights_are_answered_and_origins_may_be_named() {
    let backend = eio4().await;
    let named = |config: &mut SocketIo| config.origins = Some(vec!["https://a.example".to_owned()]);
    let proxy = proxy(backend.address, SocketIoBackend::Eio4, named).await;
    for (origin, allowed) in [("https://a.example", Some("https://a.example")), ("https://b.example", None)] {
        let more = format!("origin: {origin}\r\naccess-control-request-method: POST\r\n\r\n");
        let answer = ask(&proxy, "OPTIONS", THREE, &more).await;
        assert_eq!(answer.status(), 204);
        assert_eq!(answer.header("access-control-allow-origin"), allowed);
    }
}

#[tokio::test]
async fn what_the_backend_refuses_is_refused() {
    for (status, want) in [("403 Forbidden", r#"{"code":4,"message":"Forbidden"}"#), ("401 Unauthorized", "who?")] {
        let backend = Backend::answering(format!("HTTP/1.1 {status}\r\ncontent-length: 4\r\n\r\nwho?")).await;
        let proxy = proxy(backend.address, SocketIoBackend::Eio4, |_| {}).await;
        let refused = get(&proxy, THREE).await;
        assert_eq!((format!("{}", refused.status()).as_str(), refused.text()), (&status[..3], want));
    }
    let proxy = proxy(Backend::nobody().await, SocketIoBackend::Eio3, |_| {}).await;
    assert_eq!(get(&proxy, "EIO=4&transport=polling").await.problem(), "unreachable");
}

#[tokio::test]
async fn sessions_are_bounded_and_their_places_given_back() {
    let backend = eio4().await;
    let proxy = proxy(backend.address, SocketIoBackend::Eio4, |config| config.sessions = 1).await;
    assert_eq!(get(&proxy, THREE).await.status(), 200);
    assert_eq!(get(&proxy, "EIO=4&transport=polling").await.problem(), "overloaded");
    post(&proxy, &format!("{THREE}&sid=ROOT"), "1:1").await;
    crate::support::eventually("a free place", || async { get(&proxy, THREE).await.status() == 200 }).await;
}

/// A backend of Engine.IO 4 that takes no WebSocket, lets everybody in and sends every event back.
async fn polled() -> Backend {
    let (say, said) = mpsc::channel::<String>(10);
    let said = Arc::new(Mutex::new(said));
    Backend::scripted(move |mut wire| {
        let (say, said) = (say.clone(), Arc::clone(&said));
        async move {
            while let Some(request) = wire.try_message().await {
                let [has_sid, is_poll] = ["sid=E", "transport=polling"].map(|part| request.start.contains(part));
                let (status, text) = match request.text() {
                    _ if !is_poll => ("400 Bad Request", "Transport unknown".to_owned()),
                    "" if !has_sid => {
                        ("200 OK", r#"0{"sid":"E","upgrades":[],"pingInterval":25000,"pingTimeout":20000}"#.to_owned())
                    }
                    "" => ("200 OK", said.lock().await.recv().await.unwrap()),
                    packets => {
                        for packet in packets.split('\u{1e}') {
                            let answer = if packet == "40" { r#"40{"sid":"ROOT"}"# } else { packet };
                            say.send(answer.to_owned()).await.unwrap();
                        }
                        ("200 OK", "ok".to_owned())
                    }
                };
                wire.send(format!(
                    "HTTP/1.1 {status}\r\nset-cookie: at=1; path=/\r\ncontent-length: {}\r\n\r\n{text}",
                    text.len()
                ))
                .await;
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_backend_that_takes_no_websocket_is_polled() {
    let backend = polled().await;
    let proxy = proxy(backend.address, SocketIoBackend::Eio4, |_| {}).await;
    let opened = get(&proxy, THREE).await;
    assert!(opened.text().contains(r#"0{"sid":"ROOT""#), "{}", opened.text());
    let session = format!("{THREE}&sid=ROOT");
    for said in ["421[\"echo\",\"é日🙂\"]", "422[\"echo\",\"second\"]"] {
        let packet = format!("{}:{said}", said.encode_utf16().count());
        assert_eq!(post(&proxy, &session, &packet).await.text(), "ok");
        assert_eq!(get(&proxy, &session).await.text(), packet);
    }
    assert_eq!(post(&proxy, &session, "1:1").await.text(), "ok");
}

/// A backend as [`polled`] that answers no events; who hears when the connection that brought some has ended.
async fn deaf() -> (Backend, mpsc::Receiver<()>) {
    let (say, said) = mpsc::channel::<()>(10);
    let said = Arc::new(Mutex::new(said));
    let (tell, ended) = mpsc::channel(10);
    let backend = Backend::scripted(move |mut wire| {
        let (say, said, tell) = (say.clone(), Arc::clone(&said), tell.clone());
        async move {
            while let Some(request) = wire.try_message().await {
                let [has_sid, is_poll] = ["sid=E", "transport=polling"].map(|part| request.start.contains(part));
                let (status, text) = match request.text() {
                    _ if !is_poll => ("400 Bad Request", "Transport unknown"),
                    "" if !has_sid => {
                        ("200 OK", r#"0{"sid":"E","upgrades":[],"pingInterval":25000,"pingTimeout":20000}"#)
                    }
                    "" => {
                        said.lock().await.recv().await.unwrap();
                        ("200 OK", r#"40{"sid":"ROOT"}"#)
                    }
                    "40" => {
                        say.send(()).await.unwrap();
                        ("200 OK", "ok")
                    }
                    _ => {
                        wire.is_closed().await;
                        return tell.send(()).await.unwrap();
                    }
                };
                wire.send(format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{text}", text.len())).await;
            }
        }
    })
    .await;
    (backend, ended)
}

#[tokio::test]
async fn a_backend_that_takes_no_packets_is_not_waited_for_without_end() {
    for (response_head, leaves) in [(5, false), (3600, true)] {
        let (backend, mut ended) = deaf().await;
        let proxy = TestProxy::start(&[backend.address], |config| {
            config.apis[0].socketio = Some(SocketIo::before(SocketIoBackend::Eio4));
            config.apis[0].timeouts.response_head = Duration::from_secs(response_head);
        })
        .await;
        get(&proxy, THREE).await;
        let session = format!("{THREE}&sid=ROOT");
        assert_eq!(post(&proxy, &session, "7:42[\"a\"]").await.text(), "ok");
        if leaves {
            assert_eq!(post(&proxy, &session, "1:1").await.text(), "ok");
        }
        let told = tokio::time::timeout(Duration::from_secs(40), ended.recv()).await;
        assert_eq!(told, Ok(Some(())), "response_head: {response_head}s");
    }
}

/// What is more than Engine.IO's own words is not looked at, and goes on whole.
#[tokio::test]
async fn a_long_refusal_is_passed_on_whole_or_not_at_all() {
    let text = "no".repeat(5000);
    let answer = |head: &str, text: &str| format!("HTTP/1.1 400 Bad Request\r\n{head}\r\n\r\n{text}");
    let chunk = format!("{:x}\r\n{text}\r\n", text.len());
    let whole =
        [answer("content-length: 10000", &text), answer("transfer-encoding: chunked", &format!("{chunk}0\r\n\r\n"))];
    for refusal in whole {
        let backend = Backend::answering(refusal).await;
        let proxy = proxy(backend.address, SocketIoBackend::Eio4, |_| {}).await;
        let refused = get(&proxy, THREE).await;
        assert!(refused.status() == 400 && refused.text() == text, "{} of {}", refused.text().len(), refused.start);
    }
    let broken = Backend::scripted(move |mut wire| {
        let refusal = answer("content-length: 100", "no");
        async move {
            wire.try_message().await;
            wire.send(refusal).await;
        }
    })
    .await;
    let proxy = proxy(broken.address, SocketIoBackend::Eio4, |_| {}).await;
    assert_eq!(get(&proxy, THREE).await.problem(), "incomplete");
}

#[tokio::test]
async fn text_of_packages_1_is_encoded_twice() {
    let backend = eio4().await;
    let proxy = proxy(backend.address, SocketIoBackend::Eio4, |config| config.polling_text = PollingText::Twice).await;
    get(&proxy, THREE).await;
    let session = format!("{THREE}&sid=ROOT");
    let twice: String = "421[\"echo\",\"é\"]".bytes().map(char::from).collect();
    let packet = format!("{}:{twice}", twice.chars().count());
    assert_eq!(post(&proxy, &session, &packet).await.text(), "ok");
    assert_eq!(get(&proxy, &session).await.text(), packet);
}

#[tokio::test]
async fn draining_tells_clients_to_connect_again() {
    let backend = eio4().await;
    let mut proxy = proxy(backend.address, SocketIoBackend::Eio4, |_| {}).await;
    get(&proxy, THREE).await;
    let mut waiting = proxy.client().await;
    waiting.send(format!("GET /socket.io/?{THREE}&sid=ROOT HTTP/1.1\r\nhost: x\r\n\r\n")).await;
    // Only a poll that has arrived is answered.
    tokio::time::timeout(Duration::from_millis(100), waiting.is_closed()).await.unwrap_err();
    proxy.drain();
    assert_eq!(waiting.message().await.text(), "1:1");
    proxy.ended().await;
}
