//! What the messages of a test meet between two versions.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

use crate::json::edit::{Edit, Entry, ValueEdit};
use crate::json::{self, Code, Conversion, Limits, OnError, Program, Uuids, Values, same, translate};
use crate::rules::ast::{ArgumentList, HttpMessage, HttpTest, SocketIoTest, Test, WsTest};
use crate::rules::event_test::EventTest;
use crate::rules::path::Part;
use crate::rules::plan::{Call, MessagePlan};
use crate::rules::stage::{Stage, bodies, by_change};
use crate::rules::{Direction, Side, chain, socket, socketio};
use crate::version::VersionId;

use super::{NOW, Plans};

/// From one version to another.
pub(in crate::rules) type Way = (VersionId, VersionId);

/// The way of one body: the fused program, and the ops that it is made of.
pub(in crate::rules) struct Track<'a> {
    pub(in crate::rules) program: Arc<Program>,
    pub(in crate::rules) stages: Vec<Stage<'a>>,
    pub(in crate::rules) values: Values,
    /// Whether head and body are translated together, so that the program is not all there is.
    pub(in crate::rules) is_united: bool,
    /// Whether it is that of a list of arguments, and nothing else may come or leave.
    pub(in crate::rules) is_list: bool,
}

impl Track<'_> {
    /// The translation; `None`: the message is dropped.
    ///
    /// # Errors
    /// In words, as an op fails.
    pub(in crate::rules) fn run(&self, body: &[u8]) -> Result<Option<Vec<u8>>, String> {
        self.run_all(std::slice::from_ref(&self.program), body)
    }

    /// Runs programs one after the other.
    fn run_all(&self, programs: &[Arc<Program>], body: &[u8]) -> Result<Option<Vec<u8>>, String> {
        if self.is_list && !socketio::is_list(body) {
            return Err("an event's arguments are a list".to_owned());
        }
        let mut body = body.to_vec();
        for program in programs {
            match run(program, &self.values, &body)? {
                Some(next) => body = next,
                None => return Ok(None),
            }
        }
        if self.is_list {
            socketio::check_made(&body).map_err(|error| error.to_string())?;
        }
        Ok(Some(body))
    }

    /// The conversions on the way: two spellings of one value are the same to them.
    pub(in crate::rules) fn conversions(&self) -> Vec<(&Conversion, json::Way)> {
        let mut found = Vec::new();
        for entry in self.stages.iter().flat_map(|stage| stage.of(Part::Body)) {
            conversions(entry, &mut found);
        }
        found
    }

    /// Whether the fused program agrees with its ops and its changes, each run after the other.
    ///
    /// # Errors
    /// Both documents, in words.
    pub(in crate::rules) fn compare_with_parts(&self, body: &[u8]) -> Result<(), String> {
        // A UUID is another one in each run.
        if self.is_united || self.stages.iter().any(Stage::makes_uuids) {
            return Ok(());
        }
        let ops: Vec<_> = self.stages.iter().filter(|stage| stage.is_about(Part::Body)).map(Stage::program).collect();
        let changes = by_change(&self.stages).into_iter().map(|stages| Arc::new(Program::fuse(bodies(stages))));
        self.compare_with("op by op", &ops, body)?;
        self.compare_with("change by change", &changes.collect::<Vec<_>>(), body)
    }

    fn compare_with(&self, how: &str, programs: &[Arc<Program>], body: &[u8]) -> Result<(), String> {
        let (fused, parts) = (self.run(body), self.run_all(programs, body));
        let agree = match (&fused, &parts) {
            (Ok(Some(fused)), Ok(Some(parts))) => same(fused, parts),
            // Ops that undo each other fuse to nothing, and nothing does not fail.
            (Ok(None), Ok(None)) | (_, Err(_)) => true,
            (Ok(_) | Err(_), Ok(_)) => false,
        };
        if agree { Ok(()) } else { Err(format!("fused {}\n{how} {}", shown(&fused), shown(&parts))) }
    }
}

fn conversions<'e>(entry: &'e Entry, found: &mut Vec<(&'e Conversion, json::Way)>) {
    match &entry.edit {
        Edit::Change { how: ValueEdit::Convert { conversion, way, .. }, .. } => found.push((conversion, *way)),
        Edit::Each { entries, .. } | Edit::Recurse { entries, .. } => {
            for entry in entries {
                conversions(entry, found);
            }
        }
        _ => {}
    }
}

