//! What is wrong with an API's changes beyond what a single block can tell.
//!
//! Conflicts of calls and sockets first, then what each op does to the skeleton of its message ([`conflicts`]), the
//! order of changes ([`order`]), what is lost ([`loss`]), what is dear ([`cost`]) and what was released ([`lock`]).
//! What a project does not want to be told is taken out last ([`policy`]).

mod calls;
mod commute;
mod conflicts;
mod cost;
mod guards;
mod hygiene;
mod known;
pub mod lock;
mod loss;
mod marks;
mod order;
mod policy;
mod required;
mod skeleton;
mod values;

use crate::diagnostic::{Diagnostic, Severity, Source};

use super::ast::{Change, Origin};
use super::contracts::Read;
use super::lens::Op;
use super::messages::messages;
use super::{Api, RuleSet, by_api, reach};
use marks::Texts;
use policy::Policy;

/// Checks an API's changes, and takes out of everything that was found what the project does not want to be told. The
/// files come with their names inside the API's folder.
pub(super) fn check(api: &Api, files: &[(&str, &Source)], contracts: Option<Read>, diagnostics: &mut Vec<Diagnostic>) {
    let mut policy = Policy::new(&api.checks, files, diagnostics);
    hygiene::todos(files, diagnostics);
    calls::check_changes(api, diagnostics);
    reach::check(api, diagnostics);
    policy.settle(diagnostics);
    // What follows looks at whole changes, and of a file with errors only a part may be there.
    if diagnostics.iter().any(|d| d.severity == Severity::Error) {
        return;
    }
    let texts = files.iter().map(|(_, source)| (source.file.as_str(), source.text.as_str())).collect();
    let texts = Texts::new(&texts);
    if calls::check_pairs(api, diagnostics) && check_ops(api, texts, diagnostics) {
        cost::check(api, diagnostics);
        lock::check(api, files, diagnostics);
        if let Some(read) = contracts {
            check_contracts(api, read, files, texts, diagnostics);
        }
    }
    policy.settle(diagnostics);
    policy.finish(contracts.is_some(), diagnostics);
}

/// Takes out of what was found of rules that run what their projects do not want to be told.
pub(super) fn settle(rules: &RuleSet, files: &[Source], found: &mut Vec<Diagnostic>) {
    for (folder, files) in by_api(files) {
        if let Some(api) = rules.apis.get(folder) {
            // What is wrong with the comments themselves was said when the rules were compiled.
            Policy::new(&api.checks, &files, &mut Vec::new()).settle(found);
        }
    }
}

fn check_contracts(
    api: &Api,
    read: Read,
    files: &[(&str, &Source)],
    texts: Texts<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let contracts = read(api, files);
    known::check(api, &contracts.calls, texts, diagnostics);
    required::check(&contracts, texts, diagnostics);
    diagnostics.extend(contracts.diagnostics);
}

/// Whether the ops are few enough to look further.
fn check_ops(api: &Api, texts: Texts<'_>, diagnostics: &mut Vec<Diagnostic>) -> bool {
    let messages = messages(api);
    if !conflicts::check(&messages, texts, diagnostics) || !order::check(&api.changes, &messages, diagnostics) {
        return false;
    }
    values::check(&messages, texts, diagnostics);
    for change in &api.changes {
        let ops = || written(change).into_iter().flatten();
        conflicts::alone(change, ops(), texts, diagnostics);
        hygiene::whole_bodies(change, ops(), texts, diagnostics);
        loss::check(change, diagnostics);
    }
    true
}

/// The lists of ops of a change, as its author wrote them: those of a shape once, not in each of its places.
fn written(change: &Change) -> Vec<&[Op]> {
    let calls = change.http.iter().filter(|block| block.origin == Origin::File).flat_map(|block| {
        std::iter::once(block.request.as_slice()).chain(block.response.iter().map(|(_, ops)| ops.as_slice()))
    });
    let sockets = change.ws.iter().filter(|block| block.origin == Origin::File);
    let sides = sockets.flat_map(|block| block.client.iter().chain(&block.server));
    let messages = sides.flat_map(|side| &side.frames).map(|frame| frame.ops.as_slice());
    let namespaces = change.socketio.iter().filter(|block| block.origin == Origin::File);
    let events = namespaces.flat_map(|block| block.client.iter().chain(&block.server));
    let arguments = events.flat_map(|event| [event.frame.ops.as_slice(), event.ack.as_slice()]);
    let shapes = change.shapes.iter().map(|block| block.ops.as_slice());
    calls.chain(messages).chain(arguments).chain(shapes).collect()
}
