//! Which version a request names in one source.

use std::borrow::Cow;

use http::header::{ACCEPT, CONTENT_TYPE, COOKIE, SEC_WEBSOCKET_PROTOCOL};
use http::{HeaderMap, HeaderName};
use percent_encoding::percent_decode_str;

use super::media::MediaType;
use super::source::Pattern;
use super::{Prefix, RequestView, Source, VersionId, Versions, media};

/// Two labels in one source that differ.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Contradiction(pub(super) String, pub(super) String);

/// The label that a request names in a source, known or not; an empty one names nothing.
///
/// A path or host that fits a pattern only by chance (`/videos` fits `/v{version}`) names nothing: its label has to
/// be known or to look like one that is.
pub(super) fn label<'r>(
    source: &Source,
    versions: &Versions,
    request: &RequestView<'r>,
) -> Result<Option<Cow<'r, str>>, Contradiction> {
    match source {
        Source::Header(name) => agree(header_labels(request.headers, name)),
        Source::Query(name) => agree(query_labels(request.query.unwrap_or_default(), name).into_iter().map(Cow::Owned)),
        Source::Path(pattern) => Ok(path_label(pattern, versions, request.path).map(Cow::Owned)),
        Source::MediaType(_) | Source::MediaTypeSuffix(_) => {
            media_label(source, versions, request.headers).map(|label| label.map(Cow::Owned))
        }
        Source::Subprotocol(pattern) => Ok(subprotocol_label(pattern, versions, request.headers).map(Cow::Owned)),
        Source::Host(pattern) => Ok(host_label(pattern, versions, request.host).map(Cow::Owned)),
        Source::Cookie(name) => agree(cookie_labels(request.headers, name).into_iter().map(Cow::Owned)),
        Source::Message(_) => Ok(None),
        Source::Pinned { header, pins } => {
            let pinned = pins.versions(header, request.headers);
            agree(pinned.map(|version| Cow::Owned(versions.get(version).label.to_string())))
        }
    }
}

/// The one label that is named, once or several times.
fn agree<'r>(labels: impl Iterator<Item = Cow<'r, str>>) -> Result<Option<Cow<'r, str>>, Contradiction> {
    let mut labels = labels.filter(|label| !label.is_empty());
    let Some(first) = labels.next() else {
        return Ok(None);
    };
    match labels.find(|label| *label != first) {
        Some(other) => Err(Contradiction(first.into_owned(), other.into_owned())),
        None => Ok(Some(first)),
    }
}

/// All values of a header as text. What is not UTF-8 becomes U+FFFD, which no label has.
fn texts<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Vec<Cow<'h, str>> {
    headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect()
}

/// Repeated headers and one with a list are the same thing (RFC 9110, section 5.3).
fn header_labels<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = Cow<'h, str>> {
    let lines = headers.get_all(name).iter();
    lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b',')).map(|label| {
        match String::from_utf8_lossy(label) {
            Cow::Borrowed(label) => Cow::Borrowed(label.trim()),
            Cow::Owned(label) => Cow::Owned(label.trim().to_owned()),
        }
    })
}

fn query_labels(query: &str, name: &str) -> Vec<String> {
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let named = pairs.filter(|(key, _)| decode_query(key) == name);
    named.map(|(_, value)| decode_query(value).trim().to_owned()).collect()
}

/// A part of a query string without `+` and `%XX`.
pub(super) fn decode_query(text: &str) -> Cow<'_, str> {
    // Most have neither.
    if text.contains(['+', '%']) { decode(&text.replace('+', " ")).into() } else { text.into() }
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn path_label(pattern: &Pattern, versions: &Versions, path: &str) -> Option<String> {
    let rest = path.strip_prefix(pattern.before.as_str())?;
    let segment = rest.split('/').next()?;
    let label = decode(segment.strip_suffix(pattern.after.as_str())?);
    looks_like_version(&label, versions).then_some(label)
}

/// The version that a path names, if there is one.
pub(super) fn path_version(pattern: &Pattern, versions: &Versions, path: &str) -> Option<VersionId> {
    versions.find(&path_label(pattern, versions, path)?)
}

/// The path without its version, and what was taken off, where it fits.
pub(super) fn take_prefix(pattern: &Pattern, versions: &Versions, path: &str) -> Option<(Prefix, String)> {
    path_label(pattern, versions, path)?;
    let start = pattern.before.len();
    let end = path[start..].find('/').map_or(path.len(), |i| start + i);
    let prefix = Prefix { pattern: pattern.clone(), text: path[..end].to_owned(), whole: end == path.len() };
    let rest = if prefix.whole { "/" } else { &path[end..] };
    Some((prefix, rest.to_owned()))
}

