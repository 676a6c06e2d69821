//! Drafting a change from samples of two versions, or from their contracts.
//!
//! Aligned pairs of documents become columns of values (`columns`), one for each place. Columns of the old version
//! are matched with columns of the new by what relates their values (`relation`) and by their names (`names`),
//! within each body and each list (`scope`). Matches become ops in an order that works (`emit`). Hypotheses about
//! the whole body are tried beside each other (`body`); every draft is run over the pairs it came from
//! (`verify`), and the cheapest that explains the most wins. `change` writes it as a change file.
//!
//! A draft is a proposal: it says how sure it is of each op, and asks where samples do not tell.

mod body;
mod change;
mod columns;
mod contract;
mod emit;
mod fill;
mod names;
mod op;
mod relation;
mod schema;
mod scope;
mod split;
mod verify;

use std::collections::BTreeSet;

use crate::json::edit::Path;
use crate::json::{Error, Limits, validate};

pub use body::Drafted;
pub use change::{Call, Draft, Header, Part};
pub use contract::{draft_contracts, unpaired_calls};

/// Deeper samples are refused: drafting walks them by recursion.
const DEEPEST: u32 = 64;

/// The same message in both versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// As the older version has it.
    pub old: Vec<u8>,
    /// As the newer version has it.
    pub new: Vec<u8>,
}

/// What holds for all scopes of a draft.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// Places whose values differ when the same question is asked twice.
    pub volatile: BTreeSet<String>,
    /// The label of the newer version.
    pub newer: String,
    /// The label of the older version.
    pub older: String,
}

/// Checks that a sample is JSON that can be drafted from.
///
/// # Errors
/// Where it is malformed or too deep.
pub fn check(sample: &[u8]) -> Result<(), Error> {
    validate(sample, Limits { depth: DEEPEST, ..Limits::default() })
}

/// A sample without the white space around it, which the code here relies on.
#[must_use]
pub fn trimmed(sample: &[u8]) -> Vec<u8> {
    sample.trim_ascii().to_vec()
}

/// The places at which two answers to the same question differ: what is there cannot be compared between versions.
#[must_use]
pub fn volatile(first: &[u8], second: &[u8]) -> BTreeSet<String> {
    let mut places = BTreeSet::new();
    verify::compare(first, second, &mut Path::new(), &mut |place| {
        places.insert(op::pointer(place));
    });
    places
}

/// Drafts the ops of one message from at least one pair of documents that [`check`] has passed.
#[must_use]
pub fn draft(pairs: &[Pair], context: &Context) -> Drafted {
    body::draft(pairs, context)
}
