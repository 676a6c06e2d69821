//! Endpoints that fail: how soon nobody asks them any more, and when they are asked again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::time::Duration;

use legato_proxy::config::{Checks, Retries};

use crate::support::backend::Backend;
use crate::support::eventually;
use crate::support::proxy::TestProxy;
use crate::support::wire::Wire;

const GET: &str = "GET / HTTP/1.1\r\nhost: h\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\n\r\nabc";
const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// What `/api/status` says of each endpoint.
async fn endpoints(proxy: &TestProxy) -> serde_json::Value {
    let status = proxy.admin().await.ask("GET /api/status HTTP/1.1\r\nhost: h\r\n\r\n").await.json();
    status["apis"][0]["backends"][0]["endpoints"].clone()
}

#[tokio::test]
async fn a_backend_that_keeps_failing_is_given_time() {
    let proxy = TestProxy::before(Backend::nobody().await).await;
    let mut client = proxy.client().await;
    for _ in 0..5 {
        let got = client.ask(GET).await;
        assert_eq!((got.status(), got.problem().as_str()), (502, "unreachable"));
    }
    // One request a second is tried all the same.
    let mut got = client.ask(GET).await;
    while got.status() == 502 {
        got = client.ask(GET).await;
    }
    assert_eq!((got.status(), got.problem().as_str()), (503, "all_ejected"));
    assert_eq!(got.header("retry-after"), Some("1"));
    let status = endpoints(&proxy).await;
    assert_eq!((status[0]["state"].as_str(), status[0]["ejections"].as_u64()), (Some("ejected"), Some(1)));
    assert_eq!(status[0]["last_failure"]["code"], "unreachable");
    let metrics = proxy.admin().await.ask("GET /metrics HTTP/1.1\r\nhost: h\r\n\r\n").await;
    assert!(metrics.text().contains("legato_backend_endpoints{state=\"ejected\"} 1\n"), "{}", metrics.text());
}

#[tokio::test]
async fn a_backend_that_is_back_is_asked_before_its_time() {
    let (one, other) = (Backend::nobody().await, Backend::nobody().await);
    let proxy = TestProxy::start(&[one, other], |_| {}).await;
    let mut client = proxy.client().await;
    // Both fail, one longer than the other.
    while client.ask(GET).await.status() == 502 {}
    let _back = Backend::answering_at(other, OK).await;
    eventually("an answer", async || proxy.client().await.ask(GET).await.status() == 200).await;
    for _ in 0..10 {
        assert_eq!(client.ask(GET).await.status(), 200);
    }
    let status = endpoints(&proxy).await;
    assert_eq!((&status[0]["state"], &status[1]["state"]), (&"ejected".into(), &"healthy".into()), "{status}");
    assert!(status[1]["last_resorts"].as_u64() >= Some(1), "{status}");
    let metrics = proxy.admin().await.ask("GET /metrics HTTP/1.1\r\nhost: h\r\n\r\n").await;
    assert!(metrics.text().contains("legato_backend_last_resorts_total{api=\"chat\",backend=\"legacy\"}"));
}

#[tokio::test]
async fn no_client_notices_that_one_of_two_endpoints_is_dead() {
    let echo = Backend::echo().await;
    let proxy = TestProxy::start(&[Backend::nobody().await, echo.address], |_| {}).await;
    let mut client = proxy.client().await;
    for request in [GET, POST].into_iter().cycle().take(40) {
        assert_eq!(client.ask(request).await.status(), 200);
    }
    assert_eq!(endpoints(&proxy).await[0]["state"], "ejected");
}

#[tokio::test]
async fn without_retries_a_failure_is_told() {
    let echo = Backend::echo().await;
    let none = |c: &mut legato_proxy::config::Config| {
        c.apis[0].backends[0].retries = Retries { attempts: 0, ..Retries::default() };
    };
    let proxy = TestProxy::start(&[Backend::nobody().await, echo.address], none).await;
    let mut client = proxy.client().await;
    let statuses = [client.ask(GET).await.status(), client.ask(GET).await.status()];
    assert!(statuses.contains(&502) && statuses.contains(&200), "{statuses:?}");
}

