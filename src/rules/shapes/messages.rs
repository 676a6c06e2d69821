//! Shapes in the messages of sockets and in Socket.IO events.

use crate::diagnostic::{Diagnostic, Span};
use crate::json::edit::{Keys, Path, Token};
use crate::route::Template;
use crate::rules::ast::{
    ArgumentList, Change, Event, Frame, Frames, Host, Lifetime, Origin, ShapeBlock, SocketIoBlock, WsBlock,
};
use crate::rules::diagnostics as code;
use crate::rules::lens::{Carried, Op};
use crate::rules::{Api, Direction, Side};

use super::places::Places;
use super::{Expansion, Item, items};

/// Follows the shapes of every message of a socket.
pub(super) fn sockets(api: &Api, expansion: &mut Expansion) {
    let mut done: Vec<(&Template, Side, &str)> = Vec::new();
    for host in api.shapes.iter().flat_map(|shape| &shape.occurrences).map(|occurrence| &occurrence.host) {
        let Host::Frame { path, side, name } = host else { continue };
        // A block may be about fewer paths than the occurrence: there the shape is followed through that block too.
        let blocks = api.changes.iter().flat_map(|change| &change.ws).map(|block| &block.path);
        for path in blocks.filter(|own| path.covers(own)).chain([path]) {
            if !done.iter().any(|(p, s, n)| p.same_shape(path) && s == side && n == name) {
                done.push((path, *side, name));
                socket(api, expansion, path, *side, name);
            }
        }
    }
}

/// One kind of message of a socket, at one point of the chain.
struct Message<'a> {
    path: &'a Template,
    side: Side,
    name: String,
    discriminator: Option<Keys>,
    places: Places,
}

fn socket(api: &Api, expansion: &mut Expansion, path: &Template, side: Side, name: &str) {
    let places = expansion.places(api, |host| match host {
        Host::Frame { path: about, side: from, name: called } => about.covers(path) && *from == side && called == name,
        Host::Request(_) | Host::Response(..) | Host::Event { .. } | Host::Shape(_) => false,
    });
    let mut message = Message { path, side, name: name.to_owned(), discriminator: None, places };
    for (index, change) in api.changes.iter().enumerate() {
        message.see(expansion, index, &[], None);
        for item in items(change, &change.ws, |before| before.ws) {
            match item {
                Item::Block(block) if block.path.covers(path) => {
                    let Some(frames) = block.side(side) else { continue };
                    let frame = frame(frames.frames.iter(), &message.name);
                    let ops: &[Op] = frame.map_or(&[], |frame| &frame.ops);
                    message.see(expansion, index, ops, Some(block.span));
                    message.discriminator = Some(frames.discriminator.clone());
                    message.follow(ops, change);
                    let Some(name) = frame.map_or(Some(message.name.as_str()), Frame::newer_name) else { return };
                    message.name = name.to_owned();
                }
                Item::Block(_) => {}
                Item::Shape(at, shape) => {
                    let ops = expansion.apply((index, change), at, &mut message.places);
                    if !ops.is_empty() {
                        message.block(api, expansion, (index, change), shape, ops);
                    }
                }
            }
        }
    }
}

/// What a list of kinds says of the messages that the older version calls this.
fn frame<'f>(mut frames: impl Iterator<Item = &'f Frame>, name: &str) -> Option<&'f Frame> {
    frames.find(|frame| frame.older_name() == Some(name))
}

impl Message<'_> {
    fn see(&self, expansion: &mut Expansion, index: usize, ops: &[Op], block: Option<Span>) {
        let place = format!("the message `{}` of `{}`", self.name, path_of(self.path));
        expansion.see(index, &place, &self.places, ops, block);
    }

    fn follow(&mut self, ops: &[Op], change: &Change) {
        self.places.follow(ops, &change.id);
        self.discriminator = self.discriminator.take().and_then(|keys| carried(ops, keys));
    }

    fn block(
        &mut self,
        api: &Api,
        expansion: &mut Expansion,
        (index, change): (usize, &Change),
        shape: &ShapeBlock,
        ops: Vec<Op>,
    ) {
        let known = self.discriminator.clone().or_else(|| self.next_discriminator(api, index, shape));
        let Some(discriminator) = known else {
            let message = format!(
                "`{}` is in the message `{}` of `{}`, and nothing says how messages there are told apart",
                shape.name,
                self.name,
                path_of(self.path)
            );
            let mut diagnostic = Diagnostic::error(code::SHAPE, &change.file, shape.name_span, message);
            diagnostic.help(format!(
                "add a block `- ws: {}` with `{}: {{discriminator: /type, frames: {{}}}}`",
                path_of(self.path),
                self.side.name()
            ));
            expansion.found.push(diagnostic);
            return;
        };
        self.discriminator = carried(&ops, discriminator.clone());
        let frame = Frame { name: self.name.clone(), rename: None, ops, lifetime: Lifetime::Both, span: shape.span };
        let frames = Some(Frames { discriminator, frames: vec![frame], error: None });
        let (client, server) = match self.side {
            Side::Client => (frames, None),
            Side::Server => (None, frames),
        };
        let block = WsBlock { path: self.path.clone(), client, server, origin: Origin::Shape, span: shape.span };
        expansion.made[index].ws.push((shape.before.ws, block));
    }

    /// Where the next block of the author about this side of the socket has the discriminator.
    fn next_discriminator(&self, api: &Api, index: usize, shape: &ShapeBlock) -> Option<Keys> {
        let here = api.changes[index].ws.iter().skip(shape.before.ws);
        let later = api.changes[index + 1..].iter().flat_map(|change| &change.ws);
        let mut blocks = here.chain(later).filter(|block| block.path.covers(self.path));
        blocks.find_map(|block| block.side(self.side)).map(|frames| frames.discriminator.clone())
    }
}

