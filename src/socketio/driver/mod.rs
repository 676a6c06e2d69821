//! The task that owns a session.

mod dial;

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http::header::HeaderValue;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use crate::backend::{Body, Lease, Picked};
use crate::bridge::{Ending, Session};
use crate::failure::{Failure, Kind, Side};
use crate::framing::deflate::Role;
use crate::framing::engineio::payload::{Decoder, Form};
use crate::http::Plane;
use crate::http::body::Observer as _;
use crate::http::exchange::Exchange;
use crate::http::record::Recorder;
use crate::http::send::Outgoing;
use crate::http::server::Slot;
use crate::telemetry::log::{self, Level};
use crate::telemetry::metrics;
use crate::ws::{self, Accepted};

use super::behind::Behind;
use super::leg::{Event, Leg};
use super::polls::Polled;
use super::table::{Attached, Command, Handle, Place};
use super::world::Surroundings;
use dial::Reached;

/// As many bytes wait for one side before the other is not read from.
const HIGH: usize = 256 * 1024;

/// What came of opening a session: the backend's cookies.
pub(super) type Opened = Result<Vec<HeaderValue>, NotOpened>;

/// Why a session was not opened.
#[derive(Debug)]
pub(super) enum NotOpened {
    /// The backend says no.
    Refused(Box<Response<Body>>),
    /// Something went wrong.
    Failed(Box<Failure>),
}

type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A session and all that belongs to it.
pub(super) struct Driver {
    plane: Arc<Plane>,
    exchange: Arc<Exchange>,
    world: Surroundings,
    session: Session,
    seat: Place,
    handle: Handle,
    commands: mpsc::Receiver<Command>,
    started: Instant,
    /// Who waits for the session to be open.
    opened: Option<oneshot::Sender<Opened>>,
    /// The poll that waits.
    poll: Option<oneshot::Sender<Polled>>,
    /// Posts whose packets wait for the backend.
    posts: Vec<oneshot::Sender<bool>>,
    client: Option<Leg>,
    /// A WebSocket that the client may go on on.
    probe: Option<Leg>,
    /// A connection that becomes one of the two.
    joining: Option<Later<Option<Leg>>>,
    slot: Option<Slot>,
    recorder: Option<Recorder>,
    backend: Option<Behind>,
    /// The endpoint, which the session keeps busy.
    picked: Option<Picked>,
    dialing: Option<Later<Result<Reached, Failure>>>,
    lease: Option<Lease>,
    outgoing: Option<Outgoing>,
    /// What the backend is offered.
    extensions: ws::Extensions,
    cookies: Vec<HeaderValue>,
    /// Bytes sent on a WebSocket of the client that is gone.
    sent: u64,
    is_drained: bool,
}

/// What happened.
enum Happened {
    Command(Option<Command>),
    Client(Event),
    Probe(Event),
    Joined(Option<Box<Leg>>),
    Backend(Event),
    Dialed(Result<Reached, Failure>),
    PollGone,
    Time,
    Drain,
    Abandoned,
}

impl Driver {
    pub(super) fn new(
        plane: Arc<Plane>,
        exchange: Arc<Exchange>,
        session: Session,
        seat: Place,
        handle: Handle,
        commands: mpsc::Receiver<Command>,
    ) -> Self {
        Self {
            world: Surroundings(Arc::clone(&exchange)),
            plane,
            exchange,
            session,
            seat,
            handle,
            commands,
            started: Instant::now(),
            opened: None,
            poll: None,
            posts: Vec::new(),
            client: None,
            probe: None,
            joining: None,
            slot: None,
            recorder: None,
            backend: None,
            picked: None,
            dialing: None,
            lease: None,
            outgoing: None,
            extensions: ws::Extensions::None,
            cookies: Vec::new(),
            sent: 0,
            is_drained: false,
        }
    }

    /// Who waits for the session.
    pub(super) fn opening(mut self, opened: oneshot::Sender<Opened>, poll: Option<oneshot::Sender<Polled>>) -> Self {
        (self.opened, self.poll) = (Some(opened), poll);
        self
    }

    /// How the backend is connected to.
    pub(super) fn dialing(mut self, lease: Lease, outgoing: Outgoing, extensions: ws::Extensions) -> Self {
        (self.lease, self.outgoing, self.extensions) = (Some(lease), Some(outgoing), extensions);
        self
    }

