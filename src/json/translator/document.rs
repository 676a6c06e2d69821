//! The translator as its users see it: chunks go in, pieces come out.

use std::sync::Arc;

use bytes::{Buf as _, Bytes};

use super::super::error::{Code, Error};
use super::super::loss::Losses;
use super::super::page::Page;
use super::super::page::grown;
use super::super::program::Program;
use super::super::scanner::{Expected, Syntax};
use super::super::tally::Tally;
use super::super::tree::Arena;
use super::super::{Limits, Translated, Values};
use super::whole::{self, Whole};
use super::{At, Buf, Failing, Machine};

/// How much of a chunk is put after what is kept of earlier ones at first.
const COMPLETE: usize = 2048;

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

    /// Translates a document that is there as a whole, if it looks like the last one of its program.
    pub(in super::super) fn whole(
        program: &Program,
        values: &Values,
        limits: Limits,
        document: &[u8],
    ) -> Option<Translated> {
        if document.len() > whole::LIST && document.trim_ascii_start().first() == Some(&b'[') {
            return None;
        }
        simdutf8::basic::from_utf8(document).ok()?;
        let mut kit = program.kits.take();
        let mut page = Page::default();
        page.reserve(grown(document.len()));
        let mut room: whole::Padded = [0; size_of::<whole::Padded>()];
        let mut whole = Whole {
            program,
            values,
            bytes: whole::pad(document, &mut room),
            len: document.len(),
            replay: &mut kit.replay,
            skipper: &mut kit.skipper,
            arena: &mut Arena::default(),
            tally: Tally::default(),
            page: &mut page,
            pos: 0,
            copied: 0,
        };
        let done = whole.run(limits.capped());
        let (partial, losses) = (whole.tally.is_partial(), whole.tally.losses(&program.losses));
        program.kits.give_back(kit);
        done.map(|()| Translated { body: page.take(), partial, losses })
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
        let Err(error) = simdutf8::compat::from_utf8(&chunk) else {
            return self.push_valid(&chunk).map_err(|error| self.failed(*error));
        };
        let valid = chunk.slice(..error.valid_up_to());
        self.push_valid(&valid).map_err(|error| self.failed(*error))?;
        if error.error_len().is_some() {
            self.machine.settle(&self.program, &self.kept).map_err(|error| self.failed(*error))?;
            return Err(Syntax { at: self.kept.len(), expected: Expected::Utf8 }.into_error(self.machine.base));
        }
        self.cut = chunk[error.valid_up_to()..].to_vec();
        Ok(())
    }

    fn push_valid(&mut self, chunk: &Bytes) -> Failing<()> {
        self.machine.out.expect(chunk.len());
        if self.kept.is_empty() && self.machine.done_at_once(&self.program, chunk) {
            return Ok(());
        }
        let mut rest = chunk.clone();
        while !self.kept.is_empty() && !rest.is_empty() {
            self.complete_kept(&mut rest)?;
        }
        if !rest.is_empty() {
            self.machine.run(&self.program, &rest, Some(&rest))?;
            let keep = self.machine.rebase(&rest, Some(&rest));
            self.kept.extend_from_slice(&rest[keep..]);
        }
        self.machine.check_held(self.kept.len())
    }

    /// Puts the start of a chunk after what is kept, as much as it takes to need nothing of it any more, and takes it
    /// from the chunk.
    fn complete_kept(&mut self, rest: &mut Bytes) -> Failing<()> {
        if matches!(self.machine.at, At::Cut) {
            rest.advance(self.machine.resume(&self.program, &mut self.kept, rest));
            match self.machine.at {
                At::Cut => return Ok(()),
                At::AfterValue | At::End => {
                    self.machine.rebase_to(self.kept.len(), &self.kept, None);
                    self.kept.clear();
                    return Ok(());
                }
                _ => {}
            }
        }
        let boundary = self.kept.len();
        let part = rest.len().min(boundary.max(COMPLETE));
        self.kept.extend_from_slice(&rest[..part]);
        if self.machine.run_past(&self.program, &self.kept, boundary)? {
            let taken = self.machine.pos;
            self.machine.rebase_to(taken, &self.kept, None);
            self.kept.clear();
            rest.advance(taken - boundary);
        } else {
            let keep = self.machine.rebase(&self.kept, None);
            self.kept.drain(..keep);
            rest.advance(part);
        }
        Ok(())
    }

    /// Says that the document has ended.
    ///
    /// # Errors
    /// Any [`Code`](crate::json::Code); among them [`Code::MalformedJson`](crate::json::Code::MalformedJson) for a document that was cut off.
    pub fn finish(&mut self) -> Result<(), Error> {
        self.machine.settle(&self.program, &self.kept).map_err(|error| self.failed(*error))?;
        if !self.cut.is_empty() {
            return Err(Syntax { at: self.kept.len(), expected: Expected::Utf8 }.into_error(self.machine.base));
        }
        self.machine.finish(&self.program, &self.kept).map_err(|error| self.failed(*error))?;
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
        self.machine.tally.is_partial()
    }

    /// What has been lost so far.
    #[must_use]
    pub fn losses(&self) -> Losses {
        self.machine.tally.losses(&self.program.losses)
    }

    /// The error as it is told: where the whole message is dropped, that is what is lost.
    fn failed(&self, error: Error) -> Error {
        match error.code {
            Code::Dropped => Error { losses: self.losses(), ..error },
            _ => error,
        }
    }
}

impl Machine {
    fn finish(&mut self, program: &Program, kept: &[u8]) -> Failing<()> {
        let buf = Buf { bytes: kept, chunk: None };
        if self.skipper.at_number_end() {
            match self.at {
                At::Skipped => self.value_done(program, buf),
                At::Held => {
                    self.edit_held(program, buf, kept.len())?;
                    self.value_done(program, buf);
                }
                _ => {}
            }
        }
        self.flush(buf, self.pos.max(self.copied));
        if matches!(self.at, At::End) {
            return Ok(());
        }
        let at = self.base + kept.len() as u64;
        Err(Box::new(Error::new(Code::MalformedJson, at, "the document ends too early")))
    }
}
