//! The changes on the way between two versions, found by the calls that they are about.

use std::vec;

use crate::route::{Index, Template};

use super::step::{Side, Step};

/// Every change on the way of requests from one version to another, in that order.
#[derive(Debug, Default)]
pub(super) struct Steps<'a> {
    pub(super) all: Vec<Step<'a>>,
    /// The positions of the steps that are about every call.
    of_every: Vec<usize>,
    /// The positions of the others, by the calls that they name on either side.
    by_call: Index<usize>,
    /// The positions of the steps that give calls other names, by those calls, on either side.
    routing: Index<usize>,
}

impl<'a> Steps<'a> {
    pub(super) fn new(all: Vec<Step<'a>>) -> Self {
        let (mut of_every, mut by_call, mut routing) = (Vec::new(), Index::default(), Index::default());
        for (at, step) in all.iter().enumerate() {
            for block in &step.change.http {
                let calls = || block.calls.iter().chain(&block.route);
                calls().for_each(|call| by_call.insert(call, at));
                calls().filter(|_| block.route.is_some()).for_each(|call| routing.insert(call, at));
            }
            if step.change.http.iter().any(|block| block.calls.is_empty()) {
                of_every.push(at);
            }
        }
        Self { all, of_every, by_call, routing }
    }

    /// The positions of the steps that may be about a call, in order.
    fn about(&self, call: &Template) -> Vec<usize> {
        let mut about = self.by_call.covering(call);
        about.extend(&self.of_every);
        about.sort_unstable();
        about.dedup();
        about
    }

    /// Goes the way of a call, as the near side spells it, through the steps that may be about it.
    pub(super) fn follow(&self, call: &Template) -> Follow<'_, 'a> {
        Follow { steps: self, here: call.clone(), left: self.about(call).into_iter() }
    }

    /// Goes back from a step to the start of the way, with a call as the near side of the step spells it; and how many
    /// steps that took.
    pub(super) fn back(&self, step: usize, near: Template) -> (Template, usize) {
        let before = |call: &Template, step: usize| {
            let mut routing = self.routing.covering(call);
            routing.truncate(routing.partition_point(|at| *at < step));
            routing
        };
        let (mut here, mut count) = (near, 0);
        let mut earlier = before(&here, step);
        while let Some(at) = earlier.pop() {
            count += 1;
            let next = self.all[at].route(&here, Side::Far);
            if next != here {
                earlier = before(&next, at);
                here = next;
            }
        }
        (here, count)
    }
}

/// A call on its way.
pub(super) struct Follow<'f, 'a> {
    steps: &'f Steps<'a>,
    /// The call as it is spelled where the way has led so far.
    pub(super) here: Template,
    left: vec::IntoIter<usize>,
}

/// A step that may be about a call, and the call as its two sides spell it.
pub(super) struct Hop<'a> {
    pub(super) step: Step<'a>,
    pub(super) near: Template,
    pub(super) far: Template,
}

impl<'a> Iterator for Follow<'_, 'a> {
    type Item = Hop<'a>;

    fn next(&mut self) -> Option<Hop<'a>> {
        let Self { steps, here, left } = self;
        let at = left.find(|at| steps.all[*at].concerns(here))?;
        let step = steps.all[at];
        let far = step.route(here, Side::Near);
        if far != *here {
            let mut about = steps.about(&far);
            about.retain(|other| *other > at);
            *left = about.into_iter();
        }
        let near = std::mem::replace(here, far.clone());
        Some(Hop { step, near, far })
    }
}
