//! The backend, which sends every message back, and clients.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::Failure;
use super::contenders::Contender;

type Socket = WebSocketStream<TcpStream>;

fn config() -> WebSocketConfig {
    WebSocketConfig::default().read_buffer_size(8192).write_buffer_size(8192)
}

/// Starts the backend.
pub(crate) async fn backend() -> Result<SocketAddr, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move { drop(serve(stream).await) });
        }
    });
    Ok(address)
}

async fn serve(mut stream: TcpStream) -> Result<(), Failure> {
    stream.set_nodelay(true)?;
    let head = head(&mut stream).await?;
    let key = head.lines().find(|line| line.to_ascii_lowercase().starts_with("sec-websocket-key:"));
    let key = key.and_then(|line| line.split_once(':')).map(|(_, key)| key.trim()).ok_or("no key")?;
    let accept = derive_accept_key(key.as_bytes());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: {accept}\r\n\r\n"
    );
    tokio::io::AsyncWriteExt::write_all(&mut stream, answer.as_bytes()).await?;
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config())).await;
    while let Some(message) = next(&mut socket).await {
        socket.feed(message).await?;
    }
    Ok(())
}

async fn head(stream: &mut TcpStream) -> Result<String, Failure> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(tokio::io::AsyncReadExt::read_u8(stream).await?);
    }
    Ok(String::from_utf8(head)?)
}

/// The next message; what waits to be sent is written when there is none yet.
async fn next(socket: &mut Socket) -> Option<Message> {
    poll_fn(|cx| {
        let next = socket.poll_next_unpin(cx);
        if next.is_pending() {
            let _later = socket.poll_flush_unpin(cx);
        }
        next
    })
    .await
    .and_then(Result::ok)
    .filter(|message| !message.is_close())
}

/// A message of about 200 bytes, as clients of a version send it, and what its type is when it comes back.
fn message(version: &str, padding: usize) -> (String, &'static str) {
    let text = "the quick brown fox jumps over the lazy dog ".repeat(3) + &"x".repeat(padding);
    match version {
        "1" => (format!(r#"{{"type":"say","id":12345,"user":"ada","text":"{text}","room":7}}"#), r#""type":"say""#),
        _ => (
            format!(r#"{{"type":"message.send","id":12345,"author":"ada","body":"{text}","room":7}}"#),
            r#""type":"message.created""#,
        ),
    }
}

async fn open(contender: &Contender) -> Result<Socket, Failure> {
    let stream = TcpStream::connect(contender.address).await?;
    stream.set_nodelay(true)?;
    let url = format!("ws://{}/ws?version={}", contender.address, contender.version);
    let (socket, _) = tokio_tungstenite::client_async_with_config(url, stream, Some(config())).await?;
    Ok(socket)
}

/// Checks that a contender does what it is there for.
pub(crate) async fn check(contender: &Contender) -> Result<(), Failure> {
    let mut socket = open(contender).await?;
    let (text, kind) = message(contender.version, 0);
    socket.send(text.into()).await?;
    let got = next(&mut socket).await.ok_or("no answer")?.into_text()?;
    if got.contains(kind) { Ok(()) } else { Err(format!("{}: {got}", contender.name).into()) }
}

/// An open socket that had one round trip.
pub(crate) async fn once(contender: &Contender) -> Result<TcpStream, Failure> {
    let mut socket = open(contender).await?;
    socket.send(message(contender.version, 0).0.into()).await?;
    next(&mut socket).await.ok_or("no answer")?;
    // The proxy's memory is what counts, not this side's.
    Ok(socket.into_inner())
}

/// Sends a large message and reads it again.
pub(crate) async fn large(contender: &Contender, size: usize) -> Result<(), Failure> {
    let mut socket = open(contender).await?;
    let (text, kind) = message(contender.version, size);
    socket.send(text.into()).await?;
    let got = next(&mut socket).await.ok_or("no answer")?.into_text()?;
    if got.contains(kind) && got.len() > size { Ok(()) } else { Err("another answer".into()) }
}

/// Round trips on some sockets, with messages in flight on each.
pub(crate) async fn run(
    contender: &Contender,
    sockets: usize,
    in_flight: usize,
    length: Duration,
) -> Result<usize, Failure> {
    let mut open = Vec::new();
    for _ in 0..sockets {
        open.push(self::open(contender).await?);
    }
    let until = Instant::now() + length;
    let clients = open.into_iter().map(|socket| tokio::spawn(client(socket, contender.version, in_flight, until)));
    let clients: Vec<_> = clients.collect();
    let mut trips = 0;
    for client in clients {
        trips += client.await??;
    }
    Ok(trips)
}

async fn client(mut socket: Socket, version: &'static str, in_flight: usize, until: Instant) -> Result<usize, Failure> {
    let message = Message::from(message(version, 0).0);
    for _ in 0..in_flight {
        socket.feed(message.clone()).await?;
    }
    socket.flush().await?;
    let mut trips = 0;
    while Instant::now() < until {
        next(&mut socket).await.ok_or("the socket has ended")?;
        socket.feed(message.clone()).await?;
        trips += 1;
    }
    Ok(trips)
}
