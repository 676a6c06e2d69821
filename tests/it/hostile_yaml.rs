//! Hostile rule files: a named error at a place, or rules, within bounds that no count of anything escapes.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use legato_proxy::diagnostic::Source;
use legato_proxy::rules::compile;

const API: &str = "legato: 1\napi: chat\nversions: [{id: \"1\"}, {id: \"2\"}]\nclient_version: [{default: \"1\"}]\ncheck: {LS101: off}\n";
const CHANGE: &str = "chat/changes/2/20250101_a.yaml";

/// Enough for what takes time by the square of it, or worse, to be noticed.
const MANY: usize = 1500;

/// The codes of what is wrong with a file among others that are right.
fn codes(file: &str, text: &str) -> Vec<&'static str> {
    let mut sources = vec![Source { file: file.into(), text: text.into() }];
    if file != "chat/api.yaml" {
        sources.push(Source { file: "chat/api.yaml".into(), text: API.into() });
    }
    let found = compile(&sources).diagnostics;
    for finding in &found {
        assert!(text.get(finding.span.start..finding.span.end).is_some(), "{}: {:?}", finding.message, finding.span);
        assert!(finding.message.len() < 400, "{}", finding.message.len());
    }
    found.iter().map(|finding| finding.code).collect()
}

fn change(ops: &str) -> String {
    format!(
        "change: a\nsince: \"2\"\nsummary: a\napply:\n  - http: GET /a\n    response: {{2xx: {ops}, 4xx-5xx: []}}\n"
    )
}

/// Values by number, parted by commas.
fn many(count: usize, value: impl Fn(usize) -> String) -> String {
    (0..count).map(value).collect::<Vec<_>>().join(", ")
}

#[test]
fn every_kind_of_file_is_refused_by_name() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let _ = writeln!(bomb, "a{level}: &a{level} [{}]", many(10, |_| format!("*a{}", level - 1)));
    }
    let cases = [
        (bomb, "YM007"),
        ("a".repeat((8 << 20) + 1), "YM007"),
        (format!("{}1{}", "[".repeat(5000), "]".repeat(5000)), "YM007"),
        ("a: 1\0\nb: 2\n".into(), "YM001"),
        ("a:\n\tb: 1\n".into(), "YM001"),
        ("base: &b {a: 1}\nx: {<<: *b}\n".into(), "YM001"),
        ("a: *missing\n".into(), "YM001"),
        ("a: !!binary aGk=\n".into(), "YM001"),
        ("--- a\n--- b\n".into(), "YM001"),
        ("a: 1\na: 2\n".into(), "YM002"),
        (String::new(), "YM004"),
        ("[]".into(), "YM004"),
    ];
    for file in [CHANGE, "chat/api.yaml", "chat/tests/chain.yaml"] {
        for (text, code) in &cases {
            let found = codes(file, text);
            // Nesting is refused where it begins, by the parser or by us.
            let is_nesting = text.starts_with("[[") && found.contains(&"YM001");
            assert!(found.contains(code) || is_nesting, "{file}: {found:?}, not {code}: {text:.60}");
        }
    }
}

#[test]
fn numbers_without_end_are_refused() {
    let digits = "9".repeat(10_000);
    assert_eq!(
        codes(CHANGE, &change(&format!("[{{convert: {{at: /a, from: csv, to: array, scale: {digits}}}}}]"))),
        ["YM004"]
    );
    assert_eq!(codes("chat/api.yaml", &API.replace("legato: 1", &format!("legato: {digits}"))), ["YM004"]);
    // In a literal they are text.
    assert_eq!(codes(CHANGE, &change(&format!("[{{add: {{at: /a, default: {{value: {digits}}}}}}}]"))), [""; 0]);
}

#[test]
fn windows_line_ends_are_line_ends() {
    let text = change("[{rename: {/a: b}}]").replace('\n', "\r\n");
    assert_eq!(codes(CHANGE, &text), [""; 0]);
}

#[test]
fn very_many_of_anything_take_their_time_only() {
    let names = many(MANY, |n| format!("k{n}"));
    let renames = many(MANY, |n| format!("/k{n}: n{n}"));
    let pairs = many(MANY, |n| format!("[{n}, v{n}]"));
    for ops in [
        format!("[{{rename: {{{renames}}}}}]"),
        format!("[{{tuple: {{keys: [{names}]}}}}]"),
        format!("[{{map: {{at: /a, pairs: [{pairs}]}}}}]"),
        format!("[{{recase: {{from: snake, to: camel, except: [{names}]}}}}]"),
    ] {
        assert_eq!(codes(CHANGE, &change(&ops)), [""; 0], "{ops:.40}");
    }
    let versions = many(60_000, |n| format!("{{id: v{n}}}"));
    let text = format!("legato: 1\napi: chat\nversions: [{versions}]\nclient_version: []\n");
    assert_eq!(codes("chat/api.yaml", &text), ["YM006"]);
}

