//! What ops lose, op by op; each says so itself.

use crate::json::edit::Otherwise;
use crate::rules::Direction;
use crate::rules::path::Place;

use super::{Carried, Lens, Mode, Op};

/// What a list of ops loses in a direction, each with the op that loses it: places of the document that the direction
/// starts from. What one op makes and another takes away again is in no document, and not lost.
#[must_use]
pub fn lost_by(ops: &[Op], direction: Direction) -> Vec<(&Op, Place)> {
    let mut lost = Vec::new();
    for (at, op) in ops.iter().enumerate() {
        let before: Vec<&Op> = match direction {
            Direction::Up => ops[..at].iter().rev().collect(),
            Direction::Down => ops[at + 1..].iter().collect(),
        };
        for place in op.lens.loses(direction) {
            let back = before.iter().try_fold(place, |place, other| other.follow(direction.turned(), &place));
            lost.extend(back.map(|place| (op, place)));
        }
    }
    lost
}

impl Op {
    /// Where a place of the message is after the op, which may be where it was for all that is known; `None` if the op
    /// takes it away.
    fn follow(&self, direction: Direction, place: &Place) -> Option<Place> {
        let mut path = place.in_message();
        for lowered in self.lower(direction, Mode::Full) {
            match lowered.carry(&path) {
                Carried::Same | Carried::Unknown => {}
                Carried::To(to) => path = to,
                Carried::Gone => return None,
            }
        }
        Some(Place::of_message(&path))
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
    fn loses(&self, direction: Direction) -> Vec<Place> {
        match self {
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
            Self::Each(op) => op.loses(direction),
        }
    }
}

/// Whether values without a counterpart become others that do not lead back.
pub(super) fn loses_value(otherwise: &Otherwise) -> bool {
    match otherwise {
        Otherwise::Fail | Otherwise::Keep => false,
        Otherwise::Drop | Otherwise::Value(_) => true,
    }
}
