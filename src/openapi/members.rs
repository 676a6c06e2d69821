//! Edits of the members that an object declares.

use serde_json::{Map, Value, json};

use crate::json::edit::{Boundary, Otherwise, Source, Token};

use super::components::Editing;
use super::edit::tokens;
use super::schema::{
    SINCE, admits, infer, is_nullable, is_required, is_unknown, properties, set_nullable, set_property, set_required,
    take_property, types, union,
};

/// What was taken out of an object.
#[derive(Debug)]
pub(super) struct Taken {
    /// Its schema.
    pub(super) schema: Value,
    /// Whether there always was one.
    pub(super) always: bool,
}

/// A schema that a literal gave without the literal.
fn without_default(schema: &mut Value) {
    schema.as_object_mut().and_then(|members| members.shift_remove("default"));
}

/// What becomes of null, and of nothing.
type Fills<'f> = (Option<&'f Source>, Option<&'f Source>);

impl Editing {
    /// All pairs at once; places are kept.
    pub(super) fn rename(&mut self, schema: &mut Value, pairs: &[(String, String)]) {
        let Some(old) = properties(schema).map(std::mem::take) else { return };
        let required: Vec<String> = old.keys().filter(|name| is_required(schema, name)).cloned().collect();
        let new_name = |name: &String| pairs.iter().find(|(old, _)| old == name).map(|(_, new)| new);
        let mut members = Map::new();
        for (name, property) in &old {
            let to = new_name(name).unwrap_or(name);
            let property = match members.shift_remove(to) {
                // One of the two was there already and may still be, where the other is missing.
                Some(other) => union(other, self.duplicate(property)),
                None => property.clone(),
            };
            members.insert(to.clone(), property);
        }
        schema["properties"] = members.into();
        for name in &required {
            if new_name(name).is_some() {
                set_required(schema, name, false);
            }
        }
        for name in &required {
            set_required(schema, new_name(name).unwrap_or(name), true);
        }
    }

    pub(super) fn relocate(&mut self, schema: &mut Value, from: &[String], to: &[String]) {
        if let Some(taken) = self.take(schema, from, Some(to)) {
            self.place(schema, to, &taken, true);
        }
    }

    /// Takes what is at a path out of every alternative. `keep`: parents that this empties go, but for those on this
    /// path.
    pub(super) fn take(&mut self, schema: &mut Value, path: &[String], keep: Option<&[String]>) -> Option<Taken> {
        let (name, rest) = path.split_first()?;
        let mut found: Vec<Taken> = Vec::new();
        let mut alternatives = 0;
        self.alternatives(schema, &mut |editing, schema| {
            alternatives += 1;
            if rest.is_empty() {
                found.extend(take_property(schema, name).map(|(schema, always)| Taken { schema, always }));
                return;
            }
            let there = is_required(schema, name);
            let Some(child) = properties(schema).and_then(|all| all.get_mut(name)) else { return };
            let always = there && !is_nullable(editing.look(child));
            let kept =
                keep.and_then(<[String]>::split_first).filter(|(first, after)| *first == name && !after.is_empty());
            let keep_below = keep.map(|_| kept.map_or(&[] as &[String], |(_, after)| after));
            let Some(taken) = editing.take(child, rest, keep_below) else { return };
            found.push(Taken { always: always && taken.always, ..taken });
            let prune = keep.is_some() && kept.is_none();
            let left = editing.look(child);
            let (is_empty, may_be_empty) = (left.get("properties").is_none(), left.get("required").is_none());
            if prune && is_empty && admits(left, "object") && left.get("additionalProperties").is_none() {
                take_property(schema, name);
            } else if prune && may_be_empty {
                set_required(schema, name, false);
            }
        });
        let always = found.len() == alternatives && found.iter().all(|taken| taken.always);
        let schema = super::components::union_of(found.into_iter().map(|taken| taken.schema).collect())?;
        Some(Taken { schema, always })
    }

