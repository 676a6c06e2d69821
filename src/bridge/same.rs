//! A client and a backend of one generation: packets pass, events by their rules.

use super::step::Step;
use super::translator::Carry;
use crate::framing::Generation;
use crate::framing::engineio::Open;
use crate::framing::socketio::{Kind, Packet, ROOT};
use crate::rules::Side;

#[derive(Debug)]
pub(super) struct Same {
    generation: Generation,
}

impl Same {
    pub(super) fn new(generation: Generation) -> Self {
        Self { generation }
    }

    /// In protocol 3 the session's identifier is that of its namespaces too, so that both sides have to have one.
    pub(super) fn opened(&self, open: &Open, carry: &mut Carry<'_>) {
        let sid = match self.generation {
            Generation::Eio3 => Some(open.sid.clone()),
            Generation::Eio4 => None,
        };
        carry.step(Step::Open(sid));
    }

    pub(super) fn client(&self, packet: Packet, carry: &mut Carry<'_>) {
        match packet.kind {
            Kind::Event | Kind::Ack => carry.event(Side::Client, packet),
            // A backend of protocol 3 has joined the main namespace by itself, and would do it twice.
            Kind::Connect if self.generation == Generation::Eio3 && packet.namespace() == ROOT => {}
            Kind::Connect | Kind::Error => carry.tell_backend(packet),
            Kind::Disconnect => {
                carry.events.leave(packet.namespace());
                carry.tell_backend(packet);
            }
        }
    }

    pub(super) fn backend(&self, packet: Packet, carry: &mut Carry<'_>) {
        match packet.kind {
            Kind::Event | Kind::Ack => carry.event(Side::Server, packet),
            // Only a backend of protocol 3 joins without having been asked, and gives no identifier.
            Kind::Connect if self.generation == Generation::Eio4 && packet.data.is_empty() => {
                carry.step(Step::Mismatch);
            }
            Kind::Connect | Kind::Error => carry.tell_client(packet),
            Kind::Disconnect => {
                carry.events.leave(packet.namespace());
                carry.tell_client(packet);
            }
        }
    }
}
