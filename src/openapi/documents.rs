//! Documents that conform to contracts, for trying the laws of translations.

use std::collections::BTreeMap;

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

    /// The schema of a message, with its document and the part of the call that it is.
    fn schema(&self, asked: &Asked<'_>) -> Option<(&Document, &serde_json::Value, Part)> {
        let document = self.0.get(asked.api)?.get(&asked.version)?;
        let named = document.calls().filter_map(|call| Some((call.template()?, call)));
        let found = named
            .filter(|(template, _)| {
                template.method.as_ref() == Some(asked.method) && template.match_path(asked.path).is_some()
            })
            .reduce(|best, next| if next.0.more_specific(&best.0) { next } else { best });
        let call: Call<'_> = found?.1;
        let part = asked.status.map_or(Part::Request, Part::Response);
        Some((document, document.body(&call, part)?, part))
    }
}

impl Documents for Conforming {
    fn make(&self, asked: &Asked<'_>, random: &mut Random) -> Option<Vec<u8>> {
        let (document, schema, part) = self.schema(asked)?;
        let value = Generator::new(random.number()).generate(document, schema, part)?;
        Some(value.to_string().into_bytes())
    }

    fn fits(&self, asked: &Asked<'_>, body: &[u8]) -> Option<Result<(), String>> {
        let (document, schema, part) = self.schema(asked)?;
        let value = serde_json::from_slice(body).map_err(|_| String::new());
        Some(value.and_then(|value| conforms(document, schema, part, &value)))
    }
}
