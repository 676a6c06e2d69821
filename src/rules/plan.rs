//! What the data plane uses: for a pair of versions, each call's plan.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

use crate::json::edit::Entry;
use crate::json::{Class, Error, Limits, Losses, Program, Values, translate};
use crate::route::{Router, Template};

use super::ast::{Lifetime, QueryArrays};
use super::head::{HeadPlan, Ran};
use super::target::{Asked, Target};
use super::{Namespace, Socket};

/// Everything for one client version before one backend version.
#[derive(Debug)]
pub struct Pair {
    pub(super) router: Router<usize>,
    pub(super) calls: Vec<CallPlan>,
    /// For calls that no change names.
    pub(super) default: CallPlan,
    pub(super) sockets: Router<Socket>,
    pub(super) namespaces: BTreeMap<String, Namespace>,
    /// How the client and the backend write several values of one name in a query.
    pub(super) arrays: (QueryArrays, QueryArrays),
}

/// One call's plan.
#[derive(Debug)]
pub(super) struct CallPlan {
    pub(super) label: Arc<str>,
    pub(super) request: MessagePlan,
    /// The request's plan where the call is PATCH, for one of any method, if it is another.
    pub(super) partial: Option<MessagePlan>,
    /// The call as the client and as the backend spell it, where the path has to be taken apart.
    pub(super) route: Option<(Template, Template)>,
    pub(super) responses: ResponsePlans,
    /// The changes on the way that say something of the call.
    pub(super) changes: Vec<Arc<str>>,
    /// Why the backend has no such call.
    pub(super) absence: Option<Absent>,
    /// The edits of a request's body when it is the whole document, for JSON Patch: those of PATCH.
    pub(super) patch: Vec<Entry>,
}

/// A call that one version on the way does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Absent {
    /// Which side of the change has it.
    pub lifetime: Lifetime,
    /// The status that says so.
    pub status: u16,
    /// What the answer says.
    pub detail: String,
    /// The change that took it away or added it.
    pub change: Arc<str>,
}

/// Plans by the lowest status they are for, ascending; the first is for 100.
#[derive(Debug)]
pub(super) struct ResponsePlans(pub(super) Vec<(u16, MessagePlan)>);

/// What happens to one message.
#[derive(Debug)]
pub struct MessagePlan {
    pub(super) head: Option<HeadPlan>,
    /// The body's edit; the identity where no rule touches the body, or where head and body are translated together.
    pub body: Arc<Program>,
    /// Whether the edits of the head are those of the body too, and need both.
    pub(super) is_united: bool,
}

/// A request's plan, found by method and path.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    plan: &'a CallPlan,
    request: &'a MessagePlan,
    params: Vec<&'a str>,
    arrays: (QueryArrays, QueryArrays),
}

/// A message that was translated as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole<H> {
    /// A request's target, or a response's status.
    pub head: H,
    /// Its body, if it has one.
    pub body: Option<Vec<u8>>,
    /// Whether an edit was skipped.
    pub is_partial: bool,
    /// What was lost.
    pub losses: Losses,
}

impl Pair {
    /// The plan for a request. `path` is percent-encoded, starts with `/`, and has no version prefix.
    #[must_use]
    pub fn find<'a>(&'a self, method: &Method, path: &'a str) -> Call<'a> {
        let (plan, params) = match self.router.find(method, path) {
            Some(found) => (&self.calls[*found.value], found.params),
            None => (&self.default, Vec::new()),
        };
        let partial = plan.partial.as_ref().filter(|_| *method == Method::PATCH);
        Call { plan, request: partial.unwrap_or(&plan.request), params, arrays: self.arrays }
    }

    /// The message rules of a socket's path; `None` where messages pass unread.
    #[must_use]
    pub fn socket(&self, path: &str) -> Option<&Socket> {
        self.sockets.find(&Method::GET, path).map(|found| found.value).filter(|socket| !socket.is_empty())
    }

