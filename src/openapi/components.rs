//! Editing schemas behind references.
//!
//! A component is shared by all that refer to it, and an edit is about one place. So an edit that goes through a
//! reference gets a copy of the component of its own ([`Editing::enter`]). In the end, copies that came out alike
//! become one again, and where all uses of a component changed alike, it keeps its name ([`Editing::finish`]).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Map, Value};

use crate::json::edit::Token;

use super::document::{find, reference, references};
use super::schema::{Dialect, array, is_null, set_required, tidy, union};
use super::watch::Watch;

/// Bounds references inside each other.
const DEEPEST: usize = 64;

/// Bounds copies of components: what is used by many that are used by many has very many places.
const MOST_COPIES: usize = 50_000;

/// What is done to one schema.
pub(super) type Visit<'v> = &'v mut dyn FnMut(&mut Editing, &mut Value);

/// What is done to one schema and those inside it; the copies made so far, by what they are copies of.
pub(super) type Rewrite<'v> = &'v mut dyn FnMut(&mut Editing, &mut Value, &mut HashMap<String, String>);

/// A document's components while its schemas are edited.
#[derive(Debug)]
pub(super) struct Editing {
    pub(super) dialect: Dialect,
    /// The label of the version that is derived.
    pub(super) version: String,
    /// Whether messages that are edited are requests.
    pub(super) is_request: bool,
    /// What edits meet, where somebody wants to know.
    pub(super) watch: Option<Watch>,
    /// The document as it was: what references lead to that are not about components.
    before: Value,
    /// By kind and name; a copy of `User` is called `User~1`, which no component can be called.
    components: BTreeMap<String, Map<String, Value>>,
    /// Copies that one place refers to.
    own: BTreeSet<String>,
    copies: usize,
    depth: usize,
}

/// A component's kind and name.
fn component(target: &str) -> Option<(&str, &str)> {
    target.strip_prefix("#/components/")?.split_once('/').filter(|(_, name)| !name.contains('/'))
}

/// The name of the component that this is a copy of.
fn origin(name: &str) -> &str {
    name.split('~').next().unwrap_or(name)
}

/// A name in a pointer has `~1` for `/`; such components are treated as what is no component.
fn is_plain(name: &str) -> bool {
    !name.contains(['~', '%'])
}

impl Editing {
    pub(super) fn new(document: &Value, dialect: Dialect, version: &str) -> Self {
        let kinds = document["components"].as_object().into_iter().flatten();
        let components = kinds.filter_map(|(kind, all)| Some((kind.clone(), all.as_object()?.clone())));
        Self {
            dialect,
            version: version.to_owned(),
            is_request: false,
            watch: None,
            before: document.clone(),
            components: components.collect(),
            own: BTreeSet::new(),
            copies: 0,
            depth: 0,
        }
    }

    /// Edits what a value or its reference stands for; a component gets a copy for this.
    pub(super) fn enter(&mut self, value: &mut Value, visit: Visit<'_>) {
        let Some(target) = reference(value).map(str::to_owned) else {
            if value.is_object() {
                visit(self, value);
            }
            return;
        };
        if self.depth >= DEEPEST || self.copies >= MOST_COPIES {
            return;
        }
        self.depth += 1;
        if let Some(target) = self.own_copy(&target) {
            let (kind, name) = component(&target).unwrap_or_default();
            let mut inner = self.components.get_mut(kind).and_then(|all| all.get_mut(name)).map(Value::take);
            if let Some(inner) = &mut inner {
                self.enter(inner, visit);
            }
            if let (Some(all), Some(inner)) = (self.components.get_mut(kind), inner) {
                all.insert(name.to_owned(), inner);
            }
            value["$ref"] = target.into();
        } else if let Some(inner) = find(&self.before, &target).cloned() {
            *value = inner;
            self.enter(value, visit);
        }
        self.depth -= 1;
    }

