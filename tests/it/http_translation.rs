//! Bodies that rules change, and what that does to the rest of the message.

use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::support::backend::Backend;
use crate::support::proxy::{API, TestProxy, write_rule};
use crate::support::wire::Message;
use crate::support::within;

/// A client of HTTP/2.
async fn http2(proxy: &TestProxy) -> SendRequest<Empty<bytes::Bytes>> {
    let stream = tokio::net::TcpStream::connect(proxy.address).await.unwrap();
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// A response with a body of JSON.
fn json(status: &str, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A request of version 2 with a body of JSON.
fn post(path: &str, headers: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: h\r\napi-version: 2\r\ncontent-type: application/json\r\n{headers}\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: h\r\napi-version: 2\r\n\r\n")
}

/// What a client of version 2 gets for a request when the backend answers `response`.
async fn ask(response: String, request: String) -> Message {
    let backend = Backend::answering(response).await;
    let proxy = TestProxy::before(backend.address).await;
    proxy.client().await.ask(&request).await
}

#[tokio::test]
async fn a_response_is_translated_and_has_its_own_length_and_validators() {
    let headers = "etag: \"a\"\r\ndigest: x\r\ncontent-md5: x\r\naccept-ranges: bytes\r\n";
    let got = ask(json("200 OK", headers, r#"{"text": "a", "n":1.0}"#), get("/m")).await;
    assert_eq!((got.status(), got.text()), (200, r#"{"body": "a", "n":1.0}"#));
    assert_eq!(got.header("content-length"), Some(got.body.len().to_string().as_str()));
    assert_ne!(got.header("etag"), Some("\"a\""));
    let of = |name| got.header(name);
    assert_eq!((of("accept-ranges"), of("digest"), of("content-md5")), (Some("none"), None, None));
}

#[tokio::test]
async fn a_status_that_changes_loses_the_words_of_the_old_one() {
    let rules = tempfile::tempdir().unwrap();
    write_rule(rules.path(), "chat/api.yaml", API);
    let change = r#"{change: created, since: "2", summary: s, apply: [{http: GET /s, response: {2xx: [
        {map: {at: "status:", pairs: [[200, 201]], else: keep}}]}}]}"#;
    write_rule(rules.path(), "chat/changes/2/20250101_created.yaml", change);
    let backend = Backend::scripted(|mut wire| async move {
        for status in ["200 Fine", "202 Fine"] {
            wire.try_message().await;
            wire.send(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n")).await;
        }
    })
    .await;
    let proxy = TestProxy::with_rules(rules, &[backend.address], |_| {}).await;
    let mut client = proxy.client().await;
    assert_eq!(client.ask(&get("/s")).await.start, "HTTP/1.1 201 Created");
    assert_eq!(client.ask(&get("/s")).await.start, "HTTP/1.1 202 Fine");
}

#[tokio::test]
async fn a_status_without_a_body_has_none() {
    let rules = tempfile::tempdir().unwrap();
    write_rule(rules.path(), "chat/api.yaml", API);
    let change = r#"{change: empty, since: "2", summary: s, apply: [
        {http: GET /none, response: {200: [{map: {at: "status:", pairs: [[200, 204]]}}]}},
        {http: GET /same, response: {200: [{map: {at: "status:", pairs: [[200, 304]]}}, {rename: {/text: body}}]}},
        {http: GET /both, response: {200: [{map: {at: "status:", pairs: [[200, 205]]}, where: {/text: a}}]}}]}"#;
    write_rule(rules.path(), "chat/changes/2/20250101_empty.yaml", change);
    let backend = Backend::answering(json("200 OK", "", r#"{"text":"a"}"#)).await;
    let proxy = TestProxy::with_rules(rules, &[backend.address], |_| {}).await;
    let mut client = http2(&proxy).await;
    for (path, status) in [("/none", 204), ("/same", 304), ("/both", 205)] {
        let request = http::Request::get(format!("http://h{path}")).header("api-version", "2");
        let got = client.send_request(request.body(Empty::<bytes::Bytes>::new()).unwrap()).await.unwrap();
        let length = got.headers().get("content-length").map(|length| length.to_str().unwrap().to_owned());
        assert_eq!((got.status().as_u16(), length.filter(|length| length != "0")), (status, None), "{path}");
        assert!(got.into_body().collect().await.unwrap().to_bytes().is_empty(), "{path}");
    }
}

#[tokio::test]
async fn trailers_lose_what_concerns_a_connection() {
    let backend = Backend::scripted(|mut wire| async move {
        while wire.try_message().await.is_some() {
            let trailers = "connection: x-mine\r\nkeep-alive: 5\r\nte: x\r\ntransfer-encoding: chunked\r\nx-mine: 1\r\n\
                            content-length: 5\r\nhost: x\r\ntrailer: x-sum\r\nx-sum: 1\r\n";
            wire.send("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n").await;
            wire.send(format!("2\r\n{{}}\r\n0\r\n{trailers}\r\n")).await;
        }
    })
    .await;
    let proxy = TestProxy::before(backend.address).await;
    let mut client = http2(&proxy).await;
    for version in ["1", "2"] {
        let request = http::Request::get("http://h/m").header("api-version", version);
        let got = client.send_request(request.body(Empty::<bytes::Bytes>::new()).unwrap()).await.unwrap();
        let got = got.into_body().collect().await.expect("a whole body");
        let names: Vec<&str> = got.trailers().unwrap().keys().map(http::HeaderName::as_str).collect();
        assert_eq!(names, ["x-sum"], "version {version}");
    }
}

#[tokio::test]
async fn a_request_is_translated() {
    let (backend, recorded) = Backend::recording().await;
    let proxy = TestProxy::before(backend.address).await;
    let request = post("/m", "range: bytes=0-1\r\naccept-encoding: gzip\r\n", r#"{"body":"a"}"#);
    assert_eq!(proxy.client().await.ask(&request).await.status(), 200);
    let seen = recorded.only();
    assert_eq!(seen.text(), r#"{"text":"a"}"#);
    assert_eq!(seen.header("content-length"), Some("12"));
    assert_eq!(seen.header("api-version"), Some("1"));
    assert_eq!((seen.header("range"), seen.header("accept-encoding")), (None, Some("gzip")));
}

#[tokio::test]
async fn a_tag_comes_back_to_the_backend_as_it_was() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let backend = Backend::scripted(move |mut wire| {
        let log = Arc::clone(&log);
        async move {
            while let Some(request) = wire.try_message().await {
                let is_known = request.header("if-none-match") == Some("\"a\"");
                log.lock().unwrap().push(request);
                let response = if is_known {
                    "HTTP/1.1 304 Not Modified\r\netag: \"a\"\r\n\r\n".to_owned()
                } else {
                    json("200 OK", "etag: \"a\"\r\n", r#"{"text":"a"}"#)
                };
                wire.send(response).await;
            }
        }
    })
    .await;
    let proxy = TestProxy::before(backend.address).await;
    let mut client = proxy.client().await;
    let first = client.ask(&get("/m")).await;
    let tag = first.header("etag").unwrap();
    let second = client.ask(&get("/m").replace("\r\n\r\n", &format!("\r\nif-none-match: {tag}\r\n\r\n"))).await;
    assert_eq!((second.status(), second.header("etag")), (304, Some(tag)));
    // The backend's own tag is of another representation.
    let third = client.ask(&get("/m").replace("\r\n\r\n", "\r\nif-none-match: \"a\"\r\n\r\n")).await;
    assert_eq!(third.status(), 200);
    assert_eq!(seen.lock().unwrap()[2].header("if-none-match"), None);
}

#[tokio::test]
async fn a_tag_comes_back_with_a_write_that_no_rule_is_about() {
    let (backend, recorded) = Backend::recording_and(json("200 OK", "etag: \"a\"\r\n", r#"{"text":"a"}"#)).await;
    let proxy = TestProxy::before(backend.address).await;
    let mut client = proxy.client().await;
    let read = client.ask(&get("/hold")).await;
    let tag = read.header("etag").unwrap();
    assert_ne!(tag, "\"a\"");
    for method in ["PUT", "PATCH", "DELETE"] {
        let head = format!("\r\nif-match: {tag}, \"b\"\r\nif-none-match: {tag}, \"c\"\r\n\r\n");
        client.ask(&get("/hold").replace("GET", method).replace("\r\n\r\n", &head)).await;
        let seen = recorded.take().pop().unwrap();
        let conditions = [seen.header("if-match"), seen.header("if-none-match")];
        assert_eq!(conditions, [Some(r#""a", "b""#), Some(r#""a", "c""#)], "{method}");
    }
}

#[tokio::test]
async fn a_date_decides_only_where_no_tag_does() {
    let (backend, recorded) = Backend::recording().await;
    let proxy = TestProxy::before(backend.address).await;
    let mut client = proxy.client().await;
    let date = "if-modified-since: Sat, 01 Jan 2000 00:00:00 GMT";
    // The tag is one of other rules; what the client has of them is out of date, whenever the backend's was modified.
    let cases = [("", true), ("if-none-match: \"a-0123456789abcdef\"\r\n", false), ("if-none-match: *\r\n", false)];
    for (tag, is_asked) in cases {
        client.ask(&get("/m").replace("\r\n\r\n", &format!("\r\n{tag}{date}\r\n\r\n"))).await;
        assert_eq!(recorded.only().header("if-modified-since").is_some(), is_asked, "{tag:?}");
    }
}

#[tokio::test]
async fn trailers_of_a_short_body_that_is_translated_pass() {
    let chunked = |body: &str| format!("{:x}\r\n{body}\r\n0\r\nx-sum: 1\r\n\r\n", body.len());
    let head = "content-type: application/json\r\ntrailer: x-sum\r\ntransfer-encoding: chunked\r\n\r\n";
    let (told, mut bodies) = tokio::sync::mpsc::channel(1);
    let answer = format!("HTTP/1.1 200 OK\r\n{head}{}", chunked(r#"{"text":1}"#));
    let backend = Backend::scripted(move |mut wire| {
        let (told, answer) = (told.clone(), answer.clone());
        async move {
            wire.head().await.unwrap();
            let body = wire.bytes("a\r\n{\"text\":1}\r\n0\r\nx-sum: 1\r\n\r\n".len()).await;
            told.send(String::from_utf8(body).unwrap()).await.unwrap();
            wire.send(&answer).await;
        }
    })
    .await;
    let proxy = TestProxy::before(backend.address).await;
    let mut client = proxy.client().await;
    client.send("POST /m HTTP/1.1\r\nhost: h\r\napi-version: 2\r\nte: trailers\r\n").await;
    client.send(format!("{head}{}", chunked(r#"{"body":1}"#))).await;
    let seen = within("the request", bodies.recv()).await.unwrap();
    assert_eq!(seen.to_lowercase(), chunked(r#"{"text":1}"#));
    let got = client.head().await.unwrap();
    assert_eq!((got.header("content-length"), got.header("transfer-encoding")), (None, Some("chunked")));
    let want = chunked(r#"{"body":1}"#);
    assert_eq!(String::from_utf8(client.bytes(want.len()).await).unwrap().to_lowercase(), want);
}

#[tokio::test]
async fn the_answer_to_head_says_no_wrong_length() {
    let response = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 12\r\n\r\n";
    let got = ask(response.to_owned(), get("/m").replace("GET", "HEAD")).await;
    assert_eq!((got.status(), got.header("content-length")), (200, None));
}

#[tokio::test]
async fn the_answer_to_head_has_no_body_though_the_backend_sends_one() {
    let rules = tempfile::tempdir().unwrap();
    write_rule(rules.path(), "chat/api.yaml", API);
    let change = r#"{change: reads, since: "2", summary: s, apply: [
        {http: POST /plain, route: GET /plain},
        {http: POST /find, route: GET /find, response: {2xx: [{rename: {/text: words}}]}},
        {http: POST /page, route: GET /page, request: [{move: {from: /q, to: "query:/q"}}], response: {2xx: [
            {move: {from: "header:/x-total", to: /total}}]}}]}"#;
    write_rule(rules.path(), "chat/changes/2/20250101_reads.yaml", change);
    let backend = Backend::answering(json("200 OK", "", r#"{"text":1}"#)).await;
    let proxy = TestProxy::with_rules(rules, &[backend.address], |_| {}).await;
    let (mut client, mut wire) = (http2(&proxy).await, proxy.client().await);
    // Of a translated body the length is not known; that of the last is a problem's.
    let cases = [("/plain", "2", 200, Some("10")), ("/find", "2", 200, None), ("/page?q=1", "2", 200, None)];
    let unknown = ("/", "9", 400, Some("182"));
    for (path, version, status, length) in cases.into_iter().chain([unknown]) {
        let request = http::Request::head(format!("http://h{path}")).header("api-version", version);
        let got = client.send_request(request.body(Empty::<bytes::Bytes>::new()).unwrap()).await.unwrap();
        let got_length = got.headers().get("content-length").map(|length| length.to_str().unwrap().to_owned());
        assert_eq!((got.status().as_u16(), got_length.as_deref()), (status, length), "{path}");
        assert!(got.into_body().collect().await.unwrap().to_bytes().is_empty(), "{path}");
        let got = wire.ask(&format!("HEAD {path} HTTP/1.1\r\nhost: h\r\napi-version: {version}\r\n\r\n")).await;
        assert_eq!((got.status(), got.header("content-length")), (status, length), "{path}");
    }
}

#[tokio::test]
async fn json_that_cannot_be_read() {
    let gzip = "content-encoding: gzip\r\n";
    let ok = || json("200 OK", "", "{}");
    let cases = [
        (ok(), post("/m", "", "{\"body\":"), 400, "malformed_json"),
        (ok(), post("/m", "", r#"{"body":1,"body":2}"#), 400, "duplicate_key"),
        (ok(), post("/m", "", &format!("{}{}", "[".repeat(600), "]".repeat(600))), 400, "too_deep"),
        (ok(), post("/m", gzip, "{}"), 400, "malformed_coding"),
        (ok(), post("/m", "", "{}").replace("/json", "/json; charset=utf-16"), 415, "unsupported_charset"),
        (json("200 OK", "", "{\"text\":"), get("/m"), 502, "malformed_json"),
        (json("200 OK", gzip, "{}"), get("/m"), 502, "malformed_coding"),
        (ok().replace("/json", "/json; charset=latin1"), get("/m"), 502, "unsupported_charset"),
    ];
    for (response, request, status, code) in cases {
        let got = ask(response, request.clone()).await;
        assert_eq!((got.status(), got.problem().as_str()), (status, code), "{request}");
        assert_eq!(got.header("api-version"), Some("2"));
    }
}

#[tokio::test]
async fn the_answer_to_a_write_passes_even_where_it_has_no_translation() {
    let got = ask(json("200 OK", "etag: \"a\"\r\n", "{\"text\":"), post("/m", "", "{}")).await;
    assert_eq!((got.status(), got.text(), got.header("legato-translation")), (200, "{\"text\":", Some("partial")));
}

#[tokio::test]
async fn what_must_not_be_transformed_is_not() {
    let body = r#"{"text":"a"}"#;
    let got = ask(json("200 OK", "cache-control: max-age=1, no-transform\r\n", body), get("/m")).await;
    assert_eq!(got.text(), body);
}

#[tokio::test]
async fn empty_bodies_are_no_json_and_stay_empty() {
    let got = ask(json("200 OK", "", ""), get("/m")).await;
    assert_eq!((got.status(), got.text()), (200, ""));
    assert_eq!(ask(json("200 OK", "", "{}"), post("/m", "", "")).await.status(), 200);
}

#[tokio::test]
async fn long_bodies_stream_in_both_directions() {
    let fill = "0123456789".repeat(1_000_000);
    let backend = Backend::echo().await;
    let proxy = TestProxy::before(backend.address).await;
    let body = format!(r#"{{"fill":"{fill}","body":"x"}}"#);
    let got = proxy.client().await.ask(&post("/m", "", &body)).await;
    assert_eq!((got.status(), got.is_complete), (200, true));
    assert_eq!((got.header("content-length"), got.header("transfer-encoding")), (None, Some("chunked")));
    assert!(got.text() == body, "there and back again is another document");
}

#[tokio::test]
async fn a_long_body_that_turns_out_bad_is_never_whole() {
    let fill = "0123456789".repeat(100_000);
    let got = ask(json("200 OK", "", &format!(r#"{{"fill":"{fill}","text":"#)), get("/m")).await;
    assert_eq!((got.status(), got.is_complete), (200, false));

    let (backend, recorded) = Backend::recording().await;
    let proxy = TestProxy::before(backend.address).await;
    let got = proxy.client().await.ask(&post("/m", "", &format!(r#"{{"fill":"{fill}","body":"#))).await;
    assert_eq!((got.status(), got.problem().as_str()), (400, "malformed_json"));
    assert_eq!(recorded.count(), 0, "half a request looks whole");
}

#[tokio::test]
async fn what_has_to_be_held_is_bounded() {
    let got = ask(json("200 OK", "", r#"{"text":"a"}"#), get("/hold")).await;
    assert_eq!(got.text(), r#"{"in":{"body":"a"}}"#);
    let long = json("200 OK", "", &format!(r#"{{"text":"{}"}}"#, "x".repeat(2_000)));
    let backend = Backend::answering(long).await;
    let proxy = TestProxy::start(&[backend.address], |c| c.apis[0].limits.buffer = 1_000).await;
    let got = proxy.client().await.ask(&get("/hold")).await;
    assert_eq!((got.status(), got.problem().as_str()), (502, "too_large"));
}
