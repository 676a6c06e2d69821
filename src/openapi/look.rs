//! What checks ask of contracts, answered.

use std::collections::BTreeMap;

use crate::diagnostic::Source;
use crate::json::edit::{Edit, Entry, Path, Source as Fill, Token};
use crate::route::Template;
use crate::rules::contracts::{Invented, Known};
use crate::rules::{self, Api, Compiled, Direction, OpEdits};
use crate::version::VersionId;

use super::derive::unmet;
use super::document::{Call, Document, Part, status_of};
use super::replay::Contracts;
use super::required::required;

/// Compiles rule files as [`rules::compile`] does, and checks them against the contracts that stand beside them.
#[must_use]
pub fn compile(files: &[Source]) -> Compiled {
    rules::compile_with(files, Some(look))
}

fn look<'a>(api: &'a Api, files: &[(&str, &Source)]) -> Known<'a> {
    let (contracts, mut diagnostics) = Contracts::read_own(api, files);
    let all = contracts.all(api);
    diagnostics.extend(contracts.unexplained(api, &all));
    let (mut all_unmet, mut all_invented) = (Vec::new(), Vec::new());
    for newer in (1..=api.versions.latest().0).map(VersionId) {
        let documents = [usize::from(newer.0) - 1, usize::from(newer.0)].map(|version| all[version].as_ref());
        for (document, direction) in documents.into_iter().zip([Direction::Up, Direction::Down]) {
            all_unmet.extend(document.map(|document| unmet(document, api, newer, direction)).into_iter().flatten());
        }
        // What is derived from a newer document has as required whatever is filled in on the way to it.
        if let ([Some(document), _], true) = (documents, contracts.is_known_before(newer)) {
            invented(document, api, newer, &mut all_invented);
        }
    }
    Known { calls: calls(&contracts), diagnostics, unmet: all_unmet, invented: all_invented }
}

/// The calls of every document that says which there are.
fn calls(contracts: &Contracts) -> BTreeMap<VersionId, Vec<Template>> {
    let documents = contracts.documents.iter().filter(|(_, document)| document.value["paths"].is_object());
    let templates = |document: &Document| document.calls().filter_map(|call| call.template()).collect();
    documents.map(|(version, document)| (*version, templates(document))).collect()
}

/// What the way down to a document's version fills in where its responses have to have something.
fn invented<'a>(document: &Document, api: &'a Api, version: VersionId, found: &mut Vec<Invented<'a>>) {
    for call in document.calls() {
        let Some(template) = call.template() else { continue };
        let edits = api.edits(version, Direction::Up, &template);
        for (key, status) in statuses(&call) {
            let ops = edits.response(status).0;
            let filled: Vec<(&OpEdits<'a>, Filled)> = ops
                .iter()
                .enumerate()
                .flat_map(|(at, op)| filled(op, &ops[..at]).into_iter().map(move |filled| (op, filled)))
                .collect();
            if filled.is_empty() {
                continue;
            }
            let required = required(document, &template, Part::Response(status));
            for (edits, filled) in
                filled.into_iter().filter(|(_, filled)| required.iter().any(|path| filled.is_at(path)))
            {
                let Some((change, op)) = edits.op else { continue };
                let op = (change, op.of_edit(Direction::Down, &filled.edit).unwrap_or(op));
                found.push(Invented { op, value: filled.value, message: format!("responses to `{call}` with {key}") });
            }
        }
    }
}

/// The responses of a call: their keys, each with a status that stands for all of it.
fn statuses<'d>(call: &Call<'d>) -> impl Iterator<Item = (&'d String, u16)> {
    let responses = call.operation["responses"].as_object().into_iter().flatten();
    responses.filter_map(|(key, _)| Some((key, status_of(key)?)))
}

/// A place that is filled, as the older version has it.
struct Filled {
    at: Path,
    edit: Edit,
    value: String,
}

impl Filled {
    fn is_at(&self, path: &[Token]) -> bool {
        let same = |(a, b): (&Token, &Token)| a == b || *a == Token::Any || *b == Token::Any;
        self.at.len() == path.len() && self.at.iter().zip(path).all(same)
    }
}

/// What an op fills in going down, carried through the ops that are before it in the change.
fn filled(op: &OpEdits<'_>, before: &[OpEdits<'_>]) -> Vec<Filled> {
    let mut all = Vec::new();
    puts(&[], &op.of(rules::Part::Body).1, &mut all);
    let carried = |filled: Filled| {
        let at = before.iter().rev().try_fold(filled.at, |at, op| op.carry_back(&at))?;
        Some(Filled { at, ..filled })
    };
    all.into_iter().filter_map(carried).collect()
}

fn puts(scope: &[Token], entries: &[Entry], found: &mut Vec<Filled>) {
    for entry in entries {
        match &entry.edit {
            Edit::Put { scope: inner, at, value: Fill::Literal(literal), .. } => {
                let value = String::from_utf8_lossy(&literal.text()).into_owned();
                // The label of the version that reads it is no invention.
                if value != "\"$version\"" {
                    let keys = at.iter().cloned().map(Token::Key);
                    let at = scope.iter().chain(inner).cloned().chain(keys).collect();
                    found.push(Filled { at, edit: entry.edit.clone(), value });
                }
            }
            Edit::Each { at, entries } => puts(&[scope, at.as_slice()].concat(), entries, found),
            _ => {}
        }
    }
}
