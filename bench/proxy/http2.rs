//! Clients that ask again and again over HTTP/2.

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::load::{Load, Seen};
use super::{Failure, backend};

/// Requests that a connection has under way.
pub(crate) const STREAMS: usize = 8;

impl Load {
    /// One connection until the deadline; a stream that fails ends.
    pub(crate) async fn http2_client(self, deadline: Instant) -> Seen {
        self.streams(deadline).await.unwrap_or(Seen { micros: Vec::new(), errors: 1 })
    }

    async fn streams(self, deadline: Instant) -> Result<Seen, Failure> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let mut streams = JoinSet::new();
        for _ in 0..STREAMS {
            let mut sender = sender.clone();
            streams.spawn(async move {
                let mut seen = Seen::default();
                while Instant::now() < deadline && seen.errors == 0 {
                    let asked = Instant::now();
                    match self.ask(&mut sender).await {
                        Ok(()) => seen.micros.push(u32::try_from(asked.elapsed().as_micros()).unwrap_or(u32::MAX)),
                        Err(_) => seen.errors += 1,
                    }
                }
                seen
            });
        }
        let mut all = Seen::default();
        while let Some(seen) = streams.join_next().await {
            all.add(seen?);
        }
        Ok(all)
    }

    async fn ask(self, sender: &mut SendRequest<Empty<Bytes>>) -> Result<(), Failure> {
        let request = http::Request::get(format!("http://bench{}", backend::target(self.size)))
            .header("api-version", self.version)
            .body(Empty::new())?;
        sender.ready().await?;
        let answer = sender.send_request(request).await?;
        let (status, body) = (answer.status(), answer.into_body().collect().await?.to_bytes());
        if status == 200 && body.len() >= self.size { Ok(()) } else { Err(format!("{status}, {}", body.len()).into()) }
    }
}
