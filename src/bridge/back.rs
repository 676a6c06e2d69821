//! The Engine.IO session with the backend, of which this proxy is the client: always on a WebSocket.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::Ending;
use super::front::Message;
use crate::framing::engineio::{Binary, Frame, Open, Packet};
use crate::framing::{Error, Generation};

/// The session.
#[derive(Debug)]
pub(super) struct Back {
    generation: Generation,
    phase: Phase,
    queue: VecDeque<Packet>,
    /// Bytes of the queue.
    queued: usize,
}

#[derive(Debug)]
enum Phase {
    /// The first packet has to come until then.
    Opening(Duration),
    Open(Heartbeat),
}

#[derive(Debug)]
struct Heartbeat {
    interval: Duration,
    timeout: Duration,
    /// Protocol 3: when the next ping is due.
    ping_due: Duration,
    /// When the backend must have been heard: in protocol 4 always, in protocol 3 after a ping.
    silence_ends: Option<Duration>,
}

/// What a frame of the backend means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// The session is open.
    Opened(Open),
    /// Something for the layer above.
    Message(Message),
    /// Nothing that concerns anybody else.
    Nothing,
    /// The session is over.
    Over(Ending),
}

impl Back {
    /// On a WebSocket whose handshake is done.
    pub(super) fn new(generation: Generation, opens_until: Duration) -> Self {
        Self { generation, phase: Phase::Opening(opens_until), queue: VecDeque::new(), queued: 0 }
    }

    /// Bytes that wait for the backend.
    pub(super) fn queued(&self) -> usize {
        self.queued
    }

    /// Whether nothing waits for the backend.
    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }

    /// Sends a packet.
    pub(super) fn send(&mut self, packet: Packet) {
        self.queued += packet.len();
        self.queue.push_back(packet);
    }

    /// The next frame for the backend.
    pub(super) fn frame(&mut self) -> Option<Frame> {
        let packet = self.queue.pop_front()?;
        self.queued -= packet.len();
        Some(packet.to_frame(self.generation, Binary::Raw))
    }

    /// Takes a frame of the backend.
    ///
    /// # Errors
    /// As the frame is none of Engine.IO.
    pub(super) fn receive(&mut self, now: Duration, frame: Frame) -> Result<Received, Error> {
        let packet = Packet::from_frame(self.generation, frame)?;
        let Phase::Open(heartbeat) = &mut self.phase else { return self.open(now, &packet) };
        heartbeat.heard(self.generation, now, &packet);
        Ok(match packet {
            Packet::Message(text) => Received::Message(Message::Text(text)),
            Packet::Binary(bytes) => Received::Message(Message::Binary(bytes)),
            Packet::Ping(data) if self.generation == Generation::Eio4 => {
                // Before all that waits: the backend counts the time.
                self.queued += data.len();
                self.queue.push_front(Packet::Pong(data));
                Received::Nothing
            }
            Packet::Close => Received::Over(Ending::BackendLeft),
            Packet::Open(_) | Packet::Ping(_) | Packet::Pong(_) | Packet::Upgrade | Packet::Noop => Received::Nothing,
        })
    }

    fn open(&mut self, now: Duration, packet: &Packet) -> Result<Received, Error> {
        let Packet::Open(data) = packet else { return Ok(Received::Over(Ending::BackendBroke)) };
        let open = Open::parse(data)?;
        let (interval, timeout) = (open.ping_interval, open.ping_timeout);
        let mut heartbeat = Heartbeat { interval, timeout, ping_due: now + interval, silence_ends: None };
        heartbeat.begin(self.generation, now);
        self.phase = Phase::Open(heartbeat);
        Ok(Received::Opened(open))
    }

    /// Nobody listened to the backend until now.
    pub(super) fn unheard(&mut self, now: Duration) {
        if let Phase::Open(heartbeat) = &mut self.phase {
            heartbeat.begin(self.generation, now);
        }
    }

    /// What has to happen by now; how the session ends, if it does.
    pub(super) fn tick(&mut self, now: Duration) -> Option<Ending> {
        let heartbeat = match &mut self.phase {
            Phase::Opening(until) => return (*until <= now).then_some(Ending::BackendSilent),
            Phase::Open(heartbeat) => heartbeat,
        };
        if heartbeat.silence_ends.is_some_and(|until| until <= now) {
            return Some(Ending::BackendSilent);
        }
        if self.generation == Generation::Eio3 && heartbeat.ping_due <= now {
            heartbeat.ping_due = now + heartbeat.interval;
            heartbeat.silence_ends.get_or_insert(now + heartbeat.timeout);
            self.send(Packet::Ping(Bytes::new()));
        }
        None
    }

    /// When something has to happen next.
    pub(super) fn deadline(&self) -> Option<Duration> {
        match &self.phase {
            Phase::Opening(until) => Some(*until),
            Phase::Open(heartbeat) => {
                let ping = (self.generation == Generation::Eio3).then_some(heartbeat.ping_due);
                [ping, heartbeat.silence_ends].into_iter().flatten().min()
            }
        }
    }
}

impl Heartbeat {
    /// In protocol 3 any packet says that the backend is there, in protocol 4 its pings alone.
    fn heard(&mut self, generation: Generation, now: Duration, packet: &Packet) {
        match (generation, packet) {
            (Generation::Eio3, _) | (Generation::Eio4, Packet::Ping(_)) => self.begin(generation, now),
            (Generation::Eio4, _) => {}
        }
    }

    /// Silence is counted from now on.
    fn begin(&mut self, generation: Generation, now: Duration) {
        self.silence_ends = match generation {
            Generation::Eio3 => None,
            Generation::Eio4 => Some(now + self.interval + self.timeout),
        };
    }
}
