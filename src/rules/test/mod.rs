//! Runs the tests that stand in rule files.
//!
//! Every body goes through the fused program, through its ops one after the other, and through its changes one after
//! the other; all three must agree. What the ops did on the way is the [`coverage`].

pub mod coverage;
mod sent;
mod track;
pub mod update;
mod ways;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::diagnostic::Diagnostic;
use crate::json::{Items, Kind, Limits, is_uuid, same, unescape};
use crate::version::VersionId;

use super::ast::{ArgumentList, Change, HttpMessage, HttpTest, SocketIoTest, Subject, Test, WsTest};
use super::chain;
use super::event_test::EventTest;
use super::plan::Pair;
use super::step::Step;
use super::steps::Steps;
use super::{Api, Direction, Outcome, RuleSet, Side};

use coverage::Coverage;
pub(super) use track::Track;
use update::Update;
pub(super) use ways::{Way, Ways};

/// `$now` in tests.
pub const NOW: &str = "2026-03-01T00:00:00Z";

/// The code of a failed test.
pub const FAILED: &str = "TS001";

/// What came of running tests.
#[derive(Debug, Default)]
pub struct Report {
    /// Translations that were compared.
    pub passed: usize,
    /// One diagnostic for each that came out differently.
    pub failures: Vec<Diagnostic>,
    /// For each failure that a new expected document would mend: which, and what it would be.
    pub updates: Vec<Update>,
    /// What the tests made the ops do.
    pub coverage: Coverage,
}

/// Runs every test of a rule set: inline tests on their change alone, chain tests between all their versions.
#[must_use]
pub fn run(rules: &RuleSet) -> Report {
    let mut report = Report { coverage: Coverage::of(rules), ..Report::default() };
    each_test(rules, |plans, test| run_test(plans, test, &mut report));
    report
}

/// Every test of a rule set with what it runs against.
pub(super) fn each_test(rules: &RuleSet, mut visit: impl FnMut(&dyn Plans, &Test)) {
    for api in rules.apis.values() {
        for change in &api.changes {
            let (older, newer) = (VersionId(change.since.0 - 1), change.since);
            let compile = |direction| {
                let versions = if direction == Direction::Up { (older, newer) } else { (newer, older) };
                chain::compile(api, &Steps::new(vec![Step { change, direction }]), versions)
            };
            let alone = Alone { api, change, up: compile(Direction::Up), down: compile(Direction::Down) };
            change.tests.iter().for_each(|test| visit(&alone, test));
        }
        api.tests.iter().for_each(|test| visit(&Whole(api), test));
    }
}

/// What tests run against: the plans between two versions.
pub(super) trait Plans {
    fn api(&self) -> &Api;
    /// The change that is tested alone.
    fn change(&self) -> Option<&Change>;
    fn pair(&self, client: VersionId, backend: VersionId) -> &Pair;
    fn steps(&self, client: VersionId, backend: VersionId) -> Steps<'_>;
    /// The version in whose words a test names its call, its status and its headers.
    fn oldest(&self) -> VersionId;
    /// The last version there is: the one of `new_target`, `new_status` and `new_header`.
    fn newest(&self) -> VersionId;

    fn label(&self, version: VersionId) -> &Arc<str> {
        &self.api().versions.get(version).label
    }
}

struct Alone<'a> {
    api: &'a Api,
    change: &'a Change,
    up: Pair,
    down: Pair,
}

impl Plans for Alone<'_> {
    fn pair(&self, client: VersionId, backend: VersionId) -> &Pair {
        if client < backend { &self.up } else { &self.down }
    }

    fn api(&self) -> &Api {
        self.api
    }

    fn change(&self) -> Option<&Change> {
        Some(self.change)
    }

    fn steps(&self, client: VersionId, backend: VersionId) -> Steps<'_> {
        let direction = Direction::between(client, backend);
        Steps::new(direction.map(|direction| Step { change: self.change, direction }).into_iter().collect())
    }

    fn oldest(&self) -> VersionId {
        VersionId(self.change.since.0 - 1)
    }

    fn newest(&self) -> VersionId {
        self.change.since
    }
}

struct Whole<'a>(&'a Api);

impl Plans for Whole<'_> {
    fn pair(&self, client: VersionId, backend: VersionId) -> &Pair {
        self.0.pair(client, backend)
    }

    fn api(&self) -> &Api {
        self.0
    }

    fn change(&self) -> Option<&Change> {
        None
    }

    fn steps(&self, client: VersionId, backend: VersionId) -> Steps<'_> {
        chain::steps(self.0, client, backend)
    }

    fn oldest(&self) -> VersionId {
        VersionId(0)
    }

    fn newest(&self) -> VersionId {
        self.0.versions.latest()
    }
}

