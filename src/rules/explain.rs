//! What happens to a message between two versions, in words: each change on its way, each op, and the one program
//! that they become.

use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use http::Method;

use crate::diagnostic::{Source, line_column};
use crate::json::edit::Entry;
use crate::json::{Class, Items, Kind, Limits, OnError, Program, Uuids, Values, translate, validate};
use crate::version::VersionId;

use super::ast::{ArgumentList, Change};
use super::path::Part;
use super::plan::Absent;
use super::stage::{Cause, Stage, bodies, by_change};
use super::{Api, Direction, Side, chain, socket, socketio};

/// Which messages are explained.
#[derive(Debug, Clone)]
pub enum About {
    /// A call's request.
    Request {
        /// As the client spells it.
        method: Method,
        /// As the client spells it, with values or names in the place of its parameters.
        path: String,
    },
    /// A call's response.
    Response {
        /// As the client spells the call.
        method: Method,
        /// As the client spells the call.
        path: String,
        /// As the backend gives it.
        status: u16,
    },
    /// A socket's message.
    Message {
        /// The handshake's path.
        path: String,
        /// Who sends it.
        side: Side,
        /// What the sender calls it.
        name: String,
    },
    /// One of the lists of arguments of a Socket.IO event.
    Event {
        /// The namespace.
        namespace: String,
        /// Who sends the event.
        side: Side,
        /// What the sender calls it.
        name: String,
        /// Those that it is sent with, or those of its acknowledgement.
        list: ArgumentList,
    },
}

/// The way of one message between a client of one version and a backend of another.
pub struct Explained<'a> {
    api: &'a Api,
    from: VersionId,
    to: VersionId,
    title: String,
    stages: Vec<Stage<'a>>,
    /// Why the receiver never sees it, if it does not.
    ends: Option<String>,
    /// Whether it is a list of arguments.
    is_list: bool,
}

/// One step of a traced document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traced {
    /// The change and the op, in words.
    pub words: String,
    /// The document before, with a line for each value.
    pub before: String,
    /// And after; or why it fails.
    pub after: Result<String, String>,
}

/// Follows one message.
#[must_use]
pub fn explain(api: &Api, client: VersionId, backend: VersionId, about: About) -> Explained<'_> {
    let steps = chain::steps(api, client, backend);
    let call = |method: &Method, path: &str, status| chain::stages(api, &steps, method, path, status);
    match about {
        About::Request { method, path } => {
            let chain::Stages { all: stages, route: (near, far), absence } = call(&method, &path, None);
            let route = if near == far { String::new() } else { format!(", sent as {far}") };
            let title = format!("request of {method} {path}{route}");
            Explained { api, from: client, to: backend, title, stages, ends: answered(absence), is_list: false }
        }
        About::Response { method, path, status } => {
            let chain::Stages { all: stages, absence, .. } = call(&method, &path, Some(status));
            let title = format!("response {status} to {method} {path}");
            Explained { api, from: backend, to: client, title, stages, ends: answered(absence), is_list: false }
        }
        About::Message { path, side, name } => {
            let stages = socket::stages(&steps.all, side, &path, &name);
            let (from, to) = if side == Side::Client { (client, backend) } else { (backend, client) };
            let title = format!("message `{name}` of the {} on {path}", side.name());
            let dropped = || format!("dropped: {} has no such message", api.versions.get(to).label);
            let ends = stages.is_none().then(dropped);
            Explained { api, from, to, title, stages: stages.unwrap_or_default(), ends, is_list: false }
        }
        About::Event { namespace, side, name, list } => {
            let found = socketio::stages(&steps.all, (&namespace, side, &name), list);
            // An acknowledgement goes to the side that sent the event.
            let is_to_backend = (side == Side::Client) == (list == ArgumentList::Event);
            let (from, to) = if is_to_backend { (client, backend) } else { (backend, client) };
            let what = if list == ArgumentList::Ack { "acknowledgement of the event" } else { "event" };
            let other = found.as_ref().filter(|(_, other)| *other != name);
            let other = other.map(|(_, other)| format!(", the other side's `{other}`")).unwrap_or_default();
            let title = format!("{what} `{name}` of the {} in {namespace}{other}", side.name());
            let ends = found.is_none().then(|| "dropped: the other side has no such event".to_owned());
            let stages = found.map(|(stages, _)| stages).unwrap_or_default();
            Explained { api, from, to, title, stages, ends, is_list: true }
        }
    }
}

