//! Requests that end badly: whose fault it is decides the status, and nobody takes half for the whole.

use std::time::Duration;

use legato_proxy::config::Config;

use crate::support::backend::Backend;
use crate::support::proxy::TestProxy;
use crate::support::wire::Wire;
use crate::support::within;

const GET: &str = "GET / HTTP/1.1\r\nhost: h\r\n\r\n";
const SHORT: Duration = Duration::from_millis(100);

/// Asks a proxy before `backend`, configured by `adjust`.
async fn ask(backend: &Backend, request: &str, adjust: impl FnOnce(&mut Config)) -> crate::support::wire::Message {
    let proxy = TestProxy::start(&[backend.address], adjust).await;
    proxy.client().await.ask(request).await
}

#[tokio::test]
async fn a_backend_that_is_not_there() {
    let proxy = TestProxy::before(Backend::nobody().await).await;
    let got = proxy.client().await.ask(GET).await;
    assert_eq!((got.status(), got.problem().as_str()), (502, "unreachable"));
    assert!(!got.text().contains("127.0.0.1"), "an address of ours leaks: {}", got.text());
    assert_eq!(got.json()["version"], "1");
}

#[tokio::test]
async fn a_backend_that_answers_what_is_not_http() {
    let large = format!("HTTP/1.1 200 OK\r\nx: {}\r\ncontent-length: 0\r\n\r\n", "x".repeat(200_000));
    let answers = [
        large.as_str(),
        "garbage\r\n\r\n",
        "HTTP/1.1 2000 What\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\ncontent-length: 2, 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nab",
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
    ];
    for answer in answers {
        let backend = Backend::answering(answer).await;
        let got = ask(&backend, GET, |_| {}).await;
        assert_eq!((got.status(), got.problem().as_str()), (502, "bad_response"), "{answer:?}");
    }
}

#[tokio::test]
async fn a_backend_that_closes_before_its_head() {
    for is_reset in [false, true] {
        let backend = Backend::scripted(move |mut wire| async move {
            wire.try_message().await;
            if is_reset {
                wire.reset();
            }
        })
        .await;
        let got = ask(&backend, GET, |_| {}).await;
        assert_eq!((got.status(), got.problem().as_str()), (502, "bad_response"));
    }
}

#[tokio::test]
async fn a_backend_that_does_not_answer() {
    let backend = Backend::scripted(|mut wire| async move {
        wire.try_message().await;
        wire.is_closed().await;
    })
    .await;
    let got = ask(&backend, GET, |c| c.apis[0].timeouts.response_head = SHORT).await;
    assert_eq!((got.status(), got.problem().as_str()), (504, "response_head_timeout"));
    let got = ask(&backend, GET, |c| c.apis[0].timeouts.request = Some(SHORT)).await;
    assert_eq!((got.status(), got.problem().as_str()), (504, "request_timeout"));
    // The limit on the head counts from the request's end.
    let post = "POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\n\r\nok";
    let got = ask(&backend, post, |c| c.apis[0].timeouts.response_head = SHORT).await;
    assert_eq!((got.status(), got.problem().as_str()), (504, "response_head_timeout"));
}

#[tokio::test]
async fn a_backend_that_does_not_read() {
    let backend = Backend::scripted(|wire| async move {
        let _wire = wire;
        std::future::pending::<()>().await;
    })
    .await;
    let proxy = TestProxy::start(&[backend.address], |c| c.apis[0].timeouts.idle = SHORT).await;
    let client = proxy.client().await;
    let (mut reading, mut writing) = client.stream.into_split();
    let sending = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt as _;
        writing.write_all(b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 100000000\r\n\r\n").await.unwrap();
        let piece = vec![b'x'; 65536];
        while writing.write_all(&piece).await.is_ok() {}
    });
    let mut head = [0; 12];
    within("the answer", tokio::io::AsyncReadExt::read_exact(&mut reading, &mut head)).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 504");
    sending.abort();
}

#[tokio::test]
async fn a_body_that_stalls_or_breaks_is_never_whole() {
    let beginnings = [
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ];
    for beginning in beginnings {
        for is_stalled in [false, true] {
            let backend = Backend::scripted(move |mut wire| async move {
                wire.try_message().await;
                wire.send(beginning).await;
                if is_stalled {
                    wire.is_closed().await;
                }
            })
            .await;
            let got = ask(&backend, GET, |c| c.apis[0].timeouts.idle = SHORT).await;
            assert_eq!((got.status(), got.text(), got.is_complete), (200, "half", false), "{beginning:?} {is_stalled}");
        }
    }
}

