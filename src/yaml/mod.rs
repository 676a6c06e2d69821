//! YAML text to a tree that knows where everything stands.
//!
//! YAML 1.2 with the core schema and nothing more: `no`, `on` and `y` are strings, numbers keep their digits,
//! duplicate keys are errors, merge keys do not exist, and there is one document in a file. [`parse()`] makes the
//! tree; [`reader`] takes it apart and reports everything that is wrong with it at once.

mod anchored;
mod comments;
mod json;
mod offsets;
mod parse;
pub mod reader;
mod scalar;
#[cfg(test)]
mod tests;
mod write;

pub use crate::diagnostic::Span;
pub use comments::{Comment, comments};
pub use json::NotJson;
pub use parse::{Limits, parse, parse_partial};
pub use reader::{Fields, Reader};
pub(crate) use write::{is_printable, write_quoted};

/// The codes of diagnostics about syntax and shape.
pub mod code {
    /// Malformed YAML, or YAML that is not accepted here.
    pub const MALFORMED: &str = "YM001";
    /// A key stands twice in one mapping.
    pub const DUPLICATE_KEY: &str = "YM002";
    /// A key that means nothing where it stands.
    pub const UNKNOWN_KEY: &str = "YM003";
    /// A value of another type than the one expected.
    pub const WRONG_TYPE: &str = "YM004";
    /// A key that has to be there is not.
    pub const MISSING_KEY: &str = "YM005";
    /// A value of the right type that is not acceptable.
    pub const BAD_VALUE: &str = "YM006";
    /// Too large, too deep, or too much repeated by aliases.
    pub const LIMIT: &str = "YM007";
}

/// A value and where it stands. A value that an alias stands for has the alias's place; its parts have those at the
/// anchor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The place.
    pub span: Span,
    /// The value.
    pub kind: Kind,
}

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A single value.
    Scalar(Scalar),
    /// A list.
    Sequence(Vec<Node>),
    /// Keys and values in file order. Keys are scalars and differ in their text.
    Mapping(Vec<(Node, Node)>),
}

/// A single value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scalar {
    /// The text without quotes, escapes resolved, lines folded; empty where nothing was written.
    pub text: String,
    /// Whether it was written in quotes or as a block (`|`, `>`), which makes it a string whatever its text.
    pub quoted: bool,
    /// What the core schema makes of it.
    pub value: ScalarKind,
}

/// What the core schema makes of a scalar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScalarKind {
    /// Nothing, `~`, `null`, `Null`, `NULL`.
    Null,
    /// `true`, `True`, `TRUE` and the same of `false`.
    Bool(bool),
    /// Decimal, `0o17` or `0x1f`.
    Integer,
    /// Anything else that is a number, `.inf` and `.nan` among it.
    Float,
    /// All the rest.
    String,
}

impl Scalar {
    /// The scalar that another text in its place would be: a string in quotes, and what the core schema makes of it
    /// without.
    #[must_use]
    pub fn with_text(&self, text: String) -> Self {
        let value = if self.quoted { ScalarKind::String } else { scalar::resolve(&text) };
        Self { text, quoted: self.quoted, value }
    }
}

impl Node {
    /// The text of a string; `None` for everything else, also for numbers.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(Scalar { text, value: ScalarKind::String, .. }) => Some(text),
            _ => None,
        }
    }

    /// The text of any scalar, as it was written.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(scalar) => Some(&scalar.text),
            Kind::Sequence(_) | Kind::Mapping(_) => None,
        }
    }

    /// The value of a boolean.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match &self.kind {
            Kind::Scalar(Scalar { value: ScalarKind::Bool(value), .. }) => Some(*value),
            _ => None,
        }
    }

    /// The value of an integer that is not negative and fits.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        match &self.kind {
            Kind::Scalar(Scalar { text, value: ScalarKind::Integer, .. }) => scalar::unsigned(text),
            _ => None,
        }
    }

    /// Whether it is null, written or left out.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self.kind, Kind::Scalar(Scalar { value: ScalarKind::Null, .. }))
    }

    /// The elements of a list.
    #[must_use]
    pub fn as_sequence(&self) -> Option<&[Node]> {
        match &self.kind {
            Kind::Sequence(elements) => Some(elements),
            Kind::Scalar(_) | Kind::Mapping(_) => None,
        }
    }

    /// The keys and values of a mapping.
    #[must_use]
    pub fn as_mapping(&self) -> Option<&[(Node, Node)]> {
        match &self.kind {
            Kind::Mapping(entries) => Some(entries),
            Kind::Scalar(_) | Kind::Sequence(_) => None,
        }
    }

    /// What to call it in a message: `a string`, `an integer`, `a mapping`.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match &self.kind {
            Kind::Sequence(_) => "a list",
            Kind::Mapping(_) => "a mapping",
            Kind::Scalar(scalar) => match scalar.value {
                ScalarKind::Null => "null",
                ScalarKind::Bool(_) => "a boolean",
                ScalarKind::Integer => "an integer",
                ScalarKind::Float => "a number",
                ScalarKind::String => "a string",
            },
        }
    }
}
