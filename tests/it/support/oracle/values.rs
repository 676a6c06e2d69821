//! Ops that put other values where values stand.

use serde_json::{Value, json};

use super::{Context, Done, at_each, tokens};

pub(super) fn literal(value: &Value, c: Context<'_>) -> Value {
    match value {
        Value::String(s) if s == "$now" => json!(c.now),
        Value::String(s) if s == "$version" => json!(c.version),
        Value::Array(items) => items.iter().map(|v| literal(v, c)).collect(),
        Value::Object(members) => Value::Object(members.iter().map(|(k, v)| (k.clone(), literal(v, c))).collect()),
        other => other.clone(),
    }
}

pub(super) fn fall_back(a: &Value, v: Value, c: Context<'_>, code: &'static str) -> Done<Option<Value>> {
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

pub(super) fn map(a: &Value, root: Value, c: Context<'_>) -> Done<Value> {
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
pub(super) fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => x == y || x.as_f64() == y.as_f64(),
        _ => a == b,
    }
}

pub(super) fn convert(a: &Value, root: Value, c: Context<'_>) -> Done<Value> {
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
