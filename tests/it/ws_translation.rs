//! Sockets whose messages are translated.

use futures_util::StreamExt;
use legato_proxy::config::Config;

use crate::support::proxy::{API, TestProxy, write_rule};
use crate::support::socket::{self, Socket};

#[tokio::test]
async fn messages_are_translated_in_both_directions() {
    let backend = socket::echo().await;
    let proxy = TestProxy::before(backend.address).await;
    let mut client = socket::open(&proxy, &[("api-version", "2")]).await;
    socket::send(&mut client, r#"{"type":"message.send","body":"hi","n":1.0}"#).await;
    assert_eq!(
        socket::text(&mut client).await,
        r#"{"type":"say","text":"hi","n":1.0}"#,
        "the client's events go up only"
    );
    socket::send(&mut client, r#"{"type":"msg","text":"hi","n":1.0}"#).await;
    assert_eq!(socket::text(&mut client).await, r#"{"type":"message","body":"hi","n":1.0}"#);
}

/// What is read of a large message is given back behind it, with what comes at once behind that still to be read.
#[tokio::test]
async fn large_messages_are_translated_between_small_ones() {
    let backend = socket::echo().await;
    let proxy = TestProxy::before(backend.address).await;
    let mut client = socket::open(&proxy, &[("api-version", "2")]).await;
    let said = |text: &str, n: usize| format!(r#"{{"type":"message.send","body":"{text}","n":{n}}}"#);
    let want = |text: &str, n: usize| format!(r#"{{"type":"say","text":"{text}","n":{n}}}"#);
    let texts = ["small".to_owned(), "snow\u{2603} ".repeat(30_000), "x".repeat(65_536), "snow ".repeat(100_000)];
    for (n, text) in texts.iter().chain(&texts).enumerate() {
        socket::send(&mut client, said(text, n)).await;
        socket::send(&mut client, said("between", n)).await;
        assert!(socket::text(&mut client).await == want(text, n), "{n}");
        assert_eq!(socket::text(&mut client).await, want("between", n));
    }
}

#[tokio::test]
async fn what_has_no_translation_never_ends_the_socket() {
    let backend = socket::backend("", |mut socket: Socket| async move {
        for text in ["{broken", "not json", r#"{"type":"msg","state":"odd"}"#, r#"{"type":"msg","text":"last"}"#] {
            socket::send(&mut socket, text).await;
        }
        while socket.next().await.is_some() {}
    })
    .await;
    let proxy = TestProxy::before(backend.address).await;
    let mut client = socket::open(&proxy, &[("api-version", "2")]).await;
    for want in ["{broken", "not json", r#"{"type":"message","body":"last"}"#] {
        assert_eq!(socket::text(&mut client).await, want);
    }
}

#[tokio::test]
async fn a_client_is_told_what_cannot_be_translated() {
    let change = r#"change: kinds
since: "2"
summary: Kinds have other names
apply:
  - ws: /ws
    client:
      discriminator: /type
      frames:
        say: {ops: [{map: {at: /kind, pairs: [[text, plain]], else: fail}}]}
      error: {type: problem, code: $code, at: $pointer, for: $version}
    server:
      discriminator: /type
      frames:
        error: {as: problem, ops: [{rename: {/reason: code}}]}
"#;
    for (speaks, version, want) in [
        ("1", "2", r#"{"type":"problem","code":"no_mapping","at":"/kind","for":"2"}"#),
        ("2", "1", r#"{"type":"error","reason":"no_mapping","at":"/kind","for":"1"}"#),
    ] {
        let backend = socket::echo().await;
        let rules = tempfile::tempdir().unwrap();
        write_rule(rules.path(), "chat/api.yaml", API);
        write_rule(rules.path(), "chat/changes/2/20250101000000_kinds.yaml", change);
        let adjust = |c: &mut Config| c.apis[0].backends[0].speaks = speaks.into();
        let proxy = TestProxy::with_rules(rules, &[backend.address], adjust).await;
        let mut client = socket::open(&proxy, &[("api-version", version)]).await;
        socket::send(&mut client, r#"{"type":"say","kind":"video"}"#).await;
        assert_eq!(socket::text(&mut client).await, want);
        // The socket lives on.
        socket::send(&mut client, r#"{"type":"other"}"#).await;
        assert_eq!(socket::text(&mut client).await, r#"{"type":"other"}"#);
    }
    // Counters belong to all proxies of this process.
    let counted = r#"legato_message_outcomes_total{api="chat",side="client",event="say",outcome="failed"}"#;
    let backend = socket::echo().await;
    let proxy = TestProxy::before(backend.address).await;
    let got = proxy.admin().await.ask("GET /metrics HTTP/1.1\r\nhost: h\r\n\r\n").await;
    assert!(got.text().contains(counted), "{}", got.text());
}
