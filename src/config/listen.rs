//! What `listen` may say.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use super::file::{address, not_empty_list, number, positive, set, size};
use super::named_file::{Files, NamedFile};
use super::{CertificatePair, ListenLimits, Listener, ProxyProtocol, code};
use crate::diagnostic::Span;
use crate::yaml::{Node, Reader};

pub(super) fn listeners(node: &Node, files: &Files<'_>, reader: &mut Reader) -> Option<Vec<Listener>> {
    let items = not_empty_list(node, "`listen`", "listener", reader)?;
    let mut seen = HashMap::new();
    let listeners: Vec<Option<Listener>> = items.iter().map(|item| listener(item, files, &mut seen, reader)).collect();
    listeners.into_iter().collect()
}

fn listener(
    node: &Node,
    files: &Files<'_>,
    seen: &mut HashMap<SocketAddr, Span>,
    reader: &mut Reader,
) -> Option<Listener> {
    let mut fields = reader.fields(node, "a listener")?;
    let node = fields.require(reader, "address");
    let address = node.and_then(|node| Some((node, address(node, reader)?)));
    let limits = fields.get("limits").and_then(|node| listen_limits(node, reader));
    let tls = fields.get("tls").map_or(Some(Vec::new()), |node| tls(node, files, reader));
    let proxy_protocol = fields.get("proxy_protocol").and_then(|node| proxy_protocol(node, reader));
    fields.finish(reader);

    let (node, address) = address?;
    if let (Some(first), false) = (seen.insert(address, node.span), address.port() == 0) {
        let message = format!("`{address}` is listened on twice");
        reader.error(code::DUPLICATE_ADDRESS, node.span, message).secondary(first, "first here");
    }
    let (limits, proxy_protocol) = (limits.unwrap_or_default(), proxy_protocol.unwrap_or_default());
    Some(Listener { address, tls: tls?, proxy_protocol, limits })
}

fn listen_limits(node: &Node, reader: &mut Reader) -> Option<ListenLimits> {
    let mut fields = reader.fields(node, "the limits of a listener")?;
    let mut limits = ListenLimits::default();
    set(&mut limits.connections, fields.get("connections"), |node| {
        number(node, "`connections`", 1..=1_000_000, reader)
    });
    // The HTTP/1 parser needs at least 8 KiB to work in.
    set(&mut limits.head, fields.get("head"), |node| size(node, "`head`", 8 << 10..=16 << 20, reader));
    set(&mut limits.headers, fields.get("headers"), |node| number(node, "`headers`", 1..=10_000, reader));
    set(&mut limits.head_timeout, fields.get("head_timeout"), |node| positive(node, "`head_timeout`", reader));
    set(&mut limits.keep_alive, fields.get("keep_alive"), |node| positive(node, "`keep_alive`", reader));
    set(&mut limits.body_rate, fields.get("body_rate"), |node| size(node, "`body_rate`", 0..=1 << 30, reader));
    set(&mut limits.streams, fields.get("streams"), |node| number(node, "`streams`", 1..=1_000_000, reader));
    fields.finish(reader);
    Some(limits)
}

/// One pair of files, or a list of them.
fn tls(node: &Node, files: &Files<'_>, reader: &mut Reader) -> Option<Vec<CertificatePair>> {
    if node.as_mapping().is_some() {
        return pair(node, files, reader).map(|pair| vec![pair]);
    }
    if node.as_sequence().is_none() {
        reader.wrong_type(node, "`tls`", "a mapping of `certificate` and `key`, or a list of such");
        return None;
    }
    let items = not_empty_list(node, "`tls`", "certificate", reader)?;
    let pairs: Vec<_> = items.iter().map(|item| pair(item, files, reader)).collect();
    pairs.into_iter().collect()
}

fn pair(node: &Node, files: &Files<'_>, reader: &mut Reader) -> Option<CertificatePair> {
    let mut fields = reader.fields(node, "`tls`")?;
    let mut file = |key: &'static str, what: &str, reader: &mut Reader| -> Option<NamedFile> {
        fields.require(reader, key).and_then(|node| files.file(node, what, reader))
    };
    let certificate = file("certificate", "`certificate`", reader);
    let key = file("key", "`key`", reader);
    fields.finish(reader);
    Some(CertificatePair { certificate: certificate?, key: key? })
}

/// `true`, `false`, or whose connections have it.
fn proxy_protocol(node: &Node, reader: &mut Reader) -> Option<ProxyProtocol> {
    if node.as_mapping().is_some() {
        let mut fields = reader.fields(node, "`proxy_protocol`")?;
        let trust = fields.require(reader, "trust").and_then(|node| networks(node, reader));
        fields.finish(reader);
        return trust.map(ProxyProtocol::From);
    }
    match node.as_bool() {
        Some(true) => Some(ProxyProtocol::Always),
        Some(false) => Some(ProxyProtocol::Never),
        None => {
            reader.wrong_type(node, "`proxy_protocol`", "true, false or {trust: [10.0.0.0/8]}");
            None
        }
    }
}

/// Networks and single addresses.
pub(super) fn networks(node: &Node, reader: &mut Reader) -> Option<Vec<IpNet>> {
    let networks: Vec<_> = reader.list(node, "`trust`")?.iter().map(|item| network(item, reader)).collect();
    networks.into_iter().collect()
}

fn network(node: &Node, reader: &mut Reader) -> Option<IpNet> {
    let text = reader.string(node, "a network")?;
    let network = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    if network.is_none() {
        let message = format!("expected a network or an IP address, found `{}`", text.escape_debug());
        reader.bad_value(node, message).help("write `10.0.0.0/8`, `2001:db8::/32` or `127.0.0.1`");
    }
    network.map(|network| network.trunc())
}
