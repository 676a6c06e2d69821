//! What ops mean, said as plainly as possible on `serde_json::Value`: slow, whole documents, one op after another.
//!
//! It shares nothing with the engine. Numbers compare as `serde_json` reads them, which is exact for all that the
//! tests use. Errors are the codes of the rule language.

use serde_json::{Map, Value, json};

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

fn rename(a: &Value, mut root: Value, c: Context<'_>) -> Done<Value> {
    let mut groups: Vec<(Tokens, Vec<(String, String)>)> = Vec::new();
    for (path, new) in a.as_object().expect("entries") {
        let mut at = tokens(&json!(path));
        let old = at.pop().flatten().expect("a name");
        let new = new.as_str().expect("a name").to_owned();
        let pair = if c.up { (old, new) } else { (new, old) };
        match groups.iter_mut().find(|(g, _)| *g == at) {
            Some((_, pairs)) => pairs.push(pair),
            None => groups.push((at, vec![pair])),
        }
    }
    for (at, pairs) in groups {
        root = at_each(root, &at, &mut |v| {
            let Value::Object(members) = v else { return Ok(Some(v)) };
            let arriving: Vec<&String> =
                pairs.iter().filter(|(old, _)| members.contains_key(old)).map(|(_, new)| new).collect();
            let mut out = Map::new();
            for (k, v) in &members {
                match pairs.iter().find(|(old, _)| old == k) {
                    Some((_, new)) => drop(out.insert(new.clone(), v.clone())),
                    None if arriving.contains(&k) => {}
                    None => drop(out.insert(k.clone(), v.clone())),
                }
            }
            Ok(Some(Value::Object(out)))
        })?;
    }
    Ok(root)
}

type Tokens = Vec<Option<String>>;

fn scoped(path: &[Option<String>]) -> (Tokens, Vec<String>) {
    let at = path.iter().rposition(Option::is_none).map_or(0, |i| i + 1);
    (path[..at].to_vec(), path[at..].iter().flatten().cloned().collect())
}

fn relocate(a: &Value, root: Value, c: Context<'_>) -> Done<Value> {
    let (mut from, mut to) = (tokens(&a["from"]), tokens(&a["to"]));
    if !c.up {
        std::mem::swap(&mut from, &mut to);
    }
    let shared = from.iter().zip(&to).take_while(|(x, y)| x == y).count();
    let scope = from[..shared].iter().rposition(Option::is_none).map_or(0, |i| i + 1);
    if from[scope..].iter().chain(&to[scope..]).any(Option::is_none) {
        return Err("wildcards_do_not_align");
    }
    let (pre, from, to) = (from[..scope].to_vec(), scoped(&from[scope..]).1, scoped(&to[scope..]).1);
    let conflict = a.get("conflict").and_then(Value::as_str).unwrap_or("shadow");
    let patch = c.patch && pre.is_empty();
    at_each(root, &pre, &mut |mut v| {
        move_in(&mut v, &from, &to, conflict, patch)?;
        Ok(Some(v))
    })
}

fn keys(path: &[String]) -> Vec<Option<String>> {
    path.iter().cloned().map(Some).collect()
}

fn object_at<'v>(value: &'v mut Value, path: &[String]) -> Option<&'v mut Map<String, Value>> {
    path.iter().try_fold(value, |v, key| v.as_object_mut()?.get_mut(key)).and_then(Value::as_object_mut)
}

