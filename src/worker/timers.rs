//! Timers that are kept when they are done with.
//!
//! Nearly every wait ends long before its time is up. A timer of its own for each would be set and taken away again,
//! and would wake the thread's timekeeper whenever it is the next to end. A kept one stays set: where it ends before
//! its new time, it is set again then, and where the new time is the earlier one, at once.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, Sleep, sleep_until};

/// How many are kept.
const MOST: usize = 1024;

/// A worker's timers.
#[derive(Debug, Clone, Default)]
pub struct Timers(Arc<Mutex<Vec<Pin<Box<Sleep>>>>>);

/// A wait until a time; what it waited with is kept when it is dropped.
#[derive(Debug)]
pub struct Timer {
    /// `None` only while it is dropped.
    sleep: Option<Pin<Box<Sleep>>>,
    until: Instant,
    home: Timers,
}

impl Timers {
    /// Waits until a time.
    #[must_use]
    pub fn until(&self, until: Instant) -> Timer {
        let sleep = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut sleep = sleep.unwrap_or_else(|| Box::pin(sleep_until(until)));
        if sleep.deadline() > until {
            sleep.as_mut().reset(until);
        }
        Timer { sleep: Some(sleep), until, home: self.clone() }
    }

    /// Ends with the work, or with `None` when the time has come before.
    pub async fn within<T>(&self, until: Instant, work: Pin<&mut impl Future<Output = T>>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.until(until) => None,
        }
    }
}

impl Future for Timer {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let until = self.until;
        let Some(sleep) = &mut self.sleep else { return Poll::Ready(()) };
        ready!(sleep.as_mut().poll(cx));
        // It may have been set for an earlier wait.
        while sleep.deadline() < until {
            sleep.as_mut().reset(until);
            ready!(sleep.as_mut().poll(cx));
        }
        Poll::Ready(())
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        let mut kept = self.home.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < MOST {
            kept.extend(self.sleep.take());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::time::Duration;

    use super::*;

    const STEP: Duration = Duration::from_millis(10);

    #[tokio::test]
    async fn a_kept_timer_ends_at_its_new_time() {
        let (timers, begin) = (Timers::default(), Instant::now());
        for (steps, ends) in [(900, false), (500, false), (2000, false), (2, true), (3, true), (500, false), (5, true)]
        {
            let until = begin + steps * STEP;
            let work = pin!(async {
                if ends {
                    std::future::pending::<()>().await;
                }
            });
            assert_eq!(timers.within(until, work).await.is_none(), ends, "{steps}");
            let now = Instant::now();
            assert_eq!(now >= until, ends, "{steps}");
            assert!(now < begin + 400 * STEP, "{steps}");
            assert_eq!(timers.0.lock().unwrap().len(), 1);
        }
    }

    #[tokio::test]
    async fn timers_that_run_at_one_time_are_apart() {
        let (timers, begin) = (Timers::default(), Instant::now());
        let waits: Vec<Timer> = (1..=5).map(|steps| timers.until(begin + steps * STEP)).collect();
        for (timer, steps) in waits.into_iter().zip(1..) {
            timer.await;
            assert!(Instant::now() >= begin + steps * STEP);
        }
        assert_eq!(timers.0.lock().unwrap().len(), 5);
    }
}
