//! Values that may not exceed a bound.

use std::cmp::Ordering;

use super::super::edit::Bound;
use super::super::valid::{Items, Kind, compare_numbers};

/// How a value stands to a bound.
pub(super) enum Limited {
    Within,
    Over {
        /// The value cut to the bound.
        cut: Vec<u8>,
        /// What is wrong, for a person.
        told: String,
    },
}

pub(super) fn limit(bound: &Bound, text: &[u8]) -> Limited {
    match (bound, Kind::of(text)) {
        (Bound::Characters(most), Kind::String) => characters(*most, text),
        (Bound::Elements(most), Kind::Array) => elements(*most, text),
        (Bound::Number(most), Kind::Number) if is_above(text, most) => Limited::Over {
            cut: most.clone(),
            told: format!("the other version allows at most {}", String::from_utf8_lossy(most)),
        },
        _ => Limited::Within,
    }
}

/// Whether a JSON text is a number that others can be compared with.
pub(crate) fn is_bound(text: &[u8]) -> bool {
    Kind::of(text) == Kind::Number && compare_numbers(text, b"0").is_some()
}

fn is_above(number: &[u8], most: &[u8]) -> bool {
    match compare_numbers(number, most) {
        Some(order) => order == Ordering::Greater,
        // An exponent of more than 64 bits: beyond everything, or next to zero.
        None if number.windows(2).any(|two| matches!(two, b"e-" | b"E-")) => {
            let next_to_zero: &[u8] = if number.starts_with(b"-") { b"-1e-999999999" } else { b"1e-999999999" };
            compare_numbers(next_to_zero, most) == Some(Ordering::Greater)
        }
        None => !number.starts_with(b"-"),
    }
}

/// Cuts between characters: what stands before the cut keeps its spelling.
fn characters(most: usize, text: &[u8]) -> Limited {
    // No character is shorter than one byte, so most strings need not be counted.
    if text.len() - 2 <= most {
        return Limited::Within;
    }
    let (mut at, mut count, mut end) = (1, 0, 1);
    while at < text.len() - 1 {
        if count == most {
            end = at;
        }
        at += character(&text[at..]);
        count += 1;
    }
    if count <= most {
        return Limited::Within;
    }
    let mut cut = text[..end].to_vec();
    cut.push(b'"');
    Limited::Over { cut, told: format!("the string has {count} characters, and the other version allows {most}") }
}

/// The length of the character that a string's text begins with: an escape is one, and so are the two escapes of a
/// surrogate pair.
fn character(text: &[u8]) -> usize {
    match text {
        [b'\\', b'u', rest @ ..] if is_surrogate(rest, b"89abAB") && rest[4..].starts_with(b"\\u") => {
            if is_surrogate(&rest[6..], b"cdefCDEF") { 12 } else { 6 }
        }
        [b'\\', b'u', ..] => 6,
        [b'\\', ..] => 2,
        [first, ..] => match first.leading_ones() {
            0 => 1,
            bytes => bytes as usize,
        },
        [] => 1,
    }
}

/// Whether four hexadecimal digits are of one half of a surrogate pair.
fn is_surrogate(digits: &[u8], second: &[u8]) -> bool {
    matches!(digits, [b'd' | b'D', digit, _, _, ..] if second.contains(digit))
}

fn elements(most: usize, text: &[u8]) -> Limited {
    let mut items = Items::new(text, 0);
    let kept = items.by_ref().take(most).last().map_or(1, |item| item.unit.end);
    let more = items.count();
    if more == 0 {
        return Limited::Within;
    }
    let mut cut = text[..kept].to_vec();
    cut.push(b']');
    let count = most + more;
    Limited::Over { cut, told: format!("the array has {count} elements, and the other version allows {most}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(bound: &Bound, text: &str) -> String {
        match limit(bound, text.as_bytes()) {
            Limited::Within => "within".to_owned(),
            Limited::Over { cut, .. } => String::from_utf8(cut).expect("UTF-8"),
        }
    }

    #[test]
    fn strings_are_cut_between_characters() {
        for (most, text, want) in [
            (0, r#""""#, "within"),
            (0, r#""a""#, r#""""#),
            (3, r#""abc""#, "within"),
            (2, r#""abc""#, r#""ab""#),
            (2, r#""é😀ü""#, r#""é😀""#),
            (3, r#""é😀ü""#, "within"),
            (1, r#""\u00e9\u00fc""#, r#""\u00e9""#),
            (1, r#""\ud83d\ude00""#, "within"),
            (1, r#""\uD83D\uDE00x""#, r#""\uD83D\uDE00""#),
            (1, r#""\ud83dx""#, r#""\ud83d""#),
            (1, r#""\ud83d\ud83d\ude00""#, r#""\ud83d""#),
            (2, r#""\ud83d\ud83d\ude00""#, "within"),
            (1, r#""\\\"""#, r#""\\""#),
            (3, r#""\n\/\"""#, "within"),
        ] {
            assert_eq!(cut(&Bound::Characters(most), text), want, "{most} of {text}");
        }
    }

    #[test]
    fn arrays_are_cut_between_elements() {
        for (most, text, want) in [
            (0, "[ ]", "within"),
            (0, "[ 1 ]", "[]"),
            (2, "[ 1 , [2, 3] , 3 ]", "[ 1 , [2, 3] ]"),
            (3, "[ 1 , [2, 3] , 3 ]", "within"),
            (0, "\"not an array\"", "within"),
        ] {
            assert_eq!(cut(&Bound::Elements(most), text), want, "{most} of {text}");
        }
    }

    #[test]
    fn numbers_are_compared_exactly() {
        for (most, text, want) in [
            ("10", "10.0", "within"),
            ("10", "10.00000000000000000000000001", "10"),
            ("9007199254740992", "9007199254740993", "9007199254740992"),
            ("1.50", "2e0", "1.50"),
            ("0", "-1e99999999999999999999", "within"),
            ("0", "1e99999999999999999999", "0"),
            ("0", "1e-99999999999999999999", "0"),
            ("1", "1e-99999999999999999999", "within"),
            ("-1", "-1e-99999999999999999999", "-1"),
            ("1", "\"2\"", "within"),
        ] {
            assert_eq!(cut(&Bound::Number(most.into()), text), want, "{most} of {text}");
        }
    }
}
