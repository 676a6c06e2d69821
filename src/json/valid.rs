//! Walking JSON text that is known to be valid: held scopes, and literals of a program.
//!
//! Nothing here checks the grammar again; on invalid text the walk ends early or gives nonsense, but never
//! panics and always ends.

use std::ops::Range;

use super::blocks::plain_end;
use super::scanner::skip_space;
use super::text::unescape;

/// What a value is, told by its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Array,
    String,
    Number,
    Boolean,
    Null,
}

impl Kind {
    /// The kind of the value that `text` starts with.
    pub(crate) fn of(text: &[u8]) -> Self {
        match text.first() {
            Some(b'{') => Self::Object,
            Some(b'[') => Self::Array,
            Some(b'"') => Self::String,
            Some(b't' | b'f') => Self::Boolean,
            Some(b'n') => Self::Null,
            _ => Self::Number,
        }
    }

    /// For messages: `a string`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Object => "an object",
            Self::Array => "an array",
            Self::String => "a string",
            Self::Number => "a number",
            Self::Boolean => "a boolean",
            Self::Null => "null",
        }
    }
}

/// One past the value that starts at `pos`.
pub(crate) fn value_end(text: &[u8], pos: usize) -> usize {
    match text.get(pos) {
        Some(b'"') => string_end(text, pos),
        Some(b'{' | b'[') => container_end(text, pos),
        _ => scalar_end(text, pos),
    }
}

fn string_end(text: &[u8], start: usize) -> usize {
    let mut pos = start + 1;
    loop {
        pos = plain_end(text, pos);
        match text.get(pos) {
            Some(b'\\') => pos += 2,
            Some(_) => return pos + 1,
            None => return text.len(),
        }
    }
}

fn scalar_end(text: &[u8], start: usize) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    let ends = |b: &u8| matches!(b, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t');
    rest.iter().position(ends).map_or(text.len(), |len| start + len)
}

fn container_end(text: &[u8], start: usize) -> usize {
    let (mut pos, mut depth) = (start, 0_usize);
    while let Some(byte) = text.get(pos) {
        match byte {
            b'"' => {
                pos = string_end(text, pos);
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 1 => return pos + 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        pos += 1;
    }
    text.len()
}

/// Where one member or element lies: `unit` is everything between the commas (or brackets) around it,
/// `name` is empty for an element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) unit: Range<usize>,
    pub(crate) name: Range<usize>,
    pub(crate) value: Range<usize>,
}

/// The members of an object or elements of an array, in order. Positions are those in `text`.
pub(crate) struct Items<'a> {
    text: &'a [u8],
    pos: usize,
    object: bool,
}

impl<'a> Items<'a> {
    /// Of the container that starts at `start`.
    pub(crate) fn new(text: &'a [u8], start: usize) -> Self {
        let object = text.get(start) == Some(&b'{');
        let first = skip_space(text, start + 1);
        let empty = matches!(text.get(first), None | Some(b'}' | b']'));
        Self { text, pos: if empty { text.len() } else { start + 1 }, object }
    }

    /// Goes on at `pos`, which [`Items::position`] gave, in the container that starts at `start`.
    pub(crate) fn resume(text: &'a [u8], pos: usize, start: usize) -> Self {
        Self { text, pos, object: text.get(start) == Some(&b'{') }
    }

    /// Where the next item begins; the text's length if there is none.
    pub(crate) fn position(&self) -> usize {
        self.pos
    }
}

impl Iterator for Items<'_> {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        if self.pos >= self.text.len() {
            return None;
        }
        let unit = self.pos;
        let mut at = skip_space(self.text, unit);
        let mut name = at..at;
        if self.object {
            name = at..value_end(self.text, at);
            let colon = skip_space(self.text, name.end);
            at = skip_space(self.text, colon + 1);
        }
        let value = at..value_end(self.text, at);
        let end = skip_space(self.text, value.end);
        self.pos = if self.text.get(end) == Some(&b',') { end + 1 } else { self.text.len() };
        Some(Item { unit: unit..end, name, value })
    }
}

/// Whether two JSON texts are the same value: numbers by exact decimal value, strings by code point, objects
/// without regard to order. A member that stands twice is never the same as anything.
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    let kind = Kind::of(a);
    if kind != Kind::of(b) {
        return false;
    }
    match kind {
        Kind::Null => true,
        Kind::Boolean => a == b,
        Kind::String => a == b || (has_escape(a) || has_escape(b)) && unescape(a) == unescape(b),
        Kind::Number => a == b || same_number(a, b),
        Kind::Array => same_elements(a, b),
        Kind::Object => same_members(a, b),
    }
}

fn has_escape(text: &[u8]) -> bool {
    memchr::memchr(b'\\', text).is_some()
}

fn same_elements(a: &[u8], b: &[u8]) -> bool {
    let (mut left, mut right) = (Items::new(a, 0), Items::new(b, 0));
    loop {
        match (left.next(), right.next()) {
            (None, None) => return true,
            (Some(x), Some(y)) if same(&a[x.value.clone()], &b[y.value.clone()]) => {}
            _ => return false,
        }
    }
}

