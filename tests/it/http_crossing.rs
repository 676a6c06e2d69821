//! Values that move between the head of a message and its body, on the wire.

use crate::support::backend::Backend;
use crate::support::proxy::{API, TestProxy, write_rule};
use crate::support::wire::Message;

const CHANGE: &str = r#"{change: cross, since: "2", summary: s, apply: [
    {http: GET /find, request: [{move: {from: "query:/filter", to: /filter}}]},
    {http: POST /find, request: [{move: {from: /page, to: "query:/page"}}],
     response: {2xx: [{move: {from: /id, to: "header:/x-id"}},
                      {map: {at: "status:", pairs: [[200, 202]]}, where: {/state: pending}}]}}]}"#;

fn rules(change: &str) -> tempfile::TempDir {
    let rules = tempfile::tempdir().unwrap();
    write_rule(rules.path(), "chat/api.yaml", API);
    write_rule(rules.path(), "chat/changes/2/20250101_cross.yaml", change);
    rules
}

/// What the backend, of the latest version, is asked.
async fn seen(request: &str) -> (Message, Option<Message>) {
    let (backend, recorded) = Backend::recording().await;
    let proxy = TestProxy::with_rules(rules(CHANGE), &[backend.address], |c| {
        c.apis[0].backends[0].speaks = "2".into();
        c.apis[0].limits.buffer = 4_000;
    })
    .await;
    let got = proxy.client().await.ask(request).await;
    (got, (recorded.count() > 0).then(|| recorded.only()))
}

fn request(method: &str, target: &str, headers: &str, body: &str) -> String {
    let length = if body.is_empty() { String::new() } else { format!("content-length: {}\r\n", body.len()) };
    format!("{method} {target} HTTP/1.1\r\nhost: h\r\napi-version: 1\r\n{headers}{length}\r\n{body}")
}

const JSON: &str = "content-type: application/json\r\n";

