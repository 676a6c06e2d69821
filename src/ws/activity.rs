//! When something last moved on a socket.

use std::future::pending;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

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

/// Whether a side is alive: who is silent is pinged, and who does not answer is gone.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    /// How often the side was heard.
    beats: AtomicU64,
    pinged: Notify,
}

impl Pulse {
    /// Something came from the side.
    pub(super) fn beat(&self) {
        self.beats.fetch_add(1, Ordering::Relaxed);
    }

    /// A ping has been sent to the side: from now on it has time to answer.
    pub(super) fn pinged(&self) {
        self.pinged.notify_one();
    }

    /// Asks for a ping when nothing has been heard for as long as `every`, or nearly twice as long; returns when one has not
    /// been answered for as long again. One that cannot be sent yet, since the side is slow to read, is waited for; `ping`
    /// says whether it will be sent at all.
    pub(super) async fn stops(&self, every: Option<Duration>, ping: impl Fn() -> bool) {
        let Some(every) = every else {
            return pending().await;
        };
        loop {
            let before = self.beats.load(Ordering::Relaxed);
            sleep(every).await;
            if self.beats.load(Ordering::Relaxed) != before {
                continue;
            }
            if !ping() {
                continue;
            }
            self.pinged.notified().await;
            sleep(every).await;
            if self.beats.load(Ordering::Relaxed) == before {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    const EVERY: Duration = Duration::from_millis(5);

    #[tokio::test]
    async fn who_answers_pings_is_alive() {
        let (pulse, pings, enough) = (Pulse::default(), Cell::new(0), Notify::new());
        let ping = || {
            pulse.pinged();
            pulse.beat();
            pings.set(pings.get() + 1);
            if pings.get() == 10 {
                enough.notify_one();
            }
            true
        };
        tokio::select! {
            () = pulse.stops(Some(EVERY), ping) => panic!("it is alive"),
            () = enough.notified() => {}
        }
    }

    #[tokio::test]
    async fn who_is_silent_is_gone_after_one_ping() {
        let (pulse, pings) = (Pulse::default(), Cell::new(0));
        let ping = || {
            pings.set(pings.get() + 1);
            // The first one finds no room.
            let is_sent = pings.get() == 2;
            if is_sent {
                pulse.pinged();
            }
            is_sent
        };
        pulse.stops(Some(EVERY), ping).await;
        assert_eq!(pings.get(), 2);
    }

    #[tokio::test]
    async fn who_has_not_been_sent_a_ping_is_not_gone() {
        let pulse = Pulse::default();
        tokio::select! {
            () = pulse.stops(Some(EVERY), || true) => panic!("nothing was asked"),
            () = sleep(EVERY * 10) => {}
        }
    }
}