fn move_in(scope: &mut Value, from: &[String], to: &[String], conflict: &str, patch: bool) -> Done<()> {
    let (name, above) = from.split_last().expect("a name");
    if patch && above_null(scope, above) {
        // Something that is no object in the way means that there is nothing to delete.
        let blocked = (1..to.len()).any(|n| find(scope, &keys(&to[..n])).is_some_and(|v| !v.is_object()));
        return if blocked { Ok(()) } else { place(scope, to, Value::Null) };
    }
    let objects_only = (0..above.len()).all(|n| find(scope, &keys(&above[..n])).is_some_and(Value::is_object));
    let Some(value) = object_at(scope, above).filter(|_| objects_only).and_then(|o| o.get(name).cloned()) else {
        return Ok(());
    };
    let nested = to.starts_with(from);
    let occupied = !nested
        && find(scope, &keys(to)).is_some()
        && (1..to.len()).all(|n| find(scope, &keys(&to[..n])).is_some_and(Value::is_object));
    if occupied && conflict == "fail" {
        return Err("conflict");
    }
    let deleted_anyway = patch
        && !nested
        && value.is_null()
        && (1..to.len()).any(|n| find(scope, &keys(&to[..n])) == Some(&Value::Null));
    object_at(scope, above).expect("an object").shift_remove(name);
    if occupied && conflict == "keep" {
        prune(scope, above, &[]);
        return Ok(());
    }
    if !nested {
        prune(scope, above, to);
    }
    if deleted_anyway {
        return Ok(());
    }
    place(scope, to, value)
}

/// Whether the first thing on the way that is no object is null.
fn above_null(scope: &Value, above: &[String]) -> bool {
    let way = (0..=above.len()).map(|n| find(scope, &keys(&above[..n])));
    way.take_while(Option::is_some).flatten().find(|v| !v.is_object()) == Some(&Value::Null) && scope.is_object()
}

/// Takes away emptied objects from the inside out, but none on the way to `keep`.
fn prune(scope: &mut Value, above: &[String], keep: &[String]) {
    for depth in (1..=above.len()).rev() {
        if keep.len() > depth && keep[..depth] == above[..depth]
            || object_at(scope, &above[..depth]).is_none_or(|o| !o.is_empty())
        {
            return;
        }
        object_at(scope, &above[..depth - 1]).expect("an object").shift_remove(&above[depth - 1]);
    }
}

fn place(scope: &mut Value, to: &[String], value: Value) -> Done<()> {
    let (name, above) = to.split_last().expect("a name");
    let mut at = scope;
    for key in above {
        let object = at.as_object_mut().ok_or("parent_not_object")?;
        at = object.entry(key.clone()).or_insert_with(|| json!({}));
        if !at.is_object() {
            return Err("parent_not_object");
        }
    }
    let object = at.as_object_mut().ok_or("parent_not_object")?;
    object.shift_remove(name);
    object.insert(name.clone(), value);
    Ok(())
}

fn put(a: &Value, default: &Value, root: Value, c: Context<'_>) -> Done<Value> {
    let (scope, path) = scoped(&tokens(&a["at"]));
    if c.patch && scope.is_empty() {
        return Ok(root);
    }
    let (name, above) = path.split_last().expect("a name");
    let create = a.get("create") == Some(&json!(true));
    at_each(root, &scope, &mut |mut v| {
        for n in 0..=above.len() {
            match find(&v, &keys(&above[..n])) {
                Some(Value::Object(_)) => {}
                None if create => break,
                Some(_) | None => return Ok(Some(v)),
            }
        }
        if find(&v, &keys(&path)).is_some() {
            match a.get("if_present").and_then(Value::as_str).unwrap_or("keep") {
                "keep" => return Ok(Some(v)),
                "fail" => return Err("conflict"),
                _ => {}
            }
        }
        let value = match default {
            Value::String(s) if s == "absent" => None,
            Value::String(_) => return Err("information_lost"),
            spec if spec.get("from").is_some() => find(&v, &tokens(&spec["from"])).cloned(),
            spec => Some(literal(&spec["value"], c)),
        };
        if let Some(value) = value {
            if let Some(there) = object_at(&mut v, above).and_then(|o| o.get_mut(name)) {
                *there = value;
            } else {
                place(&mut v, &path, value)?;
            }
        }
        Ok(Some(v))
    })
}

fn take(a: &Value, root: Value) -> Done<Value> {
    let (scope, path) = scoped(&tokens(&a["at"]));
    let (name, above) = path.split_last().expect("a name");
    at_each(root, &scope, &mut |mut v| {
        let objects_only = (0..=above.len()).all(|n| find(&v, &keys(&above[..n])).is_some_and(Value::is_object));
        if !objects_only || find(&v, &keys(&path)).is_none() {
            return Ok(Some(v));
        }
        if a.get("lose") == Some(&json!("fail")) {
            return Err("information_lost");
        }
        object_at(&mut v, above).expect("an object").shift_remove(name);
        if a.get("create") == Some(&json!(true)) {
            prune(&mut v, above, &[]);
        }
        Ok(Some(v))
    })
}

