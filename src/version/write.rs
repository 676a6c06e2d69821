//! The client's version, rewritten to the backend's in every place where the client named it, and back.

use std::ops::Range;

use http::header::{ACCEPT, CONTENT_TYPE, COOKIE, HOST, SEC_WEBSOCKET_PROTOCOL};
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::source::Pattern;
use super::{ApiVersion, Resolved, Resolver, Source, TellBackend, media, read};

/// Everything but the unreserved characters of RFC 3986, section 2.3.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What becomes of a label.
#[derive(Clone, Copy)]
enum Edit<'v> {
    Replace(&'v str),
    Remove,
}

impl Resolver {
    /// Rewrites, strips or keeps every place in which the client named its version, before a request goes to a
    /// backend. `path_and_query` is what the rules made of them, without the version's prefix; the one to ask the
    /// backend for comes back. A host is changed only where it decided, since others may fit by chance; and a place that
    /// the client did not use stays empty.
    #[must_use]
    pub fn tell_backend(
        &self,
        backend: &ApiVersion,
        headers: &mut HeaderMap,
        path_and_query: String,
        resolved: &Resolved,
    ) -> String {
        let edit = match self.tell_backend {
            TellBackend::Rewrite => Edit::Replace(&backend.label),
            TellBackend::Strip => Edit::Remove,
            TellBackend::Keep => {
                return with_prefix(path_and_query, resolved, |prefix| prefix.text.clone());
            }
        };
        let mut target = path_and_query;
        for (at, source) in self.sources.iter().enumerate() {
            match source {
                Source::Query(name) => target = edit_query(target, name, edit),
                Source::Host(pattern) if resolved.source == Some(at) => {
                    edit_values(headers, &HOST, |text| edit_host(text, pattern, edit));
                }
                _ => edit_headers(source, headers, edit),
            }
        }
        match edit {
            Edit::Replace(label) => with_prefix(target, resolved, |prefix| prefix.pattern.with(&encode(label))),
            Edit::Remove => target,
        }
    }

    /// Says the version that a client is served where the backend said its own in the response's `content-type`.
    pub fn tell_client(&self, client: &ApiVersion, headers: &mut HeaderMap) {
        for source in &self.sources {
            if matches!(source, Source::MediaType(_) | Source::MediaTypeSuffix(_)) {
                let edit = Edit::Replace(&client.label);
                edit_values(headers, &CONTENT_TYPE, |text| Some(edit_media_types(source, text, edit)));
            }
        }
    }
}

fn with_prefix(path_and_query: String, resolved: &Resolved, text: impl Fn(&super::Prefix) -> String) -> String {
    match &resolved.prefix {
        Some(prefix) => join_prefix(&path_and_query, prefix, text(prefix)),
        None => path_and_query,
    }
}

/// A path and query behind a prefix that names a version.
pub(super) fn prefixed(path_and_query: &str, prefix: &super::Prefix, label: &str) -> String {
    join_prefix(path_and_query, prefix, prefix.pattern.with(&encode(label)))
}

/// A query in which a parameter names another version where it named this one.
pub(super) fn relabel_query(path_and_query: &str, name: &str, from: &str, to: &str) -> String {
    let Some((path, query)) = path_and_query.split_once('?') else {
        return path_and_query.to_owned();
    };
    let edited = query.split('&').map(|pair| match pair.split_once('=') {
        Some((key, value)) if read::decode_query(key) == name && read::decode_query(value) == from => {
            format!("{key}={}", encode(to))
        }
        _ => pair.to_owned(),
    });
    format!("{path}?{}", edited.collect::<Vec<_>>().join("&"))
}

fn join_prefix(path_and_query: &str, prefix: &super::Prefix, text: String) -> String {
    // Where nothing came after the prefix, the `/` was put there for the rules.
    let rest = match path_and_query.strip_prefix('/') {
        Some(rest) if prefix.whole && (rest.is_empty() || rest.starts_with('?')) => rest,
        _ => path_and_query,
    };
    text + rest
}

fn encode(label: &str) -> String {
    utf8_percent_encode(label, ENCODED).to_string()
}

fn edit_query(path_and_query: String, name: &str, edit: Edit<'_>) -> String {
    let Some((path, query)) = path_and_query.split_once('?') else {
        return path_and_query;
    };
    let pairs = query.split('&').map(|pair| (pair, pair.split('=').next().unwrap_or(pair)));
    if !pairs.clone().any(|(_, key)| read::decode_query(key) == name) {
        return path_and_query;
    }
    let edited = pairs.filter_map(|(pair, key)| match edit {
        _ if read::decode_query(key) != name => Some(pair.to_owned()),
        Edit::Replace(label) => Some(format!("{key}={}", encode(label))),
        Edit::Remove => None,
    });
    let edited: Vec<String> = edited.collect();
    if edited.is_empty() { path.to_owned() } else { format!("{path}?{}", edited.join("&")) }
}

fn edit_host(text: &str, pattern: &Pattern, edit: Edit<'_>) -> Option<String> {
    let (host, port) = text.split_at(text.rfind(':').unwrap_or(text.len()));
    match (pattern.label(&host.to_ascii_lowercase()), edit) {
        (None, _) => Some(text.to_owned()),
        (Some(_), Edit::Replace(label)) => Some(pattern.with(label) + port),
        (Some(_), Edit::Remove) => None,
    }
}

