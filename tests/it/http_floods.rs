//! Clients that send too much of what costs them nothing, or too little of what is waited for.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::backend::Backend;
use crate::support::http2::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PREFACE, PRIORITY, RST_STREAM, SETTINGS, frame,
};
use crate::support::proxy::TestProxy;
use crate::support::within;

/// `GET /` and `POST /` to the authority `h`, over HTTP.
const GET: &[u8] = &[0x82, 0x86, 0x84, 0x41, 1, b'h'];
const POST: &[u8] = &[0x83, 0x86, 0x84, 0x41, 1, b'h'];

/// A connection of HTTP/2 that has begun.
async fn begun(proxy: &TestProxy, first: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(proxy.address).await.unwrap();
    stream.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, &[]), first].concat()).await.unwrap();
    stream
}

/// Sends batch after batch while all answers are read, and lets another client ask in between. How many batches were
/// sent when the connection was closed.
async fn flood(proxy: &TestProxy, first: &[u8], batch: impl Fn(u32) -> Vec<u8>) -> u32 {
    const MOST: u32 = 2000;
    let (mut answers, mut stream) = begun(proxy, first).await.into_split();
    let reading = tokio::spawn(async move {
        let mut sink = vec![0; 64 * 1024];
        while !matches!(answers.read(&mut sink).await, Ok(0) | Err(_)) {}
    });
    let mut other = proxy.client().await;
    let mut sent = 0;
    while sent < MOST && !reading.is_finished() && stream.write_all(&batch(sent)).await.is_ok() {
        sent += 1;
        if sent % 20 == 0 {
            assert_eq!(other.ask("GET / HTTP/1.1\r\nhost: h\r\n\r\n").await.status(), 200);
        }
    }
    assert!(sent < MOST, "the connection is open after {MOST} batches");
    within("the end of the connection", reading).await.unwrap();
    assert_eq!(other.ask("GET / HTTP/1.1\r\nhost: h\r\n\r\n").await.status(), 200);
    sent
}

#[tokio::test]
async fn floods_end_their_own_connection() {
    let backend = Backend::answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    let proxy = TestProxy::before(backend.address).await;
    let rapid_reset = |batch: u32| -> Vec<u8> {
        let streams = (0..50).map(|n| 1 + 2 * (50 * batch + n));
        let begin_and_end = |id: u32| {
            [frame(HEADERS, END_HEADERS | END_STREAM, id, GET), frame(RST_STREAM, 0, id, &8_u32.to_be_bytes())].concat()
        };
        streams.flat_map(begin_and_end).collect()
    };
    flood(&proxy, &[], rapid_reset).await;
    // One at a time, so that each is looked at before it is taken back.
    let slow_reset = |batch: u32| {
        let id = 1 + batch / 2 * 2;
        match batch % 2 {
            0 => frame(HEADERS, END_HEADERS | END_STREAM, id, GET),
            _ => frame(RST_STREAM, 0, id, &8_u32.to_be_bytes()),
        }
    };
    flood(&proxy, &[], slow_reset).await;

    let endless_head = frame(HEADERS, END_STREAM, 1, GET);
    flood(&proxy, &endless_head, |_| frame(CONTINUATION, 0, 1, &[0, 1, b'x', 1, b'y'])).await;
    flood(&proxy, &endless_head, |_| frame(CONTINUATION, 0, 1, &[])).await;

    flood(&proxy, &[], |_| frame(SETTINGS, 0, 0, &[]).repeat(100)).await;
    flood(&proxy, &[], |_| frame(PING, 0, 0, &[7; 8]).repeat(100)).await;
    flood(&proxy, &[], |_| frame(PRIORITY, 0, 1, &[0, 0, 0, 3, 1]).repeat(100)).await;
    flood(&proxy, &[], |_| frame(0x42, 0, 0, b"unknown").repeat(100)).await;
    let endless_body = frame(HEADERS, END_HEADERS, 1, POST);
    flood(&proxy, &endless_body, |_| frame(DATA, 0, 1, &[]).repeat(100)).await;
}

