//! `convert: {at, from, to, scale, sep, else, else_down}`
//!
//! **What it does.** A value changes its format, within a closed catalogue of pairs that are exact on text:
//! integer, number and boolean to string; boolean to integer; `minor_units` to `decimal_string` (with `scale`,
//! default 2); `unix_seconds` and `unix_millis` to `rfc3339`; `csv` to `array` (with `sep`, default `,`). Null
//! passes.
//!
//! **Example.** `convert: {at: /ts, from: unix_millis, to: rfc3339}` makes `{"ts":"2025-01-01T00:00:00Z"}` of
//! `{"ts":1735689600000}`.
//!
//! **Inverse.** The same with formats swapped.
//!
//! **What is lost.** Spelling that the other format normalises, such as a time's offset. A value that the other
//! format cannot express exactly is a failure (`cannot_convert`) unless `else` says otherwise.

use crate::json::edit::{Edit, ValueEdit};
use crate::json::{Conversion, Way};
use crate::rules::Direction;
use crate::rules::path::Place;
use crate::yaml::{Node, Reader};

use super::{Edits, Fallback, loses_value, place};

/// More decimals than any currency or unit has.
const MOST_DECIMALS: u64 = 38;

/// The parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Convert {
    at: Place,
    conversion: Conversion,
    /// Which way through the catalogue's pair "up" is.
    up: Way,
    fallback: Fallback,
}

impl Convert {
    pub(super) fn parse(reader: &mut Reader, args: &Node) -> Option<Self> {
        let mut fields = reader.fields(args, "`convert`")?;
        let at = fields.require(reader, "at").and_then(|node| place(reader, node));
        let from = fields.require(reader, "from").and_then(|node| reader.string(node, "`from`"));
        let to = fields.require(reader, "to").and_then(|node| reader.string(node, "`to`"));
        let scale = scale(reader, fields.get("scale"));
        let separator =
            fields.get("sep").and_then(|node| reader.string(node, "`sep`").filter(|s| !s.is_empty())).unwrap_or(",");
        let fallback = Fallback::parse(reader, &mut fields);
        fields.finish(reader);
        let (from, to) = (from?, to?);
        let known = catalogue(scale?, separator);
        let found = known.iter().find_map(|c| match c.names() {
            names if names == (from, to) => Some((c, Way::There)),
            names if names == (to, from) => Some((c, Way::Back)),
            _ => None,
        });
        let Some((conversion, up)) = found else {
            let pairs: Vec<String> = known.iter().map(|c| format!("`{}` and `{}`", c.names().0, c.names().1)).collect();
            reader
                .bad_value(args, format!("there is no conversion from `{from}` to `{to}`"))
                .help(format!("the pairs are {}", pairs.join(", ")));
            return None;
        };
        Some(Self { at: at?, conversion: conversion.clone(), up, fallback })
    }

    pub(super) fn places(&self) -> Vec<&Place> {
        vec![&self.at]
    }

    /// Nothing but the spelling of what the other format can express.
    pub(super) fn loses(&self, direction: Direction) -> Vec<Place> {
        if loses_value(&self.fallback.of(direction)) { vec![self.at.clone()] } else { Vec::new() }
    }

    pub(super) fn lower(&self, direction: Direction) -> Edits {
        let way = match direction {
            Direction::Up => self.up,
            Direction::Down => self.up.turned(),
        };
        let how =
            ValueEdit::Convert { conversion: self.conversion.clone(), way, otherwise: self.fallback.of(direction) };
        vec![(self.at.part(), Edit::Change { at: self.at.in_part(), how })]
    }
}

fn scale(reader: &mut Reader, node: Option<&Node>) -> Option<usize> {
    let Some(node) = node else { return Some(2) };
    let scale = reader.integer(node, "`scale`")?;
    if scale > MOST_DECIMALS {
        reader.bad_value(node, format!("`scale` must be at most {MOST_DECIMALS}, found {scale}"));
        return None;
    }
    usize::try_from(scale).ok()
}

fn catalogue(scale: usize, separator: &str) -> [Conversion; 8] {
    [
        Conversion::IntegerString,
        Conversion::NumberString,
        Conversion::BooleanString,
        Conversion::BooleanInteger,
        Conversion::MinorUnitsDecimal(scale),
        Conversion::UnixSecondsRfc3339,
        Conversion::UnixMillisRfc3339,
        Conversion::CsvArray(separator.to_owned()),
    ]
}
