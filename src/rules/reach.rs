//! Blocks that reach nothing, for an earlier change has taken away what they are about; and events that meet.

use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Span};
use crate::route::Template;

use super::ast::{Change, Frame, HttpBlock, Origin};
use super::diagnostics as code;
use super::{Api, Side};

/// Reports every block about what its older version does not have.
pub(super) fn check(api: &Api, diagnostics: &mut Vec<Diagnostic>) {
    // The changes so far that move, make or remove calls, and those about messages.
    let (mut about_calls, mut about_messages) = (Vec::new(), Vec::new());
    for change in &api.changes {
        calls(change, &about_calls, diagnostics);
        frames(change, &about_messages, diagnostics);
        events(change, &about_messages, diagnostics);
        namespaces(change, diagnostics);
        if change.http.iter().any(|block| block.route.is_some() || block.absence.is_some()) {
            about_calls.push(change);
        }
        if !change.ws.is_empty() || !change.socketio.is_empty() {
            about_messages.push(change);
        }
    }
}

/// What became of something: its change, and what it is called since, if it is there at all.
type Fate = (Arc<str>, Option<String>);

/// What became of something that is one `step` for each earlier block about it, the latest first: each says what it
/// was called before and after, as far as it names it.
fn fate(steps: impl Iterator<Item = (Arc<str>, Step)>) -> Option<Fate> {
    for (change, step) in steps {
        match step {
            Step::Silent => {}
            Step::Arrives => return None,
            Step::Leaves(name) => return Some((change, name)),
        }
    }
    None
}

/// What a block says of something by a name.
enum Step {
    /// Nothing.
    Silent,
    /// The newer version has it.
    Arrives,
    /// The older version has it and the newer calls it otherwise, or does not have it.
    Leaves(Option<String>),
}

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

fn calls(change: &Change, earlier: &[&Change], diagnostics: &mut Vec<Diagnostic>) {
    for block in change.http.iter().filter(|block| block.origin == Origin::File && !block.is_added()) {
        for call in &block.calls {
            let steps = earlier.iter().rev().map(|change| (Arc::clone(&change.id), call_step(change, call)));
            report(change, block.span, &format!("`{call}`"), fate(steps), diagnostics);
        }
    }
}

fn call_step(change: &Change, call: &Template) -> Step {
    let routes = || change.http.iter().filter_map(|block| Some((block.calls.first()?, block.route.as_ref()?)));
    let named = || change.http.iter().filter(|block| block.calls.iter().any(|older| older.same_shape(call)));
    if routes().any(|(_, newer)| newer.same_shape(call)) || named().any(HttpBlock::is_added) {
        return Step::Arrives;
    }
    if named().any(HttpBlock::is_gone) {
        return Step::Leaves(None);
    }
    match routes().find(|(older, _)| older.same_shape(call)) {
        Some((_, newer)) => Step::Leaves(Some(newer.to_string())),
        None => Step::Silent,
    }
}

fn frame_step<'f>(frames: &(impl Iterator<Item = &'f Frame> + Clone), name: &str) -> Step {
    if frames.clone().any(|frame| frame.newer_name() == Some(name)) {
        return Step::Arrives;
    }
    match frames.clone().find(|frame| frame.older_name() == Some(name)) {
        Some(frame) => Step::Leaves(frame.newer_name().map(str::to_owned)),
        None => Step::Silent,
    }
}

fn frames(change: &Change, earlier: &[&Change], diagnostics: &mut Vec<Diagnostic>) {
    for block in change.ws.iter().filter(|block| block.origin == Origin::File) {
        for side in [Side::Client, Side::Server] {
            for frame in block.side(side).iter().flat_map(|frames| &frames.frames) {
                let Some(name) = frame.older_name() else { continue };
                let blocks = earlier.iter().rev().flat_map(|change| change.ws.iter().map(|block| (&change.id, block)));
                let steps = blocks.filter(|(_, other)| other.path.covers(&block.path)).map(|(id, block)| {
                    let frames = block.side(side).map(|frames| frames.frames.as_slice()).unwrap_or_default();
                    (Arc::clone(id), frame_step(&frames.iter(), name))
                });
                report(change, frame.span, &format!("the message `{name}`"), fate(steps), diagnostics);
            }
        }
    }
}

fn events(change: &Change, earlier: &[&Change], diagnostics: &mut Vec<Diagnostic>) {
    for block in change.socketio.iter().filter(|block| block.origin == Origin::File) {
        for side in [Side::Client, Side::Server] {
            for event in block.side(side) {
                let Some(name) = event.frame.older_name() else { continue };
                let blocks =
                    earlier.iter().rev().flat_map(|change| change.socketio.iter().map(|block| (&change.id, block)));
                let steps = blocks.filter(|(_, other)| other.namespace == block.namespace).map(|(id, block)| {
                    let frames = block.side(side).iter().map(|event| &event.frame);
                    (Arc::clone(id), frame_step(&frames, name))
                });
                report(change, event.frame.span, &format!("the event `{name}`"), fate(steps), diagnostics);
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
