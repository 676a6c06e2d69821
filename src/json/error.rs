//! Why a document was not translated.

use std::fmt;
use std::sync::Arc;

use super::loss::Losses;

/// Why a document was not translated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// What kind of failure.
    pub code: Code,
    /// Where: bytes from the start of the document. For an op's failure, the start of the scope it ran on.
    pub offset: u64,
    /// The RFC 6901 pointer of the value, where one is known (`""` is the whole document).
    pub pointer: Option<String>,
    /// The change whose op failed, where one is known.
    pub change: Option<Arc<str>>,
    /// What was expected and what was found, for a person.
    pub detail: String,
    /// What is lost where the message is [dropped](Code::Dropped).
    pub losses: Losses,
}

impl Error {
    #[cold]
    pub(crate) fn new(code: Code, offset: u64, detail: impl Into<String>) -> Self {
        Self { code, offset, pointer: None, change: None, detail: detail.into(), losses: Losses::default() }
    }

    #[cold]
    pub(crate) fn at(mut self, pointer: String) -> Self {
        self.pointer = Some(pointer);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.name(), self.detail)?;
        match &self.pointer {
            Some(pointer) => write!(f, " at `{pointer}`"),
            None => write!(f, " at byte {}", self.offset),
        }
    }
}

impl std::error::Error for Error {}

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal,)*) => {
        /// The kinds of failure. Their names are those of problem documents, metrics and test vectors.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[doc = $doc])* $variant,)* }

        impl Code {
            /// Every code, in declaration order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable name.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

codes! {
    /// Not JSON (RFC 8259), not UTF-8, or cut off.
    MalformedJson = "malformed_json",
    /// Nested deeper than the limit.
    TooDeep = "too_deep",
    /// More bytes would have to be held than the limit allows.
    TooLarge = "too_large",
    /// A member that an op reads stands twice in its object.
    DuplicateKey = "duplicate_key",
    /// A value that `map` has no pair for.
    NoMapping = "no_mapping",
    /// A value that `convert` cannot express in the other format.
    CannotConvert = "cannot_convert",
    /// Something stands where `conflict: fail` or `if_present: fail` allows nothing.
    Conflict = "conflict",
    /// The translation would lose what the op says must not be lost.
    InformationLost = "information_lost",
    /// The document has no envelope to take off.
    NotEnveloped = "not_enveloped",
    /// An array was expected.
    NotAnArray = "not_an_array",
    /// An object was expected.
    NotAnObject = "not_an_object",
    /// A parent of the place to write is not an object.
    ParentNotObject = "parent_not_object",
    /// The array to unwrap is empty, and `empty: fail` allows none.
    EmptyArray = "empty_array",
    /// A string was expected.
    NotAString = "not_a_string",
    /// A partial update has half of a value that is one in the other version.
    NeedsCurrentValue = "needs_current_value",
    /// An entry has no name to become a member under.
    EntryWithoutKey = "entry_without_key",
    /// A member that the other version needs is missing or null.
    RequiredValueMissing = "required_value_missing",
    /// The receiver must not see the message.
    Dropped = "dropped",
    /// A JSON Patch touches what the other version has at no single place.
    UntranslatablePatch = "untranslatable_patch",
    /// An array element cannot be taken out by its index.
    CannotRemoveIndex = "cannot_remove_index",
    /// A jq program failed, or did not make exactly one JSON value.
    JqFailed = "jq_failed",
    /// A jq program took more steps, or nested deeper, than it may.
    JqExhausted = "jq_exhausted",
}
