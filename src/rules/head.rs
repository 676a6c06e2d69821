//! A message's head as a document: `{"query": {...}, "header": {...}, "path": {...}, "status": 200}`.
//!
//! The ops on `query:`, `header:`, `path:` and `status:` are the same edits as those of bodies, run on this document
//! by the same engine. Only what an edit names goes into it; everything else stays where it is, byte for byte.
//! A value is a string; a parameter or header that stands several times is an array of strings.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::json::edit::{Edit, Entry, Token};
use crate::json::{Error, Limits, Program, Values, quote, translate};
use crate::route::Template;

use super::document::{Document, decode, read_values, scalar, write_values, wrong};
use super::path::{Location, is_framing};
use super::query;

/// What a request becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The method the backend is asked with.
    pub method: Method,
    /// Path and query, percent-encoded.
    pub path_and_query: String,
}

/// The edits of a head.
#[derive(Debug)]
pub(super) struct HeadPlan {
    program: Arc<Program>,
    query: Names,
    header: Names,
}

/// Which parameters or headers an edit may look at.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Names {
    All,
    These(BTreeSet<String>),
}

impl Names {
    fn of(location: Location, entries: &[Entry]) -> Self {
        let mut names = BTreeSet::new();
        for path in entries.iter().flat_map(paths) {
            match path.split_first() {
                Some((Token::Key(first), rest)) if first == location.name() => match rest.first() {
                    Some(Token::Key(name)) => names.insert(name.clone()),
                    Some(Token::Any) | None => return Self::All,
                },
                _ => false,
            };
        }
        Self::These(names)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::These(names) => names.contains(name),
        }
    }
}

/// Every path that an entry reads or writes.
fn paths(entry: &Entry) -> Vec<Vec<Token>> {
    let join = |scope: &[Token], keys: &[String]| {
        scope.iter().cloned().chain(keys.iter().cloned().map(Token::Key)).collect::<Vec<_>>()
    };
    let mut paths: Vec<Vec<Token>> = entry.guard.iter().map(|condition| join(&[], &condition.path)).collect();
    match &entry.edit {
        Edit::Rename { at, pairs } => paths.extend(
            pairs
                .iter()
                .flat_map(|(old, new)| [join(at, std::slice::from_ref(old)), join(at, std::slice::from_ref(new))]),
        ),
        Edit::Move { scope, from, to, .. } => paths.extend([join(scope, from), join(scope, to)]),
        Edit::Put { scope, at, .. } | Edit::Take { scope, at, .. } | Edit::Presence { scope, at, .. } => {
            paths.push(join(scope, at));
        }
        Edit::Change { at, .. }
        | Edit::Each { at, .. }
        | Edit::Recurse { at, .. }
        | Edit::DropElements { at, .. } => paths.push(at.clone()),
        Edit::Split { scope, key, into: parts, .. } | Edit::Join { scope, from: parts, key, .. } => {
            paths.extend(parts.iter().chain([key]).map(|name| join(scope, std::slice::from_ref(name))));
        }
        Edit::Spread { from, to: many, key, .. } | Edit::Collapse { from: many, key, to: from, .. } => {
            paths.extend([join(&[], from), join(many, std::slice::from_ref(key))]);
        }
        Edit::Envelope { .. } | Edit::Open { .. } | Edit::DropMessage { .. } => {}
    }
    paths
}

/// What must be encoded in a path segment (RFC 3986, section 3.3).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b':')
    .remove(b'@')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=');

impl HeadPlan {
    pub(super) fn new(entries: Vec<Entry>) -> Self {
        Self {
            query: Names::of(Location::Query, &entries),
            header: Names::of(Location::Header, &entries),
            program: Arc::new(Program::fuse(entries)),
        }
    }

    /// The edit that gives path parameters the names of another template.
    pub(super) fn rename_params(pairs: Vec<(String, String)>) -> Entry {
        Entry {
            guard: Vec::new(),
            edit: Edit::Rename { at: vec![Token::Key(Location::Path.name().to_owned())], pairs },
            change: None,
        }
    }

