//! Contracts that are derived, whole.
//!
//! A case is a file of `tests/data/openapi`: a rules directory as in `diagnostics`, with a contract of one version, and
//! below `=== want 2` the document of version 2 as `legato openapi` prints it. `LEGATO_BLESS=1` writes what was found
//! into the cases: read it before keeping it.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use legato_proxy::diagnostic::{Source, render};
use legato_proxy::json::edit::Token;
use legato_proxy::openapi::{Contracts, Document, Level, Part, compare, conforms, required, to_yaml};
use legato_proxy::route::Template;
use legato_proxy::rules::{Api, compile};

use crate::support::cases;

/// What a change loses is for others to test.
const API: &str = "legato: 1\napi: chat\nversions: [{id: \"1\"}, {id: \"2\"}, {id: \"3\"}]
client_version: [{default: \"1\"}]\ncheck: {LS101: off}\n";

pub(crate) fn api(files: &mut Vec<Source>) -> Arc<Api> {
    if !files.iter().any(|source| source.file == "chat/api.yaml") {
        files.push(Source { file: "chat/api.yaml".into(), text: API.into() });
    }
    files.sort_by(|a, b| a.file.cmp(&b.file));
    let compiled = compile(files);
    let rules = compiled.rules.unwrap_or_else(|| panic!("{}", render(&compiled.diagnostics, files, false)));
    Arc::clone(&rules.apis["chat"])
}

fn contracts(api: &Api, files: &[Source]) -> Contracts {
    let (contracts, found) = Contracts::read(api, files);
    assert!(found.is_empty(), "{}", render(&found, files, false));
    contracts
}

/// Derived documents are compared whole, can be read again, and derive to what they came from where nothing is lost.
#[test]
fn documents_derive_as_their_cases_say() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/openapi");
    let mut paths: Vec<_> =
        fs::read_dir(directory).expect("cases").map(|entry| entry.expect("a file").path()).collect();
    paths.sort();
    assert!(paths.len() >= 5);
    let mut wrong = String::new();
    for path in paths {
        let text = fs::read_to_string(&path).expect("UTF-8");
        let sections = cases::sections(&text);
        let mut files: Vec<Source> = sections
            .iter()
            .filter(|(name, _)| name.contains('/'))
            .map(|(file, text)| Source { file: file.clone(), text: text.clone() })
            .collect();
        let api = api(&mut files);
        let contracts = contracts(&api, &files);
        let mut blessed = text.split("=== want").next().unwrap_or_default().to_owned();
        for (name, want) in sections.iter().filter(|(name, _)| name.starts_with("want ")) {
            let version = api.versions.find(&name["want ".len()..]).expect("a version");
            let derived = contracts.document(&api, version).expect("a document");
            let found = to_yaml(&derived.value);
            let again = Document::parse(&Source { file: "derived.yaml".into(), text: found.clone() });
            assert!(again.1.is_empty(), "{}\n{found}", render(&again.1, &[], false));
            assert_eq!(again.0.expect("a document").value, derived.value, "{found}");
            let differences = compare(&derived, &derived);
            assert!(differences.is_empty(), "{}: a document differs from itself: {differences:?}", path.display());
            let _ = write!(blessed, "=== {name}\n{found}");
            if *want != found {
                let _ = writeln!(wrong, "{}: expected\n{want}\nfound\n{found}", path.display());
            }
        }
        if std::env::var_os("LEGATO_BLESS").is_some() && blessed != text {
            fs::write(&path, blessed).expect("written");
            wrong.clear();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

fn document(text: &str) -> Document {
    let (document, found) =
        Document::parse(&Source { file: "chat/openapi/1.yaml".into(), text: text.replace('@', "openapi: 3.1.0\n") });
    document.unwrap_or_else(|| panic!("{}", render(&found, &[], false)))
}

const SMALL: &str = r##"@paths:
  /a/{id}:
    get:
      responses:
        2XX: {content: {application/hal+json: {schema: {$ref: "#/components/schemas/A"}}}}
components:
  schemas:
    A: {allOf: [{required: [id]}, {type: object, properties: {id: {type: integer}, list: {type: array, items: {$ref: "#/components/schemas/B"}}}}]}
    B: {type: object, required: [x], properties: {x: {type: string}, more: {$ref: "#/components/schemas/B"}}}
"##;

/// One line each: the part, a schema, a value, and where it does not fit.
#[test]
fn values_are_held_against_what_binds_their_part() {
    const IN_PARTS: &str =
        "{allOf: [{properties: {a: {$ref: '#/components/schemas/Made'}}}, {oneOf: [{required: [a]}]}]}";
    let (request, response) = (Part::Request, Part::Response(200));
    let cases = [
        (request, "{required: [a], properties: {a: {readOnly: true}}}", "{}", None),
        (response, "{required: [a], properties: {a: {readOnly: true}}}", "{}", Some("/a")),
        (request, "{required: [a], properties: {a: {readOnly: true, type: string}}}", "{\"a\": 1}", Some("/a")),
        (request, "{required: [a], properties: {a: {writeOnly: true}}}", "{}", Some("/a")),
        (response, "{required: [a], properties: {a: {writeOnly: true}}}", "{}", None),
        (request, "{required: [a], properties: {b: {readOnly: true}}}", "{}", Some("/a")),
        (request, "{required: [a], properties: {a: {properties: {b: {readOnly: true}}}}}", "{}", Some("/a")),
        (request, IN_PARTS, "{}", None),
        (response, IN_PARTS, "{}", Some("")),
        (request, "{items: {required: [a], properties: {a: {allOf: [{readOnly: true}]}}}}", "[{}]", None),
        (request, "{$ref: '#/components/schemas/Circle', required: [a]}", "{}", Some("/a")),
        (request, "{patternProperties: {'^x-': {}}, additionalProperties: false}", "{\"x-a\": 1}", None),
        (request, "{patternProperties: {'^x-': {}}, additionalProperties: {type: string}}", "{\"x-a\": 1}", None),
        (request, "{additionalProperties: false}", "{\"x-a\": 1}", Some("/x-a")),
    ];
    for (part, schema, value, want) in cases {
        let document = document(&format!(
            "@components:\n  schemas:\n    Asked: {schema}\n    Made: {{readOnly: true}}\n    Circle: {{allOf: [{{$ref: '#/components/schemas/Circle'}}]}}\n"
        ));
        let found = conforms(
            &document,
            &document.value["components"]["schemas"]["Asked"],
            part,
            &serde_json::from_str(value).expect("JSON"),
        );
        assert_eq!(found.err().as_deref(), want, "{part:?}: {value} of {schema}");
    }
}

#[test]
fn required_members_are_listed() {
    let call = Template::parse("GET /a/{other}").expect("a call");
    let paths = required(&document(SMALL), &call, Part::Response(204));
    let told = |path: &Vec<Token>| -> String {
        let told = path.iter().map(|token| match token {
            Token::Key(key) => format!("/{key}"),
            Token::Any => "/*".to_owned(),
        });
        told.collect()
    };
    let told: Vec<String> = paths.iter().map(told).collect();
    for path in ["/id", "/list/*/x", "/list/*/more/x", "/list/*/more/more/x"] {
        assert!(told.iter().any(|other| other == path), "{path}: {told:?}");
    }
    assert!(!told.contains(&"/list".to_owned()), "{told:?}");
    assert!(required(&document(SMALL), &call, Part::Request).is_empty());
}

/// One line each: what was, what is, and the finding as `id path`.
#[test]
fn differences_have_the_names_of_oasdiff() {
    let cases = [
        (
            "response",
            "{type: object, properties: {a: {type: string}}}",
            "{type: object}",
            "response-optional-property-removed /a",
        ),
        (
            "response",
            "{type: object, required: [a], properties: {a: {type: string}}}",
            "{type: object}",
            "response-required-property-removed /a",
        ),
        (
            "response",
            "{type: object, required: [a], properties: {a: {}}}",
            "{type: object, properties: {a: {}}}",
            "response-property-became-optional /a",
        ),
        (
            "response",
            "{type: object, properties: {a: {type: string}}}",
            "{type: object, properties: {a: {type: [string, 'null']}}}",
            "response-property-became-nullable /a",
        ),
        (
            "response",
            "{type: object, properties: {a: {type: string}}}",
            "{type: object, properties: {a: {type: integer}}}",
            "response-property-type-changed /a",
        ),
        ("response", "{type: number}", "{type: integer}", ""),
        ("response", "{type: integer}", "{type: number}", "response-body-type-changed "),
        (
            "response",
            "{type: array, items: {type: string, enum: [a]}}",
            "{type: array, items: {type: string, enum: [a, b]}}",
            "response-property-enum-value-added /*",
        ),
        (
            "response",
            "{type: array, items: {type: string, enum: [a, b]}}",
            "{type: array, items: {type: string, enum: [a]}}",
            "",
        ),
        ("response", "{type: string, maxLength: 5}", "{type: string}", "response-property-max-length-increased "),
        ("response", "{x-legato-unknown: true}", "{type: string}", ""),
        ("response", "{oneOf: [{type: string}, {type: integer}]}", "{type: string}", ""),
        ("response", "{type: string}", "{oneOf: [{type: string}, {type: integer}]}", "response-property-one-of-added "),
        (
            "response",
            "{type: object, additionalProperties: {type: string}}",
            "{type: object, additionalProperties: {type: integer}}",
            "response-property-type-changed /*",
        ),
        (
            "request",
            "{type: object}",
            "{type: object, required: [a], properties: {a: {}}}",
            "new-required-request-property /a",
        ),
        ("request", "{type: object}", "{type: object, properties: {a: {}}}", ""),
        (
            "request",
            "{type: object, properties: {a: {}}}",
            "{type: object, required: [a], properties: {a: {}}}",
            "request-property-became-required /a",
        ),
        ("request", "{type: object, properties: {a: {}}}", "{type: object}", "request-property-removed /a"),
        (
            "request",
            "{type: string, enum: [a, b]}",
            "{type: string, enum: [a]}",
            "request-property-enum-value-removed ",
        ),
        ("request", "{type: string}", "{type: string, enum: [a]}", "request-property-became-enum "),
        ("request", "{type: [string, 'null']}", "{type: string}", "request-body-became-not-nullable "),
        (
            "request",
            "{type: string, maxLength: 5}",
            "{type: string, maxLength: 4}",
            "request-property-max-length-decreased ",
        ),
        ("request", "{type: string}", "{oneOf: [{type: string}, {type: integer}]}", ""),
        ("request", "{oneOf: [{type: string}, {type: integer}]}", "{type: string}", "request-property-one-of-removed "),
        ("request", "{type: object}", "{type: object, required: [a], properties: {a: {readOnly: true}}}", ""),
        ("request", "{type: object, properties: {a: {readOnly: true}}}", "{type: object}", ""),
        (
            "request",
            "{type: object, required: [a], properties: {a: {readOnly: true}}}",
            "{type: object, required: [a], properties: {a: {}}}",
            "request-property-became-required /a",
        ),
        (
            "response",
            "{type: object, required: [a], properties: {a: {readOnly: true}}}",
            "{type: object, properties: {a: {readOnly: true}}}",
            "response-property-became-optional /a",
        ),
        ("response", "{type: object, required: [a], properties: {a: {writeOnly: true}}}", "{type: object}", ""),
    ];
    for (part, before, after, want) in cases {
        let findings = compare(&of_part(part, before), &of_part(part, after));
        let harmful: Vec<String> = findings
            .iter()
            .filter(|finding| finding.level != Level::Info)
            .map(|finding| format!("{} {}", finding.id, finding.path))
            .collect();
        assert_eq!(harmful, Vec::from_iter(Some(want).filter(|want| !want.is_empty())), "{before} to {after}");
    }
}

/// A document of one call, whose request or response has a schema.
fn of_part(part: &str, schema: &str) -> Document {
    let content = format!("{{content: {{application/json: {{schema: {schema}}}}}}}");
    document(&match part {
        "request" => format!("@paths: {{/a: {{post: {{requestBody: {content}}}}}}}"),
        _ => format!("@paths: {{/a: {{get: {{responses: {{200: {content}}}}}}}}}"),
    })
}

#[test]
fn a_name_that_a_pattern_may_allow_is_not_refused() {
    let before = of_part("request", "{type: object, properties: {a: {}}}");
    let level = |more: &str| {
        let after = of_part("request", &format!("{{type: object, additionalProperties: false{more}}}"));
        compare(&before, &after).iter().map(|finding| finding.level).collect::<Vec<_>>()
    };
    assert_eq!(level(""), [Level::Error]);
    assert_eq!(level(", patternProperties: {'^a': {}}"), [Level::Warning]);
}
