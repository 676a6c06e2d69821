//! `jq`: what no other op can say, as a program for each direction.

use std::ops::Range;
use std::sync::Arc;

use crate::diagnostic::Span;
use crate::json::Filter;
use crate::json::edit::{Edit, ValueEdit};
use crate::rules::Direction;
use crate::rules::path::Place;
use crate::yaml::{Node, Reader};

use super::definition::{Arguments, Definition, Documents, Example, Parameter, Takes};
use super::{Edits, Lens, code, place};

/// What there is to say of `jq`.
pub(super) const DEFINITION: Definition = Definition {
    name: "jq",
    summary: "a program in jq makes another value, in each direction",
    does: "It is the way out where no other op can say it, and costs 25 to 200 times what another op does. A program gets \
           the value at `at` alone, must make exactly one of it, and knows nothing of the world: no input, environment, \
           time or files. Both directions have to be given. A build without the feature `jq` refuses the op.",
    arguments: Arguments::Forms(&[&[
        Parameter::required("at", Takes::Path, "the value"),
        Parameter::required("up", Takes::String, "the program going up"),
        Parameter::required("down", Takes::String, "the program going down"),
    ]]),
    inverse: "the other program",
    lost: "what the programs lose",
    examples: &[Example {
        ops: "- jq: {at: /tags, up: \"map({label: .})\", down: \"map(.label)\"}\n",
        documents: &[Documents::both(
            r#"{"tags":["a","b"],"n":1.10}"#,
            r#"{"tags":[{"label":"a"},{"label":"b"}],"n":1.10}"#,
        )],
    }],
    parse: |reader, args| Jq::parse(reader, args).map(Lens::Jq),
};

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
