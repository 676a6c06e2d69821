//! A version's document from that of the version beside it.

use serde_json::{Map, Value, json};

use crate::route::Template;
use crate::rules::contracts::Unmet;
use crate::rules::{self, Api, CallEdits, Direction, OpEdits};
use crate::version::VersionId;

use super::components::{Editing, strip_examples};
use super::document::{Call, Document, METHODS, is_json, status_of};
use super::head::Head;
use super::schema::union;
use super::watch::{Seen, Watch};

/// Says of which version's document a document was made.
const DERIVED: &str = "x-legato-derived-from";

/// The document of the version that the changes of `version` lead to: going up, `version` itself, from a document of
/// the one before; going down, the one before, from a document of `version`.
#[must_use]
pub fn derive(document: &Document, api: &Api, version: VersionId, direction: Direction) -> Document {
    run(document, api, version, direction, Watching::Nothing).0
}

/// What the ops of `version` cannot translate of what a document says.
pub(super) fn unmet<'a>(document: &Document, api: &'a Api, version: VersionId, direction: Direction) -> Vec<Unmet<'a>> {
    run(document, api, version, direction, Watching::Ops).1
}

/// Whether it is noted what ops cannot translate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Watching {
    Nothing,
    Ops,
}

fn run<'a>(
    document: &Document,
    api: &'a Api,
    version: VersionId,
    direction: Direction,
    watching: Watching,
) -> (Document, Vec<Unmet<'a>>) {
    let older = VersionId(version.0.saturating_sub(1));
    let (from, to) = match direction {
        Direction::Up => (older, version),
        Direction::Down => (version, older),
    };
    let (from, to) = (&api.versions.get(from).label, &api.versions.get(to).label);
    let mut derived = document.value.clone();
    let mut editing = Editing::new(&document.value, document.dialect, to);
    let mut paths = Paths {
        document,
        api,
        version,
        direction,
        watching,
        editing: &mut editing,
        done: Map::new(),
        unmet: Vec::new(),
    };
    paths.run();
    let (paths, unmet) = (paths.done, paths.unmet);
    if let Some(members) = derived.as_object_mut() {
        members.insert("paths".to_owned(), paths.into());
        let origin = members.shift_remove(DERIVED).unwrap_or_else(|| from.to_string().into());
        members.insert(DERIVED.to_owned(), origin);
    }
    if derived["info"].is_object() {
        derived["info"]["version"] = to.to_string().into();
    }
    editing.finish(&mut derived);
    (Document::made(format!("{} of version {to}", api.name).into(), derived, document.dialect), unmet)
}

struct Paths<'a, 'd> {
    document: &'d Document,
    api: &'a Api,
    version: VersionId,
    direction: Direction,
    watching: Watching,
    editing: &'d mut Editing,
    done: Map<String, Value>,
    unmet: Vec<Unmet<'a>>,
}

