//! What is said of a broken law: the smallest document that breaks it, and the op that does.

use std::cell::LazyCell;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Span};
use crate::json::same;
use crate::rules::Direction;
use crate::rules::ast::Change;
use crate::rules::head::as_place;
use crate::rules::lens::{Lens, Op};
use crate::rules::stage::{Cause, Stage};
use crate::version::VersionId;

use super::document::Document;
use super::kind::{Kind, Side};
use super::violation::Violation;
use super::{Documents, Known, Random, Report, Trial, code};

/// More than this would take long and help nobody.
const MOST_TRIES: usize = 500;

/// How a document breaks a law, if it does.
type Law<'l> = dyn Fn(&Document) -> Option<Violation> + 'l;

impl Kind<'_> {
    pub(super) fn try_laws(&self, known: &Known, trial: Trial, source: &dyn Documents, report: &mut Report) {
        let mut broken = BTreeSet::new();
        let mut random = Random::new(trial.seed);
        for number in 0..trial.documents {
            let Some((version, document, conforms)) = self.document(known, number, source, &mut random) else { return };
            let side = self.side(if version == self.older { Direction::Up } else { Direction::Down });
            report.documents += 1;
            let fits = |document: &Document| self.fits(version, document, source);
            let fitting = LazyCell::new(|| fits(&document));
            let violation = self.violation(side, &document, conforms);
            if let Some(violation) = violation.filter(|violation| broken.insert(violation.code)) {
                let has_to_fit = conforms && *fitting != Some(false);
                let may_be = |smaller: &Document| !has_to_fit || fits(smaller) != Some(false);
                let law = |smaller: &Document| self.violation(side, smaller, conforms).filter(|_| may_be(smaller));
                report.findings.push(self.finding(side, &document, &violation, trial.seed, &law));
            }
            if !conforms || !self.is_whole || broken.contains(code::CONFORMANCE) || *fitting != Some(true) {
                continue;
            }
            let misfit = |document: &Document| self.misfit(side, version, document, source);
            if let Some(violation) = misfit(&document) {
                broken.insert(violation.code);
                let law = |smaller: &Document| misfit(smaller).filter(|_| fits(smaller) == Some(true));
                report.findings.push(self.finding(side, &document, &violation, trial.seed, &law));
            }
        }
    }

    /// Whether a document fits its contract; `None`: nothing is known of it.
    fn fits(&self, version: VersionId, document: &Document, source: &dyn Documents) -> Option<bool> {
        let found = source.fits(&self.asked(version)?, &self.body_of(document)?.to_json())?;
        Some(found.is_ok())
    }

    /// `law`: how a document breaks it.
    fn finding(&self, side: Side<'_>, document: &Document, first: &Violation, seed: u64, law: &Law<'_>) -> Diagnostic {
        // A smaller document must lose the same, and have what it loses where this one has it.
        let same_law = |smaller: &Document| {
            let violation = law(smaller).filter(|v| v.code == first.code)?;
            let alike = |place: &Vec<String>| first.places.contains(place) && smaller.has(place) == document.has(place);
            violation.places.iter().all(alike).then_some(violation)
        };
        let mut smallest = (document.clone(), first.clone());
        let mut tries = 0;
        let version = if side.direction == Direction::Up { self.older } else { self.newer };
        while let Some(found) = smallest.0.simpler().into_iter().take(MOST_TRIES).find_map(|simpler| {
            tries += 1;
            let simpler = self.of_this_call(version, &simpler, document).filter(|simpler| *simpler != smallest.0)?;
            same_law(&simpler).map(|violation| (simpler, violation))
        }) {
            smallest = found;
            if tries > MOST_TRIES {
                break;
            }
        }
        let (document, violation) = smallest;
        let (file, span, op) = match violation.code {
            code::CONFORMANCE => self.place(),
            _ => self.blame(side, &document),
        };
        let message = format!("{}: {}", words(violation.code), self.label);
        let mut help = format!("of {}\n{}", side.there.shown(&document.to_json()), violation.told);
        if !violation.places.is_empty() {
            let lost = self.listed(&violation.places);
            let advice = advice(side.direction, op, &document, &violation.places, &lost);
            let _ = write!(help, "\nlost: {lost}; {advice}");
        }
        if let Some(change) = self.change {
            let _ = write!(help, "\nchange {}", change.id);
        }
        let _ = write!(help, "\nseed {seed}");
        let mut diagnostic = Diagnostic::error(violation.code, &file, span, message);
        diagnostic.help(help);
        diagnostic
    }

    /// The op that breaks the law by itself; the change, or the test, where it takes several.
    fn blame<'s>(&'s self, side: Side<'s>, document: &Document) -> (Arc<str>, Span, Option<&'s Op>) {
        let document = side.there.to_edit(&document.to_json()).unwrap_or_default();
        let found = guilty(side, &document, &|made| Some(made)).or_else(|| {
            // What an op makes of a message may be another thing when it has been sent.
            guilty(side, &document, &|made| side.back.to_edit(&made))
        });
        found.map_or_else(|| self.place(), |(change, op)| (Arc::clone(&change.file), op.span, Some(op)))
    }

    /// Places as `accept_loss` names them.
    fn listed(&self, places: &[Vec<String>]) -> String {
        let pointer = |place: &Vec<String>| format!("/{}", place.join("/"));
        let of_message = |pointer: String| match as_place(&pointer) {
            place if place.is_empty() => "\"body:\"".to_owned(),
            place if place.starts_with('/') => place,
            place => format!("\"{place}\""),
        };
        let pointers = places.iter().map(pointer);
        let named = pointers.map(|pointer| if self.is_of_messages() { of_message(pointer) } else { pointer });
        named.collect::<Vec<_>>().join(", ")
    }

    /// The change; the test, where it is of several.
    fn place(&self) -> (Arc<str>, Span, Option<&Op>) {
        let (file, span) = self.change.map_or((&self.test.file, self.test.span), |change| (&change.file, change.span));
        (Arc::clone(file), span, None)
    }
}

