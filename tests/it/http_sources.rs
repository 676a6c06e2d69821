//! Every place where a client may name its version, in requests and in WebSocket handshakes.

use std::sync::{Arc, Mutex};

use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::support::backend::Backend;
use crate::support::proxy::{TestProxy, write_rule};
use crate::support::wire::Message;

/// A source, and a request that names the version `{v}` in it. The backend reads its own version in the same place,
/// unless the place is one that nobody may rewrite.
struct Case {
    source: &'static str,
    host: &'static str,
    target: &'static str,
    headers: &'static str,
    is_rewritten: bool,
    vary: &'static [&'static str],
}

const PLAIN: Case = Case { source: "", host: "h", target: "/ws", headers: "", is_rewritten: true, vary: &[] };

const CASES: [Case; 10] = [
    Case { source: "header: x-version", headers: "x-version: {v}\r\n", vary: &["x-version"], ..PLAIN },
    Case { source: "query: version", target: "/ws?a=1&version={v}", ..PLAIN },
    Case { source: "path: /v{version}", target: "/v{v}/ws", ..PLAIN },
    Case {
        source: "media_type: version",
        headers: "accept: text/html, application/json;version={v};q=0.5\r\n",
        vary: &["accept", "content-type"],
        ..PLAIN
    },
    Case {
        source: "media_type: version",
        headers: "accept: a/b;version=1;q=0.4, a/b;version={v};q=0.5, a/b;version=1;q=0\r\n",
        vary: &["accept", "content-type"],
        is_rewritten: false,
        ..PLAIN
    },
    Case {
        source: "media_type_suffix: application/vnd.chat.v{version}+json",
        headers: "accept: application/vnd.chat.v{v}+json\r\n",
        vary: &["accept", "content-type"],
        ..PLAIN
    },
    Case { source: "subprotocol: chat.v{version}", headers: "sec-websocket-protocol: other, chat.v{v}\r\n", ..PLAIN },
    Case { source: "host: \"v{version}.chat.example\"", host: "v{v}.chat.example:81", ..PLAIN },
    Case { source: "cookie: ver", headers: "cookie: a=1; ver={v}\r\n", vary: &["cookie"], ..PLAIN },
    Case {
        source: "pinned: {header: authorization, file: pins.yaml}",
        headers: "authorization: Bearer key-{v}\r\n",
        is_rewritten: false,
        vary: &["authorization"],
        ..PLAIN
    },
];

const PINS: &str = "key-1: \"1\"\nBearer key-2: \"2\"\n";

const SOCKET: &str = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                      sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Option<Message>>>);

/// A backend that opens sockets, with the last subprotocol that is offered, answers all else, and remembers the head.
async fn backend() -> (Backend, Seen) {
    let seen = Seen::default();
    let seen_there = seen.clone();
    let backend = Backend::scripted(move |mut wire| {
        let seen = seen_there.clone();
        async move {
            while let Some(head) = wire.head().await {
                let answer = match head.header("sec-websocket-key") {
                    Some(key) => {
                        let accept = derive_accept_key(key.as_bytes());
                        let last = head.header("sec-websocket-protocol").and_then(|offered| offered.split(", ").last());
                        let chosen = last.map(|name| format!("sec-websocket-protocol: {name}\r\n")).unwrap_or_default();
                        format!(
                            "HTTP/1.1 101 x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                             sec-websocket-accept: {accept}\r\n{chosen}\r\n"
                        )
                    }
                    None => "HTTP/1.1 204 x\r\n\r\n".to_owned(),
                };
                *seen.0.lock().unwrap() = Some(head);
                if wire.try_send(answer).await.is_err() {
                    return;
                }
            }
        }
    })
    .await;
    (backend, seen)
}

async fn proxy(client_version: &str, backend: &Backend) -> TestProxy {
    let rules = tempfile::tempdir().unwrap();
    let api =
        format!("legato: 1\napi: chat\nversions: [{{id: \"1\"}}, {{id: \"2\"}}]\nclient_version:\n{client_version}");
    write_rule(rules.path(), "chat/pins.yaml", PINS);
    write_rule(rules.path(), "chat/api.yaml", &api);
    TestProxy::with_rules(rules, &[backend.address], |_| {}).await
}

async fn ask(proxy: &TestProxy, case: &Case, version: &str, more: &str) -> Message {
    let Case { host, target, headers, .. } = case;
    let request = format!("GET {target} HTTP/1.1\r\nhost: {host}\r\n{headers}{more}\r\n").replace("{v}", version);
    let mut client = proxy.client().await;
    client.send(request).await;
    client.message().await
}

#[tokio::test]
async fn every_source_is_read_rewritten_and_said_back() {
    let (backend, seen) = backend().await;
    for case in CASES {
        let proxy = proxy(&format!("  - {}\n  - default: \"1\"\n", case.source), &backend).await;
        for (more, status) in [("", 204), (SOCKET, 101)] {
            let at = format!("{} {status}", case.source);
            let got = ask(&proxy, &case, "2", more).await;
            assert_eq!(got.status(), status, "{at}: {got:?}");
            let echo = if case.source == "header: x-version" { "x-version" } else { "api-version" };
            assert_eq!(got.header(echo), Some("2"), "{at}");
            let vary: Vec<&str> = got.headers.iter().filter(|(n, _)| n == "vary").map(|(_, v)| v.as_str()).collect();
            assert_eq!(vary, case.vary, "{at}");

            let head = seen.0.lock().unwrap().take().unwrap();
            let read = if case.is_rewritten { "1" } else { "2" };
            let target = case.target.replace("{v}", if case.target.contains("{v}") { "1" } else { read });
            assert_eq!(head.start, format!("GET {target} HTTP/1.1"), "{at}");
            if let (Some((name, value)), true) = (case.headers.trim_end().split_once(": "), case.is_rewritten) {
                assert_eq!(head.header(name), Some(value.replace("{v}", "1").as_str()), "{at}");
            }
            let read = if case.is_rewritten { "1" } else { "2" };
            assert_eq!(head.header("host"), Some(case.host.replace("{v}", read).as_str()), "{at}");
            if case.source.starts_with("subprotocol") && status == 101 {
                assert_eq!(got.header("sec-websocket-protocol"), Some("chat.v2"), "{at}");
            }
        }
    }
}

