//! What `legato.yaml` may say. Every function reads one mapping or value, reports what is wrong with it, and goes on.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::environment::{self, Environment};
use super::named_file::Files;
use super::{Admin, Config, Share, api, code, listen, telemetry, units};
use crate::diagnostic::{Diagnostic, Span};
use crate::yaml::{self, Fields, Node, Reader};

/// The time that a drain takes at most where nothing is said.
const DRAIN: Duration = Duration::from_secs(30);

pub(super) fn parse(
    text: &str,
    file: &str,
    base_dir: &Path,
    environment: Environment<'_>,
) -> Result<Config, Vec<Diagnostic>> {
    let (tree, diagnostics) = yaml::parse_partial(text, file, yaml::Limits::default());
    let mut reader = Reader::new(file);
    for diagnostic in diagnostics {
        reader.report(diagnostic);
    }
    let config = tree.and_then(|tree| {
        let tree = environment::expand(tree, environment, &mut reader);
        config(&tree, &Files::new(base_dir, file, text), &mut reader)
    });
    match config {
        Some(config) if reader.diagnostics().is_empty() => Ok(config),
        _ => Err(without_consequences(reader.into_diagnostics())),
    }
}

/// Without what else is wrong with a value whose reference to the environment could not be replaced.
fn without_consequences(mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let of_environment = diagnostics.iter().filter(|diagnostic| diagnostic.code == code::ENVIRONMENT);
    let unknown: HashSet<Span> = of_environment.map(|diagnostic| diagnostic.span).collect();
    diagnostics.retain(|diagnostic| diagnostic.code == code::ENVIRONMENT || !unknown.contains(&diagnostic.span));
    diagnostics
}

fn config(node: &Node, files: &Files<'_>, reader: &mut Reader) -> Option<Config> {
    let mut fields = reader.fields(node, "the configuration")?;
    if let Some(node) = fields.require(reader, "legato") {
        format(node, reader);
    }
    let listen = fields.require(reader, "listen").and_then(|node| listen::listeners(node, files, reader));
    let admin = fields.get("admin").and_then(|node| admin(node, reader));
    let rules = fields.require(reader, "rules").and_then(|node| rules(node, files, reader));
    let apis = fields.require(reader, "apis").and_then(|node| api::apis(node, files, reader));
    let workers = fields.get("workers").and_then(|node| number(node, "`workers`", 1..=1024, reader));
    let access_log = fields.get("access_log").and_then(|node| telemetry::access_log(node, files, reader));
    let tracing = fields.get("tracing").and_then(|node| telemetry::tracing(node, files, reader));
    let drain = fields.get("drain").and_then(|node| duration(node, "`drain`", reader));
    fields.finish(reader);

    let config = Config {
        listen: listen?,
        admin,
        rules: rules?,
        apis: apis?,
        workers,
        access_log: access_log.unwrap_or_default(),
        tracing,
        drain: drain.unwrap_or(DRAIN),
    };
    Some(config)
}

fn format(node: &Node, reader: &mut Reader) {
    if node.as_u64() != Some(1) {
        reader.wrong_type(node, "`legato`", "1, the format of this file");
    }
}

fn admin(node: &Node, reader: &mut Reader) -> Option<Admin> {
    let mut fields = reader.fields(node, "`admin`")?;
    let address_node = fields.require(reader, "address");
    let address = address_node.and_then(|node| address(node, reader));
    let token_node = fields.get("token");
    let token = token_node.and_then(|node| token(node, reader));
    fields.finish(reader);

    let address = address?;
    if let (Some(node), None, false) = (address_node, token_node, address.ip().is_loopback()) {
        let message = format!("the admin address `{address}` can be reached from elsewhere and there is no `token`");
        reader.error(code::OPEN_ADMIN, node.span, message).help("add `token: ${ADMIN_TOKEN}`, or listen on 127.0.0.1");
    }
    Some(Admin { address, token })
}

/// Any scalar, since a token of digits is one too; no message shows it.
fn token(node: &Node, reader: &mut Reader) -> Option<String> {
    let text = node.text().filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()));
    if text.is_none() {
        reader.bad_value(node, "`token` must be one or more visible ASCII characters");
    }
    text.map(str::to_owned)
}

pub(super) fn address(node: &Node, reader: &mut Reader) -> Option<SocketAddr> {
    let text = reader.string(node, "`address`")?;
    let address = text.parse().ok();
    if address.is_none() {
        let message = format!("expected an IP address and a port, found `{text}`");
        reader.bad_value(node, message).help("write `127.0.0.1:8080`, `0.0.0.0:8080` or `[::]:8080`");
    }
    address
}

