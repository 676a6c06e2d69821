//! What `apis` may say.

use std::time::Duration;

use ipnet::IpNet;

use super::file::{not_empty_list, not_supported, number, positive, set, size};
use super::named_file::Files;
use super::{ApiConfig, ApiLimits, Timeouts, backend, code, endpoint, listen};
use crate::diagnostic::Span;
use crate::yaml::{Node, Reader};

/// An API and where its `match` stands, or its name where it has none.
type Placed = (ApiConfig, Span);

pub(super) fn apis(node: &Node, files: &Files<'_>, reader: &mut Reader) -> Option<Vec<ApiConfig>> {
    let entries = reader.mapping(node, "`apis`")?;
    if entries.is_empty() {
        reader.bad_value(node, "`apis` must have at least one API");
    }
    let apis: Vec<Option<Placed>> = entries.iter().map(|(key, value)| api(key, value, files, reader)).collect();
    let known: Vec<&Placed> = apis.iter().flatten().collect();
    check_matches(&known, reader);
    apis.into_iter().map(|placed| placed.map(|(api, _)| api)).collect()
}

fn api(key: &Node, node: &Node, files: &Files<'_>, reader: &mut Reader) -> Option<Placed> {
    let name = name(key, "an API", reader);
    let mut fields = reader.fields(node, "an API")?;
    let matched = fields.get("match");
    let (hosts, prefix) = matched.and_then(|node| api_match(node, reader)).unwrap_or_else(|| (Vec::new(), "/".into()));
    let backends = fields.require(reader, "backends").and_then(|node| backend::backends(node, files, reader));
    let timeouts = fields.get("timeouts").and_then(|node| timeouts(node, reader)).unwrap_or_default();
    let limits = fields.get("limits").and_then(|node| limits(node, reader)).unwrap_or_default();
    let socketio = fields.get("socketio").and_then(|node| super::socketio::socketio(node, reader));
    for key in ["split", "versions", "rollout", "shadow"] {
        not_supported(&mut fields, key, None, reader);
    }
    let trust = fields.get("forwarded").and_then(|node| forwarded(node, reader)).unwrap_or_default();
    fields.finish(reader);

    let api = ApiConfig { name: name?, hosts, prefix, backends: backends?, timeouts, limits, trust, socketio };
    Some((api, matched.unwrap_or(key).span))
}

/// Who may say whom it forwards for.
fn forwarded(node: &Node, reader: &mut Reader) -> Option<Vec<IpNet>> {
    let mut fields = reader.fields(node, "`forwarded`")?;
    let trust = fields.get("trust").and_then(|node| listen::networks(node, reader));
    fields.finish(reader);
    trust
}

/// A name that is also a directory's and a metric's label.
pub(super) fn name(key: &Node, what: &str, reader: &mut Reader) -> Option<String> {
    let text = key.text().unwrap_or_default();
    let is_name = !text.is_empty()
        && text.len() <= 64
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if !is_name {
        reader.bad_value(key, format!("the name of {what} is up to 64 letters, digits, `-` and `_`"));
    }
    is_name.then(|| text.to_owned())
}

fn api_match(node: &Node, reader: &mut Reader) -> Option<(Vec<String>, String)> {
    let mut fields = reader.fields(node, "a match")?;
    let hosts = fields.get("hosts").and_then(|node| not_empty_list(node, "`hosts`", "host", reader));
    let hosts = hosts.unwrap_or_default().iter().filter_map(|node| host(node, reader)).collect();
    let prefix = fields.get("prefix").and_then(|node| prefix(node, reader));
    fields.finish(reader);
    Some((hosts, prefix.unwrap_or_else(|| "/".into())))
}

fn host(node: &Node, reader: &mut Reader) -> Option<String> {
    let text = reader.string(node, "a host")?;
    endpoint::host(text).map_err(|message| reader.bad_value(node, message)).ok()
}