#[tokio::test]
async fn a_request_without_a_body_gets_one_from_its_query() {
    let (_, seen) = seen(&request("GET", "/find?filter=a&x=1", "", "")).await;
    let seen = seen.unwrap();
    assert_eq!((seen.start.as_str(), seen.text()), ("GET /find?x=1 HTTP/1.1", r#"{"filter":"a"}"#));
    assert_eq!((seen.header("content-type"), seen.header("content-length")), (Some("application/json"), Some("14")));
}

#[tokio::test]
async fn a_request_that_gets_nothing_keeps_no_body() {
    let (_, seen) = seen(&request("GET", "/find?x=1", "", "")).await;
    let seen = seen.unwrap();
    assert_eq!((seen.text(), seen.header("content-type"), seen.header("content-length")), ("", None, None));
}

#[tokio::test]
async fn a_body_gives_to_the_query_what_moves_there() {
    let (_, seen) = seen(&request("POST", "/find", JSON, r#"{"page": 2, "q": "x"}"#)).await;
    let seen = seen.unwrap();
    assert_eq!((seen.start.as_str(), seen.text()), ("POST /find?page=2 HTTP/1.1", r#"{ "q": "x"}"#));
}

#[tokio::test]
async fn what_is_no_json_passes_unless_something_has_to_go_into_it() {
    let (_, passed) = seen(&request("POST", "/find", "content-type: text/plain\r\n", "page")).await;
    assert_eq!(passed.unwrap().text(), "page");
    let (got, none) = seen(&request("GET", "/find?filter=a", "content-type: text/plain\r\n", "page")).await;
    assert_eq!((got.status(), got.problem().as_str(), none.is_none()), (422, "cannot_convert", true));
    let (got, none) = seen(&request("POST", "/find", JSON, r#"{"page": {"#)).await;
    assert_eq!((got.status(), got.problem().as_str(), none.is_none()), (400, "malformed_json", true));
    let (got, none) = seen(&request("POST", "/find", JSON, &format!("[\"{}\"]", "x".repeat(5_000)))).await;
    assert_eq!((got.status(), got.problem().as_str(), none.is_none()), (413, "too_large", true));
}

/// What a client of version 2 gets for a POST from a backend of version 1.
async fn answered(head: &str, body: &str) -> Message {
    let response = format!("HTTP/1.1 {head}content-length: {}\r\n\r\n{body}", body.len());
    let backend = Backend::answering(response).await;
    let proxy = TestProxy::with_rules(rules(CHANGE), &[backend.address], |_| {}).await;
    let request = "POST /find HTTP/1.1\r\nhost: h\r\napi-version: 2\r\ncontent-length: 0\r\n\r\n";
    proxy.client().await.ask(request).await
}

#[tokio::test]
async fn the_head_of_a_response_waits_for_its_body() {
    let head = format!("200 Fine\r\n{JSON}etag: \"a\"\r\n");
    let got = answered(&head, r#"{"id": 7, "state": "pending"}"#).await;
    assert_eq!((got.start.as_str(), got.header("x-id")), ("HTTP/1.1 202 Accepted", Some("7")));
    assert_eq!((got.text(), got.header("content-length")), (r#"{ "state": "pending"}"#, Some("21")));
    assert_ne!(got.header("etag"), Some("\"a\""));
}

#[tokio::test]
async fn a_response_that_cannot_be_read_passes_as_it_came() {
    let got = answered(&format!("200 OK\r\n{JSON}"), r#"{"id": [{}]}"#).await;
    assert_eq!((got.status(), got.text(), got.header("legato-translation")), (200, r#"{"id": [{}]}"#, Some("partial")));
}

#[tokio::test]
async fn a_call_that_the_backend_never_had_or_has_no_more_is_answered_here() {
    let change = r#"{change: invoices, since: "2", summary: s, apply: [
        {http: GET /invoices, gone: {detail: Ask the billing API.}}, {http: GET /reports, added: 404}]}"#;
    let backend = Backend::nobody().await;
    let proxy = TestProxy::with_rules(rules(change), &[backend], |_| {}).await;
    let mut client = proxy.client().await;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: h\r\napi-version: 2\r\n\r\n");
    let gone = client.ask(&get("/invoices")).await;
    let problem = gone.json();
    assert_eq!(
        (gone.status(), &problem["detail"], &problem["change"]),
        (410, &"Ask the billing API.".into(), &"invoices".into())
    );
    assert_eq!((gone.problem().as_str(), gone.header("api-version")), ("gone", Some("2")));
    let added = client.ask(&get("/reports")).await;
    assert_eq!((added.status(), added.problem().as_str()), (404, "added"));
}

#[tokio::test]
async fn a_json_patch_is_about_the_backends_places() {
    let change = r#"{change: names, since: "2", summary: s, apply: [{http: PATCH /u, request: [
        {rename: {/text: body}}, {split: {at: /name, into: [/given, /family]}}]}],
        accept_loss: {down: [/given, /family]}}"#;
    let (backend, recorded) = Backend::recording().await;
    let proxy = TestProxy::with_rules(rules(change), &[backend.address], |_| {}).await;
    let patch = |body: &str| {
        let head = "PATCH /u HTTP/1.1\r\nhost: h\r\napi-version: 2\r\ncontent-type: application/json-patch+json\r\n";
        format!("{head}content-length: {}\r\n\r\n{body}", body.len())
    };
    let mut client = proxy.client().await;
    assert_eq!(client.ask(&patch(r#"[{"op":"replace","path":"/body","value":1}]"#)).await.status(), 200);
    assert_eq!(recorded.only().text(), r#"[{"op":"replace","path":"/text","value":1}]"#);
    let refused = client.ask(&patch(r#"[{"op":"remove","path":"/given"}]"#)).await;
    assert_eq!((refused.status(), refused.problem().as_str()), (422, "untranslatable_patch"));
}
