//! Ops that give members other names and places, and those that add and take them.

use serde_json::{Map, Value, json};

use super::values::literal;
use super::{Context, Done, Tokens, at_each, find, tokens};

pub(super) fn rename(a: &Value, mut root: Value, c: Context<'_>) -> Done<Value> {
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

pub(super) fn scoped(path: &[Option<String>]) -> (Tokens, Vec<String>) {
    let at = path.iter().rposition(Option::is_none).map_or(0, |i| i + 1);
    (path[..at].to_vec(), path[at..].iter().flatten().cloned().collect())
}

pub(super) fn relocate(a: &Value, root: Value, c: Context<'_>) -> Done<Value> {
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

pub(super) fn keys(path: &[String]) -> Vec<Option<String>> {
    path.iter().cloned().map(Some).collect()
}

pub(super) fn object_at<'v>(value: &'v mut Value, path: &[String]) -> Option<&'v mut Map<String, Value>> {
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

pub(super) fn place(scope: &mut Value, to: &[String], value: Value) -> Done<()> {
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

pub(super) fn put(a: &Value, default: &Value, root: Value, c: Context<'_>) -> Done<Value> {
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

pub(super) fn take(a: &Value, root: Value) -> Done<Value> {
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
