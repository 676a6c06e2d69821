//! What is said of a broken law: the smallest document that breaks it, and the op that does.

use std::cell::LazyCell;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Span};
use crate::json::same;
use crate::rules::Direction;
use crate::rules::lens::{Lens, Op};
use crate::rules::stage::{Cause, Stage};
use crate::rules::test::Track;
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
        let found = source.fits(&self.asked(version)?, &document.to_json())?;
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
        while let Some(found) = smallest.0.simpler().into_iter().take(MOST_TRIES).find_map(|simpler| {
            tries += 1;
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
        let mut help = format!("of {}\n{}", String::from_utf8_lossy(&document.to_json()), violation.told);
        if !violation.places.is_empty() {
            let advice = advice(side.direction, op, &document, &violation.places);
            let _ = write!(help, "\nlost: {}; {advice}", listed(&violation.places));
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
        let mut body = document.to_json();
        for stage in &side.there.stages {
            let Cause::Op { change, op, .. } = stage.cause else { continue };
            let inverse = side
                .back
                .stages
                .iter()
                .find(|other| matches!(other.cause, Cause::Op { op: same, .. } if std::ptr::eq(op, same)));
            let run = |stage: &Stage<'_>, body: &[u8]| {
                let track = Track {
                    program: stage.program(),
                    stages: Vec::new(),
                    values: side.there.values.clone(),
                    is_united: false,
                    // An op may make no list for the next to make one of.
                    is_list: false,
                };
                track.run(body).ok().flatten()
            };
            let Some(after) = run(stage, &body) else { break };
            let back = inverse.and_then(|inverse| run(inverse, &after));
            if back.is_some_and(|back| !same(&back, &body)) {
                return (Arc::clone(&change.file), op.span, Some(op));
            }
            body = after;
        }
        self.place()
    }

    /// The change; the test, where it is of several.
    fn place(&self) -> (Arc<str>, Span, Option<&Op>) {
        let (file, span) = self.change.map_or((&self.test.file, self.test.span), |change| (&change.file, change.span));
        (Arc::clone(file), span, None)
    }
}

fn listed(places: &[Vec<String>]) -> String {
    places.iter().map(|place| format!("/{}", place.join("/"))).collect::<Vec<_>>().join(", ")
}

/// How the loss of some places is mended. Names that `recase` does not bring back are no loss that can be accepted.
fn advice(direction: Direction, op: Option<&Op>, document: &Document, places: &[Vec<String>]) -> String {
    if let Some(Lens::Recase(op)) = op.map(|op| &op.lens) {
        let there = places.iter().filter(|place| document.has(place)).filter_map(|place| place.last());
        return format!("let these names stay: `except: [{}]`", op.excepting(there).join(", "));
    }
    let way = if direction == Direction::Up { "up" } else { "down" };
    format!("if it may be, write `accept_loss: {{{way}: [{}]}}`", listed(places))
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
