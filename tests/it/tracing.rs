//! Traces: what backends are told, and the spans that a collector gets, byte by byte.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use legato_proxy::config::{ClientTls, Config, Scheme, Share, Tracing};
use rcgen::CertificateParams;

use crate::support::backend::Backend;
use crate::support::program::Program;
use crate::support::proxy::{API, TestProxy, write_rule};
use crate::support::socket;
use crate::support::tls::{Authority, Identity, secured};
use crate::support::wire::{Message, Wire};
use crate::support::{eventually, within};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const UNSAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

/// A field of a message of Protocol Buffers, as bytes have it (encoding, "Message Structure").
#[derive(Debug, Clone)]
enum Field {
    Number(u64),
    Bytes(Vec<u8>),
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let (mut value, mut shift) = (0, 0);
    loop {
        let (first, rest) = bytes.split_first().expect("a number that ends");
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        shift += 7;
        if first & 0x80 == 0 {
            return value;
        }
    }
}

fn fields(mut bytes: &[u8]) -> Vec<(u64, Field)> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let length = match key & 7 {
            0 => {
                fields.push((key >> 3, Field::Number(varint(&mut bytes))));
                continue;
            }
            1 => {
                let (number, rest) = bytes.split_first_chunk::<8>().expect("8 bytes");
                fields.push((key >> 3, Field::Number(u64::from_le_bytes(*number))));
                bytes = rest;
                continue;
            }
            2 => usize::try_from(varint(&mut bytes)).unwrap(),
            other => panic!("wire type {other}"),
        };
        let (value, rest) = bytes.split_at(length);
        fields.push((key >> 3, Field::Bytes(value.to_vec())));
        bytes = rest;
    }
    fields
}

/// The messages in a field.
fn inside(bytes: &[u8], field: u64) -> Vec<Vec<u8>> {
    let all = fields(bytes).into_iter().filter(|(number, _)| *number == field);
    all.map(|(_, value)| if let Field::Bytes(value) = value { value } else { panic!("a number") }).collect()
}

fn number(bytes: &[u8], field: u64) -> u64 {
    let found = fields(bytes).into_iter().find(|(number, _)| *number == field);
    found.map_or(0, |(_, value)| if let Field::Number(value) = value { value } else { panic!("bytes") })
}

fn text(bytes: &[u8], field: u64) -> String {
    inside(bytes, field).into_iter().next().map(|text| String::from_utf8(text).unwrap()).unwrap_or_default()
}

