//! The laws of translations, tried on documents like those of the tests, and on those that contracts allow.
//!
//! Let U be the way up and D the way down of a change or chain.
//!
//! - **Weak law**: `D(U(D(U(x)))) = D(U(x))`, and the same from the other side, of every document that translates.
//! - **Round trips**: `D(U(x)) = x` of documents as the older version has them, `U(D(y)) = y` as the newer has them,
//!   but for what the change's `accept_loss` names. They are asked of changes alone.
//! - **Fusion**: the fused program does what its ops do, one after the other.
//! - **Totality**: what comes out is JSON.
//!
//! Everything here is pure: a seed decides about every document, and a finding names it.

mod document;
mod random;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Span};
use crate::json::{Limits, same, validate};
use crate::version::VersionId;

use super::ast::{Change, HttpMessage, HttpTest, Subject, Test};
use super::path::{Part, Place};
use super::stage::Cause;
use super::test::{Plans, Track, Way, Ways, each_test, pairs};
use super::{Direction, RuleSet};

use document::{Document, Seen, is_within};
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
    /// Whether a document conforms, as far as that is known.
    fn fits(&self, asked: &Asked<'_>, body: &[u8]) -> bool;
}

/// Knows of no documents but those of the tests.
#[derive(Debug, Clone, Copy)]
pub struct OfTests;

impl Documents for OfTests {
    fn make(&self, _asked: &Asked<'_>, _random: &mut Random) -> Option<Vec<u8>> {
        None
    }

    fn fits(&self, _asked: &Asked<'_>, _body: &[u8]) -> bool {
        true
    }
}

/// Tries the laws on every message that has a test, with documents like those of the tests and those that conform.
#[must_use]
pub fn run(rules: &RuleSet, trial: Trial, source: &dyn Documents) -> Report {
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
    report
}

/// A kind of message: one call's request, its response with a status, or a socket's message of one name.
struct Kind<'a> {
    api: String,
    /// The API, and the change if it is tested alone.
    scope: String,
    label: String,
    /// Of a message of a call: how each of the two versions spells it.
    spelled: Vec<(VersionId, Spelled)>,
    older: VersionId,
    newer: VersionId,
    up: Track<'a>,
    down: Track<'a>,
    change: Option<&'a Change>,
    test: &'a Test,
    documents: Vec<(VersionId, &'a [u8])>,
}

/// Method, path and status.
type Spelled = (http::Method, String, Option<u16>);

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

/// Visits the kinds of messages that a test is about.
fn each_kind<'a>(plans: &'a dyn Plans, test: &'a Test, mut visit: impl FnMut(Kind<'a>)) {
    let ways = Ways { plans, test };
    match &test.subject {
        Subject::Http(http) => {
            // What a partial update lacks is no loss, so the laws do not speak of it.
            let request = http.request.as_ref().filter(|_| http.method != http::Method::PATCH);
            for ((older, newer), old, new) in request.map(|m| upwards(pairs(&m.bodies))).unwrap_or_default() {
                if let (Ok(up), Ok(down)) = (ways.request(http, (older, newer)), ways.request(http, (newer, older)))
                    && !(up.is_united || down.is_united)
                {
                    let kind = kind(ways, label(http, "request"), (older, newer), (up, down), (old, new));
                    let spelled = |version| Some((version, spelled(ways, http, None, version)?));
                    visit(Kind { spelled: [older, newer].into_iter().filter_map(spelled).collect(), ..kind });
                }
            }
            let Some(message) = &http.response else { return };
            for ((older, newer), old, new) in upwards(pairs(&message.bodies)) {
                let track = |way| ways.response(http, message, way);
                if let (Ok(up), Ok(down)) = (track((older, newer)), track((newer, older)))
                    && !(up.is_united || down.is_united)
                {
                    let label = label(http, &format!("response {}", http.status));
                    let kind = kind(ways, label, (older, newer), (up, down), (old, new));
                    let spelled = |version| Some((version, spelled(ways, http, Some(message), version)?));
                    visit(Kind { spelled: [older, newer].into_iter().filter_map(spelled).collect(), ..kind });
                }
            }
        }
        // The laws are not tried on events yet.
        Subject::SocketIo(_) => {}
        Subject::Ws(ws) => {
            for ((older, newer), old, new) in upwards(pairs(&ws.messages)) {
                let (Some(old), Some(new)) = (old, new) else { continue };
                let tracks = (ways.message(ws, (older, newer), old), ways.message(ws, (newer, older), new));
                if let (Some((name, up)), Some((_, down))) = tracks {
                    let label = format!("ws {} {} {name}", ws.path, ws.side.name());
                    visit(kind(ways, label, (older, newer), (up, down), (old, new)));
                }
            }
        }
    }
}

/// How a version spells a request, or a response.
fn spelled(ways: Ways<'_>, test: &HttpTest, response: Option<&HttpMessage>, version: VersionId) -> Option<Spelled> {
    let (method, target) = ways.target_in(test, version).ok()?;
    let path = target.split('?').next().unwrap_or_default().to_owned();
    let status = match response {
        Some(message) => Some(ways.status_in(test, message, version).ok()?.as_u16()),
        None => None,
    };
    Some((method, path, status))
}

