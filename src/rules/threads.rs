//! The messages of one side of a socket, each followed by its name through the steps that say something of it.

use std::collections::{HashMap, HashSet};

use super::Direction;
use super::ast::Frame;
use super::chain::MOST_OPS;

/// A message on its way through steps.
#[derive(Debug)]
pub(super) struct Thread<'a> {
    /// What its sender calls it; `None`: the sender does not have it.
    pub(super) name: Option<&'a str>,
    /// What its receiver calls it; `None`: the receiver must not see it.
    pub(super) end: Option<&'a str>,
    /// What says something of it, in order: the position of a step, and that of a frame in it.
    pub(super) met: Vec<(usize, usize)>,
}

impl Thread<'_> {
    fn new(name: Option<&str>) -> Thread<'_> {
        Thread { name, end: None, met: Vec::new() }
    }
}

/// Every message that the steps say something of, in the order in which they first do. A step is what one block says of
/// one side, and which way messages pass it. `None`: too many messages meet too many ops.
pub(super) fn threads<'a, F>(steps: impl Iterator<Item = (F, Direction)>) -> Option<Vec<Thread<'a>>>
where
    F: Iterator<Item = &'a Frame>,
{
    let mut all: Vec<Thread<'a>> = Vec::new();
    // The positions of those that are called so where the way has led so far; none, where a step gave the name away.
    let mut called: HashMap<&'a str, Vec<usize>> = HashMap::new();
    let mut ops = 0;
    for (step, (frames, direction)) in steps.enumerate() {
        // Names may be swapped, so that all are looked up before one changes.
        let (mut renamed, mut seen) = (Vec::new(), HashSet::new());
        for (at, frame) in frames.enumerate() {
            let (name, end) = (near_name(frame, direction), far_name(frame, direction));
            if name.is_some_and(|name| !seen.insert(name)) {
                continue;
            }
            let known = name.and_then(|name| called.insert(name, Vec::new()));
            let those = known.unwrap_or_else(|| {
                all.push(Thread::new(name));
                vec![all.len() - 1]
            });
            ops += those.len() * (1 + frame.ops.len());
            if ops > MOST_OPS {
                return None;
            }
            for thread in &those {
                all[*thread].met.push((step, at));
                all[*thread].end = end;
            }
            renamed.extend(end.map(|name| (name, those)));
        }
        for (name, those) in renamed {
            called.entry(name).or_default().extend(those);
        }
    }
    Some(all)
}

/// A frame's name on the side that its messages come from, if that side has it.
pub(super) fn near_name(frame: &Frame, direction: Direction) -> Option<&str> {
    match direction {
        Direction::Up => frame.older_name(),
        Direction::Down => frame.newer_name(),
    }
}

/// A frame's name on the side that its messages go to, if that side has it.
pub(super) fn far_name(frame: &Frame, direction: Direction) -> Option<&str> {
    near_name(frame, direction.turned())
}
