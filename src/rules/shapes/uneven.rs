//! Changes that edit a shape by hand in some places and forget the others.

use crate::diagnostic::{Diagnostic, Span};
use crate::rules::Api;
use crate::rules::ast::Change;
use crate::rules::diagnostics as code;

use super::Expansion;
use super::places::ShapeId;

/// A shape in a kind of message, and whether a change reaches into it there.
pub(super) struct Seen {
    /// The change's position.
    pub(super) change: usize,
    pub(super) shape: ShapeId,
    /// Such as "the responses of `GET /users`".
    pub(super) place: String,
    /// The author's block that edits the shape there.
    pub(super) by: Option<Span>,
}

impl Seen {
    fn key(&self) -> (usize, ShapeId) {
        (self.change, self.shape)
    }
}

/// Warns of every change without a block about a shape that edits it in some of its places only.
pub(super) fn report(api: &Api, expansion: &mut Expansion) {
    expansion.seen.sort_by_key(Seen::key);
    for seen in expansion.seen.chunk_by(|a, b| a.key() == b.key()) {
        let (change, name) = (&api.changes[seen[0].change], &*expansion.names[seen[0].shape]);
        if !change.shapes.iter().any(|block| block.name == name) {
            expansion.found.extend(uneven(change, name, seen));
        }
    }
}

fn uneven(change: &Change, name: &str, seen: &[Seen]) -> Option<Diagnostic> {
    let (first, span) = seen.iter().find_map(|seen| Some((&seen.place, seen.by?)))?;
    let is_edited = |place: &str| seen.iter().any(|seen| seen.by.is_some() && seen.place == place);
    let mut missed: Vec<&str> = seen.iter().map(|seen| seen.place.as_str()).filter(|place| !is_edited(place)).collect();
    missed.dedup();
    let (missing, more) = missed.split_first()?;
    let more = match more.len() {
        0 => String::new(),
        1 => " and one more place".to_owned(),
        count => format!(" and {count} more places"),
    };
    let message = format!("`{name}` is edited in {first}, and not in {missing}{more}");
    let mut diagnostic = Diagnostic::warning(code::SHAPE_MISSED, &change.file, span, message);
    diagnostic.help(format!("write a block `- shape: {name}` if it changes wherever it occurs"));
    Some(diagnostic)
}