    /// The event rules of a Socket.IO namespace such as `/chat`; `None` where events pass as they are.
    #[must_use]
    pub fn socketio(&self, namespace: &str) -> Option<&Namespace> {
        self.namespaces.get(namespace)
    }

    /// The changes on the way that say something of the call with this label.
    #[must_use]
    pub fn changes(&self, label: &str) -> &[Arc<str>] {
        let call = self.calls.iter().chain([&self.default]).find(|call| &*call.label == label);
        call.map_or(&[], |call| &call.changes)
    }

    /// Every call that a version on the way lacks, for reports: its label, and why.
    pub fn absences(&self) -> impl Iterator<Item = (&str, &Absent)> {
        self.calls.iter().filter_map(|call| Some((&*call.label, call.absence.as_ref()?)))
    }

    /// Every other call that a change names, for reports: its label, request plan, and response plans by lowest status.
    pub fn calls(&self) -> impl Iterator<Item = (&str, &MessagePlan, impl Iterator<Item = (u16, &MessagePlan)>)> {
        let all = self.calls.iter().chain([&self.default]).filter(|call| call.absence.is_none());
        all.map(|call| (&*call.label, &call.request, call.responses.0.iter().map(|(first, plan)| (*first, plan))))
    }
}

impl<'a> Call<'a> {
    /// For logs, metrics and messages: `GET /users/{id}`, or `*`.
    #[must_use]
    pub fn label(&self) -> &'a Arc<str> {
        &self.plan.label
    }

    /// Why the call cannot be sent on, if a version on the way does not have it.
    #[must_use]
    pub fn absent(&self) -> Option<&'a Absent> {
        self.plan.absence.as_ref()
    }

    /// Whether the request's body has rules.
    #[must_use]
    pub fn translates_requests(&self) -> bool {
        self.plan.request.is_united || !self.plan.request.body.is_identity()
    }

    /// Whether some response's body has rules.
    #[must_use]
    pub fn translates_responses(&self) -> bool {
        self.plan.responses.0.iter().any(|(_, plan)| plan.is_united || !plan.body.is_identity())
    }

    /// The request's plan.
    #[must_use]
    pub fn request(&self) -> &'a MessagePlan {
        self.request
    }

    /// The plan for a response with this status from the backend.
    #[must_use]
    pub fn response(&self, status: StatusCode) -> &'a MessagePlan {
        let plans = &self.plan.responses.0;
        let after = plans.partition_point(|(first, _)| *first <= status.as_u16());
        &plans[after.saturating_sub(1)].1
    }

    /// Translates a request's target and headers, where they are not [united](MessagePlan::is_united) with the body. What
    /// is lost with it comes too.
    ///
    /// # Errors
    /// As the ops on `query:`, `header:`, `cookie:` and `path:` fail.
    pub fn request_head(
        &self,
        method: &Method,
        path_and_query: &str,
        headers: &mut HeaderMap,
        values: &Values,
    ) -> Result<(Target, Losses), Error> {
        let limits = Limits::default();
        let (target, ran) = self.asked().translate(method, path_and_query, headers, None, values, limits)?;
        Ok((target, losses(ran)))
    }

    /// Translates a whole request. `body`: a JSON document, if it has one.
    ///
    /// # Errors
    /// As ops fail; any [`Code`](crate::json::Code) of a document.
    pub fn whole_request(
        &self,
        method: &Method,
        path_and_query: &str,
        headers: &mut HeaderMap,
        body: Option<&[u8]>,
        values: &Values,
        limits: Limits,
    ) -> Result<Whole<Target>, Error> {
        let plan = self.request;
        let (head, ran) =
            self.asked().translate(method, path_and_query, headers, body.filter(|_| plan.is_united), values, limits)?;
        let (ran, lost) = if plan.is_united { (ran, Losses::default()) } else { (None, losses(ran)) };
        match ran {
            Some(ran) => Ok(Whole { head, body: ran.body(), is_partial: ran.is_partial, losses: ran.losses }),
            None => plan.with_body((head, lost), body, values, limits),
        }
    }

    /// Whether a body that is a JSON Patch has rules.
    #[must_use]
    pub fn edits_patches(&self) -> bool {
        !self.plan.patch.is_empty()
    }

    /// Translates a request's body that is a JSON Patch (RFC 6902). What is lost with it comes too.
    ///
    /// # Errors
    /// [`Code::UntranslatablePatch`](crate::json::Code::UntranslatablePatch), or as the values of its operations fail.
    pub fn json_patch(&self, patch: &[u8], values: &Values, limits: Limits) -> Result<(Vec<u8>, Losses), Error> {
        super::json_patch::translate(&self.plan.patch, patch, values, limits)
    }

    /// The parameters of the path as the client spells it, where it has to be taken apart, percent-encoded.
    pub(super) fn params(&self) -> impl Iterator<Item = (&str, &str)> {
        let names = self.plan.route.iter().flat_map(|(near, _)| near.params());
        names.zip(self.params.iter().copied())
    }

    fn asked(&self) -> Asked<'_> {
        Asked {
            plan: self.request.head.as_ref(),
            route: self.plan.route.as_ref(),
            params: &self.params,
            arrays: self.arrays,
        }
    }
}

