//! Whether a response's head says in one way only where its body ends (RFC 9112 section 6.3).
//!
//! hyper takes the transfer coding where there is a length too and hands both on, and takes `chunked` off whatever else
//! was put on before: the client would get a body that is cut short, or coded without a word about it.

use http::header::{self, HeaderMap};

/// # Errors
/// What was expected instead, where it does not.
pub(super) fn check(headers: &HeaderMap) -> Result<(), &'static str> {
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    let length = lengths.next();
    if lengths.next().is_some() {
        return Err("expected one content-length in the backend's response, found several");
    }
    if length.is_some_and(|length| !length.as_bytes().iter().all(u8::is_ascii_digit)) {
        return Err("expected a number of bytes in the content-length of the backend's response");
    }
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let Some(coding) = codings.next() else { return Ok(()) };
    if !coding.as_bytes().eq_ignore_ascii_case(b"chunked") || codings.next().is_some() {
        return Err("expected `chunked` as the only transfer coding of the backend's response");
    }
    if length.is_some() {
        return Err("expected content-length or transfer-encoding in the backend's response, found both");
    }
    Ok(())
}
