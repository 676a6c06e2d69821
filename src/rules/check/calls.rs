//! Calls and sockets that overlap, meet, or are translated by half.

use std::collections::HashMap;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Severity, Span};
use crate::route::Template;
use crate::rules::Api;
use crate::rules::ast::{Change, Frames, HttpBlock, Origin, WsBlock};
use crate::rules::chain::{self, TooMuch};
use crate::rules::diagnostics as code;
use crate::version::VersionId;
use crate::yaml::code as yaml_code;

/// Reports what is wrong with the blocks of each change.
pub(super) fn check_changes(api: &Api, diagnostics: &mut Vec<Diagnostic>) {
    for change in &api.changes {
        ambiguous_calls(change, diagnostics);
        meeting_routes(change, diagnostics);
        sockets(change, diagnostics);
        change.ws.iter().for_each(|block| frames(change, block, diagnostics));
    }
}

/// Reports what is wrong with the changes together; `false` if they are too much to look further.
pub(super) fn check_pairs(api: &Api, diagnostics: &mut Vec<Diagnostic>) -> bool {
    api.changes.iter().for_each(|change| applies_to_nothing(change, diagnostics));
    api.changes.iter().for_each(|change| incompatible(change, diagnostics));
    if let (Some(what), Some(change)) = (chain::too_much(api), api.changes.last()) {
        let (code, what, help) = match what {
            TooMuch::Overlaps => (
                code::AMBIGUOUS,
                "the calls of this change and those before it overlap in too many ways",
                "write calls with fewer parameters and `*`, and fewer `route` after each other",
            ),
            TooMuch::Ops => (
                yaml_code::LIMIT,
                "this change and those before it have too many ops on too many calls",
                "write fewer ops about every call, and about shapes that many calls have",
            ),
            TooMuch::Messages => (
                yaml_code::LIMIT,
                "this change and those before it have too many ops on too many messages of sockets",
                "write fewer ops about every path of a socket, and let no message get the name of another that stays",
            ),
        };
        let mut diagnostic = Diagnostic::error(code, &change.file, change.span, what);
        diagnostic.help(help);
        diagnostics.push(diagnostic);
        return false;
    }
    for version in 1..api.versions.0.len() {
        untranslated_errors(api, VersionId(u16::try_from(version).unwrap_or(u16::MAX)), diagnostics);
    }
    true
}

fn applies_to_nothing(change: &Change, diagnostics: &mut Vec<Diagnostic>) {
    if change.http.is_empty() && change.ws.is_empty() && change.socketio.is_empty() && change.shapes.is_empty() {
        let message = format!("the change `{}` applies to nothing", change.id);
        let mut diagnostic = Diagnostic::warning(code::UNMATCHED, &change.file, change.span, message);
        diagnostic.help("list what it changes under `apply`");
        diagnostics.push(diagnostic);
    }
}

/// What a change says of itself that it cannot translate: something to know, not something to mend.
fn incompatible(change: &Change, diagnostics: &mut Vec<Diagnostic>) {
    for (sentence, span) in &change.incompatible {
        let message = format!("not translated by `{}`: {}", change.id, sentence.trim_end_matches('.'));
        diagnostics.push(Diagnostic {
            severity: Severity::Hint,
            ..Diagnostic::warning(code::INCOMPATIBLE, &change.file, *span, message)
        });
    }
}

/// Reports two templates of one change that meet without one being the more specific.
fn ambiguous(change: &Change, calls: &[(&Template, Span)], diagnostics: &mut Vec<Diagnostic>) {
    for (at, (call, span)) in calls.iter().enumerate() {
        if let Some((other, first)) = calls[..at].iter().find(|(other, _)| other.ambiguous_with(call)) {
            let message = format!("`{call}` and `{other}` overlap, and neither is the more specific");
            let mut diagnostic = Diagnostic::error(code::AMBIGUOUS, &change.file, *span, message);
            if first != span {
                diagnostic.secondary(*first, "the other is here");
            }
            diagnostic.help("a literal segment beats a parameter: make one of them more specific");
            diagnostics.push(diagnostic);
        }
    }
}

/// The blocks of calls that the author wrote.
fn written(change: &Change) -> impl Iterator<Item = &HttpBlock> {
    change.http.iter().filter(|block| block.origin == Origin::File)
}

/// The calls of a change must say which of them a request is, on the older side and on the newer.
fn ambiguous_calls(change: &Change, diagnostics: &mut Vec<Diagnostic>) {
    let calls = |is_added: bool| {
        let blocks = written(change).filter(move |block| block.is_added() == is_added);
        blocks.flat_map(|block| block.calls.iter().map(|call| (call, block.span)))
    };
    ambiguous(change, &calls(false).collect::<Vec<_>>(), diagnostics);
    let routes = change.http.iter().filter_map(|block| Some((block.route.as_ref()?, block.span)));
    ambiguous(change, &routes.chain(calls(true)).collect::<Vec<_>>(), diagnostics);
}

/// A call of the older version, what the newer calls it, and where that is said.
type Route<'a> = (&'a Template, &'a Template, Span);

