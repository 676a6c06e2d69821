//! The event rules of a Socket.IO namespace: each event by its name, with one fused program for its arguments and one
//! for those of its acknowledgement.
//!
//! Packets, attachments and ids of acknowledgements are the transport's: here an event is a name and a list.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::json::{Code, Error, Kind, Limits, Losses, Program, Values, translate};

use super::ast::{ArgumentList, Change, Event, SocketIoBlock};
use super::lens::Mode;
use super::stage::{Cause, Stage, bodies};
use super::step::Step;
use super::threads::{Thread, far_name, near_name, threads};
use super::{Direction, Side};

/// The event rules of one namespace.
#[derive(Debug, Default)]
pub struct Namespace {
    client: BTreeMap<String, EventPlan>,
    server: BTreeMap<String, EventPlan>,
}

/// What becomes of one event, by its name as its sender spells it.
#[derive(Debug)]
struct EventPlan {
    /// What the receiver calls it; `None`: it must not see it.
    name: Option<String>,
    arguments: Arc<Program>,
    acknowledgement: Arc<Program>,
}

/// What becomes of an event or of an acknowledgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Translated {
    /// It leaves as it came.
    Pass,
    /// It leaves changed.
    To {
        /// The event's name as the receiver spells it; of an acknowledgement, which carries no name, as the receiver
        /// of the event does.
        name: String,
        /// The JSON text of its list of arguments.
        arguments: Vec<u8>,
        /// What was lost.
        losses: Losses,
    },
    /// The receiver must not see it; what is lost.
    Dropped(Losses),
}

impl Namespace {
    /// What the receiver calls an event; `None`: it must not see it.
    #[must_use]
    pub fn name<'n>(&'n self, side: Side, name: &'n str) -> Option<&'n str> {
        self.plan(side, name).map_or(Some(name), |plan| plan.name.as_deref())
    }

    /// Whether there are rules about an event.
    #[must_use]
    pub fn knows(&self, side: Side, name: &str) -> bool {
        self.plan(side, name).is_some()
    }

    /// Whether there are rules about what acknowledges an event.
    #[must_use]
    pub fn translates_ack(&self, side: Side, name: &str) -> bool {
        self.plan(side, name).is_some_and(|plan| plan.name.is_some() && !plan.acknowledgement.is_identity())
    }

    /// Translates an event: its name and the JSON text of its list of arguments, as the side that sends it has them.
    ///
    /// # Errors
    /// As the ops on its arguments fail, [`Code::NotAnArray`] if they make no list, [`Code::MalformedJson`],
    /// [`Code::TooDeep`].
    pub fn translate_event(
        &self,
        side: Side,
        name: &str,
        arguments: &[u8],
        values: &Values,
        limits: Limits,
    ) -> Result<Translated, Error> {
        let Some(plan) = self.plan(side, name) else { return Ok(Translated::Pass) };
        let Some(renamed) = &plan.name else { return Ok(Translated::Dropped(Losses::default())) };
        if renamed == name && plan.arguments.is_identity() {
            return Ok(Translated::Pass);
        }
        run(&plan.arguments, renamed, arguments, values, limits)
    }

    /// Translates an acknowledgement, which goes back to the side that sent the event: `side` and `name` are of the
    /// event as that side has them, the list of arguments is as the other side sends it.
    ///
    /// # Errors
    /// As [`Namespace::translate_event`].
    pub fn translate_ack(
        &self,
        side: Side,
        name: &str,
        arguments: &[u8],
        values: &Values,
        limits: Limits,
    ) -> Result<Translated, Error> {
        match self.plan(side, name) {
            Some(EventPlan { name: Some(renamed), acknowledgement, .. }) if !acknowledgement.is_identity() => {
                run(acknowledgement, renamed, arguments, values, limits)
            }
            Some(_) | None => Ok(Translated::Pass),
        }
    }

    fn plan(&self, side: Side, name: &str) -> Option<&EventPlan> {
        match side {
            Side::Client => self.client.get(name),
            Side::Server => self.server.get(name),
        }
    }
}

fn run(
    program: &Arc<Program>,
    name: &str,
    arguments: &[u8],
    values: &Values,
    limits: Limits,
) -> Result<Translated, Error> {
    match translate(program, values, limits, Bytes::copy_from_slice(arguments)) {
        Ok(done) => {
            check_made(&done.body)?;
            Ok(Translated::To { name: name.to_owned(), arguments: done.body, losses: done.losses })
        }
        Err(error) if error.code == Code::Dropped => Ok(Translated::Dropped(error.losses)),
        Err(error) => Err(error),
    }
}

/// Whether a document is a list of arguments.
pub(super) fn is_list(arguments: &[u8]) -> bool {
    Kind::of(arguments.trim_ascii_start()) == Kind::Array
}

/// Whether what the ops made may be sent.
pub(super) fn check_made(arguments: &[u8]) -> Result<(), Error> {
    if is_list(arguments) {
        return Ok(());
    }
    Err(Error::new(Code::NotAnArray, 0, "an event's arguments are a list, and the ops made no list of them"))
}

/// What one block says of one side, and which way its messages pass it.
type Steps<'a> = [(&'a Change, &'a [Event], Direction)];

