//! The streaming JSON translator: bytes in, bytes out.
//!
//! Knows nothing of rules, versions or HTTP. A list of [`edit::Entry`] says what to edit; [`Program::fuse`] turns
//! it into a flat program; a [`Translator`] runs the program over one document that arrives in chunks.
//!
//! What nobody edits leaves exactly as it came: numbers, escapes, white space, member order, duplicates. Memory is
//! bounded by nesting depth and by what must be held ([`Class`]), never by the document's length, and any chunking
//! of a document gives the same bytes and the same error at the same offset.
//!
//! `scanner` finds tokens in chunks, `blocks` where they end. `translator` walks the program's steps along the
//! document. Where a scope must be held, `tree` makes a sparse tree of it and `apply` edits that. `valid`, `text` and
//! `convert` work on text that is known to be JSON, and `jq` runs programs on it. What edits lose is counted in `tally`, by
//! the names that each edit has for it (`loss`).
//!
//! Most objects of a list, and most messages of a socket, have the names of the one before in the same order: a
//! `stencil` of that one reads the next in a fraction of the time, and `translator::replay` does with it what was done
//! with the first; `translator::whole` does so with a document that is there as a whole. What does not fit takes the long
//! way, with the same result. An object that a chunk cuts is gone on with in the next.

mod apply;
mod blocks;
mod by_value;
mod convert;
mod cost;
pub mod edit;
mod elements;
mod error;
mod fuse;
#[cfg(feature = "jq")]
mod jq;
#[cfg(not(feature = "jq"))]
#[path = "no_jq.rs"]
mod jq;
mod literal;
mod loss;
mod output;
mod page;
mod program;
mod renames;
mod scanner;
mod stencil;
mod tally;
mod text;
mod translator;
mod tree;
mod uuid;
mod valid;
mod value_edit;
mod words;

use std::sync::Arc;

use bytes::Bytes;

pub(crate) use apply::{is_bound, written};
pub(crate) use by_value::ByValue;
pub use convert::{Conversion, Way, is_instant};
pub use error::{Code, Error};
pub use jq::{Filter, Mistake};
pub use loss::{Loss, Losses, Lost, When};
pub use program::{Class, Program};
pub(crate) use text::{quote, unescape};
pub use translator::Translator;
pub use uuid::Uuids;
pub(crate) use uuid::is_uuid;
pub(crate) use valid::{Item, Items, Kind, same, value_end};

/// Bounds on one document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Greatest nesting depth of arrays and objects.
    pub depth: u32,
    /// Most bytes that may be held at one time: a scope that cannot stream, a name. At most 1 GiB.
    pub buffer: usize,
}

impl Limits {
    /// The same, with no more held than positions in it can say in 32 bits.
    fn capped(self) -> Self {
        Self { buffer: self.buffer.min(1 << 30), ..self }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 512, buffer: 4 << 20 }
    }
}

/// What a translation does with a value that an edit cannot translate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnError {
    /// The whole translation fails.
    #[default]
    Reject,
    /// The edit is skipped, the value stays, and [`Translator::is_partial`] says so.
    BestEffort,
}

/// What a program's literals refer to, fixed for one message.
#[derive(Debug, Clone, Default)]
pub struct Values {
    /// `$now`.
    pub now: Now,
    /// `$version`: the label of the version that receives the document.
    pub version: Arc<str>,
    /// Each `$uuid` is another of these.
    pub uuids: Uuids,
    /// What to do with values that have no translation.
    pub on_error: OnError,
}

/// A point in time, as literals say it: RFC 3339.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Now {
    /// Milliseconds since 1970-01-01T00:00:00Z, of the years 1 to 9999. They become text where a literal says them.
    Millis(i64),
    /// As it is to be said.
    Text(Arc<str>),
}

impl Default for Now {
    fn default() -> Self {
        Self::Millis(0)
    }
}

impl From<&str> for Now {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Now {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

/// A whole document's translation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translated {
    /// The document.
    pub body: Vec<u8>,
    /// Whether an edit was skipped ([`OnError::BestEffort`]).
    pub partial: bool,
    /// What was lost.
    pub losses: Losses,
}

/// Translates a document that is there as a whole.
///
/// # Errors
/// Any [`Code`].
pub fn translate(
    program: &Arc<Program>,
    values: &Values,
    limits: Limits,
    document: Bytes,
) -> Result<Translated, Error> {
    if let Some(done) = Translator::whole(program, values, limits, &document) {
        return Ok(done);
    }
    let mut translator = Translator::new(Arc::clone(program), values.clone(), limits);
    translator.expect_whole(document.len());
    translator.push(document)?;
    translator.finish()?;
    Ok(Translated { partial: translator.is_partial(), losses: translator.losses(), body: translator.take_all() })
}

/// Checks that a text is one JSON document and nothing else.
///
/// # Errors
/// [`Code::MalformedJson`] or [`Code::TooDeep`].
pub fn validate(text: &[u8], limits: Limits) -> Result<(), Error> {
    let syntax = |at, expected| Err(scanner::Syntax { at, expected }.into_error(0));
    let utf8 = std::str::from_utf8(text).map_or_else(|error| error.valid_up_to(), str::len);
    // What comes first is reported, as a translator does that reads on and on.
    let (checked, rest) = text.split_at(utf8);
    let mut skipper = scanner::Skipper::default();
    let end = match skipper.run(checked, 0, limits.depth as usize).map_err(|e| e.into_error(0))? {
        scanner::Skip::End(end) => end,
        scanner::Skip::More if !rest.is_empty() => return syntax(utf8, scanner::Expected::Utf8),
        scanner::Skip::More if skipper.at_number_end() => text.len(),
        scanner::Skip::More => return syntax(text.len(), scanner::Expected::Value),
    };
    match scanner::skip_space(checked, end) {
        after if after < utf8 => syntax(after, scanner::Expected::Nothing),
        _ if !rest.is_empty() => syntax(utf8, scanner::Expected::Utf8),
        _ => Ok(()),
    }
}
