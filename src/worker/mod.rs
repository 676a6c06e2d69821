//! The worker threads of the data plane.
//!
//! Each worker runs a runtime of its own and keeps what it accepts: its listening sockets, its clients' connections and
//! its connections to backends. A request is served from its first byte to its last on one thread, so that nothing on
//! its way wakes another thread or waits for a lock that another one holds. What a slow request costs, only its worker's
//! clients pay.

mod timers;

use std::future::Future;
use std::io;
use std::num::NonZero;
use std::thread::{self, JoinHandle};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

pub use timers::{Timer, Timers};

/// Which of a proxy's workers something belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Worker(usize);

impl Worker {
    /// The workers of a proxy that has this many.
    pub fn all(count: usize) -> impl Iterator<Item = Self> {
        (0..count).map(Self)
    }

    /// Its place among all, from 0.
    #[must_use]
    pub fn index(self) -> usize {
        self.0
    }

    /// Starts the thread, which does what `work` makes on its runtime and ends with it. Tasks that are left then are
    /// dropped.
    ///
    /// # Errors
    /// As the system refuses a thread or what a runtime needs, or those of `work`.
    pub async fn start<F: Future<Output = ()>>(
        self,
        work: impl FnOnce() -> io::Result<F> + Send + 'static,
    ) -> io::Result<JoinHandle<()>> {
        let (started, is_started) = oneshot::channel();
        let thread = thread::Builder::new().name(format!("worker-{}", self.0)).spawn(move || run(work, started))?;
        is_started.await.unwrap_or_else(|_| Err(io::Error::other("the thread ended")))?;
        Ok(thread)
    }
}

fn run<F: Future<Output = ()>>(work: impl FnOnce() -> io::Result<F>, started: oneshot::Sender<io::Result<()>>) {
    // Who waits for the answer may have been dropped, and has told the work to end then.
    match begin(work) {
        Ok((runtime, work)) => {
            let _ = started.send(Ok(()));
            runtime.block_on(work);
            // A name that is being resolved is not waited for.
            runtime.shutdown_background();
        }
        Err(e) => drop(started.send(Err(e))),
    }
}

fn begin<F>(work: impl FnOnce() -> io::Result<F>) -> io::Result<(Runtime, F)> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let entered = runtime.enter();
    let work = work()?;
    drop(entered);
    Ok((runtime, work))
}

/// How many workers a proxy has: as many as configured, else one for each core.
#[must_use]
pub fn count(configured: Option<usize>) -> usize {
    configured.unwrap_or_else(|| thread::available_parallelism().map_or(1, NonZero::get))
}
