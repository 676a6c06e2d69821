//! `tuple: {at, keys: [name, ...], extra: fail|drop, else}`
//!
//! **What it does.** An array whose positions have meanings becomes an object with names. Null passes. `at` is the
//! whole body by default.
//!
//! **Example.** `tuple: {at: /point, keys: [x, y]}` makes `{"point":{"x":1,"y":2}}` of `{"point":[1,2]}`.
//!
//! **Inverse.** The members become elements in the order of `keys`; one that is missing in the middle becomes null.
//!
//! **What is lost.** Missing members in the middle. Elements without a name, and members without a position, are a
//! failure (`information_lost`) unless `extra: drop`.

use crate::json::edit::{Edit, Otherwise, ValueEdit};
use crate::rules::Direction;
use crate::rules::path::Place;
use crate::yaml::{Node, Reader};

use super::{Edits, loses_value, otherwise, place};

/// The parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tuple {
    at: Place,
    keys: Vec<String>,
    drop_extra: bool,
    otherwise: Otherwise,
}

impl Tuple {
    pub(super) fn parse(reader: &mut Reader, args: &Node) -> Option<Self> {
        let mut fields = reader.fields(args, "`tuple`")?;
        let at = fields.get("at").map_or(Some(Place::body()), |node| place(reader, node));
        let keys = fields.require(reader, "keys").and_then(|node| names(reader, node));
        let drop_extra = fields
            .get("extra")
            .and_then(|node| reader.one_of(node, "`extra`", &[("fail", false), ("drop", true)]).copied());
        let otherwise = fields.get("else").and_then(|node| otherwise(reader, node)).unwrap_or_default();
        fields.finish(reader);
        Some(Self { at: at?, keys: keys?, drop_extra: drop_extra.unwrap_or(false), otherwise })
    }

    pub(super) fn places(&self) -> Vec<&Place> {
        vec![&self.at]
    }

    /// What `extra: drop` drops.
    pub(super) fn loses(&self) -> Vec<Place> {
        if self.drop_extra || loses_value(&self.otherwise) { vec![self.at.clone()] } else { Vec::new() }
    }

    pub(super) fn lower(&self, direction: Direction) -> Edits {
        let (keys, drop_extra, otherwise) = (self.keys.clone(), self.drop_extra, self.otherwise.clone());
        let how = match direction {
            Direction::Up => ValueEdit::ToObject { keys, drop_extra, otherwise },
            Direction::Down => ValueEdit::ToTuple { keys, drop_extra, otherwise },
        };
        vec![(self.at.part(), Edit::Change { at: self.at.in_part(), how })]
    }
}

fn names(reader: &mut Reader, node: &Node) -> Option<Vec<String>> {
    let nodes = reader.list(node, "`keys`")?;
    let mut names: Vec<String> = Vec::new();
    for node in nodes {
        let name = reader.string(node, "a name")?;
        if names.iter().any(|other| other == name) {
            reader.bad_value(node, format!("`{name}` stands twice"));
            return None;
        }
        names.push(name.to_owned());
    }
    Some(names)
}
