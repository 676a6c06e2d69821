//! The laws of translations, tried on documents like those of the tests, and on those that contracts allow.
//!
//! Let U be the way up and D the way down of a change or chain.
//!
//! - **Weak law**: `D(U(D(U(x)))) = D(U(x))`, and the same from the other side, of every document that translates.
//! - **Round trips**: `D(U(x)) = x` of documents as the older version has them, `U(D(y)) = y` as the newer has them,
//!   but for what the change's `accept_loss` names. They are asked of changes alone.
//! - **Fusion**: the fused program does what its ops do, one after the other.
//! - **Totality**: what comes out is JSON.
//! - **Conformance**: where both versions have a contract, what conforms to one becomes what conforms to the other.
//!
//! Where ops move values between head and body, a document is a whole message: an object with a member for each part of
//! its head, and one for the body.
//!
//! Everything here is pure: a seed decides about every document, and a finding names it.

mod document;
mod finding;
mod kind;
mod random;
mod violation;

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::{Diagnostic, Source};
use crate::version::VersionId;

use super::RuleSet;
use super::check::settle;
use super::test::each_test;

use document::{Document, Seen};
use kind::each_kind;
pub use random::Random;

/// The codes of findings.
pub mod code {
    /// The weak law is broken.
    pub const WEAK: &str = "LW101";
    /// A round trip from the older version is broken.
    pub const ROUND_TRIP_OLD: &str = "LW102";
    /// A round trip from the newer version is broken.
    pub const ROUND_TRIP_NEW: &str = "LW103";
    /// The fused program does something else than its ops.
    pub const FUSION: &str = "LW104";
    /// A translation is no JSON.
    pub const TOTALITY: &str = "LW105";
    pub use crate::rules::diagnostics::CONFORMANCE;
}

/// How many documents, and which.
#[derive(Debug, Clone, Copy)]
pub struct Trial {
    /// Documents for each message of a call or socket.
    pub documents: usize,
    /// The same seed gives the same documents.
    pub seed: u64,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Report {
    /// Documents that were translated.
    pub documents: usize,
    /// Kinds of messages that they were of.
    pub messages: usize,
    /// One for each law that a message breaks.
    pub findings: Vec<Diagnostic>,
}

/// A call's request, or its response with a status, as a version spells it.
#[derive(Debug)]
pub struct Asked<'q> {
    /// The API's name.
    pub api: &'q str,
    /// The version.
    pub version: VersionId,
    /// The method.
    pub method: &'q http::Method,
    /// The path.
    pub path: &'q str,
    /// The status of the response; `None`: the request.
    pub status: Option<u16>,
}

/// What documents of calls may be, where somebody knows: contracts do.
pub trait Documents {
    /// A document that conforms. `None`: nothing is known of such messages.
    fn make(&self, asked: &Asked<'_>, random: &mut Random) -> Option<Vec<u8>>;
    /// What a message may have besides a body, as an object with a member for each of `query`, `header` and `cookie` that
    /// something is known of; every value is text, or a list of texts.
    fn make_head(&self, asked: &Asked<'_>, random: &mut Random) -> Option<Vec<u8>>;
    /// Whether a document conforms, or the pointer (RFC 6901) of the first value that does not. `None`: nothing is
    /// known of such messages.
    fn fits(&self, asked: &Asked<'_>, body: &[u8]) -> Option<Result<(), String>>;
}

/// Knows of no documents but those of the tests.
#[derive(Debug, Clone, Copy)]
pub struct OfTests;

impl Documents for OfTests {
    fn make(&self, _asked: &Asked<'_>, _random: &mut Random) -> Option<Vec<u8>> {
        None
    }

    fn make_head(&self, _asked: &Asked<'_>, _random: &mut Random) -> Option<Vec<u8>> {
        None
    }

    fn fits(&self, _asked: &Asked<'_>, _body: &[u8]) -> Option<Result<(), String>> {
        None
    }
}

/// Tries the laws on every message that has a test, with documents like those of the tests and those that conform.
/// `files` are those that the rules were compiled from: they say which findings the project wants to be told.
#[must_use]
pub fn run(rules: &RuleSet, files: &[Source], trial: Trial, source: &dyn Documents) -> Report {
    let mut known = BTreeMap::new();
    each_test(rules, |plans, test| {
        each_kind(plans, test, |kind| {
            let seen: &mut Known = known.entry(kind.key()).or_default();
            kind.documents.iter().for_each(|(version, body)| seen.add(*version, body));
        });
    });
    let mut report = Report::default();
    let mut done = BTreeSet::new();
    each_test(rules, |plans, test| {
        each_kind(plans, test, |kind| {
            if let Some(seen) = known.get(&kind.key()).filter(|_| done.insert(kind.key())) {
                report.messages += 1;
                kind.try_laws(seen, trial, source, &mut report);
            }
        });
    });
    settle(rules, files, &mut report.findings);
    report
}

/// The documents that tests have of a kind of message.
#[derive(Default)]
struct Known {
    documents: Vec<(VersionId, Document)>,
    seen: BTreeMap<VersionId, Seen>,
}

impl Known {
    fn add(&mut self, version: VersionId, body: &[u8]) {
        let document = Document::new(body);
        self.seen.entry(version).or_default().add(&document);
        if !self.documents.iter().any(|(v, other)| *v == version && *other == document) {
            self.documents.push((version, document));
        }
    }
}
