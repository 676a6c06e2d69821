//! `presence`: a member's absence or null is spelt another way, or has another default.

use crate::json::When;
use crate::json::edit::{Edit, Literal, Source};
use crate::rules::Direction;
use crate::rules::path::Place;
use crate::yaml::{Node, Reader};

use super::add::{refuse_copy, source};
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
        let at = at?;
        for fills in up.iter().chain(&down) {
            for source in fills.null.iter().chain(&fills.missing) {
                refuse_copy(reader, args, &at, source)?;
            }
        }
        Some(Self { at, up: up.unwrap_or_default(), down: down.unwrap_or_default() })
    }

    pub(super) fn places(&self) -> Vec<&Place> {
        vec![&self.at]
    }

    /// Absence or null, where what becomes of it does not turn into it again. Where both directions fill what is
    /// missing, each makes its own default explicit, and nothing is lost.
    pub(super) fn loses(&self, direction: Direction) -> Vec<Place> {
        if self.losing(direction).is_empty() { Vec::new() } else { vec![self.at.clone()] }
    }

    /// What it does where it loses something, each with the number of its place.
    pub(super) fn losing(&self, direction: Direction) -> Vec<(usize, When)> {
        let (there, back) = match direction {
            Direction::Up => (&self.up, &self.down),
            Direction::Down => (&self.down, &self.up),
        };
        let null = loses(there.null.as_ref(), back.null.as_ref(), back.missing.as_ref());
        let missing = there.missing.as_ref().filter(|what| **what != Source::Absent);
        let missing = loses(missing, back.missing.as_ref(), back.null.as_ref());
        let losing = [(null, When::Null), (missing, When::Missing)];
        losing.into_iter().filter(|(loses, _)| *loses).map(|(_, when)| (0, when)).collect()
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

/// Whether null or absence does not come back, given what becomes of it, what becomes of it going back, and what
/// becomes of the other one going back.
fn loses(what: Option<&Source>, again: Option<&Source>, other: Option<&Source>) -> bool {
    match what {
        None | Some(Source::Refuse) => false,
        Some(Source::Absent) => !is_null(other),
        Some(Source::Literal(_)) if is_null(what) => other != Some(&Source::Absent),
        Some(Source::Literal(_) | Source::Copy(_)) => {
            !matches!(again, Some(Source::Literal(_) | Source::Copy(_))) || is_null(again)
        }
    }
}

fn is_null(source: Option<&Source>) -> bool {
    matches!(source, Some(Source::Literal(literal)) if literal.to_string() == "null")
}
