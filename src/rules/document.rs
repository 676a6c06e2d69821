//! A message's head as JSON, and texts to and from its values.

use http::StatusCode;
use percent_encoding::percent_decode_str;

use crate::json::{Code, Error, Items, Kind, Losses, quote, unescape};

/// An edited head.
pub(super) struct Document<'a>(pub(super) &'a [u8]);

impl Document<'_> {
    pub(super) fn member(&self, name: &str) -> Option<&[u8]> {
        Items::new(self.0, 0)
            .find(|item| *unescape(&self.0[item.name.clone()]) == *name.as_bytes())
            .map(|item| &self.0[item.value])
    }

    /// The members of one of its members.
    pub(super) fn members(&self, name: &str) -> Vec<(String, &[u8])> {
        let Some(object) = self.member(name) else { return Vec::new() };
        Items::new(object, 0)
            .map(|item| (String::from_utf8_lossy(&unescape(&object[item.name])).into_owned(), &object[item.value]))
            .collect()
    }

    /// A status that can end an exchange: 1xx cannot.
    pub(super) fn status(&self) -> Option<StatusCode> {
        let text = std::str::from_utf8(self.member("status")?).ok()?;
        text.parse()
            .ok()
            .and_then(|status| StatusCode::from_u16(status).ok())
            .filter(|status| (200..600).contains(&status.as_u16()))
    }
}

/// Percent-decodes.
pub(super) fn decode(raw: &str) -> Vec<u8> {
    percent_decode_str(raw).collect()
}

/// Appends the value of a parameter, header or cookie: a string, or an array where it stands several times.
pub(super) fn write_values(values: &[String], out: &mut Vec<u8>) {
    match values {
        [one] => quote(one.as_bytes(), out),
        several => write_list(several, out),
    }
}

/// Appends an array of strings.
pub(super) fn write_list(values: &[String], out: &mut Vec<u8>) {
    out.push(b'[');
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        quote(value.as_bytes(), out);
    }
    out.push(b']');
}

/// The texts of a parameter's or header's value: null is none, an array one for each element.
pub(super) fn read_values(value: &[u8], pointer: &str) -> Result<Vec<String>, Error> {
    match Kind::of(value) {
        Kind::Null => Ok(Vec::new()),
        Kind::Array => Items::new(value, 0).map(|item| scalar(&value[item.value], pointer)).collect(),
        _ => scalar(value, pointer).map(|text| vec![text]),
    }
}

/// The text of one value.
pub(super) fn scalar(value: &[u8], pointer: &str) -> Result<String, Error> {
    match Kind::of(value) {
        Kind::String => Ok(String::from_utf8_lossy(&unescape(value)).into_owned()),
        Kind::Number | Kind::Boolean => Ok(String::from_utf8_lossy(value).into_owned()),
        kind => Err(wrong(pointer, &format!("{} has no place in a message's head", kind.name()))),
    }
}

/// A value that has no place in a head.
pub(super) fn wrong(pointer: &str, detail: &str) -> Error {
    Error {
        code: Code::CannotConvert,
        offset: 0,
        pointer: Some(pointer.to_owned()),
        change: None,
        detail: detail.to_owned(),
        losses: Losses::default(),
    }
}
