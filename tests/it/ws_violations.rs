//! What RFC 6455 does not allow, on either side of a translated socket: the side that did it is told so, and the other
//! hears that its peer broke the protocol.

use std::time::Duration;

use tokio::net::TcpSocket;
use tokio::sync::mpsc;

use crate::support::backend::Backend;
use crate::support::frame::frame;
use crate::support::frames::{CLOSE, PING, Peer, TEXT};
use crate::support::proxy::TestProxy;
use crate::support::wire::Wire;
use crate::support::within;

const V2: &str = "api-version: 2\r\n";
const MASK: Option<[u8; 4]> = Some([5, 6, 7, 8]);
const BROKEN: (u16, &str) = (1011, "the peer broke the protocol");

/// Frames in a row: first bytes and payloads.
type Frames = Vec<(u8, Vec<u8>)>;

/// What is sent, and the code and reason that answer it.
fn violations() -> Vec<(&'static str, Frames, u16, &'static str)> {
    let close = |code: u16, reason: &[u8]| vec![(CLOSE, [&code.to_be_bytes(), reason].concat())];
    let frame = |first: u8, payload: &[u8]| vec![(first, payload.to_vec())];
    let (protocol, text) = ("the frame is not valid", "the message is not UTF-8");
    let mut all = vec![
        ("a ping above 125 bytes", frame(PING, &[0; 126]), 1002, protocol),
        ("a close above 125 bytes", frame(CLOSE, &[&[0x03, 0xe8][..], &[b'x'; 130]].concat()), 1002, protocol),
        ("a ping in fragments", frame(0x09, b"a"), 1002, protocol),
        ("RSV1", frame(0xc1, b"a"), 1002, protocol),
        ("RSV2", frame(0xa1, b"a"), 1002, protocol),
        ("RSV3", frame(0x91, b"a"), 1002, protocol),
        ("RSV1 on a ping", frame(0xc9, b""), 1002, protocol),
        ("the end of no message", frame(0x80, b"a"), 1002, protocol),
        ("the middle of no message", frame(0x00, b"a"), 1002, protocol),
        ("a message in a message", [frame(0x01, b"a"), frame(0x81, b"b")].concat(), 1002, protocol),
        ("a close of one byte", frame(CLOSE, &[3]), 1002, protocol),
        ("a reason that is not UTF-8", close(1000, b"caf\xe9"), 1007, text),
        ("text that is not UTF-8", frame(TEXT, b"caf\xe9"), 1007, text),
        ("text that ends in a character", frame(TEXT, b"\xe2\x98"), 1007, text),
        ("fragments that are not UTF-8", [frame(0x01, b"\xe2"), frame(0x80, b"\x98")].concat(), 1007, text),
        ("a surrogate", frame(TEXT, b"\xed\xa0\x80"), 1007, text),
    ];
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        all.push(("an opcode that means nothing", frame(0x80 | opcode, b""), 1002, protocol));
    }
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] {
        all.push(("a code that may not be sent", close(code, b""), 1002, "Protocol violation"));
    }
    all
}

/// What a backend is to send, and with which mask.
type Order = (Frames, Option<[u8; 4]>);

/// A backend that does what it is told for each connection, a proxy before it, and how the backend is closed.
async fn told() -> (Backend, TestProxy, mpsc::Sender<Order>, mpsc::Receiver<(u16, String)>) {
    let (tell, orders) = mpsc::channel::<Order>(1);
    let orders = std::sync::Arc::new(tokio::sync::Mutex::new(orders));
    let (told, heard) = mpsc::channel(1);
    let backend = Peer::backend("", move |mut peer: Peer, _| {
        let (orders, told) = (orders.clone(), told.clone());
        async move {
            if let Some((frames, mask)) = orders.lock().await.recv().await {
                for (first, payload) in frames {
                    let _ = peer.wire.try_send(frame(first, &payload, mask)).await;
                }
            }
            told.send(peer.closed().await).await.unwrap();
        }
    })
    .await;
    let proxy = TestProxy::before(backend.address).await;
    (backend, proxy, tell, heard)
}

