//! `spread: {from, to, collapse: same|first|last|min|max, empty: lose|fail}`
//!
//! **What it does.** A value moves into every element of a list: each gets a copy.
//!
//! **Example.** `spread: {from: /end, to: /items/*/end, collapse: max}` makes `{"items":[{"id":1,"end":9}]}` of
//! `{"end":9,"items":[{"id":1}]}`.
//!
//! **Inverse.** The elements' values become one again: `collapse` says which; `same`, the default, wants them equal.
//!
//! **What is lost.** Going up, the value, where the list is empty (`empty: fail` refuses); going down, values that
//! differ.

use crate::json::edit::{Collapse, Edit, Keys, Path, Token};
use crate::rules::Direction;
use crate::rules::path::Place;
use crate::yaml::{Node, Reader};

use super::{Edits, code, member};

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
