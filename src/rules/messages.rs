//! Every kind of message and the ops that lie on its way from the oldest version to the newest: what checks walk
//! along.

use std::collections::HashSet;

use crate::route::{Segment, Template};
use crate::version::VersionId;

use super::ast::{Change, Frame, HttpBlock};
use super::chain::{self, Step};
use super::lens::Op;
use super::{Api, Direction, Side, StatusRange};

/// One kind of message.
#[derive(Debug)]
pub(super) struct Message<'a> {
    /// What to call it, such as ``requests of `GET /users` ``.
    pub(super) name: String,
    /// Lists of ops, in the order in which they run going up, each with its change.
    pub(super) lists: Vec<(&'a Change, &'a [Op])>,
}

/// Every kind of message that some change has ops for. Kinds with the same ops are one.
pub(super) fn messages(api: &Api) -> Vec<Message<'_>> {
    let mut messages = Vec::new();
    calls(api, &mut messages);
    for side in [Side::Client, Side::Server] {
        frames(api, side, &mut messages);
    }
    let mut seen = HashSet::new();
    messages.retain(|message| {
        let lists: Vec<*const Op> = message.lists.iter().map(|(_, ops)| ops.as_ptr()).collect();
        !lists.is_empty() && seen.insert(lists)
    });
    messages
}

fn calls<'a>(api: &'a Api, messages: &mut Vec<Message<'a>>) {
    let steps = chain::steps(api, VersionId(0), api.versions.latest());
    let every = Template { method: None, segments: vec![Segment::Rest] };
    for call in chain::templates(&steps).unwrap_or_default().into_iter().chain([every]) {
        let mut here = call.clone();
        let mut blocks = Vec::new();
        for step in &steps {
            blocks.push(step.blocks(&here));
            here = step.route(&here, chain::Side::Near);
        }
        let of_step = |(step, blocks): (&Step<'a>, &Vec<&'a HttpBlock>)| {
            let change = step.change;
            blocks.iter().map(move |block| (change, block.request.as_slice())).collect::<Vec<_>>()
        };
        let requests = steps.iter().zip(&blocks).flat_map(of_step);
        messages.push(message(format!("requests of `{call}`"), requests));
        for status in chain::statuses(&blocks) {
            messages.push(message(format!("responses to `{call}`"), responses(&steps, &blocks, status)));
        }
    }
}

fn message<'a>(name: String, lists: impl IntoIterator<Item = (&'a Change, &'a [Op])>) -> Message<'a> {
    Message { name, lists: lists.into_iter().filter(|(_, ops)| !ops.is_empty()).collect() }
}

/// The ops of responses that have this status in the oldest version.
fn responses<'a>(steps: &[Step<'a>], blocks: &[Vec<&'a HttpBlock>], mut status: u16) -> Vec<(&'a Change, &'a [Op])> {
    let mut lists = Vec::new();
    for (step, blocks) in steps.iter().zip(blocks) {
        let before = status;
        for block in blocks {
            let fits = |(range, _): &&(StatusRange, Vec<Op>)| range.contains(before);
            if let Some((_, ops)) = block.response.iter().filter(fits).min_by_key(|(range, _)| range.width()) {
                lists.push((step.change, ops.as_slice()));
                status = chain::status_after(ops, Direction::Up, status);
            }
        }
    }
    lists
}

/// A kind of message of a socket, on its way through the changes.
struct Thread<'a> {
    path: &'a Template,
    /// What it is called where the way has led so far.
    name: &'a str,
    message: Message<'a>,
}

fn frames<'a>(api: &'a Api, side: Side, messages: &mut Vec<Message<'a>>) {
    let mut threads: Vec<Thread<'a>> = Vec::new();
    for change in &api.changes {
        // Names may be swapped, so that all are looked up before one changes.
        let before = threads.len();
        let mut renamed: Vec<(usize, Option<&str>)> = Vec::new();
        let all = change.ws.iter().filter_map(|block| Some((&block.path, block.side(side)?)));
        for (path, frame) in all.flat_map(|(path, frames)| frames.frames.iter().map(move |frame| (path, frame))) {
            let is_it = |thread: &Thread<'_>| thread.path.same_shape(path) && Some(thread.name) == frame.older_name();
            let at = threads[..before].iter().position(is_it).unwrap_or(threads.len());
            if at == threads.len() {
                threads.push(thread(path, frame, side));
            }
            if !frame.ops.is_empty() {
                threads[at].message.lists.push((change, &frame.ops));
            }
            renamed.push((at, frame.newer_name()));
        }
        for (at, name) in renamed {
            threads[at].name = name.unwrap_or_default();
        }
    }
    messages.extend(threads.into_iter().map(|thread| thread.message));
}

fn thread<'a>(path: &'a Template, frame: &'a Frame, side: Side) -> Thread<'a> {
    let name = format!("`{}` messages of the {}", frame.name, side.name());
    Thread { path, name: &frame.name, message: Message { name, lists: Vec::new() } }
}