#[tokio::test]
async fn what_a_client_may_not_send() {
    let (_backend, proxy, tell, mut heard) = told().await;
    let none = || (Frames::new(), None);
    for (what, frames, code, reason) in violations() {
        tell.send(none()).await.unwrap();
        let (mut client, _) = Peer::open(&proxy, V2).await;
        for (first, payload) in frames {
            client.frame(first, &payload).await;
        }
        assert_eq!(client.closed().await, (code, reason.to_owned()), "{what}");
        assert_eq!(within("a close", heard.recv()).await.unwrap(), (BROKEN.0, BROKEN.1.to_owned()), "{what}");
        assert!(client.wire.is_closed().await, "{what}: the connection stays open");
    }
    // Frames that are not masked.
    tell.send(none()).await.unwrap();
    let (mut client, _) = Peer::open(&proxy, V2).await;
    let _ = client.wire.try_send(frame(TEXT, b"bare", None)).await;
    assert_eq!(client.closed().await, (1002, "the frame is not valid".to_owned()));
    assert_eq!(within("a close", heard.recv()).await.unwrap().0, 1011);
}

#[tokio::test]
async fn what_a_backend_may_not_send() {
    let (_backend, proxy, tell, mut heard) = told().await;
    for (what, frames, code, reason) in violations() {
        tell.send((frames, None)).await.unwrap();
        let (mut client, _) = Peer::open(&proxy, V2).await;
        assert_eq!(client.closed().await, (BROKEN.0, BROKEN.1.to_owned()), "{what}");
        assert_eq!(within("a close", heard.recv()).await.unwrap(), (code, reason.to_owned()), "{what}");
    }
    // Frames that are masked.
    tell.send((vec![(TEXT, b"masked".to_vec())], MASK)).await.unwrap();
    let (mut client, _) = Peer::open(&proxy, V2).await;
    assert_eq!(client.closed().await.0, 1011);
    assert_eq!(within("a close", heard.recv()).await.unwrap(), (1002, "the frame is not valid".to_owned()));
}

#[tokio::test]
async fn codes_and_reasons_that_may_be_sent_travel() {
    let (_backend, proxy, tell, mut heard) = told().await;
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000, 4999] {
        let reason = "why \u{2603}".repeat(15);
        let payload = [&u16::to_be_bytes(code)[..], reason.as_bytes()].concat();
        tell.send((Vec::new(), None)).await.unwrap();
        let (mut client, _) = Peer::open(&proxy, V2).await;
        client.frame(CLOSE, &payload).await;
        assert_eq!(client.closed().await, (code, reason.clone()));
        assert_eq!(within("a close", heard.recv()).await.unwrap(), (code, reason.clone()));

        tell.send((vec![(CLOSE, payload)], None)).await.unwrap();
        let (mut client, _) = Peer::open(&proxy, V2).await;
        assert_eq!(client.closed().await, (code, reason.clone()));
        assert_eq!(within("a close", heard.recv()).await.unwrap(), (code, reason));
    }
}

#[tokio::test]
async fn nothing_travels_behind_a_close() {
    let (told, mut heard) = mpsc::channel(1);
    let backend = Peer::backend("", move |mut peer: Peer, _| {
        let told = told.clone();
        async move {
            let first = peer.next().await;
            peer.frame(CLOSE, &first.1).await;
            let ends = peer.wire.is_closed().await;
            told.send((first, ends)).await.unwrap();
        }
    })
    .await;
    let proxy = TestProxy::before(backend.address).await;
    let (mut client, _) = Peer::open(&proxy, V2).await;
    let close = frame(CLOSE, &1000_u16.to_be_bytes(), MASK);
    let late = frame(TEXT, b"late", MASK);
    client.wire.send([close, late].concat()).await;
    assert_eq!(client.closed().await.0, 1000);
    let (first, ends) = within("the backend's end", heard.recv()).await.unwrap();
    assert_eq!((first, ends), ((CLOSE, vec![0x03, 0xe8]), true));
}

#[tokio::test]
async fn large_messages_travel_in_frames_that_are_not() {
    let (told, mut heard) = mpsc::channel(1);
    let backend = Peer::backend("", move |mut peer: Peer, _| {
        let told = told.clone();
        async move {
            let mut frames = Vec::new();
            while frames.last().is_none_or(|(first, _)| first & 0x80 == 0) {
                frames.push(peer.next().await);
            }
            let whole = frames.iter().flat_map(|(_, payload)| payload.clone()).collect::<Vec<_>>();
            told.send(frames).await.unwrap();
            peer.frame(TEXT, &whole).await;
            peer.next().await;
        }
    })
    .await;
    let proxy = TestProxy::before(backend.address).await;
    let (mut client, _) = Peer::open(&proxy, V2).await;
    let text = "snow\u{2603} ".repeat(25_000);
    client.frame(TEXT, text.as_bytes()).await;
    let frames = within("the message", heard.recv()).await.unwrap();
    let kinds: Vec<_> = frames.iter().map(|(first, payload)| (*first, payload.len())).collect();
    assert_eq!(kinds, [(0x01, 65_536), (0x00, 65_536), (0x00, 65_536), (0x80, 3392)]);
    let mut back = Vec::new();
    for _ in 0..4 {
        back.extend(client.next().await.1);
    }
    assert_eq!(String::from_utf8(back).unwrap(), text);
}