/// The names, as the sender spells them, of the messages of a socket that have rules.
#[must_use]
pub fn names(api: &Api, client: VersionId, backend: VersionId, path: &str, side: Side) -> Vec<String> {
    socket::names(&chain::steps(api, client, backend).all, side, path)
}

/// The names, as the sender spells them, of the events of a Socket.IO namespace that have rules.
#[must_use]
pub fn event_names(api: &Api, client: VersionId, backend: VersionId, namespace: &str, side: Side) -> Vec<String> {
    socketio::names(&chain::steps(api, client, backend).all, side, namespace)
}

impl Explained<'_> {
    /// The whole of it, for a person. `sources` are the rule files, for the lines of the ops.
    #[must_use]
    pub fn to_text(&self, sources: &[Source]) -> String {
        let label = |version| &self.api.versions.get(version).label;
        let mut text = format!("{}, from {} to {}\n", self.title, label(self.from), label(self.to));
        // Writing to a string does not fail.
        if let Some(why) = &self.ends {
            let _ = writeln!(text, "  {why}");
            return text;
        }
        let parts: Vec<_> = by_change(&self.stages).into_iter().filter(|part| is_about_ops(part)).collect();
        if parts.is_empty() {
            let _ = writeln!(text, "  no change touches it: it leaves as it came");
            return text;
        }
        for part in &parts {
            text.push_str(&change(part, sources));
        }
        let program = self.program();
        let ops = self.stages.iter().filter(|stage| matches!(stage.cause, Cause::Op { .. })).count();
        let crosses = self.stages.iter().any(|stage| stage.is_about(Part::Both));
        let class = if crosses { Class::S3 } else { program.class() };
        let _ = writeln!(text, "  {}, {}: {}", count(parts.len(), "change"), count(ops, "op"), memory(class));
        if crosses {
            let _ = writeln!(text, "  head and body are one document, since an op reaches into both");
            return text;
        }
        if !program.is_identity() {
            let _ = writeln!(text, "  one pass over the body:");
            for line in program.to_string().lines() {
                let _ = writeln!(text, "    {line}");
            }
        }
        text
    }

    fn program(&self) -> Program {
        Program::fuse(bodies(&self.stages))
    }

    /// Why the receiver never sees the message, if it does not.
    #[must_use]
    pub fn ends(&self) -> Option<&str> {
        self.ends.as_deref()
    }

    /// What each op does to a body, one after the other; ends with the first that fails. Nothing is done to a message
    /// that its receiver never sees.
    ///
    /// # Errors
    /// The body is no JSON, or no list of an event's arguments.
    pub fn trace(&self, body: &[u8], now: &str) -> Result<Vec<Traced>, String> {
        validate(body, Limits::default()).map_err(|e| e.to_string())?;
        if self.is_list && !socketio::is_list(body) {
            let found = Kind::of(body.trim_ascii_start()).name();
            return Err(format!("expected the list of an event's arguments, such as `[{{}}]`, found {found}"));
        }
        let version = Arc::clone(&self.api.versions.get(self.to).label);
        let values = Values { now: now.into(), version, uuids: Uuids::default(), on_error: OnError::Reject };
        let mut body = body.trim_ascii().to_vec();
        let mut steps = Vec::new();
        if self.ends.is_some() {
            return Ok(steps);
        }
        for stage in self.stages.iter().filter(|stage| stage.is_about(Part::Body)) {
            let change = stage.cause.change().map_or("", |change| &change.id);
            let words = format!("{change}: {}", sentence(stage.of(Part::Body)));
            let done = translate(&stage.program(), &values, Limits::default(), Bytes::from(body.clone()));
            let before = pretty(&body);
            match done {
                Ok(done) => {
                    steps.push(Traced { words, before, after: Ok(pretty(&done.body)) });
                    body = done.body;
                }
                Err(error) => {
                    steps.push(Traced { words, before, after: Err(error.to_string()) });
                    return Ok(steps);
                }
            }
        }
        if self.is_list
            && let Err(error) = socketio::check_made(&body)
        {
            let words = "the event as it would be sent".to_owned();
            steps.push(Traced { words, before: pretty(&body), after: Err(error.to_string()) });
        }
        Ok(steps)
    }
}

