//! A backend that costs as little as one can: it finds a request's end and answers with bytes that lie ready.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::Failure;

/// Answers by the text that a request's target ends with.
type Answers = Arc<Vec<(String, Vec<u8>)>>;

/// Starts a backend that answers `/api/messages?size=N` with that many bytes of messages, or a few more.
pub(crate) async fn start(sizes: &[usize]) -> Result<SocketAddr, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let answers: Answers = Arc::new(sizes.iter().map(|&size| (target(size), answer(size))).collect());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A connection that fails is a proxy's, which counts it as an error of its own.
            tokio::spawn(serve(stream, Arc::clone(&answers)));
        }
    });
    Ok(address)
}

/// What to ask for.
pub(crate) fn target(size: usize) -> String {
    format!("/api/messages?size={size}")
}

fn answer(size: usize) -> Vec<u8> {
    let body = messages(size);
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n");
    [head, body].concat().into_bytes()
}

/// Messages of version 1, with numbers that all contenders can read exactly and no empty list, which cjson takes for an
/// object.
pub(crate) fn messages(size: usize) -> String {
    let mut text = String::from("[");
    for id in 1_000_000_000_u64.. {
        let _infallible = write!(
            text,
            r#"{{"id":{id},"text":"A message of the usual length, more or less.","user":"ada","ts":1735689600000,"tags":["all"]}}"#
        );
        if text.len() >= size {
            break;
        }
        text.push(',');
    }
    text + "]"
}

async fn serve(mut stream: TcpStream, answers: Answers) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut request = Vec::with_capacity(4096);
    loop {
        while !request.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut request).await? == 0 {
                return Ok(());
            }
        }
        let line = request.split(|&byte| byte == b'\r').next().unwrap_or_default();
        let target = line.split(|&byte| byte == b' ').nth(1).unwrap_or_default();
        let found = answers.iter().find(|(wanted, _)| target.ends_with(wanted.as_bytes()));
        let answer = found.map_or(&b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"[..], |(_, answer)| answer);
        stream.write_all(answer).await?;
        request.clear();
    }
}
