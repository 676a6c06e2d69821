//! The lines of `docs/errors.md` that concern translated calls, in both directions and in both versions of HTTP.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use legato_proxy::config::{Config, Protocol};
use legato_proxy::json::Code;

use tokio_util::task::AbortOnDropHandle;

use crate::support::backend::Backend;
use crate::support::coding::encode;
use crate::support::proxy::{API, TestProxy, write_rule};
use crate::support::wire::{Message, Wire};
use crate::support::{eventually, within};

const CHANGE: &str = r#"change: states
since: "2"
summary: States have other names, and a message's text is its body
apply:
  - http: "* /m"
    request: &ops
      - rename: {/text: body}
      - map: {at: /state, pairs: [[on, online], [off, offline]], else: fail}
    response: {2xx: *ops}
  - http: "* /hold"
    request: [{move: {from: /text, to: /in/body, conflict: fail}}]
"#;

async fn start(backend: &Backend, adjust: impl FnOnce(&mut Config)) -> TestProxy {
    let rules = tempfile::tempdir().unwrap();
    write_rule(rules.path(), "chat/api.yaml", API);
    write_rule(rules.path(), "chat/changes/2/20250101000000_states.yaml", CHANGE);
    TestProxy::with_rules(rules, &[backend.address], adjust).await
}

