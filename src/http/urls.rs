//! URLs that a backend says of itself, as its client has to ask for them.
//!
//! A URL that points into this API in the backend's version leaves in the client's: the prefix and the query parameter
//! that name the version, the path and the query that rules translate, and the backend's own authority. It is
//! translated as a request of a client that speaks the backend's version to a backend that speaks the client's would
//! be. URLs of other hosts stay as they are.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::PathAndQuery;
use http::{Method, Uri};

use super::exchange::{Exchange, values};

/// What relative references are relative to.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// What the client asked for.
    pub(crate) client: Uri,
    /// What the backend was asked for.
    pub(crate) backend: PathAndQuery,
    /// At which authority, where it was not its own.
    pub(crate) host: Option<HeaderValue>,
}

/// Headers that hold one URL.
const SINGLE: [HeaderName; 2] = [header::LOCATION, header::CONTENT_LOCATION];

/// Rewrites the URLs in a response's head.
pub(crate) fn rewrite(exchange: &Exchange, asked: &Asked, headers: &mut HeaderMap) {
    for name in SINGLE {
        map_values(headers, &name, |url| rewritten(exchange, asked, url));
    }
    map_values(headers, &header::LINK, |line| rewritten_links(line, |url| rewritten(exchange, asked, url)));
}

/// Maps the values of a header; `None` leaves one as it is, as does what is no header value.
fn map_values(headers: &mut HeaderMap, name: &HeaderName, map: impl Fn(&str) -> Option<String>) {
    if !headers.contains_key(name) {
        return;
    }
    let mapped = |value: &HeaderValue| HeaderValue::try_from(map(value.to_str().ok()?)?).ok();
    let all: Vec<HeaderValue> =
        headers.get_all(name).iter().map(|value| mapped(value).unwrap_or_else(|| value.clone())).collect();
    headers.remove(name);
    for value in all {
        headers.append(name, value);
    }
}

/// The targets of a `link` header, which stand in angle brackets outside of quotes (RFC 8288 section 3).
fn rewritten_links(line: &str, map: impl Fn(&str) -> Option<String>) -> Option<String> {
    let mut out = String::new();
    let (mut rest, mut is_quoted, mut is_changed) = (line, false, false);
    while let Some(at) = rest.find(['<', '"', '\\']) {
        let (before, found) = rest.split_at(at);
        out.push_str(before);
        let end = match found.as_bytes() {
            [b'<', ..] if !is_quoted => found.find('>').map_or(found.len(), |end| end + 1),
            [b'\\', ..] if is_quoted => found.chars().take(2).map(char::len_utf8).sum(),
            [first, ..] => {
                is_quoted ^= *first == b'"';
                1
            }
            [] => 0,
        };
        let (part, after) = found.split_at(end);
        let target = part.strip_prefix('<').and_then(|part| part.strip_suffix('>'));
        match target.and_then(|target| map(target.trim())) {
            Some(new) => {
                is_changed = true;
                out.extend(["<", &new, ">"]);
            }
            None => out.push_str(part),
        }
        rest = after;
    }
    out.push_str(rest);
    is_changed.then_some(out)
}

/// A URL as the client has to ask for it; `None` where it is right as it is.
fn rewritten(exchange: &Exchange, asked: &Asked, url: &str) -> Option<String> {
    let (url, fragment) = url.split_at(url.find('#').unwrap_or(url.len()));
    let Parts { scheme, authority, reference } = parts(url)?;
    let Some(authority) = authority else {
        let target = resolve(asked.backend.path(), reference);
        let wanted = target_of(exchange, &target).unwrap_or_else(|| target.clone());
        // A relative reference that leads there from where the client is may stay.
        let leads = resolve(asked.client.path(), reference);
        return (leads != wanted).then(|| wanted + fragment);
    };
    let is_client = exchange.authority.as_deref().is_some_and(|own| is_same(scheme, own, authority));
    let is_backend =
        asked.host.as_ref().is_some_and(|host| is_same(scheme, host.to_str().unwrap_or_default(), authority))
            || exchange.backend.endpoints().any(|endpoint| is_same(scheme, endpoint.address, authority));
    if !is_client && !is_backend {
        return None;
    }
    let path = if reference.starts_with('/') { reference.to_owned() } else { format!("/{reference}") };
    let target = target_of(exchange, &path);
    match (&exchange.authority, target) {
        (_, None) if is_client => None,
        (_, Some(target)) if is_client => Some(format!("{scheme}//{authority}{target}{fragment}")),
        (own, target) => {
            let target = target.unwrap_or(path);
            let base = own.as_ref().map(|own| format!("{}//{own}", client_scheme(exchange, scheme)));
            Some(format!("{}{target}{fragment}", base.unwrap_or_default()))
        }
    }
}

/// What the client connects with, where the URL has a scheme.
fn client_scheme(exchange: &Exchange, scheme: &str) -> &'static str {
    match (scheme, exchange.client.is_tls) {
        ("", _) => "",
        (_, true) => "https:",
        (_, false) => "http:",
    }
}

