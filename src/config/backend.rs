//! What `backends` may say.

use std::time::Duration;

use http::uri::Authority;

use super::api::name;
use super::client_tls::{self, ClientTls};
use super::file::{not_empty, not_empty_list, number, positive, report_not_supported, set};
use super::named_file::Files;
use super::{code, endpoint};
use crate::diagnostic::Span;
use crate::yaml::{Node, Reader};

/// A group of endpoints that speak one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendConfig {
    /// The name.
    pub name: String,
    /// The version that it speaks.
    pub speaks: Speaks,
    /// Never empty.
    pub endpoints: Vec<Endpoint>,
    /// How an endpoint is picked.
    pub balance: Balance,
    /// What is spoken to it.
    pub protocol: Protocol,
    /// Which `host` it reads.
    pub host: Host,
    /// Active checks, where there are any.
    pub checks: Option<Checks>,
    /// What is sent again.
    pub retries: Retries,
    /// For endpoints of `https://`.
    pub tls: ClientTls,
}

/// The version that a backend speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Speaks {
    /// Its label.
    pub default: String,
    /// Calls, as the backend has them, of which it speaks other versions, and their labels.
    pub calls: Vec<(String, String)>,
}

/// The same version for all calls.
impl From<&str> for Speaks {
    fn from(label: &str) -> Self {
        Self { default: label.to_owned(), calls: Vec::new() }
    }
}

/// Which `host` a backend reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Host {
    /// What the client asked for.
    #[default]
    Client,
    /// The endpoint's own.
    Backend,
}

/// One backend address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// How its bytes are carried.
    pub scheme: Scheme,
    /// `host:port`, as in a `Host` header; the port is always there.
    pub authority: Authority,
}

/// How bytes are carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// As they are.
    Http,
    /// Over TLS.
    Https,
}

/// How an endpoint is picked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Balance {
    /// The less loaded of two picked at random.
    #[default]
    LeastLoaded,
    /// Each in turn.
    RoundRobin,
}

/// What is spoken to a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    /// What is agreed upon by ALPN; HTTP/1.1 without TLS.
    #[default]
    Auto,
    /// HTTP/1.1.
    H1,
    /// HTTP/2; without TLS, by prior knowledge.
    H2,
}

/// Active checks of each endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checks {
    /// What is asked for: a path, perhaps with a query.
    pub path: String,
    /// How often.
    pub every: Duration,
    /// How long an answer may take, with the connection.
    pub timeout: Duration,
    /// After how many in a row that pass an endpoint is up again.
    pub healthy: u32,
    /// After how many in a row that fail it is down.
    pub unhealthy: u32,
}

/// What is sent again when it was not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retries {
    /// How often, for one request.
    pub attempts: u32,
    /// Where no connection can be opened.
    pub on_connect: bool,
    /// Where the connection ends before the response.
    pub on_reset: bool,
}

impl Default for Retries {
    fn default() -> Self {
        Self { attempts: 1, on_connect: true, on_reset: true }
    }
}

pub(super) fn backends(node: &Node, files: &Files<'_>, reader: &mut Reader) -> Option<Vec<BackendConfig>> {
    let entries = reader.mapping(node, "`backends`")?;
    if entries.is_empty() {
        reader.bad_value(node, "`backends` must have at least one backend");
    }
    if let Some((second, _)) = entries.get(1) {
        report_not_supported(second, "more than one backend", reader);
    }
    let backends: Vec<_> = entries.iter().map(|(key, value)| backend(key, value, files, reader)).collect();
    backends.into_iter().collect()
}

const BALANCES: [(&str, Balance); 2] = [("least_loaded", Balance::LeastLoaded), ("round_robin", Balance::RoundRobin)];
const PROTOCOLS: [(&str, Protocol); 3] = [("auto", Protocol::Auto), ("h1", Protocol::H1), ("h2", Protocol::H2)];

const HOSTS: [(&str, Host); 2] = [("client", Host::Client), ("backend", Host::Backend)];

fn backend(key: &Node, node: &Node, files: &Files<'_>, reader: &mut Reader) -> Option<BackendConfig> {
    let name = name(key, "a backend", reader);
    let mut fields = reader.fields(node, "a backend")?;
    let speaks = fields.require(reader, "speaks").and_then(|node| speaks(node, reader));
    let endpoints = fields.require(reader, "endpoints").and_then(|node| endpoints(node, reader));
    let balance = fields.get("balance").and_then(|node| reader.one_of(node, "`balance`", &BALANCES));
    let protocol = fields.get("protocol").and_then(|node| reader.one_of(node, "`protocol`", &PROTOCOLS));
    let host = fields.get("host").and_then(|node| reader.one_of(node, "`host`", &HOSTS));
    let checks = fields.get("health").and_then(|node| checks(node, reader));
    let retries = fields.get("retries").and_then(|node| retries(node, reader)).unwrap_or_default();
    let tls_node = fields.get("tls");
    let tls = tls_node.and_then(|node| client_tls::read(node, files, reader)).unwrap_or_default();
    fields.finish(reader);

    let endpoints = endpoints?;
    if let Some(node) = tls_node.filter(|_| endpoints.iter().all(|endpoint| endpoint.scheme == Scheme::Http)) {
        reader.bad_value(node, "`tls` is for endpoints of `https://`, and there is none");
    }
    let balance = balance.copied().unwrap_or_default();
    let protocol = protocol.copied().unwrap_or_default();
    let host = host.copied().unwrap_or_default();
    Some(BackendConfig { name: name?, speaks: speaks?, endpoints, balance, protocol, host, checks, retries, tls })
}

