//! What stands on one line: ops, flow collections, quotes.

use std::ops::Range;

use crate::rules::lens::Op;
use crate::yaml::{self, Kind, Node};

use super::{WIDTH, same};

type Edits = Vec<(Range<usize>, String)>;

fn apply(text: &str, mut edits: Edits) -> String {
    let mut out = text.to_owned();
    edits.sort_by_key(|(range, _)| std::cmp::Reverse(range.start));
    for (range, new) in edits {
        out.replace_range(range, &new);
    }
    out
}

/// Whether a node is a collection written between brackets. What begins with a bracket may also be a block whose
/// first part is one.
pub(super) fn is_flow(text: &str, node: &Node) -> bool {
    let first = match &node.kind {
        Kind::Scalar(_) => return false,
        Kind::Sequence(elements) => elements.first(),
        Kind::Mapping(entries) => entries.first().map(|(key, _)| key),
    };
    text[node.span.start..].starts_with(['{', '[']) && first.is_none_or(|first| first.span.start > node.span.start)
}

/// Whether a node is a collection written as a block.
pub(super) fn is_block(text: &str, node: &Node) -> bool {
    !matches!(node.kind, Kind::Scalar(_)) && !is_flow(text, node) && !text[node.span.start..].starts_with('*')
}

/// Where comments stand, each to the end of its line.
pub(super) fn comments(text: &str, tree: &Node) -> Vec<Range<usize>> {
    let mut scalars = Vec::new();
    scalar_spans(tree, &mut scalars);
    scalars.sort_by_key(|span: &Range<usize>| span.start);
    let inside = |at: usize| {
        let after = scalars.partition_point(|span| span.start <= at);
        scalars[..after].last().is_some_and(|span| span.end > at)
    };
    let mut found: Vec<Range<usize>> = Vec::new();
    for at in memchr::memchr_iter(b'#', text.as_bytes()) {
        let starts = text[..at].ends_with(char::is_whitespace) || at == 0;
        if starts && !inside(at) && found.last().is_none_or(|last| last.end <= at) {
            let end = text[at..].find('\n').map_or(text.len(), |end| at + end);
            found.push(at..end);
        }
    }
    found
}

fn scalar_spans(node: &Node, spans: &mut Vec<Range<usize>>) {
    match &node.kind {
        Kind::Scalar(_) => spans.push(node.span.start..node.span.end),
        Kind::Sequence(elements) => elements.iter().for_each(|element| scalar_spans(element, spans)),
        Kind::Mapping(entries) => {
            for (key, value) in entries {
                scalar_spans(key, spans);
                scalar_spans(value, spans);
            }
        }
    }
}

/// Whether a piece of text says by itself what the node says: it has no comment, anchor, alias or tag.
fn stands_alone(text: &str, node: &Node, comments: &[Range<usize>]) -> bool {
    let range = node.span.start..node.span.end;
    let slice = &text[range.clone()];
    let has_mark = ['&', '!']
        .iter()
        .any(|mark| [" ", "[", "{", "\n"].iter().any(|before| slice.contains(&format!("{before}{mark}"))));
    !has_mark
        && !comments.iter().any(|comment| comment.start < range.end && comment.end > range.start)
        && yaml::parse(&unindented(text, &range), "", yaml::Limits::default()).is_ok_and(|alone| same(&alone, node))
}

/// The text of a range, its first line indented as it is in its file.
fn unindented(text: &str, range: &Range<usize>) -> String {
    " ".repeat(column(text, range.start)) + &text[range.clone()]
}

/// The column of an offset, from zero, in characters.
pub(super) fn column(text: &str, at: usize) -> usize {
    let start = text[..at].rfind('\n').map_or(0, |line| line + 1);
    text[start..at].chars().count()
}

/// The parameters of ops that are written as blocks go on the op's line where they fit.
pub(super) fn join_ops(text: &str, tree: &Node) -> String {
    let comments = comments(text, tree);
    let mut edits = Vec::new();
    let apply_list = tree.as_mapping().unwrap_or_default().iter().find(|(key, _)| key.text() == Some("apply"));
    if let Some((_, blocks)) = apply_list {
        find_ops(blocks, &mut |op| edits.extend(join_op(text, op, &comments)));
    }
    apply(text, edits)
}

fn find_ops(node: &Node, visit: &mut impl FnMut(&Node)) {
    match &node.kind {
        Kind::Scalar(_) => {}
        Kind::Sequence(elements) => {
            for element in elements {
                let is_op = element.as_mapping().is_some_and(|entries| entries.iter().any(|(key, _)| is_op(key)));
                if is_op {
                    visit(element);
                }
                find_ops(element, visit);
            }
        }
        Kind::Mapping(entries) => entries.iter().for_each(|(_, value)| find_ops(value, visit)),
    }
}

/// Whether a key names an op whose parameters are no ops themselves.
fn is_op(key: &Node) -> bool {
    key.text().is_some_and(|name| Op::NAMES.contains(&name) && name != "each")
}

fn join_op(text: &str, op: &Node, comments: &[Range<usize>]) -> Edits {
    let entries = op.as_mapping().filter(|_| is_block(text, op)).unwrap_or_default();
    let blocks = entries.iter().filter(|(key, value)| is_op(key) && is_block(text, value));
    let joined = blocks.filter_map(|(key, value)| {
        let range = key.span.end..value.span.end;
        let line = format!(": {}", value.to_flow());
        let fits = column(text, key.span.end) + line.chars().count() <= WIDTH;
        let line_end = text[range.end..].find('\n').map_or(text.len(), |end| range.end + end);
        let has_comment = comments.iter().any(|comment| comment.start < line_end && comment.end > range.start);
        (fits && !has_comment && stands_alone(text, value, comments)).then_some((range, line))
    });
    joined.collect()
}

/// Flow collections with one space where one belongs, on one line where they fit; quotes where they are needed.
pub(super) fn rewrite(text: &str, tree: &Node) -> String {
    let comments = comments(text, tree);
    let mut edits = Vec::new();
    rewrite_node(text, tree, &comments, &mut edits);
    apply(text, edits)
}

fn rewrite_node(text: &str, node: &Node, comments: &[Range<usize>], edits: &mut Edits) {
    let range = node.span.start..node.span.end;
    if range.is_empty() || text[range.start..].starts_with('*') {
        return;
    }
    let slice = &text[range.clone()];
    let is_quoted = matches!(node.kind, Kind::Scalar(_)) && slice.starts_with(['"', '\'']);
    if is_flow(text, node) || is_quoted {
        let new = if is_quoted { node.to_block(0, 0, usize::MAX) } else { node.to_flow() };
        let fits = !slice.contains('\n') || column(text, range.start) + new.chars().count() <= WIDTH;
        if fits && new != slice && stands_alone(text, node, comments) {
            edits.push((range, new));
        }
        return;
    }
    match &node.kind {
        Kind::Scalar(_) => {}
        Kind::Sequence(elements) => elements.iter().for_each(|e| rewrite_node(text, e, comments, edits)),
        Kind::Mapping(entries) => {
            for (key, value) in entries {
                let between = key.span.end..value.span.start;
                if text.get(between.clone()).is_some_and(|gap| gap.len() > 2 && gap.trim_end_matches(' ') == ":") {
                    edits.push((between, ": ".to_owned()));
                }
                rewrite_node(text, key, comments, edits);
                rewrite_node(text, value, comments, edits);
            }
        }
    }
}
