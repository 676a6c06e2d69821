//! What ops lose, op by op; each says so itself.

use crate::json::edit::{Otherwise, Path};
use crate::rules::Direction;
use crate::rules::by_path::{ByPath, MOST_LOOKS};
use crate::rules::path::Place;

use super::{Carried, Lens, Mode, Op};

/// What a list of ops loses in a direction, each with the op that loses it: places of the document that the direction
/// starts from. What one op makes and another takes away again is in no document, and not lost. `None` if the ops take
/// too many of these places along.
#[must_use]
pub fn lost_by(ops: &[Op], direction: Direction) -> Option<Vec<(&Op, Place)>> {
    let mut lost: ByPath<(&Op, Path)> = ByPath::default();
    // From the end of the way to its start, so that each op takes what those after it lose back through itself.
    let back = |at: usize| match direction {
        Direction::Up => ops.len() - 1 - at,
        Direction::Down => at,
    };
    for at in (0..ops.len()).map(back) {
        let op = &ops[at];
        for lowered in op.lower(direction.turned(), Mode::Full) {
            for (number, (by, path)) in lost.take(&lowered.reach()) {
                let path = match lowered.carry(&path) {
                    Carried::Same | Carried::Unknown => path,
                    Carried::To(to) => to,
                    Carried::Gone => continue,
                };
                lost.put(&path.clone(), (number, (by, path)));
            }
        }
        for (number, place) in op.lens.loses(direction)?.into_iter().enumerate() {
            let path = place.in_message();
            lost.put(&path.clone(), (at << 32 | number, (op, path)));
        }
        if lost.looks() > MOST_LOOKS {
            return None;
        }
    }
    Some(lost.take(&[Path::new()]).into_iter().map(|(_, (op, path))| (op, Place::of_message(&path))).collect())
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

/// Whether values without a counterpart become others that do not lead back.
pub(super) fn loses_value(otherwise: &Otherwise) -> bool {
    match otherwise {
        Otherwise::Fail | Otherwise::Keep => false,
        Otherwise::Drop | Otherwise::Value(_) => true,
    }
}
