//! Values that rules write.

use super::convert::instant;
use super::text::{quote, quoted};
use super::valid::{Items, Kind};
use super::{Now, Values};

/// A value of a rule: JSON text in which the strings `"$now"`, `"$version"` and `"$uuid"` stand for what a
/// message gives.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Literal(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(Vec<u8>),
    Now,
    Version,
    Uuid,
}

impl Literal {
    /// From valid JSON text.
    #[must_use]
    pub fn new(json: &[u8]) -> Self {
        let mut literal = Self::default();
        literal.push_value(json);
        literal
    }

    /// JSON text as the rule has it, with `"$now"` and `"$version"` in their places.
    #[must_use]
    pub fn text(&self) -> Vec<u8> {
        let values = Values { now: "$now".into(), version: "$version".into(), ..Values::default() };
        let mut text = Vec::new();
        self.render(&values, &mut text);
        text
    }

    /// A literal whose text is joined from others.
    pub(super) fn push_text(&mut self, text: &[u8]) {
        match self.0.last_mut() {
            Some(Piece::Text(last)) => last.extend_from_slice(text),
            _ => self.0.push(Piece::Text(text.to_vec())),
        }
    }

    pub(super) fn push(&mut self, other: &Self) {
        for piece in &other.0 {
            match piece {
                Piece::Text(text) => self.push_text(text),
                other => self.0.push(other.clone()),
            }
        }
    }

    /// Appends `,"name":value` for each pair.
    pub(super) fn push_members(&mut self, with: &[(String, Self)]) {
        for (name, value) in with {
            self.push_text(b",");
            self.push_text(&quoted(name));
            self.push_text(b":");
            self.push(value);
        }
    }

    fn push_value(&mut self, json: &[u8]) {
        match Kind::of(json) {
            Kind::String if json == b"\"$now\"" => self.0.push(Piece::Now),
            Kind::String if json == b"\"$version\"" => self.0.push(Piece::Version),
            Kind::String if json == b"\"$uuid\"" => self.0.push(Piece::Uuid),
            Kind::Object | Kind::Array => {
                let mut copied = 0;
                for item in Items::new(json, 0) {
                    self.push_text(&json[copied..item.value.start]);
                    self.push_value(&json[item.value.clone()]);
                    copied = item.value.end;
                }
                self.push_text(&json[copied..]);
            }
            _ => self.push_text(json),
        }
    }

    /// The text, if it is the same for every message.
    pub(super) fn constant(&self) -> Option<&[u8]> {
        match self.0.as_slice() {
            [] => Some(&[]),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The text for one message.
    pub(super) fn render(&self, values: &Values, out: &mut Vec<u8>) {
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text),
                Piece::Now => match &values.now {
                    Now::Millis(millis) => out.extend_from_slice(&instant(*millis)),
                    Now::Text(text) => quote(text.as_bytes(), out),
                },
                Piece::Version => quote(values.version.as_bytes(), out),
                Piece::Uuid => quote(values.uuids.next().as_bytes(), out),
            }
        }
    }
}

impl std::fmt::Display for Literal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|piece| match piece {
            Piece::Text(text) => f.write_str(&String::from_utf8_lossy(text)),
            Piece::Now => f.write_str("$now"),
            Piece::Version => f.write_str("$version"),
            Piece::Uuid => f.write_str("$uuid"),
        })
    }
}
