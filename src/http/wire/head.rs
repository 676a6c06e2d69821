//! The syntax of a request's head (RFC 9112 sections 2 to 6), read line by line as it comes.
//!
//! Strict where servers differ: what one of them would read otherwise than another is refused, not repaired.

use http::header::{self, HeaderMap};
use http::{Method, Uri};

use crate::failure::{Failure, Kind};

use super::{Limits, bad, refuse};

/// The longest target that can be read.
const LONGEST_TARGET: usize = u16::MAX as usize - 1;
/// The longest name of a header that can be read.
const LONGEST_NAME: usize = u16::MAX as usize;
/// The longest method that is passed on; the longest that is registered has 17 letters.
const LONGEST_METHOD: usize = 32;

/// How the end of a body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// There is none, or it has this many bytes.
    Length(u64),
    /// In chunks.
    Chunked,
}

/// What a whole head says about the bytes behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    /// Bytes of the head.
    pub(crate) length: usize,
    /// How its body ends.
    pub(crate) framing: Framing,
    /// Whether what comes behind may be another protocol.
    pub(crate) asks_for_upgrade: bool,
}

/// What has been read of a head.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// Where the next line begins.
    at: usize,
    /// Up to where there is no line end.
    scanned: usize,
    request_line: Option<RequestLine>,
    headers: usize,
    hosts: usize,
    length: Option<u64>,
    is_chunked: bool,
    asks_for_upgrade: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct RequestLine {
    is_1_0: bool,
    is_trace: bool,
}

impl Reading {
    /// Reads on in a head of which these are all bytes so far; more bytes may stand behind its end.
    ///
    /// # Errors
    /// What makes it none, as soon as that can be seen.
    pub(crate) fn read(&mut self, bytes: &[u8], limits: &Limits) -> Result<Option<Head>, Failure> {
        while let Some(found) = memchr::memchr(b'\n', &bytes[self.scanned..]) {
            let end = self.scanned + found + 1;
            if end > limits.head {
                return Err(too_long(limits));
            }
            let line = &bytes[self.at..end - 1];
            let Some(line) = line.strip_suffix(b"\r") else {
                return Err(bad(format!("expected CR LF at the end of line {} of the head, found LF", self.line())));
            };
            (self.at, self.scanned) = (end, end);
            if let Some(head) = self.line_read(line, limits)? {
                return Ok(Some(head));
            }
        }
        self.scanned = bytes.len();
        let rest = &bytes[self.at..];
        if self.request_line.is_none() && rest != b"\r" {
            // What begins with no method is waited for no longer.
            method_of(rest).transpose()?;
        }
        if self.scanned >= limits.head {
            return Err(too_long(limits));
        }
        Ok(None)
    }

    /// The number of the line that is being read, for people.
    fn line(&self) -> usize {
        if self.request_line.is_some() { self.headers + 2 } else { 1 }
    }

    fn line_read(&mut self, line: &[u8], limits: &Limits) -> Result<Option<Head>, Failure> {
        let Some(request_line) = self.request_line else {
            // Empty lines before a request are ignored (RFC 9112 section 2.2).
            if !line.is_empty() {
                self.request_line = Some(request_line(line)?);
            }
            return Ok(None);
        };
        if line.is_empty() {
            return self.finish(request_line).map(Some);
        }
        self.headers += 1;
        if self.headers > limits.headers {
            return Err(too_many(limits.headers));
        }
        let (name, value) = header(line)?;
        self.header(name, value)?;
        Ok(None)
    }

    /// Takes what concerns the connection.
    fn header(&mut self, name: &[u8], value: &[u8]) -> Result<(), Failure> {
        let is = |other: &[u8]| name.eq_ignore_ascii_case(other);
        match name.len() {
            4 if is(b"host") => {
                self.hosts += 1;
                check_host(value)
            }
            6 if is(b"expect") => check_expect(value),
            7 if is(b"upgrade") => {
                self.asks_for_upgrade = true;
                Ok(())
            }
            14 if is(b"content-length") => {
                let length = content_length(value)?;
                if self.length.replace(length).is_some() {
                    return Err(several_lengths());
                }
                Ok(())
            }
            17 if is(b"transfer-encoding") => {
                if self.is_chunked {
                    return Err(bad("expected one transfer-encoding, found several"));
                }
                self.is_chunked = true;
                check_coding(value)
            }
            _ => Ok(()),
        }
    }

