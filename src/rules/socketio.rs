//! The event rules of a Socket.IO namespace: each event by its name, with one fused program for its arguments and one
//! for those of its acknowledgement.
//!
//! Packets, attachments and ids of acknowledgements are the transport's: here an event is a name and a list.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::json::edit::Entry;
use crate::json::{Code, Error, Kind, Limits, Program, Values, translate};

use super::ast::{ArgumentList, Change, Event, SocketIoBlock};
use super::lens::{Mode, lower_ops};
use super::socket::{far_name, near_name, sender_names};
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
    },
    /// The receiver must not see it.
    Dropped,
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
        let Some(renamed) = &plan.name else { return Ok(Translated::Dropped) };
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
        Ok(done) if Kind::of(done.body.trim_ascii_start()) == Kind::Array => {
            Ok(Translated::To { name: name.to_owned(), arguments: done.body })
        }
        Ok(_) => {
            Err(Error::new(Code::NotAnArray, 0, "an event's arguments are a list, and the ops made no list of them"))
        }
        Err(error) if error.code == Code::Dropped => Ok(Translated::Dropped),
        Err(error) => Err(error),
    }
}

/// What one block says of one side, and which way its messages pass it.
type Steps<'a> = [(&'a Arc<str>, &'a [Event], Direction)];

/// Compiles the namespaces of the changes between a client's version and a backend's, in the order in which a request
/// passes them.
pub(super) fn compile(steps: &[(&Change, Direction)]) -> BTreeMap<String, Namespace> {
    let mut namespaces: BTreeMap<String, Namespace> = BTreeMap::new();
    let blocks = || steps.iter().flat_map(|(change, way)| change.socketio.iter().map(|b| (&change.id, b, *way)));
    for (_, SocketIoBlock { namespace, .. }, _) in blocks() {
        if namespaces.contains_key(namespace) {
            continue;
        }
        let about: Vec<_> = blocks().filter(|(_, block, _)| block.namespace == *namespace).collect();
        let client: Vec<_> = about.iter().map(|(id, block, way)| (*id, block.side(Side::Client), *way)).collect();
        let server: Vec<_> =
            about.iter().rev().map(|(id, block, way)| (*id, block.side(Side::Server), way.turned())).collect();
        let compiled = Namespace { client: plans(&client), server: plans(&server) };
        namespaces.insert(namespace.clone(), compiled);
    }
    namespaces
}

/// The plans of one side's events, of the steps in the order in which they pass them.
fn plans(steps: &Steps<'_>) -> BTreeMap<String, EventPlan> {
    let frames = steps.iter().map(|(_, events, way)| (events.iter().map(|event| &event.frame), *way));
    sender_names(frames).into_iter().map(|name| (name.clone(), plan(steps, name))).collect()
}

fn plan(steps: &Steps<'_>, name: String) -> EventPlan {
    let mut there = Vec::new();
    let mut back: Vec<Vec<Entry>> = Vec::new();
    let mut name = Some(name);
    for (id, events, way) in steps {
        let found =
            events.iter().find(|event| near_name(&event.frame, *way).is_some_and(|n| Some(n) == name.as_deref()));
        let Some(event) = found else { continue };
        there.extend(entries(event, ArgumentList::Event, *way, id));
        back.push(entries(event, ArgumentList::Ack, way.turned(), id));
        name = far_name(&event.frame, *way).map(str::to_owned);
        if name.is_none() {
            break;
        }
    }
    EventPlan {
        name,
        arguments: Arc::new(Program::fuse(there)),
        acknowledgement: Arc::new(Program::fuse(back.into_iter().rev().flatten().collect())),
    }
}

fn entries(event: &Event, list: ArgumentList, way: Direction, change: &Arc<str>) -> Vec<Entry> {
    let lowered = lower_ops(event.ops(list), way, Mode::Full).into_iter().map(|lowered| lowered.entry);
    lowered.map(|entry| Entry { change: Some(Arc::clone(change)), ..entry }).collect()
}
