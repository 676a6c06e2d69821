//! `legato.lock`: one line for each change with a hash of what it says, and a hash of all lines. It tells edits of what
//! was released from edits of what was not, and two branches that both add a change meet in it.
//!
//! The hash is against accidents, not against people: XXH3 with 128 bits, over the parsed file without its tests, so
//! that neither comments nor layout nor a new test count.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Source, Span};
use crate::rules::Api;
use crate::rules::ast::Change;
use crate::rules::diagnostics as code;
use crate::yaml::{Kind, Node};

/// The file's name in the folder of an API.
pub const FILE: &str = "legato.lock";

/// What the line of the hash of all others begins with.
const ALL: &str = "all";

/// A hash of what a change says.
pub(in crate::rules) fn hash(change: &Node) -> u128 {
    let mut hasher = xxhash_rust::xxh3::Xxh3::new();
    if let Kind::Mapping(entries) = &change.kind {
        for (key, value) in entries.iter().filter(|(key, _)| key.text() != Some("tests")) {
            feed(key, &mut hasher);
            feed(value, &mut hasher);
        }
    }
    hasher.digest128()
}

/// Every value with its kind and length, so that no two trees read alike.
fn feed(node: &Node, hasher: &mut xxhash_rust::xxh3::Xxh3) {
    hasher.update(node.type_name().as_bytes());
    match &node.kind {
        Kind::Scalar(scalar) => {
            hasher.update(&(scalar.text.len() as u64).to_le_bytes());
            hasher.update(scalar.text.as_bytes());
        }
        Kind::Sequence(nodes) => {
            hasher.update(&(nodes.len() as u64).to_le_bytes());
            for node in nodes {
                feed(node, hasher);
            }
        }
        Kind::Mapping(entries) => {
            hasher.update(&(entries.len() as u64).to_le_bytes());
            for (key, value) in entries {
                feed(key, hasher);
                feed(value, hasher);
            }
        }
    }
}

/// The text of an API's lock as its changes are.
#[must_use]
pub fn render(api: &Api) -> String {
    let mut text = String::new();
    for change in &api.changes {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{}", line(api, change));
    }
    let all = all_line(&text);
    text + &all + "\n"
}

fn line(api: &Api, change: &Change) -> String {
    format!("{} h1:{:032x}", name(api, change), change.hash)
}

/// Such as `2/20250110_envelope`.
fn name(api: &Api, change: &Change) -> String {
    let file = change.file.rsplit('/').next().unwrap_or_default();
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    format!("{}/{stem}", api.versions.get(change.since).label)
}

fn all_line(lines: &str) -> String {
    format!("{ALL} h1:{:032x}", xxhash_rust::xxh3::xxh3_128(lines.as_bytes()))
}

/// One line of a lock that is about a change.
struct Locked<'t> {
    name: &'t str,
    text: &'t str,
    span: Span,
}

/// Reports where an API's changes are others than its lock says. An API without a lock has nothing to report.
pub(super) fn check(api: &Api, files: &[(&str, &Source)], diagnostics: &mut Vec<Diagnostic>) {
    let Some((_, source)) = files.iter().find(|(name, _)| *name == FILE) else { return };
    let file: Arc<str> = source.file.as_str().into();
    let locked = lines(&source.text);
    let before = diagnostics.len();
    let mut by_name: HashMap<&str, &Locked<'_>> = HashMap::new();
    for line in &locked {
        by_name.entry(line.name).or_insert(line);
    }
    let is_behind = |change: &&Change| {
        is_released(api, &api.versions.get(change.since).label) && by_name.contains_key(name(api, change).as_str())
    };
    let released: Vec<&Change> = api.changes.iter().filter(is_behind).collect();
    let names: HashSet<String> = api.changes.iter().map(|change| name(api, change)).collect();
    for change in &api.changes {
        match by_name.get(name(api, change).as_str()) {
            Some(found) if found.text != line(api, change) => diagnostics.push(edited(api, change, &file, found)),
            Some(_) => {}
            None => diagnostics.push(unlocked(api, change, &released, &file, &source.text)),
        }
    }
    for found in locked.iter().filter(|line| line.name != ALL) {
        if !names.contains(found.name) {
            diagnostics.push(gone(api, &file, found));
        }
    }
    if diagnostics.len() == before && source.text != render(api) {
        diagnostics.push(disordered(api, &file, &locked));
    }
}

