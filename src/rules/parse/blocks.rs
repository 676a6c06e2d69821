//! The blocks of a change, with those about calls and sockets.

use crate::json::edit::{Keys, Token};
use crate::route::Template;
use crate::rules::ast::{Before, Frame, Frames, HttpBlock, Lifetime, Origin, ShapeBlock, SocketIoBlock, WsBlock};
use crate::rules::diagnostics as code;
use crate::rules::lens::{self, parse_ops};
use crate::rules::path::{Location, Part};
use crate::rules::{Place, Side, StatusRange};
use crate::yaml::reader::suggestion;
use crate::yaml::{Fields, Node, Reader};

use super::api_file::problem_shape;
use super::{absence, route, shapes, socketio};
use crate::rules::problem::ProblemShape;

/// What a change applies to, by kind; within a kind in file order.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    pub(super) http: Vec<HttpBlock>,
    pub(super) ws: Vec<WsBlock>,
    pub(super) socketio: Vec<SocketIoBlock>,
    pub(super) shapes: Vec<ShapeBlock>,
}

impl Blocks {
    /// How many calls, frames and events they name, and sockets and namespaces.
    pub(super) fn count(&self) -> usize {
        let frames = |frames: &Option<Frames>| frames.as_ref().map_or(0, |frames| frames.frames.len());
        let calls = self.http.iter().map(|block| 1 + block.calls.len());
        let sockets = self.ws.iter().map(|block| 1 + frames(&block.client) + frames(&block.server));
        let namespaces = self.socketio.iter().map(|block| 1 + block.client.len() + block.server.len());
        calls.chain(sockets).chain(namespaces).sum::<usize>() + self.shapes.len()
    }
}

/// Parses the blocks of a change that leads to the version `since`.
pub(super) fn parse(reader: &mut Reader, node: &Node, since: Option<&str>) -> Blocks {
    let mut blocks = Blocks::default();
    for node in reader.list(node, "`apply`").unwrap_or_default() {
        let has = |key: &str| {
            node.as_mapping().is_some_and(|entries| entries.iter().any(|(name, _)| name.text() == Some(key)))
        };
        match ["http", "ws", "socketio", "shape"].map(has) {
            [true, false, false, false] => blocks.http.extend(http_block(reader, node, since)),
            [false, true, false, false] => blocks.ws.extend(ws_block(reader, node)),
            [false, false, true, false] => blocks.socketio.extend(socketio::block(reader, node)),
            [false, false, false, true] => {
                let Blocks { http, ws, socketio, .. } = &blocks;
                let before = Before { http: http.len(), ws: ws.len(), socketio: socketio.len() };
                blocks.shapes.extend(shapes::block(reader, node, before));
            }
            _ => {
                reader
                    .error(
                        code::BLOCK,
                        node.span,
                        "a block is about calls (`http:`), a socket (`ws:`), a namespace (`socketio:`) or a shape (`shape:`)",
                    )
                    .help("write `- http: GET /path`, `- ws: /path`, `- socketio: /namespace` or `- shape: Name`");
            }
        }
    }
    blocks
}

fn http_block(reader: &mut Reader, node: &Node, since: Option<&str>) -> Option<HttpBlock> {
    let mut fields = reader.fields(node, "an `http` block")?;
    let calls = fields.require(reader, "http").and_then(|node| calls(reader, node));
    let route = fields.get("route");
    let request = fields.get("request").map(|node| parse_ops(reader, node)).unwrap_or_default();
    let response = fields.get("response").map(|node| responses(reader, node)).unwrap_or_default();
    let absence = absence::parse(reader, &mut fields, since);
    fields.finish(reader);
    let calls = calls?;
    let route = match route {
        Some(node) => Some(route::parse(reader, node, &calls, &request)?),
        None => None,
    };
    let block = HttpBlock { calls, route, request, response, absence, origin: Origin::File, span: node.span };
    absence::check(reader, &block);
    check_heads(reader, &block);
    Some(block)
}

