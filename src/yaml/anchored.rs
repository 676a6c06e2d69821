//! What an alias may stand for, and what it costs to copy it.

use super::{Kind, Node};

/// A node with an anchor.
pub(super) struct Anchored {
    pub(super) node: Node,
    /// How much of the budget for copies it takes.
    pub(super) weight: usize,
    /// How many lists and mappings stand in one another.
    pub(super) depth: usize,
}

impl Anchored {
    pub(super) fn new(node: &Node) -> Self {
        Self { node: node.clone(), weight: weight(node), depth: depth(node) }
    }
}

/// One for every node and for every 64 bytes of text.
fn weight(node: &Node) -> usize {
    match &node.kind {
        Kind::Scalar(scalar) => 1 + scalar.text.len() / 64,
        Kind::Sequence(nodes) => 1 + nodes.iter().map(weight).sum::<usize>(),
        Kind::Mapping(entries) => 1 + entries.iter().map(|(key, value)| weight(key) + weight(value)).sum::<usize>(),
    }
}

fn depth(node: &Node) -> usize {
    match &node.kind {
        Kind::Scalar(_) => 0,
        Kind::Sequence(nodes) => 1 + nodes.iter().map(depth).max().unwrap_or(0),
        Kind::Mapping(entries) => 1 + entries.iter().map(|(_, value)| depth(value)).max().unwrap_or(0),
    }
}
