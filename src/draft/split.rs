//! One string that became two.

use std::collections::BTreeSet;

use crate::json::edit::{Path, Token};
use crate::json::{Kind, unescape};

use super::columns::{Column, Keys, Text};
use super::op::{Edit, Op};
use super::scope::Match;

/// Longer ones are text, not separators.
const LONGEST_SEPARATOR: usize = 3;

/// A string and its two parts, by their columns.
#[derive(Debug, Clone)]
pub(super) struct Split {
    old: usize,
    /// First and second part.
    pub(super) parts: [usize; 2],
    cut: Cut,
}

/// Where a string is parted.
#[derive(Debug, Clone)]
struct Cut {
    separator: String,
    /// Whether the last separator parts, not the first.
    last: bool,
    /// How many rows have two parts.
    rows: usize,
    /// No value says which separator parts.
    ambiguous: bool,
}

/// Parts whose strings, joined, are those of an old column in every row.
#[must_use]
pub(super) fn find(old: usize, before: &[Column<'_>], after: &[Column<'_>], free: &BTreeSet<usize>) -> Option<Split> {
    if !before[old].is_all(Kind::String) {
        return None;
    }
    let strings: Vec<usize> = free.iter().copied().filter(|at| after[*at].is_all(Kind::String)).collect();
    for &first in &strings {
        for &second in strings.iter().filter(|second| **second != first) {
            let cut = if after[first].parent() == after[second].parent() {
                parts(&before[old], &after[first], &after[second])
            } else {
                None
            };
            if let Some(cut) = cut {
                return Some(Split { old, parts: [first, second], cut });
            }
        }
    }
    None
}

/// How a column was parted in two.
fn parts(whole: &Column<'_>, first: &Column<'_>, second: &Column<'_>) -> Option<Cut> {
    let rows: Vec<[Option<String>; 3]> = (0..whole.cells.len())
        .map(|row| [whole, first, second].map(|column| column.cells[row].and_then(string)))
        .collect();
    let separator = rows.iter().find_map(|row| match row {
        [Some(whole), Some(first), Some(second)] => between(whole, first, second),
        _ => None,
    })?;
    let rows_that_tell = rows.iter().filter(|[.., second]| second.is_some()).count();
    let [by_first, by_last] = [false, true].map(|last| rows.iter().all(|row| is_split(row, &separator, last)));
    // Where no value tells, a space parts names, whose last word is the family's.
    let last = if by_first && by_last { separator == " " } else { by_last };
    (by_first || by_last).then_some(Cut { separator, last, rows: rows_that_tell, ambiguous: by_first && by_last })
}

fn is_split(row: &[Option<String>; 3], separator: &str, last: bool) -> bool {
    match row {
        [None, None, None] => true,
        [Some(whole), Some(first), second] => {
            let cut = if last { whole.rsplit_once(separator) } else { whole.split_once(separator) };
            match (cut, second) {
                (Some(cut), Some(second)) => cut == (first, second),
                (None, None) => whole == first,
                _ => false,
            }
        }
        _ => false,
    }
}

fn string(text: Text<'_>) -> Option<String> {
    (Kind::of(text) == Kind::String).then(|| String::from_utf8_lossy(&unescape(text)).into_owned())
}

/// What stands between the parts.
fn between(whole: &str, first: &str, second: &str) -> Option<String> {
    let middle = whole.strip_prefix(first)?.strip_suffix(second)?;
    let is_separator = !middle.is_empty() && middle.chars().count() <= LONGEST_SEPARATOR;
    (is_separator && !first.is_empty() && !second.is_empty() && !middle.chars().any(char::is_alphanumeric))
        .then(|| middle.to_owned())
}

impl Split {
    /// The parts stand beside the whole at first.
    fn places(&self, before: &[Column<'_>], after: &[Column<'_>]) -> [Keys; 2] {
        self.parts.map(|part| {
            let name = after[part].keys.last().cloned().unwrap_or_default();
            let mut keys = before[self.old].parent().to_vec();
            keys.push(name);
            keys
        })
    }

    /// The op, at the old place.
    #[must_use]
    pub(super) fn op(&self, before: &[Column<'_>], after: &[Column<'_>]) -> Op {
        let tokens = |keys: Keys| -> Path { keys.into_iter().map(Token::Key).collect() };
        let edit = Edit::Split {
            at: tokens(before[self.old].keys.clone()),
            into: self.places(before, after).map(tokens),
            separator: self.cut.separator.clone(),
            last: self.cut.last,
        };
        let score = if self.cut.rows > 1 { 0.97 } else { 0.8 };
        let question = "no value has two separators: does the first part it, or the last?".to_owned();
        Op {
            question: self.cut.ambiguous.then_some(question),
            ..Op::new(edit, score, format!("the two, joined, in each of {}", self.cut.rows))
        }
    }

    /// Where each part goes from beside the whole.
    #[must_use]
    pub(super) fn matches(&self, before: &[Column<'_>], after: &[Column<'_>]) -> Vec<Match> {
        let places = self.places(before, after);
        let parts = places.into_iter().zip(self.parts).map(|(old, part)| Match {
            old,
            new: after[part].keys.clone(),
            values: Vec::new(),
            score: 0.9,
            because: "a part of a split value".to_owned(),
            question: None,
        });
        parts.collect()
    }
}
