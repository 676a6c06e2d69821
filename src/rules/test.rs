//! Runs the tests that stand in rule files.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::diagnostic::Diagnostic;
use crate::json::{Items, Kind, Limits, OnError, Uuids, Values, is_uuid, same, unescape};
use crate::version::VersionId;

use super::ast::{ArgumentList, Change, HttpMessage, HttpTest, SocketIoTest, Subject, Test, WsTest};
use super::event_test::EventTest;
use super::plan::Pair;
use super::{Api, Direction, Outcome, RuleSet, Side, chain};

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
}

/// Runs every test of a rule set: inline tests on their change alone, chain tests between all their versions.
#[must_use]
pub fn run(rules: &RuleSet) -> Report {
    let mut report = Report::default();
    for api in rules.apis.values() {
        for change in &api.changes {
            let alone = Alone {
                api,
                change,
                up: chain::change_pair(api, change, Direction::Up),
                down: chain::change_pair(api, change, Direction::Down),
            };
            change.tests.iter().for_each(|test| run_test(&alone, test, &mut report));
        }
        api.tests.iter().for_each(|test| run_test(&Whole(api), test, &mut report));
    }
    report
}

/// What tests run against: the plans between two versions.
trait Plans {
    fn pair(&self, client: VersionId, backend: VersionId) -> &Pair;
    fn label(&self, version: VersionId) -> &Arc<str>;
    /// The version in whose words a test names its call, its status and its headers.
    fn oldest(&self) -> VersionId;
    /// The last version there is: the one of `new_target`, `new_status` and `new_header`.
    fn newest(&self) -> VersionId;
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

    fn label(&self, version: VersionId) -> &Arc<str> {
        &self.api.versions.get(version).label
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

    fn label(&self, version: VersionId) -> &Arc<str> {
        &self.0.versions.get(version).label
    }

    fn oldest(&self) -> VersionId {
        VersionId(0)
    }

    fn newest(&self) -> VersionId {
        self.0.versions.latest()
    }
}

fn run_test(plans: &dyn Plans, test: &Test, report: &mut Report) {
    let runner = Runner { plans, test };
    let outcomes = match &test.subject {
        Subject::Http(http) => runner.http(http),
        Subject::Ws(ws) => runner.ws(ws),
        Subject::SocketIo(event) => runner.socketio(event),
    };
    if outcomes.is_empty() {
        let message = "the test compares nothing: give the message of at least two versions, or `new_target`";
        report.failures.push(runner.failure("", message.to_owned()));
        return;
    }
    for (what, outcome) in outcomes {
        match outcome {
            Ok(()) => report.passed += 1,
            Err(message) => report.failures.push(runner.failure(&what, message)),
        }
    }
}

/// What was compared, and how it differed.
type Outcomes = Vec<(String, Result<(), String>)>;

struct Runner<'a> {
    plans: &'a dyn Plans,
    test: &'a Test,
}

