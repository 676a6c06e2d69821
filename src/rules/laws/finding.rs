//! What is said of a broken law: the smallest document that breaks it, and the op that does.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Span};
use crate::json::same;
use crate::rules::Direction;
use crate::rules::stage::{Cause, Stage};
use crate::rules::test::Track;

use super::document::Document;
use super::kind::{Kind, Side};
use super::violation::Violation;
use super::{Documents, Known, Random, Report, Trial, code};

/// More than this would take long and help nobody.
const MOST_TRIES: usize = 500;

impl Kind<'_> {
    pub(super) fn try_laws(&self, known: &Known, trial: Trial, source: &dyn Documents, report: &mut Report) {
        let mut broken = BTreeSet::new();
        let mut random = Random::new(trial.seed);
        for number in 0..trial.documents {
            let Some((version, document, conforms)) = self.document(known, number, source, &mut random) else { return };
            let fits =
                |document: &Document| self.asked(version).is_none_or(|asked| source.fits(&asked, &document.to_json()));
            let side = self.side(if version == self.older { Direction::Up } else { Direction::Down });
            report.documents += 1;
            if let Some(violation) = self.violation(side, &document, conforms).filter(|v| !broken.contains(v.code)) {
                broken.insert(violation.code);
                let must_fit = conforms && fits(&document);
                let may_be = |document: &Document| !must_fit || fits(document);
                report.findings.push(self.finding(side, (&document, conforms), &violation, trial.seed, &may_be));
            }
        }
    }

    /// `may_be`: whether a smaller document is one to look at.
    fn finding(
        &self,
        side: Side<'_>,
        (document, conforms): (&Document, bool),
        first: &Violation,
        seed: u64,
        may_be: &dyn Fn(&Document) -> bool,
    ) -> Diagnostic {
        // A smaller document must lose the same, and have what it loses where this one has it.
        let same_law = |smaller: &Document| {
            if !may_be(smaller) {
                return None;
            }
            let violation = self.violation(side, smaller, conforms).filter(|v| v.code == first.code)?;
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
        let (file, span) = self.blame(side, &document);
        let message = format!("{}: {}", words(violation.code), self.label);
        let mut help = format!("of {}\n{}", String::from_utf8_lossy(&document.to_json()), violation.told);
        if !violation.places.is_empty() {
            let way = if side.direction == Direction::Up { "up" } else { "down" };
            let places: Vec<String> = violation.places.iter().map(|place| format!("/{}", place.join("/"))).collect();
            let places = places.join(", ");
            let _ = write!(help, "\nlost: {places}; if it may be, write `accept_loss: {{{way}: [{places}]}}`");
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
    fn blame(&self, side: Side<'_>, document: &Document) -> (Arc<str>, Span) {
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
                };
                track.run(body).ok().flatten()
            };
            let Some(after) = run(stage, &body) else { break };
            let back = inverse.and_then(|inverse| run(inverse, &after));
            if back.is_some_and(|back| !same(&back, &body)) {
                return (Arc::clone(&change.file), op.span);
            }
            body = after;
        }
        self.change.map_or_else(
            || (Arc::clone(&self.test.file), self.test.span),
            |change| (Arc::clone(&change.file), change.span),
        )
    }
}

fn words(code: &str) -> &'static str {
    match code {
        code::ROUND_TRIP_OLD => "up and down again, the older version's document is another",
        code::ROUND_TRIP_NEW => "down and up again, the newer version's document is another",
        code::FUSION => "the fused program and its ops disagree",
        code::TOTALITY => "the translation is no JSON",
        _ => "there and back a second time, the document changes again",
    }
}
