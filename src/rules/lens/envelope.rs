//! `envelope`: the whole body becomes one member of a new object.

use crate::json::When;
use crate::json::edit::{Edit, Literal, Otherwise};
use crate::rules::Direction;
use crate::rules::path::{Part, Place};
use crate::yaml::{Node, Reader};

use super::definition::{Arguments, Definition, Documents, Example, FALLBACK, Parameter, Takes};
use super::loss::losing_members;
use super::{Edits, Lens, loses_value, otherwise, with};

/// What there is to say of `envelope`.
pub(super) const DEFINITION: Definition = Definition {
    name: "envelope",
    summary: "the body is one member of an object",
    does: "A body that is not such an object is a failure going down (`not_enveloped`) unless `else` says otherwise.",
    arguments: Arguments::Forms(&[&[
        Parameter::required("key", Takes::String, "the member's name"),
        Parameter::optional("with", Takes::Members, "constants beside it; `$now` and `$version` are filled in"),
        Parameter::or("else", FALLBACK, "fail", "what a body without the member becomes, going down"),
    ]]),
    inverse: "the member becomes the body",
    lost: "everything beside the member, going down",
    examples: &[Example {
        ops: "- envelope: {key: data, with: {meta: {version: v2}}}\n",
        documents: &[Documents::both("[1,2]", r#"{"data":[1,2],"meta":{"version":"v2"}}"#)],
    }],
    parse: |reader, args| Envelope::parse(reader, args).map(Lens::Envelope),
};

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

    /// What it does where it loses something, each with the number of its place.
    pub(super) fn losing(&self, direction: Direction) -> Vec<(usize, When)> {
        match direction {
            Direction::Up => Vec::new(),
            Direction::Down => losing_members(self.with.iter().map(|(name, _)| name), loses_value(&self.otherwise)),
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
