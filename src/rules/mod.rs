//! Rule files to plans.

use std::sync::Arc;

use crate::json::{Error, Program, Values};
use crate::version::{VersionId, Versions};

/// All rules of a proxy, compiled: one immutable whole.
#[derive(Debug, Default)]
pub struct RuleSet {
    /// By name.
    pub apis: std::collections::BTreeMap<String, Arc<Api>>,
    /// A hash of the rules' meaning: 16 hexadecimal digits.
    pub hash: String,
}

/// One API's rules.
#[derive(Debug)]
pub struct Api {
    /// `api:` in `api.yaml`.
    pub name: String,
    /// Oldest first.
    pub versions: Versions,
}

/// Everything for one (client version, backend version).
#[derive(Debug)]
pub struct Pair {}

/// A request's plan, found by method and path.
#[derive(Debug)]
pub struct Call<'a> {
    /// For logs, metrics and messages: `GET /users/{id}`, or `*`.
    pub label: &'a str,
}

/// What happens to one message.
#[derive(Debug)]
pub struct MessagePlan {
    /// The body's edit; `is_identity()` where no body rule matches.
    pub body: Arc<Program>,
}

impl Api {
    /// The plans for a client of one version before a backend of another. Compiled at load for the backends
    /// that the configuration names, on first use otherwise.
    #[must_use]
    pub fn pair(&self, _client: VersionId, _backend: VersionId) -> &Pair {
        &Pair {}
    }
}

impl Pair {
    /// The plan for a request. `path` is percent-encoded, starts with `/`, and has no version prefix.
    #[must_use]
    pub fn find<'a>(&'a self, _method: &http::Method, _path: &'a str) -> Call<'a> {
        Call { label: "*" }
    }

    /// The message rules of a WebSocket path; `None` where frames pass unread.
    #[must_use]
    pub fn socket(&self, _path: &str) -> Option<&Socket> {
        None
    }
}

/// What a request becomes.
#[derive(Debug)]
pub struct Target {
    /// The method the backend is asked with.
    pub method: http::Method,
    /// Path and query.
    pub path_and_query: String,
}

impl Call<'_> {
    /// Translates a request's target and headers; the body is `request().body`'s.
    ///
    /// # Errors
    /// As the ops on `query:`, `header:` and `path:` fail.
    pub fn request_head(&self, method: &http::Method, path_and_query: &str, _headers: &mut http::HeaderMap, _values: &Values) -> Result<Target, Error> {
        Ok(Target { method: method.clone(), path_and_query: path_and_query.to_owned() })
    }

    /// The request's plan.
    #[must_use]
    pub fn request(&self) -> &MessagePlan {
        unimplemented!()
    }

    /// The plan for a response with this status from the backend.
    #[must_use]
    pub fn response(&self, _status: http::StatusCode) -> &MessagePlan {
        unimplemented!()
    }
}

impl MessagePlan {
    /// Translates a response's status and headers.
    ///
    /// # Errors
    /// As the ops on `status:` and `header:` fail.
    pub fn response_head(&self, status: http::StatusCode, _headers: &mut http::HeaderMap, _values: &Values) -> Result<http::StatusCode, Error> {
        Ok(status)
    }
}

/// Which side a message comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The client sends it.
    Client,
    /// The backend sends it.
    Server,
}

/// The message rules of one WebSocket path.
#[derive(Debug)]
pub struct Socket {}

/// What becomes of one message.
#[derive(Debug)]
pub enum Outcome {
    /// It leaves as it came: not JSON, no discriminator, or an event without rules.
    Pass,
    /// It leaves changed.
    Translated(Vec<u8>),
    /// The receiver must not see it (`added: drop`, `removed`).
    Dropped,
}

impl Socket {
    /// Translates one text message. The event's name as the sender's version spells it comes back too,
    /// where a rule knows it, for counting.
    ///
    /// # Errors
    /// Malformed JSON where a discriminator would have to be read never fails (the message passes); an op that
    /// cannot translate a value does.
    pub fn translate(&self, _side: Side, _message: &[u8], _values: &Values, _limits: crate::json::Limits) -> (Option<&str>, Result<Outcome, Error>) {
        (None, Ok(Outcome::Pass))
    }
}