impl MessagePlan {
    /// Whether the message leaves as it came.
    #[must_use]
    pub fn is_identity(&self) -> bool {
        self.head.is_none() && self.body.is_identity()
    }

    /// The program of the body's edits, which are those of the head too where the message is [united](Self::is_united).
    pub(super) fn program(&self) -> &Arc<Program> {
        self.head.as_ref().filter(|_| self.is_united).map_or(&self.body, HeadPlan::program)
    }

    /// What must be held of the body.
    #[must_use]
    pub fn class(&self) -> Class {
        if self.is_united { Class::S3 } else { self.body.class() }
    }

    /// Whether head and body are translated together, so that the head has to wait for the body.
    #[must_use]
    pub fn is_united(&self) -> bool {
        self.is_united
    }

    /// Translates a response's status and headers, where they are not [united](Self::is_united) with the body. What is
    /// lost with it comes too.
    ///
    /// # Errors
    /// As the ops on `status:`, `header:` and `cookie:` fail.
    pub fn response_head(
        &self,
        status: StatusCode,
        headers: &mut HeaderMap,
        values: &Values,
    ) -> Result<(StatusCode, Losses), Error> {
        let Some(head) = &self.head else { return Ok((status, Losses::default())) };
        let (status, ran) = head.response(status, headers, None, values, Limits::default())?;
        Ok((status, ran.losses))
    }

    /// Translates a whole response. `body`: a JSON document, if it has one.
    ///
    /// # Errors
    /// As ops fail; any [`Code`](crate::json::Code) of a document.
    pub fn whole_response(
        &self,
        status: StatusCode,
        headers: &mut HeaderMap,
        body: Option<&[u8]>,
        values: &Values,
        limits: Limits,
    ) -> Result<Whole<StatusCode>, Error> {
        let Some(head) = self.head.as_ref().filter(|_| self.is_united) else {
            let head = self.response_head(status, headers, values)?;
            return self.with_body(head, body, values, limits);
        };
        let (status, ran) = head.response(status, headers, body, values, limits)?;
        Ok(Whole { head: status, body: ran.body(), is_partial: ran.is_partial, losses: ran.losses })
    }

    /// Translates a body beside a head that has been, with what was lost.
    fn with_body<H>(
        &self,
        (head, mut losses): (H, Losses),
        body: Option<&[u8]>,
        values: &Values,
        limits: Limits,
    ) -> Result<Whole<H>, Error> {
        let Some(body) = body else { return Ok(Whole { head, body: None, is_partial: false, losses }) };
        let done = translate(&self.body, values, limits, Bytes::copy_from_slice(body))?;
        losses.add(done.losses);
        Ok(Whole { head, body: Some(done.body), is_partial: done.partial, losses })
    }
}

/// What a head's edits have lost, if they ran.
fn losses(ran: Option<Ran>) -> Losses {
    ran.map(|ran| ran.losses).unwrap_or_default()
}
