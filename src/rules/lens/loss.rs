//! What ops lose, op by op; each says so itself.

use std::collections::HashMap;
use std::sync::Arc;

use crate::json::edit::{Edit, Entry, Otherwise, Path};
use crate::json::{Loss, When};
use crate::rules::Direction;
use crate::rules::by_path::{ByPath, MOST_LOOKS};
use crate::rules::path::Place;

use super::{Carried, Lens, Lowered, Mode, Op};

/// What a list of ops loses in a direction, each with the op that loses it: places of the document that the direction
/// starts from. What one op makes and another takes away again is in no document, and not lost. `None` if the ops take
/// too many of these places along.
#[must_use]
pub fn lost_by(ops: &[Op], direction: Direction) -> Option<Vec<(&Op, Place)>> {
    let lost = numbered(ops, direction)?;
    Some(lost.into_iter().map(|((at, _), place)| (&ops[at], place)).collect())
}

/// An op by its position, and one of the places that it loses by its number.
type Number = (usize, usize);

/// What [`lost_by`] says, with the op and which of its places it is.
fn numbered(ops: &[Op], direction: Direction) -> Option<Vec<(Number, Place)>> {
    let own = ops.iter().map(|op| op.lens.loses(direction)).collect::<Option<Vec<_>>>()?;
    if own.iter().all(Vec::is_empty) {
        return Some(Vec::new());
    }
    let mut lost: ByPath<(Number, Path)> = ByPath::default();
    // From the end of the way to its start, so that each op takes what those after it lose back through itself.
    let back = |at: usize| match direction {
        Direction::Up => ops.len() - 1 - at,
        Direction::Down => at,
    };
    for at in (0..ops.len()).map(back) {
        let op = &ops[at];
        // Where nothing is lost after it, there is nothing to take along.
        let along = if lost.is_empty() { Vec::new() } else { op.lower(direction.turned(), Mode::Full) };
        for lowered in along {
            for (number, (by, path)) in lost.take(&lowered.reach()) {
                let path = match lowered.carry(&path) {
                    Carried::Same | Carried::Unknown => path,
                    Carried::To(to) => to,
                    Carried::Gone => continue,
                };
                lost.put(&path.clone(), (number, (by, path)));
            }
        }
        for (number, place) in own[at].iter().enumerate() {
            let path = place.in_message();
            lost.put(&path.clone(), (at << 32 | number, ((at, number), path)));
        }
        if lost.looks() > MOST_LOOKS {
            return None;
        }
    }
    Some(lost.take(&[Path::new()]).into_iter().map(|(_, (by, path))| (by, Place::of_message(&path))).collect())
}

/// Lowers a list of ops of a change, each by itself, in the order of the direction; the edits say what they lose, as
/// `accepted`, which is what the change knows to be lost, spells it.
pub(in crate::rules) fn lower_counted(
    ops: &[Op],
    direction: Direction,
    mode: Mode,
    accepted: &[Place],
) -> Vec<Vec<Lowered>> {
    let lower = |op: &Op| op.lower(direction, mode);
    let mut lowered: Vec<Vec<Lowered>> = match direction {
        Direction::Up => ops.iter().map(lower).collect(),
        Direction::Down => ops.iter().rev().map(lower).collect(),
    };
    let naming = Naming { direction, mode, accepted };
    let names = naming.of_all(ops);
    if !names.is_empty() {
        let edits = lowered.iter_mut().map(|edits| edits.iter_mut().map(|edit| &mut edit.entry).collect());
        naming.name(ops, edits, &|by| names.get(&by).cloned());
    }
    lowered
}

/// How edits are told what they lose.
#[derive(Clone, Copy)]
struct Naming<'a> {
    direction: Direction,
    mode: Mode,
    accepted: &'a [Place],
}

/// What the places that ops lose are called, as far as they are in the document that the direction starts from.
type Name<'a> = &'a dyn Fn(Number) -> Option<Arc<str>>;

