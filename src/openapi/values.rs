//! Edits of one value, run on its schema.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::json::edit::{Bound, Case, Empty, Otherwise, Over, Token, ValueEdit};
use crate::json::{Conversion, Way};

use super::components::{Editing, union_of};
use super::edit::parse;
use super::schema::{
    Dialect, admits, array, is_nullable, is_required, is_unknown, reworked, set_nullable, set_required, types, union,
    unknown,
};

impl Editing {
    pub(super) fn change(&mut self, schema: &mut Value, at: &[Token], how: &ValueEdit) {
        let mut may_go = false;
        match how {
            // What is put around a value leaves its schema, and the name of that, as they are.
            ValueEdit::ToArray { .. } | ValueEdit::ToMember { .. } => {
                self.at(schema, at, true, &mut |editing, schema| editing.wrap(schema, how));
            }
            ValueEdit::Recase { to, except } => self.at(schema, at, true, &mut |editing, schema| {
                editing.recase(schema, *to, except, &mut HashMap::new());
            }),
            _ => {
                let is_watched = self.is_watched(schema, at);
                self.at(schema, at, false, &mut |editing, schema| {
                    if is_watched {
                        editing.note(schema, at, how);
                    }
                    may_go |= editing.change_one(schema, how);
                });
            }
        }
        if let (true, Some((Token::Key(name), above))) = (may_go, at.split_last()) {
            self.at(schema, above, false, &mut |_, schema| set_required(schema, name, false));
        }
    }

    fn wrap(&mut self, schema: &mut Value, how: &ValueEdit) {
        let was_null = is_nullable(self.look(schema));
        let mut inner = schema.take();
        let (mut outer, keeps_null) = match how {
            ValueEdit::ToArray { keep_null } => {
                self.nullable(&mut inner, false);
                (json!({"type": "array", "items": inner}), *keep_null)
            }
            ValueEdit::ToMember { key, with, keep_null } => {
                if *keep_null {
                    self.nullable(&mut inner, false);
                }
                (self.object_of(key, inner, with), *keep_null)
            }
            _ => (inner, false),
        };
        if was_null && keeps_null {
            self.nullable(&mut outer, true);
        }
        *schema = outer;
    }

    /// The schema of what one alternative becomes; whether the member may go.
    fn change_one(&mut self, schema: &mut Value, how: &ValueEdit) -> bool {
        let was_null = is_nullable(schema);
        let (new, otherwise) = match how {
            ValueEdit::Map { pairs, otherwise } => (self.mapped(schema, pairs, otherwise), otherwise),
            ValueEdit::Convert { conversion, way, otherwise } => {
                (Some(Self::converted(schema, conversion, *way, otherwise)), otherwise)
            }
            ValueEdit::FromArray { empty, otherwise, .. } => return self.only_element(schema, *empty, otherwise),
            ValueEdit::FromMember { key, otherwise } => return self.only_member(schema, key, otherwise),
            ValueEdit::ToEntries { key, value, otherwise } => {
                (self.entries_of(schema, key, value.as_deref()), otherwise)
            }
            ValueEdit::FromEntries { key, value, otherwise } => {
                (self.entries_joined(schema, key, value.as_deref()), otherwise)
            }
            ValueEdit::ToObject { keys, otherwise, .. } => (self.tuple_named(schema, keys), otherwise),
            ValueEdit::ToTuple { keys, otherwise, .. } => (self.tuple_of(schema, keys), otherwise),
            ValueEdit::Limit { bound, over } => return limited(schema, bound, over),
            ValueEdit::Jq { .. } => {
                *schema = unknown();
                return false;
            }
            ValueEdit::ToArray { .. } | ValueEdit::ToMember { .. } | ValueEdit::Recase { .. } => return false,
        };
        let Some(mut new) = new else { return *otherwise == Otherwise::Drop };
        // Null passes through all of these, unless a pair says what it becomes.
        let maps_null = matches!(how, ValueEdit::Map { pairs, .. } if pairs.iter().any(|(from, _)| from == b"null"));
        if was_null && !maps_null {
            set_nullable(&mut new, self.dialect, true);
        }
        if let Otherwise::Value(text) = otherwise {
            let value = parse(text);
            if super::conform::conforms_to(&self.fits(), &new, &value).is_err() {
                new = union(new, self.literal(&value));
            }
        }
        *schema = reworked(schema, new);
        *otherwise == Otherwise::Drop
    }

