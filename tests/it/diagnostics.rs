//! What `legato check` says of rule files that are wrong, whole: code, place, mark and help.
//!
//! A case is a file of `tests/data/diagnostics`: a rules directory, each file below a line `=== its/name`, and below
//! `=== want` what is printed. An API without an `api.yaml` of its own gets [`API`]; a directory without errors is
//! tested too, as `legato test` does, and if its tests pass, it is tried with 64 documents for each message. `LEGATO_BLESS=1` writes what was found into the cases: read it before keeping it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use legato_proxy::diagnostic::{Diagnostic, Source, line_column, render};
use legato_proxy::openapi;
use legato_proxy::rules::{self, compile, laws};

use crate::support::cases;

/// The `api.yaml` of cases that are not about it.
const API: &str =
    "legato: 1\napi: chat\nversions: [{id: \"1\"}, {id: \"2\"}, {id: \"3\"}]\nclient_version: [{default: \"1\"}]\n";

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/diagnostics")
}

/// The sections of every case, by the case's file.
fn all_cases() -> Vec<(PathBuf, Vec<(String, String)>)> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(directory()).expect("the cases").map(|entry| entry.expect("a file").path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), cases::sections(&fs::read_to_string(path).expect("UTF-8")))).collect()
}

fn sources(sections: &[(String, String)]) -> Vec<Source> {
    let files = sections.iter().filter(|(name, _)| name.contains('/'));
    let mut sources: Vec<Source> =
        files.map(|(file, text)| Source { file: file.clone(), text: text.clone() }).collect();
    if sources.iter().all(|source| source.file.starts_with("chat/") && source.file != "chat/api.yaml")
        && !sections.iter().any(|(name, _)| name == "no api.yaml")
    {
        sources.push(Source { file: "chat/api.yaml".into(), text: API.into() });
    }
    sources.sort_by(|a, b| a.file.cmp(&b.file));
    sources
}

fn findings(sources: &[Source]) -> Vec<Diagnostic> {
    let compiled = openapi::compile(sources);
    let mut findings = compiled.diagnostics;
    if let Some(rules) = compiled.rules {
        let failures = rules::test::run(&rules).failures;
        if failures.is_empty() {
            let trial = laws::Trial { documents: 64, seed: 1 };
            findings.extend(laws::run(&rules, sources, trial, &openapi::Conforming::new(&rules, sources)).findings);
        }
        findings.extend(failures);
    }
    findings
}

#[test]
fn every_finding_is_printed_as_its_case_says() {
    let mut wrong = String::new();
    for (path, sections) in all_cases() {
        let sources = sources(&sections);
        let found = render(&findings(&sources), &sources, false);
        let (_, want) = sections.iter().find(|(name, _)| name == "want").expect("a section `=== want`");
        if *want == found {
            continue;
        }
        if std::env::var_os("LEGATO_BLESS").is_some() {
            let text = fs::read_to_string(&path).expect("UTF-8");
            let (head, _) = text.split_once("=== want\n").expect("a section `=== want`");
            fs::write(&path, format!("{head}=== want\n{found}")).expect("written");
            continue;
        }
        let _ = writeln!(wrong, "{}: expected\n{want}\nfound\n{found}", path.display());
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// What only a mistake of the engine could bring about, so that no rule file can show it.
const OURS: [&str; 2] = [laws::code::FUSION, laws::code::TOTALITY];

/// A code that no case shows is one whose message nobody has read.
#[test]
fn every_code_of_rule_files_has_a_case() {
    let shown: String = all_cases()
        .iter()
        .flat_map(|(_, sections)| sections)
        .filter(|(name, _)| name == "want")
        .map(|(_, text)| text.as_str())
        .collect();
    let codes = cases::diagnostic_codes(&["src/rules", "src/yaml", "src/openapi"]);
    assert!(codes.len() > 15, "found {codes:?} only");
    let missing: BTreeSet<&String> =
        codes.iter().filter(|code| !OURS.contains(&code.as_str()) && !shown.contains(&format!("[{code}]"))).collect();
    assert!(missing.is_empty(), "no case shows {missing:?}");
}

/// Every finding stands in a file that is there, on a line of it, and says how it may be mended or marks what is wrong.
#[test]
fn every_finding_has_a_place() {
    for (path, sections) in all_cases() {
        let sources = sources(&sections);
        for finding in findings(&sources) {
            let source = sources.iter().find(|source| *source.file == *finding.file);
            let source =
                source.unwrap_or_else(|| panic!("{}: `{}` is no file of the case", path.display(), finding.file));
            assert!(finding.span.end <= source.text.len(), "{}: {}", path.display(), finding.message);
            let (line, column) = line_column(&source.text, finding.span.start);
            assert!(line >= 1 && column >= 1);
            assert!(
                !finding.message.ends_with('.') && !finding.message.starts_with(char::is_uppercase)
                    || finding.message.starts_with("RFC"),
                "{}",
                finding.message
            );
        }
    }
}

/// A file of one error, and the code that it has.
fn one(files: &[(&str, String)]) -> Vec<Diagnostic> {
    let mut sources: Vec<Source> =
        files.iter().map(|(file, text)| Source { file: (*file).to_owned(), text: text.clone() }).collect();
    sources.push(Source { file: "chat/api.yaml".into(), text: API.into() });
    findings(&sources)
}

const CHANGE: &str = "chat/changes/2/20250101_a.yaml";

fn change(ops: &str) -> String {
    format!("change: a\nsince: \"2\"\nsummary: a\napply:\n  - http: GET /a\n    request: {ops}\n")
}

#[test]
fn aliases_that_multiply_are_refused() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let below = vec![format!("*a{}", level - 1); 10].join(", ");
        let _ = writeln!(text, "a{level}: &a{level} [{below}]");
    }
    let found = one(&[(CHANGE, text)]);
    assert_eq!(found.iter().map(|d| d.code).collect::<Vec<_>>(), ["YM007"]);
    assert!(found[0].message.contains("copy more than"), "{}", found[0].message);
}