/// The kinds of frames until the connection's end.
async fn kinds(mut stream: TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    let mut head = [0; 9];
    while stream.read_exact(&mut head).await.is_ok() {
        all.push(head[3]);
        let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
        stream.read_exact(&mut payload).await.unwrap();
        // A goodbye is complete when a ping behind it has come back.
        if head[3] == PING && head[4] == 0 {
            let _ = stream.write_all(&frame(PING, 1, 0, &payload)).await;
        }
    }
    all
}

#[tokio::test]
async fn a_connection_of_http2_without_a_request_says_goodbye() {
    let backend = Backend::scripted(|mut wire| async move {
        while let Some(request) = wire.try_message().await {
            if request.start.starts_with("POST") {
                wire.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
            }
        }
    })
    .await;
    let proxy =
        TestProxy::start(&[backend.address], |c| c.listen[0].limits.keep_alive = Duration::from_millis(100)).await;
    // One whose request the backend does not answer, and one whose request it does.
    let mut waiting = begun(&proxy, &frame(HEADERS, END_HEADERS | END_STREAM, 1, GET)).await;
    let body = [frame(HEADERS, END_HEADERS, 1, POST), frame(DATA, END_STREAM, 1, b"x")].concat();
    let answered = kinds(begun(&proxy, &body).await);
    let answered = within("the end of what was answered", answered).await;
    assert!(answered.contains(&HEADERS) && answered.contains(&GOAWAY), "{answered:?}");
    let silent = within("the end of what never asked", kinds(begun(&proxy, &[]).await)).await;
    assert!(silent.contains(&GOAWAY), "{silent:?}");
    // It has been without a byte for as long, and is served still.
    waiting.write_all(&body_of(3)).await.unwrap();
    let mut seen = Vec::new();
    while !seen.contains(&HEADERS) {
        let mut head = [0; 9];
        within("an answer", waiting.read_exact(&mut head)).await.unwrap();
        seen.push(head[3]);
        let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
        waiting.read_exact(&mut payload).await.unwrap();
    }
    assert!(!seen.contains(&GOAWAY), "{seen:?}");
}

fn body_of(stream: u32) -> Vec<u8> {
    [frame(HEADERS, END_HEADERS, stream, POST), frame(DATA, END_STREAM, stream, b"x")].concat()
}

#[tokio::test]
async fn a_body_that_comes_too_slowly_is_not_waited_for() {
    let (backend, recorded) = Backend::recording().await;
    let proxy = TestProxy::start(&[backend.address], |c| {
        c.listen[0].limits.body_rate = 1000;
        c.apis[0].timeouts.idle = Duration::from_millis(400);
    })
    .await;
    // For a translated call, whose body is read before it is sent on, and for another.
    for path in ["/m", "/other"] {
        let mut client = proxy.client().await;
        let (kind, length) = ("content-type: application/json", 1_000_000);
        client
            .send(format!(
                "POST {path} HTTP/1.1\r\nhost: h\r\napi-version: 2\r\n{kind}\r\ncontent-length: {length}\r\n\r\n"
            ))
            .await;
        let mut sent = 0;
        let mut end = [0; 12];
        let answered = loop {
            tokio::select! {
                read = client.stream.read_exact(&mut end) => break read.map(|_| ()),
                () = tokio::time::sleep(Duration::from_millis(20)) => {}
            }
            sent += 1;
            assert!(sent < 1000, "{path}: it is waited for");
            if client.try_send(" ").await.is_err() {
                break Ok(());
            }
        };
        answered.unwrap();
        assert_eq!(String::from_utf8_lossy(&end), "HTTP/1.1 408", "{path}");
        assert!(client.message().await.text().contains("slow_body"));
    }
    // One that is slow to begin, and fast then, is served.
    let mut client = proxy.client().await;
    client.send("POST /m HTTP/1.1\r\nhost: h\r\ncontent-length: 100000\r\n\r\n").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(client.ask(&"x".repeat(100_000)).await.status(), 200);
    assert_eq!(recorded.take().len(), 1);
}
