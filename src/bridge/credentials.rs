//! What clients say for themselves: a query in protocol 4, a JSON object in protocol 5.

use std::borrow::Cow;

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};

use crate::framing::socketio::quoted;
use crate::json::{Items, Kind, unescape};

/// All that `encodeURIComponent` encodes.
const COMPONENT: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

/// A query's parameters as an object; parameters of one name become an array.
pub(super) fn object(query: &[u8]) -> Bytes {
    let mut members: Vec<(String, Vec<Bytes>)> = Vec::new();
    for (name, value) in parameters(query) {
        let value = quoted(&value);
        match members.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => values.push(value),
            None => members.push((name.into_owned(), vec![value])),
        }
    }
    let members = members.iter().map(|(name, values)| {
        let list = values.join(&b","[..]);
        let value = if values.len() == 1 { list } else { [b"[", &*list, b"]"].concat() };
        [&*quoted(name), b":", &value].concat()
    });
    [b"{", &*members.collect::<Vec<_>>().join(&b","[..]), b"}"].concat().into()
}

/// The parameters of a query that have one of these names, as a JSON object; `None` where there is none.
#[must_use]
pub fn chosen_from_query(query: &[u8], names: &[String]) -> Option<Bytes> {
    let fields = query.split(|byte| *byte == b'&');
    let wanted = |field: &&[u8]| parameters(field).any(|(name, _)| names.iter().any(|wanted| *wanted == name));
    let fields: Vec<&[u8]> = fields.filter(wanted).collect();
    (!fields.is_empty()).then(|| object(&fields.join(&b'&')))
}

/// An object's members as a query: strings as they are, other values as JSON text.
pub(super) fn query(object: &[u8]) -> Bytes {
    let object = object.trim_ascii();
    if object.is_empty() || Kind::of(object) != Kind::Object {
        return Bytes::new();
    }
    let fields = Items::new(object, 0).map(|item| {
        let value = &object[item.value];
        let value = if Kind::of(value) == Kind::String { unescape(value) } else { Cow::Borrowed(value) };
        format!("{}={}", encoded(&unescape(&object[item.name])), encoded(&value))
    });
    fields.collect::<Vec<String>>().join("&").into()
}

fn encoded(text: &[u8]) -> String {
    utf8_percent_encode(&String::from_utf8_lossy(text), &COMPONENT).to_string()
}

/// The names and values of a query, decoded once.
pub(super) fn parameters(query: &[u8]) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    let fields = query.split(|byte| *byte == b'&').filter(|field| !field.is_empty());
    fields.map(|field| {
        let end = memchr::memchr(b'=', field).unwrap_or(field.len());
        (decoded(&field[..end]), decoded(field.get(end + 1..).unwrap_or_default()))
    })
}

fn decoded(text: &[u8]) -> Cow<'_, str> {
    if !text.contains(&b'+') {
        return percent_decode(text).decode_utf8_lossy();
    }
    let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    Cow::Owned(percent_decode(&spaced).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_become_objects() {
        let cases = [
            ("", "{}"),
            ("token=secret", r#"{"token":"secret"}"#),
            ("a=1&b=x%2By+z&a=2&c", r#"{"a":["1","2"],"b":"x+y z","c":""}"#),
            ("special=a%20b%26c%3Dd%2F%C3%A9%F0%9F%99%82%3F", r#"{"special":"a b&c=d/é🙂?"}"#),
            ("%22=%5C&&", r#"{"\"":"\\"}"#),
        ];
        for (query, want) in cases {
            assert_eq!(object(query.as_bytes()), want, "{query}");
        }
        assert_eq!(chosen_from_query(b"a=1&token=x&b=2", &["token".to_owned()]).unwrap(), r#"{"token":"x"}"#);
        assert_eq!(chosen_from_query(b"a=1", &["token".to_owned()]), None);
    }

    #[test]
    fn objects_become_queries() {
        let cases = [
            ("", ""),
            ("{}", ""),
            (r#"{"token":"secret"}"#, "token=secret"),
            (
                r#" {"a b":"c&d=é\u00e9/?", "n":1.50, "o":{"x":[true]}, "z":null} "#,
                "a%20b=c%26d%3D%C3%A9%C3%A9%2F%3F&n=1.50&o=%7B%22x%22%3A%5Btrue%5D%7D&z=null",
            ),
        ];
        for (object, want) in cases {
            assert_eq!(query(object.as_bytes()), want, "{object}");
        }
    }
}
