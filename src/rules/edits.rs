//! What the changes of one version do to the messages of one call, op by op and both ways: what `openapi` derives a
//! version's contract from.

use crate::json::edit::{Entry, Path, Token};
use crate::route::Template;
use crate::version::VersionId;

use super::ast::{Change, HttpBlock};
use super::chain::{in_order, response_ops, status_after};
use super::head::HeadPlan;
use super::lens::{Carried, Lowered, Mode, Op, carry_all, lower_ops};
use super::path::Part;
use super::step::{Side, Step, by_place, renamed};
use super::{Api, Direction};

/// One op of a message.
#[derive(Debug)]
pub struct OpEdits<'a> {
    /// The op and the change it stands in; `None`: parameters of the path change their names by their order.
    pub op: Option<(&'a Change, &'a Op)>,
    /// Its edits the way that is asked for.
    pub forward: Vec<Lowered>,
    /// Its edits the other way: what they undo tells what may be there afterwards.
    pub back: Vec<Lowered>,
}

impl OpEdits<'_> {
    fn rename_params(pairs: Vec<(String, String)>) -> Option<Self> {
        let is_needed = !pairs.is_empty();
        let forward = vec![Lowered { part: Part::Head, entry: HeadPlan::rename_params(pairs) }];
        is_needed.then(|| Self { op: None, forward, back: Vec::new() })
    }

    /// Where the value at a path of the body stands after the edits the other way; `None`: nowhere certain.
    #[must_use]
    pub fn carry_back(&self, path: &[Token]) -> Option<Path> {
        match carry_all(&self.of(Part::Body).1, path) {
            Carried::Same => Some(path.to_vec()),
            Carried::To(path) => Some(path),
            Carried::Gone | Carried::Unknown => None,
        }
    }

    /// Whether it reaches into both parts of the message at once, which this view of it leaves out.
    #[must_use]
    pub fn crosses(&self) -> bool {
        self.forward.iter().chain(&self.back).any(|edit| edit.part == Part::Both)
    }

    /// The edits of one part of the message, this way and the other.
    #[must_use]
    pub fn of(&self, part: Part) -> (Vec<Entry>, Vec<Entry>) {
        let of = |edits: &[Lowered]| {
            edits.iter().filter(|edit| edit.part == part).map(|edit| edit.entry.clone()).collect::<Vec<_>>()
        };
        (of(&self.forward), of(&self.back))
    }
}

/// What one version changes in one call.
#[derive(Debug)]
pub struct CallEdits<'a> {
    steps: Vec<(Step<'a>, Vec<&'a HttpBlock>)>,
    /// The call on the other side.
    pub target: Template,
    /// Whether the other side has no such call.
    pub is_absent: bool,
    /// The request's ops, in the order in which they run.
    pub request: Vec<OpEdits<'a>>,
}

impl Api {
    /// What `version` changes in a call: going up, the call is spelled as in the version before it, going down as in
    /// `version`. Partial updates are treated as whole documents.
    #[must_use]
    pub fn edits(&self, version: VersionId, direction: Direction, call: &Template) -> CallEdits<'_> {
        let changes: Vec<_> = self.changes.iter().filter(|change| change.since == version).collect();
        let mut edits = CallEdits { steps: Vec::new(), target: call.clone(), is_absent: false, request: Vec::new() };
        for change in in_order(&changes, direction) {
            edits.step(Step { change, direction });
        }
        edits
    }
}

impl<'a> CallEdits<'a> {
    fn step(&mut self, step: Step<'a>) {
        let near = self.target.clone();
        let far = step.route(&near, Side::Near);
        let (older, newer) = step.spellings(&near, &far);
        let blocks = step.blocks(older);
        self.is_absent |= step.absence(older, newer, &blocks).is_some();
        let way = step.way(&near, Side::Near);
        // Ops name parameters as the older side does.
        if step.direction == Direction::Down {
            self.request.extend(OpEdits::rename_params(renamed(&near, &far, way)));
        }
        for block in in_order(&blocks, step.direction) {
            let own = block.calls.iter().find(|call| call.covers(older));
            let names = own.map(|own| by_place(older, own)).unwrap_or_default();
            let names_back = names.iter().map(|(a, b)| (b.clone(), a.clone())).collect();
            self.request.extend(OpEdits::rename_params(names));
            self.request.extend(both_ways(step, &block.request));
            self.request.extend(OpEdits::rename_params(names_back));
        }
        if step.direction == Direction::Up {
            self.request.extend(OpEdits::rename_params(renamed(&near, &far, way)));
        }
        self.target = far;
        self.steps.push((step, blocks));
    }

    /// Whether the call and all its messages stay as they are.
    #[must_use]
    pub fn is_identity(&self) -> bool {
        let says_nothing = |block: &HttpBlock| block.response.iter().all(|(_, ops)| ops.is_empty());
        !self.is_absent
            && self.request.is_empty()
            && self
                .steps
                .iter()
                .all(|(_, blocks)| blocks.iter().all(|block| block.route.is_none() && says_nothing(block)))
    }

    /// The ops of responses with a status, in the order in which they run, and the status on the other side.
    #[must_use]
    pub fn response(&self, status: u16) -> (Vec<OpEdits<'a>>, u16) {
        let mut status = status;
        let mut all = Vec::new();
        for (step, blocks) in &self.steps {
            let first = all.len();
            for block in in_order(blocks, step.direction) {
                all.extend(both_ways(*step, response_ops(block, step.direction, status)));
            }
            let lowered: Vec<Lowered> = all[first..].iter().flat_map(|op: &OpEdits<'_>| op.forward.clone()).collect();
            status = status_after(&lowered, status);
        }
        (all, status)
    }
}

fn both_ways<'a>(step: Step<'a>, ops: &'a [Op]) -> Vec<OpEdits<'a>> {
    let lower = |op: &Op, direction| lower_ops(std::slice::from_ref(op), direction, Mode::Full);
    let edits = |op: &'a Op| OpEdits {
        op: Some((step.change, op)),
        forward: lower(op, step.direction),
        back: lower(op, step.direction.turned()),
    };
    in_order(ops, step.direction).into_iter().map(edits).collect()
}
