//! What a stream that follows another within a connection knows of it.

use flate2::Decompress;

use super::agree::Flow;
use super::unpack::{CHUNK, Corrupt};

/// Streams of a message that may end however short it is. Senders that end any end one.
const ENDS: usize = 2;
/// Bytes of a message, packed and unpacked together, for each further end, which costs a copy of the window.
const PACE: usize = 256;

/// The end of what has come out of a stream, for senders that end each message's stream (BFINAL) and go on as if they had not
/// (RFC 7692 section 7.2.3.4). They do so from their first message on, or never; for the others nothing is held.
#[derive(Debug)]
pub(super) struct Window {
    /// As much as a message may refer to, and a chunk at most.
    tail: Option<Vec<u8>>,
    span: usize,
    has_ended: bool,
    /// Bytes of this message, packed and unpacked.
    bytes: usize,
    /// Streams of this message that have ended.
    ends: usize,
}

impl Window {
    /// Of a direction that has agreed on this.
    pub(super) fn new(flow: Flow) -> Self {
        // zlib compresses with 9 bits where it is told 8.
        let span = 1 << flow.bits.max(9);
        Self { tail: flow.keeps_context.then(Vec::new), span, has_ended: false, bytes: 0, ends: 0 }
    }

    /// This many bytes became these, of which there is a chunk at most.
    pub(super) fn record(&mut self, read: usize, wrote: &[u8]) {
        self.bytes = self.bytes.saturating_add(read + wrote.len());
        let Some(tail) = &mut self.tail else { return };
        let most = self.span + CHUNK;
        if tail.len() + wrote.len() > most {
            tail.drain(..tail.len().saturating_sub(self.span));
        }
        let needed = tail.len() + wrote.len();
        if needed > tail.capacity() {
            // Twice as much each time, as vectors do by themselves, but never more than can come.
            tail.reserve_exact((2 * needed).min(most) - tail.len());
        }
        tail.extend_from_slice(wrote);
    }

    /// A stream has ended; the next one knows of it.
    pub(super) fn reopen(&mut self, state: &mut Decompress) -> Result<(), Corrupt> {
        self.has_ended = true;
        self.ends += 1;
        if self.ends > ENDS + self.bytes / PACE {
            return Err(Corrupt);
        }
        state.reset(false);
        match self.tail.as_deref() {
            None | Some([]) => Ok(()),
            Some(tail) => {
                state.set_dictionary(&tail[tail.len().saturating_sub(self.span)..]).map(drop).map_err(|_| Corrupt)
            }
        }
    }

    /// A message has ended.
    pub(super) fn settle(&mut self) {
        (self.bytes, self.ends) = (0, 0);
        if !self.has_ended {
            self.tail = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_held_than_was_agreed_on() {
        for bits in 8..=15 {
            let mut window = Window::new(Flow { bits, keeps_context: true });
            let chunk: Vec<u8> = (0..=250).cycle().take(CHUNK).collect();
            let mut came = Vec::new();
            for size in [1, 17, CHUNK].into_iter().cycle().take(300) {
                window.record(0, &chunk[..size]);
                came.extend_from_slice(&chunk[..size]);
                let tail = window.tail.as_ref().unwrap();
                assert!(tail.capacity() <= window.span + CHUNK, "{bits} bits: {} bytes", tail.capacity());
                assert!(tail.len() >= came.len().min(window.span) && came.ends_with(tail), "{bits} bits");
            }
        }
    }
}
