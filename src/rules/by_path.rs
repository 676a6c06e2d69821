//! Things that have a path, found by the path of another that they meet: what asks of very many ops which of them meet
//! looks at those that do, and not at every two.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use crate::json::edit::{Path, Token};

/// How much a search looks at. That of a real message, or of a real change, takes some thousand looks; files made to
/// take very many are refused.
pub(super) const MOST_LOOKS: usize = 1_000_000;

/// Things by their paths, in the order in which they came.
#[derive(Debug)]
pub(super) struct ByPath<T> {
    /// The first is of the empty path.
    nodes: Vec<Node<T>>,
    next: usize,
    looks: Cell<usize>,
}

/// Its number, which is the lower the earlier it came, and the thing.
type Numbered<T> = (usize, T);

#[derive(Debug)]
struct Node<T> {
    parent: usize,
    keys: BTreeMap<String, usize>,
    any: Option<usize>,
    here: Vec<Numbered<T>>,
    /// How many are here and below.
    count: usize,
}

impl<T> Node<T> {
    fn below(parent: usize) -> Self {
        Self { parent, keys: BTreeMap::new(), any: None, here: Vec::new(), count: 0 }
    }
}

impl<T> Default for ByPath<T> {
    fn default() -> Self {
        Self { nodes: vec![Node::below(0)], next: 0, looks: Cell::new(0) }
    }
}

/// The nodes along a path, and those where it ends.
struct Met {
    above: Vec<usize>,
    at: Vec<usize>,
}

impl<T> ByPath<T> {
    /// How many places and things were looked at so far: what a search of very many that meet is bounded by.
    pub(super) fn looks(&self) -> usize {
        self.looks.get()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.nodes.first().is_none_or(|root| root.count == 0)
    }

    pub(super) fn push(&mut self, path: &[Token], thing: T) {
        self.put(path, (self.next, thing));
    }

    /// Puts something back that was taken out, with the number that it had.
    pub(super) fn put(&mut self, path: &[Token], thing: Numbered<T>) {
        self.next = self.next.max(thing.0 + 1);
        self.looks.set(self.looks.get() + path.len() + 1);
        let mut node = 0;
        for token in path {
            self.nodes[node].count += 1;
            node = self.step(node, token);
        }
        self.nodes[node].count += 1;
        self.nodes[node].here.push(thing);
    }

    fn step(&mut self, node: usize, token: &Token) -> usize {
        let new = self.nodes.len();
        let own = &mut self.nodes[node];
        let next = match token {
            Token::Any => *own.any.get_or_insert(new),
            Token::Key(key) => *own.keys.entry(key.clone()).or_insert(new),
        };
        if next == new {
            self.nodes.push(Node::below(node));
        }
        next
    }

    /// Those at a path or inside: some place of theirs is one of the path's, or inside.
    pub(super) fn inside(&self, path: &[Token]) -> Vec<&T> {
        let found = self.below(self.walk(path).at);
        self.things(&found)
    }

    /// Those at a path or above.
    pub(super) fn above(&self, path: &[Token]) -> Vec<&T> {
        let Met { mut above, at } = self.walk(path);
        above.extend(at);
        self.things(&above)
    }

    /// Those at a path, above or inside.
    pub(super) fn meeting(&self, path: &[Token]) -> Vec<&T> {
        let Met { mut above, at } = self.walk(path);
        above.extend(self.below(at));
        self.things(&above)
    }

    /// Takes out everything at some paths and inside.
    pub(super) fn take(&mut self, paths: &[Path]) -> Vec<Numbered<T>> {
        let nodes: BTreeSet<usize> = paths.iter().flat_map(|path| self.below(self.walk(path).at)).collect();
        let mut taken = Vec::new();
        for node in nodes {
            let things = std::mem::take(&mut self.nodes[node].here);
            let mut at = node;
            loop {
                self.nodes[at].count -= things.len();
                if at == 0 {
                    break;
                }
                at = self.nodes[at].parent;
            }
            taken.extend(things);
        }
        taken.sort_unstable_by_key(|(number, _)| *number);
        taken
    }

    fn things(&self, nodes: &[usize]) -> Vec<&T> {
        let mut found: Vec<&Numbered<T>> = nodes.iter().flat_map(|node| &self.nodes[*node].here).collect();
        self.looks.set(self.looks.get() + found.len() + 1);
        found.sort_unstable_by_key(|(number, _)| *number);
        found.into_iter().map(|(_, thing)| thing).collect()
    }

    /// Follows a path; a `*` of either side meets everything.
    fn walk(&self, path: &[Token]) -> Met {
        let (mut above, mut at) = (Vec::new(), vec![0]);
        for token in path {
            let next = at.iter().flat_map(|node| self.children(*node, token)).collect();
            above.append(&mut at);
            at = next;
        }
        self.looks.set(self.looks.get() + above.len() + at.len());
        Met { above, at }
    }

    /// The nodes one step on that have something.
    fn children(&self, node: usize, token: &Token) -> Vec<usize> {
        let Node { keys, any, .. } = &self.nodes[node];
        let mut found: Vec<usize> = match token {
            Token::Any => keys.values().chain(any).copied().collect(),
            Token::Key(key) => keys.get(key).into_iter().chain(any).copied().collect(),
        };
        found.retain(|node| self.nodes[*node].count > 0);
        found
    }

    /// Nodes and all below them that have something.
    fn below(&self, mut nodes: Vec<usize>) -> Vec<usize> {
        let mut at = 0;
        while let Some(node) = nodes.get(at).copied() {
            nodes.extend(self.children(node, &Token::Any));
            at += 1;
        }
        self.looks.set(self.looks.get() + nodes.len());
        nodes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Place;

    fn path(text: &str) -> Path {
        Place::parse(text).unwrap().tokens
    }

    #[test]
    fn things_are_found_where_paths_meet() {
        let mut things = ByPath::default();
        for text in ["/a/b", "/a", "/*/c", "/d/b/e", "body:"] {
            things.push(&path(text), text);
        }
        let found = |things: Vec<&&'static str>| things.into_iter().copied().collect::<Vec<_>>();
        assert_eq!(found(things.inside(&path("/a"))), ["/a/b", "/a", "/*/c"]);
        assert_eq!(found(things.inside(&path("/*/b"))), ["/a/b", "/d/b/e"]);
        assert_eq!(found(things.above(&path("/a/c"))), ["/a", "/*/c", "body:"]);
        assert_eq!(found(things.meeting(&path("/d"))), ["/*/c", "/d/b/e", "body:"]);
        let taken = things.take(&[path("/a"), path("/*/b")]);
        assert_eq!(taken, [(0, "/a/b"), (1, "/a"), (2, "/*/c"), (3, "/d/b/e")]);
        things.put(&path("/x"), taken[1]);
        assert_eq!(found(things.inside(&[])), ["/a", "body:"]);
    }
}
