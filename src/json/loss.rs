//! What edits take from documents and nobody can put back.
//!
//! Which edit may lose something, and what that is called, is said with the edit ([`Loss`]); a program gives each name a
//! number. A document in flight counts by these numbers (`tally`), so that what it counts is bounded by the program.

use std::collections::HashMap;
use std::sync::Arc;

use super::edit::{Edit, Entry};

/// Something that an edit may lose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// What has to happen.
    pub when: When,
    /// What is lost then, as reports call it.
    pub path: Arc<str>,
    /// That of the name in the program.
    number: u32,
}

impl Loss {
    /// A loss of what is at a path.
    #[must_use]
    pub fn new(when: When, path: Arc<str>) -> Self {
        Self { when, path, number: 0 }
    }
}

/// What an edit does that loses something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// What the edit is for, to something that was there and does not come back.
    Acted,
    /// An array without elements becomes something else.
    Empty,
    /// Null becomes something else.
    Null,
    /// What is missing becomes something.
    Missing,
    /// The member of this name goes, or comes back as another.
    Member(String),
}

/// What a loss is called.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lost {
    /// The change that the edit came from.
    pub change: Option<Arc<str>>,
    /// What was lost, as the change calls it.
    pub path: Arc<str>,
}

/// What was lost, and how often.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Losses(Vec<(Arc<Lost>, u64)>);

impl Losses {
    /// What was counted by number, by the names of these numbers.
    pub(super) fn of(names: &[Arc<Lost>], counts: &[u64]) -> Self {
        let counted = names.iter().zip(counts).filter(|(_, count)| **count > 0);
        Self(counted.map(|(lost, count)| (Arc::clone(lost), *count)).collect())
    }

    /// Whether nothing was lost.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What was lost, each with how often.
    pub fn iter(&self) -> impl Iterator<Item = (&Lost, u64)> {
        self.0.iter().map(|(lost, count)| (&**lost, *count))
    }

    /// Adds what was lost elsewhere.
    pub fn add(&mut self, others: Self) {
        if self.0.is_empty() {
            *self = others;
            return;
        }
        for (lost, count) in others.0 {
            match self.0.iter_mut().find(|(known, _)| *known == lost) {
                Some((_, sum)) => *sum += count,
                None => self.0.push((lost, count)),
            }
        }
    }
}

/// Numbers what edits may lose; the names by these numbers.
pub(super) fn number(entries: &mut [Entry]) -> Vec<Arc<Lost>> {
    let mut names = Names::default();
    names.number(entries, None);
    names.all
}

#[derive(Default)]
struct Names {
    all: Vec<Arc<Lost>>,
    numbers: HashMap<Arc<Lost>, u32>,
}

impl Names {
    /// `change` is that of the edits around these.
    fn number(&mut self, entries: &mut [Entry], change: Option<&Arc<str>>) {
        for entry in entries {
            let change = entry.change.clone().or_else(|| change.cloned());
            for loss in &mut entry.losses {
                loss.number = self.of(Lost { change: change.clone(), path: Arc::clone(&loss.path) });
            }
            if let Edit::Each { entries, .. } | Edit::Recurse { entries, .. } = &mut entry.edit {
                self.number(entries, change.as_ref());
            }
        }
    }

    fn of(&mut self, lost: Lost) -> u32 {
        if let Some(number) = self.numbers.get(&lost) {
            return *number;
        }
        let (lost, number) = (Arc::new(lost), u32::try_from(self.all.len()).unwrap_or(u32::MAX));
        self.all.push(Arc::clone(&lost));
        self.numbers.insert(lost, number);
        number
    }
}

impl Loss {
    /// The number of the name.
    pub(super) fn number(&self) -> u32 {
        self.number
    }
}
