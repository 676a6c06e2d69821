//! The engine beside `serde_json::Value` doing the same edit, in one run on one thread.
//!
//! `cargo bench --bench translate [-- FILTER]` prints a markdown table. Each figure is the best of several rounds in
//! which the two take turns; a ratio is of figures of one run. `-- --peak` reports the peak memory of streaming a
//! large list instead.

#![expect(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::needless_pass_by_value,
    reason = "a benchmark prints figures, and its edits have one shape"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use legato_proxy::diagnostic::Source;
use legato_proxy::json::{Limits, OnError, Program, Translator, Uuids, Values};
use legato_proxy::rules::{self, Direction, Mode, Ops};
use serde_json::{Map, Value, json};

const ROUND: Duration = Duration::from_millis(120);
const ROUNDS: usize = 5;

fn main() {
    let filter: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    if filter.iter().any(|arg| arg == "--peak") {
        return peak();
    }
    println!("| edit | document | engine GB/s | 16 KB chunks | `Value` GB/s | engine / `Value` |");
    println!("|---|---|---|---|---|---|");
    for edit in edits() {
        for (name, text) in documents() {
            if filter.is_empty() || filter.iter().any(|f| edit.name.contains(f.as_str()) || name.contains(f.as_str())) {
                measure(&edit, &name, &text);
            }
        }
    }
}

/// The same edit for the engine and for a tree.
struct Edit {
    name: &'static str,
    program: Arc<Program>,
    tree: fn(Value) -> Value,
}

fn edits() -> Vec<Edit> {
    let ops = |text: &str| Ops::parse(text, "bench").expect("ops").program(Direction::Up, Mode::Full);
    vec![
        Edit { name: "check only", program: Arc::new(Program::check()), tree: |v| v },
        Edit {
            name: "envelope",
            program: ops("[{envelope: {key: data, with: {meta: {version: $version, timestamp: $now}}}}]"),
            tree: envelope,
        },
        Edit { name: "rename in each", program: ops("[{rename: {/*/text: body}}]"), tree: rename_each },
        Edit { name: "chat v1 to v2", program: chat(), tree: chat_tree },
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

fn envelope(v: Value) -> Value {
    json!({"data": v, "meta": {"version": "2", "timestamp": "2026-03-01T00:00:00.000Z"}})
}

fn rename_key(object: Map<String, Value>, old: &str, new: &str) -> Map<String, Value> {
    object.into_iter().map(|(k, v)| if k == old { (new.to_owned(), v) } else { (k, v) }).collect()
}

fn each(v: Value, edit: impl Fn(Map<String, Value>) -> Map<String, Value>) -> Value {
    match v {
        Value::Array(items) => items
            .into_iter()
            .map(|item| if let Value::Object(o) = item { Value::Object(edit(o)) } else { item })
            .collect(),
        other => other,
    }
}

fn rename_each(v: Value) -> Value {
    each(v, |o| rename_key(o, "text", "body"))
}

fn chat_tree(v: Value) -> Value {
    envelope(each(v, |o| {
        let mut o = rename_key(o, "text", "body");
        if let Some(user) = o.shift_remove("user") {
            o.insert("author".to_owned(), json!({"name": user}));
        }
        if let Some(ts) = o.get_mut("ts") {
            let millis = ts.as_i64().expect("milliseconds");
            let time = jiff::Timestamp::from_millisecond(millis).expect("a time");
            *ts = json!(if millis % 1000 == 0 { format!("{time:.0}") } else { format!("{time:.3}") });
        }
        rename_key(o, "ts", "sent_at")
    }))
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
    let mut documents = vec![("one message".to_owned(), format!("[{}]", message(1)))];
    documents.extend(sizes.map(|(name, bytes)| (name.to_owned(), list(bytes))));
    documents.push(("1 MB of long texts".to_owned(), long_texts()));
    documents
}

fn values() -> Values {
    Values {
        now: "2026-03-01T00:00:00.000Z".to_owned(),
        version: "2".into(),
        uuids: Uuids::default(),
        on_error: OnError::Reject,
    }
}

fn translate(program: &Arc<Program>, text: &Bytes, chunk: usize) -> usize {
    let mut translator = Translator::new(Arc::clone(program), values(), Limits::default());
    let mut rest = text.clone();
    let mut out = 0;
    while !rest.is_empty() {
        let at = chunk.min(rest.len());
        translator.push(rest.split_to(at)).expect("valid");
        out += translator.take().map(|piece| black_box(piece).len()).sum::<usize>();
    }
    translator.finish().expect("whole");
    out + translator.take().map(|piece| black_box(piece).len()).sum::<usize>()
}

fn measure(edit: &Edit, name: &str, text: &str) {
    let bytes = Bytes::copy_from_slice(text.as_bytes());
    check_same(edit, &bytes);
    let mut best = [Duration::MAX; 3];
    for _ in 0..ROUNDS {
        let runs: [&dyn Fn() -> usize; 3] =
            [&|| translate(&edit.program, &bytes, usize::MAX), &|| translate(&edit.program, &bytes, 16 << 10), &|| {
                serde_json::to_vec(&(edit.tree)(serde_json::from_slice(&bytes).expect("JSON"))).expect("JSON").len()
            }];
        for (best, run) in best.iter_mut().zip(runs) {
            *best = (*best).min(time(run));
        }
    }
    let rate = |time: Duration| text.len() as f64 / time.as_nanos() as f64;
    let [whole, chunked, tree] = best.map(rate);
    println!("| {} | {name} | {whole:.2} | {chunked:.2} | {tree:.3} | {:.1} |", edit.name, whole / tree);
}

/// The time of one call: the mean over a round.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn time(run: &dyn Fn() -> usize) -> Duration {
    let start = Instant::now();
    let mut calls = 0;
    while start.elapsed() < ROUND {
        black_box(run());
        calls += 1;
    }
    start.elapsed() / calls
}

/// Both do the same, or the figures mean nothing.
fn check_same(edit: &Edit, bytes: &Bytes) {
    let mut translator = Translator::new(Arc::clone(&edit.program), values(), Limits::default());
    translator.push(bytes.clone()).expect("valid");
    translator.finish().expect("whole");
    let out: Vec<u8> = translator.take().flatten().collect();
    let found: Value = serde_json::from_slice(&out).expect("JSON");
    let want = (edit.tree)(serde_json::from_slice(bytes).expect("JSON"));
    assert_eq!(found, want, "{}", edit.name);
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