    /// For holding literals against schemas that refer to nothing.
    fn fits(&self) -> super::conform::Root<'static> {
        super::conform::Root::empty(self.dialect)
    }

    fn mapped(&self, schema: &Value, pairs: &[(Vec<u8>, Vec<u8>)], otherwise: &Otherwise) -> Option<Value> {
        let pairs = parsed(pairs);
        let mut values: Vec<Value> = Vec::new();
        let mut add = |value: Value| {
            if !values.contains(&value) {
                values.push(value);
            }
        };
        let domain = self.domain(schema);
        for value in domain.iter().flatten() {
            match find_pair(&pairs, value) {
                Some(to) => add(to.clone()),
                None if *otherwise == Otherwise::Keep => add(value.clone()),
                None => {}
            }
        }
        // Also what only the version here says: of several, the older side cannot tell which.
        let is_of_domain = |from: &Value| domain.as_ref().is_none_or(|domain| domain.iter().any(|v| same(v, from)));
        pairs.iter().filter(|(from, _)| is_of_domain(from)).for_each(|(_, to)| add(to.clone()));
        let mapped = listed(&values, self.dialect);
        if domain.is_some() || *otherwise != Otherwise::Keep {
            return Some(mapped);
        }
        let fits = values.iter().all(|value| super::conform::conforms_to(&self.fits(), schema, value).is_ok());
        (!fits).then(|| union(schema.clone(), mapped))
    }

    fn converted(schema: &Value, conversion: &Conversion, way: Way, otherwise: &Otherwise) -> Value {
        let (from, to) = formats(conversion, way);
        let may_stay = *otherwise == Otherwise::Keep && !is_total(conversion, way, schema, &from);
        if may_stay { union(schema.clone(), to) } else { to }
    }

    fn only_element(&mut self, schema: &mut Value, empty: Empty, otherwise: &Otherwise) -> bool {
        if !admits(schema, "array") {
            return *otherwise == Otherwise::Drop;
        }
        let was_null = is_nullable(schema);
        let may_be_empty = schema["minItems"].as_u64().unwrap_or(0) == 0;
        let mut new = self.element(schema);
        if was_null || may_be_empty && empty == Empty::Null {
            self.nullable(&mut new, true);
        }
        if *otherwise == Otherwise::Keep && types(schema) != ["array"] {
            new = unknown();
        }
        *schema = new;
        may_be_empty && empty == Empty::Absent || *otherwise == Otherwise::Drop
    }

    /// What is known of an array's elements.
    fn element(&mut self, schema: &Value) -> Value {
        let mut all: Vec<Value> = array(schema, "prefixItems").cloned().collect();
        all.extend(schema.get("items").filter(|items| items.is_object()).cloned());
        let element = union_of(all).unwrap_or_else(|| json!({}));
        self.duplicate(&element)
    }

    fn only_member(&mut self, schema: &mut Value, key: &str, otherwise: &Otherwise) -> bool {
        if !admits(schema, "object") {
            return *otherwise == Otherwise::Drop;
        }
        let (was_null, always) = (is_nullable(schema), is_required(schema, key));
        let mut new = schema["properties"].get(key).cloned().unwrap_or_else(unknown);
        if was_null {
            self.nullable(&mut new, true);
        }
        *schema = if *otherwise == Otherwise::Keep && types(schema).is_empty() { unknown() } else { new };
        !always || *otherwise == Otherwise::Drop
    }

    fn entries_of(&mut self, schema: &Value, key: &str, value: Option<&str>) -> Option<Value> {
        if !admits(schema, "object") {
            return None;
        }
        let mut inner = self.member_values(schema);
        let name = json!({"type": "string"});
        let Some(value) = value else {
            self.alternatives(&mut inner, &mut |_, schema| {
                let mut members = json!({key: name});
                if let (Some(all), Some(old)) = (members.as_object_mut(), schema["properties"].as_object()) {
                    all.extend(old.clone());
                }
                schema["properties"] = members;
                set_required(schema, key, true);
            });
            return Some(json!({"type": "array", "items": inner}));
        };
        let entry = json!({"type": "object", "properties": {key: name, value: inner}, "required": [key, value]});
        Some(json!({"type": "array", "items": entry}))
    }

    fn entries_joined(&mut self, schema: &Value, key: &str, value: Option<&str>) -> Option<Value> {
        if !admits(schema, "array") {
            return None;
        }
        let mut entry = self.element(schema);
        let Some(value) = value else {
            self.take(&mut entry, &[key.to_owned()], None);
            return Some(json!({"type": "object", "additionalProperties": entry}));
        };
        let mut values = unknown();
        if let Some((found, always)) = self.lookup(&entry, &[value.to_owned()]) {
            values = self.duplicate(&found);
            // An entry without a value has null.
            if !always {
                self.nullable(&mut values, true);
            }
        }
        Some(json!({"type": "object", "additionalProperties": values}))
    }

    fn tuple_named(&mut self, schema: &Value, keys: &[String]) -> Option<Value> {
        if !admits(schema, "array") {
            return None;
        }
        let least = usize::try_from(schema["minItems"].as_u64().unwrap_or(0)).unwrap_or(usize::MAX);
        let mut new = json!({"type": "object", "properties": {}});
        for (at, key) in keys.iter().enumerate() {
            let element =
                schema["prefixItems"].get(at).or_else(|| schema.get("items").filter(|items| items.is_object()));
            let element = element.cloned().unwrap_or_else(unknown);
            new["properties"][key] = self.duplicate(&element);
            set_required(&mut new, key, at < least);
        }
        Some(new)
    }

    fn tuple_of(&mut self, schema: &Value, keys: &[String]) -> Option<Value> {
        if !admits(schema, "object") {
            return None;
        }
        let mut elements: Vec<Value> = Vec::new();
        for key in keys {
            let mut element = schema["properties"].get(key).cloned().unwrap_or_else(unknown);
            // What is missing before something that is there becomes null.
            if !is_required(schema, key) {
                self.nullable(&mut element, true);
            }
            elements.push(self.duplicate(&element));
        }
        let least = keys.iter().rposition(|key| is_required(schema, key)).map_or(0, |last| last + 1);
        let mut new = match self.dialect {
            Dialect::V31 => json!({"type": "array", "prefixItems": elements}),
            Dialect::V30 => json!({"type": "array", "items": union_of(elements).unwrap_or_else(|| json!({}))}),
        };
        new["minItems"] = least.into();
        new["maxItems"] = keys.len().into();
        Some(new)
    }

    /// Every name inside is written another way, also behind references.
    fn recase(&mut self, schema: &mut Value, to: Case, except: &[String], done: &mut HashMap<String, String>) {
        self.rewrite(schema, done, &mut |editing, schema, done| {
            let kept = |name: &str| except.iter().any(|other| other == name);
            if let Some(old) = schema.get_mut("properties").and_then(Value::as_object_mut).map(std::mem::take) {
                let mut members = Map::new();
                for (name, mut property) in old {
                    if kept(&name) {
                        members.insert(name, property);
                        continue;
                    }
                    editing.recase(&mut property, to, except, done);
                    members.insert(to.write(&name), property);
                }
                schema["properties"] = members.into();
            }
            for name in schema.get_mut("required").and_then(Value::as_array_mut).into_iter().flatten() {
                if let Some(new) = name.as_str().filter(|name| !kept(name)).map(|name| to.write(name)) {
                    *name = new.into();
                }
            }
            for name in ["items", "additionalProperties"] {
                if let Some(inner) = schema.get_mut(name).filter(|inner| inner.is_object()) {
                    editing.recase(inner, to, except, done);
                }
            }
            for name in ["allOf", "anyOf", "oneOf", "prefixItems"] {
                for inner in schema.get_mut(name).and_then(Value::as_array_mut).into_iter().flatten() {
                    editing.recase(inner, to, except, done);
                }
            }
        });
    }
}