    /// Puts something at a path. `create`: missing parents are made.
    pub(super) fn place(&mut self, schema: &mut Value, path: &[String], taken: &Taken, create: bool) {
        let Some((name, rest)) = path.split_first() else { return };
        self.alternatives(schema, &mut |editing, schema| {
            if !admits(schema, "object") {
                return;
            }
            let value = editing.duplicate(&taken.schema);
            let taken = Taken { schema: value, always: taken.always };
            let was_required = is_required(schema, name);
            let there = properties(schema).is_some_and(|all| all.contains_key(name));
            if rest.is_empty() {
                let new = match properties(schema).and_then(|all| all.get_mut(name)).map(Value::take) {
                    Some(occupant) if !taken.always => union(occupant, taken.schema),
                    Some(_) | None => taken.schema,
                };
                // What arrives stands last, as it does in values.
                properties(schema).and_then(|all| all.shift_remove(name));
                set_property(schema, name, new);
                set_required(schema, name, taken.always || was_required);
                return;
            }
            if !there && !create {
                return;
            }
            if !there {
                let mut parent = json!({"type": "object"});
                // It is there only if what it is made for is.
                editing.place(&mut parent, rest, &Taken { schema: taken.schema, always: true }, true);
                set_property(schema, name, parent);
                set_required(schema, name, taken.always);
                return;
            }
            let parent = properties(schema).and_then(|all| all.get_mut(name)).map(Value::take);
            let (Some(mut parent), always) = (parent, taken.always) else { return };
            if create && !was_required {
                // It may be made for this alone: nothing else of it need be there.
                editing.alternatives(&mut parent, &mut |_, parent| {
                    parent.as_object_mut().and_then(|members| members.shift_remove("required"));
                });
            }
            editing.place(&mut parent, rest, &taken, create);
            properties(schema).and_then(|all| all.insert(name.clone(), parent));
            if create && always {
                set_required(schema, name, true);
            }
        });
    }

    /// A member that is new.
    pub(super) fn put(&mut self, schema: &mut Value, path: &[String], source: &Source, create: bool) {
        let (mut new, always) = self.source(schema, source);
        let always = always && (!self.is_request || *source == Source::Refuse);
        if let Some((found, there)) = self.lookup(schema, path) {
            if !there && !is_unknown(&new) {
                let fits = super::conform::fits_type(self.look(&found), &new);
                without_default(&mut new);
                let filled = if fits { found } else { union(self.duplicate(&found), new) };
                self.place(schema, path, &Taken { schema: filled, always }, create);
            }
            return;
        }
        if !self.is_request {
            without_default(&mut new);
        }
        if new.get("$ref").is_none() && new.is_object() {
            new[SINCE] = self.version.as_str().into();
        }
        self.place(schema, path, &Taken { schema: new, always }, create);
    }

    /// Null and nothing become something else. `back` says what does so in the other direction: what may be there on
    /// this side.
    pub(super) fn presence(&mut self, schema: &mut Value, path: &[String], fills: Fills<'_>, back: Fills<'_>) {
        let Some((name, above)) = path.split_last() else { return };
        let (null, missing) = fills;
        let is_null = |source: &Source| matches!(source, Source::Literal(literal) if literal.text() == b"null");
        let scope = schema.clone();
        self.at(schema, &tokens(above), false, &mut |editing, schema| {
            let was_missing = !is_required(schema, name);
            let Some(property) = properties(schema).and_then(|all| all.get(name)).cloned() else { return };
            let was_null = is_nullable(editing.look(&property)) || is_unknown(editing.look(&property));
            let stays = |fill: Option<&Source>| fill.is_none() || fill == Some(&Source::Absent);
            let may_miss =
                was_missing && stays(missing) || back.1.is_some() || was_null && null == Some(&Source::Absent);
            let may_be_null =
                was_null && null.is_none_or(is_null) || back.0.is_some() || was_missing && missing.is_some_and(is_null);
            let mut filled = property;
            for source in [null.filter(|_| was_null), missing.filter(|_| was_missing)].into_iter().flatten() {
                let (mut new, _) = editing.source(&scope, source);
                if !is_null(source) && !is_unknown(&new) && !super::conform::fits_type(editing.look(&filled), &new) {
                    without_default(&mut new);
                    filled = union(filled, new);
                }
            }
            editing.nullable(&mut filled, may_be_null);
            properties(schema).and_then(|all| all.insert(name.clone(), filled));
            set_required(schema, name, !may_miss);
        });
    }

    /// Lets null fit, or not, behind a reference too.
    pub(super) fn nullable(&mut self, schema: &mut Value, nullable: bool) {
        if is_nullable(self.look(schema)) == nullable {
            return;
        }
        if nullable {
            set_nullable(schema, self.dialect, true);
        } else {
            let dialect = self.dialect;
            self.enter(schema, &mut |_, schema| set_nullable(schema, dialect, false));
        }
    }

