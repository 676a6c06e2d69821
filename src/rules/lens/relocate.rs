//! `move`: a value changes its place.

use crate::json::edit::{Edit, Keys, Occupied, Path};
use crate::rules::Direction;
use crate::rules::path::{Part, Place};
use crate::yaml::{Node, Reader};

use super::definition::{Arguments, Definition, Documents, Example, Parameter, Takes};
use super::{Edits, Lens, Mode, code, common_scope, member};

/// What there is to say of `move`.
pub(super) const DEFINITION: Definition = Definition {
    name: "move",
    summary: "a value is elsewhere, with everything inside; parents are made, emptied parents go",
    does: "A missing value creates nothing. `from` and `to` share their path up to the last `*`: a value moves within one \
           element.",
    arguments: Arguments::Forms(&[&[
        Parameter::required("from", Takes::Member, "where it is in the older version"),
        Parameter::required("to", Takes::Member, "where it is in the newer"),
        Parameter::or(
            "conflict",
            Takes::Word(&["shadow", "keep", "fail"]),
            "shadow",
            "a value that stands at the new place: `shadow` replaces it, `keep` keeps it and loses the moved one, \
             `fail` refuses",
        ),
    ]]),
    inverse: "places swapped",
    lost: "what stood at the new place and no version declares",
    examples: &[Example {
        ops: "- move: {from: /items/*/user, to: /items/*/author/name}\n",
        documents: &[Documents::both(
            r#"{"items":[{"user":"ada"},{}]}"#,
            r#"{"items":[{"author":{"name":"ada"}},{}]}"#,
        )],
    }],
    parse: |reader, args| Move::parse(reader, args).map(Lens::Move),
};

/// The parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    from: Place,
    to: Place,
    scope: Path,
    from_keys: Keys,
    to_keys: Keys,
    conflict: Occupied,
}

impl Move {
    pub(super) fn parse(reader: &mut Reader, args: &Node) -> Option<Self> {
        let mut fields = reader.fields(args, "`move`")?;
        let from = fields.require(reader, "from").and_then(|node| member(reader, node));
        let to = fields.require(reader, "to").and_then(|node| member(reader, node));
        let choices = [("shadow", Occupied::Replace), ("keep", Occupied::Keep), ("fail", Occupied::Fail)];
        let conflict = fields
            .get("conflict")
            .and_then(|node| reader.one_of(node, "`conflict`", &choices).copied())
            .unwrap_or_default();
        fields.finish(reader);
        let (from, to) = (from?, to?);
        let (near, far) = if from.part() == to.part() {
            (from.in_part(), to.in_part())
        } else {
            (from.in_message(), to.in_message())
        };
        let Some((scope, from_keys, to_keys)) = common_scope(&near, &far) else {
            reader
                .error(code::WILDCARDS, args.span, format!("the wildcards of `{from}` and `{to}` do not align"))
                .help("`from` and `to` must share their path up to the last `*`: a value moves within one element");
            return None;
        };
        Some(Self { from, to, scope, from_keys, to_keys, conflict })
    }

    pub(super) fn places(&self) -> Vec<&Place> {
        vec![&self.from, &self.to]
    }

    pub(super) fn lower(&self, direction: Direction, mode: Mode) -> Edits {
        let (from, to) = match direction {
            Direction::Up => (&self.from_keys, &self.to_keys),
            Direction::Down => (&self.to_keys, &self.from_keys),
        };
        let patch = mode == Mode::MergePatch && self.scope.is_empty();
        let edit = Edit::Move {
            scope: self.scope.clone(),
            from: from.clone(),
            to: to.clone(),
            conflict: self.conflict,
            patch,
        };
        let part = if self.from.part() == self.to.part() { self.from.part() } else { Part::Both };
        vec![(part, edit)]
    }
}
