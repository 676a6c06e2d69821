//! Blocks of Socket.IO namespaces.

use crate::json::edit::Token;
use crate::rules::ast::{Event, Frame, Lifetime, Origin, SocketIoBlock};
use crate::rules::diagnostics as code;
use crate::rules::lens::{self, Lens, Op};
use crate::yaml::{Fields, Node, Reader};

use super::blocks::{body_ops, lifetime};

/// Events that the Socket.IO libraries keep for themselves: no packet carries them.
const RESERVED: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

pub(super) fn block(reader: &mut Reader, node: &Node) -> Option<SocketIoBlock> {
    let mut fields = reader.fields(node, "a `socketio` block")?;
    let namespace = fields.require(reader, "socketio").and_then(|node| namespace(reader, node));
    let client = fields.get("client").map(|node| events(reader, node)).unwrap_or_default();
    let server = fields.get("server").map(|node| events(reader, node)).unwrap_or_default();
    fields.finish(reader);
    Some(SocketIoBlock { namespace: namespace?, client, server, origin: Origin::File, span: node.span })
}

/// A namespace such as `/chat`; the main one is `/`.
pub(super) fn namespace(reader: &mut Reader, node: &Node) -> Option<String> {
    let text = reader.string(node, "a namespace")?;
    let fits = text.starts_with('/') && !text.contains([',', '?']) && !text.chars().any(char::is_control);
    if !fits {
        let message = format!("expected a namespace that starts with `/`, found `{}`", text.escape_debug());
        let diagnostic = reader.error(code::TEMPLATE, node.span, message);
        if text.contains([',', '?']) {
            diagnostic.help("a namespace has no `,` and no query");
        } else {
            diagnostic.help(format!("write `/{}`; the main namespace is `/`", text.trim_start_matches('/')));
        }
        return None;
    }
    Some(text.to_owned())
}

fn events(reader: &mut Reader, node: &Node) -> Vec<Event> {
    let Some(mut fields) = reader.fields(node, "one side of a `socketio` block") else { return Vec::new() };
    let nodes = fields.require(reader, "events").and_then(|node| reader.mapping(node, "`events`"));
    fields.finish(reader);
    nodes.unwrap_or_default().iter().filter_map(|(name, node)| event(reader, name, node)).collect()
}

fn event(reader: &mut Reader, name: &Node, node: &Node) -> Option<Event> {
    let mut fields = reader.fields(node, "an event")?;
    let text = name.text()?;
    check_reserved(reader, name, text);
    let rename = fields.get("as").and_then(|node| event_name(reader, node, "`as`"));
    let args = argument_ops(reader, &mut fields, "args");
    let ack = argument_ops(reader, &mut fields, "ack");
    let lifetime = lifetime(reader, &mut fields);
    fields.finish(reader);
    for op in ack.iter().filter(|op| op.drops_message()) {
        reader
            .error(lens::code::OP, op.span, "an acknowledgement cannot be dropped: its receiver waits for it")
            .help("`drop` without `at` is for events; here it takes elements: `at: /0/*`");
    }
    let says_more = rename.is_some() || !args.is_empty() || !ack.is_empty();
    let Some(lifetime) = lifetime.filter(|lifetime| *lifetime == Lifetime::Both || !says_more) else {
        let message = "an event that only one version has is `added` or `removed`, and nothing else";
        reader.error(code::BLOCK, name.span, message);
        return None;
    };
    let frame = Frame { name: text.to_owned(), rename, ops: args, lifetime, span: name.span };
    Some(Event { frame, ack })
}

fn argument_ops(reader: &mut Reader, fields: &mut Fields<'_>, key: &'static str) -> Vec<Op> {
    let Some(node) = fields.get(key) else { return Vec::new() };
    let ops = body_ops(reader, node, "an event has a list of arguments only");
    for op in &ops {
        check_elements(reader, op);
    }
    ops
}

/// What adds members, moves them or takes them away does so in objects, and the arguments are a list.
fn check_elements(reader: &mut Reader, op: &Op) {
    if !matches!(op.lens, Lens::Move(_) | Lens::Add(_) | Lens::Remove(_) | Lens::Presence(_)) {
        return;
    }
    let is_index = |key: &str| key.bytes().all(|b| b.is_ascii_digit());
    let index = op.places().find_map(|place| match place.tokens.first() {
        Some(Token::Key(key)) if is_index(key) => Some(key.clone()),
        Some(Token::Key(_) | Token::Any) | None => None,
    });
    if let Some(index) = index {
        reader
            .error(
                lens::code::OP,
                op.span,
                format!("`{}` finds nothing here: the arguments are a list, not an object", op.lens.name()),
            )
            .help(format!("write `each: {{at: /{index}, ops: [...]}}`, with paths from the argument"));
    }
}

/// An event's name that no library keeps for itself.
pub(super) fn event_name(reader: &mut Reader, node: &Node, what: &str) -> Option<String> {
    let text = reader.string(node, what)?;
    check_reserved(reader, node, text);
    Some(text.to_owned())
}

fn check_reserved(reader: &mut Reader, node: &Node, name: &str) {
    if RESERVED.contains(&name) {
        reader
            .error(
                code::BLOCK,
                node.span,
                format!("the event `{name}` is kept by Socket.IO for itself: no packet carries it"),
            )
            .help("rules are about the events that clients and backends emit");
    }
}
