//! Calls that a project says are hot, and what is dear on them.

use crate::diagnostic::Diagnostic;
use crate::json::Class;
use crate::route::Template;
use crate::rules::{Api, diagnostics as code};
use crate::version::VersionId;

/// Warns of hot calls whose translation holds whole bodies.
pub(super) fn check(api: &Api, diagnostics: &mut Vec<Diagnostic>) {
    for (call, span) in &api.checks.hot {
        let dear =
            neighbours(api).find_map(|(client, backend)| Some((client, backend, dear(api, client, backend, call)?)));
        if let Some((client, backend, what)) = dear {
            let label = |version: VersionId| &api.versions.get(version).label;
            let message = format!(
                "`{call}` is hot, and its {what} is held as a whole (S3) between clients of `{}` and a backend of `{}`",
                label(client),
                label(backend)
            );
            let mut diagnostic = Diagnostic::warning(code::HOT, &api.checks.file, *span, message);
            diagnostic.help("`legato check --verbose` has the class of every call; ops on the elements of a list, not on the list, hold an element at a time");
            diagnostics.push(diagnostic);
        }
    }
}

/// Every version with the next, as client and backend and the other way round.
fn neighbours(api: &Api) -> impl Iterator<Item = (VersionId, VersionId)> {
    (1..=api.versions.latest().0).map(VersionId).flat_map(|newer| {
        let older = VersionId(newer.0 - 1);
        [(newer, older), (older, newer)]
    })
}

/// Which message of a call is held as a whole.
fn dear(api: &Api, client: VersionId, backend: VersionId, call: &Template) -> Option<&'static str> {
    let path = call.expand(&vec!["x"; call.params().count()]);
    let method = call.method.clone().unwrap_or(http::Method::GET);
    let found = api.pair(client, backend).find(&method, &path);
    let is_dear = |class: Class| class == Class::S3;
    if is_dear(found.request().class()) {
        return Some("request");
    }
    let ok = [200, 201].iter().filter_map(|status| http::StatusCode::from_u16(*status).ok());
    ok.map(|status| found.response(status).class()).any(is_dear).then_some("response")
}
