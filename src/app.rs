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
use crate::backend::tend;
use crate::config::Listener;
use crate::diagnostic;
use crate::http::Plane;
use crate::http::server::{self, Gate};
use crate::listen::Certificates;
use crate::listen::sockets::{self, Inherited};
use crate::reload::{Handle, Reloader, Setup};
use crate::snapshot::Published;
use crate::socketio;
use crate::telemetry::access_log::{self, AccessLog, Writer};
use crate::telemetry::trace::{self, Exports};
use crate::telemetry::usage::Usage;
use crate::telemetry::{log, metrics};
use crate::worker::{self, Timers, Worker};
use crate::ws;

/// How often histograms are tidied up.
const UPKEEP: Duration = Duration::from_secs(5);
/// How long the collector of traces has to take what is left.
const LAST_EXPORT: Duration = Duration::from_secs(3);
/// How long tasks have to end once they have been abandoned.
const LAST_GRACE: Duration = Duration::from_secs(1);

/// A proxy that is bound and not yet serving.
#[derive(Debug)]
pub struct App {
    shares: Vec<Share>,
    gates: Vec<Arc<Gate>>,
    addresses: Vec<SocketAddr>,
    /// Of each address; `None`: no TLS.
    certificates: Vec<Option<Arc<Certificates>>>,
    admin: Option<TcpListener>,
    reloader: Reloader,
    reload: Handle,
    life: Life,
    log_writer: Writer,
    exports: Exports,
    usage: Usage,
}

/// One worker's part of a proxy.
#[derive(Debug)]
struct Share {
    plane: Plane,
    /// In the order of [`App::gates`].
    sockets: Vec<std::net::TcpListener>,
}

/// How the data plane is brought to its end.
#[derive(Debug, Clone, Default)]
struct Life {
    tasks: TaskTracker,
    draining: CancellationToken,
    abandoned: CancellationToken,
}

impl App {
    /// Loads the rules, binds every address and opens the access log. Nothing is served before all of it works.
    ///
    /// # Errors
    /// All that is wrong with the configuration and the rules, or what cannot be bound or opened, as one text for
    /// a person.
    #[expect(clippy::unused_async, reason = "a socket is registered with the runtime that this is awaited on")]
    pub async fn bind(setup: Setup) -> Result<Self, String> {
        Self::bind_with(setup, Inherited::default())
    }

    /// The same, called on a runtime, with sockets that are bound already; the others are bound.
    ///
    /// # Errors
    /// As [`Self::bind`], or sockets that `listen` has no address for.
    pub fn bind_with(setup: Setup, mut inherited: Inherited) -> Result<Self, String> {
        let config = setup.config.clone();
        let workers = worker::count(config.workers);
        let (access_log, log_writer) = access_log::open(&config.access_log)
            .and_then(AccessLog::start)
            .map_err(|e| format!("cannot open the access log: {e}"))?;
        let tls = diagnostic::all(config.listen.iter().map(certificates));
        let exports = Exports::default();
        let started = Reloader::start(setup, workers, (access_log.clone(), exports.clone()));
        let ((reloader, reload), tls) = diagnostic::both(started, tls)?;
        let reloader = reloader.with_certificates(tls.iter().flatten().cloned().collect());
        let admin = config.admin.as_ref().map(|admin| bind_admin(admin.address, &mut inherited)).transpose()?;
        let wanted: Vec<SocketAddr> = config.listen.iter().map(|listener| listener.address).collect();
        let given = inherited.assign(&wanted)?;
        let listeners = wanted.into_iter().zip(given).map(|(address, given)| bind(address, given, workers));
        let listeners = listeners.collect::<Result<Vec<_>, _>>()?;
        let addresses = listeners.iter().map(|sockets| sockets[0].local_addr()).collect::<io::Result<_>>();
        let life = Life::default();
        let sessions = socketio::Table::default();
        let contexts = ws::Contexts::default();
        let usage = Usage::new(workers);
        let plane = |worker| Plane {
            worker,
            timers: Timers::default(),
            published: reloader.published(),
            access_log: access_log.clone(),
            usage: usage.clone(),
            tasks: life.tasks.clone(),
            draining: life.draining.clone(),
            sessions: sessions.clone(),
            contexts: contexts.clone(),
            abandoned: life.abandoned.clone(),
        };
        Ok(Self {
            shares: shares(listeners, workers, plane),
            gates: config.listen.iter().zip(&tls).map(gate).collect::<Result<_, _>>()?,
            certificates: tls,
            addresses: addresses.map_err(|e| format!("cannot read a bound address: {e}"))?,
            admin,
            reloader,
            reload,
            life,
            log_writer,
            exports,
            usage,
        })
    }

