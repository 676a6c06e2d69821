//! URLs in the head of a response, which lead to where its client has to ask.

use crate::support::backend::Backend;
use crate::support::proxy::{TestProxy, write_rule};

const API: &str = r#"{legato: 1, api: chat, versions: [{id: "1"}, {id: "2"}], client_version: [
    {header: api-version}, {path: "/v{version}"}, {query: version}, {default: "1"}]}"#;

const CHANGE: &str = r#"{change: sales, since: "2", summary: s, apply: [
    {http: "GET /orders/{id}", route: "GET /sales/{sale}", request: [{rename: {"query:/with": expand}}]},
    {http: "GET /orders", route: "GET /sales"}, {http: "POST /orders", route: "POST /sales"},
    {http: "GET /users/{id}", route: "GET /people", request: [{move: {from: "path:/id", to: "query:/id"}}]},
    {http: GET /reports, gone: {}}]}"#;

/// What becomes of headers of a backend of version 2 for a client of version 1. `BACKEND` is the backend's authority.
async fn check(tell_backend: &str, request: &str, cases: &[(&str, &str, &str)]) {
    let text: Vec<String> = cases.iter().map(|(name, sent, _)| format!("{name}: {sent}\r\n")).collect();
    let text = text.concat();
    let backend = Backend::scripted(move |mut wire| {
        let own = wire.stream.local_addr().unwrap().to_string();
        let text = text.replace("BACKEND", &own);
        async move {
            while wire.try_message().await.is_some() {
                wire.send(format!("HTTP/1.1 201 Created\r\n{text}content-length: 0\r\n\r\n")).await;
            }
        }
    })
    .await;
    let rules = tempfile::tempdir().unwrap();
    let api = API.strip_suffix('}').unwrap();
    write_rule(rules.path(), "chat/api.yaml", &format!("{api}, tell_backend: {tell_backend}}}"));
    write_rule(rules.path(), "chat/changes/2/20250101_sales.yaml", CHANGE);
    let proxy = TestProxy::with_rules(rules, &[backend.address], |config| {
        config.apis[0].backends[0].speaks = "2".into();
    })
    .await;
    let request = format!("{request} HTTP/1.1\r\nhost: api.example\r\ncontent-length: 0\r\n\r\n");
    let got = proxy.client().await.ask(&request).await;
    assert_eq!(got.status(), 201);
    let found: Vec<(&str, &str)> = got
        .headers
        .iter()
        .filter(|(name, _)| matches!(name.as_str(), "location" | "content-location" | "link"))
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let want: Vec<(&str, String)> =
        cases.iter().map(|(name, _, want)| (*name, want.replace("BACKEND", &backend.address.to_string()))).collect();
    let want: Vec<(&str, &str)> = want.iter().map(|(name, want)| (*name, want.as_str())).collect();
    for (name, want) in want {
        assert!(found.contains(&(name, want)), "{request}: no {name}: {want} in {found:#?}");
    }
}

#[tokio::test]
async fn routes_queries_and_authorities_are_mapped_back() {
    let cases = [
        ("location", "/sales/7", "/orders/7"),
        ("location", "http://BACKEND/sales/7?expand=x#f", "http://api.example/orders/7?with=x#f"),
        ("location", "//BACKEND/sales/7", "//api.example/orders/7"),
        ("location", "http://api.example/sales/7", "http://api.example/orders/7"),
        ("location", "https://api.example:443/sales/7", "https://api.example:443/orders/7"),
        ("location", "http://elsewhere.example/sales/7", "http://elsewhere.example/sales/7"),
        ("location", "http://BACKEND", "http://api.example/"),
        ("location", "mailto:a@b", "mailto:a@b"),
        // It leads from /orders where the client is to where it has to.
        ("location", "sales/7", "/orders/7"),
        ("location", "?page=2", "?page=2"),
        ("location", "/people?id=7", "/users/7"),
        // These have no counterpart, or need none.
        ("location", "/other/7", "/other/7"),
        ("location", "/v2/sales/7", "/v1/orders/7"),
        ("location", "/v1/sales/7", "/v1/sales/7"),
        ("location", "/sales/7?version=2", "/orders/7?version=1"),
        ("content-location", "/sales/7", "/orders/7"),
        (
            "link",
            "</sales?page=2>; rel=\"next\", <http://x/>; rel=y",
            "</orders?page=2>; rel=\"next\", <http://x/>; rel=y",
        ),
    ];
    check("rewrite", "POST /orders", &cases).await;
}

#[tokio::test]
async fn the_version_in_a_path_is_the_clients() {
    let cases = [
        ("location", "/v2/sales/7", "/v1/orders/7"),
        ("location", "http://BACKEND/v2/sales/7", "http://api.example/v1/orders/7"),
        ("location", "sales/7", "/v1/orders/7"),
        ("location", "/v2", "/v1"),
        ("location", "/sales/7", "/sales/7"),
    ];
    check("rewrite", "POST /v1/orders", &cases).await;
    check(
        "strip",
        "POST /v1/orders",
        &[("location", "/sales/7", "/v1/orders/7"), ("location", "sales/7", "/v1/orders/7")],
    )
    .await;
    check("keep", "POST /v1/orders", &[("location", "/v1/sales/7", "/v1/orders/7")]).await;
}

#[tokio::test]
async fn a_client_of_the_backends_version_is_told_no_address_of_ours() {
    let cases =
        [("location", "http://BACKEND/v2/sales/7", "http://api.example/v2/sales/7"), ("location", "/sales", "/sales")];
    check("rewrite", "POST /v2/sales", &cases).await;
}
