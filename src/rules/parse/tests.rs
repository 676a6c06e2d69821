//! Tests in rule files: inline, with `old` and `new`, and of the whole chain, with version labels.

use http::HeaderName;

use crate::rules::ast::{ArgumentList, HttpMessage, HttpTest, SocketIoTest, Subject, Test, WsTest};
use crate::rules::diagnostics as code;
use crate::rules::{Direction, Side};
use crate::version::{VersionId, Versions};
use crate::yaml::{Fields, Node, Reader};

use super::{socketio, unknown_version};

/// What a message that the other version never sees is written as.
const DROPPED: &str = "$dropped";

/// How bodies are labelled: by the keys of their versions.
struct Labels {
    keys: Vec<(&'static str, VersionId)>,
    versions: Option<Versions>,
}

/// The tests of one change.
pub(super) fn inline(reader: &mut Reader, node: &Node, older: VersionId, newer: VersionId) -> Vec<Test> {
    let labels = Labels { keys: vec![("old", older), ("new", newer)], versions: None };
    list(reader, node, &labels)
}

/// A file of whole-chain tests.
pub(super) fn chain(reader: &mut Reader, node: &Node, versions: &Versions) -> Vec<Test> {
    let Some(mut fields) = reader.fields(node, "a file of tests") else { return Vec::new() };
    let labels = Labels { keys: Vec::new(), versions: Some(versions.clone()) };
    let tests = fields.require(reader, "tests").map(|node| list(reader, node, &labels)).unwrap_or_default();
    fields.finish(reader);
    tests
}

fn list(reader: &mut Reader, node: &Node, labels: &Labels) -> Vec<Test> {
    let nodes = reader.list(node, "`tests`").unwrap_or_default();
    nodes.iter().filter_map(|node| test(reader, node, labels)).collect()
}

fn test(reader: &mut Reader, node: &Node, labels: &Labels) -> Option<Test> {
    let mut fields = reader.fields(node, "a test")?;
    let name = fields.get("name").and_then(|node| reader.string(node, "`name`"));
    let only = fields
        .get("only")
        .and_then(|node| reader.one_of(node, "`only`", &[("up", Direction::Up), ("down", Direction::Down)]).copied());
    let (http, ws, socketio) = (fields.get("http"), fields.get("ws"), fields.get("socketio"));
    let (subject, about) = match (http, ws, socketio) {
        (Some(call), None, None) => (http_test(reader, &mut fields, call, labels)?, call.text()?),
        (None, Some(path), None) => (ws_test(reader, &mut fields, path, labels)?, path.text()?),
        (None, None, Some(namespace)) => (socketio_test(reader, &mut fields, namespace, labels)?, namespace.text()?),
        _ => {
            reader
                .error(
                    code::TEST,
                    node.span,
                    "a test is about one call (`http:`), one socket (`ws:`) or one namespace (`socketio:`)",
                )
                .help("write `- http: GET /path`, `- ws: /path` or `- socketio: /namespace`");
            return None;
        }
    };
    fields.finish(reader);
    let name = name.map_or_else(|| about.to_owned(), |name| format!("{about}: {name}"));
    Some(Test { name, subject, only, file: reader.file().clone(), span: node.span })
}

fn http_test(reader: &mut Reader, fields: &mut Fields<'_>, call: &Node, labels: &Labels) -> Option<Subject> {
    let text = reader.string(call, "a call")?;
    let parsed = text
        .split_once(' ')
        .and_then(|(method, target)| Some((method.parse::<http::Method>().ok()?, target)))
        .filter(|(_, target)| target.starts_with('/'));
    let Some((method, target)) = parsed.filter(|(method, _)| method.as_str().bytes().all(|b| b.is_ascii_uppercase()))
    else {
        reader
            .error(
                code::TEST,
                call.span,
                format!("expected a method and a target such as `GET /users/42?page=1`, found `{text}`"),
            )
            .help("a test names one call, without parameters in braces");
        return None;
    };
    let old_status = fields.get("status").and_then(|node| status(reader, node));
    let new_status = fields.get("new_status").and_then(|node| status(reader, node));
    let request = fields.get("request").and_then(|node| message(reader, node, labels));
    let response = fields.get("response").and_then(|node| message(reader, node, labels));
    let answers = fields.get("answers").and_then(|node| status(reader, node));
    if request.is_none() && response.is_none() && answers.is_none() {
        reader
            .error(code::TEST, call.span, "the test has none of `request`, `response` and `answers`")
            .help("write `response: {old: ..., new: ...}`");
        return None;
    }
    Some(Subject::Http(HttpTest {
        method,
        target: target.to_owned(),
        status: old_status.unwrap_or(200),
        new_status,
        answers,
        request,
        response,
    }))
}

fn status(reader: &mut Reader, node: &Node) -> Option<u16> {
    let status = reader.integer(node, "a status")?;
    let status = u16::try_from(status).ok().filter(|status| (100..600).contains(status));
    if status.is_none() {
        reader.error(code::TEST, node.span, "a status is a number from 100 to 599");
    }
    status
}

fn message(reader: &mut Reader, node: &Node, labels: &Labels) -> Option<HttpMessage> {
    let mut fields = reader.fields(node, "a message of a test")?;
    let mut message = HttpMessage {
        header: fields.get("header").map(|node| headers(reader, node)).unwrap_or_default(),
        new_header: fields.get("new_header").map(|node| headers(reader, node)).unwrap_or_default(),
        new_target: fields.get("new_target").and_then(|node| reader.string(node, "`new_target`")).map(str::to_owned),
        bodies: Vec::new(),
    };
    for (version, node) in labels.bodies(reader, node, &mut fields) {
        message.bodies.extend(json(reader, node).map(|text| (version, text)));
    }
    labels.finish(reader, fields);
    Some(message)
}

fn json(reader: &mut Reader, node: &Node) -> Option<Vec<u8>> {
    match node.to_json() {
        Ok(text) => Some(text.into_bytes()),
        Err(error) => {
            reader
                .error(code::TEST, error.span, "this number has no JSON form")
                .help("write it as JSON does: decimal digits, no leading `+` or `.`");
            None
        }
    }
}

fn headers(reader: &mut Reader, node: &Node) -> Vec<(String, String)> {
    let entries = reader.mapping(node, "headers").unwrap_or_default();
    let mut headers = Vec::new();
    for (name, value) in entries {
        match (name.text().filter(|name| HeaderName::from_bytes(name.as_bytes()).is_ok()), value.text()) {
            (Some(name), Some(value)) => headers.push((name.to_ascii_lowercase(), value.to_owned())),
            (None, _) => {
                reader.error(code::TEST, name.span, "this is no header name");
            }
            (_, None) => {
                reader.wrong_type(value, "a header", "one value");
            }
        }
    }
    headers
}

fn ws_test(reader: &mut Reader, fields: &mut Fields<'_>, path: &Node, labels: &Labels) -> Option<Subject> {
    let text = reader.string(path, "a socket's path")?;
    let sides = [(Side::Client, fields.get("client")), (Side::Server, fields.get("server"))];
    let mut given = sides.into_iter().filter_map(|(side, node)| Some((side, node?)));
    let (Some((side, node)), None) = (given.next(), given.next()) else {
        reader
            .error(code::TEST, path.span, "a test of a socket has either `client` or `server`")
            .help("name the side that sends the message");
        return None;
    };
    let mut inner = reader.fields(node, "a message of a test")?;
    let messages = messages(reader, node, &mut inner, labels)?;
    labels.finish(reader, inner);
    Some(Subject::Ws(WsTest { path: text.to_owned(), side, messages }))
}

/// By version; `None`: that version never sees it.
fn messages<'n>(
    reader: &mut Reader,
    node: &'n Node,
    fields: &mut Fields<'n>,
    labels: &Labels,
) -> Option<Vec<(VersionId, Option<Vec<u8>>)>> {
    let mut messages = Vec::new();
    for (version, node) in labels.bodies(reader, node, fields) {
        let text = if node.as_str() == Some(DROPPED) { None } else { Some(json(reader, node)?) };
        messages.push((version, text));
    }
    Some(messages)
}

