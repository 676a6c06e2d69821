//! Changes of one version of which it matters which comes first, and nobody says.

use std::collections::HashSet;

use crate::diagnostic::Diagnostic;
use crate::json::edit::{Path, Token};
use crate::rules::ast::Change;
use crate::rules::lens::Op;
use crate::rules::messages::Message;
use crate::rules::path::Part;
use crate::rules::{Place, diagnostics as code};

use super::skeleton::{is_in, meets};

/// What one op writes and looks at.
struct Touched {
    part: Part,
    writes: Vec<Path>,
    reads: Vec<Path>,
}

/// Reports every two changes of one version whose ops meet in a message, unless `after` orders them.
pub(super) fn check(changes: &[Change], messages: &[Message<'_>], diagnostics: &mut Vec<Diagnostic>) {
    let mut seen: HashSet<(&str, &str)> = HashSet::new();
    for message in messages {
        let lists: Vec<(&Change, Vec<(&Op, Vec<Touched>)>)> = message
            .lists
            .iter()
            .map(|(change, ops)| (*change, ops.iter().map(|op| (op, touched(op))).collect()))
            .collect();
        for (at, (later, ops)) in lists.iter().enumerate() {
            for (earlier, others) in lists[..at].iter().filter(|(earlier, _)| earlier.since == later.since) {
                if earlier.id == later.id
                    || comes_after(changes, later, earlier)
                    || comes_after(changes, earlier, later)
                {
                    continue;
                }
                let meeting = ops.iter().find_map(|(op, own)| {
                    let met = others.iter().flat_map(|(_, others)| others).find_map(|other| meeting(own, other))?;
                    Some((*op, met))
                });
                if let Some((op, place)) = meeting
                    && seen.insert((&later.id, &earlier.id))
                {
                    diagnostics.push(unordered(later, earlier, op, &place, &message.name));
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

fn touched(op: &Op) -> Vec<Touched> {
    let of_edit = |(lowered, effect): &(crate::rules::lens::Lowered, crate::rules::lens::Effect)| {
        let guards = lowered.entry.guard.iter().map(|guard| guard.path.iter().cloned().map(Token::Key).collect());
        let reads = effect.reads.iter().cloned().chain(guards).collect();
        Touched { part: lowered.part, writes: effect.writes().cloned().collect(), reads }
    };
    op.effects().iter().map(of_edit).collect()
}

/// Where two ops meet: both write it, or one looks at what the other writes.
fn meeting(own: &[Touched], other: &Touched) -> Option<Place> {
    own.iter().filter(|own| own.part == other.part).find_map(|own| {
        let both = own.writes.iter().find(|path| other.writes.iter().any(|written| meets(path, written)));
        let looks = |reads: &'_ [Path], writes: &[Path]| -> Option<Path> {
            reads.iter().find(|path| writes.iter().any(|written| is_in(path, written))).cloned()
        };
        let path =
            both.cloned().or_else(|| looks(&own.reads, &other.writes)).or_else(|| looks(&other.reads, &own.writes));
        path.map(|path| Place::of_part(own.part, &path))
    })
}
