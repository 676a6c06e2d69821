//! Whom a request is forwarded for: `x-forwarded-*` and `forwarded` (RFC 7239).
//!
//! Anyone may write these, so that only networks of `apis.X.forwarded.trust` are believed. What others say is replaced.

use std::net::{IpAddr, SocketAddr};

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;

use super::headers::{insert, tokens};
use crate::config::is_in;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The way that a request came to this proxy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hop<'a> {
    /// The connection's other end.
    pub(crate) peer: IpAddr,
    pub(crate) is_tls: bool,
    /// The authority that was asked.
    pub(crate) authority: Option<&'a str>,
    /// Whether what it says of hops before it is true.
    pub(crate) is_trusted: bool,
}

/// Says whom a request is forwarded for: what a trusted hop says is added to, what another says is replaced
/// (RFC 7239 section 8.1).
pub(crate) fn set(headers: &mut HeaderMap, hop: &Hop<'_>) {
    let ip = hop.peer.to_canonical();
    let proto = if hop.is_tls { "https" } else { "http" };
    // What is inserted replaces what was said.
    let is_said = |headers: &HeaderMap, name: &HeaderName| hop.is_trusted && headers.contains_key(name);
    let address = text(ip);
    let [before, after] = if ip.is_ipv6() { ["for=\"[", "]\""] } else { ["for=", ""] };
    let mut element = [before, &address, after].concat();
    match hop.authority {
        Some(authority) => {
            element.extend([";host=\"", authority, "\""]);
            if !is_said(headers, &X_FORWARDED_HOST) {
                insert(headers, X_FORWARDED_HOST, authority);
            }
        }
        None if hop.is_trusted => {}
        None => drop(headers.remove(&X_FORWARDED_HOST)),
    }
    element.extend([";proto=", proto]);
    if !is_said(headers, &X_FORWARDED_PROTO) {
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(proto));
    }
    for (name, element) in [(X_FORWARDED_FOR, &address), (header::FORWARDED, &element)] {
        if is_said(headers, &name) {
            add(headers, name, element);
        } else {
            insert(headers, name, element);
        }
    }
}

/// An address as text. Those of IPv4, which most are, need none of what formats all others.
fn text(ip: IpAddr) -> String {
    let IpAddr::V4(ip) = ip else { return ip.to_string() };
    let mut text = String::with_capacity("255.255.255.255".len());
    for octet in ip.octets() {
        if !text.is_empty() {
            text.push('.');
        }
        let digits = [octet / 100, octet / 10 % 10, octet % 10];
        let skipped = usize::from(octet < 100) + usize::from(octet < 10);
        text.extend(digits[skipped..].iter().map(|digit| char::from(b'0' + digit)));
    }
    text
}

/// Appends an element to a list that is there, in one line.
fn add(headers: &mut HeaderMap, name: HeaderName, element: &str) {
    let said: Vec<&str> = tokens(headers, &name).collect();
    let list = if said.is_empty() { element.to_owned() } else { format!("{}, {element}", said.join(", ")) };
    insert(headers, name, &list);
}

/// Who asks: the last hop that is not trusted, going back from the connection's other end. What a hop says is believed
/// as far as the hop is.
pub(crate) fn client_ip(headers: &HeaderMap, peer: IpAddr, trust: &[IpNet]) -> IpAddr {
    let peer = peer.to_canonical();
    if trust.is_empty() || !is_in(trust, peer) {
        return peer;
    }
    let by_lists: Vec<Option<IpAddr>> = tokens(headers, &X_FORWARDED_FOR).map(address).collect();
    let hops = if by_lists.is_empty() {
        tokens(headers, &header::FORWARDED).map(|element| forwarded_for(element).and_then(address)).collect()
    } else {
        by_lists
    };
    let mut client = peer;
    for hop in hops.into_iter().rev() {
        let Some(hop) = hop else { break };
        client = hop;
        if !is_in(trust, hop) {
            break;
        }
    }
    client
}

/// The `for` of an element of `forwarded`.
fn forwarded_for(element: &str) -> Option<&str> {
    let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let mut named = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for"));
    named.next().map(|(_, value)| value.trim().trim_matches('"'))
}

