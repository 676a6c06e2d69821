//! Clients that ask again and again over kept-alive connections, at the least cost of their own.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::{Failure, backend, http2};

/// What is read at a time.
const BUFFER: usize = 256 * 1024;

/// Whom to ask for what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) address: SocketAddr,
    /// The version that the client speaks.
    pub(crate) version: &'static str,
    /// Bytes of a body, at least.
    pub(crate) size: usize,
    pub(crate) pace: Pace,
    pub(crate) protocol: Protocol,
}

/// How clients talk to a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// HTTP/1.1, one request at a time on each connection.
    Http1,
    /// HTTP/2 without TLS, as many requests at a time on fewer connections. Only [`Pace::Closed`].
    Http2,
}

/// When the next request of a connection leaves.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pace {
    /// When the last one is answered.
    Closed,
    /// Once in this time, whether or not that is late: a wait is part of what a client sees.
    Every(Duration),
}

/// What clients have seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// How long each request that succeeded took, in microseconds, in order.
    pub(crate) micros: Vec<u32>,
    pub(crate) errors: usize,
}

impl Seen {
    pub(crate) fn add(&mut self, other: Self) {
        self.micros.extend(other.micros);
        self.errors += other.errors;
    }
}

impl Load {
    /// Asks for some time, with so many requests under way.
    pub(crate) async fn run(self, requests: usize, length: Duration) -> Seen {
        let deadline = Instant::now() + length;
        let mut clients = JoinSet::new();
        match self.protocol {
            Protocol::Http1 => (0..requests).for_each(|_| drop(clients.spawn(self.client(deadline)))),
            Protocol::Http2 => {
                (0..requests / http2::STREAMS).for_each(|_| drop(clients.spawn(self.http2_client(deadline))));
            }
        }
        let mut all = Seen::default();
        while let Some(Ok(seen)) = clients.join_next().await {
            all.add(seen);
        }
        all.micros.sort_unstable();
        all
    }

    /// One connection until the deadline; one that fails is opened again.
    async fn client(self, deadline: Instant) -> Seen {
        let mut seen = Seen::default();
        while Instant::now() < deadline {
            seen.errors += usize::from(self.requests(deadline, &mut seen.micros).await.is_err());
        }
        seen
    }

    async fn requests(self, deadline: Instant, micros: &mut Vec<u32>) -> Result<(), Failure> {
        let mut client = Client::connect(self.address, self.version, self.size).await?;
        let mut due = Instant::now();
        while Instant::now() < deadline {
            let asked = match self.pace {
                Pace::Closed => Instant::now(),
                Pace::Every(time) => {
                    due += time;
                    sleep_until(due).await;
                    due
                }
            };
            client.ask().await?;
            micros.push(u32::try_from(asked.elapsed().as_micros())?);
        }
        Ok(())
    }
}

/// A kept-alive connection.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    request: Vec<u8>,
    size: usize,
    buffer: Vec<u8>,
}

impl Client {
    /// Connects.
    pub(crate) async fn connect(address: SocketAddr, version: &str, size: usize) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let target = backend::target(size);
        let request = format!("GET {target} HTTP/1.1\r\nhost: bench\r\napi-version: {version}\r\n\r\n");
        Ok(Self { stream, request: request.into_bytes(), size, buffer: Vec::new() })
    }

    /// Asks, and reads the answer to its end.
    pub(crate) async fn ask(&mut self) -> Result<(), Failure> {
        self.buffer.resize(BUFFER.min(self.size * 2 + 4096), 0);
        self.stream.write_all(&self.request).await?;
        let mut filled = 0;
        let (head, framing) = loop {
            filled += self.read(filled).await?;
            if let Some(end) = self.buffer[..filled].windows(4).position(|four| four == b"\r\n\r\n") {
                break (end + 4, framing(&self.buffer[..end])?);
            }
        };
        let mut got = filled - head;
        match framing {
            Framing::Length(length) => {
                while got < length {
                    got += self.read(0).await?;
                }
            }
            Framing::Chunked => {
                // No body of the bench has a line end in it. The last bytes may come in pieces.
                while !self.buffer[..filled].ends_with(b"\r\n0\r\n\r\n") {
                    let kept = filled.min(8);
                    self.buffer.copy_within(filled - kept..filled, 0);
                    let read = self.read(kept).await?;
                    filled = kept + read;
                    got += read;
                }
            }
        }
        if got < self.size { Err(format!("a body of {got} bytes").into()) } else { Ok(()) }
    }

    /// Lets go of the memory that answers are read into.
    pub(crate) fn release(&mut self) {
        self.buffer = Vec::new();
    }

    async fn read(&mut self, at: usize) -> Result<usize, Failure> {
        match self.stream.read(&mut self.buffer[at..]).await? {
            0 => Err("the connection was closed".into()),
            read => Ok(read),
        }
    }

    /// Asks once and gives the body.
    pub(crate) async fn fetch(address: SocketAddr, version: &str, size: usize) -> Result<Vec<u8>, Failure> {
        let mut client = Self::connect(address, version, size).await?;
        let close = [&client.request[..client.request.len() - 2], b"connection: close\r\n\r\n"].concat();
        client.stream.write_all(&close).await?;
        let mut all = Vec::new();
        client.stream.read_to_end(&mut all).await?;
        let head = all.windows(4).position(|four| four == b"\r\n\r\n").ok_or("no head")?;
        let body = &all[head + 4..];
        match framing(&all[..head])? {
            Framing::Length(_) => Ok(body.to_vec()),
            Framing::Chunked => unchunked(body),
        }
    }
}

enum Framing {
    Length(usize),
    Chunked,
}

/// How a body ends, for an answer that succeeded.
fn framing(head: &[u8]) -> Result<Framing, Failure> {
    let head = std::str::from_utf8(head)?;
    let mut lines = head.split("\r\n");
    let start = lines.next().unwrap_or_default();
    if start.split(' ').nth(1) != Some("200") {
        return Err(start.into());
    }
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("content-length") {
            return Ok(Framing::Length(value.trim().parse()?));
        }
        if name.eq_ignore_ascii_case("transfer-encoding") {
            return Ok(Framing::Chunked);
        }
    }
    Err("a body without an end".into())
}

fn unchunked(mut chunks: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    loop {
        let end = chunks.windows(2).position(|two| two == b"\r\n").ok_or("no chunk")?;
        let length = usize::from_str_radix(std::str::from_utf8(&chunks[..end])?, 16)?;
        if length == 0 {
            return Ok(body);
        }
        body.extend_from_slice(chunks.get(end + 2..end + 2 + length).ok_or("a short chunk")?);
        chunks = chunks.get(end + 4 + length..).ok_or("a short chunk")?;
    }
}
