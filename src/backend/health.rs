//! Whether an endpoint is fit to be asked. Pure: times are passed in, as what has passed on a clock that never goes back.
//!
//! An endpoint is *healthy* until [`FAILURES`] exchanges in a row fail or active checks say that it is down. After
//! failures it is *ejected* for a while, then on *trial*: the first exchange that ends well makes it healthy, the first
//! that fails ejects it for twice as long. An endpoint that active checks find down is *unhealthy* until they find it up.
//!
//! Where all endpoints of a backend are ejected, an exchange a [`RESORT`] is tried on each all the same: what was seen of
//! exchanges alone is no reason to refuse longer than that. One that ends well makes the endpoint healthy.

use std::time::Duration;

/// Failures in a row after which an endpoint is ejected.
const FAILURES: u32 = 5;
/// How long it is ejected the first time, and at most.
const FIRST: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_secs(300);
/// How often it is asked all the same while there is no other.
const RESORT: Duration = Duration::from_secs(1);

/// How an endpoint is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is asked.
    Healthy,
    /// It was ejected, and is asked again to see how it is.
    Trial,
    /// It has failed, and is not asked for a while.
    Ejected,
    /// Active checks say that it is down; it is not asked.
    Unhealthy,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Healthy, Self::Trial, Self::Ejected, Self::Unhealthy];

    /// The stable name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Trial => "trial",
            Self::Ejected => "ejected",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// When an endpoint is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// Always.
    Always,
    /// From then on.
    From(Duration),
    /// Never, until a check passes.
    Never,
}

/// After how many active checks in a row an endpoint is up or down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Thresholds {
    pub(super) healthy: u32,
    pub(super) unhealthy: u32,
}

/// What is known of one endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Health {
    /// Exchanges in a row that failed.
    failures: u32,
    /// Whether the last of them failed in the middle of its response, so that only a whole one ends the row.
    is_in_body: bool,
    /// Until when it is ejected, and after that on trial.
    ejected: Option<Duration>,
    /// How long it was last ejected.
    span: Duration,
    /// When it was ejected, or last asked all the same.
    resorted: Duration,
    /// Whether it was, so that what ends well says something new.
    is_resort: bool,
    /// When it last became healthy after that.
    recovered: Duration,
    /// Active checks in a row that passed, or failed.
    passed: u32,
    missed: u32,
    is_down: bool,
}

impl Health {
    /// How it is.
    pub(super) fn state(&self, now: Duration) -> State {
        match self.ejected {
            _ if self.is_down => State::Unhealthy,
            None => State::Healthy,
            Some(until) if now < until => State::Ejected,
            Some(_) => State::Trial,
        }
    }

    /// When it is asked.
    pub(super) fn asked(&self) -> Asked {
        match self.ejected {
            _ if self.is_down => Asked::Never,
            None => Asked::Always,
            Some(until) => Asked::From(until),
        }
    }

    /// How long it was last ejected.
    pub(super) fn span(&self) -> Duration {
        self.span
    }

    /// When it is asked where there is no other.
    pub(super) fn last_asked(&self) -> Asked {
        match self.asked() {
            Asked::From(until) => Asked::From(until.min(self.resorted + RESORT)),
            other => other,
        }
    }

    /// Whether to ask it now, although it is ejected, since there is no other.
    pub(super) fn resort(&mut self, now: Duration) -> bool {
        let is_due = self.state(now) == State::Ejected && now >= self.resorted + RESORT;
        if is_due {
            (self.resorted, self.is_resort) = (now, true);
        }
        is_due
    }

    /// Whether nothing speaks against it, so that an exchange that ends well says nothing new.
    pub(super) fn is_spotless(&self) -> bool {
        self.failures == 0 && self.ejected.is_none()
    }

    /// An exchange failed; `is_in_body`: in the middle of its response. Whether that ejects the endpoint.
    pub(super) fn failed(&mut self, is_in_body: bool, now: Duration) -> bool {
        self.failures = self.failures.saturating_add(1);
        self.is_in_body = is_in_body;
        match self.state(now) {
            // What was under way when it was ejected says nothing new.
            State::Ejected | State::Unhealthy => false,
            State::Healthy if self.failures < FAILURES => false,
            State::Healthy => {
                let has_stayed_well = now.saturating_sub(self.recovered) >= self.span;
                self.eject(if has_stayed_well { FIRST } else { self.span * 2 }, now);
                true
            }
            State::Trial => {
                self.eject(self.span * 2, now);
                true
            }
        }
    }

    fn eject(&mut self, span: Duration, now: Duration) {
        self.span = span.clamp(FIRST, LONGEST);
        self.ejected = Some(now + self.span);
        (self.resorted, self.is_resort) = (now, false);
        self.passed = 0;
    }

    /// A response's head came.
    pub(super) fn answered(&mut self, now: Duration) {
        if !self.is_in_body {
            self.ended(now);
        }
    }

    /// A response came to its end.
    pub(super) fn ended(&mut self, now: Duration) {
        if self.state(now) != State::Ejected || self.is_resort {
            self.recover(now);
        }
    }

    fn recover(&mut self, now: Duration) {
        (self.failures, self.is_in_body, self.is_resort) = (0, false, false);
        if self.ejected.take().is_some() {
            self.recovered = now;
        }
    }

