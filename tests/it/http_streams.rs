//! Streams of documents, translated and flushed one by one, over real sockets.

use std::time::Duration;

use legato_proxy::config::Config;
use tokio::sync::watch;

use crate::support::backend::Backend;
use crate::support::proxy::{API, CHANGE, TestProxy, write_rule};
use crate::support::wire::Message;

const EVENTS: &str = "text/event-stream";
const LINES: &str = "application/x-ndjson";

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: h\r\napi-version: 2\r\n\r\n")
}

/// A backend that sends each of these pieces as a chunk, the next one when it is told to.
async fn piecewise(kind: &str, pieces: &[&str]) -> (Backend, watch::Sender<usize>) {
    let (go, gone) = watch::channel(0);
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\netag: \"a\"\r\ntransfer-encoding: chunked\r\n\r\n");
    let pieces: Vec<String> = pieces.iter().map(|piece| format!("{:x}\r\n{piece}\r\n", piece.len())).collect();
    let backend = Backend::scripted(move |mut wire| {
        let (mut gone, head, pieces) = (gone.clone(), head.clone(), pieces.clone());
        async move {
            wire.try_message().await;
            wire.send(head).await;
            for (i, piece) in pieces.iter().enumerate() {
                gone.wait_for(|allowed| *allowed > i).await.unwrap();
                wire.send(piece).await;
            }
            gone.wait_for(|allowed| *allowed > pieces.len()).await.unwrap();
            wire.send("0\r\n\r\n").await;
        }
    })
    .await;
    (backend, go)
}

#[tokio::test]
async fn each_document_leaves_as_it_comes() {
    let cases = [
        (EVENTS, ["id: 1\ndata: {\"text\":1}\n\n", ": ping\n\n"], ["id: 1\ndata: {\"body\":1}\n\n", ": ping\n\n"]),
        (LINES, ["{\"text\":1}\n", "{\"text\":2}\r\n\n"], ["{\"body\":1}\n", "{\"body\":2}\r\n\n"]),
        ("application/jsonl; charset=utf-8", ["{\"text\":1}\n", "\n"], ["{\"body\":1}\n", "\n"]),
    ];
    for (kind, sent, want) in cases {
        let (backend, go) = piecewise(kind, &sent).await;
        let proxy = TestProxy::before(backend.address).await;
        let mut client = proxy.client().await;
        client.send(get("/m")).await;
        // The head does not wait for the first document.
        let head = client.head().await.unwrap();
        assert_eq!(
            (head.status(), head.header("content-type"), head.header("content-length")),
            (200, Some(kind), None)
        );
        assert_ne!(head.header("etag"), Some("\"a\""));
        for (i, want) in want.iter().enumerate() {
            go.send(i + 1).unwrap();
            let mut got = Vec::new();
            while got.len() < want.len() {
                got.extend(client.chunk().await.unwrap());
            }
            assert_eq!(String::from_utf8_lossy(&got), *want, "{kind}");
        }
        go.send(3).unwrap();
        assert_eq!(client.chunk().await, None);
    }
}

#[tokio::test]
async fn an_event_waits_for_its_end() {
    let pieces = ["id: 1\nda", "ta: {\"te", "xt\":\ndata: 1}\n", "\ndata: {\"text\":2}\n"];
    let (backend, go) = piecewise(EVENTS, &pieces).await;
    let proxy = TestProxy::before(backend.address).await;
    let mut client = proxy.client().await;
    client.send(get("/m")).await;
    client.head().await.unwrap();
    go.send(3).unwrap();
    let early = tokio::time::timeout(Duration::from_millis(50), client.chunk()).await;
    assert!(early.is_err(), "half an event leaves: {early:?}");
    go.send(5).unwrap();
    let mut got = Vec::new();
    while let Some(chunk) = client.chunk().await {
        got.extend(chunk);
    }
    // The last event has no end: clients do not look at it.
    let want = "id: 1\ndata: {\"body\":\ndata: 1}\n\ndata: {\"body\":2}\n";
    assert_eq!(String::from_utf8_lossy(&got), want);
}

/// What a client of version 2 gets for a request when the backend answers with a stream.
async fn ask(kind: &str, framing: &str, stream: &str, request: &str, policy: &str) -> Message {
    ask_within(kind, framing, stream, request, policy, |_| {}).await
}

