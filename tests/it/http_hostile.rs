//! Peers that want too much: bombs, answers that come too early, clients that leave, and clients that leave nothing for
//! others.

use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::support::backend::Backend;
use crate::support::proxy::TestProxy;
use crate::support::wire::Wire;
use crate::support::{eventually, within};

const GET: &str = "GET / HTTP/1.1\r\nhost: h\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A client of HTTP/2.
async fn http2(proxy: &TestProxy, tasks: &mut JoinSet<()>) -> SendRequest<Empty<bytes::Bytes>> {
    let stream = tokio::net::TcpStream::connect(proxy.address).await.unwrap();
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tasks.spawn(async {
        let _ = connection.await;
    });
    sender
}

fn get(path: &str) -> http::Request<Empty<bytes::Bytes>> {
    http::Request::get(format!("http://h{path}")).body(Empty::new()).unwrap()
}

/// The number of exchanges that the proxy has with its first endpoint.
async fn in_flight(proxy: &TestProxy) -> u64 {
    let status = proxy.admin().await.ask("GET /api/status HTTP/1.1\r\nhost: h\r\n\r\n").await.json();
    status["apis"][0]["backends"][0]["endpoints"][0]["in_flight"].as_u64().unwrap()
}

#[tokio::test]
async fn an_answer_that_comes_before_the_body_was_read_is_the_answer() {
    for close in ["", "connection: close\r\n"] {
        let backend = Backend::scripted(move |mut wire: Wire| async move {
            while let Some(head) = wire.try_head().await {
                let is_post = head.starts_with("POST");
                let status = if is_post { "413 Too Much" } else { "200 OK" };
                let _ = wire.try_send(format!("HTTP/1.1 {status}\r\n{close}content-length: 2\r\n\r\nok")).await;
                // What comes behind the head of one with a body is that body, all of it before anything else.
                let mut left = if is_post { 1_000_000 } else { 0 };
                while left > 0 {
                    let Some(more) = wire.try_bytes(1).await else { return };
                    assert_eq!(more, b"x", "a request behind half a body");
                    left -= 1;
                }
            }
        })
        .await;
        let proxy = TestProxy::before(backend.address).await;
        // The client is in the middle of its body, or sends all of it whatever it is told.
        for sent in [10, 1_000_000, 10] {
            let mut client = proxy.client().await;
            client.send("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 1000000\r\n\r\n").await;
            let _ = client.try_send(vec![b'x'; sent]).await;
            let got = client.message().await;
            assert_eq!((got.status(), got.text()), (413, "ok"), "{close}{sent}");
            assert_eq!(proxy.client().await.ask(GET).await.status(), 200, "{close}{sent}");
        }
    }
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_a_response_frees_everything() {
    let (ended, mut has_ended) = watch::channel(0);
    let backend = Backend::scripted(move |mut wire: Wire| {
        let ended = ended.clone();
        async move {
            wire.try_message().await;
            let _ = wire.try_send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
            while wire.try_send("1000\r\n".to_owned() + &"x".repeat(0x1000) + "\r\n").await.is_ok() {}
            ended.send_modify(|ended| *ended += 1);
        }
    })
    .await;
    let proxy = TestProxy::before(backend.address).await;
    for is_reset in [true, false] {
        let mut client = proxy.client().await;
        client.send(GET).await;
        client.bytes(100_000).await;
        assert_eq!(in_flight(&proxy).await, 1);
        if is_reset {
            client.reset();
        }
    }
    let mut tasks = JoinSet::new();
    let mut sender = http2(&proxy, &mut tasks).await;
    let mut response = sender.send_request(get("/")).await.unwrap();
    response.frame().await.unwrap().unwrap();
    drop(response);
    within("the backend's connections end", has_ended.wait_for(|ended| *ended == 3)).await.unwrap();
    eventually("nothing is left", async || in_flight(&proxy).await == 0).await;
}

#[tokio::test]
async fn who_asks_for_much_leaves_others_their_turns() {
    let backend = Backend::scripted(|mut wire: Wire| async move {
        while let Some(request) = wire.try_message().await {
            if request.start.contains("/never") {
                std::future::pending::<()>().await;
            }
            if wire.try_send(OK).await.is_err() {
                return;
            }
        }
    })
    .await;
    let proxy = TestProxy::start(&[backend.address], |c| c.workers = Some(1)).await;
    let mut tasks = JoinSet::new();
    // One that sends requests without end and reads no answer.
    let mut greedy = proxy.client().await;
    tasks.spawn(async move { while greedy.stream.write_all(GET.repeat(100).as_bytes()).await.is_ok() {} });
    // One that has all its streams open, and one that asks on each of its streams again and again.
    let mut sender = http2(&proxy, &mut tasks).await;
    for _ in 0..200 {
        let response = sender.send_request(get("/never"));
        tasks.spawn(async { drop(response.await) });
    }
    let sender = http2(&proxy, &mut tasks).await;
    for _ in 0..100 {
        let mut sender = sender.clone();
        tasks.spawn(async move {
            while let Ok(response) = sender.send_request(get("/")).await {
                let _ = response.into_body().collect().await;
            }
        });
    }
    eventually("all streams are open", async || in_flight(&proxy).await >= 200).await;
    let mut client = proxy.client().await;
    for _ in 0..20 {
        assert_eq!(client.ask(GET).await.status(), 200);
    }
}

#[tokio::test]
async fn an_endpoint_has_so_many_connections_and_then_it_is_overloaded() {
    // It accepts nothing: its system does, and nobody answers.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    socket.listen(4096).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let proxy = TestProxy::start(&[address], |c| c.listen[0].limits.streams = 2000).await;
    let mut tasks = JoinSet::new();
    let mut sender = http2(&proxy, &mut tasks).await;
    let mut waiting = JoinSet::new();
    for _ in 0..1025 {
        waiting.spawn(sender.send_request(get("/")));
    }
    let refused = within("one too many", waiting.join_next()).await.unwrap().unwrap().unwrap();
    assert_eq!(refused.status(), 503);
    let header = |name: &str| refused.headers()[name].to_str().unwrap().to_owned();
    assert_eq!((header("retry-after"), header("content-type")), ("1".into(), "application/problem+json".into()));
    let problem = refused.into_body().collect().await.unwrap().to_bytes();
    assert!(problem.windows(10).any(|word| word == b"overloaded"), "{problem:?}");
    let mut client = proxy.client().await;
    let got = client.ask(GET).await;
    assert_eq!((got.status(), got.problem().as_str(), got.header("retry-after")), (503, "overloaded", Some("1")));
    // That is no fault of the endpoint.
    let status = proxy.admin().await.ask("GET /api/status HTTP/1.1\r\nhost: h\r\n\r\n").await.json();
    let endpoint = &status["apis"][0]["backends"][0]["endpoints"][0];
    assert_eq!((&endpoint["state"], &endpoint["connections"]), (&"healthy".into(), &1024.into()), "{status}");
    // Once requests are over there is room again.
    waiting.abort_all();
    drop(sender);
    tasks.abort_all();
    eventually("room", async || in_flight(&proxy).await == 0).await;
}
