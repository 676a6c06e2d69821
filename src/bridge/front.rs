//! The Engine.IO session with the client, of which this proxy is the server.
//!
//! ```text
//! Opening --open--> Open --close, silence, a violation--> Closing --the rest was taken, or 30 s--> Closed
//! ```
//!
//! While it is open its packets leave by polls, or by a WebSocket. A client that began with polls may go on on a
//! WebSocket: it probes one (`2probe`, answered `3probe`), polls are released, and `5` moves the queue over.
//! In protocol 3 the client asks whether the server is there, in protocol 4 the server asks the client.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::Ending;
use crate::framing::Generation;
use crate::framing::engineio::{Open, Packet};

/// How the session with a client behaves.
#[derive(Debug, Clone, Copy)]
pub struct FrontSettings {
    /// How long a WebSocket may take from its handshake to `5`.
    pub upgrade_timeout: Duration,
    /// How long a closing session waits for a poll that takes the rest.
    pub close_timeout: Duration,
    /// Packets in the answer to one poll.
    pub batch: usize,
    /// Bytes that may wait for the client.
    pub queue: usize,
}

/// What a packet counts in a queue beside its data.
const PACKET: usize = 32;

/// Bytes in the answer to one poll, which always has one packet.
const BATCH_BYTES: usize = 1 << 20;

/// Why a poll is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Another one waits already; the session ends.
    Overlap,
    /// The session has moved to a WebSocket, or is over.
    NotPolling,
}

/// A message for the layer above.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// UTF-8.
    Text(Bytes),
    /// Bytes.
    Binary(Bytes),
}

/// The session.
#[derive(Debug)]
pub(super) struct Front {
    generation: Generation,
    settings: FrontSettings,
    phase: Phase,
    carrier: Carrier,
    queue: VecDeque<Packet>,
    /// Bytes of the queue, and something for each packet.
    queued: usize,
    /// Whether the answer to a ping waits.
    has_pong: bool,
    /// Whether a poll waits for its answer.
    is_parked: bool,
    ping_interval: Duration,
    ping_timeout: Duration,
    /// When the client was last heard.
    heard: Duration,
    /// Protocol 4: when the next ping is due.
    ping_due: Duration,
    /// Protocol 4: when the client must have been heard.
    pong_due: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Opening,
    Open,
    Closing(Ending, Duration),
    Closed(Ending),
}

/// What takes the packets to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Carrier {
    Polls,
    /// A WebSocket is there that may become the carrier, until that time.
    Probed {
        until: Duration,
        is_answered: bool,
    },
    Socket,
}

impl Front {
    /// Before its first packet. `begins_on_socket`: a WebSocket carries it from the beginning.
    pub(super) fn new(generation: Generation, settings: FrontSettings, begins_on_socket: bool) -> Self {
        Self {
            generation,
            settings,
            phase: Phase::Opening,
            carrier: if begins_on_socket { Carrier::Socket } else { Carrier::Polls },
            queue: VecDeque::new(),
            queued: 0,
            has_pong: false,
            is_parked: !begins_on_socket,
            ping_interval: Duration::ZERO,
            ping_timeout: Duration::ZERO,
            heard: Duration::ZERO,
            ping_due: Duration::ZERO,
            pong_due: None,
        }
    }

    /// Sends the first packet.
    pub(super) fn open(&mut self, now: Duration, open: &Open) {
        self.phase = Phase::Open;
        self.ping_interval = open.ping_interval;
        self.ping_timeout = open.ping_timeout;
        self.heard = now;
        self.ping_due = now + open.ping_interval;
        self.push(Packet::Open(open.write()));
    }

    pub(super) fn is_opening(&self) -> bool {
        self.phase == Phase::Opening
    }

    pub(super) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// How it ended, once nothing is left to be delivered.
    pub(super) fn ending(&self) -> Option<Ending> {
        match self.phase {
            Phase::Closed(ending) => Some(ending),
            Phase::Opening | Phase::Open | Phase::Closing(..) => None,
        }
    }

    /// How it ends, from when that is decided.
    pub(super) fn closing(&self) -> Option<Ending> {
        match self.phase {
            Phase::Closed(ending) | Phase::Closing(ending, _) => Some(ending),
            Phase::Opening | Phase::Open => None,
        }
    }

    /// Bytes that wait for the client.
    pub(super) fn queued(&self) -> usize {
        self.queued
    }

