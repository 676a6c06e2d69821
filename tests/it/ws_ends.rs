//! How sockets end: codes and reasons travel, nothing sent before the end is lost, and no side is left hanging.

use std::time::Duration;

use futures_util::stream::SplitStream;
use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use crate::support::proxy::TestProxy;
use crate::support::socket::{self, Socket};
use crate::support::within;
use crate::ws::BOTH;

fn frame(code: u16, reason: &'static str) -> CloseFrame {
    CloseFrame { code: code.into(), reason: reason.into() }
}

#[tokio::test]
async fn a_client_closes() {
    let (told, mut heard) = tokio::sync::mpsc::channel(1);
    let backend = socket::backend("", move |mut socket: Socket| {
        let told = told.clone();
        async move {
            let mut seen = Vec::new();
            while let Some(Ok(message)) = socket.next().await {
                seen.push(message);
            }
            told.send(seen).await.unwrap();
        }
    })
    .await;
    let proxy = TestProxy::before(backend.address).await;
    for version in BOTH {
        let mut client = socket::open(&proxy, &[("api-version", version)]).await;
        client.feed("last".into()).await.unwrap();
        client.close(Some(frame(4001, "bye"))).await.unwrap();
        assert_eq!(socket::closed(&mut client).await, Some((4001, "bye".to_owned())));
        let seen = within("the backend's close", heard.recv()).await.unwrap();
        assert_eq!(seen, [Message::text("last"), Message::Close(Some(frame(4001, "bye")))], "version {version}");
        assert!(socket::next(&mut client).await.is_none(), "the connection stays open");
    }
}

#[tokio::test]
async fn a_backend_closes() {
    let cases = [Some(frame(1000, "")), Some(frame(4999, "kicked")), Some(frame(1013, "later")), None];
    for version in BOTH {
        for close in cases.clone() {
            let backend = socket::backend("", {
                let close = close.clone();
                move |mut socket: Socket| {
                    let close = close.clone();
                    async move {
                        for i in 0..100 {
                            socket.feed(format!("{i}").into()).await.unwrap();
                        }
                        socket.close(close).await.unwrap();
                        while socket.next().await.is_some() {}
                    }
                }
            })
            .await;
            let proxy = TestProxy::before(backend.address).await;
            let mut client = socket::open(&proxy, &[("api-version", version)]).await;
            for i in 0..100 {
                assert_eq!(socket::text(&mut client).await, i.to_string());
            }
            let want = close.map(|f| (f.code.into(), f.reason.to_string()));
            assert_eq!(socket::closed(&mut client).await, want, "version {version}");
        }
    }
}

#[tokio::test]
async fn a_backend_that_dies_closes_the_client() {
    let backend = socket::backend("", |mut socket: Socket| async move {
        socket.next().await;
    })
    .await;
    let proxy = TestProxy::before(backend.address).await;
    let mut client = socket::open(&proxy, &[("api-version", "2")]).await;
    socket::send(&mut client, "die").await;
    assert_eq!(socket::closed(&mut client).await, Some((1011, "the backend is gone".to_owned())));
    // A tunnel knows no frames: the connection ends.
    let mut client = socket::open(&proxy, &[("api-version", "1")]).await;
    socket::send(&mut client, "die").await;
    assert!(!matches!(socket::next(&mut client).await, Some(Ok(_))));
}

#[tokio::test]
async fn a_client_that_dies_closes_the_backend() {
    let (told, mut heard) = tokio::sync::mpsc::channel(1);
    let backend = socket::backend("", move |mut socket: Socket| {
        let told = told.clone();
        async move {
            let last = socket.next().await;
            told.send(last).await.unwrap();
        }
    })
    .await;
    let proxy = TestProxy::before(backend.address).await;
    drop(socket::open(&proxy, &[("api-version", "2")]).await);
    let last = within("the backend's end", heard.recv()).await.unwrap();
    assert_eq!(last.unwrap().unwrap(), Message::Close(Some(frame(1001, "the client is gone"))));
    drop(socket::open(&proxy, &[("api-version", "1")]).await);
    let last = within("the backend's end", heard.recv()).await.unwrap();
    assert!(!matches!(last, Some(Ok(_))), "{last:?}");
}