    /// Runs the session to its end.
    pub(super) async fn run(mut self) {
        let _open = metrics::socket();
        self.session.start(Duration::ZERO, &self.world);
        loop {
            self.pump();
            if self.session.ending().is_some() || self.is_unreachable() {
                break;
            }
            match self.happens().await {
                Happened::Abandoned => break,
                happened => self.take(happened),
            }
        }
        self.end();
    }

    /// Whether the client can no longer come: it polls, and nothing new is accepted.
    fn is_unreachable(&self) -> bool {
        self.is_drained && self.poll.is_none() && !self.session.is_on_socket()
    }

    /// Whether the client and the backend are read: not while too much waits for the other.
    fn reads(&self) -> (bool, bool) {
        (self.session.queued_for_backend() < HIGH, self.session.queued_for_client() < HIGH)
    }

    async fn happens(&mut self) -> Happened {
        let deadline = self.session.deadline().map(|after| self.started + after);
        let (reads_client, reads_backend) = self.reads();
        tokio::select! {
            command = self.commands.recv() => Happened::Command(command),
            event = event(&mut self.client, reads_client) => Happened::Client(event),
            event = event(&mut self.probe, true) => Happened::Probe(event),
            leg = later(&mut self.joining) => Happened::Joined(leg.map(Box::new)),
            event = behind(&mut self.backend, reads_backend) => Happened::Backend(event),
            dialed = later(&mut self.dialing) => Happened::Dialed(dialed),
            () = abandoned(&mut self.poll) => Happened::PollGone,
            () = until(deadline) => Happened::Time,
            () = self.plane.draining.cancelled(), if !self.is_drained => Happened::Drain,
            () = self.plane.abandoned.cancelled() => Happened::Abandoned,
        }
    }

    fn take(&mut self, happened: Happened) {
        let now = self.started.elapsed();
        match happened {
            Happened::Command(Some(command)) => self.command(now, command),
            Happened::Client(Event::Frame(frame)) => self.session.receive_frame(now, frame, &self.world),
            Happened::Client(Event::Closed) => self.client_lost(now, Ending::ClientLeft),
            Happened::Client(Event::Gone) => self.client_lost(now, Ending::ClientGone),
            Happened::Probe(Event::Frame(frame)) => {
                let answer = self.session.receive_probe(now, frame);
                if let (Some(probe), Some(answer)) = (&mut self.probe, answer) {
                    probe.send(answer);
                }
            }
            Happened::Probe(Event::Closed | Event::Gone) => {
                self.probe = None;
                self.session.probe_lost();
            }
            Happened::Joined(leg) => self.joined(now, leg),
            Happened::Backend(Event::Frame(frame)) => self.session.receive_from_backend(now, frame, &self.world),
            Happened::Backend(Event::Closed) => self.backend_lost(now, Ending::BackendLeft),
            Happened::Backend(Event::Gone) => self.backend_lost(now, Ending::BackendGone),
            Happened::Dialed(dialed) => self.dialed(now, dialed),
            Happened::PollGone => {
                self.poll = None;
                self.session.abandon_poll(now);
            }
            Happened::Time => {
                match self.reads() {
                    (false, true) => self.session.client_unheard(now),
                    (true, false) => self.session.backend_unheard(now),
                    // Two that take nothing are judged by their silence.
                    (true, true) | (false, false) => {}
                }
                self.session.tick(now);
            }
            Happened::Drain => {
                self.is_drained = true;
                self.session.close(now, Ending::Draining);
            }
            Happened::Client(Event::Room)
            | Happened::Probe(Event::Room)
            | Happened::Backend(Event::Room)
            | Happened::Command(None)
            | Happened::Abandoned => {}
        }
    }

    fn command(&mut self, now: Duration, command: Command) {
        match command {
            Command::Poll(reply) => {
                if self.session.poll(now).is_ok() {
                    self.poll = Some(reply);
                } else {
                    // Whoever asked may be gone.
                    let _ = reply.send(None);
                }
            }
            Command::Post(..) if self.session.is_on_socket() => {}
            Command::Post(form, payload, reply) => self.post(now, form, payload, reply),
            Command::Attach(attached) => self.attach(now, *attached),
        }
    }