/// Compiles the namespaces of the changes between a client's version and a backend's, in the order in which a request
/// passes them.
pub(super) fn compile(steps: &[Step<'_>]) -> BTreeMap<String, Namespace> {
    let compiled = blocks(steps).into_iter().map(|(namespace, blocks)| {
        let plans = |from| plans(&side(&blocks, from));
        (namespace.to_owned(), Namespace { client: plans(Side::Client), server: plans(Side::Server) })
    });
    compiled.collect()
}

/// Whether the events of all namespaces together meet few enough ops to look further.
pub(super) fn is_bearable(steps: &[Step<'_>]) -> bool {
    let blocks = blocks(steps);
    let sides = blocks.values().flat_map(|blocks| [Side::Client, Side::Server].map(|from| side(blocks, from)));
    sides.map(|steps| threads_of(&steps).map(|_| ())).collect::<Option<()>>().is_some()
}

/// What changes say of each namespace, in the order in which a request passes them.
fn blocks<'a>(steps: &[Step<'a>]) -> BTreeMap<&'a str, Vec<(Step<'a>, &'a SocketIoBlock)>> {
    let mut all: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for step in steps {
        for block in &step.change.socketio {
            all.entry(&block.namespace).or_default().push((*step, block));
        }
    }
    all
}

/// What the events of one side pass, in their order; the blocks are in that of a request.
fn side<'a>(blocks: &[(Step<'a>, &'a SocketIoBlock)], from: Side) -> Vec<(&'a Change, &'a [Event], Direction)> {
    let of_block = |(step, block): &(Step<'a>, &'a SocketIoBlock)| {
        let direction = if from == Side::Client { step.direction } else { step.direction.turned() };
        (step.change, block.side(from), direction)
    };
    let mut all: Vec<_> = blocks.iter().map(of_block).collect();
    if from == Side::Server {
        all.reverse();
    }
    all
}

/// What the events of one side of a namespace pass, in their order.
fn side_of<'a>(steps: &[Step<'a>], namespace: &str, from: Side) -> Vec<(&'a Change, &'a [Event], Direction)> {
    side(&blocks(steps).remove(namespace).unwrap_or_default(), from)
}

/// What an event's list of arguments, or that of its acknowledgement, meets on its way, by the event's name as its
/// sender spells it, and what the receiver calls it; `None`: the receiver does not have it.
pub(super) fn stages<'a>(
    steps: &[Step<'a>],
    (namespace, from, name): (&str, Side, &str),
    list: ArgumentList,
) -> Option<(Vec<Stage<'a>>, String)> {
    let steps = side_of(steps, namespace, from);
    let thread = threads_of(&steps).unwrap_or_default().into_iter().find(|thread| thread.name == Some(name));
    let Some(thread) = thread else { return Some((Vec::new(), name.to_owned())) };
    Some((stages_of(&met(&steps, &thread), list), thread.end?.to_owned()))
}

/// The names, as the sender spells them, of the events of one side that have rules.
pub(super) fn names(steps: &[Step<'_>], from: Side, namespace: &str) -> Vec<String> {
    let threads = threads_of(&side_of(steps, namespace, from)).unwrap_or_default();
    threads.iter().filter_map(|thread| thread.name).map(str::to_owned).collect()
}

fn threads_of<'a>(steps: &Steps<'a>) -> Option<Vec<Thread<'a>>> {
    threads(steps.iter().map(|(_, events, way)| (events.iter().map(|event| &event.frame), *way)))
}

/// The plans of one side's events, of the steps in the order in which they pass them.
fn plans(steps: &Steps<'_>) -> BTreeMap<String, EventPlan> {
    let threads = threads_of(steps).unwrap_or_default();
    threads.iter().filter_map(|thread| Some((thread.name?.to_owned(), plan(steps, thread)))).collect()
}

fn plan(steps: &Steps<'_>, thread: &Thread<'_>) -> EventPlan {
    let met = met(steps, thread);
    let program = |list| Arc::new(Program::fuse(bodies(&stages_of(&met, list))));
    EventPlan {
        name: thread.end.map(str::to_owned),
        arguments: program(ArgumentList::Event),
        acknowledgement: program(ArgumentList::Ack),
    }
}

/// An event as a change knows it, and which way it passes that change.
type Met<'a> = (&'a Change, &'a Event, Direction);

/// What says something of an event on its way.
fn met<'a>(steps: &Steps<'a>, thread: &Thread<'a>) -> Vec<Met<'a>> {
    let of_step = |(step, at): &(usize, usize)| {
        let (change, events, way) = steps[*step];
        (change, &events[*at], way)
    };
    thread.met.iter().map(of_step).collect()
}

/// An acknowledgement goes back the way that its event came.
fn stages_of<'a>(met: &[Met<'a>], list: ArgumentList) -> Vec<Stage<'a>> {
    let stages = |(change, event, way): &Met<'a>| -> Vec<Stage<'a>> {
        match list {
            ArgumentList::Event => {
                let is_renamed = near_name(&event.frame, *way) != far_name(&event.frame, *way);
                let name = is_renamed.then_some(Stage { cause: Cause::Name { change }, edits: Vec::new() });
                name.into_iter().chain(Stage::all(change, event.ops(list), *way, Mode::Full)).collect()
            }
            ArgumentList::Ack => Stage::all(change, event.ops(list), way.turned(), Mode::Full),
        }
    };
    match list {
        ArgumentList::Event => met.iter().flat_map(stages).collect(),
        ArgumentList::Ack => met.iter().rev().flat_map(stages).collect(),
    }
}
