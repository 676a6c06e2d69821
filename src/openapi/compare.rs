//! What differs between two documents of one version, in the categories and names of oasdiff.
//!
//! `before` is what the changes make, `after` what the team committed: a difference that would break a client of the
//! first against a server of the second is one that no change explains. What is unknown on either side says nothing.

use std::collections::BTreeSet;

use serde_json::Value;

use super::components::merge;
use super::conform::Root;
use super::document::{Call, Document, json_media, reference};
use super::schema::{SINCE, UNKNOWN, array, is_null, is_nullable, is_required, is_unknown, types};

/// How much a difference harms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// It breaks clients.
    Error,
    /// It may break clients.
    Warning,
    /// It breaks none.
    Info,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What kind: an id of oasdiff where it has one.
    pub id: &'static str,
    /// How much it harms.
    pub level: Level,
    /// The call, as the document that was committed spells it.
    pub call: String,
    /// `request`, `response 200`, or nothing where it is about the call itself.
    pub part: String,
    /// Where in the part, with `*` for every element; empty for all of it.
    pub path: String,
    /// What both say.
    pub message: String,
    /// Where in the document that was committed.
    pub steps: Vec<String>,
}

impl Finding {
    /// The same for the same difference as long as it is there, whatever else changes: 12 hexadecimal digits.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let text = [self.id, &self.call, &self.part, &self.path].join("\n");
        format!("{:016x}", xxhash_rust::xxh3::xxh3_64(text.as_bytes()))[..12].to_owned()
    }
}

/// Which way values go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Request,
    Response,
}

/// Deeper than this, schemas are taken for the same.
const DEEPEST: usize = 24;

/// All differences, in the order of the document that the changes make.
#[must_use]
pub fn compare(before: &Document, after: &Document) -> Vec<Finding> {
    let mut comparison = Comparison { before, after, findings: Vec::new() };
    comparison.calls();
    comparison.findings
}

struct Comparison<'d> {
    before: &'d Document,
    after: &'d Document,
    findings: Vec<Finding>,
}

/// Where a schema is: in words, and in the document that was committed.
#[derive(Clone)]
struct Place {
    call: String,
    part: String,
    path: String,
    steps: Vec<String>,
    /// `property`, `body`, `parameter` or `header`, for ids.
    what: &'static str,
}

impl Place {
    fn below(&self, path: &str, steps: &[&str]) -> Self {
        let mut place = self.clone();
        place.path.push_str(path);
        place.steps.extend(steps.iter().map(|step| (*step).to_owned()));
        place.what = match place.what {
            "body" => "property",
            other => other,
        };
        place
    }
}