    /// Where clients are accepted, in the configuration's order.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The same as addresses that a client may be given.
    pub fn urls(&self) -> impl Iterator<Item = String> {
        let scheme = |tls: &Option<_>| if tls.is_some() { "https" } else { "http" };
        self.addresses.iter().zip(&self.certificates).map(move |(address, tls)| format!("{}://{address}", scheme(tls)))
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
    ///
    /// # Errors
    /// A worker that could not be started, as a text for a person.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), String> {
        log::detach();
        let metrics = metrics::handle();
        let published = self.reloader.published();
        let control = TaskTracker::new();
        let stop = CancellationToken::new();
        // A proxy whose run is dropped half-way leaves no task and no worker behind.
        let _guards = [&stop, &self.life.draining, &self.life.abandoned].map(|token| token.clone().drop_guard());

        // The control plane outlives the data plane, so that draining can be watched.
        if let Some(listener) = self.admin {
            let admin = Admin {
                published: published.clone(),
                reload: self.reload,
                draining: self.life.draining.clone(),
                metrics: metrics.clone(),
                started: jiff::Timestamp::now(),
                listening: self.addresses,
                certificates: self.certificates,
                usage: self.usage,
            };
            control.spawn(admin::serve(listener, admin, stop.clone()));
        }
        control.spawn(stop.clone().run_until_cancelled_owned(tend(self.reloader.published())));
        control.spawn(self.reloader.run(stop.clone()));
        control.spawn(stop.clone().run_until_cancelled_owned(upkeep(metrics)));

        let mut threads = Vec::new();
        for share in self.shares {
            let started = share.start(&self.gates, stop.clone()).await;
            // The process may end with the error: what was said before it is not to be lost.
            let started = started.inspect_err(|_| log::flush(LAST_GRACE));
            threads.push(started.map_err(|e| format!("cannot start a worker: {e}"))?);
        }
        shutdown.await;
        self.life.drain(published.load().config.drain).await;

        self.exports.end(LAST_EXPORT).await;
        stop.cancel();
        control.close();
        let _ = timeout(LAST_GRACE, control.wait()).await;
        let ended = tokio::task::spawn_blocking(|| threads.into_iter().map(JoinHandle::join).for_each(drop));
        let _ = timeout(LAST_GRACE, ended).await;
        // Its writer ends when the workers, which hold the last senders, have ended.
        self.log_writer.ended(LAST_GRACE).await;
        log::flush(LAST_GRACE);
        Ok(())
    }
}

/// The certificates of a listener, where it has TLS.
fn certificates(listener: &Listener) -> Result<Option<Arc<Certificates>>, String> {
    if listener.tls.is_empty() {
        return Ok(None);
    }
    Certificates::load(&listener.tls).map(Some)
}

fn gate((listener, tls): (&Listener, &Option<Arc<Certificates>>)) -> Result<Arc<Gate>, String> {
    let tls = tls.as_ref().map(Certificates::server).transpose()?;
    Ok(Arc::new(Gate::new(listener, tls)))
}

fn bind(
    address: SocketAddr,
    given: Option<std::net::TcpListener>,
    workers: usize,
) -> Result<Vec<std::net::TcpListener>, String> {
    let sockets = match given {
        Some(socket) => sockets::share(socket, workers),
        None => sockets::bind(address, workers),
    };
    sockets.map_err(|e| cannot_listen(address, &e))
}

/// The admin endpoints' socket. As with the others, the next process may bind its own before this one has ended.
fn bind_admin(address: SocketAddr, inherited: &mut Inherited) -> Result<TcpListener, String> {
    let mut sockets = bind(address, inherited.bound_to(address), 1)?;
    let socket = sockets.pop().ok_or_else(|| format!("cannot listen on {address}"))?;
    TcpListener::from_std(socket).map_err(|e| cannot_listen(address, &e))
}

/// Whether a proxy could be started with these files, up to binding its addresses.
///
/// # Errors
/// All that is wrong with the configuration, the rules, and the files that the configuration names, as one text for a
/// person.
pub fn check(setup: &Setup) -> Result<(), String> {
    let listeners = setup.config.listen.iter().map(|listener| certificates(listener).map(drop));
    let tracing = setup.config.tracing.iter().map(trace::check);
    diagnostic::all([setup.check()].into_iter().chain(tracing).chain(listeners)).map(drop)
}

fn cannot_listen(address: SocketAddr, error: &io::Error) -> String {
    format!("cannot listen on {address}: {error}")
}

/// Gives each worker its socket of every address.
fn shares(listeners: Vec<Vec<std::net::TcpListener>>, workers: usize, plane: impl Fn(Worker) -> Plane) -> Vec<Share> {
    let mut listeners: Vec<_> = listeners.into_iter().map(Vec::into_iter).collect();
    let mut share = |worker| {
        let sockets = listeners.iter_mut().filter_map(Iterator::next).collect();
        Share { plane: plane(worker), sockets }
    };
    Worker::all(workers).map(&mut share).collect()
}

impl Share {
    /// Starts the worker, which serves until `stop`.
    async fn start(self, gates: &[Arc<Gate>], stop: CancellationToken) -> io::Result<JoinHandle<()>> {
        let gates = gates.to_vec();
        let worker = self.plane.worker;
        worker.start(move || self.accept(gates).map(|()| async move { stop.cancelled().await })).await
    }

    /// Begins to accept, on the worker's thread.
    fn accept(self, gates: Vec<Arc<Gate>>) -> io::Result<()> {
        let plane = Arc::new(self.plane);
        for (socket, gate) in self.sockets.into_iter().zip(gates) {
            plane.tasks.spawn(server::accept(TcpListener::from_std(socket)?, gate, Arc::clone(&plane)));
        }
        Ok(())
    }
}

impl Life {
    async fn drain(&self, limit: Duration) {
        self.draining.cancel();
        self.tasks.close();
        if timeout(limit, self.tasks.wait()).await.is_err() {
            self.abandoned.cancel();
            let _ = timeout(LAST_GRACE, self.tasks.wait()).await;
        }
    }
}

async fn tend(published: Published) {
    tend::run(|| published.load().backends().cloned().collect()).await;
}

async fn upkeep(handle: metrics_exporter_prometheus::PrometheusHandle) {
    let mut tick = interval(UPKEEP);
    loop {
        tick.tick().await;
        metrics::upkeep(&handle);
    }
}
