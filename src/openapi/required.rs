//! Which members a contract says are always there.

use serde_json::{Value, json};

use crate::json::edit::{Path, Token};
use crate::route::Template;

use super::conform::Root;
use super::document::{Document, Part};
use super::schema::array;

/// Bounds how deep paths are listed, and how many schemas are looked at: recursive ones have no end.
const DEEPEST: usize = 12;
const MOST: u32 = 10_000;

/// The paths of members of a call's body that their objects must have.
#[must_use]
pub fn required(document: &Document, call: &Template, part: Part) -> Vec<Path> {
    let mut found = Vec::new();
    if let Some(schema) = document.call(call).and_then(|call| document.body(&call, part)) {
        let mut left = MOST;
        walk(&Root::new(document), schema, &mut Vec::new(), &mut found, &mut left);
    }
    found.sort_by_key(|path| format!("{path:?}"));
    found.dedup();
    found
}

fn walk(root: &Root<'_>, schema: &Value, path: &mut Path, found: &mut Vec<Path>, left: &mut u32) {
    if path.len() >= DEEPEST || *left == 0 {
        return;
    }
    *left -= 1;
    let schema = root.resolve(schema);
    for part in array(schema, "allOf") {
        walk(root, part, path, found, left);
    }
    let nothing = json!({});
    for name in array(schema, "required").filter_map(Value::as_str) {
        path.push(Token::Key(name.to_owned()));
        found.push(path.clone());
        path.pop();
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        path.push(Token::Key(name.clone()));
        walk(root, property, path, found, left);
        path.pop();
    }
    for inner in ["items", "additionalProperties"].iter().map(|name| schema.get(*name).unwrap_or(&nothing)) {
        path.push(Token::Any);
        walk(root, inner, path, found, left);
        path.pop();
    }
}
