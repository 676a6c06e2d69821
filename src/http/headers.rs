//! What a proxy does to headers: refuse what must not be forwarded, take off what concerns one connection,
//! say who it forwards for.

use http::header::{self, Entry, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Version};
use hyper::ext::Protocol;

use super::wire;
use crate::failure::{Failure, Kind, Side};

/// Whether a header concerns one connection, not the message (RFC 9110 section 7.6.1).
fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "proxy-connection"
            | "keep-alive"
            | "te"
            | "transfer-encoding"
            | "upgrade"
            | "proxy-authenticate"
    )
}

/// The authority that a request is for: of its target where it has one, else its `host` (RFC 9112 section 3.2).
/// HTTP/1.1 was checked as it came; HTTP/2 may say both, if they are the same (RFC 9113 section 8.3.1).
///
/// # Errors
/// [`Kind::BadRequest`] for one that is repeated, contradicted, or not an authority.
pub(crate) fn authority(request: &http::request::Parts) -> Result<Option<String>, Failure> {
    let mut hosts = request.headers.get_all(header::HOST).iter();
    let host = hosts.next().map(HeaderValue::as_bytes);
    if hosts.next().is_some() {
        return Err(bad_request("expected one host header, found several"));
    }
    let target = request.uri.authority().map(http::uri::Authority::as_str);
    let is_http2 = request.version == Version::HTTP_2;
    if let (Some(target), Some(host), true) = (target, host, is_http2)
        && !target.as_bytes().eq_ignore_ascii_case(host)
    {
        return Err(bad_request("expected the same authority in `:authority` and host, found two"));
    }
    let Some(authority) = target.map(str::as_bytes).or(host) else {
        return if is_http2 { Err(bad_request("expected an authority, found none")) } else { Ok(None) };
    };
    wire::check_host(authority)?;
    Ok(Some(String::from_utf8_lossy(authority).into_owned()))
}

/// An authority without its port.
pub(crate) fn host_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    }
}

fn bad_request(detail: &str) -> Failure {
    Failure::new(Side::Client, Kind::BadRequest, detail)
}

/// What `max-forwards` says about an OPTIONS or TRACE request (RFC 9110 section 7.6.2).
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Hops {
    /// It goes on; where it was counted, it is one less now.
    Left,
    /// It ends here.
    None,
}

/// Counts a request's hops down.
pub(crate) fn count_hop(method: &Method, headers: &mut HeaderMap) -> Hops {
    if method != Method::OPTIONS && method != Method::TRACE {
        return Hops::Left;
    }
    let left = headers.get(header::MAX_FORWARDS).and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<u64>().ok());
    match left {
        Some(0) => Hops::None,
        Some(n) => {
            headers.insert(header::MAX_FORWARDS, HeaderValue::from(n - 1));
            Hops::Left
        }
        None => Hops::Left,
    }
}

/// Takes off what concerns one connection. `te: trailers` is put back: it says that the client reads trailers,
/// and this proxy forwards them.
pub(crate) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    // Most messages have one of these at most, and few name more.
    let here: Vec<HeaderName> = headers.keys().filter(|name| is_hop_by_hop(name)).cloned().collect();
    if here.is_empty() {
        return;
    }
    let is_own = |t: &&str| t.eq_ignore_ascii_case("close") || t.eq_ignore_ascii_case("keep-alive");
    let named = tokens(headers, &header::CONNECTION).filter(|t| !is_own(t)).filter_map(|t| t.parse().ok());
    let named: Vec<HeaderName> = named.collect();
    let trailers = tokens(headers, &header::TE).any(|t| t.eq_ignore_ascii_case("trailers"));
    for name in named.iter().chain(&here) {
        headers.remove(name);
    }
    if trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
}

/// Takes off trailers what concerns one connection, and what says where a message goes or ends, which is not for trailers to
/// say (RFC 9110 section 6.5.1).
pub(crate) fn clean_trailers(trailers: &mut HeaderMap) {
    remove_hop_by_hop(trailers);
    for name in [header::TE, header::CONTENT_LENGTH, header::HOST, header::TRAILER] {
        trailers.remove(name);
    }
}

