//! `split`: one string becomes two members in its place.

use crate::json::When;
use crate::json::edit::{Boundary, Edit, Otherwise, Path, Token};
use crate::rules::Direction;
use crate::rules::path::Place;
use crate::yaml::{Node, Reader};

use super::definition::{Arguments, Definition, Documents, Example, FALLBACK, MISSING, Parameter, Takes};
use super::loss::losing_members;
use super::{Edits, Lens, Mode, code, json, loses_value, member, otherwise};

/// What there is to say of `split`.
pub(super) const DEFINITION: Definition = Definition {
    name: "split",
    summary: "one string is two members, in its place",
    does: "Without a separator there is no second part, unless `missing` gives one. Null goes to the first part. In a partial \
           update that has only one of the two, joining fails (`needs_current_value`).",
    arguments: Arguments::Forms(&[&[
        Parameter::required("at", Takes::Member, "the string"),
        Parameter::required("into", Takes::TwoMembers, "the parts, members of the same object"),
        Parameter::or("sep", Takes::Text, "\" \"", "what parts them"),
        Parameter::or("take", Takes::Word(&["first", "last"]), "first", "which separator, where there are several"),
        Parameter::or("missing", MISSING, "absent", "the second part where there is no separator"),
        Parameter::or(
            "else",
            FALLBACK,
            "fail",
            "what a value that is no string becomes; a literal is split, or is the first part",
        ),
    ]]),
    inverse: "the two are joined, in the place of the first",
    lost: "where the boundary was, going down",
    examples: &[Example {
        ops: "- split: {at: /name, into: [/given, /family], sep: \" \", take: last}\n",
        documents: &[
            Documents::both(
                r#"{"id":1,"name":"Ada King Lovelace"}"#,
                r#"{"id":1,"given":"Ada King","family":"Lovelace"}"#,
            ),
            Documents::both(r#"{"name":"Cher"}"#, r#"{"given":"Cher"}"#),
        ],
    }],
    parse: |reader, args| Split::parse(reader, args).map(Lens::Split),
};

/// The parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    at: Place,
    into: [Place; 2],
    scope: Path,
    key: String,
    names: [String; 2],
    how: Boundary,
    otherwise: Otherwise,
}

impl Split {
    pub(super) fn parse(reader: &mut Reader, args: &Node) -> Option<Self> {
        let mut fields = reader.fields(args, "`split`")?;
        let at = fields.require(reader, "at").and_then(|node| member(reader, node));
        let into = fields.require(reader, "into").and_then(|node| two_members(reader, node));
        let separator = separator(reader, fields.get("sep"), " ");
        let last = fields
            .get("take")
            .and_then(|node| reader.one_of(node, "`take`", &[("first", false), ("last", true)]).copied());
        let missing = fields.get("missing").and_then(|node| missing(reader, node));
        let otherwise = fields.get("else").and_then(|node| otherwise(reader, node)).unwrap_or_default();
        fields.finish(reader);
        let (at, into) = (at?, into?);
        let ((scope, key), (first, one), (second, two)) = (parent(&at)?, parent(&into[0])?, parent(&into[1])?);
        if scope != first || scope != second || one == two {
            reader
                .error(code::PATH, args.span, format!("`{at}` cannot be split into `{}` and `{}`", into[0], into[1]))
                .help("the parts are two members of the object that had the whole");
            return None;
        }
        let how = Boundary { separator: separator?, last: last.unwrap_or(false), missing, patch: false };
        Some(Self { at, into, scope, key, names: [one, two], how, otherwise })
    }

    pub(super) fn places(&self) -> Vec<&Place> {
        vec![&self.at, &self.into[0], &self.into[1]]
    }

    /// Going down, where the boundary was.
    pub(super) fn loses(&self, direction: Direction) -> Vec<Place> {
        match direction {
            Direction::Down => self.into.to_vec(),
            Direction::Up if loses_value(&self.otherwise) => vec![self.at.clone()],
            Direction::Up => Vec::new(),
        }
    }

    /// What it does where it loses something, each with the number of its place.
    pub(super) fn losing(&self, direction: Direction) -> Vec<(usize, When)> {
        match direction {
            Direction::Up => vec![(0, When::Acted)],
            Direction::Down => losing_members(self.names.iter(), false),
        }
    }

    pub(super) fn lower(&self, direction: Direction, mode: Mode) -> Edits {
        let how = Boundary { patch: mode == Mode::MergePatch, ..self.how.clone() };
        let (scope, key) = (self.scope.clone(), self.key.clone());
        let edit = match direction {
            Direction::Up => {
                Edit::Split { scope, key, into: self.names.clone(), how, otherwise: self.otherwise.clone() }
            }
            Direction::Down => Edit::Join { scope, from: self.names.clone(), key, how },
        };
        vec![(self.at.part(), edit)]
    }
}

/// `sep`, or this.
pub(super) fn separator(reader: &mut Reader, node: Option<&Node>, default: &str) -> Option<String> {
    let Some(node) = node else { return Some(default.to_owned()) };
    let text = reader.string(node, "`sep`")?;
    if text.is_empty() {
        reader.bad_value(node, "`sep` is empty");
        return None;
    }
    Some(text.to_owned())
}

/// The object that a member is in, and the member's name.
fn parent(place: &Place) -> Option<(Path, String)> {
    let mut scope = place.in_part();
    match scope.pop() {
        Some(Token::Key(name)) => Some((scope, name)),
        _ => None,
    }
}

fn two_members(reader: &mut Reader, node: &Node) -> Option<[Place; 2]> {
    let Some([first, second]) = node.as_sequence() else {
        reader.wrong_type(node, "`into`", "a list of two paths");
        return None;
    };
    Some([member(reader, first)?, member(reader, second)?])
}

fn missing(reader: &mut Reader, node: &Node) -> Option<Vec<u8>> {
    if node.as_str() == Some("absent") {
        return None;
    }
    let mut fields = reader.fields(node, "`missing`")?;
    let value = fields.require(reader, "value").and_then(|value| json(reader, value));
    fields.finish(reader);
    value
}
