//! What primitive edits make of one value.

use std::sync::Arc;

use super::convert::{Conversion, Way};
use super::edit::Otherwise;
use super::jq::Filter;
use super::literal::Literal;

/// How names are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// `created_at`
    Snake,
    /// `createdAt`
    Camel,
}

impl Case {
    /// A name written this way.
    #[must_use]
    pub fn write(self, name: &str) -> String {
        String::from_utf8_lossy(&super::apply::written(name.as_bytes(), self)).into_owned()
    }
}

/// How one value becomes another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueEdit {
    /// The first pair whose left side equals the value gives its right side; null passes where no pair has it.
    Map {
        /// JSON texts. A value that is its own counterpart is spelled alike on both sides.
        pairs: Vec<(Vec<u8>, Vec<u8>)>,
        /// For other values.
        otherwise: Otherwise,
    },
    /// To another format of the catalogue; null passes.
    Convert {
        /// Between which formats.
        conversion: Conversion,
        /// Which way.
        way: Way,
        /// For values that the other format cannot express.
        otherwise: Otherwise,
    },
    /// `x` to `[x]`.
    ToArray {
        /// Whether null stays null instead of becoming `[]`.
        keep_null: bool,
    },
    /// `[x]` to `x`; null passes.
    FromArray {
        /// For more than one element.
        many: Many,
        /// For none.
        empty: Empty,
        /// For values that are no array.
        otherwise: Otherwise,
    },
    /// `x` to `{"key": x, ...}`.
    ToMember {
        /// The member's name.
        key: String,
        /// What stands beside it.
        with: Vec<(String, Literal)>,
        /// Whether null stays null.
        keep_null: bool,
    },
    /// `{"key": x, ...}` to `x`; null passes, an object without the member goes.
    FromMember {
        /// The member's name.
        key: String,
        /// For values that are no object.
        otherwise: Otherwise,
    },
    /// `{"a": x}` to `[{"key": "a", "value": x}]`, or to `[{"key": "a", ...x}]` where `value` is `None`; null passes.
    ToEntries {
        /// The member that holds the name.
        key: String,
        /// The member that holds the value.
        value: Option<String>,
        /// For values that are no object.
        otherwise: Otherwise,
    },
    /// The other way.
    FromEntries {
        /// The member that holds the name.
        key: String,
        /// The member that holds the value.
        value: Option<String>,
        /// For values that are no array.
        otherwise: Otherwise,
    },
    /// `[x, y]` to `{"a": x, "b": y}`; null passes.
    ToObject {
        /// Names by position.
        keys: Vec<String>,
        /// Whether elements without a name go, instead of being a failure.
        drop_extra: bool,
        /// For values that are no array.
        otherwise: Otherwise,
    },
    /// The other way.
    ToTuple {
        /// Names by position.
        keys: Vec<String>,
        /// Whether members without a position go, instead of being a failure.
        drop_extra: bool,
        /// For values that are no object.
        otherwise: Otherwise,
    },
    /// Every name inside is written another way.
    Recase {
        /// How it is then.
        to: Case,
        /// Names that stay, with everything in their values.
        except: Vec<String>,
    },
    /// A value may not exceed a bound; values of another type pass.
    Limit {
        /// The bound.
        bound: Bound,
        /// For values above it.
        over: Over,
    },
    /// What a program makes of the value.
    Jq {
        /// The program.
        program: Arc<Filter>,
    },
}

/// What becomes of a value above a bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Over {
    /// It is cut to the bound.
    Cut,
    /// As values without a counterpart.
    Otherwise(Otherwise),
}

/// The most that a value may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// Code points of a string.
    Characters(usize),
    /// A number: JSON text.
    Number(Vec<u8>),
    /// Elements of an array.
    Elements(usize),
}

/// Which element of several an array collapses to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Many {
    /// None: [`super::Code::InformationLost`].
    #[default]
    Fail,
    /// The first.
    First,
    /// The last.
    Last,
}

/// What an empty array collapses to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Empty {
    /// `null`.
    #[default]
    Null,
    /// The member goes.
    Absent,
    /// [`super::Code::EmptyArray`].
    Fail,
}
