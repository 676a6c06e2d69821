//! The engine beside what else can do the same edit, in one run on one thread.
//!
//! `cargo bench --bench translate [-- FILTER]` prints markdown tables. Each figure is the best of several rounds in
//! which all take turns; a ratio is of figures of one run. `-- --peak` reports the peak memory of streaming a large
//! list instead.

#![expect(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::needless_pass_by_value,
    reason = "a benchmark prints figures, and its edits have one shape"
)]

mod peers;

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use legato_proxy::diagnostic::Source;
use legato_proxy::json::{self, Limits, OnError, Program, Translator, Uuids, Values};
use legato_proxy::rules::{self, Direction, Mode, Ops};
use serde_json::Value;

use peers::Peer;

const ROUND: Duration = Duration::from_millis(60);
const ROUNDS: usize = 7;

/// Calls between two looks at the clock, once there have been as many.
const BATCH: u32 = 16;

/// Bytes of a chunk.
const CHUNK: usize = 16 << 10;

/// Up to this many bytes a document is a message.
const MESSAGE: usize = 16 << 10;

fn main() {
    let filter: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    if filter.iter().any(|arg| arg == "--peak") {
        return peak();
    }
    let wanted = |name: &str| filter.is_empty() || filter.iter().any(|f| name.contains(f.as_str()));
    println!(
        "| edit | document | `memcpy` | engine | 16 KB chunks | {} | to `Value` | to the best other | chunked to whole |",
        Peer::ALL.map(Peer::name).join(" | ")
    );
    println!("|---|---|{}", "---:|".repeat(Peer::ALL.len() + 6));
    for edit in edits() {
        for (name, text) in documents() {
            if wanted(edit.name) || wanted(&name) {
                measure(&edit, &name, &text);
            }
        }
    }
    if wanted("ten changes") {
        ten_changes();
    }
}

/// The same edit for the engine and for others.
struct Edit {
    name: &'static str,
    program: Arc<Program>,
    peers: peers::Edit,
}

fn program(ops: &str) -> Arc<Program> {
    Ops::parse(ops, "bench").expect("ops").program(Direction::Up, Mode::Full)
}

fn edits() -> Vec<Edit> {
    vec![
        Edit { name: "check only", program: Arc::new(Program::check()), peers: peers::Edit::Nothing },
        Edit {
            name: "envelope",
            program: program("[{envelope: {key: data, with: {meta: {version: $version, timestamp: $now}}}}]"),
            peers: peers::Edit::Envelope,
        },
        Edit {
            name: "rename in each",
            program: program("[{rename: {/*/text: body}}]"),
            peers: peers::Edit::RenameInEach,
        },
        Edit { name: "chat v1 to v2", program: chat(), peers: peers::Edit::Chat },
    ]
}

/// The shipped rules' response to `GET /api/messages`.
fn chat() -> Arc<Program> {
    let files: Vec<Source> = legato_proxy::demo::RULES
        .iter()
        .map(|(file, text)| Source { file: (*file).to_owned(), text: (*text).to_owned() })
        .collect();
    let rules = rules::compile(&files).rules.expect("the shipped rules compile");
    let api = &rules.apis["chat"];
    let version = |label| api.versions.find(label).expect("a version");
    let call = api.pair(version("2"), version("1")).find(&http::Method::GET, "/api/messages");
    Arc::clone(&call.response(http::StatusCode::OK).body)
}

/// Ten changes of a list of messages, one after the other.
const TEN: [&str; 10] = [
    "{rename: {/*/text: body}}",
    "{move: {from: /*/user, to: /*/author/name}}",
    "{convert: {at: /*/ts, from: unix_millis, to: rfc3339}}",
    "{rename: {/*/ts: sent_at}}",
    "{add: {at: /*/kind, default: {value: text}}}",
    "{map: {at: /*/edited, pairs: [[true, \"yes\"], [false, \"no\"]]}}",
    "{rename: {/*/edited: changed}}",
    "{rename: {/*/room/name: title}}",
    "{rename: {/*/body: content}}",
    "{envelope: {key: data, with: {meta: {version: $version}}}}",
];

