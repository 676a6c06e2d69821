//! The one layout of rule files: `legato fmt`.
//!
//! Text is edited where it stands, so that comments stay: ops and flow collections go on one line where they fit,
//! quotes go where they say nothing, blocks are indented by two, the keys of a change come in the order of the
//! reference, and no two empty lines follow each other. What comes out says the same as what went in, comments
//! included: that is checked, and a file for which it does not hold is left alone.

mod lines;
mod text;

use crate::diagnostic::{Diagnostic, Source, render};
use crate::yaml::{self, Kind, Node};

/// Columns that a collection on one line may reach.
const WIDTH: usize = 120;

/// The keys of a change, in order.
const KEYS: [&str; 8] = ["change", "since", "after", "summary", "apply", "accept_loss", "incompatible", "tests"];

/// One step may make room for another; more than a few do not happen.
const MOST_PASSES: usize = 5;

/// A rule file's text in the one layout.
///
/// # Errors
/// The file is not YAML, or has something that cannot be laid out without changing what it says.
pub fn layout(text: &str, file: &str) -> Result<String, String> {
    let before = parse(text, file).map_err(|found| {
        let source = Source { file: file.to_owned(), text: text.to_owned() };
        render(&found, &[source], false)
    })?;
    let cannot = |_| format!("{file}: the file cannot be laid out without changing what it says");
    let mut out = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    for _ in 0..MOST_PASSES {
        let next = pass(&out, file).map_err(cannot)?;
        if next == out {
            break;
        }
        out = next;
    }
    let after = parse(&out, file).map_err(cannot)?;
    let comments = |text: &str, tree: &Node| {
        let mut all: Vec<String> =
            text::comments(text, tree).into_iter().map(|range| text[range].trim().to_owned()).collect();
        all.sort();
        all
    };
    // What begins a comment is counted too, whatever is thought to be one.
    let marks = |text: &str| text.matches('#').count();
    let keeps_comments = marks(text) == marks(&out) && comments(text, &before) == comments(&out, &after);
    if keeps_comments && same(&sorted(&before), &sorted(&after)) {
        return Ok(out);
    }
    Err(cannot(Vec::new()))
}

type Found = Vec<Diagnostic>;

fn parse(text: &str, file: &str) -> Result<Node, Found> {
    yaml::parse(text, file, yaml::Limits::default())
}

fn pass(text: &str, file: &str) -> Result<String, Found> {
    let mut out = text.to_owned();
    for step in [text::join_ops, text::rewrite, lines::indent, lines::order, lines::trim] {
        let tree = parse(&out, file)?;
        out = step(&out, &tree);
    }
    Ok(out)
}

/// A change with its keys in the order of the reference; any other document as it is.
fn sorted(node: &Node) -> Node {
    let mut node = node.clone();
    if let Kind::Mapping(entries) = &mut node.kind {
        entries.sort_by_key(|(key, _)| rank(key.text().unwrap_or_default()));
    }
    node
}

/// Where a key comes in a change.
fn rank(key: &str) -> usize {
    KEYS.iter().position(|known| *known == key).unwrap_or(KEYS.len())
}

/// Whether two trees say the same, wherever it stands.
fn same(a: &Node, b: &Node) -> bool {
    match (&a.kind, &b.kind) {
        (Kind::Scalar(a), Kind::Scalar(b)) => {
            a.value == b.value && (a.text == b.text || a.value == yaml::ScalarKind::Null)
        }
        (Kind::Sequence(a), Kind::Sequence(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Kind::Mapping(a), Kind::Mapping(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((ka, va), (kb, vb))| same(ka, kb) && same(va, vb))
        }
        _ => false,
    }
}
