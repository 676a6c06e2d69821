//! Small questions to one schema, and small changes of it. No references are followed here.

use serde_json::{Map, Value, json};

/// Marks a schema of which nothing is known.
pub(super) const UNKNOWN: &str = "x-legato-unknown";
/// Marks a member that a change added: the version that has it first.
pub(super) const SINCE: &str = "x-legato-since";
/// Marks a member that requests do not carry: `required` binds responses alone.
pub(super) const READ_ONLY: &str = "readOnly";
/// Marks a member that responses do not carry: `required` binds requests alone.
pub(super) const WRITE_ONLY: &str = "writeOnly";

/// How null is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// OpenAPI 3.0: `nullable: true`.
    V30,
    /// OpenAPI 3.1: `type: [string, "null"]`.
    V31,
}

/// A schema that anything fits, marked as such.
pub(super) fn unknown() -> Value {
    json!({ UNKNOWN: true })
}

/// Whether anything fits: there is nothing to hold a value against.
pub(super) fn is_unknown(schema: &Value) -> bool {
    match schema {
        Value::Bool(any) => *any,
        Value::Object(members) => members.is_empty() || members.contains_key(UNKNOWN),
        _ => true,
    }
}

/// The types it names; empty: any.
pub(super) fn types(schema: &Value) -> Vec<&str> {
    match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// Whether values of a type may fit.
pub(super) fn admits(schema: &Value, name: &str) -> bool {
    let types = types(schema);
    types.is_empty() || types.contains(&name)
}

pub(super) fn is_null(schema: &Value) -> bool {
    types(schema) == ["null"]
}

/// Whether null fits, as far as the schema itself says.
pub(super) fn is_nullable(schema: &Value) -> bool {
    schema["nullable"] == true
        || types(schema).contains(&"null")
        || ["anyOf", "oneOf"].iter().any(|name| array(schema, name).any(is_null))
        || schema["enum"].as_array().is_some_and(|values| values.contains(&Value::Null)) && types(schema).is_empty()
}

/// The schemas of `anyOf`, `allOf`, `oneOf` or `prefixItems`.
pub(super) fn array<'s>(schema: &'s Value, name: &str) -> impl Iterator<Item = &'s Value> {
    schema[name].as_array().into_iter().flatten()
}

/// Lets null fit, or not.
pub(super) fn set_nullable(schema: &mut Value, dialect: Dialect, nullable: bool) {
    if !schema.is_object() || is_unknown(schema) || is_nullable(schema) == nullable {
        return;
    }
    if !nullable {
        return forbid_null(schema);
    }
    let has_own_type = schema.get("type").is_some() && schema.get("$ref").is_none();
    match dialect {
        Dialect::V30 if schema.get("$ref").is_some() => *schema = json!({"allOf": [schema.take()], "nullable": true}),
        Dialect::V30 => schema["nullable"] = true.into(),
        Dialect::V31 if has_own_type => {
            let mut types: Vec<Value> = types(schema).into_iter().map(Value::from).collect();
            types.push("null".into());
            schema["type"] = types.into();
        }
        Dialect::V31 => *schema = json!({"anyOf": [schema.take(), {"type": "null"}]}),
    }
    if let Some(values) = schema.get_mut("enum").and_then(Value::as_array_mut) {
        values.push(Value::Null);
    }
}

fn forbid_null(schema: &mut Value) {
    let left: Vec<Value> = types(schema).into_iter().filter(|name| *name != "null").map(Value::from).collect();
    let Some(members) = schema.as_object_mut() else { return };
    members.shift_remove("nullable");
    match <[Value; 1]>::try_from(left) {
        Ok([one]) => drop(members.insert("type".to_owned(), one)),
        Err(several) if !several.is_empty() => drop(members.insert("type".to_owned(), several.into())),
        Err(_) => {}
    }
    if let Some(values) = members.get_mut("enum").and_then(Value::as_array_mut) {
        values.retain(|value| !value.is_null());
    }
    for name in ["anyOf", "oneOf"] {
        if let Some(parts) = members.get_mut(name).and_then(Value::as_array_mut) {
            parts.retain(|part| !is_null(part));
        }
    }
    tidy(schema);
}

/// `anyOf` without repetitions; of one alternative and nothing else, that alternative.
pub(super) fn tidy(schema: &mut Value) {
    let Some(members) = schema.as_object_mut() else { return };
    let Some(parts) = members.get_mut("anyOf").and_then(Value::as_array_mut) else { return };
    let mut distinct: Vec<Value> = Vec::new();
    for part in std::mem::take(parts) {
        if !distinct.contains(&part) {
            distinct.push(part);
        }
    }
    *parts = distinct;
    if parts.len() == 1 && members.len() == 1 {
        *schema = members["anyOf"][0].take();
    }
}