    /// What edits make of a status, as far as that depends on nothing else.
    pub(super) fn status_after(entries: &[Entry], status: u16) -> u16 {
        let program = Arc::new(Program::fuse(entries.to_vec()));
        let document = Bytes::from(format!("{{\"status\":{status}}}"));
        let after = translate(&program, &Values::default(), Limits::default(), document).ok();
        after.and_then(|done| Document(&done.body).status()).map_or(status, |status| status.as_u16())
    }

    fn run(&self, document: Vec<u8>, values: &Values) -> Result<Vec<u8>, Error> {
        let done = translate(&self.program, values, Limits::default(), document.into());
        done.map(|done| done.body)
            .map_err(|error| Error { pointer: error.pointer.map(|pointer| as_place(&pointer)), ..error })
    }

    pub(super) fn response(
        &self,
        status: StatusCode,
        headers: &mut HeaderMap,
        values: &Values,
    ) -> Result<StatusCode, Error> {
        let mut document = format!("{{\"status\":{},", status.as_u16()).into_bytes();
        self.write_headers(headers, &mut document)?;
        document.push(b'}');
        let done = self.run(document, values)?;
        let done = Document(&done);
        self.read_headers(&done, headers)?;
        done.status().ok_or_else(|| wrong("status:", "the status is no number from 200 to 599"))
    }

    /// Whether the document has a header: one that the edits may look at.
    fn has_header(&self, name: &HeaderName) -> bool {
        self.header.has(name.as_str()) && !is_framing(name.as_str())
    }

    /// Appends `"header":{...}`.
    fn write_headers(&self, headers: &HeaderMap, out: &mut Vec<u8>) -> Result<(), Error> {
        out.extend_from_slice(b"\"header\":{");
        let names = headers.keys().filter(|name| self.has_header(name));
        for (at, name) in names.enumerate() {
            if at > 0 {
                out.push(b',');
            }
            quote(name.as_str().as_bytes(), out);
            out.push(b':');
            let text = |value: &HeaderValue| String::from_utf8(value.as_bytes().to_vec());
            let all: Result<Vec<String>, _> = headers.get_all(name).iter().map(text).collect();
            write_values(&all.map_err(|_| wrong(&format!("header:/{name}"), "the value is not UTF-8"))?, out);
        }
        out.push(b'}');
        Ok(())
    }

    /// Puts the headers of the document in the place of those that were written into it.
    fn read_headers(&self, done: &Document<'_>, headers: &mut HeaderMap) -> Result<(), Error> {
        let members = done.members("header");
        let gone: Vec<HeaderName> = headers
            .keys()
            .filter(|name| self.has_header(name))
            .filter(|name| !members.iter().any(|(n, _)| n == name.as_str()))
            .cloned()
            .collect();
        for name in gone {
            headers.remove(&name);
        }
        for (name, value) in members {
            let pointer = format!("header:/{name}");
            if is_framing(&name) {
                return Err(wrong(&pointer, "this header is about the connection"));
            }
            let values = read_values(value, &pointer)?;
            let name =
                HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong(&pointer, "this is no header name"))?;
            let same = headers.get_all(&name).iter().map(HeaderValue::as_bytes).eq(values.iter().map(String::as_bytes));
            if same {
                continue;
            }
            headers.remove(&name);
            for value in values {
                headers.append(
                    &name,
                    HeaderValue::from_bytes(value.as_bytes())
                        .map_err(|_| wrong(&pointer, "the value cannot stand in a header"))?,
                );
            }
        }
        Ok(())
    }
}

/// A pointer into the head's document as rules write it: `/query/page` is `query:/page`.
fn as_place(pointer: &str) -> String {
    let names = pointer.strip_prefix('/').unwrap_or(pointer);
    let at = names.find('/').unwrap_or(names.len());
    format!("{}:{}", &names[..at], &names[at..])
}

