//! Every kind of message and the ops that lie on its way from the oldest version to the newest: what checks walk
//! along.

use std::collections::HashSet;

use crate::route::{Segment, Template};
use crate::version::VersionId;

use super::ast::{Change, Frame, HttpBlock};
use super::chain;
use super::lens::{Mode, Op, lower_ops};
use super::step::Step;
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

/// Where messages of a socket belong.
#[derive(Clone, Copy)]
enum Channel<'a> {
    /// The path of a WebSocket's handshake.
    Socket(&'a Template),
    /// A namespace of Socket.IO.
    Namespace(&'a str),
}

impl Channel<'_> {
    fn is(self, other: Channel<'_>) -> bool {
        match (self, other) {
            (Self::Socket(path), Channel::Socket(other)) => path.same_shape(other),
            (Self::Namespace(name), Channel::Namespace(other)) => name == other,
            (Self::Socket(_), Channel::Namespace(_)) | (Self::Namespace(_), Channel::Socket(_)) => false,
        }
    }
}

/// A kind of message of a socket, on its way through the changes.
struct Thread<'a> {
    channel: Channel<'a>,
    /// What it is called where the way has led so far.
    name: &'a str,
    message: Message<'a>,
    /// The acknowledgement, if it is an event.
    ack: Message<'a>,
}

fn frames<'a>(api: &'a Api, side: Side, messages: &mut Vec<Message<'a>>) {
    let mut threads: Vec<Thread<'a>> = Vec::new();
    for change in &api.changes {
        // Names may be swapped, so that all are looked up before one changes.
        let mut renamed: Vec<(usize, Option<&str>)> = Vec::new();
        for (channel, frame, ack) in frames_of(change, side) {
            let is_it = |thread: &Thread<'_>| thread.channel.is(channel) && Some(thread.name) == frame.older_name();
            let at = threads.iter().position(is_it).unwrap_or(threads.len());
            if at == threads.len() {
                threads.push(thread(channel, frame, side));
            }
            let thread = &mut threads[at];
            thread.message.lists.push((change, &frame.ops));
            thread.ack.lists.push((change, ack));
            renamed.push((at, frame.newer_name()));
        }
        for (at, name) in renamed {
            threads[at].name = name.unwrap_or_default();
        }
    }
    messages.extend(threads.into_iter().flat_map(|thread| [thread.message, thread.ack]));
}

/// The frames and events of one side, each with the ops of its acknowledgement.
fn frames_of(change: &Change, side: Side) -> impl Iterator<Item = (Channel<'_>, &Frame, &[Op])> {
    let sockets = change.ws.iter().filter_map(move |block| Some((Channel::Socket(&block.path), block.side(side)?)));
    let frames = sockets.flat_map(|(channel, frames)| frames.frames.iter().map(move |frame| (channel, frame, &[][..])));
    let events = change.socketio.iter().flat_map(move |block| {
        let channel = Channel::Namespace(&block.namespace);
        block.side(side).iter().map(move |event| (channel, &event.frame, event.ack.as_slice()))
    });
    frames.chain(events)
}

fn thread<'a>(channel: Channel<'a>, frame: &'a Frame, side: Side) -> Thread<'a> {
    let message = |name: String| Message { name, is_response: false, lists: Vec::new() };
    Thread {
        channel,
        // One that the older version lacks is not what an older name means.
        name: frame.older_name().unwrap_or_default(),
        message: message(format!("`{}` messages of the {}", frame.name, side.name())),
        ack: message(format!("acknowledgements of `{}`", frame.name)),
    }
}
