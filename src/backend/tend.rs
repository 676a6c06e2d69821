//! What is done for backends beside requests: active checks, names that are resolved again, certificates that are read
//! again, and connections that nobody uses any more.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::{Backend, KEPT, probe, resolve};
use crate::telemetry::log::{self, Level};

/// How often backends that are new or gone are noticed, and pools tidied up.
const TICK: Duration = Duration::from_millis(500);
/// How often files are read again.
const FILES: Duration = Duration::from_secs(2);

/// Tends to the current backends for ever.
pub async fn run(current: impl Fn() -> Vec<Arc<Backend>>) {
    let mut tended: Vec<(Arc<Backend>, JoinSet<()>)> = Vec::new();
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let now = tick.tick().await;
        let backends = current();
        tended.retain(|(known, _)| {
            let is_current = backends.iter().any(|backend| Arc::ptr_eq(backend, known));
            if !is_current {
                known.endpoints.iter().for_each(|endpoint| endpoint.retire());
            }
            is_current
        });
        for backend in backends {
            if !tended.iter().any(|(known, _)| Arc::ptr_eq(&backend, known)) {
                let tasks = begin(&backend);
                tended.push((backend, tasks));
            }
        }
        for endpoint in tended.iter().flat_map(|(backend, _)| &backend.endpoints) {
            endpoint.tidy(KEPT, now);
        }
    }
}

/// Starts what goes on for one backend until it is gone.
fn begin(backend: &Arc<Backend>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    for endpoint in &backend.endpoints {
        if endpoint.place.is_name() {
            tasks.spawn(resolve_again(Arc::clone(backend), Arc::clone(endpoint)));
        }
        if let Some(checks) = backend.config.checks.clone() {
            let endpoint = Arc::clone(endpoint);
            tasks.spawn(async move { probe::run(&endpoint, &checks).await });
        }
    }
    if backend.tls.as_ref().is_some_and(|tls| tls.has_files()) {
        tasks.spawn(read_again(Arc::clone(backend)));
    }
    tasks
}

async fn resolve_again(backend: Arc<Backend>, endpoint: Arc<super::Endpoint>) {
    let mut tick = interval(resolve::PERIOD);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut has_failed = false;
    loop {
        tick.tick().await;
        let failed = endpoint.place.refresh().await.err();
        if let (Some(e), false) = (&failed, has_failed) {
            let name = endpoint.authority.host();
            note(&backend, &format!("cannot resolve {name}, what is known of it stays: {e}"));
        }
        has_failed = failed.is_some();
    }
}

async fn read_again(backend: Arc<Backend>) {
    let mut tick = interval(FILES);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last_error = None;
    while let Some(tls) = backend.tls.clone() {
        tick.tick().await;
        let Ok(outcome) = tokio::task::spawn_blocking(move || tls.refresh()).await else {
            return;
        };
        match outcome {
            Ok(true) => log::line(Level::Info, &format!("{}: tls: the files have changed", label(&backend))),
            Err(e) if last_error.as_ref() != Some(&e) => {
                note(&backend, &format!("tls: what was read before stays in use:\n{e}"));
                last_error = Some(e);
            }
            Ok(false) => last_error = None,
            Err(_) => {}
        }
    }
}

fn note(backend: &Backend, what: &str) {
    log::line(Level::Warn, &format!("{}: {what}", label(backend)));
}

fn label(backend: &Backend) -> String {
    format!("apis.{}.backends.{}", backend.names.api, backend.names.backend)
}