/// A response with a body of this media type.
fn answer(media_type: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: {media_type}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// A request of version 2 with a body of JSON.
fn request(method: &str, path: &str, body: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nhost: h\r\napi-version: 2\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// What a client of version 2 gets for a request when the backend answers with this JSON.
async fn ask(backend: &str, request: &str) -> Message {
    let backend = Backend::answering(answer("application/json", backend)).await;
    start(&backend, |c| c.apis[0].limits.depth = 4).await.client().await.ask(request).await
}

#[tokio::test]
async fn requests_without_a_translation_never_reach_the_backend() {
    let (backend, recorded) = Backend::recording().await;
    let proxy = start(&backend, |c| {
        (c.apis[0].limits.depth, c.apis[0].limits.buffer, c.apis[0].limits.body) = (4, 1_000, 5_000);
    })
    .await;
    let (long, longer) = ("x".repeat(2_000), "x".repeat(6_000));
    let cases = [
        ("/m", r#"{"body":"#.to_owned(), 400, "malformed_json"),
        ("/m", r#"{"body":"a"} x"#.to_owned(), 400, "malformed_json"),
        ("/m", "{\"body\":\"\u{1}\"}".to_owned(), 400, "malformed_json"),
        ("/m", r#"{"x":[[[[1]]]]}"#.to_owned(), 400, "too_deep"),
        ("/m", r#"{"body":1,"x":2,"body":3}"#.to_owned(), 400, "duplicate_key"),
        ("/m", r#"{"state":"gone"}"#.to_owned(), 422, "no_mapping"),
        ("/hold", format!(r#"{{"in":{{"body":"{long}"}}}}"#), 413, "too_large"),
        ("/m", format!(r#"{{"body":"{longer}"}}"#), 413, "too_large"),
    ];
    for (path, body, status, code) in cases {
        let got = proxy.client().await.ask(&request("POST", path, &body)).await;
        assert_eq!((got.status(), got.problem().as_str()), (status, code), "{body}");
        let chunked = request("POST", path, "").replace("content-length: 0", "transfer-encoding: chunked");
        let chunked = format!("{chunked}{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
        let got = proxy.client().await.ask(&chunked).await;
        assert_eq!((got.status(), got.problem().as_str()), (status, code), "chunked {body}");
    }
    assert_eq!(recorded.count(), 0);
}

#[tokio::test]
async fn a_failure_says_where_and_by_which_change() {
    let problem = ask("{}", &request("POST", "/m", r#"{"state":"gone"}"#)).await.json();
    assert_eq!((&problem["pointer"], &problem["change"]), (&"/state".into(), &"states".into()));
    assert_eq!(problem["version"], "2");
}

#[tokio::test]
async fn responses_without_a_translation() {
    let cases = [
        (r#"{"text":"#, "malformed_json"),
        (r#"{"x":[[[[1]]]]}"#, "too_deep"),
        (r#"{"text":1,"x":2,"text":3}"#, "duplicate_key"),
        (r#"{"state":"gone"}"#, "no_mapping"),
    ];
    for (body, code) in cases {
        let got = ask(body, &request("GET", "/m", "")).await;
        assert_eq!((got.status(), got.problem().as_str()), (502, code), "{body}");
        // The write has happened: an error would make clients write again.
        let got = ask(body, &request("POST", "/m", "{}")).await;
        assert_eq!((got.status(), got.text(), got.header("legato-translation")), (200, body, Some("partial")));
    }
}

#[tokio::test]
async fn the_answer_to_a_write_is_translated_as_far_as_it_goes() {
    let got = ask(r#"{"text":"a","state":"gone"}"#, &request("PUT", "/m", "{}")).await;
    assert_eq!((got.text(), got.header("legato-translation")), (r#"{"body":"a","state":"gone"}"#, Some("partial")));
}

#[tokio::test]
async fn members_that_no_op_reads_may_stand_twice() {
    let got = ask(r#"{"x":1,"text":"a","x":2}"#, &request("GET", "/m", "")).await;
    assert_eq!((got.status(), got.text()), (200, r#"{"x":1,"body":"a","x":2}"#));
}

#[tokio::test]
async fn media_types_decide() {
    let cases = [
        ("application/hal+json", r#"{"body":"a"}"#),
        ("application/vnd.chat+json; charset=utf-8", r#"{"body":"a"}"#),
        ("text/plain", r#"{"text":"a"}"#),
        ("application/octet-stream", r#"{"text":"a"}"#),
    ];
    for (media_type, want) in cases {
        let backend = Backend::answering(answer(media_type, r#"{"text":"a"}"#)).await;
        let got = start(&backend, |_| {}).await.client().await.ask(&request("GET", "/m", "")).await;
        assert_eq!((got.status(), got.text()), (200, want), "{media_type}");
        assert_eq!(got.header("content-type"), Some(media_type));
    }
}

#[tokio::test]
async fn a_chunked_request_is_translated_wherever_it_is_cut() {
    let (backend, recorded) = Backend::recording().await;
    let proxy = start(&backend, |_| {}).await;
    let mut client = proxy.client().await;
    client.send(request("POST", "/m", "").replace("content-length: 0", "transfer-encoding: chunked")).await;
    for byte in r#"{"body":"caf\u00e9","state":"online"}"#.bytes() {
        client.send([b"1\r\n".as_slice(), &[byte], b"\r\n"].concat()).await;
    }
    client.send("0\r\n\r\n").await;
    assert_eq!(client.message().await.status(), 200);
    let seen = recorded.only();
    assert_eq!(seen.text(), r#"{"text":"caf\u00e9","state":"on"}"#);
    assert_eq!((seen.header("content-length"), seen.header("transfer-encoding")), (Some("33"), None));
}

/// A proxy that lets pass what is no JSON, and may hold this much of a body.
async fn lenient(backend: &Backend, buffer: usize) -> TestProxy {
    let rules = tempfile::tempdir().unwrap();
    write_rule(rules.path(), "chat/api.yaml", &format!("{API}on_error: {{malformed: pass}}\n"));
    write_rule(rules.path(), "chat/changes/2/20250101000000_states.yaml", CHANGE);
    TestProxy::with_rules(rules, &[backend.address], |c| c.apis[0].limits.buffer = buffer).await
}

#[tokio::test]
async fn what_is_no_json_may_pass_as_it_came() {
    let (backend, recorded) = Backend::recording().await;
    let proxy = lenient(&backend, 1 << 20).await;
    // That it is none shows at its end; by then, its beginning would have been translated.
    let long = format!(r#"{{"body":"a","state":"online","more":["{}""#, "x,".repeat(100_000));
    let cut_in_a_character = b"{\"body\":\"\xc3\"}".to_vec();
    for body in [br#"{"body":"a""#.to_vec(), b"body=a&state=online".to_vec(), cut_in_a_character, long.into_bytes()] {
        let coded = [("", body.clone()), ("content-encoding: gzip\r\n", encode("gzip", &body))];
        for (coding, body) in coded {
            let length = format!("content-length: {}\r\n", body.len());
            let chunks = [format!("{:x}\r\n", body.len()).as_bytes(), &body, b"\r\n0\r\n\r\n"].concat();
            for (framing, bytes) in [(length.as_str(), &body), ("transfer-encoding: chunked\r\n", &chunks)] {
                let head = format!(
                    "POST /m HTTP/1.1\r\nhost: h\r\napi-version: 2\r\ncontent-type: application/json\r\n\
                     repr-digest: sha-256=:x:\r\n{coding}{framing}\r\n"
                );
                let mut client = proxy.client().await;
                client.send([head.as_bytes(), bytes].concat()).await;
                assert_eq!(client.message().await.status(), 200, "{head}");
                let seen = recorded.take().remove(0);
                assert!(seen.body == body, "{head}{}", String::from_utf8_lossy(&seen.body));
                assert_eq!(seen.header("repr-digest"), Some("sha-256=:x:"));
                assert_eq!(seen.header("content-encoding"), (!coding.is_empty()).then_some("gzip"));
            }
        }
    }
    let metrics = proxy.admin().await.ask("GET /metrics HTTP/1.1\r\nhost: h\r\n\r\n").await;
    let counted = r#"legato_translate_failures_total{api="chat",change="none",code="malformed_json"}"#;
    assert!(metrics.text().contains(counted), "{}", metrics.text());

    // What is JSON is translated, or refused for other reasons.
    let mut client = proxy.client().await;
    assert_eq!(client.ask(&request("POST", "/m", r#"{"body":"a","state":"online"}"#)).await.status(), 200);
    assert_eq!(recorded.take().remove(0).text(), r#"{"text":"a","state":"on"}"#);
    let deep = "[".repeat(600);
    for (body, status) in [(r#"{"body":1,"body":2}"#, 400), (r#"{"state":"gone"}"#, 422), (deep.as_str(), 400)] {
        assert_eq!(client.ask(&request("POST", "/m", body)).await.status(), status, "{body}");
    }
    assert_eq!(recorded.count(), 0);
}

#[tokio::test]
async fn no_body_passes_half_translated_where_what_is_no_json_may_pass() {
    // Longer than may be held: it streams, and what turns out to be none at its end is cut off there.
    let (backend, recorded) = Backend::recording().await;
    let proxy = lenient(&backend, 128 * 1024).await;
    let long = format!(r#"{{"body":"a","more":["{}"],"state":"online"}} x"#, "y".repeat(1 << 20));
    let got = proxy.client().await.ask(&request("POST", "/m", &long)).await;
    assert_eq!((got.status(), got.problem().as_str()), (400, "malformed_json"));
    // Of a plan that needs all of it, it is too large.
    let got = proxy.client().await.ask(&request("POST", "/hold", &long)).await;
    assert_eq!((got.status(), got.problem().as_str()), (413, "too_large"));
    // And one that is JSON is translated.
    let whole = long.trim_end_matches(" x");
    assert_eq!(proxy.client().await.ask(&request("POST", "/m", whole)).await.status(), 200);
    assert_eq!(recorded.only().text(), whole.replacen("body", "text", 1).replacen("online", "on", 1));
}

#[tokio::test]
async fn responses_without_a_body_have_nothing_to_translate() {
    let cases = [
        ("GET", "HTTP/1.1 204 No Content\r\ncontent-type: application/json\r\n\r\n", 204),
        ("GET", "HTTP/1.1 304 Not Modified\r\ncontent-type: application/json\r\n\r\n", 304),
        ("GET", "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 0\r\n\r\n", 200),
        ("POST", "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 0\r\n\r\n", 200),
        ("HEAD", "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 12\r\n\r\n", 200),
    ];
    for (method, response, status) in cases {
        let backend = Backend::answering(response).await;
        let proxy = start(&backend, |_| {}).await;
        let mut client = proxy.client().await;
        // Twice: a wrong length would be read as the beginning of the next message.
        for _ in 0..2 {
            let got = client.ask(&request(method, "/m", "")).await;
            assert_eq!((got.status(), got.text(), got.is_complete), (status, "", true), "{method} {response:?}");
            assert_eq!(got.header("legato-translation"), None);
        }
    }
}

#[tokio::test]
async fn a_short_body_that_breaks_off_is_an_error() {
    let beginnings = [
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n{\"text\":",
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n4\r\n{\"te\r\n",
    ];
    for (beginning, method) in beginnings.into_iter().flat_map(|b| [(b, "GET"), (b, "POST")]) {
        let backend = Backend::scripted(move |mut wire| async move {
            wire.try_message().await;
            wire.send(beginning).await;
        })
        .await;
        let got = start(&backend, |_| {}).await.client().await.ask(&request(method, "/m", "{}")).await;
        assert_eq!((got.status(), got.problem().as_str()), (502, "incomplete"), "{method} {beginning:?}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_before_the_answer_frees_everything() {
    let (told, mut heard) = tokio::sync::mpsc::channel(1);
    let backend = Backend::scripted(move |mut wire| {
        let told = told.clone();
        async move {
            wire.try_message().await;
            told.send("asked").await.unwrap();
            assert!(wire.is_closed().await);
            told.send("closed").await.unwrap();
        }
    })
    .await;
    // A client of HTTP/1.1 may have closed its sending side only, so that its answer is waited for in vain.
    for (is_h2, limit) in [(true, Duration::from_secs(600)), (false, Duration::from_millis(100))] {
        let proxy = start(&backend, |c| c.apis[0].timeouts.response_head = limit).await;
        if is_h2 {
            let asking = ask_h2(&proxy, "{}");
            tokio::select! {
                _ = asking => panic!("the backend does not answer"),
                asked = heard.recv() => assert_eq!(asked, Some("asked")),
            }
        } else {
            let mut client = proxy.client().await;
            client.send(request("POST", "/m", "{}")).await;
            assert_eq!(within("the request", heard.recv()).await, Some("asked"));
        }
        assert_eq!(within("the backend's connection to end", heard.recv()).await, Some("closed"));
        eventually("nothing to be in flight", || async {
            let status = proxy.admin().await.ask("GET /api/status HTTP/1.1\r\nhost: h\r\n\r\n").await.json();
            status["apis"][0]["backends"][0]["endpoints"][0]["in_flight"] == 0
        })
        .await;
    }
}

#[tokio::test]
async fn a_request_behind_another_is_checked_like_the_first() {
    let (backend, recorded) = Backend::recording().await;
    let proxy = start(&backend, |_| {}).await;
    let mut client: Wire = proxy.client().await;
    let two = "POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n";
    client.send(format!("GET / HTTP/1.1\r\nhost: h\r\n\r\n{two}")).await;
    assert_eq!(client.message().await.status(), 200);
    assert_eq!(client.message().await.status(), 400);
    // The bytes of a body stand before the next head.
    let mut client: Wire = proxy.client().await;
    assert_eq!(client.ask("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 4\r\n\r\nbody").await.status(), 200);
    assert_eq!(client.ask(two).await.status(), 400);
    assert_eq!(recorded.count(), 2);
}

#[test]
fn every_code_is_documented() {
    let documented = include_str!("../../docs/errors.md");
    let failures = include_str!("../../src/failure.rs").lines().filter(|line| line.trim().starts_with("Self::"));
    let failures: Vec<&str> = failures.filter_map(|line| line.split_once("=> \"")?.1.strip_suffix("\",")).collect();
    assert!(failures.contains(&"no_route"), "the codes are somewhere else now: {failures:?}");
    for code in failures.into_iter().chain(Code::ALL.iter().map(|code| code.name())) {
        assert!(documented.contains(&format!("`{code}`")), "docs/errors.md does not list `{code}`");
    }
}

/// What a client of version 2 gets over HTTP/2: status, HTTP version that the backend saw, and the body unless its
/// stream was reset.
async fn ask_h2(proxy: &TestProxy, body: &str) -> (u16, String, Option<String>) {
    let io = TokioIo::new(proxy.client().await.stream);
    let (mut sender, connection) =
        Box::pin(hyper::client::conn::http2::handshake(TokioExecutor::new(), io)).await.unwrap();
    let driver = AbortOnDropHandle::new(tokio::spawn(connection));
    let request = http::Request::post("http://h/m").header("api-version", "2");
    let request = request.header("content-type", "application/json");
    let request = request.body(Full::new(Bytes::from(body.to_owned()))).unwrap();
    let (head, body) = within("the head", sender.send_request(request)).await.unwrap().into_parts();
    let seen = head.headers.get("x-version").map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default();
    let body = within("the body's end", body.collect()).await.ok();
    drop(driver);
    (head.status.as_u16(), seen, body.map(|b| String::from_utf8(b.to_bytes().to_vec()).unwrap()))
}

#[tokio::test]
async fn both_ends_may_speak_http2() {
    let backend = Backend::echo().await;
    for (protocol, version) in [(Protocol::H1, "HTTP/1.1"), (Protocol::H2, "HTTP/2.0")] {
        let proxy = start(&backend, |c| c.apis[0].backends[0].protocol = protocol).await;
        let body = r#"{"body":"a","state":"online"}"#;
        assert_eq!(ask_h2(&proxy, body).await, (200, version.to_owned(), Some(body.to_owned())));
        let got = proxy.client().await.ask(&request("POST", "/m", body)).await;
        assert_eq!((got.text(), got.header("x-version")), (body, Some(version)));
        assert_eq!(ask_h2(&proxy, "{").await.0, 400);
    }
}

#[tokio::test]
async fn a_long_body_that_turns_out_bad_is_a_reset_stream_of_http2() {
    let fill = "0123456789".repeat(100_000);
    let backend = Backend::answering(answer("application/json", &format!(r#"{{"fill":"{fill}","text":"#))).await;
    let proxy = start(&backend, |_| {}).await;
    let (status, _, body) = ask_h2(&proxy, "{}").await;
    assert_eq!((status, body), (200, None));
}