/// What fits one or the other.
pub(super) fn union(a: Value, b: Value) -> Value {
    if a == b {
        return a;
    }
    if a == json!({}) || b == json!({}) {
        return json!({});
    }
    let parts = |schema: Value| match schema {
        Value::Object(mut members) if members.len() == 1 && members.contains_key("anyOf") => {
            members.remove("anyOf").and_then(|parts| parts.as_array().cloned()).unwrap_or_default()
        }
        other => vec![other],
    };
    let both = [parts(a), parts(b)].concat();
    let mut all = json!({ "anyOf": both });
    tidy(&mut all);
    all
}

/// Whether an object has to have a member.
pub(super) fn is_required(schema: &Value, name: &str) -> bool {
    array(schema, "required").any(|required| required == name)
}

/// Makes an object have to have a member, or not.
pub(super) fn set_required(schema: &mut Value, name: &str, required: bool) {
    let Some(members) = schema.as_object_mut() else { return };
    match members.get_mut("required").and_then(Value::as_array_mut) {
        Some(names) => {
            let there = names.iter().any(|other| other == name);
            match required {
                true if !there => names.push(name.into()),
                false => names.retain(|other| other != name),
                true => {}
            }
            if names.is_empty() {
                members.shift_remove("required");
            }
        }
        None if required => drop(members.insert("required".to_owned(), json!([name]))),
        None => {}
    }
}

/// The members that an object declares.
pub(super) fn properties(schema: &mut Value) -> Option<&mut Map<String, Value>> {
    schema.get_mut("properties")?.as_object_mut()
}

/// Declares a member, as the last where it is new.
pub(super) fn set_property(schema: &mut Value, name: &str, property: Value) {
    let Some(members) = schema.as_object_mut() else { return };
    let properties = members.entry("properties").or_insert_with(|| json!({}));
    if let Some(properties) = properties.as_object_mut() {
        properties.insert(name.to_owned(), property);
    }
}

/// Takes a member's declaration away, and whether it was required.
pub(super) fn take_property(schema: &mut Value, name: &str) -> Option<(Value, bool)> {
    let required = is_required(schema, name);
    let property = properties(schema)?.shift_remove(name)?;
    set_required(schema, name, false);
    if properties(schema).is_some_and(|properties| properties.is_empty()) {
        schema.as_object_mut()?.shift_remove("properties");
    }
    Some((property, required))
}

/// The schema of a value that a rule writes.
pub(super) fn infer(value: &Value, dialect: Dialect) -> Value {
    match value {
        Value::Null if dialect == Dialect::V31 => json!({"type": "null"}),
        Value::Null => json!({"nullable": true, "enum": [null]}),
        Value::Bool(_) => json!({"type": "boolean"}),
        Value::Number(number) if number.is_f64() => json!({"type": "number"}),
        Value::Number(_) => json!({"type": "integer"}),
        Value::String(text) if text == "$now" => json!({"type": "string", "format": "date-time"}),
        Value::String(_) => json!({"type": "string"}),
        Value::Array(items) => match items.first() {
            Some(first) => {
                let rest = items.iter().skip(1).map(|item| infer(item, dialect));
                json!({"type": "array", "items": rest.fold(infer(first, dialect), union)})
            }
            None => json!({"type": "array", "items": {}}),
        },
        Value::Object(members) => {
            let properties: Map<String, Value> =
                members.iter().map(|(name, value)| (name.clone(), infer(value, dialect))).collect();
            let mut schema = json!({"type": "object", "properties": properties});
            members.keys().for_each(|name| set_required(&mut schema, name, true));
            schema
        }
    }
}

/// What a schema becomes, with the words for people that it had.
pub(super) fn reworked(old: &Value, mut new: Value) -> Value {
    let mut words = annotations(old);
    if let (Some(members), false) = (new.as_object_mut(), words.is_empty()) {
        words.append(members);
        *members = words;
    }
    new
}

/// The schema without what says which values fit: its words for people.
fn annotations(schema: &Value) -> Map<String, Value> {
    let keep = |name: &&String| {
        matches!(name.as_str(), "title" | "description" | "deprecated" | READ_ONLY | WRITE_ONLY)
            || name.starts_with("x-") && *name != UNKNOWN
    };
    let members = schema.as_object().into_iter().flatten();
    members.filter(|(name, _)| keep(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}
