//! JSON Schemas (draft 2020-12) of rule files, for editors.
//!
//! What stands around the ops is written as YAML beside this file; the ops' part is made of their
//! [definitions](super::lens::Definition).

mod ops;

use serde_json::{Map, Value, json};

use super::diagnostics;
use crate::yaml;

/// The schema of a version change.
#[must_use]
pub fn change() -> Value {
    let mut schema = written(include_str!("change.yaml"));
    define(&mut schema, written(include_str!("common.yaml")));
    define(&mut schema, tests_by(&json!({"old": {}, "new": {}})));
    define(&mut schema, ops::definitions());
    schema
}

/// The schema of `api.yaml`.
#[must_use]
pub fn api() -> Value {
    let mut schema = written(include_str!("api.yaml"));
    schema["properties"]["check"]["propertyNames"] = json!({"enum": diagnostics::ADJUSTABLE});
    define(&mut schema, written(include_str!("common.yaml")));
    schema
}

/// The schema of `shapes.yaml`.
#[must_use]
pub fn shapes() -> Value {
    let mut schema = written(include_str!("shapes.yaml"));
    define(&mut schema, written(include_str!("common.yaml")));
    schema
}

/// The schema of a file of whole-chain tests.
#[must_use]
pub fn tests() -> Value {
    let mut schema = written(include_str!("tests.yaml"));
    define(&mut schema, written(include_str!("common.yaml")));
    define(&mut schema, tests_by(&Value::Null));
    schema
}

/// Definitions of a test whose messages have these keys; null: the labels of versions.
fn tests_by(keys: &Value) -> Value {
    let mut definitions = written(include_str!("test.yaml"));
    for kind in ["message", "frame", "event"] {
        let message = &mut definitions[kind];
        if let Value::Object(keys) = keys {
            let properties = message.as_object_mut().map(|message| message.entry("properties").or_insert(json!({})));
            if let Some(Value::Object(properties)) = properties {
                properties.extend(keys.clone());
            }
            message["additionalProperties"] = json!(false);
        } else {
            message["propertyNames"] = json!({"$ref": "#/$defs/label"});
        }
    }
    definitions
}

/// Adds definitions that `#/$defs/...` refers to.
fn define(schema: &mut Value, definitions: Value) {
    let Some(schema) = schema.as_object_mut() else { return };
    let defs = schema.entry("$defs").or_insert_with(|| Value::Object(Map::new()));
    if let (Value::Object(defs), Value::Object(definitions)) = (defs, definitions) {
        defs.extend(definitions);
    }
}

/// A value that is written in YAML in these sources.
pub(crate) fn written(text: &str) -> Value {
    let node = yaml::parse(text, "schema.yaml", yaml::Limits::default()).expect("YAML of ours is YAML");
    let json = node.to_json().expect("its numbers are JSON");
    serde_json::from_str(&json).expect("what the tree prints is JSON")
}
