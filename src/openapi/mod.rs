//! Contracts: OpenAPI documents of an API's versions, read, derived and compared.
//!
//! A version's contract may stand beside its rules as `openapi/<version>.yaml`, `.yml` or `.json`. From one version's
//! document and what the changes of the next say, [`derive()`] makes the next version's: every edit runs on schemas
//! instead of values. [`Contracts`] does so for every version that has a document of its own, and [`compare()`] says
//! what differs in a way that breaks clients and that no change explains. [`compile`] checks rules against all that
//! their contracts say. [`conforms`] and [`Generator`] hold values
//! against schemas and make values that fit them.
//!
//! `schema` asks small questions of one schema, `components` goes along references, `members` and `values` are the
//! edits, `head` makes an object of parameters and headers so that the same edits run on them.

mod compare;
mod compare_schemas;
mod components;
mod conform;
mod derive;
mod document;
mod documents;
mod edit;
mod generate;
mod head;
mod look;
mod members;
mod print;
mod replay;
mod required;
mod schema;
mod values;
mod watch;

pub use compare::{Finding, Level, compare};
pub use conform::conforms;
pub use derive::derive;
pub use document::{Call, Document, Part};
pub use documents::Conforming;
pub use generate::Generator;
pub use look::compile;
pub use print::to_yaml;
pub use replay::Contracts;
pub use required::required;
pub use schema::Dialect;

/// The codes of diagnostics about contracts.
pub mod code {
    /// A file that is no OpenAPI document.
    pub const DOCUMENT: &str = "OA001";
    /// A reference that leads nowhere.
    pub const REFERENCE: &str = "OA002";
    /// A document of a version that `api.yaml` does not name, or a second one of a version.
    pub const VERSION: &str = "OA003";
    pub use crate::rules::diagnostics::UNEXPLAINED;
}
