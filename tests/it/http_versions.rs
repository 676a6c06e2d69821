//! How a client's version is found, told on, and said back.

use crate::support::backend::Backend;
use crate::support::proxy::{TestProxy, write_rule};
use crate::support::wire::Message;

const API: &str = r#"legato: 1
api: chat
versions:
  - {id: "1", deprecated: 2026-01-01, sunset: 2026-02-03, guide: "https://chat.example/leave-1"}
  - {id: "2"}
client_version:
  - header: x-version
  - query: version
  - path: /v{version}
  - media_type_suffix: application/vnd.chat.v{version}+json
  - default: "2"
"#;

async fn proxy(more: &str, backend: &Backend) -> TestProxy {
    let rules = tempfile::tempdir().unwrap();
    write_rule(rules.path(), "chat/api.yaml", &format!("{API}{more}"));
    TestProxy::with_rules(rules, &[backend.address], |_| {}).await
}

/// What the client gets and what the backend saw.
async fn ask(start: &str, headers: &str) -> (Message, Message) {
    let (backend, recorded) = Backend::recording().await;
    let proxy = proxy("", &backend).await;
    let request = format!("GET {start} HTTP/1.1\r\nhost: h\r\n{headers}\r\n");
    (proxy.client().await.ask(&request).await, recorded.only())
}

#[tokio::test]
async fn the_backend_reads_its_own_version_where_the_client_wrote_one() {
    let cases = [
        ("/m", "x-version: 2\r\n", "GET /m HTTP/1.1", Some("1"), "2"),
        ("/m?a=1&version=2", "", "GET /m?a=1&version=1 HTTP/1.1", None, "2"),
        ("/v2/m", "", "GET /v1/m HTTP/1.1", None, "2"),
        ("/m", "", "GET /m HTTP/1.1", None, "2"),
        ("/v1/m", "x-version: 2\r\n", "GET /v1/m HTTP/1.1", Some("1"), "2"),
    ];
    for (path, headers, start, header, version) in cases {
        let (got, seen) = ask(path, headers).await;
        assert_eq!(seen.start, start, "{path} {headers}");
        assert_eq!(seen.header("x-version"), header, "{path} {headers}");
        assert_eq!(got.header("x-version"), Some(version), "{path} {headers}");
    }
}

#[tokio::test]
async fn a_deprecated_version_says_until_when_it_is_served() {
    let (got, _) = ask("/m", "x-version: 1\r\n").await;
    assert_eq!(got.header("deprecation"), Some("@1767225600"));
    assert_eq!(got.header("sunset"), Some("Tue, 03 Feb 2026 00:00:00 GMT"));
    let links: Vec<&str> = got.headers.iter().filter(|(n, _)| n == "link").map(|(_, v)| v.as_str()).collect();
    let want = ["deprecation", "sunset", "successor-version"]
        .map(|relation| format!("<https://chat.example/leave-1>; rel=\"{relation}\""));
    assert_eq!(links, want);
    let (got, _) = ask("/m", "x-version: 2\r\n").await;
    assert_eq!((got.header("deprecation"), got.header("link")), (None, None));
}

#[tokio::test]
async fn caches_learn_what_decided() {
    let (got, _) = ask("/m", "").await;
    let vary: Vec<&str> = got.headers.iter().filter(|(n, _)| n == "vary").map(|(_, v)| v.as_str()).collect();
    assert_eq!(vary, ["x-version", "accept", "content-type"]);
}