/// A backend that answers every other request and closes the connection at each of the others.
async fn answering_every_other() -> (Backend, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let backend = Backend::scripted(move |mut wire: Wire| {
        let asked = Arc::clone(&counted);
        async move {
            while wire.try_message().await.is_some() {
                if asked.fetch_add(1, Ordering::SeqCst).is_multiple_of(2) || wire.try_send(OK).await.is_err() {
                    return;
                }
            }
        }
    })
    .await;
    (backend, asked)
}

#[tokio::test]
async fn retries_have_a_budget() {
    let (backend, asked) = answering_every_other().await;
    let proxy = TestProxy::before(backend.address).await;
    let mut client = proxy.client().await;
    let mut good = 0;
    for _ in 0..200 {
        good += usize::from(client.ask(GET).await.status() == 200);
    }
    let again = asked.load(Ordering::SeqCst) - 200;
    assert!((45..=50).contains(&again), "{again} of 200 were sent again");
    assert!(good > 100, "{good}");
}

#[tokio::test]
async fn a_post_that_was_not_answered_is_not_sent_again() {
    let (backend, asked) = answering_every_other().await;
    let proxy = TestProxy::before(backend.address).await;
    let got = proxy.client().await.ask(POST).await;
    assert_eq!((got.status(), got.problem().as_str()), (502, "bad_response"));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn what_a_backend_says_of_itself_is_passed_on() {
    let backend = Backend::answering("HTTP/1.1 503 Busy\r\nretry-after: 7\r\ncontent-length: 4\r\n\r\nbusy").await;
    let proxy = TestProxy::before(backend.address).await;
    let mut client = proxy.client().await;
    for _ in 0..20 {
        let got = client.ask(GET).await;
        assert_eq!((got.status(), got.header("retry-after"), got.text()), (503, Some("7"), "busy"));
    }
}

#[tokio::test]
async fn checks_take_an_endpoint_out_and_bring_it_back() {
    let status = Arc::new(AtomicU16::new(200));
    let told = Arc::clone(&status);
    let backend = Backend::scripted(move |mut wire: Wire| {
        let status = Arc::clone(&told);
        async move {
            while let Some(request) = wire.try_message().await {
                let code = if request.start.contains(" /up ") { status.load(Ordering::SeqCst) } else { 200 };
                if wire.try_send(format!("HTTP/1.1 {code} X\r\ncontent-length: 2\r\n\r\nok")).await.is_err() {
                    return;
                }
            }
        }
    })
    .await;
    let every = Duration::from_millis(20);
    let checks = Checks { path: "/up".into(), every, timeout: Duration::from_secs(5), healthy: 2, unhealthy: 3 };
    let proxy = TestProxy::start(&[backend.address], |c| c.apis[0].backends[0].checks = Some(checks)).await;
    assert_eq!(proxy.client().await.ask(GET).await.status(), 200);
    status.store(500, Ordering::SeqCst);
    eventually("the check fails", async || proxy.client().await.ask(GET).await.status() == 503).await;
    let down = endpoints(&proxy).await;
    assert_eq!(down[0]["state"], "unhealthy");
    assert!(down[0]["last_failure"]["reason"].as_str().unwrap().contains("answered with 500"), "{down}");
    status.store(204, Ordering::SeqCst);
    eventually("the check passes", async || proxy.client().await.ask(GET).await.status() == 200).await;
}

#[tokio::test]
async fn a_name_without_an_address_is_a_backend_that_cannot_be_reached() {
    let somewhere: SocketAddr = ([127, 0, 0, 1], 1).into();
    // No label of a name is as long as this one, so that no server has to be asked.
    let name = format!("{}.example:80", "x".repeat(64));
    let proxy = TestProxy::start(&[somewhere], |c| {
        c.apis[0].backends[0].endpoints[0].authority = name.parse().unwrap();
    })
    .await;
    let got = proxy.client().await.ask(GET).await;
    assert_eq!((got.status(), got.problem().as_str()), (502, "unreachable"));
    let status = endpoints(&proxy).await;
    assert!(status[0]["last_failure"]["reason"].as_str().unwrap().contains("cannot resolve"), "{status}");
}

#[tokio::test]
async fn a_name_leads_to_its_address() {
    let echo = Backend::echo().await;
    let proxy = TestProxy::start(&[echo.address], |c| {
        let name = format!("localhost:{}", echo.address.port());
        c.apis[0].backends[0].endpoints[0].authority = name.parse().unwrap();
    })
    .await;
    assert_eq!(proxy.client().await.ask(POST).await.text(), "abc");
}
