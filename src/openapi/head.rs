//! Parameters and headers as the schema of a message's head: `{"query": {...}, "header": {...}}`, so that ops on
//! heads are the same edits as those on bodies.

use serde_json::{Map, Value, json};

use super::components::{Editing, strip_examples};
use super::document::json_media;
use super::schema::{is_required, set_property, set_required};

/// Marks the schema of a parameter or header: its place among those that there were.
const MARK: &str = "x-legato-place";

/// Where parameters may be.
const LOCATIONS: [&str; 4] = ["query", "header", "path", "cookie"];

/// The head of a request or response while its schema is edited.
pub(super) struct Head {
    pub(super) schema: Value,
    /// Parameters or headers as they were.
    before: Vec<(String, String, Value)>,
}

impl Head {
    /// Of a request: its parameters.
    pub(super) fn of_request(editing: &Editing, parameters: &[Value]) -> Self {
        let mut head = Self::empty(&LOCATIONS);
        for parameter in parameters {
            let found = editing.look(parameter);
            if let (Some(location), Some(name)) = (found["in"].as_str(), found["name"].as_str()) {
                let required = found["required"] == true || location == "path";
                let schema = schema_of(found);
                head.add(location, name, schema, required, parameter);
            }
        }
        head
    }

    /// Of a response: its headers and its status.
    pub(super) fn of_response(editing: &Editing, response: &Value, status: u16) -> Self {
        let mut head = Self::empty(&["header"]);
        for (name, header) in response["headers"].as_object().into_iter().flatten() {
            let found = editing.look(header);
            head.add("header", name, schema_of(found), found["required"] == true, header);
        }
        set_property(&mut head.schema, "status", json!({"type": "integer", "enum": [status]}));
        head
    }

    fn empty(locations: &[&str]) -> Self {
        let mut schema = json!({"type": "object"});
        for location in locations {
            set_property(&mut schema, location, json!({"type": "object"}));
            set_required(&mut schema, location, true);
        }
        Self { schema, before: Vec::new() }
    }

    fn add(&mut self, location: &str, name: &str, mut schema: Value, required: bool, whole: &Value) {
        let Some(all) = self.schema["properties"].get_mut(location) else { return };
        if !schema.is_object() {
            schema = json!({});
        }
        schema[MARK] = self.before.len().into();
        let key = if location == "header" { name.to_ascii_lowercase() } else { name.to_owned() };
        set_property(all, &key, schema);
        set_required(all, &key, required);
        self.before.push((location.to_owned(), name.to_owned(), whole.clone()));
    }

    /// What there is after the edits: location, name, schema, whether it is required, and what it was before. Those
    /// that were there come in their order, then those that are new.
    fn entries(self) -> Vec<After> {
        let mut entries = Vec::new();
        for (location, all) in self.schema["properties"].as_object().into_iter().flatten() {
            for (key, schema) in all["properties"].as_object().into_iter().flatten() {
                let place = mark(schema);
                let before = place.and_then(|place| self.before.get(place)).cloned();
                let kept_name = before
                    .as_ref()
                    .map(|(_, name, _)| name)
                    .filter(|name| *name == key || location == "header" && name.eq_ignore_ascii_case(key));
                let name = kept_name.unwrap_or(key).clone();
                let mut schema = schema.clone();
                unmark(&mut schema);
                let required = is_required(all, key) || location == "path";
                entries.push(After { place, location: location.clone(), name, schema, required, before });
            }
        }
        entries.sort_by_key(|entry| entry.place.unwrap_or(usize::MAX));
        entries
    }

    /// The parameters after the edits.
    pub(super) fn parameters(self, editing: &Editing) -> Vec<Value> {
        self.entries().into_iter().map(|entry| entry.parameter(editing)).collect()
    }

    /// The headers after the edits.
    pub(super) fn headers(self, editing: &Editing) -> Map<String, Value> {
        let of_header = |entry: &After| entry.location == "header";
        let entries = self.entries().into_iter().filter(of_header);
        entries.map(|entry| (entry.name.clone(), entry.whole(editing, false))).collect()
    }
}

/// A parameter or header after the edits.
struct After {
    place: Option<usize>,
    location: String,
    name: String,
    schema: Value,
    required: bool,
    before: Option<(String, String, Value)>,
}

impl After {
    fn parameter(self, editing: &Editing) -> Value {
        self.whole(editing, true)
    }

    fn whole(&self, editing: &Editing, is_parameter: bool) -> Value {
        if let Some((location, name, whole)) = &self.before {
            let found = editing.look(whole);
            let was_required = found["required"] == true || location == "path";
            let same_place = *location == self.location && *name == self.name && was_required == self.required;
            if same_place && schema_of(found) == self.schema {
                return whole.clone();
            }
        }
        let found = self.before.as_ref().map(|(_, _, whole)| editing.look(whole).clone());
        let mut whole = found.unwrap_or_else(|| json!({}));
        if schema_of(&whole) != self.schema {
            strip_examples(&mut whole);
        }
        if is_parameter {
            whole["name"] = self.name.as_str().into();
            whole["in"] = self.location.as_str().into();
        }
        if self.required {
            whole["required"] = true.into();
        } else if let Some(members) = whole.as_object_mut() {
            members.shift_remove("required");
        }
        if let Some(members) = whole.as_object_mut() {
            members.shift_remove("content");
        }
        whole["schema"] = self.schema.clone();
        whole
    }
}

/// The schema of a parameter or header, whichever way it is given.
fn schema_of(found: &Value) -> Value {
    let of_content = || json_media(found).next().and_then(|(_, media)| media.get("schema"));
    found.get("schema").or_else(of_content).cloned().unwrap_or_else(|| json!({}))
}

/// The first mark of a schema or of what it became part of.
fn mark(schema: &Value) -> Option<usize> {
    if let Some(place) = schema.get(MARK).and_then(Value::as_u64) {
        return usize::try_from(place).ok();
    }
    match schema {
        Value::Object(members) => members.values().find_map(mark),
        Value::Array(items) => items.iter().find_map(mark),
        _ => None,
    }
}

fn unmark(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            members.shift_remove(MARK);
            members.values_mut().for_each(unmark);
        }
        Value::Array(items) => items.iter_mut().for_each(unmark),
        _ => {}
    }
}
