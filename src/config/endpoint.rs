//! Addresses of backends and names of hosts.

use http::uri::Authority;

use super::{Endpoint, Scheme};

/// The schemes, with the ports where none is written.
const SCHEMES: [(&str, Scheme, u16); 2] = [("http://", Scheme::Http, 80), ("https://", Scheme::Https, 443)];

/// An endpoint from `http://host[:port]` or `https://host[:port]`.
pub(super) fn parse(text: &str) -> Result<Endpoint, String> {
    let expected = || format!("expected `http://host:port` or `https://host:port`, found `{text}`");
    let of_scheme = |(prefix, scheme, port)| Some((text.strip_prefix(prefix)?, scheme, port));
    let (rest, scheme, default_port) = SCHEMES.into_iter().find_map(of_scheme).ok_or_else(expected)?;
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if let Some(c) = rest.chars().find(|c| matches!(c, '/' | '?' | '#' | '@')) {
        return Err(format!("an endpoint is a host and a port, without path, query or user: `{c}` in `{text}`"));
    }
    let authority: Authority = rest.parse().map_err(|_| expected())?;
    if authority.host().is_empty() || authority.host() == "[]" {
        return Err(expected());
    }
    let port = match rest.strip_prefix(authority.host()) {
        Some("") => Some(default_port),
        _ => authority.port_u16().filter(|port| *port != 0),
    };
    let port = port.ok_or_else(|| format!("expected a port from 1 to 65535 in `{text}`"))?;
    let authority = format!("{}:{port}", authority.host()).parse().map_err(|_| expected())?;
    Ok(Endpoint { scheme, authority })
}

/// A host that an API answers for, in lower case.
pub(super) fn host(text: &str) -> Result<String, String> {
    let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let address = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let is_address = address.is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok());
    if is_address || !text.is_empty() && text.bytes().all(is_name_byte) {
        return Ok(text.to_ascii_lowercase());
    }
    Err(format!("expected a host name without port or `*`, found `{text}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_endpoints() {
        let cases = [
            ("http://127.0.0.1:4000", Ok("127.0.0.1:4000")),
            ("http://chat.internal", Ok("chat.internal:80")),
            ("http://chat.internal/", Ok("chat.internal:80")),
            ("https://chat.internal", Ok("chat.internal:443")),
            ("http://[::1]:8080", Ok("[::1]:8080")),
            ("http://[::1]", Ok("[::1]:80")),
            ("chat.internal:80", Err("expected `http://host:port` or `https://host:port`, found `chat.internal:80`")),
            ("ftp://a", Err("expected `http://host:port` or `https://host:port`, found `ftp://a`")),
            ("http://", Err("expected `http://host:port` or `https://host:port`, found `http://`")),
            ("http://:80", Err("expected `http://host:port` or `https://host:port`, found `http://:80`")),
            ("http://a b", Err("expected `http://host:port` or `https://host:port`, found `http://a b`")),
            ("http://a:0", Err("expected a port from 1 to 65535 in `http://a:0`")),
            ("http://a:", Err("expected a port from 1 to 65535 in `http://a:`")),
            ("http://a:65536", Err("expected a port from 1 to 65535 in `http://a:65536`")),
            (
                "http://a/api",
                Err("an endpoint is a host and a port, without path, query or user: `/` in `http://a/api`"),
            ),
            ("http://a?b", Err("an endpoint is a host and a port, without path, query or user: `?` in `http://a?b`")),
            ("http://u@a", Err("an endpoint is a host and a port, without path, query or user: `@` in `http://u@a`")),
        ];
        for (text, want) in cases {
            let found = parse(text).map(|endpoint| endpoint.authority.to_string());
            assert_eq!(found.as_deref().map_err(String::as_str), want, "{text}");
        }
    }

    #[test]
    fn reads_hosts() {
        for (text, want) in [("Chat.Example.com", "chat.example.com"), ("10.0.0.1", "10.0.0.1"), ("[::1]", "[::1]")] {
            assert_eq!(host(text).as_deref(), Ok(want));
        }
        for text in ["", "a:80", "*.example.com", "a/b", "[a]", "a b"] {
            assert_eq!(host(text), Err(format!("expected a host name without port or `*`, found `{text}`")));
        }
    }
}
