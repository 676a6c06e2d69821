//! Packets from one side to the other: which of the three translators it is, and what they share.

use bytes::Bytes;

use super::Ending;
use super::events::{Events, Outcome, World, other};
use super::newer::Newer;
use super::older::Older;
use super::same::Same;
use super::step::Step;
use crate::framing::Generation;
use crate::framing::engineio::Open;
use crate::framing::socketio::Packet;
use crate::rules::Side;

/// The most namespaces that one session may be in, or ask for.
pub(super) const NAMESPACES: usize = 256;

/// The translator for a pair of generations.
#[derive(Debug)]
pub(super) enum Translator {
    Same(Same),
    Older(Older),
    Newer(Newer),
}

impl Translator {
    pub(super) fn new(client: Generation, backend: Generation, credentials: Option<Bytes>) -> Self {
        match (client, backend) {
            (Generation::Eio3, Generation::Eio4) => Self::Older(Older::new(credentials)),
            (Generation::Eio4, Generation::Eio3) => Self::Newer(Newer::default()),
            (Generation::Eio3, Generation::Eio3) | (Generation::Eio4, Generation::Eio4) => {
                Self::Same(Same::new(client))
            }
        }
    }

    /// Before anything has come.
    pub(super) fn start(&mut self, carry: &mut Carry<'_>) {
        match self {
            Self::Same(_) | Self::Older(_) => carry.step(Step::Dial(None)),
            Self::Newer(_) => carry.step(Step::Open(None)),
        }
    }

    /// The session with the backend is open.
    pub(super) fn opened(&mut self, open: &Open, carry: &mut Carry<'_>) {
        match self {
            Self::Same(same) => same.opened(open, carry),
            Self::Older(older) => older.opened(carry),
            Self::Newer(newer) => newer.opened(open),
        }
    }

    /// The backend refused the connection, with what it said.
    pub(super) fn refused(&mut self, message: &str, carry: &mut Carry<'_>) {
        if let Self::Newer(newer) = self {
            newer.refused(message, carry);
        }
    }

    pub(super) fn client(&mut self, packet: Packet, carry: &mut Carry<'_>) {
        match self {
            Self::Same(same) => same.client(packet, carry),
            Self::Older(older) => older.client(packet, carry),
            Self::Newer(newer) => newer.client(packet, carry),
        }
    }

    pub(super) fn backend(&mut self, packet: Packet, carry: &mut Carry<'_>) {
        match self {
            Self::Same(same) => same.backend(packet, carry),
            Self::Older(older) => older.backend(packet, carry),
            Self::Newer(newer) => newer.backend(packet, carry),
        }
    }
}

/// What translating one packet has at hand.
pub(super) struct Carry<'a> {
    pub(super) events: &'a mut Events,
    pub(super) world: &'a dyn World,
    pub(super) steps: Vec<Step>,
    /// Set where the session has to end.
    pub(super) ending: Option<Ending>,
}

impl Carry<'_> {
    pub(super) fn step(&mut self, step: Step) {
        self.steps.push(step);
    }

    pub(super) fn tell_client(&mut self, packet: Packet) {
        self.steps.push(Step::Client(packet));
    }

    pub(super) fn tell_backend(&mut self, packet: Packet) {
        self.steps.push(Step::Backend(packet));
    }

    /// Carries an event or an acknowledgement by the rules.
    pub(super) fn event(&mut self, sender: Side, packet: Packet) {
        match self.events.carry(sender, packet, self.world) {
            Outcome::Forward(packet) => self.send(other(sender), packet),
            Outcome::Answer(packet) => self.send(sender, packet),
            Outcome::Dropped => {}
            Outcome::Close => self.ending = Some(Ending::Untranslatable),
        }
    }

    fn send(&mut self, to: Side, packet: Packet) {
        match to {
            Side::Client => self.tell_client(packet),
            Side::Server => self.tell_backend(packet),
        }
    }
}