/// The elements of a header that is a comma-separated list; lines that are not text have none.
pub(crate) fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(name).iter().filter_map(|v| v.to_str().ok());
    lines.flat_map(|v| v.split(',')).map(str::trim).filter(|t| !t.is_empty())
}

/// Whether a request asks to become a WebSocket. Whether it may is the handshake's business. On HTTP/2 it is a CONNECT
/// that says so (RFC 8441 section 4).
pub(crate) fn asks_for_websocket<B>(request: &Request<B>) -> bool {
    match request.extensions().get::<Protocol>() {
        Some(protocol) => request.method() == Method::CONNECT && protocol.as_str() == "websocket",
        None => tokens(request.headers(), &header::UPGRADE).any(|t| t.eq_ignore_ascii_case("websocket")),
    }
}

/// Names this proxy in a message's `via` (RFC 9110 section 7.6.3).
pub(crate) fn add_via(headers: &mut HeaderMap, received: Version) {
    let via = match received {
        Version::HTTP_2 => "2.0 legato",
        Version::HTTP_10 => "1.0 legato",
        _ => "1.1 legato",
    };
    headers.append(header::VIA, HeaderValue::from_static(via));
}

/// Sets a header to text that was made here or checked before, instead of what there is of it; text that is no header value
/// is left out.
pub(crate) fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    match HeaderValue::from_str(value) {
        Ok(value) => drop(headers.insert(name, value)),
        Err(_) => drop(headers.remove(name)),
    }
}

/// Puts the cookies that HTTP/2 sends in several lines into one, as HTTP/1.1 needs them (RFC 9113 section 8.2.3).
pub(crate) fn join_cookies(headers: &mut HeaderMap) {
    if headers.get_all(header::COOKIE).iter().count() < 2 {
        return;
    }
    if let Entry::Occupied(cookies) = headers.entry(header::COOKIE) {
        let (name, lines) = cookies.remove_entry_mult();
        let lines: Vec<HeaderValue> = lines.collect();
        let joined = lines.iter().map(HeaderValue::as_bytes).collect::<Vec<_>>().join(&b"; "[..]);
        if let Ok(value) = HeaderValue::from_bytes(&joined) {
            headers.insert(name, value);
        }
    }
}

/// What a body's content type says about translating it.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(crate) enum MediaType {
    /// `application/json` or `+json`, in UTF-8.
    Json,
    /// `application/json-patch+json` (RFC 6902), in UTF-8.
    JsonPatch,
    /// `text/event-stream`.
    Events,
    /// `application/x-ndjson` or `application/jsonl`.
    Lines,
    /// `application/grpc`, whatever its messages are written in.
    Grpc,
    /// One of those that are text in another encoding.
    Elsewhere,
    /// Anything else, or nothing.
    Other,
}

/// Reads a message's content type.
pub(crate) fn media_type(headers: &HeaderMap) -> MediaType {
    let Some(text) = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()) else {
        return MediaType::Other;
    };
    let mut parts = text.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    let known = [
        ("application/json", MediaType::Json),
        ("application/json-patch+json", MediaType::JsonPatch),
        ("text/event-stream", MediaType::Events),
        ("application/x-ndjson", MediaType::Lines),
        ("application/jsonl", MediaType::Lines),
    ];
    let known = known.into_iter().find(|(name, _)| essence.eq_ignore_ascii_case(name));
    let media_type = match known {
        Some((_, media_type)) => media_type,
        None if is_grpc(essence) => return MediaType::Grpc,
        None => match essence.rsplit_once('+') {
            Some((_, suffix)) if suffix.eq_ignore_ascii_case("json") => MediaType::Json,
            _ => return MediaType::Other,
        },
    };
    let charset = parts.filter_map(|p| p.split_once('=')).find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    match charset.map(|(_, value)| value.trim().trim_matches('"').to_ascii_lowercase()) {
        Some(charset) if !matches!(charset.as_str(), "utf-8" | "utf8" | "us-ascii") => MediaType::Elsewhere,
        Some(_) | None => media_type,
    }
}

