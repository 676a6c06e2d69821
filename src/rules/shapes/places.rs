//! The places of shapes in one kind of message, followed from op to op.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::diagnostic::Span;
use crate::json::edit::{Form, Nest, Path, Token};
use crate::rules::Direction;
use crate::rules::lens::{Carried, Op};
use crate::rules::path::Part;

/// A shape, by its position in the file.
pub(super) type ShapeId = usize;

/// Where shapes are in one kind of message: some at paths from the message's root, others inside those. The second
/// are kept apart because they may be inside themselves, which no list of paths can say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Places {
    roots: Vec<(ShapeId, Path)>,
    insides: Vec<Inside>,
    lost: Vec<(ShapeId, Lost)>,
}

/// Every `outer` has an `inner` at `at`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Inside {
    pub(super) outer: ShapeId,
    pub(super) inner: ShapeId,
    /// From the outer shape; never empty.
    pub(super) at: Path,
}

/// What made a place unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lost {
    /// In words: "the op `split`".
    pub(super) what: String,
    /// Its change.
    pub(super) change: Arc<str>,
    /// Where it stands in the change's file.
    pub(super) span: Span,
}

/// More places of one shape in one message, or deeper ones, are treated as if they had no end.
const MOST_PATHS: usize = 64;

impl Places {
    /// The places in the oldest version. A root that is inside another anyway is left out.
    pub(super) fn new(mut roots: Vec<(ShapeId, Path)>, insides: &[Inside]) -> Self {
        roots.sort_by_key(|(_, at)| at.len());
        let mut places = Self { roots: Vec::new(), insides: insides.to_vec(), lost: Vec::new() };
        for (shape, at) in roots {
            let known = places.roots.iter().any(|(outer, above)| {
                at.strip_prefix(above.as_slice()).is_some_and(|rest| places.leads_to(*outer, rest, shape))
            });
            if !known {
                places.roots.push((shape, at));
            }
        }
        let reached = places.reached_from(places.shapes());
        places.insides.retain(|inside| reached.contains(&inside.outer));
        places
    }

    /// The shapes that are not inside others.
    pub(super) fn shapes(&self) -> impl Iterator<Item = ShapeId> {
        self.roots.iter().map(|(shape, _)| *shape)
    }

    /// Whether ops on the message name something inside a shape that is not inside others.
    pub(super) fn are_edited(&self, shape: ShapeId, ops: &[Op]) -> bool {
        let paths = || ops.iter().flat_map(Op::places).filter(|place| place.part() == Part::Body);
        let roots = self.roots.iter().filter(|(root, _)| *root == shape);
        roots.map(|(_, at)| at).any(|at| paths().any(|p| p.tokens.len() > at.len() && p.tokens.starts_with(at)))
    }

    /// Whether the shape is anywhere in the message.
    pub(super) fn has(&self, shape: ShapeId) -> bool {
        self.reached_from(self.shapes()).contains(&shape)
    }

    /// What made a place of the shape unknown, if anything did.
    pub(super) fn lost(&self, shape: ShapeId) -> Option<&Lost> {
        self.lost.iter().find(|(lost, _)| *lost == shape).map(|(_, lost)| lost)
    }

    /// Whether a path of one shape leads to another.
    fn leads_to(&self, from: ShapeId, rest: &[Token], to: ShapeId) -> bool {
        if rest.is_empty() {
            return from == to;
        }
        let inside = self.insides.iter().filter(|inside| inside.outer == from);
        inside
            .filter_map(|i| Some((i.inner, rest.strip_prefix(i.at.as_slice())?)))
            .any(|(i, r)| self.leads_to(i, r, to))
    }

    /// The shapes given, and all that are inside them.
    fn reached_from(&self, shapes: impl Iterator<Item = ShapeId>) -> BTreeSet<ShapeId> {
        let mut open: Vec<ShapeId> = shapes.collect();
        let mut reached: BTreeSet<ShapeId> = open.iter().copied().collect();
        while let Some(outer) = open.pop() {
            let inners = self.insides.iter().filter(|inside| inside.outer == outer).map(|inside| inside.inner);
            open.extend(inners.filter(|inner| reached.insert(*inner)));
        }
        reached
    }

    /// Follows every place through ops that run on the message one after the other.
    pub(super) fn follow(&mut self, ops: &[Op], change: &Arc<str>) {
        for op in ops {
            let lost =
                || Lost { what: format!("the op `{}`", op.lens.name()), change: Arc::clone(change), span: op.span };
            self.follow_one(op, &lost);
        }
    }

    fn follow_one(&mut self, op: &Op, lost: &dyn Fn() -> Lost) {
        if self.roots.is_empty() {
            return;
        }
        let before = self.clone();
        let ways = before.ways();
        self.insides.clear();
        for inside in &before.insides {
            match follow_inside(op, inside, ways.iter().filter(|(shape, _)| *shape == inside.outer)) {
                Carried::Same => self.insides.push(inside.clone()),
                Carried::To(at) => self.insides.push(Inside { at, ..inside.clone() }),
                Carried::Gone => {}
                Carried::Unknown => self.lose(&before, inside.inner, lost),
            }
        }
        self.roots.clear();
        for (shape, at) in &before.roots {
            match op.carry(Direction::Up, at) {
                Carried::Same => self.roots.push((*shape, at.clone())),
                Carried::To(at) => self.roots.push((*shape, at)),
                Carried::Gone => {}
                Carried::Unknown => self.lose(&before, *shape, lost),
            }
        }
    }

