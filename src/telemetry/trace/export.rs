//! Handing spans to a collector: OTLP over HTTP, in batches, again where it says that later may do.
//!
//! Requests never wait for the collector. Spans wait in a bounded queue; those that do not fit, or that the collector
//! does not take, are counted and dropped.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use prost::Message as _;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::otlp::{self, Span};
use crate::config::{ClientTls, Scheme, Tracing};
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

/// Where spans go.
pub(super) struct Collector {
    address: Uri,
    tls: ClientTls,
    /// Made again after each attempt that was not answered, since the files of `tls` may have changed.
    client: Option<HttpClient>,
    /// Whether the last attempt failed, which has been said then.
    is_failing: bool,
    ending: CancellationToken,
}

type HttpClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// What became of an attempt.
enum Outcome {
    Taken,
    /// Not now; how long to wait, where the collector says so.
    Later(Option<Duration>, String),
    Refused(String),
}

impl Collector {
    /// A collector that nothing is sent to yet.
    ///
    /// # Errors
    /// Files of `tls` that cannot be read or used, for a person.
    pub(super) fn try_new(config: &Tracing, ending: CancellationToken) -> Result<Self, String> {
        let scheme = if config.scheme == Scheme::Https { "https" } else { "http" };
        let address = format!("{scheme}://{}{}", config.collector, config.path);
        let address = address.parse().map_err(|e| format!("tracing: {address}: {e}"))?;
        tls::Client::read(&config.tls)?;
        Ok(Self { address, tls: config.tls.clone(), client: None, is_failing: false, ending })
    }

    /// Hands spans over until there are no more senders, or `ending` and nothing is left.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Spans>) {
        while let Some(batch) = self.batch(&mut queue).await {
            self.send(batch).await;
        }
    }

    /// The spans of one request: those that wait, and those that come shortly after the first.
    async fn batch(&self, queue: &mut mpsc::Receiver<Spans>) -> Option<Spans> {
        let mut batch = tokio::select! {
            biased;
            first = queue.recv() => first,
            () = self.ending.cancelled() => None,
        }?;
        let until = Instant::now() + DELAY;
        while batch.len() < BATCH {
            let next = tokio::select! {
                biased;
                next = timeout_at(until, queue.recv()) => next,
                () = self.ending.cancelled() => break,
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
        Some(batch)
    }

    async fn send(&mut self, batch: Vec<Span>) {
        let count = batch.len() as u64;
        let body = Bytes::from(otlp::request(batch));
        for attempt in 0..ATTEMPTS {
            let limit = if self.ending.is_cancelled() { LAST_TIMEOUT } else { TIMEOUT };
            match self.ask(body.clone(), count, limit).await {
                Outcome::Taken => {
                    self.is_failing = false;
                    return;
                }
                Outcome::Refused(why) => return lose(count, &why),
                Outcome::Later(_, why) if attempt + 1 == ATTEMPTS || self.ending.is_cancelled() => {
                    return lose(count, &why);
                }
                Outcome::Later(wait, why) => {
                    if !std::mem::replace(&mut self.is_failing, true) {
                        log::line(Level::Warn, &format!("tracing: the collector takes no spans at present: {why}"));
                    }
                    let wait = wait.unwrap_or_else(|| back_off(attempt, super::random()));
                    // When the proxy ends there is one more attempt, at once.
                    tokio::select! { () = sleep(wait) => {}, () = self.ending.cancelled() => {} }
                }
            }
        }
    }

    fn client(&mut self) -> Result<HttpClient, String> {
        if let Some(client) = &self.client {
            return Ok(client.clone());
        }
        let client = connecting(&self.address, &self.tls)?;
        Ok(self.client.insert(client).clone())
    }

    async fn ask(&mut self, body: Bytes, count: u64, limit: Duration) -> Outcome {
        let request = Request::post(self.address.clone()).header(CONTENT_TYPE, "application/x-protobuf");
        let Ok(request) = request.body(Full::new(body)) else { return Outcome::Refused("no request".to_owned()) };
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
        let answered = asked.await.unwrap_or_else(|_| Err("it did not answer in time".to_owned()));
        match answered {
            Ok((status, _, body)) if status.is_success() => {
                taken(&body, count);
                Outcome::Taken
            }
            Ok((status, wait, _)) if may_retry(status) => Outcome::Later(wait, format!("it answered {status}")),
            Ok((status, ..)) => Outcome::Refused(format!("it answered {status}")),
            Err(why) => {
                self.client = None;
                Outcome::Later(None, why)
            }
        }
    }
}

/// What asks a collector.
fn connecting(address: &Uri, tls: &ClientTls) -> Result<HttpClient, String> {
    let is_secure = address.scheme() == Some(&http::uri::Scheme::HTTPS);
    let config =
        if is_secure { tls::Client::read(tls).map_err(|e| format!("\n{e}"))?.config(&[]) } else { trusting_nobody() };
    let config = config.map_err(|e| format!("the system trusts no certificates: {e}; set `tls.ca`"))?;
    let mut connector = HttpsConnectorBuilder::new().with_tls_config(config).https_or_http();
    if let Some(name) = &tls.server_name {
        let name = ServerName::try_from(name.clone()).map_err(|e| format!("{name}: {e}"))?;
        connector = connector.with_server_name_resolver(FixedServerNameResolver::new(name));
    }
    Ok(Client::builder(TokioExecutor::new()).build(connector.enable_http1().build()))
}

/// For a collector of `http://`, that nothing has to be known of.
fn trusting_nobody() -> Result<ClientConfig, rustls::Error> {
    let builder = ClientConfig::builder_with_provider(tls::provider()).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
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
    log::line(Level::Warn, &format!("tracing: the collector did not take {count} spans: {why}"));
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

    #[tokio::test]
    async fn a_collector_that_does_not_answer_is_connected_to_anew() {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut collector = Collector {
            address: format!("http://{}/v1/traces", silent.local_addr().unwrap()).parse().unwrap(),
            tls: ClientTls::default(),
            client: None,
            is_failing: false,
            ending: CancellationToken::new(),
        };
        let outcome = collector.ask(Bytes::new(), 0, Duration::from_millis(20)).await;
        assert!(matches!(outcome, Outcome::Later(None, why) if why == "it did not answer in time"));
        assert!(collector.client.is_none());
    }
}
