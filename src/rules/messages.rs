//! Every kind of message and the ops that lie on its way from the oldest version to the newest: what checks walk
//! along.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use crate::route::{Segment, Template};
use crate::version::VersionId;

use super::ast::{Change, Frame, HttpBlock};
use super::chain;
use super::lens::{Mode, Op, lower_ops};
use super::step::Step;
use super::threads::threads;
use super::{Api, Direction, Side};

/// One kind of message.
#[derive(Debug)]
pub(super) struct Message<'a> {
    /// What to call it, such as ``requests of `GET /users` ``.
    pub(super) name: String,
    /// Whether it is the response to a call.
    pub(super) is_response: bool,
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
    messages.retain_mut(|message| {
        message.lists.retain(|(_, ops)| !ops.is_empty());
        let lists: Vec<*const Op> = message.lists.iter().map(|(_, ops)| ops.as_ptr()).collect();
        !lists.is_empty() && seen.insert(lists)
    });
    messages
}

fn calls<'a>(api: &'a Api, messages: &mut Vec<Message<'a>>) {
    let steps = chain::steps(api, VersionId(0), api.versions.latest());
    let every = Template { method: None, segments: vec![Segment::Rest] };
    for call in chain::templates(&steps, Vec::new()).unwrap_or_default().into_iter().chain([every]) {
        let (met, blocks): (Vec<_>, Vec<_>) =
            steps.follow(&call).map(|hop| (hop.step, hop.step.blocks(&hop.near))).unzip();
        let of_step = |(step, blocks): (&Step<'a>, &Vec<&'a HttpBlock>)| {
            let change = step.change;
            blocks.iter().map(move |block| (change, block.request.as_slice())).collect::<Vec<_>>()
        };
        let requests = met.iter().zip(&blocks).flat_map(of_step);
        messages.push(Message { name: format!("requests of `{call}`"), is_response: false, lists: requests.collect() });
        for status in chain::starts(blocks.iter().flatten().copied()) {
            messages.push(Message {
                name: format!("responses to `{call}`"),
                is_response: true,
                lists: responses(&met, &blocks, status),
            });
        }
    }
}

/// The ops of responses that have this status in the oldest version.
fn responses<'a>(steps: &[Step<'a>], blocks: &[Vec<&'a HttpBlock>], mut status: u16) -> Vec<(&'a Change, &'a [Op])> {
    let mut lists = Vec::new();
    for (step, blocks) in steps.iter().zip(blocks) {
        let before = status;
        for block in blocks {
            let ops = chain::response_ops(block, Direction::Up, before);
            lists.push((step.change, ops));
            if ops.iter().any(Op::touches_status) {
                status = chain::status_after(&lower_ops(ops, Direction::Up, Mode::Full), status);
            }
        }
    }
    lists
}

/// What a block says of one side of a socket: its frames or events, each with the ops of its acknowledgement.
struct Said<'a> {
    change: &'a Change,
    frames: Vec<(&'a Frame, &'a [Op])>,
}

fn frames<'a>(api: &'a Api, side: Side, messages: &mut Vec<Message<'a>>) {
    for said in channels(api, side) {
        let steps = said.iter().map(|said| (said.frames.iter().map(|(frame, _)| *frame), Direction::Up));
        for thread in threads(steps).unwrap_or_default() {
            let met: Vec<_> =
                thread.met.iter().map(|(step, at)| (said[*step].change, said[*step].frames[*at])).collect();
            let Some((_, (first, _))) = met.first() else { continue };
            messages.push(Message {
                name: format!("`{}` messages of the {}", first.name, side.name()),
                is_response: false,
                lists: met.iter().map(|(change, (frame, _))| (*change, frame.ops.as_slice())).collect(),
            });
            messages.push(Message {
                name: format!("acknowledgements of `{}`", first.name),
                is_response: false,
                lists: met.iter().map(|(change, (_, ack))| (*change, *ack)).collect(),
            });
        }
    }
}

/// What is said of one side of each path of a WebSocket's handshake and of each namespace of Socket.IO.
fn channels(api: &Api, side: Side) -> Vec<Vec<Said<'_>>> {
    let (mut sockets, mut namespaces) = (Groups::default(), Groups::default());
    for change in &api.changes {
        for block in &change.ws {
            let Some(frames) = block.side(side) else { continue };
            let frames = frames.frames.iter().map(|frame| (frame, &[][..])).collect();
            sockets.add(block.path.shape(), Said { change, frames });
        }
        for block in &change.socketio {
            let events = block.side(side).iter().map(|event| (&event.frame, event.ack.as_slice())).collect();
            namespaces.add(block.namespace.as_str(), Said { change, frames: events });
        }
    }
    sockets.all.into_iter().chain(namespaces.all).collect()
}

/// Things with the same key together, in the order in which the first of each came.
struct Groups<K, T> {
    all: Vec<Vec<T>>,
    by_key: HashMap<K, usize>,
}

impl<K, T> Default for Groups<K, T> {
    fn default() -> Self {
        Self { all: Vec::new(), by_key: HashMap::new() }
    }
}

impl<K: Eq + Hash, T> Groups<K, T> {
    fn add(&mut self, key: K, thing: T) {
        let at = *self.by_key.entry(key).or_insert(self.all.len());
        if at == self.all.len() {
            self.all.push(Vec::new());
        }
        self.all[at].push(thing);
    }
}
