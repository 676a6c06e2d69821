//! Sockets without rules: bytes from one side to the other, as they come.
//!
//! Nothing is unmasked, unpacked or checked. Only the lengths in frame headers are followed, so that the proxy can
//! say goodbye between two frames when it drains.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio_util::sync::CancellationToken;

use super::activity::Activity;
use super::frames::Frames;

/// Bytes on the way in each direction, at first and at most: idle sockets are many, busy ones move much.
const FIRST: usize = 2 * 1024;
const MOST: usize = 32 * 1024;
/// So many reads in a row that had needed half the buffer at most make it smaller.
const SMALL_READS: u32 = 64;

/// A frame that closes each side, as bytes.
pub(super) struct Goodbye {
    /// For the client.
    pub(super) client: Vec<u8>,
    /// For the backend.
    pub(super) backend: Vec<u8>,
    /// How long the sides have to end after it.
    pub(super) grace: Duration,
}

/// What both directions share.
struct Tunnel {
    activity: Activity,
    /// Cancelled when both sides are to be closed.
    stop: CancellationToken,
    /// Bytes sent to the client.
    to_client: AtomicU64,
}

/// Carries bytes until both sides have ended; how many went to the client. Both sides are closed when `stop` is
/// cancelled, or when nothing has moved for as long as `idle`.
pub(super) async fn run(
    client: Upgraded,
    backend: Upgraded,
    stop: CancellationToken,
    idle: Option<Duration>,
    goodbye: &Goodbye,
) -> u64 {
    let (from_client, to_client) = split(TokioIo::new(client));
    let (from_backend, to_backend) = split(TokioIo::new(backend));
    let tunnel = Tunnel { activity: Activity::new(), stop: stop.child_token(), to_client: AtomicU64::new(0) };
    let up = tunnel.carry(from_client, to_backend, &goodbye.backend, None);
    let down = tunnel.carry(from_backend, to_client, &goodbye.client, Some(&tunnel.to_client));
    tokio::select! {
        _ = async { tokio::join!(up, down) } => {}
        () = tunnel.end(idle, goodbye.grace) => {}
    }
    tunnel.to_client.load(Ordering::Relaxed)
}

impl Tunnel {
    /// Has both sides closed when it is time to. Returns when they have had time enough.
    async fn end(&self, idle: Option<Duration>, grace: Duration) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = self.activity.idle(idle) => self.stop.cancel(),
        }
        tokio::time::sleep(grace).await;
    }

    /// Carries one direction until its sender has ended. Once stopped, `close` is sent at the end of a frame and
    /// whatever comes after it is thrown away.
    async fn carry(
        &self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
        close: &[u8],
        count: Option<&AtomicU64>,
    ) {
        let mut buffer = Buffer::new();
        let mut frames = Frames::default();
        let mut is_closed = false;
        loop {
            let read = tokio::select! {
                read = from.read(&mut buffer.bytes) => read,
                () = self.stop.cancelled(), if !is_closed && frames.is_between() => {
                    is_closed = true;
                    if to.write_all(close).await.is_err() {
                        break;
                    }
                    continue;
                }
            };
            let Ok(1..) = read else { break };
            let read = read.unwrap_or_default();
            let bytes = &buffer.bytes[..read];
            if is_closed {
                continue;
            }
            self.activity.touch();
            let ended = frames.follow(bytes);
            // In the middle of a busy stream, the last frame that ends here is the last one that goes.
            let stops = self.stop.is_cancelled() && ended > 0;
            let bytes = if stops { &bytes[..ended] } else { bytes };
            if to.write_all(bytes).await.is_err() {
                break;
            }
            if let Some(count) = count {
                count.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            }
            if stops {
                is_closed = true;
                if to.write_all(close).await.is_err() {
                    break;
                }
            }
            buffer.fit(read);
        }
        // The other side may have gone as well.
        let _ = to.shutdown().await;
    }
}

/// A buffer that is as large as what comes at once.
struct Buffer {
    bytes: Vec<u8>,
    small_reads: u32,
}

impl Buffer {
    fn new() -> Self {
        Self { bytes: vec![0; FIRST], small_reads: 0 }
    }

    /// Grows after a read that filled it, and shrinks when it has been too large for long.
    fn fit(&mut self, read: usize) {
        let size = self.bytes.len();
        if read == size && size < MOST {
            self.resize(size * 2);
        } else if read > size / 2 || size == FIRST {
            self.small_reads = 0;
        } else {
            self.small_reads += 1;
            if self.small_reads == SMALL_READS {
                self.resize(size / 2);
            }
        }
    }

    fn resize(&mut self, size: usize) {
        *self = Self { bytes: vec![0; size], small_reads: 0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_as_large_as_what_comes() {
        let mut buffer = Buffer::new();
        for _ in 0..10 {
            buffer.fit(buffer.bytes.len());
        }
        assert_eq!(buffer.bytes.len(), MOST);
        for _ in 0..10 {
            (1..SMALL_READS).for_each(|_| buffer.fit(100));
            buffer.fit(MOST - 1);
        }
        assert_eq!(buffer.bytes.len(), MOST);
        (0..SMALL_READS * 10).for_each(|_| buffer.fit(100));
        assert_eq!(buffer.bytes.len(), FIRST);
    }
}
