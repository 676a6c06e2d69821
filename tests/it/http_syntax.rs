//! The cases of `tests/data/http/requests.txt` over real sockets: what is no request is refused and closed, and no
//! backend hears of it.

use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::AsyncWriteExt as _;

use crate::support::backend::Backend;
use crate::support::proxy::TestProxy;
use crate::support::requests::{Case, cases};
use crate::support::wire::Wire;

async fn start(backend: &Backend) -> TestProxy {
    TestProxy::start(&[backend.address], |c| {
        let limits = &mut c.listen[0].limits;
        (limits.head, limits.headers) = (8192, 20);
    })
    .await
}

/// Reads the answers that a case wants, and looks at how the connection is left.
async fn check(case: &Case, client: &mut Wire) {
    for (i, status) in case.statuses.iter().enumerate() {
        let got = client.try_message().await.unwrap_or_else(|| panic!("{}: no answer {i}", case.line));
        assert_eq!(got.status(), *status, "{}: {got:?}", case.line);
        if let (Some(code), true) = (case.code, i + 1 == case.statuses.len()) {
            assert_eq!(got.problem(), code, "{}: {got:?}", case.line);
            assert_eq!(got.header("connection") == Some("close"), !case.is("open"), "{}: {got:?}", case.line);
        }
    }
    if (case.code.is_some() && !case.is("open")) || case.is("closed") {
        assert!(client.is_closed().await, "{}: the connection is not closed", case.line);
    } else {
        let _ = client.try_send("GET / HTTP/1.1\r\nhost: h\r\nx-last: yes\r\n\r\n").await;
        let got = client.try_message().await;
        assert_eq!(got.map(|m| m.status()), Some(200), "{}: the connection cannot be used on", case.line);
    }
}

#[tokio::test]
async fn what_is_no_request_is_refused_and_closed() {
    let (backend, recorded) = Backend::recording().await;
    let proxy = start(&backend).await;
    let cases = cases();
    assert!(cases.len() > 180, "{} cases", cases.len());
    for case in &cases {
        // As one piece, and in two.
        for cut in [case.raw.len(), case.raw.len() / 2] {
            let mut client = proxy.client().await;
            // The refusal may come before all is sent.
            let _ = client.try_send(&case.raw[..cut]).await;
            let _ = client.try_send(&case.raw[cut..]).await;
            if case.is("shut") {
                let _ = client.stream.shutdown().await;
            }
            check(case, &mut client).await;
            let is_forwarded = |message: &crate::support::wire::Message| message.header("x-last").is_none();
            let forwarded = recorded.take().into_iter().filter(is_forwarded).count();
            let wanted = case.statuses.iter().filter(|status| **status == 200).count();
            assert_eq!(forwarded, wanted, "{}: requests that the backend saw", case.line);
        }
    }
}

#[tokio::test]
async fn what_no_head_of_http2_may_say_is_refused() {
    let (backend, recorded) = Backend::recording().await;
    let proxy = start(&backend).await;
    let stream = tokio::net::TcpStream::connect(proxy.address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let driver = tokio::spawn(connection);
    let long = "A".repeat(33);
    let cases = [
        ("POST", "content-length", vec!["2", "2"], 400, "bad_request"),
        ("POST", "expect", vec!["the-unexpected"], 417, "expectation_failed"),
        ("TRACE", "x", vec![], 400, "bad_request"),
        (&long, "x", vec![], 501, "method_not_supported"),
        // One more is the length of the body.
        ("POST", "x", vec!["1"; 20], 431, "head_too_large"),
        ("POST", "x", vec!["1"; 19], 200, ""),
        // Those of HTTP/2 come in many lines and leave in one.
        ("POST", "cookie", vec!["a=1"; 40], 200, ""),
        ("POST", "expect", vec!["100-continue"], 200, ""),
        ("POST", "content-length", vec!["2"], 200, ""),
    ];
    for (method, name, values, status, code) in cases {
        let mut request = http::Request::builder().method(method).uri("http://h/");
        for value in &values {
            request = request.header(name, *value);
        }
        let got = sender.send_request(request.body(Full::<bytes::Bytes>::from("ok")).unwrap()).await.unwrap();
        let got_status = got.status().as_u16();
        let body = got.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(got_status, status, "{method} {name} {values:?}");
        assert!(status == 200 || String::from_utf8_lossy(&body).contains(&format!("problem:{code}\"")), "{body:?}");
        assert_eq!(
            recorded.take().len(),
            usize::from(status == 200),
            "{method} {name} {values:?}: what the backend saw"
        );
    }
    driver.abort();
}
