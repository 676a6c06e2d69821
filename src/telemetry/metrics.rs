//! Every metric, one function each. A new metric is one function here, one line in `describe`, and one row
//! in the table of the operations guide.
//!
//! Label values come from the configuration, from rule files and from closed enums, never from what a client
//! sent, so that their number is bounded.

use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use metrics::{Counter, Histogram, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use crate::json::Losses;

const REQUESTS: &str = "legato_requests_total";
const REQUEST_SECONDS: &str = "legato_request_seconds";
const TRANSLATE_SECONDS: &str = "legato_translate_seconds";
const TRANSLATE_FAILURES: &str = "legato_translate_failures_total";
const LOSSES: &str = "legato_losses_total";
const MESSAGES: &str = "legato_messages_total";
const MESSAGE_OUTCOMES: &str = "legato_message_outcomes_total";
const RELOADS: &str = "legato_reloads_total";
const RULES_INFO: &str = "legato_rules_info";
const BACKEND_ENDPOINTS: &str = "legato_backend_endpoints";
const BACKEND_FAILURES: &str = "legato_backend_failures_total";
const BACKEND_EJECTIONS: &str = "legato_backend_ejections_total";
const BACKEND_LAST_RESORTS: &str = "legato_backend_last_resorts_total";
const BACKEND_RETRIES: &str = "legato_backend_retries_total";
const BACKEND_CHECKS: &str = "legato_backend_checks_total";
const SOCKETS: &str = "legato_sockets";
const CONNECTIONS: &str = "legato_connections";
const HTTP2_FLOODS: &str = "legato_http2_floods_total";
const ACCESS_RECORDS_DROPPED: &str = "legato_access_records_dropped_total";
const SPANS_EXPORTED: &str = "legato_spans_exported_total";
const SPANS_DROPPED: &str = "legato_spans_dropped_total";

/// Upper bounds of the latency histograms' buckets, in seconds.
const SECONDS: [f64; 16] =
    [0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

/// What renders the metrics. They are the process's: the first call installs them, later ones find them.
///
/// # Panics
/// Never; where another recorder is installed already, what is rendered stays empty.
#[must_use]
pub fn handle() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(install).clone()
}

fn install() -> PrometheusHandle {
    let builder = PrometheusBuilder::new();
    // The bounds are not empty, which is the only thing the builder refuses.
    let builder = builder.set_buckets(&SECONDS).unwrap_or_else(|_| PrometheusBuilder::new());
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    if metrics::set_global_recorder(recorder).is_ok() {
        describe();
    }
    handle
}

fn describe() {
    describe_counter!(REQUESTS, "Exchanges by API, client version, backend and status");
    describe_histogram!(REQUEST_SECONDS, "Time from a request's head to the end of its response");
    describe_histogram!(TRANSLATE_SECONDS, "Time spent translating bodies that were held whole");
    describe_counter!(TRANSLATE_FAILURES, "Documents and messages without a translation");
    describe_counter!(LOSSES, "What translations have lost, by change and path");
    describe_counter!(MESSAGES, "WebSocket messages by sender and event");
    describe_counter!(MESSAGE_OUTCOMES, "WebSocket messages by what became of them");
    describe_counter!(RELOADS, "Reloads by result");
    describe_counter!(BACKEND_FAILURES, "Exchanges with endpoints that failed, by code");
    describe_counter!(BACKEND_EJECTIONS, "Endpoints ejected after failures in a row");
    describe_counter!(BACKEND_LAST_RESORTS, "Exchanges tried on an ejected endpoint because all were");
    describe_counter!(BACKEND_RETRIES, "Requests sent again, by why, and those over budget that were not");
    describe_counter!(BACKEND_CHECKS, "Active checks by result");
    describe_gauge!(SOCKETS, "Open WebSockets");
    describe_gauge!(CONNECTIONS, "Open client connections");
    describe_counter!(HTTP2_FLOODS, "Connections of HTTP/2 closed since their clients flooded them");
    describe_counter!(SPANS_EXPORTED, "Spans that the collector has taken");
    describe_counter!(SPANS_DROPPED, "Spans lost because they did not fit, or the collector did not take them");
    describe_counter!(ACCESS_RECORDS_DROPPED, "Access records lost because the log could not keep up or be written");
}

/// The metrics as text, with the facts of the current rules.
#[must_use]
pub fn render(handle: &PrometheusHandle, hash: &str, generation: u64, endpoints: &[(&str, usize)]) -> String {
    let mut text = handle.render();
    // Written here instead of kept as a gauge: each reload would leave one more series behind.
    let _ = write!(text, "# TYPE {RULES_INFO} gauge\n{RULES_INFO}{{hash=\"{hash}\",generation=\"{generation}\"}} 1\n");
    let _ = write!(text, "# HELP {BACKEND_ENDPOINTS} Endpoints by state\n# TYPE {BACKEND_ENDPOINTS} gauge\n");
    for (state, count) in endpoints {
        let _ = writeln!(text, "{BACKEND_ENDPOINTS}{{state=\"{state}\"}} {count}");
    }
    text
}

/// Removes what the histograms no longer need; to be called every few seconds.
pub fn upkeep(handle: &PrometheusHandle) {
    handle.run_upkeep();
}

/// Counts exchanges of one API, client version and backend. The metrics behind it are looked up once.
#[derive(Debug)]
pub struct Exchanges {
    labels: [Arc<str>; 3],
    /// By hundreds of the status, then by the rest; only hundreds that occur have memory.
    by_status: [OnceLock<Box<[OnceLock<Counter>; 100]>>; 10],
    seconds: OnceLock<Histogram>,
    translate_seconds: OnceLock<Histogram>,
}

impl Exchanges {
    /// A counter with these labels.
    #[must_use]
    pub fn new(api: Arc<str>, client_version: Arc<str>, backend: Arc<str>) -> Self {
        Self {
            labels: [api, client_version, backend],
            by_status: Default::default(),
            seconds: OnceLock::new(),
            translate_seconds: OnceLock::new(),
        }
    }

    /// An exchange ended; a socket lasts as long as it likes, so that how long it took is nothing to record.
    pub fn ended(&self, status: u16, took: Option<Duration>) {
        if let Some(took) = took {
            self.seconds().record(took.as_secs_f64());
        }
        let (hundreds, rest) = (usize::from(status / 100), usize::from(status % 100));
        match self.by_status.get(hundreds) {
            Some(counters) => {
                let counters = counters.get_or_init(|| Box::new([const { OnceLock::new() }; 100]));
                counters[rest].get_or_init(|| self.counter(status)).increment(1);
            }
            None => self.counter(status).increment(1),
        }
    }

    /// A document was translated whole.
    pub fn translated(&self, took: Duration) {
        let [api, ..] = &self.labels;
        let seconds = self.translate_seconds.get_or_init(|| histogram!(TRANSLATE_SECONDS, "api" => Arc::clone(api)));
        seconds.record(took.as_secs_f64());
    }

    /// Something was lost in what was sent.
    pub fn lost(&self, losses: &Losses) {
        let [api, ..] = &self.labels;
        lost(api, losses);
    }

    fn seconds(&self) -> &Histogram {
        let [api, ..] = &self.labels;
        self.seconds.get_or_init(|| histogram!(REQUEST_SECONDS, "api" => Arc::clone(api)))
    }

    fn counter(&self, status: u16) -> Counter {
        let [api, client_version, backend] = self.labels.clone();
        counter!(REQUESTS, "api" => api, "client_version" => client_version, "backend" => backend,
            "status" => status.to_string())
    }
}

/// Counts the exchanges that were refused before a backend was picked.
pub fn refused(api: Option<&Arc<str>>, client_version: Option<&Arc<str>>, status: u16, took: Option<Duration>) {
    let label = |known: Option<&Arc<str>>| known.map_or_else(|| "none".into(), Arc::clone);
    Exchanges::new(label(api), label(client_version), label(None)).ended(status, took);
}

/// A document or message had no translation.
pub fn translate_failure(api: &str, change: Option<&str>, code: &'static str) {
    let change = change.unwrap_or("none").to_owned();
    counter!(TRANSLATE_FAILURES, "api" => api.to_owned(), "change" => change, "code" => code).increment(1);
}

/// Translations have lost something in what was sent.
pub fn lost(api: &str, losses: &Losses) {
    for (lost, count) in losses.iter() {
        let change = lost.change.as_deref().unwrap_or("none").to_owned();
        counter!(LOSSES, "api" => api.to_owned(), "change" => change, "path" => lost.path.to_string()).increment(count);
    }
}

/// A WebSocket message came. `event` is one that a rule names.
pub fn message(api: &str, side: &'static str, event: Option<&str>) {
    let event = event.unwrap_or("other").to_owned();
    counter!(MESSAGES, "api" => api.to_owned(), "side" => side, "event" => event).increment(1);
}

/// Counts the messages that one side of a socket sends. The metrics behind it are looked up once for each event, and told
/// of what has come together at once: other threads write there too.
#[derive(Debug)]
pub struct Messages {
    api: Arc<str>,
    side: &'static str,
    /// By event; no more than rules name, and `other`.
    events: Vec<EventCounters>,
    /// What was lost that the metric has not been told of yet.
    losses: Losses,
}

#[derive(Debug)]
struct EventCounters {
    event: Box<str>,
    all: Counter,
    by_outcome: [OutcomeCounter; 4],
}

#[derive(Debug, Default)]
struct OutcomeCounter {
    /// What the metric has not been told of yet.
    more: u64,
    counter: OnceLock<Counter>,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageOutcome {
    /// It left as it came.
    Passed,
    /// It left changed.
    Translated,
    /// The receiver's version has no such message.
    Dropped,
    /// It has no translation.
    Failed,
}

impl MessageOutcome {
    const ALL: [Self; 4] = [Self::Passed, Self::Translated, Self::Dropped, Self::Failed];

    fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Translated => "translated",
            Self::Dropped => "dropped",
            Self::Failed => "failed",
        }
    }
}