    /// A component that nothing else refers to, with the same content: the target itself where it is one.
    fn own_copy(&mut self, target: &str) -> Option<String> {
        if self.own.contains(target) {
            return Some(target.to_owned());
        }
        let (copy, value) = self.copy_of(target)?;
        self.set(&copy, value);
        self.own.insert(copy.clone());
        Some(copy)
    }

    /// The name for a new copy of a component, and the component's content.
    fn copy_of(&mut self, target: &str) -> Option<(String, Value)> {
        let (kind, name) = component(target).filter(|(_, name)| is_plain(origin(name)))?;
        let value = self.components.get(kind)?.get(name)?.clone();
        self.share(&value);
        self.copies += 1;
        Some((format!("#/components/{kind}/{}~{}", origin(name), self.copies), value))
    }

    fn set(&mut self, target: &str, value: Value) {
        if let Some((kind, name)) = component(target) {
            self.components.entry(kind.to_owned()).or_default().insert(name.to_owned(), value);
        }
    }

    /// A value is in two places from now on: what it refers to belongs to neither alone.
    pub(super) fn share(&mut self, value: &Value) {
        let mut targets = Vec::new();
        references(value, &mut Vec::new(), &mut |_, target| targets.push(target.to_owned()));
        for target in targets {
            if self.own.remove(&target)
                && let Some((kind, name)) = component(&target)
                && let Some(inner) = self.components.get(kind).and_then(|all| all.get(name)).cloned()
            {
                self.share(&inner);
            }
        }
    }

    /// A copy of a value for another place.
    pub(super) fn duplicate(&mut self, value: &Value) -> Value {
        self.share(value);
        value.clone()
    }

    /// What a value or its reference stands for, to look at.
    pub(super) fn look<'e>(&'e self, value: &'e Value) -> &'e Value {
        let mut at = value;
        for _ in 0..DEEPEST {
            let Some(target) = reference(at) else { return at };
            let found = component(target)
                .and_then(|(kind, name)| self.components.get(kind)?.get(name))
                .or_else(|| find(&self.before, target));
            at = found.unwrap_or(&Value::Null);
        }
        &Value::Null
    }

    /// Edits every alternative of a schema: its own members with those of its `allOf`, and each of `anyOf` and
    /// `oneOf` but for null.
    pub(super) fn alternatives(&mut self, schema: &mut Value, visit: Visit<'_>) {
        self.enter(schema, &mut |editing, schema| {
            if let Some(only) = only_part(schema) {
                return editing.alternatives(only, visit);
            }
            editing.flatten(schema);
            let mut is_choice = false;
            let before = editing.alternatives_of(schema);
            for name in ["anyOf", "oneOf"] {
                for part in schema.get_mut(name).and_then(Value::as_array_mut).into_iter().flatten() {
                    is_choice = true;
                    if !is_null(part) {
                        editing.alternatives(part, visit);
                    }
                }
            }
            let changed = is_choice && before != editing.alternatives_of(schema);
            if !is_choice || schema.get("properties").is_some() {
                visit(editing, schema);
            }
            // Nobody knows whether they still exclude each other, unless something tells them apart.
            if changed
                && schema.get("discriminator").is_none()
                && let Some(members) = schema.as_object_mut()
                && let Some(parts) = members.shift_remove("oneOf")
            {
                members.entry("anyOf").or_insert(parts);
                tidy(schema);
            }
        });
    }

    /// The contents of a choice's alternatives, whatever copy of a component they are in.
    fn alternatives_of(&self, schema: &Value) -> Vec<Value> {
        let content = |part: &Value| {
            let mut content = self.look(part).clone();
            rename_references(&mut content, &|inner| {
                component(inner).map(|(kind, name)| format!("{kind}/{}", origin(name)))
            });
            content
        };
        array(schema, "anyOf").chain(array(schema, "oneOf")).map(content).collect()
    }

    /// Makes one object schema of those that must hold together.
    fn flatten(&mut self, schema: &mut Value) {
        let Some(parts) = schema.as_object_mut().and_then(|members| members.shift_remove("allOf")) else { return };
        for mut part in parts.as_array().cloned().unwrap_or_default() {
            let mut whole = Value::Null;
            self.enter(&mut part, &mut |editing, part| {
                editing.flatten(part);
                whole = part.clone();
            });
            merge(schema, whole);
        }
    }