pub(in crate::rules) fn run(program: &Arc<Program>, values: &Values, body: &[u8]) -> Result<Option<Vec<u8>>, String> {
    match translate(program, values, Limits::default(), Bytes::copy_from_slice(body)) {
        Ok(done) => Ok(Some(done.body)),
        Err(error) if error.code == Code::Dropped => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

fn shown(outcome: &Result<Option<Vec<u8>>, String>) -> String {
    match outcome {
        Ok(Some(body)) => format!("gives {}", String::from_utf8_lossy(body)),
        Ok(None) => "drops the message".to_owned(),
        Err(error) => format!("fails: {error}"),
    }
}

/// A test and the plans that it runs against.
#[derive(Clone, Copy)]
pub(in crate::rules) struct Ways<'a> {
    pub(in crate::rules) plans: &'a dyn Plans,
    pub(in crate::rules) test: &'a Test,
}

impl<'a> Ways<'a> {
    pub(super) fn values(&self, receiver: VersionId) -> Values {
        let version = Arc::clone(self.plans.label(receiver));
        Values { now: NOW.into(), version, uuids: Uuids::default(), on_error: OnError::Reject }
    }

    pub(in crate::rules) fn wanted(&self, (from, to): Way) -> bool {
        let direction = Direction::between(from, to);
        direction.is_some() && (self.test.only.is_none() || self.test.only == direction)
    }

    /// The test's target as a version spells it.
    pub(in crate::rules) fn target_in(&self, test: &HttpTest, version: VersionId) -> Result<(Method, String), String> {
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
    pub(super) fn newest(&self, message: &HttpMessage) -> VersionId {
        message.bodies.iter().map(|(version, _)| *version).max().unwrap_or_else(|| self.plans.newest())
    }

    /// The response's status in a version: said of the oldest and of the newest, and translated between them.
    pub(in crate::rules) fn status_in(
        &self,
        test: &HttpTest,
        message: &HttpMessage,
        version: VersionId,
    ) -> Result<StatusCode, String> {
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

    /// Runs `visit` on the call of a request.
    pub(super) fn with_call<T>(
        &self,
        test: &HttpTest,
        (client, backend): Way,
        visit: impl FnOnce(&Call<'_>, &Method, &str) -> Result<T, String>,
    ) -> Result<T, String> {
        let (method, target) = self.target_in(test, client)?;
        let call = self.plans.pair(client, backend).find(&method, path(&target));
        visit(&call, &method, &target)
    }

    pub(in crate::rules) fn request(&self, test: &HttpTest, (from, to): Way) -> Result<Track<'a>, String> {
        self.with_call(test, (from, to), |call, method, target| {
            Ok(self.http_track(call.request(), (from, to), to, (method, path(target)), None))
        })
    }

    pub(in crate::rules) fn response(
        &self,
        test: &HttpTest,
        message: &HttpMessage,
        (from, to): Way,
    ) -> Result<Track<'a>, String> {
        let status = self.status_in(test, message, from)?;
        self.with_call(test, (to, from), |call, method, target| {
            Ok(self.http_track(call.response(status), (to, from), to, (method, path(target)), Some(status.as_u16())))
        })
    }

    fn http_track(
        &self,
        plan: &MessagePlan,
        (client, backend): Way,
        receiver: VersionId,
        (method, path): (&Method, &str),
        status: Option<u16>,
    ) -> Track<'a> {
        let steps = self.plans.steps(client, backend);
        let stages = chain::stages(self.plans.api(), &steps, method, path, status).all;
        let (program, values) = (Arc::clone(&plan.body), self.values(receiver));
        Track { program, stages, values, is_united: plan.is_united, is_list: false }
    }

    /// The name and the way of a socket's message; `None`: it has no rules, or none but that it is dropped.
    pub(in crate::rules) fn message(
        &self,
        test: &WsTest,
        (from, to): Way,
        message: &[u8],
    ) -> Option<(String, Track<'a>)> {
        let (client, backend) = match test.side {
            Side::Client => (from, to),
            Side::Server => (to, from),
        };
        let socket = self.plans.pair(client, backend).socket(&test.path)?;
        let values = self.values(to);
        let name =
            socket.translate(test.side, &Bytes::copy_from_slice(message), &values, Limits::default()).0?.to_owned();
        let stages = socket::stages(&self.plans.steps(client, backend).all, test.side, &test.path, &name)?;
        let program = Arc::new(Program::fuse(bodies(&stages)));
        Some((name, Track { program, stages, values, is_united: false, is_list: false }))
    }
}

impl<'a> Ways<'a> {
    /// The way of a list of arguments; `None`: one of the versions does not have the event.
    pub(in crate::rules) fn event(&self, test: &SocketIoTest, (from, to): Way) -> Option<Track<'a>> {
        // An acknowledgement goes to the side that sent the event.
        let (sender, receiver) = match test.list {
            ArgumentList::Event => (from, to),
            ArgumentList::Ack => (to, from),
        };
        let (client, backend) = match test.side {
            Side::Client => (sender, receiver),
            Side::Server => (receiver, sender),
        };
        let (oldest, pair) = (self.plans.oldest(), &|client, backend| self.plans.pair(client, backend));
        let name = EventTest { test, oldest, pair }.name_in(sender).ok()?.to_owned();
        let steps = self.plans.steps(client, backend);
        let (stages, _) = socketio::stages(&steps.all, (&test.namespace, test.side, &name), test.list)?;
        let program = Arc::new(Program::fuse(bodies(&stages)));
        Some(Track { program, stages, values: self.values(to), is_united: false, is_list: true })
    }
}

/// The path of a target.
pub(super) fn path(target: &str) -> &str {
    target.split_once('?').map_or(target, |(path, _)| path)
}
