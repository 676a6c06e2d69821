//! What differs between two schemas.

use std::collections::BTreeSet;

use serde_json::Value;

use super::compare::{Comparison, Level, Place, Way};
use super::conform::{Root, additional};
use super::document::reference;
use super::schema::{SINCE, UNKNOWN, array, is_null, is_nullable, is_required, is_unknown, types};

/// Deeper than this, schemas are taken for the same.
const DEEPEST: usize = 24;

impl Comparison<'_> {
    pub(super) fn schema(
        &mut self,
        (before, after): (&Value, &Value),
        way: Way,
        place: &Place,
        seen: &mut BTreeSet<(String, String)>,
        depth: usize,
    ) {
        if depth > DEEPEST || self.left.get() == 0 {
            return;
        }
        self.left.set(self.left.get() - 1);
        let mut place = place.clone();
        if let Some(target) = reference(after) {
            place.steps = target.trim_start_matches("#/").split('/').map(str::to_owned).collect();
            if let Some(old) = reference(before)
                && !seen.insert((old.to_owned(), target.to_owned()))
            {
                return;
            }
        }
        let (of_before, of_after) = (Root::new(self.before), Root::new(self.after));
        let (old, new) = (of_before.whole(before), of_after.whole(after));
        if is_unknown(&old) || is_unknown(&new) && way == Way::Request || new.get(UNKNOWN).is_some() {
            return;
        }
        self.nullability(&old, &new, way, &place);
        let (choices, new_choices) = (alternatives(&old), alternatives(&new));
        if choices.len() > 1 || new_choices.len() > 1 {
            return self.choices((&choices, &new_choices), way, &place, seen, depth);
        }
        let (old, new) = (choices.first().map_or(&old, |only| only), new_choices.first().map_or(&new, |only| only));
        let (old, new) = (&of_before.whole(old), &of_after.whole(new));
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
            (Way::Request, "parameter") | (Way::Response, "header") => return,
            (Way::Request, _) => "request-property-became-not-nullable",
            (Way::Response, "body") => "response-body-became-nullable",
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
            self.report(
                id,
                Level::Error,
                place,
                format!("by the changes it {}, by the document it {}", said(was), said(is)),
            );
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
                let mut attempt =
                    Comparison { before: self.before, after: self.after, findings: Vec::new(), left: self.left };
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
        let fits =
            |name: &String| expected.contains(name) || name == "integer" && expected.iter().any(|e| e == "number");
        let id = match (way, place.what) {
            (Way::Request, "body") => "request-body-type-changed",
            (Way::Request, "parameter") => "request-parameter-type-changed",
            (Way::Request, _) => "request-property-type-changed",
            (Way::Response, "body") => "response-body-type-changed",
            (Way::Response, "header") => "response-header-type-changed",
            (Way::Response, _) => "response-property-type-changed",
        };
        let said = |names: &[String]| if names.is_empty() { "anything".to_owned() } else { names.join(" or ") };
        if !expected.is_empty()
            && (coming.is_empty() && !has_values(if way == Way::Request { old } else { new })
                || !coming.iter().all(fits))
        {
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
        let strange: Vec<Value> =
            coming.into_iter().filter(|value| !value.is_null() && !expected.contains(value)).collect();
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
        let (of_before, of_after) =
            (Root::without(self.before, way.uncarried()), Root::without(self.after, way.uncarried()));
        let requires =
            |root: &Root<'_>, schema, name: &str| is_required(schema, name) && !root.is_uncarried(schema, name);
        for (name, property) in old["properties"].as_object().into_iter().flatten() {
            let place = place.below(&pointer(name), &["properties", name]);
            let was_required = requires(&of_before, old, name);
            let (was_uncarried, other) = (of_before.is_uncarried(old, name), new["properties"].get(name));
            if was_uncarried && (other.is_none() || of_after.is_uncarried(new, name)) {
                continue;
            }
            let Some(other) = other else {
                self.member_gone(new, name, was_required, way, &place);
                continue;
            };
            let is_added = self.before.resolve(property).get(SINCE).or_else(|| property.get(SINCE)).is_some();
            match (way, was_required, requires(&of_after, new, name)) {
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
            match (way, requires(&of_after, new, name)) {
                (Way::Request, true) => self.report(
                    "new-required-request-property",
                    Level::Error,
                    &place,
                    "the changes make no such property, and the document requires it",
                ),
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
            (Way::Request, _) if additional(new) == Some(&Value::Bool(false)) => {
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

fn pointer(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}
