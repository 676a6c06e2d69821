//! Edits of a value that needs no tree around it.

use std::borrow::Cow;

use super::super::convert::Unit;
use super::super::edit::{Edit, Entry, Otherwise, Over, ValueEdit};
use super::super::loss::When;
use super::super::tally::Tally;
use super::super::valid::{Kind, same};
use super::limit::{Limited, limit};
use super::values::merges;

/// What edits make of a value, if they are only about the value itself and all of them succeed.
pub(crate) fn edited<'a>(entries: &'a [Entry], text: &'a [u8], tally: &mut Tally) -> Option<Cow<'a, [u8]>> {
    // One edit that fails has lost nothing.
    if let [entry] = entries {
        return changed_text(text, entry, tally);
    }
    let before = tally.begin();
    let made = entries.iter().try_fold(Cow::Borrowed(text), |value, entry| changed(value, entry, tally));
    match made {
        Some(_) => tally.keep(before),
        None => tally.take_back(before),
    }
    made
}

/// The unit of numbers that edits make times of, if they do nothing else.
pub(crate) fn counted(entries: &[Entry]) -> Option<Unit> {
    let [entry] = entries else { return None };
    match of_the_value(entry)? {
        ValueEdit::Convert { conversion, way, .. } => conversion.counts(*way),
        _ => None,
    }
}

/// What an edit does, if it is only about the value itself.
fn of_the_value(entry: &Entry) -> Option<&ValueEdit> {
    match &entry.edit {
        Edit::Change { at, how } if at.is_empty() && entry.guard.is_empty() => Some(how),
        _ => None,
    }
}

/// What one edit makes of a value, if it is only about the value itself and succeeds.
fn changed<'a>(value: Cow<'a, [u8]>, entry: &'a Entry, tally: &mut Tally) -> Option<Cow<'a, [u8]>> {
    match value {
        Cow::Borrowed(text) => changed_text(text, entry, tally),
        Cow::Owned(text) => changed_text(&text, entry, tally).map(|made| Cow::Owned(made.into_owned())),
    }
}

fn changed_text<'a>(text: &'a [u8], entry: &'a Entry, tally: &mut Tally) -> Option<Cow<'a, [u8]>> {
    let otherwise = match of_the_value(entry)? {
        ValueEdit::Map { pairs, otherwise } => {
            if let Some((at, (from, to))) = pairs.iter().enumerate().find(|(_, (from, _))| same(text, from)) {
                if !entry.losses.is_empty() && merges(pairs, at) {
                    tally.lose(&entry.losses, &When::Acted);
                }
                return Some(Cow::Borrowed(if from == to { text } else { to }));
            }
            otherwise
        }
        ValueEdit::Convert { conversion, way, otherwise } => {
            if let Some(made) = conversion.run(*way, text) {
                return Some(Cow::Owned(made));
            }
            otherwise
        }
        ValueEdit::Limit { bound, over } => match (limit(bound, text), over) {
            (Limited::Within, _) => return Some(Cow::Borrowed(text)),
            (Limited::Over { cut, .. }, Over::Cut) => {
                tally.lose(&entry.losses, &When::Acted);
                return Some(Cow::Owned(cut));
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
        | ValueEdit::Jq { .. } => return None,
    };
    match otherwise {
        _ if Kind::of(text) == Kind::Null => Some(Cow::Borrowed(text)),
        Otherwise::Keep => Some(Cow::Borrowed(text)),
        Otherwise::Value(value) => {
            tally.lose(&entry.losses, &When::Acted);
            Some(Cow::Borrowed(value))
        }
        Otherwise::Fail | Otherwise::Drop => None,
    }
}
