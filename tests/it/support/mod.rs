//! A proxy on a free port, backends that do exactly as told, and clients that see every byte.
//!
//! Nothing here sleeps or knows a port: servers are bound before they are used, and every wait has a limit that
//! only a failing test reaches.

pub(crate) mod backend;
pub(crate) mod cases;
pub(crate) mod coding;
pub(crate) mod frame;
pub(crate) mod frames;
pub(crate) mod http2;
pub(crate) mod oracle;
pub(crate) mod program;
pub(crate) mod proxy;
pub(crate) mod random;
pub(crate) mod random_ops;
pub(crate) mod requests;
pub(crate) mod socket;
pub(crate) mod tls;
pub(crate) mod wire;

use std::future::Future;
use std::time::Duration;

/// How long anything may take. Reached only when something hangs.
const LIMIT: Duration = Duration::from_secs(20);

/// Waits for something that has to happen.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(LIMIT, future).await;
    done.unwrap_or_else(|_| panic!("{what}: did not happen within {LIMIT:?}"))
}

/// Asks again and again until something is true.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut is_true: impl FnMut() -> F) {
    within(what, async {
        while !is_true().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}
