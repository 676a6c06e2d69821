//! From files to published snapshots: read, compile, test, publish, or keep the last good.
//!
//! One task does it, so that reloads never overlap. It is woken by changed files, by a signal, by the admin
//! endpoint, and now and then for file systems that tell nobody about changes.

mod load;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

pub use load::Setup;

use crate::config::Config;
use crate::diagnostic;
use crate::listen::Certificates;
use crate::snapshot::{Published, Snapshot};
use crate::telemetry::access_log::{self, AccessLog};
use crate::telemetry::log::{self, Level};
use crate::telemetry::metrics;
use crate::telemetry::trace::{Exports, Tracer};
use load::Loaded;
use watch::Watch;

/// How often to look at files that nobody told about.
const POLL: Duration = Duration::from_secs(30);
/// Reloads that may wait to be done.
const QUEUE: usize = 16;

/// What became of a reload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A new snapshot is published.
    Published,
    /// Files are as they were.
    Unchanged,
    /// The last good one stays; this is why.
    Failed(String),
}

impl Outcome {
    /// The stable name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Unchanged => "unchanged",
            Self::Failed(_) => "failed",
        }
    }
}

/// A reload that was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// When.
    pub at: jiff::Timestamp,
    /// What became of it.
    pub outcome: Outcome,
    /// The generation that is published after it.
    pub generation: u64,
    /// Its rules' hash.
    pub hash: String,
}

/// Asks for reloads and knows the last one.
#[derive(Debug, Clone)]
pub struct Handle {
    requests: mpsc::Sender<oneshot::Sender<Arc<Report>>>,
    last: Arc<ArcSwap<Report>>,
}

impl Handle {
    /// Reloads, whether or not files have changed, and waits for what becomes of it; `None` where the proxy is
    /// ending.
    pub async fn reload(&self) -> Option<Arc<Report>> {
        let (reply, report) = oneshot::channel();
        self.requests.send(reply).await.ok()?;
        report.await.ok()
    }

    /// The last reload; at first, the start.
    #[must_use]
    pub fn last(&self) -> Arc<Report> {
        self.last.load_full()
    }
}

/// The publisher of snapshots.
#[derive(Debug)]
pub struct Reloader {
    setup: Setup,
    workers: usize,
    access_log: AccessLog,
    exports: Exports,
    certificates: Vec<Arc<Certificates>>,
    published: Published,
    requests: mpsc::Receiver<oneshot::Sender<Arc<Report>>>,
    last: Arc<ArcSwap<Report>>,
    /// Of the files that were last loaded, good or bad.
    fingerprint: u64,
}

impl Reloader {
    /// Loads for the first time, for this many workers; the access log is opened again with later reloads.
    ///
    /// # Errors
    /// All that is wrong with the configuration and the rules, as one text for a person.
    pub fn start(setup: Setup, workers: usize, telemetry: (AccessLog, Exports)) -> Result<(Self, Handle), String> {
        let (access_log, exports) = telemetry;
        let (fingerprint, first) = setup.load_first(workers);
        let config = first.as_ref().map_or(&setup.config, |(config, _)| config);
        let tracer = tracer(config, None, &exports);
        let ((config, mut snapshot), tracer) = diagnostic::both(first, tracer)?;
        snapshot.tracer = tracer;
        let report = Report {
            at: jiff::Timestamp::now(),
            outcome: Outcome::Published,
            generation: 1,
            hash: snapshot.hash.clone(),
        };
        note_contents(&snapshot);
        let last = Arc::new(ArcSwap::from_pointee(report));
        let (sender, requests) = mpsc::channel(QUEUE);
        let handle = Handle { requests: sender, last: Arc::clone(&last) };
        let published = Published::new(snapshot);
        let setup = setup.with(config);
        let certificates = Vec::new();
        Ok((Self { setup, workers, access_log, exports, certificates, published, requests, last, fingerprint }, handle))
    }

    /// The same, which replaces these certificates as well when their files change.
    #[must_use]
    pub fn with_certificates(self, certificates: Vec<Arc<Certificates>>) -> Self {
        Self { certificates, ..self }
    }

    /// Where the snapshots are published.
    #[must_use]
    pub fn published(&self) -> Published {
        self.published.clone()
    }