fn literal(value: &Value, c: Context<'_>) -> Value {
    match value {
        Value::String(s) if s == "$now" => json!(c.now),
        Value::String(s) if s == "$version" => json!(c.version),
        Value::Array(items) => items.iter().map(|v| literal(v, c)).collect(),
        Value::Object(members) => Value::Object(members.iter().map(|(k, v)| (k.clone(), literal(v, c))).collect()),
        other => other.clone(),
    }
}

fn fall_back(a: &Value, v: Value, c: Context<'_>, code: &'static str) -> Done<Option<Value>> {
    let up = a.get("else");
    let mode = if c.up { up } else { a.get("else_down").or(up) };
    match mode {
        None => Err(code),
        Some(Value::String(s)) if s == "fail" => Err(code),
        Some(Value::String(s)) if s == "keep" => Ok(Some(v)),
        Some(Value::String(_)) => Ok(None),
        Some(spec) => Ok(Some(spec["value"].clone())),
    }
}

fn map(a: &Value, root: Value, c: Context<'_>) -> Done<Value> {
    at_each(root, &tokens(&a["at"]), &mut |v| {
        for pair in a["pairs"].as_array().expect("pairs") {
            let (from, to) = if c.up { (&pair[0], &pair[1]) } else { (&pair[1], &pair[0]) };
            if equal(&v, from) {
                return Ok(Some(to.clone()));
            }
        }
        if v.is_null() { Ok(Some(v)) } else { fall_back(a, v, c, "no_mapping") }
    })
}

/// Equality by value: `1` is `1.0`.
fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => x == y || x.as_f64() == y.as_f64(),
        _ => a == b,
    }
}

fn convert(a: &Value, root: Value, c: Context<'_>) -> Done<Value> {
    let (from, to) = (a["from"].as_str().expect("a format"), a["to"].as_str().expect("a format"));
    let (from, to) = if c.up { (from, to) } else { (to, from) };
    at_each(root, &tokens(&a["at"]), &mut |v| {
        if v.is_null() {
            return Ok(Some(v));
        }
        match converted(a, from, to, &v) {
            Some(done) => Ok(Some(done)),
            None => fall_back(a, v, c, "cannot_convert"),
        }
    })
}

fn integer_text(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'))
}

fn converted(a: &Value, from: &str, to: &str, v: &Value) -> Option<Value> {
    let text = v.as_str();
    match (from, to) {
        ("integer", "string") => v.as_number().map(ToString::to_string).filter(|t| integer_text(t)).map(Value::String),
        ("string", "integer") => text.filter(|t| integer_text(t)).and_then(|t| serde_json::from_str(t).ok()),
        ("number", "string") => v.as_number().map(|n| json!(n.to_string())),
        ("string", "number") => text
            .filter(|t| t.trim() == *t)
            .and_then(|t| serde_json::from_str::<serde_json::Number>(t).ok())
            .map(Value::Number),
        ("boolean", "string") => v.as_bool().map(|b| json!(b.to_string())),
        ("string", "boolean") => text.and_then(|t| t.parse::<bool>().ok()).map(Value::Bool),
        ("boolean", "integer") => v.as_bool().map(|b| json!(u8::from(b))),
        ("integer", "boolean") => v.as_u64().filter(|n| *n < 2).map(|n| json!(n == 1)),
        ("minor_units", "decimal_string") => Some(minor_to_decimal(v.as_i64()?, scale(a))),
        ("decimal_string", "minor_units") => decimal_to_minor(text?, scale(a)),
        ("unix_seconds", "rfc3339") => rfc3339(v.as_i64()?.checked_mul(1000)?),
        ("unix_millis", "rfc3339") => rfc3339(v.as_i64()?),
        ("rfc3339", "unix_seconds") => {
            text?.parse::<jiff::Timestamp>().ok().map(|t| json!(t.as_millisecond().div_euclid(1000)))
        }
        ("rfc3339", "unix_millis") => text?.parse::<jiff::Timestamp>().ok().map(|t| json!(t.as_millisecond())),
        ("csv", "array") => {
            text.map(|t| if t.is_empty() { json!([]) } else { t.split(separator(a)).map(Value::from).collect() })
        }
        ("array", "csv") => {
            let items: Vec<&str> = v.as_array()?.iter().map(Value::as_str).collect::<Option<_>>()?;
            let ambiguous = items == [""] || items.iter().any(|i| i.contains(separator(a)));
            (!ambiguous).then(|| json!(items.join(separator(a))))
        }
        _ => panic!("the oracle does not convert {from} to {to}"),
    }
}

