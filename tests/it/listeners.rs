//! What comes before HTTP: TLS, the PROXY protocol, and whom a request is forwarded for.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use legato_proxy::config::{self, CertificatePair, ProxyProtocol};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::backend::Backend;
use crate::support::proxy::TestProxy;
use crate::support::{eventually, within};

const GET: &str = "GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n";

/// Writes a certificate for a host that signed itself, as PEM; what a client has to trust.
fn write_pair(directory: &Path, file: &str, host: &str) -> (CertificatePair, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed([host.to_owned()]).unwrap();
    let pair = CertificatePair {
        certificate: directory.join(format!("{file}.pem")).into(),
        key: directory.join(format!("{file}.key")).into(),
    };
    std::fs::write(pair.key.path(), made.signing_key.serialize_pem()).unwrap();
    std::fs::write(pair.certificate.path(), made.cert.pem()).unwrap();
    (pair, CertificateDer::from_pem_slice(made.cert.pem().as_bytes()).unwrap())
}

/// A handshake with a host, trusting one certificate.
async fn handshake(
    proxy: &TestProxy,
    host: &str,
    trusted: &CertificateDer<'static>,
    protocols: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(proxy.address).await.unwrap();
    let name = ServerName::try_from(host.to_owned()).unwrap();
    within("the handshake", TlsConnector::from(Arc::new(config)).connect(name, stream)).await
}

/// All that comes on a connection after these bytes.
async fn ask(stream: &mut (impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin), request: &[u8]) -> String {
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    let _ = within("the answer", stream.read_to_end(&mut answer)).await;
    String::from_utf8(answer).unwrap()
}

async fn with_tls(backend: &Backend, pairs: Vec<CertificatePair>) -> TestProxy {
    TestProxy::start(&[backend.address], |c| c.listen[0].tls = pairs).await
}

#[tokio::test]
async fn both_versions_of_http_are_spoken_over_tls() {
    let directory = TempDir::new().unwrap();
    let (pair, trusted) = write_pair(directory.path(), "a", "a.example");
    let (backend, recorded) = Backend::recording().await;
    let proxy = with_tls(&backend, vec![pair]).await;
    for protocols in [&["http/1.1"][..], &[]] {
        let mut stream = handshake(&proxy, "a.example", &trusted, protocols).await.unwrap();
        assert!(ask(&mut stream, GET.as_bytes()).await.starts_with("HTTP/1.1 200 OK\r\n"));
    }
    let stream = handshake(&proxy, "a.example", &trusted, &["h2", "http/1.1"]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let io = hyper_util::rt::TokioIo::new(stream);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) = Box::pin(hyper::client::conn::http2::handshake(executor, io)).await.unwrap();
    let driver = tokio::spawn(connection);
    let request = http::Request::get("https://a.example/x").body(http_body_util::Empty::<bytes::Bytes>::new()).unwrap();
    assert_eq!(within("the answer", sender.send_request(request)).await.unwrap().status(), 200);
    driver.abort();
    let seen = recorded.take();
    assert_eq!(seen.len(), 3);
    for request in seen {
        assert_eq!(request.header("x-forwarded-proto"), Some("https"));
        assert!(request.header("forwarded").unwrap().ends_with(";proto=https"), "{request:?}");
    }
}

#[tokio::test]
async fn a_connection_may_rest_between_requests() {
    /// Longer than a connection is kept ready.
    const REST: Duration = Duration::from_millis(600);
    const KEEP_ALIVE: Duration = Duration::from_secs(2);
    let directory = TempDir::new().unwrap();
    let (pair, trusted) = write_pair(directory.path(), "a", "a.example");
    let backend = Backend::echo().await;
    let start = async |tls| {
        let endpoints = [backend.address];
        TestProxy::start(&endpoints, |c| (c.listen[0].tls, c.listen[0].limits.keep_alive) = (tls, KEEP_ALIVE)).await
    };
    let (plain, secure) = (start(vec![]).await, start(vec![pair]).await);

    let request = "GET / HTTP/1.1\r\nhost: h\r\n\r\n";
    let mut client = plain.client().await;
    for _ in 0..2 {
        assert_eq!(client.ask(request).await.status(), 200);
        tokio::time::sleep(REST).await;
    }
    // What comes in pieces after a rest is a request too.
    client.send(&request[..5]).await;
    tokio::task::yield_now().await;
    assert_eq!(client.ask(&request[5..]).await.status(), 200);
    assert!(within("the end of its time", client.is_closed()).await);

    let mut stream = handshake(&secure, "a.example", &trusted, &[]).await.unwrap();
    stream.write_all(b"HEAD / HTTP/1.1\r\nhost: h\r\n\r\n").await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(within("the head", stream.read_u8()).await.unwrap());
    }
    tokio::time::sleep(REST).await;
    assert!(ask(&mut stream, GET.as_bytes()).await.starts_with("HTTP/1.1 200 OK\r\n"));
}

