//! Edits of values, run on the schemas of those values.
//!
//! What comes out describes every translation of every document that fits what went in, and where that is not known
//! exactly, more than those. In a request, a member that a rule fills in is not required afterwards: clients of the
//! newer version may leave it out as those of the older could.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::json::edit::{Condition, Edit, Entry, Literal, Nest, Order, Source, Test, Token};

use super::components::Editing;
use super::schema::{array, infer, is_nullable, set_required, union};
use super::schema::{is_required, unknown};

/// Bounds compositions of compositions.
const MOST_COMPOSED: usize = 8;

/// Whether a guard lets an edit run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Certainty {
    Never,
    Perhaps,
    Always,
}

/// Edits of values that are inside each other, and of those inside them.
struct Nested<'e> {
    nest: &'e Nest,
    order: Order,
    entries: &'e [Entry],
    /// What undoes them.
    back: &'e [Entry],
}

/// The paths' tokens of names alone.
pub(super) fn tokens(keys: &[String]) -> Vec<Token> {
    keys.iter().cloned().map(Token::Key).collect()
}

/// What tells alternatives apart has another name.
fn told_apart_by(schema: &mut Value, pairs: &[(String, String)]) {
    let name = schema["discriminator"]["propertyName"].as_str();
    if let Some((_, new)) = pairs.iter().find(|(old, _)| name == Some(old)) {
        schema["discriminator"]["propertyName"] = new.as_str().into();
    }
}

/// The value of a rule's JSON text.
pub(super) fn parse(text: &[u8]) -> Value {
    serde_json::from_slice(text).unwrap_or_default()
}

impl Editing {
    /// Runs the edits of one op. `back` are those of the other direction.
    pub(super) fn run(&mut self, schema: &mut Value, forward: &[Entry], back: &[Entry]) {
        for entry in forward {
            self.guarded(schema, entry, back);
        }
        for entry in back {
            if let Edit::DropElements { at, when } = &entry.edit {
                self.at(schema, at, false, &mut |_, schema| Self::unknown_elements(schema, when));
            }
        }
    }

    fn guarded(&mut self, schema: &mut Value, entry: &Entry, back: &[Entry]) {
        if entry.guard.is_empty() {
            return self.edit(schema, &entry.edit, back);
        }
        self.alternatives(schema, &mut |editing, schema| match editing.holds(schema, &entry.guard) {
            Certainty::Never => {}
            Certainty::Always => editing.edit(schema, &entry.edit, back),
            Certainty::Perhaps => {
                let before = editing.duplicate(schema);
                // What the guard keeps away from the edit is not known.
                let watch = editing.watch.take();
                editing.edit(schema, &entry.edit, back);
                editing.watch = watch;
                *schema = union(before, schema.take());
            }
        });
    }

