//! JSON texts found by their value, where comparing each with each would take too long.

use std::collections::HashMap;

use super::text::unescape;
use super::valid::{Items, Kind, decimal, same};

/// Positions of JSON texts.
#[derive(Debug, Default)]
pub(crate) struct ByValue<'t> {
    alike: HashMap<Vec<u8>, Vec<(usize, &'t [u8])>>,
}

impl<'t> ByValue<'t> {
    /// The position of the first text with this value; this one's own, if it is the first.
    pub(crate) fn first(&mut self, at: usize, text: &'t [u8]) -> usize {
        let mut key = Vec::new();
        push_key(text, &mut key);
        let alike = self.alike.entry(key).or_default();
        let known = alike.iter().find(|(_, other)| same(other, text)).map(|(known, _)| *known);
        known.unwrap_or_else(|| {
            alike.push((at, text));
            at
        })
    }
}

/// What texts of one value have in common; few others have it.
fn push_key(text: &[u8], key: &mut Vec<u8>) {
    let kind = Kind::of(text);
    key.extend_from_slice(kind.name().as_bytes());
    match kind {
        Kind::Null => {}
        Kind::Boolean => key.extend_from_slice(text),
        Kind::String => key.extend_from_slice(&unescape(text)),
        Kind::Number => {
            let (is_negative, digits, power) = decimal(text);
            key.extend_from_slice(format!("{is_negative} {power:?} ").as_bytes());
            key.extend_from_slice(&digits);
        }
        Kind::Array => Items::new(text, 0).for_each(|item| push_key(&text[item.value], key)),
        Kind::Object => key.extend_from_slice(&Items::new(text, 0).count().to_le_bytes()),
    }
    key.push(0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_one_value_are_one() {
        let texts: [&[u8]; 9] =
            [b"1", b"\"1\"", b"1.0", b"[1,\"a\"]", b"[1e0,\"\\u0061\"]", b"null", b"{}", b"{\"a\":1}", b"{\"b\":1}"];
        let mut known = ByValue::default();
        let first: Vec<usize> = texts.iter().enumerate().map(|(at, text)| known.first(at, text)).collect();
        assert_eq!(first, [0, 1, 0, 3, 3, 5, 6, 7, 8]);
    }
}
