//! What the frames of a client of HTTP/2 cost beside what they bring.
//!
//! The parser bounds what one frame, one head and one stream may cost, but for frames that a client may send as often as
//! it likes: SETTINGS and PING have to be answered, `RST_STREAM` throws away what was begun, empty DATA and what is not
//! known bring nothing. Each of them is paid for out of a balance that what a client of good will does fills again.

use std::time::Duration;

/// What a connection begins with (RFC 9113 section 3.4).
const PREFACE: usize = 24;
const HEAD: usize = 9;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;

/// Frames that bring nothing: so many at once, and so many more a second, for each request, and for each so many bytes
/// that the client is sent. What answers a PING is shorter than that.
const CONTROL: u64 = 1000;
const CONTROL_PER_SECOND: u64 = 100;
const BYTES_PER_CONTROL: u64 = 64;

/// Requests that are taken back: so many at once, so many more a second, and every other one.
const RESETS: u64 = 500;
const RESETS_PER_SECOND: u64 = 50;

/// What a client sends too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flood {
    /// Frames that bring nothing.
    Control,
    /// Requests that are taken back.
    Resets,
}

impl Flood {
    /// As metrics name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Resets => "resets",
        }
    }
}

/// A balance in parts of a frame.
#[derive(Debug)]
struct Balance {
    left: u64,
    most: u64,
}

impl Balance {
    fn new(most: u64) -> Self {
        Self { left: most, most }
    }

    fn earn(&mut self, amount: u64) {
        self.left = self.left.saturating_add(amount).min(self.most);
    }

    fn spend(&mut self, amount: u64) -> bool {
        let rest = self.left.checked_sub(amount);
        self.left = rest.unwrap_or(0);
        rest.is_some()
    }
}

/// Reads the heads of a client's frames as they pass.
#[derive(Debug)]
pub(crate) struct Frames {
    /// Bytes of the preface or of a payload to skip.
    skip: usize,
    head: [u8; HEAD],
    /// How much of a head has been read.
    held: usize,
    /// In bytes.
    control: Balance,
    /// In halves.
    resets: Balance,
    /// When the balances were last filled by time.
    at: Duration,
}

impl Frames {
    /// Those of a connection that begins.
    pub(crate) fn new() -> Self {
        Self {
            skip: PREFACE,
            head: [0; HEAD],
            held: 0,
            control: Balance::new(CONTROL * BYTES_PER_CONTROL),
            resets: Balance::new(RESETS * 2),
            at: Duration::ZERO,
        }
    }

    /// Some more bytes of the client's, so long after the connection's beginning.
    ///
    /// # Errors
    /// What there is too much of.
    pub(crate) fn read(&mut self, mut bytes: &[u8], now: Duration) -> Result<(), Flood> {
        self.pass(now);
        while !bytes.is_empty() {
            if self.skip > 0 {
                let here = self.skip.min(bytes.len());
                self.skip -= here;
                bytes = &bytes[here..];
                continue;
            }
            let here = (HEAD - self.held).min(bytes.len());
            self.head[self.held..self.held + here].copy_from_slice(&bytes[..here]);
            self.held += here;
            bytes = &bytes[here..];
            if self.held == HEAD {
                self.held = 0;
                self.frame()?;
            }
        }
        Ok(())
    }

    /// So many bytes were sent to the client.
    pub(crate) fn written(&mut self, count: usize) {
        self.control.earn(count as u64);
    }

    fn pass(&mut self, now: Duration) {
        let milliseconds = u64::try_from(now.saturating_sub(self.at).as_millis()).unwrap_or(u64::MAX);
        if milliseconds > 0 {
            self.at = now;
            self.control.earn(milliseconds.saturating_mul(CONTROL_PER_SECOND * BYTES_PER_CONTROL) / 1000);
            self.resets.earn(milliseconds.saturating_mul(RESETS_PER_SECOND * 2) / 1000);
        }
    }

