//! Running a draft over the samples that it came from.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::json::edit::{Path, Token};
use crate::json::{Conversion, Items, Kind, Limits, OnError, Program, Uuids, Values, Way, same, translate};
use crate::rules::{Direction, Mode, Ops};

use super::columns::{Text, name};
use super::op::{Op, pointer};
use super::{Context, Pair};

/// Stands for the time at which a message is translated, so that it can be told from what is in the samples.
const NOW: &str = "9999-12-31T23:59:59.999Z";
/// Places that are named; more are counted.
const MOST_PLACES: usize = 20;

/// What a draft leaves different.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Residue {
    /// How many pairs there are.
    pub(super) pairs: usize,
    /// How many of them the ops do not reproduce in both directions.
    pub(super) failed: usize,
    /// Whether some whole body differs: nothing of it is explained.
    pub(super) whole: bool,
    /// The places that differ, and why ops failed, each with the number of pairs.
    pub(super) places: BTreeMap<String, usize>,
}

/// Runs ops up and down over all pairs.
#[must_use]
pub(super) fn verify(ops: &[Op], pairs: &[Pair], context: &Context) -> Residue {
    let mut residue = Residue { pairs: pairs.len(), ..Residue::default() };
    let Some(ops) = parse(ops) else {
        residue.failed = pairs.len();
        residue.whole = true;
        residue.places.insert("the ops contradict each other".to_owned(), pairs.len());
        return residue;
    };
    let up = Runner::new(ops.program(Direction::Up, Mode::Full), &context.newer, "up");
    let down = Runner::new(ops.program(Direction::Down, Mode::Full), &context.older, "down");
    for pair in pairs {
        let mut found = up.differences(&pair.old, &pair.new, context);
        found.extend(down.differences(&pair.new, &pair.old, context));
        residue.failed += usize::from(!found.is_empty());
        for place in found {
            residue.whole |= place.contains("body:");
            if residue.places.len() < MOST_PLACES || residue.places.contains_key(&place) {
                *residue.places.entry(place).or_default() += 1;
            }
        }
    }
    residue
}

/// A document after the ops, going up; `None` if they fail.
#[must_use]
pub(super) fn up(ops: &[Op], document: &[u8]) -> Option<Vec<u8>> {
    let program = parse(ops)?.program(Direction::Up, Mode::Full);
    Runner::new(program, "", "up").run(document).ok()
}

fn parse(ops: &[Op]) -> Option<Ops> {
    Ops::parse(&bare(ops), "draft").ok()
}

/// The ops as the engine reads them; what is unknown is left out.
pub(super) fn bare(ops: &[Op]) -> String {
    if ops.is_empty() {
        return "[]\n".to_owned();
    }
    let lines: Vec<String> = ops.iter().map(|op| format!("- {}", op.edit.to_yaml("absent"))).collect();
    lines.join(
        "
",
    ) + "
"
}

struct Runner {
    program: Arc<Program>,
    values: Values,
    direction: &'static str,
}

impl Runner {
    fn new(program: Arc<Program>, version: &str, direction: &'static str) -> Self {
        let values =
            Values { now: NOW.to_owned(), version: version.into(), uuids: Uuids::default(), on_error: OnError::Reject };
        Self { program, values, direction }
    }

    fn run(&self, document: &[u8]) -> Result<Vec<u8>, String> {
        translate(&self.program, &self.values, Limits::default(), Bytes::copy_from_slice(document))
            .map(|done| super::trimmed(&done.body))
            .map_err(|error| error.to_string())
    }

    fn differences(&self, from: &[u8], to: &[u8], context: &Context) -> Vec<String> {
        let mut places = Vec::new();
        match self.run(from) {
            Ok(found) => compare(&found, to, &mut Path::new(), &mut |place| places.push(pointer(place))),
            Err(error) => return vec![format!("going {}, {error}", self.direction)],
        }
        places.retain(|place| !context.volatile.contains(place));
        places.sort_unstable();
        places.dedup();
        places.iter().map(|place| format!("going {}, {place} differs", self.direction)).collect()
    }
}

/// Visits the places at which two documents differ, with `*` for an index.
pub(super) fn compare(found: Text<'_>, want: Text<'_>, at: &mut Path, visit: &mut impl FnMut(&Path)) {
    match (Kind::of(found), Kind::of(want)) {
        (Kind::Object, Kind::Object) => compare_members(found, want, at, visit),
        (Kind::Array, Kind::Array) => {
            let (left, right) = (Items::new(found, 0), Items::new(want, 0));
            if left.count() != right.count() {
                return visit(at);
            }
            at.push(Token::Any);
            for (left, right) in Items::new(found, 0).zip(Items::new(want, 0)) {
                compare(&found[left.value], &want[right.value], at, visit);
            }
            at.pop();
        }
        _ if same(found, want) || is_now(found, want) => {}
        _ => visit(at),
    }
}

fn compare_members(found: Text<'_>, want: Text<'_>, at: &mut Path, visit: &mut impl FnMut(&Path)) {
    let members = |text| -> BTreeMap<String, Text<'_>> {
        Items::new(text, 0).map(|item| (name(&text[item.name]), &text[item.value])).collect()
    };
    let (left, right) = (members(found), members(want));
    for key in left.keys().chain(right.keys().filter(|key| !left.contains_key(*key))) {
        at.push(Token::Key(key.clone()));
        match (left.get(key), right.get(key)) {
            (Some(left), Some(right)) => compare(left, right, at, visit),
            _ => visit(at),
        }
        at.pop();
    }
}

/// The time of translation stands for any time.
fn is_now(found: Text<'_>, want: Text<'_>) -> bool {
    found.len() == NOW.len() + 2
        && &found[1..=NOW.len()] == NOW.as_bytes()
        && Conversion::UnixMillisRfc3339.run(Way::Back, want).is_some()
}
