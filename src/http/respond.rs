//! The only place that picks a status, and what an error made by Legato looks like.

use http::header::{self, HeaderValue};
use http::{Response, StatusCode, Version};
use hyper::body::Body as _;

use crate::backend::Body;
use crate::failure::{Failure, Kind, Side};
use crate::json::Code;
use crate::rules::{ProblemPart, ProblemShape};

use super::body;

/// The status that says a failure to the client.
fn status(failure: &Failure) -> StatusCode {
    match failure.kind {
        Kind::BadRequest | Kind::BadHandshake | Kind::UnknownVersion | Kind::AmbiguousVersion => {
            StatusCode::BAD_REQUEST
        }
        Kind::MethodNotSupported | Kind::TransferCoding => StatusCode::NOT_IMPLEMENTED,
        Kind::HttpVersion => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
        Kind::ExpectationFailed => StatusCode::EXPECTATION_FAILED,
        Kind::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        Kind::HeadTimeout | Kind::SlowBody => StatusCode::REQUEST_TIMEOUT,
        Kind::NoRoute => StatusCode::NOT_FOUND,
        Kind::VersionGone => StatusCode::GONE,
        // The rules' author picked it.
        Kind::Gone(status) | Kind::Added(status) => StatusCode::from_u16(status).unwrap_or(StatusCode::NOT_FOUND),
        Kind::NoRules | Kind::Overloaded | Kind::AllEjected(_) => StatusCode::SERVICE_UNAVAILABLE,
        Kind::UpgradeRequired => StatusCode::UPGRADE_REQUIRED,
        Kind::Unreachable | Kind::BackendTls | Kind::BadResponse => StatusCode::BAD_GATEWAY,
        Kind::ConnectTimeout | Kind::ResponseHeadTimeout | Kind::RequestTimeout => StatusCode::GATEWAY_TIMEOUT,
        Kind::UnsupportedCharset | Kind::UnknownCoding => {
            of_client_or(failure.side, StatusCode::UNSUPPORTED_MEDIA_TYPE, StatusCode::BAD_GATEWAY)
        }
        Kind::BodyTooLarge => of_client_or(failure.side, StatusCode::PAYLOAD_TOO_LARGE, StatusCode::BAD_GATEWAY),
        Kind::Incomplete | Kind::MalformedCoding => {
            of_client_or(failure.side, StatusCode::BAD_REQUEST, StatusCode::BAD_GATEWAY)
        }
        Kind::IdleTimeout => of_client_or(failure.side, StatusCode::REQUEST_TIMEOUT, StatusCode::GATEWAY_TIMEOUT),
        Kind::Translation(code) => of_client_or(failure.side, untranslatable(code), StatusCode::BAD_GATEWAY),
    }
}

fn of_client_or(side: Side, client: StatusCode, other: StatusCode) -> StatusCode {
    match side {
        Side::Client => client,
        Side::Backend | Side::Legato => other,
    }
}

/// The status for a request whose document has no translation.
fn untranslatable(code: Code) -> StatusCode {
    match code {
        Code::MalformedJson | Code::DuplicateKey | Code::TooDeep => StatusCode::BAD_REQUEST,
        Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

/// After how many seconds it may be worth asking again.
fn retry_after(kind: Kind) -> Option<u16> {
    match kind {
        Kind::AllEjected(seconds) => Some(seconds),
        Kind::Overloaded => Some(1),
        _ => None,
    }
}

/// What a failure is called: the same for every failure of its kind, as RFC 9457 section 3.1.3 asks.
fn title(kind: Kind) -> &'static str {
    match kind {
        Kind::BadRequest => "Bad request",
        Kind::MethodNotSupported => "Method not supported",
        Kind::HttpVersion => "HTTP version not supported",
        Kind::TransferCoding => "Transfer coding not supported",
        Kind::ExpectationFailed => "Expectation failed",
        Kind::HeadTooLarge => "Head too large",
        Kind::HeadTimeout => "Head too slow",
        Kind::NoRoute => "No such API",
        Kind::UnknownVersion => "Unknown API version",
        Kind::AmbiguousVersion => "Ambiguous API version",
        Kind::VersionGone => "API version no longer served",
        Kind::Gone(_) => "Call no longer exists",
        Kind::Added(_) => "Call does not exist yet",
        Kind::NoRules => "API not ready",
        Kind::UnsupportedCharset => "Unsupported character encoding",
        Kind::UnknownCoding => "Unknown content coding",
        Kind::MalformedCoding => "Malformed content coding",
        Kind::BodyTooLarge | Kind::Translation(Code::TooLarge) => "Body too large",
        Kind::Incomplete => "Incomplete body",
        Kind::Unreachable => "Backend unreachable",
        Kind::Overloaded => "Backend overloaded",
        Kind::AllEjected(_) => "Backend recovering",
        Kind::BackendTls => "No secure connection to the backend",
        Kind::ConnectTimeout => "Backend did not accept a connection in time",
        Kind::ResponseHeadTimeout => "Backend did not answer in time",
        Kind::IdleTimeout => "Body stalled",
        Kind::SlowBody => "Body too slow",
        Kind::RequestTimeout => "Exchange took too long",
        Kind::BadResponse => "Bad response from the backend",
        Kind::BadHandshake => "Bad WebSocket handshake",
        Kind::UpgradeRequired => "Unsupported WebSocket version",
        Kind::Translation(Code::MalformedJson) => "Malformed JSON",
        Kind::Translation(Code::TooDeep) => "JSON nested too deep",
        Kind::Translation(Code::DuplicateKey) => "Duplicate member",
        Kind::Translation(_) => "No translation",
    }
}

/// Where a problem document is for a client of a known version.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Audience<'a> {
    /// The client's version.
    pub(crate) version: Option<&'a str>,
    /// How errors look in that version; `None`: RFC 9457.
    pub(crate) shape: Option<&'a ProblemShape>,
}

