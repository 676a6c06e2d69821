//! A client of Engine.IO 4 before a backend of Engine.IO 3.
//!
//! The client asks for each namespace, the main one too, and brings a JSON object with what it says for itself. The
//! backend joins the main one by itself, and reads what a client says for itself from the address alone: it is
//! connected to when the client first asks. Other namespaces are asked for after the backend has joined the main one,
//! since it would forget what they are asked with.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use super::older::is_reserved;
use super::step::Step;
use super::translator::{Carry, NAMESPACES};
use super::{credentials, errors};
use crate::framing::engineio::Open;
use crate::framing::socketio::{Kind, Packet, ROOT, join_event, quoted};
use crate::rules::Side;

/// The most packets of the main namespace that wait for a client that has not asked for it, and their bytes.
const WAITING: usize = 100;
const WAITING_BYTES: usize = 1 << 20;

/// Parameters that are this proxy's own.
const RESERVED_PARAMETERS: [&str; 6] = ["EIO", "transport", "sid", "t", "b64", "j"];

#[derive(Debug, Default)]
pub(super) struct Newer {
    backend: Backend,
    root: Root,
    /// Other namespaces.
    spaces: BTreeMap<String, Space>,
    /// The backend's identifier of the session, which is that of its namespaces.
    sid: String,
}

/// How far the session with the backend is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Backend {
    #[default]
    None,
    /// It was asked for, or is open and has not joined the main namespace.
    Waiting,
    Joined,
}

/// The main namespace, as the client has it.
#[derive(Debug)]
enum Root {
    /// The client has not asked for it; what came there.
    NotAsked(VecDeque<Packet>),
    Pending,
    Connected,
    Left,
}

impl Default for Root {
    fn default() -> Self {
        Self::NotAsked(VecDeque::new())
    }
}

/// Another namespace that the client asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Space {
    /// Until the main one is joined; with what the client says for itself.
    Held(Option<Bytes>),
    Pending,
    /// The client has left before the backend has answered.
    Leaving,
    Connected,
}

impl Newer {
    pub(super) fn opened(&mut self, open: &Open) {
        self.sid.clone_from(&open.sid);
    }

    /// No namespace can be joined over a connection that the backend refuses; the next one that the client asks for
    /// is a new beginning.
    pub(super) fn refused(&mut self, message: &str, carry: &mut Carry<'_>) {
        self.refuse(&errors::message(message), carry);
    }

    fn refuse(&mut self, error: &Bytes, carry: &mut Carry<'_>) {
        self.backend = Backend::None;
        if matches!(std::mem::take(&mut self.root), Root::Pending) {
            carry.tell_client(Packet::new(Kind::Error, ROOT, error.clone()));
        }
        for namespace in std::mem::take(&mut self.spaces).into_keys() {
            carry.tell_client(Packet::new(Kind::Error, &namespace, error.clone()));
        }
    }

    pub(super) fn client(&mut self, packet: Packet, carry: &mut Carry<'_>) {
        match (packet.kind, packet.namespace() == ROOT) {
            (Kind::Connect, true) => self.connect_root(&packet, carry),
            (Kind::Connect, false) => self.connect(&packet, carry),
            (Kind::Disconnect, true) => self.leave_root(packet, carry),
            (Kind::Disconnect, false) => self.leave(packet, carry),
            (Kind::Event | Kind::Ack, _) if self.is_connected(packet.namespace()) => carry.event(Side::Client, packet),
            (Kind::Event | Kind::Ack | Kind::Error, _) => {}
        }
    }

    fn is_connected(&self, namespace: &str) -> bool {
        match namespace {
            ROOT => matches!(self.root, Root::Connected),
            _ => self.spaces.get(namespace) == Some(&Space::Connected),
        }
    }

