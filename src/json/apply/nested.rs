//! Edits of values that are inside each other.
//!
//! How deep they are is the document's choice, so the way through them is a list and not the stack.

use std::collections::HashSet;

use super::super::edit::{Entry, Nest, Order, Token};
use super::super::error::{Code, Error};
use super::super::tree::{LinkId, NodeId};
use super::super::valid::Kind;
use super::{Became, Done, Editor, Place};

/// An edit may make values that are edited in turn, so that the document's own depth is no bound.
const DEEPEST: usize = 512;

/// A value on the way to those that are edited, or one of these.
#[derive(Debug, Clone, Copy)]
struct Spot<'a> {
    node: NodeId,
    /// How its container holds it, and which spot that is; none: it is the outermost.
    held: Option<(LinkId, Place<'a>, usize)>,
    depth: usize,
    /// The form of a value that has one; others are on the way.
    form: Option<usize>,
}

/// The spots found so far: every container comes before what is in it.
struct Spots<'a> {
    nest: &'a Nest,
    all: Vec<Spot<'a>>,
    /// Paths may overlap: no value is of one form twice.
    known: HashSet<(NodeId, usize)>,
}

impl<'a> Editor<'a> {
    /// Edits a value of a form and the values inside it.
    pub(super) fn nested(
        &mut self,
        root: NodeId,
        form: usize,
        nest: &'a Nest,
        entries: &'a [Entry],
        order: Order,
    ) -> Done<Became> {
        let first = Spot { node: root, held: None, depth: 0, form: Some(form) };
        let mut spots = Spots { nest, all: vec![first], known: HashSet::new() };
        let (mut open, mut became) = (vec![0], Became::Same);
        while let Some(at) = open.pop() {
            if order == Order::OuterFirst {
                match self.edit_spot(&mut spots, at, entries)? {
                    Became::Nothing if at == 0 => return Ok(Became::Nothing),
                    Became::Nothing => continue,
                    after => became = became.then(after, at),
                }
            }
            self.look_inside(&mut spots, at, &mut open)?;
        }
        if order == Order::InnerFirst {
            for at in (0..spots.all.len()).rev() {
                let after = self.edit_spot(&mut spots, at, entries)?;
                became = became.then(after, at);
            }
        }
        Ok(became)
    }

    /// Finds the values inside one, and puts them on the list of those to look into.
    fn look_inside(&mut self, spots: &mut Spots<'a>, at: usize, open: &mut Vec<usize>) -> Done<()> {
        let nest = spots.nest;
        let Some(form) = spots.all[at].form.and_then(|form| nest.forms.get(form)) else { return Ok(()) };
        for (path, inner) in &form.inside {
            let mut here = vec![at];
            for token in path {
                let mut found = Vec::new();
                for outer in here {
                    self.step(spots, outer, token, &mut found)?;
                }
                here = found;
            }
            for found in here {
                let spot = &mut spots.all[found];
                if spots.known.insert((spot.node, *inner)) {
                    spot.form = Some(*inner);
                    open.push(found);
                }
            }
        }
        Ok(())
    }

    /// The spots that one token leads to from another.
    fn step(&mut self, spots: &mut Spots<'a>, outer: usize, token: &'a Token, found: &mut Vec<usize>) -> Done<()> {
        let Spot { node, depth, .. } = spots.all[outer];
        if depth > DEEPEST {
            return Err(Error::new(Code::TooDeep, 0, "values are inside each other without an end"));
        }
        let mut push = |link, node, place| {
            found.push(spots.all.len());
            spots.all.push(Spot { node, held: Some((link, place, outer)), depth: depth + 1, form: None });
        };
        if let Token::Key(key) = token {
            if let Some(link) = self.tree.child(node, key)? {
                push(link, self.tree.value(link), Place::Key(key));
            }
            return Ok(());
        }
        let is_array = self.tree.kind(node) == Kind::Array;
        let (mut index, mut at) = (0, self.tree.first(node));
        while let Some(link) = at {
            let place = if is_array { Place::Index(index) } else { Place::Member(link) };
            push(link, self.tree.value(link), place);
            (index, at) = (index + 1, self.tree.next(link));
        }
        Ok(())
    }

    /// Edits the value at a spot, if those of its form are edited, and puts back what it became.
    fn edit_spot(&mut self, spots: &mut Spots<'a>, at: usize, entries: &'a [Entry]) -> Done<Became> {
        let spot = spots.all[at];
        if !spot.form.is_some_and(|form| spots.nest.forms.get(form).is_some_and(|form| form.is_edited)) {
            return Ok(Became::Same);
        }
        let depth = self.trail.len();
        self.trail.extend(spots.above(at).filter_map(|spot| spot.held.map(|(_, place, _)| place)));
        self.trail[depth..].reverse();
        let became = self.within(spot.node, entries)?;
        if let Some((link, _, container)) = spot.held {
            let container = spots.all[container].node;
            match became {
                Became::Other(node) => self.tree.set_value(link, node),
                Became::Nothing if self.tree.kind(container) == Kind::Object => {
                    self.tree.remove(container, |_, other| other == link);
                }
                Became::Nothing => return Err(self.not_an_element()),
                Became::Same | Became::Edited => {}
            }
        }
        if let Became::Other(node) = became {
            spots.all[at].node = node;
        }
        self.trail.truncate(depth);
        for spot in spots.above(at) {
            self.tree.set_edited(spot.node);
        }
        Ok(became)
    }
}

impl<'a> Spots<'a> {
    /// A spot, the one around it, and so on to the outermost.
    fn above(&self, at: usize) -> impl Iterator<Item = Spot<'a>> + '_ {
        let container = |spot: &Spot<'a>| spot.held.map(|(_, _, at)| self.all[at]);
        std::iter::successors(Some(self.all[at]), container)
    }
}

impl Became {
    /// What became of the outermost value when that at a spot became something.
    fn then(self, next: Self, at: usize) -> Self {
        match (self, next) {
            (_, Self::Other(_) | Self::Nothing) if at == 0 => next,
            (Self::Same, Self::Edited | Self::Other(_) | Self::Nothing) => Self::Edited,
            _ => self,
        }
    }
}
