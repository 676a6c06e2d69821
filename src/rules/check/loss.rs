//! What a change loses, derived from its ops, against what its author accepts.

use std::collections::HashSet;

use crate::diagnostic::{Diagnostic, Span};
use crate::rules::ast::Change;
use crate::rules::by_path::ByPath;
use crate::rules::lens::{Op, lost_by, unknown_losses};
use crate::rules::{Direction, Place, diagnostics as code};

use super::conflicts::quoted;
use super::written;

/// What is lost in one direction, and what is accepted.
struct Side<'a> {
    direction: Direction,
    lost: Places<(&'a Op, Place)>,
    accepted: Places<Place>,
    /// Where only the author knows what is lost.
    unknown: Places<Place>,
}

/// Places in their order, and by their paths.
struct Places<T> {
    all: Vec<T>,
    by_path: ByPath<usize>,
}

impl<T> Places<T> {
    fn new(all: Vec<T>, place: impl Fn(&T) -> &Place) -> Self {
        let mut by_path = ByPath::default();
        all.iter().enumerate().for_each(|(at, thing)| by_path.push(&place(thing).in_message(), at));
        Self { all, by_path }
    }

    fn above(&self, place: &Place) -> impl Iterator<Item = &T> {
        self.by_path.above(&place.in_message()).into_iter().map(|at| &self.all[*at])
    }

    fn inside(&self, place: &Place) -> impl Iterator<Item = &T> {
        self.by_path.inside(&place.in_message()).into_iter().map(|at| &self.all[*at])
    }
}

/// How many ops that lose something are shown.
const MOST_MARKED: usize = 20;

/// Reports a change whose losses are others than those it accepts. Paths are of the message, or of the shape: of its
/// newer form for what is lost going down, of its older for what is lost going up.
pub(super) fn check(change: &Change, diagnostics: &mut Vec<Diagnostic>) {
    let up = side(change, Direction::Up, &change.accept_loss.0);
    let (Some(up), Some(down)) = (up, side(change, Direction::Down, &change.accept_loss.1)) else {
        let message = "the ops of this change take too many places along for what is lost to be derived";
        let mut diagnostic = Diagnostic::error(crate::yaml::code::LIMIT, &change.file, change.span, message);
        diagnostic.help("write fewer ops about the same values");
        diagnostics.push(diagnostic);
        return;
    };
    let sides = [up, down];
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
    let mut marked: HashSet<Span> = HashSet::new();
    for (op, direction, place) in unaccepted {
        if marked.len() < MOST_MARKED && marked.insert(op.span) {
            diagnostic.secondary(op.span, format!("loses `{place}` going {}", direction.name()));
        }
    }
    diagnostic.help(corrected(&sides));
    diagnostics.push(diagnostic);
}

fn and_more(count: usize) -> String {
    if count > 1 { format!(" and {} more", count - 1) } else { String::new() }
}

/// `None` if the change takes too many places that are lost along.
fn side<'a>(change: &'a Change, direction: Direction, accepted: &[String]) -> Option<Side<'a>> {
    let mut seen: HashSet<Place> = HashSet::new();
    let lost: Option<Vec<_>> = written(change).into_iter().map(|ops| lost_by(ops, direction)).collect();
    let mut lost: Vec<(&Op, Place)> = lost?.into_iter().flatten().collect();
    lost.retain(|(_, place)| seen.insert(place.clone()));
    let mut accepted: Vec<Place> = accepted.iter().filter_map(|path| Place::parse(path).ok()).collect();
    let mut listed: HashSet<Place> = HashSet::new();
    accepted.retain(|place| listed.insert(place.clone()));
    let unknown = written(change).into_iter().flat_map(unknown_losses).collect();
    Some(Side {
        direction,
        lost: Places::new(lost, |(_, place)| place),
        accepted: Places::new(accepted, |place| place),
        unknown: Places::new(unknown, |place| place),
    })
}

impl Side<'_> {
    fn unaccepted(&self) -> Vec<(&Op, Direction, &Place)> {
        let is_accepted = |place: &Place| self.accepted.above(place).any(|accepted| accepted.covers(place));
        let lost = self.lost.all.iter().filter(|(_, place)| !is_accepted(place));
        lost.map(|(op, place)| (*op, self.direction, place)).collect()
    }

    fn unlost(&self) -> Vec<(Direction, &Place)> {
        let is_lost = |place: &&Place| {
            self.loses(place)
                || self.unknown.inside(place).any(|unknown| place.covers(unknown))
                || self.unknown.above(place).any(|unknown| unknown.covers(place))
        };
        self.accepted.all.iter().filter(|place| !is_lost(place)).map(|place| (self.direction, place)).collect()
    }

    /// Whether something is lost there or inside.
    fn loses(&self, place: &Place) -> bool {
        self.lost.inside(place).any(|(_, lost)| place.covers(lost))
    }

    /// What is to be accepted: of what is, that which is lost; of what is not, all that is lost, each once.
    fn right(&self) -> Vec<&Place> {
        let mut right: Vec<&Place> = self.accepted.all.iter().filter(|place| self.loses(place)).collect();
        let missing: Vec<&Place> = self.unaccepted().into_iter().map(|(_, _, place)| place).collect();
        let missing = Places::new(missing, |place| place);
        let is_inside = |place: &Place| missing.above(place).any(|other| **other != *place && other.covers(place));
        right.extend(missing.all.iter().filter(|place| !is_inside(place)));
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