fn scale(a: &Value) -> usize {
    usize::try_from(a.get("scale").and_then(Value::as_u64).unwrap_or(2)).expect("small")
}

fn separator(a: &Value) -> &str {
    a.get("sep").and_then(Value::as_str).unwrap_or(",")
}

fn minor_to_decimal(n: i64, scale: usize) -> Value {
    let digits = format!("{:0>width$}", n.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let point = if scale == 0 { "" } else { "." };
    json!(format!("{}{whole}{point}{fraction}", if n < 0 { "-" } else { "" }))
}

fn decimal_to_minor(text: &str, scale: usize) -> Option<Value> {
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(w, f)| (w, Some(f)));
    let fraction_ok = fraction.is_none_or(|f| !f.is_empty() && f.bytes().all(|b| b.is_ascii_digit()));
    let fraction = fraction.unwrap_or("");
    if !integer_text(whole) || !fraction_ok || fraction.bytes().skip(scale).any(|b| b != b'0') {
        return None;
    }
    let kept: String = fraction.chars().chain(std::iter::repeat('0')).take(scale).collect();
    format!("{whole}{kept}").parse::<i64>().ok().map(|n| json!(n))
}

fn rfc3339(millis: i64) -> Option<Value> {
    let time = jiff::Timestamp::from_millisecond(millis).ok()?.to_string();
    let year = time.split('-').next()?.parse::<u16>().ok()?;
    // jiff writes as many digits of the fraction as it needs; ours are three or none.
    let padded = match time.trim_end_matches('Z').split_once('.') {
        Some((seconds, fraction)) => format!("{seconds}.{fraction:0<3}Z"),
        None => time.clone(),
    };
    (1..=9999).contains(&year).then(|| json!(padded))
}

fn wrap(a: &Value, root: Value, c: Context<'_>) -> Done<Value> {
    let into = &a["into"];
    at_each(root, &tokens(&a["at"]), &mut |v| {
        let null = a.get("null").and_then(Value::as_str);
        if into == "array" {
            return Ok(Some(match v {
                Value::Null if c.patch || null == Some("keep") => v,
                Value::Null => json!([]),
                v => json!([v]),
            }));
        }
        if v.is_null() && null.unwrap_or("keep") == "keep" {
            return Ok(Some(v));
        }
        let mut object = Map::new();
        object.insert(into["key"].as_str().expect("a key").to_owned(), v);
        for (k, spec) in into.get("with").and_then(Value::as_object).into_iter().flatten() {
            object.insert(k.clone(), literal(spec, c));
        }
        Ok(Some(Value::Object(object)))
    })
}

fn unwrap(a: &Value, root: Value, c: Context<'_>) -> Done<Value> {
    let into = &a["into"];
    at_each(root, &tokens(&a["at"]), &mut |v| match (into == "array", v) {
        (_, Value::Null) => Ok(Some(Value::Null)),
        (true, Value::Array(items)) => match (items.len(), a.get("many").and_then(Value::as_str).unwrap_or("fail")) {
            (0, _) => match a.get("empty").and_then(Value::as_str).unwrap_or("null") {
                "null" => Ok(Some(Value::Null)),
                "absent" => Ok(None),
                _ => Err("empty_array"),
            },
            (1, _) | (_, "first") => Ok(items.into_iter().next()),
            (_, "last") => Ok(items.into_iter().next_back()),
            _ => Err("information_lost"),
        },
        (true, v) => fall_back(a, v, c, "not_an_array"),
        (false, Value::Object(mut members)) => Ok(members.shift_remove(into["key"].as_str().expect("a key"))),
        (false, v) => fall_back(a, v, c, "not_an_object"),
    })
}

