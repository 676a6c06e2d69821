//! `limit`: one version allows no more than so much.

use crate::json::edit::{Bound, Edit, Otherwise, Over, ValueEdit};
use crate::json::is_bound;
use crate::rules::Direction;
use crate::rules::path::Place;
use crate::yaml::{Fields, Node, Reader};

use super::definition::{Arguments, Definition, Documents, Example, Parameter, Takes, VALUE};
use super::{Edits, Lens, json, loses_value, otherwise, place};

/// What there is to say of `limit`.
pub(super) const DEFINITION: Definition = Definition {
    name: "limit",
    summary: "one version allows no more than so much",
    does: "The bound holds going to that version: of a string's characters (code points, as in JSON Schema), a number \
           (compared exactly), or an array's elements. Values of another type pass. `reject` says the same as `fail` \
           (`information_lost`).",
    arguments: Arguments::Forms(&[
        &[
            AT,
            Parameter::required("max_length", Takes::Count, "the most characters of a string"),
            Parameter::or("over", OVER_LENGTH, "fail", "what a longer one becomes"),
            ON,
        ],
        &[
            AT,
            Parameter::required("max", Takes::Number, "the greatest number"),
            Parameter::or("over", OVER_NUMBER, "fail", "what a greater one becomes; `clamp`: the greatest"),
            ON,
        ],
        &[
            AT,
            Parameter::required("max_items", Takes::Count, "the most elements of an array"),
            Parameter::or("over", OVER_LENGTH, "fail", "what a longer one becomes"),
            ON,
        ],
    ]),
    inverse: "nothing: the other version allows what it is given",
    lost: "what is beyond the bound",
    examples: &[Example {
        ops: "- limit: {at: /name, max_length: 3, over: truncate}\n\
              - limit: {at: /per_page, max: 100, over: clamp}\n\
              - limit: {at: /tags, max_items: 2, over: truncate}\n",
        documents: &[Documents::lossy(
            r#"{"name":"Ada King","per_page":500,"tags":["a","b","c"]}"#,
            r#"{"name":"Ada","per_page":100,"tags":["a","b"]}"#,
            r#"{"name":"Ada","per_page":100,"tags":["a","b"]}"#,
        )],
    }],
    parse: |reader, args| Limit::parse(reader, args).map(Lens::Limit),
};

const AT: Parameter = Parameter::required("at", Takes::Path, "the value");

const ON: Parameter = Parameter::or("on", Takes::Word(&["up", "down"]), "up", "the direction in which the bound holds");

const OVER_LENGTH: Takes = Takes::Either(&[Takes::Word(&["fail", "reject", "truncate", "drop", "keep"]), VALUE]);

const OVER_NUMBER: Takes = Takes::Either(&[Takes::Word(&["fail", "reject", "clamp", "drop", "keep"]), VALUE]);

/// The parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    at: Place,
    bound: Bound,
    over: Over,
    on: Direction,
}

impl Limit {
    pub(super) fn parse(reader: &mut Reader, args: &Node) -> Option<Self> {
        let mut fields = reader.fields(args, "`limit`")?;
        let at = fields.require(reader, "at").and_then(|node| place(reader, node));
        let bound = bound(reader, &mut fields);
        let over = match (fields.get("over"), &bound) {
            (Some(node), Some(bound)) => over(reader, node, bound),
            (_, None) | (None, _) => Some(Over::Otherwise(Otherwise::Fail)),
        };
        let directions = [("up", Direction::Up), ("down", Direction::Down)];
        let on =
            fields.get("on").map_or(Some(&Direction::Up), |node| reader.one_of(node, "`on`", &directions)).copied();
        fields.finish(reader);
        Some(Self { at: at?, bound: bound?, over: over?, on: on? })
    }

    pub(super) fn places(&self) -> Vec<&Place> {
        vec![&self.at]
    }

    pub(super) fn loses(&self, direction: Direction) -> Vec<Place> {
        let loses = match &self.over {
            Over::Cut => true,
            Over::Otherwise(otherwise) => loses_value(otherwise),
        };
        if loses && direction == self.on { vec![self.at.clone()] } else { Vec::new() }
    }

    pub(super) fn lower(&self, direction: Direction) -> Edits {
        if direction != self.on {
            return Vec::new();
        }
        let how = ValueEdit::Limit { bound: self.bound.clone(), over: self.over.clone() };
        vec![(self.at.part(), Edit::Change { at: self.at.in_part(), how })]
    }
}

/// The one of the three bounds that is there.
fn bound(reader: &mut Reader, fields: &mut Fields<'_>) -> Option<Bound> {
    let (length, number, items) = (fields.get("max_length"), fields.get("max"), fields.get("max_items"));
    let count = |reader: &mut Reader, node: &Node, what: &str| {
        reader.integer(node, what).map(|most| usize::try_from(most).unwrap_or(usize::MAX))
    };
    match (length, number, items) {
        (Some(node), None, None) => count(reader, node, "`max_length`").map(Bound::Characters),
        (None, None, Some(node)) => count(reader, node, "`max_items`").map(Bound::Elements),
        (None, Some(node), None) => {
            let text = json(reader, node)?;
            if is_bound(&text) {
                return Some(Bound::Number(text));
            }
            let digits = node.text().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
            let help = digits.map(|text| format!("write {text}"));
            reader.wrong_type(node, "`max`", "a number").help = help;
            None
        }
        _ => {
            reader
                .error(crate::yaml::code::BAD_VALUE, fields.span(), "`limit` needs exactly one bound")
                .help("give `max_length` for strings, `max` for numbers or `max_items` for arrays");
            None
        }
    }
}

fn over(reader: &mut Reader, node: &Node, bound: &Bound) -> Option<Over> {
    if node.as_mapping().is_some() {
        return otherwise(reader, node).map(Over::Otherwise);
    }
    let cut = match bound {
        Bound::Characters(_) | Bound::Elements(_) => "truncate",
        Bound::Number(_) => "clamp",
    };
    let choices = [
        ("fail", Over::Otherwise(Otherwise::Fail)),
        ("reject", Over::Otherwise(Otherwise::Fail)),
        (cut, Over::Cut),
        ("drop", Over::Otherwise(Otherwise::Drop)),
        ("keep", Over::Otherwise(Otherwise::Keep)),
    ];
    reader.one_of(node, "`over`", &choices).cloned()
}