/// What the chain of ten changes costs beside each of them alone.
fn ten_changes() {
    let text = list(1 << 20);
    let bytes = Bytes::copy_from_slice(text.as_bytes());
    let mut programs: Vec<_> = TEN.iter().map(|op| (*op, program(&format!("[{op}]")))).collect();
    programs.push(("all ten", program(&format!("[{}]", TEN.join(", ")))));
    let values = values();
    let mut best = vec![Duration::MAX; programs.len()];
    for _ in 0..ROUNDS {
        for (best, (_, program)) in best.iter_mut().zip(&programs) {
            *best = (*best).min(time(&|| whole(program, &values, &bytes)));
        }
    }
    println!("\n| change of each message, 1 MB | GB/s | to the dearest |\n|---|---:|---:|");
    let dearest = best[..TEN.len()].iter().max().expect("ten");
    for ((name, _), time) in programs.iter().zip(&best) {
        let rate = text.len() as f64 / time.as_nanos() as f64;
        println!("| `{name}` | {rate:.2} | {:.2} |", time.as_nanos() as f64 / dearest.as_nanos() as f64);
    }
}

fn message(n: usize) -> String {
    let text = ["see you at nine", "on my way", "did you read the minutes of yesterday?", "👍 \\\"great\\\""][n % 4];
    format!(
        "{{\"id\":{},\"text\":\"{text}\",\"user\":\"user{}\",\"ts\":{},\"tags\":[],\"edited\":false,\"room\":{{\"id\":{},\"name\":\"general\"}}}}",
        9_007_199_254_740_993_u64 + n as u64,
        n % 50,
        1_735_689_600_000_u64 + n as u64 * 1017,
        n % 7
    )
}

/// A message of 250 bytes.
fn long_message() -> String {
    message(2).replace(
        "minutes",
        "minutes of the meeting and the plan for the next release, and what do you think of them? The minutes",
    )
}

fn list(bytes: usize) -> String {
    let mut text = String::from("[");
    for n in 0.. {
        if n > 0 {
            text.push(',');
        }
        text.push_str(&message(n));
        if text.len() >= bytes {
            break;
        }
    }
    text.push(']');
    text
}

fn long_texts() -> String {
    let body = "The quick brown fox jumps over the lazy dog. ".repeat(45);
    let items: Vec<String> =
        (0..500).map(|n| format!("{{\"id\":{n},\"text\":\"{body}\",\"user\":\"u\",\"ts\":1735689600000}}")).collect();
    format!("[{}]", items.join(","))
}

fn documents() -> Vec<(String, String)> {
    let sizes = [("1 KB", 1 << 10), ("10 KB", 10 << 10), ("100 KB", 100 << 10), ("1 MB", 1 << 20), ("10 MB", 10 << 20)];
    let mut documents = vec![("one message of 250 bytes".to_owned(), format!("[{}]", long_message()))];
    documents.extend(sizes.map(|(name, bytes)| (name.to_owned(), list(bytes))));
    documents.push(("1 MB of long texts".to_owned(), long_texts()));
    documents
}

fn values() -> Values {
    Values {
        now: "2026-03-01T00:00:00.000Z".into(),
        version: "2".into(),
        uuids: Uuids::default(),
        on_error: OnError::Reject,
    }
}

/// A document that is there as a whole: a message as sockets translate it, a body as HTTP does.
fn whole(program: &Arc<Program>, values: &Values, text: &Bytes) -> usize {
    if text.len() > MESSAGE {
        return chunked(program, values, text, usize::MAX);
    }
    let done = json::translate(program, values, Limits::default(), text.clone()).expect("valid");
    black_box(done.body).len()
}

/// A document that comes in chunks, and leaves as it comes.
fn chunked(program: &Arc<Program>, values: &Values, text: &Bytes, chunk: usize) -> usize {
    let mut translator = Translator::new(Arc::clone(program), values.clone(), Limits::default());
    let mut rest = text.clone();
    let mut out = 0;
    while !rest.is_empty() {
        translator.push(rest.split_to(rest.len().min(chunk))).expect("valid");
        out += translator.take().map(|piece| black_box(piece).len()).sum::<usize>();
    }
    translator.finish().expect("whole");
    out + translator.take().map(|piece| black_box(piece).len()).sum::<usize>()
}