/// Whether a media type is gRPC's, whatever its messages are written in.
fn is_grpc(essence: &str) -> bool {
    const GRPC: &str = "application/grpc";
    essence.get(..GRPC.len()).is_some_and(|start| start.eq_ignore_ascii_case(GRPC))
}

/// Adds a name to `vary`, unless it is there.
pub(crate) fn vary(headers: &mut HeaderMap, name: &HeaderName) {
    if !tokens(headers, &header::VARY).any(|t| t == "*" || t.eq_ignore_ascii_case(name.as_str())) {
        headers.append(header::VARY, HeaderValue::from(name.clone()));
    }
}

/// Whether `cache-control: no-transform` asks proxies to leave the body as it is.
pub(crate) fn forbids_transform(headers: &HeaderMap) -> bool {
    tokens(headers, &header::CACHE_CONTROL).any(|t| t.eq_ignore_ascii_case("no-transform"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(lines: &[(&str, &str)]) -> HeaderMap {
        let pair = |&(n, v): &(&str, &str)| (n.parse::<HeaderName>().unwrap(), v.parse::<HeaderValue>().unwrap());
        let mut headers = HeaderMap::new();
        lines.iter().map(pair).for_each(|(n, v)| {
            headers.append(n, v);
        });
        headers
    }

    #[test]
    fn what_concerns_one_connection_goes() {
        let mut headers = map(&[
            ("connection", "close, X-Mine"),
            ("connection", "keep-alive"),
            ("keep-alive", "timeout=5"),
            ("x-mine", "1"),
            ("te", "trailers, deflate"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("x-other", "2"),
        ]);
        remove_hop_by_hop(&mut headers);
        assert_eq!(headers, map(&[("te", "trailers"), ("x-other", "2")]));
    }

    #[test]
    fn only_documents_in_utf_8_are_translated() {
        let cases = [
            ("application/json", MediaType::Json),
            ("Application/JSON; charset=UTF-8", MediaType::Json),
            ("application/json;charset=\"utf-8\"", MediaType::Json),
            ("application/problem+json", MediaType::Json),
            ("application/json; charset=utf-16", MediaType::Elsewhere),
            ("application/json; version=2", MediaType::Json),
            ("text/event-stream", MediaType::Events),
            ("text/event-stream; charset=latin1", MediaType::Elsewhere),
            ("application/x-ndjson", MediaType::Lines),
            ("application/jsonl;charset=utf-8", MediaType::Lines),
            ("application/json-patch+json", MediaType::JsonPatch),
            ("application/json-patch+json;charset=utf-16le", MediaType::Elsewhere),
            ("application/grpc", MediaType::Grpc),
            ("application/grpc+json", MediaType::Grpc),
            ("application/ndjson", MediaType::Other),
            ("application/jsonp", MediaType::Other),
        ];
        for (text, want) in cases {
            assert_eq!(media_type(&map(&[("content-type", text)])), want, "{text}");
        }
    }

    #[test]
    fn a_host_is_an_authority_without_its_port() {
        assert_eq!(host_of("example.com:80"), "example.com");
        assert_eq!(host_of("[::1]:80"), "[::1]");
        assert_eq!(host_of("[::1]"), "[::1]");
    }

    #[test]
    fn cookies_become_one_line() {
        let mut headers = map(&[("cookie", "a=1"), ("cookie", "b=2")]);
        join_cookies(&mut headers);
        assert_eq!(headers, map(&[("cookie", "a=1; b=2")]));
    }

    #[test]
    fn hops_are_counted_down() {
        let mut headers = map(&[("max-forwards", "1")]);
        assert_eq!(count_hop(&Method::GET, &mut headers), Hops::Left);
        assert_eq!(count_hop(&Method::OPTIONS, &mut headers), Hops::Left);
        assert_eq!(count_hop(&Method::OPTIONS, &mut headers), Hops::None);
    }
}