/// A path and query of the backend's version in the client's; `None` where they stay.
fn target_of(exchange: &Exchange, target: &str) -> Option<String> {
    let Exchange { api, resolved, .. } = exchange;
    let lead = api.resolver.lead(&api.versions, exchange.speaks, resolved.prefix.as_ref(), target)?;
    let path = lead.path_and_query.split('?').next().unwrap_or_default();
    let speaks = exchange.speaks_at(path);
    if resolved.version == speaks && resolved.version == exchange.speaks {
        return None;
    }
    // Asked the other way round: from the backend's version to the client's.
    let call = api.pair(speaks, resolved.version).find(&Method::GET, path);
    if call.absent().is_some() {
        return None;
    }
    let values = values(jiff::Timestamp::now(), exchange.client_version(), api.on_error.request);
    let mut headers = HeaderMap::new();
    let limits = exchange.json_limits();
    let whole = call.whole_request(&Method::GET, &lead.path_and_query, &mut headers, None, &values, limits).ok()?;
    // What the other version asks for with a body has no URL.
    let target = Some(whole).filter(|whole| whole.body.is_none())?.head.path_and_query;
    Some(api.resolver.follow(&lead, exchange.client_version(), exchange.backend_version(), &target))
}

/// A URL without its fragment.
struct Parts<'a> {
    /// With its colon; empty where there is none.
    scheme: &'a str,
    authority: Option<&'a str>,
    /// Path and query.
    reference: &'a str,
}

/// Takes a URL apart (RFC 3986 section 4.1); `None` where it is not one of HTTP.
fn parts(url: &str) -> Option<Parts<'_>> {
    let end = url.find([':', '/', '?']).filter(|at| url[*at..].starts_with(':')).map_or(0, |at| at + 1);
    let (scheme, rest) = url.split_at(end);
    if !["", "http:", "https:"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return None;
    }
    match rest.strip_prefix("//") {
        Some(rest) => {
            let (authority, reference) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
            Some(Parts { scheme, authority: Some(authority), reference })
        }
        None if scheme.is_empty() => Some(Parts { scheme, authority: None, reference: rest }),
        None => None,
    }
}

/// Whether two authorities are one, where the scheme's port need not be written.
fn is_same(scheme: &str, one: &str, other: &str) -> bool {
    let port = if scheme.eq_ignore_ascii_case("https:") { ":443" } else { ":80" };
    let bare = |authority: &str| authority.strip_suffix(port).unwrap_or(authority).to_ascii_lowercase();
    bare(one) == bare(other)
}

/// The path and query that a relative reference leads to from a path (RFC 3986 section 5.2).
fn resolve(base: &str, reference: &str) -> String {
    if reference.starts_with('/') {
        return reference.to_owned();
    }
    if reference.is_empty() || reference.starts_with('?') {
        return format!("{base}{reference}");
    }
    let (path, query) = reference.split_at(reference.find('?').unwrap_or(reference.len()));
    let folder = base.rfind('/').map_or("", |at| &base[..at]);
    let mut segments: Vec<&str> = folder.split('/').skip(1).collect();
    let mut is_folder = false;
    for segment in path.split('/') {
        is_folder = matches!(segment, "." | "..");
        match segment {
            "." => {}
            ".." => {
                segments.pop();
            }
            segment => segments.push(segment),
        }
    }
    let end = if is_folder && !segments.is_empty() { "/" } else { "" };
    format!("/{}{end}{query}", segments.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_relative_to_what_was_asked_for() {
        let cases = [
            ("/a/b", "c", "/a/c"),
            ("/a/b", "./c?x=1", "/a/c?x=1"),
            ("/a/b", "../c", "/c"),
            ("/a/b", "../../../c/", "/c/"),
            ("/a/b", "?x=/1", "/a/b?x=/1"),
            ("/a/b", "/c", "/c"),
            ("/a/b/", "..", "/a/"),
            ("/", "c", "/c"),
        ];
        for (base, reference, want) in cases {
            assert_eq!(resolve(base, reference), want, "{reference} from {base}");
        }
    }

    #[test]
    fn only_urls_of_http_are_taken_apart() {
        let apart = |url| parts(url).map(|p| (p.scheme, p.authority, p.reference));
        assert_eq!(apart("http://h:1/a?b"), Some(("http:", Some("h:1"), "/a?b")));
        assert_eq!(apart("HTTPS://h"), Some(("HTTPS:", Some("h"), "")));
        assert_eq!(apart("//h/a"), Some(("", Some("h"), "/a")));
        assert_eq!(apart("/a:b"), Some(("", None, "/a:b")));
        assert_eq!((apart("mailto:a@b"), apart("urn:x:y"), apart("http:a")), (None, None, None));
        assert!(is_same("http:", "H", "h:80") && is_same("https:", "h:443", "h") && !is_same("http:", "h:443", "h"));
    }

    #[test]
    fn links_keep_what_is_no_target() {
        let map = |url: &str| (url == "/a").then(|| "/b".to_owned());
        let line = r#"</a>; rel="next"; title="</a> \" </a>", </c>; rel=x,</a>"#;
        let want = r#"</b>; rel="next"; title="</a> \" </a>", </c>; rel=x,</b>"#;
        assert_eq!(rewritten_links(line, map).as_deref(), Some(want));
        assert_eq!(rewritten_links("</c>; rel=next", map), None);
        assert_eq!(rewritten_links("</a", map), None);
    }
}