#[tokio::test]
async fn a_version_that_does_not_exist_is_refused_with_those_that_do() {
    let (backend, _) = backend().await;
    let names_nothing = |case: &Case| case.source.starts_with("pinned") || case.headers.contains("version=1");
    for case in CASES {
        let proxy = proxy(&format!("  - {}\n  - default: \"1\"\n", case.source), &backend).await;
        for (more, status) in [("", 204), (SOCKET, 101)] {
            let at = format!("{} {status}", case.source);
            let got = ask(&proxy, &case, "9", more).await;
            if names_nothing(&case) {
                // Who is not pinned is not refused, and of several media types a known one is taken.
                assert_eq!((got.status(), got.header("api-version")), (status, Some("1")), "{at}");
                continue;
            }
            assert_eq!((got.status(), got.problem().as_str()), (400, "unknown_version"), "{at}");
            assert_eq!(got.json()["supported"], serde_json::json!(["1", "2"]), "{at}");
            let vary: Vec<&str> = got.headers.iter().filter(|(n, _)| n == "vary").map(|(_, v)| v.as_str()).collect();
            assert_eq!(vary, case.vary, "{at}");
        }
    }
}

#[tokio::test]
async fn one_place_that_names_two_versions_is_refused() {
    let cases = [
        ("header: x-version", "/m", "x-version: 1, 2\r\n"),
        ("query: version", "/m?version=1&version=2", ""),
        ("media_type: version", "/m", "accept: a/b;version=1\r\ncontent-type: a/b;version=2\r\n"),
        ("cookie: ver", "/m", "cookie: ver=1\r\ncookie: ver=2\r\n"),
        (
            "pinned: {header: authorization, file: pins.yaml}",
            "/m",
            "authorization: Bearer key-1\r\nauthorization: key-2\r\n",
        ),
    ];
    let (backend, _) = backend().await;
    for (source, target, headers) in cases {
        let proxy = proxy(&format!("  - {source}\n"), &backend).await;
        for more in ["", SOCKET] {
            let case = Case { target, headers, ..PLAIN };
            let got = ask(&proxy, &case, "", more).await;
            assert_eq!((got.status(), got.problem().as_str()), (400, "ambiguous_version"), "{source}");
            assert!(!got.text().contains("key-"), "{}", got.text());
        }
    }
}

#[tokio::test]
async fn the_first_source_decides_and_all_are_rewritten() {
    let (backend, seen) = backend().await;
    let sources = "  - header: x-version\n  - pinned: {header: x-user, file: pins.yaml}\n  - query: v\n";
    let proxy = proxy(sources, &backend).await;
    let cases = [
        ("/m?v=1", "x-version: 2\r\nx-user: key-1\r\n", "2", "/m?v=1"),
        ("/m?v=1", "x-user: Bearer key-2\r\n", "2", "/m?v=1"),
        ("/m?v=2", "x-user: key-3\r\n", "2", "/m?v=1"),
    ];
    for (target, headers, version, asked) in cases {
        let got = ask(&proxy, &Case { target, headers, ..PLAIN }, "", "").await;
        assert_eq!(got.header("x-version"), Some(version), "{target} {headers}");
        let head = seen.0.lock().unwrap().take().unwrap();
        assert_eq!(head.start, format!("GET {asked} HTTP/1.1"), "{target} {headers}");
    }
    // Without a default, a client that names none is refused, and told where it could have.
    let got = ask(&proxy, &PLAIN, "", "").await;
    assert_eq!((got.status(), got.problem().as_str()), (400, "unknown_version"));
    let want = "no version is named in header `x-version`, the client's `x-user`, query parameter `v`";
    assert_eq!(got.json()["detail"], want);
}

#[tokio::test]
async fn pins_are_reloaded_and_never_shown() {
    let (backend, _) = backend().await;
    let proxy = proxy("  - pinned: {header: authorization, file: pins.yaml}\n  - default: \"1\"\n", &backend).await;
    let case = Case { headers: "authorization: Bearer key-3\r\n", ..PLAIN };
    assert_eq!(ask(&proxy, &case, "", "").await.header("api-version"), Some("1"));
    let hash = proxy.reload.last().hash.clone();

    // `printf key-3 | sha256sum`
    let digest = "sha256:d9ef8196557c9da69806fb5d777f4e5ad6d5c18593039e0ff62f9fdf003b0198";
    proxy.write_rule("chat/pins.yaml", &format!("{PINS}{digest}: \"2\"\n"));
    let report = proxy.reload.reload().await.unwrap();
    assert_eq!(report.hash, hash, "validators of responses do not depend on who is pinned");
    assert_eq!(ask(&proxy, &case, "", "").await.header("api-version"), Some("2"));

    proxy.write_rule("chat/pins.yaml", "very-secret: \"3\"\nvery-secret: \"1\"\n");
    let report = proxy.reload.reload().await.unwrap();
    let said = format!("{report:?}");
    assert!(said.contains("pins.yaml:1:14") && !said.contains("secret"), "{said}");
    assert_eq!(ask(&proxy, &case, "", "").await.header("api-version"), Some("2"));
}
