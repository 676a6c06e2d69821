//! Requests that end well: what the backend sees, what the client gets.

use crate::support::backend::Backend;
use crate::support::proxy::TestProxy;
use legato_proxy::config::{Host, Protocol};

#[tokio::test]
async fn a_request_and_its_response_pass_through() {
    let response =
        "HTTP/1.1 201 Created\r\nlocation: /m/1\r\nset-cookie: a=1\r\nset-cookie: b=2\r\ncontent-length: 4\r\n\r\nbody";
    let backend = Backend::answering(response).await;
    let proxy = TestProxy::before(backend.address).await;
    let got = proxy.client().await.ask("POST /m?x=%20y HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\n\r\n{}").await;
    assert_eq!((got.status(), got.text(), got.header("content-length")), (201, "body", Some("4")));
    assert_eq!(got.header("location"), Some("/m/1"));
    assert_eq!(got.headers.iter().filter(|(n, _)| n == "set-cookie").count(), 2);
    assert_eq!(got.header("via"), Some("1.1 legato"));
}

#[tokio::test]
async fn the_backend_sees_end_to_end_headers_and_whom_it_serves() {
    let (backend, recorded) = Backend::recording().await;
    let proxy = TestProxy::before(backend.address).await;
    let request = "GET /a/../b%2F?q=1&q=2 HTTP/1.1\r\nhost: API.example:81\r\nconnection: keep-alive, x-hop\r\n\
                   x-hop: 1\r\nkeep-alive: timeout=1\r\nte: trailers\r\nproxy-connection: x\r\nx-end: 2\r\n\
                   x-forwarded-for: 6.6.6.6\r\nforwarded: for=6.6.6.6\r\n\r\n";
    assert_eq!(proxy.client().await.ask(request).await.status(), 200);
    let seen = recorded.only();
    assert_eq!(seen.start, "GET /a/../b%2F?q=1&q=2 HTTP/1.1");
    let want = [
        ("host", Some("API.example:81")),
        ("x-end", Some("2")),
        ("te", Some("trailers")),
        ("x-forwarded-for", Some("127.0.0.1")),
        ("x-forwarded-host", Some("API.example:81")),
        ("x-forwarded-proto", Some("http")),
        ("forwarded", Some("for=127.0.0.1;host=\"API.example:81\";proto=http")),
        ("via", Some("1.1 legato")),
        ("x-hop", None),
        ("keep-alive", None),
        ("proxy-connection", None),
        ("content-length", None),
        ("transfer-encoding", None),
    ];
    for (name, value) in want {
        assert_eq!(seen.header(name), value, "{name} in {seen:?}");
    }
}

#[tokio::test]
async fn the_host_is_the_clients_unless_the_backend_wants_its_own() {
    let backend = Backend::echo_of_host().await;
    let own = backend.address.to_string();
    for (protocol, host, want) in [
        (Protocol::H1, Host::Client, "asked.example:81"),
        (Protocol::H1, Host::Backend, own.as_str()),
        (Protocol::H2, Host::Client, "asked.example:81"),
        (Protocol::H2, Host::Backend, own.as_str()),
    ] {
        let proxy = TestProxy::start(&[backend.address], |c| {
            (c.apis[0].backends[0].protocol, c.apis[0].backends[0].host) = (protocol, host);
        })
        .await;
        let mut client = proxy.client().await;
        let target = "GET http://asked.example:81/ HTTP/1.1\r\nhost: other.example\r\n\r\n";
        for request in ["GET / HTTP/1.1\r\nhost: asked.example:81\r\n\r\n", target] {
            assert_eq!(client.ask(request).await.text(), want, "{protocol:?} {host:?} {request}");
        }
        // Without one there is only the endpoint's.
        let old = proxy.client().await.ask("GET / HTTP/1.0\r\n\r\n").await;
        assert_eq!(old.text(), own, "{protocol:?} {host:?}");
    }
}

#[tokio::test]
async fn responses_lose_what_concerns_the_backends_connection() {
    let response = "HTTP/1.1 200 OK\r\nconnection: x-hop\r\nx-hop: 1\r\nkeep-alive: timeout=1\r\nx-end: 2\r\ncontent-length: 0\r\n\r\n";
    let backend = Backend::answering(response).await;
    let proxy = TestProxy::before(backend.address).await;
    let got = proxy.client().await.ask("GET / HTTP/1.1\r\nhost: h\r\n\r\n").await;
    let of = |name| got.header(name);
    assert_eq!((of("x-end"), of("x-hop"), of("keep-alive"), of("connection")), (Some("2"), None, None, None));
}