fn envelope(a: &Value, root: Value, c: Context<'_>) -> Done<Value> {
    let key = a["key"].as_str().expect("a key");
    if c.up {
        let mut object = Map::new();
        object.insert(key.to_owned(), root);
        for (k, spec) in a.get("with").and_then(Value::as_object).into_iter().flatten() {
            object.insert(k.clone(), literal(spec, c));
        }
        return Ok(Value::Object(object));
    }
    match root {
        Value::Object(mut members) if members.contains_key(key) => Ok(members.shift_remove(key).unwrap_or_default()),
        other => fall_back(a, other, c, "not_enveloped")?.ok_or("cannot_remove_index"),
    }
}

/// A member's path as the objects that have it and its name.
fn member_of(path: &Value) -> (Tokens, String) {
    let mut at = tokens(path);
    let name = at.pop().flatten().expect("a name");
    (at, name)
}

fn split(a: &Value, root: Value, c: Context<'_>) -> Done<Value> {
    let (at, key) = member_of(&a["at"]);
    let parts = [member_of(&a["into"][0]).1, member_of(&a["into"][1]).1];
    let separator = a.get("sep").and_then(Value::as_str).unwrap_or(" ");
    let last = a.get("take") == Some(&json!("last"));
    let missing = a.get("missing").filter(|m| m.is_object()).map(|m| m["value"].clone());
    at_each(root, &at, &mut |v| {
        let Value::Object(members) = &v else { return Ok(Some(v)) };
        let (first, second) = match members.get(&key) {
            None => return Ok(Some(v)),
            Some(Value::Null) => (Value::Null, c.patch.then_some(Value::Null)),
            Some(Value::String(text)) => {
                let halves = if last { text.rsplit_once(separator) } else { text.split_once(separator) };
                match halves {
                    Some((x, y)) => (json!(x), Some(json!(y))),
                    None if c.patch => (json!(text), Some(Value::Null)),
                    None => (json!(text), missing.clone()),
                }
            }
            Some(_) if a.get("else").is_some_and(|e| e != "fail") => return Ok(Some(v)),
            Some(_) => return Err("not_a_string"),
        };
        // Both parts come in the string's place.
        let mut out = Map::new();
        for (name, value) in members.iter().filter(|(name, _)| **name == key || !parts.contains(name)) {
            if *name == key {
                out.insert(parts[0].clone(), first.clone());
                out.extend(second.clone().map(|second| (parts[1].clone(), second)));
            } else {
                out.insert(name.clone(), value.clone());
            }
        }
        Ok(Some(Value::Object(out)))
    })
}

fn join(a: &Value, root: Value, c: Context<'_>) -> Done<Value> {
    let (at, key) = member_of(&a["at"]);
    let parts = [member_of(&a["into"][0]).1, member_of(&a["into"][1]).1];
    let separator = a.get("sep").and_then(Value::as_str).unwrap_or(" ");
    at_each(root, &at, &mut |v| {
        let Value::Object(members) = &v else { return Ok(Some(v)) };
        let found: Vec<&Value> = parts.iter().filter_map(|part| members.get(part)).collect();
        if found.is_empty() {
            return Ok(Some(v));
        }
        if c.patch && found.len() < 2 {
            return Err("needs_current_value");
        }
        if found.iter().any(|v| !v.is_string() && !v.is_null()) {
            return Err("not_a_string");
        }
        let mut texts: Vec<&str> = found.iter().filter_map(|v| v.as_str()).collect();
        if texts.len() == 2 && a.get("missing").is_some_and(|m| m.get("value") == Some(&json!(texts[1]))) {
            texts.pop();
        }
        let joined = if texts.is_empty() { Value::Null } else { json!(texts.join(separator)) };
        // The joined string comes in the place of the part that comes first.
        let first = members.keys().find(|name| parts.contains(name));
        let mut out = Map::new();
        for (name, value) in members.iter().filter(|(name, _)| **name != key || parts.contains(name)) {
            if Some(name) == first {
                out.insert(key.clone(), joined.clone());
            } else if !parts.contains(name) {
                out.insert(name.clone(), value.clone());
            }
        }
        Ok(Some(Value::Object(out)))
    })
}