    fn post(&mut self, now: Duration, form: Form, payload: Bytes, reply: oneshot::Sender<bool>) {
        let mut decoder = Decoder::new(form, self.handle.limit);
        let read = || -> Result<(), crate::framing::Error> {
            decoder.push(payload)?;
            while let Some(packet) = decoder.packet()? {
                self.session.receive(now, packet, &self.world);
            }
            Ok(())
        };
        let read = read().and_then(|()| decoder.finish());
        match read {
            Ok(last) => {
                if let Some(packet) = last {
                    self.session.receive(now, packet, &self.world);
                }
                self.posts.push(reply);
            }
            Err(error) => {
                self.session.broken_by_client(now, error);
                let _ = reply.send(false);
            }
        }
    }

    /// A connection of the client's becomes a WebSocket: the one that carries the session, or one to go on on.
    fn attach(&mut self, now: Duration, attached: Attached) {
        let limit = self.handle.limit.saturating_add(1024);
        let Attached { connection: Accepted { upgrade, compression, slot }, recorder } = attached;
        let leg: Later<Option<Leg>> =
            Box::pin(async move { Some(Leg::new(upgrade.await.ok()?, Role::Client, compression, limit)) });
        let is_first = self.client.is_none() && self.joining.is_none() && self.session.closing().is_none();
        let carries = self.session.is_on_socket() && is_first;
        if carries || self.session.probe(now) {
            (self.joining, self.slot, self.recorder) = (Some(leg), slot, recorder);
        } else {
            // One too many is accepted and closed.
            self.plane.tasks.spawn(async move {
                if let Some(leg) = leg.await {
                    leg.close().await;
                }
                drop((slot, recorder));
            });
        }
    }

    fn joined(&mut self, now: Duration, leg: Option<Box<Leg>>) {
        match (leg, self.session.is_on_socket()) {
            (Some(leg), true) => self.client = Some(*leg),
            (Some(leg), false) => self.probe = Some(*leg),
            (None, true) => self.session.close(now, Ending::ClientGone),
            (None, false) => self.session.probe_lost(),
        }
    }

    fn client_lost(&mut self, now: Duration, ending: Ending) {
        if let Some(leg) = self.client.take() {
            self.sent += leg.sent;
            self.plane.tasks.spawn(leg.close());
        }
        self.session.close(now, ending);
    }

    fn backend_lost(&mut self, now: Duration, ending: Ending) {
        self.picked = None;
        if let Some(leg) = self.backend.take() {
            self.plane.tasks.spawn(leg.close());
        }
        self.session.backend_lost(now, ending);
    }

    fn not_opened(&mut self, why: NotOpened) {
        if let Some(opened) = self.opened.take() {
            // Whoever asked may be gone.
            let _ = opened.send(Err(why));
        }
    }

    /// Takes out of the session what is to be done.
    fn pump(&mut self) {
        let now = self.started.elapsed();
        self.announce(now);
        self.answer(now);
        self.upgrade();
        self.fill_client();
        self.fill_backend();
        if let Some(dial) = self.session.take_dial() {
            self.dial(now, dial);
        }
        if self.session.queued_for_backend() < HIGH {
            for reply in self.posts.drain(..) {
                let _ = reply.send(true);
            }
        }
    }

    /// Makes the session known once it is open.
    fn announce(&mut self, now: Duration) {
        let Some(sid) = self.session.sid() else { return };
        let Some(opened) = self.opened.take() else { return };
        if !self.seat.register(sid, self.handle.clone()) {
            let detail = "the backend gave a session the identifier of another";
            let failure = Failure::new(Side::Backend, Kind::BadResponse, detail);
            let _ = opened.send(Err(NotOpened::Failed(Box::new(failure))));
            self.session.close(now, Ending::BackendBroke);
        } else if opened.send(Ok(std::mem::take(&mut self.cookies))).is_err() {
            self.session.close(now, Ending::ClientGone);
        }
    }

    fn answer(&mut self, now: Duration) {
        if self.poll.is_none() {
            return;
        }
        let Some(batch) = self.session.answer() else { return };
        let Some(poll) = self.poll.take() else { return };
        if let Err(Some(batch)) = poll.send(Some(batch)) {
            self.session.take_back(batch);
            self.session.abandon_poll(now);
        }
    }