fn run_test(plans: &dyn Plans, test: &Test, report: &mut Report) {
    let mut runner = Runner { ways: Ways { plans, test }, coverage: &mut report.coverage };
    let outcomes = match &test.subject {
        Subject::Http(http) => runner.http(http),
        Subject::Ws(ws) => runner.ws(ws),
        Subject::SocketIo(event) => runner.socketio(event),
    };
    if outcomes.is_empty() {
        let message = "the test compares nothing: give the message of at least two versions, or `new_target`";
        report.failures.push(failure(test, "", message.to_owned()));
        return;
    }
    for (what, outcome) in outcomes {
        match outcome {
            Ok(()) => report.passed += 1,
            Err(failed) => {
                report.failures.push(failure(test, &what, failed.message));
                report.updates.extend(failed.update);
            }
        }
    }
}

fn failure(test: &Test, what: &str, message: String) -> Diagnostic {
    let what = if what.is_empty() { String::new() } else { format!(" ({what})") };
    let mut diagnostic = Diagnostic::error(FAILED, &test.file, test.span, format!("test failed: {}{what}", test.name));
    diagnostic.help(message);
    diagnostic
}

/// Why a comparison failed.
struct Failed {
    message: String,
    update: Option<Update>,
}

impl From<String> for Failed {
    fn from(message: String) -> Self {
        Self { message, update: None }
    }
}

/// What was compared, and how it differed.
type Outcomes = Vec<(String, Result<(), Failed>)>;

struct Runner<'a> {
    ways: Ways<'a>,
    coverage: &'a mut Coverage,
}