/// A version, or versions by call with a `default`.
fn speaks(node: &Node, reader: &mut Reader) -> Option<Speaks> {
    let Some(entries) = node.as_mapping() else {
        let label = not_empty(node, "`speaks`", reader)?;
        return Some(Speaks { default: label.to_owned(), calls: Vec::new() });
    };
    let mut default = None;
    let mut calls = Vec::new();
    for (key, value) in entries {
        let label = not_empty(value, "a version of `speaks`", reader).map(str::to_owned);
        match (key.text().unwrap_or_default(), label) {
            ("default", label) => default = Some(label),
            (call, Some(label)) => calls.push((call.to_owned(), label)),
            (_, None) => {}
        }
    }
    if default.is_none() {
        reader.bad_value(node, "`speaks` by call must have a `default`");
    }
    Some(Speaks { default: default??, calls })
}

fn endpoints(node: &Node, reader: &mut Reader) -> Option<Vec<Endpoint>> {
    let items = not_empty_list(node, "`endpoints`", "endpoint", reader)?;
    let mut endpoints: Vec<(Endpoint, Span)> = Vec::with_capacity(items.len());
    for item in items {
        let Some(endpoint) = self::endpoint(item, reader) else {
            continue;
        };
        if let Some((_, first)) = endpoints.iter().find(|(known, _)| known.authority == endpoint.authority) {
            let message = format!("endpoint `{}` stands here twice", endpoint.authority);
            reader.error(code::DUPLICATE_ADDRESS, item.span, message).secondary(*first, "first here");
        }
        endpoints.push((endpoint, item.span));
    }
    Some(endpoints.into_iter().map(|(endpoint, _)| endpoint).collect())
}

fn endpoint(node: &Node, reader: &mut Reader) -> Option<Endpoint> {
    let text = reader.string(node, "an endpoint")?;
    endpoint::parse(text).map_err(|message| reader.bad_value(node, message)).ok()
}

fn checks(node: &Node, reader: &mut Reader) -> Option<Checks> {
    let mut fields = reader.fields(node, "`health`")?;
    let path = fields.require(reader, "path").and_then(|node| check_path(node, reader));
    let mut checks = Checks {
        path: String::new(),
        every: Duration::from_secs(5),
        timeout: Duration::from_secs(1),
        healthy: 2,
        unhealthy: 3,
    };
    set(&mut checks.every, fields.get("every"), |node| positive(node, "`every`", reader));
    set(&mut checks.timeout, fields.get("timeout"), |node| positive(node, "`timeout`", reader));
    set(&mut checks.healthy, fields.get("healthy"), |node| number(node, "`healthy`", 1..=100, reader));
    set(&mut checks.unhealthy, fields.get("unhealthy"), |node| number(node, "`unhealthy`", 1..=100, reader));
    fields.finish(reader);
    Some(Checks { path: path?, ..checks })
}

fn check_path(node: &Node, reader: &mut Reader) -> Option<String> {
    let text = reader.string(node, "`path`")?;
    let is_path = text.starts_with('/') && text.parse::<http::uri::PathAndQuery>().is_ok();
    if !is_path {
        reader.bad_value(node, format!("`path` must be a path that starts with `/`, found `{}`", text.escape_debug()));
    }
    is_path.then(|| text.to_owned())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Occasion {
    Connect,
    Reset,
}

const OCCASIONS: [(&str, Occasion); 2] = [("connect", Occasion::Connect), ("reset_before_response", Occasion::Reset)];

fn retries(node: &Node, reader: &mut Reader) -> Option<Retries> {
    let mut fields = reader.fields(node, "`retries`")?;
    let mut retries = Retries::default();
    set(&mut retries.attempts, fields.get("attempts"), |node| number(node, "`attempts`", 0..=10, reader));
    if let Some(items) = fields.get("on").and_then(|node| reader.list(node, "`on`")) {
        let on: Vec<Occasion> =
            items.iter().filter_map(|item| reader.one_of(item, "`on`", &OCCASIONS).copied()).collect();
        retries.on_connect = on.contains(&Occasion::Connect);
        retries.on_reset = on.contains(&Occasion::Reset);
    }
    fields.finish(reader);
    Some(retries)
}