impl Naming<'_> {
    /// The names of all places that a list of ops loses.
    fn of_all(&self, ops: &[Op]) -> HashMap<Number, Arc<str>> {
        let lost = numbered(ops, self.direction).unwrap_or_default();
        lost.into_iter().map(|(by, place)| (by, self.spelled(&place))).collect()
    }

    fn spelled(&self, place: &Place) -> Arc<str> {
        self.accepted.iter().find(|accepted| accepted.covers(place)).unwrap_or(place).to_string().into()
    }

    /// Tells the edits of ops what they lose. There is a list of edits for each op, in the order of the direction.
    fn name<'e>(&self, ops: &[Op], edits: impl Iterator<Item = Vec<&'e mut Entry>>, name: Name<'_>) {
        let mut order: Vec<usize> = (0..ops.len()).collect();
        if self.direction == Direction::Down {
            order.reverse();
        }
        for (at, edits) in order.into_iter().zip(edits) {
            for edit in edits {
                self.name_one(&ops[at], edit, &|number| name((at, number)));
            }
        }
    }

    fn name_one(&self, op: &Op, edit: &mut Entry, name: &dyn Fn(usize) -> Option<Arc<str>>) {
        match (&op.lens, inside(&mut edit.edit)) {
            // An edit of the body among those of the whole message.
            (_, Some([body])) if op.crosses() => self.name_within(op, body, name),
            _ => self.name_within(op, edit, name),
        }
    }

    fn name_within(&self, op: &Op, edit: &mut Entry, name: &dyn Fn(usize) -> Option<Arc<str>>) {
        let Lens::Each(each) = &op.lens else {
            edit.losses = op.lens.losses(self.direction, name);
            return;
        };
        let Some(edits) = inside(&mut edit.edit) else { return };
        let (ops, mut edits) = (each.ops(), edits.iter_mut());
        let in_order: Vec<&Op> = match self.direction {
            Direction::Up => ops.iter().collect(),
            Direction::Down => ops.iter().rev().collect(),
        };
        let counts = in_order.into_iter().map(|op| op.lower(self.direction, self.mode).len());
        let by_op: Vec<Vec<&mut Entry>> = counts.map(|count| edits.by_ref().take(count).collect()).collect();
        if each.is_of_shape() {
            // What a shape loses is said of the shape.
            let names = self.of_all(ops);
            return self.name(ops, by_op.into_iter(), &|by| names.get(&by).cloned());
        }
        let lost = numbered(ops, self.direction).unwrap_or_default();
        let numbers: HashMap<Number, usize> =
            lost.into_iter().enumerate().map(|(number, (by, _))| (by, number)).collect();
        self.name(ops, by_op.into_iter(), &|by| name(*numbers.get(&by)?));
    }
}

/// The edits inside an edit.
fn inside(edit: &mut Edit) -> Option<&mut [Entry]> {
    match edit {
        Edit::Each { entries, .. } | Edit::Recurse { entries, .. } => Some(entries),
        _ => None,
    }
}

/// The places of values that programs edit: what is lost there and inside, only their author knows.
#[must_use]
pub fn unknown_losses(ops: &[Op]) -> Vec<Place> {
    let of = |op: &Op| match &op.lens {
        Lens::Jq(op) => op.places().into_iter().cloned().collect(),
        Lens::Each(op) => op.unknown_losses(),
        _ => Vec::new(),
    };
    ops.iter().flat_map(of).collect()
}

impl Lens {
    /// The places whose values do not come back, in the document that the direction starts from. What an op lays over
    /// a member that no version declares is none: documents that conform have no such member.
    /// `None` if ops inside take too many along.
    fn loses(&self, direction: Direction) -> Option<Vec<Place>> {
        let loses = match self {
            Self::Rename(_) | Self::Move(_) | Self::Recase(_) | Self::Jq(_) => Vec::new(),
            Self::Limit(op) => op.loses(direction),
            Self::Add(op) => op.loses(direction),
            Self::Remove(op) => op.loses(direction),
            Self::Map(op) => op.loses(direction),
            Self::Convert(op) => op.loses(direction),
            Self::Wrap(op) => op.loses(direction),
            Self::Unwrap(op) => op.loses(direction.turned()),
            Self::Envelope(op) => op.loses(direction),
            Self::Split(op) => op.loses(direction),
            Self::Entries(op) => op.loses(),
            Self::Tuple(op) => op.loses(),
            Self::Spread(op) => op.loses(direction),
            Self::Presence(op) => op.loses(direction),
            Self::Drop(op) => op.loses(direction),
            Self::Each(op) => op.loses(direction)?,
        };
        Some(loses)
    }
}

impl Lens {
    /// What its edit may lose, by the names of the places that it [loses](Self::loses).
    fn losses(&self, direction: Direction, name: &dyn Fn(usize) -> Option<Arc<str>>) -> Vec<Loss> {
        let whens = match self {
            Self::Wrap(op) => op.losing(direction),
            Self::Unwrap(op) => op.losing(direction.turned()),
            Self::Envelope(op) => op.losing(direction),
            Self::Split(op) => op.losing(direction),
            Self::Presence(op) => op.losing(direction),
            _ => vec![(0, When::Acted)],
        };
        whens.into_iter().filter_map(|(number, when)| Some(Loss::new(when, name(number)?))).collect()
    }
}

/// What an op of one place, or else of one for each of some members, does where it loses something.
pub(super) fn losing_members<'a>(names: impl Iterator<Item = &'a String>, is_one_place: bool) -> Vec<(usize, When)> {
    let members = names.enumerate().map(|(at, name)| (if is_one_place { 0 } else { at }, When::Member(name.clone())));
    let acted = is_one_place.then_some((0, When::Acted));
    acted.into_iter().chain(members).collect()
}

/// Whether values without a counterpart become others that do not lead back.
pub(super) fn loses_value(otherwise: &Otherwise) -> bool {
    match otherwise {
        Otherwise::Fail | Otherwise::Keep => false,
        Otherwise::Drop | Otherwise::Value(_) => true,
    }
}
