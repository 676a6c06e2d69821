//! In the place of `jq` where the feature of that name is off: no program compiles.

use std::ops::Range;

use super::Error;

/// A compiled program: there is none.
#[derive(Debug, PartialEq, Eq)]
pub enum Filter {}

/// What programs have taken of one document: nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Spent;

/// The run that has ended a document's translation: none.
#[derive(Debug, Default)]
pub(super) struct Ended;

/// What is wrong with a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where: bytes of the program.
    pub span: Range<usize>,
    /// That this build runs none.
    pub message: String,
}

impl Filter {
    /// The program's text.
    #[must_use]
    pub fn source(&self) -> &str {
        match *self {}
    }

    /// Refuses a program.
    ///
    /// # Errors
    /// That this build runs none.
    pub fn compile(source: &str) -> Result<Self, Vec<Mistake>> {
        let message = "this build of legato has no jq (feature `jq`)".to_owned();
        Err(vec![Mistake { span: 0..source.len(), message }])
    }

    pub(super) fn run(&self, _json: &[u8], _spent: &mut Spent, _ended: &mut Ended) -> Result<Vec<u8>, Error> {
        match *self {}
    }
}
