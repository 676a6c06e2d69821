//! A session: its front, its back and what is between them.
//!
//! Whoever owns it tells it what came and what time it is, and afterwards takes out what is to be sent:
//! [`Session::answer`] for the poll that waits, [`Session::client_frame`] and [`Session::backend_frame`] for the
//! sockets as long as they can take more, [`Session::take_dial`] and [`Session::hang_up`] for the connection to the
//! backend.

use std::time::Duration;

use bytes::Bytes;

use super::back::{Back, Received};
use super::events::{Events, Rules, World};
use super::front::{Front, FrontSettings, Message, Refusal};
use super::step::Step;
use super::translator::{Carry, Translator};
use super::{Ending, translator};
use crate::framing::engineio::{Binary, Frame, Open, Packet as Carried};
use crate::framing::socketio::{Decoder, Limits, Packet};
use crate::framing::{Error, Generation};

/// What is announced to clients where neither the configuration nor the backend says otherwise.
const PING_INTERVAL: Duration = Duration::from_secs(25);
const PING_TIMEOUT: Duration = Duration::from_secs(20);
const MAX_PAYLOAD: u64 = 1_000_000;
/// A heartbeat that is faster than this is a mistake.
const SHORTEST: Duration = Duration::from_millis(10);

/// What decides about a session.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The client's generation.
    pub client: Generation,
    /// The backend's generation.
    pub backend: Generation,
    /// How the client reads binary messages.
    pub binary: Binary,
    /// Whether a WebSocket carries the session from the beginning.
    pub begins_on_socket: bool,
    /// Whether the client may go on on a WebSocket.
    pub upgrades: bool,
    /// How the session with the client behaves.
    pub front: FrontSettings,
    /// Announced to the client; `None`: as the backend does.
    pub ping_interval: Option<Duration>,
    /// Announced to the client; `None`: as the backend does.
    pub ping_timeout: Option<Duration>,
    /// Announced to the client; `None`: as the backend does.
    pub max_payload: Option<u64>,
    /// How long the backend may take to open its session, and to let the client into the main namespace where the
    /// client's own handshake waits for that.
    pub open_timeout: Duration,
    /// How long a client may stay without asking for a namespace, where the backend is not asked before.
    pub join_timeout: Duration,
    /// Bounds on packets.
    pub limits: Limits,
    /// What an older client asks the main namespace of a newer backend with: a JSON object.
    pub credentials: Option<Bytes>,
}

/// A connection to the backend that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dial {
    /// What the client says for itself, as a query: see [`join_query`](super::join_query).
    pub credentials: Option<Bytes>,
}

/// A session.
#[derive(Debug)]
pub struct Session {
    settings: Settings,
    front: Front,
    /// What the client sends.
    client: Decoder,
    back: Backend,
    /// What the backend sends.
    backend: Decoder,
    translator: Translator,
    events: Events,
    /// The identifier that the session has where nobody else gives it one.
    own_sid: String,
    sid: Option<String>,
    /// What the backend announced.
    backend_open: Option<Open>,
    started: Duration,
    /// Since when there is no connection to the backend.
    alone_since: Duration,
    /// What was wrong with what a side sent.
    error: Option<Error>,
}

/// The session with the backend.
#[derive(Debug)]
enum Backend {
    None,
    /// Wanted.
    Wanted(Dial),
    Dialing,
    Live(Back),
    /// What waits is still sent; what comes next.
    HangingUp(Back, Option<Dial>),
}

impl Session {
    /// A session that has not begun. `sid` is one that nobody can guess.
    #[must_use]
    pub fn new(settings: Settings, rules: Rules, sid: String) -> Self {
        let (client, backend) = (settings.client, settings.backend);
        Self {
            front: Front::new(client, settings.front, settings.begins_on_socket),
            client: Decoder::new(client, settings.limits),
            back: Backend::None,
            backend: Decoder::new(backend, settings.limits),
            translator: Translator::new(client, backend, settings.credentials.clone()),
            events: Events::new(rules),
            own_sid: sid,
            sid: None,
            backend_open: None,
            started: Duration::ZERO,
            alone_since: Duration::ZERO,
            error: None,
            settings,
        }
    }

    /// Begins it.
    pub fn start(&mut self, now: Duration, world: &dyn World) {
        (self.started, self.alone_since) = (now, now);
        self.translate(now, world, Translator::start);
    }

    /// The client's generation.
    #[must_use]
    pub fn generation(&self) -> Generation {
        self.settings.client
    }

