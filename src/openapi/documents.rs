//! Documents that conform to contracts, for trying the laws of translations.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::diagnostic::Source;
use crate::rules::RuleSet;
use crate::rules::laws::{Asked, Documents, Random};
use crate::version::VersionId;

use super::conform::conforms;
use super::document::{Call, Document, Part};
use super::generate::Generator;
use super::replay::Contracts;

/// The contracts of all APIs, by name and version: those that were written, since what is derived may be wider than what
/// a version says.
#[derive(Debug)]
pub struct Conforming(BTreeMap<String, BTreeMap<VersionId, Document>>);

impl Conforming {
    /// Reads the contracts among the rule files.
    #[must_use]
    pub fn new(rules: &RuleSet, files: &[Source]) -> Self {
        let read = |api: &crate::rules::Api| Contracts::read(api, files).0.documents;
        Self(rules.apis.iter().map(|(name, api)| (name.clone(), read(api))).collect())
    }

    /// The call that somebody asks about, with its document and the part of it.
    fn call(&self, asked: &Asked<'_>) -> Option<(&Document, Call<'_>, Part)> {
        let document = self.0.get(asked.api)?.get(&asked.version)?;
        let named = document.calls().filter_map(|call| Some((call.template()?, call)));
        let found = named
            .filter(|(template, _)| {
                template.method.as_ref() == Some(asked.method) && template.match_path(asked.path).is_some()
            })
            .reduce(|best, next| if next.0.more_specific(&best.0) { next } else { best });
        Some((document, found?.1, asked.status.map_or(Part::Request, Part::Response)))
    }

    /// The schema of a message's body, with its document and the part of the call that it is.
    fn schema(&self, asked: &Asked<'_>) -> Option<(&Document, &Value, Part)> {
        let (document, call, part) = self.call(asked)?;
        Some((document, document.body(&call, part)?, part))
    }
}

/// A value of a head as text, or a list of texts; `None`: it has none, or how it is written is not known here.
fn text(value: &Value) -> Option<Value> {
    match value {
        Value::String(_) => Some(value.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string().into()),
        Value::Array(values) => {
            let texts = values.iter().map(|value| text(value).filter(Value::is_string));
            texts.collect::<Option<Vec<Value>>>().map(Value::from)
        }
        Value::Null | Value::Object(_) => None,
    }
}

impl Documents for Conforming {
    fn make(&self, asked: &Asked<'_>, random: &mut Random) -> Option<Vec<u8>> {
        let (document, schema, part) = self.schema(asked)?;
        let value = Generator::new(random.number()).generate(document, schema, part)?;
        Some(value.to_string().into_bytes())
    }

    fn make_head(&self, asked: &Asked<'_>, random: &mut Random) -> Option<Vec<u8>> {
        let (document, call, part) = self.call(asked)?;
        let locations = if part == Part::Request { &["query", "header", "cookie"][..] } else { &["header"] };
        let mut head: Map<String, Value> = locations.iter().map(|name| ((*name).to_owned(), json!({}))).collect();
        for entry in document.head(&call, part) {
            let Some(members) = head.get_mut(entry.location) else { continue };
            let made = Generator::new(random.number()).generate(document, entry.schema, part);
            let is_left_out = random.one_in(3) && !entry.is_required;
            if let Some(text) = made.as_ref().and_then(text).filter(|_| !is_left_out) {
                members[entry.name] = text;
            }
        }
        Some(Value::from(head).to_string().into_bytes())
    }

    fn fits(&self, asked: &Asked<'_>, body: &[u8]) -> Option<Result<(), String>> {
        let (document, schema, part) = self.schema(asked)?;
        let value = serde_json::from_slice(body).map_err(|_| String::new());
        Some(value.and_then(|value| conforms(document, schema, part, &value)))
    }
}
