//! Calls that no contract knows: a block about one changes nothing, mostly for a slip of the keyboard.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Span};
use crate::route::Template;
use crate::rules::ast::{Change, Host, HttpBlock, Origin, Shape};
use crate::rules::step::{Side, Step};
use crate::rules::{Api, Direction, chain, diagnostics as code};
use crate::version::VersionId;
use crate::yaml::reader::nearest;

use super::marks::Texts;

/// The calls of every version that has a contract of its own.
type Own = BTreeMap<VersionId, Vec<Template>>;

/// Reports every block and every place of a shape that is about a call which its version does not have. What a version
/// has is said by its contract, or by that of an older version and the changes since.
pub(super) fn check(api: &Api, own: &Own, texts: Texts<'_>, diagnostics: &mut Vec<Diagnostic>) {
    let Some((first, calls)) = own.first_key_value() else { return };
    let mut look = Look { api, texts, diagnostics };
    if *first == VersionId(0) {
        api.shapes.iter().for_each(|shape| look.shape(shape, calls));
    }
    let mut known = calls.clone();
    let mut at = *first;
    for change in api.changes.iter().filter(|change| change.since > *first) {
        // Versions without changes have the calls of those before them.
        while at < VersionId(change.since.0 - 1) {
            at = VersionId(at.0 + 1);
            known = own.get(&at).cloned().unwrap_or(known);
        }
        look.change(change, &known, own.get(&change.since));
        known = after(change, known);
    }
}

/// The calls that there are after a change, as the newer version spells them.
fn after(change: &Change, before: Vec<Template>) -> Vec<Template> {
    let step = Step { change, direction: Direction::Up };
    let written = || change.http.iter().filter(|block| block.origin == Origin::File);
    let gone = |call: &Template| step.blocks(call).into_iter().any(HttpBlock::is_gone);
    let stays = before.into_iter().filter(|call| !gone(call)).map(|call| step.route(&call, Side::Near));
    let added = written().filter(|block| block.is_added()).flat_map(HttpBlock::newer_calls);
    stays.chain(added.cloned()).collect()
}

struct Look<'l> {
    api: &'l Api,
    texts: Texts<'l>,
    diagnostics: &'l mut Vec<Diagnostic>,
}

impl Look<'_> {
    /// `own`: the calls of the contract of the version that the change leads to, if it has one.
    fn change(&mut self, change: &Change, known: &[Template], own: Option<&Vec<Template>>) {
        let older = VersionId(change.since.0 - 1);
        for block in change.http.iter().filter(|block| block.origin == Origin::File) {
            match (block.is_added(), own) {
                (false, _) => self.calls(&block.calls, known, older, (&change.file, block.span)),
                (true, Some(own)) => self.calls(block.newer_calls(), own, change.since, (&change.file, block.span)),
                (true, None) => {}
            }
        }
    }

    fn shape(&mut self, shape: &Shape, known: &[Template]) {
        for occurrence in &shape.occurrences {
            if let Host::Request(calls) | Host::Response(calls, _) = &occurrence.host {
                self.calls(calls, known, VersionId(0), (&shape.file, occurrence.span));
            }
        }
    }

    fn calls<'t>(
        &mut self,
        calls: impl IntoIterator<Item = &'t Template>,
        known: &[Template],
        version: VersionId,
        (file, span): (&Arc<str>, Span),
    ) {
        for call in calls {
            if known.iter().any(|other| meets(call, other)) {
                continue;
            }
            let name = call.to_string();
            let label = &self.api.versions.get(version).label;
            let at = self.texts.of(file).get(span.start..span.end).and_then(|text| text.find(&name));
            let at = at.map_or(span, |at| Span { start: span.start + at, end: span.start + at + name.len() });
            let message = format!("`{name}` is no call of version `{label}`, by its contract");
            let mut diagnostic = Diagnostic::error(code::UNMATCHED, file, at, message);
            let names: Vec<String> = known.iter().map(Template::to_string).collect();
            let near = nearest(&name, &names.iter().map(String::as_str).collect::<Vec<_>>());
            let line = near.filter(|_| at != span).and_then(|near| self.texts.with_text(file, at, near));
            diagnostic.help(match (near, line) {
                (Some(near), Some(line)) => format!("did you mean `{near}`? write `{line}`"),
                (Some(near), None) => format!("did you mean `{near}`?"),
                (None, _) => format!("it knows {}; correct the block, or add the call to the contract", some(&names)),
            });
            self.diagnostics.push(diagnostic);
        }
    }
}

/// The first of some names.
fn some(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    match (shown.is_empty(), names.len().saturating_sub(SHOWN)) {
        (true, _) => "no call".to_owned(),
        (false, 0) => shown.join(", "),
        (false, more) => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Whether some request is one of both; HEAD is as GET.
fn meets(call: &Template, known: &Template) -> bool {
    let as_get = |call: &Template| match &call.method {
        Some(method) if *method == http::Method::HEAD => {
            Template { method: Some(http::Method::GET), segments: call.segments.clone() }
        }
        _ => call.clone(),
    };
    chain::meet(call, known).is_some() || chain::meet(&as_get(call), &as_get(known)).is_some()
}
