//! `jq`, for as many programs as tests use.

use serde_json::{Value, json};

use super::Done;

/// The few programs that tests use.
pub(crate) const JQ: &[[&str; 2]] =
    &[[".", "."], ["map({label: .})", "map(.label)"], ["{v: .}", ".v"], ["tostring", "[.[]?]"], ["empty", "."]];

pub(super) fn jq(program: &Value, v: Value) -> Done<Value> {
    let member = |v: &Value, name: &str| match v {
        Value::Null => Ok(Value::Null),
        Value::Object(members) => Ok(members.get(name).cloned().unwrap_or_default()),
        _ => Err("jq_failed"),
    };
    let values = |v: Value| match v {
        Value::Array(items) => Ok(items),
        Value::Object(members) => Ok(members.into_iter().map(|(_, v)| v).collect()),
        _ => Err("jq_failed"),
    };
    match program.as_str().expect("a program") {
        "." => Ok(v),
        "map({label: .})" => Ok(values(v)?.into_iter().map(|v| json!({"label": v})).collect()),
        "map(.label)" => values(v)?.iter().map(|v| member(v, "label")).collect(),
        "{v: .}" => Ok(json!({"v": v})),
        ".v" => member(&v, "v"),
        "tostring" => Ok(if v.is_string() { v } else { json!(v.to_string()) }),
        "[.[]?]" => Ok(values(v).unwrap_or_default().into_iter().collect()),
        "empty" => Err("jq_failed"),
        other => panic!("the oracle does not know the program `{other}`"),
    }
}
