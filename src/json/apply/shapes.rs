//! Edits of a container's shape: objects and arrays of entries, arrays and objects by position.
//!
//! They work on text: names, values and escapes inside are copied as they stand.

use super::super::edit::{Otherwise, ValueEdit};
use super::super::error::{Code, Error};
use super::super::loss::When;
use super::super::text::{name_is, quoted, unescape};
use super::super::tree::NodeId;
use super::super::valid::{Items, Kind};
use super::{Became, Done, Editor};

/// A reshaped text, or that the value does not have the shape that is expected.
enum Shaped {
    To(Vec<u8>),
    /// The same; something had no place in it.
    Part(Vec<u8>),
    Not(Code, &'static str),
}

impl Editor<'_> {
    pub(super) fn reshape(&mut self, node: NodeId, how: &ValueEdit, otherwise: &Otherwise) -> Done<Became> {
        if self.tree.kind(node) == Kind::Null {
            return Ok(Became::Same);
        }
        let shaped = {
            let text = self.tree.text(node);
            match how {
                ValueEdit::ToEntries { key, value, .. } => to_entries(&text, key, value.as_deref())?,
                ValueEdit::FromEntries { key, value, .. } => from_entries(&text, key, value.as_deref())?,
                ValueEdit::ToObject { keys, drop_extra, .. } => to_object(&text, keys, *drop_extra)?,
                ValueEdit::ToTuple { keys, drop_extra, .. } => to_tuple(&text, keys, *drop_extra)?,
                _ => return Ok(Became::Same),
            }
        };
        match shaped {
            Shaped::To(text) => Ok(Became::Other(self.tree.make(|out| out.extend_from_slice(&text)))),
            Shaped::Part(text) => {
                self.lose(&When::Acted);
                Ok(Became::Other(self.tree.make(|out| out.extend_from_slice(&text))))
            }
            Shaped::Not(code, expected) => {
                let found = self.tree.kind(node).name();
                self.fall_back(otherwise, code, || format!("expected {expected}, found {found}"))
            }
        }
    }
}

/// Text that grows by items with commas between them.
struct List {
    text: Vec<u8>,
    close: u8,
}

impl List {
    fn object() -> Self {
        Self { text: b"{".to_vec(), close: b'}' }
    }

    fn array() -> Self {
        Self { text: b"[".to_vec(), close: b']' }
    }

    fn next(&mut self) -> &mut Vec<u8> {
        if self.text.len() > 1 {
            self.text.push(b',');
        }
        &mut self.text
    }

    fn member(&mut self, name: &[u8], value: &[u8]) {
        let text = self.next();
        text.extend_from_slice(name);
        text.push(b':');
        text.extend_from_slice(value);
    }

    fn end(mut self) -> Vec<u8> {
        self.text.push(self.close);
        self.text
    }
}

fn duplicate(name: &[u8]) -> Error {
    let detail = format!("the name {} stands twice", String::from_utf8_lossy(name));
    Error::new(Code::DuplicateKey, 0, detail)
}

/// The names seen so far; a second one of a name is an error.
#[derive(Default)]
struct Seen(std::collections::HashSet<Vec<u8>>);

impl Seen {
    fn add(&mut self, name: &[u8]) -> Done<()> {
        if self.0.insert(unescape(name).into_owned()) { Ok(()) } else { Err(duplicate(name)) }
    }
}

/// The value of a member of an object; two of the name are an error.
fn member<'t>(object: &'t [u8], key: &str) -> Done<Option<&'t [u8]>> {
    if Kind::of(object) != Kind::Object {
        return Ok(None);
    }
    let mut hits = Items::new(object, 0).filter(|item| name_is(&object[item.name.clone()], key));
    match (hits.next(), hits.next()) {
        (Some(item), Some(_)) => Err(duplicate(&object[item.name])),
        (hit, _) => Ok(hit.map(|item| &object[item.value])),
    }
}

