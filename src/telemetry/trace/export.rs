//! Handing spans to a collector: OTLP over HTTP, in batches, again where it says that later may do.
//!
//! Requests never wait for the collector. Spans wait in a bounded queue; those that do not fit, or that the collector
//! does not take, are counted and dropped.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use prost::Message as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::otlp::{self, Span};
use crate::config::{Scheme, Tracing};
use crate::telemetry::log::{self, Level};
use crate::telemetry::metrics;
use crate::tls;

/// Spans of one request to the collector.
const BATCH: usize = 512;
/// How long the first span of a batch waits for others.
const DELAY: Duration = Duration::from_secs(1);
/// How long the collector has to answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long it has once the proxy ends.
const LAST_TIMEOUT: Duration = Duration::from_secs(2);
/// How often a batch is sent at most.
const ATTEMPTS: u32 = 5;
/// After how much a batch is sent again, the first time and at most.
const BACK_OFF: Duration = Duration::from_secs(1);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(30);
/// Bytes of an answer that are read.
const ANSWER: usize = 64 * 1024;

/// What one exchange hands in.
pub(super) type Spans = Vec<Span>;

/// Hands spans over until there are no more senders, or `ending` and nothing is left.
pub(super) async fn run(config: Tracing, mut queue: mpsc::Receiver<Spans>, ending: CancellationToken) {
    let scheme = if config.scheme == Scheme::Https { "https" } else { "http" };
    let address = format!("{scheme}://{}{}", config.collector, config.path).parse().unwrap_or_default();
    let mut collector = Collector { client: None, address, ending: ending.clone() };
    loop {
        let first = tokio::select! {
            biased;
            first = queue.recv() => first,
            () = ending.cancelled() => None,
        };
        let Some(mut batch) = first else { return };
        let until = Instant::now() + DELAY;
        while batch.len() < BATCH {
            let next = tokio::select! {
                biased;
                next = timeout_at(until, queue.recv()) => next,
                () = ending.cancelled() => break,
            };
            match next {
                Ok(Some(more)) => batch.extend(more),
                Ok(None) | Err(_) => break,
            }
        }
        while batch.len() < BATCH
            && let Ok(more) = queue.try_recv()
        {
            batch.extend(more);
        }
        collector.send(batch).await;
    }
}

/// Where spans go.
struct Collector {
    /// Made when it is first needed.
    client: Option<Client<HttpsConnector<HttpConnector>, Full<Bytes>>>,
    address: Uri,
    ending: CancellationToken,
}

/// What became of an attempt.
enum Outcome {
    Taken,
    /// Not now; how long to wait, where the collector says so.
    Later(Option<Duration>, String),
    Refused(String),
}

impl Collector {
    async fn send(&mut self, batch: Vec<Span>) {
        let count = batch.len() as u64;
        let body = Bytes::from(otlp::request(batch));
        for attempt in 0..ATTEMPTS {
            match self.ask(body.clone(), count).await {
                Outcome::Taken => return,
                Outcome::Refused(why) => return lose(count, &why),
                Outcome::Later(_, why) if attempt + 1 == ATTEMPTS || self.ending.is_cancelled() => {
                    return lose(count, &why);
                }
                Outcome::Later(wait, _) => {
                    let wait = wait.unwrap_or_else(|| back_off(attempt, super::random()));
                    // When the proxy ends there is one more attempt, at once.
                    tokio::select! { () = sleep(wait) => {}, () = self.ending.cancelled() => {} }
                }
            }
        }
    }

    /// What connects; the system's certificates may be there later where they are not now.
    fn client(&mut self) -> Result<Client<HttpsConnector<HttpConnector>, Full<Bytes>>, String> {
        if let Some(client) = &self.client {
            return Ok(client.clone());
        }
        let is_needed = self.address.scheme_str() == Some("https");
        let config = tls_config(is_needed).map_err(|e| e.to_string())?;
        let connector = HttpsConnectorBuilder::new().with_tls_config(config);
        let client = Client::builder(TokioExecutor::new()).build(connector.https_or_http().enable_http1().build());
        Ok(self.client.insert(client).clone())
    }

    async fn ask(&mut self, body: Bytes, count: u64) -> Outcome {
        let request = Request::post(self.address.clone()).header(CONTENT_TYPE, "application/x-protobuf");
        let Ok(request) = request.body(Full::new(body)) else { return Outcome::Refused("no request".to_owned()) };
        let limit = if self.ending.is_cancelled() { LAST_TIMEOUT } else { TIMEOUT };
        let client = match self.client() {
            Ok(client) => client,
            Err(why) => return Outcome::Later(None, why),
        };
        let asked = timeout(limit, async {
            let response = client.request(request).await.map_err(|e| super::causes(&e))?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, ANSWER).collect().await.map(http_body_util::Collected::to_bytes);
            Ok::<_, String>((head.status, retry_after(&head.headers), body.unwrap_or_default()))
        });
        match asked.await {
            Ok(Ok((status, _, body))) if status.is_success() => {
                taken(&body, count);
                Outcome::Taken
            }
            Ok(Ok((status, wait, _))) if may_retry(status) => Outcome::Later(wait, format!("it answered {status}")),
            Ok(Ok((status, ..))) => Outcome::Refused(format!("it answered {status}")),
            Ok(Err(why)) => Outcome::Later(None, why),
            Err(_) => Outcome::Later(None, "it did not answer in time".to_owned()),
        }
    }
}

/// What a collector has to prove; one of `http://` has nothing to.
fn tls_config(is_needed: bool) -> Result<ClientConfig, rustls::Error> {
    let builder = ClientConfig::builder_with_provider(tls::provider()).with_safe_default_protocol_versions()?;
    if !is_needed {
        return Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth());
    }
    Ok(builder.dangerous().with_custom_certificate_verifier(tls::system()?).with_no_client_auth())
}

/// The collector may have taken a part only (OTLP/HTTP, partial success). What it did not take is not sent again.
fn taken(body: &[u8], count: u64) {
    let partial = otlp::Response::decode(body).ok().and_then(|response| response.partial_success);
    let rejected = partial.as_ref().map_or(0, |partial| partial.rejected_spans).max(0).unsigned_abs().min(count);
    metrics::spans_exported(count - rejected);
    if let Some(partial) = partial.filter(|partial| partial.rejected_spans > 0 || !partial.error_message.is_empty()) {
        lose(rejected, &format!("it says {:?}", partial.error_message));
    }
}

fn lose(count: u64, why: &str) {
    metrics::spans_dropped(count);
    log::line(Level::Warn, &format!("the collector did not take {count} spans: {why}"));
}

/// OTLP/HTTP, retryable response codes.
fn may_retry(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502 | 503 | 504)
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_BACK_OFF))
}

/// Twice as long each time, and up to half as much more or less at random.
fn back_off(attempt: u32, random: u64) -> Duration {
    let base = (BACK_OFF * 2u32.saturating_pow(attempt)).min(LONGEST_BACK_OFF);
    base / 2 + base / 1000 * u32::try_from(random % 1000).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_have_an_end() {
        let seconds = |attempt, random| back_off(attempt, random).as_secs_f64();
        assert!((seconds(0, 0) - 0.5).abs() < 0.01 && (seconds(0, 999) - 1.5).abs() < 0.01);
        assert!((seconds(3, 500) - 8.0).abs() < 0.01);
        assert!(seconds(31, 999) <= 45.0);
    }
}