#[tokio::test]
async fn connections_are_kept_on_both_sides() {
    let (backend, recorded) = Backend::recording().await;
    let proxy = TestProxy::before(backend.address).await;
    let mut client = proxy.client().await;
    for i in 1..=3 {
        assert_eq!(client.ask("GET / HTTP/1.1\r\nhost: h\r\n\r\n").await.status(), 200);
        assert_eq!(recorded.count(), i);
    }
    // Pipelined requests are answered in order.
    client.send("GET /1 HTTP/1.1\r\nhost: h\r\n\r\nGET /2 HTTP/1.1\r\nhost: h\r\n\r\n").await;
    assert_eq!([client.message().await.status(), client.message().await.status()], [200, 200]);
}

#[tokio::test]
async fn a_client_that_closed_its_sending_side_gets_its_answer() {
    let backend = Backend::answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    let proxy = TestProxy::before(backend.address).await;
    let mut client = proxy.client().await;
    client.send("GET / HTTP/1.1\r\nhost: h\r\n\r\n").await;
    tokio::io::AsyncWriteExt::shutdown(&mut client.stream).await.unwrap();
    assert_eq!(client.message().await.text(), "ok");
}

#[tokio::test]
async fn an_old_client_gets_a_body_that_ends_with_the_connection() {
    let backend = Backend::answering("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n").await;
    let proxy = TestProxy::before(backend.address).await;
    let got = proxy.client().await.ask("GET / HTTP/1.0\r\n\r\n").await;
    assert_eq!((got.header("transfer-encoding"), got.text()), (None, "ok"));
}

#[tokio::test]
async fn responses_without_a_body_have_none() {
    let cases = [
        ("HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\netag: \"a\"\r\n\r\n", 200, Some("5")),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n", 204, None),
        ("GET", "HTTP/1.1 304 Not Modified\r\netag: \"a\"\r\n\r\n", 304, None),
    ];
    for (method, response, status, length) in cases {
        let backend = Backend::answering(response).await;
        let proxy = TestProxy::before(backend.address).await;
        let mut client = proxy.client().await;
        // The second request shows that both sides agree where the first response ended.
        for _ in 0..2 {
            client.send(format!("{method} / HTTP/1.1\r\nhost: h\r\n\r\n")).await;
            let got = client.bodiless().await;
            assert_eq!((got.status(), got.header("content-length")), (status, length), "{method} {got:?}");
        }
    }
}

#[tokio::test]
async fn both_framings_pass_in_both_directions() {
    let backend = Backend::echo().await;
    let proxy = TestProxy::before(backend.address).await;
    let mut client = proxy.client().await;
    for request in [
        "POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 5\r\n\r\nhello",
        "POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
    ] {
        assert_eq!(client.ask(request).await.text(), "hello");
    }
    let chunked =
        Backend::answering("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n")
            .await;
    let proxy = TestProxy::before(chunked.address).await;
    let got = proxy.client().await.ask("GET / HTTP/1.1\r\nhost: h\r\n\r\n").await;
    assert_eq!((got.text(), got.is_complete, got.header("transfer-encoding")), ("hello", true, Some("chunked")));
}

#[tokio::test]
async fn a_client_is_asked_for_the_body_it_holds_back() {
    let backend = Backend::echo().await;
    let proxy = TestProxy::before(backend.address).await;
    let mut client = proxy.client().await;
    client.send("POST / HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n").await;
    assert_eq!(client.head().await.unwrap().status(), 100);
    client.send("ok").await;
    assert_eq!(client.message().await.text(), "ok");
}

#[tokio::test]
async fn the_version_served_is_said() {
    let backend = Backend::answering("HTTP/1.1 200 OK\r\nvary: accept\r\ncontent-length: 0\r\n\r\n").await;
    let proxy = TestProxy::before(backend.address).await;
    let mut client = proxy.client().await;
    let got = client.ask("GET / HTTP/1.1\r\nhost: h\r\n\r\n").await;
    assert_eq!(got.header("api-version"), Some("1"));
    let vary: Vec<&str> = got.headers.iter().filter(|(n, _)| n == "vary").map(|(_, v)| v.as_str()).collect();
    assert_eq!(vary, ["accept", "api-version"]);
    let got = client.ask("GET / HTTP/1.1\r\nhost: h\r\napi-version: 2\r\n\r\n").await;
    assert_eq!(got.header("api-version"), Some("2"));
}

