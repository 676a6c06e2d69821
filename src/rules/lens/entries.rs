//! `entries: {at, key, value, else}`
//!
//! **What it does.** An object becomes an array of entries: each member's name under `key`, its value under `value`.
//! Without `value`, the values are objects, and their members stand beside the name. Null passes.
//!
//! **Example.** `entries: {at: /stock, key: name, value: count}` makes `{"stock":[{"name":"a","count":3}]}` of
//! `{"stock":{"a":3}}`.
//!
//! **Inverse.** The array becomes the object.
//!
//! **What is lost.** Nothing; entries of one name, or without a name, are a failure.

use crate::json::edit::{Edit, Otherwise, ValueEdit};
use crate::rules::Direction;
use crate::rules::path::Place;
use crate::yaml::{Node, Reader};

use super::{Edits, loses_value, otherwise, place};

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
