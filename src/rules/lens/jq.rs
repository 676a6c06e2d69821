//! `jq: {at, up, down}`
//!
//! **What it does.** A program in jq makes another value of the one at `at`: `up` going up, `down` going down. It gets
//! that value alone, must make exactly one of it, and knows nothing of the world: no input, environment, time or
//! files. It is 25 to 200 times dearer than another op; use it where none can say it.
//!
//! **Example.** `jq: {at: /tags, up: "map({label: .})", down: "map(.label)"}` makes `{"tags":[{"label":"a"}]}` of
//! `{"tags":["a"]}`.
//!
//! **Inverse.** The other program.
//!
//! **What is lost.** What the programs lose.

use std::ops::Range;
use std::sync::Arc;

use crate::diagnostic::Span;
use crate::json::Filter;
use crate::json::edit::{Edit, ValueEdit};
use crate::rules::Direction;
use crate::rules::path::Place;
use crate::yaml::{Node, Reader};

use super::{Edits, code, place};

/// The parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jq {
    at: Place,
    up: Arc<Filter>,
    down: Arc<Filter>,
}

impl Jq {
    pub(super) fn parse(reader: &mut Reader, args: &Node) -> Option<Self> {
        let mut fields = reader.fields(args, "`jq`")?;
        let at = fields.require(reader, "at").and_then(|node| place(reader, node));
        let up = fields.require(reader, "up").and_then(|node| program(reader, node, "`up`"));
        let down = fields.require(reader, "down").and_then(|node| program(reader, node, "`down`"));
        fields.finish(reader);
        Some(Self { at: at?, up: up?, down: down? })
    }

    pub(super) fn places(&self) -> Vec<&Place> {
        vec![&self.at]
    }

    pub(super) fn lower(&self, direction: Direction) -> Edits {
        let program = match direction {
            Direction::Up => &self.up,
            Direction::Down => &self.down,
        };
        let how = ValueEdit::Jq { program: Arc::clone(program) };
        vec![(self.at.part(), Edit::Change { at: self.at.in_part(), how })]
    }
}

fn program(reader: &mut Reader, node: &Node, what: &str) -> Option<Arc<Filter>> {
    let source = reader.string(node, what)?;
    match Filter::compile(source) {
        Ok(program) => Some(Arc::new(program)),
        Err(mistakes) => {
            for mistake in mistakes {
                let span = within(node.span, source, &mistake.span);
                reader
                    .error(code::JQ, span, format!("{what} is no program: {}", mistake.message))
                    .help("what programs may use is listed in docs/rules.md, under `jq`");
            }
            None
        }
    }
}

/// A part of a program where it stands in its file, if the scalar is the program letter by letter; else all of it.
fn within(scalar: Span, source: &str, part: &Range<usize>) -> Span {
    let quotes = (scalar.end - scalar.start).saturating_sub(source.len());
    if quotes != 0 && quotes != 2 {
        return scalar;
    }
    let start = scalar.start + quotes / 2;
    // What is missing at the end still needs a place that can be shown.
    let first = part.start.min(source.len().saturating_sub(1));
    Span { start: start + first, end: start + part.end.max(first + 1) }
}
