//! What is wrong with an API's changes beyond what a single block can tell.
//!
//! Conflicts of calls and sockets first, then what each op does to the skeleton of its message ([`conflicts`]), the
//! order of changes ([`order`]), and what is lost ([`loss`]).

mod calls;
mod conflicts;
mod guards;
mod loss;
mod marks;
mod order;
mod skeleton;

use crate::diagnostic::{Diagnostic, Severity, Source};

use super::Api;
use super::ast::Change;
use super::lens::Op;
use super::messages::messages;
use marks::Texts;

/// Checks an API's changes. The files come with their names inside the API's folder.
pub(super) fn check(api: &Api, files: &[(&str, &Source)], diagnostics: &mut Vec<Diagnostic>) {
    let texts = Texts(files);
    calls::check_changes(api, diagnostics);
    // What follows looks at whole changes, and of a file with errors only a part may be there.
    if diagnostics.iter().any(|d| d.severity == Severity::Error) {
        return;
    }
    if !calls::check_pairs(api, diagnostics) {
        return;
    }
    let messages = messages(api);
    conflicts::check(&messages, texts, diagnostics);
    order::check(&api.changes, &messages, diagnostics);
    for change in &api.changes {
        conflicts::alone(change, written(change).into_iter().flatten(), texts, diagnostics);
        loss::check(change, diagnostics);
    }
}

/// The lists of ops of a change, as its author wrote them.
fn written(change: &Change) -> Vec<&[Op]> {
    let calls = change.http.iter().flat_map(|block| {
        std::iter::once(block.request.as_slice()).chain(block.response.iter().map(|(_, ops)| ops.as_slice()))
    });
    let sides = change.ws.iter().flat_map(|block| block.client.iter().chain(&block.server));
    calls.chain(sides.flat_map(|side| &side.frames).map(|frame| frame.ops.as_slice())).collect()
}