fn measure(edit: &Edit, name: &str, text: &str) {
    let bytes = Bytes::copy_from_slice(text.as_bytes());
    let want = edit.peers.run(Peer::Value, text.as_bytes()).expect("the tree does every edit");
    check_same(edit, &bytes, &want);
    let copy: Box<dyn Fn() -> usize> = Box::new(|| black_box(bytes.to_vec()).len());
    let values = values();
    let whole: Box<dyn Fn() -> usize> = Box::new(|| whole(&edit.program, &values, &bytes));
    let chunked: Box<dyn Fn() -> usize> = Box::new(|| chunked(&edit.program, &values, &bytes, CHUNK));
    let mut runs = vec![Some(copy), Some(whole), Some(chunked)];
    for peer in Peer::ALL {
        let result = edit.peers.run(peer, text.as_bytes());
        if let Some(result) = &result {
            assert_eq!(value(result), value(&want), "{} and the tree: {}", peer.name(), edit.name);
        }
        runs.push(result.map(|_| {
            let text = text.as_bytes();
            Box::new(move || edit.peers.run(peer, text).map_or(0, |out| out.len())) as Box<dyn Fn() -> usize>
        }));
    }
    let mut best = vec![Duration::MAX; runs.len()];
    for _ in 0..ROUNDS {
        for (best, run) in best.iter_mut().zip(&runs) {
            if let Some(run) = run {
                *best = (*best).min(time(run));
            }
        }
    }
    report(edit, name, text.len(), &best);
}

fn report(edit: &Edit, name: &str, len: usize, best: &[Duration]) {
    let rate = |time: &Duration| len as f64 / time.as_nanos() as f64;
    let figure = |time: &Duration| if *time == Duration::MAX { "-".to_owned() } else { format!("{:.3}", rate(time)) };
    let figures: Vec<String> = best.iter().map(figure).collect();
    let (whole, chunked) = (rate(&best[1]), rate(&best[2]));
    let value = rate(&best[3]);
    let other = best[4..].iter().filter(|time| **time != Duration::MAX).map(rate).fold(f64::NAN, f64::max);
    let times = if other.is_nan() { "-".to_owned() } else { format!("{:.1}", whole / other) };
    // What is shorter than a chunk is one.
    let cut = if len > CHUNK { format!("{:.2}", whole / chunked) } else { "-".to_owned() };
    println!("| {} | {name} | {} | {:.1} | {times} | {cut} |", edit.name, figures.join(" | "), whole / value);
}

fn value(text: &[u8]) -> Value {
    serde_json::from_slice(text).expect("JSON")
}

/// The time of one call: the mean over a round.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn time(run: &dyn Fn() -> usize) -> Duration {
    let start = Instant::now();
    let mut calls = 0;
    while start.elapsed() < ROUND {
        // Reading the clock takes as long as copying a message.
        let batch = if calls < BATCH { 1 } else { BATCH };
        for _ in 0..batch {
            black_box(run());
        }
        calls += batch;
    }
    start.elapsed() / calls
}

/// Both do the same, or the figures mean nothing.
fn check_same(edit: &Edit, bytes: &Bytes, want: &[u8]) {
    let mut translator = Translator::new(Arc::clone(&edit.program), values(), Limits::default());
    translator.push(bytes.clone()).expect("valid");
    translator.finish().expect("whole");
    let out: Vec<u8> = translator.take().flatten().collect();
    assert_eq!(value(&out), value(want), "{}", edit.name);
}

/// Streams a list of 1 GB through the chat rules in chunks of 16 KB.
fn peak() {
    let program = chat();
    let chunk = Bytes::from(format!("{},", (0..100).map(message).collect::<Vec<_>>().join(",")));
    let mut translator = Translator::new(program, values(), Limits::default());
    let before = peak_kilobytes();
    translator.push(Bytes::from_static(b"[")).expect("valid");
    let (mut fed, mut out) = (0, 0);
    while fed < 1 << 30 {
        translator.push(chunk.clone()).expect("valid");
        fed += chunk.len();
        out += translator.take().map(|piece| piece.len()).sum::<usize>();
    }
    translator.push(Bytes::from(format!("{}]", message(0)))).expect("valid");
    translator.finish().expect("whole");
    out += translator.take().map(|piece| piece.len()).sum::<usize>();
    println!(
        "{fed} bytes in, {out} out, peak memory {} KB, {} KB of it before the first byte",
        peak_kilobytes(),
        before
    );
}

fn peak_kilobytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0)
}