fn pointer(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

impl<'d> Comparison<'d> {
    fn report(&mut self, id: &'static str, level: Level, place: &Place, message: impl Into<String>) {
        let Place { call, part, path, steps, .. } = place.clone();
        self.findings.push(Finding { id, level, call, part, path, message: message.into(), steps });
    }

    fn calls(&mut self) {
        for call in self.before.calls() {
            let Some(template) = call.template() else { continue };
            let place = |other: &Call<'_>| Place {
                call: other.to_string(),
                part: String::new(),
                path: String::new(),
                steps: vec!["paths".into(), other.path.into(), other.method.into()],
                what: "body",
            };
            match self.after.call(&template) {
                Some(other) => {
                    let place = place(&other);
                    self.request(&call, &other, &place);
                    self.responses(&call, &other, &place);
                }
                None => self.gone(&call, &Place { steps: vec!["paths".into(), call.path.into()], ..place(&call) }),
            }
        }
        for call in self.after.calls() {
            let is_new = call.template().is_some_and(|template| self.before.call(&template).is_none());
            if is_new {
                let place = Place {
                    call: call.to_string(),
                    part: String::new(),
                    path: String::new(),
                    steps: vec!["paths".into(), call.path.into(), call.method.into()],
                    what: "body",
                };
                self.report("endpoint-added", Level::Info, &place, "the changes make no such call");
            }
        }
    }

    fn gone(&mut self, call: &Call<'_>, place: &Place) {
        let shape = |call: &Call<'_>| call.template().map(|template| crate::route::Template { method: None, ..template });
        let same_path = |other: Call<'_>| {
            shape(&other).zip(shape(call)).is_some_and(|(other, own)| other.same_shape(&own))
        };
        let message = "the changes keep this call, and the document has none";
        match (call.operation["deprecated"] == true, self.after.calls().any(same_path)) {
            (true, _) => self.report("api-removed-with-deprecation", Level::Info, place, message),
            (false, true) => self.report("api-removed-without-deprecation", Level::Error, place, message),
            (false, false) => self.report("api-path-removed-without-deprecation", Level::Error, place, message),
        }
    }

    fn request(&mut self, before: &Call<'d>, after: &Call<'d>, place: &Place) {
        let place = Place { part: "request".into(), ..place.clone() };
        self.parameters(before, after, &place);
        let body = |document: &'d Document, call: &Call<'d>| call.operation.get("requestBody").map(|b| document.resolve(b));
        let place = place.below("", &["requestBody"]);
        let place = Place { what: "body", ..place };
        let is_required = |body: Option<&Value>| body.is_some_and(|body| body["required"] == true);
        match (body(self.before, before), body(self.after, after)) {
            (None, Some(new)) if new["required"] == true => {
                let message = "the changes make no body, and the document requires one";
                self.report("request-body-added-required", Level::Error, &place, message);
            }
            (Some(old), Some(new)) => {
                if !is_required(Some(old)) && is_required(Some(new)) {
                    let message = "the changes leave the body optional, and the document requires it";
                    self.report("request-body-became-required", Level::Error, &place, message);
                }
                self.content(old, new, Way::Request, &place);
            }
            (_, None) | (None, Some(_)) => {}
        }
    }

    /// The JSON of two messages. Media types that are not JSON are not looked at.
    fn content(&mut self, before: &'d Value, after: &'d Value, way: Way, place: &Place) {
        for (name, old) in json_media(before) {
            let same = json_media(after).find(|(other, _)| *other == name).or_else(|| json_media(after).next());
            let Some((name, new)) = same else {
                let id = match way {
                    Way::Request => "request-body-media-type-removed",
                    Way::Response => "response-media-type-removed",
                };
                self.report(id, Level::Error, place, format!("the changes make a body of `{name}`, and the document has no JSON"));
                continue;
            };
            let (Some(old), Some(new)) = (old.get("schema"), new.get("schema")) else { continue };
            let place = Place { what: "body", ..place.below("", &["content", name, "schema"]) };
            self.schema((old, new), way, &place, &mut BTreeSet::new(), 0);
        }
    }

    fn parameters(&mut self, before: &Call<'d>, after: &Call<'d>, place: &Place) {
        let (old, new) = (parameters(self.before, before), parameters(self.after, after));
        let place_of = |name: &str, location: &str, key: &str| Place {
            part: format!("request {location}"),
            path: name.to_owned(),
            what: "parameter",
            ..place.below("", &["parameters", key])
        };
        for parameter in &old {
            let Some(other) = new.iter().find(|other| other.key() == parameter.key()) else {
                if parameter.location != "path" {
                    let place = place_of(parameter.name, parameter.location, "");
                    let message = "the changes keep this parameter, and the document has none";
                    self.report("request-parameter-removed", Level::Warning, &place, message);
                }
                continue;
            };
            let place = place_of(other.name, other.location, &other.at);
            if !parameter.required && other.required {
                let message = "the changes leave the parameter optional, and the document requires it";
                self.report("request-parameter-became-required", Level::Error, &place, message);
            }
            let place = place.below("", &["schema"]);
            self.schema((parameter.schema, other.schema), Way::Request, &place, &mut BTreeSet::new(), 0);
        }
        for other in new.iter().filter(|other| !old.iter().any(|parameter| parameter.key() == other.key())) {
            let place = place_of(other.name, other.location, &other.at);
            let message = "the changes make no such parameter";
            if other.required && other.location != "path" {
                self.report("new-required-request-parameter", Level::Error, &place, message);
            } else {
                self.report("new-optional-request-parameter", Level::Info, &place, message);
            }
        }
    }

    fn responses(&mut self, before: &Call<'d>, after: &Call<'d>, place: &Place) {
        let responses = |call: &Call<'d>| call.operation["responses"].as_object().into_iter().flatten();
        for (key, old) in responses(before) {
            let place = Place { part: format!("response {key}"), ..place.below("", &["responses", key]) };
            let same = |other: &str| other.eq_ignore_ascii_case(key) || other.to_ascii_uppercase() == format!("{}XX", &key[..1.min(key.len())]);
            let Some((other, new)) = responses(after).find(|(other, _)| same(other)) else {
                let message = "the changes keep this response, and the document has none";
                if key.starts_with('2') {
                    self.report("response-success-status-removed", Level::Error, &place, message);
                } else {
                    self.report("response-non-success-status-removed", Level::Info, &place, message);
                }
                continue;
            };
            let mut place = place;
            place.steps.pop();
            place.steps.push(other.clone());
            let (old, new) = (self.before.resolve(old), self.after.resolve(new));
            self.headers(old, new, &place);
            self.content(old, new, Way::Response, &place);
        }
    }

    fn headers(&mut self, before: &'d Value, after: &'d Value, place: &Place) {
        for (name, old) in before["headers"].as_object().into_iter().flatten() {
            let old = self.before.resolve(old);
            let place = Place { path: format!("header {name}"), what: "header", ..place.below("", &["headers", name]) };
            let same = |(other, _): &(&String, &Value)| other.eq_ignore_ascii_case(name);
            let Some((_, new)) = after["headers"].as_object().into_iter().flatten().find(same) else {
                let message = "the changes keep this header, and the document has none";
                if old["required"] == true {
                    self.report("required-response-header-removed", Level::Error, &place, message);
                } else {
                    self.report("optional-response-header-removed", Level::Warning, &place, message);
                }
                continue;
            };
            let new = self.after.resolve(new);
            if old["required"] == true && new["required"] != true {
                let message = "the changes require this header, and the document does not";
                self.report("response-header-became-optional", Level::Error, &place, message);
            }
            let place = place.below("", &["schema"]);
            self.schema((&old["schema"], &new["schema"]), Way::Response, &place, &mut BTreeSet::new(), 0);
        }
    }

    fn schema(
        &mut self,
        (before, after): (&Value, &Value),
        way: Way,
        place: &Place,
        seen: &mut BTreeSet<(String, String)>,
        depth: usize,
    ) {
        if depth > DEEPEST {
            return;
        }
        let mut place = place.clone();
        if let Some(target) = reference(after) {
            place.steps = target.trim_start_matches("#/").split('/').map(str::to_owned).collect();
            if let Some(old) = reference(before)
                && !seen.insert((old.to_owned(), target.to_owned()))
            {
                return;
            }
        }
        let old = whole(self.before, before, 0);
        let new = whole(self.after, after, 0);
        if is_unknown(&old) || is_unknown(&new) && way == Way::Request || new.get(UNKNOWN).is_some() {
            return;
        }
        self.nullability(&old, &new, way, &place);
        let (choices, new_choices) = (alternatives(&old), alternatives(&new));
        if choices.len() > 1 || new_choices.len() > 1 {
            return self.choices((&choices, &new_choices), way, &place, seen, depth);
        }
        let (old, new) = (choices.first().map_or(&old, |only| only), new_choices.first().map_or(&new, |only| only));
        let (old, new) = (&whole(self.before, old, 0), &whole(self.after, new, 0));
        if is_unknown(old) || is_unknown(new) && way == Way::Request {
            return;
        }
        if !self.same_type(old, new, way, &place) {
            return;
        }
        self.values(old, new, way, &place);
        self.bounds(old, new, way, &place);
        self.members(old, new, way, &place, seen, depth);
        for name in ["items", "additionalProperties"] {
            if let (Some(old), Some(new)) = (inner(old, name), inner(new, name)) {
                self.schema((old, new), way, &place.below("/*", &[name]), seen, depth + 1);
            }
        }
    }

    fn nullability(&mut self, old: &Value, new: &Value, way: Way, place: &Place) {
        let id = match (way, place.what) {
            (Way::Request, "body") => "request-body-became-not-nullable",
            (Way::Request, "parameter") => return,
            (Way::Request, _) => "request-property-became-not-nullable",
            (Way::Response, "body") => "response-body-became-nullable",
            (Way::Response, "header") => return,
            (Way::Response, _) => "response-property-became-nullable",
        };
        let said = |nullable: bool| if nullable { "may be null" } else { "is never null" };
        let (was, is) = (is_nullable(old), is_nullable(new));
        // Where nothing is said of types, null fits too.
        let harms = match way {
            Way::Request => was && !is && !types(new).is_empty(),
            Way::Response => !was && is && !types(old).is_empty(),
        };
        if harms {
            self.report(id, Level::Error, place, format!("by the changes it {}, by the document it {}", said(was), said(is)));
        }
    }

    /// Every alternative that may come has to be one that is expected.
    fn choices(
        &mut self,
        (old, new): (&[Value], &[Value]),
        way: Way,
        place: &Place,
        seen: &mut BTreeSet<(String, String)>,
        depth: usize,
    ) {
        let (coming, expected) = match way {
            Way::Request => (old, new),
            Way::Response => (new, old),
        };
        let orphans = coming.iter().filter(|one| {
            !expected.iter().any(|other| {
                let pair = match way {
                    Way::Request => (*one, other),
                    Way::Response => (other, *one),
                };
                let mut attempt = Comparison { before: self.before, after: self.after, findings: Vec::new() };
                attempt.schema(pair, way, place, &mut seen.clone(), depth + 1);
                attempt.findings.iter().all(|finding| finding.level != Level::Error)
            })
        });
        let orphans = orphans.count();
        if orphans > 0 {
            let (id, message) = match way {
                Way::Request => (
                    "request-property-one-of-removed",
                    format!("{orphans} of the {} forms that the changes make do not fit the document", old.len()),
                ),
                Way::Response => (
                    "response-property-one-of-added",
                    format!("{orphans} of the {} forms of the document do not fit what the changes make", new.len()),
                ),
            };
            self.report(id, Level::Error, place, message);
        }
    }

    fn same_type(&mut self, old: &Value, new: &Value, way: Way, place: &Place) -> bool {
        let named = |schema: &Value| -> Vec<String> {
            types(schema).into_iter().filter(|name| *name != "null").map(str::to_owned).collect()
        };
        let (was, is) = (named(old), named(new));
        let (coming, expected) = match way {
            Way::Request => (&was, &is),
            Way::Response => (&is, &was),
        };
        let fits = |name: &String| expected.contains(name) || name == "integer" && expected.iter().any(|e| e == "number");
        let id = match (way, place.what) {
            (Way::Request, "body") => "request-body-type-changed",
            (Way::Request, "parameter") => "request-parameter-type-changed",
            (Way::Request, _) => "request-property-type-changed",
            (Way::Response, "body") => "response-body-type-changed",
            (Way::Response, "header") => "response-header-type-changed",
            (Way::Response, _) => "response-property-type-changed",
        };
        let said = |names: &[String]| if names.is_empty() { "anything".to_owned() } else { names.join(" or ") };
        if !expected.is_empty() && (coming.is_empty() && !has_values(if way == Way::Request { old } else { new }) || !coming.iter().all(fits)) {
            let message = format!("by the changes it is {}, by the document {}", said(&was), said(&is));
            self.report(id, Level::Error, place, message);
            return false;
        }
        let format = |schema: &Value| schema["format"].as_str().unwrap_or_default().to_owned();
        let (was, is) = (format(old), format(new));
        // Numbers differ in their range at most, and only rules speak of decimals.
        let is_loose = |name: &str| matches!(name, "" | "int32" | "int64" | "float" | "double" | "decimal");
        if was != is && !is_loose(&was) && !is_loose(&is) {
            let message = format!("by the changes its format is `{was}`, by the document `{is}`");
            self.report(id, Level::Warning, place, message);
        }
        true
    }

    fn values(&mut self, old: &Value, new: &Value, way: Way, place: &Place) {
        let listed = |schema: &Value| -> Option<Vec<Value>> {
            let one = || Some(vec![schema.get("const")?.clone()]);
            schema["enum"].as_array().cloned().or_else(one)
        };
        let (was, is) = (listed(old), listed(new));
        let (coming, expected) = match way {
            Way::Request => (was, is),
            Way::Response => (is, was),
        };
        let (Some(expected), id, level) = (expected, value_id(way, place.what), value_level(way)) else { return };
        let Some(coming) = coming else {
            // An open list of a response is what clients of lists have to expect; requests have to fit theirs.
            if way == Way::Request && !types(old).contains(&"boolean") {
                let message = format!("by the changes it may have any value, by the document only {}", said(&expected));
                self.report("request-property-became-enum", Level::Error, place, message);
            }
            return;
        };
        let strange: Vec<Value> = coming.into_iter().filter(|value| !value.is_null() && !expected.contains(value)).collect();
        if !strange.is_empty() {
            let message = match way {
                Way::Request => format!("the changes make {}, which the document does not list", said(&strange)),
                Way::Response => format!("the document lists {}, which the changes do not make", said(&strange)),
            };
            self.report(id, level, place, message);
        }
    }

    fn bounds(&mut self, old: &Value, new: &Value, way: Way, place: &Place) {
        for (name, is_upper, in_request, in_response) in BOUNDS {
            let (was, is) = (old[name].as_f64(), new[name].as_f64());
            let (coming, expected) = match way {
                Way::Request => (was, is),
                Way::Response => (is, was),
            };
            let Some(expected) = expected else { continue };
            let harms = coming.is_none_or(|coming| if is_upper { coming > expected } else { coming < expected });
            if harms {
                let said = |bound: Option<f64>| bound.map_or("none".to_owned(), |bound| bound.to_string());
                let message = format!("by the changes `{name}` is {}, by the document {}", said(was), said(is));
                let (id, level) = match way {
                    // Rules do not speak of bounds, so that the older contract's are all that is known of them.
                    Way::Request => (in_request, Level::Error),
                    Way::Response => (in_response, Level::Warning),
                };
                self.report(id, level, place, message);
            }
        }
    }

    fn members(
        &mut self,
        old: &Value,
        new: &Value,
        way: Way,
        place: &Place,
        seen: &mut BTreeSet<(String, String)>,
        depth: usize,
    ) {
        for (name, property) in old["properties"].as_object().into_iter().flatten() {
            let place = place.below(&pointer(name), &["properties", name]);
            let was_required = is_required(old, name);
            let Some(other) = new["properties"].get(name) else {
                self.member_gone(new, name, was_required, way, &place);
                continue;
            };
            let is_added = self.before.resolve(property).get(SINCE).or_else(|| property.get(SINCE)).is_some();
            match (way, was_required, is_required(new, name)) {
                (Way::Request, false, true) => {
                    let message = "the changes leave it optional, and the document requires it";
                    self.report("request-property-became-required", Level::Error, &place, message);
                }
                // What a change adds is there in every translation; that the backend has it always, nobody said.
                (Way::Response, true, false) if !is_added => {
                    let message = "by the changes it is always there, by the document it may be missing";
                    self.report("response-property-became-optional", Level::Error, &place, message);
                }
                _ => {}
            }
            self.schema((property, other), way, &place, seen, depth + 1);
        }
        for (name, _) in new["properties"].as_object().into_iter().flatten() {
            if old["properties"].get(name).is_some() {
                continue;
            }
            let place = place.below(&pointer(name), &["properties", name]);
            let message = "the changes make no such property";
            match (way, is_required(new, name)) {
                (Way::Request, true) => self.report("new-required-request-property", Level::Error, &place, "the changes make no such property, and the document requires it"),
                (Way::Request, false) => self.report("new-optional-request-property", Level::Info, &place, message),
                (Way::Response, true) => self.report("response-required-property-added", Level::Info, &place, message),
                (Way::Response, false) => self.report("response-optional-property-added", Level::Info, &place, message),
            }
        }
    }

    fn member_gone(&mut self, new: &Value, name: &str, was_required: bool, way: Way, place: &Place) {
        // A map has room for every name.
        if inner(new, "additionalProperties").is_some() {
            return;
        }
        let message = format!("the changes make `{name}`, and the document has none");
        match (way, was_required) {
            (Way::Request, _) if new["additionalProperties"] == false => {
                self.report("request-property-removed", Level::Error, place, message);
            }
            (Way::Request, _) => self.report("request-property-removed", Level::Warning, place, message),
            (Way::Response, true) => self.report("response-required-property-removed", Level::Error, place, message),
            (Way::Response, false) => self.report("response-optional-property-removed", Level::Warning, place, message),
        }
    }
}