/// A socket's path as a rule file has it.
fn path_of(template: &Template) -> String {
    template.to_string().trim_start_matches("* ").to_owned()
}

/// Where ops put what is told messages apart by, if that is certain.
fn carried(ops: &[Op], keys: Keys) -> Option<Keys> {
    let path: Path = keys.into_iter().map(Token::Key).collect();
    let path = match crate::rules::lens::carry_ops(ops, Direction::Up, &path) {
        Carried::Same => path,
        Carried::To(path) => path,
        Carried::Gone | Carried::Unknown => return None,
    };
    let key = |token| if let Token::Key(key) = token { Some(key) } else { None };
    path.into_iter().map(key).collect()
}

/// Follows the shapes of every Socket.IO event.
pub(super) fn namespaces(api: &Api, expansion: &mut Expansion) {
    let mut done: Vec<Argument<'_>> = Vec::new();
    for host in api.shapes.iter().flat_map(|shape| &shape.occurrences).map(|occurrence| &occurrence.host) {
        let Host::Event { namespace, side, name, list } = host else { continue };
        let argument = Argument { namespace, side: *side, name, list: *list };
        if !done.contains(&argument) {
            done.push(argument);
            event(api, expansion, argument);
        }
    }
}

/// One list of arguments of an event of the oldest version.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Argument<'a> {
    namespace: &'a str,
    side: Side,
    name: &'a str,
    list: ArgumentList,
}

impl Argument<'_> {
    fn is_in(&self, host: &Host) -> bool {
        match host {
            Host::Event { namespace, side, name, list } => {
                *self == Argument { namespace, side: *side, name, list: *list }
            }
            Host::Request(_) | Host::Response(..) | Host::Frame { .. } | Host::Shape(_) => false,
        }
    }

    fn block(&self, name: &str, ops: Vec<Op>, shape: &ShapeBlock) -> SocketIoBlock {
        let (ops, ack) = match self.list {
            ArgumentList::Event => (ops, Vec::new()),
            ArgumentList::Ack => (Vec::new(), ops),
        };
        let frame = Frame { name: name.to_owned(), rename: None, ops, lifetime: Lifetime::Both, span: shape.span };
        let events = vec![Event { frame, ack }];
        let (client, server) = match self.side {
            Side::Client => (events, Vec::new()),
            Side::Server => (Vec::new(), events),
        };
        SocketIoBlock { namespace: self.namespace.to_owned(), client, server, origin: Origin::Shape, span: shape.span }
    }
}

fn event(api: &Api, expansion: &mut Expansion, argument: Argument<'_>) {
    let mut places = expansion.places(api, |host| argument.is_in(host));
    let mut name = argument.name.to_owned();
    for (index, change) in api.changes.iter().enumerate() {
        let place = format!("the event `{name}` of `{}`", argument.namespace);
        expansion.see(index, &place, &places, &[], None);
        for item in items(change, &change.socketio, |before| before.socketio) {
            match item {
                Item::Block(block) if block.namespace == argument.namespace => {
                    let events = block.side(argument.side);
                    let Some(event) = events.iter().find(|event| event.frame.older_name() == Some(&name)) else {
                        continue;
                    };
                    expansion.see(index, &place, &places, event.ops(argument.list), Some(block.span));
                    places.follow(event.ops(argument.list), &change.id);
                    let Some(newer) = event.frame.newer_name() else { return };
                    name = newer.to_owned();
                }
                Item::Block(_) => {}
                Item::Shape(at, shape) => {
                    let ops = expansion.apply((index, change), at, &mut places);
                    if !ops.is_empty() {
                        let block = argument.block(&name, ops, shape);
                        expansion.made[index].socketio.push((shape.before.socketio, block));
                    }
                }
            }
        }
    }
}
