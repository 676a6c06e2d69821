//! Traces: which one a request belongs to, and spans of what the proxy did for it.
//!
//! A valid `traceparent` passes on as it is unless the proxy has spans of its own in the trace; then the backend is told
//! the proxy's. Whether it has is decided by the client's `traceparent` where there is one, else by a share.

mod context;
mod export;
mod otlp;

use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

use http::HeaderMap;
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::context::Parent;
use self::export::{Collector, Spans};
use self::otlp::Span;
use super::access_log::Record;
use super::metrics;
use crate::config::{Share, Tracing};

/// Exchanges whose spans wait to be handed over.
const QUEUE: usize = 2048;

/// Who hands spans over, and when it has to come to an end.
#[derive(Debug, Clone, Default)]
pub struct Exports {
    tasks: TaskTracker,
    ending: CancellationToken,
}

impl Exports {
    /// Hands over what waits and ends, or gives up after `limit`.
    pub async fn end(&self, limit: Duration) {
        self.ending.cancel();
        self.tasks.close();
        let _ = tokio::time::timeout(limit, self.tasks.wait()).await;
    }
}

/// Makes spans of exchanges.
#[derive(Clone)]
pub struct Tracer {
    queue: mpsc::Sender<Spans>,
    sample: Share,
}

impl fmt::Debug for Tracer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracer").field("sample", &self.sample).finish_non_exhaustive()
    }
}

impl Tracer {
    /// Starts to hand spans over, until the last clone is dropped.
    ///
    /// # Errors
    /// Files of `tls` that cannot be read or used, for a person.
    pub fn start(config: &Tracing, exports: &Exports) -> Result<Self, String> {
        let collector = Collector::try_new(config, exports.ending.clone())?;
        let (queue, spans) = mpsc::channel(QUEUE);
        exports.tasks.spawn(collector.run(spans));
        Ok(Self { queue, sample: config.sample })
    }
}

/// Whether spans could be handed over as a configuration says, without connecting.
///
/// # Errors
/// As those of [`Tracer::start`].
pub fn check(config: &Tracing) -> Result<(), String> {
    Collector::try_new(config, CancellationToken::new()).map(drop)
}

/// One exchange that has spans.
#[derive(Debug)]
pub struct Trace {
    tracer: Tracer,
    id: [u8; 16],
    parent: Option<[u8; 8]>,
    server: [u8; 8],
    client: [u8; 8],
    /// When the backend was asked, and when it had answered.
    asked: Option<Instant>,
    answered: Option<(Instant, u16, String)>,
}

/// Reads and mends what a request's headers say about its trace. Where the exchange has spans, the headers say so from
/// then on.
pub fn begin(tracer: Option<&Tracer>, headers: &mut HeaderMap) -> Option<Box<Trace>> {
    let parent = context::accept(headers);
    let tracer = tracer?;
    let is_sampled = match &parent {
        Some(parent) => parent.is_sampled(),
        None => random() % u64::from(Share::WHOLE) < u64::from(tracer.sample.millionths()),
    };
    if !is_sampled {
        return None;
    }
    let id = parent.as_ref().map_or_else(new_trace, |parent| parent.trace);
    let (server, client) = (new_span(), new_span());
    context::say_on(headers, id, client, parent.as_ref());
    let parent = parent.map(|parent: Parent| parent.span);
    Some(Box::new(Trace { tracer: tracer.clone(), id, parent, server, client, asked: None, answered: None }))
}

impl Trace {
    /// The backend is asked now.
    pub fn ask(&mut self) {
        self.asked = Some(Instant::now());
    }

    /// The backend's endpoint has answered.
    pub fn answer(&mut self, status: u16, endpoint: String) {
        self.answered = Some((Instant::now(), status, endpoint));
    }

    /// Hands the spans in. Those for which there is no room are lost, and counted.
    pub fn end(self, record: &Record) {
        let now = (Instant::now(), Timestamp::now());
        let mut spans = vec![self.server_span(record, now)];
        spans.extend(self.client_span(record, now));
        let count = spans.len() as u64;
        if self.tracer.queue.try_send(spans).is_err() {
            metrics::spans_dropped(count);
        }
    }

