//! The way of a message, stage by stage: each op that it meets, and what that op does in its direction.

use std::sync::Arc;

use crate::json::Program;
use crate::json::edit::Entry;

use super::Direction;
use super::ast::Change;
use super::lens::{Lowered, Mode, Op, body_in_message, lower_counted};
use super::path::{Part, Place};

/// One op on a message's way, or what goes with ops, and its edits.
#[derive(Debug, Clone)]
pub(super) struct Stage<'s> {
    pub(super) cause: Cause<'s>,
    /// In order.
    pub(super) edits: Vec<Lowered>,
}

/// Why a stage is there.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cause<'s> {
    /// An op of a change.
    Op { change: &'s Change, op: &'s Op, direction: Direction },
    /// A change gives a socket's message another name.
    Name { change: &'s Change },
    /// The path's parameters have other names from here on.
    Parameters,
}

impl<'s> Cause<'s> {
    /// The change that it comes from.
    pub(super) fn change(&self) -> Option<&'s Change> {
        match self {
            Self::Op { change, .. } | Self::Name { change } => Some(change),
            Self::Parameters => None,
        }
    }
}

impl<'s> Stage<'s> {
    /// One stage for each op, in the order of the direction.
    pub(super) fn all(change: &'s Change, ops: &'s [Op], direction: Direction, mode: Mode) -> Vec<Self> {
        let accepted = match direction {
            Direction::Up => &change.accept_loss.0,
            Direction::Down => &change.accept_loss.1,
        };
        let accepted: Vec<Place> = accepted.iter().filter_map(|path| Place::parse(path).ok()).collect();
        let lowered = lower_counted(ops, direction, mode, &accepted).into_iter();
        let stage = |(op, mut edits): (&'s Op, Vec<Lowered>)| {
            for edit in &mut edits {
                edit.entry.change = Some(Arc::clone(&change.id));
            }
            Self { cause: Cause::Op { change, op, direction }, edits }
        };
        match direction {
            Direction::Up => ops.iter().zip(lowered).map(stage).collect(),
            Direction::Down => ops.iter().rev().zip(lowered).map(stage).collect(),
        }
    }

    /// The edits of one part of the message.
    pub(super) fn of(&self, part: Part) -> impl Iterator<Item = &Entry> {
        self.edits.iter().filter(move |edit| edit.part == part).map(|edit| &edit.entry)
    }

    /// Whether it edits a part of the message.
    pub(super) fn is_about(&self, part: Part) -> bool {
        self.of(part).next().is_some()
    }

    /// Whether what it makes is another thing in each run.
    pub(super) fn makes_uuids(&self) -> bool {
        self.edits.iter().any(|edit| format!("{:?}", edit.entry.edit).contains("Uuid"))
    }

    /// The body's edits alone, fused.
    pub(super) fn program(&self) -> Arc<Program> {
        Arc::new(Program::fuse(self.of(Part::Body).cloned().collect()))
    }
}

/// The body's edits of all stages, in order.
pub(super) fn bodies(stages: &[Stage<'_>]) -> Vec<Entry> {
    stages.iter().flat_map(|stage| stage.of(Part::Body)).cloned().collect()
}

/// All edits of all stages, in order, as those of a whole message: of a document that has the body as a member.
pub(super) fn whole(stages: &[Stage<'_>]) -> Vec<Entry> {
    let edits = stages.iter().flat_map(|stage| &stage.edits).cloned();
    edits
        .map(|Lowered { part, entry }| match part {
            Part::Head | Part::Both => entry,
            Part::Body => body_in_message(entry),
        })
        .collect()
}

/// The stages of each change on the way, in order.
pub(super) fn by_change<'a, 's>(stages: &'a [Stage<'s>]) -> Vec<&'a [Stage<'s>]> {
    let id = |stage: &Stage<'_>| stage.cause.change().map(|change| Arc::as_ptr(&change.id));
    stages.chunk_by(|a, b| id(a) == id(b)).collect()
}