#[tokio::test]
async fn a_frame_above_the_limit_is_refused_by_its_header() {
    let (_backend, proxy, tell, mut heard) = told().await;
    for length in [(16_u64 << 20) + 1, u64::MAX] {
        tell.send((Vec::new(), None)).await.unwrap();
        let (mut client, _) = Peer::open(&proxy, V2).await;
        client.wire.send([&[TEXT, 0xff][..], &length.to_be_bytes(), &[0; 4]].concat()).await;
        assert_eq!(client.closed().await, (1009, "the message is too large".to_owned()));
        assert_eq!(within("a close", heard.recv()).await.unwrap().0, 1011);
    }
}

#[tokio::test]
async fn a_side_that_answers_no_ping_is_gone() {
    let (told, mut heard) = mpsc::channel(1);
    let backend = Peer::backend("", move |mut peer: Peer, _| {
        let told = told.clone();
        async move {
            loop {
                match peer.next().await {
                    (PING, payload) => peer.frame(0x8a, &payload).await,
                    (CLOSE, payload) => break told.send(payload).await.unwrap(),
                    _ => {}
                }
            }
        }
    })
    .await;
    let silence = Some(Duration::from_secs(1));
    let proxy = TestProxy::start(&[backend.address], |c| c.apis[0].timeouts.websocket_ping = silence).await;
    let (client, _) = Peer::open(&proxy, V2).await;
    let close = within("the backend's close", heard.recv()).await.unwrap();
    assert_eq!(close, [&[0x03, 0xe9][..], b"the client is gone"].concat());
    drop(client);

    let backend = Peer::backend("", |peer: Peer, _| async move {
        std::future::pending::<()>().await;
        drop(peer);
    })
    .await;
    let proxy = TestProxy::start(&[backend.address], |c| c.apis[0].timeouts.websocket_ping = silence).await;
    let (mut client, _) = Peer::open(&proxy, V2).await;
    loop {
        match client.next().await {
            (PING, payload) => client.frame(0x8a, &payload).await,
            (CLOSE, payload) => break assert_eq!(payload, [&[0x03, 0xf3][..], b"the backend is gone"].concat()),
            other => panic!("expected a ping or a close, found {other:?}"),
        }
    }
}

/// The answers wait in the proxy up to a bound; a message that finds no room behind them ends the socket.
#[tokio::test]
async fn a_client_that_pings_and_does_not_read() {
    let (go, flooded) = mpsc::channel::<()>(1);
    let flooded = std::sync::Arc::new(tokio::sync::Mutex::new(flooded));
    let (told, mut heard) = mpsc::channel(1);
    let backend = Peer::backend("", move |mut peer: Peer, _| {
        let (flooded, told) = (flooded.clone(), told.clone());
        async move {
            // The client says when it has sent all its pings, in the order of its messages.
            peer.next().await;
            flooded.lock().await.recv().await;
            for _ in 0..2 {
                peer.frame(TEXT, &vec![b'x'; 65_000]).await;
            }
            told.send(peer.closed().await).await.unwrap();
        }
    })
    .await;
    let proxy = TestProxy::before(backend.address).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut wire = Wire::new(socket.connect(proxy.address).await.unwrap());
    wire.send(
        "GET /ws HTTP/1.1\r\nhost: h\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\napi-version: 2\r\n\r\n",
    )
    .await;
    wire.head().await.unwrap();
    let pings = frame(PING, &[0; 125], MASK).repeat(1000);
    for _ in 0..80 {
        wire.send(&pings).await;
    }
    wire.send(frame(TEXT, b"done", MASK)).await;
    go.send(()).await.unwrap();
    let close = within("the backend's close", heard.recv()).await.unwrap();
    assert_eq!(close, (1001, "the client is gone".to_owned()));
}