    fn connect_root(&mut self, packet: &Packet, carry: &mut Carry<'_>) {
        let is_alone = self.spaces.is_empty();
        match (std::mem::replace(&mut self.root, Root::Pending), self.backend) {
            // Asked for twice.
            (old @ (Root::Pending | Root::Connected), _) => self.root = old,
            (Root::NotAsked(_) | Root::Left, Backend::None) => self.dial(&packet.data, carry),
            (Root::NotAsked(_) | Root::Left, Backend::Waiting) => {}
            (Root::NotAsked(waiting), Backend::Joined) => {
                self.join_root(carry);
                for packet in waiting {
                    self.event(packet, carry);
                }
            }
            (Root::Left, Backend::Joined) if is_alone => {
                carry.step(Step::HangUp);
                self.dial(&packet.data, carry);
            }
            (Root::Left, Backend::Joined) => {
                // A backend without middleware does not answer this.
                carry.tell_backend(Packet::new(Kind::Connect, ROOT, Bytes::new()));
                self.join_root(carry);
            }
        }
    }

    fn dial(&mut self, credentials: &[u8], carry: &mut Carry<'_>) {
        self.backend = Backend::Waiting;
        carry.step(Step::Dial(said(credentials)));
    }

    fn join_root(&mut self, carry: &mut Carry<'_>) {
        self.root = Root::Connected;
        carry.tell_client(Packet::new(Kind::Connect, ROOT, self.identifier("")));
    }

    /// A namespace's identifier, as the client is told.
    fn identifier(&self, prefix: &str) -> Bytes {
        [b"{\"sid\":", &*quoted(&format!("{prefix}{}", self.sid)), b"}"].concat().into()
    }

    fn connect(&mut self, packet: &Packet, carry: &mut Carry<'_>) {
        let namespace = packet.namespace();
        let is_full = self.spaces.len() >= NAMESPACES;
        match self.spaces.get_mut(namespace) {
            Some(space @ Space::Leaving) => *space = Space::Pending,
            Some(_) => {}
            None if is_full => {
                carry.tell_client(Packet::new(Kind::Error, namespace, errors::message("too many namespaces")));
            }
            None => {
                self.spaces.insert(namespace.to_owned(), Space::Held(said(&packet.data)));
                match self.backend {
                    Backend::None => self.dial(b"", carry),
                    Backend::Waiting => {}
                    Backend::Joined => self.ask_held(carry),
                }
            }
        }
    }

    /// Asks for the namespaces that were held.
    fn ask_held(&mut self, carry: &mut Carry<'_>) {
        for (namespace, space) in &mut self.spaces {
            if let Space::Held(query) = space {
                let mut packet = Packet::new(Kind::Connect, namespace, Bytes::new());
                packet.query = query.take();
                carry.tell_backend(packet);
                *space = Space::Pending;
            }
        }
    }

    fn leave_root(&mut self, packet: Packet, carry: &mut Carry<'_>) {
        match self.root {
            Root::Connected => {
                self.root = Root::Left;
                carry.events.leave(ROOT);
                carry.tell_backend(packet);
            }
            Root::Pending => self.root = Root::Left,
            Root::NotAsked(_) | Root::Left => {}
        }
    }

    fn leave(&mut self, packet: Packet, carry: &mut Carry<'_>) {
        let namespace = packet.namespace().to_owned();
        match self.spaces.get_mut(&namespace) {
            Some(Space::Connected) => {
                self.spaces.remove(&namespace);
                carry.events.leave(&namespace);
                carry.tell_backend(packet);
            }
            Some(Space::Held(_)) => {
                self.spaces.remove(&namespace);
            }
            Some(space @ Space::Pending) => *space = Space::Leaving,
            Some(Space::Leaving) | None => {}
        }
    }

    pub(super) fn backend(&mut self, packet: Packet, carry: &mut Carry<'_>) {
        match (packet.kind, packet.namespace() == ROOT) {
            (Kind::Connect, true) => self.joined(carry),
            (Kind::Connect, false) => self.connected(packet.namespace(), carry),
            (Kind::Error, true) if self.backend != Backend::Joined => {
                self.refuse(&errors::for_newer(&packet.data), carry);
                carry.step(Step::HangUp);
            }
            (Kind::Error, _) => self.error(&packet, carry),
            (Kind::Disconnect, _) => self.disconnected(&packet, carry),
            (Kind::Event | Kind::Ack, _) => self.event(packet, carry),
        }
    }

