//! What a change loses, derived from its ops, against what its author accepts.

use crate::diagnostic::{Diagnostic, Span};
use crate::rules::ast::Change;
use crate::rules::lens::{Op, lost_by, unknown_losses};
use crate::rules::{Direction, Place, diagnostics as code};

use super::conflicts::quoted;
use super::skeleton::covers;
use super::written;

/// What is lost in one direction, and what is accepted.
struct Side<'a> {
    direction: Direction,
    lost: Vec<(&'a Op, Place)>,
    accepted: Vec<Place>,
    /// Where only the author knows what is lost.
    unknown: Vec<Place>,
}

/// Reports a change whose losses are others than those it accepts. Paths are of the message, or of the shape: of its
/// newer form for what is lost going down, of its older for what is lost going up.
pub(super) fn check(change: &Change, diagnostics: &mut Vec<Diagnostic>) {
    let sides =
        [side(change, Direction::Up, &change.accept_loss.0), side(change, Direction::Down, &change.accept_loss.1)];
    let unaccepted: Vec<(&Op, Direction, &Place)> = sides.iter().flat_map(Side::unaccepted).collect();
    let unlost: Vec<(Direction, &Place)> = sides.iter().flat_map(Side::unlost).collect();
    let lost = unaccepted.first().map(|(_, direction, place)| {
        let more = and_more(unaccepted.len());
        format!("the change loses `{place}` going {}{more}, and does not accept it", direction.name())
    });
    let kept = unlost.first().map(|(direction, place)| {
        let more = and_more(unlost.len());
        format!("the loss of `{place}` going {}{more} is accepted, and nothing is lost there", direction.name())
    });
    let Some(message) = lost.or(kept) else { return };
    let span = change.accept_loss_span.unwrap_or(change.span);
    let mut diagnostic = Diagnostic::error(code::LOSS, &change.file, span, message);
    let mut marked: Vec<Span> = Vec::new();
    for (op, direction, place) in unaccepted {
        if !marked.contains(&op.span) {
            marked.push(op.span);
            diagnostic.secondary(op.span, format!("loses `{place}` going {}", direction.name()));
        }
    }
    diagnostic.help(corrected(&sides));
    diagnostics.push(diagnostic);
}

fn and_more(count: usize) -> String {
    if count > 1 { format!(" and {} more", count - 1) } else { String::new() }
}

fn side<'a>(change: &'a Change, direction: Direction, accepted: &[String]) -> Side<'a> {
    let mut lost: Vec<(&Op, Place)> = Vec::new();
    for ops in written(change) {
        for (op, place) in lost_by(ops, direction) {
            if lost.iter().all(|(_, other)| *other != place) {
                lost.push((op, place));
            }
        }
    }
    let accepted = accepted.iter().filter_map(|path| Place::parse(path).ok()).collect();
    Side { direction, lost, accepted, unknown: written(change).into_iter().flat_map(unknown_losses).collect() }
}

/// Whether the second is the first or inside it.
fn accepts(accepted: &Place, lost: &Place) -> bool {
    accepted.location == lost.location && covers(&accepted.tokens, &lost.tokens)
}

impl Side<'_> {
    fn unaccepted(&self) -> Vec<(&Op, Direction, &Place)> {
        let is_accepted = |place: &Place| self.accepted.iter().any(|accepted| accepts(accepted, place));
        let lost = self.lost.iter().filter(|(_, place)| !is_accepted(place));
        lost.map(|(op, place)| (*op, self.direction, place)).collect()
    }

    fn unlost(&self) -> Vec<(Direction, &Place)> {
        let is_lost = |place: &&Place| {
            let may_be = |unknown| accepts(place, unknown) || accepts(unknown, place);
            self.lost.iter().any(|(_, lost)| accepts(place, lost)) || self.unknown.iter().any(may_be)
        };
        self.accepted.iter().filter(|place| !is_lost(place)).map(|place| (self.direction, place)).collect()
    }

    /// What is to be accepted: of what is, that which is lost; of what is not, all that is lost, each once.
    fn right(&self) -> Vec<&Place> {
        let mut right: Vec<&Place> =
            self.accepted.iter().filter(|place| self.lost.iter().any(|(_, lost)| accepts(place, lost))).collect();
        let missing: Vec<&Place> = self.unaccepted().into_iter().map(|(_, _, place)| place).collect();
        let is_inside = |place: &Place| missing.iter().any(|other| **other != *place && accepts(other, place));
        right.extend(missing.iter().filter(|place| !is_inside(place)));
        right
    }
}

fn corrected(sides: &[Side<'_>]) -> String {
    let listed = sides.iter().filter_map(|side| {
        let paths: Vec<String> = side.right().into_iter().map(quoted).collect();
        (!paths.is_empty()).then(|| format!("{}: [{}]", side.direction.name(), paths.join(", ")))
    });
    let listed: Vec<String> = listed.collect();
    if listed.is_empty() {
        return "remove `accept_loss`: the change loses nothing".to_owned();
    }
    format!("if that is meant, write `accept_loss: {{{}}}`", listed.join(", "))
}
