//! JSON string text (RFC 8259 section 7): comparing, unescaping, quoting.

use std::borrow::Cow;

/// Whether a member's name, as it stands in the document with its quotes, is `name` after unescaping.
/// Names compare by code point; nothing is normalised.
pub(crate) fn name_is(raw: &[u8], name: &str) -> bool {
    let inner = inner(raw);
    if inner.len() == name.len() {
        // An escape is longer than what it stands for, so equal lengths with an escape are never equal.
        return inner == name.as_bytes();
    }
    inner.len() > name.len() && memchr::memchr(b'\\', inner).is_some() && *unescape(raw) == *name.as_bytes()
}

/// A string's text between its quotes.
fn inner(raw: &[u8]) -> &[u8] {
    raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default()
}

/// A string's bytes after unescaping. A lone surrogate becomes its three-byte encoding, which no valid
/// UTF-8 equals: it survives comparison with itself and never matches a rule.
pub(crate) fn unescape(raw: &[u8]) -> Cow<'_, [u8]> {
    let text = inner(raw);
    let Some(first) = memchr::memchr(b'\\', text) else {
        return Cow::Borrowed(text);
    };
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    let mut next = Some(first);
    while let Some(at) = next {
        out.extend_from_slice(&rest[..at]);
        rest = unescape_one(&rest[at + 1..], &mut out);
        next = memchr::memchr(b'\\', rest);
    }
    out.extend_from_slice(rest);
    Cow::Owned(out)
}

/// Unescapes what follows a backslash; returns the text after it. The text is known to be valid.
fn unescape_one<'a>(text: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let Some((&escape, rest)) = text.split_first() else {
        return text;
    };
    let plain = match escape {
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'u' => return unescape_unicode(rest, out),
        other => other,
    };
    out.push(plain);
    rest
}

fn unescape_unicode<'a>(text: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let (first, rest) = hex4(text);
    if (0xd800..0xdc00).contains(&first) && rest.starts_with(b"\\u") {
        let (second, after) = hex4(&rest[2..]);
        if (0xdc00..0xe000).contains(&second) {
            push_code_point(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00), out);
            return after;
        }
    }
    push_code_point(first, out);
    rest
}

fn hex4(text: &[u8]) -> (u32, &[u8]) {
    let split = text.len().min(4);
    let value = text[..split].iter().fold(0, |n, &b| n * 16 + char::from(b).to_digit(16).unwrap_or(0));
    (value, &text[split..])
}

#[expect(clippy::cast_possible_truncation, reason = "each byte is masked to its six payload bits")]
fn push_code_point(point: u32, out: &mut Vec<u8>) {
    if let Some(c) = char::from_u32(point) {
        let mut utf8 = [0; 4];
        out.extend_from_slice(c.encode_utf8(&mut utf8).as_bytes());
    } else {
        out.extend_from_slice(&[
            0xe0 | (point >> 12) as u8,
            0x80 | (point >> 6 & 0x3f) as u8,
            0x80 | (point & 0x3f) as u8,
        ]);
    }
}

/// Appends `text` as a JSON string, with no more escapes than RFC 8259 demands.
pub(crate) fn quote(text: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for (at, &byte) in text.iter().enumerate() {
        match byte {
            // What `unescape` makes of a lone surrogate is no UTF-8: it leaves as an escape again.
            0xed if text.get(at + 1).is_some_and(|b| *b >= 0xa0) => push_surrogate(&text[at..], out),
            0x80..0xc0 if is_in_surrogate(text, at) => {}
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..0x20 => {
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            }
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

/// Whether the byte at `at` is the second or third of a surrogate.
fn is_in_surrogate(text: &[u8], at: usize) -> bool {
    let begins =
        |back: usize| at >= back && text[at - back] == 0xed && text.get(at - back + 1).is_some_and(|b| *b >= 0xa0);
    begins(1) || begins(2)
}

fn push_surrogate(text: &[u8], out: &mut Vec<u8>) {
    let bits = |at: usize| u32::from(text.get(at).copied().unwrap_or(0x80) & 0x3f);
    let unit = 0xd000 | bits(1) << 6 | bits(2);
    out.extend_from_slice(format!("\\u{unit:04x}").as_bytes());
}

/// `text` as a JSON string.
pub(crate) fn quoted(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 2);
    quote(text.as_bytes(), &mut out);
    out
}

/// One token of an RFC 6901 pointer.
pub(crate) fn push_pointer(token: &str, out: &mut String) {
    out.push('/');
    for c in token.chars() {
        match c {
            '~' => out.push_str("~0"),
            '/' => out.push_str("~1"),
            c if c.is_control() => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_compare_after_unescaping_by_code_point() {
        assert!(name_is(br#""name""#, "name"));
        assert!(name_is(br#""na\u006de""#, "name"));
        assert!(name_is(br#""\ud83d\ude00""#, "😀"));
        assert!(name_is(br#""""#, ""));
        assert!(!name_is(br#""names""#, "name"));
        assert!(!name_is(br#""nam\"""#, "nam"));
        assert!(!name_is("\"cafe\u{301}\"".as_bytes(), "café"));
    }

    #[test]
    fn a_lone_surrogate_equals_only_itself() {
        assert_eq!(unescape(br#""\ud800""#), unescape(br#""\uD800""#));
        assert_ne!(unescape(br#""\ud800""#), unescape(br#""\ud801""#));
        assert!(std::str::from_utf8(&unescape(br#""\ud800x""#)).is_err());
    }

    #[test]
    fn a_lone_surrogate_leaves_as_an_escape() {
        let mut out = Vec::new();
        quote(&unescape(br#""a\ud800\udfff.\udc00""#), &mut out);
        assert_eq!(out, "\"a\u{103ff}.\\udc00\"".as_bytes());
    }

    #[test]
    fn quoting_escapes_what_it_must() {
        assert_eq!(quoted("a\"\\\n\u{1}é/"), "\"a\\\"\\\\\\n\\u0001é/\"".as_bytes());
    }
}
