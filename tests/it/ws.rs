//! Sockets that are carried whole: handshakes, messages, pings.

use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::support::backend::Backend;
use crate::support::proxy::TestProxy;
use crate::support::socket;
use crate::support::within;

/// A client's version for which the rules know the path `/ws`, and one for which they do not.
pub(crate) const BOTH: [&str; 2] = ["2", "1"];

#[tokio::test]
async fn messages_of_all_kinds_pass_in_order() {
    let backend = socket::echo().await;
    let proxy = TestProxy::before(backend.address).await;
    for version in BOTH {
        let mut client = socket::open(&proxy, &[("api-version", version)]).await;
        let long = "x".repeat(1_000_000);
        for text in ["", "hello", "{\"type\":\"say\"}", "snow\u{2603}", &long] {
            socket::send(&mut client, text).await;
            assert_eq!(socket::text(&mut client).await, text);
        }
        socket::send(&mut client, Message::binary(vec![0, 255, 1])).await;
        let got = socket::next(&mut client).await.unwrap().unwrap();
        assert_eq!(got, Message::binary(vec![0, 255, 1]));
    }
}

#[tokio::test]
async fn pings_are_answered() {
    let backend = socket::echo().await;
    let proxy = TestProxy::before(backend.address).await;
    for version in BOTH {
        let mut client = socket::open(&proxy, &[("api-version", version)]).await;
        within("a ping", client.send(Message::Ping("p".into()))).await.unwrap();
        let pong = within("a pong", client.next()).await.unwrap().unwrap();
        assert_eq!(pong, Message::Pong("p".into()));
    }
}

#[tokio::test]
async fn the_handshake_is_told_end_to_end() {
    let backend = socket::backend("sec-websocket-protocol: chat.v1\r\nset-cookie: s=1\r\n", |mut socket| async move {
        socket.send("open".into()).await.unwrap();
        while socket.next().await.is_some() {}
    })
    .await;
    let proxy = TestProxy::before(backend.address).await;
    let headers = [("sec-websocket-protocol", "chat.v2, other")];
    let (mut client, response) = socket::try_open(&proxy, &headers).await.unwrap();
    // The client is answered by the name it offered.
    assert_eq!(response.headers()["sec-websocket-protocol"], "chat.v2");
    assert_eq!(response.headers()["set-cookie"], "s=1");
    assert_eq!(response.headers()["api-version"], "2");
    assert_eq!(socket::text(&mut client).await, "open");
}

#[tokio::test]
async fn the_backend_sees_the_clients_headers() {
    let (backend, recorded) = Backend::recording().await;
    let proxy = TestProxy::before(backend.address).await;
    let headers = [
        ("cookie", "s=1"),
        ("authorization", "Bearer x"),
        ("origin", "https://app.example"),
        ("api-version", "2"),
        ("sec-websocket-protocol", "chat.v2, other"),
        ("sec-websocket-extensions", "permessage-deflate"),
    ];
    assert!(socket::try_open(&proxy, &headers).await.is_err());
    let seen = recorded.only();
    let want = [
        ("cookie", Some("s=1")),
        ("authorization", Some("Bearer x")),
        ("origin", Some("https://app.example")),
        ("api-version", Some("1")),
        ("sec-websocket-protocol", Some("chat.v1, other")),
        ("sec-websocket-version", Some("13")),
        ("upgrade", Some("websocket")),
        ("x-forwarded-for", Some("127.0.0.1")),
    ];
    for (name, value) in want {
        assert_eq!(seen.header(name), value, "{name} in {seen:?}");
    }
}

#[tokio::test]
async fn the_backends_refusal_is_heard() {
    let refusal = "HTTP/1.1 403 Forbidden\r\nx-why: closed\r\ncontent-length: 4\r\n\r\nnope";
    let backend = Backend::answering(refusal).await;
    let proxy = TestProxy::before(backend.address).await;
    match socket::try_open(&proxy, &[]).await {
        Err(Error::Http(response)) => {
            assert_eq!(response.status(), 403);
            assert_eq!(response.headers()["x-why"], "closed");
            assert_eq!(response.headers()["api-version"], "1");
        }
        other => panic!("expected a refusal, found {other:?}"),
    }
}

#[tokio::test]
async fn a_backend_whose_handshake_is_wrong() {
    let answers = [
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: x\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
        "garbage\r\n\r\n",
    ];
    for answer in answers {
        let backend = Backend::answering(answer).await;
        let proxy = TestProxy::before(backend.address).await;
        match socket::try_open(&proxy, &[]).await {
            Err(Error::Http(response)) => assert_eq!(response.status(), 502, "{answer:?}"),
            other => panic!("expected a refusal, found {other:?}"),
        }
    }
}

#[tokio::test]
async fn handshakes_that_the_protocol_does_not_allow() {
    let (backend, recorded) = Backend::recording().await;
    let proxy = TestProxy::before(backend.address).await;
    let key = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let version = "sec-websocket-version: 13\r\n";
    let upgrade = "upgrade: websocket\r\nconnection: keep-alive, Upgrade\r\n";
    let cases = [
        (format!("GET / HTTP/1.1\r\nhost: h\r\n{upgrade}{key}sec-websocket-version: 8\r\n\r\n"), 426),
        (format!("GET / HTTP/1.1\r\nhost: h\r\n{upgrade}{key}\r\n"), 400),
        (format!("GET / HTTP/1.1\r\nhost: h\r\n{upgrade}{version}\r\n"), 400),
        (format!("GET / HTTP/1.1\r\nhost: h\r\n{upgrade}{version}sec-websocket-key: short\r\n\r\n"), 400),
        (format!("GET / HTTP/1.1\r\nhost: h\r\n{upgrade}{version}{key}{key}\r\n"), 400),
        (format!("POST / HTTP/1.1\r\nhost: h\r\n{upgrade}{version}{key}content-length: 0\r\n\r\n"), 400),
        (format!("GET / HTTP/1.1\r\nhost: h\r\nupgrade: websocket\r\n{version}{key}\r\n"), 400),
    ];
    for (request, status) in cases {
        let got = proxy.client().await.ask(&request).await;
        assert_eq!(got.status(), status, "{request}");
        if status == 426 {
            assert_eq!(got.header("sec-websocket-version"), Some("13"));
        }
    }
    assert_eq!(recorded.count(), 0);
}

#[tokio::test]
async fn extensions_pass_where_no_message_is_read() {
    let backend = socket::backend("sec-websocket-extensions: x-none\r\n", |mut socket| async move {
        while socket.next().await.is_some() {}
    })
    .await;
    let proxy = TestProxy::before(backend.address).await;
    let (_, response) = socket::try_open(&proxy, &[("sec-websocket-extensions", "x-none")]).await.unwrap();
    assert_eq!(response.headers()["sec-websocket-extensions"], "x-none");
}

#[tokio::test]
async fn a_socket_is_opened_at_the_next_endpoint_where_one_is_refused() {
    let backend = socket::echo().await;
    let proxy = TestProxy::start(&[Backend::nobody().await, backend.address], |_| {}).await;
    for _ in 0..2 {
        let mut client = socket::open(&proxy, &[]).await;
        socket::send(&mut client, "hi").await;
        assert_eq!(socket::text(&mut client).await, "hi");
    }
}