    fn frame(&mut self) -> Result<(), Flood> {
        let [a, b, c, kind, flags, ..] = self.head;
        self.skip = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        let is_paid = match kind {
            HEADERS => {
                self.control.earn(BYTES_PER_CONTROL);
                self.resets.earn(1);
                true
            }
            RST_STREAM => self.resets.spend(2),
            DATA if self.skip > 0 || flags & END_STREAM != 0 => true,
            // The parser bounds the length of a head, and the window says how much may be sent.
            CONTINUATION | WINDOW_UPDATE => true,
            _ => self.control.spend(BYTES_PER_CONTROL),
        };
        match (is_paid, kind) {
            (true, _) => Ok(()),
            (false, RST_STREAM) => Err(Flood::Resets),
            (false, _) => Err(Flood::Control),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: u8 = 4;
    const PING: u8 = 6;

    fn frame(kind: u8, flags: u8, payload: usize) -> Vec<u8> {
        let length = u32::try_from(payload).unwrap().to_be_bytes();
        let head = [&length[1..], &[kind, flags, 0, 0, 0, 1]].concat();
        [head, vec![0; payload]].concat()
    }

    fn begun() -> Frames {
        let mut frames = Frames::new();
        frames.read(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Duration::ZERO).unwrap();
        frames
    }

    /// After how many of these frames there are too many.
    fn bound(sent: &[u8], answered: usize, every: Duration) -> (usize, Option<Flood>) {
        let mut frames = begun();
        for count in 0..20_000 {
            if let Err(flood) = frames.read(sent, every * u32::try_from(count).unwrap()) {
                return (count, Some(flood));
            }
            frames.written(answered);
        }
        (20_000, None)
    }

    #[test]
    fn what_brings_nothing_has_a_bound() {
        let now = Duration::ZERO;
        assert_eq!(bound(&frame(SETTINGS, 0, 0), 0, now), (1000, Some(Flood::Control)));
        assert_eq!(bound(&frame(0x42, 0, 5), 0, now), (1000, Some(Flood::Control)));
        assert_eq!(bound(&frame(DATA, 0, 0), 0, now), (1000, Some(Flood::Control)));
        let (pings, flood) = bound(&frame(PING, 0, 8), 17, now);
        assert!(pings < 1500 && flood == Some(Flood::Control), "{pings}");
        let reset = [frame(HEADERS, 4, 20), frame(RST_STREAM, 0, 4)].concat();
        assert_eq!(bound(&reset, 0, now), (999, Some(Flood::Resets)));
        assert_eq!(bound(&frame(RST_STREAM, 0, 4), 0, now), (500, Some(Flood::Resets)));
    }

    #[test]
    fn what_clients_do_has_none() {
        let now = Duration::ZERO;
        // Uploads, downloads, half of all requests taken back, a ping for each message of a stream.
        assert_eq!(bound(&[frame(HEADERS, 4, 20), frame(DATA, 1, 0)].concat(), 0, now).1, None);
        assert_eq!(bound(&[frame(DATA, 0, 1), frame(WINDOW_UPDATE, 0, 4)].concat(), 0, now).1, None);
        let half = [frame(HEADERS, 4, 20), frame(HEADERS, 4, 20), frame(RST_STREAM, 0, 4)].concat();
        assert_eq!(bound(&half, 0, now).1, None);
        assert_eq!(bound(&frame(PING, 0, 8), 17 + 60, now).1, None);
        // Whatever comes slowly.
        assert_eq!(bound(&frame(SETTINGS, 0, 0), 9, Duration::from_millis(10)).1, None);
        assert_eq!(bound(&frame(RST_STREAM, 0, 4), 0, Duration::from_millis(20)).1, None);
    }

    #[test]
    fn heads_are_found_wherever_the_bytes_are_cut() {
        let sent = [frame(SETTINGS, 0, 12), frame(HEADERS, 4, 300), frame(RST_STREAM, 0, 4)].concat();
        let mut whole = begun();
        whole.read(&sent, Duration::ZERO).unwrap();
        let mut cut = begun();
        for byte in sent {
            cut.read(&[byte], Duration::ZERO).unwrap();
        }
        assert_eq!((cut.control.left, cut.resets.left, cut.skip), (whole.control.left, whole.resets.left, 0));
    }
}
