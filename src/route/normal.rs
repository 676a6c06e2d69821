//! The one spelling of a path segment (RFC 3986, section 6.2.2).

use std::borrow::Cow;

use percent_encoding::{CONTROLS, utf8_percent_encode};

/// Unreserved characters plain, everything outside of ASCII as `%XX`, the digits of every `%XX` in upper case. A `%`
/// that starts no `%XX` stays.
pub(super) fn segment(text: &str) -> Cow<'_, str> {
    let text: Cow<'_, str> = utf8_percent_encode(text, CONTROLS).into();
    if text.contains('%') { Cow::Owned(decode_unreserved(&text)) } else { text }
}

/// Whether every `%` starts a `%XX`. Otherwise the spelling could have a `%XX` that the text has not: `%4%44` is `%4D`.
pub(super) fn is_encoded(text: &str) -> bool {
    text.split('%').skip(1).all(|part| part.get(..2).and_then(hexadecimal).is_some())
}

fn decode_unreserved(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut parts = text.split('%');
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        match part.get(..2).and_then(hexadecimal) {
            Some(byte) if is_unreserved(byte) => {
                out.push(char::from(byte));
                out.push_str(&part[2..]);
            }
            Some(_) => {
                out.push('%');
                out.push_str(&part[..2].to_ascii_uppercase());
                out.push_str(&part[2..]);
            }
            None => {
                out.push('%');
                out.push_str(part);
            }
        }
    }
    out
}

fn hexadecimal(digits: &str) -> Option<u8> {
    let is_hexadecimal = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_hexadecimal.then(|| u8::from_str_radix(digits, 16).ok()).flatten()
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

#[cfg(test)]
mod tests {
    #[test]
    fn equal_segments_are_spelt_alike() {
        let cases = [
            ("users", "users"),
            ("%75ser%73", "users"),
            ("%2e%2E", ".."),
            ("a%2fb", "a%2Fb"),
            ("%c3%A9", "%C3%A9"),
            ("100%", "100%"),
            ("%+a%zz%4", "%+a%zz%4"),
            ("%\u{e9}1", "%%C3%A91"),
            ("caf\u{e9}", "caf%C3%A9"),
        ];
        for (text, want) in cases {
            assert_eq!(super::segment(text), want);
        }
    }
}
