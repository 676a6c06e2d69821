//! Reloads under load: no request fails, and none sees two rule sets.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::support::backend::Backend;
use crate::support::proxy::{API, TestProxy, write_rule};
use crate::support::socket::{self, Socket};
use crate::support::wire::Wire;

const RELOADS: u64 = 100;

/// Rules of which each generation has its own name for a message's text in version 1, so that a message comes back from
/// an echo as it was only where one generation has translated both ways. What comes back names the generation.
fn rules(generation: u64) -> String {
    format!(
        r#"change: generation
since: "2"
summary: Generation {generation}
apply:
  - http: "* /m"
    request: [{{rename: {{/text_{generation}: body}}}}]
    response:
      2xx:
        - add: {{at: "header:/x-generation", default: {{value: "{generation}"}}}}
        - add: {{at: /generation, default: {{value: {generation}}}}}
        - rename: {{/text_{generation}: body}}
        - add: {{at: /also, default: {{value: {generation}}}}}
  - ws: /ws
    server:
      discriminator: /type
      frames:
        say:
          as: message.send
          ops: [{{rename: {{/text_{generation}: body}}}}, {{add: {{at: /generation, default: {{value: {generation}}}}}}}]
    client:
      discriminator: /type
      frames:
        say: {{as: message.send, ops: [{{rename: {{/text_{generation}: body}}}}]}}
accept_loss:
  down: ["header:/x-generation", /generation, /also]
"#
    )
}

fn write_rules(proxy: &TestProxy, generation: u64) {
    proxy.write_rule("chat/changes/2/20250101000000_generation.yaml", &rules(generation));
}

/// A backend that sends every body and every WebSocket message back.
async fn echo() -> Backend {
    Backend::scripted(|mut wire| async move {
        while let Some(request) = wire.try_message().await {
            if let Some(key) = request.header("sec-websocket-key") {
                return echo_socket(wire, key).await;
            }
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length:";
            wire.send(format!("{head} {}\r\n\r\n{}", request.body.len(), request.text())).await;
        }
    })
    .await
}

async fn echo_socket(mut wire: Wire, key: &str) {
    let accept = derive_accept_key(key.as_bytes());
    let head = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket";
    wire.send(format!("{head}\r\nsec-websocket-accept: {accept}\r\n\r\n")).await;
    let mut socket: Socket = WebSocketStream::from_raw_socket(wire.stream, Role::Server, None).await;
    while let Some(Ok(message)) = socket.next().await {
        if message.is_text() && socket.send(message).await.is_err() {
            return;
        }
    }
}

fn post(version: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST /m HTTP/1.1\r\nhost: h\r\napi-version: {version}\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
}

/// Asks as a client of version 1 until told to stop.
async fn old_client(mut wire: Wire, is_over: Arc<AtomicBool>) {
    while !is_over.load(Ordering::Relaxed) {
        let got = wire.ask(&post("1", r#"{"text":"a"}"#)).await;
        assert_eq!((got.status(), got.text(), got.header("x-generation")), (200, r#"{"text":"a"}"#, None));
    }
}

/// Asks as a client of version 2 until told to stop.
async fn new_client(mut wire: Wire, is_over: Arc<AtomicBool>) {
    let mut last = 0;
    while !is_over.load(Ordering::Relaxed) {
        let got = wire.ask(&post("2", r#"{"body":"a"}"#)).await;
        assert_eq!(got.status(), 200, "{got:?}");
        let generation: u64 = got.header("x-generation").unwrap().parse().unwrap();
        let want = serde_json::json!({"body": "a", "generation": generation, "also": generation});
        assert_eq!(got.json(), want);
        assert!(generation >= last, "generation {generation} after {last}");
        last = generation;
    }
}

/// The generation that serves a socket.
async fn generation_of(socket: &mut Socket) -> u64 {
    socket::send(socket, r#"{"type":"message.send","body":"a"}"#).await;
    let got: Value = serde_json::from_str(&socket::text(socket).await).unwrap();
    let generation = got["generation"].as_u64().unwrap();
    assert_eq!(got, serde_json::json!({"type": "message.send", "body": "a", "generation": generation}));
    generation
}

/// Talks on an open socket until told to stop, in the generation of its handshake.
async fn talker(mut socket: Socket, is_over: Arc<AtomicBool>) {
    let first = generation_of(&mut socket).await;
    while !is_over.load(Ordering::Relaxed) {
        assert_eq!(generation_of(&mut socket).await, first);
    }
}

async fn start(backend: &Backend) -> TestProxy {
    let directory: TempDir = tempfile::tempdir().unwrap();
    write_rule(directory.path(), "chat/api.yaml", API);
    write_rule(directory.path(), "chat/changes/2/20250101000000_generation.yaml", &rules(1));
    TestProxy::with_rules(directory, &[backend.address], |_| {}).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_reloads_fail_no_request_and_mix_no_rules() {
    let backend = echo().await;
    let proxy = start(&backend).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for _ in 0..2 {
        clients.spawn(old_client(proxy.client().await, Arc::clone(&is_over)));
        clients.spawn(new_client(proxy.client().await, Arc::clone(&is_over)));
        clients.spawn(talker(socket::open(&proxy, &[("api-version", "2")]).await, Arc::clone(&is_over)));
    }
    for generation in 2..=RELOADS + 1 {
        write_rules(&proxy, generation);
        let report = proxy.reload.reload().await.unwrap();
        assert_eq!((report.generation, report.outcome.name() == "failed"), (generation, false), "{report:?}");
        // Whoever opens a socket from now on gets the rules of now.
        let mut socket = socket::open(&proxy, &[("api-version", "2")]).await;
        assert_eq!(generation_of(&mut socket).await, generation);
    }
    is_over.store(true, Ordering::Relaxed);
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
}
