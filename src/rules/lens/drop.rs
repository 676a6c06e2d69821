//! `drop`: elements that the other side cannot know go.

use crate::json::edit::{Condition, Edit, Path, Token};
use crate::rules::Direction;
use crate::rules::path::{Location, Place};
use crate::yaml::{Node, Reader};

use super::definition::{Arguments, Definition, Documents, Example, Parameter, Takes};
use super::guard::{Guard, parse_guards};
use super::{Edits, Lens, code, place};

/// What there is to say of `drop`.
pub(super) const DEFINITION: Definition = Definition {
    name: "drop",
    summary: "elements that the other side cannot know go",
    does: "Those go for which all of `when` holds, in one direction.",
    arguments: Arguments::Forms(&[&[
        Parameter::optional(
            "at",
            Takes::Path,
            "the elements: it ends with `/*`; without it, in a message of a socket, the whole message",
        ),
        Parameter::required("when", Takes::Guards, "conditions on the element, written like a guard"),
        Parameter::or("on", Takes::Word(&["up", "down"]), "down", "the direction"),
    ]]),
    inverse: "nothing: what is gone does not come back",
    lost: "the elements",
    examples: &[
        Example {
            ops: "- drop: {at: /blocks/*, when: {/kind: poll}}\n",
            documents: &[Documents::lossy(
                r#"{"blocks":[{"kind":"text"},{"kind":"poll"}]}"#,
                r#"{"blocks":[{"kind":"text"},{"kind":"poll"}]}"#,
                r#"{"blocks":[{"kind":"text"}]}"#,
            )],
        },
        Example {
            ops: "- drop: {at: /blocks/*, when: {/kind: poll}, on: up}\n",
            documents: &[Documents::lossy(
                r#"{"blocks":[{"kind":"text"},{"kind":"poll"}]}"#,
                r#"{"blocks":[{"kind":"text"}]}"#,
                r#"{"blocks":[{"kind":"text"}]}"#,
            )],
        },
    ],
    parse: |reader, args| Drop::parse(reader, args).map(Lens::Drop),
};

/// The parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drop {
    at: Place,
    /// The arrays; `None`: the whole message.
    arrays: Option<Path>,
    when: Vec<Guard>,
    on: Direction,
}

impl Drop {
    pub(super) fn parse(reader: &mut Reader, args: &Node) -> Option<Self> {
        let mut fields = reader.fields(args, "`drop`")?;
        let at_node = fields.get("at");
        let at = at_node.map_or(Some(Place::body()), |node| place(reader, node));
        let when = fields.require(reader, "when").map(|node| parse_guards(reader, node));
        let on = fields
            .get("on")
            .and_then(|node| reader.one_of(node, "`on`", &[("up", Direction::Up), ("down", Direction::Down)]).copied());
        fields.finish(reader);
        let (at, when) = (at?, when?);
        let arrays = match at.in_part().split_last() {
            None => None,
            Some((Token::Any, arrays)) => Some(arrays.to_vec()),
            Some((Token::Key(_), _)) => {
                let span = at_node.map_or(args.span, |node| node.span);
                reader
                    .error(code::PATH, span, format!("`drop` is about elements, found `{at}`"))
                    .help("its path ends with `/*`; to take a member away, use `remove`");
                return None;
            }
        };
        if when.iter().any(|guard| guard.place.location != Location::Body) {
            reader.error(code::PARTS, args.span, "`when` looks at the element: its paths are of the body");
            return None;
        }
        Some(Self { at, arrays, when, on: on.unwrap_or(Direction::Down) })
    }

    pub(super) fn places(&self) -> Vec<&Place> {
        vec![&self.at]
    }

    /// The elements, or the message.
    pub(super) fn loses(&self, direction: Direction) -> Vec<Place> {
        if direction == self.on { vec![self.at.clone()] } else { Vec::new() }
    }

    /// Whether it is about a message as a whole.
    pub(super) fn drops_message(&self) -> bool {
        self.arrays.is_none()
    }

    pub(super) fn lower(&self, direction: Direction) -> Edits {
        if direction != self.on {
            return Vec::new();
        }
        let when = self
            .when
            .iter()
            .filter_map(|guard| Some(Condition { path: guard.place.keys()?, test: guard.test.clone() }))
            .collect();
        let edit = match &self.arrays {
            Some(arrays) => Edit::DropElements { at: arrays.clone(), when },
            None => Edit::DropMessage { when },
        };
        vec![(self.at.part(), edit)]
    }
}
