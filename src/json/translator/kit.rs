//! What documents of one program learn from each other.

use std::sync::Mutex;

use bytes::Bytes;

use super::super::scanner::Skipper;
use super::replay::Replay;
use super::{Frame, Machine};

/// What one document leaves to the next of its program: what its objects look like, and room.
#[derive(Debug, Default)]
pub(super) struct Kit {
    pub(super) frames: Vec<Frame>,
    pub(super) replay: Replay,
    pub(super) skipper: Skipper,
    /// Room for pieces of output.
    pub(super) pieces: Vec<Bytes>,
}

/// Some kits.
#[derive(Debug, Default)]
#[expect(clippy::vec_box, reason = "kits come and go with each document, and are too large to copy each time")]
pub(in super::super) struct Kits(Mutex<Vec<Box<Kit>>>);

impl Kits {
    /// More documents than this at once start from nothing.
    const MOST: usize = 16;

    /// A kit; an empty one where waiting for another would take longer than doing without.
    pub(super) fn take(&self) -> Box<Kit> {
        self.0.try_lock().ok().and_then(|mut kits| kits.pop()).unwrap_or_default()
    }

    pub(super) fn give_back(&self, mut kit: Box<Kit>) {
        kit.frames.clear();
        // A number at the top has no end of its own.
        kit.skipper.reset();
        if let Ok(mut kits) = self.0.try_lock()
            && kits.len() < Self::MOST
        {
            kits.push(kit);
        }
    }
}

/// Kits change how fast a program runs, and nothing else.
impl PartialEq for Kits {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl Eq for Kits {}

impl Machine {
    /// What is of use to the next document.
    pub(super) fn take_kit(&mut self) -> Box<Kit> {
        let mut kit = self.kit.take().unwrap_or_default();
        kit.frames = std::mem::take(&mut self.frames);
        kit.replay = std::mem::take(&mut self.replay);
        kit.skipper = std::mem::take(&mut self.skipper);
        kit.pieces = self.out.take_room();
        kit
    }
}