    /// Checks what only the whole head tells.
    fn finish(&self, request_line: RequestLine) -> Result<Head, Failure> {
        match self.hosts {
            0 if !request_line.is_1_0 => return Err(bad("expected a host header, found none")),
            0 | 1 => {}
            _ => return Err(bad("expected one host header, found several")),
        }
        let framing = match (self.length, self.is_chunked) {
            (Some(_), true) => return Err(bad("expected content-length or transfer-encoding, found both")),
            (None, true) if request_line.is_1_0 => {
                return Err(bad("expected no transfer-encoding in HTTP/1.0, found one"));
            }
            (None, true) => Framing::Chunked,
            (length, false) => Framing::Length(length.unwrap_or(0)),
        };
        if request_line.is_trace && framing != Framing::Length(0) {
            return Err(body_of_trace());
        }
        Ok(Head { length: self.at, framing, asks_for_upgrade: self.asks_for_upgrade })
    }
}

fn too_many(most: usize) -> Failure {
    refuse(Kind::HeadTooLarge, format!("expected at most {most} headers, found more"))
}

fn several_lengths() -> Failure {
    bad("expected one content-length, found several")
}

fn body_of_trace() -> Failure {
    bad("expected no body in a TRACE request, found one")
}

/// Checks a head of HTTP/2, which is read elsewhere, for what such a reader lets pass; it may have so many headers.
///
/// # Errors
/// As one of HTTP/1.1 would be refused.
pub(crate) fn check_http2(method: &Method, headers: &HeaderMap, has_body: bool, most: usize) -> Result<(), Failure> {
    // Cookies, of which each may have a line, become one.
    let crumbs = headers.get_all(header::COOKIE).iter().count().saturating_sub(1);
    if headers.len() - crumbs > most {
        return Err(too_many(most));
    }
    if method.as_str().len() > LONGEST_METHOD {
        return Err(method_too_long());
    }
    if headers.get_all(header::CONTENT_LENGTH).iter().nth(1).is_some() {
        return Err(several_lengths());
    }
    if *method == Method::TRACE && has_body {
        return Err(body_of_trace());
    }
    headers.get_all(header::EXPECT).iter().try_for_each(|value| check_expect(value.as_bytes()))
}

fn too_long(limits: &Limits) -> Failure {
    refuse(Kind::HeadTooLarge, format!("expected a head of at most {} bytes, found a longer one", limits.head))
}

/// The method at the beginning of a line that may not be whole; `None` where there is nothing.
fn method_of(line: &[u8]) -> Option<Result<&[u8], Failure>> {
    let end = line.iter().position(|b| !is_token(*b)).unwrap_or(line.len());
    match line.get(end) {
        None if line.is_empty() => None,
        None | Some(b' ') if end > LONGEST_METHOD => Some(Err(method_too_long())),
        None => Some(Ok(line)),
        Some(b' ') if end > 0 => Some(Ok(&line[..end])),
        Some(_) => Some(Err(bad("expected a method, a target and `HTTP/1.1` in the first line"))),
    }
}

fn method_too_long() -> Failure {
    refuse(Kind::MethodNotSupported, format!("expected a method of at most {LONGEST_METHOD} letters"))
}