/// A request has no status, a response no target; and what does not exist cannot be changed.
fn check_heads(reader: &mut Reader, block: &HttpBlock) {
    for op in block.request.iter().chain(block.response.iter().flat_map(|(_, ops)| ops)) {
        if op.drops_message() {
            reader
                .error(lens::code::OP, op.span, "a request or response cannot be dropped as a whole")
                .help("`drop` without `at` is for messages of a socket; here it takes elements: `at: /items/*`");
        }
    }
    for op in &block.request {
        for place in op.places() {
            check_request_place(reader, op, place, block);
        }
    }
    for op in block.response.iter().flat_map(|(_, ops)| ops) {
        for place in op.places().filter(|place| matches!(place.location, Location::Query | Location::Path)) {
            reader
                .error(lens::code::PATH, op.span, format!("a response has no `{}:`", place.location.name()))
                .help("write the op below `request`");
        }
    }
}

fn check_request_place(reader: &mut Reader, op: &lens::Op, place: &Place, block: &HttpBlock) {
    match (place.location, place.tokens.first()) {
        (Location::Status, _) => {
            reader.error(lens::code::PATH, op.span, "a request has no status").help("write the op below `response`");
        }
        (Location::Path, Some(Token::Key(name))) => {
            let lacks = |call: &&Template| !call.params().any(|param| param == name);
            let is_new = block.route.as_ref().is_some_and(|route| route::gains(&block.calls, route, name));
            if let Some(call) = block.calls.iter().find(lacks).filter(|_| !is_new) {
                let known: Vec<&str> = call.params().collect();
                let help = if known.is_empty() {
                    "write it with a parameter, such as `/users/{id}`".to_owned()
                } else {
                    suggestion(name, &known)
                };
                reader
                    .error(lens::code::PATH, op.span, format!("`{call}` has no parameter `{}`", name.escape_debug()))
                    .help(help);
            }
        }
        (Location::Body | Location::Query | Location::Header | Location::Cookie | Location::Path, _) => {}
    }
}

/// The calls of a block; none for `"*"`.
pub(super) fn calls(reader: &mut Reader, node: &Node) -> Option<Vec<Template>> {
    let nodes = node.as_sequence().unwrap_or(std::slice::from_ref(node));
    if node.as_str() == Some("*") {
        return Some(Vec::new());
    }
    let templates: Vec<_> = nodes.iter().map(|node| template(reader, node)).collect();
    let templates = templates.into_iter().collect::<Option<Vec<_>>>()?;
    if templates.is_empty() {
        reader.bad_value(node, "the list of calls is empty").help("write `\"*\"` for every call");
        return None;
    }
    Some(templates)
}

pub(super) fn template(reader: &mut Reader, node: &Node) -> Option<Template> {
    let text = reader.string(node, "a call")?;
    if text == "*" {
        reader.error(code::TEMPLATE, node.span, "`*` is every call, and stands alone").help("write `http: \"*\"`");
        return None;
    }
    match Template::parse(text) {
        Ok(template) => Some(template),
        Err(message) => {
            reader.error(code::TEMPLATE, node.span, message);
            None
        }
    }
}

fn responses(reader: &mut Reader, node: &Node) -> Vec<(StatusRange, Vec<lens::Op>)> {
    let mut responses: Vec<(StatusRange, Vec<lens::Op>)> = Vec::new();
    for (key, ops) in reader.mapping(node, "`response`").unwrap_or_default() {
        match StatusRange::parse(key.text().unwrap_or_default()) {
            Ok(range) if responses.iter().any(|(other, _)| other.rivals(range)) => {
                let message = format!("`{}` overlaps another range of the same width", key.text().unwrap_or_default());
                reader.error(code::TEMPLATE, key.span, message).help("the narrowest range that fits a status decides");
            }
            Ok(range) => responses.push((range, parse_ops(reader, ops))),
            Err(message) => {
                reader.error(code::TEMPLATE, key.span, message).help("ranges go up, from `1xx` to `5xx`");
            }
        }
    }
    responses
}

