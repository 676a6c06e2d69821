//! `shapes.yaml`: where each named shape occurs, and the blocks that say what changes in one.

use crate::rules::ast::{ArgumentList, Before, Host, Occurrence, Shape, ShapeBlock};
use crate::rules::diagnostics as code;
use crate::rules::lens;
use crate::rules::path::{Location, Part};
use crate::rules::{Place, Side, StatusRange};
use crate::yaml::reader::suggestion;
use crate::yaml::{Fields, Node, Reader};

use super::blocks::{body_ops, calls, socket_path};
use super::socketio::{event_name, namespace};

/// The whole file.
pub(super) fn file(reader: &mut Reader, node: &Node) -> Vec<Shape> {
    let entries = reader.mapping(node, "a file of shapes").unwrap_or_default();
    let shapes: Vec<Shape> = entries.iter().filter_map(|(name, node)| shape(reader, name, node)).collect();
    // Only the keys of the file are names: a shape with errors is one too.
    let names: Vec<&str> = entries.iter().filter_map(|(name, _)| name.text()).collect();
    for occurrence in shapes.iter().flat_map(|shape| &shape.occurrences) {
        if let Host::Shape(host) = &occurrence.host
            && !names.contains(&host.as_str())
        {
            reader
                .error(code::SHAPE, occurrence.span, format!("there is no shape `{}`", host.escape_debug()))
                .help(suggestion(host, &names));
        }
    }
    shapes
}

fn shape(reader: &mut Reader, name: &Node, node: &Node) -> Option<Shape> {
    let nodes = reader.list(node, "the occurrences of a shape")?;
    if nodes.is_empty() {
        reader
            .error(code::SHAPE, name.span, "the shape occurs nowhere")
            .help("write where, such as `- {http: \"GET /users/{id}\", response: 2xx}`");
    }
    let occurrences = nodes.iter().filter_map(|node| occurrence(reader, node)).collect();
    Some(Shape { name: name.text()?.into(), occurrences, file: reader.file().clone(), span: name.span })
}

fn occurrence(reader: &mut Reader, node: &Node) -> Option<Occurrence> {
    let mut fields = reader.fields(node, "an occurrence")?;
    let at = fields.get("at");
    let hosts = ["http", "ws", "socketio", "inside"].map(|key| fields.get(key));
    let host = match hosts {
        [Some(node), None, None, None] => http(reader, node, &mut fields),
        [None, Some(node), None, None] => ws(reader, node, &mut fields),
        [None, None, Some(node), None] => socketio(reader, node, &mut fields),
        [None, None, None, Some(node)] => return inside(reader, node, fields, at),
        _ => {
            reader
                .error(
                    code::SHAPE,
                    node.span,
                    "a shape occurs in calls (`http:`), a socket (`ws:`), a namespace (`socketio:`) or another shape (`inside:`)",
                )
                .help("write one list item for each occurrence, such as `- {http: GET /users, response: 2xx, at: /users/*}`");
            return None;
        }
    };
    fields.finish(reader);
    let at = at.map_or(Some(body()), |node| place(reader, node));
    Some(Occurrence { host: host?, at: at?, span: node.span })
}

fn body() -> Place {
    Place { location: Location::Body, tokens: Vec::new() }
}

fn place(reader: &mut Reader, node: &Node) -> Option<Place> {
    let place = lens::place(reader, node)?;
    if place.part() == Part::Body {
        return Some(place);
    }
    reader
        .error(lens::code::PATH, node.span, format!("a shape is in the body, found `{place}`"))
        .help("write a path such as `at: /users/*`");
    None
}

