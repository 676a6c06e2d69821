//! Hostile rule files: a named error at a place, or rules, within bounds that no count of anything escapes.

use std::fmt::Write as _;

use legato_proxy::diagnostic::Source;
use legato_proxy::rules::compile;

const API: &str = "legato: 1\napi: chat\nversions: [{id: \"1\"}, {id: \"2\"}]\nclient_version: [{default: \"1\"}]\ncheck: {LS101: off}\n";
const CHANGE: &str = "chat/changes/2/20250101_a.yaml";

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
    let names = many(2000, |n| format!("k{n}"));
    let renames = many(2000, |n| format!("/k{n}: n{n}"));
    let pairs = many(2000, |n| format!("[{n}, v{n}]"));
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