fn socketio_test(reader: &mut Reader, fields: &mut Fields<'_>, node: &Node, labels: &Labels) -> Option<Subject> {
    let namespace = socketio::namespace(reader, node);
    let kinds = [
        ("client", Side::Client, ArgumentList::Event),
        ("server", Side::Server, ArgumentList::Event),
        ("client_ack", Side::Client, ArgumentList::Ack),
        ("server_ack", Side::Server, ArgumentList::Ack),
    ];
    let mut given = kinds.into_iter().filter_map(|(key, side, list)| Some((fields.get(key)?, side, list)));
    let (Some((message, side, list)), None) = (given.next(), given.next()) else {
        reader
            .error(
                code::TEST,
                node.span,
                "a test of a namespace has one of `client`, `server`, `client_ack`, `server_ack`",
            )
            .help(
                "name the side that sends the event; `client_ack` is the acknowledgement of an event of the client's",
            );
        return None;
    };
    let mut inner = reader.fields(message, "an event of a test")?;
    let event = inner.require(reader, "event").and_then(|node| reader.string(node, "`event`"));
    let new_event = inner.get("new_event").and_then(|node| reader.string(node, "`new_event`")).map(str::to_owned);
    let messages = messages(reader, message, &mut inner, labels)?;
    labels.finish(reader, inner);
    let (namespace, event) = (namespace?, event?.to_owned());
    Some(Subject::SocketIo(SocketIoTest { namespace, side, list, event, new_event, messages }))
}

impl Labels {
    /// The values that are bodies of a version.
    fn bodies<'n>(&self, reader: &mut Reader, node: &'n Node, fields: &mut Fields<'n>) -> Vec<(VersionId, &'n Node)> {
        let Some(versions) = &self.versions else {
            return self.keys.iter().filter_map(|(key, version)| Some((*version, fields.get(key)?))).collect();
        };
        let mut bodies = Vec::new();
        for (key, value) in node.as_mapping().unwrap_or_default() {
            match key.text().and_then(|text| versions.find(text)) {
                Some(version) => bodies.push((version, value)),
                None if matches!(key.text(), Some("header" | "new_header" | "new_target" | "event" | "new_event")) => {}
                None => {
                    unknown_version(reader, key, versions);
                }
            }
        }
        bodies
    }

    /// Reports unknown keys, which in a chain test [`Labels::bodies`] has done.
    fn finish(&self, reader: &mut Reader, fields: Fields<'_>) {
        if self.versions.is_none() {
            fields.finish(reader);
        }
    }
}