#[tokio::test]
async fn an_http_1_0_client_sees_that_half_a_body_is_half() {
    use tokio::io::AsyncReadExt as _;
    for (end, is_whole) in [("0\r\n\r\n", true), ("", false), ("x\r\n", false)] {
        let backend = Backend::scripted(move |mut wire| async move {
            wire.try_message().await;
            wire.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n").await;
            wire.send(end).await;
        })
        .await;
        let proxy = TestProxy::before(backend.address).await;
        let mut client = proxy.client().await;
        client.send("GET / HTTP/1.0\r\n\r\n").await;
        let mut got = Vec::new();
        let read = within("the answer", client.stream.read_to_end(&mut got)).await;
        // Nothing but the end of the connection says where the body ends.
        assert_eq!(read.is_ok(), is_whole, "{end:?}: {:?}", String::from_utf8_lossy(&got));
    }
}

#[tokio::test]
async fn a_client_that_leaves_takes_the_request_with_it() {
    let (told, mut heard) = tokio::sync::mpsc::channel(1);
    let backend = Backend::scripted(move |mut wire| {
        let told = told.clone();
        async move {
            wire.try_message().await;
            wire.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
            while wire.try_send("4\r\nmore\r\n").await.is_ok() {}
            told.send(()).await.unwrap();
        }
    })
    .await;
    let proxy = TestProxy::before(backend.address).await;
    let mut client = proxy.client().await;
    client.send(GET).await;
    assert_eq!(client.head().await.unwrap().status(), 200);
    drop(client);
    within("the backend's connection to end", heard.recv()).await;
}

#[tokio::test]
async fn a_client_that_stops_in_the_middle_of_its_body() {
    let backend = Backend::echo().await;
    let half = "POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 10\r\n\r\nhalf";
    let got = ask(&backend, half, |c| c.apis[0].timeouts.idle = SHORT).await;
    assert_eq!((got.status(), got.problem().as_str()), (408, "idle_timeout"));
}

#[tokio::test]
async fn bodies_above_the_limit() {
    let backend = Backend::echo().await;
    let post = "POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 11\r\n\r\nhello world";
    let got = ask(&backend, post, |c| c.apis[0].limits.body = 10).await;
    assert_eq!((got.status(), got.problem().as_str()), (413, "too_large"));
    let backend = Backend::answering("HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\nhello world").await;
    let got = ask(&backend, GET, |c| c.apis[0].limits.body = 10).await;
    assert_eq!((got.status(), got.problem().as_str()), (502, "too_large"));
    // One that does not announce its length is cut off.
    let backend = Backend::scripted(|mut wire| async move {
        wire.try_message().await;
        wire.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\nhello \r\n").await;
        wire.send("5\r\nworld\r\n0\r\n\r\n").await;
    })
    .await;
    let proxy = TestProxy::start(&[backend.address], |c| c.apis[0].limits.body = 10).await;
    let mut client = proxy.client().await;
    client.send(GET).await;
    let got = client.try_message().await;
    assert!(got.is_none_or(|m| !m.is_complete));
}

#[tokio::test]
async fn versions_that_do_not_exist() {
    let backend = Backend::echo().await;
    let got = ask(&backend, "GET / HTTP/1.1\r\nhost: h\r\napi-version: 9\r\n\r\n", |_| {}).await;
    assert_eq!((got.status(), got.problem().as_str()), (400, "unknown_version"));
    assert_eq!(got.json()["supported"], serde_json::json!(["1", "2"]));
}

#[tokio::test]
async fn an_api_without_rules() {
    let backend = Backend::echo().await;
    let got = ask(&backend, GET, |c| c.apis[0].name = "other".to_owned()).await;
    assert_eq!((got.status(), got.problem().as_str()), (503, "no_rules"));
}

#[tokio::test]
async fn requests_that_no_proxy_may_forward() {
    let (backend, recorded) = Backend::recording().await;
    let proxy = TestProxy::before(backend.address).await;
    let requests = [
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: u@h\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost : h\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: h\r\nx: a\r\n b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: h\r\nx: a\x01b\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab", 400),
        ("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: -1\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: gzip\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n", 400),
        ("CONNECT h:80 HTTP/1.1\r\nhost: h:80\r\n\r\n", 501),
        ("GARBAGE\r\n\r\n", 400),
    ];
    for (request, status) in requests {
        let mut client = proxy.client().await;
        client.send(request).await;
        let got = client.try_message().await;
        assert_eq!(got.map(|m| m.status()), Some(status), "{request:?}");
    }
    assert_eq!(recorded.count(), 0, "a bad request was forwarded");
}

#[tokio::test]
async fn bad_chunk_sizes_are_never_whole() {
    let (backend, recorded) = Backend::recording().await;
    let proxy = TestProxy::before(backend.address).await;
    for chunk in ["x\r\n", "-1\r\n", "2\r\nabc\r\n", "fffffffffffffffff\r\n"] {
        let mut client = proxy.client().await;
        client.send(format!("POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n{chunk}0\r\n\r\n")).await;
        let got = client.try_message().await;
        assert!(got.is_none_or(|m| m.status() == 400), "{chunk:?}");
    }
    assert_eq!(recorded.count(), 0);
}

