//! What translations lose, counted: by the engine case by case, and by the proxy over real sockets.

use std::sync::Arc;

use legato_proxy::config::{Config, SocketIo, SocketIoBackend};
use legato_proxy::json::{OnError, Program};
use legato_proxy::rules::{Direction, Mode, Ops};
use serde_json::{Value, json};

use crate::engine::{Lost, translate_counting};
use crate::support::backend::Backend;
use crate::support::proxy::{API, TestProxy, write_rule};
use crate::support::socket;

const CASES: &str = include_str!("../data/losses.json");

/// Whole, in chunks, as one of a list of like objects, fused and held.
#[test]
fn edits_say_what_they_lose() {
    let cases: Vec<Value> = serde_json::from_str(CASES).expect("JSON");
    for case in &cases {
        let (why, document) = (case["why"].as_str().expect("a reason"), &case["document"]);
        let direction = if case["down"] == true { Direction::Down } else { Direction::Up };
        let want: Lost = serde_json::from_value(case["lost"].clone()).expect("counts");
        let lost = |ops: &Value, text: &str| {
            let ops = Ops::parse(&ops.to_string(), why).unwrap_or_else(|found| panic!("{why}: {}", found[0].message));
            let run = |program: &Arc<Program>| {
                let done = translate_counting(OnError::Reject, program, text, 3);
                done.unwrap_or_else(|error| panic!("{why}: {error:?}")).1
            };
            let fused = run(&ops.program(direction, Mode::Full));
            assert_eq!(run(&ops.held(direction, Mode::Full)), fused, "{why}, held");
            fused
        };
        assert_eq!(lost(&case["ops"], &document.to_string()), want, "{why}");

        let listed = json!([{"each": {"at": "/*", "ops": case["ops"]}}]);
        let many: Lost = want.iter().map(|(path, count)| (format!("/*{path}"), 7 * count)).collect();
        assert_eq!(lost(&listed, &Value::Array(vec![document.clone(); 7]).to_string()), many, "{why}, in a list");
    }
}

