//! `spread`: a value moves into every element of a list.

use crate::json::edit::{Collapse, Edit, Keys, Path, Token};
use crate::rules::Direction;
use crate::rules::path::Place;
use crate::yaml::{Node, Reader};

use super::definition::{Arguments, Definition, Documents, Example, Parameter, Takes};
use super::{Edits, Lens, code, member};

/// What there is to say of `spread`.
pub(super) const DEFINITION: Definition = Definition {
    name: "spread",
    summary: "a value is in every element of a list",
    does: "Each element gets a copy.",
    arguments: Arguments::Forms(&[&[
        Parameter::required("from", Takes::Member, "where the one value is; without `*`"),
        Parameter::required("to", Takes::Member, "where it is in every element; with a `*`"),
        Parameter::or(
            "collapse",
            Takes::Word(&["same", "first", "last", "min", "max"]),
            "same",
            "which of the elements' values is the one, going down; `same` wants them equal",
        ),
        Parameter::or(
            "empty",
            Takes::Word(&["lose", "fail"]),
            "lose",
            "whether an empty list loses the value or refuses it, going up",
        ),
    ]]),
    inverse: "the elements' values become one again",
    lost: "the value where the list is empty, going up; values that differ, going down",
    examples: &[Example {
        ops: "- spread: {from: /period_end, to: /items/*/period_end, collapse: max}\n",
        documents: &[Documents::both(
            r#"{"period_end":9,"items":[{"id":1},{"id":2}]}"#,
            r#"{"items":[{"id":1,"period_end":9},{"id":2,"period_end":9}]}"#,
        )],
    }],
    parse: |reader, args| Spread::parse(reader, args).map(Lens::Spread),
};

/// The parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spread {
    from: Place,
    to: Place,
    one: Keys,
    many: Path,
    key: String,
    collapse: Collapse,
    refuse_empty: bool,
}

impl Spread {
    pub(super) fn parse(reader: &mut Reader, args: &Node) -> Option<Self> {
        let mut fields = reader.fields(args, "`spread`")?;
        let from = fields.require(reader, "from").and_then(|node| Some((node, member(reader, node)?)));
        let to = fields.require(reader, "to").and_then(|node| Some((node, member(reader, node)?)));
        let choices = [
            ("same", Collapse::Same),
            ("first", Collapse::First),
            ("last", Collapse::Last),
            ("min", Collapse::Min),
            ("max", Collapse::Max),
        ];
        let collapse = fields.get("collapse").and_then(|node| reader.one_of(node, "`collapse`", &choices).copied());
        let refuse_empty = fields
            .get("empty")
            .and_then(|node| reader.one_of(node, "`empty`", &[("lose", false), ("fail", true)]).copied());
        fields.finish(reader);
        let ((from_node, from), (to_node, to)) = (from?, to?);
        let Some(one) = from.keys().map(|_| from.scoped().1) else {
            reader.error(code::PATH, from_node.span, "`from` is one value: its path has no `*`");
            return None;
        };
        let mut many = to.in_part();
        let key = many.pop();
        let (Some(Token::Key(key)), true) = (key, many.contains(&Token::Any)) else {
            reader
                .error(code::PATH, to_node.span, "`to` is in every element: its path has a `*`")
                .help("to change one place for another, use `move`");
            return None;
        };
        if from.part() != to.part() {
            reader
                .error(code::PARTS, args.span, format!("`spread` stays within the body, found `{from}` and `{to}`"))
                .help("`move` the value between head and body, and spread it there");
            return None;
        }
        Some(Self {
            from,
            to,
            one,
            many,
            key,
            collapse: collapse.unwrap_or_default(),
            refuse_empty: refuse_empty.unwrap_or(false),
        })
    }

    pub(super) fn places(&self) -> Vec<&Place> {
        vec![&self.from, &self.to]
    }

    /// Going up, the value where the list is empty; going down, values that `collapse` does not choose.
    pub(super) fn loses(&self, direction: Direction) -> Vec<Place> {
        match direction {
            Direction::Up if !self.refuse_empty => vec![self.from.clone()],
            Direction::Down if self.collapse != Collapse::Same => vec![self.to.clone()],
            Direction::Up | Direction::Down => Vec::new(),
        }
    }

    pub(super) fn lower(&self, direction: Direction) -> Edits {
        let (one, many, key) = (self.one.clone(), self.many.clone(), self.key.clone());
        let edit = match direction {
            Direction::Up => Edit::Spread { from: one, to: many, key, refuse_empty: self.refuse_empty },
            Direction::Down => Edit::Collapse { from: many, key, to: one, how: self.collapse },
        };
        vec![(self.from.part(), edit)]
    }
}
