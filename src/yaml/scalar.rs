//! The core schema (YAML 1.2, section 10.3.2): which plain scalars are not strings.

use super::ScalarKind;

/// What a plain scalar is.
pub(super) fn resolve(text: &str) -> ScalarKind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => ScalarKind::Null,
        "true" | "True" | "TRUE" => ScalarKind::Bool(true),
        "false" | "False" | "FALSE" => ScalarKind::Bool(false),
        _ if is_integer(text) => ScalarKind::Integer,
        _ if is_float(text) => ScalarKind::Float,
        _ => ScalarKind::String,
    }
}

/// The value of an integer that is not negative and fits.
pub(super) fn unsigned(text: &str) -> Option<u64> {
    if let Some(digits) = text.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).ok();
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return u64::from_str_radix(digits, 8).ok();
    }
    text.parse().ok()
}

fn is_integer(text: &str) -> bool {
    let of = |digits: &str, allowed: fn(&u8) -> bool| !digits.is_empty() && digits.as_bytes().iter().all(allowed);
    if let Some(digits) = text.strip_prefix("0x") {
        return of(digits, u8::is_ascii_hexdigit);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return of(digits, |byte| matches!(byte, b'0'..=b'7'));
    }
    of(unsign(text), u8::is_ascii_digit)
}

fn is_float(text: &str) -> bool {
    let magnitude = unsign(text);
    if matches!(magnitude, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let (whole, rest) = digits(magnitude);
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => digits(rest),
        None => ("", rest),
    };
    !(whole.is_empty() && fraction.is_empty()) && (rest.is_empty() || is_exponent(rest))
}

fn is_exponent(text: &str) -> bool {
    let Some(exponent) = text.strip_prefix(['e', 'E']) else {
        return false;
    };
    let (digits, rest) = digits(unsign(exponent));
    !digits.is_empty() && rest.is_empty()
}

fn unsign(text: &str) -> &str {
    text.strip_prefix(['-', '+']).unwrap_or(text)
}

fn digits(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_core_schema() {
        let cases: &[(ScalarKind, &[&str])] = &[
            (ScalarKind::Null, &["", "~", "null", "NULL"]),
            (ScalarKind::Bool(true), &["true", "True", "TRUE"]),
            (ScalarKind::Bool(false), &["false"]),
            (ScalarKind::Integer, &["0", "-12", "+1", "007", "0o17", "0xfF", "123456789012345678901234567890"]),
            (ScalarKind::Float, &["1.", ".5", "-1.10", "1e3", "+1.5E-7", ".inf", "-.INF", ".NaN", "1e999"]),
            (
                ScalarKind::String,
                &[
                    "no",
                    "on",
                    "y",
                    "tRUE",
                    "-",
                    "+",
                    ".",
                    "1_000",
                    "0x",
                    "0o8",
                    "-0x1",
                    "1e",
                    "1.2.3",
                    "2024-06-01",
                    "12:30",
                    "-.nan",
                    "e5",
                    "nul",
                ],
            ),
        ];
        for (want, texts) in cases {
            for text in *texts {
                assert_eq!(resolve(text), *want, "{text:?}");
            }
        }
    }

    #[test]
    fn reads_unsigned_integers() {
        let cases = [
            ("0", Some(0)),
            ("+7", Some(7)),
            ("0x1F", Some(31)),
            ("0o17", Some(15)),
            ("-1", None),
            ("18446744073709551616", None),
        ];
        for (text, want) in cases {
            assert_eq!(unsigned(text), want, "{text}");
        }
    }
}
