//! `tuple`: an array whose positions have meanings becomes an object with names.

use std::collections::HashSet;

use crate::json::edit::{Edit, Otherwise, ValueEdit};
use crate::rules::Direction;
use crate::rules::path::Place;
use crate::yaml::{Node, Reader};

use super::definition::{Arguments, Definition, Documents, Example, FALLBACK, Parameter, Takes, WHOLE_BODY};
use super::{Edits, Lens, loses_value, otherwise, place};

/// What there is to say of `tuple`.
pub(super) const DEFINITION: Definition = Definition {
    name: "tuple",
    summary: "an array by position is an object by name",
    does: "Null passes. Going down, a member that is missing in the middle becomes null.",
    arguments: Arguments::Forms(&[&[
        WHOLE_BODY,
        Parameter::required("keys", Takes::Names, "the name of each position"),
        Parameter::or(
            "extra",
            Takes::Word(&["fail", "drop"]),
            "fail",
            "elements without a name and members without a position: they are refused (`information_lost`) or go",
        ),
        Parameter::or("else", FALLBACK, "fail", "what a value becomes that has no such form"),
    ]]),
    inverse: "the members become elements in the order of `keys`",
    lost: "gaps; what `extra: drop` drops",
    examples: &[Example {
        ops: "- tuple: {at: /point, keys: [x, y]}\n",
        documents: &[Documents::both(r#"{"point":[1,2]}"#, r#"{"point":{"x":1,"y":2}}"#)],
    }],
    parse: |reader, args| Tuple::parse(reader, args).map(Lens::Tuple),
};

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
    let mut seen = HashSet::new();
    for node in nodes {
        let name = reader.string(node, "a name")?;
        if !seen.insert(name) {
            reader.bad_value(node, format!("`{name}` stands twice"));
            return None;
        }
        names.push(name.to_owned());
    }
    Some(names)
}
