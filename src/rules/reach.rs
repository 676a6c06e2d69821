//! Blocks that reach nothing, for an earlier change has taken away what they are about; and events that meet.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Span};
use crate::route::{Index, Template};

use super::ast::{Change, Frame, Origin};
use super::diagnostics as code;
use super::{Api, Side};

/// Reports every block about what its older version does not have.
pub(super) fn check(api: &Api, diagnostics: &mut Vec<Diagnostic>) {
    let mut calls = Calls::default();
    let mut messages = Messages::default();
    for change in &api.changes {
        calls.check(change, diagnostics);
        messages.check(change, diagnostics);
        namespaces(change, diagnostics);
    }
}

/// What became of something that is not there any more: its change, and what it is called since, if it is there at all.
type Fate = (Arc<str>, Option<String>);

fn report(change: &Change, span: Span, what: &str, fate: Option<Fate>, diagnostics: &mut Vec<Diagnostic>) {
    let Some((earlier, now)) = fate else { return };
    let (message, help) = match now {
        Some(now) => {
            (format!("{what} is not there any more: the change `{earlier}` made it `{now}`"), format!("write `{now}`"))
        }
        None => (
            format!("{what} is not there any more: the change `{earlier}` removed it"),
            "remove it from this change, or let it come before that one".to_owned(),
        ),
    };
    let mut diagnostic = Diagnostic::error(code::UNMATCHED, &change.file, span, message);
    diagnostic.help(help);
    diagnostics.push(diagnostic);
}

/// What became of the calls that earlier changes move, make or remove, by their [shape](Template::shape), where they are
/// not there any more.
#[derive(Default)]
struct Calls(HashMap<Template, Fate>);

impl Calls {
    /// Reports the calls of a change that its older version does not have, and adds what the change says.
    fn check(&mut self, change: &Change, diagnostics: &mut Vec<Diagnostic>) {
        for block in change.http.iter().filter(|block| block.origin == Origin::File && !block.is_added()) {
            for call in &block.calls {
                let fate = self.0.get(&call.shape()).cloned();
                report(change, block.span, &format!("`{call}`"), fate, diagnostics);
            }
        }
        self.add(change);
    }

    /// Of what one change says of a call, that it arrives counts most, then that it is gone, then its first route.
    fn add(&mut self, change: &Change) {
        let routes = || change.http.iter().filter_map(|block| Some((block.calls.first()?, block.route.as_ref()?)));
        for (older, newer) in routes().rev() {
            self.0.insert(older.shape(), (Arc::clone(&change.id), Some(newer.to_string())));
        }
        for call in change.http.iter().filter(|block| block.is_gone()).flat_map(|block| &block.calls) {
            self.0.insert(call.shape(), (Arc::clone(&change.id), None));
        }
        let added = change.http.iter().filter(|block| block.is_added()).flat_map(|block| &block.calls);
        for call in added.chain(routes().map(|(_, newer)| newer)) {
            self.0.remove(&call.shape());
        }
    }
}

/// Where messages of a socket belong: the position of a WebSocket's path among all, or a namespace of Socket.IO.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Channel<'a> {
    Path(usize),
    Namespace(&'a str),
}

/// What became of the messages that earlier changes say something of.
#[derive(Default)]
struct Messages<'a> {
    /// The paths of sockets, by the position of the first of each shape.
    paths: Index<usize>,
    positions: HashMap<Template, usize>,
    /// By where a message belongs, its side and its name.
    last: HashMap<(Channel<'a>, Side, &'a str), Last>,
    changes: usize,
}

/// What the last block that says something of a message says.
struct Last {
    /// The position of the block's change, and its own there.
    place: (usize, usize),
    /// `None`: the newer version has the message.
    fate: Option<Fate>,
}

