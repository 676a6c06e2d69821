//! Which members a contract says are always there.

use serde_json::{Value, json};

use crate::json::edit::{Path, Token};
use crate::route::Template;

use super::conform::Root;
use super::document::{Document, Part};
use super::schema::array;

/// Bounds how deep, and how many, paths are listed: recursive schemas have no end of them.
const DEEPEST: usize = 12;
const MOST: usize = 10_000;

/// The paths of members of a call's body that their objects must have.
#[must_use]
pub fn required(document: &Document, call: &Template, part: Part) -> Vec<Path> {
    let mut found = Vec::new();
    if let Some(schema) = document.call(call).and_then(|call| document.body(&call, part)) {
        let root = Root { document: &document.value, dialect: document.dialect };
        walk(&root, schema, &mut Vec::new(), &mut found);
    }
    found.sort_by_key(|path| format!("{path:?}"));
    found.dedup();
    found
}

fn walk(root: &Root<'_>, schema: &Value, path: &mut Path, found: &mut Vec<Path>) {
    if path.len() >= DEEPEST || found.len() >= MOST {
        return;
    }
    let schema = root.resolve(schema);
    for part in array(schema, "allOf") {
        walk(root, part, path, found);
    }
    let nothing = json!({});
    for name in array(schema, "required").filter_map(Value::as_str) {
        path.push(Token::Key(name.to_owned()));
        found.push(path.clone());
        path.pop();
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        path.push(Token::Key(name.clone()));
        walk(root, property, path, found);
        path.pop();
    }
    for inner in ["items", "additionalProperties"].iter().map(|name| schema.get(*name).unwrap_or(&nothing)) {
        path.push(Token::Any);
        walk(root, inner, path, found);
        path.pop();
    }
}
