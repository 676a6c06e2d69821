//! A bare list of ops over bodies, without versions and calls around it.

use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Severity};
use crate::json::Program;
use crate::json::edit::{Entry, Token};
use crate::yaml::{self, Reader};

use super::Direction;
use super::diagnostics::clip;
use super::lens::{Carried, Mode, Op, carry_ops, code, lower_counted, parse_ops};
use super::path::Part;

/// Ops that run on one body, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ops(Vec<Op>);

impl Ops {
    /// Parses a YAML or JSON list of ops.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(text: &str, file: &str) -> Result<Self, Vec<Diagnostic>> {
        let node = yaml::parse(text, file, yaml::Limits::default())?;
        let mut reader = Reader::new(file);
        let ops = parse_ops(&mut reader, &node);
        for op in ops.iter().filter(|op| op.reaches(Part::Head)) {
            reader.error(
                code::PARTS,
                op.span,
                "bare ops are about a body: they have no query, headers, path or status",
            );
        }
        let mut diagnostics = reader.into_diagnostics();
        diagnostics.iter_mut().for_each(clip);
        if diagnostics.iter().any(|d| d.severity == Severity::Error) { Err(diagnostics) } else { Ok(Self(ops)) }
    }

    /// Where the value at a path of the body stands after the ops.
    #[must_use]
    pub fn carry(&self, direction: Direction, path: &[Token]) -> Carried {
        carry_ops(&self.0, direction, path)
    }

    /// The ops of one direction, fused.
    #[must_use]
    pub fn program(&self, direction: Direction, mode: Mode) -> Arc<Program> {
        Arc::new(Program::fuse(self.entries(direction, mode).collect()))
    }

    /// The ops of one direction, one program each: what fusing is compared with.
    #[must_use]
    pub fn programs(&self, direction: Direction, mode: Mode) -> Vec<Arc<Program>> {
        self.entries(direction, mode).map(|entry| Arc::new(Program::hold(vec![entry]))).collect()
    }

    /// The ops of one direction on a document that is held: the same.
    #[must_use]
    pub fn held(&self, direction: Direction, mode: Mode) -> Arc<Program> {
        Arc::new(Program::hold(self.entries(direction, mode).collect()))
    }

    fn entries(&self, direction: Direction, mode: Mode) -> impl Iterator<Item = Entry> {
        lower_counted(&self.0, direction, mode, &[]).into_iter().flatten().map(|lowered| lowered.entry)
    }
}
