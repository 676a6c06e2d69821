//! Whether a value fits a schema, as far as OpenAPI's own words go: types, null, enumerations, members, elements,
//! bounds, compositions. Formats and patterns are words for people here.

use std::cell::Cell;

use serde_json::{Number, Value};

use super::components::merge;
use super::document::{Document, Part, find, reference};
use super::schema::{Dialect, array, is_nullable, is_unknown, types};

/// Bounds schemas inside each other.
const DEEPEST: usize = 256;

/// Bounds the schemas that one value is held against: alternatives of alternatives multiply.
const MOST: u32 = 1_000_000;
/// Bounds the parts of one `allOf`, with those of its parts.
const MOST_PARTS: u32 = 1000;

/// What references lead to, and how null is said.
pub(super) struct Root<'d> {
    document: &'d Value,
    pub(super) dialect: Dialect,
    /// What marks the members that do not go this way, if it is one way.
    uncarried: Option<&'static str>,
    /// How many more schemas may be looked at.
    left: Cell<u32>,
}

impl<'d> Root<'d> {
    pub(super) fn new(document: &'d Document) -> Self {
        Self { document: &document.value, ..Self::empty(document.dialect) }
    }

    /// For messages that do not carry the members with a mark.
    pub(super) fn without(document: &'d Document, uncarried: &'static str) -> Self {
        Self { uncarried: Some(uncarried), ..Self::new(document) }
    }

    /// For schemas that refer to nothing.
    pub(super) fn empty(dialect: Dialect) -> Self {
        Self { document: &Value::Null, dialect, uncarried: None, left: Cell::new(MOST) }
    }

    /// Counts one more schema; false where there were too many.
    fn may_look(&self) -> bool {
        self.left.set(self.left.get().saturating_sub(1));
        self.left.get() > 0
    }

    /// A schema behind its reference, with what `allOf` adds to it.
    pub(super) fn whole(&self, schema: &Value) -> Value {
        let mut left = MOST_PARTS;
        self.whole_within(schema, &mut left)
    }

    fn whole_within(&self, schema: &Value, left: &mut u32) -> Value {
        let mut whole = self.resolve(schema).clone();
        let Some(parts) = whole.as_object_mut().and_then(|members| members.shift_remove("allOf")) else { return whole };
        for part in parts.as_array().into_iter().flatten() {
            if *left == 0 {
                break;
            }
            *left -= 1;
            merge(&mut whole, self.whole_within(part, left));
        }
        whole
    }

    /// Whether a schema declares a member that does not go this way.
    pub(super) fn is_uncarried(&self, schema: &Value, name: &str) -> bool {
        let Some(mark) = self.uncarried else { return false };
        let is_marked = |part: &Value| part[mark] == true;
        let declares = |part: &Value| {
            let property = part["properties"].get(name);
            property.is_some_and(|property| self.any_part(property, &mut { MOST_PARTS }, &is_marked))
        };
        self.any_part(schema, &mut { MOST_PARTS }, &declares)
    }

    /// Whether something is so of a schema itself, of what it refers to, or of a part of its `allOf`.
    fn any_part(&self, schema: &Value, left: &mut u32, is_so: &dyn Fn(&Value) -> bool) -> bool {
        if *left == 0 {
            return false;
        }
        *left -= 1;
        let target = reference(schema).and_then(|target| find(self.document, target));
        is_so(schema)
            || target.is_some_and(|target| self.any_part(target, left, is_so))
            || array(schema, "allOf").any(|part| self.any_part(part, left, is_so))
    }

    pub(super) fn resolve<'s>(&'s self, schema: &'s Value) -> &'s Value {
        let mut at = schema;
        for _ in 0..DEEPEST {
            let Some(target) = reference(at) else { return at };
            at = find(self.document, target).unwrap_or(&Value::Null);
        }
        &Value::Null
    }
}

/// Whether a value fits a schema of a document, as a part of a call.
///
/// # Errors
/// The pointer (RFC 6901) of the first value that does not fit.
pub fn conforms(document: &Document, schema: &Value, part: Part, value: &Value) -> Result<(), String> {
    conforms_to(&Root::without(document, part.uncarried()), schema, value)
}

pub(super) fn conforms_to(root: &Root<'_>, schema: &Value, value: &Value) -> Result<(), String> {
    let mut path = String::new();
    if whole_fits(root, schema, value, &mut path, 0) { Ok(()) } else { Err(path) }
}

/// Whether values that a rule writes fit a schema, as far as their types and an enumeration say.
pub(super) fn fits_type(schema: &Value, new: &Value) -> bool {
    let (known, wanted) = (types(schema), types(new));
    if wanted.iter().any(|name| matches!(*name, "array" | "object")) {
        return is_unknown(schema);
    }
    if let Some(values) = schema["enum"].as_array() {
        return new.get("default").is_some_and(|value| values.contains(value));
    }
    if known.is_empty() {
        return is_unknown(schema);
    }
    !wanted.is_empty()
        && wanted.iter().all(|name| known.contains(name) || *name == "integer" && known.contains(&"number"))
}

/// A pointer's step.
fn step(path: &mut String, name: &str) -> usize {
    let length = path.len();
    path.push('/');
    path.push_str(&name.replace('~', "~0").replace('/', "~1"));
    length
}

/// On failure, `path` is left where it was found.
fn whole_fits(root: &Root<'_>, schema: &Value, value: &Value, path: &mut String, depth: usize) -> bool {
    fits(root, (schema, schema), value, path, depth)
}

