//! Ops of which it certainly does not matter which runs first, although they meet in a place.
//!
//! What can be shown without documents: two ops that are the same, two `map`s of one value, and a guard on a value
//! that the other op changes. Of everything else that meets, nothing is shown.

use crate::json::edit::{Edit, Otherwise, Path, Test, ValueEdit};
use crate::json::same;
use crate::rules::Direction;
use crate::rules::lens::{Leaf, Op};

use super::skeleton::{is_in, meets};

/// Whether two ops come to the same in both orders, in both directions, on every document.
pub(super) fn commute(one: &Op, other: &Op) -> bool {
    let says_the_same = one.lens == other.lens && one.guard == other.guard && one.guard_down == other.guard_down;
    says_the_same
        || [Direction::Up, Direction::Down].into_iter().all(|direction| {
            let (ones, others) = (one.leaves(direction), other.leaves(direction));
            ones.iter().all(|one| others.iter().all(|other| edits_commute(one, other)))
        })
}

fn edits_commute(one: &Leaf, other: &Leaf) -> bool {
    let writes_apart = one.effect.writes().all(|path| !other.effect.writes().any(|written| meets(path, written)));
    (writes_apart || maps_commute(one, other))
        && keeps_what_is_read(one, other, writes_apart)
        && keeps_what_is_read(other, one, writes_apart)
}

/// Whether an edit leaves as it is what decides about another: what that one reads, and the truth of its guards.
fn keeps_what_is_read(writer: &Leaf, reader: &Leaf, writes_apart: bool) -> bool {
    let is_written = |path: &Path| writer.effect.writes().any(|written| is_in(path, written));
    // What both change was compared as a whole.
    let reads = !writes_apart || !reader.effect.reads.iter().any(is_written);
    reads && reader.guard.iter().all(|(path, test)| !is_written(path) || keeps_truth(writer, path, test))
}

/// What an edit that changes values in one place does there.
fn in_place(leaf: &Leaf) -> Option<(&Path, &ValueEdit)> {
    match (&leaf.edit, leaf.effect.changes.as_slice(), leaf.effect.takes.as_slice()) {
        (Edit::Change { how, .. }, [at], []) => Some((at, how)),
        _ => None,
    }
}

/// Whether a condition on a value holds after the edit if and only if it held before.
fn keeps_truth(leaf: &Leaf, path: &Path, test: &Test) -> bool {
    let Some((_, how)) = in_place(leaf).filter(|(at, _)| *at == path) else { return false };
    match (how, test) {
        (ValueEdit::Map { otherwise, .. } | ValueEdit::Convert { otherwise, .. }, Test::Exists(_)) => {
            *otherwise != Otherwise::Drop
        }
        (ValueEdit::Map { .. }, Test::In(listed) | Test::NotIn(listed)) if are_few(&[how], listed) => {
            let is_listed = |value: &[u8]| listed.iter().any(|literal| same(literal, value));
            values(&[how], listed).iter().all(|value| match mapped(how, Found::Value(value.clone())) {
                Found::Value(new) => is_listed(&new) == is_listed(value),
                Found::Nothing => !is_listed(value),
                // Nothing comes of either order.
                Found::Failure => true,
            })
        }
        _ => false,
    }
}

/// Whether two `map`s of one value come to the same in both orders.
fn maps_commute(one: &Leaf, other: &Leaf) -> bool {
    let (Some((at, first)), Some((other_at, second))) = (in_place(one), in_place(other)) else { return false };
    let are_maps = matches!((first, second), (ValueEdit::Map { .. }, ValueEdit::Map { .. }));
    let alike = |first: &ValueEdit, second: &ValueEdit| {
        values(&[first, second], &[])
            .into_iter()
            .map(Found::Value)
            .all(|value| mapped(second, mapped(first, value.clone())).is(&mapped(first, mapped(second, value))))
    };
    are_maps
        && at == other_at
        && are_few(&[first, second], &[])
        && alike(first, second)
        && alike(&lenient(first), &lenient(second))
}

/// What is in a place.
#[derive(Debug, Clone)]
enum Found {
    Value(Vec<u8>),
    Nothing,
    Failure,
}

impl Found {
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Value(one), Self::Value(other)) => same(one, other),
            (Self::Nothing, Self::Nothing) | (Self::Failure, Self::Failure) => true,
            _ => false,
        }
    }
}

/// What a `map` makes of what is in its place.
fn mapped(how: &ValueEdit, found: Found) -> Found {
    let (ValueEdit::Map { pairs, otherwise }, Found::Value(value)) = (how, &found) else { return found };
    match (pairs.iter().find(|(from, _)| same(from, value)), otherwise) {
        (None, _) if value == b"null" => found,
        (None, Otherwise::Keep) => found,
        (Some((_, to)), _) | (None, Otherwise::Value(to)) => Found::Value(to.clone()),
        (None, Otherwise::Drop) => Found::Nothing,
        (None, Otherwise::Fail) => Found::Failure,
    }
}

/// The edit as it is where a value that it cannot translate stays.
fn lenient(how: &ValueEdit) -> ValueEdit {
    match how {
        ValueEdit::Map { pairs, otherwise: Otherwise::Fail } => {
            ValueEdit::Map { pairs: pairs.clone(), otherwise: Otherwise::Keep }
        }
        how => how.clone(),
    }
}

/// Of more values than this, nothing is shown: each would have to be looked up among all.
const MOST_VALUES: usize = 1000;

fn are_few(maps: &[&ValueEdit], listed: &[Vec<u8>]) -> bool {
    let of = |how: &&ValueEdit| if let ValueEdit::Map { pairs, .. } = how { pairs.len() } else { 0 };
    maps.iter().map(of).sum::<usize>() + listed.len() <= MOST_VALUES
}

/// A value of each kind that `map`s and conditions tell apart: those that they name, null, and one that none names.
fn values(maps: &[&ValueEdit], listed: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut values = listed.to_vec();
    for how in maps {
        if let ValueEdit::Map { pairs, otherwise } = how {
            values.extend(pairs.iter().flat_map(|(from, to)| [from.clone(), to.clone()]));
            if let Otherwise::Value(value) = otherwise {
                values.push(value.clone());
            }
        }
    }
    let is_new = |value: &Vec<u8>| values.iter().all(|known| known != value);
    let other = (0..=values.len()).map(|number| format!("\"other {number}\"").into_bytes()).find(is_new);
    values.extend(other.into_iter().chain([b"null".to_vec()]));
    values
}
