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
