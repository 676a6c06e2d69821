//! What the documents say is so: their examples run, and their lists are the code's.

use std::collections::BTreeSet;

use bytes::Bytes;
use legato_proxy::diagnostic::{Source, render};
use legato_proxy::failure::Kind;
use legato_proxy::json::{Code, Limits, OnError, Uuids, Values, translate};
use legato_proxy::openapi;
use legato_proxy::rules::{Direction, Mode, Ops, compile, test};
use legato_proxy::version::VersionId;
use legato_proxy::yaml;

use crate::support::cases;

const RULES: &str = include_str!("../../docs/rules.md");
const DIAGNOSTICS: &str = include_str!("../../docs/diagnostics.md");
const ERRORS: &str = include_str!("../../docs/errors.md");
const OPERATIONS: &str = include_str!("../../docs/operations.md");
const CONTRACTS: &str = include_str!("../../docs/openapi.md");
const README: &str = include_str!("../../README.md");

/// The fenced blocks of a page, each with its language.
fn fenced(page: &str) -> Vec<(&str, String)> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push((language, body.join("\n") + "\n"));
        }
    }
    blocks
}

fn run(ops: &Ops, direction: Direction, document: &str) -> String {
    let values = Values {
        now: "2026-03-01T00:00:00Z".into(),
        version: "2".into(),
        uuids: Uuids::default(),
        on_error: OnError::Reject,
    };
    let program = ops.program(direction, Mode::Full);
    let done = translate(&program, &values, Limits::default(), Bytes::copy_from_slice(document.as_bytes()));
    let done = done.unwrap_or_else(|error| panic!("{error}: {document}"));
    String::from_utf8(done.body).expect("UTF-8")
}

fn same(found: &str, want: &str) -> bool {
    let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap_or_else(|e| panic!("{e}: {text}"));
    value(found) == value(want)
}

/// The lists of ops of the page, with the documents that follow each.
fn op_examples() -> Vec<(String, Vec<String>)> {
    let mut examples: Vec<(String, Vec<String>)> = Vec::new();
    for (language, body) in fenced(RULES) {
        match (language, examples.last_mut()) {
            ("yaml", _) if body.starts_with("- ") => examples.push((body, Vec::new())),
            ("json", Some((_, documents))) => documents.push(body),
            _ => {}
        }
    }
    examples
}

#[test]
fn examples_of_ops_run_both_ways() {
    let examples = op_examples();
    for (text, documents) in &examples {
        let ops = Ops::parse(text, "rules.md").unwrap_or_else(|found| panic!("{}", render(&found, &[], false)));
        assert!(!documents.is_empty(), "no documents follow\n{text}");
        for document in documents {
            let lines: Vec<&str> = document.lines().collect();
            let (&[old, new] | &[old, new, _]) = lines.as_slice() else {
                panic!("two or three lines, not\n{document}")
            };
            let up = run(&ops, Direction::Up, old);
            assert!(same(&up, new), "{text}expected {new}\n   found {up}");
            let back = lines.get(2).copied().unwrap_or(old);
            let down = run(&ops, Direction::Down, new);
            assert!(same(&down, back), "{text}expected {back}\n   found {down} going down");
        }
    }
}

#[test]
fn the_api_of_the_page_compiles_and_passes_its_tests() {
    let files: Vec<Source> = fenced(RULES)
        .into_iter()
        .filter_map(|(_, body)| {
            let file = body.lines().next()?.strip_prefix("# rules/")?.to_owned();
            Some(Source { file, text: body })
        })
        .collect();
    assert_eq!(files.len(), 8);
    let compiled = compile(&files);
    let told = render(&compiled.diagnostics, &files, false);
    let rules = compiled.rules.unwrap_or_else(|| panic!("{told}"));
    assert!(told.is_empty(), "{told}");
    let report = test::run(&rules);
    assert!(report.failures.is_empty(), "{}", render(&report.failures, &files, false));
    assert!(report.passed >= 23, "{}", report.passed);
}

#[test]
fn the_contract_of_the_page_derives_as_it_says() {
    let blocks = fenced(CONTRACTS);
    let file = |(_, body): &(&str, String)| {
        let file = body.lines().next()?.strip_prefix("# rules/")?.to_owned();
        Some(Source { file, text: body.clone() })
    };
    let mut files: Vec<Source> = blocks.iter().filter_map(file).collect();
    let api = "legato: 1\napi: shop\nversions: [{id: \"1\"}, {id: \"2\"}]\nclient_version: [{default: \"1\"}]\n";
    files.push(Source { file: "shop/api.yaml".into(), text: api.into() });
    files.sort_by(|a, b| a.file.cmp(&b.file));
    let compiled = compile(&files);
    let rules = compiled.rules.unwrap_or_else(|| panic!("{}", render(&compiled.diagnostics, &files, false)));
    let api = &rules.apis["shop"];
    let contracts = openapi::Contracts::read(api, &files).0;
    let derived = contracts.document(api, VersionId(1)).expect("a document");
    let want = blocks.iter().find_map(|(_, body)| body.strip_prefix("# legato openapi --api shop --version 2\n"));
    assert_eq!(Some(openapi::to_yaml(&derived.value).as_str()), want);
}