fn same_members(a: &[u8], b: &[u8]) -> bool {
    if Items::new(a, 0).count() != Items::new(b, 0).count() {
        return false;
    }
    Items::new(a, 0).all(|x| {
        let name = unescape(&a[x.name.clone()]);
        let mut hits = Items::new(b, 0).filter(|y| unescape(&b[y.name.clone()]) == name);
        match (hits.next(), hits.next()) {
            (Some(y), None) => same(&a[x.value.clone()], &b[y.value]),
            _ => false,
        }
    })
}

fn same_number(a: &[u8], b: &[u8]) -> bool {
    decimal(a) == decimal(b)
}

/// Compares two numbers by exact decimal value; `None` where an exponent does not fit 64 bits.
pub(crate) fn compare_numbers(a: &[u8], b: &[u8]) -> Option<std::cmp::Ordering> {
    let ((a_negative, a_digits, a_power), (b_negative, b_digits, b_power)) = (decimal(a), decimal(b));
    // The power of ten of the first digit decides before the digits do; zero is below everything positive.
    let size = |digits: &[u8], power: Result<i64, &[u8]>| -> Option<(bool, i64)> {
        let power = power.ok()?.checked_add(i64::try_from(digits.len()).ok()?)?;
        Some(if digits.is_empty() { (false, 0) } else { (true, power) })
    };
    let magnitude = size(&a_digits, a_power)?.cmp(&size(&b_digits, b_power)?).then_with(|| a_digits.cmp(&b_digits));
    Some(match (a_negative, b_negative) {
        (false, false) => magnitude,
        (true, true) => magnitude.reverse(),
        (true, false) => std::cmp::Ordering::Less,
        (false, true) => std::cmp::Ordering::Greater,
    })
}

/// A number as sign, significant digits without zeros at either end, and the power of ten of the last digit.
/// Exponents too large for 64 bits are told apart by their text alone.
pub(super) fn decimal(text: &[u8]) -> (bool, Vec<u8>, Result<i64, &[u8]>) {
    let negative = text.first() == Some(&b'-');
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let (mantissa, exponent) = match text.iter().position(|b| b | 0x20 == b'e') {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, &b"0"[..]),
    };
    let fraction = mantissa.iter().position(|&b| b == b'.').map_or(0, |point| mantissa.len() - point - 1);
    let mut digits: Vec<u8> = mantissa.iter().copied().filter(|&b| b != b'.').skip_while(|&b| b == b'0').collect();
    let significant = digits.iter().rposition(|&b| b != b'0').map_or(0, |at| at + 1);
    let zeros = digits.len() - significant;
    digits.truncate(significant);
    if digits.is_empty() {
        return (false, digits, Ok(0));
    }
    let shift = i64::try_from(zeros).unwrap_or(0) - i64::try_from(fraction).unwrap_or(0);
    let power =
        std::str::from_utf8(exponent).ok().and_then(|e| e.parse::<i64>().ok()).and_then(|e| e.checked_add(shift));
    (negative, digits, power.ok_or(exponent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equality_is_of_values_not_of_spelling() {
        let equal = [
            ("1", "1.0"),
            ("100", "1e2"),
            ("-0", "0"),
            ("0.00", "0e99999999999999999999"),
            ("12345678901234567890", "1234567890123456789e1"),
            ("1E400", "10e399"),
            (r#""\u0041""#, r#""A""#),
            (r#"{"a":1,"b":[ 2 ]}"#, r#"{ "b":[2.0], "\u0061" : 1}"#),
        ];
        let unequal = [
            ("1", "\"1\""),
            ("12345678901234567890", "12345678901234567891"),
            ("1e1", "-1e1"),
            ("1e99999999999999999999", "1e99999999999999999998"),
            ("true", "false"),
            ("[]", "{}"),
            ("[1]", "[1,1]"),
            (r#"{"a":1}"#, r#"{"a":1,"a":1}"#),
            (r#"{"a":1,"a":1}"#, r#"{"a":1,"a":1}"#),
        ];
        for (a, b) in equal {
            assert!(same(a.as_bytes(), b.as_bytes()), "{a} {b}");
        }
        for (a, b) in unequal {
            assert!(!same(a.as_bytes(), b.as_bytes()), "{a} {b}");
        }
    }

    #[test]
    fn numbers_have_an_order() {
        let ascending = [
            "-1e99",
            "-10",
            "-9.5",
            "-0.1",
            "0",
            "1e-9",
            "0.1",
            "0.11",
            "9",
            "9.5",
            "10",
            "1e2",
            "12345678901234567890",
            "12345678901234567891",
            "1e400",
        ];
        for (at, a) in ascending.iter().enumerate() {
            for (other, b) in ascending.iter().enumerate() {
                assert_eq!(compare_numbers(a.as_bytes(), b.as_bytes()), Some(at.cmp(&other)), "{a} {b}");
            }
        }
    }

    #[test]
    fn units_keep_the_white_space_around_a_member() {
        let text = br#"{ "a" : 1 ,"b":[ ] }"#;
        let items: Vec<_> = Items::new(text, 0).map(|i| (&text[i.unit], &text[i.name], &text[i.value])).collect();
        assert_eq!(items, [(&b" \"a\" : 1 "[..], &b"\"a\""[..], &b"1"[..]), (b"\"b\":[ ] ", b"\"b\"", b"[ ]")]);
        assert_eq!(Items::new(b"[ ]", 0).count(), 0);
    }
}