fn http(reader: &mut Reader, node: &Node, fields: &mut Fields<'_>) -> Option<Host> {
    let calls = calls(reader, node);
    match (fields.get("request"), fields.get("response")) {
        (Some(request), None) => {
            let is_there = reader.boolean(request, "`request`")?;
            if !is_there {
                reader.bad_value(request, "an occurrence is there").help("write `request: true`, or `response: 2xx`");
                return None;
            }
            Some(Host::Request(calls?))
        }
        (None, Some(response)) => match StatusRange::parse(response.text().unwrap_or_default()) {
            Ok(range) => Some(Host::Response(calls?, range)),
            Err(message) => {
                reader.error(code::TEMPLATE, response.span, message);
                None
            }
        },
        _ => {
            reader
                .error(code::SHAPE, node.span, "an occurrence in calls is in their requests or in their responses")
                .help("write `request: true` or `response: 2xx`, one list item for each");
            None
        }
    }
}

/// The side that sends a message, and the node of its name.
fn side<'n>(reader: &mut Reader, node: &Node, fields: &mut Fields<'n>) -> Option<(Side, &'n Node)> {
    match (fields.get("client"), fields.get("server")) {
        (Some(name), None) => Some((Side::Client, name)),
        (None, Some(name)) => Some((Side::Server, name)),
        _ => {
            reader
                .error(code::SHAPE, node.span, "an occurrence in a message names the side that sends it")
                .help("write `client: name` or `server: name`, one list item for each");
            None
        }
    }
}

fn ws(reader: &mut Reader, node: &Node, fields: &mut Fields<'_>) -> Option<Host> {
    let path = socket_path(reader, node);
    let (side, name) = side(reader, node, fields)?;
    let name = reader.string(name, "a frame's name")?.to_owned();
    Some(Host::Frame { path: path?, side, name })
}

fn socketio(reader: &mut Reader, node: &Node, fields: &mut Fields<'_>) -> Option<Host> {
    let namespace = namespace(reader, node);
    let ack = fields.get("ack").and_then(|node| reader.boolean(node, "`ack`"));
    let list = if ack == Some(true) { ArgumentList::Ack } else { ArgumentList::Event };
    let (side, name) = side(reader, node, fields)?;
    let name = event_name(reader, name, "an event's name")?;
    Some(Host::Event { namespace: namespace?, side, name, list })
}

/// `inside: {shape: Comment, at: /replies/*}`
fn inside(reader: &mut Reader, node: &Node, fields: Fields<'_>, at: Option<&Node>) -> Option<Occurrence> {
    fields.finish(reader);
    let mut inner = reader.fields(node, "`inside`")?;
    let shape = inner.require(reader, "shape").and_then(|node| reader.string(node, "`shape`"));
    let place_node = inner.get("at");
    inner.finish(reader);
    if let Some(at) = at {
        reader
            .error(code::SHAPE, at.span, "`at` stands beside `inside`")
            .help("write it into `inside`, as in `inside: {shape: Comment, at: /replies/*}`");
        return None;
    }
    let at = place_node.map_or(Some(body()), |node| place(reader, node))?;
    let shape = shape?;
    if at.tokens.is_empty() {
        reader
            .error(code::SHAPE, node.span, format!("this place is all of `{}`", shape.escape_debug()))
            .help("write where inside it, such as `at: /replies/*`");
        return None;
    }
    Some(Occurrence { host: Host::Shape(shape.to_owned()), at, span: node.span })
}

/// `shape: Name` with `ops`, in a change.
pub(super) fn block(reader: &mut Reader, node: &Node, before: Before) -> Option<ShapeBlock> {
    let mut fields = reader.fields(node, "a `shape` block")?;
    let name = fields.require(reader, "shape").and_then(|node| Some((reader.string(node, "`shape`")?, node.span)));
    let ops = fields.require(reader, "ops").map(|node| body_ops(reader, node, "a shape is in bodies only"));
    fields.finish(reader);
    let ((name, name_span), ops) = (name?, ops?);
    for op in ops.iter().filter(|op| op.drops_message()) {
        reader
            .error(lens::code::OP, op.span, "a shape is a part of a message, and cannot drop it")
            .help("write the `drop` into a `ws` block");
    }
    Some(ShapeBlock { name: name.to_owned(), ops, before, name_span, span: node.span })
}
