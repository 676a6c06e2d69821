//! The PROXY protocol, versions 1 and 2: what a load balancer in front says about the client, before the client's
//! first byte (`doc/proxy-protocol.txt` of `HAProxy`).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::fmt;

/// What a header of version 2 begins with.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Bytes of a header of version 2 before its addresses.
const FIXED: usize = 16;
/// Most bytes of addresses and extensions of version 2; 64 KiB would be possible, and nobody sends them.
const MOST: usize = 4096;
/// Most bytes of a line of version 1.
const LINE: usize = 107;

/// Most bytes of a header.
pub const LONGEST: usize = FIXED + MOST;

/// A header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Its bytes.
    pub length: usize,
    /// Who the client is; `None`: who the connection's other end is.
    pub client: Option<SocketAddr>,
}

/// Bytes that are no header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed(&'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Reads the header that a connection begins with; `None` where more bytes are needed.
///
/// # Errors
/// As soon as it can be none.
pub fn parse(bytes: &[u8]) -> Result<Option<Header>, Malformed> {
    let known = bytes.len().min(SIGNATURE.len());
    if bytes[..known] == SIGNATURE[..known] {
        return version_2(bytes);
    }
    version_1(bytes)
}

fn version_1(bytes: &[u8]) -> Result<Option<Header>, Malformed> {
    const BEGINNING: &[u8] = b"PROXY ";
    let known = bytes.len().min(BEGINNING.len());
    if bytes[..known] != BEGINNING[..known] {
        return Err(Malformed("expected a PROXY protocol header"));
    }
    let seen = &bytes[..bytes.len().min(LINE)];
    let Some(end) = seen.iter().position(|b| *b == b'\n') else {
        let is_too_long = seen.len() == LINE;
        return if is_too_long { Err(Malformed("expected a line of at most 107 bytes")) } else { Ok(None) };
    };
    let line = seen[..end].strip_suffix(b"\r").ok_or(Malformed("expected CR LF at the end of the line"))?;
    let line = std::str::from_utf8(&line[BEGINNING.len()..]).map_err(|_| Malformed("expected ASCII"))?;
    let (family, rest) = line.split_once(' ').unwrap_or((line, ""));
    // Whatever else is said of an unknown one has no meaning.
    let client = if family == "UNKNOWN" { None } else { Some(client(family, rest)?) };
    Ok(Some(Header { length: end + 1, client }))
}

/// The client that a line of version 1 names.
fn client(family: &str, rest: &str) -> Result<SocketAddr, Malformed> {
    addresses(family, rest).ok_or(Malformed("expected TCP4, TCP6 or UNKNOWN, two addresses and two ports"))
}

fn addresses(family: &str, rest: &str) -> Option<SocketAddr> {
    let words: Vec<&str> = rest.split(' ').collect();
    let [source, destination, source_port, destination_port] = *words.as_slice() else { return None };
    let address = |text: &str| match family {
        "TCP4" => text.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
        "TCP6" => text.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        _ => None,
    };
    // `parse` would take a sign.
    let port = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u16>().ok()).flatten();
    address(destination)?;
    port(destination_port)?;
    Some(SocketAddr::new(address(source)?, port(source_port)?))
}

fn version_2(bytes: &[u8]) -> Result<Option<Header>, Malformed> {
    let Some((fixed, rest)) = bytes.split_at_checked(FIXED) else {
        // What is there is looked at all the same.
        return bytes.get(12).map_or(Ok(None), |version| is_local(*version).map(|_| None));
    };
    let is_local = is_local(fixed[12])?;
    let family = fixed[13];
    let length = usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    if length > MOST {
        return Err(Malformed("expected at most 4096 bytes of addresses and extensions"));
    }
    let Some(block) = rest.get(..length) else { return Ok(None) };
    let client = if is_local { None } else { source(family, block)? };
    Ok(Some(Header { length: FIXED + length, client }))
}

/// Whether the connection is the load balancer's own, such as a health check.
fn is_local(version_and_command: u8) -> Result<bool, Malformed> {
    match version_and_command {
        0x20 => Ok(true),
        0x21 => Ok(false),
        _ => Err(Malformed("expected version 2 and the command LOCAL or PROXY")),
    }
}

fn source(family: u8, block: &[u8]) -> Result<Option<SocketAddr>, Malformed> {
    let short = Malformed("expected two addresses and two ports");
    let port = |at: usize| block.get(at..at + 2).map(|b| u16::from_be_bytes([b[0], b[1]]));
    match family {
        // TCP over IPv4: two addresses of 4 bytes, two ports.
        0x11 => {
            let (address, port) = block.first_chunk::<4>().zip(port(8)).ok_or(short)?;
            port_end(block, 12, short)?;
            Ok(Some(SocketAddr::new(Ipv4Addr::from(*address).into(), port)))
        }
        // TCP over IPv6: two of 16.
        0x21 => {
            let (address, port) = block.first_chunk::<16>().zip(port(32)).ok_or(short)?;
            port_end(block, 36, short)?;
            Ok(Some(SocketAddr::new(Ipv6Addr::from(*address).into(), port)))
        }
        // Datagrams and local sockets; and what has no address.
        0x00 | 0x12 | 0x22 | 0x31 | 0x32 => Ok(None),
        _ => Err(Malformed("expected an address family that version 2 has")),
    }
}

