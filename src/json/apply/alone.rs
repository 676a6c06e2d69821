//! Edits of a value that needs no tree around it.

use std::borrow::Cow;

use super::super::edit::{Edit, Entry, Otherwise, Over, ValueEdit};
use super::super::valid::{Kind, same};
use super::limit::{Limited, limit};

/// Appends what the edits make of a value, if they are only about the value itself and all of them succeed. Says
/// whether it did; if not, nothing is appended.
pub(crate) fn edit_alone(entries: &[Entry], text: &[u8], out: &mut Vec<u8>) -> bool {
    let [first @ .., last] = entries else {
        out.extend_from_slice(text);
        return true;
    };
    let mut value = Cow::Borrowed(text);
    for entry in first {
        let mut made = Vec::new();
        if !change(entry, &value, &mut made) {
            return false;
        }
        value = Cow::Owned(made);
    }
    change(last, &value, out)
}

/// Appends what one edit makes of a value, if it is only about the value itself and succeeds.
fn change(entry: &Entry, text: &[u8], out: &mut Vec<u8>) -> bool {
    let Edit::Change { at, how } = &entry.edit else { return false };
    if !at.is_empty() || !entry.guard.is_empty() {
        return false;
    }
    let otherwise = match how {
        ValueEdit::Map { pairs, otherwise } => {
            if let Some((from, to)) = pairs.iter().find(|(from, _)| same(text, from)) {
                out.extend_from_slice(if same(from, to) { text } else { to });
                return true;
            }
            otherwise
        }
        ValueEdit::Convert { conversion, way, otherwise } => {
            if Kind::of(text) != Kind::Null && conversion.append(*way, text, out) {
                return true;
            }
            otherwise
        }
        ValueEdit::Limit { bound, over } => match (limit(bound, text), over) {
            (Limited::Within, _) => {
                out.extend_from_slice(text);
                return true;
            }
            (Limited::Over { cut, .. }, Over::Cut) => {
                out.extend_from_slice(&cut);
                return true;
            }
            (Limited::Over { .. }, Over::Otherwise(over)) => over,
        },
        ValueEdit::ToArray { .. }
        | ValueEdit::FromArray { .. }
        | ValueEdit::ToMember { .. }
        | ValueEdit::FromMember { .. }
        | ValueEdit::ToEntries { .. }
        | ValueEdit::FromEntries { .. }
        | ValueEdit::ToObject { .. }
        | ValueEdit::ToTuple { .. }
        | ValueEdit::Recase { .. }
        | ValueEdit::Jq { .. } => return false,
    };
    match otherwise {
        _ if Kind::of(text) == Kind::Null => out.extend_from_slice(text),
        Otherwise::Keep => out.extend_from_slice(text),
        Otherwise::Value(value) => out.extend_from_slice(value),
        Otherwise::Fail | Otherwise::Drop => return false,
    }
    true
}