fn hex(bytes: &[u8], field: u64) -> String {
    use std::fmt::Write as _;
    inside(bytes, field).concat().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A span, with the field numbers of `opentelemetry/proto/trace/v1/trace.proto`.
#[derive(Debug)]
struct Span {
    trace: String,
    id: String,
    parent: String,
    name: String,
    kind: u64,
    lasts: u64,
    attributes: Vec<(String, String)>,
    status: u64,
}

impl Span {
    fn parse(bytes: &[u8]) -> Self {
        let attributes = inside(bytes, 9).into_iter().map(|attribute| {
            let attribute = attribute.as_slice();
            let value = &inside(attribute, 2)[0];
            let value = match text(value, 1) {
                empty if empty.is_empty() => number(value, 3).to_string(),
                text => text,
            };
            (text(attribute, 1), value)
        });
        let started = number(bytes, 7);
        assert!(started > 1_700_000_000_000_000_000, "nanoseconds since 1970: {started}");
        Self {
            trace: hex(bytes, 1),
            id: hex(bytes, 2),
            parent: hex(bytes, 4),
            name: text(bytes, 5),
            kind: number(bytes, 6),
            lasts: number(bytes, 8).checked_sub(started).expect("an end after the start"),
            attributes: attributes.collect(),
            status: inside(bytes, 15).first().map_or(0, |status| number(status, 3)),
        }
    }

    fn attribute(&self, key: &str) -> Option<&str> {
        self.attributes.iter().find(|(other, _)| other == key).map(|(_, value)| value.as_str())
    }
}

/// A collector that answers as its script says, one answer after the other and the last one from then on.
struct Collector {
    backend: Backend,
    asked: Arc<Mutex<Vec<Message>>>,
}

impl Collector {
    async fn answering(script: &'static [&'static str]) -> Self {
        let asked = Arc::<Mutex<Vec<Message>>>::default();
        let seen = Arc::clone(&asked);
        let backend = Backend::scripted(move |mut wire| {
            let seen = Arc::clone(&seen);
            async move {
                while let Some(message) = wire.try_message().await {
                    let count = {
                        let mut seen = seen.lock().unwrap();
                        seen.push(message);
                        seen.len()
                    };
                    wire.send(script[(count - 1).min(script.len() - 1)]).await;
                }
            }
        })
        .await;
        Self { backend, asked }
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    /// The spans of the request with this number.
    fn spans(&self, request: usize) -> Vec<Span> {
        let asked = self.asked.lock().unwrap();
        let message = &asked[request];
        assert_eq!(message.start, "POST /v1/traces HTTP/1.1");
        assert_eq!(message.header("content-type"), Some("application/x-protobuf"));
        let of_resource = &inside(&message.body, 1)[0];
        let resource = &inside(of_resource, 1)[0];
        let names: Vec<String> = inside(resource, 1).iter().map(|attribute| text(attribute, 1)).collect();
        assert_eq!(names, ["service.name", "service.version"]);
        let of_scope = &inside(of_resource, 2)[0];
        assert_eq!(text(&inside(of_scope, 1)[0], 1), "legato");
        inside(of_scope, 2).iter().map(|span| Span::parse(span)).collect()
    }

    fn tracing(&self, sample: u8) -> Tracing {
        let collector = self.backend.address.to_string().parse().unwrap();
        let (tls, sample) = (ClientTls::default(), Share::percent(sample));
        Tracing { scheme: Scheme::Http, collector, path: "/v1/traces".into(), tls, sample }
    }
}

const TAKEN: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
const LATER: &str = "HTTP/1.1 503 Service Unavailable\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n";
const REFUSED: &str = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";

/// What the backend is told where the client says this.
async fn told(lines: &str, adjust: impl FnOnce(&mut Config)) -> (Option<String>, Option<String>) {
    let (backend, recorded) = Backend::recording().await;
    let proxy = TestProxy::start(&[backend.address], adjust).await;
    let request = format!("GET /m HTTP/1.1\r\nhost: h\r\n{lines}\r\n");
    assert_eq!(proxy.client().await.ask(&request).await.status(), 200);
    let seen = recorded.only();
    (seen.header("traceparent").map(str::to_owned), seen.header("tracestate").map(str::to_owned))
}

#[tokio::test]
async fn without_spans_a_trace_passes_as_it_is_and_what_is_none_does_not() {
    let collector = Collector::answering(&[TAKEN]).await;
    let state = "tracestate: a=1,b=2\r\n";
    let cases = [
        (format!("traceparent: {UNSAMPLED}\r\n{state}"), Some(UNSAMPLED), Some("a=1,b=2")),
        (format!("traceparent: {UNSAMPLED}x\r\n{state}"), None, None),
        (format!("traceparent: {UNSAMPLED}\r\ntraceparent: {UNSAMPLED}\r\n{state}"), None, None),
        (state.to_owned(), None, None),
        (String::new(), None, None),
    ];
    for (lines, parent, state) in &cases {
        for tracing in [None, Some(collector.tracing(0))] {
            let told = told(lines, |c| c.tracing = tracing).await;
            assert_eq!((told.0.as_deref(), told.1.as_deref()), (*parent, *state), "{lines}");
        }
    }
    let sampled = told(&format!("traceparent: {SAMPLED}\r\n"), |_| {}).await;
    assert_eq!(sampled.0.as_deref(), Some(SAMPLED));
    assert_eq!(collector.asked(), 0);
}

#[tokio::test]
async fn an_exchange_has_a_span_of_each_side() {
    let (backend, recorded) = Backend::recording().await;
    let collector = Collector::answering(&[TAKEN]).await;
    let mut proxy = TestProxy::start(&[backend.address], |c| c.tracing = Some(collector.tracing(0))).await;
    let request = format!("GET /m?secret=1 HTTP/1.1\r\nhost: h\r\ntraceparent: {SAMPLED}\r\ntracestate: a=1\r\n\r\n");
    proxy.client().await.ask(&request).await;
    // What waits is handed over before the proxy ends.
    proxy.drain();
    proxy.ended().await;
    let spans = collector.spans(0);
    let [server, client] = spans.as_slice() else { panic!("{spans:?}") };
    assert_eq!((server.trace.as_str(), client.trace.as_str()), (TRACE, TRACE));
    assert_eq!((server.parent.as_str(), &client.parent), ("b7ad6b7169203331", &server.id));
    assert_eq!((server.kind, client.kind, server.status, client.status), (2, 3, 0, 0));
    assert!(server.lasts >= client.lasts && client.lasts > 0, "{spans:?}");
    assert!(server.name.starts_with("GET"), "{}", server.name);
    let seen = recorded.only();
    assert_eq!(seen.header("traceparent"), Some(format!("00-{TRACE}-{}-01", client.id).as_str()));
    assert_eq!(seen.header("tracestate"), Some("a=1"));
    let port = backend.address.port().to_string();
    let cases = [
        (server, "http.request.method", "GET"),
        (server, "url.path", "/m"),
        (server, "url.scheme", "http"),
        (server, "http.response.status_code", "200"),
        (server, "network.protocol.version", "1.1"),
        (server, "client.address", "127.0.0.1"),
        (server, "legato.api", "chat"),
        (server, "legato.client_version", "1"),
        (server, "legato.backend_version", "1"),
        (client, "legato.backend", "legacy"),
        (client, "server.address", "127.0.0.1"),
        (client, "server.port", &port),
        (client, "http.response.status_code", "200"),
    ];
    for (span, key, value) in cases {
        assert_eq!(span.attribute(key), Some(value), "{key}");
    }
    assert!(!format!("{spans:?}").contains("secret"), "{spans:?}");
}

#[tokio::test]
async fn failures_and_sockets_have_spans_too() {
    let nobody = Backend::nobody().await;
    let collector = Collector::answering(&[TAKEN]).await;
    let mut proxy = TestProxy::start(&[nobody], |c| c.tracing = Some(collector.tracing(100))).await;
    let mut client = proxy.client().await;
    client.ask("GET /m HTTP/1.1\r\nhost: h\r\n\r\n").await;
    client.ask("GET /m HTTP/1.1\r\nhost: h\r\napi-version: 9\r\n\r\n").await;
    drop(client);
    proxy.drain();
    proxy.ended().await;
    let spans: Vec<Span> = (0..collector.asked()).flat_map(|request| collector.spans(request)).collect();
    let [server, client, refused] = spans.as_slice() else { panic!("{spans:?}") };
    assert_eq!((server.status, client.status, refused.status), (2, 2, 0));
    assert_eq!((server.parent.as_str(), server.trace == refused.trace), ("", false));
    assert_eq!(
        (client.attribute("error.type"), server.attribute("legato.failure")),
        (Some("unreachable"), Some("unreachable"))
    );
    assert_eq!(refused.attribute("legato.failure"), Some("unknown_version"));

    let backend = socket::echo().await;
    let collector = Collector::answering(&[TAKEN]).await;
    let proxy = TestProxy::start(&[backend.address], |c| c.tracing = Some(collector.tracing(100))).await;
    let _open = socket::open(&proxy, &[]).await;
    // The spans are the handshake's: nobody waits for the socket's end.
    eventually("the handshake's spans", || async { collector.asked() == 1 }).await;
    let spans = collector.spans(0);
    let statuses: Vec<_> = spans.iter().map(|span| span.attribute("http.response.status_code")).collect();
    assert_eq!(statuses, [Some("101"), Some("101")]);
}

/// What a counter says. It is the process's, which all tests share: it only grows.
async fn counted(proxy: &TestProxy, name: &str) -> u64 {
    let metrics = proxy.admin().await.ask("GET /metrics HTTP/1.1\r\nhost: h\r\n\r\n").await;
    let line = metrics.text().lines().find_map(|line| line.strip_prefix(name));
    line.map_or(0, |count| count.trim().parse().unwrap())
}

#[tokio::test]
async fn what_the_collector_does_not_take_is_sent_again_or_counted() {
    let backend = Backend::answering("HTTP/1.1 204 x\r\n\r\n").await;
    // Two of two spans refused (`partial_success`, field 1: `rejected_spans` 2, `error_message` "no").
    let partial = "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n\u{a}\u{6}\u{8}\u{2}\u{12}\u{2}no";
    let cases: [(&'static [&'static str], usize, bool); 4] = [
        (&[LATER, LATER, TAKEN], 3, false),
        (&[REFUSED], 1, true),
        (Box::leak(Box::new([partial])), 1, true),
        (&[LATER], 5, true),
    ];
    for (script, requests, is_lost) in cases {
        let collector = Collector::answering(script).await;
        let proxy = TestProxy::start(&[backend.address], |c| c.tracing = Some(collector.tracing(100))).await;
        let before = counted(&proxy, "legato_spans_dropped_total").await;
        assert_eq!(proxy.client().await.ask("GET /m HTTP/1.1\r\nhost: h\r\n\r\n").await.status(), 204);
        eventually("all attempts", || async { collector.asked() == requests }).await;
        assert_eq!(collector.spans(0).len(), collector.spans(requests - 1).len());
        if is_lost {
            let lost = || async { counted(&proxy, "legato_spans_dropped_total").await >= before + 2 };
            eventually("lost spans", lost).await;
        }
        assert_eq!(collector.asked(), requests);
    }
}