/// Ops within ops, as deep as files may nest.
#[test]
fn ops_within_ops_end_somewhere() {
    for depth in [10, 20, 40, 80, 1000] {
        let ops = "[{each: {at: /a/*, ops: ".repeat(depth) + "[]" + &"}}]".repeat(depth);
        let found = codes(CHANGE, &change(&ops));
        assert!(found.is_empty() || found.iter().all(|code| ["YM001", "YM007"].contains(code)), "{depth}: {found:?}");
    }
}

/// A change with one op on the responses of one call, and the name of its file.
fn one_of_many(number: usize, head: &str, op: &str) -> Source {
    Source {
        file: format!("chat/changes/2/20250101_{number:05}.yaml"),
        text: format!(
            "change: c{number}\nsince: \"2\"\nsummary: a\n{head}apply:\n  - http: GET /a\n    response: {{2xx: [{op}], 4xx-5xx: []}}\n"
        ),
    }
}

/// The codes of what is wrong with very many changes about one call, each once.
fn codes_of_many(count: usize, head: impl Fn(usize) -> String, op: impl Fn(usize) -> String) -> BTreeSet<&'static str> {
    let mut sources: Vec<Source> = (0..count).map(|n| one_of_many(n, &head(n), &op(n))).collect();
    sources.push(Source { file: "chat/api.yaml".into(), text: API.into() });
    compile(&sources).diagnostics.iter().map(|finding| finding.code).collect()
}

/// Of one call: the head of a change by its number, its op, and the codes of what is wrong.
type OfOneCall<'a> = (&'a str, &'a dyn Fn(usize) -> String, &'a dyn Fn(usize) -> String, &'a [&'a str]);

fn check_many(cases: &[OfOneCall<'_>]) {
    for (name, head, op, want) in cases {
        assert_eq!(codes_of_many(MANY, head, op).into_iter().collect::<Vec<_>>(), *want, "{name}");
    }
}

/// No order is said.
fn alone(_: usize) -> String {
    String::new()
}

fn after_the_one_before(number: usize) -> String {
    number.checked_sub(1).map(|before| format!("after: [c{before}]\n")).unwrap_or_default()
}

#[test]
fn very_many_changes_of_one_call_take_their_time_only() {
    check_many(&[
        ("renames", &alone, &|n| format!("{{rename: {{/k{n}: n{n}}}}}"), &[]),
        ("adds", &alone, &|n| format!("{{add: {{at: /d/k{n}, default: {{value: 1}}}}}}"), &[]),
        ("chained", &after_the_one_before, &|n| format!("{{rename: {{/k{n}: n{n}}}}}"), &[]),
    ]);
}

#[test]
fn very_many_changes_of_one_place_take_their_time_only() {
    let map = |n: usize| format!("{{map: {{at: /a, pairs: [[{n}, {}]]}}}}", n + 1);
    let moves = |n: usize| format!("{{move: {{from: /k{n}, to: /k{}}}}}", n + 1);
    check_many(&[
        ("other values", &alone, &map, &["CF201", "YM007"]),
        ("one value", &alone, &|n| format!("{{map: {{at: /a, pairs: [[0, {n}]]}}}}"), &["CF201", "LS102"]),
        ("other values, chained", &after_the_one_before, &map, &["YM007"]),
        ("envelopes", &after_the_one_before, &|n| format!("{{envelope: {{key: k{n}}}}}"), &["YM007"]),
        ("moves", &after_the_one_before, &moves, &["YM007"]),
    ]);
}

#[test]
fn very_many_ops_of_one_change_take_their_time_only() {
    for (name, ops, want) in [
        ("renames", many(MANY, |n| format!("{{rename: {{/k{n}: n{n}}}}}")), &[][..]),
        ("removes", many(MANY, |n| format!("{{remove: {{at: /k{n}, restore: absent}}}}")), &[]),
        ("envelopes", many(MANY, |n| format!("{{envelope: {{key: k{n}}}}}")), &["YM007"]),
        ("wraps", many(MANY, |_| "{wrap: {at: /a, into: {key: a}}}".into()), &["YM007"]),
        (
            "inside",
            format!("{{each: {{at: /a/*, ops: [{}]}}}}", many(MANY, |n| format!("{{rename: {{/k{n}: n{n}}}}}"))),
            &["YM007"],
        ),
        ("deep", format!("{{map: {{at: {}, pairs: [[1, 2]]}}}}", "/a".repeat(MANY)), &["RL002"]),
    ] {
        let found: BTreeSet<_> = codes(CHANGE, &change(&format!("[{ops}]"))).into_iter().collect();
        assert_eq!(found.into_iter().collect::<Vec<_>>(), want, "{name}");
    }
}

/// The codes of what is wrong with very many changes, each with one block.
fn codes_of_blocks(count: usize, block: impl Fn(usize) -> String) -> BTreeSet<&'static str> {
    let one = |number: usize| Source {
        file: format!("chat/changes/2/20250101_{number:05}.yaml"),
        text: format!("change: c{number}\nsince: \"2\"\nsummary: a\napply:\n  - {}\n", block(number)),
    };
    let mut sources: Vec<Source> = (0..count).map(one).collect();
    sources.push(Source { file: "chat/api.yaml".into(), text: format!("{API}shapes: shapes.yaml\n") });
    let places = many(50, |n| format!("{{http: GET /s{n}, response: 2xx}}"));
    sources.push(Source { file: "chat/shapes.yaml".into(), text: format!("User: [{places}]\n") });
    compile(&sources).diagnostics.iter().map(|finding| finding.code).collect()
}