    /// The backend's generation.
    #[must_use]
    pub fn backend_generation(&self) -> Generation {
        self.settings.backend
    }

    /// The identifier under which the client knows it, once it is open.
    #[must_use]
    pub fn sid(&self) -> Option<&str> {
        self.sid.as_deref()
    }

    /// How it ended, once all is delivered.
    #[must_use]
    pub fn ending(&self) -> Option<Ending> {
        self.front.ending().filter(|_| matches!(self.back, Backend::None))
    }

    /// How it ends, from when that is decided.
    #[must_use]
    pub fn closing(&self) -> Option<Ending> {
        self.front.closing()
    }

    /// What was wrong with what a side sent, where that ended the session.
    #[must_use]
    pub fn error(&self) -> Option<Error> {
        self.error
    }

    /// Bytes that wait for the client.
    #[must_use]
    pub fn queued_for_client(&self) -> usize {
        self.front.queued()
    }

    /// Bytes that wait for the backend.
    #[must_use]
    pub fn queued_for_backend(&self) -> usize {
        match &self.back {
            Backend::Live(back) | Backend::HangingUp(back, _) => back.queued(),
            Backend::None | Backend::Wanted(_) | Backend::Dialing => 0,
        }
    }

    // --- the client ---

    /// A poll came; its answer is taken from [`Session::answer`].
    ///
    /// # Errors
    /// Why it has none.
    pub fn poll(&mut self, now: Duration) -> Result<(), Refusal> {
        let polled = self.front.poll(now);
        self.follow(now);
        polled
    }

    /// The client of the poll that waits is gone.
    pub fn abandon_poll(&mut self, now: Duration) {
        self.front.abandon_poll(now);
        self.follow(now);
    }

    /// The answer to the poll that waits, as soon as there is one.
    pub fn answer(&mut self) -> Option<Vec<Carried>> {
        self.front.answer()
    }

    /// Takes back an answer that did not leave.
    pub fn take_back(&mut self, batch: Vec<Carried>) {
        self.front.take_back(batch);
    }

    /// The next frame for the WebSocket that carries the session.
    pub fn client_frame(&mut self) -> Option<Frame> {
        let packet = self.front.frame()?;
        Some(packet.to_frame(self.settings.client, self.settings.binary))
    }

    /// Whether a WebSocket carries the session.
    #[must_use]
    pub fn is_on_socket(&self) -> bool {
        self.front.is_on_socket()
    }

    /// Takes a frame of the WebSocket that carries the session.
    pub fn receive_frame(&mut self, now: Duration, frame: Frame, world: &dyn World) {
        match Carried::from_frame(self.settings.client, frame) {
            Ok(packet) => self.receive(now, packet, world),
            Err(error) => self.broken(now, error, Ending::ClientBroke),
        }
    }

    /// Takes a packet from the client.
    pub fn receive(&mut self, now: Duration, packet: Carried, world: &dyn World) {
        let message = self.front.receive(now, packet);
        let packet = match message {
            Some(Message::Text(text)) => self.client.text(&text),
            Some(Message::Binary(bytes)) => self.client.binary(bytes),
            None => Ok(None),
        };
        match packet {
            Ok(Some(packet)) => {
                self.translate(now, world, |translator, carry| translator.client(packet, carry));
            }
            Ok(None) => self.follow(now),
            Err(error) => self.broken(now, error, Ending::ClientBroke),
        }
    }

    /// What a client sent cannot be read.
    pub fn broken_by_client(&mut self, now: Duration, error: Error) {
        self.broken(now, error, Ending::ClientBroke);
    }

    /// A WebSocket came that the client may go on on; whether it may.
    pub fn probe(&mut self, now: Duration) -> bool {
        self.front.probe(now)
    }

    /// Whether such a WebSocket is wanted still.
    #[must_use]
    pub fn is_probed(&self) -> bool {
        self.front.is_probed()
    }

    /// Takes a frame of such a WebSocket; what to answer there.
    pub fn receive_probe(&mut self, now: Duration, frame: Frame) -> Option<Frame> {
        let Ok(packet) = Carried::from_frame(self.settings.client, frame) else {
            self.front.probe_lost();
            return None;
        };
        let answer = self.front.receive_probe(now, packet)?;
        Some(answer.to_frame(self.settings.client, self.settings.binary))
    }

    /// Such a WebSocket is gone.
    pub fn probe_lost(&mut self) {
        self.front.probe_lost();
    }

