//! Changes of one version of which it may matter which comes first, and nobody says.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::diagnostic::Diagnostic;
use crate::json::edit::Path;
use crate::rules::ast::Change;
use crate::rules::by_path::{ByPath, MOST_LOOKS};
use crate::rules::lens::Op;
use crate::rules::messages::Message;
use crate::rules::{Place, diagnostics as code};

use super::commute::commute;
use super::conflicts::too_many;

/// What one edit of an op writes and looks at.
struct Touched<'a> {
    change: &'a Change,
    op: &'a Op,
    writes: Vec<Path>,
    reads: Vec<Path>,
}

/// Reports every two changes of one version whose ops meet in a message, unless `after` orders them or both orders
/// certainly come to the same; `false` if they are too many to compare.
pub(super) fn check(changes: &[Change], messages: &[Message<'_>], diagnostics: &mut Vec<Diagnostic>) -> bool {
    let mut settled: HashSet<(&str, &str)> = HashSet::new();
    let mut before = Before::new(changes);
    let (mut found, mut commuted) = (0, 0);
    for message in messages {
        let mut earlier = Earlier::default();
        let ops = message.lists.iter().flat_map(|(change, ops)| ops.iter().flat_map(move |op| touched(change, op)));
        for later in ops {
            let one = later.change;
            for (other, place) in earlier.meeting(&later) {
                let both = (&*one.id, &*other.change.id);
                if settled.contains(&both) {
                    continue;
                }
                if before.has(one, other.change) {
                    settled.insert(both);
                    continue;
                }
                commuted += 1;
                if commute(later.op, other.op) {
                    continue;
                }
                settled.insert(both);
                diagnostics.push(unordered(one, other.change, later.op, &place, &message.name));
                found += 1;
                if found == MOST_FOUND {
                    return true;
                }
            }
            if earlier.looks() + before.looks + commuted * LOOKS_OF_COMMUTE > MOST_LOOKS {
                return too_many(one, message, diagnostics);
            }
            earlier.push(later);
        }
    }
    true
}

/// What it takes to find out whether two ops commute.
const LOOKS_OF_COMMUTE: usize = 100;

/// More than this many findings say nothing new.
const MOST_FOUND: usize = 1000;

/// The ops of one version, in one message, before the one at hand.
#[derive(Default)]
struct Earlier<'a> {
    all: Vec<Touched<'a>>,
    /// The position of each, by what it writes.
    writes: ByPath<usize>,
    /// The position of each, and that of the path among what it reads, by that path.
    reads: ByPath<(usize, usize)>,
    compared: usize,
}

/// In which of three ways two ops meet, and by which of the paths: the least is told.
type Meeting = (u8, usize);

impl<'a> Earlier<'a> {
    fn looks(&self) -> usize {
        self.writes.looks() + self.reads.looks() + self.compared
    }

    /// Those that an op of another change meets, and where.
    fn meeting(&mut self, later: &Touched<'a>) -> Vec<(&Touched<'a>, Place)> {
        if self.all.last().is_some_and(|last| last.change.since != later.change.since) {
            *self = Self { compared: self.looks(), ..Self::default() };
        }
        // Both write it, or the later looks at what the earlier writes, or the earlier at what the later does.
        let mut met: BTreeMap<usize, (Meeting, &Path)> = BTreeMap::new();
        let mut note = |other: usize, meeting: Meeting, path| {
            let least = met.entry(other).or_insert((meeting, path));
            if meeting < least.0 {
                *least = (meeting, path);
            }
        };
        for (at, path) in later.writes.iter().enumerate() {
            self.writes.meeting(path).into_iter().for_each(|other| note(*other, (0, at), path));
            for (other, at) in self.reads.inside(path) {
                note(*other, (2, *at), &self.all[*other].reads[*at]);
            }
        }
        for (at, path) in later.reads.iter().enumerate() {
            self.writes.above(path).into_iter().for_each(|other| note(*other, (1, at), path));
        }
        self.compared += met.len();
        let others = met.into_iter().map(|(other, (_, path))| (&self.all[other], Place::of_message(path)));
        others.filter(|(other, _)| other.change.id != later.change.id).collect()
    }

    fn push(&mut self, touched: Touched<'a>) {
        let at = self.all.len();
        touched.writes.iter().for_each(|path| self.writes.push(path, at));
        touched.reads.iter().enumerate().for_each(|(number, path)| self.reads.push(path, (at, number)));
        self.all.push(touched);
    }
}

fn unordered(later: &Change, earlier: &Change, op: &Op, place: &Place, message: &str) -> Diagnostic {
    let text = format!(
        "`{}` and `{}` both touch `{place}` in {message}, and nothing says which of them comes first",
        earlier.id, later.id
    );
    let mut diagnostic = Diagnostic::error(code::UNORDERED, &later.file, op.span, text);
    let names: Vec<&str> = later.after.iter().map(|(name, _)| name.as_str()).chain([&*earlier.id]).collect();
    diagnostic.help(format!(
        "by their files' dates `{}` comes first; if its result is meant here, write `after: [{}]`",
        earlier.id,
        names.join(", ")
    ));
    diagnostic
}

/// Which changes come before others.
struct Before<'c> {
    changes: HashMap<&'c str, &'c Change>,
    /// The change that was asked for last, and those that come before it.
    last: Option<(&'c str, HashSet<&'c str>)>,
    looks: usize,
}

impl<'c> Before<'c> {
    fn new(changes: &'c [Change]) -> Self {
        Self { changes: changes.iter().map(|change| (&*change.id, change)).collect(), last: None, looks: 0 }
    }

    /// Whether a change names another as one that comes before it, or one that does.
    fn has(&mut self, change: &'c Change, other: &Change) -> bool {
        match &self.last {
            Some((id, before)) if **id == *change.id => before.contains(&*other.id),
            _ => {
                let before = self.of(change);
                self.looks += before.len();
                let has = before.contains(&*other.id);
                self.last = Some((&change.id, before));
                has
            }
        }
    }

    fn of(&self, change: &'c Change) -> HashSet<&'c str> {
        let (mut before, mut left) = (HashSet::new(), vec![change]);
        while let Some(change) = left.pop() {
            let named = change.after.iter().filter_map(|(name, _)| self.changes.get(name.as_str()));
            left.extend(named.filter(|other| before.insert(&*other.id)));
        }
        before
    }
}

fn touched<'a>(change: &'a Change, op: &'a Op) -> impl Iterator<Item = Touched<'a>> {
    op.stages().into_iter().map(move |stage| {
        let writes = stage.effect.writes().cloned().collect();
        let guards = stage.guard.into_iter().map(|(path, _)| path);
        let down = op.guard_down.iter().flatten().map(|guard| guard.place.in_message());
        let reads = stage.effect.reads.into_iter().chain(guards).chain(down).collect();
        Touched { change, op, writes, reads }
    })
}
