//! Looking at a connection's bytes beside the parser, for what the parser does not tell.
//!
//! Of a request with both `content-length` and `transfer-encoding`, hyper removes the first and shows the second.
//! RFC 9112 section 6.1 allows that, but a server behind or before this one may have chosen the other, so such
//! requests are refused here. They are recognised in the bytes that came since the last request's head.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use http::Request;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What the memory of one connection's bytes shrinks to between requests, in bytes.
const KEPT: usize = 4 * 1024;

/// Marks a request whose framing is ambiguous.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ambiguous;

/// The last bytes that a connection read.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    bytes: Arc<Mutex<Vec<u8>>>,
    most: usize,
}

impl Seen {
    fn add(&self, bytes: &[u8]) {
        let mut seen = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        seen.extend_from_slice(bytes);
        // Cutting at twice the size moves each byte once at most.
        if seen.len() > 2 * self.most {
            let old = seen.len() - self.most;
            seen.drain(..old);
        }
    }

    /// Marks a request that was sent with two framings, and forgets its head. What came behind it is kept: it may be
    /// the next request.
    pub(crate) fn mark<B>(&self, request: &mut Request<B>) {
        let mut seen = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let is_chunked = request.headers().contains_key(http::header::TRANSFER_ENCODING);
        let mut heads = Heads(&seen);
        let own = heads.next();
        // A head that is out of sight may have had both.
        let has_two = own.as_ref().is_none_or(|head| head.has_two_framings) || heads.any(|head| head.has_two_framings);
        let is_ambiguous = is_chunked && has_two;
        let end = own.map_or(seen.len(), |head| seen.len() - head.behind);
        seen.drain(..end);
        seen.shrink_to(KEPT);
        drop(seen);
        if is_ambiguous {
            request.extensions_mut().insert(Ambiguous);
        }
    }
}

/// What looks like a request's head.
struct Head {
    has_two_framings: bool,
    /// Bytes that come behind it.
    behind: usize,
}

/// The heads in the bytes of a connection. A start line is known by its end, since the last bytes of a body may stand
/// before it. Bytes of a body that look like a head are one as well: only who wants to be refused sends them.
struct Heads<'a>(&'a [u8]);

impl<'a> Heads<'a> {
    /// The next line without its end.
    fn line(&mut self) -> Option<&'a [u8]> {
        if self.0.is_empty() {
            return None;
        }
        let end = memchr::memchr(b'\n', self.0).unwrap_or(self.0.len());
        let line = &self.0[..end];
        self.0 = self.0.get(end + 1..).unwrap_or_default();
        Some(line.trim_ascii_end())
    }
}

impl Iterator for Heads<'_> {
    type Item = Head;

    fn next(&mut self) -> Option<Head> {
        while !self.line()?.ends_with(b" HTTP/1.1") {}
        let (mut has_length, mut has_coding) = (false, false);
        while let Some(header) = self.line().filter(|line| !line.is_empty()) {
            has_length |= is_header(header, b"content-length:");
            has_coding |= is_header(header, b"transfer-encoding:");
        }
        Some(Head { has_two_framings: has_length && has_coding, behind: self.0.len() })
    }
}

fn is_header(line: &[u8], name: &[u8]) -> bool {
    line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
}

/// A connection whose reads are seen.
pub(crate) struct Tap<T> {
    inner: T,
    seen: Seen,
}

impl<T> Tap<T> {
    /// Keeps at least the last `most` bytes, which has to be what the parser may read ahead.
    pub(crate) fn new(inner: T, most: usize) -> (Self, Seen) {
        let seen = Seen { bytes: Arc::default(), most };
        let tap = Self { inner, seen: seen.clone() };
        (tap, seen)
    }

    /// The connection.
    pub(crate) fn into_inner(self) -> T {
        self.inner
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Tap<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buffer))?;
        self.seen.add(&buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Tap<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_framings_of_one_head_are_found() {
        let cases = [
            ("POST / HTTP/1.1\r\nContent-Length: 1\r\ntransfer-encoding: chunked\r\n\r\n", true),
            ("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\nCONTENT-LENGTH:1\r\n\r\n", true),
            ("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n", false),
            ("bodyPOST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length: 1\r\n\r\n", true),
            ("rest of a body\r\nPOST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length: 1\r\n\r\n", true),
            ("--part\r\ncontent-length: 1\r\n\r\nx\r\nPOST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n", false),
            ("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\ncontent-length: 1\r\n", false),
        ];
        for (seen, want) in cases {
            let found = Heads(seen.as_bytes()).any(|head| head.has_two_framings);
            assert_eq!(found, want, "{seen:?}");
        }
    }

    #[test]
    fn what_comes_behind_a_head_is_kept_for_the_next_request() {
        let (_, seen) = Tap::new((), 1024);
        seen.add(b"GET / HTTP/1.1\r\nhost: h\r\n\r\nPOST / HTTP/1.1\r\n");
        seen.add(b"transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n");
        let mut first = Request::get("/").body(()).unwrap();
        seen.mark(&mut first);
        let mut second = Request::post("/").header("transfer-encoding", "chunked").body(()).unwrap();
        seen.mark(&mut second);
        let is_marked = |request: &Request<()>| request.extensions().get::<Ambiguous>().is_some();
        assert_eq!((is_marked(&first), is_marked(&second)), (false, true));
        assert_eq!(*seen.bytes.lock().unwrap(), b"0\r\n\r\n");
        let mut unseen = Request::post("/").header("transfer-encoding", "chunked").body(()).unwrap();
        seen.mark(&mut unseen);
        assert!(is_marked(&unseen));
    }

    #[test]
    fn only_the_last_bytes_are_kept() {
        let (_, seen) = Tap::new((), 4);
        for i in 0..100 {
            seen.add(&[i]);
        }
        let kept = seen.bytes.lock().unwrap();
        assert!((4..=8).contains(&kept.len()), "{kept:?}");
        assert_eq!(kept.last(), Some(&99));
    }
}