/// A TLS stand-in before a collector, whose certificate is for `name`, and how spans get there.
async fn secure(collector: &Collector, authority: &Authority, name: &str, ca: &Path) -> (Backend, Tracing) {
    let secure = secured(&authority.issue(name, |_| {}), None, &[], &collector.backend).await;
    let tls = ClientTls { ca: Some(ca.to_owned().into()), ..ClientTls::default() };
    let address = format!("localhost:{}", secure.address.port()).parse().unwrap();
    let tracing = Tracing { scheme: Scheme::Https, collector: address, tls, ..collector.tracing(100) };
    (secure, tracing)
}

#[tokio::test]
async fn a_collector_may_have_to_prove_who_it_is() {
    let backend = Backend::answering("HTTP/1.1 204 x\r\n\r\n").await;
    let (authority, files) = (Authority::new(), tempfile::tempdir().unwrap());
    let ca = files.path().join("ca.pem");
    std::fs::write(&ca, &authority.certificate).unwrap();
    // By its own name, and by one that is configured.
    for (name, configured) in [("localhost", None), ("otel.internal", Some("otel.internal".to_owned()))] {
        let collector = Collector::answering(&[TAKEN]).await;
        let (_secure, mut tracing) = secure(&collector, &authority, name, &ca).await;
        tracing.tls.server_name = configured;
        let proxy = TestProxy::start(&[backend.address], |c| c.tracing = Some(tracing)).await;
        assert_eq!(proxy.client().await.ask("GET /m HTTP/1.1\r\nhost: h\r\n\r\n").await.status(), 204);
        eventually("the spans", || async { collector.asked() == 1 }).await;
        assert_eq!(collector.spans(0).len(), 2, "{name}");
    }
}

