//! As much of an `OpenAPI` document (3.0 or 3.1) as drafting needs: the leaves of its bodies.

use serde_json::{Map, Value};

use super::columns::Keys;

/// Deeper schemas, and references that lead in circles, end here.
const DEEPEST: usize = 16;
/// Leaves of one body; more are left out.
const MOST_LEAVES: usize = 500;

/// The methods that have bodies to compare.
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// A value in a body that is no object: a scalar, or a list.
#[derive(Debug, Clone)]
pub(super) struct Leaf<'a> {
    /// Where it is.
    pub(super) keys: Keys,
    /// `type`; empty if there is none.
    pub(super) kind: &'a str,
    /// `format`; empty if there is none.
    pub(super) format: &'a str,
    /// `enum` or `const`.
    pub(super) one_of: Vec<&'a Value>,
    /// `default`
    pub(super) default: Option<&'a Value>,
    /// Whether it and all objects around it are required.
    pub(super) required: bool,
    /// What a list holds.
    pub(super) items: Option<&'a Value>,
}

/// Every call, as `GET /users/{id}`, with its operation.
pub(super) fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().into_iter().flatten();
    let calls = paths.flat_map(|(path, item)| {
        METHODS.iter().filter_map(move |method| {
            let operation = item.get(*method)?;
            Some((format!("{} {path}", method.to_uppercase()), operation))
        })
    });
    calls.collect()
}

/// A call without the names of its parameters, which say nothing to a server.
pub(super) fn shape_of_call(call: &str) -> String {
    let segment = |text: &str| if text.starts_with('{') { "{}".to_owned() } else { text.to_owned() };
    call.split('/').map(segment).collect::<Vec<_>>().join("/")
}

/// The schema of a JSON request body.
pub(super) fn request(operation: &Value) -> Option<&Value> {
    json_schema(&operation["requestBody"])
}

/// The schema of the first successful JSON response.
pub(super) fn response(operation: &Value) -> Option<&Value> {
    let responses = operation["responses"].as_object()?;
    responses.iter().filter(|(status, _)| status.starts_with('2')).find_map(|(_, response)| json_schema(response))
}

fn json_schema(message: &Value) -> Option<&Value> {
    let contents = message["content"].as_object()?;
    let is_json = |media: &str| media.starts_with("application/json") || media.ends_with("+json");
    contents.iter().find(|(media, _)| is_json(media)).and_then(|(_, content)| content.get("schema"))
}

/// The leaves of a schema whose references are in `document`.
pub(super) fn leaves<'a>(document: &'a Value, schema: &'a Value) -> Vec<Leaf<'a>> {
    let mut found = Vec::new();
    collect(document, schema, &mut Place { keys: Keys::new(), inside: Vec::new() }, true, &mut found);
    found.sort_by(|a, b| a.keys.cmp(&b.keys));
    found.dedup_by(|a, b| a.keys == b.keys);
    found
}

/// Where collecting is.
struct Place<'a> {
    keys: Keys,
    /// The schemas around it.
    inside: Vec<&'a Value>,
}

fn collect<'a>(document: &'a Value, schema: &'a Value, at: &mut Place<'a>, required: bool, found: &mut Vec<Leaf<'a>>) {
    if found.len() >= MOST_LEAVES {
        return;
    }
    let schema = resolve(document, schema);
    let parts = parts(document, schema);
    let members: Vec<(&String, &Value)> =
        parts.iter().filter_map(|part| part.get("properties")?.as_object()).flatten().collect();
    let is_within_itself = at.inside.iter().any(|other| std::ptr::eq(*other, schema));
    if members.is_empty() || is_within_itself || at.keys.len() >= DEEPEST {
        found.extend(parts.last().map(|part| leaf(document, part, at.keys.clone(), required)));
        return;
    }
    let names = |part: &&'a Map<String, Value>| part.get("required").and_then(Value::as_array);
    let needed: Vec<&Value> = parts.iter().filter_map(names).flatten().collect();
    at.inside.push(schema);
    for (name, member) in members {
        let is_needed = needed.iter().any(|other| other.as_str() == Some(name));
        at.keys.push(name.clone());
        collect(document, member, at, required && is_needed, found);
        at.keys.pop();
    }
    at.inside.pop();
}

/// What a reference within the document leads to; anything else is itself.
pub(super) fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let mut schema = schema;
    for _ in 0..DEEPEST {
        let reference = schema.get("$ref").and_then(Value::as_str).and_then(|at| at.strip_prefix('#'));
        match reference.and_then(|at| document.pointer(at)) {
            Some(target) => schema = target,
            None => break,
        }
    }
    schema
}

/// The schemas that all hold: what `allOf` lists, then itself.
fn parts<'a>(document: &'a Value, schema: &'a Value) -> Vec<&'a Map<String, Value>> {
    let mut found = Vec::new();
    let mut waiting = vec![schema];
    while let Some(next) = waiting.pop().filter(|_| found.len() < DEEPEST) {
        let Some(own) = resolve(document, next).as_object() else { continue };
        found.push(own);
        waiting.extend(own.get("allOf").and_then(Value::as_array).into_iter().flatten());
    }
    found.reverse();
    found
}

fn leaf<'a>(document: &'a Value, schema: &'a Map<String, Value>, keys: Keys, required: bool) -> Leaf<'a> {
    let text = |name: &str| schema.get(name).and_then(Value::as_str).unwrap_or_default();
    // In 3.1 a type may be a list, one of which is `null`.
    let first = || schema.get("type")?.as_array()?.iter().filter_map(Value::as_str).find(|kind| *kind != "null");
    let kind = Some(text("type")).filter(|kind| !kind.is_empty()).or_else(first).unwrap_or_default();
    let listed = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
    let items = schema.get("items").filter(|_| kind == "array");
    Leaf {
        keys,
        kind,
        format: text("format"),
        one_of: listed.chain(schema.get("const")).collect(),
        default: schema.get("default"),
        required,
        items: items.map(|items| resolve(document, items)),
    }
}