    /// An active check passed or failed. Whether that changes how the endpoint is.
    pub(super) fn checked(&mut self, has_passed: bool, thresholds: Thresholds, now: Duration) -> bool {
        let before = self.state(now);
        if has_passed {
            (self.passed, self.missed) = (self.passed.saturating_add(1), 0);
        } else {
            (self.passed, self.missed) = (0, self.missed.saturating_add(1));
        }
        if self.passed >= thresholds.healthy && before != State::Healthy {
            self.is_down = false;
            self.recover(now);
        }
        if self.missed >= thresholds.unhealthy {
            self.is_down = true;
        }
        self.state(now) != before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THRESHOLDS: Thresholds = Thresholds { healthy: 2, unhealthy: 3 };

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Fails so often at one time; whether the last failure ejects.
    fn fail(health: &mut Health, times: u32, seconds: u64) -> bool {
        (0..times).map(|_| health.failed(false, at(seconds))).last() == Some(true)
    }

    #[test]
    fn five_failures_in_a_row_eject() {
        let mut health = Health::default();
        assert!(!fail(&mut health, 4, 1));
        health.answered(at(1));
        assert!(health.is_spotless());
        assert!(!fail(&mut health, 4, 2));
        assert_eq!((health.state(at(2)), health.is_spotless()), (State::Healthy, false));
        assert!(fail(&mut health, 1, 2));
        assert_eq!(health.asked(), Asked::From(at(12)));
        assert_eq!([at(11), at(12)].map(|t| health.state(t)), [State::Ejected, State::Trial]);
    }

    #[test]
    fn a_trial_that_fails_ejects_for_longer_up_to_a_bound() {
        let mut health = Health::default();
        assert!(fail(&mut health, 5, 0));
        let mut now = 0;
        for want in [20, 40, 80, 160, 300, 300] {
            let Asked::From(until) = health.asked() else { panic!("it is ejected") };
            now = until.as_secs();
            assert!(fail(&mut health, 1, now));
            assert_eq!(health.asked(), Asked::From(at(now + want)));
        }
        health.answered(at(now + 300));
        assert_eq!(health.state(at(now + 300)), State::Healthy);
    }

    #[test]
    fn an_endpoint_that_stays_well_starts_afresh() {
        for (well, want) in [(9, 20), (10, 10)] {
            let mut health = Health::default();
            fail(&mut health, 5, 0);
            health.answered(at(10));
            assert!(fail(&mut health, 5, 10 + well));
            assert_eq!(health.asked(), Asked::From(at(10 + well + want)), "well for {well} s");
        }
    }

    #[test]
    fn what_was_under_way_changes_nothing() {
        let mut health = Health::default();
        fail(&mut health, 5, 0);
        assert!(!fail(&mut health, 20, 5));
        health.answered(at(5));
        assert_eq!((health.state(at(5)), health.asked()), (State::Ejected, Asked::From(at(10))));
    }

    #[test]
    fn a_last_resort_is_asked_now_and_then() {
        let mut health = Health::default();
        assert!(!health.resort(at(0)), "a healthy one is asked as usual");
        fail(&mut health, 5, 0);
        assert_eq!((health.asked(), health.last_asked()), (Asked::From(at(10)), Asked::From(at(1))));
        assert_eq!([0, 1, 1, 2].map(|t| health.resort(at(t))), [false, true, false, true]);
        // A failure changes nothing: it is not ejected for longer, and asked again in its time.
        assert!(!fail(&mut health, 1, 2));
        assert_eq!((health.asked(), health.last_asked()), (Asked::From(at(10)), Asked::From(at(3))));
        // What ends well does.
        assert!(health.resort(at(3)));
        health.answered(at(4));
        assert_eq!(health.state(at(4)), State::Healthy);
        // Ejected once more, what was under way says nothing again; and on trial it is asked as usual.
        assert!(fail(&mut health, 5, 4));
        health.answered(at(5));
        assert_eq!((health.state(at(5)), health.asked()), (State::Ejected, Asked::From(at(24))));
        assert!(!health.resort(at(24)));
    }

    #[test]
    fn no_last_resort_is_one_that_checks_found_down() {
        let mut health = Health::default();
        fail(&mut health, 5, 0);
        assert_eq!([(); 3].map(|()| health.checked(false, THRESHOLDS, at(1))), [false, false, true]);
        assert_eq!((health.resort(at(5)), health.last_asked()), (false, Asked::Never));
    }

    #[test]
    fn responses_that_break_off_are_failures_in_a_row() {
        let mut health = Health::default();
        for _ in 0..4 {
            health.answered(at(0));
            assert!(!health.failed(true, at(0)));
        }
        health.ended(at(0));
        assert!(health.is_spotless());
        for is_last in [false, false, false, false, true] {
            health.answered(at(0));
            assert_eq!(health.failed(true, at(0)), is_last);
        }
    }

    #[test]
    fn checks_take_out_and_bring_back() {
        let mut health = Health::default();
        let mut check = |has_passed, want: Option<State>| {
            let is_changed = health.checked(has_passed, THRESHOLDS, at(0));
            assert_eq!(is_changed.then(|| health.state(at(0))), want);
        };
        check(false, None);
        check(false, None);
        check(true, None);
        check(false, None);
        check(false, None);
        check(false, Some(State::Unhealthy));
        check(true, None);
        check(false, None);
        check(true, None);
        check(true, Some(State::Healthy));
        assert_eq!(health.asked(), Asked::Always);
    }

    #[test]
    fn checks_that_pass_end_an_ejection() {
        let mut health = Health::default();
        health.checked(true, THRESHOLDS, at(0));
        health.checked(true, THRESHOLDS, at(0));
        fail(&mut health, 5, 0);
        assert!(!health.checked(true, THRESHOLDS, at(1)), "those before it do not count");
        assert!(health.checked(true, THRESHOLDS, at(2)));
        assert_eq!(health.state(at(2)), State::Healthy);
    }
}