    fn edit(&mut self, schema: &mut Value, edit: &Edit, back: &[Entry]) {
        match edit {
            Edit::Rename { at, pairs } => {
                self.at(schema, at, false, &mut |e, schema| e.rename(schema, pairs));
                self.at(schema, at, true, &mut |e, schema| {
                    e.enter(schema, &mut |_, schema| told_apart_by(schema, pairs));
                });
            }
            Edit::Move { scope, from, to, .. } => {
                self.at(schema, scope, false, &mut |e, schema| e.relocate(schema, from, to));
            }
            Edit::Put { scope, at, value, create, .. } => {
                self.at(schema, scope, false, &mut |e, schema| e.put(schema, at, value, *create));
            }
            Edit::Take { scope, at, prune, .. } => {
                self.at(schema, scope, false, &mut |e, schema| drop(e.take(schema, at, prune.then_some(&[]))));
            }
            Edit::Change { at, how } => self.change(schema, at, how),
            Edit::Envelope { key, with } => {
                let inner = schema.take();
                *schema = self.object_of(key, inner, with);
            }
            Edit::Open { key, .. } => {
                let opened = self.take(schema, std::slice::from_ref(key), None);
                *schema = opened.map_or_else(unknown, |taken| taken.schema);
            }
            Edit::Presence { scope, at, null, missing } => {
                let other = back.iter().find_map(|entry| match &entry.edit {
                    Edit::Presence { scope: s, at: a, null, missing } if s == scope && a == at => {
                        Some((null.as_ref(), missing.as_ref()))
                    }
                    _ => None,
                });
                self.at(schema, scope, false, &mut |e, schema| {
                    e.presence(schema, at, (null.as_ref(), missing.as_ref()), other.unwrap_or_default());
                });
            }
            Edit::Split { scope, key, into, how, otherwise } => self.at(schema, scope, false, &mut |e, schema| {
                e.split(schema, key, into, how, otherwise);
            }),
            Edit::Join { scope, from, key, .. } => {
                self.at(schema, scope, false, &mut |e, schema| e.join(schema, from, key));
            }
            Edit::Spread { from, to, key, .. } => self.spread(schema, from, to, key),
            Edit::Collapse { from, key, to, .. } => self.collapse(schema, from, key, to),
            Edit::DropElements { at, .. } => self.at(schema, at, false, &mut |_, schema| {
                schema.as_object_mut().and_then(|members| members.shift_remove("minItems"));
            }),
            Edit::DropMessage { .. } => {}
            Edit::Each { at, entries } => {
                let inner: Vec<Entry> = back
                    .iter()
                    .filter_map(|entry| match &entry.edit {
                        Edit::Each { at: other, entries } if other == at => Some(entries.clone()),
                        _ => None,
                    })
                    .flatten()
                    .collect();
                self.at(schema, at, true, &mut |e, schema| e.run(schema, entries, &inner));
            }
            Edit::Recurse { at, form, nest, entries, order } => {
                let inner: Vec<Entry> = back
                    .iter()
                    .filter_map(|entry| match &entry.edit {
                        Edit::Recurse { at: other, entries, .. } if other == at => Some(entries.clone()),
                        _ => None,
                    })
                    .flatten()
                    .collect();
                let nested = Nested { nest, order: *order, entries, back: &inner };
                self.at(schema, at, true, &mut |e, schema| e.nested(schema, *form, &nested, &mut HashMap::new()));
            }
        }
    }

    /// Edits a value and those inside it, which are of one component wherever they are inside themselves.
    fn nested(&mut self, schema: &mut Value, form: usize, nested: &Nested<'_>, done: &mut HashMap<String, String>) {
        let Some(own) = nested.nest.forms.get(form) else { return };
        self.rewrite(schema, done, &mut |editing, schema, done| {
            if own.is_edited && nested.order == Order::OuterFirst {
                editing.run(schema, nested.entries, nested.back);
            }
            for (path, form) in &own.inside {
                editing.at(schema, path, true, &mut |editing, schema| editing.nested(schema, *form, nested, done));
            }
            if own.is_edited && nested.order == Order::InnerFirst {
                editing.run(schema, nested.entries, nested.back);
            }
        });
    }

    /// `{"key": inner, ...with}`, all of it required.
    pub(super) fn object_of(&self, key: &str, inner: Value, with: &[(String, Literal)]) -> Value {
        let mut schema = json!({"type": "object", "properties": {}, "required": [key]});
        schema["properties"][key] = inner;
        for (name, literal) in with {
            schema["properties"][name] = infer(&parse(&literal.text()), self.dialect);
            set_required(&mut schema, name, true);
        }
        schema
    }

    /// The schema of a value that an edit fills in, a literal as its default, and whether there always is one.
    pub(super) fn source(&mut self, scope: &Value, source: &Source) -> (Value, bool) {
        match source {
            Source::Literal(literal) => {
                let value = parse(&literal.text());
                let mut schema = infer(&value, self.dialect);
                let stands_for_itself = !matches!(value.as_str(), Some("$now" | "$version"));
                if !value.is_object() && !value.is_array() && !value.is_null() && stands_for_itself {
                    schema["default"] = value;
                }
                (schema, true)
            }
            Source::Copy(keys) => match self.lookup(scope, keys) {
                Some((found, always)) => (self.duplicate(&found), always),
                None => (unknown(), false),
            },
            Source::Absent => (unknown(), false),
            Source::Refuse => (unknown(), true),
        }
    }

    /// The schema at a path of names, and whether a value always is there.
    pub(super) fn lookup(&self, schema: &Value, keys: &[String]) -> Option<(Value, bool)> {
        self.lookup_in(schema, keys, 0)
    }

