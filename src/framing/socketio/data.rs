//! The JSON of events: a list whose first element is the event's name.

use std::borrow::Cow;

use bytes::Bytes;

use crate::json::{Items, Kind, quote, unescape};

/// Whether an event's list begins with a name.
pub(super) fn has_name(list: &[u8]) -> bool {
    matches!(name(list).map(Kind::of), Some(Kind::String | Kind::Number))
}

/// The JSON text of an event's name.
fn name(list: &[u8]) -> Option<&[u8]> {
    let list = list.trim_ascii_start();
    if Kind::of(list) != Kind::Array {
        return None;
    }
    Items::new(list, 0).next().map(|item| &list[item.value])
}

/// The name of an event, from its list; `None` where it is no string.
#[must_use]
pub fn event(list: &[u8]) -> Option<Cow<'_, str>> {
    let name = name(list).filter(|name| Kind::of(name) == Kind::String)?;
    Some(match unescape(name) {
        Cow::Borrowed(name) => String::from_utf8_lossy(name),
        Cow::Owned(name) => Cow::Owned(String::from_utf8_lossy(&name).into_owned()),
    })
}

/// The arguments of an event as a list of their own, without the name.
#[must_use]
pub fn split_event(list: &[u8]) -> Vec<u8> {
    let list = list.trim_ascii_start();
    let mut items = Items::new(list, 0).skip(1);
    let rest = items.next().map_or(&b"]"[..], |second| &list[second.unit.start..]);
    [b"[", rest].concat()
}

/// An event's list, from its name and the list of its arguments.
#[must_use]
pub fn join_event(name: &str, arguments: &[u8]) -> Bytes {
    let arguments = arguments.trim_ascii_start();
    let mut list = Vec::with_capacity(name.len() + arguments.len() + 4);
    list.push(b'[');
    quote(name.as_bytes(), &mut list);
    if Items::new(arguments, 0).next().is_some() {
        list.push(b',');
    }
    list.extend_from_slice(arguments.get(1..).unwrap_or(b"]"));
    list.into()
}

/// A JSON string.
#[must_use]
pub fn quoted(text: &str) -> Bytes {
    let mut out = Vec::with_capacity(text.len() + 2);
    quote(text.as_bytes(), &mut out);
    out.into()
}
