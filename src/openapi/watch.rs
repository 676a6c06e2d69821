//! What edits meet and cannot translate, while they run on schemas.
//!
//! What a schema does not say is not held against an edit: a pattern, a format, or what is meant by a rule's own word
//! for a format such as `decimal_string`.

use serde_json::Value;

use crate::json::edit::{Edit, Many, Otherwise, Token, ValueEdit};
use crate::json::{Conversion, Way};
use crate::rules::contracts::Lacking;
use crate::rules::{Direction, Part};

use super::components::Editing;
use super::schema::{is_required, is_unknown, types};
use super::values::{find_pair, formats, parsed};

/// Bounds the whole numbers that are looked at one by one.
const MOST_NUMBERS: i64 = 1000;

/// An edit, and what it cannot translate.
pub(super) type Seen = (Edit, Lacking);

/// What is watched, and what was seen.
#[derive(Debug)]
pub(super) struct Watch {
    /// The part of the message that is edited.
    pub(super) part: Part,
    /// Which way.
    pub(super) direction: Direction,
    /// Whether the document was written, not derived: of arrays that a rule makes, it does not know that they have one
    /// element.
    pub(super) is_written: bool,
    /// What was seen and not asked for yet.
    pub(super) found: Vec<Seen>,
}

impl Editing {
    /// Whether an edit of values is watched: those that have to be there.
    pub(super) fn is_watched(&mut self, schema: &mut Value, at: &[Token]) -> bool {
        let Some((last, above)) = at.split_last() else { return self.watch.is_some() };
        let (Token::Key(name), true) = (last, self.watch.is_some()) else { return self.watch.is_some() };
        let mut required = false;
        self.at(schema, above, false, &mut |_, schema| required |= is_required(schema, name));
        required
    }

    /// Notes what an edit cannot translate of the values that fit a schema.
    pub(super) fn note(&mut self, schema: &Value, at: &[Token], how: &ValueEdit) {
        let Some(lacking) = self.watch.as_ref().and_then(|watch| self.lacking(watch, schema, how)) else { return };
        if let Some(watch) = &mut self.watch {
            watch.found.push((Edit::Change { at: at.to_vec(), how: how.clone() }, lacking));
        }
    }

    /// What was seen since the last time that it was asked for.
    pub(super) fn seen(&mut self) -> impl Iterator<Item = Seen> {
        self.watch.as_mut().map(|watch| std::mem::take(&mut watch.found)).into_iter().flatten()
    }

    fn lacking(&self, watch: &Watch, schema: &Value, how: &ValueEdit) -> Option<Lacking> {
        if is_unknown(schema) || schema.get("pattern").is_some() {
            return None;
        }
        match how {
            ValueEdit::Map { pairs, otherwise: Otherwise::Fail } => {
                let pairs = parsed(pairs);
                let lacks = |value: &Value| !value.is_null() && find_pair(&pairs, value).is_none();
                self.without(schema, &lacks, || Some(Lacking::Most(types_of(schema)?)))
            }
            ValueEdit::Convert { conversion, way, otherwise: Otherwise::Fail } if watch.part == Part::Body => {
                let text = |value: &Value| value.to_string().into_bytes();
                let lacks = |value: &Value| !value.is_null() && conversion.run(*way, &text(value)).is_none();
                self.without(schema, &lacks, || unconverted(watch.direction, schema, conversion, *way))
            }
            ValueEdit::FromArray { many: Many::Fail, .. } if watch.is_written => {
                let may_be_more = schema["maxItems"].as_u64().is_none_or(|most| most > 1);
                (types(schema).contains(&"array") && may_be_more).then_some(Lacking::Several)
            }
            _ => None,
        }
    }

    /// The values of a schema that it lists and an edit lacks, or what `open` says of one that lists none.
    fn without(
        &self,
        schema: &Value,
        lacks: &dyn Fn(&Value) -> bool,
        open: impl Fn() -> Option<Lacking>,
    ) -> Option<Lacking> {
        let Some(values) = self.domain(schema).or_else(|| numbers(schema)) else { return open() };
        let lacking: Vec<String> = values.iter().filter(|value| lacks(value)).map(Value::to_string).collect();
        (!lacking.is_empty()).then_some(Lacking::Values(lacking))
    }
}

/// Every whole number between narrow bounds.
fn numbers(schema: &Value) -> Option<Vec<Value>> {
    let (least, most) = (schema["minimum"].as_i64()?, schema["maximum"].as_i64()?);
    let is_narrow = types(schema) == ["integer"] && most.checked_sub(least)? < MOST_NUMBERS;
    is_narrow.then(|| (least..=most).map(Value::from).collect())
}

/// The types of a schema in words, null aside: `string`, `integer or string`.
fn types_of(schema: &Value) -> Option<String> {
    let names: Vec<&str> = types(schema).into_iter().filter(|name| *name != "null").collect();
    (!names.is_empty()).then(|| names.join(" or "))
}

/// What a conversion cannot read of the values of a schema that lists none.
fn unconverted(direction: Direction, schema: &Value, conversion: &Conversion, way: Way) -> Option<Lacking> {
    let (from, _) = formats(conversion, way);
    let expected = types(&from).first().copied().unwrap_or_default();
    let others = types(schema).into_iter().filter(|name| *name != "null" && *name != expected);
    let others: Vec<&str> = others.filter(|name| (expected, *name) != ("number", "integer")).collect();
    if !others.is_empty() {
        return Some(Lacking::Kind { expected: expected.to_owned(), found: others.join(" or ") });
    }
    // Of a `string` that becomes something else, a rule says no format; what it makes of one, it does.
    let reads_text = direction == Direction::Up
        && way == Way::Back
        && matches!(conversion, Conversion::IntegerString | Conversion::NumberString | Conversion::BooleanString);
    let is_open = types(schema).contains(&"string") && schema.get("format").is_none();
    (reads_text && is_open).then(|| Lacking::Most("string".to_owned()))
}
