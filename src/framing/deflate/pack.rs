//! Compressing messages.

use flate2::{Compress, CompressError, FlushCompress};

use super::agree::Flow;
use super::spare::{Spare, new_packer};
use super::{TAIL, WINDOW};

/// The smallest window that zlib compresses for.
const SMALLEST: u8 = 9;
/// Shorter messages become longer where they cannot refer to others.
const SHORTEST: usize = 24;

/// Compresses the messages of one direction of a socket.
#[derive(Debug)]
pub struct Packer {
    flow: Flow,
    /// The state, where a context is kept; from the first message on.
    context: Option<Compress>,
}

impl Packer {
    /// For what was agreed on.
    #[must_use]
    pub fn new(flow: Flow) -> Self {
        Self { flow, context: None }
    }

    /// A message compressed, of which there are pieces, for a frame with RSV1; `None`: it is to be sent as it is.
    pub fn pack(&mut self, message: &[impl AsRef<[u8]>], spare: &mut Spare) -> Option<Vec<u8>> {
        let length = length(message);
        if self.flow.bits < SMALLEST {
            return if length <= 1 << self.flow.bits { pack_alone(message, WINDOW, spare) } else { None };
        }
        if !self.flow.keeps_context {
            return pack_alone(message, self.flow.bits, spare);
        }
        if length == 0 {
            return None;
        }
        let state = self.context.get_or_insert_with(|| new_packer(self.flow.bits));
        let packed = pack(state, message).ok();
        if packed.is_none() {
            // A state that failed is not to be used again; one that knows nothing fits what the other side knows.
            self.context = None;
        }
        packed
    }
}

/// Compresses a message that knows of no other; `None` where that makes it no shorter.
fn pack_alone(message: &[impl AsRef<[u8]>], bits: u8, spare: &mut Spare) -> Option<Vec<u8>> {
    let length = length(message);
    if length < SHORTEST {
        return None;
    }
    let mut state = spare.packer(bits);
    let packed = pack(&mut state, message).ok();
    spare.keep_packer(bits, state);
    packed.filter(|packed| packed.len() < length)
}

/// Compresses a message that is not empty.
fn pack(state: &mut Compress, message: &[impl AsRef<[u8]>]) -> Result<Vec<u8>, CompressError> {
    let mut packed = Vec::with_capacity(length(message) / 2 + 64);
    for (at, piece) in message.iter().enumerate() {
        let piece = piece.as_ref();
        let flush = if at + 1 == message.len() { FlushCompress::Sync } else { FlushCompress::None };
        let start = state.total_in();
        loop {
            let read = usize::try_from(state.total_in() - start).unwrap_or(piece.len());
            state.compress_vec(&piece[read..], &mut packed, flush)?;
            // Room that is left says that all has been read, and written where it is to be.
            if packed.len() < packed.capacity() {
                break;
            }
            packed.reserve(packed.len() / 2 + 64);
        }
    }
    debug_assert!(packed.ends_with(&TAIL), "a flush ends with an empty block");
    packed.truncate(packed.len() - TAIL.len());
    Ok(packed)
}

fn length(message: &[impl AsRef<[u8]>]) -> usize {
    message.iter().map(|piece| piece.as_ref().len()).sum()
}