#[tokio::test]
async fn hosts_and_prefixes_choose_the_api() {
    let backend = Backend::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let proxy = TestProxy::start(&[backend.address], |config| {
        config.apis[0].hosts = vec!["api.example".to_owned()];
        config.apis[0].prefix = "/chat".to_owned();
    })
    .await;
    for (host, path, want) in
        [("API.example:80", "/chat/x", 200), ("api.example", "/chatty", 404), ("other.example", "/chat", 404)]
    {
        let got = proxy.client().await.ask(&format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n")).await;
        assert_eq!(got.status(), want, "{host}{path}");
    }
}

#[tokio::test]
async fn the_hops_of_options_are_counted() {
    let (backend, recorded) = Backend::recording().await;
    let proxy = TestProxy::before(backend.address).await;
    let mut client = proxy.client().await;
    assert_eq!(client.ask("OPTIONS / HTTP/1.1\r\nhost: h\r\nmax-forwards: 0\r\n\r\n").await.status(), 204);
    assert_eq!(client.ask("OPTIONS * HTTP/1.1\r\nhost: h\r\n\r\n").await.status(), 204);
    assert_eq!(recorded.count(), 0);
    assert_eq!(client.ask("OPTIONS / HTTP/1.1\r\nhost: h\r\nmax-forwards: 5\r\n\r\n").await.status(), 200);
    assert_eq!(recorded.only().header("max-forwards"), Some("4"));
}

#[tokio::test]
async fn http2_is_spoken_on_either_side() {
    use http_body_util::{BodyExt, Full};
    use hyper_util::rt::{TokioExecutor, TokioIo};
    for (protocol, seen) in [(Protocol::H1, "HTTP/1.1"), (Protocol::H2, "HTTP/2.0")] {
        let backend = Backend::echo().await;
        let proxy = TestProxy::start(&[backend.address], |c| {
            c.apis[0].backends[0].protocol = protocol;
        })
        .await;
        let stream = tokio::net::TcpStream::connect(proxy.address).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        let driver = tokio::spawn(connection);
        let body = bytes::Bytes::from(vec![b'x'; 300_000]);
        let request = http::Request::post("http://h/x").body(Full::new(body.clone())).unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.headers()["x-version"], seen);
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), body);
        driver.abort();
    }
}

#[tokio::test]
async fn load_is_spread_over_endpoints_and_refusing_ones_are_passed_over() {
    let (first, seen_first) = Backend::recording().await;
    let (second, seen_second) = Backend::recording().await;
    let refusing = Backend::nobody().await;
    let proxy = TestProxy::start(&[first.address, refusing, second.address], |_| {}).await;
    for _ in 0..6 {
        assert_eq!(proxy.client().await.ask("GET / HTTP/1.1\r\nhost: h\r\n\r\n").await.status(), 200);
    }
    // Which of the two takes the requests of the third is left to chance.
    let counts = (seen_first.count(), seen_second.count());
    assert!(counts.0 >= 2 && counts.1 >= 2 && counts.0 + counts.1 == 6, "{counts:?}");
}

#[tokio::test]
async fn trailers_pass_in_both_directions() {
    let (told, mut heard) = tokio::sync::mpsc::channel(1);
    let backend = Backend::scripted(move |mut wire| {
        let told = told.clone();
        async move {
            wire.head().await.unwrap();
            // The chunk, the last chunk, the trailer.
            let body = wire.bytes(b"2\r\nok\r\n0\r\nx-sum: 1\r\n\r\n".len()).await;
            told.send(String::from_utf8(body).unwrap()).await.unwrap();
            wire.send("HTTP/1.1 200 OK\r\ntrailer: x-sum\r\ntransfer-encoding: chunked\r\n\r\n").await;
            wire.send("2\r\nok\r\n0\r\nx-sum: 2\r\n\r\n").await;
        }
    })
    .await;
    let proxy = TestProxy::before(backend.address).await;
    let mut client = proxy.client().await;
    let request = "POST / HTTP/1.1\r\nhost: h\r\nte: trailers\r\ntrailer: x-sum\r\ntransfer-encoding: chunked\r\n\r\n";
    client.send(request).await;
    client.send("2\r\nok\r\n0\r\nx-sum: 1\r\n\r\n").await;
    assert!(heard.recv().await.unwrap().ends_with("x-sum: 1\r\n\r\n"));
    client.head().await.unwrap();
    let body = client.bytes(b"2\r\nok\r\n0\r\nx-sum: 2\r\n\r\n".len()).await;
    assert!(body.ends_with(b"x-sum: 2\r\n\r\n"));
}

#[tokio::test]
async fn early_hints_of_the_backend_do_not_end_its_response() {
    let hints = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
    let response = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let backend = Backend::answering(format!("{hints}{response}")).await;
    let proxy = TestProxy::before(backend.address).await;
    let got = proxy.client().await.ask("GET / HTTP/1.1\r\nhost: h\r\n\r\n").await;
    assert_eq!((got.status(), got.text()), (200, "ok"));
}