fn entries(a: &Value, root: Value, c: Context<'_>) -> Done<Value> {
    let (key, value) = (a["key"].as_str().expect("a key"), a.get("value").and_then(Value::as_str));
    at_each(root, &tokens(&a["at"]), &mut |v| match (c.up, &v) {
        (_, Value::Null) => Ok(Some(v)),
        (true, Value::Object(members)) => {
            if value.is_none() && members.values().any(|inner| !inner.is_object()) {
                // The first value that is wrong decides, as it does when they are read in order.
                let conflict =
                    members.values().take_while(|inner| inner.is_object()).any(|inner| inner.get(key).is_some());
                return if conflict { Err("conflict") } else { fall_back(a, v.clone(), c, "not_an_object") };
            }
            let mut list = Vec::new();
            for (name, inner) in members {
                let mut entry = Map::new();
                entry.insert(key.to_owned(), json!(name));
                match (value, inner) {
                    (Some(value), inner) => drop(entry.insert(value.to_owned(), inner.clone())),
                    (None, Value::Object(inner)) if inner.contains_key(key) => return Err("conflict"),
                    (None, Value::Object(inner)) => entry.extend(inner.clone()),
                    (None, _) => unreachable!("checked above"),
                }
                list.push(Value::Object(entry));
            }
            Ok(Some(Value::Array(list)))
        }
        (true, _) => fall_back(a, v.clone(), c, "not_an_object"),
        (false, Value::Array(list)) => {
            let mut out = Map::new();
            for entry in list {
                let name =
                    entry.as_object().and_then(|e| e.get(key)).and_then(Value::as_str).ok_or("entry_without_key")?;
                let inner = match value {
                    Some(value) => entry.get(value).cloned().unwrap_or_default(),
                    None => Value::Object(
                        entry
                            .as_object()
                            .expect("an object")
                            .iter()
                            .filter(|(k, _)| *k != key)
                            .map(|(k, v)| (k.clone(), v.clone()))
                            .collect(),
                    ),
                };
                if out.insert(name.to_owned(), inner).is_some() {
                    return Err("duplicate_key");
                }
            }
            Ok(Some(Value::Object(out)))
        }
        (false, _) => fall_back(a, v.clone(), c, "not_an_array"),
    })
}

fn tuple(a: &Value, root: Value, c: Context<'_>) -> Done<Value> {
    let keys: Vec<&str> = a["keys"].as_array().expect("keys").iter().filter_map(Value::as_str).collect();
    let lenient = a.get("extra") == Some(&json!("drop"));
    let at = a.get("at").map(tokens).unwrap_or_default();
    at_each(root, &at, &mut |v| match (c.up, &v) {
        (_, Value::Null) => Ok(Some(v)),
        (true, Value::Array(items)) if items.len() > keys.len() && !lenient => Err("information_lost"),
        (true, Value::Array(items)) => {
            Ok(Some(Value::Object(keys.iter().zip(items).map(|(k, v)| ((*k).to_owned(), v.clone())).collect())))
        }
        (true, _) => fall_back(a, v.clone(), c, "not_an_array"),
        (false, Value::Object(members)) if !lenient && members.keys().any(|k| !keys.contains(&k.as_str())) => {
            Err("information_lost")
        }
        (false, Value::Object(members)) => {
            let used = keys.iter().rposition(|k| members.contains_key(*k)).map_or(0, |last| last + 1);
            Ok(Some(keys[..used].iter().map(|k| members.get(*k).cloned().unwrap_or_default()).collect()))
        }
        (false, _) => fall_back(a, v.clone(), c, "not_an_object"),
    })
}