    /// Edits the schemas of all values at a path. `whole`: a schema with all its alternatives and without following
    /// its reference, not each alternative by itself.
    pub(super) fn at(&mut self, schema: &mut Value, path: &[Token], whole: bool, visit: Visit<'_>) {
        let Some((token, rest)) = path.split_first() else {
            return if whole { visit(self, schema) } else { self.alternatives(schema, visit) };
        };
        self.alternatives(schema, &mut |editing, schema| match token {
            Token::Key(key) => {
                if let Some(child) = child_mut(schema, key) {
                    editing.at(child, rest, whole, visit);
                }
            }
            Token::Any => {
                for name in ["items", "additionalProperties"] {
                    if let Some(child) = schema.get_mut(name).filter(|child| child.is_object()) {
                        editing.at(child, rest, whole, visit);
                    }
                }
                for child in schema.get_mut("prefixItems").and_then(Value::as_array_mut).into_iter().flatten() {
                    editing.at(child, rest, whole, visit);
                }
                for (_, child) in schema.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten() {
                    editing.at(child, rest, whole, visit);
                }
            }
        });
    }

    /// A copy of the component behind a reference that others may refer to as well; itself by `edit`, once for each
    /// reference in `done`. Recursive components stay recursive.
    pub(super) fn rewrite(&mut self, schema: &mut Value, done: &mut HashMap<String, String>, edit: Rewrite<'_>) {
        let Some(target) = reference(schema).map(str::to_owned) else { return edit(self, schema, done) };
        if let Some(copy) = done.get(&target) {
            schema["$ref"] = copy.as_str().into();
            return;
        }
        let Some((copy, mut value)) = self.copy_of(&target) else { return };
        schema["$ref"] = copy.as_str().into();
        done.insert(target, copy.clone());
        done.insert(copy.clone(), copy.clone());
        edit(self, &mut value, done);
        self.set(&copy, value);
    }

    /// Puts the components into a document whose paths were edited: copies that are alike become one, and get the
    /// name of what they are copies of wherever nothing else needs it.
    pub(super) fn finish(mut self, document: &mut Value) {
        let before = reachable(&self.before, &self.components);
        let used = reachable(document, &self.components);
        let originals = used.iter().filter_map(|target| {
            let (kind, name) = component(target)?;
            Some(format!("#/components/{kind}/{}", origin(name))).filter(|original| !used.contains(original))
        });
        let all: BTreeSet<String> = originals.chain(used.iter().cloned()).collect();
        let classes = self.classes(&all);
        let names = self.names(&used, &classes);
        let rename = |target: &str| -> Option<String> {
            let (kind, _) = component(target)?;
            names.get(target).map(|name| format!("#/components/{kind}/{name}"))
        };
        let mut kinds = Map::new();
        if let Some(old) = document.get("components").and_then(Value::as_object) {
            kinds.clone_from(old);
        }
        for (kind, all) in &mut self.components {
            let mut kept = Map::new();
            let full = |name: &str| format!("#/components/{kind}/{name}");
            let originals: Vec<String> = all.keys().filter(|name| !name.contains('~')).cloned().collect();
            for name in originals {
                // Those of this origin that are used, each under its name, in the place of the original.
                let of_origin = used.iter().filter_map(|target| component(target));
                let mut of_origin: Vec<&str> =
                    of_origin.filter(|(k, n)| k == kind && origin(n) == name).map(|(_, n)| n).collect();
                of_origin.sort_by_key(|used_name| &names[&full(used_name)]);
                for used_name in of_origin {
                    let new = &names[&full(used_name)];
                    if !kept.contains_key(new) {
                        let mut content = all[used_name].clone();
                        if classes[&full(used_name)] != classes[&full(&name)] {
                            strip_examples(&mut content);
                        }
                        kept.insert(new.clone(), content);
                    }
                }
                let never_used = !before.contains(&full(&name));
                if never_used && !kept.contains_key(&name) {
                    kept.insert(name.clone(), all[&name].clone());
                }
            }
            kinds.insert(kind.clone(), kept.into());
        }
        kinds.retain(|_, all| all.as_object().is_none_or(|all| !all.is_empty()));
        document["components"] = kinds.into();
        if document["components"].as_object().is_some_and(Map::is_empty) {
            document.as_object_mut().and_then(|members| members.shift_remove("components"));
        }
        rename_references(document, &rename);
    }