impl Runner<'_> {
    fn what(&self, part: &str, (from, to): Way) -> String {
        format!("{part} from {} to {}", self.ways.plans.label(from), self.ways.plans.label(to))
    }

    fn http(&mut self, test: &HttpTest) -> Outcomes {
        let mut outcomes = Vec::new();
        if let Some(status) = test.answers {
            let (older, newer) = (self.ways.plans.oldest(), self.ways.plans.newest());
            for way in [(older, newer), (newer, older)].into_iter().filter(|way| self.ways.wanted(*way)) {
                outcomes.push((self.what("request", way), self.answer(test, way, status)));
            }
        }
        if let Some(message) = &test.request {
            outcomes.extend(self.target(test, message));
            for (way, body, want) in self.pairs(&message.bodies) {
                outcomes.push((self.what("request", way), self.request(test, message, way, (body, want))));
            }
        }
        if let Some(message) = &test.response {
            for (way, body, want) in self.pairs(&message.bodies) {
                outcomes.push((self.what("response", way), self.response(test, message, way, (body, want))));
            }
        }
        outcomes
    }

    /// Whether a call that one of the versions lacks is answered with this status.
    fn answer(&self, test: &HttpTest, (from, to): Way, want: u16) -> Result<(), Failed> {
        match self.ways.plans.pair(from, to).find(&test.method, ways::path(&test.target)).absent() {
            Some(absent) if absent.status == want => Ok(()),
            Some(absent) => Err(format!("expected the status {want}, found {}", absent.status).into()),
            None => Err(format!("expected an answer of {want}, and both versions have the call").into()),
        }
    }

    /// Every ordered pair of versions that is tested.
    fn pairs<'m, T>(&self, messages: &'m [(VersionId, T)]) -> Vec<(Way, &'m T, &'m T)> {
        pairs(messages).into_iter().filter(|(way, ..)| self.ways.wanted(*way)).collect()
    }

    fn target(&mut self, test: &HttpTest, message: &HttpMessage) -> Option<(String, Result<(), Failed>)> {
        let want = message.new_target.as_ref()?;
        let outcome = self.ways.target_in(test, self.ways.newest(message)).and_then(|(method, target)| {
            let found = format!("{method} {target}");
            if found == *want { Ok(()) } else { Err(format!("expected the target `{want}`, found `{found}`")) }
        });
        let way = (self.ways.plans.oldest(), self.ways.newest(message));
        match self.ways.request(test, way) {
            Ok(track) if !track.is_of_messages() => {
                self.coverage.head(&track, &test.target, &message.header, None);
            }
            Ok(track) if message.bodies.is_empty() => {
                if let Ok(sent) = self.ways.whole_request(test, message, way, None) {
                    self.coverage.message(&track, &sent);
                }
            }
            Ok(_) | Err(_) => {}
        }
        Some(("target".to_owned(), outcome.map_err(Failed::from)))
    }

    fn request(
        &mut self,
        test: &HttpTest,
        message: &HttpMessage,
        way: Way,
        documents: Documents<'_>,
    ) -> Result<(), Failed> {
        let (from, to) = way;
        let (before, after) = (self.ways.headers(message, from), self.ways.headers(message, to));
        let mut found = header_map(before)?;
        let values = self.ways.values(to);
        let (target, whole) = self.ways.with_call(test, way, |call, method, target| {
            let whole = call.whole_request(method, target, &mut found, Some(documents.0), &values, Limits::default());
            Ok((target.to_owned(), whole.map_err(|e| e.to_string())?))
        })?;
        let track = self.ways.request(test, way)?;
        let sent = if track.is_of_messages() {
            self.ways.whole_request(test, message, way, Some(documents.0))?
        } else {
            self.coverage.head(&track, &target, before, None);
            documents.0.to_vec()
        };
        compare_headers(&found, after)?;
        self.body(&track, ("request", way), (&sent, documents.1), &whole.body.unwrap_or_default())
    }

    fn response(
        &mut self,
        test: &HttpTest,
        message: &HttpMessage,
        way: Way,
        documents: Documents<'_>,
    ) -> Result<(), Failed> {
        let (from, to) = way;
        let (status, want_status) =
            (self.ways.status_in(test, message, from)?, self.ways.status_in(test, message, to)?);
        let (before, after) = (self.ways.headers(message, from), self.ways.headers(message, to));
        let mut found = header_map(before)?;
        let values = self.ways.values(to);
        let whole = self.ways.with_call(test, (to, from), |call, _, _| {
            let plan = call.response(status);
            let whole = plan.whole_response(status, &mut found, Some(documents.0), &values, Limits::default());
            whole.map_err(|e| e.to_string())
        })?;
        let track = self.ways.response(test, message, way)?;
        let sent = if track.is_of_messages() {
            self.ways.whole_response(test, message, from, documents.0)?
        } else {
            self.coverage.head(&track, "/", before, Some(status));
            documents.0.to_vec()
        };
        if whole.head != want_status {
            return Err(format!("expected the status {}, found {}", want_status.as_u16(), whole.head.as_u16()).into());
        }
        compare_headers(&found, after)?;
        self.body(&track, ("response", way), (&sent, documents.1), &whole.body.unwrap_or_default())
    }

    /// `sent`: what goes the way of the track; `found`: the body that it came to, and `want` the one it is to come to.
    fn body(
        &mut self,
        track: &Track<'_>,
        (part, way): (&'static str, Way),
        (sent, want): Documents<'_>,
        found: &[u8],
    ) -> Result<(), Failed> {
        if track.is_of_messages() {
            self.coverage.message(track, sent);
        } else {
            self.coverage.body(track, sent);
        }
        self.compare(found, want, part, way)?;
        track.compare_with_parts(sent).map_err(Failed::from)
    }

    /// Compares a translation with what the test expects, and says how the test would be right.
    fn compare(&self, found: &[u8], want: &[u8], part: &'static str, (from, to): Way) -> Result<(), Failed> {
        if fits(found, want) {
            return Ok(());
        }
        let message =
            format!("expected {}\n   found {}", String::from_utf8_lossy(want), String::from_utf8_lossy(found));
        let test = self.ways.test;
        // Where both ways are tested, the older document says what the newer one is.
        let mends = test.only.is_some() || Direction::between(from, to) == Some(Direction::Up);
        let key = match self.ways.plans.change() {
            Some(_) if to < from => "old".to_owned(),
            Some(_) => "new".to_owned(),
            None => self.ways.plans.label(to).to_string(),
        };
        let update = mends.then(|| Update {
            file: Arc::clone(&test.file),
            test: test.span,
            part,
            version: key,
            found: found.to_vec(),
        });
        Err(Failed { message, update })
    }

    fn ws(&mut self, test: &WsTest) -> Outcomes {
        let mut outcomes = Vec::new();
        for (way, message, want) in self.pairs(&test.messages) {
            if let Some(message) = message {
                outcomes.push((self.what("message", way), self.message(test, way, message, want.as_deref())));
            }
        }
        outcomes
    }

    fn message(&mut self, test: &WsTest, way: Way, message: &[u8], want: Option<&[u8]>) -> Result<(), Failed> {
        let (from, to) = way;
        let pair = match test.side {
            Side::Client => self.ways.plans.pair(from, to),
            Side::Server => self.ways.plans.pair(to, from),
        };
        let outcome = match pair.socket(&test.path) {
            Some(socket) => socket
                .translate(test.side, &Bytes::copy_from_slice(message), &self.ways.values(to), Limits::default())
                .1
                .map_err(|e| e.to_string())?,
            None => Outcome::Pass,
        };
        let track = self.ways.message(test, way, message).map(|(_, track)| track);
        if let Some(track) = &track {
            self.coverage.body(track, message);
        }
        match (outcome, want) {
            (Outcome::Dropped(_), None) => Ok(()),
            (Outcome::Dropped(_), Some(_)) => Err("expected a message, and it was dropped".to_owned().into()),
            (_, None) => Err("expected the message to be dropped, and it was not".to_owned().into()),
            (Outcome::Pass, Some(want)) => self.compare(message, want, test.side.name(), way),
            (translated @ (Outcome::Translated(..) | Outcome::Pieces(..)), Some(want)) => {
                let found = translated.into_text().unwrap_or_default();
                self.compare(&found, want, test.side.name(), way)?;
                track.map_or(Ok(()), |track| track.compare_with_parts(message).map_err(Failed::from))
            }
        }
    }
}