    fn span(&self, id: [u8; 8], kind: i32, record: &Record, from: u64, to: u64) -> Span {
        let method = record.method.as_str();
        let route = record.call.as_deref().and_then(|call| call.split_once(' ')).map(|(_, route)| route);
        let mut span = Span::default();
        span.trace = self.id.to_vec();
        span.id = id.to_vec();
        span.name = route.map_or_else(|| method.to_owned(), |route| format!("{method} {route}"));
        span.kind = kind;
        (span.start_time_unix_nano, span.end_time_unix_nano) = (from, to);
        span.text("http.request.method", method);
        let named = [
            ("legato.api", record.api.as_deref()),
            ("legato.client_version", record.client_version.as_deref()),
            ("legato.backend", record.backend.as_deref()),
            ("legato.backend_version", record.backend_version.as_deref()),
        ];
        for (key, value) in named {
            if let Some(value) = value {
                span.text(key, value);
            }
        }
        if let (Some(route), otlp::SERVER) = (route, kind) {
            span.text("http.route", route);
        }
        span
    }

    fn server_span(&self, record: &Record, now: (Instant, Timestamp)) -> Span {
        let ended = record.started + record.took;
        let mut span = self.span(self.server, otlp::SERVER, record, unix(record.started, now), unix(ended, now));
        span.parent = self.parent.map(|parent| parent.to_vec()).unwrap_or_default();
        span.text("url.path", record.target.as_str());
        span.text("url.scheme", if record.is_tls { "https" } else { "http" });
        span.text("network.protocol.version", protocol(record.protocol));
        span.text("client.address", record.peer.ip().to_canonical().to_string());
        span.number("http.response.status_code", record.status);
        if let Some(failure) = record.failure {
            span.text("legato.failure", failure);
        }
        // A client's own errors are none of the server's.
        if record.status >= 500 || record.failure.is_some() && record.status < 400 {
            span.fail(record.failure.map_or_else(|| record.status.to_string(), str::to_owned));
        }
        span
    }

    fn client_span(&self, record: &Record, now: (Instant, Timestamp)) -> Option<Span> {
        let asked = self.asked?;
        let ended = self.answered.as_ref().map_or(record.started + record.took, |(at, ..)| *at);
        let mut span = self.span(self.client, otlp::CLIENT, record, unix(asked, now), unix(ended, now));
        span.parent = self.server.to_vec();
        match &self.answered {
            Some((_, status, endpoint)) => {
                let (host, port) = endpoint.rsplit_once(':').unwrap_or((endpoint, "80"));
                span.text("server.address", host);
                span.number("server.port", port.parse::<u16>().unwrap_or(80));
                span.number("http.response.status_code", *status);
                if *status >= 400 {
                    span.fail(status.to_string());
                }
            }
            None => span.fail(record.failure.unwrap_or("no_response")),
        }
        Some(span)
    }
}

fn protocol(version: http::Version) -> &'static str {
    match version {
        http::Version::HTTP_10 => "1.0",
        http::Version::HTTP_2 => "2",
        _ => "1.1",
    }
}

/// A moment in nanoseconds since 1970, by the clock that may be set as it is now.
fn unix(moment: Instant, (now, time): (Instant, Timestamp)) -> u64 {
    let ago = now.saturating_duration_since(moment).as_nanos();
    u64::try_from(time.as_nanosecond()).unwrap_or_default().saturating_sub(u64::try_from(ago).unwrap_or_default())
}

fn new_trace() -> [u8; 16] {
    (u128::from(random()) << 64 | u128::from(random()) | 1).to_be_bytes()
}

fn new_span() -> [u8; 8] {
    // Zero is no span.
    random().max(1).to_be_bytes()
}

/// 64 random bits: the standard library keeps a key from the operating system for hashing, and another hasher each
/// time.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// An error with its causes, in one line.
fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |e| e.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
