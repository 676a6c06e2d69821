//! One change on the way between two versions: what it calls a call, and which of its blocks are about it.

use std::sync::Arc;

use crate::route::{Segment, Template};

use super::Direction;
use super::ast::{Absence, Change, HttpBlock, Origin};
use super::plan::Absent;

/// A change on the way from one version to another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step<'a> {
    pub(super) change: &'a Change,
    pub(super) direction: Direction,
}

/// Which side of a step a template is spelled for: where the request comes from, or where it goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Near,
    Far,
}

impl<'s> Step<'s> {
    /// The template on the other side of the step; `side` is where it comes from.
    pub(super) fn route(&self, template: &Template, side: Side) -> Template {
        self.way(template, side).map_or_else(|| template.clone(), |(from, to)| rewrite(template, from, to))
    }

    /// The route that holds for a template, from its side to the other.
    pub(super) fn way(&self, template: &Template, side: Side) -> Option<(&'s Template, &'s Template)> {
        let routes = self.change.http.iter().filter_map(|block| Some((block.calls.first()?, block.route.as_ref()?)));
        let older_to_newer = (self.direction == Direction::Up) == (side == Side::Near);
        let sides = routes.map(|(old, new)| if older_to_newer { (old, new) } else { (new, old) });
        sides
            .filter(|(from, _)| from.covers(template))
            .reduce(|best, next| if next.0.more_specific(best.0) { next } else { best })
    }

    /// Whether a block or a route of the step may be about a call, as the near side spells it. What this says of a
    /// call is asked for every call and every change, so that it has to be cheap.
    pub(super) fn concerns(&self, near: &Template) -> bool {
        let as_get = as_get(near);
        let covers = |t: &Template| t.covers(near) || as_get.as_ref().is_some_and(|call| t.covers(call));
        let http = &self.change.http;
        http.iter().any(|block| block.calls.is_empty() || block.calls.iter().chain(&block.route).any(covers))
    }

    /// The template as the older and as the newer version spell it, given how the near and the far side do.
    pub(super) fn spellings<'t>(&self, near: &'t Template, far: &'t Template) -> (&'t Template, &'t Template) {
        match self.direction {
            Direction::Up => (near, far),
            Direction::Down => (far, near),
        }
    }

    /// The blocks about a call that is spelled as in the older version: those of the most specific template that
    /// covers it, and those about every call. What is said of shapes is said beside all that: only among its own
    /// templates does the most specific one decide.
    pub(super) fn blocks(&self, call: &Template) -> Vec<&'s HttpBlock> {
        let older = || self.change.http.iter().filter(|block| !block.is_added());
        let best = |origin: Origin| {
            let blocks = older().filter(|block| block.origin == origin);
            let named = blocks.flat_map(|block| block.calls.iter().map(move |call| (call, block)));
            most_specific(named, call).map(|(best, _)| best)
        };
        let (file, shape) = (best(Origin::File), best(Origin::Shape));
        let applies = |block: &&HttpBlock| {
            let best = match block.origin {
                Origin::File => file,
                Origin::Shape => shape,
            };
            block.calls.is_empty() || best.is_some_and(|best| block.calls.iter().any(|t| t.same_shape(best)))
        };
        older().filter(applies).collect()
    }

    /// Why the far side has no such call, given how both versions spell it and the blocks about it.
    pub(super) fn absence(&self, older: &Template, newer: &Template, blocks: &[&HttpBlock]) -> Option<Absent> {
        let gone = blocks.iter().find_map(|block| block.absence.as_ref());
        let (absence, said) = match (gone, self.added(newer)) {
            (Some(gone), _) => (gone, format!("`{older}` exists only before the change `{}`", self.change.id)),
            (None, Some(added)) => (added, format!("`{newer}` exists only since the change `{}`", self.change.id)),
            (None, None) => return None,
        };
        Some(Absent {
            lifetime: absence.lifetime,
            status: absence.status,
            detail: absence.detail.clone().unwrap_or(said),
            change: Arc::clone(&self.change.id),
        })
    }

    /// What is said of a call, as the newer version spells it, that the older lacks.
    fn added(&self, newer: &Template) -> Option<&'s Absence> {
        let written = self.change.http.iter().filter(|block| block.origin == Origin::File);
        let names = written.flat_map(|block| block.newer_calls().iter().map(move |call| (call, block)));
        let (_, block) = most_specific(names, newer)?;
        block.absence.as_ref().filter(|_| block.is_added())
    }
}