/// The response that tells a client about a failure.
pub(crate) fn problem(failure: &Failure, audience: Audience<'_>) -> Response<Body> {
    let status = status(failure);
    let (content_type, text) = match audience.shape {
        None => ("application/problem+json", document(failure, status, audience.version)),
        Some(shape) => ("application/json", shape.fill(|which| part(which, failure, status, audience.version))),
    };
    let mut response = Response::new(body::full(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if (failure.kind, failure.side) == (Kind::UnknownCoding, Side::Client) {
        // RFC 9110 section 15.5.16.
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip, deflate, br, zstd"));
    }
    if let Some(seconds) = retry_after(failure.kind) {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if failure.kind == Kind::UpgradeRequired {
        headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    }
    response
}

/// What tells a reader about a failure inside a message: the text of [`problem`].
pub(crate) fn problem_text(failure: &Failure, audience: Audience<'_>) -> String {
    let status = status(failure);
    match audience.shape {
        None => document(failure, status, audience.version),
        Some(shape) => shape.fill(|which| part(which, failure, status, audience.version)),
    }
}

/// Errors that Engine.IO has words for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EngineIoError {
    UnknownTransport,
    UnknownSession,
    BadMethod,
    BadRequest,
    Forbidden,
    UnsupportedProtocol,
}

/// The response that tells a client of Engine.IO about an error, in the words of its own servers.
pub(crate) fn engineio(error: EngineIoError) -> Response<Body> {
    let (code, message, status) = match error {
        EngineIoError::UnknownTransport => (0, "Transport unknown", StatusCode::BAD_REQUEST),
        EngineIoError::UnknownSession => (1, "Session ID unknown", StatusCode::BAD_REQUEST),
        EngineIoError::BadMethod => (2, "Bad handshake method", StatusCode::BAD_REQUEST),
        EngineIoError::BadRequest => (3, "Bad request", StatusCode::BAD_REQUEST),
        EngineIoError::Forbidden => (4, "Forbidden", StatusCode::FORBIDDEN),
        EngineIoError::UnsupportedProtocol => (5, "Unsupported protocol version", StatusCode::BAD_REQUEST),
    };
    let mut response = Response::new(body::full(format!("{{\"code\":{code},\"message\":\"{message}\"}}")));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// What answers HEAD where this would answer GET: it says how long the body is, and has none.
pub(crate) fn without_body(response: Response<Body>) -> Response<Body> {
    if response.body().is_end_stream() {
        return response;
    }
    let (mut head, body) = response.into_parts();
    if let Some(length) = body.size_hint().exact() {
        head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    Response::from_parts(head, body::empty())
}

/// The answer to OPTIONS of the server itself, or at the end of `max-forwards`.
pub(crate) fn options() -> Response<Body> {
    let mut response = Response::new(body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// The answer that turns a connection into a socket, or a stream of HTTP/2.
pub(crate) fn switching(version: Version) -> Response<Body> {
    let mut response = Response::new(body::empty());
    if version != Version::HTTP_2 {
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    }
    response
}

/// The answer to a head that took too long, for a connection that hyper has given up.
pub(crate) const HEAD_TOO_SLOW: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// An error in a form of its own, for a client of a version.
pub(crate) fn shaped(failure: &Failure, shape: &ProblemShape, version: Option<&str>) -> String {
    let status = status(failure);
    shape.fill(|which| part(which, failure, status, version))
}

fn document(failure: &Failure, status: StatusCode, version: Option<&str>) -> String {
    let members = [
        ("type", ProblemPart::Type),
        ("title", ProblemPart::Title),
        ("status", ProblemPart::Status),
        ("detail", ProblemPart::Detail),
        ("pointer", ProblemPart::Pointer),
        ("change", ProblemPart::Change),
        ("version", ProblemPart::Version),
        ("supported", ProblemPart::Supported),
    ];
    let said = members.into_iter().filter_map(|(name, which)| Some((name, part(which, failure, status, version)?)));
    let said: Vec<String> = said.map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", said.join(","))
}

/// A part of what is said of a failure, as JSON text; `None` where there is nothing to say.
fn part(which: ProblemPart, failure: &Failure, status: StatusCode, version: Option<&str>) -> Option<String> {
    match which {
        ProblemPart::Type => Some(quoted(&format!("urn:legato:problem:{}", failure.kind.code()))),
        ProblemPart::Title => Some(quoted(title(failure.kind))),
        ProblemPart::Status => Some(status.as_str().to_owned()),
        ProblemPart::Detail => Some(quoted(&failure.detail)),
        ProblemPart::Code => Some(quoted(failure.kind.code())),
        ProblemPart::Pointer => failure.pointer.as_deref().map(quoted),
        ProblemPart::Change => failure.change.as_deref().map(quoted),
        ProblemPart::Version => version.map(quoted),
        ProblemPart::Supported if failure.supported.is_empty() => None,
        ProblemPart::Supported => {
            let labels: Vec<String> = failure.supported.iter().map(|label| quoted(label)).collect();
            Some(format!("[{}]", labels.join(",")))
        }
        ProblemPart::Now => Some(quoted(&format!("{:.3}", jiff::Timestamp::now()))),
    }
}

/// A JSON string.
fn quoted(text: &str) -> String {
    // A `str` always serialises.
    serde_json::to_string(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_fault_it_is_decides_the_status() {
        let cases = [
            (Side::Client, Kind::Translation(Code::MalformedJson), 400),
            (Side::Client, Kind::Translation(Code::DuplicateKey), 400),
            (Side::Client, Kind::Translation(Code::TooDeep), 400),
            (Side::Client, Kind::Translation(Code::TooLarge), 413),
            (Side::Client, Kind::Translation(Code::NoMapping), 422),
            (Side::Client, Kind::Translation(Code::InformationLost), 422),
            (Side::Backend, Kind::Translation(Code::MalformedJson), 502),
            (Side::Backend, Kind::Translation(Code::NoMapping), 502),
            (Side::Client, Kind::BodyTooLarge, 413),
            (Side::Backend, Kind::BodyTooLarge, 502),
            (Side::Client, Kind::UnknownCoding, 415),
            (Side::Backend, Kind::UnknownCoding, 502),
            (Side::Client, Kind::MalformedCoding, 400),
            (Side::Backend, Kind::MalformedCoding, 502),
            (Side::Backend, Kind::Unreachable, 502),
            (Side::Backend, Kind::ConnectTimeout, 504),
            (Side::Legato, Kind::NoRules, 503),
        ];
        for (side, kind, want) in cases {
            assert_eq!(status(&Failure::new(side, kind, "x")).as_u16(), want, "{side:?} {kind:?}");
        }
    }

    #[test]
    fn a_problem_names_what_it_knows_and_hides_what_the_log_needs() {
        let mut failure = Failure::new(Side::Client, Kind::Translation(Code::NoMapping), "no pair for \"x\"")
            .because("10.0.0.1 said so");
        failure.pointer = Some("/a/0".to_owned());
        failure.change = Some("rename".into());
        let want = concat!(
            r#"{"type":"urn:legato:problem:no_mapping","title":"No translation","status":422,"#,
            r#""detail":"no pair for \"x\"","pointer":"/a/0","change":"rename","version":"2"}"#
        );
        assert_eq!(document(&failure, status(&failure), Some("2")), want);
    }
}
