//! New expected documents in rule files: only the value's own text is replaced.

use std::ops::Range;
use std::sync::Arc;

use crate::diagnostic::Span;
use crate::json::same;
use crate::yaml::{self, Kind, Node};

/// An expected document that is not what the rules give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// The file.
    pub file: Arc<str>,
    /// Where the test stands.
    pub(super) test: Span,
    /// The key in the test: `request`, `response`, or the side of a socket's message, an event or an acknowledgement.
    pub(super) part: &'static str,
    /// The key in that: `old`, `new` or a version.
    pub(super) version: String,
    /// What the rules give, as JSON.
    pub(super) found: Vec<u8>,
}

/// Columns that a document on one line may take.
const WIDTH: usize = 120;

/// A file's text with the expected documents that the rules give.
///
/// # Errors
/// What stands in the way, in words: the text has other places than the updates, or a document that YAML cannot say.
pub fn update(text: &str, file: &str, updates: &[Update]) -> Result<String, String> {
    let tree = parse(text, file)?;
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    for update in updates.iter().filter(|update| *update.file == *file) {
        let node = find(&tree, update).ok_or_else(|| format!("{file}: no `{}` in the test", update.version))?;
        let edit = (node.span.start..node.span.end, written(text, node, &update.found)?);
        if !edits.contains(&edit) {
            edits.push(edit);
        }
    }
    edits.sort_by_key(|(range, _)| std::cmp::Reverse(range.start));
    if edits.windows(2).any(|pair| pair[1].0.end > pair[0].0.start) {
        return Err(format!("{file}: two versions of one test give different documents"));
    }
    let mut out = text.to_owned();
    for (range, written) in edits {
        out.replace_range(range, &written);
    }
    check(&out, file, &tree, updates)?;
    Ok(out)
}

fn parse(text: &str, file: &str) -> Result<Node, String> {
    yaml::parse(text, file, yaml::Limits::default()).map_err(|_| format!("{file}: the file is not YAML"))
}

/// The expected document.
fn find<'n>(tree: &'n Node, update: &Update) -> Option<&'n Node> {
    let tests = member(tree, "tests")?.as_sequence()?;
    let test = tests.iter().find(|test| test.span.start == update.test.start)?;
    member(member(test, update.part)?, &update.version)
}

fn member<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    node.as_mapping()?.iter().find(|(key, _)| key.text() == Some(name)).map(|(_, value)| value)
}

/// The new document in the manner of the old one: on one line where that was, as a block where that was.
fn written(text: &str, old: &Node, found: &[u8]) -> Result<String, String> {
    let new = parse(&String::from_utf8_lossy(found), "the document")?;
    let start = text[..old.span.start].rfind('\n').map_or(0, |at| at + 1);
    let column = text[start..old.span.start].chars().count();
    let is_block = !matches!(old.kind, Kind::Scalar(_)) && !text[old.span.start..].starts_with(['{', '[']);
    Ok(if is_block { new.to_lines(column, WIDTH) } else { new.to_flow() })
}

/// Everything but the updated documents must be as it was, and those as they were to be.
fn check(text: &str, file: &str, old: &Node, updates: &[Update]) -> Result<(), String> {
    let new = parse(text, file)?;
    let tests = |node: &Node| member(node, "tests").and_then(Node::as_sequence).map_or(0, <[Node]>::len);
    let places = |node: &Node| {
        member(node, "tests")
            .and_then(Node::as_sequence)
            .map(|tests| tests.iter().map(|test| test.span.start).collect::<Vec<_>>())
    };
    let (before, after) = (places(old).unwrap_or_default(), places(&new).unwrap_or_default());
    let moved = |update: &Update| {
        let number = before.iter().position(|start| *start == update.test.start)?;
        let place = Span { start: *after.get(number)?, end: update.test.end };
        find(&new, &Update { test: place, ..update.clone() })?.to_json().ok()
    };
    let right = updates
        .iter()
        .filter(|update| *update.file == *file)
        .all(|update| moved(update).is_some_and(|json| same(json.as_bytes(), &update.found)));
    if right && tests(old) == tests(&new) { Ok(()) } else { Err(format!("{file}: the documents cannot be written")) }
}