/// An address as these headers have it: with a port or without, an IPv6 one with brackets or without.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let parsed = bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()));
    parsed.map(|ip: IpAddr| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(lines: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| (HeaderName::from_static(name), value.parse().unwrap());
        lines.iter().map(pair).collect()
    }

    #[test]
    fn addresses_are_written_as_the_standard_library_does() {
        for octet in 0..=255_u8 {
            let ip = IpAddr::from([octet, 255 - octet, octet / 2, 0]);
            assert_eq!(text(ip), ip.to_string());
        }
    }

    fn hop(is_trusted: bool) -> Hop<'static> {
        let peer = "192.0.2.7".parse().unwrap();
        Hop { peer, is_tls: true, authority: Some("api.example:8080"), is_trusted }
    }

    #[test]
    fn what_an_unknown_client_says_is_replaced() {
        let mut headers = map(&[
            ("x-forwarded-for", "1.1.1.1"),
            ("forwarded", "for=1.1.1.1"),
            ("x-forwarded-host", "x"),
            ("x-forwarded-proto", "gopher"),
        ]);
        set(&mut headers, &hop(false));
        let want = map(&[
            ("x-forwarded-host", "api.example:8080"),
            ("x-forwarded-for", "192.0.2.7"),
            ("x-forwarded-proto", "https"),
            ("forwarded", "for=192.0.2.7;host=\"api.example:8080\";proto=https"),
        ]);
        assert_eq!(headers, want);
    }

    #[test]
    fn an_unknown_client_that_names_no_authority_cannot_say_one() {
        let mut headers = map(&[("x-forwarded-host", "x"), ("x-forwarded-host", "y"), ("x-forwarded-for", "1.1.1.1")]);
        headers.append("x-forwarded-for", HeaderValue::from_static("2.2.2.2"));
        set(&mut headers, &Hop { authority: None, ..hop(false) });
        let want = map(&[
            ("x-forwarded-for", "192.0.2.7"),
            ("x-forwarded-proto", "https"),
            ("forwarded", "for=192.0.2.7;proto=https"),
        ]);
        assert_eq!(headers, want);
    }

    #[test]
    fn what_a_trusted_hop_says_is_added_to() {
        let mut headers = map(&[
            ("x-forwarded-for", "1.1.1.1"),
            ("forwarded", "for=1.1.1.1;proto=http"),
            ("x-forwarded-host", "x"),
            ("x-forwarded-proto", "http"),
        ]);
        set(&mut headers, &hop(true));
        let want = map(&[
            ("x-forwarded-host", "x"),
            ("x-forwarded-for", "1.1.1.1, 192.0.2.7"),
            ("x-forwarded-proto", "http"),
            ("forwarded", "for=1.1.1.1;proto=http, for=192.0.2.7;host=\"api.example:8080\";proto=https"),
        ]);
        assert_eq!(headers, want);
    }

    #[test]
    fn the_client_is_the_last_hop_that_is_not_trusted() {
        let cases: [(&[(&str, &str)], &str); 8] = [
            (&[], "10.0.0.1"),
            (&[("x-forwarded-for", "6.6.6.6, 192.0.2.9")], "192.0.2.9"),
            (&[("x-forwarded-for", "6.6.6.6, 192.0.2.9, 10.0.0.2")], "192.0.2.9"),
            (&[("x-forwarded-for", "10.0.0.3, 10.0.0.2")], "10.0.0.3"),
            (&[("x-forwarded-for", "6.6.6.6, unknown, 10.0.0.2")], "10.0.0.2"),
            (&[("x-forwarded-for", "192.0.2.9:5, [2001:db8::1]:7")], "2001:db8::1"),
            (&[("forwarded", "for=6.6.6.6, For=\"[2001:db8::2]\";proto=https")], "2001:db8::2"),
            (&[("forwarded", "proto=https")], "10.0.0.1"),
        ];
        let trust = ["10.0.0.0/8".parse().unwrap()];
        for (lines, want) in cases {
            let lines: Vec<(&'static str, &str)> = lines.to_vec();
            let peer = "::ffff:10.0.0.1".parse().unwrap();
            assert_eq!(client_ip(&map(&lines), peer, &trust), want.parse::<IpAddr>().unwrap(), "{lines:?}");
            assert_eq!(client_ip(&map(&lines), "192.0.2.1".parse().unwrap(), &trust).to_string(), "192.0.2.1");
        }
    }
}
