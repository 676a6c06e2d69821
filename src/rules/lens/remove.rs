//! `remove`: a member that existed only before this version.

use crate::rules::Direction;
use crate::rules::path::Place;
use crate::yaml::{Node, Reader};

use super::add::{Add, CREATE, IF_PRESENT};
use super::definition::{Arguments, Definition, Documents, Example, Parameter, SOURCE, Takes};
use super::{Edits, Lens, Mode};

/// What there is to say of `remove`.
pub(super) const DEFINITION: Definition = Definition {
    name: "remove",
    summary: "a member existed only before",
    does: "It is the mirror of `add`, and there is none without `restore`.",
    arguments: Arguments::Forms(&[&[
        Parameter::required("at", Takes::Member, "the member"),
        Parameter::required("restore", SOURCE, "what is put back going down, where it is missing"),
        CREATE,
        IF_PRESENT,
        Parameter::optional("lose", Takes::Word(&["fail"]), "`fail` refuses to take a value away, going up"),
    ]]),
    inverse: "`restore` is put back",
    lost: "its value, going up",
    examples: &[Example {
        ops: "- remove: {at: /debug, restore: absent}\n- remove: {at: /role, restore: {value: user}}\n",
        documents: &[Documents::lossy(
            r#"{"id":1,"debug":true,"role":"admin"}"#,
            r#"{"id":1}"#,
            r#"{"id":1,"role":"user"}"#,
        )],
    }],
    parse: |reader, args| Remove::parse(reader, args).map(Lens::Remove),
};

/// The parameters: those of the `add` that this is the inverse of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remove(Add);

impl Remove {
    pub(super) fn parse(reader: &mut Reader, args: &Node) -> Option<Self> {
        Add::parse_as(reader, args, "`remove`", "restore").map(Self)
    }

    pub(super) fn places(&self) -> Vec<&Place> {
        self.0.places()
    }

    pub(super) fn loses(&self, direction: Direction) -> Vec<Place> {
        self.0.loses(direction.turned())
    }

    pub(super) fn lower(&self, direction: Direction, mode: Mode) -> Edits {
        self.0.lower(direction.turned(), mode)
    }
}