    fn lookup_in(&self, schema: &Value, keys: &[String], depth: usize) -> Option<(Value, bool)> {
        let Some((key, rest)) = keys.split_first() else { return Some((schema.clone(), true)) };
        if depth > MOST_COMPOSED {
            return None;
        }
        let schema = self.look(schema);
        if let Some(child) = schema["properties"].get(key) {
            let there = is_required(schema, key);
            let (found, always) = self.lookup_in(child, rest, 0)?;
            return Some((found, always && there && (rest.is_empty() || !is_nullable(self.look(child)))));
        }
        let whole = array(schema, "allOf").find_map(|part| self.lookup_in(part, keys, depth + 1));
        whole.or_else(|| {
            let parts = array(schema, "anyOf").chain(array(schema, "oneOf"));
            let found: Vec<Value> = parts.filter_map(|part| Some(self.lookup_in(part, keys, depth + 1)?.0)).collect();
            Some((super::components::union_of(found)?, false))
        })
    }

    fn holds(&self, schema: &Value, guard: &[Condition]) -> Certainty {
        guard.iter().map(|condition| self.one_holds(schema, condition)).min().unwrap_or(Certainty::Always)
    }

    /// A member that is not declared is taken for missing.
    fn one_holds(&self, schema: &Value, condition: &Condition) -> Certainty {
        let found = self.lookup(schema, &condition.path);
        let always = found.as_ref().is_some_and(|(_, always)| *always);
        let certain = |yes: bool| if yes { Certainty::Always } else { Certainty::Never };
        match (&condition.test, found) {
            (Test::Exists(wanted), None) => certain(!wanted),
            (Test::Exists(wanted), Some(_)) if always => certain(*wanted),
            (Test::Exists(_), Some(_)) => Certainty::Perhaps,
            (Test::In(_), None) => Certainty::Never,
            (Test::NotIn(_), None) => Certainty::Always,
            (Test::In(values), Some((found, _))) => match (self.overlap(&found, values), always) {
                (Certainty::Always, false) => Certainty::Perhaps,
                (overlap, _) => overlap,
            },
            (Test::NotIn(values), Some((found, _))) => match self.overlap(&found, values) {
                Certainty::Never => Certainty::Always,
                Certainty::Always if always => Certainty::Never,
                Certainty::Always | Certainty::Perhaps => Certainty::Perhaps,
            },
        }
    }

    /// Whether the values that fit a schema are among these.
    fn overlap(&self, schema: &Value, values: &[Vec<u8>]) -> Certainty {
        let Some(domain) = self.domain(schema) else { return Certainty::Perhaps };
        let values: Vec<Value> = values.iter().map(|text| parse(text)).collect();
        match domain.iter().filter(|value| values.contains(value)).count() {
            0 => Certainty::Never,
            all if all == domain.len() => Certainty::Always,
            _ => Certainty::Perhaps,
        }
    }

    /// All values that fit a schema, where it lists them.
    pub(super) fn domain(&self, schema: &Value) -> Option<Vec<Value>> {
        let schema = self.look(schema);
        let listed = schema["enum"].as_array().cloned().or_else(|| Some(vec![schema.get("const")?.clone()]));
        let is_boolean = super::schema::types(schema).iter().all(|name| matches!(*name, "boolean" | "null"));
        let mut values = match listed {
            Some(values) => values,
            None if is_boolean && super::schema::types(schema).contains(&"boolean") => {
                vec![Value::Bool(true), Value::Bool(false)]
            }
            None => return None,
        };
        if is_nullable(schema) && !values.contains(&Value::Null) {
            values.push(Value::Null);
        }
        Some(values)
    }

    /// Elements that only the version here knows: all that is known of them is how they are told apart.
    fn unknown_elements(schema: &mut Value, when: &[Condition]) {
        let Some(items) = schema.get_mut("items") else { return };
        let mut element = unknown();
        for condition in when {
            if let (Test::In(values), [name]) = (&condition.test, condition.path.as_slice()) {
                let values: Vec<Value> = values.iter().map(|text| parse(text)).collect();
                element["properties"][name] = json!({"enum": values});
                set_required(&mut element, name, true);
            }
        }
        *items = union(items.take(), element);
    }
}
