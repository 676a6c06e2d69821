//! The admin endpoints.

use legato_proxy::config::Admin;

use crate::support::backend::Backend;
use crate::support::eventually;
use crate::support::proxy::TestProxy;
use crate::support::wire::Message;

async fn ask(proxy: &TestProxy, request: &str) -> Message {
    proxy.admin().await.ask(&format!("{request}\r\n\r\n")).await
}

#[tokio::test]
async fn life_readiness_and_what_is_not_there() {
    let backend = Backend::echo().await;
    let proxy = TestProxy::before(backend.address).await;
    let cases = [
        ("GET /healthz HTTP/1.1\r\nhost: h", 200),
        ("GET /readyz HTTP/1.1\r\nhost: h", 200),
        ("POST /readyz HTTP/1.1\r\nhost: h", 405),
        ("GET /api/reload HTTP/1.1\r\nhost: h", 405),
        ("GET /nothing HTTP/1.1\r\nhost: h", 404),
    ];
    for (request, status) in cases {
        assert_eq!(ask(&proxy, request).await.status(), status, "{request}");
    }
}

#[tokio::test]
async fn the_status_says_what_is_served() {
    let backend = Backend::echo().await;
    let proxy = TestProxy::before(backend.address).await;
    let status = ask(&proxy, "GET /api/status HTTP/1.1\r\nhost: h").await.json();
    let api = &status["apis"][0];
    assert_eq!(api["versions"], serde_json::json!(["1", "2"]));
    assert_eq!(api["backends"][0]["endpoints"][0]["address"], backend.address.to_string());
    assert_eq!(status["listening"][0], proxy.address.to_string());
    assert_eq!((&status["generation"], &status["last_reload"]["result"]), (&1.into(), &"published".into()));
}