/// The pairs that lead from an older version to a newer.
fn upwards<T>(pairs: Vec<(Way, T, T)>) -> Vec<(Way, T, T)> {
    pairs.into_iter().filter(|((from, to), ..)| from < to).collect()
}

fn label(test: &HttpTest, part: &str) -> String {
    format!("{} {} {part}", test.method, test.target.split('?').next().unwrap_or_default())
}

fn kind<'a>(
    ways: Ways<'a>,
    label: String,
    (older, newer): Way,
    (up, down): (Track<'a>, Track<'a>),
    (old, new): (&'a Vec<u8>, &'a Vec<u8>),
) -> Kind<'a> {
    let change = ways.plans.change();
    let scope = format!("{} {}", ways.plans.api().name, change.map_or("", |change| &change.id));
    let documents = vec![(older, old.as_slice()), (newer, new.as_slice())];
    let api = ways.plans.api().name.clone();
    Kind { api, scope, label, spelled: Vec::new(), older, newer, up, down, change, test: ways.test, documents }
}

/// From which version the laws are tried.
#[derive(Clone, Copy)]
struct Side<'k> {
    there: &'k Track<'k>,
    back: &'k Track<'k>,
    direction: Direction,
}

impl Kind<'_> {
    fn key(&self) -> (String, String, VersionId, VersionId) {
        (self.scope.clone(), self.label.clone(), self.older, self.newer)
    }

    fn side(&self, direction: Direction) -> Side<'_> {
        match direction {
            Direction::Up => Side { there: &self.up, back: &self.down, direction },
            Direction::Down => Side { there: &self.down, back: &self.up, direction },
        }
    }

    fn try_laws(&self, known: &Known, trial: Trial, source: &dyn Documents, report: &mut Report) {
        let mut broken = BTreeSet::new();
        let mut random = Random::new(trial.seed);
        for number in 0..trial.documents {
            let Some((version, document, conforms)) = self.document(known, number, source, &mut random) else { return };
            let fits =
                |document: &Document| self.asked(version).is_none_or(|asked| source.fits(&asked, &document.to_json()));
            let side = self.side(if version == self.older { Direction::Up } else { Direction::Down });
            report.documents += 1;
            if let Some(violation) = self.violation(side, &document, conforms).filter(|v| !broken.contains(v.code)) {
                broken.insert(violation.code);
                let must_fit = conforms && fits(&document);
                let may_be = |document: &Document| !must_fit || fits(document);
                report.findings.push(self.finding(side, (&document, conforms), &violation, trial.seed, &may_be));
            }
        }
    }

    fn asked(&self, version: VersionId) -> Option<Asked<'_>> {
        let (_, (method, path, status)) = self.spelled.iter().find(|(other, _)| *other == version)?;
        Some(Asked { api: &self.api, version, method, path, status: *status })
    }

    /// The documents of the tests first, then others like them, and every other one mangled.
    fn document(
        &self,
        known: &Known,
        number: usize,
        source: &dyn Documents,
        random: &mut Random,
    ) -> Option<(VersionId, Document, bool)> {
        if let Some((version, document)) = known.documents.get(number) {
            return Some((*version, document.clone(), true));
        }
        let (version, document) = random.pick(&known.documents)?;
        let seen = known.seen.get(version)?;
        let made = self.asked(*version).and_then(|asked| source.make(&asked, random)).filter(|_| random.one_in(2));
        let alike = made.map_or_else(|| seen.alike(document, random), |made| Document::new(&made));
        let conforms = random.one_in(2);
        let document = if conforms { alike } else { alike.mangled(&seen.names(), random) };
        Some((*version, document, conforms))
    }

    /// The first law that a document breaks.
    fn violation(&self, side: Side<'_>, document: &Document, conforms: bool) -> Option<Violation> {
        let x = document.to_json();
        if let Err(both) = side.there.compare_with_parts(&x) {
            return Some(Violation { code: code::FUSION, told: both, places: Vec::new() });
        }
        let there = side.there.run(&x).ok()??;
        if validate(&there, Limits::default()).is_err() {
            return Some(Violation { code: code::TOTALITY, told: told(&[("gives", &there)]), places: Vec::new() });
        }
        let back = side.back.run(&there).ok()??;
        if conforms && let Some(change) = self.change {
            let spelled = |a: &[u8], b: &[u8]| {
                side.there
                    .conversions()
                    .iter()
                    .any(|(how, way)| how.run(*way, a).is_some_and(|read| how.run(*way, b).as_ref() == Some(&read)))
            };
            let places = lost(change, side.direction, &document.differences(&Document::new(&back), &spelled));
            let code = if side.direction == Direction::Up { code::ROUND_TRIP_OLD } else { code::ROUND_TRIP_NEW };
            if !places.is_empty() {
                return Some(Violation { code, told: told(&[("there", &there), ("and back", &back)]), places });
            }
        }
        let again = side.there.run(&back).ok()??;
        let settled = side.back.run(&again).ok()??;
        let documents: [(&str, &[u8]); 4] =
            [("there", &there), ("and back", &back), ("there again", &again), ("and back again", &settled)];
        (!same(&settled, &back)).then(|| Violation { code: code::WEAK, told: told(&documents), places: Vec::new() })
    }

    /// `may_be`: whether a smaller document is one to look at.
    fn finding(
        &self,
        side: Side<'_>,
        (document, conforms): (&Document, bool),
        first: &Violation,
        seed: u64,
        may_be: &dyn Fn(&Document) -> bool,
    ) -> Diagnostic {
        // A smaller document must lose the same, and have what it loses where this one has it.
        let same_law = |smaller: &Document| {
            if !may_be(smaller) {
                return None;
            }
            let violation = self.violation(side, smaller, conforms).filter(|v| v.code == first.code)?;
            let alike = |place: &Vec<String>| first.places.contains(place) && smaller.has(place) == document.has(place);
            violation.places.iter().all(alike).then_some(violation)
        };
        let mut smallest = (document.clone(), first.clone());
        let mut tries = 0;
        while let Some(found) = smallest.0.simpler().into_iter().take(MOST_TRIES).find_map(|simpler| {
            tries += 1;
            same_law(&simpler).map(|violation| (simpler, violation))
        }) {
            smallest = found;
            if tries > MOST_TRIES {
                break;
            }
        }
        let (document, violation) = smallest;
        let (file, span) = self.blame(side, &document);
        let message = format!("{}: {}", words(violation.code), self.label);
        let mut help = format!("of {}\n{}", String::from_utf8_lossy(&document.to_json()), violation.told);
        if !violation.places.is_empty() {
            let way = if side.direction == Direction::Up { "up" } else { "down" };
            let places: Vec<String> = violation.places.iter().map(|place| format!("/{}", place.join("/"))).collect();
            let places = places.join(", ");
            let _ = write!(help, "\nlost: {places}; if it may be, write `accept_loss: {{{way}: [{places}]}}`");
        }
        if let Some(change) = self.change {
            let _ = write!(help, "\nchange {}", change.id);
        }
        let _ = write!(help, "\nseed {seed}");
        let mut diagnostic = Diagnostic::error(violation.code, &file, span, message);
        diagnostic.help(help);
        diagnostic
    }

    /// The op that breaks the law by itself; the change, or the test, where it takes several.
    fn blame(&self, side: Side<'_>, document: &Document) -> (Arc<str>, Span) {
        let mut body = document.to_json();
        for stage in &side.there.stages {
            let Cause::Op { change, op, .. } = stage.cause else { continue };
            let inverse = side
                .back
                .stages
                .iter()
                .find(|other| matches!(other.cause, Cause::Op { op: same, .. } if std::ptr::eq(op, same)));
            let run = |stage: &super::stage::Stage<'_>, body: &[u8]| {
                let track = Track {
                    program: stage.program(),
                    stages: Vec::new(),
                    values: side.there.values.clone(),
                    is_united: false,
                };
                track.run(body).ok().flatten()
            };
            let Some(after) = run(stage, &body) else { break };
            let back = inverse.and_then(|inverse| run(inverse, &after));
            if back.is_some_and(|back| !same(&back, &body)) {
                return (Arc::clone(&change.file), op.span);
            }
            body = after;
        }
        self.change.map_or_else(
            || (Arc::clone(&self.test.file), self.test.span),
            |change| (Arc::clone(&change.file), change.span),
        )
    }
}