#[tokio::test]
async fn a_version_past_its_sunset_may_be_gone() {
    let backend = Backend::echo().await;
    let shape = "problems: {\"1\": {why: $code, of: $version, not: $supported, at: $pointer}}\n";
    let proxy = proxy(&format!("after_sunset: gone\n{shape}"), &backend).await;
    let mut client = proxy.client().await;
    let got = client.ask("GET /m HTTP/1.1\r\nhost: h\r\nx-version: 1\r\n\r\n").await;
    assert_eq!(got.text(), r#"{"why":"version_gone","of":"1","not":["1","2"],"at":null}"#);
    // Whoever learns that it is too late learns where to go.
    assert_eq!((got.status(), got.header("x-version")), (410, Some("1")));
    assert_eq!(got.header("sunset"), Some("Tue, 03 Feb 2026 00:00:00 GMT"));
    assert_eq!(got.headers.iter().filter(|(name, _)| name == "link").count(), 3);
    let got = client.ask("GET /m HTTP/1.1\r\nhost: h\r\nx-version: 2\r\n\r\n").await;
    assert_eq!(got.status(), 200);
}

#[tokio::test]
async fn an_unknown_version_may_be_taken_for_another() {
    let cases = [("default", "2", None), ("latest", "3", None), ("reject", "", Some("unknown_version"))];
    for (policy, version, problem) in cases {
        let (backend, recorded) = Backend::recording().await;
        let rules = tempfile::tempdir().unwrap();
        let api = API.replace("client_version:", "  - {id: \"3\"}\nclient_version:");
        write_rule(rules.path(), "chat/api.yaml", &format!("{api}unknown_version: {policy}\n"));
        let proxy = TestProxy::with_rules(rules, &[backend.address], |_| {}).await;
        let got = proxy.client().await.ask("GET /v9/m HTTP/1.1\r\nhost: h\r\nx-version: nine\r\n\r\n").await;
        if let Some(problem) = problem {
            assert_eq!(got.problem(), problem);
            continue;
        }
        assert_eq!(got.header("x-version"), Some(version), "{policy}");
        let seen = recorded.only();
        assert_eq!((seen.start.as_str(), seen.header("x-version")), ("GET /v1/m HTTP/1.1", Some("1")));
    }
}

#[tokio::test]
async fn the_backend_may_be_told_nothing_or_what_the_client_said() {
    let cases = [
        ("rewrite", "GET /v1/m?version=1 HTTP/1.1", Some("1"), Some("application/vnd.chat.v1+json")),
        ("strip", "GET /m HTTP/1.1", None, Some("application/json")),
        ("keep", "GET /v2/m?version=2 HTTP/1.1", Some("2"), Some("application/vnd.chat.v2+json")),
    ];
    for (policy, start, header, accept) in cases {
        let (backend, recorded) = Backend::recording().await;
        let proxy = proxy(&format!("tell_backend: {policy}\n"), &backend).await;
        let request = "GET /v2/m?version=2 HTTP/1.1\r\nhost: h\r\nx-version: 2\r\n\
                       accept: application/vnd.chat.v2+json\r\n\r\n";
        assert_eq!(proxy.client().await.ask(request).await.status(), 200);
        let seen = recorded.only();
        let found = (seen.start.as_str(), seen.header("x-version"), seen.header("accept"));
        assert_eq!(found, (start, header, accept), "{policy}");
    }
}

#[tokio::test]
async fn a_version_named_twice_is_refused() {
    let backend = Backend::echo().await;
    let proxy = proxy("", &backend).await;
    let request = "GET /m HTTP/1.1\r\nhost: h\r\nx-version: 1\r\nx-version: 2\r\n\r\n";
    let got = proxy.client().await.ask(request).await;
    assert_eq!((got.status(), got.problem().as_str()), (400, "ambiguous_version"));
}

#[tokio::test]
async fn errors_have_the_shape_of_the_clients_version() {
    let shape = "problems:\n  \"1\": {error: $title, code: $status, why: $code}\n";
    let nobody = Backend::nobody().await;
    let rules = tempfile::tempdir().unwrap();
    write_rule(rules.path(), "chat/api.yaml", &format!("{API}{shape}"));
    let proxy = TestProxy::with_rules(rules, &[nobody], |_| {}).await;
    let mut client = proxy.client().await;
    let got = client.ask("GET /m HTTP/1.1\r\nhost: h\r\nx-version: 1\r\n\r\n").await;
    assert_eq!((got.status(), got.header("content-type")), (502, Some("application/json")));
    assert_eq!(got.text(), r#"{"error":"Backend unreachable","code":502,"why":"unreachable"}"#);
    let got = client.ask("GET /m HTTP/1.1\r\nhost: h\r\nx-version: 2\r\n\r\n").await;
    assert_eq!((got.status(), got.problem().as_str()), (502, "unreachable"));
}
