//! What the messages of a test meet between two versions.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

use crate::json::{Limits, OnError, Program, Uuids, Values};
use crate::rules::ast::{ArgumentList, HttpMessage, HttpTest, QueryArrays, SocketIoTest, Test, WsTest};
use crate::rules::event_test::EventTest;
use crate::rules::plan::{Call, MessagePlan};
use crate::rules::stage::bodies;
use crate::rules::{Direction, Side, chain, socket, socketio};
use crate::version::VersionId;

use super::sent::Sent;
use super::track::{Form, Track};
use super::{Headers, NOW, Plans, header_map};

/// From one version to another.
pub(in crate::rules) type Way = (VersionId, VersionId);

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
        let values = self.values(version);
        let translated = |headers: &mut HeaderMap, body| {
            let whole = call.whole_request(&test.method, &test.target, headers, body, &values, Limits::default());
            whole.map(|whole| whole.head).map_err(|e| e.to_string())
        };
        // Where head and body depend on each other, the target is that of the whole request, if that has a translation.
        let whole = test.request.as_ref().filter(|_| call.request().is_united).and_then(|message| {
            let (_, body) = message.bodies.iter().find(|(version, _)| *version == oldest)?;
            translated(&mut header_map(&message.header).ok()?, Some(body)).ok()
        });
        let target = whole.map_or_else(|| translated(&mut HeaderMap::new(), None), Ok)?;
        Ok((target.method, target.path_and_query))
    }

    /// The headers of a version, as far as the test says them: of the oldest and of the newest.
    pub(super) fn headers<'m>(&self, message: &'m HttpMessage, version: VersionId) -> Headers<'m> {
        match version {
            oldest if oldest == self.plans.oldest() => &message.header,
            newest if newest == self.newest(message) => &message.new_header,
            _ => &[],
        }
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

    /// A test's request, as the version that sends it has it, with this body.
    pub(in crate::rules) fn whole_request(
        &self,
        test: &HttpTest,
        message: &HttpMessage,
        (from, to): Way,
        body: Option<&[u8]>,
    ) -> Result<Vec<u8>, String> {
        let headers = header_map(self.headers(message, from))?;
        let arrays = self.arrays(from);
        self.with_call(test, (from, to), |call, _, target| {
            let whole = Sent::request(call, target, arrays, &headers, body);
            whole.map(|whole| whole.to_json()).map_err(|error| error.to_string())
        })
    }

    /// A test's response, as the version that sends it has it, with a body.
    pub(in crate::rules) fn whole_response(
        &self,
        test: &HttpTest,
        message: &HttpMessage,
        from: VersionId,
        body: &[u8],
    ) -> Result<Vec<u8>, String> {
        let headers = header_map(self.headers(message, from))?;
        let whole = Sent::response(self.status_in(test, message, from)?, &headers, body);
        whole.map(|whole| whole.to_json()).map_err(|error| error.to_string())
    }

    /// How a version writes several values of one name in a query.
    pub(in crate::rules) fn arrays(&self, version: VersionId) -> QueryArrays {
        self.plans.api().query_arrays.get(usize::from(version.0)).copied().unwrap_or_default()
    }

    /// Requests go from clients to backends, responses back.
    fn messages(&self, (client, backend): Way, is_response: bool) -> Form {
        match (is_response, self.arrays(client), self.arrays(backend)) {
            (false, client, backend) => Form::Message(client, backend),
            (true, client, backend) => Form::Message(backend, client),
        }
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
        let (program, values) = (Arc::clone(plan.program()), self.values(receiver));
        let form = if plan.is_united { self.messages((client, backend), status.is_some()) } else { Form::Body };
        Track { program, stages, values, form }
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
        Some((name, Track { program, stages, values, form: Form::Body }))
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
        Some(Track { program, stages, values: self.values(to), form: Form::Arguments })
    }
}

/// The path of a target.
pub(super) fn path(target: &str) -> &str {
    target.split_once('?').map_or(target, |(path, _)| path)
}
