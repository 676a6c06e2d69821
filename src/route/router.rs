//! Finds the most specific template for a request.

use std::collections::HashMap;

use http::Method;

use super::{Segment, Template, normal, split_segment};

/// Templates and what they lead to. A set without [ambiguous](Template::ambiguous_with) pairs has one answer for
/// every request: a literal is preferred to a parameter, a parameter to a rest, and for one path a named method to
/// any method. A path whose methods do not fit leaves the request to less specific ones.
///
/// This is a tree of segments, not `matchit`: that one refuses `/a/{id}` beside `/a/*`, and knows neither methods nor
/// percent-encoding. A request visits every node of the tree at most once.
#[derive(Debug, Clone)]
pub struct Router<T> {
    root: Node<T>,
}

#[derive(Debug, Clone)]
struct Node<T> {
    literals: HashMap<String, Node<T>>,
    param: Option<Box<Node<T>>>,
    /// Templates that end here.
    here: Methods<T>,
    /// Templates that end in `/*` here.
    rest: Methods<T>,
}

type Methods<T> = Vec<(Option<Method>, T)>;

/// What a request leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found<'r, 'p, T> {
    /// What was put in with the template.
    pub value: &'r T,
    /// The values of its parameters, as [`Template::match_path`] returns them.
    pub params: Vec<&'p str>,
}

impl<T> Default for Router<T> {
    fn default() -> Self {
        Self { root: Node::new() }
    }
}

impl<T> Node<T> {
    fn new() -> Self {
        Self { literals: HashMap::new(), param: None, here: Vec::new(), rest: Vec::new() }
    }
}

impl<T> Router<T> {
    /// A router that finds nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts in a template. A template of the [same shape](Template::same_shape) loses its place to this one, and
    /// what it led to comes back.
    pub fn insert(&mut self, template: &Template, value: T) -> Option<T> {
        let mut node = &mut self.root;
        for segment in &template.segments {
            node = match segment {
                Segment::Literal(text) => node.literals.entry(text.clone()).or_insert_with(Node::new),
                Segment::Param(_) => node.param.get_or_insert_with(|| Box::new(Node::new())),
                Segment::Rest => return put(&mut node.rest, template.method.clone(), value),
            };
        }
        put(&mut node.here, template.method.clone(), value)
    }

    /// What the most specific template for a call leads to. HEAD is found as GET where HEAD itself is not declared
    /// for the path. The path is percent-encoded and has no query.
    #[must_use]
    pub fn find<'p>(&self, method: &Method, path: &'p str) -> Option<Found<'_, 'p, T>> {
        let mut params = Vec::new();
        let value = self.root.find(method, Some(path.strip_prefix('/')?), &mut params)?;
        Some(Found { value, params })
    }
}

fn put<T>(methods: &mut Methods<T>, method: Option<Method>, value: T) -> Option<T> {
    if let Some((_, old)) = methods.iter_mut().find(|(known, _)| *known == method) {
        return Some(std::mem::replace(old, value));
    }
    methods.push((method, value));
    None
}

fn by_method<'r, T>(methods: &'r Methods<T>, method: &Method) -> Option<&'r T> {
    let find = |wanted: Option<&Method>| methods.iter().find(|(known, _)| known.as_ref() == wanted);
    let as_get = || {
        if *method == Method::HEAD { find(Some(&Method::GET)) } else { None }
    };
    find(Some(method)).or_else(as_get).or_else(|| find(None)).map(|(_, value)| value)
}

impl<T> Node<T> {
    /// `path` is what is left of it after the slash; `None`: it ended. Where nothing is found, `params` is as it was.
    fn find<'p>(&self, method: &Method, path: Option<&'p str>, params: &mut Vec<&'p str>) -> Option<&T> {
        let Some(path) = path else {
            return by_method(&self.here, method);
        };
        let (segment, after) = split_segment(path);

        let literal = self.literals.get(&*normal::segment(segment));
        if let Some(value) = literal.and_then(|node| node.find(method, after, params)) {
            return Some(value);
        }
        if let (Some(node), false) = (&self.param, segment.is_empty()) {
            params.push(segment);
            if let Some(value) = node.find(method, after, params) {
                return Some(value);
            }
            params.pop();
        }
        let value = by_method(&self.rest, method)?;
        params.push(path);
        Some(value)
    }
}