#[test]
fn very_many_blocks_take_their_time_only() {
    let ops = |n: usize| format!("response: {{2xx: [{{rename: {{/k{n}: n{n}}}}}], 4xx-5xx: []}}");
    let of_some_calls = |n: usize| match n % 2 {
        0 => format!("{{http: \"*\", {}}}", ops(n)),
        _ => format!("{{http: GET /a{n}, {}}}", ops(n)),
    };
    let of_shapes =
        |n: usize| format!("{{shape: User, ops: [{{rename: {{/k{n}: n{n}}}}}, {{rename: {{/n{n}: m{n}}}}}]}}");
    let check = |name: &str, block: &dyn Fn(usize) -> String, want: &[&str]| {
        assert_eq!(codes_of_blocks(MANY, block).into_iter().collect::<Vec<_>>(), *want, "{name}");
    };
    check("calls", &|n| format!("{{http: \"GET /a{n}/{{id}}\", {}}}", ops(n)), &[]);
    check("routes", &|n| format!("{{http: GET /a{n}, route: GET /b{n}}}"), &[]);
    check("routes after routes", &|n| format!("{{http: GET /a{n}, route: GET /a{}}}", n + 1), &["CF208"]);
    check("every call", &of_some_calls, &["YM007"]);
    check("shapes", &of_shapes, &["YM007"]);
    let blocks = many(MANY * 2, |n| format!("{{http: GET /a{n}, response: {{2xx: []}}}}"));
    let text = format!("change: a\nsince: \"2\"\nsummary: a\napply: [{blocks}]\n");
    assert!(codes(CHANGE, &text).contains(&"YM007"));
}

#[test]
fn very_many_changes_of_one_socket_take_their_time_only() {
    let ops = |n: usize| format!("ops: [{{rename: {{/k{n}: n{n}}}}}]");
    let ws = |path: &str, frame: &str| format!("{{ws: {path}, server: {{discriminator: /type, frames: {{{frame}}}}}}}");
    let socketio = |path: &str, event: &str| format!("{{socketio: {path}, client: {{events: {{{event}}}}}}}");
    let args = |n: usize| format!("args: [{{rename: {{/0/k{n}: n{n}}}}}]");
    let check = |name: &str, block: &dyn Fn(usize) -> String, want: &[&str]| {
        assert_eq!(codes_of_blocks(MANY, block).into_iter().collect::<Vec<_>>(), *want, "{name}");
    };
    check("frames", &|n| ws("/s", &format!("f{n}: {{{}}}", ops(n))), &[]);
    check("names", &|n| ws("/s", &format!("f{n}: {{as: f{}}}", n + 1)), &[]);
    check("one frame", &|n| ws("/s", &format!("f: {{{}}}", ops(n))), &[]);
    check("one frame, paths", &|n| ws(&format!("/s{n}"), &format!("f: {{{}}}", ops(n))), &[]);
    check("events", &|n| socketio("/s", &format!("f{n}: {{{}}}", args(n))), &[]);
    check("one event", &|n| socketio("/s", &format!("f: {{{}}}", args(n))), &[]);
    check("one event, namespaces", &|n| socketio(&format!("/s{n}"), &format!("f: {{{}}}", args(n))), &[]);
    // Each of half of the frames is called as one that the other half is about; or has half of the paths.
    let names_meet = |n: usize| match n {
        n if n < MANY / 2 => ws("/s", &format!("f{n}: {{as: f}}")),
        n => ws("/s", &format!("f: {{{}}}", ops(n))),
    };
    let paths_meet = |n: usize| match n % 2 {
        0 => ws("\"/*\"", &format!("f{n}: {{{}}}", ops(n))),
        _ => ws(&format!("/s{n}"), &format!("f{n}: {{{}}}", ops(n))),
    };
    check("names that meet", &names_meet, &["YM007"]);
    check("paths that meet", &paths_meet, &["YM007"]);
}

#[test]
fn losses_that_are_taken_along_too_often_are_refused() {
    let losses = many(MANY, |n| format!("{{limit: {{at: /d/k{n}, max: 1, over: clamp}}}}"));
    let moves = many(MANY, |n| format!("{{rename: {{/d: e{n}}}}}, {{rename: {{/e{n}: d}}}}"));
    assert!(codes(CHANGE, &change(&format!("[{losses}, {moves}]"))).contains(&"YM007"));
}
