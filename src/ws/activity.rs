//! When something last moved on a socket.

use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// A clock that both directions of a socket set back.
#[derive(Debug)]
pub(super) struct Activity {
    started: Instant,
    /// Milliseconds after `started`.
    moved: AtomicU64,
}

impl Activity {
    /// Something moved just now.
    pub(super) fn new() -> Self {
        Self { started: Instant::now(), moved: AtomicU64::new(0) }
    }

    /// Something moves now.
    pub(super) fn touch(&self) {
        let millis = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.moved.store(millis, Ordering::Relaxed);
    }

    /// Returns when nothing has moved for as long as `limit`; never without one.
    pub(super) async fn idle(&self, limit: Option<Duration>) {
        let Some(limit) = limit else {
            return pending().await;
        };
        loop {
            let moved = Duration::from_millis(self.moved.load(Ordering::Relaxed));
            let until = self.started + moved + limit;
            if until <= Instant::now() {
                return;
            }
            sleep_until(until).await;
        }
    }
}

/// Whether a side is alive: who is silent is pinged, and who neither takes the ping nor answers it is gone. One task tells
/// what it does.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    /// How often the side was heard.
    beats: AtomicU64,
    /// How often it was not listened to.
    unheard: AtomicU64,
    /// How many bytes it has taken.
    taken: AtomicU64,
    /// Whether it is to be pinged.
    is_due: AtomicBool,
    pinged: Notify,
}

impl Pulse {
    /// Something came from the side.
    pub(super) fn beat(&self) {
        count(&self.beats);
    }

    /// Nothing is read from the side for now, whatever it says.
    pub(super) fn ignored(&self) {
        count(&self.unheard);
    }

    /// The side has taken so many bytes, all in all, and has no room for a ping yet.
    pub(super) fn full(&self, taken: u64) {
        self.taken.store(taken, Ordering::Relaxed);
    }

    /// Whether the side is to be pinged as soon as it can be.
    pub(super) fn is_due(&self) -> bool {
        self.is_due.load(Ordering::Relaxed)
    }

    /// A ping has been sent to the side: from now on it has time to answer.
    pub(super) fn pinged(&self) {
        self.is_due.store(false, Ordering::Relaxed);
        self.pinged.notify_one();
    }

    /// Has the side pinged when nothing has been heard for as long as `every`, or nearly twice as long; returns when one has
    /// not been answered for as long again, though the side was listened to, or when it could not be sent, since the side took
    /// nothing for as long. Who pings is polled behind this.
    pub(super) async fn stops(&self, every: Option<Duration>) {
        let Some(every) = every else {
            return pending().await;
        };
        loop {
            let beats = load(&self.beats);
            sleep(every).await;
            if load(&self.beats) != beats {
                continue;
            }
            self.is_due.store(true, Ordering::Relaxed);
            if !self.takes_ping(every).await {
                return;
            }
            let unheard = load(&self.unheard);
            sleep(every).await;
            if (load(&self.beats), load(&self.unheard)) == (beats, unheard) {
                return;
            }
        }
    }

    /// Waits for a ping to be sent; false when the side has neither taken nor said anything for as long as `every`.
    async fn takes_ping(&self, every: Duration) -> bool {
        let signs = || (load(&self.beats), load(&self.taken));
        loop {
            let before = signs();
            if timeout(every, self.pinged.notified()).await.is_ok() {
                return true;
            }
            if signs() == before {
                return false;
            }
        }
    }
}

fn load(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// Only one task counts.
fn count(counter: &AtomicU64) {
    counter.store(load(counter) + 1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::task::Poll;

    const EVERY: Duration = Duration::from_millis(5);

    /// Runs a pulse and what is polled behind it; whether it stopped before that ended.
    async fn stops(pulse: &Pulse, mut behind: impl FnMut() -> Poll<()>) -> bool {
        tokio::select! {
            biased;
            () = pulse.stops(Some(EVERY)) => true,
            () = poll_fn(|_| behind()) => false,
        }
    }

    /// Sends a ping where one is due; whether it was.
    fn is_pinged(pulse: &Pulse) -> bool {
        let is_due = pulse.is_due();
        if is_due {
            pulse.pinged();
        }
        is_due
    }

    #[tokio::test]
    async fn who_answers_pings_is_alive() {
        let (pulse, mut pings) = (Pulse::default(), 0);
        let ping = || {
            if is_pinged(&pulse) {
                pulse.beat();
                pings += 1;
            }
            if pings == 10 { Poll::Ready(()) } else { Poll::Pending }
        };
        assert!(!stops(&pulse, ping).await);
    }

    #[tokio::test]
    async fn who_is_silent_is_gone_after_one_ping() {
        let (pulse, mut pings) = (Pulse::default(), 0);
        let ping = || {
            pings += u32::from(is_pinged(&pulse));
            Poll::Pending
        };
        assert!(stops(&pulse, ping).await);
        assert_eq!(pings, 1);
    }

    #[tokio::test]
    async fn who_is_not_listened_to_is_pinged_but_not_gone() {
        let (pulse, mut pings) = (Pulse::default(), 0);
        let ping = || {
            pings += u32::from(is_pinged(&pulse));
            pulse.ignored();
            if pings == 3 { Poll::Ready(()) } else { Poll::Pending }
        };
        assert!(!stops(&pulse, ping).await);
    }

    #[tokio::test]
    async fn who_has_no_room_for_a_ping_is_gone_unless_it_takes_something() {
        const SIGNS: u64 = 20;
        let (pulse, mut polls) = (Pulse::default(), 0);
        let full = || {
            polls += 1;
            pulse.full(polls.min(SIGNS));
            Poll::Pending
        };
        assert!(stops(&pulse, full).await);
        assert!(polls > SIGNS, "gone after {polls}");
    }
}