async fn ask_within(
    kind: &str,
    framing: &str,
    stream: &str,
    request: &str,
    policy: &str,
    adjust: impl FnOnce(&mut Config),
) -> Message {
    let body = match framing {
        "chunked" => format!("transfer-encoding: chunked\r\n\r\n{:x}\r\n{stream}\r\n0\r\n\r\n", stream.len()),
        _ => format!("content-length: {}\r\n\r\n{stream}", stream.len()),
    };
    let backend = Backend::answering(format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\n{body}")).await;
    let rules = tempfile::tempdir().unwrap();
    write_rule(rules.path(), "chat/api.yaml", &format!("{API}on_error: {policy}\n"));
    write_rule(rules.path(), "chat/changes/2/20250101_m.yaml", CHANGE);
    let change = "{change: strict, since: \"2\", summary: s, apply: [{http: \"* /m\", response: {2xx: [\
                  {map: {at: /state, pairs: [[on, online]], else: fail}}]}}]}";
    write_rule(rules.path(), "chat/changes/2/20250102_strict.yaml", change);
    let proxy = TestProxy::with_rules(rules, &[backend.address], adjust).await;
    proxy.client().await.ask(request).await
}

#[tokio::test]
async fn an_event_that_cannot_be_translated_is_left_out_or_ends_the_stream() {
    let stream = "data: {\"state\":\"on\"}\n\nid: 2\ndata: {\"state\":\"odd\"}\n\ndata: {\"text\":\n\ndata: [DONE]\n\n";
    let want = "data: {\"state\":\"online\"}\n\nid: 2\n\ndata: [DONE]\n\n";
    let got = ask(EVENTS, "chunked", stream, &get("/m"), "{}").await;
    assert_eq!((got.status(), got.is_complete, got.text()), (200, true, want));
    let got = ask(EVENTS, "chunked", stream, &get("/m"), "{frame: close}").await;
    assert_ne!((got.status(), got.is_complete), (200, true));
    assert!(!got.text().contains("data: "));
    // One that is all there is judged before its head leaves.
    let got = ask(EVENTS, "length", stream, &get("/m"), "{frame: close}").await;
    assert_eq!((got.status(), got.problem().as_str()), (502, "no_mapping"));
    let got = ask(EVENTS, "length", stream, &get("/m"), "{}").await;
    assert_eq!((got.text(), got.header("content-length")), (want, Some(want.len().to_string().as_str())));
    assert_eq!(got.header("legato-translation"), Some("partial"));
}

#[tokio::test]
async fn a_line_that_cannot_be_translated_ends_the_stream_or_stays() {
    let stream = "{\"state\":\"on\"}\n{\"text\":1\n{\"state\":\"odd\",\"text\":2}\n";
    let got = ask(LINES, "length", stream, &get("/m"), "{}").await;
    assert_eq!((got.status(), got.problem().as_str()), (502, "malformed_json"));
    let post = "POST /m HTTP/1.1\r\nhost: h\r\napi-version: 2\r\ncontent-length: 0\r\n\r\n";
    for framing in ["length", "chunked"] {
        let got = ask(LINES, framing, stream, post, "{}").await;
        let want = "{\"state\":\"online\"}\n{\"text\":1\n{\"state\":\"odd\",\"body\":2}\n";
        assert_eq!((got.status(), got.is_complete, got.text()), (200, true, want));
    }
    // Beyond what is held there is no status to say it with.
    let long = format!("{}{stream}", "{\"text\":0}\n".repeat(10_000));
    for framing in ["length", "chunked"] {
        let got = ask(LINES, framing, &long, &get("/m"), "{}").await;
        assert_eq!((got.status(), got.is_complete), (200, false));
        assert!(got.text().starts_with("{\"body\":0}\n") && !got.text().contains("text"));
    }
}

#[tokio::test]
async fn a_message_above_the_limit_ends_the_stream() {
    for (kind, end) in [(EVENTS, "\n\n"), (LINES, "\n")] {
        let stream = format!("data: {{}}{end}{}{end}", "x".repeat(2000));
        let stream = if kind == LINES { stream.replace("data: ", "") } else { stream };
        let limit = |config: &mut Config| config.apis[0].limits.message = 1000;
        let got = ask_within(kind, "length", &stream, &get("/m"), "{}", limit).await;
        assert_eq!((got.status(), got.problem().as_str()), (502, "too_large"), "{kind}");
    }
}

#[tokio::test]
async fn streams_in_another_charset_are_refused() {
    for kind in [EVENTS, LINES, "application/jsonl"] {
        let got = ask(&format!("{kind}; charset=latin1"), "length", "data: {}\n\n", &get("/m"), "{}").await;
        assert_eq!((got.status(), got.problem().as_str()), (502, "unsupported_charset"), "{kind}");
    }
}

#[tokio::test]
async fn lines_of_a_request_are_translated_one_by_one() {
    let post = |framing: &str, lines: &str| {
        let head = "POST /m HTTP/1.1\r\nhost: h\r\napi-version: 2\r\ncontent-type: application/x-ndjson";
        match framing {
            "chunked" => {
                format!("{head}\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{lines}\r\n0\r\n\r\n", lines.len())
            }
            _ => format!("{head}\r\ncontent-length: {}\r\n\r\n{lines}", lines.len()),
        }
    };
    for framing in ["length", "chunked"] {
        let (backend, recorded) = Backend::recording().await;
        let proxy = TestProxy::before(backend.address).await;
        let mut client = proxy.client().await;
        assert_eq!(client.ask(&post(framing, "{\"body\":1}\n\n{\"body\":2}")).await.status(), 200);
        assert_eq!(recorded.only().text(), "{\"text\":1}\n\n{\"text\":2}");
        let got = client.ask(&post(framing, "{\"body\":1}\n{\"body\":\n")).await;
        assert_eq!((got.status(), got.problem().as_str()), (400, "malformed_json"), "{framing}");
        assert_eq!(recorded.count(), 0);
    }
}

#[tokio::test]
async fn each_event_has_a_time_and_an_id_of_its_own() {
    let change = r#"{change: meta, since: "2", summary: s, apply: [{http: GET /m, response: {2xx: [
        {add: {at: /id, default: {value: $uuid}}}]}}], accept_loss: {down: [/id]}}"#;
    let rules = tempfile::tempdir().unwrap();
    write_rule(rules.path(), "chat/api.yaml", API);
    write_rule(rules.path(), "chat/changes/2/20250101_meta.yaml", change);
    let stream = "data: {}\n\ndata: {}\n\n";
    let response =
        format!("HTTP/1.1 200 OK\r\ncontent-type: {EVENTS}\r\ncontent-length: {}\r\n\r\n{stream}", stream.len());
    let backend = Backend::answering(response).await;
    let proxy = TestProxy::with_rules(rules, &[backend.address], |_| {}).await;
    let got = proxy.client().await.ask(&get("/m")).await;
    let events: Vec<&str> = got.text().split("\n\n").collect();
    assert_eq!(events.len(), 3);
    assert_ne!(events[0], events[1]);
}
