//! The version that a socket's first message names.

use std::ops::Range;

use crate::json::{Error, Item, Items, Kind, Limits, quote, unescape, validate};
use crate::version::TellBackend;

use super::socket::only_member;

/// A version's label in a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// What the client named.
    pub label: String,
    /// The label's bytes, with their quotes.
    value: Range<usize>,
    /// The bytes that go with the member.
    member: Range<usize>,
}

impl Named {
    /// The label at the end of these names: a string that is not empty, or a number. What is not JSON, or has no such
    /// value there, names nothing.
    ///
    /// # Errors
    /// [`Code::DuplicateKey`](crate::json::Code::DuplicateKey) if a name on the way stands twice.
    pub fn find(names: &[String], message: &[u8], limits: Limits) -> Result<Option<Self>, Error> {
        let start = message.len() - message.trim_ascii_start().len();
        let (mut value, mut member) = (start..message.trim_ascii_end().len(), 0..0);
        if value.is_empty() || validate(message, limits).is_err() {
            return Ok(None);
        }
        for (at, name) in names.iter().enumerate() {
            let object = &message[value.clone()];
            if Kind::of(object) != Kind::Object {
                return Ok(None);
            }
            let Some(found) = only_member(object, name, &names[..=at])? else { return Ok(None) };
            let from = value.start;
            member = with_comma(object, &found);
            member = member.start + from..member.end + from;
            value = found.value.start + from..found.value.end + from;
        }
        let text = &message[value.clone()];
        let label = match Kind::of(text) {
            Kind::String => String::from_utf8_lossy(&unescape(text)).into_owned(),
            Kind::Number => String::from_utf8_lossy(text).into_owned(),
            _ => return Ok(None),
        };
        Ok((!label.is_empty()).then_some(Self { label, value, member }))
    }

    /// The message as the backend is to read it; `None`: as it came.
    #[must_use]
    pub fn tell(&self, message: &[u8], how: TellBackend, label: &str) -> Option<Vec<u8>> {
        let is_number = Kind::of(&message[self.value.clone()]) == Kind::Number;
        let (range, put) = match how {
            TellBackend::Keep => return None,
            TellBackend::Strip => (self.member.clone(), Vec::new()),
            // A number stays one where the label is one.
            TellBackend::Rewrite if is_number && validate(label.as_bytes(), Limits::default()).is_ok() => {
                (self.value.clone(), label.as_bytes().to_vec())
            }
            TellBackend::Rewrite => {
                let mut text = Vec::new();
                quote(label.as_bytes(), &mut text);
                (self.value.clone(), text)
            }
        };
        let mut told = message.to_vec();
        told.splice(range, put);
        Some(told)
    }
}

/// A member with the comma that goes with it.
fn with_comma(object: &[u8], member: &Item) -> Range<usize> {
    let mut before = None;
    for item in Items::new(object, 0) {
        if item.name.start > member.name.start {
            // The first one of several goes with what is up to the next.
            return before.map_or(member.name.start..item.name.start, |before| before..member.value.end);
        }
        if item.name.start < member.name.start {
            before = Some(item.value.end);
        }
    }
    before.unwrap_or(member.name.start)..member.value.end
}
