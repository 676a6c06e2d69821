//! States that are lent to messages of streams without a context.

use flate2::{Compress, Compression, Decompress};

use super::WINDOW;

/// Fast, and not much worse than more effort on messages of some hundred bytes.
const LEVEL: u32 = 3;
/// Decompressors that are kept: more are in use at once only where many large messages are.
const KEPT: usize = 4;

/// What a thread keeps for messages of streams without a context.
#[derive(Debug, Default)]
pub struct Spare {
    /// One is enough: a message is compressed at once.
    packer: Option<(u8, Compress)>,
    unpackers: Vec<Decompress>,
}

impl Spare {
    /// A state that knows nothing, for a window of 9 to 15 bits.
    pub(super) fn packer(&mut self, bits: u8) -> Compress {
        match self.packer.take() {
            Some((spare, state)) if spare == bits => state,
            _ => new_packer(bits),
        }
    }

    /// Takes a state back.
    pub(super) fn keep_packer(&mut self, bits: u8, mut state: Compress) {
        state.reset();
        self.packer = Some((bits, state));
    }

    /// A state that knows nothing, for any window.
    pub(super) fn unpacker(&mut self) -> Decompress {
        self.unpackers.pop().unwrap_or_else(|| Decompress::new_with_window_bits(false, WINDOW))
    }

    /// Takes a state back.
    pub(super) fn keep_unpacker(&mut self, mut state: Decompress) {
        if self.unpackers.len() < KEPT {
            state.reset(false);
            self.unpackers.push(state);
        }
    }
}

/// A state that knows nothing.
pub(super) fn new_packer(bits: u8) -> Compress {
    Compress::new_with_window_bits(Compression::new(LEVEL), false, bits)
}