/// A bound's keyword, whether it is an upper one, and the ids of it getting narrower and wider.
const BOUNDS: [(&str, bool, &str, &str); 6] = [
    ("maxLength", true, "request-property-max-length-decreased", "response-property-max-length-increased"),
    ("maximum", true, "request-property-max-decreased", "response-property-max-increased"),
    ("maxItems", true, "request-property-max-items-decreased", "response-property-max-items-increased"),
    ("minLength", false, "request-property-min-length-increased", "response-property-min-length-decreased"),
    ("minimum", false, "request-property-min-increased", "response-property-min-decreased"),
    ("minItems", false, "request-property-min-items-increased", "response-property-min-items-decreased"),
];

fn value_id(way: Way, what: &str) -> &'static str {
    match (way, what) {
        (Way::Request, "parameter") => "request-parameter-enum-value-removed",
        (Way::Request, _) => "request-property-enum-value-removed",
        (Way::Response, _) => "response-property-enum-value-added",
    }
}

fn value_level(way: Way) -> Level {
    match way {
        Way::Request => Level::Error,
        Way::Response => Level::Warning,
    }
}

fn said(values: &[Value]) -> String {
    values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ")
}

fn has_values(schema: &Value) -> bool {
    schema.get("enum").is_some() || schema.get("const").is_some()
}

