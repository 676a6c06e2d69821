//! What the data plane uses: for a pair of versions, each call's plan.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{HeaderMap, Method, StatusCode};

use crate::json::{Error, Program, Values};
use crate::route::{Router, Template};

use super::{Namespace, Socket};
use super::head::{HeadPlan, Target};

/// Everything for one client version before one backend version.
#[derive(Debug)]
pub struct Pair {
    pub(super) router: Router<usize>,
    pub(super) calls: Vec<CallPlan>,
    /// For calls that no change names.
    pub(super) default: CallPlan,
    pub(super) sockets: Router<Socket>,
    pub(super) namespaces: BTreeMap<String, Namespace>,
}

/// One call's plan.
#[derive(Debug)]
pub(super) struct CallPlan {
    pub(super) label: String,
    pub(super) request: MessagePlan,
    /// The call as the client and as the backend spell it, where the path has to be taken apart.
    pub(super) route: Option<(Template, Template)>,
    pub(super) responses: ResponsePlans,
}

/// Plans by the lowest status they are for, ascending; the first is for 100.
#[derive(Debug)]
pub(super) struct ResponsePlans(pub(super) Vec<(u16, MessagePlan)>);

/// What happens to one message.
#[derive(Debug)]
pub struct MessagePlan {
    pub(super) head: Option<HeadPlan>,
    /// The body's edit; the identity where no rule touches the body.
    pub body: Arc<Program>,
}

/// A request's plan, found by method and path.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    plan: &'a CallPlan,
    params: Vec<&'a str>,
}

impl Pair {
    /// The plan for a request. `path` is percent-encoded, starts with `/`, and has no version prefix.
    #[must_use]
    pub fn find<'a>(&'a self, method: &Method, path: &'a str) -> Call<'a> {
        match self.router.find(method, path) {
            Some(found) => Call { plan: &self.calls[*found.value], params: found.params },
            None => Call { plan: &self.default, params: Vec::new() },
        }
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

    /// Every call that a change names, for reports: its label, request plan, and response plans by lowest status.
    pub fn calls(&self) -> impl Iterator<Item = (&str, &MessagePlan, impl Iterator<Item = (u16, &MessagePlan)>)> {
        let all = self.calls.iter().chain([&self.default]);
        all.map(|call| {
            (call.label.as_str(), &call.request, call.responses.0.iter().map(|(first, plan)| (*first, plan)))
        })
    }
}

impl<'a> Call<'a> {
    /// For logs, metrics and messages: `GET /users/{id}`, or `*`.
    #[must_use]
    pub fn label(&self) -> &'a str {
        &self.plan.label
    }

    /// Whether some response's body has rules.
    #[must_use]
    pub fn translates_responses(&self) -> bool {
        self.plan.responses.0.iter().any(|(_, plan)| !plan.body.is_identity())
    }

    /// The request's plan.
    #[must_use]
    pub fn request(&self) -> &'a MessagePlan {
        &self.plan.request
    }

    /// The plan for a response with this status from the backend.
    #[must_use]
    pub fn response(&self, status: StatusCode) -> &'a MessagePlan {
        let plans = &self.plan.responses.0;
        let after = plans.partition_point(|(first, _)| *first <= status.as_u16());
        &plans[after.saturating_sub(1)].1
    }

    /// Translates a request's target and headers.
    ///
    /// # Errors
    /// As the ops on `query:`, `header:` and `path:` fail.
    pub fn request_head(
        &self,
        method: &Method,
        path_and_query: &str,
        headers: &mut HeaderMap,
        values: &Values,
    ) -> Result<Target, Error> {
        super::head::request(
            self.plan.request.head.as_ref(),
            self.plan.route.as_ref(),
            &self.params,
            method,
            path_and_query,
            headers,
            values,
        )
    }
}

impl MessagePlan {
    /// Whether the message leaves as it came.
    #[must_use]
    pub fn is_identity(&self) -> bool {
        self.head.is_none() && self.body.is_identity()
    }

    /// Translates a response's status and headers.
    ///
    /// # Errors
    /// As the ops on `status:` and `header:` fail.
    pub fn response_head(
        &self,
        status: StatusCode,
        headers: &mut HeaderMap,
        values: &Values,
    ) -> Result<StatusCode, Error> {
        match &self.head {
            Some(head) => head.response(status, headers, values),
            None => Ok(status),
        }
    }
}
