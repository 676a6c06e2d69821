//! How slowly a body may come.

use std::time::Duration;

/// A body's pace: so many bytes a second, of the time that its sender is waited for. Beyond that, so long a time is
/// allowed in all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    rate: u64,
    grace: Duration,
    waited: Duration,
}

impl Pace {
    /// Of a body that begins; `None` where it may be as slow as it likes.
    pub(crate) fn new(rate: u64, grace: Duration) -> Option<Self> {
        (rate > 0).then_some(Self { rate, grace, waited: Duration::ZERO })
    }

    /// The sender was waited for.
    pub(crate) fn wait(&mut self, waited: Duration) {
        self.waited = self.waited.saturating_add(waited);
    }

    /// How long the sender of `seen` bytes may be waited for from now on.
    pub(crate) fn left(&self, seen: u64) -> Duration {
        let earned = Duration::from_millis(seen.saturating_mul(1000) / self.rate);
        self.grace.saturating_add(earned).saturating_sub(self.waited)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_earn_time() {
        const SECOND: Duration = Duration::from_secs(1);
        let mut pace = Pace::new(100, 10 * SECOND).unwrap();
        assert_eq!(pace.left(0), 10 * SECOND);
        pace.wait(4 * SECOND);
        assert_eq!((pace.left(0), pace.left(200)), (6 * SECOND, 8 * SECOND));
        pace.wait(7 * SECOND);
        assert_eq!((pace.left(0), pace.left(200)), (Duration::ZERO, SECOND));
        assert!(pace.left(u64::MAX) > SECOND);
        assert!(Pace::new(0, SECOND).is_none());
    }
}
