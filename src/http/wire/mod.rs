//! What a client sends on a connection of HTTP/1.1, checked before hyper reads it.
//!
//! hyper accepts some of what RFC 9112 forbids or leaves to the recipient: lines that end in LF alone, both
//! `content-length` and `transfer-encoding`, white space behind a chunk's size, a fragment in the target. A server
//! before or behind this one may read such bytes otherwise, and then a second request hides in the body of the first
//! (RFC 9112 section 11.2). So each head and each chunk is read here first, strictly, and what is not right never
//! reaches hyper: [`Requests`] is the pure part, [`Checked`] the connection around it.

mod checked;
mod chunks;
mod frames;
mod head;
mod hints;
mod requests;
#[cfg(test)]
mod tests;

use crate::failure::{Failure, Kind, Side};

pub(crate) use checked::{Checked, Connection, Left, Patience, broken};
pub(crate) use frames::Frames;
pub(crate) use head::{check_host, check_http2};
pub(crate) use hints::Hints;
use requests::{Requests, Stop};

/// Bounds on one head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Most bytes; also of a body's trailers.
    pub(crate) head: usize,
    /// Most headers; also trailers.
    pub(crate) headers: usize,
}

fn bad(detail: impl Into<String>) -> Failure {
    refuse(Kind::BadRequest, detail)
}

fn refuse(kind: Kind, detail: impl Into<String>) -> Failure {
    Failure::new(Side::Client, kind, detail)
}