fn edit_headers(source: &Source, headers: &mut HeaderMap, edit: Edit<'_>) {
    match source {
        Source::Header(name) => edit_header(headers, name, edit),
        Source::Cookie(name) => edit_values(headers, &COOKIE, |text| edit_cookie(text, name, edit)),
        Source::Subprotocol(pattern) => edit_subprotocols(headers, pattern, edit),
        Source::MediaType(_) | Source::MediaTypeSuffix(_) => {
            for header in [ACCEPT, CONTENT_TYPE] {
                edit_values(headers, &header, |text| Some(edit_media_types(source, text, edit)));
            }
        }
        Source::Query(_) | Source::Path(_) | Source::Host(_) | Source::Message(_) | Source::Pinned { .. } => {}
    }
}

fn edit_header(headers: &mut HeaderMap, name: &HeaderName, edit: Edit<'_>) {
    match edit {
        Edit::Remove => {
            headers.remove(name);
        }
        Edit::Replace(label) => {
            if let (true, Ok(value)) = (headers.contains_key(name), HeaderValue::from_bytes(label.as_bytes())) {
                headers.insert(name, value);
            }
        }
    }
}

/// Edits each value of a header; `None` removes it. Values that are not UTF-8 name nothing and stay.
fn edit_values(headers: &mut HeaderMap, name: &HeaderName, edit: impl Fn(&str) -> Option<String>) {
    let values: Vec<HeaderValue> = headers.get_all(name).iter().cloned().collect();
    let edited: Vec<Option<HeaderValue>> = values.iter().map(|value| edit_value(value, &edit)).collect();
    if edited.iter().map(Option::as_ref).eq(values.iter().map(Some)) {
        return;
    }
    headers.remove(name);
    for value in edited.into_iter().flatten() {
        headers.append(name, value);
    }
}

fn edit_value(value: &HeaderValue, edit: impl Fn(&str) -> Option<String>) -> Option<HeaderValue> {
    let Ok(text) = std::str::from_utf8(value.as_bytes()) else {
        return Some(value.clone());
    };
    let edited = edit(text)?;
    Some(HeaderValue::from_bytes(edited.as_bytes()).unwrap_or_else(|_| value.clone()))
}

fn edit_cookie(text: &str, name: &str, edit: Edit<'_>) -> Option<String> {
    let edited = text.split(';').filter_map(|pair| {
        let (key, _) = pair.split_once('=').unwrap_or((pair, ""));
        match edit {
            _ if key.trim() != name => Some(pair.to_owned()),
            Edit::Replace(label) => Some(format!("{key}={}", encode(label))),
            Edit::Remove => None,
        }
    });
    let edited = edited.collect::<Vec<_>>().join(";");
    let edited = edited.trim_start();
    (!edited.is_empty()).then(|| edited.to_owned())
}

/// The names that fit become one, where the first of them stood, since a client that offers several versions gets
/// one backend all the same.
fn edit_subprotocols(headers: &mut HeaderMap, pattern: &Pattern, edit: Edit<'_>) {
    let before = read::offered(headers);
    let mut after: Vec<String> = Vec::new();
    for name in &before {
        let name = match edit {
            _ if pattern.label(name).is_none() => name.clone(),
            Edit::Replace(label) => pattern.with(label),
            Edit::Remove => continue,
        };
        if !after.contains(&name) {
            after.push(name);
        }
    }
    if after == before {
        return;
    }
    headers.remove(SEC_WEBSOCKET_PROTOCOL);
    if let (false, Ok(value)) = (after.is_empty(), HeaderValue::from_bytes(after.join(", ").as_bytes())) {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, value);
    }
}

fn edit_media_types(source: &Source, text: &str, edit: Edit<'_>) -> String {
    let mut out = text.to_owned();
    // From the last to the first, so that the places of the others stay right.
    for media_type in media::parse_list(text).iter().rev() {
        if let Some((range, new)) = edit_media_type(source, text, media_type, edit) {
            out.replace_range(range, &new);
        }
    }
    out
}

fn edit_media_type(
    source: &Source,
    text: &str,
    media_type: &media::MediaType,
    edit: Edit<'_>,
) -> Option<(Range<usize>, String)> {
    match source {
        Source::MediaType(name) => {
            let parameter = media_type.parameter(text, name)?;
            Some(match edit {
                Edit::Replace(label) => (parameter.value.clone(), media::quote(label)),
                Edit::Remove => (parameter.whole.clone(), String::new()),
            })
        }
        Source::MediaTypeSuffix(pattern) => {
            let essence = &text[media_type.essence.clone()];
            pattern.label(&essence.to_ascii_lowercase())?;
            let new = match edit {
                Edit::Replace(label) => pattern.with(label),
                Edit::Remove => unversioned(essence)?,
            };
            Some((media_type.essence.clone(), new))
        }
        _ => None,
    }
}

/// `application/json` of `application/vnd.chat.v2+json`: the structured syntax that the name ends with (RFC 6838).
fn unversioned(essence: &str) -> Option<String> {
    let (top_level, subtype) = essence.split_once('/')?;
    let (_, syntax) = subtype.rsplit_once('+')?;
    Some(format!("{top_level}/{syntax}"))
}