impl Runner<'_> {
    fn failure(&self, what: &str, message: String) -> Diagnostic {
        let what = if what.is_empty() { String::new() } else { format!(" ({what})") };
        let mut diagnostic = Diagnostic::error(
            FAILED,
            &self.test.file,
            self.test.span,
            format!("test failed: {}{what}", self.test.name),
        );
        diagnostic.help(message);
        diagnostic
    }

    fn values(&self, receiver: VersionId) -> Values {
        let version = Arc::clone(self.plans.label(receiver));
        Values { now: NOW.to_owned(), version, uuids: Uuids::default(), on_error: OnError::Reject }
    }

    fn wanted(&self, from: VersionId, to: VersionId) -> bool {
        let direction = Direction::between(from, to);
        direction.is_some() && (self.test.only.is_none() || self.test.only == direction)
    }

    fn what(&self, part: &str, from: VersionId, to: VersionId) -> String {
        format!("{part} from {} to {}", self.plans.label(from), self.plans.label(to))
    }

    fn http(&self, test: &HttpTest) -> Outcomes {
        let mut outcomes = Vec::new();
        if let Some(status) = test.answers {
            let (older, newer) = (self.plans.oldest(), self.plans.newest());
            for (from, to) in [(older, newer), (newer, older)] {
                if self.wanted(from, to) {
                    outcomes.push((self.what("request", from, to), self.answer(test, (from, to), status)));
                }
            }
        }
        if let Some(message) = &test.request {
            outcomes.extend(self.target(test, message));
            for (from, to, body, want) in pairs(&message.bodies) {
                if self.wanted(from, to) {
                    outcomes
                        .push((self.what("request", from, to), self.request(test, message, (from, to), body, want)));
                }
            }
        }
        if let Some(message) = &test.response {
            for (from, to, body, want) in pairs(&message.bodies) {
                if self.wanted(from, to) {
                    outcomes
                        .push((self.what("response", from, to), self.response(test, message, (from, to), body, want)));
                }
            }
        }
        outcomes
    }

    /// Whether a call that one of the versions lacks is answered with this status.
    fn answer(&self, test: &HttpTest, (from, to): (VersionId, VersionId), want: u16) -> Result<(), String> {
        match self.plans.pair(from, to).find(&test.method, path(&test.target)).absent() {
            Some(absent) if absent.status == want => Ok(()),
            Some(absent) => Err(format!("expected the status {want}, found {}", absent.status)),
            None => Err(format!("expected an answer of {want}, and both versions have the call")),
        }
    }

    /// The test's target as a version spells it.
    fn target_in(&self, test: &HttpTest, version: VersionId) -> Result<(http::Method, String), String> {
        let oldest = self.plans.oldest();
        if version == oldest {
            return Ok((test.method.clone(), test.target.clone()));
        }
        let call = self.plans.pair(oldest, version).find(&test.method, path(&test.target));
        let mut headers = HeaderMap::new();
        let target = call
            .whole_request(&test.method, &test.target, &mut headers, None, &self.values(version), Limits::default())
            .map_err(|e| e.to_string())?
            .head;
        Ok((target.method, target.path_and_query))
    }

    /// The newest version that a message is given for.
    fn newest(&self, message: &HttpMessage) -> VersionId {
        message.bodies.iter().map(|(version, _)| *version).max().unwrap_or_else(|| self.plans.newest())
    }

    /// The headers of a version, as far as the test says them: of the oldest and of the newest.
    fn headers<'m>(&self, message: &'m HttpMessage, version: VersionId) -> Headers<'m> {
        match version {
            oldest if oldest == self.plans.oldest() => &message.header,
            newest if newest == self.newest(message) => &message.new_header,
            _ => &[],
        }
    }

    /// The response's status in a version: said of the oldest and of the newest, and translated between them.
    fn status_in(&self, test: &HttpTest, message: &HttpMessage, version: VersionId) -> Result<StatusCode, String> {
        let oldest = self.plans.oldest();
        let said = if version == oldest { test.status } else { test.new_status.unwrap_or(test.status) };
        let said = StatusCode::from_u16(said).map_err(|e| e.to_string())?;
        if version == oldest || version == self.newest(message) {
            return Ok(said);
        }
        let (method, target) = self.target_in(test, version)?;
        let status = StatusCode::from_u16(test.status).map_err(|e| e.to_string())?;
        let plan = self.plans.pair(version, oldest).find(&method, path(&target)).response(status);
        let (mut headers, values) = (HeaderMap::new(), self.values(version));
        let whole = plan.whole_response(status, &mut headers, None, &values, Limits::default());
        whole.map(|whole| whole.head).map_err(|e| e.to_string())
    }

    fn target(&self, test: &HttpTest, message: &HttpMessage) -> Option<(String, Result<(), String>)> {
        let want = message.new_target.as_ref()?;
        let outcome = self.target_in(test, self.newest(message)).and_then(|(method, target)| {
            let found = format!("{method} {target}");
            if found == *want { Ok(()) } else { Err(format!("expected the target `{want}`, found `{found}`")) }
        });
        Some(("target".to_owned(), outcome))
    }

    fn request(
        &self,
        test: &HttpTest,
        message: &HttpMessage,
        (from, to): (VersionId, VersionId),
        body: &[u8],
        want: &[u8],
    ) -> Result<(), String> {
        let (method, target) = self.target_in(test, from)?;
        let call = self.plans.pair(from, to).find(&method, path(&target));
        let (before, after) = (self.headers(message, from), self.headers(message, to));
        let mut found = header_map(before)?;
        let whole = call
            .whole_request(&method, &target, &mut found, Some(body), &self.values(to), Limits::default())
            .map_err(|e| e.to_string())?;
        compare_headers(&found, after)?;
        compare(&whole.body.unwrap_or_default(), want)
    }

    fn response(
        &self,
        test: &HttpTest,
        message: &HttpMessage,
        (from, to): (VersionId, VersionId),
        body: &[u8],
        want: &[u8],
    ) -> Result<(), String> {
        let (method, target) = self.target_in(test, to)?;
        let call = self.plans.pair(to, from).find(&method, path(&target));
        let (status, want_status) = (self.status_in(test, message, from)?, self.status_in(test, message, to)?);
        let plan = call.response(status);
        let (before, after) = (self.headers(message, from), self.headers(message, to));
        let mut found = header_map(before)?;
        let whole = plan
            .whole_response(status, &mut found, Some(body), &self.values(to), Limits::default())
            .map_err(|e| e.to_string())?;
        if whole.head != want_status {
            return Err(format!("expected the status {}, found {}", want_status.as_u16(), whole.head.as_u16()));
        }
        compare_headers(&found, after)?;
        compare(&whole.body.unwrap_or_default(), want)
    }

    fn ws(&self, test: &WsTest) -> Outcomes {
        let mut outcomes = Vec::new();
        for (from, to, message, want) in pairs(&test.messages) {
            if let Some(message) = message.as_ref().filter(|_| self.wanted(from, to)) {
                outcomes
                    .push((self.what("message", from, to), self.message(test, (from, to), message, want.as_deref())));
            }
        }
        outcomes
    }

    fn message(
        &self,
        test: &WsTest,
        (from, to): (VersionId, VersionId),
        message: &[u8],
        want: Option<&[u8]>,
    ) -> Result<(), String> {
        let pair = match test.side {
            Side::Client => self.plans.pair(from, to),
            Side::Server => self.plans.pair(to, from),
        };
        let outcome = match pair.socket(&test.path) {
            Some(socket) => socket
                .translate(test.side, message, &self.values(to), Limits::default())
                .1
                .map_err(|e| e.to_string())?,
            None => Outcome::Pass,
        };
        match (outcome, want) {
            (Outcome::Dropped, None) => Ok(()),
            (Outcome::Dropped, Some(_)) => Err("expected a message, and it was dropped".to_owned()),
            (_, None) => Err("expected the message to be dropped, and it was not".to_owned()),
            (Outcome::Pass, Some(want)) => compare(message, want),
            (Outcome::Translated(found), Some(want)) => compare(&found, want),
        }
    }
}

