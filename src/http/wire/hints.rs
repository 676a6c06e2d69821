//! Early hints (RFC 8297) on their way to a client of HTTP/1.1, beside the response that hyper writes.
//!
//! hyper writes no 1xx response but 100. The text of a hint waits here until hyper flushes the connection: then all
//! that hyper has written is out, so that the hint stands between two messages. The response waits until it is written.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use http::{HeaderMap, Request, StatusCode};
use tokio::io::AsyncWrite;
use tokio::sync::Notify;

/// Most bytes of hints that wait to be written; what does not fit is left out, which a hint may be.
const MOST: usize = 16 * 1024;

/// Hints that a connection's client is to read.
#[derive(Debug, Default)]
pub(crate) struct Hints {
    text: Mutex<Vec<u8>>,
    is_waiting: AtomicBool,
    /// Has the connection's task look.
    asked: Notify,
    written: Notify,
}

impl Hints {
    /// Has the hints that a backend sends before its response to this request passed on.
    pub(crate) fn listen<B>(self: Arc<Self>, request: &mut Request<B>) {
        hyper::ext::on_informational(request, move |response| {
            if response.status() == StatusCode::EARLY_HINTS {
                self.push(&text(response.headers()));
            }
        });
    }

    fn push(&self, hint: &[u8]) {
        let mut text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        if text.len() + hint.len() <= MOST {
            text.extend_from_slice(hint);
            self.is_waiting.store(true, Ordering::Release);
            self.asked.notify_one();
        }
    }

    fn take(&self) -> Bytes {
        std::mem::take(&mut *self.text.lock().unwrap_or_else(PoisonError::into_inner)).into()
    }

    /// Runs what answers a request; each hint has the connection's task poll it, and so flush. Its result is there when
    /// all hints are written.
    pub(crate) async fn beside<T>(&self, mut answering: Pin<&mut impl Future<Output = T>>) -> T {
        let answer = loop {
            tokio::select! {
                biased;
                answer = &mut answering => break answer,
                () = self.asked.notified() => {}
            }
        };
        while self.is_waiting.load(Ordering::Acquire) {
            self.written.notified().await;
        }
        answer
    }

    /// Writes what waits; `rest` is what a full connection left of it before.
    pub(super) fn poll_write<T: AsyncWrite + Unpin>(
        &self,
        rest: &mut Bytes,
        inner: &mut T,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while self.is_waiting.load(Ordering::Acquire) {
            if rest.is_empty() {
                *rest = self.take();
            }
            ready!(poll_rest(rest, inner, cx))?;
            let text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
            if text.is_empty() {
                self.is_waiting.store(false, Ordering::Release);
                self.written.notify_one();
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Writes what is left of hints of which some has been written.
pub(super) fn poll_rest<T: AsyncWrite + Unpin>(
    rest: &mut Bytes,
    inner: &mut T,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    while !rest.is_empty() {
        let written = ready!(Pin::new(&mut *inner).poll_write(cx, rest))?;
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        rest.advance(written);
    }
    Poll::Ready(Ok(()))
}

/// A hint as HTTP/1.1 writes it, without what concerns the backend's connection.
fn text(headers: &HeaderMap) -> Vec<u8> {
    let mut headers = headers.clone();
    crate::http::headers::remove_hop_by_hop(&mut headers);
    let mut text = b"HTTP/1.1 103 Early Hints\r\n".to_vec();
    for (name, value) in &headers {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            text.extend_from_slice(part);
        }
    }
    text.extend_from_slice(b"\r\n");
    text
}
