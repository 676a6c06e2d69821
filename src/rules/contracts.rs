//! What checks ask of the contracts beside an API's rules. `openapi` knows contracts, and answers.

use std::collections::BTreeMap;

use crate::diagnostic::{Diagnostic, Source};
use crate::route::Template;
use crate::version::VersionId;

use super::ast::Change;
use super::lens::Op;
use super::{Api, Direction};

/// Reads an API's contracts. The files come with their names inside the API's folder.
pub type Read = for<'a> fn(&'a Api, &[(&str, &Source)]) -> Known<'a>;

/// What is known from the contracts of an API.
#[derive(Debug, Default)]
pub struct Known<'a> {
    /// What is wrong with them, and how they differ beyond what the changes say.
    pub diagnostics: Vec<Diagnostic>,
    /// The calls of every version that has a contract of its own.
    pub calls: BTreeMap<VersionId, Vec<Template>>,
    /// Ops that cannot translate what required members may be.
    pub unmet: Vec<Unmet<'a>>,
    /// Ops that fill required members of responses with values of their own.
    pub invented: Vec<Invented<'a>>,
}

/// An op that cannot translate every value that a required member may have.
#[derive(Debug)]
pub struct Unmet<'a> {
    /// The op, and the change it stands in.
    pub op: (&'a Change, &'a Op),
    /// Which way it runs.
    pub direction: Direction,
    /// What it cannot translate.
    pub lacking: Lacking,
    /// Of which message, such as ``responses to `GET /users` with 200``.
    pub message: String,
}

/// What an op cannot translate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lacking {
    /// These values, which are JSON texts.
    Values(Vec<String>),
    /// All but some of the values of a type.
    Most(String),
    /// Values of another type than the one it expects.
    Kind {
        /// What it expects.
        expected: String,
        /// What there may be.
        found: String,
    },
    /// Arrays of more than one element.
    Several,
}

/// An op that fills a required member of a response with a value of its own.
#[derive(Debug)]
pub struct Invented<'a> {
    /// The op, and the change it stands in.
    pub op: (&'a Change, &'a Op),
    /// The value: a JSON text.
    pub value: String,
    /// Of which message.
    pub message: String,
}