impl<'a> Paths<'a, '_> {
    fn run(&mut self) {
        let document = self.document;
        for (path, item) in document.value["paths"].as_object().into_iter().flatten() {
            let calls: Vec<Call<'_>> = document.calls().filter(|call| call.path == path).collect();
            let edits: Vec<Option<CallEdits<'a>>> = calls.iter().map(|call| self.edits(call)).collect();
            if edits.iter().flatten().all(CallEdits::is_identity) {
                self.done.insert(path.clone(), item.clone());
                continue;
            }
            let item = document.resolve(item);
            // What all calls of a path share they can share as long as they stay together.
            let stay = |(call, edits): (&Call<'_>, &Option<CallEdits<'_>>)| {
                let Some(edits) = edits else { return true };
                edits.request.iter().all(|op| op.of(rules::Part::Head).0.is_empty())
                    && call.template().is_some_and(|own| own == edits.target)
            };
            let share = calls.iter().zip(&edits).all(stay);
            for (call, edits) in calls.iter().zip(&edits) {
                if !edits.as_ref().is_some_and(|edits| edits.is_absent) {
                    self.call(call, item, edits.as_ref(), share);
                }
            }
        }
    }

    fn edits(&self, call: &Call<'_>) -> Option<CallEdits<'a>> {
        Some(self.api.edits(self.version, self.direction, &call.template()?))
    }

    fn call(&mut self, call: &Call<'_>, item: &Value, edits: Option<&CallEdits<'a>>, share: bool) {
        let mut operation = call.operation.clone();
        let shared = item["parameters"].as_array().cloned().unwrap_or_default();
        let mut path = call.path.to_owned();
        let mut method = call.method.to_owned();
        let parameters = self.parameters(&operation, if share { &[] } else { &shared });
        if let Some(edits) = edits {
            (path, method) = Self::target(call, &edits.target);
            let parameters = self.request(&mut operation, parameters, &edits.request, &format!("requests of `{call}`"));
            set_list(&mut operation, "parameters", parameters);
            self.responses(&mut operation, edits, &call.to_string());
        } else {
            set_list(&mut operation, "parameters", parameters);
        }
        let place = self.done.entry(path).or_insert_with(|| {
            let words = item.as_object().into_iter().flatten();
            let words = words.filter(|(name, _)| !METHODS.contains(&name.as_str()) && (share || *name != "parameters"));
            Value::Object(words.map(|(name, value)| (name.clone(), value.clone())).collect())
        });
        place[&method] = operation;
    }

    /// Path and method on the other side; the path is as it was written where it is the same.
    fn target(call: &Call<'_>, target: &Template) -> (String, String) {
        let method = target.method.as_ref().map_or_else(|| call.method.to_owned(), |m| m.as_str().to_ascii_lowercase());
        let same = call.template().is_some_and(|own| own.segments == target.segments);
        let text = target.to_string();
        let path = text.split_once(' ').map_or(text.as_str(), |(_, path)| path);
        (if same { call.path.to_owned() } else { path.to_owned() }, method)
    }

    /// A call's parameters with those that all calls of its path have.
    fn parameters(&self, operation: &Value, shared: &[Value]) -> Vec<Value> {
        let own = operation["parameters"].as_array().cloned().unwrap_or_default();
        let key = |parameter: &Value| {
            let found = self.editing.look(parameter);
            (found["in"].clone(), found["name"].clone())
        };
        let keys: Vec<_> = own.iter().map(key).collect();
        shared.iter().filter(|parameter| !keys.contains(&key(parameter))).chain(&own).cloned().collect()
    }

    fn request(
        &mut self,
        operation: &mut Value,
        parameters: Vec<Value>,
        ops: &[OpEdits<'a>],
        name: &str,
    ) -> Vec<Value> {
        self.editing.is_request = true;
        let mut head = Head::of_request(self.editing, &parameters);
        let before = head.schema.clone();
        self.run_ops(&mut head.schema, ops, rules::Part::Head, name);
        if let Some(body) = operation.get_mut("requestBody") {
            self.message(body, ops, name);
        }
        self.editing.is_request = false;
        if head.schema == before { parameters } else { head.parameters(self.editing) }
    }

    fn run_ops(&mut self, schema: &mut Value, ops: &[OpEdits<'a>], part: rules::Part, message: &str) {
        self.watch(part);
        let mut found = Vec::new();
        for op in ops {
            let (forward, back) = op.of(part);
            self.editing.run(schema, &forward, &back);
            found.extend(self.editing.seen().map(|seen| (op, seen)));
        }
        self.note(found, message);
    }

    /// Watches from here on what edits of a part cannot translate, if that is asked for.
    fn watch(&mut self, part: rules::Part) {
        let is_written = self.document.is_written();
        let watch = || Watch { part, direction: self.direction, is_written, found: Vec::new() };
        self.editing.watch = (self.watching == Watching::Ops).then(watch);
    }

    /// Says of which op it was what was seen, and watches no more.
    fn note(&mut self, found: Vec<(&OpEdits<'a>, Seen)>, message: &str) {
        self.editing.watch = None;
        for (edits, (edit, lacking)) in found {
            let Some((change, op)) = edits.op else { continue };
            // What an author says becomes of such values is what they want.
            let op = op.of_edit(self.direction, &edit).filter(|op| op.leaves_open(self.direction));
            let (direction, message) = (self.direction, message.to_owned());
            self.unmet.extend(op.map(|op| Unmet { op: (change, op), direction, lacking, message }));
        }
    }

    /// The JSON schemas of a request body or response.
    fn message(&mut self, message: &mut Value, ops: &[OpEdits<'a>], name: &str) {
        let crosses = ops.iter().any(OpEdits::crosses);
        let is_idle = |op: &OpEdits<'_>| op.of(rules::Part::Body) == (Vec::new(), Vec::new());
        if !crosses && ops.iter().all(is_idle) {
            return;
        }
        let edits: Vec<_> = ops.iter().map(|op| (op, op.of(rules::Part::Body))).collect();
        let mut found = Vec::new();
        self.watch(rules::Part::Body);
        self.editing.enter(message, &mut |editing, message| {
            for (name, media) in message.get_mut("content").and_then(Value::as_object_mut).into_iter().flatten() {
                let Some(schema) = media.get_mut("schema").filter(|schema| schema.is_object() && is_json(name)) else {
                    continue;
                };
                let before = schema.clone();
                for (op, (forward, back)) in &edits {
                    editing.run(schema, forward, back);
                    found.extend(editing.seen().map(|seen| (*op, seen)));
                }
                // What comes from the head or goes there is not followed.
                if crosses {
                    *schema = super::schema::unknown();
                }
                if *schema != before {
                    strip_examples(media);
                }
            }
        });
        self.note(found, name);
    }

    fn responses(&mut self, operation: &mut Value, edits: &CallEdits<'a>, call: &str) {
        let Some(old) = operation.get_mut("responses").and_then(Value::as_object_mut).map(std::mem::take) else {
            return;
        };
        let mut responses: Map<String, Value> = Map::new();
        for (key, mut response) in old {
            let Some(status) = status_of(&key) else {
                responses.insert(key, response);
                continue;
            };
            let (ops, new_status) = edits.response(status);
            self.response(&mut response, &ops, status, &format!("responses to `{call}` with {key}"));
            let names_one = key.parse() == Ok(status);
            let key = if names_one && new_status != status { new_status.to_string() } else { key };
            match responses.get_mut(&key) {
                Some(other) => meet(other, &response),
                None => drop(responses.insert(key, response)),
            }
        }
        operation["responses"] = responses.into();
    }

    fn response(&mut self, response: &mut Value, ops: &[OpEdits<'a>], status: u16, name: &str) {
        if ops.is_empty() {
            return;
        }
        self.message(response, ops, name);
        let edits: Vec<_> = ops.iter().map(|op| op.of(rules::Part::Head)).collect();
        if edits.iter().all(|(forward, _)| forward.is_empty()) {
            return;
        }
        self.media_types(response, &edits);
        self.editing.enter(response, &mut |editing, response| {
            let mut head = Head::of_response(editing, response, status);
            let before = head.schema.clone();
            for (forward, back) in &edits {
                editing.run(&mut head.schema, forward, back);
            }
            let headers = |head: &Value| head["properties"]["header"].clone();
            if headers(&head.schema) == headers(&before) {
                return;
            }
            let after = head.headers(editing);
            match (after.is_empty(), response.as_object_mut()) {
                (true, Some(members)) => drop(members.shift_remove("headers")),
                (false, Some(members)) => drop(members.insert("headers".to_owned(), after.into())),
                (_, None) => {}
            }
        });
    }

    /// Media types are what `content-type` says: ops on it change the keys of `content`.
    fn media_types(
        &mut self,
        response: &mut Value,
        edits: &[(Vec<crate::json::edit::Entry>, Vec<crate::json::edit::Entry>)],
    ) {
        self.editing.enter(response, &mut |editing, response| {
            let Some(old) = response.get_mut("content").and_then(Value::as_object_mut).map(std::mem::take) else {
                return;
            };
            let mut content = Map::new();
            for (name, media) in old {
                let header = json!({"type": "object", "properties": {"content-type": {"enum": [name]}}});
                let mut head = json!({"type": "object", "properties": {"header": header}});
                for (forward, back) in edits {
                    editing.run(&mut head, forward, back);
                }
                let values = &head["properties"]["header"]["properties"]["content-type"]["enum"];
                let new = values.get(0).and_then(Value::as_str).unwrap_or(&name).to_owned();
                content.entry(new).or_insert(media);
            }
            response["content"] = content.into();
        });
    }
}

fn set_list(value: &mut Value, name: &str, list: Vec<Value>) {
    let Some(members) = value.as_object_mut() else { return };
    if list.is_empty() {
        members.shift_remove(name);
    } else {
        members.insert(name.to_owned(), list.into());
    }
}

/// Two responses that become one: its body fits one or the other.
fn meet(response: &mut Value, other: &Value) {
    let Some(content) = response.get_mut("content").and_then(Value::as_object_mut) else { return };
    for (name, media) in other["content"].as_object().into_iter().flatten() {
        match content.get_mut(name).and_then(|media| media.get_mut("schema")) {
            Some(schema) => *schema = union(schema.take(), media["schema"].clone()),
            None => drop(content.insert(name.clone(), media.clone())),
        }
    }
}