impl<'a> Messages<'a> {
    /// Reports the frames and events of a change that its older version does not have, and adds what the change says.
    fn check(&mut self, change: &'a Change, diagnostics: &mut Vec<Diagnostic>) {
        for block in change.ws.iter().filter(|block| block.origin == Origin::File) {
            let paths = self.paths.covering(&block.path);
            for side in [Side::Client, Side::Server] {
                for frame in block.side(side).iter().flat_map(|frames| &frames.frames) {
                    let channels = paths.iter().map(|path| Channel::Path(*path));
                    self.report(change, ("message", frame), (channels, side), diagnostics);
                }
            }
        }
        for block in change.socketio.iter().filter(|block| block.origin == Origin::File) {
            for side in [Side::Client, Side::Server] {
                for event in block.side(side) {
                    let channels = std::iter::once(Channel::Namespace(&block.namespace));
                    self.report(change, ("event", &event.frame), (channels, side), diagnostics);
                }
            }
        }
        self.add(change);
    }

    fn report(
        &self,
        change: &Change,
        (what, frame): (&str, &'a Frame),
        (channels, side): (impl Iterator<Item = Channel<'a>>, Side),
        diagnostics: &mut Vec<Diagnostic>,
    ) {
        let Some(name) = frame.older_name() else { return };
        let found = channels.filter_map(|channel| self.last.get(&(channel, side, name)));
        // Of the blocks of one change, the first one decides.
        let last = found.max_by_key(|Last { place: (change, block), .. }| (*change, Reverse(*block)));
        let fate = last.and_then(|last| last.fate.clone());
        report(change, frame.span, &format!("the {what} `{name}`"), fate, diagnostics);
    }

    fn add(&mut self, change: &'a Change) {
        self.changes += 1;
        for (block, socket) in change.ws.iter().enumerate() {
            let next = self.positions.len();
            let path = *self.positions.entry(socket.path.shape()).or_insert(next);
            if path == next {
                self.paths.insert(&socket.path, path);
            }
            for side in [Side::Client, Side::Server] {
                let frames = socket.side(side).into_iter().flat_map(|frames| &frames.frames);
                frames.for_each(|frame| self.say(change, block, (Channel::Path(path), side), frame));
            }
        }
        for (block, namespace) in change.socketio.iter().enumerate() {
            for side in [Side::Client, Side::Server] {
                let channel = Channel::Namespace(&namespace.namespace);
                namespace.side(side).iter().for_each(|event| self.say(change, block, (channel, side), &event.frame));
            }
        }
    }

    fn say(&mut self, change: &Change, block: usize, (channel, side): (Channel<'a>, Side), frame: &'a Frame) {
        let place = (self.changes, block);
        if let Some(name) = frame.newer_name() {
            let last = self.last.entry((channel, side, name)).or_insert(Last { place, fate: None });
            if last.place == place || last.place.0 < self.changes {
                *last = Last { place, fate: None };
            }
        }
        if let Some(name) = frame.older_name().filter(|name| frame.newer_name() != Some(name)) {
            let fate = || Some((Arc::clone(&change.id), frame.newer_name().map(str::to_owned)));
            let last = self.last.entry((channel, side, name)).or_insert_with(|| Last { place, fate: fate() });
            if last.place.0 < self.changes {
                *last = Last { place, fate: fate() };
            }
        }
    }
}

/// A namespace has one block in a change, and two events of one side must not become one: going back there would be a
/// choice.
fn namespaces(change: &Change, diagnostics: &mut Vec<Diagnostic>) {
    let mut twice = |span: Span, first: Span, message: String, help: &str| {
        let mut diagnostic = Diagnostic::error(code::ORDER, &change.file, span, message);
        diagnostic.secondary(first, "the first is here").help(help);
        diagnostics.push(diagnostic);
    };
    let blocks: Vec<_> = change.socketio.iter().filter(|block| block.origin == Origin::File).collect();
    for (at, block) in blocks.iter().enumerate() {
        if let Some(first) = blocks[..at].iter().find(|other| other.namespace == block.namespace) {
            let help = "write `client` and `server` of a namespace into one block";
            twice(block.span, first.span, "a second block about this namespace".to_owned(), help);
        }
        for events in [&block.client, &block.server] {
            for (at, event) in events.iter().enumerate() {
                let Some(name) = event.frame.newer_name() else { continue };
                if let Some(first) = events[..at].iter().find(|other| other.frame.newer_name() == Some(name)) {
                    let message = format!("two events become `{name}`");
                    twice(event.frame.span, first.frame.span, message, "give one of them another name with `as`");
                }
            }
        }
    }
}