#[tokio::test]
async fn a_message_above_the_limit() {
    let (told, mut heard) = tokio::sync::mpsc::channel(1);
    let backend = socket::backend("", move |mut socket: Socket| {
        let told = told.clone();
        async move {
            let last = socket.next().await;
            told.send(last).await.unwrap();
        }
    })
    .await;
    let proxy = TestProxy::start(&[backend.address], |c| c.apis[0].limits.message = 1000).await;
    let mut client = socket::open(&proxy, &[("api-version", "2")]).await;
    socket::send(&mut client, "x".repeat(100_000)).await;
    assert_eq!(socket::closed(&mut client).await.map(|(code, _)| code), Some(1009));
    let last = within("the backend's end", heard.recv()).await.unwrap().unwrap().unwrap();
    assert_eq!(last, Message::Close(Some(frame(1011, "the peer broke the protocol"))));
}

#[tokio::test]
async fn a_silent_socket_is_closed_where_that_is_asked_for() {
    let backend = socket::echo().await;
    let proxy = TestProxy::start(&[backend.address], |c| {
        c.apis[0].timeouts.websocket_idle = Some(Duration::from_millis(100));
    })
    .await;
    for version in BOTH {
        let mut client = socket::open(&proxy, &[("api-version", version)]).await;
        assert_eq!(socket::closed(&mut client).await.map(|(code, _)| code), Some(1001));
    }
}

#[tokio::test]
async fn answers_to_pings_are_no_messages() {
    let backend = socket::echo().await;
    let proxy = TestProxy::start(&[backend.address], |c| {
        c.apis[0].timeouts.websocket_idle = Some(Duration::from_millis(300));
        c.apis[0].timeouts.websocket_ping = Some(Duration::from_millis(20));
    })
    .await;
    let mut client = socket::open(&proxy, &[("api-version", "2")]).await;
    assert_eq!(socket::closed(&mut client).await.map(|(code, _)| code), Some(1001));
}

#[tokio::test]
async fn draining_closes_sockets_on_which_there_is_always_a_message() {
    let backend =
        socket::backend(
            "",
            |mut socket: Socket| async move { while socket.feed("x".repeat(100).into()).await.is_ok() {} },
        )
        .await;
    let mut proxy = TestProxy::before(backend.address).await;
    let mut client = socket::open(&proxy, &[("api-version", "2")]).await;
    assert_eq!(socket::text(&mut client).await, "x".repeat(100));
    proxy.drain();
    let end = loop {
        if let Message::Close(frame) = within("a close", socket::next(&mut client)).await.unwrap().unwrap() {
            break frame;
        }
    };
    assert_eq!(end.map(|frame| u16::from(frame.code)), Some(1001));
}

#[tokio::test]
async fn draining_closes_sockets() {
    for version in BOTH {
        draining_closes(version).await;
    }
}

async fn draining_closes(version: &str) {
    let backend = socket::echo().await;
    let mut proxy = TestProxy::before(backend.address).await;
    let mut client = socket::open(&proxy, &[("api-version", version)]).await;
    socket::send(&mut client, "hello").await;
    assert_eq!(socket::text(&mut client).await, "hello");
    proxy.drain();
    assert_eq!(socket::closed(&mut client).await.map(|(code, _)| code), Some(1001));
    // Reading on is what sends the client's own close.
    assert!(socket::next(&mut client).await.is_none_or(|end| end.is_err()));
    drop(client);
    proxy.ended().await;
}

