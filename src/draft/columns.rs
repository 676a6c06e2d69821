//! Aligned pairs of values as columns: one for each place, one cell for each pair.

use std::collections::BTreeMap;
use std::collections::HashMap;

use crate::json::{Items, Kind, same, unescape};

/// Names from the scope to a value, without a list between them.
pub(super) type Keys = Vec<String>;

/// A JSON text that is known to be valid.
pub(super) type Text<'a> = &'a [u8];

/// The same thing in the old version and in the new.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    /// In the old version.
    pub(super) old: Text<'a>,
    /// In the new version.
    pub(super) new: Text<'a>,
}

/// The values of one place, in the order of the rows; `None` where it is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column<'a> {
    /// Where it is.
    pub(super) keys: Keys,
    /// What is there.
    pub(super) cells: Vec<Option<Text<'a>>>,
}

impl<'a> Column<'a> {
    /// The values that are there.
    pub(super) fn present(&self) -> impl Iterator<Item = Text<'a>> + '_ {
        self.cells.iter().copied().flatten()
    }

    /// The value, if every row has the same.
    #[must_use]
    pub(super) fn constant(&self) -> Option<Text<'a>> {
        let first = (*self.cells.first()?)?;
        self.cells.iter().all(|cell| cell.is_some_and(|cell| same(cell, first))).then_some(first)
    }

    /// Whether some row lacks it.
    #[must_use]
    pub(super) fn is_optional(&self) -> bool {
        self.cells.iter().any(Option::is_none)
    }

    /// Whether every value is of this kind; nulls do not count, and one other value must be there.
    #[must_use]
    pub(super) fn is_all(&self, kind: Kind) -> bool {
        let mut values = self.present().map(Kind::of).filter(|kind| *kind != Kind::Null).peekable();
        values.peek().is_some() && values.all(|found| found == kind)
    }

    /// The object that it is a member of.
    #[must_use]
    pub(super) fn parent(&self) -> &[String] {
        self.keys.split_last().map_or(&[], |(_, parent)| parent)
    }
}

/// One column for every place outside lists that some text has a value at: scalars, lists, empty objects.
#[must_use]
pub(super) fn columns<'a>(texts: &[Text<'a>]) -> Vec<Column<'a>> {
    let mut found: BTreeMap<Keys, Vec<Option<Text<'a>>>> = BTreeMap::new();
    for (row, text) in texts.iter().enumerate() {
        collect(text, &mut Keys::new(), &mut |keys, value| {
            let cells = found.entry(keys.clone()).or_insert_with(|| vec![None; texts.len()]);
            cells[row] = Some(value);
        });
    }
    drop_empty_parents(&mut found);
    found.into_iter().map(|(keys, cells)| Column { keys, cells }).collect()
}

/// Depth is bounded, since samples are validated with a limit.
fn collect<'a>(text: Text<'a>, keys: &mut Keys, visit: &mut impl FnMut(&Keys, Text<'a>)) {
    let mut members = Items::new(text, 0).peekable();
    if Kind::of(text) != Kind::Object || members.peek().is_none() {
        return visit(keys, text);
    }
    for member in members {
        keys.push(name(&text[member.name]));
        collect(&text[member.value], keys, visit);
        keys.pop();
    }
}

/// Null or `{}` where other rows have an object is that object's absence, not a value of its own.
fn drop_empty_parents(found: &mut BTreeMap<Keys, Vec<Option<Text<'_>>>>) {
    let parents: Vec<Keys> = found
        .iter()
        .filter(|(_, cells)| cells.iter().flatten().all(|cell| matches!(Kind::of(cell), Kind::Null | Kind::Object)))
        .map(|(keys, _)| keys.clone())
        .filter(|keys| found.keys().any(|other| other.len() > keys.len() && other.starts_with(keys)))
        .collect();
    for parent in parents {
        found.remove(&parent);
    }
}

/// A member's name without its quotes.
#[must_use]
pub(super) fn name(raw: Text<'_>) -> String {
    String::from_utf8_lossy(&unescape(raw)).into_owned()
}

/// A member of an object.
#[must_use]
pub(super) fn member<'a>(text: Text<'a>, wanted: &str) -> Option<Text<'a>> {
    if Kind::of(text) != Kind::Object {
        return None;
    }
    Items::new(text, 0).find(|item| name(&text[item.name.clone()]) == wanted).map(|item| &text[item.value])
}

/// The elements of two columns of lists as rows: those with the same id, else those at the same index.
#[must_use]
pub(super) fn elements<'a>(old: &Column<'a>, new: &Column<'a>) -> Vec<Row<'a>> {
    let both = old.cells.iter().zip(&new.cells).filter_map(|(old, new)| Some(((*old)?, (*new)?)));
    both.filter(|(old, new)| Kind::of(old) == Kind::Array && Kind::of(new) == Kind::Array)
        .flat_map(|(old, new)| align(&items(old), &items(new)))
        .collect()
}

fn items(text: Text<'_>) -> Vec<Text<'_>> {
    Items::new(text, 0).map(|item| &text[item.value]).collect()
}

fn align<'a>(old: &[Text<'a>], new: &[Text<'a>]) -> Vec<Row<'a>> {
    if let (Some(ids), Some(others)) = (ids(old), ids(new)) {
        let by_id: HashMap<&str, usize> = others.iter().enumerate().map(|(at, id)| (id.as_str(), at)).collect();
        let rows: Vec<Row<'a>> =
            ids.iter().zip(old).filter_map(|(id, old)| Some(Row { old, new: new[*by_id.get(id.as_str())?] })).collect();
        if !rows.is_empty() {
            return rows;
        }
    }
    // Lists of different lengths cannot be aligned by position: any element may be the one that is missing.
    if old.len() != new.len() {
        return Vec::new();
    }
    old.iter().zip(new).map(|(old, new)| Row { old, new }).collect()
}

/// What tells elements apart: a member of every one whose values differ; numbers and their digits in quotes are alike.
fn ids(elements: &[Text<'_>]) -> Option<Vec<String>> {
    let id_of = |element: &Text<'_>| -> Option<String> {
        let member = Items::new(element, 0).find(|item| is_id(&name(&element[item.name.clone()])))?;
        let value = &element[member.value];
        let is_scalar = matches!(Kind::of(value), Kind::String | Kind::Number);
        is_scalar.then(|| String::from_utf8_lossy(value).trim_matches('"').to_owned())
    };
    let is_objects = elements.iter().all(|element| Kind::of(element) == Kind::Object);
    let ids: Vec<String> = is_objects.then(|| elements.iter().map(id_of).collect::<Option<_>>())??;
    let mut sorted: Vec<&String> = ids.iter().collect();
    sorted.sort_unstable();
    sorted.dedup();
    (sorted.len() == ids.len()).then_some(ids)
}

fn is_id(name: &str) -> bool {
    let lower = name.to_lowercase();
    matches!(lower.as_str(), "id" | "uuid" | "key" | "identifier" | "sku" | "code") || lower.ends_with("id")
}
