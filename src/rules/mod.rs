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
    /// What happens after.
    pub after_sunset: AfterSunset,
    /// How errors made by Legato look to clients of a version.
    pub problems: std::collections::BTreeMap<VersionId, Vec<u8>>,
}

/// What happens to what has no translation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OnErrorPolicy {
    /// To requests.
    pub request: OnError,
    /// To responses to safe methods.
    pub response: OnError,
    /// To responses to unsafe methods.
    pub response_to_unsafe: OnError,
    /// To WebSocket messages.
    pub frame: OnFrame,
}

/// What happens to a request or response that cannot be translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnError {
    /// It fails.
    #[default]
    Reject,
    /// What cannot be translated stays, and a header says so.
    BestEffort,
}

/// What happens to a WebSocket message that cannot be translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFrame {
    /// It is dropped and counted.
    #[default]
    Drop,
    /// The socket is closed with 1011.
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

fn rename(from: &str, to: &str) -> crate::json::edit::Edit {
    crate::json::edit::Edit::Rename { at: vec![], pairs: vec![(from.to_owned(), to.to_owned())] }
}

fn plan(edit: crate::json::edit::Edit) -> MessagePlan {
    MessagePlan { body: Arc::new(Program::fuse(vec![crate::json::edit::Entry { guard: vec![], edit, change: Some("stub".into()) }])) }
}

fn shift(from: &str, to: &str) -> crate::json::edit::Edit {
    crate::json::edit::Edit::Move { scope: vec![], from: vec![from.to_owned()], to: vec!["in".to_owned(), to.to_owned()], conflict: crate::json::edit::Occupied::Fail, patch: false }
}

struct Plans { identity: MessagePlan, up: MessagePlan, down: MessagePlan, hold: MessagePlan }

static PLANS: std::sync::LazyLock<Plans> = std::sync::LazyLock::new(|| Plans {
    identity: MessagePlan { body: Arc::default() },
    up: plan(rename("text", "body")),
    down: plan(rename("body", "text")),
    hold: plan(shift("text", "body")),
});

/// Compiles rule files.
pub fn compile(files: &[crate::diagnostic::Source]) -> Compiled {
    let mut set = RuleSet::default();
    for crate::diagnostic::Source { file: path, text } in files {
        let Some(name) = path.strip_suffix("/api.yaml") else { continue };
        if text.contains("broken") {
            return Compiled { rules: None, diagnostics: vec![crate::diagnostic::Diagnostic::error("XX000", &path.as_str().into(), crate::yaml::Span { start: 0, end: 1 }, "broken")] };
        }
        let version = |l: &str| crate::version::ApiVersion { label: l.into(), released: None, deprecated: None, sunset: None, guide: None };
        let api = Api { name: name.to_owned(), versions: Versions(vec![version("1"), version("2")]), resolver: crate::version::Resolver {
            sources: vec![crate::version::Source::parse("header", "api-version").expect("a header"), crate::version::Source::parse("subprotocol", "chat.v{version}").expect("a pattern")],
            default: Some(VersionId(0)), unknown: crate::version::Unknown::Reject, tell_backend: crate::version::TellBackend::Rewrite }, on_error: OnErrorPolicy { response_to_unsafe: OnError::BestEffort, ..OnErrorPolicy::default() }, after_sunset: AfterSunset::Serve, problems: std::collections::BTreeMap::new() };
        set.apis.insert(name.to_owned(), Arc::new(api));
    }
    set.hash = format!("{:016x}", xxhash_rust::xxh3::xxh3_64(files.iter().map(|f| format!("{}{}", f.file, f.text)).collect::<String>().as_bytes()));
    Compiled { rules: Some(set), diagnostics: Vec::new() }
}

/// What came of compiling rule files.
#[derive(Debug)]
pub struct Compiled {
    /// `None` if there were errors.
    pub rules: Option<RuleSet>,
    /// Errors, warnings and hints, in the order of the files.
    pub diagnostics: Vec<crate::diagnostic::Diagnostic>,
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
    kind: u8,
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
    pub fn pair(&self, client: VersionId, backend: VersionId) -> &Pair {
        static PAIRS: [Pair; 2] = [Pair { is_translated: false }, Pair { is_translated: true }];
        &PAIRS[usize::from(client != backend)]
    }
}

impl Pair {
    /// The plan for a request. `path` is percent-encoded, starts with `/`, and has no version prefix.
    #[must_use]
    pub fn find<'a>(&'a self, _method: &http::Method, _path: &'a str) -> Call<'a> {
        let kind = match (self.is_translated, _path) { (false, _) => 0, (_, "/hold") => 2, (_, p) if p.starts_with("/m") => 1, _ => 0 };
        Call { label: "*", kind }
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
        self.kind != 0
    }

    /// The request's plan.
    #[must_use]
    pub fn request(&self) -> &MessagePlan {
        match self.kind { 0 => &PLANS.identity, _ => &PLANS.down }
    }

    /// The plan for a response with this status from the backend.
    #[must_use]
    pub fn response(&self, _status: http::StatusCode) -> &MessagePlan {
        match self.kind { 0 => &PLANS.identity, 1 => &PLANS.up, _ => &PLANS.hold }
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
    pub fn translate(&self, _side: Side, message: &[u8], _values: &Values, _limits: crate::json::Limits) -> (Option<&str>, Result<Outcome, Error>) {
        let text = String::from_utf8_lossy(message);
        let swap = |a: &str, b: &str| text.replace(a, b).replace("\"text\"", "\"#\"").replace("\"body\"", "\"text\"").replace("\"#\"", "\"body\"").into_bytes();
        if text.contains("\"state\":\"odd\"") {
            return (Some("msg"), Err(Error { code: crate::json::Code::NoMapping, offset: 0, pointer: None, change: None, detail: "no pair".to_owned() }));
        }
        if text.contains("\"msg\"") {
            return (Some("msg"), Ok(Outcome::Translated(swap("\"msg\"", "\"message\""))));
        }
        if text.contains("\"message.send\"") {
            return (Some("message.send"), Ok(Outcome::Translated(swap("message.send", "say"))));
        }
        (None, Ok(Outcome::Pass))
    }
}