    /// Whether more waits for the client than may.
    pub(super) fn is_overfull(&self) -> bool {
        self.is_open() && self.queued > self.settings.queue
    }

    /// Sends packets, as long as the session is open.
    pub(super) fn send(&mut self, packet: Packet) {
        if self.is_open() {
            self.push(packet);
        }
    }

    fn push(&mut self, packet: Packet) {
        self.queued += PACKET + packet.len();
        self.queue.push_back(packet);
    }

    fn pop(&mut self) -> Option<Packet> {
        let packet = self.queue.pop_front()?;
        self.has_pong &= !matches!(packet, Packet::Pong(_));
        self.queued -= PACKET + packet.len();
        Some(packet)
    }

    /// Begins the end: what waits is still delivered, but for a client that is not there.
    pub(super) fn close(&mut self, now: Duration, ending: Ending) {
        if self.closing().is_some() {
            return;
        }
        if ending.drops_queue() {
            self.queue.clear();
            self.queued = 0;
        }
        let has_more = self.is_parked || !self.queue.is_empty() || !ending.is_of_client_gone();
        self.phase = match self.phase {
            Phase::Open if has_more => Phase::Closing(ending, now + self.settings.close_timeout),
            _ => Phase::Closed(ending),
        };
    }

    /// A poll came.
    pub(super) fn poll(&mut self, now: Duration) -> Result<(), Refusal> {
        if self.carrier == Carrier::Socket || self.ending().is_some() {
            return Err(Refusal::NotPolling);
        }
        if self.is_parked {
            self.close(now, Ending::ClientBroke);
            return Err(Refusal::Overlap);
        }
        self.is_parked = true;
        Ok(())
    }

    /// The client of the parked poll is gone, and the session with it.
    pub(super) fn abandon_poll(&mut self, now: Duration) {
        self.is_parked = false;
        self.close(now, Ending::ClientGone);
    }

    /// The answer to the parked poll, as soon as there is one.
    pub(super) fn answer(&mut self) -> Option<Vec<Packet>> {
        if !self.is_parked || self.is_opening() {
            return None;
        }
        let mut batch = Vec::new();
        let mut bytes = 0;
        if self.carrier != Carrier::Socket {
            while let Some(next) = self.queue.front() {
                bytes += next.len();
                if !batch.is_empty() && (batch.len() >= self.settings.batch || bytes > BATCH_BYTES) {
                    break;
                }
                batch.extend(self.pop());
            }
        }
        // Clients of protocol 4 read a close before the data that it came with.
        let may_append = batch.is_empty() || self.generation == Generation::Eio3;
        let is_last = (self.queue.is_empty() && may_append) || self.carrier == Carrier::Socket;
        match self.phase {
            Phase::Closing(ending, _) if is_last => {
                batch.push(if ending == Ending::ClientLeft { Packet::Noop } else { Packet::Close });
                self.phase = Phase::Closed(ending);
            }
            _ if batch.is_empty() && self.releases_polls() => batch.push(Packet::Noop),
            _ => {}
        }
        self.is_parked = batch.is_empty();
        (!batch.is_empty()).then_some(batch)
    }

    /// Whether polls are answered without having something to say, so that the client can go on on its WebSocket.
    fn releases_polls(&self) -> bool {
        matches!(self.carrier, Carrier::Probed { is_answered: true, .. } | Carrier::Socket)
    }

    /// Takes back the answer to a poll whose client was gone before it left.
    pub(super) fn take_back(&mut self, batch: Vec<Packet>) {
        for packet in batch.into_iter().rev() {
            self.queued += PACKET + packet.len();
            self.queue.push_front(packet);
        }
    }

    /// The next packet for the WebSocket that carries the session.
    pub(super) fn frame(&mut self) -> Option<Packet> {
        if self.carrier != Carrier::Socket {
            return None;
        }
        let next = self.pop();
        if let (None, Phase::Closing(ending, _)) = (&next, self.phase) {
            // The WebSocket's own close says it.
            self.phase = Phase::Closed(ending);
        }
        next
    }

    /// A WebSocket came that may become the carrier; whether it may.
    pub(super) fn probe(&mut self, now: Duration) -> bool {
        let may = self.is_open() && self.carrier == Carrier::Polls;
        if may {
            self.carrier = Carrier::Probed { until: now + self.settings.upgrade_timeout, is_answered: false };
        }
        may
    }