/// Translates a request's head. `route` is the call as the client and as the backend spell it, `params` the values
/// of the client's parameters, percent-encoded.
pub(super) fn request(
    plan: Option<&HeadPlan>,
    route: Option<&(Template, Template)>,
    params: &[&str],
    method: &Method,
    path_and_query: &str,
    headers: &mut HeaderMap,
    values: &Values,
) -> Result<Target, Error> {
    let (path, query) =
        path_and_query.split_once('?').map_or((path_and_query, None), |(path, query)| (path, Some(query)));
    let method = route
        .and_then(|(near, far)| if near.method == far.method { None } else { far.method.clone() })
        .unwrap_or_else(|| method.clone());
    let Some(plan) = plan else {
        let path = match route {
            Some((near, far)) if near != far => far.expand(params),
            _ => path.to_owned(),
        };
        return Ok(Target { method, path_and_query: join(&path, query.unwrap_or_default(), query.is_some()) });
    };
    let pairs = query::parse(query.unwrap_or_default());
    let mut document = b"{\"path\":{".to_vec();
    let near: Vec<&str> = route.map(|(near, _)| near.params().collect()).unwrap_or_default();
    write_params(&near, params, &mut document);
    document.extend_from_slice(b"},\"query\":{");
    query::write(&pairs, &plan.query, &mut document)?;
    document.extend_from_slice(b"},");
    plan.write_headers(headers, &mut document)?;
    document.push(b'}');
    let done = plan.run(document, values)?;
    let done = Document(&done);
    plan.read_headers(&done, headers)?;
    let path = match route {
        Some((_, far)) => far_path(far, &done, params)?,
        None => path.to_owned(),
    };
    let new_query = query::read(&pairs, &plan.query, &done)?;
    let keep_mark = query.is_some() && (query == Some("") || !new_query.is_empty());
    Ok(Target { method, path_and_query: join(&path, &new_query, keep_mark || !new_query.is_empty()) })
}

fn join(path: &str, query: &str, has_query: bool) -> String {
    if has_query { format!("{path}?{query}") } else { path.to_owned() }
}

fn write_params(names: &[&str], params: &[&str], out: &mut Vec<u8>) {
    let values = params.iter().map(|raw| decode(raw));
    let mut is_first = true;
    // What is no text cannot be looked at, and passes as it is.
    for (name, value) in names.iter().zip(values).filter(|(_, value)| std::str::from_utf8(value).is_ok()) {
        if !std::mem::take(&mut is_first) {
            out.push(b',');
        }
        quote(name.as_bytes(), out);
        out.push(b':');
        quote(&value, out);
    }
}

/// The backend's path. A parameter whose value has not changed is written as the client wrote it.
fn far_path(far: &Template, done: &Document<'_>, params: &[&str]) -> Result<String, Error> {
    let members = done.members("path");
    let mut values = Vec::new();
    for (at, name) in far.params().enumerate() {
        let pointer = format!("path:/{name}");
        if let Some(raw) = params.get(at).filter(|raw| std::str::from_utf8(&decode(raw)).is_err()) {
            values.push((*raw).to_owned());
            continue;
        }
        let (_, value) =
            members.iter().find(|(n, _)| n == name).ok_or_else(|| wrong(&pointer, "the path needs this parameter"))?;
        let text = scalar(value, &pointer)?;
        if text.is_empty() && params.get(at).is_none_or(|raw| !raw.is_empty()) {
            return Err(wrong(&pointer, "a path parameter cannot be empty"));
        }
        let unchanged = params.get(at).filter(|raw| decode(raw) == text.as_bytes());
        values.push(unchanged.map_or_else(|| utf8_percent_encode(&text, SEGMENT).to_string(), |raw| (*raw).to_owned()));
    }
    Ok(far.expand(&values.iter().map(String::as_str).collect::<Vec<_>>()))
}