impl Runner<'_> {
    fn socketio(&self, test: &SocketIoTest) -> Outcomes {
        let (oldest, pair) = (self.plans.oldest(), &|client, backend| self.plans.pair(client, backend));
        let event = EventTest { test, oldest, pair };
        let part = match test.list {
            ArgumentList::Event => "event",
            ArgumentList::Ack => "acknowledgement",
        };
        let messages = pairs(&test.messages).into_iter().filter(|(from, to, ..)| self.wanted(*from, *to));
        let compare = |(from, to, message, want): (_, _, &Option<Vec<u8>>, &Option<Vec<u8>>)| {
            let outcome = event.compare((from, to), message.as_ref()?, want.as_deref(), &self.values(to));
            Some((self.what(part, from, to), outcome))
        };
        messages.filter_map(compare).collect()
    }
}

/// Every ordered pair of different versions.
fn pairs<T>(messages: &[(VersionId, T)]) -> Vec<(VersionId, VersionId, &T, &T)> {
    let all = messages.iter().flat_map(|from| messages.iter().map(move |to| (from, to)));
    all.filter(|(from, to)| from.0 != to.0).map(|(from, to)| (from.0, to.0, &from.1, &to.1)).collect()
}

fn path(target: &str) -> &str {
    target.split_once('?').map_or(target, |(path, _)| path)
}

type Headers<'a> = &'a [(String, String)];

fn header_map(headers: Headers<'_>) -> Result<HeaderMap, String> {
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

fn compare(found: &[u8], want: &[u8]) -> Result<(), String> {
    if fits(found, want) {
        return Ok(());
    }
    Err(format!("expected {}\n   found {}", String::from_utf8_lossy(want), String::from_utf8_lossy(found)))
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
