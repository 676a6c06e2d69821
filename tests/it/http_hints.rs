//! Early hints, before the response of which they are.

use tokio::sync::watch;

use crate::support::backend::Backend;
use crate::support::proxy::{API, TestProxy, write_rule};

const HINT: &str = "HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\nkeep-alive: 5\r\n\r\n";
const ANSWER: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A backend that answers when it is told to, and hints before.
async fn hinting() -> (Backend, watch::Sender<bool>) {
    let (go, gone) = watch::channel(false);
    let backend = Backend::scripted(move |mut wire| {
        let mut gone = gone.clone();
        async move {
            while wire.try_message().await.is_some() {
                wire.send(format!("HTTP/1.1 102 Processing\r\n\r\n{HINT}{HINT}")).await;
                gone.wait_for(|is| *is).await.unwrap();
                wire.send(format!("{HINT}{ANSWER}")).await;
            }
        }
    })
    .await;
    (backend, go)
}

#[tokio::test]
async fn hints_come_before_the_response() {
    let (backend, go) = hinting().await;
    let proxy = TestProxy::before(backend.address).await;
    let mut client = proxy.client().await;
    let get = "GET / HTTP/1.1\r\nhost: h\r\n\r\n";
    // Two requests at once: the hints of the second come behind the first response.
    client.send(format!("{get}{get}")).await;
    for _ in 0..2 {
        let hint = client.head().await.unwrap();
        assert_eq!(hint.start, "HTTP/1.1 103 Early Hints");
        assert_eq!((hint.header("link"), hint.header("keep-alive")), (Some("</a.css>; rel=preload"), None));
    }
    go.send(true).unwrap();
    assert_eq!(client.head().await.unwrap().status(), 103);
    assert_eq!(client.message().await.text(), "ok");
    for _ in 0..3 {
        assert_eq!(client.head().await.unwrap().status(), 103);
    }
    assert_eq!(client.message().await.text(), "ok");
}

#[tokio::test]
async fn nothing_of_the_kind_goes_to_http_1_0() {
    let (backend, go) = hinting().await;
    go.send(true).unwrap();
    let proxy = TestProxy::before(backend.address).await;
    let got = proxy.client().await.ask("GET / HTTP/1.0\r\nhost: h\r\n\r\n").await;
    assert_eq!((got.status(), got.text()), (200, "ok"));
}

#[tokio::test]
async fn a_client_is_asked_for_its_body_only_where_it_is_wanted() {
    let (backend, recorded) = Backend::recording().await;
    let rules = tempfile::tempdir().unwrap();
    write_rule(rules.path(), "chat/api.yaml", API);
    let change = r#"{change: held, since: "2", summary: s, apply: [
        {http: POST /whole, request: [{jq: {at: "body:", up: ., down: .}}]},
        {http: POST /cross, request: [{move: {from: "query:/a", to: /a}}]}]}"#;
    write_rule(rules.path(), "chat/changes/2/20250101_held.yaml", change);
    let proxy = TestProxy::with_rules(rules, &[backend.address], |config| {
        let limits = &mut config.apis[0].limits;
        (limits.body, limits.buffer) = (100, 50);
    })
    .await;
    let post = |length: usize, version: &str| {
        format!(
            "POST / HTTP/{version}\r\nhost: h\r\nconnection: keep-alive\r\nexpect: 100-continue\r\n\
             content-length: {length}\r\n\r\n"
        )
    };
    let mut client = proxy.client().await;
    client.send(post(4, "1.1")).await;
    assert_eq!(client.head().await.unwrap().start, "HTTP/1.1 100 Continue");
    client.send("body").await;
    assert_eq!(client.message().await.status(), 200);
    assert_eq!((recorded.only().text(), recorded.count()), ("body", 0));
    // What is refused anyway is not asked for: what may not be that long, or that long where it has to be held.
    let mut client = proxy.client().await;
    client.send(post(101, "1.1")).await;
    assert_eq!(client.head().await.unwrap().status(), 413);
    for path in ["/whole", "/cross"] {
        let mut client = proxy.client().await;
        let typed = format!("POST {path} HTTP/1.1\r\ncontent-type: application/json\r\napi-version: 2");
        client.send(post(60, "1.1").replace("POST / HTTP/1.1", &typed)).await;
        let got = client.message().await;
        assert_eq!((got.status(), got.problem().as_str(), recorded.count()), (413, "too_large", 0), "{path}");
    }
    let mut client = proxy.client().await;
    client.send(post(4, "1.0") + "body").await;
    assert_eq!(client.head().await.unwrap().status(), 200);
}