    // --- the backend ---

    /// Takes the wish for a connection to the backend.
    pub fn take_dial(&mut self) -> Option<Dial> {
        let Backend::Wanted(dial) = &self.back else { return None };
        let dial = dial.clone();
        self.back = Backend::Dialing;
        Some(dial)
    }

    /// The connection is there.
    pub fn dialed(&mut self, now: Duration) {
        if matches!(self.back, Backend::Dialing) {
            self.backend = Decoder::new(self.settings.backend, self.settings.limits);
            self.back = Backend::Live(Back::new(self.settings.backend, now + self.settings.open_timeout));
        }
    }

    /// The backend refuses the connection, with what it says. A client that waits for a namespace is told, and may try
    /// again; one whose own handshake waits is refused.
    pub fn refused(&mut self, now: Duration, message: &str, world: &dyn World) {
        self.back = Backend::None;
        self.alone_since = now;
        if self.front.is_opening() {
            self.close(now, Ending::BackendLeft);
        } else {
            self.translate(now, world, |translator, carry| translator.refused(message, carry));
        }
    }

    /// The backend cannot be reached.
    pub fn unreachable(&mut self, now: Duration) {
        self.back = Backend::None;
        self.close(now, Ending::BackendUnreachable);
    }

    /// The next frame for the backend.
    pub fn backend_frame(&mut self) -> Option<Frame> {
        match &mut self.back {
            Backend::Live(back) | Backend::HangingUp(back, _) => back.frame(),
            Backend::None | Backend::Wanted(_) | Backend::Dialing => None,
        }
    }

    /// Whether the connection to the backend is to be closed now, or given up where it is being made.
    pub fn hang_up(&mut self) -> bool {
        let Backend::HangingUp(back, next) = &mut self.back else { return false };
        if !back.is_idle() {
            return false;
        }
        self.back = next.take().map_or(Backend::None, Backend::Wanted);
        true
    }

    /// Whether the backend is connected to, or being connected to.
    #[must_use]
    pub fn has_backend(&self) -> bool {
        !matches!(self.back, Backend::None)
    }

    /// Takes a frame of the backend.
    pub fn receive_from_backend(&mut self, now: Duration, frame: Frame, world: &dyn World) {
        let Backend::Live(back) = &mut self.back else { return };
        let message = match back.receive(now, frame) {
            Ok(Received::Opened(open)) => {
                self.backend_open = Some(open.clone());
                return self.translate(now, world, |translator, carry| translator.opened(&open, carry));
            }
            Ok(Received::Message(message)) => message,
            Ok(Received::Nothing) => return,
            Ok(Received::Over(ending)) => return self.close(now, ending),
            Err(error) => return self.broken(now, error, Ending::BackendBroke),
        };
        let packet = match message {
            Message::Text(text) => self.backend.text(&text),
            Message::Binary(bytes) => self.backend.binary(bytes),
        };
        match packet {
            Ok(Some(packet)) => {
                self.translate(now, world, |translator, carry| translator.backend(packet, carry));
            }
            Ok(None) => {}
            Err(error) => self.broken(now, error, Ending::BackendBroke),
        }
    }

    /// The backend's connection has ended.
    pub fn backend_lost(&mut self, now: Duration, ending: Ending) {
        if let Backend::HangingUp(_, next) = &mut self.back {
            // It was to be closed anyway.
            self.back = next.take().map_or(Backend::None, Backend::Wanted);
            return;
        }
        self.back = Backend::None;
        self.close(now, ending);
    }

    // --- time ---

    /// Nothing was read from the client until now, since too much waits for the backend: its silence says nothing.
    pub fn client_unheard(&mut self, now: Duration) {
        self.front.heard(now);
    }

    /// As [`Session::client_unheard`], of the backend.
    pub fn backend_unheard(&mut self, now: Duration) {
        if let Backend::Live(back) = &mut self.back {
            back.unheard(now);
        }
    }

    /// Does what has to happen by now.
    pub fn tick(&mut self, now: Duration) {
        self.front.tick(now);
        if let Backend::Live(back) = &mut self.back
            && let Some(ending) = back.tick(now)
        {
            self.close(now, ending);
        }
        if self.opens_until().is_some_and(|until| until <= now) {
            self.close(now, Ending::BackendSilent);
        }
        if self.joins_until().is_some_and(|until| until <= now) {
            self.close(now, Ending::ClientIdle);
        }
        self.follow(now);
    }