fn ws_block(reader: &mut Reader, node: &Node) -> Option<WsBlock> {
    let mut fields = reader.fields(node, "a `ws` block")?;
    let path = fields.require(reader, "ws").and_then(|node| socket_path(reader, node));
    let client = fields.get("client").and_then(|node| frames(reader, node, Side::Client));
    let server = fields.get("server").and_then(|node| frames(reader, node, Side::Server));
    fields.finish(reader);
    Some(WsBlock { path: path?, client, server, origin: Origin::File, span: node.span })
}

pub(super) fn socket_path(reader: &mut Reader, node: &Node) -> Option<Template> {
    let text = reader.string(node, "a socket's path")?;
    match Template::parse_path(text) {
        Ok(template) => Some(template),
        Err(message) => {
            reader.error(code::TEMPLATE, node.span, message);
            None
        }
    }
}

fn frames(reader: &mut Reader, node: &Node, side: Side) -> Option<Frames> {
    let mut fields = reader.fields(node, "one side of a `ws` block")?;
    let discriminator = fields.require(reader, "discriminator").and_then(|node| discriminator(reader, node));
    let nodes = fields.require(reader, "frames").and_then(|node| reader.mapping(node, "`frames`"));
    // Only a client is told of what became of its messages.
    let error = if side == Side::Client { fields.get("error") } else { None };
    let error = error.and_then(|node| error_shape(reader, node));
    fields.finish(reader);
    let frames = nodes?.iter().filter_map(|(name, node)| frame(reader, name, node)).collect();
    Some(Frames { discriminator: discriminator?, frames, error })
}

/// What the client is sent for a message that cannot be translated.
fn error_shape(reader: &mut Reader, node: &Node) -> Option<ProblemShape> {
    if node.is_null() {
        reader
            .wrong_type(node, "`error`", "what the client is sent")
            .help("write it, such as `error: {type: error, title: $title}`, or leave `error` out");
        return None;
    }
    problem_shape(reader, node)
}

fn discriminator(reader: &mut Reader, node: &Node) -> Option<Keys> {
    let place = lens::place(reader, node)?;
    let keys = place.keys().filter(|keys| !keys.is_empty() && place.part() == Part::Body);
    if keys.is_none() {
        reader
            .error(
                lens::code::PATH,
                node.span,
                format!("a discriminator is one value of the message, found `{}`", Place::to_string(&place)),
            )
            .help("write `discriminator: /type`");
    }
    keys
}

fn frame(reader: &mut Reader, name: &Node, node: &Node) -> Option<Frame> {
    let mut fields = reader.fields(node, "a frame")?;
    let rename = fields.get("as").and_then(|node| reader.string(node, "`as`")).map(str::to_owned);
    let ops = fields.get("ops").map(|node| body_ops(reader, node, "a message has a body only")).unwrap_or_default();
    let lifetime = lifetime(reader, &mut fields);
    fields.finish(reader);
    let says_more = rename.is_some() || !ops.is_empty();
    let Some(lifetime) = lifetime.filter(|lifetime| *lifetime == Lifetime::Both || !says_more) else {
        let message = "a frame that only one version has is `added` or `removed`, and nothing else";
        reader.error(code::BLOCK, name.span, message);
        return None;
    };
    Some(Frame { name: name.text()?.to_owned(), rename, ops, lifetime, span: name.span })
}

/// `added: drop` or `removed: drop`; `None` where both are there.
pub(super) fn lifetime(reader: &mut Reader, fields: &mut Fields<'_>) -> Option<Lifetime> {
    let mut read = |key, lifetime| {
        fields.get(key).and_then(|node| reader.one_of(node, &format!("`{key}`"), &[("drop", lifetime)]).copied())
    };
    match (read("added", Lifetime::Added), read("removed", Lifetime::Removed)) {
        (Some(_), Some(_)) => None,
        (added, removed) => Some(added.or(removed).unwrap_or_default()),
    }
}

/// Ops on a message that has no head; `why` says so.
pub(super) fn body_ops(reader: &mut Reader, node: &Node, why: &str) -> Vec<lens::Op> {
    let ops = parse_ops(reader, node);
    for op in &ops {
        if op.reaches(Part::Head) {
            reader.error(lens::code::PARTS, op.span, why).help("use paths such as `/text`");
        }
    }
    ops
}
