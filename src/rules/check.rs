//! What is wrong with changes beyond what a single file can tell.

use crate::diagnostic::Diagnostic;
use crate::route::Template;
use crate::version::VersionId;

use super::ast::{Change, Frames, HttpBlock, WsBlock};
use super::diagnostics as code;
use super::Api;

/// Checks an API's changes.
pub(super) fn check(api: &Api, diagnostics: &mut Vec<Diagnostic>) {
    for change in &api.changes {
        ambiguous_calls(change, diagnostics);
        change.ws.iter().for_each(|block| frames(change, block, diagnostics));
        if change.http.is_empty() && change.ws.is_empty() {
            let mut diagnostic = Diagnostic::warning(code::UNMATCHED, &change.file, change.span, format!("the change `{}` applies to nothing", change.id));
            diagnostic.help("list what it changes under `apply`");
            diagnostics.push(diagnostic);
        }
    }
    for version in 1..api.versions.0.len() {
        untranslated_errors(api, VersionId(u16::try_from(version).unwrap_or(u16::MAX)), diagnostics);
    }
}

/// The calls of a change must say which of them a request is.
fn ambiguous_calls(change: &Change, diagnostics: &mut Vec<Diagnostic>) {
    let calls: Vec<(&Template, &HttpBlock)> = change.http.iter().flat_map(|block| block.calls.iter().chain(&block.route).map(move |call| (call, block))).collect();
    for (at, (call, block)) in calls.iter().enumerate() {
        if let Some((other, first)) = calls[..at].iter().find(|(other, _)| other.ambiguous_with(call)) {
            let mut diagnostic = Diagnostic::error(code::AMBIGUOUS, &change.file, block.span, format!("`{call}` and `{other}` overlap, and neither is the more specific"));
            diagnostic.secondary(first.span, "the other is here").help("a literal segment beats a parameter: write the paths that both match as blocks of their own");
            diagnostics.push(diagnostic);
        }
    }
}

/// Two frames of one side must not become one: going back there would be a choice.
fn frames(change: &Change, block: &WsBlock, diagnostics: &mut Vec<Diagnostic>) {
    for Frames { frames, .. } in block.client.iter().chain(&block.server) {
        let new_name = |at: usize| frames[at].rename.as_ref().unwrap_or(&frames[at].name);
        for at in 0..frames.len() {
            if (0..at).any(|other| new_name(other) == new_name(at)) {
                let message = format!("two frames become `{}`", new_name(at));
                diagnostics.push(Diagnostic::error(code::ORDER, &change.file, block.span, message));
            }
        }
    }
}

/// A client that is shown translated successes and untranslated errors has two versions to cope with.
fn untranslated_errors(api: &Api, version: VersionId, diagnostics: &mut Vec<Diagnostic>) {
    let older = VersionId(version.0 - 1);
    let pair = api.pair(version, older);
    for call in pair.calls.iter().chain([&pair.default]) {
        let plan = |status: u16| {
            let plans = &call.responses.0;
            &plans[plans.partition_point(|(first, _)| *first <= status).saturating_sub(1)].1
        };
        if plan(200).body.is_identity() || !plan(400).is_identity() || !plan(404).is_identity() || !plan(500).is_identity() {
            continue;
        }
        let block = api.changes.iter().filter(|change| change.since == version).find_map(|change| Some((change, success_block(change, call.route.as_ref(), &call.label)?)));
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
    let says_errors = |block: &&HttpBlock| block.response.iter().any(|(range, _)| range.last >= 400);
    if change.http.iter().any(|block| block.calls.is_empty() && says_errors(&block)) {
        return None;
    }
    change.http.iter().find(|block| {
        let about = block.calls.is_empty() || block.calls.iter().chain(&block.route).any(|call| call.to_string() == label || route.is_some_and(|(near, _)| call.covers(near)));
        about && block.response.iter().any(|(range, _)| range.contains(200)) && !says_errors(&block)
    })
}
