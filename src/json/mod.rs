//! The streaming JSON translator: bytes in, bytes out.
//!
//! Knows nothing of rules, versions or HTTP. A [`Program`] says what to edit; a [`Translator`] runs it
//! over one document that arrives in chunks.

use std::sync::Arc;

use bytes::Bytes;

/// A compiled, immutable edit of one kind of document.
#[derive(Debug, Default)]
pub struct Program {}

/// How much of a document has to be held before its translation can leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Untouched: the bytes need not even be scanned.
    S0,
    /// Streams.
    S1,
    /// Holds one object or array element at a time.
    S2,
    /// Holds the whole document.
    S3,
}

impl Program {
    /// Whether every document leaves as it came.
    #[must_use]
    pub fn is_identity(&self) -> bool {
        true
    }

    /// How much of a document is held.
    #[must_use]
    pub fn class(&self) -> Class {
        Class::S0
    }
}

/// Bounds on one document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Greatest nesting depth of arrays and objects.
    pub depth: u32,
    /// Most bytes that may be held at one time (a scope that cannot stream, a key, a touched scalar).
    pub buffer: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 512, buffer: 4 << 20 }
    }
}

/// What a translation does with a value that an op cannot translate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnError {
    /// The whole translation fails.
    #[default]
    Reject,
    /// The op is skipped, the value stays, and [`Translator::is_partial`] says so.
    BestEffort,
}

/// What a program's literals refer to, fixed for one message.
#[derive(Debug, Clone, Default)]
pub struct Values {
    /// `$now`: RFC 3339.
    pub now: String,
    /// `$version`: the label of the version that receives the document.
    pub version: Arc<str>,
    /// What to do with values that have no translation.
    pub on_error: OnError,
}

/// Why a document was not translated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// What kind of failure.
    pub code: Code,
    /// Where: bytes from the start of the document.
    pub offset: u64,
    /// The RFC 6901 pointer of the value, where one is known (`""` is the whole document).
    pub pointer: Option<String>,
    /// The change whose op failed, where one is known.
    pub change: Option<Arc<str>>,
    /// What was expected and what was found, for a person.
    pub detail: String,
}

/// The kinds of failure; the names are those of the rule language's test vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// Not JSON (RFC 8259), or cut off.
    MalformedJson,
    /// Nested deeper than the limit.
    TooDeep,
    /// More bytes would have to be held than the limit allows.
    TooLarge,
    /// A member that an op reads stands twice in its object.
    DuplicateKey,
    /// A value that `map` has no pair for.
    NoMapping,
    /// A value that `convert` cannot express in the other format.
    CannotConvert,
    /// Something stands where `conflict: fail` or `if_present: fail` allows nothing.
    Conflict,
    /// The translation would lose what the op says must not be lost.
    InformationLost,
    /// The document has no envelope to take off.
    NotEnveloped,
    /// An array was expected.
    NotAnArray,
    /// An object was expected.
    NotAnObject,
    /// A parent of the place to write is not an object.
    ParentNotObject,
    /// An array element cannot be taken out by its index.
    CannotRemoveIndex,
}

impl Code {
    /// The stable name, as in problem documents, metrics and test vectors.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::MalformedJson => "malformed_json",
            Self::TooDeep => "too_deep",
            Self::TooLarge => "too_large",
            Self::DuplicateKey => "duplicate_key",
            Self::NoMapping => "no_mapping",
            Self::CannotConvert => "cannot_convert",
            Self::Conflict => "conflict",
            Self::InformationLost => "information_lost",
            Self::NotEnveloped => "not_enveloped",
            Self::NotAnArray => "not_an_array",
            Self::NotAnObject => "not_an_object",
            Self::ParentNotObject => "parent_not_object",
            Self::CannotRemoveIndex => "cannot_remove_index",
        }
    }
}

/// One document in flight. Push its chunks, take what is ready, finish.
#[derive(Debug)]
pub struct Translator {
    ready: Vec<Bytes>,
}

impl Translator {
    /// A translator for one document.
    #[must_use]
    pub fn new(_program: Arc<Program>, _values: Values, _limits: Limits) -> Self {
        Self { ready: Vec::new() }
    }

    /// Takes the next chunk of the document.
    ///
    /// # Errors
    /// Any [`Code`]; the translator is of no use afterwards.
    pub fn push(&mut self, chunk: Bytes) -> Result<(), Error> {
        self.ready.push(chunk);
        Ok(())
    }

    /// Says that the document has ended.
    ///
    /// # Errors
    /// Any [`Code`]; among them [`Code::MalformedJson`] for a document that was cut off.
    pub fn finish(&mut self) -> Result<(), Error> {
        Ok(())
    }

    /// Takes the bytes that may leave now, in order.
    pub fn take(&mut self) -> std::vec::Drain<'_, Bytes> {
        self.ready.drain(..)
    }

    /// Whether an op was skipped for a value it could not translate ([`OnError::BestEffort`]).
    #[must_use]
    pub fn is_partial(&self) -> bool {
        false
    }
}