impl Runner<'_> {
    fn socketio(&mut self, test: &SocketIoTest) -> Outcomes {
        let what = match test.list {
            ArgumentList::Event => "event",
            ArgumentList::Ack => "acknowledgement",
        };
        let mut outcomes = Vec::new();
        for (way, message, want) in self.pairs(&test.messages) {
            if let Some(message) = message {
                outcomes.push((self.what(what, way), self.event(test, way, message, want.as_deref())));
            }
        }
        outcomes
    }

    fn event(&mut self, test: &SocketIoTest, way: Way, message: &[u8], want: Option<&[u8]>) -> Result<(), Failed> {
        let track = self.ways.event(test, way);
        if let Some(track) = &track {
            self.coverage.body(track, message);
        }
        let (oldest, pair) = (self.ways.plans.oldest(), &|client, backend| self.ways.plans.pair(client, backend));
        let event = EventTest { test, oldest, pair };
        match (event.translate(way, message, &self.ways.values(way.1))?, want) {
            (None, None) => Ok(()),
            (None, Some(_)) => Err("expected an event, and it was dropped".to_owned().into()),
            (Some(_), None) => Err("expected the event to be dropped, and it was not".to_owned().into()),
            (Some((name, found)), Some(want)) => {
                event.check_name(&name, way.1)?;
                self.compare(&found, want, test.part(), way)?;
                track.map_or(Ok(()), |track| track.compare_with_parts(message).map_err(Failed::from))
            }
        }
    }
}

/// A document, and what it is to become.
type Documents<'a> = (&'a [u8], &'a [u8]);

/// Every ordered pair of different versions.
pub(super) fn pairs<T>(messages: &[(VersionId, T)]) -> Vec<(Way, &T, &T)> {
    let all = messages.iter().flat_map(|from| messages.iter().map(move |to| (from, to)));
    all.filter(|(from, to)| from.0 != to.0).map(|(from, to)| ((from.0, to.0), &from.1, &to.1)).collect()
}

pub(super) type Headers<'a> = &'a [(String, String)];

pub(super) fn header_map(headers: Headers<'_>) -> Result<HeaderMap, String> {
    let pairs = headers.iter().map(|(name, value)| {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("`{name}` is no header name"))?;
        Ok((name, HeaderValue::from_str(value).map_err(|_| format!("`{value}` cannot stand in a header"))?))
    });
    pairs.collect()
}

fn compare_headers(found: &HeaderMap, want: Headers<'_>) -> Result<(), String> {
    for (name, value) in want {
        let found = found.get(name).map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned());
        let fits = |found: &str| found == value || value == "$uuid" && is_uuid(format!("\"{found}\"").as_bytes());
        if !found.as_deref().is_some_and(fits) {
            return Err(format!(
                "expected the header `{name}: {value}`, found {}",
                found.map_or("none".to_owned(), |v| format!("`{v}`"))
            ));
        }
    }
    Ok(())
}

/// Whether two documents are the same, where the string `$uuid` is whatever UUID was found.
fn fits(found: &[u8], want: &[u8]) -> bool {
    let alike_in_size = || Items::new(found, 0).count() == Items::new(want, 0).count();
    match (Kind::of(found), Kind::of(want)) {
        (Kind::String, Kind::String) if want == b"\"$uuid\"" => found == want || is_uuid(found),
        (Kind::Array, Kind::Array) => {
            let mut pairs = Items::new(found, 0).zip(Items::new(want, 0));
            alike_in_size() && pairs.all(|(x, y)| fits(&found[x.value], &want[y.value]))
        }
        (Kind::Object, Kind::Object) => {
            let mut wanted = Items::new(want, 0);
            alike_in_size()
                && wanted.all(|wanted| {
                    let name = unescape(&want[wanted.name]);
                    let mut hits = Items::new(found, 0).filter(|item| unescape(&found[item.name.clone()]) == name);
                    let hit = hits.next().filter(|_| hits.next().is_none());
                    hit.is_some_and(|item| fits(&found[item.value], &want[wanted.value.clone()]))
                })
        }
        _ => same(found, want),
    }
}
