//! What there is to say of an op, said once: parsing finds it here, the reference in `docs/rules.md` is written from
//! it, its examples run as tests, and the JSON Schemas are made of it.

use crate::yaml::{Node, Reader};

use super::Lens;

/// One op of the rule language.
#[derive(Debug)]
pub struct Definition {
    /// Its key in rule files.
    pub name: &'static str,
    /// What it says of two versions, in a line.
    pub summary: &'static str,
    /// What it does, in Markdown.
    pub does: &'static str,
    /// What it takes.
    pub arguments: Arguments,
    /// The op that leads back.
    pub inverse: &'static str,
    /// What a translation cannot carry.
    pub lost: &'static str,
    /// At least one.
    pub examples: &'static [Example],
    /// Reads its arguments; what is wrong is reported.
    pub(super) parse: fn(&mut Reader, &Node) -> Option<Lens>,
}

/// What stands behind an op's name.
#[derive(Debug)]
pub enum Arguments {
    /// The paths of members, each with its new name.
    Renames,
    /// Parameters, in one of these forms.
    Forms(&'static [&'static [Parameter]]),
}

impl Arguments {
    /// The parameters of all forms.
    pub fn parameters(&self) -> impl Iterator<Item = &'static Parameter> {
        let forms: &'static [&'static [Parameter]] = match self {
            Self::Renames => &[],
            Self::Forms(forms) => forms,
        };
        forms.iter().copied().flatten()
    }
}

/// One parameter of an op.
#[derive(Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its key.
    pub name: &'static str,
    /// Which values it takes.
    pub takes: Takes,
    /// Whether it has to be there.
    pub need: Need,
    /// What it is, in Markdown: a phrase.
    pub about: &'static str,
}

impl Parameter {
    pub(super) const fn required(name: &'static str, takes: Takes, about: &'static str) -> Self {
        Self { name, takes, need: Need::Required, about }
    }

    pub(super) const fn optional(name: &'static str, takes: Takes, about: &'static str) -> Self {
        Self { name, takes, need: Need::Optional, about }
    }

    /// `default` is YAML.
    pub(super) const fn or(name: &'static str, takes: Takes, default: &'static str, about: &'static str) -> Self {
        Self { name, takes, need: Need::Default(default), about }
    }
}

/// Whether a parameter has to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// It has.
    Required,
    /// Without it, this value holds, in YAML.
    Default(&'static str),
    /// Without it, nothing is said.
    Optional,
}

/// Which values a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Any value, as JSON.
    Literal,
    /// Null, written without quotes.
    Null,
    /// `true` or `false`.
    Boolean,
    /// A number.
    Number,
    /// A whole number that is not negative.
    Count,
    /// A whole number, this at most.
    Integer(u64),
    /// Any string.
    String,
    /// A string that is not empty.
    Text,
    /// One of these strings.
    Word(&'static [&'static str]),
    /// A path.
    Path,
    /// A path that ends with a name.
    Member,
    /// The paths of two members.
    TwoMembers,
    /// A list of names.
    Names,
    /// A list of pairs of values, `[old, new]`.
    Pairs,
    /// Names and their values.
    Members,
    /// Conditions, as in `where`.
    Guards,
    /// A list of ops.
    Ops,
    /// A mapping of these.
    Mapping(&'static [Parameter]),
    /// One of these.
    Either(&'static [Takes]),
}

/// A value that is put in the place of another.
pub(super) const VALUE: Takes = Takes::Mapping(&[Parameter::required(
    "value",
    Takes::Literal,
    "this; `$now`, `$version` and `$uuid` are filled in",
)]);

/// What to do with a value that has no translation.
pub(super) const FALLBACK: Takes = Takes::Either(&[Takes::Word(&["fail", "keep", "drop"]), VALUE]);

/// What a missing member is filled with.
pub(super) const SOURCE: Takes = Takes::Either(&[
    VALUE,
    Takes::Mapping(&[Parameter::required("from", Takes::Path, "a copy of another value of the same object")]),
    Takes::Word(&["absent", "fail"]),
]);

/// What the second of two parts is where there is none.
pub(super) const MISSING: Takes = Takes::Either(&[Takes::Word(&["absent"]), VALUE]);

/// The value that an op is about, for ops that are about the whole body unless they say otherwise.
pub(super) const WHOLE_BODY: Parameter = Parameter::or("at", Takes::Path, "\"body:\"", "the value");

/// `else`, for ops that have `else_down` too.
pub(super) const ELSE: Parameter =
    Parameter::or("else", FALLBACK, "fail", "what a value becomes that has no translation; `drop`: its member goes");

/// `else_down`.
pub(super) const ELSE_DOWN: Parameter =
    Parameter::optional("else_down", FALLBACK, "the same going down, where it differs");

/// Lists of ops, and the documents that they lead from and to.
#[derive(Debug)]
pub struct Example {
    /// A list of ops, in YAML.
    pub ops: &'static str,
    /// At least one.
    pub documents: &'static [Documents],
}

/// A document in both versions, as JSON.
#[derive(Debug)]
pub struct Documents {
    /// In the older version.
    pub old: &'static str,
    /// In the newer: what the old one becomes going up.
    pub new: &'static str,
    /// What the new one becomes going down.
    pub back: &'static str,
}

impl Documents {
    /// The new one becomes the old one again.
    pub(super) const fn both(old: &'static str, new: &'static str) -> Self {
        Self { old, new, back: old }
    }

    /// The new one becomes another one than the old.
    pub(super) const fn lossy(old: &'static str, new: &'static str, back: &'static str) -> Self {
        Self { old, new, back }
    }
}
