//! Connections to backends: which are used again, when a request is sent twice, and what it takes for it not to be.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use legato_proxy::config::Protocol;

use crate::support::backend::Backend;
use crate::support::proxy::TestProxy;
use crate::support::wire::Wire;

const GET: &str = "GET / HTTP/1.1\r\nhost: h\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// Counts connections and requests.
#[derive(Clone, Default)]
struct Counts(Arc<[AtomicUsize; 2]>);

impl Counts {
    /// Adds a connection; its number, from 1.
    fn connection(&self) -> usize {
        self.0[0].fetch_add(1, Ordering::SeqCst) + 1
    }

    fn request(&self) {
        self.0[1].fetch_add(1, Ordering::SeqCst);
    }

    /// Connections and requests so far.
    fn both(&self) -> (usize, usize) {
        (self.0[0].load(Ordering::SeqCst), self.0[1].load(Ordering::SeqCst))
    }
}

/// A backend that answers as many requests on each connection, and closes it when it has read one more.
async fn answering_only(most: usize) -> (Backend, Counts) {
    let counts = Counts::default();
    let counted = counts.clone();
    let backend = Backend::scripted(move |mut wire: Wire| {
        let counts = counted.clone();
        async move {
            counts.connection();
            for _ in 0..most {
                let Some(_) = wire.try_message().await else { return };
                counts.request();
                wire.send(OK).await;
            }
            if wire.try_message().await.is_some() {
                counts.request();
            }
        }
    })
    .await;
    (backend, counts)
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let (backend, counts) = answering_only(100).await;
    let proxy = TestProxy::before(backend.address).await;
    let mut client = proxy.client().await;
    for request in
        [GET, "POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\n\r\nabc", "HEAD / HTTP/1.1\r\nhost: h\r\n\r\n"]
    {
        assert_eq!(client.ask(request).await.status(), 200);
    }
    // The answer to HEAD has no body, and this backend sends one all the same: nobody may take it for an answer.
    assert_eq!(client.ask(GET).await.text(), "ok");
    assert_eq!(counts.both(), (2, 4));
}

#[tokio::test]
async fn a_request_is_repeated_once_where_a_reused_connection_ends() {
    let (backend, counts) = answering_only(1).await;
    let proxy = TestProxy::before(backend.address).await;
    let mut client = proxy.client().await;
    assert_eq!(client.ask(GET).await.text(), "ok");
    assert_eq!(client.ask(GET).await.text(), "ok");
    assert_eq!(counts.both(), (2, 3));
    // What may have been carried out is not sent again, and neither is a body that has been.
    for request in ["POST / HTTP/1.1\r\nhost: h\r\n\r\n", "PUT / HTTP/1.1\r\nhost: h\r\ncontent-length: 1\r\n\r\nx"] {
        let got = client.ask(request).await;
        assert_eq!((got.status(), got.problem().as_str()), (502, "bad_response"), "{request}");
        assert_eq!(client.ask(GET).await.text(), "ok");
    }
    assert_eq!(counts.both(), (4, 7));
}

#[tokio::test]
async fn a_request_is_sent_again_once_where_a_new_connection_ends() {
    let (backend, counts) = answering_only(0).await;
    let proxy = TestProxy::before(backend.address).await;
    let got = proxy.client().await.ask(GET).await;
    assert_eq!((got.status(), got.problem().as_str()), (502, "bad_response"));
    assert_eq!(counts.both(), (2, 2));
}

#[tokio::test]
async fn what_a_backend_sends_unasked_is_no_answer() {
    let counts = Counts::default();
    let counted = counts.clone();
    let backend = Backend::scripted(move |mut wire: Wire| {
        let counts = counted.clone();
        async move {
            counts.connection();
            while wire.try_message().await.is_some() {
                wire.send(format!("{OK}HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison")).await;
            }
        }
    })
    .await;
    let proxy = TestProxy::before(backend.address).await;
    let mut client = proxy.client().await;
    for connections in 1..4 {
        assert_eq!(client.ask(GET).await.text(), "ok");
        assert_eq!(counts.both().0, connections);
    }
}

#[tokio::test]
async fn requests_share_a_connection_of_http2() {
    let backend = Backend::echo().await;
    let relay = Relay::before(backend).await;
    let proxy = TestProxy::start(&[relay.backend.address], |c| {
        c.workers = Some(1);
        c.apis[0].backends[0].protocol = Protocol::H2;
    })
    .await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        let mut client = proxy.client().await;
        client.send("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\n\r\nabc").await;
        clients.push(client);
    }
    for client in &mut clients {
        let got = client.message().await;
        assert_eq!((got.text(), got.header("x-version")), ("abc", Some("HTTP/2.0")));
    }
    assert_eq!(relay.counts.both().0, 1);
}

/// A backend before another that counts its connections.
struct Relay {
    backend: Backend,
    counts: Counts,
    _behind: Backend,
}

impl Relay {
    async fn before(behind: Backend) -> Self {
        let counts = Counts::default();
        let (counted, address) = (counts.clone(), behind.address);
        let backend = Backend::scripted(move |mut wire: Wire| {
            counted.connection();
            async move {
                let mut behind = Wire::connect(address).await;
                let _ = tokio::io::copy_bidirectional(&mut wire.stream, &mut behind.stream).await;
            }
        })
        .await;
        Self { backend, counts, _behind: behind }
    }
}
