//! What ops mean, said as plainly as possible on `serde_json::Value`: slow, whole documents, one op after another.
//!
//! It shares nothing with the engine. Numbers compare as `serde_json` reads them, which is exact for all that the
//! tests use. Errors are the codes of the rule language.

mod jq;
mod members;
mod structure;
mod values;

use serde_json::{Map, Value, json};

use jq::jq;
use members::{put, relocate, rename, take};
use structure::{
    collapse, drop_elements, entries, envelope, join, limit, presence, recase, split, spread, tuple, unwrap, wrap,
};
use values::{convert, map};

pub(crate) use jq::JQ;

pub(crate) type Done<T> = Result<T, &'static str>;

/// What an op runs with.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) up: bool,
    pub(crate) patch: bool,
    pub(crate) now: &'a str,
    pub(crate) version: &'a str,
}

/// Runs a list of ops.
pub(crate) fn run(ops: &Value, mut root: Value, c: Context<'_>) -> Done<Value> {
    let ops: Vec<&Value> = ops.as_array().expect("a list of ops").iter().collect();
    let ordered: Vec<&Value> = if c.up { ops } else { ops.into_iter().rev().collect() };
    for op in ordered {
        let guard = if c.up { op.get("where") } else { op.get("where_down").or(op.get("where")) };
        if guard.is_some_and(|guard| !holds(guard, &root)) {
            continue;
        }
        let (name, args) = op
            .as_object()
            .expect("an op")
            .iter()
            .find(|(k, _)| !matches!(k.as_str(), "where" | "where_down" | "note"))
            .expect("an op");
        root = op_of(name, args, root, c)?;
    }
    Ok(root)
}

/// What is inside values of a form: at which path, and of which form.
pub(crate) type Insides<'a> = &'a [(usize, &'a str, usize)];

/// Runs a list of ops on all values of one form: on a value of the form `own`, and on what is inside it. Going up, inner
/// values come first, while they are where the older version has them; going down, last, when they are there again.
pub(crate) fn nested(
    ops: &Value,
    edited: usize,
    insides: Insides<'_>,
    own: usize,
    v: Value,
    c: Context<'_>,
) -> Done<Value> {
    let here = |v: Value| if own == edited { run(ops, v, c) } else { Ok(v) };
    let below = |v: Value| {
        let mut own = insides.iter().filter(|(outer, ..)| *outer == own);
        own.try_fold(v, |v, (_, at, inner)| {
            at_each(v, &tokens(&json!(at)), &mut |v| nested(ops, edited, insides, *inner, v, c).map(Some))
        })
    };
    if c.up { here(below(v)?) } else { below(here(v)?) }
}

fn op_of(name: &str, a: &Value, root: Value, c: Context<'_>) -> Done<Value> {
    match name {
        "rename" => rename(a, root, c),
        "move" => relocate(a, root, c),
        "add" if c.up => put(a, &a["default"], root, c),
        "add" => take(a, root),
        "remove" if c.up => take(a, root),
        "remove" => put(a, &a["restore"], root, c),
        "map" => map(a, root, c),
        "convert" => convert(a, root, c),
        "wrap" => {
            if c.up {
                wrap(a, root, c)
            } else {
                unwrap(a, root, c)
            }
        }
        "unwrap" => {
            if c.up {
                unwrap(a, root, c)
            } else {
                wrap(a, root, c)
            }
        }
        "envelope" => envelope(a, root, c),
        "split" if c.up => split(a, root, c),
        "split" => join(a, root, c),
        "entries" => entries(a, root, c),
        "tuple" => tuple(a, root, c),
        "spread" if c.up => spread(a, root),
        "spread" => collapse(a, root),
        "presence" => presence(a, root, c),
        "recase" => recase(a, root, c),
        "drop" => drop_elements(a, root, c),
        "limit" => limit(a, root, c),
        "jq" => at_each(root, &tokens(&a["at"]), &mut |v| jq(&a[if c.up { "up" } else { "down" }], v).map(Some)),
        "each" => at_each(root, &tokens(&a["at"]), &mut |v| run(&a["ops"], v, c).map(Some)),
        other => panic!("the oracle does not know `{other}`"),
    }
}

type Tokens = Vec<Option<String>>;

/// Tokens of a body path; `None` is the wildcard.
fn tokens(path: &Value) -> Vec<Option<String>> {
    let path = path.as_str().expect("a path");
    let path = path.strip_prefix("body:").unwrap_or(path);
    let token = |t: &str| (t != "*").then(|| t.replace("~1", "/").replace("~*", "*").replace("~0", "~"));
    path.split('/').skip(1).map(token).collect()
}

/// Calls `f` on every value at a path; `None` takes it away.
fn at_each(value: Value, path: &[Option<String>], f: &mut dyn FnMut(Value) -> Done<Option<Value>>) -> Done<Value> {
    let Some((token, rest)) = path.split_first() else { return f(value)?.ok_or("cannot_remove_index") };
    let mut step =
        |v: Value| -> Done<Option<Value>> { if rest.is_empty() { f(v) } else { at_each(v, rest, f).map(Some) } };
    match (value, token) {
        (Value::Array(items), None) => {
            items.into_iter().map(|v| step(v)?.ok_or("cannot_remove_index")).collect::<Done<Vec<_>>>().map(Value::Array)
        }
        (Value::Array(mut items), Some(key)) => {
            if let Some(slot) = index(key).and_then(|i| items.get_mut(i)) {
                *slot = step(slot.take())?.ok_or("cannot_remove_index")?;
            }
            Ok(Value::Array(items))
        }
        (Value::Object(members), _) => {
            let mut out = Map::new();
            for (k, v) in members {
                if token.as_ref().is_none_or(|key| *key == k) {
                    if let Some(v) = step(v)? {
                        out.insert(k, v);
                    }
                } else {
                    out.insert(k, v);
                }
            }
            Ok(Value::Object(out))
        }
        (scalar, _) => Ok(scalar),
    }
}

fn index(key: &str) -> Option<usize> {
    (key == "0" || !key.starts_with('0')).then(|| key.parse().ok()).flatten()
}

fn child<'v>(value: &'v Value, key: &str) -> Option<&'v Value> {
    match value {
        Value::Object(members) => members.get(key),
        Value::Array(items) => index(key).and_then(|i| items.get(i)),
        _ => None,
    }
}

fn find<'v>(value: &'v Value, path: &[Option<String>]) -> Option<&'v Value> {
    path.iter().try_fold(value, |v, key| child(v, key.as_ref()?))
}

fn holds(guard: &Value, root: &Value) -> bool {
    guard.as_object().expect("a guard").iter().all(|(path, want)| {
        let found = find(root, &tokens(&json!(path)));
        let one_of = |list: &Value| list.as_array().expect("values").iter().any(|w| found == Some(w));
        match want.as_object() {
            Some(o) if o.contains_key("in") => one_of(&o["in"]),
            Some(o) if o.contains_key("not_in") => !one_of(&o["not_in"]),
            Some(o) if o.contains_key("exists") => found.is_some() == o["exists"].as_bool().expect("a boolean"),
            _ => found == Some(want),
        }
    })
}
