//! The backend's side of a session, whatever carries it.

use crate::framing::engineio::Frame;

use super::leg::{Event, Leg};
use super::polling::Polling;

/// What carries packets to and from the backend.
pub(super) enum Behind {
    Socket(Box<Leg>),
    Polling(Polling),
}

impl Behind {
    /// Whether it takes another frame.
    pub(super) fn has_room(&self) -> bool {
        match self {
            Self::Socket(leg) => leg.has_room(),
            Self::Polling(polling) => polling.has_room(),
        }
    }

    pub(super) fn send(&mut self, frame: Frame) {
        match self {
            Self::Socket(leg) => leg.send(frame),
            Self::Polling(polling) => polling.send(frame),
        }
    }

    /// What happens next. Nothing is lost where the future is dropped.
    pub(super) async fn event(&mut self, reads: bool) -> Event {
        match self {
            Self::Socket(leg) => leg.event(reads).await,
            Self::Polling(polling) => polling.event(reads).await,
        }
    }

    /// Sends what waits and says goodbye.
    pub(super) async fn close(self) {
        match self {
            Self::Socket(leg) => leg.close().await,
            // Who posts does so by itself, once nothing more can come.
            Self::Polling(polling) => drop(polling),
        }
    }
}
