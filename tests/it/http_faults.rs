//! Backends that go wrong in ways of HTTP/2, say goodbye, never come to the point, or come and go.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use legato_proxy::config::Protocol;

use crate::support::backend::Backend;
use crate::support::http2::{
    self, CONTINUATION, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PREFACE, RST_STREAM, SETTINGS, frame,
};
use crate::support::proxy::TestProxy;
use crate::support::wire::Wire;

const GET: &str = "GET / HTTP/1.1\r\nhost: h\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 1\r\n\r\nx";

/// `:status: 200`, and nothing else.
const OK: &[u8] = &[0x88];

/// A backend of HTTP/2 whose first request of all is answered by these frames, and each one after it with 200. The
/// stream's number is filled in where it is 0. How many requests it gets is counted.
async fn answering_first(first: Vec<u8>) -> (Backend, Arc<AtomicUsize>) {
    let asked = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&asked);
    let backend = Backend::scripted(move |mut wire: Wire| {
        let (first, asked) = (first.clone(), Arc::clone(&counted));
        async move {
            wire.bytes(PREFACE.len()).await;
            wire.send(frame(SETTINGS, 0, 0, &[])).await;
            while let Some((kind, _, stream)) = http2::next(&mut wire).await {
                if kind != HEADERS {
                    continue;
                }
                let answer = match asked.fetch_add(1, Ordering::SeqCst) {
                    0 => http2::on_stream(&first, stream),
                    _ => frame(HEADERS, END_HEADERS | END_STREAM, stream, OK),
                };
                if wire.try_send(answer).await.is_err() {
                    return;
                }
            }
        }
    })
    .await;
    (backend, asked)
}

async fn before(backend: &Backend) -> TestProxy {
    TestProxy::start(&[backend.address], |c| c.apis[0].backends[0].protocol = Protocol::H2).await
}

#[tokio::test]
async fn what_a_backend_of_http2_did_not_look_at_is_sent_again() {
    const REFUSED: u32 = 7;
    const CANCEL: u32 = 8;
    let reset = |code: u32| frame(RST_STREAM, 0, 0, &code.to_be_bytes());
    // The last stream that was looked at, and the reason.
    let goodbye = [frame(GOAWAY, 0, http2::CONNECTION, &[0; 8]), reset(REFUSED)].concat();
    let cases = [
        (GET, reset(REFUSED), 200, 2),
        (GET, goodbye, 200, 2),
        // A request that may have been carried out is repeated only where that makes no difference.
        (GET, reset(CANCEL), 200, 2),
        (POST, reset(CANCEL), 502, 1),
        // Its body is gone.
        (POST, reset(REFUSED), 502, 1),
    ];
    for (request, first, status, asked) in cases {
        let (backend, count) = answering_first(first.clone()).await;
        let proxy = before(&backend).await;
        let got = proxy.client().await.ask(request).await;
        assert_eq!((got.status(), count.load(Ordering::SeqCst)), (status, asked), "{request} {first:?}");
        // Others are served, over a connection that takes requests.
        assert_eq!(proxy.client().await.ask(GET).await.status(), 200, "{request} {first:?}");
    }
}

#[tokio::test]
async fn heads_without_an_end_are_not_waited_for() {
    // Of HTTP/1.1: headers without end, and hints without end.
    let lines = Backend::scripted(|mut wire| async move {
        wire.try_message().await;
        let mut more = "HTTP/1.1 200 OK\r\n".to_owned();
        while wire.try_send(&more).await.is_ok() {
            more = "x-more: and more\r\n".repeat(100);
        }
    })
    .await;
    let got = TestProxy::before(lines.address).await.client().await.ask(GET).await;
    assert_eq!((got.status(), got.problem().as_str()), (502, "bad_response"));

    let hints = Backend::scripted(|mut wire| async move {
        wire.try_message().await;
        while wire.try_send("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n").await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let proxy =
        TestProxy::start(&[hints.address], |c| c.apis[0].timeouts.response_head = Duration::from_millis(200)).await;
    let got = proxy.client().await.ask(GET).await;
    assert_eq!((got.status(), got.problem().as_str()), (504, "response_head_timeout"));

    // Of HTTP/2.
    let header = [0, 1, b'x', 1, b'y'].repeat(1000);
    let endless = std::iter::once(frame(HEADERS, 0, 0, OK))
        .chain(std::iter::repeat_n(frame(CONTINUATION, 0, 0, &header), 2000))
        .collect::<Vec<_>>()
        .concat();
    let (backend, _) = answering_first(endless).await;
    let got = before(&backend).await.client().await.ask(POST).await;
    assert_eq!((got.status(), got.problem().as_str()), (502, "bad_response"));
}

#[tokio::test]
async fn an_answer_of_trailers_alone_passes_on_either_side() {
    // As gRPC says an error: a head that ends the stream, or a body and trailers.
    let backend = Backend::serving(|request| async move {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let mut response = hyper::Response::new(Full::new(bytes::Bytes::new()));
        response.headers_mut().insert("content-type", head.headers["content-type"].clone());
        response.headers_mut().insert("grpc-status", "5".parse().unwrap());
        response.headers_mut().insert("x-te", head.headers.get("te").cloned().unwrap_or("none".parse().unwrap()));
        response.headers_mut().insert("x-length", body.len().into());
        Ok(response)
    })
    .await;
    for protocol in [Protocol::H1, Protocol::H2] {
        let proxy = TestProxy::start(&[backend.address], |c| c.apis[0].backends[0].protocol = protocol).await;
        let stream = tokio::net::TcpStream::connect(proxy.address).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        let driver = tokio::spawn(connection);
        let request = http::Request::post("http://h/chat.Chat/Say")
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(Full::new(bytes::Bytes::from_static(b"\0\0\0\0\x02ok")))
            .unwrap();
        let response = sender.send_request(request).await.unwrap();
        let of = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(response.status(), 200);
        assert_eq!(of("grpc-status").as_deref(), Some("5"), "{protocol:?}");
        assert_eq!((of("x-te").as_deref(), of("x-length").as_deref()), (Some("trailers"), Some("7")), "{protocol:?}");
        let is_over = hyper::body::Body::is_end_stream(response.body());
        assert!(is_over || protocol == Protocol::H1, "{protocol:?}: an answer of trailers alone ends with its head");
        assert!(response.into_body().collect().await.unwrap().to_bytes().is_empty());
        driver.abort();
    }
}

#[tokio::test]
async fn endpoints_that_come_and_go_are_not_noticed() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let (steady, coming) = (Backend::answering(answer).await, Backend::answering(answer).await);
    let address = coming.address;
    let proxy = TestProxy::start(&[steady.address, address], |_| {}).await;
    let mut clients = Vec::new();
    for _ in 0..8 {
        clients.push(proxy.client().await);
    }
    let mut coming = Some(coming);
    for round in 0..10 {
        for client in &mut clients {
            client.send(GET.repeat(5)).await;
        }
        // In the middle of all that, it goes, or it is back.
        coming = match coming.take() {
            Some(_) => None,
            None => Some(Backend::answering_at(address, answer).await),
        };
        for client in &mut clients {
            for _ in 0..5 {
                let got = client.message().await;
                assert_eq!((got.status(), got.text()), (200, "ok"), "round {round}");
            }
        }
    }
}
