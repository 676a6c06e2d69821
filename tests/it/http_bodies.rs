//! Bodies that pass byte for byte, however long they are and however slowly they are read.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::backend::Backend;
use crate::support::proxy::TestProxy;
use crate::support::{eventually, within};

const PIECE: usize = 64 * 1024;
/// More than the buffers of all four sockets, by far.
const MANY: usize = 640;
/// What the buffers of the kernel and of the proxy may hold on one way: the rest waits at its sender.
const ON_THE_WAY: usize = 24 * 1024 * 1024;

#[tokio::test]
async fn a_slow_client_slows_the_backend() {
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let backend = Backend::scripted(move |mut wire| {
        let sent = Arc::clone(&counter);
        async move {
            wire.try_message().await;
            wire.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", PIECE * MANY)).await;
            for i in 0..MANY {
                wire.send(vec![u8::try_from(i % 251).unwrap(); PIECE]).await;
                sent.fetch_add(PIECE, Ordering::Relaxed);
            }
        }
    })
    .await;
    let proxy = TestProxy::before(backend.address).await;
    let mut client = proxy.client().await;
    client.send("GET / HTTP/1.1\r\nhost: h\r\n\r\n").await;
    client.head().await.unwrap();
    settled(&sent).await;
    assert!(sent.load(Ordering::Relaxed) < ON_THE_WAY, "{} bytes are held", sent.load(Ordering::Relaxed));
    for i in 0..MANY {
        assert_eq!(client.bytes(PIECE).await, vec![u8::try_from(i % 251).unwrap(); PIECE], "piece {i}");
    }
}

#[tokio::test]
async fn a_slow_backend_slows_the_client() {
    let (go, gone) = tokio::sync::watch::channel(false);
    let backend = Backend::scripted(move |mut wire| {
        let mut gone = gone.clone();
        async move {
            wire.head().await.unwrap();
            gone.wait_for(|is| *is).await.unwrap();
            for _ in 0..MANY {
                wire.bytes(PIECE).await;
            }
            wire.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
        }
    })
    .await;
    let proxy = TestProxy::before(backend.address).await;
    let mut client = proxy.client().await;
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let sending = tokio::spawn(async move {
        client.send(format!("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: {}\r\n\r\n", PIECE * MANY)).await;
        for _ in 0..MANY {
            client.send(vec![b'x'; PIECE]).await;
            counter.fetch_add(PIECE, Ordering::Relaxed);
        }
        client.message().await
    });
    settled(&sent).await;
    assert!(sent.load(Ordering::Relaxed) < ON_THE_WAY, "{} bytes are held", sent.load(Ordering::Relaxed));
    go.send(true).unwrap();
    assert_eq!(within("the answer", sending).await.unwrap().text(), "ok");
}

/// Waits until a counter stands still.
async fn settled(counter: &AtomicUsize) {
    eventually("the sender to stop", || async {
        let before = counter.load(Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(100)).await;
        before > 0 && counter.load(Ordering::Relaxed) == before
    })
    .await;
}

#[tokio::test]
async fn bytes_that_no_rule_matches_are_not_even_read() {
    // Neither JSON nor of the announced coding, in a call without rules and in one whose media type has none.
    let bytes = "\u{1}{\"text\": not json";
    for (path, kind) in [("/other", "application/json"), ("/m", "text/plain"), ("/m", "application/grpc")] {
        let head = format!("content-type: {kind}\r\ncontent-encoding: gzip\r\netag: \"a\"\r\nrepr-digest: x");
        let response = format!("HTTP/1.1 200 OK\r\n{head}\r\ncontent-length: {}\r\n\r\n{bytes}", bytes.len());
        let backend = Backend::answering(response).await;
        let proxy = TestProxy::before(backend.address).await;
        let request = format!("GET {path} HTTP/1.1\r\nhost: h\r\napi-version: 2\r\n\r\n");
        let got = proxy.client().await.ask(&request).await;
        assert_eq!((got.status(), got.text()), (200, bytes), "{path} {kind}");
        assert_eq!(got.header("content-length"), Some(bytes.len().to_string().as_str()));
        assert_eq!((got.header("etag"), got.header("repr-digest")), (Some("\"a\""), Some("x")));
    }
}
