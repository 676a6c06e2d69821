//! `convert`: a value changes its format, within a closed catalogue of pairs that are exact on text.

use crate::json::edit::{Edit, ValueEdit};
use crate::json::{Conversion, Way};
use crate::rules::Direction;
use crate::rules::path::Place;
use crate::yaml::{Node, Reader};

use super::definition::{Arguments, Definition, Documents, ELSE, ELSE_DOWN, Example, Parameter, Takes};
use super::split::separator;
use super::{Edits, Fallback, Lens, loses_value, place};

/// More decimals than any currency or unit has.
const MOST_DECIMALS: u64 = 38;

/// What there is to say of `convert`.
pub(super) const DEFINITION: Definition = Definition {
    name: "convert",
    summary: "a value has another of two known formats, such as `unix_millis` and `rfc3339`",
    does: "It works exactly and on text: no float is ever made. Null passes. A value that the other format cannot express \
           is a failure (`cannot_convert`) unless `else` says otherwise.\n\
           \n\
           | `from` and `to`, either way | |\n\
           |---|---|\n\
           | `integer`, `number`, `boolean` and `string` | `7` and `\"7\"` |\n\
           | `boolean` and `integer` | `true` and `1` |\n\
           | `minor_units` and `decimal_string` | `1999` and `\"19.99\"` |\n\
           | `unix_seconds`, `unix_millis` and `rfc3339` | `0` and `\"1970-01-01T00:00:00Z\"` |\n\
           | `csv` and `array` | `\"a,b\"` and `[\"a\",\"b\"]` |",
    arguments: Arguments::Forms(&[&[
        Parameter::required("at", Takes::Path, "the value"),
        Parameter::required("from", Takes::Word(FORMATS), "its format in the older version"),
        Parameter::required("to", Takes::Word(FORMATS), "its format in the newer"),
        Parameter::or("scale", Takes::Integer(MOST_DECIMALS), "2", "the decimals of a `decimal_string`"),
        Parameter::or("sep", Takes::Text, "\",\"", "what parts the elements of a `csv`"),
        ELSE,
        ELSE_DOWN,
    ]]),
    inverse: "formats swapped",
    lost: "spelling that the other format does not have, such as the offset of a time",
    examples: &[Example {
        ops: "- convert: {at: /ts, from: unix_millis, to: rfc3339}\n\
              - convert: {at: /price, from: minor_units, to: decimal_string, scale: 3}\n",
        documents: &[Documents::both(
            r#"{"ts":1735689600000,"price":-5}"#,
            r#"{"ts":"2025-01-01T00:00:00Z","price":"-0.005"}"#,
        )],
    }],
    parse: |reader, args| Convert::parse(reader, args).map(Lens::Convert),
};

/// Every name of the catalogue.
const FORMATS: &[&str] = &[
    "integer",
    "number",
    "boolean",
    "string",
    "minor_units",
    "decimal_string",
    "unix_seconds",
    "unix_millis",
    "rfc3339",
    "csv",
    "array",
];

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
        let separator = separator(reader, fields.get("sep"), ",");
        let fallback = Fallback::parse(reader, &mut fields);
        fields.finish(reader);
        let (from, to) = (from?, to?);
        let known = catalogue(scale?, separator?);
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

    pub(super) fn leaves_open(&self, direction: Direction) -> bool {
        self.fallback.said(direction).is_none()
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

fn catalogue(scale: usize, separator: String) -> [Conversion; 8] {
    [
        Conversion::IntegerString,
        Conversion::NumberString,
        Conversion::BooleanString,
        Conversion::BooleanInteger,
        Conversion::MinorUnitsDecimal(scale),
        Conversion::UnixSecondsRfc3339,
        Conversion::UnixMillisRfc3339,
        Conversion::CsvArray(separator),
    ]
}
