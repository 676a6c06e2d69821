//! Edits of a value that needs no tree around it.

use std::borrow::Cow;

use super::super::edit::{Edit, Entry, Otherwise, Over, ValueEdit};
use super::super::valid::{Kind, same};
use super::limit::{Limited, limit};

/// Appends what the edits make of a value, if they are only about the value itself and all of them succeed. Says
/// whether it did; if not, nothing is appended.
pub(crate) fn edit_alone(entries: &[Entry], text: &[u8], out: &mut Vec<u8>) -> bool {
    let mut value = Cow::Borrowed(text);
    for entry in entries {
        let Edit::Change { at, how } = &entry.edit else { return false };
        if !at.is_empty() || !entry.guard.is_empty() {
            return false;
        }
        let changed = match change(how, &value) {
            Some(Changed::Same) => continue,
            Some(Changed::To(text)) => text.to_vec(),
            Some(Changed::Made(text)) => text,
            None => return false,
        };
        value = Cow::Owned(changed);
    }
    out.extend_from_slice(&value);
    true
}

/// What became of a value.
enum Changed<'p> {
    Same,
    To(&'p [u8]),
    Made(Vec<u8>),
}

fn change<'p>(how: &'p ValueEdit, text: &[u8]) -> Option<Changed<'p>> {
    let otherwise = match how {
        ValueEdit::Map { pairs, otherwise } => {
            if let Some((from, to)) = pairs.iter().find(|(from, _)| same(text, from)) {
                return Some(if same(from, to) { Changed::Same } else { Changed::To(to) });
            }
            otherwise
        }
        ValueEdit::Convert { conversion, way, otherwise } => {
            if Kind::of(text) != Kind::Null
                && let Some(made) = conversion.run(*way, text)
            {
                return Some(Changed::Made(made));
            }
            otherwise
        }
        ValueEdit::Limit { bound, over } => match (limit(bound, text), over) {
            (Limited::Within, _) => return Some(Changed::Same),
            (Limited::Over { cut, .. }, Over::Cut) => return Some(Changed::Made(cut)),
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
        | ValueEdit::Jq { .. } => return None,
    };
    match otherwise {
        _ if Kind::of(text) == Kind::Null => Some(Changed::Same),
        Otherwise::Keep => Some(Changed::Same),
        Otherwise::Value(text) => Some(Changed::To(text)),
        Otherwise::Fail | Otherwise::Drop => None,
    }
}