fn request_line(line: &[u8]) -> Result<RequestLine, Failure> {
    let expected = || bad("expected a method, a target and `HTTP/1.1` in the first line");
    let method = method_of(line).ok_or_else(expected)??;
    let rest = line.get(method.len() + 1..).ok_or_else(expected)?;
    let end = memchr::memchr(b' ', rest).ok_or_else(expected)?;
    let (target, version) = (&rest[..end], &rest[end + 1..]);
    let is_1_0 = is_1_0(version)?;
    if method == b"CONNECT" {
        return Err(refuse(Kind::MethodNotSupported, "this server opens no tunnels"));
    }
    check_target(method, target)?;
    Ok(RequestLine { is_1_0, is_trace: method == b"TRACE" })
}

fn is_1_0(version: &[u8]) -> Result<bool, Failure> {
    match version {
        b"HTTP/1.1" => Ok(false),
        b"HTTP/1.0" => Ok(true),
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor] if major.is_ascii_digit() && minor.is_ascii_digit() => {
            let (major, minor) = (char::from(*major), char::from(*minor));
            let detail = format!("expected HTTP/1.0 or HTTP/1.1, found HTTP/{major}.{minor}");
            Err(refuse(Kind::HttpVersion, detail))
        }
        _ => Err(bad("expected `HTTP/1.1` at the end of the first line")),
    }
}

/// The forms that a target may have (RFC 9112 section 3.2), but for the one of CONNECT.
fn check_target(method: &[u8], target: &[u8]) -> Result<(), Failure> {
    // A fragment is for the client alone; a parser that cuts it off sees another target than one that does not.
    let is_legal = |b: &u8| *b > b' ' && *b != 0x7f && *b != b'#';
    if !target.iter().all(is_legal) {
        return Err(bad("expected a target without control characters and `#`"));
    }
    // What a parser of addresses does not take is refused here, where the refusal has words.
    if target.len() > LONGEST_TARGET {
        return Err(refuse(Kind::HeadTooLarge, format!("expected a target of at most {LONGEST_TARGET} bytes")));
    }
    let is_unusual = |b: &u8| matches!(*b, b'"' | b'<' | b'>' | b'`') || !b.is_ascii();
    let is_path = target.starts_with(b"/");
    if (!is_path || target.iter().any(is_unusual)) && Uri::try_from(target).is_err() {
        return Err(bad("expected a target in which what is no part of an address is encoded, such as `%22` for `\"`"));
    }
    if is_path || target == b"*" && method == b"OPTIONS" {
        return Ok(());
    }
    let after = |scheme: &[u8]| {
        let start = target.get(..scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then(|| &target[scheme.len()..])
    };
    let Some(rest) = after(b"http://").or_else(|| after(b"https://")) else {
        return Err(bad("expected a target that is a path, or an absolute http or https address"));
    };
    let end = rest.iter().position(|b| matches!(b, b'/' | b'?')).unwrap_or(rest.len());
    check_host(&rest[..end])
}

/// One header line as its name and value.
///
/// # Errors
/// As the line is none.
pub(super) fn header(line: &[u8]) -> Result<(&[u8], &[u8]), Failure> {
    if matches!(line.first(), Some(b' ' | b'\t')) {
        return Err(bad("expected a header, found a line fold"));
    }
    let end = line.iter().position(|b| !is_token(*b)).unwrap_or(line.len());
    match line.get(end) {
        Some(b':') if end > 0 => {}
        Some(b' ' | b'\t') if end > 0 => {
            return Err(bad(format!("expected `:` right behind the header name `{}`", text(&line[..end]))));
        }
        _ => return Err(bad("expected a header's name and `:`, found another line")),
    }
    let (name, value) = (&line[..end], &line[end + 1..]);
    if name.len() > LONGEST_NAME {
        return Err(refuse(Kind::HeadTooLarge, format!("expected a header's name of at most {LONGEST_NAME} bytes")));
    }
    if has_control(value) {
        return Err(bad(format!("expected no control character in the header `{}`", text(name))));
    }
    Ok((name, trim(value)))
}

/// Whether a value holds what no value may, HTAB apart. Every byte is looked at, so that the processor may look at
/// many at once.
fn has_control(value: &[u8]) -> bool {
    let is_control = |b: u8| u8::from(b < b' ') & u8::from(b != b'\t') | u8::from(b == 0x7f);
    value.iter().fold(0, |found, b| found | is_control(*b)) != 0
}

fn trim(value: &[u8]) -> &[u8] {
    let is_space = |b: &u8| matches!(b, b' ' | b'\t');
    let start = value.iter().position(|b| !is_space(b)).unwrap_or(value.len());
    let end = value.iter().rposition(|b| !is_space(b)).map_or(start, |last| last + 1);
    &value[start..end]
}

/// `host`, `host:port` or `[address]:port` (RFC 3986 section 3.2), without a user.
pub(crate) fn check_host(host: &[u8]) -> Result<(), Failure> {
    if is_host(host) { Ok(()) } else { Err(bad("expected `host` or `host:port` in the host header or target")) }
}

fn is_host(host: &[u8]) -> bool {
    let (name, port) = match (host.first(), memchr::memrchr(b']', host)) {
        (Some(b'['), Some(end)) => {
            let is_address = host[1..end].iter().all(|b| b.is_ascii_hexdigit() || matches!(b, b':' | b'.'));
            if !is_address || end == 1 {
                return false;
            }
            host.split_at(end + 1)
        }
        _ => host.split_at(memchr::memchr(b':', host).unwrap_or(host.len())),
    };
    let is_known = !name.is_empty() && (name[0] == b'[' || name.iter().all(|byte| IS_OF_NAME[usize::from(*byte)]));
    is_known && is_port(port)
}

/// The bytes of a registered name (RFC 3986 section 3.2.2). Each host is looked at twice.
const IS_OF_NAME: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        table[byte as usize] = byte.is_ascii_alphanumeric();
        byte += 1;
    }
    let (others, mut at) = (b"-._~%!$&'()*+,;=", 0);
    while at < others.len() {
        table[others[at] as usize] = true;
        at += 1;
    }
    table
};