    /// Which components are alike: a number for each, the same for two whose contents are the same but for names of
    /// components that are alike themselves.
    fn classes(&self, used: &BTreeSet<String>) -> HashMap<String, usize> {
        let mut classes: HashMap<String, usize> = HashMap::new();
        for round in 0..=used.len() {
            let mut numbers: BTreeMap<(String, String), usize> = BTreeMap::new();
            let mut next = HashMap::new();
            for target in used {
                let Some((kind, name)) = component(target) else { continue };
                let mut content = self.components[kind][name].clone();
                rename_references(&mut content, &|inner| match (round, component(inner)) {
                    (0, Some((kind, name))) => Some(format!("{kind}/{}", origin(name))),
                    _ => classes.get(inner).map(usize::to_string),
                });
                let key = (format!("{kind}/{}", origin(name)), content.to_string());
                let count = numbers.len();
                next.insert(target.clone(), *numbers.entry(key).or_insert(count));
            }
            let settled = count(&next) == count(&classes);
            classes = next;
            if settled {
                break;
            }
        }
        classes
    }

    /// The name that each component gets.
    fn names(&self, used: &[String], classes: &HashMap<String, usize>) -> HashMap<String, String> {
        let mut names: HashMap<String, String> = HashMap::new();
        let mut by_class: HashMap<usize, String> = HashMap::new();
        let mut taken: BTreeSet<(String, String)> = BTreeSet::new();
        // Components that kept their content first: they keep their names.
        let (same, copies): (Vec<&String>, Vec<&String>) =
            used.iter().partition(|target| component(target).is_some_and(|(_, name)| !name.contains('~')));
        for target in same.into_iter().chain(copies) {
            let Some((kind, name)) = component(target) else { continue };
            let base = origin(name);
            let name = by_class.entry(classes[target]).or_insert_with(|| {
                let numbered = (2..).map(|n| format!("{base}_{n}"));
                let free = |candidate: &String| {
                    let exists = candidate != base && self.components[kind].contains_key(candidate);
                    !exists && !taken.contains(&(kind.to_owned(), candidate.clone()))
                };
                let name = std::iter::once(base.to_owned()).chain(numbered).find(free).unwrap_or_default();
                taken.insert((kind.to_owned(), name.clone()));
                name
            });
            names.insert(target.clone(), name.clone());
        }
        names
    }
}

fn count(classes: &HashMap<String, usize>) -> usize {
    classes.values().collect::<BTreeSet<_>>().len()
}

/// The one part of an `allOf` that says all there is: how 3.0 puts a description beside a reference.
fn only_part(schema: &mut Value) -> Option<&mut Value> {
    if schema.get("properties").is_some() || array(schema, "allOf").count() != 1 {
        return None;
    }
    schema.get_mut("allOf")?.get_mut(0)
}

/// The schema of a member, or of the element with this index.
fn child_mut<'s>(schema: &'s mut Value, key: &str) -> Option<&'s mut Value> {
    if schema.get("properties").and_then(|all| all.get(key)).is_some() {
        return schema.get_mut("properties")?.get_mut(key);
    }
    let at: usize = key.parse().ok()?;
    schema.get_mut("prefixItems")?.get_mut(at)
}

