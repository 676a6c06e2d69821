//! Sockets with `permessage-deflate`, which each leg has for itself.

use tokio::sync::mpsc;

use crate::support::frames::{CLOSE, PACKED, PING, PONG, Peer, TEXT};
use crate::support::proxy::TestProxy;
use crate::support::wire::Message;
use crate::support::within;

const OFFER: &str = "api-version: 2\r\nsec-websocket-extensions: permessage-deflate; client_max_window_bits\r\n";
const AGREED: &str = "sec-websocket-extensions: permessage-deflate\r\n";
const EXTENSIONS: &str = "sec-websocket-extensions";

/// What a backend is asked for when the socket is opened.
fn asked(request: &Message) -> String {
    request.header(EXTENSIONS).unwrap_or_default().to_owned()
}

#[tokio::test]
async fn messages_are_translated_between_compressed_legs() {
    let (told, mut heard) = mpsc::channel(10);
    let backend = Peer::backend(AGREED, move |mut peer: Peer, request| {
        let told = told.clone();
        async move {
            told.send((asked(&request), 0)).await.unwrap();
            for _ in 0..2 {
                told.send(peer.text_packed().await).await.unwrap();
                peer.send_packed(r#"{"type":"msg","text":"hello there","state":"on"}"#).await;
            }
            peer.next().await;
        }
    })
    .await;
    let proxy = TestProxy::before(backend.address).await;
    let (mut client, answer) = Peer::open(&proxy, OFFER).await;
    assert_eq!(answer.status(), 101);
    assert_eq!(answer.header(EXTENSIONS), Some("permessage-deflate"));
    let offer = within("the offer", heard.recv()).await.unwrap().0;
    assert_eq!(offer, "permessage-deflate; client_max_window_bits");
    let (mut up, mut down) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        client.send_packed(r#"{"type":"message.send","body":"hello there, backend"}"#).await;
        let (text, length) = within("the backend's message", heard.recv()).await.unwrap();
        assert_eq!(text, r#"{"type":"say","text":"hello there, backend"}"#);
        up.push(length);
        let (text, length) = client.text_packed().await;
        assert_eq!(text, r#"{"type":"message","body":"hello there","state":"online"}"#);
        down.push(length);
    }
    // The second refers to the first.
    for lengths in [up, down] {
        assert!(lengths[1] * 2 < lengths[0], "{lengths:?}");
    }
}

#[tokio::test]
async fn a_large_message_is_compressed_as_one() {
    let (told, mut heard) = mpsc::channel(1);
    let backend = Peer::backend(AGREED, move |mut peer: Peer, _| {
        let told = told.clone();
        async move {
            told.send(peer.text_packed().await.0).await.unwrap();
            peer.next().await;
        }
    })
    .await;
    let proxy = TestProxy::before(backend.address).await;
    let (mut client, _) = Peer::open(&proxy, OFFER).await;
    let text = "hello there ".repeat(10_000);
    client.send_packed(&format!(r#"{{"type":"message.send","body":"{text}"}}"#)).await;
    let found = within("the backend's message", heard.recv()).await.unwrap();
    assert!(found == format!(r#"{{"type":"say","text":"{text}"}}"#));
}

#[tokio::test]
async fn without_memory_for_contexts_there_are_none() {
    const ALONE: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    let lines = "sec-websocket-extensions: permessage-deflate; server_no_context_takeover\r\n";
    let (told, mut heard) = mpsc::channel(10);
    let backend = Peer::backend(lines, move |mut peer: Peer, request| {
        let told = told.clone();
        async move {
            told.send(asked(&request)).await.unwrap();
            while let (TEXT | PACKED, payload) = peer.next().await {
                peer.frame(TEXT, format!("{}", payload.len()).repeat(50).as_bytes()).await;
            }
        }
    })
    .await;
    let proxy = TestProxy::start(&[backend.address], |c| c.apis[0].limits.contexts = 0).await;
    let (mut client, answer) = Peer::open(&proxy, OFFER).await;
    assert_eq!(answer.header(EXTENSIONS), Some(ALONE));
    let offer = within("the offer", heard.recv()).await.unwrap();
    assert_eq!(offer, format!("{ALONE}; client_max_window_bits"));
    let text = "the same words again and again, ".repeat(10);
    let mut payloads = Vec::new();
    for _ in 0..3 {
        client.frame(TEXT, text.as_bytes()).await;
        let (first, payload) = client.next().await;
        assert_eq!(first, PACKED);
        payloads.push(payload);
    }
    assert_eq!(payloads[0], payloads[1]);
    assert_eq!(payloads[0], payloads[2]);
}

#[tokio::test]
async fn memory_for_contexts_is_given_back() {
    let backend = Peer::backend(AGREED, |mut peer: Peer, _| async move { drop(peer.next().await) }).await;
    // Room for the contexts of one socket.
    let proxy = TestProxy::start(&[backend.address], |c| c.apis[0].limits.contexts = 850_000).await;
    for _ in 0..3 {
        // A socket may end a moment after its client has seen the end.
        let mut client = within("memory for contexts", async {
            loop {
                let (client, answer) = Peer::open(&proxy, OFFER).await;
                if answer.header(EXTENSIONS) == Some("permessage-deflate") {
                    return client;
                }
            }
        })
        .await;
        let (_second, answer) = Peer::open(&proxy, OFFER).await;
        // The backend would have to do without as well, but does not.
        assert_eq!(answer.status(), 502);
        client.frame(CLOSE, &1000_u16.to_be_bytes()).await;
        client.next().await;
        assert!(client.wire.is_closed().await);
    }
}

#[tokio::test]
async fn each_leg_has_its_own() {
    let backend = Peer::backend("", |mut peer: Peer, request| async move {
        while let (TEXT, payload) = peer.next().await {
            peer.frame(TEXT, &[asked(&request).as_bytes(), &payload].concat()).await;
        }
    })
    .await;
    let proxy = TestProxy::before(backend.address).await;
    // A backend that declines.
    let (mut client, _) = Peer::open(&proxy, OFFER).await;
    client.send_packed("packed").await;
    assert_eq!(client.text_packed().await.0, "permessage-deflate; client_max_window_bitspacked");
    // A client that offers nothing, or what nobody can accept.
    for offer in ["", "sec-websocket-extensions: permessage-deflate; server_max_window_bits=99\r\n"] {
        let (mut client, answer) = Peer::open(&proxy, &format!("api-version: 2\r\n{offer}")).await;
        assert_eq!(answer.header(EXTENSIONS), None);
        client.frame(TEXT, b"plain").await;
        assert_eq!(client.next().await, (TEXT, b"plain".to_vec()));
    }
}

#[tokio::test]
async fn a_backend_that_agrees_on_something_else() {
    for lines in [
        "sec-websocket-extensions: x-other\r\n",
        "sec-websocket-extensions: permessage-deflate; client_max_window_bits\r\n",
        "sec-websocket-extensions: permessage-deflate; server_max_window_bits=99\r\n",
    ] {
        let backend = Peer::backend(lines, |mut peer: Peer, _| async move { drop(peer.next().await) }).await;
        let proxy = TestProxy::before(backend.address).await;
        let (_, answer) = Peer::open(&proxy, OFFER).await;
        assert_eq!(answer.status(), 502, "{lines}");
    }
}

#[tokio::test]
async fn fragments_and_pings_between_them() {
    let backend = Peer::backend("", |mut peer: Peer, _| async move {
        let (first, payload) = peer.next().await;
        peer.frame(first, &payload).await;
        peer.next().await;
    })
    .await;
    let proxy = TestProxy::before(backend.address).await;
    let (mut client, _) = Peer::open(&proxy, OFFER).await;
    let text = "snow\u{2603} and more snow\u{2603} ".repeat(2500);
    let packed = client.pack(text.as_bytes());
    let pieces: Vec<&[u8]> = packed.chunks(packed.len() / 3).collect();
    client.frame(0x41, pieces[0]).await;
    for piece in &pieces[1..] {
        client.frame(PING, b"still there?").await;
        assert_eq!(client.next().await, (PONG, b"still there?".to_vec()));
        client.frame(0x00, piece).await;
    }
    client.frame(0x80, b"").await;
    assert_eq!(client.text_packed().await.0, text);
}

/// A payload of a frame.
type Make<'a> = &'a dyn Fn(&mut Peer) -> Vec<u8>;

/// What a client does, and how it is closed for that.
#[tokio::test]
async fn what_is_wrong_with_compressed_frames() {
    let (told, mut heard) = mpsc::channel(1);
    let backend = Peer::backend("", move |mut peer: Peer, _| {
        let told = told.clone();
        async move {
            told.send(peer.closed().await).await.unwrap();
            peer.next().await;
        }
    })
    .await;
    let proxy = TestProxy::start(&[backend.address], |c| c.apis[0].limits.message = 1 << 20).await;
    let bomb = |client: &mut Peer| client.pack(&vec![b' '; 50 << 20]);
    let hello = |client: &mut Peer| client.pack(b"hello");
    let cases: [(u8, Make<'_>, u16, &str); 5] = [
        (PACKED, &bomb, 1009, "the message is too large"),
        (PACKED, &|_| vec![0x07, 0xff, 0xff], 1007, "the compressed data is not valid"),
        (PACKED, &|client| client.pack(b"caf\xe9"), 1007, "the message is not UTF-8"),
        (0xc9, &hello, 1002, "the frame is not valid"),
        (0xe1, &hello, 1002, "the frame is not valid"),
    ];
    for (first, payload, code, reason) in cases {
        let (mut client, _) = Peer::open(&proxy, OFFER).await;
        let payload = payload(&mut client);
        client.frame(first, &payload).await;
        assert_eq!(client.closed().await, (code, reason.to_owned()));
        let other = within("the backend's close", heard.recv()).await.unwrap();
        assert_eq!(other, (1011, "the peer broke the protocol".to_owned()));
    }
    // Nothing was agreed on.
    let (mut client, _) = Peer::open(&proxy, "api-version: 2\r\n").await;
    client.send_packed("hello").await;
    assert_eq!(client.closed().await.0, 1002);
}

#[tokio::test]
async fn a_bomb_of_a_backend() {
    let backend = Peer::backend(AGREED, |mut peer: Peer, _| async move {
        let bomb = peer.pack(&vec![b' '; 50 << 20]);
        peer.frame(PACKED, &bomb).await;
        peer.next().await;
    })
    .await;
    let proxy = TestProxy::start(&[backend.address], |c| c.apis[0].limits.message = 1 << 20).await;
    let (mut client, _) = Peer::open(&proxy, OFFER).await;
    assert_eq!(client.closed().await, (1011, "the peer broke the protocol".to_owned()));
}

#[tokio::test]
async fn a_socket_without_rules_leaves_extensions_to_its_peers() {
    let backend = Peer::backend(AGREED, |mut peer: Peer, _| async move {
        let (first, payload) = peer.next().await;
        peer.frame(first, &payload).await;
    })
    .await;
    let proxy = TestProxy::before(backend.address).await;
    let (mut client, answer) = Peer::open(&proxy, &OFFER.replace("version: 2", "version: 1")).await;
    assert_eq!(answer.header(EXTENSIONS), Some("permessage-deflate"));
    let packed = client.pack(b"as it is");
    client.frame(PACKED, &packed).await;
    assert_eq!(client.next().await, (PACKED, packed));
}