    /// One string becomes two members, in its place.
    pub(super) fn split(
        &mut self,
        schema: &mut Value,
        name: &str,
        into: &[String; 2],
        how: &Boundary,
        otherwise: &Otherwise,
    ) {
        let required = is_required(schema, name);
        let Some(whole) = properties(schema).and_then(|all| all.get(name)).cloned() else { return };
        let (whole, before) = (self.look(&whole).clone(), schema.clone());
        let is_text = types(&whole).iter().all(|name| matches!(*name, "string" | "null")) && !types(&whole).is_empty();
        // What is no string goes, or becomes another value.
        let goes = !is_text && *otherwise == Otherwise::Drop;
        let becomes: Option<Value> = match otherwise {
            Otherwise::Value(text) if !is_text => serde_json::from_slice(text).ok(),
            _ => None,
        };
        if !admits(&whole, "string") && !admits(&whole, "null") && becomes.is_none() {
            if goes {
                take_property(schema, name);
            }
            return;
        }
        let required = required && !goes;
        let Some(old) = properties(schema).map(std::mem::take) else { return };
        let was_null = is_nullable(&whole) || types(&whole).is_empty() || becomes == Some(Value::Null);
        let mut parts = [json!({"type": "string"}), json!({"type": "string"})];
        self.nullable(&mut parts[0], was_null);
        let is_parted = becomes.as_ref().is_none_or(Value::is_string);
        if let Some(value) = becomes.filter(|value| !value.is_string() && !value.is_null()) {
            parts[0] = union(parts[0].take(), json!({"enum": [value]}));
        }
        let always = [true, how.missing.is_some() && !was_null && is_parted];
        for (at, part) in parts.iter_mut().enumerate() {
            // Where there is nothing to split, what had the part's name stays.
            if let Some(occupant) = old.get(&into[at]).filter(|_| !required && into[at] != name) {
                *part = union(part.take(), occupant.clone());
            }
            let was_required = required || into[at] != name && is_required(schema, &into[at]);
            set_required(schema, &into[at], always[at] && was_required);
        }
        if !into.iter().any(|part| part == name) {
            set_required(schema, name, false);
        }
        let mut members = Map::new();
        for (other, property) in &old {
            if other == name {
                members.extend(into.iter().cloned().zip(parts.iter_mut().map(Value::take)));
            } else if !into.contains(other) {
                members.insert(other.clone(), property.clone());
            }
        }
        schema["properties"] = members.into();
        // What is no string stays whole, and all beside it.
        if !is_text && *otherwise == Otherwise::Keep {
            self.share(&before);
            *schema = union(before, schema.take());
        }
    }

    /// Two strings become one member, in the place of the first.
    pub(super) fn join(&mut self, schema: &mut Value, from: &[String; 2], name: &str) {
        let required = from.iter().any(|part| is_required(schema, part));
        let Some(old) = properties(schema).map(std::mem::take) else { return };
        let parts: Vec<&Value> = from.iter().filter_map(|part| old.get(part)).collect();
        let mut whole = json!({"type": "string"});
        // Null is what comes of parts that are null, or not there.
        let may_be_null =
            |part: &String| old.get(part).is_none_or(|of| !is_required(schema, part) || is_nullable(self.look(of)));
        if from.iter().all(may_be_null) && parts.iter().any(|part| is_nullable(self.look(part))) {
            self.nullable(&mut whole, true);
        }
        // Where there is nothing to join, what had the name stays.
        let was_required = is_required(schema, name);
        if let Some(occupant) = old.get(name).filter(|_| !required && !from.iter().any(|part| part == name)) {
            whole = union(whole, occupant.clone());
        }
        if parts.is_empty() {
            schema["properties"] = old.into();
            return;
        }
        let mut members = Map::new();
        for (other, property) in &old {
            if from.contains(other) {
                members.entry(name).or_insert_with(|| whole.clone());
            } else if other != name {
                members.insert(other.clone(), property.clone());
            }
        }
        schema["properties"] = members.into();
        for part in from {
            set_required(schema, part, false);
        }
        set_required(schema, name, required || was_required);
    }

    /// A value goes into every object at `to`.
    pub(super) fn spread(&mut self, schema: &mut Value, from: &[String], to: &[Token], name: &str) {
        let Some(taken) = self.take(schema, from, None) else { return };
        self.at(schema, to, false, &mut |editing, schema| {
            let copy = Taken { schema: editing.duplicate(&taken.schema), always: taken.always };
            editing.place(schema, &[name.to_owned()], &copy, false);
        });
    }

    /// A member of every object at `from` becomes one value.
    pub(super) fn collapse(&mut self, schema: &mut Value, from: &[Token], name: &str, to: &[String]) {
        let mut found: Vec<Value> = Vec::new();
        self.at(schema, from, false, &mut |_, schema| found.extend(take_property(schema, name).map(|(s, _)| s)));
        if let Some(one) = super::components::union_of(found) {
            self.place(schema, to, &Taken { schema: one, always: false }, true);
        }
    }

    /// What is known of the values of a map or of any object's members.
    pub(super) fn member_values(&mut self, schema: &Value) -> Value {
        let mut all: Vec<Value> =
            schema["properties"].as_object().into_iter().flatten().map(|(_, v)| v.clone()).collect();
        all.extend(schema.get("additionalProperties").filter(|more| more.is_object()).cloned());
        let all = super::components::union_of(all).unwrap_or_else(|| json!({}));
        self.duplicate(&all)
    }

    /// The schema of a literal of a rule.
    pub(super) fn literal(&self, value: &Value) -> Value {
        infer(value, self.dialect)
    }
}
