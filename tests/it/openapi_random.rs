//! What derived contracts promise, on random schemas, ops and documents: what the engine makes of a document that fits
//! the older contract fits the derived one, in both directions; and `conforms` agrees with a validator that shares
//! nothing with it.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, StatusCode};
use legato_proxy::diagnostic::Source;
use legato_proxy::json::{Limits, OnError, Program, Uuids, Values, translate};
use legato_proxy::openapi::{Contracts, Document, Generator, Part, conforms, derive};
use legato_proxy::route::Template;
use legato_proxy::rules::{Direction, compile};
use legato_proxy::version::VersionId;
use serde_json::{Value, json};

use crate::support::random::Random;

/// Cases of one run; `LEGATO_SEED` is the first of others.
const CASES: u64 = 200;

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e_f"];

fn schema(random: &mut Random, depth: usize) -> Value {
    let mut schema = match random.below(if depth > 2 { 7 } else { 13 }) {
        0 => json!({"type": "string"}),
        1 => json!({"type": "integer", "minimum": 0, "maximum": 2_000_000_000}),
        2 => json!({"type": "boolean"}),
        3 => json!({"type": "string", "enum": ["x", "y", "z"]}),
        4 => json!({"type": "string", "format": "date-time"}),
        5 => json!({"type": "array", "items": {"type": "string"}, "minItems": random.below(3)}),
        6 => json!({"type": "number"}),
        7 => json!({"type": "array", "items": schema(random, depth + 1)}),
        8 => json!({"type": "object", "additionalProperties": schema(random, depth + 1)}),
        9 => json!({"$ref": "#/components/schemas/Shared"}),
        10 if depth > 0 => json!({"oneOf": [object(random, depth + 1), {"type": "string"}]}),
        _ => object(random, depth + 1),
    };
    if random.below(6) == 0
        && let Some(name) = schema["type"].as_str().map(str::to_owned)
        && schema.get("enum").is_none()
    {
        schema["type"] = json!([name, "null"]);
    }
    schema
}

fn object(random: &mut Random, depth: usize) -> Value {
    let mut object = json!({"type": "object", "properties": {}, "required": []});
    for name in NAMES {
        if random.below(3) > 0 {
            object["properties"][name] = schema(random, depth);
            if random.below(2) == 0 {
                object["required"].as_array_mut().unwrap().push(name.into());
            }
        }
    }
    object
}

/// Paths of members, and of everything.
fn paths(schema: &Value, shared: &Value, at: &str, depth: usize, found: &mut Vec<String>) {
    let schema = if schema.get("$ref").is_some() { shared } else { schema };
    if depth > 4 {
        return;
    }
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{at}/{name}");
        found.push(path.clone());
        paths(inner, shared, &path, depth + 1, found);
    }
    for name in ["items", "additionalProperties"] {
        if let Some(inner) = schema.get(name) {
            paths(inner, shared, &format!("{at}/*"), depth + 1, found);
        }
    }
}