/// The pairs of a `map`.
pub(super) fn parsed(pairs: &[(Vec<u8>, Vec<u8>)]) -> Vec<(Value, Value)> {
    pairs.iter().map(|(from, to)| (parse(from), parse(to))).collect()
}

/// What a `map` has for a value.
pub(super) fn find_pair<'p>(pairs: &'p [(Value, Value)], value: &Value) -> Option<&'p Value> {
    pairs.iter().find(|(from, _)| same(from, value)).map(|(_, to)| to)
}

/// The schemas of the two formats of a conversion, this way.
pub(super) fn formats(conversion: &Conversion, way: Way) -> (Value, Value) {
    let (first, second) = match conversion {
        Conversion::IntegerString => (json!({"type": "integer"}), json!({"type": "string"})),
        Conversion::NumberString => (json!({"type": "number"}), json!({"type": "string"})),
        Conversion::BooleanString => (json!({"type": "boolean"}), json!({"type": "string", "enum": ["true", "false"]})),
        Conversion::BooleanInteger => (json!({"type": "boolean"}), json!({"type": "integer", "enum": [0, 1]})),
        Conversion::MinorUnitsDecimal(_) => {
            (json!({"type": "integer"}), json!({"type": "string", "format": "decimal"}))
        }
        Conversion::UnixSecondsRfc3339 | Conversion::UnixMillisRfc3339 => {
            (json!({"type": "integer", "format": "int64"}), json!({"type": "string", "format": "date-time"}))
        }
        Conversion::CsvArray(_) => (json!({"type": "string"}), json!({"type": "array", "items": {"type": "string"}})),
    };
    match way {
        Way::There => (first, second),
        Way::Back => (second, first),
    }
}

