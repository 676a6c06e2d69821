//! `presence`: a member's absence or null is spelt another way, or has another default.

use crate::json::edit::{Edit, Literal, Source};
use crate::rules::Direction;
use crate::rules::path::Place;
use crate::yaml::{Node, Reader};

use super::add::source;
use super::definition::{Arguments, Definition, Documents, Example, Parameter, SOURCE, Takes};
use super::{Edits, Lens, Mode, member};

/// What there is to say of `presence`.
pub(super) const DEFINITION: Definition = Definition {
    name: "presence",
    summary: "absence or null is spelt another way, or has another default",
    does: "For each direction it says what becomes of null and of a missing member. Other values are never touched.",
    arguments: Arguments::Forms(&[&[
        Parameter::required("at", Takes::Member, "the member"),
        Parameter::optional("up", FILLS, "going up"),
        Parameter::optional("down", FILLS, "going down"),
    ]]),
    inverse: "what `down` says",
    lost: "the difference between absent and null, where one becomes the other",
    examples: &[Example {
        ops: "- presence: {at: /nick, up: {missing: \"null\"}, down: {\"null\": absent}}\n",
        documents: &[
            Documents::both(r#"{"id":1}"#, r#"{"id":1,"nick":null}"#),
            Documents::both(r#"{"nick":"ada"}"#, r#"{"nick":"ada"}"#),
        ],
    }],
    parse: |reader, args| Presence::parse(reader, args).map(Lens::Presence),
};

const FILLS: Takes = Takes::Mapping(&[
    Parameter::or("null", FILL, "keep", "what null becomes"),
    Parameter::or("missing", FILL, "keep", "what a missing member becomes"),
]);

const FILL: Takes = Takes::Either(&[Takes::Word(&["keep", "null"]), Takes::Null, SOURCE]);

/// The parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presence {
    at: Place,
    up: Fills,
    down: Fills,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Fills {
    null: Option<Source>,
    missing: Option<Source>,
}

impl Presence {
    pub(super) fn parse(reader: &mut Reader, args: &Node) -> Option<Self> {
        let mut fields = reader.fields(args, "`presence`")?;
        let at = fields.require(reader, "at").and_then(|node| member(reader, node));
        let up = fields.get("up").and_then(|node| fills(reader, node));
        let down = fields.get("down").and_then(|node| fills(reader, node));
        fields.finish(reader);
        if up.is_none() && down.is_none() {
            reader.bad_value(args, "`presence` says nothing").help("write `up: {missing: {value: 20}}`");
        }
        Some(Self { at: at?, up: up.unwrap_or_default(), down: down.unwrap_or_default() })
    }

    pub(super) fn places(&self) -> Vec<&Place> {
        vec![&self.at]
    }

    pub(super) fn lower(&self, direction: Direction, mode: Mode) -> Edits {
        let fills = match direction {
            Direction::Up => &self.up,
            Direction::Down => &self.down,
        };
        // In a partial update absence and null mean what they mean.
        if mode == Mode::MergePatch || *fills == Fills::default() {
            return Vec::new();
        }
        let (scope, at) = self.at.scoped();
        vec![(self.at.part(), Edit::Presence { scope, at, null: fills.null.clone(), missing: fills.missing.clone() })]
    }
}

fn fills(reader: &mut Reader, node: &Node) -> Option<Fills> {
    let mut fields = reader.fields(node, "a direction of `presence`")?;
    let fills = Fills {
        null: fields.get("null").and_then(|node| fill(reader, node)),
        missing: fields.get("missing").and_then(|node| fill(reader, node)),
    };
    fields.finish(reader);
    Some(fills)
}

/// `null` is written without quotes as often as with.
fn fill(reader: &mut Reader, node: &Node) -> Option<Source> {
    if node.is_null() || node.as_str() == Some("null") {
        return Some(Source::Literal(Literal::new(b"null")));
    }
    if node.as_str() == Some("keep") { None } else { source(reader, node) }
}
