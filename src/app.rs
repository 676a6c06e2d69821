//! The composition root: from a setup to a running proxy, and to its orderly end. Only this module knows all others.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::{interval, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admin::{self, Admin};
use crate::config::{Config, ListenLimits};
use crate::http::{Plane, server};
use crate::reload::{Handle, Reloader, Setup};
use crate::telemetry::access_log::AccessLog;
use crate::telemetry::metrics;

/// How often histograms are tidied up.
const UPKEEP: Duration = Duration::from_secs(5);
/// How long tasks have to end once they have been abandoned.
const LAST_GRACE: Duration = Duration::from_secs(1);

/// A proxy that is bound and not yet serving.
#[derive(Debug)]
pub struct App {
    config: Config,
    plane: Arc<Plane>,
    listeners: Vec<(TcpListener, ListenLimits)>,
    addresses: Vec<SocketAddr>,
    admin: Option<TcpListener>,
    reloader: Reloader,
    reload: Handle,
    log_writer: Option<JoinHandle<()>>,
}

impl App {
    /// Loads the rules, binds every address and opens the access log. Nothing is served before all of it works.
    ///
    /// # Errors
    /// All that is wrong with the configuration and the rules, or what cannot be bound or opened, as one text for
    /// a person.
    pub async fn bind(setup: Setup) -> Result<Self, String> {
        let config = setup.config.clone();
        let (reloader, reload) = Reloader::start(setup)?;
        let mut listeners = Vec::new();
        for listener in &config.listen {
            listeners.push((bind(listener.address).await?, listener.limits.clone()));
        }
        let admin = match &config.admin {
            Some(admin) => Some(bind(admin.address).await?),
            None => None,
        };
        let addresses = listeners.iter().map(|(l, _)| l.local_addr()).collect::<io::Result<_>>();
        let (access_log, log_writer) =
            AccessLog::open(&config.access_log).map_err(|e| format!("cannot open the access log: {e}"))?;
        let plane = Plane {
            published: reloader.published(),
            access_log,
            tasks: TaskTracker::new(),
            draining: CancellationToken::new(),
            abandoned: CancellationToken::new(),
        };
        Ok(Self {
            config,
            plane: Arc::new(plane),
            listeners,
            addresses: addresses.map_err(|e| format!("cannot read a bound address: {e}"))?,
            admin,
            reloader,
            reload,
            log_writer,
        })
    }

    /// Where clients are accepted, in the configuration's order.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Where the admin endpoints are.
    #[must_use]
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().and_then(|l| l.local_addr().ok())
    }

    /// How to ask for reloads.
    #[must_use]
    pub fn reload_handle(&self) -> Handle {
        self.reload.clone()
    }

    /// Serves until `shutdown`, then drains: accepts nothing new, finishes requests, closes sockets, and gives up
    /// on what is left when `drain` has passed.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let metrics = metrics::handle();
        let control = TaskTracker::new();
        let stop = CancellationToken::new();
        // A proxy whose run is dropped half-way leaves no task behind.
        let _guards = [&stop, &self.plane.draining, &self.plane.abandoned].map(|token| token.clone().drop_guard());

        // The control plane outlives the data plane, so that draining can be watched.
        if let Some(listener) = self.admin {
            let admin = Admin {
                token: self.config.admin.and_then(|a| a.token),
                published: self.plane.published.clone(),
                reload: self.reload,
                draining: self.plane.draining.clone(),
                metrics: metrics.clone(),
                started: jiff::Timestamp::now(),
                listening: self.addresses,
            };
            control.spawn(admin::serve(listener, admin, stop.clone()));
        }
        control.spawn(self.reloader.run(stop.clone()));
        control.spawn(stop.clone().run_until_cancelled_owned(upkeep(metrics)));

        for (listener, limits) in self.listeners {
            self.plane.tasks.spawn(server::accept(listener, limits, Arc::clone(&self.plane)));
        }
        shutdown.await;
        drain(&self.plane, self.config.drain).await;

        stop.cancel();
        control.close();
        let _ = timeout(LAST_GRACE, control.wait()).await;
        // The writer ends when the last sender is gone.
        drop(self.plane);
        if let Some(writer) = self.log_writer {
            let written = tokio::task::spawn_blocking(move || writer.join());
            let _ = timeout(LAST_GRACE, written).await;
        }
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(address).await.map_err(|e| format!("cannot listen on {address}: {e}"))
}

async fn drain(plane: &Plane, limit: Duration) {
    plane.draining.cancel();
    plane.tasks.close();
    if timeout(limit, plane.tasks.wait()).await.is_err() {
        plane.abandoned.cancel();
        let _ = timeout(LAST_GRACE, plane.tasks.wait()).await;
    }
}

async fn upkeep(handle: metrics_exporter_prometheus::PrometheusHandle) {
    let mut tick = interval(UPKEEP);
    loop {
        tick.tick().await;
        metrics::upkeep(&handle);
    }
}
