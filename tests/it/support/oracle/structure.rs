//! Ops that change how values are put together, and those that leave some out.

use serde_json::{Map, Value, json};

use super::members::{keys, object_at, place, scoped};
use super::values::{equal, fall_back, literal};
use super::{Context, Done, Tokens, at_each, find, holds, tokens};

pub(super) fn wrap(a: &Value, root: Value, c: Context<'_>) -> Done<Value> {
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

pub(super) fn unwrap(a: &Value, root: Value, c: Context<'_>) -> Done<Value> {
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

pub(super) fn envelope(a: &Value, root: Value, c: Context<'_>) -> Done<Value> {
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

pub(super) fn split(a: &Value, root: Value, c: Context<'_>) -> Done<Value> {
    let (at, key) = member_of(&a["at"]);
    let parts = [member_of(&a["into"][0]).1, member_of(&a["into"][1]).1];
    let separator = a.get("sep").and_then(Value::as_str).unwrap_or(" ");
    let last = a.get("take") == Some(&json!("last"));
    let missing = a.get("missing").filter(|m| m.is_object()).map(|m| m["value"].clone());
    at_each(root, &at, &mut |v| {
        let Value::Object(members) = &v else { return Ok(Some(v)) };
        let there = match (members.get(&key), a.get("else")) {
            (None, _) => return Ok(Some(v)),
            (Some(there @ (Value::Null | Value::String(_))), _) => there.clone(),
            (Some(_), Some(Value::Object(value))) => value["value"].clone(),
            (Some(_), Some(Value::String(what))) if what == "drop" => {
                let mut out = members.clone();
                out.shift_remove(&key);
                return Ok(Some(Value::Object(out)));
            }
            (Some(_), Some(Value::String(what))) if what == "keep" => return Ok(Some(v)),
            (Some(_), _) => return Err("not_a_string"),
        };
        let (first, second) = match &there {
            Value::Null => (Value::Null, c.patch.then_some(Value::Null)),
            Value::String(text) => {
                let halves = if last { text.rsplit_once(separator) } else { text.split_once(separator) };
                match halves {
                    Some((x, y)) => (json!(x), Some(json!(y))),
                    None if c.patch => (json!(text), Some(Value::Null)),
                    None => (json!(text), missing.clone()),
                }
            }
            other => (other.clone(), None),
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

pub(super) fn join(a: &Value, root: Value, c: Context<'_>) -> Done<Value> {
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

pub(super) fn entries(a: &Value, root: Value, c: Context<'_>) -> Done<Value> {
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

pub(super) fn tuple(a: &Value, root: Value, c: Context<'_>) -> Done<Value> {
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

pub(super) fn spread(a: &Value, mut root: Value) -> Done<Value> {
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

pub(super) fn collapse(a: &Value, root: Value) -> Done<Value> {
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

pub(super) fn presence(a: &Value, root: Value, c: Context<'_>) -> Done<Value> {
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

pub(super) fn recase(a: &Value, root: Value, c: Context<'_>) -> Done<Value> {
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

pub(super) fn drop_elements(a: &Value, root: Value, c: Context<'_>) -> Done<Value> {
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

pub(super) fn limit(a: &Value, root: Value, c: Context<'_>) -> Done<Value> {
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
