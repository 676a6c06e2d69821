//! Where paths go is where the engine puts their values: the answers of `Ops::carry`, held against translations of the
//! vectors' documents.

use bytes::Bytes;
use legato_proxy::json::edit::{Path, Token};
use legato_proxy::json::{Limits, Values, translate};
use legato_proxy::rules::lens::Carried;
use legato_proxy::rules::{Direction, Mode, Ops};
use serde_json::Value;

/// Every string and number of a document, with its path.
fn leaves(value: &Value, path: &Path, found: &mut Vec<(Path, Value)>) {
    let below = |key: String| path.iter().cloned().chain([Token::Key(key)]).collect::<Path>();
    match value {
        Value::Object(members) => members.iter().for_each(|(key, value)| leaves(value, &below(key.clone()), found)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, value)| leaves(value, &below(at.to_string()), found));
        }
        Value::String(_) | Value::Number(_) => found.push((path.clone(), value.clone())),
        Value::Null | Value::Bool(_) => {}
    }
}

fn all(value: &Value) -> Vec<(Path, Value)> {
    let mut found = Vec::new();
    leaves(value, &Path::new(), &mut found);
    found
}

/// The path with the one element that an op makes in the place of all.
fn first(path: Path) -> Path {
    path.into_iter().map(|token| if token == Token::Any { Token::Key("0".into()) } else { token }).collect()
}

/// The value at a path.
fn at<'v>(value: &'v Value, path: &[Token]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, token| match (value, token) {
        (Value::Array(items), Token::Key(key)) => items.get(key.parse::<usize>().ok()?),
        (Value::Object(members), Token::Key(key)) => members.get(key),
        _ => None,
    })
}

/// Compares the answers for every leaf of a document with its translation; how many were certain.
fn compare(name: &str, ops: &Ops, direction: Direction, document: &Value) -> usize {
    let text = Bytes::from(document.to_string());
    let values = Values { version: "v2".into(), ..Values::default() };
    let Ok(done) = translate(&ops.program(direction, Mode::Full), &values, Limits::default(), text) else { return 0 };
    let done: Value = serde_json::from_slice(&done.body).expect("JSON");
    let (before, after) = (all(document), all(&done));
    let mut certain = 0;
    for (path, value) in &before {
        let is_unique = before.iter().filter(|(_, other)| other == value).count() == 1;
        let now: Vec<&Path> = after.iter().filter(|(_, other)| other == value).map(|(path, _)| path).collect();
        let told = || format!("{name} {direction:?}: {path:?} of {document}, which became {done}");
        let to = match ops.carry(direction, path) {
            Carried::Same => path.clone(),
            Carried::To(to) => first(to),
            Carried::Gone => {
                assert!(!is_unique || now.is_empty(), "said to be gone: {}", told());
                continue;
            }
            Carried::Unknown => continue,
        };
        certain += 1;
        assert!(at(&done, &to).is_some(), "said to be at {to:?}: {}", told());
        if let ([now], true) = (now.as_slice(), is_unique) {
            assert_eq!(**now, to, "{}", told());
        }
    }
    certain
}

#[test]
fn paths_go_where_the_engine_puts_their_values() {
    let vectors: Vec<Value> = serde_json::from_str(include_str!("../data/rule_vectors.json")).expect("JSON");
    let mut certain = 0;
    for vector in &vectors {
        let name = vector["name"].as_str().expect("a name");
        // Ops that are not here yet have vectors too.
        let Ok(ops) = Ops::parse(&vector["ops"].to_string(), name) else { continue };
        for (key, direction) in [("v1", Direction::Up), ("v2", Direction::Down)] {
            let document = match (&vector[key], vector.get("raw")) {
                (Value::String(text), Some(_)) => serde_json::from_str(text).unwrap_or_default(),
                (document, _) => document.clone(),
            };
            certain += compare(name, &ops, direction, &document);
        }
    }
    assert!(certain > 150, "only {certain} certain answers");
}
