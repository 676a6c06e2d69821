//! The documents of an API's versions, and whether its changes explain how these differ.

use std::collections::BTreeMap;

use crate::diagnostic::{Diagnostic, Source, Span};
use crate::rules::{Api, Direction};
use crate::version::VersionId;

use super::code;
use super::compare::{Finding, Level, compare};
use super::derive::derive;
use super::document::Document;

/// The documents that stand beside an API's rules, by version.
#[derive(Debug, Default)]
pub struct Contracts {
    /// Those that can be read.
    pub documents: BTreeMap<VersionId, Document>,
}

impl Contracts {
    /// Reads an API's documents out of the rule files of all, and says what is wrong with them.
    #[must_use]
    pub fn read(api: &Api, files: &[Source]) -> (Self, Vec<Diagnostic>) {
        let folder = format!("{}/", api.name);
        let own = files.iter().filter_map(|source| Some((source.file.strip_prefix(&folder)?, source)));
        Self::read_own(api, &own.collect::<Vec<_>>())
    }

    /// Reads an API's documents out of its files, which come with their names inside its folder.
    pub(super) fn read_own(api: &Api, files: &[(&str, &Source)]) -> (Self, Vec<Diagnostic>) {
        let mut contracts = Self::default();
        let mut diagnostics = Vec::new();
        for (name, source) in files {
            let Some(name) = name.strip_prefix("openapi/") else { continue };
            let Some((label, _)) = name.rsplit_once('.').filter(|(label, _)| !label.contains('/')) else { continue };
            let Some(version) = api.versions.find(label) else {
                let known: Vec<String> = api.versions.labels().map(|label| format!("`{label}`")).collect();
                let message = format!("there is no version `{}`", label.escape_debug());
                diagnostics.push(misplaced(
                    source,
                    message,
                    format!("the versions of `api.yaml` are {}", known.join(", ")),
                ));
                continue;
            };
            let (document, found) = Document::parse(source);
            diagnostics.extend(found);
            let Some(document) = document else { continue };
            if let Some(first) = contracts.documents.get(&version) {
                let message = format!("a second document of version `{label}`: the first is `{}`", first.file);
                diagnostics.push(misplaced(source, message, "remove one of them".to_owned()));
                continue;
            }
            contracts.documents.insert(version, document);
        }
        (contracts, diagnostics)
    }

    /// A version's document: its own, or derived from that of the nearest older version that has one, or else of the
    /// nearest newer. `None` where no version has one.
    #[must_use]
    pub fn document(&self, api: &Api, version: VersionId) -> Option<Document> {
        if let Some((from, document)) = self.documents.range(..=version).next_back() {
            let steps = from.0 + 1..=version.0;
            return Some(
                steps.fold(document.clone(), |document, step| derive(&document, api, VersionId(step), Direction::Up)),
            );
        }
        let (from, document) = self.documents.range(version..).next()?;
        let steps = (version.0 + 1..=from.0).rev();
        Some(steps.fold(document.clone(), |document, step| derive(&document, api, VersionId(step), Direction::Down)))
    }

    /// Every version's document, as [`Self::document`] gives it.
    #[must_use]
    pub fn all(&self, api: &Api) -> Vec<Option<Document>> {
        let versions = (0..=api.versions.latest().0).map(VersionId);
        let mut all: Vec<Option<Document>> = Vec::new();
        for version in versions {
            let derived = || Some(derive(all.last()?.as_ref()?, api, version, Direction::Up));
            let document = self.documents.get(&version).cloned().or_else(derived);
            all.push(document);
        }
        for newer in (1..=api.versions.latest().0).rev().map(VersionId) {
            let at = usize::from(newer.0);
            if all[at - 1].is_none() {
                all[at - 1] = all[at].as_ref().map(|document| derive(document, api, newer, Direction::Down));
            }
        }
        all
    }

    /// What the documents of neighbouring versions differ in, where that breaks clients and no change explains it
    /// (`CV302`). `all` are the documents of every version.
    #[must_use]
    pub fn unexplained(&self, api: &Api, all: &[Option<Document>]) -> Vec<Diagnostic> {
        let mut diagnostics = Vec::new();
        for (version, committed) in self.documents.iter().filter(|(version, _)| self.is_known_before(**version)) {
            if let Some(before) = &all[usize::from(version.0) - 1] {
                let derived = derive(before, api, *version, Direction::Up);
                let label = &api.versions.get(*version).label;
                diagnostics.extend(report(&compare(&derived, committed), committed, label));
            }
        }
        diagnostics
    }

    /// Whether a version before this one has a document of its own. What is derived from a newer one says what the
    /// changes say.
    pub(super) fn is_known_before(&self, version: VersionId) -> bool {
        self.documents.range(..version).next().is_some()
    }
}

fn misplaced(source: &Source, message: String, help: String) -> Diagnostic {
    let mut diagnostic = Diagnostic::error(code::VERSION, &source.file.as_str().into(), Span::default(), message);
    diagnostic.help(help);
    diagnostic
}

/// One diagnostic for each place of the document; what many calls share is said once.
fn report(findings: &[Finding], document: &Document, label: &str) -> Vec<Diagnostic> {
    let mut groups: Vec<(&Finding, usize)> = Vec::new();
    for finding in findings.iter().filter(|finding| finding.level != Level::Info) {
        let same = |(first, _): &&mut (&Finding, usize)| {
            first.id == finding.id && first.steps == finding.steps && first.message == finding.message
        };
        match groups.iter_mut().find(same) {
            Some((_, more)) => *more += 1,
            None => groups.push((finding, 0)),
        }
    }
    groups.into_iter().map(|(finding, more)| diagnostic(finding, more, document, label)).collect()
}

fn diagnostic(finding: &Finding, more: usize, document: &Document, label: &str) -> Diagnostic {
    let steps: Vec<&str> = finding.steps.iter().map(String::as_str).collect();
    let place = [&finding.call, &finding.part, &finding.path].into_iter().filter(|text| !text.is_empty());
    let place = place.map(|text| format!("`{text}`")).collect::<Vec<_>>().join(", ");
    let more = match more {
        0 => String::new(),
        1 => ", and in 1 more place".to_owned(),
        more => format!(", and in {more} more places"),
    };
    let message = format!("{}: {place}{more}: {}", finding.id, finding.message);
    let span = document.span(&steps);
    let mut diagnostic = match finding.level {
        Level::Error => Diagnostic::error(code::UNEXPLAINED, &document.file, span, message),
        Level::Warning | Level::Info => Diagnostic::warning(code::UNEXPLAINED, &document.file, span, message),
    };
    diagnostic.help(format!(
        "no change of version {label} explains it: add one, or correct the document (fingerprint {})",
        finding.fingerprint()
    ));
    diagnostic
}