fn inner<'s>(schema: &'s Value, name: &str) -> Option<&'s Value> {
    schema.get(name).filter(|inner| inner.is_object())
}

/// The alternatives of a schema but for null; none where it is no choice.
fn alternatives(schema: &Value) -> Vec<Value> {
    let parts = array(schema, "anyOf").chain(array(schema, "oneOf"));
    parts.filter(|part| !is_null(part)).cloned().collect()
}

/// A schema behind its reference, with what `allOf` adds to it.
fn whole(document: &Document, schema: &Value, depth: usize) -> Value {
    let root = Root { document: &document.value, dialect: document.dialect };
    let mut whole = root.resolve(schema).clone();
    if depth > DEEPEST {
        return whole;
    }
    let Some(parts) = whole.as_object_mut().and_then(|members| members.shift_remove("allOf")) else { return whole };
    for part in parts.as_array().into_iter().flatten() {
        merge(&mut whole, self::whole(document, part, depth + 1));
    }
    whole
}

/// A parameter of a call.
struct Parameter<'d> {
    name: &'d str,
    location: &'d str,
    required: bool,
    schema: &'d Value,
    /// Its place in the call's own list.
    at: String,
}

impl Parameter<'_> {
    /// What makes two of them the same. Those of the path pair up by their place in it.
    fn key(&self) -> (String, String) {
        let name = match self.location {
            "header" => self.name.to_ascii_lowercase(),
            _ => self.name.to_owned(),
        };
        (self.location.to_owned(), name)
    }
}

fn parameters<'d>(document: &'d Document, call: &Call<'d>) -> Vec<Parameter<'d>> {
    let list = |of: &'d Value| of["parameters"].as_array().into_iter().flatten().enumerate();
    let mut found: Vec<Parameter<'d>> = Vec::new();
    for (at, parameter) in list(call.operation).chain(list(call.item)) {
        let parameter = document.resolve(parameter);
        let (Some(name), Some(location)) = (parameter["name"].as_str(), parameter["in"].as_str()) else { continue };
        let schema = parameter.get("schema").or_else(|| json_media(parameter).next()?.1.get("schema"));
        let new = Parameter {
            name,
            location,
            required: parameter["required"] == true,
            schema: schema.unwrap_or(&Value::Null),
            at: at.to_string(),
        };
        if !found.iter().any(|other| other.key() == new.key()) {
            found.push(new);
        }
    }
    found
}