/// Whether two values are the same to a rule: what stands in a head is text.
fn same(a: &Value, b: &Value) -> bool {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    a == b || a.is_string() && (b.is_boolean() || b.is_number()) && text(a) == text(b)
}

/// The schema of a list of values.
fn listed(values: &[Value], dialect: Dialect) -> Value {
    let mut names: Vec<&str> = Vec::new();
    for value in values.iter().filter(|value| !value.is_null()) {
        let name = match value {
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_f64() => "number",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) | Value::Null => "object",
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let not_null: Vec<&Value> = values.iter().filter(|value| !value.is_null()).collect();
    let mut schema = match names.as_slice() {
        ["boolean"] if not_null.len() == 2 => json!({"type": "boolean"}),
        [one] => json!({"type": one, "enum": not_null}),
        _ => json!({"enum": not_null}),
    };
    if values.contains(&Value::Null) {
        set_nullable(&mut schema, dialect, true);
    }
    schema
}

/// Whether every value that fits the schema has a counterpart.
fn is_total(conversion: &Conversion, way: Way, schema: &Value, from: &Value) -> bool {
    let total = match (conversion, way) {
        (
            Conversion::IntegerString
            | Conversion::NumberString
            | Conversion::BooleanString
            | Conversion::BooleanInteger
            | Conversion::MinorUnitsDecimal(_)
            | Conversion::CsvArray(_),
            Way::There,
        ) => true,
        // Times have a range.
        (Conversion::UnixSecondsRfc3339 | Conversion::UnixMillisRfc3339, Way::There) | (_, Way::Back) => false,
    };
    let own: Vec<&str> = types(schema).into_iter().filter(|name| *name != "null").collect();
    total && !is_unknown(schema) && own == types(from)
}

/// Gives a schema a bound that is at least as strict as its own; whether the member may go.
fn limited(schema: &mut Value, bound: &Bound, over: &Over) -> bool {
    let (word, most) = match bound {
        Bound::Characters(most) => ("maxLength", json!(most)),
        Bound::Elements(most) => ("maxItems", json!(most)),
        Bound::Number(most) => ("maximum", parse(most)),
    };
    let otherwise = match over {
        Over::Cut => &Otherwise::Fail,
        Over::Otherwise(otherwise) => otherwise,
    };
    let is_stricter = |own: &Value| own.as_f64() <= most.as_f64();
    if *otherwise == Otherwise::Keep || schema.get(word).is_some_and(is_stricter) {
        return false;
    }
    let before = schema.clone();
    if let Some(members) = schema.as_object_mut() {
        members.insert(word.to_owned(), most);
    }
    if let Otherwise::Value(text) = otherwise {
        *schema = union(schema.take(), json!({"enum": [parse(text)]}));
    }
    *otherwise == Otherwise::Drop && *schema != before
}