/// The most specific of the templates that cover a call, with its block. HEAD is as GET where nothing else is said.
fn most_specific<'s>(
    named: impl Iterator<Item = (&'s Template, &'s HttpBlock)>,
    call: &Template,
) -> Option<(&'s Template, &'s HttpBlock)> {
    let named: Vec<_> = named.collect();
    let best = |call: &Template| {
        let covering = named.iter().copied().filter(|(template, _)| template.covers(call));
        covering.reduce(|a, b| if b.0.more_specific(a.0) { b } else { a })
    };
    best(call).or_else(|| best(&as_get(call)?))
}

/// A call with HEAD as one with GET.
fn as_get(call: &Template) -> Option<Template> {
    (call.method == Some(http::Method::HEAD))
        .then(|| Template { method: Some(http::Method::GET), segments: call.segments.clone() })
}

/// Whether the parameters of a route's two sides pair up by position; else they do by name.
fn by_position(from: &Template, to: &Template) -> bool {
    from.params().count() == to.params().count()
}

/// `template`, which `from` covers, in the shape of `to`.
fn rewrite(template: &Template, from: &Template, to: &Template) -> Template {
    let mut bound = Vec::new();
    for (at, segment) in from.segments.iter().enumerate() {
        match segment {
            Segment::Literal(_) => {}
            Segment::Param(_) => bound.push((segment, template.segments[at..=at].to_vec())),
            Segment::Rest => bound.push((segment, template.segments[at..].to_vec())),
        }
    }
    let mut in_order = bound.iter().map(|(_, given)| given.clone());
    let mut given = |segment: &Segment| match segment {
        Segment::Literal(_) => None,
        Segment::Param(_) | Segment::Rest if by_position(from, to) => in_order.next(),
        named => bound.iter().find(|(own, _)| *own == named).map(|(_, given)| given.clone()),
    };
    let mut segments = Vec::new();
    for segment in &to.segments {
        match (segment, given(segment)) {
            // A parameter keeps the name that this side gives it.
            (Segment::Param(_), Some(given)) if matches!(given.as_slice(), [Segment::Param(_)]) => {
                segments.push(segment.clone());
            }
            (_, Some(given)) => segments.extend(given),
            (_, None) => segments.push(segment.clone()),
        }
    }
    let method = if to.method == from.method { template.method.clone() } else { to.method.clone() };
    Template { method, segments }
}

/// The names of parameters that change on the way from one side of a step to the other.
pub(super) fn renamed(here: &Template, next: &Template, way: Option<(&Template, &Template)>) -> Vec<(String, String)> {
    match way {
        // Ops name those that pair up with none as the route's own side does.
        Some((from, to)) if !by_position(from, to) => by_place(here, from),
        Some(_) | None => by_order(here, next),
    }
}

/// The parameters of a route that ops have to move, and for which a call has a word in their place.
pub(super) fn literals(here: &Template, from: &Template, to: &Template) -> Vec<(String, String)> {
    if by_position(from, to) {
        return Vec::new();
    }
    let pairs = from.segments.iter().zip(&here.segments);
    pairs
        .filter_map(|pair| match pair {
            (Segment::Param(name), Segment::Literal(text)) => Some((name.clone(), text.clone())),
            _ => None,
        })
        .collect()
}

/// The names that change where parameters pair up by their order.
fn by_order(from: &Template, to: &Template) -> Vec<(String, String)> {
    from.params().zip(to.params()).filter(|(a, b)| a != b).map(|(a, b)| (a.to_owned(), b.to_owned())).collect()
}

/// The names that the parameters of a template have in another that covers it. One that the other has no name for
/// gets a name that no parameter can have.
pub(super) fn by_place(template: &Template, other: &Template) -> Vec<(String, String)> {
    let pairs =
        template.segments.iter().enumerate().filter_map(|(at, segment)| match (segment, other.segments.get(at)) {
            (Segment::Param(name), Some(Segment::Param(own))) => Some((name.clone(), own.clone())),
            (Segment::Param(name), _) => Some((name.clone(), format!("*{name}"))),
            (Segment::Literal(_) | Segment::Rest, _) => None,
        });
    pairs.filter(|(a, b)| a != b).collect()
}
