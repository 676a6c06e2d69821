//! Changes of one version of which it may matter which comes first, and nobody says.

use std::collections::HashSet;

use crate::diagnostic::Diagnostic;
use crate::json::edit::Path;
use crate::rules::ast::Change;
use crate::rules::lens::Op;
use crate::rules::messages::Message;
use crate::rules::{Place, diagnostics as code};

use super::commute::commute;
use super::skeleton::{is_in, meets};

/// What one edit of an op writes and looks at.
struct Touched<'a> {
    change: &'a Change,
    op: &'a Op,
    writes: Vec<Path>,
    reads: Vec<Path>,
}

/// Reports every two changes of one version whose ops meet in a message, unless `after` orders them or both orders
/// certainly come to the same.
pub(super) fn check(changes: &[Change], messages: &[Message<'_>], diagnostics: &mut Vec<Diagnostic>) {
    let mut settled: HashSet<(&str, &str)> = HashSet::new();
    for message in messages {
        let all: Vec<Touched<'_>> =
            message.lists.iter().flat_map(|(change, ops)| ops.iter().flat_map(move |op| touched(change, op))).collect();
        for (at, later) in all.iter().enumerate() {
            for earlier in all[..at].iter().filter(|earlier| earlier.change.since == later.change.since) {
                let (one, other) = (later.change, earlier.change);
                let Some(place) = meeting(later, earlier) else { continue };
                if one.id == other.id
                    || settled.contains(&(&*one.id, &*other.id))
                    || commute(later.op, earlier.op)
                    || !settled.insert((&one.id, &other.id))
                {
                    continue;
                }
                if !comes_after(changes, one, other) && !comes_after(changes, other, one) {
                    diagnostics.push(unordered(one, other, later.op, &place, &message.name));
                }
            }
        }
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

/// Whether a change names another as one that comes before it, or one that does.
fn comes_after(changes: &[Change], change: &Change, other: &Change) -> bool {
    let mut seen: Vec<&str> = vec![&change.id];
    let mut at = 0;
    while let Some(name) = seen.get(at).copied() {
        let named = changes.iter().filter(|change| *change.id == *name).flat_map(|change| &change.after);
        for (name, _) in named {
            if !seen.contains(&name.as_str()) {
                seen.push(name);
            }
        }
        at += 1;
    }
    seen.contains(&&*other.id)
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

/// Where two ops meet: both write it, or one looks at what the other writes.
fn meeting(own: &Touched<'_>, other: &Touched<'_>) -> Option<Place> {
    let both = own.writes.iter().find(|path| other.writes.iter().any(|written| meets(path, written)));
    let looks = |reads: &'_ [Path], writes: &[Path]| -> Option<Path> {
        reads.iter().find(|path| writes.iter().any(|written| is_in(path, written))).cloned()
    };
    let path = both.cloned().or_else(|| looks(&own.reads, &other.writes)).or_else(|| looks(&other.reads, &own.writes));
    path.map(|path| Place::of_message(&path))
}
