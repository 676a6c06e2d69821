//! Events and acknowledgements, by the rules of their namespace.
//!
//! | what happens to an event | it asks for an acknowledgement | it does not |
//! |---|---|---|
//! | the rules say that the receiver must not see it | nothing, as from a receiver that does not know it | nothing |
//! | it has no translation | the acknowledgement says so | it is dropped, or the session closed (`on_error.frame`) |
//!
//! An acknowledgement that has no translation says so as well. Attachments that the rules took away do not travel, and
//! the others get new numbers.

use std::sync::Arc;

use bytes::Bytes;

use super::acks::{Acks, Known};
use crate::framing::socketio::{self, Kind, Packet};
use crate::json::{self, Code, Losses, Values};
use crate::rules::{Api, Namespace, OnFrame, Side, Translated};
use crate::version::VersionId;

/// The rules between a client and its backend.
#[derive(Debug, Clone)]
pub struct Rules {
    /// The API.
    pub api: Arc<Api>,
    /// The client's version.
    pub client: VersionId,
    /// The backend's version.
    pub backend: VersionId,
    /// Bounds on one list of arguments.
    pub limits: json::Limits,
}

/// What translating needs of the world.
pub trait World {
    /// What literals refer to in what `receiver` reads.
    fn values(&self, receiver: Side) -> Values;

    /// What tells `reader` about an error: JSON text.
    fn problem(&self, reader: Side, error: &json::Error) -> Vec<u8>;

    /// An event came; its name, where rules know it.
    fn count(&self, sender: Side, event: Option<&str>);

    /// A message has no translation.
    fn fail(&self, error: &json::Error);

    /// Something was lost with a message that is sent, or must not be seen.
    fn lose(&self, losses: &Losses);
}

/// What becomes of a packet.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Its receiver gets this.
    Forward(Packet),
    /// Its sender gets this.
    Answer(Packet),
    /// Nobody gets anything.
    Dropped,
    /// The session ends.
    Close,
}

/// The rules, and the acknowledgements that they wait for.
#[derive(Debug)]
pub(super) struct Events {
    rules: Rules,
    /// Of the client's events.
    client: Acks,
    /// Of the backend's events.
    server: Acks,
}

impl Events {
    pub(super) fn new(rules: Rules) -> Self {
        Self { rules, client: Acks::default(), server: Acks::default() }
    }

    /// Carries an event or an acknowledgement.
    pub(super) fn carry(&mut self, sender: Side, packet: Packet, world: &dyn World) -> Outcome {
        let api = Arc::clone(&self.rules.api);
        let rules = api.pair(self.rules.client, self.rules.backend).socketio(packet.namespace());
        match (packet.kind, rules) {
            (Kind::Event, rules) => self.event(sender, packet, rules, world),
            (Kind::Ack, Some(rules)) => self.ack(sender, packet, rules, world),
            (Kind::Ack | Kind::Connect | Kind::Disconnect | Kind::Error, _) => Outcome::Forward(packet),
        }
    }

    /// Forgets what a namespace waits for.
    pub(super) fn leave(&mut self, namespace: &str) {
        self.client.leave(namespace);
        self.server.leave(namespace);
    }

    fn event(&mut self, sender: Side, packet: Packet, rules: Option<&Namespace>, world: &dyn World) -> Outcome {
        let name = socketio::event(&packet.data);
        let known = name.as_deref().zip(rules).filter(|(name, rules)| rules.knows(sender, name));
        world.count(sender, known.map(|(name, _)| name));
        let Some((name, rules)) = known else { return Outcome::Forward(packet) };
        let arguments = socketio::split_event(&packet.data);
        let values = world.values(other(sender));
        let translated = rules.translate_event(sender, name, &arguments, &values, self.rules.limits);
        let changed = match translated {
            Ok(Translated::Pass) => None,
            Ok(Translated::To { name, arguments, losses }) => Some((socketio::join_event(&name, &arguments), losses)),
            Ok(Translated::Dropped(losses)) => {
                world.lose(&losses);
                return Outcome::Dropped;
            }
            Err(error) => return self.refuse(sender, &packet, &error, world),
        };
        if let Some(id) = packet.id.filter(|_| rules.translates_ack(sender, name)) {
            self.acks(sender).remember(packet.namespace(), id, name.to_owned());
        }
        let Some((data, losses)) = changed else { return Outcome::Forward(packet) };
        match replace(&packet, data) {
            Ok(packet) => {
                world.lose(&losses);
                Outcome::Forward(packet)
            }
            Err(error) => self.refuse(sender, &packet, &error, world),
        }
    }

    /// An acknowledgement goes to the sender of the event.
    fn ack(&mut self, sender: Side, packet: Packet, rules: &Namespace, world: &dyn World) -> Outcome {
        let receiver = other(sender);
        let known = packet.id.map(|id| self.acks(receiver).take(packet.namespace(), id));
        let name = match known {
            Some(Known::Event(name)) => name,
            Some(Known::Unruled) | None => return Outcome::Forward(packet),
            Some(Known::Forgotten) => return Outcome::Dropped,
        };
        let values = world.values(receiver);
        let translated = match rules.translate_ack(receiver, &name, &packet.data, &values, self.rules.limits) {
            Ok(Translated::To { arguments, losses, .. }) => {
                replace(&packet, arguments.into()).inspect(|_| world.lose(&losses))
            }
            Ok(Translated::Pass) => return Outcome::Forward(packet),
            Ok(Translated::Dropped(losses)) => {
                world.lose(&losses);
                return Outcome::Dropped;
            }
            Err(error) => Err(error),
        };
        match translated {
            Ok(packet) => Outcome::Forward(packet),
            Err(error) => {
                world.fail(&error);
                Outcome::Forward(refusal(receiver, &packet, &error, world))
            }
        }
    }

    /// What becomes of an event without a translation.
    fn refuse(&self, sender: Side, packet: &Packet, error: &json::Error, world: &dyn World) -> Outcome {
        world.fail(error);
        match self.rules.api.on_error.frame {
            OnFrame::Close => Outcome::Close,
            OnFrame::Drop if packet.id.is_some() => Outcome::Answer(refusal(sender, packet, error, world)),
            OnFrame::Drop => Outcome::Dropped,
        }
    }

    /// Of the events of one side.
    fn acks(&mut self, sender: Side) -> &mut Acks {
        match sender {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }
}

/// The other side.
pub(super) fn other(side: Side) -> Side {
    match side {
        Side::Client => Side::Server,
        Side::Server => Side::Client,
    }
}

/// The acknowledgement that tells about an error.
fn refusal(reader: Side, packet: &Packet, error: &json::Error, world: &dyn World) -> Packet {
    let data = [b"[", &*world.problem(reader, error), b"]"].concat();
    let mut ack = Packet::new(Kind::Ack, packet.namespace(), data);
    ack.id = packet.id;
    ack
}

/// A packet with other data, and the attachments that the data still needs.
fn replace(packet: &Packet, data: Bytes) -> Result<Packet, json::Error> {
    let mut new = packet.clone();
    new.data = data;
    if packet.attachments.is_empty() {
        return Ok(new);
    }
    let (kept, renumbered) = socketio::renumber(&new.data, packet.attachments.len()).map_err(|error| {
        json::Error::new(Code::InformationLost, error.offset as u64, "the rules leave a placeholder without attachment")
    })?;
    if let Some(data) = renumbered {
        new.data = data.into();
    }
    new.attachments = kept.iter().map(|at| packet.attachments[*at].clone()).collect();
    Ok(new)
}