    /// When [`Session::tick`] has something to do next.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        let back = match &self.back {
            Backend::Live(back) => back.deadline(),
            Backend::None | Backend::Wanted(_) | Backend::Dialing | Backend::HangingUp(..) => None,
        };
        [self.front.deadline(), back, self.opens_until(), self.joins_until()].into_iter().flatten().min()
    }

    /// Until when the session with the client must have been opened.
    fn opens_until(&self) -> Option<Duration> {
        self.front.is_opening().then_some(self.started + self.settings.open_timeout)
    }

    /// Until when the client must have asked for something that needs the backend.
    fn joins_until(&self) -> Option<Duration> {
        let is_alone = self.front.is_open() && matches!(self.back, Backend::None);
        is_alone.then_some(self.alone_since + self.settings.join_timeout)
    }

    /// Ends the session: both sides get what waits for them.
    pub fn close(&mut self, now: Duration, ending: Ending) {
        self.front.close(now, ending);
        self.follow(now);
    }

    fn broken(&mut self, now: Duration, error: Error, ending: Ending) {
        self.error.get_or_insert(error);
        self.close(now, ending);
    }

    /// Ends the session with the backend when that with the client ends.
    fn follow(&mut self, now: Duration) {
        if self.front.is_overfull() {
            self.front.close(now, Ending::ClientSlow);
        }
        if self.front.closing().is_some() {
            self.end_backend(now, None);
        }
    }

    fn end_backend(&mut self, now: Duration, next: Option<Dial>) {
        self.alone_since = now;
        self.back = match std::mem::replace(&mut self.back, Backend::None) {
            Backend::Live(back) | Backend::HangingUp(back, _) => Backend::HangingUp(back, next),
            Backend::None | Backend::Wanted(_) | Backend::Dialing => next.map_or(Backend::None, Backend::Wanted),
        };
    }

    // --- between ---

    /// Has the translator do something, and does what it wants done.
    fn translate(&mut self, now: Duration, world: &dyn World, work: impl FnOnce(&mut Translator, &mut Carry<'_>)) {
        let mut carry = translator::Carry { events: &mut self.events, world, steps: Vec::new(), ending: None };
        work(&mut self.translator, &mut carry);
        let Carry { steps, ending, .. } = carry;
        for step in steps {
            self.step(now, step);
        }
        if let Some(ending) = ending {
            self.close(now, ending);
        }
        self.follow(now);
    }

    fn step(&mut self, now: Duration, step: Step) {
        match step {
            Step::Client(packet) => carried(packet).for_each(|packet| self.front.send(packet)),
            Step::Backend(packet) => {
                if let Backend::Live(back) = &mut self.back {
                    carried(packet).for_each(|packet| back.send(packet));
                }
            }
            Step::Open(sid) => self.open(now, sid),
            Step::Dial(credentials) => {
                let dial = Dial { credentials };
                match &mut self.back {
                    Backend::HangingUp(_, next) => *next = Some(dial),
                    back => *back = Backend::Wanted(dial),
                }
            }
            Step::HangUp => self.end_backend(now, None),
            Step::Mismatch => self.close(now, Ending::BackendMismatch),
        }
    }

    fn open(&mut self, now: Duration, sid: Option<String>) {
        let backend = self.backend_open.as_ref();
        let settings = &self.settings;
        let interval = settings.ping_interval.or(backend.map(|open| open.ping_interval)).unwrap_or(PING_INTERVAL);
        let timeout = settings.ping_timeout.or(backend.map(|open| open.ping_timeout)).unwrap_or(PING_TIMEOUT);
        let max_payload = settings.max_payload.or(backend.and_then(|open| open.max_payload)).unwrap_or(MAX_PAYLOAD);
        let open = Open {
            sid: sid.unwrap_or_else(|| self.own_sid.clone()),
            upgrades: settings.upgrades && !settings.begins_on_socket,
            ping_interval: interval.max(SHORTEST),
            ping_timeout: timeout.max(SHORTEST),
            max_payload: (settings.client == Generation::Eio4).then_some(max_payload),
        };
        self.front.open(now, &open);
        self.sid = Some(open.sid);
    }
}

/// A packet as Engine.IO carries it: its text, and after it its attachments.
fn carried(packet: Packet) -> impl Iterator<Item = Carried> {
    let text = packet.to_text();
    std::iter::once(Carried::Message(text)).chain(packet.attachments.into_iter().map(Carried::Binary))
}