    /// Paths to every shape: from each root the shortest, and where it is inside itself one that goes round once.
    fn ways(&self) -> Vec<(ShapeId, Path)> {
        let mut ways = Vec::new();
        for root in &self.roots {
            let mut visits: BTreeMap<ShapeId, usize> = BTreeMap::new();
            let mut queue = VecDeque::from([root.clone()]);
            while let Some((outer, path)) = queue.pop_front() {
                let visits = visits.entry(outer).or_default();
                *visits += 1;
                if *visits > 2 {
                    continue;
                }
                for inside in self.insides.iter().filter(|inside| inside.outer == outer) {
                    queue.push_back((inside.inner, [path.as_slice(), &inside.at].concat()));
                }
                ways.push((outer, path));
            }
        }
        ways
    }

    fn lose(&mut self, before: &Self, shape: ShapeId, lost: &dyn Fn() -> Lost) {
        for shape in before.reached_from(std::iter::once(shape)) {
            if self.lost(shape).is_none() {
                self.lost.push((shape, lost()));
            }
        }
    }

    /// The ops of a block about a shape as ops on the message, and follows every place through them. Inner places
    /// come before outer ones, so that the ops of the outer find them as they are in the older version.
    pub(super) fn apply(&mut self, shape: ShapeId, ops: &[Op], span: Span, lost: &dyn Fn() -> Lost) -> Vec<Op> {
        let mut targets: Vec<(Path, Option<ShapeId>)> = Vec::new();
        let leading = self.leading_to(shape);
        for (root, at) in self.roots.iter().filter(|(root, _)| leading.contains(root)) {
            let mut paths = Vec::new();
            match self.paths((*root, shape), at.clone(), &leading, &mut Vec::new(), &mut paths) {
                Some(()) => targets.extend(paths.into_iter().map(|path| (path, None))),
                None => targets.push((at.clone(), Some(*root))),
            }
        }
        targets.sort_by_key(|(at, _)| std::cmp::Reverse(at.len()));
        targets.dedup();
        let mut out = Vec::with_capacity(targets.len());
        let mut rest = targets.into_iter();
        while let Some((at, root)) = rest.next() {
            let op = match root {
                None => Op::within(at, ops.to_vec(), span),
                Some(root) => Op::within_nested(at, ops.to_vec(), Arc::new(self.nest(shape)), root, span),
            };
            self.follow_one(&op, lost);
            let carried: Vec<_> = rest.filter_map(|(at, root)| Some((carried(&op, &at)?, root))).collect();
            rest = carried.into_iter();
            out.push(op);
        }
        out
    }

    /// The shape, and all that it is inside of.
    fn leading_to(&self, shape: ShapeId) -> BTreeSet<ShapeId> {
        let mut leading = BTreeSet::from([shape]);
        let mut open = vec![shape];
        while let Some(inner) = open.pop() {
            let outers = self.insides.iter().filter(|inside| inside.inner == inner).map(|inside| inside.outer);
            open.extend(outers.filter(|outer| leading.insert(*outer)));
        }
        leading
    }

    /// Every path from one shape to another; `None` if there is no end of them. `leading` are the shapes on such paths.
    fn paths(
        &self,
        (from, to): (ShapeId, ShapeId),
        path: Path,
        leading: &BTreeSet<ShapeId>,
        above: &mut Vec<ShapeId>,
        found: &mut Vec<Path>,
    ) -> Option<()> {
        if above.contains(&from) || above.len() == MOST_PATHS || found.len() == MOST_PATHS {
            return None;
        }
        above.push(from);
        for inside in self.insides.iter().filter(|i| i.outer == from && leading.contains(&i.inner)) {
            let path = [path.as_slice(), &inside.at].concat();
            self.paths((inside.inner, to), path, leading, above, found)?;
        }
        above.pop();
        if from == to {
            found.push(path);
        }
        Some(())
    }

    /// What is inside what, as far as it leads to a shape.
    fn nest(&self, shape: ShapeId) -> Nest {
        let forms = 1 + self.insides.iter().map(|i| i.outer.max(i.inner)).max().unwrap_or_default().max(shape);
        let leading = self.leading_to(shape);
        let form = |id: ShapeId| Form {
            is_edited: id == shape,
            inside: self
                .insides
                .iter()
                .filter(|inside| inside.outer == id && leading.contains(&inside.inner))
                .map(|inside| (inside.at.clone(), inside.inner))
                .collect(),
        };
        Nest { forms: (0..forms).map(form).collect() }
    }
}

/// Where, from its outer shape, an inner one goes. It has to go the same way wherever the outer one is.
fn follow_inside<'w>(op: &Op, inside: &Inside, ways: impl Iterator<Item = &'w (ShapeId, Path)>) -> Carried {
    let mut ends = ways.map(|(_, way)| match carried(op, way) {
        Some(outer) => relative(op, way, &outer, &inside.at),
        None => Carried::Gone,
    });
    let first = ends.next().unwrap_or(Carried::Gone);
    if ends.all(|end| end == first) { first } else { Carried::Unknown }
}

/// Where a path goes, if that is certain and not nowhere.
fn carried(op: &Op, path: &[Token]) -> Option<Path> {
    match op.carry(Direction::Up, path) {
        Carried::Same => Some(path.to_vec()),
        Carried::To(path) => Some(path),
        Carried::Gone | Carried::Unknown => None,
    }
}

/// Where the value `at` of the one at `way`, which goes to `outer`, goes from there.
fn relative(op: &Op, way: &[Token], outer: &[Token], at: &[Token]) -> Carried {
    let end = match op.carry(Direction::Up, &[way, at].concat()) {
        Carried::Same => [way, at].concat(),
        Carried::To(end) => end,
        end @ (Carried::Gone | Carried::Unknown) => return end,
    };
    match end.strip_prefix(outer) {
        Some(rest) if !rest.is_empty() => Carried::To(rest.to_vec()),
        Some(_) | None => Carried::Unknown,
    }
}