fn lines(text: &str) -> Vec<Locked<'_>> {
    let mut start = 0;
    let mut lines = Vec::new();
    for line in text.split_inclusive('\n') {
        let text = line.trim_end();
        if !text.is_empty() {
            let name = text.split(' ').next().unwrap_or_default();
            lines.push(Locked { name, text, span: Span { start, end: start + text.len() } });
        }
        start += line.len();
    }
    lines
}

fn is_released(api: &Api, version: &str) -> bool {
    api.versions.find(version).is_some_and(|version| api.versions.get(version).released.is_some())
}

fn edited(api: &Api, change: &Change, lock: &Arc<str>, found: &Locked<'_>) -> Diagnostic {
    let version = &api.versions.get(change.since).label;
    let right = line(api, change);
    if is_released(api, version) {
        let message = format!("`{}` was edited after version `{version}` was released", change.id);
        let mut diagnostic = Diagnostic::error(code::EDITED, &change.file, change.span, message);
        diagnostic.help(format!(
            "undo the edit and write a change of a later version; if nobody can tell, write `{right}` into `{FILE}`"
        ));
        return diagnostic;
    }
    let mut diagnostic = Diagnostic::warning(code::STALE, lock, found.span, format!("`{}` was edited", found.name));
    diagnostic.help(format!("write `{right}`, or let `legato check --write-lock` do it"));
    diagnostic
}

/// A change that the lock does not have: new, or put before one that was released.
fn unlocked(api: &Api, change: &Change, released: &[&Change], lock: &Arc<str>, text: &str) -> Diagnostic {
    let later = released.iter().find(|other| (other.since, &other.file) > (change.since, &change.file));
    if let Some(later) = later {
        let message = format!("`{}` comes before `{}`, which was released without it", change.id, later.id);
        let mut diagnostic = Diagnostic::error(code::NOT_LINEAR, &change.file, change.span, message);
        diagnostic.help("move it to a version that is not released, or give its file a later date");
        return diagnostic;
    }
    let end = Span { start: text.len(), end: text.len() };
    let message = format!("`{}` is not locked yet", name(api, change));
    let mut diagnostic = Diagnostic::warning(code::STALE, lock, end, message);
    diagnostic.help(format!("add `{}`, or let `legato check --write-lock` do it", line(api, change)));
    diagnostic
}

fn gone(api: &Api, lock: &Arc<str>, found: &Locked<'_>) -> Diagnostic {
    let version = found.name.split('/').next().unwrap_or_default();
    if is_released(api, version) {
        let message = format!("`{}` was released, and its file is gone", found.name);
        let mut diagnostic = Diagnostic::error(code::EDITED, lock, found.span, message);
        diagnostic.help("bring the file back; if no client needs the version, remove the line too");
        return diagnostic;
    }
    let message = format!("there is no change `{}`", found.name);
    let mut diagnostic = Diagnostic::warning(code::STALE, lock, found.span, message);
    diagnostic.help("remove the line, or let `legato check --write-lock` do it");
    diagnostic
}

/// All changes are locked, and the lines are not those that they should be.
fn disordered(api: &Api, lock: &Arc<str>, locked: &[Locked<'_>]) -> Diagnostic {
    let span = locked.last().map(|line| line.span).unwrap_or_default();
    let message = "the last line is not the hash of those before it, as after a merge";
    let mut diagnostic = Diagnostic::warning(code::STALE, lock, span, message);
    let right = render(api);
    let right = right.lines().last().unwrap_or_default();
    diagnostic
        .help(format!("look at the changes' order and write `{right}`, or let `legato check --write-lock` do it"));
    diagnostic
}