#[tokio::test]
async fn heads_have_limits() {
    let (backend, recorded) = Backend::recording().await;
    let proxy = TestProxy::start(&[backend.address], |c| {
        let limits = &mut c.listen[0].limits;
        (limits.head, limits.headers) = (16 * 1024, 20);
    })
    .await;
    let large = format!("GET / HTTP/1.1\r\nhost: h\r\nx: {}\r\n\r\n", "x".repeat(20_000));
    let many = format!("GET / HTTP/1.1\r\nhost: h\r\n{}\r\n", "x: y\r\n".repeat(21));
    for request in [large, many] {
        let mut client = proxy.client().await;
        // The refusal may come before all is sent.
        let _ = client.try_send(request).await;
        assert_eq!(client.message().await.status(), 431);
    }
    let proxy = TestProxy::start(&[backend.address], |c| c.listen[0].limits.head_timeout = SHORT).await;
    for slow in ["G", "GET / HTTP/1.1\r\nhost:", "PR"] {
        let mut client = proxy.client().await;
        client.send(slow).await;
        assert_eq!(client.message().await.status(), 408, "{slow:?}");
        assert!(client.is_closed().await);
    }
    let mut silent = proxy.client().await;
    assert!(silent.is_closed().await || recorded.count() == 0);
    assert_eq!(recorded.count(), 0);
}

#[tokio::test]
async fn connections_above_the_limit_wait() {
    let backend = Backend::echo().await;
    let proxy = TestProxy::start(&[backend.address], |c| c.listen[0].limits.connections = 1).await;
    let mut first = proxy.client().await;
    assert_eq!(first.ask(GET).await.status(), 200);
    let mut second = proxy.client().await;
    second.send(GET).await;
    assert_eq!(first.ask(GET).await.status(), 200);
    drop(first);
    assert_eq!(second.message().await.status(), 200);
}

#[tokio::test]
async fn the_last_slot_goes_to_whichever_worker_has_a_client() {
    let backend = Backend::echo().await;
    let adjust = |c: &mut Config| {
        c.workers = Some(4);
        c.listen[0].limits.connections = 1;
    };
    let proxy = TestProxy::start(&[backend.address], adjust).await;
    // The system picks the worker by the client's port, so that sixteen clients meet all four.
    for _ in 0..16 {
        assert_eq!(proxy.client().await.ask(GET).await.status(), 200);
    }
}

#[tokio::test]
async fn a_pooled_connection_that_has_died_is_replaced() {
    let backend = Backend::scripted(|mut wire: Wire| async move {
        wire.try_message().await;
        wire.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    })
    .await;
    let proxy = TestProxy::before(backend.address).await;
    let mut client = proxy.client().await;
    for _ in 0..5 {
        assert_eq!(client.ask(GET).await.text(), "ok");
    }
}

#[tokio::test]
async fn draining_finishes_what_runs_and_accepts_nothing_new() {
    let (go, gone) = tokio::sync::watch::channel(false);
    let (ask, mut asked) = tokio::sync::watch::channel(false);
    let backend = Backend::scripted(move |mut wire| {
        let (mut gone, ask) = (gone.clone(), ask.clone());
        async move {
            wire.try_message().await;
            ask.send(true).unwrap();
            gone.wait_for(|is| *is).await.unwrap();
            wire.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
        }
    })
    .await;
    let mut proxy = TestProxy::before(backend.address).await;
    let (mut running, mut idle) = (proxy.client().await, proxy.client().await);
    running.send(GET).await;
    within("the request", asked.wait_for(|is| *is)).await.unwrap();
    let mut admin = proxy.admin().await;
    let ready = "GET /readyz HTTP/1.1\r\nhost: h\r\n\r\n";
    assert_eq!(admin.ask(ready).await.status(), 200);
    proxy.drain();
    assert!(idle.is_closed().await);
    assert_eq!(admin.ask(ready).await.status(), 503);
    go.send(true).unwrap();
    let last = running.message().await;
    assert_eq!((last.text(), last.header("connection")), ("ok", Some("close")));
    proxy.ended().await;
}

#[tokio::test]
async fn half_a_body_is_a_reset_stream_of_http2() {
    use http_body_util::{BodyExt, Empty};
    use hyper_util::rt::{TokioExecutor, TokioIo};
    let backend = Backend::scripted(|mut wire| async move {
        wire.try_message().await;
        wire.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await;
    })
    .await;
    let proxy = TestProxy::before(backend.address).await;
    let io = TokioIo::new(proxy.client().await.stream);
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), io);
    let (mut sender, connection) = Box::pin(handshake).await.unwrap();
    let driver = tokio::spawn(connection);
    let request = http::Request::get("http://h/").body(Empty::<bytes::Bytes>::new()).unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(within("the reset", response.into_body().collect()).await.is_err());
    driver.abort();
}