impl Messages {
    /// None yet.
    #[must_use]
    pub fn new(api: Arc<str>, side: &'static str) -> Self {
        Self { api, side, events: Vec::new(), losses: Losses::default() }
    }

    /// A message came. `event` is one that a rule names. The metrics are told of it with the next flush.
    pub fn count(&mut self, event: Option<&str>, outcome: MessageOutcome) {
        let event = event.unwrap_or("other");
        let known = self.events.iter().position(|counters| *counters.event == *event);
        let at = known.unwrap_or_else(|| {
            let all =
                counter!(MESSAGES, "api" => Arc::clone(&self.api), "side" => self.side, "event" => event.to_owned());
            self.events.push(EventCounters { event: event.into(), all, by_outcome: Default::default() });
            self.events.len() - 1
        });
        if let Some(counters) = self.events.get_mut(at) {
            counters.by_outcome[outcome as usize].more += 1;
        }
    }

    /// Something was lost in a message. The metrics are told of it with the next flush.
    pub fn lose(&mut self, losses: &Losses) {
        if !losses.is_empty() {
            self.losses.add(losses.clone());
        }
    }

    /// Tells the metrics of what has been counted.
    pub fn flush(&mut self) {
        lost(&self.api, &std::mem::take(&mut self.losses));
        for counters in &mut self.events {
            for (outcome, by_outcome) in MessageOutcome::ALL.iter().zip(&mut counters.by_outcome) {
                let more = std::mem::take(&mut by_outcome.more);
                if more == 0 {
                    continue;
                }
                counters.all.increment(more);
                let counter = by_outcome.counter.get_or_init(|| {
                    counter!(MESSAGE_OUTCOMES, "api" => Arc::clone(&self.api), "side" => self.side,
                        "event" => counters.event.to_string(), "outcome" => outcome.name())
                });
                counter.increment(more);
            }
        }
    }
}

