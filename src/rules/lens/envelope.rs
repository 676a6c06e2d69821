//! `envelope: {key, with: {...}, else}`
//!
//! **What it does.** The whole body becomes one member of a new object, with constant members beside it.
//!
//! **Example.** `envelope: {key: data, with: {meta: {version: $version}}}` makes
//! `{"data":[1],"meta":{"version":"2"}}` of `[1]`.
//!
//! **Inverse.** The member becomes the body. A body without it is a failure (`not_enveloped`) unless
//! `else: keep`.
//!
//! **What is lost.** Going down, everything beside the member.

use crate::json::edit::{Edit, Literal, Otherwise};
use crate::rules::Direction;
use crate::rules::path::{Part, Place};
use crate::yaml::{Node, Reader};

use super::{Edits, loses_value, otherwise, with};

/// The parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    key: String,
    with: Vec<(String, Literal)>,
    otherwise: Otherwise,
}

impl Envelope {
    pub(super) fn parse(reader: &mut Reader, args: &Node) -> Option<Self> {
        let mut fields = reader.fields(args, "`envelope`")?;
        let key = fields.require(reader, "key").and_then(|node| reader.string(node, "`key`"));
        let with = with(reader, &mut fields);
        let otherwise = fields.get("else").and_then(|node| otherwise(reader, node)).unwrap_or_default();
        fields.finish(reader);
        let key = key?;
        if with.iter().any(|(name, _)| name == key) {
            reader.bad_value(args, format!("`with` has a member `{key}`, which is the body's own name"));
            return None;
        }
        Some(Self { key: key.to_owned(), with, otherwise })
    }

    /// Going down, what stands beside the member.
    pub(super) fn loses(&self, direction: Direction) -> Vec<Place> {
        let body = Place::body();
        match direction {
            Direction::Up => Vec::new(),
            Direction::Down if loses_value(&self.otherwise) => vec![body],
            Direction::Down => self.with.iter().map(|(name, _)| body.member(name)).collect(),
        }
    }

    pub(super) fn lower(&self, direction: Direction) -> Edits {
        let edit = match direction {
            Direction::Up => Edit::Envelope { key: self.key.clone(), with: self.with.clone() },
            Direction::Down => Edit::Open { key: self.key.clone(), otherwise: self.otherwise.clone() },
        };
        vec![(Part::Body, edit)]
    }
}