fn spread(a: &Value, mut root: Value) -> Done<Value> {
    let (from, (to, key)) = (scoped(&tokens(&a["from"])).1, member_of(&a["to"]));
    let (name, above) = from.split_last().expect("a name");
    let on_the_way = (0..=above.len()).all(|n| find(&root, &keys(&above[..n])).is_some_and(Value::is_object));
    let Some(value) = object_at(&mut root, above).filter(|_| on_the_way).and_then(|o| o.get(name).cloned()) else {
        return Ok(root);
    };
    let mut places = 0;
    let mut root = at_each(root, &to, &mut |mut v| {
        if let Some(object) = v.as_object_mut() {
            places += 1;
            object.insert(key.clone(), value.clone());
        }
        Ok(Some(v))
    })?;
    if places == 0 && a.get("empty") == Some(&json!("fail")) {
        return Err("information_lost");
    }
    if let Some(object) = object_at(&mut root, above) {
        object.shift_remove(name);
    }
    Ok(root)
}

fn collapse(a: &Value, root: Value) -> Done<Value> {
    let (to, (from, key)) = (scoped(&tokens(&a["from"])).1, member_of(&a["to"]));
    let mut values = Vec::new();
    let mut root = at_each(root, &from, &mut |mut v| {
        values.extend(v.as_object_mut().and_then(|o| o.shift_remove(&key)));
        Ok(Some(v))
    })?;
    if values.is_empty() {
        return Ok(root);
    }
    let number = |v: &Value| v.as_f64().ok_or("information_lost");
    let mut chosen = values[0].clone();
    for v in &values[1..] {
        match a.get("collapse").and_then(Value::as_str).unwrap_or("same") {
            "same" if !equal(v, &chosen) => return Err("information_lost"),
            "last" => chosen = v.clone(),
            "min" if number(v)? < number(&chosen)? => chosen = v.clone(),
            "max" if number(v)? > number(&chosen)? => chosen = v.clone(),
            "min" | "max" => drop((number(v)?, number(&chosen)?)),
            _ => {}
        }
    }
    let (name, above) = to.split_last().expect("a name");
    if let Some(there) = object_at(&mut root, above).and_then(|o| o.get_mut(name)) {
        *there = chosen;
        return Ok(root);
    }
    place(&mut root, &to, chosen)?;
    Ok(root)
}

fn presence(a: &Value, root: Value, c: Context<'_>) -> Done<Value> {
    let Some(rules) = a.get(if c.up { "up" } else { "down" }).filter(|_| !c.patch) else { return Ok(root) };
    let (scope, path) = scoped(&tokens(&a["at"]));
    let (name, above) = path.split_last().expect("a name");
    at_each(root, &scope, &mut |mut v| {
        if !(0..=above.len()).all(|n| find(&v, &keys(&above[..n])).is_some_and(Value::is_object)) {
            return Ok(Some(v));
        }
        let state = match find(&v, &keys(&path)) {
            None => "missing",
            Some(Value::Null) => "null",
            Some(_) => return Ok(Some(v)),
        };
        let fill = match rules.get(state) {
            None => return Ok(Some(v)),
            Some(Value::Null) => Some(Value::Null),
            Some(Value::String(s)) if s == "keep" => return Ok(Some(v)),
            Some(Value::String(s)) if s == "null" => Some(Value::Null),
            Some(Value::String(s)) if s == "absent" => None,
            Some(Value::String(_)) => return Err("required_value_missing"),
            Some(spec) if spec.get("from").is_some() => find(&v, &tokens(&spec["from"])).cloned(),
            Some(spec) => Some(literal(&spec["value"], c)),
        };
        let object = object_at(&mut v, above).expect("an object");
        match fill {
            Some(value) => drop(object.insert(name.clone(), value)),
            None => drop(object.shift_remove(name)),
        }
        Ok(Some(v))
    })
}

