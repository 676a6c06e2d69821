//! Rule files to plans.
//!
//! YAML text becomes an API's [`ast`] or diagnostics; `order` puts its changes in order, and `shapes` follows what
//! they say of shapes to calls and messages. For a pair of client and backend version `chain` makes a [`Pair`]: for
//! each call the edits of every change on the way, fused to one program per message. [`Call`], [`Socket`] and
//! [`Namespace`] are what the data plane uses. For whoever writes rules, [`mod@test`] runs the tests in rule files,
//! [`laws`] tries what must hold of every translation, [`explain`] tells plans in words, [`layout`] and [`skeleton`]
//! write files. Nothing here does I/O.

pub mod ast;
mod by_path;
mod chain;
mod check;
pub mod contracts;
mod cookie;
pub mod diagnostics;
mod document;
mod edits;
mod event_test;
pub mod explain;
mod head;
mod json_patch;
pub mod laws;
pub mod layout;
pub mod lens;
mod messages;
mod named;
mod ops;
mod order;
mod parse;
mod path;
mod plan;
mod problem;
mod query;
mod reach;
pub mod schema;
mod shapes;
pub mod skeleton;
mod socket;
mod socketio;
mod stage;
mod status;
mod step;
mod steps;
mod target;
pub mod test;
mod threads;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use crate::diagnostic::{Diagnostic, Severity, Source};
use crate::route::Template;
use crate::version::{Resolver, VersionId, Versions};

pub use ast::{AfterSunset, Lifetime, OnError, OnErrorPolicy, OnFrame, OnMalformed};
pub use check::lock;
pub use edits::{CallEdits, OpEdits};
pub use lens::Mode;
pub use named::Named;
pub use ops::Ops;
pub use path::{Location, Part, Place};
pub use plan::{Absent, Call, MessagePlan, Pair, Whole};
pub use problem::{Part as ProblemPart, ProblemShape};
pub use socket::{Outcome, Reply, Side, Socket};
pub use socketio::{Namespace, Translated};
pub use status::StatusRange;
pub use target::Target;

/// Which way through a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the older version to the newer.
    Up,
    /// From the newer to the older.
    Down,
}

impl Direction {
    /// As in rule files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }

    /// The other direction.
    #[must_use]
    pub fn turned(self) -> Self {
        match self {
            Self::Up => Self::Down,
            Self::Down => Self::Up,
        }
    }

    /// The direction between two versions; `None` if they are the same.
    #[must_use]
    pub fn between(from: VersionId, to: VersionId) -> Option<Self> {
        match from.cmp(&to) {
            std::cmp::Ordering::Less => Some(Self::Up),
            std::cmp::Ordering::Equal => None,
            std::cmp::Ordering::Greater => Some(Self::Down),
        }
    }
}

/// All rules of a proxy, compiled: one immutable whole.
#[derive(Debug, Default)]
pub struct RuleSet {
    /// By name.
    pub apis: BTreeMap<String, Arc<Api>>,
    /// A hash of the rule files but for clients' pins: 16 hexadecimal digits.
    pub hash: String,
}

/// One API's rules.
#[derive(Debug)]
pub struct Api {
    /// `api:` in `api.yaml`.
    pub name: String,
    /// Oldest first.
    pub versions: Versions,
    /// How a client's version is found.
    pub resolver: Resolver,
    /// What happens to messages that cannot be translated.
    pub on_error: OnErrorPolicy,
    /// What happens to clients of a version whose sunset has passed.
    pub after_sunset: AfterSunset,
    /// How errors made by Legato look to clients of a version.
    pub problems: BTreeMap<VersionId, ProblemShape>,
    /// How a plain-JSON PATCH body is read.
    patch: ast::PatchMode,
    /// What checks are told.
    checks: ast::Checks,
    /// How each version writes several values of one name in a query.
    query_arrays: Vec<ast::QueryArrays>,
    /// Where each named shape occurs in the oldest version.
    shapes: Vec<ast::Shape>,
    /// In the order in which they apply.
    changes: Vec<ast::Change>,
    /// Whole-chain tests.
    tests: Vec<ast::Test>,
    pairs: Vec<OnceLock<Box<Pair>>>,
}