    /// The backend has joined the main namespace, or answers that it did again.
    fn joined(&mut self, carry: &mut Carry<'_>) {
        if std::mem::replace(&mut self.backend, Backend::Joined) == Backend::Joined {
            return;
        }
        if matches!(self.root, Root::Pending) {
            self.join_root(carry);
        }
        self.ask_held(carry);
    }

    fn connected(&mut self, namespace: &str, carry: &mut Carry<'_>) {
        match self.spaces.get_mut(namespace) {
            Some(space @ Space::Pending) => {
                *space = Space::Connected;
                let identifier = self.identifier(&format!("{namespace}#"));
                carry.tell_client(Packet::new(Kind::Connect, namespace, identifier));
            }
            Some(Space::Leaving) => {
                self.spaces.remove(namespace);
                carry.tell_backend(Packet::new(Kind::Disconnect, namespace, Bytes::new()));
            }
            Some(Space::Held(_) | Space::Connected) | None => {}
        }
    }

    /// An error of one namespace, or something else that is wrong in one that is joined: that is an event in
    /// protocol 5, where a packet about it would end the namespace.
    fn error(&mut self, packet: &Packet, carry: &mut Carry<'_>) {
        let namespace = packet.namespace().to_owned();
        if self.is_connected(&namespace) {
            let arguments = [b"[", &*packet.data, b"]"].concat();
            carry.tell_client(Packet::new(Kind::Event, &namespace, join_event("error", &arguments)));
        } else if let Some(Space::Pending | Space::Leaving) = self.spaces.get(&namespace) {
            self.spaces.remove(&namespace);
            carry.tell_client(Packet::new(Kind::Error, &namespace, errors::for_newer(&packet.data)));
        }
    }

    fn disconnected(&mut self, packet: &Packet, carry: &mut Carry<'_>) {
        let namespace = packet.namespace().to_owned();
        let was_connected = self.is_connected(&namespace);
        if namespace == ROOT {
            self.root = Root::Left;
        } else {
            self.spaces.remove(&namespace);
        }
        carry.events.leave(&namespace);
        if was_connected {
            // Protocol 5 has no data in it.
            carry.tell_client(Packet::new(Kind::Disconnect, &namespace, Bytes::new()));
        }
    }

    fn event(&mut self, packet: Packet, carry: &mut Carry<'_>) {
        if self.is_connected(packet.namespace()) {
            let is_reserved = packet.kind == Kind::Event && is_reserved(&packet);
            if !is_reserved {
                carry.event(Side::Server, packet);
            }
            return;
        }
        if let (Root::NotAsked(waiting), ROOT) = (&mut self.root, packet.namespace()) {
            // The client may never ask for the namespace.
            let bytes = packet.len() + waiting.iter().map(Packet::len).sum::<usize>();
            if waiting.len() < WAITING && bytes <= WAITING_BYTES {
                waiting.push_back(packet);
            }
        }
    }
}

/// What a client says for itself, as a query.
fn said(object: &[u8]) -> Option<Bytes> {
    let query = credentials::query(object);
    (!query.is_empty()).then_some(query)
}

/// Puts what a client says for itself into the query of an address: it comes in the place of parameters of the same
/// names, but for those that the protocol needs.
#[must_use]
pub fn join_query(query: &str, said: &[u8]) -> String {
    let name = |field: &str| credentials::parameters(field.as_bytes()).next().map(|(name, _)| name.into_owned());
    let said = String::from_utf8_lossy(said);
    let is_own = |field: &&str| name(field).is_none_or(|name| RESERVED_PARAMETERS.contains(&&*name));
    let said: Vec<&str> = said.split('&').filter(|field| !is_own(field)).collect();
    let names: Vec<Option<String>> = said.iter().map(|field| name(field)).collect();
    let kept = query.split('&').filter(|field| !field.is_empty() && !names.contains(&name(field)));
    kept.chain(said.iter().copied()).collect::<Vec<_>>().join("&")
}
