//! Long bodies through the real program: whole, and without holding them.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use crate::support::backend::Backend;
use crate::support::coding::encode;
use crate::support::program::Program;
use crate::support::proxy::{API, CHANGE, write_rule};
use crate::support::wire::Wire;

/// Bytes of a body, at least.
const LONG: usize = 10 * 1024 * 1024;
/// What a body may add to the program's peak memory, in bytes.
const MOST: usize = 16 * 1024 * 1024;

/// The shipped rules.
fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("rules")
}

/// The program with these rules.
fn start(backend: &Backend, rules: &Path) -> Program {
    let directory = tempfile::tempdir().unwrap();
    let text = format!(
        "legato: 1\nlisten: [{{address: 127.0.0.1:0}}]\nadmin: {{address: 127.0.0.1:0}}\nrules: {}\naccess_log: off\n\
         apis: {{chat: {{backends: {{legacy: {{speaks: \"1\", endpoints: [\"http://{}\"]}}}}}}}}\n",
        rules.display(),
        backend.address
    );
    write_rule(directory.path(), "legato.yaml", &text);
    Program::start(directory)
}

/// What `legato translate` makes of a document.
fn translate(rules: &Path, arguments: [&str; 8], document: &str) -> String {
    let mut child = Command::new(env!("CARGO_BIN_EXE_legato"))
        .args(["translate", "--api", "chat", "--now", "2026-01-01T00:00:00Z", "--rules"])
        .arg(rules)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let document = document.to_owned();
    let writing = std::thread::spawn(move || stdin.write_all(document.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

/// A list of messages in version 1.
fn messages(length: usize) -> String {
    let mut text = String::from("[");
    for id in 9_007_199_254_740_993_u64.. {
        let ts = 1_735_689_600_000 + id % 100_000;
        let message = format!(r#"{{"id":{id},"text":"caf\u00e9 \"{id}\"","user":"ada","ts":{ts},"tags":[], "n":1.0}}"#);
        text.push_str(&message);
        if text.len() >= length {
            break;
        }
        text.push(',');
    }
    text + "]"
}

/// The list in an envelope, without what differs from one second to the next.
fn data(enveloped: &str) -> &str {
    let (data, meta) = enveloped.rsplit_once(r#","meta":{"version":"2","timestamp":""#).unwrap();
    assert!(meta.trim_end().ends_with(r#""}}"#), "{meta}");
    data
}

#[tokio::test]
async fn a_long_response_is_translated_without_being_held() {
    let (short, long) = (messages(100_000), messages(LONG));
    let json = |body: &str| {
        format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    };
    let answers = [json(&short), json(&long)];
    let backend = Backend::scripted(move |mut wire| {
        let [short, long] = answers.clone();
        async move {
            while let Some(request) = wire.try_message().await {
                wire.send(if request.start.contains("long") { &long } else { &short }).await;
            }
        }
    })
    .await;
    let program = start(&backend, &shipped());
    let mut client = Wire::connect(program.address).await;
    let get = |query: &str| format!("GET /api/messages{query} HTTP/1.1\r\nhost: h\r\napi-version: 2\r\n\r\n");
    assert_eq!(client.ask(&get("")).await.status(), 200);
    let before = program.peak_memory();
    let got = client.ask(&get("?long")).await;
    let grown = program.peak_memory() - before;
    assert_eq!((got.status(), got.is_complete), (200, true));
    let want =
        translate(&shipped(), ["--from", "1", "--to", "2", "--on", "GET /api/messages", "--part", "response"], &long);
    assert!(data(got.text()) == data(&want), "the response is not what `legato translate` says");
    assert!(grown < MOST, "the peak grew by {grown} bytes");
}

#[tokio::test]
async fn a_long_request_is_translated_without_being_held() {
    // The backend reads all and says how long it was and what it hashed to, so that nothing is held here either.
    let backend = Backend::scripted(|mut wire| async move {
        while let Some(request) = wire.try_message().await {
            assert!(request.is_complete);
            let digest = format!("{:016x}", xxh(&request.body));
            wire.send(format!("HTTP/1.1 200 OK\r\ncontent-length: 16\r\n\r\n{digest}")).await;
        }
    })
    .await;
    let rules = tempfile::tempdir().unwrap();
    write_rule(rules.path(), "chat/api.yaml", API);
    write_rule(rules.path(), "chat/changes/2/20250101000000_text_to_body.yaml", CHANGE);
    let program = start(&backend, rules.path());
    let document = |length: usize| {
        let mut text = String::with_capacity(length + 100);
        text.push_str(r#"{"tags":["#);
        while text.len() < length {
            let _ = write!(text, r#""caf\u00e9 {}","#, text.len());
        }
        text + r#"1.0],"body":"b"}"#
    };
    let mut client = Wire::connect(program.address).await;
    let post = |body: &str| {
        let head = "POST /m HTTP/1.1\r\nhost: h\r\napi-version: 2\r\ncontent-type: application/json";
        format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    };
    assert_eq!(client.ask(&post(&document(100_000))).await.status(), 200);
    let before = program.peak_memory();
    let long = document(LONG);
    let got = client.ask(&post(&long)).await;
    let grown = program.peak_memory() - before;
    let want = translate(rules.path(), ["--from", "2", "--to", "1", "--on", "POST /m", "--part", "request"], &long);
    assert_eq!((got.status(), got.text()), (200, format!("{:016x}", xxh(want.trim_end().as_bytes())).as_str()));
    assert!(grown < MOST, "the peak grew by {grown} bytes");
}

#[tokio::test]
async fn bombs_are_not_unpacked() {
    let codings = ["gzip", "br", "zstd", "zstd, gzip", "zstd, deflate, zstd, br"];
    let document = |length: usize| format!(r#"{{"body":"b","fill":"{}"}}"#, " ".repeat(length));
    let (short, long) = (document(100), document(24 << 20));
    let bombs = Arc::new(codings.map(|codings| (codings, encode(codings, long.as_bytes()))));
    let sent = Arc::clone(&bombs);
    let backend = Backend::scripted(move |mut wire| {
        let bombs = Arc::clone(&sent);
        async move {
            while let Some(request) = wire.try_message().await {
                let number: usize = request.header("x-bomb").map_or(0, |number| number.parse().unwrap());
                let (codings, bomb) = &bombs[number];
                let length = bomb.len();
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: {codings}\r\n\
                     content-length: {length}\r\n\r\n"
                );
                let _ = wire.try_send([head.as_bytes(), bomb].concat()).await;
            }
        }
    })
    .await;
    let rules = tempfile::tempdir().unwrap();
    write_rule(rules.path(), "chat/api.yaml", API);
    write_rule(rules.path(), "chat/changes/2/20250101000000_text_to_body.yaml", CHANGE);
    let program = start(&backend, rules.path());
    let post = |codings: &str, body: &[u8]| {
        let head = "POST /m HTTP/1.1\r\nhost: h\r\napi-version: 2\r\ncontent-type: application/json";
        let length = body.len();
        let head = format!("{head}\r\ncontent-encoding: {codings}\r\ncontent-length: {length}\r\n\r\n");
        [head.as_bytes(), body].concat()
    };
    // What the codings themselves need.
    for codings in codings {
        let mut client = Wire::connect(program.address).await;
        client.send(post(codings, &encode(codings, short.as_bytes()))).await;
        assert_eq!(client.message().await.status(), 502, "the response is a bomb");
    }
    let before = program.peak_memory();
    for (number, (codings, bomb)) in bombs.iter().enumerate() {
        let mut client = Wire::connect(program.address).await;
        let _ = client.try_send(post(codings, bomb)).await;
        let got = client.message().await;
        assert_eq!((got.status(), got.problem().as_str()), (413, "too_large"), "{codings}");
        // Of a plan that streams, and of one that has to hold it.
        for path in ["/m", "/hold"] {
            let get = format!("GET {path} HTTP/1.1\r\nhost: h\r\napi-version: 2\r\nx-bomb: {number}\r\n\r\n");
            let got = Wire::connect(program.address).await.ask(&get).await;
            assert_eq!((got.status(), got.problem().as_str()), (502, "too_large"), "{codings} {path}");
        }
    }
    let grown = program.peak_memory() - before;
    assert!(grown < MOST, "the peak grew by {grown} bytes");
}

#[tokio::test]
async fn bodies_that_end_before_their_coding_leave_nothing_behind() {
    let whole = format!(r#"{{"body":"{}"}}"#, "caf\u{e9} ".repeat(20_000));
    let backend = Backend::echo().await;
    let rules = tempfile::tempdir().unwrap();
    write_rule(rules.path(), "chat/api.yaml", API);
    write_rule(rules.path(), "chat/changes/2/20250101000000_text_to_body.yaml", CHANGE);
    let program = start(&backend, rules.path());
    let mut before = None;
    for round in 0..4 {
        for codings in ["gzip", "deflate", "br", "zstd", "gzip, br"] {
            let coded = encode(codings, whole.as_bytes());
            for cut in [1, coded.len() / 2, coded.len() - 1] {
                let head = format!(
                    "POST /m HTTP/1.1\r\nhost: h\r\napi-version: 2\r\ncontent-type: application/json\r\n\
                     content-encoding: {codings}\r\ncontent-length: {cut}\r\n\r\n"
                );
                let mut client = Wire::connect(program.address).await;
                client.send([head.as_bytes(), &coded[..cut]].concat()).await;
                let got = client.message().await;
                assert_eq!((got.status(), got.problem().as_str()), (400, "incomplete"), "{codings} {cut}");
            }
        }
        let grown = program.peak_memory() - *before.get_or_insert(program.peak_memory());
        assert!(grown < MOST, "the peak grew by {grown} bytes in round {round}");
    }
}

/// A hash of bytes.
fn xxh(bytes: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(bytes)
}
