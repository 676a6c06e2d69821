//! `map`: values correspond, pair by pair.

use crate::json::edit::{Edit, ValueEdit};
use crate::json::{ByValue, same};
use crate::rules::Direction;
use crate::rules::path::{Location, Place};
use crate::yaml::{Node, Reader};

use super::definition::{Arguments, Definition, Documents, ELSE, ELSE_DOWN, Example, Parameter, Takes};
use super::{Edits, Fallback, Lens, code, json, loses_value, place};

/// What there is to say of `map`.
pub(super) const DEFINITION: Definition = Definition {
    name: "map",
    summary: "values correspond, in pairs; the first that fits decides",
    does: "Pairs are typed (`true` is not `\"true\"`), and numbers are equal by exact value. Null passes unless a pair has \
           it. A value without a pair is a failure (`no_mapping`) unless `else` says otherwise.",
    arguments: Arguments::Forms(&[&[
        Parameter::required("at", Takes::Path, "the value"),
        Parameter::required("pairs", Takes::Pairs, "the values in the older and the newer version"),
        ELSE,
        ELSE_DOWN,
    ]]),
    inverse: "pairs read from right to left",
    lost: "which of several values it was, where they share one",
    examples: &[
        Example {
            ops: "- map: {at: /state, pairs: [[open, active], [closed, disabled], [closed, banned]]}\n",
            documents: &[
                Documents::both(r#"{"state":"closed"}"#, r#"{"state":"disabled"}"#),
                Documents::both(r#"{"state":null}"#, r#"{"state":null}"#),
            ],
        },
        Example {
            ops: "- map: {at: /level, pairs: [[1, low], [2, high]], else: {value: high}, else_down: keep}\n",
            documents: &[Documents::lossy(r#"{"level":3}"#, r#"{"level":"high"}"#, r#"{"level":2}"#)],
        },
    ],
    parse: |reader, args| Map::parse(reader, args).map(Lens::Map),
};

/// The parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Map {
    at: Place,
    pairs: Vec<(Vec<u8>, Vec<u8>)>,
    fallback: Fallback,
}

impl Map {
    pub(super) fn parse(reader: &mut Reader, args: &Node) -> Option<Self> {
        let mut fields = reader.fields(args, "`map`")?;
        let at = fields.require(reader, "at").and_then(|node| place(reader, node));
        let nodes = fields.require(reader, "pairs");
        let pairs = nodes.and_then(|node| pairs(reader, node));
        let fallback = Fallback::parse(reader, &mut fields);
        fields.finish(reader);
        let at = at?;
        if at.location == Location::Status {
            check_statuses(reader, nodes?)?;
        }
        Some(Self { at, pairs: pairs?, fallback })
    }

    pub(super) fn places(&self) -> Vec<&Place> {
        vec![&self.at]
    }

    /// The value, where two that are told apart become one, or where `else` makes one value of all others.
    pub(super) fn loses(&self, direction: Direction) -> Vec<Place> {
        let pairs = self.pairs_of(direction);
        let (mut from_known, mut to_known) = (ByValue::default(), ByValue::default());
        let mut merges = false;
        for (at, (from, to)) in pairs.iter().enumerate() {
            merges |= from_known.first(at, from) == at && to_known.first(at, to) != at;
        }
        let loses = merges || loses_value(&self.fallback.of(direction));
        if loses { vec![self.at.clone()] } else { Vec::new() }
    }

    fn pairs_of(&self, direction: Direction) -> Vec<(Vec<u8>, Vec<u8>)> {
        let spelled = |from: &Vec<u8>, to: &Vec<u8>| (from.clone(), if same(from, to) { from } else { to }.clone());
        match direction {
            Direction::Up => self.pairs.iter().map(|(old, new)| spelled(old, new)).collect(),
            Direction::Down => self.pairs.iter().map(|(old, new)| spelled(new, old)).collect(),
        }
    }

    /// Both sides of every pair, if all are small whole numbers.
    pub(super) fn numbers(&self) -> Option<Vec<u16>> {
        let number = |text: &Vec<u8>| std::str::from_utf8(text).ok()?.parse().ok().filter(|n| *n < 1000);
        self.pairs.iter().flat_map(|(old, new)| [number(old), number(new)]).collect()
    }

    pub(super) fn leaves_open(&self, direction: Direction) -> bool {
        self.fallback.said(direction).is_none()
    }

    pub(super) fn lower(&self, direction: Direction) -> Edits {
        let how = ValueEdit::Map { pairs: self.pairs_of(direction), otherwise: self.fallback.of(direction) };
        vec![(self.at.part(), Edit::Change { at: self.at.in_part(), how })]
    }
}

/// Both sides are statuses that can end an exchange: there is a way back.
fn check_statuses(reader: &mut Reader, pairs: &Node) -> Option<()> {
    let sides = pairs.as_sequence().unwrap_or_default().iter().flat_map(|pair| pair.as_sequence().unwrap_or_default());
    for node in sides {
        let is_status =
            |text: Vec<u8>| std::str::from_utf8(&text).ok()?.parse().ok().filter(|n| (200..600).contains(n));
        let status: Option<u16> = node.to_json().ok().map(String::into_bytes).and_then(is_status);
        if status.is_none() {
            let found = node.to_json().unwrap_or_default();
            reader
                .error(code::OP, node.span, format!("expected a status from 200 to 599, found `{found}`"))
                .help("statuses are numbers: `pairs: [[200, 201]]`");
            return None;
        }
    }
    Some(())
}

fn pairs(reader: &mut Reader, node: &Node) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    let nodes = reader.list(node, "`pairs`")?;
    let pairs: Vec<Option<_>> = nodes
        .iter()
        .map(|pair| {
            let Some([old, new]) = pair.as_sequence() else {
                reader.wrong_type(pair, "a pair", "a list of two values, `[old, new]`");
                return None;
            };
            Some((json(reader, old)?, json(reader, new)?))
        })
        .collect();
    pairs.into_iter().collect()
}