fn to_entries(text: &[u8], key: &str, value: Option<&str>) -> Done<Shaped> {
    const NOT: Shaped = Shaped::Not(Code::NotAnObject, "an object");
    if Kind::of(text) != Kind::Object {
        return Ok(NOT);
    }
    let (key_text, mut seen, mut list) = (quoted(key), Seen::default(), List::array());
    for item in Items::new(text, 0) {
        let (name, inner) = (&text[item.name], &text[item.value]);
        seen.add(name)?;
        let mut entry = List::object();
        entry.member(&key_text, name);
        match value {
            Some(value) => entry.member(&quoted(value), inner),
            None if Kind::of(inner) != Kind::Object => {
                return Ok(Shaped::Not(Code::NotAnObject, "an object of objects"));
            }
            None if member(inner, key)?.is_some() => {
                return Err(Error::new(Code::Conflict, 0, format!("an entry has a member `{key}` already")));
            }
            None => Items::new(inner, 0).for_each(|m| entry.member(&inner[m.name], &inner[m.value])),
        }
        list.next().extend_from_slice(&entry.end());
    }
    Ok(Shaped::To(list.end()))
}

fn from_entries(text: &[u8], key: &str, value: Option<&str>) -> Done<Shaped> {
    if Kind::of(text) != Kind::Array {
        return Ok(Shaped::Not(Code::NotAnArray, "an array"));
    }
    let (mut seen, mut object) = (Seen::default(), List::object());
    for item in Items::new(text, 0) {
        let entry = &text[item.value];
        let name = member(entry, key)?.filter(|name| Kind::of(name) == Kind::String);
        let Some(name) = name else {
            return Err(Error::new(Code::EntryWithoutKey, 0, format!("an entry has no string `{key}` to be its name")));
        };
        seen.add(name)?;
        let Some(value) = value else {
            let mut inner = List::object();
            let rest = Items::new(entry, 0).filter(|m| !name_is(&entry[m.name.clone()], key));
            rest.for_each(|m| inner.member(&entry[m.name], &entry[m.value]));
            object.member(name, &inner.end());
            continue;
        };
        object.member(name, member(entry, value)?.unwrap_or(b"null"));
    }
    Ok(Shaped::To(object.end()))
}

fn to_object(text: &[u8], keys: &[String], drop_extra: bool) -> Done<Shaped> {
    if Kind::of(text) != Kind::Array {
        return Ok(Shaped::Not(Code::NotAnArray, "an array"));
    }
    let mut names = keys.iter();
    let mut object = List::object();
    for item in Items::new(text, 0) {
        match names.next() {
            Some(name) => object.member(&quoted(name), &text[item.value]),
            None if drop_extra => return Ok(Shaped::Part(object.end())),
            None => {
                return Err(Error::new(Code::InformationLost, 0, "the array has more elements than there are names"));
            }
        }
    }
    Ok(Shaped::To(object.end()))
}

fn to_tuple(text: &[u8], keys: &[String], drop_extra: bool) -> Done<Shaped> {
    if Kind::of(text) != Kind::Object {
        return Ok(Shaped::Not(Code::NotAnObject, "an object"));
    }
    let named = |item: &super::super::valid::Item| keys.iter().any(|key| name_is(&text[item.name.clone()], key));
    let has_extra = !Items::new(text, 0).all(|item| named(&item));
    if has_extra && !drop_extra {
        return Err(Error::new(Code::InformationLost, 0, "the object has a member without a position"));
    }
    let values = keys.iter().map(|key| member(text, key)).collect::<Done<Vec<_>>>()?;
    let used = values.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
    let mut array = List::array();
    // An array cannot skip a position.
    values[..used].iter().for_each(|value| array.next().extend_from_slice(value.unwrap_or(b"null")));
    Ok(if has_extra { Shaped::Part(array.end()) } else { Shaped::To(array.end()) })
}
