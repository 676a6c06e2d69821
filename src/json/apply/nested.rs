//! Edits of values that are inside each other.

use super::super::edit::{Entry, Nest, Order};
use super::super::error::{Code, Error};
use super::super::tree::NodeId;
use super::{Became, Done, Editor};

/// An edit may make values that are edited in turn, so that the document's own depth is no bound.
const DEEPEST: usize = 512;

impl<'a> Editor<'a> {
    /// Edits a value of a form and what is inside it.
    pub(super) fn nested(
        &mut self,
        node: NodeId,
        form: usize,
        nest: &'a Nest,
        entries: &'a [Entry],
        order: Order,
    ) -> Done<Became> {
        if self.trail.len() > DEEPEST {
            return Err(Error::new(Code::TooDeep, 0, "values are inside each other without an end"));
        }
        let Some(own) = nest.forms.get(form) else { return Ok(Became::Same) };
        let entries_here = if own.is_edited { entries } else { &[] };
        match order {
            Order::InnerFirst => {
                let inside = self.inside(node, form, nest, entries, order)?;
                Ok(inside.then(self.within(node, entries_here)?))
            }
            Order::OuterFirst => {
                let outer = self.within(node, entries_here)?;
                let node = match outer {
                    Became::Nothing => return Ok(outer),
                    Became::Other(node) => node,
                    Became::Same | Became::Edited => node,
                };
                Ok(outer.then(self.inside(node, form, nest, entries, order)?))
            }
        }
    }

    fn inside(
        &mut self,
        node: NodeId,
        form: usize,
        nest: &'a Nest,
        entries: &'a [Entry],
        order: Order,
    ) -> Done<Became> {
        let mut became = Became::Same;
        for (at, inner) in &nest.forms[form].inside {
            let next = self.visit(node, at, &mut |e, node| e.nested(node, *inner, nest, entries, order))?;
            became = became.then(next);
        }
        Ok(became)
    }
}

impl Became {
    /// What became of a value in two steps.
    fn then(self, next: Self) -> Self {
        match (self, next) {
            (_, Self::Nothing | Self::Other(_)) => next,
            (Self::Other(_) | Self::Nothing | Self::Edited, _) => self,
            (Self::Same, _) => next,
        }
    }
}
