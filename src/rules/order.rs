//! The order of an API's changes: by version, then `after`, then file name.

use std::collections::{BTreeSet, HashMap};
use std::sync::OnceLock;

use crate::diagnostic::Diagnostic;
use crate::yaml::reader::suggestion;

use super::Api;
use super::ast::{ApiFiles, Change};
use super::diagnostics as code;

/// Puts an API's changes in order.
pub(super) fn order(files: ApiFiles, diagnostics: &mut Vec<Diagnostic>) -> Api {
    let ApiFiles {
        name,
        versions,
        resolver,
        on_error,
        after_sunset,
        problems,
        pins: _,
        patch,
        shapes_file: _,
        shapes,
        query_arrays,
        checks,
        mut changes,
        tests,
    } = files;
    changes.sort_by(|a, b| (a.since, &a.file).cmp(&(b.since, &b.file)));
    check_names(&changes, diagnostics);
    let changes = sort_by_after(changes, diagnostics);
    let pairs = (0..versions.0.len() * versions.0.len()).map(|_| OnceLock::new()).collect();
    Api {
        name,
        versions,
        resolver,
        on_error,
        after_sunset,
        problems,
        patch,
        checks,
        query_arrays,
        shapes,
        changes,
        tests,
        pairs,
    }
}

fn check_names(changes: &[Change], diagnostics: &mut Vec<Diagnostic>) {
    let mut by_name: HashMap<&str, &Change> = HashMap::new();
    for change in changes {
        by_name.entry(&change.id).or_insert(change);
    }
    for change in changes {
        let first = by_name[&*change.id];
        if !std::ptr::eq(first, change) {
            let message = format!("the change `{}` stands in `{}` already", change.id, first.file);
            let mut diagnostic = Diagnostic::error(code::ORDER, &change.file, change.span, message);
            diagnostic.help("every change of an API has a name of its own");
            diagnostics.push(diagnostic);
        }
        check_after(changes, &by_name, change, diagnostics);
    }
}

fn check_after(
    changes: &[Change],
    by_name: &HashMap<&str, &Change>,
    change: &Change,
    diagnostics: &mut Vec<Diagnostic>,
) {
    for (name, span) in &change.after {
        let (message, help) = match by_name.get(name.as_str()) {
            None => {
                let names: Vec<&str> =
                    changes.iter().map(|change| &*change.id).filter(|id| *id != &*change.id).collect();
                let help =
                    if names.is_empty() { "this is the only change".to_owned() } else { suggestion(name, &names) };
                (format!("there is no change `{name}`"), help)
            }
            Some(other) if other.since > change.since => (
                format!("`{name}` belongs to a later version"),
                format!("its version comes after this one anyway: see `{}`", other.file),
            ),
            Some(other) if other.id == change.id => {
                ("a change cannot come after itself".to_owned(), "remove it from `after`".to_owned())
            }
            Some(_) => continue,
        };
        let mut diagnostic = Diagnostic::error(code::ORDER, &change.file, *span, message);
        diagnostic.help(help);
        diagnostics.push(diagnostic);
    }
}

/// Takes, again and again, the first change all of whose predecessors were taken.
fn sort_by_after(changes: Vec<Change>, diagnostics: &mut Vec<Diagnostic>) -> Vec<Change> {
    let (mut waits, followers) = followers(&changes);
    let mut ready: BTreeSet<usize> = (0..changes.len()).filter(|at| waits[*at] == 0).collect();
    let mut changes: Vec<Option<Change>> = changes.into_iter().map(Some).collect();
    let mut sorted: Vec<Change> = Vec::with_capacity(changes.len());
    while let Some(at) = ready.pop_first() {
        sorted.extend(changes[at].take());
        for &follower in &followers[at] {
            waits[follower] -= 1;
            if waits[follower] == 0 {
                ready.insert(follower);
            }
        }
    }
    let mut rest: Vec<Change> = changes.into_iter().flatten().collect();
    if !rest.is_empty() {
        diagnostics.push(cycle(&rest));
        sorted.append(&mut rest);
    }
    sorted
}

/// For how many changes of its version each change waits, and which wait for it. Versions come one after the other
/// anyway.
fn followers(changes: &[Change]) -> (Vec<usize>, Vec<Vec<usize>>) {
    let places: HashMap<&str, usize> = changes.iter().enumerate().rev().map(|(at, change)| (&*change.id, at)).collect();
    let (mut waits, mut followers) = (vec![0; changes.len()], vec![Vec::new(); changes.len()]);
    for (at, change) in changes.iter().enumerate() {
        for other in change.after.iter().filter_map(|(name, _)| places.get(name.as_str())) {
            if changes[*other].since == change.since && changes[*other].id != change.id {
                waits[at] += 1;
                followers[*other].push(at);
            }
        }
    }
    (waits, followers)
}

/// The first change before this one that was not taken yet: of an earlier version, or named by `after`. What is
/// wrong in other ways than by its order was reported, and holds nothing up.
fn waits_for<'c>(change: &Change, changes: &'c [Change]) -> Option<&'c Change> {
    let named = |other: &&Change| change.after.iter().any(|(name, _)| *other.id == **name);
    changes.iter().find(|other| {
        other.since < change.since || other.since == change.since && other.id != change.id && named(other)
    })
}

/// Changes that wait for each other; there are some, since every change waits.
fn cycle(changes: &[Change]) -> Diagnostic {
    let mut way: Vec<&Change> = vec![&changes[0]];
    let start = loop {
        let next = way.last().and_then(|change| waits_for(change, changes)).unwrap_or(&changes[0]);
        match way.iter().position(|change| std::ptr::eq(*change, next)) {
            Some(start) => break start,
            None => way.push(next),
        }
    };
    let names: Vec<String> = way[start..].iter().map(|change| format!("`{}`", change.id)).collect();
    let (first, next) = (way[start], way.get(start + 1).unwrap_or(&way[start]));
    let span = first.after.iter().find(|(name, _)| *next.id == **name).map_or(first.span, |(_, span)| *span);
    let mut diagnostic = Diagnostic::error(
        code::ORDER,
        &first.file,
        span,
        format!("changes wait for each other: {} after {}", names.join(" after "), names[0]),
    );
    diagnostic.help("remove one of these `after`");
    diagnostic
}