fn op(random: &mut Random, paths: &[String]) -> Value {
    let at = random.pick(paths).clone();
    let (parent, _) = at.rsplit_once('/').expect("a member");
    let name = *random.pick(&["a", "b", "new", "g_h"]);
    let sibling = format!("{parent}/{name}");
    let other_else = random.pick(&[json!("fail"), json!("keep"), json!("drop"), json!({"value": "w"})]).clone();
    let mut op = match random.below(19) {
        0 | 1 => json!({"rename": {&at: name}}),
        2 => json!({"move": {"from": at, "to": sibling}}),
        3 => json!({"move": {"from": at, "to": format!("{parent}/n/{name}")}}),
        4 => {
            json!({"add": {"at": sibling, "default": {"value": random.pick(&[json!(1), json!("s"), json!({"q": [1]})])}}})
        }
        5 => json!({"add": {"at": format!("{parent}/n/{name}"), "default": {"value": "$now"}, "create": true}}),
        6 => json!({"remove": {"at": at, "restore": random.pick(&[json!("absent"), json!({"value": 7})])}}),
        7 => json!({"map": {"at": at, "pairs": [["x", "p"], ["y", "q"], ["y", "r"], [true, 1]], "else": other_else}}),
        8 => {
            let (from, to) = *random.pick(&[
                ("integer", "string"),
                ("minor_units", "decimal_string"),
                ("unix_seconds", "rfc3339"),
                ("rfc3339", "unix_millis"),
                ("boolean", "integer"),
                ("csv", "array"),
            ]);
            json!({"convert": {"at": at, "from": from, "to": to, "else": other_else}})
        }
        9 => json!({"wrap": {"at": at, "into": "array"}}),
        10 => json!({"wrap": {"at": at, "into": {"key": "k", "with": {"w": 1}}}}),
        11 => {
            json!({"unwrap": {"at": at, "into": "array", "many": "first", "empty": random.pick(&["null", "absent"])}})
        }
        12 => {
            json!({"split": {"at": at, "into": [format!("{parent}/s1"), sibling], "else": random.pick(&[json!("fail"), json!("keep"), json!("drop"), json!({"value": "a b"}), json!({"value": 7}), json!({"value": null})])}})
        }
        13 => json!({"entries": {"at": at, "key": "k", "value": "v"}}),
        14 => {
            json!({"presence": {"at": at, "up": {"missing": random.pick(&[json!("null"), json!({"value": 3})]), "null": random.pick(&["keep", "absent"])}}})
        }
        15 => json!({"recase": {"from": "snake", "to": "camel", "except": ["b"]}}),
        16 => json!({"tuple": {"at": at, "keys": ["x", "y"], "extra": "drop"}}),
        17 => {
            json!({"each": {"at": parent.to_owned() + if parent.is_empty() { "body:" } else { "" }, "ops": [{"rename": {"/a": "h"}, "where": {"/b": {"exists": true}}}]}})
        }
        _ => json!({"envelope": {"key": "data", "with": {"meta": 1}}}),
    };
    if random.below(5) == 0 && parent.is_empty() {
        op["where"] =
            json!({random.pick(paths).replace("/*", "/a"): random.pick(&[json!("x"), json!({"exists": true})])});
    }
    op
}

struct Case {
    text: String,
    api: Arc<legato_proxy::rules::Api>,
    older: Document,
}

fn case(seed: u64) -> Option<Case> {
    let mut random = Random(seed);
    let shared = object(&mut random, 2);
    let root = object(&mut random, 0);
    let mut all = Vec::new();
    paths(&root, &shared, "", 0, &mut all);
    if all.is_empty() {
        return None;
    }
    let ops: Vec<Value> = (0..=random.below(3)).map(|_| op(&mut random, &all)).collect();
    let content = json!({"content": {"application/json": {"schema": root}}});
    let contract = json!({
        "openapi": "3.1.0",
        "paths": {"/x": {"post": {"requestBody": content, "responses": {"200": content}}}},
        "components": {"schemas": {"Shared": shared}},
    });
    let change = json!({
        "change": "a", "since": "2", "summary": "a",
        "apply": [{"http": "POST /x", "request": ops, "response": {"2xx": ops}}],
    });
    let api = "legato: 1\napi: chat\nversions: [{id: \"1\"}, {id: \"2\"}]\nclient_version: [{default: \"1\"}]\ncheck: {LS101: off, CF202: off, CF203: off, CF204: off, CF205: off, CF207: off, CF209: off}\n";
    let files = [
        ("chat/api.yaml", api.to_owned()),
        ("chat/changes/2/20250101_a.yaml", change.to_string()),
        ("chat/openapi/1.yaml", contract.to_string()),
    ];
    let files: Vec<Source> = files.into_iter().map(|(file, text)| Source { file: file.into(), text }).collect();
    let api = Arc::clone(compile(&files).rules?.apis.get("chat")?);
    let mut contracts = Contracts::read(&api, &files).0;
    Some(Case { text: format!("seed {seed}: {}", json!(ops)), older: contracts.documents.remove(&VersionId(0))?, api })
}

fn run(program: &Arc<Program>, value: &Value) -> Option<Value> {
    let values = Values {
        now: "2026-03-01T00:00:00Z".into(),
        version: "2".into(),
        uuids: Uuids::default(),
        on_error: OnError::Reject,
    };
    let done = translate(program, &values, Limits::default(), Bytes::from(value.to_string())).ok()?;
    serde_json::from_slice(&done.body).ok()
}