/// The first op that does not bring back what it was given, with its change; `send`: what becomes of what it makes before
/// it goes back.
fn guilty<'s>(
    side: Side<'s>,
    document: &[u8],
    send: &dyn Fn(Vec<u8>) -> Option<Vec<u8>>,
) -> Option<(&'s Change, &'s Op)> {
    let mut before = document.to_vec();
    for stage in &side.there.stages {
        let Cause::Op { change, op, .. } = stage.cause else {
            before = side.there.run_stage(stage, &before)?;
            continue;
        };
        let is_inverse =
            |other: &&Stage<'_>| matches!(other.cause, Cause::Op { op: same, .. } if std::ptr::eq(op, same));
        let inverse = side.back.stages.iter().find(is_inverse);
        let after = side.there.run_stage(stage, &before)?;
        let back = inverse.and_then(|inverse| side.back.run_stage(inverse, &send(after.clone())?));
        if back.is_some_and(|back| !same(&back, &before)) {
            return Some((change, op));
        }
        before = after;
    }
    None
}

/// How the loss of some places is mended. Names that `recase` does not bring back are no loss that can be accepted.
fn advice(direction: Direction, op: Option<&Op>, document: &Document, places: &[Vec<String>], lost: &str) -> String {
    if let Some(Lens::Recase(op)) = op.map(|op| &op.lens) {
        let there = places.iter().filter(|place| document.has(place)).filter_map(|place| place.last());
        return format!("let these names stay: `except: [{}]`", op.excepting(there).join(", "));
    }
    let way = if direction == Direction::Up { "up" } else { "down" };
    format!("if it may be, write `accept_loss: {{{way}: [{lost}]}}`")
}

fn words(code: &str) -> &'static str {
    match code {
        code::ROUND_TRIP_OLD => "up and down again, the older version's document is another",
        code::ROUND_TRIP_NEW => "down and up again, the newer version's document is another",
        code::FUSION => "the fused program and its ops disagree",
        code::TOTALITY => "the translation is no JSON",
        code::CONFORMANCE => "the translation does not fit the contract of its version",
        _ => "there and back a second time, the document changes again",
    }
}
