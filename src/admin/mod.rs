//! The admin endpoints, on an address of their own.
//!
//! | request | answer |
//! |---|---|
//! | `GET /healthz` | 200 while the process lives |
//! | `GET /readyz` | 200 while requests are accepted, 503 while draining |
//! | `GET /metrics` | Prometheus text |
//! | `GET /api/status` | what is served: generation, rules' hash, APIs, backends, the last reload |
//! | `GET /api/rules` | the rules in force: versions and changes |
//! | `GET /api/usage` | who calls which version, and which change has something to do |
//! | `POST /api/reload` | reloads; 200, or 422 with everything that is wrong |
//!
//! Writes need the token where one is configured, and are refused to pages of other origins always.

mod status;
mod usage;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::listen::Certificates;
use crate::reload::{Handle, Outcome};
use crate::snapshot::Published;
use crate::telemetry::metrics;
use crate::telemetry::usage::Usage;

/// Admin connections at one time.
const CONNECTIONS: usize = 64;
/// How long a request's head may take.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause after an accept that failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What the admin endpoints know.
#[derive(Debug)]
pub struct Admin {
    /// What is served, and the token that writes need.
    pub published: Published,
    /// How to reload.
    pub reload: Handle,
    /// Cancelled when the proxy drains.
    pub draining: CancellationToken,
    /// What renders the metrics.
    pub metrics: PrometheusHandle,
    /// When the proxy started.
    pub started: jiff::Timestamp,
    /// Where clients are accepted.
    pub listening: Vec<SocketAddr>,
    /// Of each of these; `None`: no TLS.
    pub certificates: Vec<Option<Arc<Certificates>>>,
    /// What clients did.
    pub usage: Usage,
}

/// Serves the admin endpoints until told to stop.
pub async fn serve(listener: TcpListener, admin: Admin, stop: CancellationToken) {
    let admin = Arc::new(admin);
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    let tasks = TaskTracker::new();
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
            break;
        };
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let (admin, stop) = (Arc::clone(&admin), stop.clone());
        tasks.spawn(async move {
            stop.run_until_cancelled(connection(stream, admin)).await;
            drop(slot);
        });
    }
    tasks.close();
    tasks.wait().await;
}

async fn connection(stream: TcpStream, admin: Arc<Admin>) {
    let service = service_fn(|request| async { Ok::<_, Infallible>(answer(&admin, request).await) });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    // How a client's connection broke changes nothing here.
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
}

type Answer = Response<Full<Bytes>>;

async fn answer(admin: &Admin, request: Request<Incoming>) -> Answer {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    match (request.uri().path(), request.method()) {
        ("/healthz", _) if is_read => text(StatusCode::OK, "text/plain", "alive\n"),
        ("/readyz", _) if is_read && admin.draining.is_cancelled() => {
            text(StatusCode::SERVICE_UNAVAILABLE, "text/plain", "draining\n")
        }
        ("/readyz", _) if is_read => text(StatusCode::OK, "text/plain", "ready\n"),
        ("/metrics", _) if is_read => {
            let snapshot = admin.published.load();
            let rendered =
                metrics::render(&admin.metrics, &snapshot.hash, snapshot.generation, &snapshot.endpoints_by_state());
            text(StatusCode::OK, "text/plain; version=0.0.4", rendered)
        }
        ("/api/status", _) if is_read => text(StatusCode::OK, "application/json", status::describe(admin)),
        ("/api/rules", _) if is_read => text(StatusCode::OK, "application/json", usage::rules(admin)),
        ("/api/usage", _) if is_read => text(StatusCode::OK, "application/json", usage::describe(admin)),
        ("/api/reload", &Method::POST) => match may_write(admin, request.headers()) {
            Ok(()) => reload(admin).await,
            Err(refused) => *refused,
        },
        ("/api/reload", _) => not_allowed("POST"),
        ("/healthz" | "/readyz" | "/metrics" | "/api/status" | "/api/rules" | "/api/usage", _) => {
            not_allowed("GET, HEAD")
        }
        _ => text(StatusCode::NOT_FOUND, "text/plain", "no such endpoint\n"),
    }
}

async fn reload(admin: &Admin) -> Answer {
    let Some(report) = admin.reload.reload().await else {
        return text(StatusCode::SERVICE_UNAVAILABLE, "text/plain", "the proxy is ending\n");
    };
    let status = match report.outcome {
        Outcome::Published | Outcome::Unchanged => StatusCode::OK,
        Outcome::Failed(_) => StatusCode::UNPROCESSABLE_ENTITY,
    };
    text(status, "application/json", status::report(&report).to_string())
}

/// Whether a request may change something.
fn may_write(admin: &Admin, headers: &HeaderMap) -> Result<(), Box<Answer>> {
    if is_cross_origin(headers) {
        let error = json!({"error": "requests of pages of another origin are refused"});
        return Err(Box::new(text(StatusCode::FORBIDDEN, "application/json", error.to_string())));
    }
    let snapshot = admin.published.load();
    let Some(token) = snapshot.config.admin.as_ref().and_then(|admin| admin.token.as_ref()) else {
        return Ok(());
    };
    let given = headers.get(header::AUTHORIZATION).map_or(&b""[..], HeaderValue::as_bytes);
    if is_equal(given, format!("Bearer {token}").as_bytes()) {
        return Ok(());
    }
    let error = json!({"error": "expected the configured token as `authorization: Bearer <token>`"});
    let mut refused = text(StatusCode::UNAUTHORIZED, "application/json", error.to_string());
    refused.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    Err(Box::new(refused))
}

/// Whether a browser sent this for a page that is not of this server.
fn is_cross_origin(headers: &HeaderMap) -> bool {
    let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_ascii_lowercase();
    let Some(origin) = headers.get(header::ORIGIN).map(text) else {
        return false;
    };
    let host = headers.get(header::HOST).map(text).unwrap_or_default();
    origin.split_once("://").map(|(_, authority)| authority) != Some(host.as_str())
}

/// Compares in a time that does not say where two secrets differ.
fn is_equal(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |different, (x, y)| different | (x ^ y)) == 0
}

fn not_allowed(allow: &'static str) -> Answer {
    let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "method not allowed\n");
    refused.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
    refused
}

fn text(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_other_origins_are_told_apart() {
        let cases = [
            (None, false),
            (Some("http://127.0.0.1:9900"), false),
            (Some("http://127.0.0.1:9901"), true),
            (Some("https://evil.example"), true),
            (Some("null"), true),
        ];
        for (origin, want) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static("127.0.0.1:9900"));
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
            }
            assert_eq!(is_cross_origin(&headers), want, "{origin:?}");
        }
    }

    #[test]
    fn secrets_are_equal_or_not() {
        assert!(is_equal(b"abc", b"abc"));
        assert!(!is_equal(b"abc", b"abd"));
        assert!(!is_equal(b"abc", b"ab"));
    }
}
