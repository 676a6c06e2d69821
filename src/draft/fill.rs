//! What stands in for values that only one version has.

use crate::json::edit::{Path, Token};
use crate::json::{Conversion, Kind, Way, same};

use super::Context;
use super::columns::{Column, Keys, Text};
use super::names::similarity;
use super::op::{Edit, Fill, Op};
use super::scope::Match;

/// A place that only one version has.
#[derive(Debug, Clone)]
pub(super) struct Rest {
    /// Where it is.
    pub(super) keys: Keys,
    /// What the other way round puts there.
    pub(super) fill: Fill,
    /// What that rests on.
    pub(super) because: String,
    /// What somebody has to decide.
    pub(super) question: Option<String>,
}

/// What old clients get in the place of a value that newer versions lack.
#[must_use]
pub(super) fn gone(old: &Column<'_>) -> Rest {
    let rest = |fill, because: &str, question: Option<&str>| Rest {
        keys: old.keys.clone(),
        fill,
        because: because.to_owned(),
        question: question.map(str::to_owned),
    };
    match old.constant() {
        Some(value) => rest(Fill::Value(text(value)), &format!("the same in all {} samples", old.cells.len()), None),
        None if old.is_optional() => rest(Fill::Absent, "optional", None),
        None => rest(Fill::Unknown, "in every sample", Some("what do older clients get?")),
    }
}

/// What new clients get in the place of a value that older versions lack.
#[must_use]
pub(super) fn come(new: &Column<'_>, kept: &[(&Column<'_>, &Match)], context: &Context) -> Rest {
    let rest = |fill, because: &str, question: Option<&str>| Rest {
        keys: new.keys.clone(),
        fill,
        because: because.to_owned(),
        question: question.map(str::to_owned),
    };
    if is_now(new) {
        return rest(Fill::Value("\"$now\"".to_owned()), "times that no old value has", None);
    }
    if let Some(value) = new.constant() {
        let label = format!("\"{}\"", context.newer);
        let name = new.keys.last().map(String::as_str).unwrap_or_default();
        if value == label.as_bytes() && name.to_lowercase().contains("version") {
            return rest(Fill::Value("\"$version\"".to_owned()), "the label of the newer version", None);
        }
        return rest(Fill::Value(text(value)), &format!("the same in all {} samples", new.cells.len()), None);
    }
    let copy = kept.iter().find(|(other, _)| !new.is_optional() && same_cells(new, other));
    if let Some((_, found)) = copy {
        let from = found.new.iter().cloned().map(Token::Key).collect();
        return rest(Fill::Copy(from), "equal to another value", None);
    }
    if new.is_optional() {
        return rest(Fill::Absent, "optional", None);
    }
    rest(Fill::Unknown, "in every sample", Some("what do newer clients get?"))
}

fn same_cells(a: &Column<'_>, b: &Column<'_>) -> bool {
    a.cells.iter().zip(&b.cells).all(|pair| matches!(pair, (Some(a), Some(b)) if same(a, b)))
}

/// Whether it is the time at which a message was made: times, in a place that is called so.
fn is_now(column: &Column<'_>) -> bool {
    let is_time = |text: Text<'_>| Conversion::UnixMillisRfc3339.run(Way::Back, text).is_some();
    let name = column.keys.last().map(String::as_str).unwrap_or_default();
    let called = ["timestamp", "now", "generated_at", "served_at"].iter().any(|known| similarity(name, known) > 0.6);
    !column.is_optional() && called && column.present().all(is_time)
}

fn text(value: Text<'_>) -> String {
    if value == b"\"$now\"" || value == b"\"$version\"" {
        // A rule would take it for a placeholder; there is no way to write it.
        return "null".to_owned();
    }
    String::from_utf8_lossy(value).into_owned()
}

/// The op that turns absence in one spelling into absence, or a default, in the other; the rows must agree on it.
#[must_use]
pub(super) fn presence(at: &Path, old: &Column<'_>, new: &Column<'_>, siblings: &[Column<'_>]) -> Option<Op> {
    let expected = |row: usize| parent_is_there(old, siblings, row);
    let fills = |from, to| -> Option<[Option<Fill>; 2]> {
        let null = spelling(from, to, State::Null, &expected)?;
        let missing = spelling(from, to, State::Missing, &expected)?;
        Some([
            Some(null).filter(|fill| *fill != State::Null.itself()),
            Some(missing).filter(|fill| *fill != State::Missing.itself()),
        ])
    };
    let (up, down) = (fills(old, new)?, fills(new, old)?);
    // A default that old documents get cannot be told from a value on the way down.
    let defaults = up.iter().chain(&down).filter(|fill| matches!(fill, Some(Fill::Value(v)) if v != "null")).count();
    let changes = up.iter().chain(&down).any(Option::is_some);
    (changes && defaults <= 1)
        .then(|| Op::new(Edit::Presence { at: at.clone(), up, down }, 0.9, "how absence is written differs".to_owned()))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Null,
    Missing,
}

impl State {
    /// What it is in a message.
    fn itself(self) -> Fill {
        match self {
            Self::Null => Fill::Value("null".to_owned()),
            Self::Missing => Fill::Absent,
        }
    }
}

/// What becomes of a state; `None` if the rows disagree.
fn spelling(from: &Column<'_>, to: &Column<'_>, state: State, expected: &impl Fn(usize) -> bool) -> Option<Fill> {
    let mut found: Option<Fill> = None;
    for (row, (before, after)) in from.cells.iter().zip(&to.cells).enumerate() {
        let is_state = match state {
            State::Null => before.is_some_and(|text| Kind::of(text) == Kind::Null),
            State::Missing => before.is_none() && expected(row),
        };
        if !is_state {
            continue;
        }
        let fill = after.map_or(Fill::Absent, |value| Fill::Value(text(value)));
        match &found {
            Some(other) if *other != fill => return None,
            _ => found = Some(fill),
        }
    }
    Some(found.unwrap_or_else(|| state.itself()))
}

/// Whether the object that a place is in exists in a row: some member of it does.
fn parent_is_there(column: &Column<'_>, siblings: &[Column<'_>], row: usize) -> bool {
    let parent = column.parent();
    parent.is_empty() || siblings.iter().any(|other| other.keys.starts_with(parent) && other.cells[row].is_some())
}