/// Adds what one schema says to another, both of which must hold.
pub(super) fn merge(schema: &mut Value, part: Value) {
    let (Some(members), Value::Object(part)) = (schema.as_object_mut(), part) else { return };
    for (name, value) in part {
        match (name.as_str(), members.get_mut(&name)) {
            ("required", Some(_)) => {
                let names: Vec<String> =
                    value.as_array().into_iter().flatten().filter_map(|v| Some(v.as_str()?.to_owned())).collect();
                let mut object = Value::Object(std::mem::take(members));
                for name in names {
                    set_required(&mut object, &name, true);
                }
                *members = object.as_object().cloned().unwrap_or_default();
            }
            ("properties", Some(Value::Object(there))) => {
                for (name, property) in value.as_object().cloned().unwrap_or_default() {
                    there.entry(name).or_insert(property);
                }
            }
            (_, Some(_)) => {}
            (_, None) => drop(members.insert(name, value)),
        }
    }
}

/// The components that a document's calls refer to, and those refer to, in the order in which they are met.
fn reachable(document: &Value, components: &BTreeMap<String, Map<String, Value>>) -> Vec<String> {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut found: Vec<String> = Vec::new();
    let mut add = |value: &Value, found: &mut Vec<String>| {
        references(value, &mut Vec::new(), &mut |_, target| {
            let there = component(target)
                .is_some_and(|(kind, name)| components.get(kind).is_some_and(|all| all.contains_key(name)));
            if there && seen.insert(target.to_owned()) {
                found.push(target.to_owned());
            }
        });
    };
    for (_, value) in document.as_object().into_iter().flatten().filter(|(name, _)| *name != "components") {
        add(value, &mut found);
    }
    let mut at = 0;
    while at < found.len() {
        if let Some((kind, name)) = component(&found[at]) {
            let value = components[kind][name].clone();
            add(&value, &mut found);
        }
        at += 1;
    }
    found
}

/// Gives references other targets, and takes repetitions out of `anyOf` where two become one.
fn rename_references(value: &mut Value, rename: &dyn Fn(&str) -> Option<String>) {
    match value {
        Value::Object(members) => {
            rename_mapping(members, rename);
            if let Some(new) = members.get("$ref").and_then(Value::as_str).and_then(rename) {
                members["$ref"] = new.into();
            }
            for (_, inner) in members.iter_mut() {
                rename_references(inner, rename);
            }
            if members.contains_key("anyOf") {
                tidy(value);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename_references(item, rename)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What tells alternatives apart names them too, by the names they had at first.
fn rename_mapping(members: &mut Map<String, Value>, rename: &dyn Fn(&str) -> Option<String>) {
    let parts = ["oneOf", "anyOf"].iter().filter_map(|name| members.get(*name)?.as_array()).flatten();
    let targets: Vec<String> = parts.filter_map(|part| Some(reference(part)?.to_owned())).collect();
    let Some(mapping) = members.get_mut("discriminator").and_then(|d| d.get_mut("mapping")?.as_object_mut()) else {
        return;
    };
    for (_, named) in mapping.iter_mut() {
        let same = |target: &&String| {
            let base = |target: &str| component(target).map(|(kind, name)| (kind.to_owned(), origin(name).to_owned()));
            named.as_str().is_some_and(|named| base(named).is_some() && base(named) == base(target))
        };
        if let Some(new) = targets.iter().find(same).and_then(|target| rename(target)) {
            *named = new.into();
        }
    }
}

/// Takes examples away: they are of another version.
pub(super) fn strip_examples(schema: &mut Value) {
    let Some(members) = schema.as_object_mut() else { return };
    members.shift_remove("example");
    members.shift_remove("examples");
    for (name, inner) in members.iter_mut() {
        match (name.as_str(), inner) {
            ("properties" | "content" | "headers", Value::Object(all)) => {
                all.iter_mut().for_each(|(_, inner)| strip_examples(inner));
            }
            ("allOf" | "anyOf" | "oneOf" | "prefixItems", Value::Array(all)) => {
                all.iter_mut().for_each(strip_examples);
            }
            ("items" | "additionalProperties" | "schema", inner) => strip_examples(inner),
            _ => {}
        }
    }
}

/// What fits any of some schemas.
pub(super) fn union_of(schemas: Vec<Value>) -> Option<Value> {
    schemas.into_iter().reduce(union)
}