#[tokio::test]
async fn each_host_has_its_certificate_and_others_the_first() {
    let directory = TempDir::new().unwrap();
    let (first, of_first) = write_pair(directory.path(), "a", "a.example");
    let (second, of_second) = write_pair(directory.path(), "b", "*.b.example");
    let backend = Backend::echo().await;
    let proxy = with_tls(&backend, vec![first, second]).await;
    for (host, trusted, is_known) in
        [("a.example", &of_first, true), ("x.b.example", &of_second, true), ("x.b.example", &of_first, false)]
    {
        let shaken = handshake(&proxy, host, trusted, &[]).await;
        assert_eq!(shaken.is_ok(), is_known, "{host}: {:?}", shaken.err());
    }
}

#[tokio::test]
async fn certificates_are_replaced_and_bad_ones_are_not() {
    let directory = TempDir::new().unwrap();
    let (pair, old) = write_pair(directory.path(), "a", "a.example");
    let backend = Backend::echo().await;
    let listen = "legato: 1\nlisten:\n- address: 127.0.0.1:0\n  tls: {certificate: a.pem, key: a.key}\nrules: .\n\
                  apis: {chat: {backends: {b: {speaks: '1', endpoints: ['http://b']}}}}";
    let mut config = config::parse(listen, "legato.yaml", directory.path(), &|_| None).unwrap();
    let proxy = with_tls(&backend, config.listen.remove(0).tls).await;
    let mut running = handshake(&proxy, "a.example", &old, &[]).await.unwrap();
    // The new key is there and its certificate is not.
    let (other, new) = write_pair(directory.path(), "b", "a.example");
    std::fs::copy(other.key.path(), pair.key.path()).unwrap();
    proxy.reload.reload().await.unwrap();
    assert!(handshake(&proxy, "a.example", &old, &[]).await.is_ok());
    let status = proxy.admin().await.ask("GET /api/status HTTP/1.1\r\nhost: h\r\n\r\n").await.json();
    let error = status["listeners"][0]["tls"]["error"].as_str().unwrap().to_owned();
    assert!(error.contains("is not that of the certificate"), "{error}");
    assert!(error.contains(" --> legato.yaml:4:34"), "{error}");
    // Nobody has to ask once it is whole.
    std::fs::copy(other.certificate.path(), pair.certificate.path()).unwrap();
    eventually("the new certificate", || async { handshake(&proxy, "a.example", &new, &[]).await.is_ok() }).await;
    assert!(handshake(&proxy, "a.example", &old, &[]).await.is_err());
    let status = proxy.admin().await.ask("GET /api/status HTTP/1.1\r\nhost: h\r\n\r\n").await.json();
    assert_eq!(status["listeners"][0]["tls"]["error"], serde_json::Value::Null);
    // Connections outlive their certificates.
    assert!(ask(&mut running, GET.as_bytes()).await.starts_with("HTTP/1.1 200 OK\r\n"));
}

#[tokio::test]
async fn what_is_no_handshake_is_closed() {
    let directory = TempDir::new().unwrap();
    let (pair, _) = write_pair(directory.path(), "a", "a.example");
    let (backend, recorded) = Backend::recording().await;
    let proxy = TestProxy::start(&[backend.address], |c| {
        c.listen[0].tls = vec![pair];
        c.listen[0].limits.head_timeout = Duration::from_millis(100);
    })
    .await;
    for bytes in [GET.as_bytes(), b"\x16\x03\x01", b""] {
        let mut client = proxy.client().await;
        client.send(bytes).await;
        let mut rest = Vec::new();
        let _ = within("the end", client.stream.read_to_end(&mut rest)).await;
        assert!(!rest.starts_with(b"HTTP/"), "{bytes:?}");
    }
    assert_eq!(recorded.count(), 0);
}

