//! Backends over TLS: whom the proxy trusts, who it is itself, and what it says when that does not fit.

use std::fs;
use std::path::Path;

use legato_proxy::config::{ClientTls, Protocol, Scheme};
use rcgen::CertificateParams;
use tempfile::TempDir;

use crate::support::backend::Backend;
use crate::support::eventually;
use crate::support::proxy::TestProxy;
use crate::support::tls::{Authority, secured};
use crate::support::{socket, within};

const POST: &str = "POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\n\r\nabc";

fn write(directory: &TempDir, name: &str, text: &str) -> std::path::PathBuf {
    let path = directory.path().join(name);
    fs::write(&path, text).unwrap();
    path
}

/// A proxy before an endpoint of `https://localhost`.
async fn proxy(backend: &Backend, protocol: Protocol, tls: ClientTls) -> TestProxy {
    TestProxy::start(&[backend.address], |c| {
        let config = &mut c.apis[0].backends[0];
        config.endpoints[0].scheme = Scheme::Https;
        config.endpoints[0].authority = format!("localhost:{}", backend.address.port()).parse().unwrap();
        (config.protocol, config.tls) = (protocol, tls);
    })
    .await
}

fn trusting(ca: &Path) -> ClientTls {
    ClientTls { ca: Some(ca.to_owned().into()), ..ClientTls::default() }
}

#[tokio::test]
async fn what_is_spoken_is_agreed_upon() {
    let (authority, echo, files) = (Authority::new(), Backend::echo().await, tempfile::tempdir().unwrap());
    let ca = write(&files, "ca.pem", &authority.certificate);
    let identity = authority.issue("localhost", |_| {});
    let cases: [(Protocol, &[&str], &str); 5] = [
        (Protocol::Auto, &["h2", "http/1.1"], "HTTP/2.0"),
        (Protocol::Auto, &["http/1.1"], "HTTP/1.1"),
        (Protocol::Auto, &[], "HTTP/1.1"),
        (Protocol::H1, &["h2", "http/1.1"], "HTTP/1.1"),
        (Protocol::H2, &["h2"], "HTTP/2.0"),
    ];
    for (protocol, offered, want) in cases {
        let backend = secured(&identity, None, offered, &echo).await;
        let proxy = proxy(&backend, protocol, trusting(&ca)).await;
        let mut client = proxy.client().await;
        for _ in 0..2 {
            let got = client.ask(POST).await;
            assert_eq!((got.text(), got.header("x-version")), ("abc", Some(want)), "{protocol:?} {offered:?}");
        }
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_accepted_names_the_cause() {
    let (authority, echo, files) = (Authority::new(), Backend::echo().await, tempfile::tempdir().unwrap());
    let ca = write(&files, "ca.pem", &authority.certificate);
    let expired = |params: &mut CertificateParams| params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let cases = [
        (authority.issue("localhost", expired), "has expired"),
        (authority.issue("elsewhere.example", |_| {}), "is for another name"),
        (Authority::new().issue("localhost", |_| {}), "issued by an authority that is not trusted"),
    ];
    for (identity, want) in cases {
        let backend = secured(&identity, None, &[], &echo).await;
        let proxy = proxy(&backend, Protocol::Auto, trusting(&ca)).await;
        let got = proxy.client().await.ask(POST).await;
        assert_eq!((got.status(), got.problem().as_str()), (502, "backend_tls"));
        assert!(got.json()["detail"].as_str().unwrap().contains(want), "{}", got.text());
    }
    // Who is not trusted by a file of ours is not trusted by the system either.
    let backend = secured(&authority.issue("localhost", |_| {}), None, &[], &echo).await;
    let got = proxy(&backend, Protocol::Auto, ClientTls::default()).await.client().await.ask(POST).await;
    assert_eq!((got.status(), got.problem().as_str()), (502, "backend_tls"));
    // No TLS at all.
    let got = proxy(&echo, Protocol::Auto, trusting(&ca)).await.client().await.ask(POST).await;
    assert_eq!((got.status(), got.problem().as_str()), (502, "backend_tls"));
}

#[tokio::test]
async fn a_certificate_may_be_for_a_name_that_is_configured() {
    let (authority, echo, files) = (Authority::new(), Backend::echo().await, tempfile::tempdir().unwrap());
    let ca = write(&files, "ca.pem", &authority.certificate);
    let backend = secured(&authority.issue("chat.internal", |_| {}), None, &[], &echo).await;
    let tls = ClientTls { server_name: Some("chat.internal".to_owned()), ..trusting(&ca) };
    assert_eq!(proxy(&backend, Protocol::Auto, tls).await.client().await.ask(POST).await.text(), "abc");
}

#[tokio::test]
async fn an_endpoint_may_ask_who_we_are() {
    let (authority, echo, files) = (Authority::new(), Backend::echo().await, tempfile::tempdir().unwrap());
    let ca = write(&files, "ca.pem", &authority.certificate);
    let backend = secured(&authority.issue("localhost", |_| {}), Some(&authority), &[], &echo).await;
    let got = proxy(&backend, Protocol::Auto, trusting(&ca)).await.client().await.ask(POST).await;
    assert_eq!((got.status(), got.problem().as_str()), (502, "backend_tls"), "{}", got.text());

    // A certificate of nobody that the endpoint knows; then, in the same files, one that it does.
    let (stranger, known) = (Authority::new().issue("proxy", |_| {}), authority.issue("proxy", |_| {}));
    let certificate = write(&files, "client.pem", &stranger.certificate);
    let key = write(&files, "client.key", &stranger.key);
    let tls = ClientTls { identity: Some((certificate.into(), key.into())), ..trusting(&ca) };
    let proxy = proxy(&backend, Protocol::Auto, tls).await;
    let got = proxy.client().await.ask(POST).await;
    assert_eq!((got.status(), got.problem().as_str()), (502, "backend_tls"), "{}", got.text());
    write(&files, "client.pem", &known.certificate);
    write(&files, "client.key", &known.key);
    eventually("the new certificate is used", async || proxy.client().await.ask(POST).await.status() == 200).await;
}

#[tokio::test]
async fn sockets_are_opened_over_tls() {
    let (authority, echo, files) = (Authority::new(), socket::echo().await, tempfile::tempdir().unwrap());
    let ca = write(&files, "ca.pem", &authority.certificate);
    // Sockets speak HTTP/1.1 where requests would speak HTTP/2.
    let backend = secured(&authority.issue("localhost", |_| {}), None, &["h2", "http/1.1"], &echo).await;
    let proxy = proxy(&backend, Protocol::Auto, trusting(&ca)).await;
    for version in ["1", "2"] {
        let mut socket = socket::open(&proxy, &[("api-version", version)]).await;
        socket::send(&mut socket, r#"{"type":"other","n":1.0}"#).await;
        assert_eq!(socket::text(&mut socket).await, r#"{"type":"other","n":1.0}"#);
        within("the close", socket.close(None)).await.unwrap();
    }
}
