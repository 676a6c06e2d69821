//! How an endpoint is doing, as all workers see it.
//!
//! Exchanges that end well on an endpoint against which nothing speaks only read an atomic; whatever else happens takes
//! the lock.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::health::{Asked, Health, State, Thresholds};
use crate::failure::Failure;
use crate::telemetry::log::{self, Level};
use crate::telemetry::metrics;

/// Stands for "always" and "never" in [`Condition::asked`].
const ALWAYS: u64 = 0;
const NEVER: u64 = u64::MAX;

/// What a backend is called.
#[derive(Debug)]
pub(super) struct Names {
    pub(super) api: String,
    pub(super) backend: String,
}

/// The condition of one endpoint.
#[derive(Debug)]
pub(super) struct Condition {
    names: Arc<Names>,
    address: String,
    pub(super) clock: Clock,
    /// From when on it is asked, in milliseconds.
    asked: AtomicU64,
    is_spotless: AtomicBool,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    health: Health,
    ejections: u64,
    last_resorts: u64,
    last: Option<LastFailure>,
}

/// What time it is.
#[derive(Debug)]
pub(super) enum Clock {
    /// As long as this is past.
    Running(Instant),
    /// As many seconds as a test says.
    #[cfg(test)]
    Set(Arc<AtomicU64>),
}

impl Clock {
    fn now(&self) -> Duration {
        match self {
            Self::Running(start) => start.elapsed(),
            #[cfg(test)]
            Self::Set(seconds) => Duration::from_secs(seconds.load(Ordering::Relaxed)),
        }
    }
}

/// How an endpoint is.
pub(super) struct Report {
    pub(super) state: State,
    pub(super) ejections: u64,
    pub(super) last_resorts: u64,
    pub(super) last: Option<LastFailure>,
}

/// What went wrong last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastFailure {
    /// When.
    pub at: jiff::Timestamp,
    /// The failure's code.
    pub code: &'static str,
    /// The log's text about it.
    pub reason: String,
}

impl Condition {
    pub(super) fn new(names: Arc<Names>, address: String) -> Self {
        Self {
            names,
            address,
            clock: Clock::Running(Instant::now()),
            asked: AtomicU64::new(ALWAYS),
            is_spotless: AtomicBool::new(true),
            kept: Mutex::default(),
        }
    }

    fn now(&self) -> Duration {
        self.clock.now()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether requests may be sent to it.
    pub(super) fn is_open(&self) -> bool {
        match self.asked.load(Ordering::Relaxed) {
            ALWAYS => true,
            NEVER => false,
            from => u128::from(from) <= self.now().as_millis(),
        }
    }

    /// Whether a request may be sent to it all the same, since there is no other.
    pub(super) fn resort(&self) -> bool {
        let mut kept = self.kept();
        let is_resort = kept.health.resort(self.now());
        if is_resort {
            kept.last_resorts += 1;
            metrics::backend_last_resort(&self.names.api, &self.names.backend);
        }
        is_resort
    }

    /// How long it is before a request may be sent to it where there is no other; `None` where nobody knows.
    pub(super) fn closed_for(&self) -> Option<Duration> {
        match self.kept().health.last_asked() {
            Asked::Always => Some(Duration::ZERO),
            Asked::From(from) => Some(from.saturating_sub(self.now())),
            Asked::Never => None,
        }
    }

    /// An exchange failed.
    pub(super) fn failed(&self, failure: &Failure, is_in_body: bool) {
        let now = self.now();
        metrics::backend_failure(&self.names.api, &self.names.backend, failure.kind.code());
        let mut kept = self.kept();
        let is_ejected = kept.health.failed(is_in_body, now);
        let (code, reason) = (failure.kind.code(), failure.for_log().to_owned());
        kept.last = Some(LastFailure { at: jiff::Timestamp::now(), code, reason });
        self.show(&kept.health);
        if is_ejected {
            kept.ejections += 1;
            let seconds = kept.health.span().as_secs();
            drop(kept);
            metrics::backend_ejected(&self.names.api, &self.names.backend);
            self.note(Level::Warn, &format!("ejected for {seconds} s, after: {}", failure.for_log()));
        }
    }

    /// A response's head came.
    pub(super) fn answered(&self) {
        if !self.is_spotless.load(Ordering::Relaxed) {
            self.change(Health::answered);
        }
    }

    /// A response came to its end.
    pub(super) fn ended(&self) {
        if !self.is_spotless.load(Ordering::Relaxed) {
            self.change(Health::ended);
        }
    }

    fn change(&self, change: impl FnOnce(&mut Health, Duration)) {
        let now = self.now();
        let mut kept = self.kept();
        let before = kept.health.state(now);
        change(&mut kept.health, now);
        self.show(&kept.health);
        if before != kept.health.state(now) {
            drop(kept);
            self.note(Level::Info, "healthy again");
        }
    }

    /// An active check passed, or failed for a reason.
    pub(super) fn checked(&self, failed: Option<&Failure>, thresholds: Thresholds) {
        let now = self.now();
        metrics::backend_check(&self.names.api, &self.names.backend, failed.is_none());
        let mut kept = self.kept();
        let is_changed = kept.health.checked(failed.is_none(), thresholds, now);
        if let Some(failure) = failed {
            let (code, reason) = (failure.kind.code(), format!("health check: {}", failure.for_log()));
            kept.last = Some(LastFailure { at: jiff::Timestamp::now(), code, reason });
        }
        self.show(&kept.health);
        drop(kept);
        match failed {
            None if is_changed => self.note(Level::Info, "healthy again: its checks pass"),
            Some(failure) if is_changed => self.note(Level::Warn, &format!("unhealthy: {}", failure.for_log())),
            _ => {}
        }
    }

    /// Lets all workers see what has changed.
    fn show(&self, health: &Health) {
        let asked = match health.asked() {
            Asked::Always => ALWAYS,
            Asked::From(from) => u64::try_from(from.as_millis()).unwrap_or(NEVER - 1),
            Asked::Never => NEVER,
        };
        self.asked.store(asked, Ordering::Relaxed);
        self.is_spotless.store(health.is_spotless(), Ordering::Relaxed);
    }

    /// How it is.
    pub(super) fn report(&self) -> Report {
        let now = self.now();
        let kept = self.kept();
        let Kept { health, ejections, last_resorts, last } = &*kept;
        Report { state: health.state(now), ejections: *ejections, last_resorts: *last_resorts, last: last.clone() }
    }

    fn note(&self, level: Level, what: &str) {
        let Names { api, backend } = &*self.names;
        log::line(level, &format!("apis.{api}.backends.{backend}: endpoint {} is {what}", self.address));
    }
}
