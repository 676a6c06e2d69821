//! A message's head as a document: `{"query": {...}, "header": {...}, "cookie": {...}, "path": {...}, "status": 200}`.
//!
//! The ops on `query:`, `header:`, `cookie:`, `path:` and `status:` are the same edits as those of bodies, run on this
//! document by the same engine. Only what an edit names goes into it; everything else stays where it is, byte for
//! byte. A value is a string; what stands several times is an array of strings.
//!
//! Where an op has a foot in the head and one in the body, all ops of the message run on one document, in which the
//! body is the member `body`. A message without a body has no such member; one that comes to be is its new body.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::json::edit::{Condition, Edit, Entry, Literal, Occupied, Path, Source, Test, Token};
use crate::json::{Error, Limits, Losses, Program, Values, quote, translate, validate};

use super::cookie;
use super::document::{Document, decode, read_values, write_values, wrong};
use super::path::{Location, is_framing};

/// The edits of a head, or of a whole message.
#[derive(Debug)]
pub(super) struct HeadPlan {
    program: Arc<Program>,
    pub(super) query: Names,
    header: Names,
    cookie: Names,
    /// The edits without their guards, if some are about cookies.
    cookie_edits: Vec<Entry>,
}

/// What came of running a plan.
pub(super) struct Ran {
    document: Vec<u8>,
    /// Whether an edit was skipped.
    pub(super) is_partial: bool,
    pub(super) losses: Losses,
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

    fn is_empty(&self) -> bool {
        matches!(self, Self::These(names) if names.is_empty())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::These(names) => names.contains(name),
        }
    }
}

/// The member of a document that says whether the message came with a body. No path leads to it.
pub(super) const HAS_BODY: &str = "has body";

/// An edit that may empty a location and take it away, as if it were a parent like others, and one that puts it back:
/// a message without parameters still has a query, and one that had a body still has one.
fn keep_location(entry: Entry) -> Vec<Entry> {
    let emptied = match &entry.edit {
        Edit::Move { scope, from: keys, .. } | Edit::Take { scope, at: keys, prune: true, .. } if scope.is_empty() => {
            keys.first().cloned()
        }
        _ => None,
    };
    let had_body = Condition { path: vec![HAS_BODY.to_owned()], test: Test::Exists(true) };
    let put_back = emptied.map(|location| Entry {
        guard: if location == Location::Body.name() { vec![had_body] } else { Vec::new() },
        edit: Edit::Put {
            scope: Vec::new(),
            at: vec![location],
            value: Source::Literal(Literal::new(b"{}")),
            create: false,
            if_present: Occupied::Keep,
        },
        change: None,
        losses: Vec::new(),
    });
    std::iter::once(entry).chain(put_back).collect()
}

/// Every path that an entry reads or writes.
fn paths(entry: &Entry) -> Vec<Path> {
    [guards(entry), edited(&entry.edit)].concat()
}

/// What decides whether an entry runs.
pub(super) fn guards(entry: &Entry) -> Vec<Path> {
    entry.guard.iter().map(|condition| join(&[], &condition.path)).collect()
}

fn join(scope: &[Token], keys: &[String]) -> Path {
    scope.iter().cloned().chain(keys.iter().cloned().map(Token::Key)).collect()
}

