//! `remove: {at, restore, create, lose: fail}`
//!
//! **What it does.** A member existed only before this version. Going up it is taken away.
//!
//! **Example.** `remove: {at: /debug, restore: absent}` makes `{"id":1}` of `{"id":1,"debug":true}`.
//!
//! **Inverse.** `restore` is put back where the member is missing: `{value: literal}`, `{from: path}`, `absent`
//! (nothing, for optional members) or `fail`. There is no `remove` without it.
//!
//! **What is lost.** Going up, the member's value; `lose: fail` refuses instead.

use crate::rules::Direction;
use crate::rules::path::Place;
use crate::yaml::{Node, Reader};

use super::add::Add;
use super::{Edits, Mode};

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