fn recase(a: &Value, root: Value, c: Context<'_>) -> Done<Value> {
    let to_camel = (a["to"] == "camel") == c.up;
    let except: Vec<&str> =
        a.get("except").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    at_each(root, &a.get("at").map(tokens).unwrap_or_default(), &mut |v| recased(v, to_camel, &except).map(Some))
}

fn recased(value: Value, to_camel: bool, except: &[&str]) -> Done<Value> {
    match value {
        Value::Array(items) => items.into_iter().map(|v| recased(v, to_camel, except)).collect(),
        Value::Object(members) => {
            let mut out = Map::new();
            for (name, inner) in members {
                let kept = except.contains(&name.as_str());
                let new = if kept { name } else { other_case(&name, to_camel) };
                let inner =
                    if kept || except.contains(&new.as_str()) { inner } else { recased(inner, to_camel, except)? };
                if out.insert(new, inner).is_some() {
                    return Err("conflict");
                }
            }
            Ok(Value::Object(out))
        }
        scalar => Ok(scalar),
    }
}

fn other_case(name: &str, to_camel: bool) -> String {
    let chars: Vec<char> = name.chars().collect();
    let (mut out, mut at) = (String::new(), 0);
    while at < chars.len() {
        let follows = at > 0 && (chars[at - 1].is_ascii_lowercase() || chars[at - 1].is_ascii_digit());
        if to_camel && follows && chars[at] == '_' && chars.get(at + 1).is_some_and(char::is_ascii_lowercase) {
            out.push(chars[at + 1].to_ascii_uppercase());
            at += 1;
        } else if !to_camel && follows && chars[at].is_ascii_uppercase() {
            out.push('_');
            out.push(chars[at].to_ascii_lowercase());
        } else {
            out.push(chars[at]);
        }
        at += 1;
    }
    out
}

fn drop_elements(a: &Value, root: Value, c: Context<'_>) -> Done<Value> {
    if (a.get("on").and_then(Value::as_str).unwrap_or("down") == "up") != c.up {
        return Ok(root);
    }
    let mut at = a.get("at").map(tokens).unwrap_or_default();
    if at.pop().is_none() {
        return if holds(&a["when"], &root) { Err("dropped") } else { Ok(root) };
    }
    at_each(root, &at, &mut |v| match v {
        Value::Array(items) => Ok(Some(items.into_iter().filter(|v| !holds(&a["when"], v)).collect())),
        other => Ok(Some(other)),
    })
}

fn limit(a: &Value, root: Value, c: Context<'_>) -> Done<Value> {
    if (a.get("on").and_then(Value::as_str).unwrap_or("up") == "up") != c.up {
        return Ok(root);
    }
    let most = |name: &str| a.get(name).and_then(Value::as_u64).and_then(|most| usize::try_from(most).ok());
    at_each(root, &tokens(&a["at"]), &mut |v| {
        let cut = match (&v, most("max_length"), most("max_items"), a.get("max").and_then(Value::as_f64)) {
            (Value::String(text), Some(most), _, _) if text.chars().count() > most => {
                json!(text.chars().take(most).collect::<String>())
            }
            (Value::Array(items), _, Some(most), _) if items.len() > most => json!(items[..most]),
            (Value::Number(number), _, _, Some(most)) if number.as_f64().is_some_and(|n| n > most) => a["max"].clone(),
            _ => return Ok(Some(v)),
        };
        match a.get("over") {
            Some(Value::String(s)) if matches!(s.as_str(), "truncate" | "clamp") => Ok(Some(cut)),
            Some(Value::String(s)) if s == "keep" => Ok(Some(v)),
            Some(Value::String(s)) if s == "drop" => Ok(None),
            Some(spec) if spec.is_object() => Ok(Some(spec["value"].clone())),
            _ => Err("information_lost"),
        }
    })
}

/// The few programs that tests use.
pub(crate) const JQ: &[[&str; 2]] =
    &[[".", "."], ["map({label: .})", "map(.label)"], ["{v: .}", ".v"], ["tostring", "[.[]?]"], ["empty", "."]];

fn jq(program: &Value, v: Value) -> Done<Value> {
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
