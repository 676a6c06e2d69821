//! The legacy chat service of `legato demo`, on the wire.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use legato_proxy::demo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::{WebSocketStream, client_async};

type Socket = WebSocketStream<TcpStream>;

/// Starts a service that ends with the test's runtime.
async fn start() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound address");
    tokio::spawn(demo::serve(listener));
    address
}

/// Sends bytes and reads until the server closes.
async fn exchange(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    stream.write_all(request).await.expect("it reads");
    let mut response = String::new();
    stream.read_to_string(&mut response).await.expect("it answers");
    response
}

/// One request with a body; the status code and the body of the answer.
async fn call(address: SocketAddr, request_line: &str, body: &str) -> (String, String) {
    let length = body.len();
    let request =
        format!("{request_line} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
    let response = exchange(address, request.as_bytes()).await;
    let (head, body) = response.split_once("\r\n\r\n").expect("a whole head");
    (head[9..12].to_owned(), body.to_owned())
}

/// A socket that has seen its own `join`.
async fn enter(address: SocketAddr, user: &str) -> Socket {
    let stream = TcpStream::connect(address).await.expect("it listens");
    let handshake = client_async(format!("ws://{address}/ws?user={user}"), stream).await;
    let (mut socket, _) = handshake.expect("it accepts the handshake");
    assert_eq!(event(&mut socket).await, format!(r#"{{"type":"join","user":"{user}"}}"#));
    socket
}

async fn event(socket: &mut Socket) -> String {
    let message = socket.next().await.expect("the socket is open").expect("a message");
    message.into_text().expect("a text message").to_string()
}

async fn send(socket: &mut Socket, text: &str) {
    socket.send(Message::text(text)).await.expect("the socket is open");
}

#[tokio::test]
async fn numbers_and_escapes_leave_as_they_are_stored() {
    let (status, body) = call(start().await, "GET /api/messages", "").await;
    assert_eq!(status, "200");
    for lexeme in [r#""id":9007199254740993,"#, r"caf\u00e9", "🎼", r#""rating":1.0"#, r#""tags":[]"#] {
        assert!(body.contains(lexeme), "{lexeme} is missing in {body}");
    }
}

#[tokio::test]
async fn errors_are_those_of_version_1() {
    let address = start().await;
    let too_large = "x".repeat(64 * 1024 + 1);
    let cases = [
        ("GET /api/messages/7", "", "404", r#"{"error":"no such message","code":404}"#),
        ("DELETE /api/messages", "", "405", r#"{"error":"method not allowed","code":405}"#),
        ("POST /api/messages", "{", "400", r#"{"error":"malformed JSON","code":400}"#),
        ("POST /api/messages", &too_large, "413", r#"{"error":"body too large","code":413}"#),
        ("GET /ws", "", "426", r#"{"error":"this is a WebSocket","code":426}"#),
    ];
    for (request_line, body, status, answer) in cases {
        let found = call(address, request_line, body).await;
        assert_eq!(found, (status.to_owned(), answer.to_owned()), "{request_line}");
    }
}

#[tokio::test]
async fn head_has_the_length_and_no_body() {
    let response = exchange(start().await, b"HEAD /api/users/1 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(response.contains("content-length: 62\r\n"), "{response}");
    assert!(response.ends_with("\r\n\r\n"), "{response}");
}

#[tokio::test]
async fn sockets_share_a_room_with_posts() {
    let address = start().await;
    let mut ada = enter(address, "ada").await;
    let mut grace = enter(address, "grace").await;
    assert_eq!(event(&mut ada).await, r#"{"type":"join","user":"grace"}"#);

    send(&mut grace, r#"{"type":"say","text":"hi"}"#).await;
    for socket in [&mut ada, &mut grace] {
        let said = event(socket).await;
        assert!(said.starts_with(r#"{"type":"msg","id":9007199254740996,"text":"hi","user":"grace","ts":"#), "{said}");
    }
    let (status, _) = call(address, "POST /api/messages", r#"{"text":"posted","user":"alan"}"#).await;
    assert_eq!(status, "201");
    assert!(event(&mut ada).await.contains(r#""text":"posted""#));

    send(&mut ada, r#"{"type":"dance"}"#).await;
    assert_eq!(event(&mut ada).await, r#"{"type":"error","error":"unknown event"}"#);
}

#[tokio::test]
async fn closes_carry_their_code_and_reason_both_ways() {
    let address = start().await;
    let mut ada = enter(address, "ada").await;
    let mut grace = enter(address, "grace").await;
    event(&mut ada).await;

    let lunch = CloseFrame { code: CloseCode::Library(4001), reason: "lunch".into() };
    grace.close(Some(lunch.clone())).await.expect("the socket is open");
    assert_eq!(event(&mut ada).await, r#"{"type":"leave","user":"grace","code":4001,"reason":"lunch"}"#);
    assert_eq!(grace.next().await.expect("an answer").expect("a close"), Message::Close(Some(lunch)));

    send(&mut ada, r#"{"type":"quit"}"#).await;
    let bye = CloseFrame { code: CloseCode::Library(4000), reason: "bye".into() };
    assert_eq!(ada.next().await.expect("a message").expect("a close"), Message::Close(Some(bye)));
}

#[tokio::test]
async fn the_known_subprotocol_is_answered() {
    let address = start().await;
    for (offered, answered) in [("x, chat", Some("chat")), ("x", None), ("", None)] {
        // A client of tungstenite refuses an answer without a subprotocol where it offered some.
        let offers = if offered.is_empty() { String::new() } else { format!("sec-websocket-protocol: {offered}\r\n") };
        let request = format!(
            "GET /ws HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n{offers}\r\n"
        );
        let head = handshake(address, &request).await;
        let found = head.lines().find_map(|line| line.strip_prefix("sec-websocket-protocol: "));
        assert_eq!(found, answered, "{head}");
    }
}

/// Sends a handshake and reads the head of the answer.
async fn handshake(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    stream.write_all(request.as_bytes()).await.expect("it reads");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("a whole head"));
    }
    String::from_utf8(head).expect("ASCII")
}

#[tokio::test]
async fn socketio_is_in_the_same_room() {
    let address = start().await;
    let mut ada = enter(address, "ada").await;
    let stream = TcpStream::connect(address).await.expect("it listens");
    let url = format!("ws://{address}/socket.io/?EIO=3&transport=websocket&user=grace");
    let (mut grace, _) = client_async(url, stream).await.expect("it accepts the handshake");
    assert!(event(&mut grace).await.starts_with(r#"0{"sid":""#));
    assert_eq!(event(&mut grace).await, "40");
    assert_eq!(event(&mut grace).await, r#"42["join",{"user":"grace"}]"#);
    assert_eq!(event(&mut ada).await, r#"{"type":"join","user":"grace"}"#);

    send(&mut grace, r#"427["say",{"text":"hi"}]"#).await;
    let said = event(&mut ada).await;
    assert!(said.starts_with(r#"{"type":"msg","id":9007199254740996,"text":"hi","user":"grace","ts":"#), "{said}");
    // The acknowledgement and the event may come in either order.
    let mut heard = [event(&mut grace).await, event(&mut grace).await];
    heard.sort();
    assert!(heard[0].starts_with(r#"42["msg",{"id":9007199254740996,"text":"hi","user":"grace","ts":"#), "{heard:?}");
    assert_eq!(heard[1], r#"437[{"ok":true}]"#);

    send(&mut grace, r#"428["dance"]"#).await;
    assert_eq!(event(&mut grace).await, r#"438[{"error":"unknown event"}]"#);
    send(&mut grace, "2").await;
    assert_eq!(event(&mut grace).await, "3");
    send(&mut grace, "40/nowhere,").await;
    assert_eq!(event(&mut grace).await, r#"44/nowhere,"Invalid namespace""#);
    send(&mut grace, r#"42["quit"]"#).await;
    assert_eq!(event(&mut grace).await, "41");
    assert_eq!(event(&mut ada).await, r#"{"type":"leave","user":"grace"}"#);

    let (status, body) = call(address, "GET /socket.io/?EIO=3&transport=polling", "").await;
    assert_eq!((status.as_str(), body.as_str()), ("400", r#"{"code":0,"message":"Transport unknown"}"#));
}
