//! `each`: ops run within every value at a path.

use std::sync::Arc;

use crate::json::edit::{Edit, Nest, Order, Path};
use crate::rules::Direction;
use crate::rules::path::{Location, Part, Place};
use crate::yaml::{Node, Reader};

use super::definition::{Arguments, Definition, Documents, Example, Parameter, Takes};
use super::{Edits, Lens, Mode, Op, code, lower_ops, parse_ops, place};

/// What there is to say of `each`.
pub(super) const DEFINITION: Definition = Definition {
    name: "each",
    summary: "ops run within every value at a path",
    does: "Their paths and guards begin there.",
    arguments: Arguments::Forms(&[&[
        Parameter::required("at", Takes::Path, "the values"),
        Parameter::required("ops", Takes::Ops, "what runs within each"),
    ]]),
    inverse: "the inverse ops, in reverse order",
    lost: "what its ops lose",
    examples: &[Example {
        ops: "- each:\n    at: /data/*\n    ops:\n      - rename: {/name: label}\n        where: {/kind: tag}\n",
        documents: &[Documents::both(
            r#"{"data":[{"kind":"tag","name":"a"},{"kind":"user","name":"b"}]}"#,
            r#"{"data":[{"kind":"tag","label":"a"},{"kind":"user","name":"b"}]}"#,
        )],
    }],
    parse: |reader, args| Each::parse(reader, args).map(Lens::Each),
};

/// The parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Each {
    at: Place,
    ops: Vec<Op>,
    /// Where the values may be inside each other: what is inside what, and the form of those at `at`. No file says
    /// this; it comes from blocks about shapes.
    nest: Option<(Arc<Nest>, usize)>,
    /// Whether it comes from a block about a shape.
    is_of_shape: bool,
}

/// More ops inside each other and one after the other are too many to look at each for each.
const MOST_OPS: usize = 1000;

impl Each {
    /// The ops of a shape within each value at a path of the body.
    pub(super) fn new(at: Path, ops: Vec<Op>, nest: Option<(Arc<Nest>, usize)>) -> Self {
        Self { at: Place { location: Location::Body, tokens: at }, ops, nest, is_of_shape: true }
    }

    pub(super) fn parse(reader: &mut Reader, args: &Node) -> Option<Self> {
        let mut fields = reader.fields(args, "`each`")?;
        let at = fields.require(reader, "at").and_then(|node| body_place(reader, node));
        let ops = fields.require(reader, "ops").map(|node| parse_ops(reader, node));
        fields.finish(reader);
        let (at, ops) = (at?, ops?);
        let count: usize = ops.iter().map(Op::count).sum();
        if count > MOST_OPS {
            reader
                .error(crate::yaml::code::LIMIT, args.span, format!("`each` has at most {MOST_OPS} ops, found {count}"))
                .help("write several `each`");
            return None;
        }
        if let Some(op) = ops.iter().find(|op| op.reaches(Part::Head)) {
            reader.error(code::PARTS, op.span, "an op inside `each` has paths of the body only");
            return None;
        }
        Some(Self { at, ops, nest: None, is_of_shape: false })
    }

    pub(super) fn places(&self) -> Vec<&Place> {
        vec![&self.at]
    }

    /// Whether it comes from a block about a shape.
    pub(super) fn is_of_shape(&self) -> bool {
        self.is_of_shape
    }

    /// The ops, whose paths begin at `at`.
    pub(super) fn ops(&self) -> &[Op] {
        &self.ops
    }

    /// See [`super::lost_by`].
    pub(super) fn loses(&self, direction: Direction) -> Option<Vec<Place>> {
        let lost = super::lost_by(&self.ops, direction)?;
        Some(lost.into_iter().map(|(_, place)| self.at.inside(&place)).collect())
    }

    /// See [`super::unknown_losses`].
    pub(super) fn unknown_losses(&self) -> Vec<Place> {
        super::unknown_losses(&self.ops).iter().map(|place| self.at.inside(place)).collect()
    }

    /// Where it runs, and its ops.
    pub(super) fn inside(&self) -> (Path, &[Op]) {
        (self.at.in_part(), &self.ops)
    }

    pub(super) fn lower(&self, direction: Direction, mode: Mode) -> Edits {
        let entries: Vec<_> = lower_ops(&self.ops, direction, mode).into_iter().map(|lowered| lowered.entry).collect();
        // Ops that do nothing this way look at nothing.
        if entries.is_empty() {
            return Vec::new();
        }
        let at = self.at.in_part();
        let edit = match &self.nest {
            None => Edit::Each { at, entries },
            Some((nest, form)) => {
                // The nest is that of the older version: there before the ops going up, and again after them going
                // down.
                let order = match direction {
                    Direction::Up => Order::InnerFirst,
                    Direction::Down => Order::OuterFirst,
                };
                Edit::Recurse { at, form: *form, nest: Arc::clone(nest), entries, order }
            }
        };
        vec![(Part::Body, edit)]
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
