//! What programs may call. It is listed name by name: what is not here, such as `input`, `now`, `env` or `debug`,
//! does not exist.

use std::sync::LazyLock;

use jaq_core::box_iter::box_once;
use jaq_core::load::parse::Def;
use jaq_core::native::{Filter, Fun, bome, run, unary, v};
use jaq_core::{Exn, RunPtr, ValR};

use super::super::{Limits, validate};
use super::budget::spend_bytes;
use super::value::Value;
use super::{Bounded, text};

type Error = jaq_core::Error<Value>;

/// Names of jaq's library that a program finds. Left out are the world (`input`, `env`, `now`, `debug`, `halt`),
/// regular expressions, whose work cannot be counted, and `path`, whose lists cannot be dropped in bounded stack.
#[rustfmt::skip]
const NAMES: &[&str] = &[
    "!empty", "@base64", "@base64d", "@html", "@htmld", "@json", "@text", "@uri", "@urid", "abs", "add", "all", "any",
    "arrays", "ascii_downcase", "ascii_upcase", "booleans", "ceil", "combinations", "decode_base64", "decode_uri",
    "del", "delpaths", "empty", "encode_base64", "encode_uri", "endswith", "error", "error_empty", "escape_html",
    "explode", "fabs", "false", "finites", "first", "flatten", "floor", "from_entries", "fromdate",
    "fromdateiso8601", "getpath", "group_by", "implode", "in", "index", "infinite", "inside", "isarray", "isboolean",
    "isempty", "isfinite", "isinfinite", "isnan", "isnormal", "isnumber", "isobject", "isstring", "iterables", "join",
    "key_values", "keys", "keys_unsorted", "last", "limit", "log", "log10", "log2", "ltrim", "ltrimstr", "map",
    "map_values", "max", "max_by", "max_by_or_empty", "min", "min_by", "min_by_or_empty", "nan", "normals", "not",
    "nth", "null", "nulls", "numbers", "objects", "pow", "range", "recurse", "repeat", "reverse", "rindex", "round",
    "rtrim", "rtrimstr", "scalars", "select", "setpath", "skip", "sort", "sort_by", "split", "sqrt", "startswith",
    "strings", "to_entries", "toboolean", "todate", "todateiso8601", "tonumber", "tostring", "totype", "transpose",
    "trim", "true", "trunc", "type", "unescape_html", "unique", "unique_by", "until", "utf8bytelength", "values",
    "walk", "while", "with_entries",
];

/// Those that `NAMES` would let in, by the number of their arguments: the two `split` of regular expressions.
const LEFT_OUT: &[(&str, usize)] = &[("split", 2)];

fn is_listed(name: &str, arguments: usize) -> bool {
    NAMES.contains(&name) && !LEFT_OUT.contains(&(name, arguments))
}

/// The filters that are programs themselves.
pub(super) fn definitions() -> impl Iterator<Item = Def<&'static str>> {
    static PARSED: LazyLock<Vec<Def<&'static str>>> = LazyLock::new(|| {
        let all = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
        all.filter(|def| is_listed(def.name, def.args.len())).collect()
    });
    PARSED.iter().cloned()
}

/// The others.
pub(super) fn natives() -> impl Iterator<Item = Fun<Bounded>> {
    let theirs = jaq_core::funs().chain(jaq_std::funs());
    theirs.filter(|(name, arguments, _)| is_listed(name, arguments.len())).chain(ours().map(run::<Bounded>))
}

/// What jaq has for values of its own only.
fn ours() -> impl Iterator<Item = Filter<RunPtr<Bounded>>> {
    let filters: [Filter<RunPtr<Bounded>>; 6] = [
        ("length", v(0), |cv| bome(length(&cv.1))),
        ("has", v(1), |cv| unary(cv, |value, key| value.find(&key).map(|found| found.is_some().into()))),
        ("contains", v(1), |cv| unary(cv, |a, b| Ok(contains(&a, &b).into()))),
        ("indices", v(1), |cv| unary(cv, |value, part| indices(&value, &part))),
        ("tojson", v(0), |cv| bome(text::write(&cv.1).map(|text| Value::string(&text)).map_err(Error::str))),
        ("fromjson", v(0), |cv| box_once(from_json(&cv.1).map_err(Exn::from))),
    ];
    filters.into_iter()
}

fn length(value: &Value) -> ValR<Value> {
    match value {
        Value::Null => Ok(0_usize.into()),
        Value::Number(_) if *value < Value::from(0_isize) => -value.clone(),
        Value::Number(_) => Ok(value.clone()),
        Value::String(text) => Ok(text::characters(text).into()),
        Value::Array(_) => Ok(value.items().map_or(0, <[_]>::len).into()),
        Value::Object(_) => Ok(value.members().map_or(0, jaq_json::Map::len).into()),
        Value::Bool(_) => Err(Error::str("a boolean has no length")),
    }
}

fn contains(value: &Value, part: &Value) -> bool {
    match (value, part) {
        (Value::String(text), Value::String(part)) => {
            spend_bytes(text.len());
            memchr::memmem::find(text, part).is_some()
        }
        (Value::Array(_), Value::Array(_)) => {
            let (items, parts) = (value.items().unwrap_or_default(), part.items().unwrap_or_default());
            parts.iter().all(|part| items.iter().any(|item| contains(item, part)))
        }
        (Value::Object(_), Value::Object(_)) => {
            let of = |name: &[u8]| value.members().and_then(|members| members.get(name));
            part.members().into_iter().flatten().all(|(name, part)| of(name).is_some_and(|value| contains(value, part)))
        }
        _ => value == part,
    }
}

/// Where a part begins: characters of a string, elements of an array.
fn indices(value: &Value, part: &Value) -> ValR<Value> {
    match (value, part) {
        (Value::String(text), Value::String(part)) => {
            spend_bytes(text.len());
            let found = (0..text.len()).filter(|at| !part.is_empty() && text[*at..].starts_with(part));
            Ok(found.map(|at| Value::from(text::characters(&text[..at]))).collect())
        }
        (Value::Array(_), _) => {
            let items = value.items().unwrap_or_default();
            let single = [part.clone()];
            let parts = part.items().unwrap_or(&single);
            let found = items.windows(parts.len().max(1)).enumerate().filter(|(_, window)| *window == parts);
            Ok(found.map(|(at, _)| Value::from(at)).collect())
        }
        (Value::Null, _) => Ok(Value::Null),
        _ => Err(Error::index(value.clone(), part.clone())),
    }
}

fn from_json(value: &Value) -> ValR<Value> {
    let Value::String(json) = value else { return Err(Error::typ(value.clone(), "string")) };
    spend_bytes(json.len());
    validate(json, Limits::default())
        .and_then(|()| text::read(json.trim_ascii()))
        .map_err(|error| Error::str(format!("not JSON: {error}")))
}