/// `around`: the schema that `schema` is a part of, or is itself; what it declares, its parts may require.
fn fits(root: &Root<'_>, (schema, around): (&Value, &Value), value: &Value, path: &mut String, depth: usize) -> bool {
    if schema == &Value::Bool(false) {
        return false;
    }
    if depth > DEEPEST || !root.may_look() {
        return true;
    }
    if let Some(target) = reference(schema) {
        let target = find(root.document, target).unwrap_or(&Value::Null);
        if !fits(root, (target, around), value, path, depth + 1) {
            return false;
        }
        if root.dialect == Dialect::V30 {
            return true;
        }
    }
    if !schema.is_object() {
        return true;
    }
    if root.dialect == Dialect::V30 && value.is_null() && schema["nullable"] == true {
        return true;
    }
    fits_type_of(schema, value)
        && listed(schema, value)
        && in_bounds(schema, value)
        && composed(root, (schema, around), value, path, depth)
        && match value {
            Value::Object(_) => members_fit(root, (schema, around), value, path, depth),
            Value::Array(items) => elements_fit(root, schema, items, path, depth),
            _ => true,
        }
}

fn fits_type_of(schema: &Value, value: &Value) -> bool {
    let types = types(schema);
    types.is_empty()
        || types.iter().any(|name| match (*name, value) {
            ("null", Value::Null)
            | ("boolean", Value::Bool(_))
            | ("string", Value::String(_))
            | ("number", Value::Number(_))
            | ("array", Value::Array(_))
            | ("object", Value::Object(_)) => true,
            ("integer", Value::Number(number)) => is_integer(number),
            _ => false,
        })
        || value.is_null() && is_nullable(schema)
}

fn is_integer(number: &Number) -> bool {
    number.is_i64() || number.is_u64() || number.as_f64().is_some_and(|float| float.fract() == 0.0)
}

fn listed(schema: &Value, value: &Value) -> bool {
    let equal =
        |other: &Value| other == value || other.is_number() && value.is_number() && other.as_f64() == value.as_f64();
    schema["enum"].as_array().is_none_or(|values| values.iter().any(equal)) && schema.get("const").is_none_or(equal)
}

fn in_bounds(schema: &Value, value: &Value) -> bool {
    let least = |name: &str, size: usize| schema[name].as_u64().is_none_or(|bound| size as u64 >= bound);
    let most = |name: &str, size: usize| schema[name].as_u64().is_none_or(|bound| size as u64 <= bound);
    match value {
        Value::Number(number) => {
            let number = number.as_f64().unwrap_or_default();
            let above = |name: &str, exclusive: bool| {
                schema[name].as_f64().is_none_or(|bound| if exclusive { number > bound } else { number >= bound })
            };
            let below = |name: &str, exclusive: bool| {
                schema[name].as_f64().is_none_or(|bound| if exclusive { number < bound } else { number <= bound })
            };
            // 3.0 says by a boolean whether a bound is exclusive, 3.1 has bounds of their own.
            above("minimum", schema["exclusiveMinimum"] == true)
                && below("maximum", schema["exclusiveMaximum"] == true)
                && above("exclusiveMinimum", true)
                && below("exclusiveMaximum", true)
        }
        Value::String(text) => {
            let length = text.chars().count();
            least("minLength", length) && most("maxLength", length)
        }
        Value::Array(items) => least("minItems", items.len()) && most("maxItems", items.len()),
        Value::Object(members) => least("minProperties", members.len()) && most("maxProperties", members.len()),
        Value::Null | Value::Bool(_) => true,
    }
}

fn composed(
    root: &Root<'_>,
    (schema, around): (&Value, &Value),
    value: &Value,
    path: &mut String,
    depth: usize,
) -> bool {
    if !array(schema, "allOf").all(|part| fits(root, (part, around), value, path, depth + 1)) {
        return false;
    }
    let length = path.len();
    let mut any = |name: &str, exactly_one: bool| {
        if array(schema, name).next().is_none() {
            return true;
        }
        let fitting = array(schema, name).filter(|part| {
            path.truncate(length);
            fits(root, (part, around), value, path, depth + 1)
        });
        let count = fitting.count();
        path.truncate(length);
        if exactly_one { count == 1 } else { count > 0 }
    };
    any("anyOf", false) && any("oneOf", true)
}

fn members_fit(
    root: &Root<'_>,
    (schema, around): (&Value, &Value),
    value: &Value,
    path: &mut String,
    depth: usize,
) -> bool {
    let is_uncarried = |name: &str| [schema, around].into_iter().any(|schema| root.is_uncarried(schema, name));
    let mut required = array(schema, "required").filter_map(Value::as_str);
    if let Some(missing) = required.find(|name| value.get(name).is_none() && !is_uncarried(name)) {
        step(path, missing);
        return false;
    }
    value.as_object().into_iter().flatten().all(|(name, member)| {
        let Some(property) = schema["properties"].get(name).or_else(|| additional(schema)) else { return true };
        let length = step(path, name);
        let fit = whole_fits(root, property, member, path, depth + 1);
        if fit {
            path.truncate(length);
        }
        fit
    })
}

/// What members are that a schema does not name. Patterns are not looked at: where there are some, nothing is known.
pub(super) fn additional(schema: &Value) -> Option<&Value> {
    schema.get("additionalProperties").filter(|_| schema.get("patternProperties").is_none())
}

fn elements_fit(root: &Root<'_>, schema: &Value, items: &[Value], path: &mut String, depth: usize) -> bool {
    items.iter().enumerate().all(|(at, item)| {
        let Some(element) = schema["prefixItems"].get(at).or_else(|| schema.get("items")) else { return true };
        let length = step(path, &at.to_string());
        let fit = whole_fits(root, element, item, path, depth + 1);
        if fit {
            path.truncate(length);
        }
        fit
    })
}