/// An element cannot be taken out of its list. Where it stays instead, it is not lost.
#[test]
fn what_stays_is_not_lost() {
    let ops = json!([{"map": {"at": "/t/*", "pairs": [["a", "b"]], "else": "drop"}}]);
    let program = Ops::parse(&ops.to_string(), "ops.yaml").expect("ops").program(Direction::Up, Mode::Full);
    let done = translate_counting(OnError::BestEffort, &program, r#"{"t":["x","a"]}"#, 3).expect("translated");
    assert_eq!(done.1, Lost::new(), "{}", done.0);
}

/// A change of messages, with an id of its own: counters are the process's, which all tests share.
fn change(id: &str, accept_loss: &str, apply: &str) -> String {
    format!("change: {id}\nsince: \"2\"\nsummary: Much goes\naccept_loss: {accept_loss}\napply:\n{apply}")
}

async fn proxy(backend: &Backend, change: &str) -> TestProxy {
    proxy_with(backend, change, |_| {}).await
}

async fn proxy_with(backend: &Backend, change: &str, adjust: impl FnOnce(&mut Config)) -> TestProxy {
    let rules = tempfile::tempdir().unwrap();
    write_rule(rules.path(), "chat/api.yaml", API);
    write_rule(rules.path(), "chat/shapes.yaml", "User: [{http: POST /shaped, request: true, at: /users/*}]\n");
    write_rule(rules.path(), "chat/changes/2/20250101000000_losing.yaml", change);
    TestProxy::with_rules(rules, &[backend.address], adjust).await
}

/// What was lost with a change, by its path.
async fn counted(proxy: &TestProxy, change: &str) -> Lost {
    let metrics = proxy.admin().await.ask("GET /metrics HTTP/1.1\r\nhost: h\r\n\r\n").await;
    let start = format!("legato_losses_total{{api=\"chat\",change=\"{change}\",path=\"");
    let lines = metrics.text().lines().filter_map(|line| line.strip_prefix(&start)?.split_once("\"} "));
    lines.map(|(path, count)| (path.to_owned(), count.parse().expect("a count"))).collect()
}

fn lost(list: &[(&str, u64)]) -> Lost {
    list.iter().map(|(path, count)| ((*path).to_owned(), *count)).collect()
}

fn post(path: &str, head: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: h\r\napi-version: 2\r\ncontent-type: application/json\r\n{head}content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn what_requests_and_responses_lose_is_counted() {
    let change = change(
        "http_losses",
        r#"{up: [/legacy, "header:/x-old"], down: [/*/note, "header:/x-region", "query:/page", /email]}"#,
        r#"  - http: POST /m
    request:
      - add: {at: /*/note, default: {value: ""}}
      - map: {at: /*/state, pairs: [[on, online], [off, offline]], else: fail}
      - add: {at: "header:/x-region", default: {value: eu}}
      - add: {at: "query:/page", default: {value: "1"}}
    response:
      2xx: [{remove: {at: /legacy, restore: absent}}, {remove: {at: "header:/x-old", restore: absent}}]
  - shape: User
    ops: [{add: {at: /email, default: {value: ""}}}]
"#,
    );
    let answer = r#"{"legacy":1,"text":"a"}"#;
    let head = "HTTP/1.1 200 OK\r\nx-old: 1\r\ncontent-type: application/json\r\ncontent-length: 23\r\n\r\n";
    let backend = Backend::answering(format!("{head}{answer}")).await;
    let proxy = proxy(&backend, &change).await;
    let mut client = proxy.client().await;
    let users = r#"[{"note":"a"},{},{"note":"b"},{"note":"c","state":"online"}]"#;
    let done = client.ask(&post("/m?page=2", "x-region: us\r\n", users)).await;
    assert_eq!((done.status(), done.text()), (200, r#"{"text":"a"}"#));
    let response = [("/legacy", 1), ("header:/x-old", 1)];
    let request = [("/*/note", 3), ("header:/x-region", 1), ("query:/page", 1)];
    assert_eq!(counted(&proxy, "http_losses").await, lost(&[&response[..], &request].concat()));

    // A request that has no translation is not sent, and nothing is lost with it; neither is what is not there.
    let failed = client.ask(&post("/m?page=2", "x-region: us\r\n", r#"[{"note":"a"},{"state":"odd"}]"#)).await;
    assert_eq!(failed.status(), 422);
    assert_eq!(counted(&proxy, "http_losses").await, lost(&[&response[..], &request].concat()));

    // What a shape loses is said of the shape.
    client.ask(&post("/shaped", "", r#"{"users":[{"email":"a"},{"email":"b"}]}"#)).await;
    assert_eq!(counted(&proxy, "http_losses").await, lost(&[&response[..], &request, &[("/email", 2)]].concat()));
}

#[tokio::test]
async fn what_streams_lose_is_counted_at_their_end_or_message_by_message() {
    let change = change(
        "stream_losses",
        "{up: [/legacy, /*/old]}",
        "  - http: GET /m
    response: {2xx: [{remove: {at: /legacy, restore: absent}}]}
  - http: GET /long
    response: {2xx: [{remove: {at: /*/old, restore: absent}}]}
",
    );
    let of = |kind: &str, body: &str| {
        format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    };
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: h\r\napi-version: 2\r\n\r\n");
    let mut want = 0;
    for (kind, body) in [
        ("text/event-stream", "data: {\"legacy\":1}\n\ndata: {\"a\":1}\n\ndata: {\"legacy\":2}\n\n"),
        ("application/x-ndjson", "{\"legacy\":1}\n{\"a\":1}\n{\"legacy\":2}\n"),
    ] {
        let backend = Backend::answering(of(kind, body)).await;
        let proxy = proxy(&backend, &change).await;
        assert_eq!(proxy.client().await.ask(&get("/m")).await.status(), 200);
        want += 2;
        assert_eq!(counted(&proxy, "stream_losses").await, lost(&[("/legacy", want)]), "{kind}");
    }
    let elements = 20_000;
    let backend =
        Backend::answering(of("application/json", &format!("[{}1]", r#"{"id":1,"old":2},"#.repeat(elements)))).await;
    let proxy = proxy(&backend, &change).await;
    assert_eq!(proxy.client().await.ask(&get("/long")).await.status(), 200);
    assert_eq!(counted(&proxy, "stream_losses").await, lost(&[("/*/old", 20_000), ("/legacy", want)]));
}

#[tokio::test]
async fn what_messages_lose_is_counted() {
    let change = change(
        "socket_losses",
        r#"{down: [/legacy, "body:"]}"#,
        r#"  - ws: /ws
    client:
      discriminator: /type
      frames:
        say: {ops: [{add: {at: /legacy, default: {value: 1}}}]}
        hush: {ops: [{drop: {at: "body:", when: {/quiet: true}}}]}
"#,
    );
    let backend = socket::echo().await;
    let proxy = proxy(&backend, &change).await;
    let mut client = socket::open(&proxy, &[("api-version", "2")]).await;
    let large = format!(r#"{{"type":"say","legacy":3,"text":"{}"}}"#, "x".repeat(100_000));
    for message in [
        r#"{"type":"say","legacy":1}"#,
        r#"{"type":"say"}"#,
        r#"{"type":"hush","quiet":true}"#,
        large.as_str(),
        r#"{"type":"hush","quiet":false}"#,
    ] {
        socket::send(&mut client, message).await;
    }
    for want in [r#"{"type":"say"}"#, r#"{"type":"say"}"#] {
        assert_eq!(socket::text(&mut client).await, want);
    }
    assert!(!socket::text(&mut client).await.contains("legacy"));
    assert_eq!(socket::text(&mut client).await, r#"{"type":"hush","quiet":false}"#);
    // What has come at once is told to the metrics before anything else is waited for.
    drop(client);
    let want = lost(&[("/legacy", 2), ("body:", 1)]);
    while counted(&proxy, "socket_losses").await != want {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_events_lose_is_counted() {
    let change = change(
        "event_losses",
        r#"{up: ["/*/old"], down: [/0/legacy, "body:"]}"#,
        r#"  - socketio: /
    client:
      events:
        say:
          args: [{each: {at: /0, ops: [{add: {at: /legacy, default: {value: 1}}}]}}]
        whisper: {args: [{drop: {at: "body:", when: {/0: ""}}}]}
    server:
      events:
        say: {args: [{remove: {at: /*/old, restore: absent}}]}
"#,
    );
    let backend = crate::socketio::eio4().await;
    let adjust = |config: &mut Config| config.apis[0].socketio = Some(SocketIo::before(SocketIoBackend::Eio4));
    let proxy = proxy_with(&backend, &change, adjust).await;
    let ask = async |method: &str, query: &str, body: &str| {
        let request = format!(
            "{method} /socket.io/?EIO=3&transport=polling&b64=1{query} HTTP/1.1\r\nhost: h\r\napi-version: 2\r\n\
             content-type: text/plain;charset=UTF-8\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        proxy.client().await.ask(&request).await.text().to_owned()
    };
    ask("GET", "", "").await;
    for (event, answer) in
        [(r#"42["whisper",""]"#, None), (r#"42["say",{"legacy":1,"old":2}]"#, Some(r#"42["say",{}]"#))]
    {
        assert_eq!(ask("POST", "&sid=ROOT", &format!("{}:{event}", event.len())).await, "ok");
        if let Some(answer) = answer {
            assert_eq!(ask("GET", "&sid=ROOT", "").await, format!("{}:{answer}", answer.len()));
        }
    }
    assert_eq!(counted(&proxy, "event_losses").await, lost(&[("/*/old", 1), ("/0/legacy", 1), ("body:", 1)]));
}

#[tokio::test]
async fn what_heads_and_bodies_together_and_patches_lose_is_counted() {
    let change = change(
        "other_losses",
        "{down: [/secret, /state]}",
        r#"  - http: POST /united
    request: [{add: {at: /secret, default: {value: 1}}, where: {"header:/x-kind": a}}]
  - http: PATCH /users
    request: [{map: {at: /state, pairs: [["on", online], ["off", offline], ["off", gone]]}}]
"#,
    );
    let (backend, recorded) = Backend::recording().await;
    let proxy = proxy(&backend, &change).await;
    let mut client = proxy.client().await;
    for (kind, count) in [("a", 1), ("b", 1), ("a", 2)] {
        let asked = client.ask(&post("/united", &format!("x-kind: {kind}\r\n"), r#"{"secret":7}"#)).await;
        assert_eq!(asked.status(), 200);
        assert_eq!(counted(&proxy, "other_losses").await, lost(&[("/secret", count)]), "{kind}");
    }
    recorded.take();
    let patch = r#"[{"op":"replace","path":"/state","value":"gone"},{"op":"test","path":"/state","value":"offline"}]"#;
    let request = post("/users", "", patch).replace("POST", "PATCH").replace("/json", "/json-patch+json");
    assert_eq!(client.ask(&request).await.status(), 200);
    assert_eq!(recorded.only().text(), patch.replace("gone", "off").replace("offline", "off"));
    assert_eq!(counted(&proxy, "other_losses").await, lost(&[("/secret", 2), ("/state", 1)]));
}
