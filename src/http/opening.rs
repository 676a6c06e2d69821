//! What comes on a connection before its first request: whom a load balancer forwards it for, the TLS handshake, and
//! which version of HTTP is spoken.
//!
//! Without TLS, HTTP/1.1 and HTTP/2 with prior knowledge share a port: the HTTP/2 preface begins with `PRI`, which is
//! no method. With TLS, ALPN decides.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::respond;
use super::server::{Client, Gate};
use crate::listen::certificates::HTTP2;
use crate::listen::{Stream, proxy_protocol};

/// How long to wait for the rest of what came in pieces.
const PAUSE: Duration = Duration::from_millis(5);

/// A connection that is ready for requests.
pub(super) struct Opened {
    pub(super) stream: Stream,
    pub(super) client: Client,
    pub(super) is_http2: bool,
}

/// Opens a connection, within the time for a head; `None` where there is nothing to serve.
pub(super) async fn open(mut stream: TcpStream, peer: SocketAddr, gate: &Gate) -> Option<Opened> {
    let patience = gate.limits.head_timeout;
    let mut client = Client { peer, is_tls: gate.tls.is_some(), body_rate: gate.limits.body_rate };
    if gate.proxy_protocol.is_spoken_by(peer.ip()) {
        client.peer = timeout(patience, forwarded_for(&mut stream, peer)).await.ok()?.ok()?;
    }
    if let Some(tls) = &gate.tls {
        // A handshake that fails has been answered with an alert.
        let accepting = TlsAcceptor::from(Arc::clone(tls)).accept(stream);
        let stream = timeout(patience, accepting).await.ok()?.ok()?;
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(HTTP2);
        return Some(Opened { stream: Stream::Tls(Box::new(stream)), client, is_http2 });
    }
    match timeout(patience, preface(&stream)).await {
        Ok(Ok(Some(is_http2))) => Some(Opened { stream: Stream::Plain(stream), client, is_http2 }),
        Ok(_) => None,
        Err(_) => {
            refuse_slow(&mut stream).await;
            None
        }
    }
}

/// Takes the header of the PROXY protocol off a connection. One that begins with none is closed: what it says about
/// itself would be believed elsewhere.
async fn forwarded_for(stream: &mut TcpStream, peer: SocketAddr) -> io::Result<SocketAddr> {
    let mut seen = vec![0; proxy_protocol::LONGEST];
    let header = loop {
        let count = stream.peek(&mut seen).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match proxy_protocol::parse(&seen[..count]) {
            Ok(Some(header)) => break header,
            // Bytes that were looked at stay readable, so that readiness says nothing about new ones.
            Ok(None) => tokio::time::sleep(PAUSE).await,
            Err(e) => return Err(io::Error::new(io::ErrorKind::InvalidData, e.to_string())),
        }
    };
    stream.read_exact(&mut seen[..header.length]).await?;
    Ok(header.client.unwrap_or(peer))
}

/// Looks at the first bytes without taking them: whether they are HTTP/2's; `None` where there are none.
async fn preface(stream: &TcpStream) -> io::Result<Option<bool>> {
    const PREFACE: &[u8] = b"PRI";
    let mut first = [0; PREFACE.len()];
    loop {
        let seen = stream.peek(&mut first).await?;
        match &first[..seen] {
            [] => return Ok(None),
            PREFACE => return Ok(Some(true)),
            some if !PREFACE.starts_with(some) => return Ok(Some(false)),
            _ => tokio::time::sleep(PAUSE).await,
        }
    }
}

async fn refuse_slow(stream: &mut TcpStream) {
    // Best effort: the connection ends either way.
    let _ = stream.write_all(respond::HEAD_TOO_SLOW).await;
    let _ = stream.shutdown().await;
}
