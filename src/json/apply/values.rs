//! Edits of a value: mapped, converted, wrapped, unwrapped.

use super::super::convert::Way;
use super::super::edit::{Empty, Literal, Many, Otherwise, Over, ValueEdit};
use super::super::error::{Code, Error};
use super::super::loss::When;
use super::super::tree::NodeId;
use super::super::valid::{Kind, same};
use super::limit::{Limited, limit};
use super::{Became, Done, Editor};

impl Editor<'_> {
    pub(super) fn change(&mut self, node: NodeId, how: &ValueEdit) -> Done<Became> {
        match how {
            ValueEdit::Map { pairs, otherwise } => self.map(node, pairs, otherwise),
            ValueEdit::Convert { conversion, way, otherwise } => {
                if self.tree.kind(node) == Kind::Null {
                    return Ok(Became::Same);
                }
                if let Some(made) = conversion.run(*way, &self.tree.text(node)) {
                    return Ok(Became::Other(self.tree.make(|out| out.extend_from_slice(&made))));
                }
                let (from, to) = match (conversion.names(), way) {
                    (names, Way::There) => names,
                    ((first, second), Way::Back) => (second, first),
                };
                let found = excerpt(&self.tree.text(node));
                self.fall_back(otherwise, Code::CannotConvert, || {
                    format!("{found} cannot be converted from {from} to {to}")
                })
            }
            ValueEdit::ToArray { keep_null } => Ok(match (self.tree.kind(node), *keep_null) {
                (Kind::Null, true) => Became::Same,
                (Kind::Null, false) => Became::Other(self.tree.make(|out| out.extend_from_slice(b"[]"))),
                _ => {
                    let array = self.tree.make_array_of(node);
                    self.tree.set_edited(array);
                    Became::Other(array)
                }
            }),
            ValueEdit::FromArray { many, empty, otherwise } => self.collapse(node, *many, *empty, otherwise),
            ValueEdit::ToMember { keep_null: true, .. } if self.tree.kind(node) == Kind::Null => Ok(Became::Same),
            ValueEdit::ToMember { key, with, .. } => {
                let object = self.tree.make_object();
                self.tree.append(object, key, node);
                self.append_literals(object, with);
                Ok(Became::Other(object))
            }
            ValueEdit::FromMember { key, otherwise } => match self.tree.kind(node) {
                Kind::Object => {
                    let link = self.tree.member(node, key)?;
                    self.lose_beside(node);
                    self.gone = None;
                    Ok(link.map_or(Became::Nothing, |link| Became::Other(self.tree.value(link))))
                }
                Kind::Null => Ok(Became::Same),
                kind => self
                    .fall_back(otherwise, Code::NotAnObject, || format!("expected an object, found {}", kind.name())),
            },
            ValueEdit::ToEntries { otherwise, .. }
            | ValueEdit::FromEntries { otherwise, .. }
            | ValueEdit::ToObject { otherwise, .. }
            | ValueEdit::ToTuple { otherwise, .. } => self.reshape(node, how, otherwise),
            ValueEdit::Recase { to, except } => self.recase(node, *to, except),
            ValueEdit::Jq { program } => {
                let mut ended = std::mem::take(self.tree.ended());
                let made = program.run(&self.tree.text(node), self.tally.jq(), &mut ended);
                *self.tree.ended() = ended;
                let made = made?;
                Ok(Became::Other(self.tree.make(|out| out.extend_from_slice(&made))))
            }
            ValueEdit::Limit { bound, over } => {
                let limited = limit(bound, &self.tree.text(node));
                match (limited, over) {
                    (Limited::Within, _) => Ok(Became::Same),
                    (Limited::Over { cut, .. }, Over::Cut) => {
                        self.lose(&When::Acted);
                        Ok(Became::Other(self.tree.make(|out| out.extend_from_slice(&cut))))
                    }
                    (Limited::Over { told, .. }, Over::Otherwise(over)) => {
                        self.fall_back(over, Code::InformationLost, || told)
                    }
                }
            }
        }
    }

    pub(super) fn map(&mut self, node: NodeId, pairs: &[(Vec<u8>, Vec<u8>)], otherwise: &Otherwise) -> Done<Became> {
        let pair = {
            let text = self.tree.text(node);
            pairs.iter().position(|(from, _)| same(&text, from))
        };
        if let Some((at, (from, to))) = pair.and_then(|at| Some((at, pairs.get(at)?))) {
            if !self.losses.is_empty() && merges(pairs, at) {
                self.lose(&When::Acted);
            }
            return Ok(if from == to {
                Became::Same
            } else {
                Became::Other(self.tree.make(|out| out.extend_from_slice(to)))
            });
        }
        if self.tree.kind(node) == Kind::Null {
            return Ok(Became::Same);
        }
        let found = excerpt(&self.tree.text(node));
        self.fall_back(otherwise, Code::NoMapping, || format!("{found} has no counterpart in the other version"))
    }

    pub(super) fn collapse(&mut self, node: NodeId, many: Many, empty: Empty, otherwise: &Otherwise) -> Done<Became> {
        match self.tree.kind(node) {
            Kind::Array => {}
            Kind::Null => return Ok(Became::Same),
            kind => {
                return self
                    .fall_back(otherwise, Code::NotAnArray, || format!("expected an array, found {}", kind.name()));
            }
        }
        let Some(first) = self.tree.first(node) else {
            return match empty {
                Empty::Null => {
                    self.lose(&When::Empty);
                    Ok(Became::Other(self.tree.make(|out| out.extend_from_slice(b"null"))))
                }
                Empty::Absent => Ok(self.gone(&When::Empty)),
                Empty::Fail => Err(Error::new(Code::EmptyArray, 0, "the array is empty, and one element is needed")),
            };
        };
        let (mut last, mut count) = (first, 1);
        while let Some(next) = self.tree.next(last) {
            (last, count) = (next, count + 1);
        }
        if count > 1 && many != Many::Fail {
            self.lose(&When::Acted);
        }
        match many {
            Many::Fail if count > 1 => Err(Error::new(
                Code::InformationLost,
                0,
                format!("the array has {count} elements, and only one has a place"),
            )),
            Many::Fail | Many::First => Ok(Became::Other(self.tree.value(first))),
            Many::Last => Ok(Became::Other(self.tree.value(last))),
        }
    }

    pub(super) fn append_literals(&mut self, object: NodeId, with: &[(String, Literal)]) {
        let values = self.values;
        for (name, literal) in with {
            let value = self.tree.give(|out| literal.render(values, out));
            self.tree.append(object, name, value);
        }
    }

    pub(super) fn fall_back(
        &mut self,
        otherwise: &Otherwise,
        code: Code,
        detail: impl FnOnce() -> String,
    ) -> Done<Became> {
        match otherwise {
            Otherwise::Fail => Err(Error::new(code, 0, detail())),
            Otherwise::Keep => Ok(Became::Same),
            Otherwise::Drop => Ok(self.gone(&When::Acted)),
            Otherwise::Value(text) => {
                self.lose(&When::Acted);
                Ok(Became::Other(self.tree.make(|out| out.extend_from_slice(text))))
            }
        }
    }
}

/// Whether a pair makes of a value what one before it makes of another, so that it does not come back.
pub(super) fn merges(pairs: &[(Vec<u8>, Vec<u8>)], at: usize) -> bool {
    let (before, after) = pairs.split_at(at);
    after.first().is_some_and(|(_, to)| before.iter().any(|(_, other)| same(other, to)))
}

/// The start of a value, for a message: at most 40 characters, safe to print.
fn excerpt(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let short: String = text
        .chars()
        .take(40)
        .flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] })
        .collect();
    if text.chars().nth(40).is_some() { format!("`{short}...`") } else { format!("`{short}`") }
}