/// Rules or configuration were loaded again, or could not be.
pub fn reload(result: &'static str) {
    counter!(RELOADS, "result" => result).increment(1);
}

/// An exchange with an endpoint failed.
pub fn backend_failure(api: &str, backend: &str, code: &'static str) {
    counter!(BACKEND_FAILURES, "api" => api.to_owned(), "backend" => backend.to_owned(), "code" => code).increment(1);
}

/// An endpoint was ejected.
pub fn backend_ejected(api: &str, backend: &str) {
    counter!(BACKEND_EJECTIONS, "api" => api.to_owned(), "backend" => backend.to_owned()).increment(1);
}

/// An ejected endpoint is asked, because all are.
pub fn backend_last_resort(api: &str, backend: &str) {
    counter!(BACKEND_LAST_RESORTS, "api" => api.to_owned(), "backend" => backend.to_owned()).increment(1);
}

/// A request was sent again, or was not for want of budget.
pub fn backend_retry(api: &str, backend: &str, why: &'static str) {
    counter!(BACKEND_RETRIES, "api" => api.to_owned(), "backend" => backend.to_owned(), "why" => why).increment(1);
}

/// An active check ended.
pub fn backend_check(api: &str, backend: &str, has_passed: bool) {
    let result = if has_passed { "passed" } else { "failed" };
    counter!(BACKEND_CHECKS, "api" => api.to_owned(), "backend" => backend.to_owned(), "result" => result).increment(1);
}

/// Counts something open for as long as it lives.
#[derive(Debug)]
pub struct Open(&'static str);

impl Drop for Open {
    fn drop(&mut self) {
        gauge!(self.0).decrement(1.0);
    }
}

/// A WebSocket opened.
#[must_use]
pub fn socket() -> Open {
    gauge!(SOCKETS).increment(1.0);
    Open(SOCKETS)
}

/// A client connected.
#[must_use]
pub fn connection() -> Open {
    gauge!(CONNECTIONS).increment(1.0);
    Open(CONNECTIONS)
}

/// A connection of HTTP/2 was closed for what its client sent too much of.
pub fn http2_flood(frames: &'static str) {
    counter!(HTTP2_FLOODS, "frames" => frames).increment(1);
}

/// Access records did not fit into the queue, or could not be written.
pub fn access_records_dropped(count: u64) {
    counter!(ACCESS_RECORDS_DROPPED).increment(count);
}

/// The collector has taken spans.
pub fn spans_exported(count: u64) {
    counter!(SPANS_EXPORTED).increment(count);
}

/// Spans did not fit into the queue, or the collector did not take them.
pub fn spans_dropped(count: u64) {
    counter!(SPANS_DROPPED).increment(count);
}