/// More than this would take long and help nobody.
const MOST_TRIES: usize = 500;

/// A broken law.
#[derive(Debug, Clone)]
struct Violation {
    code: &'static str,
    /// The documents on the way.
    told: String,
    /// What was lost without leave.
    places: Vec<Vec<String>>,
}

fn told(documents: &[(&str, &[u8])]) -> String {
    let lines = documents.iter().map(|(what, json)| format!("{what}: {}", String::from_utf8_lossy(json)));
    lines.collect::<Vec<_>>().join("\n")
}

fn words(code: &str) -> &'static str {
    match code {
        code::ROUND_TRIP_OLD => "up and down again, the older version's document is another",
        code::ROUND_TRIP_NEW => "down and up again, the newer version's document is another",
        code::FUSION => "the fused program and its ops disagree",
        code::TOTALITY => "the translation is no JSON",
        _ => "there and back a second time, the document changes again",
    }
}

/// The differences that a change does not accept.
fn lost(change: &Change, direction: Direction, differences: &[Vec<String>]) -> Vec<Vec<String>> {
    let accepted = match direction {
        Direction::Up => &change.accept_loss.0,
        Direction::Down => &change.accept_loss.1,
    };
    let paths: Vec<_> = accepted
        .iter()
        .filter_map(|text| Place::parse(text).ok())
        .filter(|place| place.part() == Part::Body)
        .map(|place| place.tokens)
        .collect();
    let mut open: Vec<Vec<String>> =
        differences.iter().filter(|place| !paths.iter().any(|path| is_within(place, path))).cloned().collect();
    open.sort();
    open.dedup();
    open
}