/// Nothing, or `:` and a port, which may be empty.
fn is_port(port: &[u8]) -> bool {
    let digits = match port {
        [] | [b':'] => return true,
        [b':', digits @ ..] if digits.iter().all(u8::is_ascii_digit) => digits,
        _ => return false,
    };
    text(digits).parse::<u16>().is_ok()
}

fn check_expect(value: &[u8]) -> Result<(), Failure> {
    let is_known = value.split(|b| *b == b',').all(|one| trim(one).eq_ignore_ascii_case(b"100-continue"));
    if is_known {
        return Ok(());
    }
    Err(refuse(Kind::ExpectationFailed, "expected `100-continue` in the expect header"))
}

fn content_length(value: &[u8]) -> Result<u64, Failure> {
    // A sign is no digit, and 19 digits always fit.
    let is_number = (1..=19).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
    let number = if is_number { text(value).parse().ok() } else { None };
    number.ok_or_else(|| bad("expected a number of bytes in content-length"))
}

fn check_coding(value: &[u8]) -> Result<(), Failure> {
    if value.eq_ignore_ascii_case(b"chunked") {
        return Ok(());
    }
    let mut codings = value.split(|b| *b == b',').map(trim).rev();
    let is_chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
    match codings.next() {
        // The message could be cut out of the connection, and then not be understood.
        Some(last)
            if is_chunked(last)
                && codings.all(|c| !is_chunked(c) && !c.is_empty() && c.iter().all(|b| is_token(*b))) =>
        {
            Err(refuse(Kind::TransferCoding, "expected `chunked` as the only transfer coding"))
        }
        _ => Err(bad("expected `chunked` as the only transfer coding")),
    }
}

/// Bytes that were checked to be ASCII, for a message.
fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// Whether a byte may be in a method or a header's name (RFC 9110 section 5.6.2).
const fn is_token(byte: u8) -> bool {
    TOKEN[byte as usize]
}

const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "the loop ends at 256")]
        let b = byte as u8;
        table[byte] = b.is_ascii_alphanumeric()
            || matches!(
                b,
                b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
            );
        byte += 1;
    }
    table
};
