//! Backends that speak different versions, call by call.

use legato_proxy::config::Speaks;

use crate::support::backend::Backend;
use crate::support::proxy::{API, TestProxy, write_rule};

const CHANGE: &str = r#"change: orders
since: "2"
summary: Sales are orders, and a text is a body
apply:
  - http: GET /sales/{id}
    route: GET /orders/{order}
    response: {2xx: [{rename: {/text: body}}]}
  - http: GET /m
    response: {2xx: [{rename: {/text: body}}]}
"#;

/// A backend that has version 2 of orders and version 1 of all else, and says which version it was told.
async fn backend() -> Backend {
    Backend::scripted(|mut wire| async move {
        while let Some(request) = wire.try_message().await {
            let told = request.header("api-version").unwrap_or("none").to_owned();
            let path = request.start.split(' ').nth(1).unwrap().to_owned();
            let member = if path.starts_with("/orders/") { "body" } else { "text" };
            let body = format!(r#"{{"{member}":"{path} {told}"}}"#);
            let kind = "content-type: application/json\r\nlocation: /orders/9";
            let answer = format!("HTTP/1.1 200 OK\r\n{kind}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            if wire.try_send(answer).await.is_err() {
                return;
            }
        }
    })
    .await
}

async fn start(backend: &Backend, calls: &[(&str, &str)]) -> TestProxy {
    let rules = tempfile::tempdir().unwrap();
    write_rule(rules.path(), "chat/api.yaml", API);
    write_rule(rules.path(), "chat/changes/2/20250101000000_orders.yaml", CHANGE);
    let calls = calls.iter().map(|(call, version)| ((*call).to_owned(), (*version).to_owned())).collect();
    TestProxy::with_rules(rules, &[backend.address], |c| {
        c.apis[0].backends[0].speaks = Speaks { default: "1".to_owned(), calls };
    })
    .await
}

#[tokio::test]
async fn each_call_is_translated_to_the_version_that_is_spoken_there() {
    let backend = backend().await;
    let proxy = start(&backend, &[("GET /orders/{id}", "2")]).await;
    let mut client = proxy.client().await;
    let cases = [
        ("1", "/sales/7", r#"{"text":"/orders/7 2"}"#, "/sales/9"),
        ("2", "/orders/7", r#"{"body":"/orders/7 2"}"#, "/orders/9"),
        ("1", "/m", r#"{"text":"/m 1"}"#, "/sales/9"),
        ("2", "/m", r#"{"body":"/m 1"}"#, "/orders/9"),
    ];
    for (version, path, body, location) in cases {
        let got = client.ask(&format!("GET {path} HTTP/1.1\r\nhost: h\r\napi-version: {version}\r\n\r\n")).await;
        assert_eq!((got.text(), got.header("api-version")), (body, Some(version)), "{version} {path}");
        assert_eq!(got.header("location"), Some(location), "{version} {path}");
    }
    let status = proxy.admin().await.ask("GET /api/status HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").await.json();
    assert_eq!(status["apis"][0]["backends"][0]["speaks"]["GET /orders/{id}"], "2", "{status}");
}