#[test]
fn nesting_is_limited() {
    let found = one(&[(CHANGE, change(&format!("{}{}", "[".repeat(100_000), "]".repeat(100_000))))]);
    assert_eq!(found.len(), 1);
    assert!(matches!(found[0].code, "YM001" | "YM007"), "{}: {}", found[0].code, found[0].message);
}

#[test]
fn a_long_value_is_cut_in_its_message() {
    let long = "x".repeat(1 << 20);
    for ops in [
        format!("[{{{long}: 1}}]"),
        format!("[{{rename: {{{long}: b}}}}]"),
        format!("[{{map: {{at: /a, pairs: [], else: {long}}}}}]"),
        long.clone(),
    ] {
        let found = one(&[(CHANGE, change(&ops))]);
        assert!(!found.is_empty());
        assert!(
            found.iter().all(|d| d.message.len() < 300 && d.help.as_ref().is_none_or(|help| help.len() < 600)),
            "{}",
            found[0].code
        );
    }
    for text in [
        format!("change: {long}\nsince: {long}\nsummary: a\napply: []\n"),
        format!("change: a\nsince: \"2\"\nsummary: a\nafter: [{long}]\napply: [{{http: {long}}}, {{ws: {long}}}]\n"),
    ] {
        let found = one(&[(CHANGE, text)]);
        assert!(
            !found.is_empty() && found.iter().all(|d| d.message.len() < 300),
            "{}",
            found.iter().map(|d| d.code).collect::<String>()
        );
    }
}

#[test]
fn very_many_errors_are_all_found_and_a_hundred_drawn() {
    let ops: Vec<String> = (0..5000).map(|n| format!("{{op{n}: {{}}}}")).collect();
    let sources = vec![
        Source { file: "chat/api.yaml".into(), text: API.into() },
        Source { file: CHANGE.into(), text: change(&format!("[{}]", ops.join(", "))) },
    ];
    let found = findings(&sources);
    assert_eq!(found.len(), 5000);
    let drawn = render(&found, &sources, false);
    assert!(drawn.ends_with("and 4900 more\n\n"));
}

/// An API of 2,000 changes, each about a call of its own and, against the order of the files, after the next.
#[test]
fn very_many_files_compile() {
    let mut sources = vec![Source { file: "chat/api.yaml".into(), text: API.into() }];
    for n in 0..2000 {
        let after = if n == 1999 { String::new() } else { format!("after: [c{}]\n", n + 1) };
        let text = format!(
            "change: c{n}\nsince: \"2\"\nsummary: a\n{after}apply:\n  - http: GET /a{n}/{{id}}\n    request:\n      \
             - rename: {{/a: b}}\n"
        );
        sources.push(Source { file: format!("chat/changes/2/20250101_{n:04}.yaml"), text });
    }
    let compiled = compile(&sources);
    assert_eq!(render(&compiled.diagnostics, &sources, false), "");
    assert!(compiled.rules.is_some());
}

/// Whatever is taken out of a good change: findings with places, and no panic.
#[test]
fn every_line_that_is_missing_or_doubled_is_survived() {
    let text = include_str!("../../rules/chat/changes/2/20250110120000_message_fields.yaml");
    let lines: Vec<&str> = text.lines().collect();
    for at in 0..lines.len() {
        for replacement in [vec![], vec![lines[at], lines[at]], vec!["~: [}"], vec!["x: y"], vec!["    - 1"]] {
            let mut changed: Vec<&str> = lines.clone();
            changed.splice(at..=at, replacement);
            let sources = [("chat/changes/2/20250110120000_message_fields.yaml", changed.join("\n"))];
            for finding in one(&sources) {
                assert!(finding.span.start <= finding.span.end, "{}", finding.message);
            }
        }
    }
}