impl Api {
    /// The plans for a client of one version before a backend of another: compiled on first use, and by
    /// [`Api::prepare`] before traffic.
    #[must_use]
    pub fn pair(&self, client: VersionId, backend: VersionId) -> &Pair {
        let count = self.versions.0.len();
        let at = usize::from(client.0).min(count - 1) * count + usize::from(backend.0).min(count - 1);
        self.pairs[at].get_or_init(|| Box::new(chain::pair(self, client, backend)))
    }

    /// A call as a backend of one version has it, as clients of another ask for it.
    #[must_use]
    pub fn spelled(&self, call: &Template, backend: VersionId, client: VersionId) -> Template {
        chain::spelled(self, call, backend, client)
    }

    /// Every change in the order in which they apply: its name, the version that has it, and what it says of itself.
    pub fn changes(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        let since = |change: &ast::Change| &*self.versions.get(change.since).label;
        self.changes.iter().map(move |change| (&*change.id, since(change), change.summary.as_str()))
    }

    /// Compiles the plans of every client version before a backend that speaks `backend`.
    pub fn prepare(&self, backend: VersionId) {
        for client in 0..self.versions.0.len() {
            let _compiled = self.pair(VersionId(u16::try_from(client).unwrap_or(u16::MAX)), backend);
        }
    }
}

/// What came of compiling rule files.
#[derive(Debug)]
pub struct Compiled {
    /// `None` if there were errors.
    pub rules: Option<RuleSet>,
    /// Errors, warnings and hints, in the order of the files.
    pub diagnostics: Vec<Diagnostic>,
}

/// Compiles rule files. Their names are relative to the rules directory and use `/`: `chat/api.yaml`,
/// `chat/changes/2/20250110_slug.yaml`, `chat/tests/chain.yaml`. Other files are ignored.
#[must_use]
pub fn compile(files: &[Source]) -> Compiled {
    compile_with(files, None)
}

/// Compiles rule files as [`compile`] does, and checks them against the contracts that stand beside them.
#[must_use]
pub fn compile_with(files: &[Source], contracts: Option<contracts::Read>) -> Compiled {
    let mut diagnostics = Vec::new();
    let mut apis = BTreeMap::new();
    let mut pins = Vec::new();
    for (folder, files) in by_api(files) {
        let mut found = Vec::new();
        if let Some(api) = parse::api(folder, &files, &mut found) {
            pins.extend(api.pins.iter().map(|pins| format!("{folder}/{}", pins.name)));
            let mut api = order::order(api, &mut found);
            shapes::expand(&mut api, &mut found);
            check::check(&api, &files, contracts, &mut found);
            apis.insert(api.name.clone(), Arc::new(api));
        }
        diagnostics.append(&mut found);
    }
    diagnostics.iter_mut().for_each(diagnostics::clip);
    let failed = diagnostics.iter().any(|d| d.severity == Severity::Error);
    let rules = (!failed).then(|| RuleSet { apis, hash: hash(files.iter().filter(|file| !pins.contains(&file.file))) });
    Compiled { rules, diagnostics }
}

/// Files by the folder of their API, each with its name inside that folder.
fn by_api(files: &[Source]) -> BTreeMap<&str, Vec<(&str, &Source)>> {
    let mut apis: BTreeMap<&str, Vec<(&str, &Source)>> = BTreeMap::new();
    for source in files {
        if let Some((folder, rest)) = source.file.split_once('/') {
            apis.entry(folder).or_default().push((rest, source));
        }
    }
    apis
}

/// A hash of the files' names and texts (xxh3). Clients see it in validators, so that files with their identities are
/// left out.
fn hash<'f>(files: impl Iterator<Item = &'f Source>) -> String {
    let mut hasher = xxhash_rust::xxh3::Xxh3::new();
    for source in files {
        for text in [&source.file, &source.text] {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        }
    }
    format!("{:016x}", hasher.digest())
}
