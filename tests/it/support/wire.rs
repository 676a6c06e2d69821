//! HTTP/1.1 by hand: what is sent is exactly what the test says, what is read is not interpreted more than needed.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, ToSocketAddrs};

use super::within;

/// One end of a connection.
pub(crate) struct Wire {
    pub(crate) stream: TcpStream,
    buffer: Vec<u8>,
}

/// A message as it came.
#[derive(Debug)]
pub(crate) struct Message {
    /// The request or status line.
    pub(crate) start: String,
    /// Names in lower case, in order.
    pub(crate) headers: Vec<(String, String)>,
    /// Without its chunk sizes.
    pub(crate) body: Vec<u8>,
    /// Whether the body came to its announced end.
    pub(crate) is_complete: bool,
}

impl Message {
    pub(crate) fn status(&self) -> u16 {
        self.start.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e} in {self:?}"))
    }

    /// The code at the end of a problem's type.
    pub(crate) fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status(), "{problem}");
        problem["type"].as_str().unwrap().rsplit(':').next().unwrap().to_owned()
    }
}

impl Wire {
    pub(crate) async fn connect(address: impl ToSocketAddrs) -> Self {
        Self::new(within("connect", TcpStream::connect(address)).await.unwrap())
    }

    pub(crate) fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: Vec::new() }
    }

    /// Sends bytes as they are.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).await.unwrap();
    }

    /// Sends bytes to a peer that may have gone.
    pub(crate) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        within("send", self.stream.write_all(bytes.as_ref())).await
    }

    /// Sends a request and reads the response.
    pub(crate) async fn ask(&mut self, request: &str) -> Message {
        self.send(request).await;
        if request.starts_with("HEAD ") { self.bodiless().await } else { self.message().await }
    }

    /// Ends the connection with a reset.
    pub(crate) fn reset(self) {
        socket2::SockRef::from(&self.stream).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    }

    /// Reads more; whether there was any.
    async fn fill(&mut self) -> bool {
        let mut chunk = vec![0; 64 * 1024];
        match within("read", self.stream.read(&mut chunk)).await {
            Ok(0) | Err(_) => false,
            Ok(n) => {
                self.buffer.extend_from_slice(&chunk[..n]);
                true
            }
        }
    }

    /// Whether the peer ends the connection without another byte.
    pub(crate) async fn is_closed(&mut self) -> bool {
        self.buffer.is_empty() && !self.fill().await
    }

    /// Reads a head alone; `None` where the connection ends before.
    pub(crate) async fn try_head(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.buffer.windows(4).position(|w| w == b"\r\n\r\n") {
                return String::from_utf8(self.buffer.drain(..end + 4).collect()).ok();
            }
            if !self.fill().await {
                return None;
            }
        }
    }

    /// Reads exactly as many bytes.
    pub(crate) async fn bytes(&mut self, count: usize) -> Vec<u8> {
        while self.buffer.len() < count {
            assert!(self.fill().await, "expected {count} bytes, found {}", self.buffer.len());
        }
        self.buffer.drain(..count).collect()
    }

    /// The same; `None` where the connection ends before.
    pub(crate) async fn try_bytes(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.buffer.len() < count {
            if !self.fill().await {
                return None;
            }
        }
        Some(self.buffer.drain(..count).collect())
    }

    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|w| w == b"\r\n") {
                let line: Vec<u8> = self.buffer.drain(..end + 2).collect();
                return Some(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            if !self.fill().await {
                return None;
            }
        }
    }

    /// Reads a head; `None` where the connection ends before it.
    pub(crate) async fn head(&mut self) -> Option<Message> {
        let start = self.line().await?;
        let mut headers = Vec::new();
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                return Some(Message { start, headers, body: Vec::new(), is_complete: true });
            }
            let (name, value) = line.split_once(':').unwrap_or((&line, ""));
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    /// Reads a message that has no body whatever its headers say, as the answer to HEAD.
    pub(crate) async fn bodiless(&mut self) -> Message {
        self.head().await.expect("a response")
    }

    /// Reads a message.
    pub(crate) async fn message(&mut self) -> Message {
        self.try_message().await.expect("a message")
    }

    /// Reads a message; `None` where the connection ends before its head does.
    pub(crate) async fn try_message(&mut self) -> Option<Message> {
        let mut message = self.head().await?;
        while message.start.starts_with("HTTP/1.1 100") || message.start.starts_with("HTTP/1.1 103") {
            message = self.head().await?;
        }
        let is_response = message.start.starts_with("HTTP/");
        if message.header("transfer-encoding").is_some() {
            message.is_complete = self.chunked(&mut message.body).await;
        } else if let Some(length) = message.header("content-length").map(|l| l.parse::<usize>().unwrap()) {
            while self.buffer.len() < length && self.fill().await {}
            message.is_complete = self.buffer.len() >= length;
            message.body = self.buffer.drain(..length.min(self.buffer.len())).collect();
        } else if is_response && !matches!(message.status(), 101 | 204 | 304) {
            while self.fill().await {}
            message.body = std::mem::take(&mut self.buffer);
        }
        Some(message)
    }

    /// Reads the next chunk of a body; `None` where its end comes, or that of the connection.
    pub(crate) async fn chunk(&mut self) -> Option<Vec<u8>> {
        let size = self.line().await?;
        let size = usize::from_str_radix(&size, 16).unwrap();
        if size == 0 {
            return None;
        }
        while self.buffer.len() < size + 2 {
            if !self.fill().await {
                return None;
            }
        }
        let chunk = self.buffer.drain(..size).collect();
        self.buffer.drain(..2);
        Some(chunk)
    }

    /// Reads chunks; whether the last one came.
    async fn chunked(&mut self, body: &mut Vec<u8>) -> bool {
        loop {
            let Some(size) = self.line().await else {
                return false;
            };
            let size = usize::from_str_radix(size.split(';').next().unwrap_or_default(), 16).unwrap();
            if size == 0 {
                // Trailers, which no test looks at here, and the empty line.
                while let Some(line) = self.line().await {
                    if line.is_empty() {
                        return true;
                    }
                }
                return false;
            }
            while self.buffer.len() < size + 2 {
                if !self.fill().await {
                    body.append(&mut self.buffer);
                    return false;
                }
            }
            body.extend(self.buffer.drain(..size));
            self.buffer.drain(..2);
        }
    }
}