/// Every fenced block of YAML in the guide is YAML.
#[test]
fn yaml_in_the_guide_is_yaml() {
    let pages = [
        RULES,
        ERRORS,
        CONTRACTS,
        include_str!("../../docs/websocket.md"),
        include_str!("../../docs/content.md"),
        include_str!("../../docs/configuration.md"),
        include_str!("../../docs/getting-started.md"),
        include_str!("../../docs/diff.md"),
        README,
    ];
    for (_, body) in pages.iter().flat_map(|page| fenced(page)).filter(|(language, _)| *language == "yaml") {
        if let Err(found) = yaml::parse(&body, "page.md", yaml::Limits::default()) {
            panic!("{}\n{body}", render(&found, &[], false));
        }
    }
}

#[test]
fn every_diagnostic_code_has_a_paragraph() {
    let documented: BTreeSet<String> =
        DIAGNOSTICS.lines().filter_map(|line| Some(line.strip_prefix("**")?.split_once("**")?.0.to_owned())).collect();
    assert_eq!(documented, cases::diagnostic_codes(&["src"]));
}

/// The kinds of failure beside [`Code`], as `Kind::code` names them. Its `match` has no other list of them.
const KINDS: [Kind; 31] = [
    Kind::BadRequest,
    Kind::MethodNotSupported,
    Kind::HttpVersion,
    Kind::TransferCoding,
    Kind::ExpectationFailed,
    Kind::HeadTooLarge,
    Kind::HeadTimeout,
    Kind::NoRoute,
    Kind::UnknownVersion,
    Kind::AmbiguousVersion,
    Kind::VersionGone,
    Kind::Gone(410),
    Kind::Added(404),
    Kind::NoRules,
    Kind::UnsupportedCharset,
    Kind::UnknownCoding,
    Kind::MalformedCoding,
    Kind::BodyTooLarge,
    Kind::Incomplete,
    Kind::Unreachable,
    Kind::Overloaded,
    Kind::AllEjected(1),
    Kind::BackendTls,
    Kind::ConnectTimeout,
    Kind::ResponseHeadTimeout,
    Kind::IdleTimeout,
    Kind::SlowBody,
    Kind::RequestTimeout,
    Kind::BadResponse,
    Kind::BadHandshake,
    Kind::UpgradeRequired,
];

#[test]
fn every_problem_code_is_listed() {
    let codes = Code::ALL.iter().map(|code| code.name()).chain(KINDS.iter().map(|kind| kind.code()));
    let missing: Vec<&str> = codes.filter(|code| !ERRORS.contains(&format!("`{code}`"))).collect();
    assert!(missing.is_empty(), "docs/errors.md says nothing of {missing:?}");
    // A kind that the list above lacks shows here.
    let source = include_str!("../../src/failure.rs");
    let arms = source.lines().filter(|line| line.trim_start().starts_with("Self::") && line.contains("=> \"")).count();
    assert_eq!(arms, KINDS.len(), "`KINDS` lacks a kind of `failure::Kind`");
}

/// The names of a table's first column: what stands in backticks there.
fn first_column(page: &'static str, heading: &str) -> BTreeSet<&'static str> {
    let mut lines = page.lines().skip_while(|line| !line.starts_with(heading)).skip(2);
    let rows = lines.by_ref().take_while(|line| line.starts_with('|'));
    rows.flat_map(|row| row.split('|').nth(1).unwrap().split('`').skip(1).step_by(2)).collect()
}

#[test]
fn the_fields_of_access_records_are_listed() {
    let source = include_str!("../../src/telemetry/access_log/record.rs");
    let code = source.split("#[cfg(test)]").next().unwrap();
    let texts = code.split("text(\"").skip(1).filter_map(|rest| rest.split('"').next());
    let written = code.split("\\\"").skip(1).step_by(2);
    let is_name = |name: &&str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let fields: BTreeSet<&str> = texts.chain(written).filter(is_name).collect();
    assert_eq!(first_column(OPERATIONS, "| field | says |"), fields);
}

#[test]
fn the_metrics_are_listed() {
    let source = include_str!("../../src/telemetry/metrics.rs");
    let code: BTreeSet<&str> = source.split("\"legato_").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let listed = first_column(OPERATIONS, "| metric | counts |");
    let names = listed.iter().filter_map(|name| name.split('{').next()?.strip_prefix("legato_"));
    assert_eq!(names.collect::<BTreeSet<_>>(), code);
}

/// Links between pages lead to files that are there.
#[test]
fn links_lead_somewhere() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    for (folder, page) in
        [("docs", RULES), ("docs", DIAGNOSTICS), ("docs", ERRORS), ("docs", CONTRACTS), ("docs", OPERATIONS)]
    {
        let targets = page.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.contains("://")) {
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let text = if file.is_empty() {
                page.to_owned()
            } else {
                std::fs::read_to_string(root.join(folder).join(file)).unwrap_or_else(|e| panic!("{target}: {e}"))
            };
            let slug = |line: &str| -> String {
                line.trim_start_matches(['#', ' '])
                    .to_lowercase()
                    .chars()
                    .filter_map(
                        |c| if c == ' ' { Some('-') } else { Some(c).filter(|c| c.is_alphanumeric() || *c == '-') },
                    )
                    .collect()
            };
            assert!(
                anchor.is_empty() || text.lines().any(|line| line.starts_with('#') && slug(line) == anchor),
                "{target}: no such heading"
            );
        }
    }
}