/// Translates documents that fit `from` one way, and holds them against `to`; how many there were, and what is wrong.
fn check(case: &Case, from: &Document, to: &Document, up: bool, seed: u64) -> (usize, Option<String>) {
    let post = Template::parse("POST /x").expect("a call");
    let (old, new) = (VersionId(0), VersionId(1));
    let (near, far) = if up { (old, new) } else { (new, old) };
    let request = case.api.pair(near, far).find(&Method::POST, "/x").request().body.clone();
    let response = case.api.pair(far, near).find(&Method::POST, "/x").response(StatusCode::OK).body.clone();
    let mut generator = Generator::new(seed);
    let mut checked = 0;
    for (part, program) in [(Part::Request, request), (Part::Response(200), response)] {
        let schema = |document: &'_ Document| document.body(&document.call(&post).expect("the call"), part).cloned();
        let (schema, target) = (schema(from).expect("a schema"), schema(to).expect("a schema"));
        for _ in 0..4 {
            let Some(value) = generator.generate(from, &schema, part) else { continue };
            let Some(translated) = run(&program, &value) else { continue };
            checked += 1;
            if let Err(path) = conforms(to, &target, part, &translated) {
                let wrong = format!(
                    "{}\n{part:?}, up {up}: {value}\nbecomes {translated}\nwhich does not fit at `{path}`\n{target}\nfrom {schema}\nshared {} {}\n",
                    case.text, from.value["components"], to.value["components"],
                );
                return (checked, Some(wrong));
            }
        }
    }
    (checked, None)
}

#[test]
fn translated_documents_fit_derived_contracts() {
    let first: Option<u64> = std::env::var("LEGATO_SEED").ok().and_then(|seed| seed.parse().ok());
    let (mut checked, mut cases, mut wrong) = (0, 0, Vec::new());
    for seed in first.map_or(0..CASES, |seed| seed..seed + CASES) {
        let Some(case) = case(seed) else { continue };
        let newer = derive(&case.older, &case.api, VersionId(1), Direction::Up);
        let back = derive(&newer, &case.api, VersionId(1), Direction::Down);
        cases += 1;
        for (from, to, up) in [(&case.older, &newer, true), (&newer, &back, false)] {
            let (count, found) = check(&case, from, to, up, seed);
            checked += count;
            wrong.extend(found);
        }
    }
    // The shortest tell most.
    wrong.sort_by_key(String::len);
    assert!(wrong.is_empty(), "{} of {cases} cases are wrong\n{}", wrong.len(), wrong[..wrong.len().min(8)].join("\n"));
    assert!(cases > 150 && checked > 700, "{cases} cases, {checked} documents");
}

#[test]
fn conforms_agrees_with_another_validator() {
    let (mut fitting, mut failing) = (0, 0);
    for seed in 0..400 {
        let mut random = Random(seed);
        let (shared, root) = (object(&mut random, 2), object(&mut random, 0));
        let text = json!({"openapi": "3.1.0", "components": {"schemas": {"Shared": shared, "Root": root}}}).to_string();
        let document = Document::parse(&Source { file: "x.json".into(), text }).0.expect("a document");
        let mut whole = document.value.clone();
        whole["$ref"] = "#/components/schemas/Root".into();
        let validator = jsonschema::draft202012::new(&whole).expect("a schema");
        let of_root = json!({"$ref": "#/components/schemas/Root"});
        let mut generator = Generator::new(seed);
        for _ in 0..5 {
            let Some(mut value) = generator.generate(&document, &of_root, Part::Request) else { continue };
            assert!(validator.is_valid(&value), "seed {seed}: {value} was generated from {whole}");
            fitting += 1;
            spoil(&mut random, &mut value);
            let ours = conforms(&document, &of_root, Part::Request, &value);
            assert_eq!(ours.is_ok(), validator.is_valid(&value), "seed {seed}: {value} of {whole}: {ours:?}");
            failing += usize::from(ours.is_err());
        }
    }
    assert!(fitting > 1000 && failing > 200, "{fitting} fit, {failing} do not");
}

/// Changes one value somewhere.
fn spoil(random: &mut Random, value: &mut Value) {
    match value {
        Value::Object(members) if !members.is_empty() && random.below(4) > 0 => {
            let at = random.below(members.len());
            if random.below(5) == 0 {
                let name = members.keys().nth(at).cloned().expect("a name");
                members.remove(&name);
            } else {
                spoil(random, members.values_mut().nth(at).expect("a value"));
            }
        }
        Value::Array(items) if !items.is_empty() && random.below(4) > 0 => {
            let at = random.below(items.len());
            spoil(random, &mut items[at]);
        }
        other => *other = random.pick(&[json!(1), json!(-1.5), json!("x"), json!(null), json!([]), json!({})]).clone(),
    }
}
