//! `entries`: an object becomes an array of entries.

use crate::json::edit::{Edit, Otherwise, ValueEdit};
use crate::rules::Direction;
use crate::rules::path::Place;
use crate::yaml::{Node, Reader};

use super::definition::{Arguments, Definition, Documents, Example, FALLBACK, Parameter, Takes};
use super::{Edits, Lens, loses_value, otherwise, place};

/// What there is to say of `entries`.
pub(super) const DEFINITION: Definition = Definition {
    name: "entries",
    summary: "an object is an array of entries",
    does: "Null passes. Entries of one name, or without one, are a failure going down.",
    arguments: Arguments::Forms(&[&[
        Parameter::required("at", Takes::Path, "the object"),
        Parameter::required("key", Takes::String, "the member of an entry that has the name"),
        Parameter::optional(
            "value",
            Takes::String,
            "the member that has the value; without it, values are objects, and their members stand beside the name",
        ),
        Parameter::or("else", FALLBACK, "fail", "what a value becomes that has no such form"),
    ]]),
    inverse: "the array becomes the object",
    lost: "nothing",
    examples: &[
        Example {
            ops: "- entries: {at: /stock, key: name, value: count}\n",
            documents: &[Documents::both(
                r#"{"stock":{"available":3,"incoming":0}}"#,
                r#"{"stock":[{"name":"available","count":3},{"name":"incoming","count":0}]}"#,
            )],
        },
        Example {
            ops: "- entries: {at: /users, key: id}\n",
            documents: &[Documents::both(
                r#"{"users":{"u1":{"name":"ada"}}}"#,
                r#"{"users":[{"id":"u1","name":"ada"}]}"#,
            )],
        },
    ],
    parse: |reader, args| Entries::parse(reader, args).map(Lens::Entries),
};

/// The parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entries {
    at: Place,
    key: String,
    value: Option<String>,
    otherwise: Otherwise,
}

impl Entries {
    pub(super) fn parse(reader: &mut Reader, args: &Node) -> Option<Self> {
        let mut fields = reader.fields(args, "`entries`")?;
        let at = fields.require(reader, "at").and_then(|node| place(reader, node));
        let key = fields.require(reader, "key").and_then(|node| reader.string(node, "`key`"));
        let value = fields.get("value").and_then(|node| Some((node, reader.string(node, "`value`")?)));
        let otherwise = fields.get("else").and_then(|node| otherwise(reader, node)).unwrap_or_default();
        fields.finish(reader);
        let key = key?;
        if let Some((node, _)) = value.filter(|(_, value)| *value == key) {
            reader.bad_value(node, format!("`key` and `value` are both `{key}`"));
            return None;
        }
        Some(Self { at: at?, key: key.to_owned(), value: value.map(|(_, value)| value.to_owned()), otherwise })
    }

    pub(super) fn places(&self) -> Vec<&Place> {
        vec![&self.at]
    }

    /// Nothing, unless `else` replaces values of another kind.
    pub(super) fn loses(&self) -> Vec<Place> {
        if loses_value(&self.otherwise) { vec![self.at.clone()] } else { Vec::new() }
    }

    pub(super) fn lower(&self, direction: Direction) -> Edits {
        let (key, value, otherwise) = (self.key.clone(), self.value.clone(), self.otherwise.clone());
        let how = match direction {
            Direction::Up => ValueEdit::ToEntries { key, value, otherwise },
            Direction::Down => ValueEdit::FromEntries { key, value, otherwise },
        };
        vec![(self.at.part(), Edit::Change { at: self.at.in_part(), how })]
    }
}