#[tokio::test]
async fn a_load_balancer_says_who_the_client_is() {
    let (backend, recorded) = Backend::recording().await;
    let v2 =
        [b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".as_slice(), &[192, 0, 2, 7, 10, 0, 0, 1, 0xc3, 0x50, 0, 80]].concat();
    let headers: [(&[u8], &str); 3] = [
        (b"PROXY TCP4 192.0.2.9 10.0.0.1 50000 80\r\n", "192.0.2.9"),
        (&v2, "192.0.2.7"),
        (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
    ];
    let of = |networks: &str| ProxyProtocol::From(vec![networks.parse().unwrap()]);
    for asked in [ProxyProtocol::Always, of("127.0.0.0/8")] {
        let proxy = TestProxy::start(&[backend.address], |c| c.listen[0].proxy_protocol = asked).await;
        for (header, client) in headers {
            // In two pieces, of which one ends inside the header.
            let mut stream = proxy.client().await.stream;
            stream.set_nodelay(true).unwrap();
            stream.write_all(&header[..9]).await.unwrap();
            tokio::task::yield_now().await;
            let answer = ask(&mut stream, &[&header[9..], GET.as_bytes()].concat()).await;
            assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
            assert_eq!(recorded.only().header("x-forwarded-for"), Some(client));
        }
        let refused = ask(&mut proxy.client().await.stream, GET.as_bytes()).await;
        assert_eq!((refused.as_str(), recorded.count()), ("", 0));
    }
    // Of others it is no request.
    let proxy = TestProxy::start(&[backend.address], |c| c.listen[0].proxy_protocol = of("10.0.0.0/8")).await;
    let (header, _) = headers[0];
    let answer = ask(&mut proxy.client().await.stream, &[header, GET.as_bytes()].concat()).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(ask(&mut proxy.client().await.stream, GET.as_bytes()).await.starts_with("HTTP/1.1 200 OK"));
    assert_eq!(recorded.count(), 1);
}

#[tokio::test]
async fn trusted_networks_say_whom_they_forward_for() {
    let (backend, recorded) = Backend::recording().await;
    let request = "GET / HTTP/1.1\r\nhost: h\r\nx-forwarded-for: 192.0.2.9\r\nx-forwarded-proto: https\r\n\
                   forwarded: for=192.0.2.9\r\nx-forwarded-host: shop.example\r\n\r\n";
    for (network, want) in
        [("127.0.0.0/8", ["192.0.2.9, 127.0.0.1", "https", "shop.example"]), ("10.0.0.0/8", ["127.0.0.1", "http", "h"])]
    {
        let proxy = TestProxy::start(&[backend.address], |c| c.apis[0].trust = vec![network.parse().unwrap()]).await;
        assert_eq!(proxy.client().await.ask(request).await.status(), 200);
        let seen = recorded.only();
        let got = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"].map(|name| seen.header(name));
        assert_eq!(got, want.map(Some), "{network}");
    }
}

/// `legato serve` in a process of its own, given a socket; once it has said where it listens.
fn serve_on(socket: &socket2::Socket, config: &Path) -> std::process::Child {
    use std::io::{BufRead as _, BufReader};
    use std::os::fd::AsRawFd as _;
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_legato"))
        .args(["serve", "--config"])
        .arg(config)
        .env("LISTEN_FDS", "1")
        .env("LISTEN_FDS_FIRST_FD", socket.as_raw_fd().to_string())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    assert_eq!(line, format!("listening on http://{address}\n"));
    child
}

#[tokio::test]
async fn a_socket_that_is_passed_on_outlives_a_restart_without_a_refusal() {
    let backend = Backend::echo().await;
    let directory = TempDir::new().unwrap();
    crate::support::proxy::write_rule(&directory.path().join("rules"), "chat/api.yaml", crate::support::proxy::API);
    let socket = socket2::Socket::from(std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let config = format!(
        "legato: 1\nlisten: [{{address: \"{address}\"}}]\nrules: rules\naccess_log: off\nworkers: 2\n\
         apis: {{chat: {{backends: {{b: {{speaks: \"1\", endpoints: [\"http://{}\"]}}}}}}}}\n",
        backend.address
    );
    let file = directory.path().join("legato.yaml");
    std::fs::write(&file, config).unwrap();
    socket.set_cloexec(false).unwrap();
    let mut old = serve_on(&socket, &file);
    let (answered, mut count) = tokio::sync::watch::channel(0);
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let asking = tokio::spawn(async move {
        while !*stopped.borrow() {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let answer = ask(&mut stream, GET.as_bytes()).await;
            assert!(answer.starts_with("HTTP/1.1 200 OK"), "request {}: {answer:?}", *answered.borrow());
            answered.send_modify(|count| *count += 1);
        }
    });
    // Each step is taken among answers: by the old alone, by either, and by the new alone.
    let mut more = async || {
        let enough = *count.borrow() + 5;
        within("more answers", count.wait_for(|count| *count >= enough)).await.map(drop).unwrap();
    };
    more().await;
    let mut new = tokio::task::spawn_blocking(move || serve_on(&socket, &file)).await.unwrap();
    more().await;
    let id = old.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert!(tokio::task::spawn_blocking(move || old.wait()).await.unwrap().unwrap().success());
    more().await;
    stop.send(true).unwrap();
    within("the last answer", asking).await.unwrap();
    new.kill().unwrap();
    new.wait().unwrap();
}