#[tokio::test]
async fn a_slow_reader_slows_its_sender() {
    let (told, mut heard) = tokio::sync::watch::channel(0_usize);
    let backend = socket::backend("", move |mut socket: Socket| {
        let told = told.clone();
        async move {
            let message = "x".repeat(64 * 1024);
            while socket.send(message.clone().into()).await.is_ok() {
                told.send_modify(|sent| *sent += 1);
            }
        }
    })
    .await;
    let proxy = TestProxy::before(backend.address).await;
    let mut client = socket::open(&proxy, &[("api-version", "2")]).await;
    // The sender stops by itself: kernel buffers and one message on the way are all there is room for.
    let mut sent = 0;
    while tokio::time::timeout(Duration::from_millis(300), heard.changed()).await.is_ok() {
        sent = *heard.borrow();
        assert!(sent < 2000, "{sent} messages of 64 KiB are held somewhere");
    }
    for _ in 0..sent {
        assert_eq!(socket::text(&mut client).await.len(), 64 * 1024);
    }
}

/// Sends much without waiting for anyone to read it, and reads meanwhile.
async fn flooding(proxy: &TestProxy, messages: usize) -> SplitStream<Socket> {
    let (mut to, from) = socket::open(proxy, &[("api-version", "2")]).await.split();
    tokio::spawn(async move {
        for _ in 0..messages {
            if to.send("x".repeat(64 * 1024).into()).await.is_err() {
                return;
            }
        }
    });
    from
}

#[tokio::test]
async fn who_cannot_be_heard_is_not_gone() {
    const MESSAGES: usize = 400;
    let (go, told) = tokio::sync::watch::channel(false);
    let backend = socket::backend("", move |socket: Socket| {
        let mut told = told.clone();
        async move {
            let (mut to, mut from) = socket.split();
            // It lives, but does not read.
            while !*told.borrow() {
                to.send("busy".into()).await.unwrap();
                let _ = tokio::time::timeout(Duration::from_millis(10), told.changed()).await;
            }
            let mut seen = 0;
            while seen < MESSAGES {
                seen += usize::from(from.next().await.unwrap().unwrap().is_text());
            }
            to.send("all".into()).await.unwrap();
        }
    })
    .await;
    let proxy = TestProxy::start(&[backend.address], |c| {
        c.apis[0].timeouts.websocket_ping = Some(Duration::from_millis(300));
    })
    .await;
    let mut client = flooding(&proxy, MESSAGES).await;
    // The answer to the first ping is behind messages that have no room.
    let mut pings = 0;
    loop {
        match within("the end", client.next()).await.unwrap().unwrap() {
            Message::Ping(_) => pings += 1,
            Message::Text(text) if text == "busy" => {}
            other => break assert_eq!(other, "all".into()),
        }
        if pings == 2 {
            go.send_replace(true);
        }
    }
}

#[tokio::test]
async fn a_backend_that_takes_nothing_is_gone() {
    let backend = socket::backend("", |socket: Socket| async move {
        std::future::pending::<()>().await;
        drop(socket);
    })
    .await;
    let proxy = TestProxy::start(&[backend.address], |c| {
        c.apis[0].timeouts.websocket_ping = Some(Duration::from_millis(20));
    })
    .await;
    let mut client = flooding(&proxy, 400).await;
    let end = loop {
        match within("a close", client.next()).await.unwrap().unwrap() {
            Message::Ping(_) => {}
            other => break other,
        }
    };
    assert_eq!(end, Message::Close(Some(frame(1011, "the backend is gone"))));
    // The connection ends before the time that both sides have for their closes.
    let end = tokio::time::timeout(Duration::from_secs(4), client.next()).await;
    assert!(matches!(end, Ok(None)), "{end:?}");
}

#[tokio::test]
async fn an_open_socket_takes_the_place_of_a_connection() {
    let backend = socket::echo().await;
    let proxy = TestProxy::start(&[backend.address], |c| c.listen[0].limits.connections = 1).await;
    for version in BOTH {
        let mut first = socket::open(&proxy, &[("api-version", version)]).await;
        let waiting = socket::open(&proxy, &[]);
        tokio::pin!(waiting);
        tokio::select! {
            _ = &mut waiting => panic!("two sockets are open where one may be"),
            () = async {
                socket::send(&mut first, "hello").await;
                assert_eq!(socket::text(&mut first).await, "hello");
            } => {}
        }
        drop(first);
        waiting.await;
    }
}