    /// That WebSocket is gone: polls go on.
    pub(super) fn probe_lost(&mut self) {
        if matches!(self.carrier, Carrier::Probed { .. }) {
            self.carrier = Carrier::Polls;
        }
    }

    /// Whether a WebSocket is there that may become the carrier.
    pub(super) fn is_probed(&self) -> bool {
        matches!(self.carrier, Carrier::Probed { .. })
    }

    /// Whether a WebSocket carries the session.
    pub(super) fn is_on_socket(&self) -> bool {
        self.carrier == Carrier::Socket
    }

    /// Takes a packet of the WebSocket that may become the carrier; what to answer there.
    pub(super) fn receive_probe(&mut self, now: Duration, packet: Packet) -> Option<Packet> {
        let Carrier::Probed { is_answered, .. } = &mut self.carrier else { return None };
        match packet {
            Packet::Ping(data) if data == Packet::PROBE => {
                *is_answered = true;
                Some(Packet::Pong(data))
            }
            Packet::Upgrade if *is_answered => {
                self.carrier = Carrier::Socket;
                self.heard(now);
                None
            }
            _ => {
                self.carrier = Carrier::Polls;
                None
            }
        }
    }

    /// Takes a packet from the client; a message goes on to the layer above.
    pub(super) fn receive(&mut self, now: Duration, packet: Packet) -> Option<Message> {
        if !self.is_open() {
            return None;
        }
        self.heard(now);
        match packet {
            Packet::Message(text) => return Some(Message::Text(text)),
            Packet::Binary(bytes) => return Some(Message::Binary(bytes)),
            Packet::Ping(data) => match self.generation {
                Generation::Eio3 => self.pong(data),
                // A client of protocol 4 pings connections alone.
                Generation::Eio4 => self.close(now, Ending::ClientBroke),
            },
            Packet::Close => self.close(now, Ending::ClientLeft),
            Packet::Open(_) => self.close(now, Ending::ClientBroke),
            Packet::Pong(_) | Packet::Upgrade | Packet::Noop => {}
        }
        None
    }

    fn pong(&mut self, data: Bytes) {
        // One that nobody has taken yet is enough.
        if !std::mem::replace(&mut self.has_pong, true) {
            self.push(Packet::Pong(data));
        }
    }

    /// The client was heard, or nobody listened.
    pub(super) fn heard(&mut self, now: Duration) {
        self.heard = now;
        self.pong_due = None;
    }

    /// What has to happen by now.
    pub(super) fn tick(&mut self, now: Duration) {
        match self.phase {
            Phase::Opening | Phase::Closed(_) => return,
            Phase::Closing(ending, until) => {
                if until <= now {
                    self.phase = Phase::Closed(ending);
                }
                return;
            }
            Phase::Open => {}
        }
        if let Carrier::Probed { until, .. } = self.carrier
            && until <= now
        {
            self.carrier = Carrier::Polls;
        }
        if self.silence_ends().is_some_and(|until| until <= now) {
            self.close(now, Ending::ClientSilent);
        } else if self.generation == Generation::Eio4 && self.ping_due <= now {
            self.ping(now);
        }
    }

    fn ping(&mut self, now: Duration) {
        // One that no poll has taken yet is enough.
        if !self.queue.iter().any(|packet| matches!(packet, Packet::Ping(_))) {
            self.push(Packet::Ping(Bytes::new()));
        }
        self.pong_due.get_or_insert(now + self.ping_timeout);
        self.ping_due = now + self.ping_interval;
    }

    /// Until when the client must have been heard.
    fn silence_ends(&self) -> Option<Duration> {
        match self.generation {
            Generation::Eio3 => Some(self.heard + self.ping_interval + self.ping_timeout),
            Generation::Eio4 => self.pong_due,
        }
    }

    /// When something has to happen next.
    pub(super) fn deadline(&self) -> Option<Duration> {
        match self.phase {
            Phase::Opening | Phase::Closed(_) => None,
            Phase::Closing(_, until) => Some(until),
            Phase::Open => {
                let upgrade = match self.carrier {
                    Carrier::Probed { until, .. } => Some(until),
                    Carrier::Polls | Carrier::Socket => None,
                };
                let ping = (self.generation == Generation::Eio4).then_some(self.ping_due);
                [upgrade, ping, self.silence_ends()].into_iter().flatten().min()
            }
        }
    }
}