    /// The WebSocket that the client goes on on carries the session; one that it does not is closed.
    fn upgrade(&mut self) {
        if self.probe.is_none() || self.session.is_probed() {
            return;
        }
        let Some(probe) = self.probe.take() else { return };
        if self.session.is_on_socket() && self.client.is_none() {
            self.client = Some(probe);
        } else {
            self.plane.tasks.spawn(probe.close());
        }
    }

    fn fill_client(&mut self) {
        match &mut self.client {
            Some(leg) => {
                while leg.has_room()
                    && let Some(frame) = self.session.client_frame()
                {
                    leg.send(frame);
                }
            }
            // Nobody takes the rest of a session that ends before its WebSocket has come.
            None if self.session.closing().is_some() && self.joining.is_none() => {
                while self.session.client_frame().is_some() {}
            }
            None => {}
        }
    }

    fn fill_backend(&mut self) {
        match &mut self.backend {
            Some(leg) => {
                while leg.has_room()
                    && let Some(frame) = self.session.backend_frame()
                {
                    leg.send(frame);
                }
            }
            None => while self.session.backend_frame().is_some() {},
        }
        if self.session.hang_up() {
            self.picked = None;
            if let Some(leg) = self.backend.take() {
                self.plane.tasks.spawn(leg.close());
            }
        }
        if !self.session.has_backend() {
            self.dialing = None;
        }
    }

    /// Says goodbye to whoever is there still.
    fn end(mut self) {
        let ending = self.session.closing().unwrap_or(Ending::Draining);
        let failure = failure(ending);
        if let Some(failure) = &failure {
            let error = self.session.error().map(|error| format!(": {error}")).unwrap_or_default();
            let api = &self.exchange.route.config.name;
            log::line(Level::Warn, &format!("Socket.IO of `{api}` ends: {}{error}", failure.detail));
            self.not_opened(NotOpened::Failed(Box::new(failure.clone())));
        }
        let sent = self.sent + self.client.as_ref().map_or(0, |leg| leg.sent);
        for leg in [self.client.take(), self.probe.take()].into_iter().flatten() {
            self.plane.tasks.spawn(leg.close());
        }
        if let Some(backend) = self.backend.take() {
            self.plane.tasks.spawn(backend.close());
        }
        if let Some(mut recorder) = self.recorder.take() {
            recorder.bytes(usize::try_from(sent).unwrap_or(usize::MAX));
            recorder.end(failure.as_ref().map_or(Ok(()), Err));
        }
    }
}

/// What a session's end was a failure of, if it was one that the backend is to blame for.
fn failure(ending: Ending) -> Option<Failure> {
    let (kind, detail) = match ending {
        Ending::BackendSilent => (Kind::ResponseHeadTimeout, "the backend was not heard in time"),
        Ending::BackendBroke => {
            (Kind::BadResponse, "the backend sent what is no Socket.IO of the configured generation")
        }
        Ending::BackendMismatch => (Kind::BadResponse, "the backend speaks Engine.IO 3: configure `backend: eio3`"),
        Ending::BackendGone => (Kind::BadResponse, "the backend's connection broke"),
        Ending::BackendUnreachable => (Kind::Unreachable, "the backend cannot be reached"),
        Ending::BackendLeft
        | Ending::ClientLeft
        | Ending::ClientGone
        | Ending::ClientSilent
        | Ending::ClientBroke
        | Ending::ClientSlow
        | Ending::ClientIdle
        | Ending::Untranslatable
        | Ending::Draining => return None,
    };
    Some(Failure::new(Side::Backend, kind, detail))
}

async fn event(leg: &mut Option<Leg>, reads: bool) -> Event {
    match leg {
        Some(leg) => leg.event(reads).await,
        None => pending().await,
    }
}

async fn behind(backend: &mut Option<Behind>, reads: bool) -> Event {
    match backend {
        Some(backend) => backend.event(reads).await,
        None => pending().await,
    }
}

/// Waits for what may come, and takes it away.
async fn later<T>(future: &mut Option<Later<T>>) -> T {
    let Some(waiting) = future else { return pending().await };
    let done = waiting.await;
    *future = None;
    done
}

async fn abandoned(poll: &mut Option<oneshot::Sender<Polled>>) {
    match poll {
        Some(poll) => poll.closed().await,
        None => pending().await,
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}
