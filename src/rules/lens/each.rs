//! `each: {at, ops: [...]}`
//!
//! **What it does.** The ops run within every value at `at`; their paths and guards begin there.
//!
//! **Example.** `each: {at: /data/*, ops: [rename: {/name: label}]}` makes `{"data":[{"label":"a"}]}` of
//! `{"data":[{"name":"a"}]}`.
//!
//! **Inverse.** The same with the inverse ops in reverse order.
//!
//! **What is lost.** What its ops lose.

use crate::json::edit::{Edit, Path};
use crate::rules::Direction;
use crate::rules::path::{Part, Place};
use crate::yaml::{Node, Reader};

use super::{Edits, Mode, Op, code, lower_ops, parse_ops, place};

/// The parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Each {
    at: Place,
    ops: Vec<Op>,
}

impl Each {
    pub(super) fn parse(reader: &mut Reader, args: &Node) -> Option<Self> {
        let mut fields = reader.fields(args, "`each`")?;
        let at = fields.require(reader, "at").and_then(|node| body_place(reader, node));
        let ops = fields.require(reader, "ops").map(|node| parse_ops(reader, node));
        fields.finish(reader);
        let (at, ops) = (at?, ops?);
        if let Some(op) = ops.iter().find(|op| op.reaches(Part::Head)) {
            reader.error(code::PARTS, op.span, "an op inside `each` has paths of the body only");
            return None;
        }
        Some(Self { at, ops })
    }

    pub(super) fn places(&self) -> Vec<&Place> {
        vec![&self.at]
    }

    /// Where it runs, and its ops.
    pub(super) fn inside(&self) -> (Path, &[Op]) {
        (self.at.in_part(), &self.ops)
    }

    pub(super) fn lower(&self, direction: Direction, mode: Mode) -> Edits {
        let entries = lower_ops(&self.ops, direction, mode).into_iter().map(|lowered| lowered.entry).collect();
        vec![(Part::Body, Edit::Each { at: self.at.in_part(), entries })]
    }
}

fn body_place(reader: &mut Reader, node: &Node) -> Option<Place> {
    let place = place(reader, node)?;
    if place.part() == Part::Body {
        return Some(place);
    }
    reader
        .error(code::PATH, node.span, format!("`each` runs in the body, found `{place}`"))
        .help("write the op by itself: query, headers and path have no objects to go into");
    None
}
