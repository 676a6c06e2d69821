//! Required members that an op cannot translate, or fills with a value of its own: by a contract, or by what other ops
//! certainly put there.

use std::collections::HashSet;

use crate::diagnostic::{Diagnostic, Span};
use crate::rules::ast::Change;
use crate::rules::contracts::{Invented, Known, Lacking, Unmet};
use crate::rules::lens::{Lens, Op};
use crate::rules::{Direction, diagnostics as code};

use super::marks::Texts;

/// Reports what contracts tell.
pub(super) fn check(known: &Known<'_>, texts: Texts<'_>, diagnostics: &mut Vec<Diagnostic>) {
    let mut groups: Vec<(&Unmet<'_>, HashSet<&str>)> = Vec::new();
    for unmet in &known.unmet {
        let is_it = |(first, _): &&mut (&Unmet<'_>, HashSet<&str>)| {
            id(first.op) == id(unmet.op) && first.direction == unmet.direction && first.lacking == unmet.lacking
        };
        match groups.iter_mut().find(is_it) {
            Some((_, messages)) => drop(messages.insert(&unmet.message)),
            None => groups.push((unmet, HashSet::from([unmet.message.as_str()]))),
        }
    }
    diagnostics.extend(groups.iter().map(|(unmet, messages)| of_contract(unmet, messages.len(), texts)));
    let mut seen: HashSet<(&str, Span)> = HashSet::new();
    let invented = known.invented.iter().filter(|invented| seen.insert(id(invented.op)));
    diagnostics.extend(invented.map(|invented| invention(invented, texts)));
}

/// An op as its author wrote it: what is said of a shape is there once for each of its places.
pub(super) fn id<'a>((change, op): (&'a Change, &Op)) -> (&'a str, Span) {
    (&change.file, op.span)
}

fn of_contract(unmet: &Unmet<'_>, messages: usize, texts: Texts<'_>) -> Diagnostic {
    let (_, op) = unmet.op;
    let place = op.places().next().map(|place| format!("`{place}`")).unwrap_or_default();
    let what = match &unmet.lacking {
        Lacking::Values(values) => {
            format!("{} {}, which the required {place} may be", lacks(op), listed(values))
        }
        Lacking::Most(found) => {
            format!("{} every {found}, and the required {place} may be any", lacks(op))
        }
        Lacking::Kind { expected, found } => {
            format!(
                "`{}` expects a value of the type {expected}, and the required {place} may be of the type {found}",
                op.lens.name()
            )
        }
        Lacking::Several => {
            format!("`{}` fails for more than one element, and the required {place} may have several", op.lens.name())
        }
    };
    let more = match messages {
        0 | 1 => String::new(),
        more => format!(" and {} more messages", more - 1),
    };
    let message = format!("going {}, {what}: {}{more}", unmet.direction.name(), unmet.message);
    partial(unmet.op, unmet.direction, message, texts)
}

/// What an op has none of, for a value that it fails for.
fn lacks(op: &Op) -> &'static str {
    match op.lens {
        Lens::Map(_) => "`map` has no pair for",
        _ => "`convert` cannot translate",
    }
}

const SHOWN: usize = 5;

fn listed(values: &[String]) -> String {
    let shown: Vec<String> = values.iter().take(SHOWN).map(|value| format!("`{value}`")).collect();
    match values.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// An op that fails for values that there are.
pub(super) fn partial(
    (change, op): (&Change, &Op),
    direction: Direction,
    message: String,
    texts: Texts<'_>,
) -> Diagnostic {
    let mut diagnostic = Diagnostic::error(code::UNMET, &change.file, op.span, message);
    let (knob, choice) = match (&op.lens, direction) {
        (Lens::Wrap(_) | Lens::Unwrap(_), _) => ("many", "first"),
        (_, Direction::Up) => ("else", "keep"),
        (_, Direction::Down) => ("else_down", "keep"),
    };
    let line = texts.with_argument(&change.file, op.span, &format!("{knob}: {choice}"));
    let choices = if knob == "many" { "`first`, `last` or `fail`" } else { "`keep`, `drop`, `{value: ...}` or `fail`" };
    let say = format!("say what becomes of it by `{knob}`, which is {choices}");
    let add = if matches!(op.lens, Lens::Map(_)) { "add a pair, or " } else { "" };
    diagnostic.help(match line {
        Some(line) => format!("{add}{say}: `{line}`"),
        None => format!("{add}{say}"),
    });
    diagnostic
}

fn invention(invented: &Invented<'_>, texts: Texts<'_>) -> Diagnostic {
    let (change, op) = invented.op;
    let place = op.places().next().map(|place| format!("`{place}`")).unwrap_or_default();
    let message = format!(
        "going down, clients are told `{}` for the required {place}, whatever it was: {}",
        invented.value, invented.message
    );
    restored(change, op, message, texts)
}

/// A required member that gets a value that nobody said.
pub(super) fn restored(change: &Change, op: &Op, message: String, texts: Texts<'_>) -> Diagnostic {
    let value = texts.argument(&change.file, op.span, "restore");
    let span = value.unwrap_or(op.span);
    let mut diagnostic = Diagnostic::warning(code::INVENTED, &change.file, span, message);
    let line = value.and_then(|span: Span| texts.with_text(&change.file, span, "fail"));
    let ways = "take it from a value beside it with `{from: ...}`";
    diagnostic.help(match line {
        Some(line) => format!("{ways}, or refuse such responses: `{line}`"),
        None => format!("{ways}, or refuse such responses with `restore: fail`"),
    });
    diagnostic
}
