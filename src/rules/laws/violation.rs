//! The laws themselves, and what breaks them.

use crate::json::{Limits, same, validate};
use crate::rules::Direction;
use crate::rules::ast::Change;
use crate::rules::path::{Part, Place};
use crate::version::VersionId;

use super::document::{Document, is_within};
use super::kind::{Kind, Side};
use super::{Documents, code};

/// A broken law.
#[derive(Debug, Clone)]
pub(super) struct Violation {
    pub(super) code: &'static str,
    /// The documents on the way.
    pub(super) told: String,
    /// What was lost without leave.
    pub(super) places: Vec<Vec<String>>,
}

impl Kind<'_> {
    /// The first law that a document breaks.
    pub(super) fn violation(&self, side: Side<'_>, document: &Document, conforms: bool) -> Option<Violation> {
        let x = document.to_json();
        if let Err(both) = side.there.compare_with_parts(&x) {
            return Some(Violation { code: code::FUSION, told: both, places: Vec::new() });
        }
        let there = side.there.run(&x).ok()??;
        if validate(&there, Limits::default()).is_err() {
            return Some(Violation {
                code: code::TOTALITY,
                told: told(side, &[("gives", &there)]),
                places: Vec::new(),
            });
        }
        let back = side.back.run(&there).ok()??;
        if conforms && let Some(change) = self.change {
            let spelled = |a: &[u8], b: &[u8]| {
                side.there
                    .conversions()
                    .iter()
                    .any(|(how, way)| how.run(*way, a).is_some_and(|read| how.run(*way, b).as_ref() == Some(&read)))
            };
            let differences = document.differences(&Document::new(&back), &spelled);
            let places = self.lost(change, side.direction, differences);
            let code = if side.direction == Direction::Up { code::ROUND_TRIP_OLD } else { code::ROUND_TRIP_NEW };
            if !places.is_empty() {
                return Some(Violation { code, told: told(side, &[("there", &there), ("and back", &back)]), places });
            }
        }
        let again = side.there.run(&back).ok()??;
        let settled = side.back.run(&again).ok()??;
        let documents: [(&str, &[u8]); 4] =
            [("there", &there), ("and back", &back), ("there again", &again), ("and back again", &settled)];
        (!same(&settled, &back)).then(|| Violation {
            code: code::WEAK,
            told: told(side, &documents),
            places: Vec::new(),
        })
    }
}

impl Kind<'_> {
    /// What does not fit the contract of the version that it is translated to; `document` fits its own.
    pub(super) fn misfit(
        &self,
        side: Side<'_>,
        version: VersionId,
        document: &Document,
        source: &dyn Documents,
    ) -> Option<Violation> {
        let there = side.there.run(&document.to_json()).ok()??;
        let target = if version == self.older { self.newer } else { self.older };
        let made = Document::new(&there);
        let place = source.fits(&self.asked(target)?, &self.body_of(&made)?.to_json())?.err()?;
        let place = if place.is_empty() { "as a whole".to_owned() } else { format!("at {place}") };
        let told = format!("{}\nwhich the contract does not allow {place}", told(side, &[("gives", &there)]));
        Some(Violation { code: code::CONFORMANCE, told, places: Vec::new() })
    }
}

fn told(side: Side<'_>, documents: &[(&str, &[u8])]) -> String {
    let lines = documents.iter().map(|(what, json)| format!("{what}: {}", side.there.shown(json)));
    lines.collect::<Vec<_>>().join("\n")
}

impl Kind<'_> {
    /// The differences that a change does not accept.
    fn lost(&self, change: &Change, direction: Direction, differences: Vec<Vec<String>>) -> Vec<Vec<String>> {
        let accepted = match direction {
            Direction::Up => &change.accept_loss.0,
            Direction::Down => &change.accept_loss.1,
        };
        let paths: Vec<_> = accepted.iter().filter_map(|text| Place::parse(text).ok()).collect();
        let is_accepted = |place: &Vec<String>| paths.iter().any(|path| self.is_about(path, place));
        let mut open: Vec<Vec<String>> = differences.into_iter().filter(|place| !is_accepted(place)).collect();
        open.sort();
        open.dedup();
        open
    }

    /// Whether a path leads to a place of a document or above it.
    fn is_about(&self, path: &Place, place: &[String]) -> bool {
        if !self.is_of_messages() {
            return path.part() == Part::Body && is_within(place, &path.tokens);
        }
        let inside = place.split_first().filter(|(location, _)| *location == path.location.name());
        inside.is_some_and(|(_, inside)| is_within(inside, &path.tokens))
    }
}
