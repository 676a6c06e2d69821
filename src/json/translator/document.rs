//! The translator as its users see it: chunks go in, pieces come out.

use std::sync::Arc;

use bytes::Bytes;

use super::super::error::Error;
use super::super::program::Program;
use super::super::scanner::{Expected, Syntax};
use super::super::{Limits, Values};
use super::{Failing, Machine};

/// One document in flight. Push its chunks, take what is ready, finish.
#[derive(Debug)]
pub struct Translator {
    program: Arc<Program>,
    machine: Machine,
    /// What is kept of earlier chunks.
    kept: Vec<u8>,
    /// The start of a character that the last chunk cut.
    cut: Vec<u8>,
}

impl Translator {
    /// A translator for one document.
    #[must_use]
    pub fn new(program: Arc<Program>, values: Values, limits: Limits) -> Self {
        let kit = program.kits.take();
        let machine = Machine::new(program.root, values, limits, kit);
        Self { program, machine, kept: Vec::new(), cut: Vec::new() }
    }

    /// Takes the next chunk of the document.
    ///
    /// # Errors
    /// Any [`Code`](crate::json::Code). The translator is of no use afterwards.
    pub fn push(&mut self, chunk: Bytes) -> Result<(), Error> {
        let chunk = if self.cut.is_empty() {
            chunk
        } else {
            Bytes::from([std::mem::take(&mut self.cut).as_slice(), &chunk].concat())
        };
        let Err(error) = std::str::from_utf8(&chunk) else {
            return self.push_valid(&chunk).map_err(|error| *error);
        };
        let valid = chunk.slice(..error.valid_up_to());
        self.push_valid(&valid).map_err(|error| *error)?;
        if error.error_len().is_some() {
            return Err(Syntax { at: self.kept.len(), expected: Expected::Utf8 }.into_error(self.machine.base));
        }
        self.cut = chunk[error.valid_up_to()..].to_vec();
        Ok(())
    }

    fn push_valid(&mut self, chunk: &Bytes) -> Failing<()> {
        self.machine.out.expect(chunk.len());
        if self.kept.is_empty() {
            self.machine.run(&self.program, chunk, Some(chunk))?;
            let keep = self.machine.rebase(chunk, Some(chunk));
            self.kept.extend_from_slice(&chunk[keep..]);
        } else {
            self.kept.extend_from_slice(chunk);
            self.machine.run(&self.program, &self.kept, None)?;
            let keep = self.machine.rebase(&self.kept, None);
            self.kept.drain(..keep);
        }
        self.machine.check_held(self.kept.len())
    }

    /// Says that the document has ended.
    ///
    /// # Errors
    /// Any [`Code`](crate::json::Code); among them [`Code::MalformedJson`](crate::json::Code::MalformedJson) for a document that was cut off.
    pub fn finish(&mut self) -> Result<(), Error> {
        if !self.cut.is_empty() {
            return Err(Syntax { at: self.kept.len(), expected: Expected::Utf8 }.into_error(self.machine.base));
        }
        self.machine.finish(&self.program, &self.kept).map_err(|error| *error)?;
        self.program.kits.give_back(self.machine.take_kit());
        Ok(())
    }

    /// Says that all bytes, about this many, will be taken as one text.
    pub(in super::super) fn expect_whole(&mut self, bytes: usize) {
        self.machine.out.expect_whole(bytes);
    }

    /// Takes all bytes that are left, as one text.
    pub(in super::super) fn take_all(&mut self) -> Vec<u8> {
        self.machine.out.take_all()
    }

    /// Takes the bytes that may leave now, in order.
    pub fn take(&mut self) -> std::vec::Drain<'_, Bytes> {
        self.machine.out.take()
    }

    /// Whether an edit was skipped for a value that it could not translate ([`OnError::BestEffort`](crate::json::OnError::BestEffort)).
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.machine.partial
    }
}