/// Every path that an edit reads or writes.
pub(super) fn edited(edit: &Edit) -> Vec<Path> {
    let mut paths: Vec<Path> = Vec::new();
    match edit {
        Edit::Rename { at, pairs } => paths.extend(
            pairs
                .iter()
                .flat_map(|(old, new)| [join(at, std::slice::from_ref(old)), join(at, std::slice::from_ref(new))]),
        ),
        Edit::Move { scope, from, to, .. } => paths.extend([join(scope, from), join(scope, to)]),
        Edit::Put { scope, at, value, .. } => paths.extend([join(scope, at)].into_iter().chain(copied(scope, value))),
        Edit::Presence { scope, at, null, missing } => {
            let sources = null.iter().chain(missing);
            paths.extend([join(scope, at)].into_iter().chain(sources.filter_map(|source| copied(scope, source))));
        }
        Edit::Take { scope, at, .. } => paths.push(join(scope, at)),
        Edit::Change { at, .. } | Edit::Each { at, .. } | Edit::Recurse { at, .. } | Edit::DropElements { at, .. } => {
            paths.push(at.clone());
        }
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

/// What a source reads.
fn copied(scope: &[Token], source: &Source) -> Option<Path> {
    match source {
        Source::Copy(keys) => Some(join(scope, keys)),
        Source::Literal(_) | Source::Absent | Source::Refuse => None,
    }
}

impl HeadPlan {
    pub(super) fn new(entries: Vec<Entry>) -> Self {
        let cookie = Names::of(Location::Cookie, &entries);
        let unguarded = |entry: &Entry| Entry { guard: Vec::new(), ..entry.clone() };
        Self {
            query: Names::of(Location::Query, &entries),
            header: Names::of(Location::Header, &entries),
            cookie_edits: if cookie.is_empty() { Vec::new() } else { entries.iter().map(unguarded).collect() },
            cookie,
            program: Self::fuse(entries),
        }
    }

    /// The program of some edits.
    pub(super) fn fuse(entries: Vec<Entry>) -> Arc<Program> {
        Arc::new(Program::fuse(entries.into_iter().flat_map(keep_location).collect()))
    }

    pub(super) fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// The edit that gives path parameters the names of another template.
    pub(super) fn rename_params(pairs: Vec<(String, String)>) -> Entry {
        Entry {
            guard: Vec::new(),
            edit: Edit::Rename { at: vec![Token::Key(Location::Path.name().to_owned())], pairs: pairs.into() },
            change: None,
            losses: Vec::new(),
        }
    }

    /// The edit that adds a path parameter, as it is written in a template.
    pub(super) fn add_param(name: String, text: &str) -> Entry {
        let mut value = Vec::new();
        quote(&decode(text), &mut value);
        Entry {
            guard: Vec::new(),
            edit: Edit::Put {
                scope: Vec::new(),
                at: vec![Location::Path.name().to_owned(), name],
                value: Source::Literal(Literal::new(&value)),
                create: true,
                if_present: Occupied::Keep,
            },
            change: None,
            losses: Vec::new(),
        }
    }

    /// What edits make of a status, as far as that depends on nothing else.
    pub(super) fn status_after(entries: Vec<Entry>, status: u16) -> u16 {
        let program = Arc::new(Program::fuse(entries));
        let document = Bytes::from(format!("{{\"status\":{status}}}"));
        let after = translate(&program, &Values::default(), Limits::default(), document).ok();
        after.and_then(|done| Document(&done.body).status()).map_or(status, |status| status.as_u16())
    }

    /// Runs the edits on a document that lacks its last members, the body's among them, and its end.
    pub(super) fn run(
        &self,
        mut document: Vec<u8>,
        body: Option<&[u8]>,
        values: &Values,
        limits: Limits,
    ) -> Result<Ran, Error> {
        if let Some(body) = body {
            // Only what is one document by itself is one member of another.
            validate(body, limits)?;
            document.extend_from_slice(b",\"has body\":true,\"body\":");
            document.extend_from_slice(body);
        }
        document.push(b'}');
        let limits = Limits { depth: limits.depth.saturating_add(1), buffer: limits.buffer.max(document.len()) };
        let done = translate(&self.program, values, limits, document.into())
            .map_err(|error| Error { pointer: error.pointer.map(|pointer| as_place(&pointer)), ..error })?;
        Ok(Ran { document: done.body, is_partial: done.partial, losses: done.losses })
    }

    pub(super) fn response(
        &self,
        status: StatusCode,
        headers: &mut HeaderMap,
        body: Option<&[u8]>,
        values: &Values,
        limits: Limits,
    ) -> Result<(StatusCode, Ran), Error> {
        let mut document = format!("{{\"status\":{},", status.as_u16()).into_bytes();
        self.write_headers(cookie::Side::Response, headers, &mut document)?;
        let ran = self.run(document, body, values, limits)?;
        self.read_headers(cookie::Side::Response, &ran.document(), headers)?;
        let status =
            ran.document().status().ok_or_else(|| wrong("status:", "the status is no number from 200 to 599"))?;
        Ok((status, ran))
    }

    /// Whether the document has a header: one that the edits may look at.
    fn has_header(&self, name: &HeaderName) -> bool {
        self.header.has(name.as_str()) && !is_framing(name.as_str())
    }

    /// Appends `"header":{...},"cookie":{...}`.
    pub(super) fn write_headers(
        &self,
        side: cookie::Side,
        headers: &HeaderMap,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
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
        out.extend_from_slice(b"},");
        side.write(headers, &self.cookie, out)
    }

    /// Puts the headers and cookies of the document in the place of those that were written into it.
    pub(super) fn read_headers(
        &self,
        side: cookie::Side,
        done: &Document<'_>,
        headers: &mut HeaderMap,
    ) -> Result<(), Error> {
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
        if self.cookie.is_empty() {
            return Ok(());
        }
        side.read(done, headers, &self.cookie, &self.cookie_edits)
    }
}

impl Ran {
    pub(super) fn document(&self) -> Document<'_> {
        Document(&self.document)
    }

    /// The body after edits of a whole message.
    pub(super) fn body(&self) -> Option<Vec<u8>> {
        self.document().member("body").map(<[u8]>::to_vec)
    }
}

/// A pointer into the document as rules write it: `/query/page` is `query:/page`, and `/body/page` is `/page`.
pub(super) fn as_place(pointer: &str) -> String {
    if let Some(inside) = pointer.strip_prefix("/body") {
        return inside.to_owned();
    }
    let Some(names) = pointer.strip_prefix('/') else { return pointer.to_owned() };
    let at = names.find('/').unwrap_or(names.len());
    format!("{}:{}", &names[..at], &names[at..])
}