/// What a client is told of a call that a version on the way lacks.
fn answered(absence: Option<Absent>) -> Option<String> {
    absence.map(|absent| format!("answered {} by the proxy: {}", absent.status, absent.detail))
}

fn is_about_ops(stages: &[Stage<'_>]) -> bool {
    stages.iter().any(|stage| stage.cause.change().is_some())
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// What a class means to whoever runs the proxy.
fn memory(class: Class) -> &'static str {
    match class {
        Class::S0 => "S0, the body passes unread",
        Class::S1 => "S1, the body streams: what is held does not grow with it",
        Class::S2 => "S2, the body streams but for one element or value at a time, which is held",
        Class::S3 => "S3, the whole body is held, up to the limit, before anything leaves",
    }
}

/// A change on the way: what it is about, its ops, what it loses.
fn change(stages: &[Stage<'_>], sources: &[Source]) -> String {
    let mut text = String::new();
    let Some(change) = stages.iter().find_map(|stage| stage.cause.change()) else { return text };
    let _ = writeln!(text, "  {}: {}", change.id, change.summary);
    for stage in stages {
        for edit in &stage.edits {
            let _ = writeln!(text, "    - {}", Words(&edit.entry, edit.part == Part::Body));
        }
        let Cause::Op { op, .. } = stage.cause else { continue };
        if stage.edits.is_empty() {
            let _ = writeln!(text, "    - nothing this way");
        }
        if let Some(source) = sources.iter().find(|source| *source.file == *change.file) {
            let (line, _) = line_column(&source.text, op.span.start);
            let written = source.text.lines().nth(line.saturating_sub(1)).unwrap_or_default().trim();
            let _ = writeln!(text, "      {}:{line}: {written}", change.file);
        }
    }
    let direction = stages.iter().find_map(|stage| match stage.cause {
        Cause::Op { direction, .. } => Some(direction),
        Cause::Name { .. } | Cause::Parameters => None,
    });
    text.push_str(&losses(change, direction));
    text
}

fn losses(change: &Change, direction: Option<Direction>) -> String {
    let lost = match direction {
        Some(Direction::Up) => &change.accept_loss.0,
        Some(Direction::Down) => &change.accept_loss.1,
        None => return String::new(),
    };
    let mut text = String::new();
    if !lost.is_empty() {
        let _ = writeln!(text, "    lost on the way: {}", lost.join(", "));
    }
    for (words, _) in &change.incompatible {
        let _ = writeln!(text, "    not translated: {words}");
    }
    text
}

/// An edit in words; that of a head names its place as rules do.
struct Words<'e>(&'e Entry, bool);

impl std::fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(entry, in_body) = self;
        if *in_body {
            return write!(f, "{entry}");
        }
        let mut words = entry.to_string();
        for location in ["query", "header", "path", "cookie", "body"] {
            words = words.replace(&format!("`/{location}/"), &format!("`{location}:/"));
        }
        f.write_str(&words.replace("`/status`", "`status:`"))
    }
}

fn sentence<'e>(entries: impl Iterator<Item = &'e Entry>) -> String {
    entries.map(Entry::to_string).collect::<Vec<_>>().join("; ")
}

/// A document with a line for each value. It is JSON, no deeper than the limits.
fn pretty(json: &[u8]) -> String {
    let mut out = String::new();
    write_pretty(json, 0, &mut out);
    out.push('\n');
    out
}

fn write_pretty(json: &[u8], depth: usize, out: &mut String) {
    let kind = Kind::of(json);
    let items: Vec<_> = match kind {
        Kind::Array | Kind::Object => Items::new(json, 0).collect(),
        _ => Vec::new(),
    };
    if items.is_empty() {
        out.push_str(&String::from_utf8_lossy(json));
        return;
    }
    let (open, close) = if kind == Kind::Array { ('[', ']') } else { ('{', '}') };
    out.push(open);
    for (number, item) in items.iter().enumerate() {
        out.push_str(if number == 0 { "\n" } else { ",\n" });
        out.push_str(&"  ".repeat(depth + 1));
        if kind == Kind::Object {
            let _ = write!(out, "{}: ", String::from_utf8_lossy(&json[item.name.clone()]));
        }
        write_pretty(&json[item.value.clone()], depth + 1, out);
    }
    let _ = write!(out, "\n{}{close}", "  ".repeat(depth));
}