/// Two calls must not become one, nor one two: going back there would be a choice.
fn meeting_routes(change: &Change, diagnostics: &mut Vec<Diagnostic>) {
    let routes: Vec<Route<'_>> = change
        .http
        .iter()
        .filter_map(|block| Some((block.calls.first()?, block.route.as_ref()?, block.span)))
        .collect();
    for (at, route) in routes.iter().enumerate() {
        let rival = routes[..at].iter().find_map(|other| rivalry(route, other));
        if let Some((message, first)) = rival.or_else(|| meets_a_call_that_stays(change, &routes, route)) {
            let mut diagnostic = Diagnostic::error(code::ORDER, &change.file, route.2, message);
            diagnostic
                .secondary(first, "the other is here")
                .help("a `route` leads from one call to one call, so that there is a way back");
            diagnostics.push(diagnostic);
        }
    }
}

fn rivalry((call, new, _): &Route<'_>, (other, other_new, first): &Route<'_>) -> Option<(String, Span)> {
    match (call.same_shape(other), new.same_shape(other_new)) {
        (true, false) => Some((format!("`{call}` becomes both `{other_new}` and `{new}`"), *first)),
        (false, true) => Some((format!("both `{other}` and `{call}` become `{new}`"), *first)),
        (true, true) | (false, false) => None,
    }
}

fn meets_a_call_that_stays(
    change: &Change,
    routes: &[Route<'_>],
    (call, new, _): &Route<'_>,
) -> Option<(String, Span)> {
    let moves = routes.iter().any(|(other, ..)| other.same_shape(new));
    // A call that is gone makes room for another.
    let names = |block: &&HttpBlock| !block.is_gone() && block.calls.iter().any(|call| call.same_shape(new));
    let block = written(change).find(names).filter(|_| !moves)?;
    Some((format!("`{call}` becomes `{new}`, which is a call of the older version too"), block.span))
}

/// A socket's path has one block in a change.
fn sockets(change: &Change, diagnostics: &mut Vec<Diagnostic>) {
    let written = change.ws.iter().filter(|block| block.origin == Origin::File);
    let paths: Vec<_> = written.map(|block| (&block.path, block.span)).collect();
    ambiguous(change, &paths, diagnostics);
    for (at, (path, span)) in paths.iter().enumerate() {
        if let Some((_, first)) = paths[..at].iter().find(|(other, _)| other.same_shape(path)) {
            let message = "a second block about this socket";
            let mut diagnostic = Diagnostic::error(code::ORDER, &change.file, *span, message);
            diagnostic
                .secondary(*first, "the first is here")
                .help("write `client` and `server` of a socket into one block");
            diagnostics.push(diagnostic);
        }
    }
}

/// Two frames of one side must not become one: going back there would be a choice.
fn frames(change: &Change, block: &WsBlock, diagnostics: &mut Vec<Diagnostic>) {
    for Frames { frames, .. } in block.client.iter().chain(&block.server) {
        for (at, frame) in frames.iter().enumerate() {
            let Some(name) = frame.newer_name() else { continue };
            if let Some(first) = frames[..at].iter().find(|other| other.newer_name() == Some(name)) {
                let message = format!("two frames become `{name}`");
                let mut diagnostic = Diagnostic::error(code::ORDER, &change.file, frame.span, message);
                diagnostic.secondary(first.span, "the first is here").help("give one of them another name with `as`");
                diagnostics.push(diagnostic);
            }
        }
    }
}

/// A client that is shown translated successes and untranslated errors has two versions to cope with.
fn untranslated_errors(api: &Api, version: VersionId, diagnostics: &mut Vec<Diagnostic>) {
    let older = VersionId(version.0 - 1);
    let pair = api.pair(version, older);
    let changes: HashMap<&Arc<str>, &Change> = api.changes.iter().map(|change| (&change.id, change)).collect();
    for call in pair.calls.iter().chain([&pair.default]) {
        let plan = |status: u16| {
            let plans = &call.responses.0;
            &plans[plans.partition_point(|(first, _)| *first <= status).saturating_sub(1)].1
        };
        if plan(200).body.is_identity()
            || !plan(400).is_identity()
            || !plan(404).is_identity()
            || !plan(500).is_identity()
        {
            continue;
        }
        // They are in the order of the way down.
        let block = call
            .changes
            .iter()
            .rev()
            .filter_map(|id| changes.get(id).copied())
            .find_map(|change| Some((change, success_block(change, call.route.as_ref(), &call.label)?)));
        if let Some((change, block)) = block {
            let message = format!("the success bodies of `{}` are translated and its errors are not", call.label);
            let mut diagnostic = Diagnostic::warning(code::ERRORS_UNTRANSLATED, &change.file, block.span, message);
            diagnostic.help("add a block such as `http: \"*\"` with ops under `response: {4xx-5xx: [...]}`, or an empty list to say that errors stay");
            diagnostics.push(diagnostic);
        }
    }
}

/// The first block of a change that translates this call's success bodies and says nothing of its errors.
fn success_block<'a>(change: &'a Change, route: Option<&(Template, Template)>, label: &str) -> Option<&'a HttpBlock> {
    let says_errors = |block: &HttpBlock| block.response.iter().any(|(range, _)| range.last >= 400);
    if change.http.iter().any(|block| block.calls.is_empty() && says_errors(block)) {
        return None;
    }
    change.http.iter().find(|block| {
        let about = block.calls.is_empty()
            || block
                .calls
                .iter()
                .chain(&block.route)
                .any(|call| call.to_string() == label || route.is_some_and(|(near, _)| call.covers(near)));
        about && block.response.iter().any(|(range, _)| range.contains(200)) && !says_errors(block)
    })
}
