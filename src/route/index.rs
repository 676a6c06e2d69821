//! Templates found by others: what asks of very many templates which of them meet looks at those that do, and not at
//! every two.

use std::collections::HashMap;

use super::{Segment, Template};

/// Things by the paths of templates. Methods are not looked at.
#[derive(Debug, Clone)]
pub struct Index<T> {
    root: Node<T>,
}

#[derive(Debug, Clone)]
struct Node<T> {
    literals: HashMap<String, Node<T>>,
    param: Option<Box<Node<T>>>,
    /// Of templates that end here.
    here: Vec<T>,
    /// Of templates that end in `/*` here.
    rest: Vec<T>,
}

impl<T> Node<T> {
    fn new() -> Self {
        Self { literals: HashMap::new(), param: None, here: Vec::new(), rest: Vec::new() }
    }
}

impl<T> Default for Index<T> {
    fn default() -> Self {
        Self { root: Node::new() }
    }
}

impl<T: Copy + Ord> Index<T> {
    /// Puts in a thing about a template.
    pub fn insert(&mut self, template: &Template, thing: T) {
        let mut node = &mut self.root;
        for segment in &template.segments {
            node = match segment {
                Segment::Literal(text) => node.literals.entry(text.clone()).or_insert_with(Node::new),
                Segment::Param(_) => node.param.get_or_insert_with(|| Box::new(Node::new())),
                Segment::Rest => return node.rest.push(thing),
            };
        }
        node.here.push(thing);
    }

    /// What is about templates whose paths cover this one's, each once, in order.
    #[must_use]
    pub fn covering(&self, template: &Template) -> Vec<T> {
        let mut found = Vec::new();
        self.root.covering(&template.segments, &mut found);
        in_order(found)
    }

    /// What is about templates with whose paths this one's may have some in common, each once, in order.
    #[must_use]
    pub fn meeting(&self, template: &Template) -> Vec<T> {
        let mut found = Vec::new();
        self.root.meeting(&template.segments, &mut found);
        in_order(found)
    }
}

fn in_order<T: Ord>(mut things: Vec<T>) -> Vec<T> {
    things.sort_unstable();
    things.dedup();
    things
}

impl<T: Copy> Node<T> {
    fn covering(&self, segments: &[Segment], found: &mut Vec<T>) {
        let Some((first, after)) = segments.split_first() else { return found.extend(&self.here) };
        found.extend(&self.rest);
        let literal = if let Segment::Literal(text) = first { self.literals.get(text) } else { None };
        let param = self.param.as_deref().filter(|_| *first != Segment::Rest);
        literal.into_iter().chain(param).for_each(|node| node.covering(after, found));
    }

    fn meeting(&self, segments: &[Segment], found: &mut Vec<T>) {
        let Some((first, after)) = segments.split_first() else { return found.extend(&self.here) };
        found.extend(&self.rest);
        let literals: Vec<&Self> = match first {
            Segment::Literal(text) => self.literals.get(text).into_iter().collect(),
            Segment::Param(_) | Segment::Rest => self.literals.values().collect(),
        };
        for node in literals.into_iter().chain(self.param.as_deref()) {
            if *first == Segment::Rest { node.all(found) } else { node.meeting(after, found) }
        }
    }

    fn all(&self, found: &mut Vec<T>) {
        found.extend(self.here.iter().chain(&self.rest));
        self.literals.values().chain(self.param.as_deref()).for_each(|node| node.all(found));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATES: [&str; 9] =
        ["*", "GET /a", "POST /a", "GET /a/{b}", "GET /a/b", "GET /a/*", "GET /{a}/b", "GET /b/{c}/d", "GET /"];

    #[test]
    fn what_is_found_is_what_comparing_every_two_finds() {
        let templates = TEMPLATES.map(|text| Template::parse(text).unwrap());
        let mut index = Index::default();
        templates.iter().enumerate().for_each(|(at, template)| index.insert(template, at));
        let those = |is_it: &dyn Fn(&Template) -> bool| -> Vec<usize> {
            (0..templates.len()).filter(|at| is_it(&templates[*at])).collect()
        };
        for one in &templates {
            assert_eq!(index.covering(one), those(&|other| other.covers_path(one)), "{one}");
            assert_eq!(index.meeting(one), those(&|other| other.path_meets(one)), "{one}");
        }
    }
}