/// What the program says of a collector whose certificate is this one, while requests are answered.
async fn said_of(authority: &Authority, identity: &Identity) -> String {
    let collector = Collector::answering(&[TAKEN]).await;
    let secure = secured(identity, None, &[], &collector.backend).await;
    let backend = Backend::answering("HTTP/1.1 204 x\r\n\r\n").await;
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| write_rule(directory.path(), name, text);
    write("rules/chat/api.yaml", API);
    write("ca.pem", &authority.certificate);
    let (port, endpoint) = (secure.address.port(), backend.address);
    write(
        "legato.yaml",
        &format!(
            "legato: 1\nlisten: [{{address: 127.0.0.1:0}}]\nadmin: {{address: 127.0.0.1:0}}\nrules: rules\n\
             apis: {{chat: {{backends: {{b: {{speaks: \"1\", endpoints: [\"http://{endpoint}\"]}}}}}}}}\n\
             access_log: off\ntracing: {{otlp: \"https://localhost:{port}\", tls: {{ca: ca.pem}}, sample: 100%}}\n"
        ),
    );
    let mut program = Program::start_with(directory, Stdio::piped());
    let mut log = BufReader::new(program.child.stderr.take().unwrap());
    let mut client = Wire::connect(program.address).await;
    for _ in 0..20 {
        assert_eq!(client.ask("GET /m HTTP/1.1\r\nhost: h\r\n\r\n").await.status(), 204);
    }
    let said = tokio::task::spawn_blocking(move || {
        let mut lines = log.by_ref().lines().map_while(Result::ok);
        lines.find(|line| line.contains("tracing:")).unwrap_or_default()
    });
    let said = within("a line of the log", said).await.unwrap();
    assert_eq!(client.ask("GET /m HTTP/1.1\r\nhost: h\r\n\r\n").await.status(), 204);
    assert_eq!(collector.asked(), 0);
    said
}

#[tokio::test]
async fn a_collector_that_is_somebody_else_is_named_and_no_request_minds() {
    let authority = Authority::new();
    let expired = |params: &mut CertificateParams| params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let cases = [
        (authority.issue("elsewhere.example", |_| {}), "elsewhere.example"),
        (authority.issue("localhost", expired), "expired"),
        (Authority::new().issue("localhost", |_| {}), "invalid peer certificate"),
    ];
    for (identity, want) in cases {
        let said = said_of(&authority, &identity).await;
        assert!(said.contains("the collector takes no spans at present") && said.contains(want), "{want}: {said}");
    }
}

#[tokio::test]
async fn files_that_say_whom_to_trust_are_read_before_the_start() {
    let rules = tempfile::tempdir().unwrap();
    write_rule(rules.path(), "rules/chat/api.yaml", API);
    let config = "legato: 1\nlisten: [{address: 127.0.0.1:0}]\nrules: rules\n\
                  apis: {chat: {backends: {b: {speaks: \"1\", endpoints: [\"http://127.0.0.1:1\"]}}}}\n\
                  tracing: {otlp: \"https://collector\", tls: {ca: none.pem}}\n";
    write_rule(rules.path(), "legato.yaml", config);
    for check in [&["serve"][..], &["serve", "--check"]] {
        let mut program = Command::new(env!("CARGO_BIN_EXE_legato"));
        let output = program.args(check).arg("--config").arg(rules.path().join("legato.yaml")).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{check:?}: {said}");
        assert!(said.contains("none.pem: No such file") && said.contains("legato.yaml:5:48"), "{check:?}: {said}");
    }
}
