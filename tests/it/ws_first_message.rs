//! Sockets whose first message names their version.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use legato_proxy::config::Config;
use tokio_tungstenite::tungstenite::Message;

use crate::support::backend::Backend;
use crate::support::frames::{PACKED, Peer};
use crate::support::proxy::{CHANGE, TestProxy, write_rule};
use crate::support::socket::{self, Socket};

/// A proxy whose clients name their version in a header, or else in the first message's `/hello/version`.
async fn proxy(backend: &Backend, further: &str, adjust: impl FnOnce(&mut Config)) -> TestProxy {
    let rules = tempfile::tempdir().unwrap();
    let api = format!(
        "legato: 1\napi: chat\nversions: [{{id: \"1\"}}, {{id: \"2\"}}]\n\
         client_version: [{{header: api-version}}, {{message: /hello/version}}{further}\n"
    );
    write_rule(rules.path(), "chat/api.yaml", &api);
    write_rule(rules.path(), "chat/changes/2/20250101000000_text_to_body.yaml", CHANGE);
    TestProxy::with_rules(rules, &[backend.address], adjust).await
}

const NO_DEFAULT: &str = "]";
const DEFAULT: &str = ", {default: \"1\"}]";

#[tokio::test]
async fn the_backend_reads_its_own_version() {
    let backend = socket::echo().await;
    let cases = [
        ("]", r#"{"hello":{"version":"2","n":1.0}}"#, r#"{"hello":{"version":"1","n":1.0}}"#),
        ("]", r#" {"a" : 1, "hello" : {"n":1, "version" : 2 } }"#, r#" {"a" : 1, "hello" : {"n":1, "version" : 1 } }"#),
        ("]\ntell_backend: keep", r#"{"hello":{"version":"2"}}"#, r#"{"hello":{"version":"2"}}"#),
        ("]\ntell_backend: strip", r#"{"hello":{"version":"2"}}"#, r#"{"hello":{}}"#),
        ("]\ntell_backend: strip", r#"{"hello":{"version":"2", "n":1}}"#, r#"{"hello":{"n":1}}"#),
        ("]\ntell_backend: strip", r#"{"hello":{"n":1, "version":"2" ,"m":2}}"#, r#"{"hello":{"n":1 ,"m":2}}"#),
    ];
    for (further, sent, want) in cases {
        let proxy = proxy(&backend, further, |_| {}).await;
        let mut client = socket::open(&proxy, &[]).await;
        socket::send(&mut client, sent).await;
        assert_eq!(socket::text(&mut client).await, want, "{further}");
        // The version decides about all that follows.
        socket::send(&mut client, r#"{"type":"msg","text":"hi"}"#).await;
        assert_eq!(socket::text(&mut client).await, r#"{"type":"message","body":"hi"}"#, "{further}");
    }
}

#[tokio::test]
async fn a_handshake_that_names_a_version_waits_for_nothing() {
    let backend = socket::backend("", |mut socket: Socket| async move {
        socket.send(r#"{"type":"msg","text":"hi"}"#.into()).await.unwrap();
        socket.next().await;
    })
    .await;
    let proxy = proxy(&backend, NO_DEFAULT, |_| {}).await;
    for (version, want) in [("2", r#"{"type":"message","body":"hi"}"#), ("1", r#"{"type":"msg","text":"hi"}"#)] {
        let mut client = socket::open(&proxy, &[("api-version", version)]).await;
        assert_eq!(socket::text(&mut client).await, want);
    }
}

#[tokio::test]
async fn a_message_that_names_none_is_of_the_default() {
    let backend = socket::echo().await;
    let proxy = proxy(&backend, DEFAULT, |_| {}).await;
    for first in [Message::text("no JSON"), Message::binary(vec![1, 2]), Message::text(r#"{"hello":{"version":null}}"#)]
    {
        let mut client = socket::open(&proxy, &[]).await;
        client.send(Message::Ping("first a ping".into())).await.unwrap();
        socket::send(&mut client, first.clone()).await;
        assert_eq!(socket::next(&mut client).await.unwrap().unwrap(), first);
        socket::send(&mut client, r#"{"type":"msg","text":"hi"}"#).await;
        assert_eq!(socket::text(&mut client).await, r#"{"type":"msg","text":"hi"}"#);
    }
}

#[tokio::test]
async fn sockets_that_have_no_version() {
    let (backend, recorded) = Backend::recording().await;
    let proxy = proxy(&backend, NO_DEFAULT, |_| {}).await;
    let cases = [
        (
            r#"{"hello":{"version":"9"}}"#,
            "the first message's `/hello/version` names version `9`, which does not exist",
        ),
        ("{}", "no version is named in header `api-version`, the first message's `/hello/version`"),
        (
            r#"{"hello":{"version":"1","version":"2"}}"#,
            "`version`, which says what the message is, stands twice in its object",
        ),
    ];
    for (first, reason) in cases {
        let mut client = socket::open(&proxy, &[]).await;
        socket::send(&mut client, first).await;
        assert_eq!(socket::closed(&mut client).await, Some((1008, reason.to_owned())));
        assert!(socket::next(&mut client).await.is_none());
    }
    assert_eq!(recorded.count(), 0, "the backend was asked");
}

#[tokio::test]
async fn a_first_message_that_does_not_come() {
    let backend = socket::echo().await;
    let mut proxy = proxy(&backend, DEFAULT, |c| c.apis[0].timeouts.first_message = Duration::from_millis(50)).await;
    let mut client = socket::open(&proxy, &[]).await;
    let reason = "no first message came in time to name a version";
    assert_eq!(socket::closed(&mut client).await, Some((1008, reason.to_owned())));
    drop(client);
    proxy.drain();
    proxy.ended().await;
}

#[tokio::test]
async fn draining_does_not_wait_for_first_messages() {
    let backend = socket::echo().await;
    let mut proxy = proxy(&backend, DEFAULT, |_| {}).await;
    let mut client = socket::open(&proxy, &[]).await;
    proxy.drain();
    assert_eq!(socket::closed(&mut client).await.map(|(code, _)| code), Some(1001));
    assert!(socket::next(&mut client).await.is_none_or(|end| end.is_err()));
    proxy.ended().await;
}

#[tokio::test]
async fn a_backend_that_refuses_or_is_not_there() {
    let cases = [
        (Backend::answering("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").await, 1008, "with 403"),
        (Backend::answering("HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n").await, 1011, "with 500"),
        (Backend::scripted(|wire| async move { drop(wire) }).await, 1011, ""),
    ];
    for (backend, code, reason) in cases {
        let proxy = proxy(&backend, DEFAULT, |_| {}).await;
        let mut client = socket::open(&proxy, &[]).await;
        socket::send(&mut client, "hello").await;
        let (got, why) = socket::closed(&mut client).await.unwrap();
        assert_eq!(got, code, "{why}");
        assert!(why.ends_with(reason), "{why}");
    }
}

#[tokio::test]
async fn subprotocols_and_compression_are_answered_at_once() {
    let backend = Peer::backend("sec-websocket-protocol: a\r\n", |mut peer: Peer, request| async move {
        let (first, _) = peer.next().await;
        let told = ["sec-websocket-protocol", "sec-websocket-extensions"].map(|name| request.header(name));
        peer.frame(first, format!("{told:?}").as_bytes()).await;
        peer.next().await;
    })
    .await;
    let proxy = proxy(&backend, DEFAULT, |_| {}).await;
    let lines = "sec-websocket-protocol: a, b\r\nsec-websocket-extensions: permessage-deflate\r\n";
    let (mut client, answer) = Peer::open(&proxy, lines).await;
    assert_eq!(answer.header("sec-websocket-protocol"), Some("a"));
    assert_eq!(answer.header("sec-websocket-extensions"), Some("permessage-deflate"));
    assert_eq!(answer.header("api-version"), None);
    let hello = client.pack(b"hello");
    client.frame(PACKED, &hello).await;
    let want = r#"[Some("a"), Some("permessage-deflate; client_max_window_bits")]"#;
    assert_eq!(client.text_packed().await.0, want);
}