#[tokio::test]
async fn metrics_count_what_happened() {
    let backend = Backend::echo().await;
    // Metrics are the process's, which all tests share: this API's name is its own.
    let rules = tempfile::tempdir().unwrap();
    let text = crate::support::proxy::API.replace("api: chat", "api: counted");
    crate::support::proxy::write_rule(rules.path(), "counted/api.yaml", &text);
    let proxy = TestProxy::with_rules(rules, &[backend.address], |c| {
        c.apis[0].name = "counted".to_owned();
    })
    .await;
    let mut client = proxy.client().await;
    for request in ["GET / HTTP/1.1\r\nhost: h\r\n\r\n", "GET / HTTP/1.1\r\nhost: h\r\napi-version: 2\r\n\r\n"] {
        assert_eq!(client.ask(request).await.status(), 200);
    }
    let metrics = ask(&proxy, "GET /metrics HTTP/1.1\r\nhost: h").await;
    assert!(metrics.header("content-type").unwrap().starts_with("text/plain"));
    for version in ["1", "2"] {
        let labels = format!(r#"{{api="counted",client_version="{version}",backend="legacy",status="200"}} 1"#);
        assert!(metrics.text().contains(&format!("legato_requests_total{labels}")), "{}", metrics.text());
    }
    assert!(metrics.text().contains("legato_rules_info{hash="));
    assert!(metrics.text().contains("legato_request_seconds_bucket{api=\"counted\""));
}

#[tokio::test]
async fn usage_says_who_calls_which_version_and_what_changes_do() {
    let backend = Backend::echo().await;
    let proxy = TestProxy::before(backend.address).await;
    let mut client = proxy.client().await;
    for (target, version) in [("/m", "1"), ("/m", "2"), ("/m", "2"), ("/other", "2")] {
        let request = format!("GET {target} HTTP/1.1\r\nhost: h\r\napi-version: {version}\r\n\r\n");
        assert_eq!(client.ask(&request).await.status(), 200);
    }
    drop(client);
    let counted = || async {
        ask(&proxy, "GET /api/usage HTTP/1.1\r\nhost: h").await.json()["apis"][0]["versions"][1]["requests"] == 3
    };
    eventually("three requests", counted).await;
    let usage = ask(&proxy, "GET /api/usage HTTP/1.1\r\nhost: h").await.json();
    let [one, two] = usage["apis"][0]["versions"].as_array().unwrap().as_slice() else { panic!("{usage}") };
    assert_eq!((&one["version"], &one["requests"], &one["clients"]), (&"1".into(), &1.into(), &1.into()));
    assert_eq!((&two["requests"], &two["top_clients"][0]["client"]), (&3.into(), &"127.0.0.1".into()));
    assert!(two["last_seen"].is_string() && two["calls"].as_array().unwrap().len() == 2, "{two}");
    let change = &usage["apis"][0]["changes"][0];
    assert_eq!(
        (&change["change"], &change["since"], &change["hits"]),
        (&"text_to_body".into(), &"2".into(), &2.into())
    );

    let rules = ask(&proxy, "GET /api/rules HTTP/1.1\r\nhost: h").await.json();
    assert_eq!(rules["apis"][0]["changes"][0]["summary"], "A message's text is its body");
    assert_eq!(rules["apis"][0]["versions"][1]["id"], "2");
}

#[tokio::test]
async fn what_no_endpoint_takes_is_refused() {
    let backend = Backend::echo().await;
    let proxy = TestProxy::before(backend.address).await;
    for path in ["/healthz", "/readyz", "/metrics", "/api/status", "/api/rules", "/api/usage"] {
        let refused = ask(&proxy, &format!("DELETE {path} HTTP/1.1\r\nhost: h")).await;
        assert_eq!((refused.status(), refused.header("allow")), (405, Some("GET, HEAD")), "{path}");
    }
    let refused = ask(&proxy, "GET /api/reload HTTP/1.1\r\nhost: h").await;
    assert_eq!((refused.status(), refused.header("allow")), (405, Some("POST")));
    // A body is not read, so that none is too large, and a slow one keeps nobody waiting.
    let announced = "POST /api/reload HTTP/1.1\r\nhost: h\r\ncontent-length: 99999999999";
    assert_eq!(ask(&proxy, announced).await.status(), 200);
    let mut slow = proxy.admin().await;
    slow.send("GET /hea").await;
    assert_eq!(ask(&proxy, "GET /healthz HTTP/1.1\r\nhost: h").await.status(), 200);
}

#[tokio::test]
async fn a_reload_says_what_is_wrong() {
    let backend = Backend::echo().await;
    let proxy = TestProxy::before(backend.address).await;
    let reload = "POST /api/reload HTTP/1.1\r\nhost: h\r\ncontent-length: 0";
    let same = ask(&proxy, reload).await;
    assert_eq!((same.status(), &same.json()["result"]), (200, &"unchanged".into()));
    proxy.write_rule("chat/api.yaml", "legato: 1\nbroken: [\n");
    let failed = ask(&proxy, reload).await;
    assert_eq!(failed.status(), 422);
    let result = failed.json();
    assert_eq!((&result["result"], &result["generation"]), (&"failed".into(), &1.into()));
    assert!(result["diagnostics"].as_str().unwrap().contains("chat/api.yaml"), "{result}");
}

#[tokio::test]
async fn writes_need_the_token_and_no_foreign_page() {
    let backend = Backend::echo().await;
    let proxy = TestProxy::start(&[backend.address], |c| {
        let address = c.admin.as_ref().unwrap().address;
        c.admin = Some(Admin { address, token: Some("secret".to_owned()) });
    })
    .await;
    let cases = [
        ("", 401),
        ("\r\nauthorization: Bearer wrong!", 401),
        ("\r\nauthorization: Bearer secret", 200),
        ("\r\nauthorization: Bearer secret\r\norigin: https://evil.example", 403),
        ("\r\nauthorization: Bearer secret\r\norigin: http://h", 200),
    ];
    for (headers, status) in cases {
        let request = format!("POST /api/reload HTTP/1.1\r\nhost: h\r\ncontent-length: 0{headers}");
        assert_eq!(ask(&proxy, &request).await.status(), status, "{headers:?}");
    }
}
