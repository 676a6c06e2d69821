//! What differs between two documents of one version, in the categories and names of oasdiff.
//!
//! `before` is what the changes make, `after` what the team committed: a difference that would break a client of the
//! first against a server of the second is one that no change explains. What is unknown on either side says nothing.

use std::cell::Cell;
use std::collections::BTreeSet;

use serde_json::Value;

use super::document::{Call, Document, json_media};
use super::schema::{READ_ONLY, WRITE_ONLY};

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
pub(super) enum Way {
    Request,
    Response,
}

impl Way {
    /// What marks the members that do not go this way.
    pub(super) fn uncarried(self) -> &'static str {
        match self {
            Self::Request => READ_ONLY,
            Self::Response => WRITE_ONLY,
        }
    }
}

/// Schemas that are compared; what is left after that is taken for the same. Alternatives of alternatives multiply.
const MOST: u32 = 200_000;

/// All differences, in the order of the document that the changes make.
#[must_use]
pub fn compare(before: &Document, after: &Document) -> Vec<Finding> {
    let left = Cell::new(MOST);
    let mut comparison = Comparison { before, after, findings: Vec::new(), left: &left };
    comparison.calls();
    comparison.findings
}

pub(super) struct Comparison<'d> {
    pub(super) before: &'d Document,
    pub(super) after: &'d Document,
    pub(super) findings: Vec<Finding>,
    /// How many more schemas may be compared.
    pub(super) left: &'d Cell<u32>,
}

/// Where a schema is: in words, and in the document that was committed.
#[derive(Clone)]
pub(super) struct Place {
    call: String,
    part: String,
    pub(super) path: String,
    pub(super) steps: Vec<String>,
    /// `property`, `body`, `parameter` or `header`, for ids.
    pub(super) what: &'static str,
}

impl Place {
    pub(super) fn below(&self, path: &str, steps: &[&str]) -> Self {
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

impl<'d> Comparison<'d> {
    pub(super) fn report(&mut self, id: &'static str, level: Level, place: &Place, message: impl Into<String>) {
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
        let shape =
            |call: &Call<'_>| call.template().map(|template| crate::route::Template { method: None, ..template });
        let same_path =
            |other: Call<'_>| shape(&other).zip(shape(call)).is_some_and(|(other, own)| other.same_shape(&own));
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
        let body =
            |document: &'d Document, call: &Call<'d>| call.operation.get("requestBody").map(|b| document.resolve(b));
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
                self.report(
                    id,
                    Level::Error,
                    place,
                    format!("the changes make a body of `{name}`, and the document has no JSON"),
                );
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
            let same = |other: &str| {
                other.eq_ignore_ascii_case(key)
                    || other.to_ascii_uppercase() == format!("{}XX", &key[..1.min(key.len())])
            };
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