fn port_end(block: &[u8], end: usize, short: Malformed) -> Result<(), Malformed> {
    if block.len() < end { Err(short) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v2(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
        let length = u16::try_from(block.len()).unwrap().to_be_bytes();
        [SIGNATURE.as_slice(), &[command, family], &length, block].concat()
    }

    fn four() -> Vec<u8> {
        [[192, 0, 2, 7].as_slice(), &[10, 0, 0, 1], &[0xc3, 0x50], &[0x01, 0xbb]].concat()
    }

    fn six() -> Vec<u8> {
        let source = "2001:db8::7".parse::<Ipv6Addr>().unwrap().octets();
        [source.as_slice(), &[0; 16], &[0xc3, 0x50], &[0x01, 0xbb]].concat()
    }

    /// Headers with the client that they name.
    fn good() -> Vec<(Vec<u8>, Option<&'static str>)> {
        let v1 = |text: &str| text.as_bytes().to_vec();
        vec![
            (v1("PROXY TCP4 192.0.2.7 10.0.0.1 50000 443\r\n"), Some("192.0.2.7:50000")),
            (v1("PROXY TCP6 2001:db8::7 ::1 50000 443\r\n"), Some("[2001:db8::7]:50000")),
            (v1("PROXY UNKNOWN\r\n"), None),
            (v1("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"), None),
            (v2(0x21, 0x11, &four()), Some("192.0.2.7:50000")),
            (v2(0x21, 0x21, &six()), Some("[2001:db8::7]:50000")),
            (v2(0x21, 0x11, &[four(), vec![3, 0, 4, 1, 2, 3, 4]].concat()), Some("192.0.2.7:50000")),
            (v2(0x21, 0x11, &[four(), vec![0; MOST - 12]].concat()), Some("192.0.2.7:50000")),
            (v2(0x20, 0x11, &four()), None),
            (v2(0x20, 0x00, &[]), None),
            (v2(0x21, 0x00, b"anything"), None),
            (v2(0x21, 0x31, &[0; 216]), None),
        ]
    }

    #[test]
    fn headers_of_both_versions_are_read_wherever_they_are_cut() {
        for (bytes, client) in good() {
            let want = Header { length: bytes.len(), client: client.map(|text| text.parse().unwrap()) };
            let with_more = [bytes.as_slice(), b"GET / HTTP/1.1\r\n"].concat();
            for seen in 0..=with_more.len() {
                let want = (seen >= bytes.len()).then_some(want);
                assert_eq!(parse(&with_more[..seen]), Ok(want), "{seen} bytes of {bytes:?}");
            }
        }
    }

    #[test]
    fn what_is_none_is_refused_as_soon_as_that_can_be_seen() {
        let v1 = |text: &str| text.as_bytes().to_vec();
        let cases = [
            (v1("GET / HTTP/1.1\r\n"), 1),
            (v1("PROXY\tTCP4"), 6),
            (v1("proxy TCP4 "), 1),
            (v1("PROXY TCP4 192.0.2.7 10.0.0.1 50000 443\n"), 40),
            (v1("PROXY TCP4 192.0.2.7 10.0.0.1 50000\r\n"), 37),
            (v1("PROXY TCP4 2001:db8::7 ::1 50000 443\r\n"), 38),
            (v1("PROXY TCP4 192.0.2.7 10.0.0.1 +5 443\r\n"), 38),
            (v1("PROXY TCP4 192.0.2.7 10.0.0.1 65536 443\r\n"), 41),
            (v1("PROXY TCP4  192.0.2.7 10.0.0.1 50000 443\r\n"), 42),
            (v1("PROXY UDP4 192.0.2.7 10.0.0.1 50000 443\r\n"), 41),
            (v1(&format!("PROXY UNKNOWN {}\r\n", "x".repeat(100))), LINE),
            (v2(0x11, 0x11, &four()), 13),
            (v2(0x22, 0x11, &four()), 13),
            (v2(0x21, 0x41, &four()), 28),
            (v2(0x21, 0x11, &four()[..11]), 27),
            (v2(0x21, 0x21, &four()), 28),
            (v2(0x21, 0x11, &vec![0; MOST + 1]), 16),
        ];
        for (bytes, seen_at) in cases {
            for seen in 0..=bytes.len() {
                assert_eq!(parse(&bytes[..seen]).is_err(), seen >= seen_at, "{seen} bytes of {bytes:?}");
            }
        }
    }
}
