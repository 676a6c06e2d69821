//! How many requests may be sent again. Pure: times are passed in, as what has passed on a clock that never goes back.
//!
//! When everything fails, sending everything again is what keeps it failing. So each request earns a fifth of a retry,
//! which is good for ten seconds; a few are kept for longer, so that a quiet service has some.

use std::time::Duration;

/// What part of the requests may be sent again.
const SHARE: f64 = 0.2;
/// How long a retry that was earned may wait to be used.
const WINDOW: Duration = Duration::from_secs(10);
/// Retries that are there from the beginning, and may wait for ever.
const RESERVE: f64 = 10.0;

/// The retries of one backend.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Budget {
    left: f64,
    /// Requests, and when, at the last look.
    requests: u64,
    at: Duration,
}

impl Default for Budget {
    fn default() -> Self {
        Self { left: RESERVE, requests: 0, at: Duration::ZERO }
    }
}

impl Budget {
    /// Takes one retry, after so many requests in all; whether there was one.
    pub(super) fn take(&mut self, requests: u64, now: Duration) -> bool {
        let windows = now.saturating_sub(self.at).as_secs_f64() / WINDOW.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "nobody sends 2^52 requests between two retries")]
        let earned = SHARE * requests.saturating_sub(self.requests) as f64 / windows.max(1.0);
        let kept = self.left * (1.0 - windows).max(0.0);
        self.left = kept.max(self.left.min(RESERVE)) + earned;
        (self.requests, self.at) = (requests, now);
        let is_enough = self.left >= 1.0;
        if is_enough {
            self.left -= 1.0;
        }
        is_enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Retries that are given when each of so many requests, at a rate, asks for one.
    fn given(budget: &mut Budget, before: u64, requests: u64, each: Duration) -> u64 {
        let start = budget.at;
        let mut given = 0;
        for i in 1..=requests {
            given += u64::from(budget.take(before + i, start + each * u32::try_from(i).unwrap()));
        }
        given
    }

    #[test]
    fn a_fifth_and_a_reserve_at_any_rate() {
        for each in [Duration::ZERO, Duration::from_millis(1), Duration::from_secs(1), Duration::from_secs(3)] {
            let mut budget = Budget::default();
            let got = given(&mut budget, 0, 1000, each);
            assert!((209..=210).contains(&got), "{got} at {each:?}");
        }
    }

    #[test]
    fn a_rush_of_failures_finds_what_was_earned_lately() {
        let mut budget = Budget::default();
        // 10,000 requests in 100 s without a failure: the last 10 s count.
        let now = Duration::from_secs(100);
        let got = (0..1000).filter(|_| budget.take(10_000, now)).count();
        assert_eq!(got, 210);
    }

    #[test]
    fn what_was_not_used_goes_but_for_the_reserve() {
        let mut budget = Budget::default();
        assert!(budget.take(10_000, Duration::from_secs(1)));
        let later = Duration::from_secs(60);
        let got = (0..1000).filter(|_| budget.take(10_000, later)).count();
        assert_eq!(got, 10);
        assert!(!budget.take(10_004, later));
        assert!(budget.take(10_005, later));
    }
}
