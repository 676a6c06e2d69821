//! As much of an `OpenAPI` document (3.0 or 3.1) as drafting needs: the leaves of its bodies.

use serde_json::{Map, Value};

use super::columns::Keys;

/// Deeper schemas, and references that lead in circles, end here.
const DEEPEST: usize = 16;

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
    collect(document, schema, &mut Keys::new(), true, &mut found);
    found.sort_by(|a, b| a.keys.cmp(&b.keys));
    found.dedup_by(|a, b| a.keys == b.keys);
    found
}

fn collect<'a>(document: &'a Value, schema: &'a Value, keys: &mut Keys, required: bool, found: &mut Vec<Leaf<'a>>) {
    let parts = parts(document, schema, 0);
    let members: Vec<(&String, &Value)> =
        parts.iter().filter_map(|part| part.get("properties")?.as_object()).flatten().collect();
    if members.is_empty() || keys.len() >= DEEPEST {
        found.extend(parts.last().map(|part| leaf(document, part, keys.clone(), required)));
        return;
    }
    let names = |part: &&'a Map<String, Value>| part.get("required").and_then(Value::as_array);
    let needed: Vec<&Value> = parts.iter().filter_map(names).flatten().collect();
    for (name, member) in members {
        let is_needed = needed.iter().any(|other| other.as_str() == Some(name));
        keys.push(name.clone());
        collect(document, member, keys, required && is_needed, found);
        keys.pop();
    }
}

/// The schemas that all hold: itself, what it refers to, and what `allOf` lists.
fn parts<'a>(document: &'a Value, schema: &'a Value, depth: usize) -> Vec<&'a Map<String, Value>> {
    let Some(own) = schema.as_object().filter(|_| depth < DEEPEST) else { return Vec::new() };
    let target = own.get("$ref").and_then(Value::as_str).and_then(|at| document.pointer(at.strip_prefix('#')?));
    let all = own.get("allOf").and_then(Value::as_array).into_iter().flatten();
    let mut found: Vec<&Map<String, Value>> =
        target.into_iter().chain(all).flat_map(|part| parts(document, part, depth + 1)).collect();
    if target.is_none() {
        found.push(own);
    }
    found
}

fn leaf<'a>(document: &'a Value, schema: &'a Map<String, Value>, keys: Keys, required: bool) -> Leaf<'a> {
    let text = |name: &str| schema.get(name).and_then(Value::as_str).unwrap_or_default();
    // In 3.1 a type may be a list, one of which is `null`.
    let first = || schema.get("type")?.as_array()?.iter().filter_map(Value::as_str).find(|kind| *kind != "null");
    let kind = Some(text("type")).filter(|kind| !kind.is_empty()).or_else(first).unwrap_or_default();
    let listed = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
    let items = schema.get("items").filter(|_| kind == "array");
    // What the elements are is looked up here, so that a list of references shows its type.
    let resolved = items.and_then(|items| items.get("$ref")?.as_str()?.strip_prefix('#'));
    Leaf {
        keys,
        kind,
        format: text("format"),
        one_of: listed.chain(schema.get("const")).collect(),
        default: schema.get("default"),
        required,
        items: resolved.and_then(|at| document.pointer(at)).or(items),
    }
}
