//! `limit: {at, max_length | max | max_items, over, on: up|down}`
//!
//! **What it does.** The receiving version allows no more than so much: characters of a string (`max_length`, Unicode
//! code points as in JSON Schema), the value of a number (`max`, compared exactly) or elements of an array
//! (`max_items`). It holds going `up` (the default) or `down`. Values of another type pass. `over` says what becomes
//! of one that exceeds the bound: `fail` (the default; `reject` says the same), `truncate` for strings and arrays,
//! `clamp` for numbers, `drop`, `keep` or `{value: literal}`.
//!
//! **Example.** `limit: {at: /name, max_length: 3, over: truncate}` makes `{"name":"Ada"}` of `{"name":"Ada King"}`.
//!
//! **Inverse.** Nothing: the other version allows what it is given.
//!
//! **What is lost.** What is beyond the bound; by default that is a failure (`information_lost`).

use crate::json::edit::{Bound, Edit, Otherwise, Over, ValueEdit};
use crate::json::is_bound;
use crate::rules::Direction;
use crate::rules::path::Place;
use crate::yaml::{Fields, Node, Reader};

use super::loss::loses_value;
use super::{Edits, json, otherwise, place};

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