    /// Publishes until told to stop.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut watch = Watch::open(&self.setup, &self.certificates);
        let mut poll = interval_at(Instant::now() + POLL, POLL);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let reply = tokio::select! {
                () = stop.cancelled() => return,
                Some(reply) = self.requests.recv() => Some(reply),
                () = watch.settled() => None,
                _ = poll.tick() => None,
            };
            if self.reload(reply).await {
                // The directories may be other ones now.
                watch = Watch::open(&self.setup, &self.certificates);
            }
        }
    }

    /// Loads, publishes and reports; whether files have changed.
    async fn reload(&mut self, reply: Option<oneshot::Sender<Arc<Report>>>) -> bool {
        if reply.is_some() {
            self.reopen_log();
        }
        let (setup, certificates) = (self.setup.clone(), self.certificates.clone());
        let load = move || {
            for certificates in &certificates {
                refresh(certificates);
            }
            setup.load()
        };
        let Ok(loaded) = tokio::task::spawn_blocking(load).await else {
            return false;
        };
        let is_changed = loaded.fingerprint != self.fingerprint;
        if !is_changed && reply.is_none() {
            return false;
        }
        self.fingerprint = loaded.fingerprint;
        let report = Arc::new(self.publish(loaded, is_changed));
        note(&report);
        self.last.store(Arc::clone(&report));
        if let Some(reply) = reply {
            // Who asked may have gone.
            let _ = reply.send(report);
        }
        is_changed
    }

    /// Whoever asks for a reload may have moved the file of the access log away, whatever becomes of the rules.
    fn reopen_log(&self) {
        if let Err(e) = self.access_log.reopen() {
            log::line(Level::Warn, &format!("cannot open the access log again, it goes on where it was: {e}"));
        }
    }

    fn publish(&mut self, loaded: Loaded, is_changed: bool) -> Report {
        let outcome = match self.prepare(loaded) {
            Err(reason) => Outcome::Failed(reason),
            Ok(_) if !is_changed => Outcome::Unchanged,
            Ok(next) => {
                self.setup = self.setup.clone().with(next.config);
                if let Some(log) = next.access_log {
                    self.access_log.change(log);
                }
                note_contents(&next.snapshot);
                self.published.publish(next.snapshot);
                Outcome::Published
            }
        };
        let now = self.published.load();
        Report { at: jiff::Timestamp::now(), outcome, generation: now.generation, hash: now.hash.clone() }
    }

    /// All that may fail of a publication.
    fn prepare(&self, loaded: Loaded) -> Result<Next, String> {
        let (config, rules) = loaded.result?;
        let current = self.published.load();
        let next = Snapshot::try_new(current.generation + 1, &config, &rules, self.workers, Some(&current));
        let (mut snapshot, tracer) = diagnostic::both(next, tracer(&config, Some(&current), &self.exports))?;
        snapshot.tracer = tracer;
        let is_elsewhere = config.access_log != self.setup.config.access_log;
        let opened = is_elsewhere.then(|| access_log::open(&config.access_log)).transpose();
        let access_log = opened.map_err(|e| format!("cannot open the access log: {e}"))?;
        Ok(Next { config, snapshot, access_log })
    }
}

/// What can be published.
struct Next {
    config: Config,
    snapshot: Snapshot,
    /// Where access records go, if that is somewhere else now.
    access_log: Option<access_log::Opened>,
}

/// The tracer of a configuration: the previous snapshot's, if that was of the same one.
fn tracer(config: &Config, previous: Option<&Snapshot>, exports: &Exports) -> Result<Option<Tracer>, String> {
    match previous.filter(|previous| previous.config.tracing == config.tracing) {
        Some(previous) => Ok(previous.tracer.clone()),
        None => config.tracing.as_ref().map(|tracing| Tracer::start(tracing, exports)).transpose(),
    }
}

/// Replaces certificates whose files have changed; bad ones change nothing.
fn refresh(certificates: &Certificates) {
    match certificates.refresh() {
        Ok(false) => {}
        Ok(true) => log::line(Level::Info, &format!("certificates replaced: {}", names(certificates))),
        Err(reason) => log::line(Level::Warn, &format!("the certificates before stay in use:\n{reason}")),
    }
}

fn names(certificates: &Certificates) -> String {
    let files: Vec<String> = certificates.files().map(|file| file.display().to_string()).collect();
    files.join(", ")
}

fn note(report: &Report) {
    metrics::reload(report.outcome.name());
    match &report.outcome {
        Outcome::Published => {
            log::line(Level::Info, &format!("published generation {}, rules {}", report.generation, report.hash));
        }
        Outcome::Unchanged => log::line(Level::Info, "nothing to reload: files are as they were"),
        Outcome::Failed(reason) => {
            let generation = report.generation;
            log::line(Level::Warn, &format!("reload failed, generation {generation} stays in service:\n{reason}"));
        }
    }
}

/// Says what a published snapshot is short of.
fn note_contents(snapshot: &Snapshot) {
    for api in snapshot.routes.iter().filter(|r| r.rules.is_none()).map(|r| &r.config.name) {
        log::line(Level::Warn, &format!("apis.{api}: there are no rules for it, its clients are answered 503"));
    }
}