fn rules(node: &Node, files: &Files<'_>, reader: &mut Reader) -> Option<PathBuf> {
    let text = not_empty(node, "`rules`", reader)?;
    if let Some((scheme, _)) = text.split_once("://") {
        report_not_supported(node, &format!("`{scheme}://` rules"), reader);
        return None;
    }
    Some(files.path(text))
}

/// Sets a value that is written and right; reports are made by `read`.
pub(super) fn set<T>(value: &mut T, node: Option<&Node>, read: impl FnOnce(&Node) -> Option<T>) {
    if let Some(read) = node.and_then(read) {
        *value = read;
    }
}

/// Reports a key that this release does not carry out, unless its value is the documented default, in JSON.
pub(super) fn not_supported(fields: &mut Fields<'_>, key: &'static str, default: Option<&str>, reader: &mut Reader) {
    let Some((name, value)) = fields.entry(key) else {
        return;
    };
    let is_default = default.is_some_and(|default| value.to_json().as_deref() == Ok(default));
    if !is_default {
        report_not_supported(name, &format!("`{key}`"), reader);
    }
}

pub(super) fn report_not_supported(node: &Node, what: &str, reader: &mut Reader) {
    let verb = if what.ends_with('s') { "are" } else { "is" };
    reader.error(code::NOT_SUPPORTED, node.span, format!("{what} {verb} not supported yet"));
}

pub(super) fn not_empty<'n>(node: &'n Node, what: &str, reader: &mut Reader) -> Option<&'n str> {
    let text = reader.string(node, what)?;
    if text.is_empty() {
        reader.bad_value(node, format!("{what} must not be empty"));
        return None;
    }
    Some(text)
}

pub(super) fn not_empty_list<'n>(node: &'n Node, what: &str, item: &str, reader: &mut Reader) -> Option<&'n [Node]> {
    let items = reader.list(node, what)?;
    if items.is_empty() {
        reader.bad_value(node, format!("{what} must have at least one {item}"));
        return None;
    }
    Some(items)
}

pub(super) fn duration(node: &Node, what: &str, reader: &mut Reader) -> Option<Duration> {
    scalar(node, what, "a duration", units::duration, reader)
}

/// A duration that is not zero.
pub(super) fn positive(node: &Node, what: &str, reader: &mut Reader) -> Option<Duration> {
    let duration = duration(node, what, reader)?;
    if duration.is_zero() {
        reader.bad_value(node, format!("{what} must be more than zero"));
        return None;
    }
    Some(duration)
}

/// A part of a whole, in per cent.
pub(super) fn share(node: &Node, what: &str, reader: &mut Reader) -> Option<Share> {
    scalar(node, what, "a share", units::share, reader)
}

/// A whole number in a range.
pub(super) fn number<T: TryFrom<u64>>(
    node: &Node,
    what: &str,
    range: RangeInclusive<u64>,
    reader: &mut Reader,
) -> Option<T> {
    let number = reader.integer(node, what)?;
    within(node, what, number, &range, reader)
}

/// A number of bytes in a range.
pub(super) fn size<T: TryFrom<u64>>(
    node: &Node,
    what: &str,
    range: RangeInclusive<u64>,
    reader: &mut Reader,
) -> Option<T> {
    let bytes = scalar(node, what, "a size", units::size, reader)?;
    within(node, what, bytes, &range, reader)
}

fn within<T: TryFrom<u64>>(
    node: &Node,
    what: &str,
    number: u64,
    range: &RangeInclusive<u64>,
    reader: &mut Reader,
) -> Option<T> {
    let value = Some(number).filter(|number| range.contains(number)).and_then(|number| T::try_from(number).ok());
    if value.is_none() {
        let (low, high) = (range.start(), range.end());
        reader.bad_value(node, format!("{what} must be from {low} to {high}, found {number}"));
    }
    value
}

/// A scalar of any type, read from its text.
fn scalar<T>(
    node: &Node,
    what: &str,
    expected: &str,
    read: impl Fn(&str) -> Result<T, String>,
    reader: &mut Reader,
) -> Option<T> {
    let Some(text) = node.text().filter(|_| !node.is_null()) else {
        reader.wrong_type(node, what, expected);
        return None;
    };
    match read(text) {
        Ok(value) => Some(value),
        Err(message) => {
            reader.bad_value(node, format!("{what}: {message}"));
            None
        }
    }
}