/// Whether a label is known, or has digits and is a known one but for digits, dots and dashes: `9` looks like `2`,
/// `v9` like `v2`, `2024-06-01` like `2025-01-01`, and `ideos` like none of them.
fn looks_like_version(label: &str, versions: &Versions) -> bool {
    let skeleton = |text: &str| text.replace(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-'), "");
    versions.find(label).is_some()
        || label.contains(|c: char| c.is_ascii_digit())
            && versions.labels().any(|known| skeleton(known) == skeleton(label))
}

fn host_label(pattern: &Pattern, versions: &Versions, host: Option<&str>) -> Option<String> {
    let host = host?.to_ascii_lowercase();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => &host,
    };
    let label = known_spelling(pattern.label(name)?, versions);
    looks_like_version(&label, versions).then_some(label)
}

/// The label of a place that does not tell upper from lower case.
fn known_spelling(label: &str, versions: &Versions) -> String {
    let known = versions.labels().find(|known| known.eq_ignore_ascii_case(label));
    known.unwrap_or(label).to_owned()
}

fn cookie_labels(headers: &HeaderMap, name: &str) -> Vec<String> {
    let texts = texts(headers, &COOKIE);
    let pairs = texts.iter().flat_map(|text| text.split(';')).filter_map(|pair| pair.split_once('='));
    let named = pairs.filter(|(key, _)| key.trim() == name);
    named.map(|(_, value)| decode(value.trim().trim_matches('"'))).collect()
}

/// All subprotocols that the client offers, the one it prefers first (RFC 6455, section 4.1).
pub(super) fn offered(headers: &HeaderMap) -> Vec<String> {
    header_labels(headers, &SEC_WEBSOCKET_PROTOCOL).map(Cow::into_owned).collect()
}

/// The first that is known, else the first.
fn subprotocol_label(pattern: &Pattern, versions: &Versions, headers: &HeaderMap) -> Option<String> {
    let names = offered(headers);
    first_known(names.iter().filter_map(|name| pattern.label(name)).map(str::to_owned).collect(), versions)
}

fn first_known(labels: Vec<String>, versions: &Versions) -> Option<String> {
    let known = labels.iter().position(|label| versions.find(label).is_some()).unwrap_or(0);
    labels.into_iter().nth(known)
}

/// The version of the body, where the client says that it accepts it too, or does not say what it accepts; else of
/// what it accepts the best that is known.
fn media_label(source: &Source, versions: &Versions, headers: &HeaderMap) -> Result<Option<String>, Contradiction> {
    let accepted = accepted_labels(source, versions, headers);
    let body = texts(headers, &CONTENT_TYPE)
        .iter()
        .find_map(|text| media_labels(source, versions, text).pop())
        .map(|(_, label)| label);
    match (body, accepted.first()) {
        (Some(body), Some(first)) if !accepted.contains(&body) => Err(Contradiction(first.clone(), body)),
        (Some(body), _) => Ok(Some(body)),
        (None, _) => Ok(first_known(accepted, versions)),
    }
}

/// The labels in `accept`, best first; those with weight 0 are not acceptable.
fn accepted_labels(source: &Source, versions: &Versions, headers: &HeaderMap) -> Vec<String> {
    let mut weighted: Vec<(u16, String)> = texts(headers, &ACCEPT)
        .iter()
        .flat_map(|text| media_labels(source, versions, text))
        .filter(|(weight, _)| *weight > 0)
        .collect();
    weighted.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    weighted.into_iter().map(|(_, label)| label).collect()
}

/// Weight and label of every media type of a list that names a version.
fn media_labels(source: &Source, versions: &Versions, text: &str) -> Vec<(u16, String)> {
    let weighted = media::parse_list(text).into_iter().filter_map(|media_type| {
        let label = media_type_label(source, versions, text, &media_type)?;
        Some((media_type.weight(text), label))
    });
    weighted.collect()
}

fn media_type_label(source: &Source, versions: &Versions, text: &str, media_type: &MediaType) -> Option<String> {
    let label = match source {
        Source::MediaType(name) => {
            let parameter = media_type.parameter(text, name)?;
            media::unquote(&text[parameter.value.clone()]).trim().to_owned()
        }
        Source::MediaTypeSuffix(pattern) => {
            let essence = text[media_type.essence.clone()].to_ascii_lowercase();
            known_spelling(pattern.label(&essence)?, versions)
        }
        _ => return None,
    };
    (!label.is_empty()).then_some(label)
}