fn prefix(node: &Node, reader: &mut Reader) -> Option<String> {
    let text = reader.string(node, "`prefix`")?;
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#{}*".contains(&byte));
    if !text.starts_with('/') || !is_plain {
        reader
            .bad_value(node, format!("`prefix` must be a path that starts with `/`, found `{}`", text.escape_debug()));
        return None;
    }
    let trimmed = text.trim_end_matches('/');
    Some(if trimmed.is_empty() { "/" } else { trimmed }.to_owned())
}

/// Reports APIs of which one would never be asked.
fn check_matches(apis: &[&Placed], reader: &mut Reader) {
    for (i, (second, span)) in apis.iter().enumerate() {
        let same = apis[..i].iter().find(|(first, _)| meets(first, second));
        if let Some((first, first_span)) = same {
            let message = format!("APIs `{}` and `{}` answer for the same requests", first.name, second.name);
            let diagnostic = reader.error(code::SAME_MATCH, *span, message);
            diagnostic.secondary(*first_span, "first here").help("give them different `match: {hosts, prefix}`");
        }
    }
}

fn meets(a: &ApiConfig, b: &ApiConfig) -> bool {
    let share_host = a.hosts.iter().any(|host| b.hosts.contains(host));
    a.prefix == b.prefix && (share_host || a.hosts.is_empty() && b.hosts.is_empty())
}

fn timeouts(node: &Node, reader: &mut Reader) -> Option<Timeouts> {
    let mut fields = reader.fields(node, "the timeouts of an API")?;
    let mut timeouts = Timeouts::default();
    set(&mut timeouts.connect, fields.get("connect"), |node| positive(node, "`connect`", reader));
    set(&mut timeouts.response_head, fields.get("response_head"), |node| positive(node, "`response_head`", reader));
    set(&mut timeouts.idle, fields.get("idle"), |node| positive(node, "`idle`", reader));
    set_bound(&mut timeouts.request, fields.get("request"), "`request`", reader);
    set_bound(&mut timeouts.websocket_idle, fields.get("websocket_idle"), "`websocket_idle`", reader);
    set_bound(&mut timeouts.websocket_ping, fields.get("websocket_ping"), "`websocket_ping`", reader);
    set(&mut timeouts.first_message, fields.get("first_message"), |node| positive(node, "`first_message`", reader));
    fields.finish(reader);
    Some(timeouts)
}

/// Sets a duration that is not zero, or `none`.
fn set_bound(bound: &mut Option<Duration>, node: Option<&Node>, what: &str, reader: &mut Reader) {
    match node {
        Some(node) if node.as_str() == Some("none") => *bound = None,
        Some(node) => match positive(node, what, reader) {
            Some(duration) => *bound = Some(duration),
            None => {
                if let Some(error) = reader.last() {
                    error.help("write a duration, or `none` for no bound");
                }
            }
        },
        None => {}
    }
}

fn limits(node: &Node, reader: &mut Reader) -> Option<ApiLimits> {
    let mut fields = reader.fields(node, "the limits of an API")?;
    let mut limits = ApiLimits::default();
    set(&mut limits.body, fields.get("body"), |node| size(node, "`body`", 1..=u64::MAX, reader));
    set(&mut limits.buffer, fields.get("buffer"), |node| size(node, "`buffer`", 1..=1 << 40, reader));
    set(&mut limits.depth, fields.get("depth"), |node| number(node, "`depth`", 1..=65_536, reader));
    set(&mut limits.message, fields.get("message"), |node| size(node, "`message`", 1..=1 << 40, reader));
    set(&mut limits.contexts, fields.get("contexts"), |node| size(node, "`contexts`", 0..=u64::MAX, reader));
    set(&mut limits.decompressed, fields.get("decompressed"), |node| {
        size(node, "`decompressed`", 1..=u64::MAX, reader)
    });
    set(&mut limits.ratio, fields.get("ratio"), |node| number(node, "`ratio`", 1..=1_000_000, reader));
    fields.finish(reader);
    Some(limits)
}
