//! A client of Engine.IO 3 before a backend of Engine.IO 4.
//!
//! The client expects to be in the main namespace from the beginning: that is asked for in its place, and the session
//! with it is opened under the identifier that the backend gives it there, since for this client the two are one.
//! A backend of protocol 5 closes the connection for packets of a namespace that is not joined, so that they are
//! dropped here.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::step::Step;
use super::translator::{Carry, NAMESPACES};
use super::{credentials, errors};
use crate::framing::socketio::{Kind, Packet, RESERVED, ROOT, event, quoted};
use crate::json::{self, unescape};
use crate::rules::Side;

#[derive(Debug)]
pub(super) struct Older {
    /// What the main namespace is asked for with: JSON text.
    credentials: Option<Bytes>,
    spaces: BTreeMap<String, Space>,
    /// Whether the session with the client is open.
    is_open: bool,
}

/// A namespace that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Space {
    Pending,
    /// The client has left before the backend has answered.
    Leaving,
    Connected,
}

impl Older {
    pub(super) fn new(credentials: Option<Bytes>) -> Self {
        Self { credentials, spaces: BTreeMap::new(), is_open: false }
    }

    pub(super) fn opened(&mut self, carry: &mut Carry<'_>) {
        self.spaces.insert(ROOT.to_owned(), Space::Pending);
        carry.tell_backend(Packet::new(Kind::Connect, ROOT, self.credentials.clone().unwrap_or_default()));
    }

    pub(super) fn client(&mut self, packet: Packet, carry: &mut Carry<'_>) {
        let namespace = packet.namespace().to_owned();
        let space = self.spaces.get(&namespace).copied();
        match (packet.kind, space) {
            (Kind::Event | Kind::Ack, Some(Space::Connected)) => {
                let is_reserved = packet.kind == Kind::Event && is_reserved(&packet);
                if !is_reserved {
                    carry.event(Side::Client, packet);
                }
            }
            (Kind::Connect, None) if namespace != ROOT => self.connect(namespace, &packet, carry),
            (Kind::Disconnect, Some(Space::Connected)) => {
                self.spaces.remove(&namespace);
                carry.events.leave(&namespace);
                carry.tell_backend(packet);
            }
            (Kind::Disconnect, Some(Space::Pending)) => {
                self.spaces.insert(namespace, Space::Leaving);
            }
            (Kind::Connect, Some(Space::Leaving)) => {
                self.spaces.insert(namespace, Space::Pending);
            }
            _ => {}
        }
    }

    fn connect(&mut self, namespace: String, packet: &Packet, carry: &mut Carry<'_>) {
        if self.spaces.len() >= NAMESPACES {
            carry.tell_client(Packet::new(Kind::Error, &namespace, quoted("too many namespaces")));
            return;
        }
        let data = packet.query.as_deref().map_or_else(Bytes::new, credentials::object);
        carry.tell_backend(Packet::new(Kind::Connect, &namespace, data));
        self.spaces.insert(namespace, Space::Pending);
    }

    pub(super) fn backend(&mut self, packet: Packet, carry: &mut Carry<'_>) {
        let namespace = packet.namespace().to_owned();
        match (packet.kind, self.spaces.get(&namespace).copied()) {
            (Kind::Event | Kind::Ack, Some(Space::Connected)) => carry.event(Side::Server, packet),
            (Kind::Connect, Some(Space::Pending)) => self.connected(namespace, &packet, carry),
            (Kind::Connect, Some(Space::Leaving)) => {
                carry.tell_backend(Packet::new(Kind::Disconnect, &namespace, Bytes::new()));
                self.spaces.remove(&namespace);
            }
            (Kind::Error, Some(Space::Pending | Space::Leaving)) => {
                self.spaces.remove(&namespace);
                self.open(None, carry);
                carry.tell_client(Packet::new(Kind::Error, &namespace, errors::for_older(&packet.data)));
            }
            (Kind::Disconnect, Some(_)) => {
                self.spaces.remove(&namespace);
                carry.events.leave(&namespace);
                carry.tell_client(packet);
            }
            _ => {}
        }
    }

    fn connected(&mut self, namespace: String, packet: &Packet, carry: &mut Carry<'_>) {
        let sid = errors::member(&packet.data, "sid").filter(|sid| json::Kind::of(sid) == json::Kind::String);
        let Some(sid) = sid else {
            carry.step(Step::Mismatch);
            return;
        };
        if namespace == ROOT {
            self.open(Some(String::from_utf8_lossy(&unescape(&sid)).into_owned()), carry);
        }
        // The client computes the identifiers of other namespaces by itself.
        carry.tell_client(Packet::new(Kind::Connect, &namespace, Bytes::new()));
        self.spaces.insert(namespace, Space::Connected);
    }

    /// Opens the session with the client, once.
    fn open(&mut self, sid: Option<String>, carry: &mut Carry<'_>) {
        if !std::mem::replace(&mut self.is_open, true) {
            carry.step(Step::Open(sid));
        }
    }
}

/// Whether an event has a name for which protocol 5 closes the connection.
pub(super) fn is_reserved(packet: &Packet) -> bool {
    event(&packet.data).is_some_and(|name| RESERVED.contains(&&*name))
}
