//! `wrap` and its mirror `unwrap`: a value becomes the one element of an array, or a member of an object.

use crate::json::When;
use crate::json::edit::{Edit, Empty, Literal, Many, Otherwise, ValueEdit};
use crate::rules::Direction;
use crate::rules::path::Place;
use crate::yaml::{Fields, Node, Reader};

use super::definition::{Arguments, Definition, Documents, Example, FALLBACK, Parameter, Takes};
use super::loss::losing_members;
use super::{Edits, Lens, Mode, code, loses_value, otherwise, place, with};

/// What there is to say of `wrap`.
pub(super) const DEFINITION: Definition = Definition {
    name: "wrap",
    summary: "a value is an array of one, or a member of an object",
    does: "`into` has two forms.",
    arguments: Arguments::Forms(FORMS),
    inverse: "`unwrap`",
    lost: "further elements, and members beside the one that comes out, going down",
    examples: &[
        Example {
            ops: "- wrap: {at: /tag, into: array}\n\
                  - wrap: {at: /author, into: {key: name, with: {kind: person}}}\n",
            documents: &[Documents::both(
                r#"{"tag":"a","author":"ada"}"#,
                r#"{"tag":["a"],"author":{"name":"ada","kind":"person"}}"#,
            )],
        },
        Example {
            ops: "- wrap: {at: /tag, into: array, many: first, empty: absent}\n",
            documents: &[Documents::lossy(r#"{"tag":null}"#, r#"{"tag":[]}"#, "{}"), Documents::both("{}", "{}")],
        },
    ],
    parse: |reader, args| Wrap::parse(reader, args).map(Lens::Wrap),
};

/// What there is to say of `unwrap`.
pub(super) const UNWRAP: Definition = Definition {
    name: "unwrap",
    summary: "an array of one, or a member of an object, is a value by itself",
    does: "It is `wrap` with the versions exchanged: the older version has the array or object.",
    arguments: Arguments::Forms(FORMS),
    inverse: "`wrap`",
    lost: "further elements, and members beside the one that comes out, going up",
    examples: &[Example {
        ops: "- unwrap: {at: /tags, into: array, many: first}\n",
        documents: &[Documents::lossy(r#"{"tags":["a","b"]}"#, r#"{"tags":"a"}"#, r#"{"tags":["a"]}"#)],
    }],
    parse: |reader, args| Wrap::parse(reader, args).map(Lens::Unwrap),
};

const AT: Parameter = Parameter::required("at", Takes::Path, "the value");

const OTHERWISE: Parameter = Parameter::or("else", FALLBACK, "fail", "what becomes of no array or object, unwrapping");

/// Into an array, and into an object.
const FORMS: &[&[Parameter]] = &[
    &[
        AT,
        Parameter::required("into", Takes::Word(&["array"]), "an array of one"),
        Parameter::or("null", Takes::Word(&["empty", "keep"]), "empty", "whether null becomes `[]` or stays"),
        Parameter::or(
            "many",
            Takes::Word(&["fail", "first", "last"]),
            "fail",
            "what becomes of more than one element, unwrapping",
        ),
        Parameter::or(
            "empty",
            Takes::Either(&[Takes::Null, Takes::Word(&["null", "absent", "fail"])]),
            "\"null\"",
            "what becomes of none, unwrapping",
        ),
        OTHERWISE,
    ],
    &[
        AT,
        Parameter::required(
            "into",
            Takes::Mapping(&[
                Parameter::required("key", Takes::String, "the member's name"),
                Parameter::optional("with", Takes::Members, "constants beside it"),
            ]),
            "a member of an object",
        ),
        Parameter::or("null", Takes::Word(&["keep", "wrap"]), "keep", "whether null stays or is wrapped"),
        OTHERWISE,
    ],
];

/// The parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrap {
    at: Place,
    into: Into,
    otherwise: Otherwise,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Into {
    Array { keep_null: bool, many: Option<Many>, empty: Empty },
    Member { key: String, with: Vec<(String, Literal)>, keep_null: bool },
}

impl Into {
    /// Whether, going down, an empty array does not come back.
    fn loses_empty(&self) -> bool {
        match self {
            Self::Array { keep_null, empty, .. } => *empty == Empty::Absent || *keep_null && *empty == Empty::Null,
            Self::Member { .. } => false,
        }
    }
}

impl Wrap {
    pub(super) fn parse(reader: &mut Reader, args: &Node) -> Option<Self> {
        let mut fields = reader.fields(args, "`wrap`")?;
        let at = fields.require(reader, "at").and_then(|node| place(reader, node));
        let into = fields.require(reader, "into").and_then(|node| parse_into(reader, node, &mut fields));
        let otherwise = fields.get("else").and_then(|node| otherwise(reader, node)).unwrap_or_default();
        fields.finish(reader);
        Some(Self { at: at?, into: into?, otherwise })
    }

    pub(super) fn places(&self) -> Vec<&Place> {
        vec![&self.at]
    }

    /// Going down, elements beside the one that comes out, an empty array, members beside the one that comes out.
    pub(super) fn loses(&self, direction: Direction) -> Vec<Place> {
        if direction == Direction::Up {
            return Vec::new();
        }
        let many = matches!(self.into, Into::Array { many: Some(Many::First | Many::Last), .. });
        if many || self.into.loses_empty() || loses_value(&self.otherwise) {
            return vec![self.at.clone()];
        }
        match &self.into {
            Into::Array { .. } => Vec::new(),
            Into::Member { with, .. } => with.iter().map(|(name, _)| self.at.member(name)).collect(),
        }
    }

    /// What it does where it loses something, each with the number of its place.
    pub(super) fn losing(&self, direction: Direction) -> Vec<(usize, When)> {
        match &self.into {
            _ if direction == Direction::Up => Vec::new(),
            Into::Array { .. } if self.into.loses_empty() => vec![(0, When::Acted), (0, When::Empty)],
            Into::Array { .. } => vec![(0, When::Acted)],
            Into::Member { with, .. } => {
                losing_members(with.iter().map(|(name, _)| name), loses_value(&self.otherwise))
            }
        }
    }

    /// Whether, going down, nothing says what becomes of several elements.
    pub(super) fn leaves_open(&self, direction: Direction) -> bool {
        direction == Direction::Down && matches!(self.into, Into::Array { many: None, .. })
    }

    pub(super) fn lower(&self, direction: Direction, mode: Mode) -> Edits {
        let how = match direction {
            Direction::Up => self.on(mode),
            Direction::Down => self.off(),
        };
        vec![(self.at.part(), Edit::Change { at: self.at.in_part(), how })]
    }

    fn on(&self, mode: Mode) -> ValueEdit {
        match &self.into {
            // In a partial update null deletes, wrapped or not.
            Into::Array { keep_null, .. } => ValueEdit::ToArray { keep_null: *keep_null || mode == Mode::MergePatch },
            Into::Member { key, with, keep_null } => {
                ValueEdit::ToMember { key: key.clone(), with: with.clone(), keep_null: *keep_null }
            }
        }
    }

    fn off(&self) -> ValueEdit {
        match &self.into {
            Into::Array { many, empty, .. } => ValueEdit::FromArray {
                many: many.unwrap_or_default(),
                empty: *empty,
                otherwise: self.otherwise.clone(),
            },
            Into::Member { key, .. } => ValueEdit::FromMember { key: key.clone(), otherwise: self.otherwise.clone() },
        }
    }
}

fn parse_into(reader: &mut Reader, node: &Node, fields: &mut Fields<'_>) -> Option<Into> {
    if node.as_mapping().is_some() {
        let mut inner = reader.fields(node, "`into`")?;
        let key = inner.require(reader, "key").and_then(|node| reader.string(node, "`key`"));
        let with = with(reader, &mut inner);
        inner.finish(reader);
        let keep_null = fields
            .get("null")
            .and_then(|node| reader.one_of(node, "`null`", &[("keep", true), ("wrap", false)]).copied())
            .unwrap_or(true);
        return Some(Into::Member { key: key?.to_owned(), with, keep_null });
    }
    if node.as_str() != Some("array") {
        reader
            .error(code::OP, node.span, "`into` must be `array` or `{key: name, with: {...}}`")
            .help("write `into: array`");
        return None;
    }
    let keep_null = fields
        .get("null")
        .and_then(|node| reader.one_of(node, "`null`", &[("empty", false), ("keep", true)]).copied())
        .unwrap_or(false);
    let many = [("fail", Many::Fail), ("first", Many::First), ("last", Many::Last)];
    let many = fields.get("many").and_then(|node| reader.one_of(node, "`many`", &many).copied());
    Some(Into::Array { keep_null, many, empty: empty(reader, fields) })
}

/// `empty: null` is written without quotes as often as with.
fn empty(reader: &mut Reader, fields: &mut Fields<'_>) -> Empty {
    let Some(node) = fields.get("empty").filter(|node| !node.is_null()) else { return Empty::Null };
    let choices = [("null", Empty::Null), ("absent", Empty::Absent), ("fail", Empty::Fail)];
    reader.one_of(node, "`empty`", &choices).copied().unwrap_or_default()
}
