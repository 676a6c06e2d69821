//! `access_log` and `tracing`: what is told about each request, and to whom.

use std::path::PathBuf;

use http::uri::{Authority, Uri};

use super::Scheme;
use super::client_tls::{self, ClientTls};
use super::file::{not_empty, share};
use super::named_file::Files;
use super::units::Share;
use crate::yaml::{Node, Reader};

/// Which exchanges have an access record, and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessLog {
    /// Where to.
    pub to: LogTarget,
    /// How many of those that went well; those that did not have one always.
    pub sample: Share,
}

/// Where access records go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogTarget {
    /// Nowhere.
    Off,
    /// Standard error, one JSON record a line.
    Stderr,
    /// A file, appended.
    File(PathBuf),
}

impl AccessLog {
    /// All records, to one place.
    #[must_use]
    pub fn all(to: LogTarget) -> Self {
        Self { to, sample: Share::ALL }
    }
}

impl Default for AccessLog {
    fn default() -> Self {
        Self::all(LogTarget::Stderr)
    }
}

/// Who is told of traces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tracing {
    /// How its bytes are carried.
    pub scheme: Scheme,
    /// The collector's `host:port`.
    pub collector: Authority,
    /// Where it takes spans, such as `/v1/traces`.
    pub path: String,
    /// Whom to trust and who we are, where the scheme is `https://`.
    pub tls: ClientTls,
    /// How many of the exchanges are traced that no trace of the client's decides about.
    pub sample: Share,
}

/// `access_log`: a place, or a place and a share.
pub(super) fn access_log(node: &Node, files: &Files<'_>, reader: &mut Reader) -> Option<AccessLog> {
    if node.as_mapping().is_none() {
        return log_target(node, "`access_log`", files, reader).map(AccessLog::all);
    }
    let mut fields = reader.fields(node, "`access_log`")?;
    let to = fields.get("path").map(|node| log_target(node, "`path`", files, reader));
    let sample = fields.get("sample").map(|node| share(node, "`sample`", reader));
    fields.finish(reader);
    Some(AccessLog { to: to.unwrap_or(Some(LogTarget::Stderr))?, sample: sample.unwrap_or(Some(Share::ALL))? })
}

fn log_target(node: &Node, what: &str, files: &Files<'_>, reader: &mut Reader) -> Option<LogTarget> {
    Some(match not_empty(node, what, reader)? {
        "off" => LogTarget::Off,
        "stderr" => LogTarget::Stderr,
        path => LogTarget::File(files.path(path)),
    })
}

/// One of a hundred, where nothing is said.
const TRACED: Share = Share::percent(1);

/// Where collectors take spans (OTLP 1.0, section OTLP/HTTP Request), below the path that is configured.
const SPANS: &str = "/v1/traces";

/// `tracing`: `off`, or a collector and a share.
pub(super) fn tracing(node: &Node, files: &Files<'_>, reader: &mut Reader) -> Option<Tracing> {
    if node.as_str() == Some("off") {
        return None;
    }
    if node.as_mapping().is_none() {
        reader.wrong_type(node, "`tracing`", "`off`, or a mapping such as `{otlp: http://127.0.0.1:4318, sample: 1%}`");
        return None;
    }
    let mut fields = reader.fields(node, "`tracing`")?;
    let collector = fields.require(reader, "otlp").and_then(|node| collector(node, reader));
    let sample = fields.get("sample").map(|node| share(node, "`sample`", reader));
    let tls_node = fields.get("tls");
    let tls = tls_node.map(|node| client_tls::read(node, files, reader));
    fields.finish(reader);
    let (scheme, collector, path) = collector?;
    if let Some(node) = tls_node.filter(|_| scheme == Scheme::Http) {
        reader.bad_value(node, "`tls` is for a collector of `https://`, and this one is of `http://`");
    }
    let (tls, sample) = (tls.unwrap_or(Some(ClientTls::default()))?, sample.unwrap_or(Some(TRACED))?);
    Some(Tracing { scheme, collector, path, tls, sample })
}

fn collector(node: &Node, reader: &mut Reader) -> Option<(Scheme, Authority, String)> {
    let text = reader.string(node, "`otlp`")?;
    let found = text.parse::<Uri>().ok().and_then(parts);
    if found.is_none() {
        let message = format!("expected the address of a collector, found `{}`", text.escape_debug());
        reader.bad_value(node, message).help("write `http://127.0.0.1:4318` or `https://collector.example:4318`");
    }
    found
}

fn parts(uri: Uri) -> Option<(Scheme, Authority, String)> {
    let uri = uri.into_parts();
    let authority = uri.authority.filter(|authority| !authority.as_str().contains('@') && !authority.host().is_empty());
    let target = uri.path_and_query.filter(|target| target.query().is_none());
    let (scheme, port) = match uri.scheme?.as_str() {
        "http" => (Scheme::Http, 80),
        "https" => (Scheme::Https, 443),
        _ => return None,
    };
    let path = target?.path().trim_end_matches('/').to_owned() + SPANS;
    let authority = authority?;
    match authority.port() {
        Some(_) => Some((scheme, authority, path)),
        None => Some((scheme, format!("{authority}:{port}").parse().ok()?, path)),
    }
}
